"""A page of SVG: boxes, lines and text, for light and dark, with nothing from outside.

Text stays text, so that it can be read aloud, searched and selected. Whatever is written is
escaped; characters that XML or a reader could stumble over are replaced.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

WIDTH: Final = 960
LINE: Final = 18
"""Pixels from one line of small text to the next."""
_MARGIN: Final = 24
_NARROW: Final = frozenset("iljtfrI.,:;|!'()[]/ ")
_BROAD: Final = frozenset("mwMW@%…—")
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

_STYLE: Final = """\
text{font-family:Helvetica,Arial,'Liberation Sans','DejaVu Sans','Noto Sans',sans-serif;
font-size:13px;fill:#334155}
.page{fill:#ffffff}
.title{font-size:18px;font-weight:bold;fill:#0f172a}
.strong{font-size:14px;font-weight:bold;fill:#0f172a}
.reason{font-size:12px;font-weight:bold;fill:#0f172a}
.small{font-size:12px}
.faint{fill:#64748b}
.tiny{font-size:11px;fill:#64748b}
.middle{text-anchor:middle}
.end{text-anchor:end}
.box{fill:#f8fafc;stroke:#cbd5e1;stroke-width:1.2}
.off{fill:#ffffff;stroke:#cbd5e1;stroke-width:1.2;stroke-dasharray:4 4}
.lit{fill:#eff6ff;stroke:#2563eb;stroke-width:2.4}
.good{fill:#f0fdf4;stroke:#16a34a;stroke-width:2.4}
.grave{fill:#fff7ed;stroke:#ea580c;stroke-width:2.4}
.care{fill:#fefce8;stroke:#ca8a04;stroke-width:2.4}
.bad{fill:#fef2f2;stroke:#dc2626;stroke-width:2.4}
.edge{fill:none;stroke:#cbd5e1;stroke-width:1.4}
.path{fill:none;stroke:#2563eb;stroke-width:3}
.curve{fill:none;stroke:#2563eb;stroke-width:1.8}
.bound{fill:none;stroke:#dc2626;stroke-width:1.4;stroke-dasharray:6 4}
.mark{fill:none;stroke:#64748b;stroke-width:1.2;stroke-dasharray:2 3}
.span{fill:#fed7aa;fill-opacity:0.5}
.head{fill:#cbd5e1}
.pathhead{fill:#2563eb}
.dot{fill:#2563eb}
.baddot{fill:#dc2626}
@media (prefers-color-scheme:dark){
text{fill:#cbd5e1}
.page{fill:#0f172a}
.title,.strong,.reason{fill:#f8fafc}
.faint,.tiny{fill:#94a3b8}
.box{fill:#1e293b;stroke:#475569}
.off{fill:#0f172a;stroke:#475569}
.lit{fill:#172554;stroke:#60a5fa}
.good{fill:#052e16;stroke:#4ade80}
.grave{fill:#431407;stroke:#fb923c}
.care{fill:#422006;stroke:#facc15}
.bad{fill:#450a0a;stroke:#f87171}
.edge{stroke:#475569}
.path,.curve{stroke:#60a5fa}
.bound{stroke:#f87171}
.mark{stroke:#94a3b8}
.span{fill:#9a3412}
.head{fill:#475569}
.pathhead,.dot{fill:#60a5fa}
.baddot{fill:#f87171}
}
"""


@dataclass(frozen=True, slots=True)
class Drawing:
    """Marks for a strip of the page, ``height`` pixels high, and what they say in words."""

    marks: tuple[str, ...]
    height: int
    told: str


def document(title: str, drawings: Sequence[Drawing]) -> str:
    """The drawings, one below the other, as one SVG."""
    strips, top = [], _MARGIN
    for drawing in drawings:
        strips.append(f'<g transform="translate(0 {top})">')
        strips += drawing.marks
        strips.append("</g>")
        top += drawing.height + _MARGIN
    described = " ".join(drawing.told for drawing in drawings)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}"',
            f'width="{WIDTH}" height="{top}" role="img" aria-labelledby="title desc">',
            f'<title id="title">{escape(plain(title))}</title>',
            f'<desc id="desc">{escape(plain(described))}</desc>',
            f"<style>\n{_STYLE}</style>",
            "<defs>",
            _head("arrow", "head"),
            _head("patharrow", "pathhead"),
            "</defs>",
            f'<rect class="page" width="{WIDTH}" height="{top}"/>',
            *strips,
            "</svg>",
            "",
        ]
    )


def _head(name: str, kind: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" '
        f'markerHeight="9" markerUnits="userSpaceOnUse" orient="auto">'
        f'<path class="{kind}" d="M0 0L10 5L0 10z"/></marker>'
    )


def text(x: float, y: float, words: str, kind: str = "") -> str:
    """A line of text; ``kind``: classes of the style."""
    return f'<text{_kind(kind)} x="{_n(x)}" y="{_n(y)}">{escape(plain(words))}</text>'


def box(x: float, y: float, width: float, height: float, kind: str) -> str:
    """A rectangle with round corners."""
    return (
        f'<rect{_kind(kind)} x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" '
        f'height="{_n(height)}" rx="8"/>'
    )


def line(points: Iterable[tuple[float, float]], kind: str, *, arrow: bool = False) -> str:
    """A line from point to point."""
    way = "L".join(f"{_n(x)} {_n(y)}" for x, y in points)
    head = {"path": "patharrow"}.get(kind, "arrow")
    end = f' marker-end="url(#{head})"' if arrow else ""
    return f'<path{_kind(kind)} d="M{way}"{end}/>'


def circle(x: float, y: float, radius: float, kind: str) -> str:
    """A dot."""
    return f'<circle{_kind(kind)} cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}"/>'


def plain(words: str) -> str:
    """One line of characters that can be seen; others become U+FFFD."""
    return "".join(
        "\ufffd" if unicodedata.category(character) in _UNSEEN else character
        for character in " ".join(words.split())
    )


def width(words: str, size: float) -> float:
    """About how wide a text is at that size, in pixels; rather too wide than too narrow."""
    return size * sum(map(_em, words))


def fitted(words: str, room: float, size: float) -> str:
    """The text, cut at its end until it fits."""
    words = plain(words)
    if width(words, size) <= room:
        return words
    used, kept = size, []
    for character in words:
        used += size * _em(character)
        if used > room:
            break
        kept.append(character)
    return "".join(kept).rstrip() + "…"


def wrapped(words: str, room: float, size: float, most: int) -> list[str]:
    """At most so many lines; what does not fit is cut."""
    lines: list[str] = []
    left = plain(words).split(" ")
    while left and left[0]:
        if len(lines) == most - 1:
            return [*lines, fitted(" ".join(left), room, size)]
        count = 1
        while count < len(left) and width(" ".join(left[: count + 1]), size) <= room:
            count += 1
        lines.append(fitted(" ".join(left[:count]), room, size))
        left = left[count:]
    return lines


def _em(character: str) -> float:
    if character in _NARROW:
        return 0.36
    if unicodedata.east_asian_width(character) in {"W", "F"}:
        return 1.05
    if character in _BROAD:
        return 1.1
    if character.isupper():
        return 0.8
    return 0.66


def _kind(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
