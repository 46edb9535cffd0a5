"""Every command of the plugin that a page shows can be given."""

import ast
import re
import shlex
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from maintenance_operator.cli.command import parser
from maintenance_operator.cli.outlook import State

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"^(?:\$ )?kubectl mm (.+?)(?: [|&<].*)?$", re.MULTILINE)
SHOWN = [
    (page.name, command)
    for page in PAGES
    for command in COMMAND.findall(page.read_text(encoding="utf-8"))
]


def test_pages_show_commands() -> None:
    assert {"kubectl-mm.md"} <= {page for page, _ in SHOWN}


@pytest.mark.parametrize(
    "command", sorted({command for _, command in SHOWN if "--help" not in command})
)
def test_a_command_that_is_shown_is_understood(command: str) -> None:
    parser().parse_args(shlex.split(command, comments=True))


def imported() -> set[str]:
    """Top-level names of what the plugin imports, wherever it does so."""
    found: set[str] = set()
    for file in (ROOT / "operator/src/maintenance_operator/cli").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Import(names=names):
                    found |= {name.name.partition(".")[0] for name in names}
                case ast.ImportFrom(module=str(module), level=0):
                    found.add(module.partition(".")[0])
                case _:
                    pass
    return (
        found
        - set(sys.stdlib_module_names)
        - {"maintenance_contract", "maintenance_core", "maintenance_operator"}
    )


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")


@pytest.mark.slow
def test_what_the_page_installs_has_all_that_the_plugin_imports() -> None:
    """Else a form that --help offers ends in a hint at a package."""
    page = (ROOT / "docs/kubectl-mm.md").read_text(encoding="utf-8")
    [line] = re.findall(r"bin/pip install (.*)", page)
    project = tomllib.loads((ROOT / "operator/pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    for extras in re.findall(r"operator\[([^]]+)\]", line):
        for extra in extras.split(","):
            wanted += project["optional-dependencies"][extra]
    installed = {_normal(re.split(r"[^A-Za-z0-9_.-]", one)[0]) for one in wanted}
    by_module = packages_distributions()
    missing = {
        module for module in imported() if not set(map(_normal, by_module[module])) & installed
    }
    assert missing == set()


def test_every_state_is_explained() -> None:
    page = (ROOT / "docs/kubectl-mm.md").read_text(encoding="utf-8")
    assert [state for state in State if f"`{state.value}`" not in page] == []
