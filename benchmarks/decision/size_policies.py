"""What is done with a cell: by the product's rules, brakes and gate, or always the same.

A case begins with a look: readings lie below what is asked of the model, labels are there. The loop
is the product's: its decision, its gate, one escalation of a rejected fine-tune. Everything is at
the API's defaults (``rules.DEFAULTS``, which a test holds equal to the CRD's); what is asked of the
model, the one thing without a default, is ``TOLERATED`` less than it achieves on traffic as before.
Where the metric lies above that all the same, the look is a false alarm: it lies just below.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from changes import HALF, LEFT_OUT, MERGED, TUNED

from maintenance_contract import (
    Candidate,
    Evaluation,
    Operation,
    Outcome,
    PairedCounts,
    Reference,
    TrainingAction,
    TrainingReport,
)
from maintenance_core import model
from maintenance_core.decide.decision import decide
from maintenance_core.decide.gate import gate_for, judge
from maintenance_core.decide.training_plan import plan_of
from maintenance_core.model import (
    PLAIN,
    Action,
    Champion,
    Decision,
    Degraded,
    HistoryEntry,
    Policy,
    Reading,
    RunOutcome,
    Situation,
    Spec,
    ThresholdRange,
    TrainingPlan,
    Trigger,
    Verdict,
)
from maintenance_core.spec import parse
from maintenance_trainer.cli.rules import DEFAULTS

Cell = Mapping[str, Any]

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
SERVED: Final = Champion(1, "", "sha256:champion", NOW, TrainingAction.RETRAIN)
TOLERATED: Final = 0.02
LEAST_DROP: Final = 0.001
SAMPLES: Final = 1000.0
KEEP: Final = "keep"


class Proof(StrEnum):
    """What the gate asks for: nothing; proof on old rows by themselves, always; the default."""

    NOTHING = "no gate"
    OLD = "old gate"
    NEW = "new gate"


@dataclass(frozen=True, slots=True)
class Way:
    """How a user would run it: by the product's rules, or always one arm; and what must be shown.

    ``constant`` is the arm; None for the rules of ``policy``.
    """

    name: str
    proof: Proof
    policy: Policy = Policy.EVIDENCE
    constant: str | None = None

    def __str__(self) -> str:
        """As a table calls it."""
        return self.name if self.constant == KEEP else f"{self.name}, {self.proof}"


def ways() -> list[Way]:
    """All that are compared; the product as it is comes first."""
    gates = (Proof.NEW, Proof.OLD)
    always = {
        "always fine-tune": TUNED,
        "always retrain merged": MERGED,
        "always retrain, new at 50 %": HALF,
    }
    return [
        *(Way(policy.value, gate, policy) for policy in reversed(Policy) for gate in gates),
        Way("never", Proof.NOTHING, constant=KEEP),
        *(
            Way(name, gate, constant=arm)
            for name, arm in always.items()
            for gate in (Proof.NOTHING, *gates)
        ),
    ]


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a case: arms in the order of their training, what serves, and why."""

    trained: tuple[str, ...]
    serves: str
    reasons: tuple[str, ...]
    messages: tuple[str, ...] = ()


def done(cell: Cell, way: Way) -> Done:
    """Run the loop."""
    spec = spec_of(cell, way)
    if way.constant is not None:
        return _always(cell, way, spec)
    return _loop(cell, spec, decide(situation(cell, spec)))


def _loop(cell: Cell, spec: Spec, decision: Decision) -> Done:
    plan = plan_of(decision, spec)
    told = (decision.reason,), (decision.message,)
    if decision.action.training is None:
        return Done((), KEEP, *told)
    trained = [arm_of(way, spec, plan) for way in _ways_of(decision.action, race=plan.race)]
    arm = _better(cell, trained)
    verdict = judged(cell, arm, spec, plan)
    said = (*told[0], verdict.reason), (*told[1], verdict.message)
    if verdict.promote:
        return Done(tuple(trained), arm, *said)
    if decision.action is not Action.FINE_TUNE or plan.race or plan.exclude_contradicted:
        return Done(tuple(trained), KEEP, *said)
    again = decide(escalated(cell, spec, decision, verdict))
    after = _loop(cell, spec, again)
    return Done(
        (*trained, *after.trained),
        after.serves,
        (*said[0], *after.reasons),
        (*said[1], *after.messages),
    )


def _ways_of(action: Action, *, race: bool) -> tuple[Action, ...]:
    other = Action.RETRAIN if action is Action.FINE_TUNE else Action.FINE_TUNE
    return (action, other) if race else (action,)


def arm_of(action: Action, spec: Spec, plan: TrainingPlan) -> str:
    """How the product trains it: half of a retrain are new rows under Evidence."""
    half = spec.policy is Policy.EVIDENCE
    arm = TUNED if action is Action.FINE_TUNE else HALF if half else MERGED
    return LEFT_OUT[arm] if plan.exclude_contradicted else arm


def _better(cell: Cell, trained: Sequence[str]) -> str:
    """The winner of a race; the first where they tie."""

    def right(arm: str) -> int:
        _, both, _, challenger = cell["arms"][arm]["new"]["counts"]
        return int(both + challenger)

    return max(trained, key=right)


def _always(cell: Cell, way: Way, spec: Spec) -> Done:
    arm = way.constant
    assert arm is not None  # noqa: S101 - the caller looked
    if arm == KEEP:
        return Done((), KEEP, ())
    if way.proof is Proof.NOTHING or judged(cell, arm, spec, PLAIN).promote:
        return Done((arm,), arm, ())
    if arm == TUNED:
        serves = MERGED if judged(cell, MERGED, spec, PLAIN).promote else KEEP
        return Done((arm, MERGED), serves, ())
    return Done((arm,), KEEP, ())


# --- what the product is given ----------------------------------------------------------


def spec_of(cell: Cell, way: Way) -> Spec:
    """The API's defaults, and what is asked of this model."""
    spec = parse(DEFAULTS)
    metrics = replace(spec.metrics, threshold=ThresholdRange(min=_floor(cell)))
    spec = replace(spec, policy=way.policy, metrics=metrics)
    if way.proof is Proof.OLD:
        spec = replace(spec, gate=replace(spec.gate, proof=model.Proof.REQUIRED))
    return spec


def _floor(cell: Cell) -> float:
    return max(0.0, float(cell["metric"]["old"]) - TOLERATED)


def situation(cell: Cell, spec: Spec) -> Situation:
    """What a decision rests on."""
    floor = _floor(cell)
    reading = min(float(cell["metric"]["new"]), floor - LEAST_DROP)
    return Situation(
        number=2,
        trigger=Trigger.PERFORMANCE_DROP,
        spec=spec,
        report=report_of(cell),
        now=NOW,
        degraded=Degraded(Reading(NOW, reading, SAMPLES), 3, 5, ThresholdRange(min=floor)),
        champion=SERVED,
    )


def report_of(cell: Cell) -> TrainingReport:
    """The diagnosis as the operator receives it."""
    report = TrainingReport.from_json(cell["report"])
    if cell["blocked"]:
        report = replace(report, outcome=Outcome.FAILED, reason=cell["blocked"], diagnosis=None)
    return TrainingReport.from_json(report.to_message())


def escalated(cell: Cell, spec: Spec, first: Decision, verdict: Verdict) -> Situation:
    """After a fine-tune that the gate refused."""
    entry = HistoryEntry(
        number=first.number,
        trigger=first.trigger,
        action=first.action,
        reason=verdict.reason,
        outcome=RunOutcome.REJECTED,
        message=verdict.message,
        start_time=NOW,
        end_time=NOW,
        champion_version=SERVED.version,
        champion_digest=SERVED.digest,
        trained=True,
        new=verdict.new,
        old=verdict.old,
    )
    return replace(
        situation(cell, spec),
        number=first.number + 1,
        trigger=Trigger.ESCALATION,
        history=(entry,),
        escalated_from=first.number,
    )


def judged(cell: Cell, arm: str, spec: Spec, plan: TrainingPlan) -> Verdict:
    """The gate on an arm."""
    return judge(
        trained_report(cell, arm, at_new_mix=plan.old_at_new_mix),
        gate=gate_for(spec.gate, plan),
        champion=SERVED,
        concept_drift=plan.exclude_contradicted,
        sampling=spec.sampling,
    )


def trained_report(cell: Cell, arm: str, *, at_new_mix: bool) -> TrainingReport:
    """As the trainer writes it after a training.

    Raises:
        LookupError: the arm was not trained, as no rule was thought to ask for it.
    """
    found = cell["arms"].get(arm)
    if found is None:
        message = f"{arm} was not trained for {cell['change']}: it is asked for all the same"
        raise LookupError(message)
    old = found["oldAtNewMix" if at_new_mix else "old"]["counts"]
    action = TrainingAction.FINE_TUNE if arm.startswith("fine-tune") else TrainingAction.RETRAIN
    return TrainingReport(
        Operation.TRAIN,
        2,
        "",
        Outcome.SUCCEEDED,
        candidate=Candidate(2, "sha256:challenger", action),
        evaluation=Evaluation(
            Reference.CHAMPION, PairedCounts(*found["new"]["counts"]), PairedCounts(*old)
        ),
    )
