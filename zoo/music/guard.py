"""Protection against untrusted MIDI files: limits, a single error class, and safe reading of a file."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import DataError, Problem

HINTS = {
    "unreadable": "give a file that exists and is readable",
    "not-a-file": "give a MIDI file, or a folder if the command accepts one",
    "too-large": "split it into shorter pieces",
    "too-many": "split it into shorter pieces",
    "too-long": "split it into shorter pieces",
    "no-track": "give the title of one of its tracks, or none to read all tracks",
    "no-notes": "choose a file that contains a pitched instrument",
    "gzip": "decompress it with gunzip and use the resulting MIDI file",
    "zip": "extract it and use the resulting MIDI file",
    "appledouble": "use the file with the same name without the leading ._",
    "macbinary": "remove the first 128 bytes, for example with tail -c +129, or export it as MIDI again",
    "clip": "export it as a Standard MIDI File (MIDI 1.0) from the program that wrote it",
}
"""Hints by error code; for any other code, `EXPORT`."""
EXPORT = "open it in a music program and export it as MIDI again"


@dataclass(frozen=True)
class Limits:
    """Maximum amount of music in a MIDI file; a larger file is most likely damaged or malicious.

    Attributes:
        size: size of the file in bytes.
        events: number of events of any kind in all tracks.
        notes: number of notes in all tracks.
        frames: sixteenths from the start of the file to the end of the last note.
        seconds: the same in seconds, at the tempo of the file.
    """

    size: int = 32 * 2**20
    events: int = 1_200_000
    notes: int = 500_000
    frames: int = 2**16
    seconds: float = 24 * 3600.0


DEFAULT_LIMITS = Limits()


class MidiError(DataError):
    """A file that cannot be read as music.

    Attributes:
        path: the file.
        code: kind of error as one word, for tables and programs.
        what: description of the error.
        offset: position of the error in bytes, or None.
    """

    def __init__(self, path: str | Path, code: str, what: str, offset: int | None = None) -> None:
        self.path, self.code, self.what, self.offset = str(path), code, what, offset
        place = self.path if offset is None else f"{self.path}, byte {offset}"
        super().__init__(Problem(what, place, HINTS.get(code, EXPORT)))

    def __reduce__(self) -> tuple[Any, ...]:  # so that it can be passed between processes
        return type(self), (self.path, self.code, self.what, self.offset)


def read_file(path: str | Path, limits: Limits) -> bytes:
    """Read a regular file; a pipe or device is an error instead of blocking.

    Raises:
        MidiError: not-a-file, too-large or unreadable.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise MidiError(path, "not-a-file", "this is not a regular file")
            with os.fdopen(handle, "rb", closefd=False) as file:
                data = file.read(limits.size + 1)
        finally:
            os.close(handle)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MidiError(path, "unreadable", f"the file cannot be opened: {reason}") from None
    if len(data) > limits.size:
        raise MidiError(path, "too-large", f"the file is larger than {limits.size / 2**20:g} MiB")
    return data
