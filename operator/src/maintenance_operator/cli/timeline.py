"""The metric around a decision as a picture: readings, bound, breach, training, promotion."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from maintenance_contract.svg import (
    WIDTH,
    Drawing,
    box,
    circle,
    fitted,
    line,
    text,
    width,
)
from maintenance_core.model import ThresholdRange
from maintenance_core.numbers import figure, moment

_LEFT: Final = 84
_RIGHT: Final = 24
_TOP: Final = 78
_HIGH: Final = 190
_ROOM: Final = WIDTH - _LEFT - _RIGHT
_TICKS: Final = 4
_DOTS: Final = 80
"""More readings than this are drawn as a line alone."""
_MARK_LINES: Final = 2


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at one moment."""

    time: datetime
    what: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is drawn. ``training`` is a span; ``note`` says where the readings are from."""

    readings: tuple[tuple[datetime, float], ...]
    threshold: ThresholdRange | None
    start: datetime
    end: datetime
    step: timedelta
    training: tuple[datetime, datetime] | None = None
    marks: tuple[Mark, ...] = ()
    note: str = ""


def timeline(shown: Timeline) -> Drawing:
    """Time to the right, the metric upwards; a gap of readings is a gap of the line."""
    across, up = _across(shown), _up(shown)
    foot = _TOP + _HIGH
    marks = [
        text(24, 14, "The metric around the decision", "strong"),
        text(24, 36, fitted(shown.note, WIDTH - 48, 13), "faint"),
        box(_LEFT, _TOP, _ROOM, _HIGH, "box"),
        *_training(shown, across),
        *_bound(shown, up),
        *_scale(shown, up),
        *_times(shown, across),
        *_marks(shown, across),
        *_curve(shown, across, up),
    ]
    return Drawing(tuple(marks), foot + 34, _told(shown))


class _Axis:
    """From values to pixels."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._start = low, start
        self._scale = (end - start) / (high - low)

    def __call__(self, value: float) -> float:
        return self._start + (value - self._low) * self._scale


def _across(shown: Timeline) -> _Axis:
    end = max(shown.end, shown.start + timedelta(seconds=1))
    return _Axis(shown.start.timestamp(), end.timestamp(), _LEFT, _LEFT + _ROOM)


def _range(shown: Timeline) -> tuple[float, float]:
    values = [value for _, value in shown.readings]
    values += [shown.threshold.bound] if shown.threshold is not None else []
    low, high = min(values, default=0.0), max(values, default=1.0)
    edge = (high - low) * 0.15 or abs(high) * 0.05 or 1.0
    return low - edge, high + edge


def _up(shown: Timeline) -> _Axis:
    return _Axis(*_range(shown), _TOP + _HIGH, _TOP)


def _scale(shown: Timeline, up: _Axis) -> Iterator[str]:
    low, high = _range(shown)
    for index in range(1, _TICKS):
        value = low + (high - low) * index / _TICKS
        yield text(_LEFT - 10, up(value) + 4, f"{value:.3g}", "end tiny")


def _times(shown: Timeline, across: _Axis) -> Iterator[str]:
    for index, kind in enumerate(("tiny", "middle tiny", "end tiny")):
        time = shown.start + (shown.end - shown.start) * index / 2
        yield text(across(time.timestamp()), _TOP + _HIGH + 18, moment(time), kind)


def _bound(shown: Timeline, up: _Axis) -> Iterator[str]:
    if shown.threshold is None:
        return
    y = up(shown.threshold.bound)
    word = "floor" if shown.threshold.min is not None else "ceiling"
    yield line([(_LEFT, y), (_LEFT + _ROOM, y)], "bound")
    words = f"{word} {figure(shown.threshold.bound)}"
    yield text(_LEFT + _ROOM - 8, y - 6, words, "end tiny")


def _training(shown: Timeline, across: _Axis) -> Iterator[str]:
    if shown.training is None:
        return
    start, end = (
        min(max(across(time.timestamp()), _LEFT), _LEFT + _ROOM) for time in shown.training
    )
    yield box(start, _TOP, max(end - start, 3.0), _HIGH, "span")
    yield text(min(start, _LEFT + _ROOM - 60) + 6, _TOP + _HIGH - 8, "training", "tiny")


def _marks(shown: Timeline, across: _Axis) -> Iterator[str]:
    """Their words stand above the picture; each in the first of the lines that has room."""
    taken = [0.0] * _MARK_LINES
    for mark in sorted(_within(shown), key=lambda mark: mark.time):
        x = across(mark.time.timestamp())
        words = fitted(mark.what, 200, 11)
        wide = width(words, 11)
        left = min(max(x - wide / 2, _LEFT), _LEFT + _ROOM - wide)
        row = next((n for n, end in enumerate(taken) if left > end + 8), _MARK_LINES - 1)
        left = max(left, taken[row] + 8) if taken[row] else left
        taken[row] = left + wide
        y = _TOP - 6 - 14 * row
        yield line([(x, _TOP), (x, _TOP + _HIGH)], "mark")
        yield text(left, y, words, "tiny")


def _within(shown: Timeline) -> Iterable[Mark]:
    return (mark for mark in shown.marks if shown.start <= mark.time <= shown.end)


def _curve(shown: Timeline, across: _Axis, up: _Axis) -> Iterator[str]:
    for piece in _pieces(shown.readings, shown.step):
        points = [(across(time.timestamp()), up(value)) for time, value in piece]
        if len(points) > 1:
            yield line(points, "curve")
    for time, value in shown.readings:
        bad = shown.threshold is not None and shown.threshold.breached_by(value)
        if bad or len(shown.readings) <= _DOTS:
            kind = "baddot" if bad else "dot"
            yield circle(across(time.timestamp()), up(value), 3.2, kind)


def _pieces(
    readings: Sequence[tuple[datetime, float]], step: timedelta
) -> Iterator[list[tuple[datetime, float]]]:
    """Readings that follow each other; where some are missing, the line is broken."""
    piece: list[tuple[datetime, float]] = []
    for reading in readings:
        if piece and reading[0] - piece[-1][0] > step * 1.5:
            yield piece
            piece = []
        piece.append(reading)
    if piece:
        yield piece


def _told(shown: Timeline) -> str:
    happened = "; ".join(f"{moment(mark.time)}: {mark.what}" for mark in _within(shown))
    bad = sum(
        shown.threshold is not None and shown.threshold.breached_by(value)
        for _, value in shown.readings
    )
    return f"{len(shown.readings)} readings, {bad} of them bad. {happened}."
