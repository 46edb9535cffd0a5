"""Statuses that another writer changes back: written again ever more seldom, not at once.

Two operators that see different things (one cannot reach Prometheus, or has another configuration)
each undo what the other one writes, and each write wakes the other. Nothing else waits for that:
a status that tells anything new is written at once, and so is the first that was changed back, by
a person for example.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from maintenance_operator.resource_cache import Key

AT_ONCE: Final = 1
"""So many times a status is written again without a wait."""
FIRST_WAIT_SECONDS: Final = 2.0
LONGEST_WAIT_SECONDS: Final = 300.0
QUIET_SECONDS: Final = 900.0
"""When nobody has changed anything back for so long, it is over."""
MOST_GISTS: Final = 4
_OF_THE_MOMENT: Final = frozenset({"message", "performance", "observedGeneration", "time"})

_log = logging.getLogger(__name__)

Json = Mapping[str, Any]


@dataclass(slots=True)
class _Own:
    """What was written here last: as it was stored, and what the last few said; as hashes."""

    uid: str
    stored: int
    gists: tuple[int, ...]
    undone: int = 0
    last: float = 0.0
    not_before: float = 0.0


class Contests:
    """Whose status is changed back, by resource."""

    def __init__(self) -> None:
        self._own: dict[Key, _Own] = {}

    def wait(self, body: Json, key: Key, status: Json, now: float) -> float:
        """Seconds to wait before this status may be written over that of a body; 0: none."""
        own = self._own.get(key)
        if own is None or not _undone(own, body, status):
            return 0.0
        return max(0.0, own.not_before - now)

    def wrote(self, body: Json, key: Key, status: Json, stored: Json, now: float) -> None:
        """A status was written over that of a body, and is stored like that."""
        uid, gist = str(body["metadata"]["uid"]), _gist(status)
        own = self._own.get(key)
        if own is None or own.uid != uid:
            self._own[key] = _Own(uid, _hash(stored.get("status")), (gist,))
            return
        if _undone(own, body, status):
            self._count(own, key, now)
        own.stored = _hash(stored.get("status"))
        own.gists = (gist, *(one for one in own.gists if one != gist))[:MOST_GISTS]

    def _count(self, own: _Own, key: Key, now: float) -> None:
        """It was changed back, and is written again: the next time waits longer."""
        own.undone = 1 if now - own.last > QUIET_SECONDS else own.undone + 1
        own.last = now
        later = own.undone - AT_ONCE
        wait = min(FIRST_WAIT_SECONDS * 2.0 ** min(later, 16), LONGEST_WAIT_SECONDS)
        own.not_before = now + wait if later >= 0 else now
        if later == 1:
            _log.warning(
                "Another operator writes status, and says something else: from now on this one "
                "writes the same again ever more seldom. Have one operator follow a namespace, or "
                "give all the same release, configuration and way to Prometheus",
                extra={"namespace": key[0], "resource": key[1]},
            )

    def forget(self, key: Key) -> None:
        """The resource is gone."""
        self._own.pop(key, None)


def _undone(own: _Own, body: Json, status: Json) -> bool:
    """Whether somebody else changed what was written here, and it is to be written once more."""
    if own.uid != str(body["metadata"]["uid"]) or own.stored == _hash(body.get("status")):
        return False
    return _gist(status) in own.gists


def _gist(status: Json) -> int:
    """What a status says, without words, times and readings, which move on."""
    return _hash(_lasting(status))


def _lasting(part: Any) -> Any:
    if isinstance(part, dict):
        return {
            key: _lasting(value)
            for key, value in part.items()
            if key not in _OF_THE_MOMENT and not key.endswith("Time")
        }
    return [_lasting(item) for item in part] if isinstance(part, list) else part


def _hash(part: Any) -> int:
    return hash(orjson.dumps(part, option=orjson.OPT_SORT_KEYS))
