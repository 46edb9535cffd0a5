"""Models of tables that answer a number go the whole way, too."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.laboratory import champion
from support.tables import Record, TableLab, patients
from support.tables import lab as of_kind

from maintenance_contract import (
    Answer,
    ChampionRef,
    Operation,
    PairedLoss,
    Question,
    ScoreMetric,
    Task,
    TrainingAction,
    TrainingReport,
)
from maintenance_core.decide.gate import judge
from maintenance_core.model import Champion
from maintenance_core.spec import parse
from maintenance_trainer.cli.rules import DEFAULTS

FINE_TUNE, RETRAIN = TrainingAction.FINE_TUNE, TrainingAction.RETRAIN
NOW = datetime(2026, 11, 29, tzinfo=UTC)
Change = Callable[[Record, np.random.Generator], None]


class NumberLab(TableLab):
    """A laboratory of tables with numbers as labels."""

    kind = Task.TABULAR_REGRESSION

    def request(self, operation: Operation, run: int, **changes: Any) -> Any:
        return super().request(operation, run, **{"metric": ScoreMetric.MAE, **changes})


def days(seed: int, count: int, change: Change | None = None) -> list[Record]:
    """Days in hospital, of patients."""

    def last(row: Record, chance: np.random.Generator) -> None:
        stay = 3 + (row["pressure"] - 130) / 10 + 2 * (row["ward"] == "trauma")
        row["label"] = round(max(0.1, stay + float(chance.normal(0, 0.4))), 2)
        if change is not None:
            change(row, chance)

    return patients(seed, count, change=last)


def lab(folder: Path) -> NumberLab:
    made = of_kind(folder, NumberLab)
    assert isinstance(made, NumberLab)
    return made


def first_version(folder: Path) -> tuple[NumberLab, TrainingReport]:
    made = lab(folder)
    made.put("original/first.jsonl", days(1, 1500))
    return made, made.train(1, RETRAIN, made.diagnose(1))


def answers(report: TrainingReport) -> dict[Question, Answer]:
    assert report.diagnosis is not None
    return {finding.question: finding.answer for finding in report.diagnosis.findings}


def loss(report: TrainingReport) -> PairedLoss:
    assert report.evaluation is not None
    assert report.evaluation.scores is not None
    found = report.evaluation.scores.new or report.evaluation.scores.old
    assert isinstance(found, PairedLoss)
    return found


def promoted(report: TrainingReport, version: ChampionRef | None) -> bool:
    served = version and Champion(version.version, "", version.digest, NOW, RETRAIN)
    gate = parse(
        {
            **DEFAULTS,
            "model": {"task": "TabularRegression", "storage": DEFAULTS["model"]["storage"]},
        }
    ).gate
    return judge(report, gate=gate, champion=served, concept_drift=False).promote


@pytest.mark.slow
def test_the_first_version_beats_the_median_and_is_xgboosts_own_file(tmp_path: Path) -> None:
    made, first = first_version(tmp_path)
    assert promoted(first, None), first.evaluation
    assert loss(first).challenger < 0.6
    folder = made.store / "versions/1"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["task"], manifest["labels"]) == ("TabularRegression", [])
    assert set(manifest["files"]) == {"model.ubj", "table.json"}
    assert json.loads((folder / "table.json").read_text())["labels"] == []


@pytest.mark.slow
def test_nothing_has_changed(tmp_path: Path) -> None:
    made, first = first_version(tmp_path)
    made.put("updates/more.csv", days(2, 600))
    found = made.diagnose(2, champion=champion(first))
    assert answers(found)[Question.FEATURE_SPACE_CHANGE] is Answer.NO
    assert Answer.MAJOR not in answers(found).values()


@pytest.mark.slow
def test_a_column_in_another_unit_asks_for_a_retrain(tmp_path: Path) -> None:
    def to_kilopascals(row: Record, _chance: np.random.Generator) -> None:
        row["pressure"] = round(row["pressure"] * 0.1333, 3)

    made, first = first_version(tmp_path)
    made.put("updates/more.csv", days(2, 600, to_kilopascals))
    found = made.diagnose(2, champion=champion(first))
    assert answers(found)[Question.FEATURE_SPACE_CHANGE] is Answer.MAJOR
    again = made.train(2, RETRAIN, found, champion=champion(first))
    assert promoted(again, champion(first)), again.evaluation
    assert loss(again).challenger < loss(again).champion / 2


@pytest.mark.slow
def test_labels_that_follow_from_a_column_in_another_unit_are_not_broken(tmp_path: Path) -> None:
    """Though all its values are far beyond any that the model has seen."""

    def by_pressure(row: Record, chance: np.random.Generator) -> None:
        row["label"] = round(row["pressure"] / 10 + float(chance.normal(0, 0.4)), 2)

    def in_pascals(row: Record, chance: np.random.Generator) -> None:
        by_pressure(row, chance)
        row["pressure"] = round(row["pressure"] * 133.322, 1)

    made = lab(tmp_path)
    made.put("original/first.jsonl", days(1, 1500, by_pressure))
    first = made.train(1, RETRAIN, made.diagnose(1))
    made.put("updates/more.csv", days(2, 600, in_pascals))
    found = made.diagnose(2, champion=champion(first))
    assert answers(found)[Question.FEATURE_SPACE_CHANGE] is Answer.MAJOR


@pytest.mark.slow
def test_a_pattern_that_nobody_has_seen_is_learnt_by_going_on(tmp_path: Path) -> None:
    def child(row: Record, chance: np.random.Generator) -> None:
        if chance.random() < 0.2:
            row.update(age=int(chance.integers(1, 9)), height=35.0, sugar=12.5, pressure=88.0)
            row["label"] = round(9 + float(chance.normal(0, 0.4)), 2)

    made, first = first_version(tmp_path)
    made.put("updates/more.csv", days(2, 800, child))
    found = made.diagnose(2, champion=champion(first))
    assert answers(found)[Question.DATA_DISTRIBUTION_SHIFT] is not Answer.NO
    tuned = made.train(2, FINE_TUNE, found, champion=champion(first))
    assert promoted(tuned, champion(first)), tuned.evaluation
    assert loss(tuned).challenger < 0.75 * loss(tuned).champion


@pytest.mark.parametrize(
    "label, reason, said",
    [
        ("long", "DataUnreadable", "column 'label': a finite number is expected, not a str"),
        (float("inf"), "DataUnreadable", "a finite number is expected"),
        (1e39, "DataUnreadable", "a finite number is expected"),
        (True, "DataUnreadable", "a finite number is expected, not true or false"),
        ("1_000", "DataUnreadable", "a finite number is expected, not a str ('1_000')"),
        ("١٢", "DataUnreadable", "a finite number is expected, not a str"),
        ("infinity", "DataUnreadable", "a finite number is expected, not a str"),
        (None, "LabelMissing", "the label is missing"),
        (float("nan"), "LabelMissing", "the label is missing"),
    ],
)
def test_a_label_that_is_no_number_is_refused_with_its_place(
    tmp_path: Path, label: Any, reason: str, said: str
) -> None:
    made = lab(tmp_path)
    rows = days(1, 60)
    rows[7]["label"] = label
    made.put("original/first.jsonl", rows)
    report, code = made.do(made.request(Operation.DIAGNOSE, 1))
    assert (report.reason, code) == (reason, 65)
    assert report.message.startswith("original/first.jsonl, line 8, column 'label': ")
    assert said in report.message


@pytest.mark.slow
def test_a_column_that_is_the_label_in_another_unit_blocks_by_name(tmp_path: Path) -> None:
    def leak(row: Record, _chance: np.random.Generator) -> None:
        row["hours"] = row["label"] * 24

    made = lab(tmp_path)
    made.put("original/first.csv", days(1, 300, leak))
    report, code = made.do(made.request(Operation.DIAGNOSE, 1))
    assert (report.reason, code) == ("LabelInColumn", 65)
    assert "data.original: the column 'hours' is the label in each of 300 rows" in report.message
