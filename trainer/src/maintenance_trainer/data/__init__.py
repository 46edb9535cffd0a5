"""Labelled rows: which files, how they are read, how they are split."""
