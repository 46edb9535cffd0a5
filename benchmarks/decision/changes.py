"""The changes on which every answer is trained, by the names of ``weak`` and ``families``."""

from typing import Final

CHANGES: Final = (
    "none",
    "benign",
    "benign-strong",
    "covariate",
    "label",
    "label-strong",
    "concept-local",
    "concept-6",
    "concept-and-shift",
    "concept-other-rule",
    "label-and-concept",
    "new-domain",
    "labels-shuffled",
)
BROKEN: Final = frozenset({"labels-shuffled"})
"""The labels are wrong; what is served has not changed."""
