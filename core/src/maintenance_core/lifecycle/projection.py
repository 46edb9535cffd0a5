"""The champion's projection: the ConfigMap ``<name>-champion`` that servers read."""

import json
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from maintenance_contract import ContractError
from maintenance_contract.codec import Fields
from maintenance_core.lifecycle.jobs import Identity
from maintenance_core.model import Champion
from maintenance_core.names import CHAMPION_SUFFIX, LABEL_MANAGED_BY, MANAGER
from maintenance_core.status import champion_in, champion_out

_JSON: Final = "champion.json"
MOST_CHARACTERS: Final = 16 * 1024
"""Ours have some 500."""


def config_map_name(resource: str) -> str:
    """Name of the ConfigMap of a resource."""
    return f"{resource}{CHAMPION_SUFFIX}"


def is_ours(config_map: Mapping[str, Any]) -> bool:
    """Whether the operator made it."""
    labels = config_map.get("metadata", {}).get("labels") or {}
    return bool(labels.get(LABEL_MANAGED_BY) == MANAGER)


def says(config_map: Mapping[str, Any], identity: Identity, champion: Champion) -> bool:
    """Whether it says already what status says."""
    return bool(config_map.get("data") == _data(identity, champion))


def manifest(
    identity: Identity, champion: Champion, existing: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The ConfigMap. No ownerReference: servers keep their model when the resource goes."""
    metadata: dict[str, Any] = {
        "name": config_map_name(identity.name),
        "namespace": identity.namespace,
        "labels": {LABEL_MANAGED_BY: MANAGER},
    }
    if existing is not None:
        metadata = {
            **existing["metadata"],
            "labels": {**(existing["metadata"].get("labels") or {}), LABEL_MANAGED_BY: MANAGER},
        }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": dict(_data(identity, champion)),
    }


def read(config_map: Mapping[str, Any]) -> Champion:
    """The champion that a ConfigMap names.

    Raises:
        ContractError: it was edited by hand into something else.
    """
    text = (config_map.get("data") or {}).get(_JSON, "")
    try:
        document = json.loads(text[: MOST_CHARACTERS + 1])
    except (ValueError, RecursionError):
        msg = f"{_JSON}: not JSON"
        raise ContractError(msg) from None
    return champion_in(Fields(document, _JSON))


@lru_cache(maxsize=64)
def _data(identity: Identity, champion: Champion) -> Mapping[str, str]:
    """Asked for several times in a pass."""
    document = {
        **champion_out(champion),
        "resource": {"namespace": identity.namespace, "name": identity.name},
    }
    return MappingProxyType(
        {
            "storageUri": champion.storage_uri,
            "version": str(champion.version),
            "digest": champion.digest,
            _JSON: json.dumps(document, sort_keys=True),
        }
    )
