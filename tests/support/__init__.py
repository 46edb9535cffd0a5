"""Real parts for tests: a control plane, a Prometheus, the operator's process; and pods' ends."""
