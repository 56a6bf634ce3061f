"""The command `zoo`: finds the command that was meant, runs it, and answers for every mistake.

A command is a module `zoo/cli/<name>.py` (`<name>_.py` where Python keeps the word for itself) holding one
click command (or group) named `command`. It is imported only when it is called, so that help, completion
and a mistyped word cost nothing.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from keyword import iskeyword
from typing import Any

import click

from zoo import __version__
from zoo.cli.answer import printing_aside, take_standard_output
from zoo.cli.problems import print_problems
from zoo.cli.signals import exit_code, hear_signals
from zoo.errors import Problem, UsageError, ZooError

# Pydantic's own plugins would be looked for in every installed package, at each start.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
# Threads that wait by spinning make torch ten times slower on a machine that is busy with other things.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

COMMANDS: dict[str, str] = {
    "list": "List the parts of the zoo, slot by slot.",
    "show": "Show one part, the model card of a bundle, or all settings of train or generate.",
    "build": "Assemble parts, check that they fit and run, and show what came out.",
    "train": "Train a model on music and keep its best weights as a bundle.",
    "evaluate": "Score trained models on pieces they have not seen, beside the floors.",
    "bench": "Compare combinations: train all that a study needs, and print its table.",
    "generate": "Write new music with a trained model, from silence or after a primer.",
    "play": "Play a MIDI or WAV file, or new music that a bundle writes.",
    "report": "Make a page to listen to what models write; it opens in any browser and fetches nothing.",
    "votes": "Rank models by the votes of listeners, each file the votes of one.",
    "models": "List the pretrained models that are installed with the zoo.",
    "data": "Corpora of music: which there are, what is in them, and what could not be read.",
    "midi": "Look at MIDI files: which can be read, what they hold, and what is wrong with the others.",
    "import": "Turn a model and a decoder of the original notebooks into a bundle.",
    "plugin": "Look after plugins: what was found, whether it works, and how to begin one.",
    "completion": "Print the script that completes words in a shell.",
}
"""Each command with its line in `zoo --help`, the first line of its own help."""


def _switch(flag: str, variable: str, value: str, help: str) -> click.Option:
    """An option that sets an environment variable, so that processes we start obey it as well."""

    def apply(context: click.Context, option: click.Parameter, given: bool) -> None:
        if given:
            os.environ[variable] = value

    return click.Option([flag], is_flag=True, is_eager=True, expose_value=False, callback=apply, help=help)


SWITCHES = (
    _switch("--local", "ZOO_LOCAL", "1", "Load the plugins that ./registry.toml names."),
    _switch("--no-plugins", "ZOO_PLUGINS", "", "Load no plugin that did not come with the zoo."),
    _switch("--trace", "ZOO_TRACE", "1", "Show the traceback of an error."),
)


def _with_switches(command: click.Command) -> click.Command:
    """The command, taking the switches at its end too: `zoo list --local`."""
    if isinstance(command, click.Group):
        for child in command.commands.values():
            _with_switches(child)
    elif SWITCHES[0] not in command.params:
        command.params.extend(SWITCHES)
        if command.callback is not None:
            command.callback = printing_aside()(command.callback)
    return command


class LazyGroup(click.Group):
    """The commands of the table; only the one that is called is imported."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Names in the order of the table, which is the order of work."""
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if name not in COMMANDS:
            return None
        module = f"{name}_" if iskeyword(name) else name
        # What is imported stays: looking for garbage meanwhile would take a tenth of the time.
        gc.disable()
        try:
            command: click.Command = import_module(f"zoo.cli.{module}").command
        finally:
            gc.enable()
        return _with_switches(command)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """The table for `zoo --help`, without importing what it lists."""
        if COMMANDS:
            with formatter.section("Commands"):
                formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, context: click.Context, incomplete: str) -> list[Any]:
        """Names that begin so; options as click completes them."""
        from click.shell_completion import CompletionItem

        names = [
            CompletionItem(name, help=COMMANDS[name]) for name in COMMANDS if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, context, incomplete)]


EPILOG = """\b
Environment:
  ZOO_PLUGINS=a,b  Of plugins that did not come with the zoo, load only these.
  ZOO_LOCAL=1      As --local.
  ZOO_STRICT=1     Stop at a broken plugin instead of leaving it out.
"""


@click.group("zoo", cls=LazyGroup, params=list(SWITCHES), invoke_without_command=True, epilog=EPILOG)
@click.version_option(__version__, message="polyzoo %(version)s")
@click.pass_context
def zoo(context: click.Context) -> None:
    """Compose, train, hear and compare models of polyphonic music from parts."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def _meant(given: str, names: Sequence[str], otherwise: str) -> str:
    close = get_close_matches(given, names, n=1)
    return f"did you mean {close[0]}" if close else otherwise


def _explain(error: click.UsageError) -> Problem:
    """What click says of the words before they reach a command, with a hint."""
    place = error.ctx.command_path if error.ctx else "zoo"
    help = f"`{place} --help` says what it takes"
    if isinstance(error, click.NoSuchCommand) and error.ctx:
        assert isinstance(error.ctx.command, click.Group)
        names = error.ctx.command.list_commands(error.ctx)
        if "=" in error.command_name:
            word = error.command_name
            return Problem("a recipe needs a command", word, f"write zoo build {word}")
        return Problem(
            f"{place} has no command {error.command_name}",
            hint=_meant(error.command_name, names, f"`{place} --help` lists them"),
        )
    if isinstance(error, click.NoSuchOption):
        return Problem(
            f"{place} has no option {error.option_name}",
            hint=f"did you mean {error.possibilities[0]}" if error.possibilities else help,
        )
    return Problem(error.format_message().rstrip("."), place, help)


def _answer(problems: Sequence[Problem], code: int) -> int:
    try:
        print_problems(problems)
    except BrokenPipeError:
        _give_up_output()
    return code


def _run(words: Sequence[str]) -> int:
    """Run the command and return its exit code; only what nobody foresaw leaves as an exception."""
    if "_ZOO_COMPLETE" in os.environ:
        import_module("zoo.cli.completion")
    try:
        result = zoo.main(args=list(words), prog_name="zoo", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.UsageError as error:
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            click.echo(error.format_message(), err=True)
            return UsageError.exit_code
        return _answer([_explain(error)], UsageError.exit_code)
    except (KeyboardInterrupt, click.Abort) as error:
        return exit_code(error)


def _is_of_click(error: SystemExit) -> bool:
    """Whether click itself ends the program: words were completed, or who reads its help has gone."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__") == "click.core"


def _give_up_output() -> None:
    """Let nothing be written from now on to where nothing can be written."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _failure(error: BaseException) -> int:
    _give_up_output()
    if isinstance(error, BrokenPipeError):
        return 1  # the reader of the output, such as `head`, has closed the pipe
    if isinstance(error, ZooError):
        return _answer(error.problems, error.exit_code)
    if isinstance(error, OSError) and error.strerror:
        return _answer([Problem(error.strerror, str(error.filename or ""))], 1)
    if isinstance(error, MemoryError):
        return _answer([Problem("there is not enough memory for this", hint="take less at a time")], 1)
    return _surprise(error)


def _surprise(error: BaseException) -> int:
    """The answer to what no part of the zoo foresaw; a plugin whose code led there answers for it."""
    from zoo.registry.entry import plugin_error
    from zoo.registry.guard import describe_error

    if answer := plugin_error(error):
        return _answer(answer.problems, answer.exit_code)
    return _answer(
        [Problem(describe_error(error), hint="this should not happen; --trace shows where it did")], 1
    )


def run(words: Sequence[str]) -> int:
    """Run one command line and return its exit code; problems are printed, never raised."""
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except BaseException as error:  # also what ends the program: a command that did nothing must not end well
        if isinstance(error, SystemExit) and _is_of_click(error):
            return error.code if isinstance(error.code, int) else 1
        if os.environ.get("ZOO_TRACE"):
            import traceback

            traceback.print_exc()
        return _failure(error)


def main() -> None:
    """Entry point of the command `zoo`."""
    take_standard_output()
    hear_signals()
    sys.exit(run(sys.argv[1:]))
