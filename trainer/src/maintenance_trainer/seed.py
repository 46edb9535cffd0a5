"""The seed of every sample and every training; it is part of the snapshot."""

from typing import Final

SEED: Final = 42
