"""A manifest from Git, applied again: nothing changes, and nothing looks changed."""

from typing import Any

import pytest
import yaml
from gitops.shell import shell, succeed
from gitops.stories import STORIES
from support.api import Api, path
from support.control_plane import ROOT, ControlPlane

# The first test may find the programs not compiled yet.
pytestmark = pytest.mark.timeout(900)

SAMPLES = sorted((ROOT / "manifests/samples").glob("*.yaml"), key=lambda file: file.name)
MODES = {"client": "", "server": "--server-side"}


def contains(live: Any, git: Any) -> bool:
    """Whether live says all that Git says: what Argo CD compares."""
    if isinstance(git, dict):
        return isinstance(live, dict) and all(
            name in live and contains(live[name], value) for name, value in git.items()
        )
    return bool(live == git)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda file: file.stem)
async def test_applying_again_changes_nothing(
    sample: Any, mode: str, api: Api, plane: ControlPlane, namespace: str
) -> None:
    git = yaml.safe_load(sample.read_text())
    where = path("modelmaintenances", namespace, git["metadata"]["name"])
    target = f"-n {namespace} {MODES[mode]} -f {sample}"
    await succeed(plane, f"kubectl apply {target}")
    fresh = await api.get(where)
    assert fresh["status"] == {"observedGeneration": -1}
    status = STORIES["watching"].tell().status
    before = await api.put(f"{where}/status", {**fresh, "status": status})

    for _ in range(2):
        await succeed(plane, f"kubectl apply {target}")
        assert await succeed(plane, f"kubectl diff {target}") == ""
    after = await api.get(where)
    assert after["metadata"] == before["metadata"]
    assert after["metadata"]["generation"] == 1
    assert after == before
    assert contains(after["spec"], git["spec"])


@pytest.mark.parametrize("mode", MODES)
async def test_what_git_changes_is_seen_and_applied(
    mode: str, api: Api, plane: ControlPlane, namespace: str
) -> None:
    git = yaml.safe_load((ROOT / "manifests/samples/minimal.yaml").read_text())
    where = path("modelmaintenances", namespace, git["metadata"]["name"])
    target = f"-n {namespace} {MODES[mode]} -f -"
    await succeed(plane, f"kubectl apply {target}", yaml.safe_dump(git))
    git["spec"]["metrics"]["performance"]["thresholdRange"] = {"min": 0.93}

    differs = await shell(plane, f"kubectl diff {target}", yaml.safe_dump(git))
    assert (differs.returncode, "min: 0.93" in differs.stdout) == (1, True), differs.stderr
    await succeed(plane, f"kubectl apply {target}", yaml.safe_dump(git))
    assert (await api.get(where))["metadata"]["generation"] == 2
    assert await succeed(plane, f"kubectl diff {target}", yaml.safe_dump(git)) == ""


async def test_a_field_that_git_drops_goes_back_to_its_default(
    api: Api, plane: ControlPlane, namespace: str
) -> None:
    git = yaml.safe_load((ROOT / "manifests/samples/minimal.yaml").read_text())
    where = path("modelmaintenances", namespace, git["metadata"]["name"])
    target = f"kubectl apply --server-side -n {namespace} -f -"
    await succeed(plane, target, yaml.safe_dump({**git, "spec": {**git["spec"], "suspend": True}}))
    assert (await api.get(where))["spec"]["suspend"] is True
    await succeed(plane, target, yaml.safe_dump(git))
    live = (await api.get(where))["spec"]
    assert live["suspend"] is False
    assert live != git["spec"], "Git leaves defaults out, and that is no difference"
    assert contains(live, git["spec"])


async def test_who_waits_is_not_served_what_was_said_of_an_older_spec(
    api: Api, plane: ControlPlane, namespace: str
) -> None:
    sample = ROOT / "manifests/samples/minimal.yaml"
    where = path("modelmaintenances", namespace, "news-sentiment")
    wait = f"kubectl wait mm/news-sentiment -n {namespace} --for=condition=Ready --timeout=0"
    await succeed(plane, f"kubectl apply -n {namespace} -f {sample}")
    assert (await shell(plane, wait)).returncode == 1, "nobody has looked"
    status = STORIES["watching"].tell().status
    await api.put(f"{where}/status", {**await api.get(where), "status": status})
    await succeed(plane, wait)
    await api.patch(where, {"spec": {"suspend": True}})
    assert (await shell(plane, wait)).returncode == 1, "nobody has looked at this spec"
