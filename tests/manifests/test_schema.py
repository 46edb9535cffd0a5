"""Bounds, defaults, descriptions and columns, found by walking the schema."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from support.programs import ROOT, Programs
from support.resources_api import Refused, Resources, changed

from maintenance_contract import (
    Answer,
    ChampionRef,
    ContractError,
    Question,
    StorageUri,
    TrainingAction,
)
from maintenance_core import status as status_json
from maintenance_core.model import (
    Action,
    Alarm,
    Baseline,
    Breach,
    Champion,
    Condition,
    Counts,
    Decision,
    HistoryEntry,
    Kind,
    Monitor,
    PathStep,
    Power,
    Reading,
    Recheck,
    ReferenceCounts,
    RejectedAction,
    Run,
    RunOutcome,
    Score,
    Status,
    StatusEvidence,
    Step,
    Stopping,
    TrainingPlan,
    Trigger,
)
from maintenance_core.spec import parse

TIME = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
SAMPLES = sorted((ROOT / "manifests/samples").glob("*.yaml"))
QUANTITIES = {
    f"spec.{step}.resources.{part}{{}}"
    for step in ("diagnosis", "training")
    for part in ("limits", "requests")
}
"""Strings or numbers, which only a schema without a type can say."""
FREE_FORM = {
    *QUANTITIES,
    "spec.training.pod.env[].valueFrom",
    "spec.training.fineTune.arguments",
    "spec.training.retrain.arguments",
    "status.run.spec",
}

Node = dict[str, Any]


def walk(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Every node below, by its path: ``[]`` for the items of a list, ``{}`` for a map's values."""
    below = [
        (f"{path}.{name}".lstrip("."), child) for name, child in node.get("properties", {}).items()
    ]
    if "items" in node:
        below.append((f"{path}[]", node["items"]))
    if isinstance(node.get("additionalProperties"), dict):
        below.append((f"{path}{{}}", node["additionalProperties"]))
    for where, child in below:
        yield where, child
        yield from walk(child, where)


def _unbounded(path: str, node: Node) -> list[str]:
    match node.get("type"):
        case "string" if "enum" not in node and node.get("format") != "date-time":
            wanted = ["maxLength"]
        case "integer" | "number":
            wanted = ["minimum"] + ["maximum"] * path.startswith("spec")
        case "array":
            wanted = ["maxItems", "x-kubernetes-list-type"]
        case "object" if "properties" not in node and path != "status.run.spec":
            wanted = ["maxProperties"]
        case None:
            wanted = ["maxLength", "maximum"]
        case _:
            wanted = []
    return [f"{path}: {bound}" for bound in wanted if bound not in node]


@pytest.mark.slow
def test_everything_is_bounded(schema: Node) -> None:
    assert [missing for path, node in walk(schema) for missing in _unbounded(path, node)] == []


def test_only_what_is_listed_is_free_form(schema: Node) -> None:
    free = {path for path, node in walk(schema) if node.get("x-kubernetes-preserve-unknown-fields")}

    assert free == FREE_FORM


@pytest.mark.parametrize("place", ["baseModel", "initialModel"])
@pytest.mark.parametrize(
    "model",
    ["bert", "org/bert", "a.", "org/a-b.c_d", "a..", "a--", "org/a..b", "or--g/a", "org/", "-a"],
)
def test_models_of_a_hub_are_those_of_the_code(schema: Node, place: str, model: str) -> None:
    """By the rule's own patterns, as far as they are about a hub."""
    model_of = schema["properties"]["spec"]["properties"]["model"]["properties"][place]
    rule = model_of["properties"]["storageUri"]["x-kubernetes-validations"][0]["rule"]
    uri = f"hf://{model}"
    said = [
        (re.search(pattern, uri) is None) is (negated == "!")
        for negated, pattern in re.findall(r"(!?)self[.]matches\('([^']+)'\)", rule.split("||")[1])
    ]
    assert said
    try:
        StorageUri.parse(uri)
        known = True
    except ContractError:
        known = False
    assert all(said) is known


def _beyond(node: Node) -> list[Any]:
    """Values just outside each bound."""
    values: list[Any] = []
    if "enum" in node:
        values.append("Nonsense")
    if node.get("minLength"):
        values.append("x" * (node["minLength"] - 1))
    if "maxLength" in node:
        values.append("x" * (node["maxLength"] + 1))
    if "minimum" in node:
        values.append(node["minimum"] - 1)
    if "maximum" in node:
        values.append(node["maximum"] + (0 if node.get("exclusiveMaximum") else 1))
    if "maxProperties" in node:
        values.append({f"name{index}": "1" for index in range(node["maxProperties"] + 1)})
    if "pattern" in node:
        values += ["1 Gi", "-1", "lots", "1Mi5", "1K", "1e", "."]
    if not values and node.get("type") == "boolean":
        values.append("yes")
    return values


ITEMS: dict[str, Node] = {
    "training.pod.tolerations": {"operator": "Exists"},
    "training.pod.env": {"name": "A"},
    "training.pod.imagePullSecrets": {"name": "a"},
}
"""A good item of each list of the spec."""


def _with_item(field: str, value: Any) -> Node:
    """A field to set; one of a list's item in an item that is good but for it."""
    if "[0]" not in field:
        return {field: value}
    if field.endswith("[0]"):
        return {field.removesuffix("[0]"): [value]}
    where, _, rest = field.partition("[0].")
    item: Node = dict(ITEMS[where])
    *parents, last = rest.split(".")
    place = item
    for parent in parents:
        place = place.setdefault(parent, {"name": "a", "key": "a"} if "Ref" in parent else {})
    place[last] = value
    return {where: [item]}


OLD_DATA = {
    "onConceptDrift": "ReportOnly",
    "proof": "Auto",
    "weight": 0.2,
    "weighedConfidence": 0.8,
}


@pytest.mark.api
def test_every_bound_of_the_spec_holds(api: Resources, minimal: Node, schema: Node) -> None:
    tried = 0
    for path, node in walk(schema["properties"]["spec"]):
        field = path.replace("{}", ".model" if "match" in path else ".cpu").replace("[]", "[0]")
        for value in _beyond(node):
            tried += 1
            with pytest.raises(Refused) as refused:
                api.create(changed(minimal, _with_item(field, value)))
            where = [cause for cause, _ in refused.value.causes]
            assert f"spec.{field}" in where, f"{field}: {str(value)[:40]!r}: {refused.value}"

    assert tried >= 80, "the walk has lost the schema"


@pytest.mark.api
@pytest.mark.parametrize(
    "field",
    [
        "model",
        "data",
        "metrics",
        "model.task",
        "model.baseModel",
        "model.storage",
        "data.original",
        "data.updates",
        "metrics.performance.query",
        "metrics.performance.thresholdRange",
        "model.storage.storageUri",
    ],
)
def test_what_has_no_default_must_be_said(api: Resources, minimal: Node, field: str) -> None:
    with pytest.raises(Refused, match=rf"spec\.{field}: Required value"):
        api.create(changed(minimal, {field: ...}))


@pytest.mark.api
@pytest.mark.parametrize(
    "field",
    [
        "mode",
        "model.storage.revision",
        "model.storage.secretRef.key",
        "metrics.outcomes.query",
        "metrics.performance.probation",
        "training.pod.hostNetwork",
        "training.pod.securityContext",
        "training.queueName",
        "gate.maxClassDrop",
        "limits.gpuHours",
        "promotion",
        "metrics.performance.thresholdRange.mean",
        "training.resources.claims",
    ],
)
def test_unknown_fields_are_refused(api: Resources, minimal: Node, field: str) -> None:
    with pytest.raises(Refused, match=rf'unknown field "spec\.{field}"'):
        api.create(changed(minimal, {field: {}}))


@pytest.mark.api
def test_kubectl_refuses_a_misspelt_field_by_itself(cluster: Programs, minimal: Node) -> None:
    misspelt = changed(minimal, {"metrics.intervall": "5m"})

    ended = cluster.kubectl("apply", "-f", "-", stdin=json.dumps(misspelt), check=False)

    assert ended.returncode == 1
    assert 'unknown field "spec.metrics.intervall"' in ended.stderr


@pytest.mark.api
def test_defaults_are_written_into_the_spec(api: Resources, minimal: Node) -> None:
    spec = api.create(minimal)["spec"]

    assert spec == minimal["spec"] | {
        "suspend": False,
        "data": minimal["spec"]["data"]
        | {
            "updates": minimal["spec"]["data"]["updates"] | {"sampling": "Random"},
            "columns": {},
            "holdout": {"originalPercent": "Auto", "updatesPercent": "Auto"},
        },
        "metrics": {
            "server": "default",
            "interval": "5m",
            "performance": minimal["spec"]["metrics"]["performance"]
            | {"breach": {"count": 3, "of": 5}, "onMissing": "Hold"},
        },
        "triggers": {},
        "decision": {
            "policy": "Evidence",
            "onAmbiguous": "FineTune",
            "minNewRows": 50,
            "minExpectedGain": 0.005,
            "recheckAfter": "1h",
        },
        "diagnosis": {
            "resources": {
                "limits": {"memory": "8Gi"},
                "requests": {"cpu": "500m", "memory": "1Gi"},
            },
            "timeout": "30m",
            "maxRows": 5000,
        },
        "training": {
            "fineTune": {"method": "Full", "arguments": {}},
            "retrain": {"arguments": {}},
            "resources": {"limits": {"nvidia.com/gpu": 1}, "requests": {}},
            "timeout": "4h",
            "retries": 1,
            "pendingTimeout": "24h",
            "pod": {"nodeSelector": {}, "priorityClassName": "", "serviceAccountName": ""},
        },
        "gate": {
            "minImprovement": 0,
            "confidence": 0.95,
            "oldData": {"maxLoss": 0.02} | OLD_DATA,
        },
        "limits": {
            "cooldown": "6h",
            "runs": {"max": 4, "per": "168h"},
            "consecutiveFailures": 3,
        },
        "history": {"runs": 10},
    }


@pytest.mark.api
@pytest.mark.parametrize(
    "field, rest",
    [
        ("data.columns.text", {}),
        ("data.holdout.originalPercent", {"updatesPercent": "Auto"}),
        ("metrics.performance.breach.count", {"of": 5}),
        ("gate.oldData.maxLoss", OLD_DATA),
        ("limits.runs.max", {"per": "168h"}),
    ],
)
def test_what_is_said_leaves_the_neighbours_at_their_defaults(
    api: Resources, minimal: Node, field: str, rest: Node
) -> None:
    value = "body" if field.endswith("text") else 1
    *parents, last = field.split(".")

    place = api.create(changed(minimal, {field: value}))["spec"]
    for parent in parents:
        place = place[parent]

    assert place == {last: value} | rest


@pytest.mark.api
@pytest.mark.parametrize("value", [10.5, True, [10]])
def test_a_holdout_is_a_whole_number_or_a_word(
    api: Resources, minimal: Node, value: object
) -> None:
    with pytest.raises(Refused, match=r"spec\.data\.holdout\.updatesPercent"):
        api.create(changed(minimal, {"data.holdout.updatesPercent": value}))


@pytest.mark.api
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_samples_apply_and_the_operator_can_read_them(cluster: Programs, sample: Any) -> None:
    applied = cluster.kubectl("apply", "--dry-run=server", "-o", "json", "-f", str(sample))

    parse(json.loads(applied.stdout)["spec"])


@pytest.mark.api
def test_the_folder_of_samples_applies_as_a_whole(cluster: Programs) -> None:
    place = ["-n", "samples-together", "-f", str(ROOT / "manifests/samples")]
    cluster.kubectl("create", "namespace", "samples-together")
    made = cluster.kubectl("apply", *place, "-o", "name").stdout.split()
    again = cluster.kubectl("apply", *place).stdout.splitlines()
    cluster.kubectl("delete", *place)

    assert len(made) == len(set(made)) == len(SAMPLES)
    assert all(line.endswith(" unchanged") for line in again), again


def test_the_complete_sample_says_every_field(schema: Node) -> None:
    """Counters stand where the gauge does, other kinds where texts do: their own samples."""
    said = {
        f"spec.{path}"
        for sample in (
            "news-sentiment",
            "outcomes",
            "image-classification",
            "tabular-classification",
            "time-series-forecasting",
            "chatbot",
            "answers-to-letters",
            "next-item",
        )
        for path in _paths(
            yaml.safe_load((ROOT / f"manifests/samples/{sample}.yaml").read_text())["spec"]
        )
    }

    leaves = {
        path.replace("{}", "")
        for path, node in walk(schema)
        if path.startswith("spec.") and "properties" not in node
    }

    assert {leaf for leaf in leaves if leaf not in said and f"{leaf}[]" not in said} == {
        "spec.training.pod.env[].valueFrom",  # refused
    }


def _paths(value: object, path: str = "") -> Iterator[str]:
    if path:
        yield path
    children = value.items() if isinstance(value, dict) else ()
    items = value if isinstance(value, list) else ()
    for name, child in children:
        yield from _paths(child, f"{path}.{name}".lstrip("."))
    for child in items:
        yield from _paths(child, f"{path}[]")


# --- status -------------------------------------------------------------------------------------

FULL = Status(
    observed_generation=1,
    conditions=(
        Condition("Ready", "True", "Watching", "All is well.", 1, TIME),
        Condition("MetricsAvailable", "Unknown", "AwaitingReadings", "", 1, TIME),
        Condition("Degraded", "True", "BelowThreshold", "0.87 < 0.9", 1, TIME),
    ),
    performance=Reading(TIME, 0.87, 1250),
    decision=Decision(
        number=7,
        trigger=Trigger.ESCALATION,
        action=Action.RETRAIN,
        reason="FineTuneRejected",
        message="Naïve “é” — 文字",
        escalated_from=6,
        time=TIME,
        path=tuple(
            PathStep(
                question,
                answer,
                (StatusEvidence("accuracy", "0.87", "0.90", "0.01", 400, "0.15", "0.21"),),
            )
            for question, answer in zip(Question, Answer, strict=True)
        ),
        rejected=tuple(RejectedAction(action, "not called for") for action in Action),
        power=Power(90, 100, 0.7055, 0.08, 0.1123, 100, 0.8123, 0.0923),
        plan=TrainingPlan(race=True, old_at_new_mix=True, cause_open=True),
    ),
    run=Run(
        number=7,
        trigger=Trigger.PERFORMANCE_DROP,
        step=Step.REPORT,
        start_time=TIME,
        spec={"anything": {"at": ["all", 1, None]}},
        job_name="news-1a2b3c-7-train",
        job_uid="u-1",
        champion=ChampionRef(6, "sha256:aa"),
        breach=Breach(
            TIME,
            0.87,
            3,
            5,
            1250,
            0.9,
            Alarm(Kind.ERROR_AT_EQUAL_CLASS, 31000, 20000, 0.1, TIME, Counts(412, 54)),
            TIME,
        ),
        escalated_from=6,
        action=Action.FINE_TUNE,
        subject=Step.TRAIN,
        snapshot_run=6,
        data_digest="sha256:bb",
        train_start_time=TIME,
        stopping=Stopping("PendingTimeout", "It waited."),
        half_batches=True,
        report='{"version":1}',
        request_digest="sha256:cc",
    ),
    recheck=Recheck(3, TIME, "sha256:bb", "sha256:dd"),
    champion=Champion(
        6,
        "pvc://models/news/versions/6",
        "sha256:aa",
        TIME,
        TrainingAction.RETRAIN,
        Baseline(0.93, TIME, 5000, "1a2b3c4d5e6f"),
    ),
    monitor=Monitor(
        6,
        "1a2b3c4d5e6f",
        TIME,
        ReferenceCounts(TIME, {"sport": Counts(1800.5, 120.25), "文": Counts(3, 1)}),
    ),
    history=tuple(
        HistoryEntry(
            number=number,
            trigger=Trigger.INITIAL,
            action=Action.RETRAIN,
            reason="FirstVersion",
            outcome=outcome,
            message="It won.",
            start_time=TIME,
            end_time=TIME,
            data_digest="sha256:bb",
            champion_version=5,
            champion_digest="sha256:cc",
            spec_digest="sha256:dd",
            version=6,
            trained=True,
            train_seconds=31.7,
            new=Score(400, 4.1, 3.2, "MAE"),
            old=Score(400, 4.1, 3.2, "MAE"),
        )
        for number, outcome in enumerate((list(RunOutcome) * 13)[:50], start=1)
    ),
)


@pytest.mark.api
def test_nobody_has_looked_yet_says_a_fresh_status(api: Resources, minimal: Node) -> None:
    minimal["metadata"]["name"] = "fresh"
    api.create(minimal, keep=True)
    try:
        assert api.get("fresh")["status"] == {"observedGeneration": -1}
    finally:
        api.delete("fresh")


@pytest.mark.api
def test_all_that_the_operator_writes_into_status_is_kept(
    api: Resources, minimal: Node, schema: Node
) -> None:
    minimal["metadata"]["name"] = "full"
    written = status_json.write(FULL)
    stored = api.create(minimal, keep=True)
    try:
        api.replace_status(stored | {"status": written})
        read = api.get("full")["status"]
    finally:
        api.delete("full")

    assert read == written
    assert status_json.read(read) == status_json.read(written)
    known = {path for path, node in walk(schema) if path.startswith("status.")}
    assert known - {f"status.{path}" for path in _paths(written)} == set(), (
        "in the schema, but never written"
    )


@pytest.mark.api
def test_the_words_of_status_are_those_of_the_code(schema: Node) -> None:
    enums = {path: set(node["enum"]) for path, node in walk(schema) if "enum" in node}

    assert enums["status.decision.action"] == enums["status.run.action"] == set(Action)
    assert enums["status.decision.trigger"] == enums["status.history[].trigger"] == set(Trigger)
    assert enums["status.decision.path[].question"] == set(Question)
    assert enums["status.decision.path[].answer"] == set(Answer)
    assert enums["status.run.step"] == set(Step)
    assert enums["status.history[].outcome"] == set(RunOutcome)
    assert enums["status.champion.action"] == set(TrainingAction)


@pytest.mark.api
def test_a_status_beside_a_spec_is_not_taken(api: Resources, minimal: Node) -> None:
    minimal["metadata"]["name"] = "beside"
    api.create(minimal | {"status": {"observedGeneration": 5}}, keep=True)
    try:
        assert api.get("beside")["status"] == {"observedGeneration": -1}
    finally:
        api.delete("beside")


# --- for a person ---------------------------------------------------------------------------------


@pytest.mark.api
def test_kubectl_shows_the_columns(cluster: Programs, api: Resources, minimal: Node) -> None:
    minimal["metadata"]["name"] = "columns"
    stored = api.create(minimal, keep=True)
    try:
        api.replace_status(stored | {"status": status_json.write(FULL)})
        short = cluster.kubectl("get", "mm", "columns").stdout.splitlines()
        wide = cluster.kubectl("get", "mm", "columns", "-o", "wide").stdout.splitlines()
    finally:
        api.delete("columns")

    assert short[0].split() == ["NAME", "READY", "ACTION", "RUN", "VERSION", "PERFORMANCE", "AGE"]
    assert short[1].split()[:6] == ["columns", "True", "Retrain", "Report", "6", "0.87"]
    assert wide[0].split()[7:] == ["METRICS", "DEGRADED", "DECISION", "REASON"]
    assert wide[1].split()[7:] == ["Unknown", "True", "7", "FineTuneRejected"]


@pytest.mark.api
def test_kubectl_explain_has_a_sentence_for_every_field(cluster: Programs, schema: Node) -> None:
    document = cluster.kubectl(
        "get", "--raw", "/openapi/v3/apis/modelmaintenance.dev/v1alpha1"
    ).stdout
    schemas = json.loads(document)["components"]["schemas"]
    [served] = [node for name, node in schemas.items() if name.endswith(".ModelMaintenance")]

    silent = [
        path
        for path, node in walk(served)
        if not path.startswith("metadata") and len(node.get("description", "")) < 8
    ]

    assert silent == []
    assert {path for path, _ in walk(schema)} <= {path for path, _ in walk(served)}


@pytest.mark.api
@pytest.mark.parametrize(
    "path, words",
    [
        ("mm", "keeps one deployed model good"),
        ("modelmaintenance.spec.metrics.performance.breach.count", "So many readings must be bad."),
        ("mm.status.decision.path.answer", "What was found."),
    ],
)
def test_kubectl_explain_speaks(cluster: Programs, path: str, words: str) -> None:
    assert words in " ".join(cluster.kubectl("explain", path).stdout.split())
