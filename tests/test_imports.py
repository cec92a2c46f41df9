"""The architecture's arrows: what a module must not pull in, seen in a fresh interpreter."""

import pkgutil
import subprocess
import sys

import pytest

import boundlab

CORE = (
    "arch",
    "subjects",
    "comparison",
    "counterparts",
    "bounds",
    "norms",
    "specs",
    "tables",
    "curves",
    "runs",
    "records",
    "stored_certificates",
    "recipes",
    "charts",
    "shapes",
    "paths",
    "catalog",
    "checks",
    "errors",
    "sweeps",
    "packing",
    "limits",
    "files",
    "arguments",
    "anatomy",
    "whatif",
    "margins",
    "promises",
    "pacbayes",
    "cli",
    "heartbeat",
    "faults",
    "sources",
    "mirrors",
    "cost",
    "timing",
    "devices",
    "jobs",
    "jobstate",
    "locks",
    "scheduler",
    "processes",
    "attached",
    "part_errors",
    "room",
    "downloads",
    "images",
    "arrays",
    "doubts",
    "conditions",
    "npz",
    "owndata",
    "checkpoint_header",
    "judge",
    "judging",
    "snippet",
    "counterparts",
)
TRAINING = (
    "train",
    "captured",
    "objective",
    "measure",
    "samples",
    "precision",
    "nets",
    "maps",
    "datasets",
    "worker",
    "session",
    "spare",
    "checkpoints",
    "reports",
    "certify",
    "bench",
    "exports",
    "library",
    "sequential",
)
RULES = {
    **dict.fromkeys(CORE, ("torch", "streamlit", "sklearn", "pooch")),
    **dict.fromkeys(TRAINING, ("streamlit", "plotly", "pooch", "sklearn")),
    "ui": ("torch", "sklearn", "pooch"),
}
NO_PLOTLY = (
    "anatomy",
    "comparison",
    "whatif",
    "margins",
    "promises",
    "tables",
    "curves",
    "bounds",
    "norms",
    "runs",
    "specs",
    "arch",
)
MODULES = [m.name.removeprefix("boundlab.") for m in pkgutil.walk_packages(boundlab.__path__, "boundlab.")]


def test_every_module_has_a_rule():
    assert {m.split(".")[0] for m in MODULES} - {"__main__"} == set(RULES)


@pytest.mark.parametrize("module", [m for m in MODULES if m != "__main__"])
def test_a_module_loads_without_what_it_must_not_need(module):
    forbidden = RULES[module.split(".")[0]] + (("plotly",) if module.split(".")[0] in NO_PLOTLY else ())
    code = f"import sys, boundlab.{module}; print([m for m in {forbidden!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_charts_never_compute_a_bound():
    """`charts` may name series, but `evaluate` and the formulas stay out of its sources."""
    import pathlib

    for file in pathlib.Path(boundlab.__path__[0], "charts").glob("*.py"):
        assert "boundlab.bounds" not in file.read_text()
