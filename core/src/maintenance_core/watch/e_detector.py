"""Is the error up? Counts of right and wrong, looked at as often as one likes.

A Shiryaev-Roberts e-detector (J. Shin, A. Ramdas and A. Rinaldo, "E-detectors: a nonparametric
framework for sequential change detection", New England Journal of Statistics in Data Science 2
(2024), sections 2 and 3). With ``k`` errors in a window of ``n`` labels and a bet ``b``::

    M = (M + n) * (1 + b (1 - m))^k * (1 - b m)^(n - k)

While the mean error is at most ``m``, M minus the labels seen never rises on average, so the first
M above ``AVERAGE_RUN_LENGTH`` is expected after at least that many labels, however often one looks.
``m`` is the upper bound of the champion's error when it was new, plus a tolerance. Two such tests
run: on the error itself, and at equal class mix, where ``m`` is what the window's own classes would
make of the champion's errors per class. They share the budget, and so do the bets of each, made for
drops of several sizes; M is their mean.

An alarm stands until a second test, the other way round, says that the error is back.

Everything is folded from windows of a fixed grid, so a state is the same whether it was kept or
rebuilt.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from maintenance_core.model import CONFIDENCE, NOTHING, Alarm, Counts, Kind, ReferenceCounts
from maintenance_core.statistics import normal_quantile

AVERAGE_RUN_LENGTH: Final = 10_000
"""Labels until a false alarm, on average and at worst: a champion that has just lost as much as the
tolerance allows."""

RISES: Final = (0.05, 0.1, 0.2)
"""Of the error beyond its bound: the drops that the bets are made for."""
SMALL_RISES: Final = (0.02, 0.008, 0.003, 0.001)
"""Smaller ones, so that no rise stays untold for ever. All of them together have a tenth of the
budget: what they cost the others is a hundredth of their delay."""
_BETS: Final = (*RISES, *SMALL_RISES)
_SMALL: Final = 0.1
_WEIGHTS: Final = (
    *[(1.0 - _SMALL) / len(RISES)] * len(RISES),
    *[_SMALL / len(SMALL_RISES)] * len(SMALL_RISES),
)
_MARGINS: Final = 2.0
"""A small bet is made only if it is so many times what the reference leaves open: a rise that a
reference of few labels cannot tell from its own luck is none."""

_LEAST_OF_A_RETURN: Final = 100.0
_MOST_OF_A_RETURN: Final = 1000.0
_OF_A_WINDOW: Final = 10.0
"""An alarm ends once what was counted since speaks so much more for the error being within what is
tolerated than for its being as high as it was: ten times as much as a window has labels, within
these, for a window of many labels says as much by chance. Where labels are few, higher odds would
need more of them than a day has, and make bad nights one alarm.
"""
_SURELY: Final = 1.0
"""Standard errors by which the error was higher than is told: the first labels flatter a rise."""
_INTERRUPTION: Final = 0.25
_LONGEST_INTERRUPTION: Final = timedelta(days=1)
"""An alarm after one that ended is the same rise, with its onset, if it begins again within this
share of how long that had lasted."""

SEASONS: Final = (timedelta(days=1), timedelta(days=7))
_HOUR: Final = 3600
HISTORY: Final = timedelta(days=14)
"""Of hours that are remembered: a week, and the longest season before that."""
_HOURS_KEPT: Final = HISTORY // timedelta(hours=1)
_SHIFTS: Final = (0, 1, -1)
"""Hours by which a season may come late or early, as it does where clocks go forward and back."""
_LULLS: Final = (8, 12, 24)
"""Hours before an onset, in any of which the error was down: it is no season that never ended."""
_DOWN: Final = 2.5
"""Standard errors by which it was down."""
_WORSE: Final = 4.0
"""Standard errors by which the error is worse than a season ago. It is asked of all the hours since
each hour of the season, and again at each look: in a weekend some 500 times."""
_LEAST_OF_A_SEASON: Final = 30
_ODDS_OF_AN_END: Final = math.log(100.0)
_SURE: Final = 1.0 - 1e-9
_SIGMAS: Final = normal_quantile((1.0 + CONFIDENCE) / 2.0)


@dataclass(frozen=True, slots=True)
class Window:
    """What was counted up to a time of the grid, by true class; or why that cannot be read."""

    end: datetime
    classes: Mapping[str, Counts]
    unreadable: str = ""

    @property
    def total(self) -> Counts:
        """Over all classes."""
        counts = self.classes.values()
        return Counts(sum(each.samples for each in counts), sum(each.errors for each in counts))


@dataclass(frozen=True, slots=True)
class Since:
    """What was counted since a rise began, and how many errors are usual of it at most."""

    counts: Counts = NOTHING
    usual: float = 0.0

    def with_window(self, total: Counts, usual: float) -> "Since":
        """One more; ``usual`` is the error that is usual of it."""
        return Since(self.counts + total, self.usual + usual * total.samples)


@dataclass(frozen=True, slots=True)
class Bet:
    """One bet: log M; and the evidence since its onset (a CUSUM), when it was, what came since."""

    log_m: float = -math.inf
    evidence: float = 0.0
    onset: datetime | None = None
    since: Since = Since()


@dataclass(frozen=True, slots=True)
class Standing:
    """An alarm that stands: since when, for what rise, how sure it was, and what came since.

    ``back``: the evidence that the error has come back (a CUSUM).
    """

    onset: datetime
    rise: float
    statistic: float
    since: Since
    back: float = 0.0


@dataclass(frozen=True, slots=True)
class Track:
    """One of the two tests; its alarm if one stands; when the one before ended, and how."""

    bets: tuple[Bet, ...] = (Bet(),) * len(_BETS)
    standing: Standing | None = None
    before: tuple[datetime, Standing] | None = None

    @property
    def alarmed(self) -> bool:
        """Whether its alarm stands."""
        return self.standing is not None

    @property
    def statistic(self) -> float:
        """The mean of the bets, in labels: comparable with ``AVERAGE_RUN_LENGTH``."""
        weighed = zip(self.bets, _WEIGHTS, strict=True)
        return sum(weight * math.exp(bet.log_m) for bet, weight in weighed)


@dataclass(frozen=True, slots=True)
class DetectorState:
    """Both tests after the window that ended at ``time``.

    ``mix``: labels by class, as the reference names classes. ``hours`` since the epoch → counts.
    """

    time: datetime | None = None
    tracks: Mapping[Kind, Track] = field(default_factory=lambda: {kind: Track() for kind in Kind})
    mix: Mapping[str, float] = field(default_factory=dict)
    hours: Mapping[int, Counts] = field(default_factory=dict)


def leaves_room(reference: ReferenceCounts, tolerance: float) -> bool:
    """Whether an error can be more than the reference's bound and the tolerance together."""
    return reference.bound + tolerance < _SURE


def threshold() -> float:
    """What either test must reach; together they keep the average run length."""
    return AVERAGE_RUN_LENGTH * float(len(Kind))


def advance(
    state: DetectorState, windows: Iterable[Window], reference: ReferenceCounts, tolerance: float
) -> DetectorState:
    """The state after more windows, in order. Folding them in parts gives the same.

    Args:
        state: so far.
        windows: each ends later than ``state.time``; those without labels may be left out.
        reference: what the champion did when it was new.
        tolerance: by how much its error may rise.
    """
    time, mix, hours = state.time, dict(state.mix), dict(state.hours)
    games = {kind: _Game(track, tolerance) for kind, track in state.tracks.items()}
    known = reference.bound - reference.total.rate
    for window in windows:
        time, total = window.end, window.total
        if total.samples <= 0.0:
            continue
        for name, counts in window.classes.items():
            held = reference.held_as(name)
            mix[held] = mix.get(held, 0.0) + counts.samples
        games[Kind.ERROR].play(total, reference.bound, known, time)
        margin = _SIGMAS * reference.deviation(mix)
        expected = reference.expected(window.classes) + margin
        games[Kind.ERROR_AT_EQUAL_CLASS].play(total, expected, margin, time)
        _add(hours, window)
    tracks = {kind: game.track() for kind, game in games.items()}
    return DetectorState(time, tracks, mix, _latest(hours))


def remember(state: DetectorState, windows: Iterable[Window]) -> DetectorState:
    """The state once it knows of windows before the test, which seasons are looked for in."""
    hours = dict(state.hours)
    for window in windows:
        _add(hours, window)
    return DetectorState(state.time, state.tracks, state.mix, _latest(hours))


def _add(hours: dict[int, Counts], window: Window) -> None:
    """A window belongs to the hour that it ends in."""
    hour = _hour(window.end)
    hours[hour] = hours.get(hour, NOTHING) + window.total


def _latest(hours: Mapping[int, Counts]) -> Mapping[int, Counts]:
    """The last fourteen days."""
    oldest = max(hours, default=0) - _HOURS_KEPT
    return {hour: counts for hour, counts in hours.items() if hour > oldest}


class _Game:
    """The bets of one test while windows are folded: lists, because there are many windows."""

    _most = tuple(math.log(2.0 * threshold() / weight) for weight in _WEIGHTS)
    """No evidence beyond this is kept of a bet, which alone raises the alarm by then."""

    def __init__(self, track: Track, tolerance: float) -> None:
        self._tolerance = tolerance
        self._log_m = [bet.log_m for bet in track.bets]
        self._evidence = [bet.evidence for bet in track.bets]
        self._onsets = [bet.onset for bet in track.bets]
        self._since = [bet.since for bet in track.bets]
        self._standing, self._before = track.standing, track.before
        self._factors: tuple[float, list[tuple[float, float]]] = (math.nan, [])

    def track(self) -> Track:
        """As it stands."""
        bets = zip(self._log_m, self._evidence, self._onsets, self._since, strict=True)
        return Track(tuple(Bet(*each) for each in bets), self._standing, self._before)

    def play(self, total: Counts, usual: float, margin: float, time: datetime) -> None:
        """One window, whose error should be at most ``usual`` and the tolerance together.

        Nothing where no error is more. ``margin``: how much of ``usual`` is not known.
        """
        mean = usual + self._tolerance
        if not 0.0 < mean < _SURE:
            return
        if self._factors[0] != mean:
            self._factors = (mean, [_log_factors(mean, rise) for rise in _BETS])
        samples, errors = total.samples, total.errors
        log_samples, statistic = math.log(samples), 0.0
        for at, (wrong, right) in enumerate(self._factors[1]):
            if at < len(RISES) or _BETS[at] >= _MARGINS * margin:
                gain = errors * wrong + (samples - errors) * right
                before = self._log_m[at]
                high, low = (before, log_samples) if before > log_samples else (log_samples, before)
                log_m = high + math.log1p(math.exp(low - high)) + gain
                self._log_m[at] = min(self._most[at], log_m)
                self._follow(at, gain, total, usual, time)
            statistic += _WEIGHTS[at] * math.exp(self._log_m[at])
        if self._standing is not None:
            self._stand(self._standing, total, usual, statistic, time)
        elif statistic >= threshold():
            self._raise(statistic, time)

    def _follow(self, at: int, gain: float, total: Counts, usual: float, time: datetime) -> None:
        """Since when the evidence speaks for a rise: a CUSUM, over at odds of a hundred to one."""
        evidence = min(_ODDS_OF_AN_END, self._evidence[at] + gain)
        if evidence <= 0.0:
            if self._onsets[at] is not None:
                self._evidence[at], self._onsets[at], self._since[at] = 0.0, None, Since()
            return
        self._evidence[at] = evidence
        if self._onsets[at] is None:
            self._onsets[at] = time
        self._since[at] = self._since[at].with_window(total, usual)

    def _raise(self, statistic: float, time: datetime) -> None:
        """An alarm begins, by the bet that has won most."""
        best = max(range(len(_BETS)), key=lambda at: self._log_m[at] + math.log(_WEIGHTS[at]))
        onset, since = self._onsets[best] or time, self._since[best]
        if self._before is not None:
            ended, before = self._before
            lasted = _INTERRUPTION * (ended - before.onset)
            if onset - ended <= min(lasted, _LONGEST_INTERRUPTION):
                onset = before.onset
                since = Since(since.counts + before.since.counts, since.usual + before.since.usual)
        self._standing = Standing(onset, _BETS[best], statistic, since)

    def _stand(
        self, standing: Standing, total: Counts, usual: float, statistic: float, time: datetime
    ) -> None:
        """An alarm goes on; or ends, and then nothing of before it counts any more."""
        since = standing.since.with_window(total, usual)
        well = min(usual + self._tolerance, _SURE)
        wrong, right = _log_ratios(well, self._still(standing, usual))
        back = standing.back - total.errors * wrong - (total.samples - total.errors) * right
        odds = min(max(_LEAST_OF_A_RETURN, _OF_A_WINDOW * total.samples), _MOST_OF_A_RETURN)
        if back < math.log(odds):
            most = max(standing.statistic, statistic)
            self._standing = replace(standing, statistic=most, since=since, back=max(0.0, back))
            return
        fresh = _Game(Track(), self._tolerance)
        self._log_m, self._evidence = fresh._log_m, fresh._evidence
        self._onsets, self._since = fresh._onsets, fresh._since
        self._standing, self._before = None, (time, standing)

    def _still(self, standing: Standing, usual: float) -> float:
        """The error of a window if nothing is back: by as much more as what came since surely had.

        It is more than the tolerance in any case, or no alarm would have been raised.
        """
        counts = standing.since.counts
        least = usual + self._tolerance + standing.rise / 2.0
        if counts.samples <= 0.0:
            return min(_SURE, least)
        spread = math.sqrt(counts.rate * (1.0 - counts.rate) / counts.samples)
        more = counts.rate - standing.since.usual / counts.samples - _SURELY * spread
        return min(_SURE, max(least, usual + more))


def _log_factors(mean: float, rise: float) -> tuple[float, float]:
    """Logs of what an error and a right answer multiply a bet by; ``mean`` is below ``_SURE``."""
    return _log_ratios(mean, min(mean + rise, _SURE))


def _log_ratios(mean: float, other: float) -> tuple[float, float]:
    """Logs of the likelihood ratios of two error rates, ``other`` against ``mean``."""
    return math.log(other / mean), math.log1p((mean - other) / (1.0 - mean))


def _hour(time: datetime) -> int:
    return math.ceil(time.timestamp() / _HOUR) - 1


def alarm(state: DetectorState, reference: ReferenceCounts, tolerance: float) -> Alarm | None:
    """The stronger of the alarms that stand, if any does."""
    standing = [(kind, track.standing) for kind, track in state.tracks.items() if track.standing]
    if not standing:
        return None
    kind, found = max(standing, key=lambda pair: pair[1].statistic)
    counts = found.since.counts
    usual = found.since.usual / counts.samples if counts.samples > 0.0 else reference.bound
    return Alarm(kind, found.statistic, threshold(), usual + tolerance, found.onset, counts)


def season(state: DetectorState, found: Alarm) -> timedelta | None:
    """The season (a day, a week) after which the error is up just as it was then; else None.

    Then the error was up too, it was down before its onset now, and is no worse now than it was.
    """
    if state.time is None:
        return None
    first, last = _hour(found.onset), _hour(state.time)
    for each in SEASONS:
        period = int(each.total_seconds()) // _HOUR
        if last - first < period and any(
            _recurs(state.hours, first, last, period + shift, found.bound) for shift in _SHIFTS
        ):
            return each
    return None


def _was_down(hours: Mapping[int, Counts], first: int, then: Counts, bound: float) -> bool:
    """Whether the error was within its bound just before the onset, and surely less than then.

    Of a small drop that stays, some hours are within the bound by chance.
    """
    lulls = (_sum(hours, first - length, first - 1) for length in _LULLS)
    return any(
        lull.samples >= _LEAST_OF_A_SEASON and lull.rate <= bound and _score(then, lull) > _DOWN
        for lull in lulls
    )


def _recurs(hours: Mapping[int, Counts], first: int, last: int, period: int, bound: float) -> bool:
    now = _sum(hours, first, last)
    then = _sum(hours, first - period, last - period)
    known = then.samples >= max(_LEAST_OF_A_SEASON, now.samples / 2)
    return (
        known
        and then.rate > bound
        and _was_down(hours, first, then, bound)
        and not _worse(hours, first, last, period)
    )


def _sum(hours: Mapping[int, Counts], first: int, last: int) -> Counts:
    return sum((hours.get(hour, NOTHING) for hour in range(first, last + 1)), NOTHING)


def _worse(hours: Mapping[int, Counts], first: int, last: int, period: int) -> bool:
    """Whether the error is higher now than a period ago, in all hours since any of the season.

    What stays when the season should be over is seen in the hours since, however long it was.
    """
    now = then = NOTHING
    for hour in range(last, first - 1, -1):
        now += hours.get(hour, NOTHING)
        then += hours.get(hour - period, NOTHING)
        if min(now.samples, then.samples) >= _LEAST_OF_A_SEASON and _score(now, then) > _WORSE:
            return True
    return False


def _score(now: Counts, then: Counts) -> float:
    """Standard errors by which the error is higher now: a score test of two proportions."""
    pooled = now + then
    spread = pooled.rate * (1.0 - pooled.rate) * (1.0 / now.samples + 1.0 / then.samples)
    return (now.rate - then.rate) / math.sqrt(spread) if spread > 0.0 else 0.0


def recent(state: DetectorState, least: float) -> Counts:
    """The latest hours that hold ``least`` labels, or all there are."""
    found = NOTHING
    for hour in sorted(state.hours, reverse=True):
        found += state.hours[hour]
        if found.samples >= least:
            break
    return found


def latest_hour(state: DetectorState) -> datetime | None:
    """The end of the last hour in which labels were counted."""
    hours = [hour for hour, counts in state.hours.items() if counts.samples > 0.0]
    return datetime.fromtimestamp((max(hours) + 1) * _HOUR, UTC) if hours else None
