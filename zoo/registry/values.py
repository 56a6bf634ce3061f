"""Values as they are typed: TOML scalars or bare strings, with commas where a list is asked for."""

from __future__ import annotations

import json
import re
import tomllib
import types
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

NONE = "none"
"""How the absence of a value is typed, where a setting allows it."""


def members(annotation: Any) -> tuple[Any, ...]:
    """The kinds a field may hold: (int, None) of `int | None`; the bounds of `Annotated` fall away."""
    if get_origin(annotation) is Annotated:
        return members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(kind for part in get_args(annotation) for kind in members(part))
    return (annotation,)


def item_kind(kind: Any) -> Any:
    """What a list or tuple holds; None where the kind is neither."""
    if kind in (list, tuple):
        return str
    if get_origin(kind) in (list, tuple, Sequence):
        return get_args(kind)[0]
    return None


def read_value(text: str, annotation: Any) -> Any:
    """What a text means where a value of that kind is asked for.

    What it cannot mean stays a string, which pydantic then refuses.
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
    """The text that `read_value` turns into the value again."""
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
            # A string of JSON is one of TOML, but for the delete character.
            quoted = json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007F")
            return str(value) if bare else quoted


def _is_bare(text: str, kinds: tuple[Any, ...]) -> bool:
    """Whether the text is already the string that is meant: `data=2024`, or one of some given words."""
    if any(get_origin(kind) is Literal and text in get_args(kind) for kind in kinds):
        return True
    return str in kinds and text[:1] not in ("'", '"')


def _toml(text: str) -> Any:
    """The TOML scalar or list that a text is; None where it is none."""
    if "\n" in text or "\r" in text:
        return None
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, bool | int | float | str | list) else None


def _float(text: str) -> Any:
    """A number as people write it, `.01`, though TOML wants `0.01`."""
    return float(text) if re.fullmatch(r"[+-]?(\d+\.|\.\d+)([eE][+-]?\d+)?", text) else text


def _split(text: str) -> list[str]:
    """The items between commas, of `1,2,4` or `[1, 2, 4]`; quoted items may hold commas."""
    inner = text.strip().removeprefix("[").removesuffix("]")
    items = re.findall(r"""\s*("(?:[^"\\]|\\.)*"|'[^']*'|[^,]*?)\s*(?:,|$)""", inner)
    return [item for item in items if item]
