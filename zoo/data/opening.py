"""Open a corpus by its name or path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from zoo.data import bach, boulanger, folder, published
from zoo.data.corpus import Corpus
from zoo.data.options import DEFAULTS, Options
from zoo.data.published import PUBLISHED
from zoo.data.source import DataSource
from zoo.data.store import cache_folder
from zoo.data.writing import write_store
from zoo.errors import Problem, UsageError
from zoo.files import encodable, expanded
from zoo.music.grid import Pedal
from zoo.progress import Progress


def open_corpus(
    name_or_path: str | Path,
    *,
    grid: int | None = None,
    pedal: Pedal = "keep",
    family: str = "",
    progress: Progress | None = None,
) -> Corpus:
    """Open a corpus. Its files are read the first time; later, the cached arrays are memory-mapped.

    Args:
        name_or_path: `bach`; `pop909`, `maestro` or `jsb`, which are downloaded the first time; a folder
            of MIDI files (including subfolders), a single MIDI file, or a file of the Boulanger-Lewandowski
            datasets (.mat, .pickle) or in the same format (.json). `midi:PIANO` reads only the tracks called
            PIANO of the MIDI files in `midi`, `midi:MELODY,PIANO` those called MELODY or PIANO.
        grid: frames per quarter note, 1 to 48; 4 (sixteenths) by default, unless the files were published on
            another grid.
        pedal: `hold` lets notes sound until the sustain pedal is released.
        family: a rule for which pieces belong together, in addition to their notes: a regular expression that
            is searched for in the titles, or a CSV file of titles and families.
        progress: called with the number of pieces read so far and the total, and during a download with bytes
            instead of pieces; not called if the corpus is cached.

    Returns:
        The corpus, with all its splits.

    Raises:
        DataError: the file or folder does not exist, or contains no usable piece.
        UsageError: an option is out of range.
        ZooError: the cache cannot be written.
    """
    source = find_source(name_or_path, Options(grid, pedal, family), progress)
    cache = cache_folder()
    store, was_there = source.stored(cache), (cache / source.store_name).exists()
    read = store or write_store(source, cache, progress)
    reread = store is None and was_there
    return Corpus(source.name, read, ignored=source.ignored, reread=reread, family=family)


def is_named(name: str) -> bool:
    """Whether a corpus is opened by its name, such as `bach` or `pop909:MELODY`, not by a path."""
    return name == bach.NAME or folder.split_tracks(name, PUBLISHED)[0] in PUBLISHED


def shared_name(name: str) -> str:
    """The name of music as it is recorded in files that are shared, which name no folders of their author.

    A path is recorded as the name of its folder or file; as `./bach` if that is also the name of a corpus.
    """
    if is_named(name):
        return name
    last = encodable(Path(name).resolve().name)
    return f"./{last}" if is_named(last) else last


def to_download(name: str) -> int:
    """How many bytes are downloaded when this corpus is opened; 0 if it needs no download."""
    dataset = PUBLISHED.get(folder.split_tracks(name, PUBLISHED)[0])
    return dataset.remote.bytes if dataset and not dataset.remote.path.exists() else 0


def find_source(
    name_or_path: str | Path, options: Options = DEFAULTS, progress: Progress | None = None
) -> DataSource:
    """The source for a name or path; names take precedence over paths (`./bach` is always a path).

    A published dataset is downloaded unless it exists locally.

    Raises:
        DataError: there is no such corpus, file or folder, or it contains no music.
        UsageError: the name is empty.
    """
    if not str(name_or_path).strip():
        hint = "write data=bach, or data=FOLDER for a folder of MIDI files; a shell variable may be unset"
        raise UsageError(Problem("no music is named", "data=", hint))
    if str(name_or_path) == bach.NAME:
        return bach.source(options)
    name, tracks = folder.split_tracks(str(name_or_path), PUBLISHED)
    if name in PUBLISHED:
        return published.source(PUBLISHED[name], tracks, options, progress)
    path = expanded(name_or_path)
    reads = boulanger.source if path.suffix.lower() in boulanger.SUFFIXES else folder.source
    source = reads(path, options)
    # The text of a path has no leading ./, without which it may be the name of a corpus.
    return replace(source, name=f"./{source.name}") if is_named(source.name) else source
