"""The house keeps its own promises: versions agree, commands exist, images run as nobody."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = ("Dockerfile.operator", "Dockerfile.trainer")


@pytest.mark.parametrize("file", DOCKERFILES)
def test_an_image_starts_one_program_wherever_path_leads(file: str) -> None:
    [line] = re.findall(r"^ENTRYPOINT (.*)$", (ROOT / file).read_text(), re.MULTILINE)
    assert Path(json.loads(line)[0]).is_absolute()


def test_what_a_training_imports_is_compiled_in_its_image() -> None:
    """A Job cannot write bytecode: what the image lacks it compiles anew at each start."""
    [listed] = re.findall(
        r'bin/python -c "(import .*?)"$',
        (ROOT / "Dockerfile.trainer").read_text(),
        re.DOTALL | re.MULTILINE,
    )
    compiled = re.findall(r"[\w.]+", listed)
    heavy = {"obstore", "peft", "scipy", "sklearn", "xgboost"}
    asked = {
        module
        for file in (ROOT / "trainer/src").rglob("*.py")
        for module in re.findall(r"^ *(?:from|import) ([\w.]+)", file.read_text(), re.MULTILINE)
        if module.split(".")[0] in heavy
    }
    assert [
        module
        for module in sorted(asked)
        if not any(name == module or name.startswith(f"{module}.") for name in compiled)
    ] == []


def version_of(distribution: str) -> str:
    project = tomllib.loads((ROOT / distribution / "pyproject.toml").read_text())["project"]
    version: str = project["version"]
    return version


def targets() -> dict[str, str]:
    """The Makefile's commands, each with its line of help."""
    return dict(re.findall(r"^([a-z-]+):.*## (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_distributions_and_the_chart_have_one_version() -> None:
    chart = yaml.safe_load((ROOT / "charts/model-maintenance/Chart.yaml").read_text())
    versions = {name: version_of(name) for name in ("contract", "core", "operator", "trainer")}
    assert set(versions.values()) == {chart["version"]} == {chart["appVersion"]}


@pytest.mark.parametrize("distribution", ["operator", "trainer"])
def test_an_image_carries_the_contract_of_its_own_version(distribution: str) -> None:
    project = tomllib.loads((ROOT / distribution / "pyproject.toml").read_text())["project"]
    assert f"maintenance-contract=={version_of('contract')}" in project["dependencies"]


def test_the_changelog_begins_with_what_is_not_released() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "[Unreleased]"


def test_help_names_every_command() -> None:
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    assert set(phony[1].split()) == set(targets())
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [name for name in targets() if f"make {name}" not in shown] == []


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_commands_in_the_documents_exist(document: str) -> None:
    text = (ROOT / document).read_text()
    told = set(re.findall(r"(?:^|`|\$ )make (?:-s )?([a-z][a-z-]+)", text, re.MULTILINE))
    assert told
    assert told - set(targets()) == set()


def test_continuous_integration_runs_the_readme_command_alone() -> None:
    lines = [
        line
        for line in (ROOT / ".ci/run").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert lines == ['cd "$(dirname "$0")/.." && exec make test']


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_an_image_is_built_anywhere_and_runs_as_nobody(dockerfile: str) -> None:
    lines = (ROOT / dockerfile).read_text().splitlines()
    assert not [line for line in lines if re.match(r"#\s*syntax", line)]
    assert [line for line in lines if re.match(r"ARG BASE_IMAGE=\S+", line)]
    users = [line.split()[1] for line in lines if line.startswith("USER")]
    assert users
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])
    assert "--require-hashes" in "\n".join(lines)


def test_what_is_missing_is_named_at_once(tmp_path: Path) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in (
        "bash",
        "cut",
        "df",
        "du",
        "head",
        "id",
        "mkdir",
        "printf",
        "sed",
        "sort",
        "tail",
        "uname",
    ):
        (commands / name).symlink_to(str(shutil.which(name)))
    result = subprocess.run(
        [str(commands / "bash"), str(ROOT / "dev/prerequisites"), "test"],
        env={"PATH": str(commands), "HOME": str(tmp_path), "MM_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 69
    for missing in ("Python 3.11 or newer: no python3", "Go 1.26 or newer: no go", "apt-get"):
        assert missing in result.stderr
    assert not result.stdout


def test_the_environment_is_named_by_the_locks(tmp_path: Path) -> None:
    """Two clones with the same locks share one environment; other locks, another environment."""
    clone = tmp_path / "clone"
    (clone / "dev").mkdir(parents=True)
    shutil.copy(ROOT / "dev/venv", clone / "dev")
    shutil.copytree(ROOT / "requirements", clone / "requirements")
    shutil.copytree(ROOT / "examples/serving", clone / "examples/serving")
    cache = tmp_path / "cache"

    def path() -> str:
        return subprocess.run(
            [str(clone / "dev/venv"), "--name"],
            env={**os.environ, "MM_CACHE": str(cache)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    before = path()
    assert before.startswith(str(cache))
    with (clone / "requirements/development.txt").open("a") as lock:
        lock.write("# another lock\n")
    assert path() != before


def test_a_hosted_machine_runs_make_targets_alone() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/check.yaml").read_text(encoding="utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    runs = [step["run"] for step in steps if "run" in step]
    told = [re.fullmatch(r"(?:sudo --preserve-env=\S+ )?make ([a-z-]+)", run) for run in runs]
    assert [run for run, found in zip(runs, told, strict=True) if not found] == []
    assert {found[1] for found in told if found} == {"check", "test", "vet"}
    assert workflow["permissions"] == {"contents": "read"}


def test_the_hook_before_a_commit_is_our_own_check() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert {repository["repo"] for repository in hooks["repos"]} == {"local"}
    [hook] = hooks["repos"][0]["hooks"]
    assert "dev/check --static" in hook["entry"]
