#!/usr/bin/env python3
"""Draw docs/pictures/screen-*.png from a running cluster; dev/screenshots calls it.

What commands print is shown as it was printed. The dashboard's panels are drawn from
charts/model-maintenance/files/dashboard.json, query by query, by the answers of the cluster's
Prometheus: the queries and the numbers are Grafana's, the drawing is not.
"""

import argparse
import html
import json
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.dates as mdates
import matplotlib.pyplot as plt

ROOT: Final = Path(__file__).resolve().parent.parent
PICTURES: Final = ROOT / "docs/pictures"
DASHBOARD: Final = ROOT / "charts/model-maintenance/files/dashboard.json"
SCREENS: Final[Mapping[str, Sequence[str]]] = {
    "get": ("kubectl get mm -A", "kubectl get jobs,configmaps -n {name}"),
    "describe": ("kubectl describe mm {name} -n {name}",),
    "status": ("kubectl mm status {name} -n {name}",),
    "why": ("kubectl mm why {name} -n {name}",),
    "history": ("kubectl mm history {name} -n {name}",),
    "events": ("kubectl events -n {name} --for modelmaintenance/{name}",),
}
"""By picture; an example's resource and namespace share a name."""
MOST_LINES: Final = 120
PLUGIN: Final = ("kubectl", "mm")
CHARACTER, LINE, MARGIN = 8.0, 18, 16
"""Pixels of the terminal's font, and around it."""
STEPS: Final = 300
VARIABLES: Final = {"$__rate_interval": "1m", "$namespace": ".*", "$name": ".*"}
PAGE: Final = """<meta charset="utf-8"><style>
body {{ margin: 0; background: #0f172a; }}
pre {{ margin: {margin}px; font: 13px/{line}px "DejaVu Sans Mono", monospace; color: #e2e8f0; }}
b {{ color: #7dd3fc; font-weight: normal; }}
</style><pre>{text}</pre>"""


def printed(command: str) -> list[str]:
    """What a command prints, cut where it is too long for a picture."""
    words = shlex.split(command)
    if tuple(words[:2]) == PLUGIN:
        words = [sys.executable, "-m", "maintenance_operator.cli", *words[2:]]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{command}: {done.stderr.strip()}")
    lines = done.stdout.rstrip().splitlines()
    rest = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], *([f"... {rest} more lines"] if rest > 0 else [])]


def terminal(name: str, commands: Sequence[str]) -> Path:
    """A picture of a terminal after these commands."""
    shown, longest, count = [], 0, 0
    for command in commands:
        lines = printed(command)
        shown += [f"<b>$ {html.escape(command)}</b>", *map(html.escape, lines), ""]
        longest = max(longest, *map(len, [command, *lines]))
        count += len(lines) + 2
    file = PICTURES / f"screen-{name}.png"
    width = int(longest * CHARACTER) + 2 * MARGIN
    height = (count - 1) * LINE + 2 * MARGIN
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(PAGE.format(margin=MARGIN, line=LINE, text="\n".join(shown)))
        subprocess.run(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             f"--window-size={width},{height}", f"--screenshot={file}", page.as_uri()],
            check=True, capture_output=True,
        )  # fmt: skip
    return file


# --- the dashboard ----------------------------------------------------------------------


def prometheus() -> str:
    """Where the cluster's Prometheus answers."""
    form = "jsonpath={.spec.clusterIP}:{.spec.ports[0].port}"
    found = subprocess.check_output(
        ["kubectl", "get", "service", "prometheus", "-n", "examples-monitoring", "-o", form],
        text=True,
    )
    return f"http://{found}"


def ask(server: str, expression: str, start: float, end: float) -> list[dict[str, Any]]:
    """The series of a panel's query."""
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    step = max(1, round((end - start) / STEPS))
    query = {"query": expression, "start": start, "end": end, "step": step}
    url = f"{server}/api/v1/query_range?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=30) as reply:  # noqa: S310 - the cluster's own
        series: list[dict[str, Any]] = json.load(reply)["data"]["result"]
    return series


def named(legend: str, labels: Mapping[str, str]) -> str:
    """A series' name as the panel writes it."""
    for label, value in labels.items():
        legend = legend.replace(f"{{{{{label}}}}}", value)
    return legend or ", ".join(labels.values())


def dashboard(server: str, minutes: float) -> Path:
    """All panels at their places."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    end = time.time()
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    figure = plt.figure(figsize=(15, rows * 0.32), facecolor="white")
    for panel in panels:
        place = panel["gridPos"]
        left, width = place["x"] / 24, place["w"] / 24
        bottom, height = 1 - (place["y"] + place["h"]) / rows, place["h"] / rows
        box = (left + 0.03, bottom + height * 0.17, width - 0.04, height * 0.66)
        if panel["type"] == "row":
            figure.text(left + 0.01, bottom + 0.003, panel["title"], weight="bold", size=13)
            continue
        axes = figure.add_axes(box)
        axes.set_title(panel["title"], loc="left", size=10)
        found = list(_series(server, panel, end - 60 * minutes, end))
        _single(axes, found) if panel["type"] == "stat" else _lines(axes, found)
    file = PICTURES / "screen-dashboard.png"
    figure.savefig(file, dpi=80)
    return file


def _series(
    server: str, panel: Mapping[str, Any], start: float, end: float
) -> Iterator[tuple[str, list[tuple[datetime, float]]]]:
    for target in panel["targets"]:
        for series in ask(server, target["expr"], start, end):
            points = [
                (datetime.fromtimestamp(moment, UTC), float(value))
                for moment, value in series["values"]
            ]
            yield named(target.get("legendFormat", ""), series["metric"]), points


def _single(axes: Any, found: Sequence[tuple[str, Sequence[tuple[datetime, float]]]]) -> None:
    value = f"{found[0][1][-1][1]:g}" if found else "No data"
    axes.text(0.5, 0.4, value, ha="center", va="center", size=22, color="#15803d")
    axes.set_axis_off()


def _lines(axes: Any, found: Sequence[tuple[str, Sequence[tuple[datetime, float]]]]) -> None:
    for name, points in found:
        axes.plot([time for time, _ in points], [value for _, value in points], label=name, lw=1.2)
    if found:
        axes.legend(loc="upper left", fontsize=7, framealpha=0.6)
        clock = mdates.DateFormatter("%H:%M")  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_formatter(clock)
    else:
        axes.text(0.5, 0.5, "No data", ha="center", va="center", transform=axes.transAxes)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)


def main() -> int:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="package-sections", help="of the example's resource")
    parser.add_argument("--minutes", type=float, default=12, help="the dashboard shows the last N")
    options = parser.parse_args()
    for name, commands in SCREENS.items():
        shown = [command.format(name=options.name) for command in commands]
        print(terminal(name, shown).relative_to(ROOT))
    print(dashboard(prometheus(), options.minutes).relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
