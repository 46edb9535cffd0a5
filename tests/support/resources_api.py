"""ModelMaintenances on a real API server, with strict field validation, kubectl's default."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kubernetes import client, config

GROUP, VERSION, PLURAL = "modelmaintenance.dev", "v1alpha1", "modelmaintenances"
NAMESPACE = "default"


class Refused(Exception):
    """The API server's no: ``causes`` as (field, message); a document it cannot read has none."""

    def __init__(self, error: client.ApiException) -> None:
        body = json.loads(error.body)
        super().__init__(body["message"])
        self.code = body["code"]
        self.causes = [
            (cause.get("field", ""), cause["message"])
            for cause in body.get("details", {}).get("causes", [])
        ]


class Resources:
    """Create, read, replace; every refusal is a ``Refused``."""

    def __init__(self, kubeconfig: Path) -> None:
        self._client = config.new_client_from_config(str(kubeconfig))
        self._api = client.CustomObjectsApi(self._client)

    def close(self) -> None:
        self._client.close()

    def create(self, body: Mapping[str, Any], *, keep: bool = False) -> dict[str, Any]:
        """By default only as a dry run: everything but the storing happens."""
        options = {} if keep else {"dry_run": "All"}
        return self._call(
            self._api.create_namespaced_custom_object,
            GROUP,
            VERSION,
            NAMESPACE,
            PLURAL,
            body,
            field_validation="Strict",
            **options,
        )

    def replace(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._call(
            self._api.replace_namespaced_custom_object,
            GROUP,
            VERSION,
            NAMESPACE,
            PLURAL,
            body["metadata"]["name"],
            body,
            field_validation="Strict",
        )

    def replace_status(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._call(
            self._api.replace_namespaced_custom_object_status,
            GROUP,
            VERSION,
            NAMESPACE,
            PLURAL,
            body["metadata"]["name"],
            body,
            field_validation="Strict",
        )

    def get(self, name: str) -> dict[str, Any]:
        return self._call(
            self._api.get_namespaced_custom_object, GROUP, VERSION, NAMESPACE, PLURAL, name
        )

    def delete(self, name: str) -> None:
        self._call(
            self._api.delete_namespaced_custom_object, GROUP, VERSION, NAMESPACE, PLURAL, name
        )

    @staticmethod
    def _call(operation: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return operation(*arguments, **options)
        except client.ApiException as error:
            raise Refused(error) from None


def changed(body: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with fields of the spec set, by their dotted paths; ``...`` takes one away."""
    result = copy.deepcopy(dict(body))
    for path, value in fields.items():
        *parents, last = path.split(".")
        place = result["spec"]
        for parent in parents:
            place = place.setdefault(parent, {})
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return result
