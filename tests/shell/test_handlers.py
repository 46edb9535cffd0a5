"""Which events wake a resource."""

from typing import Any

import pytest

from maintenance_operator.handlers import has_news


def job(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "news-abc123-4-train"}, "status": status}


@pytest.mark.parametrize(
    "status",
    [{}, {"startTime": "2026-01-01T00:00:00Z", "active": 1, "ready": 0, "terminating": 0}],
)
def test_a_job_that_waits_tells_nothing_new(status: dict[str, Any]) -> None:
    assert not has_news(job(**status))
    assert not has_news({"metadata": {}})


@pytest.mark.parametrize(
    "status",
    [
        {"active": 1, "ready": 1},
        {"succeeded": 1},
        {"failed": 1},
        {"active": 0, "terminating": 1},
        {"conditions": [{"type": "Suspended", "status": "True"}]},
    ],
)
def test_a_job_that_begins_or_ends_or_is_held_is_news(status: dict[str, Any]) -> None:
    assert has_news(job(**status))


def test_a_job_that_is_deleted_is_news() -> None:
    assert has_news({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})
