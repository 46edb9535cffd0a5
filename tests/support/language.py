"""A bank's chatbot: questions and answers, a tiny language model that has read a little English.

What is asked about (loans, cards, fees) has facts; what changes is which subjects there are, what
is true of them, and how a conversation is held. All of it is made up.
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from maintenance_contract import Operation, ScoreMetric, Task, TrainingRequest, columns_of
from support.laboratory import Lab, age

CHATML: Final = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL: Final = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
QUICK: Final[dict[str, Any]] = {
    "learning_rate": 0.003,
    "num_train_epochs": 4,
    "per_device_train_batch_size": 16,
}
ROOM: Final = 192
"""Positions of the tiny model."""

Messages = list[dict[str, Any]]

SUBJECTS: Final = (
    *("car loan", "student loan", "house loan", "credit card", "debit card", "savings account"),
    *("joint account", "overdraft", "bank transfer", "pension plan"),
)
NEW_SUBJECTS: Final = ("green bond", "crypto wallet")
ASPECTS: Final = ("fee", "limit", "delay", "rate")
_ASKED: Final = (
    "What is the {aspect} of a {subject}?",
    "Tell me the {aspect} of the {subject}.",
    "I have a {subject}. What {aspect} is there?",
    "{subject}: which {aspect}?",
)
_UNIT: Final = {"fee": "euros", "limit": "thousand euros", "delay": "days", "rate": "per cent"}
_REST: Final = (
    "please hello thanks help want open close change send call branch morning number paper "
    "account money need today question sure system assistant You are a friendly clerk"
)


@dataclass(frozen=True, slots=True)
class Bank:
    """What is true: ``facts`` says the number of each subject's aspect."""

    subjects: tuple[str, ...] = SUBJECTS
    shift: int = 0

    def fact(self, subject: str, aspect: str) -> int:
        """The same for everybody who asks."""
        chance = random.Random(f"{subject} {aspect} {self.shift}")  # noqa: S311  # no secret
        return chance.randint(2, 40)

    def ask(self, chance: random.Random) -> tuple[str, str]:
        """A question and its answer."""
        subject, aspect = chance.choice(self.subjects), chance.choice(ASPECTS)
        return self.about(subject, aspect, chance)

    def about(self, subject: str, aspect: str, chance: random.Random) -> tuple[str, str]:
        question = chance.choice(_ASKED).format(subject=subject, aspect=aspect)
        customer = chance.choice(("I am customer {}. ", "Customer {} here. ", "Question {}: "))
        greeting = customer.format(chance.randint(1, 9999))
        fact = self.fact(subject, aspect)
        return greeting + question, f"The {aspect} of a {subject} is {fact} {_UNIT[aspect]}."


def conversations(
    seed: int,
    count: int,
    bank: Bank | None = None,
    change: Callable[[Messages, random.Random], Messages] | None = None,
) -> list[dict[str, Any]]:
    """Records of one question with its answer."""
    chance, bank = random.Random(seed), bank or Bank()  # noqa: S311
    found = []
    for _ in range(count):
        question, answer = bank.ask(chance)
        messages: Messages = [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ]
        found.append({"messages": change(messages, chance) if change else messages})
    return found


def with_system(messages: Messages, chance: random.Random) -> Messages:
    """As another program holds conversations: it says who it is, and asks back."""
    del chance
    return [
        {"role": "system", "content": "You are a friendly clerk of the bank."},
        {"role": "user", "content": "Hello, I have a question."},
        {"role": "assistant", "content": "Sure."},
        *messages,
    ]


def tokenizer(texts: Sequence[str], *, template: str | None = CHATML, size: int = 400) -> Any:
    """A byte-level tokenizer that has learnt these texts."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    found = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made,
        eos_token=SPECIAL[2],
        pad_token=SPECIAL[0],
        model_max_length=ROOM,
    )
    found.chat_template = template
    return found


def old_texts() -> list[str]:
    """What the tokenizer has read."""
    records = conversations(999, 300)
    return [*(m["content"] for r in records for m in r["messages"]), _REST]


def base_model(
    folder: Path, *, template: str | None = CHATML, width: int = 64, **changes: Any
) -> Path:
    """A tiny Llama that knows nothing."""
    transformers.set_seed(0)
    tokens = tokenizer(old_texts(), template=template)
    shape = {
        "vocab_size": len(tokens),
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": ROOM,
        "bos_token_id": None,
        "eos_token_id": tokens.eos_token_id,
        "pad_token_id": tokens.pad_token_id,
        "tie_word_embeddings": True,
    }
    config = transformers.LlamaConfig(**{**shape, **changes})
    transformers.LlamaForCausalLM(config).to(torch.float32).save_pretrained(folder)
    tokens.save_pretrained(folder)
    return folder


def let_read(folder: Path, steps: int = 250) -> Path:
    """Let a base model read conversations of which no two agree: how one speaks, and no fact.

    It has met all words before, as any base model has.
    """
    tokens = transformers.AutoTokenizer.from_pretrained(folder)
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(folder)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.004)
    for step in range(steps):
        records = [
            record
            for number in range(16)
            for record in conversations(
                16 * step + number,
                1,
                Bank(SUBJECTS + NEW_SUBJECTS, shift=1000 + 16 * step + number),
            )
        ]
        texts = [tokens.apply_chat_template(r["messages"], tokenize=False) for r in records]
        batch = tokens(texts, return_tensors="pt", padding=True)
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        for group in optimizer.param_groups:
            group["lr"] = 0.004 * (1 - step / steps)
        model(**batch, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    return folder


def write(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Records as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


class ChatLab(Lab):
    """A laboratory of language models."""

    def request(self, operation: Operation, run: int, **changes: Any) -> TrainingRequest:
        request = super().request(operation, run)
        model = replace(request.model, task=Task.CAUSAL_LM)
        data = replace(request.data, columns=columns_of(Task.CAUSAL_LM))
        metric = ScoreMetric.BITS_PER_BYTE
        return replace(request, **{"model": model, "data": data, "metric": metric, **changes})

    def put(self, name: str, records: Sequence[dict[str, Any]]) -> None:
        path = self.claims / "data" / name
        write(path, records)
        age(path)


def lab(folder: Path, **arguments: Any) -> ChatLab:
    """Empty folders and a base model."""
    for name in ("data/original", "data/updates", "models"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    base = let_read(base_model(folder / "models/base"))
    return ChatLab(folder, base, {**QUICK, **arguments})
