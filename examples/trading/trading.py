"""The demo on series: whether a price goes up or down. The markets are synthetic."""

from pathlib import Path
from typing import Final

import markets
from maintenance_examples.cases import Act, Case, told


def _fill(folder: Path) -> str:
    data = markets.draw()
    markets.write(data, folder)
    return told(data, "hours (synthetic)", "windows of traffic", "labelled hours")


CASE: Final = Case(
    name="trading",
    source="synthetic markets, drawn here",
    acts=(
        Act(
            "known",
            "Act 1: no model yet",
            "Eight coins are traded, and the next hour's price follows the order flow: "
            "that of coins more than that of futures.",
            "Retrain",
            1,
        ),
        Act(
            "expiry",
            "Act 2: a season that nobody has seen",
            "Options on two of the coins expire for the first time. Their dealers buy for three "
            "hours and sell for three, volumes treble, and prices move against them.",
            "FineTune",
            2,
        ),
        Act(
            "regime",
            "Act 3: another regime",
            "By a new rule prices are made where futures are traded: "
            "the order flow of coins counts for nothing any more.",
            "Retrain",
            3,
        ),
    ),
    stretches=("known", "expiry", "regime", "calm"),
    served_rows=markets.SERVED_ROWS,
    fill=_fill,
    base_model=False,
    quiet_title="a calm month",
    quiet_says="Prices move a third less, and by the same law.",
)
