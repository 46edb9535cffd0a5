"""What a page tells people to type does what the page says."""

import csv
import json
import os
import random
import re
import shlex
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from prometheus_client import CollectorRegistry, Counter, generate_latest
from support.world import DOWN, World

from maintenance_core.model import Action
from maintenance_trainer.cli.command import parser as trainer_parser

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
CRD = yaml.safe_load((ROOT / "manifests/crd/modelmaintenances.yaml").read_text(encoding="utf-8"))
SCHEMA = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]


def blocks(page: str, language: str) -> list[str]:
    """The page's code of a language."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def patches(page: str) -> list[dict[str, Any]]:
    """What the page's kubectl patch commands would send to a ModelMaintenance."""
    commands = "\n".join(blocks(page, "bash"))
    found = re.findall(r"kubectl patch mm .*? --type=merge -p '(\{.*?\})'", commands, re.DOTALL)
    assert found
    return [json.loads(patch) for patch in found]


def merged(value: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """A JSON merge patch, applied."""
    kept = {name: old for name, old in value.items() if name not in patch}
    for name, new in patch.items():
        if isinstance(new, dict):
            kept[name] = merged(value.get(name, {}), new)
        elif new is not None:
            kept[name] = new
    return kept


@pytest.mark.parametrize("page", sorted(page.name for page in DOCS.glob("*.md")))
def test_a_resource_that_is_shown_has_known_fields_alone(page: str) -> None:
    for text in blocks(page, "yaml"):
        for document in yaml.safe_load_all(text):
            if isinstance(document, dict) and document.get("kind") == "ModelMaintenance":
                jsonschema.Draft4Validator(SCHEMA["spec"]).validate(document["spec"])
                assert _unknown(document["spec"], SCHEMA["spec"]) == []


def _unknown(value: Any, schema: dict[str, Any], path: str = "spec") -> list[str]:
    if not isinstance(value, dict) or "properties" not in schema:
        return []
    known = schema["properties"]
    return [f"{path}.{name}" for name in value if name not in known] + [
        each
        for name, child in value.items()
        if name in known
        for each in _unknown(child, known[name], f"{path}.{name}")
    ]


def test_the_threshold_that_is_explained_is_the_default_policys() -> None:
    table = (DOCS / "decision-table.md").read_text(encoding="utf-8")  # generated from the code
    [percent] = re.findall(r"(\d+)% of the new rows or more\s+outside", table)
    taught = (DOCS / "how-it-decides.md").read_text(encoding="utf-8")
    [threshold, rows] = re.findall(
        r"^`outsideSupport 0\.18, threshold (0\.\d+),.*?from (\d+) of 100",
        taught,
        re.MULTILINE | re.DOTALL,
    )[0]
    assert float(threshold) == int(rows) / 100 == int(percent) / 100


def test_the_tutorial_gives_twelve_lines_that_the_trainer_understands() -> None:
    lines = blocks("laptop.md", "bash")[0].splitlines()
    assert len(lines) == 12
    [options] = re.findall(r'"\$@" (.*); \}', next(one for one in lines if "trainer()" in one))
    given = [line.split()[1:] for line in lines if re.match(r"trainer \w", line)]
    assert given == [["diagnose"], ["train"], ["diagnose"], ["train"]]
    for verb in given:
        trainer_parser().parse_args([*verb, *shlex.split(options)])
    trainer_parser().parse_args(shlex.split(lines[-1])[3:])
    assert all(
        (ROOT / name).is_file() for name in re.findall(r"examples/\S+\.py", "\n".join(lines))
    )


def test_the_forecast_that_a_page_tells_to_type_has_rows_and_known_options(tmp_path: Path) -> None:
    first, then = blocks("series.md", "bash")
    [script] = re.findall(r"<<'EOF'\n(.*?)^EOF$", first, re.MULTILINE | re.DOTALL)
    drawn = re.findall(r"^python draw.py (\S+) ([\d ]+)", first + then, re.MULTILINE)
    stamps: list[str] = []
    for name, numbers in drawn:
        path = tmp_path / Path(name).name
        command = [sys.executable, "-c", script, str(path), *numbers.split()]
        subprocess.run(command, check=True)
        rows = list(csv.DictReader(path.read_text().splitlines()))
        assert all(60 < float(row["load"]) < 140 for row in rows)
        stamps += [row["measured_at"] for row in rows]
    assert len(stamps) == 4000
    assert stamps == sorted(set(stamps)), "what comes as an update goes on where the first ended"
    [options] = re.findall(r'"\$@" (.*?); \}', first, re.DOTALL)
    verbs = re.findall(r"^trainer (\w+)$", first + then, re.MULTILINE)
    assert verbs == ["diagnose", "train", "diagnose"]
    for verb in verbs:
        trainer_parser().parse_args([verb, *shlex.split(options.replace("\\\n", ""))])


def test_the_server_of_the_page_counts_by_true_class(monkeypatch: pytest.MonkeyPatch) -> None:
    # A registry of its own: other servers of this process count under the same name.
    registry = CollectorRegistry()
    monkeypatch.setattr("prometheus_client.start_http_server", lambda _: None)
    monkeypatch.setattr("prometheus_client.Counter", partial(Counter, registry=registry))
    names: dict[str, Any] = {}
    exec("".join(blocks("instrument.md", "python")), names)  # noqa: S102 - the page is ours
    before = generate_latest(registry).decode().count("model_predictions_total{")
    names["label_arrived"]("1", predicted="quality", true="billing")
    shown = generate_latest(registry).decode()
    assert before == shown.count("model_predictions_total{") == 6
    assert (
        'model_predictions_total{correct="false",model="churn-reasons",true_class="billing",'
        'version="1"} 1.0'
    ) in shown


@pytest.mark.slow
def test_the_labels_job_draws_a_sample_and_delivers_whole_files(tmp_path: Path) -> None:
    config_map, cron_job = yaml.safe_load_all(blocks("labels.md", "yaml")[0])
    script = tmp_path / "labels.py"
    script.write_text(config_map["data"]["labels.py"], encoding="utf-8")
    labels, updates = tmp_path / "labels", tmp_path / "updates"
    for folder in (labels / "served", labels / "labelled", updates):
        folder.mkdir(parents=True)
    texts = [f"text {number}, with a comma" for number in range(400)]
    rows = [{"text": text} for text in random.Random(1).choices(texts, k=1000)]  # noqa: S311
    served = "\n".join(json.dumps(row) for row in rows)
    (labels / "served/2026-11-23.jsonl").write_text(served, encoding="utf-8")
    done = labels / "labelled/2026-11-22.csv"
    done.write_text('text,label\n"a, b",billing\nnobody knows,\n', encoding="utf-8")

    def run() -> None:
        environment = {"LABELS": str(labels), "UPDATES": str(updates), "DAY": "2026-11-23"}
        command = [sys.executable, "-W", "error", str(script)]
        subprocess.run(command, env={**os.environ, **environment}, check=True)

    run()
    asked = labels / "to-label/2026-11-23.csv"
    with asked.open(newline="", encoding="utf-8") as file:
        sample = [row["text"] for row in csv.DictReader(file)]
    assert len(sample) == len(set(sample)) == 50
    assert set(sample) <= set(texts)
    delivered = updates / "2026-11-22.csv"
    assert delivered.read_text(encoding="utf-8") == 'text,label\n"a, b",billing\n'
    written = delivered.stat().st_mtime_ns
    run()  # twice is harmless: a file is never changed
    assert delivered.stat().st_mtime_ns == written
    assert [path.name for path in updates.iterdir()] == ["2026-11-22.csv"]
    pod = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["command"][1] == "/scripts/labels.py"


def test_a_rollback_by_status_reaches_the_servers_and_starts_nothing() -> None:
    suspend, back = patches("rollback.md")
    world = World().with_champion()
    jobs = list(world.created)
    world.spec, world.generation = merged(world.spec, suspend["spec"]), world.generation + 1
    world.settle()
    world.status = merged(world.status, back["status"])
    world.settle()

    assert world.config_map is not None
    assert world.config_map["data"]["version"] == "6"
    assert world.config_map["data"]["storageUri"] == back["status"]["champion"]["storageUri"]
    assert world.parsed.champion is not None
    assert world.parsed.champion.baseline is None
    assert world.created == jobs
    assert world.condition("Ready") == ("True", "Watching")
    jsonschema.validate(world.status["champion"], SCHEMA["status"]["properties"]["champion"])


def test_the_second_week_diagnoses_and_trains_nothing() -> None:
    diagnose, begin, _ = patches("try-it-safely.md")
    world = World().with_champion()
    world.spec = merged(world.spec, diagnose["spec"])
    world.generation += 1
    world.assessment = DOWN
    world.settle()
    world.finish(world.diagnosis())
    decision = world.parsed.decision
    assert decision is not None
    assert (decision.action, decision.reason) == (Action.WAIT, "GainTooSmall")
    assert world.live == []
    default = SCHEMA["spec"]["properties"]["decision"]["properties"]["minExpectedGain"]["default"]
    assert begin["spec"]["decision"]["minExpectedGain"] == default
