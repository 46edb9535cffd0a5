"""Resources as the API server sends them, for what shows them to people."""

from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2026, 11, 23, 18, 0, 30, tzinfo=UTC)
LONGEST_NAME = "n" * 253
SPEC: dict[str, Any] = {
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
            "match": {},
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


def ago(**span: float) -> str:
    """A Kubernetes time so long before NOW."""
    return (NOW - timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(kind: str, status: str, reason: str, message: str = "Said so.") -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": 1,
        "lastTransitionTime": ago(minutes=20),
    }


FOLLOWED = condition("Ready", "True", "Watching")
READ = condition("MetricsAvailable", "True", "Reading")
DOWN = condition("Degraded", "True", "BelowThreshold")
FINE = condition("Degraded", "False", "WithinRange")
IDLE = condition("Training", "False", "Idle")

CHAMPION = {
    "version": 6,
    "storageUri": "pvc://models/news/versions/6",
    "digest": "sha256:66",
    "promotedTime": ago(days=12),
    "action": "Retrain",
}
PERFORMANCE = {"value": "0.87", "samples": 1250, "observedTime": ago(minutes=20)}
DECISION: dict[str, Any] = {
    "number": 7,
    "trigger": "PerformanceDrop",
    "action": "FineTune",
    "reason": "DomainExpansion",
    "message": "Accuracy 0.87 was below 0.9 in 3 of 5 readings (1250 samples).",
    "path": [
        {
            "question": "PerformanceDrop",
            "answer": "Yes",
            "evidence": [{"name": "accuracy", "value": "0.87", "threshold": "0.9", "n": 1250}],
        },
        {"question": "ConceptDrift", "answer": "No", "evidence": []},
    ],
    "rejected": [{"action": "Retrain", "because": "No question is answered Major."}],
    "time": ago(minutes=16),
}
RUN: dict[str, Any] = {
    "number": 7,
    "trigger": "PerformanceDrop",
    "step": "Train",
    "action": "FineTune",
    "startTime": ago(minutes=19),
    "trainStartTime": ago(minutes=16),
    "jobName": "news-1a2b3c-7-train",
    "jobUID": "4-5-6",
    "championVersion": 6,
    "championDigest": "sha256:66",
    "spec": SPEC,
}


def entry(number: int = 6, **changes: Any) -> dict[str, Any]:
    """A run that was promoted 12 days ago."""
    return {
        "number": number,
        "trigger": "PerformanceDrop",
        "action": "Retrain",
        "reason": "ChallengerWins",
        "outcome": "Promoted",
        "message": "Better: 94% right, the champion 88%.",
        "startTime": ago(days=12, hours=1),
        "endTime": ago(days=12),
        "championVersion": 5,
        "championDigest": "sha256:55",
        "dataDigest": "sha256:da7a",
        "version": 6,
        "trained": True,
        "trainSeconds": 1234,
        "scores": {
            "new": {"n": 300, "champion": "0.8800", "challenger": "0.9400"},
            "old": {"n": 2000, "champion": "0.9200", "challenger": "0.9300"},
        },
        **changes,
    }


def body(
    *conditions: dict[str, Any], spec: dict[str, Any] | None = None, **status: Any
) -> dict[str, Any]:
    """A resource that an operator has looked at; ``name`` may be given."""
    name = status.pop("name", "news")
    return {
        "metadata": {
            "namespace": "finance",
            "name": name,
            "uid": "1a2b3c4d-0000",
            "generation": 1,
            "creationTimestamp": ago(days=20),
        },
        "spec": SPEC if spec is None else spec,
        "status": {"observedGeneration": 1, "conditions": list(conditions), **status},
    }
