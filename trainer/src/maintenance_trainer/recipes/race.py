"""Race: train both ways on the same rows; the better one on held-out rows meets the champion."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from maintenance_contract import Evaluation, TrainingAction
from maintenance_trainer.recipes import Trained
from maintenance_trainer.tasks.task import Model


@dataclass(frozen=True, slots=True)
class Raced:
    """The winner, which way it was trained, and what both scored against the champion."""

    action: TrainingAction
    trained: Trained
    scores: Mapping[TrainingAction, Evaluation]
    seconds: float


def race(
    arms: Mapping[TrainingAction, Callable[[], Trained]],
    score: Callable[[Model], Evaluation],
) -> Raced:
    """Train each arm and keep the better one; where they tie the first, which is the cheaper.

    Only one challenger is in memory beside the best so far.

    Args:
        arms: what trains each; in order.
        score: a challenger against the champion on the held-out rows.
    """
    best: tuple[TrainingAction, Trained] | None = None
    scores: dict[TrainingAction, Evaluation] = {}
    seconds = 0.0
    for action, train in arms.items():
        trained = train()
        seconds += trained.fitted.seconds
        scores[action] = score(trained.model)
        if best is None or _right(scores[action]) > _right(scores[best[0]]):
            best = action, trained
    assert best is not None  # noqa: S101 - there are arms
    return Raced(*best, scores, seconds)


def _right(evaluation: Evaluation) -> int:
    """Held-out rows that a challenger gets right: new ones, or old ones where none are new."""
    counts = evaluation.new or evaluation.old
    return 0 if counts is None else counts.both_correct + counts.challenger_only
