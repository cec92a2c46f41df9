"""The report of a checkpoint: upper bounds beside spectral norms, and what does not depend on threads and kept statistics."""

import dataclasses
import json

from boundlab.data.splits import load_splits
from boundlab.evaluation.report import evaluate_file, measure_checkpoint, report
from boundlab.networks.checkpoint import load_checkpoint
from boundlab.specs.arch import ArchSpec
from boundlab.specs.settings import Settings
from tests.conftest import reference_weights, write_checkpoint

ARCH = ArchSpec(in_shape=(1, 8, 8), channels=6, conv_layers=2)


def test_every_spectral_norm_has_an_upper_bound_beside(tmp_path):
    path = write_checkpoint(tmp_path / "net.safetensors", ARCH, reference_weights(ARCH, 0))
    for layer in evaluate_file(path, "digits", Settings(), errors=False)["norms"]["layers"]:
        assert layer["spectral_map"] <= layer["spectral_map_upper"] <= 1.2 * layer["spectral_map"]


def test_kept_statistics_and_threads_change_nothing(tmp_path, monkeypatch):
    checkpoint = load_checkpoint(
        write_checkpoint(tmp_path / "net.safetensors", ARCH, reference_weights(ARCH, 0)), "digits"
    )
    data = load_splits("digits")

    def measured(**how):
        subject, seen = measure_checkpoint(checkpoint, data, "digits", "net", root=tmp_path, **how)
        return json.dumps(report(dataclasses.replace(subject), Settings("strict"), seen))

    plain = measured()
    for module in ("networks.sample_stats", "evaluation.known_data"):
        monkeypatch.setattr(f"boundlab.{module}.KEPT_FROM", 10)
    assert measured(workers=3) == plain
    assert len(list((tmp_path / "statistics").iterdir())) == 2
    monkeypatch.setattr("boundlab.evaluation.known_data.repeated", None)  # not called
    assert measured() == plain
