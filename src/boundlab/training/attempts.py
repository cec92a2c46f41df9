"""Attempts at a run, or at several together: the state of all is one file, and each goes to its seal or to an end of its own."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from boundlab.data.splits import Split
from boundlab.errors import Diverged
from boundlab.networks.checkpoint import read_tensors, write_tensors
from boundlab.runs import stacks
from boundlab.runs.heartbeat import Interrupted
from boundlab.specs.run import RunSpec
from boundlab.training.failure import explain
from boundlab.training.hooks import Hooks, Record
from boundlab.training.loop import Training
from boundlab.training.session import STATE, Attempt, Session

_SAVE_EVERY = 20.0  # seconds; besides at epoch ends
_PARTS = (8, 1)  # images at a time, tried in turn where a whole minibatch does not fit into the GPU's memory
_UNUSABLE = (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError)
States = list[dict[str, Tensor]]


@dataclass(frozen=True)
class Team:
    """Runs that are trained together, or one alone. `attempts`: by place in `specs`; a place without one is computed and not
    recorded. `folder`: where the state of all is kept; of one alone its own folder."""

    specs: Sequence[RunSpec]
    attempts: dict[int, Attempt]
    folder: Path


def train_team(team: Team, data: Sequence[tuple[Split, Split]], device: str, started: float) -> None:
    """Train each to its seal; on a GPU whose memory is too small in smaller parts, at last on the CPU.

    `started`: when setting up began (time.monotonic). What ends early says so in its status and gives its lock back; Diverged
    and Interrupted are raised when that was the last one, with the states saved. Raises OSError.
    """
    train = team.specs[0].train
    # what loss "certificate_d" says of a minibatch is no mean over its parts
    tries = list(plans(device, train.batch_size, in_parts=train.loss != "certificate_d"))
    for place, part, note in tries:
        for attempt in team.attempts.values():
            attempt.beat.note = note
        try:
            _Trainer(team, data, place, part, started).run()
            return
        except torch.OutOfMemoryError:
            if (place, part) == tries[-1][:2]:
                raise
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def plans(device: str, batch: int, in_parts: bool = True) -> Iterator[tuple[str, int | None, str | None]]:
    """(device, images at a time or None for all, what to say of it), in the order in which they are tried."""
    yield device, None, None
    small = f"the GPU's memory is too small for batches of {batch}: going on"
    for part in (part for part in _PARTS if part < batch and in_parts):
        yield device, part, f"{small} " + (f"in parts of {part}" if part > 1 else "one image at a time")
    if device != "cpu":
        yield "cpu", None, "the GPU's memory is too small for this network: going on on the CPU"


class _Trainer:
    """A `Training` and the sessions of those of its members that are attempted."""

    def __init__(
        self, team: Team, data: Sequence[tuple[Split, Split]], device: str, part: int | None, started: float
    ) -> None:
        self.team, self.file = team, team.folder / STATE
        hooks = Hooks(self._watch, self._before_step, self._preview)
        self.training = Training(team.specs, data, device, part, hooks)
        self.training.left = set(range(len(team.specs))) - set(team.attempts)
        members, steps = self.training.members, self.training.schedule.steps
        self.sessions: dict[int, Session] = {
            place: Session(one, members[place].spec, members[place].sample, steps)
            for place, one in team.attempts.items()
        }
        self.seconds = 0.0  # trained in earlier attempts
        for session in self.sessions.values():
            session.open(self.training.rates.device)
        saved = self._resume()
        for attempt in team.attempts.values():
            attempt.beat.saved = saved
            attempt.beat.began = (time.time(), self.training.finished)
        self.begun = self.saved = time.monotonic()
        self.setup = self.begun - started

    def run(self) -> None:
        """Train to the end and seal."""
        training = self.training
        while not training.complete:
            for place, found in training.epoch():
                if isinstance(found, Diverged):
                    self._end(place, "failed", found)
                else:
                    self._record(place, found)
            if not training.schedule.errors_due(training.finished):
                for place, errors in training.part_errors().items():
                    self.sessions[place].part(errors)
            self._save()
        self._seal()

    def _preview(self, place: int, record: Record) -> None:
        self.sessions[place].preview(record)

    def _record(self, place: int, record: Record) -> None:
        self.sessions[place].record(record)
        if time.monotonic() - self.saved > _SAVE_EVERY:
            self._save()

    def _watch(self) -> None:
        """Let go who is asked to end; raises Interrupted when that was the last."""
        for place in self.training.present:
            try:
                self.team.attempts[place].watch()
            except Interrupted as end:
                self._end(place, end.state)
                if not self.training.present:
                    raise

    def _before_step(self, finished: int) -> None:
        for place in self.training.present:
            self.team.attempts[place].beat.step = finished

    def _end(self, place: int, state: str, error: Diverged | None = None) -> None:
        """A member leaves the others: what it needs to go on alone is in its folder, and its lock is given back."""
        attempt = self.team.attempts[place]
        if error is None:
            write_tensors(self.training.state(place) | self._clocks(), attempt.folder / STATE)
        self.training.left.add(place)
        stacks.leave(attempt.folder)
        attempt.beat.step = self.training.finished
        attempt.beat.end(state, explain(error, attempt.folder, attempt.beat.saved) if error else None)
        attempt.release()

    def _resume(self) -> float | None:
        """Go on from the saved state, or begin; returns the epochs trained, None when there was nothing usable."""
        for read in (partial(self._states, self.file), self._own_states):
            try:
                states, clocks = read()
                finished, due = int(states[0]["finished"]), bool(states[0]["due"])
                records = {
                    place: session.recorded(self.training.members[place].schedule, finished, due)
                    for place, session in self.sessions.items()
                }
                self.training.restore(states)
            except _UNUSABLE:
                continue
            self.seconds, self.training.evaluating = clocks
            break
        else:
            records, finished = {place: [] for place in self.sessions}, None
        for place, session in self.sessions.items():
            session.begin(records[place], self.training.finished)
        return None if finished is None else finished / self.training.schedule.steps_per_epoch

    def _states(self, file: Path) -> tuple[States, tuple[float, float]]:
        """Of all members, and the seconds trained and evaluating."""
        tensors = read_tensors(file)
        clocks = float(tensors.pop("seconds")), float(tensors.pop("evaluating"))
        if len(self.team.specs) == 1:
            return [tensors], clocks
        states: States = [{} for _ in self.team.specs]
        for name, tensor in tensors.items():
            place, key = name.split("/", 1)
            states[int(place)][key] = tensor
        return states, clocks

    def _own_states(self) -> tuple[States, tuple[float, float]]:
        """Of members that were trained alone, or left another stack, all at one step."""
        found = [read_tensors(self.team.attempts[place].folder / STATE) for place in range(len(self.team.specs))]
        return found, (float(found[0]["seconds"]), float(found[0]["evaluating"]))

    def _clocks(self) -> dict[str, Tensor]:
        spent = {"seconds": self._trained(), "evaluating": self.training.evaluating}
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in spent.items()}

    def _trained(self) -> float:
        return self.seconds + time.monotonic() - self.begun

    def _save(self) -> None:
        states = [self.training.state(place) for place in range(len(self.team.specs))]
        named = {f"{place}/{name}": tensor for place, state in enumerate(states) for name, tensor in state.items()}
        write_tensors((states[0] if len(states) == 1 else named) | self._clocks(), self.file)
        self.saved = time.monotonic()
        for place in self.training.present:
            beat = self.team.attempts[place].beat
            beat.step, beat.saved = (
                self.training.finished,
                self.training.finished / self.training.schedule.steps_per_epoch,
            )

    def _seal(self) -> None:
        training, seconds = self.training, self._trained()
        training.steps.settle()
        images = training.schedule.images * training.schedule.spec.train.epochs
        spent: dict[str, Any] = {
            "seconds": round(seconds, 1),
            "seconds_setup": round(self.setup, 3),
            "seconds_evaluating": round(training.evaluating, 3),
            "images_per_second": round(images / max(seconds, 1e-9)),
        }
        members = [spec.id for spec in self.team.specs]
        for place in training.present:
            together = stacks.place_in(stacks.stack_id(members), place, len(members)) if len(members) > 1 else {}
            network = training.members[place].checkpoint()
            self.sessions[place].seal(network, training.rates.device, spent | together)
            self.team.attempts[place].release()
