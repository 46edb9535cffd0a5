"""What the API server refused, by resource: remembered until it is tried again.

Nothing depends on it: after a restart each request is tried once more, and refused once more.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from maintenance_core import status as status_json
from maintenance_core.errors import ClusterError
from maintenance_core.lifecycle.refusals import cause_of, wait_after
from maintenance_core.model import (
    CreateJob,
    DeleteJob,
    Effect,
    Refusal,
    Request,
    WriteConfigMap,
    WriteStatus,
)
from maintenance_operator.resource_cache import Key

TOLD_EVERY: Final = 60
"""An Event is kept for an hour, and a refusal that stands is met about once a minute."""
CHANGED: Final = (
    "it was taken, but not kept as it was written: a mutating webhook changes it, or a CRD of "
    "another release lacks a field"
)
STILL_THERE: Final = "it was taken, and the Job is there as before"

_log = logging.getLogger(__name__)


class Refusals:
    """The refusals of each resource."""

    def __init__(self) -> None:
        self._known: dict[Key, tuple[str, tuple[Refusal, ...]]] = {}

    def of(self, key: Key, uid: str) -> tuple[Refusal, ...]:
        """Those of a resource; not of another one that had its name."""
        known, refusals = self._known.get(key, ("", ()))
        return refusals if known == uid else ()

    def add(
        self, key: Key, uid: str, asked: tuple[Request, str], error: ClusterError, now: datetime
    ) -> Refusal:
        """Remember a refusal; the same one again counts, and keeps the words of the first."""
        request, about = asked
        before = next((one for one in self.of(key, uid) if one.request is request), None)
        new = Refusal(request, about, error.refused, error.code, error.words, 1, now)
        if before is not None and before.about == about:
            new = replace(new, count=before.count + 1)
            if cause_of(before) == cause_of(new):
                new = replace(new, words=before.words)
        new = replace(new, until=now + wait_after(new.count))
        others = tuple(one for one in self.of(key, uid) if one.request is not request)
        self._known[key] = uid, (*others, new)
        return new

    def keep(self, key: Key, uid: str, still: Callable[[Refusal], bool]) -> None:
        """Forget those that do not stand any more."""
        kept = tuple(one for one in self.of(key, uid) if still(one))
        if kept:
            self._known[key] = uid, kept
        else:
            self.forget(key)

    def forget(self, key: Key) -> None:
        """The resource is gone."""
        self._known.pop(key, None)


def is_told_now(refusal: Refusal) -> bool:
    """Whether an Event is due: at once, and again when the last one is forgotten."""
    return refusal.count % TOLD_EVERY == 1


def not_of(effect: Effect) -> Callable[[Refusal], bool]:
    """Which refusals stand though an effect was carried out."""
    match effect:
        case WriteStatus(instead=True):
            over = {Request.TELL_REFUSAL}
        case WriteStatus():
            over = {Request.WRITE_STATUS, Request.TELL_REFUSAL}
        case CreateJob():
            over = {Request.CREATE_JOB}
        case DeleteJob():
            over = {Request.DELETE_JOB}
        case WriteConfigMap():
            over = {Request.WRITE_CONFIG_MAP}
    return lambda refusal: refusal.request not in over


def kept_as_written(written: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """ClusterError where a ConfigMap was taken and changed: writing it again is no cure."""
    if written.get("data") != asked["data"]:
        raise ClusterError(CHANGED, refused=True)


def in_vain(effect: Effect, done: Effect | None, body: Mapping[str, Any]) -> None:
    """ClusterError where an effect is what was just done: doing it again is no cure."""
    match effect, done:
        case DeleteJob(), DeleteJob() if effect.uid == done.uid:
            raise ClusterError(STILL_THERE)
        case WriteStatus(), WriteStatus() if _unkept(effect, done, body):
            raise ClusterError(CHANGED, refused=True)
        case _:
            return


def _unkept(effect: WriteStatus, done: WriteStatus, body: Mapping[str, Any]) -> bool:
    """Whether the last status is not what came of it, and would be written again."""
    sent, again = status_json.write(done.status), status_json.write(effect.status)
    return body.get("status") != sent and _timeless(sent) == _timeless(again)


def _timeless(part: Any) -> Any:
    """Without times, which move on."""
    if isinstance(part, dict):
        return {key: _timeless(value) for key, value in part.items() if not _is_time(key)}
    return [_timeless(item) for item in part] if isinstance(part, list) else part


def _is_time(key: str) -> bool:
    return key == "time" or key.endswith("Time")


def log_refusal(refusal: Refusal, error: ClusterError, extra: Mapping[str, Any]) -> None:
    """Loud when it is new, and definite."""
    level = logging.ERROR if refusal.count == 1 and refusal.refused else logging.WARNING
    _log.log(level, "%s was not carried out: %s", refusal.request, error, extra=dict(extra))
