"""The configuration's schema and reference page, written from the settings classes, and the catalogue's page.

python -m kaiku.reference            # write config/schema.json, docs/configuration.md and docs/catalog.md
python -m kaiku.reference --check    # exit 1 and name what differs
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from kaiku import plugins, wording
from kaiku.fetch import catalog_page
from kaiku.layouts import LayoutSettings
from kaiku.settings import NAMED_BY, Settings
from kaiku.store import atomic

ROOT = Path(__file__).parent.parent
SCHEMA = Path("config/schema.json")
PAGE = Path("docs/configuration.md")
CATALOG = Path("docs/catalog.md")

SECTIONS = {
    "layouts": "CorpusSettings",
    "asr": "AsrSettings",
    "codecs": "CodecSettings",
    "families": "RunSettings",
    "exports": "ExportSettings",
}
"""The settings class in which `options` of a kind of plug-in stand."""

TITLES = {
    "layouts": ("Layouts", "`corpora.{name}.layout`", "`corpora.{name}.options`"),
    "asr": ("Transcribers", "`asr.{name}.kind`", "`asr.{name}.options`"),
    "checks": ("Checks", "a key of `checks`", "`checks.{check}`"),
    "codecs": ("Codecs", "`codecs.{name}.kind`", "`codecs.{name}.options`"),
    "families": ("Families", "`runs.{name}.family`", "`runs.{name}.options`"),
    "exports": ("Exports", "`exports.{name}.format`", "`exports.{name}.options`"),
}

EXPONENT = r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"
"""`1e-4`, which YAML 1.1 (PyYAML, Snakemake) reads as text, and Kaiku as the number it means."""

INTRODUCTION = """\
# Configuration

*Written by `python -m kaiku.reference` from the settings classes; a test fails when it is out of date.*

One YAML file describes a system: `snakemake --configfile mine.yaml`. A key that means nothing is refused with the name
it was probably meant to be. An editor that knows YAML schemas completes and checks as you write when the file begins
with `# yaml-language-server: $schema=<kaiku>/config/schema.json`.

*Speed only* marks what never changes a result: change it at any time, and nothing is made again. Everything else is
part of the key of what depends on it. Names of corpora, datasets, codecs, bases and runs are yours: lower-case letters,
digits and hyphens.

## An example

A Finnish voice, fine-tuned from a base model with an adapter:

```yaml
{example}```

Change `hum_db` to 10, and only the selection and what follows are made again; add a recording, and one shard is. To try
another rate beside the old one, add a second run. Whatever is not written has the default given below.

## Settings
"""

EXAMPLE = """\
system: my-voice

corpora:
  aino: {path: /data/FinnishSpeaker, layout: wav_lab, language: fi, speaker: aino, licence: own}

datasets:
  aino-v1:
    corpora: [aino]
    select: {duration_s: [1, 20], hum_db: {max: 12}}
    split: {by: recording, val: 0.05, test: 0.05}

bases:
  openaudio-s1-mini: {path: /models/openaudio-s1-mini, licence: CC-BY-NC-SA-4.0}

codecs:
  openaudio: {kind: fish, base: openaudio-s1-mini}

runs:
  aino-lora:
    family: fish
    base: openaudio-s1-mini
    dataset: aino-v1
    codec: openaudio
    lora: {r: 8, alpha: 16}
    train: {max_steps: 3000, learning_rate: 1e-4, precision: bf16}
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Write the files, or check them; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is out of date")
    args = parser.parse_args(argv)
    stale = drift()
    if not args.check:
        for path in stale:
            atomic.write_text(ROOT / path, wanted()[path])
            print(f"wrote {path}")
        return 0
    for path in stale:
        print(f"{path} is out of date: run `python -m kaiku.reference`", file=sys.stderr)
    return 1 if stale else 0


def drift() -> list[Path]:
    """The generated files that are not what the settings classes say now."""
    return [p for p, text in wanted().items() if not (ROOT / p).exists() or (ROOT / p).read_text() != text]


def wanted() -> dict[Path, str]:
    """What each generated file should hold."""
    written = json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"
    return {SCHEMA: written, PAGE: page(), CATALOG: catalog_page.page()}


def schema() -> dict[str, Any]:
    """JSON schema of a configuration: the settings tree, and under `options` what the named plug-in knows."""
    made = Settings.model_json_schema(ref_template="#/$defs/{model}")
    definitions = made["$defs"]
    for kind, name, module in own_plugins():
        found = module.Settings.model_json_schema(ref_template=f"#/$defs/{kind}.{name}.{{model}}")
        if kind == "layouts":  # the corpus itself says these two
            for inherited in LayoutSettings.model_fields:
                del found["properties"][inherited]
        for inner, value in found.pop("$defs", {}).items():
            definitions[f"{kind}.{name}.{inner}"] = value
        definitions[f"{kind}.{name}"] = {**found, "title": f"{TITLES[kind][0]}: {name}"}
    for kind, owner in SECTIONS.items():
        _name_options(definitions[owner], kind)
    for owner in ("CorpusSettings", "BaseSettings"):  # an entry of the catalogue says what else is required
        required = definitions[owner].pop("required")
        definitions[owner]["anyOf"] = [{"required": ["catalog"]}, {"required": required}]
    checks = {name: {"$ref": f"#/$defs/checks.{name}"} for kind, name, _ in own_plugins() if kind == "checks"}
    made["properties"]["checks"] |= {"properties": checks}
    return _lenient({"$schema": "https://json-schema.org/draft/2020-12/schema", **made})


def _name_options(owner: dict[str, Any], kind: str) -> None:
    """Let `options` follow the schema of the plug-in that the setting beside it names; a user's own are free."""
    names = [name for of, name, _ in own_plugins() if of == kind]
    owner["properties"][NAMED_BY[kind]]["examples"] = names
    owner["allOf"] = [
        {
            "if": {"properties": {NAMED_BY[kind]: {"const": name}}, "required": [NAMED_BY[kind]]},
            "then": {"properties": {"options": {"$ref": f"#/$defs/{kind}.{name}"}}},
        }
        for name in names
    ]


def _lenient(node: Any) -> Any:
    """Numbers may be written as text in exponent form, since YAML 1.1 reads `1e-4` as text."""
    if isinstance(node, list):
        return [_lenient(value) for value in node]
    if not isinstance(node, dict):
        return node
    made = {key: _lenient(value) for key, value in node.items()}
    kinds = made["type"] if isinstance(made.get("type"), list) else [made.get("type")]
    if "number" in kinds:
        made |= {"type": [*kinds, "string"], "pattern": EXPONENT}
    return made


def own_plugins() -> Iterator[tuple[str, str, ModuleType]]:
    """Kind, name and module of the tree's own plug-ins that a configuration can name."""
    for kind in TITLES:
        for name in sorted(plugins.known(kind, ("kaiku",))):
            yield kind, name, plugins.find(kind, name)


def page() -> str:
    """The reference as Markdown."""
    parts = [INTRODUCTION.format(example=EXAMPLE), _tables(Settings, "")]
    for kind, (title, named, options) in TITLES.items():
        parts.append(f"\n## {title}\n\nNamed by {named}; what they can be told stands under {options}.\n")
        parts += [_plugin(kind, name, module) for of, name, module in own_plugins() if of == kind]
    return "\n".join(parts)


def _tables(model: type[BaseModel], path: str) -> str:
    """A table for a settings class, then one for each settings class inside it."""
    heading = f"### `{path}`\n\n{wording.first_line(model)}\n\n" if path else ""
    inner = [_tables(found, where) for where, found in wording.inside(model, path)]
    return "\n".join([heading + wording.table(model), *inner])


def _plugin(kind: str, name: str, module: ModuleType) -> str:
    lines = [f"### {kind}: `{name}`", "", wording.first_line(module), ""]
    inherited = set(LayoutSettings.model_fields) if kind == "layouts" else set()
    if set(module.Settings.model_fields) - inherited:
        lines += [wording.table(module.Settings, without=inherited)]
        for where, found in wording.inside(module.Settings, ""):
            lines += [f"`{where}`: {wording.first_line(found)}", "", wording.table(found)]
    else:
        lines += ["Nothing to set.", ""]
    if kind == "checks":
        lines += ["| measure | unit and meaning |", "|---|---|"]
        lines += [f"| `{field}` | {wording.cell(meaning)} |" for field, meaning in module.FIELDS.items()] + [""]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
