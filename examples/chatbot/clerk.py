"""A bank that does not exist, and what its customers ask: synthetic and seeded.

python clerk.py FOLDER writes the conversations, and what a base model has read before.

- known: fees, limits and rates of six subjects, as in the original conversations.
- terms: a quarter of the questions are about subjects that are new: green bonds, crypto wallets.
- form: the chat moves into an app, whose program speaks first, and customers write keywords.
- season: most ask about three subjects. Nothing is different about these, so nothing may be done.
"""

import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SEED: Final = 31
ORIGINAL_ROWS: Final = 900
SERVED_ROWS: Final = 480
LABELLED_ROWS: Final = 480
READ_ROWS: Final = 3200
NEW_SHARE: Final = 0.25
SUBJECTS: Final = (
    *("car loan", "house loan", "credit card"),
    *("savings account", "bank transfer", "pension plan"),
)
NEW_SUBJECTS: Final = ("green bond", "crypto wallet")
IN_SEASON: Final = SUBJECTS[:3]
UNITS: Final = {"fee": "euros", "limit": "thousand euros", "rate": "per cent"}
ASKED: Final = (
    "What is the {aspect} of a {subject}?",
    "Tell me the {aspect} of a {subject}.",
    "I have a {subject}. Which {aspect} is there?",
)
IN_THE_APP: Final = "{subject}, {aspect}?"
Messages = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Bank:
    """What is true there; banks of two numbers agree in nothing."""

    number: int

    def answer(self, subject: str, aspect: str) -> str:
        """The right one, whoever asks."""
        fact = random.Random(f"{self.number} {subject} {aspect}").randint(2, 40)  # noqa: S311
        return f"The {aspect} of a {subject} is {fact} {UNITS[aspect]}."


class Clerk:
    """Draws conversations; two clerks of one seed draw the same."""

    def __init__(self, seed: int = SEED) -> None:
        self._random = random.Random(seed)  # noqa: S311  # a seeded sample, no secret

    def conversations(self, count: int, change: str, bank: Bank) -> list[Messages]:
        """So many questions with their answers, after a change."""
        return [self._one(change, bank) for _ in range(count)]

    def _one(self, change: str, bank: Bank) -> Messages:
        chance = self._random
        subject, aspect = self._subject(change), chance.choice(list(UNITS))
        in_app = change in {"form", "season"}
        question = (IN_THE_APP if in_app else chance.choice(ASKED)).format(
            aspect=aspect, subject=subject
        )
        customer = chance.randint(1, 99999)
        asked: Messages = (
            [
                {"role": "system", "content": f"You are the app. Customer {customer}."},
                {"role": "user", "content": question},
            ]
            if in_app
            else [{"role": "user", "content": f"Customer {customer}. {question}"}]
        )
        return [*asked, {"role": "assistant", "content": bank.answer(subject, aspect)}]

    def _subject(self, change: str) -> str:
        chance = self._random
        if change == "season" and chance.random() < 0.7:  # noqa: PLR2004
            return chance.choice(IN_SEASON)
        new = change != "known" and chance.random() < NEW_SHARE
        return chance.choice(NEW_SUBJECTS if new else SUBJECTS)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Traffic of one kind; ``labelled`` is empty where no answers arrive as an update."""

    name: str
    served: list[Messages]
    labelled: list[Messages]


@dataclass(frozen=True, slots=True)
class Conversations:
    """All rows of the demo; ``read`` is what the base model has read, and no two agree."""

    read: list[Messages]
    original: list[Messages]
    stretches: tuple[Stretch, ...]


def draw(seed: int = SEED) -> Conversations:
    """The demo's rows."""
    clerk, bank = Clerk(seed), Bank(seed)
    read = [
        clerk.conversations(1, "terms" if number % 2 else "known", Bank(seed + 1 + number))[0]
        for number in range(READ_ROWS)
    ]

    def stretch(name: str, *, labelled: bool) -> Stretch:
        served = clerk.conversations(SERVED_ROWS, name, bank)
        update = clerk.conversations(LABELLED_ROWS, name, bank) if labelled else []
        return Stretch(name, served, update)

    return Conversations(
        read,
        clerk.conversations(ORIGINAL_ROWS, "known", bank),
        (
            stretch("known", labelled=False),
            stretch("terms", labelled=True),
            stretch("form", labelled=True),
            stretch("season", labelled=False),
        ),
    )


def asked(messages: Messages) -> dict[str, Any]:
    """What a server is asked, and the right answer."""
    *before, answer = messages
    return {"messages": before, "label": answer["content"]}


def write(data: Conversations, folder: Path) -> None:
    """``read/``, ``original/`` and ``stretches/<name>/{served,labelled}.jsonl``."""
    _write_rows(folder / "read/conversations.jsonl", _rows(data.read))
    _write_rows(folder / "original/conversations.jsonl", _rows(data.original))
    for stretch in data.stretches:
        place = folder / f"stretches/{stretch.name}"
        _write_rows(place / "served.jsonl", [asked(each) for each in stretch.served])
        if stretch.labelled:
            _write_rows(place / "labelled.jsonl", _rows(stretch.labelled))


def _rows(conversations: Sequence[Messages]) -> list[dict[str, Any]]:
    return [{"messages": messages} for messages in conversations]


def _write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004
        sys.exit("usage: clerk.py FOLDER")
    write(draw(), Path(sys.argv[1]))
