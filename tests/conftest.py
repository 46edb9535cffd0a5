"""What holds for every test: the order, the marks that follow from the folder, the environment."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from support.limits import pytest_timeout_set_timer  # noqa: F401  # a hook

ROOT = Path(__file__).resolve().parent.parent
SOURCES = (ROOT / "contract/src", ROOT / "core/src", ROOT / "operator/src", ROOT / "trainer/src")

# Cheap and telling first: what fails, fails early.
ORDER = (
    "house",
    "contract",
    "core",
    "trainer",
    "manifests",
    "shell",
    "gitops",
    "cli",
    "faults",
    "cluster",
    "e2e",
)
WAITING = {"shell", "gitops", "cli", "faults"}
"""They wait for clocks and servers, the others compute."""
NEEDS_API_SERVER = {"plane", "cluster", "judge", "prometheus_server", "guarded", "victoria_metrics"}
"""Fixtures with an API server behind them, or another program that ``make check`` does not install:
one that is compiled by Go, or comes from Debian."""

# Programs that tests start find the packages as the tests do, and ask no hub for a model. Without
# bytecode each of them compiles thousands of modules anew, which takes longer than most tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
os.environ["PYTHONPATH"] = os.pathsep.join(map(str, SOURCES))
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the trainer: no thread spins for another
if "PYTEST_XDIST_WORKER" in os.environ:
    # Several processes with as many threads each as there are cores wait for one another.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# No deadline: a busy machine is slow and no failure. Failures print how to repeat them. People's
# machines look for new examples each time; what judges a change must judge it twice alike.
settings.register_profile("house", deadline=None, print_blob=True, derandomize="CI" in os.environ)
settings.load_profile("house")


# A loop beside the tests' own, from the start: else a plugin that asks for the current one makes
# one, which nobody closes, and whichever test runs when it is collected gets the warning.
_LOOP = asyncio.new_event_loop()


def pytest_configure() -> None:
    """In every process that runs tests."""
    asyncio.set_event_loop(_LOOP)


def pytest_unconfigure() -> None:
    """The last that happens."""
    _LOOP.close()


def _suite(item: pytest.Item) -> str:
    return item.path.relative_to(ROOT / "tests").parts[0]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark by folder and by the fixtures asked for, before marks are used to select; then sort."""
    for item in items:
        suite = _suite(item)
        if suite in {"cluster", "e2e"}:
            item.add_marker(suite)
        elif NEEDS_API_SERVER & set(getattr(item, "fixturenames", ())):
            item.add_marker("api")
        elif "s3" in getattr(item, "fixturenames", ()):
            item.add_marker("s3")
    rank = {suite: number for number, suite in enumerate(ORDER)}
    items.sort(key=lambda item: rank.get(_suite(item), len(ORDER)))
    if "PYTEST_XDIST_WORKER" in os.environ:
        _side_by_side(items)


def _side_by_side(items: list[pytest.Item]) -> None:
    """Files that wait among files that compute, so that two processes seldom do the same."""
    files = list(dict.fromkeys(item.path for item in items))
    waiting = {item.path for item in items if _suite(item) in WAITING}
    streams = [[file for file in files if (file in waiting) is waits] for waits in (True, False)]
    place = {file: number / len(stream) for stream in streams for number, file in enumerate(stream)}
    items.sort(key=lambda item: place[item.path])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Under ``make test``: how long each stage took, above the line that says how it ended."""
    times = os.environ.get("MM_STAGE_TIMES")
    if times:
        terminalreporter.section("stages")
        terminalreporter.write(Path(times).read_text())
