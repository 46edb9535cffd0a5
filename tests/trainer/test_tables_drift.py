"""What has changed about columns: units, types, new, gone, stuck and empty ones."""

import numpy as np
import pytest
from numpy.typing import NDArray
from support.tables import Record, patients

from maintenance_contract import Answer, evidence_names
from maintenance_contract.report import Evidence
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.diagnose import statistics
from maintenance_trainer.tasks import units
from maintenance_trainer.tasks.tables import drift, embedding
from maintenance_trainer.tasks.tables.cells import NOTHING, Kind, of_value, word_of
from maintenance_trainer.tasks.tables.rows import Header, TableRow, Type
from maintenance_trainer.tasks.tables.schema import Schema

TYPES = {bool: Type.BOOLEAN, int: Type.NUMBER, float: Type.NUMBER, str: Type.CATEGORY}


def rows_of(records: list[Record]) -> list[TableRow]:
    names = [name for name in records[0] if name != "label"]
    types = []
    for name in names:
        kinds = {of_value(record[name]).kind for record in records} - {Kind.NOTHING}
        types.append(
            Type.CATEGORY
            if Kind.TEXT in kinds
            else Type.DATE
            if Kind.DATE in kinds
            else Type.BOOLEAN
            if Kind.BOOLEAN in kinds
            else Type.NUMBER
            if kinds
            else Type.NOTHING
        )
    header = Header("a.csv", (), names, types)
    rows = []
    for number, record in enumerate(records):
        words = np.empty(len(names), np.uint32)
        for at, name in enumerate(names):
            cell = of_value(record[name])
            text = cell.kind in {Kind.TEXT, Kind.BOOLEAN}
            words[at] = (
                word_of(cell.place)
                if text
                else NOTHING
                if cell.kind is Kind.NOTHING
                else np.float32(cell.number).view(np.uint32)
            )
        rows.append(
            TableRow(
                label=record.get("label", "x"),
                key=f"{number:064x}",
                origin=Origin.ORIGINAL,
                new=False,
                header=header,
                cells=words.tobytes(),
            )
        )
    return rows


def found(
    old: list[Record], new: list[Record], weight: NDArray[np.float64] | None = None
) -> tuple[dict[str, float], Answer]:
    """Evidence by name, and the gravest answer."""
    before = rows_of(old)
    schema = Schema.of(before)
    weights = np.zeros(len(schema.columns)) if weight is None else weight
    measured = drift.measures(schema, weights, before, rows_of(new))
    answers = [measure.answer(frozenset()) for measure in measured if measure.counts]
    order = [Answer.NO, Answer.MINOR, Answer.MAJOR]
    assert all(len(measure.name) <= 64 for measure in measured)
    return {m.name: m.effect for m in measured}, max(answers, key=order.index)


OLD = patients(1, 800)


def changed(name: str, change: object) -> list[Record]:
    new = patients(2, 400)
    for row in new:
        if callable(change):
            row[name] = change(row[name])
        elif change is ...:
            del row[name]
        else:
            row[name] = change
    return new


@pytest.mark.slow
def test_rows_of_the_same_world_differ_in_nothing() -> None:
    evidence, answer = found(OLD, patients(2, 400))
    assert answer is Answer.NO
    assert evidence == {"changedColumns": 0, "emptierColumn": 0.0, "unknownCategories": 0.0}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "name, change",
    ids=map(str, range(5)),
    argvalues=[
        ("height", lambda inches: inches + 2),
        ("pressure", lambda value: value * 1.1),
        ("sugar", lambda value: value * 1.3),
        ("age", lambda years: years // 2 + 40),
        ("pressure", lambda value: 130 + 1.4 * (value - 130)),
    ],
)
def test_a_shift_is_no_other_unit(name: str, change: object, seed: int) -> None:
    evidence, answer = found(patients(10 + seed, 800), changed(name, change))
    assert answer is Answer.NO, evidence
    assert not [each for each in evidence if each.startswith("unit")]


@pytest.mark.parametrize(
    "name, change, factor, offset",
    ids=map(str, range(7)),
    argvalues=[
        ("height", lambda inches: inches * 2.54, 2.54, 0.0),
        ("sugar", lambda value: value * 18.0, 18.0, 0.0),
        ("sugar", lambda value: value / 1000, 0.001, 0.0),
        ("pressure", lambda celsius: celsius * 1.8 + 32, 1.8, 32.0),
        ("pressure", lambda celsius: celsius + 273.15, 1.0, 273.15),
        ("age", lambda years: years * 12, 12.0, 0.0),
        ("height", lambda miles: miles * 1.609, 1.609, 0.0),
    ],
)
def test_another_unit_is_named_with_its_factor(
    name: str, change: object, factor: float, offset: float
) -> None:
    evidence, answer = found(OLD, changed(name, change))
    assert answer is Answer.MAJOR
    assert evidence["changedColumns"] == 1
    assert evidence[f"unitFactor:{name}"] == pytest.approx(factor, rel=0.1)
    assert evidence.get(f"unitOffset:{name}", 0.0) == pytest.approx(
        offset, abs=0.15 * (offset or 1e-9)
    )


@pytest.mark.parametrize("shift", [0.5, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("old, new", [(150, 150), (500, 300), (2000, 1000)])
@pytest.mark.parametrize("skewed", [False, True])
def test_what_has_grown_by_as_much_for_all_is_no_other_unit(
    old: int,
    new: int,
    shift: float,
    skewed: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """Some factor brings its quantiles near, wherever its zero is; a shift brings them nearer."""
    chance = np.random.default_rng(0)

    def seen() -> bool:
        centre = chance.normal(0, 3)
        before, now = (centre + chance.normal(size=count) for count in (old, new))
        if skewed:
            before, now = (np.exp((values - 0.3 * centre) * 0.7) for values in (before, now))
        return units.unit_of(before, now + shift * before.std()) is not None

    assert sum(seen() for _ in range(40)) <= (4 if old < 500 else 2)


@pytest.mark.parametrize("share", [0.15, 0.3, 0.45])
@pytest.mark.parametrize("away", [-5.0, 3.0, 5.0])
@pytest.mark.parametrize("old, new", [(100, 100), (300, 150), (1000, 300)])
def test_a_pattern_in_some_rows_is_no_other_unit(
    old: int, new: int, share: float, away: float
) -> None:
    """Some factor makes numbers spread as far; but most of them are as they were."""
    chance = np.random.default_rng(1)

    def seen() -> bool:
        centre = chance.normal(0, 1)
        before, now = (centre + chance.normal(size=count) for count in (old, new))
        there = chance.random(new) < share
        now[there] = centre + away + chance.normal(0, 0.7, int(there.sum()))
        return units.unit_of(before, now) is not None

    assert sum(seen() for _ in range(60)) <= 5


@pytest.mark.parametrize("factor", [0.4536, 2.54, 25.4])
@pytest.mark.parametrize("law", ["normal", "exponential", "uniform", "lognormal"])
def test_another_unit_is_no_pattern_in_some_rows(law: str, factor: float) -> None:
    chance = np.random.default_rng(1)

    def seen() -> bool:
        before, now = (getattr(chance, law)(size=count) for count in (500, 200))
        return units.unit_of(before, factor * now) is not None

    assert sum(seen() for _ in range(60)) >= 45


@pytest.mark.parametrize("factor", [0.1, 1000.0])
@pytest.mark.parametrize("seed", range(4))
def test_another_unit_of_a_skewed_column_is_seen(seed: int, factor: float) -> None:
    """Its spread is that of a few: those who are ill have ten times the value."""
    chance = np.random.default_rng(seed)

    def drawn(count: int) -> NDArray[np.float64]:
        median = np.where(chance.random(count) < 0.2, 120.0, 10.0)
        return np.asarray(median * np.exp(chance.normal(0, 0.7, count)))

    unit = units.unit_of(drawn(600), factor * drawn(500))
    assert unit is not None
    assert unit.factor == pytest.approx(factor, rel=0.2)
    assert unit.offset == 0.0
    assert units.unit_of(drawn(600), drawn(500)) is None


@pytest.mark.parametrize(
    "name, change, told, answer",
    ids=map(str, range(10)),
    argvalues=[
        ("sugar", ..., "lostColumn:sugar", Answer.MAJOR),
        ("sugar", str, "otherType:sugar", Answer.MAJOR),
        ("ward", len, "unknownCategories:ward", Answer.MAJOR),
        ("admitted", lambda _: 7.5, "otherType:admitted", Answer.MAJOR),
        ("pressure", 120.5, "stuckColumn:pressure", Answer.MAJOR),
        ("smoker", True, "constantColumn:smoker", Answer.NO),
        ("pressure", None, "emptierColumn:pressure", Answer.MAJOR),
        ("pressure", lambda v: None if v > 140 else v, "emptierColumn:pressure", Answer.MINOR),
        (
            "ward",
            lambda w: "maternity" if w == "trauma" else w,
            "unknownCategories:ward",
            Answer.MAJOR,
        ),
        ("sugar", lambda v: 99.0 if v > 8 else v, "outOfRange:sugar", Answer.NO),
    ],
)
def test_what_has_changed_is_named_by_its_column(
    name: str, change: object, told: str, answer: Answer
) -> None:
    evidence, gravest = found(OLD, changed(name, change))
    assert told in evidence, evidence
    assert gravest is answer


@pytest.mark.slow
def test_a_new_column_counts_where_most_rows_have_it() -> None:
    new = patients(2, 400)
    for number, row in enumerate(new):
        row["lactate"] = number / 7
    evidence, answer = found(OLD, new)
    assert (evidence["newColumn:lactate"], answer) == (1.0, Answer.MAJOR)
    for row in new[:300]:
        row["lactate"] = None
    assert found(OLD, new)[1] is Answer.NO


def test_a_column_that_the_model_hardly_uses_is_told_and_asks_for_nothing() -> None:
    new = changed("height", lambda inches: inches * 2.54)
    weight = np.array([0.2, 0.001, 0.4, 0.3, 0.05, 0.03, 0.019])
    evidence, answer = found(OLD, new, weight)
    assert evidence["unitFactor:height"] == pytest.approx(2.54, rel=0.05)
    assert (evidence["changedColumns"], answer) == (0, Answer.NO)


def test_a_column_of_any_name_fits_into_a_report() -> None:
    name = evidence_names.of_column(evidence_names.UNIT_FACTOR, "a" * 500 + "\n\u202e")
    assert len(name) == 64
    assert Evidence(name, 1.0)
    assert evidence_names.of_column("unitFactor", "a\nb") == "unitFactor:a?b"
    assert evidence_names.in_words("unitFactor:height") == (
        "column 'height': another unit: new values are so many times the old ones"
    )


def test_far_values_keep_their_order_and_none_stands_for_all_others() -> None:
    quantiles = np.linspace(100.0, 200.0, 11).tolist()
    cells = np.array([150.0, 450.0, 455.0, 3e4, 3e38, -3e38], np.float32)
    near, last, beyond, far, most, least = embedding.standardised(cells, quantiles).tolist()
    assert (near, last) == (0.0, embedding.FAR)
    assert last < beyond < far < most < 20.0
    assert beyond - last == pytest.approx(0.1, abs=0.01)
    assert least == -most


@pytest.mark.parametrize("sentinel", [-99999.0, 1e20])
def test_what_lies_outside_is_seen_beside_numbers_that_stand_for_nothing(sentinel: float) -> None:
    chance = np.random.default_rng(3)
    quantiles = np.quantile(chance.standard_normal(1000), np.linspace(0, 1, 11)).tolist()

    def points(count: int, moved: float) -> NDArray[np.float64]:
        x = chance.standard_normal((count, 4))
        x[: int(0.3 * count), 0] += moved
        x[-max(1, count // 100) :, 0] = sentinel
        told = [embedding.standardised(column.astype(np.float32), quantiles) for column in x.T]
        return np.column_stack(told).astype(np.float64)

    seen, old, new = statistics.reduce(points(800, 0), points(300, 0), points(300, 6.0))
    assert statistics.outside_support(seen, old, new)[0].effect > 0.2
