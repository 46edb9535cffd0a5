"""Runs, newest first."""

import json

import pytest
from support.bodies import FOLLOWED, NOW, RUN, ago, body, entry

from maintenance_operator.cli.history import document, explained, found, listed
from maintenance_operator.cli.layout import Page
from maintenance_operator.cli.resource import read

FIRST = entry(
    1,
    trigger="Initial",
    reason="FirstVersion",
    championVersion=None,
    championDigest=None,
    version=1,
    scores={"old": {"n": 400, "champion": "0.2750", "challenger": "0.9000"}},
)
BROKEN = entry(
    2,
    action="None",
    outcome="Failed",
    reason="JobFailed",
    message="The Job failed.",
    version=None,
    trained=False,
    trainSeconds=None,
    scores=None,
    endTime=ago(minutes=5),
)
RESOURCE = read(body(FOLLOWED, run=RUN, history=[entry(), BROKEN, FIRST]))


def test_a_table_of_runs() -> None:
    assert listed(RESOURCE, NOW, Page()) == (
        """\
RUN   TRIGGER           ACTION     OUTCOME    REASON           VERSION   NEW ROWS           OLD ROWS             TRAINED   ENDED
7     PerformanceDrop   FineTune   live       -                6         -                  -                    -         begun 19m ago
6     PerformanceDrop   Retrain    Promoted   ChallengerWins   5 -> 6    88% -> 94% (300)   92% -> 93% (2000)    1234s     12d ago
2     PerformanceDrop   Diagnose   Failed     JobFailed        5         -                  -                    -         5m ago
1     Initial           Retrain    Promoted   FirstVersion     - -> 1    -                  27.5% -> 90% (400)   1234s     12d ago"""  # noqa: E501 - as it is printed
    )


def test_one_run_whole() -> None:
    first = found(RESOURCE, 1)
    assert first is not None
    assert explained(first, NOW, Page()) == (
        """\
Run           1: Retrain Promoted (FirstVersion)
              Better: 94% right, the champion 88%.
Trigger       Initial
Version       - -> 1
Old rows      400 held out: majority class 27.5% right, challenger 90%
Trained       1234s
Begun         2026-11-11 17:00 UTC, lasted 1h
Ended         2026-11-11 18:00 UTC, 12d ago
Data          sha256:da7a"""
    )
    broken = found(RESOURCE, 2)
    assert broken is not None
    assert "Trained       not" in explained(broken, NOW, Page())
    assert found(RESOURCE, 3) is None


def test_what_ranks_has_no_majority_class() -> None:
    first = found(RESOURCE, 1)
    assert first is not None
    assert "baseline 27.5% right" in explained(first, NOW, Page(), "NextItem")
    assert "majority class 27.5% right" in explained(first, NOW, Page(), "TextClassification")


def test_an_error_of_numbers_is_no_share() -> None:
    score = {"n": 400, "metric": "MAE", "champion": "12345.6", "challenger": "3.21"}
    runs = [
        entry(2, scores={"new": score}),
        entry(1, championVersion=None, version=1, scores={"old": score}),
    ]
    resource = read(body(FOLLOWED, history=runs))
    assert "MAE 12350 -> 3.21 (400)" in listed(resource, NOW, Page())
    for number, before in ((1, "baseline"), (2, "champion")):
        run = found(resource, number)
        assert run is not None
        told = explained(run, NOW, Page())
        assert f"400 held out: MAE of {before} 12350, challenger 3.21" in told


@pytest.mark.parametrize("width", [40, 80, 120])
def test_it_fits(width: int) -> None:
    text = listed(RESOURCE, NOW, Page(width))
    # Ten columns of six letters and the gaps between them: less cannot be shown.
    assert max(map(len, text.splitlines())) <= max(width, 10 * 6 + 9 * 3)


def test_no_run_yet() -> None:
    assert "kubectl mm status news" in listed(read(body()), NOW, Page())


def test_machines_get_runs_as_status_has_them() -> None:
    told = document(RESOURCE)
    assert [run["number"] for run in told["runs"]] == [6, 2, 1]
    assert told["runs"][0]["scores"]["new"]["challenger"] == "0.9400"
    assert told["live"]["number"] == 7
    assert "spec" not in told["live"]
    json.dumps(told, allow_nan=False)
