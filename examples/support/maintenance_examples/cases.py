"""What a demo tells: a model, its data, and acts that change the world."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import yaml

from maintenance_examples.shell import ROOT, Failure

EXAMPLES: Final = ROOT / "examples"
ENCODER: Final = ("base_model",)
"""The module that copies the examples' encoder."""


class Traffic(Protocol):
    """A stretch of it, and what arrives as an update."""

    @property
    def name(self) -> str:
        """Of the stretch."""

    @property
    def served(self) -> Sequence[object]:
        """What is asked."""

    @property
    def labelled(self) -> Sequence[object]:
        """What has labels; maybe nothing."""


class Drawn(Protocol):
    """The data of a case."""

    @property
    def original(self) -> Sequence[object]:
        """What version 1 is trained on."""

    @property
    def stretches(self) -> Sequence[Traffic]:
        """One after the other."""


def told(data: Drawn, original: str, served: str = "of traffic", labelled: str = "labelled") -> str:
    """How much there is of what, in a case's own words."""
    each = (
        f"{its.name}: {len(its.served)} {served}, {len(its.labelled)} {labelled}"
        for its in data.stretches
    )
    return f"{len(data.original)} original {original}; {', '.join(each)}"


@dataclass(frozen=True, slots=True)
class Act:
    """What changes in the world, and what should come of it: an action and a version."""

    stretch: str
    title: str
    says: str
    action: str
    version: int


@dataclass(frozen=True, slots=True)
class Case:
    """A demo: ``examples/<name>`` has its resource in ``manifests`` and this in ``<name>.py``.

    ``source`` says where the data come from. ``fill`` writes them into a folder and says what they
    are: ``original/``, and for each stretch of traffic ``stretches/<stretch>/served.jsonl`` of
    ``served_rows`` rows and maybe ``labelled.jsonl``, which arrives as an update. In the last of
    ``stretches`` nothing may be done. ``base_model``: whether the resource names one, and
    ``base_model_by`` the module of ``examples/serving`` that makes it, with what it is told.
    """

    name: str
    source: str
    acts: tuple[Act, ...]
    stretches: tuple[str, ...]
    served_rows: int
    fill: Callable[[Path], str]
    base_model: bool = True
    base_model_by: tuple[str, ...] = ENCODER
    quiet_title: str = "a quiet stretch"
    quiet_says: str = "Nothing changes any more."

    @property
    def last(self) -> str:
        """The title of the stretch in which nothing may be done."""
        return f"Act {len(self.acts) + 1}: {self.quiet_title}"

    @property
    def floor(self) -> float:
        """The accuracy below which the resource calls the model degraded."""
        path = EXAMPLES / self.name / "manifests/modelmaintenance.yaml"
        resource = yaml.safe_load(path.read_text(encoding="utf-8"))
        return float(resource["spec"]["metrics"]["performance"]["thresholdRange"]["min"])


def names() -> list[str]:
    """Of all cases."""
    return sorted(
        folder.name for folder in EXAMPLES.iterdir() if (folder / _module(folder.name)).is_file()
    )


def find(name: str) -> Case:
    """A case by its name; its folder is in the path.

    Raises:
        Failure: there is none; names those that are there.
    """
    if name not in names():
        raise Failure(f"CASE={name}: there is no such case; write one of {', '.join(names())}.")
    found: Case = importlib.import_module(_module(name).removesuffix(".py")).CASE
    return found


def _module(name: str) -> str:
    return name.replace("-", "_") + ".py"
