"""A folder of MIDI files, or a single file, as a corpus; tracks can be selected by title."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path

from zoo.data import boulanger
from zoo.data.options import DEFAULTS, Options
from zoo.data.parallel import in_parallel
from zoo.data.piece import Skipped, SourcePiece, read_piece
from zoo.data.source import DataSource
from zoo.errors import DataError, Problem
from zoo.files import expanded
from zoo.music.beats import find_beats
from zoo.music.grid import GRID
from zoo.music.guard import MidiError
from zoo.music.listing import Listing, is_midi_name, midi_files

PLANES = frozenset({"onset", "sounding", "velocity"})


def source(path: Path, options: Options = DEFAULTS) -> DataSource:
    """The MIDI files at a path, which is a file or a folder with subfolders, as a source.

    Titles of the tracks to read may follow a colon, as in `midi:PIANO` or `midi:MELODY,PIANO`; see
    `split_tracks`. If there is a beat file next to a MIDI file, it defines the grid (`zoo.music.beats`).

    Raises:
        DataError: the file or folder does not exist, or contains no MIDI file.
    """
    location, tracks = split_tracks(str(path))
    midi_path = Path(location)
    if not _exists(midi_path):
        raise DataError(_missing(path))
    root, listing = _root(midi_path), _listing(midi_path)
    if not listing.files:
        raise DataError(_no_midi(midi_path, listing))

    def read() -> Iterator[SourcePiece | Skipped]:
        inputs = ((file, _title(file, root), tracks, options) for file in listing.files)
        return in_parallel(_read, inputs, len(listing.files))

    return DataSource(
        name=str(path),
        planes=PLANES,
        grid=options.grid or GRID,
        size=len(listing.files),
        read=read,
        place=":".join([str(midi_path.resolve()), *([",".join(tracks)] if tracks else [])]),
        state=_states(listing.files, root),
        options=options,
        ignored=listing.ignored,
    )


def files_and_tracks(name: str) -> tuple[list[Path], tuple[str, ...]]:
    """The MIDI files and tracks that a name selects; no files if it is not a folder or MIDI file."""
    location, tracks = split_tracks(name)
    path = expanded(location)
    return (_listing(path).files if _exists(path) else []), tracks


def file_of(name: str, title: str) -> Path | None:
    """The MIDI file of the piece with this title; None if the name is not that of a folder or MIDI file."""
    files, _ = files_and_tracks(name)
    root = _root(expanded(split_tracks(name)[0]))
    return next((file for file in files if _title(file, root) == title), None)


def _root(path: Path) -> Path:
    """The folder that titles start from."""
    return path if path.is_dir() else path.parent


def _title(file: Path, root: Path) -> str:
    return str(file.relative_to(root))


def _listing(path: Path) -> Listing:
    return midi_files(path) if path.is_dir() else Listing([path] if is_midi_name(path) else [])


def split_tracks(name: str, known: Collection[str] = ()) -> tuple[str, tuple[str, ...]]:
    """Split a name into the path or name of a corpus and the titles of tracks that follow a colon.

    Paths and titles may contain colons themselves: the path is the longest prefix that exists, the rest are
    titles, as in `songs:Piano: RH`. Titles are separated by commas and keep the spaces around them, so that a
    title with a comma in it (`songs:Piano, RH`) can be recognised in a file that has such a track
    (`zoo.music.walk.read_score`).

    Args:
        name: the name, as given by the user.
        known: names of corpora, which take precedence over paths.

    Returns:
        The path or name, and the titles. If no prefix exists or no title follows, the name is returned
        unchanged without titles.
    """
    parts = name.split(":")
    prefixes = [":".join(parts[:count]) for count in range(len(parts), 0, -1)]
    existing = (
        parts[:1] if parts[0] in known else (prefix for prefix in prefixes if prefix and _exists(prefix))
    )
    location = next(iter(existing), name)
    tracks = tuple(title for title in name[len(location) + 1 :].split(",") if title.strip())
    return (location, tracks) if tracks else (name, ())


def _exists(path: str | Path) -> bool:
    """Whether a path exists; false for names that no file can have, such as overlong ones."""
    try:
        return Path(path).exists()
    except OSError:
        return False


def _read(file: Path, title: str, tracks: Sequence[str], options: Options) -> SourcePiece | Skipped:
    from zoo.music.midi import examine_midi

    try:
        return read_piece(title, partial(examine_midi, file, tracks=tracks), options)
    except MidiError as error:
        return Skipped(title, error.what)
    except DataError as error:  # raised for its beat file
        return Skipped(
            title, "; ".join(f"{Path(problem.where).name}: {problem.what}" for problem in error.problems)
        )


def _states(files: Sequence[Path], root: Path) -> list[list[str | int]]:
    """The state of each file; every folder is listed once."""
    names = lru_cache(maxsize=None)(_names)
    return [_state(file, root, names(file.parent)) for file in files]


def _names(folder: Path) -> frozenset[str] | None:
    """The names of everything in a folder; None if it cannot be listed."""
    try:
        return frozenset(path.name for path in folder.iterdir())
    except OSError:
        return None


def _state(file: Path, root: Path, siblings: Collection[str] | None) -> list[str | int]:
    """Name, sizes and times of a MIDI file and its beat file; only the name if they are not accessible."""
    state: list[str | int] = [file.relative_to(root).as_posix()]
    try:
        for path in (file, find_beats(file, siblings)):
            if path is not None:
                status = path.stat()
                state += [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    except OSError:
        return state
    return state


def _missing(path: Path) -> Problem:
    return Problem(
        "there is no corpus, folder or MIDI file with this name",
        where=str(path),
        hint="give an existing folder of MIDI files; `zoo data list` shows the named corpora",
    )


def _no_midi(path: Path, listing: Listing) -> Problem:
    if not path.is_dir():
        return Problem(
            "this is not a MIDI file", str(path), "give a folder that contains .mid or .midi files"
        )
    ignored = ", ".join(f"{what}: {count}" for what, count in listing.ignored.most_common(4))
    what = "this folder contains no MIDI files" + (f" (ignored: {ignored})" if ignored else "")
    hint = "give a folder that contains .mid or .midi files"
    datasets = (file for file in path.glob("*.*") if file.suffix in boulanger.SUFFIXES[:-1])
    dataset = next(datasets, None)
    if dataset is not None:
        hint = f"give one of its {dataset.suffix} files, or a folder that contains .mid or .midi files"
    elif listing.ignored["links to folders"]:
        hint = "give the folder that the link points to"
    return Problem(what, where=str(path), hint=hint)
