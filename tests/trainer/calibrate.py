"""How often the diagnosis answers what, on real text: the table of docs/diagnosis.md.

    python tests/trainer/calibrate.py embed POOL.npz BASE_MODEL     minutes, once
    python tests/trainer/calibrate.py table POOL.npz --new 400 --seeds 50

The text: package synopses of this machine's Debian index (``apt-cache dumpavail``), labelled by
coarse group of their section. A champion is trained on 350 rows of each group, without games. Then
old held-out and new windows are drawn again and again from rows that it never saw.
"""

import argparse
import random
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from maintenance_contract import TrainingAction
from maintenance_core.decide.evidence import cause
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.split import Recurrence
from maintenance_trainer.diagnose import examine
from maintenance_trainer.diagnose.samples import Sample
from maintenance_trainer.progress import LogProgress
from maintenance_trainer.tasks.task import How
from maintenance_trainer.tasks.texts import make_row

GROUPS = {
    "programming": "libdevel python perl java ruby javascript golang rust haskell ocaml devel php",
    "desktop": "x11 sound fonts games gnome kde",
    "system": "admin utils net",
    "science": "science math",
    "text": "text doc",
}
SECTIONS = {section: group for group, names in GROUPS.items() for section in names.split()}
TRAINED_PER_GROUP, DRAWN_PER_GROUP, GAMES = 350, 600, 500
MIX = {"programming": 0.45, "system": 0.25, "science": 0.1, "desktop": 0.1, "text": 0.1}
SCENARIOS = {
    "null": "the same law",
    "label": "class mix moved by about .27 (total variation)",
    "domain20": "20 % games, a domain inside a known class",
    "domain25": "25 % games",
    "domain60": "60 % games",
    "domain100": "games only",
    "concept2": "two of five groups re-filed under others",
    "concept1": "one group re-filed",
    "conceptmild": "a third of one group re-filed (about 6 % of rows)",
}


def synopses() -> list[tuple[str, str, str]]:
    """(text, group, section), shuffled."""
    listing = subprocess.run(
        ["apt-cache", "dumpavail"], capture_output=True, text=True, check=True
    ).stdout
    found = {}
    for stanza in listing.split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in stanza.split("\n") if line[:1] != " " and ": " in line
        )
        text = fields.get("Description-en") or fields.get("Description")
        section = fields.get("Section", "").split("/")[-1]
        if text and section in SECTIONS and not fields["Package"].endswith(("-dev", "-doc")):
            found.setdefault(text.lower(), (text, SECTIONS[section], section))
    rows = list(found.values())
    random.Random(0).shuffle(rows)  # noqa: S311  # an order, no secret
    return rows


def embed(target: Path, base_model: Path) -> None:
    """Train the champion, let it read the pool, keep what it makes of it."""
    from maintenance_trainer.tasks.text_classification import TASK as task  # noqa: N811, PLC0415

    by_group = defaultdict(list)
    rows = synopses()
    for row in rows:
        if row[2] != "games":
            by_group[row[1]].append(row)
    train = [row for its in by_group.values() for row in its[:TRAINED_PER_GROUP]]
    pool = [
        row
        for its in by_group.values()
        for row in its[TRAINED_PER_GROUP : TRAINED_PER_GROUP + DRAWN_PER_GROUP]
    ]
    pool += [row for row in rows if row[2] == "games"][:GAMES]
    progress = LogProgress()
    champion = task.with_head(base_model, sorted(GROUPS), 42)
    how = How(
        TrainingAction.RETRAIN,
        {"num_train_epochs": 2, "learning_rate": 1e-4},
        target.parent / "scratch",
    )
    task.fit(
        champion,
        [make_row(text, group, Origin.ORIGINAL, new=False) for text, group, _ in train],
        how,
        progress,
    )
    everything = pool + train
    rows = [make_row(text, group, Origin.ORIGINAL, new=False) for text, group, _ in everything]
    outputs = task.outputs(champion, rows, progress, "reading")
    np.savez(
        target,
        x=outputs.embeddings,
        pred=np.array(outputs.predicted),
        p=outputs.probabilities,
        y=np.array([row[1] for row in everything]),
        sec=np.array([row[2] for row in everything]),
        ntrain=len(train),
    )


class Pool:
    """Rows with embeddings, predictions and labels; the last ``ntrain`` were trained on."""

    def __init__(self, path: Path) -> None:
        kept = np.load(path)
        self.x, self.p, self.predicted, self.y, section = (
            kept[k] for k in ("x", "p", "pred", "y", "sec")
        )
        drawn = len(self.y) - int(kept["ntrain"])
        self.seen = np.arange(drawn, len(self.y))
        self.known = np.flatnonzero(section[:drawn] != "games")
        self.games = np.flatnonzero(section[:drawn] == "games")

    def draw(
        self, scenario: str, old_count: int, count: int, chance: np.random.Generator
    ) -> tuple[Any, Any, Any]:
        """Old held-out rows, new rows, and all labels as they are now."""
        order = chance.permutation(self.known)
        old, rest = order[:old_count], order[old_count:]
        labels, new = self.y.copy(), rest[:count]
        if scenario.startswith("domain"):
            games = min(count * int(scenario[6:]) // 100, len(self.games))
            new = np.concatenate(
                [chance.choice(self.games, games, replace=False), rest[: count - games]]
            )
        elif scenario == "label":
            sizes = Counter(self.y[rest])
            weights = np.array([MIX[name] / sizes[name] for name in self.y[rest]])
            new = chance.choice(rest, count, replace=False, p=weights / weights.sum())
        science = new[self.y[new] == "science"]
        if scenario == "concept2":
            labels[science] = "system"
            labels[new[self.y[new] == "text"]] = "programming"
        elif scenario == "concept1":
            labels[science] = "text"
        elif scenario == "conceptmild":
            labels[science[: len(science) // 3]] = "text"
        return old, new, labels

    def sample(self, rows: Any, labels: Any) -> Sample:  # numpy index
        """Rows as the diagnosis sees them."""
        return Sample(
            self.x[rows].astype(float),
            self.p[rows].astype(float),
            labels[rows],
            self.predicted[rows],
        )


def measured(pool: Pool, scenario: str, counts: tuple[int, int], seed: int) -> examine.Measures:
    """One drawn window through the diagnosis' own tests."""
    chance = np.random.default_rng([seed, list(SCENARIOS).index(scenario)])
    old, new, labels = pool.draw(scenario, *counts, chance)
    return examine.measure(
        pool.sample(pool.seen, pool.y),
        pool.sample(old, pool.y),
        pool.sample(new, labels),
        np.ones(len(new), bool),
        Recurrence(0, 0),
    )


def table(pool: Pool, old: int, count: int, seeds: int) -> None:
    """Print one row of the table per scenario."""
    tell(f"{old} old held-out rows\n")
    tell(
        f"| new window (n = {count}) | data distribution shift | concept drift | cause (Evidence) |"
    )
    tell("|---|---|---|---|")
    for scenario, words in SCENARIOS.items():
        answers: tuple[Counter[str], ...] = (Counter(), Counter(), Counter())
        for seed in range(seeds):
            found = examine.findings(measured(pool, scenario, (old, count), 5000 + seed))
            for counted, said in zip(
                answers, (found[0].answer, found[1].answer, cause(found)), strict=True
            ):
                counted[said.value] += 1
        spelled = [", ".join(f"{name} {n}" for name, n in its.most_common()) for its in answers]
        tell(f"| {words} | {' | '.join(spelled)} |")


def tell(line: str) -> None:
    """Print at once: a row takes minutes."""
    print(line, flush=True)  # noqa: T201  # a person reads it


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    embedding = verbs.add_parser("embed")
    embedding.add_argument("pool", type=Path)
    embedding.add_argument("base_model", type=Path)
    printing = verbs.add_parser("table")
    printing.add_argument("pool", type=Path)
    printing.add_argument("--old", type=int, default=200)
    printing.add_argument("--new", type=int, default=400)
    printing.add_argument("--seeds", type=int, default=50)
    options = parser.parse_args()
    if options.verb == "embed":
        embed(options.pool, options.base_model)
    else:
        table(Pool(options.pool), options.old, options.new, options.seeds)


if __name__ == "__main__":
    sys.exit(main())
