"""Names: the changes, as ``weak`` and ``families`` have them, and the answers trained on each."""

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
TUNED, MERGED, HALF = "fine-tune + replay", "retrain merged", "retrain new at 50 %"
LEFT_OUT: Final = {
    TUNED: "fine-tune + replay without contradicted",
    MERGED: "retrain without contradicted",
    HALF: "the same, new at 50 %",
}
"""Answers, and the same without contradicted old rows."""
