"""A real Prometheus, with an exporter whose series a test may set."""

import asyncio
import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from support.pace import Allowance


class Exporter:
    """A page of metrics: ``exporter['accuracy{model="news"}'] = 0.93``; None takes it away."""

    def __init__(self) -> None:
        self._series: dict[str, float] = {}
        exporter = self

        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                text = "".join(
                    f"{name} {value}\n" for name, value in dict(exporter._series).items()
                )
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def __setitem__(self, series: str, value: float | None) -> None:
        if value is None:
            self._series.pop(series, None)
        else:
            self._series[series] = value

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class PrometheusServer:
    """A Prometheus that scrapes one exporter each second."""

    def __init__(
        self,
        exporter: Exporter,
        directory: Path,
        port: int | None = None,
        web_config: Path | None = None,
    ) -> None:
        self._program = shutil.which("prometheus") or "/usr/bin/prometheus"
        self._directory = directory
        self._web_config = web_config
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None
        (directory / "prometheus.yml").write_text(
            yaml.safe_dump(
                {
                    "global": {"scrape_interval": "1s"},
                    "scrape_configs": [
                        {"job_name": "models", "static_configs": [{"targets": [exporter.address]}]}
                    ],
                }
            ),
            encoding="utf-8",
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def backfill(self, history: Mapping[str, Sequence[tuple[float, float]]]) -> None:
        """Give it a past before it starts: by series (time, value), as if scraped then."""
        lines = [
            f"{series} {value} {time:.3f}"
            for series, points in history.items()
            for time, value in points
        ]
        page = self._directory / "history.txt"
        page.write_text("\n".join([*lines, "# EOF\n"]), encoding="utf-8")
        subprocess.run(
            ["promtool", "tsdb", "create-blocks-from", "openmetrics", page, "data"],
            cwd=self._directory,
            check=True,
            capture_output=True,
        )

    def start(self) -> None:
        """Start, and wait until it is ready."""
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._program,
                    f"--config.file={self._directory}/prometheus.yml",
                    f"--storage.tsdb.path={self._directory}/data",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--log.level=warn",
                    *([f"--web.config.file={self._web_config}"] if self._web_config else []),
                ],
                stdout=log,
                stderr=log,
            )
        allowance = Allowance(120)
        while not self._ready():
            assert self._process.poll() is None, (self._directory / "log").read_text()
            assert not allowance.used_up(), "Prometheus is not ready after 120 s"
            time.sleep(0.05)

    def stop(self) -> None:
        """End it; what it stored stays for the next start."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def query(self, query: str) -> list[dict[str, Any]]:
        """The result of an instant query."""
        url = f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        with urllib.request.urlopen(url, timeout=5) as reply:  # noqa: S310 - our own address
            return json.load(reply)["data"]["result"]

    def _ready(self) -> bool:
        if self._web_config is not None:  # it does not answer just anybody
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=1) as reply:  # noqa: S310
                return reply.status == 200
        except OSError:
            return False


class VictoriaMetrics:
    """Debian's VictoriaMetrics, as it is installed; it takes what is sent to it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    shutil.which("victoria-metrics") or "/usr/bin/victoria-metrics",
                    f"-storageDataPath={self._directory}/data",
                    f"-httpListenAddr=127.0.0.1:{self.port}",
                    "-memory.allowedBytes=64MB",
                ],
                stdout=log,
                stderr=log,
            )
        allowance = Allowance(120)
        while not self._ready():
            assert self._process.poll() is None, (self._directory / "log").read_text()
            assert not allowance.used_up(), "VictoriaMetrics is not ready after 120 s"
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)

    def take(self, series: str, points: Iterable[tuple[float, float]]) -> None:
        """Store points of a series: (time, value)."""
        lines = "".join(f"{series} {value} {round(at * 1000)}\n" for at, value in points)
        self._get("api/v1/import/prometheus", lines.encode())
        self._get("internal/force_flush")  # else it takes a second or more until they are seen

    def _ready(self) -> bool:
        try:
            self._get("health")
        except OSError:
            return False
        return True

    def _get(self, path: str, data: bytes | None = None) -> None:
        with urllib.request.urlopen(f"{self.url}/{path}", data, timeout=5):  # noqa: S310
            pass


@contextlib.contextmanager
def prometheus(exporter: Exporter) -> Iterator[PrometheusServer]:
    """A Prometheus that runs as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="model-maintenance-prometheus-") as directory:
        server = PrometheusServer(exporter, Path(directory))
        server.start()
        try:
            yield server
        finally:
            server.stop()


async def seen(server: PrometheusServer, query: str, seconds: float = 60.0) -> None:
    """Wait until a query yields something at a time that is already past."""
    allowance = Allowance(seconds)
    while not await asyncio.to_thread(server.query, query):
        assert not allowance.used_up(), f"{query} yields nothing after {seconds} s"
        await asyncio.sleep(0.1)


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
