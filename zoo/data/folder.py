"""Any folder of MIDI files, or a single one, as a corpus; of its tracks all or, by title, some."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from zoo.data.options import Options
from zoo.data.piece import Reading, Skipped
from zoo.data.source import Source
from zoo.errors import DataError, Problem
from zoo.music.grid import GRID
from zoo.music.guard import SUFFIXES, midi_files

PLANES = frozenset({"onset", "sounding", "velocity"})


def source(path: Path, options: Options) -> Source:
    """The MIDI files at a path: a file, or a folder with all folders in it.

    What follows a colon names the tracks to read, `midi:PIANO` or `midi:MELODY,PIANO`; a file or folder
    that has a colon in its own name is meant by its whole name.

    Raises:
        DataError: there is no such file or folder, or no MIDI file in it.
    """
    whole, tracks = path, tuple[str, ...]()
    if not path.exists():
        place, tracks = split_tracks(str(path))
        path = Path(place)
    if not path.exists():
        raise DataError(_missing(path))
    root = path if path.is_dir() else path.parent
    files = midi_files(path) if path.is_dir() else [path]
    if not files or not (path.is_dir() or path.name.lower().endswith(SUFFIXES)):
        raise DataError(_no_midi(path))

    def read() -> Iterator[Reading | Skipped]:
        return (_read(file, str(file.relative_to(root)), tracks, options) for file in files)

    return Source(
        name=str(whole),
        planes=PLANES,
        grid=options.grid or 4,
        size=len(files),
        read=read,
        place=":".join([str(path.resolve()), *([",".join(tracks)] if tracks else [])]),
        state=[*(_state(file, root) for file in files), *options.identity()],
    )


def split_tracks(name: str) -> tuple[str, tuple[str, ...]]:
    """The name or path before the last colon, and the titles of tracks after it."""
    place, _, titles = name.rpartition(":")
    tracks = tuple(title.strip() for title in titles.split(",") if title.strip())
    return (place, tracks) if place and tracks else (name, ())


def _read(file: Path, title: str, tracks: Sequence[str], options: Options) -> Reading | Skipped:
    from zoo.music.midi import examine_midi

    try:
        found = examine_midi(file, tracks=tracks, grid=options.grid or GRID, pedal=options.pedal)
        losses = {**found.losses, **found.left_out}
        return Reading(title, found.roll, None, found.alignment, found.off_grid, losses)
    except DataError as error:
        return Skipped(title, "; ".join(problem.what for problem in error.problems))


def _state(file: Path, root: Path) -> list[str | int]:
    """What changes when a file does; of a file that may not be looked at, its name alone."""
    name = file.relative_to(root).as_posix()
    try:
        status = file.stat()
    except OSError:
        return [name]
    return [name, status.st_size, status.st_mtime_ns]


def _missing(path: Path) -> Problem:
    return Problem(
        "there is no corpus, folder or MIDI file of this name",
        where=str(path),
        cure="name a folder of MIDI files that exists; `zoo data list` shows the corpora with a name",
    )


def _no_midi(path: Path) -> Problem:
    what = "this folder holds no MIDI file" if path.is_dir() else "this is not a MIDI file"
    cure = "name a folder with .mid or .midi files in it"
    other = next((file for file in path.glob("*.*") if file.suffix in (".mat", ".pickle", ".pkl")), None)
    if path.is_dir() and other is not None:
        cure = f"name one of its {other.suffix} files, or a folder with .mid or .midi files in it"
    return Problem(what, where=str(path), cure=cure)
