"""What the Playground trains: the runs of its handles, and the handles as a link has them."""

import pytest

from boundlab.specs.catalog import SHIPPED
from boundlab.specs.counterparts import CLOSE
from boundlab.specs.played import DECAYS, KINDS, Played
from boundlab.specs.stacking import kind


def test_the_digits_are_played_at_twelve_weight_decays_by_one_network():
    specs = Played().specs
    assert [spec.train.weight_decay for spec in specs] == sorted(DECAYS)
    assert len({spec.id for spec in specs}) == 12
    assert len({kind(spec) for spec in specs}) == 1
    assert specs[0].arch.title == "CONV-3-8"


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_neurons_makes_a_network_on_every_shipped_data_set(name):
    for dataset in SHIPPED:
        played = Played(dataset, name, conv_layers=2)
        assert 8 <= len(played.specs) <= 12
        assert played.title
        if name in ("tree", "MLP"):
            wanted = Played(dataset, conv_layers=2).arch.parameters
            assert abs(played.arch.parameters - wanted) <= max(20 * CLOSE * wanted, played.arch.in_shape[1] ** 2 + 20)


def test_fewer_images_are_seen_more_often():
    steps = {n: Played(n_train=n).specs[0].train.epochs * -(-(n or 1437) // 32) for n in (None, 700, 300)}
    assert max(steps.values()) < 1.1 * min(steps.values())


def test_a_network_that_cannot_be_says_why():
    with pytest.raises(ValueError, match="kernel"):
        _ = Played(conv_layers=8, kernel_size=3).specs


@pytest.mark.parametrize(
    "played",
    [Played(), Played("mnist", "tree", 2, 32, 4, 2, 0.25, 6000, 7), Played(kind="not shared", label_noise=0.1)],
)
def test_a_link_says_all_of_it(played):
    assert Played.parse(played.written) == played


@pytest.mark.parametrize(
    "text",
    [
        "", "~" * 8, Played().written + "~1", Played().written.replace("digits", "x"), "digits~convolution~3~8~2~1~nan~all~0",
        "digits~convolution~99999~8~2~1~0~all~0", "digits~convolution~3~8~2~1~0~-4~0", "digits~convolution~3~8~2~1~7~all~0",
        "digits~convolution~３~8~2~1~0~all~-1", "digits~convolution~3~8~2~1~0~all~1e9",
    ],
)  # fmt: skip
def test_what_is_no_such_thing_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        Played.parse(text)
