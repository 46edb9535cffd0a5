"""Where versions and runs are kept, and what they remember."""
