"""What `import boundlab` offers is found by whoever looks, and a monitor says what it is."""

import subprocess
import sys

import numpy as np
import torch

import boundlab


def test_what_there_is_is_listed_without_loading_it():
    code = "import boundlab, sys; print([n for n in dir(boundlab) if n[0] != '_' and n != 'Any']); print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert said == ["['Monitor', 'evaluate', 'export']", "False"]
    assert all(hasattr(boundlab, name) for name in dir(boundlab))


def test_a_monitor_says_what_it_watches_and_where(tmp_path, monkeypatch):
    monkeypatch.setenv("BOUNDLAB_DATA", str(tmp_path / "data"))
    chance = np.random.default_rng(0)
    images, labels = chance.random((40, 1, 8, 8)), np.arange(40) % 10
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    monitor = boundlab.Monitor(model, (images, labels), (images, labels), out=tmp_path / "runs")
    assert repr(monitor) == f"<boundlab.Monitor of LINEAR, watching, 0 epochs, in {monitor.folder}>"
    monitor()
    monitor.finish()
    assert ", finished, 1 epochs, in " in repr(monitor)
