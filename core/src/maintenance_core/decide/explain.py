"""A decision in words: the questions with their numbers, and why nothing else was done."""

from typing import Final

from maintenance_contract import HITS, LOSSES, Answer, Evidence, Finding, LeftOut, Question
from maintenance_contract.evidence_names import (
    ACCURACY,
    ACCURACY_ON_NEW_ROWS,
    BREACHED_READINGS,
    ERROR,
    ERROR_RATE,
    HIT_RATE,
    HITS_ON_NEW_ROWS,
    LOSS_ON_NEW_ROWS,
    MISS_RATE,
    SCORE,
)
from maintenance_contract.plain import printable
from maintenance_core.decide.findings import (
    diagnosis_of,
    drop_p_value,
    expected_score,
    findings,
    rows,
    scale,
    score,
    too_few_to_compare,
    unprompted,
    usable,
)
from maintenance_core.model import (
    Action,
    Alarm,
    Degraded,
    Kind,
    Metrics,
    PathStep,
    RejectedAction,
    Situation,
    Spec,
    StatusEvidence,
    ThresholdRange,
    Trigger,
)
from maintenance_core.numbers import figure, moment, p_value, reading, shortened
from maintenance_core.reasons import DecisionReason

MOST_LEFT_OUT: Final = 240
"""Characters about files that were not read, of a decision's message."""
MOST_OF_DATA: Final = 480
"""The same and the trainer's remarks together."""
_NO_DATA: Final = "There are no data that a training could be trusted with."
_NO_ROWS: Final = "There are too few newly labelled rows to say."
_AS_ONE_ROW: Final = "Rows that tell as little as one cannot say whether there is a drop."
_NO_DROP: Final = "There is no drop that training would mend."
_NO_CAUSE: Final = "There is no cause that training would mend."
_CAUSE: Final = "There is a cause that training can mend."
_MAJOR: Final = "The change is major; fine-tuning is for minor ones."
_FAMILIAR: Final = "What the model has learnt still holds; a fine-tune keeps it."
_NEARLY_ALL: Final = "What the model has learnt still holds for nearly all inputs."
_FEW_LEFT: Final = "Hardly an old row still holds: it would learn from the same rows, for more."
_NOT_MAJOR: Final = "No question is answered Major."

WHY_NOT: Final[dict[DecisionReason, dict[Action, str]]] = {
    DecisionReason.DATA_UNUSABLE: {
        Action.NONE: "Whether there is a cause is not known.",
        Action.FINE_TUNE: _NO_DATA,
        Action.RETRAIN: _NO_DATA,
    },
    DecisionReason.FIRST_VERSION: {
        Action.NONE: "There is no model to leave as it is.",
        Action.FINE_TUNE: "There is no model to fine-tune.",
    },
    DecisionReason.INITIAL_MODEL: {
        Action.FINE_TUNE: "It is taken over as it is; whether anything ails it is seen in service.",
        Action.RETRAIN: "There is a model to begin with.",
    },
    DecisionReason.FINE_TUNE_REJECTED: {
        Action.NONE: _CAUSE,
        Action.FINE_TUNE: "It has just been tried and did not pass the gate.",
    },
    DecisionReason.NO_NEW_ROWS: {
        Action.NONE: _NO_ROWS,
        Action.FINE_TUNE: _NO_ROWS,
        Action.RETRAIN: _NO_ROWS,
    },
    DecisionReason.NOT_ENOUGH_NEW_ROWS: {
        Action.NONE: _NO_ROWS,
        Action.FINE_TUNE: _NO_ROWS,
        Action.RETRAIN: _NO_ROWS,
    },
    DecisionReason.NOT_ENOUGH_HELD_OUT_ROWS: {
        Action.NONE: _AS_ONE_ROW,
        Action.FINE_TUNE: _AS_ONE_ROW,
        Action.RETRAIN: _AS_ONE_ROW,
    },
    DecisionReason.NO_DROP_FOUND: {Action.FINE_TUNE: _NO_DROP, Action.RETRAIN: _NO_DROP},
    DecisionReason.NO_CAUSE_FOUND: {Action.FINE_TUNE: _NO_CAUSE, Action.RETRAIN: _NO_CAUSE},
    DecisionReason.FEATURE_SPACE_CHANGED: {Action.NONE: _CAUSE, Action.FINE_TUNE: _MAJOR},
    DecisionReason.CONCEPT_DRIFT: {Action.NONE: _CAUSE, Action.FINE_TUNE: _MAJOR},
    DecisionReason.SLIGHT_CONCEPT_DRIFT: {Action.NONE: _CAUSE, Action.RETRAIN: _NEARLY_ALL},
    DecisionReason.CONCEPT_REPLACED: {Action.NONE: _CAUSE, Action.RETRAIN: _FEW_LEFT},
    DecisionReason.DISTRIBUTION_SHIFT: {Action.NONE: _CAUSE, Action.FINE_TUNE: _MAJOR},
    DecisionReason.DOMAIN_EXPANSION: {Action.NONE: _CAUSE, Action.RETRAIN: _NOT_MAJOR},
    DecisionReason.LABEL_SHIFT: {Action.NONE: _CAUSE, Action.RETRAIN: _FAMILIAR},
    DecisionReason.COVARIATE_SHIFT: {Action.NONE: _CAUSE, Action.RETRAIN: _FAMILIAR},
    DecisionReason.BENIGN_SHIFT: {Action.FINE_TUNE: _NO_DROP, Action.RETRAIN: _NO_DROP},
    DecisionReason.MINOR_CHANGE: {Action.NONE: _CAUSE, Action.RETRAIN: _NOT_MAJOR},
    DecisionReason.UNDETERMINED: {
        Action.NONE: "A drop that no test explains is still a drop.",
        Action.RETRAIN: _NOT_MAJOR,
    },
}
"""Why the other actions were not taken, by the reason of the rule that proposed."""


def rejected(
    proposed: Action, reason: DecisionReason, objection: DecisionReason | None
) -> tuple[RejectedAction, ...]:
    """What else could have been done; the proposed action too, where a brake objected.

    Wait and Blocked are no alternatives: they are what is left where nothing can be done yet.
    """
    others = tuple(RejectedAction(action, why) for action, why in WHY_NOT[reason].items())
    if objection is None:
        return others
    return (*others, RejectedAction(proposed, objection.sentence))


def told_of_data(situation: Situation) -> str:
    """What the trainer remarks, and what it did not read; empty where there is no word to say."""
    both = (_remarks(situation), _left_out(situation.report.left_out))
    return shortened(" ".join(filter(None, both)), MOST_OF_DATA)


def _left_out(left: LeftOut) -> str:
    """What lies among the data and was not read; empty where all of it was."""
    if not left.count:
        return ""
    which = "1 file" if left.count == 1 else f"{left.count} files"
    named = f": {left.told()}" if left.files else ""
    return shortened(f"Not read, of the data: {which}{named}.", MOST_LEFT_OUT)


def _remarks(situation: Situation) -> str:
    """What a diagnosis that succeeded has to say of the rows; empty where they need no word."""
    said = situation.report.message
    if not said or not usable(situation):
        return ""
    most = MOST_OF_DATA - (MOST_LEFT_OUT if situation.report.left_out.count else 0)
    return shortened(f"Of the data: {printable(said.removeprefix('data: '))}", most)


def path(situation: Situation, *, trains: bool) -> tuple[PathStep, ...]:
    """The questions that were asked, in the workflow's order.

    PerformanceDrop is Yes where a breach began the run, No for a first version; by schedule or new
    data the labels answer it. The causes are
    left out where no diagnosis of a champion answered them. MonitorAndOptimize, where every path
    ends, is Yes; No where there is nothing to watch: no champion, and no training to make one.
    """
    diagnosed = situation.report.diagnosis is not None and situation.champion is not None
    causes = [
        PathStep(finding.question, finding.answer, _evidence_of(situation, finding))
        for finding in findings(situation)
        if diagnosed
    ]
    watched = situation.champion is not None or trains
    last = PathStep(Question.MONITOR_AND_OPTIMIZE, Answer.YES if watched else Answer.NO)
    return (_performance_drop(situation), *causes, last)


def _evidence_of(situation: Situation, finding: Finding) -> tuple[StatusEvidence, ...]:
    """The numbers of an answer; where no test was made, the rows that were too few for it."""
    told = tuple(map(_evidence, finding.evidence))
    tested = any(evidence.p_value is not None for evidence in finding.evidence)
    few = too_few_to_compare(situation)
    if finding.answer is not Answer.UNDETERMINED or tested or few is None:
        return told
    name, count = few
    return (StatusEvidence(name, str(count)), *told)


def _performance_drop(situation: Situation) -> PathStep:
    degraded = situation.degraded
    if unprompted(situation):
        return _drop_in_labels(situation)
    if degraded is None:
        answer = Answer.NO if situation.trigger is Trigger.INITIAL else Answer.YES
        return PathStep(Question.PERFORMANCE_DROP, answer)
    latest, threshold = degraded.reading, degraded.threshold
    evidence = (
        StatusEvidence(
            _metric(threshold, situation.spec)[0],
            reading(latest.value),
            threshold=figure(threshold.bound),
            n=None if latest.samples is None else int(latest.samples),
        ),
        _sustained(situation, degraded),
    )
    return PathStep(Question.PERFORMANCE_DROP, Answer.YES, evidence)


def _sustained(situation: Situation, degraded: Degraded) -> StatusEvidence:
    """What makes it more than one bad reading."""
    alarm, metrics = degraded.alarm, situation.spec.metrics
    if alarm is not None:
        return StatusEvidence(
            f"{alarm.kind.value}Evidence",
            figure(alarm.statistic),
            threshold=figure(alarm.threshold),
            n=round(alarm.since.samples),
        )
    asked = str(metrics.breach_count) if isinstance(metrics, Metrics) else ""
    return StatusEvidence(
        BREACHED_READINGS, str(degraded.breached), threshold=asked, n=degraded.counted
    )


def _drop_in_labels(situation: Situation) -> PathStep:
    """Answered by the champion's error on newly labelled rows, where the metric shows no drop."""
    p, now = drop_p_value(situation), score(diagnosis_of(situation).new)
    if p is None or now is None:
        return PathStep(Question.PERFORMANCE_DROP, Answer.UNDETERMINED)
    expected, its = expected_score(situation), scale(situation)
    by_loss = its.baseline is not None
    told = its.value if by_loss else figure
    evidence = StatusEvidence(
        LOSS_ON_NEW_ROWS
        if by_loss
        else HITS_ON_NEW_ROWS
        if its.metric in HITS
        else ACCURACY_ON_NEW_ROWS,
        told(now),
        threshold="" if expected is None else told(expected),
        p_value=p_value(p),
        n=rows(diagnosis_of(situation).new),
    )
    shown = p <= 1.0 - situation.spec.gate.confidence
    return PathStep(Question.PERFORMANCE_DROP, Answer.YES if shown else Answer.NO, (evidence,))


def _evidence(evidence: Evidence) -> StatusEvidence:
    return StatusEvidence(
        name=evidence.name,
        value=figure(evidence.value),
        threshold="" if evidence.threshold is None else figure(evidence.threshold),
        p_value="" if evidence.p_value is None else p_value(evidence.p_value),
        n=evidence.n,
        lower="" if evidence.lower is None else figure(evidence.lower),
        upper="" if evidence.upper is None else figure(evidence.upper),
    )


def _metric(threshold: ThresholdRange, spec: Spec) -> tuple[str, str]:
    """The metric in production: its name as evidence, and as a subject.

    Of numbers it is in units of the label, and no share.
    """
    floor, of_numbers = threshold.min is not None, spec.gate.metric in LOSSES
    if of_numbers:
        return (SCORE, "The score") if floor else (ERROR, "The error")
    if spec.gate.metric in HITS:
        return (HIT_RATE, "The hit rate") if floor else (MISS_RATE, "The miss rate")
    return (ACCURACY, "Accuracy") if floor else (ERROR_RATE, "The error rate")


def breach_sentence(degraded: Degraded | None, spec: Spec) -> str:
    """The breach in one sentence; empty where there was none."""
    if degraded is None:
        return ""
    if degraded.alarm is not None:
        said = shown(degraded.alarm)
        return f"{said[0].upper()}{said[1:]}."
    latest, threshold = degraded.reading, degraded.threshold
    what = _metric(threshold, spec)[1]
    side = "below" if threshold.min is not None else "above"
    samples = "" if latest.samples is None else f" ({figure(latest.samples)} samples)"
    return (
        f"{what} {reading(latest.value)} was {side} {figure(threshold.bound)} in "
        f"{degraded.breached} of {degraded.counted} readings{samples}."
    )


_ERROR: Final = {
    Kind.ERROR: "the error rate",
    Kind.ERROR_AT_EQUAL_CLASS: "the error rate at equal class mix",
}


def shown(alarm: Alarm) -> str:
    """What the sequential test shows, as a clause."""
    return (
        f"{_ERROR[alarm.kind]} rose: {reading(alarm.since.rate)} of {alarm.since.samples:.0f} "
        f"labelled predictions since {moment(alarm.onset)} were wrong, where at most "
        f"{figure(alarm.bound)} may be (evidence {figure(alarm.statistic)}, threshold "
        f"{figure(alarm.threshold)})"
    )


def interval(evidence: StatusEvidence) -> str:
    """`` (0.15 to 0.21)``; empty where the number has none."""
    if not evidence.lower or not evidence.upper:
        return ""
    return f" ({evidence.lower} to {evidence.upper})"


def answer(finding: Finding) -> str:
    """A question, its answer, and the number that the answer rests on: its first evidence."""
    spelled = f"{finding.question.value} is {finding.answer.value}"
    if not finding.evidence:
        return spelled
    evidence = _evidence(finding.evidence[0])
    parts = (
        f"{evidence.name} {evidence.value}{interval(evidence)}",
        evidence.threshold and f"threshold {evidence.threshold}",
        evidence.p_value and f"p {evidence.p_value}",
        "" if evidence.n is None else f"n {evidence.n}",
    )
    return f"{spelled} ({', '.join(filter(None, parts))})"
