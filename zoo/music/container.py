"""Find the MIDI data in a file, and recognise files of other types that are mistaken for MIDI."""

from __future__ import annotations

from zoo.music.guard import MidiError

HEADER = b"MThd"
MACBINARY = 128
"""Size of the header that old Macintosh programs wrote before a file."""
SEARCHED = 2**16
"""Number of bytes of an invalid file that are searched for a MIDI header, to report its position."""
OTHER_FORMATS = (
    (b"\x1f\x8b", "gzip", "this file is compressed with gzip"),
    (b"SMF2CLIP", "clip", "this is a MIDI 2.0 clip file"),
    (b"PK\3\4", "zip", "this is a zip archive"),
    (b"\0\5\x16\7", "appledouble", "this is metadata that macOS stores next to a file (AppleDouble)"),
)
"""First bytes of files that are mistaken for MIDI files, the code of the error, and the message."""


def unwrap(data: bytes, path: str) -> tuple[int, int]:
    """The start and end of the Standard MIDI File in the content of a file.

    A RIFF file of form RMID (`.rmi`, RP-029 of the MIDI Association) has it in its data chunk.

    Raises:
        MidiError: gzip, clip, zip, appledouble, macbinary or not-midi.
    """
    if data.startswith(HEADER):
        return 0, len(data)
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        return _riff_data(data, path)
    for first_bytes, code, what in OTHER_FORMATS:
        if data.startswith(first_bytes):
            raise MidiError(path, code, what, 0)
    offset = data[:SEARCHED].find(HEADER)
    if offset == MACBINARY and data[0] == 0:
        raise MidiError(path, "macbinary", "there is a MacBinary header of 128 bytes before the MIDI file", 0)
    if offset > 0:
        what = f"there are other bytes before the MIDI file, which begins at byte {offset}"
        raise MidiError(path, "not-midi", what, 0)
    raise MidiError(path, "not-midi", "this is not a MIDI file, which begins with MThd", 0)


def _riff_data(data: bytes, path: str) -> tuple[int, int]:
    """The start and end of the data chunk of a RIFF file; its length may be wrong, like that of a track."""
    offset = 12
    while offset + 8 <= len(data):
        chunk_type, size = data[offset : offset + 4], int.from_bytes(data[offset + 4 : offset + 8], "little")
        offset += 8
        if chunk_type == b"data" and data[offset : offset + 4] == HEADER:
            is_plausible = offset + size <= len(data) and size > len(HEADER)
            return offset, offset + size if is_plausible else len(data)
        offset += size + size % 2
    raise MidiError(path, "not-midi", "this RIFF file does not contain a MIDI file", 0)
