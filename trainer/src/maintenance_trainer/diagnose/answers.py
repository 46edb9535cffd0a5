"""From measured effects to answers: one rule for all questions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from maintenance_contract import Answer, Evidence
from maintenance_trainer.diagnose.measured import Measured
from maintenance_trainer.diagnose.thresholds import Bounds

_GRAVITY = (Answer.NO, Answer.UNDETERMINED, Answer.MINOR, Answer.MAJOR)


@dataclass(frozen=True, slots=True)
class Measure:
    """One test of one question, with the bounds that its effect is held against.

    ``p`` is None for what is counted, not tested. ``upper`` is the effect's one-sided 95 % upper
    bound. ``counts`` is False for what is only shown beside the test that it is part of.
    """

    name: str
    effect: float
    upper: float
    bounds: Bounds
    p: float | None
    n: int
    counts: bool = True

    @classmethod
    def of(cls, name: str, found: Measured, bounds: Bounds, *, counts: bool = True) -> "Measure":
        """A test's result under its name, held against its bounds."""
        return cls(name, found.effect, found.upper, bounds, found.p, found.n, counts)

    def answer(self, significant: frozenset[str]) -> Answer:
        """Major and Minor are shown, No is shown as well; otherwise Undetermined."""
        if self.p is None or self.name in significant:
            if self.effect >= self.bounds.major:
                return Answer.MAJOR
            return Answer.MINOR if self.effect >= self.bounds.minor else Answer.NO
        return Answer.NO if self.upper <= self.bounds.tolerance else Answer.UNDETERMINED

    def evidence(self, significant: frozenset[str]) -> Evidence:
        """The number, held against the bound that its answer turns on."""
        bound = self.bounds.major if self.answer(significant) is Answer.MAJOR else self.bounds.minor
        return Evidence(
            self.name,
            self.effect,
            bound if math.isfinite(bound) else None,
            self.p,
            self.n,
            upper=None if self.p is None else self.upper,
        )


def gravest(answers: Sequence[Answer]) -> Answer:
    """The gravest answer decides; nothing asked is Undetermined."""
    return max(answers, key=_GRAVITY.index, default=Answer.UNDETERMINED)
