"""An existing model becomes version 1: a real, tiny model is checked, copied, scored, and used."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from support.laboratory import Lab, champion, headlines, write_csv, write_lines

from maintenance_contract import (
    Answer,
    Operation,
    Outcome,
    Question,
    Reference,
    Snapshot,
    TrainingAction,
    TrainingReport,
    TrainingRequest,
)

First = tuple[Lab, TrainingReport]
HELD_OUT, IMPORT = 0.9, TrainingAction.IMPORT


@pytest.fixture
def brought(first: First, tmp_path: Path) -> Path:
    """A trained classifier as people keep it: model files and things that are none."""
    folder = tmp_path / "claims/models/brought"
    shutil.copytree(first[0].store / "versions/1", folder)
    (folder / "manifest.json").unlink()
    (folder / "optimizer.pt").write_bytes(b"a pickle")
    (folder / "modeling_own.py").write_text("raise SystemExit('code was run')")
    (folder / "checkpoint-10").mkdir()
    return folder


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    lab = make_lab(headlines(["finance", "sport"], 400, seed=2))
    write_lines(lab.updates / "late.jsonl", headlines(["finance", "sport"], 100, seed=3))
    return lab


def asking(request: TrainingRequest, initial: str = "pvc://models/brought") -> TrainingRequest:
    return replace(request, model=replace(request.model, initial_model=initial))


def diagnose(lab: Lab, run: int, initial: str = "pvc://models/brought") -> tuple[Any, int]:
    return lab.do(asking(lab.request(Operation.DIAGNOSE, run), initial))


def bring(lab: Lab, run: int, initial: str = "pvc://models/brought") -> TrainingReport:
    found, code = diagnose(lab, run, initial)
    assert code == 0, found.message
    report, code = lab.do(import_of(lab, found, initial))
    assert code == 0, report.message
    return report


def import_of(lab: Lab, found: TrainingReport, initial: str) -> TrainingRequest:
    snapshot = Snapshot(found.run, found.snapshot_digest)
    return asking(
        lab.request(Operation.TRAIN, found.run, action=IMPORT, snapshot=snapshot), initial
    )


@pytest.mark.slow
def test_it_is_scored_then_copied_as_it_is(lab: Lab, brought: Path) -> None:
    found, code = diagnose(lab, 1)
    assert code == 0, found.message
    diagnosis = found.diagnosis
    assert diagnosis.findings == ()
    assert diagnosis.new.n == diagnosis.rows.new_held_out
    assert diagnosis.old.n == diagnosis.rows.old_held_out
    assert diagnosis.old.correct > HELD_OUT * diagnosis.old.n
    assert not list((lab.store / "versions").iterdir()), "the diagnosis makes no version"

    report, code = lab.do(import_of(lab, found, "pvc://models/brought"))
    assert code == 0, report.message
    assert (report.candidate.version, report.candidate.action) == (1, IMPORT)
    assert report.evaluation.reference is Reference.MAJORITY_CLASS
    for side, scored in (
        (diagnosis.new, report.evaluation.new),
        (diagnosis.old, report.evaluation.old),
    ):
        assert scored.n == side.n
        assert scored.both_correct + scored.challenger_only == side.correct
    assert "train" not in report.timings
    version = lab.store / "versions/1"
    copied = {path.name for path in version.iterdir()}
    assert copied == {
        path.name
        for path in brought.glob("*.*")
        if path.suffix in {".json", ".safetensors", ".txt"}
    } | {"manifest.json"}
    for name in copied - {"manifest.json"}:
        assert (version / name).read_bytes() == (brought / name).read_bytes()
    manifest = json.loads((version / "manifest.json").read_text())
    assert manifest["initialModel"] == {"storageUri": "pvc://models/brought", "known": False}
    assert set(manifest["files"]) == copied - {"manifest.json"}
    assert manifest["labels"] == ["finance", "sport"]
    assert manifest["data"] == []
    assert manifest["trainedRows"] == {"new": 0, "old": 0}

    again, code = lab.do(import_of(lab, found, "pvc://models/brought"))
    assert (again, code) == (report, 0)
    (lab.store / "runs/1/report.json").unlink()
    assert lab.do(import_of(lab, found, "pvc://models/brought"))[0] == report
    assert [path.name for path in (lab.store / "versions").iterdir()] == ["1"]


@pytest.mark.slow
@pytest.mark.usefixtures("brought")
def test_what_it_was_trained_on_is_not_known_and_no_row_of_then_judges_it(lab: Lab) -> None:
    version_1 = bring(lab, 1)
    write_lines(lab.updates / "more.jsonl", headlines(["finance", "sport", "arts"], 240, seed=5))
    found = lab.diagnose(2, champion=champion(version_1))
    assert found.diagnosis is not None
    rows = found.diagnosis.rows
    assert rows.old_held_out == 0, "it may have seen the original rows that are held out now"
    assert found.diagnosis.old is None
    assert rows.new_train + rows.new_held_out > 300, "all updates are new to it"
    answers = {finding.question: finding.answer for finding in found.diagnosis.findings}
    assert answers[Question.CONCEPT_DRIFT] is Answer.UNDETERMINED
    assert answers[Question.FEATURE_SPACE_CHANGE] is Answer.MINOR, "some have a new label"
    space = next(f for f in found.diagnosis.findings if f.question is Question.FEATURE_SPACE_CHANGE)
    unknown = next(e for e in space.evidence if e.name == "unknownTokens")
    assert abs(unknown.value) < 0.05, "texts are compared with those it knows"

    tuned = lab.train(2, TrainingAction.FINE_TUNE, found, champion=champion(version_1))
    manifest = json.loads((lab.store / "versions/2/manifest.json").read_text())
    assert manifest["parent"]["version"] == 1
    fair = manifest["fairHoldout"]
    assert fair["originalPercent"] == 0
    assert fair["updatesPercent"] == pytest.approx(50, abs=3), "of few rows half"
    assert sorted(share > 0 for share in fair["files"].values()) == [False, True, True]
    later = lab.diagnose(3, champion=champion(tuned)).diagnosis
    assert later is not None
    assert 0 < later.rows.old_held_out <= rows.new_held_out, "updates were held out of its training"
    lab.train(2 + 2, TrainingAction.RETRAIN, found_again(lab, tuned), champion=champion(tuned))
    manifest = json.loads((lab.store / "versions/3/manifest.json").read_text())
    fair = manifest["fairHoldout"]
    assert fair["originalPercent"] == pytest.approx(50, abs=6), "a retrain starts anew"
    assert all(share > 0 for share in fair["files"].values())


@pytest.mark.slow
@pytest.mark.usefixtures("brought")
def test_old_rows_of_a_label_that_it_never_learnt_are_learnt_too(
    make_lab: Callable[..., Lab],
) -> None:
    lab = make_lab(headlines(["finance", "sport", "arts"], 300, seed=2))
    version_1 = bring(lab, 1)
    write_lines(lab.updates / "more.jsonl", headlines(["finance", "sport"], 240, seed=5))
    found = lab.diagnose(2, champion=champion(version_1))
    tuned = lab.train(2, TrainingAction.FINE_TUNE, found, champion=champion(version_1))
    assert tuned.candidate is not None
    manifest = json.loads((lab.store / "versions/2/manifest.json").read_text())
    assert manifest["labels"] == ["finance", "sport", "arts"]
    assert manifest["trainedRows"]["old"] > 0


def found_again(lab: Lab, version: TrainingReport) -> TrainingReport:
    return lab.diagnose(4, champion=champion(version))


@pytest.mark.slow
def test_a_version_of_another_store_tells_what_it_was_trained_on(
    lab: Lab, first: First, tmp_path: Path
) -> None:
    folder = tmp_path / "claims/models/brought"
    shutil.copytree(first[0].store / "versions/1", folder)
    theirs = json.loads((folder / "manifest.json").read_text())
    version_1 = bring(lab, 1)
    manifest = json.loads((lab.store / "versions/1/manifest.json").read_text())
    assert manifest["initialModel"]["known"] is True
    assert (manifest["data"], manifest["fairHoldout"]) == (theirs["data"], theirs["fairHoldout"])
    assert manifest["baseModel"] == theirs["baseModel"]
    found = lab.diagnose(2, champion=champion(version_1)).diagnosis
    assert found is not None
    assert found.rows.old_held_out > 0

    (folder / "model.safetensors").touch()
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    other = replace(lab, claims=tmp_path / "other")
    write_csv(other.original / "first.csv", headlines(["finance", "sport"], 100, seed=2))
    other.updates.mkdir()
    shutil.copytree(folder, other.claims / "models/brought")
    taken = diagnose(other, 1)[0]
    report, code = other.do(import_of(other, taken, "pvc://models/brought"))
    assert (report.reason, code) == ("InitialModelUnreadable", 78)
    assert "config.json is not the file that manifest.json beside it names" in report.message


@pytest.mark.slow
def test_a_vocabulary_of_another_name_is_copied_too(lab: Lab, brought: Path) -> None:
    """Its tokenizer reads ``vocab.txt`` and ``bpe.codes``; a copy without them is none."""
    words = (lab.base_model / "vocab.txt").read_text().split()
    for path in [*brought.glob("token*"), *brought.glob("vocab*")]:
        path.unlink()
    (brought / "vocab.txt").write_text("\n".join(f"{word} 1" for word in words[5:50]))
    (brought / "bpe.codes").write_text("s h 1\nsh a 1\n")
    edit(brought, tokenizer_class="BertweetTokenizer", max_position_embeddings=64)
    (brought / "tokenizer_config.json").write_text('{"tokenizer_class": "BertweetTokenizer"}')
    bring(lab, 1)
    version = lab.store / "versions/1"
    assert (version / "bpe.codes").read_text() == "s h 1\nsh a 1\n"
    found = lab.diagnose(
        2,
        champion=champion(TrainingReport.from_json((lab.store / "runs/1/report.json").read_text())),
    )
    assert found.diagnosis is not None


@pytest.mark.slow
def test_a_manifest_of_somebody_else_is_none(lab: Lab, brought: Path) -> None:
    (brought / "manifest.json").write_text('{"version": 1, "files": ["a"]}')
    bring(lab, 1)
    manifest = json.loads((lab.store / "versions/1/manifest.json").read_text())
    assert manifest["initialModel"]["known"] is False


@pytest.mark.slow
def test_the_worst_model_is_counted_and_kept_for_the_gate(lab: Lab, brought: Path) -> None:
    config = json.loads((brought / "config.json").read_text())
    config["id2label"] = {"0": "sport", "1": "finance"}
    (brought / "config.json").write_text(json.dumps(config))
    old = bring(lab, 1).evaluation.old  # type: ignore[union-attr]
    assert old is not None
    assert old.challenger_accuracy < 0.2 < old.champion_accuracy


def edit(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def torn(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def as_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def without_tokenizer(folder: Path) -> None:
    for path in folder.glob("*token*"):
        path.unlink()
    (folder / "vocab.txt").unlink(missing_ok=True)


def other_tokenizer(folder: Path) -> None:
    from transformers import AutoTokenizer  # noqa: PLC0415  # seconds

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["one", "more"])
    tokenizer.save_pretrained(folder)


BAD: dict[str, tuple[Callable[[Path], Any], str, str]] = {
    "no-model": (shutil.rmtree, "InitialModelMissing", "holds no config.json"),
    "pickle": (as_pickle, "InitialModelUnreadable", "only optimizer.pt, pytorch_model.bin"),
    "torn": (torn, "InitialModelUnreadable", "model.safetensors is torn"),
    "code": (
        lambda folder: edit(folder, auto_map={"AutoConfig": "modeling_own.Config"}),
        "InitialModelUnreadable",
        "brings code of its own (auto_map), which is never run",
    ),
    "no-tokenizer": (without_tokenizer, "InitialModelUnreadable", "there is no tokenizer; one of"),
    "other-tokenizer": (
        other_tokenizer,
        "InitialModelUnreadable",
        "they do not belong together; copy both",
    ),
    "unnamed": (
        lambda folder: edit(folder, id2label={"0": "LABEL_0", "1": "LABEL_1"}),
        "InitialModelUnreadable",
        "its labels are LABEL_0, LABEL_1; write the labels",
    ),
    "several": (
        lambda folder: edit(folder, problem_type="multi_label_classification"),
        "InitialModelUnreadable",
        "its problem_type is multi_label_classification; one that gives a text one label",
    ),
    "regression": (
        lambda folder: edit(folder, problem_type="regression"),
        "InitialModelUnreadable",
        "its problem_type is regression; one that gives a text one label of several is expected",
    ),
    "other-labels": (
        lambda folder: edit(folder, id2label={"0": "spam", "1": "ham"}),
        "InitialModelLabels",
        "it answers spam, ham, and no row is labelled so, but finance, sport",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_taken_over_is_said_before_anything_is_copied(
    lab: Lab, brought: Path, case: str
) -> None:
    spoil, reason, told = BAD[case]
    spoil(brought)
    report, code = diagnose(lab, 1)
    assert (report.outcome, report.reason, code) == (Outcome.FAILED, reason, 78)
    assert report.message.startswith("model.initialModel: ")
    assert told in report.message
    assert not list((lab.store / "versions").iterdir())


@pytest.mark.slow
def test_labels_that_the_model_spells_otherwise_are_the_datas_to_mend(
    lab: Lab, brought: Path
) -> None:
    edit(brought, id2label={"0": "finance\u200b", "1": "Sport"})
    report, code = diagnose(lab, 1)
    assert (report.reason, code) == ("LabelsDoubled", 65)
    assert (
        "the label 'finance' is the class 'finance\\u200b' (model.initialModel)" in report.message
    )

    edit(brought, id2label={"0": "finance", "1": "Sport"})
    report, code = diagnose(lab, 2)
    assert code == 0, report.message
    assert "'sport' counts as a class of its own beside 'Sport', which is known," in report.message


@pytest.mark.slow
def test_a_base_model_is_no_model_to_begin_with(lab: Lab) -> None:
    """The library would give it a head of random weights."""
    report, code = diagnose(lab, 1, f"file://{lab.base_model}")
    assert (report.reason, code) == ("InitialModelUnreadable", 78)
    assert "it holds no weights for classifier." in report.message
    assert "belongs into model.baseModel" in report.message


@pytest.mark.slow
@pytest.mark.usefixtures("brought")
def test_import_is_for_a_first_version_alone(lab: Lab) -> None:
    version_1 = bring(lab, 1)
    found = lab.diagnose(2, champion=champion(version_1))
    request = import_of(lab, found, "pvc://models/brought")
    report, code = lab.do(replace(request, champion=champion(version_1)))
    assert (report.reason, code) == ("InitialModelMissing", 78)


@pytest.mark.slow
def test_from_a_hub_at_a_revision(
    lab: Lab, brought: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "b" * 40
    shutil.copytree(brought, tmp_path / f"hub/models--org--news/snapshots/{commit}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    there = replace(lab.request(Operation.DIAGNOSE, 1).model, initial_model="hf://org/news")
    model = replace(there, initial_revision=commit)
    found, code = lab.do(lab.request(Operation.DIAGNOSE, 1, model=model))
    assert code == 0, found.message
    request = lab.request(
        Operation.TRAIN, 1, model=model, action=IMPORT, snapshot=Snapshot(1, found.snapshot_digest)
    )
    report, code = lab.do(request)
    assert code == 0, report.message
    manifest = json.loads((lab.store / "versions/1/manifest.json").read_text())
    assert manifest["initialModel"]["revision"] == commit

    report, code = lab.do(
        lab.request(Operation.DIAGNOSE, 2, model=replace(model, initial_revision="v9"))
    )
    assert (report.reason, code) == ("InitialModelMissing", 78)
    assert report.message.startswith("model.initialModel: hf://org/news at v9 is not in the local")
