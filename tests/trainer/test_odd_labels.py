"""Labels that are one, or none that the model knows: said, or measured, and never a crash."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.laboratory import Lab, champion, headlines, write_csv

from maintenance_contract import (
    Answer,
    DataRef,
    Operation,
    Question,
    TrainingAction,
    TrainingReport,
)
from maintenance_trainer.cli import tables
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.split import Dataset, Recurrence, refuse_too_little
from maintenance_trainer.errors import DataError
from maintenance_trainer.tasks.texts import make_row

First = tuple[Lab, TrainingReport]


@pytest.fixture
def own(first: First, tmp_path: Path) -> First:
    """A copy of the store with a first version: trainings here are nobody else's."""
    shutil.copytree(first[0].claims, tmp_path / "claims")
    return replace(first[0], claims=tmp_path / "claims"), first[1]


def looking_at(lab: Lab, run: int, rows: list[tuple[str, str]]) -> DataRef:
    """Updates of the run's own, beside the shared original rows."""
    write_csv(lab.claims / f"data/run-{run}/rows.csv", rows)
    return DataRef("pvc://data/original", f"pvc://data/run-{run}")


@pytest.mark.slow
def test_one_label_is_refused_before_a_gpu_is_asked_for(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(headlines(["sport"], 200, seed=1))
    report, code = lab.do(lab.request(Operation.DIAGNOSE, 1))
    assert (report.reason, code) == ("DataEmpty", 65)
    assert "rows of 1 labels ('sport') to learn from, and at least two" in report.message
    assert report.message.endswith("add labelled rows of another.")


def test_a_label_of_which_all_rows_are_held_out_is_named() -> None:
    trained, held_out = (
        tuple(make_row(f"{label} {n}", label, Origin.ORIGINAL, new=False) for n in range(3))
        for label in ("sport", "arts")
    )
    dataset = Dataset((), (), trained, held_out, Recurrence(0, 0))
    with pytest.raises(DataError, match="'arts', for all are held out") as told:
        refuse_too_little(dataset, None, fresh=True)
    assert told.value.reason == "DataEmpty"


@pytest.mark.slow
def test_new_rows_of_one_class_are_not_believed(own: First) -> None:
    lab, version_1 = own
    data = looking_at(lab, 41, headlines(["finance"], 200, seed=41))
    report, code = lab.do(
        lab.request(Operation.DIAGNOSE, 41, champion=champion(version_1), data=data)
    )
    assert (report.reason, code) == ("LabelsConstant", 65)
    assert "all 200 new rows are labelled 'finance'" in report.message


@pytest.mark.slow
def test_few_new_rows_of_one_class_may_be_chance(own: First) -> None:
    lab, version_1 = own
    data = looking_at(lab, 42, headlines(["finance"], 12, seed=42))
    found = lab.diagnose(42, champion=champion(version_1), data=data).diagnosis
    assert found is not None
    assert found.rows.new_train + found.rows.new_held_out == 12


@pytest.mark.slow
@pytest.mark.parametrize("labels", [["arts"], ["music", "theatre"]])
def test_rows_of_labels_that_it_never_saw_are_a_change_of_the_feature_space(
    own: First, labels: list[str]
) -> None:
    lab, version_1 = own
    run = 43 + len(labels)
    texts = [text for text, _ in headlines(["arts"], 400, seed=run)]
    rows = [(text, labels[number % len(labels)]) for number, text in enumerate(texts)]
    found = lab.diagnose(run, champion=champion(version_1), data=looking_at(lab, run, rows))
    diagnosis = found.diagnosis
    assert diagnosis is not None
    assert diagnosis.new_labels == tuple(labels)
    assert diagnosis.new is not None
    assert diagnosis.new.correct == 0, "a label that it does not know it cannot get right"
    answers = {finding.question: finding for finding in diagnosis.findings}
    space = answers[Question.FEATURE_SPACE_CHANGE]
    assert space.answer is Answer.MAJOR
    assert next(e.value for e in space.evidence if e.name == "newLabels") == 1.0
    assert answers[Question.CONCEPT_DRIFT].answer is Answer.UNDETERMINED

    trained = lab.train(
        run,
        TrainingAction.RETRAIN,
        found,
        champion=champion(version_1),
        data=looking_at(lab, run, rows),
    )
    assert trained.evaluation is not None
    new = trained.evaluation.new
    assert new is not None
    assert new.challenger_accuracy > new.champion_accuracy == 0.0


@pytest.mark.slow
def test_a_known_class_in_another_spelling_is_refused_before_anything_is_kept(own: First) -> None:
    lab, version_1 = own
    rows = [(text, label + "\u200b") for text, label in headlines(["finance"], 60, seed=51)]
    report, code = lab.do(
        lab.request(
            Operation.DIAGNOSE,
            51,
            champion=champion(version_1),
            data=looking_at(lab, 51, rows),
        )
    )
    assert (report.reason, code) == ("LabelsDoubled", 65)
    assert "updates/rows.csv, line 2: the label 'finance\\u200b' is the class 'finance'" in (
        report.message
    )
    assert "original/first.csv, line" in report.message
    assert not (lab.store / "runs/51/data.json").exists()


@pytest.mark.slow
def test_a_known_class_in_capitals_is_one_of_its_own_and_told(own: First) -> None:
    lab, version_1 = own
    rows = [
        (text, "None" if label == "arts" else "FINANCE")
        for text, label in headlines(["finance", "arts"], 60, seed=52)
    ]
    found = lab.diagnose(52, champion=champion(version_1), data=looking_at(lab, 52, rows))
    assert found.diagnosis is not None
    assert set(found.diagnosis.new_labels) == {"FINANCE", "None"}
    assert "'FINANCE' counts as a class of its own beside 'finance', which is known," in (
        found.message
    )
    assert "the label 'None' counts as a class" in found.message
    assert f"  note: {found.message}" in tables.diagnosis(found)


@pytest.mark.slow
def test_labels_that_differ_in_blanks_and_case_are_what_they_are(
    make_lab: Callable[..., Lab],
) -> None:
    """Blanks around a label are nobody's intent; capitals may be."""
    lab = make_lab(
        [("a", " sport "), ("b", "sport"), ("c", "Sport"), *headlines(["arts"], 50, seed=1)]
    )
    report = lab.diagnose(1)
    found = report.diagnosis
    assert found is not None
    assert found.labels == 3
    assert "'Sport' counts as a class of its own beside 'sport'" in report.message
