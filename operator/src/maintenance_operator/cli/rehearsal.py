"""What the operator would run into in the cluster, tried without changing anything.

Its Jobs are made by its own code and put to the API server as a dry run; what else it stumbles over
(a foreign ConfigMap, another resource's store) is looked up.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from maintenance_contract import ContractError
from maintenance_core.errors import ClusterError
from maintenance_core.lifecycle import projection
from maintenance_core.lifecycle.conditions import blocking_problem
from maintenance_core.lifecycle.first_version import champion_missing
from maintenance_core.lifecycle.jobs import TrainerImage, job_name, manifest, request
from maintenance_core.model import Action, Run, Spec, Step, Trigger, Unknown
from maintenance_core.reasons import ReadyReason, RunReason
from maintenance_operator.cli.access import Access
from maintenance_operator.cli.findings import CheckFinding, wrong
from maintenance_operator.cli.outlook import observation_of
from maintenance_operator.cli.resource import Resource

STORAGE: Final = "spec.model.storage.storageUri"
_RUN: Final = 999_999
"""A number that no run has; names of Jobs hold six digits."""
_IMAGE: Final = TrainerImage("model-maintenance/trainer")
_STEPS: Final = (
    ("spec.diagnosis", Step.DIAGNOSE, None),
    ("spec.training", Step.TRAIN, Action.RETRAIN),
)
_WHERE: Final[Mapping[str, str]] = {
    ReadyReason.CONFIGMAP_FOREIGN: "metadata.name",
    ReadyReason.CONFIGMAP_INVALID: "metadata.name",
    ReadyReason.CHAMPION_ELSEWHERE: STORAGE,
}


async def obstacles(
    access: Access, resource: Resource, spec: Spec, now: datetime
) -> tuple[list[CheckFinding], bool]:
    """What stands in the way, and whether a version is in service already."""
    found = [finding async for finding in _jobs(access, resource, spec, now)]
    found += [finding async for finding in _stores(access, resource, spec)]
    seen = observation_of(resource, spec, now)
    seen = replace(
        seen,
        assessment=Unknown("", ""),  # what the metric says is told from its readings
        config_map=await _config_map(access, resource),
    )
    problem = blocking_problem(seen, seen.status)
    if problem is not None:
        reason, message = problem
        found.append(wrong(_WHERE.get(reason, "status"), message, reason))
    return found, not champion_missing(seen)


async def _config_map(access: Access, resource: Resource) -> Mapping[str, Any] | None:
    name = projection.config_map_name(resource.identity.name)
    try:
        return await access.config_map(resource.identity.namespace, name)
    except ClusterError:
        return None  # no right to look


async def _jobs(
    access: Access, resource: Resource, spec: Spec, now: datetime
) -> AsyncIterator[CheckFinding]:
    """The Jobs of a run, as the operator makes them; none of a resource that cannot be made."""
    if not resource.identity.uid:
        return
    told: set[str] = set()
    for where, step, action in _STEPS:
        run = Run(
            number=_RUN,
            trigger=Trigger.INITIAL,
            step=step,
            start_time=now,
            spec=resource.raw_spec,
            job_name=job_name(resource.identity, _RUN, step),
            action=action,
            snapshot_run=_RUN,
        )
        asked = request(resource.identity, run, spec, step)
        job = manifest(resource.identity, run, spec, asked, _IMAGE)
        status, answer = await access.dry_run_job(job)
        refused = status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}
        message = str(answer.get("message", status))
        if refused and message not in told:
            told.add(message)
            yield wrong(where, f"the API server refuses its Job: {message}", RunReason.JOB_REFUSED)


async def _stores(access: Access, resource: Resource, spec: Spec) -> AsyncIterator[CheckFinding]:
    """Others of the namespace that keep their versions in the same place."""
    try:
        async for body in access.resources(resource.identity.namespace):
            name = str(body["metadata"]["name"])
            if name != resource.identity.name and same_store(body.get("spec"), spec):
                yield shared_store(name)
                return
    except ClusterError:
        return  # no right to look


def same_store(raw_spec: object, spec: Spec) -> bool:
    """Whether a spec as it is written names the same store; both are of one namespace."""
    model = raw_spec.get("model") if isinstance(raw_spec, Mapping) else None
    storage = model.get("storage") if isinstance(model, Mapping) else None
    uri = storage.get("storageUri") if isinstance(storage, Mapping) else None
    try:
        return isinstance(uri, str) and type(spec.storage).parse(uri) == spec.storage
    except ContractError:
        return False


def shared_store(other: str) -> CheckFinding:
    """What the first diagnosis would find."""
    return wrong(
        STORAGE,
        f"{other} keeps its versions there: write a folder of its own",
        ReadyReason.STORE_IN_USE,
    )
