"""All bounds of the diagnosis in one place, each with its reason.

An answer needs both: an effect that matters and a p-value that survives Holm's correction over
all tests of the diagnosis. ``No`` is a claim, too: it needs the effect's interval to lie within
the tolerance; what is neither shown nor excluded is Undetermined.
"""

from dataclasses import dataclass
from typing import Final

import maintenance_contract


@dataclass(frozen=True, slots=True)
class Bounds:
    """From ``minor`` and ``major`` on an effect is called so; within ``tolerance`` it is none."""

    minor: float
    major: float
    tolerance: float


ALPHA: Final = 0.01
"""Error budget of one whole diagnosis: a healthy data set is called changed in at most one of a
hundred diagnoses. Small, because an answer can cost a GPU run; not smaller, because the performance
drop that asks for the diagnosis has its own brake."""

INTERVAL_Z: Final = 1.645
"""One-sided 95 % bounds decide whether an effect lies within its tolerance."""

LEAST_ROWS: Final = maintenance_contract.LEAST_ROWS
"""Rows needed on each side of a comparison; below, every test answers Undetermined."""

OUTSIDE_SUPPORT: Final = Bounds(minor=0.05, major=0.30, tolerance=0.05)
"""Share of new rows where the champion has seen nothing like them. Below a twentieth nothing can be
gained; from about a third on, it is a different stream, no longer an expansion of the old one."""

TOLD_APART: Final = Bounds(minor=0.60, major=0.85, tolerance=0.60)
"""How well old and new rows can be told apart. A new domain of share s that is told perfectly
gives .5 + s/2: a quarter gives .63, seven tenths .85."""

CLASS_MIX: Final = Bounds(minor=0.10, major=0.50, tolerance=0.15)
"""Total variation distance between the class shares. A new domain of a quarter of the rows inside
one class moves at most a quarter; a tenth is within what a day of the week does; when half
of the rows would have to change class, little of the old mix is left. 200 old rows cannot
exclude less than .15."""

ERROR_RISE: Final = Bounds(minor=0.03, major=0.10, tolerance=0.10)
"""Rise of the champion's error on familiar rows of the same class. Ten points on inputs that it
knows are not noise of labelling; below three a retrain gains less than it costs."""

TOO_DIFFERENT: Final = 0.85
"""Area under the curve from which on old and new rows share too little support to ask whether the
same inputs mean something else: there are no same inputs."""

RELABELLED: Final = Bounds(minor=0.03, major=0.10, tolerance=0.10)
"""Share of inputs that were seen before and come back with another label: the same measure on
identical rows."""

NEW_LABELS: Final = Bounds(minor=0.01, major=0.30, tolerance=0.01)
"""Share of new rows whose label the champion cannot answer. Below a hundredth it may be a slip of
the pen; up to three tenths the head grows (fine-tune); beyond, the task is another one."""

UNKNOWN_TOKENS: Final = Bounds(minor=0.05, major=0.20, tolerance=0.05)
"""Rise of the share of tokens that the tokenizer does not know."""

SUBWORDS_PER_WORD: Final = Bounds(minor=1.3, major=2.0, tolerance=1.3)
"""Subwords per word, new over old: twice as many is another language or script."""

TRUNCATED: Final = Bounds(minor=0.10, major=0.30, tolerance=0.10)
"""Rise of the share of texts that are too long for the model."""

EMPTY: Final = Bounds(minor=0.05, major=0.20, tolerance=0.05)
"""Rise of the share of texts without a visible character."""

IMAGE_FORM: Final = Bounds(minor=0.05, major=0.30, tolerance=0.05)
"""Share of new images of a size, with channels or with bits that hardly an old image has. A
twentieth may come from one more device; from a third on it is another source."""

CONVERSATION_FORM: Final = Bounds(minor=0.05, major=0.30, tolerance=0.05)
"""Share of new conversations in a form that hardly an old one has, as for images: a twentieth may
come from one more channel; from a third on they are held otherwise."""

CHANGED_COLUMNS: Final = Bounds(minor=1, major=1, tolerance=0)
"""Columns of another unit or type, new, gone or stuck: one that the model uses makes the table
another one, for it was trained on nothing like it."""

COLUMN_GONE: Final = 0.5
"""Share of new rows from which on a column counts as new, gone or of another type: what most rows
have is how the table is now; less is one source among several."""

EMPTIER_COLUMN: Final = Bounds(minor=0.10, major=0.50, tolerance=0.10)
"""Rise of the share of rows that hold nothing in a column. A tenth may be one source that does not
measure it; from half on the column is as good as gone."""

UNKNOWN_CATEGORIES: Final = Bounds(minor=0.05, major=0.30, tolerance=0.05)
"""Share of a column's values that the model has no category for, as for images of an unknown form:
a twentieth may be a new ward; from a third on the column is coded anew."""

SAMPLING_INTERVAL: Final = Bounds(minor=1.25, major=1.5, tolerance=1.25)
"""How many times longer or shorter the time from a row to the next has become. A model counts rows:
with half of them it sees twice as far back, at another speed."""

OTHER_UNIT: Final = 0.2
"""Difference of the shares below a value, old and new, from which on another unit is asked for.
Twice the spread about zero gives .17, as a restless month does; inches for centimetres of what lies
about zero .21, and of what does not, 1."""

OUT_OF_RANGE: Final = 0.05
"""Share of new numbers far beyond all old ones from which on it is told."""

CHANCE: Final = 1e-6
"""Below it, no accident has made a column of several values one of a single one."""

NEW_ITEMS: Final = Bounds(minor=0.05, major=0.50, tolerance=0.05)
"""Rise of the share of interactions with items that the model does not know. Some are new on any
day; from a half on the catalogue is another one, and little of what was learnt is asked for."""

ONLY_TOLD: Final = Bounds(minor=float("inf"), major=float("inf"), tolerance=float("inf"))
"""For numbers that inform and answer nothing."""
