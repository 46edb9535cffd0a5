"""What the API server refuses is told, tried again, and stops nothing else."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.world import DOWN, HEALTHY, World, a_spec
from typing_extensions import override

from maintenance_core.errors import ClusterError
from maintenance_core.lifecycle.next_effect import next_effect
from maintenance_core.lifecycle.observation import Observation
from maintenance_core.lifecycle.refusals import (
    HELD_UNTOLD,
    LONGEST_WAIT,
    request_of,
    still_asked,
    wait_after,
)
from maintenance_core.lifecycle.requeue import LEAST_WAIT, LIVE_RUN_LOOK, requeue_after
from maintenance_core.lifecycle.steady_state import steady_state
from maintenance_core.model import (
    CreateJob,
    DeleteJob,
    Effect,
    JobPhase,
    Refusal,
    Request,
    RunOutcome,
    WriteConfigMap,
    WriteStatus,
)
from maintenance_operator.refusals import Refusals, not_of

KEY = ("finance", "news")
IMMUTABLE = ClusterError(
    "PUT …: 422",
    refused=True,
    code=422,
    words='Invalid: ConfigMap "news-champion" is invalid: data: Forbidden: field is immutable when '
    "`immutable` is set",
)
NO_RIGHT = ClusterError(
    "403",
    refused=True,
    code=403,
    words='Forbidden: configmaps "news-champion" is forbidden: User '
    '"system:serviceaccount:mm:operator" cannot update resource "configmaps" in API group ""',
)
POLICY = ClusterError(
    "400",
    refused=True,
    code=400,
    words='BadRequest: admission webhook "policy.example.com" denied the request: label team',
)
QUOTA = ClusterError(
    "403",
    refused=True,
    code=403,
    words="Forbidden: exceeded quota: gpu, requested: count/jobs.batch=1, used: 4, limited: 4",
)
INVALID = ClusterError(
    "422",
    refused=True,
    code=422,
    words="Invalid: Job is invalid: spec.template.spec.tolerations[0].operator: Invalid value",
)
WEBHOOK_AWAY = ClusterError(
    "500",
    code=500,
    words='InternalError: failed calling webhook "x.example.com": Post '
    '"https://user:password@x.svc:443/check?token=secret": connect: connection refused',
)


@dataclass
class Denying(World):
    """A world whose API server refuses some effects; told and tried again as by the shell."""

    denied: dict[type[Effect], ClusterError] = field(default_factory=dict)
    known: Refusals = field(default_factory=Refusals)
    tried: list[Effect] = field(default_factory=list)

    @override
    def seen(self) -> Observation:
        self.refusals = self.known.of(KEY, self.identity.uid)
        return super().seen()

    @override
    def do(self, effect: Effect) -> None:
        error = self.denied.get(type(effect))
        self.tried.append(effect)
        if error is not None:
            asked = request_of(self.seen(), effect)
            self.known.add(KEY, self.identity.uid, asked, error, self.now)
            return
        super().do(effect)
        self.known.keep(KEY, self.identity.uid, not_of(effect))

    @override
    def settle(self) -> None:
        super().settle()
        seen = self.seen()
        self.known.keep(KEY, self.identity.uid, lambda one: still_asked(seen, one))

    def later(self, wait: timedelta = LONGEST_WAIT) -> None:
        self.now += wait
        self.settle()

    def tries(self, kind: type[Effect]) -> int:
        return sum(isinstance(effect, kind) for effect in self.tried)

    def message(self, kind: str = "Ready") -> str:
        condition = self.parsed.condition(kind)
        assert condition is not None
        return condition.message


def a_refusal(request: Request, world: World) -> Refusal:
    return Refusal(
        request, "", refused=True, code=403, words=NO_RIGHT.words, count=1, until=world.now
    )


def denying() -> Denying:
    """A champion in service, whose next version is in training."""
    world = Denying()
    world.degraded()
    world.finish(world.diagnosis())
    world.tried.clear()
    return world


def promoted(error: ClusterError) -> Denying:
    """The ConfigMap of a new champion is refused."""
    world = denying()
    assert world.config_map is not None
    world.config_map["metadata"]["uid"] = "first"
    world.denied[WriteConfigMap] = error
    world.finish(world.training())
    return world


# --- the ConfigMap ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error, who",
    [
        (IMMUTABLE, "Somebody made it immutable, for good: delete it, and the operator makes"),
        (NO_RIGHT, "The platform team must grant the operator's service account that right"),
        (POLICY, "Do what that policy asks for"),
        (QUOTA, "The platform team must raise the quota"),
    ],
)
def test_a_refused_config_map_is_told_and_the_story_goes_on(error: ClusterError, who: str) -> None:
    world = promoted(error)
    assert world.condition("Ready") == ("False", "ChampionConfigMapRefused")
    assert world.condition("Stalled") == ("True", "ChampionConfigMapRefused")
    assert "ConfigMap news-champion: it names version 2, and version 5" in world.message()
    assert error.words.partition(": ")[2][:40] in world.message()
    assert who in world.message()
    assert world.notes.count("ChampionConfigMapRefused") == 1
    assert world.parsed.champion is not None
    assert world.parsed.champion.version == 5

    world.spec, world.generation = a_spec(suspend=True), world.generation + 1
    world.settle()
    assert world.parsed.observed_generation == world.generation, "spec edits are observed"

    del world.denied[WriteConfigMap]
    world.later()
    assert world.condition("Ready") == ("True", "Watching")
    assert world.config_map is not None
    assert world.config_map["data"]["version"] == "5"


@pytest.mark.slow
def test_a_refused_config_map_is_asked_for_ever_less_often_and_costs_no_status() -> None:
    world = promoted(POLICY)
    writes = world.writes
    assert world.tries(WriteConfigMap) == 1
    for _ in range(10):
        world.settle()  # woken for some other reason
    assert world.tries(WriteConfigMap) == 1
    for _ in range(600):
        world.later(timedelta(seconds=1))
    assert 12 <= world.tries(WriteConfigMap) <= 18
    assert world.writes == writes


def test_nothing_is_trained_while_servers_cannot_be_told_what_was_promoted() -> None:
    world = promoted(NO_RIGHT)
    world.assessment = DOWN
    world.later(timedelta(days=2))
    assert world.parsed.run is None
    del world.denied[WriteConfigMap]
    world.later()
    assert world.parsed.run is not None


def test_a_live_run_is_judged_while_the_config_map_is_refused() -> None:
    world = denying()
    world.denied[WriteConfigMap] = IMMUTABLE
    assert world.config_map is not None
    world.config_map["data"] = {"version": "1"}  # edited by hand, and then made immutable
    world.settle()
    assert world.condition("Ready") == ("False", "ChampionConfigMapRefused")
    world.finish(world.training())
    assert world.parsed.champion is not None
    assert world.parsed.champion.version == 5
    assert world.condition("Ready") == ("False", "ChampionConfigMapRefused")


def test_a_config_map_that_was_deleted_is_made_anew_at_once() -> None:
    world = promoted(IMMUTABLE)
    del world.denied[WriteConfigMap]
    world.config_map = None
    world.settle()
    assert world.condition("Ready") == ("True", "Watching")


def test_another_cause_is_told_anew() -> None:
    world = promoted(NO_RIGHT)
    world.denied[WriteConfigMap] = POLICY
    world.later()
    assert "policy.example.com" in world.message()


def test_bad_luck_is_told_when_it_lasts() -> None:
    world = promoted(WEBHOOK_AWAY)
    assert world.condition("Ready") == ("True", "Watching")
    world.later()
    world.later()
    assert world.condition("Ready") == ("False", "ChampionConfigMapRefused")
    assert "Whoever runs webhook x.example.com must bring it back" in world.message()
    assert "https://" not in world.message() or "x.svc:443:" not in world.message()
    for secret in ("password", "token", "secret", "/check"):
        assert secret not in world.message()


def test_a_config_map_that_may_not_be_read_begins_nothing_anew() -> None:
    """It may name the champion of a resource whose status is empty."""
    world = World()
    world.refusals = (a_refusal(Request.READ_CONFIG_MAP, world),)
    world.settle()
    assert world.created == []
    assert world.condition("Ready") == ("False", "ChampionConfigMapRefused")


# --- Jobs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [QUOTA, POLICY, NO_RIGHT])
def test_a_refused_job_is_waited_for_and_told(error: ClusterError) -> None:
    world = denying()
    world.finish(world.training())
    world.denied[CreateJob] = error
    world.assessment = DOWN
    world.later(timedelta(days=2))
    assert world.condition("Ready") == ("False", "JobRefused")
    assert world.condition("Training") == ("False", "JobRefused")
    assert error.words.partition(": ")[2][:40] in world.message()
    run = world.parsed.run
    assert run is not None
    tries, writes = world.tries(CreateJob), world.writes
    world.settle()
    assert (world.tries(CreateJob), world.writes) == (tries, writes)
    del world.denied[CreateJob]
    world.later()
    assert world.condition("Ready") == ("True", "Watching")
    assert world.live == [run.job_name]


def refused_job(error: ClusterError) -> Denying:
    world = Denying()
    world.with_champion()
    world.denied[CreateJob] = error
    world.assessment = DOWN
    world.settle()
    return world


def test_a_job_is_refused_for_no_longer_than_it_may_wait() -> None:
    world = refused_job(QUOTA)
    world.later(timedelta(hours=23))
    assert world.parsed.run is not None
    world.later(timedelta(hours=2))
    assert world.parsed.run is None
    assert world.parsed.history[0].reason == "JobRefused"
    assert "exceeded quota: gpu" in world.parsed.history[0].message
    assert world.condition("Ready") == ("False", "JobRefused"), "until the next run has its Job"


def test_a_job_that_cannot_be_ends_its_run_at_once() -> None:
    world = refused_job(INVALID)
    assert world.parsed.run is None
    assert world.parsed.history[0].reason == "JobRefused"
    assert world.condition("Ready") == ("False", "JobRefused")
    assert "The author must mend what it names in spec.training.pod" in world.message("Ready")
    del world.denied[CreateJob]
    recheck = world.parsed.recheck
    assert recheck is not None
    world.later(recheck.time - world.now)
    assert world.condition("Ready") == ("True", "Watching")


def test_a_new_spec_is_tried_where_the_old_one_is_refused() -> None:
    world = refused_job(QUOTA)
    first = world.parsed.run
    assert first is not None
    del world.denied[CreateJob]
    asks_less = {**world.spec["training"], "resources": {}}
    world.spec, world.generation = a_spec(training=asks_less), world.generation + 1
    world.settle()
    run = world.parsed.run
    assert run is not None
    assert run.number == first.number + 1
    assert run.spec == world.spec
    assert world.condition("Ready") == ("True", "Watching")


def test_jobs_that_may_not_be_read_are_not_thought_gone() -> None:
    world = denying()
    refusal = a_refusal(Request.READ_JOBS, world)
    seen = replace(world.seen(), jobs=None, refusals=(refusal,))
    effect = next_effect(seen)
    assert isinstance(effect, WriteStatus)
    assert effect.status.run == seen.status.run
    ready = effect.status.condition("Ready")
    assert ready is not None
    assert (ready.status, ready.reason) == ("False", "JobsUnreadable")


def suspended(world: World) -> None:
    world.spec, world.generation = {**world.spec, "suspend": True}, world.generation + 1
    world.settle()


def test_a_refused_deletion_is_told() -> None:
    world = denying()
    world.denied[DeleteJob] = NO_RIGHT
    suspended(world)
    assert world.tries(DeleteJob) == 1
    assert world.condition("Ready") == ("False", "JobNotDeleted")
    assert world.parsed.observed_generation == world.generation
    assert world.parsed.run is not None, "it may still be training"
    del world.denied[DeleteJob]
    world.later()
    assert world.parsed.run is None
    assert world.condition("Ready") == ("True", "Watching")


@pytest.mark.parametrize("error", [NO_RIGHT, POLICY])
def test_a_refused_deletion_is_forgotten_when_nobody_wants_it_any_more(error: ClusterError) -> None:
    world = denying()
    world.denied[DeleteJob] = error
    suspended(world)
    assert world.condition("Ready") == ("False", "JobNotDeleted")
    world.edit(suspend=False)
    world.later(timedelta(minutes=5))
    assert world.condition("Ready") == ("True", "Watching")
    assert world.parsed.condition("Stalled") is None
    assert world.seen().refusals == (), "the training goes on, and is not asked to go"
    assert requeue_after(world.seen()) == LIVE_RUN_LOOK
    world.finish(world.training())
    assert world.parsed.history[0].outcome is RunOutcome.PROMOTED


@pytest.mark.parametrize("request_", [Request.DELETE_JOB, Request.WRITE_CONFIG_MAP])
def test_what_is_due_and_was_not_tried_makes_no_loop_of_looks(request_: Request) -> None:
    world = denying()
    world.refusals = (a_refusal(request_, world),)
    seen = replace(world.seen(), refusals=world.refusals, now=world.now + timedelta(seconds=1))
    assert requeue_after(seen) >= LIVE_RUN_LOOK / 2  # type: ignore[operator]


# --- Jobs that are being deleted ------------------------------------------------------------


@dataclass
class Holding(Denying):
    """A world in which finalizers hold each Job that is deleted."""

    finalizers: tuple[str, ...] = ("example.com/hold",)

    @override
    def do(self, effect: Effect) -> None:
        if not isinstance(effect, DeleteJob):
            super().do(effect)
            return
        self.tried.append(effect)
        self.deleted_by_hand(effect.name)

    def deleted_by_hand(self, name: str) -> None:
        job = self.jobs[name]
        self.jobs[name] = replace(job, deleted=self.now, finalizers=self.finalizers)


def held(**changes: Any) -> Holding:
    world = Holding(**changes)
    world.degraded()
    world.finish(world.diagnosis())
    world.tried.clear()
    return world


def test_a_job_that_a_finalizer_holds_is_deleted_once_and_waited_for() -> None:
    world = held()
    suspended(world)
    assert world.tries(DeleteJob) == 1
    assert world.parsed.run is not None
    assert world.condition("Training") == ("True", "Terminating")
    assert "held by finalizer example.com/hold: whoever set that must remove" in world.message(
        "Training"
    )
    assert world.condition("Ready") == ("True", "Watching")
    world.later(HELD_UNTOLD)
    world.later()
    assert world.condition("Ready") == ("False", "JobNotDeleted")
    assert "example.com/hold" in world.message()
    writes = world.writes
    world.later()
    assert (world.tries(DeleteJob), world.writes) == (1, writes)
    world.jobs.pop(world.parsed.run.job_name)
    world.settle()
    assert world.parsed.run is None
    assert world.parsed.history[0].reason == "Suspended"
    assert world.condition("Ready") == ("True", "Watching")


def test_finalizers_beyond_number_are_told_in_words_that_can_be_read_again() -> None:
    world = held(finalizers=tuple(f"example.com/{number:0200}" for number in range(100)))
    suspended(world)
    assert world.parsed.run is not None, "status can be read"
    assert "whoever set that must remove it" in world.message("Training")
    writes = world.writes
    world.later()
    assert world.writes == writes


def test_a_job_that_is_held_already_ends_its_pods_first() -> None:
    world = held()
    [name] = world.live
    world.jobs[name] = replace(world.jobs[name], finalizers=("example.com/hold",))
    suspended(world)
    [delete] = [effect for effect in world.tried if isinstance(effect, DeleteJob)]
    assert delete.pods_first


def test_a_job_that_somebody_deletes_in_the_foreground_is_waited_for() -> None:
    world = held(finalizers=("foregroundDeletion",))
    [name] = world.live
    world.deleted_by_hand(name)
    world.settle()
    assert "it waits for its pods to end" in world.message("Training")
    assert world.tries(DeleteJob) == 0
    assert world.parsed.run is not None
    del world.jobs[name]
    world.settle()
    assert world.live == [name.replace("-train", "-report")], "its report may be in the store"


def test_a_job_that_was_given_up_and_is_held_is_deleted_once() -> None:
    world = held()
    [name] = world.live
    world.jobs[name] = replace(world.jobs[name], phase=JobPhase.PENDING)
    world.later(timedelta(days=2))
    assert world.tries(DeleteJob) == 1
    world.later()
    assert world.tries(DeleteJob) == 1
    del world.jobs[name]
    world.settle()
    assert world.parsed.history[0].reason == "PendingTimeout"


def test_the_name_of_a_job_that_goes_is_waited_for() -> None:
    """Nobody has written down that there was one; it is not taken for the run's own."""
    world = held()
    run = world.parsed.run
    assert run is not None
    status = world.status
    world.deleted_by_hand(run.job_name)
    status["run"].pop("jobUID")
    world.settle()
    assert world.tries(CreateJob) == 0
    assert world.parsed.run == replace(run, job_uid="")
    del world.jobs[run.job_name]
    world.created.remove(run.job_name)
    world.settle()
    assert world.live == [run.job_name]


def test_a_job_that_ended_before_it_was_deleted_is_read() -> None:
    world = held()
    [name] = world.live
    world.deleted_by_hand(name)
    world.finish(world.training())
    assert world.parsed.champion is not None
    assert world.parsed.champion.version == 5


# --- status -------------------------------------------------------------------------------


@dataclass
class Strict(Denying):
    """A world whose schema refuses each status but one that says only that."""

    @override
    def do(self, effect: Effect) -> None:
        kept = dict(self.denied)
        if isinstance(effect, WriteStatus) and effect.instead:
            self.denied = {}
        super().do(effect)
        self.denied = kept


TOO_LONG = ClusterError(
    "422", refused=True, code=422, words="Invalid: status.decision.message: Too long"
)


@pytest.mark.slow
def test_a_refused_status_is_told_by_one_that_says_only_that() -> None:
    world = Strict()
    world.with_champion()
    champion, writes = world.parsed.champion, world.writes
    world.denied[WriteStatus] = TOO_LONG
    world.assessment = DOWN
    world.settle()
    assert world.condition("Ready") == ("False", "StatusRefused")
    assert "status.decision.message: Too long" in world.message()
    assert "install the CRD of the operator's release" in world.message()
    assert world.parsed.run is None, "nothing begins that could not be written down"
    assert world.parsed.champion == champion
    assert world.writes == writes + 1
    for _ in range(600):
        world.later(timedelta(seconds=1))
    assert world.writes == writes + 1
    assert world.tries(WriteStatus) < 30
    world.denied.clear()
    world.later()
    assert world.condition("Ready") == ("True", "Watching")
    assert world.parsed.run is not None


def test_a_new_spec_is_written_at_once_where_the_status_of_the_old_one_was_refused() -> None:
    world = Strict()
    world.with_champion()
    world.denied[WriteStatus] = TOO_LONG
    world.assessment = DOWN
    world.settle()
    world.denied.clear()
    world.spec, world.generation = a_spec(suspend=True), world.generation + 1
    writes = world.writes
    world.settle()
    assert world.condition("Ready") == ("True", "Watching")
    assert world.writes == writes + 1


def test_where_no_status_can_be_written_the_config_map_still_is() -> None:
    world = Denying()
    world.with_champion()
    world.denied[WriteStatus] = NO_RIGHT
    world.config_map = None
    world.assessment = DOWN
    world.tried.clear()
    world.settle()
    assert world.config_map is not None
    assert [type(effect) for effect in world.tried] == [WriteConfigMap, WriteStatus, WriteStatus]
    world.settle()
    assert len(world.tried) == 3
    world.denied.clear()
    world.later()
    assert world.parsed.run is not None


# --- waiting ------------------------------------------------------------------------------


@pytest.mark.slow
@given(counts=st.lists(st.integers(1, 10**6), min_size=1, max_size=4), ahead=st.booleans())
def test_the_next_look_is_in_time_for_the_next_try_and_never_at_once(
    counts: list[int], *, ahead: bool
) -> None:
    world = World().with_champion()
    now = world.now
    world.refusals = tuple(
        replace(
            a_refusal(Request.WRITE_CONFIG_MAP, world), count=count, until=now + wait_after(count)
        )
        for count in counts
    )
    seen = world.seen()
    seen = replace(seen, now=now if ahead else now + timedelta(hours=1))
    wait = requeue_after(seen)
    assert wait is not None
    assert LEAST_WAIT <= wait <= LONGEST_WAIT
    assert steady_state(seen) is None


def test_a_clock_that_is_put_back_makes_nobody_wait_longer() -> None:
    world = promoted(POLICY)
    del world.denied[WriteConfigMap]
    world.now -= timedelta(days=1)
    world.settle()
    assert world.config_map is not None
    assert world.config_map["data"]["version"] == "5"


def words(said: str) -> str:
    return ClusterError("", words=said).words


def test_words_of_others_are_one_plain_line() -> None:
    assert words("a\n\x1b[31mb\u202e \u200bc") == "a [31mb c"
    assert words('Post "https://u:p@h.svc:8443/x?t=s": EOF') == 'Post "https://h.svc:8443/…": EOF'
    assert len(words("x" * 9999)) == 500


def test_a_resource_of_the_same_name_has_refusals_of_its_own() -> None:
    known = Refusals()
    asked = (Request.WRITE_CONFIG_MAP, "x")
    known.add(KEY, "one", asked, NO_RIGHT, HEALTHY.reading.time)
    assert len(known.of(KEY, "one")) == 1
    assert known.of(KEY, "two") == ()
