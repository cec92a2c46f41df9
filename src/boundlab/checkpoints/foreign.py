"""What a file is that is no `.safetensors` file, by its first bytes and, of an archive, the names in it; and what to do. No torch.

Nothing of it is unpacked, built or run.
"""

from __future__ import annotations

import zipfile
from typing import BinaryIO

from boundlab.checkpoints.pickled import SIGNS, pickle_words

_REBUILD = "make the same layers in PyTorch, copy the weights into them, then boundlab.export(model, ...)"
_NAMED, _LETTERS = 3, 40  # files in an archive
_ZIP = b"PK\x03\x04"
# (place, bytes there, what such a file is, what to do)
_SIGNATURES = (
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras saves networks", _REBUILD),
    (4, b"TFL3", "a TensorFlow Lite network", _REBUILD),
    (0, b"GGUF", "a GGUF file", _REBUILD),
    (0, b"\x93NUMPY", "a NumPy array", _REBUILD),
    (0, b"\x89PNG", "a PNG picture", "give the network; data are chosen above"),
    (0, b"\xff\xd8\xff", "a JPEG picture", "give the network; data are chosen above"),
    (0, b"%PDF", "a PDF file", "give the network"),
    (0, b"\x1f\x8b", "a gzip file", "unpack it, and give the .safetensors file in it"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it, and give the .safetensors file in it"),
    (257, b"ustar", "a tar archive", "unpack it, and give the .safetensors file in it"),
    (0, b"version https://git-lfs", "a Git LFS pointer, not the file itself", "fetch the file with `git lfs pull`"),
    (0, b"{", "a JSON file", "give the .safetensors file with the weights"),
    (0, b"<", "a web page or an XML file, perhaps of a download that failed", "download it again"),
)


def foreign_words(file: BinaryIO) -> str:
    """What it is and what to do with it, as the end of a sentence; "" where its bytes do not say."""
    file.seek(0)
    start = file.read(300)
    if start.startswith(_ZIP):
        return _archive(file)
    if start.startswith(SIGNS):
        return _pickle(file)
    if _is_onnx(start):
        return f"but an ONNX network; {_REBUILD}"
    for place, sign, what, remedy in _SIGNATURES:
        if start[place:].startswith(sign):
            return f"but {what}; {remedy}"
    return ""


def _pickle(file: BinaryIO) -> str:
    return f"but a pickle, as torch.save writes it, which may run code and is not opened here; {pickle_words(file)}"


def _archive(file: BinaryIO) -> str:
    try:
        file.seek(0)
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except Exception:  # zipfile raises what it likes on damaged bytes
        return _pickle(file)
    if any(name.rpartition("/")[2] == "data.pkl" for name in names):
        return _pickle(file)
    if "model.weights.h5" in names:
        return f"but a Keras network; {_REBUILD}"
    if names and all(name.endswith(".npy") for name in names):
        return f"but an .npz file of arrays; {_REBUILD}"
    some = ", ".join(name[:_LETTERS] for name in names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    return f"but a ZIP archive ({some or 'empty'}); unpack it, and give the .safetensors file in it"


def _is_onnx(start: bytes) -> bool:
    """A protobuf that begins with a small version number (field 1), then the producer's name (field 2)."""
    return len(start) > 4 and start[0] == 0x08 and start[1] < 0x20 and start[2] == 0x12 and start[4:5].isalpha()
