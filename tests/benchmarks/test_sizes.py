"""The benchmark of all sizes: what a cell holds, what policies make of it, what figures mean."""
# ruff: noqa: E402 - the benchmark is a folder of scripts, found through the path

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "benchmarks/decision"))

import fitting
import paired
import size_cells
import size_figures
import size_policies
import sizes
import weak
from size_policies import KEEP, Proof, Way

from maintenance_core.model import Policy
from maintenance_core.spec import parse
from maintenance_trainer.cli.rules import DEFAULTS

RULES = Way("Evidence", size_policies.ways()[0].proof)
WORSE, SAME, BETTER = [100, 40, 30, 0], [100, 70, 0, 0], [100, 30, 0, 60]
"""n, both, champion only, challenger only."""


def counted(*counts: int) -> dict[str, Any]:
    return {"counts": list(counts)}


def arm(new: list[int], old: list[int], cost: float = 1.0) -> dict[str, Any]:
    there = {"new": counted(*new), "old": counted(*old), "oldAtNewMix": counted(*old)}
    return {"cost": cost, "test": {"new": new, "old": old}, **there}


def cell(change: str = "none", seed: int = 0, **arms: Any) -> dict[str, Any]:
    report = size_policies.TrainingReport(
        size_policies.Operation.DIAGNOSE, 2, "", size_policies.Outcome.SUCCEEDED
    )
    return {
        "domain": "tables",
        "holdout": "auto",
        "change": change,
        "originals": 300,
        "updates": 60,
        "seed": seed,
        "report": report.to_json(),
        "blocked": "",
        "metric": {"new": 0.6, "old": 0.8},
        "keep": {"new": 0.3, "old": 0.7},
        "arms": arms,
    }


@pytest.fixture(scope="module")
def drifted() -> dict[str, Any]:
    return size_cells.one("auto", "concept-other-rule", 1000, 300, 900)


# --- what a cell holds ------------------------------------------------------------------


def test_a_network_is_trained_as_pytorch_trains_it() -> None:
    x, y = weak.usual(200, np.random.default_rng(3))
    single = x.astype(np.float32)
    torch.manual_seed(3)
    ours = torch.nn.Sequential(torch.nn.Linear(8, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))
    theirs = torch.nn.Sequential(torch.nn.Linear(8, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))
    theirs.load_state_dict(ours.state_dict())
    assert fitting.fit(ours, single, y, epochs=2, rate=0.01, seed=4) == 8
    order = torch.Generator().manual_seed(4)
    adam = torch.optim.AdamW(theirs.parameters(), lr=0.01, weight_decay=fitting.DECAY)
    for _ in range(2):
        for rows in torch.randperm(200, generator=order).split(fitting.BATCH):
            adam.zero_grad()
            answers = theirs(torch.from_numpy(single[rows.numpy()]))
            torch.nn.functional.cross_entropy(answers, torch.from_numpy(y[rows.numpy()])).backward()
            adam.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(mine, other, atol=1e-5)


@pytest.mark.slow
def test_a_cell_can_be_trained_again_and_its_counts_agree(drifted: dict[str, Any]) -> None:
    assert size_cells.one("auto", "concept-other-rule", 1000, 300, 900) == drifted
    rows = size_policies.report_of(drifted).diagnosis
    assert rows is not None
    assert (rows.rows.new_held_out, rows.rows.old_held_out) == (150, 316)
    assert (rows.rows.new_train, rows.rows.old_train) == (150, 684)
    for found in drifted["arms"].values():
        for side in ("new", "old", "oldAtNewMix"):
            its = found[side]["counts"]
            assert its == np.sum(list(found[side]["byLabel"].values()), axis=0).tolist()
        champion = {
            side: found[side]["counts"][1] + found[side]["counts"][2] for side in ("new", "old")
        }
        assert rows.new is not None
        assert rows.old is not None
        assert champion == {"new": rows.new.correct, "old": rows.old.correct}
        assert found["test"]["new"][0] == size_cells.TESTED
    assert drifted["arms"]["retrain merged"]["cost"] == 1.0
    assert set(size_cells.LEFT_OUT.values()) < set(drifted["arms"])


def test_sums_of_paired_gains_follow_from_the_rows() -> None:
    labels, names = np.array([0, 1, 1, 2]), np.array([0, 1])
    before = paired.Answers.of(np.array([[0.9, 0.1]] * 4), labels, names)
    after = paired.Answers.of(np.array([[0.2, 0.8]] * 4), labels, names)
    assert before.right.tolist() == [1, 0, 0, 0]
    assert before.likelihood == pytest.approx([0.9, 0.1, 0.1, 0.0])
    assert before.brier == pytest.approx([0.02, 1.62, 1.62, 1.82])
    found = paired.sums(before, after, labels)
    assert found["counts"] == [4, 0, 1, 2]
    gain, squares, with_right = found["likelihood"]
    assert (gain, squares) == pytest.approx((0.7, 3 * 0.49))
    assert with_right == pytest.approx(0.7 + 2 * 0.7)
    assert found["byLabel"]["2"] == [1, 0, 0, 0]


# --- what policies make of it -----------------------------------------------------------


@pytest.mark.slow
def test_the_rules_are_asked_at_the_defaults_of_the_api(drifted: dict[str, Any]) -> None:
    its, defaults = size_policies.spec_of(drifted, RULES), parse(DEFAULTS)
    assert its.metrics.threshold.min == pytest.approx(drifted["metric"]["old"] - 0.02)
    assert replace(its, metrics=defaults.metrics) == defaults


@pytest.mark.slow
def test_a_new_rule_is_learnt_and_promoted(drifted: dict[str, Any]) -> None:
    found = size_policies.done(drifted, RULES)
    assert found.serves.endswith(("without contradicted", "the same, new at 50 %"))
    assert found.trained == (found.serves,)
    assert found.reasons[-1] == "ChallengerWins"


def test_broken_labels_are_not_trained_on(drifted: dict[str, Any]) -> None:
    refused = drifted | {"blocked": "LabelsUnpredictable"}
    found = size_policies.done(refused, RULES)
    assert (found.trained, found.serves, found.reasons) == ((), KEEP, ("DataUnusable",))


def test_a_metric_that_is_fine_is_taken_for_a_false_alarm() -> None:
    fine = cell() | {"metric": {"new": 0.9, "old": 0.8}}
    degraded = size_policies.situation(fine, size_policies.spec_of(fine, RULES)).degraded
    assert degraded is not None
    assert degraded.reading.value == pytest.approx(0.779)


@pytest.mark.parametrize(
    "proof, new, serves",
    [
        (Proof.NOTHING, WORSE, "fine-tune + replay"),
        (Proof.OLD, WORSE, KEEP),
        (Proof.OLD, BETTER, "fine-tune + replay"),
    ],
)
def test_a_constant_policy_meets_its_gate(proof: Proof, new: list[int], serves: str) -> None:
    old = [2000, 1500, 0, 0]
    its = cell(**{"fine-tune + replay": arm(new, old, 0.2), "retrain merged": arm(WORSE, old)})
    way = Way("always fine-tune", proof, constant="fine-tune + replay")
    found = size_policies.done(its, way)
    assert found.serves == serves
    assert len(found.trained) == (2 if serves == KEEP else 1)


def test_an_arm_that_nobody_trained_is_named() -> None:
    with pytest.raises(LookupError, match="retrain merged was not trained for none"):
        size_policies.trained_report(cell(), "retrain merged", at_new_mix=False)


# --- what figures mean ------------------------------------------------------------------


def test_gain_harm_and_false_trainings() -> None:
    cells = [
        cell("none", 0, **{"retrain merged": arm(WORSE, WORSE)}),
        cell("concept-6", 0, **{"retrain merged": arm(BETTER, SAME)}),
    ]
    way = Way("always retrain merged", Proof.NOTHING, constant="retrain merged")
    found = size_figures.figures(size_figures.cases_of(cells, way), weight=0.8)
    # On the null change .3 and .7 become .4 and .4, on the other .9 and .7.
    assert found["gain"] == pytest.approx((0.8 * 0.1 - 0.2 * 0.3 + 0.8 * 0.6) / 2)
    assert found["oracle_gain"] == pytest.approx((0.02 + 0.48) / 2)
    assert found["gain_share"]["value"] == pytest.approx(1.0)
    assert found["harm"]["value"] == 0.0
    assert (found["false_trainings"], found["cost"]) == (1.0, 1.0)
    half = size_figures.figures(size_figures.cases_of(cells, way), weight=0.5)
    assert half["harm"]["value"] == 0.5
    assert half["mean_harm"] == pytest.approx(0.05)
    assert half["gain_share"]["value"] == pytest.approx((0.3 - 0.1) / 0.3, abs=1e-4)


def test_seeds_for_tuning_are_never_reported() -> None:
    tuning, reported = (set(sizes.table_keys(tuning=each)) for each in (True, False))
    assert {key[-1] for key in tuning}.isdisjoint({key[-1] for key in reported})
    assert {key[2:4] for key in reported} == {
        (n, m) for n in sizes.ORIGINALS for m in sizes.UPDATES
    }
    assert not list(sizes.text_keys(tuning=True))


def test_policies_are_told_apart_by_name() -> None:
    names = [str(way) for way in size_policies.ways()]
    assert len(names) == len(set(names))
    assert {way.policy for way in size_policies.ways() if way.constant is None} == set(Policy)
