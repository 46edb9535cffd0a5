"""What the demo and the end-to-end tests share: a cluster, an example in it, eyes on it."""
