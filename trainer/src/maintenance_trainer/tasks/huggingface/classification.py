"""Classifiers in Hugging Face's format; a kind adds how its inputs become a model's fields."""

import inspect
import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from maintenance_contract import TrainingAction
from maintenance_trainer.data.rows import Row
from maintenance_trainer.data.sources import Source
from maintenance_trainer.data.split import Dataset
from maintenance_trainer.diagnose.answers import Measure
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.evaluate import majority_class
from maintenance_trainer.model_field import Given
from maintenance_trainer.progress import Progress, Silent
from maintenance_trainer.tasks.huggingface import arguments, fitting, loading, rehearsal
from maintenance_trainer.tasks.task import Fitted, How, Outputs, Task

EVALUATION_BATCH: Final = 64
_SAME: Final = 1e-3
"""Probabilities of a model and its copy differ by less: the same weights, maybe another device."""
_UNNAMED: Final = re.compile(r"LABEL_\d+")

R = TypeVar("R", bound=Row)

hf_logging: Any = transformers.utils.logging  # its functions have no types
hf_logging.set_verbosity_error()
hf_logging.disable_progress_bar()
logging.getLogger("transformers").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class Classifier:
    """A model with its tokenizer or image processor; the i-th output stands for ``labels[i]``.

    ``given`` says whose it is; None: it is trained here.
    """

    model: Any
    processor: Any
    labels: tuple[str, ...]
    given: Given | None = None


class Classification(ABC, Generic[R]):
    """What all classifiers share. A kind names its class of models and makes fields of its rows."""

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
    def encode(self, classifier: Classifier, rows: Sequence[R]) -> Sequence[dict[str, Any]]:
        """The fields of each row, unpadded; may be made when they are asked for."""

    @abstractmethod
    def collator(self, classifier: Classifier) -> Any:
        """Makes one batch of the fields of several rows."""

    @abstractmethod
    def pooled(self, output: Any, batch: Mapping[str, Any]) -> torch.Tensor:
        """One embedding a row: (n, hidden size), of a model's output with hidden states."""

    @abstractmethod
    def rehearsed(self, classifier: Classifier, labels: Sequence[str]) -> dict[str, list[R]]:
        """Rows that a run may meet, by what is tried with them; the first are trained on."""

    @abstractmethod
    def probe(self) -> R:
        """A row by which a copy of a model is known."""

    @abstractmethod
    def input_changes(self, model: Classifier, old: Sequence[R], new: Sequence[R]) -> list[Measure]:
        """See ``Task``."""

    def refuse_strangers(self, model: Any, processor: Any, given: Given) -> None:
        """Refuse a processor of another model; the model may lie on no device.

        Raises:
            ConfigurationError: of ``given``.
        """

    def made(self, model: Any, processor: Any, labels: Sequence[str]) -> Classifier:
        """A classifier of its parts."""
        return Classifier(model, processor, tuple(labels))

    def order(self, encoded: Sequence[dict[str, Any]]) -> Sequence[int]:
        """Which rows share a batch when nothing is learnt, where some orders are faster."""
        return range(len(encoded))

    def files(self, model: Classifier) -> frozenset[str]:  # noqa: ARG002  # of a kind that has some
        """Names of the files that the processor reads, where they lie beside the model."""
        return frozenset()

    # --- before anything is paid for -----------------------------------------------------

    def check_arguments(self, action: TrainingAction, given: Mapping[str, Any]) -> None:
        """See ``Task``."""
        arguments.check(action, given)

    def rehearse(self, folder: Path, given: Given, progress: Progress) -> Classifier | None:
        """See ``Task``; weights are read in pieces."""
        return rehearsal.check(self, folder, given, progress)

    def try_arguments(
        self, tiny: Classifier, action: TrainingAction, given: Mapping[str, Any], rows: int
    ) -> None:
        """See ``Task``."""
        rehearsal.check_arguments(self, tiny, action, given, rows)

    def check_rows(self, model: Classifier | None, dataset: Dataset) -> tuple[str, ...]:
        """See ``Task``: what all kinds refuse is enough."""
        del model, dataset
        return ()

    # --- models --------------------------------------------------------------------------

    def from_base(self, folder: Path, rows: Sequence[R], seed: int) -> Classifier:
        """A base model with a fresh head for the labels of these rows."""
        return self.with_head(folder, sorted({row.label for row in rows}), seed)

    def with_head(self, folder: Path, labels: Sequence[str], seed: int) -> Classifier:
        """A base model with a fresh head for these labels.

        Raises:
            ConfigurationError: BaseModelUnreadable.
        """
        transformers.set_seed(seed)
        try:
            model, processor = self._together(folder, Given.BASE, labels)
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            said = loading.first_line(error)
            problem = f"no {self.classifier} can be made of {folder.name!r}: {said}"
            raise Given.BASE.unreadable(problem) from None
        return Classifier(model, processor, tuple(labels))

    def from_initial(self, folder: Path) -> Classifier:
        """A classifier that was made elsewhere, with its own labels."""
        given = Given.INITIAL
        try:
            model, processor = self._together(folder, given)
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001  # the library raises whatever its parsers raise
            problem = f"no {self.classifier} can be read from it: {loading.first_line(error)}"
            raise given.unreadable(problem) from None
        return Classifier(model, processor, self._own_labels(model.config), given)

    def load(self, folder: Path, labels: Sequence[str]) -> Classifier:
        """A stored version, as it was."""
        given = Given.CHAMPION
        try:
            model, processor = self._together(folder, given)
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001  # the library raises whatever its parsers raise
            problem = f"versions/{folder.name} cannot be read: {loading.first_line(error)}"
            raise given.unreadable(problem) from None
        return Classifier(model, processor, tuple(labels), given)

    def extend(
        self, champion: Classifier, folder: Path, rows: Sequence[R], seed: int
    ) -> Classifier:
        """The champion with outputs for labels it did not know; what it knew stays as it is."""
        news = sorted({row.label for row in rows} - set(champion.labels))
        if not news:
            return replace(champion, given=None)
        transformers.set_seed(seed)
        known = champion.labels + tuple(news)
        larger = Classifier(*self._together(folder, Given.CHAMPION, known), known)
        before = champion.model.state_dict()
        with torch.no_grad():
            for name, weights in larger.model.state_dict().items():
                own = before[name]
                if own.shape != weights.shape:
                    weights[: own.shape[0]] = own
        return larger

    def fit(self, model: Classifier, rows: Sequence[R], how: How, progress: Progress) -> Fitted:
        """Train in place, with the library's ``TrainingArguments``."""
        built = arguments.build(how.action, how.arguments, how.scratch)
        told = fitting.Told(progress, len(rows))
        trainer = self.trainer_of(model, rows, built, told)
        return fitting.fit(trainer, told, arguments.where(how.action))

    def trainer_of(
        self,
        classifier: Classifier,
        rows: Sequence[R],
        built: Any,
        told: transformers.TrainerCallback,
    ) -> transformers.Trainer:
        """The library's trainer of these rows, by its ``TrainingArguments``."""
        index = {label: number for number, label in enumerate(classifier.labels)}
        examples = fitting.Examples(
            self.encode(classifier, rows),
            accepted(classifier.model),
            [index[row.label] for row in rows],
        )
        collator = self.collator(classifier)
        return fitting.trainer_of(classifier.model, examples, collator, built, told)

    def outputs(
        self, model: Classifier, rows: Sequence[R], progress: Progress, stage: str
    ) -> Outputs:
        """Predict and embed; always in 32 bits, so that two models are compared alike.

        Embeddings are means of the last hidden state. A label that a model does not know it cannot
        predict, so such rows count as wrong for it.
        """
        progress.stage(stage, len(rows))
        probabilities = np.zeros((len(rows), len(model.labels)), np.float32)
        if not rows:
            width = getattr(model.model.config.get_text_config(), "hidden_size", 0)
            nothing = np.zeros((0, width), np.float32)
            return Outputs(np.zeros(0), nothing, probabilities)
        predicted = [""] * len(rows)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        network = model.model.to(device).eval()
        takes, collate = accepted(network), self.collator(model)
        encoded = self.encode(model, rows)
        # Nothing is learnt here, so order costs no score.
        order = self.order(encoded)
        embeddings: NDArray[np.float32] | None = None
        with torch.inference_mode():
            for start in range(0, len(order), EVALUATION_BATCH):
                numbers = list(order[start : start + EVALUATION_BATCH])
                batch = collate([encoded[number] for number in numbers]).to(device)
                taken = {name: field for name, field in batch.items() if name in takes}
                output = network(**taken, output_hidden_states=True)
                pooled = self.pooled(output, batch).float().cpu().numpy()
                if embeddings is None:
                    embeddings = np.zeros((len(rows), pooled.shape[1]), np.float32)
                embeddings[numbers] = pooled
                probabilities[numbers] = output.logits.float().softmax(-1).cpu().numpy()
                for number, best in zip(numbers, output.logits.argmax(-1).tolist(), strict=True):
                    predicted[number] = model.labels[best]
                progress.step(start + len(numbers))
        assert embeddings is not None  # noqa: S101  # there are rows
        self._refuse_no_numbers(model, embeddings, probabilities)
        wrong = [row.label != label for row, label in zip(rows, predicted, strict=True)]
        return Outputs(np.array(wrong, float), embeddings, probabilities, tuple(predicted))

    def baseline(self, train: Sequence[R], rows: Sequence[R]) -> NDArray[np.float64]:
        """The loss of whoever answers the most frequent label, whatever is asked."""
        answer = majority_class(train)
        return np.array([row.label != answer for row in rows], float)

    # --- the store -----------------------------------------------------------------------

    def save(self, model: Classifier, folder: Path) -> None:
        """Model, processor and label names, readable by the library's class of the kind."""
        model.model.to("cpu").save_pretrained(folder, safe_serialization=True)
        model.processor.save_pretrained(folder)

    def proof(self, model: Classifier) -> Callable[[Path], None]:
        """How a copy of this classifier is known: it loads, and says the same of a row."""
        probe, silent = [self.probe()], Silent()
        expected = self.outputs(model, probe, silent, "").probabilities

        def prove(folder: Path) -> None:
            model.model.to("meta")  # two of them may not fit into memory
            try:
                copy = self.load(folder, model.labels)
                found = self.outputs(copy, probe, silent, "").probabilities
            except ConfigurationError as error:
                raise self._no_copy(model, error.message) from None
            if found is None or expected is None or not np.allclose(found, expected, atol=_SAME):
                raise self._no_copy(model, "it answers otherwise than the model itself")

        return prove

    # --- within --------------------------------------------------------------------------

    def _no_copy(self, classifier: Classifier, problem: str) -> ConfigurationError:
        if classifier.given is not None:
            return classifier.given.unreadable(
                f"what is copied of it cannot be read ({problem}); save it once more with "
                f"save_pretrained of model and {self.prepares}."
            )
        message = f"model.storage: the version that was written cannot be read back ({problem})."
        return ConfigurationError("StoreUnwritable", message)

    def _together(
        self, folder: Path, given: Given, labels: Sequence[str] | None = None
    ) -> tuple[Any, Any]:
        """Model and processor, fit for each other; every weight a number."""
        processor = self.processor(folder)
        model = loading.model(self.auto, folder, given, labels)
        loading.refuse_not_finite(model.state_dict(), given)
        self.fit_together(model, processor, given)
        return model, processor

    def _own_labels(self, config: Any) -> tuple[str, ...]:
        """The labels of the outputs in their order."""
        names = {int(number): str(name).strip() for number, name in config.id2label.items()}
        labels = tuple(names[number] for number in sorted(names))
        if getattr(config, "problem_type", None) == "multi_label_classification":
            problem = (
                f"it gives several labels to {self.input}; one that gives {self.input} one label "
                "is expected."
            )
            raise Given.INITIAL.unreadable(problem)
        unnamed = all(_UNNAMED.fullmatch(name) for name in labels)
        if unnamed or len(set(labels)) < max(2, len(labels)):
            problem = (
                f"its labels are {', '.join(labels)[:200]}; write the labels as they are in the "
                "data, each once and in the order of the outputs, into id2label of its config.json."
            )
            raise Given.INITIAL.unreadable(problem)
        return labels

    def _refuse_no_numbers(
        self,
        classifier: Classifier,
        embeddings: NDArray[np.float32],
        probabilities: NDArray[np.float32],
    ) -> None:
        fine = np.asarray(np.isfinite(np.hstack([embeddings, probabilities])).all(axis=1))
        if fine.all():
            return
        wrong = int((~fine).sum())
        what = f"of {len(fine)} {self.inputs} it answers {wrong} with NaN or infinity"
        if classifier.given is None:
            message = (
                f"The training diverged: {what}. No version was written. "
                "Lower learning_rate in training.*.arguments."
            )
            raise ConfigurationError("TrainingDiverged", message)
        raise classifier.given.unreadable(
            f"{what}, though its weights are finite: they are too large; take an earlier "
            "checkpoint."
        )


if TYPE_CHECKING:

    def _is_a_task(kind: Classification[R]) -> Task[R, Classifier]:
        """Types are checked here: every classification is a kind of model."""
        return kind


def accepted(model: Any) -> frozenset[str]:
    """The fields that a model takes; a processor may be another kind's and give more."""
    return frozenset(inspect.signature(model.forward).parameters)
