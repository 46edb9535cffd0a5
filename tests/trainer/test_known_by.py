"""Old rows that are delivered again with one more column stay on their side of the holdout."""

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.laboratory import age

from maintenance_contract import Columns, DataRef, Holdout, columns_of
from maintenance_contract.codec import Fields
from maintenance_trainer.data.auto_holdout import Before
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.known_by import known_before, known_by
from maintenance_trainer.data.rows import Row
from maintenance_trainer.data.snapshot import Snapshot, read_again, take_snapshot
from maintenance_trainer.data.split import Dataset
from maintenance_trainer.locations import Places
from maintenance_trainer.store import inheritance
from maintenance_trainer.store.inheritance import Past, handed_on
from maintenance_trainer.tasks import source
from maintenance_trainer.tasks.tables.rows import TableRow

TABLE = "TabularClassification"
TABLES = source(TABLE)
Record = Mapping[str, Any]
AUTO = Holdout()
PLAIN = columns_of(TABLE, weight="n")
"""Rows are weighed by their number, so that a row can be told again and it is no input."""


def numbers(count: int, begin: int = 1) -> list[Record]:
    """Rows that no other row is like."""
    draw = random.Random(begin)  # noqa: S311  # no secret
    return [
        {"x": draw.random(), "y": draw.random(), "label": "ab"[n % 2], "n": n}
        for n in range(begin, begin + count)
    ]


def little(count: int, begin: int = 1) -> list[Record]:
    """Rows that say so little that others are like them by chance."""
    draw = random.Random(begin)  # noqa: S311  # no secret
    return [
        {"x": draw.randrange(4), "y": draw.choice("uvw"), "label": draw.choice("ab"), "n": n}
        for n in range(begin, begin + count)
    ]


def wider(records: Iterable[Record], many: int = 100_000) -> list[Record]:
    """The same rows with a column before the others; ``many`` different numbers are in it."""
    return [{"a": record["n"] % many + (0 if many < 10 else 0.01), **record} for record in records]


def narrower(records: Iterable[Record]) -> list[Record]:
    """The same rows without one of their columns."""
    return [{name: cell for name, cell in record.items() if name != "y"} for record in records]


def its(rows: Iterable[Row]) -> set[int]:
    """The numbers of rows."""
    return {int(row.weight) for row in rows if isinstance(row, TableRow)}


def sides(rows: Iterable[Row]) -> dict[int, str]:
    """The units of rows, by their numbers."""
    return {int(row.weight): row.unit for row in rows if isinstance(row, TableRow)}


class Rounds:
    """Runs over one folder, and what the version in service learnt in them."""

    def __init__(self, root: Path, holdout: Holdout = AUTO, form: str = "csv") -> None:
        self.root, self.holdout, self.form = root, holdout, form
        self.past: Past | None = None
        self.data: frozenset[str] = frozenset()
        self.learnt: set[int] = set()
        self.last: Snapshot | None = None
        (root / "original").mkdir()
        (root / "updates").mkdir()

    def write(self, name: str, records: Sequence[Record]) -> None:
        path = self.root / f"{name}.{self.form}"
        if self.form == "csv":
            lines = [list(records[0]), *(record.values() for record in records)]
            path.write_text("".join(",".join(map(str, line)) + "\n" for line in lines))
        else:
            path.write_text("".join(json.dumps(record) + "\n" for record in records))
        age(path)

    def look(self, columns: Columns = PLAIN) -> Dataset:
        """A diagnosis, after which its training would read the same rows again."""
        original, updates = (f"file://{self.root}/{origin}" for origin in Origin)
        data = DataRef(original, updates, columns, self.holdout)
        kept = self.last.kept if self.last else ()
        inputs = known_before(self.last.files, self.last.columns) if self.last else {}
        own, fair = (self.past.own, self.past.fair) if self.past else (None, None)
        taken, dataset = take_snapshot(
            data,
            Places(""),
            TABLES,
            known=self.data,
            champion_holdout=fair,
            before=Before(self.data, own, fair, kept, inputs),
            tell=lambda _: None,
        )
        stored = Snapshot.from_json(taken.to_json())
        assert stored == taken
        again = read_again(stored, data, Places(""), TABLES, 1)
        assert [row.unit for row in again.rows] == [row.unit for row in dataset.rows]
        assert again.counts == dataset.counts
        self.last = stored
        return dataset

    def train(self, columns: Columns = PLAIN) -> Dataset:
        """Look, retrain and promote."""
        dataset = self.look(columns)
        assert self.last is not None
        past = handed_on(self.last, None)
        self.past = Past.read(Fields(json.loads(json.dumps(inheritance.document(self.last, past)))))
        self.data = frozenset(file.digest for file in self.last.files)
        self.learnt = its((*dataset.new_train, *dataset.old_train))
        return dataset

    def leaked(self, dataset: Dataset) -> set[int]:
        """Rows that the version in service learnt, and is judged by."""
        return its((*dataset.new_held_out, *dataset.old_held_out)) & self.learnt


def numbers_of(records: Iterable[Record]) -> set[int]:
    """Those of rows that are yet to be read."""
    return {record["n"] for record in records}


@pytest.mark.parametrize("many, form", [(100_000, "csv"), (3, "jsonl")])
@pytest.mark.parametrize("holdout", [AUTO, Holdout(20, 40)])
@pytest.mark.parametrize("origin", Origin)
def test_one_more_column_moves_no_row_to_the_other_side(
    tmp_path: Path, many: int, form: str, holdout: Holdout, origin: Origin
) -> None:
    rounds = Rounds(tmp_path, holdout, form)
    there = {Origin.ORIGINAL: numbers(160), Origin.UPDATES: numbers(160, 1001)}
    for folder, its_rows in there.items():
        rounds.write(f"{folder}/a", its_rows)
    before = rounds.train()
    held_out = its((*before.new_held_out, *before.old_held_out)) & numbers_of(there[origin])

    rounds.write(f"{origin}/a", wider(there[origin], many))
    rewritten = rounds.look()
    assert its(rewritten.rows) & numbers_of(there[origin])
    assert not rounds.leaked(rewritten)
    if origin is Origin.UPDATES:
        assert its(rewritten.new_held_out) == held_out

    rounds.write(f"{origin}/a", wider([*there[origin], *numbers(100, 5001)], many))
    appended = rounds.look()
    assert not rounds.leaked(appended)
    assert its(appended.rows) & numbers_of(numbers(100, 5001))


def test_rows_that_say_little_stay_known_by_all_that_they_have(tmp_path: Path) -> None:
    """Of rows of the same inputs of before nobody can say which is which: order decides nothing."""
    rounds = Rounds(tmp_path)
    rounds.write("original/a", little(160))
    rounds.write("updates/b", little(160, 1001))
    rounds.look()
    rounds.write("updates/b", wider(little(160, 1001)))
    rounds.train()
    rounds.write("updates/b", wider(little(160, 1001))[::-1])
    assert not rounds.leaked(rounds.look())


def test_a_file_that_is_what_it_was_is_known_as_it_was(tmp_path: Path) -> None:
    """Whatever columns another file has, and wherever the file has been meanwhile."""
    rounds = Rounds(tmp_path, form="jsonl")
    rounds.write("original/a", numbers(160))
    late = [
        {**record, "rare": 1} if n == 130 else record
        for n, record in enumerate(wider(numbers(160, 1001)))
    ]
    rounds.write("updates/b", late)
    units = sides(rounds.train().rows)
    dataset = rounds.look()
    assert sides(dataset.rows).items() <= units.items()
    assert not rounds.leaked(dataset)


def test_rows_of_a_new_file_are_known_by_all_that_they_have(tmp_path: Path) -> None:
    """Where what was there before is coarse, others are like them by chance."""
    rounds = Rounds(tmp_path, Holdout(20, 40))
    coarse = [{**record, "x": record["n"] % 7 / 10, "y": 0.5} for record in numbers(160)]
    rounds.write("original/a", coarse)
    rounds.write("updates/b", coarse)
    rounds.train()
    rounds.write("updates/c", wider([{**record, "n": record["n"] + 2000} for record in coarse]))
    new = [row for row in rounds.look().rows if row.new]
    assert len({row.unit for row in new}) == len(new) == 160


def test_a_file_gets_the_column_that_a_later_one_has(tmp_path: Path) -> None:
    rounds = Rounds(tmp_path)
    rounds.write("original/a", numbers(160))
    rounds.write("updates/january", numbers(160, 1001))
    rounds.write("updates/february", wider(numbers(160, 2001)))
    rounds.train()
    rounds.write("updates/january", wider(numbers(160, 1001)))
    assert not rounds.leaked(rounds.look())


@pytest.mark.parametrize("holdout", [AUTO, Holdout(20, 40)])
def test_of_old_rows_without_a_column_of_then_none_is_a_fair_test(
    tmp_path: Path, holdout: Holdout
) -> None:
    rounds = Rounds(tmp_path, holdout)
    rounds.write("original/a", numbers(160))
    rounds.write("updates/b", numbers(200, 1001))
    rounds.train()
    rounds.write("original/a", narrower(numbers(160)))
    dataset = rounds.look()
    assert not rounds.leaked(dataset)
    assert not its(dataset.old_held_out) & numbers_of(numbers(160))


def test_files_that_had_the_column_are_known_by_it(tmp_path: Path) -> None:
    """Two rows that differ in it alone were two, and stay two."""
    rounds = Rounds(tmp_path)
    rounds.write("original/a", wider(numbers(160)))
    rounds.write("updates/b", wider(numbers(200, 1001)))
    before = rounds.train()
    rounds.write("updates/c", wider(numbers(100, 2001)))
    rounds.look()
    assert rounds.last is not None
    assert [file.known_by for file in rounds.last.files] == [()] * 3
    assert before.counts.old_train > 0


def test_json_that_leaves_out_what_is_null_is_known_by_the_same_columns(tmp_path: Path) -> None:
    """Its first lines need not have all columns."""
    rounds = Rounds(tmp_path, form="jsonl")
    there = [{**record, "y": None} if n < 9 else record for n, record in enumerate(numbers(160))]
    rounds.write("original/a", [without_null(record) for record in there])
    rounds.write("updates/b", numbers(60, 1001))
    units = sides(rounds.train().rows)
    rounds.write("original/a", [without_null(record) for record in wider(there)])
    dataset = rounds.look()
    assert not rounds.leaked(dataset)
    assert sides(dataset.rows).items() <= units.items()


def without_null(record: Record) -> Record:
    return {name: cell for name, cell in record.items() if cell is not None}


@pytest.mark.parametrize("origin", Origin)
def test_where_a_column_groups_rows_inputs_move_none(tmp_path: Path, origin: Origin) -> None:
    rounds = Rounds(tmp_path, Holdout(20, 40))
    grouped = columns_of(TABLE, weight="n", group="ward")
    there = {
        folder: [{**record, "ward": record["n"] // 4} for record in numbers(160, begin)]
        for folder, begin in ((Origin.ORIGINAL, 1), (Origin.UPDATES, 1001))
    }
    for folder, records in there.items():
        rounds.write(f"{folder}/a", records)
    before = rounds.train(grouped)
    rounds.write(f"{origin}/a", narrower(there[origin]))
    dataset = rounds.look(grouped)
    assert not rounds.leaked(dataset)
    assert its(dataset.old_held_out) >= its(before.old_held_out)


@pytest.mark.parametrize(
    "inputs, before, found",
    [
        ("abc", "ab", "ab"),
        ("abc", "abc", ""),
        ("abc", "abd", ""),
        ("abc", "", ""),
        ("ab", "abc", ""),
    ],
)
def test_the_columns_that_were_there_before(inputs: str, before: str, found: str) -> None:
    assert known_by(frozenset(inputs), frozenset(before)) == frozenset(found)
