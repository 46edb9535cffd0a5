"""What kstatus (Flux, ``helm --wait``) and Argo CD say of every state that the operator writes."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from gitops.judging import Judge, program
from gitops.stories import STORIES, a_long_life, resource
from support.control_plane import ROOT

from maintenance_core.reasons import ReadyReason

# The first test may find the programs not compiled yet.
pytestmark = pytest.mark.timeout(900)

SAME = {"InProgress": {"Progressing"}, "Current": {"Healthy", "Suspended"}, "Failed": {"Degraded"}}


@pytest.fixture(scope="module")
def told(judge: Judge) -> dict[str, dict[str, Any]]:
    """All stories, told to both."""
    resources = [resource(story.tell()) for story in STORIES.values()]
    return dict(zip(STORIES, judge(resources), strict=True))


@pytest.mark.parametrize("name", STORIES)
def test_a_state_is_seen_as_what_it_is(name: str, told: dict[str, dict[str, Any]]) -> None:
    story, verdict = STORIES[name], told[name]
    assert verdict["kstatus"]["status"] == story.kstatus
    assert verdict["argocd"]["status"] == story.argocd
    assert story.message in verdict["argocd"]["message"]


def test_who_waits_is_told_what_to_mend(told: dict[str, dict[str, Any]]) -> None:
    """Helm and Flux print this message; only Stalled carries ours."""
    failed = [name for name, story in STORIES.items() if story.kstatus == "Failed"]
    assert len(failed) > 5
    for name in failed:
        assert STORIES[name].message in told[name]["kstatus"]["message"]


@pytest.mark.slow
def test_every_reason_to_act_is_told_here_and_on_the_page() -> None:
    stalled = {
        condition["reason"]
        for story in STORIES.values()
        for condition in resource(story.tell())["status"].get("conditions", [])
        if condition["type"] == "Stalled"
    }
    page = (ROOT / "docs/gitops.md").read_text()
    [listed] = re.findall(r"has these reasons: (.*?);", page, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", listed)) == stalled
    # An unreadable status is left as it is, so no condition can say it: an Event does.
    assert stalled == set(ReadyReason) - {ReadyReason.WATCHING, ReadyReason.INVALID_STATUS}


def test_what_was_looked_at_is_never_waited_for(judge: Judge) -> None:
    """A sync does not hang: each status the operator writes is an answer, and both tools agree."""
    pages = a_long_life()
    verdicts = judge(pages)
    assert len(pages) > 15
    for page, verdict in zip(pages, verdicts, strict=True):
        ready = {c["type"]: c["status"] for c in page["status"]["conditions"]}["Ready"]
        expected = {"True": "Current", "False": "Failed"}[ready]
        assert verdict["kstatus"]["status"] == expected
        assert verdict["argocd"]["status"] in SAME[expected]
    assert {verdict["argocd"]["status"] for verdict in verdicts} == {
        "Healthy",
        "Suspended",
        "Degraded",
    }


def test_a_resource_on_its_way_out(judge: Judge) -> None:
    leaving = resource(STORIES["watching"].tell())
    leaving["metadata"]["deletionTimestamp"] = "2026-11-23T12:00:00Z"
    [verdict] = judge([leaving])
    assert verdict["kstatus"]["status"] == "Terminating"
    assert verdict["argocd"] == {"status": "Progressing", "message": "Pending deletion"}


@pytest.mark.parametrize(
    "script, complaint",
    [
        ("return {status = 'Healthy', message = io.open('/etc/hostname'):read()}", "non-table"),
        ("os.exit(0)", "non-table"),
        ("return {status = 'Healthy', message = string.upper('x')}", "non-table"),
        ("return 'Healthy'", "expected a table, the script returned string"),
        ("return {status = 'Fine'}", '"Fine" is no health status of Argo CD'),
        ("return {status = 'Healthy', message = 7}", "message is a number, not a string"),
        ("return nonsense(", "syntax error"),
    ],
)
def test_the_judge_is_as_strict_as_argo_cd(
    judge: Judge, tmp_path: Path, script: str, complaint: str
) -> None:
    """Or a script could pass here and fail there."""
    file = tmp_path / "health.lua"
    file.write_text(script)
    [verdict] = judge([resource(STORIES["watching"].tell())], file)
    assert verdict["argocd"]["status"] == "Unknown"
    assert complaint in verdict["argocd"]["message"]


def test_a_script_without_end_is_stopped(judge: Judge, tmp_path: Path) -> None:
    file = tmp_path / "health.lua"
    file.write_text("while true do end")
    [verdict] = judge([resource(STORIES["watching"].tell())], file, "10ms")
    assert verdict["argocd"]["status"] == "Unknown"
    assert "context deadline exceeded" in verdict["argocd"]["message"]


def test_the_judge_says_what_it_cannot_read(judge: Judge) -> None:
    done = subprocess.run(
        [program(), "--argocd-health", "/no/such/health.lua"],
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "/no/such/health.lua" in done.stderr) == (1, True)
    helped = subprocess.run([program(), "--help"], capture_output=True, text=True, check=True)
    assert "kubectl get -o yaml" in helped.stderr
