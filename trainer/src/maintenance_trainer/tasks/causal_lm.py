"""Causal language models that answer, of Hugging Face's format: all weights, or adapters."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoModelForCausalLM
from typing_extensions import override  # of torch; typing has it from Python 3.12 on

from maintenance_contract import Recipes, Task, TrainingAction
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.split import Dataset
from maintenance_trainer.diagnose.answers import Measure
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.model_field import Given
from maintenance_trainer.progress import Progress
from maintenance_trainer.tasks import tokens
from maintenance_trainer.tasks.huggingface import arguments, early_stopping, fitting, loading
from maintenance_trainer.tasks.huggingface.pretrained import (
    PretrainedModel,
    PretrainedTask,
    accepted,
)
from maintenance_trainer.tasks.language import adapters, encoding, form, options, quality
from maintenance_trainer.tasks.language.adapter_folder import is_adapter
from maintenance_trainer.tasks.language.encoding import MOST_TOKENS, Encoded
from maintenance_trainer.tasks.language.files import SOURCE, Conversations
from maintenance_trainer.tasks.language.lengths import Lengths
from maintenance_trainer.tasks.language.rows import AnswerRow, Role, Turn, conversation, key_of
from maintenance_trainer.tasks.language.scoring import score
from maintenance_trainer.tasks.language.unigram import Unigram, bytes_of
from maintenance_trainer.tasks.task import Fitted, How, Outputs

if TYPE_CHECKING:
    from maintenance_trainer.tasks import task as kinds

_QUESTION: Final = "What did shares of the 3 largest banks do on Monday?"
_ANSWER: Final = "They fell; nobody knows why."
_SENTENCE: Final = "Shares of banks fell. "
_REHEARSED_LOGITS: Final = 2**24
"""Of a row that a tiny model is trained on: with a large vocabulary a long row would make more than
a diagnosis has memory for."""
_PROBED: Final = 8
"""Tokens by which it is seen whether a model looks ahead."""
_NOISE: Final = 1e-4
"""Part of what another last token changes at its own place that rounding may change before it."""


class CausalLanguageModel(PretrainedTask[AnswerRow]):
    """Questions and the answer to each.

    Args:
        base: gives the folder of the base model, which adapters and rows are read by.
        recipes: how it would be trained.
    """

    name: str = Task.CAUSAL_LM
    auto = AutoModelForCausalLM
    classifier = "causal language model"
    inputs = "questions and answers"
    input = "a question"
    prepares = "tokenizer"
    taught = "language model"
    new_head = False

    def __init__(
        self, base: Callable[[], Path] | None = None, recipes: Recipes | None = None
    ) -> None:
        self._base, self._recipes = base, recipes or Recipes()

    def beside(
        self, base: Callable[[], Path], recipes: Recipes | None = None
    ) -> "CausalLanguageModel":
        """The same kind in an operation that has a base model."""
        return CausalLanguageModel(base, recipes)

    def is_part(self, folder: Path) -> bool:
        """Whether it is an adapter, which is taken over as the model that it makes of its base."""
        return is_adapter(folder)

    @property
    @override
    def source(self) -> Conversations:
        return SOURCE

    # --- how it is put together ----------------------------------------------------------

    @override
    def processor(self, folder: Path) -> Any:
        found = tokens.tokenizer(folder)
        if isinstance(getattr(found, "chat_template", None), dict):
            # Others are of tools, and would be kept in a folder within the version.
            found.chat_template = found.chat_template.get("default")
        return found

    @override
    def fit_together(self, model: Any, processor: Any, given: Given) -> None:
        self.refuse_strangers(model, processor, given)
        _refuse_looking_ahead(model, given)
        _refuse_other_loss(model, given)

    @override
    def refuse_strangers(self, model: Any, processor: Any, given: Given) -> None:
        _refuse_other_head(model.config, given)
        tokens.refuse_strangers(model, processor, given)

    @override
    def encode(
        self, classifier: PretrainedModel, rows: Sequence[AnswerRow]
    ) -> list[dict[str, Any]]:
        return [row.fields for row in self.encoded(classifier, rows)]

    @override
    def learnt_of(self, model: PretrainedModel, rows: Sequence[AnswerRow]) -> list[list[int]]:
        return [row.labels for row in self.encoded(model, rows)]

    def encoded(
        self, model: PretrainedModel, rows: Sequence[AnswerRow], most: int | None = None
    ) -> list[Encoded]:
        """The tokens of n rows, each at most so many, and as many as the model takes."""
        room = encoding.context(model.model, model.processor)
        stops = encoding.ends(model.model, model.processor)
        return encoding.encode(model.processor, rows, min(room, most or room), stops)

    @override
    def collator(self, classifier: PretrainedModel) -> encoding.Collator:
        return encoding.Collator(encoding.pad_of(classifier.processor))

    @override
    def rehearsed(
        self, classifier: PretrainedModel, labels: Sequence[str]
    ) -> dict[str, list[AnswerRow]]:
        processor = classifier.processor
        # Whether the template takes the rows' own conversations is asked of the rows.
        sample = _made(_QUESTION, _ANSWER, plain=False)
        plain = encoding.problem_of(processor, [sample]) is not None
        room = encoding.context(classifier.model, processor)
        # A step makes logits of the whole vocabulary for each token, several times over.
        vocabulary = int(classifier.model.config.get_text_config().vocab_size)
        long = _text_of(processor, min(room, max(_PROBED, _REHEARSED_LOGITS // vocabulary)))
        rows = [
            _made(asked, answer, plain=plain)
            for asked, answer in ((_QUESTION, _ANSWER), (long, _ANSWER), ("?", long))
        ]
        longest = _made(_text_of(processor, room), _ANSWER, plain=plain)
        return {
            "answers of all lengths": rows,
            "the longest question": [longest],
            "a short question": [rows[0]],
        }

    @override
    def probe(self) -> AnswerRow:
        return _made(_QUESTION, _ANSWER, plain=True)

    @override
    def files(self, model: PretrainedModel) -> frozenset[str]:
        named = map(str, type(model.processor).vocab_files_names.values())
        return frozenset({*named, "chat_template.jinja", "generation_config.json"})

    # --- before anything is paid for -----------------------------------------------------

    @override
    def check_arguments(self, action: TrainingAction, given: Mapping[str, Any]) -> None:
        """See ``Task``: those of the library's trainer, and ``max_length``."""
        options.check(action, given)

    @override
    def try_arguments(
        self, tiny: PretrainedModel, action: TrainingAction, given: Mapping[str, Any], rows: int
    ) -> None:
        super().try_arguments(tiny, action, options.of_trainer(given), rows)
        model, where = copy.deepcopy(tiny.model), arguments.where(action)
        try:
            with adapters.trained(model, adapters.of_all_layers(given), where):
                pass
        except ConfigurationError:
            if not adapters.names_numbers(given):  # the tiny model has the first layers alone
                raise

    @override
    def check_rows(self, model: PretrainedModel | None, dataset: Dataset) -> tuple[str, ...]:
        """See ``Task``.

        Raises:
            DataError: DataUnreadable, the chat template takes no such conversation; LabelsConstant,
                LabelsUnpredictable.
            ConfigurationError: the model has no chat template; ArgumentInvalid, most answers are
                longer than what is trained on.
        """
        rows: tuple[Any, ...] = dataset.rows
        if model is None:
            if self._base is None:
                return ()
            base = PretrainedModel(None, self.processor(self._base()), (), Given.BASE)
            _refuse_without_template(base, rows)
            lengths = Lengths.of(encoding.encodings(base.processor, rows, MOST_TOKENS))
            most = options.max_length(self._recipes.retrain_arguments)
            lengths.refuse_most(rows, rows, most)
            return lengths.told(rows, most)
        _refuse_without_template(model, rows)
        room = encoding.context(model.model, model.processor)
        stops = encoding.ends(model.model, model.processor)
        lengths = Lengths.of(encoding.encodings(model.processor, rows, room, stops))
        old: tuple[Any, ...] = dataset.old_train + dataset.old_held_out
        new: tuple[Any, ...] = dataset.new_train + dataset.new_held_out
        quality.check(old, new)
        given = self._recipes.fine_tune_arguments, self._recipes.retrain_arguments
        fewest, most = sorted(min(room, options.max_length(arguments)) for arguments in given)
        if model.given is not Given.INITIAL:  # nothing is trained
            lengths.refuse_most(rows, new, most)
        return lengths.told(rows, fewest)

    # --- models --------------------------------------------------------------------------

    def from_base(self, folder: Path, rows: Sequence[AnswerRow], seed: int) -> PretrainedModel:
        """A base model, ready to learn these rows."""
        del seed  # nothing begins at random
        made = self._read(folder, Given.BASE, f"no {self.classifier} can be read from it")
        _refuse_without_template(made, rows)
        return replace(made, given=None)

    def from_initial(self, folder: Path) -> PretrainedModel:
        """A language model that was made elsewhere; an adapter with its base model."""
        otherwise = f"no {self.classifier} can be read from it"
        if self._base is None or not is_adapter(folder):
            return self._read(folder, Given.INITIAL, otherwise)
        made = self._read(self._base(), Given.BASE, otherwise)
        adapters.merge(made.model, folder, Given.INITIAL)
        loading.refuse_not_finite(made.model.state_dict(), Given.INITIAL)
        return replace(made, processor=self._read_by(folder, made), given=Given.INITIAL)

    def _read_by(self, folder: Path, made: PretrainedModel) -> Any:
        """What an adapter was trained to read by, where that lies beside it; else its base's."""
        template = folder / "chat_template.jinja"
        if (folder / "tokenizer_config.json").is_file():
            try:
                processor = self.processor(folder)
            except Exception as error:  # noqa: BLE001  # the library raises whatever its parsers raise
                problem = f"its tokenizer cannot be read: {loading.first_line(error)}"
                raise Given.INITIAL.unreadable(problem) from None
            tokens.refuse_strangers(made.model, processor, Given.INITIAL)
            return processor
        if template.is_file():
            made.processor.chat_template = template.read_text(encoding="utf-8")
        return made.processor

    @override
    def rehearse(self, folder: Path, given: Given, progress: Progress) -> PretrainedModel | None:
        if given is Given.INITIAL and is_adapter(folder):
            loading.refuse_files_not_finite(folder, given)
            return None  # its base model is rehearsed
        return super().rehearse(folder, given, progress)

    def _read(self, folder: Path, given: Given, otherwise: str) -> PretrainedModel:
        try:
            model, processor = self._together(folder, given)
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001  # the library raises whatever its parsers raise
            raise given.unreadable(f"{otherwise}: {loading.first_line(error)}") from None
        return PretrainedModel(model, processor, (), given)

    def extend(
        self, champion: PretrainedModel, folder: Path, rows: Sequence[AnswerRow], seed: int
    ) -> PretrainedModel:
        """The champion: whatever an answer is, its tokens are there already."""
        del folder, rows, seed
        return replace(champion, given=None)

    @override
    def fit(
        self, model: PretrainedModel, rows: Sequence[AnswerRow], how: How, progress: Progress
    ) -> Fitted:
        """Train on the answers alone, with the library's ``TrainingArguments``."""
        built = arguments.build(how.action, options.of_trainer(how.arguments), how.scratch)
        room = encoding.context(model.model, model.processor)
        most = min(room, options.max_length(how.arguments))
        where = arguments.where(how.action)
        kept, stopping = early_stopping.split(where, how.arguments, rows)
        learnt, unread = self._learnt(model, kept, most, progress)
        told = fitting.Told(progress, len(learnt))
        takes = accepted(model.model)
        examples = _examples(learnt, takes)
        validation = None
        if stopping:
            aside, _ = self._learnt(model, stopping.rows, most, progress)
            validation = stopping.on(_examples(aside, takes))
        collator = self.collator(model)
        transformers.set_seed(built.seed)  # adapters begin at random
        with adapters.trained(model.model, how.arguments, where) as trained:
            trainer = fitting.trainer_of(trained, examples, collator, built, told, validation)
            fitted = fitting.fit(trainer, told, where)
        places = frozenset(place for place, row in enumerate(rows) if id(row) in unread)
        return replace(fitted, unread=places)

    def _learnt(
        self, model: PretrainedModel, rows: Sequence[AnswerRow], most: int, progress: Progress
    ) -> tuple[list[Encoded], set[int]]:
        """What is trained on, and the ``id`` of rows that are not.

        An answer that is not whole teaches to stop too early.
        """
        every = self.encoded(model, rows, most)
        kept = [row for row in every if row.whole == 1.0]
        unread = {id(row) for row, its in zip(rows, every, strict=True) if its.whole < 1.0}
        if cut := sum(row.cut for row in kept):
            progress.say(
                f"{cut} of {len(rows)} rows are longer than {most} tokens: their beginning is cut"
            )
        if left := len(every) - len(kept):
            progress.say(
                f"{left} of {len(rows)} answers alone are longer than that: not trained on"
            )
        if not kept:
            message = (
                f"all {len(rows)} answers are longer than {most} tokens: raise max_length in "
                "training.*.arguments, or take a model that reads more."
            )
            raise ConfigurationError("ArgumentInvalid", message)
        return kept, unread

    @override
    def outputs(
        self, model: PretrainedModel, rows: Sequence[AnswerRow], progress: Progress, stage: str
    ) -> Outputs:
        """See ``Task``: bits for each byte of the answer; the embedding is of the question."""
        progress.stage(stage, len(rows))
        if not rows:
            width = getattr(model.model.config.get_text_config(), "hidden_size", 0)
            nothing = np.zeros((0, width), np.float32)
            return Outputs(np.zeros(0), nothing, misses=np.zeros(0))
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        encoded = self.encoded(model, rows)
        network = model.model.to(device).eval()
        try:
            found = score(network, encoding.pad_of(model.processor), encoded, progress.step)
        except torch.cuda.OutOfMemoryError:
            raise fitting.no_room_to_score() from None
        length = np.array(
            [bytes_of(row.label) * its.whole for row, its in zip(rows, encoded, strict=True)]
        )
        loss = found.bits / length
        self._refuse_no_numbers(model, np.column_stack([loss, found.embeddings]))
        return Outputs(loss, found.embeddings, misses=found.misses)

    @override
    def told_of(self, outputs: Outputs) -> NDArray[np.float64]:
        return outputs.loss

    def baseline(
        self, train: Sequence[AnswerRow], rows: Sequence[AnswerRow]
    ) -> NDArray[np.float64]:
        """Of whoever knows how often each piece of text is answered, and not the question."""
        known = Unigram([row.label for row in train])
        return known.bits_per_byte([row.label for row in rows])

    @override
    def input_changes(
        self, model: PretrainedModel, old: Sequence[AnswerRow], new: Sequence[AnswerRow]
    ) -> list[Measure]:
        """The form of conversations, and the tokenizer's view of what is asked."""
        encoded = self.encoded(model, old), self.encoded(model, new)
        return form.measures(model.processor, old, new, encoded)

    def _refuse_no_numbers(self, model: PretrainedModel, found: NDArray[np.float64]) -> None:
        fine = np.asarray(np.isfinite(found).all(axis=1))
        if fine.all():
            return
        what = f"of {len(fine)} answers {int((~fine).sum())} have a loss that is NaN or infinite"
        if model.given is None:
            message = (
                f"The training diverged: {what}. No version was written. "
                "Lower learning_rate in training.*.arguments."
            )
            raise ConfigurationError("TrainingDiverged", message)
        raise model.given.unreadable(
            f"{what}, though its weights are finite: they are too large; take an earlier "
            "checkpoint."
        )


TASK: Final = CausalLanguageModel()

if TYPE_CHECKING:

    def _is_a_task(kind: CausalLanguageModel) -> "kinds.Task[AnswerRow, PretrainedModel]":
        """Types are checked here."""
        return kind


def _examples(rows: Sequence[Encoded], takes: frozenset[str]) -> fitting.Examples:
    return fitting.Examples([row.fields for row in rows], takes, [row.labels for row in rows])


def _made(asked: str, answer: str, *, plain: bool) -> AnswerRow:
    if not plain:
        return conversation([Turn(Role.USER, asked)], answer, Origin.ORIGINAL, new=False)
    return AnswerRow(
        label=answer, key=key_of(asked), origin=Origin.ORIGINAL, new=False, prompt=asked
    )


def _text_of(processor: Any, tokens: int) -> str:
    """A text of at least so many tokens."""
    each = len(processor(_SENTENCE, add_special_tokens=False)["input_ids"])
    return _SENTENCE * (tokens // max(1, each) + 1)


def _refuse_without_template(model: PretrainedModel, rows: Sequence[AnswerRow]) -> None:
    """Refuse messages where the tokenizer does not say how a model reads them."""
    row = next((row for row in rows if row.asked), None)
    if row is None or not encoding.without_template(model.processor):
        return
    given = model.given or Given.BASE
    problem = (
        f"its tokenizer has no chat template, and {row.place or 'a row'} holds messages: take the "
        "instruct version of the model, put a chat_template.jinja beside its tokenizer, or name "
        "columns of prompt and completion."
    )
    raise given.unreadable(problem)


def _refuse_other_head(config: Any, given: Given) -> None:
    """Refuse what was saved as another kind of model: the library would make a head up, or none."""
    saved = getattr(config, "architectures", None) or ()
    known: Any = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), ())
    names = {each.__name__ for each in (known if isinstance(known, tuple | list) else [known])}
    if not saved or names & set(saved):
        return
    problem = (
        f"its config.json says that it is a {', '.join(map(str, saved))[:120]}, and a causal "
        f"language model is expected ({', '.join(sorted(names))[:120]}): name one, saved by "
        "AutoModelForCausalLM."
    )
    raise given.unreadable(problem)


def _refuse_looking_ahead(model: Any, given: Given) -> None:
    """Refuse a model that reads the answer before it gives it: an encoder with a decoder's name."""
    size = int(model.config.get_text_config().vocab_size)
    ids = torch.arange(_PROBED).remainder(size)[None]
    other = ids.clone()
    other[0, -1] = (other[0, -1] + 1) % size
    device = next(model.parameters()).device
    with torch.inference_mode():
        model.eval()
        one, two = (model(input_ids=each.to(device)).logits[0].float() for each in (ids, other))
    apart = (one - two).abs().amax(-1)
    if bool(apart[:-1].max() > _NOISE * apart[-1]):
        problem = (
            "it looks ahead: what it says of a token depends on the tokens behind it, as with an "
            "encoder; name a causal language model (a decoder, like Llama, Qwen or GPT)."
        )
        raise given.unreadable(problem)


def _refuse_other_loss(model: Any, given: Given) -> None:
    """Refuse a model whose own loss asks of each token what it is, and not what comes next.

    The decoders of encoders with decoders (BART, Marian) have one: what is trained by it learns to
    repeat its input.
    """
    size = int(model.config.get_text_config().vocab_size)
    ids = torch.arange(_PROBED, device=next(model.parameters()).device).remainder(size)[None]
    with torch.inference_mode():
        output = model.eval()(input_ids=ids, labels=ids)
        logits, loss = output.logits[0].float(), float(output.loss)
        next_one, same = (
            float(torch.nn.functional.cross_entropy(*pair))
            for pair in ((logits[:-1], ids[0, 1:]), (logits, ids[0]))
        )
    noise = _NOISE * (1 + abs(same))
    if abs(loss - same) < noise < abs(next_one - same):
        problem = (
            f"the library trains a {type(model).__name__} to repeat each token instead of telling "
            "the next one; name a decoder that stands alone (Llama, Qwen, GPT)."
        )
        raise given.unreadable(problem)
