"""Text classification with any Hugging Face encoder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoModelForSequenceClassification
from typing_extensions import override  # of torch; typing has it from Python 3.12 on

from maintenance_contract import Task, evidence_names
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.diagnose import thresholds as at
from maintenance_trainer.diagnose.answers import Measure
from maintenance_trainer.model_field import Given
from maintenance_trainer.tasks import tokens, words
from maintenance_trainer.tasks.huggingface.classification import Classification, Classifier
from maintenance_trainer.tasks.texts import SOURCE, TextRow, Texts, make_row
from maintenance_trainer.tasks.words import Words

_PROBE: Final = "Shares of the 3 largest banks fell on Monday; nobody knows why."
_WORDS: Final = "Shares of the 3 largest banks fell on Monday; nobody knows why. "


class TextClassification(Classification[TextRow]):
    """Texts and the class of each."""

    name: str = Task.TEXT_CLASSIFICATION
    auto = AutoModelForSequenceClassification
    classifier = "sequence classifier"
    inputs = "texts"
    taught = "classifier of texts"
    input = "a text"
    prepares = "tokenizer"

    @property
    @override
    def source(self) -> Texts:
        return SOURCE

    @override
    def processor(self, folder: Path) -> Any:
        return tokens.tokenizer(folder)

    @override
    def fit_together(self, model: Any, processor: Any, given: Given) -> None:
        self.refuse_strangers(model, processor, given)
        tokens.make_paddable(model, processor)

    @override
    def refuse_strangers(self, model: Any, processor: Any, given: Given) -> None:
        tokens.refuse_strangers(model, processor, given)

    @override
    def encode(self, classifier: Classifier, rows: Sequence[TextRow]) -> list[dict[str, Any]]:
        texts = [row.text for row in rows]
        return tokens.encode(classifier.model, classifier.processor, texts)

    @override
    def collator(self, classifier: Classifier) -> Any:
        return tokens.collator(classifier.model, classifier.processor)

    @override
    def pooled(self, output: Any, batch: Mapping[str, Any]) -> torch.Tensor:
        """The mean of the last hidden state over the text's tokens."""
        return tokens.pooled(output, batch["attention_mask"])

    @override
    def order(self, encoded: Sequence[dict[str, Any]]) -> list[int]:
        """Texts of one length share a batch."""
        return sorted(range(len(encoded)), key=lambda number: len(encoded[number]["input_ids"]))

    @override
    def rehearsed(self, classifier: Classifier, labels: Sequence[str]) -> dict[str, list[TextRow]]:
        tokenizer = classifier.processor
        end = tokenizer.eos_token or tokenizer.sep_token or ""
        long = _WORDS * (tokens.room(classifier.model, tokenizer) // 4 + 2)
        texts = (f"Shares fell. {end} Bonds.", "", long)
        rows = [
            make_row(text, labels[number % 2], Origin.ORIGINAL, new=False)
            for number, text in enumerate(texts)
        ]
        return {"texts of all lengths": rows, "an empty text": [rows[1]]}

    @override
    def probe(self) -> TextRow:
        return make_row(_PROBE, "", Origin.ORIGINAL, new=False)

    @override
    def files(self, model: Classifier) -> frozenset[str]:
        return frozenset(map(str, type(model.processor).vocab_files_names.values()))

    @override
    def input_changes(
        self, model: Classifier, old: Sequence[TextRow], new: Sequence[TextRow]
    ) -> list[Measure]:
        """The tokenizer's view of old and new texts."""
        return measures(*(count_tokens(model, [row.text for row in rows]) for rows in (old, new)))


TASK: Final = TextClassification()


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """The tokenizer's view of n texts, summed: tokens without special ones, before cutting."""

    texts: int
    empty: int
    words: Words
    tokens: int
    unknown: int
    cut: int


def count_tokens(classifier: Classifier, texts: Sequence[str]) -> TokenCounts:
    """How the model's tokenizer sees these texts."""
    tokenizer = classifier.processor
    ids = tokenizer(list(texts), add_special_tokens=False)["input_ids"] if texts else []
    most = tokens.room(classifier.model, tokenizer)
    room = most - tokenizer.num_special_tokens_to_add()
    unknown = tokenizer.unk_token_id
    return TokenCounts(
        texts=len(texts),
        empty=sum(not text.strip() for text in texts),
        words=words.count(texts),
        tokens=sum(map(len, ids)),
        unknown=0 if unknown is None else sum(row.count(unknown) for row in ids),
        cut=sum(len(row) > room for row in ids),
    )


def measures(before: TokenCounts, after: TokenCounts) -> list[Measure]:
    """What has changed between the tokenizer's view of old and of new texts."""
    n = after.texts
    counted = (
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
            _share(after.cut, n) - _share(before.cut, before.texts),
            at.TRUNCATED,
        ),
        (
            evidence_names.EMPTY_TEXTS,
            _share(after.empty, n) - _share(before.empty, before.texts),
            at.EMPTY,
        ),
    )
    return [Measure(name, effect, effect, bounds, None, n) for name, effect, bounds in counted]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
