"""Describe what values a setting accepts, and validate values with readable error messages."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from zoo.errors import Problem
from zoo.parts import Settings
from zoo.registry.values import NONE, item_kind, members, write_value

_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a string"}


def allowed(field: FieldInfo) -> str:
    """The values that a setting accepts, in words: "a whole number from 1 to 4096", "one of exact, bound"."""
    kinds = [kind for kind in members(field.annotation) if kind is not type(None)]
    gap = ", " if any(item_kind(kind) is not None for kind in kinds) else " "
    words = gap.join(filter(None, [" or ".join(_kind(kind) for kind in kinds), _range(field)]))
    return f"{words} or {NONE}" if type(None) in members(field.annotation) else words


def choices(field: FieldInfo) -> list[str]:
    """The values of a setting that accepts only a few, as typed, for shell completion and hints."""
    words: list[str] = []
    for kind in members(field.annotation):
        if get_origin(kind) is Literal:
            words += [write_value(choice) for choice in get_args(kind)]
        elif kind is bool:
            words += ["true", "false"]
        elif kind is type(None):
            words.append(NONE)
    return words


def default(field: FieldInfo) -> str:
    """The default value, as typed."""
    return write_value(field.get_default(call_default_factory=True))


def live(field: FieldInfo) -> bool:
    """Whether the setting can be changed on a trained model."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("live"))


@dataclass(frozen=True)
class Checked:
    """The result of validating settings.

    Attributes:
        settings: the settings; None if there are problems.
        problems: all problems.
    """

    settings: Any
    problems: tuple[Problem, ...] = ()


def check(
    model: type[Settings], values: Mapping[str, Any], head: str, written: Mapping[str, str] | None = None
) -> Checked:
    """Validate values strictly, without implicit conversions.

    Args:
        model: the settings class of a part or a section.
        values: values by field name.
        head: the prefix of the fields on the command line, such as `decoder`; may be empty.
        written: how the user typed each value, by field name, for error messages.
    """
    if not values and not any(field.is_required() for field in model.model_fields.values()):
        # Defaults are valid, and building the validator is slow.
        return Checked(model.model_construct())
    try:
        return Checked(model.model_validate_json(json.dumps(dict(values)), strict=True))
    except ValidationError as error:
        return Checked(None, tuple(_problems(model, values, head, written or {}, error)))


def key(head: str, name: str) -> str:
    """The name of a setting on the command line."""
    return f"{head}.{name}" if head else name


def _problems(
    model: type[Settings],
    values: Mapping[str, Any],
    head: str,
    written: Mapping[str, str],
    error: ValidationError,
) -> Iterator[Problem]:
    """One problem for each invalid setting, and one for each violated rule between settings."""
    details = {str(detail["loc"][0]) if detail["loc"] else "": detail for detail in error.errors()}
    for name, detail in details.items():
        reason = str(detail.get("ctx", {}).get("error", ""))
        field = model.model_fields.get(name)
        where = key(head, name)
        given = written.get(name) or (f"{where}={write_value(values[name])}" if name in values else where)
        if not name:
            yield Problem(reason or str(detail["msg"]), head)
        elif field is None:
            yield Problem("there is no such setting", given, _similar_name(head, name, model))
        else:
            yield Problem(
                reason or f"it takes {allowed(field)}", given, _similar_value(where, field, values.get(name))
            )


def _similar_name(head: str, name: str, model: type[Settings]) -> str:
    from zoo.registry.hints import closest

    known = [key(head, field) for field in model.model_fields]
    near = closest(key(head, name), known)
    return f"did you mean {near}" if near else f"the settings are {', '.join(known)}" if known else ""


def _similar_value(where: str, field: FieldInfo, value: Any) -> str:
    nearest = _nearest(field, value)
    if nearest is not None:
        return f"the nearest valid value is {where}={write_value(nearest)}"
    from zoo.registry.hints import closest

    near = closest(str(value), choices(field))
    return f"did you mean {where}={near}" if near else f"the default is {where}={default(field)}"


def _nearest(field: FieldInfo, value: Any) -> int | float | None:
    """The valid number nearest to an invalid one; None if it cannot be determined."""
    if not isinstance(value, int | float) or isinstance(value, bool) or value != value:
        return None
    kinds = members(field.annotation)
    if int not in kinds and float not in kinds:
        return None
    low, high = _bound(field, "ge"), _bound(field, "le")
    nearest = value if low is None else max(value, low)
    nearest = nearest if high is None else min(nearest, high)
    if not math.isfinite(nearest):
        return None
    step = _bound(field, "multiple_of")
    if step:
        nearest = max(round(nearest / step) * step, low if low is not None else step)
    if float not in kinds:
        nearest = round(nearest)
    return nearest if nearest != value else None


def _kind(kind: Any) -> str:
    if get_origin(kind) is Literal:
        words = [write_value(choice) for choice in get_args(kind)]
        return f"one of {', '.join(words)}" if len(words) > 1 else words[0]
    inner = item_kind(kind)
    if inner is not None:
        item = allowed(FieldInfo.from_annotation(inner))
        return f"a comma-separated list, each item {item}"
    return _KINDS.get(kind, getattr(kind, "__name__", str(kind)))


def _bound(field: FieldInfo, name: str) -> Any:
    return next((getattr(bound, name) for bound in field.metadata if hasattr(bound, name)), None)


def _range(field: FieldInfo) -> str:
    names = ("ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length")
    bound = {name: _bound(field, name) for name in names if _bound(field, name) is not None}
    if "ge" in bound and "le" in bound:
        words = ["from {ge} to {le}"]
    else:
        pairs = (("ge", "of at least"), ("gt", "above"), ("le", "of at most"), ("lt", "below"))
        words = [f"{word} {{{name}}}" for name, word in pairs if name in bound]
    rest = (
        ("multiple_of", "divisible by {}"),
        ("min_length", "at least {} long"),
        ("max_length", "at most {} long"),
    )
    words += [word.format(f"{{{name}}}") for name, word in rest if name in bound]
    return ", ".join(words).format(**bound)
