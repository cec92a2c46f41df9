"""theorem_d.json and theorem_d_trained.json, beside a run's seal or in a part of a pack: certificates of Theorems D and D2, read
entry by entry. The second is of networks made for their certificate, which lie in a folder beside it. Both hold together: one code
says all hidden weights, and the output layer is free."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from boundlab.bounds.coded import BOTH, CodedCertificate
from boundlab.errors import RunError
from boundlab.quantities.weight_code import narrowed_length
from boundlab.runs.run import Run
from boundlab.specs.shapes import LayerShape
from boundlab.system.files import read_json, write_atomic
from boundlab.system.locks import locked_folder

CODED, TRAINED = "theorem_d.json", "theorem_d_trained.json"


def trained_network_file(folder: Path, run: str) -> Path:
    """Where the network lies that the certificates in `TRAINED` of a run are about."""
    return folder / "theorem_d_networks" / f"{run}.safetensors"


def read_coded(folder: Path, file: str = CODED) -> dict[str, Any]:
    """Run id -> what is stored of its certificates, unchecked; nothing where there is no file. Raises RunError when it is no such
    file at all."""
    path = folder / file
    if not path.exists():
        return {}
    given = read_json(path)
    if not isinstance(given, dict):
        raise RunError(
            f"{path} is damaged (it must be a JSON object of run ids, got a {type(given).__name__}); restore it, or delete it and "
            f"run `boundlab certify --theorem d{' --train' * (file == TRAINED)}`"
        )
    return given


def with_coded(run: Run, given: Any, folder: Path, file: str = CODED) -> Run:
    """The run with those of its stored certificates that are about it, beside those it has of the other file; what is wrong with
    the rest is its `trouble`."""
    found: dict[str, CodedCertificate] = {}
    trouble = None if isinstance(given, list) else f"has no list of certificates of {run.id}"
    for item in given if isinstance(given, list) else ():
        try:
            one = CodedCertificate.from_dict(item)
            if one.theorem in found:
                raise ValueError(f"there must be at most one of Theorem {one.theorem}")
            if one.trained != (file == TRAINED):
                raise ValueError(f"trained must be {str(file == TRAINED).lower()} in this file")
            check_coded(run, one)
        except (ValueError, TypeError, LookupError, AttributeError, RunError) as error:
            trouble = f"has a damaged certificate of {run.id} ({error})"
        else:
            found[one.theorem] = one
    words = None if trouble is None else f"{folder / file} {trouble}; restore it, or certify again"
    return dataclasses.replace(
        run, coded=(*run.coded, *found.values()), trouble="; ".join(filter(None, [run.trouble, words])) or None
    )


def check_coded(run: Run, found: CodedCertificate) -> None:
    """Raises RunError when a certificate is not about the run: n, classes, tensors, the code's length and the divergence."""
    norm = run.norms(run.records.iloc[-1:]).layers[-1].centered_frobenius[0]
    check_about(found, run.spec.arch.shapes(), run.sample.n, norm, run.id)


def check_about(found: CodedCertificate, shapes: Sequence[LayerShape], n: int, norm: float, name: str) -> None:
    """The same of any network called `name`; `norm`: of its output layer, class mean subtracted."""
    sizes = [
        size
        for s in shapes[:-1]
        for size in (s.weights, *([s.parameters - s.weights - s.weight_norm] if s.bias else []))
    ]
    most = sum(20 + rounding.bits * size for rounding, size in zip(found.roundings, sizes, strict=False))
    most += 16 * shapes[-1].bias
    if found.trained:
        most += narrowed_length([s.out_channels for s in shapes[:-1]])
    scale = norm * found.mu
    # a trained output layer is not the run's
    fits = found.trained or shapes[-1].bias or abs(found.size - scale) <= 1e-4 * scale
    known = (found.n, found.classes, len(found.roundings), found.constant is not None)
    if known != (n, shapes[-1].out_channels, len(sizes), shapes[-1].bias) or found.bits > most or not fits:
        raise RunError(
            f"the certificate of Theorem {found.theorem} is not about {name} (n {found.n}, {found.classes} classes, "
            f"{len(found.roundings)} coded tensors of {found.bits} bits, size {found.size:.6g}; it has {n}, "
            f"{shapes[-1].out_channels}, {len(sizes)} of at most {most}, {scale:.6g})"
        )


def store_coded(folder: Path, run: str, new: Sequence[CodedCertificate], file: str = CODED) -> None:
    """Put `new` in place of what is stored of the run; what is stored of others stays. Raises RunError."""
    with locked_folder(folder):
        ordered = sorted(new, key=lambda one: BOTH.index(one.theorem))
        stored = read_coded(folder, file) | {run: [one.to_dict() for one in ordered]}
        write_atomic(folder / file, json.dumps(dict(sorted(stored.items())), indent=1) + "\n")
