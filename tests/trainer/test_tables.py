"""Models of tables go the whole way: what is asked of a change, and what both ways give."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.laboratory import champion
from support.tables import Record, TableLab, lab, patients

from maintenance_contract import (
    Answer,
    ChampionRef,
    Question,
    TrainingAction,
    TrainingReport,
)
from maintenance_core.decide.gate import judge
from maintenance_core.model import Champion
from maintenance_core.spec import parse
from maintenance_trainer.cli.rules import DEFAULTS

FINE_TUNE, RETRAIN = TrainingAction.FINE_TUNE, TrainingAction.RETRAIN
NOW = datetime(2026, 11, 29, tzinfo=UTC)


def first_version(folder: Path, **arguments: Any) -> tuple[TableLab, TrainingReport]:
    made = lab(folder, **arguments)
    made.put("original/first.csv", patients(1, 1500))
    return made, made.train(1, RETRAIN, made.diagnose(1))


def answers(report: TrainingReport) -> dict[Question, Answer]:
    assert report.diagnosis is not None
    return {finding.question: finding.answer for finding in report.diagnosis.findings}


def evidence(report: TrainingReport) -> dict[str, float]:
    assert report.diagnosis is not None
    return {
        each.name: each.value for finding in report.diagnosis.findings for each in finding.evidence
    }


def accuracies(report: TrainingReport) -> tuple[float, float]:
    assert report.evaluation is not None
    assert report.evaluation.new is not None
    new = report.evaluation.new
    return new.champion_accuracy, new.challenger_accuracy


def promoted(report: TrainingReport, version: ChampionRef | None) -> bool:
    served = version and Champion(version.version, "", version.digest, NOW, RETRAIN)
    return judge(report, gate=parse(DEFAULTS).gate, champion=served, concept_drift=False).promote


def test_the_first_version_needs_no_base_model_and_is_xgboosts_own_file(tmp_path: Path) -> None:
    made, first = first_version(tmp_path)
    assert promoted(first, None), first.evaluation
    folder = made.store / "versions/1"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["files"]) == {"model.ubj", "table.json"}
    assert (manifest["task"], manifest["labels"]) == ("TabularClassification", ["healthy", "ill"])
    assert manifest["baseModel"] is None
    table = json.loads((folder / "table.json").read_text())
    assert [(each["name"], each["type"]) for each in table["columns"]] == [
        ("age", "number"),
        ("height", "number"),
        ("pressure", "number"),
        ("sugar", "number"),
        ("ward", "category"),
        ("smoker", "boolean"),
        ("admitted", "date"),
    ]
    assert table["columns"][4]["categories"] == ["cardiology", "surgery", "trauma"]
    assert table["labels"] == ["healthy", "ill"]


def test_nothing_has_changed(tmp_path: Path) -> None:
    made, first = first_version(tmp_path)
    made.put("updates/more.csv", patients(2, 600))
    found = made.diagnose(2, champion=champion(first))
    assert answers(found)[Question.FEATURE_SPACE_CHANGE] is Answer.NO
    assert Answer.MAJOR not in answers(found).values()
    assert evidence(found)["changedColumns"] == 0


def inches_to_centimetres(row: Record, _chance: np.random.Generator) -> None:
    row["pressure"] = round(row["pressure"] * 0.1333, 3)  # mmHg to kPa


def test_a_column_in_another_unit_asks_for_a_retrain(tmp_path: Path) -> None:
    made, first = first_version(tmp_path)
    made.put("updates/more.csv", patients(2, 600, change=inches_to_centimetres))
    found = made.diagnose(2, champion=champion(first))
    assert answers(found)[Question.FEATURE_SPACE_CHANGE] is Answer.MAJOR
    assert evidence(found)["changedColumns"] == 1
    assert evidence(found)["unitFactor:pressure"] == pytest.approx(0.1333, rel=0.05)
    again = made.train(2, RETRAIN, found, champion=champion(first))
    assert promoted(again, champion(first)), again.evaluation
    before, after = accuracies(again)
    assert after > before + 0.15
