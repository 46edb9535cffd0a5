"""Models of tables go the whole way: what is asked of a change, and what both ways give."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.laboratory import age, champion
from support.tables import Record, TableLab, lab, patients, write_csv

from maintenance_contract import (
    Answer,
    ChampionRef,
    Operation,
    Question,
    Sampling,
    TrainingAction,
    TrainingReport,
)
from maintenance_core.decide.gate import judge
from maintenance_core.model import Champion
from maintenance_core.spec import parse
from maintenance_trainer.cli.rules import DEFAULTS
from maintenance_trainer.data.snapshot import take_snapshot
from maintenance_trainer.locations import Places
from maintenance_trainer.tasks.labelled_tables import SOURCE

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


@pytest.mark.slow
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


@pytest.mark.slow
def test_nothing_has_changed(tmp_path: Path) -> None:
    made, first = first_version(tmp_path)
    made.put("updates/more.csv", patients(2, 600))
    found = made.diagnose(2, champion=champion(first))
    assert answers(found)[Question.FEATURE_SPACE_CHANGE] is Answer.NO
    assert Answer.MAJOR not in answers(found).values()
    assert evidence(found)["changedColumns"] == 0


def to_kilopascals(row: Record, _chance: np.random.Generator) -> None:
    row["pressure"] = round(row["pressure"] * 0.1333, 3)  # mmHg to kPa


@pytest.mark.slow
def test_a_column_in_another_unit_asks_for_a_retrain(tmp_path: Path) -> None:
    made, first = first_version(tmp_path)
    made.put("updates/more.csv", patients(2, 600, change=to_kilopascals))
    found = made.diagnose(2, champion=champion(first))
    assert answers(found)[Question.FEATURE_SPACE_CHANGE] is Answer.MAJOR
    assert evidence(found)["changedColumns"] == 1
    assert evidence(found)["unitFactor:pressure"] == pytest.approx(0.1333, rel=0.05)
    again = made.train(2, RETRAIN, found, champion=champion(first))
    assert promoted(again, champion(first)), again.evaluation
    before, after = accuracies(again)
    assert after > before + 0.15


@pytest.mark.slow
def test_a_new_class_gets_outputs_and_nothing_is_lost(tmp_path: Path) -> None:
    def child(row: Record, chance: np.random.Generator) -> None:
        if chance.random() < 0.15:
            row.update(age=int(chance.integers(1, 10)), ward="paediatrics", label="child")

    made, first = first_version(tmp_path)
    made.put("updates/more.csv", patients(2, 600, change=child))
    found = made.diagnose(2, champion=champion(first))
    assert found.diagnosis is not None
    assert found.diagnosis.new_labels == ("child",)
    assert answers(found)[Question.FEATURE_SPACE_CHANGE] is Answer.MINOR
    tuned = made.train(2, FINE_TUNE, found, champion=champion(first))
    assert promoted(tuned, champion(first)), tuned.evaluation
    before, after = accuracies(tuned)
    assert after > before + 0.08
    table = json.loads((made.store / "versions/2/table.json").read_text())
    assert table["columns"][4]["categories"][3:] == ["paediatrics"]
    assert table["labels"] == ["healthy", "ill", "child"]
    # The next round goes on from three classes.
    made.put("updates/again.csv", patients(3, 300, change=child))
    again = made.diagnose(3, champion=champion(tuned))
    last = made.train(3, FINE_TUNE, again, champion=champion(tuned))
    assert accuracies(last)[1] > 0.85


@pytest.mark.slow
def test_a_pattern_that_nobody_has_seen_is_learnt_by_going_on(tmp_path: Path) -> None:
    """The young with high sugar are well: a seventh of the rows, and unlike all before."""

    def young(row: Record, chance: np.random.Generator) -> None:
        if chance.random() < 0.15:
            row.update(age=int(chance.integers(2, 9)), height=30.0 + row["age"], sugar=12.5)
            row["pressure"] = round(float(chance.normal(90, 5)), 1)
            row["label"] = "healthy" if row["smoker"] is False else "ill"

    made, first = first_version(tmp_path)
    made.put("updates/more.csv", patients(2, 900, change=young))
    found = made.diagnose(2, champion=champion(first))
    assert answers(found)[Question.DATA_DISTRIBUTION_SHIFT] is Answer.MINOR
    assert answers(found)[Question.FEATURE_SPACE_CHANGE] is Answer.NO
    raced = made.train(2, FINE_TUNE, found, champion=champion(first), race=True)
    manifest = json.loads((made.store / "versions/2/manifest.json").read_text())
    tuned, retrained = (
        manifest["race"][way]["new"]["bothCorrect"] + manifest["race"][way]["new"]["challengerOnly"]
        for way in ("FineTune", "Retrain")
    )
    n = manifest["race"]["FineTune"]["new"]["n"]
    assert tuned > retrained - 0.03 * n
    assert accuracies(raced)[1] > accuracies(raced)[0] + 0.04


@pytest.mark.slow
def test_a_meaning_that_has_changed_is_learnt_without_what_it_contradicts(tmp_path: Path) -> None:
    made, first = first_version(tmp_path)
    turned = patients(2, 900, ill=lambda row: (130 - row["pressure"]) / 15 + (row["sugar"] - 6))
    made.put("updates/more.csv", turned)
    found = made.diagnose(2, champion=champion(first))
    assert answers(found)[Question.CONCEPT_DRIFT] is Answer.MAJOR
    again = made.train(2, RETRAIN, found, champion=champion(first), exclude_contradicted=True)
    before, after = accuracies(again)
    assert after > before + 0.2


@pytest.mark.slow
def test_one_row_in_a_thousand_is_not_lost(tmp_path: Path) -> None:
    """A rare class is found, stays found after a fine-tune, and its rows are replayed."""

    def rare(seed: int, count: int) -> list[Record]:
        rows = patients(seed, count, noise=0.0)
        chance = np.random.default_rng(seed)
        for number, row in enumerate(rows):
            row["label"] = "healthy"
            if number % 500 == 7:
                row["label"] = "sepsis"
                row["lactate"] = round(float(chance.normal(6, 1)), 2)
                row["pulse"] = round(float(chance.normal(140, 8)), 1)
            else:
                row["lactate"] = round(float(chance.normal(1.5, 1)), 2)
                row["pulse"] = round(float(chance.normal(80, 12)), 1)
        return rows

    made = lab(tmp_path, n_estimators=60)
    made.put("original/first.csv", rare(1, 10_000))
    first = made.train(1, RETRAIN, made.diagnose(1))
    made.put("updates/more.csv", rare(2, 2000))
    found = made.diagnose(2, champion=champion(first))
    made.train(2, FINE_TUNE, found, champion=champion(first))
    test = rare(3, 4000)
    for version in (1, 2):
        recalls = recall(made.store / f"versions/{version}", test, "sepsis")
        assert recalls[True] > 0.6, version
        assert recalls[False] > 0.999, version


def recall(folder: Path, records: list[Record], label: str) -> dict[bool, float]:
    """Shares that a server of docs/tables.md gets right: of a class, and of all others."""
    page = (Path(__file__).resolve().parents[2] / "docs/tables.md").read_text()
    code = page.split("```python\n")[1].split("```")[0]
    code = code.replace('"table.json"', repr(str(folder / "table.json")))
    code = code.replace('"model.ubj"', repr(str(folder / "model.ubj")))
    space: dict[str, Any] = {}
    exec(code, space)  # noqa: S102  # what the page tells people to write
    right: dict[bool, list[bool]] = {True: [], False: []}
    for record in records:
        day = date.fromisoformat(record["admitted"])
        served = record | {"admitted": (day - date(1970, 1, 1)).days}
        right[record["label"] == label].append(space["predict"](served) == record["label"])
    return {which: float(np.mean(values)) for which, values in right.items()}


@pytest.mark.slow
def test_neither_torch_nor_transformers_is_imported_for_a_table(tmp_path: Path) -> None:
    write_csv(tmp_path / "original.csv", patients(1, 300))
    (tmp_path / "original").mkdir()
    (tmp_path / "original.csv").rename(tmp_path / "original/first.csv")
    (tmp_path / "updates").mkdir()
    code = (
        "import sys; from maintenance_trainer.cli.command import main; "
        "done = [main([verb, *sys.argv[1:]]) for verb in ('diagnose', 'train')]; "
        "print(done, sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    age(tmp_path)
    options = ["--task", "TabularClassification", "--set", "n_estimators=10"]
    for name in ("original", "updates", "store"):
        options += [f"--{name}", str(tmp_path / name)]
    options += ["--column", "inputs=pressure", "--column", "inputs=sugar"]
    done = subprocess.run(
        [sys.executable, "-c", code, *options], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip().endswith("[0, 0] []"), done.stdout + done.stderr
    assert "Promoted: version 1 is in service" in done.stdout
    table = json.loads((tmp_path / "store/versions/1/table.json").read_text())
    assert [column["name"] for column in table["columns"]] == ["pressure", "sugar"]


LEAKS = {
    "equal": lambda row: row["label"],
    "in other words": lambda row: {"ill": "I10", "healthy": "Z00"}[row["label"]],
    "as a number": lambda row: float(row["label"] == "ill"),
    "as a date of treatment": lambda row: "2026-10-01" if row["label"] == "ill" else "",
    "filled in afterwards": lambda row: row["sugar"] if row["label"] == "ill" else "",
}


@pytest.mark.parametrize("name", LEAKS)
@pytest.mark.parametrize("where", ["original", "updates"])
def test_a_column_that_tells_the_label_blocks_by_name(
    tmp_path: Path, name: str, where: str
) -> None:
    def leak(row: Record, _chance: np.random.Generator) -> None:
        row["code"] = LEAKS[name](row)

    made = lab(tmp_path)
    made.put("original/first.csv", patients(1, 300, change=leak if where == "original" else None))
    made.put("updates/more.csv", patients(2, 200, change=leak if where == "updates" else None))
    report, code = made.do(made.request(Operation.DIAGNOSE, 1))
    assert (report.reason, code) == ("LabelInColumn", 65)
    assert f"data.{where}: the column 'code' tells the label in each of" in report.message


@pytest.mark.parametrize(
    "change, reason, said",
    [
        (lambda row: row.pop("label"), "ColumnMissing", "there is no column 'label', only 'age'"),
        (lambda row: row.update(label="ill"), "DataEmpty", "1 labels"),
        (
            lambda row: [row.pop(name) for name in list(row) if name != "label"],
            "ColumnMissing",
            "there is no column to learn from",
        ),
        (lambda row: row.update(age="n/a", note=f"{row['sugar']} {row['height']} {row['age']}"),
         "DataUnreadable", "column 'note' holds"),
    ],
)  # fmt: skip
def test_bad_tables_end_with_a_reason(tmp_path: Path, change: Any, reason: str, said: str) -> None:
    made = lab(tmp_path)
    made.put("original/first.csv", patients(1, 300, change=lambda row, _: change(row)))
    report, code = made.do(made.request(Operation.DIAGNOSE, 1))
    assert (report.reason, code) == (reason, 65), report.message
    assert said in report.message


@pytest.mark.slow
def test_a_champion_of_other_columns_is_no_silent_guess(tmp_path: Path) -> None:
    made, first = first_version(tmp_path)
    (made.original / "first.csv").unlink()
    made.put("original/loans.csv", [{"income": n / 3, "label": "xy"[n % 2]} for n in range(300)])
    report, code = made.do(made.request(Operation.DIAGNOSE, 2, champion=champion(first)))
    assert (report.reason, code) == ("ColumnMissing", 65)
    assert "no file has a column of the model in service" in report.message


@pytest.mark.slow
def test_what_is_odd_about_columns_is_told_and_read(tmp_path: Path) -> None:
    def odd(row: Record, _chance: np.random.Generator) -> None:
        row.update(nothing="", always=7)

    made = lab(tmp_path)
    made.put("original/first.csv", patients(1, 300, change=odd))
    found = made.diagnose(1)
    assert "the column 'nothing': nothing is in it, so it is no input." in found.message
    assert "the column 'always': the same in all rows" in found.message


@pytest.mark.slow
def test_rows_of_one_group_are_on_one_side(tmp_path: Path) -> None:
    class Grouped(TableLab):
        columns = {"group": "patient", "id": "visit"}  # noqa: RUF012

    made = lab(tmp_path, Grouped)
    rows = [row | {"patient": f"p{n % 40}", "visit": n} for n, row in enumerate(patients(1, 600))]
    made.put("original/first.csv", rows)
    made.train(1, RETRAIN, made.diagnose(1))
    table = json.loads((made.store / "versions/1/table.json").read_text())
    assert not {"patient", "visit"} & {column["name"] for column in table["columns"]}
    data, places = made.request(Operation.DIAGNOSE, 1).data, Places(str(made.claims))
    _, found = take_snapshot(data, places, SOURCE, known=frozenset(), champion_holdout=None)
    sides = [{row.unit for row in side} for side in (found.old_train, found.old_held_out)]
    assert not sides[0] & sides[1]
    assert len(sides[0] | sides[1]) == 40


@pytest.mark.slow
def test_old_rows_are_no_test_once_others_belong_together(tmp_path: Path) -> None:
    class Grouped(TableLab):
        columns = {"group": "patient", "id": "visit"}  # noqa: RUF012

    class Alone(TableLab):
        columns = {"id": "visit"}  # noqa: RUF012

    before = lab(tmp_path, Alone)
    rows = [row | {"patient": n % 40, "visit": n} for n, row in enumerate(patients(1, 900))]
    before.put("original/first.csv", rows[:600])
    first = before.train(1, RETRAIN, before.diagnose(1))
    before.put("updates/more.csv", rows[600:])
    made = Grouped(before.claims, before.base_model, before.arguments)
    found = made.diagnose(2, champion=champion(first))
    assert found.diagnosis is not None
    assert found.diagnosis.rows.old_held_out == 0
    assert found.diagnosis.rows.new_held_out > 0
    assert "data.columns.group is patient and was not there when version 1" in found.message
    # What the next version holds out is fair to it, and what its ancestor learnt is not.
    tuned = made.train(2, FINE_TUNE, found, champion=champion(first))
    more = patients(2, 300)
    made.put("updates/late.csv", [row | {"patient": 99, "visit": -n} for n, row in enumerate(more)])
    later = made.diagnose(3, champion=champion(tuned))
    assert later.diagnosis is not None
    assert later.diagnosis.rows.old_held_out == found.diagnosis.rows.new_held_out
    again = before.diagnose(4, champion=champion(first))
    assert again.diagnosis is not None
    assert again.diagnosis.rows.old_held_out > 0
    data = replace(made.request(Operation.DIAGNOSE, 5).data, sampling=Sampling.TARGETED)
    aimed = made.diagnose(5, champion=champion(first), data=data)
    assert aimed.diagnosis is not None
    assert aimed.diagnosis.rows.old_held_out > 0
    assert "it may do too well on old rows" in aimed.message
