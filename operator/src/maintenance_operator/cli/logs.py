"""``kubectl mm logs``: what a run's trainer writes."""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from maintenance_core.errors import Gone, OperatorError
from maintenance_core.model import Step
from maintenance_core.names import LABEL_RUN, LABEL_STEP
from maintenance_operator.adapters.pods import trainer_state
from maintenance_operator.cli.access import Access
from maintenance_operator.cli.layout import clean
from maintenance_operator.cli.resource import Resource

STEPS: Final = tuple(step.value.lower() for step in Step)
LOOK_SECONDS: Final = 1.0
_JOB_NAME: Final = "batch.kubernetes.io/job-name"


@dataclass(frozen=True, slots=True)
class LogOptions:
    """Which log: of a run and a step, None for the newest; ``follow``: also what comes."""

    run: int | None = None
    step: str | None = None
    follow: bool = False


async def show(access: Access, resource: Resource, wish: LogOptions, out: BinaryIO) -> None:
    """Write the log of the newest pod that the wish fits.

    Raises:
        OperatorError: there is no such pod, or it has not begun; says why.
    """
    pod = await _started(access, resource, wish)
    labels = pod["metadata"].get("labels") or {}
    name = pod["metadata"]["name"]
    _say(f"run {labels.get(LABEL_RUN, '?')}, {labels.get(LABEL_STEP, '?')}: pod {name}")
    async for chunk in access.log(resource.identity.namespace, name, follow=wish.follow):
        out.write(chunk)
        out.flush()


async def _started(access: Access, resource: Resource, wish: LogOptions) -> Mapping[str, Any]:
    """A pod that has begun; with ``follow`` one that is to come is waited for."""
    told = ""
    while True:
        pod = await _newest(access, resource, wish)
        if pod is not None and _has_begun(pod):
            return pod
        why = _no_pod(resource, wish) if pod is None else await _waiting(access, pod)
        if not wish.follow or (pod is None and resource.status.run is None):
            raise OperatorError(why)
        if why != told:
            _say(f"waiting: {why}")
            told = why
        await asyncio.sleep(LOOK_SECONDS)


async def _newest(access: Access, resource: Resource, wish: LogOptions) -> Mapping[str, Any] | None:
    """Of the run asked for; else of the live one; else of the last one that still has pods."""
    live = resource.status.run
    run = wish.run if wish.run is not None or live is None else live.number
    pods = await access.pods(resource.identity.namespace, resource.identity.uid, run, wish.step)
    return max(pods, key=_age, default=None)


def _age(pod: Mapping[str, Any]) -> tuple[int, int, str]:
    """Newer is greater: by the run, its step, then by the time, which has seconds only."""
    labels = pod["metadata"].get("labels") or {}
    number, step = str(labels.get(LABEL_RUN, "")), labels.get(LABEL_STEP)
    return (
        int(number) if number.isdecimal() else 0,
        STEPS.index(step) if step in STEPS else -1,
        str(pod["metadata"].get("creationTimestamp", "")),
    )


def _has_begun(pod: Mapping[str, Any]) -> bool:
    """A pod runs while the trainer's image is pulled, where a sidecar runs already."""
    phase = str((pod.get("status") or {}).get("phase", "Pending"))
    waits = phase == "Running" and "waiting" in trainer_state(pod)
    return phase != "Pending" and not waits


async def _waiting(access: Access, pod: Mapping[str, Any]) -> str:
    metadata = pod["metadata"]
    job = (metadata.get("labels") or {}).get(_JOB_NAME, "")
    try:
        detail = (await access.job(metadata["namespace"], job)).detail if job else ""
    except Gone:
        detail = "its Job is gone"
    placed = (pod.get("spec") or {}).get("nodeName")
    waits = "its container is not started yet" if placed else "it waits for its node"
    return clean(f"pod {metadata['name']} has not begun: {detail or waits}")


def _no_pod(resource: Resource, wish: LogOptions) -> str:
    status, name = resource.status, resource.identity.name
    live, known = status.run, _runs(resource)
    number = wish.run if wish.run is not None or live is None else live.number
    if not known:
        return f"{name} has had no run yet; what it waits for: kubectl mm status {name}"
    if number is not None and number > max(known):
        return f"there is no run {number}: the last one of {name} is {max(known)}"
    if live is not None and live.number == number:
        step = f"step {wish.step} of " if wish.step else ""
        return f"{step}run {number} has no pod yet"
    last = max(known) if number is None else number
    of = f" of its step {wish.step}" if wish.step else ""
    which = f"no run of {name}" if number is None else f"run {number}"
    has = "has a pod" if number is None else "has no pod"
    return (
        f"{which} {has}{of} any more: ended Jobs are kept for 24 hours. The report stays in the "
        f"store: {_store(resource)}/runs/{last}/report.json"
    )


def _runs(resource: Resource) -> list[int]:
    """Numbers of the runs that are known of, a diagnosis that led to no training included."""
    status = resource.status
    numbers = [entry.number for entry in status.history]
    numbers += [status.decision.number] if status.decision is not None else []
    return numbers + ([status.run.number] if status.run is not None else [])


def _store(resource: Resource) -> str:
    model = resource.raw_spec.get("model")
    storage = model.get("storage") if isinstance(model, Mapping) else None
    return clean(str(storage.get("storageUri", ""))) if isinstance(storage, Mapping) else ""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
