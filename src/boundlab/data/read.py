"""Published files as arrays, one part after the other: IDX, MATLAB 5, and the digits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from boundlab.data.digits import read_digits
from boundlab.data.idx import decompressed, parse_idx
from boundlab.data.pictures import Part
from boundlab.data.published import LARGEST_FILE
from boundlab.errors import DataError
from boundlab.specs.catalog import Dataset


def read_published(facts: Dataset, files: Mapping[str, Path]) -> Iterator[tuple[str, Part]]:
    """The parts of a data set as its publishers call them, the training images first; `files`: where each one lies.

    Nothing of a part is read before it is asked for. Raises DataError for a file that is not what its name says.
    """
    if facts.name == "digits":
        yield from zip(("train", "test"), read_digits(), strict=True)
    elif facts.name == "svhn":
        for part, size in (("train", facts.train_size), ("test", facts.test_size)):
            yield part, Part(*read_mat(files[f"{part}_32x32.mat"], size))
    else:
        for part in ("train", "t10k"):
            images = read_idx(files[f"{part}-images-idx3-ubyte"], 3)
            yield part, Part(images[:, None], read_idx(files[f"{part}-labels-idx1-ubyte"], 1))


def read_idx(path: Path, dims: int) -> np.ndarray:
    """Read an IDX file of unsigned bytes, plain or .gz; raises DataError when magic, size or gzip stream is wrong."""
    return parse_idx(decompressed(path, LARGEST_FILE), path, dims)


def read_mat(path: Path, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(images (n, 3, 32, 32) of bytes, labels (n,), 10 read as 0) of an SVHN file; raises DataError for any other file."""
    from scipy.io import loadmat, whosmat

    wanted = {"X": (32, 32, 3, n), "y": (n, 1)}
    try:
        with path.open("rb") as file:
            found = {name: shape for name, shape, _ in whosmat(file)}
            if found != wanted:
                raise DataError(
                    f"{path} should hold arrays of shapes {wanted}, got {found}; delete it and fetch it again"
                )
            content = loadmat(file)
    except DataError:
        raise
    except Exception as error:  # scipy raises what it likes on damaged bytes, NotImplementedError for MATLAB 7.3
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{path} should be a MATLAB 5 file, got: {reason}; delete it and fetch it again") from error
    images, labels = content["X"], np.asarray(content["y"]).reshape(-1)
    if images.dtype != np.uint8 or labels.dtype.kind not in "uif" or not np.isin(labels, range(1, 11)).all():
        raise DataError(
            f"{path} should hold bytes X and labels y from 1 to 10, got {images.dtype} and {labels.dtype} from "
            f"{min(labels)} to {max(labels)}; delete it and fetch it again"
        )
    return images.transpose(3, 2, 0, 1), labels.astype(np.int64) % 10
