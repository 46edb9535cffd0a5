"""Images in a bucket: the same folders of classes, the whole way."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import pictures
from support.pictures import ImageLab
from support.s3 import S3, SECRET, s3_server

from maintenance_contract import (
    DataRef,
    ModelRef,
    Operation,
    Snapshot,
    Task,
    TrainingAction,
    TrainingReport,
    TrainingRequest,
    columns_of,
)
from maintenance_trainer.job import perform
from maintenance_trainer.locations import Places
from maintenance_trainer.progress import LogProgress


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        server.bucket("parts")
        yield server


def test_folders_of_images_in_a_bucket_become_a_version_there(s3: S3, tmp_path: Path) -> None:
    base = pictures.base_model(tmp_path / "base")
    pictures.put(tmp_path / "original", pictures.digits(slice(0, 100)))
    (tmp_path / "original/digit-1/torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "original/digit-1/moving.gif").write_bytes(pictures.animated("GIF"))
    s3.upload(tmp_path / "original", "s3://parts/original")
    s3.upload(base, "s3://parts/base")
    task = Task.IMAGE_CLASSIFICATION
    model = ModelRef(
        task,
        "s3://parts/base",
        "s3://parts/model",
        base_model_secret=SECRET,
        storage_secret=SECRET,
    )
    data = DataRef(
        "s3://parts/original",
        "s3://parts/updates",
        columns_of(task),
        original_secret=SECRET,
        updates_secret=SECRET,
    )
    lab = ImageLab(tmp_path / "claims", base, {"max_steps": 2})

    def do(request: TrainingRequest) -> TrainingReport:
        """In a scratch of its own, as each Job's pod has."""
        with Places("/nowhere", str(s3.secrets)) as places:
            report, code = perform(request, places, LogProgress())
        assert code == 0, report.message
        return report

    found = do(lab.request(Operation.DIAGNOSE, 1, model=model, data=data))
    assert {file.name for file in found.left_out.files} == {
        "original/digit-1/torn.png",
        "original/digit-1/moving.gif",
    }
    snapshot = Snapshot(1, found.snapshot_digest)
    action = TrainingAction.RETRAIN
    do(lab.request(Operation.TRAIN, 1, model=model, data=data, action=action, snapshot=snapshot))
    there = {item.name for item in s3.client("s3://parts/model/versions/1").list()}
    assert there == {
        "config.json",
        "manifest.json",
        "model.safetensors",
        "preprocessor_config.json",
    }
