"""The page of messages: the exit codes, and every problem that the code reports, from the code itself."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from commands import table_of_exit_codes
from part_tables import escape
from zoo.errors import ZooError
from zoo.music.guard import EXPORT, HINTS

GAP = "…"
"""Placeholder for a name, a number or a reason in a message."""

KINDS: list[type[ZooError]] = [ZooError, *ZooError.__subclasses__()]
KINDS.sort(key=lambda kind: kind.exit_code)
RAISED = {kind.__name__: kind.__name__ for kind in KINDS} | {"MidiError": "DataError"}
"""Name of an exception in the code -> the exception under which its messages are listed."""
SHAPES = {"MidiError": ("where", "code", "what")}
"""The order of arguments, where it is not that of `Problem`."""


@dataclass(frozen=True, order=True)
class Message:
    """A problem, as worded in the code.

    Attributes:
        kind: the exception that it is raised with; empty if that is decided elsewhere.
        what: what is wrong.
        hint: what to do; may be empty.
    """

    kind: str
    what: str
    hint: str


def message_page(root: Path) -> str:
    """The exit codes, and the messages by exception."""
    groups: dict[str, list[Message]] = defaultdict(list)
    for message in sorted(set(messages(root))):
        groups[message.kind].append(message)
    blocks = [table_of_exit_codes()]
    for kind in KINDS:
        blocks.append(f"## {kind.__name__}: exit code {kind.exit_code}\n\n{_table(groups[kind.__name__])}")
    return "\n\n".join([*blocks, f"## {OTHER}\n\n{_table(groups[''])}"])


OTHER = "Messages of several exceptions"


def _table(rows: list[Message]) -> str:
    lines = [f"| {escape(row.what)} | {escape(row.hint)} |" for row in rows]
    return "\n".join(["| message | what to do |", "| --- | --- |", *lines])


def messages(root: Path) -> Iterator[Message]:
    """All messages in the code of the zoo and its plugins."""
    for file in sorted([*(root / "zoo").rglob("*.py"), *(root / "plugins").rglob("*.py")]):
        yield from Source(ast.parse(file.read_text("utf-8"))).messages()


class Source:
    """A module, searched for the problems that it creates."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.parent = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}

    def messages(self) -> Iterator[Message]:
        """Those of `Problem(...)`, and of exceptions that are raised with a text."""
        for node in ast.walk(self.tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("Problem", *RAISED)
            ):
                yield from self._of(node)

    def _of(self, call: ast.Call) -> Iterator[Message]:
        assert isinstance(call.func, ast.Name)
        order = SHAPES.get(call.func.id, ("what", "where", "hint"))
        arguments = dict(zip(order, call.args, strict=False))
        arguments |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
        hints = list(self._texts(arguments["hint"])) if "hint" in arguments else []
        if "code" in arguments:
            hints = [HINTS.get(code, EXPORT) for code in self._texts(arguments["code"])]
        for what in self._texts(arguments["what"]) if "what" in arguments else ():
            yield Message(self._kind(call), what, " / ".join(hints))

    def _kind(self, call: ast.Call) -> str:
        """The exception that the call creates, or is passed to; empty if there is none."""
        for node in (call, *self._ancestors(call)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RAISED:
                return RAISED[node.func.id]
        return ""

    def _ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """The ancestors of a node, innermost first."""
        while node in self.parent:
            node = self.parent[node]
            yield node

    def _texts(self, node: ast.expr) -> Iterator[str]:
        """The texts that an expression can evaluate to."""
        match node:
            case ast.Constant(value=str(text)) if text:
                yield text
            case ast.JoinedStr(values=parts):
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in parts)
                yield text.replace(2 * GAP, GAP)
            case ast.IfExp(body=first, orelse=second):
                yield from (*self._texts(first), *self._texts(second))
            case ast.BoolOp(values=values):
                yield from (text for value in values for text in self._texts(value))
            case ast.BinOp(left=left, right=right, op=ast.Add()):
                ends = list(self._texts(right)) or [GAP]
                yield from (first + end for first in self._texts(left) for end in ends)
            case ast.Name(id=name):
                yield from (text for value in self._values(node, name) for text in self._texts(value))

    def _values(self, node: ast.expr, name: str) -> Iterator[ast.expr]:
        """The values assigned to a name before a node, or passed as that argument to its function."""
        for ancestor in self._ancestors(node):
            assigned = [value for value in _assigned_in(ancestor, name) if value.lineno <= node.lineno]
            if assigned:
                yield from assigned
                return
            if isinstance(ancestor, ast.FunctionDef):
                names = [argument.arg for argument in ancestor.args.args]
                calls = (each for each in ast.walk(self.tree) if isinstance(each, ast.Call))
                for call in calls if name in names else ():
                    if ast.unparse(call.func).endswith(ancestor.name):
                        yield from _passed(call, names, name)


def _assigned_in(node: ast.AST, name: str) -> Iterator[ast.expr]:
    for each in ast.walk(node):
        if isinstance(each, ast.Assign):
            yield from _assigned(each.targets[0], each.value, name)


def _assigned(target: ast.expr, value: ast.expr, name: str) -> Iterator[ast.expr]:
    if isinstance(target, ast.Name) and target.id == name:
        yield value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for element, expression in zip(target.elts, value.elts, strict=False):
            yield from _assigned(element, expression, name)


def _passed(call: ast.Call, names: list[str], name: str) -> Iterator[ast.expr]:
    bound = names[1:] if names[0] in ("self", "cls") else names
    yield from (value for key, value in zip(bound, call.args, strict=False) if key == name)
    yield from (keyword.value for keyword in call.keywords if keyword.arg == name)
