"""The report of a model that no bound here is about: its errors and what a test promises; and what every report says of its data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boundlab.analysis.conditions import conditions
from boundlab.bounds import LITERATURE
from boundlab.bounds.base import effective_n
from boundlab.data.inspection import repeated
from boundlab.data.splits import Split, cut_window
from boundlab.evaluation.report_parts import hold_out_json, sample_json
from boundlab.networks.outcome import Outcome, outcome
from boundlab.networks.predictor import Predictor
from boundlab.networks.sample_stats import feed, sample_stats
from boundlab.quantities.doubts import doubts
from boundlab.quantities.sample import SampleStats
from boundlab.specs.arch import ArchSpec
from boundlab.specs.run import Labels
from boundlab.specs.settings import Settings

_Data = tuple[Split, Split | None]
_ABOUT = "it is about feed-forward ReLU networks"


def report_on_predictor(
    model: Predictor,
    data: _Data,
    dataset: str,
    settings: Settings,
    why: str,
    errors: bool = True,
    root: str | Path | None = None,
    labels: Labels | None = None,
) -> dict[str, Any]:
    """As `report.report`: errors and the hold-out limit, which hold for any predictor; every bound says that it does not apply, and
    `why` the model is nothing that it is about."""
    train, test = cut_parts(data, model.inputs)
    seen, unseen = (_over(model, part) if errors and part is not None else None for part in (train, test))
    sample = sample_stats(train.images, model.inputs, dataset, root)
    refused = {"value": None, "reason": f"{_ABOUT} ({why})"}
    spec = {"kind": "predictor", "model": model.name, **fed(model.inputs)}
    return {
        "spec": spec,
        "norms": {"path_l1": None, "parameters": model.parameters},
        "bounds": {bound.key: dict(refused) for bound in LITERATURE},
        **{key: dict(refused) for key in ("theorem_s2", "theorem_d", "pac_bayes")},
        **what_any_has(model.inputs, data, dataset, settings, sample, (seen, unseen), labels),
    }


def what_any_has(
    inputs: ArchSpec,
    data: _Data,
    dataset: str,
    settings: Settings,
    sample: SampleStats,
    found: tuple[Outcome | None, Outcome | None],
    labels: Labels | None,
) -> dict[str, Any]:
    """What a report says whatever the network: sample, errors, hold-out limit, doubts. `found`: what came out over (train, test),
    None where that was left out."""
    train, test = cut_parts(data, inputs)
    copies = repeated(train.images.numpy(), train.labels.numpy(), None if test is None else test.images.numpy())
    record = {"image_shape": list(data[0].images.shape[1:]), **copies}
    seen, unseen = (None if one is None else one.error for one in found)
    return {
        "dataset": dataset,
        "n": effective_n(sample, settings),
        "delta": settings.delta,
        "convention": settings.convention,
        "sample": sample_json(sample, inputs.shapes(), record),
        "hold_out": hold_out_json(unseen, test, settings.delta),
        "errors": {"train": seen, "test": unseen},
        "warnings": doubts(record, inputs.in_shape),
        "conditions": conditions(dataset, inputs, labels),
    }


def cut_parts(data: _Data, inputs: ArchSpec) -> _Data:
    """The middle of the images that the network takes."""
    train, test = data
    return cut_window(train, inputs.in_shape), None if test is None else cut_window(test, inputs.in_shape)


def fed(inputs: ArchSpec) -> dict[str, Any]:
    """What goes in and comes out, as a spec says it."""
    normalize = None if inputs.normalize is None else list(inputs.normalize)
    return {"in_shape": list(inputs.in_shape), "classes": inputs.classes, "normalize": normalize}


def _over(model: Predictor, data: Split) -> Outcome:
    """One thread: a stranger's module may keep something from call to call."""
    return outcome(model.network, feed(data.images.float(), model.inputs.normalize), data.labels)
