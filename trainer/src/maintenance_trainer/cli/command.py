"""Verbs and options; with ``--request`` in a Job, with folders for a person."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from maintenance_contract import AUTO, ScoreMetric, Task, paths
from maintenance_contract.kinds import (
    BASE_OPTIONAL,
    FROM_SCRATCH,
    INPUTS,
    MORE_REPLAY_PERCENT,
    REPLAY_PERCENT,
    TARGETS,
)
from maintenance_contract.windows import LIMITS
from maintenance_trainer import job, tasks
from maintenance_trainer.cli import local
from maintenance_trainer.errors import Interrupted, TrainerError
from maintenance_trainer.locations import Places

BROKEN_PIPE: Final = 141
"""As a shell says it of a program that SIGPIPE ended."""
DESCRIPTION: Final = """\
Keeps a classifier, a forecast or a language model good: says why it got worse (diagnose), trains a
challenger (train) and lets it meet the champion on rows that neither was trained on (compare). All
on your machine."""

EXAMPLE: Final = """\
a first round, with your rows in news/original/*.csv (columns text and label):
  mkdir -p news/updates
  python -m maintenance_trainer diagnose --original news/original --updates news/updates \\
      --base-model models/all-MiniLM-L6-v2 --store news/model
  python -m maintenance_trainer train --original news/original --updates news/updates \\
      --base-model models/all-MiniLM-L6-v2 --store news/model
version 1 is now in news/model/versions/1, a folder that transformers reads, and champion.json there
says that it is in service. When its accuracy falls, put newly labelled rows into news/updates (add
files, never change one) and give the same two commands again: diagnose says what has changed and
what the operator's rules make of it; train follows them (or --action) and asks the operator's gate
whether the new version may serve; compare shows the last contest again. Files: CSV with a header,
JSON lines (UTF-8) or Parquet. Base model: any encoder in Hugging Face's format with safetensors.
Images: add --task ImageClassification; files are PNG or JPEG in folders named after their class,
like parts/original/scratched/1.png, or Parquet with an image column. Tables: add
--task TabularClassification (or TabularRegression) and no base model; all columns but the label are
read. What users choose next: add --task NextItem; columns user, item and time. Time series: add
--task TimeSeriesForecasting --column time=date --context 64 --horizon 8 and no base model. Language
models: add --task CausalLM and a base model that goes on from a text; files hold messages.
Nothing is downloaded, nothing is sent."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    options = parser().parse_args(argv)
    if getattr(options, "request", None) is not None:
        places = Places(options.claims_root, options.secrets_root)
        return job.run(options.request, places, options.termination_log)
    try:
        return _by_hand(options)
    except BrokenPipeError:  # whoever read has seen enough; nothing is to be said of it at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except TrainerError as error:
        print(f"{error.reason}: {error.message}", file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, Interrupted):
        print("stopped; nothing half-done is left in the store", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """All verbs and options."""
    root = argparse.ArgumentParser(
        prog="python -m maintenance_trainer",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = root.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, sentence in (
        ("diagnose", "check the data, fix a snapshot of it, say how new rows differ from old ones"),
        ("train", "train what the rules say of the last diagnosis; the gate judges it"),
        ("report", "show a run's report again"),
    ):
        verb = verbs.add_parser(
            name,
            help=sentence,
            description=sentence,
            epilog=EXAMPLE,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        _job_options(verb)
        _store_option(verb)
        if name != "report":
            _data_options(verb)
        if name == "train":
            verb.add_argument(
                "--action",
                choices=sorted(local.ACTIONS),
                help="train this, whatever the rules say of the last diagnosis; the gate judges it",
            )
    verb = verbs.add_parser(
        "compare",
        help="show how champion and challenger did",
        description="show how champion and challenger did on held-out rows",
    )
    _store_option(verb)
    verb.add_argument("--run", type=int, help="default: the last one trained")
    return root


def _by_hand(options: argparse.Namespace) -> int:
    needed = ["original", "updates", "base_model", "store"]
    if getattr(options, "task", None) in FROM_SCRATCH | BASE_OPTIONAL:
        needed.remove("base_model")
    for name in needed:
        if hasattr(options, name) and getattr(options, name) is None:
            parser().error(
                f"{options.verb}: --{name.replace('_', '-')} is needed (or --request, in a Job)"
            )
    if options.verb in {"compare", "report"}:
        return local.compare(options.store, getattr(options, "run", None))
    folders = local.Folders(
        original=options.original,
        updates=options.updates,
        base_model=options.base_model,
        store=options.store,
        task=options.task,
        columns=_columns(options),
        inputs=tuple(name for role, name in options.column if role == INPUTS.name),
        targets=tuple(name for role, name in options.column if role == TARGETS.name),
        windows={name: value for name in LIMITS if (value := getattr(options, name)) is not None},
        original_percent=options.holdout_original,
        updates_percent=options.holdout_updates,
        replay_percent=options.replay_percent,
        arguments=dict(options.set),
        champion=options.champion,
        metric=options.metric,
    )
    if options.verb == "diagnose":
        return local.diagnose(folders)
    return local.train(folders, options.action)


def _job_options(verb: argparse.ArgumentParser) -> None:
    job_options = verb.add_argument_group("in a Job")
    job_options.add_argument(
        "--request",
        type=Path,
        metavar="FILE",
        help="the request as JSON; all other options but those of this group are then not needed",
    )
    job_options.add_argument(
        "--claims-root",
        default=paths.CLAIMS_ROOT,
        metavar="DIR",
        help="where volume claims are mounted (%(default)s)",
    )
    job_options.add_argument(
        "--secrets-root",
        default=paths.SECRETS_ROOT,
        metavar="DIR",
        help="where Secrets are mounted (%(default)s)",
    )
    job_options.add_argument(
        "--termination-log",
        type=Path,
        default=Path(paths.TERMINATION_LOG),
        metavar="FILE",
        help="where the report goes (%(default)s)",
    )


def _store_option(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--store", type=Path, metavar="DIR", help="versions and reports are kept here"
    )


def _data_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--original", type=Path, metavar="DIR", help="rows of the first training")
    verb.add_argument(
        "--updates", type=Path, metavar="DIR", help="newly labelled rows, file by file"
    )
    verb.add_argument(
        "--base-model",
        type=Path,
        metavar="DIR",
        help="where a retrain starts; tables and series need none",
    )
    verb.add_argument(
        "--task",
        choices=sorted(tasks.MODULES),
        default=Task.TEXT_CLASSIFICATION.value,
        help="the kind of model (%(default)s)",
    )
    verb.add_argument(
        "--column",
        action="append",
        default=[],
        type=_column,
        metavar="FOR=NAME",
        help="the name of a column by what it is for, for example text=headline or "
        "label=section; may be repeated, and inputs=NAME names one column of a table or a series",
    )
    for name, sentence in (
        ("context", "of time series: how many rows a model sees"),
        ("horizon", "how many rows a forecast tells, or a label looks ahead"),
        ("stride", "a window begins so many rows after the one before"),
    ):
        verb.add_argument(f"--{name}", type=int, metavar="ROWS", help=sentence)
    verb.add_argument("--text-column", metavar="NAME", help="the same as --column text=NAME")
    verb.add_argument("--label-column", metavar="NAME", help="the same as --column label=NAME")
    verb.add_argument(
        "--holdout-original",
        type=_percent,
        default=AUTO.lower(),
        metavar="PERCENT",
        help="of original rows, never trained on (%(default)s: half of few, less of many)",
    )
    verb.add_argument(
        "--holdout-updates",
        type=_percent,
        default=AUTO.lower(),
        metavar="PERCENT",
        help="of updates, never trained on (%(default)s: half of few, less of many)",
    )
    verb.add_argument(
        "--replay-percent",
        type=int,
        metavar="PERCENT",
        help="old rows per hundred new ones when fine-tuning; left out, it is "
        f"{REPLAY_PERCENT}, and {MORE_REPLAY_PERCENT} of tables and time series",
    )
    verb.add_argument(
        "--set",
        action="append",
        default=[],
        type=_assignment,
        metavar="NAME=VALUE",
        help="a Hugging Face TrainingArguments value, for example num_train_epochs=5, of tables "
        "one of XGBoost's, like max_depth=4; peft_type=LORA trains adapters, "
        "freeze_base_model=true the head alone; may be repeated",
    )
    verb.add_argument(
        "--metric",
        choices=[metric.value for metric in ScoreMetric],
        help="what versions are compared by, of those of the kind (default: Accuracy of classes, "
        "MAE of numbers, HitRateAt10 of items, BitsPerByte of language); where a class is rare "
        "BalancedAccuracy or AUROC",
    )
    verb.add_argument(
        "--champion",
        type=int,
        metavar="VERSION",
        help="the version in service (default: the one that the gate promoted last)",
    )


def _percent(text: str) -> int | None:
    """None stands for auto."""
    if text.lower() == AUTO.lower():
        return None
    try:
        return int(text)
    except ValueError:
        message = f"{text!r}: write auto, or a whole number of per cent"
        raise argparse.ArgumentTypeError(message) from None


def _columns(options: argparse.Namespace) -> dict[str, str]:
    named = {"text": options.text_column, "label": options.label_column}
    given = {role: name for role, name in options.column if role not in _LISTS}
    return {role: name for role, name in named.items() if name} | given


_LISTS: Final = frozenset({INPUTS.name, TARGETS.name})


def _column(text: str) -> tuple[str, str]:
    role, equals, name = text.partition("=")
    if not equals or not role or not name:
        message = f"{text!r}: write what the column is for, and its name, like label=section"
        raise argparse.ArgumentTypeError(message)
    return role, name


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        message = f"{text!r}: write NAME=VALUE"
        raise argparse.ArgumentTypeError(message)
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
