"""What held-out rows show of a challenger: paired counts in, a judgement and a sentence out."""

from typing import Final

from maintenance_contract import PairedCounts
from maintenance_core.model import Gate
from maintenance_core.numbers import figure, p_value, percent
from maintenance_core.statistics import (
    EXACT_ROWS,
    Paired,
    mcnemar,
    non_inferiority_p,
    paired_lower_bound,
    weighted_lower_bound,
)

LOSS_CONFIDENCE: Final = 0.95
"""With which a loss on few old rows counts as shown; not the gate's: who asks for a surer gain
would otherwise let a loss pass."""
_NO_OLD_ROW: Final = "There is no old held-out row, so nothing is known of what may be forgotten."


def better(new: PairedCounts | None, gate: Gate, *, age: str = "new") -> tuple[bool, str]:
    """Whether the rows of that age show it better, and in which numbers."""
    if new is None or new.n == 0:
        return False, nothing_to_judge_on(age)
    p = mcnemar(new.challenger_only, new.champion_only)
    numbers = (
        f"{accuracies(new)} on {new.n} {age} held-out rows ({won_and_lost(new)}, p {p_value(p)}, "
        f"asked for {figure(1.0 - gate.confidence)})"
    )
    if p > 1.0 - gate.confidence:
        return False, f"Not shown to be better: {numbers}."
    if not reaches_floor(new, gate):
        return False, below_floor(new, gate, numbers)
    return True, f"Better: {numbers}."


def kept(old: PairedCounts | None, gate: Gate) -> tuple[bool, str]:
    """Whether old rows show that no more is lost than may be, and in which numbers."""
    if old is None or old.n == 0:
        return True, _NO_OLD_ROW
    bound = paired_lower_bound(old.n, old.challenger_only, old.champion_only, gate.confidence)
    nothing_lost = bound >= -gate.max_old_loss and _exactly_kept(old, gate)
    numbers = (
        f"{accuracies(old)} on {old.n} old held-out rows ({won_and_lost(old)}); with "
        f"{percent(gate.confidence)} confidence it loses at most {percent(max(0.0, -bound))}, "
        f"allowed are {percent(gate.max_old_loss)}"
    )
    if nothing_lost:
        return True, f"Nothing lost: {numbers}."
    return False, f"Not shown to have kept what the champion knew: {numbers}."


def _exactly_kept(old: PairedCounts, gate: Gate) -> bool:
    """On few rows the score bound is a little bold: the exact test must agree."""
    if old.n > EXACT_ROWS or not 0.0 <= gate.max_old_loss < 1.0:
        return True
    p = non_inferiority_p(old.n, old.challenger_only, old.champion_only, gate.max_old_loss)
    return p <= 1.0 - gate.confidence


def not_shown_to_forget(old: PairedCounts | None, gate: Gate) -> tuple[bool, str]:
    """Whether few old rows leave it open that nothing is lost, and in which numbers."""
    if old is None or old.n == 0:
        return True, _NO_OLD_ROW
    least = paired_lower_bound(old.n, old.champion_only, old.challenger_only, LOSS_CONFIDENCE)
    numbers = f"{accuracies(old)} on {old.n} old held-out rows ({won_and_lost(old)})"
    allowed = percent(gate.max_old_loss)
    if least > gate.max_old_loss:
        return False, (
            f"Shown to forget: {numbers}; with {percent(LOSS_CONFIDENCE)} confidence it loses at "
            f"least {percent(least)}, allowed are {allowed}."
        )
    most = -paired_lower_bound(old.n, old.challenger_only, old.champion_only, LOSS_CONFIDENCE)
    return True, (
        f"{numbers}: that it loses more than {allowed} is not shown, nor can so few exclude it: it "
        f"may be up to {percent(max(0.0, most))}."
    )


def reported(old: PairedCounts | None) -> tuple[bool, str]:
    """Old rows that are told, and not judged."""
    if old is None or old.n == 0:
        return True, "There is no old held-out row."
    return True, (
        f"{accuracies(old)} on {old.n} old held-out rows, reported and not judged: after "
        "concept drift their labels are out of date."
    )


def weighed_bound(
    new: PairedCounts, old: PairedCounts | None, gate: Gate, confidence: float
) -> float:
    """Lower bound of the gain on new rows, or of both ages weighed together."""
    weight = gate.old_weight if old is not None else 0.0
    parts = [Paired(1.0 - weight, new.n, new.challenger_only, new.champion_only)]
    if old is not None:
        parts.append(Paired(weight, old.n, old.challenger_only, old.champion_only))
    return weighted_lower_bound(parts, confidence)


def whose_gain(old: PairedCounts | None, gate: Gate) -> str:
    """Which rows the weighed gain is of."""
    if old is None:
        return "the gain"
    return f"the gain of both ages ({figure(gate.old_weight)} of it the old one's)"


def nothing_to_judge_on(age: str) -> str:
    """There is no row of that age, and where it would come from."""
    field = "updatesPercent" if age == "new" else "originalPercent"
    return (
        f"There is no {age} held-out row to judge on: add labelled rows, or hold more of them "
        f"out (spec.data.holdout.{field})."
    )


def reaches_floor(new: PairedCounts, gate: Gate) -> bool:
    """Whether the gain that was seen is as large as the gate asks for."""
    return new.challenger_only - new.champion_only >= gate.min_improvement * new.n - 1e-9


def below_floor(new: PairedCounts, gate: Gate, numbers: str) -> str:
    """That it is not."""
    gain = new.challenger_accuracy - new.champion_accuracy
    if gate.min_improvement <= 0.0:
        return f"Not better: {numbers}."
    return (
        f"Better, but by {percent(gain)} only, where spec.gate.minImprovement asks "
        f"for {percent(gate.min_improvement)}: {numbers}."
    )


def together(new: PairedCounts | None, old: PairedCounts | None) -> PairedCounts:
    """The counts of both ages as one."""
    both = [counts for counts in (new, old) if counts is not None]
    return PairedCounts(
        n=sum(counts.n for counts in both),
        both_correct=sum(counts.both_correct for counts in both),
        champion_only=sum(counts.champion_only for counts in both),
        challenger_only=sum(counts.challenger_only for counts in both),
    )


def accuracies(counts: PairedCounts) -> str:
    """What both got right."""
    return (
        f"{percent(counts.challenger_accuracy)} right, the champion "
        f"{percent(counts.champion_accuracy)},"
    )


def won_and_lost(counts: PairedCounts) -> str:
    """How many rows only one of the two got right."""
    return f"{counts.challenger_only} won and {counts.champion_only} lost"
