"""How a decision wants its training done, beside the action."""

from maintenance_core.decide.findings import cause_open, concept_drift
from maintenance_core.model import PLAIN, Action, Decision, OnAmbiguous, Spec, TrainingPlan
from maintenance_core.reasons import DecisionReason


def plan_of(decision: Decision | None, spec: Spec) -> TrainingPlan:
    """The plan that a decision carries; of one that a version before wrote, the one it meant."""
    if decision is None:
        return PLAIN
    return decision.plan or plan_for(decision, spec)


def plan_for(decision: Decision, spec: Spec) -> TrainingPlan:
    """What follows from a decision's action, reason and path.

    Contradicted old rows stay out after concept drift. Both ways race where no cause is named and
    the spec asks for it; the gate asks for more there. After a label shift old rows are judged in
    the new shares of the classes: who adapts to them loses on the old ones.
    """
    return TrainingPlan(
        exclude_contradicted=concept_drift(decision.path),
        race=spec.on_ambiguous is OnAmbiguous.RACE
        and decision.action is Action.FINE_TUNE
        and decision.reason == DecisionReason.UNDETERMINED,
        old_at_new_mix=decision.reason == DecisionReason.LABEL_SHIFT,
        cause_open=cause_open(decision.path),
    )
