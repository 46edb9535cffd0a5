"""Reasons are words that the field accepts, each with a sentence, and the page says the same."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from maintenance_operator.core import reasons

ROOT = Path(__file__).parents[2]
KINDS = [
    kind
    for kind in vars(reasons).values()
    if isinstance(kind, type) and issubclass(kind, reasons.Reason) and list(kind)
]
MEMBERS = [member for kind in KINDS for member in kind]


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: f"{type(member).__name__}.{member}")
def test_a_reason_is_a_word_with_a_sentence(member: reasons.Reason) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z]{1,62}", member)
    assert re.fullmatch(r"[A-Zs][^\n]{8,160}\.", member.sentence)


def test_the_page_says_what_the_code_says() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "dev" / "reasons.py", "--check"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
