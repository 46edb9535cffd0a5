"""How a label is spelled, and which spellings mean one class.

Two spellings are one class where they differ in what no person means by it: as numbers, in capitals
of true and false, in blanks, invisible characters or the Unicode form, or as 1 and 0 do from true
and false. Where they differ in capitals or in the mark between words, they may be meant: that is
told.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from maintenance_trainer.data import truths
from maintenance_trainer.errors import DataError

MOST_CHARACTERS: Final = 1024
MOST_LABELS: Final = 10_000
"""Of one model: as many are stored with a version."""
SURELY_CLASSES: Final = 40
"""So few different labels are classes, however few rows there are."""
IN_SERVICE: Final = "the model in service"
_WHOLE: Final = re.compile(r"([+-]?)0*([0-9]+)(?:\.0*)?")
_POWER: Final = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?[eE][+-]?[0-9]{1,2}")
_BETWEEN_WORDS: Final = re.compile(r"(?<=[^\W_])[\s_./-]+(?=[^\W\d_])|(?<=[^\W\d_])[\s_./-]+(?=\d)")
"""Neither a sign (``-1``), nor what ends a grade (``A-``), nor what parts digits (``1.1``)."""
_VARIATION: Final = re.compile("[\ufe00-\ufe0f]")
_TAGS: Final = frozenset(map(chr, range(0xE0020, 0xE0080)))
NOTHING: Final = frozenset({"\\n", "(null)", "<null>", "[null]"})
"""As databases and their clients write NULL; no class is called so. In small letters."""
PERHAPS_NOTHING: Final = frozenset(
    {"nan", "none", "null", "nil", "na", "n/a", "#n/a", "<na>", "nat", "undefined"}
    | {"-", "--", "\u2013", "\u2014", "?", ".", "#null!"}
)
"""What some write for nothing, and others call a class. In small letters."""
_MOST_TOLD: Final = 3
_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class Spelling:
    """A label as it is written, and where it is so first."""

    label: str
    where: str


def spelled(value: object) -> str | None:
    """A label's spelling, empty where it is missing; None for what cannot be one."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return _without_places(value)
    if isinstance(value, str | int):
        return str(value).strip()
    return None


def _without_places(number: Decimal) -> str | None:
    """A whole number of a column that holds such alone, as databases call one of any length."""
    if number.is_nan():
        return ""
    return str(int(number)) if number.as_tuple().exponent == 0 else None


def fault(label: str) -> str:
    """Why nobody can have meant this label; empty where somebody can."""
    if len(label) > MOST_CHARACTERS:
        return f"has {len(label):,} characters; is it the text?"
    kinds = {unicodedata.category(character) for character in label}
    if "Cs" in kinds:
        return "has half a character (a lone surrogate)"
    if "Cc" in kinds:
        return "has a line end or another control character"
    return ""


def visible(label: str) -> bool:
    """Whether there is anything to see of it."""
    return bool(seen(label))


def is_one(label: str) -> bool:
    """Whether it can be a label: there is something to see, and not what stands for nothing."""
    return visible(label) and label.casefold() not in NOTHING


def seen(label: str) -> str:
    """In one Unicode form, blanks collapsed, without characters that are not seen."""
    if label.isascii() and label.isprintable():
        return " ".join(label.split())
    return " ".join(unicodedata.normalize("NFKC", _visible_part(label)).split())


def identity(label: str) -> str:
    """Equal for spellings of one class."""
    text = seen(label)
    if text.casefold() in {"true", "false"}:
        return text.casefold()
    return _whole_number(text) or text


def likeness(label: str) -> str:
    """Equal for spellings that may be of one class."""
    return _BETWEEN_WORDS.sub(" ", identity(label).casefold())


def refuse_doubled(
    spellings: Sequence[Spelling],
    fresh: Collection[str],
    known: Collection[str],
    model: str = IN_SERVICE,
) -> None:
    """Refuse a class that comes in a second spelling.

    Args:
        spellings: of all rows, in the order of the files.
        fresh: the labels in files that the champion was not trained on.
        known: the labels that the model answers with. What it knows stays as it is.
        model: which model that is.

    Raises:
        DataError: LabelsDoubled, showing both.
    """
    ordered = sorted(spellings, key=lambda one: one.label in fresh)
    meaning = _meaning(truths.surely(_folded(spellings, known)))
    pairs = [
        (right, wrong)
        for right, *others in _groups(ordered, known, meaning, model)
        for wrong in others
        if wrong.label in fresh and wrong.label not in known
    ]
    if not pairs:
        return
    right, wrong = pairs[0]
    one, other = _told_apart(right.label, wrong.label)
    more = f" (More labels like that: {len(pairs) - 1:,}.)" if len(pairs) > 1 else ""
    message = (
        f"{wrong.where}: the label {other} is the class {one} ({right.where}) in another spelling: "
        f"they {_sameness(right.label, wrong.label)}.{more} Write {one} in all files, or give one "
        "of them another name if they are two classes."
    )
    raise DataError("LabelsDoubled", message)


def recoded(
    delivered: Collection[str], known: Collection[str], spellings: Sequence[Spelling] = ()
) -> str:
    """What to tell where new rows have none of the labels that the model in service answers with.

    Args:
        delivered: the labels of new rows; none where rows have no classes.
        known: the labels that the model answers with.
        spellings: of all rows, in the order of the files.

    Raises:
        DataError: LabelsDoubled, where there are several and each is a known one of its own but for
            capitals or what stands between words: all would stand beside those that are known.
    """
    if not delivered or not known or set(delivered) & set(known):
        return ""
    alike = {likeness(label): label for label in known}
    ordered = sorted(delivered)
    likenesses = {likeness(label) for label in ordered}
    if likenesses <= alike.keys():
        if len(likenesses) < len(ordered) or len(ordered) == 1:
            return ""  # one class or so, which hints tell of
        where = next((one.where for one in spellings if one.label == ordered[0]), "data.updates")
        message = (
            f"{where}: the labels of new rows are those of {IN_SERVICE} in another spelling, "
            f"{_shown(ordered[0])} for {_shown(alike[likeness(ordered[0])])}, and none is as "
            "before: write them as before in new files."
        )
        raise DataError("LabelsDoubled", message)
    return (
        f"data.updates: no new row has a label that {IN_SERVICE} answers with "
        f"({_few(sorted(known))}); theirs are {_few(ordered)}. If the classes were renamed and "
        "mean what they meant, write them as before."
    )


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_TOLD:,} more" if len(names) > _MOST_TOLD else ""
    return ", ".join(map(_shown, names[:_MOST_TOLD])) + more


def refuse_identifiers(
    fresh: Collection[str], known: Collection[str], rows: int, column: str
) -> None:
    """Refuse labels that name rows and no classes.

    Args:
        fresh: the labels in files that the champion was not trained on.
        known: the labels that the model answers with.
        rows: how many labelled rows these files have.
        column: of the labels, as messages name it.

    Raises:
        DataError: DataUnreadable.
    """
    news = sorted(set(fresh) - set(known))
    if len(news) > SURELY_CLASSES and len(news) > rows / 2:
        message = (
            f"{column}: {len(news):,} different labels in {rows:,} rows (like {_shown(news[0])}), "
            "so these are no classes but an identifier, numbers or free text. Name the right "
            "column of the labels."
        )
        raise DataError("DataUnreadable", message)


def refuse_many(fresh: Collection[str], known: Collection[str]) -> None:
    """Refuse more labels than a version can have.

    Args:
        fresh: the labels in files that the champion was not trained on.
        known: the labels that the model answers with.

    Raises:
        DataError: DataUnreadable.
    """
    news = sorted(set(fresh) - set(known))
    count = len(news) + len(known)
    if news and count > MOST_LABELS:
        message = (
            f"data: {count:,} different labels (like {_shown(news[0])}), and a model has at most "
            f"{MOST_LABELS:,} classes. Join those that mean the same, or name another column."
        )
        raise DataError("DataUnreadable", message)


def hints(spellings: Sequence[Spelling], known: Collection[str] = ()) -> tuple[str, ...]:
    """What may be meant otherwise than it is written: sentences.

    Args:
        spellings: of all rows, in the order of the files.
        known: the labels that the model in service answers with.
    """
    return tuple(
        filter(
            None,
            (
                _listed(_learnt_twice(spellings, known)),
                _listed(_alike(spellings, known)),
                _listed(_perhaps_truths(spellings, known)),
                _listed(_for_nothing(spellings, known)),
            ),
        )
    )


def _learnt_twice(spellings: Sequence[Spelling], known: Collection[str]) -> Iterator[str]:
    meaning = _meaning(truths.surely(_folded(spellings, known)))
    for first, *others in _groups(spellings, known, meaning):
        one, other = _told_apart(first.label, others[0].label)
        yield (
            f"The labels {one} and {other} {_sameness(first.label, others[0].label)}, and count as "
            "two classes because the model in service has learnt both: spell them alike in new "
            "files."
        )


def _alike(spellings: Sequence[Spelling], known: Collection[str]) -> Iterator[str]:
    for first, *others in _groups(spellings, known, likeness):
        news = [one for one in others if one.label not in known]
        if news and identity(first.label) != identity(news[0].label):
            beside = f" ({first.where})" if first.label not in known else ", which is known,"
            yield (
                f"{news[0].where}: the label {_shown(news[0].label)} counts as a class of its own "
                f"beside {_shown(first.label)}{beside} and differs from it in capitals or in what "
                "stands between words: spell them alike if one class is meant."
            )


def _perhaps_truths(spellings: Sequence[Spelling], known: Collection[str]) -> Iterator[str]:
    labels = _folded(spellings, known)
    stand_for = {} if truths.surely(labels) else truths.perhaps(labels)
    for first, *others in _groups(spellings, known, _meaning(stand_for)):
        news = [one for one in others if one.label not in known]
        if news and identity(first.label) != identity(news[0].label):
            yield (
                f"{news[0].where}: the label {_shown(news[0].label)} counts as a class of its own "
                f"beside {_shown(first.label)}, and both may stand for "
                f"{stand_for[_fold(first.label)]}: spell them alike if one class is meant."
            )


def _for_nothing(spellings: Sequence[Spelling], known: Collection[str]) -> Iterator[str]:
    for one in spellings:
        if one.label.casefold() in PERHAPS_NOTHING | NOTHING and one.label not in known:
            yield (
                f"{one.where}: the label {_shown(one.label)} counts as a class; some programs "
                "write it for a missing label: if so, leave such rows out (of time series: the "
                "cell empty)."
            )


def _listed(sentences: Iterable[str]) -> str:
    every = list(sentences)
    more = f" ({len(every) - _MOST_TOLD:,} more labels like that.)"
    return " ".join(every[:_MOST_TOLD]) + (more if len(every) > _MOST_TOLD else "")


def _groups(
    spellings: Sequence[Spelling],
    known: Collection[str],
    key: Callable[[str], str],
    model: str = IN_SERVICE,
) -> list[list[Spelling]]:
    """Spellings with one key, where there are several; one that is known comes first."""
    found: dict[str, list[Spelling]] = {}
    placed: Mapping[str, Spelling] = {one.label: one for one in spellings}
    known = set(known)
    first = [placed.get(label, Spelling(label, model)) for label in sorted(known)]
    for one in (*first, *(one for one in spellings if one.label not in known)):
        found.setdefault(key(one.label), []).append(one)
    return [group for group in found.values() if len(group) > 1]


def _fold(label: str) -> str:
    return identity(label).casefold()


def _folded(spellings: Sequence[Spelling], known: Collection[str]) -> set[str]:
    return {_fold(label) for label in (*(one.label for one in spellings), *known)}


def _meaning(stand_for: Mapping[str, str]) -> Callable[[str], str]:
    """Equal for spellings of one class, where some labels stand for true or false."""
    return lambda label: stand_for.get(_fold(label)) or identity(label)


def _visible_part(label: str) -> str:
    return "".join(filter(_is_seen, _VARIATION.sub("", label)))


def _is_seen(character: str) -> bool:
    """Tags are: they make one flag of a country's parts another."""
    kept = character in _TAGS or character.isspace()
    return kept or unicodedata.category(character) not in {"Cf", "Cc"}


def _whole_number(text: str) -> str:
    """Its digits alone; empty where it is none. ``1.10`` may be a section and is left alone."""
    if _POWER.fullmatch(text):
        text = format(Decimal(text), "f")
    found = _WHOLE.fullmatch(text)
    if found is None:
        return ""
    sign, digits = found.groups()
    return ("-" if sign == "-" and digits != "0" else "") + digits


def _sameness(one: str, other: str) -> str:
    if identity(one) != identity(other):
        truth = truths.truth(_fold(one))
        return f"both stand for {truth}"
    if _whole_number(seen(one)):
        return "are equal as numbers"
    if seen(one) != seen(other):
        return "differ in capitals alone"
    return "differ in blanks, invisible characters or the Unicode form alone"


def _told_apart(one: str, other: str) -> tuple[str, str]:
    """Both as they are shown; by their code points where they look the same."""
    if _printed(one) == _printed(other):
        return ascii(one[:_SHOWN]), ascii(other[:_SHOWN])
    return _shown(one), _shown(other)


def _printed(label: str) -> str:
    return unicodedata.normalize("NFC", _visible_part(label))


def _shown(label: str) -> str:
    return repr(label[:_SHOWN])
