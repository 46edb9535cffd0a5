"""The demo on text: sections of Debian packages."""

from pathlib import Path
from typing import Final

import stretches
from maintenance_examples.cases import Act, Case, told
from maintenance_examples.shell import CACHE, Failure
from packages import FetchError


def _fill(folder: Path) -> str:
    try:
        data = stretches.build(CACHE)
    except FetchError as error:
        raise Failure(str(error)) from error
    stretches.write(data, folder)
    return told(data, "rows")


CASE: Final = Case(
    name="package-sections",
    source="package synopses from this machine's apt mirror",
    acts=(
        Act(
            "known",
            "Act 1: no model yet",
            "The traffic is packages of Debian 11, none of them games.",
            "Retrain",
            1,
        ),
        Act(
            "games",
            "Act 2: games enter the traffic",
            "Two fifths of the traffic are games now; version 1 never saw any. Their label is "
            "desktop.",
            "FineTune",
            2,
        ),
        Act(
            "refiled",
            "Act 3: sections are re-filed",
            "The same packages under other labels: "
            + ", ".join(f"{old} is now {new}" for old, new in stretches.REFILED.items())
            + ". (We inject this concept drift; Debian never did it.)",
            "Retrain",
            3,
        ),
    ),
    stretches=("known", "games", "refiled", "quiet"),
    served_rows=stretches.SERVED_ROWS,
    fill=_fill,
)
