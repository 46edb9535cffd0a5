"""Series in files: what rows mean, how they are joined, which windows they make, what is odd."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from support.laboratory import age
from support.series import BEGIN, SMALL, load, records, rows_of, stamps, taken, write

from maintenance_contract import Task, Windows, columns_of
from maintenance_trainer.data.rows import Row
from maintenance_trainer.errors import DataError
from maintenance_trainer.tasks.series import arrays
from maintenance_trainer.tasks.series.rows import SECOND, Window
from maintenance_trainer.tasks.series.schema import Schema

FORECAST, CLASSES = Task.TIME_SERIES_FORECASTING, Task.TIME_SERIES_CLASSIFICATION


def csv(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return age(path) or path


def seen(row: Window, name: str) -> list[float]:
    return [float(each) for each in row.series.columns[name][row.end - row.context : row.end]]


def told(row: Window, name: str) -> list[float]:
    return [float(each) for each in row.series.columns[name][row.end : row.end + row.horizon]]


def refused(folder: Path, **how: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        taken(folder, **how)
    return caught.value


# --- windows -----------------------------------------------------------------------------


def test_a_window_is_what_was_and_what_comes(tmp_path: Path) -> None:
    write(tmp_path / "original/a.csv", records(0, {"v": np.arange(40.0)}))
    rows = rows_of(taken(tmp_path))
    for row in rows:
        assert seen(row, "v") == [row.end - 4.0, row.end - 3.0, row.end - 2.0, row.end - 1.0]
        assert told(row, "v") == [float(row.end), row.end + 1.0]
        assert row.end % 2 == 0
        assert (row.targets, row.stratum, row.new) == (("v",), "", False)
    assert rows[0].series.step == 3600.0


def test_no_row_of_a_series_is_in_windows_of_both_sides(tmp_path: Path) -> None:
    """Nor are there answers nearer to each other than a horizon."""
    write(tmp_path / "original/a.csv", records(0, {"v": load(0, 900)}, shop="a"))
    write(tmp_path / "original/b.csv", records(300, {"v": load(0, 500, 1)}, shop="b"))
    windows = Windows(context=6, horizon=3, stride=1)
    columns = columns_of(FORECAST, series="shop")
    dataset = taken(tmp_path, windows, columns=columns)
    train, held = dataset.old_train, dataset.old_held_out
    assert min(len(train), len(held)) > 100
    assert 0 < dataset.between < len(dataset.rows) / 3
    assert any(
        "rows reach from what is held out into what is trained on" in remark
        for remark in dataset.remarks
    )
    for shop in ("a", "b"):
        used = [_used(side, shop) for side in (train, held)]
        assert used[0].isdisjoint(used[1])
        answered = [
            {row.end + step for row in _windows(side, shop) for step in range(3)}
            for side in (train, held)
        ]
        assert all(abs(one - other) >= 3 for one in answered[0] for other in answered[1])


def _windows(rows: Sequence[Row], shop: str) -> list[Window]:
    return [row for row in rows if isinstance(row, Window) and row.series.name == shop]


def _used(rows: Sequence[Row], shop: str) -> set[int]:
    its = _windows(rows, shop)
    return {at for row in its for at in range(row.end - row.context, row.end + row.horizon)}


def test_a_row_never_changes_its_side(tmp_path: Path) -> None:
    """Whatever comes before it, after it, or again."""
    whole = records(0, {"v": load(0, 400)})
    write(tmp_path / "one/original/a.csv", whole)
    write(tmp_path / "two/original/a.csv", whole[:300])
    write(tmp_path / "two/original/b.csv", whole[250:])
    sides = []
    for name in ("one", "two"):
        dataset = taken(tmp_path / name)
        sides.append(
            ({row.key for row in dataset.old_train}, {r.key for r in dataset.old_held_out})
        )
    assert sides[0] == sides[1]


def test_a_delivery_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    whole = records(0, {"v": np.arange(23.0)})
    write(tmp_path / "original/a.csv", whole[:20])
    write(tmp_path / "updates/b.csv", whole[20:])  # three rows: none has a context of its own
    windows = Windows(context=4, horizon=1, stride=1)
    new = [row for row in rows_of(taken(tmp_path, windows)) if row.new]
    assert [(row.end, seen(row, "v"), told(row, "v")) for row in new] == [
        (end, [end - 4.0, end - 3.0, end - 2.0, end - 1.0], [float(end)])
        for end in (20, 21, 22)
        if any(row.end == end for row in new)
    ]
    dataset = taken(tmp_path, windows)
    assert len(dataset.new_train) + len(dataset.new_held_out) + dataset.between >= 3
    files = {row.file for row in new}
    assert files.isdisjoint(row.file for row in rows_of(dataset) if not row.new)


def test_no_window_is_told_by_old_rows_and_new_ones(tmp_path: Path) -> None:
    whole = records(0, {"v": np.arange(60.0)})
    write(tmp_path / "original/a.csv", whole[:41])
    write(tmp_path / "updates/b.csv", whole[41:])
    dataset = taken(tmp_path, Windows(context=4, horizon=4, stride=1))
    for row in rows_of(dataset):
        assert row.end + 4 <= 41 or row.end >= 41
        assert row.new is (row.end >= 41)
    assert any("3 windows are to be told by old rows and new ones" in r for r in dataset.remarks)


def test_a_label_is_of_what_was_seen_up_to_it(tmp_path: Path) -> None:
    labels = ["", "", "up", "", "down", "up", "", "down", "up", "up"]
    write(tmp_path / "original/a.csv", records(0, {"v": np.arange(10.0), "label": labels}))
    dataset = taken(tmp_path, Windows(context=3, horizon=0, stride=1), CLASSES)
    found = {row.end: (row.label, seen(row, "v")) for row in rows_of(dataset)}
    for end, (label, values) in found.items():
        assert label == labels[end - 1]
        assert values == [end - 3.0, end - 2.0, end - 1.0]
    assert len(found) + dataset.between == 6


def test_a_label_may_come_later_than_its_row(tmp_path: Path) -> None:
    whole = records(0, {"v": np.arange(12.0), "label": ["up", "down"] * 4 + [""] * 4})
    late = [
        {"time": record["time"], "label": label}
        for record, label in zip(whole[8:], ["up", "down", "up", "down"], strict=True)
    ]
    write(tmp_path / "original/a.csv", whole)
    write(tmp_path / "updates/b.jsonl", late)
    dataset = taken(tmp_path, Windows(context=3, horizon=0, stride=1), CLASSES)
    new = [row for row in rows_of(dataset) if row.new]
    assert len(new) + dataset.between >= 4
    assert all(row.end > 8 and seen(row, "v")[-1] == row.end - 1.0 for row in new)


def test_several_series_and_channels(tmp_path: Path) -> None:
    for shop, level in (("a", 0.0), ("b", 100.0)):
        values = level + np.arange(30.0)
        write(
            tmp_path / f"original/{shop}.csv",
            records(0, {"sales": values, "price": values / 10}, shop=shop),
        )
    columns = columns_of(FORECAST, ("sales", "price"), ("sales",), series="shop")
    rows = rows_of(taken(tmp_path, columns=columns))
    assert {row.series.name for row in rows} == {"a", "b"}
    assert all(row.targets == ("sales",) for row in rows)
    schema = Schema.of(rows, 4)
    assert (schema.names, schema.targets, schema.horizon) == (("price", "sales"), ("sales",), 2)
    made = arrays.inputs(rows, schema)
    first = made[0] * [channel.std for channel in schema.channels]
    first += [channel.mean for channel in schema.channels]
    assert np.allclose(first[:, 1], seen(rows[0], "sales"), atol=1e-3)
    assert np.allclose(first[:, 0], seen(rows[0], "price"), atol=1e-3)


def test_the_forms_of_files_say_the_same(tmp_path: Path) -> None:
    times = [BEGIN.timestamp() + 3600 * number for number in range(30)]
    values = np.arange(30.0)
    write(tmp_path / "csv/original/a.csv", records(0, {"v": values}))
    write(tmp_path / "json/original/a.jsonl", records(0, {"v": values.tolist()}))
    (tmp_path / "parquet/original").mkdir(parents=True)
    stamp = pa.array([int(time * 1e6) for time in times], pa.timestamp("us", "UTC"))
    path = tmp_path / "parquet/original/a.parquet"
    parquet.write_table(pa.table({"time": stamp, "v": values}), path)
    age(path)
    csv(
        tmp_path / "epoch/original/a.csv",
        "time,v\n" + "".join(f"{int(t)},{v}\n" for t, v in zip(times, values, strict=True)),
    )
    keys = [
        [row.key for row in rows_of(taken(tmp_path / form))]
        for form in ("csv", "json", "parquet", "epoch")
    ]
    assert len(keys[0]) > 5
    assert all(each == keys[0] for each in keys)


def test_gaps_are_filled_with_what_was_before(tmp_path: Path) -> None:
    values: list[Any] = list(np.arange(20.0))
    values[2] = values[3] = ""
    write(tmp_path / "original/a.csv", records(0, {"v": values, "w": ["", *[1.0] * 19]}))
    columns = columns_of(FORECAST, (), ("v",))
    rows = rows_of(taken(tmp_path, Windows(4, 1, 1), columns=columns))
    schema = Schema.of(rows, 4)
    row = next(row for row in rows if row.end == 4)
    v = schema.channels[0]
    assert v.name == "v"
    scaled = arrays.inputs([row], schema)[0]
    assert np.allclose(scaled[:, 0] * v.std + v.mean, [0, 1, 1, 1], atol=1e-4)
    assert np.allclose(scaled[:, 1] * schema.channels[1].std + schema.channels[1].mean, 1)


def test_what_is_not_there_to_be_told_makes_no_window(tmp_path: Path) -> None:
    values: list[Any] = list(np.arange(40.0))
    values[20] = values[21] = ""
    write(tmp_path / "original/a.csv", records(0, {"v": values}))
    dataset = taken(tmp_path, SMALL)
    assert 20 not in {row.end for row in rows_of(dataset)}
    assert any("1 windows hold nothing to see or to tell" in remark for remark in dataset.remarks)


def test_no_window_reaches_over_a_long_gap(tmp_path: Path) -> None:
    whole = records(0, {"v": np.arange(20.0)}) + records(60, {"v": np.arange(20.0)})
    write(tmp_path / "original/a.csv", whole)
    dataset = taken(tmp_path, Windows(4, 2, 1))
    assert all(row.end + 2 <= 20 or row.end - 4 >= 20 for row in rows_of(dataset))
    assert any("a gap of more than 4 steps" in remark for remark in dataset.remarks)


# --- odd, and told -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda rows: rows[::-1], "rows are not in the order of time: they are sorted"),
        (lambda rows: [*rows, rows[3]], "a time that is there twice, with the same numbers"),
        (lambda rows: rows[:20] + rows[22:], "rows are missing in between: windows count rows"),
        (
            lambda rows: [
                row | {"time": stamps(int(number**1.5), 1)[0]} for number, row in enumerate(rows)
            ],
            "irregularly sampled",
        ),
        (
            lambda rows: [{"": number, **row} for number, row in enumerate(rows)],
            "a column without a name is no channel",
        ),
    ],
)
def test_what_is_odd_is_told_and_read(tmp_path: Path, change: Any, said: str) -> None:
    write(tmp_path / "original/a.csv", change(records(0, {"v": np.arange(40.0)})))
    dataset = taken(tmp_path)
    assert any(said in remark for remark in dataset.remarks), dataset.remarks
    for row in rows_of(dataset):
        assert np.all(np.diff(row.series.stamps) > 0)


def test_joined_files_with_headers_are_read(tmp_path: Path) -> None:
    text = "time,v\n" + "".join(f"{time},{n}\n" for n, time in enumerate(stamps(0, 30)))
    csv(tmp_path / "original/a.csv", text.replace("\n", "\ntime,v\n", 1))
    assert any("the header again" in remark for remark in taken(tmp_path).remarks)


def test_the_later_file_counts_where_a_time_says_something_else(tmp_path: Path) -> None:
    whole = records(0, {"v": np.arange(30.0)})
    write(tmp_path / "original/a.csv", whole[:25])
    write(tmp_path / "updates/b.csv", [whole[20] | {"v": -7.0}, *whole[21:]])
    dataset = taken(tmp_path, Windows(4, 1, 1))
    series = rows_of(dataset)[0].series
    assert (len(series.stamps), series.columns["v"][20]) == (30, -7.0)
    said = " ".join(dataset.remarks)
    assert "a time of an earlier file with other numbers: these count" in said
    assert "a time of an earlier file, with the same numbers: read once (4 in all)" in said
    assert all(row.new is (row.end == 20 or row.end >= 25) for row in rows_of(dataset))


def test_short_series_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    columns = columns_of(FORECAST, series="shop")
    write(tmp_path / "original/a.csv", records(0, {"v": np.arange(40.0)}, shop="a"))
    write(tmp_path / "original/b.csv", records(0, {"v": np.arange(3.0)}, shop="b"))
    dataset = taken(tmp_path, columns=columns)
    assert {row.series.name for row in rows_of(dataset)} == {"a"}
    said = "1 of 2 series have fewer than 6 rows, and make no window"
    assert any(said in remark for remark in dataset.remarks)


def test_a_series_of_the_last_century_is_one(tmp_path: Path) -> None:
    rows = [{"time": f"19{year}-01-01", "v": float(year)} for year in range(10, 60)]
    write(tmp_path / "original/a.csv", rows)
    assert rows_of(taken(tmp_path))[0].series.step == pytest.approx(365.25 * 86400, rel=1e-2)


# --- refused -----------------------------------------------------------------------------


HEADER = "time,v\n2025-01-01,1\n"


@pytest.mark.parametrize(
    "text, reason, said",
    [
        ("date,v\n2025-01-01,1\n", "ColumnMissing", "there is no column 'time'"),
        (
            HEADER + "2025-01-02,warm\n",
            "DataUnreadable",
            "original/a.csv, line 3, column 'v': 'warm' is no number; write one",
        ),
        (
            HEADER + "2025-01-02,inf\n",
            "DataUnreadable",
            "line 3, column 'v': 'inf' is no finite number",
        ),
        (HEADER + "2025-01-02,-1e39\n", "DataUnreadable", "'-1e39' is no finite number"),
        (HEADER + "2025-01-02,1_000\n", "DataUnreadable", "'1_000' is no number"),
        (HEADER + "2025-01-02,١٢\n", "DataUnreadable", "'١٢' is no number"),
        (
            HEADER + "1/2/2025,3\n",
            "TimeUnreadable",
            "line 3, column 'time': '1/2/2025' is no time (which is the month",
        ),
        (HEADER + ",3\n", "TimeUnreadable", "line 3, column 'time': '' is no time"),
        (HEADER + "2199-01-01,3\n", "TimeUnreadable", "lies in the future"),
        (
            "time,v\n2025-01-01T00:00,1\n2025-01-01T01:00Z,2\n",
            "TimeUnreadable",
            "line 3, column 'time': '2025-01-01T01:00Z' is ISO 8601 with a zone, and original",
        ),
        (
            HEADER + "2025-01-02,2\n2025-01-01,5\n",
            "DataUnreadable",
            "original/a.csv, line 4: the time is there twice, first in line 2, and column 'v' diff",
        ),
        ("time,v,v\n2025-01-01,1,2\n", "DataUnreadable", "'v' is there twice"),
        ("time\n2025-01-01\n", "ColumnMissing", "there is no channel to learn from"),
        ("", "DataEmpty", ""),
        (
            "time,v\n" + "".join(f"{time},1\n" for time in stamps(0, 5)),
            "DataEmpty",
            "not one window of 4 + 2 rows (data.windows: context and horizon); the longest of 1",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(
    tmp_path: Path, text: str, reason: str, said: str
) -> None:
    csv(tmp_path / "original/a.csv", text)
    error = refused(tmp_path)
    assert (error.reason, said in error.message) == (reason, True), error.message


def test_numbers_in_quotes_are_no_numbers_in_json(tmp_path: Path) -> None:
    path = tmp_path / "original/a.jsonl"
    path.parent.mkdir(parents=True)
    lines = [{"time": time, "v": str(n)} for n, time in enumerate(stamps(0, 9))]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    age(path)
    assert "line 1, column 'v': '0' is no number" in refused(tmp_path).message


@pytest.mark.parametrize(
    "columns, said",
    [
        ({"series": "shop"}, "there is no column 'shop'"),
        ({"targets": ("sales",)}, "data.columns.targets: no file has a column 'sales', only 'v'"),
    ],
)
def test_a_column_that_no_file_has_is_named(
    tmp_path: Path, columns: dict[str, Any], said: str
) -> None:
    write(tmp_path / "original/a.csv", records(0, {"v": np.arange(40.0)}))
    error = refused(tmp_path, columns=columns_of(FORECAST, **columns))
    assert error.reason == "ColumnMissing"
    assert said in error.message


def test_a_series_without_a_name_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "original/a.csv", records(0, {"v": np.arange(9.0)}, shop=""))
    error = refused(tmp_path, columns=columns_of(FORECAST, series="shop"))
    assert "line 2, column 'shop': the name of the series is missing" in error.message


def test_two_labels_of_one_time_are_refused(tmp_path: Path) -> None:
    whole = records(0, {"v": np.arange(9.0), "label": ["up"] * 9})
    write(tmp_path / "original/a.csv", [*whole, whole[4] | {"label": "down"}])
    error = refused(tmp_path, task=CLASSES)
    assert (
        "line 11: the time is there twice, first in line 6, and the label differs" in error.message
    )


def test_without_one_label_nothing_is_learnt(tmp_path: Path) -> None:
    write(tmp_path / "original/a.csv", records(0, {"v": np.arange(9.0), "label": [""] * 9}))
    error = refused(tmp_path, task=CLASSES)
    assert error.reason == "DataEmpty"
    assert "not one window of 4 rows (data.windows.context) of which the last has" in error.message


# --- what needs no network ---------------------------------------------------------------


def test_the_season_before_is_told_where_it_errs_less(tmp_path: Path) -> None:
    day = np.tile(np.arange(24.0) ** 2, 30)
    write(tmp_path / "original/a.csv", records(0, {"v": day}))
    rows = rows_of(taken(tmp_path, Windows(48, 4, 4)))
    assert arrays.best_season(rows) == 24
    assert arrays.naive_errors(rows, 24).max() == 0.0
    errors = arrays.naive_errors(rows[:1], 0)
    last, right = seen(rows[0], "v")[-1], told(rows[0], "v")
    assert errors[0] == pytest.approx(np.mean(np.abs(np.array(right) - last)))


def test_errors_of_several_targets_count_alike(tmp_path: Path) -> None:
    chance = np.random.default_rng(3)
    steps = np.cumsum(chance.normal(size=400))
    write(tmp_path / "original/a.csv", records(0, {"small": steps, "large": 1000 * steps}))
    rows = rows_of(taken(tmp_path, Windows(8, 2, 2)))
    both = arrays.naive_errors(rows, 0)
    scale = rows[0].series.scales
    assert scale.of("large") == pytest.approx(1000 * scale.of("small"), rel=1e-3)
    alone = [np.abs(np.array(told(row, "small")) - seen(row, "small")[-1]).mean() for row in rows]
    assert both == pytest.approx(np.array(alone) / scale.of("small"), rel=1e-3)


@pytest.mark.parametrize(
    "step, found",
    [
        (3600.0, (24, 168, 8766)),
        (86_400.0, (7, 365, 5)),
        (30.4 * 86_400, (12,)),
        (91.0 * 86_400, (4,)),
        (1e9, ()),
    ],
)
def test_seasons_are_the_calendars(step: float, found: tuple[int, ...]) -> None:
    assert arrays.seasons(step) == found


def test_a_horizon_of_one_is_labelled_with_its_number(tmp_path: Path) -> None:
    write(tmp_path / "original/a.csv", records(0, {"v": np.arange(40.0) / 4}))
    rows = rows_of(taken(tmp_path, Windows(4, 1, 1)))
    assert all(float(row.label) == told(row, "v")[0] for row in rows)
    longer = rows_of(taken(tmp_path, SMALL))
    assert all(row.label.startswith("h:") for row in longer)


def test_stamps_are_microseconds_in_utc(tmp_path: Path) -> None:
    csv(
        tmp_path / "original/a.csv",
        "time,v\n" + "".join(f"2025-01-01T{hour:02d}:00+02:00,1\n" for hour in range(9)),
    )
    first = rows_of(taken(tmp_path))[0].series.stamps[0]
    assert first == (BEGIN.timestamp() - 7200) * SECOND
