"""`zoo plugin check`: run all contract checks of a slot on a part, with a hint for each that fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.named import complete_part, named_part
from zoo.errors import PluginError, Problem, UsageError
from zoo.parts import SLOTS
from zoo.registry import Entry, Registry, open_registry

if TYPE_CHECKING:
    from zoo.testing import CheckReport, Outcome

STYLES = {"passed": "green", "failed": "bold red", "skipped": "yellow"}


@click.command("check")
@click.argument("part", metavar="SLOT.NAME|FILE.py", shell_complete=complete_part)
@click.argument("words", nargs=-1, metavar="[SETTING=VALUE]...")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects as JSON.")
def check_command(part: str, words: tuple[str, ...], as_json: bool) -> int:
    """Check that a part fulfils the contract of its slot, with its defaults or with given settings.

    For example zoo plugin check attention.history, or for all parts in a file zoo plugin check
    ./my_attention.py. With settings: zoo plugin check attention.lags lags=4,8. The exit code is 4 if a check
    fails.
    """
    from zoo.cli.console import print_json

    registry = open_registry()
    entries = _entries(part, registry)
    if words and len(entries) > 1:
        hint = f"name one of them, such as {part}:{entries[0].name}"
        raise UsageError(Problem("settings belong to one part, but the file has several", part, hint))
    reports = []
    for entry in entries:
        settings = _settings(entry, words, registry)
        entry.load()  # a class that cannot be imported is reported once, not by every check
        report = _run(entry, settings)
        reports.append(report)
        if not as_json:
            _print(entry, report)
    if as_json:
        print_json([_row(report) for report in reports])
    return 0 if all(report.ok for report in reports) else PluginError.exit_code


def _entries(part: str, registry: Registry) -> list[Entry]:
    from zoo.registry.registry import names_file

    slot, sign, name = part.partition("=")
    if sign and slot in SLOTS:
        part = f"{slot}.{name}"
    if not names_file(part) or part.startswith(tuple(f"{slot}." for slot in SLOTS)):
        return [named_part(part, registry, "zoo plugin check")]
    entries = registry.in_file(part)
    if not entries:
        raise UsageError(Problem("the file offers no such part", part, "let zoo_parts() return it"))
    return entries


def _settings(entry: Entry, words: Sequence[str], registry: Registry) -> dict[str, Any]:
    """The given settings of a part, which may be written with or without its slot.

    Raises:
        UsageError: a word is not SETTING=VALUE, or the part does not accept it; lists all such problems.
    """
    from zoo.registry.fields import check
    from zoo.registry.hints import unknown_setting
    from zoo.registry.values import read_value
    from zoo.registry.words import Word

    model, values, problems = entry.load_settings(), {}, []
    for text in words:
        key, sign, value = text.partition("=")
        word = Word(f"{entry.slot}.{key.removeprefix(f'{entry.slot}.')}", value)
        if not sign:
            problems.append(Problem("settings are written SETTING=VALUE", text))
        elif word.name not in model.model_fields:
            owner = f"{entry.slot}={entry.name}"
            problems.append(unknown_setting(word, owner, {entry.slot: model}, registry.shipped_entries()))
        else:
            values[word.name] = read_value(value, model.model_fields[word.name].annotation)
    checked = check(model, values, entry.slot)
    if problems or checked.problems:
        raise UsageError(*problems, *checked.problems)
    return {name: getattr(checked.settings, name) for name in values}


def _run(entry: Entry, settings: Mapping[str, Any]) -> CheckReport:
    from zoo.cli.progress import waiting
    from zoo.registry.quiet import quiet_stdout
    from zoo.testing import run

    with waiting(f"checking {entry.slot}.{entry.name}") as progress, quiet_stdout():
        return run(entry, settings, progress=progress)


def _row(report: CheckReport) -> dict[str, Any]:
    return {
        "part": report.part,
        "ok": report.ok,
        "ran": report.ran,
        **{verdict: len(report.having(verdict)) for verdict in ("passed", "failed", "skipped")},
        "demanded": report.demanded,
        "checks": [
            {
                "check": outcome.check.name,
                "promise": outcome.check.requirement,
                "verdict": outcome.verdict,
                "reason": outcome.reason,
                "hint": outcome.check.hint if outcome.verdict == "failed" else "",
            }
            for outcome in report.outcomes
        ],
    }


def _print(entry: Entry, report: CheckReport) -> None:
    from rich.table import Table
    from rich.text import Text

    from zoo.cli.console import stdout, visible

    title = Text(visible(report.part), style="bold").append(f"  {visible(str(entry.source))}", style="none")
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(overflow="fold")
    for outcome in report.outcomes:
        table.add_row(
            Text(outcome.verdict, style=STYLES[outcome.verdict]), visible(_message(outcome), lines=True)
        )
    stdout.print(title)
    stdout.print()
    stdout.print(table)
    stdout.print()
    stdout.print(str(report), style="none" if report.ok else "bold red")


def _message(outcome: Outcome) -> str:
    """The name of the check, and why it did not pass."""
    name = outcome.check.name
    if outcome.verdict == "failed":
        return f"{name}: {outcome.check.requirement}\nobserved: {outcome.reason}\nhint: {outcome.check.hint}"
    return f"{name}: {outcome.reason}" if outcome.reason else name
