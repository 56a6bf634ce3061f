"""`zoo midi`: a look at MIDI files before they are learned from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from zoo.cli.counts import count
from zoo.errors import DataError, Problem
from zoo.music.grid import FINEST_GRID, GRID

if TYPE_CHECKING:
    from rich.table import Table

    from zoo.music.midi import Reading

SHOWN_TRACKS = 16
"""How many tracks of a file are printed; `--json` has all of them."""
WORDS = {
    "stated": "as the file states it",
    "shifted": "the file's own, shifted onto its notes",
    "annotated": "from the beats beside the file",
    "unaligned": "none that the notes keep to",
}
"""What `Reading.alignment` means."""
METER_FROM = {
    "stated": "as the file's time signatures state",
    "heard": "where the notes or markers of the file suggest",
    "annotated": "from the downbeats beside the file",
    "assumed": "4/4 is assumed: the file states no time signature",
}
"""What `Reading.meter_from` means."""


@click.group("midi")
def command() -> None:
    """Look at MIDI files: which can be read, what they hold, and what is wrong with the others."""


@command.command("check")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE|FOLDER...")
@click.option(
    "--grid",
    type=click.IntRange(1, FINEST_GRID),
    default=GRID,
    show_default=True,
    help="Frames to a quarter note.",
)
@click.option(
    "--pedal",
    type=click.Choice(["keep", "hold"]),
    default="keep",
    show_default=True,
    help="Notes end when the key is released (keep) or when the sustain pedal rises (hold).",
)
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects as JSON.")
def check(paths: tuple[Path, ...], grid: int, pedal: Literal["keep", "hold"], as_json: bool) -> int:
    """Say of MIDI files what they hold and what reading costs, or why they are refused.

    Of each file: its length, notes and tempo; its time signatures and where they are from; how its grid was
    found and how many notes lie off it; what is lost when it is put on the grid, left out or repaired; and
    its tracks. A folder stands for all MIDI files in it and below. The exit code is 3 if a file is refused.
    """
    from rich.progress import track

    from zoo.cli.console import print_json, show, talk

    files = _files(paths, quiet=as_json)
    quiet = as_json or not talk.is_terminal
    rows = [
        _row(file, grid, pedal)
        for file in track(files, "Reading", console=talk, transient=True, disable=quiet)
    ]
    refused = sum(not row["readable"] for row in rows)
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            for part in _block(row):
                show.print(part)
        talk.print(f"{len(rows) - refused:,} of {count(len(rows), 'file')} can be read")
    return DataError.exit_code if refused else 0


def _files(paths: tuple[Path, ...], *, quiet: bool) -> list[Path]:
    """The files to look at; says what is passed over in folders, unless it is to be quiet."""
    from zoo.cli.console import talk, visible
    from zoo.music.listing import midi_files

    files = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        found = midi_files(path)
        if not found.files:
            raise DataError(Problem("this folder holds no MIDI file", str(path)))
        if found.passed_over and not quiet:
            told = ", ".join(f"{what}: {count}" for what, count in found.passed_over.most_common())
            talk.print(visible(f"{path}: passed over {told}"), soft_wrap=True)
        files += found.files
    return files


def _row(file: Path, grid: int, pedal: Literal["keep", "hold"]) -> dict[str, Any]:
    """What is known of a file once it has been read, or refused."""
    from zoo.music.guard import MidiError
    from zoo.music.midi import examine_midi

    try:
        reading = examine_midi(file, grid=grid, pedal=pedal)
    except MidiError as error:
        fault = {"code": error.code, "what": error.what, "offset": error.offset}
        return {"path": str(file), "readable": False, **fault}
    except DataError as error:  # of the file of beats beside it
        what = "; ".join(str(problem) for problem in error.problems)
        return {"path": str(file), "readable": False, "code": "bad-beats", "what": what, "offset": None}
    return {"path": str(file), "readable": True, **_facts(reading)}


def _facts(reading: Reading) -> dict[str, Any]:
    from zoo.music.roll import key_name

    roll, notes = reading.roll, reading.roll.notes()
    return {
        "grid": roll.meter.grid,
        "frames": roll.frames,
        "bars": len(roll.meter.bar_lines(roll.frames)),
        "time_signatures": [asdict(change) for change in roll.meter.changes],
        "meter_from": reading.meter_from,
        "tempo": round(roll.tempo, 3),
        "tempo_changes": len(roll.tempo_changes),
        "notes": len(notes),
        "lowest": key_name(int(notes.key.min())),
        "highest": key_name(int(notes.key.max())),
        "alignment": reading.alignment,
        "off_grid": round(reading.off_grid, 4),
        "off_grid_before": round(reading.off_grid_before, 4),
        "losses": dict(reading.losses),
        "left_out": dict(reading.left_out),
        "repaired": dict(reading.repairs),
        "tracks": [{"title": title, "notes": count} for title, count in reading.tracks],
    }


def _block(row: Mapping[str, Any]) -> Iterator[Any]:
    """The name of a file and under it what is known of it."""
    from rich.padding import Padding
    from rich.text import Text

    from zoo.cli.console import visible

    yield Text(visible(row["path"]), style="bold", overflow="fold")
    if row["readable"]:
        yield Padding(_table(row), (0, 0, 0, 2), expand=False)
    else:
        place = "" if row["offset"] is None else f", byte {row['offset']}"
        why = f"refused: {visible(row['what'])} ({row['code']}{place})"
        yield Padding(Text(why, style="red"), (0, 0, 0, 2), expand=False)


def _table(row: Mapping[str, Any]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from zoo.cli.console import visible

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for label, words in _lines(row):
        if words:
            table.add_row(label, Text(visible(words)))
    return table


def _lines(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Labels and what stands beside them; nothing where there is nothing to say."""
    unit, per = ("sixteenth", "") if row["grid"] == GRID else ("frame", f", {row['grid']} to a quarter note")
    yield "length", f"{count(row['bars'], 'bar')}, {count(row['frames'], unit)}{per}"
    yield "notes", f"{row['notes']:,} from {row['lowest']} to {row['highest']}"
    yield "meter", _meter(row)
    yield "bar lines", METER_FROM[row["meter_from"]]
    changes = f", {count(row['tempo_changes'] - 1, 'change')}" if row["tempo_changes"] else ""
    yield "tempo", f"{row['tempo']:.0f} quarter notes a minute{changes}"
    yield "grid", f"{WORDS[row['alignment']]}; {_off_grid(row)}"
    yield "changed", _counts(row["losses"])
    yield "left out", _counts(row["left_out"])
    yield "repaired", _counts(row["repaired"])
    yield "tracks", _tracks(row["tracks"])


def _meter(row: Mapping[str, Any]) -> str:
    """The time signatures, how often they change, and an upbeat as a part of a whole note."""
    from zoo.music.meter import Meter

    meter = Meter.from_json({"grid": row["grid"], "changes": row["time_signatures"]})
    changes = len(meter.changes) - 1
    words = str(meter) + (f", {changes} changes" if changes > 1 else "")
    upbeat = meter.bar_lines(row["frames"])[:1].tolist() if meter.offset else []
    return words + (f", after an upbeat of {Fraction(upbeat[0], 4 * row['grid'])}" if upbeat else "")


def _off_grid(row: Mapping[str, Any]) -> str:
    """How many notes lie off the grid, and how many did before it was shifted."""
    if not row["off_grid"]:
        off = "every note lies on it"
    else:
        off = f"{row['off_grid']:.1%} of notes lie more than a quarter frame off it"
    moved = row["alignment"] in ("shifted", "annotated")
    return off + (f" ({row['off_grid_before']:.1%} before)" if moved else "")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in counts.items())


def _tracks(tracks: Sequence[Mapping[str, Any]]) -> str:
    """The tracks that have notes, by title or number."""
    sounding = [
        f"{track['title'] or f'no. {number}'} ({track['notes']:,})"
        for number, track in enumerate(tracks, start=1)
        if track["notes"]
    ]
    more = len(sounding) - SHOWN_TRACKS
    return ", ".join(sounding[:SHOWN_TRACKS]) + (f" and {more} more" if more > 0 else "")
