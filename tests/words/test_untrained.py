"""What is said about a network that there is no run of."""

import pytest

from boundlab.words.untrained import combination, left_aside, several, untrained


@pytest.mark.parametrize(
    ("at", "title", "words"),
    [
        ({"conv_layers": 4, "channels": 32, "weight_decay": 0.002}, "CONV-4-32", "CONV-4-32 at λ = 0.002"),
        ({"conv_layers": 4, "channels": 32}, "CONV-4-32", "CONV-4-32"),
        ({"conv_layers": 8, "weight_decay": 0.0115}, None, "L = 8 and λ = 0.0115"),
        ({"conv_layers": 8, "channels": 16, "weight_decay": 0.001}, None, "L = 8, H = 16 and λ = 0.001"),
        ({"channels": 64}, None, "H = 64"),
    ],
)
def test_a_combination_in_words(at, title, words):
    assert combination(at, title) == words
    said = untrained(at, title, "mnist", "short")
    assert said == (
        f"**{words} has not been trained** on MNIST."
        if title
        else f"**No network with {words} has been trained** on MNIST."
    )
    assert untrained(at, title, "mnist", "short, lr 0.05").endswith("on MNIST by the recipe “short, lr 0.05”.")
    for trained, why in ((True, "did not reach the plateau"), (False, "did not train")):
        assert left_aside(at, title, trained).startswith(f"**{words if title else f'The network with {words}'} {why}**")


def test_one_architecture_at_several_lambda():
    assert several("CONV-4-32", [0.004, 0.0008]) == "CONV-4-32 at λ = 0.0008, 0.004"
