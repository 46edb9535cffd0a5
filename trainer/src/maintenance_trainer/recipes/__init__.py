"""The two ways to a new model, one page each."""

from dataclasses import dataclass

from maintenance_trainer.tasks.text_classification import Classifier


@dataclass(frozen=True, slots=True)
class Trained:
    """A challenger. ``rows`` counts what it was trained on by kind.

    ``seconds`` and ``steps`` are those of the optimisation.
    """

    classifier: Classifier
    rows: dict[str, int]
    seconds: float
    steps: int = 0
