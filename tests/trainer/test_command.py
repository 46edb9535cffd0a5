"""The command for a person: it teaches, it names what is missing, it goes the whole way."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.laboratory import Lab, headlines, write_csv

from maintenance_contract import (
    Diagnosis,
    LeftOut,
    LeftOutFile,
    Operation,
    Outcome,
    RowCounts,
    TrainingReport,
)
from maintenance_trainer.cli import tables
from maintenance_trainer.cli.command import main


@pytest.mark.parametrize("arguments", [["--help"], ["diagnose", "--help"], ["train", "--help"]])
def test_help_teaches(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert "--original news/original --updates news/updates" in text
    assert "Nothing is downloaded, nothing is sent." in text


def test_a_missing_option_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["diagnose", "--original", "here"])
    assert left.value.code == 2
    assert "--updates is needed" in capsys.readouterr().err


def test_the_whole_way_by_hand(
    make_lab: Callable[..., Lab], capsys: pytest.CaptureFixture[str]
) -> None:
    lab = make_lab(headlines(["finance", "sport"], 300, seed=1))
    folders = [
        "--original",
        str(lab.original),
        "--updates",
        str(lab.updates),
        "--base-model",
        str(lab.base_model),
        "--store",
        str(lab.claims / "by-hand"),
        "--set",
        "learning_rate=0.003",
        "--set",
        "num_train_epochs=2",
    ]
    assert main(["train", *folders]) == 78
    assert "give the verb diagnose first" in capsys.readouterr().err
    assert main(["diagnose", *folders]) == 0
    assert "The workflow's answer: retrain" in capsys.readouterr().out
    assert main(["train", *folders]) == 0
    assert "version 1 by retrain" in capsys.readouterr().out
    write_csv(lab.updates / "new.csv", headlines(["finance", "sport"], 150, seed=2))
    assert main(["diagnose", *folders]) == 0
    out = capsys.readouterr().out
    assert "Concept drift?" in out
    assert "the champion on held-out new rows" in out
    assert "The workflow's answer: fine-tune" in out
    assert main(["train", *folders]) == 0
    assert "version 2 by fine-tune" in capsys.readouterr().out
    assert main(["compare", "--store", str(lab.claims / "by-hand")]) == 0
    assert "held-out new rows" in capsys.readouterr().out
    assert main(["diagnose", *folders, "--set", "epochs=1"]) == 78
    assert "ArgumentUnknown" in capsys.readouterr().err
    (lab.updates / "torn.csv").write_text("text,label\nonly one\n")
    assert main(["diagnose", *folders]) == 65
    assert "updates/torn.csv, line 2" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["labels.xlsx", "labels.json"])
def test_files_that_cannot_be_read_are_no_reason_to_train(
    make_lab: Callable[..., Lab], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    lab = make_lab(headlines(["finance", "sport"], 60, seed=1))
    (lab.updates / name).write_text('[\n  {"text": "a", "label": "x"}\n]\n')
    folders = {
        "--original": lab.original,
        "--updates": lab.updates,
        "--base-model": lab.base_model,
        "--store": lab.claims / "by-hand",
    }
    arguments = [str(each) for pair in folders.items() for each in pair]
    assert main(["diagnose", *arguments]) == 65
    told = capsys.readouterr()
    assert f"DataUnreadable: data.updates: file://{lab.updates} holds no settled" in told.err
    assert f"Not read: {name} (" in told.err
    assert "Next: train" not in told.out


def test_what_was_left_out_is_shown_and_without_new_rows_nothing_is_to_be_trained() -> None:
    report = TrainingReport(
        Operation.DIAGNOSE,
        2,
        "sha256:r",
        Outcome.SUCCEEDED,
        diagnosis=Diagnosis(RowCounts(old_train=90, old_held_out=10), labels=2),
        left_out=LeftOut.of([LeftOutFile("updates/w.csv.gz", "compressed or packed: unpack it")]),
    )
    assert "left out, of the files there: updates/w.csv.gz (compressed" in tables.diagnosis(report)
    assert tables.new_rows(report) == 0
    assert tables.nothing_new(report).startswith("No new data")
    assert "not read: updates/w.csv.gz (compressed" in tables.nothing_new(report)


def test_a_folder_whose_name_is_not_utf8_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = str(tmp_path / "caf\udce9")
    folders = ["--original", odd, "--updates", odd, "--base-model", odd, "--store", odd]
    assert main(["diagnose", *folders]) == 78
    assert "the name is not UTF-8" in capsys.readouterr().err
