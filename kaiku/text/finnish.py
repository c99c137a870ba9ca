"""Finnish numbers in their cases: the ending after a colon, and agreement with the word that follows.

Forms after Iso suomen kielioppi, §§ 770-784 (numerals): every part of a number is declined but `toista`.
"""

import re
from collections.abc import Mapping

from kaiku.text.dates import Reader
from kaiku.text.numbers import Numbers
from kaiku.text.verbalise import (
    NO_LETTER_AFTER,
    NO_LETTER_BEFORE,
    RANGE_START,
    ROMAN,
    SIGN,
    Verbaliser,
    digits_of,
    from_roman,
)

_SUFFIXES = {
    "genitive": "n",
    "inessive": "ssa",
    "elative": "sta",
    "adessive": "lla",
    "ablative": "lta",
    "allative": "lle",
    "translative": "ksi",
    "essive": "na",
}
CASES = ("nominative", "partitive", "illative", *_SUFFIXES)

# The ending written after a colon, from the end of the word; the first that fits.
_ENDINGS = (
    (r"ss[aä]$", "inessive"),
    (r"st[aä]$", "elative"),
    (r"ll[aä]$", "adessive"),
    (r"lt[aä]$", "ablative"),
    (r"lle$", "allative"),
    (r"ksi$", "translative"),
    (r"n[aä]$", "essive"),
    (r"([aäeiouyö])\1n$|h[aäeiouyö]n$|^[aäei]n$", "illative"),
    (r"n$", "genitive"),
    (r"[aä]$", "partitive"),
)
_ORDINAL_ENDING = re.compile(r"(s|n?ne|nte|tt[aä])")
_WORD_ENDINGS = ((r"(?<!vuo)(?<!kuukau)(?<!kie)(?<!puo)[^s]een$", "genitive"), *_ENDINGS[:-1])
_LIKE_A_CASE = re.compile(r"(?<!l)lista$|tarina$|ikkuna$|peruna$|^(?:silta|valta|kulta|kassa|massa|villa|pasta)$")
_SHORTEST_DECLINED = 5


def decline(word: Mapping[str, str], case: str) -> str:
    """A noun or numeral in a case of the singular.

    word: `one` nominative, `many` partitive, `weak` and `strong` stems (kahde-, kahte-), both `one` if left out. Of
    several words (`kilometri tunnissa`) the first is declined.
    """
    one, *others = word["one"].split(" ", 1)
    if others:
        many = word["many"].split(" ", 1)[0]
        return f"{decline({**word, 'one': one, 'many': many}, case)} {others[0]}"
    if case in ("nominative", "partitive"):
        return word["one" if case == "nominative" else "many"]
    strong = word.get("strong", word["one"])
    if case == "illative":
        return strong + ("seen" if strong[-2:-1] == strong[-1] else strong[-1] + "n")
    suffix = _SUFFIXES[case].replace("a", word["many"][-1])
    return (strong if case == "essive" else word.get("weak", word["one"])) + suffix


def case_of(ending: str) -> str:
    """The case of an ending after a colon (`ssä`, `een`); unknown: nominative."""
    return next((case for pattern, case in _ENDINGS if re.search(pattern, ending)), "nominative")


class Finnish(Verbaliser):
    """Reads Finnish; numbers stand in the case of their ending or of the word they belong to."""

    def __init__(self, data: Mapping):
        words, ordinals = data["numbers"]["words"], data["ordinals"]["stems"]
        self.in_case = {case: _cardinals(data["numbers"], words, case) for case in CASES}
        self.ordinals = {case: _ordinals(data["numbers"], words, ordinals, case) for case in CASES}
        self.large = {scale["many"]: scale for scale in words["scales"] if scale["value"] >= 10**6}
        super().__init__({**data, "numbers": {**data["numbers"], **_tables(words, "nominative")}})

    def find(self) -> list[tuple[str, Reader]]:
        number, ending = self.number, rf"(?P<ending>[a-zäö]+){NO_LETTER_AFTER}"
        between = rf"{RANGE_START}{number('from')}-{number('to')}(?![\d:-]|\.\d)(?!\.? ?[a-zäö]+kuu)"
        steps = super().find()
        at = next(i for i, (_, reader) in enumerate(steps) if reader == self.range)
        hours = NO_LETTER_BEFORE + r"([Kk]ello )(\d\d?)[.:](\d\d)-(\d\d?)[.:](\d\d)(?![.,:]?\d)"
        large = rf"(?: (?P<large>{'|'.join(self.large)}))?"
        units = rf"(?P<unit>{self._keys('units')}|{self._keys('currency')})"
        unit_end = rf"(?::(?P<unit_ending>[a-zäö]+)|(?<=[^:]){NO_LETTER_AFTER})"
        own = [
            (between, self.between),
            (rf"{SIGN}{number('n')}(?::{ending})?{large} ?{units}{unit_end}", self.measure),
            (rf"{SIGN}{number('n')}:{ending}", self.declined),
            *((rf"{NO_LETTER_BEFORE}{kind['after']}{ROMAN}:{ending}", self.king)
              for kind in self.data["roman"]),
            (r"(?P<n>\d{1,6})\.(?= (?P<next>[a-zåäö]{3,}))", self.agreeing),
            (rf"{SIGN}{number('n')}(?= (?P<next>{self.data['counted']})\b)", self.counting),
        ]  # fmt: skip
        return [steps[0], (hours, self.hours), *steps[1:at], *own, *steps[at + 1 :]]

    def bare_ordinal(self, n: int) -> str:
        return self.ordinals["nominative"].cardinal(n)

    def between(self, found: re.Match) -> str | None:
        """`10-20`: from the elative to the illative, the latter left for what follows it."""
        if self.value(found, "from") >= self.value(found, "to"):
            return None
        last = found.string[found.start("to") : found.end()]
        if re.match(rf" ?[^\s:]+:| {self.data['counted']}\b", found.string[found.end() :]):
            # What is counted brings a case of its own: `5-6 kg:n`, `2-3 tunnissa`.
            return f"{self.say(found, 'from')}-{last}"
        return f"{self._in_case(found, 'from', 'elative')} {last}:een"

    def hours(self, found: re.Match) -> str:
        """`kello 9.00-15.00` as a range of numbers; with minutes as two times with a colon."""
        kello, first, first_minutes, last, last_minutes = found.groups()
        if first_minutes == last_minutes == "00":
            return f"{kello}{int(first)}-{int(last)}"
        return f"{kello}{first}:{first_minutes}-{last}:{last_minutes}"

    def measure(self, found: re.Match) -> str | None:
        """A number and its unit, either of them perhaps with an ending: `3 kg:n`, `5 %:iin`, `2 miljoonaa €:n`."""
        ending = found["unit_ending"] or found["ending"]
        if not ending:
            return None
        noun, case = self.data["units"].get(found["unit"]) or self.data["currency"][found["unit"]], case_of(ending)
        large = decline(self.large[found["large"]], case) + " " if found["large"] else ""
        return f"{self._in_case(found, 'n', case)} {large}{decline(noun, case)}"

    def _in_case(self, found: re.Match, name: str, case: str) -> str:
        whole, fraction = digits_of(found[name]), found[name + "_fraction"]
        words = self.in_case[case].whole(fraction or whole)
        if fraction:
            words = f"{self.numbers.whole(whole)} {self.numbers.point} {words}"
        return f"{self.data['numbers']['minus']} {words}" if found.groupdict().get("sign") else words

    def declined(self, found: re.Match) -> str:
        """`25:ssä`, `5:nnen`, `3:s`: a cardinal or an ordinal in the case of its ending."""
        ending, case = found["ending"], case_of(found["ending"])
        if _ORDINAL_ENDING.match(ending) and not re.match(r"ss[aä]|st[aä]|n[aä]?$", ending):
            return self.ordinals[case].whole(digits_of(found["n"]))
        return self._in_case(found, "n", case)

    def king(self, found: re.Match) -> str | None:
        """`Kustaa III:n`: an ordinal in the case of its ending."""
        n, name = from_roman(found["roman"]), found.string[found.start() : found.start("roman")]
        return name + self.ordinals[case_of(found["ending"])].cardinal(n) if n else None

    def agreeing(self, found: re.Match) -> str:
        """`3. kerroksessa`: an ordinal in the case of the word after it."""
        return self.ordinals[self._case_of_word(found["next"])].whole(found["n"])

    def counting(self, found: re.Match) -> str:
        """`2 tunnissa`: a cardinal in the case of the noun it counts."""
        return self._in_case(found, "n", self._case_of_word(found["next"]))

    def _case_of_word(self, word: str) -> str:
        if word.removesuffix("n") + "ta" in self.calendar.months:
            return "genitive"
        if len(word) < _SHORTEST_DECLINED or word.endswith("nen") or _LIKE_A_CASE.search(word):
            return "nominative"
        return next((case for pattern, case in _WORD_ENDINGS if re.search(pattern, word)), "nominative")


def _cardinals(numbers: Mapping, words: Mapping, case: str) -> Numbers:
    return Numbers({**numbers, **_tables(words, case)}, {})


def _tables(words: Mapping, case: str) -> dict:
    """`small` and `scales` of the cardinals in a case; in the nominative what is counted stands in the partitive."""
    ones = [decline(word, case) for word in words["ones"]]
    counted = "partitive" if case == "nominative" else case
    teens = [ones[n] + "toista" for n in range(1, 10)]
    tens = [ones[n] + decline(words["ones"][10], counted) for n in range(2, 10)]
    small = ones + teens + [ten + (ones[n] if n else "") for ten in tens for n in range(10)]
    scales = [
        {
            "value": scale["value"],
            "one": decline(scale, case),
            "many": decline(scale, counted),
            # Hundreds and thousands are written in one word, millions apart.
            **({"glue": "", "join": ""} if scale["value"] < 10**6 else {}),
        }
        for scale in words["scales"]
    ]
    return {"small": small, "scales": scales}


def _ordinals(numbers: Mapping, words: Mapping, stems: Mapping, case: str) -> Numbers:
    """The ordinals in a case, as the `cardinal` of tables of their own."""

    def form(stem: str) -> str:
        vowel = "ä" if re.search(r"[äöye]$", stem) and not re.search(r"[aou]", stem) else "a"
        return decline(
            {"one": stem + "s", "weak": stem + "nne", "strong": stem + "nte", "many": f"{stem}tt{vowel}"}, case
        )

    first, second = (decline(stems[name], case) for name in ("first", "second"))
    ones = [form(stem) for stem in stems["ones"]]
    joined, ten = ones[1:3], form(stems["ten"])
    ones[1:3] = first, second
    teens = [part + "toista" for part in (*joined, *ones[3:10])]
    tens = [part + ten for part in (joined[1], *ones[3:10])]
    small = [*ones, ten, *teens] + [ten + (ones[n] if n else "") for ten in tens for n in range(10)]
    scales = [
        {"value": scale["value"], "one": form(stem), "glue": "", "join": "", "form": "attributive"}
        for scale, stem in zip(words["scales"], stems["scales"])
    ]
    forms = {"attributive": [[f"{first}$", joined[0]], [f"{second}$", joined[1]]]}
    return Numbers({**numbers, "small": small, "scales": scales, "forms": forms}, {})
