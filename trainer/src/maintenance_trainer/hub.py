"""Models of the Hugging Face Hub: the files that a model is read from, and no others."""

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from maintenance_contract import StorageUri
from maintenance_trainer.errors import ConfigurationError, TransientError
from maintenance_trainer.model_field import Given
from maintenance_trainer.secrets import read_secret

MODEL_FILES: Final = (
    "*.safetensors",
    "*.json",
    "*.ubj",
    "*.txt",
    "*.model",
    "*.model.v*",
    "*.jinja",
    "*.codes",
    "*.bpe",
    "*.spm",
    "*.tiktoken",
    "*.vocab",
)
"""Patterns: configuration, weights, trees, what tokenizers read. Never code, never pickles."""
NEVER: Final = frozenset({".py", ".pyc", ".so", ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"})
"""Endings of code and pickles, whoever names them."""
TOKEN_KEY: Final = "HF_TOKEN"  # noqa: S105  # the name of a key in a Secret
ENDPOINT_KEY: Final = "HF_ENDPOINT"
"""A key of the Secret, too: which hub its token is for."""
PUBLIC_HUB: Final = "https://huggingface.co"


def fetch(
    uri: StorageUri, revision: str, secret: str, secrets_root: str, given: Given = Given.BASE
) -> Path:
    """The folder of a model in the local cache, fetched where it is not there.

    ``revision`` is a branch, a tag or, best, a commit; empty: the newest. ``given`` is the field
    that names it.

    Raises:
        ConfigurationError: BaseModelMissing, InitialModelMissing, AccessDenied,
            CredentialsMissing, StorageRefused.
        TransientError: StorageUnreachable.
    """
    from huggingface_hub import constants, snapshot_download  # noqa: PLC0415  # half a second
    from huggingface_hub import errors as hub  # noqa: PLC0415

    values = read_secret(secret, secrets_root) if secret else {}
    token = values.get(TOKEN_KEY)
    if secret and not token:
        message = f"Secret {secret}: there is no {TOKEN_KEY}."
        raise ConfigurationError("CredentialsMissing", message)
    endpoint = _endpoint(secret, values.get(ENDPOINT_KEY, ""), constants.ENDPOINT)
    where = f"{uri}{f' at {revision}' if revision else ''}"
    try:
        folder = snapshot_download(
            uri.path,
            revision=revision or None,
            allow_patterns=list(MODEL_FILES),
            ignore_patterns=["*/*"],
            token=token or False,
            endpoint=endpoint,
        )
    except hub.GatedRepoError:
        message = f"{given}: {where}: access must be granted there first, and needs a {TOKEN_KEY}."
        raise ConfigurationError("AccessDenied", message) from None
    except (hub.RepositoryNotFoundError, hub.RevisionNotFoundError):
        problem = f"{where} is not there, or is private and needs a {TOKEN_KEY} in secretRef."
        raise given.missing(problem) from None
    except hub.LocalEntryNotFoundError:
        if constants.HF_HUB_OFFLINE:
            problem = f"{where} is not in the local cache, and HF_HUB_OFFLINE forbids to fetch it."
            raise given.missing(problem) from None
        raise _unreachable(f"{given}: {where}") from None
    except OSError:
        raise _unreachable(f"{given}: {where}") from None
    return Path(folder)


def _endpoint(secret: str, of_secret: str, of_environment: str) -> str:
    """Which hub is asked. A token goes to the public one, or where its own Secret says.

    Whoever chooses the environment need not be who may read the Secret.
    """
    chosen = (of_secret or of_environment).rstrip("/")
    where = f"Secret {secret}: {ENDPOINT_KEY}" if of_secret else ENDPOINT_KEY
    try:
        parts = urlsplit(chosen)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in chosen or "?" in chosen or "#" in chosen or not chosen.isprintable():
        message = f"{where} is no URL of a hub: write it like https://hub.example."
        raise ConfigurationError("StorageRefused", message)
    if secret and not of_secret and chosen != PUBLIC_HUB:
        message = (
            f"Secret {secret}: its {TOKEN_KEY} is sent to {PUBLIC_HUB} alone; for the hub that "
            f"{ENDPOINT_KEY} names, write the key {ENDPOINT_KEY} with its address into the Secret."
        )
        raise ConfigurationError("CredentialsMissing", message)
    return chosen


def _unreachable(where: str) -> TransientError:
    message = f"{where}: the hub does not answer; try again later."
    return TransientError("StorageUnreachable", message)
