"""The options and exit codes of all commands, from their definitions."""

from __future__ import annotations

import inspect
import signal

from part_tables import escape, table_of_settings
from zoo.cli.takes import command_to_json
from zoo.errors import ZooError

SIGNALS = {
    signal.SIGHUP: "the terminal was closed (SIGHUP)",
    signal.SIGINT: "interrupted by Ctrl-C",
    signal.SIGTERM: "asked to end (SIGTERM)",
}


def table_of_command(name: str) -> str:
    """The settings of `zoo train`, or the options of `zoo generate`."""
    head = "option" if name == "generate" else "setting"
    return table_of_settings("", command_to_json(name)["settings"], head, live="resumable")


def table_of_exit_codes() -> str:
    """The exit codes: success, those of the exceptions of the zoo, and those of signals."""
    kinds: list[type[ZooError]] = [ZooError, *ZooError.__subclasses__()]
    kinds.sort(key=lambda kind: kind.exit_code)
    rows = ["| code | meaning | exception in Python |", "| ---: | --- | --- |", "| 0 | success | |"]
    for kind in kinds:
        meaning = "any other failure" if kind is ZooError else _meaning(kind)
        rows.append(f"| {kind.exit_code} | {escape(meaning)} | `{kind.__name__}` |")
    rows += [f"| {128 + number} | {meaning} | `KeyboardInterrupt` |" for number, meaning in SIGNALS.items()]
    return "\n".join(rows)


def _meaning(kind: type[ZooError]) -> str:
    sentence = (inspect.getdoc(kind) or "").splitlines()[0].rstrip(".")
    return sentence[0].lower() + sentence[1:]
