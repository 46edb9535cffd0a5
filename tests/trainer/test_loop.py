"""The operations on real files with a real, tiny model: diagnose, train, report, and again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from support.laboratory import Lab, champion, headlines, write_csv, write_lines

from maintenance_contract import (
    Answer,
    ChampionRef,
    DataRef,
    Holdout,
    Operation,
    Outcome,
    Question,
    Recipes,
    Reference,
    ResourceRef,
    Snapshot,
    TrainingAction,
    TrainingReport,
    held_out_rows,
)

FINE_TUNE, RETRAIN = TrainingAction.FINE_TUNE, TrainingAction.RETRAIN
First = tuple[Lab, TrainingReport]


@pytest.mark.slow
def test_the_first_version_beats_the_majority_class(first: First) -> None:
    lab, report = first
    assert report.evaluation is not None
    assert report.evaluation.reference is Reference.MAJORITY_CLASS
    assert report.evaluation.new is None
    old = report.evaluation.old
    assert old is not None
    assert old.challenger_accuracy > 0.9 > old.champion_accuracy
    assert report.timings["train"] > 0
    manifest = json.loads((lab.store / "versions/1/manifest.json").read_text())
    assert manifest["labels"] == ["finance", "sport"]
    assert manifest["trainedRows"] == {"new": 0, "old": report_rows(lab, 1)["oldTrain"]}
    assert manifest["steps"] > 0
    assert not any(path.name.endswith((".bin", ".pt")) for path in lab.store.rglob("*"))


def report_rows(lab: Lab, run: int) -> dict[str, int]:
    return json.loads((lab.store / f"runs/{run}/data.json").read_text())["rows"]


@pytest.mark.slow
def test_a_first_diagnosis_has_rows_and_no_findings(first: First) -> None:
    lab, _ = first
    stored = TrainingReport.from_json((lab.store / "runs/1/diagnosis.json").read_text())
    assert stored.diagnosis is not None
    assert stored.diagnosis.findings == ()
    rows = stored.diagnosis.rows
    assert rows.old_held_out == held_out_rows(500) == 224
    assert rows.old_train == 500 - 224
    assert stored.diagnosis.labels == 2


@pytest.mark.slow
def test_a_new_label_is_diagnosed_and_fine_tuning_learns_it(first: First) -> None:
    lab, version_1 = first
    write_lines(lab.updates / "arts.jsonl", headlines(["finance", "sport", "arts"], 240, seed=5))
    found = lab.diagnose(2, champion=champion(version_1))
    diagnosis = found.diagnosis
    assert diagnosis is not None
    assert diagnosis.new_labels == ("arts",)
    answers = {finding.question: finding.answer for finding in diagnosis.findings}
    assert answers[Question.FEATURE_SPACE_CHANGE] is Answer.MAJOR
    assert answers[Question.CONCEPT_DRIFT] in {Answer.NO, Answer.UNDETERMINED}
    assert diagnosis.new is not None
    assert diagnosis.new.correct < diagnosis.new.n

    longer = Recipes(50, {**lab.arguments, "num_train_epochs": 8}, lab.arguments)
    tuned = lab.train(2, FINE_TUNE, found, champion=champion(version_1), recipes=longer)
    assert tuned.evaluation is not None
    new, old = tuned.evaluation.new, tuned.evaluation.old
    assert new is not None
    assert old is not None
    assert new.n == diagnosis.new.n
    assert new.both_correct + new.champion_only == diagnosis.new.correct
    assert new.challenger_accuracy > new.champion_accuracy + 0.1
    assert old.challenger_accuracy > 0.8
    manifest = json.loads((lab.store / "versions/2/manifest.json").read_text())
    assert manifest["labels"] == ["finance", "sport", "arts"]
    assert manifest["trainedRows"]["old"] == manifest["trainedRows"]["new"] // 2
    assert manifest["parent"]["version"] == 1
    assert len(manifest["data"]) == 2

    request = json.loads((lab.store / "runs/2/request-train.json").read_text())
    assert request["action"] == "FineTune"
    before = sorted(lab.store.rglob("*"))
    again = lab.train(2, FINE_TUNE, found, champion=champion(version_1), recipes=longer)
    assert again == tuned
    (lab.store / "runs/2/report.json").unlink()
    after_a_crash = lab.train(2, FINE_TUNE, found, champion=champion(version_1), recipes=longer)
    assert after_a_crash == tuned
    assert sorted(lab.store.rglob("*")) == before

    settled = lab.diagnose(4, champion=champion(tuned))
    assert settled.diagnosis is not None
    assert settled.diagnosis.rows.new_train == settled.diagnosis.rows.new_held_out == 0
    assert settled.diagnosis.new is None
    assert {f.answer for f in settled.diagnosis.findings} == {Answer.UNDETERMINED}


@pytest.mark.slow
def test_a_diagnosis_looks_at_no_more_rows_than_it_may(first: First) -> None:
    lab, version_1 = first
    write_lines(lab.claims / "data/many/rows.jsonl", headlines(["finance", "sport"], 400, seed=11))
    data = DataRef("pvc://data/original", "pvc://data/many")

    def looked_at(most: int, run: int) -> int:
        found = lab.diagnose(run, champion=champion(version_1), max_rows=most, data=data).diagnosis
        assert found is not None
        shift = next(f for f in found.findings if f.question is Question.DATA_DISTRIBUTION_SHIFT)
        assert found.new is not None
        return max(e.n for e in shift.evidence if e.name == "classMix" and e.n) - found.new.n

    assert looked_at(100, 21) == 100
    assert looked_at(1000, 22) == 200, "the rows that are not held out, all of them"


@pytest.mark.slow
def test_a_diagnosis_repeated_is_the_same(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(headlines(["finance", "sport"], 60, seed=1))
    first = lab.diagnose(1)
    write_csv(lab.updates / "late.csv", [("late", "sport")])
    assert lab.diagnose(1).snapshot_digest == first.snapshot_digest
    assert lab.diagnose(2).snapshot_digest != first.snapshot_digest


@pytest.mark.slow
def test_failures_leave_a_report_with_their_reason(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(headlines(["finance", "sport"], 60, seed=1))

    def reason(operation: Operation, run: int, **changes: object) -> tuple[str, int]:
        report, code = lab.do(lab.request(operation, run, **changes))
        assert report.outcome is Outcome.FAILED
        assert report.message
        TrainingReport.from_json(report.to_message())
        return report.reason, code

    request = lab.request(Operation.DIAGNOSE, 1)
    other = ResourceRef("finance", "other", "uid-2")
    assert reason(Operation.DIAGNOSE, 1, data=replace(request.data, updates="pvc://data/none")) == (
        "DataMissing",
        65,
    )
    stored = TrainingReport.from_json((lab.store / "runs/1/diagnosis.json").read_text())
    assert stored.reason == "DataMissing"
    assert reason(Operation.DIAGNOSE, 1) == ("RunNumberTaken", 78)
    assert reason(Operation.DIAGNOSE, 2, resource=other) == ("StoreInUse", 78)
    assert reason(
        Operation.DIAGNOSE, 2, recipes=replace(request.recipes, fine_tune_arguments={"epochs": 1})
    ) == ("ArgumentUnknown", 78)
    assert reason(
        Operation.DIAGNOSE, 3, model=replace(request.model, base_model="pvc://models/none")
    ) == ("BaseModelMissing", 78)
    assert reason(Operation.DIAGNOSE, 4, champion=champion_of(9)) == ("ChampionMissing", 78)
    assert reason(Operation.TRAIN, 5, action=RETRAIN, snapshot=snapshot_of(77)) == (
        "SnapshotMissing",
        78,
    )
    assert reason(Operation.REPORT, 5, subject=Operation.TRAIN) != ("", 0)
    assert reason(Operation.REPORT, 6, subject=Operation.TRAIN) == ("ReportMissing", 78)
    report, _ = lab.do(lab.request(Operation.DIAGNOSE, 1))
    assert report.store.highest_run == 5


def test_a_base_model_without_its_tokenizer_is_refused(
    make_lab: Callable[..., Lab], base_model: Path
) -> None:
    """The library would make up an empty one, to which all texts are the same."""
    lab = make_lab(headlines(["finance", "sport"], 60, seed=1))
    bare = lab.claims / "models/bare"
    bare.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        shutil.copy(base_model / name, bare)
    model = replace(lab.request(Operation.DIAGNOSE, 1).model, base_model="pvc://models/bare")
    report, code = lab.do(lab.request(Operation.DIAGNOSE, 1, model=model))
    assert (report.reason, code) == ("BaseModelUnreadable", 78)
    assert "there is no tokenizer; one of tokenizer.json" in report.message


def champion_of(version: int) -> object:
    return ChampionRef(version, "sha256:none")


def snapshot_of(run: int) -> object:
    return Snapshot(run, "sha256:none")


@pytest.mark.slow
def test_training_refuses_files_that_changed(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(headlines(["finance", "sport"], 60, seed=1))
    found = lab.diagnose(1)
    write_csv(lab.original / "first.csv", headlines(["finance", "sport"], 60, seed=2))
    report, code = lab.do(
        lab.request(Operation.TRAIN, 1, action=RETRAIN, snapshot=Snapshot(1, found.snapshot_digest))
    )
    assert (report.reason, code) == ("SnapshotChanged", 78)
    assert "original/first.csv was rewritten" in report.message


@pytest.mark.slow
def test_other_holdout_percentages_never_judge_the_champion_on_what_it_saw(first: First) -> None:
    lab, version_1 = first
    request = lab.request(Operation.DIAGNOSE, 30)
    wider = DataRef(request.data.original, request.data.updates, holdout=Holdout(50, 50))
    found = lab.diagnose(30, champion=champion(version_1), data=wider)
    assert found.diagnosis is not None
    assert found.diagnosis.rows.old_held_out == report_rows(lab, 1)["oldHeldOut"]
    assert found.diagnosis.rows.old_train < report_rows(lab, 1)["oldTrain"]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "maintenance_trainer", *arguments]


@pytest.mark.slow
def test_a_stored_report_is_emitted_again_without_torch(first: First, tmp_path: Path) -> None:
    lab, report = first
    request = tmp_path / "request.json"
    request.write_text(lab.request(Operation.REPORT, 1, subject=Operation.TRAIN).to_json())
    probe = (
        "import sys; from maintenance_trainer.cli.command import main; "
        "code = main(sys.argv[1:]); assert 'torch' not in sys.modules; "
        "assert 'numpy' not in sys.modules; sys.exit(code)"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            probe,
            "report",
            "--request",
            str(request),
            "--claims-root",
            str(lab.claims),
            "--termination-log",
            str(tmp_path / "message"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert TrainingReport.from_json((tmp_path / "message").read_text()) == report


@pytest.mark.slow
def test_sigterm_ends_a_training_with_its_exit_code(
    make_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    lab = make_lab(headlines(["finance", "sport"], 200, seed=1), num_train_epochs=10_000)
    found = lab.diagnose(1)
    request = tmp_path / "request.json"
    request.write_text(
        lab.request(
            Operation.TRAIN, 1, action=RETRAIN, snapshot=Snapshot(1, found.snapshot_digest)
        ).to_json()
    )
    message = tmp_path / "message"
    trainer = subprocess.Popen(
        command(
            "train",
            "--request",
            str(request),
            "--claims-root",
            str(lab.claims),
            "--termination-log",
            str(message),
        ),
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert trainer.stdout is not None
        seen = [time.monotonic()]
        for line in trainer.stdout:
            seen.append(time.monotonic())
            if "training on" in line and "epoch" in line:
                break
        trainer.send_signal(signal.SIGTERM)
        trainer.communicate()
    finally:
        trainer.kill()
    assert trainer.returncode == 75
    assert TrainingReport.from_json(message.read_text()).reason == "Interrupted"
    assert max(b - a for a, b in pairwise(seen)) < 10
    assert not list((lab.store / "versions").iterdir())


SWALLOWED = """
import os, signal, time
from maintenance_trainer import job
from maintenance_trainer.errors import Interrupted, TimeOver

job.AGAIN_SECONDS = 0.1
job._begin_the_time()
signal.signal(signal.SIGTERM, job._interrupt)
for told, ask in ((TimeOver, None), (Interrupted, signal.SIGTERM)):
    for again in range(3):
        try:
            if ask and not again:
                os.kill(os.getpid(), ask)
            time.sleep(60)
        except BaseException as error:
            assert type(error) is told, error
    job._was_heard()
    time.sleep(0.5)
print("heard")
"""


def test_what_a_library_swallows_is_said_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SWALLOWED],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "MAINTENANCE_TIMEOUT_SECONDS": "0.1"},
    )
    assert done.stdout == "heard\n", done.stderr


@pytest.mark.slow
def test_a_request_that_cannot_be_read_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text("{}")
    done = subprocess.run(
        command("report", "--request", str(tmp_path / "request.json")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 78
    assert "version" in done.stderr


@pytest.mark.slow
def test_a_work_whose_time_is_over_says_so_and_leaves_nothing_half_done(
    make_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    lab = make_lab(headlines(["finance", "sport"], 200, seed=1), num_train_epochs=10_000)
    found = lab.diagnose(1)
    request, message = tmp_path / "request.json", tmp_path / "message"
    asked = lab.request(
        Operation.TRAIN, 1, action=RETRAIN, snapshot=Snapshot(1, found.snapshot_digest)
    )
    request.write_text(asked.to_json())
    places = ["--claims-root", str(lab.claims), "--termination-log", str(message)]
    done = subprocess.run(
        command("train", "--request", str(request), *places),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MAINTENANCE_TIMEOUT_SECONDS": "8"},
    )
    assert done.returncode == 124, done.stderr
    report = TrainingReport.from_json(message.read_text())
    assert (report.reason, report.request_digest) == ("DeadlineExceeded", asked.digest)
    assert "spec.training.timeout" in report.message
    assert not list((lab.store / "versions").iterdir())
