"""What the live view says about a run: what it is, how far it is, what to notice; computed from its records."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from boundlab.analysis.tables import AXES
from boundlab.bounds.base import effective_n
from boundlab.charts.theme import lead
from boundlab.runs.part_errors import PartErrors
from boundlab.runs.run import Run
from boundlab.specs.own_data import DATASETS
from boundlab.specs.presets import errors_every
from boundlab.specs.recipes import asked, described
from boundlab.specs.run import PLATEAU, RunSpec
from boundlab.specs.settings import Settings
from boundlab.text import decimals, format_epoch, readable, times
from boundlab.words import notices

_WINDOW = 0.2  # the share of the epochs so far over which a bound must stand still
_STILL = 0.05
_FEW = 5  # records within the window, else it is too early to say
_WHAT = {  # field of TrainSpec -> words; in what two runs may have been trained differently
    "epochs": "{} epochs",
    "preset": "recipe {}",
    "lr": "learning rate {:g}",
    "momentum": "momentum {:g}",
    "batch_size": "batches of {}",
    "loss": "loss {}",
    "label_noise": "label noise {:g}",
    "certificate_weight": "weight {:g} of the complexity",
}


def run_title(spec: RunSpec) -> str:
    """A run in a list of choices: architecture, λ and what is not the default."""
    task = f", {len(spec.train.labels)} classes" if spec.train.labels else ""
    recipe = "" if spec.train.preset == "short" else f", {spec.train.preset}"
    return f"{spec.arch.title}, {asked(spec)}{recipe}{task}, seed {spec.train.seed}"


def what_is_trained(specs: Sequence[RunSpec]) -> str:
    """What pressing the button trains, in a line: what all runs share, and the values in which they differ."""
    parts = [described(spec)[:-1] for spec in specs]
    shared = [part for part in parts[0] if all(part in other for other in parts)]
    differing = list(dict.fromkeys(part for other in parts for part in other if part not in shared))
    epochs = f"{specs[0].train.epochs} epochs"
    told = any(epochs in part for part in parts[0])
    return " · ".join([*shared, *([" / ".join(differing)] if differing else []), *([] if told else [epochs])])


def live_caption(run: Run, settings: Settings) -> str:
    """The caption: what the run is, sample size, delta, convention, how far it is."""
    train = run.spec.train
    n, own = effective_n(run.sample, settings), run.sample.n
    parts = [
        *described(run.spec),
        "train error and margins count the noisy labels, the test labels are clean" if train.label_noise else "",
        f"n = {own:,}" if n == own else f"n = {n:,.0f} in the bounds, {own:,} in their sums",
        f"δ = {settings.delta:g}",
        settings.convention,
        f"epoch {format_epoch(run.records['epoch'].iloc[-1])} of {train.epochs}",
        run.state if run.state in ("failed", "paused", "stopped") else "",
    ]
    return " · ".join(filter(None, parts))


def compared(run: Run, other: Run) -> str:
    """What the dashed lines are, and how that run was trained differently."""
    mine, theirs = run.spec.train, other.spec.train
    differences = [
        f"{words.format(getattr(theirs, field))} (here {words.format(getattr(mine, field))})"
        for field, words in _WHAT.items()
        if getattr(mine, field) != getattr(theirs, field) and field not in (*mine.unknown, *theirs.unknown)
    ]
    if run.sample.n != other.sample.n:
        differences.append(f"{other.sample.n:,} images (here {run.sample.n:,})")
    if other.spec.arch != run.spec.arch:
        differences.insert(0, f"another network, {other.spec.arch.title} (here {run.spec.arch.title})")
    how = f"trained differently: {', '.join(differences)}" if differences else "trained in the same way"
    return f"Dashed: the shipped run {run_title(other.spec)}, {how}."


def errors_sentence(run: Run, parts: Sequence[PartErrors]) -> str:
    """The newest errors, of which epoch and of how many images they are, and a warning while the network could as well be
    guessing; `parts`: what was measured of a part of the images between the records."""
    if (newest := newest_errors(run, parts)) is None:
        return ""
    words = (
        f"At epoch {format_epoch(newest.epoch)}: train error {readable(newest.train_error, 'train_error')} of "
        f"{newest.train_images:,} training images, test error {readable(newest.test_error, 'test_error')} of "
        f"{newest.test_images:,} test images"
    )
    if newest in parts:
        train = run.spec.train
        every = errors_every(train.preset, DATASETS[train.dataset].errors_every)
        words += f" (the same part at every epoch; all are measured every {every} epochs)"
    if run.beats_chance(newest.train_error):
        return f"{words}."
    return (
        f"{words}. **It has not learnt yet**: that train error is more than half of what guessing gives; a small bound means "
        "nothing yet."
    )


def newest_errors(run: Run, parts: Sequence[PartErrors]) -> PartErrors | None:
    """The last record's errors of all images, or of a part where that is newer; None before any was measured."""
    if run.epochs.empty:
        return parts[-1] if parts else None
    train, last = run.spec.train, run.final
    if parts and parts[-1].step > last["step"]:
        return parts[-1]
    test_images = DATASETS[train.dataset].test_images(train.labels)
    errors = {"train_error": float(last["train_error"]), "test_error": float(last["test_error"])}
    return PartErrors(
        int(last["step"]), float(last["epoch"]), train_images=run.sample.n, test_images=test_images, **errors
    )


def bounds_notice(curves: pd.DataFrame, run: Run, settings: Settings) -> str:
    """How far the sparse bound has come, and whether it has levelled off; `curves`: `curves.by_axis` rows of the run."""
    first = lead(curves["series"])
    sparse, who = curves[curves["series"] == first], notices.called(curves["series"], settings.convention)
    if sparse.empty:
        return "There is no sparse bound to show yet."
    if len(sparse) == 1:
        return f"One point so far: {who} is {readable(sparse['mean'].iloc[0])}. The lines grow from here."
    newest = curves["epoch"].max()
    now = curves.assign(as_of=curves["as_of"].where(curves["epoch"] == newest))  # when what is shown last was measured
    if (now["series"] == "test_error").any():
        return f"{notices.notice(now, AXES['epoch'], settings)} {levelling(sparse, run, who)}"
    return f"{who[:1].upper()}{who[1:]} went from {readable(sparse['mean'].iloc[0])} to {readable(sparse['mean'].iloc[-1])}."


def levelling(sparse: pd.DataFrame, run: Run, who: str = "the sparse bound") -> str:
    """Whether the sparse bound stood still over the last fifth of the epochs so far."""
    newest = float(sparse["epoch"].iloc[-1])
    start = (1 - _WINDOW) * newest
    recent = sparse[sparse["epoch"] >= start - 1e-9]["mean"]
    if len(recent) < _FEW:
        return f"It is too early to say whether {who} has levelled off."
    moved, who = float(recent.max() / recent.min() - 1), who[:1].upper() + who[1:]
    if not math.isfinite(moved) or moved >= _STILL:
        return f"{who} has **not levelled off** yet: since epoch {format_epoch(start)} it moved by {100 * moved:.0f} %."
    words = f"{who} has **levelled off**: since epoch {format_epoch(start)} it moved by {decimals(100 * moved, 1)} %."
    if not run.at_plateau:
        words += (
            f" But the plateau number is {run.plateau_number:.1f}, below {PLATEAU:g}: it stands still because the learning "
            "rate fell, or will; the norms could come down further."
        )
    return words


def against(curves: pd.DataFrame, other: pd.DataFrame) -> str:
    """The compared run's sparse bound at the epoch reached."""
    mine, theirs = (table[table["series"] == lead(table["series"])] for table in (curves, other))
    if mine.empty or theirs.empty:
        return ""
    epoch, there = mine["epoch"].iloc[-1], theirs[theirs["epoch"] <= mine["epoch"].iloc[-1]]
    if there.empty or epoch > theirs["epoch"].iloc[-1]:
        return f"The compared run ended at {readable(theirs['mean'].iloc[-1])}."
    return f"At this epoch the compared run stood at {readable(there['mean'].iloc[-1])}."


def loss_notice(run: Run, drops: list[float]) -> str:
    """How the loss went, where the learning rate falls, and what the plateau number is."""
    known, train = run.records.dropna(subset=["loss"]), run.spec.train
    loss, at = known["loss"], [format_epoch(epoch) for epoch in known["epoch"].iloc[[0, -1]]] if len(known) else []
    words = []
    if len(loss) > 1:
        what = "The squared error on the training images" if run.spec.watched else "The mean loss of the minibatches"
        words.append(
            f"{what} went from {readable(loss.iloc[0])} (epoch {at[0]}) to {readable(loss.iloc[-1])} (epoch {at[-1]})."
        )
    newest = float(run.records["epoch"].iloc[-1])
    left = [format_epoch(at) for at in drops if at > newest]
    if drops:
        words.append(
            f"The learning rate falls at epoch {left[0]} next." if left else "The learning rate has fallen for good."
        )
    if train.loss != "mse" or run.spec.watched:
        return " ".join(words)
    enough = f"at least {PLATEAU:g}, enough" if run.at_plateau else f"less than {PLATEAU:g}: too few"
    return " ".join(words) + (
        f" **Plateau number {run.plateau_number:.1f}** (steps before the first fall × lr / (1 − momentum) × λ): {enough} for "
        "weight decay to bring the norms down as far as they will come (an empirical rule)."
    )


def layers_notice(table: pd.DataFrame) -> str:
    """How rho went and which layer moved most; `table`: `tables.layers_table`."""
    first, last = table.iloc[0], table.iloc[-1]
    if len(table) == 1:
        return f"ρ, the product of the layers' norms, is {readable(last['rho'])}; the sparse bound grows in proportion to ρ + 1."
    ratios = (last / first).drop(["epoch", "rho"])
    moved = str(ratios.map(lambda ratio: abs(math.log(max(ratio, 1e-300)))).idxmax())
    return (
        f"From epoch {format_epoch(first['epoch'])} to {format_epoch(last['epoch'])} ρ, the product of the layers' norms, went from "
        f"{readable(first['rho'])} to {readable(last['rho'])} "
        f"({_factor(last['rho'] / first['rho'])}). The layer that moved most is {moved}: {readable(first[moved])} to "
        f"{readable(last[moved])}."
    )


def _factor(ratio: float) -> str:
    if not (math.isfinite(ratio) and ratio > 0):
        return "no factor"
    return f"down by a factor of {times(1 / ratio)}" if ratio < 1 else f"up by a factor of {times(ratio)}"


def margins_notice(table: pd.DataFrame, run: Run) -> str:
    """Where half of the margins are; `table`: `margin_tradeoff.over_epochs`."""
    last = table.iloc[-1]
    wrong = readable(float(run.final["train_error"]), "train_error")
    return (
        f"At epoch {format_epoch(last['epoch'])} half of the training images have a margin above {decimals(last['q50'], 2)}, 95 % above "
        f"{decimals(last['q5'], 2)}; {wrong} are classified wrongly. Theorem S trades margin against complexity: at the same norms, "
        "larger margins mean a smaller bound."
    )
