"""What a challenger is judged by."""

from dataclasses import dataclass
from enum import StrEnum


class ScoreMetric(StrEnum):
    """A score of predictions on labelled rows; more is better."""

    ACCURACY = "Accuracy"
    """Share of rows that are right."""
    BALANCED_ACCURACY = "BalancedAccuracy"
    """Mean over the classes of the share of their rows that are right."""
    MACRO_F1 = "MacroF1"
    """Mean over the classes of the F1 score."""
    AUROC = "AUROC"
    """Area under the receiver operating characteristic; for two classes."""


@dataclass(frozen=True, slots=True)
class PairedScore:
    """Champion and challenger by one metric on the same n rows.

    ``standard_error`` is that of challenger less champion; ``adjusted_error`` that with half a row
    won and half a row lost in each class, for questions about a difference other than 0.
    """

    metric: ScoreMetric
    n: int
    champion: float
    challenger: float
    standard_error: float
    adjusted_error: float

    @property
    def difference(self) -> float:
        """How much better the challenger is."""
        return self.challenger - self.champion
