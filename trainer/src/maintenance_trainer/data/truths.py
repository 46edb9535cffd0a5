"""Spellings of true and false: a database writes 1 where a program writes true."""

from collections.abc import Collection, Mapping
from itertools import chain
from typing import Final

_ONE_CHARACTER: Final = 1
_WRITTEN: Final = (
    ("true", "false"),
    ("1", "0"),
    ("t", "f"),
    ("wahr", "falsch"),
    ("vrai", "faux"),
    ("verdadero", "falso"),
    ("verdadeiro", "falso"),
    ("vero", "falso"),
    ("waar", "onwaar"),
    ("prawda", "fałsz"),
)
"""As programs write a boolean: databases, and spreadsheets in the language of their user."""
_SAID: Final = (
    ("yes", "no"),
    ("y", "n"),
    ("on", "off"),
    ("ja", "nein"),
    ("oui", "non"),
    ("si", "no"),
    ("sí", "no"),
    ("sì", "no"),
)
"""As people write one, who may mean something else."""


def surely(labels: Collection[str]) -> Mapping[str, str]:
    """What labels stand for, ``true`` or ``false``, where they hold one boolean in two spellings.

    Nobody means four classes by 0, 1, true and false, but ten digits beside true and false may be
    twelve. A letter alone says nothing: beside 0 and 1, ``f`` may be a third class.

    Args:
        labels: all of a model and its data, in small letters. Empty: none of them is doubled.
    """
    whole = [pair for pair in _WRITTEN if set(pair) <= set(labels)]
    if not whole:
        return {}
    apart = {word for pair in _WRITTEN for word in pair if len(word) > _ONE_CHARACTER}
    spelled = {label for label in labels if label in apart | {"0", "1"} | set(chain(*whole))}
    others = set(labels) - spelled
    if not others:
        return _truths(spelled) if spelled > set(whole[0]) else {}
    words = [pair for pair in whole if pair != ("t", "f")]
    if len(words) > 1 and not any(other.lstrip("+-").isdigit() for other in others):
        return _truths(set(chain(*words)))
    return {}


def perhaps(labels: Collection[str]) -> Mapping[str, str]:
    """The same where they may: whole pairs of what programs and what people write.

    Args:
        labels: all of a model and its data, in small letters.
    """
    whole = [pair for pair in (*_WRITTEN, *_SAID) if set(pair) <= set(labels)]
    return _truths(set(chain(*whole))) if len(whole) > 1 else {}


def truth(word: str) -> str:
    """What one of these words stands for: ``true`` or ``false``."""
    return "true" if any(word == true for true, _ in (*_WRITTEN, *_SAID)) else "false"


def _truths(words: Collection[str]) -> Mapping[str, str]:
    return {word: truth(word) for word in words}
