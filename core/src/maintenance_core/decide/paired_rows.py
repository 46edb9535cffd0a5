"""What held-out rows show of a challenger: a comparison in, a judgement and a sentence out."""

from typing import Final

from maintenance_core.decide.compared import Compared
from maintenance_core.model import Gate, Proof
from maintenance_core.numbers import figure, p_value, percent
from maintenance_core.statistics import Part, weighted_lower_bound

LOSS_CONFIDENCE: Final = 0.95
"""With which a loss on few old rows counts as shown; not the gate's: who asks for a surer gain
would otherwise let a loss pass."""
LITTLE: Final = 0.1
"""Of a gain that is shown: a loss that is shown to be no larger, and seen within what is allowed,
needs no proof that it is within. Weighed by .8 and .2 it is a fortieth of the gain."""
MOST_WON: Final = 1.0
"""That counts: who errs far more than the baseline has more to win than there is to lose."""
_NO_OLD_ROW: Final = "There is no old held-out row, so nothing is known of what may be forgotten."


def better(new: Compared | None, gate: Gate, *, age: str = "new") -> tuple[bool, str]:
    """Whether the rows of that age show it better, and in which numbers."""
    if new is None:
        return False, nothing_to_judge_on(age)
    p = new.win_p()
    numbers = (
        f"{new.values()} on {new.n} {age} held-out rows ({new.evidence()}, p {p_value(p)}, "
        f"asked for {figure(1.0 - gate.confidence)})"
    )
    if p > 1.0 - gate.confidence:
        return False, f"Not shown to be better: {numbers}."
    if not reaches_floor(new, gate):
        return False, below_floor(new, gate, numbers)
    return True, f"Better: {numbers}."


def kept(old: Compared | None, gate: Gate, new: Compared | None = None) -> tuple[bool, str]:
    """Whether old rows show that no more is lost than may be, and in which numbers.

    ``new``: new rows where a loss that is little beside their gain need only be seen within what
    may be lost; None where it must be shown.
    """
    if old is None:
        return True, _NO_OLD_ROW
    least, _ = old.loss_bounds(gate.confidence)
    numbers = (
        f"{old.values()} on {old.n} old held-out rows ({old.evidence()}); with "
        f"{percent(gate.confidence)} confidence it loses at most {percent(max(0.0, -least))}, "
        f"allowed are {old.scale.share(gate.max_old_loss)}"
    )
    if old.keeps(gate.max_old_loss, gate.confidence):
        return True, f"Nothing lost: {numbers}."
    if new is not None and little_beside(new, old, gate):
        return True, (
            f"Little lost: {numbers}. That it loses no more is seen, not shown; but the loss is "
            "shown to be at most a tenth of the gain on new rows, which is at least "
            f"{new.scale.points(new.gain_bound(gate.confidence))}. That is enough unless "
            "spec.gate.oldData.proof is Required."
        )
    return False, f"Not shown to have kept what the champion knew: {numbers}."


def little_beside(new: Compared, old: Compared, gate: Gate) -> bool:
    """Whether the loss is seen within what is allowed, and shown to be little of the gain."""
    margin = LITTLE * min(MOST_WON, new.gain_bound(gate.confidence))
    if gate.proof is Proof.REQUIRED or margin <= gate.max_old_loss:
        return False
    seen = old.difference >= -gate.max_old_loss
    outweighed = weighed_bound(new, old, gate, gate.confidence) > 0.0
    return seen and outweighed and old.keeps(margin, gate.confidence)


def not_shown_to_forget(old: Compared | None, gate: Gate) -> tuple[bool, str]:
    """Whether few old rows leave it open that nothing is lost, and in which numbers."""
    if old is None:
        return True, _NO_OLD_ROW
    low, high = old.loss_bounds(LOSS_CONFIDENCE)
    numbers = f"{old.values()} on {old.n} old held-out rows ({old.evidence()})"
    allowed = old.scale.share(gate.max_old_loss)
    if -high > gate.max_old_loss:
        return False, (
            f"Shown to forget: {numbers}; with {percent(LOSS_CONFIDENCE)} confidence it loses at "
            f"least {percent(-high)}, allowed are {allowed}."
        )
    return True, (
        f"{numbers}: that it loses more than {allowed} is not shown, nor can so few exclude it: it "
        f"may be up to {percent(max(0.0, -low))}."
    )


def reported(old: Compared | None) -> tuple[bool, str]:
    """Old rows that are told, and not judged."""
    if old is None:
        return True, "There is no old held-out row."
    return True, (
        f"{old.values()} on {old.n} old held-out rows, reported and not judged: after "
        "concept drift their labels are out of date."
    )


def weighed_bound(new: Compared, old: Compared | None, gate: Gate, confidence: float) -> float:
    """Lower bound of the gain on new rows, or of both ages weighed together."""
    weight = gate.old_weight if old is not None else 0.0
    parts = [Part(1.0 - weight, new.difference, new.gain_bound(confidence))]
    if old is not None:
        parts.append(Part(weight, old.difference, old.gain_bound(confidence)))
    return weighted_lower_bound([part for part in parts if part.weight > 0.0])


def whose_gain(old: Compared | None, gate: Gate) -> str:
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


def reaches_floor(new: Compared, gate: Gate) -> bool:
    """Whether the gain that was seen is as large as the gate asks for."""
    return new.difference * new.n >= gate.min_improvement * new.n - 1e-9


def below_floor(new: Compared, gate: Gate, numbers: str) -> str:
    """That it is not."""
    if gate.min_improvement <= 0.0:
        return f"Not better: {numbers}."
    return (
        f"Better, but by {percent(new.challenger - new.champion)} only, where "
        f"spec.gate.minImprovement asks for {new.scale.share(gate.min_improvement)}: {numbers}."
    )
