"""Read plain data (numbers, strings, lists, tuples and dicts) from a pickle without executing code.

A pickle is a program, and Python's unpickler calls any function that it names. This module interprets the
instructions itself: `pickletools` decodes them without side effects, and only those that build plain data are
implemented. The only calls in published files create numpy scalars, `scalar(dtype("i8"), b"...")`; they are
recognised by name and evaluated here. Any other name is an error.

Memory is bounded, since a few bytes can expand to a lot: instructions, objects and open marks are limited,
and shared lists stay shared. The nesting depth of lists is not limited; nothing here recurses into them, and
callers look no deeper than pieces, frames and pitches.
"""

from __future__ import annotations

import pickletools
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MAX_INSTRUCTIONS = 2**23
"""The largest published file has 3 million."""
MAX_OBJECTS = 2**21
"""Limit for lists, tuples, dicts, strings and memo entries together."""
MAX_DEPTH = 32
"""Limit for open marks; published files nest five."""
LONGEST = 64
"""Maximum length of the bytes of a number and of the key of a dict, of which copies are made."""

SCALARS = {"numpy.core.multiarray scalar", "numpy._core.multiarray scalar"}
DTYPE, ENCODE = "numpy dtype", "_codecs encode"
NUMBERS = re.compile(r"[iuf][1248]")
"""Codes of the numpy types that a pitch may have."""


class UnsafePickle(ValueError):
    """The pickle contains something other than plain data, exceeds the limits, or is damaged."""


@dataclass
class Name:
    """The name of something to import, which is never imported."""

    full: str


@dataclass
class NumberType:
    """A numpy dtype: its code, such as `i8`, and its byte order."""

    code: str
    order: str = "little"


def unpickle(data: bytes) -> Any:
    """Read the plain data in a pickle of any protocol.

    Raises:
        UnsafePickle: the pickle calls a function other than those that create numpy scalars, exceeds the
            limits, or is damaged.
    """
    machine = _Machine()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escape sequences in strings written by Python 2
        try:
            for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
                if count >= MAX_INSTRUCTIONS or machine.objects > MAX_OBJECTS:
                    raise UnsafePickle("it contains more data than any dataset of pieces")
                instruction = INSTRUCTIONS.get(opcode.name)
                if instruction is None:
                    raise UnsafePickle(f"it contains {opcode.name}, which plain data does not need")
                instruction(machine, argument)
            return machine.result()
        except UnsafePickle:
            raise
        except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
            # A damaged pickle pops from an empty stack, reads a memo entry that does not exist, and so on.
            raise UnsafePickle("it is damaged or truncated") from error


class _Machine:
    """The state of the pickle machine.

    Attributes:
        stack: values since the last open mark.
        below: the stacks that open marks have set aside.
        memo: values that the pickle refers to again, by number.
        objects: number of objects created so far.
    """

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.objects = 0

    def result(self) -> Any:
        if len(self.stack) != 1 or self.below:
            raise UnsafePickle("it is damaged or truncated")
        return self.stack[0]

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def push_object(self, value: Any) -> None:
        self.objects += 1
        self.stack.append(value)

    def mark(self, _: Any) -> None:
        if len(self.below) >= MAX_DEPTH:
            raise UnsafePickle(f"it is nested more than {MAX_DEPTH} levels deep")
        self.below.append(self.stack)
        self.stack = []

    def pop_to_mark(self) -> list[Any]:
        """Pop the values pushed since the last mark, and the mark."""
        values, self.stack = self.stack, self.below.pop()
        return values

    def pop(self, count: int) -> list[Any]:
        """Pop the last `count` values; in contrast to slicing, it is an error if there are fewer."""
        if len(self.stack) < count:
            raise UnsafePickle("it is damaged or truncated")
        values = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return values

    def extend(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise UnsafePickle("it is damaged or truncated")
        target.extend(values)

    def set_items(self, values: list[Any], target: Any) -> None:
        if any(isinstance(key, bytes) and len(key) > LONGEST for key in values[::2]):
            raise UnsafePickle(f"it contains a dict with a key of more than {LONGEST} bytes")
        keys = [key.decode("latin-1") if isinstance(key, bytes) else key for key in values[::2]]
        if not isinstance(target, dict) or len(values) % 2 or not all(isinstance(key, str) for key in keys):
            raise UnsafePickle("it contains a dict with keys that are not strings")
        target.update(zip(keys, values[1::2], strict=True))

    def make_dict(self, _: Any) -> None:
        items: dict[str, Any] = {}
        self.set_items(self.pop_to_mark(), items)
        self.push_object(items)

    def put(self, index: int) -> None:
        self.objects += 1
        self.memo[index] = self.stack[-1]

    def name(self, full: str) -> None:
        if full not in {*SCALARS, DTYPE, ENCODE}:
            raise UnsafePickle(f"it tries to run {full.replace(' ', '.')[:60]}, and nothing in it was run")
        self.push_object(Name(full))

    def call(self, _: Any) -> None:
        """Evaluate the three calls that make up a numpy scalar; no function is actually called."""
        function, arguments = self.pop(2)
        match function, arguments:
            case Name(full="numpy dtype"), (str(code), *_) if NUMBERS.fullmatch(code):
                self.push_object(NumberType(code))
            # Protocol 2 stores bytes as a string.
            case Name(full="_codecs encode"), (str(text), "latin1") if len(text) <= LONGEST:
                self.push_object(text.encode("latin-1"))
            case Name(full=full), (NumberType() as kind, str() | bytes() as content) if full in SCALARS:
                self.push_object(_number(kind, content))
            case _:
                raise UnsafePickle("it tries to run code, and nothing in it was run")

    def build(self, _: Any) -> None:
        """Set the byte order of a dtype, the only part of its state that matters here."""
        state = self.pop(1)[0]
        kind = self.stack[-1]
        if not (
            isinstance(kind, NumberType) and isinstance(state, tuple) and state[1] in ("<", ">", "|", "=")
        ):
            raise UnsafePickle("it builds an object, which plain data does not need")
        kind.order = "big" if state[1] == ">" else "little"


def _number(kind: NumberType, content: str | bytes) -> int | float:
    import numpy as np

    data = content.encode("latin-1") if isinstance(content, str) else content
    value = np.frombuffer(data, np.dtype((">" if kind.order == "big" else "<") + kind.code))
    if len(value) != 1:
        raise UnsafePickle("it is damaged or truncated")
    return float(value[0]) if kind.code[0] == "f" else int(value[0])


def _skip(machine: _Machine, argument: Any) -> None:
    pass


def _constant(value: Any) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.push(value)


INSTRUCTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), _skip),
    **dict.fromkeys(("INT", "BININT", "BININT1", "BININT2", "FLOAT", "BINFLOAT"), _Machine.push),
    **dict.fromkeys(("LONG", "LONG1", "LONG4"), _Machine.push_object),
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE"), _Machine.push_object),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES"), _Machine.push_object),
    "NONE": _constant(None),
    "NEWTRUE": _constant(True),
    "NEWFALSE": _constant(False),
    "MARK": _Machine.mark,
    "EMPTY_LIST": lambda machine, _: machine.push_object([]),
    "EMPTY_TUPLE": lambda machine, _: machine.push_object(()),
    "EMPTY_DICT": lambda machine, _: machine.push_object({}),
    "LIST": lambda machine, _: machine.push_object(machine.pop_to_mark()),
    "TUPLE": lambda machine, _: machine.push_object(tuple(machine.pop_to_mark())),
    "TUPLE1": lambda machine, _: machine.push_object(tuple(machine.pop(1))),
    "TUPLE2": lambda machine, _: machine.push_object(tuple(machine.pop(2))),
    "TUPLE3": lambda machine, _: machine.push_object(tuple(machine.pop(3))),
    "DICT": _Machine.make_dict,
    "APPEND": lambda machine, _: machine.extend(machine.pop(1)),
    "APPENDS": lambda machine, _: machine.extend(machine.pop_to_mark()),
    "SETITEM": lambda machine, _: machine.set_items(machine.pop(2), machine.stack[-1]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_to_mark(), machine.stack[-1]),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.put),
    "MEMOIZE": lambda machine, _: machine.put(len(machine.memo)),
    **dict.fromkeys(
        ("GET", "BINGET", "LONG_BINGET"), lambda machine, index: machine.push(machine.memo[index])
    ),
    "GLOBAL": _Machine.name,
    "STACK_GLOBAL": lambda machine, _: machine.name(" ".join(machine.pop(2))),
    "REDUCE": _Machine.call,
    "BUILD": _Machine.build,
}
"""The supported instructions, by the names of `pickletools`; any other is an error."""
