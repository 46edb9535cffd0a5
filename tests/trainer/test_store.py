"""The store: one owner, one request per run number, versions that nobody changes."""

import json
import os
import sys
from importlib import metadata
from pathlib import Path

import pytest

from maintenance_contract import (
    ChampionRef,
    DataRef,
    ModelRef,
    Operation,
    Outcome,
    Recipes,
    ResourceRef,
    Task,
    TrainingReport,
    TrainingRequest,
)
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.locations import Places
from maintenance_trainer.model_field import Given
from maintenance_trainer.store import versions
from maintenance_trainer.store.provenance import version_of
from maintenance_trainer.store.store import Store
from maintenance_trainer.tasks.huggingface.folder import check_model

OWNER = ResourceRef("finance", "news", "uid-1")
PROVENANCE = {
    "labels": ["x"],
    "data": [],
    "requestDigest": "sha256:r",
    "fairHoldout": {"originalPercent": 10, "updatesPercent": 30},
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(f"file://{tmp_path}/store", OWNER, Places(""))


def request(run: int, uid: str = "uid-1") -> TrainingRequest:
    return TrainingRequest(
        Operation.DIAGNOSE,
        ResourceRef("finance", "news", uid),
        run,
        ModelRef(Task.TEXT_CLASSIFICATION, "file:///base", "file:///store"),
        DataRef("file:///o", "file:///u"),
        Recipes(),
    )


def save(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "model.safetensors").chmod(0o600)


def test_a_second_owner_is_refused_and_the_first_returns(store: Store) -> None:
    assert (
        Store.open(store.uri, ResourceRef("finance", "news", "another-uid"), Places("")).root
        == store.root
    )
    with pytest.raises(ConfigurationError, match="belongs to finance/news") as caught:
        Store.open(store.uri, ResourceRef("finance", "other", "u"), Places(""))
    assert caught.value.reason == "StoreInUse"
    assert caught.value.exit_code == 78


def test_a_store_that_cannot_be_written_says_who_must_act(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ConfigurationError, match=r"model\.storage.*cannot be written") as caught:
        Store.open(f"file://{tmp_path}/file/store", OWNER, Places(""))
    assert caught.value.reason == "StoreUnwritable"


def test_a_run_number_belongs_to_one_request(store: Store) -> None:
    store.claim_run(request(3))
    store.claim_run(request(3))
    with pytest.raises(ConfigurationError, match="highest run there is 3") as caught:
        store.claim_run(request(3, uid="another"))
    assert caught.value.reason == "RunNumberTaken"


def test_a_report_that_succeeded_is_never_replaced(store: Store) -> None:
    store.claim_run(request(1))
    bad = TrainingReport(Operation.TRAIN, 1, "d", Outcome.FAILED, "DataEmpty", "m")
    good = TrainingReport(Operation.TRAIN, 1, "d", Outcome.SUCCEEDED)
    store.write_report(bad)
    store.write_report(good)
    store.write_report(bad)
    assert store.stored_report(Operation.TRAIN, 1) == good
    assert store.stored_report(Operation.DIAGNOSE, 1) is None


def test_versions_are_numbered_whole_and_found_by_their_request(store: Store) -> None:
    first = versions.write(store, save, PROVENANCE)
    second = versions.write(store, save, {**PROVENANCE, "requestDigest": "sha256:s"})
    assert (first.number, second.number) == (1, 2)
    assert store.state().highest_version == 2
    assert versions.trained_by(store, "sha256:r") == first
    assert versions.trained_by(store, "sha256:none") is None
    manifest = json.loads((first.folder / "manifest.json").read_text())
    assert list(manifest["files"]) == ["model.safetensors"]
    modes = {path.stat().st_mode & 0o777 for path in first.folder.iterdir()}
    assert modes == {0o644}, "another user serves it"
    assert first.folder.stat().st_mode & 0o777 == 0o755
    assert {path.name for path in (store.root / "versions").iterdir()} == {"1", "2"}


@pytest.mark.parametrize("imported", [False, True])
def test_a_library_has_a_version_whatever_its_wheel_is_called(
    monkeypatch: pytest.MonkeyPatch, *, imported: bool
) -> None:
    import xgboost  # noqa: PLC0415  # a slow one

    if not imported:
        monkeypatch.delitem(sys.modules, "xgboost")
    version_of.cache_clear()
    assert version_of("xgboost") == xgboost.__version__
    assert ("xgboost" in sys.modules) is imported
    assert version_of("torch") == metadata.version("torch")
    assert version_of("no_such_library") == "not installed"


def test_a_version_that_fails_on_the_way_leaves_nothing(store: Store) -> None:
    def torn(folder: Path) -> None:
        save(folder)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        versions.write(store, torn, PROVENANCE)
    assert not list((store.root / "versions").iterdir())


def test_what_a_killed_trainer_left_is_swept_after_a_day(store: Store) -> None:
    left, at_work = (store.root / "versions" / f".writing-{name}" for name in ("left", "at-work"))
    for folder in (left, at_work):
        folder.mkdir()
    os.utime(left, (0, 0))
    versions.write(store, save, PROVENANCE)
    assert not left.exists()
    assert at_work.exists()


def test_a_champion_is_checked_to_the_byte(store: Store) -> None:
    version = versions.write(store, save, PROVENANCE)
    reference = ChampionRef(version.number, version.digest)
    assert versions.champion(store, reference) == version
    with pytest.raises(ConfigurationError, match="Version 9 is not in") as missing:
        versions.champion(store, ChampionRef(9, version.digest))
    assert missing.value.reason == "ChampionMissing"
    with pytest.raises(ConfigurationError, match="its manifest is") as other:
        versions.champion(store, ChampionRef(1, "sha256:other"))
    assert other.value.reason == "ChampionChanged"
    (version.folder / "model.safetensors").write_bytes(b"weightz")
    with pytest.raises(ConfigurationError, match=r"model\.safetensors is not the file"):
        versions.champion(store, reference)


@pytest.mark.parametrize(
    "files, reason, words",
    [
        ({}, "BaseModelMissing", "config.json"),
        ({"config.json": "{}"}, "BaseModelUnreadable", "no *.safetensors"),
        ({"config.json": "{}", "pytorch_model.bin": "x"}, "BaseModelUnreadable", "pickle"),
        (
            {"config.json": '{"auto_map": {"AutoModel": "m.M"}}', "model.safetensors": "x"},
            "BaseModelUnreadable",
            "code of its own",
        ),
        (
            {
                "config.json": '{"transformers_weights": "adapter_model.bin"}',
                "model.safetensors": "x",
            },
            "BaseModelUnreadable",
            "names other weights (transformers_weights)",
        ),
        (
            {"config.json": "{}", "model.safetensors": "x", "adapter_config.json": "{}"},
            "BaseModelUnreadable",
            "an adapter (adapter_config.json) beside a whole model",
        ),
        ({"config.json": "{}", "model.safetensors": "torn"}, "BaseModelUnreadable", "is torn"),
        ({"config.json": "{", "model.safetensors": "x"}, "BaseModelUnreadable", "config.json"),
    ],
)
def test_a_base_model_that_cannot_be_read_safely_is_refused(
    tmp_path: Path, files: dict[str, str], reason: str, words: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        check_model("pvc://models/base", tmp_path, Given.BASE)
    assert caught.value.reason == reason
    assert words in caught.value.message
    assert "pvc://models/base" in caught.value.message
