"""Opening a corpus by its name or its path."""

from __future__ import annotations

from pathlib import Path

from zoo.data import bach, boulanger, folder, published
from zoo.data.corpus import Corpus
from zoo.data.options import DEFAULTS, Options
from zoo.data.published import PUBLISHED
from zoo.data.source import Source
from zoo.data.store import cache_folder, open_store
from zoo.data.writing import Progress, write_store
from zoo.music.grid import Pedal


def open_corpus(
    name_or_path: str | Path,
    *,
    grid: int | None = None,
    pedal: Pedal = "keep",
    family: str = "",
    progress: Progress | None = None,
) -> Corpus:
    """Open a corpus; the first time it is read, afterwards its cached arrays are mapped into memory.

    Args:
        name_or_path: `bach`; `pop909`, `maestro` or `jsb`, which are downloaded the first time; a folder
            of MIDI files (with all folders in it), a single MIDI file, or one of the
            Boulanger-Lewandowski files (.mat, .pickle) or one laid out alike (.json). `midi:PIANO` reads
            only the tracks called PIANO of the MIDI files in `midi`, `midi:MELODY,PIANO` those of both
            titles.
        grid: frames to a quarter note, 1 to 48; sixteenths (4) unless the files were published on another.
        pedal: `hold` lets a note sound until the sustain pedal rises.
        family: which pieces belong together beyond what their notes tell: a regular expression that is
            matched against titles, or a CSV file of titles and families.
        progress: called with how many pieces have been read and of how many, and before that with bytes
            where something is downloaded; not called where nothing needs to be read.

    Raises:
        DataError: there is nothing there, or nothing in it can be used.
        UsageError: an option is out of range.
        ZooError: the cache cannot be written.
    """
    source = find_source(name_or_path, Options(grid, pedal, family), progress)
    cache = cache_folder()
    store = open_store(cache / source.store_name) or write_store(source, cache, progress)
    return Corpus(source.name, store, passed_over=source.passed_over)


def find_source(
    name_or_path: str | Path, options: Options = DEFAULTS, progress: Progress | None = None
) -> Source:
    """What a name or a path stands for; a name goes before a path (`./bach` is the path).

    A published set that is not on this machine is downloaded.

    Raises:
        DataError: nothing of this name, or nothing that can be read as music.
    """
    if str(name_or_path) == bach.NAME:
        return bach.source(options)
    name, tracks = folder.split_tracks(str(name_or_path), PUBLISHED)
    if name in PUBLISHED:
        return published.source(PUBLISHED[name], tracks, options, progress)
    path = Path(name_or_path).expanduser()
    if path.suffix.lower() in boulanger.SUFFIXES:
        return boulanger.source(path, options)
    return folder.source(path, options)
