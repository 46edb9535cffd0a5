"""What counters of right and wrong predictions come to: counts, and what they are held against."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from maintenance_core.statistics import clopper_pearson

CONFIDENCE: Final = 0.8
"""Of the two-sided interval whose upper end bounds what was counted when the champion was new. Both
numbers were chosen on development seeds of ``benchmarks/decision alarm``."""


_PRIOR: Final = 20.0
"""Labels that the usual error of a class weighs in that of each, so that a rare class has one too.
"""

OTHER_CLASSES: Final = "(others)"
"""Classes beyond the most frequent ones count together in a reference, by this name."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Labelled predictions and how many of them were wrong; fractions, as Prometheus gives them."""

    samples: float
    errors: float

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.samples + other.samples, self.errors + other.errors)

    @property
    def rate(self) -> float:
        """The share of errors; zero without samples."""
        return self.errors / self.samples if self.samples > 0 else 0.0


NOTHING: Final = Counts(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class ReferenceCounts:
    """What the champion did when it was new, by true class, up to a time."""

    end: datetime
    classes: Mapping[str, Counts]
    total: Counts = field(init=False)
    bound: float = field(init=False)
    """Upper bound of the error."""
    _usual: float = field(init=False)
    """The error that is usual of a class, whose mean is not that of labels: often rare ones are
    hard. It is chosen so that what is expected of the reference's own mix is its own error."""
    _rates: Mapping[str, float] = field(init=False)
    _variances: Mapping[str, float] = field(init=False)

    def __post_init__(self) -> None:
        """Derive what every window is held against."""
        total = sum(self.classes.values(), NOTHING)
        n, k = max(1, round(total.samples)), round(total.errors)
        usual = _usual(self.classes.values())
        rates = {
            name: (counts.errors + _PRIOR * usual) / (counts.samples + _PRIOR)
            for name, counts in self.classes.items()
        }
        variances = {
            name: _variance(rates[name], max(1.0, counts.samples))
            for name, counts in self.classes.items()
        }
        for name, value in (
            ("total", total),
            ("bound", clopper_pearson(min(k, n), n, CONFIDENCE)[1]),
            ("_usual", usual),
            ("_rates", rates),
            ("_variances", variances),
        ):
            object.__setattr__(self, name, value)

    def held_as(self, name: str) -> str:
        """The class that a class counts in here: its own, or that of the others where there is one.

        What is held against the reference by class must be counted by these names.
        """
        together = name not in self.classes and OTHER_CLASSES in self.classes
        return OTHER_CLASSES if together else name

    def expected(self, classes: Mapping[str, Counts]) -> float:
        """The error that these classes would have had when the champion was new."""
        samples = sum(counts.samples for counts in classes.values())
        return (
            sum(
                counts.samples * self._rates.get(self.held_as(name), self._usual)
                for name, counts in classes.items()
            )
            / samples
        )

    def deviation(self, mix: Mapping[str, float]) -> float:
        """Standard error of ``expected`` for a class mix (labels by class, as ``held_as``)."""
        samples = sum(mix.values())
        unknown = _variance(self._usual, _PRIOR)
        return math.sqrt(
            sum(
                (count / samples) ** 2 * self._variances.get(name, unknown)
                for name, count in mix.items()
            )
        )


def _usual(classes: Collection[Counts]) -> float:
    """Zero without labels."""
    weight = sum(each.samples / (each.samples + _PRIOR) for each in classes)
    errors = sum(each.errors / (each.samples + _PRIOR) for each in classes)
    return errors / weight if weight > 0.0 else 0.0


def _variance(rate: float, samples: float) -> float:
    return max(rate * (1.0 - rate), 1.0 / (samples + 1.0)) / samples


class Kind(StrEnum):
    """Which of the two tests."""

    ERROR = "error"
    ERROR_AT_EQUAL_CLASS = "errorAtEqualClass"


@dataclass(frozen=True, slots=True)
class Alarm:
    """The error is up: which one, the evidence against its threshold, and what came since onset."""

    kind: Kind
    statistic: float
    threshold: float
    bound: float
    """The error that this test holds it against: of the reference, with the tolerance."""
    onset: datetime
    since: Counts
