"""What a challenger is judged by."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from maintenance_contract.codec import Fields
from maintenance_contract.errors import ContractError

_DIGITS: Final = 6
MOST_LOSS: Final = 1e9
"""Times the baseline's: a larger loss is told as this one."""


class ScoreMetric(StrEnum):
    """A score of predictions on labelled rows; of classes more is better, of numbers less."""

    ACCURACY = "Accuracy"
    """Share of rows that are right."""
    BALANCED_ACCURACY = "BalancedAccuracy"
    """Mean over the classes of the share of their rows that are right."""
    MACRO_F1 = "MacroF1"
    """Mean over the classes of the F1 score."""
    AUROC = "AUROC"
    """Area under the receiver operating characteristic; for two classes."""
    MAE = "MAE"
    """Mean absolute error, in units of the label."""
    RMSE = "RMSE"
    """Root mean squared error, in units of the label."""


LOSSES: Final = (ScoreMetric.MAE, ScoreMetric.RMSE)
"""Of kinds of model without classes."""


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

    @property
    def worth(self) -> float:
        """The challenger's score; more is better."""
        return self.challenger

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
        """From a report or a manifest; all these metrics lie between 0 and 1.

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
class PairedLoss:
    """Champion and challenger by the mean of a real-valued loss on the same n rows.

    ``champion`` and ``challenger`` are in units of the label, and so is ``baseline``: the loss of
    what needs no model (the median, the season before) on the rows that the champion was trained
    on. All else is in units of the baseline: ``standard_error`` and ``skewness`` are those of the
    difference, ``deviation`` that of one row's loss of the champion (the standard error of its
    mean, times the root of n). Rows that belong to one of ``units`` are not independent.
    """

    metric: ScoreMetric
    n: int
    units: int
    champion: float
    challenger: float
    baseline: float
    standard_error: float
    skewness: float = 0.0
    deviation: float = 0.0

    @property
    def difference(self) -> float:
        """How much better the challenger is, in units of the baseline."""
        return (self.champion - self.challenger) / self.baseline

    @property
    def worth(self) -> float:
        """The challenger's skill; more is better."""
        return skill(self.challenger, self.baseline)

    def document(self) -> dict[str, Any]:
        """As reports and manifests spell it."""
        return {
            "n": self.n,
            "units": self.units,
            "champion": _rounded(self.champion),
            "challenger": _rounded(self.challenger),
            "baseline": _rounded(self.baseline),
            "standardError": _rounded(self.standard_error),
            "skewness": _rounded(self.skewness),
            "deviation": _rounded(self.deviation),
        }

    @classmethod
    def read(cls, metric: ScoreMetric, fields: Fields) -> "PairedLoss":
        """From a report or a manifest.

        Raises:
            ContractError: with the dotted path of the field that is wrong.
        """
        n, baseline = fields.integer("n", least=1), read_baseline(fields)
        return cls(
            metric=metric,
            n=n,
            units=fields.integer("units", least=1, most=n),
            champion=read_loss(fields, "champion", baseline),
            challenger=read_loss(fields, "challenger", baseline),
            baseline=baseline,
            standard_error=read_loss(fields, "standardError"),
            skewness=fields.number("skewness"),
            deviation=read_loss(fields, "deviation"),
        )


def skill(loss: float, baseline: float) -> float:
    """The share of the baseline's loss that a model saves: 1 perfect, 0 no better, negative worse.

    A. H. Murphy, Monthly Weather Review 116 (1988), section 2; for the absolute error one less the
    scaled error of R. J. Hyndman and A. B. Koehler, International Journal of Forecasting 22 (2006).
    """
    return 1.0 - loss / baseline


def read_baseline(fields: Fields) -> float:
    """The loss of what needs no model; without one there is no scale.

    Raises:
        ContractError: with the dotted path of the field.
    """
    baseline = fields.number("baseline")
    if baseline <= 0.0:
        raise ContractError(f"{fields.name('baseline')}: a number above 0 is expected")
    return baseline


def read_loss(fields: Fields, key: str, baseline: float = 1.0) -> float:
    """A loss, no larger than is told; twice that, for it is rounded.

    Raises:
        ContractError: with the dotted path of the field.
    """
    loss = fields.number(key)
    if not 0.0 <= loss / baseline <= 2.0 * MOST_LOSS:
        raise ContractError(
            f"{fields.name(key)}: a number from 0 to {MOST_LOSS:g} times the baseline is expected"
        )
    return loss


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


Paired = PairedScore | PairedLoss


@dataclass(frozen=True, slots=True)
class PairedScores:
    """By one metric, on new held-out rows, on old ones, and on all of them.

    None where the metric has no value on these rows. ``all``: only without a champion, where both
    ages are judged as one.
    """

    metric: ScoreMetric
    new: Paired | None = None
    old: Paired | None = None
    all: Paired | None = None

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

        def part(name: str) -> Paired | None:
            if not fields.has(name):
                return None
            kind = PairedLoss if metric in LOSSES else PairedScore
            return kind.read(metric, fields.fields(name))

        return cls(metric, part("new"), part("old"), part("all"))
