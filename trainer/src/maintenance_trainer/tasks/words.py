"""How many words texts have, in scripts with and without blanks between them.

Chinese, Japanese, Thai, Lao, Khmer, Burmese and Tibetan part their words by no blanks: by blanks a
sentence is one word, and tokens a word would tell how long sentences are. There each letter counts.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_WITHOUT_BLANKS: Final = re.compile(
    "["
    "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"  # Han
    "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9d"  # Kana
    "\u3105-\u312f"  # Bopomofo
    "\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46"  # Thai
    "\u0e81-\u0eb0\u0eb2\u0eb3\u0ebd-\u0ec6\u0edc-\u0edf"  # Lao
    "\u1780-\u17b3"  # Khmer
    "\u1000-\u102a\u103f\u1050-\u1055\u105a-\u105d\u1061\u1065\u1066\u106e-\u1070\u1075-\u1081"
    "\uaa60-\uaa76\uaa7a"  # Burmese
    "\u0f00\u0f40-\u0f6c"  # Tibetan
    "]"
)
_OTHERS: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Words:
    """Of n texts, summed.

    ``parted``: what stands between blanks. ``letters``: those of scripts without blanks. ``all``:
    these and the words of other scripts.
    """

    parted: int
    letters: int
    all: int

    @property
    def without_blanks(self) -> bool:
        """Whether most are of scripts without blanks."""
        return 2 * self.letters > self.all


def count(texts: Iterable[str]) -> Words:
    """The words of texts."""
    parted = letters = every = 0
    for text in texts:
        pieces = text.split()
        parted += len(pieces)
        if text.isascii() or not _WITHOUT_BLANKS.search(text):
            every += len(pieces)
            continue
        for piece in pieces:
            others, its = _WITHOUT_BLANKS.subn(" ", piece)
            letters += its
            every += its + len(_OTHERS.findall(others)) if its else 1
    return Words(parted, letters, every)


def change_of_tokens(old: tuple[int, Words], new: tuple[int, Words]) -> float:
    """Tokens a word of new texts over those of old ones, both summed; 1 where either has none.

    By blanks, where only one of both is written without them: another script is to be seen.
    """
    by_blanks = old[1].without_blanks is not new[1].without_blanks
    before, after = (
        tokens / max(1, words.parted if by_blanks else words.all) for tokens, words in (old, new)
    )
    return after / before if before and after else 1.0
