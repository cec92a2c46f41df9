"""Against torch.optim.SGD and clip_grad_norm_, network by network, in float64 and in float32 (which has a kernel of its own)."""

import pytest
import torch

from boundlab.specs.run import RunSpec
from boundlab.training.sgd import Sgd

SHAPES = {"g": (), "v": (4, 3, 2, 2), "bias": (4,)}


def specs(members):
    given = [{"dataset": "digits", "weight_decay": 0.01 * (i + 1), "lr": 0.1 / (i + 1)} for i in range(members)]
    return [RunSpec.from_dict(one).train for one in given]


@pytest.mark.parametrize(("kind", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("clip_norm", [None, 1.0])
@pytest.mark.parametrize("members", [1, 3])
def test_steps_are_those_of_torch(members, clip_norm, kind, tolerance):
    generator = torch.Generator().manual_seed(0)

    def random(scale):
        return {n: scale * torch.randn(members, *s, generator=generator, dtype=kind) for n, s in SHAPES.items()}

    train, rows = specs(members), random(1.0)
    alone = [[torch.nn.Parameter(rows[name][place].clone()) for name in SHAPES] for place in range(members)]
    theirs = [
        torch.optim.SGD(parameters, lr=one.lr, momentum=one.momentum, weight_decay=one.weight_decay)
        for parameters, one in zip(alone, train, strict=True)
    ]
    sgd = Sgd(rows, train, clip_norm)
    for scale in (10.0, 0.01, 1.0):  # clipped, not clipped, clipped
        gradients = random(scale)
        for place, optimiser in enumerate(theirs):
            for parameter, name in zip(alone[place], SHAPES, strict=True):
                parameter.grad = gradients[name][place].clone()
            if clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(alone[place], clip_norm)
            optimiser.step()
        sgd.step(list(gradients.values()), torch.tensor([one.lr for one in train], dtype=kind))
    for place, parameters in enumerate(alone):
        for parameter, name in zip(parameters, SHAPES, strict=True):
            torch.testing.assert_close(rows[name][place], parameter.detach(), rtol=tolerance, atol=tolerance)
