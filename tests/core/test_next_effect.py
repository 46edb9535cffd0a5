"""The whole story, played against a world of plain values; the test plays the pods."""

import json
import math
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support.plain import merged
from support.world import AWAY, DOWN, HEALTHY, START, WORSE, World, a_spec, paired

from maintenance_contract import (
    Answer,
    Candidate,
    ContractError,
    Evaluation,
    Evidence,
    Finding,
    Operation,
    Outcome,
    Question,
    Reference,
    StoreState,
    TrainingAction,
)
from maintenance_core import status as status_json
from maintenance_core.errors import SpecError
from maintenance_core.lifecycle import projection
from maintenance_core.lifecycle.breaker import failures
from maintenance_core.lifecycle.next_effect import next_effect
from maintenance_core.lifecycle.records import decision_of
from maintenance_core.lifecycle.triggers import wanted
from maintenance_core.model import (
    Action,
    Baseline,
    Degraded,
    DeleteJob,
    Healthy,
    JobPhase,
    JobView,
    Reading,
    Refusal,
    Request,
    RunOutcome,
    Step,
    ThresholdRange,
    Trigger,
    Unknown,
    WriteStatus,
)
from maintenance_core.spec import parse


@pytest.mark.parametrize("step, training", [("diagnose", "False"), ("train", "True")])
def test_a_volume_that_does_not_mount_is_said_once_and_forgotten(step: str, training: str) -> None:
    world = World()
    world.settle()
    if step == "train":
        world.finish(world.diagnosis())
    (name,) = world.live
    runs = world.jobs[name]
    detail = 'FailedMount: secret "keys" not found'
    world.jobs[name] = replace(runs, phase=JobPhase.PENDING, detail=detail, unmounted=True)
    world.settle()
    assert name.endswith(step)
    assert world.condition("Training") == (training, "MountFailed")
    message = world.parsed.condition("Training").message  # type: ignore[union-attr]
    assert "create or mend it in this namespace" in message
    assert detail in message
    world.jobs[name] = replace(world.jobs[name], detail=f"{detail} again")
    world.settle()
    assert world.notes.count("MountFailed") == 1
    assert world.condition("Ready") == ("True", "Watching")
    world.jobs[name] = runs
    world.settle()
    assert world.condition("Training")[1] != "MountFailed"


def test_the_first_run_makes_version_one_and_names_it() -> None:
    world = World()
    world.settle()
    run = world.parsed.run
    assert run is not None
    assert (run.number, run.trigger, run.step) == (1, Trigger.INITIAL, Step.DIAGNOSE)
    assert world.live == ["news-1a2b3c-1-diagnose"]
    assert world.condition("Ready") == ("True", "Watching")
    world.finish(world.diagnosis())
    assert world.live == ["news-1a2b3c-1-train"]
    request = world.requests["news-1a2b3c-1-train"]
    assert (request.action, request.champion) == (TrainingAction.RETRAIN, None)
    assert request.snapshot is not None
    assert (request.snapshot.run, request.snapshot.digest) == (1, "sha256:data")
    assert world.condition("Training") == ("True", "Running")
    world.finish(world.training())
    champion = world.parsed.champion
    assert champion is not None
    assert champion.storage_uri == f"pvc://models/news/versions/{champion.version}"
    assert world.parsed.run is None
    assert world.parsed.history[0].outcome is RunOutcome.PROMOTED
    assert world.config_map is not None
    assert world.config_map["data"]["storageUri"] == champion.storage_uri
    assert "ownerReferences" not in world.config_map["metadata"]
    assert "Promoted" in world.notes


def bringing(**changes: Any) -> World:
    spec = a_spec(**changes)
    spec["model"]["initialModel"] = {"storageUri": "pvc://models/before"}
    return World(spec=spec)


def test_a_model_brought_along_becomes_version_one_and_nothing_is_trained() -> None:
    world = bringing()
    world.settle()
    assert world.requests["news-1a2b3c-1-diagnose"].model.initial_model == "pvc://models/before"
    world.finish(world.diagnosis())
    decision = world.parsed.decision
    assert decision is not None
    assert (decision.action, decision.reason) == (Action.IMPORT, "InitialModel")
    assert world.live == ["news-1a2b3c-1-train"]
    request = world.requests["news-1a2b3c-1-train"]
    assert (request.action, request.champion) == (TrainingAction.IMPORT, None)
    assert world.condition("Training") == ("False", "Importing")
    assert "ImportStarted" in world.notes
    assert "TrainingStarted" not in world.notes
    world.finish(world.training(timings={}))
    champion = world.parsed.champion
    assert champion is not None
    assert champion.action is TrainingAction.IMPORT
    (entry,) = world.parsed.history
    assert (entry.outcome, entry.reason) == (RunOutcome.PROMOTED, "Imported")
    assert (entry.trained, entry.train_seconds) == (False, None)
    assert world.config_map is not None
    assert world.config_map["data"]["version"] == str(champion.version)


def test_a_model_brought_along_is_asked_for_once() -> None:
    """Once a version serves, spec.model.initialModel may say anything."""
    world = bringing().with_champion()
    world.spec["model"]["initialModel"] = {"storageUri": "pvc://models/another"}
    world.generation += 1
    created = list(world.created)
    world.settle()
    world.now += timedelta(days=30)
    world.settle()
    assert world.created == created
    world.assessment = DOWN
    world.settle()
    world.finish(world.diagnosis())
    assert world.parsed.decision is not None
    assert world.parsed.decision.action is Action.FINE_TUNE
    assert all(
        request.model.initial_model == ""
        for request in world.requests.values()
        if request.champion is not None
    )


def test_a_wrong_model_is_rejected_once_and_looked_at_again_when_the_spec_changes() -> None:
    world = bringing()
    world.settle()
    world.finish(world.diagnosis())
    wrong = Evaluation(Reference.MAJORITY_CLASS, None, paired(5000, 500, 2000, 100))
    world.finish(world.training(evaluation=wrong))
    (entry,) = world.parsed.history
    assert (entry.outcome, entry.reason) == (RunOutcome.REJECTED, "WorseThanMajority")
    assert (world.parsed.champion, world.config_map, world.parsed.run) == (None, None, None)
    world.now += timedelta(days=2)
    world.settle()
    world.finish(world.diagnosis())
    assert world.parsed.decision is not None
    assert world.parsed.decision.reason == "NoNewEvidence"
    assert world.live == []
    del world.spec["model"]["initialModel"]
    world.generation += 1
    world.settle()
    world.finish(world.diagnosis())
    assert world.requests[world.live[0]].action is TrainingAction.RETRAIN


def test_a_model_brought_along_that_needs_more_memory_is_not_tried_in_halves() -> None:
    world = bringing()
    world.settle()
    world.finish(world.diagnosis())
    world.finish(None, phase=JobPhase.FAILED, failure="OOMKilled", detail="out of memory")
    (entry,) = world.parsed.history
    assert (entry.outcome, entry.reason) == (RunOutcome.FAILED, "OutOfMemory")
    assert "Raise the memory limit of spec.diagnosis.resources." in entry.message
    assert world.live == []


def test_a_lost_import_is_read_from_the_store_and_never_repeated() -> None:
    world = bringing()
    world.settle()
    world.finish(world.diagnosis())
    done = world.training(timings={})
    del world.jobs[world.live[0]]
    world.settle()
    assert world.live == ["news-1a2b3c-1-report"]
    assert world.requests[world.live[0]].subject is Operation.TRAIN
    world.finish(done)
    assert world.parsed.history[0].reason == "Imported"


def test_a_sustained_drop_is_diagnosed_fine_tuned_and_promoted() -> None:
    world = World().degraded()
    assert world.condition("Degraded") == ("True", "BelowThreshold")
    run = world.parsed.run
    assert run is not None
    assert (run.number, run.trigger) == (2, Trigger.PERFORMANCE_DROP)
    assert run.breach is not None
    assert run.breach.value == 0.8
    world.finish(world.diagnosis())
    decision = world.parsed.decision
    assert decision is not None
    assert (decision.action, decision.number) == (Action.FINE_TUNE, 2)
    before = world.parsed.champion
    world.finish(world.training())
    after = world.parsed.champion
    assert before is not None
    assert after is not None
    assert after.version > before.version
    assert world.parsed.history[0].new is not None
    assert world.config_map is not None
    assert world.config_map["data"]["version"] == str(after.version)


def test_every_training_and_nothing_else_carries_its_own_decision() -> None:
    world = World().degraded()
    world.finish(world.diagnosis())
    fine_tune = world.parsed.decision
    world.finish(world.training(new=WORSE))
    retrain = world.parsed.decision
    assert fine_tune is not None
    assert retrain is not None
    told = {name: decision_of(record) for name, record in world.records.items()}
    assert told.pop("news-1a2b3c-1-train").reason == "FirstVersion"
    assert told == {
        "news-1a2b3c-2-train": replace(fine_tune, power=None, plan=None),
        "news-1a2b3c-3-train": replace(retrain, power=None, plan=None),
    }


def flap(world: World, minutes: int = 300) -> None:
    """Bad and good by turns, fewer readings than the cooldown lasts."""
    for minute in range(minutes):
        world.now += timedelta(minutes=1)
        world.assessment = HEALTHY if minute % 2 else DOWN
        before = world.writes
        world.settle()
        began = minute == 0
        assert world.writes - before <= (3 if began else 1), "the condition turns, and that is all"


@pytest.mark.slow
def test_a_metric_that_flaps_starts_one_run_and_no_other_before_the_cooldown_is_over() -> None:
    world = World().with_champion()
    flap(world)
    assert world.live == ["news-1a2b3c-2-diagnose"], "it goes on with the breach that began it"
    world.finish(world.diagnosis())
    assert world.parsed.decision is not None
    assert world.parsed.decision.action is Action.FINE_TUNE
    world.finish(world.training())
    created = list(world.created)
    flap(world)
    assert world.created == created


def test_concept_drift_retrains_without_contradicted_rows() -> None:
    world = World(drift=Answer.MAJOR).degraded()
    world.finish(world.diagnosis())
    request = world.requests[world.live[0]]
    assert request.action is TrainingAction.RETRAIN
    assert request.exclude_contradicted
    world.finish(world.training(old=WORSE))
    assert world.parsed.history[0].outcome is RunOutcome.PROMOTED


def test_idle_writes_nothing_while_the_metric_wobbles() -> None:
    world = World().with_champion()
    writes = world.writes
    for value in (0.95, 0.93, 0.99, 0.91):
        world.now += timedelta(minutes=1)
        world.assessment = Healthy(Reading(world.now, value, 500), 0, 5)
        world.settle()
    assert world.writes == writes


def test_a_drop_that_stays_during_cooldown_writes_once() -> None:
    world = World().with_champion()
    world.now = world.parsed.history[0].end_time + timedelta(hours=1)
    world.assessment = DOWN
    world.settle()
    assert world.parsed.run is None
    writes = world.writes
    for minute in range(5):
        world.assessment = Degraded(
            Reading(START, 0.80 + minute / 100), 3 + minute % 2, 5, ThresholdRange(min=0.9)
        )
        world.now += timedelta(minutes=1)
        world.settle()
    assert world.writes == writes
    world.now += timedelta(hours=6)
    world.settle()
    assert world.parsed.run is not None


def test_what_a_pod_says_is_plain_before_it_is_anybodys_message() -> None:
    said = "no \x1b[31mfolder\u202e\nat https://u:s3cret@store/bucket?sig=s3cret"
    world = World().degraded()
    world.finish(
        world.diagnosis(diagnosis=None, outcome=Outcome.FAILED, reason="DataMissing", message=said)
    )
    world.settle()
    status = json.dumps(world.status, ensure_ascii=False)
    assert "no [31mfolder at https://store/…" in status
    assert "s3cret" not in status
    assert status.isprintable()


def test_prometheus_away_holds_and_keeps_what_was_known() -> None:
    world = World().degraded()
    world.finish(
        world.diagnosis(
            diagnosis=None, outcome=Outcome.FAILED, reason="DataMissing", message="no folder"
        )
    )
    world.assessment = AWAY
    world.settle()
    assert world.condition("MetricsAvailable") == ("False", "Unreachable")
    assert world.condition("Degraded") == ("True", "BelowThreshold")
    assert world.condition("Ready") == ("True", "Watching")
    assert world.notes[-1] == "MetricsUnavailable"
    world.assessment = HEALTHY
    world.settle()
    assert world.condition("Degraded") == ("False", "WithinRange")
    assert {"MetricsAvailable", "Recovered"} <= set(world.notes)


@pytest.mark.parametrize("reason", ["InvalidQuery", "UnknownServer"])
def test_what_prometheus_says_of_the_spec_starts_no_training(reason: str) -> None:
    world = World(assessment=Unknown(reason, "parse error"))
    world.settle()
    assert world.created == []
    assert world.condition("Ready") == ("False", reason)
    assert world.condition("Stalled") == ("True", reason)
    world.assessment = HEALTHY
    world.settle()
    assert world.condition("Ready") == ("True", "Watching")
    assert world.parsed.condition("Stalled") is None
    assert world.live == ["news-1a2b3c-1-diagnose"]


def test_a_bad_spec_starts_nothing_but_lets_a_live_run_end() -> None:
    world = World().degraded()
    world.spec = a_spec(limits={"cooldown": "soon", "runs": {"max": 4, "per": "168h"}})
    world.generation = 2
    world.settle()
    assert world.condition("Ready") == ("False", "InvalidSpec")
    world.finish(world.diagnosis())
    world.finish(world.training())
    assert world.parsed.history[0].outcome is RunOutcome.PROMOTED
    world.now += timedelta(days=2)
    world.settle()
    assert world.parsed.run is None


def test_the_run_keeps_the_spec_it_began_with() -> None:
    world = World().degraded()
    world.spec = a_spec(training=a_spec()["training"] | {"fineTune": {"replayPercent": 900}})
    world.generation = 2
    world.finish(world.diagnosis())
    assert world.requests[world.live[0]].recipes.replay_percent == 50


def test_unusable_data_block_and_the_next_look_waits_longer_each_time() -> None:
    world = World()
    world.settle()
    waits = []
    for _ in range(7):
        bad = world.diagnosis(
            diagnosis=None,
            outcome=Outcome.FAILED,
            reason="ColumnMissing",
            message="updates.csv has no column label",
        )
        world.finish(replace(bad, snapshot_digest=""))
        decision, recheck = world.parsed.decision, world.parsed.recheck
        assert decision is not None
        assert recheck is not None
        assert decision.action is Action.BLOCKED
        assert "no column label" in decision.message
        assert not world.live
        waits.append((recheck.time - world.now) / timedelta(hours=1))
        world.now = recheck.time - timedelta(seconds=1)
        world.settle()
        assert not world.live
        world.now += timedelta(seconds=1)
        world.settle()
        assert world.live
    assert waits == [1, 2, 4, 8, 16, 24, 24]


def test_a_changed_spec_lifts_the_wait() -> None:
    world = World()
    world.settle()
    world.finish(
        world.diagnosis(
            diagnosis=None, outcome=Outcome.FAILED, reason="ColumnMissing", message="no column"
        )
    )
    assert not world.live
    world.edit(data={"columns": {"text": "body"}})
    world.settle()
    assert len(world.live) == 1


@pytest.mark.slow
def test_a_rejected_fine_tune_escalates_once_on_the_same_snapshot() -> None:
    world = World().degraded()
    world.finish(world.diagnosis())
    world.finish(world.training(new=WORSE))
    run, decision = world.parsed.run, world.parsed.decision
    assert run is not None
    assert decision is not None
    assert (run.number, run.trigger, run.escalated_from) == (3, Trigger.ESCALATION, 2)
    assert (decision.action, decision.escalated_from) == (Action.RETRAIN, 2)
    request = world.requests["news-1a2b3c-3-train"]
    assert request.snapshot is not None
    assert (request.snapshot.run, request.action) == (2, TrainingAction.RETRAIN)
    world.finish(world.training(new=WORSE))
    assert world.parsed.run is None
    assert [entry.outcome for entry in world.parsed.history[:2]] == [RunOutcome.REJECTED] * 2
    world.now += timedelta(days=2)
    world.settle()
    world.finish(world.diagnosis())
    decision = world.parsed.decision
    assert decision is not None
    assert (decision.action, decision.reason) == (Action.WAIT, "NoNewEvidence")
    assert not world.live
    world.edit(gate={"minImprovement": 0.001})
    world.settle()
    world.finish(world.diagnosis())
    assert world.live == ["news-1a2b3c-5-train"], "a changed spec is new evidence"


def test_suspend_stops_a_live_run_and_starts_none() -> None:
    world = World().degraded()
    assert world.live
    world.spec = a_spec(suspend=True)
    world.generation = 2
    world.settle()
    assert not world.live
    assert world.parsed.run is None
    assert world.parsed.history[0].outcome is RunOutcome.STOPPED
    world.now += timedelta(days=2)
    world.settle()
    assert not world.live
    assert world.condition("Degraded") == ("True", "BelowThreshold")
    world.spec = a_spec()
    world.generation = 3
    world.settle()
    assert world.live == ["news-1a2b3c-3-diagnose"]


def test_a_diagnose_job_deleted_by_hand_ends_the_run_and_says_so() -> None:
    world = World().degraded()
    world.jobs.pop(world.live[0])
    world.settle()
    assert world.parsed.history[0].reason == "JobDeleted"
    assert world.parsed.run is None
    assert world.notes[-1] == "RunFailed"


def test_a_train_job_that_is_gone_is_asked_for_its_stored_report() -> None:
    world = World().degraded()
    world.finish(world.diagnosis())
    stored = world.training()
    world.jobs.pop(world.live[0])
    world.settle()
    assert world.live == ["news-1a2b3c-2-report"]
    assert world.requests["news-1a2b3c-2-report"].subject is Operation.TRAIN
    world.finish(stored)
    assert world.parsed.history[0].outcome is RunOutcome.PROMOTED


def test_no_stored_report_ends_the_run() -> None:
    world = World().degraded()
    world.finish(world.diagnosis())
    world.finish(None)
    assert world.live == ["news-1a2b3c-2-report"]
    world.finish(
        world.report(outcome=Outcome.FAILED, reason="ReportMissing", message="nothing in the store")
    )
    assert (world.parsed.history[0].outcome, world.parsed.history[0].reason) == (
        RunOutcome.FAILED,
        "ReportMissing",
    )


@pytest.mark.parametrize(
    "failure, detail, reason",
    [
        ("BackoffLimitExceeded", "container trainer: OOMKilled", "JobFailed"),
        ("DeadlineExceeded", "", "DeadlineExceeded"),
    ],
)
def test_a_job_that_fails_without_a_word_ends_the_run(
    failure: str, detail: str, reason: str
) -> None:
    world = World().degraded()
    world.finish(world.diagnosis())
    world.finish("", phase=JobPhase.FAILED, failure=failure, detail=detail)
    entry = world.parsed.history[0]
    assert (entry.outcome, entry.reason) == (RunOutcome.FAILED, reason)
    assert (detail or failure) in entry.message
    recheck = world.parsed.recheck
    assert recheck is not None
    assert recheck.time >= world.now + timedelta(hours=6)


@pytest.mark.parametrize("message", ["{", '{"version": 1}', "ok", "\x00"])
def test_a_report_that_is_none_is_refused(message: str) -> None:
    world = World().degraded()
    world.finish(world.diagnosis())
    world.finish(message)
    assert world.parsed.history[0].reason == "ReportInvalid"
    assert world.parsed.champion is not None


@pytest.mark.parametrize(
    "change", [{"request_digest": "sha256:other"}, {"run": 99}, {"operation": Operation.DIAGNOSE}]
)
def test_a_report_of_another_run_is_refused(change: dict[str, Any]) -> None:
    world = World().degraded()
    world.finish(world.diagnosis())
    world.finish(world.training(**change))
    assert world.parsed.history[0].reason == "ReportInvalid"


def test_a_job_of_the_same_name_that_is_not_ours_is_not_believed() -> None:
    world = World().with_champion()
    world.jobs["news-1a2b3c-2-diagnose"] = JobView(
        "news-1a2b3c-2-diagnose", "u", "someone-else", "sha256:x", JobPhase.COMPLETE, "{}"
    )
    world.assessment = DOWN
    status = world.parsed
    world.settle()
    run = world.parsed.run
    assert status.run is None
    assert run is not None
    assert run.number == 3, "numbers of all Jobs in the way are passed over"


def upgraded(world: World) -> None:
    """Another release asks in other words: what a live run was asked has another digest there."""
    for name, job in world.jobs.items():
        before = world.requests[name]
        world.requests[name] = replace(before, max_rows=before.max_rows + 1)
        world.jobs[name] = replace(job, request_digest=world.requests[name].digest)
    world.status["run"].pop("requestDigest")  # releases before did not write it


@pytest.mark.parametrize("step", ["diagnose", "train"])
@pytest.mark.parametrize("seen_before", [True, False])
def test_a_run_that_another_release_began_ends_as_it_began(step: str, *, seen_before: bool) -> None:
    world = World().degraded()
    if step == "train":
        world.finish(world.diagnosis())
    (name,) = world.live
    upgraded(world)
    if seen_before:  # by the new release, while it goes on
        world.settle()
    assert world.live == [name]
    world.finish(world.diagnosis() if step == "diagnose" else world.training())
    if step == "diagnose":
        world.finish(world.training())
    assert [entry.outcome for entry in world.parsed.history] == [RunOutcome.PROMOTED] * 2


@pytest.mark.parametrize("pod_ended", [True, False])
def test_the_lost_report_of_what_another_release_asked_is_believed(*, pod_ended: bool) -> None:
    world = World().degraded()
    world.finish(world.diagnosis())
    upgraded(world)
    done = world.training()
    if pod_ended:
        world.finish(None)
    else:
        world.settle()
        world.jobs.pop(world.live[0])
        world.settle()
    assert world.live == ["news-1a2b3c-2-report"]
    world.settle()
    world.finish(done)
    assert world.parsed.history[0].reason == "ChallengerWins"


def test_a_rejected_fine_tune_of_another_release_escalates_on_its_diagnosis() -> None:
    world = World().degraded()
    upgraded(world)
    world.finish(world.diagnosis())
    known = world.parsed.decision
    world.finish(world.training(new=WORSE))
    decision = world.parsed.decision
    assert known is not None
    assert decision is not None
    assert decision.reason == "FineTuneRejected"
    assert decision.path == known.path, "with all that the diagnosis found"


def test_a_spec_that_this_release_refuses_ends_its_run_and_leaves_no_job() -> None:
    world = World().degraded()
    world.finish(world.diagnosis())
    (name,) = world.live
    world.status["run"]["spec"]["training"]["timeout"] = "1 fortnight"
    effect = next_effect(world.seen())
    assert effect == DeleteJob(name, f"uid-{name}")
    world.settle()
    assert world.live == []
    entry = world.parsed.history[0]
    assert (entry.outcome, entry.reason) == (RunOutcome.FAILED, "InvalidSpec")
    assert "spec.training.timeout: '1 fortnight'" in entry.message
    assert "was changed" not in entry.message


def test_a_job_of_ours_in_the_way_is_deleted_and_the_run_goes_on() -> None:
    """As after a backup of etcd: the number was given once before."""
    world = World().degraded()
    (name,) = world.live
    mine = world.jobs[name]
    world.jobs[name] = replace(mine, uid="another", request_digest="sha256:another")
    world.status["run"].pop("jobUID")
    world.status["run"].pop("requestDigest")
    assert next_effect(world.seen()) == DeleteJob(name, "another")
    world.created.remove(name)
    world.settle()
    assert world.jobs[name] == mine
    world.finish(world.diagnosis())
    world.finish(world.training())
    assert world.parsed.history[0].outcome is RunOutcome.PROMOTED


def test_a_job_of_the_run_s_name_and_another_uid_is_not_the_run_s() -> None:
    world = World().degraded()
    (name,) = world.live
    world.jobs[name] = replace(world.jobs[name], uid="another")
    assert next_effect(world.seen()) == DeleteJob(name, "another")
    world.settle()
    assert world.live == []
    assert world.parsed.history[0].reason == "JobDeleted"


def test_no_run_begins_beside_a_job_that_status_does_not_know() -> None:
    world = World().degraded()
    (name,) = world.live
    world.status.pop("run")
    world.settle()
    assert world.parsed.run is None
    assert world.condition("Training") == ("False", "JobLeftOver")
    assert world.notes.count("JobLeftOver") == 1
    message = world.parsed.condition("Training").message  # type: ignore[union-attr]
    assert name in message
    writes = world.writes
    world.settle()
    assert world.writes == writes
    world.jobs[name] = replace(world.jobs[name], phase=JobPhase.FAILED)
    world.settle()
    assert world.parsed.run is not None
    assert world.parsed.run.number == 3


@pytest.mark.parametrize(
    "chosen, field",
    [
        (
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
            "env[0].name: A is not allowed",
        ),
        ({"priorityClassName": "system-node-critical"}, "priorityClassName: system-node-critical"),
    ],
)
def test_what_a_run_began_with_before_it_was_refused_reaches_no_pod(
    chosen: dict[str, Any], field: str
) -> None:
    """An operator of another configuration, or an older one, froze it."""
    spec = a_spec()
    spec["training"] = {**spec["training"], "pod": chosen}
    world = World(spec)
    world.settle()
    assert world.created == []
    [ended] = world.parsed.history
    assert (ended.reason, ended.outcome) == ("JobRefused", "Failed")
    assert f"spec.training.pod.{field}" in ended.message


def test_a_run_number_that_the_store_knows_is_passed_over() -> None:
    world = World()
    world.settle()
    world.finish(
        world.diagnosis(
            diagnosis=None,
            outcome=Outcome.FAILED,
            reason="RunNumberTaken",
            message="runs/1 is there",
            store=StoreState(41, 12),
        )
    )
    assert world.live == ["news-1a2b3c-42-diagnose"]


def test_a_store_of_another_resource_stalls_until_the_next_look() -> None:
    world = World()
    world.settle()
    world.finish(
        world.diagnosis(
            diagnosis=None,
            outcome=Outcome.FAILED,
            reason="StoreInUse",
            message="owner.json names finance/other",
        )
    )
    assert world.condition("Ready") == ("False", "StoreInUse")
    assert world.condition("Stalled") == ("True", "StoreInUse")
    assert not world.live


def test_an_empty_status_adopts_what_the_config_map_says() -> None:
    world = World().with_champion()
    champion, created = world.parsed.champion, len(world.created)
    world.status = {"observedGeneration": -1}
    world.settle()
    assert world.parsed.champion == champion
    assert "ChampionAdopted" in world.notes
    assert len(world.created) == created


@pytest.mark.parametrize("text", ["{torn", "[" * 100_000, "{}" + " " * 20_000 + "}", "7"])
def test_a_config_map_that_cannot_be_read_is_not_overwritten(text: str) -> None:
    world = World().with_champion()
    assert world.config_map is not None
    world.config_map["data"] = {"champion.json": text}
    world.status = {"observedGeneration": -1}
    world.settle()
    assert world.config_map["data"] == {"champion.json": text}
    assert world.condition("Ready") == ("False", "ChampionConfigMapInvalid")


def test_a_config_map_changed_by_hand_is_brought_in_line() -> None:
    world = World().with_champion()
    assert world.config_map is not None
    right = dict(world.config_map["data"])
    world.config_map["data"] = right | {"version": "77"}
    world.settle()
    assert world.config_map["data"] == right


def test_a_foreign_config_map_is_left_alone_and_named() -> None:
    world = World(config_map={"metadata": {"name": "news-champion"}, "data": {"mine": "1"}})
    world.settle()
    assert world.created == []
    assert world.condition("Ready") == ("False", "ChampionConfigMapNameTaken")
    assert world.config_map is not None
    assert world.config_map["data"] == {"mine": "1"}


def test_promotion_requires_the_champion_that_was_compared_against() -> None:
    world = World().degraded()
    world.finish(world.diagnosis())
    report = world.training()
    world.status["champion"] = world.status["champion"] | {"version": 50, "digest": "sha256:else"}
    world.finish(report)
    assert world.parsed.history[0].reason == "ChampionChanged"
    champion = world.parsed.champion
    assert champion is not None
    assert champion.version == 50


@pytest.mark.parametrize("gone", [False, True], ids=["kept", "by its TTL"])
@pytest.mark.parametrize("oom", [False, True], ids=["at once", "with half the batch"])
def test_an_escalation_rests_on_the_diagnosis_of_its_fine_tune(*, oom: bool, gone: bool) -> None:
    world = World().degraded()
    world.finish(world.diagnosis())
    first = world.parsed.decision
    if oom:
        failed = world.report(outcome=Outcome.FAILED, reason="OutOfMemory", message="Too large.")
        world.finish(failed, phase=JobPhase.FAILED)
    if gone:
        world.jobs = {name: job for name, job in world.jobs.items() if name in world.live}
    world.finish(world.training(new=WORSE))
    decision = world.parsed.decision
    assert first is not None
    assert decision is not None
    assert (decision.action, decision.reason) == (Action.RETRAIN, "FineTuneRejected")
    asked = {step.question: step.answer for step in first.path}
    assert {step.question: step.answer for step in decision.path} == asked
    assert decision.plan is not None
    assert not decision.plan.cause_open, "the gate asks for no more than of the fine-tune"
    assert decision.power == first.power


@pytest.mark.parametrize("another", [False, True])
def test_a_run_that_fails_while_the_spec_is_invalid_pauses_all_the_same(*, another: bool) -> None:
    world = World().degraded()
    world.finish(world.diagnosis())
    good = world.spec
    world.edit(training={"timeout": "4 hours"})
    world.settle()
    assert world.condition("Ready") == ("False", "InvalidSpec")
    world.finish(phase=JobPhase.FAILED, failure="BackoffLimitExceeded", detail="It crashed")
    cooldown = parse(good).limits.cooldown
    world.spec, world.generation = good, world.generation + 1
    if another:
        world.edit(training={"timeout": "5h"})
    world.now += timedelta(minutes=1)
    world.settle()
    assert bool(world.live) == another, "who changed what is trained tries again at once"
    if not another:
        world.now += cooldown - timedelta(minutes=2)
        world.settle()
        assert world.live == []
        world.now += timedelta(minutes=2)
        world.settle()
        assert world.live


def test_a_reset_that_lies_ahead_forgives_nothing_and_is_told_once() -> None:
    world = World().degraded()
    for _ in range(3):
        _fail_once(world)
    assert world.condition("Ready") == ("False", "RepeatedFailures")
    writes = world.writes
    world.breaker_reset = world.now + timedelta(days=365)
    world.settle()
    told = world.parsed.condition("Stalled")
    assert told is not None
    assert "breaker-reset lies ahead" in told.message
    assert world.writes == writes + 1
    world.now += timedelta(days=2)
    world.settle()
    assert world.writes == writes + 1
    assert world.live == []
    world.breaker_reset = world.now + timedelta(minutes=4)
    world.settle()
    assert world.condition("Ready") == ("True", "Watching")
    assert world.live, "a person's clock may be ahead"


def test_a_reset_that_lies_ahead_keeps_the_breaker_at_work() -> None:
    world = World()
    world.breaker_reset = world.now + timedelta(days=365)
    world.degraded()
    for _ in range(3):
        _fail_once(world)
    assert world.condition("Ready") == ("False", "RepeatedFailures")


def test_a_training_that_could_not_be_stopped_serves_nothing() -> None:
    """Its deletion was refused, or a finalizer held it, and so it ran to its end."""
    for held in (True, False):
        world = World().degraded()
        serves = world.parsed.champion
        world.finish(world.diagnosis())
        (name,) = world.live
        message, job = world.training().to_message(), world.jobs[name]
        world.edit(suspend=True)
        ended = replace(job, phase=JobPhase.COMPLETE, message=message, ended=world.now)
        if held:
            world.refusals = (
                Refusal(
                    Request.DELETE_JOB,
                    job.uid,
                    refused=True,
                    code=403,
                    words="denied",
                    count=1,
                    until=world.now + timedelta(minutes=1),
                ),
            )
        world.jobs[name] = ended if held else replace(ended, deleted=world.now)
        world.settle()
        assert world.parsed.history[0].outcome is RunOutcome.STOPPED
        assert world.parsed.champion == serves


def test_a_metric_that_comes_and_goes_waits_ever_longer_for_the_same_answer() -> None:
    world = World().degraded()
    looks = 0
    for minute in range(0, 72 * 60, 5):
        world.now += timedelta(minutes=5)
        world.assessment = HEALTHY if minute // 20 % 2 else DOWN
        world.settle()
        if world.live:
            looks += 1
            world.new_correct, world.answer = 285, Answer.NO
            world.finish(world.diagnosis())
    assert 4 <= looks <= 8


@pytest.mark.parametrize("lives", [False, True], ids=["complete", "its pod lingers"])
def test_a_training_that_has_ended_is_judged_though_it_is_suspended(*, lives: bool) -> None:
    world = World().degraded()
    world.finish(world.diagnosis())
    (name,) = world.live
    message = world.training().to_message()
    phase = JobPhase.RUNNING if lives else JobPhase.COMPLETE
    world.jobs[name] = replace(world.jobs[name], phase=phase, message=message, ended=world.now)
    world.edit(suspend=True)
    world.settle()
    assert world.parsed.history[0].outcome is RunOutcome.PROMOTED
    assert world.parsed.run is None
    assert world.live == []


@pytest.mark.parametrize("step", ["diagnosis", "fine-tune"])
def test_nothing_begins_after_what_has_ended_while_it_is_suspended(step: str) -> None:
    world = World().degraded()
    report = world.diagnosis()
    if step == "fine-tune":
        world.finish(report)
        report = world.training(new=WORSE)
    (name,) = world.live
    world.jobs[name] = replace(
        world.jobs[name], phase=JobPhase.COMPLETE, message=report.to_message()
    )
    made = len(world.created)
    world.edit(suspend=True)
    world.settle()
    assert world.parsed.run is None
    assert len(world.created) == made
    ended = {"diagnosis": RunOutcome.STOPPED, "fine-tune": RunOutcome.REJECTED}
    assert world.parsed.history[0].outcome is ended[step]


@pytest.mark.parametrize("queued", [False, True])
def test_a_training_that_is_stopped_before_it_began_takes_no_place(*, queued: bool) -> None:
    world = World().degraded()
    world.finish(world.diagnosis())
    (name,) = world.live
    if queued:
        world.jobs[name] = replace(world.jobs[name], phase=JobPhase.PENDING)
        world.settle()
    world.edit(suspend=True)
    world.settle()
    assert world.parsed.run is None
    assert world.parsed.history[0].trained != queued


def test_a_training_that_ended_while_no_operator_ran_takes_its_place() -> None:
    world = World().degraded()
    (name,) = world.live
    report = world.diagnosis()
    world.jobs[name] = replace(
        world.jobs[name], phase=JobPhase.COMPLETE, message=report.to_message()
    )
    for _ in range(2):  # the decision is written, and the training's Job made
        effect = next_effect(world.seen())
        assert effect is not None
        world.do(effect)
    assert world.parsed.run is not None
    assert world.parsed.run.job_uid == ""
    world.finish(world.training())
    assert world.parsed.history[0].trained


def test_what_is_seen_of_a_job_that_is_being_deleted_comes_of_that() -> None:
    world = World().degraded()
    world.finish(world.diagnosis())
    (name,) = world.live
    held = replace(world.jobs[name], deleted=world.now, finalizers=("example.com/hold",))
    world.edit(suspend=True)
    world.jobs[name] = held
    world.settle()
    writes = world.writes
    world.jobs[name] = replace(held, phase=JobPhase.PENDING)
    world.settle()
    assert world.writes == writes, "its pod is gone, and had begun"
    world.jobs[name] = replace(held, ended=world.now, message="terminated")
    world.settle()
    assert world.writes == writes, "its pod was ended"
    del world.jobs[name]
    world.settle()
    last = world.parsed.history[0]
    assert (last.outcome, last.trained) == (RunOutcome.STOPPED, True)


def test_a_training_that_goes_on_after_all_takes_its_place() -> None:
    world = World().degraded()
    world.finish(world.diagnosis())
    (name,) = world.live
    running, world.jobs[name] = world.jobs[name], replace(world.jobs[name], phase=JobPhase.PENDING)
    world.edit(suspend=True)
    effect = next_effect(world.seen())
    assert isinstance(effect, WriteStatus)
    world.do(effect)
    assert isinstance(next_effect(world.seen()), DeleteJob)
    world.edit(suspend=False)
    world.jobs[name] = running
    world.settle()
    world.finish(world.training())
    assert world.parsed.history[0].trained


def looked_in_vain(world: World, *, days: int) -> World:
    """Every day at three a look by the schedule finds nothing to train for."""
    world.with_champion()
    world.edit(triggers={"schedule": {"cron": "0 3 * * *", "timeZone": "UTC"}})
    for _ in range(days):
        world.now = world.now.replace(hour=3, minute=0) + timedelta(days=1)
        world.scheduled = world.now, world.now + timedelta(days=1)
        world.settle()
        world.now += timedelta(minutes=2)
        world.settle()
        world.new_correct, world.answer = 270, Answer.NO
        world.finish(world.diagnosis())
        assert world.parsed.decision is not None
        assert world.parsed.decision.reason == "NoDropFound"
    world.now += timedelta(minutes=5)
    return world


def test_a_drop_after_a_look_by_schedule_is_looked_at_at_once() -> None:
    world = looked_in_vain(World(), days=4)
    recheck = world.parsed.recheck
    assert recheck is not None
    assert recheck.time > world.now + timedelta(hours=1), "looks by schedule wait ever longer"
    world.assessment = DOWN
    world.settle()
    assert world.live
    world.finish(world.diagnosis())
    recheck = world.parsed.recheck
    assert recheck is not None
    assert (recheck.count, recheck.time) == (1, world.now + timedelta(hours=1))


def test_a_drop_from_before_the_look_waits_as_that_look_says() -> None:
    world = World()
    world.spec["metrics"] = world.spec["metrics"] | {"onMissing": "Hold"}
    world = looked_in_vain(world, days=3)
    last = world.parsed.decision
    assert last is not None
    seen = world.seen()
    held = seen.status.condition("Degraded")
    assert held is not None
    before = replace(held, status="True", last_transition_time=last.time - timedelta(minutes=1))
    others = tuple(one for one in seen.status.conditions if one.type != "Degraded")
    status = replace(seen.status, conditions=(*others, before))
    assert wanted(replace(seen, status=status, assessment=DOWN)) is None
    after = replace(before, last_transition_time=last.time + timedelta(minutes=1))
    status = replace(seen.status, conditions=(*others, after))
    assert wanted(replace(seen, status=status, assessment=DOWN)) is Trigger.PERFORMANCE_DROP


def test_a_metric_that_comes_and_goes_is_looked_at_no_more_than_once_an_hour() -> None:
    world = World().degraded()
    looks = 0
    for minute in range(0, 240, 2):
        world.now += timedelta(minutes=2)
        world.assessment = HEALTHY if minute % 4 else DOWN
        world.settle()
        if world.live:
            looks += 1
            world.new_correct, world.answer = 270, Answer.NO
            world.finish(world.diagnosis())
    assert 2 <= looks <= 5


def restored(world: World) -> None:
    """A backup brings back the ConfigMap of a life before, whose version 7 lies in the store."""
    old = World(spec=a_spec()).with_champion()
    champion = old.parsed.champion
    assert champion is not None
    champion = replace(
        champion,
        version=7,
        storage_uri=champion.storage_uri.replace(f"/{champion.version}", "/7"),
        digest="sha256:v7",
    )
    world.config_map = projection.manifest(old.identity, champion, None)


@pytest.mark.parametrize("initial", [False, True])
@pytest.mark.parametrize("while_training", [False, True])
def test_a_champion_that_is_restored_during_a_first_run_is_taken_over(
    *, initial: bool, while_training: bool
) -> None:
    spec = a_spec()
    if initial:
        spec["model"] = spec["model"] | {"initialModel": {"storageUri": "pvc://models/before"}}
    world = World(spec=spec)
    world.settle()
    if while_training:
        world.finish(world.diagnosis())
        report = world.training(timings={}) if initial else world.training()
    else:
        report = world.diagnosis()
    restored(world)
    world.settle()
    assert world.parsed.run is not None
    world.finish(report)
    assert world.parsed.history[0].reason == "ChampionChanged"
    assert world.live == []
    assert world.parsed.champion is not None
    assert world.parsed.champion.version == 7
    assert world.config_map is not None
    assert world.config_map["data"]["version"] == "7"
    assert "ChampionAdopted" in world.notes


def test_a_diagnosis_of_another_champion_trains_nothing() -> None:
    world = World().degraded()
    world.status["champion"] = world.status["champion"] | {"version": 50, "digest": "sha256:else"}
    world.settle()
    world.finish(world.diagnosis())
    assert len(world.live) <= 1
    last = world.parsed.history[0]
    assert (last.outcome, last.reason, last.trained) == ("Stopped", "ChampionChanged", False)
    assert not any(name.endswith("train") for name in world.live)
    assert failures(world.parsed, generation=world.generation, since=None) == ()


def test_what_ran_out_of_memory_is_not_tried_again_beside_another_champion() -> None:
    world = World().degraded()
    world.finish(world.diagnosis())
    failed = world.report(outcome=Outcome.FAILED, reason="OutOfMemory", message="Too large.")
    world.status["champion"] = world.status["champion"] | {"version": 50, "digest": "sha256:else"}
    world.finish(failed, phase=JobPhase.FAILED)
    assert world.live == []
    assert world.parsed.history[0].message.endswith("during the run.")


def _fail_once(world: World) -> None:
    world.finish(phase=JobPhase.FAILED, failure="BackoffLimitExceeded", detail="It crashed")
    world.now += timedelta(days=1)
    world.settle()


def test_the_breaker_opens_after_three_failures_and_a_new_spec_closes_it() -> None:
    world = World().degraded()
    for _ in range(2):
        _fail_once(world)
        assert world.live
    _fail_once(world)
    assert world.condition("Ready") == ("False", "RepeatedFailures")
    assert world.condition("Stalled") == ("True", "RepeatedFailures")
    assert world.live == []
    assert world.notes.count("RepeatedFailures") == 1
    writes = world.writes
    world.now += timedelta(days=3)
    world.settle()
    assert (world.live, world.writes) == ([], writes)
    world.edit(training={"timeout": "5h"})
    world.settle()
    assert world.condition("Ready") == ("True", "Watching")
    assert world.live


# --- edits that bear on no training open nothing that was closed --------------------------

UNRELATED: tuple[dict[str, Any], ...] = (
    {"suspend": True},
    {"suspend": None},
    {"history": {"runs": 20}},
    {"triggers": {"schedule": {"cron": "0 3 * * 1"}}},
    {"decision": {"recheckAfter": "2h"}},
)


def edited(world: World) -> None:
    """All that an author may write without wanting another look."""
    for edit in UNRELATED:
        world.edit(**edit)
        world.settle()
        assert world.live == []


def test_the_breaker_stays_open_over_edits_that_mend_nothing() -> None:
    world = World().degraded()
    for _ in range(3):
        _fail_once(world)
    edited(world)
    assert world.condition("Ready") == ("False", "RepeatedFailures")
    message = world.parsed.condition("Ready").message  # type: ignore[union-attr]
    assert "change spec in what bears on a training" in message


def test_the_pause_after_a_failed_run_outlasts_edits_that_mend_nothing() -> None:
    world = World().degraded()
    world.finish(phase=JobPhase.FAILED, failure="BackoffLimitExceeded", detail="It crashed")
    recheck = world.parsed.recheck
    assert recheck is not None
    edited(world)
    assert world.parsed.recheck == recheck
    world.now = recheck.time
    world.settle()
    assert world.live == ["news-1a2b3c-3-diagnose"]


def test_the_pause_after_a_failed_run_outlasts_a_slip_of_the_pen() -> None:
    world = World().degraded()
    world.finish(phase=JobPhase.FAILED, failure="BackoffLimitExceeded", detail="It crashed")
    recheck = world.parsed.recheck
    world.edit(training={"timeout": "1 fortnight"})
    world.settle()
    assert world.condition("Ready") == ("False", "InvalidSpec")
    world.edit(training={"timeout": "4h"})
    world.settle()
    assert world.parsed.recheck == recheck
    assert world.live == []
    world.edit(training={"timeout": "5h"})
    world.settle()
    assert world.live == ["news-1a2b3c-3-diagnose"], "that may mend it"


def rejected() -> World:
    """A fine-tune, and the retrain after it, that the gate refused."""
    world = World().degraded()
    world.finish(world.diagnosis())
    world.finish(world.training(new=WORSE))
    world.finish(world.training(new=WORSE))
    return world


def test_what_was_rejected_is_not_trained_again_after_edits_that_change_no_training() -> None:
    world = rejected()
    edited(world)
    world.now += timedelta(days=2)
    world.settle()
    world.finish(world.diagnosis())
    assert world.parsed.decision is not None
    assert world.parsed.decision.reason == "NoNewEvidence"
    assert world.live == []


def by_release_before(world: World) -> None:
    """Status as it was written when nobody kept a digest of the spec."""
    for part in (world.status.get("recheck", {}), *world.status["history"]):
        part.pop("specDigest", None)


def test_a_status_without_digests_is_not_written_again_and_counts_by_its_generation() -> None:
    world = rejected()
    by_release_before(world)
    writes = world.writes
    world.settle()
    assert world.writes == writes, "an upgrade is no reason to write"
    assert world.parsed.recheck is not None
    world.now += timedelta(days=2)
    world.settle()
    world.finish(world.diagnosis())
    assert world.parsed.decision is not None
    assert world.parsed.decision.reason == "NoNewEvidence"
    by_release_before(world)
    world.edit(history={"runs": 20})
    world.settle()
    assert world.live == ["news-1a2b3c-5-diagnose"], "as it always was"


def test_a_new_default_that_nobody_wrote_is_no_other_spec() -> None:
    """An upgraded CRD fills in a field: the generation stays, the digest does not."""
    world = World().degraded()
    for _ in range(3):
        _fail_once(world)
    world.spec = merged(world.spec, {"gate": {"brandNew": 1}})
    world.settle()
    assert world.condition("Ready") == ("False", "RepeatedFailures")


def test_an_annotation_closes_the_breaker_for_what_was_before() -> None:
    world = World().degraded()
    for _ in range(3):
        _fail_once(world)
    assert world.live == []
    world.breaker_reset = world.now
    world.settle()
    assert world.live
    assert world.condition("Ready") == ("True", "Watching")


@pytest.mark.parametrize("step", [Step.DIAGNOSE, Step.TRAIN])
def test_a_run_that_waits_too_long_for_its_pod_ends_and_says_for_what(step: Step) -> None:
    world = World().degraded()
    if step is Step.TRAIN:
        world.finish(world.diagnosis())
    (name,) = world.live
    world.jobs[name] = replace(
        world.jobs[name],
        phase=JobPhase.PENDING,
        detail="Unschedulable: Insufficient nvidia.com/gpu",
    )
    world.now += timedelta(hours=24)
    world.settle()
    assert name in world.jobs
    world.now += timedelta(seconds=1)
    world.settle()
    assert name not in world.jobs
    ended = world.parsed.history[0]
    assert (ended.outcome, ended.reason) == (RunOutcome.FAILED, "PendingTimeout")
    assert "waited for 24h" in ended.message
    assert "Insufficient nvidia.com/gpu" in ended.message


def test_a_training_that_ran_too_long_is_not_tried_again() -> None:
    world = World().degraded()
    world.finish(world.diagnosis())
    (name,) = world.live
    world.jobs[name] = replace(world.jobs[name], deadline_exceeded=True)
    world.settle()
    assert name not in world.jobs
    ended = world.parsed.history[0]
    assert (ended.outcome, ended.reason) == (RunOutcome.FAILED, "DeadlineExceeded")
    assert "spec.training.timeout" in ended.message


def test_a_run_that_is_given_up_keeps_why_over_a_crash() -> None:
    world = World().degraded()
    (name,) = world.live
    world.jobs[name] = replace(world.jobs[name], phase=JobPhase.PENDING)
    world.now += timedelta(hours=25)
    effect = next_effect(world.seen())
    assert isinstance(effect, WriteStatus)
    world.do(effect)
    assert world.parsed.run is not None
    assert world.parsed.run.stopping is not None
    world.jobs[name] = replace(world.jobs[name], phase=JobPhase.RUNNING)  # it started after all
    world.settle()
    assert world.live == []
    assert world.parsed.history[0].reason == "PendingTimeout"


def test_a_report_that_came_in_time_counts_though_the_run_was_given_up() -> None:
    world = World().degraded()
    (name,) = world.live
    world.jobs[name] = replace(world.jobs[name], phase=JobPhase.PENDING)
    world.now += timedelta(hours=25)
    effect = next_effect(world.seen())
    assert effect is not None
    world.do(effect)
    world.jobs[name] = replace(world.jobs[name], phase=JobPhase.RUNNING)
    world.finish(world.diagnosis())
    assert world.parsed.run is not None
    assert (world.parsed.run.step, world.parsed.run.stopping) == (Step.TRAIN, None)


def _out_of_memory(world: World, *, told_by_the_trainer: bool) -> None:
    if told_by_the_trainer:
        report = world.report(outcome=Outcome.FAILED, reason="OutOfMemory", message="Too large.")
        world.finish(report, phase=JobPhase.FAILED)
    else:
        world.finish(phase=JobPhase.FAILED, failure="OOMKilled", detail="OOMKilled, code 137")


@pytest.mark.parametrize("told_by_the_trainer", [True, False])
def test_out_of_memory_is_tried_once_more_with_half_the_batch(*, told_by_the_trainer: bool) -> None:
    world = World().degraded()
    world.finish(world.diagnosis())
    first = world.requests["news-1a2b3c-2-train"]
    _out_of_memory(world, told_by_the_trainer=told_by_the_trainer)
    assert world.live == ["news-1a2b3c-3-train"]
    second = world.requests["news-1a2b3c-3-train"]
    assert second.recipes.fine_tune_arguments == {
        "per_device_train_batch_size": 16,
        "gradient_accumulation_steps": 2,
    }
    assert second.snapshot == first.snapshot
    assert (second.action, second.champion) == (first.action, first.champion)
    decision = world.parsed.decision
    assert decision is not None
    assert (decision.number, decision.action) == (3, Action.FINE_TUNE)
    assert decision.message.startswith("Run 2 ran out of memory: the same with half the batch")
    _out_of_memory(world, told_by_the_trainer=told_by_the_trainer)
    assert world.live == []
    ended = world.parsed.history[:2]
    assert [(entry.number, entry.reason) for entry in ended] == [
        (3, "OutOfMemory"),
        (2, "OutOfMemory"),
    ]
    assert "lower per_device_train_batch_size" in ended[0].message


def test_half_the_batch_is_half_of_what_the_kind_trains_with() -> None:
    spec = a_spec()
    spec["model"] = {**spec["model"], "task": "NextItem"}
    spec["data"].pop("columns", None)
    world = World(spec=spec)
    world.settle()
    world.finish(world.diagnosis())
    _out_of_memory(world, told_by_the_trainer=True)
    (name,) = world.live
    assert world.requests[name].recipes.retrain_arguments == {
        "per_device_train_batch_size": 32,
        "gradient_accumulation_steps": 2,
    }


def test_a_diagnosis_out_of_memory_is_not_tried_again() -> None:
    world = World().degraded()
    _out_of_memory(world, told_by_the_trainer=False)
    assert world.live == []
    assert world.parsed.history[0].reason == "OutOfMemory"


def test_a_second_try_counts_among_the_runs_that_are_allowed() -> None:
    limits = {"cooldown": "6h", "runs": {"max": 2, "per": "168h"}}
    world = World(spec=a_spec(limits=limits)).degraded()
    world.finish(world.diagnosis())
    _out_of_memory(world, told_by_the_trainer=True)
    assert world.live == []
    assert "spec.limits.runs allows no other try" in world.parsed.history[0].message


def test_history_keeps_as_many_runs_as_the_spec_says() -> None:
    limits = {"cooldown": "1s", "runs": {"max": 2, "per": "1s"}, "consecutiveFailures": 2}
    world = World(spec=a_spec(history={"runs": 2}, limits=limits)).degraded()
    for _ in range(3):
        world.finish(phase=JobPhase.FAILED, detail="It crashed")
        world.edit(gate={"minImprovement": world.generation / 1000})
        world.now += timedelta(days=2)
        world.settle()
    assert len(world.parsed.history) == 2


def test_the_baseline_is_written_once_where_max_drop_asks_for_it() -> None:
    level = Baseline(0.95, START, 2500)
    settled = replace(HEALTHY, level=level)
    plain = World().with_champion()
    plain.assessment = settled
    plain.settle()
    assert plain.parsed.champion is not None
    assert plain.parsed.champion.baseline is None

    metrics = a_spec()["metrics"]
    metrics["performance"]["maxDrop"] = 0.03
    world = World(spec=a_spec(metrics=metrics)).with_champion()
    world.assessment = settled
    writes = world.writes
    world.settle()
    assert world.writes == writes + 1
    assert world.status["champion"]["baseline"] == {
        "value": "0.95",
        "samples": 2500,
        "source": "Production",
        "time": "2026-11-23T12:00:00Z",
        "metric": "f2756edb9532",
    }
    world.assessment = replace(settled, level=Baseline(0.99, START))
    world.settle()
    assert world.writes == writes + 1
    assert world.config_map is not None
    assert "baseline" not in world.config_map["data"]["champion.json"]


def of_a_gauge(**performance: Any) -> dict[str, Any]:
    """A spec with these fields of the gauge."""
    return merged(a_spec(), {"metrics": {"performance": performance}})


SHARES = {"query": "model_accuracy", "thresholdRange": {"min": 0.9}, "maxDrop": 0.03}
PER_CENT = {"query": "100 * model_accuracy", "thresholdRange": {"min": 90}, "maxDrop": 3}


def test_a_baseline_of_another_metric_is_no_bound_and_is_learnt_again() -> None:
    world = World(spec=of_a_gauge(**PER_CENT)).with_champion()
    world.read(95.0)
    assert world.status["champion"]["baseline"]["value"] == "95"
    world.edit(metrics={"performance": SHARES})
    world.read(0.95)
    assert world.condition("Degraded") == ("False", "WithinRange")
    assert world.parsed.run is None
    assert world.status["champion"]["baseline"]["value"] == "0.95"
    writes = world.writes
    world.now += timedelta(minutes=1)
    world.read(0.94)
    assert world.writes == writes, "learnt once"
    assert isinstance(world.read(0.91), Degraded), "held against the new one"


@pytest.mark.parametrize(
    "change", [{"match": {"model": "other"}}, {"query": "f1"}, {}], ids=["match", "query", "server"]
)
def test_a_baseline_is_of_a_server_a_query_and_what_matches(change: dict[str, Any]) -> None:
    world = World(spec=of_a_gauge(**SHARES)).with_champion()
    world.read(0.97)
    world.edit(metrics={"performance": {"recover": 0.93}})
    assert isinstance(world.read(0.935), Degraded), "what is judged otherwise is read alike"
    world.edit(metrics={"performance": change} if change else {"server": "another"})
    world.status["conditions"] = []
    assert isinstance(world.read(0.935), Healthy)


def test_a_baseline_from_before_there_was_a_digest_stays() -> None:
    world = World(spec=of_a_gauge(**SHARES)).with_champion()
    world.read(0.95)
    del world.status["champion"]["baseline"]["metric"]
    writes = world.writes
    world.read(0.935)
    assert world.writes == writes
    assert isinstance(world.read(0.91), Degraded)


def test_a_new_version_has_nothing_to_recover_from_and_a_baseline_of_its_own() -> None:
    world = World(spec=of_a_gauge(**{**SHARES, "recover": 0.95, "maxDrop": 0.02})).with_champion()
    world.read(0.85)
    world.now += timedelta(hours=1)
    world.finish(world.diagnosis())
    world.finish(world.training())
    assert world.parsed.champion is not None
    assert world.parsed.champion.version > 1
    world.read(0.85)  # none of it is of the new version
    assert world.condition("Degraded") == ("Unknown", "NewVersion")
    assert world.condition("MetricsAvailable") == ("Unknown", "AwaitingReadings")
    world.now += timedelta(days=1)
    world.read(0.94)
    assert world.condition("Degraded") == ("False", "WithinRange")
    assert world.notes[-1] == "Recovered"
    assert world.status["champion"]["baseline"]["value"] == "0.94"
    world.read(0.905)
    assert world.condition("Degraded") == ("True", "BelowThreshold")
    assert world.parsed.run is not None
    world.edit(suspend=True)
    assert isinstance(world.read(0.94), Degraded), "it was down itself, and has 0.95 to reach"


def test_a_version_that_a_person_brings_back_has_nothing_to_recover_from_either() -> None:
    world = World(spec=of_a_gauge(**{**SHARES, "recover": 0.95})).with_champion()
    world.edit(suspend=True)
    world.read(0.85)
    world.now += timedelta(hours=1)
    back = {"version": 77, "promotedTime": status_json.timestamp(world.now), "baseline": None}
    world.status["champion"] = {
        name: value for name, value in (world.status["champion"] | back).items() if value
    }
    world.now += timedelta(hours=1)  # nobody has looked meanwhile
    assert isinstance(world.read(0.94), Healthy)
    assert world.condition("Degraded") == ("False", "WithinRange")
    assert world.status["champion"]["baseline"]["value"] == "0.94"


def test_while_it_recovers_no_run_begins() -> None:
    world = World().with_champion()
    jobs = list(world.created)
    world.assessment = replace(DOWN, recovering=True)
    world.settle()
    assert world.created == jobs
    assert world.condition("Degraded")[0] == "True"


def test_readings_that_are_bad_and_too_few_are_not_called_good() -> None:
    world = World(spec=a_spec(suspend=True))
    assert isinstance(DOWN, Degraded)
    few = Healthy(DOWN.reading, breached=2, counted=2)
    world.assessment = few
    world.settle()
    assert world.condition("Degraded") == ("False", "WithinRange")
    assert "out of its range in 2 of 2 readings, which is not enough" in said(world, "Degraded")
    world.assessment = replace(DOWN, recovering=True, breached=2, counted=2)
    world.settle()
    assert world.condition("Degraded")[0] == "True"
    assert "0.8 is not yet within 0.9" in said(world, "Degraded")


def said(world: World, kind: str) -> str:
    return next(c["message"] for c in world.status["conditions"] if c["type"] == kind)


def test_a_missing_metric_that_counts_as_bad_is_said_in_both_conditions() -> None:
    world = World().with_champion()
    before = world.parsed.performance
    missing = Reading(START, math.nan)
    world.assessment = replace(DOWN, reading=missing)
    world.settle()
    assert world.condition("Degraded") == ("True", "Missing")
    assert world.condition("MetricsAvailable") == ("False", "NoData")
    assert world.parsed.performance == before
    assert world.parsed.run is not None
    world.finish(world.diagnosis())
    assert world.parsed.decision is not None
    assert "Accuracy (missing) was below 0.9" in world.parsed.decision.message


def test_a_metric_that_comes_and_goes_while_degraded_writes_once() -> None:
    world = World(spec=a_spec(suspend=True))
    world.assessment = DOWN
    world.settle()
    writes = world.writes
    world.assessment = replace(DOWN, recovering=True)
    world.settle()
    world.assessment = DOWN
    world.settle()
    assert world.writes == writes


HOUR = timedelta(hours=1)


def _scheduled(*, ago: timedelta) -> World:
    world = World().with_champion()
    world.now += timedelta(days=10)
    world.scheduled = (world.now - ago, world.now - ago + timedelta(days=7))
    return world


def test_a_scheduled_time_begins_one_run_though_the_metric_is_well() -> None:
    world = _scheduled(ago=HOUR)
    world.settle()
    run = world.parsed.run
    assert run is not None
    assert run.trigger is Trigger.SCHEDULE
    world.finish(world.diagnosis())
    decision = world.parsed.decision
    assert decision is not None
    step = decision.path[0]
    assert (step.question, step.answer) == (Question.PERFORMANCE_DROP, Answer.YES)
    assert step.evidence[0].name == "accuracyOnNewRows"
    assert (step.evidence[0].value, step.evidence[0].threshold) == ("0.5", "0.9")
    world.finish(world.training())
    created = list(world.created)
    world.now += timedelta(hours=7)
    world.settle()
    assert world.created == created, "one run for one time"


def test_no_drop_in_the_labels_means_that_nothing_is_done() -> None:
    world = _scheduled(ago=HOUR)
    world.new_correct = 268
    world.settle()
    world.finish(world.diagnosis())
    decision = world.parsed.decision
    assert decision is not None
    assert (decision.action, decision.reason) == (Action.NONE, "NoDropFound")
    assert "89.3% of 300" in decision.message
    assert decision.path[0].answer is Answer.NO
    assert world.parsed.run is None
    created = list(world.created)
    world.now += 2 * HOUR
    world.settle()
    assert world.created == created


def test_a_time_that_was_missed_by_far_or_lies_before_the_last_look_is_let_go() -> None:
    late = _scheduled(ago=timedelta(hours=25))
    late.settle()
    assert late.live == []
    before = World().with_champion()
    before.scheduled = (START - HOUR, before.now + HOUR)
    before.settle()
    assert before.live == []


def test_new_labels_begin_a_run_when_there_are_enough() -> None:
    data = {"newData": {"query": "sum(increase(labels_total[{{ interval }}]))", "min": 1000}}
    world = World(spec=a_spec(triggers=data)).with_champion()
    for arrived in (None, 999.0):
        world.labels_arrived = arrived
        world.settle()
        assert world.live == []
    world.labels_arrived = 1000
    world.settle()
    assert world.parsed.run is not None
    assert world.parsed.run.trigger is Trigger.NEW_DATA


def test_a_drop_comes_before_a_scheduled_time() -> None:
    world = _scheduled(ago=HOUR)
    world.assessment = DOWN
    world.settle()
    assert world.parsed.run is not None
    assert world.parsed.run.trigger is Trigger.PERFORMANCE_DROP


def test_runs_are_limited() -> None:
    world = World(spec=a_spec(limits={"cooldown": "1m", "runs": {"max": 2, "per": "168h"}}))
    world.degraded()
    world.finish(world.diagnosis())
    world.finish(world.training())
    world.now += timedelta(hours=1)
    world.settle()
    world.finish(world.diagnosis(snapshot_digest="sha256:more"))
    decision = world.parsed.decision
    assert decision is not None
    assert (decision.action, decision.reason) == (Action.WAIT, "RunLimitReached")


def test_looking_twice_is_harmless_at_every_point() -> None:
    """An operator that sees the same thing again, or starts anew, does the same thing."""
    world = World()

    def settle_with_doubt() -> None:
        for _ in range(20):
            first, second = next_effect(world.seen()), next_effect(world.seen())
            assert first == second
            if first is None:
                return
            world.do(first)

    settle_with_doubt()
    world.finish(world.diagnosis())
    settle_with_doubt()
    world.finish(world.training())
    settle_with_doubt()
    assert len(world.created) == len(set(world.created)) == 2


def test_wanted_is_none_when_nothing_is_wrong() -> None:
    assert wanted(World().with_champion().seen()) is None


def test_status_written_by_hand_is_an_error_that_names_the_field() -> None:
    with pytest.raises(SpecError, match=r"status\.champion\.version"):
        status_json.read({"champion": {"version": "two"}})


@pytest.mark.parametrize("moment", ["allocated", "decided", "promoted"])
def test_status_survives_the_way_through_the_api_server(moment: str) -> None:
    world = World().degraded()
    if moment != "allocated":
        world.finish(world.diagnosis())
    if moment == "promoted":
        world.finish(world.training())
    assert status_json.write(status_json.read(world.status)) == world.status
    with pytest.raises((SpecError, ContractError)):
        status_json.read(world.status | {"history": [{"number": 0}]})


@pytest.mark.parametrize("seconds, kept", [(-5.0, 0), (61.7, 62), (1e300, 2**53)])
def test_numbers_of_a_hostile_report_stay_within_the_schema(seconds: float, kept: int) -> None:
    world = World().degraded()
    world.finish(world.diagnosis())
    world.finish(world.training(timings={"train": seconds}))
    assert world.status["history"][0]["trainSeconds"] == kept


def racing() -> World:
    """No cause is named, and the spec asks for a race."""
    decision = {
        "policy": "Evidence",
        "onAmbiguous": "Race",
        "minNewRows": 300,
        "recheckAfter": "1h",
    }
    world = World(spec=a_spec(decision=decision)).degraded()
    world.answer = world.drift = Answer.UNDETERMINED
    found = world.diagnosis().diagnosis
    assert found is not None
    unsettled = tuple(Finding(f.question, Answer.UNDETERMINED) for f in found.findings)
    world.finish(world.diagnosis(diagnosis=replace(found, findings=unsettled)))
    return world


def test_where_no_cause_is_named_both_ways_race_in_one_job() -> None:
    world = racing()

    (job,) = world.live
    request = world.requests[job]
    assert (request.race, request.action) == (True, TrainingAction.FINE_TUNE)
    assert request.recipes.new_data_percent == 50, "of the retrain"
    decision = world.parsed.decision
    assert decision is not None
    assert decision.reason == "Undetermined"
    assert "fine-tune and retrain race (spec.decision.onAmbiguous)" in decision.message
    version = 1 + request.run + 1
    won = Candidate(version, f"sha256:v{version}", TrainingAction.RETRAIN)
    world.finish(world.training(candidate=won, message="Of 300 held-out rows Retrain gets 250."))
    champion = world.parsed.champion
    assert champion is not None
    assert (champion.version, champion.action) == (version, TrainingAction.RETRAIN)
    assert world.parsed.history[0].message.startswith("Retrain won the race. Of 300 held-out rows")


def test_the_better_of_two_is_asked_for_half_the_error() -> None:
    world = racing()
    # 10 against 3: p is .046, enough for one challenger and too much for the better of two.
    world.finish(world.training(new=paired(300, 150, 3, 10)))

    entry = world.parsed.history[0]
    assert (entry.outcome, entry.reason) == (RunOutcome.REJECTED, "NoImprovement")
    assert "asked for 0.025" in entry.message


def test_a_rejected_race_does_not_escalate() -> None:
    world = racing()
    world.finish(world.training(new=WORSE))

    assert world.live == []
    assert world.parsed.run is None
    assert world.parsed.recheck is not None


def test_a_replaced_concept_is_fine_tuned_without_contradicted_rows_and_not_retrained() -> None:
    decision = {"policy": "Evidence", "minNewRows": 300, "recheckAfter": "1h"}
    world = World(spec=a_spec(decision=decision), new_correct=130).degraded()
    found = world.diagnosis().diagnosis
    assert found is not None
    risen = Finding(
        Question.CONCEPT_DRIFT,
        Answer.UNDETERMINED,
        (Evidence("unexplainedErrorRise", 0.45, None, 1e-9, 500, upper=0.5),),
    )
    told = (found.findings[0], risen, found.findings[2])
    world.finish(world.diagnosis(diagnosis=replace(found, findings=told)))

    request = world.requests[world.live[0]]
    assert (request.action, request.exclude_contradicted) == (TrainingAction.FINE_TUNE, True)
    before = deepcopy(world)
    world.finish(world.training(old=WORSE))
    assert world.parsed.history[0].outcome is RunOutcome.PROMOTED, "old labels are out of date"
    before.finish(before.training(new=WORSE))
    assert before.parsed.history[0].outcome is RunOutcome.REJECTED
    assert (before.live, before.parsed.run) == ([], None), "a retrain would learn from the same"


def test_after_a_label_shift_old_rows_are_judged_in_the_new_shares() -> None:
    decision = {"policy": "Evidence", "minNewRows": 300, "recheckAfter": "1h"}
    world = World(spec=a_spec(decision=decision)).degraded()
    found = world.diagnosis().diagnosis
    assert found is not None
    moved = Finding(
        Question.DATA_DISTRIBUTION_SHIFT,
        Answer.MINOR,
        (
            Evidence("classMix", 0.2, None, 1e-9, 500, upper=0.25),
            Evidence("shiftWithinClassesAuc", 0.5, None, 0.6, 500, upper=0.53),
        ),
    )
    world.finish(world.diagnosis(diagnosis=replace(found, findings=(moved, *found.findings[2:]))))

    (job,) = world.live
    request = world.requests[job]
    assert (request.old_at_new_mix, request.action) == (True, TrainingAction.FINE_TUNE)
    world.finish(world.training(new=WORSE))
    (job,) = world.live
    assert not world.requests[job].old_at_new_mix, "the retrain of an escalation keeps both mixes"
