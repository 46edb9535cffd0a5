"""Only regular files below the folder are read; whatever is not read is told, and why."""

import os
import socket
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from maintenance_contract import DataRef
from maintenance_trainer import files
from maintenance_trainer.data import bounds, columns, folders, stable_files, table_formats
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.snapshot import Snapshot, read_again, take_snapshot
from maintenance_trainer.data.split import Dataset
from maintenance_trainer.errors import DataError, TrainerError
from maintenance_trainer.locations import Places
from maintenance_trainer.store.bucket import Object
from maintenance_trainer.tasks.texts import SOURCE

ROWS = "text,label\n"
CANARY = "canary-7f3a"
READ = {(Origin.ORIGINAL, "a.csv")}


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    for name in ("original", "updates"):
        (tmp_path / "claims/data" / name).mkdir(parents=True)
    (tmp_path / "claims/data/original/a.csv").write_text("text,label\na,x\nb,y\n")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/key").write_text(CANARY)
    (tmp_path / "claims/other").mkdir()
    (tmp_path / "claims/other/o.csv").write_text("text,label\nforeign,x\n")
    return tmp_path / "claims"


@pytest.fixture
def updates(claims: Path) -> Path:
    return claims / "data/updates"


def rows(path: Path, *texts: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(ROWS + "".join(f"{text},x\n" for text in texts))


DATA = DataRef("pvc://data/original", "pvc://data/updates")


def take(claims: Path) -> tuple[Snapshot, Dataset, dict[str, str]]:
    """The snapshot, its rows, and what is left out by name."""
    then = time.time() - 3600
    for path in (claims, *claims.rglob("*")):
        os.utime(path, (then, then), follow_symlinks=False)
    places = Places(str(claims))
    snapshot, dataset = take_snapshot(
        DATA, places, SOURCE, known=frozenset(), champion_holdout=None, tell=lambda _: None
    )
    read = {(file.origin, file.name) for file in snapshot.files}
    left = {file.name: file.why for file in folders.left_out(DATA, places, read, SOURCE.suffixes)}
    return snapshot, dataset, left


def new(dataset: Dataset) -> set[str]:
    return {row.text for row in dataset.rows if row.new}


@pytest.mark.parametrize(
    "target",
    ["../../../secrets/key", "/proc/self/environ", "/dev/zero", "../../other/o.csv", "../original"],
)
def test_a_link_that_leads_out_is_not_read(claims: Path, updates: Path, target: str) -> None:
    rows(updates / "good.csv", "c")
    (updates / "x.csv").symlink_to(target)
    (updates / "y.jsonl").symlink_to(target)
    _, dataset, left = take(claims)
    assert new(dataset) == {"c"}
    assert left == {
        "updates/x.csv": "is a link that leads out of its folder",
        "updates/y.jsonl": "is a link that leads out of its folder",
    }


def test_a_folder_that_is_a_link_out_of_its_volume_is_refused(claims: Path) -> None:
    (claims / "data/updates").rmdir()
    (claims / "data/updates").symlink_to(claims.parent / "secrets")
    with pytest.raises(DataError, match=r"data\.updates: pvc://data/updates is a link that leads"):
        take(claims)


@pytest.mark.timeout(30)
def test_what_is_no_regular_file_is_told_and_does_not_hang(claims: Path, updates: Path) -> None:
    rows(updates / "good.csv", "c")
    os.mkfifo(updates / "pipe.csv")
    (updates / "linked.csv").symlink_to("pipe.csv")
    (updates / "nowhere.csv").symlink_to("gone.csv")
    (updates / "circle.csv").symlink_to("circle.csv")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(updates)  # the whole path is too long for a socket
        try:
            listening.bind("s.parquet")
        finally:
            os.chdir(here)
        _, dataset, left = take(claims)
    assert new(dataset) == {"c"}
    assert left == {
        "updates/pipe.csv": "is a named pipe, not a file",
        "updates/linked.csv": "is a named pipe, not a file",
        "updates/nowhere.csv": "is a link that leads nowhere",
        "updates/circle.csv": "is a link that leads in a circle",
        "updates/s.parquet": "is a socket, not a file",
    }


def test_links_below_the_folder_are_followed_once(claims: Path, updates: Path) -> None:
    """A ConfigMap volume, git-sync, a linked subfolder, two names for one file, a circle."""
    rows(updates / "..2026_11/w1.csv", "of a ConfigMap")
    (updates / "..data").symlink_to("..2026_11")
    (updates / "w1.csv").symlink_to("..data/w1.csv")
    rows(updates / ".worktrees/abc/git.csv", "of git-sync")
    (updates / "current").symlink_to(".worktrees/abc")
    rows(updates / "week2/w2.csv", "in a subfolder")
    (updates / "again").symlink_to("week2")
    (updates / "again.csv").symlink_to("week2/w2.csv")
    (updates / "week2/up").symlink_to("..")
    snapshot, dataset, left = take(claims)
    assert new(dataset) == {"of a ConfigMap", "of git-sync", "in a subfolder"}
    assert [file.name for file in snapshot.files if file.new] == [
        "current/git.csv",
        "w1.csv",
        "week2/w2.csv",
    ]
    assert not left
    assert read_again(snapshot, DATA, Places(str(claims)), SOURCE, 1) == dataset


def test_a_folder_that_is_reached_by_a_link_in_its_volume_is_read(claims: Path) -> None:
    """git-sync moves such a link from revision to revision."""
    rows(claims / "data/.worktrees/abc/u.csv", "c")
    (claims / "data/updates").rmdir()
    (claims / "data/updates").symlink_to(".worktrees/abc")
    assert new(take(claims)[1]) == {"c"}


def test_a_linked_subfolder_of_another_volume_is_told(claims: Path, updates: Path) -> None:
    rows(updates / "good.csv", "c")
    (updates / "2026").symlink_to(claims / "other")
    assert take(claims)[2] == {"updates/2026": "is a link that leads out of its folder"}


def test_a_file_that_becomes_a_link_after_the_snapshot_is_gone(claims: Path, updates: Path) -> None:
    rows(updates / "u.csv", "c")
    snapshot, _, _ = take(claims)
    content = (updates / "u.csv").read_text()
    (claims / "other/o.csv").write_text(content)
    (updates / "u.csv").unlink()
    (updates / "u.csv").symlink_to(claims / "other/o.csv")
    with pytest.raises(TrainerError, match=r"updates/u\.csv is gone"):
        read_again(snapshot, DATA, Places(str(claims)), SOURCE, 1)


def test_no_link_is_followed_once_a_path_is_resolved(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "in/x.csv").write_text("a")
    (tmp_path / "out/x.csv").write_text(CANARY)
    found = files.real(tmp_path / "in/x.csv", files.boundary(tmp_path / "in"))
    (tmp_path / "in").rename(tmp_path / "was")
    (tmp_path / "in").symlink_to("out")
    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        files.opened(found)


@pytest.mark.parametrize(
    "name, why",
    [
        ("w2.csv.gz", "compressed or packed: unpack it"),
        ("w2.zip", "compressed or packed: unpack it"),
        ("w2.XLSX", "a spreadsheet: save it as CSV"),
        ("w2.json", "JSON that may span lines: write one object a line, as .jsonl"),
        ("w2.tsv", "not separated by commas: save it as CSV"),
        ("w2.arrow", "none of .csv, .jsonl, .ndjson, .parquet"),
        ("w2", "none of .csv, .jsonl, .ndjson, .parquet"),
        ("00.part", stable_files._OF_DASK),
    ],
)
def test_formats_that_are_not_read_are_told_and_alone_refused(
    claims: Path, updates: Path, name: str, why: str
) -> None:
    (updates / name).write_bytes(b"rows of some kind")
    with pytest.raises(DataError) as caught:
        take(claims)
    assert caught.value.reason == "DataUnreadable"
    for word in ("data.updates", f"{name} ({why})", ".jsonl", ".parquet"):
        assert word in caught.value.message
    rows(updates / "w1.csv", "c")
    _, dataset, left = take(claims)
    assert new(dataset) == {"c"}
    assert left == {f"updates/{name}": why}


WRITTEN = "metadata/00001-0a1b2c3d-4e5f-6a7b-8c9d-0e1f2a3b4c5d.metadata.json"
TABLES = {
    "Delta Lake": ["a-1.parquet", "_delta_log/00000000000000000000.json"],
    "Delta Lake, checkpoint": ["a-1.parquet", "_delta_log/00000000000000000010.checkpoint.parquet"],
    "Apache Iceberg": ["data/a-1.parquet", "metadata/snap-7.avro", "metadata/v1.metadata.json"],
    "Apache Iceberg, beside": ["a-1.parquet", WRITTEN],
    "Apache Hudi": ["ward=north/a-1.parquet", ".hoodie/20261123.commit"],
}


@pytest.mark.parametrize("where", ["", "2026/wards/"], ids=["itself", "below"])
@pytest.mark.parametrize("kind", TABLES)
def test_a_table_whose_log_says_which_files_count_is_refused(
    claims: Path, updates: Path, kind: str, where: str
) -> None:
    for name in TABLES[kind]:
        rows(updates / where / name, "c")
    with pytest.raises(DataError) as caught:
        take(claims)
    assert caught.value.reason == "DataUnreadable"
    folder = "the folder 2026/wards in it" if where else "it"
    said = (
        f"data.updates: pvc://data/updates: {folder} is a table of {kind.partition(',')[0]}, whose "
    )
    assert caught.value.message.startswith(said)
    assert "Export the current rows as Parquet or CSV into a folder" in caught.value.message


@pytest.mark.parametrize("where", ["", "2026/wards/"], ids=["itself", "below"])
@pytest.mark.parametrize("kind", TABLES)
def test_a_table_in_a_bucket_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, where: str
) -> None:
    class InBucket:
        def list(self) -> list[Object]:
            return [Object(where + name, 9, datetime.now(UTC)) for name in TABLES[kind]]

    places = Places(str(tmp_path))
    monkeypatch.setattr(places, "bucket", lambda *_: InBucket())
    data = replace(DATA, updates="s3://lake/claims")
    with pytest.raises(DataError) as caught:
        folders.find(data, Origin.UPDATES, places, SOURCE.suffixes)
    assert caught.value.reason == "DataUnreadable"
    assert f" is a table of {kind.partition(',')[0]}, whose " in caught.value.message
    assert ("2026/wards" in caught.value.message) is bool(where)


@pytest.mark.parametrize(
    "names",
    [
        ["data/w.csv", "metadata/w.csv"],
        ["metadata/schema.metadata.json", "data/w.csv"],
        [".old/_delta_log/0.json", "w.csv"],
        ["_delta_log", "w.csv"],
    ],
)
def test_folders_that_are_no_tables_are_read(claims: Path, updates: Path, names: list[str]) -> None:
    for name in names:
        rows(updates / name, "c")
    assert new(take(claims)[1]) == {"c"}
    assert table_formats.in_keys(names, stable_files.counts_by_name) is None


@pytest.mark.parametrize(
    "name",
    [
        *("README.md", "_SUCCESS", ".gitkeep", "w1.csv.crc", "LICENSE", "sha256.md5"),
        *("..2026/w.csv", "README.tmp", "_SUCCESS.tmp", "notes~", "a.swp", "w.docx.tmp"),
    ],
)
def test_what_lies_beside_data_is_no_delivery(claims: Path, updates: Path, name: str) -> None:
    rows(updates / name, "beside")
    _, dataset, left = take(claims)
    assert not new(dataset)
    assert not left


@pytest.mark.parametrize(
    "name, why",
    [
        (".w3.csv", stable_files.HIDDEN),
        ("w3.csv.tmp", "still being written, by its name"),
        ("w3.part", "still being written, by its name"),
        ("Unconfirmed 7.crdownload", "still being written, by its name"),
        ("_temporary/w3.parquet", "still being written, by its name"),
        (".old/w3.csv", stable_files.HIDDEN),
    ],
)
def test_what_may_come_is_told_and_no_mistake(
    claims: Path, updates: Path, name: str, why: str
) -> None:
    rows(updates / name, "later")
    _, dataset, left = take(claims)
    assert not new(dataset)
    assert left == {f"updates/{name}": why}


def test_what_arrives_during_the_look_is_told(claims: Path, updates: Path) -> None:
    rows(updates / "late.csv", "c")
    left = folders.left_out(DATA, Places(str(claims)), READ, SOURCE.suffixes)
    assert [(file.name, file.why) for file in left] == [("updates/late.csv", folders.LATE)]


def test_names_that_are_not_utf8_are_told_and_do_not_stop_anything(
    claims: Path, updates: Path
) -> None:
    rows(updates / "good.csv", "c")
    odd = os.fsencode(updates)
    for name in (b"caf\xe9.csv", b"dir\xe9/x.csv", b".\xe9.csv", b"\xe9.csv.tmp"):
        path = odd + b"/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120  # bytes
        with open(path, "wb") as file:  # noqa: PTH123  # bytes
            file.write(b"text,label\nq,x\n")
    snapshot, dataset, left = take(claims)
    assert new(dataset) == {"c"}
    assert left["updates/caf\\udce9.csv"] == "its name is not UTF-8: rename it"
    assert left["updates/dir\\udce9/x.csv"] == "its name is not UTF-8: rename it"
    assert Snapshot.from_json(snapshot.to_json()) == snapshot


def test_a_name_that_steers_a_terminal_is_read_and_shown_harmless(
    claims: Path, updates: Path
) -> None:
    (updates / "a\x1b[2J\n\u202eb.csv").write_text("text,label\nonly one\n")
    with pytest.raises(DataError) as caught:
        take(claims)
    assert caught.value.message.startswith(r"updates/a\x1b[2J\n\u202eb.csv, line 2")


@pytest.mark.skipif(os.getuid() == 0, reason="root may enter any folder")
def test_a_folder_that_may_not_be_entered_is_told(claims: Path, updates: Path) -> None:
    rows(updates / "shut/w.csv", "c")
    (updates / "shut").chmod(0)
    try:
        assert take(claims)[2] == {"updates/shut": "cannot be opened: Permission denied"}
    finally:
        (updates / "shut").chmod(0o755)


def test_too_many_files_are_refused(
    claims: Path, updates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stable_files, "MOST_ENTRIES", 5)
    for number in range(6):
        rows(updates / f"{number}.csv", "c")
    with pytest.raises(DataError, match=r"data\.updates: .* more than 5 files") as caught:
        take(claims)
    assert caught.value.reason == "DataTooLarge"


# --- small files that become large ones -------------------------------------------------


def bomb(path: Path, texts: int, length: int) -> None:
    """A file of some hundred bytes that says one long text very often."""
    column = pa.DictionaryArray.from_arrays(pa.array([0] * texts, pa.int32()), ["a" * length])
    table = pa.table({"text": column, "label": ["x"] * texts})
    parquet.write_table(table, path, compression="zstd", write_statistics=False)
    assert path.stat().st_size < 2000


def test_a_parquet_file_of_few_bytes_and_many_gigabytes_is_refused(
    claims: Path, updates: Path
) -> None:
    """4,500 times one text of 1.5 MB: 6 GiB. It takes none of them to see that."""
    bomb(updates / "bomb.parquet", 4500, 1_500_000)
    before = pa.total_allocated_bytes()
    with pytest.raises(DataError, match=r"updates/bomb\.parquet, rows 1 to 4096: ") as caught:
        take(claims)
    assert caught.value.reason == "DataTooLarge"
    assert pa.default_memory_pool().max_memory() - before < 2**28


def test_a_parquet_file_of_very_many_rows_is_refused_by_its_own_account(
    claims: Path, updates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb(updates / "many.parquet", 100_000, 1)
    monkeypatch.setattr(bounds, "MOST_BYTES", 50_000_000)
    with pytest.raises(DataError, match=r"updates/many\.parquet: .* 100,000 rows") as caught:
        take(claims)
    assert caught.value.reason == "DataTooLarge"


@pytest.mark.slow
def test_one_text_of_a_parquet_file_is_bounded_like_a_line(claims: Path, updates: Path) -> None:
    bomb(updates / "long.parquet", 2, 17 * 2**20)
    with pytest.raises(DataError, match=r"updates/long\.parquet, rows 1 to \d: a text of"):
        take(claims)


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view"])
def test_every_kind_of_text_column_is_read(claims: Path, updates: Path, kind: str) -> None:
    texts = pa.array(["p", None, "q", "p"]).cast(getattr(pa, kind)())
    parquet.write_table(
        pa.table({"text": texts, "label": ["x", "x", "y", "y"]}), updates / "u.parquet"
    )
    assert new(take(claims)[1]) == {"p", "", "q"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wide.csv", "wide.jsonl", "wide.parquet"])
def test_very_many_columns_are_refused(claims: Path, updates: Path, name: str) -> None:
    names = ["text", "label", *(f"c{n}" for n in range(columns.MOST_NAMES))]
    path = updates / name
    if name.endswith(".csv"):
        path.write_text(",".join(names) + "\n")
    elif name.endswith(".jsonl"):
        path.write_text("{" + ",".join(f'"{n}": "1"' for n in names) + "}\n")
    else:
        parquet.write_table(pa.table({n: ["1"] for n in names}), path)
    with pytest.raises(DataError, match=rf"updates/{name}.*more than 10,000 columns"):
        take(claims)


@pytest.mark.parametrize("field", ["text", "label", "other"])
@pytest.mark.parametrize("depth", [bounds.MOST_NESTED + 1, 800, 100_000])
def test_json_lines_that_nest_deep_name_file_and_line(
    claims: Path, updates: Path, field: str, depth: int
) -> None:
    fields = {"text": '"a"', "label": '"x"', field: "[" * depth + "]" * depth}
    line = "{" + ",".join(f'"{key}": {value}' for key, value in fields.items()) + "}\n"
    (updates / "deep.jsonl").write_text(line)
    with pytest.raises(DataError, match=r"updates/deep\.jsonl, line 1"):
        take(claims)


def test_a_sparse_giant_is_refused_before_it_is_read_whole(claims: Path, updates: Path) -> None:
    with (updates / "giant.csv").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(DataError, match=r"updates/giant\.csv, line 1"):
        take(claims)
