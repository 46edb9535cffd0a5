"""Users who go on from item to item, and the laboratory that diagnoses and trains on them."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maintenance_contract import (
    DataRef,
    ModelRef,
    Operation,
    ScoreMetric,
    Task,
    columns_of,
)
from maintenance_contract.holdout import Holdout
from support.laboratory import Lab, age

Record = dict[str, Any]
QUICK = {
    "num_train_epochs": 12,
    "learning_rate": 0.01,
    "per_device_train_batch_size": 32,
    "bf16": False,
}
FIRST = 1_760_000_000
LATER = FIRST + 10_000_000
ITEMS = 40
NAMES = tuple(f"i{number}" for number in range(ITEMS))
"""In a ring: who has chosen one goes on to the next, or the one after that."""


class ItemLab(Lab):
    """A laboratory of interactions."""

    columns: Mapping[str, str] = {}

    def request(self, operation: Operation, run: int, **changes: Any) -> Any:
        model = ModelRef(Task.NEXT_ITEM, "", "pvc://models/news")
        columns = columns_of(Task.NEXT_ITEM, **self.columns)
        data = DataRef("pvc://data/original", "pvc://data/updates", columns, Holdout(30, 30))
        given = {"model": model, "data": data, "metric": ScoreMetric.HIT_RATE_AT_5, **changes}
        return super().request(operation, run, **given)

    def put(self, name: str, records: Sequence[Record]) -> None:
        """A file of CSV or JSON lines, below data."""
        path = self.claims / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".csv"):
            write_csv(path, records)
        else:
            path.write_text("".join(json.dumps(record) + "\n" for record in records))
        age(path)


def write_csv(path: Path, records: Sequence[Record]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(records[0]))
        writer.writeheader()
        writer.writerows(records)


def lab(folder: Path, **arguments: Any) -> ItemLab:
    made = ItemLab(folder / "claims", folder / "base", {**QUICK, **arguments})
    made.updates.mkdir(parents=True)
    return made


def users(
    seed: int,
    count: int,
    *,
    first: int = 0,
    names: Sequence[str] = NAMES,
    steps: tuple[int, ...] = (1, 2),
    length: int = 8,
    start: int = FIRST,
) -> list[Record]:
    """Interactions of so many users, each ``length`` long.

    Args:
        seed: of the sample.
        count: how many users.
        first: the number of the first of them.
        names: of the items, in the order of the ring.
        steps: how far users go on.
        length: of a user's history, the last item included.
        start: when the first of them begin, in seconds since 1970.
    """
    chance = np.random.default_rng(seed)
    records = []
    for user in range(first, first + count):
        item, time = int(chance.integers(len(names))), start + int(chance.integers(10_000))
        for _ in range(length):
            records.append({"user": f"u{user}", "item": names[item], "time": time})
            item = (item + int(chance.choice(steps))) % len(names)
            time += int(chance.integers(1, 1000))
    return records
