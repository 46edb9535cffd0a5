"""Is a training worth trying? The chance that it is promoted times what is at stake, and the price.

The stake is how far the champion is below what it was worth, on the share of the utility that the
new rows weigh. The chance is that of a challenger which mends all of it: whether the gate can tell
it from luck on the held-out rows that there are. ``spec.decision.minExpectedGain`` is the price:
the gain of accuracy for which a run is started.
"""

from dataclasses import dataclass, replace
from typing import Final

from maintenance_contract import Answer, Question, more_held_out
from maintenance_core.decide.findings import (
    accuracy,
    answered,
    cause_open,
    diagnosis_of,
    expected_accuracy,
    findings,
    gain_at_new_mix,
    new_rows,
    rows,
    targeted,
)
from maintenance_core.decide.power import (
    MOST_ROWS,
    POWER,
    no_loss_chance,
    rows_to_show_no_loss,
    weighed_chance,
    win_chance,
)
from maintenance_core.model import Gate, OnConceptDrift, Power, Proof, Situation
from maintenance_core.numbers import percent, points

MORE: Final = 100
"""Newly labelled rows of which it is told what they would buy."""
TELLING: Final = 0.02
"""A chance that grows by less is not worth telling."""
MANY: Final = (0.02, 0.95)
"""Old rows are many where they could show so small a loss with that confidence: the defaults of the
gate, not what it asks for, as otherwise who allows less loss would be asked for less proof."""


@dataclass(frozen=True, slots=True)
class Worth:
    """Shares from 0 to 1. ``now`` and ``target`` are accuracies on new rows, before and after.

    ``rows``: new held-out ones.
    """

    rows: int
    chance: float
    stake: float
    price: float
    now: float
    target: float

    @property
    def gain(self) -> float:
        """What a training is expected to gain: accuracy, weighed."""
        return self.chance * self.stake

    @property
    def enough(self) -> bool:
        """Whether it is worth trying."""
        return self.gain >= self.price


def proof_required(gate: Gate, n: int, before: float | None) -> bool:
    """Whether the gate asks to be shown that nothing is lost on ``n`` old held-out rows.

    ``before``: the champion's accuracy on them; None without rows.
    """
    if gate.proof is not Proof.AUTO:
        return gate.proof is Proof.REQUIRED
    return many(n, before)


def surer(gate: Gate) -> Gate:
    """Of few rows as much confidence is asked as of many."""
    return replace(gate, weighed_confidence=max(gate.confidence, gate.weighed_confidence))


def many(n: int, before: float | None) -> bool:
    """Whether ``n`` old held-out rows are enough for a proof; ``before`` as above.

    Where they are fewer there are few old rows at all: a retrain costs little.
    """
    return before is not None and n >= rows_to_show_no_loss(before, *MANY)


@dataclass(frozen=True, slots=True)
class _Terms:
    """What a promotion depends on: the gate, the held-out rows, and the accuracies on them.

    ``rows`` new held-out ones of ``labelled`` new ones; ``before``: the champion's accuracy on
    ``old_rows``, None without any; ``judged``: whether the gate looks at them. ``auto``: how many
    are held out follows from how many there are.
    """

    gate: Gate
    rows: int
    labelled: int
    now: float
    target: float
    old_rows: int
    before: float | None
    judged: bool
    price: float
    auto: bool

    def held_out_of(self, more: int) -> int:
        """How many of so many more newly labelled rows are held out, by the spec."""
        if self.auto:
            return more_held_out(self.rows, self.labelled, more)
        return round(more * self.rows / max(1, self.labelled))

    def worth(self, more: int = 0) -> Worth:
        """With so many more newly labelled rows."""
        n = self.rows + self.held_out_of(more)
        return Worth(
            n,
            self.chance(n, self.now),
            (1.0 - self.gate.old_weight) * max(0.0, self.target - self.now),
            self.price,
            self.now,
            self.target,
        )

    def chance(self, n: int, now: float) -> float:
        """That a challenger is promoted which gets the target of new rows and keeps old ones."""
        gate, target, before = self.gate, self.target, self.before
        if proof_required(gate, self.old_rows, before):
            chance = win_chance(n, now, target, gate.confidence)
            if self.judged and before is not None:
                chance *= no_loss_chance(self.old_rows, before, gate.max_old_loss, gate.confidence)
            return chance
        if not self.judged or before is None:
            return weighed_chance((1.0, n, now, target), (0.0, 0, 0.0), gate.confidence)
        new = (1.0 - gate.old_weight, n, now, target)
        old = gate.old_weight, self.old_rows, before
        return weighed_chance(new, old, gate.weighed_confidence)

    def smallest_gain(self, n: int) -> float:
        """The least gain, up to the target, that is shown with the power asked for; else 1."""
        if self.chance(n, 0.0) < POWER:
            return 1.0
        low, high = 0.0, self.target
        for _ in range(10):  # to a thousandth
            middle = (low + high) / 2.0
            enough = self.chance(n, self.target - middle) >= POWER
            low, high = (low, middle) if enough else (middle, high)
        return high


def _terms(situation: Situation) -> _Terms | None:
    """None where nothing can be said, as ``worth`` does."""
    held_out, old = diagnosis_of(situation).new, diagnosis_of(situation).old
    now, expected = accuracy(held_out), expected_accuracy(situation)
    if situation.report.diagnosis is None or targeted(situation) or now is None or expected is None:
        return None
    gate = situation.spec.gate
    if cause_open(findings(situation)):
        gate = surer(gate)
    gain = max(gate.min_improvement, gain_at_new_mix(situation) or 0.0)
    return _Terms(
        gate,
        rows(held_out),
        new_rows(situation),
        now,
        min(1.0, max(expected, now + gain)),
        rows(old),
        accuracy(old),
        not reported_only(situation),
        situation.spec.min_expected_gain,
        situation.spec.holdout.updates_percent is None,
    )


def worth(situation: Situation) -> Worth | None:
    """What a training is worth with the rows that there are.

    None where nothing can be said: no diagnosis, no new held-out row, nothing to hold the
    champion's accuracy against, or targeted updates, which tell nothing of the traffic.
    """
    terms = _terms(situation)
    return None if terms is None else terms.worth()


def in_figures(situation: Situation) -> str:
    """Chance, stake and price in a sentence, and what more labels would buy; empty without any."""
    terms = _terms(situation)
    if terms is None:
        return ""
    found, with_more = terms.worth(), terms.worth(MORE)
    said = (
        f"By {terms.rows} new and {terms.old_rows} old held-out rows, a model that gets "
        f"{percent(found.target)} of new rows right (the champion gets {percent(found.now)}) is "
        f"promoted with a chance of {_rounded(found.chance)}"
    )
    if with_more.chance >= found.chance + TELLING:
        said += f" ({_rounded(with_more.chance)} with {MORE} more labelled rows)"
    return (
        f"{said}; at stake are {points(found.stake)}, so {points(found.gain)} are to be expected "
        f"of a run, and {points(found.price)} are asked for (spec.decision.minExpectedGain)."
    )


def _rounded(chance: float) -> str:
    """A chance is an estimate: to the whole per cent."""
    return f"{min(99, max(1, round(100 * chance)))}%"


def power_of(situation: Situation) -> Power | None:
    """What the rows could show, as status keeps it; None where there is nothing to say."""
    terms = _terms(situation)
    if terms is None:
        return None
    found, with_more = terms.worth(), terms.worth(MORE)
    shares = (
        found.chance,
        found.stake,
        terms.smallest_gain(found.rows),
        with_more.chance,
        terms.smallest_gain(with_more.rows),
    )
    chance, stake, smallest, chance_then, smallest_then = (round(share, 4) for share in shares)
    return Power(
        terms.rows,
        terms.old_rows,
        chance,
        stake,
        smallest,
        MORE,
        chance_then,
        smallest_then,
    )


def could_show(power: Power) -> str:
    """What the held-out rows can tell apart, and what more labels would buy."""
    return (
        f"{power.new_held_out} new and {power.old_held_out} old held-out rows show "
        f"{_gain(power.smallest_gain)}; with {power.more_rows} more labelled rows "
        f"{_gain(power.smallest_gain_with_more)}"
    )


def _gain(share: float) -> str:
    return "hardly any gain" if share >= 1.0 else f"a gain of {points(share)} four times in five"


def rows_to_be_worth(situation: Situation) -> int:
    """How many more newly labelled rows make a training worth trying; ``MOST_ROWS``: none do.

    Of those as many are held out as ``spec.data.holdout`` says.
    """
    terms = _terms(situation)
    if terms is None:
        return MOST_ROWS
    low, high = 0, MORE
    while not terms.worth(high).enough:
        if high >= MOST_ROWS:
            return MOST_ROWS
        low, high = high, min(MOST_ROWS, 2 * high)
    while high - low > max(1, high // 50):
        middle = (low + high) // 2
        low, high = (low, middle) if terms.worth(middle).enough else (middle, high)
    return high


def reported_only(situation: Situation) -> bool:
    """Whether the gate will not judge old rows: their labels are out of date."""
    return situation.spec.gate.on_concept_drift is OnConceptDrift.REPORT_ONLY and any(
        finding.question is Question.CONCEPT_DRIFT for finding in answered(situation, Answer.MAJOR)
    )
