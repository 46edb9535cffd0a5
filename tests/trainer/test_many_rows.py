"""Time that grows with the rows or the classes, and not with their square."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import numpy as np

from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.labels import Spelling, hints
from maintenance_trainer.data.rows import Row
from maintenance_trainer.design_effect import Strata
from maintenance_trainer.diagnose.feature_space import new_labels
from maintenance_trainer.diagnose.numbers import Again
from maintenance_trainer.recipes.contradicted import contradicted
from maintenance_trainer.recipes.fine_tune import replay

CLASSES: Final = 9_000


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Of the processor: a busy machine lets fewer of them pass."""
    started = time.process_time()
    yield
    assert time.process_time() - started < seconds


def _row(number: int, label: str, *, new: bool = False) -> Row:
    return Row(label=label, key=f"{number:064x}", origin=Origin.ORIGINAL, new=new)


def _classes(count: int, *, new: bool = False) -> list[Row]:
    return [_row(n, f"class number {n % CLASSES}", new=new) for n in range(count)]


def test_old_rows_are_compared_with_new_ones_in_time() -> None:
    chance = np.random.default_rng(0)
    labels = [f"a class with a long name, {n % 2}" for n in range(60_000)]
    old = [_row(n, label) for n, label in enumerate(labels)]
    new = [_row(len(old) + n, labels[n], new=True) for n in range(100)]
    x = chance.normal(size=(len(old), 2)).astype(np.float32)

    with _within(15.0):
        assert len(contradicted(old, new, x, x[: len(new)])) == len(old)


def test_rows_of_thousands_of_classes_are_replayed_in_time() -> None:
    often = [_row(CLASSES + n, "often") for n in range(2 * CLASSES)]

    with _within(5.0):
        kept = Counter(row.label for row in replay([*_classes(CLASSES), *often], 2 * CLASSES))

    assert kept["often"] == sum(kept.values()) - CLASSES == CLASSES


def test_labels_new_to_a_champion_of_thousands_are_found_in_time() -> None:
    known = tuple(f"known {n}" for n in range(CLASSES))

    with _within(5.0):
        assert len(new_labels(_classes(3 * CLASSES, new=True), known)) == CLASSES
        assert hints([Spelling(f"the class {n}", "here") for n in range(CLASSES)], known) == ()


def test_numbers_of_one_input_are_compared_in_time() -> None:
    old = [_row(0, str(n % 7)) for n in range(20_000)]

    with _within(5.0):
        changes = Again.of(old, [replace(row, new=True) for row in old]).changes

    assert len(changes) == len(old)
    assert abs(float(changes.mean())) < 1e-9


def test_units_of_thousands_of_classes_are_weighed_in_time() -> None:
    strata = Strata([f"class number {n % CLASSES}" for n in range(12 * CLASSES)])
    units = np.arange(12 * CLASSES) // 2

    with _within(5.0):
        apart, split = strata.split(np.arange(12 * CLASSES) / CLASSES, units)

    assert abs(float(apart.sum())) < 1e-6
    assert (split == units).all()
