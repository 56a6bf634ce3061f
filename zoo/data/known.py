"""What is there to open: the corpora with a name, the kinds of file, and what was read before."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from zoo.data import bach, boulanger, folder, published
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
        pieces: how many; None where that depends on the files.
        download: bytes that the first use fetches; 0 for none.
        checksum: what a download is held to: "published", "first download", or nothing.
        here: whether it can be read without a download; None where that depends on the path.
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


def known() -> list[Known]:
    """What can be opened: the corpora with a name, then what is opened by its path."""
    return [
        Known(
            bach.NAME,
            "chorales of J. S. Bach, four voices, from music21's corpus",
            bach.PLANES,
            "trying and comparing parts; no loudness",
            "music in the public domain; encodings under the terms of music21's corpus",
            pieces=bach.PIECES,
            here=find_spec("music21") is not None,
        ),
        _published(
            published.POP909,
            "pop songs arranged for piano: the track PIANO; pop909:MELODY,PIANO adds the tune",
            "loudness that was played, on a steady beat; read on the beats that are published with it",
        ),
        _published(
            published.MAESTRO,
            "piano music recorded in competitions, in the published split",
            "loudness; played freely, so a frame is an eighth of a second and bars are not known",
        ),
        _published(
            published.JSB,
            "Bach's chorales in sixteenths, in the split of Boulanger-Lewandowski",
            "harmony; only encoders of sounding keys, such as encoder=sounding",
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
            "the four sets of Boulanger-Lewandowski et al. (2012), as a path; also .pickle, .json",
            boulanger.PLANES,
            "standing beside published figures; only encoders of sounding keys",
            "research benchmark without a licence of its own",
        ),
    ]


def _published(found: published.Published, music: str, good_for: str) -> Known:
    remote = found.remote
    return Known(
        remote.name,
        music,
        found.planes,
        good_for,
        remote.licence,
        pieces=found.pieces,
        download=remote.bytes,
        checksum="published" if remote.sha256 else "first download",
        here=remote.place.exists(),
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
