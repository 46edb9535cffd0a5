"""docs/air-gapped.md names every image that an installation or an example pulls."""

import re
from typing import Any

import pytest
import yaml
from support.programs import ROOT

PAGE = (ROOT / "docs/air-gapped.md").read_text(encoding="utf-8")
IMAGE = re.compile(r"^\s*(?:- )?image: *[\"']?([^\s\"'{}]+)", re.MULTILINE)


def named(text: str) -> set[str]:
    """Images in a text, without tag; ``:dev`` tells one of the demo from one of the product."""
    return {image.removesuffix(":0.1.0") for image in IMAGE.findall(text)}


@pytest.mark.parametrize("folder", ["manifests", "examples"])
def test_each_image_of_a_folder_is_on_the_page(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.yaml"))
    images = set().union(*(named(file.read_text(encoding="utf-8")) for file in files))

    assert images
    assert {image for image in images if f"`{image}`" not in PAGE} == set()


def test_each_image_of_the_chart_is_on_the_page() -> None:
    values: dict[str, Any] = yaml.safe_load(
        (ROOT / "charts/model-maintenance/values.yaml").read_text(encoding="utf-8")
    )
    repositories = {
        values["image"]["repository"],
        values["trainer"]["image"]["repository"],
    }
    templates = sorted((ROOT / "charts/model-maintenance/templates").rglob("*.yaml"))
    written = set().union(*(named(file.read_text(encoding="utf-8")) for file in templates))

    assert written == set(), "an image that no value can move"
    assert {image for image in repositories if f"`{image}`" not in PAGE} == set()
