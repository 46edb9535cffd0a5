"""Is a retrain of ``NextItem`` as good as a plain SASRec of its size, trained alike?

    python benchmarks/items --seeds 5

Both read the same users of a drawn shop (benchmarks/decision/items.py), 684 of them, and are asked
for the last item of 2,000 others. SASRec (W.-C. Kang and J. McAuley, ICDM 2018): learned positions,
causal self-attention, point-wise feed-forward layers, dropout, one table of items for inputs and
scores. Once with its own loss (binary, one negative item a position), once with the softmax over
all items that NextItem has. Width, blocks, heads, dropout, batches, epochs, optimiser and rate are
those of NextItem's defaults. Real interactions cannot be had here; these are synthetic.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import torch
from pyarrow import parquet
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "decision"))

import items  # found through the path above

from maintenance_contract import TrainingAction, columns_of
from maintenance_trainer.data.folders import Named, Origin
from maintenance_trainer.data.sources import SourceFile
from maintenance_trainer.progress import Silent
from maintenance_trainer.tasks import next_item
from maintenance_trainer.tasks.interactions import SOURCE
from maintenance_trainer.tasks.items.rows import ItemRow
from maintenance_trainer.tasks.items.sequences import IGNORED, padded, tokens_of, windows
from maintenance_trainer.tasks.items.stored import FIRST, PADDING
from maintenance_trainer.tasks.task import How

TRAINED, TESTED = 684, 2000
FIRST_ITEMS: Final = 10


class SASRec(nn.Module):
    """One block, as wide as ``next_item.SIZE`` says."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        size, width = next_item.SIZE, next_item.SIZE["n_embd"]
        self.table = nn.Embedding(tokens, width, padding_idx=PADDING)
        self.places = nn.Embedding(size["n_positions"], width)
        self.drop = nn.Dropout(size["embd_pdrop"])
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width,
                size["n_head"],
                dim_feedforward=width,
                dropout=size["resid_pdrop"],
                activation="relu",
                batch_first=True,
                norm_first=True,
            )
            for _ in range(size["n_layer"])
        )
        self.last = nn.LayerNorm(width)
        nn.init.normal_(self.table.weight, std=0.02)
        nn.init.normal_(self.places.weight, std=0.02)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """The hidden states (rows, length, width) of tokens."""
        length = inputs.shape[1]
        x = self.drop(self.table(inputs) + self.places(torch.arange(length)))
        causal = nn.Transformer.generate_square_subsequent_mask(length)
        for block in self.blocks:
            x = block(x, src_mask=causal, is_causal=True)
        found: torch.Tensor = self.last(x)
        return found


def rows_of(table: items.Table) -> list[ItemRow]:
    """As the trainer reads them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        parquet.write_table(pa.table(table), path)
        named = Named(Origin.ORIGINAL, path.name)
        source = SourceFile(path, named, "", columns_of("NextItem"), new=False, known=False)
        return [found.row for found in SOURCE.read(source)]


def sasrec(train: Sequence[ItemRow], test: Sequence[ItemRow], seed: int, *, softmax: bool) -> float:
    """Its hit rate among the first ten."""
    torch.manual_seed(seed)
    made = next_item.TASK.from_base(Path("none"), train, seed)
    tokens, total = tokens_of(made.catalogue), made.catalogue.tokens
    pairs = [pair for row in train for pair in windows(row, tokens, made.context)]
    given = next_item.complete(TrainingAction.RETRAIN, {}, len(train))
    batch, epochs = given["per_device_train_batch_size"], given["num_train_epochs"]
    model = SASRec(total)
    optimiser = torch.optim.AdamW(model.parameters(), given["learning_rate"], weight_decay=0.01)
    steps = epochs * -(-len(pairs) // batch)
    rate = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, steps)
    for _ in range(epochs):
        order = torch.randperm(len(pairs)).tolist()
        for start in range(0, len(order), batch):
            chosen = [pairs[number] for number in order[start : start + batch]]
            inputs = padded([one for one, _ in chosen], PADDING)[:, :-1]
            answers = padded([other for _, other in chosen], IGNORED)[:, 1:]
            loss = _loss(model, inputs, answers, total, softmax=softmax)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            rate.step()
    return _hits(model.eval(), test, tokens)


def _loss(
    model: SASRec, inputs: torch.Tensor, answers: torch.Tensor, total: int, *, softmax: bool
) -> torch.Tensor:
    states, there = model(inputs), answers != IGNORED
    states, right = states[there], answers[there]
    if softmax:
        return nn.functional.cross_entropy(states @ model.table.weight.T, right)
    wrong = torch.randint(FIRST, total, right.shape)
    log = nn.functional.logsigmoid
    good, bad = ((states * model.table(each)).sum(-1) for each in (right, wrong))
    return -(log(good) + log(-bad)).mean()


@torch.inference_mode()
def _hits(model: SASRec, test: Sequence[ItemRow], tokens: Any) -> float:
    asked = [np.concatenate([[2], tokens[row.history]])[-64:] for row in test]
    inputs = padded(asked, PADDING)
    ends = torch.tensor([len(each) - 1 for each in asked])
    scores = model(inputs)[torch.arange(len(asked)), ends] @ model.table.weight.T
    scores[:, :FIRST] = -torch.inf
    right = torch.tensor(tokens[[row.last for row in test]])
    best = scores.topk(FIRST_ITEMS).indices
    return float((best == right[:, None]).any(1).float().mean())


def ours(train: Sequence[ItemRow], test: Sequence[ItemRow], seed: int) -> float:
    """The hit rate of a retrain at its defaults."""
    task = next_item.TASK
    model = task.from_base(Path("none"), train, seed)
    with tempfile.TemporaryDirectory() as folder:
        task.fit(model, train, How(TrainingAction.RETRAIN, {}, Path(folder)), Silent())
    return 1.0 - float(task.outputs(model, test, Silent(), "").loss.mean())


def main() -> None:
    """Print a line a seed, and the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=7000)
    options = parser.parse_args()
    found = []
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        law, chance = items.World().law(seed), np.random.default_rng(seed)
        train = rows_of(law.draw("none", TRAINED, chance))
        test = rows_of(law.draw("none", TESTED, chance))
        popular = 1.0 - float(next_item.TASK.baseline(train, test).mean())
        line = {
            "seed": seed,
            "popularity": popular,
            "SASRec": sasrec(train, test, seed, softmax=False),
            "SASRec, softmax": sasrec(train, test, seed, softmax=True),
            "NextItem": ours(train, test, seed),
        }
        found.append(line)
        print(json.dumps({name: round(value, 4) for name, value in line.items()}), flush=True)
    names = [name for name in found[0] if name != "seed"]
    means = {name: float(np.mean([line[name] for line in found])) for name in names}
    print(json.dumps({name: round(value, 4) for name, value in means.items()}))


if __name__ == "__main__":
    main()
