"""What a rule or a brake has to say."""

from collections.abc import Callable
from dataclasses import dataclass

from maintenance_core.model import Action, Situation
from maintenance_core.reasons import DecisionReason


@dataclass(frozen=True, slots=True)
class Proposal:
    """An action, why, and the sentence for people."""

    action: Action
    reason: DecisionReason
    message: str


Rule = Callable[[Situation], Proposal | None]
Brake = Callable[[Situation, Proposal], Proposal | None]
