"""Tables on a real node: decided by the product from Prometheus to promotion, without a base model.

Real data are scikit-learn's of tumours (569 rows of 30 numbers); the changes are made to rows like
those of a ward. No reading is good enough for these resources, so each asks its new rows at once.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from maintenance_examples.clusters import Cluster
from maintenance_examples.watching import Watched
from sklearn.datasets import load_breast_cancer
from support import maintained
from support.tables import Record, patients, write_csv

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
def ward(cluster: Cluster) -> Iterator[Watched]:
    """A namespace with tables on its claims; version 1 is trained and in service."""
    with maintained.begun(
        cluster, _fill, _resource("ward", "nothing"), base_model=False
    ) as watched:
        yield watched


def _resource(
    name: str, updates: str, initial: str = "", original: str = "original"
) -> dict[str, Any]:
    resource = maintained.resource(
        "tabular-classification", name, "pvc://data/ward", initial=initial
    )
    resource["spec"]["data"] = {
        "original": {"storageUri": f"pvc://data/ward/{original}"},
        "updates": {"storageUri": f"pvc://data/ward/{updates}"},
    }
    resource["spec"]["gate"] = {}
    return resource


@pytest.fixture(scope="module")
def asked(ward: Watched) -> dict[str, Watched]:
    """All cases, applied together: each takes version 1 over and looks at rows of its own."""
    wanted = (_resource(name, name, "pvc://models/ward/versions/1") for name in CASES)
    return {each["metadata"]["name"]: maintained.applied(ward, each) for each in wanted}


def test_version_1_is_trained_from_nothing(ward: Watched) -> None:
    status = ward.status()
    assert status["champion"]["version"] == 1
    first = status["history"][0]
    assert (first["action"], first["outcome"]) == ("Retrain", "Promoted")
    assert float(first["scores"]["old"]["challenger"]) > 0.85


def test_what_has_changed_about_the_columns_decides(asked: dict[str, Watched]) -> None:
    told = {}
    for name, (_, action, reason) in CASES.items():
        decision = maintained.decision(asked[name], action)
        assert (decision["action"], decision["reason"]) == (action, reason), decision["message"]
        told[name] = maintained.why(asked[name])
    assert "column 'pressure': another unit" in told["kilopascals"]


@pytest.mark.parametrize("name", CASES)
def test_the_new_version_wins_and_is_promoted(asked: dict[str, Watched], name: str) -> None:
    assert maintained.won(asked[name], CASES[name][1])


def test_tumours_of_a_real_table_are_told_apart(ward: Watched) -> None:
    resource = _resource("tumours", "nothing", original="tumours")
    first = maintained.in_service(maintained.applied(ward, resource))
    assert float(first["scores"]["old"]["challenger"]) > 0.9


def test_a_table_of_other_columns_blocks_and_says_what_to_do(ward: Watched) -> None:
    resource = _resource("others", "nothing", "pvc://models/ward/versions/1", "tumours")
    message = maintained.blocked(maintained.applied(ward, resource))
    assert "which no file of the data has" in message
