"""Cells that outlive an interruption: each finished one is a line of JSON outside the tree.

A cell is taken up again only if its key and the code that computed it are still the same.
"""

import hashlib
import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PAUSE_SECONDS: Final = 5.0

Key = tuple[Hashable, ...]
Cell = dict[str, Any]


def default_work() -> Path:
    """Where finished cells are kept unless told otherwise."""
    cache = os.environ.get("MM_CACHE") or Path.home() / ".cache/model-maintenance"
    return Path(cache) / "decision-cells"


def digest(files: Iterable[Path]) -> str:
    """Of the code that computes a cell: change it, and the cell is computed again."""
    found = hashlib.sha256()
    for file in sorted(files, key=lambda path: path.name):
        found.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return found.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Kept:
    """Finished cells of one part, computed by one state of the code."""

    file: Path
    code: str

    def read(self) -> dict[str, Cell]:
        """By key. Lines of other code, and one torn by an interruption, count for nothing."""
        found = {}
        lines = self.file.read_text(encoding="utf-8").split("\n") if self.file.exists() else []
        for line in lines:
            try:
                record = json.loads(line)
                if record["code"] == self.code:
                    found[_spelled(record["key"])] = record["cell"]
            except (ValueError, KeyError, TypeError):
                continue
        return found

    def of(self, keys: Iterable[Key]) -> list[Cell]:
        """Those of these keys that are there, in their order."""
        found = self.read()
        return [found[name] for key in keys if (name := _spelled(key)) in found]

    def add(self, key: Key, cell: Cell) -> None:
        """Append one, after whatever an interruption left."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"code": self.code, "key": list(key), "cell": cell})
        with self.file.open("ab+") as stream:
            if stream.tell():
                stream.seek(-1, os.SEEK_END)
                if stream.read() != b"\n":
                    stream.write(b"\n")
            stream.write(f"{line}\n".encode())


def computed(
    work: Callable[..., Cell],
    keys: Sequence[Key],
    kept: Kept,
    *,
    jobs: int = 1,
    pause: Path | None = None,
) -> list[Cell]:
    """The cells of all keys, in their order; only those not yet kept are computed.

    Args:
        work: makes a cell from a key's parts; importable, as other processes call it.
        keys: of strings and numbers.
        kept: where finished cells are.
        jobs: processes.
        pause: while this file exists no further cell is begun.
    """
    done = kept.read()
    missing = deque(key for key in keys if _spelled(key) not in done)
    told = _Told(len(missing), len(keys) - len(missing))
    with ProcessPoolExecutor(jobs) as pool:
        running: dict[Future[Cell], Key] = {}
        while missing or running:
            while missing and len(running) < jobs:
                _wait_while(pause)
                key = missing.popleft()
                running[pool.submit(work, *key)] = key
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                key = running.pop(future)
                cell = future.result()
                kept.add(key, cell)
                done[_spelled(key)] = cell
                told.one_more(key)
    return [done[_spelled(key)] for key in keys]


def _spelled(key: Iterable[Any]) -> str:
    return json.dumps(list(key))


def _wait_while(pause: Path | None) -> None:
    while pause is not None and pause.exists():
        time.sleep(PAUSE_SECONDS)


class _Told:
    """Progress on standard error, with the time that is left at this pace."""

    def __init__(self, missing: int, found: int) -> None:
        self._missing, self._done, self._start = missing, 0, time.monotonic()
        print(f"{found} cells are there, {missing} to compute", file=sys.stderr, flush=True)

    def one_more(self, key: Key) -> None:
        self._done += 1
        left = (time.monotonic() - self._start) / self._done * (self._missing - self._done)
        words = " ".join(map(str, key))
        print(
            f"{self._done}/{self._missing}  {words}  {left / 60:.0f} min left",
            file=sys.stderr,
            flush=True,
        )
