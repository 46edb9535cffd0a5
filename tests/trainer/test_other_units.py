"""What is known of old rows once other columns say which rows are one, or belong together."""

from pathlib import Path
from typing import Any

import pytest

from maintenance_contract import DataRef, ResourceRef, Sampling, Task, Windows, columns_of
from maintenance_contract.holdout import Holdout
from maintenance_contract.report import RowCounts
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.rows import DataFile
from maintenance_trainer.data.shares import Shares
from maintenance_trainer.data.snapshot import Snapshot
from maintenance_trainer.locations import Places
from maintenance_trainer.store.inheritance import Past
from maintenance_trainer.store.store import Store
from maintenance_trainer.store.units import fair_under
from maintenance_trainer.store.versions import Version

TABLE, REGRESSION = Task.TABULAR_CLASSIFICATION, Task.TABULAR_REGRESSION
THERE = ("time", "visit", "age", "ward", "label", "patient", "messages", "image", "text", "title")
FAIR = Shares(1000, 3000)


def asked(
    folder: Path,
    task: str,
    then: dict[str, Any],
    now: dict[str, Any],
    there: tuple[str, ...] = THERE,
    sampling: Sampling = Sampling.RANDOM,
) -> tuple[Shares, str]:
    """What is fair to a version that was trained with some columns, and what is told, with others.

    Args:
        folder: where its store may be.
        task: its kind.
        then: the columns of then.
        now: those of now.
        there: all columns of its only file.
        sampling: of the updates.
    """
    store = Store.open(f"file://{folder}/store", ResourceRef("a", "b", "uid"), Places(""))
    file = DataFile(Origin.ORIGINAL, "a.csv", "sha256:a", 9, False, there)  # noqa: FBT003
    windows = Windows(4, 1, 1) if "Series" in task else None
    columns = columns_of(task, **then)
    counts = RowCounts(0, 0, 5, 4)
    store.write_snapshot(
        1, Snapshot((file,), columns, Holdout(10, 30), None, counts, windows=windows)
    )
    version = Version(
        1,
        "sha256:v",
        folder,
        (),
        frozenset({file.digest}),
        Past(FAIR, FAIR),
        {"snapshot": {"run": 1}, "task": str(task)},
    )
    data = DataRef("file:///o", "file:///u", columns_of(task, **now), sampling=sampling)
    return fair_under(store, version, data)


@pytest.mark.parametrize(
    "task, then, now, said",
    [
        (TABLE, {}, {"inputs": ("age", "ward")}, "without 'image', 'messages', 'patient' and 4"),
        (TABLE, {"inputs": ("age", "ward")}, {"inputs": ("age",)}, "(without 'ward')"),
        (TABLE, {"inputs": ("age",)}, {"inputs": ("age", "ward")}, "(with 'ward')"),
        (REGRESSION, {}, {"weight": "age"}, "(without 'age')"),
        (TABLE, {}, {"time": "time"}, "(without 'time')"),
        (TABLE, {}, {"label": "ward"}, "(without 'ward', with 'label')"),
        (TABLE, {}, {"id": "visit"}, "data.columns.id is visit and was not there"),
        (TABLE, {}, {"group": "patient"}, "data.columns.group is patient and was not there"),
        (Task.TEXT_CLASSIFICATION, {}, {"text": "title"}, "data.columns.text is title and was te"),
        (Task.IMAGE_CLASSIFICATION, {"image": "text"}, {}, "data.columns.image is image and was t"),
        (
            Task.CAUSAL_LM,
            {},
            {"prompt": "text", "completion": "title"},
            "data.columns.messages is not there and was messages",
        ),
        (Task.TIME_SERIES_FORECASTING, {}, {"time": "visit"}, "data.columns.time is visit"),
        (Task.TIME_SERIES_FORECASTING, {}, {"series": "ward"}, "data.columns.series is ward"),
    ],
)  # fmt: skip
def test_no_old_row_is_fair_under_other_columns(
    tmp_path: Path, task: str, then: dict[str, Any], now: dict[str, Any], said: str
) -> None:
    fair, told = asked(tmp_path, task, then, now)
    assert said in told
    assert told.endswith("and it is compared on rows of new files alone.")
    assert fair == Shares(0, 0, {"sha256:a": 0})
    fair, told = asked(tmp_path, task, then, now, sampling=Sampling.TARGETED)
    assert fair == FAIR
    assert "it may do too well on old rows" in told


EVERY = tuple(name for name in THERE if name != "label")


@pytest.mark.parametrize(
    "task, then, now",
    [
        (TABLE, {}, {}),
        (TABLE, {}, {"inputs": EVERY}),
        (TABLE, {"inputs": ("ward", "age")}, {"inputs": ("age", "ward", "not yet there")}),
        (TABLE, {"inputs": ("age",)}, {"inputs": ("age",), "weight": "ward"}),
        (TABLE, {"group": "patient"}, {"group": "patient", "inputs": ("age",), "id": "visit"}),
        (Task.CAUSAL_LM, {"prompt": "text", "completion": "title"},
            {"prompt": "text", "completion": "ward"}),
        (Task.CAUSAL_LM, {"group": "ward"}, {"group": "ward", "prompt": "a", "completion": "b"}),
        (Task.TIME_SERIES_CLASSIFICATION, {}, {"inputs": ("age",)}),
        (Task.NEXT_ITEM, {}, {"item": "ward", "time": "visit"}),
        (Task.TEXT_CLASSIFICATION, {}, {"time": "time", "label": "ward"}),
    ],
)  # fmt: skip
def test_other_columns_that_move_no_row_change_nothing(
    tmp_path: Path, task: str, then: dict[str, Any], now: dict[str, Any]
) -> None:
    assert asked(tmp_path, task, then, now) == (FAIR, "")


def test_an_index_that_was_an_input_once_is_none_now(tmp_path: Path) -> None:
    there = ("__index_level_0__", "age", "label")
    assert "without '__index_level_0__'" in asked(tmp_path, TABLE, {}, {}, there)[1]
    named = {"inputs": there[:2]}
    assert asked(tmp_path, REGRESSION, named, named, there) == (FAIR, "")


def test_images_in_folders_have_no_column(tmp_path: Path) -> None:
    its = asked(tmp_path, Task.IMAGE_CLASSIFICATION, {}, {"image": "png"}, ())
    assert its == (FAIR, "")
