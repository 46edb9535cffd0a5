"""``spec`` of a resource into a ``Spec``: parse, don't validate.

The schema in the cluster has checked most of it; what is read here may also come from an older
schema or from a frozen copy in status, so every field is read as if nobody had looked before.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

from maintenance_contract import (
    Columns,
    ContractError,
    Holdout,
    Sampling,
    ScoreMetric,
    StorageUri,
    Task,
    columns_of,
    metrics_of,
)
from maintenance_contract.codec import Fields, bounded, canonical
from maintenance_contract.kinds import (
    BASE_OPTIONAL,
    FROM_SCRATCH,
    INPUTS,
    MOST_INPUTS,
    NEW_DOMAIN_RETRAINED,
    OF_CLASSES,
    OF_NUMBERS,
    ROLES,
    Method,
    columns_unclear,
    methods_of,
)
from maintenance_contract.request import SECRET_NAME
from maintenance_core import series_spec
from maintenance_core.errors import SpecError
from maintenance_core.model import (
    DEFAULT_MIN_EXPECTED_GAIN,
    DEFAULT_OLD_WEIGHT,
    DEFAULT_WEIGHED_CONFIDENCE,
    DiagnosisJob,
    Gate,
    Limits,
    Metrics,
    NewData,
    OnAmbiguous,
    OnConceptDrift,
    OnMissing,
    OutcomeCounters,
    Pod,
    Policy,
    Proof,
    SamplesQuery,
    Schedule,
    SecretRefs,
    Spec,
    ThresholdRange,
    Thresholds,
    Training,
    Triggers,
)
from maintenance_core.quantities import spelled
from maintenance_core.status import HISTORY

Section = TypeVar("Section")

ARGUMENTS_BYTES: Final = 32 * 1024
"""Free-form arguments travel in an annotation; Kubernetes bounds all annotations to 256 KiB."""
COLUMNS_BYTES: Final = 160 * 1024
"""Names of columns travel in the same one, beside the arguments of both trainings."""
ARGUMENTS_DEPTH: Final = 16
ARGUMENTS_VALUES: Final = 4096

LEAST_CONFIDENCE: Final = 0.5

# For specs frozen by, or written for, an older schema; the defaults of the present one stand there.
DEFAULT_HISTORY: Final = 10
DEFAULT_CONSECUTIVE_FAILURES: Final = 3
DEFAULT_PENDING: Final = timedelta(hours=24)
DEFAULT_DIAGNOSIS: Final = DiagnosisJob(
    {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "8Gi"}},
    timedelta(minutes=30),
)

_TOLERATION: Final = ("key", "operator", "value", "effect", "tolerationSeconds")
STORES: Final = ("pvc", "s3")
"""Schemes of places that hold data or versions in a cluster."""
HUB_TOO: Final = (*STORES, "hf")
"""Schemes of places that models are taken from."""

MOST_NAME: Final = 253
"""Characters of a resource's name. A schema without a type for the values cannot say so."""
MOST_COLUMN: Final = 256
"""Characters of a column's name."""
MOST_TOLERANCE: Final = 0.5
_METRIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_DURATION = re.compile(r"(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,5})s)?")
_INTERVAL = re.compile(r"\{\{\s*interval\s*\}\}")
_RANGE_OR_TEXT = re.compile(
    r"""#[^\n]*|`[^`]*`|"(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+'|\[[^\[\]"'`#]*\]|\boffset\s+-?interval\b"""
)
"""Where a duration may stand, and where it is somebody's text."""
_WORD = re.compile(r"\binterval\b")


class _Once(Generic[Section]):
    """Reads equal sections once: most specs of a fleet differ in names and places alone."""

    MOST: Final = 256

    def __init__(self, read: Callable[[Fields], Section]) -> None:
        self._read = read
        self._known: dict[tuple[str, bytes], Section] = {}

    def __call__(self, fields: Fields) -> Section:
        content = fields.content()
        if content is None:
            return self._read(fields)
        if content not in self._known:
            if len(self._known) >= self.MOST:
                self._known.clear()
            self._known[content] = self._read(fields)
        return self._known[content]


def parse(spec: Mapping[str, Any]) -> Spec:
    """Read ``spec``.

    Raises:
        SpecError: naming the field, and what to write instead.
    """
    try:
        return _spec(Fields(spec, "spec"))
    except ContractError as error:
        field, _, problem = str(error).partition(": ")
        raise SpecError(field, problem) from None


@lru_cache(maxsize=1024)
def parse_duration(text: str) -> timedelta:
    """``1h30m`` (hours, minutes, seconds, in that order).

    Raises:
        ValueError: anything else, and zero.
    """
    match = _DURATION.fullmatch(text)
    parts = [int(part or 0) for part in match.groups()] if match else []
    if not any(parts):
        msg = f"{text!r} is no duration: write it like 1h30m, 5m or 30s"
        raise ValueError(msg)
    hours, minutes, seconds = parts
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def _spec(fields: Fields) -> Spec:
    model, data, decision = fields.fields("model"), fields.fields("data"), fields.fields("decision")
    initial = model.fields_or_none("initialModel")
    task = model.one_of("task", Task)
    spec = Spec(
        suspend=fields.boolean("suspend") if fields.has("suspend") else False,
        task=task,
        base_model=_base_model(model, task),
        storage=_place(model, "storage"),
        original=_place(data, "original"),
        updates=_place(data, "updates"),
        columns=_columns(data, task),
        windows=series_spec.windows(data, task),
        holdout=_holdout(data),
        metrics=_metrics(fields.fields("metrics"), task),
        policy=decision.one_of("policy", Policy),
        thresholds=_thresholds_of(
            task,
            _thresholds(decision),
            other_stream=decision.has("thresholds")
            and decision.fields("thresholds").has("otherStream"),
        ),
        min_new_rows=decision.integer("minNewRows", least=1),
        recheck_after=_duration(decision, "recheckAfter"),
        diagnosis=_diagnosis(fields),
        training=_training(fields.fields("training")),
        gate=_gate_of(task, _gate(fields.fields("gate")), fields.fields("gate").has("metric")),
        limits=_limits(fields.fields("limits")),
        history_runs=fields.fields("history").integer("runs", least=1, most=HISTORY)
        if fields.has("history")
        else DEFAULT_HISTORY,
        triggers=_triggers(fields),
        access=_access(model, data),
        revision=_revision(model.fields("baseModel")) if model.has("baseModel") else "",
        initial_model=_place(model, "initialModel", HUB_TOO) if initial else None,
        initial_revision=_revision(initial) if initial else "",
        sampling=_sampling(data.fields("updates")),
        on_ambiguous=decision.one_of("onAmbiguous", OnAmbiguous)
        if decision.has("onAmbiguous")
        else OnAmbiguous.FINE_TUNE,
        min_expected_gain=_share(decision, "minExpectedGain", DEFAULT_MIN_EXPECTED_GAIN),
    )
    _places_apart(spec)
    _refuse_method(spec.training, task)
    return spec


def _base_model(model: Fields, task: Task) -> StorageUri | None:
    if task in BASE_OPTIONAL and not model.has("baseModel"):
        return None
    if task not in FROM_SCRATCH:
        return _place(model, "baseModel", HUB_TOO)
    if model.has("baseModel"):
        raise SpecError(
            model.name("baseModel"),
            f"{task.value} begins with nothing, and nothing would be read from it: remove it (a "
            "model that is there already belongs into initialModel)",
        )
    return None


def _place(parent: Fields, key: str, schemes: tuple[str, ...] = STORES) -> StorageUri:
    fields = parent.fields(key)
    text = fields.string("storageUri", most=1024)
    try:
        place = StorageUri.parse(text)
    except ContractError as error:
        raise SpecError(fields.name("storageUri"), str(error)) from None
    if place.scheme not in schemes:
        hub = " or hf://<organisation>/<model>" if "hf" in schemes else ""
        raise SpecError(
            fields.name("storageUri"),
            f"{text!r}: write pvc://<claim>/<path> or s3://<bucket>/<path>{hub}; "
            "other schemes are not for this field",
        )
    if place.scheme == "pvc" and fields.has("secretRef"):
        raise SpecError(fields.name("secretRef"), "a volume claim needs no Secret: remove it")
    if place.scheme != "hf" and fields.has("revision"):
        raise SpecError(fields.name("revision"), "only a model of a hub (hf://) has revisions")
    return place


def _access(model: Fields, data: Fields) -> SecretRefs:
    return SecretRefs(
        base_model=_secret(model.fields("baseModel")) if model.has("baseModel") else "",
        storage=_secret(model.fields("storage")),
        original=_secret(data.fields("original")),
        updates=_secret(data.fields("updates")),
        initial_model=_secret(model.fields("initialModel")) if model.has("initialModel") else "",
    )


def _secret(place: Fields) -> str:
    if not place.has("secretRef"):
        return ""
    reference = place.fields("secretRef")
    name = reference.string("name", most=253)
    if SECRET_NAME.fullmatch(name) is None:
        raise SpecError(reference.name("name"), f"{name!r} is no name of a Secret")
    return name


def _revision(place: Fields) -> str:
    return place.string("revision", most=128) if place.has("revision") else ""


def _places_apart(spec: Spec) -> None:
    for field, place in (
        ("spec.model.baseModel", spec.base_model),
        ("spec.model.initialModel", spec.initial_model),
        ("spec.data.original", spec.original),
        ("spec.data.updates", spec.updates),
    ):
        if place is None:
            continue
        if place.inside(spec.storage) or spec.storage.inside(place):
            raise SpecError(
                "spec.model.storage.storageUri",
                f"{spec.storage} and {place} ({field}) "
                "lie in one another: keep the store in a folder of its own",
            )
    if spec.updates.inside(spec.original) or spec.original.inside(spec.updates):
        raise SpecError(
            "spec.data.updates.storageUri",
            f"{spec.updates} and {spec.original} (spec.data.original) "
            "are the same folder or lie in one another, and rows would be read twice: keep newly "
            "labelled files in a folder of their own, like pvc://data/news/updates beside "
            "pvc://data/news/original",
        )


@_Once
def _thresholds(decision: Fields) -> Thresholds:
    if not decision.has("thresholds"):
        return Thresholds()
    given = decision.fields("thresholds")
    names = {
        "alpha": "alpha",
        "newDomain": "new_domain",
        "otherStream": "other_stream",
        "classMix": "class_mix",
        "errorRise": "error_rise",
        "slightDrift": "slight_drift",
        "conceptReplaced": "concept_replaced",
    }
    thresholds = Thresholds(
        **{name: given.number(key) for key, name in names.items() if given.has(key)}
    )
    if thresholds.new_domain > thresholds.other_stream:
        raise SpecError(
            given.name("newDomain"),
            f"{thresholds.new_domain:g} is above otherStream ({thresholds.other_stream:g}): "
            "a share cannot be a major change before it is a minor one",
        )
    return thresholds


@lru_cache(maxsize=1024)
def _thresholds_of(task: Task, thresholds: Thresholds, *, other_stream: bool) -> Thresholds:
    """What is by kind: without classes no mix of them; from what a retrain is due, if not given."""
    if not other_stream and task in NEW_DOMAIN_RETRAINED:
        thresholds = replace(thresholds, other_stream=thresholds.new_domain)
    return replace(thresholds, class_mix=None) if _without_classes(task) else thresholds


def _without_classes(task: Task) -> bool:
    return metrics_of(task) is not OF_CLASSES


def _columns(data: Fields, task: Task) -> Columns:
    """What the kind of model reads; what the resource does not name has the kind's default."""
    if not data.has("columns"):
        return columns_of(task)
    columns = data.fields("columns")
    roles = [role.name for role in ROLES[task]]
    for name in columns.keys:
        if name not in roles:
            raise SpecError(
                columns.name(name),
                f"{task.value} reads no such column, only {', '.join(roles)}: remove it",
            )
    one = (role.name for role in ROLES[task] if not role.many)
    named = {role: columns.string(role, most=256) for role in one if columns.has(role)}
    found = columns_of(task, _inputs(columns), series_spec.targets(columns, task), **named)
    if found.inputs is not None:
        _columns_apart(columns, found)
        series_spec.targets_apart(columns, found)
    role, problem = columns_unclear(found)
    if problem:
        raise SpecError(columns.name(role), problem)
    _refuse_long_names(data.name("columns"), found)
    return found


def _refuse_long_names(field: str, columns: Columns) -> None:
    """Refuse lists of names that no Job could be asked with."""
    if not columns.inputs and not columns.targets:
        return
    size = len(canonical(columns.document()).encode())
    if size > COLUMNS_BYTES:
        raise SpecError(
            field,
            f"{size} bytes of names; at most {COLUMNS_BYTES}: shorten them, or leave inputs out to "
            "read all columns that have no other role",
        )


def _inputs(columns: Fields) -> tuple[str, ...]:
    """The columns that a table's model is to read; empty: all that have no other role."""
    names = columns.strings(INPUTS.name, most=MOST_INPUTS)
    field = columns.name(INPUTS.name)
    if columns.has(INPUTS.name) and not names:
        raise SpecError(field, "name a column, or leave it out to read all that have no other role")
    if any(not 1 <= len(name) <= MOST_COLUMN for name in names):
        raise SpecError(field, f"a name of a column has from 1 to {MOST_COLUMN} characters")
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise SpecError(field, f"{doubled!r} is there twice: name each column once")
    return names


def _columns_apart(fields: Fields, columns: Columns) -> None:
    """Refuse a column with two roles: what groups or dates rows, or is the answer, is no input."""
    roles = dict.fromkeys(columns.inputs or (), INPUTS.name)
    for role, name in columns.names.items():
        if name in roles:
            raise SpecError(
                fields.name(role),
                f"{name!r} is the column of {roles[name]}, too: give each column one role",
            )
        roles[name] = role


def _sampling(updates: Fields) -> Sampling:
    return updates.one_of("sampling", Sampling) if updates.has("sampling") else Sampling.RANDOM


def _holdout(data: Fields) -> Holdout:
    if not data.has("holdout"):
        return Holdout()
    return Holdout.read(data.fields("holdout"))


def _metrics(fields: Fields, task: Task) -> Metrics | OutcomeCounters:
    if fields.has("outcomes") == fields.has("performance"):
        raise SpecError(
            fields.name("performance"),
            "set exactly one of performance (a gauge) and outcomes (counters)",
        )
    if not fields.has("outcomes"):
        return _gauge(fields)
    if metrics_of(task) is OF_NUMBERS:
        raise SpecError(
            fields.name("outcomes"),
            f"{task.value} has no classes to count by: write performance with thresholdRange.max, "
            "the largest error that is good",
        )
    return _outcomes(fields)


def _outcomes(metrics: Fields) -> OutcomeCounters:
    fields = metrics.fields("outcomes")
    labels = fields.raw("matchLabels") if fields.has("matchLabels") else {}
    found = OutcomeCounters(
        server=metrics.string("server", most=63),
        interval=_duration(metrics, "interval"),
        counter=_name(fields, "counter", _METRIC),
        match_labels=labels,
        class_label=_name(fields, "classLabel", _LABEL),
        correct_label=_name(fields, "correctLabel", _LABEL),
        version_label=_name(fields, "versionLabel", _LABEL) if fields.has("versionLabel") else "",
        tolerance=fields.number("tolerance") if fields.has("tolerance") else 0.02,
        baseline_samples=fields.integer("baselineSamples", least=100)
        if fields.has("baselineSamples")
        else 2000,
    )
    if not 0.0 <= found.tolerance <= MOST_TOLERANCE:
        raise SpecError(fields.name("tolerance"), f"write a share from 0 to {MOST_TOLERANCE}")
    own = [found.class_label, found.correct_label, *filter(None, [found.version_label])]
    if len(set(own)) < len(own):
        raise SpecError(
            fields.name("classLabel"), "classLabel, correctLabel and versionLabel differ"
        )
    for name, value in labels.items():
        if _LABEL.fullmatch(name) is None or not isinstance(value, str):
            raise SpecError(
                fields.name("matchLabels"), f"{name!r}: labels are names with a string each"
            )
        if name in {found.correct_label, found.version_label}:
            raise SpecError(
                fields.name("matchLabels"), f"{name!r} is what the operator tells apart: remove it"
            )
    return found


def _name(fields: Fields, key: str, form: re.Pattern[str]) -> str:
    text = fields.string(key, most=256)
    if form.fullmatch(text) is None:
        raise SpecError(
            fields.name(key), f"{text[:60]!r} is no name that Prometheus knows, like true_class"
        )
    return text


def _gauge(fields: Fields) -> Metrics:
    interval = _duration(fields, "interval")
    performance = fields.fields("performance")
    breach = performance.fields("breach")
    of = breach.integer("of", least=1, most=20)
    threshold = _threshold(performance.fields("thresholdRange"))
    return Metrics(
        server=fields.string("server", most=63),
        interval=interval,
        query=_query(performance, interval),
        match=_match(performance),
        threshold=threshold,
        breach_count=breach.integer("count", least=1, most=of),
        breach_of=of,
        samples=performance.optional(
            "samples",
            lambda key: SamplesQuery(
                _query(performance.fields(key), interval), performance.fields(key).number("min")
            ),
        ),
        max_drop=_max_drop(performance),
        recover=_recover(performance, threshold),
        on_missing=performance.one_of("onMissing", OnMissing)
        if performance.has("onMissing")
        else OnMissing.HOLD,
    )


def _triggers(spec: Fields) -> Triggers:
    if not spec.has("triggers"):
        return Triggers()
    interval = _duration(spec.fields("metrics"), "interval")
    fields = spec.fields("triggers")
    schedule, new_data = fields.fields_or_none("schedule"), fields.fields_or_none("newData")
    return Triggers(
        None
        if schedule is None
        else Schedule(
            schedule.string("cron", most=128),
            schedule.string("timeZone", most=64) if schedule.has("timeZone") else "UTC",
        ),
        None if new_data is None else NewData(_query(new_data, interval), new_data.number("min")),
    )


def _max_drop(performance: Fields) -> float | None:
    drop = performance.optional("maxDrop", performance.number)
    if drop is not None and drop <= 0:
        raise SpecError(performance.name("maxDrop"), "write a number above 0, like 0.03")
    return drop


def _recover(performance: Fields, threshold: ThresholdRange) -> float | None:
    recover = performance.optional("recover", performance.number)
    if recover is not None and threshold.breached_by(recover):
        side = "min or above it" if threshold.min is not None else "max or below it"
        raise SpecError(
            performance.name("recover"),
            f"{recover:g} is on the bad side of thresholdRange: write {side}",
        )
    return recover


def _query(fields: Fields, interval: timedelta) -> str:
    return with_interval(fields.string("query", most=4096), interval)


def with_interval(query: str, interval: timedelta) -> str:
    """A query with the interval where it names it: ``[interval]``, or ``{{ interval }}`` anywhere.

    The bare word counts where PromQL has a duration; no tool that fills in templates touches it.
    """
    seconds = f"{int(interval.total_seconds())}s"

    def filled(found: re.Match[str]) -> str:
        text = found.group()
        return _WORD.sub(seconds, text) if text[0] in "[o" else text

    return _RANGE_OR_TEXT.sub(filled, _INTERVAL.sub(seconds, query))


def _match(performance: Fields) -> dict[str, str]:
    labels = performance.raw("match")
    if not all(isinstance(value, str) for value in labels.values()):
        raise SpecError(performance.name("match"), "label values are strings: quote numbers")
    return labels


def _threshold(fields: Fields) -> ThresholdRange:
    low, high = fields.optional("min", fields.number), fields.optional("max", fields.number)
    if (low is None) == (high is None):
        raise SpecError(
            fields.name("min"), "set exactly one of min (accuracy) and max (error rate)"
        )
    return ThresholdRange(low, high)


@_Once
def _training(fields: Fields) -> Training:
    fine_tune, retrain = fields.fields("fineTune"), fields.fields("retrain")
    return Training(
        replay_percent=fine_tune.integer("replayPercent", most=1000)
        if fine_tune.has("replayPercent")
        else None,
        fine_tune_arguments=_method(fine_tune),
        retrain_arguments=_method(retrain),
        resources=_resources(fields),
        timeout=_duration(fields, "timeout"),
        retries=fields.integer("retries", most=10),
        pending_timeout=_duration(fields, "pendingTimeout")
        if fields.has("pendingTimeout")
        else DEFAULT_PENDING,
        pod=_pod(fields.fields("pod")) if fields.has("pod") else Pod(),
        new_data_percent=retrain.integer("newDataPercent", most=99)
        if retrain.has("newDataPercent")
        else None,
    )


def _resources(parent: Fields) -> dict[str, Any]:
    """Requests and limits as in a container, each quantity as a string."""
    if not parent.has("resources"):
        return {}
    fields = parent.fields("resources")
    return {
        part: {
            name: _quantity(fields.name(part), name, value)
            for name, value in fields.raw(part).items()
        }
        for part in ("requests", "limits")
        if fields.has(part)
    }


def _quantity(field: str, name: str, value: object) -> str:
    if not 1 <= len(name) <= MOST_NAME:
        raise SpecError(field, f"names of resources have from 1 to {MOST_NAME} characters")
    try:
        return spelled(value)
    except ValueError as error:
        raise SpecError(f"{field}.{name}", str(error)) from None


def _diagnosis(spec: Fields) -> DiagnosisJob:
    if not spec.has("diagnosis"):
        return DEFAULT_DIAGNOSIS
    fields = spec.fields("diagnosis")
    return DiagnosisJob(
        _resources(fields) or DEFAULT_DIAGNOSIS.resources,
        _duration(fields, "timeout"),
        fields.integer("maxRows", least=100, most=1_000_000)
        if fields.has("maxRows")
        else DEFAULT_DIAGNOSIS.max_rows,
    )


def _pod(fields: Fields) -> Pod:
    """The allow-list: what is not named here cannot be set."""
    return Pod(
        node_selector=fields.raw("nodeSelector"),
        tolerations=tuple(
            {key: item.raw_value(key) for key in _TOLERATION if item.has(key)}
            for item in fields.items("tolerations", most=32)
        ),
        env=tuple(_variable(item) for item in fields.items("env", most=64)),
        priority_class_name=_text(fields, "priorityClassName"),
        service_account_name=_text(fields, "serviceAccountName"),
        image_pull_secrets=tuple(
            {"name": item.string("name", most=253)}
            for item in fields.items("imagePullSecrets", most=16)
        ),
    )


def _text(fields: Fields, key: str) -> str:
    return fields.string(key, most=253) if fields.has(key) else ""


def _variable(fields: Fields) -> dict[str, Any]:
    """As it is written; what may be set is judged apart (``core.allowed``)."""
    name = fields.string("name", most=256)
    value = fields.string("value", most=4096) if fields.has("value") else ""
    origin = {"valueFrom": fields.raw("valueFrom")} if fields.has("valueFrom") else {}
    return {"name": name, "value": value, **origin}


def _method(recipe: Fields) -> dict[str, Any]:
    """The arguments of a training, and among them how its method is spelled in a request."""
    arguments = _arguments(recipe)
    for method in Method:
        for name in arguments.keys() & method.arguments.keys():
            raise SpecError(
                f"{recipe.name('arguments')}.{name}",
                f"remove it and write {recipe.name('method')}: {method.value}",
            )
    method = recipe.one_of("method", Method) if recipe.has("method") else Method.FULL
    return {**arguments, **method.arguments}


def _refuse_method(training: Training, task: Task) -> None:
    """Refuse a method by which the kind cannot be trained."""
    known = methods_of(task)
    recipes = {"fineTune": training.fine_tune_arguments, "retrain": training.retrain_arguments}
    for recipe, arguments in recipes.items():
        for method in Method:
            if method not in known and arguments.keys() & method.arguments.keys():
                how = "trained whole" if len(known) == 1 else f"not trained by {method.value}"
                raise SpecError(
                    f"spec.training.{recipe}.method",
                    f"{task.value} is {how}: write {' or '.join(known)}, or leave it out",
                )


def _arguments(recipe: Fields) -> dict[str, Any]:
    arguments = recipe.raw("arguments")
    if not bounded(arguments, depth=ARGUMENTS_DEPTH, values=ARGUMENTS_VALUES):
        raise SpecError(
            recipe.name("arguments"),
            f"holds more than {ARGUMENTS_VALUES} values, or values nested deeper than "
            f"{ARGUMENTS_DEPTH} levels: write the arguments of a training",
        )
    try:
        size = len(canonical(arguments).encode())
    except ValueError:
        raise SpecError(recipe.name("arguments"), "holds a value that is not JSON (NaN?)") from None
    if size > ARGUMENTS_BYTES:
        raise SpecError(recipe.name("arguments"), f"{size} bytes; at most {ARGUMENTS_BYTES}")
    return arguments


@_Once
def _gate(fields: Fields) -> Gate:
    old = fields.fields("oldData")
    return Gate(
        min_improvement=fields.number("minImprovement"),
        confidence=_confidence(fields, "confidence"),
        max_old_loss=old.number("maxLoss"),
        on_concept_drift=old.one_of("onConceptDrift", OnConceptDrift),
        proof=old.one_of("proof", Proof) if old.has("proof") else Proof.AUTO,
        metric=fields.one_of("metric", ScoreMetric)
        if fields.has("metric")
        else ScoreMetric.ACCURACY,
        old_weight=_share(old, "weight", DEFAULT_OLD_WEIGHT),
        weighed_confidence=(
            _confidence(old, "weighedConfidence")
            if old.has("weighedConfidence")
            else DEFAULT_WEIGHED_CONFIDENCE
        ),
    )


@lru_cache(maxsize=1024)
def _gate_of(task: Task, gate: Gate, named: bool) -> Gate:  # noqa: FBT001 - a key of the cache
    """With a metric of its kind; where none is ``named``, the default."""
    known = metrics_of(task)
    if not named:
        return replace(gate, metric=known[0])
    if gate.metric not in known:
        names = " or ".join(metric.value for metric in known)
        raise SpecError(
            "spec.gate.metric", f"{task.value} has no {gate.metric.value}: write {names}"
        )
    return gate


def _confidence(fields: Fields, key: str) -> float:
    value = fields.number(key)
    if not LEAST_CONFIDENCE <= value < 1:
        raise SpecError(fields.name(key), f"from {LEAST_CONFIDENCE} up to, but not including, 1")
    return value


def _share(fields: Fields, key: str, default: float) -> float:
    """A number from 0 to 1."""
    if not fields.has(key):
        return default
    value = fields.number(key)
    if not 0.0 <= value <= 1.0:
        raise SpecError(fields.name(key), "write a share from 0 to 1")
    return value


@_Once
def _limits(fields: Fields) -> Limits:
    runs = fields.fields("runs")
    return Limits(
        _duration(fields, "cooldown"),
        runs.integer("max", least=1, most=10),
        _duration(runs, "per"),
        fields.integer("consecutiveFailures", least=1, most=10)
        if fields.has("consecutiveFailures")
        else DEFAULT_CONSECUTIVE_FAILURES,
    )


def _duration(fields: Fields, key: str) -> timedelta:
    try:
        return parse_duration(fields.string(key, most=32))
    except ValueError as error:
        raise SpecError(fields.name(key), str(error)) from None
