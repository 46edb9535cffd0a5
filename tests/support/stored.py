"""What a store holds beside models, drawn as the other documents are."""

from maintenance_contract import Holdout, Sampling
from maintenance_trainer.data.auto_holdout import Kept
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.rows import DataFile
from maintenance_trainer.data.shares import BUCKETS, Shares, auto
from maintenance_trainer.data.snapshot import Snapshot
from support.documents import Everything, Values


class Auto(Everything):
    """What is held out is chosen by file."""

    def holdout(self) -> Holdout:
        return Holdout()


def shares(of: Values) -> Shares:
    """Whole per cents, as they are written."""
    files = of.some(lambda: (of.digest(), of.whole(0, BUCKETS)))
    return Shares(of.whole(0, 100) * 100, of.whole(0, 100) * 100, dict(files))


def kept(of: Values) -> Kept:
    return Kept(of.one(Origin), of.text(), of.digest(), of.whole(0, BUCKETS), of.some(of.word))


def snapshot(of: Values) -> Snapshot:
    holdout = of.holdout()

    def file() -> DataFile:
        origin = of.one(Origin)
        return DataFile(
            origin,
            of.text(),
            of.digest(),
            of.whole(),
            of.flag(),
            of.some(of.text),
            of.whole(0, BUCKETS) if auto(holdout, origin) else None,
            of.some(of.word),
        )

    return Snapshot(
        files=of.some(file),
        columns=of.columns("TextClassification" if of.flag() else "Another"),
        holdout=holdout,
        champion_holdout=of.maybe(lambda: shares(of)),
        counts=of.rows(),
        sampling=of.one(Sampling),
        since=of.text(),
        gone=of.some(lambda: kept(of)),
    )
