"""What does a user choose next? A small causal decoder over items, built of transformers.

A row is a user. It is learnt from at all of its interactions, and judged by the last one: right
where that is among the ``first`` that the model ranks highest, given what the user did before.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from maintenance_contract import HITS, ContractError, ScoreMetric, Task, TrainingAction
from maintenance_contract.kinds import train_batch_of
from maintenance_contract.request import rows_a_step
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.split import Dataset
from maintenance_trainer.diagnose.answers import Measure
from maintenance_trainer.errors import ConfigurationError, DataError
from maintenance_trainer.model_field import Given, no_copy
from maintenance_trainer.progress import Progress
from maintenance_trainer.tasks.huggingface import (
    arguments,
    early_stopping,
    fitting,
    loading,
    rehearsal,
    sizes,
)
from maintenance_trainer.tasks.huggingface.early_stopping import Stopping
from maintenance_trainer.tasks.huggingface.folder import config_document
from maintenance_trainer.tasks.interactions import SOURCE, Interactions
from maintenance_trainer.tasks.items import catalogues, changes, decoders, inspection, stored
from maintenance_trainer.tasks.items.names import ITEMS
from maintenance_trainer.tasks.items.rows import ItemRow
from maintenance_trainer.tasks.items.sequences import (
    Collator,
    history,
    padded,
    tokens_of,
    windows,
)
from maintenance_trainer.tasks.items.stored import BEGINNING, FIRST, PADDING, UNKNOWN, Catalogue
from maintenance_trainer.tasks.task import Fitted, How, Outputs

BATCH: Final = 256
"""Users that are scored together."""
SIZE: Final[Mapping[str, Any]] = {
    "n_positions": 64,
    "n_embd": 64,
    "n_layer": 1,
    "n_head": 2,
    "resid_pdrop": 0.2,
    "embd_pdrop": 0.2,
    "attn_pdrop": 0.2,
}
"""Of a model that begins with nothing."""
LEAST_STEPS: Final[Mapping[TrainingAction, int]] = {
    TrainingAction.RETRAIN: 300,
    TrainingAction.FINE_TUNE: 80,
}
LEAST_EPOCHS: Final[Mapping[TrainingAction, int]] = {
    TrainingAction.RETRAIN: 10,
    TrainingAction.FINE_TUNE: 4,
}
"""Unless the user says otherwise, rows are read so often, and as often as makes so many steps."""
_ALIKE: Final = {
    "per_device_train_batch_size": train_batch_of(Task.NEXT_ITEM),
    "train_sampling_strategy": "group_by_length",
}
OWN: Final[Mapping[TrainingAction, Mapping[str, Any]]] = {
    TrainingAction.RETRAIN: {"learning_rate": 3e-3, **_ALIKE},
    TrainingAction.FINE_TUNE: {"learning_rate": 1e-3, **_ALIKE},
}
"""Beneath the user's arguments, over those of all kinds in Hugging Face's format."""
APART: Final = 10.0
"""Times the learning rate, while new items alone are learnt; up to a rate that places bear."""
MOST_APART: Final = 0.02
_SAME: Final = 1e-3
"""Scores of a model and its copy differ by less: the same weights, maybe another device."""
_ROWS: Final = 12
_TIMES_STORED: Final = 4
"""A model has so many times the weights of its files at most."""

hf_logging: Any = transformers.utils.logging  # its functions have no types
hf_logging.set_verbosity_error()
hf_logging.disable_progress_bar()
logging.getLogger("transformers").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class ItemModel:
    """A decoder and the items that its tokens stand for.

    ``given`` says whose it is; None: it is trained here. ``known``: tokens that were there before
    it grew.
    """

    network: Any
    catalogue: Catalogue
    given: Given | None = None
    known: int | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """None: an item is no class of which a row keeps its share."""
        return ()

    @property
    def context(self) -> int:
        """How many tokens it reads."""
        found: int = self.network.config.max_position_embeddings
        return found


class NextItem:
    """Ranks items by what a user has chosen."""

    name: str = Task.NEXT_ITEM

    def __init__(self, metric: ScoreMetric = ScoreMetric.HIT_RATE_AT_10) -> None:
        self._metric, self._first = metric, HITS[metric]

    @property
    def source(self) -> Interactions:
        """How its rows are read."""
        return SOURCE

    # --- before anything is paid for -----------------------------------------------------

    def check_arguments(self, action: TrainingAction, given: Mapping[str, Any]) -> None:
        """See ``Task``."""
        arguments.check(action, given)

    def rehearse(self, folder: Path, given: Given, progress: Progress) -> ItemModel | None:
        """See ``Task``."""
        if given is Given.INITIAL:
            self.from_initial(folder)
            return None
        if _is_base(folder):
            self._read(folder, given)
        else:
            progress.say("a model of items begins with nothing: no base model is read")
        return _tiny()

    def try_arguments(
        self, tiny: ItemModel, action: TrainingAction, given: Mapping[str, Any], rows: int
    ) -> None:
        """See ``Task``: one step of a tiny model."""
        rehearsal.check_arguments(self, tiny, action, given, rows)

    def check_rows(self, model: ItemModel | None, dataset: Dataset) -> tuple[str, ...]:
        """See ``Task``."""
        inspection.refuse_few(dataset, self._metric)
        known = None if model is None else model.catalogue
        given = None if model is None else model.given
        return tuple(inspection.check(known, given, dataset))

    # --- models --------------------------------------------------------------------------

    def from_base(self, folder: Path, rows: Sequence[ItemRow], seed: int) -> ItemModel:
        """A model of the items of these rows: a base model with those it lacks, or a new one."""
        if _is_base(folder):
            return self.extend(self._read(folder, Given.BASE), folder, rows, seed)
        transformers.set_seed(seed)
        catalogue = catalogues.of(rows)
        config = GPT2Config(
            vocab_size=catalogue.tokens,
            pad_token_id=PADDING,
            bos_token_id=BEGINNING,
            eos_token_id=None,
            **SIZE,
        )
        return ItemModel(GPT2LMHeadModel(config), catalogue)

    def from_initial(self, folder: Path) -> ItemModel:
        """A model that was made elsewhere."""
        return self._read(folder, Given.INITIAL)

    def load(self, folder: Path, labels: Sequence[str]) -> ItemModel:
        """A stored version, as it was."""
        del labels
        return self._read(folder, Given.CHAMPION)

    def extend(
        self, champion: ItemModel, _folder: Path, rows: Sequence[ItemRow], seed: int
    ) -> ItemModel:
        """The champion with tokens for items that it did not know; what it knew stays as it is."""
        catalogue = catalogues.grown(champion.catalogue, rows)
        if len(catalogue) > len(champion.catalogue):
            transformers.set_seed(seed)
            catalogues.grow(champion.network, catalogue.tokens)
        return replace(champion, catalogue=catalogue, given=None, known=champion.catalogue.tokens)

    def fit(
        self, model: ItemModel, rows: Sequence[ItemRow], how: How, progress: Progress
    ) -> Fitted:
        """Train in place, with the library's ``TrainingArguments``.

        A fine-tune of a model that has grown first finds a place for the new items, while all else
        stays as it is; then all of it goes on as gently as ever. Trained at once, what is known
        would be moved as far as what is not.
        """
        where = arguments.where(how.action)
        learnt, stopping = early_stopping.split(where, how.arguments, rows)
        given = complete(how.action, how.arguments, len(learnt))
        first = Fitted()
        if how.action is TrainingAction.FINE_TUNE and _has_grown(model):
            apart = {"learning_rate": _apart(given["learning_rate"]), "weight_decay": 0.0}
            with catalogues.only_new(model.network, model.known or 0):
                stage = replace(how, arguments={**given, **apart}, scratch=how.scratch / "new")
                first = self._fit(model, learnt, stage, progress, stopping)
        second = self._fit(model, learnt, replace(how, arguments=given), progress, stopping)
        return Fitted(first.seconds + second.seconds, first.steps + second.steps)

    def _fit(
        self,
        model: ItemModel,
        rows: Sequence[ItemRow],
        how: How,
        progress: Progress,
        stopping: Stopping[ItemRow] | None,
    ) -> Fitted:
        told = fitting.Told(progress, len(rows))
        built = arguments.build(how.action, how.arguments, how.scratch)
        trainer = self.trainer_of(model, rows, built, told, stopping)
        return fitting.fit(trainer, told, arguments.where(how.action))

    def trainer_of(
        self,
        model: ItemModel,
        rows: Sequence[ItemRow],
        built: Any,
        told: transformers.TrainerCallback,
        stopping: Stopping[ItemRow] | None = None,
    ) -> transformers.Trainer:
        """The library's trainer of these rows, by its ``TrainingArguments``."""
        examples = self._examples(model, rows)
        validation = stopping.on(self._examples(model, stopping.rows)) if stopping else None
        return fitting.trainer_of(model.network, examples, Collator(), built, told, validation)

    def _examples(self, model: ItemModel, rows: Sequence[ItemRow]) -> fitting.Examples:
        tokens = tokens_of(model.catalogue)
        pairs = [pair for row in rows for pair in windows(row, tokens, model.context)]
        if not pairs:
            message = (
                f"data: the model knows no item of {len(rows):,} users to learn from, and with "
                f"{len(model.catalogue):,} items it takes no more: name no baseModel for another "
                "catalogue, or leave rare items out."
            )
            raise DataError("DataEmpty", message)
        return fitting.Examples(
            [{"input_ids": inputs} for inputs, _ in pairs],
            frozenset({"input_ids"}),
            [answers for _, answers in pairs],
        )

    def rehearsed(self, _model: ItemModel, _labels: Sequence[str]) -> dict[str, list[ItemRow]]:
        """Rows that arguments are tried with."""
        return {"": _rehearsed()}

    def outputs(
        self, model: ItemModel, rows: Sequence[ItemRow], progress: Progress, stage: str
    ) -> Outputs:
        """Where the last item of each row is ranked, given what stands before it.

        Always in 32 bits, so that two models are compared alike. Embeddings are the last hidden
        state. An item that the model does not know it cannot rank: such rows count as wrong for it.
        """
        progress.stage(stage, len(rows))
        tokens = tokens_of(model.catalogue)
        answers = tokens[[row.last for row in rows]] if rows else np.zeros(0, np.int64)
        asked = [history(row, tokens, model.context) for row in rows]
        ranks, embeddings = fitting.in_batches_that_fit(
            BATCH, lambda size: _ranks(model, asked, answers, size, progress)
        )
        known = answers != UNKNOWN
        ranks[~known] = np.iinfo(np.int64).max
        return Outputs(
            (ranks >= self._first).astype(float),
            embeddings,
            answerable=known,
            beside={f"NDCG@{self._first}": _gains(ranks, self._first)},
        )

    def baseline(self, train: Sequence[ItemRow], rows: Sequence[ItemRow]) -> NDArray[np.float64]:
        """The loss of whoever shows everybody what is chosen most."""
        chosen = np.bincount(
            np.concatenate([row.own for row in train]) if train else [], minlength=len(ITEMS)
        )
        most = np.argsort(-chosen, kind="stable")[: self._first]
        shown = frozenset(most[chosen[most] > 0].tolist())
        return np.array([row.last not in shown for row in rows], float)

    def input_changes(
        self, model: ItemModel, old: Sequence[ItemRow], new: Sequence[ItemRow]
    ) -> list[Measure]:
        """Items that the model does not know, items that are gone, how much users do."""
        return changes.measures(model.catalogue, old, new)

    # --- the store -----------------------------------------------------------------------

    def save(self, model: ItemModel, folder: Path) -> None:
        """The decoder in Hugging Face's format, and its items in JSON."""
        model.network.to("cpu").save_pretrained(folder, safe_serialization=True)
        stored.write(folder, model.catalogue)

    def files(self, _model: ItemModel) -> frozenset[str]:
        """See ``Task``."""
        return frozenset({stored.ITEMS_FILE})

    def proof(self, model: ItemModel) -> Callable[[Path], None]:
        """How a copy is known: it loads, and ranks a history the same."""
        asked = [np.array([BEGINNING, *range(FIRST, min(FIRST + 4, model.catalogue.tokens))])]
        expected = ranked(model, asked)[1]

        def prove(folder: Path) -> None:
            try:
                copy = self.load(folder, ())
                found = ranked(copy, asked)[1]
            except ConfigurationError as error:
                raise _no_copy(model, error.message) from None
            if copy.catalogue != model.catalogue or not np.allclose(found, expected, atol=_SAME):
                raise _no_copy(model, "it answers otherwise than the model itself")

        return prove

    # --- within --------------------------------------------------------------------------

    def _read(self, folder: Path, given: Given) -> ItemModel:
        """A folder's model.

        Raises:
            ConfigurationError: of ``given``.
        """
        try:
            return self._loaded(folder, given)
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001  # the library raises whatever its parsers raise
            where = f"versions/{folder.name}" if given is Given.CHAMPION else "it"
            problem = f"{where} cannot be read as a decoder of items: {loading.first_line(error)}"
            raise given.unreadable(problem) from None

    def _loaded(self, folder: Path, given: Given) -> ItemModel:
        try:
            catalogue = stored.read(folder)
        except (FileNotFoundError, ContractError) as error:
            raise given.unreadable(f"{folder.name} {error}") from None
        if given is not Given.CHAMPION:
            _refuse_too_large(folder, given)
        network = loading.model(AutoModelForCausalLM, folder, given)
        loading.refuse_not_finite(network.state_dict(), given)
        its = network.config.vocab_size
        if its != catalogue.tokens:
            problem = (
                f"its config.json has {its:,} tokens, and {stored.ITEMS_FILE} names "
                f"{len(catalogue):,} items, which makes {catalogue.tokens:,} with the {FIRST} "
                "tokens before them: they do not belong together; copy both from where the model "
                "was saved."
            )
            raise given.unreadable(problem)
        found = ItemModel(network, catalogue, given)
        if given is not Given.CHAMPION:
            decoders.check(network, partial(ranked, found), given)
        return found


TASK: Final = NextItem()
BY_METRIC: Final = {metric: NextItem(metric) for metric in HITS}


def _refuse_too_large(folder: Path, given: Given) -> None:
    """Refuse a model that its weights cannot be the weights of, before it takes memory."""
    tensors, weights = sizes.stored(folder)
    try:
        sizes.check_numbers(config_document(folder))
        with sizes.no_larger_than(2 * tensors + 500, _TIMES_STORED * weights + 2**20):
            loading.model(AutoModelForCausalLM, folder, given, device_map="meta")
    except sizes.TooLargeError as error:
        raise given.unreadable(f"{error}: correct config.json.") from None


def _apart(rate: float) -> float:
    return max(rate, min(APART * rate, MOST_APART))


def _has_grown(model: ItemModel) -> bool:
    return model.known is not None and model.known < model.catalogue.tokens


def _is_base(folder: Path) -> bool:
    """Whether a base model is named; else the folder is an empty one."""
    return (folder / "config.json").is_file()


def complete(action: TrainingAction, given: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """The user's arguments over the defaults of the kind."""
    found = {**OWN[action], **given}
    steps = max(1, -(-rows // rows_a_step(found)))
    epochs = max(LEAST_EPOCHS[action], -(-LEAST_STEPS[action] // steps))
    return {"num_train_epochs": epochs, **found}


def ranked(
    model: ItemModel, asked: Sequence[NDArray[np.int64]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The last hidden state (n, d) of histories, and a score (n, tokens) of what comes next.

    Tokens that stand for no item have -infinity.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = model.network.to(device).eval()
    inputs = padded(asked, PADDING).to(device)
    ends = torch.tensor([len(each) - 1 for each in asked], device=device)
    with torch.inference_mode():
        states = network.base_model(
            input_ids=inputs, attention_mask=(inputs != PADDING).long()
        ).last_hidden_state
        last = states[torch.arange(len(asked), device=device), ends]
        scores = network.get_output_embeddings()(last).float()
        scores[:, :FIRST] = -torch.inf
    return last.float().cpu().numpy(), scores.cpu().numpy()


def _ranks(
    model: ItemModel,
    asked: Sequence[NDArray[np.int64]],
    answers: NDArray[np.int64],
    size: int,
    progress: Progress,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(n,) the place of each answer behind its history, and (n, d) what reaches it.

    Raises:
        ConfigurationError: the model answers with NaN.
    """
    ranks = np.full(len(asked), np.iinfo(np.int64).max)
    embeddings = np.zeros((len(asked), model.network.config.hidden_size), np.float32)
    finite = np.ones(len(asked), bool)
    order = sorted(range(len(asked)), key=lambda number: len(asked[number]))
    for start in range(0, len(order), size):
        numbers = order[start : start + size]
        hidden, scores = ranked(model, [asked[number] for number in numbers])
        embeddings[numbers] = hidden
        finite[numbers] = np.isfinite(hidden).all(axis=1) & ~np.isnan(scores).any(axis=1)
        its = answers[numbers]
        ranks[numbers] = (scores >= scores[np.arange(len(its)), its][:, None]).sum(axis=1) - 1
        progress.step(start + len(numbers))
    _refuse_no_numbers(model, finite)
    return ranks, embeddings


def _gains(ranks: NDArray[np.int64], first: int) -> NDArray[np.float64]:
    """Discounted gain of each row: 1 at the top, less further down, 0 beyond ``first``."""
    inside = ranks < first
    return np.where(inside, 1.0 / np.log2(np.where(inside, ranks, 0) + 2.0), 0.0)


def _tiny() -> ItemModel:
    """Of four items, for a rehearsal."""
    catalogue = Catalogue([f"item {number}" for number in range(4)], [1] * 4)
    config = GPT2Config(
        vocab_size=catalogue.tokens,
        n_positions=8,
        n_embd=8,
        n_layer=1,
        n_head=1,
        pad_token_id=PADDING,
        bos_token_id=BEGINNING,
        eos_token_id=None,
    )
    return ItemModel(GPT2LMHeadModel(config), catalogue)


def _rehearsed() -> list[ItemRow]:
    """Rows for the tiny model."""
    numbers = [ITEMS.number(f"item {number}") for number in range(4)]
    return [
        ItemRow(
            label="item 0",
            key=f"{number:064x}",
            origin=Origin.ORIGINAL,
            new=False,
            user=f"{number:064x}",
            items=np.array(numbers, np.int32),
            times=np.arange(4, dtype=np.int64),
            answers=np.arange(4, dtype=np.int32),
        )
        for number in range(_ROWS)
    ]


def _refuse_no_numbers(model: ItemModel, finite: NDArray[np.bool_]) -> None:
    if finite.all():
        return
    what = f"of {len(finite)} users it answers {int((~finite).sum())} with NaN or infinity"
    if model.given is None:
        message = (
            f"The training diverged: {what}. No version was written. Lower learning_rate in "
            "training.*.arguments."
        )
        raise ConfigurationError("TrainingDiverged", message)
    problem = f"{what}, though its weights are finite: they are too large; take an earlier one."
    raise model.given.unreadable(problem)


def _no_copy(model: ItemModel, problem: str) -> ConfigurationError:
    mend = f"; save it once more with save_pretrained, and {stored.ITEMS_FILE} beside it"
    return no_copy(model.given, problem, mend)
