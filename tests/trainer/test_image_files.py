"""Folders of images and Parquet with images: which rows they give, what is left out or refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet
from support import pictures
from support.laboratory import age

from maintenance_contract import DataRef, LeftOut, Sampling, Task, columns_of
from maintenance_trainer.data import auto_holdout
from maintenance_trainer.data.folders import Named, Origin, left_out
from maintenance_trainer.data.snapshot import Snapshot, read_again, take_snapshot
from maintenance_trainer.data.split import Dataset, refuse_too_little
from maintenance_trainer.errors import DataError, TrainerError
from maintenance_trainer.locations import Places
from maintenance_trainer.tasks.image_files import SOURCE, ImageRow

DATA = DataRef("pvc://data/original", "pvc://data/updates", columns_of(Task.IMAGE_CLASSIFICATION))


def shade(grey: int, side: int = 8) -> bytes:
    return pictures.png(Image.new("L", (side, side), grey))


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    for name in ("original", "updates"):
        (tmp_path / "claims/data" / name).mkdir(parents=True)
    pictures.put(original(tmp_path / "claims"), [(shade(n), "dark") for n in range(5)])
    pictures.put(original(tmp_path / "claims"), [(shade(200 + n), "light") for n in range(5)])
    return tmp_path / "claims"


def original(claims: Path) -> Path:
    return claims / "data/original"


def updates(claims: Path) -> Path:
    return claims / "data/updates"


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def take(
    claims: Path, data: DataRef = DATA, known: frozenset[str] = frozenset()
) -> tuple[Snapshot, Dataset]:
    age(claims)
    places = Places(str(claims))
    return take_snapshot(
        data, places, SOURCE, known=known, champion_holdout=None, tell=lambda _: None
    )


def labels(dataset: Dataset) -> list[str]:
    return sorted(row.label for row in dataset.rows)


def test_the_folder_of_an_image_is_its_label(claims: Path) -> None:
    write(updates(claims) / "2026-11/monday/dark/a.PNG", shade(77))
    write(updates(claims) / "light/b.jpeg", pictures.jpeg(Image.new("RGB", (9, 8))))
    snapshot, dataset = take(claims)
    assert labels(dataset) == ["dark"] * 6 + ["light"] * 6
    new = [row for row in dataset.rows if row.new]
    assert {row.label for row in new} == {"dark", "light"}
    assert all(isinstance(row, ImageRow) and row.read() for row in dataset.rows)
    assert len(snapshot.files) == 12
    assert Snapshot.from_json(snapshot.to_json()) == snapshot
    again = read_again(snapshot, DATA, Places(str(claims)), SOURCE, 1)
    assert again.rows == dataset.rows


def test_what_a_champion_was_trained_on_is_old_and_only_what_came_since_is_new(
    claims: Path,
) -> None:
    write(updates(claims) / "dark/a.png", shade(77))
    known = frozenset(file.digest for file in take(claims)[0].files)
    write(updates(claims) / "dark/b.png", shade(78))
    write(updates(claims) / "light/a.png", shade(77))
    _, dataset = take(claims, known=known)
    new = [(row.label, row.key) for row in dataset.rows if row.new]
    assert sorted(label for label, _ in new) == ["dark", "light"]
    assert dataset.recurrence.relabelled == 1, "the same pixels come again with another label"


def test_copies_count_once_however_they_are_compressed(claims: Path) -> None:
    image = Image.new("L", (8, 8), 77)
    for level in range(3):
        write(updates(claims) / f"dark/{level}.png", pictures.png(image, compress_level=level * 4))
    _, dataset = take(claims)
    assert sum(row.new for row in dataset.rows) == 1
    assert (dataset.copies.new, dataset.copies.new_of) == (2, 3)


ODD = {
    "dark/torn.png": (shade(1)[:40], "cannot be decoded"),
    "dark/torn.jpg": (pictures.jpeg(Image.new("RGB", (64, 64)))[:-60], "truncated"),
    "dark/bomb.png": (pictures.bomb(40_000, 40_000), "has 40,000 x 40,000 pixels"),
    "light/moving.png": (pictures.animated("GIF"), "is a GIF, and not PNG or JPEG"),
    "light/moving.gif": (pictures.animated("GIF"), "save it as PNG or JPEG"),
    "light/notes.txt": (b"shot on Monday", "none of .png, .jpg, .jpeg, .parquet"),
    "light/empty.png": (b"", "is empty"),
    "light/rows.csv": (b"text,label\n", "none of .png"),
}


def test_what_is_no_image_is_named_and_counted_and_the_others_are_read(claims: Path) -> None:
    for name, (content, _) in ODD.items():
        write(updates(claims) / name, content)
    write(updates(claims) / "light/fine.png", shade(250))
    snapshot, dataset = take(claims)
    read = {(file.origin, file.name) for file in snapshot.files}
    beside = left_out(DATA, Places(str(claims)), read, SOURCE.suffixes)
    told = {file.name: file.why for file in (*dataset.left_out, *beside)}
    assert told.keys() == {f"updates/{name}" for name in ODD}
    for name, (_, why) in ODD.items():
        assert why in told[f"updates/{name}"], name
    assert sum(row.new for row in dataset.rows) == 1
    assert read_again(snapshot, DATA, Places(str(claims)), SOURCE, 1).left_out == dataset.left_out
    assert LeftOut.of(dataset.left_out).count == 5


def refused(claims: Path, data: DataRef = DATA) -> TrainerError:
    with pytest.raises(TrainerError) as told:
        take(claims, data)
    return told.value


def test_an_image_outside_of_class_folders_has_no_label(claims: Path) -> None:
    write(updates(claims) / "a.png", shade(7))
    error = refused(claims)
    assert error.reason == "LabelMissing"
    assert "updates/a.png" in error.message
    assert "updates/cat/a.png" in error.message, "it says where to put it"


def test_one_class_is_none_to_tell_apart_and_what_was_left_out_is_said(claims: Path) -> None:
    for path in (original(claims) / "light").iterdir():
        path.write_bytes(b"GIF8")
    _, dataset = take(claims)
    with pytest.raises(DataError, match=r"of 1 labels .'dark'.*add labelled rows") as told:
        refuse_too_little(dataset, None, fresh=True)
    assert "light/image-00000.png (is a GIF" in told.value.message


@pytest.mark.parametrize("where", [original, updates])
def test_images_of_which_none_can_be_read_are_no_silence(
    claims: Path, where: Callable[[Path], Path]
) -> None:
    for path in where(claims).rglob("*.png"):
        path.unlink()
    write(where(claims) / "dark/a.png", shade(1)[:40])
    write(where(claims) / "light/b.png", b"")
    error = refused(claims)
    assert error.reason == "DataUnreadable"
    assert f"data.{where(claims).name}: not one row can be read" in error.message
    assert "dark/a.png (cannot be decoded" in error.message


def test_an_image_that_changes_after_it_was_looked_at_is_never_trained_on(claims: Path) -> None:
    _, dataset = take(claims)
    row = dataset.rows[0]
    assert isinstance(row, ImageRow)
    assert row.path is not None
    row.path.write_bytes(shade(123))
    with pytest.raises(TrainerError, match="was rewritten") as told:
        row.read()
    assert told.value.reason == "DataChanging"
    row.path.unlink()
    with pytest.raises(TrainerError, match="No such file"):
        row.read()


def test_an_image_stays_on_its_side_when_others_come(claims: Path) -> None:
    first, dataset = take(claims)
    sealed = {row.key for row in dataset.old_held_out}
    assert 0 < len(sealed) < 10
    pictures.put(original(claims), [(shade(100 + n), "dark") for n in range(30)], "later")
    places = Places(str(claims))
    before = auto_holdout.Before(files=first.kept)
    age(claims)
    _, later = take_snapshot(
        DATA, places, SOURCE, known=frozenset(), champion_holdout=None, before=before,
        tell=lambda _: None,
    )  # fmt: skip
    assert sealed <= {row.key for row in later.old_held_out}
    assert not {row.key for row in dataset.old_train} & {row.key for row in later.old_held_out}


# --- Parquet -----------------------------------------------------------------------------

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
FEATURES = {
    "image": {"_type": "Image"},
    "label": {"names": ["dark", "light"], "_type": "ClassLabel"},
}


def table(
    images: list[Any], given: list[Any], kind: Any = STRUCT, features: Any = None, **more: list[Any]
) -> pa.Table:
    found = pa.table({"image": pa.array(images, kind), "label": given, **more})
    told = {} if features is None else {"huggingface": json.dumps({"info": {"features": features}})}
    return found.replace_schema_metadata(told)


def put(path: Path, rows: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(rows, path)


def cell(content: bytes | None, path: str | None = None) -> dict[str, Any]:
    return {"bytes": content, "path": path}


def test_parquet_as_datasets_writes_it_gives_rows_with_the_names_of_their_classes(
    claims: Path,
) -> None:
    rows = table([cell(shade(1), "a.png"), cell(shade(250))], [0, 1], features=FEATURES)
    put(updates(claims) / "a.parquet", rows)
    snapshot, dataset = take(claims)
    new = sorted((row.label, row.format.width) for row in dataset.rows if row.new)  # type: ignore[attr-defined]
    assert new == [("dark", 8), ("light", 8)]
    assert snapshot.files[-1].columns == ("image", "label")
    assert read_again(snapshot, DATA, Places(str(claims)), SOURCE, 1).rows == dataset.rows


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_plain_bytes_and_labels_in_words_are_read_too(claims: Path, kind: Any) -> None:
    put(updates(claims) / "a.parquet", table([shade(1), shade(250)], ["dark", "light"], kind))
    assert labels(take(claims)[1]) == ["dark"] * 5 + ["light"] * 6, "the old dark one came again"


def test_what_databases_write_for_null_is_no_label(claims: Path) -> None:
    put(updates(claims) / "a.parquet", table([shade(1), shade(250)], ["dark", r"\N"], pa.binary()))
    with pytest.raises(DataError, match=r"a\.parquet, row 2, column 'label': the label is missing"):
        take(claims)


def test_a_row_without_an_image_is_left_out_with_its_place(claims: Path) -> None:
    images = [cell(shade(1)[:30]), None, cell(shade(70)), cell(b"")]
    put(updates(claims) / "a.parquet", table(images, ["dark"] * 4))
    _, dataset = take(claims)
    told = {file.name: file.why for file in dataset.left_out}
    assert list(told) == [f"updates/a.parquet, row {row}" for row in (1, 2, 4)]
    assert sum(row.new for row in dataset.rows) == 1


def test_times_of_images_tell_which_are_new(claims: Path) -> None:
    times = ["2026-01-01", "2026-03-01"]
    rows = table([cell(shade(70)), cell(shade(71))], ["dark", "dark"], at=times)
    put(updates(claims) / "a.parquet", rows)
    columns = columns_of(Task.IMAGE_CLASSIFICATION, time="at")
    data = DataRef(DATA.original, DATA.updates, columns, since="2026-02-01T00:00:00Z")
    assert sum(row.new for row in take(claims, data)[1].rows) == 1


@pytest.mark.parametrize(
    "rows, reason, said",
    [
        (table([cell(shade(1))], [7], features=FEATURES), "DataUnreadable", "names 2 classes"),
        (table([cell(shade(1))], [-1], features=FEATURES), "LabelMissing", "label is missing"),
        (table([cell(None, "a.png")], ["dark"]), "DataUnreadable", "the path of a file"),
        (table(["a.png"], ["dark"], pa.string()), "DataUnreadable", "an image is expected"),
        (table([[1, 2]], ["dark"], pa.list_(pa.int8())), "DataUnreadable", "not a list"),
        (table([cell(shade(1))], [0.5]), "DataUnreadable", "write labels as strings"),
        (pa.table({"picture": [shade(1)], "label": ["dark"]}), "ColumnMissing", "'image'"),
    ],
)
def test_rows_that_cannot_be_meant_are_refused_with_their_place(
    claims: Path, rows: pa.Table, reason: str, said: str
) -> None:
    put(updates(claims) / "a.parquet", rows)
    error = refused(claims)
    assert error.reason == reason
    assert "updates/a.parquet" in error.message
    assert said in error.message


@pytest.mark.parametrize("noted", [b"no JSON", b"[]", b'{"info": {"features": {"label": 3}}}'])
def test_notes_of_others_in_a_schema_are_none_of_ours(claims: Path, noted: bytes) -> None:
    rows = table([cell(shade(70))], [3]).replace_schema_metadata({b"huggingface": noted})
    put(updates(claims) / "a.parquet", rows)
    assert "3" in labels(take(claims)[1])


def test_a_torn_file_of_rows_is_refused(claims: Path) -> None:
    write(updates(claims) / "a.parquet", b"PAR1 and no more")
    assert refused(claims).reason == "DataUnreadable"


def test_targeted_images_are_all_trained_on(claims: Path) -> None:
    pictures.put(updates(claims), [(shade(n + 20), "dark") for n in range(20)])
    data = DataRef(DATA.original, DATA.updates, DATA.columns, sampling=Sampling.TARGETED)
    _, dataset = take(claims, data)
    assert (len(dataset.new_train), len(dataset.new_held_out)) == (20, 0)
    assert {row.origin for row in dataset.new_train} == {Origin.UPDATES}


def icon(number: int) -> bytes:
    """Black on a ground that is black as well, but transparent."""
    alpha = Image.new("L", (16, 16), 0)
    alpha.putpixel((number % 16, number // 16), 255)
    drawn = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    drawn.putalpha(alpha)
    return pictures.png(drawn)


def night(number: int) -> bytes:
    """Of 16 bits, of which the first 8 are zero."""
    return pictures.png(Image.fromarray(np.full((9, 9), number, np.uint16)))


@pytest.mark.parametrize(
    "drawn, said",
    [
        (icon, "once their transparency is dropped, as image processors do, so there is next to"),
        (night, "once their 16 bits are cut to 8, so there is next to nothing to learn: scale"),
    ],
)
def test_images_of_which_a_model_sees_no_difference_are_refused(
    claims: Path, drawn: Callable[[int], bytes], said: str
) -> None:
    pictures.put(original(claims), [(drawn(n), "ab"[n % 2]) for n in range(60)], "alike")
    with pytest.raises(DataError, match=f"original: 60 of 70 images look like another one {said}"):
        take(claims)


def test_a_delivery_of_such_images_is_refused_however_many_others_there_are(claims: Path) -> None:
    pictures.put(original(claims), [(shade(n, 9), "plain") for n in range(100)])
    pictures.put(updates(claims), [(icon(n), "a") for n in range(45)])
    with pytest.raises(DataError, match=r"data.updates: 45 of 45 images") as told:
        take(claims)
    assert told.value.reason == "DataUnreadable"


def test_few_such_images_are_told_and_known_ones_are_never_refused(claims: Path) -> None:
    pictures.put(updates(claims), [(icon(n), "dark") for n in range(3)])
    _, dataset = take(claims)
    said = (
        "data.updates: 3 of 3 images look like another one once their transparency is dropped, as "
        "image processors do, and count as one: lay each on a ground of one colour and save it "
        "without transparency."
    )
    assert dataset.remarks == (said,)
    pictures.put(updates(claims), [(icon(n), "dark") for n in range(50)])
    with pytest.raises(DataError, match="50 of 50"):
        take(claims)
    known = frozenset(SOURCE.digest(*file) for file in named(claims))
    snapshot, dataset = take(claims, known=known)
    assert "50 of 50 images look like another one" in dataset.remarks[0]
    again = read_again(snapshot, DATA, Places(str(claims)), SOURCE, 1)
    assert (again.rows, again.remarks) == (dataset.rows, dataset.remarks)


def named(claims: Path) -> list[tuple[Path, Named]]:
    """The files of updates, as they are read."""
    return [
        (path, Named(Origin.UPDATES, path.relative_to(updates(claims)).as_posix()))
        for path in updates(claims).rglob("*.png")
    ]


def test_copies_and_opaque_images_are_nothing_to_tell(claims: Path) -> None:
    clear = Image.new("RGBA", (8, 8), (3, 3, 3, 255))
    deep = Image.fromarray(np.full((9, 9), 500, np.uint16))
    for place, image in (("a", clear), ("b", clear.convert("RGB")), ("c", deep), ("d", deep)):
        write(original(claims) / f"dark/{place}.png", pictures.png(image, compress_level=1))
        write(original(claims) / f"dark/{place}-again.png", pictures.png(image))
    assert take(claims)[1].remarks == ()
