"""What is followed and cannot be meant, or probably is not."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from support.bodies import NOW, SPEC

from maintenance_core.model import Metrics, NewData, Series
from maintenance_core.spec import parse
from maintenance_operator.adapters.selectors import Selection
from maintenance_operator.cli import hints
from maintenance_operator.cli.findings import Checked, CheckFinding, Point, settled, told, wrong
from maintenance_operator.cli.layout import Page


def metrics(**performance: Any) -> Metrics:
    changed = {**SPEC["metrics"], "performance": {**SPEC["metrics"]["performance"], **performance}}
    found = parse({**SPEC, "metrics": changed}).metrics
    assert isinstance(found, Metrics)
    return found


def points(*values: float | None) -> Sequence[Point]:
    return [Point(NOW, value) for value in values]


@pytest.mark.parametrize(
    "performance, values, field, says",
    [
        ({"thresholdRange": {"min": 90}}, (0.85, 0.9), "thresholdRange.min", "Write 0.9"),
        ({"thresholdRange": {"min": 0.9}}, (85.0, 90.0), "thresholdRange.min", "Write 90"),
        ({"thresholdRange": {"max": 5}}, (0.05, 0.04), "thresholdRange.max", "Write 0.05"),
        ({"thresholdRange": {"max": 0.05}}, (4.0, 6.0), "thresholdRange.max", "Write 5"),
        ({"recover": 92}, (0.95, 0.94), "recover", "Write 0.92"),
        ({"maxDrop": 3}, (0.95, 0.94), "maxDrop", "Write 0.03"),
    ],
)
def test_percent_against_fraction_is_wrong(
    performance: dict[str, Any], values: tuple[float, ...], field: str, says: str
) -> None:
    [found] = hints.of_scale(metrics(**performance), points(*values, None, float("nan")))
    assert not found.ok
    assert found.field == f"spec.metrics.performance.{field}"
    assert "percent?" in found.told
    assert says in found.told


def test_an_error_of_numbers_is_no_share() -> None:
    """A ceiling of 30 minutes and a model that is half a minute off."""
    ceiling = metrics(thresholdRange={"max": 30}, maxDrop=5)
    assert list(hints.of_scale(ceiling, points(0.5, 0.4), shares=False)) == []
    [found] = hints.of_scale(ceiling, points(31.0, 45.0), shares=False)
    assert found.ok
    assert "every reading is bad (31 to 45)" in found.told


@pytest.mark.parametrize(
    "performance, values",
    [
        ({"thresholdRange": {"min": 0.9}}, (0.85, 0.95)),
        ({"thresholdRange": {"min": 90}}, (85.0, 95.0)),
        ({"thresholdRange": {"max": 1.5}}, (0.8, 0.9)),  # a loss
        ({"thresholdRange": {"min": 0.9}}, (1.02, 1.1)),  # held against a reference model
        ({"thresholdRange": {"min": 0.9}, "maxDrop": 0.03}, (0.95,)),
        ({"thresholdRange": {"min": 90}}, (0.0, 0.0)),  # nothing is known of its scale
        ({"thresholdRange": {"min": 90}}, (None,)),
    ],
)
def test_what_may_be_meant_is_not_called_wrong(
    performance: dict[str, Any], values: tuple[float | None, ...]
) -> None:
    assert [
        one for one in hints.of_scale(metrics(**performance), points(*values)) if not one.ok
    ] == []


def test_a_range_that_no_reading_lies_in_is_a_hint() -> None:
    [found] = hints.of_scale(metrics(), points(0.81, 0.85))
    assert (found.ok, found.hint) == (True, True)
    assert "every reading is bad (0.81 to 0.85)" in found.told
    assert list(hints.of_scale(metrics(), points(0.81, 0.95))) == []


@pytest.mark.parametrize(
    "query, says",
    [
        ("model_accuracy", "looks at one moment"),
        ("avg_over_time(model_accuracy[1h])", "over 1h, and a reading is taken every 5m, so"),
        ("avg_over_time(model_accuracy[1h])", "readings overlap"),
        ("increase(a[1m]) / increase(b[1m])", "readings leave gaps"),
        ("avg_over_time(model_accuracy[300s])", ""),
        ("max_over_time(rate(a[1m])[5m:])", ""),
        ("vector(1)", ""),
        ("avg(", ""),
    ],
)  # fmt: skip
def test_readings_are_apart(query: str, says: str) -> None:
    found = list(hints.of_windows("spec.q", query, timedelta(minutes=5)))
    assert all(one.hint for one in found)
    assert (says in found[0].told) if says else found == []


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    "selected, interval, every, says",
    [
        (Selection("a", MINUTE, "increase"), MINUTE, MINUTE, "1m hold fewer than two samples"),
        (Selection("a", 2 * MINUTE, "increase"), 2 * MINUTE, MINUTE, ""),
        (Selection("a", MINUTE, "avg_over_time"), MINUTE, 5 * MINUTE, "1m hold often no sample"),
        (Selection("a", MINUTE, "avg_over_time"), MINUTE, MINUTE, ""),
        (Selection("a"), MINUTE, 5 * MINUTE, "readings repeat each other; write at least 5m"),
        (Selection("a"), MINUTE, MINUTE, ""),
    ],
)
def test_a_window_holds_what_it_takes(
    selected: Selection, interval: timedelta, every: timedelta, says: str
) -> None:
    found = list(hints.of_spacing("spec.q", selected, interval, every))
    assert (says in found[0].told) if says else found == []


def series(*values: float) -> list[Series]:
    return [Series({"n": str(n)}, ((NOW, value),)) for n, value in enumerate(values)]


@pytest.mark.parametrize(
    "answer, ok, says",
    [
        (series(1200), True, "a look would begin"),
        (series(12), True, "nothing begins"),
        (series(), True, "yields nothing now"),
        (series(1, 2), False, "yields 2 series"),
    ],
)
def test_what_the_trigger_reads(answer: list[Series], *, ok: bool, says: str) -> None:
    found = hints.of_new_data(NewData("labels", 1000), answer, NOW)
    assert found.ok is ok
    assert says in found.told


@pytest.mark.parametrize(
    "query, told",
    [
        ("sum(increase(labels_arrived_total[5m]))", "looks over 5m, so 1000 labels must arrive"),
        ("sum(rate(labels_arrived_total[1m]))", "looks over 1m"),
        ("sum(increase(labels_arrived_total[1d]))", ""),
        ("sum_over_time(sum(increase(labels_arrived_total[5m]))[1d:5m])", ""),
        ("labels_waiting", ""),
    ],
)
def test_labels_gather_over_longer_than_an_interval(query: str, told: str) -> None:
    found = list(hints.of_new_data_window(NewData(query, 1000), timedelta(minutes=5)))
    assert [finding.hint for finding in found] == [True] * bool(told)
    assert all(told in finding.told for finding in found)


@pytest.mark.parametrize(
    "model, suspend, read, says, hint",
    [
        ({}, False, False, "version 1 will be trained from spec.model.baseModel as soon as", True),
        ({}, False, True, "beside the model whose metric is read already", True),
        ({}, True, False, "once spec.suspend is false", True),
        ({"initialModel": {"storageUri": "pvc://models/old"}}, False, True, "nothing is trained",
         False),
    ],
)  # fmt: skip
def test_what_becomes_version_1_is_told_beforehand(
    model: dict[str, Any], *, suspend: bool, read: bool, says: str, hint: bool
) -> None:
    spec = parse({**SPEC, "suspend": suspend, "model": {**SPEC["model"], **model}})
    found = hints.of_first_version(spec, read=read)
    assert (found.ok, found.hint) == (True, hint)
    assert says in found.told


def test_what_is_wrong_is_not_called_right_as_well() -> None:
    good, bad, other = (
        CheckFinding("a", "asked"),
        wrong("a", "does not answer"),
        CheckFinding("b", "fine"),
    )
    assert settled([good, bad, other, bad]) == (bad, other)
    text = told(Checked("f", "n", settled([good, bad])), Page())
    assert "ok  " not in text
