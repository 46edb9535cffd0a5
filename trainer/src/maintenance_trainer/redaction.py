"""What leaves the process as text (log, report) names what failed, and carries no secret.

Errors of libraries quote URLs with passwords, signatures and tokens in them, and what they were
given. So texts are redacted where they leave, not where they are made: see ``redacted``.
"""

import io
import re
import sys
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO
from urllib.parse import quote, quote_plus, urlsplit

from maintenance_contract.storage import SCHEMES

HIDDEN: Final = "***"
CUT: Final = "…"
LEAST_SECRET: Final = 6
"""Characters; what is shorter is found in any text."""
LEAST_SECRET_PATH: Final = 12
"""Of an address' path, which often is a plain word."""
MOST_SECRET_BYTES: Final = 2**20
MOST_LINE: Final = 2**16
"""Characters that are held back until their line ends: a secret may come in two pieces."""

_URL: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?:\\?/){2}(?P<rest>[^\s\"'<>`]*)")
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+)?(:[0-9]{1,5})?")
_USERINFO: Final = re.compile(r"[^\s/@:\"'<>=]+:[^\s/@\"'<>]*@(?=[\w\[])")
_RELATIVE: Final = re.compile(r"(?i)(\burl:? )/\S*|(?<=[\w/])\?[\w.%~-]+=[^\s\"'<>)]*")
_CREDENTIALS: Final = re.compile(
    r"\b(Bearer |Basic |bearer |(?i:password|passwd|secret|token|api_?key|signature)=)"
    r"[^\s\"'&,;)]{6,}"
)
_TOKEN: Final = re.compile(r"\bhf_[A-Za-z0-9]{16,}|\b(?:AKIA|ASIA)[A-Z0-9]{12,}")
_BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_ENDS: Final = ".,:;!)"

_known: set[str] = set()
_lock = threading.RLock()
_pattern: list[re.Pattern[str]] = []


def redacted(text: str) -> str:
    """The text without secrets, on one line of visible characters.

    Of a URL scheme, host and port are left (of a storage URI all of it); the values of mounted
    Secrets, what stands before an @ and what follows a ``Bearer`` are hidden.
    """
    return visible(" ".join(_without_secrets(text).splitlines()))


def visible(text: str, keep: str = "") -> str:
    """Control characters, those that turn the direction of writing, and half characters spelled."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        repr(each)[1:-1] if each not in keep and _unseen(each) else each for each in text
    )


def learn(values: Iterable[str], public: str = "") -> None:
    """Hide these from now on, but for what ``public`` says anyway."""
    with _lock:
        for value in values:
            for part in {value, value.strip(), *value.split("\n")}:
                said = part.strip()
                if len(said) >= LEAST_SECRET and said not in public:
                    spelled = {
                        quote(said),
                        quote(said, safe=""),
                        quote_plus(said),
                        repr(said)[1:-1],
                    }
                    _known.update({said, *spelled})
        forms = sorted(_known, key=len, reverse=True)
        _pattern[:] = [re.compile("|".join(map(re.escape, forms)))] if forms else []


def learn_mounted(secrets_root: str, public: str = "") -> None:
    """Hide what the mounted Secrets hold, whether or not the trainer reads it.

    Of an address the host is no secret: who reads that it does not answer must know which.
    """
    for path in sorted(Path(secrets_root).glob("*/*")):
        try:
            if path.name.startswith(".") or path.stat().st_size > MOST_SECRET_BYTES:
                continue
            value = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if path.name != "AWS_REGION":
            learn(_parts_of_address(value.strip()) or [value], public)


def _parts_of_address(value: str) -> list[str]:
    """Of a URL what must not be said; nothing where it is none."""
    try:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            return []
    except ValueError:
        return []
    path = parts.path if len(parts.path) >= LEAST_SECRET_PATH else ""
    return [value, parts.username or "", parts.password or "", path, parts.query]


def _without_secrets(text: str) -> str:
    with _lock:
        for pattern in _pattern:
            text = pattern.sub(_hidden, text)
    text = _URL.sub(_address, text)
    text = _USERINFO.sub(f"{HIDDEN}@", text)
    text = _RELATIVE.sub(lambda match: f"{match[1] or '?'}{CUT}", text)
    text = _CREDENTIALS.sub(lambda match: f"{match[1]}{HIDDEN}", text)
    return _TOKEN.sub(HIDDEN, text)


def _hidden(match: re.Match[str]) -> str:
    """A whole address that is known keeps its host, as any other."""
    return match[0] if _URL.match(match[0]) else HIDDEN


def _address(match: re.Match[str]) -> str:
    scheme, rest = match["scheme"], match["rest"].replace("\\/", "/")
    end = rest[len(rest.rstrip(_ENDS)) :]
    rest = rest.removesuffix(end) if end else rest
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    after = rest[len(authority) :]
    host = authority.rpartition("@")[2]
    if scheme.lower() in SCHEMES:
        return f"{scheme}://{HIDDEN + '@' if '@' in authority else ''}{host}{after}{end}"
    if "@" in after or _HOST.fullmatch(host) is None:
        return f"{scheme}://{CUT}{end}"  # where the host begins is not certain
    return f"{scheme}://{host}{end}"


def _unseen(character: str) -> bool:
    return unicodedata.category(character) in _INVISIBLE or character in _BIDI


class RedactedStream(io.TextIOBase):
    """A text stream that is written line by line, each redacted."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._line = ""

    def write(self, text: str) -> int:
        """Take the text; what has no end of line yet waits for it."""
        with _lock:
            *lines, self._line = (self._line + text).split("\n")
            if len(self._line) > MOST_LINE:
                lines, self._line = [*lines, self._line], ""
            for line in lines:
                self._put(line + "\n")
        return len(text)

    def flush(self) -> None:
        """Hand on what was written; not a line that has no end yet."""
        self._stream.flush()

    def finish(self) -> None:
        """Hand on the rest."""
        with _lock:
            if self._line:
                self._put(self._line)
            self._line = ""
        self._stream.flush()

    def fileno(self) -> int:
        """The one of the stream behind."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Whether a person watches."""
        return self._stream.isatty()

    def writable(self) -> bool:
        """It is."""
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has an attribute
        """The one of the stream behind."""
        return self._stream.encoding

    def _put(self, line: str) -> None:
        text = visible(_without_secrets(line), keep="\n\t")
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


@contextmanager
def redacted_streams() -> Iterator[None]:
    """As long as the block lasts, whatever Python writes to stdout and stderr is redacted."""
    before = sys.stdout, sys.stderr
    out, err = RedactedStream(before[0]), RedactedStream(before[1])
    sys.stdout, sys.stderr = out, err
    try:
        yield
    finally:
        out.finish()
        err.finish()
        sys.stdout, sys.stderr = before
