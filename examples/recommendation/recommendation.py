"""The demo on choices: what a customer buys next. The customers are synthetic."""

from pathlib import Path
from typing import Final

import shop
from maintenance_examples.cases import Act, Case, told


def _fill(folder: Path) -> str:
    data = shop.draw()
    shop.write(data, folder)
    return told(data, "purchases (synthetic)", labelled="purchases")


CASE: Final = Case(
    name="recommendation",
    source="synthetic customers, drawn here",
    acts=(
        Act(
            "known",
            "Act 1: no model yet",
            "Customers of a shop buy one product after another, of eight departments.",
            "Retrain",
            1,
        ),
        Act(
            "launch",
            "Act 2: a launch",
            "Two departments are new, and more than three purchases in ten are theirs. "
            "Version 1 has never seen a product of them.",
            "FineTune",
            2,
        ),
        Act(
            "replaced",
            "Act 3: another catalogue",
            "Four in five products are gone, and others stand in their place.",
            "Retrain",
            3,
        ),
    ),
    stretches=("known", "launch", "replaced", "sale"),
    served_rows=shop.SERVED_ROWS,
    fill=_fill,
    base_model=False,
    quiet_title="a sales week",
    quiet_says="Those come who like books and gardens, and nobody's taste has changed for it.",
)
