"""What the pods of a Job tell: which are its own, how far they came, why they do not."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from maintenance_core.model import JobPhase
from maintenance_operator.adapters.job_views import job_view
from maintenance_operator.adapters.pods import told_by, unmounted

BORN = "2026-11-23T18:00:00Z"
LATER = "2026-11-23T18:10:00Z"
REQUEST = "modelmaintenance.dev/request"
SELECTOR = {"batch.kubernetes.io/controller-uid": "job-uid"}
TEMPLATE: dict[str, Any] = {
    "metadata": {"annotations": {REQUEST: "{}"}, "labels": SELECTOR},
    "spec": {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": 600,
        "containers": [
            {
                "name": "trainer",
                "image": "trainer:1",
                "args": ["train"],
                "env": [{"name": "HOME", "value": "/tmp"}],  # noqa: S108 - of a pod
                "volumeMounts": [{"name": "request", "mountPath": "/etc/maintenance"}],
                "terminationMessagePolicy": "File",
            }
        ],
        "volumes": [{"name": "request", "downwardAPI": {}}],
    },
}


def job(*conditions: dict[str, Any], suspend: bool = False, **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "news-1-train", "uid": "job-uid", "creationTimestamp": BORN},
        "spec": {
            "suspend": suspend,
            "selector": {"matchLabels": SELECTOR},
            "template": copy.deepcopy(TEMPLATE),
        },
        "status": {"conditions": list(conditions), "startTime": BORN, **status},
    }


def condition(kind: str, status: str = "True", **more: str) -> dict[str, Any]:
    return {"type": kind, "status": status, "lastTransitionTime": LATER, **more}


COMPLETE, FAILED = condition("Complete"), condition("Failed", reason="BackoffLimitExceeded")


def pod(
    state: dict[str, Any] | None = None,
    phase: str = "Pending",
    *,
    others: tuple[dict[str, Any], ...] = (),
    init: tuple[dict[str, Any], ...] = (),
    conditions: tuple[dict[str, Any], ...] = (),
    name: str = "own",
    deleted: str = "",
    **status: Any,
) -> dict[str, Any]:
    """A pod as the Job's controller makes it; ``state`` is its trainer's."""
    made = copy.deepcopy(TEMPLATE)
    made["metadata"] |= {
        "name": name,
        "uid": name,
        "creationTimestamp": BORN,
        "ownerReferences": [{"uid": "job-uid", "controller": True}],
    }
    if deleted:
        made["metadata"]["deletionTimestamp"] = deleted
    trainer = [] if state is None else [{"name": "trainer", "state": state, "ready": True}]
    made["status"] = {
        "phase": phase,
        "conditions": list(conditions),
        "containerStatuses": [*others, *trainer],
        "initContainerStatuses": list(init),
        **status,
    }
    return made


def ended(message: str = "report", code: int = 0, reason: str = "Completed") -> dict[str, Any]:
    terminated = {"message": message, "exitCode": code, "reason": reason}
    return {"terminated": terminated | {"startedAt": BORN, "finishedAt": LATER}}


RUNNING = {"running": {"startedAt": LATER}}
PROXY = {"name": "istio-proxy", "state": RUNNING, "ready": True}


# --- which pods are the Job's ------------------------------------------------------------


def altered(**container: Any) -> dict[str, Any]:
    other = pod(ended("forged"), "Succeeded", name="other")
    other["spec"]["containers"][0] |= container
    return other


def with_part(part: str, value: Any) -> dict[str, Any]:
    other = pod(ended("forged"), "Succeeded", name="other")
    other["spec"][part] = value
    return other


def of_metadata(**metadata: Any) -> dict[str, Any]:
    other = pod(ended("forged"), "Succeeded", name="other")
    other["metadata"] |= metadata
    return other


@pytest.mark.parametrize(
    "other, difference",
    [
        (altered(image="forger:1"), "image"),
        (altered(command=["sh", "-c", "echo > /dev/termination-log"]), "command"),
        (altered(args=["report"]), "args"),
        (altered(lifecycle={"postStart": {"exec": {"command": ["sh"]}}}), "lifecycle"),
        (altered(terminationMessagePath="/tmp/forged"), "terminationMessagePath"),  # noqa: S108
        (altered(env=[{"name": "HOME", "value": "/forged"}]), "env HOME"),
        (altered(volumeMounts=[]), "volumeMounts /etc/maintenance"),
        (altered(name="another"), "no container trainer"),
        (with_part("volumes", [{"name": "request", "configMap": {"name": "x"}}]), "volumes"),
        (with_part("hostNetwork", "true"), "hostNetwork"),
        (with_part("shareProcessNamespace", "true"), "shareProcessNamespace"),
        (with_part("activeDeadlineSeconds", 1), "activeDeadlineSeconds"),
        (of_metadata(labels={}), "labels"),
        (of_metadata(annotations={REQUEST: "another"}), "request"),
        (of_metadata(ownerReferences=[{"uid": "job-uid"}]), "not its controller"),
        (of_metadata(creationTimestamp="2026-11-23T17:00:00Z"), "before the Job"),
        (of_metadata(creationTimestamp="2026-11-23T19:00:00Z"), "after its end"),
    ],
)
def test_a_pod_that_the_job_did_not_make_is_not_believed(
    other: dict[str, Any], difference: str
) -> None:
    """Neither its report, nor its deadline, nor that it runs."""
    view = job_view(job(COMPLETE), [pod(ended("true"), "Succeeded"), other])
    assert view.message == "true"
    assert "other" in view.foreign
    assert difference in view.foreign
    assert job_view(job(COMPLETE), [other]).message is None
    other["status"] |= {"reason": "DeadlineExceeded", "phase": "Running"}
    if difference != "after its end":
        alone = job_view(job(), [other])
        assert (alone.phase, alone.deadline_exceeded) == (JobPhase.PENDING, False)


def test_what_admission_adds_is_no_difference() -> None:
    made = pod(ended("true"), "Succeeded")
    made["spec"] |= {"nodeName": "n", "serviceAccountName": "default", "tolerations": [{}]}
    made["spec"]["volumes"].append({"name": "token", "projected": {}})
    trainer = made["spec"]["containers"][0]
    trainer["env"].append({"name": "AWS_ROLE_ARN", "value": "arn"})
    trainer["volumeMounts"].append({"name": "token", "mountPath": "/var/run/secrets/aws"})
    made["spec"]["containers"].append({"name": "istio-proxy", "image": "proxy"})
    made["metadata"]["annotations"]["sidecar.istio.io/status"] = "injected"
    view = job_view(job(COMPLETE), [made])
    assert (view.message, view.foreign) == ("true", "")


def test_a_webhook_may_name_variables_in_whole_sources() -> None:
    made = altered(envFrom=[{"configMapRef": {"name": "pod-defaults"}}])
    assert job_view(job(COMPLETE), [made]).foreign == ""


DIGEST, ANOTHER = f"@sha256:{'1' * 64}", f"@sha256:{'2' * 64}"


@pytest.mark.parametrize(
    "asked, made, same",
    [
        ("hub/trainer:1", f"hub/trainer:1{DIGEST}", True),
        ("hub/trainer:1", f"hub/trainer{DIGEST}", True),
        ("hub:5000/trainer", f"hub:5000/trainer{DIGEST}", True),
        (f"hub/trainer:1{DIGEST}", f"mirror.internal/hub/trainer:1{DIGEST}", True),
        (f"hub/trainer:1{DIGEST}", f"hub/trainer:1{ANOTHER}", False),
        (f"hub/trainer:1{DIGEST}", "hub/trainer:1", False),
        ("hub/trainer:1", f"forger/trainer:1{DIGEST}", False),
        ("hub/trainer:1", f"hub/trainer:2{DIGEST}", False),
        ("hub/trainer:1", "mirror.internal/hub/trainer:1", False),
        ("hub:5000/trainer", f"hub{DIGEST}", False),
    ],
)
def test_an_image_is_the_same_by_its_digest_or_in_its_repository(
    asked: str, made: str, *, same: bool
) -> None:
    """Admission that verifies signatures writes digests; one for mirrors other registries."""
    wanting, own = job(COMPLETE), altered(image=made)
    wanting["spec"]["template"]["spec"]["containers"][0]["image"] = asked
    assert (job_view(wanting, [own]).foreign == "") is same


@pytest.mark.parametrize("seconds", [-3, 0, 603])
def test_the_clocks_of_two_api_servers_are_not_the_same(seconds: int) -> None:
    born = datetime.fromisoformat(BORN) + timedelta(seconds=seconds)
    made = of_metadata(creationTimestamp=born.isoformat().replace("+00:00", "Z"))
    assert job_view(job(COMPLETE), [made]).foreign == ""


def test_two_pods_that_completed_one_job_differently_are_both_not_believed() -> None:
    twins = [pod(ended(report), "Succeeded", name=report) for report in ("one", "two")]
    view = job_view(job(COMPLETE), twins)
    assert view.message is None
    assert "one, two each ended this Job, with different reports" in view.foreign


def test_a_complete_job_was_completed_by_a_pod_that_ended_well() -> None:
    crashed = pod(ended("crashed", 1, "Error"), "Failed", name="newer")
    assert job_view(job(COMPLETE), [pod(ended("true"), "Succeeded"), crashed]).message == "true"


# --- why a Job's pod has not started ----------------------------------------------------


@pytest.mark.parametrize(
    "made, cause, part",
    [
        (pod({"waiting": {"reason": "ErrImagePull", "message": "not found"}}), "ErrImagePull", ""),
        (
            pod({"waiting": {"reason": "ImagePullBackOff"}}, "Running", others=(PROXY,)),
            "ImagePullBackOff",
            "",
        ),
        (
            pod({"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "k"'}}),
            "CreateContainerConfigError",
            'secret "k"',
        ),
        (
            pod(
                {"waiting": {"reason": "PodInitializing"}},
                init=(
                    {"name": "istio-init", "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
                ),
            ),
            "CrashLoopBackOff",
            "container istio-init",
        ),
        (
            pod(
                {"waiting": {"reason": "PodInitializing"}},
                init=({"name": "vault-init", "state": ended("secret", 1, "Error")},),
            ),
            "InitError",
            "container vault-init: Error, exit code 1",
        ),
        (
            pod(conditions=(condition("PodScheduled", "False", reason="SchedulingGated"),)),
            "SchedulingGated",
            "",
        ),
        (
            pod(None, "Failed", reason="UnexpectedAdmissionError", message="no GPU\u202e left"),
            "UnexpectedAdmissionError",
            "no GPU left",
        ),
        (pod(None, "Failed", reason="OutOfcpu", message="no cpu"), "OutOfcpu", "no cpu"),
        (
            pod(ended("", 1, "Error"), "Failed", reason="Evicted", message="low on memory"),
            "Retry",
            "Evicted: low on memory",
        ),
        (
            pod(
                RUNNING,
                "Running",
                deleted=LATER,
                conditions=(
                    condition("DisruptionTarget", reason="DeletionByTaintManager", message="lost"),
                ),
            ),
            "Terminating",
            "DeletionByTaintManager: lost",
        ),
        (pod(RUNNING, "Running", deleted=LATER, reason="NodeLost"), "Terminating", "NodeLost"),
        (
            pod(RUNNING, "Failed", deleted=LATER, reason="NodeLost", message="gone"),
            "NodeLost",
            "gone",
        ),
        (pod(None, deleted=LATER), "Terminating", LATER),
    ],
)
def test_a_job_that_waits_says_for_what(made: dict[str, Any], cause: str, part: str) -> None:
    view = job_view(job(), [made])
    assert (view.phase, view.cause) == (JobPhase.PENDING, cause)
    assert view.detail.startswith(cause)
    assert part in view.detail


def test_a_job_that_is_held_says_so_and_counts_from_when_it_goes_on() -> None:
    held = job_view(job(condition("Suspended", reason="JobSuspended"), suspend=True), [])
    assert (held.phase, held.suspended, held.cause) == (JobPhase.PENDING, True, "Suspended")
    gone_on = job_view(job(condition("Suspended", "False"), startTime=LATER), [])
    assert not gone_on.suspended
    assert gone_on.waits_since == datetime(2026, 11, 23, 18, 10, tzinfo=UTC)


def test_between_two_pods_the_wait_has_just_begun() -> None:
    written = [{"subresource": "status", "time": LATER}, {"time": "2026-11-23T19:00:00Z"}]
    between = job()
    between["metadata"]["managedFields"] = written
    assert job_view(between, []).waits_since == datetime(2026, 11, 23, 18, 10, tzinfo=UTC)


@pytest.mark.parametrize("ready", [condition("Ready", "False"), condition("Ready", "Unknown")])
def test_a_node_that_does_not_answer_is_named(ready: dict[str, Any]) -> None:
    made = pod(RUNNING, "Running", conditions=(ready,))
    made["spec"]["nodeName"] = "gpu-7"
    view = job_view(job(), [made])
    assert (view.phase, view.cause) == (JobPhase.RUNNING, "NodeLost")
    assert "gpu-7" in view.detail
    by_itself = condition("Ready", "False", reason="ContainersNotReady")
    assert job_view(job(), [pod(RUNNING, "Running", conditions=(by_itself,))]).detail == ""


def test_the_work_begins_with_the_trainer_s_container() -> None:
    early = pod({"waiting": {}}, "Running", others=(PROXY,), startTime=BORN)
    assert job_view(job(), [early]).started is None
    view = job_view(job(), [pod(RUNNING, "Running", startTime=BORN)])
    assert (view.phase, view.started) == (
        JobPhase.RUNNING,
        datetime(2026, 11, 23, 18, 10, tzinfo=UTC),
    )


def test_a_deadline_before_the_trainer_ran_is_no_work_that_took_too_long() -> None:
    never = pod({"waiting": {"reason": "ImagePullBackOff"}}, "Failed", reason="DeadlineExceeded")
    assert not job_view(job(), [never]).deadline_exceeded
    ran = pod(ended("", 137, "Error"), "Failed", reason="DeadlineExceeded")
    assert job_view(job(), [ran]).deadline_exceeded


# --- how it ended ------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 65])
def test_the_trainer_s_end_is_told_while_a_sidecar_keeps_the_pod(code: int) -> None:
    view = job_view(job(), [pod(ended("report", code), "Running", others=(PROXY,))])
    assert (view.phase, view.message, view.kept_by) == (JobPhase.RUNNING, "report", "istio-proxy")
    assert view.ended == datetime(2026, 11, 23, 18, 10, tzinfo=UTC)
    assert "istio-proxy" in view.detail


def test_a_trainer_that_was_told_to_go_is_tried_again_whatever_it_said() -> None:
    going = pod(ended("Interrupted", 75, "Error"), "Running", others=(PROXY,), deleted=LATER)
    view = job_view(job(), [going])
    assert (view.phase, view.ended, view.message) == (JobPhase.PENDING, None, None)


def test_a_failed_job_tells_why_its_pod_was_ended() -> None:
    evicted = pod(ended("", 137, "Error"), "Failed", reason="Evicted", message="emptyDir too large")
    view = job_view(job(FAILED), [evicted])
    assert "pod: Evicted: emptyDir too large" in view.detail
    assert "trainer: Error, exit code 137" in view.detail
    refused = pod(None, "Failed", reason="OutOfcpu", message="no cpu")
    assert "pod: OutOfcpu: no cpu" in job_view(job(FAILED), [refused]).detail


def test_a_job_that_kubernetes_gave_up_tells_what_it_waits_for() -> None:
    target = condition("FailureTarget", reason="BackoffLimitExceeded", message="It failed.")
    view = job_view(job(target), [pod(RUNNING, "Running", deleted=LATER)])
    assert view.condemned == datetime(2026, 11, 23, 18, 10, tzinfo=UTC)
    assert view.failure == "BackoffLimitExceeded"
    assert "It failed.; Terminating: pod own" in view.detail


# --- Events ------------------------------------------------------------------------------


def event(reason: str, note: str, at: str) -> dict[str, Any]:
    return {"reason": reason, "note": note, "eventTime": at}


def test_the_newest_warning_of_the_stage_that_a_pod_is_in_counts() -> None:
    events = [
        event("FailedMount", "newest\n of all", "2026-11-23T18:20:00.000000Z"),
        {"reason": "FailedMount", "note": "old", "deprecatedLastTimestamp": LATER},
        event("FailedScheduling", "no node", "2026-11-23T18:30:00.000000Z"),
        event("FailedCreatePodSandBox", "network", "2026-11-23T18:05:00.000000Z"),
    ]
    unscheduled, scheduled = pod(), pod(conditions=(condition("PodScheduled"),))
    mounted = pod(conditions=(condition("PodScheduled"), condition("PodReadyToStartContainers")))
    assert told_by(events, unscheduled, None).sentence == "FailedScheduling: no node"
    told = told_by(events, scheduled, None)
    assert told.sentence == "FailedMount: newest of all"
    assert unmounted(told)
    assert not told_by(events, mounted, None)
    assert told_by(events[3:], unscheduled, None).word == "FailedCreatePodSandBox"
    assert not told_by(events[3:], scheduled, None), "that was before it had a node"


def test_of_a_job_without_a_pod_its_own_warning_tells() -> None:
    events = [event("FailedCreate", "maximum memory usage is 4Gi", "2026-11-23T18:05:00.000000Z")]
    assert told_by(events, None, None).word == "FailedCreate"
    after = datetime(2026, 11, 23, 18, 5, tzinfo=UTC) + timedelta(seconds=1)
    assert not told_by(events, None, after), "it was refused before the pod that there was"
