"""A file that is no checkpoint is named for what it is, with what to do; nothing of it is opened."""

import io
import json
import zipfile

import numpy as np
import pytest
import torch
from safetensors.numpy import save

from boundlab.checkpoints.header import Unspecified, read_header
from boundlab.errors import CheckpointError


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"\0" * 64)
    return file.getvalue()


def torch_saved() -> bytes:
    file = io.BytesIO()
    torch.save({"0.weight": torch.ones(2, 2)}, file)
    return file.getvalue()


def numpy_saved() -> bytes:
    file = io.BytesIO()
    np.savez(file, w=np.ones(40))
    return file.getvalue()


FILES = {
    "HDF5": (
        b"\x89HDF\r\n\x1a\n" + b"\0" * 900,
        "an HDF5 file, as Keras saves networks; make the same layers in PyTorch",
    ),
    "ONNX": (b"\x08\x08\x12\x07pytorch\x1a\x052.1.0:" + b"\0" * 900, "an ONNX network; make the same layers"),
    "Keras": (zipped("metadata.json", "config.json", "model.weights.h5"), "a Keras network; make the same layers"),
    "npz": (numpy_saved(), "an .npz file of arrays"),
    "zip": (
        zipped("a/net.safetensors", "b.txt", "c.txt", "d.txt"),
        r"a ZIP archive \(a/net.safetensors, b.txt, c.txt, ...\); unpack it",
    ),
    "pickle": (
        torch_saved(),
        r"but a pickle, as torch.save writes it, .* not opened here; it holds the weights of a network",
    ),
    "damaged zip": (zipped("x")[:40], "but a pickle"),
    "TensorFlow Lite": (b"\x1c\0\0\0TFL3" + b"\0" * 900, "a TensorFlow Lite network"),
    "gzip": (b"\x1f\x8b\x08" + b"\0" * 900, "a gzip file; unpack it"),
    "tar": (b"net.safetensors".ljust(257, b"\0") + b"ustar\0" + b"\0" * 900, "a tar archive; unpack it"),
    "JSON": (json.dumps({"layers": list(range(200))}).encode(), "a JSON file"),
    "web page": (b"<!DOCTYPE html><html>" + b" " * 900, "a web page"),
    "PNG": (b"\x89PNG\r\n\x1a\n" + b"\0" * 900, "a PNG picture"),
    "anything": (b"\xfe" * 900, "it does not begin as one"),
}


@pytest.mark.parametrize("name", FILES)
def test_it_is_named_for_what_it_is(tmp_path, name):
    content, words = FILES[name]
    (path := tmp_path / "net.bin").write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"^[^\n]*not a complete \.safetensors file[^\n]*{words}[^\n]*$"):
        read_header(path, "mnist")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_of_a_file_without_spec_a_number_that_is_none_is_said_before_anything_is_asked(tmp_path, value):
    weights = {"fc1.weight": np.ones((5, 784), np.float32), "fc2.weight": np.ones((10, 5), np.float32)}
    (path := tmp_path / "net.safetensors").write_bytes(save(weights))
    with pytest.raises(Unspecified):
        read_header(path, "mnist")
    weights["fc2.weight"][3, 2] = value
    path.write_bytes(save(weights))
    with pytest.raises(CheckpointError, match=r"fc2\.weight has NaN or infinite values") as error:
        read_header(path, "mnist")
    assert not isinstance(error.value, Unspecified)
