"""What a kind of model is: how its rows are read, how it learns, what it makes of rows.

All else (data, recipes, diagnosis, gate, store, command line) knows rows, losses, embeddings and
strata, and neither texts nor images. A kind is one module with a ``TASK``, named in ``tasks``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from maintenance_contract import LOSSES, ScoreMetric, TrainingAction
from maintenance_trainer.data.rows import Row
from maintenance_trainer.data.sources import Source
from maintenance_trainer.data.split import Dataset
from maintenance_trainer.diagnose.answers import Measure
from maintenance_trainer.model_field import Given
from maintenance_trainer.progress import Progress

R = TypeVar("R", bound=Row)


class Model(Protocol):
    """A model as recipes and diagnosis see it."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The strata that it can answer with; empty for a kind without classes."""

    @property
    def given(self) -> Given | None:
        """Whose it is; None: it is trained here."""


M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a model makes of n rows.

    ``loss`` (n,): 0 or 1 where an answer is right or wrong, else a real number, lower is better.
    ``embeddings`` (n, d). Where there are classes ``probabilities`` (n, c) in the order of the
    model's labels and n ``predicted`` labels. ``answerable`` (n,): whether the model knows the
    right answer at all; None: all of them. ``beside``: further scores (n,) of rows by name, more is
    better, which are shown and judge nothing. ``misses`` (n,): 0 or 1 where an answer is right or
    wrong, of kinds whose loss is a real number all the same. ``onward``: how targets go on (n,) by
    name, of kinds whose label is several numbers; NaN where unknown.
    """

    loss: NDArray[np.float64]
    embeddings: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None = None
    predicted: tuple[str, ...] = ()
    answerable: NDArray[np.bool_] | None = None
    beside: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    misses: NDArray[np.float64] | None = None
    onward: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def by(self, metric: ScoreMetric) -> NDArray[np.float64]:
        """(n,) what a metric is the mean of."""
        return self.loss if metric in LOSSES or self.misses is None else self.misses


@dataclass(frozen=True, slots=True)
class Fitted:
    """How long an optimisation took, and how many steps it made.

    ``unread``: places among its rows of those that nothing was learnt of.
    """

    seconds: float = 0.0
    steps: int = 0
    unread: frozenset[int] = frozenset()

    def learnt(self, start: int, end: int) -> int:
        """How many of the rows from one place to another something was learnt of."""
        return end - start - sum(start <= place < end for place in self.unread)


@dataclass(frozen=True, slots=True)
class How:
    """How a model is trained: the action, the user's arguments for it, an empty folder."""

    action: TrainingAction
    arguments: Mapping[str, Any]
    scratch: Path


class Task(Protocol[R, M]):
    """A kind of model with rows ``R`` and models ``M``."""

    @property
    def name(self) -> str:
        """As ``spec.model.task`` has it."""

    @property
    def source(self) -> Source[R]:
        """How its rows are read."""

    # Before anything is paid for.

    def check_arguments(self, action: TrainingAction, arguments: Mapping[str, Any]) -> None:
        """Refuse arguments by name, type and range.

        Raises:
            ConfigurationError: ArgumentUnknown, ArgumentInvalid.
        """

    def rehearse(self, folder: Path, given: Given, progress: Progress) -> M | None:
        """Refuse a model that could not be trained, scored or kept.

        Returns:
            A tiny model of its kind that went the whole way; None where there is none to try.

        Raises:
            ConfigurationError: of ``given``.
        """

    def try_arguments(
        self, tiny: M, action: TrainingAction, arguments: Mapping[str, Any], rows: int
    ) -> None:
        """Refuse arguments that a training on so many rows stumbles over, by trying them.

        Raises:
            ConfigurationError: ArgumentInvalid.
        """

    def check_rows(self, model: M | None, dataset: Dataset) -> tuple[str, ...]:
        """Refuse rows that no model of the kind is to learn, beyond what all kinds refuse.

        Args:
            model: the champion, or what is to become the first version; None: there is neither.
            dataset: the rows of the snapshot.

        Returns:
            Sentences on what is odd and is read all the same.

        Raises:
            DataError: with the column that must be mended.
            ConfigurationError: InitialModelUnreadable, the model is of other data.
        """

    # Models.

    def from_base(self, folder: Path, rows: Sequence[R], seed: int) -> M:
        """A model to train on these rows, starting from a base model.

        Raises:
            ConfigurationError: BaseModelUnreadable.
        """

    def from_initial(self, folder: Path) -> M:
        """A model that was made elsewhere, ready to serve.

        Raises:
            ConfigurationError: InitialModelUnreadable.
        """

    def load(self, folder: Path, labels: Sequence[str]) -> M:
        """A stored version, as it was; ``labels`` are those of its manifest.

        Raises:
            ConfigurationError: ChampionUnreadable.
        """

    def extend(self, champion: M, folder: Path, rows: Sequence[R], seed: int) -> M:
        """The champion, able to learn what these rows say: outputs for labels it did not know.

        Args:
            champion: as loaded from ``folder``; what it knew stays as it is.
            folder: where it lies.
            rows: the new ones, and replayed ones of a label that it does not know.
            seed: of whatever begins at random.
        """

    def fit(self, model: M, rows: Sequence[R], how: How, progress: Progress) -> Fitted:
        """Train in place.

        Raises:
            OutOfMemoryError: of the GPU.
            ConfigurationError: TrainingDiverged.
        """

    def outputs(self, model: M, rows: Sequence[R], progress: Progress, stage: str) -> Outputs:
        """What the model makes of rows; always in the same way, so that two compare alike.

        Raises:
            ConfigurationError: what it gives is no number; TrainingDiverged or whose it is.
        """

    def baseline(self, train: Sequence[R], rows: Sequence[R]) -> NDArray[np.float64]:
        """The loss on ``rows`` of what needs no model: the class, or the number, of most."""

    def input_changes(self, model: M, old: Sequence[R], new: Sequence[R]) -> list[Measure]:
        """How the inputs' form has changed: counted, not tested; no rows are empty."""

    # The store.

    def save(self, model: M, folder: Path) -> None:
        """Write all that ``load`` needs into an empty folder; never code, never pickles."""

    def files(self, model: M) -> frozenset[str]:
        """Names of files that belong to a model made elsewhere, beside those that all have."""

    def proof(self, model: M) -> Callable[[Path], None]:
        """How a copy of this model is known: it loads, and answers the same.

        Raises:
            ConfigurationError: StoreUnwritable or InitialModelUnreadable, of what is returned.
        """


AnyTask = Task[Any, Any]
"""As it is used: what a row holds and what a model is, its task alone knows."""
