"""Files of interactions: what is read and joined, and what is refused, with row and column."""

import csv
import resource
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from support.items import users, write_csv
from support.laboratory import age

from maintenance_contract import Columns, DataRef, columns_of
from maintenance_contract.holdout import Holdout
from maintenance_trainer.data.auto_holdout import NOTHING_BEFORE, Before
from maintenance_trainer.data.shares import BUCKETS
from maintenance_trainer.data.snapshot import Snapshot, take_snapshot
from maintenance_trainer.errors import DataError
from maintenance_trainer.locations import Places
from maintenance_trainer.tasks.interactions import SOURCE
from maintenance_trainer.tasks.items.names import ITEMS
from maintenance_trainer.tasks.items.reader import MOST_OWN
from maintenance_trainer.tasks.items.rows import ItemRow

COLUMNS = columns_of("NextItem")
DAY = 86_400
T0 = 1_760_000_000


def snapshot(
    root: Path,
    columns: Columns = COLUMNS,
    holdout: Holdout | None = None,
    known: frozenset[str] = frozenset(),
    before: Before = NOTHING_BEFORE,
) -> tuple[Snapshot, Any]:
    (root / "data/updates").mkdir(parents=True, exist_ok=True)
    age(root / "data")
    data = DataRef("pvc://data/original", "pvc://data/updates", columns, holdout or Holdout(30, 30))
    fair = None if not known else _nothing()
    return take_snapshot(
        data, Places(str(root)), SOURCE, known=known, champion_holdout=fair, before=before
    )


def _nothing() -> Any:
    from maintenance_trainer.data.shares import Shares  # noqa: PLC0415

    return Shares(BUCKETS, BUCKETS)


def put(
    root: Path, name: str, rows: Sequence[Sequence[object]], header: str = "user,item,time"
) -> None:
    path = root / "data" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header.split(","), *rows])


def by_user(rows: Sequence[Any]) -> dict[str, list[ItemRow]]:
    found: dict[str, list[ItemRow]] = {}
    for row in rows:
        found.setdefault(row.user, []).append(row)
    return found


def names(items: Any) -> list[str]:
    return [ITEMS.text(int(item)) for item in items]


def test_a_row_is_a_user_in_the_order_of_time_and_not_of_lines(tmp_path: Path) -> None:
    put(
        tmp_path,
        "original/log.csv",
        [("ada", "c", T0 + 30), ("bob", "x", T0), ("ada", "a", T0 + 10), ("ada", "b", T0 + 20)],
    )
    _, dataset = snapshot(tmp_path)
    rows = {len(row.items): row for row in dataset.rows}
    # Who has one interaction is learnt from, and judges nothing.
    assert names(rows[3].items) == ["a", "b", "c"]
    assert (rows[3].label, names(rows[3].history)) == ("c", ["a", "b"])
    assert rows[3].scored
    assert not rows.get(1, rows[3]) or not rows[1].scored


@pytest.mark.parametrize(
    "kind", [pa.float64(), pa.int32(), pa.decimal128(38, 0), pa.decimal128(38, 10)], ids=str
)
def test_numbers_are_names_and_whole_fractions_are_whole(tmp_path: Path, kind: pa.DataType) -> None:
    path = tmp_path / "data/original/log.parquet"
    path.parent.mkdir(parents=True)
    table = {
        "user": pa.array([7, 7]).cast(kind),
        "item": pa.array([42, 43]).cast(kind),
        "time": pa.array([datetime(2026, 1, day, tzinfo=UTC) for day in (2, 1)]),
    }
    parquet.write_table(pa.table(table), path)
    _, dataset = snapshot(tmp_path)
    (row,) = dataset.rows
    assert names(row.items) == ["43", "42"]
    assert not row.numeric


@pytest.mark.parametrize(
    "rows, reason, parts",
    [
        ([("ada", "", T0)], "DataUnreadable", ("line 2, column 'item'", "the item is missing")),
        ([(" ", "a", T0)], "DataUnreadable", ("line 2, column 'user'", "the user is missing")),
        ([("ada", "a", T0), ("ada", "b", "soon")], "TimeUnreadable", ("line 3, column 'time'",)),
        ([("ada", "a", "")], "TimeUnreadable", ("line 2, column 'time'", "is no time")),
        ([("ada", "a", T0 * 1.5)], "TimeUnreadable", ("lies in the future",)),
        ([("ada", "x" * 2000, T0)], "DataUnreadable", ("the item", "2,000 characters")),
        ([("a\nda", "x", T0)], "DataUnreadable", ("the user", "line end")),
        ([], "DataEmpty", ("holds no rows",)),
    ],
)
def test_what_cannot_be_read_is_named_with_file_line_and_column(
    tmp_path: Path, rows: list[tuple[object, ...]], reason: str, parts: tuple[str, ...]
) -> None:
    put(tmp_path, "original/log.csv", rows)
    with pytest.raises(DataError) as caught:
        snapshot(tmp_path)
    assert caught.value.reason == reason
    assert "original/log.csv" in caught.value.message
    assert all(part in caught.value.message for part in parts), caught.value.message


def test_a_fraction_or_a_list_is_no_item(tmp_path: Path) -> None:
    path = tmp_path / "data/original/log.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(f'{{"user": "ada", "item": 1.5, "time": {T0}}}\n')
    with pytest.raises(DataError, match=r"line 1, column 'item': .* not a number \('1.5'\)"):
        snapshot(tmp_path)
    path.write_text(f'{{"user": ["ada"], "item": 1, "time": {T0}}}\n')
    with pytest.raises(DataError, match="the user is a text or a whole number, not a list"):
        snapshot(tmp_path)


def test_old_files_need_a_time_too_and_columns_may_have_other_names(tmp_path: Path) -> None:
    put(tmp_path, "original/log.csv", [("ada", "a", 1), ("ada", "b", 2)], "who,what,n")
    with pytest.raises(DataError, match="there is no column 'user', only 'who', 'what', 'n'"):
        snapshot(tmp_path)
    named = columns_of("NextItem", user="who", item="what", time="n")
    with pytest.raises(DataError, match="column 'n': '1' is no time"):
        snapshot(tmp_path, named)


def test_what_is_odd_is_told_and_read(tmp_path: Path) -> None:
    put(
        tmp_path,
        "original/log.csv",
        [
            ("ada", "a", "2026-01-01T10:00:00+02:00"),
            ("ada", "b", "2026-01-01T09:00:00"),
            ("ada", "b", "2026-01-01T09:00:00"),
            ("user", "item", "time"),
            ("null", "a", "2026-01-02T09:00:00"),
            ("-", "a", "2026-01-02T09:00:00"),
            (r"\N", "a", "2026-01-02T09:00:00"),
        ],
    )
    put(tmp_path, "original/one-time.csv", [("eve", "p", T0), ("eve", "o", T0)])
    _, dataset = snapshot(tmp_path)
    said = " ".join(dataset.remarks)
    assert "without a zone" in said
    assert "1 interactions are there twice (user, item, time) and count once" in said
    assert "the header again, left out" in said
    for user in ("null", "-", r"\N"):
        assert f"{user!r}, which some programs write for a missing user" in said
    assert "all 2 interactions have one time: the order of the rows is taken" in said
    rows = {tuple(names(row.items)) for row in dataset.rows}
    # 10:00 at +02:00 is 08:00 in UTC.
    assert rows == {("a", "b"), ("a",), ("p", "o")}


def test_a_users_files_are_joined_and_each_interaction_counts_once(tmp_path: Path) -> None:
    log = [("ada", "a", T0), ("ada", "b", T0 + 1), ("bob", "a", T0)]
    put(tmp_path, "original/log.csv", log)
    # A whole export again, and more of it.
    put(tmp_path, "updates/more.csv", [*log, ("ada", "c", T0 + 9), ("bob", "d", T0 + 9)])
    _, dataset = snapshot(tmp_path)
    found = {tuple(names(row.items)): row for row in dataset.rows}
    assert set(found) <= {("a", "b"), ("a",), ("a", "b", "c"), ("a", "d")}
    new = {key: row for key, row in found.items() if row.new}
    assert {key: names(row.own) for key, row in new.items()} == {
        ("a", "b", "c"): ["c"],
        ("a", "d"): ["d"],
    }


def test_old_rows_do_not_see_what_came_with_new_files(tmp_path: Path) -> None:
    put(tmp_path, "original/log.csv", [("ada", "a", T0), ("ada", "z", T0 + 9)])
    put(tmp_path, "updates/late.csv", [("ada", "m", T0 + 5), ("ada", "y", T0 + 10)])
    _, dataset = snapshot(tmp_path, holdout=Holdout(90, 90))
    found = {row.new: names(row.items) for row in dataset.rows}
    assert found.get(False, ["a", "z"]) == ["a", "z"]
    assert found[True] == ["a", "m", "z", "y"]


def test_of_several_files_of_an_age_the_last_one_judges(tmp_path: Path) -> None:
    for day in range(4):
        put(
            tmp_path,
            f"original/day-{day}.csv",
            [(f"u{user}", f"i{day}", T0 + day * DAY + user) for user in range(100)],
        )
    _, dataset = snapshot(tmp_path, holdout=Holdout(40, 40))
    held = by_user(dataset.old_held_out)
    assert held
    assert all(len(rows) == 1 for rows in held.values())
    assert all(names(rows[0].items) == ["i0", "i1", "i2", "i3"] for rows in held.values())
    learnt = by_user(dataset.old_train)
    assert not held.keys() & learnt.keys()
    # Four files: four rows, each learnt from at its own day.
    assert all([names(row.own) for row in rows] == [["i0"], ["i1"], ["i2"], ["i3"]]
               for rows in learnt.values())  # fmt: skip


def test_users_are_held_out_whole_and_stay_so(tmp_path: Path) -> None:
    path = tmp_path / "data/original/first.csv"
    path.parent.mkdir(parents=True)
    write_csv(path, users(1, 300))
    before, dataset = snapshot(tmp_path, holdout=Holdout())
    out = {row.user for row in dataset.old_held_out}
    assert not out & {row.user for row in dataset.old_train}
    (tmp_path / "data/updates").mkdir(exist_ok=True)
    write_csv(tmp_path / "data/updates/more.csv", users(2, 300, start=T0 + 90 * DAY))
    _, later = snapshot(
        tmp_path, holdout=Holdout(), known=frozenset(file.digest for file in before.files)
    )
    taught = {row.user for row in (*later.old_train, *later.new_train)}
    assert not taught & {row.user for row in (*later.old_held_out, *later.new_held_out)}
    # Who is held out by the new file teaches nothing any more, old interactions included.
    assert len(later.new_held_out) > 100


@pytest.mark.slow
def test_a_file_that_grows_keeps_what_is_held_out_of_it(tmp_path: Path) -> None:
    put(tmp_path, "original/log.csv", [("ada", "a", T0), ("ada", "b", T0 + 1)])
    log = users(2, 300)
    (tmp_path / "data/updates").mkdir()
    write_csv(tmp_path / "data/updates/log.csv", log)
    before, dataset = snapshot(tmp_path, holdout=Holdout())
    out = {row.user for row in dataset.new_held_out}
    # Everybody goes on, and five times as many users are new.
    later = users(3, 300, start=T0 + 90 * DAY)
    write_csv(tmp_path / "data/updates/log.csv", [*log, *later, *users(4, 1500, first=1000)])
    after, dataset = snapshot(tmp_path, holdout=Holdout(), before=Before(files=before.kept))
    assert after.files[1].digest != before.files[1].digest
    assert after.files[1].held_out == before.files[1].held_out
    assert out < {row.user for row in dataset.new_held_out}
    assert all(len(row.items) == 16 for row in dataset.new_held_out if row.user in out)


@pytest.mark.slow
def test_a_delivery_of_what_known_users_did_later_is_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "data/original").mkdir(parents=True)
    write_csv(tmp_path / "data/original/log.csv", users(1, 50))
    (tmp_path / "data/updates").mkdir()
    write_csv(tmp_path / "data/updates/a.csv", users(2, 2000))
    before, _ = snapshot(tmp_path, holdout=Holdout())
    write_csv(tmp_path / "data/updates/b.csv", users(3, 200, start=T0 + 90 * DAY))
    after, _ = snapshot(tmp_path, holdout=Holdout(), before=Before(files=before.kept))
    marks = {file.name: set(file.marks) for file in after.files}
    assert not marks["a.csv"] & marks["b.csv"]


def test_times_of_the_nineties_are_read_and_zero_is_not(tmp_path: Path) -> None:
    put(tmp_path, "original/log.csv", [("ada", "a", 874724711), ("ada", "b", 874724710)])
    put(tmp_path, "original/more.csv", [("bob", "a", "1997-09-20"), ("bob", "b", 874724710000)])
    _, dataset = snapshot(tmp_path)
    found = {tuple(names(row.items)): row.times.tolist() for row in dataset.rows}
    assert found == {
        ("b", "a"): [874724710 * 10**6, 874724711 * 10**6],
        ("a", "b"): [874713600 * 10**6, 874724710 * 10**6],
    }
    for time in (0, "1989-12-31"):
        put(tmp_path, "original/log.csv", [("ada", "a", time)])
        with pytest.raises(DataError, match=r"'(0' is no time|1989-12-31' lies before 1990)") as no:
            snapshot(tmp_path)
        assert "columns.time out" not in no.value.message
        assert "data.original" not in no.value.message.partition("column")[2]


def test_who_judges_nothing_is_counted_among_all_users(tmp_path: Path) -> None:
    put(
        tmp_path,
        "original/log.csv",
        [("42.0", "a", T0), ("b", "a", T0), ("c", "a", T0), ("d", "a", T0), ("d", "b", T0 + 1)],
    )
    _, dataset = snapshot(tmp_path)
    said = " ".join(dataset.remarks)
    assert "data: 3 of 4 users have one interaction" in said
    assert "line 2: column 'user' holds texts like '42.0'" in said
    old = users(1, 300)
    write_csv(tmp_path / "data/original/log.csv", old)
    ring = [f"i{n}" if n < 8 else f"n{n}" for n in range(40)]
    more = users(2, 300, first=1000, names=ring, start=T0 + 90 * DAY)
    write_csv(tmp_path / "data/updates/more.csv", more)
    _, dataset = snapshot(tmp_path)
    gone = sum(record["item"] not in ring for record in {one["user"]: one for one in old}.values())
    assert f"data: the last item of {gone} of 300 old users is gone" in " ".join(dataset.remarks)


def test_a_program_is_read_at_its_newest_interactions(tmp_path: Path) -> None:
    rows = [("bot", f"i{n % 7}", T0 + n) for n in range(MOST_OWN + 500)]
    put(tmp_path, "original/log.csv", rows)
    _, dataset = snapshot(tmp_path)
    (row,) = dataset.rows
    assert len(row.items) == MOST_OWN
    assert row.label == f"i{(MOST_OWN + 499) % 7}"
    assert "user 'bot': a user with more than 2,000 interactions" in " ".join(dataset.remarks)


@pytest.mark.slow
def test_a_million_interactions_fit(tmp_path: Path) -> None:
    """A row is a user, and a history a view of numbers: 10 MB an original million, not 10 GB."""
    chance = np.random.default_rng(0)
    path = tmp_path / "data/original/log.parquet"
    path.parent.mkdir(parents=True)
    n = 1_000_000
    table = {
        "user": chance.integers(0, 50_000, n),
        "item": chance.integers(0, 200_000, n),
        "time": T0 + chance.integers(0, 30 * DAY, n),
    }
    parquet.write_table(pa.table(table), path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _, dataset = snapshot(tmp_path)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert sum(len(row.own) for row in dataset.rows) > 990_000
    assert sum(row.size for row in dataset.rows) < 20 * n
    assert grown < 2**30, f"{grown:,} bytes"
