"""``kubectl mm why``: a decision in words, for machines and as a picture."""

import json
import runpy
import sys
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import resvg_py
import yaml
from support.api import Api, path
from support.bodies import (
    CHAMPION,
    DECISION,
    DOWN,
    FOLLOWED,
    LONGEST_NAME,
    NOW,
    READ,
    RUN,
    ago,
    body,
    entry,
)
from support.control_plane import ControlPlane
from support.objects import resource
from support.plugin import Plugin
from support.prometheus import PrometheusServer, seen
from support.story import LOW

from maintenance_contract.evidence_names import WORDS, in_words
from maintenance_core.errors import OperatorError
from maintenance_core.lifecycle.records import decision_of, record_of
from maintenance_core.model import Spec, ThresholdRange
from maintenance_operator.cli.deciding import png
from maintenance_operator.cli.layout import Page
from maintenance_operator.cli.resource import read
from maintenance_operator.cli.timeline import Mark, Timeline, timeline
from maintenance_operator.cli.why import (
    Case,
    Readings,
    case_of,
    document,
    explained,
    picture,
    remembered,
    window,
)

ROOT = Path(__file__).resolve().parents[2]
FONTS = [
    file
    for name in ("DejaVuSans.ttf", "LiberationSans-Regular.ttf", "NotoSans-Regular.ttf")
    for file in Path("/usr/share/fonts").rglob(name)
]
SVG = "{http://www.w3.org/2000/svg}"
SHIFTED: dict[str, Any] = {
    **DECISION,
    "path": [
        DECISION["path"][0],
        {
            "question": "DataDistributionShift",
            "answer": "Minor",
            "evidence": [
                {
                    "name": "outsideSupport",
                    "value": "0.18",
                    "threshold": "0.05",
                    "pValue": "<0.0001",
                    "n": 1000,
                    "lower": "0.15",
                    "upper": "0.21",
                }
            ],
        },
        {"question": "ConceptDrift", "answer": "No", "evidence": []},
        {"question": "FeatureSpaceChange", "answer": "No", "evidence": []},
        {"question": "MonitorAndOptimize", "answer": "Yes", "evidence": []},
    ],
}
ENDED = entry(7, action="FineTune", generation=1, startTime=ago(minutes=19), endTime=ago(minutes=2))


def case(**status: Any) -> Case:
    """A resource's last decision."""
    found = case_of(read(body(FOLLOWED, READ, DOWN, **{"decision": SHIFTED, **status})), None)
    assert found is not None
    return found


def one_line(text: str) -> str:
    return " ".join(text.split())


# --- in words ---------------------------------------------------------------------------


def test_question_by_question_with_what_would_have_changed_it() -> None:
    text = explained(case(champion=CHAMPION, history=[ENDED]), Page(100))
    assert (
        text
        == """\
finance/news, decision 7 of 2026-11-23 17:44 UTC, because of PerformanceDrop: FineTune
(DomainExpansion)

1. Model performance drop? Yes. (Is it worse than it may be?)
     - accuracy 0.87, threshold 0.9, n 1250: accuracy in production
2. Data distribution shift? Minor. (Do new rows look different from those it was trained on?)
     - outsideSupport 0.18 (0.15 to 0.21), threshold 0.05, p <0.0001, n 1000: share of new rows that
       lie outside what the champion was trained on
3. Concept drift? No. (Do the same inputs mean something else now?)
4. Feature space change? No. (Has what it reads or predicts changed?)

Decided     Accuracy 0.87 was below 0.9 in 3 of 5 readings (1250 samples).
Not         Retrain: No question is answered Major.
Otherwise   Had outsideSupport been below 0.05 instead of 0.18 (DataDistributionShift No), it would
            have been None (NoCauseFound).
            Had the rows answered DataDistributionShift Major instead of Minor, it would have been
            Retrain (DistributionShift).
            Had the rows answered ConceptDrift Major instead of No, it would have been Retrain
            (ConceptDrift).
            Had the rows answered FeatureSpaceChange Major instead of No, it would have been Retrain
            (FeatureSpaceChanged).
Then        run 7: FineTune Promoted (ChallengerWins), 2026-11-23 17:58 UTC. Better: 94% right, the
            champion 88%."""
    )


def test_a_live_run_is_told_and_its_own_spec_asked() -> None:
    found = case(run=RUN)
    assert found.run is not None
    assert "Then        run 7 is live (Train)." in explained(found, Page(100))
    spoilt = case_of(read(body(FOLLOWED, spec={}, run=RUN, decision=SHIFTED)), None)
    assert spoilt is not None
    assert isinstance(spoilt.spec, Spec)


def test_what_stood_against_the_answers_is_told() -> None:
    waits = {
        **SHIFTED,
        "action": "Wait",
        "reason": "NotEnoughHeldOutRows",
        "rejected": [{"action": "FineTune", "because": "The held-out rows could hardly do."}],
    }
    text = one_line(explained(case(decision=waits), Page(100)))
    assert "The answers alone ask for FineTune (DomainExpansion)." in text
    told = "NotEnoughHeldOutRows. The held-out rows could hardly show a win that is worth a run."
    assert f"against it: {told}" in text
    assert "the answers would ask for None (NoCauseFound)" in text
    assert "Then nothing was trained." in text


def test_without_a_diagnosis_nothing_is_guessed() -> None:
    blocked = {**SHIFTED, "action": "Blocked", "reason": "DataUnusable", "rejected": []}
    blocked["path"] = [SHIFTED["path"][0], SHIFTED["path"][-1]]
    text = one_line(explained(case(decision=blocked), Page(100)))
    assert "The causes were not asked." in text
    assert "the decision did not turn on the questions" in text


def test_a_spec_that_cannot_be_read_is_no_obstacle() -> None:
    text = one_line(explained(case(spec={}), Page(100)))
    assert "not known: the spec cannot be read" in text
    assert ET.fromstring(picture(case(spec={}), Readings(), NOW)) is not None  # noqa: S314


def test_a_spec_that_has_changed_since_is_told() -> None:
    text = explained(case(history=[{**ENDED, "generation": 5}]), Page(100))
    assert "The spec has changed since" in text


def test_an_older_run_says_where_its_decision_lies() -> None:
    found = read(body(FOLLOWED, decision=SHIFTED, history=[ENDED, entry(6)]))
    assert case_of(found, 6) is None
    text = one_line(remembered(found, found.status.history[1], Page(100)))
    assert "run 6: Retrain Promoted (ChallengerWins)" in text
    assert "pvc://models/news/runs/6/" in text
    assert "--record decision.json" in text


def test_what_others_wrote_does_not_drive_the_terminal() -> None:
    hostile = deepcopy(SHIFTED)
    hostile["message"] = hostile["path"][1]["evidence"][0]["name"] = "\x1b[31mred\x07"
    assert "\x1b" not in explained(case(decision=hostile), Page(100))


def test_names_of_evidence_are_in_plain_words_even_those_that_are_new() -> None:
    assert in_words("outsideSupport") == WORDS["outsideSupport"]
    assert in_words("someNewNumber") == "some new number"


def test_a_decision_comes_back_from_its_record() -> None:
    found = case()
    record = record_of(found.resource.identity, found.decision)
    assert decision_of(record) == found.decision


def test_for_machines() -> None:
    written = json.loads(json.dumps(document(case(history=[ENDED]), Readings()), allow_nan=False))
    assert written["decision"] == SHIFTED
    assert written["decidedByAnswers"] is True
    assert written["run"]["number"] == 7
    first = written["changes"][0]
    assert (first["after"], first["action"], first["distance"]) == ("No", "None", 2.6)


# --- as a picture -----------------------------------------------------------------------


def drawn(found: Case, points: int = 40) -> list[str]:
    """The words of a picture, after it was found to be well-formed."""
    step = timedelta(minutes=5)
    times = [NOW - step * index for index in range(points)][::-1]
    readings = tuple((time, 0.95 if index < 30 else 0.8) for index, time in enumerate(times))
    root = ET.fromstring(picture(found, Readings(readings, "Prometheus: x"), NOW))  # noqa: S314
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def test_the_metric_stands_below_with_what_happened() -> None:
    words = drawn(case(champion=CHAMPION, history=[ENDED]))
    assert {"breach: run 7 begins", "decision: FineTune", "promoted version 6", "training"} <= {
        *words
    }
    assert "floor 0.9" in words
    assert "Prometheus: x" in words


def test_a_live_training_is_drawn_up_to_now() -> None:
    assert "training" in drawn(case(run=RUN))
    assert "training" not in drawn(case())


def test_the_longest_name_and_no_reading_at_all() -> None:
    assert drawn(case(name=LONGEST_NAME), points=0)


def test_a_gap_of_readings_is_a_gap_of_the_line() -> None:
    step = timedelta(minutes=1)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    times = [start + step * index for index in range(10) if index not in {4, 5}]
    shown = Timeline(
        tuple((time, 0.5) for time in times),
        ThresholdRange(min=0.4),
        start,
        start + 10 * step,
        step,
        marks=(Mark(start - step, "before"), Mark(start + step, "within")),
    )
    marks = timeline(shown).marks
    assert sum('class="curve"' in mark for mark in marks) == 2
    assert sum('class="dot"' in mark for mark in marks) == 8
    assert not any("before" in mark for mark in marks)
    assert any("within" in mark for mark in marks)


@pytest.mark.parametrize("weeks", [0, 1, 200])
def test_readings_are_asked_on_the_operators_grid_and_not_too_many(weeks: int) -> None:
    found = case(history=[{**ENDED, "startTime": ago(weeks=weeks, minutes=19)}])
    assert found.spec is not None
    times = window(found, found.spec.metrics, NOW)
    assert len(times) <= 301
    assert len({later - time for time, later in pairwise(times)}) == 1
    assert all(time.timestamp() % 300 == 0 for time in times)
    assert times[-1] <= NOW


@pytest.mark.slow
@pytest.mark.skipif(not FONTS, reason="this machine has none of the fonts to write pixels with")
def test_pixels() -> None:
    picture_of = png(picture(case(), Readings(), NOW))
    assert picture_of.startswith(b"\x89PNG\r\n")
    assert int.from_bytes(picture_of[16:20]) == 2 * 960


def test_pixels_have_text_or_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn_by = resvg_py.svg_to_bytes
    monkeypatch.setattr(
        resvg_py, "svg_to_bytes", lambda **asked: drawn_by(skip_system_fonts=True, **asked)
    )
    with pytest.raises(OperatorError, match="finds none of the fonts"):
        png(picture(case(), Readings(), NOW))


def test_pixels_without_the_library_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(OperatorError, match=r"pip install './operator\[png\]'.*-o svg"):
        png("<svg/>")


@pytest.mark.slow
def test_the_pages_pictures_and_examples_are_what_the_code_draws() -> None:
    drawer = runpy.run_path(str(ROOT / "dev/pictures.py"))
    for file, text in (drawer["pictures"]() | drawer["pages"]()).items():
        assert file.read_text(encoding="utf-8") == text, f"{file.name}: run make docs"
    assert {action.value for action in map(_action, drawer["EXAMPLES"], [drawer] * 9)} == {
        "FineTune",
        "Retrain",
        "None",
        "Wait",
        "Blocked",
    }


def _action(example: Any, drawer: dict[str, Any]) -> Any:
    return drawer["case"](example).decision.action


# --- the command ------------------------------------------------------------------------


@pytest.fixture
def mm(plane: ControlPlane, namespace: str) -> Plugin:
    return Plugin(plane.kubeconfig, namespace)


async def decided(api: Api, namespace: str, **status: Any) -> None:
    """A resource with a decision of a moment ago."""
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    made = await api.create(path("modelmaintenances", namespace), resource("news", query=LOW))
    made["status"] = {
        "observedGeneration": made["metadata"]["generation"],
        "conditions": [FOLLOWED, READ, DOWN],
        "decision": {**SHIFTED, "time": moment},
        "history": [entry(6)],
        **status,
    }
    await api.put(path("modelmaintenances", namespace, "news", "status"), made)


async def test_in_words_and_into_a_file(
    api: Api, namespace: str, mm: Plugin, tmp_path: Path
) -> None:
    await decided(api, namespace)
    done = await mm("why", "news")
    assert done.code == 0, done.err
    assert "2. Data distribution shift? Minor." in done.out
    file = tmp_path / "why.txt"
    into = await mm("why", "news", "-f", str(file))
    assert (into.out, into.err) == ("", f"written: {file}\n")
    assert "2. Data distribution shift? Minor." in file.read_text()
    nowhere = await mm("why", "news", "-f", str(tmp_path / "none/why.txt"))
    assert (nowhere.code, "No such file" in nowhere.err) == (2, True)


async def test_pictures_with_the_readings_of_prometheus(
    api: Api,
    namespace: str,
    mm: Plugin,
    prometheus_server: PrometheusServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s")
    await decided(api, namespace)
    url = prometheus_server.url
    told = yaml.safe_load((await mm("why", "news", "-o", "yaml", "--prometheus", url)).out)
    assert {reading["value"] for reading in told["readings"]} == {0.5}
    monkeypatch.chdir(tmp_path)
    for form, start in {"svg": b"<svg ", **({"png": b"\x89PNG"} if FONTS else {})}.items():
        done = await mm("why", "news", "-o", form, "--prometheus", url)
        assert (done.code, done.out) == (0, ""), done.err
        assert (tmp_path / f"news-decision-7.{form}").read_bytes().startswith(start)
    out = await mm("why", "news", "-o", "svg", "-f", "-", "--prometheus", url)
    assert f"Prometheus: asked at {url}" in out.out
    assert 'class="baddot"' in out.out


async def test_a_picture_without_prometheus_says_so(api: Api, namespace: str, mm: Plugin) -> None:
    await decided(api, namespace)
    done = await mm("why", "news", "-o", "svg", "-f", "-", "--operator-namespace", "nowhere")
    assert done.code == 0, done.err
    assert "Only the readings that status holds; Prometheus was not to be asked" in done.out


async def test_older_runs_by_their_record(
    api: Api, namespace: str, mm: Plugin, tmp_path: Path
) -> None:
    await decided(api, namespace)
    older = await mm("why", "news", "--run", "6")
    assert (older.code, "runs/6/: decision.svg" in one_line(older.out)) == (0, True), older.err
    found = case()
    record = record_of(found.resource.identity, found.decision)
    file = tmp_path / "decision.json"
    file.write_text(replace(record, namespace=namespace, number=6, reason="MinorChange").to_json())
    by_record = await mm("why", "news", "--record", str(file))
    assert "decision 6 of" in by_record.out, by_record.err
    assert "run 6: Retrain Promoted" in one_line(by_record.out)
    file.write_text(record.to_json())
    others = await mm("why", "news", "--record", str(file))
    assert f"a decision of finance/news, not of {namespace}/news" in others.err


@pytest.mark.parametrize(
    "arguments, part",
    [
        (("--run", "3"), "run 3 is not in the status; there are: whole: 7; its outcome only: 6"),
        (("--run", "6", "-o", "svg"), "fetch runs/6/decision.json from the store"),
        (("--record", "/dev/null"), "not JSON"),
    ],
)
async def test_what_cannot_be_shown_says_what_to_write(
    api: Api, namespace: str, mm: Plugin, arguments: tuple[str, ...], part: str
) -> None:
    await decided(api, namespace)
    done = await mm("why", "news", *arguments)
    assert (done.code, done.out) == (2, "")
    assert part in done.err


async def test_a_resource_without_a_decision(api: Api, namespace: str, mm: Plugin) -> None:
    await api.create(path("modelmaintenances", namespace), resource("news", query=LOW))
    done = await mm("why", "news")
    assert done.code == 2
    assert "news has had no decision yet" in done.err
