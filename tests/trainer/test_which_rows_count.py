"""Which rows are new, which teach only, and which deliveries are refused."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from support.laboratory import (
    QUICK,
    Lab,
    age,
    champion,
    headlines,
    write_csv,
    write_lines,
    write_parquet,
)

from maintenance_contract import (
    Answer,
    DataRef,
    Holdout,
    Operation,
    Sampling,
    TrainingAction,
    TrainingReport,
    columns_of,
)
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.snapshot import Snapshot, read_again, take_snapshot
from maintenance_trainer.data.split import Dataset
from maintenance_trainer.errors import DataError
from maintenance_trainer.locations import Places
from maintenance_trainer.tasks.texts import SOURCE, make_row

First = tuple[Lab, TrainingReport]
ONSET = "2026-11-20T12:00:00Z"


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name in ("original", "updates"):
        (tmp_path / name).mkdir()
    write_csv(tmp_path / "original/a.csv", [(f"old {n}", "xy"[n % 2]) for n in range(50)])
    return tmp_path


def taken(folders: Path, **changes: Any) -> tuple[Snapshot, Dataset]:
    ref = DataRef(f"file://{folders}/original", f"file://{folders}/updates", **changes)
    age(folders)
    snapshot, dataset = take_snapshot(
        ref, Places(""), SOURCE, known=frozenset(), champion_holdout=None
    )
    assert read_again(Snapshot.from_json(snapshot.to_json()), ref, Places(""), SOURCE, 1) == dataset
    return snapshot, dataset


def new_texts(dataset: Dataset) -> set[str]:
    return {row.text for row in dataset.new_train + dataset.new_held_out}


@dataclass
class Trained:
    """Version 1 in service, an empty folder of updates, and a number for the next run."""

    lab: Lab
    version_1: TrainingReport
    run: int

    @property
    def original(self) -> list[str]:
        """The lines of what it was trained on, the header first."""
        return next(self.lab.original.glob("*.csv")).read_text().splitlines()

    @property
    def manifest(self) -> dict[str, Any]:
        """Version 1's."""
        its: dict[str, Any] = json.loads((self.lab.store / "versions/1/manifest.json").read_text())
        return its

    def deliver(self, lines: Sequence[str]) -> None:
        (self.lab.updates / "u.csv").write_text("\n".join(lines) + "\n")

    def refusal(self) -> tuple[str, str]:
        request = self.lab.request(Operation.DIAGNOSE, self.run, champion=champion(self.version_1))
        report, _ = self.lab.do(request)
        return report.reason, report.message


_runs = count(2)


@pytest.fixture(scope="module")
def served(base_model: Path, tmp_path_factory: pytest.TempPathFactory) -> First:
    lab = Lab(tmp_path_factory.mktemp("claims"), base_model, QUICK)
    write_csv(lab.original / "first.csv", headlines(["finance", "sport"], 500, seed=1))
    lab.updates.mkdir()
    return lab, lab.train(1, TrainingAction.RETRAIN, lab.diagnose(1))


@pytest.fixture
def trained(served: First) -> Iterator[Trained]:
    lab, version_1 = served
    yield Trained(lab, version_1, next(_runs))
    for file in lab.updates.iterdir():
        file.unlink()


# --- spec.data.columns.time -------------------------------------------------------------


def dated(*times: Any) -> list[dict[str, Any]]:
    return [{"text": f"t{n}", "label": "x", "at": at} for n, at in enumerate(times)]


@pytest.mark.parametrize(
    "before, after",
    [
        ("2026-11-20T11:59:59Z", "2026-11-20T12:00:00Z"),
        ("2026-11-20T12:59:59+01:00", "2026-11-20T13:00:00+01:00"),
        ("2026-11-20", "2026-11-21"),
        ("2026-11-20 11:00:00", "2026-11-20 13:00:00"),
        (1763639999, 1795176000),
        ("1763639999.5", "1795176000"),
        ("20261119", "20261121"),
        (20261119, 20261121),
        (20261119.0, 20261121.0),
        ("20261120115959", "202611201200"),
        ("20261120T115959Z", "20261120T120000Z"),
        ("2026-W47-4", "2026-W47-6"),
        ("2026-11-20t11:59:59z", "2026-11-20T12:00:00.123456789Z"),
        (1795175999999, 1795176000000),
        ("1795175999999999", "1795176000000000"),
        (1795175999999999999, 1795176000000000000),
        ("978307200000", "2026-11-20 12:00:00 UTC"),
        ("2026-11-20 11:59:59 GMT", "2026-11-20T12:00:00utc"),
        ("2000-01-01", "2026-11-20T14:00:00+02:00"),
        ("2026-11-20 11:59:59+00", "2026-11-20 12:00:00.000 +0000"),
    ],
    ids=repr,
)
def test_rows_from_before_the_onset_are_not_new(folders: Path, before: Any, after: Any) -> None:
    page = "".join(json.dumps(row) + "\n" for row in dated(before, after))
    (folders / "updates/u.jsonl").write_text(page)

    _, dataset = taken(folders, columns=columns_of("TextClassification", time="at"), since=ONSET)

    assert new_texts(dataset) == {"t1"}
    assert "t0" in {row.text for row in dataset.rows}, "it still teaches"


SECONDS = (1795175999, 1795176000)


@pytest.mark.parametrize(
    "times",
    [
        pa.array([n * 10**9 + 123456789 for n in SECONDS], pa.timestamp("ns")),
        pa.array([n * 10**9 + 123456789 for n in SECONDS], pa.timestamp("ns", "Europe/Berlin")),
        pa.array([n * 10**9 + 1 for n in SECONDS], pa.timestamp("ns")).dictionary_encode(),
        pa.array([n * 10**6 for n in SECONDS], pa.timestamp("us", "UTC")),
        pa.array([n * 10**6 for n in SECONDS], pa.timestamp("us", "Mars/Phobos")),
        pa.array([n * 10**3 for n in SECONDS], pa.timestamp("ms", "+05:30")),
        pa.array(SECONDS, pa.timestamp("s")),
        pa.array([20776, 20778], pa.date32()),
        pa.array([20776 * 86400000, 20778 * 86400000], pa.date64()),
        pa.array(SECONDS, pa.uint32()),
        pa.array(SECONDS, pa.float64()),
        pa.array([Decimal(n) for n in SECONDS], pa.decimal128(12, 1)),
        pa.array(["2026-11-20 11:59", "2026-11-20 12:00"], pa.large_string()),
    ],
    ids=lambda times: str(times.type),
)
def test_parquet_has_times_of_its_own(folders: Path, times: pa.Array) -> None:
    write_parquet(
        folders / "updates/u.parquet", {"text": ["a", "b"], "label": ["x", "y"], "at": times}
    )

    _, dataset = taken(folders, columns=columns_of("TextClassification", time="at"), since=ONSET)

    assert new_texts(dataset) == {"b"}


@pytest.mark.parametrize(
    "times, words",
    [
        (pa.array([0, 1], pa.timestamp("s")), ["row 1", "lies before 2000"]),
        (pa.array([SECONDS[0] * 10**6, 2**62], pa.timestamp("us")), ["row 2", "cannot be read"]),
        (pa.array([20776, 2**30], pa.date32()), ["row 2", "cannot be read"]),
        (pa.array([1, 2], pa.duration("ns")), ["row 1"]),
        (pa.array([1, 2], pa.time64("us")), ["row 1", "is no time"]),
        (pa.array([SECONDS[0] * 10**9, None], pa.timestamp("ns")), ["row 2", "is no time"]),
        (pa.array([True, False]), ["row 1", "is no time"]),
    ],
    ids=lambda given: str(given.type) if isinstance(given, pa.Array) else given[-1],
)
def test_times_of_parquet_that_are_none_are_named(
    folders: Path, times: pa.Array, words: list[str]
) -> None:
    write_parquet(
        folders / "updates/u.parquet", {"text": ["a", "b"], "label": ["x", "y"], "at": times}
    )

    with pytest.raises(DataError) as error:
        taken(folders, columns=columns_of("TextClassification", time="at"))

    for word in ["updates/u.parquet", "'at'", *words]:
        assert word in error.value.message


def test_two_ways_to_write_times_in_a_column_are_told(folders: Path) -> None:
    times = (1795176000, "2026-11-20T12:00:00Z", 1795176000123, 1795176001, "20261120")
    page = "".join(json.dumps(row) + "\n" for row in dated(*times))
    (folders / "updates/u.jsonl").write_text(page)

    remarks = taken(folders, columns=columns_of("TextClassification", time="at"))[1].remarks

    assert "line 2: column 'at' holds ISO 8601 with a zone, and seconds since 1970 in" in remarks[0]
    assert [remark.split(":")[0] for remark in remarks] == [
        f"updates/u.jsonl, line {line}" for line in (2, 3, 5)
    ]


def test_rows_that_are_too_early_to_be_new_are_counted(folders: Path) -> None:
    page = "".join(json.dumps(row) + "\n" for row in dated(*["2026-11-19"] * 200))
    (folders / "updates/u.jsonl").write_text(page)

    _, dataset = taken(folders, columns=columns_of("TextClassification", time="at"), since=ONSET)

    assert not new_texts(dataset)
    (told,) = dataset.remarks
    assert told.startswith(f"updates/u.jsonl, line 1: dated before {ONSET}, so it teaches")
    assert "(200 in all)" in told


def test_without_an_onset_or_a_column_all_rows_of_new_files_are_new(folders: Path) -> None:
    page = "".join(json.dumps(row) + "\n" for row in dated("2020-01-01", "2026-11-21"))
    (folders / "updates/u.jsonl").write_text(page)

    assert (
        len(new_texts(taken(folders, columns=columns_of("TextClassification", time="at"))[1])) == 2
    )
    assert len(new_texts(taken(folders, since=ONSET)[1])) == 2


def test_a_snapshot_without_any_of_it_is_spelled_as_ever(folders: Path) -> None:
    """Its digest names it, and stored ones stay valid."""
    spelled = taken(folders)[0].to_json()

    assert not any(word in spelled for word in ("since", "sampling", "time"))


@pytest.mark.parametrize(
    "at, words",
    [
        ("yesterday", ["updates/u.jsonl, line 1, column 'at'", "'yesterday' is no time"]),
        (None, ["is no time"]),
        (True, ["is no time"]),
        ("", ["is no time"]),
        (float("nan"), ["is no time"]),
        (-5, ["is no time"]),
        (0, ["is no time", "seconds since 1970 would make it 1970-01-01"]),
        (46346, ["is no time", "a spreadsheet's number for 2026-11-20"]),
        ("46346.75", ["a spreadsheet's number for 2026-11-20"]),
        (20261341, ["is no time", "would make it 1970-08-23"]),
        ("2026", ["is no time", "it names no day"]),
        ("2026-11", ["is no time", "it names no day"]),
        (202611, ["is no time", "it names no day"]),
        ("2026-W47", ["is no time", "it names no day"]),
        ("1.795E+09", ["is no time", "rounded"]),
        ("1_795_176_000", ["is no time"]),
        ("9" * 5000, ["is no time"]),
        (10**400, ["is no time"]),
        (float("inf"), ["is no time"]),
        ("11/20/2026", ["is no time", "which the day"]),
        ("20.11.2026 12:00", ["is no time", "which the day"]),
        ("2026-11-20T12:00:00 CET", ["is no time"]),
        ({"$date": 1}, ["is no time"]),
        ("0001-01-01T00:00:00Z", ["lies before 2000"]),
        ("1970-01-01", ["lies before 2000", "data.original"]),
        ("19991231", ["lies before 2000"]),
        (1895176000000, ["lies in the future (2030-01-20)"]),
        ("2199-01-01", ["lies in the future"]),
        ("9999-12-31T23:59:59-14:00", ["is no time"]),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_time_that_is_none_is_named(folders: Path, at: Any, words: list[str]) -> None:
    (folders / "updates/u.jsonl").write_text(json.dumps(dated(at)[0]) + "\n")

    with pytest.raises(DataError) as error:
        taken(folders, columns=columns_of("TextClassification", time="at"))

    assert error.value.reason == "TimeUnreadable"
    assert all(word in error.value.message for word in words), error.value.message


def test_only_updates_need_the_column(folders: Path) -> None:
    write_csv(folders / "updates/u.csv", [("a", "x")])

    with pytest.raises(DataError, match=r"updates/u\.csv, line 1: there is no column 'at'"):
        taken(folders, columns=columns_of("TextClassification", time="at"))


# --- spec.data.updates.sampling ---------------------------------------------------------


def test_targeted_rows_teach_and_are_never_held_out(folders: Path) -> None:
    write_csv(folders / "updates/u.csv", [(f"hard {n}", "xy"[n % 2]) for n in range(200)])

    _, drawn = taken(folders)
    snapshot, chosen = taken(folders, sampling=Sampling.TARGETED)

    assert len(drawn.new_held_out) > 30
    assert (len(chosen.new_held_out), len(chosen.new_train)) == (0, 200)
    assert chosen.old_held_out == drawn.old_held_out
    assert snapshot.sampling is Sampling.TARGETED


@pytest.mark.slow
def test_no_shift_and_no_drift_is_read_from_targeted_rows(trained: Trained) -> None:
    lab, run, served = trained.lab, trained.run, champion(trained.version_1)
    # As far from the old rows as can be: all tests would see it.
    write_lines(lab.updates / "u.jsonl", headlines(["arts"], 300, seed=3))
    data = replace(lab.request(Operation.DIAGNOSE, run).data, sampling=Sampling.TARGETED)

    found = lab.diagnose(run, champion=served, data=data)

    assert found.diagnosis is not None
    assert [finding.answer for finding in found.diagnosis.findings] == [Answer.UNDETERMINED] * 3
    assert found.diagnosis.new is None
    report = lab.train(run, TrainingAction.FINE_TUNE, found, champion=served, data=data)
    assert report.evaluation is not None
    assert report.evaluation.new is None
    assert report.evaluation.old is not None
    assert report.candidate is not None
    manifest = lab.store / f"versions/{report.candidate.version}/manifest.json"
    fair = json.loads(manifest.read_text())["fairHoldout"]
    assert fair["updatesPercent"] == 0
    assert sorted(share > 0 for share in fair["files"].values()) == [False, True]
    assert trained.manifest["fairHoldout"]["files"].items() <= fair["files"].items()


# --- deliveries -------------------------------------------------------------------------


@pytest.mark.slow
def test_rows_that_differ_in_a_number_are_copies(trained: Trained) -> None:
    few = headlines(["finance", "sport"], 30, seed=9)
    rows = [f"{text} #{n}.,{label}" for n in range(10) for text, label in few]
    trained.deliver(["text,label", *rows])

    reason, message = trained.refusal()

    assert reason == "RowsDuplicated"
    assert "270 of 300 new rows say what another of them says" in message


@pytest.mark.slow
def test_old_rows_again_are_no_news(trained: Trained) -> None:
    trained.deliver([*trained.original, "one more row of news,finance"])

    reason, message = trained.refusal()

    assert reason == "RowsRepeated"
    assert "new rows are old rows again, input and label" in message


@pytest.mark.slow
def test_texts_that_come_again_with_another_label_are_no_copies(trained: Trained) -> None:
    other = {"finance": "sport", "sport": "finance"}
    header, *lines = trained.original
    turned = [f"{text},{other[label]}" for text, label in (line.rsplit(",", 1) for line in lines)]
    trained.deliver([header, *turned])

    reason, message = trained.refusal()

    assert reason == ""
    assert (
        "If old labels were wrong and have been corrected, correct them in data.original" in message
    )


@pytest.mark.slow
def test_the_champion_is_not_judged_by_a_new_row_that_it_was_trained_on(trained: Trained) -> None:
    lab, (header, *lines) = trained.lab, trained.original
    fresh = [f"{text},{label}" for text, label in headlines(["finance", "sport"], 250, seed=11)]
    again = list(dict.fromkeys(lines))[:150]
    trained.deliver([header, *again, *fresh])

    by_hand = replace(lab.request(Operation.DIAGNOSE, 1).data, holdout=Holdout(None, 70))
    lab.diagnose(trained.run, champion=champion(trained.version_1), data=by_hand)
    rows = json.loads((lab.store / f"runs/{trained.run}/data.json").read_text())["rows"]
    keys = [make_row(line.rsplit(",", 1)[0], "x", Origin.UPDATES, new=True) for line in again]
    (share,) = trained.manifest["fairHoldout"]["files"].values()
    known = sum(share <= row.bucket < 7_000 for row in keys)

    assert known > 20, "seven in ten, less those that were held out of its training"
    assert rows["newTrain"] + rows["newHeldOut"] == 400 - known
