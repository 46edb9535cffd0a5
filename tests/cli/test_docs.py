"""Every command of the plugin that a page shows can be given."""

import re
import shlex
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


def test_every_state_is_explained() -> None:
    page = (ROOT / "docs/kubectl-mm.md").read_text(encoding="utf-8")
    assert [state for state in State if f"`{state.value}`" not in page] == []
