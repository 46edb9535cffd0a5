"""Jobs: the same step of the same run is always the very same Job, and a safe one."""

import copy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from maintenance_contract import ChampionRef, Operation, Task, TrainingAction, TrainingRequest
from maintenance_core.lifecycle.jobs import (
    Identity,
    TrainerImage,
    job_name,
    manifest,
    request,
    run_number,
    work_time,
)
from maintenance_core.model import (
    Action,
    JobPhase,
    JobView,
    Policy,
    Run,
    Step,
    TrainingPlan,
    Trigger,
)
from maintenance_core.names import (
    ANNOTATION_DECISION,
    ANNOTATION_DIGEST,
    ANNOTATION_REQUEST,
)
from maintenance_core.spec import parse

SPEC: dict[str, Any] = {
    "model": {
        "task": "TextClassification",
        "baseModel": {"storageUri": "pvc://bases/minilm"},
        "storage": {"storageUri": "pvc://models/news"},
    },
    "data": {
        "original": {"storageUri": "pvc://data/original"},
        "updates": {"storageUri": "pvc://models/updates"},
    },
    "metrics": {
        "server": "default",
        "interval": "5m",
        "performance": {
            "query": "acc",
            "thresholdRange": {"min": 0.9},
            "breach": {"count": 3, "of": 5},
        },
    },
    "decision": {"policy": "Workflow", "minNewRows": 300, "recheckAfter": "1h"},
    "training": {
        "fineTune": {"replayPercent": 50, "arguments": {"seed": 1}},
        "retrain": {},
        "resources": {"limits": {"nvidia.com/gpu": 1}},
        "timeout": "4h",
        "retries": 2,
    },
    "gate": {
        "minImprovement": 0,
        "confidence": 0.95,
        "oldData": {"maxLoss": 0.02, "onConceptDrift": "Judge"},
    },
    "limits": {"cooldown": "6h", "runs": {"max": 4, "per": "168h"}},
}
IDENTITY = Identity("finance", "news", "1a2b3c4d-5e6f")
RUN = Run(
    7,
    Trigger.PERFORMANCE_DROP,
    Step.TRAIN,
    datetime(2026, 1, 1, tzinfo=UTC),
    SPEC,
    champion=ChampionRef(3, "sha256:c"),
    action=Action.FINE_TUNE,
    snapshot_run=7,
    data_digest="sha256:d",
)


def job(run: Run = RUN) -> dict[str, Any]:
    spec = parse(run.spec)
    return manifest(
        IDENTITY, run, spec, request(IDENTITY, run, spec, run.step), TrainerImage("t:1")
    )


def pod(run: Run = RUN) -> dict[str, Any]:
    spec: dict[str, Any] = job(run)["spec"]["template"]["spec"]
    return spec


def test_the_request_inside_is_the_one_whose_digest_is_outside() -> None:
    made = job()
    text = made["spec"]["template"]["metadata"]["annotations"][ANNOTATION_REQUEST]
    asked = TrainingRequest.from_json(text)
    assert asked.digest == made["metadata"]["annotations"][ANNOTATION_DIGEST]
    assert (asked.operation, asked.action) == (Operation.TRAIN, TrainingAction.FINE_TUNE)
    assert asked.champion == ChampionRef(3, "sha256:c")


@pytest.mark.parametrize(
    "policy, given, changes, percent",
    [
        ("Workflow", None, {}, 0),
        ("Evidence", None, {}, 50),
        ("Evidence", 0, {}, 0),
        ("Workflow", 30, {}, 30),
        ("Evidence", None, {"action": Action.FINE_TUNE}, 0),
        ("Evidence", None, {"champion": None}, 0),
        ("Evidence", 30, {"step": Step.DIAGNOSE}, 0),
    ],
)
def test_the_share_of_new_rows_in_a_retrain(
    policy: str, given: int | None, changes: dict[str, Any], percent: int
) -> None:
    body = copy.deepcopy(SPEC)
    body["decision"]["policy"] = policy
    if given is not None:
        body["training"]["retrain"]["newDataPercent"] = given
    run = replace(RUN, **{"spec": body, "action": Action.RETRAIN, **changes})
    assert request(IDENTITY, run, parse(body), run.step).recipes.new_data_percent == percent


@pytest.mark.parametrize("task", ["TimeSeriesForecasting", "TimeSeriesClassification",
                                  "TabularClassification", "TabularRegression"])  # fmt: skip
@pytest.mark.parametrize("drift, percent", [(False, 0), (True, 50)])
def test_new_rows_of_some_kinds_are_repeated_only_where_old_ones_are_wrong(
    task: str,
    drift: bool,  # noqa: FBT001  # a parameter of the test
    percent: int,
) -> None:
    spec = replace(parse(SPEC), task=Task(task), policy=Policy.EVIDENCE)
    plan = TrainingPlan(exclude_contradicted=drift)
    run = replace(RUN, action=Action.RETRAIN)
    assert request(IDENTITY, run, spec, run.step, plan).recipes.new_data_percent == percent


@pytest.mark.parametrize(
    "task, given, percent",
    [
        ("TextClassification", None, 50),
        ("TabularRegression", None, 400),
        ("TimeSeriesForecasting", None, 400),
        ("TimeSeriesClassification", None, 400),
        ("TimeSeriesForecasting", 50, 50),
        ("TextClassification", 0, 0),
    ],
)
def test_the_replay_of_a_fine_tune_is_the_kinds_unless_it_is_written(
    task: str, given: int | None, percent: int
) -> None:
    body = copy.deepcopy(SPEC)
    del body["training"]["fineTune"]["replayPercent"]
    if given is not None:
        body["training"]["fineTune"]["replayPercent"] = given
    spec = replace(parse(body), task=Task(task))
    assert request(IDENTITY, RUN, spec, RUN.step).recipes.replay_percent == percent


def test_the_decision_travels_beside_the_request_and_changes_nothing_else() -> None:
    spec = parse(RUN.spec)
    asked = request(IDENTITY, RUN, spec, RUN.step)
    without = job()
    made = manifest(IDENTITY, RUN, spec, asked, TrainerImage("t:1"), decision='{"version":1}')
    assert made["metadata"] == without["metadata"]
    told = made["spec"]["template"]["metadata"]["annotations"]
    assert told.pop(ANNOTATION_DECISION) == '{"version":1}'
    [files] = [
        volume["downwardAPI"]["items"]
        for volume in made["spec"]["template"]["spec"]["volumes"]
        if volume["name"] == "request"
    ]
    assert [item["path"] for item in files] == ["request.json", "decision.json"]
    assert files.pop()["fieldRef"] == {
        "fieldPath": f"metadata.annotations['{ANNOTATION_DECISION}']"
    }
    assert made == without


def test_made_twice_it_is_the_same() -> None:
    assert job() == job(copy.deepcopy(RUN))


@pytest.mark.parametrize("name", ["n", "a.b.c", "x" * 253, "y" * 39 + ".z", "-".join("abc" * 20)])
def test_names_are_legal_and_fit(name: str) -> None:
    made = job_name(replace(IDENTITY, name=name), 123_456, Step.DIAGNOSE)
    assert len(made) <= 63
    assert all(character.isalnum() or character == "-" for character in made)
    view = JobView(made, "u", "o", "d", JobPhase.PENDING)
    assert run_number(view) == 123_456


def test_names_of_others_have_no_number() -> None:
    assert run_number(JobView("backup-2026", "u", "o", "d", JobPhase.PENDING)) == 0


def test_only_training_asks_for_a_gpu() -> None:
    assert pod()["containers"][0]["resources"] == {"limits": {"nvidia.com/gpu": "1"}}
    for step in (Step.DIAGNOSE, Step.REPORT):
        run = replace(RUN, step=step, subject=Step.TRAIN)
        assert "nvidia.com/gpu" not in str(pod(run)["containers"][0]["resources"])


def test_claims_are_mounted_once_and_only_the_store_can_be_written() -> None:
    mounts = {
        mount["mountPath"]: mount.get("readOnly", False)
        for mount in pod()["containers"][0]["volumeMounts"]
        if mount["mountPath"].startswith("/mnt")
    }
    assert mounts == {
        "/mnt/claims/models": False,
        "/mnt/claims/bases": True,
        "/mnt/claims/data": True,
    }
    names = [
        volume["persistentVolumeClaim"]["claimName"]
        for volume in pod()["volumes"]
        if "persistentVolumeClaim" in volume
    ]
    assert sorted(names) == ["bases", "data", "models"]


def test_no_token_no_root_no_labels_of_the_owner() -> None:
    spec = pod()
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert all(
        key.startswith(("modelmaintenance.dev/", "app.kubernetes.io/managed-by"))
        for key in job()["metadata"]["labels"]
    )


CHOSEN = {
    "nodeSelector": {"gpu": "a100"},
    "tolerations": [{"key": "spot", "operator": "Exists", "unknown": "left out"}],
    "env": [
        {"name": "HTTPS_PROXY", "value": "http://proxy:3128"},
        {"name": "NO_PROXY", "value": "a$b$$c"},
    ],
    "priorityClassName": "low",
    "serviceAccountName": "trainer",
    "imagePullSecrets": [{"name": "registry"}],
    "hostNetwork": True,
    "securityContext": {"runAsUser": 0},
    "automountServiceAccountToken": True,
}


@pytest.mark.parametrize("step", [Step.DIAGNOSE, Step.TRAIN, Step.REPORT])
def test_of_a_pod_only_what_is_on_the_list_can_be_chosen(step: Step) -> None:
    training = {**SPEC["training"], "pod": CHOSEN}
    chosen = pod(replace(RUN, step=step, subject=Step.TRAIN, spec={**SPEC, "training": training}))
    plain = pod(replace(RUN, step=step, subject=Step.TRAIN))
    assert chosen["nodeSelector"] == {"gpu": "a100"}
    assert chosen["tolerations"] == [{"key": "spot", "operator": "Exists"}]
    assert chosen["priorityClassName"] == "low"
    assert chosen["serviceAccountName"] == "trainer"
    assert chosen["imagePullSecrets"] == [{"name": "registry"}]
    assert chosen["containers"][0]["env"] == [
        {"name": "HTTPS_PROXY", "value": "http://proxy:3128"},
        {"name": "NO_PROXY", "value": "a$$b$$$$c"},
        *plain["containers"][0]["env"],
    ]
    assert chosen["automountServiceAccountToken"] is False
    for part in ("securityContext", "volumes", "restartPolicy"):
        assert chosen[part] == plain[part]
    assert set(chosen) - set(plain) == {
        "nodeSelector",
        "tolerations",
        "priorityClassName",
        "serviceAccountName",
        "imagePullSecrets",
    }


def test_variables_are_literal_and_never_take_the_place_of_the_trainer_s_own() -> None:
    """What is refused at the door (core.allowed) is not in the pod either."""
    wanted = [
        {"name": "HOME", "value": "/elsewhere"},
        {"name": "MAINTENANCE_TRAINER_IMAGE", "value": "forged"},
        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "B", "value": "$(A)"},
    ]
    training = {**SPEC["training"], "pod": {"env": wanted}}
    made = pod(replace(RUN, spec={**SPEC, "training": training}))["containers"][0]["env"]
    assert {each["name"]: each["value"] for each in made} == {
        "HOME": "/tmp",  # noqa: S108
        "MAINTENANCE_TIMEOUT_SECONDS": "14400",
        "MAINTENANCE_TRAINER_IMAGE": "t:1",
        "A": "",
        "B": "$$(A)",
    }
    assert all(set(each) == {"name", "value"} for each in made)


@pytest.mark.parametrize(
    "resources, size",
    [
        ({}, "7Gi"),
        ({"limits": {"ephemeral-storage": "90Gi"}}, "90Gi"),
        ({"requests": {"ephemeral-storage": "90Gi"}}, "7Gi"),
    ],
)
def test_every_folder_that_a_pod_writes_is_bounded(resources: dict[str, Any], size: str) -> None:
    spec = {**SPEC, "training": {**SPEC["training"], "resources": resources}}
    run = replace(RUN, spec=spec)
    read = parse(spec)
    trainer = TrainerImage("t:1", scratch="7Gi")
    made = manifest(IDENTITY, run, read, request(IDENTITY, run, read, run.step), trainer)
    volumes = made["spec"]["template"]["spec"]["volumes"]
    bounds = {each["name"]: each["emptyDir"]["sizeLimit"] for each in volumes if "emptyDir" in each}
    assert bounds == {"tmp": size, "shm": "1Gi"}


def test_the_deadlines_of_kubernetes_leave_the_time_to_wait_and_to_work() -> None:
    spec = job()["spec"]
    assert spec["template"]["spec"]["activeDeadlineSeconds"] == (24 + 4) * 3600 + 60
    environment = spec["template"]["spec"]["containers"][0]["env"]
    assert {"name": "MAINTENANCE_TIMEOUT_SECONDS", "value": str(4 * 3600)} in environment
    assert spec["activeDeadlineSeconds"] == 3 * ((24 + 4) * 3600 + 60), "for each of three tries"
    diagnosis = {"timeout": "10m", "resources": {"requests": {"cpu": "2"}}}
    other = pod(replace(RUN, step=Step.DIAGNOSE, spec={**SPEC, "diagnosis": diagnosis}))
    assert other["activeDeadlineSeconds"] == 24 * 3600 + 60 + 600
    assert other["containers"][0]["resources"] == {"requests": {"cpu": "2"}}


def test_what_a_retry_cannot_mend_is_not_retried() -> None:
    spec = job()["spec"]
    assert spec["backoffLimit"] == 2
    rules = spec["podFailurePolicy"]["rules"]
    assert rules[0]["action"] == "Ignore", "an evicted pod may end with any code"
    assert rules[1]["action"] == "FailJob"
    assert rules[1]["onExitCodes"]["values"] == [65, 78, 124, 137]


def on_s3(step: Step = Step.TRAIN) -> Run:
    spec = copy.deepcopy(SPEC)
    spec["model"]["baseModel"] = {
        "storageUri": "hf://org/encoder",
        "revision": "v1",
        "secretRef": {"name": "hub"},
    }
    spec["model"]["storage"] = {"storageUri": "s3://data/models", "secretRef": {"name": "bucket"}}
    spec["data"]["original"] = {"storageUri": "s3://data/old", "secretRef": {"name": "bucket"}}
    spec["data"]["updates"] = {"storageUri": "pvc://data/new"}
    return replace(RUN, spec=spec, step=step, subject=Step.TRAIN)


def test_secrets_are_mounted_once_and_read_only_and_the_request_names_them() -> None:
    made = pod(on_s3())
    mounts = {
        mount["mountPath"]: (mount["name"], mount["readOnly"])
        for mount in made["containers"][0]["volumeMounts"]
        if mount["mountPath"].startswith("/mnt")
    }
    assert mounts == {
        "/mnt/claims/data": ("claim-0", True),
        "/mnt/secrets/bucket": ("secret-0", True),
        "/mnt/secrets/hub": ("secret-1", True),
    }, "a claim of the bucket's name is not the store"
    volumes = {volume["name"]: volume for volume in made["volumes"]}
    assert volumes["secret-0"]["secret"] == {"secretName": "bucket", "defaultMode": 0o440}
    asked = request(IDENTITY, on_s3(), parse(on_s3().spec), Step.TRAIN)
    assert asked.model.base_model == "hf://org/encoder"
    assert asked.model.revision == "v1"
    names = (
        asked.model.base_model_secret,
        asked.model.storage_secret,
        asked.data.original_secret,
        asked.data.updates_secret,
    )
    assert names == ("hub", "bucket", "bucket", "")
    assert "secretKeyRef" not in str(made)


def test_a_report_needs_the_store_alone() -> None:
    made = pod(on_s3(Step.REPORT))
    mounts = [mount["mountPath"] for mount in made["containers"][0]["volumeMounts"]]
    assert [path for path in mounts if path.startswith("/mnt")] == ["/mnt/secrets/bucket"]


def bringing(action: Action | None = Action.IMPORT, **changes: Any) -> Run:
    spec = copy.deepcopy(dict(RUN.spec))
    place = {"storageUri": "s3://old/news", "secretRef": {"name": "old-keys"}}
    spec["model"]["initialModel"] = place
    return replace(RUN, spec=spec, action=action, champion=None, **changes)


def test_an_import_is_a_small_job_without_a_gpu() -> None:
    run = bringing()
    spec = parse(run.spec)
    made = manifest(
        IDENTITY, run, spec, request(IDENTITY, run, spec, Step.TRAIN), TrainerImage("t")
    )
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == spec.diagnosis.resources != spec.training.resources
    assert work_time(run, spec) == spec.diagnosis.timeout
    mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
    assert "/mnt/secrets/old-keys" in mounts
    asked = request(IDENTITY, run, spec, Step.TRAIN)
    assert asked.action is TrainingAction.IMPORT
    assert asked.model.initial_model == "s3://old/news"
    assert asked.model.initial_model_secret == "old-keys"  # noqa: S105  # its name


def test_a_model_to_begin_with_is_forgotten_once_there_is_a_champion() -> None:
    run = replace(bringing(Action.RETRAIN), champion=ChampionRef(3, "sha256:3"))
    spec = parse(run.spec)
    assert request(IDENTITY, run, spec, Step.TRAIN).model.initial_model == ""
    assert "old-keys" not in str(pod(run))
    assert "old-keys" in str(pod(bringing(None, step=Step.DIAGNOSE)))
    assert "old-keys" not in str(pod(bringing(step=Step.REPORT, subject=Step.TRAIN)))


def test_a_model_to_begin_with_may_be_of_a_hub() -> None:
    run = bringing()
    run.spec["model"]["initialModel"] = {"storageUri": "hf://org/news", "revision": "v1"}
    assert {"name": "HF_HUB_OFFLINE", "value": "0"} in pod(run)["containers"][0]["env"]
    assert request(IDENTITY, run, parse(run.spec), Step.TRAIN).model.initial_revision == "v1"


def test_only_a_base_model_of_a_hub_may_ask_it() -> None:
    offline = {"name": "HF_HUB_OFFLINE", "value": "0"}
    assert offline in pod(on_s3())["containers"][0]["env"]
    assert offline not in pod()["containers"][0]["env"]
