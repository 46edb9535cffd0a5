"""What never goes through a proxy: the question who this pod is."""

from collections.abc import MutableMapping
from typing import Final

AGENTS: Final = (
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "fd00:ec2::254",
    "fd00:ec2::23",
)
"""Of nodes and clouds: they answer with the credentials of the pod's identity, without TLS."""


def past_the_proxy(environment: MutableMapping[str, str]) -> None:
    """Where the environment names proxies, add the agents to those that are reached without."""
    if not any(name.lower().endswith("_proxy") for name in environment):
        return
    named = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    without = ",".join(filter(None, (named, *AGENTS)))
    environment["no_proxy"] = environment["NO_PROXY"] = without
