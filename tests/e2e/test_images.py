"""Images on a real node: handwritten digits, decided by the product from Prometheus to promotion.

No reading is good enough for these resources, so each asks its newly labelled images at once.
"""

import dataclasses
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from maintenance_examples.clusters import MONITORING, Cluster
from maintenance_examples.deployment import Example
from maintenance_examples.shell import run, until
from maintenance_examples.watching import Watched
from support import pictures

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "manifests/samples/image-classification.yaml"
FIRST, LATER = slice(0, 900), slice(900, 1797)
pytestmark = pytest.mark.timeout(1500)

CASES = {
    # Strokes a little thicker: the champion's features still do.
    "thicker": (pictures.thicker, "FineTune", "DomainExpansion"),
    # Larger and in colours: the champion was trained on nothing like it.
    "scanner": (pictures.of_another_scanner, "Retrain", "FeatureSpaceChanged"),
}
ODD = {
    "digit-0/notes.txt": b"scanned on Monday",
    "digit-1/torn.png": pictures.png(pictures.SAMPLE)[:60],
    "digit-2/bomb.png": pictures.bomb(40_000, 40_000),
}


def _fill(folder: Path) -> None:
    """Original digits, later ones by case, and a base model."""
    pictures.put(folder / "digits/original", pictures.digits(FIRST))
    for name, (change, _, _) in CASES.items():
        pictures.put(folder / f"digits/{name}", pictures.digits(LATER, change))
    (folder / "digits/nothing").mkdir()
    for name, content in ODD.items():
        (folder / "digits/thicker" / name).write_bytes(content)
    shutil.copytree(pictures.base_model(folder / "made"), folder / "digits/base")
    shutil.rmtree(folder / "made")


@pytest.fixture(scope="module")
def digits(cluster: Cluster) -> Watched:
    """A namespace with digits on its claims; version 1 is trained and in service."""
    example = Example(cluster, "digits")
    with tempfile.TemporaryDirectory() as folder:
        _fill(Path(folder))
        example.load(Path(folder))
    example.apply("prometheus.yaml")
    example.rollout("prometheus", namespace=MONITORING)
    watched = Watched(example)
    example.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(_resource("digits", "nothing")))
    until(
        "version 1",
        lambda: watched.status().get("champion"),
        seconds=600,
        progress=watched.how_far,
    )
    return watched


def _resource(name: str, updates: str, initial: str = "") -> dict[str, Any]:
    resource: dict[str, Any] = yaml.safe_load(SAMPLE.read_text(encoding="utf-8"))
    resource["metadata"] = {"name": name}
    spec = resource["spec"]
    spec["suspend"] = False
    spec["model"]["baseModel"] = {"storageUri": "pvc://data/digits/base"}
    spec["model"]["storage"] = {"storageUri": f"pvc://models/{name}"}
    if initial:
        spec["model"]["initialModel"] = {"storageUri": initial}
    spec["data"]["original"] = {"storageUri": "pvc://data/digits/original"}
    spec["data"]["updates"] = {"storageUri": f"pvc://data/digits/{updates}"}
    spec["metrics"] = {
        "server": "default",
        "interval": "5s",
        "performance": {
            "query": "vector(0.5)",
            "thresholdRange": {"min": 0.9},
            "breach": {"count": 3, "of": 5},
        },
    }
    spec["decision"] = {"recheckAfter": "24h"}
    arguments = dict(pictures.QUICK)
    spec["training"] = {
        "fineTune": {"arguments": arguments},
        "retrain": {"arguments": arguments},
        "resources": {
            "limits": {"nvidia.com/gpu": 1, "memory": "8Gi"},
            "requests": {"cpu": "500m", "memory": "1Gi"},
        },
        "timeout": "20m",
    }
    spec["limits"] = {"cooldown": "10s"}
    return resource


def _why(watched: Watched) -> str:
    """What ``kubectl mm why`` says, on one line."""
    where = (
        f"--kubeconfig={watched.example.cluster.kubeconfig}",
        "--namespace",
        watched.example.name,
    )
    told = run(sys.executable, "-m", "maintenance_operator.cli", "why", watched.name, *where)
    return " ".join(told.split())


@pytest.fixture(scope="module")
def asked(digits: Watched) -> dict[str, Watched]:
    """All cases, applied together: each takes version 1 over and looks at images of its own."""
    found = {}
    for name in CASES:
        resource = _resource(name, name, "pvc://models/digits/versions/1")
        digits.example.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(resource))
        found[name] = dataclasses.replace(digits, name=name, decisions={})
    return found


def test_version_1_is_trained_on_folders_of_images(digits: Watched) -> None:
    status = digits.status()
    assert status["champion"]["version"] == 1
    first = status["history"][0]
    assert (first["action"], first["outcome"]) == ("Retrain", "Promoted")
    assert float(first["scores"]["old"]["challenger"]) > 0.9


def _decision(watched: Watched, action: str) -> dict[str, Any]:
    """The first decision to train, as soon as it is there; else what was decided instead."""

    def decided() -> dict[str, Any] | None:
        watched.status()
        every = [d for d in watched.decisions.values() if d["trigger"] == "PerformanceDrop"]
        return next((d for d in every if d["action"] == action), next(iter(every), None))

    what = f"the decision on {watched.name}"
    return until(what, decided, seconds=600, progress=watched.how_far)


def test_what_has_changed_about_the_images_decides(asked: dict[str, Watched]) -> None:
    told = {}
    for name, (_, action, reason) in CASES.items():
        decision = _decision(asked[name], action)
        assert (decision["action"], decision["reason"]) == (action, reason), decision["message"]
        told[name] = _why(asked[name])
    assert "share of new images of a size or shape that hardly an old image has" in told["scanner"]
    message = _decision(asked["thicker"], "FineTune")["message"]
    assert "Not read, of the data: 3 files" in message
    assert "digit-1/torn.png (cannot be decoded" in message


@pytest.mark.parametrize("name", CASES)
def test_the_new_version_wins_and_is_promoted(asked: dict[str, Watched], name: str) -> None:
    watched, (_, action, _) = asked[name], CASES[name]

    def ended() -> dict[str, Any] | None:
        history = watched.status().get("history", [])
        return next((entry for entry in history if entry["action"] != "Import"), None)

    entry = until(f"the end of {name}", ended, seconds=900, progress=watched.how_far)
    assert (entry["trigger"], entry["action"]) == ("PerformanceDrop", action), entry
    assert (entry["outcome"], entry["version"]) == ("Promoted", 2), entry
    scores = entry["scores"]["new"]
    assert float(scores["challenger"]) > float(scores["champion"])


def test_a_base_model_that_reads_texts_blocks_and_says_what_to_do(digits: Watched) -> None:
    resource = _resource("texts", "nothing")
    resource["spec"]["model"]["baseModel"] = {"storageUri": "pvc://models/base"}
    digits.example.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(resource))
    watched = dataclasses.replace(digits, name="texts", decisions={})
    decision = until(
        "a decision",
        lambda: watched.status().get("decision"),
        seconds=240,
        progress=watched.how_far,
    )
    assert (decision["action"], decision["reason"]) == ("Blocked", "DataUnusable")
    assert "a model of type bert, which is none for ImageClassification" in decision["message"]
    assert "write TextClassification into spec.model.task" in decision["message"]
    assert "champion" not in watched.status()
