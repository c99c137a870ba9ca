"""Golden files: raw text, how it is spoken, what the case shows."""

import unicodedata
from pathlib import Path

import pytest

from kaiku.text.language import codes
from kaiku.text.normalise import normalise

GOLDEN = Path(__file__).parent / "golden"
CASES = [
    (path.stem, *line.split("\t"))
    for path in sorted(GOLDEN.glob("*.tsv"))
    for line in path.read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize(
    ("language", "raw", "spoken", "shows"), CASES, ids=lambda value: value if value.isascii() else ""
)
def test_golden(language, raw, spoken, shows):
    assert normalise(raw, language) == spoken, shows
    assert normalise(spoken, language) == spoken, "idempotent"
    assert not any(character.isdigit() for character in spoken) and unicodedata.is_normalized("NFC", spoken)


@pytest.mark.parametrize("language", codes())
def test_a_language_has_forty_cases(language):
    raw = [case[1] for case in CASES if case[0] == language]
    assert len(set(raw)) == len(raw) >= 40


def test_the_region_chooses():
    assert normalise("16 km", "pt-PT") == normalise("16 km", "pt_pt") == "dezasseis quilómetros"
    assert normalise("16 km", "pt-BR") == normalise("16 km", "PT") == "dezesseis quilômetros"
    assert normalise("16", "pt-Latn-PT") == "dezasseis"
