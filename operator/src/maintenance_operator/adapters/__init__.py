"""The only I/O: Prometheus and the cluster."""
