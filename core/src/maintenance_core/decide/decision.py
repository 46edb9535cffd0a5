"""From a diagnosis to an action.

The rules of the policy propose: the first that has something to say decides. What would train then
passes the brakes: the first that objects turns it into Wait.
"""

from dataclasses import replace

from maintenance_core.decide.brakes import BRAKES, NO_CONTEST
from maintenance_core.decide.explain import breach_sentence, path, rejected, told_of_data
from maintenance_core.decide.proposal import Proposal
from maintenance_core.decide.rules import RULES
from maintenance_core.decide.training_plan import plan_for
from maintenance_core.decide.worth import in_figures, power_of
from maintenance_core.model import Decision, Situation
from maintenance_core.numbers import MESSAGE_CHARACTERS, shortened


def decide(situation: Situation) -> Decision:
    """Choose an action, with the questions asked, the numbers, and why nothing else.

    Total: every situation has a decision. Deciding twice gives the same.
    """
    wanted = propose(situation)
    objection = object_to(situation, wanted)
    chosen = objection or wanted
    decision = Decision(
        number=situation.number,
        trigger=situation.trigger,
        action=chosen.action,
        reason=chosen.reason,
        message=_message(situation, chosen),
        path=path(situation, trains=chosen.action.training is not None),
        rejected=rejected(wanted.action, wanted.reason, objection.reason if objection else None),
        time=situation.now,
        escalated_from=situation.escalated_from,
        power=power_of(situation),
    )
    if chosen.action.training is None:
        return decision
    return replace(decision, plan=plan_for(decision, situation.spec))


def _message(situation: Situation, chosen: Proposal) -> str:
    """Why, and at the end what is told of the data; a long reason gives way to that."""
    said = f"{breach_sentence(situation.degraded, situation.spec)} {chosen.message}".strip()
    if chosen.action.training is not None and chosen.reason not in NO_CONTEST:
        said = f"{said} {in_figures(situation)}".strip()
    told = told_of_data(situation)
    if not told:
        return shortened(said)
    return f"{shortened(said, MESSAGE_CHARACTERS - len(told) - 1)} {told}"


def propose(situation: Situation) -> Proposal:
    """What the first rule that applies wants; the last rule always applies."""
    return next(
        proposal
        for rule in RULES[situation.spec.policy]
        if (proposal := rule(situation)) is not None
    )


def object_to(situation: Situation, wanted: Proposal) -> Proposal | None:
    """The first brake's objection to a training, if any."""
    if wanted.action.training is None:
        return None
    objections = (brake(situation, wanted) for brake in BRAKES)
    return next(filter(None, objections), None)
