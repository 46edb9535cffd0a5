"""Whether a spec is another one for trainings: what only says when and how often is left out."""

from collections.abc import Mapping
from typing import Any, Final

from maintenance_contract.codec import canonical, digest

ABOUT_NO_TRAINING: Final = frozenset({"suspend", "triggers", "limits", "history"})
"""Parts of a spec that say when a run may begin, and what is kept of it."""
ABOUT_NO_DECISION: Final = frozenset({"recheckAfter"})
"""The same of ``spec.decision``."""
CHARACTERS: Final = len("sha256:") + 16
"""It tells a spec from those before it, and stands in every entry of the history."""


def digest_of(spec: Mapping[str, Any]) -> str:
    """A digest of what bears on a training: what it would be, whether it can end, how it is judged.

    A part that is not known here counts. Empty where the spec is nothing that JSON can hold.
    """
    bearing = _without(ABOUT_NO_TRAINING, spec)
    if isinstance(decision := bearing.get("decision"), Mapping):
        bearing["decision"] = _without(ABOUT_NO_DECISION, decision)
    try:
        return digest(canonical(bearing))[:CHARACTERS]
    except (ValueError, TypeError, RecursionError):
        return ""


def _without(names: frozenset[str], part: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name not in names}
