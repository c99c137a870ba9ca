"""Figures and abbreviations in words: dates, times, amounts, ordinals and numbers, by the tables of one language."""

import re
import unicodedata
from collections.abc import Callable, Mapping

from kaiku.text.dates import Calendar, Reader
from kaiku.text.numbers import Numbers

# Vowel signs of the scripts of India are not `\w` to `re`, though they are parts of words.
_SIGNS = "\u0900-\u0963\u0971-\u0d7f"  # without the danda, which ends a sentence
LETTER_BEFORE, NO_LETTER_BEFORE = rf"(?:(?<=[^\W\d_])|(?<=[{_SIGNS}]))", rf"(?<![^\W\d_])(?<![{_SIGNS}])"
NO_LETTER_AFTER = rf"(?![^\W\d_])(?![{_SIGNS}])"
_WORD_PART = re.compile(rf"[^\W\d_]|[{_SIGNS}]")
# These begin with the character that they look for: looking behind costs more, and is left to where that stands.
SIGN = rf"(?P<sign>-(?<![\w)%‰°€$£₹¥-]-)(?<!\d\.-)(?<![{_SIGNS}]-))?"
_ALONE = r"(?=\d)(?<!\d)(?<!\d[.,:/])", r"(?!\d)(?![.,:/]\d)"
_PHONE = r"(?<!\d )(?<![\d.,])(?:\+\d|\b(?!\d\d-\d\d-\d{4}\b)0\d)(?:[ /-]?\(?\d+\)?){2,}|\(?\b\d{3}\)?[ -]\d{3}-\d{4}\b"
RANGE_START = r"(?=\d)(?<![\w.,:/$€£₹¥-])(?<![$€£₹¥] )"
_SHORTEST_PHONE = 7
ROMAN = rf" (?P<roman>[IVX]+){NO_LETTER_AFTER}"
_FRACTION = r"(?:(?<![\d/.,])(?P<whole>\d{1,3}) )?(?<![\d/.,])(?P<n>\d{1,3})/(?P<d>\d{1,3})(?![/.,]?\d)"


class Verbaliser:
    """Reads a text aloud in writing: `verbaliser(text)` is the text without digits."""

    def __init__(self, data: Mapping):
        self.data = data
        self.numbers = Numbers(data["numbers"], data["ordinals"])
        self.calendar = Calendar(data, self.numbers, self.ordinal)
        self.number = self._number(data["numbers"])
        self.steps = [(re.compile(pattern), reader) for pattern, reader in self.find() if pattern]

    def __call__(self, text: str) -> str:
        text = _plain_digits(text)
        for pattern, reader in self.steps:
            text = pattern.sub(lambda found, reader=reader: self._placed(found, reader(found)), text)
        return text

    def find(self) -> list[tuple[str, Reader]]:
        """What is looked for and how it is read, the most particular first."""
        return [
            (self._names("abbreviations"), self.abbreviation),
            (self.number("n") + self.data["compound"] if "compound" in self.data else "", self.compound),
            *self.calendar.find_dates(),
            *self.calendar.find_times(),
            ("|".join([_PHONE, *self.data.get("phones", ())]), self.phone),
            (self._marked_twice(), self.marked_once),
            (self._years() if self.data["years"].get("by_century") else "", self.years),
            (rf"{RANGE_START}{self.number('from')}-(?={self.number('to')}(?![\d-]))", self.range),
            *self._amounts(),
            (_FRACTION + rf"(?: ?(?P<unit>{self._keys('units')}){NO_LETTER_AFTER})?", self.fraction),
            *((mark["pattern"], self._ordinal_mark(mark)) for mark in self.data["ordinals"].get("marks", ())),
            (SIGN + self.number("n") + rf" ?(?P<unit>{self._keys('units')}){NO_LETTER_AFTER}", self.quantity),
            *((NO_LETTER_BEFORE + roman["after"] + ROMAN + roman.get("end", ""), self._roman(roman))
              for roman in self.data.get("roman", ())),
            *self.calendar.find_years(),
            (SIGN + self.number("n"), self.plain_number),
            (r"\d+(?:\.\d+)+", self.dotted),
            (r"\d+", lambda found: self.numbers.whole(found[0])),
            (r"(?:" + "|".join(map(re.escape, self.data.get("symbols", {}))) + ")", self.symbol),
        ]  # fmt: skip

    def _number(self, numbers: Mapping) -> Callable[[str], str]:
        """name -> pattern of a number as the language groups it, with groups `name` and `name_fraction`."""
        grouped = [rf"[1-9]\d{{0,2}}(?:{re.escape(mark)}\d{{3}})+(?!\d)" for mark in numbers["groups"]]
        if numbers.get("lakhs"):
            grouped.insert(0, r"[1-9]\d?(?:,\d{2})*,\d{3}(?!\d)")
        whole, mark, (before, after) = "|".join([*grouped, r"\d+"]), re.escape(numbers["mark"]), _ALONE
        return lambda name: rf"{before}(?P<{name}>{whole})(?:{mark}(?P<{name}_fraction>\d+))?{after}"

    def _keys(self, table: str) -> str:
        return "|".join(re.escape(key) for key in sorted(self.data[table], key=lambda key: (-len(key), key)))

    def _names(self, table: str) -> str:
        return f"{NO_LETTER_BEFORE}(?:{self._keys(table)}){NO_LETTER_AFTER}"

    def _placed(self, found: re.Match, words: str | None) -> str:
        """Words in the place of what was found, with a space where a letter touches them."""
        if words is None:
            return found[0]
        before, after = found.string[: found.start()][-1:], found.string[found.end() :][:1]
        takes = self._takes(found)
        for following, pattern, replacement in self.data.get("before_endings", ()) if takes else ():
            if re.match(following, after):
                words = re.sub(pattern, replacement, words)
        if before and _WORD_PART.match(before) and _WORD_PART.match(words):
            words = " " + words
        if after and _WORD_PART.match(after) and _WORD_PART.match(words[-1:]) and not takes:
            words += " "
        return words

    def _takes(self, found: re.Match) -> bool:
        """Whether what follows is an ending of the number and is written in one with its words."""
        after = found.string[found.end() :]
        return bool(re.match(self.data.get("endings", "(?!)"), after)) or found[0].endswith("-")

    def abbreviation(self, found: re.Match) -> str:
        """Its words; a full stop that ends the text as well stays."""
        words = self.data["abbreviations"][found[0]]
        return words + "." if found[0].endswith(".") and found.end() == len(found.string) else words

    # -- numbers with something ---------------------------------------------------------------------------------

    def phone(self, found: re.Match) -> str | None:
        """Digit by digit, the plus by its name."""
        figures = digits_of(found[0])
        if len(figures) < _SHORTEST_PHONE:
            return None
        plus = self.data["numbers"]["plus"] + " " if found[0].startswith("+") else ""
        return plus + self.numbers.digits(figures)

    def _marked_twice(self) -> str:
        mark = rf"(?P<mark>{self._keys('units')}|{self._keys('currency')})"
        first = rf"{RANGE_START}(?P<amount>{self.number('from')}) ?{mark}"
        return rf"{first}-(?={self.number('to')} ?(?P=mark){NO_LETTER_AFTER})"

    def marked_once(self, found: re.Match) -> str:
        """`5%-10%` as `5-10%`."""
        return found["amount"] + "-"

    def _years(self) -> str:
        no_unit = rf"(?! ?(?:{self._keys('units')}|{self._keys('currency')}){NO_LETTER_AFTER})"
        return rf"{RANGE_START}(?P<from>[12]\d{{3}})-(?P<to>[12]\d{{3}})(?![\d-])(?![.,:/]\d){no_unit}"

    def years(self, found: re.Match) -> str | None:
        """`1914-1918`, in languages that read years by hundreds."""
        first, last = int(found["from"]), int(found["to"])
        if first >= last:
            return None
        return f"{self.calendar.year(first)} {self.numbers.to} {self.calendar.year(last)}"

    def range(self, found: re.Match) -> str | None:
        """`10-20`: the first number and the word between the two."""
        if self.value(found, "from") >= self.value(found, "to"):
            return None
        return f"{self.say(found, 'from')} {self.numbers.to} "

    def value(self, found: re.Match, name: str) -> float:
        """What a number amounts to."""
        return float(f"{digits_of(found[name])}.{found[name + '_fraction'] or '0'}")

    def say(self, found: re.Match, name: str, form: str = "") -> str:
        """A number that was found, with its sign."""
        figures, fraction = digits_of(found[name]), found[name + "_fraction"]
        words = self.numbers.decimal(figures, fraction) if fraction else self.numbers.whole(figures, form)
        return f"{self.data['numbers']['minus']} {words}" if found.groupdict().get("sign") else words

    def counted(self, found: re.Match, name: str, noun: Mapping, form: str) -> str:
        """A number and what it counts, in the form that the number asks for."""
        alone = digits_of(found[name]) == "1" and not found[name + "_fraction"]
        millions = digits_of(found[name])[1:].endswith("000000") and not found[name + "_fraction"]
        link = self.data["numbers"].get("of_millions", "") if millions else ""
        words = self.say(found, name, noun.get("form", form))
        return " ".join(filter(None, [words, link, noun["one"] if alone else noun["many"]]))

    def _amounts(self) -> list[tuple[str, Reader]]:
        symbols, number = self._keys("currency"), self.number("n")
        large = rf"(?: ?(?P<large>{self.data['numbers']['large']}){NO_LETTER_AFTER})?"
        return [
            (rf"{SIGN}{NO_LETTER_BEFORE}(?P<currency>{symbols}) ?{number}{large}(?:/-)?", self.amount),
            (rf"{SIGN}{number}{large} ?(?P<currency>{symbols}){NO_LETTER_AFTER}", self.amount),
        ]

    def amount(self, found: re.Match) -> str:
        """A sum of money; two decimals are its hundredths."""
        noun, fraction = self.data["currency"][found["currency"]], found["n_fraction"]
        if found["large"]:
            return f"{self._in_large(found)} {noun['many']}"
        if not fraction or len(fraction) != 2 or "part" not in noun:
            return self.counted(found, "n", noun, "attributive")
        whole, hundredths = digits_of(found["n"]), int(fraction)
        alone, form = whole == "1", noun.get("form", "attributive")
        words = f"{self.numbers.whole(whole, form)} {noun['one'] if alone else noun['many']}"
        if found["sign"]:
            words = f"{self.data['numbers']['minus']} {words}"
        if not hundredths:
            return words
        part = noun["part"] if hundredths == 1 else noun["parts"]
        link = self.data["numbers"].get("and_hundredths", "")
        return " ".join(filter(None, [words, link, self.numbers.cardinal(hundredths, "attributive"), part]))

    def _in_large(self, found: re.Match) -> str:
        """`5 million`: by its form before a currency; where it has none and is a unit too, as that is counted."""
        large, forms, units = found["large"], self.data["numbers"].get("large_forms", {}), self.data["units"]
        if large in units and large not in forms:
            return self.counted(found, "n", units[large], "attributive")
        return f"{self.say(found, 'n', 'attributive')} {forms.get(large, large)}"

    def fraction(self, found: re.Match) -> str:
        """`3/4`, `1 1/2`, `½ kg`: by name, or with the word between the two."""
        table, whole, unit = self.data["fractions"], found["whole"], self.data["units"].get(found["unit"])
        half = (found["n"], found["d"]) == ("1", "2") and self._half(whole, unit)
        words = half or self._part(int(found["n"]), int(found["d"]))
        if whole:
            words = f"{self.numbers.whole(whole)} {table['and']} {words}"
        if unit is None:
            return words
        noun = unit["many"] if whole else unit[table.get("unit", "one")]
        return " ".join(filter(None, [words, "" if whole or half else table.get("of"), noun]))

    def _half(self, whole: str | None, unit: Mapping | None) -> str | None:
        """A half that stands after a whole number or before a unit."""
        table = self.data["fractions"]
        if unit and unit.get("form") == "feminine" and not whole:
            return table.get("half_feminine")
        return table.get("half") if whole or unit else None

    def _part(self, n: int, d: int) -> str:
        table = self.data["fractions"]
        names = table["parts"].get(str(d))
        if f"{n}/{d}" in table:
            return table[f"{n}/{d}"]
        if names and 0 < n < d:
            return f"{self.numbers.cardinal(n, 'attributive')} {names[n > 1]}"
        return f"{self.numbers.cardinal(n)} {table['over']} {self.numbers.cardinal(d)}"

    def quantity(self, found: re.Match) -> str:
        """A number and its unit."""
        return self.counted(found, "n", self.data["units"][found["unit"]], "attributive")

    # -- ordinals and what is left ------------------------------------------------------------------------------

    def ordinal(self, n: int, found: re.Match) -> str:
        """An ordinal in the form that the words before it ask for; a group `before` of what was found holds some."""
        table, before = self.data["ordinals"], found.string[: found.start()] + found.groupdict().get("before", "")
        endings = (ending for pattern, ending in table.get("after", ()) if re.search(rf"\b(?:{pattern})\s$", before))
        return self.bare_ordinal(n) + next(endings, table.get("ending", ""))

    def bare_ordinal(self, n: int) -> str:
        """An ordinal as the tables have it."""
        return self.numbers.ordinal(n)

    def _ordinal_mark(self, mark: Mapping) -> Reader:
        def read(found: re.Match) -> str | None:
            figures = digits_of(found["n"])
            if len(figures) > 9:
                return None
            words = self.ordinal(int(figures), found)
            for pattern, replacement in mark.get("replace", ()):
                words = re.sub(pattern, replacement, words)
            return found.groupdict().get("before", "") + words

        return read

    def _roman(self, kind: Mapping) -> Reader:
        def read(found: re.Match) -> str | None:
            n = from_roman(found["roman"])
            if not n:
                return None
            ordinal = kind["read"] == "ordinal" and n <= kind.get("up_to", n)
            words = self.bare_ordinal(n) if ordinal else self.numbers.cardinal(n)
            for pattern, replacement in kind.get("replace", ()) if ordinal else ():
                words = re.sub(pattern, replacement, words)
            return found[0][: found.start("roman") - found.start()] + kind.get("form", "{}").format(words)

        return read

    def compound(self, found: re.Match) -> str:
        """`25-jährig`: one word with what follows."""
        return self.say(found, "n", "attributive")

    def plain_number(self, found: re.Match) -> str:
        """A number that nothing else has read, in the form that the next word asks for."""
        after = found.string[found.end() :]
        forms = (form for pattern, form in self.data.get("agreement", ()) if re.match(pattern, after))
        return self.say(found, "n", next(forms, ""))

    def dotted(self, found: re.Match) -> str:
        """Versions and addresses, part by part."""
        return f" {self.data['numbers']['dot']} ".join(self.numbers.whole(part) for part in found[0].split("."))

    def symbol(self, found: re.Match) -> str:
        return f" {self.data['symbols'][found[0]]} "


def from_roman(numeral: str) -> int:
    """A Roman numeral from I to XXXIX; 0 where it is none."""
    found = re.fullmatch(r"(X{0,3})(IX|IV|V?I{0,3})", numeral)
    if not found:
        return 0
    ones = {"IX": 9, "IV": 4}.get(found[2], 5 * ("V" in found[2]) + found[2].count("I"))
    return 10 * len(found[1]) + ones


def digits_of(number: str) -> str:
    """A number without its grouping."""
    return re.sub(r"\D", "", number)


def _plain_digits(text: str) -> str:
    """Digits of every script as 0 to 9, fractions of one character as `1/2`."""
    read = []
    for character in text:
        digit = unicodedata.digit(character, None)
        if digit is not None:
            apart = not character.isdecimal() and read and read[-1][-1:].isdigit()
            read.append(f" {digit}" if apart else str(digit))
        elif unicodedata.category(character) == "No" and "\u2044" in unicodedata.normalize("NFKC", character):
            fraction = unicodedata.normalize("NFKC", character).replace("\u2044", "/")
            read.append(f" {fraction}" if read and read[-1][-1:].isdigit() else fraction)
        else:
            read.append(character)
    return "".join(read)
