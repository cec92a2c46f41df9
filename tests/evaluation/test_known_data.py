"""What is known of published data is what reading them gives, is found by the files' contents, and not read again."""

import shutil

import numpy as np
import pytest

from boundlab.data.splits import apply_task, cut_window
from boundlab.evaluation import known_data
from boundlab.evaluation.known_data import facts_of, known_facts
from boundlab.specs.arch import ArchSpec
from boundlab.specs.catalog import SHIPPED
from boundlab.specs.run import TrainSpec
from tests.data.test_splits import idx_folder, smaller

NAME = "kmnist"
__all__ = ["smaller"]


def arch(**given):
    return ArchSpec(in_shape=(1, 28, 28), channels=4, conv_layers=1, **given)


def read(asked, network, root):
    data = apply_task(asked, root)
    return facts_of(cut_window(data[0], network.in_shape), data, network, asked.dataset, root)


def plain(facts):
    sample, columns = facts
    return sample.to_dict(), columns


@pytest.mark.parametrize("labels", [None, ((0, 2), (1, 3))], ids=["ten classes", "a sub-task"])
@pytest.mark.parametrize("normalize", [None, (0.2, 0.3)], ids=["raw", "normalized"])
def test_known_facts_are_those_of_the_images(tmp_path, smaller, monkeypatch, labels, normalize):
    idx_folder(tmp_path / "KMNIST" / "raw", SHIPPED[NAME])
    asked, network = TrainSpec(NAME, labels=labels), arch(normalize=normalize, classes=10 if labels is None else 2)
    wanted = plain(read(asked, network, tmp_path))
    assert plain(known_facts(asked, network, tmp_path)) == wanted
    monkeypatch.setattr(known_data, "apply_task", None)  # not called
    assert plain(known_facts(asked, network, tmp_path)) == wanted


def test_other_files_and_other_first_layers_are_other_facts(tmp_path, smaller):
    folder = tmp_path / "KMNIST" / "raw"
    idx_folder(folder, SHIPPED[NAME])
    asked = TrainSpec(NAME)
    first, padded = (known_facts(asked, arch(padding=p), tmp_path)[0] for p in (0, 1))
    assert first.patch_energy.shape != padded.patch_energy.shape
    shutil.rmtree(folder)
    idx_folder(folder, SHIPPED[NAME], seed=1)
    again = known_facts(asked, arch(), tmp_path)[0]
    assert not np.isclose(again.raw.frobenius, first.raw.frobenius, rtol=1e-9)
    assert plain(known_facts(asked, arch(), tmp_path)) == plain(read(asked, arch(), tmp_path))


def test_what_has_no_published_files_is_read(tmp_path):
    asked, network = TrainSpec("digits"), ArchSpec(in_shape=(1, 8, 8), channels=4, conv_layers=1)
    assert plain(known_facts(asked, network, tmp_path)) == plain(read(asked, network, tmp_path))
    assert not (tmp_path / "statistics").exists()
