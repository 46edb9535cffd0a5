"""Who may import whom: the contracts hold, and would notice if they did not."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from maintenance_trainer.tasks import MODULES

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "core/src/maintenance_core"
TRAINER = ROOT / "trainer/src/maintenance_trainer"
CONTRACT = ROOT / "contract/src/maintenance_contract"


def short(module: Path) -> str:
    """A module's path for the name of a test."""
    return module.relative_to(ROOT).as_posix()


def imported(module: Path) -> set[str]:
    """The dotted names that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def belongs(name: str, allowed: tuple[str, ...]) -> bool:
    """Whether a name is of the standard library or of an allowed package."""
    inside = any(name == package or name.startswith(f"{package}.") for package in allowed)
    return inside or name.partition(".")[0] in sys.stdlib_module_names


@pytest.mark.parametrize("module", sorted(CORE.rglob("*.py")), ids=short)
def test_core_imports_the_standard_library_and_the_contract(module: Path) -> None:
    allowed = ("maintenance_contract", "maintenance_core")
    assert {name for name in imported(module) if not belongs(name, allowed)} == set()


@pytest.mark.parametrize("module", sorted(CORE.rglob("*.py")), ids=short)
def test_core_reads_no_clock_and_does_no_io(module: Path) -> None:
    assert imported(module).isdisjoint(
        {"asyncio", "io", "logging", "os", "pathlib", "random", "socket", "subprocess", "time"}
    )


@pytest.mark.parametrize("module", sorted(CONTRACT.rglob("*.py")), ids=short)
def test_the_contract_imports_the_standard_library(module: Path) -> None:
    assert {
        name for name in imported(module) if not belongs(name, ("maintenance_contract",))
    } == set()


@pytest.mark.slow
def test_nothing_but_the_registry_names_a_kind_of_model() -> None:
    """A new kind is its modules and one line: nobody else knows which there are."""
    registry = TRAINER / "tasks/__init__.py"
    for module in sorted(TRAINER.rglob("*.py")):
        name = ".".join(module.relative_to(TRAINER.parent).with_suffix("").parts)
        others = {each for its in MODULES.values() if name not in its for each in its}
        assert imported(module).isdisjoint(others), module
        text = module.read_text()
        assert module == registry or not any(each in text for each in others), module


@pytest.mark.parametrize("folder", ["", "cli", "diagnose", "recipes", "tasks/huggingface"])
def test_what_all_kinds_share_knows_none(folder: str) -> None:
    """Neither their modules nor what those are made of."""
    shared = {"maintenance_trainer.tasks.task", "maintenance_trainer.tasks"}
    for module in sorted((TRAINER / folder).glob("*.py")):
        names = {name for name in imported(module) if name.startswith("maintenance_trainer.tasks")}
        inside = "maintenance_trainer.tasks.huggingface" if "huggingface" in folder else "-"
        assert {name for name in names if not name.startswith(inside)} <= shared, module


@pytest.mark.slow
@pytest.mark.parametrize(
    "module, line, broken",
    [
        ("core/src/maintenance_core/decide/rules.py", "import kopf", "The core imports"),
        (
            "core/src/maintenance_core/model/declared.py",
            "from maintenance_core.watch import counters",
            "The core has wings",
        ),
        (
            "core/src/maintenance_core/watch/assess.py",
            "from maintenance_core.decide import rules",
            "The core has wings",
        ),
        (
            "core/src/maintenance_core/decide/gate.py",
            "from maintenance_core.lifecycle import jobs",
            "The core has wings",
        ),
        (
            "core/src/maintenance_core/lifecycle/promotion.py",
            "from maintenance_core.lifecycle import settle",
            "The life of a resource",
        ),
        (
            "operator/src/maintenance_operator/work_queue.py",
            "from maintenance_operator import handlers",
            "The operator has layers",
        ),
        ("operator/src/maintenance_operator/settings.py", "import torch", "never imports what tra"),
        (
            "trainer/src/maintenance_trainer/data/snapshot.py",
            "import kubernetes",
            "The trainer never",
        ),
        (
            "trainer/src/maintenance_trainer/training.py",
            "from maintenance_core.decide import rules",
            "In a Job the trainer",
        ),
        (
            "operator/src/maintenance_operator/reconcile.py",
            "from maintenance_operator.adapters import prometheus",
            "only through Protocols",
        ),
        (
            "operator/src/maintenance_operator/cli/layout.py",
            "from maintenance_operator import telemetry",
            "The plugin shows",
        ),
        (
            "operator/src/maintenance_operator/health.py",
            "from maintenance_operator.cli import layout",
            "Nothing of the operator imports the plugin",
        ),
    ],
    ids=[
        "core",
        "values-ask-no-wing",
        "wings-are-strangers",
        "lifecycle-is-above",
        "promotion-writes-nothing",
        "queue-knows-no-door",
        "operator",
        "trainer",
        "job",
        "reconcile",
        "plugin",
        "plugin-alone",
    ],
)
def test_a_forbidden_import_breaks_its_contract(
    tmp_path: Path, module: str, line: str, broken: str
) -> None:
    for part in ("contract", "core", "operator", "trainer"):
        shutil.copytree(ROOT / part / "src", tmp_path / part / "src")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    target = tmp_path / module
    target.write_text(f"{target.read_text()}\n{line}\n")
    result = subprocess.run(
        ["lint-imports", "--no-cache"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(
                str(tmp_path / part / "src") for part in ("contract", "core", "operator", "trainer")
            ),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1, result.stdout + result.stderr
    assert any(broken in row and "BROKEN" in row for row in result.stdout.splitlines())


def test_private_modules_of_kopf_have_one_door(tmp_path: Path) -> None:
    inside = "operator/src/maintenance_operator"
    line = "from kopf._core.reactor import inventory\n\n__all__ = ['inventory']\n"
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name in ("kopf_internals.py", "watching.py"):
        (tmp_path / inside).mkdir(parents=True, exist_ok=True)
        (tmp_path / inside / name).write_text(line)
    found = subprocess.run(
        ["ruff", "check", "--no-cache", "--select", "TID251", "--output-format", "concise", "."],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    refused = [row for row in found.stdout.splitlines() if "TID251" in row]
    assert [row.partition(":")[0] for row in refused] == [f"{inside}/watching.py"]
