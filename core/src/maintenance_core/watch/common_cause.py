"""Do many models fail at once? Then their monitoring has failed, more likely than the models.

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
"""Up to this many breaches are always let through: ten diagnoses cost little."""
AT_ONCE: Final = timedelta(minutes=15)
"""Breaches that began within this time of each other count as simultaneous."""
PATIENCE: Final = timedelta(seconds=10)
"""How long a breach waits for the other resources of its server to be read."""


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


def common_cause(peers: Peers, most_percent: float, waited: timedelta) -> CommonCause:
    """Whether a breach may begin a run, ``waited`` after it was first seen."""
    unread = peers.due + peers.unknown
    everybody = peers.read + unread
    if peers.together <= FEW:
        return CommonCause.ALLOW
    if 100 * peers.together > most_percent * everybody:
        return CommonCause.HOLD
    if 100 * (peers.together + unread) <= most_percent * everybody:
        return CommonCause.ALLOW
    if waited < PATIENCE:
        return CommonCause.WAIT
    known = peers.read + peers.due
    return CommonCause.HOLD if 100 * peers.together > most_percent * known else CommonCause.ALLOW


def at_once(interval: timedelta) -> timedelta:
    """How far apart simultaneous breaches may begin; a reading looks back over its interval."""
    return max(AT_ONCE, 2 * interval)
