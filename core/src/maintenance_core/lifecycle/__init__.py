"""From what is seen of a resource to the one next effect."""
