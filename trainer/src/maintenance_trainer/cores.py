"""How many cores this process may really use."""

import os
from math import ceil
from pathlib import Path

CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def cores(quota_file: Path = CGROUP_QUOTA) -> int:
    """Cores of the affinity mask, or fewer where a container's quota allows fewer.

    A pod limited to 2 CPUs on a node of 64 sees all 64; as many threads would only wait.
    """
    seen = len(os.sched_getaffinity(0))
    try:
        quota, period = quota_file.read_text(encoding="ascii").split()
        return max(1, min(seen, ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no cgroup v2, or "max": no quota
        return seen
