"""Which share of a file's rows is held out: of files by name of their content, else by origin.

A row's unit, as a rule its input, falls into one of ``BUCKETS`` by its hash, and a share is how
many of them are held out, the lowest first: a smaller share holds out nothing that a larger one
does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from maintenance_contract import AUTO, Holdout, Sampling, checks
from maintenance_contract.codec import Fields
from maintenance_contract.record import Part, record
from maintenance_contract.values import Codec, by_name, whole
from maintenance_trainer.data.folders import Origin

BUCKETS: Final = 10_000
_OF_A_PERCENT: Final = BUCKETS // 100


@dataclass(frozen=True, slots=True)
class Shares:
    """How many buckets are held out.

    ``files`` by digest; ``original`` and ``updates`` of files that are not among them.
    """

    original: int
    updates: int
    files: Mapping[str, int] = field(default_factory=dict)

    def of(self, origin: Origin, file: str) -> int:
        """Of a file's rows."""
        share = self.files.get(file)
        return self.by_origin(origin) if share is None else share

    def by_origin(self, origin: Origin) -> int:
        """Of files that are not named."""
        return self.original if origin is Origin.ORIGINAL else self.updates

    @classmethod
    def written(cls, holdout: Holdout, sampling: Sampling, files: Mapping[str, int]) -> "Shares":
        """Those of a resource; ``files`` are those of origins that are Auto.

        Of rows sampled as Targeted none is held out: they are no sample of what the model meets.
        """
        targeted = sampling is Sampling.TARGETED
        return cls(
            _buckets(holdout.original_percent),
            0 if targeted else _buckets(holdout.updates_percent),
            files,
        )

    def document(self) -> dict[str, Any]:
        """As manifests and snapshots hold it.

        The percentages are rounded down: what reads them alone takes no row for held out that is
        not.
        """
        return SHARES.document(self)

    @classmethod
    def read(cls, fields: Fields, default: "Shares | None" = None) -> "Shares":
        """The inverse of ``document``; ``default`` is of origins that are Auto.

        Raises:
            ContractError: no shares are there.
        """
        if default is None:
            return fields.decoded(SHARES.decode)
        its = fields.decoded(_OR_AUTO.decode)
        return replace(
            its,
            original=default.original if its.original == _AUTO else its.original,
            updates=default.updates if its.updates == _AUTO else its.updates,
        )


def _spelled(percent: Codec[int]) -> Codec[Shares]:
    return record(
        Shares,
        original=Part(percent, key="originalPercent"),
        updates=Part(percent, key="updatesPercent"),
        files=by_name(whole(most=BUCKETS), checks.an_object),
    )


def _buckets_of(percent: Any) -> int:
    return checks.whole(percent, most=100) * _OF_A_PERCENT


_AUTO: Final = -1
"""Stands for a share that the manifest leaves to others."""
SHARES: Final = _spelled(Codec(_buckets_of, lambda share: share // _OF_A_PERCENT))
_OR_AUTO: Final = _spelled(Codec(lambda value: _AUTO if value == AUTO else _buckets_of(value)))


def auto(holdout: Holdout, origin: Origin) -> bool:
    """Whether the share of each file of that origin is chosen."""
    percent = holdout.original_percent if origin is Origin.ORIGINAL else holdout.updates_percent
    return percent is None


def _buckets(percent: int | None) -> int:
    return 0 if percent is None else percent * _OF_A_PERCENT
