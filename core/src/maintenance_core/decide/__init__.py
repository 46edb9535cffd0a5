"""From a diagnosis to an action, and from two scores to a verdict."""
