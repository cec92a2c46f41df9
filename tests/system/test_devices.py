"""What can train here: the real process, and cgroups written by hand."""

import os

import pytest

from boundlab.system import devices
from boundlab.system.devices import Device, _ask, probe


def test_the_process_and_probe_agree_with_torch():
    import torch

    assert probe() == _ask(60)
    found = probe()
    assert [d.kind for d in found] == ["cpu"] + ["cuda"] * torch.cuda.device_count()
    assert found[0] == devices.cpu()
    assert found[0].note is None
    assert 1 <= found[0].cores <= os.cpu_count()
    assert 2**28 < found[0].memory <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_torch_is_asked_only_where_a_driver_is(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "_ask", lambda limit: ["asked"])
    monkeypatch.setattr(devices.sys, "platform", "linux")
    assert not devices._may_have_gpu([str(tmp_path / "nvidiactl")])
    (tmp_path / "nvidiactl").touch()
    assert devices._may_have_gpu([str(tmp_path / "nvidiactl")])
    for platform, may in (("darwin", False), ("win32", True)):
        monkeypatch.setattr(devices.sys, "platform", platform)
        assert devices._may_have_gpu([]) is may
        assert probe() == (["asked"] if may else [devices.cpu()])


def test_a_failure_gives_the_cpu_and_the_reason(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("raise ImportError('libcuda is broken')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    (found,) = _ask(60)
    assert (found.kind, found.note) == ("cpu", "GPUs could not be looked for: ImportError: libcuda is broken")
    (tmp_path / "torch.py").write_text("import time; time.sleep(600)")
    (found,) = _ask(0.5)
    assert (found.kind, found.note) == ("cpu", "GPUs could not be looked for: torch did not answer within 0.5 s")


@pytest.mark.parametrize(
    ("device", "title"),
    [
        (Device("cpu", "AMD EPYC", 0, cores=2), "CPU (AMD EPYC, 2 cores)"),
        (Device("cpu", "Intel(R) Xeon(R) CPU @ 2.20GHz", 0, cores=1), "CPU (Intel Xeon, 1 core)"),
        (Device("cpu", "AMD EPYC 7763 64-Core Processor", 0, cores=4), "CPU (AMD EPYC 7763, 4 cores)"),
        (Device("cuda", "NVIDIA H100 80GB HBM3", 85_520_809_984, index=0), "NVIDIA H100 (80 GB)"),
        (Device("cuda", "NVIDIA A100-SXM4-40GB", 42_300_000_000, index=0), "NVIDIA A100-SXM4 (39 GB)"),
        (Device("cuda", "Tesla T4", 15_828_320_256, index=0), "Tesla T4 (15 GB)"),
    ],
)
def test_titles(device, title):
    assert device.title == title


def cgroup(tmp_path, group: str, files: dict[str, str]):
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_text(group)
    for name, content in files.items():
        path = tmp_path / "fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    return tmp_path, tmp_path / "fs"


@pytest.mark.parametrize(
    ("group", "files"),
    [
        ("0::/a/b\n", {"a/cpu.max": "150000 100000", "a/b/cpu.max": "max 100000", "a/b/memory.max": "1000000"}),
        ("0::/gone\n", {"cpu.max": "50000 100000", "memory.max": "1000000"}),  # a container sees its own group as root
        (
            "3:cpu,cpuacct:/a\n4:memory:/a\n1:name=systemd:/a\n",
            {
                "cpu/a/cpu.cfs_quota_us": "100000",
                "cpu/a/cpu.cfs_period_us": "100000",
                "cpu/cpu.cfs_quota_us": "-1",
                "cpu/cpu.cfs_period_us": "100000",
                "memory/a/memory.limit_in_bytes": "1000000",
            },
        ),
    ],
)
def test_quotas_of_cgroups_count(tmp_path, monkeypatch, group, files):
    places = cgroup(tmp_path, group, files)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    expected = 2 if "a/cpu.max" in files else 1
    assert devices.usable_cores(*places) == expected
    assert devices._memory(*places) == 1_000_000
    assert devices.usable_cores(tmp_path / "none", tmp_path / "none") == 8


def test_free_memory_is_the_machines_or_what_a_cgroup_leaves(tmp_path):
    proc, root = cgroup(
        tmp_path,
        "0::/a/b\n",
        {"a/memory.max": "9000000", "a/memory.current": "8000000", "a/memory.stat": "anon 1\ninactive_file 500000"},
    )
    assert devices.free_memory(proc, root) == 1_500_000  # what is cached is given back
    (proc / "meminfo").write_text("MemTotal: 99 kB\nMemAvailable:   1000 kB\n")
    assert devices.free_memory(proc, root) == 1_024_000
    assert devices.free_memory(proc, tmp_path / "none") == 1_024_000
    assert 0 < devices.free_memory() <= devices._memory()
