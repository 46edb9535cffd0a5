"""The request: everything one Job of a run needs to know. Immutable, inside the Job itself."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from maintenance_contract.codec import Fields, canonical, digest, load
from maintenance_contract.errors import ContractError
from maintenance_contract.holdout import Holdout
from maintenance_contract.kinds import ROLES, Columns, Task, columns_of, metrics_of
from maintenance_contract.scores import ScoreMetric

REQUEST_VERSION: Final = 1
DEFAULT_MAX_ROWS: Final = 5000
DEFAULT_TRAIN_BATCH: Final = 32
"""``per_device_train_batch_size`` where the user's arguments do not say it."""
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
    before it are not new.
    """

    original: str
    updates: str
    columns: Columns = field(default_factory=lambda: columns_of(Task.TEXT_CLASSIFICATION))
    holdout: Holdout = field(default_factory=Holdout)
    original_secret: str = ""
    updates_secret: str = ""
    sampling: Sampling = Sampling.RANDOM
    since: str = ""


@dataclass(frozen=True, slots=True)
class Recipes:
    """How each action trains. Arguments are Hugging Face ``TrainingArguments`` names.

    ``new_data_percent``: a retrain sees new rows so often that they make up at least this share of
    what it is trained on; 0 is the plain merge.
    """

    replay_percent: int = 50
    fine_tune_arguments: dict[str, Any] = field(default_factory=dict)
    retrain_arguments: dict[str, Any] = field(default_factory=dict)
    new_data_percent: int = 0

    def in_half_batches(self) -> "Recipes":
        """The same optimisation steps in half the memory: half the batch, twice accumulated."""
        return replace(
            self,
            fine_tune_arguments=_in_half_batches(self.fine_tune_arguments),
            retrain_arguments=_in_half_batches(self.retrain_arguments),
        )


def _in_half_batches(arguments: Mapping[str, Any]) -> dict[str, Any]:
    batch = arguments.get("per_device_train_batch_size", DEFAULT_TRAIN_BATCH)
    steps = arguments.get("gradient_accumulation_steps", 1)
    if not isinstance(batch, int) or not isinstance(steps, int) or batch < 2:  # noqa: PLR2004
        return dict(arguments)
    return {
        **arguments,
        "per_device_train_batch_size": batch // 2,
        "gradient_accumulation_steps": steps * 2,
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
        return canonical(self._document())

    @property
    def digest(self) -> str:
        """``sha256:…`` of the canonical spelling."""
        return digest(self.to_json())

    def _document(self) -> dict[str, Any]:
        champion, snapshot = self.champion, self.snapshot
        return {
            "version": REQUEST_VERSION,
            "operation": self.operation.value,
            "resource": {
                "namespace": self.resource.namespace,
                "name": self.resource.name,
                "uid": self.resource.uid,
            },
            "run": self.run,
            "model": {
                "task": str(self.model.task),
                "baseModel": self.model.base_model,
                "storage": self.model.storage,
                **_given(
                    revision=self.model.revision,
                    baseModelSecret=self.model.base_model_secret,
                    storageSecret=self.model.storage_secret,
                    initialModel=self.model.initial_model,
                    initialRevision=self.model.initial_revision,
                    initialModelSecret=self.model.initial_model_secret,
                ),
            },
            "data": {
                "original": self.data.original,
                "updates": self.data.updates,
                "columns": self.data.columns.document(),
                "holdout": self.data.holdout.document(),
                **_given(
                    originalSecret=self.data.original_secret,
                    updatesSecret=self.data.updates_secret,
                    sampling=_unless_random(self.data.sampling),
                    since=self.data.since,
                ),
            },
            "recipes": {
                "fineTune": {
                    "replayPercent": self.recipes.replay_percent,
                    "arguments": self.recipes.fine_tune_arguments,
                },
                "retrain": {
                    "arguments": self.recipes.retrain_arguments,
                    **_unless_zero(newDataPercent=self.recipes.new_data_percent),
                },
            },
            "champion": champion and {"version": champion.version, "digest": champion.digest},
            "action": self.action and self.action.value,
            "snapshot": snapshot and {"run": snapshot.run, "digest": snapshot.digest},
            "excludeContradicted": self.exclude_contradicted,
            "subject": self.subject and self.subject.value,
            # What came later is left out at its default: a run outlives an upgrade of the operator,
            # which knows its Job by the digest.
            **({} if self.max_rows == DEFAULT_MAX_ROWS else {"maxRows": self.max_rows}),
            **({"race": True} if self.race else {}),
            **({"oldAtNewMix": True} if self.old_at_new_mix else {}),
            **_unless_default(self.model.task, self.metric),
        }

    @classmethod
    def from_json(cls, text: str) -> "TrainingRequest":
        """Read a request.

        Raises:
            ContractError: with the dotted path of the field that is wrong.
        """
        document = load(text, version=REQUEST_VERSION, kind="request")
        model = _model(document.fields("model"))
        return cls(
            operation=document.one_of("operation", Operation),
            resource=_resource(document.fields("resource")),
            run=document.integer("run", least=1),
            model=model,
            data=_data(document.fields("data"), model.task),
            recipes=_recipes(document.fields("recipes")),
            champion=document.optional("champion", lambda key: _champion(document.fields(key))),
            action=document.optional("action", lambda key: document.one_of(key, TrainingAction)),
            snapshot=document.optional("snapshot", lambda key: _snapshot(document.fields(key))),
            exclude_contradicted=document.boolean("excludeContradicted"),
            subject=document.optional("subject", lambda key: document.one_of(key, Operation)),
            max_rows=document.integer("maxRows", least=1)
            if document.has("maxRows")
            else DEFAULT_MAX_ROWS,
            race=document.has("race") and document.boolean("race"),
            old_at_new_mix=document.has("oldAtNewMix") and document.boolean("oldAtNewMix"),
            metric=document.one_of("metric", ScoreMetric)
            if document.has("metric")
            else metrics_of(model.task)[0],
        )


def _resource(fields: Fields) -> ResourceRef:
    return ResourceRef(fields.string("namespace"), fields.string("name"), fields.string("uid"))


def _given(**values: str) -> dict[str, str]:
    """Left out where empty: requests that need none of it keep their digest."""
    return {key: value for key, value in values.items() if value}


def _unless_zero(**values: int) -> dict[str, int]:
    """As above, for numbers."""
    return {key: value for key, value in values.items() if value}


def _unless_default(task: str, metric: ScoreMetric) -> dict[str, str]:
    """As above; what is the default depends on the kind."""
    return {} if metric is metrics_of(task)[0] else {"metric": metric.value}


def _unless_random(sampling: Sampling) -> str:
    return "" if sampling is Sampling.RANDOM else sampling.value


def _optional(fields: Fields, key: str) -> str:
    return fields.string(key) if fields.has(key) else ""


def _secret(fields: Fields, key: str) -> str:
    name = _optional(fields, key)
    if name and not SECRET_NAME.fullmatch(name):
        raise ContractError(f"{fields.name(key)}: {name!r} is no name of a Secret")
    return name


def _model(fields: Fields) -> ModelRef:
    return ModelRef(
        _task(fields),
        fields.string("baseModel", most=4096),
        fields.string("storage", most=4096),
        revision=_optional(fields, "revision"),
        base_model_secret=_secret(fields, "baseModelSecret"),
        storage_secret=_secret(fields, "storageSecret"),
        initial_model=_optional(fields, "initialModel"),
        initial_revision=_optional(fields, "initialRevision"),
        initial_model_secret=_secret(fields, "initialModelSecret"),
    )


def _task(fields: Fields) -> str:
    name = fields.string("task")
    if not TASK_NAME.fullmatch(name):
        raise ContractError(f"{fields.name('task')}: {name!r} is no name of a kind of model")
    return name


def _columns(fields: Fields, task: str) -> Columns:
    """Those that the kind needs must be there; of a kind of another release, whatever is there."""
    needed = [role.name for role in ROLES.get(task, ()) if role.default]
    return Columns.read(fields, needed)


def _data(fields: Fields, task: str) -> DataRef:
    return DataRef(
        original=fields.string("original", most=4096),
        updates=fields.string("updates", most=4096),
        columns=_columns(fields.fields("columns"), task),
        holdout=Holdout.read(fields.fields("holdout")),
        original_secret=_secret(fields, "originalSecret"),
        updates_secret=_secret(fields, "updatesSecret"),
        sampling=fields.one_of("sampling", Sampling) if fields.has("sampling") else Sampling.RANDOM,
        since=_optional(fields, "since"),
    )


def _recipes(fields: Fields) -> Recipes:
    fine_tune, retrain = fields.fields("fineTune"), fields.fields("retrain")
    return Recipes(
        fine_tune.integer("replayPercent", most=1000),
        fine_tune.raw("arguments"),
        retrain.raw("arguments"),
        retrain.integer("newDataPercent", most=99) if retrain.has("newDataPercent") else 0,
    )


def _champion(fields: Fields) -> ChampionRef:
    return ChampionRef(fields.integer("version", least=1), fields.string("digest"))


def _snapshot(fields: Fields) -> Snapshot:
    return Snapshot(fields.integer("run", least=1), fields.string("digest"))
