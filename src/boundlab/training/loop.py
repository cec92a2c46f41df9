"""Train one network, or several of one architecture together, and yield their records. Deterministic on one machine."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from boundlab.data.splits import Split
from boundlab.errors import Diverged
from boundlab.networks.measure import norm_columns_of_many, references_of_many
from boundlab.networks.outcome import BATCH, Outcome, outcome
from boundlab.networks.outcomes import outcomes_of_many
from boundlab.networks.stacked import StackedNetworks
from boundlab.runs.part_errors import PartErrors
from boundlab.specs.run import RunSpec
from boundlab.training.batches import Batches
from boundlab.training.cuda_graph import CapturedStep, Step
from boundlab.training.hooks import Hooks, Record
from boundlab.training.member import Member, feed_all
from boundlab.training.steps import Steps

Recorded = tuple[int, Record | Diverged]  # of which member; why it has no record any more


class Training:
    """Runs in progress that share architecture and recipe: each its own minibatches, weight decay, learning rate, labels.

    `epoch()` trains to an epoch's end; `state()` is all that a member needs to go on from there, alone or with others.
    A member that diverges or has left is computed on but not recorded: the others stay what they were, to the last digit.
    `part`: images whose maps are in memory at once, None for a whole minibatch; the steps are the same up to rounding.
    """

    def __init__(
        self,
        specs: Sequence[RunSpec],
        data: Sequence[tuple[Split, Split]],
        device: str = "cpu",
        part: int | None = None,
        hooks: Hooks = Hooks(),  # noqa: B008  # frozen
    ) -> None:
        self.hooks, self.part = hooks, part
        fed = feed_all(specs, data, device)
        self.members = [Member(spec, one) for spec, one in zip(specs, fed, strict=True)]
        self.schedule = self.members[0].schedule
        self.networks = StackedNetworks([member.net for member in self.members], self.members[0].shapes)
        start = zip(*(member.init for member in self.members), strict=True)
        self.references = references_of_many([torch.stack(layers) for layers in start], self.networks.shapes)
        self.batches = Batches([member.train for member in self.members], [spec.train.seed for spec in specs])
        self.steps = Steps(self.networks, specs, [one.sample for one in fed], part)
        self.rates = next(iter(self.networks.parameters.values())).new_tensor([spec.train.lr for spec in specs])
        self.evaluating = 0.0  # seconds spent on records
        self.left: set[int] = set()  # members that are no longer recorded
        self.finished = 0  # steps
        self.losses: list[Tensor] = []  # (members,) of this epoch's steps since its last record
        self.due = True  # whether the record of step `finished` is still to be made
        # a capture keeps memory of its own, and no step that looks at its numbers can be captured
        captured = self.rates.device.type == "cuda" and part is None and not self.steps.loss.rounds
        run_step = hooks.run_step or (CapturedStep if captured else lambda plain: plain)
        self.step: Step = run_step(self.steps.step)

    @property
    def complete(self) -> bool:
        """Whether every step is done and recorded."""
        return self.finished == self.schedule.steps and not self.due

    @property
    def present(self) -> list[int]:
        """The places of the members that are still recorded."""
        return [place for place in range(len(self.members)) if place not in self.left]

    def leave(self, place: int) -> None:
        """Record this member no more."""
        self.left.add(place)

    def epoch(self) -> Iterator[Recorded]:
        """Make the records that are due, if they are, then train to the end of the epoch; yields (place, record).

        In place of the record of a member that diverged comes why, and it has left; when nobody is there any more, that is raised
        too.
        """
        if self.due:
            yield from self._all(self._recorded())
        if self.finished == self.schedule.steps:
            return
        epoch, begun = divmod(self.finished, self.schedule.steps_per_epoch)
        if not begun:
            self.losses = []
        for rows in self.batches.order(epoch).split(self.members[0].spec.train.batch_size)[begun:]:
            self.hooks.watch()
            self.steps.loss.at(self.finished / self.schedule.steps)
            images, labels = self.batches.take(rows)
            self.hooks.before_step(self.finished)
            self.losses.append(self.step(images, labels, self.rates * self.schedule.factor(self.finished)))
            self.finished += 1
            self.due = self.schedule.record_due(self.finished)
            if self.due:
                yield from self._all(self._recorded())
        yield from self._all(list(self._unsound().items()))

    def _all(self, found: list[Recorded]) -> Iterator[Recorded]:
        yield from found
        errors = [error for _, error in found if isinstance(error, Diverged)]
        if errors and not self.present:
            raise errors[-1]

    def part_errors(self) -> dict[int, PartErrors]:
        """Of every member that is present: its errors now, on a part of its images."""
        with self._evaluating():
            parts = [member.parts for member in self.members]
            train, test = (self._outcomes([part[which] for part in parts]) for which in (0, 1))
        epoch = self.finished / self.schedule.steps_per_epoch
        return {
            place: PartErrors(self.finished, epoch, train[place].error, sizes[0], test[place].error, sizes[1])
            for place, sizes in enumerate([len(split.labels) for split in part] for part in parts)
            if place in self.present
        }

    def _outcomes(self, splits: Sequence[Split], patches: bool = False) -> list[Outcome]:
        images, labels = ([getattr(split, name) for split in splits] for name in ("images", "labels"))
        if len({len(one) for one in labels}) > 1:  # the test images of sub-tasks
            most = min(self.part or BATCH, BATCH)
            alone = zip(self.members, splits, strict=True)
            return [outcome(m.net, s.images, s.labels, patches, most, self.hooks.watch) for m, s in alone]
        return outcomes_of_many(self.networks, images, labels, patches, self.part, self.hooks.watch)

    def _recorded(self) -> list[Recorded]:
        """Records of this step; it is `due` until all are made."""
        with self._evaluating():
            wrong, norms = self._unsound(), dict[int, Record]()
            columns = self._norms() if self.present else []
            for place in self.present:
                try:
                    norms[place] = self._record(place, columns[place])
                except Diverged as error:
                    self.left.add(place)
                    wrong[place] = error
            if self.finished == 0:
                for place, record in norms.items():
                    self.hooks.preview(place, record)
            records = (
                self._with_errors(norms, wrong) if self.schedule.errors_due(self.finished) else list(norms.items())
            )
        self.losses, self.due = [], False
        return records + list(wrong.items())

    def _norms(self) -> list[Record]:
        """Of all members, also of those that have left: what the others' are, to the last digit, may depend on who is there."""
        weights = self.networks.weights(self.networks.parameters)
        biases = self.networks.biases(self.networks.parameters)
        return norm_columns_of_many(weights, biases, self.references, self.networks.shapes)

    def _record(self, place: int, norms: Record) -> Record:
        """Norms now, and the mean minibatch loss since this epoch's last record. Raises Diverged."""
        self.members[place].check_norms(norms, self.finished)
        loss = float(torch.stack(self.losses)[:, place].mean()) if self.losses else None
        epoch = self.finished / self.schedule.steps_per_epoch
        return {"step": self.finished, "epoch": epoch, "loss": loss, **norms}

    def _with_errors(self, records: dict[int, Record], wrong: dict[int, Diverged]) -> list[Recorded]:
        """The records with errors and margins; of what diverges meanwhile why, into `wrong`."""
        if not records:
            return []
        train = self._outcomes([member.train for member in self.members], True)
        test = self._outcomes([member.test for member in self.members])
        found: list[Recorded] = []
        for place, record in records.items():
            if place in self.left:
                continue
            try:
                found.append((place, record | self.members[place].columns(train[place], test[place], self.finished)))
            except Diverged as error:
                self.left.add(place)
                wrong[place] = error
        return found

    def _unsound(self) -> dict[int, Diverged]:
        """Members whose losses since the last record, or whose weights, are not finite."""
        losses = torch.stack(self.losses).T if self.losses else None
        wrong = {}
        for place in self.present:
            try:
                if losses is not None:
                    self.members[place].check_losses(losses[place], self.finished)
                self.members[place].check_weights(self.finished)
            except Diverged as error:
                wrong[place] = error
        self.left |= set(wrong)
        return wrong

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        started = time.monotonic()
        try:
            with self.steps.kept_weights():
                yield
        finally:
            self.evaluating += time.monotonic() - started

    def state(self, place: int) -> dict[str, Tensor]:
        """Tensors from which `restore` continues exactly: a member's parameters and momentum, position, losses not yet
        averaged."""
        kept = [("param", self.steps.trained), ("momentum", self.steps.sgd.speed)]
        state = {f"{kind}.{k}": rows[place].detach().cpu().clone() for kind, all_ in kept for k, rows in all_.items()}
        losses = torch.stack(self.losses)[:, place].cpu() if self.losses else torch.zeros(0)
        return state | {
            "finished": torch.tensor(self.finished),
            "due": torch.tensor(self.due),
            "losses": losses.clone(),
        }

    def restore(self, states: Sequence[dict[str, Tensor]]) -> None:
        """Continue from a `state()` per member, all at the same step; raises KeyError or ValueError when one is of another
        network or step."""
        first = states[0]
        for place, state in enumerate(states):
            for name in ("finished", "due"):
                if not torch.equal(state[name], first[name]):
                    raise ValueError(f"the states are of different steps: {name} is {state[name]} and {first[name]}")
            if len(state["losses"]) != len(first["losses"]):
                raise ValueError("the states have different numbers of losses")
            for name, rows in self.networks.parameters.items():
                if state[f"param.{name}"].shape != rows[place].shape:
                    raise ValueError(f"the state's {name} has another shape than the network's")
        for place, state in enumerate(states):
            for name, rows in self.networks.parameters.items():
                rows[place] = state[f"param.{name}"]
                self.steps.sgd.speed[name][place] = state.get(f"momentum.{name}", torch.zeros(()))
        losses = torch.stack([state["losses"] for state in states], dim=1).to(self.rates)
        self.finished, self.due, self.losses = int(first["finished"]), bool(first["due"]), list(losses.unbind())


def epochs(spec: RunSpec, data: tuple[Split, Split], device: str = "cpu") -> Iterator[Record]:
    """Train `spec` on (train, test) of pixels in [0, 1]; yield records: before training, every `record_every` steps,
    and at epoch ends with errors and margins. Raises Diverged when loss, weights or what is measured are no longer finite."""
    training = Training([spec], [data], device)
    while not training.complete:
        for _, found in training.epoch():
            if not isinstance(found, Diverged):  # else it is raised next
                yield found
