"""The locks install the same everywhere: by hash, from whichever server a machine uses."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)", re.MULTILINE)


def pins(lock: Path) -> set[tuple[str, str]]:
    return {(match["name"], match["version"]) for match in PIN.finditer(lock.read_text())}


def test_there_is_a_lock_for_each_list() -> None:
    lists = {path.stem for path in (ROOT / "requirements").glob("*.in")}
    assert lists == {lock.stem for lock in LOCKS} == {"development", "operator", "trainer", "uv"}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_names_no_server(lock: Path) -> None:
    options = [line for line in lock.read_text().splitlines() if line.startswith("-")]
    assert not options
    assert "://" not in lock.read_text()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_pin_has_hashes(lock: Path) -> None:
    text = re.sub(r"^#.*\n", "", lock.read_text(), flags=re.MULTILINE)
    packages = re.split(r"\n(?=\S)", text.strip())
    assert packages
    assert [package for package in packages if "--hash=sha256:" not in package] == []
    assert [package for package in packages if not PIN.match(package)] == []


@pytest.mark.parametrize("image", ["operator", "trainer"])
def test_development_uses_the_versions_of_the_images(image: str) -> None:
    image_pins = pins(ROOT / f"requirements/{image}.txt")
    assert image_pins - pins(ROOT / "requirements/development.txt") == set()


@pytest.mark.parametrize("name", ["development", "operator", "trainer", "uv"])
def test_a_lock_holds_what_its_list_asks_for(name: str) -> None:
    wanted = {
        re.split(r"[ ~=<>]", line)[0].lower()
        for line in (ROOT / f"requirements/{name}.in").read_text().splitlines()
        if line and not line.startswith(("#", "-"))
    }
    assert wanted - {pin for pin, _ in pins(ROOT / f"requirements/{name}.txt")} == set()


def test_the_trainer_does_not_carry_the_operator_and_the_other_way_round() -> None:
    names = {
        name: {pin for pin, _ in pins(ROOT / f"requirements/{name}.txt")}
        for name in ("operator", "trainer")
    }
    assert names["trainer"].isdisjoint({"kopf", "kubernetes", "aiohttp"})
    assert names["operator"].isdisjoint({"torch", "transformers", "numpy", "scipy"})


def test_there_is_no_lock_that_names_download_hosts() -> None:
    assert not list(ROOT.rglob("uv.lock"))


@pytest.mark.parametrize("image", ["operator", "trainer"])
def test_a_distribution_asks_for_what_its_image_installs(image: str) -> None:
    project = tomllib.loads((ROOT / image / "pyproject.toml").read_text())["project"]
    asked = {_name(line) for line in project["dependencies"]} - {
        "maintenance-contract",
        "maintenance-core",
    }
    named = (ROOT / f"requirements/{image}.in").read_text().splitlines()
    installed = {_name(line) for line in named if line and not line.startswith(("#", "-"))}
    assert asked == installed


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9_.-]", requirement.strip())[0].lower()
