"""Base models of a hub: from the local cache, and what is said where it has nothing."""

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from support.laboratory import QUICK, Lab, headlines, write_csv

from maintenance_contract import ModelRef, Operation, Snapshot, StorageUri, Task, TrainingAction
from maintenance_trainer import hub
from maintenance_trainer.errors import ConfigurationError, TransientError

MODEL = StorageUri.parse("hf://org/tiny")
COMMIT = "a" * 40
SECRET = "hub"  # noqa: S105  # a Secret's name


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base_model: Path) -> Path:
    """A hub's cache as its own client lays it out, with one model at one commit."""
    folder = tmp_path / "hub"
    model = folder / "models--org--tiny"
    shutil.copytree(base_model, model / "snapshots" / COMMIT)
    (model / "refs").mkdir()
    (model / "refs/main").write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    return folder


def fetch(revision: str = "", secret: str = "", secrets_root: str = "/nowhere") -> Path:
    return hub.fetch(MODEL, revision, secret, secrets_root)


@pytest.mark.parametrize("revision", ["", "main", COMMIT])
def test_a_cached_model_needs_no_hub(cache: Path, revision: str) -> None:
    assert (fetch(revision) / "config.json").is_file()


@pytest.mark.usefixtures("cache")
def test_what_is_not_cached_is_named_where_the_hub_is_not_asked() -> None:
    with pytest.raises(ConfigurationError, match="hf://org/tiny at v2 is not in the local") as said:
        fetch("v2")
    assert said.value.reason == "BaseModelMissing"


def test_a_secret_without_a_token_is_named(tmp_path: Path) -> None:
    (tmp_path / SECRET).mkdir()
    with pytest.raises(ConfigurationError, match="Secret hub: there is no HF_TOKEN") as caught:
        fetch(secret=SECRET, secrets_root=str(tmp_path))
    assert caught.value.reason == "CredentialsMissing"


class _Hub(BaseHTTPRequestHandler):
    """A hub that holds one model, refuses, or says that it must be asked for."""

    def do_GET(self) -> None:
        code, status = self.server.answers(self.headers.get("Authorization", ""))  # type: ignore[attr-defined]
        body = json.dumps({"error": code}).encode()
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815  # its name

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "code, status, reason, words",
    [
        ("RepoNotFound", 404, "BaseModelMissing", "is not there, or is private"),
        ("RevisionNotFound", 404, "BaseModelMissing", "is not there"),
        ("GatedRepo", 403, "AccessDenied", "access must be granted"),
    ],
)
def test_what_the_hub_refuses_is_not_retried(
    online: ThreadingHTTPServer, code: str, status: int, reason: str, words: str
) -> None:
    online.answers = lambda _: (code, status)  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match=words) as caught:
        fetch("v2")
    assert caught.value.reason == reason


@pytest.mark.slow
def test_the_token_of_the_secret_is_used(online: ThreadingHTTPServer, tmp_path: Path) -> None:
    asked: list[str] = []

    def answers(authorization: str) -> tuple[str, int]:
        asked.append(authorization)
        return "RepoNotFound", 404

    online.answers = answers  # type: ignore[attr-defined]
    (tmp_path / SECRET).mkdir()
    (tmp_path / SECRET / "HF_TOKEN").write_text("hf_abc\n")
    (tmp_path / SECRET / "HF_ENDPOINT").write_text(f"{constants.ENDPOINT}/\n")
    with pytest.raises(ConfigurationError):
        fetch(secret=SECRET, secrets_root=str(tmp_path))
    assert asked[0] == "Bearer hf_abc"


@pytest.mark.slow
def test_a_token_goes_to_no_hub_that_its_secret_does_not_name(
    online: ThreadingHTTPServer, tmp_path: Path
) -> None:
    """The environment is chosen by whoever writes the resource."""
    asked: list[str] = []
    online.answers = lambda sent: asked.append(sent) or ("RepoNotFound", 404)  # type: ignore[attr-defined]
    (tmp_path / SECRET).mkdir()
    (tmp_path / SECRET / "HF_TOKEN").write_text("hf_abc\n")
    with pytest.raises(ConfigurationError, match="write the key HF_ENDPOINT") as caught:
        fetch(secret=SECRET, secrets_root=str(tmp_path))
    assert (caught.value.reason, asked) == ("CredentialsMissing", [])
    with pytest.raises(ConfigurationError, match="is not there, or is private"):
        fetch()
    assert asked[0] == ""


@pytest.mark.parametrize(
    "endpoint", ["hub.example", "http://", "http://u:canary@hub", "http://h?canary", "http://h:x"]
)
def test_an_address_of_a_hub_that_is_none(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    with pytest.raises(ConfigurationError, match="HF_ENDPOINT is no URL of a hub") as caught:
        fetch()
    assert (caught.value.reason, "canary" in str(caught.value)) == ("StorageRefused", False)
    (tmp_path / SECRET).mkdir()
    (tmp_path / SECRET / "HF_TOKEN").write_text("hf_abc\n")
    (tmp_path / SECRET / "HF_ENDPOINT").write_text(endpoint)
    with pytest.raises(ConfigurationError, match="Secret hub: HF_ENDPOINT is no URL"):
        fetch(secret=SECRET, secrets_root=str(tmp_path))


@pytest.mark.slow
@pytest.mark.usefixtures("online")
def test_a_hub_that_is_away_is_worth_a_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(TransientError, match="does not answer") as caught:
        fetch()
    assert (caught.value.reason, caught.value.exit_code) == ("StorageUnreachable", 1)


@pytest.mark.slow
@pytest.mark.usefixtures("cache")
def test_a_retrain_starts_from_a_hub_s_model(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "claims", Path("/nowhere"), {**QUICK, "num_train_epochs": 1})
    write_csv(lab.original / "first.csv", headlines(["finance", "sport"], 100, seed=1))
    lab.updates.mkdir()
    model = ModelRef(
        Task.TEXT_CLASSIFICATION, "hf://org/tiny", "pvc://models/news", revision=COMMIT
    )
    found = lab.diagnose(1, model=model)
    report, code = lab.do(
        lab.request(
            Operation.TRAIN,
            1,
            model=model,
            action=TrainingAction.RETRAIN,
            snapshot=Snapshot(1, found.snapshot_digest),
        )
    )
    assert code == 0, report.message
    manifest = json.loads((lab.store / "versions/1/manifest.json").read_text())
    assert manifest["baseModel"]["storageUri"] == "hf://org/tiny"
    assert manifest["baseModel"]["revision"] == COMMIT
    assert "model.safetensors" in manifest["baseModel"]["files"]
