"""What stands between MIDI files from strangers and the parser: limits, one error, a careful open."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import DataError, Problem

HINTS = {
    "unreadable": "name a file that is there and may be read",
    "not-a-file": "name a MIDI file, or a folder where one is taken",
    "too-large": "cut it into shorter pieces",
    "too-many": "cut it into shorter pieces",
    "too-long": "cut it into shorter pieces",
    "no-track": "name one of its tracks, or none to read them all",
    "no-notes": "choose a file in which a pitched instrument plays",
    "gzip": "unpack it with gunzip and name the MIDI file that comes out",
    "zip": "unpack it and name the MIDI file that comes out",
    "appledouble": "name the file that is called the same without ._ in front",
    "macbinary": "remove the first 128 bytes, for example with tail -c +129, or export it as MIDI again",
    "clip": "export it as a Standard MIDI File (MIDI 1.0) from the program that wrote it",
}
"""What to do about a fault, by its code; about any other: `EXPORT`."""
EXPORT = "open it in a music program and export it as MIDI again"


@dataclass(frozen=True)
class Limits:
    """How much music one MIDI file may hold before it is taken for a mistake.

    Attributes:
        size: bytes of the file.
        events: events in all tracks together, of whatever kind.
        notes: notes in all tracks together.
        frames: sixteenths from the start to the last note's end.
        seconds: the same at the file's own tempo.
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
        code: the kind of fault as one word, for tables and programs.
        what: the fault in words.
        offset: the byte at which it stands, where there is such a place.
    """

    def __init__(self, path: str | Path, code: str, what: str, offset: int | None = None) -> None:
        self.path, self.code, self.what, self.offset = str(path), code, what, offset
        place = self.path if offset is None else f"{self.path}, byte {offset}"
        super().__init__(Problem(what, place, HINTS.get(code, EXPORT)))

    def __reduce__(self) -> tuple[Any, ...]:  # so that it can leave a worker process
        return type(self), (self.path, self.code, self.what, self.offset)


def read_file(path: str | Path, limits: Limits) -> bytes:
    """The bytes of a regular file, never waiting for a pipe or device that has nothing to say.

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
