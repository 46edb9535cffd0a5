"""The request: everything one Job of a run needs to know. Immutable, inside the Job itself."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from maintenance_contract import checks
from maintenance_contract.checks import Mismatch
from maintenance_contract.codec import digest
from maintenance_contract.holdout import HOLDOUT, Holdout
from maintenance_contract.kinds import (
    INPUTS,
    MOST_INPUTS,
    REPLAY_PERCENT,
    ROLES,
    TARGETS,
    TRAIN_BATCH,
    Columns,
    Task,
    columns_of,
)
from maintenance_contract.record import Document, Part, record
from maintenance_contract.scores import ScoreMetric
from maintenance_contract.values import Codec, by_name, nullable, strings, text, whole
from maintenance_contract.windows import WINDOWS, Windows

REQUEST_VERSION: Final = 1
DEFAULT_MAX_ROWS: Final = 5000
BATCH: Final = "per_device_train_batch_size"
ACCUMULATED: Final = "gradient_accumulation_steps"
TASK_NAME: Final = re.compile(r"[A-Z][A-Za-z0-9]{0,62}")
SECRET_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


class Operation(StrEnum):
    """What the Job does."""

    DIAGNOSE = "Diagnose"
    TRAIN = "Train"
    REPORT = "Report"


class TrainingAction(StrEnum):
    """The ways to a new version: two trainings, and taking over a model that is there already."""

    IMPORT = "Import"
    FINE_TUNE = "FineTune"
    RETRAIN = "Retrain"


@dataclass(frozen=True, slots=True)
class ResourceRef:
    """The ModelMaintenance that asks."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class ModelRef:
    """The kind of model, where a retrain starts and where versions are kept (storage URIs).

    ``task`` is one of ``Task``, or what a trainer image of another release knows. ``base_model`` is
    empty for kinds that begin with nothing.
    ``revision`` is of a base model from a hub, empty: its newest. The secrets are names of mounted
    Secrets, never what is in them; empty: the identity that the pod has anyway. ``initial_model``
    is to become the first version; empty: none is, or there is a champion already.
    """

    task: str
    base_model: str
    storage: str
    revision: str = ""
    base_model_secret: str = ""
    storage_secret: str = ""
    initial_model: str = ""
    initial_revision: str = ""
    initial_model_secret: str = ""


@dataclass(frozen=True, slots=True)
class ChampionRef:
    """The version in service; ``digest`` is that of its manifest."""

    version: int
    digest: str


class Sampling(StrEnum):
    """How the newly labelled rows were chosen."""

    RANDOM = "Random"
    TARGETED = "Targeted"


@dataclass(frozen=True, slots=True)
class DataRef:
    """Where the data lie (storage URIs), with which mounted Secrets, and how they are read.

    ``sampling``: rows that were chosen because they are hard (``Targeted``) teach, and tell nothing
    of what has changed. ``since`` (RFC 3339; empty: ever): rows of the updates that are dated
    before it are not new. ``windows``: how a series becomes rows; None: of other kinds.
    """

    original: str
    updates: str
    columns: Columns = field(default_factory=lambda: columns_of(Task.TEXT_CLASSIFICATION))
    holdout: Holdout = field(default_factory=Holdout)
    original_secret: str = ""
    updates_secret: str = ""
    sampling: Sampling = Sampling.RANDOM
    since: str = ""
    windows: Windows | None = None


@dataclass(frozen=True, slots=True)
class Recipes:
    """How each action trains. Arguments are Hugging Face ``TrainingArguments`` names.

    ``new_data_percent``: a retrain sees new rows so often that they make up at least this share of
    what it is trained on; 0 is the plain merge.
    """

    replay_percent: int = REPLAY_PERCENT
    fine_tune_arguments: dict[str, Any] = field(default_factory=dict)
    retrain_arguments: dict[str, Any] = field(default_factory=dict)
    new_data_percent: int = 0

    def in_half_batches(self, batch: int = TRAIN_BATCH) -> "Recipes":
        """The same optimisation steps with half as many rows at once: accumulated twice as often.

        ``batch`` is the kind's own, where the arguments say nothing.
        """
        return replace(
            self,
            fine_tune_arguments=_in_half_batches(self.fine_tune_arguments, batch),
            retrain_arguments=_in_half_batches(self.retrain_arguments, batch),
        )


def rows_a_step(arguments: Mapping[str, Any], batch: int = TRAIN_BATCH) -> int:
    """Rows of one optimisation step: those of a batch, and of the batches that are accumulated.

    ``batch`` is the kind's own, where the arguments say nothing. Sizes that are none count as 1:
    the arguments are not checked yet.
    """
    sizes = arguments.get(BATCH, batch), arguments.get(ACCUMULATED, 1)
    return math.prod(size for size in sizes if isinstance(size, int) and size > 0)


def _in_half_batches(arguments: Mapping[str, Any], default: int) -> dict[str, Any]:
    batch = arguments.get(BATCH, default)
    steps = arguments.get(ACCUMULATED, 1)
    if not isinstance(batch, int) or not isinstance(steps, int) or batch < 2:  # noqa: PLR2004
        return dict(arguments)
    return {
        **arguments,
        BATCH: batch // 2,
        ACCUMULATED: steps * 2,
    }


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The data snapshot to train on: ``runs/<run>/data.json`` with this digest."""

    run: int
    digest: str


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """One Job's work.

    ``action``, ``snapshot`` and ``exclude_contradicted`` are for Train only. For Report,
    ``subject`` names the operation whose stored report is to be re-emitted.
    ``exclude_contradicted``: old rows that the new labels contradict leave the training set
    (after concept drift). ``max_rows``: a diagnosis looks at so many of the newly labelled rows,
    and of those that the champion was trained on; at held-out rows it looks always. ``race``: train
    both ways, ``action`` first, and let the better one meet the champion. ``old_at_new_mix``: old
    held-out rows are scored in the shares that the classes have among the new ones. ``metric``:
    what challenger and champion are compared by.
    """

    operation: Operation
    resource: ResourceRef
    run: int
    model: ModelRef
    data: DataRef
    recipes: Recipes
    champion: ChampionRef | None = None
    action: TrainingAction | None = None
    snapshot: Snapshot | None = None
    exclude_contradicted: bool = False
    subject: Operation | None = None
    max_rows: int = DEFAULT_MAX_ROWS
    race: bool = False
    old_at_new_mix: bool = False
    metric: ScoreMetric = ScoreMetric.ACCURACY

    def to_json(self) -> str:
        """The canonical spelling; its digest names the request."""
        return _DOCUMENT.write(self)

    @property
    def digest(self) -> str:
        """``sha256:…`` of the canonical spelling."""
        return digest(self.to_json())

    @classmethod
    def from_json(cls, text: str) -> "TrainingRequest":
        """Read a request.

        Raises:
            ContractError: with the dotted path of the field that is wrong.
        """
        return _DOCUMENT.read(text)


def _matching(pattern: re.Pattern[str], what: str, most: int = checks.TEXT) -> Codec[str]:
    """A string that is such a name."""

    def decode(value: Any) -> str:
        name = checks.text(value, most)
        if not pattern.fullmatch(name):
            raise Mismatch(f"{name!r} is no name of {what}")
        return name

    return Codec(decode, str)


def _columns_of(task: str) -> Codec[Columns]:
    """Those that the kind needs must be there; of a kind of another release, whatever is there."""
    roles = ROLES.get(task, ())
    names, listed = by_name(text(), checks.an_object), strings(MOST_INPUTS)

    def listed_as(role: str, there: dict[str, Any]) -> tuple[str, ...] | None:
        value = there.pop(role, None)
        try:
            return None if value is None else listed.decode(value)
        except Mismatch as mismatch:
            raise mismatch.under(role) from None

    def decode(value: Any) -> Columns:
        there = {role: name for role, name in checks.an_object(value).items() if name is not None}
        inputs = listed_as(INPUTS.name, there)
        targets = listed_as(TARGETS.name, there)
        needed = {
            role.name: None
            for role in roles
            if role.default and not any(other in there for other in role.unless)
        }
        return Columns({**names.decode({**needed, **there})}, inputs, targets=targets or ())

    return Codec(decode, Columns.document)


COLUMNS: Final = _columns_of("")
"""Whatever columns are there."""


@lru_cache(maxsize=64)
def _data_of(task: str) -> Codec[DataRef]:
    return record(
        DataRef,
        always={"columns", "holdout"},
        original=text(4096),
        updates=text(4096),
        columns=_columns_of(task),
        holdout=HOLDOUT,
        original_secret=_SECRET,
        updates_secret=_SECRET,
        windows=nullable(WINDOWS),
    )


_SECRET: Final = _matching(re.compile(f"({SECRET_NAME.pattern})?"), "a Secret")
_MODEL: Final = record(
    ModelRef,
    task=_matching(TASK_NAME, "a kind of model"),
    base_model=text(4096),
    storage=text(4096),
    base_model_secret=_SECRET,
    storage_secret=_SECRET,
    initial_model_secret=_SECRET,
)
_RECIPES: Final = record(
    Recipes,
    always={"replay_percent", "fine_tune_arguments", "retrain_arguments"},
    replay_percent=Part(whole(most=1000), within="fineTune"),
    fine_tune_arguments=Part(key="arguments", within="fineTune"),
    retrain_arguments=Part(key="arguments", within="retrain"),
    new_data_percent=Part(whole(most=99), within="retrain"),
)
SNAPSHOT: Final = record(Snapshot, run=whole(least=1))
_DOCUMENT: Final = Document(
    "request",
    REQUEST_VERSION,
    record(
        TrainingRequest,
        # Of the first release; what came later is left out at its default: a run outlives an
        # upgrade of the operator, which knows its Job by the digest.
        always={"champion", "action", "snapshot", "exclude_contradicted", "subject"},
        resource=record(ResourceRef),
        run=whole(least=1),
        model=_MODEL,
        data=Part(_data_of(""), after=lambda *before: _data_of(before[-1].task)),
        recipes=_RECIPES,
        champion=nullable(record(ChampionRef, version=whole(least=1))),
        snapshot=nullable(SNAPSHOT),
        max_rows=whole(least=1),
    ),
)
