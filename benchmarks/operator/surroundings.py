"""On what was measured: the machine, the versions, how busy it was."""

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def now() -> str:
    """The time, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def machine() -> dict[str, Any]:
    """Cores, memory, processor."""
    model = re.search(r"^model name\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    total = re.search(r"^MemTotal:\s*(\d+) kB", _read("/proc/meminfo"), re.MULTILINE)
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(total[1]) / 2**20, 1) if total else None,
        "processor": model[1] if model else platform.machine(),
        "kernel": platform.release(),
    }


def versions(kubernetes: Mapping[str, str]) -> dict[str, str]:
    """Of what took part."""
    return {
        "kubernetes": kubernetes["gitVersion"],
        "prometheus": _first(["prometheus", "--version"], r"version (\S+)"),
        "python": platform.python_version(),
        "kubernetes_client": version("kubernetes"),
        **{name: version(name) for name in ("kopf", "aiohttp")},
    }


def commit() -> str:
    """Of the checkout; with + where its operator has changes that are not committed."""
    head = _first(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], r"(\S+)")
    changed = subprocess.run(
        [
            "git",
            "-C",
            str(ROOT),
            "status",
            "--porcelain",
            "operator",
            "core",
            "contract",
            "manifests",
        ],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return head + ("+" if changed else "")


def load() -> float:
    """The load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def resident_mib(pid: int) -> float:
    """Resident memory of a process."""
    found = re.search(r"^VmRSS:\s*(\d+) kB", _read(f"/proc/{pid}/status"), re.MULTILINE)
    return int(found[1]) / 1024 if found else float("nan")


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far, user and system."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _first(command: Sequence[str], pattern: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    found = re.search(pattern, done.stdout + done.stderr)
    return found[1] if found else "unknown"


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")
