"""`zoo midi`: inspect MIDI files before training on them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.tracks import tracks_in_words
from zoo.counts import count, percent
from zoo.errors import DataError, Problem, UsageError
from zoo.music.grid import GRID
from zoo.train.keys import ReadingKeys

if TYPE_CHECKING:
    from rich.table import Table

    from zoo.music.midi import Reading

WORDS = {
    "stated": "as the file states it",
    "shifted": "the file's own, shifted onto its notes",
    "annotated": "from the file of beats",
    "unaligned": "none that fits the notes",
}
"""Descriptions of the values of `Reading.alignment`."""
METER_FROM = {
    "stated": "from the time signatures of the file",
    "heard": "inferred from the notes or markers of the file",
    "annotated": "from the downbeats in the file of beats",
    "assumed": "4/4 is assumed: the file has no time signature",
}
"""Descriptions of the values of `Reading.meter_from`."""


@click.group("midi")
def command() -> None:
    """Inspect MIDI files: which can be read, what they contain, and what is wrong with the others."""


@command.command("check")
@click.argument("words", nargs=-1, required=True, metavar="FILE|FOLDER[:TRACK,...]... [KEY=VALUE]...")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects as JSON.")
def check(words: tuple[str, ...], as_json: bool) -> int:
    """Show what MIDI files contain and what reading them loses, or why they are rejected.

    For each file: its length, notes and tempo; its time signatures and their source; how its grid was found
    and how many notes are off the grid; what is lost by quantization, left out or repaired; and its tracks. A
    folder stands for all MIDI files in it and its subfolders; FILE:PIANO reads only the tracks titled PIANO.
    KEY=VALUE sets how files are read: grid=12, pedal=hold. A finer grid is recommended if it merges and moves
    far fewer notes. The exit code is 3 if a file is rejected.
    """
    from rich.progress import track

    from zoo.cli.console import print_json, stderr, stdout

    keys, places = _keys_and_places(words)
    files = _files(places, quiet=as_json)
    quiet = as_json or not stderr.is_terminal
    rows = [
        _row(file, tracks, keys)
        for file, tracks in track(files, "Reading", console=stderr, transient=True, disable=quiet)
    ]
    refused = sum(not row["readable"] for row in rows)
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            for part in _block(row):
                stdout.print(part)
        stderr.print(f"{len(rows) - refused:,} of {count(len(rows), 'file')} can be read")
    return DataError.exit_code if refused else 0


def _keys_and_places(words: Sequence[str]) -> tuple[ReadingKeys, list[str]]:
    """The words `grid=12` and `pedal=hold`, and the others, which are paths with or without tracks.

    Raises:
        UsageError: there is no such key or value, or no path.
    """
    from zoo.registry.fields import check
    from zoo.registry.values import read_value

    fields = ReadingKeys.model_fields
    keyed = [word for word in words if _is_key(word, fields)]
    places = [word for word in words if word not in keyed]
    given = {word.partition("=")[0]: word for word in keyed}
    typed = {
        name: read_value(word.partition("=")[2], fields[name].annotation if name in fields else str)
        for name, word in given.items()
    }
    checked = check(ReadingKeys, typed, "", given)
    problems = list(checked.problems)
    if len(given) < len(keyed):
        problems.append(Problem("a key is given twice", " ".join(keyed), "leave one of them out"))
    if not places:
        problems.append(Problem("name a file or a folder", hint="such as zoo midi check FILE grid=12"))
    if problems:
        raise UsageError(*problems)
    return checked.settings, places


def _is_key(word: str, known: Collection[str]) -> bool:
    """Whether a word is KEY=VALUE, with a known key or with another one that is not an existing file."""
    key, sign, value = word.partition("=")
    return bool(sign) and (
        key in known or (key.isidentifier() and value.isalnum() and not Path(word).exists())
    )


def _files(places: Sequence[str], *, quiet: bool) -> list[tuple[Path, tuple[str, ...]]]:
    """The files to inspect and the tracks to read; prints what is ignored in folders, unless `quiet`."""
    from zoo.cli.console import stderr
    from zoo.data.folder import split_tracks
    from zoo.music.listing import midi_files

    files = []
    for place in places:
        name, tracks = split_tracks(place)
        path = Path(name)
        if not path.is_dir():
            files.append((path, tracks))
            continue
        listing = midi_files(path)
        if not listing.files:
            raise DataError(Problem("this folder contains no MIDI file", str(path)))
        if listing.ignored and not quiet:
            ignored = ", ".join(f"{what}: {count}" for what, count in listing.ignored.most_common())
            stderr.print_line(f"{path}: ignored {ignored}")
        files += [(file, tracks) for file in listing.files]
    return files


def _row(file: Path, tracks: Sequence[str], keys: ReadingKeys) -> dict[str, Any]:
    """The facts of a file, or why it is rejected, ready for JSON."""
    from zoo.music.guard import MidiError
    from zoo.music.midi import examine_midi

    try:
        reading = examine_midi(file, tracks=tracks, grid=keys.grid or GRID, pedal=keys.pedal)
    except MidiError as error:
        fault = {"code": error.code, "what": error.what, "offset": error.offset}
        return {"path": str(file), "readable": False, **fault}
    except DataError as error:  # of the file of beats beside it
        what = "; ".join(str(problem) for problem in error.problems)
        return {"path": str(file), "readable": False, "code": "bad-beats", "what": what, "offset": None}
    return {
        "path": str(file),
        "readable": True,
        **_to_json(reading),
        "better_grid": _better_grid(file, tracks, reading),
    }


def _better_grid(file: Path, tracks: Sequence[str], reading: Reading) -> dict[str, int] | None:
    """The grid that `zoo data scan` would recommend for the file alone, and what it and this one cost."""
    from zoo.data.grids import MERGED, grid_costs, recommended

    if not any(name in reading.losses for name in (*MERGED, "moved")):
        return None
    grid = reading.roll.meter.grid
    costs = {cost.grid: cost for cost in grid_costs([file], tracks, grid)}
    better = recommended(costs, grid)
    if better is None:
        return None
    here = {"merged_here": costs[grid].merged, "moved_here": costs[grid].moved}
    return {**asdict(better), **here}


def _to_json(reading: Reading) -> dict[str, Any]:
    from zoo.music.roll import key_name

    roll, notes = reading.roll, reading.roll.notes()
    return {
        "grid": roll.meter.grid,
        "frames": roll.frames,
        "rest": reading.end - roll.frames,
        "bars": len(roll.meter.bar_lines(roll.frames)),
        "time_signatures": [asdict(change) for change in roll.meter.changes],
        "meter_from": reading.meter_from,
        "tempo": round(roll.tempo, 3),
        "tempo_changes": len(roll.tempo_changes),
        "notes": len(notes),
        "lowest": key_name(int(notes.key.min())),
        "highest": key_name(int(notes.key.max())),
        "alignment": reading.alignment,
        "off_grid": reading.off_grid,
        "off_grid_before": reading.off_grid_before,
        "losses": dict(reading.losses),
        "left_out": dict(reading.left_out),
        "repaired": dict(reading.repairs),
        "tracks": [{"title": title, "notes": count} for title, count in reading.tracks],
    }


def _block(row: Mapping[str, Any]) -> Iterator[Any]:
    """The name of a file, and below it a table of its facts."""
    from rich.padding import Padding
    from rich.text import Text

    from zoo.cli.console import visible

    yield Text(visible(row["path"]), style="bold", overflow="fold")
    if row["readable"]:
        yield Padding(_table(row), (0, 0, 0, 2), expand=False)
    else:
        place = "" if row["offset"] is None else f", byte {row['offset']}"
        why = f"rejected: {visible(row['what'])} ({row['code']}{place})"
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
    """Labels and their texts; rows with an empty text are not printed."""
    unit, per = ("sixteenth", "") if row["grid"] == GRID else ("frame", f", {row['grid']} per quarter note")
    rest = f", then a rest of {row['rest']:,}" if row["rest"] else ""
    yield "length", f"{count(row['bars'], 'bar')}, {count(row['frames'], unit)}{per}{rest}"
    yield "notes", f"{row['notes']:,} from {row['lowest']} to {row['highest']}"
    yield "meter", _meter(row)
    yield "bar lines", METER_FROM[row["meter_from"]]
    changes = f", {count(row['tempo_changes'] - 1, 'change')}" if row["tempo_changes"] else ""
    yield "tempo", f"{row['tempo']:.0f} quarter notes per minute{changes}"
    yield "grid", f"{WORDS[row['alignment']]}; {_off_grid(row)}"
    yield "changed", _counts(row["losses"])
    yield "advice", _advice(row)
    yield "left out", _counts(row["left_out"])
    yield "repaired", _counts(row["repaired"])
    yield "tracks", tracks_in_words(row["tracks"])


def _meter(row: Mapping[str, Any]) -> str:
    from zoo.cli.meters import in_order
    from zoo.music.meter import Meter

    meter = Meter.from_json({"grid": row["grid"], "changes": row["time_signatures"]})
    return in_order(meter, row["frames"])


def _advice(row: Mapping[str, Any]) -> str:
    """The grid that fits the file better, if there is one."""
    better = row["better_grid"]
    if better is None:
        return ""
    current = f"grid={row['grid']} merges {better['merged_here']:,} and moves {better['moved_here']:,}"
    improved = f"merges {better['merged']:,} and moves {better['moved']:,} of {better['notes']:,} notes"
    return f"grid={better['grid']} fits it better: it {improved}, {current}"


def _off_grid(row: Mapping[str, Any]) -> str:
    """The share of notes off the grid, now and before the grid was shifted."""
    if not row["off_grid"]:
        off = "all notes are on it"
    else:
        off = f"{percent(row['off_grid'])} of notes are more than a quarter of a frame off it"
    moved = row["alignment"] in ("shifted", "annotated")
    return off + (f" ({percent(row['off_grid_before'])} before)" if moved else "")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in counts.items())
