"""Classifiers in Hugging Face's format: a base model gets a head for the labels of the rows."""

import copy
import re
import time
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from typing_extensions import override  # of torch; typing has it from Python 3.12 on

from maintenance_contract import TrainingAction
from maintenance_trainer.data import validation
from maintenance_trainer.data.labels import spelled
from maintenance_trainer.data.rows import Row
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.evaluate import majority_class
from maintenance_trainer.model_field import Given
from maintenance_trainer.progress import Progress, Silent
from maintenance_trainer.tasks.huggingface import fitting, heads, loading, rehearsal
from maintenance_trainer.tasks.huggingface.pretrained import (
    PretrainedModel,
    PretrainedTask,
    accepted,
)
from maintenance_trainer.tasks.task import Fitted, How, Outputs, Task

EVALUATION_BATCH: Final = 64
_UNNAMED: Final = re.compile(r"LABEL_\d+")

R = TypeVar("R", bound=Row)
Classifier = PretrainedModel
"""A model whose i-th output stands for ``labels[i]``."""


class Classification(PretrainedTask[R]):
    """What all classifiers share. A kind names its class of models and makes fields of its rows."""

    new_head = True

    @abstractmethod
    def pooled(self, output: Any, batch: Mapping[str, Any]) -> torch.Tensor:
        """One embedding a row: (n, hidden size), of a model's output with hidden states."""

    @override
    def told_of(self, outputs: Outputs) -> NDArray[np.float64]:
        assert outputs.probabilities is not None  # noqa: S101  # there are classes
        return outputs.probabilities.astype(np.float64)

    @override
    def learnt_of(self, model: Classifier, rows: Sequence[R]) -> Sequence[int]:
        index = {label: number for number, label in enumerate(model.labels)}
        return [index[row.label] for row in rows]

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

    @override
    def outputs(
        self, model: Classifier, rows: Sequence[R], progress: Progress, stage: str
    ) -> Outputs:
        """Predict and embed; always in 32 bits, so that two models are compared alike.

        Embeddings are means of the last hidden state. A label that a model does not know it cannot
        predict, so such rows count as wrong for it.
        """
        progress.stage(stage, len(rows))
        return fitting.in_batches_that_fit(
            EVALUATION_BATCH, lambda size: self._outputs(model, rows, progress, size)
        )

    def _outputs(
        self, model: Classifier, rows: Sequence[R], progress: Progress, size: int
    ) -> Outputs:
        probabilities = np.zeros((len(rows), len(model.labels)), np.float32)
        if not rows:
            width = getattr(model.model.config.get_text_config(), "hidden_size", 0)
            nothing = np.zeros((0, width), np.float32)
            return Outputs(np.zeros(0), nothing, probabilities)
        predicted = [""] * len(rows)
        network = model.model.to(_device()).eval()
        embeddings: NDArray[np.float32] | None = None
        done = 0
        with torch.inference_mode():
            for numbers, batch in self._batches(model, rows, size):
                output = network(**batch.taken, output_hidden_states=True)
                pooled = self.pooled(output, batch.fields).float().cpu().numpy()
                if embeddings is None:
                    embeddings = np.zeros((len(rows), pooled.shape[1]), np.float32)
                embeddings[numbers] = pooled
                probabilities[numbers] = output.logits.float().softmax(-1).cpu().numpy()
                for number, best in zip(numbers, output.logits.argmax(-1).tolist(), strict=True):
                    predicted[number] = model.labels[best]
                done += len(numbers)
                progress.step(done)
        assert embeddings is not None  # noqa: S101  # there are rows
        self._refuse_no_numbers(model, embeddings, probabilities)
        wrong = [row.label != label for row, label in zip(rows, predicted, strict=True)]
        return Outputs(np.array(wrong, float), embeddings, probabilities, tuple(predicted))

    def baseline(self, train: Sequence[R], rows: Sequence[R]) -> NDArray[np.float64]:
        """The loss of whoever answers the most frequent label, whatever is asked."""
        answer = majority_class(train)
        return np.array([row.label != answer for row in rows], float)

    # --- training ------------------------------------------------------------------------

    @override
    def check_arguments(self, action: TrainingAction, given: Mapping[str, Any]) -> None:
        """See ``Task``: those of the library's trainer, or of a head that is fitted alone."""
        if heads.wanted(given):
            heads.check(action, given)
        else:
            heads.refuse_without_method(action, given)
            super().check_arguments(action, given)

    @override
    def try_arguments(
        self, tiny: Classifier, action: TrainingAction, given: Mapping[str, Any], rows: int
    ) -> None:
        """See ``Task``."""
        if not heads.wanted(given):
            super().try_arguments(tiny, action, given, rows)
            return
        few = next(iter(self.rehearsed(tiny, tiny.labels).values()))
        copied = replace(tiny, model=copy.deepcopy(tiny.model))
        with rehearsal.apart():
            self.fit(copied, few, How(action, given, Path("unused")), Silent())

    @override
    def fit(self, model: Classifier, rows: Sequence[R], how: How, progress: Progress) -> Fitted:
        """Train in place: all weights, or the last layer alone."""
        if not heads.wanted(how.arguments):
            return super().fit(model, rows, how, progress)
        start = time.monotonic()
        each = list({id(row): row for row in rows}.values())  # one may be there several times
        try:
            layer, embeddings = self._embedded(model, each, how, progress)
        except torch.cuda.OutOfMemoryError:
            raise fitting.out_of_memory() from None
        progress.stage(f"fitting the last layer on {len(rows)} rows")
        counts = Counter(map(id, rows))
        learnt = heads.Learnt(
            embeddings,
            torch.tensor(self.learnt_of(model, each)),
            torch.tensor([counts[id(row)] for row in each]),
        )
        parts = validation.split(each)
        aside = set(map(id, parts.validation)) if parts.enough else set()
        places = [place for place, row in enumerate(each) if id(row) in aside]
        anew = how.action is TrainingAction.RETRAIN
        steps, strength = heads.fit(layer, learnt, places, how.arguments, anew=anew)
        progress.say(f"fitted with {heads.STRENGTH} = {strength:g} in {steps} steps")
        return Fitted(time.monotonic() - start, steps)

    def _embedded(
        self, model: Classifier, rows: Sequence[R], how: How, progress: Progress
    ) -> tuple[torch.nn.Linear, torch.Tensor]:
        """The last layer, and what reaches it of each row.

        Raises:
            ConfigurationError: ArgumentInvalid, there is no such layer; TrainingDiverged.
        """
        network = model.model.to(_device()).eval()
        ((_, sample),) = self._batches(model, rows[:1], 1)
        layer = heads.last_layer(network, sample.taken, len(model.labels), how.action)
        progress.stage("embedding rows", len(rows))
        batches = self._batches(model, rows, heads.batch_of(how.arguments))
        taken = ((numbers, batch.taken) for numbers, batch in batches)
        found = heads.embedded(network, layer, len(rows), taken, progress.step)
        heads.refuse_no_numbers(found, self.inputs, how.action)
        return layer, found

    # --- within --------------------------------------------------------------------------

    def _batches(
        self, model: Classifier, rows: Sequence[R], size: int
    ) -> Iterator[tuple[list[int], "_Batch"]]:
        """Numbers of rows that are asked together, and their fields on the device."""
        takes, collate = accepted(model.model), self.collator(model)
        encoded = self.encode(model, rows)
        # Nothing is learnt of them, so order costs no score.
        order = self.order(encoded)
        for start in range(0, len(order), size):
            numbers = list(order[start : start + size])
            fields = collate([encoded[number] for number in numbers]).to(_device())
            taken = {name: field for name, field in fields.items() if name in takes}
            yield numbers, _Batch(fields, taken)

    def _own_labels(self, config: Any) -> tuple[str, ...]:
        """The labels of the outputs in their order."""
        names = {int(number): spelled(name) or "" for number, name in config.id2label.items()}
        labels = tuple(names[number] for number in sorted(names))
        kind = getattr(config, "problem_type", None)
        if kind not in {None, "single_label_classification"}:
            problem = (
                f"its problem_type is {str(kind)[:40]}; one that gives {self.input} one label of "
                "several is expected (or correct problem_type in its config.json)."
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


class _Batch(NamedTuple):
    """All fields of a batch, and those of them that the network takes."""

    fields: Mapping[str, Any]
    taken: Mapping[str, Any]


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


if TYPE_CHECKING:

    def _is_a_task(kind: Classification[R]) -> Task[R, Classifier]:
        """Types are checked here: every classification is a kind of model."""
        return kind
