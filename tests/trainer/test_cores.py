"""Threads: as many as the quota pays for."""

import os
from pathlib import Path

import pytest

from maintenance_trainer.cores import cores

SEEN = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    "content, expected",
    [
        ("max 100000\n", SEEN),
        ("100000 100000\n", 1),
        ("50000 100000\n", 1),
        ("6400000 100000\n", SEEN),
        ("torn", SEEN),
    ],
)
def test_a_quota_bounds_the_cores(tmp_path: Path, content: str, expected: int) -> None:
    (tmp_path / "cpu.max").write_text(content)
    assert cores(tmp_path / "cpu.max") == expected


def test_without_a_quota_all_cores_count(tmp_path: Path) -> None:
    assert cores(tmp_path / "none") == SEEN
