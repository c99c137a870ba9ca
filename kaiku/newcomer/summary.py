"""What was found, and what comes next, as a newcomer reads it on the screen."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from kaiku.newcomer.base import Base
from kaiku.newcomer.configuration import LONGEST_S, SHORTEST_S
from kaiku.newcomer.survey import SHOWN, Survey, is_unsure
from kaiku.newcomer.tokens import Found

KINDS_SHOWN = 6


def words(found: Survey, tokens: Found | None, base: Base | None, seconds: float) -> str:
    """The survey, a line for each thing that matters."""
    lines = [*_recordings(found), *_speakers(found), *_tokens(tokens), *_base(base), *_problems(found)]
    return "\n".join([*lines, f"Looked at in {seconds:.1f} s; nothing was copied, nothing written to."])


def next_steps(target: Path, kaiku: Path) -> str:
    """Where the workspace stands, and the command that shows what a run would do."""
    program = Path(sys.executable).with_name("snakemake")
    snakemake = shlex.quote(str(program)) if program.exists() else "snakemake"
    folder = shlex.quote(str(target))
    return f"""
{target} is a workspace now. Look at its config/config.yaml, then:

  cd {folder}
  {snakemake} --cores all -n         # what would run, and nothing else
  {snakemake} --cores all            # on a machine with a GPU: --profile profiles/gpu instead of --cores

`make check` in {kaiku} tells whether this machine is up to it."""


def _recordings(found: Survey) -> Iterator[str]:
    total = len(found.recordings)
    drawn = "" if found.looked_at == total else f", reckoned from {found.looked_at:,} of them"
    yield f"{total:,} recordings, {_length(found.hours)}{drawn}; {found.with_text:,} with a text."
    guess = next((g for g in found.guesses if g.layout == found.layout), None)
    other = [g.layout for g in found.guesses[1:] if g.share == found.guesses[0].share]
    yield f"Layout {found.layout}" + (f": {guess.why}." if guess else ", as you said.")
    if guess and is_unsure(found.guesses):
        yield f"  {', '.join(other)} would find as many: LAYOUT= says which is meant."
    unknown = sum(length is None for length in found.lengths.values())
    if unknown:
        yield f"  {found.reckoned(unknown):,} do not state their length; hours are reckoned from the others."
    short, long = found.outside(SHORTEST_S, LONGEST_S)
    if found.is_precut and short + long:
        bounds = f"{short:,} are shorter than {SHORTEST_S:g} s and {long:,} longer than {LONGEST_S:g} s"
        yield f"  {bounds}: kept, with a warning (`warn:`)."
    if found.broken:
        yield f"  {found.reckoned(len(found.broken)):,} are no audio that can be read:"
        yield from (f"    {shown(path)}: {shown(why)}" for path, why in list(found.broken.items())[:SHOWN])


def _length(hours: float) -> str:
    return f"{hours:,.1f} hours" if hours >= 1 else f"{hours * 60:.1f} minutes"


def _speakers(found: Survey) -> Iterator[str]:
    named = [(name, count) for name, count in found.speakers.most_common() if name]
    if not named:
        yield "No speaker is told: all recordings count as one speaker's, called NAME. SPEAKER= calls them otherwise."
        return
    first = ", ".join(f"{shown(name)} ({count:,})" for name, count in named[:SHOWN])
    more = f" and {len(named) - SHOWN:,} more" if len(named) > SHOWN else ""
    yield f"{len(named):,} speaker{'' if len(named) == 1 else 's'}: {first}{more}."


def _tokens(tokens: Found | None) -> Iterator[str]:
    if tokens is None:
        return
    what = f"{tokens.files:,} .npy files stand beside recordings ({tokens.shape})"
    if tokens.fit is None:
        yield f"{what}; with BASE= they can be taken for its codec's tokens."
        return
    yield f"{what}: {tokens.fit:,} of {tokens.looked_at:,} fit the base's codec" + (
        " and are adopted instead of encoding." if tokens.fit else "; all clips will be encoded."
    )
    yield from (f"  {shown(path)} {why}" for path, why in tokens.refused.items())


def _base(base: Base | None) -> Sequence[str]:
    return [f"Base {base.name}: family {base.family}, codec {base.codec}, licence {base.licence}."] if base else []


def _problems(found: Survey) -> Iterator[str]:
    kinds = found.kinds_of_problems()
    if kinds:
        yield f"{sum(count for _, count, *_ in kinds):,} things to look at; none of them stops a run:"
    for what, count, examples, remedy in kinds[:KINDS_SHOWN]:
        dots = ", ..." if count > len(examples) else ""
        yield f"  {count:,} x {shown(what)}: {', '.join(map(shown, examples))}{dots}. {shown(remedy)}"
    if len(kinds) > KINDS_SHOWN:
        yield f"  and {len(kinds) - KINDS_SHOWN} kinds more"


def shown(text: str) -> str:
    """A text on one line of a terminal, whatever is in it."""
    return text if text.isprintable() else ascii(text)[1:-1]
