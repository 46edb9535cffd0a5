"""A spec with nothing special about it, by the article's flow; what is special is changed."""

from collections.abc import Mapping
from typing import Any


def plain_spec(**changes: Any) -> dict[str, Any]:
    """``spec`` as the API server holds it; each of ``changes`` replaces a part or is merged in."""
    spec: dict[str, Any] = {
        "model": {
            "task": "TextClassification",
            "baseModel": {"storageUri": "pvc://models/base"},
            "storage": {"storageUri": "pvc://models/news"},
        },
        "data": {
            "original": {"storageUri": "pvc://data/original"},
            "updates": {"storageUri": "pvc://data/updates"},
        },
        "metrics": {
            "server": "default",
            "interval": "5m",
            "performance": {
                "query": "model_accuracy",
                "thresholdRange": {"min": 0.9},
                "breach": {"count": 3, "of": 5},
            },
        },
        "decision": {"policy": "Workflow", "minNewRows": 300, "recheckAfter": "1h"},
        "training": {
            "fineTune": {"replayPercent": 50},
            "retrain": {},
            "resources": {},
            "timeout": "4h",
            "retries": 1,
        },
        "gate": {
            "minImprovement": 0,
            "confidence": 0.95,
            "oldData": {"maxLoss": 0.02, "onConceptDrift": "ReportOnly"},
        },
        "limits": {"cooldown": "6h", "runs": {"max": 4, "per": "168h"}},
    }
    return merged(spec, changes)


def merged(document: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``document`` with the changes of a merge patch; None takes a part away (RFC 7386)."""
    result = dict(document)
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(result.get(name), Mapping):
            result[name] = merged(result[name], value)
        else:
            result[name] = value
    return result
