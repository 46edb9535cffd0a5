"""Who we are to the API server, and by which way it is reached: the client library's own login."""

import os
import ssl
from typing import Any, Final

from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from maintenance_contract.plain import address
from maintenance_core.errors import ClusterError
from maintenance_operator.adapters.proxies import proxy_for, variable_for

BUFFER_BYTES: Final = 262_144
"""So much of a reply is read ahead, and as much again waits in the socket."""


async def login() -> Configuration:
    """Credentials of the service account, or else of the kubeconfig.

    Raises:
        ClusterError: neither can be read.
    """
    configuration = Configuration()
    try:
        load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except ConfigException:
        try:
            await load_kube_config(  # type: ignore[no-untyped-call]
                os.environ.get("KUBECONFIG"), client_configuration=configuration
            )
        except (ConfigException, OSError, ValueError, KeyError, TypeError) as error:
            raise ClusterError(
                f"neither a service account nor a usable kubeconfig: {error}; "
                "set KUBECONFIG or run in a pod"
            ) from None
    by_way_of_the_proxy(configuration)
    return configuration


def by_way_of_the_proxy(configuration: Configuration) -> None:
    """Take the kubeconfig's proxy, or else the environment's, as kubectl does."""
    configuration.proxy = configuration.proxy or proxy_for(configuration.host)
    # Or the session reads the environment again for each request, in threads, and otherwise.
    configuration.client_session_kwargs = {"trust_env": False, "read_bufsize": BUFFER_BYTES}


def way(configuration: Configuration) -> str:
    """How the API server is reached, for messages; empty where it is directly."""
    if not configuration.proxy:
        return ""
    variable = variable_for(configuration.host)
    source = f"by {variable} and NO_PROXY" if variable else "by proxy-url of the kubeconfig"
    return f" through the proxy {address(configuration.proxy)} ({source})"


async def authorization(configuration: Configuration) -> dict[str, str]:
    """The header that says who we are; read anew each time, for tokens rotate."""
    settings: dict[str, Any] = dict(await configuration.auth_settings())
    return {
        str(auth["key"]): str(auth["value"])
        for auth in settings.values()
        if auth.get("in") == "header" and auth.get("value")
    }


def tls(configuration: Configuration) -> ssl.SSLContext:
    """The TLS context of the credentials: CA and client certificate."""
    context = RESTClientObject(configuration).ssl_context
    assert isinstance(context, ssl.SSLContext)  # noqa: S101 - the library has no types
    return context
