"""Train one run into its folder: resumable after any kill, sealed when finished."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from boundlab import __version__, nets
from boundlab.checkpoints import Checkpoint, save, write_tensors
from boundlab.datasets import Split, seen
from boundlab.errors import Diverged, RunError
from boundlab.files import make_folder, read_lines, write_atomic, write_parquet
from boundlab.measure import sample_stats
from boundlab.runs import CERTIFICATES, sealed
from boundlab.specs import RunSpec
from boundlab.train import Record, Training

Progress = Callable[[int, int, Record | None], None]  # (step, steps in all, latest record)


def end_with_parent() -> None:
    """End this process when its standard input closes, as it does when the parent dies, even by kill -9."""

    def watch() -> None:
        while os.read(0, 1024):  # not sys.stdin: its lock would be held at interpreter shutdown
            pass
        os._exit(1)  # writes are atomic and a run resumes: nothing to tidy up

    threading.Thread(target=watch, daemon=True).start()


def pick_device(name: str) -> str:
    """ "auto" -> "cuda" where there is one; raises ValueError when "cuda" is asked for and missing."""
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda was asked for, but this torch sees no CUDA device; use --device cpu or auto")
    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name


def run(
    spec: RunSpec, out: Path, device: str = "cpu", root: Path | None = None, progress: Progress = lambda *_: None
) -> Path:
    """Train `spec` below `out`, or resume it, or return at once when it is sealed; returns the run folder.

    Raises DataError when the data set is missing, Diverged when the loss is no longer finite (status "failed"), RunError
    when another process is training it.
    """
    with _only_one(out, spec.id):
        folder = out / spec.id
        if not sealed(folder):
            torch.set_num_threads(1)
            data, device = seen(spec, root), pick_device(device)
            folder.mkdir(parents=True, exist_ok=True)
            _train(folder, spec, data, device, progress)
    return folder


@contextmanager
def _only_one(out: Path, run: str) -> Iterator[None]:
    """Hold the run's lock; it goes with the process, however that ends. Raises RunError when another holds it."""
    make_folder(out / ".locks")
    with (out / ".locks" / run).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(f"{out / run} is being trained by another process; wait for it or stop it") from error
        yield


def _train(folder: Path, spec: RunSpec, data: tuple[Split, Split], device: str, progress: Progress) -> None:
    training = Training(spec, data, device)
    records = _start(folder, spec, training, data[0])
    started = time.monotonic()
    total = spec.train.epochs * training.steps_per_epoch
    try:
        with (folder / "records.jsonl").open("a") as log:
            while training.done < spec.train.epochs:
                for record in training.epoch():
                    records.append(record)
                    log.write(json.dumps(record) + "\n")
                    log.flush()
                    _heartbeat(folder, "running", record["step"], total)
                    progress(record["step"], total, record)
                _save_state(folder, training)
    except Diverged as error:
        _heartbeat(folder, "failed", training.done, total, str(error))
        raise
    _seal(folder, training, records, time.monotonic() - started)


def _start(folder: Path, spec: RunSpec, training: Training, train: Split) -> list[Record]:
    """Write the head of the folder, or go back to the last finished epoch; returns the records so far.

    A state or a record that cannot be used, or is missing, means starting again from the beginning.
    """
    write_atomic(folder / "spec.json", json.dumps(spec.to_dict(), indent=1) + "\n")
    sample = sample_stats(train.images, spec.arch.normalize, spec.train.dataset, spec.arch.classes)
    write_atomic(folder / "sample.json", json.dumps(sample.to_dict()) + "\n")
    (folder / CERTIFICATES).unlink(missing_ok=True)  # of an earlier network of this folder
    records, step = _resume(folder, training)
    records = records or [training.record(0, [])]
    write_atomic(folder / "records.jsonl", "".join(json.dumps(record) + "\n" for record in records))
    _heartbeat(folder, "running", step, spec.train.epochs * training.steps_per_epoch)
    return records


def _resume(folder: Path, training: Training) -> tuple[list[Record], int]:
    """Records up to the last finished epoch, and its step; ([], 0) when there is nothing usable to go on from."""
    try:
        state = load_file(folder / "state.safetensors")
        step = int(state["done"]) * training.steps_per_epoch
        if not 0 < int(state["done"]) <= training.spec.train.epochs:
            return [], 0
        records = [record for record in read_lines(folder / "records.jsonl") if record["step"] <= step]
        if [record["step"] for record in records] != [s for s in range(step + 1) if training.record_due(s)]:
            return [], 0
        training.restore(state)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError):
        return [], 0
    return records, step


def _heartbeat(folder: Path, state: str, step: int, total: int, error: str | None = None) -> None:
    now = {"state": state, "step": step, "steps": total, "heartbeat": time.time(), "pid": os.getpid(), "error": error}
    write_atomic(folder / "status.json", json.dumps(now) + "\n")


def _save_state(folder: Path, training: Training) -> None:
    write_tensors(training.state(), folder / "state.safetensors")


def _seal(folder: Path, training: Training, records: list[Record], seconds: float) -> None:
    network = Checkpoint(training.spec.arch, nets.weights(training.net), nets.biases(training.net), training.init)
    save(folder / "network.safetensors", network)
    write_parquet(pd.DataFrame(records), folder / "epochs.parquet")
    environment: dict[str, Any] = {
        "boundlab": __version__,
        "torch": torch.__version__,
        "device": str(next(training.net.parameters()).device),
        "machine": platform.machine(),
        "seconds": round(seconds, 1),
        "images_per_second": round(len(training.train.labels) * training.spec.train.epochs / max(seconds, 1e-9)),
    }
    write_atomic(folder / "env.json", json.dumps(environment, indent=1) + "\n")
    _heartbeat(folder, "done", records[-1]["step"], records[-1]["step"])
    for leftover in ("state.safetensors", "records.jsonl"):
        (folder / leftover).unlink(missing_ok=True)
