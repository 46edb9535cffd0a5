"""The folder of a model as the libraries get it: its own regular files, each looked at first.

The libraries open whatever they find by name, so a link to a Secret would become a chat template
and land in the next version. They are given a folder of links to the files that may be read; what
else lies beside them does not exist for them.
"""

import json
from pathlib import Path
from typing import Final

from maintenance_trainer import files
from maintenance_trainer.data import bounds
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.files import NotAFileError, shown
from maintenance_trainer.model_field import Given

MOST_CONFIGURATION: Final = 16 * 2**20
"""Bytes of a JSON file that is no vocabulary."""
MOST_VOCABULARY: Final = 256 * 2**20
"""Bytes of any other file that is read whole; the largest vocabularies have some 40 MB."""
MOST_HEADER: Final = 32 * 2**20
"""Bytes of the header of a safetensors file: a hundred per tensor are usual."""
MOST_FILES: Final = 10_000
_VOCABULARIES: Final = ("tokenizer.json", "vocab.json", ".index.json")
_INDEX: Final = ".safetensors.index.json"
_OF_ANY_MODEL: Final = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    _INDEX,
)
"""Endings of the JSON files that a library reads; other ones are notes of whoever trained it."""
_WHOLE: Final = (".json", ".txt", ".model", ".jinja", ".codes", ".vocab", ".bpe")
_WEIGHTS: Final = ".safetensors"


def view(folder: Path, uri: str, given: Given, empty: Path) -> Path:
    """A folder with a model's files, and nothing from outside of it.

    Subfolders and hidden files are not part of a model, nor is a torn file that no library needs
    (states and logs of trainings lie beside many models). A folder that is not there is given back
    as it is, for others to miss.

    Args:
        folder: where the model lies.
        uri: how the resource names it.
        given: the field that does.
        empty: a folder for the links.

    Raises:
        ConfigurationError: BaseModelUnreadable or InitialModelUnreadable, naming the file.
    """
    if not folder.is_dir():
        return folder
    made = empty / (folder.name if files.is_text(folder.name) else "model")
    made.mkdir()
    for name, path in _own_files(folder, uri, given).items():
        (made / name).symlink_to(path)
    for path in sorted(made.iterdir()):
        try:
            _look_at(path)
        except _UnreadableError as error:
            if path.name.endswith(".json") and not path.name.endswith(_OF_ANY_MODEL):
                path.unlink()
                continue
            raise given.unreadable(f"{uri}/{shown(path.name)} {error}.") from None
        except OSError as error:
            problem = f"{uri}/{shown(path.name)} cannot be read: {error.strerror or error}."
            raise given.unreadable(problem) from None
    return made


class _UnreadableError(Exception):
    """A file of a model that no library is to be given; says what is wrong with it."""


def _own_files(folder: Path, uri: str, given: Given) -> dict[str, Path]:
    """The regular files by name, and where they really lie."""
    found: dict[str, Path] = {}
    within = files.boundary(folder)
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise given.unreadable(f"{uri} cannot be read: {error.strerror or error}.") from None
    if len(names) > MOST_FILES:
        raise given.unreadable(f"{uri} holds {len(names):,} files; is this a model?")
    for name in names:
        if name.startswith(".") or not files.is_text(name):
            continue
        try:
            path = files.real(folder / name, within)
            if path.is_dir():
                continue
            files.refuse_odd(path.stat())
        except OSError as error:
            raise _odd(f"{uri}/{shown(name)}", given, error) from None
        found[name] = path
    return found


def _odd(where: str, given: Given, error: OSError) -> ConfigurationError:
    return given.unreadable(f"{where} {error.strerror or error}; put the file itself there.")


def _look_at(path: Path) -> None:
    name = path.name.lower()
    if name.endswith(_WEIGHTS):
        _refuse_giant_header(path)
    elif name.endswith(_WHOLE):
        size = path.stat().st_size
        small = name.endswith(".json") and not name.endswith(_VOCABULARIES)
        most = MOST_CONFIGURATION if small else MOST_VOCABULARY
        if size > most:
            message = f"has {size:,} bytes, more than the {most:,} that any such file needs"
            raise _UnreadableError(message)
    if name.endswith(".json"):
        _look_at_json(path)


def _look_at_json(path: Path) -> None:
    document = _json(path)
    if path.name.endswith(_INDEX):
        _refuse_stray_weights(document, path.parent)


def _json(path: Path) -> object:
    try:
        target = path.resolve()
        document: object = json.loads(files.read(target, target.parent, MOST_VOCABULARY))
    except RecursionError:
        raise _UnreadableError(_too_deep()) from None
    except NotAFileError as error:
        raise _UnreadableError(str(error.strerror)) from None
    except ValueError as error:
        raise _UnreadableError(f"is not JSON: {str(error)[:120]}") from None
    if bounds.nested_too_deep(document):
        raise _UnreadableError(_too_deep())
    return document


def _too_deep() -> str:
    return f"nests more than {bounds.MOST_NESTED} objects and lists, which no model needs"


def _refuse_stray_weights(index: object, folder: Path) -> None:
    """An index names the files of the weights; the library opens whatever it names."""
    weights = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(weights, dict):
        raise _UnreadableError("names no weight_map")
    for name in sorted({str(name) for name in weights.values()}):
        plain = name and "/" not in name and name not in {".", ".."}
        if not plain or not (folder / name).is_file():
            raise _UnreadableError(
                f"names weights in {shown(name)!r}, which is no file beside it; copy it there"
            )


def _refuse_giant_header(path: Path) -> None:
    with files.opened(path.resolve()) as file:
        size = int.from_bytes(file.read(8), "little")
    if size > MOST_HEADER and size < path.stat().st_size:
        raise _UnreadableError(f"begins with a header of {size:,} bytes, which no weights need")
