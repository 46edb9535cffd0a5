"""From samples to figures, and figures to JSON and to a table. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

MOST_DIGITS: Final = 4
COLUMNS: Final = ("n", "value", "p50", "p99", "min", "max")


def quantile(samples: Sequence[float], share: float) -> float:
    """Between the two nearest samples, in proportion (numpy's default, Hyndman and Fan's 7)."""
    ordered = sorted(samples)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def summary(rounds: Sequence[Sequence[float]], **about: object) -> dict[str, Any]:
    """n, quantiles and range of all samples, and those of each round: their spread.

    Args:
        rounds: the samples of each repetition.
        about: what else the figure says of itself.
    """
    pooled = [sample for samples in rounds for sample in samples]
    return {
        **about,
        **_quantiles(pooled),
        "p25": _short(quantile(pooled, 0.25)),
        "p75": _short(quantile(pooled, 0.75)),
        "rounds": [_quantiles(samples) for samples in rounds if samples],
    }


def value(rounds: Sequence[float], **about: object) -> dict[str, Any]:
    """The median of one number a round, with all of them."""
    return {
        **about,
        "value": _short(quantile(rounds, 0.5)),
        "n": len(rounds),
        "min": _short(min(rounds)),
        "max": _short(max(rounds)),
        "rounds": [_short(each) for each in rounds],
    }


def _quantiles(samples: Sequence[float]) -> dict[str, Any]:
    return {
        "n": len(samples),
        "p50": _short(quantile(samples, 0.5)),
        "p99": _short(quantile(samples, 0.99)),
        "min": _short(min(samples)),
        "max": _short(max(samples)),
    }


def _short(number: float) -> float:
    """Four significant digits: more would be noise."""
    if number == 0 or not math.isfinite(number):
        return number
    digits = MOST_DIGITS - 1 - math.floor(math.log10(abs(number)))
    rounded = round(number, max(0, digits))
    return int(rounded) if rounded == int(rounded) and digits <= 0 else rounded


def table(results: Mapping[str, Any]) -> str:
    """All figures of a result, for a terminal."""
    figures = {name: figure for name, figure in results.items() if name != "about"}
    width = max(map(len, figures))
    rows = [dict(zip(COLUMNS, COLUMNS, strict=True)), *figures.values()]
    lines = []
    for name, row in zip(["", *figures], rows, strict=True):
        cells = (f"{row.get(column, ''):>9}" for column in COLUMNS)
        lines.append(f"{name:{width}}{''.join(cells)}".rstrip())
    return "\n".join(lines)


# --- results that are kept ---------------------------------------------------------------


def merged(measured: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """New measurements, and what other commands had put on record beside the old ones."""
    recorded = {
        name: figure
        for name, figure in before.items()
        if isinstance(figure, Mapping) and figure.get("recorded")
    }
    return {**measured, **{name: kept for name, kept in recorded.items() if name not in measured}}


def record(
    results: Mapping[str, Any], numbers: Mapping[str, float], date: str, machine: Mapping[str, Any]
) -> dict[str, Any]:
    """Results with numbers that somebody else measured: each says when and where."""
    return {
        **results,
        **{
            name: {"value": number, "recorded": True, "date": date, "machine": dict(machine)}
            for name, number in numbers.items()
        },
    }
