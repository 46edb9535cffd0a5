"""What a recipe trains on: the replayed sample, and the old rows that new labels refute."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintenance_contract import PairedCounts
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.rows import Row
from maintenance_trainer.evaluate import majority_class, paired_counts
from maintenance_trainer.recipes.contradicted import contradicted
from maintenance_trainer.recipes.fine_tune import replay
from maintenance_trainer.recipes.retrain import repeated
from maintenance_trainer.tasks.texts import make_row


def rows(labels: list[str], *, new: bool = False, prefix: str = "t") -> list[Row]:
    return [
        make_row(f"{prefix}{n}", label, Origin.ORIGINAL, new=new) for n, label in enumerate(labels)
    ]


@pytest.mark.slow
@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=120), st.integers(0, 150))
def test_replay_is_a_stratified_sample_without_repeats(labels: list[str], count: int) -> None:
    old = rows(labels)
    sample = replay(old, count)
    assert len(sample) == len(set(sample)) == min(count, len(old))
    assert sample == replay(old, count)
    have, got = Counter(labels), Counter(row.label for row in sample)
    for label, its in have.items():
        assert abs(got[label] - min(count, len(old)) * its / len(old)) < 1


@pytest.mark.slow
@given(
    st.lists(st.sampled_from("ab"), max_size=40),
    st.integers(0, 500),
    st.integers(min_value=0, max_value=99),
)
def test_new_rows_are_seen_as_often_as_asked_and_no_row_is_lost(
    labels: list[str], old: int, percent: int
) -> None:
    new = rows(labels)
    seen = repeated(new, old, percent)
    assert set(seen) == set(new)
    if new:
        assert len(seen) * 100 >= percent * (len(seen) + old)
        times = Counter(seen)
        assert max(times.values()) - min(times.values()) <= 1
    if percent == 0:
        assert seen == new


def cloud(chance: np.random.Generator, centre: float, count: int) -> np.ndarray:
    return (chance.normal(size=(count, 6)) * 0.5 + np.eye(6)[int(centre)] * 4).astype(np.float32)


def test_refuted_rows_go_and_rows_elsewhere_stay() -> None:
    chance = np.random.default_rng(0)
    # Old: a, b, c each in a cloud. New: the cloud of a is called b now, b as before, c never seen.
    old = rows(["a"] * 100 + ["b"] * 100 + ["c"] * 100)
    old_x = np.concatenate([cloud(chance, n, 100) for n in range(3)])
    new = rows(["b"] * 60 + ["b"] * 60 + ["d"] * 60, new=True, prefix="n")
    new_x = np.concatenate([cloud(chance, n, 60) for n in (0, 1, 3)])
    flags = contradicted(old, new, old_x, new_x)
    assert flags[:100].mean() > 0.8
    assert flags[100:200].mean() < 0.05
    assert flags[200:].mean() < 0.05


@pytest.mark.slow
def test_half_of_the_space_with_the_labels_swapped_is_refuted_and_the_rest_stays() -> None:
    """Labels follow the second column; where the first is high they mean the opposite."""
    chance = np.random.default_rng(4)

    def drawn(count: int, swapped: bool) -> tuple[np.ndarray, list[str]]:  # noqa: FBT001
        x = chance.normal(size=(count, 3)).astype(np.float32)
        yes = chance.random(count) < 1 / (1 + np.exp(-3 * x[:, 1]))
        return x, ["yes" if y else "no" for y in np.where(swapped & (x[:, 0] > 0), ~yes, yes)]

    old_x, old = drawn(1500, swapped=False)
    new_x, new = drawn(500, swapped=True)
    flags = contradicted(rows(old), rows(new, new=True, prefix="n"), old_x, new_x)
    strange = (old_x[:, 0] > 0.5) & (np.abs(old_x[:, 1]) > 1)
    assert flags[strange].mean() > 0.6
    assert flags[old_x[:, 0] < -0.5].mean() < 0.05


def test_the_same_text_with_another_label_is_refuted() -> None:
    old, new = rows(["a"] * 10), rows(["b"] * 5 + ["a"] * 5, new=True)
    x = np.zeros((10, 3), np.float32)
    assert contradicted(old, new, x, x).tolist() == [True] * 5 + [False] * 5


@pytest.mark.slow
def test_noise_refutes_nothing() -> None:
    chance = np.random.default_rng(1)
    labels = [str(label) for label in chance.choice(["a", "b"], 300)]
    x = chance.normal(size=(300, 6)).astype(np.float32)
    flags = contradicted(rows(labels), rows(labels[::-1], new=True, prefix="n"), x, x[::-1])
    assert flags.mean() < 0.05


def test_counts_are_paired() -> None:
    champion, challenger = np.array([0.0, 1, 0, 1]), np.array([0.0, 0, 1, 0])
    assert paired_counts(champion, challenger) == PairedCounts(4, 1, 1, 2)
    assert paired_counts(champion[:0], challenger[:0]) is None
    assert majority_class(rows(["b", "a", "b", "a", "c"])) == "a"
