"""The picture of a decision: whole, well-formed, lit where it went, whatever the words in it."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maintenance_contract import Answer, ContractError, Question
from maintenance_contract.decision import Asked, DecisionRecord, Figure, NotTaken
from maintenance_contract.flowchart import ACTIONS, QUESTIONS, actions, picture
from maintenance_contract.svg import WIDTH, fitted, plain, width, wrapped

SVG = "{http://www.w3.org/2000/svg}"
CAUSES = list(QUESTIONS)[1:]
HOSTILE = '"><script>alert(1)</script>&amp;<![CDATA[ \x00\x1b[31m \u202e \ud800 ]]>'


def record(action: str = "FineTune", causes: bool = True, **changes: object) -> DecisionRecord:  # noqa: FBT001, FBT002
    path = [
        Asked(Question.PERFORMANCE_DROP, Answer.YES, (Figure("accuracy", "0.87", "0.9", n=1250),))
    ]
    path += [Asked(question, Answer.MINOR, FIGURES) for question in CAUSES if causes]
    path.append(Asked(Question.MONITOR_AND_OPTIMIZE, Answer.YES))
    fields: dict[str, object] = {
        "namespace": "finance",
        "name": "news",
        "number": 7,
        "trigger": "PerformanceDrop",
        "action": action,
        "reason": "DomainExpansion",
        "message": "Accuracy 0.87 was below 0.9 in 3 of 5 readings.",
        "time": "2026-11-23T18:00:03Z",
        "path": tuple(path),
        "rejected": (NotTaken("Retrain", "No question is answered Major."),),
        **changes,
    }
    return DecisionRecord(**fields)  # type: ignore[arg-type]


FIGURES = (Figure("outsideSupport", "0.18", "0.05", "<0.0001", 1000, "0.15", "0.21"),)


def parsed(one: DecisionRecord) -> ET.Element:
    return ET.fromstring(picture(one))  # noqa: S314 - drawn here


def texts(root: ET.Element, kind: str = "") -> list[str]:
    return [
        element.text or ""
        for element in root.iter(f"{SVG}text")
        if not kind or kind in element.get("class", "").split()
    ]


def test_a_record_read_again_is_the_same() -> None:
    one = record()
    assert DecisionRecord.from_json(one.to_json()) == one


@pytest.mark.parametrize(
    "text", ["", "{}", '{"version":2}', record().to_json().replace('"Minor"', '"Perhaps"')]
)
def test_a_record_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ContractError):
        DecisionRecord.from_json(text)


@pytest.mark.parametrize("action", [*ACTIONS, "Import"])
def test_only_the_action_that_was_taken_is_lit(action: str) -> None:
    one = record(action)
    root, shown = parsed(one), actions(one)
    assert len(shown) == len(ACTIONS)
    name = shown[action][0]
    strong = texts(root, "strong")
    assert name in strong
    assert not {other[0] for key, other in shown.items() if key != action} & {*strong}
    assert texts(root, "reason") == ["DomainExpansion"]
    path = [line.get("d", "") for line in root.iter(f"{SVG}path") if line.get("class") == "path"]
    questions = [re.findall(r"[\d.]+", way) for way in path if way.startswith("M100 ")]
    ends = [float(way[-2]) for way in questions]
    [box] = [x for x, text in _placed(root, "strong") if text == name]
    assert box in ends, "a lit line leads from the questions to the action"


def _placed(root: ET.Element, kind: str) -> list[tuple[float, str]]:
    return [
        (float(element.get("x", "")), element.text or "")
        for element in root.iter(f"{SVG}text")
        if kind in element.get("class", "").split()
    ]


def test_questions_carry_their_answers_and_numbers() -> None:
    words = texts(parsed(record()))
    assert words.count("Minor") == 3
    assert "outsideSupport 0.18 (0.15 to 0.21), threshold 0.05, p <0.0001, n 1000" in words
    assert "No question is answered Major." in " ".join(words)


def test_what_was_not_asked_is_passed_by() -> None:
    root = parsed(record("Blocked", causes=False))
    assert texts(root).count("not asked") == 3
    around = [line.get("d", "") for line in root.iter(f"{SVG}path") if line.get("class") == "path"]
    assert any("L36 " in way for way in around), "a lit way leads around them"
    assert "It was not asked." in root.findtext(f"{SVG}desc", "")


def test_it_is_told_in_words_for_those_who_do_not_see_it() -> None:
    root = parsed(record())
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "finance/news, decision 7: FineTune"
    assert "Concept drift? Minor." in root.findtext(f"{SVG}desc", "")


def test_nothing_is_fetched_and_dark_is_thought_of() -> None:
    text = picture(record())
    assert "@media (prefers-color-scheme:dark)" in text
    assert "url(#" in text
    assert re.findall(r"(?:href|src|@import|url\((?!#))", text) == []


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(st.text(max_size=400) | st.just(HOSTILE), st.sampled_from([*ACTIONS, "Unheard"]))
def test_any_words_make_a_picture_and_no_markup(words: str, action: str) -> None:
    one = record(
        action,
        namespace=words,
        name=words,
        reason=words,
        message=words,
        time=words,
        trigger=words,
        rejected=(NotTaken("Retrain", words), NotTaken(words, words)),
        path=(
            Asked(
                Question.CONCEPT_DRIFT,
                Answer.MAJOR,
                (Figure(words, words, words, words, 3, words, words),) * 5,
            ),
        ),
    )
    root = parsed(one)
    known = {"svg", "title", "desc", "style", "defs", "marker", "path", "rect", "g", "text"}
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= known


@pytest.mark.parametrize("name", ["n" * 253, "W" * 253, "語" * 253, "a b " * 60])
def test_long_names_stay_on_the_page(name: str) -> None:
    root = parsed(record(namespace=name, name=name, message=name, reason=name))
    for element in root.iter(f"{SVG}text"):
        size = {"title": 18, "strong": 14, "reason": 12, "tiny": 11}
        kinds = element.get("class", "").split()
        points = max((size[kind] for kind in kinds if kind in size), default=13)
        wide = width(element.text or "", points)
        left = float(element.get("x", "")) - (wide / 2 if "middle" in kinds else 0)
        left -= wide if "end" in kinds else 0
        assert left >= -1, element.text
        assert left + wide <= WIDTH + 20, element.text


@pytest.mark.slow
@given(st.text(max_size=80), st.integers(40, 300), st.integers(1, 5))
def test_wrapped_text_fits(words: str, room: int, most: int) -> None:
    lines = wrapped(words, room, 12, most)
    assert len(lines) <= most
    assert all(width(line, 12) <= room + 14 for line in lines)
    if not any(line.endswith("…") for line in lines):
        assert " ".join(lines) == plain(words)


def test_what_is_cut_says_so() -> None:
    assert fitted("short", 100, 12) == "short"
    assert fitted("a" * 100, 100, 12).endswith("…")
