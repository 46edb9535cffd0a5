"""What a retry would meet again is not retried; what nobody foresaw costs one retry at most."""

import errno
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from safetensors import SafetensorError
from support.laboratory import Lab

from maintenance_contract import Operation, Outcome, ResourceRef, Snapshot, TrainingAction
from maintenance_trainer import faults, job
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.job import perform
from maintenance_trainer.locations import Places
from maintenance_trainer.progress import LogProgress
from maintenance_trainer.store import files, versions
from maintenance_trainer.store.store import Store

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


def wrapped(error: Exception) -> Exception:
    made = RuntimeError("the library could not save")
    made.__cause__ = error
    return made


@pytest.mark.parametrize(
    "error, reason",
    [
        (OSError(errno.ENOSPC, "No space left on device"), "StoreFull"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "StoreFull"),
        (OSError(errno.EFBIG, "File too large"), "StoreFull"),
        (OSError(errno.EROFS, "Read-only file system"), "StoreUnwritable"),
        (OSError(errno.EIO, "Input/output error"), "StoreUnwritable"),
        (OSError(errno.ENOTDIR, "Not a directory"), "StoreUnwritable"),
        (
            SafetensorError("I/O error: No space left on device (os error 28)"),
            "StoreFull",
        ),
        (SafetensorError("I/O error: Input/output error (os error 5)"), "StoreUnwritable"),
        (RuntimeError("[enforce fail] . unexpected pos: No space left on device"), "StoreFull"),
        (wrapped(OSError(errno.ENOSPC, "No space left on device")), "StoreFull"),
    ],
)
def test_a_volume_that_cannot_be_written_is_not_retried(
    store: Store, error: Exception, reason: str
) -> None:
    def save(folder: Path) -> None:
        (folder / "half.safetensors").write_bytes(b"ha")
        raise error

    with pytest.raises(ConfigurationError, match=r"model\.storage: file://.*store") as caught:
        versions.write(store, save, PROVENANCE)
    assert (caught.value.reason, caught.value.exit_code) == (reason, 78)
    assert not list((store.root / "versions").iterdir())


def test_a_file_that_really_may_not_grow_is_told_as_full(store: Store) -> None:
    """The library that writes weights has errors of its own; the limit is the process's."""
    import numpy as np  # noqa: PLC0415
    from safetensors.numpy import save_file  # noqa: PLC0415

    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def save(folder: Path) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        try:
            save_file({"a": np.ones(100_000)}, folder / "model.safetensors")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    with pytest.raises(ConfigurationError) as caught:
        versions.write(store, save, PROVENANCE)
    assert caught.value.reason == "StoreFull"


class Usage(NamedTuple):
    """What ``shutil.disk_usage`` tells."""

    total: int
    used: int
    free: int


@pytest.mark.parametrize(
    "usage, refused", [(Usage(100, 90, 10), "yes"), (Usage(100, 10, 90), ""), (Usage(0, 0, 0), "")]
)
def test_room_is_asked_for_before_a_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, usage: Usage, refused: str
) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"w" * 50)
    monkeypatch.setattr(faults.shutil, "disk_usage", lambda _: usage)
    weights = list(tmp_path.glob("*.safetensors"))
    if not refused:
        faults.refuse_full(tmp_path, "pvc://models/news", weights)
        return
    with pytest.raises(ConfigurationError, match=r"10 bytes free.*at least 50") as caught:
        faults.refuse_full(tmp_path, "pvc://models/news", weights)
    assert caught.value.reason == "StoreFull"


def test_a_diagnosis_tells_of_a_store_without_room(
    make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab([("a", "x"), ("b", "y")])
    monkeypatch.setattr(faults.shutil, "disk_usage", lambda _: Usage(100, 90, 10))
    report, code = lab.do(lab.request(Operation.DIAGNOSE, 1))
    assert (report.reason, code) == ("StoreFull", 78)


def test_what_nobody_foresaw_is_tried_once_more(
    make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab([("a", "x"), ("b", "y")])

    def fails(_work: object) -> None:
        raise TypeError("a fault of ours")

    monkeypatch.setattr(job, "_operate", fails)
    request = lab.request(
        Operation.TRAIN, 1, action=TrainingAction.RETRAIN, snapshot=Snapshot(1, "sha256:d")
    )
    first, code = lab.do(request)
    assert (first.reason, code) == ("InternalError", 1)
    assert "TypeError: a fault of ours" in first.message
    assert first.message.endswith("tries once more at most.")
    second, code = lab.do(request)
    assert (second.reason, code) == ("InternalError", 78)
    assert "fail alike again" in second.message
    other, code = lab.do(replace(request, run=2))
    assert (other.reason, code) == ("InternalError", 1), "another run is another try"


@pytest.mark.slow
def test_a_report_that_cannot_be_kept_does_not_undo_the_work(
    make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The volume is full by the time that the report is written; the version is there."""
    lab = make_lab([(f"row {n}", "xy"[n % 2]) for n in range(60)])
    place = files._place

    def full(path: Path, text: str, *, replace: bool) -> None:
        if path.name == "diagnosis.json":
            raise OSError(errno.ENOSPC, "No space left on device")
        place(path, text, replace=replace)

    monkeypatch.setattr(files, "_place", full)
    report, code = perform(
        lab.request(Operation.DIAGNOSE, 1), Places(str(lab.claims)), LogProgress()
    )
    assert (report.outcome, code) == (Outcome.SUCCEEDED, 0)


@pytest.mark.slow
def test_a_full_volume_on_the_way_is_no_internal_error(
    make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab([("a", "x"), ("b", "y")])
    place = files._place

    def full(path: Path, text: str, *, replace: bool) -> None:
        if path.name == "data.json":
            raise OSError(errno.ENOSPC, "No space left on device")
        place(path, text, replace=replace)

    monkeypatch.setattr(files, "_place", full)
    report, code = lab.do(lab.request(Operation.DIAGNOSE, 1))
    assert (report.reason, code) == ("StoreFull", 78)
