"""A plan as text: why, what, how long, how much disk."""

from collections.abc import Sequence

from kaiku.planning.estimate import Disk, Stage
from kaiku.sections import PriceSettings

NOTHING = "Nothing to do: everything asked for is there, and made of what stands there now."


def page(
    system: str, reasons: Sequence[str], stages: Sequence[Stage], disk: Disk, price: PriceSettings | None = None
) -> str:
    """The plan of a system, ready to print; with a price, what its time costs."""
    if not stages:
        return NOTHING
    parts = [f"Plan of {system}: {_many(sum(stage.jobs for stage in stages), 'job')}", "", "Why"]
    parts += [f"  {reason}" for reason in reasons]
    parts += ["", *_table(stages), "", _time(stages), *_money(stages, price), _disk(disk)]
    return "\n".join(parts)


def _table(stages: Sequence[Stage]) -> list[str]:
    rows = [("Stage", "jobs", "to compute", "there", "", "time")]
    rows += [(s.name, f"{s.jobs}", _count(s), f"{s.there:,}" if s.there else "", s.unit, _seconds(s)) for s in stages]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row, notes in zip(rows, ((), *(stage.notes for stage in stages)), strict=True):
        cells = [text.ljust(w) if i in (0, 4) else text.rjust(w) for i, (text, w) in enumerate(zip(row, widths))]
        lines.append("  ".join([*cells, "; ".join(notes)]).rstrip())
    return lines


def _count(stage: Stage) -> str:
    if stage.more:
        return f"at least {stage.compute:,}" if stage.compute else "not known yet"
    return f"{'about ' if stage.about else ''}{stage.compute:,}"


def _seconds(stage: Stage) -> str:
    return "no history yet" if stage.seconds is None else duration(stage.seconds)


def _time(stages: Sequence[Stage]) -> str:
    known, at_least = _known_seconds(stages)
    if not known:
        return "Time: no history yet on this machine."
    text = f"Time: {at_least}{duration(sum(known))}, one job after another"
    machines = sorted({stage.machine for stage in stages if stage.machine})
    return text + (f" (by the pace of {', '.join(machines)})." if machines else " at this machine's own pace.")


def _known_seconds(stages: Sequence[Stage]) -> tuple[list[float], str]:
    known = [stage.seconds for stage in stages if stage.seconds is not None]
    part = len(known) < len(stages) or any(stage.more for stage in stages)
    return known, "at least " if part else ""


def _money(stages: Sequence[Stage], price: PriceSettings | None) -> list[str]:
    known, at_least = _known_seconds(stages)
    if price is None or not known:
        return []
    cost = sum(known) / 3600 * price.hour
    return [f"Money: {at_least}{cost:.2f} {price.currency} at {price.hour:.2f} {price.currency} an hour."]


def _disk(disk: Disk) -> str:
    unknown = [stage for stage, size in disk.added.items() if size is None]
    if unknown and not disk.total:
        return f"Disk: nothing to go by yet; {size_of(disk.free)} free."
    text = f"Disk: {'at least' if unknown else 'about'} {size_of(disk.total)} more, {size_of(disk.free)} free."
    if unknown:
        text += f" Nothing to go by yet for {', '.join(unknown)}."
    if disk.is_short:
        text += " WARNING: that may not fit; free some space first."
    return text


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours} h {m:02d} min" if hours else f"{m} min {s:02d} s" if m else f"{s} s"


def size_of(size: float) -> str:
    """`512 B`, `3.1 MB`, `20 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
