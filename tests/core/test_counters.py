"""Counters: the query that is asked, the windows of its answer, and what is made of them."""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from maintenance_contract import TrainingAction
from maintenance_core import status as status_json
from maintenance_core.errors import MetricsError
from maintenance_core.model import (
    NOTHING,
    OTHER_CLASSES,
    Champion,
    Counts,
    Degraded,
    Healthy,
    Monitor,
    OutcomeCounters,
    ReferenceCounts,
    Series,
    Status,
    ThresholdRange,
    Unknown,
)
from maintenance_core.watch import counters as core
from maintenance_core.watch.counters import Counted
from maintenance_core.watch.e_detector import DetectorState, Window, advance, alarm

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
COUNTED = OutcomeCounters(
    "default", 5 * MINUTE, "predictions_total", {"model": "news"}, "true_class", "correct"
)
VERSIONED = replace(COUNTED, version_label="version")
CHAMPION = Champion(3, "pvc://m/versions/3", "sha256:aa", NOW, TrainingAction.RETRAIN)


def window(number: int, samples: float, errors: float, name: str = "sport") -> Window:
    return Window(NOW + number * COUNTED.interval, {name: Counts(samples, errors)})


def series(right: str, value: float, **labels: str) -> Series:
    return Series({"true_class": "sport", "correct": right, **labels}, ((NOW, value),))


def test_the_query_sees_resets_and_names_the_version() -> None:
    assert core.query(COUNTED, 3) == (
        'sum by (true_class, correct) (increase(predictions_total{model="news"}[300s] offset 30s))'
    )
    assert 'model="news", version="3"' in core.query(VERSIONED, 3)
    assert "version" not in core.query(VERSIONED, None)
    often = replace(COUNTED, interval=timedelta(seconds=5))
    assert "[5s] offset 5s" in core.query(often, 3)


def test_label_values_are_quoted() -> None:
    odd = replace(COUNTED, match_labels={"model": 'a "b" \\ c\n'})

    assert r'model="a \"b\" \\ c\n"' in core.query(odd, None)


def test_times_lie_on_the_grid_after_one_time_up_to_another() -> None:
    assert core.times(COUNTED, NOW, NOW + 11 * MINUTE) == (NOW + 5 * MINUTE, NOW + 10 * MINUTE)
    assert core.times(COUNTED, NOW - MINUTE, NOW) == (NOW,)
    assert core.times(COUNTED, NOW, NOW) == ()


def test_only_windows_that_lie_wholly_after_the_promotion_count() -> None:
    promoted = replace(CHAMPION, promoted_time=NOW + MINUTE)

    def first(outcomes: OutcomeCounters) -> datetime:
        return core.times(outcomes, core.first_count(outcomes, promoted), NOW + 60 * MINUTE)[0]

    # Its window ends 30 s earlier and is five minutes long.
    assert first(VERSIONED) == NOW + 10 * MINUTE
    # Servers change over meanwhile.
    assert first(COUNTED) == NOW + 20 * MINUTE


def test_the_beginning_moves_by_whole_blocks_and_is_the_same_from_a_moved_checkpoint() -> None:
    checkpoint = NOW
    for hours in range(0, 24 * 60, 7):
        now = checkpoint + timedelta(hours=hours)
        start = core.beginning(checkpoint, now)
        assert now - start < 2 * core.BLOCK
        assert start == checkpoint or now - start >= core.BLOCK
        assert core.beginning(start, now) == start


def test_an_answer_becomes_windows_by_class() -> None:
    points = ((NOW, 3.0), (NOW + MINUTE, 4.0))
    answer = (
        Series({"true_class": "a", "correct": "true"}, points),
        Series({"true_class": "a", "correct": "false"}, ((NOW + MINUTE, 1.5),)),
        Series({"true_class": "b", "correct": "True"}, ((NOW, math.nan), (NOW + MINUTE, 2.0))),
    )

    assert core.windows(COUNTED, answer) == (
        Window(NOW, {"a": Counts(3, 0)}),
        Window(NOW + MINUTE, {"a": Counts(5.5, 1.5), "b": Counts(2, 0)}),
    )


@pytest.mark.parametrize(
    "labels, words",
    [
        ({"correct": "true"}, "without the label 'true_class'"),
        ({"true_class": "a"}, "no such label"),
        ({"true_class": "a", "correct": "1"}, "a series has '1'"),
    ],
)
def test_labels_that_do_not_tell_are_named(labels: Mapping[str, str], words: str) -> None:
    with pytest.raises(MetricsError, match=words) as error:
        core.readable(COUNTED, (Series(labels, ((NOW, 1.0),)),))

    assert error.value.reason == "OutcomesUnreadable"


STRAYS: list[Mapping[str, str]] = [
    {"correct": "true"},
    {"true_class": "sport"},
    {"true_class": "sport", "correct": "unknown"},
]


def strayed(labels: Mapping[str, str], *values: float) -> tuple[Window, ...]:
    """Ten right and one wrong in each window, beside a series that cannot be read."""
    times = [NOW + number * COUNTED.interval for number in range(1, len(values) + 1)]
    right = Series({"true_class": "sport", "correct": "true"}, tuple((at, 9.0) for at in times))
    wrong = Series({"true_class": "sport", "correct": "false"}, tuple((at, 1.0) for at in times))
    stray = Series(labels, tuple(zip(times, values, strict=True)))
    return core.windows(COUNTED, (right, stray, wrong))


@pytest.mark.parametrize("labels", STRAYS)
def test_a_series_that_cannot_be_read_takes_only_what_it_counts_in(
    labels: Mapping[str, str],
) -> None:
    found = strayed(labels, 0.0, 2.0, 0.0, math.nan)

    assert [window.total for window in found] == [Counts(10, 1), NOTHING, *[Counts(10, 1)] * 2]
    assert [bool(window.unreadable) for window in found] == [False, True, False, False]


@pytest.mark.parametrize("labels", STRAYS)
@pytest.mark.parametrize("gathering", [True, False])
def test_a_window_that_cannot_be_read_is_told_for_a_while_and_left_out(
    labels: Mapping[str, str], *, gathering: bool
) -> None:
    counted, kinds = begun() if gathering else watched(window(0, 20, 2)), []
    for each in strayed(labels, 0.0, 2.0, *[0.0] * 4):
        counted = fed(counted, each)
        found = core.assess(COUNTED, CHAMPION, counted)
        kinds.append(found.reason if isinstance(found, Unknown) else "")

    usual = "AwaitingReadings" if gathering else ""
    assert kinds == [usual, *["OutcomesUnreadable"] * 3, usual, usual]
    assert counted.unreadable is None
    total = counted.gathered["sport"] if gathering else Counts(counted.state.mix["sport"], 5)
    assert total == Counts(50, 5)


def test_more_labels_than_there_can_be_are_left_out_and_told() -> None:
    usual, many = window(1, 20, 2), series("true", 1e12)
    found = core.windows(COUNTED, [many, series("false", 5.0)])

    counted = fed(fed(watched(usual), *found), window(2, 0, 0))

    told = core.assess(COUNTED, CHAMPION, counted)
    assert isinstance(told, Unknown)
    assert told.reason == "OutcomesUnreadable"
    assert "predictions_total went up by 1e+12 within 300 s" in told.message
    assert counted.state.mix == {"sport": 20}


def test_series_none_of_which_can_be_read_are_told_whether_they_count_or_not() -> None:
    nothing = core.windows(COUNTED, (Series({"class": "a", "correct": "true"}, ((NOW, 0.0),)),))

    found = core.assess(COUNTED, CHAMPION, fed(begun(), *nothing))

    assert isinstance(found, Unknown)
    assert found.reason == "OutcomesUnreadable"
    assert "without the label 'true_class'" in found.message
    assert "up to 2026-11-25 12:00 UTC is left out" in found.message


@pytest.mark.parametrize("said", ["true", "True", "TRUE", "tRue", "false", "False", "FALSE"])
def test_people_see_the_same_right_answers_as_the_test(said: str) -> None:
    (window,) = core.windows(COUNTED, [series(said, 3.0)])
    matched = re.search(r'correct=~"([^"]*)"', core.accuracy_query(COUNTED, 3))

    assert matched is not None
    assert (re.fullmatch(matched[1], said) is not None) == (window.total.errors == 0)


def test_rare_classes_beyond_a_hundred_count_together() -> None:
    many = {f"class {number}": Counts(1000 - number, 10.00049) for number in range(150)}

    held = core.bounded(ReferenceCounts(NOW, many))

    assert len(held.classes) == status_json.MOST_CLASSES
    assert held.classes["class 0"] == Counts(1000, 10.0)
    assert held.total.samples == pytest.approx(sum(counts.samples for counts in many.values()))


def test_a_class_that_is_called_as_the_others_are_is_one_of_them() -> None:
    many = {f"class {number}": Counts(10, 1) for number in range(150)}

    held = core.bounded(ReferenceCounts(NOW, {**many, OTHER_CLASSES: Counts(500, 5)}))

    assert held.total == Counts(2000, 155)
    assert held.classes[OTHER_CLASSES].samples > 500


def test_rare_classes_are_held_against_what_they_did_together() -> None:
    """A hundred names fit; nine hundred rare classes that were always hard are no rise."""
    frequent = {f"frequent {number}": Counts(600, 30) for number in range(90)}
    rare = {f"rare {number}": Counts(40, 16) for number in range(900)}
    reference = core.bounded(ReferenceCounts(NOW, {**frequent, **rare}))

    def drawn(number: int) -> Window:
        names = [f"frequent {(3 * number + at) % 90}" for at in range(30)]
        classes = dict.fromkeys(names, Counts(1, 0.05))
        classes |= {f"rare {(20 * number + at) % 900}": Counts(1, 0.4) for at in range(20)}
        return Window(NOW + number * COUNTED.interval, classes)

    state = advance(DetectorState(), map(drawn, range(1, 1500)), reference, 0.02)

    assert alarm(state, reference, 0.02) is None
    assert state.mix[OTHER_CLASSES] > 0
    assert set(state.mix) <= set(reference.classes)
    assert reference.expected({"never seen": Counts(1, 0)}) == pytest.approx(0.4, abs=0.02)


def fed(counted: Counted, *windows: Window) -> Counted:
    return core.taken(COUNTED, CHAMPION, counted, [windows[-1].end], windows)


def begun() -> Counted:
    return core.started(COUNTED, CHAMPION, None, NOW)


def test_first_a_reference_is_gathered_and_then_the_test_begins() -> None:
    first = fed(begun(), *(window(number, 100, 10) for number in range(1, 20)))
    assert first.monitor is None
    waiting = core.assess(COUNTED, CHAMPION, first)
    assert isinstance(waiting, Unknown)
    assert waiting.reason == "AwaitingReadings"
    assert "1900 of 2000 labelled predictions of version 3" in waiting.message

    then = fed(first, window(20, 100, 10), window(21, 50, 5))
    assert then.monitor is not None
    assert then.monitor.checkpoint_time == window(20, 0, 0).end
    assert then.monitor.reference.total == Counts(2000, 200)
    assert then.state.hours, "what came later is of the test"
    healthy = core.assess(COUNTED, CHAMPION, then)
    assert isinstance(healthy, Healthy)
    assert healthy.monitor == then.monitor
    assert healthy.level is not None
    assert (healthy.level.value, healthy.level.samples) == (0.9, 2000)


def test_a_reference_is_gathered_from_the_promotion_whenever_the_operator_starts() -> None:
    """A few labels a day come to a reference in some weeks, and restarts do not take them away."""
    first = core.first_count(COUNTED, CHAMPION)
    for days in (0, 10, 30, 90, 300):
        now = NOW + timedelta(days=days)
        assert core.started(COUNTED, CHAMPION, None, now) == Counted(first)

    now = NOW + timedelta(days=3000)
    longest = core.GATHERED_WINDOWS * COUNTED.interval
    bounded = core.started(COUNTED, CHAMPION, None, now).time
    assert longest - core.BLOCK < now - bounded <= longest
    assert (bounded - first) % core.BLOCK == timedelta()


def test_labels_that_prometheus_has_forgotten_are_said() -> None:
    day = timedelta(days=1) // COUNTED.interval
    soon = core.assess(COUNTED, CHAMPION, fed(begun(), window(2 * day, 60, 6)))
    late = core.assess(COUNTED, CHAMPION, fed(begun(), window(25 * day, 60, 6)))

    assert isinstance(soon, Unknown)
    assert isinstance(late, Unknown)
    assert core.NOTHING_OLDER not in soon.message
    assert late.message.startswith("60 of 2000 labelled predictions of version 3 are counted")
    assert (
        "They begin at 2026-12-20 12:00 UTC, although the version went into service at "
        "2026-11-25 12:00 UTC: older ones are out of reach."
    ) in late.message


def watched(*windows: Window) -> Counted:
    reference = ReferenceCounts(NOW, {"sport": Counts(2000, 200)})
    monitor = Monitor(3, core.digest(COUNTED), NOW, reference)
    return fed(core.started(COUNTED, CHAMPION, monitor, NOW), *windows)


def test_a_rise_is_degraded_and_says_since_when() -> None:
    windows = [window(number, 20, 2) for number in range(1, 30)]
    windows += [window(number, 20, 6) for number in range(30, 45)]

    found = core.assess(COUNTED, CHAMPION, watched(*windows))

    assert isinstance(found, Degraded)
    assert found.alarm is not None
    assert found.alarm.onset == windows[29].end
    assert found.reading.value == pytest.approx(0.7)
    assert found.reading.samples == 300
    assert found.threshold.min == pytest.approx(1 - found.alarm.bound)
    assert found.monitor is not None, "it is written also where the first verdict is a bad one"


@pytest.mark.parametrize(
    "errors, tolerance, advice",
    [(1800, 0.1, "Write one below 0.091. Check"), (2000, 0.02, "seen. Check that the label")],
)
def test_a_tolerance_that_leaves_no_room_is_said(
    errors: float, tolerance: float, advice: str
) -> None:
    outcomes = replace(COUNTED, tolerance=tolerance)
    reference = ReferenceCounts(NOW, {"sport": Counts(2000, errors)})
    known = Monitor(3, core.digest(outcomes), NOW, reference)
    windows = [window(number, 20, 20 * errors / 2000) for number in range(1, 100)]
    begun_now = core.started(outcomes, CHAMPION, known, NOW)

    found = core.assess(
        outcomes,
        CHAMPION,
        core.taken(outcomes, CHAMPION, begun_now, [windows[-1].end], windows),
    )

    assert isinstance(found, Unknown)
    assert (found.reason, found.monitor) == ("ToleranceTooWide", known)
    assert advice in found.message


def test_no_series_is_said_with_its_labels() -> None:
    nothing = core.taken(VERSIONED, CHAMPION, begun(), [NOW + COUNTED.interval], [])

    found = core.assess(VERSIONED, CHAMPION, nothing)

    assert isinstance(found, Unknown)
    assert found.reason == "NoData"
    assert "model='news', version='3'" in found.message


def test_labels_that_stop_arriving_are_stale_after_a_day() -> None:
    counting = watched(window(1, 20, 2), window(2, 0, 0))
    assert isinstance(core.assess(COUNTED, CHAMPION, counting), Healthy)
    later = replace(counting, time=NOW + timedelta(hours=26))

    found = core.assess(COUNTED, CHAMPION, later)

    assert isinstance(found, Unknown)
    assert found.reason == "Stale"


def test_a_monitor_is_about_one_version_and_one_counter() -> None:
    monitor = watched(window(1, 20, 2)).monitor
    assert core.still_holds(COUNTED, CHAMPION, monitor)
    assert core.still_holds(replace(COUNTED, tolerance=0.1), CHAMPION, monitor)
    assert not core.still_holds(COUNTED, replace(CHAMPION, version=4), monitor)
    assert not core.still_holds(replace(COUNTED, counter="other_total"), CHAMPION, monitor)
    assert not core.still_holds(VERSIONED, CHAMPION, monitor)
    assert not core.still_holds(COUNTED, CHAMPION, None)
    labels = {"model": "sport"}
    assert not core.still_holds(replace(COUNTED, match_labels=labels), CHAMPION, monitor)


@pytest.mark.parametrize(
    "changed", [{"interval": 30 * MINUTE}, {"server": "b"}, {"interval": timedelta(seconds=5)}]
)
def test_how_counters_are_asked_for_does_not_make_a_drop_the_reference(
    changed: dict[str, Any],
) -> None:
    windows = [window(number, 20, 6) for number in range(1, 45)]
    monitor = watched(*windows).monitor
    other = replace(COUNTED, **changed)

    assert core.still_holds(other, CHAMPION, monitor)
    again = core.taken(
        other,
        CHAMPION,
        core.started(other, CHAMPION, monitor, windows[-1].end),
        [windows[-1].end],
        windows,
    )
    assert isinstance(core.assess(other, CHAMPION, again), Degraded)


@pytest.mark.parametrize(
    "outcomes, written", [(COUNTED, "8a66d3273a4f"), (VERSIONED, "65a3197b3a66")]
)
def test_a_digest_that_a_release_before_wrote_still_holds(
    outcomes: OutcomeCounters, written: str
) -> None:
    monitor = Monitor(3, written, NOW, ReferenceCounts(NOW, {"sport": Counts(2000, 200)}))

    assert core.former_digest(outcomes) == written != core.digest(outcomes)
    assert core.still_holds(outcomes, CHAMPION, monitor)
    assert not core.still_holds(replace(outcomes, counter="b"), CHAMPION, monitor)


def test_a_reference_is_the_same_once_status_was_written_and_read() -> None:
    """Or every restart would begin another test."""
    windows = [window(number, 99.98765432, 9.87654321) for number in range(1, 22)]
    monitor = fed(begun(), *windows).monitor
    assert monitor is not None

    read = status_json.read(status_json.write(Status(monitor=monitor)))

    assert read.monitor == monitor


def test_people_look_at_the_accuracy_of_each_interval() -> None:
    counting = watched(window(1, 20, 2))
    gauge = core.as_gauge(VERSIONED, Status(champion=CHAMPION))
    assert gauge.query.startswith(
        'sum(increase(predictions_total{correct=~"(?i:true)", model="news"'
    )
    assert gauge.threshold == ThresholdRange(min=0.0)
    assert core.bound_of(COUNTED, Status(champion=CHAMPION)) is None
    known = Status(champion=CHAMPION, monitor=counting.monitor)
    assert core.bound_of(COUNTED, known) == core.floor(
        COUNTED, ReferenceCounts(NOW, {"sport": Counts(2000, 200)})
    )


def test_what_was_counted_before_the_test_tells_of_seasons_alone() -> None:
    windows = [window(number, 100, 10) for number in range(1, 31)]
    kept = fed(begun(), *windows)
    assert kept.monitor is not None
    assert sum(kept.state.mix.values()) == 1000, "of the test"
    assert sum(counts.samples for counts in kept.state.hours.values()) == 3000

    rebuilt = core.started(COUNTED, CHAMPION, kept.monitor, windows[-1].end)
    asked = core.times(COUNTED, rebuilt.time, windows[-1].end)

    assert core.taken(COUNTED, CHAMPION, rebuilt, asked, windows) == kept


def test_a_class_of_any_length_fits_into_status() -> None:
    long = Series({"true_class": "x" * 5000, "correct": "true"}, ((NOW, 1.0),))

    (found,) = core.windows(COUNTED, (long,))

    assert [len(name) for name in found.classes] == [core.NAME_CHARACTERS]
