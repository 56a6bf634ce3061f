"""`zoo play`: a MIDI file, a WAV file or new music of a bundle, through the speakers of this machine."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.cli.words import shell_path
from zoo.errors import Problem, UsageError, ZooError
from zoo.music.grid import FINE_GRID
from zoo.programs import find_program

if TYPE_CHECKING:
    from zoo.music.roll import Roll

PLAYERS: dict[str, tuple[str, ...]] = {
    "paplay": (),
    "aplay": ("-q",),
    "afplay": (),
    "ffplay": ("-nodisp", "-autoexit", "-loglevel", "error", "-f", "wav"),
}
"""Programs that play a WAV file, in the order in which they are looked for, with the options they need."""


@click.command("play")
@click.argument("what", type=click.Path(path_type=Path), metavar="FILE|BUNDLE|RUN")
@click.option(
    "--bars",
    type=click.IntRange(1, 1000),
    default=16,
    show_default=True,
    help="Number of new bars of a bundle.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the new music of a bundle.")
@click.option("--json", "as_json", is_flag=True, help="Print what was played as JSON.")
def command(what: Path, bars: int, seed: int, as_json: bool) -> None:
    """Play a MIDI or WAV file, or new music that a bundle writes.

    The sound is a piano synthesized by the zoo, or fluidsynth if it and a soundfont are installed.
    """
    from zoo.music.sound import write_wav

    name, player = _player(what)
    if what.suffix.lower() == ".wav" and what.is_file():
        _play(player, what)
    else:
        with tempfile.TemporaryDirectory() as folder:
            sound = Path(folder, "music.wav")
            write_wav(_music(what, bars, seed), sound)
            _play(player, sound)
    _print(what, name, as_json)


def _player(what: Path) -> tuple[str, Sequence[str]]:
    """The name of a program that plays sound, and its path and options.

    Raises:
        ZooError: there is none on this machine.
    """
    for name, options in PLAYERS.items():
        if program := find_program(name):
            return name, (program, *options)
    package = "ffmpeg" if sys.platform in ("darwin", "win32") else "alsa-utils or ffmpeg"
    hint = f"install {package}, or {_in_a_browser(what)}"
    raise ZooError(Problem(f"found no player ({', '.join(PLAYERS)})", str(what), hint))


def _in_a_browser(what: Path) -> str:
    """How a browser plays it: a WAV file as it is, other music on a page."""
    if what.suffix.lower() == ".wav":
        return "open the file in a browser"
    return f"listen in a browser: zoo report {shell_path(what)} -o listen.html"


def _music(what: Path, bars: int, seed: int) -> Roll:
    """The music in a MIDI file, or new music of a bundle or a run."""
    from zoo.model.pretrained import bundle_folder

    if bundle_folder(what).is_dir():
        from zoo.cli.opened import open_named
        from zoo.cli.progress import waiting
        from zoo.train.compose import GenerationRequest, compose

        opened = open_named(what)
        with waiting(f"{what} writes") as progress:
            return compose(opened.model, opened.record, GenerationRequest(bars=bars, seed=seed), progress)[0]
    if not what.exists():
        raise UsageError(
            Problem("there is no such file or bundle", str(what), "name a MIDI file or a bundle")
        )
    from zoo.music.midi import read_midi

    return read_midi(what, grid=FINE_GRID)


def _play(player: Sequence[str], sound: Path) -> None:
    # Absolute, since players would take a name that begins with a hyphen for an option.
    command = [*player, str(sound.absolute())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        message = (done.stderr.strip() or "it printed no message").splitlines()[-1]
        hint = "is there a sound card? `zoo report` makes a page that a browser plays"
        raise ZooError(Problem(f"{Path(player[0]).stem} could not play: {message}", hint=hint))


def _print(what: Path, player: str, as_json: bool) -> None:
    from zoo.cli.console import print_json, stdout, visible

    if as_json:
        print_json({"played": str(what), "player": player})
    else:
        stdout.print(visible(f"{what}: played by {player}"))
