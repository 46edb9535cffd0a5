"""Sends rows of the current stretch to the server at a steady rate, and their true labels after.

The stretch is named by the key ``stretch`` of ConfigMap ``<MODEL>-traffic``; its rows lie in
``<STRETCHES>/<stretch>/served.jsonl``. Where ``labelled.jsonl`` lies beside them, a labelled sample
of the same traffic, it is put among the updates once the stretch has begun: written under another
name and renamed, so that nobody reads half a file.

Environment: MODEL, SERVER (its URL), STRETCHES, UPDATES (folders), ROWS_PER_SECOND, LABEL_DELAY.
"""

import json
import logging
import os
import random
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from watch import config_map

FEEDBACK_SECONDS: Final = 1.0
"""How long after an answer its true labels are known."""
log = logging.getLogger("traffic")


@dataclass(frozen=True, slots=True)
class Settings:
    """From the environment."""

    model: str
    server: str
    stretches: Path
    updates: Path
    rows_per_second: int
    label_delay: float

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Read them; a missing one is named by a ``KeyError``."""
        return cls(
            environment["MODEL"],
            environment["SERVER"].rstrip("/"),
            Path(environment["STRETCHES"]),
            Path(environment["UPDATES"]),
            int(environment.get("ROWS_PER_SECOND", "40")),
            float(environment.get("LABEL_DELAY", "5")),
        )


class Current:
    """The current stretch, followed in a thread of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.name = ""

    def follow(self) -> None:
        """Take each stretch that the ConfigMap names, for ever."""
        for data in config_map(f"{self._settings.model}-traffic"):
            name = data.get("stretch", "")
            if not (self._settings.stretches / name / "served.jsonl").is_file():
                log.warning("no stretch %r; the traffic stays at %r", name, self.name)
                continue
            log.info("the traffic is now %r", name)
            self.name = name
            threading.Timer(self._settings.label_delay, self._labels_arrive, [name]).start()

    def _labels_arrive(self, name: str) -> None:
        labelled = self._settings.stretches / name / "labelled.jsonl"
        target = self._settings.updates / f"{name}.jsonl"
        if not labelled.exists() or target.exists():
            return
        unfinished = target.with_name(f".{target.name}.tmp")
        shutil.copyfile(labelled, unfinished)
        unfinished.rename(target)
        log.info("labels of %r have arrived: %s", name, target)


def batches(rows: Sequence[Mapping[str, Any]], size: int, seed: int = 0) -> Iterator[list[Any]]:
    """Rows in random order, each once before any comes again. Never ends."""
    chance = random.Random(seed)  # noqa: S311  # an order, no secret
    waiting: deque[Mapping[str, Any]] = deque()
    while True:
        while len(waiting) < size:
            waiting.extend(chance.sample(rows, len(rows)))
        yield [waiting.popleft() for _ in range(size)]


def run(settings: Settings, current: Current) -> None:
    """One batch a second, for ever."""
    name = ""
    source: Iterator[list[Any]] = iter(())
    feedback: deque[tuple[float, dict[str, Any]]] = deque()
    due = time.monotonic()
    while True:
        due = max(due + 1.0, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))
        if current.name != name:
            name = current.name
            source = batches(_rows(settings.stretches / name / "served.jsonl"),
                             settings.rows_per_second)  # fmt: skip
        batch = next(source, None)
        if batch is None:
            continue
        try:
            while feedback and feedback[0][0] <= time.monotonic():
                _post(f"{settings.server}/feedback", feedback.popleft()[1])
            rows = [{column: row[column] for column in row if column != "label"} for row in batch]
            answer = _post(f"{settings.server}/predict", {"rows": rows})
        except OSError as error:
            log.warning("the server does not answer: %s", error)
            continue
        truth = {"id": answer["id"], "labels": [row["label"] for row in batch]}
        feedback.append((time.monotonic() + FEEDBACK_SECONDS, truth))


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _post(url: str, body: Mapping[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310  # the server's URL is ours
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
        content = response.read()
    return json.loads(content) if content else {}


def main() -> None:
    """Send until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    settings = Settings.read(os.environ)
    current = Current(settings)
    threading.Thread(target=current.follow, daemon=True).start()
    run(settings, current)


if __name__ == "__main__":
    main()
