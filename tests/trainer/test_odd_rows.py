"""Rows as other programs write them: read as they are meant, or refused with file and row."""

import json
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from support.laboratory import Lab, age, headlines, write_csv

from maintenance_contract import Columns, DataRef, columns_of
from maintenance_trainer.data.reading import sha256
from maintenance_trainer.data.snapshot import Snapshot, read_again, take_snapshot
from maintenance_trainer.data.split import Dataset
from maintenance_trainer.errors import DataError
from maintenance_trainer.locations import Places
from maintenance_trainer.tasks.texts import SOURCE


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name in ("original", "updates"):
        (tmp_path / name).mkdir()
    (tmp_path / "original/a.csv").write_text("text,label\na,x\nb,y\n")
    return tmp_path


def take(
    folders: Path,
    *,
    columns: Columns = columns_of("TextClassification"),  # noqa: B008  # frozen
    known: frozenset[str] = frozenset(),
    labels: Sequence[str] = (),
) -> tuple[Snapshot, Dataset]:
    data = DataRef(f"file://{folders}/original", f"file://{folders}/updates", columns)
    age(folders)
    snapshot, dataset = take_snapshot(
        data, Places(""), SOURCE, known=known, champion_holdout=None, champion_labels=labels
    )
    again = Snapshot.from_json(snapshot.to_json().encode().decode())
    assert read_again(again, data, Places(""), SOURCE, 1) == dataset
    return snapshot, dataset


def new(dataset: Dataset) -> dict[str, str]:
    return {row.text: row.label for row in dataset.rows if row.new}


def put(folders: Path, name: str, content: bytes | pa.Table) -> None:
    path = folders / "updates" / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        parquet.write_table(content, path)


def refused(folders: Path, **how: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        take(folders, **how)
    return caught.value


# --- characters --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, content, rows, told",
    [
        (
            "u.jsonl",
            b'{"text": "cut \\ud83d", "label": "x"}\n{"text": "\\ude00", "label": "x"}\n',
            {"cut \ufffd": "x", "\ufffd": "x"},
            ["updates/u.jsonl, line 1: half a character in the text", "U+FFFD (2 in all)"],
        ),
        (
            "u.jsonl",
            b'{"text": "a\\u0000b", "label": "x"}\n{"text": "c", "label": "x"}\n',
            {"a\0b": "x", "c": "x"},
            ["updates/u.jsonl, line 1: control characters in the text."],
        ),
        (
            "u.jsonl",
            b'\xef\xbb\xbf{"text": "a", "label": "x"}\r\xef\xbb\xbf{"text": "b", "label": "y"}\r',
            {"a": "x", "b": "y"},
            [],
        ),
        ("u.jsonl", b'{"text": "a", "label": "x", "\\ud83d": 1}\n', {"a": "x"}, []),
    ],
)
def test_odd_characters_are_read_and_told(
    folders: Path, name: str, content: bytes, rows: dict[str, str], told: list[str]
) -> None:
    put(folders, name, content)
    _, dataset = take(folders)
    assert new(dataset) == rows
    said = [each for each in dataset.remarks if "an old row again" not in each]
    assert len(said) == bool(told)
    assert all(word in said[0] for word in told)


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("u.jsonl", b'{"text": "a", "label": "\\ud83d"}\n', ["line 1", "'label'", "surrogate"]),
        ("u.jsonl", b'{"text": "a", "label": "x\\u0007"}\n', ["line 1", "'label'", "control"]),
        ("u.jsonl", b'{"text": "a", "label": "x\\ny"}\n', ["line 1", "'label'", "line end"]),
        ("u.jsonl", b'{"text": "a", "label": {"b": 1}}\n', ["line 1", "'label'", "an object"]),
        ("u.jsonl", b'{"text": {"b": 1}, "label": "x"}\n', ["line 1", "'text'", "an object"]),
        ("u.jsonl", b'{"text": "a", "label": Infinity}\n', ["line 1", "'label'", "'inf'"]),
        ("u.jsonl", b'{"text": NaN, "label": "x"}\n', ["line 1", "'text'", "'nan'"]),
        ("u.jsonl", b'{"text": "a", "label": 1.5}\n', ["line 1", "'label'", "a number"]),
        ("u.jsonl", b'{"text": "a", "label": 1' + b"0" * 5000 + b"}\n", ["line 1", "not JSON"]),
        ("u.jsonl", b'{"text": "a", "label": 1' + b"0" * 4000 + b"}\n", ["line 1", "4,001"]),
        (
            "u.jsonl",
            b'{"text": "a", "text": "b", "label": "x"}\n',
            ["line 1", "'text' is there tw"],
        ),
        ("u.csv", "text,label\ngrün,x\n".encode("latin-1"), ["line 2", "0xfc", "'ü'", "UTF-8"]),
        ("u.csv", "text,label\na,x\n".encode("utf-16"), ["UTF-16", "UTF-8"]),
        ("u.csv", "text,label\na,x\n".encode("utf-16-le"), ["line 1", "NUL", "UTF-16"]),
        ("u.csv", b"text,label\na\0,x\n", ["line 2", "NUL"]),
        ("u.csv", b'text,label\n"a,x\nb,y\n"c",z\n', ["line 2", "quotation mark"]),
        ("u.csv", b"text,label\na," + b"x" * 2000 + b"\n", ["line 2", "'label'", "2,000"]),
    ],
)
def test_what_nobody_can_have_meant_is_refused_with_its_place(
    folders: Path, name: str, content: bytes, words: list[str]
) -> None:
    put(folders, name, content)
    error = refused(folders)
    assert error.reason == "DataUnreadable"
    for word in [f"updates/{name}", *words]:
        assert word in error.message
    error.message.encode()


@pytest.mark.slow
def test_keys_without_end_are_refused_before_a_snapshot_lists_them(folders: Path) -> None:
    lines = (json.dumps({"text": "a", "label": "x", f"k{n}": 1}) + "\n" for n in range(10_001))
    put(folders, "u.jsonl", "".join(lines).encode())
    assert "more than 10,000 columns" in refused(folders).message


@pytest.mark.slow
def test_half_a_character_does_not_stop_a_run(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(headlines(["finance", "sport"], 80, seed=1))
    row = '{"text": "market shares cut \\ud83d", "label": "finance"}\n'
    (lab.original / "cut.jsonl").write_text(row)
    report = lab.diagnose(1)
    assert "original/cut.jsonl, line 1: half a character" in report.message


# --- headers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content, rows, told",
    [
        (b"text,label\nc,x\ntext,label\nd,y\n", {"c": "x", "d": "y"}, "line 3: the header again"),
        (
            b"text,label\nc,x\n\xef\xbb\xbftext,label\nd,y\n",
            {"c": "x", "d": "y"},
            "line 3: the header again",
        ),
        (b"text;label\nc, d;x\n", {"c, d": "x"}, "semicolons"),
        (b"id\ttext\tlabel\n1\tc;,d\tx\n", {"c;,d": "x"}, "tabs"),
        (b"text,label,,\nc,x,,\nd,y\n\ne,x,\n", {"c": "x", "d": "y", "e": "x"}, ""),
        (b"text,label\nc,x,,\n,\n,,\n", {"c": "x"}, "line 3: a row of empty fields, left out (2"),
        (b"\ntext,label\nc,x\n", {"c": "x"}, ""),
        (b"sep=;\r\ntext;label\r\nc;x\r\n", {"c": "x"}, "semicolons"),
        (b'\xef\xbb\xbf"sep=,"\ntext,label\nc,x\n', {"c": "x"}, ""),
        (b",text,label\n0,c,x\n1,d,y\n", {"c": "x", "d": "y"}, ""),
        (b"text,label,note,note\nc,x,1,2\n", {"c": "x"}, ""),
        (b'text;"of\nwhom";label\nc;a;x\n', {"c": "x"}, "semicolons"),
        (b'"of ""us""\n\n(all)"\ttext\tlabel\r\na\tc\tx\r\n', {"c": "x"}, "tabs"),
        (b'text,"of\nwhom",label\nc,a,x\n', {"c": "x"}, ""),
    ],
)
def test_headers_as_spreadsheets_and_shells_write_them(
    folders: Path, content: bytes, rows: dict[str, str], told: str
) -> None:
    put(folders, "u.csv", content)
    snapshot, dataset = take(folders)
    assert new(dataset) == rows
    assert len(dataset.remarks) == bool(told)
    assert all(told in remark and "updates/u.csv" in remark for remark in dataset.remarks)
    assert snapshot.files[1].rows == len(rows)
    assert "" not in snapshot.files[1].columns[1:]


@pytest.mark.parametrize(
    "content, reason, words",
    [
        (b"text,label\nc,x\nlabel,text\ny,d\n", "DataUnreadable", ["line 3", "second header"]),
        (b"text,label\nc,x\nLabel,Text\ny,d\n", "DataUnreadable", ["line 3", "second header"]),
        (b"text,label,a\nc,x,1\ntext,label,b\nd,y,2\n", "DataUnreadable", ["line 3", "'b'"]),
        (b"text,label\nc,x\nid,text,label\n", "DataUnreadable", ["line 3", "second header"]),
        (b"c,x\nd,y\n", "ColumnMissing", ["line 1", "'text'", "'c', 'x'"]),
        (b"text,label,\nc,x,\nd, e,y\n", "DataUnreadable", ["line 3", "field 3", "no name", "'y'"]),
        (b"text,label\nd, e,y\n", "DataUnreadable", ["line 2", "3 fields", "header has 2"]),
        (b"text,id,text,label\n", "DataUnreadable", ["line 1", "'text' is there twice", "1 and 3"]),
        (b"text;label\nc;d;x\n", "DataUnreadable", ["line 2", "3 fields"]),
        (b'text;"of\nwhom";label\nc;x\n', "DataUnreadable", ["line 3", "2 fields"]),
        (b'text;"of;label\nc;d;x\n', "ColumnMissing", ["line 1", "'text'"]),
        (b'"text;of;label\nc;d;x\n', "DataUnreadable", ["line 1", "quotation mark not closed"]),
    ],
)
def test_headers_that_leave_a_doubt_are_refused(
    folders: Path, content: bytes, reason: str, words: list[str]
) -> None:
    put(folders, "u.csv", content)
    error = refused(folders)
    assert error.reason == reason
    for word in ["updates/u.csv", *words]:
        assert word in error.message


def test_a_header_among_the_rows_is_seen_in_every_format(folders: Path) -> None:
    put(folders, "u.jsonl", b'{"text": "text", "label": "label"}\n{"text": "c", "label": "x"}\n')
    put(folders, "u.parquet", pa.table({"text": ["text", "d"], "label": ["label", "y"]}))
    _, dataset = take(folders)
    assert new(dataset) == {"c": "x", "d": "y"}
    assert "updates/u.jsonl, line 1: the header again" in dataset.remarks[0]
    assert "(2 in all)" in dataset.remarks[0]


# --- missing -----------------------------------------------------------------------------

NOTHING = ["None", "none", "NA", "N/A", "null", "nan", "NaN", "#N/A"]


@pytest.mark.parametrize("word", NOTHING)
def test_a_class_may_be_called_what_other_programs_write_for_nothing(
    folders: Path, word: str
) -> None:
    put(folders, "u.csv", f"text,label\nc,{word}\n".encode())
    put(folders, "u.jsonl", json.dumps({"text": "d", "label": word}).encode())
    put(folders, "u.parquet", pa.table({"text": ["e"], "label": [word]}))
    assert new(take(folders)[1]) == dict.fromkeys("cde", word)


@pytest.mark.slow
def test_such_a_class_is_told_while_it_is_new(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(headlines(["finance", "sport"], 60, seed=1))
    write_csv(lab.updates / "u.csv", [("no topic", "None")])
    assert "updates/u.csv, line 2: the label 'None' counts as a class" in lab.diagnose(1).message


@pytest.mark.parametrize(
    "name, content",
    [
        ("u.csv", b"text,label\nc,x\nd,\n"),
        ("u.csv", b'text,label\nc,x\nd," "\n'),
        ("u.csv", "text,label\nc,x\nd,\u200b\n".encode()),
        ("u.jsonl", b'{"text": "c", "label": "x"}\n\n{"text": "d", "label": null}\n'),
        ("u.parquet", pa.table({"text": list("cde"), "label": ["x", "y", None]})),
        ("u.parquet", pa.table({"text": list("cde"), "label": [1, 2, None]})),
    ],
)
def test_only_nothing_is_missing(folders: Path, name: str, content: bytes | pa.Table) -> None:
    put(folders, name, content)
    error = refused(folders)
    assert error.reason == "LabelMissing"
    assert f"updates/{name}, {'row' if 'parquet' in name else 'line'} 3" in error.message


# --- Parquet -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "texts, labels",
    [
        (pa.array(["c", "d"], pa.large_string()), pa.array([1, 2], pa.int8())),
        (pa.array(["c", "d"]).dictionary_encode(), pa.array(["1", "2"]).dictionary_encode()),
        (pa.array(["c", "d"], pa.string_view()), pa.array([1, 2], pa.uint64())),
    ],
)
def test_parquet_types_that_are_texts(folders: Path, texts: pa.Array, labels: pa.Array) -> None:
    put(folders, "u.parquet", pa.table({"text": texts, "label": labels}))
    assert new(take(folders)[1]) == {"c": "1", "d": "2"}


@pytest.mark.parametrize("kind", [pa.bool_(), pa.null()])
def test_parquet_types_that_are_less(folders: Path, kind: pa.DataType) -> None:
    values = pa.array([True, False] if kind == pa.bool_() else [None, None], kind)
    put(folders, "u.parquet", pa.table({"text": ["c", "d"], "label": values}))
    if kind == pa.bool_():
        assert new(take(folders)[1]) == {"c": "true", "d": "false"}
    else:
        assert "updates/u.parquet, row 1" in refused(folders).message


def test_whole_numbers_of_any_length_are_labels(folders: Path) -> None:
    values = pa.array([Decimal(10**30), Decimal(-7)], pa.decimal128(38, 0))
    put(folders, "u.parquet", pa.table({"text": ["c", "d"], "label": values}))
    assert new(take(folders)[1]) == {"c": str(10**30), "d": "-7"}


BYTES = pa.array([b"c", b"\xff\xfe"], pa.binary())


@pytest.mark.parametrize(
    "column, values, words",
    [
        ("text", BYTES, ["row 1", "binary data"]),
        ("text", BYTES.view(pa.string()), ["row 2", "cannot be read"]),
        ("label", BYTES.view(pa.string()), ["row 2", "cannot be read"]),
        ("text", pa.array([["c"], ["d"]]), ["row 1", "a list"]),
        ("text", pa.array([{"c": 1}, {"c": 2}]), ["row 1", "an object"]),
        ("text", pa.array([1, 2]), ["row 1", "a number"]),
        ("label", pa.array([1.0, 2.0]), ["row 1", "a number", "'1.0'"]),
        ("label", pa.array([Decimal("1.0"), None]), ["row 1", "a number ('1.0')"]),
        ("label", pa.array([date(2026, 1, 1), None]), ["row 1", "a date"]),
        ("label", pa.array([["x"], ["y"]]), ["row 1", "a list"]),
        ("label", pa.array([1, 2], pa.duration("ns")), ["row 1"]),
    ],
)
def test_parquet_types_that_are_none_are_refused_by_row(
    folders: Path, column: str, values: pa.Array, words: list[str]
) -> None:
    columns = {"text": pa.array(["c", "d"]), "label": pa.array(["x", "y"])} | {column: values}
    put(folders, "u.parquet", pa.table(columns))
    error = refused(folders)
    assert error.reason == "DataUnreadable"
    for word in ["updates/u.parquet", repr(column), *words]:
        assert word in error.message


def test_of_a_parquet_column_that_is_read_the_name_may_not_be_there_twice(folders: Path) -> None:
    table = pa.table([["c"], ["x"], ["y"]], names=["text", "label", "label"])
    put(folders, "u.parquet", table)
    assert "'label' is there twice" in refused(folders).message
    put(folders, "u.parquet", table.rename_columns(["label", "text", "text"]))
    assert "'text' is there twice" in refused(folders).message
    put(folders, "u.parquet", pa.table([["c"], ["x"], ["1"], ["2"]], ["text", "label", "n", "n"]))
    assert new(take(folders)[1]) == {"c": "x"}


# --- what a version was trained on -------------------------------------------------------


@pytest.mark.parametrize(
    "name, content",
    [
        ("u.csv", b"text,label\nc,x\nlabel,text\n"),
        ("u.csv", b"text,label,\nc,x,1\n"),
        ("u.csv", b"text,label\nc,x\x07\n"),
        ("u.csv", b"text,label\nc\0,x\n"),
        ("u.csv", "text,label\nc,\u200b\n".encode()),
        ("u.csv", b"text,label\nc,1\nd,1.0\n"),
        ("u.jsonl", b'{"text": "c", "text": "d", "label": "x"}\n'),
    ],
)
def test_a_file_that_was_trained_on_stays_readable(
    folders: Path, name: str, content: bytes
) -> None:
    put(folders, name, content)
    refused(folders)
    trained_on = frozenset(sha256(path, "") for path in folders.rglob("*.*"))
    snapshot, dataset = take(
        folders, known=trained_on, columns=columns_of("TextClassification", time="at")
    )
    assert not new(dataset)
    assert len(dataset.rows) == sum(file.rows for file in snapshot.files)
