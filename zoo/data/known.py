"""What is there to open: the corpora with a name, the kinds of file, and what was read before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zoo.data import bach, boulanger, folder
from zoo.data.store import cache_folder, table_of


@dataclass(frozen=True)
class Known:
    """A corpus, or a kind of corpus, that `open_corpus` takes.

    Attributes:
        name: what to write after `data=`.
        music: what it holds.
        planes: what it knows of the notes: "onset", "sounding", "velocity".
        good_for: what to use it for.
        licence: under which terms.
    """

    name: str
    music: str
    planes: frozenset[str]
    good_for: str
    licence: str


@dataclass(frozen=True)
class Cached:
    """A corpus that has been read and lies in the cache.

    Attributes:
        name: the name of a corpus, or the path it was read from.
        pieces: how many.
        frames: their length together.
        bytes: on the disk.
        folder: where the store lies.
    """

    name: str
    pieces: int
    frames: int
    bytes: int
    folder: Path


KNOWN = (
    Known(
        bach.NAME,
        "371 chorales of J. S. Bach, four voices, from music21's corpus",
        bach.PLANES,
        "trying and comparing parts; no loudness",
        "music in the public domain; encodings under the terms of music21's corpus",
    ),
    Known(
        "FOLDER, or one FILE.mid",
        "your own MIDI files, in all folders below; FOLDER:PIANO reads only the tracks called PIANO",
        folder.PLANES,
        "everything; loudness if it was played, not drawn",
        "that of the files",
    ),
    Known(
        "JSB_Chorales.mat, MuseData.mat, Nottingham.mat, Piano_midi.mat",
        "the four sets of Boulanger-Lewandowski et al. (2012), as a path to the file; also .pickle, .json",
        boulanger.PLANES,
        "standing beside published figures; only encoders of sounding keys",
        "research benchmark without a licence of its own",
    ),
)


def cached() -> list[Cached]:
    """What lies in the cache, by name."""
    found = []
    for store in sorted(cache_folder().glob("[!.]*")):
        table = table_of(store)
        if table is not None:
            size = sum(file.stat().st_size for file in store.iterdir())
            frames = sum(piece["frames"] for piece in table["pieces"])
            found.append(Cached(table["place"], len(table["pieces"]), frames, size, store))
    return sorted(found, key=lambda corpus: corpus.name)
