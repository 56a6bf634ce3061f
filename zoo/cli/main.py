"""The command `zoo`: runs subcommands and reports every error as a message and an exit code.

A subcommand is a module `zoo/cli/<name>.py` (`<name>_.py` if the name is a keyword of Python) with a click
command (or group) named `command`. It is imported only when it is called, so that help, completion and
typing errors are handled quickly.
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
from zoo.cli.signals import exit_code, hear_signals, leave_signals
from zoo.environment import OFF
from zoo.errors import Problem, UsageError, ZooError
from zoo.progress import discard

# Otherwise pydantic searches all installed packages for plugins at each start.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
# Spinning threads make torch ten times slower on a machine that is busy with other processes.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

COMMANDS: dict[str, str] = {
    "list": "List the parts of the zoo, slot by slot.",
    "show": "Show one part, the model card of a bundle, or all settings of train or generate.",
    "build": "Assemble parts, check that they are compatible and run, and show their sizes.",
    "train": "Train a model on music and keep its best weights as a bundle.",
    "tune": "Search over parts and settings: train trial after trial, and keep the best model.",
    "runs": "List the runs below a folder, or compare two of them.",
    "evaluate": "Score trained models on held-out pieces, next to the floors.",
    "bench": "Compare combinations: train what a study needs, and print its table.",
    "generate": "Write new music with a trained model, from silence or after a primer.",
    "play": "Play a MIDI or WAV file, or new music that a bundle writes.",
    "report": "Write a page with music of models to listen to; it opens in any browser, offline.",
    "votes": "Rank models by the votes of listeners, one file per listener.",
    "models": "List the pretrained models that are installed with the zoo.",
    "push": "Publish a bundle on the Hugging Face Hub.",
    "data": "List corpora of music, show their contents, and check what could not be read.",
    "midi": "Inspect MIDI files: which can be read, what they contain, and what is wrong with the others.",
    "export": "Export the encoder, attention or velocity of a bundle as a torch.export program.",
    "import": "Convert a model and a decoder of the original notebooks to a bundle.",
    "plugin": "List, check and create plugins.",
    "completion": "Print the completion script for a shell.",
}
"""Each command with its line in `zoo --help`, the first line of its own help."""


def _switch(flag: str, variable: str, value: str, help: str) -> click.Option:
    """An option that sets an environment variable, so that it also applies to child processes."""

    def apply(context: click.Context, option: click.Parameter, given: bool) -> None:
        if given:
            os.environ[variable] = value

    return click.Option([flag], is_flag=True, is_eager=True, expose_value=False, callback=apply, help=help)


SWITCHES = (
    _switch("--local", "ZOO_LOCAL", "1", "Load the plugins that ./registry.toml names."),
    _switch("--no-plugins", "ZOO_PLUGINS", "", "Load only the plugins that are part of the zoo."),
    _switch("--trace", "ZOO_TRACE", "1", "Show the traceback of an error."),
)


def _with_switches(command: click.Command) -> click.Command:
    """The command, extended so that switches may also follow it: `zoo list --local`."""
    if isinstance(command, click.Group):
        for child in command.commands.values():
            _with_switches(child)
    elif SWITCHES[0] not in command.params:
        command.params.extend(SWITCHES)
        if command.callback is not None:
            command.callback = printing_aside()(command.callback)
    return command


class LazyGroup(click.Group):
    """A group that imports only the command that is called."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Names in the order of `COMMANDS`, which is the usual order of work."""
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Import the command of this name."""
        if name not in COMMANDS:
            return None
        module = f"{name}_" if iskeyword(name) else name
        # Imported objects stay alive; collecting garbage meanwhile would take a tenth of the time.
        gc.disable()
        try:
            command: click.Command = import_module(f"zoo.cli.{module}").command
        finally:
            gc.enable()
        return _with_switches(command)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands for `zoo --help`, without importing them."""
        if COMMANDS:
            with formatter.section("Commands"):
                formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, context: click.Context, incomplete: str) -> list[Any]:
        """Commands with this prefix, and options as click completes them."""
        from click.shell_completion import CompletionItem

        names = [
            CompletionItem(name, help=COMMANDS[name]) for name in COMMANDS if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, context, incomplete)]


EPILOG = """\b
Environment:
  ZOO_PLUGINS=a,b  Of third-party plugins, load only these.
  ZOO_LOCAL=1      Same as --local.
  ZOO_STRICT=1     Fail if a plugin is broken instead of ignoring it.
"""


@click.group("zoo", cls=LazyGroup, params=list(SWITCHES), invoke_without_command=True, epilog=EPILOG)
@click.version_option(__version__, message="polyzoo %(version)s")
@click.pass_context
def zoo(context: click.Context) -> None:
    """Compose models of polyphonic music from parts; train, compare and listen to them."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def _meant(given: str, names: Sequence[str], otherwise: str, cutoff: float = 0.6) -> str:
    close = get_close_matches(given, names, n=1, cutoff=cutoff)
    return f"did you mean {close[0]}" if close else otherwise


def _explain(error: click.UsageError) -> Problem:
    """A usage error of click as a problem with a hint."""
    place = error.ctx.command_path if error.ctx else "zoo"
    help = f"see `{place} --help`"
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
        options = error.ctx.command.get_params(error.ctx) if error.ctx else []
        names = [name for option in options for name in option.opts]
        # Stricter than click, to which --help resembles --tempo.
        hint = _meant(error.option_name, names, help, cutoff=0.75)
        return Problem(f"{place} has no option {error.option_name}", hint=hint)
    if isinstance(error, click.MissingParameter) and isinstance(error.param, click.Option):
        name = error.param.opts[0]
        return Problem(f"{name} is missing", place, f"add {name} {error.param.metavar or 'PATH'}; {help}")
    message = error.format_message().rstrip(".")
    for name, plain in (("float range", "number"), ("integer range", "integer")):
        message = message.replace(f"is not a valid {name}", f"is not a valid {plain}")
    return Problem(message, place, help)


def _answer(problems: Sequence[Problem], code: int) -> int:
    try:
        print_problems(problems)
    except BrokenPipeError:
        _give_up_output()
    return code


def _run(words: Sequence[str]) -> int:
    """Run the command and return its exit code; usage errors and interrupts are handled here."""
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
    """Whether click ends the program, after completion or because the pipe that reads its help was closed."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__") == "click.core"


def _give_up_output() -> None:
    """Discard further output to streams that cannot be written."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            discard(stream)


def _failure(error: BaseException) -> int:
    _give_up_output()
    if isinstance(error, BrokenPipeError):
        return 1  # the reader of the output, such as `head`, has closed the pipe
    if isinstance(error, ZooError):
        return _answer(error.problems, error.exit_code)
    if isinstance(error, OSError) and error.strerror:
        return _answer([Problem(error.strerror, str(error.filename or ""))], 1)
    if isinstance(error, MemoryError):
        return _answer([Problem("there is not enough memory for this", hint="process less at a time")], 1)
    return _surprise(error)


def _surprise(error: BaseException) -> int:
    """Report an unexpected error; if it was raised by a plugin's code, report it as the plugin's."""
    from zoo.registry.entry import plugin_error
    from zoo.registry.guard import describe_error

    if answer := plugin_error(error):
        return _answer(answer.problems, answer.exit_code)
    return _answer([Problem(describe_error(error), hint="this is a bug; --trace shows where it happened")], 1)


def run(words: Sequence[str]) -> int:
    """Run one command line and return its exit code; problems are printed, never raised."""
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except BaseException as error:  # SystemExit too: a command that was cut short must not return 0
        if isinstance(error, SystemExit) and _is_of_click(error):
            return error.code if isinstance(error.code, int) else 1
        if os.environ.get("ZOO_TRACE", "").lower() not in OFF:
            import traceback

            traceback.print_exc()
        return _failure(error)


def main() -> None:
    """Entry point of the command `zoo`."""
    take_standard_output()
    hear_signals()
    code = run(sys.argv[1:])
    leave_signals()
    sys.exit(code)
