"""Series as nobody should write them, and rows that are few, rare or far apart."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from support.laboratory import age
from support.series import (
    BEGIN,
    SMALL,
    Record,
    data_of,
    records,
    rows_of,
    stamps,
    taken,
    write,
)

from maintenance_contract import Task, TrainingAction, Windows, columns_of, evidence_names
from maintenance_trainer.data.shares import Shares
from maintenance_trainer.data.snapshot import read_again, take_snapshot
from maintenance_trainer.errors import DataError
from maintenance_trainer.files import sha256
from maintenance_trainer.locations import Places
from maintenance_trainer.tasks import source
from maintenance_trainer.tasks.series import arrays, drift, leakage, network
from maintenance_trainer.tasks.series.rows import SECOND, Window
from maintenance_trainer.tasks.series.schema import Channel, Schema
from maintenance_trainer.tasks.time_series_forecasting import TimeSeriesForecasting

CLASSES = Task.TIME_SERIES_CLASSIFICATION
FORECAST = Task.TIME_SERIES_FORECASTING
LABELLED = Windows(context=4, horizon=0, stride=1)
BY_SHOP = columns_of(FORECAST, series="shop")


def refused(folder: Path, **how: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        taken(folder, **how)
    return caught.value


def measured(schema: Schema, old: list[Window], new: list[Window]) -> dict[str, float]:
    return {each.name: each.effect for each in drift.measures(schema, old, new)}


# --- read again --------------------------------------------------------------------------


@pytest.mark.parametrize("task", [CLASSES, FORECAST])
def test_a_snapshot_that_is_read_again_makes_the_same_windows(tmp_path: Path, task: str) -> None:
    whole = records(0, {"v": np.arange(120.0)})
    if task == CLASSES:
        for at, row in enumerate(whole):
            row["label"] = ("up", "up", "down", "down", "NA", "None")[at % 6]
    write(tmp_path / "original/a.csv", whole[:80])
    write(tmp_path / "updates/b.csv", whole[70:])
    windows = Windows(4, 0, 2) if task == CLASSES else SMALL
    data = data_of(tmp_path, windows, columns_of(task))
    snapshot, dataset = take_snapshot(
        data, Places(""), source(task), known=frozenset(), champion_holdout=None
    )
    again = read_again(snapshot, data, Places(""), source(task), 1)
    for side in ("new_train", "new_held_out", "old_train", "old_held_out"):
        one, other = (
            [(row.key, row.label, row.unit) for row in getattr(each, side)]
            for each in (dataset, again)
        )
        assert one == other, side
    assert len(dataset.rows) > 20
    if task == CLASSES:
        assert {row.label for row in again.rows} == {"up", "down"}
        said = "line 6, column 'label': 'NA': that is written for nothing and counts as no label"
        assert any(said in remark for remark in dataset.remarks)


@pytest.mark.parametrize("nothing", [r"\N", "(null)", "<null>", "[NULL]"])
def test_what_databases_write_for_null_is_no_label(tmp_path: Path, nothing: str) -> None:
    whole = records(0, {"v": np.arange(80.0)})
    for at, row in enumerate(whole):
        row["label"] = ("up", "up", "down", nothing)[at % 4]
        row["v"] = nothing if at == 7 else row["v"]
    write(tmp_path / "original/a.csv", whole)
    data = data_of(tmp_path, LABELLED, columns_of(CLASSES))
    found = {}
    for labels in ((), ("up", nothing)):
        _, dataset = take_snapshot(
            data,
            Places(""),
            source(CLASSES),
            known=frozenset(),
            champion_holdout=None,
            champion_labels=labels,
        )
        found[labels] = {row.label for row in dataset.rows}
    assert found == {(): {"up", "down"}, ("up", nothing): {"up", "down", nothing}}


# --- labels and names --------------------------------------------------------------------


def test_a_class_in_two_spellings_is_refused(tmp_path: Path) -> None:
    labels = ["1", "2"] * 10 + ["1.0"]
    write(tmp_path / "original/a.csv", records(0, {"v": np.arange(21.0), "label": labels}))
    error = refused(tmp_path, task=CLASSES, windows=LABELLED)
    assert error.reason == "LabelsDoubled"
    assert "original/a.csv, line 22: the label '1.0' is the class '1'" in error.message


def test_half_a_character_names_no_series_and_may_name_a_channel(tmp_path: Path) -> None:
    half = "\ud83d"
    write(tmp_path / "a/original/a.jsonl", records(0, {"v": np.arange(20.0)}, shop=half))
    error = refused(tmp_path / "a", columns=BY_SHOP)
    assert error.reason == "DataUnreadable"
    assert "line 1, column 'shop': the name of the series '\\ud83d' has half a" in error.message
    write(tmp_path / "b/original/a.jsonl", records(0, {half: np.arange(40.0)}))
    rows = rows_of(taken(tmp_path / "b"))
    assert rows[0].targets == (half,)
    assert len({row.key for row in rows}) == len(rows)


def test_a_channel_in_two_spellings_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "original/a.csv", records(0, {"Größe": np.arange(40.0)}))
    write(tmp_path / "updates/b.csv", records(40, {"Gro\u0308ße": np.arange(40.0)}))
    error = refused(tmp_path)
    assert error.message.startswith("updates/b.csv: 'Gro\\u0308\\xdfe' and 'Gr\\xf6\\xdfe' (orig")
    assert "are one column in two spellings" in error.message


def test_channels_that_differ_in_capitals_are_told(tmp_path: Path) -> None:
    write(tmp_path / "original/a.csv", records(0, {"load": np.arange(40.0)}))
    write(tmp_path / "original/b.csv", records(40, {"LOAD": np.arange(40.0)}))
    said = "original/b.csv: the columns 'LOAD' here and 'load' in original/a.csv count as two"
    assert any(remark.startswith(said) for remark in taken(tmp_path).remarks)


def test_a_series_that_is_called_nothing_is_told(tmp_path: Path) -> None:
    write(tmp_path / "original/a.csv", records(0, {"v": np.arange(40.0)}, shop="NA"))
    said = " ".join(taken(tmp_path, columns=BY_SHOP).remarks)
    assert "a.csv, line 2, column 'shop': 'NA': a series with a name that some programs" in said


def test_a_series_in_two_spellings_is_told(tmp_path: Path) -> None:
    write(tmp_path / "original/a.csv", records(0, {"v": np.arange(40.0)}, shop="7"))
    write(tmp_path / "updates/b.csv", records(40, {"v": np.arange(40.0)}, shop="7.0"))
    said = " ".join(taken(tmp_path, columns=BY_SHOP).remarks)
    assert "updates/b.csv, series '7.0' beside '7': two series, or one in two spellings" in said


# --- one time, several rows --------------------------------------------------------------


def test_a_file_that_contradicts_itself_is_refused_though_it_first_repeats_another(
    tmp_path: Path,
) -> None:
    whole = records(0, {"v": np.arange(30.0)})
    write(tmp_path / "original/a.csv", whole)
    write(tmp_path / "updates/b.csv", [whole[7], whole[7] | {"v": -1.0}])
    error = refused(tmp_path)
    assert "updates/b.csv, line 3: the time is there twice, first in line 2" in error.message
    assert "where clocks are set back, an hour of local time is there twice" in error.message


def test_rows_of_a_file_may_complete_each_other_where_an_earlier_file_says_more(
    tmp_path: Path,
) -> None:
    whole = records(0, {"v": np.arange(30.0), "w": np.arange(30.0)})
    write(tmp_path / "original/a.csv", whole)
    more = [whole[7] | {"v": -1.0, "w": ""}, whole[7] | {"v": "", "w": -2.0}]
    write(tmp_path / "updates/b.csv", more)
    columns = rows_of(taken(tmp_path))[0].series.columns
    assert (columns["v"][7], columns["w"][7], columns["v"][8]) == (-1.0, -2.0, 8.0)


def test_times_with_a_zone_in_one_file_alone_are_told(tmp_path: Path) -> None:
    whole = records(0, {"v": np.arange(60.0)})
    write(tmp_path / "original/a.csv", whole[:40])
    plain = [row | {"time": row["time"].removesuffix("+00:00")} for row in whole[40:]]
    write(tmp_path / "updates/b.csv", plain)
    said = " ".join(taken(tmp_path).remarks)
    assert "updates/b.csv, line 2: times without a zone are in UTC; original/a.csv, line 2" in said
    write(tmp_path / "updates/b.csv", whole[40:])
    assert "without a zone" not in " ".join(taken(tmp_path).remarks)


def test_zones_of_parquet_are_compared_as_those_of_texts_are(tmp_path: Path) -> None:
    whole = records(0, {"v": np.arange(60.0)})
    times = [datetime.fromisoformat(row["time"]) for row in whole]

    def put(name: str, part: slice, kind: pa.DataType) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        naive = [time.replace(tzinfo=None) for time in times[part]]
        stamps = pa.array(naive, pa.timestamp("us")).cast(kind)
        parquet.write_table(pa.table({"time": stamps, "v": np.arange(60.0)[part]}), path)
        age(path)

    put("original/a.parquet", slice(40), pa.timestamp("us", "Europe/Berlin"))
    put("updates/b.parquet", slice(40, 60), pa.timestamp("us"))
    said = " ".join(taken(tmp_path).remarks)
    assert "updates/b.parquet, row 1: times without a zone are in UTC; original/a.parquet" in said
    put("updates/b.parquet", slice(40, 60), pa.timestamp("us", "UTC"))
    assert "without a zone" not in " ".join(taken(tmp_path).remarks)
    (tmp_path / "updates/b.parquet").unlink()
    write(tmp_path / "updates/b.csv", [row | {"time": row["time"][:19]} for row in whole[40:]])
    said = " ".join(taken(tmp_path).remarks)
    assert "updates/b.csv, line 2: times without a zone are in UTC; original/a.parquet" in said


def test_odd_steps_are_told_with_the_first_place_and_how_many(tmp_path: Path) -> None:
    def put(name: str, times: list[str]) -> None:
        write(tmp_path / name, [{"time": time, "v": n % 5} for n, time in enumerate(times)])

    put("original/a.csv", stamps(0, 100))
    quarter = timedelta(minutes=15)
    put("updates/b.csv", stamps(400, 60, quarter))
    irregular = (
        "updates/b.csv, 2025-01-05T04:15:00Z: irregularly sampled: a step of another length than "
        "most, as more than 10% of the series are; windows count rows (59 in all)."
    )
    assert irregular in taken(tmp_path).remarks

    put("updates/b.csv", stamps(400, 5, quarter))
    sooner = "updates/b.csv, 2025-01-05T04:15:00Z: rows follow sooner than most"
    assert any(each.startswith(sooner) and "(4 in all)" in each for each in taken(tmp_path).remarks)

    put("updates/b.csv", [*stamps(102, 20), *stamps(124, 20), *stamps(200, 20)])
    said = "; ".join(taken(tmp_path).remarks)
    assert "updates/b.csv, 2025-01-05T06:00:00Z: rows are missing in between" in said
    assert "windows count rows (3 in all)" in said
    assert "updates/b.csv, 2025-01-09T08:00:00Z: a gap of more than 4 steps: no window" in said

    put("updates/b.csv", [*stamps(100, 20), *stamps(130, 3)[::-1], *stamps(120, 10)])
    said = "; ".join(taken(tmp_path).remarks)
    assert (
        "updates/b.csv, line 23: rows are not in the order of time: they are sorted (3 in" in said
    )


def test_series_at_other_intervals_are_told(tmp_path: Path) -> None:
    def shop(name: str, seconds: int) -> list[Record]:
        times = stamps(0, 30, timedelta(seconds=seconds))
        return [{"time": time, "shop": name, "v": n % 5} for n, time in enumerate(times)]

    write(tmp_path / "original/a.csv", [*shop("a", 60), *shop("b", 63), *shop("c", 60)])
    assert not any("other intervals" in each for each in taken(tmp_path, columns=BY_SHOP).remarks)
    write(tmp_path / "original/b.csv", [*shop("m", 10), *shop("n", 300)])
    said = [each for each in taken(tmp_path, columns=BY_SHOP).remarks if "other intervals" in each]
    assert said == [
        (
            "data, series 'm' with a row every 10 s: series at other intervals than most, which "
            "have a row every 60 s (like 'a'): windows count rows, so theirs span another time "
            "(2 in all)."
        )
    ]


# --- targets -----------------------------------------------------------------------------


def test_a_channel_without_a_number_is_no_target_unless_it_is_named(tmp_path: Path) -> None:
    columns = {"v": np.arange(40.0), "none": [""] * 40}
    write(tmp_path / "original/a.csv", records(0, columns))
    rows = rows_of(taken(tmp_path))
    assert {row.targets for row in rows} == {("v",)}
    assert Schema.of(rows, 4).names == ("v",)
    named = columns_of(FORECAST, (), ("v", "none"))
    error = refused(tmp_path, columns=named)
    assert (error.reason, "the column 'none' holds no number" in error.message) == (
        "DataUnreadable",
        True,
    )


def test_a_target_that_the_rows_to_learn_from_do_not_hold_is_left_out(tmp_path: Path) -> None:
    late: list[Any] = [""] * 30 + list(np.arange(10.0))
    write(tmp_path / "original/a.csv", records(0, {"v": np.arange(40.0), "late": late}))
    rows = [row for row in rows_of(taken(tmp_path)) if row.end + row.horizon <= 30]
    assert rows[0].targets == ("late", "v")
    assert Schema.of(rows, 4).targets == ("v",)


def test_a_delivery_that_calls_its_target_otherwise_is_refused(tmp_path: Path) -> None:
    numbers = np.arange(40.0)
    write(tmp_path / "original/a.csv", records(0, {"load": numbers, "warm": numbers % 7}))
    write(tmp_path / "updates/b.csv", records(40, {"load_kw": numbers, "warm": numbers % 7}))
    named = columns_of(FORECAST, (), ("load",))
    error = refused(tmp_path, columns=named)
    assert error.reason == "ColumnMissing"
    assert error.message.startswith(
        "updates/b.csv: there is no column 'load' of data.columns.targets, only 'time', 'load_kw', "
        "'warm', and no new file has a target"
    )
    # A version was trained on it, or another delivery has the target: it counts as empty.
    its = frozenset({sha256(tmp_path / "updates/b.csv")})
    shares = Shares(1_000, 3_000)
    assert rows_of(taken(tmp_path, columns=named, known=its, champion_holdout=shares))
    write(tmp_path / "updates/c.csv", records(80, {"load": numbers, "warm": numbers % 7}))
    assert any(row.new for row in rows_of(taken(tmp_path, columns=named)))


def test_a_delivery_may_fill_in_what_other_files_lack(tmp_path: Path) -> None:
    numbers = np.arange(60.0)
    write(tmp_path / "original/load.csv", records(0, {"load": numbers}))
    write(tmp_path / "original/weather.csv", records(0, {"warm": numbers[:40] % 7}))
    write(tmp_path / "updates/weather.csv", records(40, {"warm": numbers[40:] % 7}))
    named = columns_of(FORECAST, (), ("load",))
    assert any(row.new for row in rows_of(taken(tmp_path, columns=named)))


def test_a_channel_that_no_window_sees_is_not_called_empty(tmp_path: Path) -> None:
    numbers = np.arange(40.0)
    late: list[Any] = [""] * 36 + [1.0, 2.0, 3.0, 4.0]
    of_v: list[Any] = [*numbers[:30], *[""] * 10]
    columns = {"v": of_v, "late": late, "none": [""] * 40}
    write(tmp_path / "original/a.csv", records(0, columns))
    found = taken(tmp_path, columns=columns_of(FORECAST, (), ("v",)))
    task = TimeSeriesForecasting()
    said = task.check_rows(None, found)
    assert "the column 'none': nothing is in it, so it is no input." in said
    assert any(each.startswith("the column 'late': no window sees") for each in said)


def test_errors_of_a_channel_of_new_files_alone_are_measured_by_its_own_steps(
    tmp_path: Path,
) -> None:
    write(tmp_path / "original/a.csv", records(0, {"v": np.arange(40.0)}))
    new = {"v": np.arange(40.0, 80.0), "w": 1000 * np.arange(40.0)}
    write(tmp_path / "updates/b.csv", records(40, new))
    scales = rows_of(taken(tmp_path))[0].series.scales
    assert (scales.of("v"), scales.of("w")) == (1.0, 1000.0)


def test_a_target_of_other_series_is_no_leak(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    for shop, names in (("a", ("v",)), ("b", ("v", "w"))):
        its = {name: chance.normal(size=400) for name in names}
        write(tmp_path / f"original/{shop}.csv", records(0, its, shop=shop))
    rows = [row for row in rows_of(taken(tmp_path, columns=BY_SHOP)) if row.series.name == "a"]
    assert (len(rows) > 50, rows[0].targets) == (True, ("v", "w"))
    leakage.check_targets(rows, "data.updates")  # nothing is raised


def test_a_leak_is_found_among_many_channels(tmp_path: Path) -> None:
    values = np.random.default_rng(2).normal(size=(600, 60)).round(2)
    values[:-2, 41] = 2 * values[2:, 7] + 32
    its = {f"c{number:02}": values[:-2, number] for number in range(60)}
    write(tmp_path / "original/a.csv", records(0, its))
    rows = rows_of(taken(tmp_path, Windows(4, 8, 1)))
    with pytest.raises(DataError) as caught:
        leakage.check_targets(rows, "data.original")
    assert "the column 'c41' is the column 'c07' of 2 rows later" in caught.value.message


def test_nothing_is_learnt_beyond_a_rows_own_horizon(tmp_path: Path) -> None:
    """What a model tells farther ahead than is asked for now may be held out."""
    write(tmp_path / "original/a.csv", records(0, {"v": np.arange(40.0)}))
    rows = rows_of(taken(tmp_path, SMALL))
    farther = Schema((Channel("v", 0.0, 1.0),), 4, 5, 3600.0, ("v",))
    right = arrays.answers(rows[:1], farther)[0, :, 0]
    assert right[:2].tolist() == [rows[0].end, rows[0].end + 1.0]
    assert np.isnan(right[2:]).all()


# --- scale and memory --------------------------------------------------------------------


def test_the_unit_of_a_channel_does_not_make_it_constant(tmp_path: Path) -> None:
    write(
        tmp_path / "original/a.jsonl",
        [
            {"time": time, "tiny": number * 1e-15, "same": 0.1}
            for number, time in enumerate(stamps(0, 40))
        ],
    )
    schema = Schema.of(rows_of(taken(tmp_path)), 4)
    scale = {channel.name: channel.std for channel in schema.channels}
    assert scale["tiny"] == pytest.approx(1e-15 * np.arange(40.0).std(), rel=0.1)
    assert scale["same"] == 1.0


def test_long_windows_of_many_channels_are_made_a_few_at_once() -> None:
    assert (arrays.at_once(64, 2), arrays.at_once(8192, 1000)) == (4096, 1)
    assert arrays.at_once(1024, 50) * 1024 * 50 <= arrays.NUMBERS


# --- blocks of time ----------------------------------------------------------------------


def test_rare_labels_cost_no_held_out_rows(tmp_path: Path) -> None:
    """What lies before them has no row on either side."""
    rare = ["" if at % 80 else ("up", "down")[at // 80 % 2] for at in range(4000)]
    write(tmp_path / "original/a.csv", records(0, {"v": np.arange(4000.0), "label": rare}))
    dataset = taken(tmp_path, Windows(16, 0, 1), CLASSES)
    assert (len(dataset.rows), dataset.between) == (49, 0)
    assert len(dataset.old_held_out) > 5


def test_a_clock_that_ticks_a_little_slower_moves_no_block(tmp_path: Path) -> None:
    blocks = []
    for name, step in (("even", 1.0), ("slow", 1.0005)):
        rows = [
            {"time": time, "v": float(number)}
            for number, time in enumerate(stamps(0, 64, timedelta(seconds=step)))
        ]
        write(tmp_path / name / "original/a.csv", rows)
        blocks.append({row.block for row in rows_of(taken(tmp_path / name, Windows(6, 2, 2)))})
    assert (len(blocks[0]), blocks[0]) == (4, blocks[1])  # of 16 seconds


@pytest.mark.slow
def test_a_first_file_of_centuries_is_read(tmp_path: Path) -> None:
    rows: list[Record] = [{"time": f"1{year}50-01-01", "v": 1.0} for year in (7, 8, 9)]
    write(tmp_path / "original/a.csv", rows)
    write(tmp_path / "original/b.csv", records(-9000, {"v": np.arange(20_000.0)[:19_000]}))
    dataset = taken(tmp_path, Windows(4096, 2048, 2048))
    assert {row.unit for row in dataset.rows} == {rows_of(dataset)[0].unit}


# --- what has changed --------------------------------------------------------------------


def _two_ages(tmp_path: Path, old: list[Record], new: list[Record], windows: Windows) -> Any:
    write(tmp_path / "original/a.csv", old)
    write(tmp_path / "updates/b.csv", new)
    rows = rows_of(taken(tmp_path, windows))
    before = [row for row in rows if not row.new]
    return before, [row for row in rows if row.new], Schema.of(before, windows.context)


def test_a_channel_that_is_seldom_measured_is_not_lost(tmp_path: Path) -> None:
    rare: list[Any] = [float(at % 7) if at % 50 == 0 else "" for at in range(1000)]
    old = records(0, {"v": np.arange(1000.0) % 24, "rare": rare})
    new = records(1000, {"v": np.arange(45.0) % 24, "rare": [""] * 45})
    before, now, schema = _two_ages(tmp_path, old, new, Windows(4, 1, 1))
    assert schema.names == ("rare", "v")
    assert measured(schema, before, now)[evidence_names.CHANGED_COLUMNS] == 0
    dense = records(0, {"v": np.arange(1000.0) % 24, "rare": np.arange(1000.0) % 7})
    before, now, schema = _two_ages(tmp_path / "dense", dense, new, Windows(4, 1, 1))
    assert measured(schema, before, now)["lostColumn:rare"] == 0.0


def test_a_new_channel_that_most_rows_lack_is_no_new_target(tmp_path: Path) -> None:
    old = records(0, {"v": np.arange(200.0) % 24})
    few: list[Any] = [5.0, *[""] * 59]
    for name, its, asked in (("few", few, 0), ("many", list(np.arange(60.0)), 1)):
        new = records(200, {"v": np.arange(60.0) % 24, "w": its})
        before, now, _ = _two_ages(tmp_path / name, old, new, SMALL)
        schema = Schema((Channel("v", 11.5, 6.9),), 4, 2, 3600.0, ("v",))
        assert now[0].targets == ("v", "w")
        assert measured(schema, before, now)[evidence_names.NEW_TARGETS] == asked


def test_a_week_of_trading_days_has_one_clock_whatever_day_it_begins(tmp_path: Path) -> None:
    monday = BEGIN + timedelta(days=5)
    dates = [monday + timedelta(days=day) for day in range(590)]
    days = [each.date().isoformat() for each in dates if each.weekday() < 5]
    del days[250]  # a holiday: from here on windows end on a Monday, and no longer on a Friday
    whole = [{"time": day, "v": float(at % 11)} for at, day in enumerate(days)]
    old, new = whole[:252], whole[252:]
    before, now, schema = _two_ages(tmp_path, old, new, Windows(5, 5, 5))
    ends = [row.series.stamps[row.end + 4] // (86_400 * SECOND) for row in now]
    assert {(int(end) + 3) % 7 for end in ends} == {0}
    assert measured(schema, before, now)[evidence_names.SAMPLING_INTERVAL] == 1.0
    half = new[::2]
    before, now, schema = _two_ages(tmp_path / "half", old, half, Windows(5, 5, 5))
    assert measured(schema, before, now)[evidence_names.SAMPLING_INTERVAL] >= 2.0


@pytest.mark.parametrize(
    "value, read",
    [
        ("1" + "0" * 400, "is no finite number of at most 3.4e38"),
        ("Infinity", "'inf' is no finite number"),
        ("[1]", "'[1]' is no number"),
        ("NaN", np.nan),
        ("null", np.nan),
        ("true", 1.0),
    ],
)
def test_what_json_calls_a_number_is_read_or_refused(
    tmp_path: Path, value: str, read: str | float
) -> None:
    path = tmp_path / "original/a.jsonl"
    write(path, [{"time": time, "v": n} for n, time in enumerate(stamps(0, 30))])
    path.write_text(path.read_text().replace('"v": 7}', f'"v": {value}}}'))
    age(path)
    if isinstance(read, str):
        message = refused(tmp_path).message
        assert "line 8, column 'v'" in message
        assert read in message
    else:
        found = rows_of(taken(tmp_path))[0].series.columns["v"][7]
        assert np.array_equal(found, read, equal_nan=True)


def test_the_page_says_how_long_is_trained() -> None:
    page = " ".join((Path(__file__).parents[2] / "docs/series.md").read_text().split())
    retrain = TrainingAction.RETRAIN
    for words in (
        f"{network.EPOCHS[retrain]} epochs, for a fine-tune",
        f"up to {network.MOST_EPOCHS}, until there are {network.LEAST_STEPS[retrain]} steps",
        f"{network.MOST_STEPS:,} steps or one epoch at most",
    ):
        assert words in page
