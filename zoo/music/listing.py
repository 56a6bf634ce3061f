"""List the MIDI files in a folder, and count the files that are ignored."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

SUFFIXES = (".mid", ".midi", ".kar", ".rmi", ".smf")
"""Suffixes of MIDI files, including karaoke files and RIFF files of form RMID."""
COMPRESSED = tuple(f"{suffix}.gz" for suffix in SUFFIXES)
"""Suffixes of compressed MIDI files; they are listed so that the reader rejects them with a hint."""
APPLE_DOUBLE = b"\0\5\x16\7"
"""First bytes of the metadata that macOS stores next to a file, such as `._song.mid` for `song.mid`."""
SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
BUNDLE = {"manifest.json", "model.safetensors"}
"""Files that make a folder a trained model, which also contains a sample of its own music."""


@dataclass
class Listing:
    """The MIDI files in a folder and its subfolders.

    Attributes:
        files: files with the suffix of a MIDI file, sorted by path, in the same order on every machine.
            Folders that cannot be listed are included, so that the reader rejects them with a reason.
        ignored: number of other entries by kind, such as `.txt files`, `bundles`, `links to folders`.
    """

    files: list[Path]
    ignored: Counter[str] = field(default_factory=Counter)


def is_midi_name(path: Path) -> bool:
    """Whether a file has the suffix of a MIDI file, compressed or not."""
    return path.name.lower().endswith((*SUFFIXES, *COMPRESSED))


def midi_files(folder: Path) -> Listing:
    """List the MIDI files in a folder and its subfolders.

    Links to files are followed. Links to folders are not, since a link may point to one of its own parents or
    to a large part of the disk. What a model generated is no music to train on or to be scored on: of bundles
    in the folder, such as that of a run, no file is listed, unless the folder itself is one.
    """
    listing = Listing([])

    def add_unreadable(error: OSError) -> None:
        listing.files.append(Path(error.filename))

    for parent, folders, names in os.walk(folder, onerror=add_unreadable):
        if set(names) >= BUNDLE and Path(parent) != folder:
            listing.ignored["bundles"] += 1
            folders.clear()
            continue
        links = sum(Path(parent, name).is_symlink() for name in folders)
        listing.ignored["links to folders"] += links
        for path in (Path(parent, name) for name in names):
            kind = _ignored_kind(path)
            if kind:
                listing.ignored[kind] += 1
            else:
                listing.files.append(path)
    by_count = sorted((+listing.ignored).items(), key=lambda item: (-item[1], item[0]))
    listing.ignored = Counter(dict(by_count))
    listing.files.sort(key=Path.as_posix)
    return listing


def _ignored_kind(path: Path) -> str:
    """The kind of an entry that is ignored; empty if the entry is to be read as MIDI."""
    if not is_midi_name(path):
        suffix = path.suffix.lower()
        return f"{suffix} files" if SUFFIX.fullmatch(suffix) else "other files"
    try:
        if path.is_file():
            return "macOS ._ files" if _is_apple_double(path) else ""
    except OSError:
        return ""  # permission denied; the reader will report it
    return "broken links" if path.is_symlink() else "devices and pipes"


def _is_apple_double(path: Path) -> bool:
    if not path.name.startswith("._"):
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(APPLE_DOUBLE)) == APPLE_DOUBLE
    except OSError:
        return False
