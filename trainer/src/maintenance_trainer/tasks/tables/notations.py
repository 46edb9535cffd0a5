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
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
        "january", "february", "march", "april", "june", "july", "august", "september", "october",
        "november", "december",
        "mär", "mrz", "okt", "dez", "fév", "avr", "aoû", "déc", "ene", "abr", "dic", "mrt", "fev",
        "januar", "februar", "märz", "mai", "juni", "juli", "oktober", "dezember",
        "janvier", "février", "avril", "juin", "juillet", "août", "septembre", "octobre",
        "novembre", "décembre",
        "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre",
        "octubre", "noviembre", "diciembre",
        "gennaio", "febbraio", "aprile", "maggio", "giugno", "luglio", "settembre", "ottobre",
        "dicembre",
        "januari", "februari", "maart", "mei", "augustus",
        "janeiro", "fevereiro", "março", "maio", "junho", "julho", "setembro", "outubro",
        "novembro", "dezembro",
    }
)  # fmt: skip
"""Also in some other languages: databases write those of their users. Those that are English words
(set, out, mars) are names of something else as well."""
_FIRST_LETTERS: Final = frozenset(month[:3] for month in _MONTHS)
_NAME: Final = rf"(?:{'|'.join(sorted(_MONTHS))})\.?"
_TIME: Final = r"(?:[ T,:].*)?"
_SHORT_YEAR: Final = re.compile(
    rf"(?P<first>{_MONTH_IN_DIGITS}|{_DAY})/(?P<second>{_MONTH_IN_DIGITS}|{_DAY})"
    rf"/(?P<year>[0-9]{{2}}){_TIME}"
    rf"|(?P<day>0[1-9]|[12][0-9]|3[01])\.(?:0[1-9]|1[0-2])\.(?P<of>[0-9]{{2}}){_TIME}"
)
"""``17.01.26``, ``01/17/26``: a date, or a version, a term, a ratio."""
_NOTATION: Final = re.compile(
    rf"[+\-\u2212]?(?:{_GROUPED}|{_AMOUNT} ?%|{_AMOUNT} ?{_CURRENCY}"
    rf"|{_CURRENCY} ?[+\-\u2212]?{_AMOUNT})"
    rf"|{_DAY}([./-]){_DAY}\1{_YEAR}{_TIME}"
    rf"|{_YEAR}/{_DAY}/{_DAY}{_TIME}"
    rf"|{_DAY}[ .-]{{1,2}}{_NAME}[ -]?{_YEAR}{_TIME}"
    rf"|{_DAY}([ -]){_NAME}\2[0-9]{{2}}{_TIME}"
    rf"|{_NAME} {{1,2}}{_DAY},? {_YEAR}{_TIME}"
    rf"|{_YEAR}-{_MONTH_IN_DIGITS}-{_DAY}[ T]+[0-9]{{1,2}}:[0-9]{{2}}.*",
    re.IGNORECASE,
)
_BEGINNINGS: Final = frozenset("0123456789.+-\u2212$\u20ac\u00a3\u00a5")
"""Of most such: other texts need no second look, unless they begin with a month."""
_MOST_MONTHS: Final = 12
_MANY_DAYS: Final = 8
_YEARS: Final = range(15, 46)
_SPAN: Final = 10
"""Years of this time, and how many of them a file of dates covers, most often."""
SEVERAL: Final = 5
"""Different texts in another notation: fewer may be the names of steps (``0 %``, ``50 %``)."""
_MOST_KEPT: Final = 2000


def is_notation(text: str) -> bool:
    """Whether it is a number or a date to whoever has written it, or may be such a date."""
    if text[0] not in _BEGINNINGS and text[:3].casefold() not in _FIRST_LETTERS:
        return False
    return _NOTATION.fullmatch(text) is not None or _SHORT_YEAR.fullmatch(text) is not None


class Notations:
    """The texts of a column that are in another notation, or may be."""

    def __init__(self) -> None:
        self._sure: set[str] = set()
        self._perhaps: set[str] = set()
        self._count = self._count_sure = 0

    def add(self, text: str) -> None:
        """One more; it is a notation."""
        self._count += 1
        if text in self._perhaps:
            return
        if _NOTATION.fullmatch(text):
            self._count_sure += 1
            if len(self._sure) < SEVERAL:
                self._sure.add(text)
        elif len(self._perhaps) < _MOST_KEPT:
            self._perhaps.add(text)

    @property
    def count(self) -> int:
        """How many cells there are that nobody writes so as a category."""
        if self._are_days():
            return self._count
        return self._count_sure if len(self._sure) >= SEVERAL else 0

    def _are_days(self) -> bool:
        """Whether dates with a year of two digits are surely such.

        One part goes beyond 12, as days do and months never, in many ways; the other one does
        not; and the years are of this time and close to each other.
        """
        found = [match for text in self._perhaps if (match := _SHORT_YEAR.fullmatch(text))]
        years = {int(match["year"] or match["of"]) for match in found}
        if not years or not years.issubset(_YEARS) or max(years) - min(years) > _SPAN:
            return False
        parts = (
            {int(match["first"] or match["day"]) for match in found},
            {int(match["second"] or 0) for match in found},
        )
        fewer, more = sorted(sum(part > _MOST_MONTHS for part in each) for each in parts)
        return not fewer and more >= _MANY_DAYS
