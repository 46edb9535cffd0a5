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


def test_the_trainer_spells_no_name_of_its_own() -> None:
    trainer = ROOT / "trainer/src/maintenance_trainer"
    sources = [
        source for part in ("diagnose", "tasks") for source in (trainer / part).rglob("*.py")
    ]
    used = {
        name
        for source in sources
        for name in re.findall(r"evidence_names\.([A-Z_]+)", source.read_text())
    }
    assert {"OUTSIDE_SUPPORT", "RELABELLED_TEXTS", "UNSEEN_CHANNELS", "EMPTY_TEXTS"} <= used
    assert used <= CONSTANTS.keys()
    written = {
        text
        for source in sources
        for text in re.findall(r'"(\w+)"', source.read_text())
        if text in names.WORDS or re.search(rf'Measure(?:\.of)?\(\s*"{text}"', source.read_text())
    }
    assert not written
