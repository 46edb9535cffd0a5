"""JSON that others wrote, no deeper than what is read of it can be.

Parsers end at some depth, each at its own, and a list of all resources ends with the one that is
too deep. The API server takes ten thousand levels in a free-form field. So what lies deeper than
any document of ours is left out here, and whoever reads the rest refuses it, for that one resource.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson

MOST_DEPTH: Final = 64
FEW_BRACKETS: Final = 200
"""With so few no document is too deep for anything that reads or writes it here."""

_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)
_OPEN: Final = frozenset({b"[", b"{"})
_CLOSE: Final = frozenset({b"]", b"}"})


async def read(data: bytes | bytearray) -> Any:
    """A document; what is nested too deep in it is null.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        return _read(data)
    except RecursionError:
        return orjson.loads(await asyncio.to_thread(cut, bytes(data)))


async def lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines of a stream, each a document that any parser can read."""
    rest: list[bytes] = []
    async for chunk in chunks:
        *ended, last = chunk.split(b"\n")
        for end in ended:
            line = b"".join([*rest, end])
            rest.clear()
            yield await _shallow(line)
        rest.append(last)
    if any(rest):
        yield await _shallow(b"".join(rest))


async def _shallow(line: bytes) -> bytes:
    try:
        _read(line)
    except RecursionError:
        return await asyncio.to_thread(cut, line)
    except ValueError:
        return line
    return line


def _read(data: bytes | bytearray) -> Any:
    """A document; RecursionError where it is too deep."""
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        # There is no other word for it than its message's; cutting finds out.
        if _few_brackets(data):
            raise
        raise RecursionError from None
    if not _few_brackets(data):
        try:
            orjson.dumps(document)  # its bound is the narrowest of all
        except TypeError:
            raise RecursionError from None
    return document


def _few_brackets(data: bytes | bytearray) -> bool:
    return data.count(b"{") + data.count(b"[") <= FEW_BRACKETS


def cut(data: bytes, depth: int = MOST_DEPTH) -> bytes:
    """A document without what is nested deeper than ``depth``: null stands there."""
    kept: list[bytes] = []
    level = since = 0
    for found in _TOKEN.finditer(data):
        token = found.group()
        if token in _OPEN:
            level += 1
            if level == depth + 1:
                kept.append(data[since : found.start()])
                kept.append(b"null")
        elif token in _CLOSE:
            level -= 1
            if level == depth:
                since = found.end()
    if level <= depth:
        kept.append(data[since:])
    return b"".join(kept)
