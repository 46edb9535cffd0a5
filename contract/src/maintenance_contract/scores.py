"""What a challenger is judged by."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol, TypeVar

from maintenance_contract import checks
from maintenance_contract.checks import Mismatch
from maintenance_contract.record import JSON, Part, given, record
from maintenance_contract.values import Codec, significant, whole

_DIGITS: Final = 6
MOST_LOSS: Final = 1e9
"""Times the baseline's: a larger loss is told as this one."""


class ScoreMetric(StrEnum):
    """A score of predictions on labelled rows; less is better of ``LOSSES``, of others more."""

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
    HIT_RATE_AT_10 = "HitRateAt10"
    """Share of rows whose answer is among the ten that the model ranks first."""
    HIT_RATE_AT_5 = "HitRateAt5"
    """The same among the first five."""
    HIT_RATE_AT_20 = "HitRateAt20"
    """The same among the first twenty."""
    BITS_PER_BYTE = "BitsPerByte"
    """Mean cross-entropy of the answers, in bits for each byte of their text: no tokenizer's."""
    EXACT_MATCH = "ExactMatch"
    """Share of answers of which every token is the one that the model takes for the likeliest."""


LOSSES: Final = (ScoreMetric.MAE, ScoreMetric.RMSE, ScoreMetric.BITS_PER_BYTE)
"""Real-valued, less is better: of kinds of model without classes."""
HITS: Final[Mapping[ScoreMetric, int]] = {
    ScoreMetric.HIT_RATE_AT_10: 10,
    ScoreMetric.HIT_RATE_AT_5: 5,
    ScoreMetric.HIT_RATE_AT_20: 20,
}
"""Of kinds of model that rank, and how many of the first are looked at; the default first."""
COUNTED: Final = frozenset({ScoreMetric.ACCURACY, *HITS, ScoreMetric.EXACT_MATCH})
"""Shares of rows that are right: the counts are the score, and tests of them are exact."""


@dataclass(frozen=True, slots=True)
class PairedScore:
    """Champion and challenger by one metric on the same n rows.

    ``standard_error`` is that of challenger less champion; ``adjusted_error`` that with half a row
    won and half a row lost in each class, for questions about a difference other than 0.
    Rows that belong to one of ``units`` are not independent; None: each row is one by itself.
    """

    metric: ScoreMetric
    n: int
    champion: float
    challenger: float
    standard_error: float
    adjusted_error: float
    units: int | None = None

    @property
    def difference(self) -> float:
        """How much better the challenger is."""
        return self.challenger - self.champion

    @property
    def worth(self) -> float:
        """The challenger's score; more is better."""
        return self.challenger


@dataclass(frozen=True, slots=True)
class PairedLoss:
    """Champion and challenger by the mean of a real-valued loss on the same n rows.

    ``champion`` and ``challenger`` are in units of the label, and so is ``baseline``: the loss of
    what needs no model (the median, the season before) on the rows that the champion was trained
    on. All else is in units of the baseline: ``standard_error`` and ``skewness`` are those of the
    difference, ``deviation`` that of one row's loss of the champion (the standard error of its
    mean, times the root of n). Rows that belong to one of ``units`` are not independent.
    ``degrees_of_freedom`` are those of the standard error; None: one less than units.
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
    degrees_of_freedom: float | None = None

    @property
    def difference(self) -> float:
        """How much better the challenger is, in units of the baseline."""
        return (self.champion - self.challenger) / self.baseline

    @property
    def worth(self) -> float:
        """The challenger's skill; more is better."""
        return skill(self.challenger, self.baseline)


def skill(loss: float, baseline: float) -> float:
    """The share of the baseline's loss that a model saves: 1 perfect, 0 no better, negative worse.

    A. H. Murphy, Monthly Weather Review 116 (1988), section 2; for the absolute error one less the
    scaled error of R. J. Hyndman and A. B. Koehler, International Journal of Forecasting 22 (2006).
    """
    return 1.0 - loss / baseline


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


class OfBaseline(Protocol):
    """Losses that are told with that of what needs no model."""

    @property
    def baseline(self) -> float:
        """In units of the label."""


B = TypeVar("B", bound=OfBaseline)
_TIMES: Final = f"a number from 0 to {MOST_LOSS:g} times the baseline is expected"


def _above_zero(value: object) -> float:
    found = checks.number(value)
    if found <= 0.0:
        raise Mismatch("a number above 0 is expected")
    return found


def _times(value: object) -> float:
    found = checks.number(value)
    # Twice as many, for it is rounded.
    if not 0.0 <= found <= 2.0 * MOST_LOSS:
        raise Mismatch(_TIMES)
    return found


def _at_least_one(value: object) -> float:
    found = checks.number(value)
    if found < 1.0:
        raise Mismatch("a number of at least 1 is expected")
    return found


AT_LEAST_ONE: Final = Codec(_at_least_one, significant(_DIGITS).encode)
"""A design effect, degrees of freedom."""
BASELINE: Final = Codec(_above_zero, significant(_DIGITS).encode)
"""The loss of what needs no model; without one there is no scale."""
TIMES: Final = Codec(_times, significant(_DIGITS).encode)
"""A loss or an error in units of the baseline."""


def beside_baseline(codec: Codec[B], *names: str) -> Codec[B]:
    """A record with losses of these names in units of the label, no larger than is told."""

    def decode(value: object) -> B:
        found = codec.decode(value)
        for name in names:
            try:
                _times(getattr(found, name) / found.baseline)
            except Mismatch as mismatch:
                raise mismatch.under(name) from None
        return found

    return Codec(decode, codec.encode)


def _score(metric: ScoreMetric) -> Codec[PairedScore]:
    """All these metrics lie between 0 and 1."""
    share = Codec(checks.share, lambda value: round(value, _DIGITS))
    return record(
        PairedScore,
        {**JSON, float: share},
        metric=given(metric),
        n=whole(least=1),
        units=Part(after=lambda _, n, *__: whole(least=1, most=n)),
    )


def _loss(metric: ScoreMetric) -> Codec[PairedLoss]:
    codec = record(
        PairedLoss,
        {**JSON, float: significant(_DIGITS)},
        always={"skewness", "deviation"},
        metric=given(metric),
        n=whole(least=1),
        units=Part(after=lambda _, n: whole(least=1, most=n)),
        baseline=BASELINE,
        standard_error=TIMES,
        deviation=TIMES,
        degrees_of_freedom=AT_LEAST_ONE,
    )
    return beside_baseline(codec, "champion", "challenger")


_PAIRED: Final[dict[ScoreMetric, Codec[Any]]] = {
    metric: _loss(metric) if metric in LOSSES else _score(metric) for metric in ScoreMetric
}
_ANY: Final[Codec[Paired]] = Codec(
    _PAIRED[ScoreMetric.ACCURACY].decode, lambda paired: _PAIRED[paired.metric].encode(paired)
)
_PART: Final = Part(_ANY, after=lambda metric, *_: _PAIRED[metric])
PAIRED_SCORES: Final = record(PairedScores, new=_PART, old=_PART, all=_PART)
