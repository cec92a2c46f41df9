"""An image to draw the connectivity over: a real one where the data are at hand, without torch and scikit-learn."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from boundlab.analysis.subject import Subject
from boundlab.data.digits import digits_file
from boundlab.data.locate import locate
from boundlab.data.published import FILES
from boundlab.errors import DataError
from boundlab.specs.own_data import DATASETS, data_root

_TEST_IMAGES = "t10k-images-idx3-ubyte"
_IMAGES = 2051  # what an IDX file of images begins with


def columns(count: int) -> list[DeltaGenerator]:
    """One per network; on a narrow screen two beside each other (the page's style sheet says so)."""
    with st.container(key="compare_columns"):
        return st.columns(count)


def example(subject: Subject) -> tuple[np.ndarray, str]:
    """(height, width) in [0, 1] as large as the network looks at, and what it is; of several channels the mean."""
    size = subject.arch.in_shape[1:]
    found = _real(subject.dataset, str(data_root()))
    if found is not None and all(have >= want for have, want in zip(found.shape, size, strict=True)):
        top, left = ((have - want) // 2 for have, want in zip(found.shape, size, strict=True))
        return found[top : top + size[0], left : left + size[1]], f"an image of {DATASETS[subject.dataset].title}"
    rms = np.sqrt(subject.sample.raw.pixel_energy)
    return rms / max(float(rms.max()), 1e-300), "the root mean square of the training images"


@st.cache_data(show_spinner=False, max_entries=16)
def _real(dataset: str, root: str) -> np.ndarray | None:
    """One image of the data set, None where its files are not at hand."""
    try:
        if dataset == "digits":
            return _digit()
        return _first_of(locate(dataset, _TEST_IMAGES, root)) if _TEST_IMAGES in FILES.get(dataset, {}) else None
    except (OSError, EOFError, ValueError, zlib.error, struct.error, DataError):
        return None  # a drawing does without; what needs the data says what is wrong with them


def _first_of(path: Path) -> np.ndarray | None:
    """The first image of an IDX file."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        magic, count, height, width = struct.unpack(">4i", file.read(16))
        if magic != _IMAGES or count < 1 or not (0 < height <= 4096 and 0 < width <= 4096):
            return None
        return np.frombuffer(file.read(height * width), np.uint8).reshape(height, width) / 255.0


def _digit() -> np.ndarray:
    """The first image of scikit-learn's file."""
    with gzip.open(digits_file(), "rt") as file:
        return np.array(file.readline().split(","), dtype=np.float64)[:64].reshape(8, 8) / 16.0
