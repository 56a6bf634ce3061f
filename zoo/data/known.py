"""The corpora that can be opened: the named ones, the supported kinds of file, and what is in the cache."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from zoo.data import bach, boulanger, folder, published
from zoo.data.store import DAMAGE, cache_folder, table_of


@dataclass(frozen=True)
class Known:
    """A corpus, or a kind of corpus, that `open_corpus` accepts.

    Attributes:
        name: what to write after `data=`.
        music: what music it contains.
        planes: which of the planes "onset", "sounding" and "velocity" are known.
        good_for: what it is suited for.
        licence: its licence terms.
        pieces: number of pieces; None if it depends on the files.
        download: bytes to download at the first use; 0 if none.
        checksum: what a download is verified against: "published", "first download", or empty.
        here: whether it can be opened without a download; None if it depends on the path.
    """

    name: str
    music: str
    planes: frozenset[str]
    good_for: str
    licence: str
    pieces: int | None = None
    download: int = 0
    checksum: str = ""
    here: bool | None = None


@dataclass(frozen=True)
class Cached:
    """A corpus in the cache.

    Attributes:
        name: the name of the corpus, or the path it was read from.
        pieces: number of pieces.
        frames: their total length.
        bytes: size on disk.
        folder: folder of the store.
    """

    name: str
    pieces: int
    frames: int
    bytes: int
    folder: Path


def known() -> list[Known]:
    """Everything that can be opened: first the named corpora, then those that are opened by a path."""
    return [
        Known(
            bach.NAME,
            "chorales of J. S. Bach, four voices, from music21's corpus",
            bach.PLANES,
            "trying and comparing parts; no velocities",
            "music in the public domain; encodings under the terms of music21's corpus",
            pieces=bach.PIECES,
            here=find_spec("music21") is not None,
        ),
        _published(
            published.POP909,
            "pop songs arranged for piano: the track PIANO; pop909:MELODY,PIANO adds the melody",
            "played velocities on a steady beat; the grid follows the published beats",
        ),
        _published(
            published.MAESTRO,
            "piano performances from competitions, in the published split",
            "velocities; expressive timing, so a frame is an eighth of a second and bars are unknown",
        ),
        _published(
            published.JSB,
            "Bach's chorales in sixteenths, in the split of Boulanger-Lewandowski",
            "harmony; needs an encoder of sounding keys, such as encoder=sounding",
        ),
        Known(
            "FOLDER, or one FILE.mid",
            "your own MIDI files, including subfolders; FOLDER:PIANO reads only the tracks called PIANO",
            folder.PLANES,
            "everything; velocities are meaningful if the music was played, not notated",
            "that of the files",
        ),
        Known(
            "JSB_Chorales.mat, MuseData.mat, Nottingham.mat, Piano_midi.mat",
            "the four datasets of Boulanger-Lewandowski et al. (2012), by path; also .pickle, .json",
            boulanger.PLANES,
            "comparison with published results; needs an encoder of sounding keys",
            "research benchmark without a licence of its own",
        ),
    ]


def _published(dataset: published.Published, music: str, good_for: str) -> Known:
    remote = dataset.remote
    return Known(
        remote.name,
        music,
        dataset.planes,
        good_for,
        remote.licence,
        pieces=dataset.pieces,
        download=remote.bytes,
        checksum="published" if remote.sha256 else "first download",
        here=remote.path.exists(),
    )


def cached() -> list[Cached]:
    """The corpora in the cache, sorted by name."""
    corpora = filter(None, map(_cached, cache_folder().glob("[!.]*")))
    return sorted(corpora, key=lambda corpus: (corpus.name, corpus.folder))


def _cached(store: Path) -> Cached | None:
    """The corpus of a store; None if its table is damaged."""
    try:
        table = table_of(store)
        if table is None:
            return None
        size = sum(file.stat().st_size for file in store.iterdir())
        frames = sum(piece["frames"] for piece in table["pieces"])
        return Cached(str(table["place"]), len(table["pieces"]), int(frames), size, store)
    except DAMAGE:
        return None
