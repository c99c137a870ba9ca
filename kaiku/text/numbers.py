"""Whole numbers, ordinals and decimals in words, from the tables of one language."""

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """A power of ten that has a word: hundred, thousand, lakh, million.

    one, many: the word after one and after more; one_more, many_more: the same where smaller numbers follow.
    words: words of twice to nine times the scale, where they are words of their own (doscientos).
    glue: between multiplier and word; join: between the word and what follows.
    form: the form the multiplier takes (`attributive`: ein, un); agrees: it takes the gender of what is counted.
    """

    value: int
    one: str
    many: str = ""
    one_more: str = ""
    many_more: str = ""
    words: tuple[str, ...] = ()
    glue: str = " "
    join: str = " "
    form: str = ""
    agrees: bool = False


class Numbers:
    """Number words of one language, by `[numbers]` and `[ordinals]` of its data file; n >= 0 everywhere."""

    def __init__(self, numbers: Mapping, ordinals: Mapping):
        self.small = numbers["small"]
        self.scales = sorted((Scale(**scale) for scale in numbers["scales"]), key=lambda s: -s.value)
        self.limit = numbers.get("limit", 1000 * self.scales[0].value)
        self.forms = numbers.get("forms", {})
        self.link, self.links = numbers.get("link", ""), numbers.get("links", "never")
        self.point, self.decimals, self.to = numbers["point"], numbers["decimals"], numbers["to"]
        self.ordinal_parts = {int(n): word for n, word in ordinals.get("parts", {}).items()}
        self.ordinal_endings = ordinals.get("endings", [])
        self.ordinal_words = {int(n): word for n, word in ordinals.get("words", {}).items()}

    def cardinal(self, n: int, form: str = "") -> str:
        """n in words; form: one of `[numbers.forms]`. From `limit` on it is read digit by digit."""
        if n >= self.limit:
            return self.digits(str(n))
        if n < 100:
            return self._formed(self.small[n], form)
        scale = next(scale for scale in self.scales if scale.value <= n)
        times, rest = divmod(n, scale.value)
        head = self._head(scale, times, bool(rest), form)
        return head + self._join(scale, rest) + self.cardinal(rest, form) if rest else head

    def _head(self, scale: Scale, times: int, more: bool, form: str) -> str:
        if times == 1:
            return scale.one_more if more and scale.one_more else scale.one
        if scale.words:
            return self._formed(scale.words[times - 2], form)
        oblique = more or form in ("attributive", "oblique")
        word = (oblique and scale.many_more) or scale.many or scale.one
        times_form = form if scale.agrees and form == "feminine" else scale.form
        return self.cardinal(times, times_form) + scale.glue + word

    def _join(self, scale: Scale, rest: int) -> str:
        linked = self.links != "never" and (scale.value == 100 or self._stands_last(rest))
        return f" {self.link} " if linked else scale.join

    def _stands_last(self, rest: int) -> bool:
        """Whether a link word stands before the rest: before tens and ones, by `round` before round hundreds too."""
        if self.links == "round":
            while rest % 1000 == 0:
                rest //= 1000
            return rest < 100 or (rest < 1000 and rest % 100 == 0)
        return rest < 100

    def _formed(self, words: str, form: str) -> str:
        for pattern, replacement in self.forms.get(form, ()):
            words, found = re.subn(pattern, replacement, words)
            if found:
                break
        return words

    def ordinal(self, n: int) -> str:
        """n as an ordinal in its first form (masculine, nominative); beyond its tables the cardinal."""
        if self.ordinal_parts and 0 < n < 2 * max(self.ordinal_parts):
            return " ".join(self._parts(n))
        if n in self.ordinal_words:
            return self.ordinal_words[n]
        words = self.cardinal(n)
        for pattern, replacement in self.ordinal_endings:
            words, found = re.subn(pattern, replacement, words, count=1)
            if found:
                break
        return words

    def _parts(self, n: int) -> list[str]:
        part = max(part for part in self.ordinal_parts if part <= n)
        return [self.ordinal_parts[part], *(self._parts(n - part) if n > part else [])]

    def digits(self, figures: str) -> str:
        """Digits one by one."""
        return " ".join(self.small[int(figure)] for figure in figures)

    def whole(self, figures: str, form: str = "") -> str:
        """A string of digits as a number; digit by digit where it begins with 0 or has no words."""
        if (len(figures) > 1 and figures[0] == "0") or len(figures) > len(str(self.limit)):
            return self.digits(figures)
        return self.cardinal(int(figures), form)

    def decimal(self, whole: str, fraction: str) -> str:
        """Digits before and after the decimal point; the latter as a number of up to two digits, or one by one."""
        as_number = self.decimals == "number" and len(fraction) <= 2
        return f"{self.whole(whole)} {self.point} {self.whole(fraction) if as_number else self.digits(fraction)}"
