"""Models and stores are read from their own folders: links, odd files, names that wander."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.laboratory import Lab, headlines

from maintenance_contract import ChampionRef, ModelRef, ResourceRef, Task, TrainingAction
from maintenance_trainer import model_folder
from maintenance_trainer.data import bounds
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.locations import Places
from maintenance_trainer.store import versions
from maintenance_trainer.store.store import Store

CANARY = "canary-91ab"
OWNER = ResourceRef("finance", "news", "uid-1")
PROVENANCE = {
    "labels": ["x"],
    "data": [],
    "requestDigest": "sha256:r",
    "fairHoldout": {"originalPercent": 10, "updatesPercent": 30},
}


@pytest.fixture
def model(tmp_path: Path, base_model: Path) -> Path:
    """A base model in a claim, and a secret outside of it."""
    folder = tmp_path / "claims/models/base"
    shutil.copytree(base_model, folder)
    (tmp_path / "secret").write_text(CANARY)
    return folder


def viewed(claims: Path, name: str = "base") -> Path:
    return Places(str(claims)).model(f"pvc://models/{name}", "", "")


def refused(claims: Path, name: str = "base") -> str:
    with pytest.raises(ConfigurationError) as caught:
        viewed(claims, name)
    assert caught.value.reason in {"BaseModelUnreadable", "BaseModelMissing"}
    assert CANARY not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize(
    "name", ["chat_template.jinja", "tokenizer_config.json", "model-2.safetensors", "spiece.model"]
)
@pytest.mark.parametrize("target", ["../../../secret", "/proc/self/environ", "/dev/zero", "gone"])
def test_a_link_out_of_a_model_is_refused_by_name(model: Path, name: str, target: str) -> None:
    (model / name).unlink(missing_ok=True)
    (model / name).symlink_to(target)
    message = refused(model.parents[1])
    assert message.startswith(f"model.baseModel: pvc://models/base/{name} is a link that leads ")
    assert "put the file itself there" in message


@pytest.mark.timeout(30)
def test_a_named_pipe_in_a_model_does_not_hang(model: Path) -> None:
    (model / "config.json").unlink()
    os.mkfifo(model / "config.json")
    assert "config.json is a named pipe, not a file" in refused(model.parents[1])


def test_a_model_that_is_a_link_out_of_its_volume_is_missing(model: Path, tmp_path: Path) -> None:
    shutil.move(model, tmp_path / "elsewhere")
    model.symlink_to(tmp_path / "elsewhere")
    assert "is a link that leads out of its folder" in refused(model.parents[1])


def test_the_hub_s_cache_and_volumes_of_links_are_read(model: Path) -> None:
    """``models--x/snapshots/<revision>/…`` are links to ``models--x/blobs``; ``..data`` volumes."""
    cache = model.parent / "models--org--tiny"
    (cache / "blobs").mkdir(parents=True)
    (cache / "snapshots/abc").mkdir(parents=True)
    for number, path in enumerate(sorted(model.iterdir())):
        shutil.copy(path, cache / "blobs" / str(number))
        (cache / "snapshots/abc" / path.name).symlink_to(f"../../blobs/{number}")
    names = {path.name for path in model.iterdir()}
    found = viewed(model.parents[1], "models--org--tiny/snapshots/abc")
    assert {path.name for path in found.iterdir()} == names
    assert (found / "config.json").read_bytes() == (model / "config.json").read_bytes()
    (cache / "snapshots/abc/extra.json").symlink_to("../../../base/config.json")
    assert "extra.json is a link that leads out" in (
        refused(model.parents[1], "models--org--tiny/snapshots/abc")
    )
    volume = model.parent / "volume"
    shutil.copytree(model, volume / "..2026")
    (volume / "..data").symlink_to("..2026")
    for name in names:
        (volume / name).symlink_to(f"..data/{name}")
    assert {path.name for path in viewed(model.parents[1], "volume").iterdir()} == names


@pytest.mark.parametrize(
    "weights", ["../outside.safetensors", "/etc/passwd", "sub/w.safetensors", "", "..", "gone.s"]
)
def test_an_index_names_weights_beside_it(model: Path, weights: str) -> None:
    (model.parent / "outside.safetensors").write_bytes(b"x")
    index = {"metadata": {}, "weight_map": {"a": "model.safetensors", "b": weights}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    message = refused(model.parents[1])
    assert "model.safetensors.index.json names weights in" in message


@pytest.mark.parametrize(
    "name",
    ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors.index.json"],
)
@pytest.mark.parametrize("depth", [bounds.MOST_NESTED + 1, 900, 100_000])
def test_a_deeply_nested_file_is_named(model: Path, name: str, depth: int) -> None:
    (model / name).write_text('{"a": ' + "[" * depth + "]" * depth + "}")
    assert f"pvc://models/base/{name} nests more than" in refused(model.parents[1])


def test_files_that_are_too_large_are_named(model: Path) -> None:
    claims = model.parents[1]
    with (model / "config.json").open("r+b") as file:
        file.truncate(model_folder.MOST_CONFIGURATION + 1)
    assert "base/config.json has 16,777,217 bytes" in refused(claims)
    shutil.copy(model / "tokenizer_config.json", model / "config.json")
    with (model / "vocab.txt").open("wb") as file:
        file.truncate(2**40)
    assert "base/vocab.txt has 1,099,511,627,776 bytes" in refused(claims)
    (model / "vocab.txt").unlink()
    with (model / "model.safetensors").open("wb") as file:
        file.write((2**26).to_bytes(8, "little"))
        file.truncate(2**30)
    assert "model.safetensors begins with a header of 67,108,864 bytes" in refused(claims)


@pytest.mark.parametrize("content", ["", '{"log": 1}\n{"log": 2}\n', "[" * 5000, "large"])
def test_notes_that_lie_beside_a_model_are_no_part_of_it(model: Path, content: str) -> None:
    notes = model / "trainer_state.json"
    notes.write_text(content)
    if content == "large":
        os.truncate(notes, model_folder.MOST_CONFIGURATION + 1)
    found = viewed(model.parents[1])
    assert not (found / notes.name).is_symlink()
    assert (found / "config.json").is_file()
    assert notes.exists()


@pytest.mark.slow
def test_a_file_name_that_is_not_utf8_is_no_part_of_a_model(
    model: Path, make_lab: Callable[..., Lab]
) -> None:
    with open(os.fsencode(model) + b"/caf\xe9.json", "wb") as file:  # noqa: PTH123  # bytes
        file.write(b"{}")
    lab = make_lab(headlines(["finance", "sport"], 200, seed=1))
    names = ModelRef(Task.TEXT_CLASSIFICATION, f"file://{model}", "pvc://models/news")
    found = lab.diagnose(1, model=names)
    lab.train(1, TrainingAction.RETRAIN, found, model=names)


# --- the store --------------------------------------------------------------------------


def opened(tmp_path: Path) -> Store:
    return Store.open("pvc://models/store", OWNER, Places(str(tmp_path / "claims")))


@pytest.mark.parametrize("name", ["owner.json", "runs", "versions", "."])
def test_a_store_is_not_led_out_of_its_folder(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "claims/models/other"
    outside.mkdir(parents=True)
    (tmp_path / "secret").write_text(CANARY)
    link = tmp_path / "claims/models/store" / name
    if name == ".":
        outside = tmp_path / "elsewhere"
    else:
        link.parent.mkdir()
    link.symlink_to(tmp_path / "secret" if name == "owner.json" else outside)
    with pytest.raises(ConfigurationError, match="is a link that leads") as caught:
        opened(tmp_path)
    assert caught.value.reason == "StoreUnwritable"
    assert CANARY not in caught.value.message
    assert not outside.exists() or not list(outside.iterdir())


@pytest.mark.timeout(30)
def test_a_named_pipe_in_a_store_does_not_hang(tmp_path: Path) -> None:
    store = opened(tmp_path)
    (store.root / "owner.json").unlink()
    os.mkfifo(store.root / "owner.json")
    with pytest.raises(ConfigurationError, match=r"owner\.json is a named pipe"):
        opened(tmp_path)


@pytest.mark.parametrize("folder", ["runs", "versions"])
def test_numbers_that_nobody_counted_to_are_none(tmp_path: Path, folder: str) -> None:
    store = opened(tmp_path)
    for name in ("7", "9" * 200, "٣", "1x"):
        (store.root / folder / name).mkdir()
    assert store.files.numbers(folder) == {7}


def save(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"weights")


def test_what_is_added_to_a_version_or_linked_is_not_read(tmp_path: Path) -> None:
    store = opened(tmp_path)
    version = versions.write(store, save, PROVENANCE)
    reference = ChampionRef(version.number, version.digest)
    (version.folder / "notes.pdf").write_text("of a person")
    assert versions.champion(store, reference) == version
    (tmp_path / "secret").write_text(CANARY)
    added = version.folder / "chat_template.jinja"
    added.symlink_to(tmp_path / "secret")
    with pytest.raises(ConfigurationError, match=r"chat_template\.jinja was added") as caught:
        versions.champion(store, reference)
    assert caught.value.reason == "ChampionChanged"
    added.unlink()
    (tmp_path / "outside").write_bytes(b"weights")
    (version.folder / "model.safetensors").unlink()
    (version.folder / "model.safetensors").symlink_to(tmp_path / "outside")
    with pytest.raises(ConfigurationError, match=r"model\.safetensors is not the file"):
        versions.champion(store, reference)
