"""Do many models fail at once? Then it is what measures them that fails, more likely than they.

A label that was renamed, a scrape of the wrong servers, a table of true labels that did not come:
one such fault takes every model that is read from the same Prometheus server out of its range
within minutes. A training would answer none of it.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Final

MOST_PERCENT: Final = 25
FEW: Final = 10
"""So many are no crowd, whatever their share; nor does a diagnosis of ten cost much."""
AT_ONCE: Final = timedelta(minutes=15)
"""Breaches that began within so much of each other began together."""
PATIENCE: Final = timedelta(seconds=10)
"""So long a breach waits for what the others of its server read at the same time."""


class CommonCause(Enum):
    """Whether a run may begin by a breach."""

    ALLOW = auto()
    WAIT = auto()
    """Not yet: too few of the others have been read."""
    HOLD = auto()


@dataclass(frozen=True, slots=True)
class Peers:
    """The resources that read from one server.

    ``read`` have a reading that counts, as new as that of the resource in question; ``due`` have
    an older one; ``unknown`` have not been looked at since the operator started. ``together`` are
    out of their range since about the same time as the resource, itself included.
    """

    read: int
    due: int
    unknown: int
    together: int


def common_cause(crowd: Peers, most_percent: float, waited: timedelta) -> CommonCause:
    """Whether a breach may begin a run, ``waited`` after it was first seen."""
    unread = crowd.due + crowd.unknown
    everybody = crowd.read + unread
    if crowd.together <= FEW:
        return CommonCause.ALLOW
    if 100 * crowd.together > most_percent * everybody:
        return CommonCause.HOLD
    if 100 * (crowd.together + unread) <= most_percent * everybody:
        return CommonCause.ALLOW
    if waited < PATIENCE:
        return CommonCause.WAIT
    known = crowd.read + crowd.due
    return CommonCause.HOLD if 100 * crowd.together > most_percent * known else CommonCause.ALLOW


def at_once(interval: timedelta) -> timedelta:
    """How far apart breaches may begin to have begun together: a reading looks back so far."""
    return max(AT_ONCE, 2 * interval)
