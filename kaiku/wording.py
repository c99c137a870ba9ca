"""Settings classes in words: a table of settings with type, default and description."""

import types
import typing
from collections.abc import Collection, Iterator
from typing import Annotated, Any, Literal

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

_NAMES = {str: "text", int: "whole number", float: "number", bool: "true or false", type(None): "null", Any: "anything"}


def table(model: type[BaseModel], without: Collection[str] = ()) -> str:
    """The settings of a class as a Markdown table."""
    lines = ["| setting | type | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if name not in without:
            lines.append(f"| `{name}` | {cell(_type(field))} | {cell(_default(field))} | {cell(_description(field))} |")
    return "\n".join([*lines, ""])


def inside(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """Path and class of each settings class that stands inside another; names a user gives appear as {name}."""
    for name, field in model.model_fields.items():
        where = f"{path}.{name}" if path else name
        for found, named in _models(field.annotation):
            yield where + (".{name}" if named else ""), found


def first_line(documented: Any) -> str:
    """The first sentence or paragraph of a docstring, as one line."""
    return " ".join((documented.__doc__ or "").strip().split("\n\n")[0].split())


def cell(text: str) -> str:
    """Text that does not end its table cell."""
    return " ".join(text.split()).replace("|", "\\|")


def _models(annotation: Any, named: bool = False) -> Iterator[tuple[type[BaseModel], bool]]:
    """Settings classes within a type, and whether they are the values of a mapping."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        if issubclass(annotation, BaseModel):
            yield annotation, named
        return
    for argument in typing.get_args(annotation):
        yield from _models(argument, named or typing.get_origin(annotation) is dict)


def _type(field: FieldInfo) -> str:
    bounds = [text for part in field.metadata if (text := _bound(part))]
    words = _words(field.annotation)
    return f"{words}, {', '.join(bounds)}" if bounds else words


def _bound(part: Any) -> str:
    for kind, sign, value in (
        (annotated_types.Gt, ">", "gt"),
        (annotated_types.Ge, "≥", "ge"),
        (annotated_types.Lt, "<", "lt"),
        (annotated_types.Le, "≤", "le"),
        (annotated_types.MinLen, "at least", "min_length"),
        (annotated_types.MaxLen, "at most", "max_length"),
    ):
        if isinstance(part, kind):
            return f"{sign} {getattr(part, value)}"
    return ""


def _words(annotation: Any) -> str:
    if annotation in _NAMES:
        return _NAMES[annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _words(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_words(argument) for argument in arguments)
    if origin is dict and arguments[1] is Any:
        return "settings"
    if origin is dict:
        return f"{_words(arguments[1])} by name"
    if origin is list or (origin is tuple and arguments[-1] is ...):
        return f"list of {_words(arguments[0])}"
    if origin is tuple:
        return f"list of {len(arguments)}: {', '.join(_words(argument) for argument in arguments)}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "settings"
    return "anything"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "*required*"
    value = field.default_factory() if field.default_factory else field.default
    if isinstance(value, BaseModel):
        return "as below"
    return "" if value is PydanticUndefined else f"`{_written(value)}`"


def _written(value: Any) -> str:
    """A value as YAML has it, on one line."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_written(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_written, value)) + "]"
    return '""' if value == "" else str(value)


def _description(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    speed = isinstance(extra, dict) and extra.get("speed_only")
    text = (field.description or "").strip()
    if text and not text.endswith((".", "!", "?", "...")):
        text += "."
    return f"*Speed only.* {text}" if speed else text
