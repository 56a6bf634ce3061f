"""`zoo midi`: a look at MIDI files before they are learned from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from zoo.errors import DataError, Problem


@click.group("midi")
def command() -> None:
    """Look at MIDI files: which can be read, what they hold, and what is wrong with the others."""


@command.command("check")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE|FOLDER...")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects as JSON.")
def check(paths: tuple[Path, ...], as_json: bool) -> int:
    """Say of MIDI files what they hold, or why they are refused.

    Faults that do not touch the notes are repaired and named. A folder stands for all .mid and .midi
    files in it and below. The exit code is 3 if a file is refused.
    """
    from rich.progress import track

    from zoo.cli.console import print_json, show, talk

    files = _files(paths)
    quiet = as_json or not talk.is_terminal
    rows = [_row(file) for file in track(files, "Reading", console=talk, transient=True, disable=quiet)]
    refused = sum(not row["readable"] for row in rows)
    if as_json:
        print_json(rows)
    else:
        show.print(_table(rows))
        talk.print(f"{len(rows) - refused} of {len(rows)} files can be read")
    return DataError.exit_code if refused else 0


def _files(paths: tuple[Path, ...]) -> list[Path]:
    from zoo.music.guard import midi_files

    files = []
    for path in paths:
        found = midi_files(path) if path.is_dir() else [path]
        if not found:
            raise DataError(Problem("this folder holds no .mid or .midi file", str(path)))
        files += found
    return files


def _row(file: Path) -> dict[str, Any]:
    """What is known of a file once it has been read, or refused."""
    from zoo.music.guard import MidiError
    from zoo.music.midi import examine_midi
    from zoo.music.roll import key_name

    try:
        reading = examine_midi(file)
    except MidiError as error:
        fault = {"code": error.code, "what": error.what, "offset": error.offset}
        return {"path": str(file), "readable": False, **fault}
    notes = reading.roll.notes()
    return {
        "path": str(file),
        "readable": True,
        "frames": reading.roll.frames,
        "notes": len(notes),
        "lowest": key_name(int(notes.key.min())),
        "highest": key_name(int(notes.key.max())),
        "tempo": round(reading.roll.tempo, 3),
        "tracks": list(reading.titles),
        "repaired": dict(reading.repairs),
        "left_out": dict(reading.left_out),
    }


def _table(rows: list[dict[str, Any]]) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from zoo.cli.console import visible

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("file", overflow="fold")
    for heading in ("sixteenths", "notes"):
        table.add_column(heading, justify="right")
    table.add_column("range")
    table.add_column("tempo", justify="right")
    table.add_column("remarks")
    for row in rows:
        name = Text(visible(row["path"]))
        if row["readable"]:
            numbers = (f"{row['frames']:,}", f"{row['notes']:,}", f"{row['lowest']}-{row['highest']}")
            remarks = _listed("repaired", row["repaired"]) + _listed("left out", row["left_out"])
            table.add_row(name, *numbers, f"{row['tempo']:.0f}", "; ".join(remarks))
        else:
            place = "" if row["offset"] is None else f", byte {row['offset']}"
            why = Text(f"refused: {visible(row['what'])} ({row['code']}{place})", style="red")
            table.add_row(name, "", "", "", "", why)
    return table


def _listed(verb: str, counts: Mapping[str, int]) -> list[str]:
    items = ", ".join(f"{count} {what}" for what, count in counts.items())
    return [f"{verb}: {items}"] if items else []
