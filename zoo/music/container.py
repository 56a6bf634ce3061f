"""Where a MIDI file begins inside what it is wrapped in, and what else a file may be instead."""

from __future__ import annotations

from zoo.music.guard import MidiError

HEADER = b"MThd"
MACBINARY = 128
"""Bytes of the header that old Macintosh programs put before a file."""
SEARCHED = 2**16
"""How far into a file a MIDI header is looked for, to say where it stands."""
OTHERS = (
    (b"\x1f\x8b", "gzip", "this file is compressed with gzip"),
    (b"SMF2CLIP", "clip", "this is a MIDI 2.0 clip file"),
    (b"PK\3\4", "zip", "this is a zip archive"),
    (b"\0\5\x16\7", "appledouble", "this is what macOS keeps beside a file (AppleDouble), not the file"),
)
"""How other files begin that are taken for MIDI files, the code of the error, and what they are."""


def unwrap(data: bytes, path: str) -> tuple[int, int]:
    """The bytes from where to where a file holds a Standard MIDI File.

    A RIFF file of form RMID (`.rmi`, RP-029 of the MIDI Association) holds one in its data chunk.

    Raises:
        MidiError: gzip, clip, zip, appledouble, macbinary or not-midi.
    """
    if data.startswith(HEADER):
        return 0, len(data)
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        return _riff_data(data, path)
    for beginning, code, what in OTHERS:
        if data.startswith(beginning):
            raise MidiError(path, code, what, 0)
    at = data[:SEARCHED].find(HEADER)
    if at == MACBINARY and data[0] == 0:
        raise MidiError(path, "macbinary", "a MacBinary header of 128 bytes stands before the MIDI file", 0)
    if at > 0:
        raise MidiError(
            path, "not-midi", f"other bytes stand before the MIDI file, which begins at byte {at}", 0
        )
    raise MidiError(path, "not-midi", "this is not a MIDI file, which begins with MThd", 0)


def _riff_data(data: bytes, path: str) -> tuple[int, int]:
    """The bytes of the data chunk of a RIFF file; its length may be wrong, as that of a track may."""
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8
        if name == b"data" and data[at : at + 4] == HEADER:
            whole = at + size <= len(data) and size > len(HEADER)
            return at, at + size if whole else len(data)
        at += size + size % 2
    raise MidiError(path, "not-midi", "this RIFF file holds no MIDI file", 0)
