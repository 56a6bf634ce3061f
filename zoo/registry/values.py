"""Parse and format values as users type them: TOML scalars, bare strings, and comma-separated lists."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from zoo.limits import parse_toml

NONE = "none"
"""The spelling of None, for settings that allow it."""


def members(annotation: Any) -> tuple[Any, ...]:
    """The members of a union: (int, None) for `int | None`; the metadata of `Annotated` are dropped."""
    if get_origin(annotation) is Annotated:
        return members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(kind for part in get_args(annotation) for kind in members(part))
    return (annotation,)


def item_kind(kind: Any) -> Any:
    """The item type of a list or tuple type; None for any other type."""
    if kind in (list, tuple):
        return str
    if get_origin(kind) in (list, tuple, Sequence):
        return get_args(kind)[0]
    return None


def read_value(text: str, annotation: Any) -> Any:
    """Parse a text as a value of the annotated type.

    A text that cannot be parsed is returned unchanged, and pydantic rejects it.
    """
    kinds = members(annotation)
    if text == NONE and type(None) in kinds:
        return None
    for kind in kinds:
        if item_kind(kind) is not None:
            return [read_value(part, item_kind(kind)) for part in _split(text)]
    if _is_bare(text, kinds):
        return text
    value = _toml(text)
    if value is None and float in kinds:
        return _float(text)
    return text if value is None else value


def write_value(value: Any) -> str:
    """Format a value as a text from which `read_value` restores it."""
    match value:
        case None:
            return NONE
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case list() | tuple():
            return ",".join(write_value(item) for item in value)
        case _:
            bare = re.fullmatch(r"[^\s\"',\[\]#]+", str(value))
            # A JSON string is a TOML string, except that TOML does not allow a bare delete character.
            quoted = json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007F")
            return str(value) if bare else quoted


def _is_bare(text: str, kinds: tuple[Any, ...]) -> bool:
    """Whether to use the text as a string without parsing: `data=2024`, or a member of a Literal."""
    if any(get_origin(kind) is Literal and text in get_args(kind) for kind in kinds):
        return True
    return str in kinds and text[:1] not in ("'", '"')


def _toml(text: str) -> Any:
    """Parse a text as a TOML scalar or list; None if it is neither."""
    if "\n" in text or "\r" in text:
        return None
    try:
        value = parse_toml(f"value = {text}")["value"]
    except ValueError:
        return None
    return value if isinstance(value, bool | int | float | str | list) else None


def _float(text: str) -> Any:
    """Parse a number without leading or trailing digit, such as `.01`, which TOML does not allow."""
    return float(text) if re.fullmatch(r"[+-]?(\d+\.|\.\d+)([eE][+-]?\d+)?", text) else text


def _split(text: str) -> list[str]:
    """Split `1,2,4` or `[1, 2, 4]` into items; quoted items may contain commas."""
    inner = text.strip().removeprefix("[").removesuffix("]")
    items = re.findall(r"""\s*(?:"(?:[^"\\]|\\.)*"|'[^']*')\s*(?=,|$)|[^,]+""", inner)
    return [item for item in map(str.strip, items) if item]
