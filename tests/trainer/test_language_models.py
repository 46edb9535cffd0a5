"""What becomes of base models and rows: which are refused, how they become tokens and a loss."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from support.language import CHATML, ROOM, SPECIAL, base_model, old_texts, tokenizer

from maintenance_contract import TrainingAction
from maintenance_trainer import tasks
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.shares import Shares
from maintenance_trainer.data.split import split
from maintenance_trainer.diagnose import deliveries
from maintenance_trainer.errors import (
    ConfigurationError,
    DataError,
    OutOfMemoryError,
    TransientError,
)
from maintenance_trainer.model_field import Given
from maintenance_trainer.progress import Silent
from maintenance_trainer.tasks import causal_lm
from maintenance_trainer.tasks.causal_lm import TASK
from maintenance_trainer.tasks.huggingface import fitting
from maintenance_trainer.tasks.language import encoding
from maintenance_trainer.tasks.language.form import unseen_forms
from maintenance_trainer.tasks.language.lengths import Lengths
from maintenance_trainer.tasks.language.rows import AnswerRow, Role, Turn, conversation, key_of
from maintenance_trainer.tasks.language.unigram import Unigram
from maintenance_trainer.tasks.task import How

SILENT = Silent()


def asked(question: str, answer: str) -> AnswerRow:
    return conversation([Turn(Role.USER, question)], answer, Origin.ORIGINAL, new=False)


def prompted(prompt: str, answer: str) -> AnswerRow:
    key = key_of(prompt)
    return AnswerRow(label=answer, key=key, origin=Origin.ORIGINAL, new=False, prompt=prompt)


ROWS = [asked("What is the fee?", "Two euros."), asked("The limit?", "Nine thousand euros.")]


def test_the_kind_is_known() -> None:
    assert tasks.find("CausalLM") is TASK


@pytest.mark.slow
def test_a_base_model_is_rehearsed_and_kept_as_it_is(tmp_path: Path) -> None:
    folder = base_model(tmp_path / "base")
    tiny = TASK.rehearse(folder, Given.BASE, SILENT)
    assert tiny is not None
    TASK.try_arguments(tiny, TrainingAction.RETRAIN, {"max_length": 64, "max_steps": 3}, 100)
    model = TASK.from_base(folder, ROWS, 0)
    (tmp_path / "kept").mkdir()
    TASK.save(model, tmp_path / "kept")
    prove = TASK.proof(model)
    prove(tmp_path / "kept")
    assert TASK.load(tmp_path / "kept", ()).processor.chat_template == CHATML
    assert not list((tmp_path / "kept").glob("*.bin"))


def test_the_loss_is_that_of_the_answer_alone(tmp_path: Path) -> None:
    model = TASK.from_base(base_model(tmp_path / "base"), ROWS, 0)
    found = TASK.outputs(model, ROWS, SILENT, "")
    tokens = model.processor
    for row, loss in zip(ROWS, found.loss, strict=True):
        start = f"<|im_start|>user\n{row.asked[0].content}<|im_end|>\n<|im_start|>assistant\n"
        question = tokens(start)["input_ids"]
        answer = tokens(f"{row.label}<|im_end|>")["input_ids"]
        ids = torch.tensor([question + answer])
        labels = torch.tensor([[-100] * len(question) + answer])
        with torch.inference_mode():
            mean = model.model(input_ids=ids, labels=labels).loss.item()
        bits = mean * len(answer) / math.log(2)
        assert loss == pytest.approx(bits / (len(row.label) + 1), rel=1e-4)
    assert found.embeddings.shape == (2, 64)
    assert found.misses is not None
    assert found.misses.tolist() == [1, 1]


def test_no_batch_and_no_padding_changes_a_loss(tmp_path: Path) -> None:
    model = TASK.from_base(base_model(tmp_path / "base"), ROWS, 0)
    rows = [asked("Fee? " * number, "Two. " * (20 - number)) for number in range(1, 20)]
    together = TASK.outputs(model, rows, SILENT, "")
    alone = [TASK.outputs(model, [row], SILENT, "") for row in rows]
    assert np.allclose(together.loss, [each.loss[0] for each in alone], atol=1e-4)
    assert np.allclose(together.embeddings, [each.embeddings[0] for each in alone], atol=1e-4)


def test_a_long_question_makes_no_logits(tmp_path: Path) -> None:
    model = TASK.from_base(base_model(tmp_path / "base"), ROWS, 0)
    row = asked("Fee? " * 30, "Two.")
    (encoded,) = TASK.encoded(model, [row])
    places: list[int] = []
    model.model.lm_head.register_forward_hook(lambda *its: places.append(its[2].shape[1]))
    TASK.outputs(model, [row], SILENT, "")
    assert places == [len(encoded.ids) - encoded.start + 1]


def test_a_step_of_the_rehearsal_is_small_whatever_the_vocabulary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = TASK.from_base(base_model(tmp_path / "base"), ROWS, 0)
    vocabulary = model.model.config.vocab_size
    monkeypatch.setattr(causal_lm, "_REHEARSED_LOGITS", 20 * vocabulary)
    trained, longest, _ = TASK.rehearsed(model, ()).values()
    assert max(len(each.ids) for each in TASK.encoded(model, trained)) < ROOM / 2
    assert [(len(each.ids), each.cut) for each in TASK.encoded(model, longest)] == [(ROOM, True)]


def test_memory_that_runs_out_while_rows_are_scored_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.cuda.OutOfMemoryError

    model = TASK.from_base(base_model(tmp_path / "base"), ROWS, 0)
    monkeypatch.setattr(causal_lm, "score", full)
    with pytest.raises(OutOfMemoryError, match="while rows were scored"):
        TASK.outputs(model, ROWS, SILENT, "")


def test_fewer_rows_are_scored_together_where_memory_is_short() -> None:
    tried: list[int] = []

    def made(size: int, fits: int) -> int:
        tried.append(size)
        if size > fits:
            raise torch.cuda.OutOfMemoryError
        return size

    assert fitting.in_batches_that_fit(64, lambda size: made(size, 5)) == 4
    assert tried == [64, 16, 4]
    with pytest.raises(OutOfMemoryError, match="while rows were scored"):
        fitting.in_batches_that_fit(64, lambda size: made(size, 0))
    assert tried[-1] == 1


@pytest.mark.slow
def test_an_error_of_a_worker_that_loads_rows_is_the_error() -> None:
    class Gone(list[Any]):
        def __getitem__(self, number: Any) -> Any:
            raise TransientError("DataChanging", "data/1.png: the image is gone.\nAdd another.")

    examples = fitting.Examples(Gone(), frozenset(), [0, 1])
    with pytest.raises(TransientError, match="is gone"):
        examples[0]
    loader: Any = torch.utils.data.DataLoader(examples, num_workers=1)

    class Loads:
        model = torch.nn.Linear(1, 1)

        def train(self) -> None:
            list(loader)

    with pytest.raises(TransientError) as error:
        fitting.fit(Loads(), fitting.Told(SILENT, 2), "")  # type: ignore[arg-type]
    assert error.value.reason == "DataChanging"
    assert error.value.message == "data/1.png: the image is gone.\nAdd another."


def test_several_good_answers_to_one_question_are_no_copies() -> None:
    old = [asked(f"Old {number}?", f"{number}.") for number in range(100)]
    new = [
        replace(asked(f"How do I do {number}?", f"In way {way}."), new=True)
        for number in range(10)
        for way in range(4)
    ]
    deliveries.check(split([*old, *new], Shares(0, 0), None))
    with pytest.raises(DataError) as error:
        deliveries.check(split([*old, *new[:4] * 10], Shares(0, 0), None))
    assert error.value.reason == "RowsDuplicated"


def test_what_is_too_long_loses_its_beginning_and_never_its_answer() -> None:
    tokens = tokenizer(old_texts())
    row = asked("start " * 300 + "the fee?", "Two euros.")
    (found,) = encoding.encode(tokens, [row], ROOM)
    assert (len(found.ids), found.cut, found.whole) == (ROOM, True, 1.0)
    assert tokens.decode(found.ids[found.start :]) == "Two euros.<|im_end|>"
    assert tokens.decode(found.ids[: found.start]).endswith(
        "the fee?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert found.labels[: found.start] == [encoding.IGNORED] * found.start

    (long,) = encoding.encode(tokens, [asked("The fee?", "Two. " * 500)], ROOM)
    assert len(long.ids) == ROOM
    assert long.whole < 1.0


@pytest.mark.slow
def test_answers_that_are_not_whole_are_not_trained_on(tmp_path: Path) -> None:
    model = TASK.from_base(base_model(tmp_path / "base"), ROWS, 0)
    said: list[str] = []

    class Told(Silent):
        def say(self, message: str) -> None:
            said.append(message)

    rows = [*ROWS, asked("The fee?", "Two. " * 500), asked("start " * 300, "Two.")]
    how = How(TrainingAction.RETRAIN, {"max_steps": 1, "use_cpu": True}, tmp_path)
    fitted = TASK.fit(model, rows, how, Told())
    assert (fitted.learnt(0, 2), fitted.learnt(2, 4)) == (2, 1)
    assert said == [
        "1 of 4 rows are longer than 192 tokens: their beginning is cut",
        "1 of 4 answers alone are longer than that: not trained on",
    ]
    with pytest.raises(
        ConfigurationError, match="all 1 answers are longer than 8 tokens: raise max"
    ):
        TASK.fit(
            model, [rows[2]], How(how.action, {**how.arguments, "max_length": 8}, tmp_path), SILENT
        )


def test_a_prompt_is_read_as_it_is_and_its_answer_ends(tmp_path: Path) -> None:
    tokens = tokenizer(old_texts(), template=None)
    (found,) = encoding.encode(tokens, [prompted("The fee is", " two euros")], ROOM)
    assert tokens.decode(found.ids) == "The fee is two euros<|im_end|>"
    assert tokens.decode(found.ids[found.start :]) == " two euros<|im_end|>"


def test_an_answer_ends_where_a_server_stops() -> None:
    tokens = tokenizer(old_texts())

    def answered(row: AnswerRow, *stops: str) -> str:
        ends = frozenset(tokens.convert_tokens_to_ids(list(stops)))
        (found,) = encoding.encode(tokens, [row], ROOM, ends)
        text: str = tokens.decode(found.ids[found.start :])
        return text

    assert answered(ROWS[0]) == "Two euros.<|im_end|>"
    assert answered(prompted("Fee?", "2<|im_end|>")) == "2<|im_end|>"
    assert answered(prompted("Fee?", "2<|im_end|>3")) == "2<|im_end|>3<|im_end|>"
    # As of a base model whose chat template ends answers with a token that stops nothing.
    tokens.eos_token = SPECIAL[0]
    assert answered(ROWS[0]) == "Two euros.<|im_end|>\n<|endoftext|>"
    assert answered(ROWS[0], "<|im_end|>") == "Two euros.<|im_end|>"


def test_a_server_stops_where_the_model_says_so(tmp_path: Path) -> None:
    model = TASK.from_base(base_model(tmp_path / "base"), ROWS, 0)
    model.model.generation_config.eos_token_id = [7, 9]
    end = model.processor.eos_token_id
    assert encoding.ends(model.model, model.processor) == {7, 9, end}
    model.model.generation_config.eos_token_id = None
    assert encoding.ends(model.model, model.processor) == {end}


def test_a_base_model_without_a_chat_template_reads_prompts_alone(tmp_path: Path) -> None:
    folder = base_model(tmp_path / "base", template=None)
    assert TASK.from_base(folder, [prompted("The fee?", "Two.")], 0).given is None
    with pytest.raises(ConfigurationError, match="its tokenizer has no chat template") as error:
        TASK.from_base(folder, ROWS, 0)
    assert error.value.reason == "BaseModelUnreadable"
    assert "name columns of prompt and completion" in error.value.message


def test_a_conversation_that_the_template_does_not_take_is_named() -> None:
    strict = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    tokens = tokenizer(old_texts(), template=strict + CHATML)
    row = conversation(
        [Turn(Role.SYSTEM, "Be short."), Turn(Role.USER, "Fee?")], "2", Origin.ORIGINAL, new=False
    )
    problem = encoding.problem_of(tokens, [*ROWS, row])
    assert problem is not None
    assert "takes no conversation of system, user" in problem.message
    assert "no system" in problem.message
    assert encoding.problem_of(tokens, ROWS) is None


def test_a_template_that_rewrites_the_question_is_refused() -> None:
    tokens = tokenizer(
        old_texts(), template="{{ messages | length }}: {{ messages[-1]['content'] }}"
    )
    with pytest.raises(DataError, match="does not go on from the question to the answer"):
        encoding.encode(tokens, ROWS, ROOM)


def test_a_template_that_leaves_out_a_part_of_the_answer_is_refused() -> None:
    written = "{{ m['content'].split('</think>')[-1] }}"
    tokens = tokenizer(old_texts(), template=CHATML.replace("{{ m['content'] }}", written))
    thought = asked("The fee?", "<think>What may it be?</think>Two euros.")
    assert encoding.problem_of(tokens, ROWS) is None
    problem = encoding.problem_of(tokens, [*ROWS, thought])
    assert problem is not None
    assert "writes another answer than the row has" in problem.message
    # Blanks around an answer are no part of it.
    stripped = CHATML.replace("m['content']", "m['content'] | trim")
    spaced = asked("The fee?", "  Two\n\neuros.\n")
    assert encoding.problem_of(tokenizer(old_texts(), template=stripped), [spaced]) is None


def test_what_is_longer_than_is_trained_on_is_counted() -> None:
    tokens = tokenizer(old_texts())
    rows = [
        *ROWS,
        asked("The fee?", "Two. " * 30),
        asked("start " * 60 + "the fee?", "Two euros."),
        asked("The fee?", "Two. " * 500),
    ]
    lengths = Lengths.of(encoding.encode(tokens, rows, ROOM))
    assert lengths.whole[-1] == ROOM
    assert Lengths.of(encoding.encode(tokens, ROWS, ROOM)).told(ROWS, 64) == ()
    cut, left = lengths.told(rows, 64)
    assert cut.startswith("1 of 5 rows are longer than the 64 tokens that are trained on")
    assert left.startswith("2 of 5 answers alone are as long as that: they are not trained on")
    *_, left = lengths.told(rows, ROOM)
    assert left.startswith("1 of 5 answers alone")


def test_rows_of_which_most_could_not_be_trained_on_are_refused() -> None:
    tokens = tokenizer(old_texts())
    short = [asked(f"The fee {number}?", "Two euros.") for number in range(30)]
    long = [asked(f"The fee {number}?", "Two. " * 30) for number in range(31)]
    rows = [*short, *long]
    lengths = Lengths.of(encoding.encode(tokens, rows, ROOM))
    with pytest.raises(ConfigurationError, match=r"max_length: 31 of 61 answers alone") as error:
        lengths.refuse_most(rows, rows, 64)
    assert error.value.reason == "ArgumentInvalid"
    lengths.refuse_most(rows, rows, ROOM)
    lengths.refuse_most(rows, rows[:-1], 64)  # as many short ones
    lengths.refuse_most(rows, long[:10], 64)  # too few to say what rows are like


def test_a_template_that_asks_for_thoughts_first_is_refused(tmp_path: Path) -> None:
    thinking = CHATML.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}")
    tokens = tokenizer(old_texts(), template=thinking)
    with pytest.raises(DataError, match="does not go on from the question") as error:
        encoding.encode(tokens, ROWS, ROOM)
    assert r"<|im_start|>assistant\n<think>\n" in error.value.message
    # Prompts need no template.
    folder = base_model(tmp_path / "base", template=thinking)
    assert TASK.rehearse(folder, Given.BASE, SILENT) is not None


def _bert(folder: Path, kind: Any, **changes: Any) -> Path:
    tokens = tokenizer(old_texts())
    config = transformers.BertConfig(
        vocab_size=len(tokens),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        **changes,
    )
    kind(config).save_pretrained(folder)
    tokens.save_pretrained(folder)
    return folder


def test_an_encoder_is_refused(tmp_path: Path) -> None:
    folder = _bert(tmp_path / "bert", transformers.BertForMaskedLM)
    with pytest.raises(ConfigurationError) as error:
        TASK.rehearse(folder, Given.BASE, SILENT)
    assert error.value.message.startswith(
        "model.baseModel: its config.json says that it is a BertForMaskedLM, and a causal language "
        "model is expected (BertLMHeadModel)"
    )


def test_a_model_that_looks_ahead_is_refused_whatever_it_is_called(tmp_path: Path) -> None:
    folder = _bert(tmp_path / "bert", transformers.BertLMHeadModel)
    with pytest.raises(ConfigurationError, match="it looks ahead") as error:
        TASK.rehearse(folder, Given.BASE, SILENT)
    assert error.value.reason == "BaseModelUnreadable"
    with pytest.raises(ConfigurationError, match="it looks ahead"):
        TASK.from_base(folder, ROWS, 0)


def test_a_decoder_that_is_trained_to_repeat_is_refused(tmp_path: Path) -> None:
    tokens = tokenizer(old_texts())
    config = transformers.BartConfig(
        vocab_size=len(tokens),
        d_model=32,
        decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=32,
        max_position_embeddings=ROOM,
    )
    transformers.BartForCausalLM(config).save_pretrained(tmp_path / "bart")
    tokens.save_pretrained(tmp_path / "bart")
    with pytest.raises(ConfigurationError, match="BartForCausalLM to repeat each token"):
        TASK.from_base(tmp_path / "bart", ROWS, 0)


def test_a_classifier_is_no_language_model(tmp_path: Path) -> None:
    folder = base_model(tmp_path / "base")
    config = transformers.AutoConfig.from_pretrained(folder, num_labels=2)
    transformers.LlamaForSequenceClassification(config).save_pretrained(tmp_path / "other")
    tokenizer(old_texts()).save_pretrained(tmp_path / "other")
    with pytest.raises(ConfigurationError, match="it is a LlamaForSequenceClassification"):
        TASK.from_initial(tmp_path / "other")


def test_a_model_of_several_texts_is_refused(tmp_path: Path) -> None:
    config = transformers.T5Config(vocab_size=500, d_model=16, num_layers=1, num_heads=1, d_ff=16)
    transformers.T5ForConditionalGeneration(config).save_pretrained(tmp_path / "t5")
    tokenizer(old_texts()).save_pretrained(tmp_path / "t5")
    with pytest.raises(ConfigurationError, match="a model of type t5, which is none for CausalLM"):
        TASK.rehearse(tmp_path / "t5", Given.BASE, SILENT)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    folder = base_model(tmp_path / "base")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        model.lm_head.weight[0, 0] = float("nan")
    model.save_pretrained(folder)
    with pytest.raises(ConfigurationError, match="hold NaN or infinity"):
        TASK.from_base(folder, ROWS, 0)


@pytest.mark.slow
def test_a_training_that_diverges_ends_in_a_reason(tmp_path: Path) -> None:
    model = TASK.from_base(base_model(tmp_path / "base"), ROWS, 0)
    with torch.no_grad():
        model.model.model.norm.weight.fill_(3e38)
    arguments = {"num_train_epochs": 2, "use_cpu": True, "learning_rate": 1.0}
    how = How(TrainingAction.FINE_TUNE, arguments, tmp_path)
    with pytest.raises(ConfigurationError) as error:
        TASK.fit(model, ROWS, how, SILENT)
    assert error.value.reason == "TrainingDiverged"


@pytest.mark.parametrize("value", [7, 4097, "512", True, 1.5])
def test_a_length_out_of_range_is_refused(value: object) -> None:
    with pytest.raises(
        ConfigurationError, match=r"max_length: a whole number from 8 to 4096"
    ) as error:
        TASK.check_arguments(TrainingAction.FINE_TUNE, {"max_length": value})
    assert error.value.message.startswith("training.fineTune.arguments.max_length")


def test_other_kinds_know_no_length() -> None:
    with pytest.raises(ConfigurationError, match="max_length is no training argument"):
        tasks.find("TextClassification").check_arguments(TrainingAction.RETRAIN, {"max_length": 64})


def test_a_form_that_hardly_an_old_row_has() -> None:
    plain = [asked(f"Fee {number}?", "2") for number in range(100)]
    ruled = [
        conversation([Turn(Role.SYSTEM, "Short."), *row.asked], "2", Origin.UPDATES, new=True)
        for row in plain[:30]
    ]
    assert unseen_forms(plain, plain) == 0.0
    assert unseen_forms(plain, [*plain[:70], *ruled]) == pytest.approx(0.3)
    assert unseen_forms([*plain, *ruled[:5]], ruled) == 0.0


def test_prompts_in_another_frame_are_another_form() -> None:
    old = [prompted(f"### Q: fee {number}\n### A:", "2") for number in range(50)]
    same = [prompted(f"### Q: rate {number}\n### A:", "2") for number in range(50)]
    other = [prompted(f"<ask>fee {number}</ask>", "2") for number in range(50)]
    free = [prompted(f"fee {number} please", "2") for number in range(50)]
    assert unseen_forms(old, same) == 0.0
    assert unseen_forms(old, other) == 1.0
    assert unseen_forms(free, same) == 0.0  # nothing frames the old ones


def test_the_baseline_knows_how_often_words_are_answered() -> None:
    known = Unigram(["two euros", "two euros", "nine days"])
    often, seldom, never = known.bits_per_byte(["two euros", "nine days", "xyz quux"])
    assert 0 < often < seldom < never < 40
    assert np.isfinite(Unigram([]).bits_per_byte(["a", "日本"])).all()


def test_of_several_chat_templates_the_default_is_kept(tmp_path: Path) -> None:
    folder = base_model(tmp_path / "base")
    several = transformers.AutoTokenizer.from_pretrained(folder)
    several.chat_template = {"default": CHATML, "tool_use": "{{ tools }}"}
    several.save_pretrained(folder)
    model = TASK.from_base(folder, ROWS, 0)
    (tmp_path / "kept").mkdir()
    TASK.save(model, tmp_path / "kept")
    assert not [path for path in (tmp_path / "kept").iterdir() if path.is_dir()]
    assert TASK.load(tmp_path / "kept", ()).processor.chat_template == CHATML


def test_a_stored_version_is_plain_data(tmp_path: Path) -> None:
    model = TASK.from_base(base_model(tmp_path / "base"), ROWS, 0)
    (tmp_path / "kept").mkdir()
    TASK.save(model, tmp_path / "kept")
    assert {path.name for path in (tmp_path / "kept").iterdir()} <= {
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
    }
    assert json.loads((tmp_path / "kept/config.json").read_text())["architectures"] == [
        "LlamaForCausalLM"
    ]
