"""The command for a person: it teaches, it names what is missing, it goes the whole way."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import tables as some_tables
from support.laboratory import Lab, age, headlines, write_csv

from maintenance_contract import (
    Diagnosis,
    LeftOut,
    LeftOutFile,
    Operation,
    Outcome,
    RowCounts,
    TrainingReport,
    held_out_rows,
)
from maintenance_trainer import training
from maintenance_trainer.cli import in_service, local, tables
from maintenance_trainer.cli.command import main
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.locations import Places
from maintenance_trainer.store.store import Store


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


def options(lab: Lab, *more: str) -> list[str]:
    return [
        *("--original", str(lab.original), "--updates", str(lab.updates)),
        *("--base-model", str(lab.base_model), "--store", str(lab.claims / "by-hand")),
        *("--set", "learning_rate=0.003", "--set", "num_train_epochs=2"),
        *more,
    ]


@pytest.mark.slow
def test_a_misspelt_folder_is_said_at_once_with_what_lies_beside_it(
    make_lab: Callable[..., Lab], capsys: pytest.CaptureFixture[str]
) -> None:
    lab = make_lab(headlines(["finance", "sport"], 20, seed=1))
    misspelt = lab.original.with_name("orignal")
    given = options(lab)
    given[1] = str(misspelt)
    assert main(["diagnose", *given]) == 78
    told = capsys.readouterr().err
    assert f"--original {misspelt}: there is nothing of that name" in told
    assert lab.original.name in told
    assert not (lab.claims / "by-hand").exists(), "a command that failed leaves nothing"
    assert main(["compare", "--store", str(lab.claims / "by-hand")]) == 78
    assert main(["train", *options(lab)]) == 78
    assert not (lab.claims / "by-hand").exists()


def test_a_folder_that_is_no_model_is_said_before_anything_slow_is_loaded(
    make_lab: Callable[..., Lab],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab = make_lab(headlines(["finance", "sport"], 20, seed=1))
    monkeypatch.setattr(local, "perform", None)
    given = options(lab)
    given[given.index("--base-model") + 1] = str(lab.original)
    assert main(["diagnose", *given]) == 78
    assert "holds no config.json" in capsys.readouterr().err
    (lab.claims / "by-hand").write_text("a file")
    assert main(["diagnose", *options(lab)]) == 78
    assert "by-hand: that is a file; name a folder" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["torn", "no text", "folder", "pipe", "link", "lost"])
def test_a_champion_that_cannot_be_told_is_asked_for(tmp_path: Path, kind: str) -> None:
    store = Store.open(f"file://{tmp_path}/store", local.OWNER, Places(""))
    file = store.root / in_service.CHAMPION_FILE
    match kind:
        case "torn":
            file.write_text('{"version": 1, "champ')
        case "no text":
            file.write_bytes(b"\xff\xfe")
        case "folder":
            file.mkdir()
        case "pipe":
            os.mkfifo(file)
        case "link":
            file.symlink_to("/etc/passwd")
        case "lost":
            file.symlink_to("nothing")
    with pytest.raises(ConfigurationError, match=r"champion\.json.*: --champion") as error:
        in_service.champion(store, None)
    assert error.value.reason == "ChampionChanged"
    with pytest.raises(ConfigurationError, match="--champion 3: there is no version 3"):
        in_service.champion(store, 3)
    (store.root / "versions/3/manifest.json").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=r"versions/3 of .*is a folder, not a file"):
        in_service.champion(store, 3)


@pytest.mark.slow
def test_the_whole_way_by_hand(
    make_lab: Callable[..., Lab], capsys: pytest.CaptureFixture[str]
) -> None:
    """Rules and gate are the operator's: a person is told what it would do, and why."""
    lab = make_lab(headlines(["finance", "sport"], 600, seed=1))
    store = lab.claims / "by-hand"
    assert main(["train", *options(lab)]) == 78
    assert "give the verb diagnose first" in capsys.readouterr().err
    assert main(["diagnose", *options(lab)]) == 0
    shown = capsys.readouterr()
    assert "The rules' answer: Retrain (FirstVersion)" in shown.out
    assert "Next: train" in shown.out
    assert "%|" not in shown.err, "no bars where nobody watches"
    assert main(["train", *options(lab)]) == 0
    out = capsys.readouterr().out
    assert "version 1 by retrain" in out
    assert "Promoted: version 1 is in service from now on." in out
    steps = json.loads((store / "versions/1/manifest.json").read_text())["steps"]
    assert steps > 0
    assert "optimizer steps were taken" not in out, "it has learnt enough to be promoted"
    assert json.loads((store / "champion.json").read_text())["champion"]["version"] == 1

    swapped = [(text, {"finance": "sport"}.get(label, "finance"))
               for text, label in headlines(["finance", "sport"], 40, seed=2)]  # fmt: skip
    write_csv(lab.updates / "new.csv", swapped)
    assert main(["diagnose", *options(lab)]) == 0
    out = capsys.readouterr().out
    assert "The rules' answer: Wait (NotEnoughNewRows)" in out
    assert "Nothing is trained now." in out
    assert main(["train", *options(lab)]) == 0
    assert not (store / "versions/2").exists()
    assert main(["compare", "--store", str(store)]) == 0
    assert "In service: version 1" in capsys.readouterr().out


@pytest.mark.slow
def test_a_thousand_rows_and_three_hundred_updates_are_enough_at_the_defaults(
    make_lab: Callable[..., Lab], capsys: pytest.CaptureFixture[str]
) -> None:
    """A third of the news is of a label that version 1 does not know: it is retrained, promoted."""
    lab = make_lab(headlines(["finance", "sport"], 1_000, seed=1))
    store = lab.claims / "by-hand"
    for verb in ("diagnose", "train"):
        assert main([verb, *options(lab)]) == 0
    assert "Promoted: version 1 is in service from now on." in capsys.readouterr().out
    write_csv(lab.updates / "new.csv", headlines(["finance", "sport", "arts"], 300, seed=2))
    assert main(["diagnose", *options(lab)]) == 0
    assert "The rules' answer: Retrain" in capsys.readouterr().out
    assert main(["train", *options(lab)]) == 0
    assert "Promoted: version 2 is in service from now on." in capsys.readouterr().out
    rows = [json.loads((store / f"runs/{run}/data.json").read_text())["rows"] for run in (1, 2)]
    assert rows[0]["oldHeldOut"] == pytest.approx(held_out_rows(1_000), abs=3)
    assert rows[1]["oldHeldOut"] == rows[0]["oldHeldOut"]
    assert rows[1]["newHeldOut"] == pytest.approx(held_out_rows(300), abs=3)


@pytest.mark.slow
def test_a_version_that_the_gate_rejects_is_not_the_next_champion(
    make_lab: Callable[..., Lab], capsys: pytest.CaptureFixture[str]
) -> None:
    """A person may train what the rules would not; to serve it must pass the gate all the same."""
    lab = make_lab(headlines(["finance", "sport"], 300, seed=1))
    store = lab.claims / "by-hand"
    thorough = options(lab, "--set", "num_train_epochs=8")  # nothing is left to be gained
    for verb in ("diagnose", "train"):
        assert main([verb, *thorough]) == 0
    write_csv(lab.updates / "new.csv", headlines(["finance", "sport"], 120, seed=2))
    assert main(["diagnose", *thorough]) == 0
    capsys.readouterr()
    assert main(["train", *thorough, "--action", "fine-tune"]) == 0
    out = capsys.readouterr().out
    assert "Rejected (NoImprovement): version 1 stays in service." in out
    assert re.search(r"Only \d+ optimizer steps were taken", out)
    assert "train --action retrain" in out
    assert (store / "versions/2").exists()
    assert json.loads((store / "champion.json").read_text())["champion"]["version"] == 1
    assert main(["diagnose", *thorough]) == 0
    last = max((store / "runs").iterdir(), key=lambda folder: int(folder.name))
    asked = json.loads((last / "request-diagnose.json").read_text())
    assert asked["champion"]["version"] == 1


@pytest.mark.slow
def test_what_is_wrong_with_arguments_and_files_is_named(
    make_lab: Callable[..., Lab], capsys: pytest.CaptureFixture[str]
) -> None:
    lab = make_lab(headlines(["finance", "sport"], 100, seed=1))
    assert main(["diagnose", *options(lab, "--set", "epochs=1")]) == 78
    assert "ArgumentUnknown" in capsys.readouterr().err
    assert main(["diagnose", *options(lab, "--holdout-updates", "95")]) == 78
    assert "--holdout-updates: write auto, or 1 to 90." in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["diagnose", *options(lab, "--holdout-original", "half")])
    assert "write auto, or a whole number of per cent" in capsys.readouterr().err
    (lab.updates / "torn.csv").write_text("text,label\nonly one\n")
    assert main(["diagnose", *options(lab)]) == 65
    assert "updates/torn.csv, line 2" in capsys.readouterr().err


@pytest.mark.slow
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
    assert tables.nothing_new(report, (".png", ".jpg")).startswith("No new data")
    assert "not read: updates/w.csv.gz (compressed" in tables.nothing_new(report, (".png", ".jpg"))


def test_a_folder_whose_name_is_not_utf8_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = str(tmp_path / "caf\udce9")
    folders = ["--original", odd, "--updates", odd, "--base-model", odd, "--store", odd]
    assert main(["diagnose", *folders]) == 78
    assert "the name is not UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize("updates, store", [
    ("original", "model"), ("original/updates", "model"), (".", "model"), ("link", "model"),
    ("updates", "original"), ("updates", "updates/model"), ("updates", "."),
])  # fmt: skip
def test_folders_within_each_other_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], updates: str, store: str
) -> None:
    for name in ("original/updates", "updates"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to("original")
    folders = ("--original", "original"), ("--updates", updates), ("--store", store)
    given = [word for option, name in folders for word in (option, str(tmp_path / name))]
    assert main(["diagnose", "--task", "TabularClassification", *given]) == 78
    told = capsys.readouterr().err
    one, its = ("--updates", updates) if store == "model" else ("--store", store)
    assert f"ArgumentInvalid: {one} {tmp_path / its} and --" in told
    assert "are the same folder or lie in one another: keep" in told
    assert not (tmp_path / "model").exists()


@pytest.fixture
def by_hand(tmp_path: Path) -> Callable[..., int]:
    """The command for tables of its own folder, with ``verb`` and more options."""
    for name in ("original", "updates"):
        (tmp_path / name).mkdir()
    store_tables(tmp_path / "original/first.csv", seed=1)
    folders = [f"--{name}={tmp_path / name}" for name in ("original", "updates", "store")]
    given = ["--task=TabularClassification", *folders]
    return lambda verb, *more: main([verb, *given, *more])


def store_tables(path: Path, seed: int) -> None:
    some_tables.write_csv(path, some_tables.patients(seed, 300))
    age(path)


def test_a_training_that_was_interrupted_goes_on_or_another_begins(
    by_hand: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stopped(_work: Any) -> None:
        raise KeyboardInterrupt

    assert by_hand("diagnose") == 0
    with monkeypatch.context() as patched:
        patched.setattr(training, "train", stopped)
        assert by_hand("train") == 130
        assert by_hand("train", "--set=n_estimators=5") == 130
        assert by_hand("train", "--set=n_estimators=6") == 130
    assert sorted(folder.name for folder in (tmp_path / "store/runs").iterdir()) == ["1", "2", "3"]
    assert by_hand("train") == 0, "the same goes on in its run"
    assert "Run 1: version 1 by retrain" in capsys.readouterr().out
    assert by_hand("train", "--set=n_estimators=7") == 78, "version 1 serves now"


def test_after_a_first_version_that_was_rejected_none_serves_and_another_may_be_trained(
    by_hand: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert by_hand("diagnose") == 0
    assert by_hand("train", "--set=n_estimators=1", "--set=learning_rate=0.000001") == 0
    told = capsys.readouterr().out
    assert "Rejected (NotBetterThanMajority)" in told
    assert "train with other arguments" in told
    assert json.loads((tmp_path / "store/champion.json").read_text())["champion"] is None
    assert main(["compare", f"--store={tmp_path / 'store'}"]) == 0
    assert "No version is in service yet." in capsys.readouterr().out
    assert by_hand("train") == 0
    assert "Promoted: version 2 is in service from now on." in capsys.readouterr().out


def test_versions_are_compared_by_the_metric_that_is_named(
    by_hand: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert by_hand("diagnose", "--metric=MAE") == 78
    assert (
        "--metric: TabularClassification has no MAE; write Accuracy or" in capsys.readouterr().err
    )
    for verb in ("diagnose", "train"):
        assert by_hand(verb, "--metric=BalancedAccuracy") == 0
    assert "balanced accuracy" in capsys.readouterr().out


def test_a_diagnosis_of_before_is_not_trained_on(
    by_hand: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = "give the verb diagnose first (python -m maintenance_trainer diagnose"
    assert by_hand("diagnose") == 0
    store_tables(tmp_path / "original/second.csv", seed=2)
    assert by_hand("train") == 78
    told = capsys.readouterr().err
    assert "original/second.csv: not there when run 1, the last diagnosis, looked" in told
    assert first in told
    (tmp_path / "original/second.csv").unlink()
    assert by_hand("train") == 0
    store_tables(tmp_path / "updates/new.csv", seed=3)
    for action in ((), ("--action", "fine-tune")):
        capsys.readouterr()
        assert by_hand("train", *action) == 78
        told = capsys.readouterr().err
        assert "of run 1, looked at none in service, and now it is version 1" in told
        assert first in told
    assert by_hand("diagnose") == 0
    for rounds in (1, 2):  # a loser changes nothing, and the next may be tried
        assert by_hand("train", "--action=retrain", f"--set=n_estimators={rounds}") == 0
        assert "Rejected" in capsys.readouterr().out
    store_tables(tmp_path / "updates/newer.csv", seed=4)
    store_tables(tmp_path / "updates/newest.csv", seed=5)
    assert by_hand("train", "--champion", "1") == 78
    assert "updates/newer.csv and 1 more: not there when" in capsys.readouterr().err


MUCH_TO_READ = """
import sys
from maintenance_trainer.cli import command, local

local.compare = lambda *_: [print("x" * 100) for _ in range(10_000)] and 0
sys.exit(command.main(["compare", "--store", "x"]))
"""


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", MUCH_TO_READ], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as one:
        assert one.stdout is not None
        assert one.stderr is not None
        one.stdout.read(10)
        one.stdout.close()
        said = one.stderr.read().decode()
    assert (one.returncode, said) == (141, "")
