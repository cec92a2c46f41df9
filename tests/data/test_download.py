"""Fetching a data set: the real process, from a server on this machine that can be slow, wrong or broken."""

import functools
import gzip
import hashlib
import http.server
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from boundlab.data.download import fetch
from boundlab.data.locate import download_size, locate, missing
from boundlab.data.published import AS_SENT, FILES, FOLDERS, MIRRORS, Archive
from boundlab.data.splits import load_splits
from boundlab.errors import DataError
from boundlab.specs.catalog import SHIPPED

NAMES = list(FILES["mnist"])
NOWHERE = "http://127.0.0.1:9/"  # nothing listens there


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, slowly where told to, and counts what it is asked for."""

    def copyfile(self, source, outputfile):
        self.server.asked.append(self.path)
        while chunk := source.read(2**16):
            outputfile.write(chunk)
            time.sleep(self.server.delay)

    def log_message(self, *args):
        pass


@pytest.fixture
def mirror(tmp_path):
    """(server, base URL); its folder is `server.folder`."""
    folder = tmp_path / "www"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))) as server:
        server.folder, server.asked, server.delay = folder, [], 0.0
        server.handle_error = lambda *_: None  # clients here are killed in the middle
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server, f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@pytest.fixture
def mnist_mirror(mirror, mnist_root):
    """A mirror of MNIST's real archives (its training images were packed anew: their contents are the usual ones)."""
    for name in NAMES:
        content = (mnist_root / FOLDERS["mnist"] / f"{name}.gz").read_bytes()
        assert hashlib.sha256(gzip.decompress(content)).hexdigest() == FILES["mnist"][name].digest
        (mirror[0].folder / f"{name}.gz").write_bytes(content)
    return mirror


def start(root: Path, url: str, status: Path, **more) -> subprocess.Popen:
    env = os.environ | {"BOUNDLAB_DATA": str(root), "BOUNDLAB_MIRROR": url}
    command = [sys.executable, "-m", "boundlab.data.download", "mnist", str(status)]
    with status.with_suffix(".err").open("w") as errors:
        return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=errors, **more)


def watch(process: subprocess.Popen, status: Path, until=lambda now: False, limit: float = 300.0) -> list[dict]:
    """Every status seen, until the process ends or `until` holds."""
    seen, begun = [], time.monotonic()
    while time.monotonic() - begun < limit:
        over = process.poll() is not None
        if status.exists():
            seen.append(json.loads(status.read_text()))
            if over or until(seen[-1]):
                return seen
        time.sleep(0.05)
    raise AssertionError(f"no end after {limit} s, last seen {seen[-1:]}")


def test_a_process_downloads_and_reports(tmp_path, mnist_mirror):
    server, url = mnist_mirror
    server.delay = 0.015
    process = start(tmp_path, url, tmp_path / "status.json")
    seen = watch(process, tmp_path / "status.json")
    total = sum(path.stat().st_size for path in server.folder.iterdir())
    assert seen[-1] | {"heartbeat": 0} == {
        "state": "done",
        "bytes": total,
        "total_bytes": total,
        "file": f"{NAMES[-1]}.gz",
        "error": None,
        "heartbeat": 0,
    }
    assert process.returncode == 0
    done = [now["bytes"] for now in seen]
    assert done == sorted(done)
    assert len(set(done)) > 5
    assert seen[0]["total_bytes"] == download_size("mnist", tmp_path / "empty") == 11_594_722
    assert 0 <= time.time() - seen[-1]["heartbeat"] < 60
    for name in NAMES:
        assert locate("mnist", name, tmp_path).read_bytes() == (server.folder / f"{name}.gz").read_bytes()
    assert missing("mnist", tmp_path) == []
    assert not list(tmp_path.rglob("*.part"))


def test_two_at_once_download_once(tmp_path, mnist_mirror):
    server, url = mnist_mirror
    server.delay = 0.02
    first = start(tmp_path, url, tmp_path / "first.json")
    watch(first, tmp_path / "first.json", lambda now: now["bytes"] > 0)
    second = start(tmp_path, url, tmp_path / "second.json")
    seen = watch(second, tmp_path / "second.json")
    assert (first.wait(300), second.returncode, seen[-1]["state"]) == (0, 0, "done")
    assert len(server.asked) == len(NAMES)
    assert any(0 < now["bytes"] < now["total_bytes"] for now in seen)  # the first one's progress


def test_after_kill_9_nothing_half_is_taken_for_whole(tmp_path, mnist_mirror):
    server, url = mnist_mirror
    server.delay = 0.02
    process = start(tmp_path, url, tmp_path / "status.json")
    watch(process, tmp_path / "status.json", lambda now: now["bytes"] > 10**6)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert missing("mnist", tmp_path) == NAMES
    server.delay = 0.0
    again = start(tmp_path, url, tmp_path / "status.json")
    assert watch(again, tmp_path / "status.json")[-1]["state"] == "done"
    assert [len(split.labels) for split in load_splits("mnist", tmp_path)] == [60000, 10000]
    assert not list(tmp_path.rglob("*.part"))


@pytest.fixture
def small(mirror, monkeypatch):
    """A data set of one small archive, and no mirror but the one on this machine."""
    content = gzip.compress(bytes(range(256)) * 1000)
    expected = hashlib.sha256(gzip.decompress(content)).hexdigest()
    monkeypatch.setitem(FILES, "mnist", {"images": Archive(expected, len(content))})
    monkeypatch.setitem(MIRRORS, "mnist", (mirror[1],))
    monkeypatch.delenv("BOUNDLAB_MIRROR", raising=False)
    return mirror[0].folder / "images.gz", content


def test_the_next_mirror_is_tried_and_ones_own_comes_first(tmp_path, monkeypatch, mirror, small):
    path, content = small
    path.write_bytes(content)
    calls = []
    monkeypatch.setenv("BOUNDLAB_MIRROR", mirror[1] + "gone")
    fetch("mnist", tmp_path, lambda *now: calls.append(now))
    assert calls[-1] == (len(content), len(content), "images.gz")
    assert locate("mnist", "images", tmp_path).read_bytes() == content
    monkeypatch.setenv("BOUNDLAB_MIRROR", mirror[1].rstrip("/"))
    monkeypatch.setitem(MIRRORS, "mnist", (NOWHERE,))
    fetch("mnist", tmp_path / "other", lambda *now: None)
    assert locate("mnist", "images", tmp_path / "other").read_bytes() == content


def test_a_file_that_is_no_archive_is_fetched_and_checked_by_its_sha256(tmp_path, monkeypatch, mirror):
    content = bytes(range(256)) * 1000
    expected = Archive(hashlib.sha256(content).hexdigest(), len(content), AS_SENT)
    monkeypatch.setitem(FILES, "svhn", {"train_32x32.mat": expected})
    monkeypatch.setitem(MIRRORS, "svhn", (mirror[1],))
    monkeypatch.delenv("BOUNDLAB_MIRROR", raising=False)
    (mirror[0].folder / "train_32x32.mat").write_bytes(content[:-1])
    with pytest.raises(
        DataError, match=rf"sent another file \(255,999 bytes\): it should have sha256 {expected.digest}"
    ):
        fetch("svhn", tmp_path, lambda *now: None)
    assert missing("svhn", tmp_path) == ["train_32x32.mat"]
    (mirror[0].folder / "train_32x32.mat").write_bytes(content)
    calls = []
    fetch("svhn", tmp_path, lambda *now: calls.append(now))
    assert calls[-1] == (len(content), len(content), "train_32x32.mat")
    assert (tmp_path / "SVHN" / "train_32x32.mat").read_bytes() == content
    assert missing("svhn", tmp_path) == []


def test_archives_with_a_published_sha256_are_kept_as_they_are(tmp_path, monkeypatch, mirror):
    """From one's own mirror, which has the folders of a data root, since three data sets use the same file names."""
    content = gzip.compress(b"images")
    file = "train-images-idx3-ubyte"
    monkeypatch.setitem(FILES, "kmnist", {file: Archive(hashlib.sha256(content).hexdigest(), 1, AS_SENT)})
    monkeypatch.setitem(MIRRORS, "kmnist", (NOWHERE,))
    monkeypatch.setenv("BOUNDLAB_MIRROR", mirror[1])
    (mirror[0].folder / "KMNIST" / "raw").mkdir(parents=True)
    (mirror[0].folder / f"{file}.gz").write_bytes(gzip.compress(b"of MNIST"))
    (mirror[0].folder / "KMNIST" / "raw" / f"{file}.gz").write_bytes(content)
    fetch("kmnist", tmp_path, lambda *now: None)
    assert locate("kmnist", file, tmp_path).read_bytes() == content
    assert mirror[0].asked == [f"/KMNIST/raw/{file}.gz"]


def test_a_folder_that_cannot_be_written_is_named_for_svhn(tmp_path):
    (tmp_path / "SVHN").write_text("a file")
    with pytest.raises(DataError, match=r"SVHN needs 246\.3 MB in .*SVHN, which cannot be written"):
        fetch("svhn", tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c[:-100], "are no whole gzip file"),
        (lambda c: b"<html>", "sent 6 bytes that are no whole gzip file"),
        (lambda c: gzip.compress(b"other"), "its contents should have sha256"),
        (None, "answered 404"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, small, change, reason):
    path, content = small
    if change:
        path.write_bytes(change(content))
    with pytest.raises(DataError, match=reason) as error:
        fetch("mnist", tmp_path, lambda *now: None)
    assert "BOUNDLAB_MIRROR" in str(error.value)
    assert missing("mnist", tmp_path) == ["images"]
    assert [p.name for p in (tmp_path / FOLDERS["mnist"]).iterdir()] == [".download.lock"]


def test_a_server_that_breaks_off_is_named(tmp_path, small, mirror, monkeypatch):
    path, content = small
    path.write_bytes(content)
    monkeypatch.setattr(Handler, "copyfile", lambda self, source, out: out.write(source.read(100)))
    with pytest.raises(DataError, match="broke off in the middle"):
        fetch("mnist", tmp_path, lambda *now: None)


def test_no_network_says_where_to_put_the_files(tmp_path, monkeypatch, small):
    monkeypatch.setitem(MIRRORS, "mnist", (NOWHERE,))
    with pytest.raises(DataError, match=r"cannot be reached.*Put images\.gz there, or point BOUNDLAB_DATA") as error:
        load_splits("mnist", tmp_path)
    assert str(tmp_path / FOLDERS["mnist"]) in str(error.value)
    monkeypatch.setenv("BOUNDLAB_MIRROR", "not a url")
    with pytest.raises(DataError, match=r"not a url/images\.gz cannot be reached.*InvalidURL"):
        fetch("mnist", tmp_path)


def test_a_full_disk_ends_in_one_sentence(tmp_path, mnist_mirror):
    def quota():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))

    process = start(tmp_path, mnist_mirror[1], tmp_path / "status.json", preexec_fn=quota)
    last = watch(process, tmp_path / "status.json")[-1]
    assert (process.returncode, last["state"]) == (2, "failed")
    assert "MNIST needs 11.6 MB in" in last["error"]
    assert "the disk or a quota is full" in last["error"]
    assert (tmp_path / "status.err").read_text() == last["error"] + "\n"
    assert missing("mnist", tmp_path) == NAMES


def test_a_folder_that_cannot_be_written_is_named(tmp_path, small):
    (tmp_path / "MNIST").write_text("a file")
    with pytest.raises(DataError, match=r"MNIST needs .*which cannot be written.*set BOUNDLAB_DATA"):
        fetch("mnist", tmp_path)
    with pytest.raises(DataError, match="which cannot be written"):
        fetch("mnist", "/proc/boundlab")


def test_what_is_there_needs_no_network(monkeypatch, mnist_root):
    monkeypatch.setitem(MIRRORS, "mnist", ())
    fetch("mnist", mnist_root)
    assert missing("mnist", mnist_root) == missing("digits") == []
    assert download_size("mnist", mnist_root) == download_size("digits") == 0


def test_bad_names():
    with pytest.raises(ValueError, match="dataset must be one of"):
        missing("cifar")
    done = subprocess.run([sys.executable, "-m", "boundlab.data.download", "mnist"], capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_every_data_set_with_files_has_all_facts():
    assert set(FILES) == set(MIRRORS) == set(FOLDERS) == set(SHIPPED) - {"digits"}
    for archive in (archive for files in FILES.values() for archive in files.values()):
        assert archive.check in ("sha256 of the contents", AS_SENT)
        assert len(bytes.fromhex(archive.digest)) == 32
    assert all(
        mirrors[0].startswith("https://") for mirrors in MIRRORS.values()
    )  # others only where that does not answer
