"""Models of items: growing, unknown items, what is stored, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.items import ITEMS as RING
from support.items import LATER, ItemLab, lab, users, write_csv
from support.laboratory import champion
from transformers import AutoModelForCausalLM, BertConfig, BloomConfig, GPT2Config, LlamaConfig

from maintenance_contract import ModelRef, Operation, Recipes, ScoreMetric, TrainingAction
from maintenance_contract.kinds import Task, columns_of
from maintenance_trainer import tasks
from maintenance_trainer.data.folders import Named, Origin
from maintenance_trainer.data.sources import SourceFile
from maintenance_trainer.data.split import Dataset, Recurrence
from maintenance_trainer.errors import ConfigurationError, DataError
from maintenance_trainer.model_field import Given
from maintenance_trainer.progress import Silent
from maintenance_trainer.tasks.interactions import SOURCE
from maintenance_trainer.tasks.items import catalogues, gone, inspection, quality, stored
from maintenance_trainer.tasks.items.rows import ItemRow
from maintenance_trainer.tasks.items.sequences import IGNORED, history, tokens_of, windows
from maintenance_trainer.tasks.next_item import BY_METRIC, TASK, ItemModel, complete, ranked

FINE_TUNE, RETRAIN = TrainingAction.FINE_TUNE, TrainingAction.RETRAIN
AUTO: Any = AutoModelForCausalLM  # its functions have no types
SMALL: dict[str, Any] = {
    "vocab_size": 3 + RING,
    "hidden_size": 8,
    "intermediate_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 16,
    "initializer_range": 0.2,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": None,
}


def rows_of(records: Any, folder: Path, *, new: bool = False) -> list[ItemRow]:
    path = folder / f"rows-{new}.csv"
    write_csv(path, records)
    origin = Origin.UPDATES if new else Origin.ORIGINAL
    columns = columns_of(Task.NEXT_ITEM)
    source = SourceFile(path, Named(origin, path.name), "sha256:x", columns, new=new, known=False)
    return [found.row for found in SOURCE.read(source)]


@pytest.fixture
def rows(tmp_path: Path) -> list[ItemRow]:
    return rows_of(users(1, 60), tmp_path)


@pytest.fixture
def model(rows: list[ItemRow]) -> ItemModel:
    return TASK.from_base(Path("nowhere"), rows, 17)


def test_growing_keeps_what_is_known_to_the_last_bit(
    model: ItemModel, rows: list[ItemRow], tmp_path: Path
) -> None:
    asked = [np.array([2, 3, 4, 5])]
    before = ranked(model, asked)
    launched = users(2, 20, names=["n0", "n1", "i1", "i2"])
    grown = TASK.extend(model, tmp_path, rows_of(launched, tmp_path, new=True), 17)
    assert grown.catalogue.items[:RING] == model.catalogue.items
    assert set(grown.catalogue.items[RING:]) == {"n0", "n1"}
    hidden, scores = ranked(grown, asked)
    assert np.array_equal(hidden, before[0])
    assert np.allclose(scores[:, : 3 + RING], before[1], atol=1e-6)
    assert np.isfinite(scores[:, 3:]).all()
    # Neither favoured nor out of reach.
    assert scores[0, 3 + RING :].max() < before[1].max() + 1.0
    assert grown.network.config.vocab_size == 3 + RING + 2
    same = TASK.extend(grown, tmp_path, rows, 17)
    assert same.catalogue.items == grown.catalogue.items


def test_a_fine_tune_that_grew_moves_new_items_first(model: ItemModel, tmp_path: Path) -> None:
    news = rows_of(users(2, 20, names=["n0", "n1", "i1"]), tmp_path, new=True)
    grown = TASK.extend(model, tmp_path, news, 17)
    weight = grown.network.get_input_embeddings().weight
    before = weight.detach().clone()
    known = grown.known
    assert known == 3 + RING
    with catalogues.only_new(grown.network, known):
        loss = grown.network(
            torch.tensor([[2, 3, known]]), labels=torch.tensor([[2, 3, known]])
        ).loss
        loss.backward()
        moved = [name for name, each in grown.network.named_parameters() if each.grad is not None]
        assert moved == ["transformer.wte.weight"]
        assert not weight.grad[:known].any()
        assert weight.grad[known:].any()
    assert torch.equal(weight, before)
    assert all(each.requires_grad for each in grown.network.parameters())


def test_an_unknown_item_is_a_token_of_its_own_and_no_answer(
    model: ItemModel, tmp_path: Path
) -> None:
    news = rows_of(users(3, 5, names=["x0", "x1"]), tmp_path, new=True)
    tokens = tokens_of(model.catalogue)
    assert history(news[0], tokens, 64).tolist() == [2, *[1] * 7]
    found = TASK.outputs(model, news, Silent(), "")
    assert found.loss.tolist() == [1.0] * 5
    assert found.answerable is not None
    assert not found.answerable.any()
    assert found.beside["NDCG@10"].tolist() == [0.0] * 5
    nobody = TASK.outputs(model, [], Silent(), "")
    assert (nobody.loss.shape, nobody.embeddings.shape) == ((0,), (0, 64))


def test_hits_are_counted_among_the_first_and_ties_hit_nobody(
    model: ItemModel, rows: list[ItemRow]
) -> None:
    hits = {
        metric: 1 - task.outputs(model, rows, Silent(), "").loss.mean()
        for metric, task in BY_METRIC.items()
    }
    assert hits[ScoreMetric.HIT_RATE_AT_5] <= hits[ScoreMetric.HIT_RATE_AT_10]
    assert hits[ScoreMetric.HIT_RATE_AT_10] <= hits[ScoreMetric.HIT_RATE_AT_20]
    with torch.no_grad():
        for weight in model.network.parameters():
            weight.zero_()
    blank = TASK.outputs(model, rows, Silent(), "")
    assert blank.loss.all(), "a model that ranks all alike ranks nobody first"


def test_the_baseline_shows_what_is_chosen_most(rows: list[ItemRow]) -> None:
    counts = catalogues.chosen(rows)
    first = set(np.argsort(-counts, kind="stable")[:5].tolist())
    task = tasks.find("NextItem", "HitRateAt5")
    assert task.baseline(rows, rows).tolist() == [float(row.last not in first) for row in rows]
    assert task.baseline([], rows).all()


def test_a_long_history_is_learnt_in_windows_each_answer_once(rows: list[ItemRow]) -> None:
    row = replace(
        rows[0],
        items=np.tile(rows[0].items, 20),
        times=np.arange(160),
        answers=np.arange(100, 160, dtype=np.int32),
    )
    tokens = np.arange(3, 3 + 10_000)
    learnt: list[int] = []
    for inputs, answers in windows(row, tokens, 32):
        assert len(inputs) == len(answers) <= 32
        places = np.flatnonzero(answers != IGNORED)
        assert (inputs[places] == answers[places]).all()
        assert (places > 0).all()
        learnt += answers[places].tolist()
    assert sorted(learnt) == sorted(tokens[row.own].tolist())
    assert len(history(row, tokens, 32)) == 32


def test_epochs_are_as_many_as_make_the_steps_unless_they_are_given() -> None:
    assert complete(RETRAIN, {}, 640)["num_train_epochs"] == 30
    assert complete(RETRAIN, {}, 640_000)["num_train_epochs"] == 10
    assert complete(FINE_TUNE, {}, 64)["num_train_epochs"] == 80
    assert complete(RETRAIN, {"num_train_epochs": 2}, 640)["num_train_epochs"] == 2
    assert complete(RETRAIN, {"per_device_train_batch_size": 640}, 640)["num_train_epochs"] == 300


def test_of_a_replaced_catalogue_old_users_judge_nothing_and_of_a_season_they_do(
    tmp_path: Path,
) -> None:
    old = rows_of(users(1, 300), tmp_path)
    ring = [f"i{number}" if number < 8 else f"n{number}" for number in range(RING)]
    new = rows_of(users(2, 300, first=1000, names=ring, start=LATER), tmp_path, new=True)
    found = gone.without_gone([*old, *new])
    over = {row.label for row in found if row.over}
    assert over == {f"i{number}" for number in range(8, RING)}
    assert not any(row.new for row in found if row.over)
    assert not any(row.scored for row in found if row.over)
    # Three of forty items are missing: a season, not another catalogue.
    ring = [f"i{number}" for number in range(RING - 3)]
    new = rows_of(users(2, 300, first=1000, names=ring, start=LATER), tmp_path, new=True)
    assert not gone.gone([*old, *new]).any()


def test_one_user_who_chooses_one_item_all_the_time_makes_no_other_gone(tmp_path: Path) -> None:
    old = rows_of(users(1, 300), tmp_path)
    few = users(2, 6, first=1000, start=LATER)
    chosen = {record["item"] for record in few}
    assert len(chosen) < 0.75 * RING, "of the others an absence could be read"
    always = [{"user": "bot", "item": "i0", "time": LATER + n} for n in range(2000)]
    new = rows_of([*few, *always], tmp_path, new=True)
    assert not gone.gone([*old, *new]).any()


@pytest.mark.slow
def test_shuffled_items_follow_from_nothing_and_another_taste_does(tmp_path: Path) -> None:
    old = rows_of(users(1, 300), tmp_path)
    other = users(2, 200, first=1000, steps=(7, 11), start=LATER)
    quality.check(old, rows_of(other, tmp_path, new=True))
    chance = np.random.default_rng(0)
    items = chance.permutation([record["item"] for record in other])
    shuffled = [{**record, "item": str(item)} for record, item in zip(other, items, strict=True)]
    with pytest.raises(tasks_error(), match="does not follow from what they chose before"):
        quality.check(old, rows_of(shuffled, tmp_path, new=True))


def test_of_a_program_only_the_newest_interactions_count_as_new_items(
    model: ItemModel, rows: list[ItemRow], tmp_path: Path
) -> None:
    program = [{"user": "bot", "item": f"n{n}", "time": LATER + n} for n in range(2000)]
    new = rows_of([*users(2, 200, first=1000, start=LATER), *program], tmp_path, new=True)
    first = TASK.input_changes(model, rows, new)[0]
    assert first.name == "newItems"
    assert first.effect == pytest.approx(50 / (200 * 8 + 50))


def test_two_programs_that_choose_anything_do_not_speak_for_all_users(tmp_path: Path) -> None:
    old = rows_of(users(1, 100), tmp_path)
    chance = np.random.default_rng(0)
    anything = [
        {"user": f"bot {number % 2}", "item": f"i{chance.integers(RING)}", "time": LATER + number}
        for number in range(4000)
    ]
    new = users(2, 100, first=1000, start=LATER)
    quality.check(old, rows_of([*new, *anything], tmp_path, new=True))


def tasks_error() -> type[Exception]:
    from maintenance_trainer.errors import DataError  # noqa: PLC0415

    return DataError


# --- what is stored ---------------------------------------------------------------------


@pytest.fixture
def folder(model: ItemModel, tmp_path: Path) -> Path:
    path = tmp_path / "saved"
    path.mkdir()
    TASK.save(model, path)
    return path


def test_a_copy_is_known_and_a_torn_one_is_not(model: ItemModel, folder: Path) -> None:
    prove = TASK.proof(model)
    prove(folder)
    assert TASK.load(folder, ()).catalogue == model.catalogue
    its = json.loads((folder / "items.json").read_text())
    (folder / "items.json").write_text(json.dumps({**its, "items": its["items"][::-1]}))
    with pytest.raises(ConfigurationError, match="it answers otherwise"):
        prove(folder)


@pytest.mark.parametrize(
    "spoil, told",
    [
        ("{", "items.json: not JSON"),
        ('{"version": 2, "items": ["a"]}', "version 2 is not understood"),
        ('{"version": 1, "items": ["a", "a"], "counts": [1, 1]}', "write each item once"),
        ('{"version": 1, "items": []}', "write each item once"),
        ('{"version": 1, "items": ["a", " b"]}', "' b' has blanks around it"),
        ('{"version": 1, "items": ["a"], "counts": [1, 2]}', "1 whole numbers are expected"),
        ('{"version": 1, "items": ["a"], "counts": [true]}', "1 whole numbers are expected"),
        ('{"version": 1, "items": "abc"}', "items.json: items"),
    ],
)
def test_a_torn_list_of_items_is_named(folder: Path, spoil: str, told: str) -> None:
    (folder / "items.json").write_text(spoil)
    with pytest.raises(ConfigurationError, match=r"model.initialModel: .*") as caught:
        SOURCE.check_model("pvc://models/x", folder, Given.INITIAL)
    assert told in caught.value.message
    with pytest.raises(ConfigurationError) as caught:
        TASK.load(folder, ())
    assert caught.value.reason == "ChampionUnreadable"
    assert told in caught.value.message


def test_users_in_another_spelling_are_refused(tmp_path: Path) -> None:
    def known(*spelled: str, new: bool = False) -> list[ItemRow]:
        records = [
            {**each, "user": form.format(100 + int(each["user"][1:]))}
            for form in spelled
            for each in users(1, 60)
        ]
        return rows_of(records, tmp_path, new=new)

    respelled = [("U-{}", "u-{}"), ("U-{}", "\uff35-{}"), ("{}", "00{}"), ("{}", "{}.0")]
    for before, now in respelled:
        with pytest.raises(DataError, match="60 of 60 users are users of earlier files"):
            inspection._refuse_users_again(known(before), known(now, new=True))
    for before, now in [("U-{}", "U-{}"), ("U-{}", "V-{}"), ("{}", "9{}")]:
        inspection._refuse_users_again(known(before), known(now, new=True))
    # Where capitals tell users apart they do so in updates, too.
    inspection._refuse_users_again(known("a{}", "A{}"), known("A{}", "b{}", new=True))


def test_a_list_of_another_model_and_none_at_all(folder: Path) -> None:
    (folder / "items.json").write_text('{"version": 1, "items": ["a", "b"]}')
    with pytest.raises(ConfigurationError, match=r"43 tokens, and items\.json names 2 items"):
        TASK.from_initial(folder)
    (folder / "items.json").unlink()
    with pytest.raises(ConfigurationError) as caught:
        SOURCE.check_model("pvc://models/x", folder, Given.INITIAL)
    assert caught.value.reason == "InitialModelMissing"
    assert "holds no items.json, which names the items in the order of their tokens" in str(
        caught.value.message
    )


@pytest.mark.parametrize(
    "config, told",
    [
        (BertConfig(**SMALL, is_decoder=False), "it looks ahead"),
        # Its head is more than a table of items.
        (BertConfig(**SMALL, is_decoder=True), "not its output embeddings times its last hidden"),
        (BloomConfig(vocab_size=3 + RING, hidden_size=8, n_layer=1, n_head=2), "embeddings None"),
        (GPT2Config(vocab_size=3 + RING, n_positions=4, n_embd=8, n_layer=1, n_head=2), "dings 4"),
    ],
)
def test_what_is_no_causal_decoder_of_items_is_refused(
    model: ItemModel, tmp_path: Path, config: Any, told: str
) -> None:
    AUTO.from_config(config).save_pretrained(tmp_path)
    stored.write(tmp_path, model.catalogue)
    with pytest.raises(ConfigurationError) as caught:
        TASK.from_initial(tmp_path)
    assert caught.value.reason == "InitialModelUnreadable"
    assert told in caught.value.message


def test_a_decoder_that_reads_and_ranks_by_two_tables_grows_both(
    model: ItemModel, tmp_path: Path
) -> None:
    config = LlamaConfig(**SMALL, num_key_value_heads=2, tie_word_embeddings=False)
    AUTO.from_config(config).save_pretrained(tmp_path)
    stored.write(tmp_path, model.catalogue)
    brought = TASK.from_initial(tmp_path)
    asked = [np.array([2, 3, 4])]
    before = ranked(brought, asked)
    news = rows_of(users(2, 20, names=["n0", "n1"]), tmp_path, new=True)
    grown = TASK.extend(brought, tmp_path, news, 17)
    hidden, scores = ranked(grown, asked)
    assert np.allclose(hidden, before[0])
    assert np.allclose(scores[:, : 3 + RING], before[1], atol=1e-6)
    sides = grown.network.get_input_embeddings(), grown.network.get_output_embeddings()
    assert [len(side.weight) for side in sides] == [3 + RING + 2] * 2
    assert sides[0].weight is not sides[1].weight


def test_a_config_of_numbers_that_no_model_has_is_refused_before_it_is_built(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "n_layer": 10**12}))
    with pytest.raises(ConfigurationError, match=r"n_layer is 1e\+12 in config\.json"):
        TASK.from_initial(folder)


def test_a_base_model_lends_the_items_that_it_knows(
    model: ItemModel, folder: Path, tmp_path: Path
) -> None:
    news = rows_of(users(2, 20, names=["i1", "n0"]), tmp_path, new=True)
    begun = TASK.from_base(folder, news, 17)
    assert begun.catalogue.items == (*model.catalogue.items, "n0")
    asked = [np.array([2, 3, 4])]
    assert np.allclose(ranked(begun, asked)[0], ranked(model, asked)[0])


# --- what is refused --------------------------------------------------------------------


def report_of(made: ItemLab, run: int = 1, **changes: Any) -> tuple[str, str]:
    report, _ = made.do(made.request(Operation.DIAGNOSE, run, **changes))
    return report.reason, report.message


def test_one_user_or_users_with_one_item_teach_nothing(tmp_path: Path) -> None:
    made = lab(tmp_path)
    made.put("original/one.csv", users(1, 1))
    assert report_of(made)[0] == "DataEmpty"
    made.put("original/one.csv", users(1, 200, length=1))
    reason, message = report_of(made, 2)
    assert reason == "DataEmpty", message
    assert "users has one interaction, and what comes next is learnt from users with two" in message
    assert "Does data.columns.user name the column that says who chose" in message


@pytest.mark.parametrize(
    "metric, count, told",
    [
        (
            ScoreMetric.HIT_RATE_AT_10,
            8,
            "have 8 items, so that each of them is a hit: write HitRat",
        ),
        (ScoreMetric.HIT_RATE_AT_5, 5, "a catalogue of more than 5 items is needed"),
    ],
)
def test_a_catalogue_of_which_each_item_is_a_hit_is_refused(
    tmp_path: Path, metric: ScoreMetric, count: int, told: str
) -> None:
    made = lab(tmp_path)
    made.put("original/few.csv", users(1, 200, names=[f"i{number}" for number in range(count)]))
    reason, message = report_of(made, metric=metric)
    assert reason == "MetricUndefined", message
    assert told in message


def test_capitals_are_another_spelling_unless_they_tell_items_apart(tmp_path: Path) -> None:
    rows = rows_of(users(1, 20, names=["C", "a"]), tmp_path, new=True)
    dataset = Dataset(tuple(rows), (), (), (), Recurrence(0, 0))
    with pytest.raises(tasks_error(), match="'C' is the item 'c' of the model in service"):
        inspection.check(stored.Catalogue("abc", [1] * 3), Given.CHAMPION, dataset)
    inspection.check(stored.Catalogue("aAbBc", [1] * 5), Given.CHAMPION, dataset)


def test_a_user_who_stands_for_many_is_told(tmp_path: Path) -> None:
    guest, customers = users(1, 1, first=900, length=200), users(2, 120)
    for records, told in ((customers, 0), ([*customers, *guest], 1), ([*users(2, 9), *guest], 0)):
        dataset = Dataset(tuple(rows_of(records, tmp_path)), (), (), (), Recurrence(0, 0))
        remarks = [each for each in inspection.check(None, None, dataset) if "One of" in each]
        assert len(remarks) == told
        assert all("One of 121 users has 17% of the interactions" in each for each in remarks)


def test_users_of_whom_no_item_can_be_learnt_are_told(model: ItemModel, tmp_path: Path) -> None:
    news = rows_of(users(3, 5, names=["x0", "x1"]), tmp_path, new=True)
    nothing: Any = None
    with pytest.raises(tasks_error(), match="knows no item of 5 users to learn from"):
        TASK.trainer_of(model, news, nothing, nothing)


@pytest.mark.slow
def test_a_champion_and_data_that_are_not_of_one_catalogue(tmp_path: Path) -> None:
    made = lab(tmp_path, num_train_epochs=1)
    made.put("original/first.csv", users(1, 120))
    first = made.train(1, RETRAIN, made.diagnose(1))
    respelled = [f"I{number}" for number in range(RING)]
    made.put("updates/more.csv", users(2, 100, first=900, names=respelled, start=LATER))
    reason, message = report_of(made, 2, champion=champion(first))
    assert reason == "LabelsDoubled"
    assert "in another spelling; 100% of the new interactions" in message
    other = replace(made.request(Operation.DIAGNOSE, 2).model, task=Task.TABULAR_REGRESSION)
    report, code = made.do(
        made.request(
            Operation.DIAGNOSE,
            3,
            model=other,
            champion=champion(first),
            metric=ScoreMetric.MAE,
            recipes=Recipes(50, {}, {}),
        )
    )
    assert (report.reason, code) == ("ChampionOfOtherTask", 78)
    assert "is a NextItem and TabularRegression is asked for" in report.message


@pytest.mark.slow
def test_a_model_made_elsewhere_becomes_the_first_version(tmp_path: Path) -> None:
    made = lab(tmp_path, num_train_epochs=2)
    made.put("original/first.csv", users(1, 120))
    brought = tmp_path / "brought"
    brought.mkdir()
    TASK.save(TASK.from_base(Path("nowhere"), rows_of(users(1, 60), tmp_path), 17), brought)
    model = ModelRef(Task.NEXT_ITEM, "", "pvc://models/news", initial_model=f"file://{brought}")
    found = made.diagnose(1, model=model)
    report = made.train(1, TrainingAction.IMPORT, found, model=model)
    assert report.evaluation is not None
    for name in ("items.json", "config.json", "model.safetensors"):
        assert (made.store / f"versions/1/{name}").read_bytes() == (brought / name).read_bytes()
    its = json.loads((brought / "items.json").read_text())
    its["items"] = [f"other {item}" for item in its["items"]]
    (brought / "items.json").write_text(json.dumps(its))
    reason, message = report_of(made, 2, model=model)
    assert reason == "InitialModelUnreadable"
    assert "none of its 40 items is in the data" in message


def test_arguments_are_named_as_the_library_names_them(tmp_path: Path) -> None:
    made = lab(tmp_path, lr=0.1)
    made.put("original/first.csv", users(1, 60))
    reason, message = report_of(made)
    assert reason == "ArgumentUnknown"
    assert "did you mean 'learning_rate'?" in message


def test_what_a_model_of_items_stores_is_plain(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} <= {
        "config.json",
        "generation_config.json",
        "items.json",
        "model.safetensors",
    }
    assert stored.read(folder).tokens == 3 + RING
