"""A decision as it is kept beside its run: what the operator decided, for whoever draws it.

It travels beside the request, not in it: what is asked of a Job does not depend on why, and so the
request's digest does not either.
"""

from dataclasses import dataclass
from typing import Any, Final

from maintenance_contract.codec import Fields, canonical, load
from maintenance_contract.report import Answer, Question

DECISION_VERSION: Final = 1
_MESSAGE: Final = 4096


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of a decision's path, as people read it. ``lower``, ``upper``: its interval."""

    name: str
    value: str
    threshold: str = ""
    p_value: str = ""
    n: int | None = None
    lower: str = ""
    upper: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of the workflow, its answer, and the numbers behind it."""

    question: Question
    answer: Answer
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True, slots=True)
class NotTaken:
    """An action that was not taken, and why."""

    action: str
    because: str


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A decision of one resource, whole. ``time`` is RFC 3339 in UTC."""

    namespace: str
    name: str
    number: int
    trigger: str
    action: str
    reason: str
    message: str
    time: str
    path: tuple[Asked, ...] = ()
    rejected: tuple[NotTaken, ...] = ()
    escalated_from: int | None = None

    def to_json(self) -> str:
        """The canonical spelling."""
        return canonical(
            {
                "version": DECISION_VERSION,
                "namespace": self.namespace,
                "name": self.name,
                "number": self.number,
                "trigger": self.trigger,
                "escalatedFrom": self.escalated_from,
                "action": self.action,
                "reason": self.reason,
                "message": self.message,
                "time": self.time,
                "path": [
                    {
                        "question": asked.question.value,
                        "answer": asked.answer.value,
                        "evidence": [_figure_out(figure) for figure in asked.figures],
                    }
                    for asked in self.path
                ],
                "rejected": [
                    {"action": other.action, "because": other.because} for other in self.rejected
                ],
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "DecisionRecord":
        """Read a record.

        Raises:
            ContractError: with the dotted path of the field that is wrong.
        """
        document = load(text, version=DECISION_VERSION, kind="decision")
        return cls(
            namespace=document.string("namespace"),
            name=document.string("name"),
            number=document.integer("number"),
            trigger=document.string("trigger"),
            action=document.string("action"),
            reason=document.string("reason"),
            message=document.string("message", most=_MESSAGE),
            time=document.string("time"),
            path=tuple(_asked(item) for item in document.items("path", most=16)),
            rejected=tuple(
                NotTaken(item.string("action"), item.string("because"))
                for item in document.items("rejected", most=16)
            ),
            escalated_from=document.optional("escalatedFrom", document.integer),
        )


def _figure_out(figure: Figure) -> dict[str, Any]:
    document = {
        "name": figure.name,
        "value": figure.value,
        "threshold": figure.threshold,
        "pValue": figure.p_value,
        "n": figure.n,
        "lower": figure.lower,
        "upper": figure.upper,
    }
    return {key: value for key, value in document.items() if value is not None and value != ""}


def _asked(fields: Fields) -> Asked:
    return Asked(
        fields.one_of("question", Question),
        fields.one_of("answer", Answer),
        tuple(_figure(item) for item in fields.items("evidence", most=64)),
    )


def _figure(fields: Fields) -> Figure:
    def text(key: str) -> str:
        return fields.string(key) if fields.has(key) else ""

    return Figure(
        fields.string("name"),
        fields.string("value"),
        text("threshold"),
        text("pValue"),
        fields.optional("n", fields.integer),
        text("lower"),
        text("upper"),
    )
