"""Champion and challenger on the same held-out rows, by what ``spec.gate.metric`` asks for."""

from dataclasses import dataclass
from typing import Final, Protocol

from maintenance_contract import HITS, PairedCounts, PairedLoss, PairedScore, ScoreMetric
from maintenance_contract.scores import skill
from maintenance_core.decide import loss_tests, score_tests
from maintenance_core.decide.scale import SHARES, Scale
from maintenance_core.numbers import figure, percent
from maintenance_core.statistics import (
    EXACT_ROWS,
    mcnemar,
    non_inferiority_p,
    paired_lower_bound,
)

MOST_FREQUENT: Final = "by always naming the most frequent label"
MOST_POPULAR: Final = "by always showing the most popular items"


class Compared(Protocol):
    """What the gate asks of two models on the same rows; differences are challenger less champion.

    Values are at most 1, more is better; below 0 is what does worse than what needs no model.
    """

    @property
    def scale(self) -> Scale:
        """What the values are shares of."""

    @property
    def n(self) -> int:
        """How many rows; at least one."""

    @property
    def champion(self) -> float:
        """Its value."""

    @property
    def challenger(self) -> float:
        """Its value."""

    @property
    def difference(self) -> float:
        """How much better the challenger is."""

    def win_p(self) -> float:
        """The one-sided p-value that it looks this much better by chance alone."""

    def gain_bound(self, confidence: float) -> float:
        """The one-sided lower bound of the difference, for a question about 0."""

    def loss_bounds(self, confidence: float) -> tuple[float, float]:
        """The one-sided bounds of the difference, for questions about a loss that is allowed."""

    def keeps(self, margin: float, confidence: float) -> bool:
        """Whether it is shown to lose no more than ``margin``."""

    def values(self) -> str:
        """Both values in words, to be followed by the rows."""

    def evidence(self) -> str:
        """What the test rests on, in words."""

    def against_baseline(self) -> str:
        """Both values in words, where the champion is what needs no model."""


@dataclass(frozen=True, slots=True)
class Counted:
    """By the rows that each gets right: exact tests. ``metric`` says what right is."""

    counts: PairedCounts
    metric: ScoreMetric = ScoreMetric.ACCURACY

    @property
    def scale(self) -> Scale:
        """Shares of rows."""
        return Scale.of(None, self.metric)

    @property
    def n(self) -> int:
        """How many rows."""
        return self.counts.n

    @property
    def champion(self) -> float:
        """Share of rows that it gets right."""
        return self.counts.champion_accuracy

    @property
    def challenger(self) -> float:
        """Share of rows that it gets right."""
        return self.counts.challenger_accuracy

    @property
    def difference(self) -> float:
        """Of these shares."""
        return (self.counts.challenger_only - self.counts.champion_only) / self.counts.n

    def win_p(self) -> float:
        """By McNemar's exact test."""
        return mcnemar(self.counts.challenger_only, self.counts.champion_only)

    def gain_bound(self, confidence: float) -> float:
        """Tango's."""
        won, lost = self.counts.challenger_only, self.counts.champion_only
        return paired_lower_bound(self.n, won, lost, confidence)

    def loss_bounds(self, confidence: float) -> tuple[float, float]:
        """Tango's."""
        won, lost = self.counts.challenger_only, self.counts.champion_only
        upper = -paired_lower_bound(self.n, lost, won, confidence)
        return self.gain_bound(confidence), upper

    def keeps(self, margin: float, confidence: float) -> bool:
        """By the score bound; on few rows it is a little bold, and the exact test must agree."""
        if self.gain_bound(confidence) < -margin:
            return False
        if self.n > EXACT_ROWS or not 0.0 <= margin < 1.0:
            return True
        won, lost = self.counts.challenger_only, self.counts.champion_only
        return non_inferiority_p(self.n, won, lost, margin) <= 1.0 - confidence

    def values(self) -> str:
        """As accuracies, or as hit rates."""
        right = f"hits among the first {HITS[self.metric]}" if self.metric in HITS else "right"
        return f"{percent(self.challenger)} {right}, the champion {percent(self.champion)},"

    def evidence(self) -> str:
        """Rows that only one of the two gets right."""
        return f"{self.counts.challenger_only} won and {self.counts.champion_only} lost"

    def against_baseline(self) -> str:
        """As accuracies, or as hit rates."""
        if self.metric in HITS:
            return (
                f"the next item of {percent(self.challenger)} of {self.n} held-out users among its "
                f"first {HITS[self.metric]}, against {percent(self.champion)} {MOST_POPULAR}"
            )
        return (
            f"{percent(self.challenger)} of {self.n} held-out rows right, against "
            f"{percent(self.champion)} {MOST_FREQUENT}"
        )


@dataclass(frozen=True, slots=True)
class Clustered:
    """By the rows that each gets right, where rows belong together.

    Exact tests take rows for independent, those of the score are bold where few differ: what is
    shown must be shown by both.
    """

    counted: Counted
    score: PairedScore

    @property
    def scale(self) -> Scale:
        """Shares of rows."""
        return self.counted.scale

    @property
    def n(self) -> int:
        """How many rows."""
        return self.counted.n

    @property
    def champion(self) -> float:
        """Share of rows that it gets right."""
        return self.counted.champion

    @property
    def challenger(self) -> float:
        """Share of rows that it gets right."""
        return self.counted.challenger

    @property
    def difference(self) -> float:
        """Of these shares."""
        return self.counted.difference

    def win_p(self) -> float:
        """The larger."""
        return max(self.counted.win_p(), score_tests.win_p(self.score))

    def gain_bound(self, confidence: float) -> float:
        """The lower."""
        return min(
            self.counted.gain_bound(confidence), score_tests.gain_bound(self.score, confidence)
        )

    def loss_bounds(self, confidence: float) -> tuple[float, float]:
        """The wider."""
        low, high = self.counted.loss_bounds(confidence)
        lower, higher = score_tests.loss_bounds(self.score, confidence)
        return min(low, lower), max(high, higher)

    def keeps(self, margin: float, confidence: float) -> bool:
        """By both."""
        low, _ = score_tests.loss_bounds(self.score, confidence)
        return low >= -margin and self.counted.keeps(margin, confidence)

    def values(self) -> str:
        """As accuracies, or as hit rates."""
        return self.counted.values()

    @property
    def design_effect(self) -> float:
        """How many times the variance of the difference is what it were of independent rows."""
        return score_tests.design_effect(self.score, self.counted.counts)

    def evidence(self) -> str:
        """Rows that only one of the two gets right, and of how many units they are."""
        return f"{self.counted.evidence()}{_units(self.score.units, self.n)}"

    def against_baseline(self) -> str:
        """As accuracies, or as hit rates."""
        return self.counted.against_baseline()


def _units(units: int | None, n: int) -> str:
    return "" if units in {None, n} else f", {units} units"


NAMES: Final = {
    ScoreMetric.BALANCED_ACCURACY: "balanced accuracy",
    ScoreMetric.MACRO_F1: "macro F1",
    ScoreMetric.AUROC: "AUROC",
}


@dataclass(frozen=True, slots=True)
class Scored:
    """By a metric that is no mean over rows: tests by the jackknife's standard error."""

    score: PairedScore

    @property
    def scale(self) -> Scale:
        """The metric itself."""
        return SHARES

    @property
    def n(self) -> int:
        """How many rows."""
        return self.score.n

    @property
    def champion(self) -> float:
        """Its value of the metric."""
        return self.score.champion

    @property
    def challenger(self) -> float:
        """Its value of the metric."""
        return self.score.challenger

    @property
    def difference(self) -> float:
        """Of these values."""
        return self.score.difference

    def win_p(self) -> float:
        """By Student's t."""
        return score_tests.win_p(self.score)

    def gain_bound(self, confidence: float) -> float:
        """By Student's t."""
        return score_tests.gain_bound(self.score, confidence)

    def loss_bounds(self, confidence: float) -> tuple[float, float]:
        """By the adjusted error."""
        return score_tests.loss_bounds(self.score, confidence)

    def keeps(self, margin: float, confidence: float) -> bool:
        """By the adjusted error."""
        return self.loss_bounds(confidence)[0] >= -margin

    def values(self) -> str:
        """With the metric's name."""
        return (
            f"{NAMES[self.score.metric]} {figure(self.challenger)}, "
            f"the champion {figure(self.champion)},"
        )

    def evidence(self) -> str:
        """The difference and its error."""
        error = figure(self.score.standard_error)
        clusters = _units(self.score.units, self.n)
        return f"difference {figure(self.difference)}, standard error {error}{clusters}"

    def against_baseline(self) -> str:
        """With the metric's name."""
        return (
            f"{NAMES[self.score.metric]} {figure(self.challenger)} on {self.n} held-out rows, "
            f"against {figure(self.champion)} {MOST_FREQUENT}"
        )


@dataclass(frozen=True, slots=True)
class ByLoss:
    """By a mean of real-valued losses: values are skills, told in units of the label."""

    score: PairedLoss

    @property
    def scale(self) -> Scale:
        """The baseline's loss."""
        return Scale(self.score.metric, self.score.baseline, self.score.deviation)

    @property
    def n(self) -> int:
        """How many rows."""
        return self.score.n

    @property
    def champion(self) -> float:
        """Its skill."""
        return skill(self.score.champion, self.score.baseline)

    @property
    def challenger(self) -> float:
        """Its skill."""
        return self.score.worth

    @property
    def difference(self) -> float:
        """Of these skills."""
        return self.score.difference

    def win_p(self) -> float:
        """By Student's t."""
        return loss_tests.win_p(self.score)

    def gain_bound(self, confidence: float) -> float:
        """By Student's t."""
        return loss_tests.bounds(self.score, confidence)[0]

    def loss_bounds(self, confidence: float) -> tuple[float, float]:
        """The same: its error does not depend on the question."""
        return loss_tests.bounds(self.score, confidence)

    def keeps(self, margin: float, confidence: float) -> bool:
        """By Student's t."""
        return self.loss_bounds(confidence)[0] >= -margin

    def values(self) -> str:
        """In units of the label."""
        metric, champion, challenger = self.score.metric, self.score.champion, self.score.challenger
        return f"{metric.value} {figure(challenger)}, the champion {figure(champion)},"

    def evidence(self) -> str:
        """The difference and its error, in units of the label."""
        score = self.score
        error = figure(score.standard_error * score.baseline)
        clusters = _units(score.units, score.n)
        difference = figure(score.champion - score.challenger)
        return f"{difference} less, standard error {error}{clusters}"

    def against_baseline(self) -> str:
        """In units of the label."""
        return (
            f"{self.score.metric.value} {figure(self.score.challenger)} on {self.n} held-out rows, "
            f"against {figure(self.score.champion)} by the baseline, which needs no model"
        )
