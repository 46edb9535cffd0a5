"""Questions and answers in files: what is read, and what is refused with its place."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.laboratory import write_parquet

from maintenance_contract import Columns, Task, columns_of
from maintenance_trainer.cli import local
from maintenance_trainer.data.folders import Named, Origin
from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.data.sources import SourceFile
from maintenance_trainer.errors import ConfigurationError, DataError
from maintenance_trainer.tasks.language.files import SOURCE
from maintenance_trainer.tasks.language.rows import AnswerRow

QUESTION = {"role": "user", "content": "What is the fee?"}
ANSWER = {"role": "assistant", "content": "Two euros."}
RULE = {"role": "system", "content": "Be short."}
PROMPTS = columns_of(Task.CAUSAL_LM, prompt="q", completion="a")


def read(path: Path, columns: Columns | None = None) -> tuple[list[AnswerRow], tuple[str, ...]]:
    remarks = Remarks()
    source = SourceFile(
        path=path,
        file=Named(Origin.ORIGINAL, path.name),
        digest="sha256:1",
        columns=columns or columns_of(Task.CAUSAL_LM),
        new=False,
        known=False,
        remarks=remarks,
    )
    return [found.row for found in SOURCE.read(source)], remarks.sentences


def lines(path: Path, *records: Any) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def test_the_last_message_is_the_answer(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"messages": [RULE, QUESTION, ANSWER, QUESTION, ANSWER]})
    (row,), said = read(path)
    assert (row.label, [turn.role.value for turn in row.asked], said) == (
        "Two euros.",
        ["system", "user", "assistant", "user"],
        (),
    )
    assert (row.stratum, row.unit) == ("", row.key)


def test_messages_are_read_from_parquet_as_lists_of_objects(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_parquet(path, {"messages": [[QUESTION, ANSWER], [RULE, QUESTION, ANSWER]]})
    rows, _ = read(path)
    assert [len(row.asked) for row in rows] == [1, 2]
    assert rows[0].key != rows[1].key


def test_a_header_that_comes_again_is_no_conversation(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("q,a,n\nWhat?,a,1\nq,a,n\nWhy?,So.,2\n")
    rows, said = read(path, PROMPTS)
    assert [(row.prompt, row.label) for row in rows] == [("What?", "a"), ("Why?", "So.")]
    assert said == ("original/a.csv, line 3: the header again, left out; were files joined?.",)
    path.write_text("q,a,n\nWhat?,a,1\nq,a,id\nWhy?,So.,2\n")
    with pytest.raises(DataError, match=r"original/a\.csv, line 3: a second header with other col"):
        read(path, PROMPTS)


def test_prompts_are_read_from_csv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('q,a\n"Fee?\nNow","It is\n2"\n', encoding="utf-8")
    (row,), _ = read(path, PROMPTS)
    assert (row.prompt, row.label, row.asked) == ("Fee?\nNow", "It is\n2", ())


def test_a_question_is_the_same_however_it_is_spelled(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"q": "The FEE?", "a": "1"}, {"q": "the  fee?", "a": "2"})
    one, two = read(path, PROMPTS)[0]
    assert (one.key, one.label) == (two.key, "1")


def test_rows_of_one_group_are_held_out_together(tmp_path: Path) -> None:
    columns = columns_of(Task.CAUSAL_LM, prompt="q", completion="a", group="user")
    path = lines(
        tmp_path / "a.jsonl",
        {"q": "The fee?", "a": "1", "user": 7},
        {"q": "The rate?", "a": "2", "user": 7},
    )
    one, two = read(path, columns)[0]
    assert one.key != two.key
    assert one.unit == two.unit


def test_what_is_not_read_is_told(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"messages": [{**QUESTION, "name": "Ann"}, ANSWER]})
    _, (said,) = read(path)
    assert "messages with name, which is not read" in said
    assert "a.jsonl, line 1, column 'messages', message 1" in said


def test_names_that_are_told_steer_no_terminal(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"messages": [{**QUESTION, "\x1b[31m": "x"}, ANSWER]})
    _, (said,) = read(path)
    assert "messages with ?[31m, which is not read" in said


@pytest.mark.parametrize(
    "columns, said",
    [
        ({"prompt": "q"}, "--column completion=…: prompt and completion belong together"),
        ({"prompt": "q", "completion": "q"}, "prompt and completion name the same column"),
        ({"messages": "m", "prompt": "q"}, "a row is a list of messages, or a prompt with"),
    ],
)
def test_columns_by_hand_must_be_clear(tmp_path: Path, columns: dict[str, str], said: str) -> None:
    original, updates = tmp_path / "original", tmp_path / "updates"
    for folder in (original, updates):
        folder.mkdir()
    folders = local.Folders(original, updates, tmp_path, tmp_path / "s", "CausalLM", columns)
    with pytest.raises(ConfigurationError) as error:
        folders.spec()
    assert said in error.value.message


PLACE = "original/a.jsonl, line 2, column 'messages'"


@pytest.mark.parametrize(
    "messages, reason, said",
    [
        ([QUESTION], "LabelMissing", f"{PLACE}: the last message is of the user, so there is no a"),
        ([], "LabelMissing", f"{PLACE}: there is no message"),
        ([ANSWER], "DataUnreadable", f"{PLACE}: no message is of the user"),
        (
            [RULE, RULE, QUESTION, ANSWER],
            "DataUnreadable",
            f"{PLACE}: messages 1 and 2 are both of the system; write one, as the first message",
        ),
        ([QUESTION, RULE, ANSWER], "DataUnreadable", f"{PLACE}: message 2 is of the system"),
        (
            [{"role": "human", "content": "Fee?"}, ANSWER],
            "DataUnreadable",
            f"{PLACE}, message 1: the role 'human' is not known; write user.",
        ),
        (
            [{"role": "pirate", "content": "Fee?"}, ANSWER],
            "DataUnreadable",
            f"{PLACE}, message 1: the role 'pirate' is not known; write one of system, user, a",
        ),
        ([{"content": "Fee?"}, ANSWER], "DataUnreadable", f"{PLACE}, message 1: there is no role"),
        (
            [{"from": "human", "value": "Fee?"}, ANSWER],
            "DataUnreadable",
            f"{PLACE}, message 1: there is no role",
        ),
        (
            [QUESTION, {"role": "assistant", "content": " \u200b"}],
            "DataUnreadable",
            f"{PLACE}, message 2, content: the text is empty",
        ),
        (
            [QUESTION, {"role": "assistant", "content": None}],
            "DataUnreadable",
            f"{PLACE}, message 2, content: the text is missing",
        ),
        (
            [QUESTION, {"role": "assistant", "content": 2}],
            "DataUnreadable",
            f"{PLACE}, message 2, content: a text is expected, not a number ('2')",
        ),
        (
            [{"role": "user", "content": [{"type": "image_url"}]}, ANSWER],
            "DataUnreadable",
            f"{PLACE}, message 1, content: a text is expected, not a list: parts, pictures",
        ),
        (
            [QUESTION, {"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]}],
            "DataUnreadable",
            f"{PLACE}, message 2: it has tool_calls, and calls of tools are not learnt",
        ),
        (
            json.dumps([QUESTION, ANSWER]),
            "DataUnreadable",
            f"{PLACE}: a list of messages is expected, not a text; write JSON lines or Parquet",
        ),
        (["Fee?", "Two."], "DataUnreadable", f"{PLACE}, message 1: an object with role and conten"),
        (None, "DataUnreadable", f"{PLACE}: a list of messages is expected, the value is missing"),
        ({"role": "user"}, "DataUnreadable", f"{PLACE}: a list of messages is expected, not an ob"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused_with_its_place(
    tmp_path: Path, messages: Any, reason: str, said: str
) -> None:
    path = lines(tmp_path / "a.jsonl", {"messages": [QUESTION, ANSWER]}, {"messages": messages})
    with pytest.raises(DataError) as error:
        read(path)
    assert error.value.reason == reason
    assert error.value.message.startswith(said)


@pytest.mark.parametrize(
    "record, reason, said",
    [
        ({"q": "Fee?", "a": ""}, "LabelMissing", "column 'a': the text is empty ('')"),
        ({"q": "Fee?", "a": None}, "LabelMissing", "column 'a': the text is missing"),
        ({"q": " ", "a": "2"}, "DataUnreadable", "column 'q': the text is empty (' ')"),
        ({"q": ["Fee?"], "a": "2"}, "DataUnreadable", "column 'q': a text is expected, not a list"),
        ({"q": "Fee?", "a": float("nan")}, "DataUnreadable", "column 'a': a text is expected, no"),
        ({"q": "Fee?", "answer": "2"}, "ColumnMissing", "there is no column 'a'"),
    ],
)
def test_a_prompt_without_a_completion_is_refused(
    tmp_path: Path, record: Any, reason: str, said: str
) -> None:
    with pytest.raises(DataError) as error:
        read(lines(tmp_path / "a.jsonl", record), PROMPTS)
    assert error.value.reason == reason
    assert f"original/a.jsonl, line 1{':' if reason == 'ColumnMissing' else ','} {said}" in str(
        error.value.message
    )


def test_half_a_character_is_read_and_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"q": "Fee \\ud83d?", "a": "2"}\n', encoding="utf-8")
    (row,), (said,) = read(path, PROMPTS)
    assert row.prompt == "Fee \ufffd?"
    assert "lone surrogate" in said


@pytest.mark.parametrize(
    "named, columns",
    [
        ({}, {"messages": "messages"}),
        ({"messages": "chat"}, {"messages": "chat"}),
        ({"prompt": "q", "completion": "a"}, {"prompt": "q", "completion": "a"}),
        ({"group": "user"}, {"messages": "messages", "group": "user"}),
    ],
)
def test_messages_are_the_default_where_no_prompt_is_named(
    named: dict[str, str], columns: dict[str, str]
) -> None:
    assert columns_of(Task.CAUSAL_LM, **named).names == columns
