"""Make a workspace for a folder of recordings: look, ask what cannot be seen, write a configuration; copy nothing.

python -m workflow_scripts.new_workspace --name aino --data /data/aino --language fi --base /models/openaudio-s1-mini
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from kaiku.errors import KaikuError
from kaiku.newcomer import asking, base, configuration, summary, survey, tokens, workspace
from kaiku.newcomer.configuration import Wishes
from workflow_scripts import path

KAIKU = Path(__file__).resolve().parents[1]


def program(args: argparse.Namespace) -> None:
    """Look, ask, write, and say what comes next."""
    begun = time.monotonic()
    configuration.check_name(args.name)
    data, target = asking.folder(args.data), args.where or Path("..") / args.name
    workspace.refuse_place(target, data)
    if args.language:
        configuration.check_language(args.language)
    found_base = base.recognise(args.base, args.base_licence) if args.base else None
    found = survey.survey(data, layout=args.layout, speaker=args.speaker, language=args.language)
    given = tokens.look(found, found_base.geometry if found_base else None)
    print(summary.words(found, given, found_base, time.monotonic() - begun), flush=True)
    wishes = Wishes(
        name=args.name,
        data=data.absolute(),
        language=asking.language(args.language, found),
        licence=asking.licence(args.licence),
        speaker=args.speaker or ("" if any(found.speakers) else args.name),
        tokens=bool(given and given.fit),
    )
    workspace.write(target, configuration.text(wishes, found, found_base, KAIKU / "config/schema.json"), KAIKU)
    print(summary.next_steps(target, KAIKU))


def parser() -> argparse.ArgumentParser:
    """What the program takes."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--name", required=True, help="of the voice or system: a to z, digits, hyphens")
    made.add_argument("--data", required=True, help="folder of the recordings; never written to")
    made.add_argument("--language", default="", help="BCP 47 tag of what is spoken")
    made.add_argument("--base", type=path, help="folder of a checkpoint to start from")
    made.add_argument("--speaker", default="", help="who speaks in all recordings; else as the layout tells")
    made.add_argument(
        "--licence", default="", help="of the recordings: own, CC-BY-4.0, ...; asked where it is not given"
    )
    made.add_argument("--base-licence", default="", help="of the base's weights, where it is not upstream's")
    made.add_argument("--layout", default="", help="where another is meant than the one that fits best")
    made.add_argument("--where", type=path, help="the new workspace; default ../NAME")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    try:
        program(parser().parse_args(argv))
    except KaikuError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
