"""The two ways to a new model, one page each."""

from dataclasses import dataclass

from maintenance_trainer.tasks.text_classification import Classifier, Fitted


@dataclass(frozen=True, slots=True)
class Trained:
    """A challenger. ``rows`` counts what it was trained on by kind."""

    classifier: Classifier
    rows: dict[str, int]
    fitted: Fitted
