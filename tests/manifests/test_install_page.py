"""What docs/install.md tells people to apply can be applied, and its table of rights is true."""

import re
import shutil
from pathlib import Path

import pytest
import yaml
from support.programs import ROOT, Programs, folder

from maintenance_operator import settings

PAGE = (ROOT / "docs/install.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
[OVERLAY] = [block for block in BLOCKS if "kind: Kustomization" in block]
SETTINGS = [block for block in BLOCKS if block.startswith("# values")]
[VALUES] = [block for block in SETTINGS if "networkPolicy:" in block]
[ALLOW] = [block for block in SETTINGS if "allow:" in block]
OBJECTS = [block for block in BLOCKS if block not in {OVERLAY, *SETTINGS}]


def test_the_table_of_rights_is_the_cluster_role() -> None:
    role = yaml.safe_load((ROOT / "manifests/rbac/clusterrole.yaml").read_text())
    rules = {rule["resources"][0]: rule["verbs"] for rule in role["rules"]}

    table = {
        resource: verbs.split(", ")
        for resource, verbs in re.findall(
            r"^\| `([a-z/]+)`[^|]*\| ([a-z, ]+) \|", PAGE, re.MULTILINE
        )
    }

    assert table == rules


@pytest.mark.parametrize("block", OBJECTS, ids=range(len(OBJECTS)))
def test_objects_can_be_created(cluster: Programs, block: str) -> None:
    cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=block)


@pytest.mark.api
def test_the_overlay_sets_image_and_configuration(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "manifests", tmp_path / "model-maintenance/manifests")
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay/kustomization.yaml").write_text(OVERLAY)
    (tmp_path / "overlay/config.yaml").write_text("ours: true\n")

    rendered = Programs(folder(), tmp_path / "none").kubectl("kustomize", str(tmp_path / "overlay"))

    objects = {body["kind"]: body for body in yaml.safe_load_all(rendered.stdout)}
    pod = objects["Deployment"]["spec"]["template"]["spec"]
    [image] = [container["image"] for container in pod["containers"]]
    [configuration] = [v["configMap"]["name"] for v in pod["volumes"] if "configMap" in v]
    assert image == "registry.example/ml/model-maintenance/operator:0.1.0"
    assert configuration == objects["ConfigMap"]["metadata"]["name"]
    assert objects["ConfigMap"]["data"] == {"config.yaml": "ours: true\n"}


@pytest.mark.api
def test_the_values_for_a_network_policy_arrive(tmp_path: Path) -> None:
    rendered = Programs(folder(), tmp_path / "none").helm(
        *("template", "mm", str(ROOT / "charts/model-maintenance"), "-f", "-"),
        *("-s", "templates/networkpolicy.yaml"),
        stdin=VALUES,
    )

    policy = yaml.safe_load(rendered.stdout)["spec"]
    values = yaml.safe_load(VALUES)["networkPolicy"]
    assert policy["ingress"][0]["from"][1:] == values["metrics"]["from"]
    assert [rule.get("to") for rule in policy["egress"]] == [
        values["apiServer"]["to"],
        None,
        values["prometheus"]["to"],
    ]


@pytest.mark.api
def test_the_values_for_pods_arrive(tmp_path: Path) -> None:
    rendered = Programs(folder(), tmp_path / "none").helm(
        *("template", "mm", str(ROOT / "charts/model-maintenance"), "-f", "-"),
        *("-s", "templates/configmap.yaml"),
        stdin=ALLOW,
    )

    allowed = settings.read(
        yaml.safe_load(yaml.safe_load(rendered.stdout)["data"]["config.yaml"]), {}
    ).allowed
    assert allowed == settings.read_allowed(yaml.safe_load(ALLOW)["trainer"]["allow"])
    assert allowed.service_accounts == ("finance/news-trainer",)
