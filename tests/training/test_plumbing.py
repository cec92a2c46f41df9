"""What lies between the formulas: steps, their order, clipping, whose error is whose. Each against an obvious way."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from boundlab.data.splits import Split, apply_task
from boundlab.networks.build import weights
from boundlab.specs.run import RunSpec
from boundlab.training.loop import Training
from boundlab.training.schedule import Schedule

SPEC = {"dataset": "digits", "weight_decay": 3e-3, "epochs": 2, "arch": {"channels": 4, "conv_layers": 2}}
# steps 25 and 50, in torch 2.13 on a CPU, at commit 75ec1a0 and since
GOLDEN_LOSS, GOLDEN_NORMS = (0.1840745806, 0.0798929557), (2.2693629890, 2.7908708825, 3.0851188596)


def trained(spec: RunSpec, data: tuple[Split, Split]) -> tuple[Training, list[dict]]:
    torch.set_num_threads(1)
    training, records = Training([spec], [data]), []
    while not training.complete:
        records += [record for _, record in training.epoch()]
    return training, records


def numbered(n: int) -> Split:
    """Images that say which they are: the first pixel of image i is i / n."""
    images = torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    images[:, 0, 0, 0] = torch.arange(n) / n
    return Split(images, torch.arange(n) % 10)


def by_hand(spec: RunSpec, data: tuple[Split, Split], steps: int) -> tuple[list[float], list[torch.Tensor]]:
    """Losses and weights after `steps` steps: SGD with momentum, warm-up, decay and clipping, written out."""
    start = Training([spec], [data]).members[0]
    net, images, labels, train = start.net, start.train.images, start.train.labels, spec.train
    speed, losses = [torch.zeros_like(p) for p in net.parameters()], []
    per_epoch = -(-len(labels) // train.batch_size)
    for step in range(steps):
        epoch, place = divmod(step, per_epoch)
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(train.seed * 100_003 + epoch))
        batch = order[place * train.batch_size : (place + 1) * train.batch_size]
        target = torch.nn.functional.one_hot(labels[batch], 10).float()
        loss = ((net(images[batch]) - target) ** 2).mean()
        grads = torch.autograd.grad(loss, list(net.parameters()))
        scale = min(1.0, 1.0 / (float(torch.sqrt(sum((g**2).sum() for g in grads))) + 1e-6))
        with torch.no_grad():
            for p, v, g in zip(net.parameters(), speed, grads, strict=True):
                v.mul_(train.momentum).add_(g * scale + train.weight_decay * p)
                p -= start.rate(step) * v
        losses.append(float(loss.detach()))
    return losses, weights(net)


def test_fifty_steps_are_those_written_out_and_those_they_always_were(monkeypatch):
    monkeypatch.setattr(Schedule, "record_due", lambda schedule, step: step % 25 == 0)
    spec = RunSpec.from_dict(SPEC)
    data = apply_task(spec.train)
    losses, at_50 = by_hand(spec, data, 50)
    torch.set_num_threads(1)
    training = Training([spec], [data])
    records = [record for _ in range(2) for _, record in training.epoch() if record["step"] <= 50]
    assert [record["step"] for record in records] == [0, 25, 50]
    assert records[1]["loss"] == pytest.approx(np.mean(losses[:25]), rel=1e-4)
    assert records[2]["loss"] == pytest.approx(np.mean(losses[45:50]), rel=1e-4)  # of this epoch's steps alone
    for i, weight in enumerate(at_50):
        assert records[2][f"layers.{i}.frobenius"] == pytest.approx(float(weight.norm()), rel=1e-5)
    assert [record["loss"] for record in records[1:]] == pytest.approx(GOLDEN_LOSS, rel=1e-3)
    assert [records[2][f"layers.{i}.frobenius"] for i in range(3)] == pytest.approx(GOLDEN_NORMS, rel=1e-3)


def test_epochs_are_different_permutations_of_all_images():
    spec = RunSpec.from_dict({**SPEC, "n_train": None})
    training, seen = Training([spec], [(numbered(1437), numbered(360))]), []

    step = training.step

    def look(images, labels, rates):
        seen.append((images[:, 0, 0, 0] * 1437).round().int().tolist())
        return step(images, labels, rates)

    training.step = look
    orders = []
    for _ in range(2):
        list(training.epoch())
        orders.append([image for batch in seen for image in batch])
        seen.clear()
    for order in orders:
        assert sorted(order) == list(range(1437))
        assert order != sorted(order)
    assert orders[0] != orders[1]


@pytest.mark.parametrize(("scale", "clipped"), [(1e3, True), (1e-3, False)])
def test_a_large_gradient_is_clipped_to_norm_one(scale, clipped):
    """One step from rest without decay moves the weights by rate x gradient, whose norm is 1 at most."""
    spec = RunSpec.from_dict({**SPEC, "weight_decay": 0.0, "n_train": 500, "batch_size": 500, "epochs": 1})
    training = Training([spec], [apply_task(spec.train)])
    member = training.members[0]
    with torch.no_grad():
        member.net[-1].weight *= scale
    before = [p.detach().clone() for p in member.net.parameters()]
    list(training.epoch())
    assert training.finished == 1
    moved = torch.sqrt(sum(((p.detach() - b) ** 2).sum() for p, b in zip(member.net.parameters(), before, strict=True)))
    gradient = float(moved) / member.rate(0)
    assert gradient == pytest.approx(1.0, rel=1e-3) if clipped else gradient < 0.9


def test_a_record_s_errors_are_each_of_its_own_images():
    spec = RunSpec.from_dict({**SPEC, "epochs": 10})
    train, test = apply_task(spec.train)
    other = Split(test.images, (test.labels + 1) % 10)  # no network that learns the train labels is right on these
    training, records = trained(spec, (train, other))
    member = training.members[0]
    with torch.no_grad():
        wrong = [
            float((member.net(split.images).argmax(1) != split.labels).double().mean())
            for split in (member.train, member.test)
        ]
    last = records[-1]
    assert [last["train_error"], last["test_error"]] == pytest.approx(wrong)
    assert last["train_error"] < 0.5 < last["test_error"]
    assert last["train_loss"] < last["test_loss"]
