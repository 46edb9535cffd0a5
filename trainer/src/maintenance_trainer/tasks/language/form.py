"""How the form of what is asked has changed: the conversation's, and the tokenizer's view of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from maintenance_contract import evidence_names
from maintenance_trainer.diagnose import thresholds as at
from maintenance_trainer.diagnose.answers import Measure
from maintenance_trainer.tasks import words
from maintenance_trainer.tasks.language.encoding import Encoded
from maintenance_trainer.tasks.language.rows import AnswerRow, Role
from maintenance_trainer.tasks.words import Words

SELDOM: Final = 0.01
"""Share of the old rows below which they hardly have a form."""
COMMON: Final = 0.9
"""Share of the old prompts that begin, or end, alike from which on this belongs to their form."""
_MARKS: Final = frozenset("#<>[]{}|:=*\n")
"""What frames are made of; a greeting has none of them."""
_LONG: Final = 3
"""Questions of the user from which on a conversation counts as a long one."""
_EDGE: Final = 12
"""Characters of a prompt at which its frame is looked for."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The tokenizer's view of what is asked in n rows, summed."""

    rows: int
    words: Words
    tokens: int
    unknown: int
    cut: int


def measures(
    tokenizer: Any,
    old: Sequence[AnswerRow],
    new: Sequence[AnswerRow],
    encoded: tuple[Sequence[Encoded], Sequence[Encoded]],
) -> list[Measure]:
    """What has changed between old and new rows.

    Args:
        tokenizer: the model's.
        old: m rows.
        new: n rows.
        encoded: their tokens, as the model takes them.
    """
    before, after = (
        _count(tokenizer, rows, its) for rows, its in zip((old, new), encoded, strict=True)
    )
    counted = (
        (evidence_names.UNSEEN_FORMS, unseen_forms(old, new), at.CONVERSATION_FORM),
        (
            evidence_names.UNKNOWN_TOKENS,
            _share(after.unknown, after.tokens) - _share(before.unknown, before.tokens),
            at.UNKNOWN_TOKENS,
        ),
        (
            evidence_names.SUBWORDS_PER_WORD,
            words.change_of_tokens((before.tokens, before.words), (after.tokens, after.words)),
            at.SUBWORDS_PER_WORD,
        ),
        (
            evidence_names.TRUNCATED_TEXTS,
            _share(after.cut, after.rows) - _share(before.cut, before.rows),
            at.TRUNCATED,
        ),
    )
    told = (
        (evidence_names.SYSTEM_MESSAGES, _with_system(new) - _with_system(old)),
        (evidence_names.TURNS, _turns(new) - _turns(old)),
    )
    return [
        *(
            Measure(name, effect, effect, bounds, None, len(new))
            for name, effect, bounds in counted
        ),
        *(
            Measure(name, effect, effect, at.ONLY_TOLD, None, len(new), counts=False)
            for name, effect in told
            if new and new[0].asked
        ),
    ]


def unseen_forms(old: Sequence[AnswerRow], new: Sequence[AnswerRow]) -> float:
    """Share of new rows in a form that hardly an old row has.

    Of messages: whether the system speaks first, whether one question is answered, a few or many.
    Of prompts: the words that most old ones begin or end with.
    """
    frame = _frame([row.prompt for row in old if row.prompt])
    forms = Counter(_form(row, frame) for row in old)
    known = {form for form, count in forms.items() if count >= SELDOM * len(old)}
    return _share(sum(_form(row, frame) not in known for row in new), len(new))


def _form(row: AnswerRow, frame: tuple[str, str]) -> tuple[object, ...]:
    if not row.asked:
        begins, ends = frame
        return ("prompt", row.prompt.startswith(begins), row.prompt.endswith(ends))
    asked = sum(turn.role is Role.USER for turn in row.asked)
    return (row.asked[0].role is Role.SYSTEM, min(asked, _LONG) if asked > 1 else 1)


def _frame(prompts: Sequence[str]) -> tuple[str, str]:
    """What most prompts begin and end with: ``### Question:`` and ``### Answer:``, say."""
    begins = [prompt[:_EDGE] for prompt in prompts]
    ends = [prompt[-_EDGE:][::-1] for prompt in prompts]
    return _shared(begins), _shared(ends)[::-1]


def _shared(texts: Sequence[str]) -> str:
    """The longest beginning that most texts share, up to its last mark; empty without any."""
    found = ""
    for length in range(1, _EDGE + 1):
        counts = Counter(text[:length] for text in texts if len(text) >= length)
        text, count = counts.most_common(1)[0] if counts else ("", 0)
        if count < COMMON * len(texts) or not count:
            break
        found = text
    while found and found[-1] not in _MARKS:
        found = found[:-1]
    return found


def _count(tokenizer: Any, rows: Sequence[AnswerRow], encoded: Sequence[Encoded]) -> Counts:
    unknown = tokenizer.unk_token_id
    texts = [row.text for row in rows]
    ids = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"] if texts else []
    return Counts(
        rows=len(rows),
        words=words.count(texts),
        tokens=sum(map(len, ids)),
        unknown=0 if unknown is None else sum(its.count(unknown) for its in ids),
        cut=sum(each.cut for each in encoded),
    )


def _with_system(rows: Sequence[AnswerRow]) -> float:
    return _share(
        sum(bool(row.asked) and row.asked[0].role is Role.SYSTEM for row in rows), len(rows)
    )


def _turns(rows: Sequence[AnswerRow]) -> float:
    return sum(len(row.asked) for row in rows) / len(rows) if rows else 0.0


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
