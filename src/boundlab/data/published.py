"""What is published of the data sets: their files, where their publishers have them, and the folders they belong in."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

LARGEST_FILE = 256 * 2**20  # bytes in an unpacked file
CONTENTS = "sha256 of the contents"  # of one file, however it was packed
AS_SENT = "sha256 of the file"


class Archive(NamedTuple):
    """A file to fetch: the digest that it must have, its usual size in bytes, and what the digest is of."""

    digest: str
    size: int
    check: str = CONTENTS


MIRRORS: dict[str, tuple[str, ...]] = {  # the publishers' own; without encryption only where that does not answer
    "mnist": ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
    "fashion_mnist": (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    "kmnist": ("https://codh.rois.ac.jp/kmnist/dataset/kmnist/", "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"),
    "svhn": ("https://ufldl.stanford.edu/housenumbers/", "http://ufldl.stanford.edu/housenumbers/"),
}
FILES = {
    "mnist": {
        "train-images-idx3-ubyte": Archive(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", 9_912_422
        ),
        "train-labels-idx1-ubyte": Archive("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", 28_881),
        "t10k-images-idx3-ubyte": Archive(
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", 1_648_877
        ),
        "t10k-labels-idx1-ubyte": Archive("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", 4_542),
    },
    "fashion_mnist": {
        "train-images-idx3-ubyte": Archive(
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", 26_421_880, AS_SENT
        ),
        "train-labels-idx1-ubyte": Archive(
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29_515, AS_SENT
        ),
        "t10k-images-idx3-ubyte": Archive(
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", 4_422_102, AS_SENT
        ),
        "t10k-labels-idx1-ubyte": Archive(
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5_148, AS_SENT
        ),
    },
    "kmnist": {
        "train-images-idx3-ubyte": Archive(
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4", 18_165_135, AS_SENT
        ),
        "train-labels-idx1-ubyte": Archive(
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17", 29_497, AS_SENT
        ),
        "t10k-images-idx3-ubyte": Archive(
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5", 3_041_136, AS_SENT
        ),
        "t10k-labels-idx1-ubyte": Archive(
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c", 5_120, AS_SENT
        ),
    },
    "svhn": {
        "train_32x32.mat": Archive(
            "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8", 182_040_794, AS_SENT
        ),
        "test_32x32.mat": Archive(
            "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b", 64_275_384, AS_SENT
        ),
    },
}
FOLDERS = {  # as torchvision lays them out
    "mnist": Path("MNIST", "raw"),
    "fashion_mnist": Path("FashionMNIST", "raw"),
    "kmnist": Path("KMNIST", "raw"),
    "svhn": Path("SVHN"),
}


def sent_as(file: str) -> str:
    """The name under which a file is published."""
    return file if file.endswith(".mat") else f"{file}.gz"
