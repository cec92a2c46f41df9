"""certificates.json, beside a run's seal or in a pack: read entry by entry, so that a bad one is left out alone."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from boundlab.bounds import pac_bayes
from boundlab.errors import RunError
from boundlab.runs.run import Run
from boundlab.system.files import read_json, write_atomic
from boundlab.system.locks import locked_folder

CERTIFICATES = "certificates.json"


def read_certificates(path: Path, packed: bool = False) -> dict[str, Any]:
    """Run id -> what is stored of its certificates, unchecked; of a run's own file, which has no id in it, under "".

    Nothing where there is no file. Raises RunError when it is no such file at all.
    """
    if not path.exists():
        return {}
    given = read_json(path)
    if not isinstance(given, dict if packed else list):
        what = "object of run ids" if packed else "list"
        raise RunError(
            f"{path} is damaged (it must be a JSON {what}, got a {type(given).__name__}); restore it, or delete it and run "
            "`boundlab certify`"
        )
    return dict(given) if packed else {"": given}


def usable(run: Run, given: Any, where: Path) -> tuple[tuple[pac_bayes.PacBayes, ...], str | None]:
    """The certificates of `given` that are about the run, at most one per prior; and what is wrong with the rest, if any."""
    found: dict[str, pac_bayes.PacBayes] = {}
    trouble = None if isinstance(given, list) else f"{where} has no list of certificates of {run.id}; certify it again"
    for item in given if isinstance(given, list) else ():
        try:
            one = pac_bayes.PacBayes.from_dict(item)
            if one.prior in found:
                raise ValueError(f"there must be at most one certificate of the {one.prior} prior")
            check(run, one)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            trouble = f"{where} has a damaged certificate of {run.id} ({error}); restore it, or certify again"
        except RunError as error:
            trouble = f"{where}: {error}"
        else:
            found[one.prior] = one
    return tuple(found.values()), trouble


def check(run: Run, found: pac_bayes.PacBayes) -> None:
    """Raises RunError when a certificate is not about the run: n, grid and KL follow from it."""
    n, kl = found.n + found.n_prior, _divergence(run, found)
    grid = len(pac_bayes.SCALE_GRID) if found.prior == "fixed" else 1
    if n != run.sample.n or found.grid != grid or not abs(found.kl - kl) <= 1e-4 * (1 + kl):
        raise RunError(
            f"the {found.prior} certificate of {run.id} is not about it (n {n}, grid {found.grid}, KL {found.kl:.6g}; the run "
            f"has {run.sample.n}, {grid}, {kl:.6g}); restore its network or certificate, and certify again"
        )

    neurons = sum(shape.out_channels for shape in run.spec.arch.shapes()[:-1])
    if found.rescaled is not None and (
        len(found.rescaled.factors) != neurons
        or not set(found.rescaled.prior_noise) <= set(pac_bayes.SCALE_GRID.tolist())
    ):
        raise RunError(
            f"the {found.prior} certificate of {run.id} is rescaled by {len(found.rescaled.factors)} factors, or under a prior that "
            f"is not on the grid; the run has {neurons} hidden neurons: restore it, or certify again"
        )


@np.errstate(over="ignore", invalid="ignore")  # a forged scale; the sum is then not the one that is stored
def _divergence(run: Run, found: pac_bayes.PacBayes) -> float:
    """The certificate's KL, from the run's own final norms."""
    if found.prior == "learnt":
        return 0.0  # the prior's own network
    last = run.norms(run.records.iloc[-1:]).layers
    if len(last) != found.layers:
        return float("nan")
    size = np.array([float(layer.tensor_norm[0]) for layer in last])
    weights = np.array([layer.shape.used_weights for layer in last])
    return float(pac_bayes.gaussian_kl(size, weights, np.array(found.noise), np.array(found.prior_noise)).sum())


def write_certificates(certificates: Mapping[str, list[Any]], folder: Path) -> None:
    """A pack's file: run id -> its certificates as JSON has them; no file where there are none."""
    found = {name: given for name, given in sorted(certificates.items()) if given}
    if found:
        write_atomic(folder / CERTIFICATES, json.dumps(found, indent=1) + "\n")
    else:
        (folder / CERTIFICATES).unlink(missing_ok=True)


def store_certificate(folder: Path, run: str, new: pac_bayes.PacBayes, packed: bool = False) -> None:
    """Put `new` in place of the run's certificate of the same prior, in its run folder or in a pack; what else is there
    stays as it is, damaged or not. Raises RunError."""
    with locked_folder(folder):
        stored = read_certificates(folder / CERTIFICATES, packed)
        before = stored.get(run if packed else "", [])
        others = [c for c in before if _prior(c) != new.prior] if isinstance(before, list) else []
        now = sorted([*others, new.to_dict()], key=lambda c: (*pac_bayes.PRIORS, _prior(c)).index(_prior(c)))
        if packed:
            write_certificates(stored | {run: now}, folder)
        else:
            write_atomic(folder / CERTIFICATES, json.dumps(now, indent=1) + "\n")


def _prior(stored: Any) -> str:
    return str(stored.get("prior")) if isinstance(stored, dict) else ""


def with_certificates(run: Run, given: Any, folder: Path) -> Run:
    """The run with those of its stored certificates that are about it."""
    found, trouble = usable(run, given, folder / CERTIFICATES)
    return dataclasses.replace(run, certificates=found, trouble=trouble)
