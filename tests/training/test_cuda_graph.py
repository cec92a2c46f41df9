"""The captured step against the plain one. CUDA graphs need a GPU: here a capture that, like theirs, records without
running stands in; on a machine with a GPU the last test takes the real one."""

import pytest
import torch

from boundlab.data.splits import apply_task
from boundlab.specs.run import RunSpec
from boundlab.training.cuda_graph import WARM_UP, CapturedStep
from boundlab.training.hooks import Hooks
from boundlab.training.loop import Training

SPEC = {"dataset": "digits", "epochs": 2, "weight_decay": 1e-3, "arch": {"channels": 3, "conv_layers": 2}}


def recorded(captures):
    """A stand-in for `cuda_graph`: nothing runs before the replay, and the result is always the same tensor."""

    def capture(work):
        captures.append(work)
        result = torch.zeros(1)
        return lambda: result.copy_(work()), result

    return capture


def trained(spec, captures=None):
    hooks = Hooks() if captures is None else Hooks(run_step=lambda plain: CapturedStep(plain, recorded(captures)))
    training = Training([spec], [apply_task(spec.train)], hooks=hooks)
    records = [record for _ in range(spec.train.epochs) for _, record in training.epoch()]
    return training, records


def test_a_captured_training_is_the_plain_one_exactly():
    spec = RunSpec.from_dict(SPEC | {"preset": "paper"})
    captures = []
    plain, expected = trained(spec)
    captured, got = trained(spec, captures)
    assert got == expected
    for name, tensor in plain.state(0).items():
        assert torch.equal(tensor, captured.state(0)[name])
    assert len(captures) == 1  # 1437 = 44 x 32 + 29: the last batch ran eagerly


def test_learning_rates_change_within_one_capture():
    """Every step of the warm-up has a rate of its own, and there are two drops."""
    captures = []
    spec = RunSpec.from_dict(SPEC | {"preset": "short", "epochs": 4})
    _, expected = trained(spec)
    training, got = trained(spec, captures)
    assert len({training.members[0].rate(step) for step in range(4 * 45)}) > 100
    assert len(captures) == 1
    assert got == expected


def test_the_first_steps_run_eagerly():
    calls = []

    def eager(images, labels, rate):
        calls.append(rate)
        return images.sum()

    captures = []
    step = CapturedStep(eager, recorded(captures))
    rates = torch.tensor([0.1])
    losses = [float(step(torch.full((2,), float(i)), torch.zeros(2), rates)) for i in range(WARM_UP + 3)]
    assert losses == [2.0 * i for i in range(WARM_UP + 3)]
    assert len(captures) == 1
    assert len(calls) == WARM_UP + 3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine: the CUDA graph itself is not run")
def test_a_cuda_graph_trains_like_eager_steps():
    spec = RunSpec.from_dict(SPEC | {"preset": "paper"})
    eager = Training([spec], [apply_task(spec.train)], "cuda", hooks=Hooks(run_step=lambda plain: plain))
    graphed = Training([spec], [apply_task(spec.train)], "cuda")
    for training in (eager, graphed):
        for _ in range(spec.train.epochs):
            list(training.epoch())
    for name, tensor in eager.state(0).items():
        torch.testing.assert_close(graphed.state(0)[name], tensor, rtol=1e-3, atol=1e-5)
