"""`boundlab export`: a network of the reader's own as a checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path

from boundlab.cli.arguments import Commands, comma_list, command, decimal, integer


def add_to(commands: Commands) -> None:
    """The command and its arguments."""
    sub = command(commands, "export", "a network of your own, a torch.nn.Module, as a .safetensors checkpoint", _run)
    sub.add_argument(
        "model",
        metavar="MODULE:NAME",
        help="a torch.nn.Module whose layers follow each other, or a function that returns one; runs your code",
    )
    sub.add_argument("file", type=Path, metavar="OUT.safetensors")
    sub.add_argument(
        "--in-shape", type=comma_list(integer), default=(1, 28, 28), help="channels,height,width (1,28,28)"
    )
    sub.add_argument(
        "--normalize", type=comma_list(decimal), help="mean,deviation; left out: it is fed pixels in [0, 1]"
    )
    sub.add_argument("--init", metavar="MODULE:NAME", help="the same model before training")
    sub.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="its state_dict: a file of torch.save (tensors alone are read), or .safetensors",
    )


def _run(a: argparse.Namespace) -> int:
    from boundlab.networks.export import export, load_model
    from boundlab.networks.weights import filled

    init, model = load_model(a.init) if a.init else None, load_model(a.model)
    print(export(filled(model, a.weights) if a.weights else model, a.file, a.in_shape, a.normalize, init))
    return 0
