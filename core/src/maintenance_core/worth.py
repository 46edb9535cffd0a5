"""Is a training worth trying? The chance that it is promoted times what is at stake, and the price.

The stake is how far the champion is below what it was worth, on the share of the utility that the
new rows weigh. The chance is that of a challenger which mends all of it: whether the gate can tell
it from luck on the held-out rows that there are. ``spec.decision.minExpectedGain`` is the price:
the gain of accuracy for which a run is started.
"""

from dataclasses import dataclass
from typing import Final

from maintenance_contract import Answer, Question
from maintenance_core.findings import (
    accuracy,
    answered,
    diagnosis_of,
    expected_accuracy,
    gain_at_new_mix,
    new_rows,
    rows,
    targeted,
)
from maintenance_core.model import Gate, OnConceptDrift, Power, Proof, Situation
from maintenance_core.numbers import figure, percent
from maintenance_core.power import (
    MOST_ROWS,
    POWER,
    no_loss_chance,
    rows_to_show_no_loss,
    weighed_chance,
    win_chance,
)

MORE: Final = 100
"""Newly labelled rows of which it is told what they would buy."""
TELLING: Final = 0.02
"""A chance that grows by less is not worth telling."""


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
    if before is None:
        return False
    return n >= rows_to_show_no_loss(before, gate.max_old_loss, gate.confidence)


def worth(situation: Situation, *, more: int = 0) -> Worth | None:
    """What a training is worth with the rows that there are, and ``more`` newly labelled ones.

    Of those as many are held out as of the others. None where nothing can be said: no diagnosis,
    no new held-out row, nothing to hold the champion's accuracy against, or targeted updates,
    which tell nothing of the traffic.
    """
    held_out = diagnosis_of(situation).new
    now, expected = accuracy(held_out), expected_accuracy(situation)
    if situation.report.diagnosis is None or targeted(situation) or now is None or expected is None:
        return None
    gate = situation.spec.gate
    gain = max(gate.min_improvement, gain_at_new_mix(situation) or 0.0)
    target = min(1.0, max(expected, now + gain))
    n = rows(held_out) + round(more * rows(held_out) / max(1, new_rows(situation)))
    weight = 1.0 - gate.old_weight
    return Worth(
        n,
        _chance(situation, n, now, target),
        weight * max(0.0, target - now),
        situation.spec.min_expected_gain,
        now,
        target,
    )


def in_figures(situation: Situation, found: Worth) -> str:
    """Chance, stake and price in a sentence, and what more labels would buy."""
    held_out = diagnosis_of(situation)
    judges = f"{rows(held_out.new)} new and {rows(held_out.old)} old held-out rows"
    said = (
        f"By {judges}, a model that gets {percent(found.target)} of new rows right (the champion "
        f"gets {percent(found.now)}) is promoted with a chance of {_rounded(found.chance)}"
    )
    with_more = worth(situation, more=MORE)
    if with_more is not None and with_more.chance >= found.chance + TELLING:
        said += f" ({_rounded(with_more.chance)} with {MORE} more labelled rows)"
    return (
        f"{said}; at stake are {_points(found.stake)}, so {_points(found.gain)} are to be expected "
        f"of a run, and {_points(found.price)} are asked for (spec.decision.minExpectedGain)."
    )


def _rounded(chance: float) -> str:
    """A chance is an estimate: to the whole per cent."""
    return f"{min(99, max(1, round(100 * chance)))}%"


def _points(share: float) -> str:
    return f"{figure(round(100.0 * share, 1))} points"


def power_of(situation: Situation) -> Power | None:
    """What the rows could show, as status keeps it; None where there is nothing to say."""
    found, with_more = worth(situation), worth(situation, more=MORE)
    if found is None or with_more is None:
        return None
    held_out = diagnosis_of(situation)
    shares = (
        found.chance,
        found.stake,
        _smallest_gain(situation, found),
        with_more.chance,
        _smallest_gain(situation, with_more),
    )
    chance, stake, smallest, chance_then, smallest_then = (round(share, 4) for share in shares)
    return Power(
        rows(held_out.new),
        rows(held_out.old),
        chance,
        stake,
        smallest,
        MORE,
        chance_then,
        smallest_then,
    )


def _smallest_gain(situation: Situation, found: Worth) -> float:
    """The least gain, up to ``found.target``, that is shown with the power asked for; else 1."""
    low, high = 0.0, found.target
    if _chance(situation, found.rows, 0.0, found.target) < POWER:
        return 1.0
    for _ in range(10):  # to a thousandth
        middle = (low + high) / 2.0
        enough = _chance(situation, found.rows, found.target - middle, found.target) >= POWER
        low, high = (low, middle) if enough else (middle, high)
    return high


def could_show(power: Power) -> str:
    """What the held-out rows can tell apart, and what more labels would buy."""
    return (
        f"{power.new_held_out} new and {power.old_held_out} old held-out rows show "
        f"{_gain(power.smallest_gain)}; with {power.more_rows} more labelled rows "
        f"{_gain(power.smallest_gain_with_more)}"
    )


def _gain(share: float) -> str:
    return "hardly any gain" if share >= 1.0 else f"a gain of {_points(share)} four times in five"


def rows_to_be_worth(situation: Situation) -> int:
    """How many more newly labelled rows make a training worth trying; ``MOST_ROWS``: none do."""
    low, high = 0, MORE
    while not _worth_with(situation, high):
        if high >= MOST_ROWS:
            return MOST_ROWS
        low, high = high, min(MOST_ROWS, 2 * high)
    while high - low > max(1, high // 50):
        middle = (low + high) // 2
        low, high = (low, middle) if _worth_with(situation, middle) else (middle, high)
    return high


def _worth_with(situation: Situation, more: int) -> bool:
    found = worth(situation, more=more)
    return found is not None and found.enough


def _chance(situation: Situation, n: int, now: float, target: float) -> float:
    """That the gate promotes a challenger which gets ``target`` of new rows and keeps old ones."""
    gate, old = situation.spec.gate, diagnosis_of(situation).old
    before, old_n = accuracy(old), rows(old)
    judged = before is not None and not reported_only(situation)
    if proof_required(gate, old_n, before):
        chance = win_chance(n, now, target, gate.confidence)
        if judged and before is not None:
            chance *= no_loss_chance(old_n, before, gate.max_old_loss, gate.confidence)
        return chance
    if not judged or before is None:
        return weighed_chance((1.0, n, now, target), (0.0, 0, 0.0), gate.confidence)
    new = (1.0 - gate.old_weight, n, now, target)
    return weighed_chance(new, (gate.old_weight, old_n, before), gate.confidence)


def reported_only(situation: Situation) -> bool:
    """Whether the gate will not judge old rows: their labels are out of date."""
    return situation.spec.gate.on_concept_drift is OnConceptDrift.REPORT_ONLY and any(
        finding.question is Question.CONCEPT_DRIFT for finding in answered(situation, Answer.MAJOR)
    )
