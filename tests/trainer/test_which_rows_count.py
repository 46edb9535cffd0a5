"""Which rows are new, which teach only, and which deliveries are refused."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

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
    Columns,
    DataRef,
    Holdout,
    Operation,
    Sampling,
    TrainingAction,
    TrainingReport,
)
from maintenance_trainer.data import (
    Dataset,
    Origin,
    Snapshot,
    make_row,
    read_again,
    take_snapshot,
)
from maintenance_trainer.errors import DataError
from maintenance_trainer.places import Places

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
    snapshot, dataset = take_snapshot(ref, Places(""), known=frozenset(), champion_holdout=None)
    assert read_again(Snapshot.from_json(snapshot.to_json()), ref, Places(""), 1) == dataset
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
    ],
)
def test_rows_from_before_the_onset_are_not_new(folders: Path, before: Any, after: Any) -> None:
    page = "".join(json.dumps(row) + "\n" for row in dated(before, after))
    (folders / "updates/u.jsonl").write_text(page)

    _, dataset = taken(folders, columns=Columns(time="at"), since=ONSET)

    assert new_texts(dataset) == {"t1"}
    assert "t0" in {row.text for row in dataset.rows}, "it still teaches"


def test_parquet_has_times_of_its_own(folders: Path) -> None:
    times = [datetime(2026, 11, day, tzinfo=UTC) for day in (19, 20, 21)]
    write_parquet(
        folders / "updates/u.parquet", {"text": list("abc"), "label": list("xyx"), "at": times}
    )

    _, dataset = taken(folders, columns=Columns(time="at"), since=ONSET)

    assert new_texts(dataset) == {"c"}


def test_without_an_onset_or_a_column_all_rows_of_new_files_are_new(folders: Path) -> None:
    page = "".join(json.dumps(row) + "\n" for row in dated("2020-01-01", "2026-11-21"))
    (folders / "updates/u.jsonl").write_text(page)

    assert len(new_texts(taken(folders, columns=Columns(time="at"))[1])) == 2
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
        (1763640000000, ["lies in the future", "no milliseconds"]),
        ("2199-01-01", ["lies in the future"]),
    ],
)
def test_a_time_that_is_none_is_named(folders: Path, at: Any, words: list[str]) -> None:
    (folders / "updates/u.jsonl").write_text(json.dumps(dated(at)[0]) + "\n")

    with pytest.raises(DataError) as error:
        taken(folders, columns=Columns(time="at"))

    assert error.value.reason == "TimeUnreadable"
    assert all(word in error.value.message for word in words), error.value.message


def test_only_updates_need_the_column(folders: Path) -> None:
    write_csv(folders / "updates/u.csv", [("a", "x")])

    with pytest.raises(DataError, match=r"updates/u\.csv, line 1: there is no column 'at'"):
        taken(folders, columns=Columns(time="at"))


# --- spec.data.updates.sampling ---------------------------------------------------------


def test_targeted_rows_teach_and_are_never_held_out(folders: Path) -> None:
    write_csv(folders / "updates/u.csv", [(f"hard {n}", "xy"[n % 2]) for n in range(200)])

    _, drawn = taken(folders)
    snapshot, chosen = taken(folders, sampling=Sampling.TARGETED)

    assert len(drawn.new_held_out) > 30
    assert (len(chosen.new_held_out), len(chosen.new_train)) == (0, 200)
    assert chosen.old_held_out == drawn.old_held_out
    assert snapshot.sampling is Sampling.TARGETED


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
    assert fair == {"originalPercent": 10, "updatesPercent": 0}


# --- deliveries -------------------------------------------------------------------------


def test_rows_that_differ_in_a_number_are_copies(trained: Trained) -> None:
    few = headlines(["finance", "sport"], 30, seed=9)
    rows = [f"{text} #{n}.,{label}" for n in range(10) for text, label in few]
    trained.deliver(["text,label", *rows])

    reason, message = trained.refusal()

    assert reason == "RowsDuplicated"
    assert "270 of 300 new rows say what another of them says" in message


def test_old_rows_again_are_no_news(trained: Trained) -> None:
    trained.deliver([*trained.original, "one more row of news,finance"])

    reason, message = trained.refusal()

    assert reason == "RowsRepeated"
    assert "new rows are old rows again, text and label" in message


def test_texts_that_come_again_with_another_label_are_no_copies(trained: Trained) -> None:
    other = {"finance": "sport", "sport": "finance"}
    header, *lines = trained.original
    turned = [f"{text},{other[label]}" for text, label in (line.rsplit(",", 1) for line in lines)]
    trained.deliver([header, *turned])

    assert trained.refusal()[0] == ""


def test_the_champion_is_not_judged_by_a_new_row_that_it_was_trained_on(trained: Trained) -> None:
    header, *lines = trained.original
    fresh = [f"{text},{label}" for text, label in headlines(["finance", "sport"], 250, seed=11)]
    again = list(dict.fromkeys(lines))[:150]
    trained.deliver([header, *again, *fresh])

    assert trained.refusal()[0] == ""
    rows = json.loads((trained.lab.store / f"runs/{trained.run}/data.json").read_text())["rows"]
    keys = [make_row(line.rsplit(",", 1)[0], "x", Origin.UPDATES, new=True) for line in again]
    known = sum(row.held_out(Holdout(90, 30)) and not row.held_out(Holdout(1, 10)) for row in keys)

    assert known > 20, "three in ten, less the one in ten that it has never seen"
    assert rows["newTrain"] + rows["newHeldOut"] == 400 - known
