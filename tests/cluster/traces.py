"""What a whole node leaves on a machine, read from the machine itself."""

import subprocess
from pathlib import Path

FILES = (
    "/run/mm-cluster",
    "/run/containerd/s/*",
    "/run/netns/*",
    "/var/lib/cni",
    "/var/lib/kubelet",
    "/var/log/containers/*",
)
# Mounts of other programs (an image being built) come and go; ours have these in their paths.
MOUNTED_BY_US = ("mm-cluster", "containerd", "kubelet", "netns")
TABLES = ("filter", "nat", "mangle")


def processes(directory: Path) -> list[int]:
    """Ids of the live processes of the cluster in a directory: its components, shims and pods."""
    mark = f"MM_CLUSTER_COMPONENT_OF={directory}\0".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            dead = b") Z " in (folder / "stat").read_bytes()
            ours = (
                mark in (folder / "environ").read_bytes()
                or b":/mm-cluster" in (folder / "cgroup").read_bytes()
            )
        except OSError:  # it ended meanwhile
            continue
        if ours and not dead:
            found.append(int(folder.name))
    return found


def traces(directory: Path) -> set[str]:
    """Everything of the machine that a cluster could leave changed, as comparable lines."""
    found = {f"process {pid}" for pid in processes(directory)}
    found |= {f"interface {link.name}" for link in Path("/sys/class/net").iterdir()}
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    found |= {f"mount {point}" for point in map(_mount_point, mounts) if _ours(point, directory)}
    for hierarchy in [Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir()]:
        if hierarchy.is_dir():
            found |= {f"cgroup {path}" for path in hierarchy.glob("*") if path.is_dir()}
    for program in ("iptables", "ip6tables"):
        for table in TABLES:
            found |= {f"{program} {table} {rule}" for rule in _rules(program, table)}
    for pattern in FILES:
        found |= {f"file {path}" for path in Path("/").glob(pattern.lstrip("/"))}
    return found


def _mount_point(line: str) -> str:
    return line.split()[1]


def _ours(point: str, directory: Path) -> bool:
    return str(directory) in point or any(word in point for word in MOUNTED_BY_US)


def _rules(program: str, table: str) -> list[str]:
    """Chains and rules; the policies of the kernel's own chains are not of a cluster's making."""
    done = subprocess.run(
        [program, "-w", "-t", table, "-S"], capture_output=True, text=True, check=True
    )
    return [line for line in done.stdout.splitlines() if not line.startswith("-P ")]
