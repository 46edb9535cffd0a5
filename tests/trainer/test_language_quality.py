"""Answers that do not go with their questions are told from those that do."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from support.language import NEW_SUBJECTS, Bank, conversations, with_system

from maintenance_trainer.data.folders import Origin
from maintenance_trainer.diagnose.numbers import Again
from maintenance_trainer.errors import DataError
from maintenance_trainer.recipes.contradicted import contradicted
from maintenance_trainer.tasks.language.quality import check, fitness
from maintenance_trainer.tasks.language.rows import AnswerRow, Role, Turn, conversation


def rows(records: Sequence[dict[str, Any]], answers: Sequence[str] = ()) -> list[AnswerRow]:
    turns = [[Turn(Role(m["role"]), m["content"]) for m in r["messages"]] for r in records]
    answers = answers or [its[-1].content for its in turns]
    return [
        conversation(its[:-1], answer, Origin.UPDATES, new=True)
        for its, answer in zip(turns, answers, strict=True)
    ]


def shuffled(records: Sequence[dict[str, Any]]) -> list[AnswerRow]:
    answers = [record["messages"][-1]["content"] for record in records]
    random.Random(1).shuffle(answers)  # noqa: S311  # no secret
    return rows(records, answers)


OLD = rows(conversations(1, 300))


@pytest.mark.parametrize(
    "new",
    [
        rows(conversations(2, 200)),
        rows(conversations(2, 200, Bank(NEW_SUBJECTS))),
        rows(conversations(2, 200, Bank(shift=1))),
        rows(conversations(2, 200, change=with_system)),
    ],
    ids=["nothing new", "new subjects", "other facts", "another form"],
)
def test_what_changes_in_a_world_is_no_broken_answer(new: list[AnswerRow]) -> None:
    check(OLD, new)
    assert fitness(new)[0] > 0.7


def test_shuffled_answers_are_refused() -> None:
    with pytest.raises(DataError, match="they look shuffled, late or joined") as error:
        check(OLD, shuffled(conversations(2, 200)))
    assert error.value.reason == "LabelsUnpredictable"
    assert error.value.message.startswith("data.updates: the answers of 200 new rows do not go")


def test_one_answer_to_everything_is_refused() -> None:
    records = conversations(2, 200)
    with pytest.raises(DataError, match="all 200 new rows are answered") as error:
        check(OLD, rows(records, ["Please call us."] * 200))
    assert error.value.reason == "LabelsConstant"


def test_answers_that_repeat_their_questions_are_refused() -> None:
    records = conversations(2, 200)
    echoes = rows(records, [record["messages"][-2]["content"] for record in records])
    with pytest.raises(DataError, match="100% of 200 new answers repeat their question") as error:
        check(OLD, echoes)
    assert error.value.reason == "LabelsUnpredictable"
    check(echoes, echoes)


def test_where_old_answers_do_not_go_with_their_questions_new_ones_need_not() -> None:
    check(shuffled(conversations(1, 300)), shuffled(conversations(2, 200)))


def test_answers_in_digits_are_texts() -> None:
    """Another answer to the same question is no other number, and refutes no old row."""
    records = conversations(1, 60)
    old, new = rows(records, ["12"] * 60), rows(records, ["1200"] * 60)
    assert not len(Again.of(old, new).changes)
    embeddings = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    assert not contradicted(old, new, embeddings, embeddings).any()


def test_texts_without_a_letter_have_no_likeness() -> None:
    records = [
        {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]}
    ]
    assert fitness(rows(records * 50))[0] == pytest.approx(0.0)
