"""What needs no model: how often each piece of text was answered, whatever is asked.

Pieces are words with the blank before them, marks and blanks. A piece that was never answered is
spelled out by how often each character was; the chance of such a piece is that of Good and Turing.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

_PIECES: Final = re.compile(r" ?[^\W\d_]+| ?\d| ?[^\s\w]+|_+|\s+")
_END: Final = "\0"
_CHARACTERS: Final = 1_114_112
"""That Unicode has: one of them is left for whatever was never seen."""


def bytes_of(answer: str) -> int:
    """Of an answer and its end, which is to be learnt as well."""
    return len(answer.encode("utf-8", "surrogatepass")) + 1


class Unigram:
    """Frequencies of pieces in n answers."""

    def __init__(self, answers: Sequence[str]) -> None:
        pieces = Counter(piece for answer in answers for piece in (*_pieces(answer), _END))
        characters = Counter(each for piece in pieces for each in (*piece, _END))
        once = sum(count == 1 for count in pieces.values())
        total, spelled = sum(pieces.values()), sum(characters.values()) + 1
        self._new = min(0.9, max(once, 1) / max(total, 1))
        self._pieces = {p: (1 - self._new) * count / total for p, count in pieces.items()}
        self._characters = {c: count / spelled for c, count in characters.items()}
        self._unseen = 1 / spelled / _CHARACTERS

    def bits_per_byte(self, answers: Sequence[str]) -> NDArray[np.float64]:
        """(n,) the cross-entropy of n answers."""
        return np.array([self._bits(answer) / bytes_of(answer) for answer in answers], float)

    def _bits(self, answer: str) -> float:
        return -sum(map(self._log, (*_pieces(answer), _END)))

    def _log(self, piece: str) -> float:
        known = self._pieces.get(piece)
        if known is not None:
            return math.log2(known)
        spelled = sum(math.log2(self._characters.get(c, self._unseen)) for c in (*piece, _END))
        return math.log2(self._new) + spelled


def _pieces(answer: str) -> list[str]:
    return _PIECES.findall(answer)
