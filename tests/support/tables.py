"""Tables of patients that nobody has seen, and the laboratory that diagnoses and trains on them."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maintenance_contract import DataRef, ModelRef, Operation, Task, columns_of
from maintenance_contract.holdout import Holdout
from support.laboratory import Lab, age

Record = dict[str, Any]
QUICK = {"n_estimators": 30, "max_depth": 3, "learning_rate": 0.3}
WARDS = ("cardiology", "surgery", "trauma")


class TableLab(Lab):
    """A laboratory of tables."""

    kind = Task.TABULAR_CLASSIFICATION
    columns: Mapping[str, Any] = {}

    def request(self, operation: Operation, run: int, **changes: Any) -> Any:
        model = ModelRef(self.kind, "", "pvc://models/news")
        columns = columns_of(self.kind, **self.columns)
        data = DataRef("pvc://data/original", "pvc://data/updates", columns, Holdout(30, 30))
        return super().request(operation, run, **{"model": model, "data": data, **changes})

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
    names = dict.fromkeys(name for record in records for name in record)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(records)


def lab(folder: Path, kind: type[TableLab] = TableLab, **arguments: Any) -> TableLab:
    made = kind(folder / "claims", folder / "base", {**QUICK, **arguments})
    made.updates.mkdir(parents=True)
    return made


def patients(
    seed: int,
    count: int,
    *,
    ill: Callable[[Record], float] | None = None,
    change: Callable[[Record, np.random.Generator], None] | None = None,
    noise: float = 0.05,
) -> list[Record]:
    """Rows of a ward's patients, ill where pressure and sugar are high.

    Args:
        seed: of the sample.
        count: how many.
        ill: a number above 0 where a patient is ill.
        change: what is changed of each record after it was labelled.
        noise: the share of labels that are wrong.
    """
    chance = np.random.default_rng(seed)
    rule = ill or (lambda row: (row["pressure"] - 130) / 15 + (row["sugar"] - 6) / 1.5)
    rows = []
    for _ in range(count):
        row: Record = {
            "age": int(chance.integers(18, 90)),
            "height": round(float(chance.normal(66, 4)), 1),
            "pressure": round(float(chance.normal(130, 15)), 1),
            "sugar": round(float(chance.gamma(16, 0.375)), 2),
            "ward": str(chance.choice(WARDS)),
            "smoker": bool(chance.random() < 0.3),
            "admitted": f"2026-{chance.integers(1, 10):02d}-{chance.integers(1, 28):02d}",
        }
        right = rule(row) > 0
        row["label"] = "ill" if right is not (chance.random() < noise) else "healthy"
        if change is not None:
            change(row, chance)
        rows.append(row)
    return rows
