"""What a person is told where little has happened yet: whole sentences, and what to do next."""

import asyncio
from typing import Any
from unittest import mock

import pytest
from support.bodies import (
    CHAMPION,
    DECISION,
    DOWN,
    FINE,
    FOLLOWED,
    IDLE,
    NOW,
    READ,
    RUN,
    SPEC,
    body,
    condition,
    entry,
)

from maintenance_contract import Answer, Question
from maintenance_core.errors import OperatorError
from maintenance_core.model import PathStep, StatusEvidence
from maintenance_operator.cli import command, deciding, history, logs
from maintenance_operator.cli.layout import Page
from maintenance_operator.cli.outlook import State, outlook, state
from maintenance_operator.cli.resource import Resource, read
from maintenance_operator.cli.status import View, explained, path_step
from maintenance_operator.cli.why import undetermined

NEW = read(body(FOLLOWED, READ, FINE, IDLE))
ENDED = read(body(FOLLOWED, READ, FINE, IDLE, decision=DECISION, history=[entry(6), entry(7)]))
AWAY = condition("MetricsAvailable", "False", "Unreachable", "It does not answer.")
ABSENT = condition("MetricsAvailable", "False", "NoData", "No series.")
INVALID = condition("Ready", "False", "InvalidSpec", "spec.metrics.interval: write it like 5m")


def why(resource: Resource, run: int | None) -> str:
    wish = deciding.WhyOptions("text", None, run, None, None, "mm")
    with pytest.raises(OperatorError) as told:
        asyncio.run(deciding.shown(mock.Mock(), resource, wish, Page(), NOW))
    return str(told.value)


@pytest.mark.parametrize(
    "resource, run, says",
    [
        (NEW, None, "news has had no decision yet; what it waits for: kubectl mm status news"),
        (NEW, 3, "there is no run 3: news has had no decision yet; what it waits for: kubectl mm"),
        (ENDED, 3, "run 3 is not in the status; there are: whole: 7; its outcome only: 6"),
    ],
)
def test_no_decision(resource: Resource, run: int | None, says: str) -> None:
    assert why(resource, run).startswith(says)


@pytest.mark.parametrize(
    "resource, wish, says",
    [
        (
            NEW,
            logs.LogOptions(),
            "news has had no run yet; what it waits for: kubectl mm status news",
        ),
        (NEW, logs.LogOptions(2, "train"), "news has had no run yet"),
        (
            ENDED,
            logs.LogOptions(),
            "no run of news has a pod any more: ended Jobs are kept for 24 hours",
        ),
        (ENDED, logs.LogOptions(), "pvc://models/news/runs/7/report.json"),
        (ENDED, logs.LogOptions(6), "run 6 has no pod any more"),
        (ENDED, logs.LogOptions(6, "train"), "run 6 has no pod of its step train any more"),
        (ENDED, logs.LogOptions(9), "there is no run 9: the last one of news is 7"),
    ],
)
def test_no_pod(resource: Resource, wish: logs.LogOptions, says: str) -> None:
    assert says in logs._no_pod(resource, wish)


def test_no_run() -> None:
    listed = history.listed(NEW, NOW, Page())
    assert listed == "news has had no run yet; what it waits for: kubectl mm status news"
    live = read(body(FOLLOWED, READ, DOWN, run=RUN))
    told = [command._no_such_run(NEW, 3), command._no_such_run(live, 7)]
    assert told[0] == "there is no run 3: no run of news has ended yet"
    assert told[1] == "run 7 has not ended yet: kubectl mm status news"


@pytest.mark.parametrize(
    "evidence, says",
    [
        ([StatusEvidence("newRowsToCompare", "30")], "No test is made of so few rows"),
        ([StatusEvidence("classMix", "0.1", "0.05", "0.2")], "Neither shown nor excluded"),
        ([], "No test was made"),
    ],
)
def test_an_open_question_says_why(evidence: list[StatusEvidence], says: str) -> None:
    step = PathStep(Question.CONCEPT_DRIFT, Answer.UNDETERMINED, tuple(evidence))
    assert undetermined(step).startswith(says)


def test_too_few_rows_are_counted_in_words() -> None:
    step = PathStep(
        Question.CONCEPT_DRIFT, Answer.UNDETERMINED, (StatusEvidence("newRowsToCompare", "30"),)
    )
    told = "30 newly labelled rows; with fewer than 40 no test is made"
    assert path_step(step) == f"ConceptDrift? Undetermined: {told}"


def text(*conditions: dict[str, Any], **status: Any) -> str:
    shown = explained(View(read(body(*conditions, **status)), NOW), Page())
    return " ".join(shown.split())


def test_whom_it_waits_for_is_a_sentence_of_its_own() -> None:
    waiting = condition("MetricsAvailable", "False", "NoData", "No series.")
    told = text(FOLLOWED, waiting, DOWN, run={**RUN, "step": "Diagnose", "action": None})
    assert told.startswith(
        "finance/news is being diagnosed: a Job looks for the cause. It waits for you."
    )


BRINGING = {**SPEC, "model": {**SPEC["model"], "initialModel": {"storageUri": "hf://org/news"}}}


@pytest.mark.parametrize(
    "resource, says",
    [
        (NEW, "A run begins: a first version is wanted, and trained from spec.model.baseModel"),
        (NEW, "because spec.model.initialModel is not given"),
        (read(body(FOLLOWED, READ, FINE, spec=BRINGING)), "is given, and becomes version 1"),
        (read(body(FOLLOWED, READ, FINE, spec={**SPEC, "suspend": True})),
         "Then a run begins: a first version is wanted, and trained from spec.model.baseModel"),
        (read(body(FOLLOWED, AWAY)), "no first version is trained until it answers"),
        (read(body(FOLLOWED, READ, DOWN, run={**RUN, "championVersion": None})),
         "compares the new version with the most frequent label"),
        (read(body(INVALID, READ, run=RUN)), "The live run goes on by the spec that it began with"),
        (read(body(FOLLOWED, READ, FINE, spec={}, champion=CHAMPION)),
         "Not known: an operator follows this spec, and this plugin cannot read it"),
    ],
)  # fmt: skip
def test_what_comes_next_fits_what_is(resource: Resource, says: str) -> None:
    assert says in outlook(resource, NOW).what


def test_a_model_that_nobody_serves_yet_is_not_held_for_want_of_readings() -> None:
    """Status must not say that it holds, and in the next line that a run begins."""
    resource = read(body(FOLLOWED, ABSENT))
    assert state(resource) is State.NO_MODEL
    assert outlook(resource, NOW).what.startswith("A run begins")
    assert state(read(body(FOLLOWED, AWAY))) is State.NO_METRIC
