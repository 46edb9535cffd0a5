"""Reasons are words that the field accepts, each with a sentence, and the page says the same."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from maintenance_core import reasons
from maintenance_core.reasons import EventReason

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


@pytest.mark.slow
def test_the_page_says_what_the_code_says() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "dev" / "reasons.py", "--check"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


# --- the runbook --------------------------------------------------------------------------

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
ENTRIES = re.findall(r"^### (.+)$", RUNBOOK, re.MULTILINE)
WHO = (
    "nobody",
    "the author",
    "the data's owner",
    "the metric's owner",
    "the platform team",
)


def of_code() -> set[str]:
    """Every word that a person may meet: the operator's, the trainer's, the plugin's."""
    spec = importlib.util.spec_from_file_location("reasons_page", ROOT / "dev" / "reasons.py")
    assert spec is not None
    assert spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    return {*map(str, MEMBERS), *generator.of_trainer(), *generator.PLUGIN_REASONS}


@pytest.mark.slow
def test_each_reason_has_one_entry_and_each_entry_is_a_reason() -> None:
    assert len(ENTRIES) == len(set(ENTRIES))
    assert set(ENTRIES) == of_code()


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_says_who_must_act_and_what_is_to_be_done(entry: str) -> None:
    text = RUNBOOK.split(f"\n### {entry}\n")[1].split("\n## ")[0].split("\n### ")[0]
    match = re.fullmatch(r"\n\*\*Who:\*\* (.+)\n\n(.+?)\n*", text, re.DOTALL)
    assert match, text
    who, what = match.groups()
    assert "\n" not in who
    assert any(word in who for word in WHO) or re.match(r"(as|see) the ", who)
    assert what.rstrip()[-1] in ".:"
    sentences = {member.sentence for member in MEMBERS if member == entry}
    assert not any(sentence in what for sentence in sentences), "reasons.md says that already"


def test_links_of_the_runbook_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings
    }
    for target in re.findall(r"\]\(([^)]+)\)", RUNBOOK):
        file, _, anchor = target.partition("#")
        assert not file or (ROOT / "docs" / file).exists(), target
        assert not anchor or file or anchor in anchors, target


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: f"{type(member).__name__}.{member}")
def test_a_reason_is_given_by_the_code(member: reasons.Reason) -> None:
    """A word that nothing says has no business in the documentation."""
    used = f"{type(member).__name__}.{member.name}"
    sources = (ROOT / "core/src/maintenance_core", ROOT / "operator/src/maintenance_operator")
    files = [
        file for source in sources for file in source.rglob("*.py") if file.name != "reasons.py"
    ]
    texts = [file.read_text() for file in files if "cli" not in file.parts]
    assert any(used in text or f'reason: str = "{member}"' in text for text in texts)


@pytest.mark.parametrize(
    "reason",
    [EventReason.DIAGNOSIS_STARTED, EventReason.TRAINING_STARTED, EventReason.IMPORT_STARTED],
)
def test_what_is_told_with_the_decision_does_not_say_that_a_job_is_there(
    reason: EventReason,
) -> None:
    """The Event goes out with the write of status; the API server may refuse the Job after it."""
    assert "is asked for" in reason.sentence
