"""``spec`` as it is written becomes values, or an error that names the field."""

import copy
import time
import timeit
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from support.world import a_spec

from maintenance_contract import Holdout, Windows, kinds
from maintenance_core import spec as spec_module
from maintenance_core.errors import SpecError
from maintenance_core.model import OnConceptDrift, Policy
from maintenance_core.spec import (
    ARGUMENTS_BYTES,
    COLUMNS_BYTES,
    parse,
    parse_duration,
    with_interval,
)

SPEC: dict[str, Any] = {
    "model": {
        "task": "TextClassification",
        "baseModel": {"storageUri": "pvc://models/base"},
        "storage": {"storageUri": "pvc://models/news"},
    },
    "data": {
        "original": {"storageUri": "pvc://data/original"},
        "updates": {"storageUri": "pvc://data/updates"},
        "columns": {"text": "headline", "label": "sentiment"},
        "holdout": {"originalPercent": 10, "updatesPercent": 30},
    },
    "metrics": {
        "server": "default",
        "interval": "5m",
        "performance": {
            "query": "avg_over_time(acc[{{ interval }}]) / ignoring(a) b[{{interval}}]",
            "match": {"model": "news"},
            "thresholdRange": {"min": 0.9},
            "breach": {"count": 3, "of": 5},
            "samples": {"query": "increase(n[{{ interval }}])", "min": 200},
        },
    },
    "decision": {"policy": "Workflow", "minNewRows": 300, "recheckAfter": "1h"},
    "training": {
        "fineTune": {"replayPercent": 50, "arguments": {"num_train_epochs": 3}},
        "retrain": {"arguments": {}},
        "resources": {"limits": {"nvidia.com/gpu": 1}},
        "timeout": "4h",
        "retries": 1,
    },
    "gate": {
        "minImprovement": 0,
        "confidence": 0.95,
        "oldData": {"maxLoss": 0.02, "onConceptDrift": "ReportOnly"},
    },
    "limits": {"cooldown": "6h", "runs": {"max": 4, "per": "168h"}},
}


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def changed(path: str, value: Any) -> dict[str, Any]:
    spec = copy.deepcopy(SPEC)
    *parents, last = path.split(".")
    inner = spec
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    return spec


def test_reads_every_field() -> None:
    spec = parse(SPEC)
    assert spec.suspend is False
    assert spec.columns["text"] == "headline"
    assert spec.metrics.query == "avg_over_time(acc[300s]) / ignoring(a) b[300s]"
    assert spec.metrics.samples is not None
    assert spec.metrics.samples.query == "increase(n[300s])"
    assert spec.policy is Policy.WORKFLOW
    assert spec.recheck_after == timedelta(hours=1)
    assert spec.training.fine_tune_arguments == {"num_train_epochs": 3}
    assert spec.gate.on_concept_drift is OnConceptDrift.REPORT_ONLY
    assert spec.limits.per == timedelta(days=7)


@pytest.mark.parametrize(
    "path, value, field",
    [
        ("model.baseModel.storageUri", "s3://bucket/../base", "spec.model.baseModel.storageUri"),
        ("model.storage.storageUri", "hf://org/model", "spec.model.storage.storageUri"),
        ("data.updates.storageUri", "hf://org/model", "spec.data.updates.storageUri"),
        ("model.storage.secretRef", {"name": "keys"}, "spec.model.storage.secretRef"),
        ("model.baseModel.revision", "main", "spec.model.baseModel.revision"),
        (
            "data.updates",
            {"storageUri": "s3://bucket/x", "secretRef": {"name": "../x"}},
            "spec.data.updates.secretRef.name",
        ),
        ("model.baseModel.storageUri", "file:///etc", "spec.model.baseModel.storageUri"),
        ("model.storage.storageUri", "pvc://models/../x", "spec.model.storage.storageUri"),
        ("model.storage.storageUri", "pvc://data/updates/in", "spec.model.storage.storageUri"),
        ("model.storage.storageUri", "pvc://data", "spec.model.storage.storageUri"),
        *(
            (
                "data",
                {"original": {"storageUri": original}, "updates": {"storageUri": updates}},
                "spec.data.updates.storageUri",
            )
            for original, updates in (
                ("pvc://data/news", "pvc://data/news"),
                ("pvc://data/", "pvc://data/updates"),
                ("s3://data/news", "s3://data/news/updates/"),
                ("s3://data/news/original", "s3://data"),
            )
        ),
        (
            "model.initialModel",
            {"storageUri": "file:///models"},
            "spec.model.initialModel.storageUri",
        ),
        (
            "model.initialModel",
            {"storageUri": "pvc://models/news/versions/3"},
            "spec.model.storage.storageUri",
        ),
        (
            "model.initialModel",
            {"storageUri": "s3://models/x", "revision": "v1"},
            "spec.model.initialModel.revision",
        ),
        ("model.task", "Juggling", "spec.model.task"),
        ("metrics.interval", "0s", "spec.metrics.interval"),
        ("metrics.interval", "5 minutes", "spec.metrics.interval"),
        ("metrics.performance.thresholdRange", {}, "spec.metrics.performance.thresholdRange.min"),
        (
            "metrics.performance.thresholdRange",
            {"min": 0.1, "max": 0.2},
            "spec.metrics.performance.thresholdRange.min",
        ),
        (
            "metrics.performance.breach",
            {"count": 6, "of": 5},
            "spec.metrics.performance.breach.count",
        ),
        ("metrics.performance.match", {"model": 7}, "spec.metrics.performance.match"),
        ("metrics.performance.samples", {"query": "n"}, "spec.metrics.performance.samples.min"),
        ("training.fineTune.arguments", {"a": float("nan")}, "spec.training.fineTune.arguments"),
        (
            "training.retrain.arguments",
            {"a": "x" * ARGUMENTS_BYTES},
            "spec.training.retrain.arguments",
        ),
        (
            "training.resources",
            {"limits": {"cpu": "lots"}},
            "spec.training.resources.limits.cpu",
        ),
        ("training.resources", {"limits": {"": 1}}, "spec.training.resources.limits"),
        ("training.resources", {"limits": {"x" * 254: 1}}, "spec.training.resources.limits"),
        ("training.resources", {"requests": 5}, "spec.training.resources.requests"),
        (
            "diagnosis",
            {"timeout": "1m", "resources": {"limits": {"memory": -1}}},
            "spec.diagnosis.resources.limits.memory",
        ),
        ("training.retrain.arguments", nested(20), "spec.training.retrain.arguments"),
        ("training.retrain.arguments", nested(5000), "spec.training.retrain.arguments"),
        ("training.fineTune.arguments", {"a": [0] * 5000}, "spec.training.fineTune.arguments"),
        ("training.fineTune.replayPercent", nested(5000), "spec.training.fineTune.replayPercent"),
        ("gate.confidence", 1, "spec.gate.confidence"),
        ("gate.confidence", 0.4, "spec.gate.confidence"),
        ("gate.oldData.proof", "Maybe", "spec.gate.oldData.proof"),
        ("gate.oldData.weight", 1.5, "spec.gate.oldData.weight"),
        ("decision.minExpectedGain", -0.1, "spec.decision.minExpectedGain"),
        ("limits.cooldown", "1d", "spec.limits.cooldown"),
        ("limits.runs.max", 0, "spec.limits.runs.max"),
        ("decision", None, "spec.decision"),
        ("data.holdout.originalPercent", "auto", "spec.data.holdout.originalPercent"),
        ("data.holdout.originalPercent", 0, "spec.data.holdout.originalPercent"),
        ("data.holdout.updatesPercent", "30", "spec.data.holdout.updatesPercent"),
        ("data.holdout.updatesPercent", 91, "spec.data.holdout.updatesPercent"),
    ],
)
def test_names_the_field(path: str, value: Any, field: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(changed(path, value))
    assert caught.value.field == field


def test_a_holdout_is_written_by_hand_or_follows_from_the_rows() -> None:
    assert parse(SPEC).holdout == Holdout(10, 30)
    assert parse(changed("data.holdout.originalPercent", "Auto")).holdout == Holdout(None, 30)
    without = copy.deepcopy(SPEC)
    del without["data"]["holdout"]
    assert parse(without).holdout == Holdout(None, None)


def test_a_model_to_begin_with_is_a_place_like_others() -> None:
    assert parse(SPEC).initial_model is None
    place = {"storageUri": "hf://org/news", "revision": "v1", "secretRef": {"name": "hub"}}
    spec = parse(changed("model.initialModel", place))
    assert str(spec.initial_model) == "hf://org/news"
    assert (spec.initial_revision, spec.access.initial_model) == ("v1", "hub")
    assert (spec.revision, spec.access.base_model) == ("", "")


def test_quantities_may_be_numbers() -> None:
    limits = {"cpu": 0.5, "memory": 1e9, "nvidia.com/gpu": 1, "ephemeral-storage": ".5Gi"}
    assert parse(changed("training.resources", {"limits": limits})).training.resources == {
        "limits": {
            "cpu": "0.5",
            "memory": "1000000000",
            "nvidia.com/gpu": "1",
            "ephemeral-storage": ".5Gi",
        }
    }


def test_a_folder_beside_the_store_is_no_part_of_it() -> None:
    assert parse(changed("data.updates.storageUri", "pvc://models/news-updates")).updates


def test_a_bucket_of_a_claim_s_name_is_another_place() -> None:
    assert parse(changed("data.updates.storageUri", "s3://models/news/updates")).updates


@pytest.mark.parametrize(
    "text, seconds", [("1h30m", 5400), ("5m", 300), ("30s", 30), ("168h", 604_800), ("90m", 5400)]
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "0s", "1d", "30m1h", "-5m", "1.5h", "PT1H", "5"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="write it like 1h30m"):
        parse_duration(text)


def test_equal_sections_are_read_once_and_a_wrong_one_is_refused_each_time() -> None:
    first, equal, other = a_spec(), a_spec(), a_spec()
    other["training"]["retries"] = 2
    assert parse(first).training is parse(equal).training
    assert parse(first).training != parse(other).training
    wrong = a_spec()
    wrong["training"]["retries"] = True
    for _ in range(2):
        with pytest.raises(SpecError, match="retries"):
            parse(wrong)


def test_a_section_that_is_not_from_json_is_read_too() -> None:
    spec = a_spec()
    spec["training"]["note"] = object()
    assert parse(spec).training == parse(a_spec()).training


@pytest.mark.parametrize(
    "query, asked",
    [
        ("avg_over_time(acc[interval])", "avg_over_time(acc[300s])"),
        ("avg_over_time(acc[ interval ])", "avg_over_time(acc[ 300s ])"),
        ("avg_over_time(acc[{{ interval }}])", "avg_over_time(acc[300s])"),
        ("avg_over_time(acc[{{interval}}] offset {{  interval  }})",
         "avg_over_time(acc[300s] offset 300s)"),
        ("max_over_time(acc[1h:interval])", "max_over_time(acc[1h:300s])"),
        ("max_over_time(rate(acc[interval])[interval:interval] offset interval)",
         "max_over_time(rate(acc[300s])[300s:300s] offset 300s)"),
        ("acc offset -interval", "acc offset -300s"),
        ("interval", "interval"),
        ("sum by (interval) (job:interval:rate[interval])",
         "sum by (interval) (job:interval:rate[300s])"),
        ('acc{interval="5m", x=~"[interval]", y=~\'"[interval]\'}[interval]',
         'acc{interval="5m", x=~"[interval]", y=~\'"[interval]\'}[300s]'),
        ("acc{x=~`[interval]\\`}[interval]", "acc{x=~`[interval]\\`}[300s]"),
        ('acc{x="\\"[interval]"}[interval]', 'acc{x="\\"[interval]"}[300s]'),
        ("acc[interval] # it's [interval]\n+ b[interval]",
         "acc[300s] # it's [interval]\n+ b[300s]"),
        ("acc[my_interval]", "acc[my_interval]"),
        ("acc[intervals]", "acc[intervals]"),
    ],
)  # fmt: skip
def test_the_interval_stands_where_a_duration_does(query: str, asked: str) -> None:
    assert with_interval(query, timedelta(minutes=5)) == asked


@pytest.mark.slow
@pytest.mark.parametrize("text", ["[", "[interval", '"', "'", "`", "#", "offset ", "\\", "{{ "])
def test_a_query_is_filled_in_in_linear_time(text: str) -> None:
    """Eight times the text, some eight times the time; what backtracks takes sixty-four."""

    def seconds(length: int) -> float:
        query = (text * length)[:length]

        def fill_in() -> None:
            with_interval(query, timedelta(1))

        # Of the processor, so that others who use it do not count.
        return min(timeit.repeat(fill_in, number=3, repeat=5, timer=time.thread_time))

    assert seconds(32_000) < 40 * seconds(4_000)


@pytest.mark.parametrize(
    "task, columns, read",
    [
        ("TextClassification", ..., {"text": "text", "label": "label"}),
        ("TextClassification", {}, {"text": "text", "label": "label"}),
        ("TextClassification", {"text": "h", "label": "s"}, {"text": "h", "label": "s"}),
        (
            "TextClassification",
            {"time": "at"},
            {"text": "text", "label": "label", "time": "at"},
        ),
        ("ImageClassification", ..., {"image": "image", "label": "label"}),
        ("ImageClassification", {"image": "scan"}, {"image": "scan", "label": "label"}),
    ],
)
def test_columns_have_the_defaults_of_their_task(
    task: str, columns: Any, read: dict[str, str]
) -> None:
    spec = changed("model.task", task)
    del spec["data"]["columns"]
    if columns is not ...:
        spec["data"]["columns"] = columns
    assert dict(parse(spec).columns.names) == read


def of_table(columns: Any = ...) -> dict[str, Any]:
    """A resource for a model of tables."""
    spec = changed("model.task", "TabularClassification")
    del spec["model"]["baseModel"]
    spec["data"].pop("columns", None)
    if columns is not ...:
        spec["data"]["columns"] = columns
    return spec


def test_a_model_of_tables_begins_with_nothing_and_reads_all_columns() -> None:
    spec = parse(of_table())
    assert (spec.base_model, spec.revision, spec.access.base_model) == (None, "", "")
    assert (dict(spec.columns.names), spec.columns.inputs) == ({"label": "label"}, ())


def test_names_of_columns_that_no_job_could_be_asked_with_are_refused() -> None:
    """Else the API server refuses the Job, for an annotation that nobody wrote."""
    long = [f"{number:04}{chr(0x1F600) * 60}" for number in range(1000)]
    with pytest.raises(SpecError, match=rf"at most {COLUMNS_BYTES}: shorten them") as refused:
        parse(of_table({"inputs": long}))
    assert refused.value.field == "spec.data.columns"
    assert refused.value.reason == "InvalidSpec"
    plain = [f"{number:0100}" for number in range(1000)]
    assert parse(of_table({"inputs": plain})).columns.inputs == tuple(plain)


def test_all_that_a_request_holds_fits_into_its_annotation() -> None:
    """Arguments of two trainings, names of columns, and room for places and the decision."""
    assert 2 * ARGUMENTS_BYTES + COLUMNS_BYTES + 32 * 1024 <= 256 * 1024


def test_columns_of_a_table_have_roles() -> None:
    named = {"inputs": ["a", "b"], "label": "y", "time": "t", "id": "i", "group": "g"}
    columns = parse(of_table(named | {"weight": "w"})).columns
    assert columns.inputs == ("a", "b")
    assert dict(columns.names) == {
        "label": "y",
        "time": "t",
        "id": "i",
        "group": "g",
        "weight": "w",
    }


@pytest.mark.parametrize(
    "columns, said",
    [
        ({"inputs": []}, "inputs: name a column, or leave it out"),
        ({"inputs": ["a", "a"]}, "inputs: 'a' is there twice"),
        ({"inputs": ["a", ""]}, "inputs: a name of a column has from 1 to 256 characters"),
        ({"inputs": "a"}, "inputs: a list of at most 1000 is expected"),
        ({"inputs": [1]}, "inputs: a list of strings is expected"),
        ({"inputs": [f"c{n}" for n in range(1001)]}, "inputs: a list of at most 1000"),
        ({"inputs": ["a", "label"]}, "label: 'label' is the column of inputs, too"),
        ({"label": "y", "group": "y"}, "group: 'y' is the column of label, too"),
        ({"id": "y", "weight": "y"}, "'y' is the column of id, too: give each column one role"),
        ({"text": "a"}, "text: TabularClassification reads no such column, only inputs, label"),
    ],
)
def test_columns_of_a_table_that_cannot_be_meant_are_refused(
    columns: dict[str, Any], said: str
) -> None:
    with pytest.raises(SpecError) as caught:
        parse(of_table(columns))
    assert said in str(caught.value)


def of_series(task: str, **data: Any) -> dict[str, Any]:
    """A resource for a model of time series."""
    spec = changed("model.task", task)
    del spec["model"]["baseModel"]
    spec["data"] = {**spec["data"], "columns": {}, **data}
    return spec


def test_a_forecast_has_windows_and_needs_no_base_model() -> None:
    spec = parse(of_series("TimeSeriesForecasting"))
    assert (spec.base_model, spec.revision) == (None, "")
    assert spec.windows == Windows(context=64, horizon=8, stride=8)
    assert (dict(spec.columns.names), spec.columns.inputs) == ({"time": "time"}, ())
    given = of_series("TimeSeriesForecasting", windows={"horizon": 24})
    given["model"]["baseModel"] = {"storageUri": "pvc://models/base"}
    assert parse(given).windows == Windows(context=64, horizon=24, stride=24)
    assert str(parse(given).base_model) == "pvc://models/base"


def test_each_label_of_a_series_makes_a_window() -> None:
    named = {"time": "at", "series": "shop", "label": "y", "inputs": ["a"]}
    spec = parse(of_series("TimeSeriesClassification", columns=named, windows={"context": 9}))
    assert spec.windows == Windows(context=9, horizon=0, stride=1)
    assert dict(spec.columns.names) == {"time": "at", "series": "shop", "label": "y"}


@pytest.mark.parametrize(
    "data, said",
    [
        ({"windows": {"horizon": 0}}, "windows.horizon: a forecast is of one row at least"),
        ({"windows": {"context": 1}}, "windows.context: a whole number from 2 to 8192 is"),
        ({"windows": {"stride": "1"}}, "windows.stride: a whole number"),
        ({"columns": {"label": "y"}}, "label: TimeSeriesForecasting reads no such column"),
        ({"columns": {"targets": ["a", "a"]}}, "targets: name each channel that is forecast once"),
        ({"columns": {"targets": []}}, "targets: name each channel that is forecast once"),
        ({"columns": {"targets": ["time"]}}, "time: 'time' is one of targets, too"),
        ({"columns": {"inputs": ["time"]}}, "time: 'time' is the column of inputs, too"),
    ],
)
def test_what_a_forecast_cannot_be_made_of_is_refused(data: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(of_series("TimeSeriesForecasting", **data))
    assert said in str(caught.value)


def test_only_series_have_windows() -> None:
    spec = of_table()
    spec["data"]["windows"] = {"context": 4}
    with pytest.raises(SpecError, match="TabularClassification has no windows, only time series"):
        parse(spec)


def test_a_base_model_is_needed_or_refused_by_kind() -> None:
    spec = of_table()
    spec["model"]["baseModel"] = {"storageUri": "pvc://models/base"}
    with pytest.raises(SpecError, match="TabularClassification begins with nothing"):
        parse(spec)
    spec = changed("model.task", "TextClassification")
    del spec["model"]["baseModel"]
    with pytest.raises(SpecError, match=r"spec\.model\.baseModel"):
        parse(spec)


@pytest.mark.parametrize(
    "task, stranger", [("TextClassification", "image"), ("ImageClassification", "text")]
)
def test_a_column_of_another_task_is_refused(task: str, stranger: str) -> None:
    spec = changed("model.task", task)
    spec["data"]["columns"] = {stranger: "body"}
    with pytest.raises(SpecError, match=f"{task} reads no such column, only .*, label, time"):
        parse(spec)


@pytest.fixture
def of_numbers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if images had numbers: kinds without classes are read in the same way."""
    known = (spec_module._gate_of, spec_module._thresholds_of)
    for remembered in known:
        remembered.cache_clear()
    monkeypatch.setitem(kinds.METRICS, "ImageClassification", kinds.OF_NUMBERS)  # type: ignore[misc]
    yield
    for remembered in known:
        remembered.cache_clear()


@pytest.mark.usefixtures("of_numbers")
def test_the_metric_is_of_the_kind_and_so_is_its_default() -> None:
    for task, default, stranger in (
        ("TextClassification", "Accuracy", "MAE"),
        ("ImageClassification", "MAE", "Accuracy"),
    ):
        spec = changed("model.task", task)
        del spec["data"]["columns"]
        spec["gate"].pop("metric", None)
        assert parse(spec).gate.metric.value == default
        spec["gate"]["metric"] = stranger
        with pytest.raises(SpecError, match=rf"spec.gate.metric: {task} has no {stranger}: write"):
            parse(spec)


@pytest.mark.usefixtures("of_numbers")
def test_without_classes_no_mix_of_them_is_asked() -> None:
    spec = changed("model.task", "ImageClassification")
    del spec["data"]["columns"]
    spec["gate"].pop("metric", None)
    assert parse(spec).thresholds.class_mix is None
    assert parse(changed("model.task", "TextClassification")).thresholds.class_mix == 0.05


def test_a_new_domain_of_numbers_in_a_table_is_retrained_unless_the_author_says_when() -> None:
    def of(task: str, **thresholds: float) -> tuple[float, float]:
        spec = changed("model.task", task)
        spec["decision"]["thresholds"] = thresholds
        for part in ("baseModel", "baseRevision"):
            spec["model"].pop(part, None)
        del spec["data"]["columns"]
        spec["gate"].pop("metric", None)
        found = parse(spec).thresholds
        return found.new_domain, found.other_stream

    assert of("TabularRegression") == (0.07, 0.07)
    assert of("TabularRegression", newDomain=0.1) == (0.1, 0.1)
    assert of("TabularRegression", otherStream=0.3) == (0.07, 0.3)
    assert of("TabularClassification") == (0.07, 0.3)


@pytest.mark.usefixtures("of_numbers")
def test_what_has_no_classes_is_not_counted_by_them() -> None:
    spec = changed("model.task", "ImageClassification")
    del spec["data"]["columns"]
    del spec["metrics"]["performance"]
    spec["gate"].pop("metric", None)
    spec["metrics"]["outcomes"] = {"counter": "predictions_total"}
    with pytest.raises(SpecError, match="has no classes to count by: write performance with") as it:
        parse(spec)
    assert it.value.field == "spec.metrics.outcomes"
