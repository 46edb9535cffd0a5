"""What a challenger is judged by."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from maintenance_contract.codec import Fields

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

    def document(self) -> dict[str, Any]:
        """As reports and manifests spell it."""
        return {
            "n": self.n,
            "champion": round(self.champion, _DIGITS),
            "challenger": round(self.challenger, _DIGITS),
            "standardError": round(self.standard_error, _DIGITS),
            "adjustedError": round(self.adjusted_error, _DIGITS),
        }

    @classmethod
    def read(cls, metric: ScoreMetric, fields: Fields) -> "PairedScore":
        """From a report or a manifest; all metrics lie between 0 and 1.

        Raises:
            ContractError: with the dotted path of the field that is wrong.
        """
        return cls(
            metric=metric,
            n=fields.integer("n", least=1),
            champion=fields.share("champion"),
            challenger=fields.share("challenger"),
            standard_error=fields.share("standardError"),
            adjusted_error=fields.share("adjustedError"),
        )


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

    def document(self) -> dict[str, Any]:
        """As reports and manifests spell it."""
        parts = {"new": self.new, "old": self.old, "all": self.all}
        spelled = {name: score.document() for name, score in parts.items() if score is not None}
        return {"metric": self.metric.value, **spelled}

    @classmethod
    def read(cls, fields: Fields) -> "PairedScores":
        """From a report or a manifest.

        Raises:
            ContractError: with the dotted path of the field that is wrong.
        """
        metric = fields.one_of("metric", ScoreMetric)

        def part(name: str) -> PairedScore | None:
            there = fields.has(name)
            return PairedScore.read(metric, fields.fields(name)) if there else None

        return cls(metric, part("new"), part("old"), part("all"))
