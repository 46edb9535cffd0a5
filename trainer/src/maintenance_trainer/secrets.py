"""Secrets as a pod mounts them: a folder each, a file per key. Read here, and nowhere kept."""

from pathlib import Path

from maintenance_trainer.errors import ConfigurationError


def read_secret(name: str, secrets_root: str) -> dict[str, str]:
    """The keys and values of a mounted Secret.

    Raises:
        ConfigurationError: CredentialsMissing, it is not mounted or no text.
    """
    folder = Path(secrets_root, name)
    try:
        return {
            path.name: path.read_text(encoding="utf-8").strip()
            for path in sorted(folder.iterdir())
            if path.is_file() and not path.name.startswith(".")
        }
    except (OSError, UnicodeDecodeError):
        message = f"Secret {name} cannot be read in {folder}; its values must be text."
        raise ConfigurationError("CredentialsMissing", message) from None
