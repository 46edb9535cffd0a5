"""Series that nobody has seen, and the laboratory that diagnoses and trains on them."""

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maintenance_contract import (
    Columns,
    DataRef,
    ModelRef,
    Operation,
    ScoreMetric,
    Task,
    Windows,
    columns_of,
)
from maintenance_contract.holdout import Holdout
from maintenance_trainer.data.snapshot import take_snapshot
from maintenance_trainer.data.split import Dataset
from maintenance_trainer.locations import Places
from maintenance_trainer.tasks import source
from maintenance_trainer.tasks.series.rows import Window
from support.laboratory import Lab, age

Record = dict[str, Any]
QUICK = {"num_train_epochs": 8, "learning_rate": 5e-3}
FORECAST = Windows(context=24, horizon=4, stride=4)
CLASSIFIED = Windows(context=16, horizon=0, stride=2)
SMALL = Windows(context=4, horizon=2, stride=2)
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)


class SeriesLab(Lab):
    """A laboratory of forecasts."""

    kind = Task.TIME_SERIES_FORECASTING
    windows = FORECAST
    columns: Mapping[str, Any] = {}
    metric = ScoreMetric.MAE

    def request(self, operation: Operation, run: int, **changes: Any) -> Any:
        model = ModelRef(self.kind, "", "pvc://models/news")
        columns = columns_of(self.kind, **self.columns)
        data = DataRef(
            "pvc://data/original",
            "pvc://data/updates",
            columns,
            Holdout(30, 30),
            windows=self.windows,
        )
        given = {"model": model, "data": data, "metric": self.metric, **changes}
        return super().request(operation, run, **given)

    def put(self, name: str, records: Sequence[Record]) -> None:
        """A file of CSV or JSON lines, below data."""
        write(self.claims / "data" / name, records)


class LabelledLab(SeriesLab):
    """A laboratory of classes."""

    kind = Task.TIME_SERIES_CLASSIFICATION
    windows = CLASSIFIED
    metric = ScoreMetric.ACCURACY


def write(path: Path, records: Sequence[Record]) -> None:
    """Records as CSV, or as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        names = dict.fromkeys(name for record in records for name in record)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(records)
    else:
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    age(path)


def lab(folder: Path, kind: type[SeriesLab] = SeriesLab, **arguments: Any) -> SeriesLab:
    made = kind(folder / "claims", folder / "base", {**QUICK, **arguments})
    made.updates.mkdir(parents=True)
    return made


def stamps(first: int, count: int, step: timedelta = timedelta(hours=1)) -> list[str]:
    """So many times from the first on."""
    return [(BEGIN + number * step).isoformat() for number in range(first, first + count)]


def records(
    first: int, columns: Mapping[str, NDArray[Any] | Sequence[Any]], **same: Any
) -> list[Record]:
    """A row each hour from the first on; ``same`` is in all of them."""
    count = len(next(iter(columns.values())))
    return [
        {"time": time, **same, **{name: _plain(its[number]) for name, its in columns.items()}}
        for number, time in enumerate(stamps(first, count))
    ]


def _plain(value: Any) -> Any:
    return round(float(value), 4) if isinstance(value, np.floating) else value


def load(first: int, count: int, seed: int = 0, momentum: float = 0.8) -> NDArray[np.float64]:
    """Hours of a load that has a day, and swings that go on (or turn, with less momentum)."""
    chance = np.random.default_rng([seed, first])
    swing = np.zeros(count)
    for number in range(1, count):
        swing[number] = momentum * swing[number - 1] + chance.normal()
    hours = np.arange(first, first + count)
    return np.asarray(100 + 6 * np.sin(2 * np.pi * hours / 24) + 2 * swing)


def directions(values: NDArray[np.float64], sign: int = 1) -> list[str]:
    """Whether each value lies above the mean of the eight before it, or below; none at first."""
    means = np.array([values[max(0, at - 8) : at].mean() if at else 0 for at in range(len(values))])
    up = sign * (values - means) > 0
    return ["" if at < 8 else "up" if up[at] else "down" for at in range(len(values))]


def prices(first: int, count: int, sign: int = 1) -> list[Record]:
    """Hours of a price, and whether each lies above the mean of those before it."""
    values = load(first, count, seed=3, momentum=0.9)
    return records(first, {"price": values, "label": directions(values, sign)})


def zigzags(first: int, count: int) -> list[Record]:
    """The same; for one stretch in four something of its own, with a name of its own."""
    rows = prices(first, count)
    for at, row in enumerate(rows):
        if at // 40 % 4 == 0:
            row["price"] = round(row["price"] + (15.0 if at % 2 else -15.0), 4)
            row["label"] = "zigzag" if row["label"] else ""
    return rows


def data_of(folder: Path, windows: Windows, columns: Columns) -> DataRef:
    """A folder with original and updates."""
    (folder / "updates").mkdir(parents=True, exist_ok=True)
    return DataRef(
        f"file://{folder}/original",
        f"file://{folder}/updates",
        columns,
        Holdout(30, 30),
        windows=windows,
    )


def taken(
    folder: Path,
    windows: Windows = SMALL,
    task: str = Task.TIME_SERIES_FORECASTING,
    columns: Columns | None = None,
    **changes: Any,
) -> Dataset:
    """The rows of a folder with original and updates."""
    data = data_of(folder, windows, columns or columns_of(task))
    given = {"known": frozenset(), "champion_holdout": None, "tell": lambda _: None} | changes
    return take_snapshot(data, Places(""), source(task), **given)[1]


def rows_of(dataset: Dataset) -> list[Window]:
    """In the order of series and time, those between both sides left out."""
    found = [row for row in dataset.rows if isinstance(row, Window)]
    return sorted(found, key=lambda row: (row.series.name, row.end))
