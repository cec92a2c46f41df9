"""What can train on this machine. `python -m boundlab.system.devices` asks torch, in a process of its own, and prints JSON."""

from __future__ import annotations

import json
import math
import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from boundlab.system.processes import ATTACHED

_TIME_LIMIT = 60  # seconds for importing torch and asking it
_DRIVERS = (
    "/dev/nvidiactl",
    "/dev/dxg",
    "/dev/kfd",
)  # of NVIDIA, of Windows below WSL, of AMD: one is there where a GPU is


@dataclass(frozen=True)
class Device:
    """A CPU or one GPU; `memory` in bytes; `note`: why GPUs could not be looked for (on the CPU alone)."""

    kind: str  # "cpu" or "cuda"
    name: str
    memory: int
    cores: int | None = None  # usable by this process; CPU only
    index: int | None = None  # GPU only
    note: str | None = None

    @property
    def title(self) -> str:
        """ "CPU (AMD EPYC, 2 cores)", "NVIDIA H100 (80 GB)"."""
        if self.kind == "cpu":
            name = re.sub(r"\((R|TM)\)|\b\d+-Core\b|\b(CPU|Processor)\b|@.*", " ", self.name)
            return f"CPU ({' '.join(name.split())}, {self.cores} core{'s' * (self.cores != 1)})"
        return f"{re.sub(r'[ -][0-9]+ ?GB.*', '', self.name)} ({round(self.memory / 2**30)} GB)"


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _cgroup(file: str, controller: str, proc: Path, root: Path) -> list[str]:
    """What a cgroup file holds, from this process's group up; `controller` "" for version 2."""
    found = []
    for line in _read(proc / "self" / "cgroup").splitlines():
        _, controllers, place = line.split(":", 2)
        if controller in controllers.split(","):
            top = root / controller
            group = top / place.lstrip("/")
            found += [_read(folder / file) for folder in (group, *group.parents) if folder.is_relative_to(top)]
    return [content for content in found if content]


def usable_cores(proc: Path = Path("/proc"), root: Path = Path("/sys/fs/cgroup")) -> int:
    """Cores that this process may use: its affinity and its cgroups' quotas (a part of a core counts as one)."""
    usable = [float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)]
    quotas = [content.split()[:2] for content in _cgroup("cpu.max", "", proc, root)]
    periods = _cgroup("cpu.cfs_period_us", "cpu", proc, root)
    quotas += [list(pair) for pair in zip(_cgroup("cpu.cfs_quota_us", "cpu", proc, root), periods, strict=False)]
    usable += [int(quota) / int(period) for quota, period in quotas if quota.isdigit()]  # "max" and -1: no limit
    return max(1, math.ceil(min(usable)))


def _memory(proc: Path = Path("/proc"), root: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes of memory: the machine's, or less where a cgroup limits it."""
    limits = _cgroup("memory.max", "", proc, root) + _cgroup("memory.limit_in_bytes", "memory", proc, root)
    return min([os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *(int(c) for c in limits if c.isdigit())])


def _available(text: str) -> int | None:
    """MemAvailable of /proc/meminfo."""
    found = re.search(r"^MemAvailable:\s*(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _free_on_macos() -> int | None:
    """Of the memory, the percentage that the kernel calls free."""
    try:
        names = ["hw.memsize", "kern.memorystatus_level"]
        done = subprocess.run(["sysctl", "-n", *names], capture_output=True, text=True, timeout=5)
        size, level = map(int, done.stdout.split())
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return size * level // 100


def free_memory(proc: Path = Path("/proc"), root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes that further processes may take: the machine's, or less where a cgroup limits it; None where nobody says."""
    found = [_available(_read(proc / "meminfo")) if proc.is_dir() else _free_on_macos()]
    for files, controller, cache in (
        (("memory.max", "memory.current", "memory.stat"), "", "inactive_file"),
        (("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat"), "memory", "total_inactive_file"),
    ):
        for most, used, stat in zip(*(_cgroup(file, controller, proc, root) for file in files), strict=False):
            if most.isdigit() and used.isdigit():
                given_back = re.search(rf"^{cache} (\d+)", stat, re.MULTILINE)
                found.append(int(most) - int(used) + (int(given_back[1]) if given_back else 0))
    known = [max(0, value) for value in found if value is not None]
    return min(known) if known else None


def cpu(note: str | None = None) -> Device:
    """This machine's CPU, asked without torch."""
    found = re.search(r"^model name\s*:\s*(.+)$", _read(Path("/proc/cpuinfo")), re.MULTILINE)
    name = found[1] if found else platform.processor() or platform.machine()
    return Device("cpu", name, _memory(), cores=usable_cores(), note=note)


def ask_torch() -> list[Device]:
    """CPU and GPUs as torch sees them: the index is torch's. Imports torch."""
    import torch

    found = [cpu()]
    for index in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(index)
        found.append(Device("cuda", facts.name, facts.total_memory, index=index))
    return found


def _may_have_gpu(drivers: Sequence[str] = _DRIVERS) -> bool:
    """Whether torch could see a GPU, from what the system shows: without torch, whose import takes seconds, or a minute beside
    other work. macOS has no CUDA; of Windows nothing is known before torch is asked."""
    if sys.platform == "darwin":
        return False
    return not sys.platform.startswith("linux") or any(Path(file).exists() for file in drivers)


def probe(limit: float = _TIME_LIMIT) -> list[Device]:
    """What can train here, CPU first. Where there may be a GPU torch is asked, in a process of its own (some seconds); on failure
    the CPU with a `note`."""
    return _ask(limit) if _may_have_gpu() else [cpu()]


def _ask(limit: float) -> list[Device]:
    theirs, ours = os.pipe()  # it ends with this process, which holds the other end
    try:
        done = subprocess.run(
            [*ATTACHED, "boundlab.system.devices"],
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=limit,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        if done.returncode:
            said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            return [cpu(f"GPUs could not be looked for: {said}")]
        return [Device(**facts) for facts in json.loads(done.stdout.strip().splitlines()[-1])]
    except subprocess.TimeoutExpired:
        return [cpu(f"GPUs could not be looked for: torch did not answer within {limit:g} s")]
    except (OSError, ValueError, TypeError, IndexError) as error:
        return [cpu(f"GPUs could not be looked for: {error}")]
    finally:
        os.close(theirs)
        os.close(ours)


def best_kind() -> str:
    """ "cuda" where torch sees a GPU, else "cpu"."""
    return "cuda" if any(device.kind == "cuda" for device in probe()) else "cpu"


def main() -> None:
    """Print the devices as one JSON list, fields that do not apply left out; niced, since torch's import is heavy."""
    if hasattr(os, "nice"):
        os.nice(10)
    devices = [{name: value for name, value in asdict(d).items() if value is not None} for d in ask_torch()]
    print(json.dumps(devices))


if __name__ == "__main__":
    main()
