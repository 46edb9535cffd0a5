"""Kinds of model of the tests: points of a plane, no Hugging Face, nothing to download.

``Nearest`` answers the class whose mean is nearest. ``Level`` has no classes: it answers one
number, and its loss is how far that is from the right one. ``Line`` answers the number that least
squares give, and can learn another slope where x is large.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maintenance_contract import Role, TrainingAction
from maintenance_contract.kinds import LABEL
from maintenance_trainer.data import reading
from maintenance_trainer.data.folders import Named
from maintenance_trainer.data.reading import Record
from maintenance_trainer.data.records import RecordReader
from maintenance_trainer.data.rows import Row
from maintenance_trainer.data.sources import SourceFile
from maintenance_trainer.data.split import Dataset
from maintenance_trainer.diagnose.answers import Measure
from maintenance_trainer.diagnose.thresholds import IMAGE_FORM
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.evaluate import majority_class
from maintenance_trainer.model_field import Given
from maintenance_trainer.progress import Progress
from maintenance_trainer.tasks.task import Fitted, How, Outputs

FILE = "means.json"
Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PointRow(Row):
    """A point; ``owner``, where there is one, is held out as a whole."""

    point: Point
    owner: str = ""

    @property
    def unit(self) -> str:
        return digest(self.owner) if self.owner else self.key


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelRow(PointRow):
    """A point with a number."""

    @property
    def stratum(self) -> str:
        return ""


def digest(text: str) -> str:
    import hashlib  # noqa: PLC0415

    return hashlib.sha256(text.encode()).hexdigest()


class Points:
    """Files with the columns x and y, maybe owner."""

    roles = (Role("x", "x"), Role("y", "y"), LABEL, Role("owner"))
    suffixes = reading.SUFFIXES

    def __init__(self, row: type[PointRow]) -> None:
        self._row = row

    def check_model(self, uri: str, folder: Path, given: Given) -> None:
        if not (folder / FILE).is_file():
            raise given.missing(f"{uri} holds no {FILE}.")

    def digest(self, path: Path, file: Named) -> str:
        return reading.sha256(path, file.where)

    def read(self, source: SourceFile) -> RecordReader[tuple[Point, str], PointRow]:
        columns = source.columns.names

        def content(record: Record, _where: str) -> tuple[Point, str]:
            owner = str(record[columns["owner"]]) if "owner" in columns else ""
            x, y = (float(str(record[columns[name]])) for name in "xy")
            return (x, y), owner

        def row(its: tuple[Point, str], label: str) -> PointRow:
            return self._row(
                label=label,
                key=digest(repr(its[0])),
                origin=source.file.origin,
                new=source.new,
                file=source.digest,
                point=its[0],
                owner=its[1],
            )

        return RecordReader(source, content, row)


@dataclass(slots=True)
class Means:
    """The mean of each class, and from how many points; of ``Level`` the mean of all numbers."""

    means: dict[str, list[float]]
    counts: dict[str, int]
    level: float = 0.0
    given: Given | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.means)


class Nearest:
    """The whole interface, as small as it gets."""

    name = "Nearest"
    source = Points(PointRow)

    def check_arguments(self, action: TrainingAction, arguments: Mapping[str, Any]) -> None:
        if strangers := arguments.keys() - {"weight"}:
            raise ConfigurationError("ArgumentUnknown", f"{action}: {min(strangers)}")

    def rehearse(self, folder: Path, given: Given, _progress: Progress) -> Means | None:
        return self._read(folder, given)

    def try_arguments(
        self, _tiny: Means, _action: TrainingAction, arguments: Mapping[str, Any], rows: int
    ) -> None:
        if arguments.get("weight", 1) > rows:
            raise ConfigurationError("ArgumentInvalid", "weight: more than there are rows")

    def check_rows(self, _model: Means | None, _dataset: Dataset) -> tuple[str, ...]:
        return ()

    def from_base(self, folder: Path, _rows: Sequence[PointRow], _seed: int) -> Means:
        return self._read(folder, Given.BASE)

    def from_initial(self, folder: Path) -> Means:
        return self._read(folder, Given.INITIAL)

    def load(self, folder: Path, labels: Sequence[str]) -> Means:
        found = self._read(folder, Given.CHAMPION)
        assert found.labels == tuple(labels)
        return found

    def extend(
        self, champion: Means, _folder: Path, _rows: Sequence[PointRow], _seed: int
    ) -> Means:
        return replace(champion, given=None)

    def fit(self, model: Means, rows: Sequence[PointRow], how: How, progress: Progress) -> Fitted:
        progress.stage("taking means", len(rows))
        for label in sorted({row.label for row in rows}):
            points = np.array([row.point for row in rows if row.label == label])
            weight = how.arguments.get("weight", 1)
            before = model.counts.get(label, 0) / weight
            old = np.array(model.means.get(label, [0.0, 0.0]))
            total = before + len(points)
            model.means[label] = ((old * before + points.sum(axis=0)) / total).tolist()
            model.counts[label] = int(total)
        model.given = None
        return Fitted(0.1, 1)

    def outputs(
        self, model: Means, rows: Sequence[PointRow], progress: Progress, stage: str
    ) -> Outputs:
        progress.stage(stage, len(rows))
        x = _points(rows)
        names = np.array(model.labels, str)
        means = np.array(list(model.means.values())).reshape(-1, 2)
        near = -((x[:, None, :] - means[None]) ** 2).sum(axis=-1)
        weights = np.exp(near - near.max(axis=1, keepdims=True))
        answers = names[near.argmax(axis=1)]
        wrong = np.array([row.label for row in rows], str) != answers
        probabilities = weights / weights.sum(axis=1, keepdims=True)
        return Outputs(
            wrong.astype(float),
            x.astype(np.float32),
            probabilities.astype(np.float32),
            tuple(map(str, answers)),
        )

    def baseline(self, train: Sequence[PointRow], rows: Sequence[PointRow]) -> NDArray[np.float64]:
        answer = majority_class(train)
        return np.array([row.label != answer for row in rows], float)

    def input_changes(
        self, _model: Means, _old: Sequence[PointRow], _new: Sequence[PointRow]
    ) -> list[Measure]:
        return []

    def save(self, model: Means, folder: Path) -> None:
        document = {"means": model.means, "counts": model.counts, "level": model.level}
        (folder / FILE).write_text(json.dumps(document), encoding="utf-8")

    def files(self, _model: Means) -> frozenset[str]:
        return frozenset({FILE})

    def proof(self, model: Means) -> Callable[[Path], None]:
        def prove(folder: Path) -> None:
            assert self._read(folder, Given.CHAMPION).means == model.means

        return prove

    def _read(self, folder: Path, given: Given) -> Means:
        its = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return Means(its["means"], its["counts"], its["level"], given)


class Level(Nearest):
    """One number for all points."""

    name = "Level"
    source = Points(LevelRow)

    def fit(self, model: Means, rows: Sequence[PointRow], _how: How, progress: Progress) -> Fitted:
        progress.stage("taking the mean", len(rows))
        model.level = float(np.mean([float(row.label) for row in rows]))
        model.given = None
        return Fitted(0.1, 1)

    def outputs(
        self, model: Means, rows: Sequence[PointRow], progress: Progress, stage: str
    ) -> Outputs:
        progress.stage(stage, len(rows))
        return Outputs(_far(rows, model.level), _points(rows).astype(np.float32))

    def baseline(self, train: Sequence[PointRow], rows: Sequence[PointRow]) -> NDArray[np.float64]:
        return _far(rows, float(np.median([float(row.label) for row in train])))


BEND = 3.0
"""Where ``Line`` may bend."""
_RIDGE = 1e-6


@dataclass(slots=True)
class Equations:
    """Normal equations: the sums of products of the features, and of these with the label."""

    gram: NDArray[np.float64]
    moment: NDArray[np.float64]
    given: Given | None = None
    labels: tuple[str, ...] = ()

    @property
    def weights(self) -> NDArray[np.float64]:
        held = self.gram + _RIDGE * np.eye(len(self.moment))
        return np.linalg.solve(held, self.moment).astype(np.float64)


class Line:
    """Least squares; a fine-tune goes on from the champion's equations."""

    name = "Line"
    source = Points(LevelRow)

    def check_arguments(self, action: TrainingAction, arguments: Mapping[str, Any]) -> None:
        if arguments:
            raise ConfigurationError("ArgumentUnknown", f"{action}: {min(arguments)}")

    def rehearse(self, folder: Path, given: Given, _progress: Progress) -> Equations | None:
        return self._read(folder, given)

    def try_arguments(self, *_: Any) -> None:
        pass

    def check_rows(self, _model: Equations | None, _dataset: Dataset) -> tuple[str, ...]:
        return ()

    def from_base(self, folder: Path, _rows: Sequence[PointRow], _seed: int) -> Equations:
        return self._read(folder, Given.BASE)

    def from_initial(self, folder: Path) -> Equations:
        return self._read(folder, Given.INITIAL)

    def load(self, folder: Path, labels: Sequence[str]) -> Equations:
        assert not labels
        return self._read(folder, Given.CHAMPION)

    def extend(
        self, champion: Equations, _folder: Path, _rows: Sequence[PointRow], _seed: int
    ) -> Equations:
        return replace(champion, given=None)

    def fit(
        self, model: Equations, rows: Sequence[PointRow], _how: How, progress: Progress
    ) -> Fitted:
        progress.stage("adding up", len(rows))
        x = _features(rows)
        model.gram = model.gram + x.T @ x
        model.moment = model.moment + x.T @ _numbers(rows)
        model.given = None
        return Fitted(0.1, 1)

    def outputs(
        self, model: Equations, rows: Sequence[PointRow], progress: Progress, stage: str
    ) -> Outputs:
        progress.stage(stage, len(rows))
        answers = _features(rows) @ model.weights
        return Outputs(np.abs(_numbers(rows) - answers), _points(rows).astype(np.float32))

    def baseline(self, train: Sequence[PointRow], rows: Sequence[PointRow]) -> NDArray[np.float64]:
        return _far(rows, float(np.median(_numbers(train))))

    def input_changes(
        self, _model: Equations, old: Sequence[PointRow], new: Sequence[PointRow]
    ) -> list[Measure]:
        far = 3.0 * np.abs(_points(old)).max()
        share = float((np.abs(_points(new)).max(axis=1) > far).mean())
        return [Measure("farAway", share, share, IMAGE_FORM, None, len(new))]

    def save(self, model: Equations, folder: Path) -> None:
        document = {"gram": model.gram.tolist(), "moment": model.moment.tolist()}
        (folder / FILE).write_text(json.dumps(document), encoding="utf-8")

    def files(self, _model: Equations) -> frozenset[str]:
        return frozenset({FILE})

    def proof(self, model: Equations) -> Callable[[Path], None]:
        def prove(folder: Path) -> None:
            assert (self._read(folder, Given.CHAMPION).moment == model.moment).all()

        return prove

    def _read(self, folder: Path, given: Given) -> Equations:
        its = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if "gram" not in its:
            return Equations(np.zeros((4, 4)), np.zeros(4), given)
        return Equations(np.array(its["gram"]), np.array(its["moment"]), given)


def _features(rows: Sequence[PointRow]) -> NDArray[np.float64]:
    x, y = _points(rows).T
    return np.stack([np.ones(len(rows)), x, y, np.maximum(x - BEND, 0.0)], axis=1)


def _numbers(rows: Sequence[PointRow]) -> NDArray[np.float64]:
    return np.array([float(row.label) for row in rows], float)


def _points(rows: Sequence[PointRow]) -> NDArray[np.float64]:
    return np.array([row.point for row in rows], float).reshape(-1, 2)


def _far(rows: Sequence[PointRow], level: float) -> NDArray[np.float64]:
    return np.abs(np.array([float(row.label) for row in rows], float) - level)
