"""One resource explained, and several in a table: values in, text out."""

import json
from datetime import timedelta
from typing import Any

import pytest
import yaml
from support.bodies import (
    CHAMPION,
    DECISION,
    DOWN,
    FINE,
    FOLLOWED,
    IDLE,
    LONGEST_NAME,
    NOW,
    PERFORMANCE,
    READ,
    RUN,
    SPEC,
    ago,
    body,
    condition,
    entry,
)

from maintenance_core.model import (
    Degraded,
    Healthy,
    Reading,
    Step,
    ThresholdRange,
    Unknown,
)
from maintenance_operator.cli.layout import Page
from maintenance_operator.cli.outlook import State, actions_needed, outlook, state
from maintenance_operator.cli.resource import LiveJob, read
from maintenance_operator.cli.status import View, document, explained, listed

STALLED = condition("Ready", "False", "InvalidSpec", "spec.metrics.interval: write it like 5m")
UNREAD = condition("MetricsAvailable", "False", "NoData", "The query yields no series.")
AWAITING = condition("MetricsAvailable", "Unknown", "AwaitingReadings", "None counts yet.")
BRINGING = {**SPEC, "model": {**SPEC["model"], "initialModel": {"storageUri": "hf://org/news"}}}
QUEUED = condition("Training", "True", "Queued", "0/3 nodes are available.")
TRAINING = condition("Training", "True", "Running")
UNMOUNTED = condition("Training", "True", "MountFailed", "PersistentVolumeClaim news not found")
LEFT_OVER = condition("Training", "False", "JobLeftOver", "Nothing begins. Job news-train-3.")
HELD = condition("Training", "False", "Held", "Many resources of its server left their range.")
RELABELLED = condition("Training", "True", "JobRelabelled", "Of the Job, managed-by is x.")
FOREIGN = condition("Training", "True", "ForeignPod", "Pods: news-x (image).")
REFUSED = condition("Training", "False", "JobRefused", "exceeded quota")
TERMINATING = condition("Training", "True", "Terminating", "it waits for its pods to end")
DIAGNOSE = {**RUN, "step": "Diagnose", "action": None, "trainStartTime": None}
NEVER = {"observedGeneration": -1}
BLOCKED = {**DECISION, "action": "Blocked", "reason": "DataUnusable", "message": "No column."}
RECHECK = {"count": 1, "time": ago(minutes=-44)}
FAILED = entry(
    8, outcome="Failed", reason="JobFailed", message="Out of memory.", endTime=ago(hours=1)
)

STATES: dict[str, tuple[dict[str, Any], State]] = {
    "healthy": (body(FOLLOWED, READ, FINE, IDLE, champion=CHAMPION), State.HEALTHY),
    "down": (body(FOLLOWED, READ, DOWN, IDLE, champion=CHAMPION), State.DEGRADED),
    "bad, but too seldom": (
        body(FOLLOWED, READ, FINE, IDLE, champion=CHAMPION, performance=PERFORMANCE),
        State.DOUBTFUL,
    ),
    "held with many others": (
        body(FOLLOWED, READ, DOWN, HELD, champion=CHAMPION),
        State.HELD,
    ),
    "no model": (body(FOLLOWED, READ, DOWN, IDLE), State.NO_MODEL),
    "no metric": (body(FOLLOWED, UNREAD, DOWN, IDLE, champion=CHAMPION), State.NO_METRIC),
    "stalled": (body(STALLED, UNREAD, champion=CHAMPION), State.STALLED),
    "stalled in a run": (body(STALLED, UNREAD, run=RUN), State.STALLED),
    "diagnosing": (body(FOLLOWED, READ, DOWN, run=DIAGNOSE), State.DIAGNOSING),
    "queued": (body(FOLLOWED, READ, DOWN, QUEUED, run=RUN), State.QUEUED),
    "not mounted": (body(FOLLOWED, READ, DOWN, UNMOUNTED, run=RUN), State.MOUNT_FAILED),
    "diagnosis not mounted": (
        body(FOLLOWED, READ, DOWN, UNMOUNTED, run=DIAGNOSE),
        State.MOUNT_FAILED,
    ),
    "a pod of another's": (body(FOLLOWED, READ, DOWN, FOREIGN, run=RUN), State.FOREIGN_POD),
    "its Job refused": (body(FOLLOWED, READ, DOWN, REFUSED, run=RUN), State.JOB_REFUSED),
    "its Job deleted": (body(FOLLOWED, READ, DOWN, TERMINATING, run=RUN), State.ENDING),
    "not begun": (body(FOLLOWED, READ, DOWN, run=RUN), State.QUEUED),
    "training": (body(FOLLOWED, READ, DOWN, TRAINING, run=RUN), State.TRAINING),
    "relabelled": (body(FOLLOWED, READ, DOWN, RELABELLED, run=RUN), State.TRAINING),
    "importing": (body(FOLLOWED, READ, DOWN, run={**RUN, "action": "Import"}), State.IMPORTING),
    "reporting": (body(FOLLOWED, READ, DOWN, run={**RUN, "step": "Report"}), State.REPORTING),
    "suspended": (
        body(FOLLOWED, READ, FINE, spec={**SPEC, "suspend": True}, champion=CHAMPION),
        State.SUSPENDED,
    ),
    "never seen": (body(**NEVER), State.UNSEEN),
    "changed since": (body(FOLLOWED, READ, observedGeneration=0), State.UNSEEN),
    "status spoilt": (body(FOLLOWED, champion={"version": "six"}), State.STALLED),
    "an older schema": (body(FOLLOWED, READ, FINE, spec={}, champion=CHAMPION), State.HEALTHY),
    "nothing at all": (
        {"metadata": {"name": "news", "namespace": "finance", "generation": 1}},
        State.UNSEEN,
    ),
}


@pytest.mark.parametrize("case", STATES)
def test_the_word_for_a_state_and_a_text_that_has_everything(case: str) -> None:
    resource = read(STATES[case][0])
    assert state(resource) is STATES[case][1]
    text = explained(View(resource, NOW), Page(80))
    assert max(map(len, text.splitlines())) <= 80
    labels = [line.split("  ")[0] for line in text.splitlines() if not line.startswith(" ")]
    assert [label for label in labels[2:] if label] == [
        "Performance",
        "In service",
        "Run",
        "Decision",
        "Last run",
        "Next",
        "You",
    ]
    assert "\x1b" not in text
    json.dumps(document(View(resource, NOW)), allow_nan=False)


def test_a_run_explained() -> None:
    resource = read(
        body(
            FOLLOWED,
            READ,
            DOWN,
            TRAINING,
            champion=CHAMPION,
            performance=PERFORMANCE,
            decision=DECISION,
            run=RUN,
            history=[entry()],
        )
    )
    job = LiveJob("news-1a2b3c-7-train", Step.TRAIN, NOW, NOW + timedelta(hours=3, minutes=44))
    assert explained(View(resource, NOW, job), Page(100)) == (
        """\
finance/news is training a new version.

Performance   0.87, floor 0.9, on 1250 samples, read 20m ago (2026-11-23 17:40 UTC)
In service    version 6 by Retrain, for 12d (since 2026-11-11 18:00 UTC), in
              pvc://models/news/versions/6
Run           7, Train (FineTune) for 16m, begun 2026-11-23 17:41 UTC because of PerformanceDrop
              Job news-1a2b3c-7-train
Decision      7: FineTune (DomainExpansion), 16m ago, because of PerformanceDrop
              Accuracy 0.87 was below 0.9 in 3 of 5 readings (1250 samples).
              PerformanceDrop? Yes: accuracy 0.87 (threshold 0.9, n 1250)
              ConceptDrift? No
              not Retrain: No question is answered Major.
Last run      6: Retrain Promoted (ChallengerWins), 12d ago
              Better: 94% right, the champion 88%.
Next          The training ends, and the gate compares the new version with the one in service: in
              3h44m at the latest (2026-11-23 21:44 UTC).
You           nothing to do."""
    )


def test_a_model_to_begin_with_that_comes_too_late_is_said_to_be_ignored() -> None:
    late = read(body(FOLLOWED, READ, FINE, spec=BRINGING, champion=CHAMPION))
    told = "spec.model.initialModel is not looked at any more: it is for a first version alone"
    assert told in explained(View(late, NOW), Page(120))
    usual = read(body(FOLLOWED, READ, FINE, champion=CHAMPION))
    assert "initialModel" not in explained(View(usual, NOW), Page(120))
    early = read(body(FOLLOWED, READ, FINE, spec=BRINGING))
    assert "not looked at" not in explained(View(early, NOW), Page(120))


# --- what happens next ------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, what, minutes",
    [
        (body(FOLLOWED, READ, FINE, champion=CHAMPION), "The next reading", 4.5),
        (body(FOLLOWED, UNREAD, DOWN, champion=CHAMPION), "The metric is read again", 4.5),
        (body(FOLLOWED, READ, DOWN, champion=CHAMPION), "A run begins: performance is down", None),
        (body(FOLLOWED, READ, DOWN), "A run begins: a first version is wanted", None),
        (body(FOLLOWED, READ, DOWN, spec=BRINGING), "A run begins: spec.model.initialModel", None),
        (body(FOLLOWED, READ, DOWN, run={**RUN, "action": "Import"}), "The model is copied", None),
        (
            body(FOLLOWED, READ, DOWN, champion=CHAMPION, recheck=RECHECK),
            "A run may begin, if performance is still down",
            44,
        ),
        (
            body(FOLLOWED, READ, DOWN, champion=CHAMPION, history=[entry(endTime=ago(hours=1))]),
            "A run may begin, if performance is still down",
            300,
        ),
        (body(STALLED, champion=CHAMPION), "Nothing, until it is mended.", None),
        (body(FOLLOWED, READ, DOWN, run=DIAGNOSE), "The diagnosis ends", None),
        (
            body(FOLLOWED, READ, DOWN, run=RUN, spec={**SPEC, "suspend": True}),
            "The run is stopped, because spec.suspend is true.",
            None,
        ),
    ],
)
def test_what_happens_next_and_when(
    given: dict[str, Any], what: str, minutes: float | None
) -> None:
    coming = outlook(read(given), NOW)
    assert coming.what.startswith(what)
    assert coming.time == (None if minutes is None else NOW + timedelta(minutes=minutes))


# --- what a person must do --------------------------------------------------------------


@pytest.mark.parametrize(
    "given, expected",
    [
        (body(FOLLOWED, READ, FINE, IDLE, champion=CHAMPION), []),
        (body(FOLLOWED, AWAITING, champion=CHAMPION), []),
        (body(FOLLOWED, READ, DOWN, TRAINING, champion=CHAMPION, run=RUN), []),
        (body(STALLED, UNREAD), [("InvalidSpec", "spec.metrics.interval: write it like 5m")]),
        (body(FOLLOWED, UNREAD), [("NoData", "The query yields no series.")]),
        (body(FOLLOWED, READ, DOWN, decision=BLOCKED), [("DataUnusable", "No column.")]),
        (
            body(FOLLOWED, READ, FINE, champion=CHAMPION, decision=BLOCKED),
            [],  # what it was blocked for has passed
        ),
        (
            body(FOLLOWED, READ, DOWN, champion=CHAMPION, decision=DECISION, history=[FAILED]),
            [("JobFailed", "Out of memory.")],
        ),
        (
            body(
                FOLLOWED,
                READ,
                DOWN,
                champion=CHAMPION,
                decision={**BLOCKED, "number": 9},
                history=[FAILED],
            ),
            [("DataUnusable", "No column.")],
        ),
    ],
)
def test_what_a_person_must_do(given: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert [(task.reason, task.what) for task in actions_needed(read(given), NOW)] == expected


def test_a_job_that_waits_is_a_persons_business() -> None:
    resource = read(body(FOLLOWED, READ, DOWN, QUEUED, run=RUN))
    job = LiveJob("news-train", Step.TRAIN, waiting_for="Unschedulable: 0/3 nodes are available")
    (task,) = actions_needed(resource, NOW, job)
    assert task.reason == "Queued"
    assert "0/3 nodes" in task.what
    assert "0/3 nodes" in explained(View(resource, NOW, job), Page())


@pytest.mark.parametrize("training", [UNMOUNTED, FOREIGN, REFUSED])
@pytest.mark.parametrize("run", [RUN, DIAGNOSE])
def test_what_is_in_the_way_of_a_run_is_said_by_its_own_name(
    training: dict[str, Any], run: dict[str, Any]
) -> None:
    resource = read(body(FOLLOWED, READ, DOWN, training, run=run))
    job = LiveJob("news-train", Step.TRAIN, waiting_for="FailedMount: not found")
    for known in (None, job):
        (task,) = actions_needed(resource, NOW, known)
        assert (task.reason, task.what) == (training["reason"], training["message"])
    assert "1 waits for a person" in listed([View(resource, NOW)], Page(), namespaces=True)
    assert "is training" not in explained(View(resource, NOW, job), Page())
    assert "gate" not in outlook(resource, NOW, job).what


def test_a_job_of_no_run_is_in_the_way_and_nothing_is_promised() -> None:
    resource = read(body(FOLLOWED, READ, DOWN, LEFT_OVER))
    told = [task for task in actions_needed(resource, NOW) if task.reason == "JobLeftOver"]
    assert [task.what for task in told] == [LEFT_OVER["message"]]
    assert outlook(resource, NOW).what.startswith("No run begins until the Job that goes on")
    freed = read(body(FOLLOWED, READ, DOWN))
    assert "No run begins" not in outlook(freed, NOW).what


def test_a_job_that_is_deleted_is_nobodys_business_yet() -> None:
    resource = read(body(FOLLOWED, READ, DOWN, TERMINATING, run=RUN))
    assert actions_needed(resource, NOW) == ()
    assert outlook(resource, NOW).what == "The run goes on, or ends, when its Job is gone."


@pytest.mark.parametrize(
    "task, baseline",
    [
        ("TextClassification", "the most frequent label"),
        ("TimeSeriesClassification", "the most frequent label"),
        ("TabularRegression", "the median"),
        ("TimeSeriesForecasting", "the last number or the season before"),
        ("NextItem", "the most popular items"),
        ("CausalLM", "how often each piece of text is answered"),
    ],
)
def test_a_first_version_is_compared_with_what_needs_no_model_of_its_kind(
    task: str, baseline: str
) -> None:
    compared = ("championVersion", "championDigest")
    first = {key: its for key, its in RUN.items() if key not in compared}
    run = {**first, "spec": {"model": {"task": task}}}
    coming = outlook(read(body(FOLLOWED, READ, DOWN, TRAINING, run=run)), NOW)
    assert coming.what.endswith(f"the gate compares the new version with {baseline}")


@pytest.mark.parametrize("old", [True, False])
def test_a_resource_that_nobody_looks_at_asks_for_an_operator(*, old: bool) -> None:
    given = body(**NEVER)
    given["metadata"]["creationTimestamp"] = ago(minutes=20 if old else 1)
    told = [task.reason for task in actions_needed(read(given), NOW)]
    assert told == (["NotLookedAt"] if old else [])


# --- readings that were just made -------------------------------------------------------


@pytest.mark.parametrize(
    "live, part",
    [
        (Healthy(Reading(NOW, 0.95, 800), 1, 5), "0.95, floor 0.9, on 800 samples, read 0s ago"),
        (
            Degraded(Reading(NOW, 0.8), 4, 5, ThresholdRange(min=0.9)),
            "4 of 5 readings are bad",
        ),
        (Unknown("NoData", "Nothing there."), "no reading: NoData. Nothing there."),
    ],
)
def test_a_live_reading_takes_the_place_of_the_one_in_status(live: Any, part: str) -> None:
    resource = read(body(FOLLOWED, READ, DOWN, champion=CHAMPION, performance=PERFORMANCE))
    text = explained(View(resource, NOW, None, live), Page())
    assert part in text
    assert "20m ago (2026-11-23 17:40" not in text


# --- several ----------------------------------------------------------------------------


def test_a_table() -> None:
    views = [
        View(read(given), NOW)
        for given in (
            body(
                FOLLOWED,
                READ,
                DOWN,
                TRAINING,
                name="busy",
                champion=CHAMPION,
                performance=PERFORMANCE,
                decision=DECISION,
                run=RUN,
            ),
            body(STALLED, name="stalled"),
        )
    ]
    assert listed(views, Page(), namespaces=True) == (
        """\
NAMESPACE   NAME      STATE      READING   BOUND   VERSION   RUN           DECISION                   NEXT
finance     busy      Training   0.87      >=0.9   6         7 Train 19m   FineTune DomainExpansion   -
finance     stalled   Stalled    -         >=0.9   -         -             -                          -

1 waits for a person: kubectl mm status NAME says for what."""  # noqa: E501 - as it is printed
    )


def test_the_longest_name_leaves_room_for_the_rest() -> None:
    resource = read(
        body(FOLLOWED, READ, DOWN, name=LONGEST_NAME, champion=CHAMPION, performance=PERFORMANCE)
    )
    row = listed([View(resource, NOW)], Page(100), namespaces=True).splitlines()[1]
    assert len(row) <= 100
    assert "Degraded" in row
    assert "0.87" in row
    text = explained(View(resource, NOW), Page(60))
    assert max(map(len, text.splitlines())) <= 60
    assert "".join(text.split()).startswith(f"finance/{LONGEST_NAME}performs")


def test_a_ceiling_is_told_as_one() -> None:
    metrics = SPEC["metrics"]
    performance = {**metrics["performance"], "thresholdRange": {"max": 0.2}}
    spec = {**SPEC, "metrics": {**metrics, "performance": performance}}
    view = View(read(body(FOLLOWED, READ, DOWN, spec=spec, performance=PERFORMANCE)), NOW)
    assert "0.87, ceiling 0.2" in explained(view, Page())
    assert "<=0.2" in listed([view], Page(), namespaces=False)


def test_machines_get_the_same() -> None:
    resource = read(body(FOLLOWED, READ, DOWN, champion=CHAMPION, decision=BLOCKED, run=DIAGNOSE))
    told = document(View(resource, NOW))
    assert told == yaml.safe_load(yaml.safe_dump(told))
    assert told["state"] == "Diagnosing"
    assert told["bound"] == {"min": 0.9, "max": None}
    assert told["champion"]["version"] == 6
    assert "spec" not in told["run"]
    assert told["decision"]["path"][0]["evidence"][0]["n"] == 1250


def test_what_is_held_begins_no_run() -> None:
    resource = read(body(FOLLOWED, READ, DOWN, HELD, champion=CHAMPION))
    assert "No run begins by the metric" in outlook(resource, NOW).what
    assert [task.reason for task in actions_needed(resource, NOW)] == ["Held"]


def test_after_a_reset_the_next_run_is_named() -> None:
    failed = [
        entry(number, generation=1, outcome="Failed", reason="X", endTime=ago(hours=10 - number))
        for number in (9, 8, 7)
    ]
    found = body(FOLLOWED, READ, DOWN, IDLE, champion=CHAMPION, history=failed, recheck=RECHECK)
    assert outlook(read(found), NOW).what == "The next reading"
    found["metadata"]["annotations"] = {"modelmaintenance.dev/breaker-reset": ago(minutes=1)}
    assert outlook(read(found), NOW).what.startswith("A run may begin")


def test_a_query_of_new_data_that_is_at_fault_is_somebody_s_to_mend() -> None:
    told = "spec.triggers.newData is not followed (InvalidQuery): unclosed parenthesis Reading 0.9."
    read_too = condition("MetricsAvailable", "True", "Reading", told)
    resource = read(body(FOLLOWED, read_too, FINE, IDLE, champion=CHAMPION))
    assert state(resource) is State.HEALTHY
    (task,) = actions_needed(resource, NOW)
    assert (task.reason, task.what) == ("InvalidQuery", told)
