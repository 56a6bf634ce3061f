"""Any folder of MIDI files, or a single one, as a corpus; of its tracks all or, by title, some."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

from zoo.data import boulanger
from zoo.data.options import DEFAULTS, Options
from zoo.data.piece import Reading, Skipped, read_piece
from zoo.data.source import Source
from zoo.errors import DataError, Problem
from zoo.music.beats import find_beats
from zoo.music.grid import GRID
from zoo.music.guard import MidiError
from zoo.music.listing import Listing, is_midi_name, midi_files

PLANES = frozenset({"onset", "sounding", "velocity"})


def source(path: Path, options: Options = DEFAULTS) -> Source:
    """The MIDI files at a path: a file, or a folder with all folders in it.

    What follows a colon names the tracks to read, `midi:PIANO` or `midi:MELODY,PIANO`; see `split_tracks`.
    A file of beats beside a MIDI file puts its music on these beats (`zoo.music.beats`).

    Raises:
        DataError: there is no such file or folder, or no MIDI file in it.
    """
    place, tracks = split_tracks(str(path))
    found = Path(place)
    if not _exists(found):
        raise DataError(_missing(path))
    root, listing = found if found.is_dir() else found.parent, _listed(found)
    if not listing.files:
        raise DataError(_no_midi(found, listing))

    def read() -> Iterator[Reading | Skipped]:
        return (_read(file, str(file.relative_to(root)), tracks, options) for file in listing.files)

    return Source(
        name=str(path),
        planes=PLANES,
        grid=options.grid or GRID,
        size=len(listing.files),
        read=read,
        place=":".join([str(found.resolve()), *([",".join(tracks)] if tracks else [])]),
        state=[_state(file, root) for file in listing.files],
        options=options,
        passed_over=listing.passed_over,
    )


def midi_of(name: str) -> tuple[list[Path], tuple[str, ...]]:
    """The MIDI files that a name stands for, none if it is no folder or MIDI file, and the tracks to read."""
    place, tracks = split_tracks(name)
    path = Path(place).expanduser()
    return (_listed(path).files if _exists(path) else []), tracks


def _listed(path: Path) -> Listing:
    return midi_files(path) if path.is_dir() else Listing([path] if is_midi_name(path) else [])


def split_tracks(name: str, known: Collection[str] = ()) -> tuple[str, tuple[str, ...]]:
    """A path or the name of a corpus, and the titles of tracks that follow it after a colon.

    Both may have colons of their own: the path is the longest part that exists, the rest are titles,
    as in `songs:Piano: RH`. The titles are what stands between commas, with the spaces around them, so
    that a title with a comma in it (`songs:Piano, RH`) can be told where a file has it
    (`zoo.music.walk.read_score`).

    Args:
        name: what the user calls it.
        known: names of corpora, which go before paths.

    Returns:
        The name as it is and no titles where no part of it exists or no title follows.
    """
    parts = name.split(":")
    places = [":".join(parts[:count]) for count in range(len(parts), 0, -1)]
    named = parts[:1] if parts[0] in known else (place for place in places if place and _exists(place))
    place = next(iter(named), name)
    tracks = tuple(title for title in name[len(place) + 1 :].split(",") if title.strip())
    return (place, tracks) if tracks else (name, ())


def _exists(path: str | Path) -> bool:
    """Whether there is anything; a name that no file can have names nothing."""
    try:
        return Path(path).exists()
    except OSError:
        return False


def _read(file: Path, title: str, tracks: Sequence[str], options: Options) -> Reading | Skipped:
    from zoo.music.midi import examine_midi

    try:
        return read_piece(title, partial(examine_midi, file, tracks=tracks), options)
    except MidiError as error:
        return Skipped(title, error.what)
    except DataError as error:  # of the file of beats beside it
        return Skipped(
            title, "; ".join(f"{Path(fault.where).name}: {fault.what}" for fault in error.problems)
        )


def _state(file: Path, root: Path) -> list[str | int]:
    """What changes when a file or its beats do; of one that may not be looked at, its name alone."""
    state: list[str | int] = [file.relative_to(root).as_posix()]
    try:
        for each in (file, find_beats(file)):
            if each is not None:
                status = each.stat()
                state += [status.st_size, status.st_mtime_ns]
    except OSError:
        return state
    return state


def _missing(path: Path) -> Problem:
    return Problem(
        "there is no corpus, folder or MIDI file of this name",
        where=str(path),
        hint="name a folder of MIDI files that exists; `zoo data list` shows the corpora with a name",
    )


def _no_midi(path: Path, listing: Listing) -> Problem:
    if not path.is_dir():
        return Problem("this is not a MIDI file", str(path), "name a folder with .mid or .midi files in it")
    others = ", ".join(f"{what}: {count}" for what, count in listing.passed_over.most_common(4))
    what = "this folder holds no MIDI file" + (f" ({others})" if others else "")
    hint = "name a folder with .mid or .midi files in it"
    sets = (file for file in path.glob("*.*") if file.suffix in boulanger.SUFFIXES[:-1])
    other = next(sets, None)
    if other is not None:
        hint = f"name one of its {other.suffix} files, or a folder with .mid or .midi files in it"
    elif listing.passed_over["links to folders"]:
        hint = "name the folder that the link leads to"
    return Problem(what, where=str(path), hint=hint)
