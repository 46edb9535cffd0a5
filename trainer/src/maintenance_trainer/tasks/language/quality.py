"""Can new answers be trusted at all? See ``diagnose.quality``, which asks it of classes.

Answers that were shuffled, or joined with the wrong questions, are as good as any by themselves. So
it is asked whether an answer goes with its question: whether it is more like the answers of the
most similar questions, or more like the question itself, than another row's answer is. Drift
changes what is answered, not whether anything is.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from maintenance_trainer.diagnose import thresholds as at
from maintenance_trainer.diagnose.quality import CHANCE, LEARNABLE, lost
from maintenance_trainer.errors import DataError
from maintenance_trainer.seed import SEED
from maintenance_trainer.tasks.language.rows import AnswerRow

MOST_ROWS: Final = 1000
"""Of each age: more tell no more."""
NEIGHBOURS: Final = 5
MOST_ECHOES: Final = 0.5
"""Of the new answers; whoever corrects texts leaves many as they are, so old rows are asked, too.
"""
TIMES_AS_BEFORE: Final = 2.0
_CHARACTERS: Final = 2000
"""Of a question's end, and of an answer's beginning."""


def check(old: Sequence[AnswerRow], new: Sequence[AnswerRow]) -> None:
    """Refuse new answers that do not go with their questions, though old ones do.

    Raises:
        DataError: LabelsConstant, LabelsUnpredictable.
    """
    if min(len(old), len(new)) < at.LEAST_ROWS:
        return
    _varied(old, new)
    _refuse_echoes(old, new)
    old, new = _few(old, min(MOST_ROWS, len(new))), _few(new, MOST_ROWS)
    before, _ = fitness(old)
    after, error = fitness(new)
    if lost(before, after, np.sqrt(2) * error, LEARNABLE):
        message = (
            f"data.updates: the answers of {len(new)} new rows do not go with their questions "
            f"(informedness {after:.2f}; of as many old rows {before:.2f}): they look shuffled, "
            "late or joined with the wrong rows. Whoever provides the answers must mend them; "
            "nothing is trained on them."
        )
        raise DataError("LabelsUnpredictable", message)


def fitness(rows: Sequence[AnswerRow]) -> tuple[float, float]:
    """How well answers go with their questions, from 0 (as any other would) to 1; its error."""
    asked = _vectors([row.text[-_CHARACTERS:] for row in rows])
    answered = _vectors([row.label[:_CHARACTERS] for row in rows])
    both = _vectors(
        [*(r.text[-_CHARACTERS:] for r in rows), *(r.label[:_CHARACTERS] for r in rows)]
    )
    n = len(rows)
    alike = np.asarray((answered @ answered.T).todense())
    near = np.asarray((asked @ asked.T).todense())
    np.fill_diagonal(near, -1.0)
    neighbours = np.argsort(-near, axis=1, kind="stable")[:, :NEIGHBOURS]
    # (n, n): how much the answer of each column is like those of the row's neighbours.
    by_neighbours = alike[neighbours].mean(axis=1)
    by_question = np.asarray((both[:n] @ both[n:].T).todense())
    return max(_beyond_chance(by_neighbours), _beyond_chance(by_question))


def _beyond_chance(likeness: NDArray[np.float64]) -> tuple[float, float]:
    """How often its own answer is likelier than another one, as twice the area less one."""
    own = np.diagonal(likeness)[:, None]
    others = ~np.eye(len(likeness), dtype=bool)
    wins = ((likeness < own) + 0.5 * (likeness == own))[others].reshape(len(likeness), -1)
    share = wins.mean(axis=1)
    return 2.0 * float(share.mean()) - 1.0, 2.0 * float(share.std() / np.sqrt(len(share)))


def _vectors(texts: Sequence[str]) -> Any:
    """By their trigrams of characters, whatever the language; texts without any are nothing."""
    made = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3), sublinear_tf=True)
    try:
        return made.fit_transform(texts)
    except ValueError:  # no text has a trigram
        return TfidfVectorizer(analyzer="char").fit_transform([f"{text} ." for text in texts])


def _few(rows: Sequence[AnswerRow], most: int) -> list[AnswerRow]:
    chosen = np.random.default_rng(SEED).permutation(len(rows))[:most]
    return [rows[number] for number in chosen]


def _refuse_echoes(old: Sequence[AnswerRow], new: Sequence[AnswerRow]) -> None:
    """Answers that repeat their questions go with them better than any other."""
    before, now = _echoing(old), _echoing(new)
    if now > MOST_ECHOES and now > TIMES_AS_BEFORE * before:
        message = (
            f"data.updates: {now:.0%} of {len(new)} new answers repeat their question word by word "
            f"(of old ones {before:.0%}): they look taken from the wrong column. Whoever provides "
            "the answers must mend them; nothing is trained on them."
        )
        raise DataError("LabelsUnpredictable", message)


def _echoing(rows: Sequence[AnswerRow]) -> float:
    """The share of answers that are the last message before them, or the prompt."""
    asked = (row.asked[-1].content if row.asked else row.prompt for row in rows)
    pairs = zip(asked, rows, strict=True)
    return sum(text.split() == row.label.split() for text, row in pairs) / len(rows)


def _varied(old: Sequence[AnswerRow], new: Sequence[AnswerRow]) -> None:
    answers = {row.label for row in new}
    if len(answers) > 1:
        return
    answer = next(iter(answers))
    share = sum(row.label == answer for row in old) / len(old)
    if share ** len(new) < CHANCE:
        message = (
            f"data.updates: all {len(new)} new rows are answered {answer[:60]!r}; of old rows "
            f"{share:.0%} are. Whoever provides the answers must mend them."
        )
        raise DataError("LabelsConstant", message)
