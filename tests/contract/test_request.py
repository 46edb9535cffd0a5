"""A request survives the way through the Job, and says what is wrong with a bad one."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from maintenance_contract import (
    ChampionRef,
    ContractError,
    DataRef,
    Holdout,
    ModelRef,
    Operation,
    Recipes,
    ResourceRef,
    ScoreMetric,
    Snapshot,
    Task,
    TrainingAction,
    TrainingRequest,
    columns_of,
)
from maintenance_contract.kinds import (
    METRICS,
    OF_ANSWERS,
    OF_CLASSES,
    OF_NUMBERS,
    OF_RANKS,
    ROLES,
    TRAIN_BATCH,
    train_batch_of,
)
from maintenance_contract.request import ACCUMULATED, BATCH, rows_a_step

ARGUMENTS = st.dictionaries(
    st.text(max_size=20),
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=20)
    | st.floats(allow_nan=False, allow_infinity=False),
    max_size=5,
)
REQUESTS = st.builds(
    TrainingRequest,
    operation=st.sampled_from(Operation),
    resource=st.builds(
        ResourceRef, st.text(max_size=20), st.text(max_size=20), st.text(max_size=20)
    ),
    run=st.integers(1, 10**9),
    model=st.builds(
        ModelRef,
        st.sampled_from(Task),
        st.text(max_size=40),
        st.text(max_size=40),
        initial_model=st.text(max_size=40),
        initial_revision=st.text(max_size=40),
        initial_model_secret=st.sampled_from(["", "keys"]),
    ),
    data=st.builds(
        DataRef,
        st.text(max_size=40),
        st.text(max_size=40),
        holdout=st.builds(Holdout, *[st.none() | st.integers(1, 90)] * 2),
    ),
    recipes=st.builds(Recipes, st.integers(0, 1000), ARGUMENTS, ARGUMENTS, st.integers(0, 99)),
    champion=st.none() | st.builds(ChampionRef, st.integers(1, 10**6), st.text(max_size=80)),
    action=st.none() | st.sampled_from(TrainingAction),
    snapshot=st.none() | st.builds(Snapshot, st.integers(1, 10**6), st.text(max_size=80)),
    exclude_contradicted=st.booleans(),
    subject=st.none() | st.sampled_from(Operation),
    max_rows=st.integers(1, 10**6),
).map(
    lambda request: replace(
        request, data=replace(request.data, columns=columns_of(request.model.task))
    )
)


def a_request() -> TrainingRequest:
    return TrainingRequest(
        Operation.DIAGNOSE,
        ResourceRef("finance", "news", "u-1"),
        7,
        ModelRef(Task.TEXT_CLASSIFICATION, "pvc://models/base", "pvc://models/news"),
        DataRef("pvc://data/original", "pvc://data/updates"),
        Recipes(),
    )


@pytest.mark.slow
@given(REQUESTS)
def test_comes_back_as_it_went(request_: TrainingRequest) -> None:
    assert TrainingRequest.from_json(request_.to_json()) == request_


def test_a_kind_of_another_release_travels_with_its_columns() -> None:
    document = json.loads(a_request().to_json())
    document["model"]["task"], document["data"]["columns"] = "Forecasting", {"target": "sales"}
    read = TrainingRequest.from_json(json.dumps(document))
    assert (read.model.task, dict(read.data.columns.names)) == ("Forecasting", {"target": "sales"})
    document["model"]["task"] = "../forecasting"
    with pytest.raises(ContractError, match=r"model\.task: .* is no name of a kind of model"):
        TrainingRequest.from_json(json.dumps(document))


@pytest.mark.slow
@given(REQUESTS, REQUESTS)
def test_equal_digests_mean_equal_requests(one: TrainingRequest, other: TrainingRequest) -> None:
    assert (one.digest == other.digest) == (one.to_json() == other.to_json())


@pytest.mark.parametrize(
    "change, told",
    [
        ({"version": 2}, "version 2 is not understood"),
        ({"operation": "Guess"}, "operation: one of Diagnose, Train, Report is expected"),
        ({"run": 0}, "run: a whole number from 1"),
        ({"run": True}, "run: a whole number from 1"),
        ({"model": None}, "model: an object is expected"),
        ({"champion": {"version": "1", "digest": ""}}, "champion.version: a whole number"),
        (
            {
                "data": {
                    "original": "o",
                    "updates": "u",
                    "columns": {"text": 1, "label": "l"},
                    "holdout": {"originalPercent": 10, "updatesPercent": 30},
                }
            },
            "data.columns.text: a string",
        ),
    ],
)
def test_names_the_field_that_is_wrong(change: dict[str, object], told: str) -> None:
    document = json.loads(a_request().to_json()) | change
    with pytest.raises(ContractError, match=told):
        TrainingRequest.from_json(json.dumps(document))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000])
def test_torn_text_is_an_error_of_the_contract(text: str) -> None:
    with pytest.raises(ContractError):
        TrainingRequest.from_json(text)


def test_unknown_fields_of_a_newer_side_are_ignored() -> None:
    document = json.loads(a_request().to_json()) | {"later": 1}
    assert TrainingRequest.from_json(json.dumps(document)) == a_request()


def test_half_batches_take_the_same_steps() -> None:
    recipes = Recipes(50, {}, {"per_device_train_batch_size": 9, "gradient_accumulation_steps": 3})
    half = recipes.in_half_batches()
    assert half.replay_percent == 50
    assert half.fine_tune_arguments == {
        "per_device_train_batch_size": TRAIN_BATCH // 2,
        "gradient_accumulation_steps": 2,
    }
    assert half.retrain_arguments == {
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 6,
    }


SIZES = [{}, {BATCH: 12}, {ACCUMULATED: 3}, {BATCH: 12, ACCUMULATED: 3}]


@pytest.mark.parametrize("task", [*Task, "OfAnotherRelease"])
@pytest.mark.parametrize("arguments", SIZES)
def test_half_a_batch_of_each_kind_is_half_of_its_own(task: str, arguments: dict[str, Any]) -> None:
    """Else a kind with a larger batch would train on with a quarter of it, in smaller steps."""
    batch = train_batch_of(task)
    half = Recipes(0, arguments).in_half_batches(batch).fine_tune_arguments
    assert half[BATCH] * 2 == arguments.get(BATCH, batch)
    assert rows_a_step(half, batch) == rows_a_step(arguments, batch)


@pytest.mark.parametrize(
    "arguments",
    [{BATCH: "8"}, {BATCH: 0}, {BATCH: -4}, {BATCH: None}, {ACCUMULATED: 1.5, BATCH: 1}],
)
def test_sizes_that_are_none_are_no_reason_to_fail(arguments: dict[str, Any]) -> None:
    assert rows_a_step(arguments) == 1


def test_what_cannot_be_halved_stays() -> None:
    for arguments in ({"per_device_train_batch_size": 1}, {"per_device_train_batch_size": "16"}):
        assert Recipes(0, arguments).in_half_batches().fine_tune_arguments == arguments


def test_a_live_run_outlives_an_upgrade_of_the_operator() -> None:
    """The digest by which version 0.1.0 knows its Jobs; what is added since must not change it."""
    before = replace(a_request(), data=replace(a_request().data, holdout=Holdout(10, 30)))
    assert before.digest == (
        "sha256:d16b69e42531032c50e2c97099360f86accccf428dd78f66595bc4b7414b830d"
    )


def test_secrets_are_named_and_old_requests_keep_their_digest() -> None:
    plain = a_request()
    for key in ("Secret", "revision", "initial"):
        assert key not in plain.to_json()
    named = replace(
        plain,
        model=ModelRef(plain.model.task, "hf://org/m", "s3://models/news", "v1", "hub", "keys"),
        data=DataRef(
            "s3://data/o",
            "s3://data/u",
            columns_of("TextClassification"),
            Holdout(),
            "keys",
            "other",
        ),
    )
    assert TrainingRequest.from_json(named.to_json()) == named
    assert named.digest != plain.digest


@pytest.mark.parametrize("name", ["../other", "a/b", "UPPER", ".."])
def test_a_secret_is_a_name_and_no_path(name: str) -> None:
    document = json.loads(a_request().to_json())
    document["data"]["originalSecret"] = name
    with pytest.raises(ContractError, match=r"data\.originalSecret"):
        TrainingRequest.from_json(json.dumps(document))


@pytest.mark.slow
def test_the_schema_knows_the_kinds_and_their_columns() -> None:
    """One place says which columns a kind reads: what the CRD tells is held to it."""
    crd = Path(__file__).resolve().parents[2] / "manifests/crd/modelmaintenances.yaml"
    version = yaml.safe_load(crd.read_text(encoding="utf-8"))["spec"]["versions"][0]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert spec["model"]["properties"]["task"]["enum"] == [*Task] == [*ROLES] == [*METRICS]
    metric = spec["gate"]["properties"]["metric"]
    assert metric["enum"] == [*ScoreMetric]
    assert "default" not in metric  # it depends on the kind
    for task, metrics in METRICS.items():
        assert metrics in (OF_CLASSES, OF_NUMBERS, OF_RANKS, OF_ANSWERS)
        # What the rules of the CRD go by.
        assert task.endswith("Classification") == (metrics is OF_CLASSES)
        assert (task == "NextItem") == (metrics is OF_RANKS)
    columns = spec["data"]["properties"]["columns"]
    assert columns["properties"].keys() == {role.name for its in ROLES.values() for role in its}
    for task, roles in ROLES.items():
        assert f"{task}: {', '.join(role.name for role in roles)}." in columns["description"]
        for role in roles:
            told = columns["properties"][role.name]["description"]
            assert not role.default or f"left out, {role.default}." in told
