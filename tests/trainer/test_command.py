"""The command for a person: it teaches, it names what is missing, it goes the whole way."""

from collections.abc import Callable

import pytest
from support.laboratory import Lab, headlines, write_csv

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
