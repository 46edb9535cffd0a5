"""The API server, as a person reaches it: by the kubeconfig and its context."""

import json
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode

import aiohttp
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, load_kube_config

from maintenance_core.errors import ClusterError, Gone
from maintenance_core.names import (
    CONTAINER,
    GROUP,
    LABEL_RUN,
    LABEL_STEP,
    LABEL_UID,
    PLURAL,
    VERSION,
)
from maintenance_operator import __version__
from maintenance_operator.adapters.cluster import Body, Cluster
from maintenance_operator.adapters.credentials import authorization, by_way_of_the_proxy, tls

DEFAULT_NAMESPACE: Final = "default"
_AGENT: Final = f"kubectl-mm/{__version__}"
_LINE_BYTES: Final = 65536


@dataclass(frozen=True, slots=True)
class Login:
    """Who asks whom. ``namespace`` is the context's."""

    configuration: Configuration
    namespace: str


async def login(kubeconfig: str | None, context: str | None) -> Login:
    """Read the kubeconfig as kubectl does: ``--kubeconfig``, KUBECONFIG, ~/.kube/config.

    Raises:
        ClusterError: there is none, or it has no such context.
    """
    configuration = Configuration()
    source = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    try:
        loader = await load_kube_config(  # type: ignore[no-untyped-call]
            source, context=context, client_configuration=configuration, persist_config=False
        )
        chosen = loader.current_context["context"]
        namespace = chosen.get("namespace", "")
    except (ConfigException, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        which = f"context {context!r} of {source}" if context else source
        raise ClusterError(
            f"{which} cannot be used: {error}; write --kubeconfig FILE and --context NAME "
            "(kubectl config get-contexts lists them)"
        ) from None
    by_way_of_the_proxy(configuration)
    return Login(configuration, str(namespace or DEFAULT_NAMESPACE))


class Access(Cluster):
    """The API server, as the plugin needs it beside what the operator does."""

    def __init__(self, login: Login) -> None:
        super().__init__(login.configuration, user_agent=_AGENT)

    async def found(self, namespace: str, name: str) -> Body | None:
        """A resource, None where there is none."""
        try:
            return await self.get(namespace, name)
        except Gone:
            return None

    async def raw_job(self, namespace: str, name: str) -> Body | None:
        """A Job as it is, None where there is none."""
        try:
            return await self._request("GET", _path("/apis/batch/v1", namespace, "jobs", name))
        except Gone:
            return None

    async def pods(
        self, namespace: str, uid: str, run: int | None = None, step: str | None = None
    ) -> list[Body]:
        """The pods of a resource's runs, oldest first; of one run, of one step."""
        labels = {LABEL_UID: uid}
        labels |= {} if run is None else {LABEL_RUN: str(run)}
        labels |= {} if step is None else {LABEL_STEP: step}
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        answer = await self._request(
            "GET", _path("/api/v1", namespace, "pods"), {"labelSelector": selector}
        )
        pods: list[Body] = answer["items"]
        return sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))

    async def log(self, namespace: str, pod: str, *, follow: bool) -> AsyncIterator[bytes]:
        """The trainer's output, as it comes.

        Raises:
            ClusterError: no container runs yet, or the node does not answer.
        """
        path = f"{_path('/api/v1', namespace, 'pods', pod)}/log"
        query = urlencode({"container": CONTAINER, **({"follow": "true"} if follow else {})})
        configuration = self._client.configuration
        headers = {
            "Accept": "*/*",
            "User-Agent": self._client.user_agent,
            **await authorization(configuration),
        }
        try:
            answer = await self._client.call_api(
                "GET",
                f"{configuration.host}{path}?{query}",
                headers,
                _request_timeout=aiohttp.ClientTimeout(total=None, sock_connect=30.0),
            )
            reply: aiohttp.ClientResponse = answer.response
            if reply.status == HTTPStatus.NO_CONTENT:
                raise ClusterError(f"the log of pod {pod}: it has no node yet")
            if reply.status != HTTPStatus.OK:
                raise ClusterError(f"the log of pod {pod}: {_message(await reply.read())}")
            async for chunk in reply.content.iter_chunked(_LINE_BYTES):
                yield chunk
        except (aiohttp.ClientError, OSError) as error:
            text = str(error) or type(error).__name__
            raise ClusterError(f"the log of pod {pod}: {text}") from None

    async def dry_run(self, body: Mapping[str, Any]) -> tuple[int, Body]:
        """What the API server says of a resource, without storing it: status and document.

        As ``kubectl replace`` where it exists, as ``kubectl create`` where it does not.
        """
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        path = _path(f"/apis/{GROUP}/{VERSION}", namespace, PLURAL)
        options = {"dryRun": "All", "fieldValidation": "Strict"}
        live = await self.found(namespace, name)
        if live is None:
            status, data = await self._send("POST", path, options, body=body)
        else:
            metadata = {
                **body["metadata"],
                "resourceVersion": live["metadata"]["resourceVersion"],
            }
            status, data = await self._send(
                "PUT",
                f"{path}/{quote(name, safe='')}",
                options,
                body={**body, "metadata": metadata},
            )
        return status, _document(data)

    async def dry_run_job(self, manifest: Mapping[str, Any]) -> tuple[int, Body]:
        """What the API server says of a Job, without making it: status and document."""
        path = _path("/apis/batch/v1", str(manifest["metadata"]["namespace"]), "jobs")
        status, data = await self._send("POST", path, {"dryRun": "All"}, body=manifest)
        return status, _document(data)

    async def configurations(self, namespace: str) -> list[Body]:
        """The ConfigMaps of operators in a namespace, oldest first."""
        selector = (
            "app.kubernetes.io/part-of=model-maintenance,app.kubernetes.io/component=operator"
        )
        answer = await self._request(
            "GET", _path("/api/v1", namespace, "configmaps"), {"labelSelector": selector}
        )
        maps: list[Body] = answer["items"]
        return sorted(maps, key=lambda item: str(item["metadata"].get("creationTimestamp", "")))

    async def service(self, namespace: str, name: str) -> Body | None:
        """A Service, None where there is none."""
        try:
            return await self._request("GET", _path("/api/v1", namespace, "services", name))
        except Gone:
            return None

    @property
    def host(self) -> str:
        """The API server's address."""
        return str(self._client.configuration.host)

    def session(self, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
        """A session that the API server takes for the same person."""
        configuration = self._client.configuration

        async def identified(
            request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
        ) -> aiohttp.ClientResponse:
            request.headers.update(await authorization(configuration))
            return await handler(request)

        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls(configuration)),
            middlewares=[identified],
            timeout=timeout,
            proxy=configuration.proxy,
        )

    async def schema(self) -> Body:
        """The OpenAPI document of our API group, with every field's defaults."""
        return await self._request("GET", f"/openapi/v3/apis/{GROUP}/{VERSION}")


def _path(prefix: str, namespace: str, plural: str, name: str = "") -> str:
    parts = [prefix, "namespaces", quote(namespace, safe=""), plural, quote(name, safe="")]
    return "/".join(part for part in parts if part)


def _document(data: bytes) -> Body:
    try:
        document = json.loads(data)
    except ValueError:
        document = None
    return (
        document
        if isinstance(document, dict)
        else {"message": data[:300].decode("utf-8", "replace")}
    )


def _message(data: bytes) -> str:
    return str(_document(data).get("message", ""))[:1000]
