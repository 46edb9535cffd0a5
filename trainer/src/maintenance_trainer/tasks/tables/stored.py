"""The folder of a model of tables: XGBoost's own file, and what it reads in plain JSON.

    model.ubj or model.json     as Booster.save_model writes it
    table.json                  {"version": 1, "columns": [{"name": …, "type": …}], "labels": […]}

Nothing here imports XGBoost: a command says what is missing before anything slow is loaded.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from maintenance_contract import ContractError
from maintenance_contract.codec import Fields, load
from maintenance_trainer.data.labels import MOST_LABELS
from maintenance_trainer.tasks.tables.schema import Schema

TABLE_FILE: Final = "table.json"
TABLE_VERSION: Final = 1
MODEL_FILES: Final = ("model.ubj", "model.json")
"""The first one that is there is the model."""
_HALF_CHARACTER: Final = re.compile("[\ud800-\udfff]")
MOST_BYTES: Final = 2**31
"""Of a model's file: a thousand trees of depth 6 have some ten million."""


@dataclass(frozen=True, slots=True)
class Table:
    """What a folder says of its model; without classes no ``labels``."""

    schema: Schema
    labels: tuple[str, ...]
    model: Path


def look(folder: Path) -> Table:
    """What lies there, as far as it can be told without the library.

    Raises:
        FileNotFoundError: a file is missing; it says which.
        ContractError: table.json is no description of a table.
    """
    model = next((folder / name for name in MODEL_FILES if (folder / name).is_file()), None)
    if model is None:
        message = (
            f"holds no {' or '.join(MODEL_FILES)}; save the model with save_model('model.ubj') of "
            "xgboost (a model.json may have 16 MiB)."
        )
        raise FileNotFoundError(message)
    if not (folder / TABLE_FILE).is_file():
        message = (
            f"holds no {TABLE_FILE}, which names the columns that the model reads, in the order of "
            'its features, and its labels: {"version": 1, "columns": [{"name": "age", "type": '
            '"number"}, {"name": "ward", "type": "category", "categories": ["a", "b"]}], "labels": '
            '["healthy", "ill"]}.'
        )
        raise FileNotFoundError(message)
    if model.stat().st_size > MOST_BYTES:
        message = f"{model.name} has more than {MOST_BYTES:,} bytes; is it a model?"
        raise ContractError(message)
    return Table(*read(folder / TABLE_FILE), model)


def read(path: Path) -> tuple[Schema, tuple[str, ...]]:
    """The columns and the labels that a description names.

    Raises:
        ContractError: with the dotted path of the field that is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ContractError(f"{TABLE_FILE}: not UTF-8") from None
    fields = load(text, version=TABLE_VERSION, kind=TABLE_FILE)
    try:
        return Schema.read(fields), _labels(fields)
    except ContractError as error:
        raise ContractError(f"{TABLE_FILE}: {error}") from None


def _labels(fields: Fields) -> tuple[str, ...]:
    labels = fields.strings("labels", most=MOST_LABELS)
    if len(set(labels)) < len(labels) or not all(map(str.strip, labels)):
        raise ContractError("labels: write each label once, and none that is empty")
    return labels


def write(folder: Path, schema: Schema, labels: Sequence[str]) -> None:
    """Describe a model's columns and labels."""
    document: dict[str, Any] = {
        "version": TABLE_VERSION,
        "columns": schema.document(),
        "labels": list(labels),
    }
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    if _HALF_CHARACTER.search(text):  # in the name of a column
        text = json.dumps(document, indent=1, allow_nan=False)
    (folder / TABLE_FILE).write_text(f"{text}\n", encoding="utf-8")
