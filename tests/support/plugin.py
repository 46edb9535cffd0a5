"""``kubectl mm``: its ``main``, in a thread, because it brings a loop of its own."""

import asyncio
import contextlib
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from maintenance_operator.cli.command import main


@dataclass(frozen=True)
class Done:
    """What it printed, and how it ended."""

    code: int
    out: str
    err: str


class Plugin:
    """The command, with a kubeconfig and a namespace; one call at a time."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self._always = ["--kubeconfig", str(kubeconfig), "-n", namespace]

    async def __call__(self, *arguments: str, text: str = "") -> Done:
        """Run to its end; ``text`` is its standard input."""
        return await asyncio.to_thread(self._run, arguments, text)

    def _run(self, arguments: tuple[str, ...], text: str) -> Done:
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        err = io.StringIO()
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            mock.patch.object(sys, "stdin", io.StringIO(text)),
        ):
            try:
                code = main([*arguments, *self._always])
            except SystemExit as refused:  # argparse
                code = int(refused.code or 0)
        written = out.buffer
        assert isinstance(written, io.BytesIO)
        return Done(code, written.getvalue().decode(), err.getvalue())
