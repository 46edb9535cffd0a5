"""Limits follow the machine: work beside the tests stretches them, a standstill does not."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import pace

ROOT = Path(__file__).resolve().parents[2]
HANGS = """
import time
import pytest

@pytest.mark.timeout(1)
def test_that_hangs():
    time.sleep(600)

@pytest.mark.timeout(60)
def test_that_does_not():
    pass
"""
CONFTEST = "from support.limits import pytest_timeout_set_timer"


@pytest.mark.slow
def test_a_test_that_hangs_is_ended_and_the_next_one_runs(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(HANGS)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests")},
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 1 passed" in done.stdout
    assert "Timeout (>1.0s)" in done.stdout


def test_on_a_machine_that_is_four_times_slower_a_limit_lasts_four_times_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    slowness = 4.0
    monkeypatch.setattr(pace, "pace", lambda: slowness)
    allowance = pace.Allowance(10.0)
    now = 30.0
    assert allowance.left() == pytest.approx(2.5)
    slowness = 1.0
    now = 32.0
    assert not allowance.used_up()
    now = 33.0
    assert allowance.used_up()


def test_the_pace_is_what_a_piece_of_work_takes_and_never_below_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = iter([0.5, 6.0, 6.0])
    monkeypatch.setattr(pace, "_work", lambda: next(taken) * pace.WORK_SECONDS)
    monkeypatch.setattr(pace, "MEASURE_EVERY", 0.0)
    measured = pace.Pace()
    assert measured() == 1.0
    assert measured() == pytest.approx(3.25)
    assert measured() == pytest.approx(12.5 / 3)
