"""Patients of a clinic that does not exist: synthetic, seeded, and of no medical use.

python patients.py FOLDER writes them.

Each row is what is known of a patient on arrival, and what the illness turned out to be. The
numbers are drawn for each illness by itself; they were chosen so that a model finds most illnesses
and not all of them.

- known: patients like those of the original rows.
- strain: a quarter have influenza of a new strain: no fever, little oxygen, no sense of smell,
  which hardly any patient had before.
- units: the same patients; the laboratory reports mg/dl now instead of mg/l, and the thermometers
  Fahrenheit.
- older: the same again, and the patients are fifteen years older. No illness looks different for
  it, so nothing may be done.
"""

import json
import math
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SEED: Final = 23
ORIGINAL_ROWS: Final = 2000
SERVED_ROWS: Final = 480
LABELLED_ROWS: Final = 500
STRAIN_SHARE: Final = 0.25
OLDER_YEARS: Final = 15
MEASURED: Final = 0.9
"""Of so many patients the laboratory has a value."""
Patient = dict[str, Any]
"""A row: columns by name, the illness as ``label``."""


@dataclass(frozen=True, slots=True)
class Illness:
    """Mean and standard deviation of measurements, shares of symptoms.

    ``crp``: the median of C-reactive protein, mg/l; ``cough``: shares of none, dry and productive.
    """

    share: float
    temperature: tuple[float, float]
    heart_rate: tuple[float, float]
    oxygen: tuple[float, float]
    crp: float
    leukocytes: tuple[float, float]
    cough: tuple[float, float, float]
    sore_throat: float
    muscle_pain: float
    diarrhoea: float
    loss_of_smell: float = 0.005


ILLNESSES: Final[Mapping[str, Illness]] = {
    "cold": Illness(
        0.35, (37.1, 0.4), (78, 10), (97.5, 1), 6, (7.0, 1.6), (0.35, 0.45, 0.2), 0.7, 0.2, 0.03
    ),
    "influenza": Illness(
        0.3, (38.9, 0.6), (96, 11), (96.5, 1.2), 18, (6.0, 1.5), (0.15, 0.75, 0.1), 0.5, 0.85, 0.1
    ),
    "pneumonia": Illness(
        0.2, (38.7, 0.7), (101, 12), (92, 2.5), 120, (14, 3.5), (0.05, 0.25, 0.7), 0.15, 0.4, 0.08
    ),
    "gastroenteritis": Illness(
        0.15, (37.8, 0.7), (92, 12), (97.5, 1), 15, (9.0, 2.2), (0.9, 0.07, 0.03), 0.1, 0.3, 0.9
    ),
}
STRAIN: Final = Illness(
    1.0, (37.0, 0.4), (88, 11), (90.5, 2), 14, (5.0, 1.2), (0.2, 0.75, 0.05), 0.15, 0.3, 0.1, 0.9
)
_COUGHS: Final = ("none", "dry", "productive")


class Clinic:
    """Draws patients; two clinics of one seed draw the same."""

    def __init__(self, seed: int = SEED) -> None:
        self._random = random.Random(seed)  # noqa: S311  # a seeded sample, no secret

    def patients(self, count: int, strain: float = 0.0) -> tuple[Patient, ...]:
        """``count`` patients, a share of them with the new strain of influenza."""
        shares = [each.share for each in ILLNESSES.values()]
        drawn = []
        for number in range(count):
            name = self._random.choices(list(ILLNESSES), shares)[0]
            illness = ILLNESSES[name]
            if number < round(count * strain):
                name, illness = "influenza", STRAIN
            drawn.append(self._patient(name, illness))
        return tuple(self._random.sample(drawn, len(drawn)))

    def _patient(self, name: str, illness: Illness) -> Patient:
        chance = self._random
        age = min(99, max(1, round(chance.gauss(46, 20))))
        return {
            "age": age,
            "sex": chance.choice(("female", "male")),
            "days_ill": 1 + min(20, int(chance.expovariate(0.3))),
            "temperature": round(chance.gauss(*illness.temperature), 1),
            "heart_rate": round(chance.gauss(*illness.heart_rate)),
            "oxygen_saturation": round(min(100.0, chance.gauss(*illness.oxygen)), 1),
            "crp": self._crp(illness),
            "leukocytes": round(max(0.5, chance.gauss(*illness.leukocytes)), 1),
            "cough": chance.choices(_COUGHS, illness.cough)[0],
            "sore_throat": chance.random() < illness.sore_throat,
            "muscle_pain": chance.random() < illness.muscle_pain,
            "diarrhoea": chance.random() < illness.diarrhoea,
            "loss_of_smell": chance.random() < illness.loss_of_smell,
            "label": name,
        }

    def _crp(self, illness: Illness) -> float | None:
        value = round(illness.crp * math.exp(self._random.gauss(0, 0.7)), 1)
        return value if self._random.random() < MEASURED else None


def in_other_units(patient: Patient) -> Patient:
    """The laboratory's mg/dl, and degrees Fahrenheit."""
    crp = patient["crp"]
    return {
        **patient,
        "temperature": round(patient["temperature"] * 9 / 5 + 32, 1),
        "crp": None if crp is None else round(crp / 10, 2),
    }


def older(patient: Patient) -> Patient:
    """The same patient, some years later."""
    return {**patient, "age": patient["age"] + OLDER_YEARS}


@dataclass(frozen=True, slots=True)
class Stretch:
    """Traffic of one kind; ``labelled`` is empty where no labels arrive."""

    name: str
    served: tuple[Patient, ...]
    labelled: tuple[Patient, ...] = ()


@dataclass(frozen=True, slots=True)
class Patients:
    """All rows of the demo."""

    original: tuple[Patient, ...]
    stretches: tuple[Stretch, ...]


def draw(seed: int = SEED) -> Patients:
    """The demo's rows."""
    clinic = Clinic(seed)

    def stretch(name: str, change: Callable[[Patient], Patient], *, labelled: bool) -> Stretch:
        new = name != "known"
        share = STRAIN_SHARE if new else 0.0
        served = clinic.patients(SERVED_ROWS, share)
        update = clinic.patients(LABELLED_ROWS, share) if labelled else ()
        return Stretch(name, tuple(map(change, served)), tuple(map(change, update)))

    return Patients(
        clinic.patients(ORIGINAL_ROWS),
        (
            stretch("known", dict, labelled=False),
            stretch("strain", dict, labelled=True),
            stretch("units", in_other_units, labelled=True),
            stretch("older", lambda one: older(in_other_units(one)), labelled=False),
        ),
    )


def write(data: Patients, folder: Path) -> None:
    """``original/patients.jsonl`` and ``stretches/<name>/{served,labelled}.jsonl``."""
    _write_rows(folder / "original/patients.jsonl", data.original)
    for stretch in data.stretches:
        _write_rows(folder / f"stretches/{stretch.name}/served.jsonl", stretch.served)
        if stretch.labelled:
            _write_rows(folder / f"stretches/{stretch.name}/labelled.jsonl", stretch.labelled)


def _write_rows(path: Path, rows: Sequence[Patient]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(_lines(rows)), encoding="utf-8")


def _lines(rows: Sequence[Patient]) -> Iterator[str]:
    return (f"{json.dumps(row)}\n" for row in rows)


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004
        sys.exit("usage: patients.py FOLDER")
    write(draw(), Path(sys.argv[1]))
