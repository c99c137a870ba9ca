"""The base of every settings class: frozen, unknown keys refused, and a clear line between result and speed."""

import typing
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator


class Strict(BaseModel):
    """Settings that refuse unknown keys and anything but a finite number where one belongs, and cannot be changed."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), validate_default=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        if _is_of_numbers(cls, info.field_name) and _has_bool(value):
            where = "where a number belongs (YAML reads a bare yes, no, on, off as true or false)"
            raise ValueError(f"{value!r}, {where}")
        return value


def speed_only(default: Any = ..., **kwargs: Any) -> Any:
    """A field that changes how fast a result comes, never the result: it stays out of every key."""
    return Field(default, json_schema_extra={"speed_only": True}, **kwargs)


def by_content(default: Any = ..., **kwargs: Any) -> Any:
    """A field that names a file or model whose content enters keys: where it lies and what it is called does not."""
    return Field(default, json_schema_extra={"by_content": True}, **kwargs)


def key_params(settings: BaseModel) -> dict[str, Any]:
    """The settings that change a result, as plain JSON values, at any depth.

    All fields but those that are `speed_only`, and those that stand for a content that is digested instead.
    """
    values: dict[str, Any] = {}
    for name, field in type(settings).model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and (extra.get("speed_only") or extra.get("by_content")):
            continue
        values[name] = _plain(getattr(settings, name))
    return values


@cache
def _is_of_numbers(model: type[BaseModel], name: str) -> bool:
    kinds = _kinds(model.model_fields[name].annotation)
    return bool not in kinds and (int in kinds or float in kinds)


def _kinds(annotation: Any) -> list[Any]:
    """The types that a type is composed of, without containers and unions."""
    inner = typing.get_args(annotation)
    return [kind for part in inner for kind in _kinds(part)] if inner else [annotation]


def _has_bool(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return isinstance(value, bool) or any(map(_has_bool, inner))


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return key_params(value)
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)
