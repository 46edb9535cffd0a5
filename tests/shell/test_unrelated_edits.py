"""A wait lasts from look to look as long as the spec is the same for trainings."""

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from support.plain import merged, plain_spec

from maintenance_core import status as status_json
from maintenance_core.lifecycle.jobs import TrainerImage
from maintenance_core.model import Recheck, Status
from maintenance_core.spec_digest import digest_of
from maintenance_core.watch.common_cause import CommonCause
from maintenance_operator.adapters.calendar import Clock
from maintenance_operator.reconcile import Reconciler

NOW = datetime(2026, 11, 23, 18, tzinfo=UTC)
SPEC = plain_spec()


async def waiting(spec: dict[str, Any], recheck: Recheck) -> Recheck | None:
    """What is left of a wait at a look that finds a new generation."""
    status = Status(observed_generation=1, recheck=recheck)
    metadata = {"namespace": "finance", "name": "news", "uid": "1a2b3c4d", "generation": 2}
    reconcile = Reconciler(
        cluster=mock.Mock(
            config_map=mock.AsyncMock(return_value=None), jobs=mock.AsyncMock(return_value=[])
        ),
        metrics=mock.Mock(
            admit=mock.AsyncMock(),
            range=mock.AsyncMock(return_value=()),
            skew=mock.Mock(return_value=timedelta()),
        ),
        resources=mock.MagicMock(config_map=mock.Mock(return_value=None)),
        telemetry=mock.Mock(),
        trainer=TrainerImage("trainer:1"),
        clock=mock.Mock(now=mock.Mock(return_value=NOW), due=Clock().due),
        fleet_breaches=mock.Mock(record=mock.Mock(return_value=CommonCause.ALLOW)),
    )
    body = {"metadata": metadata, "spec": spec, "status": status_json.write(status)}
    return (await reconcile._observer(body, None, live=True)).status.recheck


@pytest.mark.parametrize(
    "edit, written, lasts",
    [
        ({"suspend": True}, True, True),
        ({"history": {"runs": 3}}, True, True),
        ({"gate": {"minImprovement": 0.01}}, True, False),
        ({"suspend": True}, False, False),
    ],
)
async def test_a_wait_ends_with_a_spec_that_is_another_for_trainings(
    edit: dict[str, Any], *, written: bool, lasts: bool
) -> None:
    digest = digest_of(SPEC) if written else ""
    recheck = Recheck(2, NOW + timedelta(hours=3), "sha256:data", digest)
    found = await waiting(merged(SPEC, edit), recheck)
    assert found == (recheck if lasts else None)
