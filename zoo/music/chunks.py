"""Parse the chunks of a MIDI file: its header, its tracks, and unknown chunks.

Every byte is read once, in linear time, and none is trusted. Wrong lengths and counts do not lose a track,
since its End of Track event marks its end.
"""

from __future__ import annotations

from dataclasses import replace

from zoo.music.container import HEADER, unwrap
from zoo.music.events import Events
from zoo.music.guard import Limits, MidiError
from zoo.music.track import TrackReader

TRACK = b"MTrk"
SMPTE_RATES = {24: (2, 24), 25: (2, 25), 29: (2002, 30_000), 30: (2, 30)}
"""By SMPTE frame rate: a factor for ticks, and the ticks per quarter note after it for each tick of a SMPTE
frame, at 120 quarter notes per minute. Rate 29 means 30 frames in 1.001 seconds (drop frame)."""
MAX_CHUNKS = 2**16
"""Maximum number of tracks, which a header counts in 16 bits, and of unknown chunks."""


def walk(data: bytes, path: str, limits: Limits) -> Events:
    """Parse a MIDI file and return all events that affect its notes.

    Args:
        data: content of the file.
        path: its name, for errors.
        limits: how many events it may contain.

    Raises:
        MidiError: not-midi, bad-header, truncated, bad-number, bad-event, bad-note, too-many, or a code of
            `unwrap`.
    """
    start, end = unwrap(data, path)
    return _Walker(data[:end], start, path, limits).walk()


class _Walker:
    """Walks through the chunks of one file; `offset` is the current position."""

    def __init__(self, data: bytes, offset: int, path: str, limits: Limits) -> None:
        self.data, self.offset = data, offset
        self.reader = TrackReader(data, path, limits)
        self.events = self.reader.events
        self.unknown_chunks = 0
        self.scale = 1

    def walk(self) -> Events:
        """Read the whole file."""
        format_, announced = self._header()
        while self.offset < len(self.data):
            if self._track_begins(self.offset):
                self._track()
            elif self.data[self.offset : self.offset + 4] != HEADER and self._chunk_begins(self.offset):
                self._skip_chunk()
            else:
                self._find_track(announced)
        tracks = len(self.events.tracks)
        if announced and not tracks:
            raise self._error("truncated", "the file ends before the first track that its header announces")
        if format_ == 2 and tracks > 1:
            raise self._error("bad-header", f"format 2: its {tracks} tracks are {tracks} pieces", 8)
        if announced not in (tracks, tracks + self.unknown_chunks):
            self.reader.repair("wrong number of tracks in the header")
        return self._scaled()

    def _scaled(self) -> Events:
        """The events, in whole ticks per quarter note; SMPTE time does not depend on tempo events."""
        scale, events = self.scale, self.events
        if scale > 1:
            events.tempos.clear()
            events.tracks[:] = [replace(track, end=scale * track.end) for track in events.tracks]
            events.signatures[:] = [(scale * tick, over, under) for tick, over, under in events.signatures]
            events.markers[:] = [(scale * tick, text) for tick, text in events.markers]
            for index, tick in enumerate(events.ticks):
                events.ticks[index] = scale * tick
        return events

    def _header(self) -> tuple[int, int]:
        """Read and check the header; its format and number of tracks."""
        data, start, size = self.data, self.offset + 8, self._size(self.offset)
        if start > len(data) or start + size > len(data):
            raise self._error("truncated", "the file ends within its header")
        if size < 6:
            raise self._error("bad-header", f"the header has {size} bytes instead of 6")
        format_, tracks, division = (int.from_bytes(data[start + i : start + i + 2]) for i in (0, 2, 4))
        if format_ > 2:
            raise self._error("bad-header", f"there is no format {format_}", start)
        self._set_division(division, start + 4)
        self.offset = start + size
        return format_, tracks

    def _set_division(self, division: int, offset: int) -> None:
        """Interpret the division: ticks per quarter note, or a SMPTE frame rate and ticks per frame."""
        rate, ticks = 256 - (division >> 8), division & 0xFF
        if 0 < division < 0x8000:
            self.events.division = division
        elif division and rate in SMPTE_RATES and ticks:
            self.scale, per_tick = SMPTE_RATES[rate]
            self.events.division = per_tick * ticks
            self.reader.repair("time in film frames, read at 120 quarter notes a minute")
        else:
            what = (
                f"there are {ticks} ticks per SMPTE frame and {rate} frames per second"
                if division
                else "there are 0 ticks per quarter note"
            )
            raise self._error("bad-header", what, offset)

    def _track(self) -> None:
        """Read a track, and continue after its End of Track if the length in its header is wrong."""
        if len(self.events.tracks) == MAX_CHUNKS:
            raise self._error("too-many", f"there are more than {MAX_CHUNKS} tracks")
        start = self.offset + 8
        announced = start + self._size(self.offset)
        # The length is plausible if the file ends there or another chunk begins. If not, the next track marks
        # the end: events must not run into it.
        plausible = announced == len(self.data) or self._chunk_begins(announced)
        following = announced if plausible else self.data.find(TRACK, start)
        end = following if following >= 0 else len(self.data)
        offset = self.reader.read(start, end)
        if offset > end or not (plausible or self.reader.ended):
            raise self._error("truncated", "the file ends, or another chunk begins, in the middle of a track")
        self._check(start, offset, announced)
        self.offset = announced if plausible else offset
        if offset != announced:
            # A length that is too large may cover a whole track, which must not be lost.
            inside = self.data.find(TRACK, offset, announced)
            self.offset = inside if inside >= 0 else self.offset
            has_trailing_bytes = plausible and inside < 0
            self.reader.repair(
                "bytes after the end of a track" if has_trailing_bytes else "wrong length of a track"
            )

    def _check(self, start: int, offset: int, announced: int) -> None:
        """Check the track that has been read from `start` to `offset`."""
        if offset == start:
            self.reader.repair("empty track")
        elif not self.reader.ended:
            self.reader.repair("track without an End of Track")
        # A velocity above 127 is a harmless error of the writer, unless the track also has the wrong length:
        # then bytes are missing, and what was read as a velocity is something else.
        invalid = self.reader.invalid_velocity
        if invalid is not None and offset != announced:
            raise self._error("bad-note", "a velocity is above 127, and bytes are missing after it", invalid)

    def _skip_chunk(self) -> None:
        """Skip a chunk of a type that the specification does not define."""
        self.offset += 8 + self._size(self.offset)
        self.unknown_chunks += 1
        self.reader.repair("unknown chunk")
        if self.unknown_chunks > MAX_CHUNKS:
            raise self._error("too-many", f"there are more than {MAX_CHUNKS} unknown chunks")

    def _find_track(self, announced: int) -> None:
        """Skip bytes that are not a chunk: to the next track if one is missing, else to the end."""
        missing = len(self.events.tracks) < announced
        offset = self.data.find(TRACK, self.offset + 1) if missing else -1
        if missing and offset < 0 and TRACK.startswith(self.data[self.offset : self.offset + 4]):
            raise self._error("truncated", "the file ends in the middle of a track's header")
        self.reader.repair("bytes after the last track" if offset < 0 else "bytes between tracks")
        self.offset = offset if offset >= 0 else len(self.data)

    def _track_begins(self, offset: int) -> bool:
        return self.data[offset : offset + 4] == TRACK and offset + 8 <= len(self.data)

    def _chunk_begins(self, offset: int) -> bool:
        """Whether a chunk can begin here: a track, or a printable type with a size that fits."""
        if self._track_begins(offset):
            return True
        chunk_type = self.data[offset : offset + 4]
        fits = offset + 8 <= len(self.data) and offset + 8 + self._size(offset) <= len(self.data)
        return fits and chunk_type.isascii() and chunk_type.decode().isprintable()

    def _size(self, offset: int) -> int:
        """The size in the header of the chunk that begins here."""
        return int.from_bytes(self.data[offset + 4 : offset + 8])

    def _error(self, code: str, what: str, offset: int | None = None) -> MidiError:
        return self.reader.error(code, what, self.offset if offset is None else offset)
