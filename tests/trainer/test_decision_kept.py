"""Why a run trains is kept in its folder; a run never fails for it."""

from pathlib import Path

import pytest

from maintenance_contract import (
    Answer,
    DataRef,
    ModelRef,
    Operation,
    Question,
    Recipes,
    ResourceRef,
    Task,
    TrainingAction,
    TrainingReport,
    TrainingRequest,
)
from maintenance_contract.decision import Asked, DecisionRecord, Figure
from maintenance_contract.flowchart import picture
from maintenance_contract.paths import DECISION_FILE, REQUEST_FILE
from maintenance_trainer import job
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.locations import Places
from maintenance_trainer.work import Work

RECORD = DecisionRecord(
    "finance",
    "news",
    7,
    "PerformanceDrop",
    "FineTune",
    "DomainExpansion",
    "Accuracy 0.87 was below 0.9.",
    "2026-11-23T18:00:03Z",
    (
        Asked(Question.PERFORMANCE_DROP, Answer.YES, (Figure("accuracy", "0.87", "0.9"),)),
        Asked(Question.MONITOR_AND_OPTIMIZE, Answer.YES),
    ),
)


@pytest.fixture(autouse=True)
def _no_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work itself fails, at once and without torch."""

    def fail(work: Work) -> TrainingReport:
        raise ConfigurationError("SnapshotMissing", f"run {work.request.run} has none")

    monkeypatch.setattr(job, "_operate", fail)


def run(tmp_path: Path, decision: str | None) -> Path:
    """A training that fails, and has its folder all the same."""
    told = tmp_path / "told"
    told.mkdir()
    request = TrainingRequest(
        Operation.TRAIN,
        ResourceRef("finance", "news", "uid-1"),
        7,
        ModelRef(Task.TEXT_CLASSIFICATION, f"file://{tmp_path}/base", f"file://{tmp_path}/store"),
        DataRef(f"file://{tmp_path}/original", f"file://{tmp_path}/updates"),
        Recipes(),
        action=TrainingAction.RETRAIN,
    )
    (told / REQUEST_FILE).write_text(request.to_json())
    if decision is not None:
        (told / DECISION_FILE).write_text(decision)
    code = job.run(told / REQUEST_FILE, Places(""), tmp_path / "termination-log")
    assert code != 0
    assert '"SnapshotMissing"' in (tmp_path / "termination-log").read_text()
    return tmp_path / "store/runs/7"


def test_the_decision_and_its_picture_lie_in_the_runs_folder(tmp_path: Path) -> None:
    folder = run(tmp_path, RECORD.to_json())
    assert DecisionRecord.from_json((folder / "decision.json").read_text()) == RECORD
    assert (folder / "decision.svg").read_text() == picture(RECORD)


@pytest.mark.parametrize("decision", [None, "", "{}", RECORD.to_json()[:-1]])
def test_without_one_that_can_be_read_the_run_goes_on(
    tmp_path: Path, decision: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = run(tmp_path, decision)
    assert sorted(path.name for path in folder.iterdir()) == [
        "report.json",
        "request-train.json",
    ]
    said = capfd.readouterr()
    assert ("picture is not kept" in said.out + said.err) == (decision is not None)
