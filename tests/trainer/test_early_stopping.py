"""A training that ends when rows of its own side, set aside, are told no better."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import items, language, pictures, series, tables
from support.laboratory import headlines
from typing_extensions import override

from maintenance_contract import Recipes, Task, TrainingAction, columns_of
from maintenance_trainer import tasks
from maintenance_trainer.data import validation
from maintenance_trainer.data.folders import Named, Origin
from maintenance_trainer.data.rows import Row
from maintenance_trainer.data.sources import SourceFile
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.model_field import Given
from maintenance_trainer.progress import Silent
from maintenance_trainer.recipes.retrain import repeated
from maintenance_trainer.tasks import interactions, labelled_tables
from maintenance_trainer.tasks.huggingface import arguments, early_stopping
from maintenance_trainer.tasks.language.rows import Role, Turn, conversation
from maintenance_trainer.tasks.task import How
from maintenance_trainer.tasks.text_classification import TASK
from maintenance_trainer.tasks.texts import TextRow, make_row

FINE_TUNE, RETRAIN = TrainingAction.FINE_TUNE, TrainingAction.RETRAIN
WHERE = "training.retrain.arguments"


@dataclass
class Heard(Silent):
    """Remembers what is said."""

    said: list[str] = field(default_factory=list)

    @override
    def stage(self, name: str, total: int | None = None) -> None:
        self.said.append(f"{name}: {total}")

    @override
    def say(self, line: str) -> None:
        self.said.append(line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated(Row):
    """A row of a unit, which may overlap with others."""

    of: str
    touched: tuple[str, ...] = ()

    @property
    @override
    def unit(self) -> str:
        return self.of

    @property
    @override
    def overlaps(self) -> tuple[str, ...]:
        return self.touched


def of_units(units: list[int], labels: list[str]) -> list[Dated]:
    return [
        Dated(label=label, key=f"{n:064x}", origin=Origin.ORIGINAL, new=False, of=f"{unit:064x}")
        for n, (unit, label) in enumerate(zip(units, labels, strict=True))
    ]


# --- which rows are set aside -------------------------------------------------------------


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from("aaaab")), min_size=1, max_size=200),
    st.randoms(use_true_random=False),
)
def test_whole_units_are_set_aside_always_the_same(
    drawn: list[tuple[int, str]], chance: Any
) -> None:
    rows = of_units([unit * 7919 % 61 for unit, _ in drawn], [label for _, label in drawn])
    parts = validation.split(rows)
    assert not {row.unit for row in parts.learnt} & {row.unit for row in parts.validation}
    assert len(parts.learnt) + len(parts.validation) == len(rows)
    assert {row.label for row in parts.learnt} == {row.label for row in rows}
    wanted = max(validation.LEAST, -(-len(rows) // 10))
    assert len(parts.validation) < 2 * wanted
    shuffled = list(rows)
    chance.shuffle(shuffled)
    assert set(validation.split(shuffled).validation) == set(parts.validation)


def test_about_a_tenth_is_set_aside_whatever_is_held_out() -> None:
    rows = [make_row(f"text {n}", "ab"[n % 2], Origin.ORIGINAL, new=False) for n in range(3000)]
    trained = [row for row in rows if row.bucket >= 3000]  # the lowest are held out
    parts = validation.split(trained)
    assert parts.enough
    assert len(parts.validation) == -(-len(trained) // 10)
    buckets = [row.bucket for row in parts.validation]
    assert np.mean(buckets) == pytest.approx(6500, abs=500), "they are of all buckets that are left"


def test_what_overlaps_with_the_other_part_is_on_neither() -> None:
    rows = of_units(list(range(100)), ["a"] * 100)
    rows = [
        replace(row, touched=(rows[n + 1].unit,)) if n < 99 else row for n, row in enumerate(rows)
    ]
    parts = validation.split(rows)
    aside = {row.unit for row in parts.validation}
    assert len(parts.validation) == 10, "the highest, each beside the next"
    assert aside == {row.unit for row in rows[90:]}
    assert [row.unit for row in parts.learnt] == [row.unit for row in rows[:89]]


def test_a_unit_as_large_as_the_part_stays() -> None:
    rows = of_units([99] * 50 + list(range(50)), ["a"] * 100)
    parts = validation.split(rows)
    assert len(parts.validation) == 10
    assert all(row.unit != f"{99:064x}" for row in parts.validation)
    assert not validation.split(of_units([1] * 200, ["a"] * 200)).enough
    few = of_units(list(range(20)), ["a"] * 20)
    assert not validation.split(few * 20).enough, "rows that come again are no more rows"


@pytest.mark.parametrize("old, new, percent", [(60, 25, 50), (300, 25, 50), (100, 15, 80)])
def test_new_rows_that_are_repeated_change_no_part(old: int, new: int, percent: int) -> None:
    before = [make_row(f"old {n}", "ab"[n % 2], Origin.ORIGINAL, new=False) for n in range(old)]
    now = [make_row(f"new {n}", "ab"[n % 2], Origin.UPDATES, new=True) for n in range(new)]
    trained = [*before, *repeated(now, old, percent)]
    once, often = (validation.of_argument("x", rows) for rows in ([*before, *now], trained))
    assert set(often.validation) == set(once.validation)
    assert len(often.learnt) + len(often.validation) == len(trained)


@pytest.mark.parametrize("name", ["early_stopping_patience", "early_stopping_rounds"])
def test_the_diagnosis_makes_the_parts_of_the_training(name: str) -> None:
    rows = of_units([n // 20 for n in range(100)], ["a"] * 100)
    with pytest.raises(ConfigurationError) as error:
        validation.try_arguments(WHERE, {name: 2}, rows)
    assert error.value.message.startswith(f"{WHERE}.{name}: of 100 rows to learn from 0 can be set")
    validation.try_arguments(WHERE, {"num_train_epochs": 2}, rows)


# --- each kind ----------------------------------------------------------------------------

Made = tuple[Any, Any, list[Any]]


def of_texts(folder: Path, base_model: Path) -> Made:
    del folder
    rows = [
        make_row(text, label, Origin.ORIGINAL, new=False)
        for text, label in headlines(["finance", "sport"], 150, 1)
    ]
    return TASK, TASK.from_base(base_model, rows, 0), rows


def of_images(folder: Path, _base: Path) -> Made:
    rows = [pictures.row(*each) for each in pictures.digits(slice(0, 100))]
    task = tasks.find(Task.IMAGE_CLASSIFICATION)
    return task, task.from_base(pictures.base_model(folder / "base"), rows, 0), rows


def of_series(folder: Path, _base: Path, kind: type[series.SeriesLab] = series.SeriesLab) -> Made:
    rows = series.prices(0, 1200)
    if kind.kind == Task.TIME_SERIES_FORECASTING:
        rows = [{name: its for name, its in row.items() if name != "label"} for row in rows]
    series.write(folder / "original/prices.csv", rows)
    task, learnt = tasks.find(kind.kind), series.taken(folder, kind.windows, kind.kind).old_train
    return task, task.from_base(folder / "none", learnt, 0), list(learnt)


def of_labelled_series(folder: Path, base: Path) -> Made:
    return of_series(folder, base, series.LabelledLab)


def of_items(folder: Path, _base: Path) -> Made:
    folder.mkdir(exist_ok=True)
    items.write_csv(folder / "rows.csv", items.users(1, 120))
    named = Named(Origin.ORIGINAL, "rows.csv")
    columns = columns_of(Task.NEXT_ITEM)
    file = SourceFile(folder / "rows.csv", named, "sha256:x", columns, new=False, known=False)
    rows = [found.row for found in interactions.SOURCE.read(file)]
    task = tasks.find(Task.NEXT_ITEM)
    return task, task.from_base(folder / "none", rows, 0), rows


def of_answers(folder: Path, _base: Path) -> Made:
    rows = [
        conversation([Turn(Role.USER, f"The fee {n}?")], f"{n} euros.", Origin.ORIGINAL, new=False)
        for n in range(60)
    ]
    task = tasks.find(Task.CAUSAL_LM)
    return task, task.from_base(language.base_model(folder / "base"), rows, 0), rows


STOP = {"early_stopping_patience": 1, "early_stopping_threshold": 100.0}
"""Nothing is better by so much: the first look is the best, and the second one ends it."""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated")
@pytest.mark.parametrize(
    "make, more",
    [
        (of_texts, {}),
        (of_images, {}),
        (of_series, {}),
        (of_labelled_series, {}),
        (of_items, {}),
        (of_answers, {}),
        (of_answers, {"peft_type": "LORA"}),
    ],
    ids=lambda its: its.__name__ if callable(its) else "-".join(its),
)
def test_each_kind_ends_early(
    make: Callable[[Path, Path], Made], more: dict[str, Any], tmp_path: Path, base_model: Path
) -> None:
    task, model, rows = make(tmp_path / "data", base_model)
    parts = validation.split(rows)
    told = {"num_train_epochs": 30, "per_device_train_batch_size": 16, "use_cpu": True}
    given = {**told, **STOP, **more}
    task.check_arguments(RETRAIN, given)
    heard = Heard()
    fitted = task.fit(model, rows, How(RETRAIN, given, tmp_path), heard)
    first = heard.said[0]
    assert first.startswith(f"training on {len(parts.learnt)} rows"), "the others are not learnt"
    each = fitted.steps // 2  # a look after each epoch
    assert first.endswith(f": {each * 30}")
    assert fitted.steps == 2 * each
    assert f"{fitted.steps} of {each * 30} steps were made" in heard.said[-1]


@pytest.mark.slow
def test_the_best_weights_are_kept_unless_the_last_are_wanted(
    base_model: Path, tmp_path: Path
) -> None:
    chance = np.random.default_rng(0)
    rows = [  # labels by chance: learnt by heart, and told ever worse
        make_row(text, "xy"[chance.integers(2)], Origin.ORIGINAL, new=False)
        for text, _ in headlines(["finance", "sport", "arts"], 100, 1)
    ]
    aside = validation.split(rows).validation
    quick = {
        "learning_rate": 0.005,
        "num_train_epochs": 15,
        "per_device_train_batch_size": 16,
        "use_cpu": True,
        "bf16": False,
    }
    found = {}
    for best in (True, False):
        model = TASK.from_base(base_model, rows, 0)
        heard = Heard()
        given = {**quick, "early_stopping_patience": 8, "load_best_model_at_end": best}
        TASK.fit(model, rows, How(RETRAIN, given, tmp_path / str(best)), heard)
        said = next(line for line in heard.said if "told best" in line)
        least = float(said.split("(loss ")[1].split(")")[0])
        found[best] = least, _loss(model, aside)
    assert found[True][1] == pytest.approx(found[True][0], abs=1e-3)
    assert found[False][0] == pytest.approx(found[True][0], abs=1e-3), "the same training"
    assert found[False][1] > found[True][1] + 0.05


def _loss(model: Any, rows: list[TextRow]) -> float:
    told = TASK.outputs(model, rows, Silent(), "").probabilities
    assert told is not None
    places = TASK.learnt_of(model, rows)
    return float(-np.log([each[place] for each, place in zip(told, places, strict=True)]).mean())


def of_tables(folder: Path, records: list[dict[str, Any]], *, new: bool = False) -> list[Any]:
    path = folder / f"rows-{new}.csv"
    tables.write_csv(path, records)
    named = Named(Origin.UPDATES if new else Origin.ORIGINAL, path.name)
    columns = columns_of(Task.TABULAR_CLASSIFICATION)
    file = SourceFile(path, named, "sha256:x", columns, new=new, known=False)
    return [found.row for found in labelled_tables.SOURCE.read(file)]


def test_boosting_ends_and_keeps_the_best_trees(tmp_path: Path) -> None:
    task = tasks.find(Task.TABULAR_CLASSIFICATION)
    rows = of_tables(tmp_path, tables.patients(1, 400, noise=0.2))
    parts = validation.split(rows)
    model = task.from_base(tmp_path, rows, 0)
    given = {"n_estimators": 400, "learning_rate": 0.5, "early_stopping_rounds": 7}
    heard = Heard()
    fitted = task.fit(model, rows, How(RETRAIN, given, tmp_path), heard)
    kept = model.booster.num_boosted_rounds()
    assert heard.said[0] == f"boosting on {len(parts.learnt)} rows, rounds: 400"
    assert fitted.steps == kept + 7
    assert model.booster.attributes() == {}
    plain = task.from_base(tmp_path, rows, 0)
    how = How(RETRAIN, {"n_estimators": kept, "learning_rate": 0.5}, tmp_path)
    task.fit(plain, parts.learnt, how, Silent())
    told = [task.outputs(its, rows, Silent(), "").probabilities for its in (model, plain)]
    assert np.allclose(*told, atol=1e-5), "as if so many rounds had been asked for"

    # Classes may be added, boosting goes on from there, and ends early again.
    more = tables.patients(
        2,
        300,
        change=lambda row, chance: row.update(
            label="unclear" if chance.random() < 0.3 else row["label"]
        ),
    )
    new = of_tables(tmp_path, more, new=True)
    grown = task.extend(model, tmp_path, new, 0)
    before = grown.booster.num_boosted_rounds()
    fitted = task.fit(grown, new, How(FINE_TUNE, given, tmp_path), Silent())
    assert before < grown.booster.num_boosted_rounds() == before + fitted.steps - 7
    (tmp_path / "version").mkdir()
    task.save(grown, tmp_path / "version")
    task.proof(grown)(tmp_path / "version")


def test_tables_with_too_few_rows_say_so(tmp_path: Path) -> None:
    task = tasks.find(Task.TABULAR_CLASSIFICATION)
    tiny = task.rehearse(tmp_path, Given.BASE, Silent())
    given = {"early_stopping_rounds": 5}
    task.try_arguments(tiny, RETRAIN, given, 40)
    with pytest.raises(ConfigurationError, match="of 39 rows to learn from too few can be set as"):
        task.try_arguments(tiny, RETRAIN, given, 39)
    rows = of_tables(tmp_path, tables.patients(1, 20))
    with pytest.raises(ConfigurationError) as error:
        task.fit(task.from_base(tmp_path, rows, 0), rows, How(RETRAIN, given, tmp_path), Silent())
    assert error.value.message.startswith(f"{WHERE}.early_stopping_rounds: of 20 rows")


@pytest.mark.slow
def test_a_grown_catalogue_ends_both_stages(tmp_path: Path) -> None:
    task, model, _ = of_items(tmp_path, tmp_path)
    items.write_csv(tmp_path / "new.csv", items.users(2, 80, names=["n0", "n1", "i1", "i2"]))
    named = Named(Origin.UPDATES, "new.csv")
    columns = columns_of(Task.NEXT_ITEM)
    file = SourceFile(tmp_path / "new.csv", named, "sha256:y", columns, new=True, known=False)
    new = [found.row for found in interactions.SOURCE.read(file)]
    grown = task.extend(model, tmp_path, new, 0)
    heard = Heard()
    given = {**STOP, "num_train_epochs": 30, "use_cpu": True}
    fitted = task.fit(grown, new, How(FINE_TUNE, given, tmp_path / "scratch"), heard)
    assert sum("told best at step" in line for line in heard.said) == 2
    each = -(-len(validation.split(new).learnt) // 64)
    assert fitted.steps == 2 * 2 * each


@pytest.mark.slow
def test_looks_may_be_by_steps(base_model: Path, tmp_path: Path) -> None:
    task, model, rows = of_texts(tmp_path, base_model)
    given = {**STOP, "eval_steps": 3, "num_train_epochs": 30, "use_cpu": True}
    fitted = task.fit(model, rows, How(RETRAIN, given, tmp_path), Silent())
    assert fitted.steps == 6


@pytest.mark.slow
def test_a_loss_that_is_no_number_writes_no_version(base_model: Path, tmp_path: Path) -> None:
    task, model, rows = of_texts(tmp_path, base_model)
    given = {
        "early_stopping_patience": 3,
        "learning_rate": 1e30,
        "max_grad_norm": 0,
        "use_cpu": True,
    }
    with pytest.raises(ConfigurationError) as error:
        task.fit(model, rows, How(RETRAIN, given, tmp_path), Silent())
    assert error.value.reason == "TrainingDiverged"


# --- what is refused ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, said",
    [
        ({"early_stopping_patience": 0}, "early_stopping_patience: a whole number from 1"),
        ({"early_stopping_patience": True}, "early_stopping_patience: a whole number from 1"),
        ({"early_stopping_patience": float("nan")}, "early_stopping_patience: a whole number from"),
        ({"early_stopping_patience": "3"}, "early_stopping_patience: a whole number from 1"),
        (
            {"early_stopping_patience": 1, "early_stopping_threshold": float("nan")},
            "early_stopping_threshold: a number of at least 0",
        ),
        (
            {"early_stopping_patience": 1, "early_stopping_threshold": -0.1},
            "early_stopping_threshold: a number of at least 0",
        ),
        ({"early_stopping_patience": 1, "eval_steps": 0}, "eval_steps: a whole number from 1"),
        (
            {"early_stopping_patience": 1, "load_best_model_at_end": "yes"},
            "load_best_model_at_end: true or false",
        ),
        (
            {"early_stopping_patience": 1, "metric_for_best_model": "accuracy"},
            "metric_for_best_model: loss is what is compared",
        ),
        ({"early_stopping_threshold": 0.1}, "early_stopping_threshold cannot be set alone"),
        ({"load_best_model_at_end": True}, "load_best_model_at_end cannot be set alone"),
        ({"eval_steps": 5}, "Write early_stopping_patience beside it"),
        ({"early_stopping_patience": 1, "eval_strategy": "epoch"}, "eval_strategy cannot be set"),
        ({"early_stoping_patience": 1}, "did you mean 'early_stopping_patience'"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        arguments.check(RETRAIN, given)
    assert said in error.value.message
    assert error.value.message.startswith(f"{WHERE}.")


def test_too_few_rows_are_said_before_and_while_they_are_learnt(base_model: Path) -> None:
    tiny = TASK.rehearse(base_model, Given.BASE, Silent())
    assert tiny is not None
    TASK.try_arguments(tiny, RETRAIN, STOP, 40)
    with pytest.raises(ConfigurationError) as before:
        TASK.try_arguments(tiny, RETRAIN, STOP, 39)
    assert before.value.message == (
        "training.retrain.arguments.early_stopping_patience: of 39 rows to learn from too few can "
        "be set aside, and 10 are needed beside 30 that are learnt: remove it, or add rows."
    )
    with pytest.raises(ConfigurationError, match="of 200 rows to learn from 0 can be set"):
        early_stopping.split(WHERE, STOP, of_units([1] * 200, ["a"] * 200))


def test_nothing_is_set_aside_where_nobody_asks(tmp_path: Path) -> None:
    rows = of_units(list(range(50)), ["a"] * 50)
    assert early_stopping.split(WHERE, {"num_train_epochs": 2}, rows) == (rows, None)
    built = arguments.build(RETRAIN, {}, tmp_path)
    assert built.eval_strategy == "no"
    assert built.save_strategy == "no"
    assert not built.load_best_model_at_end


def test_half_a_batch_stops_alike(tmp_path: Path) -> None:
    halved = Recipes(50, {}, {**STOP}).in_half_batches().retrain_arguments
    built = arguments.build(RETRAIN, halved, tmp_path)
    assert built.per_device_eval_batch_size == built.per_device_train_batch_size == 16
