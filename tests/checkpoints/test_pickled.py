"""Files of torch.save, named for what they are without being opened."""

import io
import zipfile

import pytest
import torch

from boundlab.checkpoints.pickled import pickle_words
from tests.hostile import Runs
from tests.networks.test_weights import network


def saved(what, **how) -> io.BytesIO:
    file = io.BytesIO()
    torch.save(what, file, **how)
    return file


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_file_is_named_for_what_it_is(zipped, protocol):
    how = {"_use_new_zipfile_serialization": zipped, "pickle_protocol": protocol}
    weights = pickle_words(saved(network().state_dict(), **how))
    assert weights.startswith(
        "it holds the weights of a network (0.weight, 0.bias, 1.weight, ...): `boundlab export MODULE:NAME"
    )
    assert pickle_words(saved({"a": Runs()}, **how)).startswith("it holds objects of your code (posix.mkdir)")
    for cut in (10, 60, 200):
        assert pickle_words(io.BytesIO(saved(network().state_dict(), **how).getvalue()[:cut]))


def test_a_scripted_network_is_named():
    """As TorchScript lies in a file: a pickle of its constants and its code beside the weights."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("net/data.pkl", "net/constants.pkl", "net/code/__torch__.py"):
            archive.writestr(name, b"\x80\x02.")
    assert pickle_words(file).startswith("it holds a TorchScript program")
