"""Text that somebody else wrote, fit for a condition, an Event or a line of the log.

Servers, libraries, containers and users write what they like: an address with a password in it, a
token in a query, characters that move the cursor or turn the line round. One function for all of
it, called where such text comes in.
"""

import re
import unicodedata
from typing import Final

MOST_CHARACTERS: Final = 300

_ADDRESS: Final = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]{1,20})://([^\s<>]*)")
_CUT_ADDRESS: Final = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]{1,20})://[^\s<>]*\Z")
_PLACES: Final = frozenset({"pvc", "s3", "hf", "file"})
"""Schemes of our own: a path is what such an address is about."""
_HOST: Final = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(:[0-9]*)?")
_CREDENTIAL: Final = re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{12,}", re.IGNORECASE)
_ENDS: Final = "'\"`.,:;)]}"
"""What follows an address in a sentence."""
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode's categories of what has no shape, or shapes its surroundings."""


def plain(text: str, most: int = MOST_CHARACTERS) -> str:
    """One line of at most ``most`` characters, all of them seen, without credentials.

    Of an address remain scheme, host and port; of a place of ours also the path.
    """
    seen = "".join(map(_seen, _begun(text, 8 * most + 1000)))
    line = " ".join(_CREDENTIAL.sub(r"\1 …", _ADDRESS.sub(_shortened, seen)).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def printable(text: str) -> str:
    """Nothing of it may steer a terminal; what cannot be seen is a question mark."""
    return "".join(character if character.isprintable() else "?" for character in text)


def address(url: str) -> str:
    """Scheme, host and port of an address; empty where it is none."""
    found = _ADDRESS.match(plain(url))
    return f"{found[1]}://{_host(found[2])}".rstrip("/…") if found else ""


def _begun(text: str, most: int) -> str:
    """The beginning of a text, which may end within an address, even within its password."""
    begun = text[:most]
    return begun if len(text) <= most else _CUT_ADDRESS.sub(r"\1://…", begun)


def _seen(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    return " " if unicodedata.category(character) in _UNSEEN else character


def _shortened(found: re.Match[str]) -> str:
    scheme, rest = found.groups()
    rest = rest.rstrip(_ENDS)
    end = found[2][len(rest) :]
    host = _host(rest)
    if scheme.lower() in _PLACES:
        path = re.split("[?#]", rest.rpartition("@")[2])[0][len(host) :]
        return f"{scheme}://{host}{path}{end}"
    left_out = "/…" if re.search(r"[/?#].", rest.rpartition("@")[2]) else ""
    return f"{scheme}://{host}{left_out}{end}"


def _host(rest: str) -> str:
    """Host and port; whatever stands before the last ``@``, or is neither, may be a password."""
    host = re.split("[/?#]", rest.rpartition("@")[2])[0]
    return host if _HOST.fullmatch(host) else "…"
