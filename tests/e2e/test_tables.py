"""Tables on a real node: decided by the product from Prometheus to promotion, without a base model.

Real data are scikit-learn's of tumours (569 rows of 30 numbers); the changes are made to rows like
those of a ward. No reading is good enough for these resources, so each asks its new rows at once.
"""

import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from maintenance_examples.clusters import MONITORING, Cluster
from maintenance_examples.deployment import Example
from maintenance_examples.shell import run, until
from maintenance_examples.watching import Watched
from sklearn.datasets import load_breast_cancer
from support.tables import Record, patients, write_csv

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "manifests/samples/tabular-classification.yaml"
pytestmark = pytest.mark.timeout(1500)


def to_kilopascals(row: Record, _chance: np.random.Generator) -> None:
    row["pressure"] = round(row["pressure"] * 0.1333, 3)


def with_children(row: Record, chance: np.random.Generator) -> None:
    if chance.random() < 0.15:
        row.update(age=int(chance.integers(1, 10)), ward="paediatrics", label="child")


CASES = {
    # Pressure in another unit: no threshold of the trees means anything any more.
    "kilopascals": (to_kilopascals, "Retrain", "FeatureSpaceChanged"),
    # One patient in seven has an outcome that the model does not know.
    "children": (with_children, "FineTune", "DomainExpansion"),
}


def _tumours() -> list[Record]:
    data: Any = load_breast_cancer()
    names = [str(name) for name in data.feature_names]
    return [
        dict(zip(names, map(float, row), strict=True)) | {"label": str(data.target_names[target])}
        for row, target in zip(data.data, data.target, strict=True)
    ]


def _fill(folder: Path) -> None:
    for name in ("original", "nothing", "tumours", *CASES):
        (folder / "ward" / name).mkdir(parents=True)
    write_csv(folder / "ward/original/first.csv", patients(1, 2000))
    write_csv(folder / "ward/tumours/all.csv", _tumours())
    for name, (change, _, _) in CASES.items():
        write_csv(folder / f"ward/{name}/more.csv", patients(2, 1000, change=change))


@pytest.fixture(scope="module")
def ward(cluster: Cluster) -> Watched:
    """A namespace with tables on its claims; version 1 is trained and in service."""
    example = Example(cluster, "ward")
    with tempfile.TemporaryDirectory() as folder:
        _fill(Path(folder))
        example.load(Path(folder))
    example.apply("prometheus.yaml")
    example.rollout("prometheus", namespace=MONITORING)
    watched = Watched(example)
    example.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(_resource("ward", "nothing")))
    until(
        "version 1",
        lambda: watched.status().get("champion"),
        seconds=600,
        progress=watched.how_far,
    )
    return watched


def _resource(
    name: str, updates: str, initial: str = "", original: str = "original"
) -> dict[str, Any]:
    resource: dict[str, Any] = yaml.safe_load(SAMPLE.read_text(encoding="utf-8"))
    resource["metadata"] = {"name": name}
    spec = resource["spec"]
    spec["suspend"] = False
    spec["model"]["storage"] = {"storageUri": f"pvc://models/{name}"}
    if initial:
        spec["model"]["initialModel"] = {"storageUri": initial}
    spec["data"] = {
        "original": {"storageUri": f"pvc://data/ward/{original}"},
        "updates": {"storageUri": f"pvc://data/ward/{updates}"},
    }
    spec["metrics"] = {
        "server": "default",
        "interval": "5s",
        "performance": {
            "query": "vector(0.5)",
            "thresholdRange": {"min": 0.9},
            "breach": {"count": 3, "of": 5},
        },
    }
    spec["gate"] = {}
    spec["decision"] = {"recheckAfter": "24h"}
    spec["training"] = {
        "resources": {
            "limits": {"nvidia.com/gpu": 1, "memory": "4Gi"},
            "requests": {"cpu": "500m", "memory": "1Gi"},
        },
        "timeout": "10m",
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
def asked(ward: Watched) -> dict[str, Watched]:
    """All cases, applied together: each takes version 1 over and looks at rows of its own."""
    found = {}
    for name in CASES:
        resource = _resource(name, name, "pvc://models/ward/versions/1")
        ward.example.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(resource))
        found[name] = dataclasses.replace(ward, name=name, decisions={})
    return found


def _decision(watched: Watched, action: str) -> dict[str, Any]:
    """The first decision to train, as soon as it is there; else what was decided instead."""

    def decided() -> dict[str, Any] | None:
        watched.status()
        every = [d for d in watched.decisions.values() if d["trigger"] == "PerformanceDrop"]
        return next((d for d in every if d["action"] == action), next(iter(every), None))

    what = f"the decision on {watched.name}"
    return until(what, decided, seconds=600, progress=watched.how_far)


def test_version_1_is_trained_from_nothing(ward: Watched) -> None:
    status = ward.status()
    assert status["champion"]["version"] == 1
    first = status["history"][0]
    assert (first["action"], first["outcome"]) == ("Retrain", "Promoted")
    assert float(first["scores"]["old"]["challenger"]) > 0.85


def test_what_has_changed_about_the_columns_decides(asked: dict[str, Watched]) -> None:
    told = {}
    for name, (_, action, reason) in CASES.items():
        decision = _decision(asked[name], action)
        assert (decision["action"], decision["reason"]) == (action, reason), decision["message"]
        told[name] = _why(asked[name])
    assert "column 'pressure': another unit" in told["kilopascals"]


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


def test_tumours_of_a_real_table_are_told_apart(ward: Watched) -> None:
    resource = _resource("tumours", "nothing", original="tumours")
    ward.example.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(resource))
    watched = dataclasses.replace(ward, name="tumours", decisions={})
    until(
        "version 1 of tumours",
        lambda: watched.status().get("champion"),
        seconds=600,
        progress=watched.how_far,
    )
    first = watched.status()["history"][0]
    assert float(first["scores"]["old"]["challenger"]) > 0.9


def test_a_table_of_other_columns_blocks_and_says_what_to_do(ward: Watched) -> None:
    resource = _resource("others", "nothing", "pvc://models/ward/versions/1", "tumours")
    ward.example.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(resource))
    watched = dataclasses.replace(ward, name="others", decisions={})
    decision = until(
        "a decision",
        lambda: watched.status().get("decision"),
        seconds=240,
        progress=watched.how_far,
    )
    assert (decision["action"], decision["reason"]) == ("Blocked", "DataUnusable")
    assert "which no file of the data has" in decision["message"]
    assert "champion" not in watched.status()
