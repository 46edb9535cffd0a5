"""A decision as the record that is kept in the run's folder and drawn; and back."""

from datetime import UTC, datetime

from maintenance_contract import ContractError
from maintenance_contract.decision import Asked, DecisionRecord, Figure, NotTaken
from maintenance_core.lifecycle.jobs import Identity
from maintenance_core.model import (
    Action,
    Decision,
    PathStep,
    RejectedAction,
    StatusEvidence,
    Trigger,
)
from maintenance_core.status import timestamp


def record_of(identity: Identity, decision: Decision) -> DecisionRecord:
    """The same decision, the same record: nothing is added, and only the power is left out.

    Status keeps that; in the record the message tells it.
    """
    return DecisionRecord(
        namespace=identity.namespace,
        name=identity.name,
        number=decision.number,
        trigger=decision.trigger.value,
        action=decision.action.value,
        reason=str(decision.reason),
        message=decision.message,
        time=timestamp(decision.time),
        path=tuple(
            Asked(step.question, step.answer, tuple(map(_figure, step.evidence)))
            for step in decision.path
        ),
        rejected=tuple(NotTaken(other.action.value, other.because) for other in decision.rejected),
        escalated_from=decision.escalated_from,
    )


def _figure(evidence: StatusEvidence) -> Figure:
    return Figure(
        evidence.name,
        evidence.value,
        evidence.threshold,
        evidence.p_value,
        evidence.n,
        evidence.lower,
        evidence.upper,
    )


def decision_of(record: DecisionRecord) -> Decision:
    """The decision that a record holds.

    Raises:
        ContractError: its words are none of ours.
    """
    try:
        return Decision(
            number=record.number,
            trigger=Trigger(record.trigger),
            action=Action(record.action),
            reason=record.reason,
            message=record.message,
            path=tuple(
                PathStep(asked.question, asked.answer, tuple(map(_evidence, asked.figures)))
                for asked in record.path
            ),
            rejected=tuple(
                RejectedAction(Action(other.action), other.because) for other in record.rejected
            ),
            time=datetime.fromisoformat(record.time).astimezone(UTC),
            escalated_from=record.escalated_from,
        )
    except ValueError as error:
        raise ContractError(f"decision: {error}") from None


def _evidence(figure: Figure) -> StatusEvidence:
    return StatusEvidence(
        figure.name,
        figure.value,
        figure.threshold,
        figure.p_value,
        figure.n,
        figure.lower,
        figure.upper,
    )
