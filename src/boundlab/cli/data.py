"""`boundlab data add | list | remove`: data sets of the reader's own."""

from __future__ import annotations

import argparse
from pathlib import Path

from boundlab.cli.arguments import Commands, Parser, command, decimal, is_whole, with_data_root
from boundlab.data.arrays import WANTED
from boundlab.specs.catalog import Dataset
from boundlab.specs.own_data import DATASETS, own_folder
from boundlab.validation import shown


def add_to(commands: Commands) -> None:
    """The command, and three of its own with their arguments."""
    root = with_data_root()
    sub = command(commands, "data", "your own data sets: add, list, remove", _run)
    actions = sub.add_subparsers(required=True, metavar="ACTION", dest="action")
    _add_arguments(actions, root)
    text = "all data sets, and whether they are on this machine"
    actions.add_parser("list", help=text, description=text, parents=[root])
    text = "delete a data set of your own; runs of it cannot be shown until the same is added again"
    remove = actions.add_parser("remove", help=text, description=text, parents=[root])
    remove.add_argument("name", metavar="NAME", help="or the whole key")


def _add_arguments(actions: Commands, root: Parser) -> None:
    text = "check a data set and store it below the data root"
    add = actions.add_parser("add", help=text, description=text, parents=[root])
    folders = "SOURCE/class/x.png (or .jpg, .bmp, .webp), or SOURCE/train/class/... and SOURCE/test/class/..."
    tables = "a CSV (label, then pixels) or Parquet file (image, label), a folder of these or of IDX files"
    arrays = f"an .npz file with {WANTED}"
    add.add_argument("source", type=Path, metavar="SOURCE", help=f"{folders}; {tables}; or {arrays}")
    add.add_argument("--name", help="default: the source's")
    add.add_argument(
        "--test", type=decimal, metavar="FRACTION", help="of each class, where there is no test part (0.2)"
    )
    add.add_argument("--size", type=_height_and_width, metavar="HxW", help="scale every image to this")
    add.add_argument("--grey", action="store_true", help="one channel, weighed by ITU-R 601")


def _height_and_width(text: str) -> tuple[int, int]:
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(map(is_whole, sides)):
        raise argparse.ArgumentTypeError(f"must be HxW such as 32x32, got {shown(text)}")
    return int(sides[0]), int(sides[1])


def _run(a: argparse.Namespace) -> int:
    return {"add": _add, "list": _list, "remove": _remove}[a.action](a)


def _add(a: argparse.Namespace) -> int:
    from boundlab.data import own
    from boundlab.data.labels import mapping_words
    from boundlab.quantities.doubts import doubts

    data = own.add(a.source, a.name, a.test, a.size, a.grey)
    classes = [f"classes: {said}"] if (said := mapping_words(data.class_names)) else []
    print("\n".join([_facts(data), *classes, *(f"warning: {words}" for words in doubts(data.copies, data.in_shape))]))
    return 0


def _list(a: argparse.Namespace) -> int:
    from boundlab.data import locate, own

    for facts in DATASETS.values():
        size = locate.download_size(facts.name) / 1e6
        print(_facts(facts) + (f"; not on this machine yet, {size:.0f} MB to download" if size else ""))
    for key in own.broken_keys():
        print(f"{key:22} cannot be used: its .json in {own_folder()} is damaged, or a file is missing; remove it")
    return 0


def _remove(a: argparse.Namespace) -> int:
    from boundlab.data import own

    print(f"{own.remove(a.name)} removed from {own_folder()}")
    return 0


def _facts(data: Dataset) -> str:
    shape = "×".join(map(str, data.in_shape))
    return f"{data.name:22} {data.train_size:,} training and {data.test_size:,} test images {shape}, {data.classes} classes"
