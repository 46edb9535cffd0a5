"""Keys of a bucket that can be no paths: told, and no reason to try again later."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

from maintenance_contract import DataRef, StorageUri
from maintenance_trainer.data import folders
from maintenance_trainer.data.snapshot import take_snapshot
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.locations import Places
from maintenance_trainer.store.bucket import Bucket
from maintenance_trainer.tasks.texts import SOURCE

ROWS = b"text,label\n%s,x\n"
ODD = "its key holds an empty, a '.' or a '..' part, or a very long one: rename it"
LONG = "n" * 300 + ".csv"


class _Objects(BaseHTTPRequestHandler):
    """An S3 server of one bucket that takes any key, as AWS does."""

    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query, keep_blank_values=True)
        if "list-type" in query:
            self._answer(200, self._listing(query["prefix"][0]))
            return
        content = self.server.objects.get(unquote(url.path).split("/", 2)[2])
        if content is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        else:
            self._answer(200, content)

    do_HEAD = do_GET  # noqa: N815  # its name

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(self.server.refusal[0], self.server.refusal[1])

    def _listing(self, prefix: str) -> bytes:
        items = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(content)}</Size>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag>"
            "</Contents>"
            for key, content in sorted(self.server.objects.items())
            if key.startswith(prefix)
        )
        return (
            f"<?xml version='1.0'?><ListBucketResult><Name>b</Name><Prefix>{escape(prefix)}"
            f"</Prefix><IsTruncated>false</IsTruncated>{items}</ListBucketResult>"
        ).encode()

    def _answer(self, status: int, body: bytes) -> None:
        start, end = 0, len(body)
        if match := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
            start, end = int(match[1]), int(match[2]) + 1
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(body)}")
        else:
            self.send_response(status)
        self.send_header("ETag", '"e"')
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[start:end])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.refusal = (200, b"")
        super().__init__(("127.0.0.1", 0), _Objects)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[_Server]:
    server = _Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "bucket").mkdir()
    for key, value in {
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
    }.items():
        (tmp_path / "bucket" / key).write_text(value)
    yield server
    server.shutdown()
    server.server_close()


SECRET = "bucket"  # noqa: S105  # a Secret's name
DATA = DataRef("s3://bucket/o", "s3://bucket/data/u", original_secret=SECRET, updates_secret=SECRET)


@pytest.mark.slow
@pytest.mark.parametrize(
    "keys, left",
    [
        (["data/u//x.csv"], {"updates//x.csv": ODD}),
        (
            ["data/u/a//x.csv", "data/u/a/../y.csv"],
            {
                "updates/a//x.csv": ODD,
                "updates/a/../y.csv": ODD,
            },
        ),
        (["data/u/./x.csv"], {"updates/./x.csv": ODD}),
        (["data/u//"], {}),
        (["data/u/", "data/u/folder.csv/", "data/u/2026/"], {}),
        (["data/u/folder.csv/", "data/u/folder.csv/_SUCCESS"], {}),
        (
            ["data/u/w.csv.gz", "data/u/README.md"],
            {
                "updates/w.csv.gz": "compressed or packed: unpack it",
            },
        ),
        (["data/u/half.csv.tmp"], {"updates/half.csv.tmp": "still being written, by its name"}),
    ],
)
def test_odd_keys_are_told_and_the_others_read(
    server: _Server, tmp_path: Path, keys: list[str], left: dict[str, str]
) -> None:
    server.objects = {
        "o/a.csv": ROWS % b"a",
        "data/u/good.csv": ROWS % b"b",
        **{key: b"" if key.endswith("/") else ROWS % b"odd" for key in keys},
    }
    with Places("", str(tmp_path)) as places:
        snapshot, dataset = take_snapshot(
            DATA, places, SOURCE, known=frozenset(), champion_holdout=None, tell=lambda _: None
        )
        read = {(file.origin, file.name) for file in snapshot.files}
        told = {
            file.name: file.why for file in folders.left_out(DATA, places, read, SOURCE.suffixes)
        }
    assert {row.text for row in dataset.rows if row.new} == {"b"}
    assert told == left


@pytest.mark.slow
def test_a_key_too_long_for_a_file_and_one_that_is_a_folder_are_told(
    server: _Server, tmp_path: Path
) -> None:
    server.objects = {
        "o/a.csv": ROWS % b"a",
        f"data/u/{LONG}": ROWS % b"b",
        "data/u/x.csv": ROWS % b"c",
        "data/u/x.csv/part.csv": ROWS % b"d",
    }
    with Places("", str(tmp_path)) as places:
        _, dataset = take_snapshot(
            DATA, places, SOURCE, known=frozenset(), champion_holdout=None, tell=lambda _: None
        )
        left = places.left_out(places.data(DATA.updates, "bucket", SOURCE.suffixes)[0])
    assert {row.text for row in dataset.rows if row.new} == {"d"}
    assert [file.why for file in left] == [ODD, "its key is that of a folder, too: rename it"]


@pytest.mark.slow
def test_a_store_beside_odd_keys_has_its_numbers(server: _Server, tmp_path: Path) -> None:
    server.objects = {"s/runs//7": b"", "s/runs/3/x": b"", "s/runs": b""}
    listed = Bucket(StorageUri.parse("s3://bucket/s"), "bucket", str(tmp_path)).list("runs")
    assert [found.name for found in listed] == ["runs//7", "runs/3/x"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "status, code", [(507, "InsufficientStorage"), (507, ""), (403, "QuotaExceeded")]
)
def test_a_full_bucket_is_not_retried(
    server: _Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, code: str
) -> None:
    monkeypatch.setattr("maintenance_trainer.store.bucket.RETRIES", 0)
    server.refusal = (status, f"<Error><Code>{code}</Code></Error>".encode())
    bucket = Bucket(StorageUri.parse("s3://bucket/s"), "bucket", str(tmp_path))
    with pytest.raises(ConfigurationError, match="is full") as caught:
        bucket.put("x", b"1")
    assert (caught.value.reason, caught.value.exit_code) == ("StoreFull", 78)
