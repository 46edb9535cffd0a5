"""Names that Kubernetes objects carry: the API, and the labels and annotations of children."""

from typing import Final

GROUP: Final = "modelmaintenance.dev"
VERSION: Final = "v1alpha1"
KIND: Final = "ModelMaintenance"
PLURAL: Final = "modelmaintenances"

LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGER: Final = "model-maintenance"
LABEL_UID: Final = f"{GROUP}/uid"
LABEL_RUN: Final = f"{GROUP}/run"
LABEL_STEP: Final = f"{GROUP}/step"
ANNOTATION_BREAKER_RESET: Final = f"{GROUP}/breaker-reset"
"""On a resource: failed and rejected runs that ended before this time are forgiven."""
ANNOTATION_RESOURCE: Final = f"{GROUP}/resource"
ANNOTATION_REQUEST: Final = f"{GROUP}/request"
ANNOTATION_DECISION: Final = f"{GROUP}/decision"
ANNOTATION_DIGEST: Final = f"{GROUP}/request-digest"

CONTAINER: Final = "trainer"
CHAMPION_SUFFIX: Final = "-champion"
"""The ConfigMap that names the champion is ``<name>-champion``."""
