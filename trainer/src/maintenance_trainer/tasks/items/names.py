"""Names of items, each once in memory: a million interactions hold numbers, not texts."""

import hashlib
from array import array
from typing import Final

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int32]


class Names:
    """Numbers of texts, in the order in which they were met. A number means nothing elsewhere."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._texts: list[str] = []
        self._marks = array("Q")

    def __len__(self) -> int:
        return len(self._texts)

    def number(self, text: str) -> int:
        """That of a text, which is kept from now on."""
        found = self._numbers.get(text)
        if found is None:
            found = self._numbers[text] = len(self._texts)
            self._texts.append(text)
            mark = hashlib.sha256(text.encode("utf-8", "replace")).digest()[:8]
            self._marks.append(int.from_bytes(mark, "little"))
        return found

    def text(self, number: int) -> str:
        """The text of a number."""
        return self._texts[number]

    def known(self, text: str) -> int | None:
        """Its number, if it has been met."""
        return self._numbers.get(text)

    @property
    def marks(self) -> NDArray[np.uint64]:
        """(n,) of each text eight bytes of its hash, which are the same in every process."""
        return np.array(self._marks, np.uint64)


ITEMS: Final = Names()
"""Of all files of this process."""
