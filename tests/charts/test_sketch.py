import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from boundlab.charts.sketch import network_sketch, sketch_words
from boundlab.charts.theme import STYLES
from boundlab.quantities.receptive_fields import fields_of_last, receptive_fields
from boundlab.specs.arch import ArchSpec

CONV = ArchSpec()
NETWORKS = {
    "conv": CONV,
    "tree": ArchSpec(channels=107, stride=2),
    "locally connected": ArchSpec(kind="lc", channels=(4, 4, 3)),
    "mlp": ArchSpec(kind="mlp", hidden=(102, 102, 102)),
    "linear": ArchSpec(kind="mlp", hidden=()),
    "deep": ArchSpec(conv_layers=8),
    "colours, not square": ArchSpec(in_shape=(3, 9, 14), conv_layers=2, kernel_size=3, padding=1, pool="max2"),
    "dense on top": ArchSpec(conv_layers=1, hidden=(20, 10)),
    "one channel": ArchSpec(channels=1, head="gap"),
}
SVG = "{http://www.w3.org/2000/svg}"


def digit(arch):
    return np.random.default_rng(0).random(arch.in_shape[1:])


def drawn(arch, image=None, predicted=None, dark=False, **more):
    return ET.fromstring(network_sketch(arch, image, predicted, dark, **more))


def rectangles(svg, **attributes):
    found = svg.iter(f"{SVG}rect")
    return [
        {k: float(r.get(k)) for k in ("x", "y", "width", "height")}
        for r in found
        if attributes.items() <= r.attrib.items()
    ]


@pytest.mark.parametrize("arch", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("dark", [False, True])
def test_every_kind_is_drawn_within_its_frame_and_named_for_who_cannot_see_it(arch, dark):
    svg = drawn(arch, digit(arch), arch.classes - 1, dark)
    width, height = (float(side) for side in svg.get("viewBox").split()[2:])
    for box in rectangles(svg):
        assert 0 <= box["x"] <= box["x"] + box["width"] <= width
        assert 0 <= box["y"] <= box["y"] + box["height"] <= height
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == svg.find(f"{SVG}title").text == sketch_words(arch, str(arch.classes - 1))
    assert [t.text for t in svg.iter(f"{SVG}text") if t.get("font-weight")] == [str(arch.classes - 1)]


@pytest.mark.parametrize("arch", NETWORKS.values(), ids=NETWORKS)
def test_the_lit_pixels_are_those_that_a_neuron_of_the_last_layer_sees(arch):
    lit = STYLES["sparse"].light
    (box,) = rectangles(drawn(arch), fill=lit, stroke=lit)
    frame = rectangles(drawn(arch), fill="none")[0]
    last = receptive_fields(arch.shapes(), arch.in_shape[1:])[-1]
    rows, columns = arch.in_shape[1:]
    tall, wide = frame["height"] / rows, frame["width"] / columns
    assert box["y"] - frame["y"] == pytest.approx(last.top * tall, abs=0.11)
    assert box["x"] - frame["x"] == pytest.approx(last.left * wide, abs=0.11)
    assert box["height"] == pytest.approx((last.bottom - last.top + 1) * tall, abs=0.11)
    assert box["width"] == pytest.approx((last.right - last.left + 1) * wide, abs=0.11)


def test_what_the_last_neuron_sees_grows_by_one_tap_per_layer():
    assert [field.pixels for field in fields_of_last(CONV.shapes(), (28, 28))] == [16, 9, 4, 1]
    tree = NETWORKS["tree"]
    assert [field.pixels for field in fields_of_last(tree.shapes(), (28, 28))] == [64, 16, 4, 1]
    assert fields_of_last(NETWORKS["mlp"].shapes(), (28, 28)) == ((0, 0, 27, 27, 784),)


def test_the_digit_is_inked_where_it_is_dark():
    image = np.zeros((28, 28))
    image[3, 5] = 1.0
    svg = drawn(CONV, image)
    inked = [p.get("d") for p in svg.iter(f"{SVG}path") if p.get("fill") != "none"]
    x, y = map(float, re.match(r"M([\d.]+) ([\d.]+)h", *inked).groups())
    frame = rectangles(svg, fill="none")[0]
    assert (x - frame["x"], y - frame["y"]) == pytest.approx((5 * 150 / 28, 3 * 150 / 28), abs=0.1)


def test_without_shared_weights_a_lattice_tells_the_maps_apart():
    shared, own = (drawn(ArchSpec(kind=kind)) for kind in ("conv", "lc"))
    count = lambda svg: sum(p.get("stroke-width") == "0.6" for p in svg.iter(f"{SVG}path"))  # noqa: E731
    assert (count(shared), count(own)) == (0, 3)


def test_classes_are_escaped_cut_and_of_many_the_predicted_one_is_among_them():
    names = ["<script>", *(f"kind {i}" for i in range(11, 30))]
    text = network_sketch(ArchSpec(classes=20), None, 15, False, names)
    assert "<script>" not in text
    words = [t.text for t in ET.fromstring(text).iter(f"{SVG}text")]
    assert (words[0], words[-1], len(words)) == ("<sc…", "…", 10)
    assert "kind 25" in ET.fromstring(text).get("aria-label")


def test_what_does_not_fit_the_network_is_refused():
    with pytest.raises(ValueError, match="28 by 28"):
        network_sketch(CONV, np.zeros((8, 8)), None, False)
    with pytest.raises(ValueError, match="0 to 9"):
        network_sketch(CONV, None, 10, False)
    with pytest.raises(ValueError, match="one per class, 10"):
        network_sketch(CONV, None, None, False, ["a"])
