"""What the joint tests see, and what they must not see, on small tables whose law is known."""

from dataclasses import replace

import numpy as np
import pytest

from maintenance_contract import Finding
from maintenance_core.decide.evidence import Cause, cause
from maintenance_trainer.data.split import Recurrence
from maintenance_trainer.diagnose import examine, prior, quality
from maintenance_trainer.diagnose.measured import Floats
from maintenance_trainer.diagnose.samples import Sample
from maintenance_trainer.errors import DataError

DIMENSIONS = 5
WEIGHTS = np.array([2.0, -1.5, 0.0, 0.0, 0.0])


def inputs(chance: np.random.Generator, n: int) -> Floats:
    return chance.normal(size=(n, DIMENSIONS))


def probability(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x @ WEIGHTS)))


def sample(x: Floats, y: Floats) -> Sample:
    """Rows as a champion that knows the law sees them."""
    p = probability(x)
    return Sample(
        x,
        np.column_stack([1 - p, p]),
        np.where(y > 0, "yes", "no"),
        np.where(p > 0.5, "yes", "no"),
    )


def drawn(chance: np.random.Generator, x: Floats) -> Sample:
    return sample(x, chance.random(len(x)) < probability(x))


def found(old: Sample, new: Sample, chance: np.random.Generator) -> tuple[Finding, ...]:
    seen = drawn(chance, inputs(chance, 800))
    fresh = np.ones(len(new), bool)
    return examine.findings(examine.measure(seen, old, new, fresh, Recurrence(0, 0)))


def named(change: str, seed: int, n: int = 400) -> Cause:
    chance = np.random.default_rng(seed)
    old = drawn(chance, inputs(chance, 800))
    x = inputs(chance, n)
    if change == "inputs that matter":
        x[:, 0] += 0.8
    if change == "inputs that mean nothing":
        x[:, 3] += 0.8
    if change == "a domain":
        x[: n // 4] += [0.0, 0.0, 5.0, 5.0, 0.0]
    new = drawn(chance, x)
    if change == "a domain":
        unknown = chance.permutation(np.repeat(["yes", "no"], n // 8))
        new = replace(new, labels=np.concatenate([unknown, new.labels[len(unknown) :]]))
    if change == "classes":
        kept = (new.labels == "yes") | (chance.random(n) < 0.4)
        new = new.part(kept)
    if change == "meaning":
        flipped = np.where(new.labels == "yes", "no", "yes")
        new = replace(new, labels=np.where(x[:, 4] > 1.0, flipped, new.labels))
    return cause(found(old, new, chance))


@pytest.mark.slow
@pytest.mark.parametrize(
    "change, right",
    [
        ("nothing", {Cause.NONE}),
        ("inputs that matter", {Cause.COVARIATE_SHIFT}),
        ("inputs that mean nothing", {Cause.BENIGN_SHIFT}),
        ("classes", {Cause.LABEL_SHIFT}),
        ("a domain", {Cause.NEW_DOMAIN}),
        ("meaning", {Cause.CONCEPT_DRIFT}),
    ],
)
def test_the_cause_is_named(change: str, right: set[Cause]) -> None:
    names = [named(change, seed) for seed in range(6)]
    assert sum(name in right for name in names) >= 5, names


def test_too_few_rows_name_nothing() -> None:
    assert named("meaning", 1, n=20) is Cause.UNDETERMINED


def test_of_many_rows_a_part_is_looked_at_the_same_each_time() -> None:
    assert examine.few(5000).all()
    many = examine.few(40_000)
    assert many.sum() == examine.MOST_ROWS
    assert np.array_equal(many, examine.few(40_000))


@pytest.mark.slow
def test_one_class_on_both_sides_is_measured_all_the_same() -> None:
    chance = np.random.default_rng(3)
    rows = [sample(x, np.ones(len(x))) for x in (inputs(chance, 200), inputs(chance, 200))]
    assert len(found(rows[0], rows[1], chance)) == 3


# --- labels that cannot be trusted ------------------------------------------------------


def checked(change: str, seed: int) -> str:
    chance = np.random.default_rng(seed)
    old = drawn(chance, inputs(chance, 800))
    new = drawn(chance, inputs(chance, 200))
    labels = {
        "as they are": new.labels,
        "shuffled": chance.permutation(new.labels),
        "a row late": np.roll(new.labels, 1),
        "constant": np.full(len(new), "yes"),
        "inverted": np.where(new.labels == "yes", "no", "yes"),
    }[change]
    try:
        quality.check(old, replace(new, labels=labels))
    except DataError as error:
        return error.reason
    return ""


@pytest.mark.slow
@pytest.mark.parametrize(
    "change, reason",
    [
        ("as they are", ""),
        ("inverted", ""),
        ("shuffled", "LabelsUnpredictable"),
        ("a row late", "LabelsUnpredictable"),
        ("constant", "LabelsConstant"),
    ],
)
def test_broken_labels_are_refused_and_drift_is_not(change: str, reason: str) -> None:
    assert [checked(change, seed) for seed in range(12)] == [reason] * 12


def of_mix(chance: np.random.Generator, share: float, n: int) -> Sample:
    """Rows of the same law within classes, of which so many are yes."""
    many = drawn(chance, inputs(chance, 12 * n))
    yes = round(share * n)
    chosen = np.concatenate(
        [
            np.flatnonzero(many.labels == label)[:count]
            for label, count in (("yes", yes), ("no", n - yes))
        ]
    )
    flags = np.zeros(len(many), bool)
    flags[chosen] = True
    return many.part(flags)


def test_what_the_new_shares_would_gain_is_what_training_on_them_gains() -> None:
    chance = np.random.default_rng(3)
    seen, new = drawn(chance, inputs(chance, 4000)), of_mix(chance, 0.05, 2000)
    odds = 0.05 / 0.95 / np.mean(seen.labels == "yes") * np.mean(seen.labels == "no")
    ideal = new.probabilities[:, 1] * odds > new.probabilities[:, 0]

    found = prior.at_new_mix(seen, new)

    assert found is not None
    best = np.mean(np.where(ideal, "yes", "no") == new.labels)
    assert found.effect == pytest.approx(best - (1 - new.wrong.mean()), abs=0.005)
    assert found.effect > 0.05
    assert found.p is not None
    assert found.p < 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_the_same_shares_gain_nothing(seed: int) -> None:
    chance = np.random.default_rng(seed)
    found = prior.at_new_mix(
        drawn(chance, inputs(chance, 2000)), drawn(chance, inputs(chance, 500))
    )

    assert found is not None
    assert found.p is not None
    assert found.p > 0.01


def test_a_champion_of_one_answer_tells_nothing() -> None:
    chance = np.random.default_rng(1)
    rows = drawn(chance, inputs(chance, 100))
    sure = replace(
        rows,
        probabilities=np.tile([0.1, 0.9], (100, 1)),
        predicted=np.full(100, "yes"),
    )

    assert prior.at_new_mix(rows, sure) is None
