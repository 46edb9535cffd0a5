"""``kubectl mm status --live`` sees what the operator sees, whatever status and Prometheus say."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.plain import plain_spec

from maintenance_contract import TrainingAction
from maintenance_core import status as status_json
from maintenance_core.errors import MetricsError
from maintenance_core.lifecycle.jobs import TrainerImage
from maintenance_core.model import (
    Assessment,
    Baseline,
    Champion,
    Condition,
    Counts,
    Degraded,
    Healthy,
    Monitor,
    OutcomeCounters,
    ReferenceCounts,
    Series,
    Spec,
    Status,
)
from maintenance_core.spec import parse
from maintenance_core.watch.common_cause import CommonCause
from maintenance_core.watch.counters import digest
from maintenance_operator.adapters.calendar import Clock
from maintenance_operator.cli import check
from maintenance_operator.cli.live import assessment_of
from maintenance_operator.cli.outlook import bound
from maintenance_operator.cli.resource import read
from maintenance_operator.reconcile import Reconciler

NOW = datetime(2026, 11, 23, 18, 0, 3, tzinfo=UTC)
COUNTERS = {
    "server": "default",
    "interval": "5m",
    "outcomes": {"counter": "seen", "classLabel": "true_class", "correctLabel": "correct"},
    "performance": None,
}


class Prometheus:
    """Answers the same to the operator and to the plugin, from a list of readings."""

    def __init__(
        self,
        readings: Sequence[float | None],
        *,
        failure: str = "",
        skew: timedelta = timedelta(),
    ) -> None:
        self._readings, self._failure, self._skew = readings, failure, skew

    async def admit(self, namespace: str, server: str, *queries: str) -> None:
        """Everything is allowed."""

    async def range(
        self, _: str, query: str, times: Sequence[datetime], __: Mapping[str, str] | None = None
    ) -> tuple[Series, ...]:
        if self._failure:
            raise MetricsError(self._failure, "Prometheus does not answer.")
        points = [(time, self._readings[-number]) for number, time in enumerate(times[::-1], 1)]
        points = [(time, value) for time, value in points if value is not None]
        if "increase(" not in query:
            return (Series({}, tuple(points[::-1])),)
        right = tuple((time, 1000.0 * value) for time, value in points)
        wrong = tuple((time, 1000.0 * (1.0 - value)) for time, value in points)
        return (
            Series({"true_class": "a", "correct": "true"}, right),
            Series({"true_class": "a", "correct": "false"}, wrong),
        )

    def skew(self, _: str) -> timedelta | None:
        return self._skew


def body(spec: dict[str, Any], status: Status) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "finance", "name": "news", "uid": "1a2b3c4d", "generation": 1},
        "spec": spec,
        "status": status_json.write(status),
    }


async def by_operator(resource: dict[str, Any], prometheus: Prometheus) -> Assessment:
    reconcile = Reconciler(
        cluster=mock.Mock(
            config_map=mock.AsyncMock(return_value=None), jobs=mock.AsyncMock(return_value=[])
        ),
        metrics=prometheus,
        resources=mock.MagicMock(config_map=mock.Mock(return_value=None)),
        telemetry=mock.Mock(),
        trainer=TrainerImage("trainer:1"),
        clock=mock.Mock(now=mock.Mock(return_value=NOW), due=Clock().due),
        fleet_breaches=mock.Mock(record=mock.Mock(return_value=CommonCause.ALLOW)),
    )
    return (await reconcile._observer(resource, None, live=True)).assessment


async def by_plugin(resource: dict[str, Any], prometheus: Prometheus) -> Assessment:
    @asynccontextmanager
    async def reaching(*_: object) -> Any:
        yield prometheus

    with mock.patch.object(check, "reaching", reaching):
        return await assessment_of(
            mock.Mock(), read(resource), NOW, "http://prometheus:9090", "model-maintenance"
        )


def gauge(**performance: Any) -> dict[str, Any]:
    return plain_spec(metrics={"performance": performance})


def in_service(
    hours: float, baseline: float | None, monitor: Monitor | None, *, down: bool
) -> Status:
    level = None if baseline is None else Baseline(baseline, NOW - timedelta(hours=hours))
    since = NOW - timedelta(hours=hours)
    return Status(
        observed_generation=1,
        champion=Champion(
            3, "pvc://m/versions/3", "sha256:aa", since, TrainingAction.RETRAIN, level
        ),
        monitor=monitor,
        conditions=(Condition("Degraded", "True" if down else "False", "Known", "", 1, NOW),),
    )


def monitor(spec: dict[str, Any], hours: float) -> Monitor:
    """What counters told, whether or not the spec still has any."""
    metrics = parse(spec).metrics
    about = digest(metrics) if isinstance(metrics, OutcomeCounters) else "0123456789ab"
    began = (NOW - timedelta(hours=hours)).replace(second=0, microsecond=0)
    return Monitor(3, about, began, ReferenceCounts(began, {"a": Counts(2000.0, 100.0)}))


AFTER_COUNTERS = gauge(maxDrop=0.02, thresholdRange={"min": 0.8})


@st.composite
def situations(draw: st.DrawFn) -> tuple[dict[str, Any], Status]:
    hours = draw(st.sampled_from([0.1, 0.5, 2.0, 30.0]))
    if draw(st.booleans()):
        spec = gauge(
            thresholdRange={"min": draw(st.sampled_from([0.8, 0.9]))},
            maxDrop=draw(st.sampled_from([None, 0.02])),
            recover=draw(st.sampled_from([None, 0.93])),
            samples=draw(st.sampled_from([None, {"query": "seen", "min": 0.5}])),
            onMissing=draw(st.sampled_from([None, "Breach"])),
        )
    else:
        spec = plain_spec(metrics=COUNTERS)
    if draw(st.booleans()):
        return spec, Status()
    known = monitor(spec, hours / 2) if draw(st.booleans()) else None
    baseline = draw(st.sampled_from([None, 0.95]))
    return spec, in_service(hours, baseline, known, down=draw(st.booleans()))


VALUES = st.one_of(
    st.none(), st.just(float("nan")), st.sampled_from([0.75, 0.85, 0.90, 0.92, 0.94])
)


@pytest.mark.slow
@example(
    (AFTER_COUNTERS, in_service(30, 0.95, monitor(AFTER_COUNTERS, 15), down=False)), [0.9], "", 0
)
@given(
    situations(),
    st.lists(VALUES, min_size=1, max_size=5),
    st.sampled_from(["", "", "Unreachable", "Stale"]),
    st.sampled_from([0, 300, -300]),
)
def test_operator_and_plugin_assess_alike(
    situation: tuple[dict[str, Any], Status],
    readings: list[float | None],
    failure: str,
    skew: int,
) -> None:
    resource = body(*situation)
    cycle = (readings * 500)[:500]
    said = Prometheus(cycle, failure=failure, skew=timedelta(seconds=skew))
    operator = asyncio.run(by_operator(resource, said))
    plugin = asyncio.run(by_plugin(resource, said))
    assert repr(plugin) == repr(operator)  # a NaN equals itself there


@pytest.mark.parametrize(
    "followed_counters, expected, floor",
    [(True, Healthy, 0.8), (False, Degraded, 0.93)],
    ids=["the baseline is of counters", "the baseline is of this gauge"],
)
async def test_what_counters_told_is_no_baseline_of_a_gauge(
    followed_counters: bool,  # noqa: FBT001 - a case
    expected: type[Assessment],
    floor: float,
) -> None:
    known = monitor(AFTER_COUNTERS, 15) if followed_counters else None
    resource = body(AFTER_COUNTERS, in_service(30, 0.95, known, down=False))
    said = Prometheus([0.9] * 500)
    for found in (await by_operator(resource, said), await by_plugin(resource, said)):
        assert isinstance(found, expected)
    shown = bound(read(resource))
    assert shown is not None
    assert shown.bound == pytest.approx(floor)


async def test_a_check_holds_readings_against_what_the_operator_does() -> None:
    spec = gauge(maxDrop=0.03, thresholdRange={"min": 0.9})
    resource = body(spec, in_service(30, 0.95, None, down=False))
    said = Prometheus([0.91] * 500)
    assert isinstance(await by_operator(resource, said), Degraded)

    @asynccontextmanager
    async def reaching(*_: object) -> Any:
        yield said

    around = mock.Mock(access=None, prometheus="http://prometheus:9090", now=NOW)
    parsed = read(resource).spec
    assert isinstance(parsed, Spec)
    with mock.patch.object(check, "reaching", reaching):
        findings, points = await check._readings(read(resource), parsed, around)
    (breach,) = [one.told for one in findings if one.field.endswith("performance.breach")]
    assert breach.endswith("Degraded: a run would begin")
    assert {point.counts_as for point in points} == {"bad"}


async def test_clocks_that_differ_are_told_by_the_plugin_too() -> None:
    said = Prometheus([None] * 500, skew=timedelta(minutes=5))
    resource = body(gauge(), in_service(30, None, None, down=False))
    found = await by_plugin(resource, said)
    assert "is 5m ahead of the operator's: set both by NTP." in repr(found)
