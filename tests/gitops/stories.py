"""States that the operator's core brings a resource into, and what GitOps should see."""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from core.test_next_effect import AWAY, WORSE, World, a_spec
from typing_extensions import override

from maintenance_contract import Outcome
from maintenance_core.lifecycle.next_effect import next_effect
from maintenance_core.lifecycle.refusals import LONGEST_WAIT, request_of
from maintenance_core.model import (
    Effect,
    JobPhase,
    Refusal,
    Request,
    Unknown,
    WriteStatus,
)

BAD_SPEC = {"limits": {"cooldown": "soon", "runs": {"max": 4, "per": "168h"}}}


@dataclass(frozen=True)
class Story:
    """How a state comes about; the verdicts of kstatus and Argo CD; words that Argo CD shows."""

    tell: Callable[[], World]
    kstatus: str
    argocd: str
    message: str


def resource(world: World) -> dict[str, Any]:
    """The resource as the API server would show it."""
    identity = world.identity
    shown = {
        "apiVersion": "modelmaintenance.dev/v1alpha1",
        "kind": "ModelMaintenance",
        "metadata": {
            "name": identity.name,
            "namespace": identity.namespace,
            "uid": identity.uid,
            "generation": world.generation,
        },
        "spec": world.spec,
        "status": world.status,
    }
    return dict(json.loads(json.dumps(shown)))


@dataclass
class Diary(World):
    """Keeps the resource as it was after each write of its status."""

    pages: list[dict[str, Any]] = field(default_factory=list)

    @override
    def do(self, effect: Effect) -> None:
        super().do(effect)
        if isinstance(effect, WriteStatus):
            self.pages.append(resource(self))


def new_spec(world: World, **changes: Any) -> World:
    """Git brings another spec; nobody has looked at it yet."""
    world.spec = a_spec(**changes)
    world.generation += 1
    return world


def settled(world: World) -> World:
    world.settle()
    return world


def refused(reason: str, message: str) -> World:
    """The first diagnosis cannot use what it finds."""
    world = settled(World())
    report = world.diagnosis(diagnosis=None, outcome=Outcome.FAILED, reason=reason, message=message)
    world.finish(replace(report, snapshot_digest=""))
    return world


def training(world: World) -> World:
    world.finish(world.diagnosis())
    return world


def queued() -> World:
    world = training(World().degraded())
    [name] = world.live
    detail = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
    world.jobs[name] = replace(world.jobs[name], phase=JobPhase.PENDING, detail=detail)
    return settled(world)


def rejected() -> World:
    world = training(World().degraded())
    world.finish(world.training(new=WORSE))
    world.finish(world.training(new=WORSE))
    return world


def crashed() -> World:
    world = training(World().degraded())
    world.finish("", phase=JobPhase.FAILED, failure="BackoffLimitExceeded", detail="OOMKilled")
    return world


def tired() -> World:
    """The breaker is open: three runs in a row failed."""
    world = World().degraded()
    for _ in range(3):
        world.finish("", phase=JobPhase.FAILED, failure="BackoffLimitExceeded", detail="It crashed")
        world.now += timedelta(days=1)
        world.settle()
    return world


def away_later() -> World:
    world = World().with_champion()
    world.assessment = AWAY
    return settled(world)


def looked_at_again() -> World:
    world = refused("StoreInUse", "owner.json names finance/other")
    recheck = world.parsed.recheck
    assert recheck is not None
    world.now = recheck.time
    return settled(world)


def torn_config_map() -> World:
    world = World().with_champion()
    assert world.config_map is not None
    world.config_map["data"] = {"champion.json": "{torn"}
    world.status = {"observedGeneration": -1}
    return settled(world)


def of_another_store() -> World:
    """Created again by the same name and with another storage."""
    world = World().with_champion()
    world.spec["model"]["storage"] = {"storageUri": "pvc://other/news"}
    world.status = {"observedGeneration": -1}
    return settled(world)


def refused_by_api_server(request: Request, **changes: Any) -> World:
    """The API server does not carry out a request of the operator's."""
    world = World(**changes).with_champion() if request in OF_A_CHAMPION else World().degraded()
    if request is Request.CREATE_JOB:
        world.jobs.clear()
        world.status["run"].pop("jobUID")
    if request is Request.WRITE_CONFIG_MAP:
        world.config_map = None
    if request is Request.DELETE_JOB:
        new_spec(world, suspend=True)
    effect = next_effect(world.seen())
    asked = (request, "") if effect is None else request_of(world.seen(), effect)
    if request in {Request.READ_JOBS, Request.WRITE_STATUS}:
        asked = request, str(world.generation)
    words = 'Forbidden: User "operator" cannot do that'
    world.refusals = (
        Refusal(
            *asked, refused=True, code=403, words=words, count=1, until=world.now + LONGEST_WAIT
        ),
    )
    return settled(world)


def mended(world: World) -> World:
    return settled(new_spec(world))


OF_A_CHAMPION = {Request.WRITE_CONFIG_MAP, Request.READ_JOBS, Request.WRITE_STATUS}
FOREIGN = {"metadata": {"name": "news-champion"}, "data": {"mine": "1"}}
NOT_LOOKED = "Waiting for the operator to look at this spec."

STORIES = {
    # Nobody has looked, at all or at this spec.
    "nobody-looked": Story(World, "InProgress", "Progressing", NOT_LOOKED),
    "new-spec": Story(
        lambda: new_spec(World().with_champion()), "InProgress", "Progressing", NOT_LOOKED
    ),
    "new-spec-during-a-run": Story(
        lambda: new_spec(World().degraded()), "InProgress", "Progressing", NOT_LOOKED
    ),
    "mended-spec": Story(
        lambda: new_spec(settled(World(spec=a_spec(**BAD_SPEC)))),
        "InProgress",
        "Progressing",
        NOT_LOOKED,
    ),
    # At work, or holding: as it should be.
    "first-diagnosis": Story(
        lambda: settled(World()), "Current", "Healthy", "Run 1, Job news-1a2b3c-1-diagnose."
    ),
    "first-training": Story(
        lambda: training(settled(World())), "Current", "Healthy", "Run 1, Job news-1a2b3c-1-train."
    ),
    "watching": Story(
        lambda: World().with_champion(), "Current", "Healthy", "The resource is followed."
    ),
    "degraded-diagnosing": Story(
        lambda: World().degraded(), "Current", "Healthy", "0.8 against 0.9 in 3 of 5 readings."
    ),
    "degraded-training": Story(
        lambda: training(World().degraded()), "Current", "Healthy", "Job news-1a2b3c-2-train."
    ),
    "waiting-for-a-gpu": Story(queued, "Current", "Healthy", "3 Insufficient nvidia.com/gpu."),
    "rejected": Story(rejected, "Current", "Healthy", "Performance is below its floor"),
    "run-failed": Story(crashed, "Current", "Healthy", "Performance is below its floor"),
    "prometheus-away": Story(away_later, "Current", "Healthy", "Prometheus does not answer."),
    "prometheus-away-from-the-start": Story(
        lambda: settled(World(assessment=AWAY)), "Current", "Healthy", "Prometheus does not answer."
    ),
    "data-unusable": Story(
        lambda: refused("ColumnMissing", "updates.csv has no column label"),
        "Current",
        "Healthy",
        "updates.csv has no column label",
    ),
    "suspended": Story(
        lambda: settled(new_spec(World().degraded(), suspend=True)),
        "Current",
        "Suspended",
        "spec.suspend is true",
    ),
    "mended": Story(
        lambda: mended(settled(World(spec=a_spec(**BAD_SPEC)))),
        "Current",
        "Healthy",
        "Run 1, Job news-1a2b3c-1-diagnose.",
    ),
    # A person must act.
    "invalid-spec": Story(
        lambda: settled(World(spec=a_spec(**BAD_SPEC))), "Failed", "Degraded", "cooldown"
    ),
    "invalid-spec-during-a-run": Story(
        lambda: settled(new_spec(World().degraded(), **BAD_SPEC)), "Failed", "Degraded", "cooldown"
    ),
    "invalid-spec-suspended": Story(
        lambda: settled(World(spec=a_spec(suspend=True, **BAD_SPEC))),
        "Failed",
        "Degraded",
        "cooldown",
    ),
    "unknown-server": Story(
        lambda: settled(World(assessment=Unknown("UnknownServer", "no server named eu2"))),
        "Failed",
        "Degraded",
        "no server named eu2",
    ),
    "invalid-query": Story(
        lambda: settled(World(assessment=Unknown("InvalidQuery", "parse error: unclosed brace"))),
        "Failed",
        "Degraded",
        "parse error: unclosed brace",
    ),
    "server-forbidden": Story(
        lambda: settled(World(assessment=Unknown("ServerForbidden", "not for namespace finance"))),
        "Failed",
        "Degraded",
        "not for namespace finance",
    ),
    "query-forbidden": Story(
        lambda: settled(World(assessment=Unknown("QueryForbidden", "up lacks namespace"))),
        "Failed",
        "Degraded",
        "up lacks namespace",
    ),
    "repeated-failures": Story(
        tired, "Failed", "Degraded", "3 runs in a row failed or were rejected"
    ),
    "store-in-use": Story(
        lambda: refused("StoreInUse", "owner.json names finance/other"),
        "Failed",
        "Degraded",
        "owner.json names finance/other",
    ),
    "store-in-use-looked-at-again": Story(
        looked_at_again, "Failed", "Degraded", "owner.json names finance/other"
    ),
    "config-map-name-taken": Story(
        lambda: settled(World(config_map=dict(FOREIGN))),
        "Failed",
        "Degraded",
        "rename or delete it",
    ),
    "config-map-unreadable": Story(
        torn_config_map, "Failed", "Degraded", "mend it, or delete it to begin anew"
    ),
    "champion-elsewhere": Story(of_another_store, "Failed", "Degraded", "pvc://other/news"),
    **{
        f"refused-{request.lower()}": Story(
            functools.partial(refused_by_api_server, request),
            "Failed",
            "Degraded",
            "must grant the operator's service account that right",
        )
        for request in (
            Request.WRITE_CONFIG_MAP,
            Request.READ_JOBS,
            Request.CREATE_JOB,
            Request.DELETE_JOB,
            Request.WRITE_STATUS,
        )
    },
}


def a_long_life() -> list[dict[str, Any]]:
    """Every status that is written in a life with all its ups and downs."""
    world = Diary()
    world.degraded()
    world.finish(world.diagnosis())
    world.finish(world.training(new=WORSE))
    world.finish(world.training())
    world.assessment = AWAY
    world.settle()
    settled(new_spec(world, suspend=True))
    settled(new_spec(world, **BAD_SPEC))
    mended(world)
    world.assessment = Unknown("InvalidQuery", "parse error")
    world.settle()
    world.assessment = World().degraded().assessment
    world.now = world.parsed.history[0].end_time.replace(year=world.now.year + 1)
    world.settle()
    world.finish(world.diagnosis(snapshot_digest="sha256:more"))
    world.finish("", phase=JobPhase.FAILED, failure="DeadlineExceeded")
    return world.pages
