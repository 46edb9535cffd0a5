"""Is a training worth trying? The chance that it is promoted times what is at stake, and the price.

The stake is how far the champion is below what it was worth, on the share of the utility that the
new rows weigh. The chance is that of a challenger which mends all of it: whether the gate can tell
it from luck on the held-out rows that there are. ``spec.decision.minExpectedGain`` is the price:
the gain of accuracy for which a run is started.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from maintenance_contract import Answer, Question, more_held_out
from maintenance_core.decide import loss_power
from maintenance_core.decide.findings import (
    answered,
    cause_open,
    diagnosis_of,
    expected_score,
    findings,
    gain_at_new_mix,
    level,
    new_rows,
    targeted,
)
from maintenance_core.decide.paired_rows import LITTLE, MOST_WON
from maintenance_core.decide.power import (
    MOST_ROWS,
    POWER,
    Level,
    least_gain,
    no_loss_chance,
    rows_to_show_no_loss,
    weighed_chance,
    win_chance,
)
from maintenance_core.decide.scale import SHARES, Scale
from maintenance_core.model import Gate, OnConceptDrift, Power, Proof, Situation
from maintenance_core.numbers import points

MORE: Final = 100
"""Newly labelled rows of which it is told what they would buy."""
TELLING: Final = 0.02
"""A chance that grows by less is not worth telling."""
MANY: Final = (0.02, 0.95)
"""Old rows are many where they could show so small a loss with that confidence: the defaults of the
gate, not what it asks for, as otherwise who allows less loss would be asked for less proof."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What a training may gain. ``now`` and ``target`` are scores on new rows, before and after.

    ``rows``: new held-out ones. ``scale``: what all these are shares of.
    """

    rows: int
    chance: float
    stake: float
    price: float
    now: float
    target: float
    scale: Scale = SHARES

    @property
    def gain(self) -> float:
        """What a training is expected to gain: score, weighed."""
        return self.chance * self.stake

    @property
    def enough(self) -> bool:
        """Whether it is worth trying."""
        return self.gain >= self.price


def proof_required(gate: Gate, old: Level | None) -> bool:
    """Whether the gate asks to be shown that nothing is lost on old held-out rows.

    ``old``: the champion on them; None without rows.
    """
    if gate.proof is not Proof.AUTO:
        return gate.proof is Proof.REQUIRED
    return many(old)


def surer(gate: Gate) -> Gate:
    """Of few rows as much confidence is asked as of many."""
    return replace(gate, weighed_confidence=max(gate.confidence, gate.weighed_confidence))


def many(old: Level | None) -> bool:
    """Whether old held-out rows are enough for a proof; None: there are none.

    Where they are fewer there are few old rows at all: a retrain costs little.
    """
    return old is not None and old.effective(old.n) >= rows_for_proof(old, *MANY)


def rows_for_proof(old: Level, margin: float, confidence: float) -> int:
    """Old held-out rows on which an equally good challenger is shown to lose less than that."""
    if old.deviation is None:
        return rows_to_show_no_loss(old.score, margin, confidence)
    deviation = loss_power.paired_deviation(old.deviation, old.deviation)
    return loss_power.rows_to_show_no_loss(deviation, margin, confidence)


@dataclass(frozen=True, slots=True)
class _Terms:
    """What a promotion depends on: the gate, the held-out rows, and the scores on them.

    ``new``: the champion on new held-out rows, of ``labelled`` new ones; ``old``: on old ones, None
    without any; ``judged``: whether the gate looks at them. ``auto``: how many are held out follows
    from how many there are.
    """

    gate: Gate
    new: Level
    labelled: int
    target: float
    old: Level | None
    judged: bool
    price: float
    auto: bool
    scale: Scale

    def held_out_of(self, more: int) -> int:
        """How many of so many more newly labelled rows are held out, by the spec."""
        if self.auto:
            return more_held_out(self.new.n, self.labelled, more)
        return round(more * self.new.n / max(1, self.labelled))

    def worth(self, more: int = 0) -> Worth:
        """With so many more newly labelled rows."""
        n, now = self.new.n + self.held_out_of(more), self.new.score
        return Worth(
            n,
            self.chance(n, now),
            (1.0 - self.gate.old_weight) * max(0.0, self.target - now),
            self.price,
            now,
            self.target,
            self.scale,
        )

    def chance(self, n: int, now: float) -> float:
        """That a challenger is promoted which gets the target of new rows and keeps old ones."""
        by = _of_rows if self.new.deviation is None else _of_losses
        return by(self, n, now)

    def chance_to_keep(self, n: int, now: float) -> float:
        """That old rows, of which there must be some, are found to be kept where many."""
        gate, old = self.gate, self.old
        assert old is not None  # noqa: S101 - asked where old rows are judged
        if self.new.deviation is None:
            won = least_gain(self.new.effective(n), now, self.target, gate.confidence)
            return kept_chance(gate, won, partial(no_loss_chance, old.effective(old.n), old.score))
        of_new, of_old = self.paired_deviations
        won = loss_power.least_gain(n, self.target - now, of_new, gate.confidence)
        return kept_chance(gate, won, partial(loss_power.no_loss_chance, old.n, of_old))

    @property
    def paired_deviations(self) -> tuple[float, float]:
        """Of a row's difference, on new and on old rows, where losses are real numbers."""
        before = self.new.deviation or 0.0
        at_home = before if self.old is None else self.old.deviation or 0.0
        paired = loss_power.paired_deviation
        return paired(before, at_home), paired(at_home, at_home)

    def smallest_gain(self, n: int) -> float:
        """The least gain, up to the target, that is shown with the power asked for; else 1."""
        most = self.target if self.new.deviation is None else 1.0
        if self.chance(n, self.target - most) < POWER:
            return 1.0
        low, high = 0.0, most
        for _ in range(10):  # to a thousandth
            middle = (low + high) / 2.0
            enough = self.chance(n, self.target - middle) >= POWER
            low, high = (low, middle) if enough else (middle, high)
        return high


def _of_rows(terms: _Terms, n: int, now: float) -> float:
    """The chance where rows are right or wrong."""
    gate, target, told = terms.gate, terms.target, terms.new.effective(n)
    old = terms.old if terms.judged else None
    old_n = old.effective(old.n) if old else 0
    if proof_required(gate, terms.old):
        chance = win_chance(told, now, target, gate.confidence)
        return chance * (terms.chance_to_keep(n, now) if old else 1.0)
    if old is None:
        return weighed_chance((1.0, told, now, target), (0.0, 0, 0.0), gate.confidence)
    new = (1.0 - gate.old_weight, told, now, target)
    return weighed_chance(new, (gate.old_weight, old_n, old.score), gate.weighed_confidence)


def _of_losses(terms: _Terms, n: int, now: float) -> float:
    """The chance where losses are real numbers."""
    gate, gain = terms.gate, terms.target - now
    of_new, of_old = terms.paired_deviations
    old = terms.old if terms.judged else None
    if proof_required(gate, terms.old):
        chance = loss_power.win_chance(n, gain, of_new, gate.confidence)
        return chance * (terms.chance_to_keep(n, now) if old else 1.0)
    if old is None:
        alone = 1.0, n, gain, of_new
        return loss_power.weighed_chance(alone, (0.0, 0, 0.0), gate.confidence)
    new = (1.0 - gate.old_weight, n, gain, of_new)
    return loss_power.weighed_chance(new, (gate.old_weight, old.n, of_old), gate.weighed_confidence)


def kept_chance(gate: Gate, won: float, shown: Callable[[float, float], float]) -> float:
    """That old rows are found to be kept, as ``paired_rows.kept`` finds it.

    ``won``: what new rows are likely to show at least; ``shown``: the chance of a proof by a margin
    and a confidence, at .5 that of being seen within it, which who is as good is every other time.
    """
    proof, margin = shown(gate.max_old_loss, gate.confidence), LITTLE * min(MOST_WON, won)
    if gate.proof is Proof.REQUIRED or margin <= gate.max_old_loss:
        return proof
    seen = max(0.5, shown(gate.max_old_loss, 0.5))
    return max(proof, min(seen, shown(margin, gate.confidence)))


def likely_kept(situation: Situation) -> bool:
    """Whether the gate would find old rows kept by a challenger that is as good as must be."""
    terms = _terms(situation)
    if terms is None or terms.old is None:
        return False
    return terms.chance_to_keep(terms.new.n, terms.new.score) >= POWER


def _terms(situation: Situation) -> _Terms | None:
    """None where nothing can be said, as ``worth`` does."""
    held_out = diagnosis_of(situation).new
    now, expected = level(held_out), expected_score(situation)
    if situation.report.diagnosis is None or targeted(situation) or now is None or expected is None:
        return None
    gate = situation.spec.gate
    if cause_open(findings(situation)):
        gate = surer(gate)
    gain = max(gate.min_improvement, gain_at_new_mix(situation) or 0.0)
    return _Terms(
        gate,
        now,
        new_rows(situation),
        min(1.0, max(expected, now.score + gain)),
        level(diagnosis_of(situation).old),
        not reported_only(situation),
        situation.spec.min_expected_gain,
        situation.spec.holdout.updates_percent is None,
        Scale.of(held_out, gate.metric),
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
    found, with_more, scale = terms.worth(), terms.worth(MORE), terms.scale
    old_rows = terms.old.n if terms.old else 0
    said = (
        f"By {terms.new.n} new and {old_rows} old held-out rows, a model that "
        f"{scale.gets(found.target, 'new rows')} (the champion "
        f"{'gets' if scale is SHARES else 'has'} {scale.value(found.now)}) is "
        f"promoted with a chance of {_rounded(found.chance)}"
    )
    if with_more.chance >= found.chance + TELLING:
        said += f" ({_rounded(with_more.chance)} with {MORE} more labelled rows)"
    return (
        f"{said}; at stake are {scale.points(found.stake)}, so {points(found.gain)} are to be "
        f"expected of a run, and {points(found.price)} are asked for "
        "(spec.decision.minExpectedGain)."
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
        terms.new.n,
        terms.old.n if terms.old else 0,
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
