"""What is worth telling of rows that were read all the same: where it was first, and how often."""

from typing import Final

from maintenance_contract import LeftOutFile

_MOST_CHARACTERS: Final = 300


class Remarks:
    """Collected while files are read; the same files always give the same remarks."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, int]] = {}
        self._left_out: list[LeftOutFile] = []

    def note(self, what: str, where: str, count: int = 1) -> None:
        """So many more rows (or files) of which this is to be told; ``where`` names the first."""
        first, before = self._found.get(what, (where, 0))
        self._found[what] = (first, before + count)

    def leave_out(self, name: str, why: str) -> None:
        """A row that cannot be read and is left out; ``name`` is its file's, or says its place."""
        self._left_out.append(LeftOutFile(name, why))

    @property
    def left_out(self) -> tuple[LeftOutFile, ...]:
        """All rows that were left out, in the order of the files."""
        return tuple(self._left_out)

    @property
    def sentences(self) -> tuple[str, ...]:
        """One for each kind, with its first place and, beyond one, how many there are."""
        return tuple(
            f"{where}: {what}{f' ({count:,} in all)' if count > 1 else ''}."[:_MOST_CHARACTERS]
            for what, (where, count) in self._found.items()
        )
