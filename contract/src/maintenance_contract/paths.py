"""Where things lie in the trainer's pod and in the store. Both sides read this page."""

from typing import Final

REQUEST_DIRECTORY: Final = "/etc/maintenance"
REQUEST_FILE: Final = "request.json"
DECISION_FILE: Final = "decision.json"
"""Beside the request of a training, and in the run's folder: the decision that asked for it."""
PICTURE_FILE: Final = "decision.svg"
TERMINATION_LOG: Final = "/dev/termination-log"
CLAIMS_ROOT: Final = "/mnt/claims"
"""A volume claim ``data`` is mounted, whole, at ``/mnt/claims/data``."""

SECRETS_ROOT: Final = "/mnt/secrets"
"""A Secret ``bucket`` that a place names is mounted, key by key, in ``/mnt/secrets/bucket``."""

OWNER_FILE: Final = "owner.json"
"""In the store's root: ``{"namespace", "name"}`` of the one resource that owns it."""
MANIFEST_FILE: Final = "manifest.json"
SNAPSHOT_FILE: Final = "data.json"
DIAGNOSIS_FILE: Final = "diagnosis.json"
REPORT_FILE: Final = "report.json"


def version_directory(version: int) -> str:
    """Path of a version below the store's root."""
    return f"versions/{version}"


def run_directory(run: int) -> str:
    """Path of a run below the store's root."""
    return f"runs/{run}"
