"""A manifest is written as ever, byte for byte, and what is read of it is read as strictly."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.documents import Everything, Nothing, Values, golden, outcomes, sha256, spoiled
from support.stored import Auto, shares, snapshot

from maintenance_contract import Evaluation, TrainingAction
from maintenance_contract.codec import Fields, canonical
from maintenance_trainer.store.inheritance import Past
from maintenance_trainer.store.provenance import Made, provenance, read_race, taken_over
from maintenance_trainer.store.versions import Version

SAID = "cdad9d0532184344bf3de216be613555fe8edf0cbcf0ee46de2ebdd1db9fb8bf"
"""A digest of all that was said before."""


def made(of: Values, action: TrainingAction, *, raced: bool) -> Made:
    ways = [TrainingAction.FINE_TUNE, TrainingAction.RETRAIN]
    return Made(
        of.some(of.text),
        {"new": of.whole(), "replayed": of.whole()},
        of.whole(),
        of.evaluation(),
        {"train": of.share(3), "evaluate": 1.23456},
        action,
        of.whole(),
        {way: of.evaluation() for way in ways} if raced else {},
    )


def champion(of: Values, folder: Path) -> Version:
    base = {"baseModel": {"storageUri": "pvc://models/base", "files": {"a.json": "sha256:a"}}}
    past = Past(shares(of), shares(of))
    return Version(3, of.digest(), folder, ("a", "b"), frozenset({of.digest()}), past, base)


def manifest(variant: str, folder: Path) -> Mapping[str, Any]:
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    of = {"least": Nothing, "auto": Auto}.get(variant, Everything).of(1)
    drawn, request = snapshot(of), of.request()
    model = replace(request.model, base_model=request.model.base_model or "pvc://models/base")
    request = replace(request, model=model)
    if variant == "taken-over":
        request = replace(request, action=TrainingAction.IMPORT)
        return taken_over(request, drawn, made(of, TrainingAction.IMPORT, raced=False), folder)
    if variant in {"fine-tuned", "auto"}:
        raced = made(of, TrainingAction.FINE_TUNE, raced=True)
        return provenance(request, drawn, champion(of, folder), raced, folder)
    return provenance(request, drawn, None, made(of, TrainingAction.RETRAIN, raced=False), folder)


def again(text: str) -> str:
    fields = Fields(json.loads(text))
    past = Past.read(fields)
    read = repr((past, read_race(fields), Evaluation.read(fields.fields("evaluation"))))
    return read.replace(", units=None)", ")")  # a field that came later


@pytest.mark.parametrize("variant", ["full", "least", "fine-tuned", "auto", "taken-over"])
def test_it_is_written_as_before(variant: str, tmp_path: Path) -> None:
    written = canonical({**manifest(variant, tmp_path), "code": {}})
    assert written == golden(f"manifest-{variant}.json")


@pytest.mark.slow
def test_the_same_is_said_of_what_is_wrong() -> None:
    whole = json.loads(golden("manifest-auto.json"))
    read = {key: whole[key] for key in ("holdout", "fairHoldout", "evaluation", "race")}
    assert sha256(outcomes(json.dumps(read), again, spoiled)) == SAID
