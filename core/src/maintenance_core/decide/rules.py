"""What would help: ordered rules that a reader can recite; the first that applies proposes.

The questions are those of the workflow, in its order; the workflow draws the shift and the drift
question side by side, here they are asked in turn, and the graver answer decides. The first
sentence of each docstring is its row in ``docs/decision-table.md``.
"""

from typing import Final

from maintenance_contract import Answer, Evidence, HeldOut, HeldOutLoss, Outcome, Question
from maintenance_contract.evidence_names import (
    CLASS_MIX,
    EXPECTED_ERROR_RISE,
    INPUT_SHIFT_AUC,
    NEW_ITEMS,
    NEW_LABELS,
    OUTSIDE_SUPPORT,
    in_words,
)
from maintenance_core.decide.evidence import Cause, Tests, cause, drift_size
from maintenance_core.decide.explain import answer
from maintenance_core.decide.findings import (
    answered,
    diagnosis_of,
    drop_p_value,
    expected_score,
    findings,
    gain_at_new_mix,
    independent,
    level,
    new_rows,
    rows,
    scale,
    score,
    targeted,
    too_few_to_compare,
    unprompted,
    usable,
    where_expected,
)
from maintenance_core.decide.power import fewest_rows
from maintenance_core.decide.proposal import Proposal, Rule
from maintenance_core.decide.worth import many
from maintenance_core.model import Action, OnAmbiguous, Policy, Situation, Trigger
from maintenance_core.numbers import figure, p_value, percent
from maintenance_core.reasons import DecisionReason


def diagnosis_failed(situation: Situation) -> Proposal | None:
    """The diagnosis failed: Blocked. Nothing is trained on data that cannot be read."""
    if usable(situation):
        return None
    report = situation.report
    said = f"{report.reason or 'NoReason'}: {report.message or 'The trainer does not say why.'}"
    if report.outcome is Outcome.SUCCEEDED:
        said = "ReportInvalid: The trainer reports success without a diagnosis."
    return Proposal(Action.BLOCKED, DecisionReason.DATA_UNUSABLE, said)


def initial_model(situation: Situation) -> Proposal | None:
    """There is no champion yet and `spec.model.initialModel` is given: Import it as version 1."""
    given = situation.spec.initial_model
    if situation.trigger is not Trigger.INITIAL or given is None:
        return None
    counts = diagnosis_of(situation).rows
    revision = f" at {situation.spec.initial_revision}" if situation.spec.initial_revision else ""
    return Proposal(
        Action.IMPORT,
        DecisionReason.INITIAL_MODEL,
        f"spec.model.initialModel is given: {given}{revision} becomes the first version, as it is; "
        f"nothing is trained. {counts.old_held_out + counts.new_held_out} rows are held out to "
        f"judge it by.{_on_both(situation)}",
    )


def _on_both(situation: Situation) -> str:
    """What the model does on all held-out rows; of real-valued losses, on each age's."""
    scores = diagnosis_of(situation)
    both = [("new", scores.new), ("old", scores.old)]
    counts = [its for _, its in both if isinstance(its, HeldOut)]
    if n := sum(its.n for its in counts):
        return f" It gets {percent(sum(its.correct for its in counts) / n)} of them right."
    told = [
        f"{figure(its.loss)} on {its.n} {age} rows"
        for age, its in both
        if isinstance(its, HeldOutLoss)
    ]
    metric = next((its.metric for _, its in both if isinstance(its, HeldOutLoss)), "")
    return f" Its {metric} is {' and '.join(told)}." if told else ""


def no_champion(situation: Situation) -> Proposal | None:
    """There is no champion yet: Retrain from the base model."""
    if situation.trigger is not Trigger.INITIAL and situation.champion is not None:
        return None
    counts = diagnosis_of(situation).rows
    return Proposal(
        Action.RETRAIN,
        DecisionReason.FIRST_VERSION,
        f"There is no champion yet. {counts.old_train + counts.new_train} labelled rows to train "
        f"on, {counts.old_held_out + counts.new_held_out} held out: train the first version "
        f"{_start(situation)}.",
    )


def fine_tune_rejected(situation: Situation) -> Proposal | None:
    """A fine-tuned challenger has just failed the gate: Retrain on the same data, once."""
    if situation.trigger is not Trigger.ESCALATION:
        return None
    run = "" if situation.escalated_from is None else f" of run {situation.escalated_from}"
    return Proposal(
        Action.RETRAIN,
        DecisionReason.FINE_TUNE_REJECTED,
        f"The fine-tuned model{run} did not pass the gate: retrain {_start(situation)} on the same "
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


def nothing_to_read(situation: Situation) -> Proposal | None:
    """By schedule or new data, and updates are Targeted: None, they cannot show a drop."""
    if not (unprompted(situation) and targeted(situation)):
        return None
    return Proposal(
        Action.NONE,
        DecisionReason.NO_DROP_FOUND,
        "spec.data.updates.sampling is Targeted: rows that were chosen because they are hard "
        "cannot show that the champion does worse. A drop of the metric is waited for.",
    )


def as_little_as_one_row(situation: Situation) -> Proposal | None:
    """By schedule or new data, and held-out rows tell no more than one row would: Wait.

    They are of one unit (what is held out together: a user, a group, a block of time), or of few
    that differ much.
    """
    found = diagnosis_of(situation)
    alone = next((each for each in (found.new, found.old) if each and independent(each) == 1), None)
    if alone is None or not unprompted(situation):
        return None
    age, where = ("new", "updates") if alone is found.new else ("old", "original")
    return Proposal(
        Action.WAIT,
        DecisionReason.NOT_ENOUGH_HELD_OUT_ROWS,
        f"The {alone.n} {age} held-out rows tell no more than one row would: they are of one unit "
        "(one user, one group, one stretch of time; a unit is held out whole), or of few that "
        "differ much. Whether the champion does worse on newly labelled rows cannot be told from "
        f"that; rows of more units are needed in spec.data.{where}.",
    )


def no_drop(situation: Situation) -> Proposal | None:
    """By schedule or new data: the champion is not shown to do worse on new rows: None."""
    p = drop_p_value(situation)
    asked = 1.0 - situation.spec.gate.confidence
    if not unprompted(situation) or p is None or p <= asked:
        return None
    return Proposal(
        Action.NONE,
        DecisionReason.NO_DROP_FOUND,
        f"The champion {_on_new(situation)}; that it "
        f"does worse there than {where_expected(situation)} {_expected(situation)} is not shown (p "
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

    Unless the classes come in other shares and it would do better if it knew them.
    Asked only where there are rows enough to show a win at all; fewer are the brakes' affair.
    """
    held_out = diagnosis_of(situation).new
    now, expected = score(held_out), expected_score(situation)
    if rows(held_out) < fewest_rows(situation.spec.gate.confidence):
        return None
    if now is None or expected is None or now < expected or gain_at_new_mix(situation) is not None:
        return None
    return Proposal(
        Action.NONE,
        DecisionReason.NO_CAUSE_FOUND,
        f"The newly labelled rows do not show the drop: the champion {_on_new(situation)}, "
        f"{where_expected(situation)} {scale(situation).value(expected)}. Check that the labels in "
        "spec.data.updates are of the traffic that the metric measures.",
    )


def feature_space_changed(situation: Situation) -> Proposal | None:
    """FeatureSpaceChange is Major: Retrain from the base model."""
    return _if_major(
        situation,
        Question.FEATURE_SPACE_CHANGE,
        DecisionReason.FEATURE_SPACE_CHANGED,
        f"retrain {_start(situation)}",
    )


def concept_drifted(situation: Situation) -> Proposal | None:
    """ConceptDrift is Major: Retrain, without the old rows that new labels contradict."""
    return _if_major(
        situation,
        Question.CONCEPT_DRIFT,
        DecisionReason.CONCEPT_DRIFT,
        f"retrain {_start(situation)}, without the old rows that new labels contradict",
    )


def concept_replaced(situation: Situation) -> Proposal | None:
    """ConceptDrift is Major, most accuracy is lost, rows are many: FineTune on what still holds.

    Hardly an old row still holds, so a retrain would see little but the new rows, too, and pay for
    beginning again. Of few rows a fine-tune unlearns too little, and a retrain costs little. Of
    numbers it has not been measured: there a retrain is due.
    """
    if not scale(situation).of_rows:
        return None
    now, expected = score(diagnosis_of(situation).new), expected_score(situation)
    if _cause(situation) is not Cause.CONCEPT_DRIFT or now is None or expected is None:
        return None
    if expected <= 0.0 or not many(level(diagnosis_of(situation).old)):
        return None
    asked = situation.spec.thresholds.concept_replaced
    if now / expected >= 1.0 - asked:
        return None
    return Proposal(
        Action.FINE_TUNE,
        DecisionReason.CONCEPT_REPLACED,
        f"{DecisionReason.CONCEPT_REPLACED.sentence} The champion {_on_new(situation)}, "
        f"{where_expected(situation)} {scale(situation).value(expected)}: more than "
        f"{percent(asked)} of that is lost "
        "(spec.decision.thresholds.conceptReplaced). Fine-tune on the new rows and on those old "
        "ones that no new label contradicts.",
    )


def concept_drifted_slightly(situation: Situation) -> Proposal | None:
    """ConceptDrift is Major, of few inputs: FineTune, without contradicted old rows.

    Major it is, for old labels are wrong where it holds; but what the champion learnt holds nearly
    everywhere, and few new rows tell where not.
    """
    found, at = findings(situation), situation.spec.thresholds
    size = drift_size(found, at)
    if _cause(situation) is not Cause.CONCEPT_DRIFT or size >= at.slight_drift:
        return None
    return Proposal(
        Action.FINE_TUNE,
        DecisionReason.SLIGHT_CONCEPT_DRIFT,
        f"{DecisionReason.SLIGHT_CONCEPT_DRIFT.sentence} The error has risen by {percent(size)} by "
        "what neither inputs nor class mix explain, less than "
        f"{percent(at.slight_drift)} (spec.decision.thresholds.slightDrift): fine-tune, replaying "
        "old rows that no new label contradicts.",
    )


def distribution_shifted(situation: Situation) -> Proposal | None:
    """DataDistributionShift is Major: Retrain on original and updated data."""
    return _if_major(
        situation,
        Question.DATA_DISTRIBUTION_SHIFT,
        DecisionReason.DISTRIBUTION_SHIFT,
        f"retrain {_start(situation)} on original and updated data",
    )


def domain_expanded(situation: Situation) -> Proposal | None:
    """A Minor answer rests on new inputs, labels or items: FineTune, replaying old rows."""
    for finding in answered(situation, Answer.MINOR):
        match finding.evidence:
            case (Evidence(name=name, value=share), *_) if name == OUTSIDE_SUPPORT:
                new = "of the new rows lie outside what the champion was trained on"
            case (Evidence(name=name, value=share), *_) if name == NEW_LABELS:
                new = "of the new rows have a label that the champion does not know"
            case (Evidence(name=name, value=share), *_) if name == NEW_ITEMS:
                new = "of the new interactions are with items that the champion does not know"
            case _:
                continue
        return Proposal(
            Action.FINE_TUNE,
            DecisionReason.DOMAIN_EXPANSION,
            f"{percent(share)} {new}, and no question is answered Major. Minor "
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
    if targeted(situation):
        return Proposal(
            Action.FINE_TUNE,
            DecisionReason.UNDETERMINED,
            "spec.data.updates.sampling is Targeted, so no shift and no drift is read from these "
            "rows: fine-tune on them, the cheapest try. The gate decides by the old held-out rows, "
            "where the challenger must be better.",
        )
    questions = [finding.question.value for finding in answered(situation, Answer.UNDETERMINED)]
    return Proposal(
        Action.FINE_TUNE,
        DecisionReason.UNDETERMINED,
        f"The rows do not settle {' and '.join(questions)}{_unsettled(situation)}: "
        f"{_try(situation)}",
    )


def _unsettled(situation: Situation) -> str:
    """Why, where that is plain: no test was made."""
    few = too_few_to_compare(situation)
    if few is None:
        return ""
    name, count = few
    return f" ({count} {in_words(name)})"


def _try(situation: Situation) -> str:
    if situation.spec.on_ambiguous is OnAmbiguous.RACE:
        return (
            "fine-tune and retrain race (spec.decision.onAmbiguous), and the better one meets the "
            "gate, which asks it for half the error: it is the better of two."
        )
    return "fine-tune, the cheapest try; the gate decides."


def harmless_shift(situation: Situation) -> Proposal | None:
    """The inputs moved where the champion does not look, and no drop is shown: None."""
    p = drop_p_value(situation)
    if _cause(situation) is not Cause.BENIGN_SHIFT or (p is not None and p <= HARM):
        return None
    return Proposal(
        Action.NONE,
        DecisionReason.BENIGN_SHIFT,
        f"{DecisionReason.BENIGN_SHIFT.sentence} {_number(situation, INPUT_SHIFT_AUC)}; what the "
        f"champion answers has not moved, and that it does worse on the new rows is not shown"
        f"{'' if p is None else f' (p {p_value(p)})'}: training would mend nothing.",
    )


def labels_shifted(situation: Situation) -> Proposal | None:
    """The class mix moved, each class looks as before: FineTune, replaying old rows."""
    if _cause(situation) is not Cause.LABEL_SHIFT:
        return None
    return Proposal(
        Action.FINE_TUNE,
        DecisionReason.LABEL_SHIFT,
        f"{DecisionReason.LABEL_SHIFT.sentence} {_number(situation, CLASS_MIX)}."
        f"{_could_reach(situation)} A light fine-tune moves the model's expectation along, "
        "replaying old rows; old held-out rows are judged in the classes' new shares.",
    )


def _could_reach(situation: Situation) -> str:
    gain = gain_at_new_mix(situation)
    if gain is None:
        return ""
    return f" If it knew them, the champion would get {percent(gain)} more of the new rows right."


def inputs_shifted(situation: Situation) -> Proposal | None:
    """The inputs moved, and the champion's answers with them: FineTune, replaying old rows."""
    if _cause(situation) is not Cause.COVARIATE_SHIFT:
        return None
    return Proposal(
        Action.FINE_TUNE,
        DecisionReason.COVARIATE_SHIFT,
        f"{DecisionReason.COVARIATE_SHIFT.sentence} {_number(situation, EXPECTED_ERROR_RISE)}; the "
        "same inputs mean what they meant: fine-tune, replaying old rows.",
    )


HARM: Final = 0.05
"""A shift is called harmless unless the champion is shown to do worse at this level."""

WORKFLOW: Final[tuple[Rule, ...]] = (
    diagnosis_failed,
    initial_model,
    no_champion,
    fine_tune_rejected,
    no_new_rows,
    not_enough_new_rows,
    nothing_to_read,
    as_little_as_one_row,
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

EVIDENCE: Final[tuple[Rule, ...]] = (
    diagnosis_failed,
    initial_model,
    no_champion,
    fine_tune_rejected,
    no_new_rows,
    not_enough_new_rows,
    nothing_to_read,
    as_little_as_one_row,
    no_drop,
    no_cause,
    feature_space_changed,
    concept_replaced,
    concept_drifted_slightly,
    concept_drifted,
    no_harm,
    distribution_shifted,
    harmless_shift,
    domain_expanded,
    labels_shifted,
    inputs_shifted,
    minor_change,
    cause_open,
)

RULES: Final[dict[Policy, tuple[Rule, ...]]] = {
    Policy.WORKFLOW: WORKFLOW,
    Policy.EVIDENCE: EVIDENCE,
}


def _cause(situation: Situation) -> Cause:
    return cause(findings(situation), situation.spec.thresholds)


def _number(situation: Situation, name: str) -> str:
    """An evidence of the diagnosis in words; empty where the report lacks it."""
    found = Tests.of(findings(situation), situation.spec.thresholds).by_name.get(name)
    if found is None:
        return ""
    p = "" if found.p_value is None else f", p {p_value(found.p_value)}"
    return f"({found.name} {figure(found.value)}{p}, {found.n} rows)"


def _if_major(
    situation: Situation, question: Question, reason: DecisionReason, remedy: str
) -> Proposal | None:
    for finding in answered(situation, Answer.MAJOR):
        if finding.question is question:
            message = f"{reason.sentence} {answer(finding)}. Major change: {remedy}."
            return Proposal(Action.RETRAIN, reason, message)
    return None


def _start(situation: Situation) -> str:
    """Where a retrain starts."""
    return "from the base model" if situation.spec.base_model is not None else "from the beginning"


def _on_new(situation: Situation) -> str:
    """What the champion does on new held-out rows, as a predicate."""
    held_out = diagnosis_of(situation).new
    now = score(held_out)
    assert now is not None  # noqa: S101 - the callers looked
    return scale(situation).gets(now, f"{rows(held_out)} new held-out rows")


def _expected(situation: Situation) -> str:
    expected = expected_score(situation)
    return "" if expected is None else f"({scale(situation).value(expected)})"
