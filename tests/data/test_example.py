"""The images of data/examples.json are the ones of their data sets, and the shipped networks choose what it says.

`python -m tests.data.test_example` writes the file again.
"""

import json

import pytest
import torch

from boundlab.data.example import EXAMPLES, example_of
from boundlab.data.splits import load_splits
from boundlab.networks.build import from_weights
from boundlab.networks.checkpoint import load_checkpoint
from boundlab.runs.pack import read_pack
from boundlab.runs.places import PACK

IMAGES = {"mnist": (32, 255), "digits": (0, 16)}  # data set -> number of the test image, value of white


def made(dataset, root):
    """The entry of one data set: the image, and the classes that the networks of all ten choose which look at whole images."""
    number, white = IMAGES[dataset]
    test = load_splits(dataset, root)[1]
    image, chosen = test.images[number], {}
    for path in sorted(PACK.rglob(f"{dataset}-*.safetensors")):
        stored = load_checkpoint(path, None)
        if stored.arch.classes == 10 and stored.arch.in_shape == image.shape:
            mean, deviation = stored.arch.normalize or (0.0, 1.0)
            net = from_weights(stored.arch, stored.weights, stored.biases)
            with torch.no_grad():
                chosen[path.stem] = int(net((image[None] - mean) / deviation).argmax())
    rows = [bytes(row).hex() for row in (image[0] * white).round().int().tolist()]
    return {"number": number, "label": int(test.labels[number]), "white": white, "rows": rows, "chosen": chosen}


@pytest.mark.parametrize("dataset", IMAGES)
def test_the_image_and_what_every_network_chooses(dataset, request):
    root = request.getfixturevalue("mnist_root") if dataset == "mnist" else None
    found, again = json.loads(EXAMPLES.read_text())[dataset], made(dataset, root)
    known = found.pop("chosen")
    assert known
    assert known.items() <= again.pop("chosen").items()  # of a network shipped later it says nothing
    assert found == again


def test_an_image_as_a_picture():
    example = example_of("mnist")
    assert example.pixels.shape == (28, 28)
    assert example.pixels.min() == 0
    assert 0.95 < example.pixels.max() <= 1
    assert example.label == 3
    shipped = {run.id for run in read_pack()}
    assert set(example.chosen) <= shipped
    assert example_of("svhn") is None


if __name__ == "__main__":
    EXAMPLES.write_text(json.dumps({name: made(name, None) for name in IMAGES}, indent=1) + "\n")
