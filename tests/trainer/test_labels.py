"""Which spellings are one class, which may be, and how it is said."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet
from support.laboratory import age

from maintenance_contract import DataRef, columns_of
from maintenance_trainer.data import labels
from maintenance_trainer.data.folders import Named, Origin
from maintenance_trainer.data.labels import (
    Spelling,
    hints,
    identity,
    recoded,
    refuse_doubled,
)
from maintenance_trainer.data.snapshot import take_snapshot
from maintenance_trainer.data.sources import SourceFile
from maintenance_trainer.data.split import Dataset
from maintenance_trainer.errors import DataError
from maintenance_trainer.locations import Places
from maintenance_trainer.tasks.texts import SOURCE

ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"


def places(*written: str) -> list[Spelling]:
    return [Spelling(label, f"f.csv, line {n}") for n, label in enumerate(written, start=2)]


@pytest.mark.parametrize(
    "one, other, words",
    [
        ("1", "1.0", "equal as numbers"),
        ("1", "01", "equal as numbers"),
        ("100000", "1e+05", "equal as numbers"),
        ("-3", "-3.00", "equal as numbers"),
        ("0", "-0.0", "equal as numbers"),
        ("12345678901234567890123", "12345678901234567890123.0", "equal as numbers"),
        ("1", "\uff11", "equal as numbers"),
        ("true", "True", "differ in capitals alone"),
        ("TRUE", "true", "differ in capitals alone"),
        ("café", "cafe\u0301", "Unicode form"),
        ("finance", "\ufb01nance", "Unicode form"),
        ("green bonds", "green  bonds", "blanks"),
        ("green bonds", "green\xa0bonds", "blanks"),
        ("sport", "sport\u200b", "invisible characters"),
        ("sport", "\ufeffsport", "invisible characters"),
        ("❤", "❤\ufe0f", "invisible characters"),
    ],
)
def test_one_class_in_two_spellings_is_refused(one: str, other: str, words: str) -> None:
    for first, second in ((one, other), (other, one)):
        written = places(first, second)
        with pytest.raises(DataError) as caught:
            refuse_doubled(written, {first, second}, ())
        assert caught.value.reason == "LabelsDoubled"
        assert words in caught.value.message
        for word in ("f.csv, line 2", "f.csv, line 3"):
            assert word in caught.value.message
        with pytest.raises(DataError, match="the model in service"):
            refuse_doubled(places(second), {second}, {first})
        refuse_doubled(written, {first, second}, {first, second})
        refuse_doubled(written, (), ())


@pytest.mark.parametrize(
    "one, other",
    [
        ("1.1", "1.10"),
        ("1", "2"),
        ("1", "true"),
        ("C", "C++"),
        ("m", "n"),
        ("", "0"),
        ("1e999", "1"),
        ("-1", "1"),
        ("A-", "A"),
        (".net", "net"),
        ("1.1", "1-1"),
        ("1/2", "1.2"),
        (ENGLAND, SCOTLAND),
    ],
)
def test_what_may_be_two_classes_is_two(one: str, other: str) -> None:
    refuse_doubled(places(one, other), {one, other}, ())
    assert not hints(places(one, other))


@pytest.mark.parametrize(
    "known, label",
    [
        ("billing", "BILLING"),
        ("sci-fi", "sci_fi"),
        ("Green bonds", "green.bonds"),
        ("tier 1", "tier-1"),
    ],
)
def test_a_new_class_beside_one_that_reads_alike_is_told(known: str, label: str) -> None:
    refuse_doubled(places(known, label), {label}, {known})
    (told,) = hints(places(known, label), {known})
    assert (
        f"f.csv, line 3: the label {label!r} counts as a class of its own beside {known!r}" in told
    )
    assert "which is known" in told
    assert "(f.csv, line 2)" in hints(places(known, label))[0]
    assert not hints(places(known, label), {known, label}), "nobody is told twice"


ZERO_ONE, TRUE_FALSE = ("0", "1"), ("true", "false")


@pytest.mark.parametrize(
    "known, news",
    [
        (ZERO_ONE, TRUE_FALSE),
        (ZERO_ONE, ("False", "TRUE")),
        (TRUE_FALSE, ZERO_ONE),
        (TRUE_FALSE, ("1.0", "0.0")),
        (("f", "t"), TRUE_FALSE),
        (ZERO_ONE, ("F", "T")),
        (ZERO_ONE, ("FALSCH", "WAHR")),
        (TRUE_FALSE, ("FAUX", "VRAI")),
        (ZERO_ONE, ("True",)),
        (TRUE_FALSE, ("1",)),
        ((*ZERO_ONE, "unknown"), (*TRUE_FALSE, "unknown")),
    ],
)
def test_a_truth_in_two_spellings_is_refused(known: Sequence[str], news: Sequence[str]) -> None:
    written = places(*known, *(label for label in news if label not in known))
    for before in ((), known):
        with pytest.raises(DataError, match=r"they both stand for (true|false)") as caught:
            refuse_doubled(written, {*news, *known} if not before else set(news), before)
        assert caught.value.reason == "LabelsDoubled"
        assert any(f"the label {label!r} is the class" in caught.value.message for label in news)
    refuse_doubled(written, {*known, *news}, {*known, *news})
    assert (
        "and count as two classes because the model in service has learnt both"
        in (hints(written, {*known, *news})[0])
    )


@pytest.mark.parametrize(
    "written",
    [
        (*map(str, range(10)), "true", "false"),
        ("0", "1", "2", "true"),
        ("0", "1", "f"),
        ("0", "1", "2", "t", "f"),
        ("0", "1", "x", "t", "f"),
        ("1", "true"),
        ("true", "false", "unknown"),
        ("yes", "no", "unknown"),
    ],
)
def test_what_may_be_no_truth_is_a_class_of_its_own(written: Sequence[str]) -> None:
    refuse_doubled(places(*written), set(written), ())


@pytest.mark.parametrize(
    "known, news",
    [
        (TRUE_FALSE, ("Yes", "No")),
        (ZERO_ONE, ("y", "n")),
        (ZERO_ONE, ("ja", "nein")),
        (("ja", "nein"), ("yes", "no")),
    ],
)
def test_what_people_write_for_a_truth_is_told(known: Sequence[str], news: Sequence[str]) -> None:
    written = places(*known, *news)
    refuse_doubled(written, {*known, *news}, known)
    (told,) = hints(written, known)
    assert "and both may stand for true: spell them alike if one class is meant" in told
    assert "and both may stand for false" in told
    assert not hints(written, {*known, *news})


@pytest.mark.parametrize("other", ["\u2764\ufe0f", "\u200b\u2764", "\u2764\u200d"])
def test_spellings_that_look_alike_are_shown_by_their_characters(other: str) -> None:
    with pytest.raises(DataError) as error:
        refuse_doubled(places("\u2764", other), {"\u2764", other}, ())
    assert f"{other!a} is the class '\\u2764'" in error.value.message


def test_a_class_that_was_learnt_twice_is_told() -> None:
    assert "'1' and '1.0' are equal as numbers" in hints(places("1"), {"1", "1.0"})[0]


@pytest.mark.parametrize("label", ["-", "?", ".", "--", "N/A", "None", "(null)"])
def test_what_may_be_written_for_nothing_is_told(label: str) -> None:
    (told,) = hints(places("up", label))
    assert f"line 3: the label {label!r} counts as a class; some programs write it for" in told
    assert not hints(places("up", label), {label})


@pytest.mark.parametrize("label", [r"\N", "(null)", "<null>", "[NULL]"])
def test_what_databases_write_for_null_is_no_label(folder: Path, label: str) -> None:
    (folder / "updates/b.csv").write_text(f"text,label\nc,1\nd,{label}\n")
    with pytest.raises(
        DataError, match=r"updates/b\.csv, line 3, .*: the label is missing"
    ) as error:
        take(folder)
    assert error.value.reason == "LabelMissing"
    assert label in {row.label for row in take(folder, [label, "0"]).rows}, "the model knows it"


class Scanned(tuple[str, ...]):
    """Ten thousand classes: to look through all of them for each row takes minutes."""

    __slots__ = ()

    def __contains__(self, label: object) -> bool:
        raise AssertionError(label)


@pytest.mark.parametrize("label", ["up", r"\N"])
def test_the_classes_of_a_model_are_not_looked_through_row_by_row(
    tmp_path: Path, label: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"text,label\nc,{label}\n")
    its = SourceFile(
        path,
        Named(Origin.UPDATES, path.name),
        "sha256:1",
        columns_of("TextClassification"),
        new=True,
        known=False,
        champion_labels=Scanned(("up", r"\N")),
    )
    assert [found.row.label for found in SOURCE.read(its)] == [label]


def test_hints_are_few() -> None:
    written = places(*(f"{word}{n}" for word in ("a", "A") for n in range(500)))
    (told,) = hints(written)
    assert "497 more" in told
    assert len(told) < 1000


@pytest.mark.slow
@given(st.text(max_size=12))
def test_spelling_again_changes_no_class(label: str) -> None:
    assert identity(identity(label)) == identity(label)
    form = unicodedata.normalize("NFD", label)
    assert identity(f" {form}\u200b ") == identity(label)
    assert labels.likeness(label) == labels.likeness(identity(label))


def take(folder: Path, champion: Sequence[str] = ()) -> Dataset:
    age(folder)
    data = DataRef(f"file://{folder}/original", f"file://{folder}/updates")
    return take_snapshot(
        data, Places(""), SOURCE, known=frozenset(), champion_holdout=None, champion_labels=champion
    )[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("original", "updates"):
        (tmp_path / name).mkdir()
    (tmp_path / "original/a.csv").write_text("text,label\na,1\nb,0\n")
    return tmp_path


def test_files_that_spell_a_class_differently_are_refused_with_both(folder: Path) -> None:
    (folder / "updates/b.csv").write_text("text,label\nc,1.0\nd,0.0\n")
    with pytest.raises(DataError) as caught:
        take(folder)
    assert caught.value.message.startswith(
        "updates/b.csv, line 2: the label '1.0' is the class '1' (original/a.csv, line 2) in "
        "another spelling: they are equal as numbers. (More labels like that: 1.)"
    )


def test_parquet_and_csv_spell_whole_numbers_alike(folder: Path) -> None:
    parquet.write_table(
        pa.table({"text": ["c", "d"], "label": pa.array([1, 0], pa.int32())}),
        folder / "updates/b.parquet",
    )
    assert {row.label for row in take(folder).rows} == {"0", "1"}
    with pytest.raises(DataError, match=r"original/a\.csv, line 2.*the model in service"):
        take(folder, ["1.0", "0"])


def test_a_truth_that_two_formats_spell_differently_is_refused(folder: Path) -> None:
    (folder / "original/a.csv").write_text("text,label\na,True\nb,False\n")
    (folder / "updates/b.jsonl").write_text('{"text": "c", "label": true}\n')
    with pytest.raises(DataError, match=r"updates/b\.jsonl, line 1: the label 'true' is the class"):
        take(folder)


@pytest.mark.parametrize("champion", [(), ("0", "1")])
def test_a_truth_of_json_beside_numbers_of_csv_is_refused(
    folder: Path, champion: Sequence[str]
) -> None:
    (folder / "updates/b.jsonl").write_text('{"text": "c", "label": true}\n')
    with pytest.raises(DataError) as caught:
        take(folder, champion)
    assert caught.value.message == (
        "updates/b.jsonl, line 1: the label 'true' is the class '1' (original/a.csv, line 2) in "
        "another spelling: they both stand for true. Write '1' in all files, or give one of them "
        "another name if they are two classes."
    )


@pytest.mark.parametrize(
    "rows, different, fine", [(50, 40, True), (100, 41, True), (80, 41, False)]
)
def test_labels_most_of_which_differ_are_no_classes(
    tmp_path: Path, rows: int, different: int, *, fine: bool
) -> None:
    (tmp_path / "updates").mkdir()
    path = tmp_path / "original" / "orders.csv"
    path.parent.mkdir()
    lines = [f"text {n},A-{n % different}\n" for n in range(rows)]
    path.write_text("text,label\n" + "".join(lines), encoding="utf-8")
    age(path)
    if fine:
        assert len(take(tmp_path).spellings) == different
        return
    with pytest.raises(DataError) as caught:
        take(tmp_path)
    said = "data.columns.label: the column 'label': 41 different labels in 80 rows (like 'A-0')"
    assert caught.value.message.startswith(said)
    assert take(tmp_path, [f"A-{n}" for n in range(9)]).rows, "most are known"


def test_no_model_has_more_classes_than_are_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "MOST_LABELS", 3)
    labels.refuse_many({"a", "b", "c"}, {"a"})
    labels.refuse_many({"a", "b"}, {"a", "b", "c", "d"})
    with pytest.raises(DataError, match=r"4 different labels .like 'd'., and a model has at"):
        labels.refuse_many({"d"}, {"a", "b", "c"})


def test_classes_that_all_come_in_another_spelling_are_not_learnt_a_second_time() -> None:
    with pytest.raises(DataError, match="'Ja' for 'ja', and none is as before") as error:
        recoded({"Nein", "Ja"}, ["ja", "nein"])
    assert error.value.reason == "LabelsDoubled"
    assert not recoded({"Nein", "Ja", "ja"}, ["ja", "nein"]), "that is a matter of hints"
    assert not recoded({"nein"}, ["ja", "nein"])
    assert not recoded({"US"}, ["us", "them"]), "one class or so, which hints tell of"
    with pytest.raises(DataError, match=r"f\.csv, line 3: the labels of new rows"):
        recoded({"Nein", "Ja"}, ["ja", "nein"], places("nein", "Ja", "Nein"))
    assert not recoded((), ["ja", "nein"]), "rows without classes"
    assert not recoded({"ja"}, []), "a model without"


def test_classes_of_which_none_is_known_are_told() -> None:
    told = recoded({"0", "1"}, ["ja", "nein"])
    assert "answers with ('ja', 'nein'); theirs are '0', '1'" in told
    assert "and 7 more" in recoded(set(map(str, range(10))), ["ja", "nein"])
    assert recoded({"JA", "vielleicht"}, ["ja", "nein"]), "one of them may be a new class"
