"""Accept the computing code as it stands: a module whose digest changed gets its next version in `code.lock`.

python -m workflow_scripts.lock_code            # after a change that alters results: versions go up
python -m workflow_scripts.lock_code --check    # exit 1 if the lock is not current
"""

import argparse
import sys
from collections.abc import Sequence

from kaiku import stages
from kaiku.store import code


def current() -> dict[str, tuple[str, str]]:
    """What the lock should say: unchanged modules keep their version, changed ones get the next, gone ones go."""
    locked = code.read_lock()
    entries = {}
    for module in stages.computing_modules():
        version, accepted = locked.get(module, ("v0", ""))
        found = code.code_digest(module)
        entries[module] = (version if found == accepted else f"v{int(version[1:]) + 1}", found)
    return entries


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if something would change")
    args = parser.parse_args(argv)
    locked, wanted = code.read_lock(), current()
    changed = sorted(name for name in locked.keys() | wanted.keys() if locked.get(name) != wanted.get(name))
    for name in changed:
        before, after = (entries.get(name, ("none",))[0] for entries in (locked, wanted))
        print(f"{name}: {before} -> {after}", file=sys.stderr)
    if changed and args.check:
        print("code.lock is not current: run `make lock-code`, and say in CHANGELOG.md what changes.", file=sys.stderr)
        return 1
    if not args.check:
        code.write_lock(wanted)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
