"""What releases of text classification alone wrote is read, and written alike, byte for byte."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from maintenance_contract import (
    ChampionRef,
    DataRef,
    Holdout,
    ModelRef,
    Operation,
    Recipes,
    ResourceRef,
    Task,
    TrainingAction,
    TrainingRequest,
    columns_of,
)
from maintenance_contract import Snapshot as SnapshotRef
from maintenance_contract.codec import canonical
from maintenance_contract.codec import digest as digest_of
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.snapshot import Snapshot, read_again, take_snapshot
from maintenance_trainer.locations import Places
from maintenance_trainer.store import versions
from maintenance_trainer.store.store import Store
from maintenance_trainer.tasks.texts import SOURCE, make_row

ONSET = "2026-11-20T00:00:00Z"
AUTO = (
    '{"championSplit":null,"columns":{"label":"label","text":"text"},"files":[{"columns":["text",'
    '"label"],"digest":"sha256:169219b35b23bad7345bbe4ecc637c94bcf42a854957a91aa3ef8a73072cab12",'
    '"heldOut":4254,"marks":["04eba87ea96ebdf8","05bf3a6f142ee378","1393c21a883feb4e",'
    '"186ecc0ef3e481f5","1aea5179a9efd43a","272a90bd9085ad43","34b8a2cd0be07599",'
    '"3544deb1366b2294"],"name":"a.csv","new":false,"origin":"original","rows":40},{"columns":['
    '"text","label","at"],"digest":'
    '"sha256:28575b1fbd1c1e81d7a175b6704c2e4c066c1d7e6c5fca99d026bd28a2c42750","heldOut":3236,'
    '"marks":["00d77606b5a08e5b","04eed39d00072018","0bc842d3d75074df","10d747be70e1301c",'
    '"1a7c4fe1a556fae8","1f5ffe7f63d05796","47d62d7838eb848b","50c22d09cf5c0054"],"name":'
    '"b.jsonl","new":true,"origin":"updates","rows":20}],"rows":{"newHeldOut":10,"newTrain":10,'
    '"oldHeldOut":20,"oldTrain":20},"split":{"by":"sha256 of the normalised text",'
    '"originalPercent":"Auto","seed":42,"updatesPercent":"Auto"},"version":1}'
)
DATED = (
    '{"championSplit":null,"columns":{"label":"label","text":"text","time":"at"},"files":[{'
    '"columns":["text","label"],"digest":'
    '"sha256:169219b35b23bad7345bbe4ecc637c94bcf42a854957a91aa3ef8a73072cab12","name":"a.csv",'
    '"new":false,"origin":"original","rows":40},{"columns":["text","label","at"],"digest":'
    '"sha256:28575b1fbd1c1e81d7a175b6704c2e4c066c1d7e6c5fca99d026bd28a2c42750","name":"b.jsonl",'
    '"new":true,"origin":"updates","rows":20}],"rows":{"newHeldOut":9,"newTrain":11,"oldHeldOut":5,'
    '"oldTrain":35},"split":{"by":"sha256 of the normalised text","originalPercent":10,"seed":42,'
    '"since":"2026-11-20T00:00:00Z","updatesPercent":30},"version":1}'
)


@pytest.fixture
def data(tmp_path: Path) -> DataRef:
    original, updates = tmp_path / "original", tmp_path / "updates"
    original.mkdir()
    updates.mkdir()
    lines = (f"Shares of bank {n} fell,{'finance' if n % 2 else 'sport'}\n" for n in range(40))
    (original / "a.csv").write_text("text,label\n" + "".join(lines))
    rows = [
        {"text": f"Ünïcode ＴＥＸＴ  {n}", "label": "sport", "at": "2026-11-23T18:00:00Z"}  # noqa: RUF001
        for n in range(20)
    ]
    (updates / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for path in (original / "a.csv", updates / "b.jsonl"):
        os.utime(path, (1, 1))
    return DataRef(f"file://{original}", f"file://{updates}")


@pytest.mark.parametrize("dated", [False, True], ids=["auto", "dated"])
def test_snapshots_are_the_same(data: DataRef, dated: bool) -> None:  # noqa: FBT001
    columns = columns_of("TextClassification", **({"time": "at"} if dated else {}))
    holdout = Holdout(10, 30) if dated else Holdout()
    since = ONSET if dated else ""
    ref = DataRef(data.original, data.updates, columns, holdout, since=since)
    written = DATED if dated else AUTO
    snapshot, dataset = take_snapshot(
        ref, Places(""), SOURCE, known=frozenset(), champion_holdout=None, tell=lambda _: None
    )
    assert snapshot.to_json() == written
    read = Snapshot.from_json(written)
    assert (read, read.digest) == (snapshot, digest_of(written))
    assert read_again(read, ref, Places(""), SOURCE, 1) == dataset


def test_rows_have_the_same_keys_and_sides() -> None:
    row = make_row("Ünïcode ＴＥＸＴ  1", "sport", Origin.UPDATES, new=True)  # noqa: RUF001
    assert row.key == "94850b3b9dafc674431a54ec7b75babcd7d1eac20b79990a1fae93e0495eefd6"
    assert row.unit == row.key
    assert row.bucket == 292


def test_a_request_has_the_same_digest() -> None:
    request = TrainingRequest(
        Operation.TRAIN,
        ResourceRef("finance", "news", "u-1"),
        7,
        ModelRef(Task.TEXT_CLASSIFICATION, "pvc://models/base", "pvc://models/news"),
        DataRef(
            "pvc://data/original",
            "pvc://data/updates",
            columns_of("TextClassification", text="headline", label="label", time="at"),
        ),
        Recipes(),
        champion=ChampionRef(2, "sha256:x"),
        action=TrainingAction.FINE_TUNE,
        snapshot=SnapshotRef(7, "sha256:y"),
    )
    before = "sha256:76f63760f3d57041dc9d4ac4c2af79b061eba21aaf3005089ad72aabead6be29"
    assert request.digest == before
    assert TrainingRequest.from_json(request.to_json()) == request


@pytest.mark.parametrize("task", [{}, {"task": "TextClassification"}], ids=["none", "text"])
def test_a_version_is_still_a_champion(tmp_path: Path, task: dict[str, str]) -> None:
    store = Store.open(f"file://{tmp_path}", ResourceRef("finance", "news", "u-1"), Places(""))
    folder = tmp_path / "versions/1"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    manifest = canonical(
        {
            "version": 1,
            "action": "Retrain",
            "run": 1,
            **task,
            "labels": ["finance", "sport"],
            "data": ["sha256:a"],
            "fairHoldout": {"originalPercent": 10, "updatesPercent": 30},
            "files": {"config.json": f"sha256:{hashlib.sha256(b'{}').hexdigest()}"},
        }
    )
    (folder / "manifest.json").write_text(manifest)
    version = versions.champion(store, ChampionRef(1, digest_of(manifest)))
    assert (version.task, version.labels) == ("TextClassification", ("finance", "sport"))
    assert (version.past.fair.original, version.past.fair.updates) == (1_000, 3_000)
