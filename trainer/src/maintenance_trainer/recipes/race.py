"""Race: train both ways on the same rows; the better one on held-out rows meets the champion."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from maintenance_contract import COUNTED, Evaluation, TrainingAction
from maintenance_trainer.recipes import Trained
from maintenance_trainer.tasks.task import Model

Beside = Mapping[str, Mapping[str, list[float]]]
"""Means of further scores by age and name, which are shown and judge nothing."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A challenger against the champion on the held-out rows, and what is shown beside."""

    evaluation: Evaluation
    beside: Beside = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raced:
    """The winner, which way it was trained, and what both scored against the champion.

    ``beside`` is what is shown of the winner beside its score.
    """

    action: TrainingAction
    trained: Trained
    scores: Mapping[TrainingAction, Evaluation]
    seconds: float
    beside: Beside


def race(
    arms: Mapping[TrainingAction, Callable[[], Trained]],
    score: Callable[[Model], Judged],
) -> Raced:
    """Train each arm and keep the better one; where they tie the first, which is the cheaper.

    Only one challenger is in memory beside the best so far.

    Args:
        arms: what trains each; in order.
        score: a challenger against the champion on the held-out rows.
    """
    best: tuple[TrainingAction, Trained, Beside] | None = None
    scores: dict[TrainingAction, Evaluation] = {}
    seconds = 0.0
    for action, train in arms.items():
        trained = train()
        seconds += trained.fitted.seconds
        judged = score(trained.model)
        scores[action] = judged.evaluation
        if best is None or _worth(scores[action]) > _worth(scores[best[0]]):
            best = action, trained, judged.beside
    assert best is not None  # noqa: S101 - there are arms
    winner, its, beside = best
    return Raced(winner, its, scores, seconds, beside)


def _worth(evaluation: Evaluation) -> float:
    """A challenger's score on new held-out rows, or on old ones where none are new.

    By the metric of the gate where it has a value there, else by the rows that are right.
    """
    if evaluation.scores is not None and evaluation.scores.metric not in COUNTED:
        score = evaluation.scores.new or evaluation.scores.old
        if score is not None:
            return score.worth
    counts = evaluation.new or evaluation.old
    return 0.0 if counts is None else counts.challenger_accuracy
