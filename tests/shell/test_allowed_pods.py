"""What a resource chooses of its pods, in the operator's own process: refused, or in the Job."""

from typing import Any

import pytest
from support.api import Api, path, until
from support.control_plane import ControlPlane
from support.objects import resource
from support.operator import operator
from support.prometheus import free_port
from support.story import jobs_of, until_condition

pytestmark = [pytest.mark.api, pytest.mark.timeout(180)]

REFUSED = {
    "code": ({"env": [{"name": "OPENSSL_CONF", "value": "/x"}]}, "env[0].name: OPENSSL_CONF"),
    "trust": ({"env": [{"name": "SSL_CERT_FILE", "value": "/x"}]}, "env[0].name: SSL_CERT_FILE"),
    "priority": ({"priorityClassName": "system-node-critical"}, "priorityClassName: system-node"),
    "account": ({"serviceAccountName": "admin"}, "serviceAccountName: trainings may not run as"),
    "node": (
        {"tolerations": [{"operator": "Exists"}]},
        "tolerations[0].key: a toleration of every",
    ),
}
ALLOWED: dict[str, Any] = {
    "env": [{"name": "HTTPS_PROXY", "value": "http://p$x:3128"}, {"name": "TEAM_A", "value": "1"}],
    "serviceAccountName": "trainer",
}


def training(pod: dict[str, Any], **resources: Any) -> dict[str, Any]:
    return {"resources": {"requests": {"cpu": "1"}}, "pod": pod, **resources}


async def test_what_is_refused_is_a_condition_and_what_is_allowed_is_in_the_job(
    api: Api, plane: ControlPlane, namespace: str
) -> None:
    allow = {"env": ["TEAM_*"], "serviceAccounts": [f"{namespace}/trainer"]}
    configuration = {"allow": allow, "scratchSize": "3Gi"}
    away = {"default": f"http://127.0.0.1:{free_port()}"}
    async with operator(plane.kubeconfig, namespace, away, trainer=configuration) as process:
        for name, (pod, _) in REFUSED.items():
            body = resource(name, training=training(pod))
            await api.create(path("modelmaintenances", namespace), body)
        limits = {"cpu": 0.5, "memory": 1e9}
        body = resource(
            "good", training=training(ALLOWED), diagnosis={"resources": {"limits": limits}}
        )
        # Prometheus is away, so nothing but a model that is there is taken for a first version.
        body["spec"]["model"]["initialModel"] = {"storageUri": "pvc://models/given"}
        await api.create(path("modelmaintenances", namespace), body)

        async def job() -> dict[str, Any] | None:
            items = (await api.get(path("jobs", namespace)))["items"]
            return items[0]["spec"]["template"]["spec"] if items else None

        made = await until(job, 60, "a Job of the good one")
        container = made["containers"][0]
        told = {variable["name"]: variable["value"] for variable in container["env"]}
        assert (told["TEAM_A"], told["HTTPS_PROXY"]) == ("1", "http://p$$x:3128")
        assert told["MAINTENANCE_TRAINER_IMAGE"] == container["image"]
        assert made["serviceAccountName"] == "trainer"
        assert container["resources"]["limits"] == {"cpu": "500m", "memory": "1G"}
        [tmp] = [volume for volume in made["volumes"] if volume["name"] == "tmp"]
        assert tmp["emptyDir"]["sizeLimit"] == "3Gi"
        for name, (_, words) in REFUSED.items():
            condition = await until_condition(api, namespace, name, "Ready", "InvalidSpec")
            assert f"spec.training.pod.{words}" in condition["message"]
            assert "the platform team may allow it" in condition["message"]
        assert len(await jobs_of(api, namespace)) == 1
        assert process.complaints() == []
