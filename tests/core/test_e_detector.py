"""The sequential test: what it promises of false alarms, and that a state can be rebuilt."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maintenance_core.model import NOTHING, Counts, Kind, ReferenceCounts
from maintenance_core.watch import e_detector
from maintenance_core.watch.e_detector import (
    AVERAGE_RUN_LENGTH,
    DetectorState,
    Window,
    advance,
    alarm,
    season,
    threshold,
)

START = datetime(2026, 11, 2, tzinfo=UTC)
STEP = timedelta(minutes=5)
TOLERANCE = 0.02
CLASSES = ("a", "b")

calmly = settings(deadline=None, max_examples=60)


def window(number: int, **classes: tuple[float, float]) -> Window:
    """The ``number``-th window; per class (samples, errors)."""
    return Window(START + number * STEP, {name: Counts(*pair) for name, pair in classes.items()})


def reference(error: float = 0.15, samples: int = 2000) -> ReferenceCounts:
    """As if exactly that error had been counted, in two equal classes."""
    each = Counts(samples / 2, error * samples / 2)
    return ReferenceCounts(START, dict.fromkeys(CLASSES, each))


def drawn(
    chance: random.Random, error: float, labels: int, share: float = 0.5
) -> dict[str, tuple[float, float]]:
    """Counts of labels drawn one by one; ``share`` is that of class a."""
    counts = {name: [0, 0] for name in CLASSES}
    for _ in range(labels):
        name = "a" if chance.random() < share else "b"
        counts[name][0] += 1
        counts[name][1] += chance.random() < error
    return {name: (float(n), float(k)) for name, (n, k) in counts.items() if n}


def labels_until_alarm(windows: Iterator[Window], against: ReferenceCounts) -> float | None:
    state, labels = DetectorState(), 0.0
    for each in windows:
        state, labels = advance(state, [each], against, TOLERANCE), labels + each.total.samples
        if alarm(state, against, TOLERANCE) is not None:
            return labels
    return None


counts = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(
    lambda pair: (float(pair[0]), float(min(pair)))
)
streams = st.lists(st.tuples(counts, counts), min_size=1, max_size=30).map(
    lambda pairs: [window(number, a=a, b=b) for number, (a, b) in enumerate(pairs, 1)]
)


@pytest.mark.slow
@pytest.mark.parametrize("labels", [6, 60])
def test_the_average_run_length_is_kept_at_the_worst_error_that_is_allowed(labels: int) -> None:
    """M less the labels seen never rises on average: that is what the promise rests on.

    Stopped where either test reaches the threshold, or after a while, its mean stays under the
    labels seen until then. The reference is sure here, so the error stands exactly at the bound.
    """
    against = reference(samples=2_000_000)
    error = against.bound + TOLERANCE
    chance, streams_drawn, most = random.Random(1), 40, 12_000  # noqa: S311 - no secret
    alarms, seen = 0, 0.0
    for _ in range(streams_drawn):
        state, count = DetectorState(), 0
        while count < most:
            count += labels
            drawn_now = window(count, **drawn(chance, error, labels))
            state = advance(state, [drawn_now], against, TOLERANCE)
            if alarm(state, against, TOLERANCE) is not None:
                alarms += 1
                break
        seen += count

    # The mean run length is at least seen / alarms; it is far longer than it must be.
    assert seen >= alarms * AVERAGE_RUN_LENGTH


@pytest.mark.slow
def test_a_stable_error_raises_no_alarm_and_a_drop_of_ten_points_does() -> None:
    chance, against = random.Random(2), reference()  # noqa: S311 - no secret

    def stream(error: float, windows: int) -> Iterator[Window]:
        return (window(number, **drawn(chance, error, 20)) for number in range(1, windows + 1))

    assert [labels_until_alarm(stream(0.15, 200), against) for _ in range(30)] == [None] * 30
    delays = sorted(labels_until_alarm(stream(0.25, 200), against) or 1e9 for _ in range(31))
    assert delays[15] <= 400, "the median delay in labels"


def test_a_rise_that_easier_classes_hide_is_seen_at_equal_class_mix() -> None:
    hard, easy = Counts(1000, 300), Counts(1000, 20)
    against = ReferenceCounts(START, {"hard": hard, "easy": easy})
    # Nine in ten are of the easy class now, and both are worse: the overall error has fallen.
    stream = [window(number, hard=(2, 0.8), easy=(18, 2.2)) for number in range(1, 200)]

    found = alarm(advance(DetectorState(), stream, against, TOLERANCE), against, TOLERANCE)

    assert found is not None
    assert found.kind is Kind.ERROR_AT_EQUAL_CLASS
    assert found.since.rate < against.total.rate


def test_a_moved_class_mix_alone_is_no_rise_at_equal_class_mix() -> None:
    against = ReferenceCounts(START, {"hard": Counts(1000, 300), "easy": Counts(1000, 20)})
    stream = [window(number, hard=(18, 5.4), easy=(2, 0.04)) for number in range(1, 200)]

    state = advance(DetectorState(), stream, against, TOLERANCE)

    assert state.tracks[Kind.ERROR].alarmed
    assert not state.tracks[Kind.ERROR_AT_EQUAL_CLASS].alarmed


def long_tail(rare: int, hard: float, labels: int) -> ReferenceCounts:
    """Five frequent classes, of which a tenth is wrong, and many rare ones with 30 % of labels."""
    each = 0.7 * labels / 5, 0.3 * labels / rare
    frequent = {f"frequent {at}": Counts(each[0], each[0] * 0.1) for at in range(5)}
    return ReferenceCounts(
        START, frequent | {f"rare {at}": Counts(each[1], each[1] * hard) for at in range(rare)}
    )


@pytest.mark.parametrize("labels", [300, 2000, 50_000])
@pytest.mark.parametrize("rare, hard", [(90, 0.6), (45, 0.45), (2, 0.0), (90, 1.0)])
def test_what_is_expected_of_the_mix_of_a_reference_is_its_error(
    rare: int, hard: float, labels: int
) -> None:
    """However rare the hard classes are: or a stream in which nothing changes is a rise."""
    against = long_tail(rare, hard, labels)

    assert against.expected(against.classes) == pytest.approx(against.total.rate, abs=1e-12)


@pytest.mark.parametrize("worse", [False, True])
def test_a_rise_in_rare_classes_is_seen_and_their_being_hard_is_none(*, worse: bool) -> None:
    chance, against = random.Random(3), long_tail(90, 0.6, 2000)  # noqa: S311 - no secret
    names = list(against.classes)
    errors = [0.1] * 5 + [0.95 if worse else 0.6] * 90
    weights = [against.classes[name].samples for name in names]
    stream = []
    for number in range(1, 150):
        found: dict[str, tuple[float, float]] = {}
        for at in chance.choices(range(len(names)), weights, k=40):
            n, k = found.get(names[at], (0.0, 0.0))
            found[names[at]] = n + 1, k + (chance.random() < errors[at])
        stream.append(window(number, **found))

    state = advance(DetectorState(), stream, against, TOLERANCE)

    assert state.tracks[Kind.ERROR_AT_EQUAL_CLASS].alarmed is worse


@pytest.mark.slow
@calmly
@given(streams, st.data())
def test_a_state_that_is_rebuilt_in_parts_is_the_same(
    stream: Sequence[Window], data: st.DataObject
) -> None:
    against = reference()
    cut = data.draw(st.integers(0, len(stream)))

    at_once = advance(DetectorState(), stream, against, TOLERANCE)
    first = advance(DetectorState(), stream[:cut], against, TOLERANCE)

    assert advance(first, stream[cut:], against, TOLERANCE) == at_once


@pytest.mark.slow
@calmly
@given(streams)
def test_windows_without_labels_change_nothing(stream: Sequence[Window]) -> None:
    """A scrape that is missed loses its labels and says nothing."""
    against = reference()
    counted = [each for each in stream if each.total.samples]

    assert (
        advance(DetectorState(), stream, against, TOLERANCE).tracks
        == advance(DetectorState(), counted, against, TOLERANCE).tracks
    )


@pytest.mark.slow
@calmly
@given(streams, st.data())
def test_one_more_error_never_lowers_the_evidence(
    stream: Sequence[Window], data: st.DataObject
) -> None:
    against = reference()
    at = data.draw(st.integers(0, len(stream) - 1))
    worse = list(stream)
    a = worse[at].classes["a"]
    if a.errors >= a.samples:
        return
    worse[at] = Window(worse[at].end, {**worse[at].classes, "a": Counts(a.samples, a.errors + 1)})

    before = advance(DetectorState(), stream, against, TOLERANCE)
    after = advance(DetectorState(), worse, against, TOLERANCE)

    for kind in Kind:
        if before.tracks[kind].before is not None or after.tracks[kind].before is not None:
            continue  # an alarm ended: its evidence is over
        for bet, better in zip(before.tracks[kind].bets, after.tracks[kind].bets, strict=True):
            assert better.log_m >= bet.log_m - 1e-9


@pytest.mark.slow
@calmly
@given(
    st.lists(st.tuples(counts, counts), min_size=1, max_size=5),
    st.floats(0, 1e12),
    st.floats(0, 1),
    st.floats(0, 0.5),
)
def test_no_counts_break_it(
    pairs: Sequence[tuple[tuple[float, float], tuple[float, float]]],
    many: float,
    error: float,
    tolerance: float,
) -> None:
    against = ReferenceCounts(START, {"a": Counts(1000, 1000 * error)})
    stream = [window(number, a=a, b=b) for number, (a, b) in enumerate(pairs, 1)]
    stream.append(window(len(stream) + 1, a=(many, many * error), new=(many / 2, many / 2)))

    state = advance(DetectorState(), stream, against, tolerance)

    bets = len(e_detector.RISES) + len(e_detector.SMALL_RISES)
    for track in state.tracks.values():
        assert 0.0 <= track.statistic <= 2 * bets * threshold() * 1.001


@pytest.mark.parametrize("error, tolerance", [(0.99, 0.02), (0.9, 0.1), (0.6, 0.5), (1.0, 0.0)])
def test_where_no_error_could_be_more_nothing_alarms(error: float, tolerance: float) -> None:
    against = reference(error)
    assert not e_detector.leaves_room(against, tolerance)
    stream = [window(number, a=(100, 100 * error)) for number in range(1, 400)]

    state = advance(DetectorState(), stream, against, tolerance)

    assert alarm(state, against, tolerance) is None
    assert state.tracks[Kind.ERROR].statistic == 0.0
    assert sum(counts.samples for counts in state.hours.values()) == 39_900


def one_at_a_time(error: float, count: int, first: int, labels: int = 20) -> list[Window]:
    """Windows drawn by chance, of one class."""
    chance = random.Random(first)  # noqa: S311 - no secret
    wrong = [sum(chance.random() < error for _ in range(labels)) for _ in range(count)]
    return [window(first + at, a=(labels, each)) for at, each in enumerate(wrong)]


@pytest.mark.parametrize("error", [0.2, 0.25])
def test_a_rise_that_stays_stays_told_with_its_onset(error: float) -> None:
    """Just beyond the bound there is as much noise in a window as evidence."""
    against = one_class()
    state, told, onsets = DetectorState(), [], set()
    for each in one_at_a_time(error, 6000, 1, labels=80 if error == 0.2 else 20):
        state = advance(state, [each], against, TOLERANCE)
        found = alarm(state, against, TOLERANCE)
        told.append(found is not None)
        onsets |= {found.onset} if found is not None else set()

    changes = sum(told[at] != told[at - 1] for at in range(1, len(told)))
    assert changes <= 15
    assert sum(told[told.index(True) :]) > 0.94 * (len(told) - told.index(True))
    assert len(onsets) <= 2


@pytest.mark.parametrize("lasted", [20, 2000])
def test_an_alarm_ends_some_hundreds_of_labels_after_the_error_is_back(lasted: int) -> None:
    against = one_class()
    state = advance(DetectorState(), one_at_a_time(0.35, lasted, 1), against, TOLERANCE)
    assert alarm(state, against, TOLERANCE) is not None

    state = advance(state, one_at_a_time(0.15, 25, lasted + 1), against, TOLERANCE)

    assert alarm(state, against, TOLERANCE) is None
    assert state.tracks[Kind.ERROR].statistic < threshold() / 2, "and it does not come back"


def test_what_began_before_an_interruption_has_its_onset() -> None:
    against = one_class()
    bad = one_at_a_time(0.4, 200, 1)
    good = one_at_a_time(0.1, 25, 201)
    again = one_at_a_time(0.4, 50, 226)
    much_later = [replace(each, end=each.end + timedelta(days=2)) for each in again]

    def onset(windows: Sequence[Window]) -> datetime:
        state = advance(DetectorState(), [*bad, *good], against, TOLERANCE)
        assert alarm(state, against, TOLERANCE) is None
        found = alarm(advance(state, windows, against, TOLERANCE), against, TOLERANCE)
        assert found is not None
        return found.onset

    assert onset(again) <= bad[2].end
    assert onset(much_later) >= much_later[0].end


def test_an_alarm_at_equal_class_mix_tells_the_bound_of_its_own() -> None:
    """Most labels are of the easy class now: their usual error is less than that of the first."""
    hard, easy = Counts(1000, 300), Counts(1000, 20)
    against = ReferenceCounts(START, {"hard": hard, "easy": easy})
    stream = [window(number, hard=(2, 0.8), easy=(18, 2.2)) for number in range(1, 200)]

    found = alarm(advance(DetectorState(), stream, against, TOLERANCE), against, TOLERANCE)

    assert found is not None
    usual = 0.1 * 0.3 + 0.9 * 0.02
    assert usual + TOLERANCE < found.bound < usual + TOLERANCE + 0.01 < found.since.rate
    assert found.bound < against.bound


@pytest.mark.parametrize(
    "error, after, tolerance", [(0.001, 0.005, 0.002), (0.001, 0.015, 0.002), (0.1, 0.135, 0.02)]
)
def test_a_small_rise_beyond_the_tolerance_is_told_at_last(
    error: float, after: float, tolerance: float
) -> None:
    against = ReferenceCounts(START, {"a": Counts(50_000, 50_000 * error)})
    stream = [window(number, a=(1000, 1000 * after)) for number in range(1, 150)]
    usual = [window(number, a=(1000, 1000 * error)) for number in range(1, 1500)]

    assert alarm(advance(DetectorState(), stream, against, tolerance), against, tolerance)
    assert not alarm(advance(DetectorState(), usual, against, tolerance), against, tolerance)


def test_a_rise_that_few_labels_cannot_tell_from_luck_is_none() -> None:
    """A reference of a hundred labels may be five points too good."""
    against = ReferenceCounts(START, {"a": Counts(100, 10)})
    stream = [window(number, a=(1000, 1000 * (against.bound + 0.03))) for number in range(1, 1000)]

    assert not alarm(advance(DetectorState(), stream, against, TOLERANCE), against, TOLERANCE)


def test_an_alarm_stands_until_the_evidence_has_gone() -> None:
    against = reference()
    bad = [window(number, a=(10, 5), b=(10, 5)) for number in range(1, 20)]
    state = advance(DetectorState(), bad, against, TOLERANCE)
    assert alarm(state, against, TOLERANCE) is not None

    state = advance(state, [window(20, a=(5, 1), b=(5, 0))], against, TOLERANCE)
    assert alarm(state, against, TOLERANCE) is not None, "one good window is not enough"

    good = [window(number, a=(10, 1.5), b=(10, 1.5)) for number in range(21, 120)]
    assert alarm(advance(state, good, against, TOLERANCE), against, TOLERANCE) is None


def test_the_onset_is_where_the_error_began_to_rise() -> None:
    against = reference()
    good = [window(number, a=(10, 1.5), b=(10, 1.5)) for number in range(1, 101)]
    bad = [window(number, a=(10, 4), b=(10, 4)) for number in range(101, 111)]

    found = alarm(advance(DetectorState(), [*good, *bad], against, TOLERANCE), against, TOLERANCE)

    assert found is not None
    assert found.onset == bad[0].end
    assert found.since == Counts(200, 80)


def hourly(errors: dict[int, float], hours: int) -> list[Window]:
    """Forty labels an hour; error .15 but where ``errors`` says otherwise, by hour."""
    return [
        Window(START + timedelta(hours=hour + 1), {"a": Counts(40, 40 * errors.get(hour, 0.15))})
        for hour in range(hours)
    ]


def one_class() -> ReferenceCounts:
    return ReferenceCounts(START, {"a": Counts(2000, 300)})


def seasonal(errors: dict[int, float], hours: int) -> timedelta | None:
    state = advance(DetectorState(), hourly(errors, hours), one_class(), TOLERANCE)
    found = alarm(state, one_class(), TOLERANCE)
    assert found is not None, "the error is up"
    return season(state, found)


def night(day: int, error: float) -> dict[int, float]:
    """Eight bad hours."""
    return {24 * day + hour: error for hour in range(8)}


def test_what_came_a_day_before_and_went_is_a_season() -> None:
    assert seasonal(night(0, 0.35) | night(1, 0.35), 24 + 8) == timedelta(days=1)


def test_what_came_a_week_before_and_went_is_a_season() -> None:
    assert seasonal(night(0, 0.35) | night(7, 0.35), 7 * 24 + 8) == timedelta(days=7)


@pytest.mark.parametrize(
    "errors, hours",
    [
        (night(1, 0.35), 24 + 8),  # never before
        (night(0, 0.25) | night(1, 0.5), 24 + 8),  # worse than before
        (dict.fromkeys(range(60), 0.35), 60),  # it never came down again
        (night(0, 0.35) | dict.fromkeys(range(24, 44), 0.35), 44),  # it stays longer
    ],
    ids=["never before", "worse than before", "never came down", "stays longer"],
)
def test_what_is_no_season_counts(errors: dict[int, float], hours: int) -> None:
    assert seasonal(errors, hours) is None


WEEKEND = {24 * 5 + hour: 0.35 for hour in range(48)}


def weeks(count: int) -> dict[int, float]:
    """Bad weekends; weeks begin on a Monday."""
    return {168 * week + hour: error for week in range(count) for hour, error in WEEKEND.items()}


def looks(errors: dict[int, float], first: int, last: int) -> list[bool]:
    """At each hour from ``first`` to ``last`` (exclusive), whether a drop is told."""
    chance = random.Random(7)  # noqa: S311 - no secret
    state, told, against = DetectorState(), [], one_class()
    for hour in range(last):
        rate = errors.get(hour, 0.15)
        wrong = sum(chance.random() < rate for _ in range(40))
        here = Window(START + timedelta(hours=hour + 1), {"a": Counts(40, wrong)})
        state = advance(state, [here], against, TOLERANCE)
        found = alarm(state, against, TOLERANCE)
        told.append(found is not None and season(state, found) is None)
    return told[first:]


def test_a_weekend_as_the_ones_before_is_no_drop_at_any_look() -> None:
    assert any(looks(weeks(1), 0, 168)), "the first is not known yet"
    assert not any(looks(weeks(4), 168 + 24, 4 * 168)), "each of the next three is"


def test_what_begins_in_a_season_and_stays_is_seen_soon_after_it() -> None:
    monday = 3 * 168
    stays = dict.fromkeys(range(monday - 30, monday + 24), 0.35)

    told = looks(weeks(3) | stays, monday - 30, monday + 24)

    assert not any(told[:30]), "as in the weekends before"
    assert told[30:].index(True) <= 8


def test_nights_of_an_hour_later_where_clocks_go_back_are_the_season() -> None:
    later = {hour + 1: error for hour, error in night(6, 0.35).items()}
    nights = {hour: error for day in range(6) for hour, error in night(day, 0.35).items()}

    assert not any(looks(nights | later, 24, 7 * 24))


def test_a_state_forgets_what_is_older_than_fourteen_days() -> None:
    state = advance(DetectorState(), hourly({}, 24 * 20), one_class(), TOLERANCE)

    assert len(state.hours) == 14 * 24
    assert e_detector.recent(state, 100) == Counts(120, 18)
    assert e_detector.recent(DetectorState(), 100) == NOTHING
