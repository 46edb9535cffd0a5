"""Customers of a shop that does not exist: synthetic and seeded.

python shop.py FOLDER writes them.

A customer prefers some departments and goes on from product to product: mostly to one that goes
with the last one, else to another of a department that the customer likes, best sellers first.

- known: customers like those of the original rows.
- launch: more than three purchases in ten are of two departments that are new.
- replaced: four in five products are gone, and others are there in their place.
- sale: a week in which those come who like two departments. Nobody's taste has changed for it, so
  nothing may be done.
"""

import json
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

SEED: Final = 29
DEPARTMENTS: Final = ("books", "garden", "kitchen", "music", "sport", "toys", "tools", "travel")
LAUNCHED: Final = ("bicycles", "pets")
ON_SALE: Final = ("books", "garden")
PRODUCTS: Final = 20
"""Of a department."""
ORIGINAL_USERS: Final = 1500
LABELLED_USERS: Final = 700
SERVED_ROWS: Final = 480
LAUNCH_SHARE: Final = 0.35
REPLACED: Final = 0.8
GOES_WITH: Final = 0.65
"""How often a customer takes what goes with the last product."""
STAYS: Final = 0.5
"""How often one who does not stays in the department."""
LIKED: Final = 3
"""Departments that a customer likes, the first one most."""
SHORTEST, LONGEST = 4, 14
BEGAN: Final = 1_735_689_600
"""2025-01-01, in seconds since 1970."""
DAY: Final = 86_400
Purchase = dict[str, Any]


@dataclass(slots=True)
class Shop:
    """Draws customers; two shops of one seed draw the same."""

    seed: int = SEED
    users: int = 0
    _random: random.Random = field(init=False)
    _goes_with: dict[str, tuple[str, ...]] = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311  # a seeded sample, no secret
        self._goes_with = {}
        for department in (*DEPARTMENTS, *LAUNCHED):
            its = products(department)
            for product in its:
                others = [other for other in its if other != product]
                self._goes_with[product] = tuple(self._random.sample(others, 2))

    def customers(self, count: int, change: str, start: int) -> list[list[Purchase]]:
        """The purchases of so many customers who have not been there before."""
        return [self._customer(change, start) for _ in range(count)]

    def _customer(self, change: str, start: int) -> list[Purchase]:
        chance = self._random
        self.users += 1
        liked = chance.sample(DEPARTMENTS, LIKED)
        if change == "sale" and chance.random() < 0.7:  # noqa: PLR2004
            liked = [*chance.sample(ON_SALE, len(ON_SALE)), liked[0]]
        time = start + chance.randrange(60 * DAY)
        product = self._pick(liked, change)
        purchases = []
        for _ in range(chance.randint(SHORTEST, LONGEST)):
            purchases.append(
                {"user": f"customer-{self.users}", "item": named(product, change), "time": time}
            )
            if chance.random() < GOES_WITH:
                product = chance.choice(self._goes_with[product])
            elif chance.random() < STAYS:
                product = self._in(product.rpartition("-")[0])
            else:
                product = self._pick(liked, change)
            time += chance.randrange(600, DAY)
        return purchases

    def _pick(self, liked: Sequence[str], change: str) -> str:
        if change == "launch" and self._random.random() < LAUNCH_SHARE:
            return self._in(self._random.choice(LAUNCHED))
        return self._in(self._random.choices(liked, range(LIKED, 0, -1))[0])

    def _in(self, department: str) -> str:
        best_first = [1 / rank for rank in range(1, PRODUCTS + 1)]
        return self._random.choices(products(department), best_first)[0]


def products(department: str) -> list[str]:
    """Of a department, the best sellers first."""
    return [f"{department}-{number:02d}" for number in range(1, PRODUCTS + 1)]


@cache
def named(product: str, change: str) -> str:
    """What stands in a product's place after a change."""
    gone = change == "replaced" and random.Random(product).random() < REPLACED  # noqa: S311
    return f"{product}-new" if gone else product


@dataclass(frozen=True, slots=True)
class Stretch:
    """Traffic of one kind; ``labelled`` is empty where no purchases arrive as an update."""

    name: str
    served: tuple[Mapping[str, Any], ...]
    labelled: tuple[Purchase, ...] = ()


@dataclass(frozen=True, slots=True)
class Purchases:
    """All rows of the demo."""

    original: tuple[Purchase, ...]
    stretches: tuple[Stretch, ...]


def asked(purchases: Sequence[Purchase]) -> dict[str, Any]:
    """What a server is asked of a customer, and the product that was bought next."""
    *history, last = (one["item"] for one in purchases)
    return {"history": history, "label": last}


def draw(seed: int = SEED) -> Purchases:
    """The demo's rows."""
    shop = Shop(seed)
    original = _flat(shop.customers(ORIGINAL_USERS, "known", BEGAN))

    def stretch(name: str, number: int, *, labelled: bool) -> Stretch:
        start = BEGAN + number * 90 * DAY
        served = tuple(map(asked, shop.customers(SERVED_ROWS, name, start)))
        update = _flat(shop.customers(LABELLED_USERS, name, start)) if labelled else ()
        return Stretch(name, served, update)

    return Purchases(
        original,
        (
            stretch("known", 1, labelled=False),
            stretch("launch", 2, labelled=True),
            stretch("replaced", 3, labelled=True),
            # Of the products that are there by then.
            _renamed(stretch("sale", 4, labelled=False)),
        ),
    )


def _renamed(stretch: Stretch) -> Stretch:
    served = tuple(
        {
            "history": [named(item, "replaced") for item in row["history"]],
            "label": named(row["label"], "replaced"),
        }
        for row in stretch.served
    )
    return Stretch(stretch.name, served)


def _flat(customers: Sequence[Sequence[Purchase]]) -> tuple[Purchase, ...]:
    return tuple(purchase for purchases in customers for purchase in purchases)


def write(data: Purchases, folder: Path) -> None:
    """``original/purchases.jsonl`` and ``stretches/<name>/{served,labelled}.jsonl``."""
    _write_rows(folder / "original/purchases.jsonl", data.original)
    for stretch in data.stretches:
        _write_rows(folder / f"stretches/{stretch.name}/served.jsonl", stretch.served)
        if stretch.labelled:
            _write_rows(folder / f"stretches/{stretch.name}/labelled.jsonl", stretch.labelled)


def _write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(_lines(rows)), encoding="utf-8")


def _lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    return (f"{json.dumps(row)}\n" for row in rows)


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004
        sys.exit("usage: shop.py FOLDER")
    write(draw(), Path(sys.argv[1]))
