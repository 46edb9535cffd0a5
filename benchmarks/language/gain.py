"""How much of a full fine-tune's gain do adapters reach?

    python benchmarks/language/gain.py --first-seed 7000 --seeds 5

The bank's chatbot of ``benchmarks/decision kinds`` meets new terms (1,000 conversations, 300 new
ones). From one version and one snapshot it is fine-tuned twice, by all weights and by LoRA of the
default rank in all linear layers, each at its own learning rate. A gain is what bits per byte fall
by on unseen conversations of the new time; the loss on old ones is told beside.
"""

import argparse
import json
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "decision"))

import kinds  # found through the path above

from maintenance_contract import Task
from maintenance_trainer.cli import rules

KIND: Final = Task.CAUSAL_LM
ORIGINALS, UPDATES, TESTED = 1000, 300, 400
METHODS: Final[dict[str, dict[str, Any]]] = {
    "Full": {},
    "LoRA": {"peft_type": "LORA", "learning_rate": 0.01},
}
"""Rates of a tiny model; that of LoRA is the one of tests/trainer/test_language_adapters.py."""


def measured(seed: int, methods: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Bits per byte of the champion, and after either fine-tune."""
    world = kinds.WORLDS[KIND]
    law, chance = world.law(seed), np.random.default_rng(seed + 1_000_000)
    with tempfile.TemporaryDirectory() as name:
        lab = kinds.Lab(Path(name), KIND)
        spec = lab.spec
        lab.write("original/rows.parquet", law.draw("none", ORIGINALS, chance))
        (lab.folder / "updates").mkdir()
        first = kinds._first(lab, spec)  # noqa: SLF001 - of the same benchmark
        if first is None:
            raise AssertionError(f"seed {seed}: no first version")
        tests = {
            age: lab.rows(
                lab.write(f"test/{age}.parquet", law.draw(change, TESTED, chance)), spec.columns
            )
            for age, change in (("new", "new-terms"), ("old", "none"))
        }
        lab.write("updates/rows.parquet", law.draw("new-terms", UPDATES, chance))

        def scores(number: int) -> dict[str, float]:
            return {age: float(lab.losses(number, rows).mean()) for age, rows in tests.items()}

        found = {"keep": scores(first.number)}
        report = lab.do(rules.diagnose_request(spec, 2, first))
        decision = kinds._decision(  # noqa: SLF001
            spec, report, first, {"new": 0.5, "old": 1.0, "median": 1.0}
        )
        tuned = kinds._by_hand(decision, kinds.FINE_TUNE)  # noqa: SLF001
        for run, (method, its) in enumerate(methods.items(), start=3):
            arguments = {**spec.training.fine_tune_arguments, **its}
            asked = replace(spec, training=replace(spec.training, fine_tune_arguments=arguments))
            trained = lab.do(
                rules.train_request(asked, run, first, tuned, kinds.snapshot_of(report))
            )
            if trained.candidate is None:
                raise AssertionError(f"seed {seed}, {method}: {trained.message}")
            found[method] = scores(trained.candidate.version) | {
                "seconds": trained.timings["train"]
            }
        return {"seed": seed, **found}


def main() -> None:
    """A line a seed, then the share of the gain."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--first-seed", type=int, default=7000, metavar="K")
    parser.add_argument("--seeds", type=int, default=5, metavar="M")
    parser.add_argument("--rate", type=float, metavar="R", help="learning rate of LoRA")
    given = parser.parse_args()
    methods = dict(METHODS)
    if given.rate:
        methods["LoRA"] = methods["LoRA"] | {"learning_rate": given.rate}
    shares = []
    for seed in range(given.first_seed, given.first_seed + given.seeds):
        found = measured(seed, methods)
        full, lora = (found["keep"]["new"] - found[each]["new"] for each in METHODS)
        shares.append(lora / full)
        print(json.dumps(found | {"share of the gain": round(shares[-1], 4)}), flush=True)
    print(
        json.dumps(
            {
                "share of the gain": statistics.median(shares),
                "least": min(shares),
                "most": max(shares),
            }
        )
    )


if __name__ == "__main__":
    main()
