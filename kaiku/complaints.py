"""What is wrong with a configuration, in sentences: the key's path, what stands there, and what was meant."""

import types
import typing
from typing import Annotated, Any

from pydantic import BaseModel, ValidationError

from kaiku import plugins
from kaiku.layouts import LayoutSettings

NAME_PATTERN = r"^[a-z0-9][a-z0-9-]*$"
"""Of the names of corpora, codecs, runs..."""

TAG_PATTERN = r"^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{1,8})*$"
"""Of a language, as far as BCP 47 is in use."""

MEANT = {
    NAME_PATTERN: "a name is of lower-case letters, digits and hyphens, since it becomes part of paths",
    TAG_PATTERN: "a language is a BCP 47 tag: fi, te, pt-BR",
}
"""What a text of a pattern is, in words."""

_WANTED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "list": "a list",
    "tuple": "a list",
    "dict": "a block of named settings",
    "model": "a block of settings",
}
"""What a value should have been, by the beginning of pydantic's error type."""


def complaints(error: ValidationError, model: type[BaseModel], where: str = "") -> list[str]:
    """One sentence for each setting at fault. where: path of `model` itself in the configuration."""
    by_path: dict[str, list[Any]] = {}
    for fault in _told(error.errors()):
        path = ".".join([*([where] if where else []), *_path(model, fault)])
        by_path.setdefault(path, []).append(fault)
    return [_sentence(path, faults, model) for path, faults in by_path.items()]


def _told(faults: list[Any]) -> list[Any]:
    """Faults but for those that follow from others: below a key that is no text, of a list empty for its bad items."""
    bad_keys = [fault["loc"][:-1] for fault in faults if _is_bad_key(fault)]
    below = {fault["loc"][:end] for fault in faults for end in range(len(fault["loc"]))}
    return [
        fault
        for fault in faults
        if (_is_bad_key(fault) or not any(fault["loc"][: len(key)] == key for key in bad_keys))
        and not (fault["type"] == "too_short" and fault["loc"] in below)
    ]


def _is_bad_key(fault: Any) -> bool:
    return fault["loc"][-1:] == ("[key]",) and not isinstance(fault["input"], str)


def _sentence(path: str, faults: list[Any], model: type[BaseModel]) -> str:
    wanted = list(dict.fromkeys(filter(None, map(_wanted, faults))))
    fault = faults[0]
    if wanted:
        return f"{path} is {_shown(fault['input'])}, which is {_neither(wanted)}{_hint(fault, wanted)}"
    kind, loc = fault["type"], fault["loc"]
    if kind == "extra_forbidden":
        return f"{path} is not a setting{_known_there(model, loc)}"
    if kind == "missing":
        return f"{path} is missing"
    if kind == "value_error":
        message = fault["msg"].removeprefix("Value error, ")
        return f"{path}: {message}" if path else message
    if kind == "string_pattern_mismatch" and fault["ctx"]["pattern"] in MEANT:
        return f"{path} is {_shown(fault['input'])}; {MEANT[fault['ctx']['pattern']]}"
    if kind == "too_short":
        return f"{path} is empty; it needs at least {fault['ctx']['min_length']}"
    message = fault["msg"].replace("Input should", "it must").replace("String should", "it must")
    return f"{path} is {_shown(fault['input'])}; {message[0].lower()}{message[1:]}"


def _wanted(fault: Any) -> str | None:
    """What should stand there where it is the kind of value that is wrong, else None."""
    if fault["type"] == "literal_error":
        return f"one of {fault['ctx']['expected'].replace(' or ', ', ')}"
    kind, _, way = fault["type"].partition("_")
    return _WANTED.get(kind) if way in ("type", "parsing", "from_float", "attributes_type", "parsing_size") else None


def _neither(wanted: list[str]) -> str:
    return f"not {wanted[0]}" if len(wanted) == 1 else f"neither {' nor '.join(wanted)}"


def _hint(fault: Any, wanted: list[str]) -> str:
    found = fault["input"]
    if found is None and wanted[0].startswith("a block"):
        return "; write settings under it, {} for the defaults, or take the line out"
    if fault["type"] == "literal_error" and isinstance(found, str):
        return plugins.did_you_mean(found, [name.strip("' ") for name in wanted[-1].removeprefix("one of").split(",")])
    if wanted == ["text"] and isinstance(found, bool | int | float):
        return "; put it in quotes (YAML reads a bare no, yes, on, off or number as something else)"
    if wanted == ["a list"] and isinstance(found, str):
        return f"; write [{found}]"
    return ""


def _shown(value: Any) -> str:
    if value is None:
        return "empty"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _known_there(model: type[BaseModel], loc: tuple) -> str:
    owner = _owner(model, loc)
    inherited = LayoutSettings.model_fields if issubclass(owner, LayoutSettings) else ()  # the corpus itself says these
    names = [name for name in owner.model_fields if name not in inherited]
    near = plugins.did_you_mean(str(loc[-1]), names)
    return near or f" (known there: {', '.join(names) or 'none'})"


def _path(model: type[BaseModel], fault: Any) -> list[str]:
    """The keys a user wrote: pydantic's location without the marks it sets for members of a union and for names."""
    path, current = [], model
    for part in fault["loc"]:
        inner = _inside(current, part)
        if inner is not None:
            path.append(str(part))
            current = inner
    if _is_bad_key(fault):
        path[-1] = str(fault["input"])
    return [*path, str(fault["loc"][-1])] if fault["type"] == "extra_forbidden" else path


def _owner(model: type[BaseModel], loc: tuple) -> type[BaseModel]:
    """The settings class that a location's last part would belong to."""
    current: Any = model
    for part in loc[:-1]:
        current = _inside(current, part) or current
    return next(branch for branch in _branches(current) if isinstance(branch, type) and issubclass(branch, BaseModel))


def _inside(annotation: Any, part: str | int) -> Any:
    """The type of a part of a value of this type; None where there is no such part."""
    for branch in _branches(annotation):
        if isinstance(branch, type) and issubclass(branch, BaseModel) and part in branch.model_fields:
            return branch.model_fields[part].annotation
        origin, arguments = typing.get_origin(branch), typing.get_args(branch)
        if origin is dict and part != "[key]":
            return arguments[1]
        if origin in (list, tuple) and isinstance(part, int):
            return arguments[min(part, len(arguments) - 1)] if arguments[-1] is not ... else arguments[0]
    return None


def _branches(annotation: Any) -> list[Any]:
    """The members of a union, or the type itself."""
    if typing.get_origin(annotation) is Annotated:
        return _branches(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [inner for member in typing.get_args(annotation) for inner in _branches(member)]
    return [] if annotation is None else [dict[str, Any] if annotation is dict else annotation]
