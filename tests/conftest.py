"""Shared fixtures. MNIST comes from BOUNDLAB_DATA (never from the network); without it those tests say why they skip."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

# Before NumPy and torch load: threads that wait for each other beside other processes cost ten times the work itself.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import numpy as np
import pytest

from boundlab.quantities.norms import NetworkNorms
from boundlab.quantities.records import from_columns
from boundlab.quantities.sample import InputStats, SampleStats
from boundlab.runs.pack import read_pack
from boundlab.runs.run import Run
from boundlab.specs.arch import ArchSpec
from boundlab.specs.grid import load_grid
from boundlab.specs.recipes import figured
from boundlab.specs.run import RunSpec

ROOT = Path(__file__).resolve().parents[1]

# What kills processes, drives a browser, serves, trains to the end, or takes long; the longest first, which is the order
# in which they begin, so that two processes end together. The README's command runs them, too.
SLOW = (
    *("e2e/test_browser.py", "e2e/test_playground.py", "e2e/test_first_screen.py", "e2e/test_walk.py", "e2e"),
    *("load", "training/test_worker.py", "jobs/test_scheduler.py", "training/test_resume.py", "ui/test_links.py"),
    *("cli/test_main.py", "uploads/test_over_http.py", "ui/test_class_runs.py", "ui/test_nasty_links.py"),
    *("ui/test_checkpoint_page.py", "uploads/test_server.py", "ui/test_own_runs.py", "ui/test_train_page.py"),
    *(
        "ui/test_pages.py",
        "ui/test_ranking_page.py",
        "ui/test_memorisation_page.py",
        "ui/test_runs_page.py",
        "training/test_together.py",
        "ui/test_study_pages.py",
        "ui/test_compare_page.py",
    ),
    *(
        "bounds/test_bound_symmetries.py",
        "system/test_full_disk.py",
        "runs/test_broken_runs.py",
        "ui/test_heat_map.py",
        "ui/test_lessons.py",
        "ui/test_old_links.py",
    ),
    *("data/test_download.py", "bounds/test_biases_from_below.py", "cli/test_terminal.py"),
    *("evaluation/test_notebook", "bounds/test_theorem_s.py", "ui/test_live.py", "training/test_loop.py"),
    *(
        "evaluation/test_certify.py",
        "jobs/test_downloads.py",
        "jobs/test_cluster.py",
        "system/test_orphans.py",
        "cli/test_bad_input.py",
    ),
    *("networks/test_weights.py", "test_wheel.py", "training/test_cuda_graph.py", "ui/test_server.py"),
)


def _place(item: pytest.Item) -> int:
    """Of an item's file in SLOW; behind its end if it is not slow."""
    name = item.path.relative_to(ROOT / "tests").as_posix()
    return next((place for place, start in enumerate(SLOW) if name.startswith(start)), len(SLOW))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, and put it first."""
    items.sort(key=_place)
    for item in items:
        if _place(item) < len(SLOW):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def no_runs_of_the_developers(tmp_path_factory) -> Iterator[None]:
    """Pages, here and in the servers that tests start, know the shipped runs only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOUNDLAB_RUNS", str(tmp_path_factory.mktemp("none")))
        yield


@pytest.fixture(scope="session")
def mnist_root() -> Path:
    root = os.environ.get("BOUNDLAB_DATA")
    if not root or not list(Path(root, "MNIST", "raw").glob("train-images-idx3-ubyte*")):
        pytest.skip("no MNIST: set BOUNDLAB_DATA to a folder that has MNIST/raw/*.gz")
    return Path(root)


@pytest.fixture(scope="session")
def whole_pack() -> list[Run]:
    """Every shipped run."""
    return read_pack()


@pytest.fixture(scope="session")
def pack(whole_pack) -> list[Run]:
    """The shipped runs that the figures are about."""
    return [run for run in whole_pack if figured(run.spec) and run.spec.arch.papers]


@pytest.fixture(scope="session")
def first_part(pack) -> list[Run]:
    """Of these, those of data/grid.toml: all at plateau, with three seeds at every point; full grids have others too."""
    ids = {spec.id for spec in load_grid(ROOT / "data" / "grid.toml")}
    return [run for run in pack if run.id in ids]


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """The folder of a small run, trained without interruption."""
    from boundlab.training.worker import train_run
    from tests.cases import TRAINED

    return train_run(RunSpec.from_dict(TRAINED), tmp_path_factory.mktemp("runs"))


def make_norms(
    arch: ArchSpec, seed: int, scale: float = 1.0, with_init: bool = True, biases: bool = False
) -> NetworkNorms:
    """Norms of a random network, measured by the real code, with random margin errors and patch norms."""
    import torch

    from boundlab.networks.measure import norm_columns, references
    from boundlab.networks.outcome import margin_errors
    from boundlab.quantities.norms import MARGIN_GRID
    from boundlab.quantities.records import norm_column

    rng = np.random.default_rng(seed)
    shapes = arch.shapes()

    def draw(shape, factor=1.0):
        fan_in = np.prod(shape.weight_shape[1:])
        return torch.from_numpy(rng.standard_normal(shape.weight_shape) * factor * scale / np.sqrt(fan_in))

    weights = [draw(s) for s in shapes]
    init = references([w - draw(s, 0.3) for w, s in zip(weights, shapes, strict=True)], shapes) if with_init else None
    bias = [torch.from_numpy(rng.standard_normal(s.out_channels)) if biases else None for s in shapes]
    columns = norm_columns(weights, bias, init, shapes)
    columns |= {norm_column(i, "patch_norm"): float(rng.uniform(1, 5)) for i in range(len(shapes))}
    ramp, indicator = margin_errors(rng.normal(1.0, 1.0, 200), MARGIN_GRID)
    return from_columns(columns | {"ramp": ramp.tolist(), "indicator": indicator.tolist()}, shapes)


def make_sample(arch: ArchSpec, n: int = 1000, factor: float = 1.0, seed: int = 0) -> SampleStats:
    """A sample's statistics with random pixel energies, half of them in the means of patches; `factor` scales every input."""
    import torch

    energy = np.random.default_rng(seed).uniform(0.1, 1.0, arch.in_shape[1:]) * n
    stats = InputStats(energy * factor**2, 5.0 * factor, 1.0 * factor, 1.0 * factor)
    first = arch.shapes()[0]
    seen = torch.from_numpy(energy * factor**2)[None, None]
    if first.spatial:
        taps = torch.ones(1, 1, first.kernel, first.kernel, dtype=torch.float64)
        seen = torch.nn.functional.conv2d(seen, taps, None, first.stride, first.padding, first.dilation)
    patches = seen[0, 0].numpy() / 2 if first.spatial else seen.sum().numpy().reshape(1, 1) / 2
    return SampleStats("digits", n, arch.classes, stats, stats, patches)


def write_checkpoint(path: Path, arch: ArchSpec, weights, spec: dict | None = None) -> Path:
    """A checkpoint in the fixed format, with zero biases where the spec has them."""
    import torch
    from safetensors.torch import save_file

    tensors = {}
    for i, (shape, weight) in enumerate(zip(arch.shapes(), weights, strict=True)):
        key = "output" if shape.name == "output" else f"layers.{i}"
        tensors[f"{key}.weight"] = torch.as_tensor(weight)
        if shape.bias:
            tensors[f"{key}.bias"] = torch.zeros(shape.out_channels)
    save_file(tensors, path, {"spec": json.dumps(spec or arch.to_dict())})
    return path


def reference_weights(arch: ArchSpec, seed: int) -> list[np.ndarray]:
    """The weights of BOUNDS.md's reference rows."""
    rs = np.random.RandomState(seed)
    return [
        (rs.standard_normal(s.weight_shape) / np.sqrt(3.0 * np.prod(s.weight_shape[1:]))).astype(np.float32)
        for s in arch.shapes()
    ]
