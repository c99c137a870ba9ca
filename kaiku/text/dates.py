"""Dates, years and times of day in words, by the tables of one language."""

import re
from collections.abc import Callable, Iterator, Mapping

from kaiku.text.numbers import Numbers

Reader = Callable[[re.Match], str | None]
"""What a find is read as; None: it is not what it looked like, and stays for later readers."""

_TIME = r"(?P<h>\d{1,2})[:.](?P<min>\d\d)"
_ISO = r"(?P<y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)"


class Calendar:
    """Finds dates, years and times by `[dates]`, `[years]` and `[[times]]` of a data file.

    ordinal(n, found): a day as an ordinal, in the form that the text before `found` asks for.
    """

    def __init__(self, data: Mapping, numbers: Numbers, ordinal: Callable[[int, re.Match], str]):
        self.dates, self.years, self.times = data["dates"], data["years"], data["times"]
        self.numbers, self.ordinal = numbers, ordinal
        self.months = {name: n for n, names in enumerate(self.dates["months"], 1) for name in names.split("|")}

    def find_dates(self) -> Iterator[tuple[str, Reader]]:
        """Dates as ISO 8601 has them, as figures in the order of the language, and with the names of months.

        The first of two with a hyphen between them is looked for before all others.
        """
        names = "|".join(re.escape(name) for name in sorted(self.months, key=len, reverse=True))
        month = f"(?P<name>{names})"
        first, second, mark = self.dates["order"][0], self.dates["order"][1], self.dates["mark"]
        numeric = rf"(?P<{first}>\d\d?)(?P<mark>[{mark}])(?P<{second}>\d\d?)(?P=mark)(?P<y>\d{{4}}|\d\d)"
        plain = {"read": self.dates["read"], "year": self.dates["year"]}
        end = self.dates.get("end", r"(?!\w)")
        both = rf"{numeric}-(?=\d\d?(?P=mark)\d\d?(?P=mark)\d{{4}}(?!\d))"
        yield rf"(?<!\w)(?<!\d[./-]){both}", self._date(plain, f" {self.numbers.to or '-'} ")
        for kind in ({"pattern": _ISO}, {"pattern": numeric}, *self.dates["named"]):
            pattern = kind["pattern"].replace("MONTH", month)
            yield rf"(?<!\w)(?<!\d[./-]){pattern}(?![./-]?\d){end}", self._date({**plain, **kind})

    def _date(self, kind: Mapping, after: str = "") -> Reader:
        def read(found: re.Match) -> str | None:
            parts = found.groupdict()
            month = self.months[parts["name"]] if parts.get("name") else int(parts["m"])
            day, year = int(parts.get("d") or 1), parts.get("y")
            if month > 12 >= day and kind["year"]:
                month, day = day, month
            if not (1 <= month <= 12 and 1 <= day <= 31):
                return None
            words = (kind["read"] + (kind["year"] if year else "")).format(
                day=self._day(day, found),
                month=self.dates["months"][month - 1].split("|")[0],
                year=self.year(_full_year(year)) if year else "",
            )
            return words + after

        return read

    def _day(self, day: int, found: re.Match) -> str:
        if day == 1 and self.dates.get("first"):
            return self.dates["first"]
        return self.ordinal(day, found) if self.dates["day"] == "ordinal" else self.numbers.cardinal(day)

    def year(self, year: int) -> str:
        """A year: in the ranges of `by_century` by hundreds, else as any number."""
        if not any(first <= year <= last for first, last in self.years.get("by_century", ())):
            return self.numbers.cardinal(year)
        century, rest = divmod(year, 100)
        form = self.years["round" if not rest else "low" if rest < 10 else "read"]
        return form.format(century=self.numbers.cardinal(century), rest=self.numbers.cardinal(rest))

    def find_years(self) -> Iterator[tuple[str, Reader]]:
        """Years without a date, where the words around them tell."""
        for kind in self.years.get("where", ()):
            yield kind["pattern"], self._year(kind)

    def _year(self, kind: Mapping) -> Reader:
        def read(found: re.Match) -> str:
            words = self.year(int(found["y"]))
            for pattern, replacement in kind.get("endings", ()):
                words, changed = re.subn(pattern, replacement, words)
                if changed:
                    break
            return found.groupdict().get("before", "") + words

        return read

    def find_times(self) -> Iterator[tuple[str, Reader]]:
        """Times of day; of two with a hyphen between them the first is read as the last kind of `[[times]]` is."""
        if self.numbers.to:
            second = "|".join(re.sub(r"\?P<\w+>", "?:", kind["pattern"]) for kind in self.times)
            yield (
                rf"(?<![\d.,:]){_TIME}-(?=(?:{second})(?![.,:]?\d))",
                self._time(self.times[-1], f" {self.numbers.to} "),
            )
        for kind in self.times:
            yield rf"(?<![\d.,:]){kind['pattern']}(?![.,:]?\d)", self._time(kind)

    def _time(self, kind: Mapping, after: str = "") -> Reader:
        def read(found: re.Match) -> str | None:
            parts = found.groupdict()
            hour, minute, second = (int(parts.get(name) or 0) for name in ("h", "min", "s"))
            if hour > 24 or minute > 59 or second > 59:
                return None
            form = kind["round"] if not minute else kind.get("low", kind["read"]) if minute < 10 else kind["read"]
            words = form.format(
                hour=self.numbers.cardinal(hour, kind.get("form", "")),
                minute=self.numbers.cardinal(minute),
                hours=kind.get("hours", ("", ""))[hour != 1],
                minutes=kind.get("minutes", ("", ""))[minute != 1],
            )
            return words + (" " + self.numbers.cardinal(second) if parts.get("s") else "") + after

        return read


def _full_year(figures: str) -> int:
    """Two digits are a year from 1950 to 2049."""
    year = int(figures)
    return year if len(figures) == 4 else year + (2000 if year < 50 else 1900)
