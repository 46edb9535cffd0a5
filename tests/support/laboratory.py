"""A tiny encoder, small files, and the requests that a Job would get."""

import csv
import json
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from maintenance_contract import (
    ChampionRef,
    DataRef,
    ModelRef,
    Operation,
    Recipes,
    ResourceRef,
    Snapshot,
    StorageUri,
    Task,
    TrainingAction,
    TrainingReport,
    TrainingRequest,
)
from maintenance_trainer.job import perform
from maintenance_trainer.locations import Places
from maintenance_trainer.progress import LogProgress

WORDS = {
    "finance": ("market", "shares", "bank", "bond", "yield"),
    "sport": ("goal", "match", "team", "player", "league"),
    "arts": ("film", "actor", "song", "stage", "novel"),
}
QUICK = {"learning_rate": 0.003, "per_device_train_batch_size": 32, "num_train_epochs": 3}

Labelled = tuple[str, str]


def headlines(labels: Sequence[str], count: int, seed: int) -> list[Labelled]:
    """Texts of words that mostly belong to their label."""
    chance = random.Random(seed)  # noqa: S311  # texts, no secrets
    every = [word for words in WORDS.values() for word in words]
    rows = []
    for _ in range(count):
        label = chance.choice(labels)
        words = chance.choices(WORDS[label], k=4) + chance.choices(every, k=4)
        rows.append((" ".join(words), label))
    return rows


def write_csv(
    path: Path, rows: Sequence[Labelled], header: Sequence[str] = ("text", "label")
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    age(path)


def write_lines(path: Path, rows: Sequence[Labelled]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows),
        encoding="utf-8",
    )
    age(path)


def write_parquet(path: Path, columns: dict[str, Any], **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), path, **options)
    age(path)


def age(path: Path) -> None:
    """Let it be an hour since anybody wrote this file, or the files of this folder: settled."""
    then = time.time() - 3600
    for file in (path, *path.rglob("*")) if path.exists() else ():
        os.utime(file, (then, then))


@dataclass(frozen=True, slots=True)
class Lab:
    """Folders as a cluster would mount them, and the operations on them."""

    claims: Path
    base_model: Path
    arguments: dict[str, Any]

    @property
    def original(self) -> Path:
        return self.claims / "data/original"

    @property
    def updates(self) -> Path:
        return self.claims / "data/updates"

    @property
    def store(self) -> Path:
        return self.claims / "models/news"

    def request(self, operation: Operation, run: int, **changes: Any) -> TrainingRequest:
        request = TrainingRequest(
            operation=operation,
            resource=ResourceRef("finance", "news", "uid-1"),
            run=run,
            model=ModelRef(
                Task.TEXT_CLASSIFICATION, f"file://{self.base_model}", "pvc://models/news"
            ),
            data=DataRef("pvc://data/original", "pvc://data/updates"),
            recipes=Recipes(50, self.arguments, self.arguments),
        )
        return replace(request, **changes)

    def do(self, request: TrainingRequest) -> tuple[TrainingReport, int]:
        assert StorageUri.parse(request.model.storage)
        age(self.claims / "data")
        return perform(request, Places(str(self.claims)), LogProgress())

    def diagnose(self, run: int, **changes: Any) -> TrainingReport:
        report, code = self.do(self.request(Operation.DIAGNOSE, run, **changes))
        assert code == 0, report.message
        return report

    def train(
        self, run: int, action: TrainingAction, diagnosed: TrainingReport, **changes: Any
    ) -> TrainingReport:
        report, code = self.do(
            self.request(
                Operation.TRAIN,
                run,
                action=action,
                snapshot=Snapshot(diagnosed.run, diagnosed.snapshot_digest),
                **changes,
            )
        )
        assert code == 0, report.message
        return report


def champion(report: TrainingReport) -> ChampionRef:
    assert report.candidate is not None
    return ChampionRef(report.candidate.version, report.candidate.digest)
