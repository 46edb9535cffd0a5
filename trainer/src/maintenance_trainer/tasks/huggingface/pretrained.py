"""Models in Hugging Face's format; a kind adds how its inputs become a model's fields."""

import inspect
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, TypeVar

import numpy as np
import transformers
from numpy.typing import NDArray

from maintenance_contract import TrainingAction
from maintenance_trainer.data.rows import Row
from maintenance_trainer.data.sources import Source
from maintenance_trainer.data.split import Dataset
from maintenance_trainer.diagnose.answers import Measure
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.model_field import Given, no_copy
from maintenance_trainer.progress import Progress, Silent
from maintenance_trainer.tasks.huggingface import (
    arguments,
    early_stopping,
    fitting,
    loading,
    rehearsal,
)
from maintenance_trainer.tasks.huggingface.early_stopping import Stopping
from maintenance_trainer.tasks.task import Fitted, How, Outputs

SAME: Final = 1e-3
"""Answers of a model and its copy differ by less: the same weights, maybe another device."""

R = TypeVar("R", bound=Row)

hf_logging: Any = transformers.utils.logging  # its functions have no types
hf_logging.set_verbosity_error()
hf_logging.disable_progress_bar()
logging.getLogger("transformers").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class PretrainedModel:
    """A model with its tokenizer or image processor.

    Of a classifier the i-th output stands for ``labels[i]``; others have none. ``given`` says
    whose it is; None: it is trained here.
    """

    model: Any
    processor: Any
    labels: tuple[str, ...]
    given: Given | None = None


class PretrainedTask(ABC, Generic[R]):
    """What all kinds share that train a model of the library.

    A kind names its class of models and makes fields of its rows.
    """

    name: str
    auto: ClassVar[Any]
    """The library's class for such models, as ``AutoModelForSequenceClassification``."""
    classifier: ClassVar[str]
    """What it is called in messages, as ``sequence classifier``."""
    inputs: ClassVar[str]
    """What it reads, in messages, as ``texts``."""
    input: ClassVar[str]
    """One of them, as ``a text``."""
    prepares: ClassVar[str]
    """What prepares its inputs, as ``tokenizer``."""
    taught: ClassVar[str]
    """What is trained, in messages, as ``classifier of texts``."""
    new_head: ClassVar[bool]
    """Whether a base model gets a head of its own, for the labels of the rows."""

    @property
    @abstractmethod
    def source(self) -> Source[R]:
        """How its rows are read."""

    # --- what a kind adds ----------------------------------------------------------------

    @abstractmethod
    def processor(self, folder: Path) -> Any:
        """A folder's own tokenizer or image processor; raises what the library's parsers raise."""

    @abstractmethod
    def fit_together(self, model: Any, processor: Any, given: Given) -> None:
        """Make both fit for each other, or refuse them.

        Raises:
            ConfigurationError: they do not belong together; of ``given``.
        """

    @abstractmethod
    def encode(self, classifier: PretrainedModel, rows: Sequence[R]) -> Sequence[dict[str, Any]]:
        """The fields of each row, unpadded; may be made when they are asked for."""

    @abstractmethod
    def collator(self, classifier: PretrainedModel) -> Any:
        """Makes one batch of the fields of several rows."""

    @abstractmethod
    def rehearsed(self, classifier: PretrainedModel, labels: Sequence[str]) -> dict[str, list[R]]:
        """Rows that a run may meet, by what is tried with them; the first are trained on."""

    @abstractmethod
    def probe(self) -> R:
        """A row by which a copy of a model is known."""

    @abstractmethod
    def input_changes(
        self, model: PretrainedModel, old: Sequence[R], new: Sequence[R]
    ) -> list[Measure]:
        """See ``Task``."""

    def refuse_strangers(self, model: Any, processor: Any, given: Given) -> None:
        """Refuse a processor of another model; the model may lie on no device.

        Raises:
            ConfigurationError: of ``given``.
        """

    @abstractmethod
    def outputs(
        self, model: PretrainedModel, rows: Sequence[R], progress: Progress, stage: str
    ) -> Outputs:
        """See ``Task``."""

    @abstractmethod
    def told_of(self, outputs: Outputs) -> NDArray[np.float64]:
        """What a copy of a model must say of a row as the model does."""

    @abstractmethod
    def learnt_of(self, model: PretrainedModel, rows: Sequence[R]) -> Sequence[Any]:
        """What a model is to answer to each row, as it takes it."""

    def made(self, model: Any, processor: Any, labels: Sequence[str]) -> PretrainedModel:
        """A model of its parts."""
        return PretrainedModel(model, processor, tuple(labels))

    def order(self, encoded: Sequence[dict[str, Any]]) -> Sequence[int]:
        """Which rows share a batch when nothing is learnt, where some orders are faster."""
        return range(len(encoded))

    def files(self, model: PretrainedModel) -> frozenset[str]:  # noqa: ARG002  # of a kind that has some
        """Names of the files that the processor reads, where they lie beside the model."""
        return frozenset()

    # --- before anything is paid for -----------------------------------------------------

    def check_arguments(self, action: TrainingAction, given: Mapping[str, Any]) -> None:
        """See ``Task``."""
        arguments.check(action, given)

    def rehearse(self, folder: Path, given: Given, progress: Progress) -> PretrainedModel | None:
        """See ``Task``; weights are read in pieces."""
        return rehearsal.check(self, folder, given, progress)

    def try_arguments(
        self, tiny: PretrainedModel, action: TrainingAction, given: Mapping[str, Any], rows: int
    ) -> None:
        """See ``Task``."""
        rehearsal.check_arguments(self, tiny, action, given, rows)

    def check_rows(self, model: PretrainedModel | None, dataset: Dataset) -> tuple[str, ...]:
        """See ``Task``: what all kinds refuse is enough."""
        del model, dataset
        return ()

    # --- models --------------------------------------------------------------------------

    def load(self, folder: Path, labels: Sequence[str]) -> PretrainedModel:
        """A stored version, as it was."""
        given = Given.CHAMPION
        try:
            model, processor = self._together(folder, given)
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001  # the library raises whatever its parsers raise
            problem = f"versions/{folder.name} cannot be read: {loading.first_line(error)}"
            raise given.unreadable(problem) from None
        return PretrainedModel(model, processor, tuple(labels), given)

    def fit(
        self, model: PretrainedModel, rows: Sequence[R], how: How, progress: Progress
    ) -> Fitted:
        """Train in place, with the library's ``TrainingArguments``."""
        where = arguments.where(how.action)
        learnt, stopping = early_stopping.split(where, how.arguments, rows)
        built = arguments.build(how.action, how.arguments, how.scratch)
        told = fitting.Told(progress, len(learnt))
        trainer = self.trainer_of(model, learnt, built, told, stopping)
        return fitting.fit(trainer, told, where)

    def trainer_of(
        self,
        classifier: PretrainedModel,
        rows: Sequence[R],
        built: Any,
        told: transformers.TrainerCallback,
        stopping: Stopping[R] | None = None,
    ) -> transformers.Trainer:
        """The library's trainer of these rows, by its ``TrainingArguments``."""

        def examples(its: Sequence[R]) -> fitting.Examples:
            fields, takes = self.encode(classifier, its), accepted(classifier.model)
            return fitting.Examples(fields, takes, self.learnt_of(classifier, its))

        validation = stopping.on(examples(stopping.rows)) if stopping else None
        collator = self.collator(classifier)
        return fitting.trainer_of(
            classifier.model, examples(rows), collator, built, told, validation
        )

    # --- the store -----------------------------------------------------------------------

    def save(self, model: PretrainedModel, folder: Path) -> None:
        """Model, processor and label names, readable by the library's class of the kind."""
        model.model.to("cpu").save_pretrained(folder, safe_serialization=True)
        model.processor.save_pretrained(folder)

    def proof(self, model: PretrainedModel) -> Callable[[Path], None]:
        """How a copy of this model is known: it loads, and says the same of a row."""
        probe, silent = [self.probe()], Silent()
        expected = self.told_of(self.outputs(model, probe, silent, ""))

        def prove(folder: Path) -> None:
            model.model.to("meta")  # two of them may not fit into memory
            try:
                copy = self.load(folder, model.labels)
                found = self.told_of(self.outputs(copy, probe, silent, ""))
            except ConfigurationError as error:
                raise self._no_copy(model, error.message) from None
            if not np.allclose(found, expected, atol=SAME):
                raise self._no_copy(model, "it answers otherwise than the model itself")

        return prove

    # --- within --------------------------------------------------------------------------

    def _no_copy(self, classifier: PretrainedModel, problem: str) -> ConfigurationError:
        mend = f"; save it once more with save_pretrained of model and {self.prepares}"
        return no_copy(classifier.given, problem, mend)

    def _together(
        self, folder: Path, given: Given, labels: Sequence[str] | None = None
    ) -> tuple[Any, Any]:
        """Model and processor, fit for each other; every weight a number."""
        processor = self.processor(folder)
        model = loading.model(self.auto, folder, given, labels)
        loading.refuse_not_finite(model.state_dict(), given)
        self.fit_together(model, processor, given)
        return model, processor


def accepted(model: Any) -> frozenset[str]:
    """The fields that a model takes; a processor may be another kind's and give more."""
    return frozenset(inspect.signature(model.forward).parameters)
