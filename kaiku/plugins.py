"""Plug-ins: a layout, check, transcriber, codec or family is one module, found by its name in the configuration.

The tree's own stand in `kaiku/<kind>/`. A user's stand in `<folder>/<kind>/` for each folder that `plugins:` names.
"""

import difflib
import importlib
import importlib.machinery
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from kaiku.errors import SettingsError

KINDS = ("layouts", "checks", "asr", "codecs", "families", "metrics", "channels")
USER_PACKAGE = "kaiku_plugins"


def use_folders(folders: Sequence[str | Path]) -> None:
    """Make a user's plug-in folders findable, in order; their modules are `kaiku_plugins.<kind>.<name>`."""
    for folder in folders:
        if not Path(folder).is_dir():
            raise SettingsError(f"plugins: {folder} is not a folder", remedy="Mend the path or take the line out.")
    package = ModuleType(USER_PACKAGE)
    package.__path__ = [str(Path(folder).resolve()) for folder in folders]
    spec = importlib.machinery.ModuleSpec(USER_PACKAGE, None, is_package=True)
    spec.submodule_search_locations = package.__path__
    package.__spec__ = spec
    sys.modules[USER_PACKAGE] = package


def known(kind: str) -> dict[str, str]:
    """Names of all plug-ins of a kind -> module names; a user's wins over the tree's own."""
    found = {}
    for package in ("kaiku", USER_PACKAGE):
        for root in getattr(sys.modules.get(package), "__path__", []):
            for info in pkgutil.iter_modules([str(Path(root) / kind)]):
                if not info.name.startswith("_"):
                    found[info.name] = f"{package}.{kind}.{info.name}"
    return found


def module_name(kind: str, name: str) -> str:
    """Module of a plug-in; SettingsError with the nearest name where there is none."""
    names = known(kind)
    if name not in names:
        raise SettingsError(
            f"{kind}: {name!r} is not known{did_you_mean(name, names)}", expected=f"one of {', '.join(sorted(names))}"
        )
    return names[name]


def find(kind: str, name: str) -> ModuleType:
    """The plug-in's module, imported."""
    return importlib.import_module(module_name(kind, name))


def did_you_mean(name: str, names: Sequence[str]) -> str:
    """`; did you mean 'x'?` where a known name is near, else nothing."""
    near = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
