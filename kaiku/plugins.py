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

KINDS = ("layouts", "checks", "asr", "codecs", "families", "metrics", "channels", "exports")
PROMISED = {
    "layouts": ("Settings", "PRECUT", "discover"),
    "checks": ("Settings", "FIELDS"),
    "asr": ("Settings", "NEEDS", "load"),
    "codecs": ("Settings", "load"),
    "families": ("Settings", "load"),
    "exports": ("Settings", "NEEDS_TEXT", "TAKES_TOKENS", "write"),
}
"""Names that every module of a kind has."""
USER_PACKAGE = "kaiku_plugins"


def use_folders(folders: Sequence[str | Path]) -> None:
    """Make a user's plug-in folders findable, in order; their modules are `kaiku_plugins.<kind>.<name>`."""
    paths = [Path(folder).expanduser() for folder in folders]
    for path in paths:
        if not path.is_dir():
            raise SettingsError(f"plugins: {path} is not a folder", remedy="Mend the path or take the line out.")
    places = [str(path.resolve()) for path in paths]
    if getattr(sys.modules.get(USER_PACKAGE), "__path__", None) == places:
        return
    for name in [name for name in sys.modules if name.split(".")[0] == USER_PACKAGE]:
        del sys.modules[name]  # those of other folders
    package = ModuleType(USER_PACKAGE)
    package.__path__ = places
    spec = importlib.machinery.ModuleSpec(USER_PACKAGE, None, is_package=True)
    spec.submodule_search_locations = package.__path__
    package.__spec__ = spec
    sys.modules[USER_PACKAGE] = package


def known(kind: str, packages: Sequence[str] = ("kaiku", USER_PACKAGE)) -> dict[str, str]:
    """Names of all plug-ins of a kind -> module names; a user's wins over the tree's own."""
    found = {}
    for package in packages:
        for root in getattr(sys.modules.get(package), "__path__", []):
            for info in pkgutil.iter_modules([str(Path(root) / kind)]):
                if not info.name.startswith("_"):
                    found[info.name] = f"{package}.{kind}.{info.name}"
    return found


def module_name(kind: str, name: str, where: str = "") -> str:
    """Module of a plug-in; SettingsError with the nearest name if there is none. where: the setting that names it."""
    for package in (USER_PACKAGE, "kaiku"):
        if _has(package, kind, name):
            return f"{package}.{kind}.{name}"
    names = known(kind)
    raise SettingsError(
        f"{where or kind}: {name!r} is not among the {kind}{did_you_mean(name, names)}",
        expected=f"one of {', '.join(sorted(names))}",
        remedy=f"One of your own stands in <folder>/{kind}/{name}.py, with the folder named under `plugins:`.",
    )


def _has(package: str, kind: str, name: str) -> bool:
    """Whether `known` would list it; asked of each name, where listing whole folders would cost a plan its time."""
    if not name.isidentifier() or name.startswith("_"):
        return False
    folders = [Path(root, kind) for root in getattr(sys.modules.get(package), "__path__", [])]
    return any((folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file() for folder in folders)


def find(kind: str, name: str, where: str = "") -> ModuleType:
    """The plug-in's module, imported. Raises SettingsError where a user's own cannot be, or lacks a name."""
    path = module_name(kind, name, where)
    try:
        module = importlib.import_module(path)
    except Exception as error:
        if not path.startswith(f"{USER_PACKAGE}."):
            raise
        raise SettingsError(
            f"{where or kind}: plug-in {name!r} cannot be imported: {type(error).__name__}: {error}",
            remedy="Mend its file; a plug-in must import without the heavy libraries it computes with.",
        ) from error
    missing = [promised for promised in PROMISED.get(kind, ("Settings",)) if not hasattr(module, promised)]
    if missing:
        raise SettingsError(
            f"{where or kind}: plug-in {name!r} ({module.__file__}) has no {', '.join(missing)}",
            remedy="Add it; docs/extending.md shows what a module of each kind holds.",
        )
    return module


def did_you_mean(name: str, names: Sequence[str]) -> str:
    """`; did you mean 'x'?` where a known name is near, else nothing."""
    near = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
