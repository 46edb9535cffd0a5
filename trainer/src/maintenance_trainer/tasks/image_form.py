"""Have new images another form than old ones: size, channels, bits, mode? Counted, not tested."""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Final

import numpy as np

from maintenance_contract import evidence_names
from maintenance_trainer.diagnose import thresholds as at
from maintenance_trainer.diagnose.answers import Measure
from maintenance_trainer.diagnose.measured import Floats
from maintenance_trainer.tasks.images import Format

SELDOM: Final = 0.01
"""A form that no more of the old images have is none that the model was trained on."""
NEARLY_ALL: Final = (0.01, 0.99)
"""Quantiles of the old images' sizes; beyond them few lie."""
AS_LARGE: Final = 1.25
"""A side is as long where it differs by no more than this factor: models scale by much more."""


def measures(old: Sequence[Format], new: Sequence[Format]) -> list[Measure]:
    """Shares of new images whose size, channels or bits hardly an old image has.

    A mode alone (a palette, CMYK, transparency) changes nothing that a model sees, so it is only
    told.

    Args:
        old: of old images; there is one at least.
        new: of new images; there is one at least.
    """
    counted = (
        (evidence_names.UNSEEN_IMAGE_SIZES, _other_sizes(old, new), at.IMAGE_FORM),
        (
            evidence_names.UNSEEN_CHANNELS,
            _unseen([f.channels for f in old], [f.channels for f in new]),
            at.IMAGE_FORM,
        ),
        (
            evidence_names.UNSEEN_BIT_DEPTHS,
            _unseen([f.bits for f in old], [f.bits for f in new]),
            at.IMAGE_FORM,
        ),
        (
            evidence_names.UNSEEN_IMAGE_MODES,
            _unseen([f.mode for f in old], [f.mode for f in new]),
            at.ONLY_TOLD,
        ),
        (evidence_names.IMAGE_SIDES, _ratio(old, new), at.ONLY_TOLD),
    )
    return [
        Measure(name, effect, effect, bounds, None, len(new)) for name, effect, bounds in counted
    ]


def _unseen(old: Sequence[Hashable], new: Sequence[Hashable]) -> float:
    seen = Counter(old)
    return sum(seen[form] <= SELDOM * len(old) for form in new) / len(new)


def _other_sizes(old: Sequence[Format], new: Sequence[Format]) -> float:
    """Longer, shorter or of another shape than nearly all old ones, beyond what chance puts there.

    Compared are logarithms of the mean side and of width over height, so that twice as large is as
    far as half as large.
    """
    before, after = _shapes(old), _shapes(new)
    room = np.log(AS_LARGE)
    low, high = (np.quantile(before, q, axis=0) for q in NEARLY_ALL)
    outside = (
        ((sizes < low - room) | (sizes > high + room)).any(axis=1).mean()
        for sizes in (before, after)
    )
    old_share, new_share = outside
    return max(0.0, float(new_share - old_share))


def _shapes(formats: Sequence[Format]) -> Floats:
    """(n, 2): logarithms of the mean side and of width over height."""
    sides = np.log(np.array([(f.width, f.height) for f in formats], np.float64))
    return np.column_stack([sides.mean(axis=1), sides[:, 0] - sides[:, 1]])


def _ratio(old: Sequence[Format], new: Sequence[Format]) -> float:
    """The median mean side, new over old."""
    before, after = (float(np.median(_shapes(formats)[:, 0])) for formats in (old, new))
    return float(np.exp(after - before))
