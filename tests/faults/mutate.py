"""Damage files as disks, editors and hostile people do, always the same for the same number."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

HUGE = 10**400
VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        -1,
        0,
        2**70,
        HUGE,
        1e308,
        float("nan"),
        float("inf"),
        "",
        "x" * 5000,
        [],
        {},
        [[]],
        {"": {}},
    ),
    *(
        "\ud800",
        "a\nerror: b",
        "../../etc/passwd",
        "evil.py",
        "./evil.py",
        "__class__",
        "[b]",
        "\x1b[2J",
        "\0",
    ),
)
"""Values of wrong types, sizes and meanings. `evil.py` is code without consent."""
DEEP = "[" * 100_000 + "]" * 100_000


def mutant(content: bytes, number: int) -> bytes:
    """The content with some damage; text is damaged in its lines, JSON in its values too."""
    chance = random.Random(number)
    kinds: list[Callable[[bytes, random.Random], bytes]] = [flipped, cut, spliced]
    if b"\0" not in content:
        kinds += [without_line, with_line_again, with_value, deep]
    if content.lstrip()[:1] in (b"{", b"["):
        kinds += [with_json_value] * 4
    return chance.choice(kinds)(content, chance)


def flipped(content: bytes, chance: random.Random) -> bytes:
    """Some random bytes are replaced."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 16))):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def cut(content: bytes, chance: random.Random) -> bytes:
    """The end is missing."""
    return content[: chance.randrange(len(content))]


def spliced(content: bytes, chance: random.Random) -> bytes:
    """A stretch is missing, or there twice."""
    first, last = sorted(chance.randrange(len(content)) for _ in range(2))
    return content[: chance.choice((first, last))] + content[first:] if first else content[last:]


def without_line(content: bytes, chance: random.Random) -> bytes:
    """A line is missing."""
    lines = content.splitlines(keepends=True)
    del lines[chance.randrange(len(lines))]
    return b"".join(lines)


def with_line_again(content: bytes, chance: random.Random) -> bytes:
    """A line is there twice."""
    lines = content.splitlines(keepends=True)
    lines.insert(chance.randrange(len(lines)), chance.choice(lines))
    return b"".join(lines)


def with_value(content: bytes, chance: random.Random) -> bytes:
    """A value of `key = value` is another."""
    lines = content.splitlines(keepends=True)
    numbers = [number for number, line in enumerate(lines) if b"=" in line]
    if not numbers:
        return flipped(content, chance)
    number = chance.choice(numbers)
    value = json.dumps(chance.choice(VALUES)).encode()
    lines[number] = lines[number].partition(b"=")[0] + b"= " + value + b"\n"
    return b"".join(lines)


def deep(content: bytes, chance: random.Random) -> bytes:
    """A value is nested so deeply that a recursive parser gives up."""
    mark = chance.choice((b":", b"=", b"\n"))
    head, found, tail = content.partition(mark)
    return head + found + DEEP.encode() + tail


def with_json_value(content: bytes, chance: random.Random) -> bytes:
    """A value of a line of JSON, or of the whole file, is another, or missing."""
    lines = content.splitlines(keepends=True)
    try:
        first, last = 0, len(lines)
        value = json.loads(content)
    except ValueError:
        first = chance.randrange(len(lines))
        last = first + 1
        try:
            value = json.loads(lines[first])
        except ValueError:
            return flipped(content, chance)
    places = list(inner(value))
    if not places:
        return flipped(content, chance)
    holder, key = chance.choice(places)
    if chance.randrange(4) or isinstance(holder, list):
        holder[key] = chance.choice(VALUES)
    else:
        del holder[key]
    return b"".join([*lines[:first], json.dumps(value).encode() + b"\n", *lines[last:]])


def inner(value: Any) -> Iterator[tuple[Any, Any]]:
    """All values inside lists and dicts, as the holder and the key."""
    for key in (
        list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    ):
        yield value, key
        yield from inner(value[key])
