"""When readings are taken: at multiples of each interval since the epoch. Pure."""

from collections.abc import Collection
from typing import Final

AFTER_READING: Final = 1.5
"""Seconds after a reading's time until everybody who takes it has asked."""
BEFORE_READING: Final = 0.2


def quiet_moment(after: float, intervals: Collection[int]) -> float:
    """The first time at which no reading is about to be taken or being taken.

    Args:
        after: seconds since the epoch.
        intervals: readings are taken at multiples of these.
    """
    moment = after
    while not all(AFTER_READING <= moment % each <= each - BEFORE_READING for each in intervals):
        moment += 0.1
    return moment


def readings_due(start: float, end: float, intervals: Collection[int]) -> int:
    """How many readings fall into a stretch, one interval for each distinct query."""
    return sum(int(end // each) - int(start // each) for each in intervals)
