"""What ``kubectl mm why`` looks up, and where it writes what it shows."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

import yaml

from maintenance_contract import ContractError
from maintenance_contract.decision import DecisionRecord
from maintenance_contract.svg import Drawing, document, text
from maintenance_core.errors import ClusterError, MetricsError, OperatorError
from maintenance_core.lifecycle.records import decision_of
from maintenance_core.watch.counters import as_gauge
from maintenance_operator.cli import why
from maintenance_operator.cli.access import Access
from maintenance_operator.cli.history import found
from maintenance_operator.cli.layout import Page
from maintenance_operator.cli.live import readings_of
from maintenance_operator.cli.resource import Resource
from maintenance_operator.cli.why import Case, Readings
from maintenance_operator.settings import ConfigurationError

TEXT: Final = "text"
FORMS: Final = (TEXT, "json", "yaml", "svg", "png")
PICTURES: Final = frozenset({"svg", "png"})
STDOUT: Final = "-"
_ZOOM: Final = 2.0
"""Pixels of a PNG per unit of the picture: sharp on a screen of today."""


@dataclass(frozen=True, slots=True)
class WhyOptions:
    """What the person asked for. ``file`` is None where the form says where it goes."""

    form: str
    file: str | None
    run: int | None
    record: str | None
    prometheus: str | None
    operator_namespace: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What is to be written; ``file`` is None for standard output."""

    content: bytes
    file: Path | None


async def shown(
    access: Access, resource: Resource, wish: WhyOptions, page: Page, now: datetime
) -> Shown:
    """The decision as it is wished for.

    Raises:
        OperatorError: there is none, or it cannot be shown so.
    """
    if wish.record is not None:
        resource = with_record(resource, wish.record)
    case = why.case_of(resource, wish.run)
    if case is None:
        return _remembered(resource, wish, page)
    if wish.form == TEXT:
        return Shown(_line(why.explained(case, page)), _file(wish, case))
    readings = await _readings(access, case, wish, now)
    if wish.form in PICTURES:
        picture = why.picture(case, readings, now)
        content = png(picture) if wish.form == "png" else picture.encode()
        return Shown(content, _file(wish, case))
    written = json.dumps(why.document(case, readings), indent=2, ensure_ascii=False)
    if wish.form == "yaml":
        written = yaml.safe_dump(json.loads(written), sort_keys=False, allow_unicode=True).rstrip()
    return Shown(_line(written), _file(wish, case))


def _line(words: str) -> bytes:
    return f"{words}\n".encode()


def write(result: Shown, output: BinaryIO) -> None:
    """Write it, and say where."""
    if result.file is None:
        output.write(result.content)
        output.flush()
        return
    try:
        result.file.write_bytes(result.content)
    except OSError as error:
        raise OperatorError(f"{result.file}: {error.strerror or error}") from None
    print(f"written: {result.file}", file=sys.stderr)


def _file(wish: WhyOptions, case: Case) -> Path | None:
    if wish.file is not None:
        return None if wish.file == STDOUT else Path(wish.file)
    if wish.form not in PICTURES:
        return None
    return Path(f"{case.resource.identity.name[:200]}-decision-{case.decision.number}.{wish.form}")


def with_record(resource: Resource, file: str) -> Resource:
    """The resource as if its last decision were that of the file."""
    try:
        record = DecisionRecord.from_json(Path(file).read_text(encoding="utf-8"))
        decision = decision_of(record)
    except (OSError, UnicodeDecodeError, ContractError) as error:
        why = getattr(error, "strerror", None) or error
        raise OperatorError(
            f"--record {file}: {why}; give the decision.json of a run's folder in the store"
        ) from None
    identity = resource.identity
    if (record.namespace, record.name) != (identity.namespace, identity.name):
        raise OperatorError(
            f"--record {file}: it is a decision of {record.namespace}/{record.name}, not of "
            f"{identity.namespace}/{identity.name}"
        )
    return replace(resource, status=replace(resource.status, decision=decision))


def _remembered(resource: Resource, wish: WhyOptions, page: Page) -> Shown:
    entry = None if wish.run is None else found(resource, wish.run)
    if entry is None:
        raise OperatorError(_nothing_of_it(resource, wish.run))
    if wish.form != TEXT:
        raise OperatorError(
            f"status holds the way to the last decision only, so run {wish.run} cannot be shown as "
            f"{wish.form}: fetch runs/{wish.run}/decision.json from the store and write --record "
            "FILE"
        )
    file = None if wish.file in {None, STDOUT} else Path(str(wish.file))
    return Shown(_line(why.remembered(resource, entry, page)), file)


def _nothing_of_it(resource: Resource, run: int | None) -> str:
    """Why there is nothing to explain, and where to look."""
    name, status = resource.identity.name, resource.status
    if status.decision is None and not status.history:
        which = "" if run is None else f"there is no run {run}: "
        return f"{which}{name} has had no decision yet; what it waits for: kubectl mm status {name}"
    which = "the last decision" if run is None else f"run {run}"
    return f"{which} is not in the status; there are: {why.known(resource)}"


async def _readings(access: Access, case: Case, wish: WhyOptions, now: datetime) -> Readings:
    """Of Prometheus; where it cannot be asked, what status remembers, and says so."""
    kept = why.remembered_readings(case)
    if case.spec is None:
        return Readings(kept, "The spec cannot be read: only the readings that status holds.")
    metrics = as_gauge(case.spec.metrics, case.resource.status)
    ask = (wish.prometheus, wish.operator_namespace)
    grid = why.window(case, metrics, now)
    namespace = case.resource.identity.namespace
    try:
        points, told = await readings_of(access, namespace, metrics, grid, ask)
    except (MetricsError, ClusterError, ConfigurationError) as error:
        if wish.prometheus is not None and isinstance(error, ConfigurationError):
            raise
        note = f"Only the readings that status holds; Prometheus was not to be asked: {error}"
        return Readings(kept, note)
    if not points:
        return Readings(kept, f"Prometheus ({told}) has no reading of that time any more.")
    return Readings(points, f"Prometheus: {told}")


def png(picture: str) -> bytes:
    """The picture as pixels, in its light colours.

    Raises:
        OperatorError: the library for it is not installed; the operator needs none.
    """
    try:
        import resvg_py  # noqa: PLC0415 - an extra, which most do without
    except ImportError:
        raise OperatorError(
            "-o png needs resvg, which is not installed: pip install './operator[png]' beside "
            "kubectl-mm, as docs/kubectl-mm.md does, or write -o svg, which every browser shows"
        ) from None
    if not _written(resvg_py.svg_to_bytes):
        raise OperatorError(
            "-o png finds none of the fonts that the picture may be written in (Helvetica, Arial, "
            "Liberation Sans, DejaVu Sans, Noto Sans): install one, or write -o svg"
        )
    return bytes(resvg_py.svg_to_bytes(svg_string=picture, zoom=_ZOOM))


def _written(draw: Callable[..., bytes]) -> bool:
    """Whether text is drawn at all: without a font it is left out, and nobody would be told."""
    word = document("", [Drawing((text(10, 20, "word"),), 40, "")])
    blank = document("", [Drawing((), 40, "")])
    return bytes(draw(svg_string=word)) != bytes(draw(svg_string=blank))
