"""From a diagnosis to an action: an ordered list of rules that a reader can recite.

``RULES`` propose: the first that has something to say decides. What would train then passes the
``BRAKES``: the first that objects turns it into Wait. The questions are those of the workflow, in
its order; the workflow draws the shift and the drift question side by side, here they are asked in
turn, and the graver answer decides. The first sentence of each docstring is its row in
``docs/decision-table.md``.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from maintenance_contract import Answer, Evidence, Outcome, Question
from maintenance_operator.core.findings import (
    NEW_LABELS,
    OUTSIDE_SUPPORT,
    accuracy,
    answered,
    diagnosis_of,
    drop_p_value,
    expected_accuracy,
    findings,
    new_rows,
    rows,
    unprompted,
    usable,
)
from maintenance_operator.core.model import (
    Action,
    Decision,
    HistoryEntry,
    Limits,
    OnConceptDrift,
    PathStep,
    RunOutcome,
    Situation,
    Trigger,
)
from maintenance_operator.core.narrate import answer, path, rejected, trouble
from maintenance_operator.core.numbers import (
    duration,
    figure,
    moment,
    p_value,
    percent,
    shortened,
)
from maintenance_operator.core.power import (
    MOST_ROWS,
    POWER,
    fewest_rows,
    rows_to_show_no_loss,
    rows_to_show_win,
)
from maintenance_operator.core.reasons import DecisionReason


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a rule or a brake has to say."""

    action: Action
    reason: DecisionReason
    message: str


Rule = Callable[[Situation], Proposal | None]
Brake = Callable[[Situation, Proposal], Proposal | None]


def decide(situation: Situation) -> Decision:
    """Choose an action, with the questions asked, the numbers, and why nothing else.

    Total: every situation has a decision. Deciding twice gives the same.
    """
    wanted = propose(situation)
    objection = object_to(situation, wanted)
    chosen = objection or wanted
    return Decision(
        number=situation.number,
        trigger=situation.trigger,
        action=chosen.action,
        reason=chosen.reason,
        message=shortened(f"{trouble(situation.degraded)} {chosen.message}".strip()),
        path=path(situation, trains=chosen.action.training is not None),
        rejected=rejected(wanted.action, wanted.reason, objection.reason if objection else None),
        time=situation.now,
        escalated_from=situation.escalated_from,
    )


def propose(situation: Situation) -> Proposal:
    """What the first rule that applies wants; the last rule always applies."""
    return next(proposal for rule in RULES if (proposal := rule(situation)) is not None)


def object_to(situation: Situation, wanted: Proposal) -> Proposal | None:
    """The first brake's objection to a training, if any."""
    if wanted.action.training is None:
        return None
    objections = (brake(situation, wanted) for brake in BRAKES)
    return next(filter(None, objections), None)


def concept_drift(steps: Iterable[PathStep]) -> bool:
    """Whether a decision's path says that the same inputs now mean something else, at large.

    Then the old held-out labels are wrong by construction, and contradicted old rows are not
    trained on.
    """
    return any(
        step.question is Question.CONCEPT_DRIFT and step.answer is Answer.MAJOR for step in steps
    )


# --- rules: what would help -------------------------------------------------------------


def diagnosis_failed(situation: Situation) -> Proposal | None:
    """The diagnosis failed: Blocked. Nothing is trained on data that cannot be read."""
    if usable(situation):
        return None
    report = situation.report
    said = f"{report.reason or 'NoReason'}: {report.message or 'The trainer does not say why.'}"
    if report.outcome is Outcome.SUCCEEDED:
        said = "ReportInvalid: The trainer reports success without a diagnosis."
    return Proposal(Action.BLOCKED, DecisionReason.DATA_UNUSABLE, said)


def no_champion(situation: Situation) -> Proposal | None:
    """There is no champion yet: Retrain from the base model."""
    if situation.trigger is not Trigger.INITIAL and situation.champion is not None:
        return None
    counts = diagnosis_of(situation).rows
    return Proposal(
        Action.RETRAIN,
        DecisionReason.FIRST_VERSION,
        f"There is no champion yet. {counts.old_train + counts.new_train} labelled rows to train "
        f"on, {counts.old_held_out + counts.new_held_out} held out: train the first version from "
        "the base model.",
    )


def fine_tune_rejected(situation: Situation) -> Proposal | None:
    """A fine-tuned challenger has just failed the gate: Retrain on the same data, once."""
    if situation.trigger is not Trigger.ESCALATION:
        return None
    run = "" if situation.escalated_from is None else f" of run {situation.escalated_from}"
    return Proposal(
        Action.RETRAIN,
        DecisionReason.FINE_TUNE_REJECTED,
        f"The fine-tuned model{run} did not pass the gate: retrain from the base model on the same "
        "data, once.",
    )


def no_new_rows(situation: Situation) -> Proposal | None:
    """No row was newly labelled since the champion was trained: Wait."""
    if new_rows(situation):
        return None
    return Proposal(
        Action.WAIT,
        DecisionReason.NO_NEW_ROWS,
        "No newly labelled row has arrived in spec.data.updates since the champion was trained; "
        f"{situation.spec.min_new_rows} are needed to look for a cause.",
    )


def not_enough_new_rows(situation: Situation) -> Proposal | None:
    """Fewer newly labelled rows than `spec.decision.minNewRows`: Wait."""
    have, need = new_rows(situation), situation.spec.min_new_rows
    if have >= need:
        return None
    return Proposal(
        Action.WAIT,
        DecisionReason.NOT_ENOUGH_NEW_ROWS,
        f"{have} newly labelled rows, {need} are needed (spec.decision.minNewRows): "
        f"{need - have} are missing.",
    )


def no_drop(situation: Situation) -> Proposal | None:
    """By schedule or new data: the champion is not shown to do worse on new rows: None."""
    p = drop_p_value(situation)
    asked = 1.0 - situation.spec.gate.confidence
    if not unprompted(situation) or p is None or p <= asked:
        return None
    held_out = diagnosis_of(situation).new
    now = accuracy(held_out)
    assert now is not None  # noqa: S101 - there is a p-value
    return Proposal(
        Action.NONE,
        DecisionReason.NO_DROP_FOUND,
        f"The champion gets {percent(now)} of {rows(held_out)} new held-out rows right; that it "
        f"does worse there than {_where(situation)} {_expected(situation)} is not shown (p "
        f"{p_value(p)}, asked for {figure(asked)}).",
    )


def no_cause(situation: Situation) -> Proposal | None:
    """All three questions are answered No: None."""
    if len(answered(situation, Answer.NO)) < len(findings(situation)):
        return None
    return Proposal(
        Action.NONE,
        DecisionReason.NO_CAUSE_FOUND,
        "No shift of the inputs, no concept drift and no change of the feature space in "
        f"{new_rows(situation)} newly labelled rows: training would fit noise.",
    )


def no_harm(situation: Situation) -> Proposal | None:
    """The champion is as good on new held-out rows as on old ones: None, nothing is to be won.

    Asked only where there are rows enough to show a win at all; fewer are the brakes' affair.
    """
    held_out = diagnosis_of(situation).new
    now, expected = accuracy(held_out), expected_accuracy(situation)
    if rows(held_out) < fewest_rows(situation.spec.gate.confidence):
        return None
    if now is None or expected is None or now < expected:
        return None
    return Proposal(
        Action.NONE,
        DecisionReason.NO_CAUSE_FOUND,
        f"The newly labelled rows do not show the drop: the champion gets {percent(now)} of "
        f"{rows(held_out)} new held-out rows right, {_where(situation)} {percent(expected)}. Check "
        "that the labels in spec.data.updates are of the traffic that the metric measures.",
    )


def feature_space_changed(situation: Situation) -> Proposal | None:
    """FeatureSpaceChange is Major: Retrain from the base model."""
    return _if_major(
        situation,
        Question.FEATURE_SPACE_CHANGE,
        DecisionReason.FEATURE_SPACE_CHANGED,
        "retrain from the base model",
    )


def concept_drifted(situation: Situation) -> Proposal | None:
    """ConceptDrift is Major: Retrain, without the old rows that new labels contradict."""
    return _if_major(
        situation,
        Question.CONCEPT_DRIFT,
        DecisionReason.CONCEPT_DRIFT,
        "retrain from the base model, without the old rows that new labels contradict",
    )


def distribution_shifted(situation: Situation) -> Proposal | None:
    """DataDistributionShift is Major: Retrain on original and updated data."""
    return _if_major(
        situation,
        Question.DATA_DISTRIBUTION_SHIFT,
        DecisionReason.DISTRIBUTION_SHIFT,
        "retrain from the base model on original and updated data",
    )


def domain_expanded(situation: Situation) -> Proposal | None:
    """A Minor answer rests on `outsideSupport` or `newLabels`: FineTune, replaying old rows."""
    for finding in answered(situation, Answer.MINOR):
        match finding.evidence:
            case (Evidence(name=name, value=share), *_) if name == OUTSIDE_SUPPORT:
                new = "lie outside what the champion was trained on"
            case (Evidence(name=name, value=share), *_) if name == NEW_LABELS:
                new = "have a label that the champion does not know"
            case _:
                continue
        return Proposal(
            Action.FINE_TUNE,
            DecisionReason.DOMAIN_EXPANSION,
            f"{percent(share)} of the new rows {new}, and no question is answered Major. Minor "
            "change: fine-tune, replaying old rows.",
        )
    return None


def minor_change(situation: Situation) -> Proposal | None:
    """Any answer is Minor: FineTune, replaying old rows."""
    minor = answered(situation, Answer.MINOR)
    if not minor:
        return None
    return Proposal(
        Action.FINE_TUNE,
        DecisionReason.MINOR_CHANGE,
        f"{'; '.join(map(answer, minor))}. Minor change: fine-tune, replaying old rows.",
    )


def cause_open(situation: Situation) -> Proposal:
    """An answer is Undetermined, none is graver: FineTune, the cheapest try; the gate decides."""
    questions = [finding.question.value for finding in answered(situation, Answer.UNDETERMINED)]
    return Proposal(
        Action.FINE_TUNE,
        DecisionReason.UNDETERMINED,
        f"The rows do not settle {' and '.join(questions)}: fine-tune, the cheapest try; the gate "
        "decides.",
    )


RULES: Final[tuple[Rule, ...]] = (
    diagnosis_failed,
    no_champion,
    fine_tune_rejected,
    no_new_rows,
    not_enough_new_rows,
    no_drop,
    no_cause,
    no_harm,
    feature_space_changed,
    concept_drifted,
    distribution_shifted,
    domain_expanded,
    minor_change,
    cause_open,
)


def _if_major(
    situation: Situation, question: Question, reason: DecisionReason, remedy: str
) -> Proposal | None:
    for finding in answered(situation, Answer.MAJOR):
        if finding.question is question:
            message = f"{reason.sentence} {answer(finding)}. Major change: {remedy}."
            return Proposal(Action.RETRAIN, reason, message)
    return None


# --- brakes: what keeps a training from starting ----------------------------------------


def no_new_evidence(situation: Situation, wanted: Proposal) -> Proposal | None:
    """The gate already rejected this action for this champion, data and spec: Wait for a change.

    A rejected FineTune is not taken for a reason to Retrain here: its escalation was that.
    """
    champion = situation.champion.digest if situation.champion else ""
    evidence = (wanted.action, champion, situation.report.snapshot_digest, situation.generation)
    tried = (
        entry
        for entry in situation.history
        if entry.outcome is RunOutcome.REJECTED
        and entry.data_digest
        and (entry.action, entry.champion_digest, entry.data_digest, entry.generation) == evidence
    )
    before = next(tried, None)
    if before is None:
        return None
    return Proposal(
        Action.WAIT,
        DecisionReason.NO_NEW_EVIDENCE,
        f"{wanted.action.value} on the same data was rejected in run {before.number} "
        f"({before.reason}). It will be tried again when newly labelled rows "
        "arrive or the spec changes.",
    )


def runs_left(history: Iterable[HistoryEntry], limits: Limits, now: datetime) -> int:
    """How many trainings ``spec.limits.runs`` still allows."""
    return max(0, limits.max_runs - len(_trainings(history, limits, now)))


def _trainings(history: Iterable[HistoryEntry], limits: Limits, now: datetime) -> list[datetime]:
    """When the trainings in the window ended, oldest first."""
    return sorted(
        entry.end_time for entry in history if entry.trained and entry.end_time > now - limits.per
    )


def run_limit(situation: Situation, wanted: Proposal) -> Proposal | None:
    """`spec.limits.runs` is used up: Wait until the oldest training leaves the window."""
    limits = situation.spec.limits
    ends = _trainings(situation.history, limits, situation.now)
    if len(ends) < limits.max_runs:
        return None
    free = ends[len(ends) - limits.max_runs] + limits.per
    return Proposal(
        Action.WAIT,
        DecisionReason.RUN_LIMIT_REACHED,
        f"{_due(wanted)}, but {len(ends)} trainings ended within {duration(limits.per)} and "
        f"spec.limits.runs allows {limits.max_runs}: the next may start at {moment(free)}.",
    )


def too_few_rows_for_a_first_win(situation: Situation, wanted: Proposal) -> Proposal | None:
    """First version: too few held-out rows to beat the majority class by any score: Wait."""
    if wanted.reason is not DecisionReason.FIRST_VERSION:
        return None
    gate, counts = situation.spec.gate, diagnosis_of(situation).rows
    return _shortage(
        wanted,
        kind="held-out rows",
        have=counts.new_held_out + counts.old_held_out,
        need=fewest_rows(gate.confidence),
        show=f"with {percent(gate.confidence)} confidence that it beats the majority class",
        wish=_label(situation.spec.holdout.original_percent, "originalPercent"),
    )


def too_few_new_rows_for_a_win(situation: Situation, wanted: Proposal) -> Proposal | None:
    """The new held-out rows could not show that the champion's error is mended: Wait."""
    spec, held_out = situation.spec, diagnosis_of(situation).new
    if wanted.reason is DecisionReason.FIRST_VERSION or situation.report.diagnosis is None:
        return None
    gate, now, expected = spec.gate, accuracy(held_out), expected_accuracy(situation)
    need, show = fewest_rows(gate.confidence), f"any win with {percent(gate.confidence)} confidence"
    if now is not None and expected is not None and rows(held_out) >= need:
        target = min(1.0, max(expected, now + gate.min_improvement))
        need = rows_to_show_win(now, target, gate.confidence)
        show = f"{_surely(gate.confidence)} that {percent(now)} has become {percent(target)}"
    return _shortage(
        wanted,
        kind="new held-out rows",
        have=rows(held_out),
        need=need,
        show=show,
        wish=_label(spec.holdout.updates_percent, "updatesPercent"),
    )


def too_few_old_rows_for_no_loss(situation: Situation, wanted: Proposal) -> Proposal | None:
    """The old held-out rows are judged and could not show that nothing is forgotten: Wait."""
    gate, held_out = situation.spec.gate, diagnosis_of(situation).old
    before = accuracy(held_out)
    if wanted.reason is DecisionReason.FIRST_VERSION or before is None:
        return None
    if gate.on_concept_drift is OnConceptDrift.REPORT_ONLY and any(
        finding.question is Question.CONCEPT_DRIFT for finding in answered(situation, Answer.MAJOR)
    ):
        return None
    label = _label(situation.spec.holdout.original_percent, "originalPercent")
    return _shortage(
        wanted,
        kind="old held-out rows",
        have=rows(held_out),
        need=rows_to_show_no_loss(before, gate.max_old_loss, gate.confidence),
        show=f"{_surely(gate.confidence)} that it loses no more than {percent(gate.max_old_loss)}",
        wish=lambda missing: f"{label(missing)}; or raise spec.gate.oldData.maxLoss",
    )


BRAKES: Final[tuple[Brake, ...]] = (
    no_new_evidence,
    run_limit,
    too_few_rows_for_a_first_win,
    too_few_new_rows_for_a_win,
    too_few_old_rows_for_no_loss,
)


def _shortage(
    wanted: Proposal, *, kind: str, have: int, need: int, show: str, wish: Callable[[int], str]
) -> Proposal | None:
    if have >= need:
        return None
    some = f"{need} are" if need < MOST_ROWS else f"more than {MOST_ROWS:,} would be"
    return Proposal(
        Action.WAIT,
        DecisionReason.NOT_ENOUGH_HELD_OUT_ROWS,
        f"{_due(wanted)}, but could not be judged on {have} {kind}: {some} needed to show {show}. "
        f"{wish(need - have)}.",
    )


def _label(share: int, field: str) -> Callable[[int], str]:
    """What to do about missing held-out rows, of which ``share`` per cent of labelled ones make."""

    def wish(missing: int) -> str:
        label = math.ceil(missing * 100 / share)
        if label >= MOST_ROWS:
            return "No number of rows that anybody labels would do"
        return f"Label {label} more rows (spec.data.holdout.{field} is {share})"

    return wish


def _due(wanted: Proposal) -> str:
    return f"{wanted.action.value} is due ({wanted.reason.value})"


def _surely(confidence: float) -> str:
    return f"with {percent(confidence)} confidence and {percent(POWER)} power"


def _expected(situation: Situation) -> str:
    expected = expected_accuracy(situation)
    return "" if expected is None else f"({percent(expected)})"


def _where(situation: Situation) -> str:
    old = diagnosis_of(situation).old
    return f"of {rows(old)} old ones" if rows(old) else "where spec.metrics asks for"
