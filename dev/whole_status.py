"""A whole status as the operator's own rules write it: a drop was diagnosed, a training runs."""

import json
import sys
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from maintenance_contract import Candidate, TrainingAction

ROOT = Path(__file__).resolve().parent.parent
sys.path += [str(ROOT / "tests"), str(ROOT / "dev")]

from pictures import EXAMPLES, situation  # noqa: E402 - the paths above come first
from support.plain import plain_spec  # noqa: E402
from support.world import DOWN, World  # noqa: E402  # noqa: E402

DAYS_IN_SERVICE = 12


@cache
def whole_status() -> dict[str, Any]:
    """Version 1 was trained, fell after days, and a fine-tune has begun; the pods are played."""
    gpu = {"resources": {"limits": {"nvidia.com/gpu": 1}}}
    world = World(spec=plain_spec(decision={"policy": "Evidence"}, training=gpu))
    world.settle()
    world.now += timedelta(minutes=2)
    world.finish(world.diagnosis())
    world.now += timedelta(minutes=21)
    first = Candidate(1, "sha256:" + "1" * 64, TrainingAction.RETRAIN)
    world.finish(world.training(candidate=first))
    world.now += timedelta(days=DAYS_IN_SERVICE)
    world.assessment = replace(DOWN, reading=replace(DOWN.reading, time=world.now))
    world.settle()
    world.now += timedelta(minutes=2)
    report = situation(EXAMPLES[0]).report
    world.finish(world.report(diagnosis=report.diagnosis))
    written: dict[str, Any] = json.loads(json.dumps(world.status))
    return written


def as_yaml() -> str:
    """The same, as ``kubectl get mm NAME -o yaml`` shows it."""
    document = {"status": whole_status()}
    return yaml.safe_dump(document, sort_keys=False, width=100, allow_unicode=True)
