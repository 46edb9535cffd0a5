"""What models of series share; a kind adds what is learnt and what an answer is worth."""

import re
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from maintenance_contract import ContractError, TrainingAction
from maintenance_trainer.data.folders import Origin
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
    sizes,
)
from maintenance_trainer.tasks.named_columns import listed, refuse_strangers, remarks
from maintenance_trainer.tasks.series import arrays, drift, embedding, network, stored
from maintenance_trainer.tasks.series.rows import SECOND, Scales, Series, ValuedWindow, Window
from maintenance_trainer.tasks.series.schema import Channel, Schema
from maintenance_trainer.tasks.task import Fitted, How, Outputs

_SAME: Final = 1e-3
"""What a model and its copy answer, in standard deviations, differs by less."""
_REHEARSED: Final = 12
"""Windows of a rehearsal."""
_UNNAMED: Final = re.compile(r"LABEL_\d+")


@dataclass(slots=True)
class SeriesModel:
    """A network and what it reads. ``given`` says whose it is; None: it is trained here."""

    schema: Schema
    network: Any
    given: Given | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that it can answer with."""
        return self.schema.labels


class Patched(ABC):
    """Networks of patches, of windows of series."""

    name: str

    # --- what a kind adds ----------------------------------------------------------------

    @abstractmethod
    def labels(self, rows: Sequence[Window]) -> tuple[str, ...]:
        """The classes of rows, in order; empty for a kind without any."""

    @abstractmethod
    def classes(self, model: SeriesModel, rows: Sequence[Window]) -> NDArray[np.int64] | None:
        """(n,) the places of the labels; None where there are none."""

    @abstractmethod
    def judged(
        self,
        model: SeriesModel,
        rows: Sequence[Window],
        told: NDArray[np.float32],
        embeddings: NDArray[np.float32],
    ) -> Outputs:
        """What a network's answers mean, and what they are worth."""

    @abstractmethod
    def baseline(self, train: Sequence[Window], rows: Sequence[Window]) -> NDArray[np.float64]:
        """See ``Task``."""

    @abstractmethod
    def refuse_leaks(self, rows: Sequence[Window], where: str) -> None:
        """Refuse channels that tell the answer.

        Raises:
            DataError: LabelInColumn.
        """

    @abstractmethod
    def fits(self, schema: Schema) -> str:
        """Why a model of such a schema is none of the kind; empty where it is one."""

    # --- before anything is paid for -----------------------------------------------------

    def check_arguments(self, action: TrainingAction, given: Mapping[str, Any]) -> None:
        """See ``Task``."""
        arguments.check(action, given)

    def rehearse(self, folder: Path, given: Given, progress: Progress) -> SeriesModel | None:
        """See ``Task``."""
        if given is Given.INITIAL:
            self.from_initial(folder)
            return None
        rows = self._rehearsed()
        if (folder / "config.json").is_file():
            loading.refuse_files_not_finite(folder, given)
        else:
            progress.say("no base model is named: a network begins with nothing")
        schema = Schema.of(rows, rows[0].context, self.labels(rows))
        return SeriesModel(schema, network.made(schema, 0))

    def try_arguments(
        self, tiny: SeriesModel, action: TrainingAction, given: Mapping[str, Any], rows: int
    ) -> None:
        """See ``Task``: one step on a few rows, on the CPU."""
        early_stopping.refuse_few(arguments.where(action), given, rows)
        few, given = self._rehearsed(), early_stopping.rest(given)
        there = {name: value for name, value in given.items() if name not in _OF_A_MACHINE}
        with rehearsal.apart(), tempfile.TemporaryDirectory(prefix="rehearsal-") as name:
            try:
                once = {**there, "max_steps": 1, "use_cpu": True}
                settings = network.built(action, once, len(few), Path(name))
                told = fitting.Told(Silent(), len(few))
                learner = network.Learner(tiny.network, tiny.schema)
                classes = self.classes(tiny, few)
                network.trainer_of(learner, few, classes, settings, told).train()
            except ConfigurationError:
                raise
            except Exception as error:  # noqa: BLE001  # whatever the optimizer's library raises
                names = ", ".join(f"{name}={value!r}" for name, value in given.items())[:300]
                message = (
                    f"{arguments.where(action)}: a rehearsal with {names} failed "
                    f"({type(error).__name__}: {loading.first_line(error)}); correct or remove it."
                )
                raise ConfigurationError("ArgumentInvalid", message) from None

    def check_rows(self, model: SeriesModel | None, dataset: Dataset) -> tuple[str, ...]:
        """See ``Task``."""
        rows = [row for row in dataset.rows if isinstance(row, Window)]
        if not rows:
            return ()
        if model is not None:
            _refuse_strangers(model, rows)
        for where, its in (
            ("data.original", [row for row in rows if not row.new]),
            ("data.updates", [row for row in rows if row.new]),
        ):
            self.refuse_leaks(its, where)
        context = model.schema.context if model is not None else rows[0].context
        return tuple(_remarks(rows, Schema.of(rows, context, ())))

    # --- models --------------------------------------------------------------------------

    def from_base(self, folder: Path, rows: Sequence[Window], seed: int) -> SeriesModel:
        """A network for what these rows hold: of random weights, or of those of a base model."""
        schema = Schema.of(rows, rows[0].context, self.labels(rows))
        if not (folder / "config.json").is_file():
            return SeriesModel(schema, network.made(schema, seed))
        given = Given.BASE
        try:
            its = network.from_folder(folder, schema, given, seed)
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001  # the library raises whatever its parsers raise
            problem = f"no model of series can be made of it: {loading.first_line(error)}"
            raise given.unreadable(f"{problem}.") from None
        return SeriesModel(schema, its)

    def from_initial(self, folder: Path) -> SeriesModel:
        """A model that was made elsewhere."""
        return self._read(folder, Given.INITIAL, "it")

    def load(self, folder: Path, labels: Sequence[str]) -> SeriesModel:
        """A stored version, as it was."""
        found = self._read(folder, Given.CHAMPION, f"versions/{folder.name}")
        if found.labels != tuple(labels):
            problem = f"versions/{folder.name}: its labels are not its manifest's"
            raise Given.CHAMPION.unreadable(problem)
        return found

    def extend(
        self, champion: SeriesModel, _folder: Path, rows: Sequence[Window], seed: int
    ) -> SeriesModel:
        """The champion with classes that it did not know; channels and scale stay as they are."""
        news = sorted(set(self.labels(rows)) - set(champion.labels))
        if not news:
            return replace(champion, given=None)
        schema = champion.schema.with_labels((*champion.labels, *news))
        return SeriesModel(schema, network.grown(champion.network, schema, seed))

    def fit(
        self, model: SeriesModel, rows: Sequence[Window], how: How, progress: Progress
    ) -> Fitted:
        """Train in place."""
        where = arguments.where(how.action)
        learnt, stopping = early_stopping.split(where, how.arguments, rows)
        every = [*learnt, *(stopping.rows if stopping else ())]
        learner = network.Learner(model.network, model.schema)
        classes = self.classes(model, every)
        fitted = network.train(learner, every, classes, how, progress, stopping)
        model.given = None
        return fitted

    def outputs(
        self, model: SeriesModel, rows: Sequence[Window], progress: Progress, stage: str
    ) -> Outputs:
        """What the network answers."""
        progress.stage(stage, len(rows))
        if not rows:
            shape = (0, len(model.labels)) if model.labels else (0, 0, 0)
            nothing = embedding.points(rows, model.schema)
            return self.judged(model, rows, np.zeros(shape, np.float32), nothing)
        told = network.asked(model.network, model.schema, rows, progress)
        points = embedding.points(rows, model.schema)
        fine = np.isfinite(told.reshape(len(rows), -1)).all(axis=1)
        if not fine.all():
            raise _no_numbers(model, int((~fine).sum()), len(rows))
        return self.judged(model, rows, told, points)

    def input_changes(
        self, model: SeriesModel, old: Sequence[Window], new: Sequence[Window]
    ) -> list[Measure]:
        """Units, channels, interval, horizon."""
        return drift.measures(model.schema, old, new)

    # --- the store -----------------------------------------------------------------------

    def save(self, model: SeriesModel, folder: Path) -> None:
        """The network in Hugging Face's format, and what it reads in JSON."""
        model.network.to("cpu").save_pretrained(folder, safe_serialization=True)
        stored.write(folder, model.schema)

    def files(self, _model: SeriesModel) -> frozenset[str]:
        """See ``Task``."""
        return frozenset({stored.SERIES_FILE})

    def proof(self, model: SeriesModel) -> Callable[[Path], None]:
        """How a copy is known: it loads, and answers the same."""
        probes = probes_of(model.schema)
        expected = network.asked(model.network, model.schema, probes, Silent())

        def prove(folder: Path) -> None:
            try:
                copy = self.load(folder, model.labels)
                found = network.asked(copy.network, copy.schema, probes, Silent())
            except ConfigurationError as error:
                raise no_copy(model.given, error.message) from None
            if copy.schema != model.schema or not np.allclose(found, expected, atol=_SAME):
                raise no_copy(model.given, "it answers otherwise than the model itself")

        return prove

    # --- within --------------------------------------------------------------------------

    def _read(self, folder: Path, given: Given, what: str) -> SeriesModel:
        try:
            schema = stored.read(folder)
            problem = self.fits(schema)
            its = None if problem else network.from_folder(folder, schema, given)
            problem = problem or _no_match(its, schema)
            if not problem:
                network.asked(its, schema, probes_of(schema)[:1], Silent())
        except ConfigurationError:
            raise
        except (ContractError, sizes.TooLargeError) as error:
            raise given.unreadable(f"{what}: {error}.") from None
        except Exception as error:  # noqa: BLE001  # the library raises whatever its parsers raise
            said = loading.first_line(error)
            raise given.unreadable(f"{what} cannot be read: {said}") from None
        if problem:
            raise given.unreadable(f"{what}: {problem}.")
        return SeriesModel(schema, its, given)

    def _rehearsed(self) -> list[Window]:
        count, context = _REHEARSED + 40, 16
        steps = np.arange(count)
        series = Series(
            "rehearsal",
            steps * 3600 * SECOND,
            {"a": np.sin(steps / 3.0), "b": np.cos(steps / 5.0)},
            np.zeros(count, np.int64),
            3600.0,
            Scales(),
        )
        rows: list[Window] = []
        for number in range(_REHEARSED):
            facts: dict[str, Any] = {
                "key": f"{number:064x}",
                "origin": Origin.ORIGINAL,
                "new": False,
                "series": series,
                "end": context + number,
                "context": context,
                "block": f"{number:064x}",
            }
            if self.labelled:
                rows.append(Window(label="abc"[number % 3], **facts))
            else:
                rows.append(ValuedWindow(label="h:", horizon=4, targets=("a", "b"), **facts))
        return rows

    @property
    def labelled(self) -> bool:
        """Whether rows have classes."""
        return self.name.endswith("Classification")


_OF_A_MACHINE: Final = frozenset(
    {
        "fp16",
        "tf32",
        "full_determinism",
        "use_cpu",
        "num_train_epochs",
        "dataloader_num_workers",
        "dataloader_prefetch_factor",
        "dataloader_persistent_workers",
        "dataloader_multiprocessing_context",
        "dataloader_drop_last",
        "auto_find_batch_size",
    }
)
"""What is another on the machine that trains, and what would make a rehearsal long."""


def probes_of(schema: Schema) -> list[Window]:
    """A few windows by which a copy is known: waves around the mean of each channel."""
    length = schema.context + 3
    steps = np.arange(length)
    columns = {
        channel.name: channel.mean + channel.std * np.sin(steps / 5.0 + place)
        for place, channel in enumerate(schema.channels)
    }
    series = Series("", steps * SECOND, columns, np.zeros(length, np.int64), schema.step, Scales())
    return [
        Window(
            label="",
            key="",
            origin=Origin.ORIGINAL,
            new=False,
            series=series,
            end=end,
            context=schema.context,
            block="",
        )
        for end in range(schema.context, length)
    ]


def _no_match(its: Any, schema: Schema) -> str:
    """Why a network and what series.json says of it do not fit; empty where they do."""
    config = its.config
    told = int(config.num_targets) if schema.labels else int(config.prediction_length)
    wanted = len(schema.labels) if schema.labels else schema.horizon
    found = {
        "context_length": (int(config.context_length), schema.context, "context"),
        "num_input_channels": (int(config.num_input_channels), len(schema.channels), "channels"),
        "num_targets" if schema.labels else "prediction_length": (
            told,
            wanted,
            "labels" if schema.labels else "horizon",
        ),
    }
    for name, (is_, said, field) in found.items():
        if is_ != said:
            return f"{name} of config.json is {is_}, and {field} of series.json {said}"
    named = {int(place): str(name) for place, name in (config.id2label or {}).items()}
    ordered = [named.get(place) for place in range(len(named))]
    unnamed = all(map(_UNNAMED.fullmatch, named.values()))
    if schema.labels and not unnamed and ordered != list(schema.labels):
        return "id2label of config.json and labels of series.json are not the same, in one order"
    if schema.targets and config.loss != "mse":
        return (
            f"loss of config.json is {str(config.loss)[:20]!r}, so it answers with a distribution, "
            "and one number each is expected (loss: mse)"
        )
    chosen = getattr(config, "prediction_channel_indices", None)
    if schema.targets and chosen is not None:
        names = list(schema.names)
        if [names.index(name) for name in schema.targets] != list(chosen):
            return "prediction_channel_indices of config.json are not targets of series.json"
    return ""


def _refuse_strangers(model: SeriesModel, rows: Sequence[Window]) -> None:
    """Refuse a model of other channels than the data's.

    Raises:
        DataError: ColumnMissing.
        ConfigurationError: InitialModelUnreadable.
    """
    there = {name for group in arrays.groups(rows) for name in group.series.columns}
    refuse_strangers(set(model.schema.names), there, model.given, stored.SERIES_FILE)


def _remarks(rows: Sequence[Window], learnt: Schema) -> list[str]:
    """What is odd about the channels and is read all the same."""
    columns = [group.series.columns for group in arrays.groups(rows)]
    strangers = {name for its in columns for name in its} - set(learnt.names)
    filled = {
        name
        for its in columns
        for name in strangers & its.keys()
        if bool(np.isfinite(its[name]).any())
    }
    constant = [each.name for each in learnt.channels if _is_constant(each)]
    told = remarks(sorted(strangers - filled), constant)
    if filled:
        what = "no window sees or is told by a row that has a number in it, so it is no input."
        told.append(f"{listed(sorted(filled))}: {what}")
    return told


def _is_constant(channel: Channel) -> bool:
    return bool(channel.quantiles) and channel.quantiles[0] == channel.quantiles[-1]


def _no_numbers(model: SeriesModel, wrong: int, count: int) -> ConfigurationError:
    what = f"of {count} windows it answers {wrong} with NaN or infinity"
    if model.given is not None:
        return model.given.unreadable(f"{what}; take an earlier checkpoint.")
    message = (
        f"The training diverged: {what}. No version was written. Lower learning_rate in "
        "training.*.arguments."
    )
    return ConfigurationError("TrainingDiverged", message)
