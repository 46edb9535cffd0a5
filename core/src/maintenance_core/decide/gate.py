"""The gate: is the challenger better on new rows, and not worse on old ones?

Where old rows are enough to show that nothing is lost, both are shown one by one. Where they are
few they could not: then both ages are weighed together. The weighed gain must be shown to be
positive, and no loss on old rows beyond what is allowed may be shown.
"""

from dataclasses import replace
from typing import Final

from maintenance_contract import (
    Operation,
    Outcome,
    PairedCounts,
    Reference,
    Sampling,
    TrainingReport,
)
from maintenance_core.decide.worth import proof_required, surer
from maintenance_core.model import Champion, Gate, OnConceptDrift, Score, TrainingPlan, Verdict
from maintenance_core.numbers import figure, p_value, percent, points
from maintenance_core.reasons import VerdictReason
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

_MEND: Final = (
    "Check that it is the model of these data, and that id2label in its config.json names its "
    "outputs in their order; or remove spec.model.initialModel, and a first version is trained."
)
_NO_HELD_OUT_ROW: Final = (
    "There is no held-out row to judge on: add labelled rows, or hold more of them out "
    "(spec.data.holdout)."
)
_NO_OLD_ROW: Final = "There is no old held-out row, so nothing is known of what may be forgotten."


def gate_for(gate: Gate, plan: TrainingPlan) -> Gate:
    """What is asked of a challenger of that plan.

    Half the error of the better of two, as the same rows chose it. No likely gain alone where no
    cause is named: then nothing but these rows speaks for it.
    """
    if plan.cause_open:
        gate = surer(gate)
    if not plan.race:
        return gate
    return replace(
        gate,
        confidence=(1.0 + gate.confidence) / 2.0,
        weighed_confidence=(1.0 + gate.weighed_confidence) / 2.0,
    )


def judge(
    report: TrainingReport,
    *,
    gate: Gate,
    champion: Champion | None,
    concept_drift: bool,
    imported: bool = False,
    sampling: Sampling = Sampling.RANDOM,
) -> Verdict:
    """Promote the challenger, or say why not.

    On new rows the exact paired test must show it better at ``gate.confidence``, and the
    difference seen must reach ``gate.min_improvement`` (a floor for the estimate, no hypothesis
    of its own); on old rows the lower confidence bound of the difference must stay above
    ``-gate.max_old_loss``. Where this is not ``worth.proof_required`` it is enough that the lower
    bound of both differences together, weighed by ``gate.old_weight``, lies above 0 at
    ``gate.weighed_confidence``, and the upper one of the old difference not below
    ``-gate.max_old_loss``; of new rows alone, at ``gate.confidence``, where old ones are not
    judged. Old rows are only
    reported, not judged, where ``concept_drift`` has made their labels wrong and the gate says
    so. Without a champion all held-out rows are judged together against the majority class: a
    trained version must be shown to beat it, one that was ``imported`` must do no worse. Where
    new rows are Targeted none are held out: then the challenger must be better on the old ones.
    """
    problem = _problem(report, champion)
    if problem:
        return Verdict(
            promote=False,
            reason=VerdictReason.REPORT_INVALID,
            message=f"The trainer's report cannot be used: {problem}.",
        )
    assert report.evaluation is not None  # noqa: S101 - _problem has looked
    new, old = report.evaluation.new, report.evaluation.old
    if imported:
        promote, reason, message = _brought_along(new, old)
    elif champion is None:
        promote, reason, message = _first(new, old, gate)
    elif sampling is Sampling.TARGETED:
        promote, message = _better(old, gate, age="old")
        reason = VerdictReason.CHALLENGER_WINS if promote else VerdictReason.NO_IMPROVEMENT
    else:
        promote, reason, message = _contest(new, old, gate, concept_drift=concept_drift)
    return Verdict(promote, reason, message, _score(new), _score(old))


def _problem(  # noqa: PLR0911 - one per guard
    report: TrainingReport, champion: Champion | None
) -> str:
    """What keeps the report from being judged; empty if nothing does."""
    reference = Reference.CHAMPION if champion is not None else Reference.MAJORITY_CLASS
    if report.operation is Operation.DIAGNOSE:
        return "it is of a diagnosis, not of a training"
    if report.outcome is not Outcome.SUCCEEDED:
        return f"it tells of a failure ({report.reason or 'no reason given'})"
    if report.candidate is None or not report.candidate.digest:
        return "it names no challenger"
    if champion is not None and report.candidate.version <= champion.version:
        return (
            f"its challenger is version {report.candidate.version}, "
            f"no newer than the champion's {champion.version}"
        )
    if report.evaluation is None:
        return "it holds no evaluation"
    if report.evaluation.reference is not reference:
        return (
            f"the challenger was scored against {report.evaluation.reference.value}, "
            f"not {reference.value}"
        )
    if not all(_consistent(counts) for counts in (report.evaluation.new, report.evaluation.old)):
        return "its counts of held-out rows contradict each other"
    return ""


def _consistent(counts: PairedCounts | None) -> bool:
    if counts is None:
        return True
    parts = (counts.both_correct, counts.champion_only, counts.challenger_only)
    return min(parts) >= 0 and sum(parts) <= counts.n


def _score(counts: PairedCounts | None) -> Score | None:
    if counts is None or counts.n == 0:
        return None
    return Score(counts.n, counts.champion_accuracy, counts.challenger_accuracy)


def _first(
    new: PairedCounts | None, old: PairedCounts | None, gate: Gate
) -> tuple[bool, VerdictReason, str]:
    """Against the majority class, on all held-out rows: none of them was seen by anybody."""
    counts = _together(new, old)
    if counts.n == 0:
        return (
            False,
            VerdictReason.NOT_BETTER_THAN_MAJORITY,
            _NO_HELD_OUT_ROW,
        )
    p = mcnemar(counts.challenger_only, counts.champion_only)
    numbers = (
        f"{percent(counts.challenger_accuracy)} of {counts.n} held-out rows right, against "
        f"{percent(counts.champion_accuracy)} by always naming the most frequent label "
        f"({_paired(counts)}, p {p_value(p)}, asked for {figure(1.0 - gate.confidence)})"
    )
    if p <= 1.0 - gate.confidence:
        return True, VerdictReason.FIRST_VERSION, f"The first version gets {numbers}."
    return (
        False,
        VerdictReason.NOT_BETTER_THAN_MAJORITY,
        f"The first version is not shown to beat the majority class: {numbers}.",
    )


def _brought_along(
    new: PairedCounts | None, old: PairedCounts | None
) -> tuple[bool, VerdictReason, str]:
    """A sanity check, no contest: is it the right model, with the right labels?

    The model may have been trained on these rows, so its score says nothing good of it; a bad one
    says enough.
    """
    counts = _together(new, old)
    if counts.n == 0:
        return False, VerdictReason.WORSE_THAN_MAJORITY, _NO_HELD_OUT_ROW
    score = (
        f"The model of spec.model.initialModel gets {percent(counts.challenger_accuracy)} of "
        f"{counts.n} held-out rows right, against {percent(counts.champion_accuracy)} by always "
        "naming the most frequent label"
    )
    if counts.challenger_accuracy >= counts.champion_accuracy:
        note = "They may be among what it was trained on: it is the right model, no more is shown."
        return True, VerdictReason.IMPORTED, f"{score}. {note}"
    return False, VerdictReason.WORSE_THAN_MAJORITY, f"{score}: it is not taken over. {_MEND}"


def _together(new: PairedCounts | None, old: PairedCounts | None) -> PairedCounts:
    both = [counts for counts in (new, old) if counts is not None]
    return PairedCounts(
        n=sum(counts.n for counts in both),
        both_correct=sum(counts.both_correct for counts in both),
        champion_only=sum(counts.champion_only for counts in both),
        challenger_only=sum(counts.challenger_only for counts in both),
    )


def _contest(
    new: PairedCounts | None, old: PairedCounts | None, gate: Gate, *, concept_drift: bool
) -> tuple[bool, VerdictReason, str]:
    """Against the champion: first what must become better, then what must not become worse."""
    report_only = concept_drift and gate.on_concept_drift is OnConceptDrift.REPORT_ONLY
    proved = _proved(new, old, gate, report_only=report_only)
    n, before = (old.n, old.champion_accuracy) if old is not None and old.n else (0, None)
    if proved[0] or proof_required(gate, n, before):
        return proved
    return _weighed(new, old, gate, report_only=report_only)


def _proved(
    new: PairedCounts | None, old: PairedCounts | None, gate: Gate, *, report_only: bool
) -> tuple[bool, VerdictReason, str]:
    """Each age alone: a win on new rows that is shown, and on old ones that nothing is lost."""
    better, on_new = _better(new, gate)
    if not better:
        return False, VerdictReason.NO_IMPROVEMENT, on_new
    kept, on_old = _reported(old) if report_only else _kept(old, gate)
    reason = VerdictReason.CHALLENGER_WINS if kept else VerdictReason.FORGETS_OLD
    return kept, reason, f"{on_new} {on_old}"


def _weighed(
    new: PairedCounts | None, old: PairedCounts | None, gate: Gate, *, report_only: bool
) -> tuple[bool, VerdictReason, str]:
    """Both ages together: a gain that is shown, and no loss on old rows that is shown."""
    if new is None or new.n == 0:
        return False, VerdictReason.NO_IMPROVEMENT, _nothing_to_judge_on("new")
    numbers = f"{_accuracies(new)} on {new.n} new held-out rows ({_paired(new)})"
    if not _reaches_floor(new, gate):
        return False, VerdictReason.NO_IMPROVEMENT, _below_floor(new, gate, numbers)
    judged = None if report_only or old is None or old.n == 0 else old
    confidence = gate.confidence if judged is None else gate.weighed_confidence
    bound = _weighed_bound(new, judged, gate, confidence)
    shown = f"with {percent(confidence)} confidence {_whole(judged, gate)}"
    kept, on_old = _reported(old) if report_only else _not_shown_to_forget(old, gate)
    if bound <= 0.0:
        alone = _weighed_bound(new, None, gate, confidence) > 0.0
        reason = VerdictReason.FORGETS_OLD if alone else VerdictReason.NO_IMPROVEMENT
        said = f"Not shown to be better: {numbers}; {shown} may be {points(bound)}."
        return False, reason, f"{said} {on_old}"
    reason = VerdictReason.CHALLENGER_WINS if kept else VerdictReason.FORGETS_OLD
    return kept, reason, f"Better: {numbers}; {shown} is at least {points(bound)}. {on_old}"


def _weighed_bound(
    new: PairedCounts, old: PairedCounts | None, gate: Gate, confidence: float
) -> float:
    weight = gate.old_weight if old is not None else 0.0
    parts = [Paired(1.0 - weight, new.n, new.challenger_only, new.champion_only)]
    if old is not None:
        parts.append(Paired(weight, old.n, old.challenger_only, old.champion_only))
    return weighted_lower_bound(parts, confidence)


def _whole(old: PairedCounts | None, gate: Gate) -> str:
    if old is None:
        return "the gain"
    return f"the gain of both ages ({figure(gate.old_weight)} of it the old one's)"


def _not_shown_to_forget(old: PairedCounts | None, gate: Gate) -> tuple[bool, str]:
    """What few old rows tell of what may be forgotten."""
    if old is None or old.n == 0:
        return True, _NO_OLD_ROW
    least = paired_lower_bound(old.n, old.champion_only, old.challenger_only, LOSS_CONFIDENCE)
    numbers = f"{_accuracies(old)} on {old.n} old held-out rows ({_paired(old)})"
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


def _better(new: PairedCounts | None, gate: Gate, *, age: str = "new") -> tuple[bool, str]:
    """On the held-out rows of that age."""
    if new is None or new.n == 0:
        return False, _nothing_to_judge_on(age)
    p = mcnemar(new.challenger_only, new.champion_only)
    numbers = (
        f"{_accuracies(new)} on {new.n} {age} held-out rows ({_paired(new)}, p {p_value(p)}, "
        f"asked for {figure(1.0 - gate.confidence)})"
    )
    if p > 1.0 - gate.confidence:
        return False, f"Not shown to be better: {numbers}."
    if not _reaches_floor(new, gate):
        return False, _below_floor(new, gate, numbers)
    return True, f"Better: {numbers}."


def _nothing_to_judge_on(age: str) -> str:
    field = "updatesPercent" if age == "new" else "originalPercent"
    return (
        f"There is no {age} held-out row to judge on: add labelled rows, or hold more of them "
        f"out (spec.data.holdout.{field})."
    )


def _reaches_floor(new: PairedCounts, gate: Gate) -> bool:
    return new.challenger_only - new.champion_only >= gate.min_improvement * new.n - 1e-9


def _below_floor(new: PairedCounts, gate: Gate, numbers: str) -> str:
    gain = new.challenger_accuracy - new.champion_accuracy
    if gate.min_improvement <= 0.0:
        return f"Not better: {numbers}."
    return (
        f"Better, but by {percent(gain)} only, where spec.gate.minImprovement asks "
        f"for {percent(gate.min_improvement)}: {numbers}."
    )


def _kept(old: PairedCounts | None, gate: Gate) -> tuple[bool, str]:
    if old is None or old.n == 0:
        return True, _NO_OLD_ROW
    bound = paired_lower_bound(old.n, old.challenger_only, old.champion_only, gate.confidence)
    kept = bound >= -gate.max_old_loss and _exactly_kept(old, gate)
    numbers = (
        f"{_accuracies(old)} on {old.n} old held-out rows ({_paired(old)}); with "
        f"{percent(gate.confidence)} confidence it loses at most {percent(max(0.0, -bound))}, "
        f"allowed are {percent(gate.max_old_loss)}"
    )
    if kept:
        return True, f"Nothing lost: {numbers}."
    return False, f"Not shown to have kept what the champion knew: {numbers}."


def _exactly_kept(old: PairedCounts, gate: Gate) -> bool:
    """On few rows the score bound is a little bold: the exact test must agree."""
    if old.n > EXACT_ROWS or not 0.0 <= gate.max_old_loss < 1.0:
        return True
    p = non_inferiority_p(old.n, old.challenger_only, old.champion_only, gate.max_old_loss)
    return p <= 1.0 - gate.confidence


def _reported(old: PairedCounts | None) -> tuple[bool, str]:
    if old is None or old.n == 0:
        return True, "There is no old held-out row."
    return True, (
        f"{_accuracies(old)} on {old.n} old held-out rows, reported and not judged: after "
        "concept drift their labels are out of date."
    )


def _accuracies(counts: PairedCounts) -> str:
    return (
        f"{percent(counts.challenger_accuracy)} right, the champion "
        f"{percent(counts.champion_accuracy)},"
    )


def _paired(counts: PairedCounts) -> str:
    return f"{counts.challenger_only} won and {counts.champion_only} lost"
