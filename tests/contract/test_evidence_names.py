"""Names of evidence: written by the trainer, read by rules, status and pictures, spelled once."""

import re
from pathlib import Path

import pytest

from maintenance_contract import evidence_names as names

ROOT = Path(__file__).resolve().parents[2]
CONSTANTS = {
    constant: value
    for constant, value in vars(names).items()
    if constant.isupper() and isinstance(value, str)
}


@pytest.mark.parametrize("constant", sorted(CONSTANTS))
def test_a_constant_is_called_as_its_name_and_has_words_of_its_own(constant: str) -> None:
    name = CONSTANTS[constant]
    assert re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper() == constant
    words = names.in_words(name)
    assert [other for other, said in names.WORDS.items() if said == words] == [name]


def test_what_the_trainer_measures_has_words() -> None:
    sources = (ROOT / "trainer/src/maintenance_trainer/diagnose").glob("*.py")
    written = {
        name
        for source in sources
        for name in re.findall(r'Measure(?:\.of)?\(\s*"(\w+)"', source.read_text())
    }
    assert {"outsideSupport", "relabelledTexts"} <= written
    assert written <= set(names.WORDS)
