"""What an operator follows and nobody means, probably: percent for shares, windows that miss. Pure.

None of it is refused: a hint costs a look. Only where a bound and the readings cannot be of one
scale is the resource called wrong.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from maintenance_core.decide.worth import could_show
from maintenance_core.model import Decision, Metrics, NewData, Series, Spec
from maintenance_core.numbers import duration, figure, moment
from maintenance_operator.adapters.selectors import Selection, selections
from maintenance_operator.cli.findings import PERFORMANCE, CheckFinding, Point, hint, wrong

ANOTHER_SCALE: Final = 10.0
"""A bound so many times a reading, or the other way about, is no matter of a model's quality."""
PERCENT: Final = 100.0
PAIRS: Final = frozenset({"rate", "increase", "irate", "delta", "idelta", "deriv", "changes"})
"""Functions that tell one sample from another: one in the window yields nothing."""
LOOK_BACK: Final = timedelta(minutes=20)
_NEW_DATA: Final = "spec.triggers.newData"


# --- bounds against readings ------------------------------------------------------------


def of_scale(
    metrics: Metrics, points: Sequence[Point], *, shares: bool = True
) -> Iterator[CheckFinding]:
    """Percent against fraction, and a range that no reading lies in.

    ``shares``: whether the metric may be a share; of numbers it is an error in units of the label.
    """
    values = [point.value for point in points if point.value is not None]
    values = [value for value in values if math.isfinite(value)]
    sizes = [abs(value) for value in values if value]
    if not sizes:
        return
    side = "min" if metrics.threshold.min is not None else "max"
    bounds = {f"thresholdRange.{side}": metrics.threshold.bound, "recover": metrics.recover}
    found = [
        wrong(f"{PERFORMANCE}.{name}", told, reason="")
        for name, bound in bounds.items()
        if shares and bound is not None and (told := _scales(bound, sizes))
    ]
    yield from found
    if shares and max(sizes) <= 1 and metrics.max_drop is not None and metrics.max_drop > 1:
        yield wrong(
            f"{PERFORMANCE}.maxDrop",
            f"is {figure(metrics.max_drop)}, but the readings are shares ({_range(sizes)}), which "
            f"cannot fall so far: percent? Write {figure(metrics.max_drop / PERCENT)}",
            reason="",
        )
    if not found and all(metrics.threshold.breached_by(value) for value in values):
        yield hint(
            f"{PERFORMANCE}.thresholdRange",
            f"every reading is bad ({_range(values)}): is {side} {figure(metrics.threshold.bound)} "
            "what this model reaches when it does well?",
        )


def _scales(bound: float, sizes: Sequence[float]) -> str:
    """Why a bound and readings are of two scales; empty where they may be of one."""
    if abs(bound) > 1 and max(sizes) <= 1 and abs(bound) >= ANOTHER_SCALE * max(sizes):
        return (
            f"is {figure(bound)}, but the readings are shares ({_range(sizes)}): percent? Write "
            f"{figure(bound / PERCENT)}"
        )
    if 0 < abs(bound) <= 1 and min(sizes) > 1 and min(sizes) >= ANOTHER_SCALE * abs(bound):
        return (
            f"is {figure(bound)}, a share, but the readings are not ({_range(sizes)}): percent? "
            f"Write {figure(bound * PERCENT)}, or divide in the query by 100"
        )
    return ""


def _range(values: Sequence[float]) -> str:
    low, high = figure(min(values)), figure(max(values))
    return low if low == high else f"{low} to {high}"


# --- windows ----------------------------------------------------------------------------


def queries(spec: Spec) -> dict[str, str]:
    """The queries of a gauge by their fields: those that readings are made of."""
    metrics = spec.metrics
    if not isinstance(metrics, Metrics):
        return {}
    found = {f"{PERFORMANCE}.query": metrics.query}
    if metrics.samples is not None:
        found[f"{PERFORMANCE}.samples.query"] = metrics.samples.query
    return found


def of_windows(where: str, query: str, interval: timedelta) -> Iterator[CheckFinding]:
    """Whether readings are apart: each over its own interval, whole and alone."""
    selected, windows = selections(query)
    if not selected or interval in windows:
        return
    every = duration(interval)
    if not windows:
        yield hint(
            where,
            f"looks at one moment: a reading is the last value, whatever came in the {every} since "
            "the one before; over the whole interval it is avg_over_time(...[interval])",
        )
        return
    apart = "overlap" if min(windows) > interval else "leave gaps"
    told = ", ".join(duration(window) for window in sorted(windows))
    yield hint(
        where,
        f"looks over {told}, and a reading is taken every {every}, so readings {apart}: write "
        "[interval]",
    )


def spacing_query(selected: Selection, interval: timedelta) -> tuple[str, timedelta]:
    """What tells how often these series are scraped: samples of the busiest in so long."""
    over = max(20 * interval, LOOK_BACK)
    return f"max(count_over_time({selected.series}[{int(over.total_seconds())}s]))", over


def of_spacing(
    where: str, selected: Selection, interval: timedelta, every: timedelta
) -> Iterator[CheckFinding]:
    """Whether a window, or the time between two readings, holds what it takes."""
    apart = duration(timedelta(seconds=max(1, round(every.total_seconds()))))
    window = selected.window
    if window is None:
        if interval < every * 0.9:
            yield hint(
                where,
                f"{selected.series} has a new value every {apart}, but spec.metrics.interval is "
                f"{duration(interval)}: readings repeat each other; write at least {apart}",
            )
        return
    least = 2 if selected.function in PAIRS else 1
    if window < every * (least - 0.1):
        needed = "fewer than two samples" if least > 1 else "often no sample"
        yield hint(
            where,
            f"{selected.series} has a new value every {apart}, so {duration(window)} hold {needed} "
            f"for {selected.function}: write spec.metrics.interval longer than "
            f"{duration(timedelta(seconds=max(1, round(least * every.total_seconds()))))}",
        )


# --- triggers ---------------------------------------------------------------------------


def of_new_data(trigger: NewData, answer: Sequence[Series], last: datetime) -> CheckFinding:
    """What the trigger reads now; it takes exactly one series."""
    values = [value for series in answer for time, value in series.points if time == last]
    if len(values) > 1:
        return wrong(
            f"{_NEW_DATA}.query",
            f"yields {len(values)} series, and it takes exactly one: aggregate, as with sum(...); "
            "until then it begins nothing",
            reason="",
        )
    if not values or not math.isfinite(values[0]):
        return hint(f"{_NEW_DATA}.query", "yields nothing now; until it does it begins nothing")
    side = "a look would begin" if values[0] >= trigger.min else "nothing begins"
    return CheckFinding(
        f"{_NEW_DATA}.min",
        f"the last reading is {figure(values[0])}, it takes {figure(trigger.min)}: {side}",
    )


def of_new_data_window(trigger: NewData, interval: timedelta) -> Iterator[CheckFinding]:
    """Whether labels add up to ``min`` over longer than the time between two readings."""
    _, windows = selections(trigger.query)
    if not windows or max(windows) > interval:
        return
    yield hint(
        f"{_NEW_DATA}.query",
        f"looks over {duration(max(windows))}, so {figure(trigger.min)} labels must arrive within "
        "so short a time, and none before count: write the time in which they gather, like [1d]",
    )


def of_schedule(due: datetime) -> CheckFinding:
    """When it is due next, in words that show a mistaken time zone."""
    return CheckFinding("spec.triggers.schedule", f"the next look is due at {moment(due)}")


# --- the labelled rows ------------------------------------------------------------------


def of_rows(decision: Decision) -> Iterator[CheckFinding]:
    """What the labelled rows could show at the last look, where that was counted."""
    if decision.power is not None:
        told = f"at the last look (decision {decision.number}) {could_show(decision.power)}"
        yield CheckFinding("spec.data.updates", told)


# --- the first version ------------------------------------------------------------------


def of_first_version(spec: Spec, *, read: bool) -> CheckFinding:
    """What becomes version 1 where none is in service; ``read``: the metric has readings."""
    where = "spec.model.initialModel"
    when = "once spec.suspend is false" if spec.suspend else "as soon as this is applied"
    if spec.initial_model is not None:
        return CheckFinding(
            where, f"becomes version 1 {when}: copied and scored, nothing is trained"
        )
    start = "" if spec.base_model is None else "from spec.model.baseModel "
    told = f"is not given: version 1 will be trained {start}{when}"
    if read:
        told += (
            ", beside the model whose metric is read already; if that is to be kept good, name it "
            "here, and it becomes version 1"
        )
    still = "" if spec.suspend else "; spec.suspend: true watches and starts nothing"
    return hint(where, told + still)
