"""The workflow as a picture, with the way that one decision took lit and its numbers beside it."""

from typing import Final

from maintenance_contract.decision import Asked, DecisionRecord, Figure
from maintenance_contract.report import Answer, Question
from maintenance_contract.svg import (
    LINE,
    WIDTH,
    Drawing,
    box,
    document,
    fitted,
    line,
    text,
    wrapped,
)

QUESTIONS: Final = {
    Question.PERFORMANCE_DROP: ("Model performance drop?", "Is it worse than it may be?"),
    Question.DATA_DISTRIBUTION_SHIFT: (
        "Data distribution shift?",
        "Do new rows look different from those it was trained on?",
    ),
    Question.CONCEPT_DRIFT: ("Concept drift?", "Do the same inputs mean something else now?"),
    Question.FEATURE_SPACE_CHANGE: (
        "Feature space change?",
        "Has what it reads or predicts changed?",
    ),
}
"""The workflow's questions in its order: the article's words, and plain ones."""

ACTIONS: Final = {
    "None": ("None", "leave it as it is", "lit"),
    "FineTune": ("Fine-tune", "adapt the current model", "good"),
    "Retrain": ("Retrain", "train a new model", "grave"),
    "Wait": ("Wait", "not yet", "care"),
    "Blocked": ("Blocked", "a person must act", "bad"),
}
"""What a decision may ask for: its name, what it means, its colour."""

_IMPORT: Final = {"Import": ("Import", "take over your model", "good")}
"""In the place of *None*, where a first version is brought along: there is none to leave alone."""

_BOLD: Final = 1.2
"""How much wider bold letters are, at most."""
_FIGURES: Final = 3
_LEFT: Final = 60
_WIDE: Final = 330
_HIGH: Final = 44
_STEM: Final = _LEFT + 40
_RAIL: Final = 36
_SIDE: Final = 24
_GAP: Final = 14
_OUTCOME: Final = (WIDTH - 2 * _SIDE - 4 * _GAP) / 5
_OUTCOME_HIGH: Final = 62
_BECAUSE: Final = 4
_MESSAGE_LINES: Final = 9


def picture(record: DecisionRecord) -> str:
    """The flowchart of a decision as an SVG of its own."""
    return document(title(record), [flowchart(record)])


def title(record: DecisionRecord) -> str:
    """Whose decision it is, and which."""
    return f"{record.namespace}/{record.name}, decision {record.number}: {record.action}"


def numbers(figure: Figure) -> str:
    """A number with what it was held against: ``outsideSupport 0.18 (0.16 to 0.21), …``."""
    interval = f" ({figure.lower} to {figure.upper})" if figure.lower and figure.upper else ""
    parts = (
        f"{figure.name} {figure.value}{interval}",
        figure.threshold and f"threshold {figure.threshold}",
        figure.p_value and f"p {figure.p_value}",
        "" if figure.n is None else f"n {figure.n}",
    )
    return ", ".join(filter(None, parts))


def actions(record: DecisionRecord) -> dict[str, tuple[str, str, str]]:
    """The boxes of a picture from left to right, five of them."""
    if record.action not in _IMPORT:
        return ACTIONS
    return _IMPORT | {action: box_of for action, box_of in ACTIONS.items() if action != "None"}


def told(record: DecisionRecord) -> str:
    """The picture in words."""
    asked = {step.question: step for step in record.path}
    questions = [
        f"{name} {asked[question].answer.value}."
        if question in asked
        else f"{name} It was not asked."
        for question, (name, _) in QUESTIONS.items()
    ]
    return f"{' '.join(questions)} The decision is {record.action}, for {record.reason}."


def flowchart(record: DecisionRecord) -> Drawing:
    """Questions from top to bottom, the actions in a row, and Monitor & optimize below them."""
    marks, top = _heading(record)
    asked = {step.question: step for step in record.path}
    known = [question for question in QUESTIONS if question in asked]
    shapes: list[str] = []
    edges: list[str] = []
    for index, question in enumerate(QUESTIONS):
        step = asked.get(question)
        below = top + _HIGH + _space(step)
        last = index == len(QUESTIONS) - 1
        lit = step is not None and (last or question is not known[-1])
        shapes += _question(question, step, top)
        end = below if not last else below + _GAP
        edges.insert(0, line([(_STEM, top + _HIGH), (_STEM, end)], _edge(lit=lit), arrow=not last))
        if step is not None and not lit:
            edges.append(_around(top + _HIGH / 2, _bus(top, index, step)))
        top = below
    bus = top + _GAP
    outcomes, foot = _outcomes(record, bus)
    return Drawing(
        (*marks, *edges, *outcomes, *shapes, *_message(record, foot)),
        int(foot + len(_message(record, 0)) * LINE + 4),
        told(record),
    )


def _heading(record: DecisionRecord) -> tuple[list[str], float]:
    room = WIDTH - 2 * _SIDE
    where = fitted(f"{record.namespace}/{record.name}", room, 18 * _BOLD)
    what = f"Decision {record.number}, {record.time}, because of {record.trigger}"
    return [
        text(_SIDE, 14, where, "title"),
        text(_SIDE, 38, fitted(what, room, 13), "faint"),
    ], 56.0


def _space(step: Asked | None) -> int:
    """Room below a question for its numbers."""
    return 24 + LINE * len(_figures(step))


def _figures(step: Asked | None) -> list[str]:
    if step is None:
        return []
    shown = [numbers(figure) for figure in step.figures[:_FIGURES]]
    more = len(step.figures) - _FIGURES
    return [*shown, f"and {more} more"] if more > 0 else shown


def _bus(top: float, index: int, step: Asked) -> float:
    """Where the actions are reached from, as seen from a question after which none was asked."""
    left = len(QUESTIONS) - 1 - index
    return top + _HIGH + _space(step) + left * (_HIGH + _space(None)) + _GAP


def _around(start: float, bus: float) -> str:
    """Past the questions that were not asked."""
    return line([(_LEFT, start), (_RAIL, start), (_RAIL, bus), (_STEM, bus)], "path")


def _question(question: Question, step: Asked | None, top: float) -> list[str]:
    name, plain = QUESTIONS[question]
    middle = top + _HIGH / 2 + 5
    answer = "not asked" if step is None else step.answer.value
    marks = [
        box(_LEFT, top, _WIDE, _HIGH, "off" if step is None else _tone(step.answer)),
        text(_LEFT + 14, middle, name, "faint" if step is None else "strong"),
        text(_LEFT + _WIDE - 14, middle, answer, "end faint" if step is None else "end strong"),
        text(_LEFT + _WIDE + 20, middle, plain, "faint"),
    ]
    room = WIDTH - _STEM - 20 - _SIDE
    return marks + [
        text(_STEM + 16, top + _HIGH + 20 + LINE * number, fitted(words, room, 13))
        for number, words in enumerate(_figures(step))
    ]


def _tone(answer: Answer) -> str:
    match answer:
        case Answer.MINOR:
            return "good"
        case Answer.MAJOR:
            return "grave"
        case Answer.UNDETERMINED:
            return "care"
        case _:
            return "lit"


def _outcomes(record: DecisionRecord, bus: float) -> tuple[list[str], float]:
    """The actions, what was decided, why not the others; and the box where every way ends."""
    because = {other.action: other.because for other in record.rejected}
    shown = actions(record)
    middles = {
        action: _SIDE + index * (_OUTCOME + _GAP) + _OUTCOME / 2
        for index, action in enumerate(shown)
    }
    top = bus + 24
    ends = [*middles.values(), _STEM]
    marks = [line([(min(ends), bus), (max(ends), bus)], "edge")]
    notes: list[str] = []
    for action, middle in middles.items():
        marks.append(line([(middle, bus), (middle, top)], "edge", arrow=True))
        taken = action == record.action
        reason = record.reason if taken else because.get(action, "")
        lines = wrapped(reason, _OUTCOME, 12 * _BOLD if taken else 12, _BECAUSE)
        notes += _outcome(shown[action], middle - _OUTCOME / 2, top, taken=taken)
        notes += [
            text(
                middle,
                top + _OUTCOME_HIGH + 18 + 14 * number,
                words,
                "middle reason" if taken else "middle tiny",
            )
            for number, words in enumerate(lines)
        ]
    if record.action in middles:
        taken_at = middles[record.action]
        marks.append(line([(_STEM, bus), (taken_at, bus), (taken_at, top)], "path", arrow=True))
    end = top + _OUTCOME_HIGH + 18 + 14 * _BECAUSE
    watched = not any(
        step.question is Question.MONITOR_AND_OPTIMIZE and step.answer is Answer.NO
        for step in record.path
    )
    middle = middles.get(record.action, WIDTH / 2)
    return [*marks, *notes, *_monitor(end, middle, lit=watched)], end + 40 + 36


def _outcome(box_of: tuple[str, str, str], left: float, top: float, *, taken: bool) -> list[str]:
    name, meaning, tone = box_of
    middle = left + _OUTCOME / 2
    return [
        box(left, top, _OUTCOME, _OUTCOME_HIGH, tone if taken else "box"),
        text(middle, top + 27, name, "middle strong" if taken else "middle faint"),
        text(middle, top + 47, meaning, "middle small" if taken else "middle tiny"),
    ]


def _monitor(top: float, middle: float, *, lit: bool) -> list[str]:
    words = "Monitor & optimize" + ("" if lit else ": nothing to watch yet")
    return [
        line([(middle, top - 14), (middle, top + 7)], _edge(lit=lit), arrow=True),
        box(_SIDE, top + 8, WIDTH - 2 * _SIDE, 34, "lit" if lit else "off"),
        text(WIDTH / 2, top + 30, words, "middle strong" if lit else "middle faint"),
    ]


def _message(record: DecisionRecord, top: float) -> list[str]:
    lines = wrapped(record.message, WIDTH - 2 * _SIDE, 13, _MESSAGE_LINES)
    return [text(_SIDE, top + LINE * number, words) for number, words in enumerate(lines)]


def _edge(*, lit: bool) -> str:
    return "path" if lit else "edge"
