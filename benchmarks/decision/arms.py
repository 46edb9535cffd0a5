"""Every answer that could be given, really trained: a small network on the rows of a case.

The champion is a network of one hidden layer, trained on the old rows. Costs are optimisation
steps, as a share of those of a merged retrain: a count, which no neighbour on the machine changes.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import fitting
import numpy as np
import torch
import weak
from changes import HALF, LEFT_OUT, MERGED, TUNED
from weak import Floats, Labels, Rows

from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.rows import Row
from maintenance_trainer.diagnose.samples import Sample
from maintenance_trainer.evaluate import at_class_mix
from maintenance_trainer.recipes.contradicted import contradicted
from maintenance_trainer.tasks.texts import make_row

HIDDEN: Final = 32
EPOCHS, RATE = 15, 3e-3
"""Of a training from the beginning."""
TUNE_EPOCHS, TUNE_RATE = 15, 3e-3
"""Of a fine-tune."""
REPLAY: Final = 0.5
"""Old rows per new row: the product's default."""
ARMS: Final = (
    "keep",
    "fine-tune",
    "fine-tune + replay",
    "retrain merged",
    "retrain new at 50 %",
    "retrain without contradicted",
    "the same, new at 50 %",
    "fine-tune + replay without contradicted",
    "new only",
)


@dataclass(frozen=True, slots=True)
class Network:
    """A classifier of standardised columns."""

    body: Any
    mean: Floats
    scale: Floats

    def probabilities(self, x: Floats) -> Floats:
        """(n, 2)."""
        with torch.no_grad():
            out = self.body(torch.tensor((x - self.mean) / self.scale, dtype=torch.float32))
        return np.asarray(torch.softmax(out, 1).double().numpy())

    def right(self, rows: Rows) -> Labels:
        """1 where it answers right."""
        return (self.probabilities(rows[0]).argmax(axis=1) == rows[1]).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Arm:
    """A trained answer, and its cost in optimisation steps."""

    network: Network
    steps: int


def champion(rows: Rows, seed: int) -> Arm:
    """The network in service."""
    return _from_the_beginning(rows, seed)


def arms(served: Network, old: Rows, new: Rows, seed: int) -> dict[str, Arm]:
    """All answers to a window, trained.

    Args:
        served: the champion.
        old: the rows that it was trained on.
        new: the new rows that may be trained on.
        seed: of first weights and order.
    """
    chance = np.random.default_rng(seed)
    kept = ~refuted(served, old, new)
    holding = old[0][kept], old[1][kept]
    plain, left_out = (some_arms(served, rows, new, seed, chance) for rows in (old, holding))
    return {
        "keep": Arm(served, 0),
        "fine-tune": _go_on(served, new, seed),
        **plain,
        **{LEFT_OUT[name]: arm for name, arm in left_out.items()},
        "new only": _from_the_beginning(new, seed),
    }


def some_arms(
    served: Network, old: Rows, new: Rows, seed: int, chance: np.random.Generator | None = None
) -> dict[str, Arm]:
    """The answers that a policy of the product can give on these rows.

    ``chance`` draws the rows that are replayed; left out, one of that seed.
    """
    replayed = _some(old, int(REPLAY * len(new[1])), chance or np.random.default_rng(seed))
    return {
        TUNED: _go_on(served, joined(new, replayed), seed),
        MERGED: _from_the_beginning(joined(old, new), seed),
        HALF: _from_the_beginning(joined(old, _repeated(new, len(old[1]))), seed),
    }


def _some(rows: Rows, count: int, chance: np.random.Generator) -> Rows:
    chosen = chance.choice(len(rows[1]), min(len(rows[1]), count), replace=False)
    return rows[0][chosen], rows[1][chosen]


def _repeated(new: Rows, old: int) -> Rows:
    """So often that they are half of all, as the product's recipe does."""
    rows = np.arange(max(old, len(new[1]))) % len(new[1])
    return new[0][rows], new[1][rows]


def refuted(served: Network, old: Rows, new: Rows) -> Any:
    """Old rows that the product's own recipe would leave out after concept drift."""
    x = [((rows[0] - served.mean) / served.scale).astype(np.float32) for rows in (old, new)]
    return contradicted(_rows(old, new=False), _rows(new, new=True), *x)


def sample(served: Network, rows: Rows) -> Sample:
    """What a diagnosis looks at."""
    p = served.probabilities(rows[0])
    return Sample(
        (rows[0] - served.mean) / served.scale,
        p,
        rows[1].astype(str),
        p.argmax(axis=1).astype(str),
    )


def at_mix(rows: Rows, mix: weak.Labels) -> Rows:
    """As the trainer scores old rows after a label shift."""
    pairs = [
        make_row(str(number), str(label), Origin.ORIGINAL, new=False)
        for number, label in enumerate(rows[1])
    ]
    wanted = [make_row("", str(label), Origin.UPDATES, new=True) for label in mix]
    chosen = [int(row.text) for row in at_class_mix(pairs, wanted)]
    return rows[0][chosen], rows[1][chosen]


def _rows(rows: Rows, *, new: bool) -> Sequence[Row]:
    return [
        make_row(f"{new} {number}", str(label), Origin.ORIGINAL, new=new)
        for number, label in enumerate(rows[1])
    ]


def joined(one: Rows, other: Rows) -> Rows:
    """Both."""
    return np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]])


def _from_the_beginning(rows: Rows, seed: int) -> Arm:
    torch.manual_seed(seed)
    body = torch.nn.Sequential(
        torch.nn.Linear(weak.FEATURES, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, 2)
    )
    network = Network(body, rows[0].mean(axis=0), rows[0].std(axis=0))
    return Arm(network, _fit(network, rows, EPOCHS, RATE, seed))


def _go_on(served: Network, rows: Rows, seed: int) -> Arm:
    network = Network(copy.deepcopy(served.body), served.mean, served.scale)
    return Arm(network, _fit(network, rows, TUNE_EPOCHS, TUNE_RATE, seed))


def _fit(network: Network, rows: Rows, epochs: int, rate: float, seed: int) -> int:
    """Train in place; returns the steps."""
    x = ((rows[0] - network.mean) / network.scale).astype(np.float32)
    return fitting.fit(network.body, x, rows[1], epochs, rate, seed)
