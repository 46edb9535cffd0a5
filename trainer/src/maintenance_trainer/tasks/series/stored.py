"""The folder of a model of series: a network in Hugging Face's format, and what it reads.

    config.json, model.safetensors   as save_pretrained writes them
    series.json                      {"version": 1, "channels": [{"name": …, "mean": …, "std": …}],
                                      "context": …, "horizon": …, "step": …, "targets": […]}

Nothing here imports torch: a command says what is missing before anything slow is loaded.
"""

import json
import re
from pathlib import Path
from typing import Any, Final

from maintenance_contract import ContractError
from maintenance_contract.codec import load
from maintenance_trainer.model_field import Given
from maintenance_trainer.tasks.huggingface.folder import check_model as check_hugging_face
from maintenance_trainer.tasks.huggingface.folder import config_document
from maintenance_trainer.tasks.series.schema import Schema

SERIES_FILE: Final = "series.json"
SERIES_VERSION: Final = 1
TYPES: Final = ("patchtsmixer", "patchtst")
"""Of networks, as config.json says it in ``model_type``."""
_HALF_CHARACTER: Final = re.compile("[\ud800-\udfff]")
_LIKE: Final = (
    '{"version": 1, "channels": [{"name": "load", "mean": 812.4, "std": 95.1}], "context": 64, '
    '"horizon": 8, "step": 3600, "targets": ["load"]} (of a classifier "labels" for "targets")'
)


def check_model(uri: str, folder: Path, given: Given) -> None:
    """Refuse a folder that holds no network of patches that can be read safely. Cheap.

    Raises:
        ConfigurationError: of ``given``, missing or unreadable.
    """
    check_hugging_face(uri, folder, given)
    kind = config_document(folder).get("model_type")
    if kind not in TYPES:
        problem = (
            f"{uri}/config.json is of type {str(kind)[:40]!r}, and models of series are "
            f"{' or '.join(TYPES)}; name a folder with one."
        )
        raise given.unreadable(problem)
    if given is Given.BASE:
        return
    if not (folder / SERIES_FILE).is_file():
        problem = (
            f"{uri} holds no {SERIES_FILE}, which names the channels that the model reads, in "
            f"their order, and the scale of each: {_LIKE}."
        )
        raise given.missing(problem)
    try:
        read(folder)
    except (ContractError, OSError) as error:
        raise given.unreadable(f"{uri}: {error}.") from None


def read(folder: Path) -> Schema:
    """What the model in a folder reads.

    Raises:
        ContractError: with the dotted path of the field that is wrong.
    """
    try:
        text = (folder / SERIES_FILE).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ContractError(f"{SERIES_FILE}: not UTF-8") from None
    fields = load(text, version=SERIES_VERSION, kind=SERIES_FILE)
    try:
        return Schema.read(fields)
    except ContractError as error:
        raise ContractError(f"{SERIES_FILE}: {error}") from None


def write(folder: Path, schema: Schema) -> None:
    """Say what the model in a folder reads."""
    document: dict[str, Any] = {"version": SERIES_VERSION, **schema.document()}
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    if _HALF_CHARACTER.search(text):
        text = json.dumps(document, indent=1, allow_nan=False)
    (folder / SERIES_FILE).write_text(f"{text}\n", encoding="utf-8")
