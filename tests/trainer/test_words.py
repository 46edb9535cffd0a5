"""Words of scripts with and without blanks, and what a change of tokens a word says of them."""

import random
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import BertConfig, BertModel

from maintenance_trainer.data.folders import Origin
from maintenance_trainer.tasks import text_classification, words
from maintenance_trainer.tasks.language import form
from maintenance_trainer.tasks.language.encoding import Encoded
from maintenance_trainer.tasks.language.rows import AnswerRow

CONFIG = BertConfig(
    vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
)
CHANCE = random.Random(1)  # noqa: S311  # made texts
HAN = "".join(chr(0x4E00 + number) for number in range(500))
ENGLISH = ["shares", "of", "the", "three", "largest", "banks", "fell", "on", "monday"]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Shares fell - on  Monday; 3 %.", 7),
        ("Kurse fielen", 2),
        ("주가가 월요일에 떨어졌다", 3),
        ("أسهم البنوك", 2),
        ("", 0),
        ("股价下跌。", 4),
        ("買了iPhone 15、很好", 6),
        ("カタカナとひらがな", 9),
        ("ราคาหุ้น", 6),
        ("ຮຸ້ນ", 2),
        ("ភាគហ៊ុន", 4),
        ("စျေး", 1),
        ("བོད་ཡིག", 4),
    ],
)
def test_each_letter_of_a_script_without_blanks_is_a_word(text: str, expected: int) -> None:
    assert words.count([text, text]).all == 2 * expected


def test_scripts_with_blanks_are_counted_as_ever() -> None:
    text = "Ça va -- 3 % ? Да: 'ok' ... שלום नमस्ते"
    found = words.count([text])
    assert found.all == found.parted == len(text.split())


class Letters:
    """A tokenizer: each letter is a token, and each English word two."""

    unk_token_id = None
    model_max_length = 10**6

    def __call__(self, texts: list[str], **_: Any) -> dict[str, list[list[int]]]:
        return {"input_ids": [[0] * (2 * len(t.split()) if t.isascii() else len(t)) for t in texts]}

    def num_special_tokens_to_add(self) -> int:
        return 2


def chinese(n: int, least: int, most: int) -> list[str]:
    return ["".join(CHANCE.choices(HAN, k=CHANCE.randint(least, most))) for _ in range(n)]


def english(n: int) -> list[str]:
    return [" ".join(CHANCE.choices(ENGLISH, k=12)) for _ in range(n)]


def of_texts(old: list[str], new: list[str]) -> float:
    model = BertModel(CONFIG)
    its: Any = SimpleNamespace(model=model, processor=Letters())
    counts = (text_classification.count_tokens(its, texts) for texts in (old, new))
    return effect(text_classification.measures(*counts))


def of_questions(old: list[str], new: list[str]) -> float:
    rows = [[asked(text) for text in texts] for texts in (old, new)]
    encoded = [[Encoded([], 0) for _ in texts] for texts in (old, new)]
    return effect(form.measures(Letters(), rows[0], rows[1], (encoded[0], encoded[1])))


def asked(text: str) -> AnswerRow:
    return AnswerRow(label="", key=text, origin=Origin.ORIGINAL, new=False, prompt=text)


def effect(measures: list[Any]) -> float:
    return next(float(each.effect) for each in measures if each.name == "subwordsPerWord")


@pytest.mark.parametrize("measure", [of_texts, of_questions])
def test_longer_texts_without_blanks_are_no_other_script(measure: Any) -> None:
    assert measure(chinese(300, 20, 40), chinese(300, 35, 70)) == pytest.approx(1)
    assert measure(chinese(300, 35, 70), chinese(300, 10, 20)) == pytest.approx(1)


@pytest.mark.parametrize("measure", [of_texts, of_questions])
def test_another_script_is_still_seen(measure: Any) -> None:
    assert measure(english(50), chinese(50, 20, 40)) > 2
    assert measure(english(50), english(50)) == 1
