"""A decision as it is kept beside its run: what the operator decided, for whoever draws it.

It travels beside the request, not in it: what is asked of a Job does not depend on why, and so the
request's digest does not either.
"""

from dataclasses import dataclass
from typing import Final

from maintenance_contract.record import EVERY, Document, Part, record
from maintenance_contract.report import Answer, Question
from maintenance_contract.values import each, text

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
        return _DOCUMENT.write(self)

    @classmethod
    def from_json(cls, text: str) -> "DecisionRecord":
        """Read a record.

        Raises:
            ContractError: with the dotted path of the field that is wrong.
        """
        return _DOCUMENT.read(text)


_ASKED: Final = record(
    Asked, always=EVERY, figures=Part(each(record(Figure), most=64), key="evidence")
)
_DOCUMENT: Final = Document(
    "decision",
    DECISION_VERSION,
    record(
        DecisionRecord,
        always=EVERY,
        message=text(_MESSAGE),
        path=each(_ASKED, most=16),
        rejected=each(record(NotTaken), most=16),
    ),
)
