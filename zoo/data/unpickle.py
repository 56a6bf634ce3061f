"""Numbers, words, lists, tuples and tables out of a pickle, by a reader that can run nothing.

A pickle is a program: Python's own reader calls whatever it names. This one walks the instructions with
`pickletools`, which only decodes them, and knows those that lay out plain data. All that it is asked to
call are numpy's whole numbers, `scalar(dtype("i8"), b"...")`, and these it computes itself; any other name
ends the walk. What a few bytes can blow up to is bounded: shared lists stay shared, and instructions,
objects and marks that stand open are counted. How deep lists lie in lists is not: the walk does not follow
them, and who reads what comes out looks no deeper than pieces, frames and pitches lie.
"""

from __future__ import annotations

import pickletools
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MOST_STEPS = 2**23
"""Instructions; the largest published file has 3 million."""
MOST_OBJECTS = 2**21
"""Lists, tuples, tables, words and memos."""
DEEPEST = 32
"""Marks that stand open; published files nest five."""

SCALARS = {"numpy.core.multiarray scalar", "numpy._core.multiarray scalar"}
DTYPE, ENCODE = "numpy dtype", "_codecs encode"
NUMBERS = re.compile(r"[iuf][1248]")
"""What numpy calls the types that a pitch may have."""


class Refused(ValueError):
    """The pickle holds something else than plain data, or is damaged."""


@dataclass
class Name:
    """What a pickle asks to be imported; here it stays a name."""

    full: str


@dataclass
class NumberType:
    """A numpy type, as `i8`, and whether its bytes run from the small end."""

    code: str
    order: str = "little"


def unpickle(data: bytes) -> Any:
    """The plain data in a pickle of any protocol.

    Raises:
        Refused: it names anything to be called, holds more than the limits, or is damaged.
    """
    machine = _Machine()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd escapes in strings of Python 2
        try:
            for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
                if count >= MOST_STEPS or machine.objects > MOST_OBJECTS:
                    raise Refused("it has more in it than a set of pieces can have")
                step = STEPS.get(opcode.name)
                if step is None:
                    raise Refused(f"it holds {opcode.name}, which plain data does not need")
                step(machine, argument)
            return machine.result()
        except Refused:
            raise
        except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
            raise Refused("it is damaged or cut off") from error


class _Machine:
    """The stack of values, the stacks below open marks, and the memo of what will be meant again."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.objects = 0

    def result(self) -> Any:
        if len(self.stack) != 1 or self.below:
            raise Refused("it is damaged or cut off")
        return self.stack[0]

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def push_object(self, value: Any) -> None:
        self.objects += 1
        self.stack.append(value)

    def mark(self, _: Any) -> None:
        if len(self.below) >= DEEPEST:
            raise Refused(f"it is nested more than {DEEPEST} deep")
        self.below.append(self.stack)
        self.stack = []

    def marked(self) -> list[Any]:
        """What was pushed since the last mark, which goes."""
        values, self.stack = self.stack, self.below.pop()
        return values

    def last(self, count: int) -> list[Any]:
        """The last few values, which go."""
        if len(self.stack) < count:
            raise Refused("it is damaged or cut off")
        values = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return values

    def extend(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise Refused("it is damaged or cut off")
        target.extend(values)

    def set_items(self, values: list[Any], target: Any) -> None:
        keys = [key.decode("latin-1") if isinstance(key, bytes) else key for key in values[::2]]
        if not isinstance(target, dict) or len(values) % 2 or not all(isinstance(key, str) for key in keys):
            raise Refused("it has a table with other keys than words")
        target.update(zip(keys, values[1::2], strict=True))

    def table(self, _: Any) -> None:
        table: dict[str, Any] = {}
        self.set_items(self.marked(), table)
        self.push_object(table)

    def put(self, place: int) -> None:
        self.objects += 1
        self.memo[place] = self.stack[-1]

    def name(self, full: str) -> None:
        if full not in {*SCALARS, DTYPE, ENCODE}:
            raise Refused(f"it asks to run {full.replace(' ', '.')[:60]}, and nothing in it was run")
        self.push_object(Name(full))

    def call(self, _: Any) -> None:
        """A number of numpy's, worked out from the bytes that stand for it."""
        function, arguments = self.last(2)
        match function, arguments:
            case Name(full="numpy dtype"), (str(code), *_) if NUMBERS.fullmatch(code):
                self.push_object(NumberType(code))
            case Name(full="_codecs encode"), (str(text), "latin1"):
                self.push_object(text.encode("latin-1"))
            case Name(full=full), (NumberType() as kind, str() | bytes() as content) if full in SCALARS:
                self.push_object(_number(kind, content))
            case _:
                raise Refused("it asks for something to be run, and nothing in it was run")

    def build(self, _: Any) -> None:
        """The byte order of a number type, all that its state says."""
        state = self.last(1)[0]
        kind = self.stack[-1]
        if not (
            isinstance(kind, NumberType) and isinstance(state, tuple) and state[1] in ("<", ">", "|", "=")
        ):
            raise Refused("it builds an object, which plain data does not need")
        kind.order = "big" if state[1] == ">" else "little"


def _number(kind: NumberType, content: str | bytes) -> int | float:
    import numpy as np

    data = content.encode("latin-1") if isinstance(content, str) else content
    value = np.frombuffer(data, np.dtype((">" if kind.order == "big" else "<") + kind.code))
    if len(value) != 1:
        raise Refused("it is damaged or cut off")
    return float(value[0]) if kind.code[0] == "f" else int(value[0])


def _nothing(machine: _Machine, argument: Any) -> None:
    pass


def _constant(value: Any) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.push(value)


STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), _nothing),
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
    "LIST": lambda machine, _: machine.push_object(machine.marked()),
    "TUPLE": lambda machine, _: machine.push_object(tuple(machine.marked())),
    "TUPLE1": lambda machine, _: machine.push_object(tuple(machine.last(1))),
    "TUPLE2": lambda machine, _: machine.push_object(tuple(machine.last(2))),
    "TUPLE3": lambda machine, _: machine.push_object(tuple(machine.last(3))),
    "DICT": _Machine.table,
    "APPEND": lambda machine, _: machine.extend(machine.last(1)),
    "APPENDS": lambda machine, _: machine.extend(machine.marked()),
    "SETITEM": lambda machine, _: machine.set_items(machine.last(2), machine.stack[-1]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.marked(), machine.stack[-1]),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.put),
    "MEMOIZE": lambda machine, _: machine.put(len(machine.memo)),
    **dict.fromkeys(
        ("GET", "BINGET", "LONG_BINGET"), lambda machine, place: machine.push(machine.memo[place])
    ),
    "GLOBAL": _Machine.name,
    "STACK_GLOBAL": lambda machine, _: machine.name(" ".join(machine.last(2))),
    "REDUCE": _Machine.call,
    "BUILD": _Machine.build,
}
"""What is done at each instruction; one that is not here ends the walk."""
