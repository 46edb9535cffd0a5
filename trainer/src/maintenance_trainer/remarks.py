"""What is worth telling of rows that were read all the same: where it was first, and how often."""

from typing import Final

_MOST_CHARACTERS: Final = 300


class Remarks:
    """Collected while files are read; the same files always give the same remarks."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, int]] = {}

    def note(self, what: str, where: str) -> None:
        """One more row (or file) of which this is to be told; ``where`` names it."""
        first, count = self._found.get(what, (where, 0))
        self._found[what] = (first, count + 1)

    @property
    def sentences(self) -> tuple[str, ...]:
        """One for each kind, with its first place and, beyond one, how many there are."""
        return tuple(
            f"{where}: {what}{f' ({count:,} in all)' if count > 1 else ''}."[:_MOST_CHARACTERS]
            for what, (where, count) in self._found.items()
        )
