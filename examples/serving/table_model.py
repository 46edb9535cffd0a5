"""A version of the store that classifies rows of a table, ready to answer.

All that a server needs is XGBoost's ``model.ubj`` and ``table.json``, which names the columns in
the order of the model's features, their types and categories, and the labels.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import xgboost as xgb

_DAY: Final = 86_400.0
_HALF: Final = 0.5


@dataclass(frozen=True, slots=True)
class TableModel:
    """A loaded version."""

    version: str
    columns: list[dict[str, Any]]
    labels: list[str]
    booster: xgb.Booster

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """One label per row; a column that a row lacks is missing."""
        features = np.array(
            [
                [_feature(column, row.get(column["name"])) for column in self.columns]
                for row in rows
            ],
            np.float32,
        )
        data = xgb.DMatrix(
            features,
            missing=math.nan,
            feature_names=self.booster.feature_names,
            feature_types=self.booster.feature_types,
            enable_categorical=True,
        )
        found = self.booster.predict(data)
        best = (found > _HALF).astype(int) if found.ndim == 1 else found.argmax(axis=1)
        return [self.labels[number] for number in best]


def _feature(column: Mapping[str, Any], value: Any) -> float:
    """A cell as the model reads it: NaN for what is missing or was never seen."""
    if value is None:
        return math.nan
    try:
        match column["type"]:
            case "category":
                return float(column["categories"].index(str(value)))
            case "date":
                moment = datetime.fromisoformat(str(value))
                return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() / _DAY
            case _:
                return float(value)
    except ValueError:
        return math.nan


def load(folder: Path, version: str) -> TableModel:
    """A folder with ``model.ubj`` and ``table.json``."""
    table = json.loads((folder / "table.json").read_text(encoding="utf-8"))
    booster = xgb.Booster({"nthread": 1}, model_file=folder / "model.ubj")
    return TableModel(version, table["columns"], table["labels"], booster)
