"""Labelled financial headlines, first without, then with green-bond news. Generated and seeded.

    python headlines.py FOLDER

writes ``original/headlines.jsonl`` and ``stretches/{known,green-bonds}/*.jsonl``: rows with keys
``text`` and ``label`` (positive, neutral or negative, for whoever holds the company's paper).

The words that tell good from bad news of shares mislead with bonds: a falling yield is good
news for the issuer, a coupon that steps up is not. So a model of the first kind of news fails on
the second, and a few hundred labelled headlines of it mend that: a minor domain expansion.
"""

import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SEED: Final = 7
ORIGINAL_ROWS: Final = 1000
SERVED_ROWS: Final = 600
LABELLED_ROWS: Final = 300
GREEN_SHARE: Final = 0.25
DISAGREEMENT: Final = 0.04
"""Share of labels that another annotator would have given."""

LABELS: Final = ("negative", "neutral", "positive")

_FIRST: Final = (
    "Alder", "Birch", "Cobalt", "Delta", "Ember", "Fjord", "Granite", "Harbor", "Indigo", "Juniper",
    "Kestrel", "Lumen", "Meridian", "Nordic", "Orchard", "Pioneer", "Quarry", "Ridge", "Summit",
    "Tidal", "Umber", "Vantage", "Willow", "Zenith",
)  # fmt: skip
_SECOND: Final = (
    "Bank", "Energy", "Foods", "Holdings", "Industries", "Logistics", "Motors", "Networks",
    "Pharma", "Retail", "Shipping", "Steel", "Systems", "Utilities",
)  # fmt: skip
_WHEN: Final = (
    "in the first quarter", "in the second quarter", "in the third quarter", "this year",
    "after a long review", "in early trading", "on Monday", "on Thursday", "at home and abroad",
    "for the first time since spring", "as markets open", "late in the session",
)  # fmt: skip

SHARES: Final[Mapping[str, Sequence[str]]] = {
    "positive": (
        "{c} profit rises {n} percent {w}", "{c} beats earnings estimates {w}",
        "{c} shares surge {n} percent {w}", "{c} raises full-year outlook {w}",
        "{c} wins order worth {m} million {w}", "{c} lifts dividend by {n} percent {w}",
        "Demand for {c} products climbs {w}", "{c} margins widen {w}",
        "{c} sales jump {n} percent {w}",
    ),
    "negative": (
        "{c} profit falls {n} percent {w}", "{c} misses earnings estimates {w}",
        "{c} shares slump {n} percent {w}", "{c} cuts full-year outlook {w}",
        "{c} to shed {m} jobs {w}", "{c} loses order worth {m} million {w}",
        "{c} warns of weaker demand {w}", "{c} margins tighten {w}",
        "{c} sales drop {n} percent {w}",
    ),
    "neutral": (
        "{c} to report results {w}", "{c} names new finance chief {w}",
        "{c} holds annual meeting {w}", "{c} keeps dividend unchanged {w}",
        "{c} moves head office {w}", "{c} files annual report {w}",
        "{c} profit in line with estimates {w}", "{c} confirms outlook {w}",
        "{c} in talks over {m} million unit {w}",
    ),
}  # fmt: skip

GREEN_BONDS: Final[Mapping[str, Sequence[str]]] = {
    "positive": (
        "Spread on {c} green bond tightens {n} basis points {w}",
        "Yield on {c} green bond falls below its conventional curve {w}",
        "{c} green bond {n} times covered, pricing drops inside guidance {w}",
        "Greenium on {c} climate bond lowers its cost of debt {w}",
        "Reviewer gives {c} green bond a dark green shade {w}",
        "{c} green bond cuts coupon by {n} basis points on heavy books {w}",
    ),
    "negative": (
        "Spread on {c} green bond widens {n} basis points {w}",
        "{c} sustainability-linked coupon steps up, raising interest {w}",
        "Yield on {c} green bond climbs above its conventional curve {w}",
        "Greenwashing questions grow over {c} use of proceeds {w}",
        "Reviewer lifts no more than a light green shade on {c} bond {w}",
        "{c} green bond wins less than half of its order book {w}",
    ),
    "neutral": (
        "{c} mandates banks for a debut green bond {w}",
        "{c} publishes allocation report on green bond proceeds {w}",
        "{c} updates its green bond framework {w}",
        "{c} green bond to settle {w}",
        "{c} lists {m} million green bond {w}",
        "{c} green bond quoted flat to guidance {w}",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Headline:
    """A text and its sentiment."""

    text: str
    label: str


class Newsroom:
    """Writes headlines; never the same twice."""

    def __init__(self, seed: int = SEED) -> None:
        self._random = random.Random(seed)  # noqa: S311  # a seeded sample, no secret
        self._written: set[str] = set()

    def write(self, count: int, green_share: float = 0.0) -> list[Headline]:
        """``count`` headlines, of which a share are green-bond news."""
        green = round(count * green_share)
        rows = [self._headline(GREEN_BONDS) for _ in range(green)]
        rows += [self._headline(SHARES) for _ in range(count - green)]
        self._random.shuffle(rows)
        return rows

    def _headline(self, templates: Mapping[str, Sequence[str]]) -> Headline:
        while True:
            label = self._random.choice(LABELS)
            text = self._random.choice(templates[label]).format(
                c=f"{self._random.choice(_FIRST)} {self._random.choice(_SECOND)}",
                n=self._random.randint(2, 39),
                m=self._random.randint(3, 90) * 10,
                w=self._random.choice(_WHEN),
            )
            if text not in self._written:
                self._written.add(text)
                return Headline(text, self._label(label))

    def _label(self, label: str) -> str:
        if self._random.random() >= DISAGREEMENT:
            return label
        return self._random.choice([other for other in LABELS if other != label])


def write(folder: Path, seed: int = SEED) -> None:
    """All sets, below ``folder``."""
    news = Newsroom(seed)
    _write(folder / "original/headlines.jsonl", news.write(ORIGINAL_ROWS))
    _write(folder / "stretches/known/served.jsonl", news.write(SERVED_ROWS))
    green = folder / "stretches/green-bonds"
    _write(green / "served.jsonl", news.write(SERVED_ROWS, GREEN_SHARE))
    _write(green / "labelled.jsonl", news.write(LABELLED_ROWS, GREEN_SHARE))


def _write(path: Path, rows: Sequence[Headline]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps({"text": row.text, "label": row.label}) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
    print(f"headlines are in {sys.argv[1]}")
