"""A decision as the record that is kept in the run's folder and drawn; and back."""

from dataclasses import astuple
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
            Asked(
                step.question, step.answer, tuple(Figure(*astuple(each)) for each in step.evidence)
            )
            for step in decision.path
        ),
        rejected=tuple(NotTaken(other.action.value, other.because) for other in decision.rejected),
        escalated_from=decision.escalated_from,
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
                PathStep(
                    asked.question,
                    asked.answer,
                    tuple(StatusEvidence(*astuple(each)) for each in asked.figures),
                )
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
