"""Models of tables: new classes, brought models, hostile files, arguments."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost as xgb
from numpy.typing import NDArray
from support.tables import TableLab, lab, patients

from maintenance_contract import Operation, TrainingAction
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.model_field import Given
from maintenance_trainer.progress import Silent
from maintenance_trainer.tasks.labelled_tables import SOURCE
from maintenance_trainer.tasks.tables import arguments, boosting
from maintenance_trainer.tasks.tables.inspection import UnsafeModelError, inspect, walkable
from maintenance_trainer.tasks.tabular_classification import TASK

FINE_TUNE, RETRAIN = TrainingAction.FINE_TUNE, TrainingAction.RETRAIN
Floats = NDArray[np.float32]


def trained(classes: int, seed: int = 0) -> tuple[xgb.Booster, Floats, Floats]:
    """A model of three columns, one of them of categories, with its rows and classes."""
    chance = np.random.default_rng(seed)
    x = chance.normal(size=(300, 3)).astype(np.float32)
    x[:, 2] = chance.integers(0, 4, 300)
    x[::7, 1] = np.nan
    y = np.digitize(x[:, 0] + (x[:, 2] == 1), np.linspace(-1, 1, classes - 1)).astype(np.float32)
    data = xgb.DMatrix(x, label=y, feature_types=["q", "q", "c"], enable_categorical=True)
    objective = boosting.objective_of(classes)
    return xgb.train({**objective, "max_depth": 3, "nthread": 1}, data, 8), x, y


def predicted(booster: xgb.Booster, x: Floats) -> Floats:
    data = xgb.DMatrix(x, feature_types=["q", "q", "c"], enable_categorical=True)
    return np.asarray(booster.predict(data))


@pytest.mark.slow
@pytest.mark.parametrize("before", [2, 3, 5])
@pytest.mark.parametrize("new", [1, 2])
def test_new_classes_take_nothing_from_what_is_known(before: int, new: int, tmp_path: Path) -> None:
    booster, x, y = trained(before)
    larger = boosting.grown(booster, before, before + new, -3.0)
    then, now = predicted(booster, x), predicted(larger, x)
    known = np.column_stack([1 - then, then]) if before == 2 else then
    assert now.shape == (300, before + new)
    shares = now[:, :before] / now[:, :before].sum(axis=1, keepdims=True)
    assert np.abs(shares - known).max() < 1e-5
    assert (now[:, before:] < 0.2).all()
    # The library reads it as one of its own, and boosting goes on with all classes.
    larger.save_model(tmp_path / "model.ubj")
    facts = inspect(tmp_path / "model.ubj")
    assert (facts.objective, facts.classes) == ("multi:softprob", before + new)
    y[x[:, 1] > 1] = before + new - 1
    data = xgb.DMatrix(x, label=y, feature_types=["q", "q", "c"], enable_categorical=True)
    parameters = {**boosting.objective_of(before + new), "nthread": 1}
    again = xgb.train(parameters, data, 10, xgb_model=larger)
    assert again.num_boosted_rounds() == 18
    assert (predicted(again, x).argmax(axis=1) == y).mean() > 0.95


# --- arguments ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, said",
    [
        ({"num_train_epochs": 3}, "num_train_epochs is no argument of XGBoost that is known"),
        ({"num_train_epochs": 3}, "did you mean 'n_estimators'?"),
        ({"n_estimator": 3}, "did you mean 'n_estimators'?"),
        ({"zzz": 3}, "write one of n_estimators, learning_rate"),
        ({"early_stopping_round": 3}, "did you mean 'early_stopping_rounds'?"),
        ({"early_stopping_rounds": 0}, "a whole number from 1 to 100000 is expected, not '0'"),
        ({"early_stopping_rounds": float("nan")}, "a whole number from 1 to 100000 is expected"),
        ({"eval_set": 3}, "eval_set cannot be set: early_stopping_rounds sets rows"),
        ({"objective": "reg:squarederror"}, "objective cannot be set: it follows from model.task"),
        ({"n_estimators": 0}, "a whole number from 1 to 100000 is expected, not '0'"),
        ({"n_estimators": 2.5}, "a whole number from 1 to 100000 is expected, not '2.5'"),
        ({"n_estimators": True}, "a whole number from 1 to 100000 is expected, not 'True'"),
        ({"max_depth": "6"}, "a whole number from 1 to 32 is expected, without quotes, not '6'"),
        ({"learning_rate": 0}, "a number above 0 to 1 is expected, not '0'"),
        ({"subsample": 1.5}, "a number above 0 to 1 is expected, not '1.5'"),
        ({"reg_lambda": float("nan")}, "a number from 0 to 1e+09 is expected, not 'nan'"),
        ({"reg_lambda": [1]}, "a number from 0 to 1e+09 is expected, not '[1]'"),
        ({"device": "tpu"}, "device: cpu or cuda is expected, not 'tpu'"),
        ({"eta": 0.1, "learning_rate": 0.2}, "eta and learning_rate are one argument"),
        ({"per_device_train_batch_size": 4}, "did you mean"),
    ],
)  # fmt: skip
def test_arguments_are_checked_by_name_type_and_range(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        TASK.check_arguments(FINE_TUNE, given)
    assert said in caught.value.message
    assert caught.value.message.startswith("training.fineTune.arguments")
    assert caught.value.reason in {"ArgumentUnknown", "ArgumentInvalid"}


def test_every_known_argument_trains() -> None:
    given = {
        name: known.words[0] if isinstance(known, arguments.OneOf) else max(1, int(known.least))
        for name, known in arguments.KNOWN.items()
    }
    given |= {"max_bin": 16, "max_leaves": 4, "max_delta_step": 0.5}
    tiny = TASK.rehearse(Path(), Given.BASE, Silent())
    assert tiny is not None
    for action in (FINE_TUNE, RETRAIN):
        TASK.check_arguments(action, given)
        TASK.try_arguments(tiny, action, given, 100)
    for alias, name in arguments.ALIASES.items():
        TASK.check_arguments(RETRAIN, {alias: given[name]})


# --- models that were made elsewhere ------------------------------------------------------


def brought(folder: Path, booster: xgb.Booster, file: str = "model.ubj", **table: Any) -> Path:
    folder.mkdir(exist_ok=True)
    booster.save_model(folder / file)
    document = {
        "version": 1,
        "columns": [
            {"name": "pressure", "type": "number"},
            {"name": "sugar", "type": "number"},
            {"name": "ward", "type": "category", "categories": ["cardiology", "surgery", "trauma"]},
        ],
        "labels": ["healthy", "ill"],
        **table,
    }
    (folder / "table.json").write_text(json.dumps(document))
    return folder


@cache
def by_hand() -> xgb.Booster:
    """As a team would have trained it: with pandas' codes of categories, without our code."""
    rows = patients(7, 1500)
    wards = ["cardiology", "surgery", "trauma"]
    x = np.array([[row["pressure"], row["sugar"], wards.index(row["ward"])] for row in rows])
    y = np.array([row["label"] == "ill" for row in rows], float)
    data = xgb.DMatrix(
        x,
        label=y,
        feature_names=["pressure", "sugar", "ward"],
        feature_types=["float", "float", "c"],
        enable_categorical=True,
    )
    parameters = {"objective": "binary:logistic", "max_depth": 3, "nthread": 1}
    return xgb.train(parameters, data, 30)


@pytest.mark.slow
@pytest.mark.parametrize("file", ["model.ubj", "model.json"])
def test_a_model_that_serves_is_taken_over_byte_by_byte(tmp_path: Path, file: str) -> None:
    made = lab(tmp_path)
    made.put("original/first.csv", patients(1, 600))
    folder = brought(tmp_path / "brought", by_hand(), file)
    model = replace(made.request(Operation.DIAGNOSE, 1).model, initial_model=f"file://{folder}")
    found = made.diagnose(1, model=model)
    report = made.train(1, TrainingAction.IMPORT, found, model=model)
    assert report.evaluation is not None
    assert report.evaluation.old is not None
    assert report.evaluation.old.challenger_accuracy > 0.88
    version = made.store / "versions/1"
    for name in (file, "table.json"):
        assert (version / name).read_bytes() == (folder / name).read_bytes()


def unreadable(folder: Path) -> str:
    """What is said of a folder that holds no model."""
    given = Given.INITIAL

    def look() -> None:
        SOURCE.check_model("pvc://models/by-hand", folder, given)
        TASK.rehearse(folder, given, Silent())

    with pytest.raises(ConfigurationError) as caught:
        look()
    assert caught.value.reason in {"InitialModelUnreadable", "InitialModelMissing"}
    assert caught.value.message.startswith("model.initialModel: ")
    return caught.value.message


def refused(made: TableLab, folder: Path) -> str:
    """The same of a whole diagnosis, which ends with a report."""
    model = replace(made.request(Operation.DIAGNOSE, 1).model, initial_model=f"file://{folder}")
    report, code = made.do(made.request(Operation.DIAGNOSE, 1, model=model))
    assert code == 78, report.message
    assert report.reason in {"InitialModelUnreadable", "InitialModelLabels"}
    return report.message


@pytest.mark.slow
@pytest.mark.parametrize(
    "table, said",
    [
        ({"labels": ["healthy"]}, "is not of the 1 labels of table.json"),
        ({"labels": ["a", "b", "c"]}, "gives 1 numbers for a row"),
        ({"labels": ["a", "a"]}, "labels: write each label once"),
        ({"columns": []}, "table.json: columns: there are none"),
        ({"columns": [{"name": "pressure", "type": "number"}]}, "reads 3 columns, and table.json"),
        ({"columns": [{"name": "pressure", "type": "text"}]}, "columns[0].type: one of number"),
        ({"columns": "pressure"}, "columns: a list of at most"),
        (
            {"columns": [{"name": n, "type": "number"} for n in ("pressure", "sugar", "ward")]},
            "differ in which columns are categories",
        ),
        (
            {"columns": [{"name": n, "type": "number"} for n in ("sugar", "pressure", "ward")]},
            "the columns of table.json are not those of model.ubj, in its order",
        ),
        ({"version": 2}, "version 2 is not understood"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(
    tmp_path: Path, table: dict[str, Any], said: str
) -> None:
    assert said in unreadable(brought(tmp_path / "brought", by_hand(), **table))


@pytest.mark.slow
def test_a_model_of_other_labels_is_refused(tmp_path: Path) -> None:
    made = lab(tmp_path)
    made.put("original/first.csv", patients(1, 200))
    folder = brought(tmp_path / "brought", by_hand(), labels=["fine", "not"])
    assert "it answers fine, not, and no row is labelled so" in refused(made, folder)


@pytest.mark.slow
def test_a_model_of_other_columns_is_refused(tmp_path: Path) -> None:
    made = lab(tmp_path)
    rows = [{name: row[name] for name in ("age", "label")} for row in patients(1, 200)]
    made.put("original/first.csv", rows)
    said = refused(made, brought(tmp_path / "brought", by_hand()))
    assert "it reads the columns 'pressure', 'sugar', 'ward', which no file of the data has" in said


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def noisy(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 40] = os.urandom(40)
    path.write_bytes(content)


def edited(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        booster = xgb.Booster(model_file=path)
        document = json.loads(booster.save_raw("json"))
        change(document)
        path.unlink()
        path.with_suffix(".json").write_text(json.dumps(document))

    return make


def trees(document: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document["learner"]["gradient_booster"]["model"]["trees"]
    return found


HOSTILE: dict[str, Callable[[Path], None]] = {
    "empty": lambda path: path.write_bytes(b"") and None,
    "torn": torn,
    "noise within": noisy,
    "text": lambda path: path.write_text("no model") and None,
    "pickle": lambda path: path.write_bytes(b"\x80\x04\x95\x10\x00\x00\x00") and None,
    "child out of bounds": edited(lambda d: trees(d)[0]["left_children"].__setitem__(0, 10**6)),
    "negative child": edited(lambda d: trees(d)[0]["left_children"].__setitem__(0, -7)),
    "cycle": edited(lambda d: trees(d)[3]["right_children"].__setitem__(1, 0)),
    "column out of bounds": edited(lambda d: trees(d)[0]["split_indices"].__setitem__(0, 2**30)),
    "trees without nodes": edited(lambda d: trees(d)[0].update(left_children=[])),
    "no trees": edited(lambda d: d["learner"].pop("gradient_booster")),
    "linear": edited(lambda d: d["learner"]["gradient_booster"].update(name="gblinear")),
    "other objective": edited(
        lambda d: d["learner"].update(objective={"name": "reg:squarederror", "reg_loss_param": {}})
    ),
    "deep": lambda path: path.write_text("[" * 100_000) and None,
    "classes that are not there": edited(
        lambda d: d["learner"]["gradient_booster"]["model"]["tree_info"].__setitem__(0, 999)
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_ends_with_a_report(tmp_path: Path, name: str) -> None:
    folder = brought(tmp_path / "brought", by_hand())
    HOSTILE[name](folder / "model.ubj")
    unreadable(folder)


@pytest.mark.parametrize("name", ["model.ubj", "table.json"])
def test_what_is_missing_is_named(tmp_path: Path, name: str) -> None:
    folder = brought(tmp_path / "brought", by_hand())
    (folder / name).unlink()
    assert f"holds no {name}" in unreadable(folder)


def test_a_process_that_dies_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.ubj"
    path.write_bytes(b"")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(UnsafeModelError, match=r"model\.ubj is no model of XGBoost"):
        inspect(path)


def test_a_tree_is_walked_once() -> None:
    leaf: dict[str, Any] = {"left_children": [-1], "right_children": [-1], "split_indices": [0]}
    leaf |= {"split_conditions": [0.0], "default_left": [0]}
    assert walkable(leaf, 1)
    assert not walkable({**leaf, "left_children": [0]}, 1)
    assert not walkable({**leaf, "split_conditions": []}, 1)
