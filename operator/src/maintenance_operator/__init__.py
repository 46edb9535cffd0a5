"""The operator of Model Maintenance for Kubernetes: it keeps deployed models good."""

__version__ = "0.1.0"
