"""The code that people copy: run as they would run it, read back by `checkpoints.load`."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from boundlab.checkpoints.snippet import EXPORT_SNIPPET, SPEC_TEMPLATE
from boundlab.networks.checkpoint import load_checkpoint
from boundlab.specs.arch import ArchSpec

MODELS = {
    "conv": "Sequential(Conv2d(1, 4, 2), ReLU(), Conv2d(4, 3, 3, padding=1), ReLU(), Flatten(), Linear(147, 10))",
    "mlp": "Sequential(Flatten(), Linear(64, 7), ReLU(), Dropout(0.5), Linear(7, 5), ReLU(), Linear(5, 10))",
    "linear": "Sequential(Flatten(), Linear(64, 10, bias=False))",
    "pooled": "Sequential(Sequential(Conv2d(1, 4, 3, stride=1, padding=1, bias=False), ReLU(), MaxPool2d(2)), "
    "Conv2d(4, 8, 2, dilation=2, groups=2), ReLU(), AvgPool2d(2), Flatten(), Linear(8, 6), ReLU(), Linear(6, 10))",
    "averaged": "Sequential(Conv2d(1, 6, 2, stride=2), ReLU(), AdaptiveAvgPool2d(1), Flatten(), Linear(6, 10))",
    "one pool for both": "Sequential(Conv2d(1, 2, 3, padding=1), ReLU(), pool, Conv2d(2, 2, 3, padding=1), ReLU(), pool, "
    "Flatten(), Linear(8, 10))",
}
REFUSED = {
    "leaky": "Sequential(Conv2d(1, 4, 2), LeakyReLU(), Flatten(), Linear(196, 10))",
    "no relu": "Sequential(Conv2d(1, 4, 2), Flatten(), Linear(196, 10))",
    "softmax": "Sequential(Flatten(), Linear(64, 10), Softmax(1))",
    "overlapping": "Sequential(Conv2d(1, 4, 2), ReLU(), MaxPool2d(3, 2), Flatten(), Linear(36, 10))",
}
BEFORE = "import torch\nfrom torch.nn import *\ntorch.manual_seed(0)\npool = MaxPool2d(2)\nmodel = {}\n"


def build(text: str):
    names: dict = {}
    exec(BEFORE.format(text), names)
    return names["model"]


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """The folder of what was written, and what was refused; one process for all, its start is what costs."""
    folder = tmp_path_factory.mktemp("snippet")
    cases = {name: (BEFORE.format(text), None) for name, text in (MODELS | REFUSED).items()}
    cases["normalized"] = (BEFORE.format(MODELS["linear"]), (0.25, 0.5))
    code = EXPORT_SNIPPET + (
        "refused = {}\n"
        f"for name, (text, normalize) in {cases!r}.items():\n"
        "    made = {}\n"
        "    exec(text, made)\n"
        "    try:\n"
        f"        export(made['model'], f'{folder}/{{name}}.safetensors', (1, 8, 8), normalize)\n"
        "    except ValueError as error:\n"
        "        refused[name] = str(error)\n"
        "print(json.dumps(refused))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return folder, json.loads(found.stdout)


def test_it_is_short_and_needs_nothing_but_torch_and_safetensors():
    lines = EXPORT_SNIPPET.splitlines()
    assert len(lines) <= 50
    assert "boundlab" not in EXPORT_SNIPPET
    assert [line for line in lines if "import" in line] == [
        "import copy, json, re, safetensors.torch, torch",
        "from torch import nn",
        "from torch.nn.functional import avg_pool2d, conv2d, linear, max_pool2d",
    ]


@pytest.mark.parametrize("name", MODELS)
def test_what_it_writes_is_the_model(done, name):
    read, model = load_checkpoint(done[0] / f"{name}.safetensors", "digits"), build(MODELS[name])
    assert read.arch.normalize is None
    parameters = [m for m in model.modules() if hasattr(m, "weight")]
    for module, weight, bias in zip(parameters, read.weights, read.biases, strict=True):
        assert torch.equal(module.weight, weight)
        if read.arch.bias:
            assert torch.equal(torch.zeros(len(weight)) if module.bias is None else module.bias, bias)


def test_it_writes_the_normalization(done):
    assert load_checkpoint(done[0] / "normalized.safetensors", "digits").arch.normalize == (0.25, 0.5)


def test_it_refuses_what_a_spec_cannot_say(done):
    folder, refused = done
    words = {
        "leaky": "got c?fd",
        "no relu": "got cfd",
        "softmax": "got fd?",
        "overlapping": "stride of MaxPool2d(kernel_size=3",
    }
    assert set(refused) == set(words)
    for name, text in words.items():
        assert text in refused[name]
        assert not (folder / f"{name}.safetensors").exists()


def test_the_template_is_a_spec():
    template = json.loads(SPEC_TEMPLATE)
    assert list(template) == [f.name for f in dataclasses.fields(ArchSpec) if f.name != "conv_layers"]
    arch = ArchSpec.from_dict(template)
    assert arch.title == "CONV-3-16,16,32 k3,3,2 pad 1,1,0 max2,avg2,- dense 64 bias"
