"""What a challenger is judged by."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from maintenance_contract import checks
from maintenance_contract.record import JSON, Part, given, record
from maintenance_contract.values import Codec, whole

_DIGITS: Final = 6


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


@dataclass(frozen=True, slots=True)
class PairedScores:
    """By one metric, on new held-out rows, on old ones, and on all of them.

    None where the metric has no value on these rows. ``all``: only without a champion, where both
    ages are judged as one.
    """

    metric: ScoreMetric
    new: PairedScore | None = None
    old: PairedScore | None = None
    all: PairedScore | None = None


def _score(metric: ScoreMetric) -> Codec[PairedScore]:
    """All metrics lie between 0 and 1."""
    share = Codec(checks.share, lambda value: round(value, _DIGITS))
    return record(PairedScore, {**JSON, float: share}, metric=given(metric), n=whole(least=1))


_SCORE: Final = {metric: _score(metric) for metric in ScoreMetric}
_PART: Final = Part(_SCORE[ScoreMetric.ACCURACY], after=lambda metric, *_: _SCORE[metric])
PAIRED_SCORES: Final = record(PairedScores, new=_PART, old=_PART, all=_PART)
