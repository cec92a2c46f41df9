"""The report of a network whose layers do not follow each other: the bounds that hold for any such network, the others' reason."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from boundlab.bounds import LITERATURE, gonon
from boundlab.bounds.base import Value, chosen_margin, value_of
from boundlab.bounds.coded import coded_json
from boundlab.data.splits import Split
from boundlab.evaluation.branched_pac_bayes import certify_branched
from boundlab.evaluation.predictor_report import cut_parts, fed, what_any_has
from boundlab.evaluation.report import D_LEFT_OUT
from boundlab.evaluation.report_parts import value_json
from boundlab.evaluation.theorem_d import certify_coded
from boundlab.networks.branched import Branched
from boundlab.networks.graph import depth, path_norm
from boundlab.networks.outcome import Outcome, margin_errors, outcome
from boundlab.networks.sample_stats import feed, sample_stats
from boundlab.quantities.sample import SampleStats
from boundlab.specs.run import Labels
from boundlab.specs.settings import Settings
from boundlab.system.devices import usable_cores

_NO_CHAIN = "it is about layers that follow each other"


def report_on_branched(
    network: Branched,
    data: tuple[Split, Split | None],
    dataset: str,
    settings: Settings,
    why: str,
    errors: bool = True,
    root: str | Path | None = None,
    labels: Labels | None = None,
) -> dict[str, Any]:
    """As `report.report`: errors, Gonon's bound, Theorem D, `pac_bayes` of the network under noise, the hold-out limit; the other bounds say that they do not apply, and `why` the
    network is no chain of layers. `spec` lists its operations."""
    train, test = cut_parts(data, network.inputs)
    sample = sample_stats(train.images, network.inputs, dataset, root)
    seen, unseen = (_over(network, part) if errors and part is not None else None for part in (train, test))
    paths, reason = _paths(network)
    values = {
        bound.key: Value(None, reason=bound.refusals.get(settings.convention, f"{_NO_CHAIN} ({why})"))
        for bound in LITERATURE
    }
    if settings.convention in gonon.BOUND.formulas:
        values["gonon"] = _gonon(paths, reason, seen, sample, settings)
    return {
        "spec": _spec(network),
        "norms": {"path_l1": None if paths is None else float(paths.norm), "parameters": network.parameters},
        "bounds": {key: value_json(value) for key, value in values.items()},
        "theorem_s2": {"value": None, "reason": f"{_NO_CHAIN} ({why})"},
        "theorem_d": _theorem_d(network, train, test, settings, errors),
        "pac_bayes": _pac_bayes(network, train, settings, errors),
        **what_any_has(network.inputs, data, dataset, settings, sample, (seen, unseen), labels),
    }


def _over(network: Branched, data: Split) -> Outcome:
    """The network over a split, in float32."""
    net = copy.deepcopy(network.module()).float()
    inputs = feed(data.images.float(), network.inputs.normalize)
    return outcome(net, inputs, data.labels, workers=usable_cores())


def _paths(network: Branched) -> tuple[gonon.Paths | None, str]:
    """What Gonon's theorem sees of it, or None and why it does not apply."""
    try:
        with torch.no_grad():
            norm = path_norm(network.whole, network.inputs.in_shape)
    except ValueError as error:
        return None, str(error)
    found = depth(network.whole)
    return gonon.Paths(norm, found.layers, found.max_pools, math.prod(network.inputs.in_shape), network.biased), ""


def _gonon(
    paths: gonon.Paths | None, reason: str, seen: Outcome | None, sample: SampleStats, settings: Settings
) -> Value:
    if paths is None:
        return Value(None, reason=reason)
    if sample.n < 2 or sample.fed.frobenius == 0:
        return Value(None, reason="it assumes that the sample has at least 2 images, not all of them black")
    ramp = np.nan if seen is None else margin_errors(seen.margins, np.array([chosen_margin(settings)]))[0][0]
    return value_of(gonon.of_paths(paths, ramp, sample, settings))


def _theorem_d(network: Branched, train: Split, test: Split | None, settings: Settings, errors: bool) -> dict[str, Any]:
    if not errors or settings.convention != "strict":
        return {"value": None, "reason": D_LEFT_OUT}
    try:
        found = certify_coded(network, train, test).certificates
    except ValueError as error:
        return {"value": None, "reason": str(error)}
    return coded_json(found, settings.delta) or {"value": None, "reason": D_LEFT_OUT}


def _pac_bayes(network: Branched, train: Split, settings: Settings, errors: bool) -> dict[str, Any]:
    """A limit on the expected test error of the network under noise, its parts, and what was drawn."""
    if not errors or settings.convention != "strict":
        return {"value": None, "reason": D_LEFT_OUT}
    try:
        found = certify_branched(network, train)
    except ValueError as error:
        return {"value": None, "reason": str(error)}
    drawn = {"divergence": found.kl, "draws": found.draws, "wrong": found.wrong, "seed": found.seed}
    return dataclasses.asdict(found.parts(settings.delta)) | drawn


def _spec(network: Branched) -> dict[str, Any]:
    """What it is, operation by operation: name, where in the model, and which operations' results it takes (-1: the input)."""
    return {
        "kind": "graph",
        "model": network.name,
        **fed(network.inputs),
        "operations": [_operation(step.module, step.join, step.place, step.sources) for step in network.whole],
    }


def _operation(module: torch.nn.Module, join: str, place: str, sources: Sequence[int]) -> dict[str, Any]:
    does = [join] * bool(join) + [str(module).splitlines()[0].rstrip("(")] * (not isinstance(module, torch.nn.Identity))
    return {"does": ", ".join(does), "place": place, "of": list(sources)}
