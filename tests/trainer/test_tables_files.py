"""Tables in files: what cells mean, which columns are inputs, which rows are one case."""

import datetime as dt
import hashlib
import json
import math
import random
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from support.laboratory import age
from support.tables import Record, write_csv

from maintenance_contract import Columns, DataRef, columns_of
from maintenance_contract.holdout import Holdout
from maintenance_trainer.data.folders import Named, Origin
from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.data.snapshot import Snapshot, read_again, take_snapshot
from maintenance_trainer.data.sources import SourceFile
from maintenance_trainer.data.split import Dataset
from maintenance_trainer.errors import DataError
from maintenance_trainer.locations import Places
from maintenance_trainer.tasks import valued_tables
from maintenance_trainer.tasks.labelled_tables import SOURCE
from maintenance_trainer.tasks.tables import blocks, drift, schema
from maintenance_trainer.tasks.tables.cells import Categories, Vocabulary
from maintenance_trainer.tasks.tables.files import Tables
from maintenance_trainer.tasks.tables.identifiers import identified
from maintenance_trainer.tasks.tables.rows import TableRow, Type
from maintenance_trainer.tasks.tables.schema import Column, Schema
from maintenance_trainer.tasks.valued_tables import SOURCE as NUMBERS

KIND = "TabularClassification"


def read(
    path: Path,
    columns: Columns | None = None,
    remarks: Remarks | None = None,
    *,
    known: bool = False,
) -> list[TableRow]:
    age(path)
    source = SourceFile(
        path,
        Named(Origin.UPDATES, path.name),
        "sha256:1",
        columns or columns_of(KIND),
        new=True,
        known=known,
        remarks=remarks or Remarks(),
    )
    return SOURCE.join([found.row for found in SOURCE.read(source)], None, source.remarks)


def together(
    *files: tuple[Path, bool], remarks: Remarks | None = None, origin: Origin = Origin.UPDATES
) -> list[TableRow]:
    """The rows of several files, and whether a version was trained on each."""
    rows: list[TableRow] = []
    told = remarks or Remarks()
    for path, known in files:
        age(path)
        named = Named(origin, path.name)
        digest = f"sha256:{path.name}"
        its = SourceFile(
            path, named, digest, columns_of(KIND), new=not known, known=known, remarks=told
        )
        rows += [found.row for found in SOURCE.read(its)]
    return SOURCE.join(rows, None, told)


def categories(rows: list[TableRow], name: str) -> tuple[str, ...]:
    return next(column.categories for column in Schema.of(rows).columns if column.name == name)


def values(rows: list[TableRow]) -> dict[str, list[Any]]:
    """Each column as the model reads it; nothing is None."""
    schema = Schema.of(rows)
    matrix = blocks.matrix(rows, schema)
    return {
        column.name: [None if math.isnan(cell) else float(cell) for cell in cells]
        for column, cells in zip(schema.columns, matrix.T, strict=True)
    }


def types(rows: list[TableRow]) -> dict[str, str]:
    return {column.name: column.type.value for column in Schema.of(rows).columns}


def csv(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_csv_file_has_types_by_what_is_in_it(tmp_path: Path) -> None:
    rows = read(
        csv(
            tmp_path / "a.csv",
            "n,when,sure,ward,code,label\n"
            "1.5,2026-01-01,true,a,007,x\n"
            "-2e1,1970-01-02T12:00:00Z,False,b,12,y\n"
            "NA,,n/a,null,,x\n",
        )
    )
    assert types(rows) == {
        "n": "number",
        "when": "date",
        "sure": "boolean",
        "ward": "category",
        "code": "category",
    }
    assert values(rows) == {
        "n": [1.5, -20.0, None],
        "when": [20454.0, 1.5, None],
        "sure": [1.0, 0.0, None],
        "ward": [0.0, 1.0, None],
        "code": [0.0, 1.0, None],
    }
    assert Schema.of(rows).columns[4].categories == ("007", "12")


def test_the_same_rows_are_the_same_in_every_format_and_order(tmp_path: Path) -> None:
    records: list[Record] = [
        {"age": 44, "weight": 70.25, "ward": "a", "on": True, "day": "2026-02-03", "label": "x"},
        {"age": -1, "weight": None, "ward": "b", "on": False, "day": "2026-02-04", "label": "y"},
    ]
    write_csv(tmp_path / "a.csv", [dict(reversed(row.items())) for row in records])
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in records))
    table = pa.table(
        {
            **{name: [row[name] for row in records] for name in ("label", "on", "ward", "weight")},
            "age": pa.array([44, -1], pa.int16()),
            "day": pa.array([dt.date(2026, 2, 3), dt.date(2026, 2, 4)]),
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    found = [read(tmp_path / name) for name in ("a.csv", "a.jsonl", "a.parquet")]
    keys = [[row.key for row in rows] for rows in found]
    assert keys[0] == keys[1] == keys[2]
    assert len(set(keys[0])) == 2
    named = [values(rows) for rows in found]
    assert named[0] == named[1] == named[2]
    together = values(found[0] + found[1] + found[2])
    assert together["age"] == [44.0, -1.0] * 3


def test_integers_of_a_dictionary_column_are_categories(tmp_path: Path) -> None:
    column = pa.array([3, 1, 3], pa.int64()).dictionary_encode()
    parquet.write_table(
        pa.table({"region": column, "n": [0.5, 1.5, 2.5], "label": ["x", "y", "x"]}),
        tmp_path / "a.parquet",
    )
    rows = read(tmp_path / "a.parquet")
    assert types(rows)["region"] == "category"
    assert values(rows)["region"] == [1.0, 0.0, 1.0]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
@pytest.mark.parametrize(
    "column, label, other", [("fraud", "fraud", "ok"), ("Churn", "churn", "stay")]
)
def test_a_class_may_be_called_like_the_column_of_the_labels(
    tmp_path: Path, name: str, column: str, label: str, other: str
) -> None:
    rows: list[Record] = [{"n": 1.5, "m": "", column: label}, {"n": 2.5, "m": "b", column: other}]
    if name.endswith(".csv"):
        write_csv(tmp_path / name, rows)
    else:
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read(tmp_path / name, columns_of(KIND, label=column))
    assert [row.label for row in found] == [label, other]


def joined(*headers: str) -> str:
    """Files of texts, one behind the other."""
    cells = "".join(f"{'uvw'[n % 3]},{'rs'[n % 2]},{'xy'[n % 2]}\n" for n in range(12))
    return "".join(f"{header}\n{cells}" for header in headers)


@pytest.mark.parametrize("headers", [["p,q,label"], ["p,q,label"] * 2, ["p,q,label", "m,P,label"]])
def test_a_second_header_of_other_texts_is_no_class(tmp_path: Path, headers: list[str]) -> None:
    path = csv(tmp_path / "a.csv", joined("a,b,label", *headers))
    said = (
        r"line 14: a second header with other columns \('p', 'q', 'label'\); .*'label' is a class"
    )
    with pytest.raises(DataError, match=said):
        read(path)
    found = read(path, known=True)
    assert Counter(row.label for row in found)["label"] == len(headers)


@pytest.mark.parametrize(
    "more",
    [
        "u,q,fraud\n",  # one country, which others have, too
        "p,r,fraud\n",
        "p,2.5,fraud\n",
        "p,q,fraud\nu,s,fraud\n",
        "p,,fraud\n",
        "p,p,fraud\n",
        "".join(f"p{n},q{n},fraud\n" for n in range(30)),
    ],
)
def test_a_class_called_like_its_column_may_be_in_one_row_of_texts(
    tmp_path: Path, more: str
) -> None:
    lines = joined("a,b,fraud").splitlines(keepends=True)
    for at in (1, 5, len(lines)):
        path = csv(tmp_path / "a.csv", "".join([*lines[:at], more, *lines[at:]]))
        remarks = Remarks()
        found = read(path, columns_of(KIND, label="fraud"), remarks)
        assert Counter(row.label for row in found)["fraud"] == more.count("fraud")
        assert not any("header" in told for told in remarks.sentences)


@pytest.mark.parametrize("classes, refused", [((), True), (("fraud", "x", "y"), False)])
def test_a_class_of_the_model_in_service_is_no_header(
    tmp_path: Path, *, classes: tuple[str, ...], refused: bool
) -> None:
    path = csv(tmp_path / "a.csv", joined("a,b,fraud") + "p,q,fraud\n")
    its = SourceFile(
        path,
        Named(Origin.UPDATES, path.name),
        "sha256:1",
        columns_of(KIND, label="fraud"),
        new=True,
        known=False,
        champion_labels=classes,
    )
    with pytest.raises(DataError, match="second header") if refused else nullcontext():
        assert [found.row.label for found in SOURCE.read(its)][-1] == "fraud"


@pytest.mark.parametrize(
    "text, said",
    [
        ("a,b,label\n1,2,x\na,c,label\n3,4,y\n", "line 3: a second header with other columns"),
        ("a,b,label\n1,2,x\nb,a,label\n3,4,y\n", "line 3: a second header with other columns"),
        ("a,b,label\n1,2,x\na,label\n3,4,y\n", "line 3: a second header, with 2 fields where"),
        ("a,b,label\n1,2,x\n1,label\n3,4,y\n", "line 3: 2 fields where the header has 3"),
    ],
)
def test_a_second_header_of_a_table_has_several_names(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(csv(tmp_path / "a.csv", text))


@pytest.mark.parametrize(
    "value, said",
    [
        (dt.date(2026, 1, 1), r"a finite number is expected, not a date \('2026-01-01'\)"),
        ([1.5], "not a list"),
        (b"1", "not binary data"),
        (None, "the label is missing"),
        (r"\N", "the label is missing"),
    ],
)
def test_a_label_that_is_no_number_is_named(tmp_path: Path, value: Any, said: str) -> None:
    path = tmp_path / "a.parquet"
    labels = [value] if value is not None else pa.array([None], pa.float64())
    parquet.write_table(pa.table({"n": [1.5], "label": labels}), path)
    columns = columns_of("TabularRegression")
    its = SourceFile(
        path, Named(Origin.UPDATES, path.name), "sha256:1", columns, new=True, known=False
    )
    with pytest.raises(DataError, match=rf"updates/a.parquet, row 1, column 'label': .*{said}"):
        list(NUMBERS.read(its))


def test_columns_with_a_role_are_no_inputs(tmp_path: Path) -> None:
    text = (
        "id,who,w,at,,a,label\n1,anna,2,2026-11-01,9,1,x\n2,anna,1,2026-11-01,9,2,y\n"
        "3,,1,2026-11-01,9,3,x\n"
    )
    columns = columns_of(KIND, id="id", group="who", weight="w", time="at")
    rows = read(csv(tmp_path / "a.csv", text), columns)
    assert types(rows) == {"a": "number"}
    assert [row.weight for row in rows] == [2.0, 1.0, 1.0]
    assert rows[0].unit == rows[1].unit != rows[0].key
    assert rows[2].unit == rows[2].key
    undated = read(tmp_path / "a.csv", columns.without_time())
    assert types(undated) == {"a": "number"}, "what dates rows is no input where no date is read"


def test_named_inputs_may_be_missing_in_a_file_and_that_is_told(tmp_path: Path) -> None:
    remarks = Remarks()
    columns = columns_of(KIND, ("a", "b"))
    rows = read(csv(tmp_path / "a.csv", "c,a,label\n1,2,x\n3,4,y\n"), columns, remarks)
    assert types(rows) == {"a": "number"}
    assert "there is no column 'b' of data.columns.inputs: it counts as empty" in str(
        remarks.sentences
    )


def test_keys_of_json_lines_may_come_and_go(tmp_path: Path) -> None:
    text = '{"a": 1, "label": "x"}\n{"b": "u", "label": "y"}\n{"b": "v", "a": 3, "label": "x"}\n'
    rows = read(csv(tmp_path / "a.jsonl", text))
    assert values(rows) == {"a": [1.0, None, 3.0], "b": [None, 0.0, 1.0]}


def test_rows_that_say_little_are_cases_of_their_own(tmp_path: Path) -> None:
    """Five patients of one age and ward are five, and one of them may be well."""
    text = "age,ward,label\n" + "63,a,ill\n" * 4 + "63,a,healthy\n"
    rows = read(csv(tmp_path / "a.csv", text))
    assert len({row.key for row in rows}) == 5
    assert {row.identity for row in rows} == {""}
    again = read(csv(tmp_path / "b.csv", text))
    assert [row.key for row in again] == [row.key for row in rows], "delivered again, the same"
    cases = read(tmp_path / "a.csv", columns_of(KIND, id="ward"))
    assert len({row.key for row in cases}) == 1
    assert cases[0].identity == cases[0].key
    measured = read(csv(tmp_path / "c.csv", "a,label\n" + "63.25,ill\n" * 2))
    assert measured[0].key == measured[1].key == measured[0].identity, "a copy"


GOOD = "".join(f"{number}.5,x\n" for number in range(100))


@pytest.mark.parametrize(
    "name, text, said",
    [
        ("a.csv", f"a,label\n{GOOD}tall,y\n", "line 102, column 'a': 'tall' is no number"),
        ("a.csv", "a,label\n1,x\ntall,y\n2,x\n", "line 3, column 'a': 'tall' is no number"),
        ("a.csv", "a,label\n1,x\ninf,y\n", "line 3, column 'a': 'inf' is no finite number"),
        ("a.csv", "a,label\n1,x\n-Infinity,y\n", "line 3, column 'a': '-Infinity' is no finite"),
        ("a.csv", "a,label\n1,x\n1e39,y\n", "line 3, column 'a': '1e39' is no finite number"),
        (
            "a.csv",
            "d,label\n2026-01-01,x\n31.12.2026,y\n2026-01-02,x\n",
            "line 3, column 'd': '31.12.2026' is no date that can be read",
        ),
        ("a.csv", "d,label\n2026-01-01,x\n2026-02-31,y\n", "'2026-02-31' is no date that can be"),
        (
            "a.csv",
            "d,label\n2026-01-01,x\n7,y\n2026-01-02,x\n",
            "line 3, column 'd': '7' is a numb",
        ),
        ("a.csv", f"t,label\n{'x' * 1025},x\n", "a text of 1,025 characters is no category"),
        ("a.csv", "a,a,label\n1,2,x\n", "the column 'a' is there twice, as field 1 and 2"),
        ("a.csv", "a,b\n1,2\n", "there is no column 'label', only 'a', 'b'"),
        ("a.csv", "a,label\n1,\n", "line 2, column 'label': the label is missing"),
        ("a.csv", "", "the file is empty"),
        ("a.jsonl", '{"a": [1], "label": "x"}\n', "line 1, column 'a': a number, a text, true"),
        ("a.jsonl", '{"a": {"b": 1}, "label": "x"}\n', "not an object; write one value a column"),
        ("a.jsonl", '{"a": Infinity, "label": "x"}\n', "'inf' is no finite number"),
        ("a.jsonl", '{"a": 1e999, "label": "x"}\n', "'inf' is no finite number"),
        ("a.jsonl", f'{{"a": {"9" * 400}, "label": "x"}}\n', "is no finite number"),
        ("a.jsonl", '{"a": 1, "a": 2, "label": "x"}\n', "the key 'a' is there twice"),
        ("a.jsonl", '{"a": 1, "label": 1.5}\n', "column 'label': a text or a whole number is exp"),
    ],
)
def test_a_cell_that_cannot_be_meant_is_refused_with_its_place(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    with pytest.raises(DataError) as caught:
        read(csv(tmp_path / name, text))
    assert said in caught.value.message
    assert caught.value.message.startswith("updates/a.")


@pytest.mark.parametrize("weight", ["0", "-1", "", "heavy", "inf", "NaN"])
def test_a_weight_is_a_number_above_0(tmp_path: Path, weight: str) -> None:
    path = csv(tmp_path / "a.csv", f"a,w,label\n1,1,x\n1,{weight},y\n")
    with pytest.raises(DataError, match="line 3, column 'w': a weight is a number above 0"):
        read(path, columns_of(KIND, weight="w"))


def test_many_texts_among_numbers_make_a_column_of_categories(tmp_path: Path) -> None:
    remarks = Remarks()
    text = "a,label\n" + "12,x\n" * 20 + "A7,y\n" * 10
    rows = read(csv(tmp_path / "a.csv", text), remarks=remarks)
    assert types(rows) == {"a": "category"}
    assert Schema.of(rows).columns[0].categories == ("12", "A7")
    assert "column 'a' holds 20 numbers and 10 texts: all count as categories" in str(
        remarks.sentences
    )


def codes(path: Path, *cells: str) -> Path:
    lines = [f"{cell},{n}.5,x" for n, cell in enumerate(cells)]
    return csv(path, "t,n,label\n" + "\n".join(lines) + "\n")


@pytest.mark.parametrize("few", [("1", "2", "U"), ("1",) * 20 + ("U",) * 2, ("3", "5 %")])
def test_few_texts_among_numbers_are_categories_where_the_model_has_them(
    tmp_path: Path, few: tuple[str, ...]
) -> None:
    day = codes(tmp_path / "day.csv", *few)
    with pytest.raises(DataError, match=r"day.csv, line \d+, column 't': '.*' is no number"):
        together((day, False))
    old = codes(tmp_path / "old.csv", *("1", "2", "3", "U") * 9)
    rows = together((old, True), (day, False))
    assert categories(rows, "t") == tuple(sorted({"1", "2", "3", "U", *few}))
    numbers = codes(tmp_path / "numbers.csv", *("1", "2", "3", "4") * 9)
    with pytest.raises(DataError, match=r"column 't': '.*' is no number"):
        together((numbers, True), (day, False))


def test_texts_that_are_few_in_each_file_may_be_many_in_all(tmp_path: Path) -> None:
    days = [codes(tmp_path / f"{n}.csv", "1", "2", "3", "1", "U", "U") for n in range(3)]
    rows = together(*((day, False) for day in days), origin=Origin.ORIGINAL)
    assert categories(rows, "t") == ("1", "2", "3", "U")
    with pytest.raises(DataError, match=r"0.csv, line 6, column 't': 'U' is no number"):
        together(*((day, False) for day in days[:2]), origin=Origin.ORIGINAL)
    with pytest.raises(DataError, match=r"0.csv, line 6, column 't': 'U' is no number"):
        together((codes(tmp_path / "n.csv", *"123" * 90), False), *((day, False) for day in days))


@pytest.mark.parametrize("words", ["note {}", "2026.11.{}", "'{}'"])
def test_a_column_of_texts_that_all_differ_is_no_category(tmp_path: Path, words: str) -> None:
    rows = [{"a": words.format(number), "n": number, "label": "x"} for number in range(60)]
    write_csv(tmp_path / "a.csv", rows)
    with pytest.raises(DataError, match=r"column 'a' holds 60 different texts in 60 rows"):
        Schema.of(read(tmp_path / "a.csv"))


def test_negative_numbers_and_texts_are_told_apart(tmp_path: Path) -> None:
    text = "a,b,label\n" + "".join(f"{-number}.25,t{number % 7},x\n" for number in range(1, 50))
    found = values(read(csv(tmp_path / "a.csv", text)))
    assert found["a"] == [-number - 0.25 for number in range(1, 50)]
    assert found["b"] == [number % 7 for number in range(1, 50)]


def test_odd_names_of_columns_are_names(tmp_path: Path) -> None:
    names = ["a b", "ä", "x[0]", "<script>", "\u202e", "a\nb", "f0"]
    rows = [dict.fromkeys(names, number / 4) | {"label": "x"} for number in range(3)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert list(values(read(tmp_path / "a.jsonl"))) == names


def test_a_row_takes_four_bytes_a_value_and_as_many_where_columns_are_read(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    names = [f"c{number}" for number in range(500)]
    rows = [
        dict(zip(names, chance.normal(size=500).round(3).tolist(), strict=True)) | {"label": "x"}
        for _ in range(3)
    ]
    write_csv(tmp_path / "a.csv", rows)
    assert {row.size for row in read(tmp_path / "a.csv")} == {33 + 2 * 4 * 500}


def test_a_row_of_numbers_alone_is_read_as_any_other(tmp_path: Path) -> None:
    """Most rows are, and there is a shorter way for them."""
    names = [f"c{number}" for number in range(20)]
    cells = ["1", "-2.5", "", "0", "0.25", "-0.0", "12345", "-.5", "7.", "3.14159"] * 2
    plain = ",".join(cells)
    other = plain.replace("12345", "1.2345e4")
    header = ",".join([*names, "label"])
    rows = read(csv(tmp_path / "a.csv", f"{header}\n{other},x\n{plain},x\n{plain},y\n{other},y\n"))
    assert len({row.key for row in rows}) == 1
    assert len({row.cells for row in rows}) == 1
    assert types(rows) == {name: "number" for name in names if int(name[1:]) % 10 != 2}
    late = f"{header}\n" + f"{plain},x\n" * 99 + plain.replace("12345", "tall", 1) + ",y\n"
    with pytest.raises(DataError, match=r"line 101, column 'c6': 'tall' is no number, and 99 othe"):
        read(csv(tmp_path / "b.csv", late))
    odd = ["007", "2026-01-01", "1-2", "--1", "1.2.3", "9" * 60]
    for cell in odd:
        text = f"{header}\n{plain},x\n" + plain.replace("12345", cell, 1) + ",y\n"
        if cell == "007":
            assert types(read(csv(tmp_path / "c.csv", text)))["c6"] == "category"
        else:
            with pytest.raises(DataError, match=r"column 'c6'"):
                read(csv(tmp_path / "c.csv", text))


@pytest.mark.parametrize("seed", range(4))
def test_columns_of_numbers_are_read_at_once_as_cell_by_cell(tmp_path: Path, seed: int) -> None:
    """In JSON lines each cell is read alone; nothing else may tell the formats apart."""
    chance = np.random.default_rng(seed)
    count = 60

    def holed(cells: Sequence[Any], share: float) -> list[Any]:
        return [None if hole else cell for cell, hole in zip(cells, chance.random(count) < share)]  # noqa: B905

    table: dict[str, list[Any]] = {
        f"float{at}": holed(chance.normal(0, 1e3, count).tolist(), share)
        for at, share in enumerate((0, 0, 0.1, 0.5, 0.95) * 2)
    }
    table |= {
        f"whole{at}": holed(chance.integers(-(2**60), 2**60, count).tolist(), share)
        for at, share in enumerate((0, 0.3))
    }
    table["zero"] = holed(chance.choice([0.0, -0.0, 1.5], count).tolist(), 0.1)
    table["late"] = [None] * 20 + chance.normal(size=count - 20).tolist()
    table["empty"] = [None] * count
    table["sure"] = holed((chance.random(count) < 0.5).tolist(), 0.2)
    table["ward"] = holed(chance.choice(list("abc"), count).tolist(), 0.2)
    table["label"] = chance.choice(["x", "y"], count).tolist()
    lines = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    odd = np.array([-np.nan, np.uint64(0x7FF8000000000123).view(np.float64)])
    arrays = {name: pa.array(cells) for name, cells in table.items()}
    arrays["float3"] = pa.array(
        np.array([chance.choice(odd) if cell is None else cell for cell in table["float3"]]),
        from_pandas=False,
    )
    parquet.write_table(pa.table(arrays), tmp_path / "a.parquet", row_group_size=7)
    texts = [
        ["" if cell is None else str(cell).lower() if isinstance(cell, bool) else str(cell)
         for cell in line.values()]
        for line in lines
    ]  # fmt: skip
    csv(tmp_path / "a.csv", "\n".join(map(",".join, [list(table), *texts])) + "\n")
    one_by_one, *at_once = (read(tmp_path / name) for name in ("a.jsonl", "a.parquet", "a.csv"))
    for found in at_once:
        assert [(row.key, row.cells) for row in found] == [
            (row.key, row.cells) for row in one_by_one
        ]
        for field in ("names", "types", "held"):
            assert getattr(found[0].header, field) == getattr(one_by_one[0].header, field), field


def test_a_case_has_one_name_in_files_of_any_type(tmp_path: Path) -> None:
    """A column of whole numbers with a gap is one of floats, of which CSV says 17.0."""
    columns = columns_of(KIND, group="patient", id="visit")
    found = []
    for kind in (pa.int64(), pa.float64(), pa.string()):
        table = pa.table(
            {"patient": pa.array([17, 18]).cast(kind), "visit": pa.array([1, 2]).cast(kind)}
        )
        table = table.append_column("age", pa.array([63, 63]))
        table = table.append_column("label", pa.array(["x", "y"]))
        parquet.write_table(table, tmp_path / "a.parquet")
        found.append(read(tmp_path / "a.parquet", columns))
    text = "patient,visit,age,label\n17.0,1.0,63,x\n 18.00,2,63,y\n"
    found.append(read(csv(tmp_path / "a.csv", text), columns))
    assert len({tuple(row.unit for row in rows) for rows in found}) == 1
    assert len({tuple(row.key for row in rows) for rows in found}) == 1
    assert found[0][0].unit == hashlib.sha256(b"17").hexdigest(), "as ever"


@pytest.mark.parametrize("name", ["007", "1E5", "+49", "p-1", "1.10", "a b", "Größe", "x-0.0"])
def test_a_name_stays_what_it_is(name: str) -> None:
    assert identified(f" {name} ") == name


@pytest.mark.parametrize("text", ["", "NA", "NaN", "null", "None"])
def test_rows_without_group_or_id_are_cases_of_their_own(tmp_path: Path, text: str) -> None:
    columns = columns_of(KIND, group="patient", id="visit")
    rows = read(
        csv(
            tmp_path / "a.csv",
            f"patient,visit,a,label\n{text},{text},1,x\n" * 1 + f"{text},{text},1,x\n",
        ),
        columns,
    )
    lines = [{"patient": None, "visit": None, "a": 1, "label": "x"}] * 2
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
    more = read(tmp_path / "a.jsonl", columns)
    assert [row.group for row in rows + more] == [""] * 4
    assert [row.key for row in rows] == [row.key for row in more]
    assert rows[0].key != rows[1].key


@pytest.mark.parametrize(
    "texts",
    [
        [f"{36 + n // 10},{n % 10}" for n in range(50)],
        [f"{n + 1}.12.2026" for n in range(28)],
        [f"{n + 1:02d}/12/2026 12:00" for n in range(28)],
        [f"2026/{n % 12 + 1:02d}/{n + 1:02d}" for n in range(28)],
        [f"1,{n:03d}" for n in range(50)],
        [f"1.{n:03d},50" for n in range(50)],
        [f"{n} %" for n in range(50)],
        [f"{n}.5%" for n in range(50)],
        [f"${n}" for n in range(50)],
        [f"{n},99 €" for n in range(50)],
        [f"1'{n:03d}" for n in range(50)],
        ["k.A."] * 4 + [f"36,{n}" for n in range(50)],
        [f"{n + 1:02d}-JAN-26" for n in range(28)],
        [f"{n + 1}. März 2026" for n in range(28)],
        [f"Jan {n + 1:2d} 2026 12:00AM" for n in range(28)],
        [f"Jan {n + 1}, 2026" for n in range(28)],
        [f"{n + 1} January 26" for n in range(28)],
        [f"01/{n + 1:02d}/26" for n in range(28)],
        [f"{n + 1}/{n % 12 + 1}/{n % 5 + 22} 06:00" for n in range(28)],
        [f"{n + 1:02d}.01.26" for n in range(28)],
        [f"2026-01-{n + 1:02d} 00:00:00.000 Europe/Berlin" for n in range(28)],
        [f"2026-01-{n + 1:02d} 24:00:00" for n in range(28)],
    ],
    ids=lambda texts: texts[3] + texts[4],
)
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_numbers_and_dates_in_another_notation_are_no_categories(
    tmp_path: Path, name: str, texts: list[str]
) -> None:
    rows = [{"t": text, "n": at, "label": "x"} for at, text in enumerate(texts * 9)]
    if name.endswith(".csv"):
        write_csv(tmp_path / name, rows)
    else:
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match=r"column 't': .* in a notation that is read as text"):
        read(tmp_path / name)
    assert types(read(tmp_path / name, known=True))["t"] == "category"


@pytest.mark.parametrize(
    "texts",
    [
        ["1-2", "10-19", "20-29", "30-39", "40-49", "50-59"],
        ["1/2", "2/2", "1/4", "3/4", "1/8", "3/8"],
        [f"S {n}" for n in range(9)],
        ["12.5.3", "1.2.3", "10.12.04", "1.12.26", "2.0.1", "2.1.0"],
        ["110 00", "123 45", "SW1A 1AA", "10 115", "20 095", "K1A 0B1"],
        ["0 %", "25 %", "50 %", "100 %"],
        ["1,2", "1,3", "2,3", "1", "2,4", "3,4", "1,2,3"],
        ["$", "$$", "$$$", "$10-20"],
        ["2026/27", "2025/26", "2024/25", "2023/24", "2022/23"],
        ["+49 30 123", "030-123456", "555-1234", "12:30", "12:45"],
        ["17 A 26", "1/2/3", "32/13/26", "8 out of 10", "12 May", "May", "March 1", "set 3"],
        ["20-12-26", "20-11-26", "01-02-03", "01-02-04", "01-02-05", "01-02-06"],
        ["10.12.04", "46.19.10", "46.19.20", "01.11.10", "46.21.11", "01.13.11", "47.11.1"],
        [f"{n % 4 + 1:02d}.{n % 12 + 1:02d}.{n % 27 + 1:02d}" for n in range(99)],
        ["10.04.04", "12.04.05", "14.04.06", "16.04.07", "18.04.06", "20.04.05", "22.04.01"],
        ["6/12/24", "12/24/48", "12/24/36", "3/6/12", "6/12/18", "6/9/12"],
        ["12/24/24", "6/18/24", "6/15/24", "6/30/24", "3/20/24", "12/24/48"],
        ["5/5/10", "2/1/10", "1/1/10", "1/5/10", "2/2/10", "5 %", "10 %", "15 %", "20 %", "25 %"],
        ["1/2/10", "2/1/10", "1/1/10", "3/1/12", "1/3/15", "4/4/20"],
        ["3 Magnets 50", "10 Marbles 20", "5 Outlets 10", "6 Sets 12", "8 Decors 16", "3 Mars 20"],
        ["Market 7 2019", "Market 5 2024", "Outlet 9 2012", "Mars 3 2011", "Set 19 2010", "Marc"],
        ["1.234.567", "1.234.568", "1.234.569", "1.234.570", "1.234.571"],
    ],
    ids=lambda texts: texts[0],
)
def test_a_category_may_hold_digits(tmp_path: Path, texts: list[str]) -> None:
    rows = [{"t": text, "label": "x"} for text in texts * 30]
    write_csv(tmp_path / "a.csv", rows)
    remarks = Remarks()
    assert types(read(tmp_path / "a.csv", remarks=remarks))["t"] == "category"


def test_what_a_model_in_service_reads_as_categories_stays_so(tmp_path: Path) -> None:
    before, more = ([f"{n} %,{n}.5,x" for n in (5, 10, 15, 20, 25)] * each for each in (9, 3))
    old = csv(tmp_path / "old.csv", "t,n,label\n" + "\n".join(before) + "\n")
    new = csv(tmp_path / "new.csv", "t,n,label\n" + "\n".join(more) + "\n")
    with pytest.raises(DataError, match="dictionary in Parquet"):
        together((new, False))
    assert categories(together((old, True), (new, False)), "t") == (
        "10 %", "15 %", "20 %", "25 %", "5 %"
    )  # fmt: skip


ZONES = {
    " {}+00": 0,
    " {}-05": 5,
    "T{}+0530": -5.5,
    " {}.123 +0000": 0,
    " {} +00": 0,
    " {} UTC": 0,
    " {}Z": 0,
    " {} GMT": 0,
}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_date_with_a_zone_as_databases_write_it_is_one(
    tmp_path: Path, name: str, zone: str
) -> None:
    cells = [f"2026-01-{n + 1:02d}" + zone.format("06:00:00") for n in range(9)]
    rows: list[Record] = [{"t": cell, "label": "x"} for cell in [*cells, "2026-02-01"]]
    if name.endswith(".csv"):
        write_csv(tmp_path / name, rows)
    else:
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read(tmp_path / name)
    assert types(found) == {"t": "date"}
    expected = [20454 + n + (6 + ZONES[zone]) / 24 for n in range(9)]
    assert values(found)["t"] == pytest.approx([*expected, 20485.0], abs=1e-3)


def test_dates_that_a_model_has_learnt_as_categories_stay_so(tmp_path: Path) -> None:
    """Once they were no dates: the model reads its texts, and each row stays on its side."""
    days = [f"2026-01-{n % 5 + 1:02d} 00:00:00+00" for n in range(45)]
    lines = [f"{day},{n}.5,x" for n, day in enumerate(days)]
    rows = together((csv(tmp_path / "a.csv", "t,n,label\n" + "\n".join(lines) + "\n"), True))
    before = Schema(
        (Column("t", Type.CATEGORY, tuple(sorted(set(days)))), Column("n", Type.NUMBER))
    )
    assert blocks.matrix(rows, before)[:, 0].tolist() == [n % 5 for n in range(45)]
    assert before.grown(rows) == before
    assert rows[0].key == "0988809c989b8e6b3c944edfffd248a33dcb8dd9ef41176907c3789a95fec8e7"
    later = [line.replace("-01-", "-02-") for line in lines]
    news = together((csv(tmp_path / "b.csv", "t,n,label\n" + "\n".join(later) + "\n"), False))
    found = {one.name: one.effect for one in drift.measures(before, np.zeros(2), rows, news)}
    assert (found["changedColumns"], found["unknownCategories"]) == (0, 1.0), "as ever"
    assert types(rows) == {"t": "date", "n": "number"}, "of a model that is made anew"


@pytest.mark.parametrize(
    "before, now",
    [
        (["17.0", "18.0", "none"], [17, 18]),
        (["TRUE", "FALSE", "UNKNOWN"], [True, False]),
        (["7", "true", "1.1", "other"], ["7.0", "TRUE", "1.10", "other"]),
    ],
)
def test_a_model_knows_its_categories_in_files_of_another_type(
    tmp_path: Path, before: list[str], now: list[Any]
) -> None:
    lines = [f"{text},{n}.5,x" for n, text in enumerate(before * 9)]
    old = csv(tmp_path / "old.csv", "t,n,label\n" + "\n".join(lines) + "\n")
    schema = Schema.of(together((old, True)))
    rows = [{"t": cell, "n": n / 7, "label": "x"} for n, cell in enumerate(now * 9)]
    (tmp_path / "new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = together((old, True), (tmp_path / "new.jsonl", False))[len(lines) :]
    expected = [schema.columns[0].categories.index(text) for text in before[: len(now)] * 9]
    assert blocks.matrix(found, schema)[:, 0].tolist() == expected
    assert schema.grown(found).columns[0].categories == schema.columns[0].categories


def test_categories_that_mean_the_same_are_each_itself() -> None:
    found = Categories(["1.1", "1.10", "2", "True", "9007199254740993"])
    assert [found.place(text) for text in ("1.1", "1.10", "2", "2.0", "2e0")] == [0, 1, 2, 2, 2]
    assert found.place("1.100") is None
    assert found.place("true") == 3
    assert found.place("9007199254740992") is None
    assert found.text("2.0") == "2"
    assert found.text("x") == "x"


EANS = ["0012345678905", "4006381333931", "4006381333948"]


@pytest.mark.parametrize(
    "texts",
    [
        EANS,
        ["1.1", "1.10", "2.0", "2.0.1"],
        ["TRUE", "FALSE", "UNKNOWN"],
        ["123456789", "123456792", "none of them"],
        ["1e3", "1000", "x", "+5", "true"],
    ],
)
@pytest.mark.parametrize("known", [False, True])
def test_a_category_keeps_its_own_text(tmp_path: Path, texts: list[str], *, known: bool) -> None:
    lines = [f"{text},{n}.5,{'xy'[n % 2]}" for n, text in enumerate(texts * 8)]
    path = csv(tmp_path / "a.csv", "t,n,label\n" + "\n".join(lines) + "\n")
    rows = read(path, known=known)
    assert categories(rows, "t") == tuple(sorted(texts))
    assert values(rows)["t"] == [float(sorted(texts).index(text)) for text in texts * 8]


def test_a_category_of_json_keeps_its_own_text(tmp_path: Path) -> None:
    cells = [123456789, 123456792, "x", 2.0, 0.1, 0.123456789, True, "true", 2**60 + 1]
    rows = [{"t": cell, "label": "x"} for cell in cells]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows * 9))
    found = categories(read(tmp_path / "a.jsonl"), "t")
    assert set(found) == {
        "123456789", "123456792", "x", "2", "0.1", "0.123456789", "true", str(2**60 + 1)
    }  # fmt: skip


def test_rows_of_categories_that_look_like_numbers_keep_their_keys(tmp_path: Path) -> None:
    """They are on the side where they were; but two texts of one number are two rows."""
    plain = read(csv(tmp_path / "a.csv", "t,n,label\n1.1,0.5,x\n2.0,0.5,x\n"))
    text = "t,n,label\n1.1,0.5,x\n2.0,0.5,x\n1.10,0.5,x\n2.0.1,0.5,x\n1.1,0.5,y\n1.10,0.5,y\n"
    text += "2.0.1,0.5,x\n" * 5
    mixed = read(csv(tmp_path / "b.csv", text))
    assert [row.key for row in mixed[:2]] == [row.key for row in plain]
    assert len({row.key for row in mixed}) == 4
    assert (mixed[0].key, mixed[2].key) == (mixed[4].key, mixed[5].key)


def test_a_category_is_spelled_alike_in_files_that_hold_it_as_a_number(tmp_path: Path) -> None:
    codes = csv(tmp_path / "a.csv", "t,label\n" + "".join(f"{code},x\n" for code in EANS * 9))
    plain = csv(tmp_path / "b.csv", "t,label\n" + f"{EANS[1]},x\n{EANS[2]},y\n" * 9)
    parquet.write_table(
        pa.table({"t": pa.array([int(EANS[1])] * 9), "label": ["x"] * 9}), tmp_path / "c.parquet"
    )
    rows = together((plain, False), (codes, False), (tmp_path / "c.parquet", True))
    assert categories(rows, "t") == tuple(EANS)
    alone = together((plain, False))
    assert [row.key for row in rows[:18]] == [row.key for row in alone], "sides stay"
    floats = csv(tmp_path / "d.csv", "t,label\n1.0,x\n7.0,x\n")
    whole = csv(tmp_path / "e.csv", "t,label\n" + "1,x\nA,y\n2,x\n" * 5)
    assert categories(together((floats, False), (whole, False)), "t") == ("1", "2", "7.0", "A")


def test_a_model_of_numbers_reads_them_in_a_column_of_texts(tmp_path: Path) -> None:
    rows = read(csv(tmp_path / "a.csv", "t,label\n" + "1.50,x\nTRUE,x\nA,y\n" * 9))
    block = blocks.of(rows)[0]
    numbers = block.numbers("t", Type.NUMBER)
    assert numbers[:2].tolist() == [1.5, 1.0]
    assert np.isnan(numbers[2])


def test_true_among_numbers_is_a_mistake(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", "age,label\n" + "63,x\n" * 9 + "TRUE,y\n")
    with pytest.raises(DataError, match=r"line 11, column 'age': 'TRUE' is no number, and other"):
        read(path)
    assert types(read(path, known=True)) == {"age": "number"}
    flags = csv(tmp_path / "b.csv", "on,label\n" + "1,x\n0,y\n" * 9 + "TRUE,y\n")
    assert values(read(flags))["on"][-1] == 1.0


@pytest.mark.parametrize("names", [("Größe", "Gro\u0308ße"), ("age", " age"), ("a b", "a\u00a0b")])
def test_a_column_in_two_spellings_is_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    one, other = (
        csv(tmp_path / f"{letter}.csv", f"{name},label\n1.5,x\n2.5,y\n")
        for letter, name in zip("ab", names, strict=True)
    )
    with pytest.raises(DataError) as caught:
        together((one, True), (other, False))
    said = f"updates/b.csv: {names[1]!a} and {names[0]!a} (updates/a.csv) are one column in two"
    assert caught.value.message.startswith(said)
    remarks = Remarks()
    third = csv(tmp_path / "c.csv", one.read_text(encoding="utf-8"))
    together((one, True), (other, True), (third, False), remarks=remarks)
    assert "are one column in two spellings" in remarks.sentences[0]
    csv(tmp_path / "a.csv", f"{names[0]},{names[1]},label\n1.5,7,x\n2.5,8,y\n")
    assert len(together((one, False), (other, False))) == 4, "a file that has both means both"


@pytest.mark.parametrize("names", [("age", "AGE"), ("blood_pressure", "Blood pressure")])
def test_columns_that_differ_in_capitals_are_told(tmp_path: Path, names: tuple[str, str]) -> None:
    one, other = (
        csv(tmp_path / f"{letter}.csv", f"{name},other,label\n1.5,3.5,x\n2.5,4.5,y\n")
        for letter, name in zip("ab", names, strict=True)
    )
    remarks = Remarks()
    together((one, False), (other, False), remarks=remarks)
    (said,) = remarks.sentences
    assert said == (
        f"updates/b.csv: the columns {names[1]!r} here and {names[0]!r} in updates/a.csv count as "
        "two, each empty where the other one is: spell them alike if one is meant."
    )
    both = csv(tmp_path / "c.csv", f"{names[0]},{names[1]},label\n1.5,7.5,x\n2.5,8.5,y\n")
    remarks = Remarks()
    together((one, False), (both, False), (other, False), remarks=remarks)
    assert not remarks.sentences, "a file that has both means both"


@pytest.mark.parametrize(
    "odd, held",
    [
        ({"price": "cheap"}, "texts, and numbers in other files"),
        ({"price": "2026-01-01"}, "dates, and numbers in other files"),
        ({"day": 7}, "numbers, and dates in other files"),
        ({"day": "soon"}, "texts, and dates in other files"),
        ({"ward": "2026-01-01"}, "dates, and texts in other files"),
    ],
)
def test_a_file_that_holds_something_else_is_refused_or_told(
    tmp_path: Path, odd: Record, held: str
) -> None:
    plain: Record = {"price": 70.5, "day": "2026-01-01", "ward": "a", "label": "x"}
    paths = [tmp_path / f"{number:02d}.jsonl" for number in range(12)]
    for path in paths:
        row = plain | odd if path == paths[7] else plain
        path.write_text(json.dumps(row) + "\n")
    files = [(path, False) for path in paths]
    (name,) = odd
    with pytest.raises(DataError) as caught:
        together(*files, origin=Origin.ORIGINAL)
    assert caught.value.message.startswith(
        f"original/07.jsonl, column {name!r}: it holds {held}, so that all"
    )
    said = f"07.jsonl: column {name!r} holds {held}: these count as empty."
    for known, origin in ((False, Origin.UPDATES), (True, Origin.ORIGINAL)):
        remarks = Remarks()
        together(*((path, known) for path in paths), remarks=remarks, origin=origin)
        assert remarks.sentences == (f"{origin}/{said}",)


def test_numbers_that_count_as_categories_for_another_file_are_told(tmp_path: Path) -> None:
    one = csv(tmp_path / "a.csv", "t,label\n1,x\n2,y\n")
    other = csv(tmp_path / "b.csv", "t,label\nA,x\nB,y\n")
    remarks = Remarks()
    rows = together((one, False), (other, False), remarks=remarks, origin=Origin.ORIGINAL)
    assert types(rows) == {"t": "category"}
    (said,) = remarks.sentences
    assert said == (
        "original/a.csv: column 't' holds numbers here, and texts in original/b.csv: categories."
    )


def test_what_no_version_can_name_is_refused_before_a_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = csv(tmp_path / "a.csv", f"{'n' * 1025},label\n1.5,x\n2.5,y\n")
    with pytest.raises(DataError, match=r"the name of the column 'n{40}'… has 1,025 char"):
        Schema.of(read(long))
    monkeypatch.setattr(schema, "MOST_COLUMNS", 2)
    paths = [csv(tmp_path / f"{name}.csv", f"{name},label\n1,x\n") for name in "pqr"]
    with pytest.raises(DataError, match="3 columns in all files together, and at most 2 are read"):
        Schema.of(together(*((path, False) for path in paths)))


LINES = [f"{'yn'[n * n % 7 % 2]},{'abcd'[n * 5 % 11 % 4]},{'xy'[n * 3 % 5 % 2]}" for n in range(99)]


def days(folder: Path, *parts: list[str]) -> list[tuple[Path, bool]]:
    """Files of patients of whom little is known, in their order."""
    return [
        (csv(folder / f"{n:03d}.csv", "smoker,ward,label\n" + "\n".join(part) + "\n"), False)
        for n, part in enumerate(parts)
    ]


def test_short_rows_of_several_files_are_cases_of_their_own(tmp_path: Path) -> None:
    files = days(tmp_path, *([line] for line in LINES))
    rows = together(*files)
    assert len({row.key for row in rows}) == len({row.gist for row in rows}) == 99
    assert {row.identity for row in rows} == {""}
    assert [row.key for row in together(*files[:50])] == [row.key for row in rows[:50]], "stay"
    assert rows[0].key == together(files[0])[0].key, "of one file alone as ever"
    again = [(path, True) for path, _ in files]
    assert [row.key for row in together(*again)] == [row.key for row in rows]


@pytest.mark.parametrize("form", ["again", "longer", "corrected at its end", "parquet"])
def test_a_file_that_repeats_another_holds_the_same_cases(tmp_path: Path, form: str) -> None:
    other, begun = LINES[40:], LINES[:60]
    files = days(tmp_path, other, begun, {"longer": LINES}.get(form, begun))
    last = files[-1][0]
    if form == "corrected at its end":
        last.write_text(last.read_text().removesuffix(f"{begun[-1]}\n") + "n,z,y\n")
    if form == "parquet":
        names = ("smoker", "ward", "label")
        cells = zip(*(line.split(",") for line in begun), strict=True)
        last = tmp_path / "002.parquet"
        parquet.write_table(pa.table(dict(zip(names, map(list, cells), strict=True))), last)
        files[-1] = (last, False)
    rows = together(*files)
    first, second = rows[len(other) : len(other) + 60], rows[len(other) + 60 :]
    shared = 59 if form.startswith("corrected") else 60
    assert [row.key for row in second[:shared]] == [row.key for row in first[:shared]]
    assert len({row.key for row in rows[: len(other)]} & {row.key for row in first}) == 0
    assert len({row.key for row in second}) == len(second)


def test_files_that_are_sorted_are_not_alike_because_they_begin_so(tmp_path: Path) -> None:
    one, other = ["n,a,x"] * 50 + ["n,b,x"] * 30, ["n,a,x"] * 50 + ["n,b,x"] * 40
    rows = together(*days(tmp_path, one, other))
    assert len({row.key for row in rows}) == 170


def test_rows_of_a_case_with_a_name_are_the_same_in_all_files(tmp_path: Path) -> None:
    text = "ward,visit,label\na,v-1,x\na,v-2,x\n"
    columns = columns_of(KIND, id="visit")
    one, other = (read(csv(tmp_path / name, text), columns) for name in ("a.csv", "b.csv"))
    rows = SOURCE.join([*one, *(replace(row, file="sha256:2") for row in other)], None, Remarks())
    assert len({row.key for row in rows}) == 2


def test_no_file_that_comes_or_goes_moves_a_row(tmp_path: Path) -> None:
    def put(name: str, seed: int) -> Path:
        chance = random.Random(seed)  # noqa: S311  # no secret
        lines = [
            f"{chance.choice('ab')},{chance.randint(0, 3)},{chance.choice('xy')}" for _ in range(90)
        ]
        return csv(tmp_path / name, "ward,beds,label\n" + "\n".join(lines) + "\n")

    aachen, berlin = put("aachen.csv", 1), put("berlin.csv", 2)
    alone = [row.key for row in together((berlin, True))]
    assert [row.key for row in together((aachen, False), (berlin, True))[90:]] == alone
    assert len(set(alone)) == 90


def snapshot_of(folder: Path, columns: Columns) -> tuple[Snapshot, Dataset]:
    """Of a folder with original and updates; read again it is the same."""
    data = DataRef(
        f"file://{folder}/original", f"file://{folder}/updates", columns, Holdout(30, 30)
    )
    snapshot, dataset = take_snapshot(
        data, Places(""), SOURCE, known=frozenset(), champion_holdout=None, tell=lambda _: None
    )
    again = read_again(snapshot, data, Places(""), SOURCE, 1)
    assert (again.remarks, again.counts) == (dataset.remarks, dataset.counts)
    return snapshot, dataset


def test_a_snapshot_of_a_file_a_day_holds_the_rows_of_all_days(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    for number in range(40):
        path = tmp_path / ("original" if number < 20 else "updates") / f"{number:03d}.csv"
        path.parent.mkdir(exist_ok=True)
        age(csv(path, "smoker,ward,label\n" + "\n".join(chance.choice(LINES, 8)) + "\n"))
    data = DataRef(
        f"file://{tmp_path}/original",
        f"file://{tmp_path}/updates",
        columns_of(KIND),
        Holdout(30, 30),
    )
    snapshot, dataset = take_snapshot(
        data, Places(""), SOURCE, known=frozenset(), champion_holdout=None, tell=lambda _: None
    )
    assert (len(dataset.rows), dataset.copies.new, dataset.copies.old) == (320, 0, 0)
    assert dataset.recurrence.n == 0
    again = read_again(snapshot, data, Places(""), SOURCE, 1)
    assert [row.key for row in again.rows] == [row.key for row in dataset.rows]


def test_rows_of_two_names_are_two_on_one_side(tmp_path: Path) -> None:
    """Equal inputs of two customers are two rows, and what was learnt of one is no test."""
    lines = [f"{number}.25,ab,{'xy'[number % 2]}" for number in range(200)]
    text = "\n".join(f"{number},{line}" for number, line in enumerate(lines * 2))
    for name in ("original", "updates"):
        (tmp_path / name).mkdir()
    age(csv(tmp_path / "original/a.csv", f"customer,a,b,label\n{text}\n3.0,{lines[3]}\n"))
    columns = columns_of(KIND, id="customer")
    _, dataset = snapshot_of(tmp_path, columns)
    assert len(dataset.rows) == 400, "the row of customer 3 is there twice"
    assert dataset.copies.old == 1
    sides = [{row.key for row in side} for side in (dataset.old_train, dataset.old_held_out)]
    assert not sides[0] & sides[1]
    assert len(sides[0] | sides[1]) == 200
    nameless = snapshot_of(tmp_path, columns_of(KIND, inputs=("a", "b")))[1]
    assert len(nameless.rows) == 200


def test_old_rows_that_come_again_are_told(tmp_path: Path) -> None:
    lines = [f"{number}.25,{'xy'[number % 2]}" for number in range(300)]
    for name in ("original", "updates"):
        (tmp_path / name).mkdir()
    age(csv(tmp_path / "original/a.csv", "a,label\n" + "\n".join(lines[:150]) + "\n"))
    age(csv(tmp_path / "updates/a.csv", "a,label\n" + "\n".join(lines[200:250]) + "\n"))
    age(csv(tmp_path / "updates/b.csv", "a,label\n" + "\n".join(lines[140:200]) + "\n"))
    assert snapshot_of(tmp_path, columns_of(KIND))[1].remarks == (
        "updates/b.csv, line 2: an old row again, input and label (10 of 110 new rows).",
    )
    (tmp_path / "updates/b.csv").unlink()
    assert snapshot_of(tmp_path, columns_of(KIND))[1].remarks == ()


@pytest.mark.parametrize("source", [SOURCE, valued_tables.SOURCE])
def test_rows_that_count_once_are_told_where_they_are_many(tmp_path: Path, source: Tables) -> None:
    def told(*days: list[str], **names: str) -> list[str]:
        rows, remarks = [], Remarks()
        for day, lines in enumerate(days):
            path = csv(tmp_path / f"{day}.csv", "p,temp,label\n" + "\n".join(lines) + "\n")
            its = SourceFile(
                path,
                Named(Origin.ORIGINAL, path.name),
                f"sha256:{day}",
                columns_of(KIND, inputs=("temp",), **names),
                new=False,
                known=False,
                remarks=remarks,
            )
            rows += [found.row for found in source.read(its)]
        source.join(rows, None, remarks)
        return [said for said in remarks.sentences if "count once" in said]

    lines = [f"p{n},{36.05 + n % 30 / 10:.2f},{n % 2}" for n in range(120)]
    (said,) = told(lines)
    assert said == (
        "original/0.csv: 90 of 120 rows have the same inputs and label as another row of their "
        "file, and count once: give rows an id (data.columns.id) if they are cases of their own."
    )
    (said,) = told(lines[:60], lines[60:])
    assert ": 60 of 120 rows have the same inputs and label" in said
    assert "row of their file (90 as one of any file), and count once" in said
    assert not told(lines, id="p"), "each is a case of its own"
    assert not told(lines[:31]), "one of many"
    assert not told(lines[:30], lines[:30]), "what is delivered again"


def test_another_case_of_the_same_inputs_is_no_old_row_again(tmp_path: Path) -> None:
    """Customers who look alike are customers; a row that is sent again has its name, too."""
    lines = [f"{number}.25,ab,{'xy'[number % 2]}" for number in range(100)]
    for name in ("original", "updates"):
        (tmp_path / name).mkdir()
    head = "customer,a,b,label\n"
    old = "\n".join(f"{number},{line}" for number, line in enumerate(lines))
    others = "\n".join(f"{1000 + number},{line}" for number, line in enumerate(lines))
    age(csv(tmp_path / "original/a.csv", f"{head}{old}\n"))
    age(csv(tmp_path / "updates/b.csv", f"{head}{others}\n7,{lines[7]}\n"))
    _, dataset = snapshot_of(tmp_path, columns_of(KIND, id="customer"))
    assert (dataset.recurrence.n, dataset.recurrence.relabelled, dataset.recurrence.of) == (
        1,
        0,
        101,
    )
    assert "line 102: an old row again, input and label (1 of 101 new rows)" in dataset.remarks[0]


KEPT = ["+00", " GMT", "-05"]


def zoned(count: int, zone: str, others: dict[int, str], begin: int = 0) -> str:
    """Dates with a zone, and others at some places."""
    cells = (
        others.get(n, f"2026-01-{(begin + n) % 20 + 1:02d} 00:00:00{zone}") for n in range(count)
    )
    return "t,n,label\n" + "".join(f"{cell},{n}.5,x\n" for n, cell in enumerate(cells))


@pytest.mark.parametrize("zone", KEPT)
@pytest.mark.parametrize("other", ["unknown", "7", "true", "007"])
@pytest.mark.parametrize("origin", Origin)
def test_dates_that_keep_their_text_are_texts_where_a_model_has_learnt_them_so(
    tmp_path: Path, zone: str, other: str, origin: Origin
) -> None:
    mixed = dict.fromkeys(range(0, 100, 5), other)
    old = csv(tmp_path / "old.csv", zoned(100, zone, mixed))
    more = csv(tmp_path / "more.csv", zoned(900, zone, {}))
    for name, others in (("new.csv", mixed), ("few.csv", {7: other}), ("none.csv", {})):
        new = csv(tmp_path / name, zoned(60, zone, others, 3))
        rows = together((old, True), (new, False), origin=origin)
        assert other in categories(rows, "t")
        assert f"2026-01-09 00:00:00{zone}" in blocks.of(rows)[-1].texts("t")
        remarks = Remarks()
        together((old, True), (more, True), (new, False), origin=origin, remarks=remarks)
        assert "count as empty" not in " ".join(remarks.sentences)


@pytest.mark.parametrize("other", ["unknown", "7", "true", "007"])
@pytest.mark.parametrize("zone", [*KEPT, "Z", " +0000", ""])
def test_a_text_among_dates_is_a_mistake_otherwise(tmp_path: Path, zone: str, other: str) -> None:
    new = csv(tmp_path / "new.csv", zoned(60, zone, dict.fromkeys(range(0, 60, 5), other)))
    dates = csv(tmp_path / "dates.csv", zoned(90, zone, {}))
    for files in ([(new, False)], [(dates, True), (new, False)], [(dates, False), (new, False)]):
        with pytest.raises(DataError, match=rf"new\.csv, line 2, column 't': '{other}' is "):
            together(*files)


def test_a_text_that_is_a_number_takes_little_memory() -> None:
    """Each different time with a zone is one."""
    known, texts = Vocabulary(), [f"2026-01-05 00:00:00.{n:06d}+00" for n in range(10_000)]
    tracemalloc.start()
    places = [known.place_of_number(text, n / 7) for n, text in enumerate(texts)]
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 150 * len(texts)
    assert [known.number(place) for place in places] == [n / 7 for n in range(10_000)]
    assert known.texts(places) == texts


def test_a_text_may_be_several_numbers() -> None:
    known = Vocabulary()
    places = [known.place_of_number("1", number) for number in (1.0, 0.0, 2.0)]
    assert len({*places, known.place("1")}) == 4
    assert [known.place_of_number("1", number) for number in (1.0, 0.0, 2.0)] == places
    assert [known.number(place) for place in places] == [1.0, 0.0, 2.0]
    assert math.isnan(known.number(known.place("1")))
