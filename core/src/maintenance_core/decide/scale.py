"""What a score is a share of, and how it is told: rows that are right, or a loss in units.

Rules, brakes and gate reckon with scores of which more is better. Of classes a score is a share of
rows. Of numbers it is a skill: the share of the baseline's loss that a model saves; a difference
of .02 is two points of that loss, whatever the label is measured in.
"""

from dataclasses import dataclass
from typing import Final

from maintenance_contract import HITS, AnyHeldOut, HeldOutLoss, ScoreMetric
from maintenance_core.numbers import figure, percent, points


@dataclass(frozen=True, slots=True)
class Scale:
    """How scores are told. ``baseline``: its loss, in units of the label; None: scores are shares.

    ``deviation``: of one row's loss of the champion, in units of the baseline.
    """

    metric: ScoreMetric = ScoreMetric.ACCURACY
    baseline: float | None = None
    deviation: float = 0.0

    @classmethod
    def of(cls, held_out: AnyHeldOut | None, metric: ScoreMetric = ScoreMetric.ACCURACY) -> "Scale":
        """That of a champion's score; shares of rows where there is none, in the metric's words."""
        if isinstance(held_out, HeldOutLoss):
            return cls(held_out.metric, held_out.baseline, held_out.deviation)
        return cls(metric) if metric in HITS else SHARES

    @property
    def of_rows(self) -> bool:
        """Whether scores are shares of rows."""
        return self.baseline is None

    def value(self, score: float) -> str:
        """A score alone: ``93%``, or the loss ``3.2``."""
        if self.baseline is None:
            return percent(score)
        return figure((1.0 - score) * self.baseline)

    def gets(self, score: float, rows: str) -> str:
        """What a model does on rows, as a predicate."""
        if self.metric in HITS:
            return f"{self.finds(score, rows)} among its first {HITS[self.metric]}"
        if self.baseline is None:
            return f"gets {percent(score)} of {rows} right"
        return f"has a {self.metric.value} of {self.value(score)} on {rows}"

    def finds(self, score: float, rows: str) -> str:
        """What one that ranks does on rows, without how far down."""
        return f"has the next item of {percent(score)} of {rows}"

    def share(self, difference: float) -> str:
        """A difference of two scores."""
        return f"{percent(difference)}{self._whole}"

    def points(self, difference: float) -> str:
        """The same in points."""
        return f"{points(difference)}{self._whole}"

    @property
    def _whole(self) -> str:
        """What it is a share of, where that is not rows."""
        if self.baseline is None:
            return ""
        return f" of the baseline's {self.metric.value} ({figure(self.baseline)})"


SHARES: Final = Scale()
