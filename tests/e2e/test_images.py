"""Images on a real node: handwritten digits, decided by the product from Prometheus to promotion.

No reading is good enough for these resources, so each asks its newly labelled images at once.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from maintenance_examples.clusters import Cluster
from maintenance_examples.watching import Watched
from support import maintained, pictures

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
def digits(cluster: Cluster) -> Iterator[Watched]:
    """A namespace with digits on its claims; version 1 is trained and in service."""
    with maintained.begun(cluster, _fill, _resource("digits", "nothing")) as watched:
        yield watched


def _resource(name: str, updates: str, initial: str = "") -> dict[str, Any]:
    resource = maintained.resource(
        "image-classification", name, "pvc://data/digits", initial=initial
    )
    spec = resource["spec"]
    spec["model"]["baseModel"] = {"storageUri": "pvc://data/digits/base"}
    spec["data"]["updates"] = {"storageUri": f"pvc://data/digits/{updates}"}
    arguments = dict(pictures.QUICK)
    spec["training"] |= {
        "fineTune": {"arguments": arguments},
        "retrain": {"arguments": arguments},
    }
    spec["training"]["resources"]["limits"]["memory"] = "8Gi"
    # Of 300 old digits four may be lost by chance, which bounds the loss at 2.3 %.
    spec["gate"] = {"oldData": {"maxLoss": 0.05}}
    return resource


@pytest.fixture(scope="module")
def asked(digits: Watched) -> dict[str, Watched]:
    """All cases, applied together: each takes version 1 over and looks at images of its own."""
    wanted = (_resource(name, name, "pvc://models/digits/versions/1") for name in CASES)
    return {each["metadata"]["name"]: maintained.applied(digits, each) for each in wanted}


def test_version_1_is_trained_on_folders_of_images(digits: Watched) -> None:
    status = digits.status()
    assert status["champion"]["version"] == 1
    first = status["history"][0]
    assert (first["action"], first["outcome"]) == ("Retrain", "Promoted")
    assert float(first["scores"]["old"]["challenger"]) > 0.9


def test_what_has_changed_about_the_images_decides(asked: dict[str, Watched]) -> None:
    told = {}
    for name, (_, action, reason) in CASES.items():
        decision = maintained.decision(asked[name], action)
        assert (decision["action"], decision["reason"]) == (action, reason), decision["message"]
        told[name] = maintained.why(asked[name])
    assert "share of new images of a size or shape that hardly an old image has" in told["scanner"]
    message = maintained.decision(asked["thicker"], "FineTune")["message"]
    assert "Not read, of the data: 3 files" in message
    assert "digit-1/torn.png (cannot be decoded" in message


@pytest.mark.parametrize("name", CASES)
def test_the_new_version_wins_and_is_promoted(asked: dict[str, Watched], name: str) -> None:
    assert maintained.won(asked[name], CASES[name][1])


def test_a_head_alone_is_fitted_on_an_encoder_that_knows_the_images(digits: Watched) -> None:
    resource = _resource("head", "nothing")
    resource["spec"]["model"]["baseModel"] = {"storageUri": "pvc://models/digits/versions/1"}
    resource["spec"]["training"]["retrain"] = {"method": "HeadOnly"}
    first = maintained.in_service(maintained.applied(digits, resource))
    assert (first["action"], first["outcome"]) == ("Retrain", "Promoted")
    assert float(first["scores"]["old"]["challenger"]) > 0.9


def test_a_base_model_that_reads_texts_blocks_and_says_what_to_do(digits: Watched) -> None:
    resource = _resource("texts", "nothing")
    resource["spec"]["model"]["baseModel"] = {"storageUri": "pvc://models/base"}
    message = maintained.blocked(maintained.applied(digits, resource))
    assert "a model of type bert, which is none for ImageClassification" in message
    assert "write TextClassification into spec.model.task" in message
