"""The two ways to a new model, one page each."""

from dataclasses import dataclass

from maintenance_trainer.tasks.task import Fitted, Model


@dataclass(frozen=True, slots=True)
class Trained:
    """A challenger. ``rows`` counts what it was trained on by kind."""

    model: Model
    rows: dict[str, int]
    fitted: Fitted
