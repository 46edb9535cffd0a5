"""Files in, rows out: what is read, what is refused and how it is said, who lands on which side."""

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet
from support.laboratory import age, write_parquet

from maintenance_contract import DataRef, columns_of
from maintenance_trainer.data import snapshot as reading_rows
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.shares import Shares
from maintenance_trainer.data.snapshot import Snapshot, read_again, take_snapshot
from maintenance_trainer.data.split import Dataset, split
from maintenance_trainer.errors import ConfigurationError, DataError
from maintenance_trainer.locations import Places
from maintenance_trainer.progress import Silent
from maintenance_trainer.tasks.texts import SOURCE, make_row, normalise

GOOD = "text,label\na,x\nb,y\n"


@pytest.fixture
def data(tmp_path: Path) -> DataRef:
    for name in ("original", "updates"):
        (tmp_path / name).mkdir()
    (tmp_path / "original/a.csv").write_text(GOOD)
    return DataRef(f"file://{tmp_path}/original", f"file://{tmp_path}/updates")


def take(data: DataRef, known: frozenset[str] = frozenset()) -> tuple[Snapshot, Dataset]:
    for place in (data.original, data.updates):
        age(Path(place.removeprefix("file://")))
    return take_snapshot(data, Places(""), SOURCE, known=known, champion_holdout=None)


@pytest.mark.parametrize(
    "content, reason, words",
    [
        (b"title,label\na,x\n", "ColumnMissing", ["bad.csv, line 1", "'text'", "'title', 'label'"]),
        (b"text,label\na\n", "DataUnreadable", ["bad.csv, line 2", "1 fields", "header has 2"]),
        (b'text,label\n"a,x\n', "DataUnreadable", ["bad.csv, line 2"]),
        (b"text,label\n\xff\xfea,x\n", "DataUnreadable", ["bad.csv, line 2", "0xff", "UTF-8"]),
        (b"text,label\na,x\nb,\n", "LabelMissing", ["bad.csv, line 3", "'label'"]),
        (b'text,label\na," "\n', "LabelMissing", ["bad.csv, line 2", "'label'"]),
        (b"", "DataEmpty", ["bad.csv"]),
        (b"text,label\n", "DataEmpty", ["bad.csv"]),
        (b"text,text,label\na,b,x\n", "DataUnreadable", ["bad.csv, line 1", "twice"]),
    ],
)
def test_csv_that_cannot_be_used_is_named_by_file_line_and_column(
    data: DataRef, tmp_path: Path, content: bytes, reason: str, words: list[str]
) -> None:
    (tmp_path / "updates/bad.csv").write_bytes(content)
    with pytest.raises(DataError) as caught:
        take(data)
    assert caught.value.reason == reason
    assert caught.value.exit_code == 65
    for word in ["updates/", *words]:
        assert word in caught.value.message


@pytest.mark.parametrize(
    "content, reason, words",
    [
        ('{"text": "a", "label": "x"}\n{"text": "b", "la', "DataUnreadable", ["line 2", "torn"]),
        ('{"text": "a"}\n', "ColumnMissing", ["line 1", "'label'", "'text'"]),
        ('{"text": "a", "label": NaN}\n', "LabelMissing", ["line 1"]),
        ('{"text": "a", "label": null}\n', "LabelMissing", ["line 1"]),
        ('{"text": "a", "label": [1]}\n', "DataUnreadable", ["line 1", "'label'"]),
        ('{"text": 3, "label": "x"}\n', "DataUnreadable", ["line 1", "'text'"]),
        ("[1]\n", "DataUnreadable", ["line 1", "object"]),
        ("[" * 100_000, "DataUnreadable", ["line 1"]),
        ("\n\n", "DataEmpty", []),
    ],
)
def test_json_lines_that_cannot_be_used_are_named(
    data: DataRef, tmp_path: Path, content: str, reason: str, words: list[str]
) -> None:
    (tmp_path / "updates/bad.jsonl").write_text(content)
    with pytest.raises(DataError) as caught:
        take(data)
    assert caught.value.reason == reason
    for word in ["updates/bad.jsonl", *words]:
        assert word in caught.value.message


@pytest.mark.parametrize(
    "content, reason, words",
    [
        (b"PAR1 torn", "DataUnreadable", ["not Parquet", "torn"]),
        (b"", "DataEmpty", ["empty"]),
        ({"title": ["a"], "label": ["x"]}, "ColumnMissing", ["'text'", "'title', 'label'"]),
        ({"text": [], "label": []}, "DataEmpty", ["no rows"]),
        ({"text": ["a", "b"], "label": ["x", None]}, "LabelMissing", ["row 2", "'label'"]),
        ({"text": [1], "label": ["x"]}, "DataUnreadable", ["row 1", "'text'", "a text"]),
        ({"text": ["a"], "label": [1.5]}, "DataUnreadable", ["row 1", "'label'"]),
        ({"text": [b"a"], "label": ["x"]}, "DataUnreadable", ["row 1", "'text'"]),
        ({"text": [["a"]], "label": ["x"]}, "DataUnreadable", ["row 1", "'text'"]),
    ],
)
def test_parquet_that_cannot_be_used_is_named(
    data: DataRef,
    tmp_path: Path,
    content: bytes | dict[str, list[object]],
    reason: str,
    words: list[str],
) -> None:
    path = tmp_path / "updates/bad.parquet"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        write_parquet(path, content)
    with pytest.raises(DataError) as caught:
        take(data)
    assert caught.value.reason == reason
    for word in ["updates/bad.parquet", *words]:
        assert word in caught.value.message


def test_a_parquet_file_that_lacks_its_end_is_torn(data: DataRef, tmp_path: Path) -> None:
    path = tmp_path / "updates/bad.parquet"
    write_parquet(path, {"text": ["a"] * 1000, "label": ["x"] * 1000})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"updates/bad\.parquet: not Parquet.*torn"):
        take(data)


@pytest.mark.slow
def test_parquet_rows_are_those_of_csv(data: DataRef, tmp_path: Path) -> None:
    write_parquet(
        tmp_path / "updates/u.parquet",
        {"n": [1.5] * 9000, "text": [f"row {n % 8999}" for n in range(9000)], "label": [7] * 9000},
        row_group_size=1000,
    )
    snapshot, dataset = take(data)
    assert snapshot.files[1].columns == ("n", "text", "label")
    assert snapshot.files[1].rows == 9000
    assert {row.text for row in dataset.rows if row.new} == {f"row {n}" for n in range(8999)}
    assert {row.label for row in dataset.rows if row.new} == {"7"}
    assert read_again(snapshot, data, Places(""), SOURCE, 1) == dataset


def test_old_line_ends_are_read(data: DataRef, tmp_path: Path) -> None:
    (tmp_path / "updates/u.csv").write_bytes(b"text,label\rc,x\rd,y\r")
    _, dataset = take(data)
    assert {row.text for row in dataset.rows if row.new} == {"c", "d"}


PEAK = """
import resource, sys
from pathlib import Path
from maintenance_contract import DataRef
from maintenance_trainer.data.snapshot import take_snapshot
from maintenance_trainer.errors import DataError
from maintenance_trainer.locations import Places
from maintenance_trainer.progress import Silent
from maintenance_trainer.tasks.texts import SOURCE
import pyarrow.parquet
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    snapshot, _ = take_snapshot(
        DataRef(*sys.argv[1:]), Places(""), SOURCE, known=frozenset(), champion_holdout=None
    )
    print(sum(file.rows for file in snapshot.files))
except DataError as error:
    print(f"{error.reason}: {error.message}")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def peak(data: DataRef) -> tuple[str, int]:
    """What comes of reading the data, and by how many MiB the process grew, native memory too."""
    for place in (data.original, data.updates):
        age(Path(place.removeprefix("file://")))
    command = [sys.executable, "-c", PEAK, data.original, data.updates]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return told[-2], int(told[-1])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["big.csv", "big.jsonl", "big.parquet"])
def test_a_gigabyte_without_a_line_leaves_the_process_small(
    data: DataRef, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "updates" / name
    path.write_bytes(b"text,label\na,x\n" if name == "big.csv" else b"")
    with path.open("r+b") as file:
        file.truncate(2**30)
    said, grown = peak(data)
    assert said.startswith(f"DataUnreadable: updates/{name}")
    assert grown < 150


@pytest.mark.slow
def test_a_gigabyte_in_a_column_that_nobody_asked_for_is_not_read(
    data: DataRef, tmp_path: Path
) -> None:
    """A picture beside each text, say."""
    row = pa.table({"text": ["a"] * 64, "label": ["x"] * 64, "picture": [bytes(2**20)] * 64})
    with parquet.ParquetWriter(tmp_path / "updates/big.parquet", row.schema) as writer:
        for _ in range(16):
            writer.write_table(row, row_group_size=64)
    rows, grown = peak(data)
    assert rows == str(2 + 16 * 64)
    assert grown < 150


@pytest.mark.slow
def test_rows_are_kept_up_to_a_bound(
    data: DataRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the bound reckons per row is what a row really takes, or more."""
    count = 20_000
    (tmp_path / "updates/u.csv").write_text(
        "text,label\n" + "".join(f"some words and number {n},x\n" for n in range(count))
    )
    tracemalloc.start()
    try:
        take(data)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    text = sys.getsizeof(f"some words and number {count}")
    assert most / count < text + reading_rows.ROW_BYTES
    monkeypatch.setattr(reading_rows._Room.__init__, "__defaults__", (count * text,))
    with pytest.raises(DataError, match=r"updates/u\.csv, line \d+: the data are more") as caught:
        take(data)
    assert caught.value.reason == "DataTooLarge"


def test_a_missing_folder_and_an_empty_one(data: DataRef, tmp_path: Path) -> None:
    (tmp_path / "updates").rmdir()
    with pytest.raises(DataError, match=r"data\.updates.*does not exist.*may be empty"):
        take(data)
    (tmp_path / "updates").mkdir()
    (tmp_path / "original/a.csv").unlink()
    with pytest.raises(DataError, match="holds no settled") as caught:
        take(data)
    assert caught.value.reason == "DataEmpty"


def test_unsettled_and_foreign_files_are_left_alone(data: DataRef, tmp_path: Path) -> None:
    for name in (".hidden.csv", "b.csv.tmp", "b.parquet.partial", "b.csv~", "README.md"):
        (tmp_path / "updates" / name).write_text("not, to\nbe read")
    (tmp_path / "updates/lost+found").mkdir()
    (tmp_path / "updates/..2026").mkdir()
    (tmp_path / "updates/..2026/c.csv").write_text("not, to\nbe read")
    snapshot, _ = take(data)
    assert [file.name for file in snapshot.files] == ["a.csv"]


def test_labels_are_spelled_alike_in_csv_and_json(data: DataRef, tmp_path: Path) -> None:
    lines = [
        {"text": "p", "label": 1},
        {"text": "q", "label": True},
        {"text": None, "label": " z "},
    ]
    (tmp_path / "updates/u.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    _, dataset = take(data)
    new = {row.text: row.label for row in dataset.new_train + dataset.new_held_out}
    assert new == {"p": "1", "q": "true", "": "z"}


def test_a_byte_order_mark_and_quoted_line_breaks_are_read(data: DataRef, tmp_path: Path) -> None:
    (tmp_path / "updates/u.csv").write_bytes(b'\xef\xbb\xbftext,label\r\n"two\nlines",x\r\n')
    snapshot, dataset = take(data)
    assert snapshot.files[1].columns == ("text", "label")
    assert [row.text for row in dataset.rows if row.new] == ["two\nlines"]


def test_new_is_what_the_champion_was_not_trained_on(data: DataRef, tmp_path: Path) -> None:
    (tmp_path / "updates/u.csv").write_text("text,label\nc,x\n")
    first, _ = take(data)
    (tmp_path / "updates/v.csv").write_text("text,label\nd,x\n")
    second, dataset = take(data, known=frozenset(file.digest for file in first.files))
    assert [file.name for file in second.files if file.new] == ["v.csv"]
    assert [row.text for row in dataset.rows if row.new] == ["d"]


def test_a_snapshot_survives_writing_and_refuses_changed_files(
    data: DataRef, tmp_path: Path
) -> None:
    update = tmp_path / "updates/u.csv"
    update.write_text("text,label\nc,x\n")
    snapshot, dataset = take(data)
    again = Snapshot.from_json(snapshot.to_json())
    assert again == snapshot
    assert again.digest == snapshot.digest
    (tmp_path / "updates/later.csv").write_text("text,label\nlate,x\n")
    assert read_again(again, data, Places(""), SOURCE, 7) == dataset
    update.write_text("text,label\nother,x\n")
    with pytest.raises(ConfigurationError, match=r"updates/u\.csv was rewritten since run 7"):
        read_again(again, data, Places(""), SOURCE, 7)
    update.unlink()
    with pytest.raises(ConfigurationError, match=r"updates/u\.csv is gone") as caught:
        read_again(again, data, Places(""), SOURCE, 7)
    assert caught.value.reason == "SnapshotChanged"


rows = st.builds(
    lambda text, label, origin, new: make_row(
        text, label, origin, new=new and origin is Origin.UPDATES
    ),
    st.integers(0, 40).map(lambda n: f"text {n}"),
    st.sampled_from("xyz"),
    st.sampled_from(Origin),
    st.booleans(),
)
shares = st.builds(Shares, st.integers(0, 9_000), st.integers(0, 9_000))


@pytest.mark.slow
@given(st.lists(rows, max_size=80), shares, st.none() | shares)
def test_no_text_is_trained_on_and_held_out(
    given_rows: list, holdout: Shares, before: Shares | None
) -> None:
    dataset = split(given_rows, holdout, before)
    trained = {row.key for row in dataset.new_train + dataset.old_train}
    judged = {row.key for row in dataset.new_held_out + dataset.old_held_out}
    assert not trained & judged
    assert all(row.held_out(holdout) for row in dataset.new_held_out + dataset.old_held_out)
    if before is not None:
        assert all(row.held_out(before) for row in dataset.old_held_out)


@pytest.mark.slow
@given(st.lists(rows, max_size=80), shares)
def test_exact_duplicates_are_gone_and_the_newest_stays(given_rows: list, holdout: Shares) -> None:
    dataset = split(given_rows, holdout, None)
    pairs = [(row.key, row.label) for row in dataset.rows]
    assert len(pairs) == len(set(pairs))
    new = {(row.key, row.label) for row in given_rows if row.new}
    assert all(row.new for row in dataset.rows if (row.key, row.label) in new)


def test_a_relabelled_text_is_counted() -> None:
    old = [make_row(f"t{n}", "x", Origin.ORIGINAL, new=False) for n in range(10)]
    new = [make_row(f"T{n} ", "y" if n < 3 else "x", Origin.UPDATES, new=True) for n in range(10)]
    assert split(old + new, Shares(1_000, 3_000), None).recurrence.n == 10
    assert split(old + new, Shares(1_000, 3_000), None).recurrence.relabelled == 3


def test_the_split_is_by_the_normalised_text_and_near_its_percentage() -> None:
    assert normalise("  Grüne\tBONDS ") == normalise("grüne bonds")
    sides = [
        make_row(f"row {n}", "x", Origin.UPDATES, new=True).held_out(Shares(1_000, 3_000))
        for n in range(5000)
    ]
    assert 0.27 < sum(sides) / len(sides) < 0.33


def test_other_columns_are_chosen_by_name(data: DataRef, tmp_path: Path) -> None:
    (tmp_path / "original/a.csv").write_text("headline,text,section\nh,t,s\n")
    chosen = DataRef(
        data.original,
        data.updates,
        columns_of("TextClassification", text="headline", label="section"),
    )
    _, dataset = take(chosen)
    assert [(row.text, row.label) for row in dataset.rows] == [("h", "s")]


def test_a_reading_that_takes_long_says_how_many_rows_it_has(data: DataRef, tmp_path: Path) -> None:
    class Told(Silent):
        def __init__(self) -> None:
            self.steps: list[tuple[int, str]] = []

        def step(self, done: int, note: str = "") -> None:
            self.steps.append((done, note))

    for name, count in (("a", 1500), ("b", 999)):
        lines = "".join(f"{name}{number},x\n" for number in range(count))
        (tmp_path / f"updates/{name}.csv").write_text(f"text,label\n{lines}")
    for place in (data.original, data.updates):
        age(Path(place.removeprefix("file://")))
    first, again = Told(), Told()
    snapshot, _ = take_snapshot(
        data, Places(""), SOURCE, known=frozenset(), champion_holdout=None, progress=first
    )
    read_again(snapshot, data, Places(""), SOURCE, 1, progress=again)
    assert first.steps == again.steps == [(1000, "rows"), (2000, "rows")]
