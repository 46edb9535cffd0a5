"""The version in service, its answers, and how many of them were right."""

import itertools
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from prometheus_client import Counter, Gauge

ANSWERS_KEPT: Final = 1000
"""Answers whose true labels may still come."""

BETWEEN: Final = "\n"
"""Stands between the answers of a model that ranks several: right is who names the true one."""

PREDICTIONS = Counter(
    "model_predictions", "Answers whose true label is known.",
    ["model", "version", "true_class", "correct"],
)  # fmt: skip
ACCURACY = Gauge(
    "model_accuracy", "Share of right answers among the latest labelled ones.", ["model", "version"]
)


class Version(Protocol):
    """A loaded version of the model."""

    @property
    def version(self) -> str:
        """Its number."""

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """One label per row, or several, one a line; a row has its input columns by name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said, and by which version; ``in_words``: no label of a few, right as a whole."""

    version: str
    labels: tuple[str, ...]
    in_words: bool


@dataclass(slots=True)
class Service:
    """The version in service and what is known of its answers. Safe for several threads."""

    name: str
    window_rows: int
    _model: Version | None = None
    _answers: OrderedDict[int, Answer] = field(default_factory=OrderedDict)
    _recent: deque[bool] = field(default_factory=deque)
    _ids: Any = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def ready(self) -> bool:
        """Whether a version is served."""
        return self._model is not None

    def serve(self, model: Version) -> None:
        """Put another version into service; its accuracy begins anew."""
        with self._lock:
            if self._model is not None:
                # A gauge of a version that answers no more would look like one that still does.
                ACCURACY.clear()
            self._model = model
            self._recent = deque(maxlen=self.window_rows)

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
        """Labels of the rows and a number to send the true ones with; None without a version."""
        model = self._model
        if model is None:
            return None
        labels = model.predict(rows)
        with self._lock:
            number = next(self._ids)
            in_words = not getattr(model, "of_classes", True)
            self._answers[number] = Answer(model.version, tuple(labels), in_words)
            while len(self._answers) > ANSWERS_KEPT:
                self._answers.popitem(last=False)
        return {"id": number, "version": model.version, "labels": labels}

    def feedback(self, number: int, truth: Sequence[str]) -> bool:
        """Count an answer's hits; False where there is no such answer, or it is counted."""
        with self._lock:
            answer = self._answers.pop(number, None)
            if answer is None or len(answer.labels) != len(truth):
                return False
            pairs = list(zip(answer.labels, truth, strict=True))
            hits = [said == true or (not answer.in_words and true in said.split(BETWEEN))
                    for said, true in pairs]  # fmt: skip
            for (said, true), hit in zip(pairs, hits, strict=True):
                # A metric with a series for each product of a shop, or each answer, would be none.
                counted = "any" if answer.in_words or BETWEEN in said else true
                PREDICTIONS.labels(self.name, answer.version, counted, str(hit).lower()).inc()
            if self._model is not None and answer.version == self._model.version:
                self._recent.extend(hits)
                share = sum(self._recent) / len(self._recent)
                ACCURACY.labels(self.name, answer.version).set(share)
        return True
