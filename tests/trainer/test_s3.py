"""The operations on a real S3 server: the whole loop, and what goes wrong, by who must act."""

import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.laboratory import QUICK, Lab, champion, headlines, write_csv, write_parquet
from support.s3 import KEYS, S3, SECRET, s3_server

from maintenance_contract import (
    ChampionRef,
    DataRef,
    ModelRef,
    Operation,
    Outcome,
    ResourceRef,
    Snapshot,
    StorageUri,
    Task,
    TrainingAction,
    TrainingReport,
    TrainingRequest,
)
from maintenance_trainer.data.snapshot import take_snapshot
from maintenance_trainer.errors import ConfigurationError, DataError, TransientError
from maintenance_trainer.job import perform
from maintenance_trainer.locations import Places
from maintenance_trainer.progress import LogProgress
from maintenance_trainer.store import bucket as client
from maintenance_trainer.store import versions
from maintenance_trainer.store.store import Store
from maintenance_trainer.tasks.text_classification import TASK
from maintenance_trainer.tasks.texts import SOURCE

OWNER = ResourceRef("finance", "news", "uid-1")
PROVENANCE = {
    "labels": ["x"],
    "data": [],
    "requestDigest": "sha256:r",
    "fairHoldout": {"originalPercent": 10, "updatesPercent": 30},
}


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture
def places(s3: S3) -> Iterator[Places]:
    with Places("", str(s3.secrets)) as found:
        yield found


@pytest.fixture
def name(s3: S3) -> str:
    """A bucket of the test's own."""
    made = f"test-{uuid.uuid4().hex[:12]}"
    s3.bucket(made)
    return made


@pytest.fixture
def store(name: str, places: Places) -> Store:
    return Store.open(f"s3://{name}/models/news", OWNER, places, SECRET)


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up soon on a server that does not answer."""
    monkeypatch.setattr(client, "RETRIES", 1)


def save(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_text("{}")


def on_s3(lab: Lab, name: str) -> Callable[..., TrainingRequest]:
    """The laboratory's requests, with every place in a bucket."""

    def make(operation: Operation, run: int, **changes: Any) -> TrainingRequest:
        request = lab.request(operation, run, **changes)
        return replace(
            request,
            model=ModelRef(
                Task.TEXT_CLASSIFICATION,
                f"s3://{name}/base",
                f"s3://{name}/models/news",
                base_model_secret=SECRET,
                storage_secret=SECRET,
            ),
            data=DataRef(
                f"s3://{name}/data/original",
                f"s3://{name}/data/updates",
                original_secret=SECRET,
                updates_secret=SECRET,
            ),
        )

    return make


def do(request: TrainingRequest, s3: S3) -> TrainingReport:
    """In a scratch of its own, as each Job's pod has."""
    with Places("/nowhere", str(s3.secrets)) as places:
        report, code = perform(request, places, LogProgress())
    assert code == 0, report.message
    return report


def test_a_model_to_begin_with_goes_from_one_bucket_into_another(
    s3: S3, name: str, tmp_path: Path, base_model: Path
) -> None:
    lab = Lab(tmp_path, base_model, QUICK)
    write_csv(lab.original / "first.csv", headlines(["finance", "sport"], 200, seed=1))
    lab.updates.mkdir()
    brought = TASK.with_head(base_model, ["finance", "sport"], 1)
    TASK.save(brought, tmp_path / "brought")
    (tmp_path / "brought/optimizer.pt").write_bytes(b"a pickle")
    s3.upload(tmp_path / "brought", f"s3://{name}/2025-11")
    model = ModelRef(
        Task.TEXT_CLASSIFICATION,
        f"file://{base_model}",
        f"s3://{name}/models/news",
        storage_secret=SECRET,
        initial_model=f"s3://{name}/2025-11",
        initial_model_secret=SECRET,
    )

    def ask(operation: Operation, **changes: Any) -> TrainingReport:
        with Places(str(lab.claims), str(s3.secrets)) as places:
            report, code = perform(
                lab.request(operation, 1, model=model, **changes), places, LogProgress()
            )
        assert code == 0, report.message
        return report

    found = ask(Operation.DIAGNOSE)
    done = ask(
        Operation.TRAIN,
        action=TrainingAction.IMPORT,
        snapshot=Snapshot(1, found.snapshot_digest),
    )
    assert done.candidate is not None
    there = {item.name for item in s3.client(f"s3://{name}/models/news/versions/1").list()}
    assert {"config.json", "model.safetensors", "manifest.json"} <= there
    assert "optimizer.pt" not in there


def test_the_whole_loop(s3: S3, name: str, base_model: Path, tmp_path: Path) -> None:
    lab = Lab(tmp_path / "claims", base_model, QUICK)
    ask = on_s3(lab, name)
    s3.upload(base_model, f"s3://{name}/base")
    write_csv(lab.original / "first.csv", headlines(["finance", "sport"], 300, seed=1))
    s3.upload(lab.original, f"s3://{name}/data/original")

    found = do(ask(Operation.DIAGNOSE, 1), s3)
    trained = do(
        ask(
            Operation.TRAIN,
            1,
            action=TrainingAction.RETRAIN,
            snapshot=Snapshot(1, found.snapshot_digest),
        ),
        s3,
    )
    assert trained.candidate is not None
    assert trained.candidate.version == 1
    again = do(ask(Operation.REPORT, 1, subject=Operation.TRAIN), s3)
    assert again == trained

    rows = headlines(["finance", "sport", "arts"], 120, seed=5)
    columns = {"text": [text for text, _ in rows], "label": [label for _, label in rows]}
    write_parquet(lab.updates / "2026/arts.parquet", columns)
    (lab.updates / "half.csv.tmp").write_text("not, to\nbe read")
    s3.upload(lab.updates, f"s3://{name}/data/updates")
    found = do(ask(Operation.DIAGNOSE, 2, champion=champion(trained)), s3)
    assert found.diagnosis is not None
    assert found.diagnosis.new_labels == ("arts",)
    tuned = do(
        ask(
            Operation.TRAIN,
            2,
            action=TrainingAction.FINE_TUNE,
            snapshot=Snapshot(2, found.snapshot_digest),
            champion=champion(trained),
        ),
        s3,
    )
    assert tuned.candidate is not None
    assert tuned.candidate.version == 2

    objects = s3.objects / name / "models/news"
    manifest = json.loads((objects / "versions/2/manifest.json").read_text())
    assert manifest["labels"] == ["finance", "sport", "arts"]
    assert manifest["parent"]["version"] == 1
    assert {path.name for path in (objects / "versions/2").iterdir()} == {
        "manifest.json",
        *manifest["files"],
    }
    written = "".join(path.read_text() for path in objects.rglob("*.json"))
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in written


@pytest.mark.parametrize(
    "changes, uri, reason",
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "", "AccessDenied"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "", "AccessDenied"),
        ({}, "s3://no-such-bucket/models", "BucketMissing"),
        ({"AWS_ACCESS_KEY_ID": ""}, "", "CredentialsMissing"),
        ({"AWS_ENDPOINT_URL": "localhost:9000"}, "", "CredentialsMissing"),
    ],
)
def test_what_the_owner_must_mend_is_not_retried(
    s3: S3, name: str, changes: dict[str, str], uri: str, reason: str, base_model: Path
) -> None:
    lab = Lab(Path("/nowhere"), base_model, QUICK)
    request = on_s3(lab, name)(Operation.DIAGNOSE, 1)
    secret = s3.secret(f"{name}-keys", **changes)
    storage = uri or request.model.storage
    request = replace(request, model=replace(request.model, storage=storage, storage_secret=secret))
    with Places("", str(s3.secrets)) as places:
        report, code = perform(request, places, LogProgress())
    assert (report.outcome, report.reason, code) == (Outcome.FAILED, reason, 78)
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in report.to_json()
    assert (secret if reason != "BucketMissing" else "no-such-bucket") in report.message


def test_a_secret_that_is_not_mounted_is_named(name: str, places: Places) -> None:
    with pytest.raises(ConfigurationError, match="Secret none cannot be read") as caught:
        Store.open(f"s3://{name}/models", OWNER, places, "none")
    assert caught.value.reason == "CredentialsMissing"


@pytest.mark.usefixtures("fast")
def test_a_server_that_is_away_is_worth_a_retry(s3: S3, name: str, places: Places) -> None:
    secret = s3.secret("away", AWS_ENDPOINT_URL="http://127.0.0.1:1")
    with pytest.raises(TransientError) as caught:
        Store.open(f"s3://{name}/models", OWNER, places, secret)
    assert (caught.value.reason, caught.value.exit_code) == ("StorageUnreachable", 1)
    assert f"s3://{name}/models" in caught.value.message


def test_a_store_has_one_owner(store: Store, places: Places) -> None:
    Store.open(store.uri, ResourceRef("finance", "news", "another-uid"), places, SECRET)
    with pytest.raises(ConfigurationError, match="belongs to finance/news") as caught:
        Store.open(store.uri, ResourceRef("finance", "other", "u"), places, SECRET)
    assert caught.value.reason == "StoreInUse"


def test_a_run_number_belongs_to_one_request(store: Store, base_model: Path) -> None:
    request = Lab(Path("/nowhere"), base_model, QUICK).request(Operation.DIAGNOSE, 3)
    store.claim_run(request)
    store.claim_run(request)
    with pytest.raises(ConfigurationError, match="highest run there is 3") as caught:
        store.claim_run(replace(request, resource=ResourceRef("finance", "news", "another")))
    assert caught.value.reason == "RunNumberTaken"


def test_two_trainers_never_get_the_same_number(store: Store, places: Places) -> None:
    stores = [store] + [Store.open(store.uri, OWNER, places, SECRET) for _ in range(3)]
    barrier = threading.Barrier(len(stores))

    def write(mine: Store, number: int) -> int:
        barrier.wait()
        return versions.write(mine, save, {**PROVENANCE, "requestDigest": str(number)}).number

    with ThreadPoolExecutor(len(stores)) as pool:
        numbers = list(pool.map(write, stores, range(len(stores))))
    assert sorted(numbers) == [1, 2, 3, 4]
    assert store.state().highest_version == 4
    for number, mine in enumerate(numbers):
        found = versions.trained_by(store, str(number))
        assert found is not None
        assert found.number == mine


def test_a_champion_is_checked_to_the_byte(store: Store, places: Places, s3: S3, name: str) -> None:
    written = versions.write(store, save, PROVENANCE)
    reference = ChampionRef(written.number, written.digest)
    elsewhere = Store.open(store.uri, OWNER, places, SECRET)
    found = versions.champion(elsewhere, reference)
    assert (found.folder / "model.safetensors").read_bytes() == b"weights"
    assert found.folder != written.folder
    s3.client(f"s3://{name}/models/news").put("versions/1/model.safetensors", b"weightz")
    with pytest.raises(ConfigurationError, match=r"model\.safetensors is not the file") as caught:
        versions.champion(Store.open(store.uri, OWNER, places, SECRET), reference)
    assert caught.value.reason == "ChampionChanged"
    with pytest.raises(ConfigurationError, match="Version 9 is not in"):
        versions.champion(elsewhere, ChampionRef(9, written.digest))


class Cut(ThreadingHTTPServer):
    """A wire to the server that breaks at the nth upload of a version's file."""

    daemon_threads = True

    def __init__(self, target: str, puts: int) -> None:
        self.puts = puts
        self.broken = threading.Event()
        super().__init__(("127.0.0.1", 0), _Wire)
        self.target = target


class _Wire(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Cut

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.command == "PUT" and "/versions/" in self.path:
            self.server.puts -= 1
        if self.server.puts < 0:
            self.server.broken.set()
            self.close_connection = True
            return
        connection = HTTPConnection(self.server.target, timeout=60)
        # The Host header as the client signed it.
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for key, value in self.headers.items():
            connection.putheader(key, value)
        connection.endheaders(body)
        reply = connection.getresponse()
        content = reply.read()
        self.send_response(reply.status)
        for key, value in reply.getheaders():
            if key.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(key, value)
        length = reply.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(content)
        connection.close()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on  # noqa: N815  # its names

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def wire(s3: S3) -> Iterator[Callable[[int], Cut]]:
    servers: list[Cut] = []

    def make(puts: int) -> Cut:
        server = Cut(s3.url.removeprefix("http://"), puts)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize("puts", [0, 1, 2], ids=["no file", "one file", "all but the manifest"])
def test_an_upload_that_is_cut_leaves_nothing_that_counts(
    s3: S3, store: Store, places: Places, wire: Callable[[int], Cut], puts: int
) -> None:
    cut = wire(puts)
    secret = s3.secret(
        f"cut-{cut.server_port}", AWS_ENDPOINT_URL=f"http://127.0.0.1:{cut.server_port}"
    )
    torn = Store.open(store.uri, OWNER, places, secret)
    with pytest.raises(TransientError) as caught:
        versions.write(torn, save, PROVENANCE)
    assert cut.broken.is_set()
    assert caught.value.reason == "StorageUnreachable"
    assert store.state().highest_version == 0
    assert versions.find(store, 1) is None
    assert versions.trained_by(store, "sha256:r") is None
    whole = versions.write(store, save, PROVENANCE)
    assert whole.number == 2, "a number is never given twice"
    assert versions.trained_by(store, "sha256:r") == whole


def test_what_a_killed_trainer_left_is_swept_after_a_day(s3: S3, store: Store, name: str) -> None:
    bucket = s3.client(f"s3://{name}/models/news")
    for left in ("versions/7/model.safetensors", "versions/8/model.safetensors"):
        bucket.put(left, b"half")
    os.utime(s3.objects / name / "models/news/versions/7/model.safetensors", (0, 0))
    assert versions.write(store, save, PROVENANCE).number == 1
    names = {found.name for found in bucket.list("versions")}
    assert "versions/7/model.safetensors" not in names
    assert "versions/8/model.safetensors" in names


def test_a_version_that_fails_on_the_way_leaves_nothing(store: Store, s3: S3, name: str) -> None:
    def torn(folder: Path) -> None:
        save(folder)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        versions.write(store, torn, PROVENANCE)
    assert not s3.client(f"s3://{name}/models/news").list("versions")


class _Careless(BaseHTTPRequestHandler):
    """An S3 server that ignores If-None-Match."""

    def do_GET(self) -> None:
        body = b"<Error><Code>NoSuchKey</Code></Error>"
        self.send_response(404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("ETag", '"e"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_a_server_without_conditional_writes_is_refused(s3: S3, places: Places) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Careless)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        secret = s3.secret("careless", AWS_ENDPOINT_URL=url)
        with pytest.raises(ConfigurationError, match="If-None-Match") as caught:
            Store.open("s3://bucket/models", OWNER, places, secret)
        assert caught.value.reason == "StoreUnsafe"
    finally:
        server.shutdown()
        server.server_close()


def test_files_in_pieces_and_odd_names(
    s3: S3, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PIECE", 5 * 2**20)
    bucket = s3.client(f"s3://{name}/ä b+%")
    content = os.urandom(11 * 2**20)
    (tmp_path / "big").write_bytes(content)
    bucket.put("c d/big ü", tmp_path / "big")
    assert [(found.name, found.size) for found in bucket.list()] == [("c d/big ü", len(content))]
    bucket.download("c d/big ü", tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == content
    with pytest.raises(TransientError, match="overwritten or removed") as caught:
        bucket.download("gone", tmp_path / "gone")
    assert caught.value.reason == "DataChanging"


def test_a_prefix_without_original_data_is_named(name: str, places: Places) -> None:
    data = DataRef(
        f"s3://{name}/o", f"s3://{name}/u", original_secret=SECRET, updates_secret=SECRET
    )
    with pytest.raises(DataError, match=rf"data\.original: s3://{name}/o holds no settled"):
        take_snapshot(data, places, SOURCE, known=frozenset(), champion_holdout=None)


class _Identity(BaseHTTPRequestHandler):
    """The agent that gives a pod the keys of its service account."""

    def do_GET(self) -> None:
        known = self.headers.get("Authorization") == "pod-token"
        body = json.dumps(
            {
                "AccessKeyId": KEYS["AWS_ACCESS_KEY_ID"],
                "SecretAccessKey": KEYS["AWS_SECRET_ACCESS_KEY"],
                "Token": "",
                "Expiration": "2199-01-01T00:00:00Z",
            }
        ).encode()
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_without_a_secret_the_pod_s_identity_counts(
    s3: S3, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Identity)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "token").write_text("pod-token")
    url = f"http://127.0.0.1:{server.server_port}/v1/credentials"
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    try:
        bucket = client.Bucket(StorageUri.parse(f"s3://{name}"), "", "/nowhere")
        bucket.create("a", b"1")
        assert bucket.read("a") == b"1"
    finally:
        server.shutdown()
        server.server_close()
