"""The operator as a process of its own, with its log."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from support.api import until

ROOT = Path(__file__).resolve().parents[2]


Servers = Mapping[str, str | Mapping[str, Any]]
"""By name: the URL, or all that the configuration says of one."""


class OperatorProcess:
    """``python -m maintenance_operator run`` on one namespace or some, or on all (None)."""

    def __init__(
        self,
        kubeconfig: Path,
        namespace: str | Sequence[str] | None,
        servers: Servers,
        log: Path,
        trainer: Mapping[str, Any] | None = None,
    ) -> None:
        self._kubeconfig = kubeconfig
        self._namespaces = [namespace] if isinstance(namespace, str) else list(namespace or ())
        self._log = log
        self._config = log.with_suffix(".yaml")
        self._config.write_text(
            yaml.safe_dump(
                {
                    "prometheusServers": {
                        name: {"url": server} if isinstance(server, str) else dict(server)
                        for name, server in servers.items()
                    },
                    "trainer": {"image": "model-maintenance/trainer:test", **(trainer or {})},
                }
            ),
            encoding="utf-8",
        )
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; a second start appends to the log."""
        paths = [str(ROOT / part / "src") for part in ("contract", "core", "operator")]
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "maintenance_operator",
                "run",
                "--config",
                str(self._config),
                *(part for name in self._namespaces for part in ("--namespace", name)),
                "--port",
                "0",
                "--log-format",
                "json",
                "--log-level",
                "debug",
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={
                    **os.environ,
                    "KUBECONFIG": str(self._kubeconfig),
                    "PYTHONPATH": os.pathsep.join(paths),
                },
            )

    async def ready(self, seconds: float = 60.0) -> None:
        """Wait until it watches."""

        async def look() -> bool:
            assert self.running, f"the operator ended:\n{self._log.read_text()[-3000:]}"
            return self.port is not None and (await self.page("/readyz"))[0] == 200

        await until(look, seconds, "the operator watches")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def port(self) -> int | None:
        """Of its pages, once it serves them."""
        ports = [line["port"] for line in self.log() if "port" in line]
        return ports[-1] if ports else None

    async def page(self, path: str) -> tuple[int, str]:
        """Status and text of one of its pages."""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{self.port}{path}") as reply,
            ):
                return reply.status, await reply.text()
        except aiohttp.ClientError:
            return 0, ""

    def log(self) -> list[dict[str, Any]]:
        """Its log so far, all starts together; lines that are no JSON come as ``raw``."""
        if not self._log.exists():
            return []
        lines = []
        for line in self._log.read_text(encoding="utf-8").splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                lines.append({"raw": line, "level": "raw", "message": line})
        return lines

    def tail(self, lines: int = 40) -> str:
        """The end of its log, for a person."""
        return "\n".join(str(line) for line in self.log()[-lines:])

    def complaints(self, namespace: str | None = None) -> list[str]:
        """Lines at error or above (of a namespace), and what Python wrote by itself."""
        return [
            f"{line['message']} {line.get('traceback', '')}"
            for line in self.log()
            if line["level"] in {"error", "critical", "raw"}
            and namespace in {None, line.get("namespace", namespace)}
        ]

    def kill(self) -> None:
        """As the kernel would: no chance to say goodbye."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    async def ended(self, seconds: float = 60.0) -> int:
        """Wait for its end; the exit code."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), seconds)

    async def stop(self, seconds: float = 60.0) -> int:
        """SIGTERM; the exit code."""
        if self.running:
            os.kill(self.pid, signal.SIGTERM)
        return await self.ended(seconds)


@contextlib.asynccontextmanager
async def operator(
    kubeconfig: Path,
    namespace: str | Sequence[str] | None,
    servers: Servers,
    *,
    wait: bool = True,
    trainer: Mapping[str, Any] | None = None,
) -> AsyncIterator[OperatorProcess]:
    """An operator that runs as long as the block lasts; ``trainer``: of its configuration."""
    with tempfile.TemporaryDirectory(prefix="model-maintenance-operator-") as directory:
        process = OperatorProcess(kubeconfig, namespace, servers, Path(directory) / "log", trainer)
        await process.start()
        try:
            if wait:
                await process.ready()
            yield process
        except BaseException:
            sys.stderr.write(process.tail())  # pytest shows it with the failure
            raise
        finally:
            if process.running:
                process.kill()
                await process.ended()
