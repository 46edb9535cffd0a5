"""A file counts when nobody is still writing it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.laboratory import age

from maintenance_contract import DataRef
from maintenance_trainer.data import stable_files
from maintenance_trainer.data.reading import SUFFIXES
from maintenance_trainer.data.snapshot import take_snapshot
from maintenance_trainer.errors import DataError, TransientError
from maintenance_trainer.locations import Places
from maintenance_trainer.tasks.texts import SOURCE

NOW = 1_800_000_000.0


def put(folder: Path, name: str, seconds_ago: float) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("text,label\na,x\n")
    os.utime(path, (NOW - seconds_ago, NOW - seconds_ago))
    return path


def look(folder: Path, meanwhile: Callable[[], object]) -> tuple[list[str], list[str], list[float]]:
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        meanwhile()

    found = stable_files.find(folder, SUFFIXES, clock=lambda: NOW, wait=wait)
    return (
        [path.relative_to(folder).as_posix() for path in found.settled],
        [path.relative_to(folder).as_posix() for path in found.unsettled],
        waited,
    )


def test_old_files_count_at_once(tmp_path: Path) -> None:
    put(tmp_path, "b.csv", 3600)
    put(tmp_path, "a/c.PARQUET", 11)
    assert look(tmp_path, lambda: None) == (["a/c.PARQUET", "b.csv"], [], [])


@pytest.mark.parametrize("seconds_ago", [0, 9, -7200])
def test_young_files_are_looked_at_twice(tmp_path: Path, seconds_ago: float) -> None:
    put(tmp_path, "young.csv", seconds_ago)
    assert look(tmp_path, lambda: None) == (["young.csv"], [], [10.0])


@pytest.mark.parametrize("change", ["grows", "is touched", "is gone", "is another"])
def test_what_moves_between_two_looks_does_not_count(tmp_path: Path, change: str) -> None:
    put(tmp_path, "old.csv", 3600)
    young = put(tmp_path, "young.csv", 1)

    def meanwhile() -> None:
        match change:
            case "grows":
                young.write_text(young.read_text() + "b,y\n")
                os.utime(young, (NOW - 1, NOW - 1))
            case "is touched":
                os.utime(young, (NOW, NOW))
            case "is gone":
                young.unlink()
            case _:
                put(tmp_path, "other", 1).rename(young)

    assert look(tmp_path, meanwhile) == (["old.csv"], ["young.csv"], [10.0])


def test_what_arrives_meanwhile_waits_for_the_next_run(tmp_path: Path) -> None:
    put(tmp_path, "young.csv", 1)
    assert look(tmp_path, lambda: put(tmp_path, "late.csv", 0))[0] == ["young.csv"]


@pytest.mark.parametrize(
    "name",
    [".a.csv", "a.csv.tmp", "a.csv.filepart", "a.csv~", "_temporary/0/a.parquet", ".x/a.csv"],
)
def test_names_of_files_in_the_making_never_count(tmp_path: Path, name: str) -> None:
    put(tmp_path, name, 3600)
    assert look(tmp_path, lambda: None) == ([], [], [])


@pytest.mark.parametrize("rows", ["text,label\na,x\n", "text,label\na\n"])
def test_a_file_that_is_written_while_it_is_read_is_worth_a_retry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: str
) -> None:
    """Also where what was read half is torn: the data are not to blame."""
    for name in ("original", "updates"):
        (tmp_path / name).mkdir()
    path = tmp_path / "original/a.csv"
    path.write_text(rows)
    age(tmp_path)
    data = DataRef(f"file://{tmp_path}/original", f"file://{tmp_path}/updates")
    digest = "maintenance_trainer.data.reading.sha256"

    def written_meanwhile(_path: Path, _where: str) -> str:
        path.write_text(path.read_text() + "b,y\n")
        return "sha256:of the first half"

    monkeypatch.setattr(digest, written_meanwhile)
    with pytest.raises(TransientError, match=r"original/a\.csv was written") as caught:
        take_snapshot(data, Places(""), SOURCE, known=frozenset(), champion_holdout=None)
    assert caught.value.exit_code == 1
    monkeypatch.setattr(digest, lambda _path, _where: "sha256:x")
    age(tmp_path)
    path.write_text("text,label\na\n")
    age(tmp_path)
    with pytest.raises(DataError):
        take_snapshot(data, Places(""), SOURCE, known=frozenset(), champion_holdout=None)
