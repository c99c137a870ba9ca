import unicodedata
from pathlib import Path

import pytest

from kaiku.store import code
from kaiku.text import language
from kaiku.text.language import codes, data_of

FOLDER = Path(language.__file__).parent


def test_every_file_is_declared():
    assert sorted(f"languages/{path.name}" for path in (FOLDER / "languages").iterdir()) == list(language.DATA_FILES)
    assert "kaiku.text.language" in code.closure("kaiku.text.normalise")
    assert len(code.data_files("kaiku.text.language")) == len(codes()) == 7


@pytest.mark.parametrize("name", codes())
def test_a_file_says_what_it_is(name):
    data = data_of(name)
    assert data["code"] == name and isinstance(data["version"], int)
    for key in ("numbers", "ordinals", "dates", "years", "times", "currency", "units", "fractions", "abbreviations"):
        assert key in data, key
    assert len(data["dates"]["months"]) == 12
    assert unicodedata.is_normalized("NFC", str(data))


def test_a_region_lies_over_its_language():
    base, variant = data_of("pt"), data_of("pt-PT")
    assert base["numbers"]["small"][16] == "dezesseis" and variant["numbers"]["small"][16] == "dezasseis"
    assert variant["numbers"]["mark"] == base["numbers"]["mark"]
    assert variant["currency"]["R$"] == base["currency"]["R$"]
    assert data_of("pt-XX") == base and data_of("sv") is None and data_of("") is None
