import random

import pytest

from kaiku.text.finnish import CASES, Finnish, decline
from kaiku.text.language import codes, data_of
from kaiku.text.verbalise import Verbaliser, from_roman

TAGS = [*codes(), "en-GB", "pt-PT"]


def verbaliser(tag):
    data = data_of(tag)
    return Finnish(data) if data["code"] == "fi" else Verbaliser(data)


@pytest.mark.parametrize("tag", TAGS)
def test_no_two_numbers_have_one_name(tag):
    numbers, draw = verbaliser(tag).numbers, random.Random(7)
    some = {*range(3000), *(draw.randrange(10**digits) for digits in range(4, 14) for _ in range(100))}
    assert len({numbers.cardinal(n) for n in some}) == len(some)


@pytest.mark.parametrize("tag", TAGS)
def test_numbers_have_words_up_to_ten_to_the_twelfth(tag):
    numbers = verbaliser(tag).numbers
    assert numbers.limit > 10**12
    assert len(numbers.whole(str(10**12)).split()) <= 3
    assert numbers.whole("9" * 30) == numbers.digits("9" * 30)
    assert numbers.whole("9" * 5000) == numbers.digits("9" * 5000), "longer than Python reads as an integer"
    assert numbers.whole("007") == numbers.digits("007")


@pytest.mark.parametrize("tag", TAGS)
def test_no_two_ordinals_have_one_name(tag):
    ordinals = {verbaliser(tag).bare_ordinal(n) for n in range(1, 100)}
    assert len(ordinals) == 99


@pytest.mark.parametrize(
    ("case", "two", "fourteen", "forty_five", "hundreds"),
    [
        ("nominative", "kaksi", "neljätoista", "neljäkymmentäviisi", "kaksisataa"),
        ("genitive", "kahden", "neljäntoista", "neljänkymmenenviiden", "kahdensadan"),
        ("partitive", "kahta", "neljäätoista", "neljääkymmentäviittä", "kahtasataa"),
        ("inessive", "kahdessa", "neljässätoista", "neljässäkymmenessäviidessä", "kahdessasadassa"),
        ("elative", "kahdesta", "neljästätoista", "neljästäkymmenestäviidestä", "kahdestasadasta"),
        ("illative", "kahteen", "neljääntoista", "neljäänkymmeneenviiteen", "kahteensataan"),
        ("adessive", "kahdella", "neljällätoista", "neljälläkymmenelläviidellä", "kahdellasadalla"),
        ("ablative", "kahdelta", "neljältätoista", "neljältäkymmeneltäviideltä", "kahdeltasadalta"),
        ("allative", "kahdelle", "neljälletoista", "neljällekymmenelleviidelle", "kahdellesadalle"),
        ("essive", "kahtena", "neljänätoista", "neljänäkymmenenäviitenä", "kahtenasatana"),
        ("translative", "kahdeksi", "neljäksitoista", "neljäksikymmeneksiviideksi", "kahdeksisadaksi"),
    ],
)
def test_finnish_cases(case, two, fourteen, forty_five, hundreds):
    numbers = verbaliser("fi").in_case[case]
    assert [numbers.cardinal(n) for n in (2, 14, 45, 200)] == [two, fourteen, forty_five, hundreds]


def test_finnish_ordinals():
    ordinals = verbaliser("fi").ordinals
    assert set(ordinals) == set(CASES) and len(CASES) == 11
    assert ordinals["nominative"].cardinal(1) == "ensimmäinen"
    assert ordinals["nominative"].cardinal(22) == "kahdeskymmenestoinen"
    assert ordinals["nominative"].cardinal(200) == "kahdessadas"
    assert ordinals["genitive"].cardinal(12) == "kahdennentoista"
    assert ordinals["inessive"].cardinal(30) == "kolmannessakymmenennessä"
    assert ordinals["partitive"].cardinal(4) == "neljättä"
    assert ordinals["illative"].cardinal(100) == "sadanteen"


def test_decline_a_stem_in_a_long_vowel():
    degree = {"one": "aste", "many": "astetta", "weak": "astee", "strong": "astee"}
    assert decline(degree, "illative") == "asteeseen" and decline(degree, "inessive") == "asteessa"


def test_from_roman():
    assert [from_roman(numeral) for numeral in ("I", "IV", "VIII", "IX", "XIV", "XXXIX")] == [1, 4, 8, 9, 14, 39]
    assert [from_roman(numeral) for numeral in ("", "IIII", "VV", "IXI", "XL")] == [0, 0, 0, 0, 0]
