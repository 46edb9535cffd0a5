"""Argo CD's health script: in the layout it asks for, and installed as the page says."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from gitops.judging import SCRIPT, Judge
from gitops.shell import PAGE, shell
from support.api import Api, path
from support.control_plane import ROOT, ControlPlane
from support.programs import Programs, folder

# The first test may find the programs not compiled yet.
pytestmark = pytest.mark.timeout(900)

KEY = "resource.customizations.health.modelmaintenance.dev_ModelMaintenance"
HOME = SCRIPT.parent
CASES = yaml.safe_load((HOME / "health_test.yaml").read_text())["tests"]


def body(case: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((HOME / case["inputPath"]).read_text())
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: Path(case["inputPath"]).stem)
def test_the_script_says_what_its_cases_expect(case: dict[str, Any], judge: Judge) -> None:
    [verdict] = judge([body(case)])
    assert verdict["argocd"] == case["healthStatus"]


def test_it_lies_where_argo_cd_looks() -> None:
    below = HOME.relative_to(ROOT / "manifests/argocd/resource_customizations")
    assert below.parts == ("modelmaintenance.dev", "ModelMaintenance")
    tested = {case["inputPath"] for case in CASES}
    assert {str(file.relative_to(HOME)) for file in (HOME / "testdata").iterdir()} == tested
    assert {case["healthStatus"]["status"] for case in CASES} == {
        "Progressing",
        "Healthy",
        "Suspended",
        "Degraded",
    }


@pytest.mark.slow
def test_its_cases_are_what_the_operator_writes_today() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "dev/argocd_testdata.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("case", CASES, ids=lambda case: Path(case["inputPath"]).stem)
async def test_its_cases_are_resources_that_an_api_server_accepts(
    case: dict[str, Any], api: Api, namespace: str
) -> None:
    told = body(case)
    sent = {**told, "metadata": {"name": "case"}}
    created = await api.create(path("modelmaintenances", namespace), sent)
    assert created["status"] == {"observedGeneration": -1}, "nobody has looked"
    written = await api.put(
        path("modelmaintenances", namespace, "case", "status"),
        {**created, "status": told["status"]},
    )
    assert written["status"] == told["status"], "nothing is pruned"


@pytest.mark.api
def test_kustomize_adds_it_to_an_argo_cd(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "manifests/argocd", tmp_path / "argocd")
    (tmp_path / "install.yaml").write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "argocd-cm"},
                "data": {"url": "https://argocd.example"},
            }
        )
    )
    (tmp_path / "kustomization.yaml").write_text(
        "namespace: argocd\nresources: [install.yaml]\ncomponents: [argocd]\n"
    )
    rendered = Programs(folder(), tmp_path / "none").kubectl("kustomize", str(tmp_path)).stdout
    config_map = yaml.safe_load(rendered)
    assert config_map["metadata"] == {"name": "argocd-cm", "namespace": "argocd"}
    assert config_map["data"] == {KEY: SCRIPT.read_text(), "url": "https://argocd.example"}


async def test_the_command_of_the_page_adds_it_to_an_argo_cd(
    api: Api, plane: ControlPlane, namespace: str
) -> None:
    [command] = [block for block in PAGE if "argocd-cm" in block]
    installed = {"metadata": {"name": "argocd-cm", "labels": {"app": "argocd"}}}
    data = {"url": "https://argocd.example", KEY.replace("Maintenance", "Other"): "return {}"}
    await api.create(path("configmaps", namespace), {**installed, "data": data})
    for _ in range(2):
        done = await shell(plane, command.replace("--namespace argocd", f"--namespace {namespace}"))
        assert done.returncode == 0, done.stderr
    found = await api.get(path("configmaps", namespace, "argocd-cm"))
    assert found["data"] == {**data, KEY: SCRIPT.read_text()}
    assert found["metadata"]["labels"] == {"app": "argocd"}
