"""What the watches and relists have told so far: resources, and the ConfigMaps of champions."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

Key = tuple[str, str]
"""Namespace and name."""

Body = dict[str, Any]

_UNREAD_ANNOTATION: Final = "kubectl.kubernetes.io/last-applied-configuration"


def key_of(body: Mapping[str, Any]) -> Key:
    """Namespace and name of an object."""
    metadata = body["metadata"]
    return metadata["namespace"], metadata["name"]


class Resources:
    """The last seen bodies, without the parts that nobody here reads. They may be stale."""

    def __init__(self) -> None:
        self._bodies: dict[Key, Body] = {}
        self._config_maps: dict[Key, Body] = {}

    def get(self, key: Key) -> Body | None:
        """The last seen body, or None where there is no such resource."""
        return self._bodies.get(key)

    def config_map(self, key: Key) -> Body | None:
        """The last seen ConfigMap of the resource's champion."""
        return self._config_maps.get(key)

    def seen(self, body: Mapping[str, Any]) -> None:
        """Remember a body, unless a newer one of the same object is known already."""
        _remember(self._bodies, key_of(body), body)

    def config_map_seen(self, key: Key, body: Mapping[str, Any]) -> None:
        """Remember the ConfigMap of a resource's champion."""
        _remember(self._config_maps, key, body)

    def config_map_gone(self, key: Key) -> None:
        """The ConfigMap of a resource's champion was deleted."""
        self._config_maps.pop(key, None)

    def forget(self, key: Key) -> None:
        """Forget a resource. Its champion's ConfigMap outlives it and stays known."""
        self._bodies.pop(key, None)

    def __iter__(self) -> Iterator[Key]:
        return iter(tuple(self._bodies))

    def __len__(self) -> int:
        return len(self._bodies)

    def versions(self) -> dict[Key, str]:
        """The resourceVersion of each body, to tell later which ones have not moved since."""
        return {key: version_of(body) for key, body in self._bodies.items()}


def version_of(body: Mapping[str, Any]) -> str:
    """The resourceVersion of an object."""
    return str(body["metadata"].get("resourceVersion", ""))


def _remember(bodies: dict[Key, Body], key: Key, body: Mapping[str, Any]) -> None:
    if not _older(body, bodies.get(key)):
        bodies[key] = _slim(body)


def _older(body: Mapping[str, Any], known: Mapping[str, Any] | None) -> bool:
    """Whether a list that took its time brings an older state than a watch did meanwhile."""
    if known is None or known["metadata"].get("uid") != body["metadata"].get("uid"):
        return False
    new, old = version_of(body), version_of(known)
    return new.isdecimal() and old.isdecimal() and int(new) < int(old)


def _slim(body: Mapping[str, Any]) -> Body:
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    if _UNREAD_ANNOTATION in metadata.get("annotations", {}):
        metadata["annotations"] = {
            key: value
            for key, value in metadata["annotations"].items()
            if key != _UNREAD_ANNOTATION
        }
    return {**body, "metadata": metadata}
