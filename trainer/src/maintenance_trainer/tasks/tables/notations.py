"""Numbers and dates as people and programs write them somewhere, and as nobody writes a category.

Which number or date is meant is not sure, or not read: they are texts, and a column of them is a
mistake.
"""

import re
from typing import Final

_GROUPED: Final = (
    r"[0-9]+,[0-9]+"
    r"|[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?"
    r"|[0-9]{1,3}(?:[. '\u2019\u00a0\u202f][0-9]{3})+,[0-9]+"
    r"|[0-9]{1,3}(?:['\u2019\u00a0\u202f][0-9]{3})+(?:\.[0-9]+)?"
)
"""With a decimal comma, or with marks between thousands; ``10 001`` may be a code."""
_AMOUNT: Final = rf"(?:{_GROUPED}|[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_CURRENCY: Final = "[$\u20ac\u00a3\u00a5]"
_DAY: Final = r"(?:0?[1-9]|[12][0-9]|3[01])"
_MONTH_IN_DIGITS: Final = r"(?:0?[1-9]|1[0-2])"
_YEAR: Final = r"(?:19|20)[0-9]{2}"
_MONTHS: Final = frozenset(
    {
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        "mär", "mrz", "mai", "okt", "dez", "fév", "avr", "jui", "aoû", "déc", "ene", "abr", "ago",
        "dic", "gen", "mag", "giu", "lug", "set", "ott", "mrt", "mei", "fev", "out",
    }
)  # fmt: skip
"""Their first letters, also in some other languages: databases write those of their users."""
_NAME: Final = rf"(?:{'|'.join(sorted(_MONTHS))})[^\W\d_]{{0,7}}\.?"
_TIME: Final = r"(?:[ T,:].*)?"
_NOTATION: Final = re.compile(
    rf"[+\-\u2212]?(?:{_GROUPED}|{_AMOUNT} ?%|{_AMOUNT} ?{_CURRENCY}"
    rf"|{_CURRENCY} ?[+\-\u2212]?{_AMOUNT})"
    rf"|{_DAY}([./-]){_DAY}\1{_YEAR}{_TIME}"
    rf"|{_YEAR}/{_DAY}/{_DAY}{_TIME}"
    rf"|(?:{_MONTH_IN_DIGITS}/{_DAY}|{_DAY}/{_MONTH_IN_DIGITS})/[0-9]{{2}}{_TIME}"
    rf"|(?:0[1-9]|[12][0-9]|3[01])\.(?:0[1-9]|1[0-2])\.[0-9]{{2}}{_TIME}"
    rf"|{_DAY}[ .-]{{1,2}}{_NAME}[ -]?(?:{_YEAR}|[0-9]{{2}}){_TIME}"
    rf"|{_NAME} {{1,2}}{_DAY},? {_YEAR}{_TIME}"
    rf"|{_YEAR}-{_MONTH_IN_DIGITS}-{_DAY}[ T]+[0-9]{{1,2}}:[0-9]{{2}}.*",
    re.IGNORECASE,
)
_BEGINNINGS: Final = frozenset("0123456789.+-\u2212$\u20ac\u00a3\u00a5")
"""Of most such: other texts need no second look, unless they begin with a month."""


def is_notation(text: str) -> bool:
    """Whether it is a number or a date to whoever has written it."""
    begins = text[0] in _BEGINNINGS or text[:3].casefold() in _MONTHS
    return begins and _NOTATION.fullmatch(text) is not None
