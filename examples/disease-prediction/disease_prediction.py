"""The demo on tables: which illness a patient has. The patients are synthetic."""

from pathlib import Path
from typing import Final

import patients
from maintenance_examples.cases import Act, Case, told


def _fill(folder: Path) -> str:
    data = patients.draw()
    patients.write(data, folder)
    return told(data, "rows (synthetic)")


CASE: Final = Case(
    name="disease-prediction",
    source="synthetic patients, drawn here",
    acts=(
        Act(
            "known",
            "Act 1: no model yet",
            "A clinic's patients have a cold, influenza, pneumonia or gastroenteritis.",
            "Retrain",
            1,
        ),
        Act(
            "strain",
            "Act 2: a new strain of influenza",
            "A quarter of the patients have it: no fever, little oxygen, no sense of smell. "
            "Hardly any patient of version 1 was like that.",
            "FineTune",
            2,
        ),
        Act(
            "units",
            "Act 3: other units",
            "The laboratory reports mg/dl now instead of mg/l, and the thermometers Fahrenheit.",
            "Retrain",
            3,
        ),
    ),
    stretches=("known", "strain", "units", "older"),
    served_rows=patients.SERVED_ROWS,
    fill=_fill,
    base_model=False,
    quiet_title="older patients",
    quiet_says="The patients are fifteen years older, and no illness looks different for it.",
)
