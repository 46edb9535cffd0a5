"""Each rule of the schema on a real API server: what passes, what is refused in which words."""

import json
import re
from typing import Any

import pytest
from support.programs import Programs
from support.resources_api import Refused, Resources, changed

from maintenance_contract import ScoreMetric, Task
from maintenance_contract.kinds import FROM_SCRATCH, METRICS, OF_CLASSES
from maintenance_core.errors import SpecError
from maintenance_core.spec import parse

pytestmark = pytest.mark.api

MODELS = ("model.baseModel", "model.initialModel")
PLACES = (*MODELS, "model.storage", "data.original", "data.updates")
PLACE_REFUSED = (
    "file:///models",
    "s3://",
    "s3://Bucket/news",
    "s3://bucket/",
    "s3://bucket/../other",
    "s3://a..b/news",
    "hf://a/b/c",
    "hf://org/model:v1",
    "hf://org/model..v1",
    "hf://org--model",
    "models/news",
    "pvc:models",
    "pvc://",
    "pvc:///news",
    "pvc://Models/news",
    "pvc://-models/news",
    "pvc://models/",
    "pvc://models/news/",
    "pvc://models//news",
    "pvc://models/../other",
    "pvc://models/news/..",
    "pvc://models/./news",
    "pvc://models/.",
    "pvc://models/a\nb",
    " pvc://models/news",
)
PLACE_ACCEPTED = (
    "pvc://place",
    "pvc://place.with-dots/x",
    "pvc://place/..hidden/...",
    "pvc://place/Été 2026/v1.2",
    "pvc://p/" + "x" * 1016,
    "s3://bucket",
    "s3://my.bucket-2/models/news",
)


def of(task: str) -> dict[str, Any]:
    """The changes that make a resource one of this kind."""
    base = {"model.baseModel": ...} if task in FROM_SCRATCH else {}
    return {"model.task": task, **base}


TABLE = of("TabularClassification")
FORECAST = of("TimeSeriesForecasting")
SERIES = of("TimeSeriesClassification")
CHAT = of("CausalLM")
ITEMS = of("NextItem")

DURATIONS = {  # field: refused, accepted
    "metrics.interval": (["4s", "24h1s", "0s"], ["5s", "24h", "1h30m", "90m", "1h0m10s"]),
    "decision.recheckAfter": (["0s", "24h1s"], ["1s", "24h"]),
    "training.timeout": (["0s", "0h0m0s", "721h"], ["1s", "720h"]),
    "training.pendingTimeout": (["0s", "721h"], ["1s", "720h"]),
    "diagnosis.timeout": (["0s", "24h1s"], ["1s", "24h"]),
    "limits.cooldown": (["0s", "720h1s"], ["1s", "720h"]),
    "limits.runs.per": (["0s", "8761h"], ["1s", "8760h"]),
}
NO_DURATIONS = ("5", "5 m", "-5m", "1d", "P1D", "1.5h", "30s5m", "5M", "100ms", "5m ", "123456h")

COUNTERS = {"counter": "model_predictions_total"}


def counted(**outcomes: Any) -> dict[str, Any]:
    """Counters instead of the gauge."""
    return {"metrics.performance": ..., "metrics.outcomes": COUNTERS | outcomes}


EARLY = "a share cannot be a major change before it is a minor one"
APART = "give the store a folder of its own"
# Fields that are set, the field that is named, a part of the message.
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    *(
        (
            {f"data.holdout.{side}Percent": value},
            f"spec.data.holdout.{side}Percent",
            "write Auto, or a whole number from 1 to 90",
        )
        for side in ("original", "updates")
        for value in ("auto", "10", "10%", "")
    ),
    (
        {"decision.thresholds": {"newDomain": 0.4}},
        "spec.decision.thresholds.newDomain",
        EARLY,
    ),
    (
        {"decision.thresholds": {"newDomain": 0.31}},
        "spec.decision.thresholds.newDomain",
        EARLY,
    ),
    (
        {"decision.thresholds": {"newDomain": 0.2, "otherStream": 0.19}},
        "spec.decision.thresholds.newDomain",
        EARLY,
    ),
    *(
        ({f"{place}.storageUri": uri}, f"spec.{place}.storageUri", "write pvc://<claim>/<path>")
        for place in PLACES
        for uri in PLACE_REFUSED
    ),
    *(
        ({f"{place}.storageUri": "hf://org/model"}, f"spec.{place}.storageUri", "write pvc://")
        for place in PLACES[len(MODELS) :]
    ),
    *(
        (
            {place: {"storageUri": "pvc://place/x", "secretRef": {"name": "keys"}}},
            f"spec.{place}.secretRef",
            "a volume claim needs no Secret; remove secretRef",
        )
        for place in PLACES
    ),
    *(
        (
            {f"{place}": {"storageUri": "s3://bucket/x", "secretRef": {"name": name}}},
            f"spec.{place}.secretRef.name",
            "write the name of a Secret",
        )
        for place in PLACES
        for name in ("Keys", "a/b", "-a")
    ),
    *(
        (
            {model: {"storageUri": "s3://bucket/x", "revision": "main"}},
            f"spec.{model}.revision",
            "only a model of a hub (hf://) has revisions; remove revision",
        )
        for model in MODELS
    ),
    *(
        (
            {model: {"storageUri": "hf://org/model", "revision": revision}},
            f"spec.{model}.revision",
            "write a commit, tag or branch",
        )
        for model in MODELS
        for revision in ("../x", "-x", "a b")
    ),
    (
        {
            "model.storage.storageUri": "s3://bucket/models",
            "data.updates.storageUri": "s3://bucket/models/updates",
        },
        "spec.model.storage.storageUri",
        f"storage and data.updates lie in one another; {APART}",
    ),
    *(
        ({field: value}, f"spec.{field}", "write hours, minutes and seconds in this order")
        for field, (refused, _) in DURATIONS.items()
        for value in (*refused, *NO_DURATIONS)
        if len(value) > 1
    ),
    *(
        (
            {"model.storage.storageUri": "pvc://shared/store", f"{other}.storageUri": uri},
            "spec.model.storage.storageUri",
            f"storage and {other} lie in one another; {APART}",
        )
        for other in (*MODELS, "data.original", "data.updates")
        for uri in ("pvc://shared/store", "pvc://shared/store/below", "pvc://shared")
    ),
    *(
        (
            {"data.original.storageUri": original, "data.updates.storageUri": updates},
            "spec.data.updates.storageUri",
            "updates and original are the same folder or lie in one another",
        )
        for original, updates in (
            ("pvc://data/news", "pvc://data/news"),
            ("pvc://data/news", "pvc://data/news/new"),
            ("pvc://data/news/old", "pvc://data/news"),
        )
    ),
    (
        {"data.columns": {"text": "headline", "label": "headline"}},
        "spec.data.columns.label",
        "text and label name the same column",
    ),
    (
        {"data.columns": {"text": "label"}},
        "spec.data.columns.label",
        "text and label name the same column",
    ),
    *(
        (
            {"data.columns": {"time": column}},
            "spec.data.columns.time",
            "time names the column of the text or of the label",
        )
        for column in ("text", "label")
    ),
    ({"data.columns": {"label": "text"}}, "spec.data.columns.label", "text and label name the sam"),
    (
        {"data.columns": {"text": "headline", "image": "scan"}},
        "spec.data.columns.image",
        "TextClassification reads no column of this kind; write columns: {text: text, label: lab",
    ),
    (
        {"model.task": "ImageClassification", "data.columns": {"text": "headline"}},
        "spec.data.columns.text",
        "ImageClassification reads no column of this kind; write columns: {image: image, label: ",
    ),
    (
        {"model.baseModel": ...},
        "spec.model.baseModel",
        "name the model that a retrain starts from",
    ),
    (
        {"model.task": "ImageClassification", "model.baseModel": ...},
        "spec.model.baseModel",
        "name the model that a retrain starts from",
    ),
    (
        {"model.task": "TabularClassification"},
        "spec.model.baseModel",
        "a model of tables begins with nothing; remove baseModel",
    ),
    *(
        (
            {**TABLE, "data.columns": {stranger: "a"}},
            "spec.data.columns.inputs",
            "a model of tables reads neither text nor image; write columns: {inputs: [age, ward]",
        )
        for stranger in ("text", "image")
    ),
    *(
        (
            {"data.columns": {"label": "y", **stranger}},
            "spec.data.columns.inputs",
            "only models of tables (TabularClassification, TabularRegression) read columns for i",
        )
        for stranger in ({"inputs": ["a"]}, {"id": "a"}, {"group": "a"}, {"weight": "a"})
    ),
    *(
        (
            {**TABLE, "data.columns": {"inputs": ["a", "b"], role: "b"}},
            "spec.data.columns.inputs",
            "a column of inputs is the label, or that of time, id, group or weight, too",
        )
        for role in ("label", "time", "id", "group", "weight")
    ),
    (
        {**TABLE, "data.columns": {"inputs": ["a", "label"]}},
        "spec.data.columns.inputs",
        "a column of inputs is the label",
    ),
    *(
        (
            {**FORECAST, "data.columns": {stranger: "a"}},
            "spec.data.columns.inputs",
            "a model of time series reads neither text nor image; write columns: {time: date",
        )
        for stranger in ("text", "image")
    ),
    *(
        (
            {**FORECAST, "data.columns": {stranger: "a"}},
            "spec.data.columns.inputs",
            "only models of tables (TabularClassification, TabularRegression) read columns for i",
        )
        for stranger in ("id", "group", "weight")
    ),
    (
        {"data.columns": {"series": "shop"}},
        "spec.data.columns.series",
        "only models of time series read a column that tells series apart; remove it",
    ),
    (
        {**SERIES, "data.columns": {"targets": ["a"]}},
        "spec.data.columns.targets",
        "only TimeSeriesForecasting tells columns beforehand; remove targets",
    ),
    (
        {**FORECAST, "data.columns": {"label": "y"}},
        "spec.data.columns.label",
        "a forecast needs no label, for what is to be told stands in later rows; remove it",
    ),
    *(
        (
            {**kind, "data.columns": columns},
            "spec.data.columns.inputs",
            "a column of inputs is that of time, series or label, too; give each column one role",
        )
        for kind, columns in (
            (FORECAST, {"inputs": ["a", "time"]}),
            (FORECAST, {"inputs": ["a", "at"], "time": "at"}),
            (FORECAST, {"inputs": ["a", "shop"], "series": "shop"}),
            (SERIES, {"inputs": ["a", "label"]}),
            (SERIES, {"inputs": ["a", "y"], "label": "y"}),
        )
    ),
    *(
        (
            {**FORECAST, "data.columns": columns},
            "spec.data.columns.targets",
            "a column of targets is that of time or series, too; give each column one role",
        )
        for columns in ({"targets": ["time"]}, {"targets": ["b", "shop"], "series": "shop"})
    ),
    (
        {**FORECAST, "data.columns": {"series": "time"}},
        "spec.data.columns.series",
        "series names the column of time or of the label; name the one that tells series apart",
    ),
    (
        {**SERIES, "data.columns": {"time": "label"}},
        "spec.data.columns.label",
        "time and label name the same column",
    ),
    (
        {"data.windows": {"context": 8}},
        "spec.data.windows",
        "only rows of time series are cut into windows; remove it",
    ),
    (
        {**FORECAST, "data.windows": {"horizon": 0}},
        "spec.data.windows.horizon",
        "a forecast is of one row at least; write horizon 1 or more",
    ),
    (
        {"model.task": "ImageClassification", "data.columns": {"image": "label"}},
        "spec.data.columns.label",
        "image and label name the same column",
    ),
    (
        {"model.task": "ImageClassification", "data.columns": {"time": "image"}},
        "spec.data.columns.time",
        "time names the column of the image or of the label",
    ),
    *(
        (
            {**of(task), "gate.metric": metric},
            "spec.gate.metric",
            "each kind of model is compared by metrics of its own: classifiers by Accuracy",
        )
        for task in METRICS
        for metric in ScoreMetric
        if metric not in METRICS[task]
    ),
    *(
        (
            {"data.columns": {role: "a"}},
            "spec.data.columns.messages",
            "only language models (CausalLM) read columns for messages, prompt and completion",
        )
        for role in ("messages", "prompt", "completion")
    ),
    *(
        (
            {**CHAT, "data.columns": {role: "a"}},
            "spec.data.columns.messages",
            "a language model reads no text, image or label; write columns: {messages: messages}",
        )
        for role in ("text", "image", "label")
    ),
    *(
        (
            {**CHAT, "data.columns": columns},
            "spec.data.columns.prompt",
            "a row is a list of messages, or a prompt with its completion; write columns: {mess",
        )
        for columns in (
            {"prompt": "q"},
            {"completion": "a"},
            {"messages": "m", "prompt": "q", "completion": "a"},
        )
    ),
    (
        {**CHAT, "data.columns": {"prompt": "q", "completion": "q"}},
        "spec.data.columns.completion",
        "prompt and completion name the same column",
    ),
    *(
        (
            {**CHAT, "data.columns": columns},
            "spec.data.columns.time",
            "time or group names the column of the messages, the prompt or the completion",
        )
        for columns in (
            {"time": "messages"},
            {"messages": "m", "group": "m"},
            {"prompt": "q", "completion": "a", "time": "q"},
            {"prompt": "q", "completion": "a", "group": "a"},
        )
    ),
    *(
        (
            {f"training.{recipe}.method": "LoRA"},
            "spec.training.fineTune.method",
            "only language models (CausalLM) are trained by adapters; write method: Full",
        )
        for recipe in ("fineTune", "retrain")
    ),
    *(
        (
            {**changes, f"training.{recipe}.method": "HeadOnly"},
            "spec.training.fineTune.method",
            "only TextClassification and ImageClassification have a head that learns alone",
        )
        for changes in (CHAT, SERIES, TABLE, ITEMS)
        for recipe in ("fineTune", "retrain")
    ),
    *(
        (
            {**ITEMS, "data.columns": {stranger: "a"}},
            "spec.data.columns.user",
            "NextItem reads who chose what, and when, and no text, image or label",
        )
        for stranger in ("text", "image", "label")
    ),
    *(
        (
            {**of(task), "data.columns": {role: "a"}},
            "spec.data.columns.user",
            "only NextItem reads columns for user and item",
        )
        for task in ("TextClassification", "TabularRegression")
        for role in ("user", "item")
    ),
    *(
        (
            {**ITEMS, "data.columns": columns},
            "spec.data.columns.item",
            "two of user, item and time name the same column",
        )
        for columns in ({"user": "item"}, {"item": "time"}, {"user": "a", "time": "a"})
    ),
    *(
        (
            {**of(task), "metrics.performance": ..., "metrics.outcomes": {"counter": "n"}},
            "spec.metrics.outcomes",
            "outcomes counts right and wrong predictions by class",
        )
        for task in METRICS
        if METRICS[task] is not OF_CLASSES and task != Task.NEXT_ITEM
    ),
    *(
        (
            {"metrics.server": server},
            "spec.metrics.server",
            "write the name of a server of the operator's configuration",
        )
        for server in ("http://prometheus:9090", "Default", "-a", "a-", "a.b")
    ),
    (
        {"metrics.performance.match": {"x" * 257: "a"}},
        "spec.metrics.performance.match",
        "names of labels have from 1",
    ),
    (
        {"metrics.performance.match": {"": "a"}},
        "spec.metrics.performance.match",
        "names of labels have from 1",
    ),
    *(
        (
            {"triggers.schedule": {"cron": cron}},
            "spec.triggers.schedule.cron",
            "write five fields with one space between them",
        )
        for cron in ("0 0 3 * * 1", "every day", "@daily @daily")
    ),
    *(
        (
            {"metrics.performance.thresholdRange": range_, "metrics.performance.recover": recover},
            "spec.metrics.performance.recover",
            "recover lies on the bad side of thresholdRange",
        )
        for range_, recover in (({"min": 0.9}, 0.89), ({"max": 0.1}, 0.11))
    ),
    *(
        (
            {"history.runs": 2, **limits},
            "spec.history.runs",
            "are counted in the history; keep at least as many runs",
        )
        for limits in (
            {"limits.runs.max": 3, "limits.consecutiveFailures": 2},
            {"limits.runs.max": 2, "limits.consecutiveFailures": 3},
        )
    ),
    (
        {"training.pod.nodeSelector": {"": "a"}},
        "spec.training.pod.nodeSelector",
        "names of labels have from 1",
    ),
    (
        {"training.pod.tolerations": [{"effect": "NoSchedule"}]},
        "spec.training.pod.tolerations[0].operator",
        "without a key, write operator Exists",
    ),
    *(
        (
            {"training.pod.env": [{"name": name, "value": "x"}]},
            "spec.training.pod.env[0].name",
            "this variable is the trainer's own",
        )
        for name in ("HOME", "PATH", "PYTHONPATH", "LD_PRELOAD", "KUBEFLOW_X", "MM_TRAINER_IMAGE")
    ),
    (
        {"training.pod.env": [{"name": "A-B", "value": "x"}]},
        "spec.training.pod.env[0].name",
        "write letters, digits and underscores",
    ),
    (
        {
            "training.pod.env": [
                {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
            ]
        },
        "spec.training.pod.env[0].valueFrom",
        "Secrets are for places, name them in their secretRef",
    ),
    (
        {"training.pod.env": [{"name": "AWS_ENDPOINT_URL", "value": "http://x/$(A)"}]},
        "spec.training.pod.env[0].value",
        "write the value itself, without $(...)",
    ),
    (
        {"metrics.performance.thresholdRange": {}},
        "spec.metrics.performance.thresholdRange",
        "set exactly one of min (a floor, for an accuracy) and max",
    ),
    (
        {"metrics.performance.thresholdRange": {"min": 0.9, "max": 0.95}},
        "spec.metrics.performance.thresholdRange",
        "set exactly one of min (a floor, for an accuracy) and max",
    ),
    (
        {"metrics.performance.breach": {"count": 3, "of": 2}},
        "spec.metrics.performance.breach.count",
        "count is more than of",
    ),
    (
        {"metrics.performance.breach": {"count": 6}},
        "spec.metrics.performance.breach.count",
        "count is more than of",
    ),
    ({"metrics.outcomes": COUNTERS}, "spec.metrics", "set exactly one of performance (a gauge"),
    ({"metrics.performance": ...}, "spec.metrics", "set exactly one of performance (a gauge"),
    *(
        (counted(counter=counter), "spec.metrics.outcomes.counter", "write the name of a counter")
        for counter in ("sum(a)", "a{b='c'}", "1st", "a-b")
    ),
    *(
        (counted(**{label: "a-b"}), f"spec.metrics.outcomes.{label}", "write the name of a label")
        for label in ("classLabel", "correctLabel", "versionLabel")
    ),
    *(
        (counted(**labels), "spec.metrics.outcomes", "are three different labels")
        for labels in (
            {"classLabel": "correct"},
            {"versionLabel": "correct"},
            {"versionLabel": "true_class"},
        )
    ),
    *(
        (
            counted(matchLabels={name: "x"}, versionLabel="version"),
            "spec.metrics.outcomes.matchLabels",
            "the operator itself tells right from wrong",
        )
        for name in ("correct", "version")
    ),
    (
        counted(matchLabels={"a.b": "x"}),
        "spec.metrics.outcomes.matchLabels",
        "names of labels have letters",
    ),
]

ACCEPTED: list[dict[str, Any]] = [
    *({"data.holdout.updatesPercent": value} for value in (1, 90, "Auto")),
    *({f"{place}.storageUri": uri} for place in PLACES for uri in PLACE_ACCEPTED),
    *(
        {place: {"storageUri": "s3://bucket/x", "secretRef": {"name": "my.keys-2"}}}
        for place in PLACES
    ),
    {"model.baseModel.storageUri": "hf://bert-base-uncased"},
    *(
        {
            model: {
                "storageUri": "hf://google-bert/bert-base-uncased",
                "revision": "refs/pr/1",
                "secretRef": {"name": "hub"},
            }
        }
        for model in MODELS
    ),
    *({field: value} for field, (_, accepted) in DURATIONS.items() for value in accepted),
    # Alike names are not the same place.
    *(
        {"model.storage.storageUri": "pvc://shared/store", f"{other}.storageUri": uri}
        for other in (*MODELS, "data.original", "data.updates")
        for uri in (
            "pvc://shared/store-2",
            "pvc://shared/sto",
            "pvc://shared2/store",
            "pvc://share",
        )
    ),
    {
        "data.original.storageUri": "pvc://data/news",
        "data.updates.storageUri": "pvc://data/news-updates",
    },
    {"data.columns": {"text": "label", "label": "text"}},
    {"data.columns": {"label": "sentiment"}},
    {"data.columns": {"time": "published"}, "data.updates.sampling": "Targeted"},
    {"model.task": "ImageClassification"},
    TABLE,
    {**TABLE, "data.columns": {"inputs": ["age", "ward"], "label": "outcome", "id": "case"}},
    {**TABLE, "data.columns": {"group": "patient", "weight": "counts", "time": "at"}},
    {**TABLE, "data.columns": {"inputs": [f"{n}" * 60 for n in range(100, 500)]}},
    of("TabularRegression"),
    FORECAST,
    {**FORECAST, "model.baseModel": ...},
    {**FORECAST, "data.columns": {"inputs": ["a", "label"], "targets": ["a"], "series": "shop"}},
    {**FORECAST, "data.windows": {"context": 48, "horizon": 24, "stride": 1}},
    {**SERIES, "data.columns": {"label": "y", "inputs": ["a"], "time": "at"}},
    {**SERIES, "data.windows": {"horizon": 0}},
    CHAT,
    {**CHAT, "data.columns": {"messages": "chat", "time": "at", "group": "user"}},
    {**CHAT, "data.columns": {"prompt": "q", "completion": "a", "group": "messages"}},
    {**CHAT, "training.fineTune.method": "LoRA", "training.retrain.method": "LoRA"},
    {**CHAT, "training.fineTune.method": "LoRA", "training.retrain.method": "Full"},
    {"training.fineTune.method": "HeadOnly", "training.retrain.method": "HeadOnly"},
    {"model.task": "ImageClassification", "training.fineTune.method": "HeadOnly"},
    ITEMS,
    {**ITEMS, "data.columns": {"user": "customer", "item": "product", "time": "bought_at"}},
    {**ITEMS, "model.baseModel": {"storageUri": "pvc://models/base/items"}},
    {**ITEMS, "metrics.performance": ..., "metrics.outcomes": {"counter": "n"}},
    {**TABLE, "model.initialModel": {"storageUri": "pvc://models/by-hand"}},
    {"model.task": "ImageClassification", "data.columns": {"image": "text", "label": "digit"}},
    {"model.task": "ImageClassification", "data.columns": {"time": "text"}},
    *({**of(task), "gate.metric": name} for task in METRICS for name in METRICS[task]),
    {"metrics.server": "thanos-eu1"},
    {"metrics.performance.match": {}},
    {"metrics.performance.match": ...},
    {"metrics.performance.match": {"model": "news", "x" * 256: ""}},
    {"metrics.performance.thresholdRange": {"max": 0.1}},
    {"metrics.performance.thresholdRange": {"min": 0}},
    {"metrics.performance.thresholdRange": {"min": 90}},
    {"metrics.performance.breach": {"count": 1, "of": 1}},
    {"metrics.performance.breach": {"count": 20, "of": 20}},
    {"metrics.performance.samples": {"query": "up", "min": 1}},
    {"metrics.performance.maxDrop": 0.03, "metrics.performance.recover": 0.9},
    {
        "metrics.performance.thresholdRange": {"max": 0.1},
        "metrics.performance.recover": 0.1,
        "metrics.performance.onMissing": "Breach",
    },
    counted(),
    counted(
        counter="job:predictions:total",
        matchLabels={"model": 'a "b" \\', "true_class": "x"},
        classLabel="label",
        correctLabel="ok",
        versionLabel="version",
        tolerance=0,
        baselineSamples=100,
    ),
    {"suspend": True},
    {"decision.minNewRows": 1, "decision.minExpectedGain": 0},
    {"decision.thresholds": {"alpha": 0.05, "newDomain": 0.3, "otherStream": 0.3}},
    {"decision.thresholds": {"otherStream": 0.1}},
    {"decision.thresholds": {"slightDrift": 0, "conceptReplaced": 1}},
    {"decision.policy": "Workflow"},
    {"training.fineTune.replayPercent": 0},
    {
        "training.fineTune.arguments": {
            "learning_rate": 2e-5,
            "lr_scheduler_kwargs": {"a": [1, None]},
            "bf16": True,
        }
    },
    {"training.retrain.arguments": {"num_train_epochs": 3}},
    {"training.resources": {}},
    {
        "training.resources": {
            "limits": {"nvidia.com/gpu": "2", "cpu": "1.5", "memory": "16Gi"},
            "requests": {"cpu": "500m", "memory": 1000000000},
        }
    },
    {
        "training.resources": {
            "limits": {"cpu": 0.5, "memory": 17179869184, "ephemeral-storage": 1e9},
            "requests": {"cpu": ".5", "memory": "1e9", "ephemeral-storage": "+5.Gi"},
        }
    },
    {"training.retries": 0},
    {
        "gate": {
            "minImprovement": 0.01,
            "confidence": 0.999,
            "oldData": {"maxLoss": 0, "onConceptDrift": "Judge", "proof": "Required", "weight": 0},
        }
    },
    {"limits.runs.max": 10},
    {"limits.consecutiveFailures": 1, "limits.runs.max": 1, "history.runs": 1},
    {"history.runs": 50},
    {"triggers.schedule": {"cron": "0 3 * * 1", "timeZone": "Europe/Berlin"}},
    {"triggers.newData": {"query": "sum(increase(labels[{{ interval }}]))", "min": 0}},
    {"diagnosis.resources": {"requests": {"cpu": "2"}}},
    {
        "training.pod": {
            "nodeSelector": {"gpu.example/type": "a100"},
            "tolerations": [
                {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},
                {"operator": "Exists"},
                {"key": "spot", "value": "true", "effect": "NoExecute", "tolerationSeconds": 60},
            ],
            "env": [
                {"name": "HTTPS_PROXY", "value": "http://proxy:3128"},
                {"name": "PRICE", "value": "5$ (or $$5)"},
                {"name": "EMPTY"},
            ],
            "priorityClassName": "low",
            "serviceAccountName": "trainer",
            "imagePullSecrets": [{"name": "registry"}],
        }
    },
]


def _name(fields: object) -> str | None:
    if not isinstance(fields, dict):
        return None
    text = " ".join(f"{path}={value}" for path, value in fields.items())
    return re.sub(r"x{16,}", "xx…", text).encode("ascii", "backslashreplace").decode()


@pytest.mark.parametrize("fields", ACCEPTED, ids=_name)
def test_what_is_allowed_passes_and_the_operator_can_read_it(
    api: Resources, minimal: dict[str, Any], fields: dict[str, Any]
) -> None:
    stored = api.create(changed(minimal, fields))

    parse(stored["spec"])


QUANTITIES: list[object] = [
    *(0, 1, 2.0, 0.5, 1e9, 1e-3, 17179869184),
    *(
        "1",
        "+1",
        "5.",
        ".5",
        ".5Gi",
        "0.5",
        "1e3",
        "1E3",
        "1e+3",
        "1e-3",
        "12e6",
        "100m",
        "1n",
        "1u",
    ),
    *("2k", "1M", "1E", "3Ki", "1.5Gi", "1Ei", "00.5", "1.50"),
    *(
        -1,
        -0.5,
        "-1",
        "",
        "1 Gi",
        "1gi",
        "1K",
        "1Mi5",
        "1e",
        "1.2.3",
        "0x10",
        "lots",
    ),
    *(True, [], {}, [1], {"a": 1}),
]
"""Quoted and not. A pod also takes ".", "e3" and " 1", by accident."""


@pytest.mark.parametrize("quantity", QUANTITIES, ids=repr)
def test_a_quantity_is_one_where_a_pod_says_so(
    api: Resources, cluster: Programs, minimal: dict[str, Any], quantity: object
) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "held-against"},
        "spec": {
            "containers": [
                {"name": "a", "image": "a", "resources": {"limits": {"memory": quantity}}}
            ]
        },
    }
    flags = ("create", "--dry-run=server", "--validate=false", "-f", "-")
    taken = not cluster.kubectl(*flags, stdin=json.dumps(pod), check=False).returncode
    for job in ("training", "diagnosis"):
        body = changed(minimal, {f"{job}.resources.limits.memory": quantity})
        if taken:
            made = getattr(parse(api.create(body)["spec"]), job).resources["limits"]["memory"]
            assert isinstance(made, str)
            continue
        with pytest.raises((Refused, SpecError), match=rf"spec\.{job}\.resources\.limits\.memory"):
            parse(api.create(body)["spec"])


@pytest.mark.parametrize("fields, field, message", REFUSED, ids=_name)
def test_what_is_not_allowed_is_refused_with_what_to_write(
    api: Resources, minimal: dict[str, Any], fields: dict[str, Any], field: str, message: str
) -> None:
    with pytest.raises(Refused) as refused:
        api.create(changed(minimal, fields))

    assert refused.value.code == 422
    assert [text for where, text in refused.value.causes if where == field and message in text], (
        refused.value.causes
    )
    assert len(refused.value.causes) == 1, "one mistake, one message"


def test_a_name_must_leave_room_for_its_config_map(api: Resources, minimal: dict[str, Any]) -> None:
    minimal["metadata"]["name"] = "n" * 244
    api.create(minimal)
    minimal["metadata"]["name"] = "n" * 245
    with pytest.raises(Refused, match="has more than 244 characters"):
        api.create(minimal)


def test_the_store_cannot_move(api: Resources, minimal: dict[str, Any]) -> None:
    minimal["metadata"]["name"] = "cannot-move"
    stored = api.create(minimal, keep=True)
    try:
        with pytest.raises(Refused) as refused:
            api.replace(changed(stored, {"model.storage.storageUri": "pvc://models/elsewhere"}))
        moved = api.replace(
            changed(stored, {"model.baseModel.storageUri": "pvc://models/base/other"})
        )
    finally:
        api.delete("cannot-move")

    [(field, message)] = refused.value.causes
    assert field == "spec.model.storage.storageUri"
    assert "storage cannot move" in message
    assert "make a new resource" in message
    assert moved["spec"]["model"]["baseModel"]["storageUri"] == "pvc://models/base/other"


def _rules(node: dict[str, Any], path: str = "") -> list[tuple[str, str]]:
    own = [
        (f"{path}{rule.get('fieldPath', '')}".lstrip("."), rule["message"])
        for rule in node.get("x-kubernetes-validations", [])
    ]
    children = [(f"{path}.{name}", child) for name, child in node.get("properties", {}).items()]
    if "items" in node:
        children.append((f"{path}[0]", node["items"]))
    return own + [rule for where, child in children for rule in _rules(child, where)]


def test_every_rule_has_a_case_that_is_refused(schema: dict[str, Any]) -> None:
    cases = [
        *REFUSED,
        ({}, "spec.model.storage.storageUri", "storage cannot move"),
        ({}, "", "choose a shorter one"),  # of the whole resource
    ]

    uncovered = [
        (field, message)
        for field, message in _rules(schema)
        if not any(field == where and part in message for _, where, part in cases)
    ]

    assert uncovered == []
