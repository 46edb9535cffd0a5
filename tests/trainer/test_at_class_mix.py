"""Old held-out rows in the shares that the classes have now."""

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.laboratory import Lab, champion, headlines, write_lines

from maintenance_contract import TrainingAction
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.rows import Row
from maintenance_trainer.evaluate import at_class_mix
from maintenance_trainer.tasks.texts import make_row


def rows(*, new: bool = False, **counts: int) -> list[Row]:
    return [
        make_row(f"{label} {number}", label, Origin.UPDATES if new else Origin.ORIGINAL, new=new)
        for label, count in counts.items()
        for number in range(count)
    ]


def test_the_shares_are_those_of_the_others_and_as_many_as_can_be_had() -> None:
    chosen = at_class_mix(rows(a=500, b=500, c=100), rows(new=True, a=90, b=10))

    assert Counter(row.label for row in chosen) == {"a": 500, "b": 56}


def test_a_class_next_to_nothing_does_not_bound_the_rest() -> None:
    chosen = at_class_mix(rows(a=500, b=1, c=500), rows(new=True, a=600, b=3, c=397))

    assert Counter(row.label for row in chosen)["a"] == 500


def test_of_many_classes_none_of_which_has_a_hundredth_the_frequent_ones_bound_the_rest() -> None:
    there = {f"c{number}": 10 for number in range(150)}
    wanted = {f"c{number}": 4 if number < 100 else 2 for number in range(150)}

    chosen = Counter(row.label for row in at_class_mix(rows(**there), rows(new=True, **wanted)))

    assert chosen == {f"c{number}": 10 if number < 100 else 5 for number in range(150)}


def test_without_a_class_in_common_all_rows_stay() -> None:
    old = rows(a=10)

    assert at_class_mix(old, rows(new=True, z=5)) == tuple(old)


counts = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 60), min_size=1)


@pytest.mark.slow
@given(counts, counts)
def test_it_is_a_part_in_the_same_order_and_the_same_each_time(
    there: dict[str, int], wanted: dict[str, int]
) -> None:
    old, mix = rows(**there), rows(new=True, **wanted)
    chosen = at_class_mix(old, mix)

    assert list(chosen) == [row for row in old if row in set(chosen)]
    assert at_class_mix(list(reversed(old)), mix) == tuple(reversed(chosen))


@pytest.mark.slow
def test_a_training_that_is_asked_for_it_scores_old_rows_so(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(headlines(["finance", "sport"], 500, seed=1))
    version_1 = lab.train(1, TrainingAction.RETRAIN, lab.diagnose(1))
    one_sided = headlines(["finance"], 190, seed=5) + headlines(["sport"], 10, seed=6)
    write_lines(lab.updates / "u.jsonl", one_sided)
    found = lab.diagnose(2, champion=champion(version_1))

    report = lab.train(
        2, TrainingAction.FINE_TUNE, found, champion=champion(version_1), old_at_new_mix=True
    )

    assert report.evaluation is not None
    assert report.evaluation.old is not None
    assert found.diagnosis is not None
    assert found.diagnosis.old is not None
    assert report.evaluation.old.n < 0.75 * found.diagnosis.old.n
