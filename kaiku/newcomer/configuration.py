"""The configuration of a new workspace as text: commented, and valid before it is written."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from kaiku import settings
from kaiku.complaints import NAME_PATTERN, TAG_PATTERN
from kaiku.errors import KaikuError
from kaiku.newcomer.base import Base
from kaiku.newcomer.survey import Survey
from kaiku.report.licence import licence_warnings
from kaiku.text import language as languages

SHORTEST_S, LONGEST_S = 1.0, 20.0
"""Bounds of a clip's length: below, too little to learn from; above, memory in training goes to a few clips."""

BATCH, PASSES, FEWEST_STEPS, MOST_STEPS = 8, 13, 300, 3000
"""Clips per step, and times that training sees each: of 2,000 clips, 3,000 steps, as a voice is adapted in practice."""


@dataclass(frozen=True)
class Wishes:
    """What the user said. tokens: whether those beside the recordings are adopted."""

    name: str
    data: Path
    language: str
    licence: str
    speaker: str = ""
    tokens: bool = False


def check_name(name: str) -> None:
    """KaikuError where a name cannot be one of a corpus and a system."""
    if not re.fullmatch(NAME_PATTERN, name):
        near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        raise KaikuError(
            f"NAME={name!r}",
            expected="lower-case letters a to z, digits and hyphens: it becomes part of file names",
            remedy=f"Call it {near}." if re.fullmatch(NAME_PATTERN, near) else "Give it such a name, as NAME=aino.",
        )


def check_language(tag: str) -> None:
    """KaikuError where a language is no BCP 47 tag."""
    if not re.fullmatch(TAG_PATTERN, tag):
        raise KaikuError(
            f"LANGUAGE={tag!r}",
            expected="a BCP 47 tag: fi, te, pt-BR",
            remedy="Mend LANGUAGE=, or leave it to a table.",
        )


def text(wishes: Wishes, found: Survey, base: Base | None, schema: Path) -> str:
    """The configuration. Raises KaikuError where it would not be valid: then the recordings or names are at fault."""
    parts = [_head(wishes, base, schema), _corpus(wishes, found, base), _asr(found), _dataset(wishes, found)]
    parts.append(_models(wishes, found, base) if base else _NO_BASE)
    made = "\n".join(part for part in parts if part)
    settings.load(yaml.safe_load(made))
    return made


def _head(wishes: Wishes, base: Base | None, schema: Path) -> str:
    licences = [(f"corpus {wishes.name}", wishes.licence)]
    licences += [(f"base {base.name}, and every model made from it,", base.licence)] if base else []
    lines = [f"# yaml-language-server: $schema={schema.as_uri()}", f"# The voice {wishes.name}."]
    warnings = [f"# {_shown(warning)}" for warning in licence_warnings(licences)]
    lines += ["#", *warnings] if warnings else []
    lines += ["#", "# Every setting, with its unit and reason: docs/configuration.md beside the Snakefile of Kaiku."]
    return "\n".join([*lines, f"system: {_named(wishes.name)}", ""])


def _corpus(wishes: Wishes, found: Survey, base: Base | None) -> str:
    other = [guess for guess in found.guesses if guess.layout != found.layout]
    why = next((guess.why for guess in found.guesses if guess.layout == found.layout), "as you asked")
    lines = ["corpora:", f"  {_named(wishes.name)}:", f"    path: {_quoted(str(wishes.data))} # read, never written to"]
    lines += [
        f"    layout: {found.layout} # {why}" + (f"; or {other[0].layout}, which {other[0].why}" if other else "")
    ]
    if wishes.language:
        lines += [f"    language: {_named(wishes.language)}{_language_note(wishes.language)}"]
    if wishes.speaker:
        lines += [f"    speaker: {_quoted(wishes.speaker)} # of all recordings"]
    lines += [f"    licence: {_quoted(wishes.licence)} # travels with every model that heard them"]
    if wishes.tokens and base:
        lines += [
            "    # The .npy beside the recordings are taken where they fit; take this out to encode them all anew.",
            "    # verify: clips of each job that are encoded all the same, to see that these are the codec's tokens.",
            f"    tokens: {{codec: {_codec_name(base)}, verify: 1}}",
        ]
    if not found.is_precut:
        lines += ["    segment: {min_s: 1, max_s: 15} # s; where recordings are cut, at their pauses"]
    return "\n".join([*lines, ""])


def _language_note(tag: str) -> str:
    return "" if languages.data_of(tag) else " # without rules for its numbers and dates: they stay as they are written"


def _asr(found: Survey) -> str:
    if found.with_text >= len(found.recordings):
        return ""
    missing = len(found.recordings) - found.with_text
    return f"""\
# {missing:,} of {len(found.recordings):,} recordings have no text. To have them written down, give a recogniser its
# model here, and name it in the dataset as `asr: heard`:
# asr:
#   heard: {{kind: whisper, model: whisper-small}}
# bases:
#   whisper-small: {{source: {{hub: Systran/faster-whisper-small, revision: main}}, licence: MIT}}
"""


def _dataset(wishes: Wishes, found: Survey) -> str:
    several = len(found.speakers) > 1 and not wishes.speaker
    # Clips that somebody cut and chose are not dropped behind their back.
    decides, meaning = (
        ("warn", "counted and shown; what stands under `select:` instead is left out")
        if found.is_precut
        else ("select", "what lies outside is left out; under `warn:` instead it is only counted and shown")
    )
    return f"""\
datasets:
  {wishes.name}-v1:
    corpora: [{_named(wishes.name)}]
    text: normalised # numbers and dates in words; `raw` for the text as it is
    split: {{by: recording, val: 0.05, test: 0.05}}{_split_note(several)}
    {decides}: # {meaning}
      duration_s: [{SHORTEST_S:g}, {LONGEST_S:g}]
      clipped_share: {{max: 0.001}}
      hum_db: {{max: 12}}
"""


def _split_note(several: bool) -> str:
    return " # `by: speaker` to hold whole speakers out" if several else " # no recording is divided between them"


def _models(wishes: Wishes, found: Survey, base: Base) -> str:
    # A base and a run share their names' space, and a folder may be called as the run would be.
    name = _named(f"{base.name}-base" if base.name == f"{wishes.name}-lora" else base.name)
    several = len(found.speakers) > 1 and not wishes.speaker
    steps = min(MOST_STEPS, max(FEWEST_STEPS, round(PASSES * len(found.recordings) / BATCH, -2)))
    options = "{input_noise: 0, name_speaker: true} # several voices: each is called by its name" if several else ""
    return f"""\
bases:
  {name}:
    path: {_quoted(str(base.path.expanduser().absolute()))}
    licence: {_quoted(base.licence)}

codecs:
  {_codec_name(base)}:
    kind: {base.codec}
    base: {name}

runs:
  {wishes.name}-lora:
    family: {base.family}
    base: {name}
    dataset: {wishes.name}-v1
    codec: {_codec_name(base)}
    options: {options or "{input_noise: 0} # as upstream trains"}
    lora: {{r: 8, alpha: 16, dropout: 0.01}}
    train:
      max_steps: {steps:.0f} # about {steps * BATCH / max(len(found.recordings), 1):.0f} passes over the recordings
      batch_size: {BATCH} # `make check` reckons what the memory of this machine's card takes
      learning_rate: 1e-4
      warmup_steps: 10
      schedule: constant
      eval_every: 100
      save_every: 100
      early_stop: 10 # evaluations without a new best one
      precision: bf16
    merge: {{checkpoint: best, dtype: bf16}}
"""


def _codec_name(base: Base) -> str:
    return "openaudio" if base.codec == "fish" else base.codec


_NO_BASE = """\
# Nothing is trained yet. With a checkpoint of openaudio-s1-mini at hand (CC-BY-NC-SA-4.0, not for commercial use),
# `make new` with BASE= and another WHERE= shows what to add: bases, codecs, runs.
"""


def _named(value: str) -> str:
    """A name or tag, quoted where YAML reads something else in it: a number (2024), a date, or false (no)."""
    return value if yaml.safe_load(value) == value else _quoted(value)


def _quoted(value: str) -> str:
    """A text as YAML reads it back, whatever is in it."""
    return json.dumps(value, ensure_ascii=not value.isprintable())


def _shown(value: str) -> str:
    """A text on one line of a comment."""
    return " ".join(value.split()) if value.isprintable() else ascii(value)[1:-1]
