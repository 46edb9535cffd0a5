"""Models of series go the whole way: first version, diagnosis, both ways to a new one, the gate."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.laboratory import champion
from support.series import (
    CLASSIFIED,
    FORECAST,
    LabelledLab,
    Record,
    SeriesLab,
    directions,
    lab,
    load,
    prices,
    records,
    rows_of,
    taken,
    zigzags,
)

from maintenance_contract import (
    Answer,
    ChampionRef,
    Finding,
    Operation,
    Question,
    Snapshot,
    Task,
    TrainingAction,
    TrainingReport,
)
from maintenance_core.decide.gate import judge
from maintenance_core.model import Champion
from maintenance_core.spec import parse
from maintenance_trainer.cli.rules import DEFAULTS

FINE_TUNE, RETRAIN, IMPORT = TrainingAction.FINE_TUNE, TrainingAction.RETRAIN, TrainingAction.IMPORT


class OneTarget(SeriesLab):
    """A laboratory of forecasts of one channel."""

    columns: Mapping[str, Any] = {"targets": ("v",)}


class Farther(SeriesLab):
    """A laboratory of forecasts that are to look farther ahead."""

    windows = replace(FORECAST, horizon=8, stride=8)


NOW = datetime(2026, 11, 29, tzinfo=UTC)
OLD, NEW = 4000, 1600
ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def first_version(world: SeriesLab, rows: Sequence[Record]) -> TrainingReport:
    world.put("original/first.csv", rows)
    return world.train(1, RETRAIN, world.diagnose(1))


def promoted(report: TrainingReport, version: ChampionRef | None) -> bool:
    served = version and Champion(version.version, "", version.digest, NOW, RETRAIN)
    scores = report.evaluation and report.evaluation.scores
    gate = parse(DEFAULTS).gate
    gate = replace(gate, metric=scores.metric) if scores else gate
    return judge(report, gate=gate, champion=served, concept_drift=False).promote


def finding(report: TrainingReport, question: Question) -> Finding:
    assert report.diagnosis is not None
    return next(each for each in report.diagnosis.findings if each.question is question)


def evidence(report: TrainingReport) -> dict[str, float]:
    space = finding(report, Question.FEATURE_SPACE_CHANGE)
    return {each.name: each.value for each in space.evidence}


def loads(first: int, count: int, **how: Any) -> list[Record]:
    chance = np.random.default_rng([7, first])
    values = load(first, count, **how)
    return records(
        first, {"load": values, "heat": np.roll(values, 2) / 10 + chance.normal(size=count)}
    )


@pytest.fixture(scope="module")
def forecasts(tmp_path_factory: pytest.TempPathFactory) -> tuple[SeriesLab, TrainingReport]:
    world = lab(tmp_path_factory.mktemp("forecasts"))
    return world, first_version(world, loads(0, OLD))


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> tuple[SeriesLab, TrainingReport]:
    world = lab(tmp_path_factory.mktemp("classes"), LabelledLab, num_train_epochs=15)
    return world, first_version(world, prices(0, 2000))


def beside(world: SeriesLab, folder: Path, kind: type[SeriesLab] | None = None) -> SeriesLab:
    """The same laboratory, for changes of one's own."""
    shutil.copytree(world.claims, folder / "claims")
    made = (kind or type(world))(folder / "claims", folder / "base", world.arguments)
    made.updates.mkdir(parents=True, exist_ok=True)
    return made


def test_a_forecast_beats_what_needs_no_model(
    forecasts: tuple[SeriesLab, TrainingReport],
) -> None:
    world, first = forecasts
    assert promoted(first, None), first.evaluation
    assert first.evaluation is not None
    assert first.evaluation.scores is not None
    old = first.evaluation.scores.old
    assert old is not None
    assert old.worth > 0.1
    folder = world.store / "versions/1"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["task"], manifest["labels"]) == ("TimeSeriesForecasting", [])
    assert set(manifest["files"]) == {"config.json", "model.safetensors", "series.json"}
    stored = json.loads((folder / "series.json").read_text())
    assert (stored["context"], stored["horizon"], stored["step"]) == (24, 4, 3600.0)
    assert (stored["targets"], "labels" in stored) == (["heat", "load"], False)


def test_a_calm_month_is_no_change(
    forecasts: tuple[SeriesLab, TrainingReport], tmp_path: Path
) -> None:
    world, first = beside(forecasts[0], tmp_path), forecasts[1]
    world.put("updates/calm.csv", loads(OLD, NEW))
    found = world.diagnose(2, champion=champion(first))
    assert finding(found, Question.CONCEPT_DRIFT).answer is not Answer.MAJOR
    assert finding(found, Question.FEATURE_SPACE_CHANGE).answer is Answer.NO
    assert found.diagnosis is not None
    assert found.diagnosis.rows.new_held_out > 50


def test_a_new_channel_and_another_unit_and_clock_are_named(
    forecasts: tuple[SeriesLab, TrainingReport], tmp_path: Path
) -> None:
    world, first = forecasts
    chance = np.random.default_rng(5)
    changes: dict[str, tuple[Any, dict[str, float]]] = {
        "channel": (
            lambda row, _: row | {"wind": round(float(chance.normal()), 3)},
            {"changedColumns": 1, "newTargets": 1, "newColumn:wind": 1.0},
        ),
        "unit": (
            lambda row, _: row | {"load": round(row["load"] * 2.54, 3)},
            {"changedColumns": 1, "unitFactor:load": 2.54},
        ),
        "stuck": (
            lambda row, _: row | {"heat": 10.0},
            {"changedColumns": 1, "stuckColumn:heat": 10.0},
        ),
        "gone": (
            lambda row, _: {name: row[name] for name in ("time", "load")},
            {"changedColumns": 1, "lostColumn:heat": 0.0},
        ),
        "clock": (lambda row, at: row if at % 2 else None, {"samplingInterval": 2.0}),
    }
    for name, (change, expected) in changes.items():
        its = beside(world, tmp_path / name)
        made = [change(row, at) for at, row in enumerate(loads(OLD, NEW))]
        its.put("updates/more.csv", [row for row in made if row is not None])
        found = its.diagnose(2, champion=champion(first))
        assert finding(found, Question.FEATURE_SPACE_CHANGE).answer is Answer.MAJOR, name
        measured = evidence(found)
        for each, value in expected.items():
            assert measured[each] == pytest.approx(value, rel=0.05), (name, measured)


def test_a_longer_horizon_asks_for_a_retrain_and_gets_one(
    forecasts: tuple[SeriesLab, TrainingReport], tmp_path: Path
) -> None:
    world, first = beside(forecasts[0], tmp_path, Farther), forecasts[1]
    world.put("updates/calm.csv", loads(OLD, NEW))
    found = world.diagnose(2, champion=champion(first))
    assert evidence(found)["longerHorizon"] == 4
    again = world.train(2, RETRAIN, found, champion=champion(first))
    stored = json.loads((world.store / "versions/2/series.json").read_text())
    assert stored["horizon"] == 8
    assert again.evaluation is not None
    assert again.evaluation.scores is not None
    new = again.evaluation.scores.new
    assert new is not None
    assert new.challenger < new.champion  # which tells the last number where it knows nothing


def test_a_classifier_learns_turns_and_grows(
    classes: tuple[SeriesLab, TrainingReport], tmp_path: Path
) -> None:
    world, first = beside(classes[0], tmp_path), classes[1]
    assert promoted(first, None), first.evaluation
    world.put("updates/zigzag.csv", zigzags(2000, 900))
    found = world.diagnose(2, champion=champion(first))
    assert found.diagnosis is not None
    assert found.diagnosis.new_labels == ("zigzag",)
    tuned = world.train(2, FINE_TUNE, found, champion=champion(first))
    manifest = json.loads((world.store / "versions/2/manifest.json").read_text())
    assert manifest["labels"] == ["down", "up", "zigzag"]
    assert promoted(tuned, champion(first)), tuned.evaluation


def test_labels_that_turn_round_are_concept_drift(
    classes: tuple[SeriesLab, TrainingReport], tmp_path: Path
) -> None:
    world, first = beside(classes[0], tmp_path), classes[1]
    world.put("updates/turned.csv", prices(2000, 900, sign=-1))
    found = world.diagnose(2, champion=champion(first))
    assert finding(found, Question.CONCEPT_DRIFT).answer is Answer.MAJOR
    again = world.train(
        2, RETRAIN, found, champion=champion(first), exclude_contradicted=True, race=True
    )
    assert again.evaluation is not None
    assert again.evaluation.new is not None
    assert again.evaluation.new.challenger_accuracy > again.evaluation.new.champion_accuracy + 0.3


def test_labels_that_follow_from_a_new_channel_alone_are_not_taken_for_broken(
    classes: tuple[SeriesLab, TrainingReport], tmp_path: Path
) -> None:
    """The price comes by another channel from now on; the old one holds noise."""
    chance = np.random.default_rng(6)
    for name, new in (("moved", True), ("broken", False)):
        world, first = beside(classes[0], tmp_path / name), classes[1]
        rows = prices(2000, 800)
        spread = float(np.std([row["price"] for row in rows]))
        for row in rows:
            quote = {"quote": row["price"]} if new else {}
            row |= {"price": round(float(chance.normal(0, spread)), 4), **quote}
        world.put("updates/more.csv", rows)
        report, _ = world.do(world.request(Operation.DIAGNOSE, 2, champion=champion(first)))
        if not new:
            assert report.reason == "LabelsUnpredictable"
            continue
        assert report.reason == "", report.message
        assert finding(report, Question.FEATURE_SPACE_CHANGE).answer is Answer.MAJOR
        assert evidence(report)["newColumn:quote"] == 1.0


def test_a_target_in_random_order_is_named(
    forecasts: tuple[SeriesLab, TrainingReport], tmp_path: Path
) -> None:
    """As after a join that has lost the times: no way of going on is left to learn."""
    world, first = beside(forecasts[0], tmp_path), forecasts[1]
    rows = loads(OLD, NEW)
    mixed = np.random.default_rng(9).permutation([row["load"] for row in rows])
    for row, value in zip(rows, mixed.tolist(), strict=True):
        row["load"] = value
    world.put("updates/mixed.csv", rows)
    report, _ = world.do(world.request(Operation.DIAGNOSE, 2, champion=champion(first)))
    assert report.reason == "LabelsUnpredictable"
    assert "the column 'load' does not follow" in report.message


@pytest.mark.parametrize("how", [{"momentum": -0.8}, {"momentum": 0.4}])
def test_another_way_of_going_on_is_no_random_order(
    forecasts: tuple[SeriesLab, TrainingReport], tmp_path: Path, how: dict[str, float]
) -> None:
    world, first = beside(forecasts[0], tmp_path), forecasts[1]
    world.put("updates/other.csv", loads(OLD, NEW, **how))
    report, _ = world.do(world.request(Operation.DIAGNOSE, 2, champion=champion(first)))
    assert report.reason == "", report.message


@pytest.mark.parametrize("kind", ["forecasts", "classes"])
def test_a_model_made_elsewhere_is_taken_over(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    world, _ = request.getfixturevalue(kind)
    brought = tmp_path / "brought"
    shutil.copytree(world.store / "versions/1", brought)
    (brought / "manifest.json").unlink()
    its = beside(world, tmp_path)
    shutil.rmtree(its.store)
    model = replace(its.request(Operation.DIAGNOSE, 1).model, initial_model=f"file://{brought}")
    report = its.train(1, IMPORT, its.diagnose(1, model=model), model=model)
    assert report.candidate is not None
    for name in ("series.json", "model.safetensors", "config.json"):
        assert (its.store / f"versions/1/{name}").read_bytes() == (brought / name).read_bytes()


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda its: its.update(horizon=5), "prediction_length of config.json is 4, and horizon"),
        (lambda its: its.update(context=25), "context_length of config.json is 24, and context of"),
        (lambda its: its["channels"][0].update(std=0), "std: a number above 0 is expected"),
        (lambda its: its["channels"][0].update(name="x"), "targets: each is a channel"),
        (lambda its: its.update(labels=["a", "b"]), "either targets or labels are expected"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(
    forecasts: tuple[SeriesLab, TrainingReport], tmp_path: Path, change: Any, said: str
) -> None:
    world, _ = forecasts
    brought = tmp_path / "brought"
    shutil.copytree(world.store / "versions/1", brought)
    (brought / "manifest.json").unlink()
    description = json.loads((brought / "series.json").read_text())
    change(description)
    (brought / "series.json").write_text(json.dumps(description))
    its = beside(world, tmp_path)
    shutil.rmtree(its.store)
    model = replace(its.request(Operation.DIAGNOSE, 1).model, initial_model=f"file://{brought}")
    report, code = its.do(its.request(Operation.DIAGNOSE, 1, model=model))
    assert (report.reason, code, said in report.message) == ("InitialModelUnreadable", 78, True), (
        report.message
    )


def test_labels_in_another_order_than_the_networks_are_refused(
    classes: tuple[SeriesLab, TrainingReport], tmp_path: Path
) -> None:
    world, _ = classes
    brought = tmp_path / "brought"
    shutil.copytree(world.store / "versions/1", brought)
    (brought / "manifest.json").unlink()
    description = json.loads((brought / "series.json").read_text())
    description["labels"].reverse()
    (brought / "series.json").write_text(json.dumps(description))
    its = beside(world, tmp_path)
    shutil.rmtree(its.store)
    model = replace(its.request(Operation.DIAGNOSE, 1).model, initial_model=f"file://{brought}")
    report, code = its.do(its.request(Operation.DIAGNOSE, 1, model=model))
    assert (report.reason, code) == ("InitialModelUnreadable", 78)
    assert "id2label of config.json and labels of series.json are not the same" in report.message


def test_a_champion_of_other_channels_is_named(
    forecasts: tuple[SeriesLab, TrainingReport], tmp_path: Path
) -> None:
    world, first = beside(forecasts[0], tmp_path), forecasts[1]
    for path in world.original.glob("*"):
        path.unlink()
    world.put("original/other.csv", records(0, {"rain": load(0, 2000)}))
    report, _ = world.do(world.request(Operation.DIAGNOSE, 2, champion=champion(first)))
    assert report.reason == "ColumnMissing"
    assert "no file has a column of the model in service, which reads the columns 'heat'" in (
        report.message
    )


@pytest.mark.parametrize(
    "kind, context, channels, said",
    [
        ("tst", 24, 1, ""),
        ("tst", 48, 1, "it reads 48 rows (context_length of config.json), and windows have 24"),
        ("mixer", 24, 3, "it mixes 3 channels (num_input_channels of config.json), and the data h"),
    ],
)
def test_a_base_model_is_gone_on_with_or_refused(
    tmp_path: Path, kind: str, context: int, channels: int, said: str
) -> None:
    import transformers  # noqa: PLC0415  # seconds

    patches: dict[str, Any] = {"patch_length": 8, "patch_stride": 8, "d_model": 16}
    shape = {"context_length": context, "num_input_channels": channels, **patches}
    network: Any = (
        transformers.PatchTSTForPrediction(
            transformers.PatchTSTConfig(num_attention_heads=2, num_hidden_layers=1, **shape)
        )
        if kind == "tst"
        else transformers.PatchTSMixerForPrediction(
            transformers.PatchTSMixerConfig(mode="mix_channel", **shape)
        )
    )
    network.save_pretrained(tmp_path / "base")
    world = lab(tmp_path, num_train_epochs=1)
    world.put("original/a.csv", loads(0, 900))
    model = replace(
        world.request(Operation.DIAGNOSE, 1).model, base_model=f"file://{world.base_model}"
    )
    found = world.diagnose(1, model=model)
    how = {"model": model, "action": RETRAIN, "snapshot": Snapshot(1, found.snapshot_digest)}
    report, _ = world.do(world.request(Operation.TRAIN, 1, **how))
    assert report.reason == ("BaseModelUnreadable" if said else "")
    assert said in report.message


def test_what_tells_the_answer_is_refused(tmp_path: Path) -> None:
    values = load(0, 1500)
    world = lab(tmp_path / "a", OneTarget)
    leak = np.roll(values, -2) * 1.8 + 32
    world.put("original/a.csv", records(0, {"v": values[:-2], "known": leak[:-2]}))
    report, _ = world.do(world.request(Operation.DIAGNOSE, 1))
    assert report.reason == "LabelInColumn"
    assert "the column 'known' is the column 'v' of 2 rows later" in report.message

    labels = directions(values)
    world = lab(tmp_path / "b", LabelledLab)
    codes = [float(label == "up") for label in labels]
    world.put("original/a.csv", records(0, {"load": values, "code": codes, "label": labels}))
    report, _ = world.do(world.request(Operation.DIAGNOSE, 1))
    assert report.reason == "LabelInColumn"
    assert "the column 'code' tells the label in each of" in report.message


def test_one_class_and_channels_that_tell_nothing(tmp_path: Path) -> None:
    values = load(0, 600)
    world = lab(tmp_path / "a", LabelledLab)
    world.put("original/a.csv", records(0, {"v": values, "label": ["up"] * 600}))
    report, _ = world.do(world.request(Operation.DIAGNOSE, 1))
    assert report.reason == "DataEmpty"
    assert "of 1 labels ('up') to learn from" in report.message

    world = lab(tmp_path / "b", OneTarget)
    columns = {"v": values, "same": [7.0] * 600, "none": [""] * 600}
    world.put("original/a.csv", records(0, columns))
    found = world.diagnose(1)
    assert "the column 'none': nothing is in it, so it is no input." in found.message
    assert "the column 'same': the same in all rows, so nothing is learnt from it." in found.message


def test_an_argument_that_cannot_train_is_refused_before_anything_is_paid_for(
    tmp_path: Path,
) -> None:
    world = lab(tmp_path, optim="adamw_of_nobody")
    world.put("original/a.csv", loads(0, 900))
    report, code = world.do(world.request(Operation.DIAGNOSE, 1))
    assert (report.reason, code) == ("ArgumentInvalid", 78)


def test_a_server_needs_what_the_page_says_and_no_more(
    forecasts: tuple[SeriesLab, TrainingReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code of docs/series.md tells what the trainer scores."""
    from maintenance_trainer.progress import Silent  # noqa: PLC0415
    from maintenance_trainer.tasks.series import network  # noqa: PLC0415
    from maintenance_trainer.tasks.series.patched import probes_of  # noqa: PLC0415
    from maintenance_trainer.tasks.time_series_forecasting import TASK  # noqa: PLC0415

    world, _ = forecasts
    code = re.findall(r"```python\n(.*?)```", (ROOT / "docs/series.md").read_text(), re.DOTALL)[0]
    monkeypatch.chdir(world.store / "versions/1")
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102  # of our own page
    model = TASK.load(Path.cwd(), ())
    row = probes_of(model.schema)[0]
    rows = [
        {name: float(values[at]) for name, values in row.series.columns.items()}
        for at in range(row.end - row.context, row.end)
    ]
    told = network.asked(model.network, model.schema, [row], Silent())[0]
    scale = {channel.name: channel for channel in model.schema.channels}
    for place, name in enumerate(model.schema.targets):
        expected = told[:, place] * scale[name].std + scale[name].mean
        assert names["forecast"](rows)[:, place] == pytest.approx(expected, rel=1e-4)


def test_the_examples_server_names_what_the_trainer_names(
    classes: tuple[SeriesLab, TrainingReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    from maintenance_trainer.progress import Silent  # noqa: PLC0415
    from maintenance_trainer.tasks.series import network  # noqa: PLC0415
    from maintenance_trainer.tasks.time_series_classification import TASK  # noqa: PLC0415

    monkeypatch.syspath_prepend(str(ROOT / "examples/serving"))
    import series_model  # noqa: PLC0415

    world, _ = classes
    folder = world.store / "versions/1"
    dataset = taken(world.claims / "data", CLASSIFIED, Task.TIME_SERIES_CLASSIFICATION)
    rows = rows_of(dataset)[:50]
    model = TASK.load(folder, ("down", "up"))
    told = network.asked(model.network, model.schema, rows, Silent()).argmax(axis=1)
    asked = [
        {"window": {name: values[row.end - row.context : row.end].tolist()
                    for name, values in row.series.columns.items()}}
        for row in rows
    ]  # fmt: skip
    served = series_model.load(folder, "1")
    names = served.predict(asked)
    assert names == [served.labels[number] for number in told]
    assert set(names) == {"up", "down"}
    # A number that is missing is the one before it.
    price = asked[0]["window"]["price"]
    price[-1] = price[-2]
    gap = {"window": {"price": [*price[:-1], None]}}
    assert served.predict([gap]) == served.predict(asked[:1])


def test_targets_are_told_in_their_own_order() -> None:
    """A model made elsewhere may name its channels and its targets in another one."""
    from types import SimpleNamespace  # noqa: PLC0415

    import torch  # noqa: PLC0415  # seconds

    from maintenance_trainer.tasks.series import network  # noqa: PLC0415
    from maintenance_trainer.tasks.series.schema import Channel, Schema  # noqa: PLC0415

    channels = tuple(Channel(name, 0.0, 1.0) for name in ("load", "heat", "wind"))
    of_all = SimpleNamespace(prediction_outputs=torch.tensor([[[1.0, 2.0, 3.0]]]))
    of_some = SimpleNamespace(prediction_outputs=torch.tensor([[[2.0, 3.0]]]))
    for output, targets, expected in (
        (of_all, ("wind", "load", "heat"), [3.0, 1.0, 2.0]),
        (of_all, ("heat",), [2.0]),
        (of_some, ("heat", "wind"), [2.0, 3.0]),
    ):
        told = network.answered(output, Schema(channels, 4, 1, 1.0, targets))
        assert told[0, 0].tolist() == expected


def test_a_model_that_answers_with_a_distribution_is_refused(
    forecasts: tuple[SeriesLab, TrainingReport], tmp_path: Path
) -> None:
    import transformers  # noqa: PLC0415  # seconds

    world, _ = forecasts
    network: Any = transformers.PatchTSTForPrediction(
        transformers.PatchTSTConfig(
            context_length=24,
            prediction_length=4,
            num_input_channels=2,
            patch_length=8,
            patch_stride=8,
            d_model=16,
            num_attention_heads=2,
            num_hidden_layers=1,
            loss="nll",
        )
    )
    brought = tmp_path / "brought"
    network.save_pretrained(brought)
    shutil.copy(world.store / "versions/1/series.json", brought)
    its = beside(world, tmp_path)
    shutil.rmtree(its.store)
    model = replace(its.request(Operation.DIAGNOSE, 1).model, initial_model=f"file://{brought}")
    report, code = its.do(its.request(Operation.DIAGNOSE, 1, model=model))
    assert (report.reason, code) == ("InitialModelUnreadable", 78)
    assert "loss of config.json is 'nll', so it answers with a distribution" in report.message
