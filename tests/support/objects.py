"""Resources for tests."""

from typing import Any


def resource(
    name: str = "news", *, query: str = "model_accuracy", **changes: Any
) -> dict[str, Any]:
    """A ModelMaintenance that reacts within seconds; ``changes`` replace parts of its spec."""
    spec: dict[str, Any] = {
        "model": {
            "task": "TextClassification",
            "baseModel": {"storageUri": "pvc://models/base/encoder"},
            "storage": {"storageUri": f"pvc://models/{name}"},
        },
        "data": {
            "original": {"storageUri": "pvc://data/news/original"},
            "updates": {"storageUri": "pvc://data/news/updates"},
        },
        "metrics": {
            "interval": "5s",
            "performance": {
                "query": query,
                "thresholdRange": {"min": 0.9},
                "breach": {"count": 1, "of": 1},
            },
        },
        "training": {"resources": {"requests": {"cpu": "1"}}},
    }
    return {
        "apiVersion": "modelmaintenance.dev/v1alpha1",
        "kind": "ModelMaintenance",
        "metadata": {"name": name},
        "spec": {**spec, **changes},
    }
