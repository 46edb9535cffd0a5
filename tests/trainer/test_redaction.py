"""What leaves a Job names what failed, and holds no secret: every way out, with canaries."""

import json
import logging
import signal
import socket
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from support.laboratory import QUICK, Lab

from maintenance_contract import DataRef, ModelRef, Operation, Task, TrainingReport, exits
from maintenance_contract.paths import REQUEST_FILE
from maintenance_trainer import job, redaction
from maintenance_trainer import report as reports
from maintenance_trainer.errors import TimeOver
from maintenance_trainer.locations import Places
from maintenance_trainer.redaction import RedactedStream, learn, redacted

CANARY = "Xq7canaryZ9"
"""Never in what leaves."""
KEYS = {"AWS_ACCESS_KEY_ID": f"AKID{CANARY}", "AWS_SECRET_ACCESS_KEY": f"key/{CANARY}+"}


@pytest.fixture(autouse=True)
def _forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test teaches to hide, the next does not know."""
    monkeypatch.setattr(redaction, "_known", set())
    monkeypatch.setattr(redaction, "_pattern", [])


@pytest.mark.parametrize(
    "text, told",
    [
        (
            f"GET http://user:{CANARY}@s3.example:9000/b/k?sig={CANARY} in 3 ms",
            "http://s3.example:9000 in",
        ),
        (f"'https://{CANARY}@hub.example/x'", "'https://hub.example'"),
        (f"at https://hub.example/{CANARY}: refused", "at https://hub.example: refused"),
        (f"(https://[fd00::1]:9000/{CANARY})", "(https://[fd00::1]:9000)"),
        (f"socks5h://u:{CANARY}@proxy.example:1080", "socks5h://proxy.example:1080"),
        (f"http://u:{CANARY}/{CANARY}@proxy.example/", "http://…"),
        (f"http://u:{CANARY}@proxy.example:{CANARY}", "http://…"),
        (f"https:\\/\\/u:{CANARY}@s3.example\\/{CANARY}", "https://s3.example"),
        (f"proxy user:{CANARY}@proxy.example:3128 refuses", "proxy ***@proxy.example:3128 refuses"),
        (
            f"HTTPSConnectionPool(host='h', port=443): with url: /a/{CANARY}?b={CANARY} (Caused",
            "(host='h', port=443): with url: … (Caused",
        ),
        (f"redirected to /login?token={CANARY}", "redirected to /login?…"),
        (f"Authorization: Bearer {CANARY}", "Bearer ***"),
        (f"password={CANARY}, host=h", "password=***, host=h"),
        ("hf_AbCdEfGhIjKlMnOpQrSt is no token", "*** is no token"),
        (f"s3://u:{CANARY}@bucket/path", "s3://***@bucket/path"),
        ("s3://models/news: there is no such bucket", "s3://models/news: there is no such bucket"),
        (
            "pvc://data/a b/c.csv, row 3; hf://org/model",
            "pvc://data/a b/c.csv, row 3; hf://org/model",
        ),
        ("column 'a:b' at 12:30, 3:4", "column 'a:b' at 12:30, 3:4"),
        ("a\x1b[31mb\u202ec\udc80\u2028d", "a\\x1b[31mb\\u202ec\\udc80 d"),
    ],
)
def test_a_text_keeps_what_names_the_failure(text: str, told: str) -> None:
    assert told in redacted(text)
    assert CANARY not in redacted(text)


def test_values_of_mounted_secrets_are_hidden_in_every_spelling(tmp_path: Path) -> None:
    values = {
        "AWS_ENDPOINT_URL": f"https://s3.example:9000/{CANARY}/minio",
        "AWS_REGION": "eu-central-1",
        "password": f"pä ß/{CANARY}",
        "ca.pem": f"-----BEGIN\n{CANARY}line1\n{CANARY}line2\n",
        "bucket": "models",
    }
    for key, value in values.items():
        (tmp_path / "any").mkdir(exist_ok=True)
        (tmp_path / "any" / key).write_text(value)
    redaction.learn_mounted(str(tmp_path), public="s3://models/news")
    for said in (*values.values(), quote(values["password"]), repr(values["ca.pem"])):
        assert CANARY not in redacted(f"x {said} y")
    assert redacted("s3://models in eu-central-1") == "s3://models in eu-central-1"
    assert "https://s3.example:9000" in redacted(values["AWS_ENDPOINT_URL"])


def test_streams_hide_what_comes_in_pieces_and_from_any_part_of_python(
    capsys: pytest.CaptureFixture[str],
) -> None:
    learn([CANARY])
    with redaction.redacted_streams():
        for piece in ("a", CANARY[:5], CANARY[5:] + "\n"):
            sys.stdout.write(piece)
            sys.stdout.flush()
        logging.getLogger("library").warning("https://u:%s@host/x", CANARY)
        logging.lastResort.handle(  # type: ignore[union-attr]
            logging.LogRecord("library", 30, "", 1, f"http://u:{CANARY}@host", None, None)
        )
        sys.stderr.write(warnings.formatwarning(f"http://u:{CANARY}@host", UserWarning, "f", 1))
        chained = RuntimeError(f"Bearer {CANARY}")
        chained.__cause__ = ValueError(f"http://u:{CANARY}@host")
        traceback.print_exception(chained)
        thread = threading.Thread(target=sys.stdout.write, args=(f"no end of line {CANARY}",))
        thread.start()
        thread.join()
    told = capsys.readouterr()
    assert CANARY not in told.out + told.err
    assert "a***\n" in told.out
    assert told.out.endswith("no end of line ***")
    assert "ValueError: http://host" in told.err
    assert not isinstance(sys.stdout, RedactedStream)


# --- a whole Job --------------------------------------------------------------------------


class _Answers(BaseHTTPRequestHandler):
    """Whatever a test wants, with canaries in it."""

    def do_GET(self) -> None:
        status, headers, body = self.server.answer(self.path)  # type: ignore[attr-defined]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_PUT = do_HEAD = do_POST = do_GET  # noqa: N815  # their names

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Job takes signals; a test gives them back. It gives up soon on who does not answer."""
    monkeypatch.setattr("maintenance_trainer.store.bucket.RETRIES", 0)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


Run = Callable[..., tuple[TrainingReport, int, str]]


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """A Job on a store in a bucket: its report, its exit code, and all that left it."""

    def job_with(secret: dict[str, str], **model: Any) -> tuple[TrainingReport, int, str]:
        secrets = tmp_path / "secrets"
        for key, value in secret.items():
            (secrets / "keys").mkdir(parents=True, exist_ok=True)
            (secrets / "keys" / key).write_text(value)
        lab = Lab(tmp_path / "claims", tmp_path, QUICK)
        places = {"base_model": "s3://base/x", "storage": "s3://models/news", **model}
        if secret:
            places = {"storage_secret": "keys", **places}
        request = lab.request(
            Operation.DIAGNOSE,
            1,
            model=ModelRef(Task.TEXT_CLASSIFICATION, **places),
            data=DataRef("s3://data/original", "s3://data/updates"),
        )
        file, log = tmp_path / REQUEST_FILE, tmp_path / "termination-log"
        file.write_text(request.to_json())
        code = job.run(file, Places(str(lab.claims), str(secrets)), log)
        told = capfd.readouterr()
        report = TrainingReport.from_json(log.read_text())
        return report, code, log.read_text() + told.out + told.err

    return job_with


@pytest.mark.parametrize(
    "endpoint",
    [
        CANARY,
        f"user:{CANARY}@host:9000",
        f"http://user:{CANARY}@127.0.0.1:1",
        f"http://127.0.0.1:1?token={CANARY}",
        f"http://127.0.0.1:1#{CANARY}",
        f"http://ho st/{CANARY}",
        f"http://127.0.0.1:{CANARY}",
        f"http://127.0.0.1:99999/{CANARY}",
        f"http://[::1/{CANARY}",
        f"http://%zz{CANARY}",
        f"http://127.0.0.1/ä{CANARY}",
        f"ftp://127.0.0.1/{CANARY}",
        "http://",
        "http://a..b",
    ],
)
@pytest.mark.parametrize("of", ["secret", "environment"])
def test_an_endpoint_that_is_no_url_is_a_report_that_says_so(
    run: Run, endpoint: str, of: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if of == "secret":
        report, code, told = run({**KEYS, "AWS_ENDPOINT_URL": endpoint})
    else:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        report, code, told = run({})
    assert (report.reason in {"CredentialsMissing", "StorageRefused"}, code) == (
        True,
        exits.CONFIGURATION_ERROR,
    ), report.message
    assert "AWS_ENDPOINT_URL" in report.message or "mend endpoint" in report.message
    assert CANARY not in told


@pytest.mark.parametrize(
    "values",
    [
        {"AWS_REGION": "eu central\n1"},
        {"AWS_ACCESS_KEY_ID": f"a b{CANARY}"},
        {"AWS_SESSION_TOKEN": f"ä{CANARY}"},
        {"AWS_SECRET_ACCESS_KEY": f"{CANARY}\n{CANARY}"},
        {"AWS_ENDPOINT_URL": f"\n {CANARY}"},
    ],
)
def test_keys_that_no_header_can_carry(run: Run, values: dict[str, str]) -> None:
    report, code, told = run({**KEYS, "AWS_ENDPOINT_URL": "http://127.0.0.1:1", **values})
    assert (report.reason, code) == ("CredentialsMissing", exits.CONFIGURATION_ERROR)
    assert next(iter(values)) in report.message
    assert CANARY not in told


@pytest.mark.slow
def test_what_no_check_foresees_in_settings_is_no_crash(run: Run) -> None:
    """The client gives up on this host's name when it is first used."""
    report, code, _ = run({**KEYS, "AWS_ENDPOINT_URL": "http://xn--a"})
    assert (report.reason, code) == ("StorageRefused", exits.CONFIGURATION_ERROR)
    assert "mend endpoint" in report.message


def test_a_server_that_is_away_is_named_by_host_and_cause(run: Run, closed_port: int) -> None:
    endpoint = f"http://127.0.0.1:{closed_port}/hidden/{CANARY}"
    report, code, told = run({**KEYS, "AWS_ENDPOINT_URL": endpoint})
    assert (report.reason, code) == ("StorageUnreachable", 1)
    assert "connection refused" in report.message
    assert CANARY not in told


@pytest.mark.slow
def test_what_a_server_says_is_not_repeated(run: Run, server: ThreadingHTTPServer) -> None:
    """Not the key that it names, nor where it redirects to, nor how it colours a terminal."""
    answers: list[tuple[int, dict[str, str], bytes]] = [
        (400, {}, f"<Error><Code>Bad</Code>{CANARY}\x1b[31m</Error>".encode()),
        (307, {"Location": f"http://127.0.0.1:1/{CANARY}?token={CANARY}"}, b""),
        (302, {"Location": f"ftp://u:{CANARY}@host/{CANARY}"}, b""),
        (200, {"ETag": CANARY}, CANARY.encode()),
        (404, {}, CANARY.encode()),
    ]
    for number, answer in enumerate(answers):
        server.answer = lambda _path, answer=answer: answer  # type: ignore[attr-defined]
        url = f"http://127.0.0.1:{server.server_port}"
        report, code, told = run({**KEYS, "AWS_ENDPOINT_URL": url})
        assert code != exits.OK, number
        assert CANARY not in told, (number, report.message)
        assert "\x1b" not in told


def test_a_proxy_s_password_stays_inside(
    run: Run, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://user:{CANARY}@127.0.0.1:{closed_port}")
    monkeypatch.setenv("NO_PROXY", "")
    report, _, told = run({**KEYS, "AWS_ENDPOINT_URL": "http://s3.example"})
    assert report.reason == "StorageUnreachable"
    assert CANARY not in told


class PanicException(BaseException):
    """As PyO3 makes it: no ``Exception``."""


PanicException.__module__ = "pyo3_runtime"


@pytest.mark.parametrize(
    "error, reason, code",
    [
        (PanicException(f"unwrap on http://u:{CANARY}@host/x"), "InternalError", 1),
        (SystemExit(f"usage: {CANARY}@x http://u:{CANARY}@host"), "InternalError", 1),
        (RecursionError(f"https://host/{CANARY}"), "InternalError", 1),
        (KeyboardInterrupt(), "Interrupted", exits.INTERRUPTED),
        (GeneratorExit(), "InternalError", 1),
        (MemoryError(), "OutOfMemory", exits.OUT_OF_MEMORY),
    ],
    ids=lambda value: type(value).__name__,
)
def test_nothing_leaves_without_a_report(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, reason: str, code: int
) -> None:
    def fails(*_: object) -> None:
        raise error from ValueError(f"http://u:{CANARY}@host/{CANARY}")

    monkeypatch.setattr("maintenance_trainer.job.Store.open", fails)
    learn([CANARY])
    report, left, told = run({})
    assert (report.reason, left) == (reason, code)
    assert CANARY not in told


def test_a_signal_while_the_report_is_made_does_not_take_it_away(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM comes when it comes: here, while it is told that the time is over."""
    made = reports.failed

    def once(*_: object) -> None:
        monkeypatch.setattr("maintenance_trainer.job.reports.failed", made)
        signal.raise_signal(signal.SIGTERM)

    def fails(*_: object) -> None:
        monkeypatch.setattr("maintenance_trainer.job.reports.failed", once)
        raise TimeOver

    monkeypatch.setattr("maintenance_trainer.job.perform", fails)
    report, code, _ = run({})
    assert (report.reason, code) == ("Interrupted", exits.INTERRUPTED)


@pytest.mark.parametrize("where", ["close", "say"])
def test_what_fails_around_the_operation_is_reported_too(
    run: Run, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def fails(*_: object) -> None:
        raise PanicException("late")

    owner = "locations.Places" if where == "close" else "progress.LogProgress"
    monkeypatch.setattr(f"maintenance_trainer.{owner}.{where}", fails)
    if where == "say":
        monkeypatch.setattr("maintenance_trainer.job.perform", lambda *args: args[2].say("x"))
    report, code, _ = run({**KEYS, "AWS_REGION": "a b"})
    assert report.outcome == "Failed"
    assert code != exits.OK


def test_a_report_that_no_encoding_can_spell_is_one(tmp_path: Path) -> None:
    lab = Lab(tmp_path, tmp_path, QUICK)
    request = lab.request(Operation.DIAGNOSE, 1)
    odd = replace(reports.failed(request, "X", "y"), message="b\udce9.csv")
    job._emit(request, odd, tmp_path / "log")
    assert json.loads((tmp_path / "log").read_text())["outcome"] == "Failed"
