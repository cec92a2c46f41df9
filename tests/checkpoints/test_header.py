"""The check of a checkpoint before torch sees it: every broken file is one sentence, nothing large is read or allocated."""

import json
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from boundlab.checkpoints.header import check_fit, check_values, read_header
from boundlab.errors import CheckpointError
from boundlab.networks.checkpoint import load_checkpoint, read_tensors
from boundlab.specs.arch import ArchSpec
from tests.cases import DIGITS
from tests.conftest import reference_weights, write_checkpoint
from tests.hostile import HOSTILE, NAMES, bfloat16, good


def checked(path):
    header = read_header(path, "digits")
    check_values(header)
    check_fit(header, "digits")
    return header


@pytest.mark.parametrize("name", HOSTILE)
def test_a_broken_file_is_one_sentence_quickly_and_in_little_memory(name, tmp_path, monkeypatch):
    monkeypatch.setenv("HOSTILE_MARK", str(tmp_path / "mark"))
    make, words = HOSTILE[name]
    path = tmp_path / "net.safetensors"
    path.write_bytes(make())
    tracemalloc.start()
    began = time.monotonic()
    with pytest.raises(CheckpointError) as raised:
        checked(path)
    seconds, (_, peak) = time.monotonic() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert words in str(raised.value)
    assert len(str(raised.value)) < 700
    assert "\n" not in str(raised.value)
    print(f"{name}: {seconds:.2f} s")
    assert seconds < 60
    assert peak < 20e6
    assert not (tmp_path / "mark").exists()
    with pytest.raises(CheckpointError):
        load_checkpoint(path, "digits")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(CheckpointError, match="is not a file"):
        read_header(tmp_path, "digits")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["conv", "lc", "mlp"])
def test_what_is_good_passes_in_every_dtype_and_is_read_as_it_was(tmp_path, dtype, kind):
    arch = {
        "conv": ArchSpec(in_shape=(1, 8, 8), channels=(2, 4), conv_layers=2, groups=(1, 2), bias=True),
        "lc": ArchSpec("lc", (1, 8, 8), 2, 1),
        "mlp": ArchSpec("mlp", (1, 8, 8), hidden=(5,)),
    }[kind]
    weights = [torch.as_tensor(w).to(dtype) for w in reference_weights(arch, 1)]
    path = write_checkpoint(tmp_path / "net.safetensors", arch, weights)
    header = checked(path)
    assert header.arch == arch
    for got, put in zip(load_checkpoint(path, "digits").weights, weights, strict=True):
        assert torch.equal(got, put.to(torch.promote_types(dtype, torch.float32)))


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_prefixes_that_every_name_has_are_dropped(tmp_path, prefix):
    weights = reference_weights(DIGITS, 0)
    tensors = {f"{lead}{prefix}{name}": w for name, w in zip(NAMES, weights, strict=True) for lead in ("", "init.")}
    path = tmp_path / "net.safetensors"
    path.write_bytes(save(tensors, {"spec": json.dumps(DIGITS.to_dict())}))
    found = load_checkpoint(path, "digits")
    for got, start, put in zip(found.weights, found.init, weights, strict=True):
        assert torch.equal(got, torch.as_tensor(put))
        assert torch.equal(start, torch.as_tensor(put))


def test_values_are_looked_at_to_the_last_one_of_several_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("boundlab.checkpoints.header._PART", 7)
    weights = reference_weights(DIGITS, 0)
    path = tmp_path / "net.safetensors"
    for tensor in range(3):
        for place in (0, 6, 7, -1):
            bad = [w.copy() for w in weights]
            bad[tensor].ravel()[place] = np.nan
            path.write_bytes(good(bad))
            with pytest.raises(CheckpointError, match="NaN"):
                checked(path)
    path.write_bytes(good(weights))
    checked(path)


@pytest.mark.parametrize("value", [1.5, -3e38])
def test_bfloat16_is_read_by_its_bits(tmp_path, value):
    path = tmp_path / "net.safetensors"
    path.write_bytes(bfloat16(value))
    header = read_header(path, "digits")
    if abs(value) > 1e30:
        with pytest.raises(CheckpointError, match="weights above"):
            check_values(header)
    else:
        check_values(header)


def test_what_does_not_fit_the_data_is_said(tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(good())
    check_fit(read_header(path, "mnist"), "mnist")  # at the middle of its images
    with pytest.raises(CheckpointError, match=r"has 10 classes, digits has .* and 2"):
        check_fit(read_header(path, "digits"), "digits", 2)
    wide = ArchSpec(in_shape=(1, 28, 28), channels=1, conv_layers=1)
    write_checkpoint(path, wide, reference_weights(wide, 0))
    with pytest.raises(CheckpointError, match=r"takes \[1, 28, 28\] inputs and has 10 classes, digits has \[1, 8, 8\]"):
        check_fit(read_header(path, "digits"), "digits")


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 700), st.binary(min_size=1, max_size=12))
def test_a_changed_file_is_refused_or_good_but_never_an_exception_of_another_kind(tmp_path_factory, at, junk):
    content = good()
    path = tmp_path_factory.getbasetemp() / "fuzzed.safetensors"
    path.write_bytes(content[:at] + junk + content[at + len(junk) :])
    try:
        header = checked(path)
    except CheckpointError:
        return
    assert sum(len(stored.data) for stored in header.tensors.values()) < len(content)


REPLACE = """
import itertools, os, sys
path, *others = sys.argv[1:]
for other in itertools.cycle(others):
    os.link(other, path + ".new")
    os.replace(path + ".new", path)
"""


def while_replaced(path, contents, read, times=1000):
    """Call `read` again and again while another process replaces the file by one and the other of `contents`."""
    others = [path.with_name(f"{number}.bytes") for number in range(len(contents))]
    for other, content in zip(others, contents, strict=True):
        other.write_bytes(content)
    path.write_bytes(contents[0])
    with subprocess.Popen([sys.executable, "-c", REPLACE, path, *others]) as writer:
        try:
            for _ in range(times):
                read()
        finally:
            writer.kill()


def test_a_file_that_is_replaced_while_it_is_read_is_one_or_the_other(tmp_path):
    path = tmp_path / "net.safetensors"
    small, large = good(), save({"x": np.arange(10_000, dtype=np.float32)})
    seen = set()
    while_replaced(path, (small, large), lambda: seen.add(tuple(sorted(read_tensors(path)))))
    assert seen <= {tuple(sorted(NAMES)), ("x",)}


def test_a_checkpoint_that_is_replaced_while_it_is_read_is_one_or_the_other(tmp_path):
    path = tmp_path / "net.safetensors"
    linear = ArchSpec("mlp", (1, 8, 8), hidden=())
    two = (write_checkpoint(path, linear, reference_weights(linear, 0)).read_bytes(), good())
    seen = set()
    while_replaced(path, two, lambda: seen.add(load_checkpoint(path, "digits").arch.title), 500)
    assert seen <= {"LINEAR", DIGITS.title}


def test_it_needs_no_torch():
    code = "import sys, boundlab.checkpoints.header, boundlab.evaluation.upload_worker; print('torch' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]  # pandas: 0.4 s before the first answer
