"""The interface of a kind of model: kinds that nothing else knows go the whole way."""

import csv
import json
import sys
import types
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.kinds import FILE, Level, Line, Nearest
from support.laboratory import Lab, age, champion

from maintenance_contract import (
    Answer,
    ChampionRef,
    Columns,
    DataRef,
    ModelRef,
    Operation,
    Question,
    ScoreMetric,
    TrainingAction,
    TrainingReport,
)
from maintenance_contract.holdout import Holdout
from maintenance_core.decide.gate import judge
from maintenance_core.model import Champion
from maintenance_core.spec import parse
from maintenance_trainer import tasks
from maintenance_trainer.cli import tables
from maintenance_trainer.cli.rules import DEFAULTS

FINE_TUNE, RETRAIN = TrainingAction.FINE_TUNE, TrainingAction.RETRAIN
NOW = datetime(2026, 11, 29, tzinfo=UTC)
CENTRES = {"left": (-2.0, 0.0), "right": (2.0, 0.0), "top": (0.0, 4.0)}


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (Nearest, Level, Line):
        module = types.ModuleType(f"kind_{kind.name}")
        module.TASK, module.SOURCE = kind(), kind.source  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        modules = tasks.Modules(module.__name__, module.__name__)
        monkeypatch.setitem(tasks.MODULES, kind.name, modules)


class Plane(Lab):
    """A laboratory of points."""

    kind = "Nearest"

    def request(self, operation: Operation, run: int, **changes: Any) -> Any:
        model = ModelRef(self.kind, f"file://{self.base_model}", "pvc://models/news")
        columns = Columns({"x": "x", "y": "y", "label": "label"})
        data = DataRef("pvc://data/original", "pvc://data/updates", columns, Holdout(30, 30))
        return super().request(operation, run, **{"model": model, "data": data, **changes})

    def points(self, name: str, rows: Any, header: tuple[str, ...] = ("x", "y", "label")) -> None:
        path = self.claims / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        age(path)


class Levels(Plane):
    """The same with a number for each point."""

    kind = "Level"

    def request(self, operation: Operation, run: int, **changes: Any) -> Any:
        return super().request(operation, run, **{"metric": ScoreMetric.MAE, **changes})


def drawn(seed: int, count: int, **named: tuple[float, float]) -> list[tuple[float, float, str]]:
    chance = np.random.default_rng(seed)
    return [
        (*map(float, chance.normal(centre, 0.7).round(4)), label)
        for _ in range(count)
        for label, centre in named.items()
    ]


def plane(kind: type[Plane], tmp_path: Path) -> Plane:
    base = tmp_path / "base"
    base.mkdir()
    (base / FILE).write_text(json.dumps({"means": {}, "counts": {}, "level": 0.0}))
    lab = kind(tmp_path / "claims", base, {})
    lab.updates.mkdir(parents=True)
    return lab


def answers(report: TrainingReport) -> dict[Question, Answer]:
    assert report.diagnosis is not None
    return {finding.question: finding.answer for finding in report.diagnosis.findings}


def promoted(report: TrainingReport, version: ChampionRef | None) -> bool:
    served = version and Champion(version.version, "", version.digest, NOW, RETRAIN)
    return judge(report, gate=parse(DEFAULTS).gate, champion=served, concept_drift=False).promote


@pytest.mark.slow
def test_a_kind_without_hugging_face_goes_the_whole_way(tmp_path: Path) -> None:
    lab = plane(Plane, tmp_path)
    two = {name: CENTRES[name] for name in ("left", "right")}
    lab.points("original/first.csv", drawn(1, 200, **two))
    first = lab.train(1, RETRAIN, lab.diagnose(1))
    assert promoted(first, None), first.evaluation
    manifest = json.loads((lab.store / "versions/1/manifest.json").read_text())
    assert (manifest["task"], manifest["labels"]) == ("Nearest", ["left", "right"])
    assert set(manifest["files"]) == {FILE}

    lab.points("updates/top.csv", drawn(2, 60, **CENTRES))
    found = lab.diagnose(2, champion=champion(first))
    assert found.diagnosis is not None
    assert found.diagnosis.new_labels == ("top",)
    assert answers(found)[Question.FEATURE_SPACE_CHANGE] is Answer.MAJOR
    tuned = lab.train(2, FINE_TUNE, found, champion=champion(first))
    assert promoted(tuned, champion(first)), tuned.evaluation
    manifest = json.loads((lab.store / "versions/2/manifest.json").read_text())
    assert manifest["labels"] == ["left", "right", "top"]
    assert manifest["trainedRows"]["old"] == manifest["trainedRows"]["new"] // 2

    # Left and right change their meaning.
    swapped = {"left": CENTRES["right"], "right": CENTRES["left"]}
    lab.points("updates/swapped.csv", drawn(3, 100, **swapped))
    found = lab.diagnose(3, champion=champion(tuned))
    assert answers(found)[Question.CONCEPT_DRIFT] is Answer.MAJOR
    again = lab.train(
        3, RETRAIN, found, champion=champion(tuned), exclude_contradicted=True, race=True
    )
    assert again.evaluation is not None
    assert again.evaluation.new is not None
    assert again.evaluation.new.challenger_accuracy > again.evaluation.new.champion_accuracy + 0.5
    manifest = json.loads((lab.store / "versions/3/manifest.json").read_text())
    assert manifest["excludedContradicted"] > 50
    assert set(manifest["race"]) == {"FineTune", "Retrain"}


@pytest.mark.slow
def test_a_model_made_elsewhere_is_taken_over_with_the_files_of_its_kind(tmp_path: Path) -> None:
    lab = plane(Plane, tmp_path)
    two = {name: CENTRES[name] for name in ("left", "right")}
    lab.points("original/first.csv", drawn(1, 100, **two))
    brought = tmp_path / "brought"
    brought.mkdir()
    means = {name: list(centre) for name, centre in two.items()}
    (brought / FILE).write_text(json.dumps({"means": means, "counts": {}, "level": 0.0}))
    model = replace(lab.request(Operation.DIAGNOSE, 1).model, initial_model=f"file://{brought}")
    found = lab.diagnose(1, model=model)
    report = lab.train(1, TrainingAction.IMPORT, found, model=model)
    assert report.evaluation is not None
    assert report.evaluation.old is not None
    assert report.evaluation.old.challenger_accuracy > 0.9
    assert (lab.store / f"versions/1/{FILE}").read_bytes() == (brought / FILE).read_bytes()


@pytest.mark.slow
def test_without_classes_what_needs_them_is_undetermined(tmp_path: Path) -> None:
    lab = plane(Levels, tmp_path)
    chance = np.random.default_rng(5)

    def rows(count: int, centre: float, level: float) -> list[tuple[float, float, str]]:
        x = chance.normal(centre, 1, size=(count, 2)).round(4).tolist()
        return [
            (*point, f"{level + value:.3f}")
            for point, value in zip(x, chance.random(count), strict=True)
        ]

    lab.points("original/first.csv", rows(500, 0.0, 10.0))
    first = lab.train(1, RETRAIN, lab.diagnose(1))
    manifest = json.loads((lab.store / "versions/1/manifest.json").read_text())
    assert (manifest["task"], manifest["labels"]) == ("Level", [])
    # Elsewhere, at another level, and each answer a number of its own.
    lab.points("updates/far.csv", rows(300, 6.0, 50.0))
    found = lab.diagnose(2, champion=champion(first))
    assert found.diagnosis is not None
    assert (found.diagnosis.labels, found.diagnosis.new_labels) == (0, ())
    assert "label" not in tables.diagnosis(found).splitlines()[1]
    assert answers(found) == {
        Question.DATA_DISTRIBUTION_SHIFT: Answer.MAJOR,
        Question.CONCEPT_DRIFT: Answer.UNDETERMINED,
        Question.FEATURE_SPACE_CHANGE: Answer.UNDETERMINED,
    }
    names = {each.name for finding in found.diagnosis.findings for each in finding.evidence}
    # That it errs more is seen; familiar rows, of which drift is asked, there are none.
    assert names == {
        "outsideSupport",
        "toldApartAuc",
        "inputShiftAuc",
        "expectedErrorRise",
        "errorRiseOutside",
    }
    tuned = lab.train(2, FINE_TUNE, found, champion=champion(first), exclude_contradicted=True)
    assert tuned.candidate is not None
    manifest = json.loads((lab.store / "versions/2/manifest.json").read_text())
    assert manifest["excludedContradicted"] == 0
    stored = json.loads((lab.store / f"versions/2/{FILE}").read_text())
    assert stored["level"] > json.loads((lab.store / f"versions/1/{FILE}").read_text())["level"]


def test_what_belongs_together_is_held_out_together(tmp_path: Path) -> None:
    """Hundreds of points of few owners: none of them is on both sides."""
    from maintenance_trainer.data.snapshot import take_snapshot  # noqa: PLC0415
    from maintenance_trainer.locations import Places  # noqa: PLC0415

    lab = plane(Plane, tmp_path)
    two = {name: CENTRES[name] for name in ("left", "right")}
    owned = [(*row, f"owner {number % 20}") for number, row in enumerate(drawn(1, 200, **two))]
    lab.points("original/first.csv", owned, ("x", "y", "label", "owner"))
    columns = Columns({name: name for name in ("x", "y", "label", "owner")})
    data = DataRef("pvc://data/original", "pvc://data/updates", columns, Holdout(30, 30))
    _, dataset = take_snapshot(
        data, Places(str(lab.claims)), Nearest.source, known=frozenset(), champion_holdout=None
    )
    sides = [{row.owner for row in rows} for rows in (dataset.old_train, dataset.old_held_out)]
    assert all(sides)
    assert len(sides[0]) + len(sides[1]) == 20
    assert len(dataset.old_held_out) == 20 * len(sides[1])


def test_a_kind_that_nobody_knows_is_named_with_those_that_are_known(tmp_path: Path) -> None:
    lab = plane(Plane, tmp_path)
    model = replace(lab.request(Operation.DIAGNOSE, 1).model, task="Forecasting")
    report, code = lab.do(lab.request(Operation.DIAGNOSE, 1, model=model))
    assert (report.reason, code) == ("TaskUnknown", 78)
    assert "spec.model.task: this trainer knows no 'Forecasting', only " in report.message
    assert "TextClassification" in report.message


@pytest.mark.slow
def test_a_champion_of_another_kind_is_named_and_nothing_is_trained(tmp_path: Path) -> None:
    lab = plane(Plane, tmp_path)
    two = {name: CENTRES[name] for name in ("left", "right")}
    lab.points("original/first.csv", drawn(1, 100, **two))
    first = lab.train(1, RETRAIN, lab.diagnose(1))
    model = replace(lab.request(Operation.DIAGNOSE, 1).model, task="Level")
    report, code = lab.do(lab.request(Operation.DIAGNOSE, 2, model=model, champion=champion(first)))
    assert (report.reason, code) == ("ChampionOfOtherTask", 78)
    assert "version 1, which is in service, is a Nearest and Level is asked for" in report.message


@pytest.mark.slow
def test_torch_is_not_imported_for_a_kind_that_needs_none() -> None:
    import subprocess  # noqa: PLC0415

    code = (
        "import sys; from maintenance_trainer import data, tasks, work; "
        "import maintenance_trainer.tasks.texts; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
