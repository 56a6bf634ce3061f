"""Listing: which files of a folder are MIDI files by their names, and what else lies there."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

SUFFIXES = (".mid", ".midi", ".kar", ".rmi", ".smf")
"""The ends of names that MIDI files go by; karaoke files and RIFF files of form RMID hold MIDI too."""
PACKED = tuple(f"{suffix}.gz" for suffix in SUFFIXES)
"""The ends of names that compressed MIDI files go by, for the reader to refuse with what to do."""
APPLE_DOUBLE = b"\0\5\x16\7"
"""How the file begins that macOS puts beside another, as `._song.mid` beside `song.mid`."""
SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")


@dataclass
class Listing:
    """The MIDI files in a folder and all folders in it.

    Attributes:
        files: files whose names end as those of MIDI files do, ordered by their paths, the same on every
            machine. Folders that cannot be looked into are among them, for the reader to refuse.
        ignored: how many other entries there are, by what they are: `.txt files`,
            `links to folders`, `broken links`.
    """

    files: list[Path]
    ignored: Counter[str] = field(default_factory=Counter)


def is_midi_name(path: Path) -> bool:
    """Whether a file goes by the name of a MIDI file, compressed or not."""
    return path.name.lower().endswith((*SUFFIXES, *PACKED))


def midi_files(folder: Path) -> Listing:
    """List the MIDI files in a folder and below.

    A link to a file counts as the file. Links to folders are not followed, since one may lead back to where
    it stands, or to all of a disk.
    """
    listing = Listing([])

    def refuse(error: OSError) -> None:
        listing.files.append(Path(error.filename))

    for place, folders, names in os.walk(folder, onerror=refuse):
        links = sum(Path(place, name).is_symlink() for name in folders)
        listing.ignored["links to folders"] += links
        for path in (Path(place, name) for name in names):
            reason = _passed_over(path)
            if reason:
                listing.ignored[reason] += 1
            else:
                listing.files.append(path)
    counted = sorted((+listing.ignored).items(), key=lambda kind: (-kind[1], kind[0]))
    listing.ignored = Counter(dict(counted))
    listing.files.sort(key=lambda file: file.relative_to(folder).as_posix())
    return listing


def _passed_over(path: Path) -> str:
    """What kind of entry this is if it is not to be read as MIDI, else nothing."""
    if not is_midi_name(path):
        suffix = path.suffix.lower()
        return f"{suffix} files" if SUFFIX.fullmatch(suffix) else "other files"
    try:
        if path.is_file():
            return "macOS ._ files" if _is_apple_double(path) else ""
    except OSError:
        return ""  # a folder that does not let anyone find out; reading says why
    return "broken links" if path.is_symlink() else "devices and pipes"


def _is_apple_double(path: Path) -> bool:
    if not path.name.startswith("._"):
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(APPLE_DOUBLE)) == APPLE_DOUBLE
    except OSError:
        return False
