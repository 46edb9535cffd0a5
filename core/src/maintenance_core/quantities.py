"""Quantities of resources as Kubernetes reads them (``apimachinery/pkg/api/resource``).

::

    [+] digits [. digits]  and one of   n u m (nothing) k M G T P E     thousandths to 10^18
                                        Ki Mi Gi Ti Pi Ei               powers of 1024
                                        e<exponent> E<exponent>         powers of ten

A point may begin or end the digits. YAML makes a number of what is not quoted, JSON of 1e9.
"""

import re
from typing import Final

MOST_CHARACTERS: Final = 64
WRITE: Final = "write a quantity, like 500m, 0.5, 2, 16Gi or 1e9"

_QUANTITY: Final = re.compile(
    r"\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?"
)


def spelled(value: object) -> str:
    """A quantity as a string, whether it came as string or as number.

    Raises:
        ValueError: it is none, or negative.
    """
    text = value if isinstance(value, str) else _of_number(value)
    if len(text) > MOST_CHARACTERS or _QUANTITY.fullmatch(text) is None:
        msg = f"{text[:40]!r} is no quantity: {WRITE}"
        raise ValueError(msg)
    return text


def _of_number(value: object) -> str:
    """As JSON has it; whole numbers without a point, which an extended resource must not have."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
