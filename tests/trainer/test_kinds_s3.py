"""Tables, series and items in buckets: the same files give the same model as on a volume."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import items, series, tables
from support.laboratory import Lab, champion
from support.s3 import S3, SECRET, s3_server

from maintenance_contract import (
    Operation,
    Snapshot,
    TrainingAction,
    TrainingReport,
    TrainingRequest,
)
from maintenance_trainer.job import perform
from maintenance_trainer.locations import Places
from maintenance_trainer.progress import LogProgress

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        server.bucket("data")
        server.bucket("models")
        yield server


Put = Callable[[], None]
"""Delivers new rows."""


def patients(folder: Path) -> tuple[Lab, Put]:
    made = tables.lab(folder)
    made.put("original/first.csv", tables.patients(1, 400))
    return made, lambda: made.put("updates/more.jsonl", tables.patients(2, 200))


def loads(folder: Path) -> tuple[Lab, Put]:
    """A window reaches from one file into the next."""
    made = series.lab(folder, max_steps=5)
    values = series.load(0, 900)
    for name, first, last in [("original/a.csv", 0, 400), ("original/b.csv", 400, 700)]:
        made.put(name, series.records(first, {"load": values[first:last]}))
    later = series.records(700, {"load": values[700:]})
    return made, lambda: made.put("updates/c.csv", later)


def directions(folder: Path) -> tuple[Lab, Put]:
    made = series.lab(folder, series.LabelledLab, max_steps=5)
    made.put("original/a.csv", series.prices(0, 700))
    return made, lambda: made.put("updates/b.jsonl", series.prices(700, 300))


def shoppers(folder: Path) -> tuple[Lab, Put]:
    made = items.lab(folder, max_steps=5)
    made.put("original/a.csv", items.users(1, 200))
    return made, lambda: made.put("updates/b.jsonl", items.users(2, 80, first=200))


class InBuckets:
    """The requests of a laboratory, with the same files in buckets; a scratch for each Job."""

    def __init__(self, lab: Lab, s3: S3, name: str) -> None:
        self.lab, self.s3, self.name = lab, s3, name
        self.upload()

    def upload(self) -> None:
        """Whatever lies in the laboratory's folders."""
        self.s3.upload(self.lab.claims / "data", f"s3://data/{self.name}")

    def do(self, operation: Operation, run: int, **changes: Any) -> TrainingReport:
        asked: TrainingRequest = self.lab.request(operation, run, **changes)
        where = f"s3://data/{self.name}"
        data = replace(
            asked.data,
            original=f"{where}/original",
            updates=f"{where}/updates",
            original_secret=SECRET,
            updates_secret=SECRET,
        )
        storage = f"s3://models/{self.name}"
        model = replace(asked.model, storage=storage, storage_secret=SECRET)
        with Places("/nowhere", str(self.s3.secrets)) as places:
            report, code = perform(replace(asked, model=model, data=data), places, LogProgress())
        assert code == 0, report.message
        return report

    def names(self, version: int) -> set[str]:
        """Of the files of a version."""
        uri = f"s3://models/{self.name}/versions/{version}"
        return {item.name for item in self.s3.client(uri).list()}


def told(do: Callable[..., TrainingReport], deliver: Put) -> list[TrainingReport]:
    """A first version, new rows, and a fine-tune."""
    first_look = do(Operation.DIAGNOSE, 1)
    at = Snapshot(1, first_look.snapshot_digest)
    first = do(Operation.TRAIN, 1, action=TrainingAction.RETRAIN, snapshot=at)
    served = champion(first)
    deliver()
    look = do(Operation.DIAGNOSE, 2, champion=served)
    assert look.diagnosis is not None
    at = Snapshot(2, look.snapshot_digest)
    tuned = do(Operation.TRAIN, 2, action=TrainingAction.FINE_TUNE, snapshot=at, champion=served)
    return [first_look, first, look, tuned]


@pytest.mark.parametrize("world", [patients, loads, directions, shoppers])
def test_a_bucket_is_read_and_written_as_a_volume_is(
    s3: S3, tmp_path: Path, world: Callable[[Path], tuple[Lab, Put]]
) -> None:
    lab, put = world(tmp_path)
    there = InBuckets(lab, s3, world.__name__)

    def on_volumes(operation: Operation, run: int, **changes: Any) -> TrainingReport:
        report, code = lab.do(lab.request(operation, run, **changes))
        assert code == 0, report.message
        return report

    for mine, theirs in zip(told(on_volumes, put), told(there.do, there.upload), strict=True):
        assert theirs.snapshot_digest == mine.snapshot_digest
        assert theirs.diagnosis == mine.diagnosis
        assert theirs.evaluation == mine.evaluation
        if mine.candidate is not None:
            version = mine.candidate.version
            assert theirs.candidate is not None
            assert theirs.candidate.version == version
            folder = lab.store / f"versions/{version}"
            assert there.names(version) == {file.name for file in folder.iterdir()}
