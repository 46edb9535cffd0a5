"""What a check says of a spec and of Prometheus' answers: the operator's own judgement."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.bodies import NOW, SPEC

from maintenance_contract import TrainingAction
from maintenance_core.errors import MetricsError, SpecError
from maintenance_core.lifecycle.conditions import DEGRADED, is_down
from maintenance_core.model import (
    Baseline,
    Champion,
    Condition,
    Healthy,
    Metrics,
    Series,
    Status,
)
from maintenance_core.spec import parse
from maintenance_core.watch.assess import assess, held_against
from maintenance_core.watch.reading_times import reading_times
from maintenance_operator.cli.findings import (
    Answers,
    Checked,
    document,
    of_answers,
    of_refusal,
    of_spec_error,
    told,
)
from maintenance_operator.cli.layout import Page


def metrics(**performance: Any) -> Metrics:
    changed = {**SPEC["metrics"], "performance": {**SPEC["metrics"]["performance"], **performance}}
    found = parse({**SPEC, "metrics": changed}).metrics
    assert isinstance(found, Metrics)
    return found


PLAIN = metrics()
SAMPLED = metrics(samples={"query": "predictions", "min": 200})
MATCHED = metrics(match={"model": "news"})
GRID = reading_times(PLAIN, NOW)


def series(values: Sequence[float], times: Sequence[datetime] = GRID, **labels: str) -> Series:
    return Series(labels, tuple(zip(times, values, strict=True)))


GOOD = series([0.95, 0.94, 0.89, 0.93, 0.95], model="news")
BAD = series([0.95, 0.94, 0.89, 0.83, 0.85], model="news")
OTHER = series([0.5] * 5, model="spam")
MANY = series([900.0] * 5, model="news")
FEW = series([900.0, 900.0, 900.0, 100.0, 100.0], model="news")
NONE = series([0.0] * 5, model="news")


@pytest.mark.parametrize(
    "given, answers, field, reason",
    [
        (PLAIN, Answers([GOOD]), None, ""),
        (PLAIN, Answers([BAD]), None, ""),
        (PLAIN, Answers([]), "query", "NoData"),
        (PLAIN, Answers([GOOD, OTHER]), "match", "Ambiguous"),
        (MATCHED, Answers([GOOD, OTHER]), None, ""),
        (MATCHED, Answers([OTHER]), "match", "NoData"),
        (PLAIN, Answers([series([float("nan")] * 5)]), "query", "NotANumber"),
        (SAMPLED, Answers([GOOD], [MANY]), None, ""),
        (SAMPLED, Answers([GOOD], [FEW]), None, ""),
        (SAMPLED, Answers([GOOD], [NONE]), "samples.min", "InsufficientSamples"),
        (SAMPLED, Answers([GOOD], []), "samples.query", "Stale"),
        (PLAIN, Answers(MetricsError("InvalidQuery", "parse error")), "query", "InvalidQuery"),
        (
            SAMPLED,
            Answers([GOOD], MetricsError("InvalidQuery", "parse error")),
            "samples.query",
            "InvalidQuery",
        ),
    ],
)
def test_the_field_and_the_reason(
    given: Metrics, answers: Answers, field: str | None, reason: str
) -> None:
    findings, _ = of_answers(given, answers, GRID, None)
    wrong = [(finding.field, finding.reason) for finding in findings if not finding.ok]
    assert wrong == ([] if field is None else [(f"spec.metrics.performance.{field}", reason)])


def test_a_server_that_is_away_is_said_once() -> None:
    away = MetricsError("Unreachable", "no connection")
    findings, points = of_answers(SAMPLED, Answers(away, away), GRID, None)
    wrong = [finding for finding in findings if not finding.ok]
    assert [finding.field for finding in wrong] == ["spec.metrics.server"]
    assert points == ()


@pytest.mark.parametrize("answers", [Answers([GOOD]), Answers([BAD])])
def test_the_verdict_is_the_operators(answers: Answers) -> None:
    assert not isinstance(answers.performance, MetricsError)
    findings, _ = of_answers(PLAIN, answers, GRID, None)
    found = assess(PLAIN, answers.performance, None, GRID, None)
    verdict = findings[-1].told
    assert verdict.endswith("not Degraded" if isinstance(found, Healthy) else "a run would begin")


def test_match_tells_what_it_picks_and_is_not_praised_for_nothing() -> None:
    match = "spec.metrics.performance.match"
    for answer, begins in (
        ([GOOD, OTHER], "picks 1 of the 2 series of metrics.performance.query"),
        ([OTHER], "The performance query yields no series that match"),
    ):
        findings, _ = of_answers(MATCHED, Answers(answer), GRID, None)
        (finding,) = [finding for finding in findings if finding.field == match]
        assert finding.told.startswith(begins)


def test_readings_before_the_promotion_do_not_count() -> None:
    since = GRID[-1] - timedelta(minutes=5)
    findings, _ = of_answers(PLAIN, Answers([BAD]), GRID, since)
    assert findings[-1].told.startswith("1 of 1 readings are bad")


def in_service(baseline: float, **conditions: str) -> Status:
    """Version 3, which achieved that when it was new."""
    since = GRID[0] - timedelta(days=1)
    return Status(
        champion=Champion(
            3,
            "pvc://m/versions/3",
            "sha256:aa",
            since,
            TrainingAction.RETRAIN,
            Baseline(baseline, since),
        ),
        conditions=tuple(
            Condition(kind, status, "Known", "", 1, since) for kind, status in conditions.items()
        ),
    )


def by_the_operators_bounds(
    given: Metrics, values: Sequence[float], status: Status
) -> tuple[dict[str, str], list[str]]:
    since, bounds = held_against(given, status, degraded=is_down(status))
    findings, points = of_answers(given, Answers([series(values)]), GRID, since, bounds)
    by_field = {found.field.rpartition(".")[2]: found.told for found in findings}
    return by_field, [point.counts_as for point in points]


def test_a_drop_from_the_baseline_is_bad_though_the_floor_is_lower() -> None:
    told, counts = by_the_operators_bounds(
        metrics(maxDrop=0.03, thresholdRange={"min": 0.9}),
        [0.95, 0.93, 0.91, 0.91, 0.91],
        in_service(0.95),
    )
    assert counts == ["good", "good", "bad", "bad", "bad"]
    assert told["thresholdRange"] == (
        "the last reading that counts, 0.91, is below the floor "
        "(min 0.92: maxDrop 0.03 from the baseline)"
    )
    assert told["breach"].endswith("Degraded: a run would begin")


def test_a_degraded_resource_that_has_not_recovered_is_said_to_be_degraded() -> None:
    told, _ = by_the_operators_bounds(
        metrics(recover=0.93, thresholdRange={"min": 0.9}),
        [0.85, 0.85, 0.91, 0.91, 0.91],
        in_service(0.95, **{DEGRADED: "True"}),
    )
    assert told["breach"].endswith("Degraded until a reading reaches 0.93; nothing begins")


def test_what_is_missing_counts_as_on_missing_says() -> None:
    given = metrics(onMissing="Breach")
    short = Series({}, ((GRID[0], 0.95), (GRID[1], float("inf"))))
    twice = [short, Series({"again": "yes"}, ((GRID[0], 0.95),))]
    for answer, first in (([short], "good"), (twice, "nothing")):
        findings, points = of_answers(given, Answers(answer), GRID, None)
        assert [point.counts_as for point in points] == [first, *["bad: missing"] * 4]
        bad = sum(point.counts_as.startswith("bad") for point in points)
        assert findings[-1].told.startswith(f"{bad} of ")
        assert "(missing), is a bad one (onMissing)" in findings[-2].told


def test_readings_of_the_version_before_count_as_nothing() -> None:
    since = GRID[-1] - timedelta(minutes=5)
    _, points = of_answers(PLAIN, Answers([BAD]), GRID, since)
    assert [point.counts_as for point in points] == [
        *["nothing: not wholly of the version in service"] * 4,
        "bad",
    ]


def test_a_page_of_findings() -> None:
    findings, points = of_answers(SAMPLED, Answers([BAD], [FEW]), GRID, None)
    checked = Checked("a.yaml", "finance/news", tuple(findings), points, SAMPLED)
    assert checked.usable
    text = told(checked, Page())
    assert text.startswith("a.yaml: finance/news\n  ok     spec.metrics.interval: a reading every")
    assert text.endswith("\n\nusable")
    rows = [" ".join(line.split()[3:]) for line in text.splitlines()[-7:-2]]
    assert rows == [
        "0.95 900 good",
        "0.94 900 good",
        "0.89 900 bad",
        "0.83 100 nothing: under 200 samples",
        "0.85 100 nothing: under 200 samples",
    ]
    assert all(len(line) <= 60 for line in told(checked, Page(60)).splitlines())


def test_what_is_wrong_is_marked_and_names_the_runbook() -> None:
    findings, points = of_answers(PLAIN, Answers([]), GRID, None)
    checked = Checked("a.yaml", "finance/news", tuple(findings), points, PLAIN)
    assert not checked.usable
    text = told(checked, Page())
    assert "\n  WRONG  spec.metrics.performance.query: " in text
    assert "(runbook: NoData)" in " ".join(text.split())
    assert text.endswith("not usable as it is")


def test_machines_get_no_nan() -> None:
    findings, points = of_answers(PLAIN, Answers([series([float("nan")] * 5)]), GRID, None)
    written = document(Checked("a.yaml", "finance/news", tuple(findings), points, PLAIN))
    assert not written["usable"]
    assert json.loads(json.dumps(written, allow_nan=False))["readings"][0]["value"] == "nan"


# --- refusals ---------------------------------------------------------------------------


def test_each_cause_is_a_finding() -> None:
    refusal = {
        "details": {
            "causes": [
                {"field": "spec.metrics.interval", "message": 'Invalid value: "object": write 5m'},
                {"field": "spec.model", "message": "Required value"},
            ]
        }
    }
    assert [(finding.field, finding.told) for finding in of_refusal(422, refusal)] == [
        ("spec.metrics.interval", "write 5m"),
        ("spec.model", "Required value"),
    ]


def test_strict_decoding_names_each_unknown_field() -> None:
    message = 'strict decoding error: unknown field "spec.a", unknown field "spec.b[0].c"'
    found = of_refusal(400, {"message": message})
    assert [finding.field for finding in found] == ["spec.a", "spec.b[0].c"]


@pytest.mark.parametrize("document", [{}, {"message": "namespaces 'x' not found"}])
def test_any_other_refusal_is_told_as_it_is(document: dict[str, Any]) -> None:
    (finding,) = of_refusal(404, document)
    assert not finding.ok
    assert document.get("message", "404") in finding.told


def test_what_a_webhook_says_cannot_steer_a_terminal_or_show_its_token() -> None:
    said = 'failed calling webhook "x": Post "https://x.svc/?token=s3cr3t": \x1b[2Jno'
    causes = {"details": {"causes": [{"field": "spec", "message": said}]}}
    for answer in ({"message": said}, causes):
        (finding,) = of_refusal(500, answer)
        assert finding.told == 'failed calling webhook "x": Post "https://x.svc/…": [2Jno'


def test_a_spec_error_keeps_its_field_and_reason() -> None:
    finding = of_spec_error(SpecError("spec.metrics.interval", "write 5m"))
    assert (finding.field, finding.told, finding.reason) == (
        "spec.metrics.interval",
        "write 5m",
        "InvalidSpec",
    )
