"""What one user writes beside what another one needs: a real API server, one operator for both."""

import json
from typing import Any

import pytest
from support.api import Api, path
from support.control_plane import ControlPlane
from support.objects import resource
from support.operator import operator
from support.prometheus import PrometheusServer
from support.story import HIGH, in_service, until_condition

pytestmark = [pytest.mark.api, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("depth", [300, 900, 3000], ids=str)
async def test_arguments_that_are_nested_too_deep_stop_one_resource(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    prometheus_server: PrometheusServer,
    depth: int,
) -> None:
    """Both while the operator lists, at its start, and while it watches."""
    deep = resource("deep")
    deep["spec"]["training"]["fineTune"] = {"arguments": {"x": 0}}
    text = _with_depth(deep, depth)
    await api.post_text(path("modelmaintenances", namespace), text)
    await in_service(api, namespace, "good", query=HIGH)
    async with operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}) as process:
        await until_condition(api, namespace, "good", "Degraded", "WithinRange")
        told = await until_condition(api, namespace, "deep", "Ready", "InvalidSpec")
        assert "spec.training.fineTune.arguments" in told["message"]
        await api.delete(path("modelmaintenances", namespace, "deep"))
        await api.post_text(path("modelmaintenances", namespace), text.replace("deep", "later"))
        await until_condition(api, namespace, "later", "Ready", "InvalidSpec")
        await in_service(api, namespace, "better", query=HIGH)
        await until_condition(api, namespace, "better", "Degraded", "WithinRange")
        assert process.complaints() == []


def _with_depth(body: dict[str, Any], depth: int) -> str:
    """As text: no encoder of Python's goes so deep."""
    return json.dumps(body).replace('{"x": 0}', '{"a": ' * depth + "0" + "}" * depth)
