"""When a Job is not waited for any longer, and what is taken from one that has not ended."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support.plain import plain_spec
from support.world import World

from maintenance_contract import Outcome
from maintenance_core import status as status_json
from maintenance_core.lifecycle.deadlines import GRACE, LINGERING, UNTOLD
from maintenance_core.lifecycle.requeue import LIVE_RUN_LOOK, requeue_after
from maintenance_core.model import JobPhase, RunOutcome, Step, Stopping

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
TIMEOUT = timedelta(minutes=10)
PENDING = timedelta(hours=2)


def diagnosing() -> tuple[World, str]:
    world = World(
        plain_spec(
            metrics={"interval": "1m"},
            diagnosis={"timeout": "10m"},
            training={"timeout": "4h", "pendingTimeout": "2h"},
        )
    )
    world.settle()
    (name,) = world.live
    return world, name


def change(world: World, name: str, **changes: Any) -> None:
    world.jobs[name] = replace(world.jobs[name], **changes)
    world.settle()


def ended(world: World) -> tuple[str, str]:
    entry = world.parsed.history[0]
    assert entry.outcome is RunOutcome.FAILED
    return entry.reason, entry.message


def test_the_work_is_timed_from_the_start_of_the_container() -> None:
    world, name = diagnosing()
    change(world, name, phase=JobPhase.PENDING, detail="ErrImagePull: slow", cause="ErrImagePull")
    world.now += HOUR  # an image was pulled, for longer than the diagnosis may take
    change(world, name, phase=JobPhase.RUNNING, started=world.now, detail="", cause="")
    world.now += TIMEOUT + GRACE
    world.settle()
    assert name in world.jobs
    world.now += SECOND
    world.settle()
    assert name not in world.jobs
    reason, message = ended(world)
    assert reason == "DeadlineExceeded"
    assert "spec.diagnosis.timeout" in message


def test_a_node_that_is_lost_holds_no_run_for_ever() -> None:
    world, name = diagnosing()
    told = "Terminating: pod a was to be gone by then and is still there; NodeLost: no answer"
    change(
        world,
        name,
        phase=JobPhase.PENDING,
        started=world.now,
        waits_since=world.now,
        detail=told,
        cause="Terminating",
    )
    world.now += TIMEOUT + GRACE + SECOND
    world.settle()
    reason, message = ended(world)
    assert reason == "DeadlineExceeded"
    assert told in message


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_that_differs_ends_no_run_before_its_time(hours: int) -> None:
    world, name = diagnosing()
    change(world, name, started=world.now + hours * HOUR, waits_since=world.now + hours * HOUR)
    world.now += TIMEOUT
    world.settle()
    assert name in world.jobs


@pytest.mark.parametrize(
    "failure, reason",
    [("BackoffLimitExceeded", "JobFailed"), ("DeadlineExceeded", "DeadlineExceeded")],
)
def test_a_job_whose_end_never_comes_is_ended(failure: str, reason: str) -> None:
    world, name = diagnosing()
    change(world, name, condemned=world.now, failure=failure, detail="It failed", started=world.now)
    world.now += UNTOLD + SECOND
    world.settle()
    assert ended(world)[0] == reason
    assert "its pods are not gone: It failed" in ended(world)[1]


def test_a_job_that_a_queue_holds_does_not_wait_for_its_pod() -> None:
    world, name = diagnosing()
    held = {"phase": JobPhase.PENDING, "suspended": True, "detail": "Suspended: by a queue"}
    change(world, name, **held, cause="Suspended", waits_since=world.now)
    condition = world.parsed.condition("Training")
    assert condition is not None
    assert "State: Suspended: by a queue" in condition.message
    world.now += 100 * HOUR
    world.settle()
    assert name in world.jobs
    change(world, name, suspended=False, waits_since=world.now, detail="", cause="")
    world.now += PENDING
    world.settle()
    assert name in world.jobs
    world.now += SECOND
    world.settle()
    assert ended(world)[0] == "PendingTimeout"


def test_the_time_of_a_pod_that_was_taken_away_is_no_waiting() -> None:
    world, _ = diagnosing()
    world.finish(world.diagnosis())
    (name,) = world.live
    world.now += 3 * HOUR
    change(world, name, phase=JobPhase.PENDING, waits_since=world.now)
    assert name in world.jobs


def test_what_a_diagnosis_waits_for_is_told_and_told_anew() -> None:
    world, name = diagnosing()
    image = {"detail": "ErrImagePull: not found", "cause": "ErrImagePull"}
    change(world, name, phase=JobPhase.PENDING, **image)
    message = world.parsed.condition("Training").message  # type: ignore[union-attr]
    assert world.condition("Training") == ("False", "Diagnosing")
    assert message.endswith("State: ErrImagePull: not found")
    writes = world.writes
    change(world, name, detail="ImagePullBackOff: Back-off", cause="ImagePullBackOff")
    change(world, name, **image)
    assert world.writes == writes, "told in turn, it is no news"
    change(world, name, detail="FailedMount: no", cause="FailedMount", unmounted=True)
    for cause in ("FailedAttachVolume", "FailedMount", "FailedMapVolume"):
        change(world, name, detail=f"{cause}: no", cause=cause)
    writes += 1
    assert world.writes == writes, "nor is it of a volume"
    change(world, name, **image, unmounted=False)
    change(world, name, detail="FailedCreate: quota", cause="FailedCreate")
    assert "FailedCreate: quota" in world.parsed.condition("Training").message  # type: ignore[union-attr]
    change(world, name, phase=JobPhase.RUNNING, detail="", cause="", started=world.now)
    assert "State" not in world.parsed.condition("Training").message  # type: ignore[union-attr]
    assert world.writes == writes + 3


def test_a_report_counts_though_a_sidecar_keeps_the_pod() -> None:
    world, name = diagnosing()
    told = world.diagnosis().to_message()
    change(world, name, started=world.now, ended=world.now, message=told, kept_by="istio-proxy")
    assert world.parsed.run is not None
    assert world.parsed.run.step is Step.DIAGNOSE, "a sidecar may follow by itself"
    world.now += LINGERING + SECOND
    effects = world.writes
    world.settle()
    assert name not in world.jobs, "what keeps the pod is ended"
    assert world.parsed.run.step is Step.TRAIN
    assert world.writes >= effects + 2, "first the report is written down, then the Job goes"


def test_a_crash_after_the_report_was_written_down_loses_nothing() -> None:
    world, name = diagnosing()
    told = world.diagnosis().to_message()
    world.status["run"]["report"] = told
    del world.jobs[name]
    world.settle()
    assert world.parsed.run is not None
    assert (world.parsed.run.step, world.parsed.run.report) == (Step.TRAIN, "")


def test_what_was_written_down_counts_though_the_job_was_not_let_go_and_failed() -> None:
    """Its deletion was refused; then Kubernetes' own deadline took the pod away."""
    world, name = diagnosing()
    world.status["run"]["report"] = world.diagnosis().to_message()
    gone = {"phase": JobPhase.FAILED, "failure": "DeadlineExceeded", "message": None}
    change(world, name, **gone)
    assert world.parsed.run is not None
    assert world.parsed.run.step is Step.TRAIN


def test_a_job_is_given_up_for_what_was_written_down_though_it_was_not_let_go() -> None:
    world, name = diagnosing()
    run = world.parsed.run
    assert run is not None
    run = replace(run, stopping=Stopping("PendingTimeout", "ErrImagePull for two hours."))
    world.status = status_json.write(replace(world.parsed, run=run))
    change(world, name, phase=JobPhase.FAILED, failure="DeadlineExceeded", message=None)
    assert ended(world) == ("PendingTimeout", "ErrImagePull for two hours.")


@pytest.mark.parametrize("failure, reason", [("", "JobFailed"), ("OOMKilled", "OutOfMemory")])
def test_a_trainer_that_crashes_beside_a_sidecar_ends_the_run(failure: str, reason: str) -> None:
    world, name = diagnosing()
    change(
        world,
        name,
        started=world.now,
        ended=world.now,
        failure=failure,
        kept_by="istio-proxy",
        detail="Sidecar: kept by container istio-proxy",
        cause="Sidecar",
    )
    world.now += LINGERING + SECOND
    world.settle()
    assert ended(world)[0] == reason
    assert "istio-proxy" in ended(world)[1]


def test_an_end_that_the_job_never_says_is_read_all_the_same() -> None:
    world, name = diagnosing()
    told = world.diagnosis().to_message()
    change(world, name, started=world.now, ended=world.now, message=told)
    world.now += UNTOLD
    world.settle()
    assert world.live == [name]
    world.now += SECOND
    world.settle()
    assert world.parsed.run is not None
    assert world.parsed.run.step is Step.TRAIN


def test_another_job_of_the_same_name_is_not_believed() -> None:
    world, name = diagnosing()
    report = world.diagnosis()
    world.jobs[name] = replace(world.jobs[name], uid="made-again")
    world.finish(report)
    assert ended(world)[0] == "JobNameTaken"


def test_a_pod_that_claims_to_be_the_job_s_is_told_once() -> None:
    world, name = diagnosing()
    change(world, name, foreign="intruder (its image is another)")
    assert world.condition("Training") == ("False", "ForeignPod")
    message = world.parsed.condition("Training").message  # type: ignore[union-attr]
    assert "intruder (its image is another)" in message
    world.settle()
    assert world.notes.count("ForeignPod") == 1
    assert world.condition("Ready") == ("True", "Watching")


def test_a_pod_that_claims_to_be_the_job_s_is_told_though_the_job_has_ended() -> None:
    world, name = diagnosing()
    report = world.diagnosis()
    world.jobs[name] = replace(world.jobs[name], foreign="intruder (its image is another)")
    world.finish(report)
    assert world.notes.count("ForeignPod") == 1
    assert world.parsed.run is not None
    assert world.parsed.run.step is Step.TRAIN


def test_the_next_look_is_when_the_time_is_over() -> None:
    world, name = diagnosing()
    assert requeue_after(world.seen()) == LIVE_RUN_LOOK
    change(world, name, started=world.now)
    world.now += TIMEOUT + GRACE - 5 * SECOND
    wait = requeue_after(world.seen())
    assert wait is not None
    assert 5 * SECOND < wait < 6 * SECOND
    world.now += HOUR  # over, and whoever holds the Job is waited for
    assert requeue_after(world.seen()) == LIVE_RUN_LOOK


def test_a_trainer_that_says_that_its_time_is_over_ends_the_run() -> None:
    world, _ = diagnosing()
    world.finish(
        world.report(outcome=Outcome.FAILED, reason="DeadlineExceeded", message="It took long."),
        phase=JobPhase.FAILED,
    )
    assert ended(world) == ("DeadlineExceeded", "It took long.")
