"""A bank's chatbot of which all facts are known, and what can happen to it.

Customers ask for the fee, limit, delay or rate of ten subjects; facts differ by seed. The base
model is a tiny Llama that has read how one speaks there, and no fact.
"""

import functools
import importlib
import random
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

TESTS: Final = Path(__file__).resolve().parents[2] / "tests"
CHANGES: Final = (
    "none",
    "benign-shift",
    "new-terms",
    "new-format",
    "concept",
    "labels-shuffled",
)
OFTEN: Final = 3
"""Subjects that most ask for after a benign shift."""


@functools.cache
def bank() -> Any:
    """The tests' bank; it imports torch, which other kinds do without."""
    sys.path.append(str(TESTS))
    return importlib.import_module("support.language")


@functools.cache
def base() -> Path:
    """The base model, made once a process."""
    folder = Path(tempfile.mkdtemp(prefix="base-"))
    made: Path = bank().let_read(bank().base_model(folder))
    return made


@dataclass(frozen=True)
class World:
    """What can happen to a chatbot."""

    changes: tuple[str, ...] = CHANGES
    tested: int = 400

    @property
    def arguments(self) -> dict[str, Any]:
        """A tiny model learns nothing at the steps of a large one."""
        return {**bank().QUICK, "num_train_epochs": 5}

    @property
    def base(self) -> Path:
        """Where a retrain starts."""
        return base()

    def law(self, seed: int) -> "Law":
        """The facts of a seed."""
        return Law(seed)


@dataclass(frozen=True)
class Law:
    """What is true in one seed."""

    seed: int

    def draw(self, change: str, count: int, chance: Any) -> dict[str, list[Any]]:
        """So many rows after a change; ``none``: as they were before."""
        its, drawn = bank(), int(chance.integers(2**31))
        facts = 2 * self.seed + (change == "concept")
        subjects = its.SUBJECTS
        if change == "new-terms":
            subjects = its.SUBJECTS + its.NEW_SUBJECTS
        elif change == "benign-shift":
            subjects = its.SUBJECTS + 4 * its.SUBJECTS[:OFTEN]
        form = its.with_system if change == "new-format" else None
        records = its.conversations(drawn, count, its.Bank(subjects, shift=facts), form)
        messages = [record["messages"] for record in records]
        if change == "labels-shuffled":
            answers = [each[-1] for each in messages]
            random.Random(drawn).shuffle(answers)  # noqa: S311  # no secret
            messages = [
                [*each[:-1], answer] for each, answer in zip(messages, answers, strict=True)
            ]
        return {"messages": messages}
