"""A row stays on its side: over files added, appended, renamed, lost and found, and versions."""

import itertools
import json
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.laboratory import Labelled, write_csv

from maintenance_contract import DataRef, Holdout, Sampling, columns_of, held_out_rows
from maintenance_contract.codec import Fields
from maintenance_trainer.data.auto_holdout import Before
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.rows import Row
from maintenance_trainer.data.snapshot import Snapshot, read_again, take_snapshot
from maintenance_trainer.data.split import Dataset
from maintenance_trainer.locations import Places
from maintenance_trainer.store import inheritance
from maintenance_trainer.store.inheritance import Past, handed_on
from maintenance_trainer.tasks.texts import SOURCE, make_row

AUTO = Holdout()


@dataclass
class Version:
    """A champion, as its manifest tells of it."""

    data: frozenset[str]
    past: Past


@dataclass
class Rounds:
    """A store over several runs: folders, snapshots, the version in service."""

    root: Path
    holdout: Holdout = AUTO
    sampling: Sampling = Sampling.RANDOM
    champion: Version | None = None
    snapshots: list[Snapshot] = field(default_factory=list)
    _texts: int = 0

    def __post_init__(self) -> None:
        for name in ("original", "updates"):
            (self.root / name).mkdir()

    def fresh(self, count: int) -> list[Labelled]:
        """Rows that nobody has seen."""
        self._texts += count
        return [(f"text {n}", ("x", "y")[n % 2]) for n in range(self._texts - count, self._texts)]

    def write(self, name: str, rows: Sequence[Labelled]) -> None:
        write_csv(self.root / name, rows)

    def look(self) -> Dataset:
        """A diagnosis, after which its training would read the same rows again."""
        data = DataRef(
            f"file://{self.root}/original",
            f"file://{self.root}/updates",
            columns_of("TextClassification"),
            self.holdout,
            sampling=self.sampling,
        )
        kept = self.snapshots[-1].kept if self.snapshots else ()
        its = self.champion
        snapshot, dataset = take_snapshot(
            data,
            Places(""),
            SOURCE,
            known=its.data if its else frozenset(),
            champion_holdout=its.past.fair if its else None,
            before=Before(its.data, its.past.own, its.past.fair, kept)
            if its
            else Before(files=kept),
            tell=lambda _: None,
        )
        stored = Snapshot.from_json(snapshot.to_json())
        assert stored == snapshot
        assert read_again(stored, data, Places(""), SOURCE, 1) == dataset
        self.snapshots.append(stored)
        return dataset

    def promote(self, *, fine_tune: bool = False) -> None:
        """The version that was trained on the last snapshot is in service, with its manifest."""
        snapshot = self.snapshots[-1]
        parent = self.champion if fine_tune else None
        past = handed_on(snapshot, parent.past if parent else None)
        manifest = json.loads(json.dumps(inheritance.document(snapshot, past)))
        files = frozenset(file.digest for file in snapshot.files)
        self.champion = Version(
            files | (parent.data if parent else frozenset()), Past.read(Fields(manifest))
        )

    def train(self, *, fine_tune: bool = False) -> Dataset:
        """Look, train and promote."""
        dataset = self.look()
        self.promote(fine_tune=fine_tune)
        return dataset


@pytest.fixture
def rounds(tmp_path: Path) -> Rounds:
    return Rounds(tmp_path)


def trained(dataset: Dataset) -> set[str]:
    return {row.text for row in dataset.new_train + dataset.old_train}


def held_out(dataset: Dataset) -> set[str]:
    return {row.text for row in dataset.new_held_out + dataset.old_held_out}


def texts(rows: Sequence[Row] | Sequence[Labelled]) -> set[str]:
    return {row.text if isinstance(row, Row) else row[0] for row in rows}


# --- how many ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("originals, updates", [(300, 60), (1_000, 300), (3_000, 300), (20, 4)])
def test_auto_holds_out_its_number_of_each_age(
    rounds: Rounds, originals: int, updates: int
) -> None:
    rounds.write("original/o.csv", rounds.fresh(originals))
    first = rounds.train()
    assert len(first.old_held_out) == pytest.approx(held_out_rows(originals), abs=1)
    assert len(first.old_train) == originals - len(first.old_held_out)
    rounds.write("updates/u.csv", rounds.fresh(updates))
    then = rounds.look()
    assert then.old_held_out == first.old_held_out
    assert len(then.new_held_out) == pytest.approx(held_out_rows(updates), abs=1)


@pytest.mark.slow
def test_weekly_files_hold_out_as_many_as_one_file_of_all(rounds: Rounds) -> None:
    rounds.write("original/o.csv", rounds.fresh(400))
    rounds.train()
    for week, total in enumerate(range(100, 1_100, 100)):
        rounds.write(f"updates/{week}.csv", rounds.fresh(100))
        dataset = rounds.look()
        assert len(dataset.new_held_out) == pytest.approx(held_out_rows(total), abs=3)
    rounds.promote()
    rounds.write("updates/next.csv", rounds.fresh(100))
    dataset = rounds.look()
    assert len(dataset.new_held_out) == pytest.approx(50, abs=1), "each round has rows of its own"
    assert len(dataset.old_held_out) == pytest.approx(200 + held_out_rows(1_000), abs=6)


def test_a_first_version_has_two_labels_to_learn(rounds: Rounds) -> None:
    rounds.write("original/o.csv", [*((f"t{n}", "x") for n in range(30)), ("other", "y")])
    dataset = rounds.look()
    assert {row.label for row in dataset.old_train} == {"x", "y"}


def _of_buckets(label: str, count: int, buckets: range) -> list[Labelled]:
    """Rows that would all be among those held out."""
    texts = (f"{label} {n}" for n in itertools.count())
    rows = (make_row(text, label, Origin.ORIGINAL, new=False) for text in texts)
    low = (row for row in rows if row.bucket in buckets)
    return [(row.text, row.label) for row in itertools.islice(low, count)]


def test_each_label_of_several_rows_keeps_one_to_learn(rounds: Rounds) -> None:
    rare = _of_buckets("rare", 3, range(3_500, 4_500))
    rounds.write("original/o.csv", [*rounds.fresh(200), *rare])
    first = rounds.train()
    assert {row.label for row in first.old_train} == {"x", "y", "rare"}
    assert len(first.old_held_out) >= held_out_rows(203) / 2
    assert not first.remarks
    rounds.write(
        "updates/u.csv", [*rounds.fresh(100), *_of_buckets("another", 4, range(3_500, 4_500))]
    )
    then = rounds.train()
    assert "another" in {row.label for row in then.new_train}
    assert set(first.old_train) <= {replace(row, new=False) for row in then.old_train}
    assert held_out(first) <= held_out(rounds.look())


def test_a_label_that_no_training_can_learn_is_told(rounds: Rounds) -> None:
    rounds.write("original/o.csv", [*rounds.fresh(200), *_of_buckets("rare", 3, range(1_000))])
    found = rounds.look()
    assert "rare" not in {row.label for row in found.old_train}
    assert len(found.old_held_out) == pytest.approx(held_out_rows(203), abs=1)
    assert found.remarks == (
        "All 3 rows of 'rare' are held out, so no version can learn it: add labelled rows of it.",
    )


def test_of_many_labels_that_no_training_can_learn_some_are_named(rounds: Rounds) -> None:
    odd = [row for n in range(5) for row in _of_buckets(f"odd {n}", 1, range(1_000))]
    rounds.write("original/o.csv", [*rounds.fresh(200), *odd])
    (told,) = rounds.look().remarks
    assert told.startswith(
        "All rows of 'odd 0' (1), 'odd 1' (1), 'odd 2' (1) and 2 more labels are"
    )


def test_of_targeted_rows_none_is_held_out_and_later_ones_are(rounds: Rounds) -> None:
    rounds.write("original/o.csv", rounds.fresh(200))
    rounds.train()
    rounds.sampling = Sampling.TARGETED
    rounds.write("updates/t.csv", rounds.fresh(50))
    assert (len(rounds.train(fine_tune=True).new_held_out), len(rounds.look().old_held_out)) == (
        0,
        100,
    )
    rounds.sampling = Sampling.RANDOM
    rounds.write("updates/r.csv", rounds.fresh(60))
    dataset = rounds.look()
    assert len(dataset.new_held_out) == 30
    assert len(dataset.old_held_out) == 100


# --- the same rows ----------------------------------------------------------------------

Change = Callable[[Rounds, list[Labelled]], None]


def _appended(rounds: Rounds, rows: list[Labelled]) -> None:
    rounds.write("updates/u.csv", [*rows, *rounds.fresh(500)])


def _renamed(rounds: Rounds, rows: list[Labelled]) -> None:
    (rounds.root / "updates/u.csv").rename(rounds.root / "updates/v.csv")
    assert rows


def _a_dump_of_all_by_date(rounds: Rounds, rows: list[Labelled]) -> None:
    _renamed(rounds, rows)
    rounds.write("updates/v.csv", [*rounds.fresh(40), *rows])


def _a_dump_beside_the_last(rounds: Rounds, rows: list[Labelled]) -> None:
    rounds.write("updates/v.csv", [*rows, *rounds.fresh(40)])


def _reordered(rounds: Rounds, rows: list[Labelled]) -> None:
    rounds.write("updates/u.csv", rows[::-1])


def _corrected(rounds: Rounds, rows: list[Labelled]) -> None:
    rounds.write("updates/u.csv", [*rows[:-5], *((text, "x") for text, _ in rows[-5:])])


def _shortened(rounds: Rounds, rows: list[Labelled]) -> None:
    rounds.write("updates/u.csv", rows[: 3 * len(rows) // 4])


def _lost_for_a_run(rounds: Rounds, rows: list[Labelled]) -> None:
    (rounds.root / "updates/u.csv").unlink()
    rounds.look()
    rounds.write("updates/u.csv", rows)


def _others_beside_it(rounds: Rounds, rows: list[Labelled]) -> None:
    rounds.write("updates/a.csv", rounds.fresh(700))
    rounds.write("updates/w.csv", [*rows[:20], *rounds.fresh(30)])


@pytest.mark.slow
@pytest.mark.parametrize("promoted", ["", "retrain", "fine-tune"])
@pytest.mark.parametrize(
    "change",
    [
        _appended,
        _renamed,
        _a_dump_of_all_by_date,
        _a_dump_beside_the_last,
        _reordered,
        _corrected,
        _shortened,
        _lost_for_a_run,
        _others_beside_it,
    ],
)
def test_a_row_stays_on_its_side(rounds: Rounds, change: Change, promoted: str) -> None:
    rounds.write("original/o.csv", rounds.fresh(300))
    rounds.train()
    rows = rounds.fresh(90)
    rounds.write("updates/u.csv", rows)
    before = rounds.look()
    if promoted:
        rounds.promote(fine_tune=promoted == "fine-tune")
    change(rounds, rows)
    after = rounds.look()
    assert not trained(before) & held_out(after)
    assert not held_out(before) & trained(after)
    assert texts(before.new_held_out) & held_out(after), "they still judge"


@pytest.mark.slow
def test_what_was_gathered_from_files_of_other_shares_is_not_judged_by_what_was_trained_on(
    rounds: Rounds,
) -> None:
    """Of two shares no single one keeps both: then a row may be released, and none is seized."""
    rounds.write("original/o.csv", rounds.fresh(300))
    rounds.train()
    few, many = rounds.fresh(60), rounds.fresh(2_000)
    rounds.write("updates/few.csv", few)
    rounds.look()
    rounds.write("updates/many.csv", many)
    before = rounds.train(fine_tune=True)
    for name in ("few", "many"):
        (rounds.root / f"updates/{name}.csv").unlink()
    rounds.write("updates/all.csv", [*few, *many, *rounds.fresh(10)])
    after = rounds.look()
    assert not trained(before) & held_out(after)
    assert texts(many) & held_out(before) == texts(many) & held_out(after)


@dataclass
class Story:
    """Rounds of a team that does with its files whatever it likes."""

    rounds: Rounds
    chance: random.Random
    files: dict[str, list[Labelled]] = field(default_factory=dict)
    away: dict[str, list[Labelled]] = field(default_factory=dict)
    names: Iterator[str] = field(default_factory=lambda: (f"updates/f{n}.csv" for n in range(999)))

    def add(self) -> None:
        name = next(self.names)
        self.files[name] = self.rounds.fresh(self.chance.choice((1, 5, 30, 200)))

    def append(self) -> None:
        name = self.chance.choice(sorted(self.files))
        self.files[name] = [*self.files[name], *self.rounds.fresh(self.chance.choice((1, 20, 90)))]

    def shuffle(self) -> None:
        name = self.chance.choice(sorted(self.files))
        self.files[name] = self.chance.sample(self.files[name], len(self.files[name]))

    def rename(self) -> None:
        name = self.chance.choice(sorted(self.files))
        folder = name.split("/")[0]
        self.files[f"{folder}/{next(self.names).split('/')[1]}"] = self.files.pop(name)

    def take_away(self) -> None:
        updates = [name for name in sorted(self.files) if name.startswith("updates")]
        if updates:
            name = self.chance.choice(updates)
            self.away[name] = self.files.pop(name)

    def bring_back(self) -> None:
        self.files |= self.away
        self.away.clear()

    def add_original(self) -> None:
        name = next(self.names).replace("updates", "original")
        self.files[name] = self.rounds.fresh(self.chance.choice((5, 60, 300)))

    def retrain(self) -> None:
        if self.rounds.snapshots:
            self.rounds.promote()

    def fine_tune(self) -> None:
        if self.rounds.champion:
            self.rounds.promote(fine_tune=True)

    def look(self) -> Dataset:
        for path in self.rounds.root.rglob("*.csv"):
            path.unlink()
        for name, rows in self.files.items():
            self.rounds.write(name, rows)
        return self.rounds.look()


DEEDS = (
    Story.add,
    Story.append,
    Story.shuffle,
    Story.rename,
    Story.take_away,
    Story.bring_back,
    Story.add_original,
    Story.retrain,
    Story.fine_tune,
)


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from(DEEDS), max_size=14), st.randoms(use_true_random=False))
def test_no_row_ever_changes_sides(
    deeds: list[Callable[[Story], None]], chance: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Rounds(Path(folder)), chance)
        story.files["original/o.csv"] = story.rounds.fresh(80)
        ever_trained: set[str] = set()
        ever_held_out: set[str] = set()
        for deed in (Story.look, Story.retrain, *deeds):
            deed(story)
            dataset = story.look()
            ever_trained |= trained(dataset)
            ever_held_out |= held_out(dataset)
            assert not ever_trained & ever_held_out


@pytest.mark.slow
def test_an_original_file_that_grows_beside_one_of_a_smaller_share(rounds: Rounds) -> None:
    """What is fair to a champion is told with care; what is held out does not follow from it."""
    rows = rounds.fresh(80)
    rounds.write("original/o.csv", rows)
    first = rounds.train()
    rounds.write("original/many.csv", rounds.fresh(3_000))
    rounds.train()
    for _ in range(3):
        rows += rounds.fresh(20)
        rounds.write("original/o.csv", rows)
        dataset = rounds.train(fine_tune=True)
        assert not trained(first) & held_out(dataset)
        assert not held_out(first) & trained(dataset)


# --- what was before --------------------------------------------------------------------


@pytest.mark.slow
def test_a_champion_of_before_keeps_what_its_manifest_says(rounds: Rounds) -> None:
    """A snapshot and a manifest of whole percentages, then Auto: the very rows of then."""
    rounds.holdout = Holdout(10, 30)
    rounds.write("original/o.csv", rounds.fresh(600))
    rounds.write("updates/u.csv", rounds.fresh(200))
    before = rounds.look()
    document = json.loads(rounds.snapshots[-1].to_json())
    assert document["split"]["originalPercent"] == 10
    assert not {"gone"} & document.keys()
    assert not {"heldOut", "marks"} & document["files"][0].keys()
    manifest = {"fairHoldout": {"originalPercent": 10, "updatesPercent": 30}}
    for its in (manifest, {**manifest, "holdout": manifest["fairHoldout"]}):
        files = frozenset(file.digest for file in rounds.snapshots[0].files)
        rounds.champion = Version(files, Past.read(Fields(its)))
        rounds.holdout = AUTO
        after = rounds.look()
        assert trained(after) == trained(before)
        assert held_out(after) == held_out(before)
        assert all(row.bucket < 1_000 for row in after.old_held_out if row.origin == "original")
    rounds.write("updates/next.csv", rounds.fresh(60))
    assert len(rounds.look().new_held_out) == 30, "what is new is held out by the new rule"


@pytest.mark.slow
def test_what_an_ancestor_was_trained_on_is_not_held_out_by_a_percentage_raised_since(
    rounds: Rounds,
) -> None:
    rounds.holdout = Holdout(10, 30)
    rows = rounds.fresh(600)
    rounds.write("original/o.csv", rows)
    first = rounds.train()
    rounds.holdout = Holdout(30, 30)
    rounds.write("updates/u.csv", rounds.fresh(100))
    rounds.train(fine_tune=True)
    rounds.holdout = AUTO
    assert texts(first.old_held_out) == texts(rounds.look().old_held_out) & texts(rows)
    rounds.write("original/o.csv", [*rows, *rounds.fresh(50)])
    assert not trained(first) & held_out(rounds.look())


def test_a_snapshot_of_before_keeps_rows_on_their_side_without_a_champion(rounds: Rounds) -> None:
    rounds.holdout = Holdout(10, 30)
    rounds.write("original/o.csv", rounds.fresh(600))
    before = rounds.look()
    rounds.holdout = AUTO
    assert held_out(rounds.look()) == held_out(before)


@pytest.mark.slow
def test_what_is_written_by_hand_is_the_share_of_every_file(rounds: Rounds) -> None:
    rounds.write("original/o.csv", rounds.fresh(300))
    rounds.train()
    rounds.holdout = Holdout(20, 40)
    rounds.write("updates/u.csv", rounds.fresh(500))
    dataset = rounds.look()
    rows = dataset.rows
    of = {"original": 2_000, "updates": 4_000}
    assert held_out(dataset) == {row.text for row in rows if row.bucket < of[row.origin.value]}
    rounds.holdout = Holdout(None, 40)
    assert {file.held_out for file in (rounds.look(), rounds.snapshots[-1])[1].files} >= {None}


def test_a_text_in_two_files_is_on_one_side(rounds: Rounds) -> None:
    rounds.write("original/o.csv", rounds.fresh(300))
    rounds.train()
    rows = rounds.fresh(200)
    rounds.write("updates/a.csv", rows)
    rounds.write("updates/b.csv", [*rows[:60], *rounds.fresh(400)])
    dataset = rounds.look()
    assert not trained(dataset) & held_out(dataset)
    assert len(dataset.new_held_out) == pytest.approx(held_out_rows(600), abs=2), "counted once"


def test_a_rejected_challenger_changes_nothing(rounds: Rounds) -> None:
    rounds.write("original/o.csv", rounds.fresh(300))
    rounds.train()
    rounds.write("updates/u.csv", rounds.fresh(100))
    first = rounds.look()
    second = rounds.look()
    assert (first.rows, rounds.snapshots[-1].digest) == (second.rows, rounds.snapshots[-2].digest)
    assert replace(rounds.snapshots[-1], gone=()) == rounds.snapshots[-1]
