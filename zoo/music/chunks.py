"""The byte walk through a MIDI file: its header, its tracks, and what else it has.

It looks at every byte once, in linear time, and trusts none. Lengths and counts that are wrong do not lose
a track: the End of Track says where one ends.
"""

from __future__ import annotations

from dataclasses import replace

from zoo.music.container import HEADER, unwrap
from zoo.music.events import Events
from zoo.music.guard import Limits, MidiError
from zoo.music.track import TrackReader

TRACK = b"MTrk"
FILM_SPEEDS = {24: (2, 24), 25: (2, 25), 29: (2002, 30_000), 30: (2, 30)}
"""Of each number of film frames a second: what ticks are multiplied with, and how many of these a quarter
note has for each tick of a film frame, at 120 quarter notes a minute. 29 means 30 in 1.001 seconds."""
MOST_CHUNKS = 2**16
"""Of an unknown kind, and tracks, which a header counts in 16 bits."""


def walk(data: bytes, path: str, limits: Limits) -> Events:
    """Everything in the bytes of a MIDI file that bears on its notes.

    Args:
        data: the file.
        path: its name, for errors.
        limits: how many events it may hold.

    Raises:
        MidiError: not-midi, bad-header, truncated, bad-number, bad-event, bad-note, too-many, or as
            `unwrap`.
    """
    start, end = unwrap(data, path)
    return _Walker(data[:end], start, path, limits).walk()


class _Walker:
    """One walk through the chunks: `at` is where it stands."""

    def __init__(self, data: bytes, at: int, path: str, limits: Limits) -> None:
        self.data, self.at = data, at
        self.reader = TrackReader(data, path, limits)
        self.found = self.reader.found
        self.unknown = 0
        self.scale = 1

    def walk(self) -> Events:
        """The whole file."""
        kind, announced = self._header()
        while self.at < len(self.data):
            if self._track_begins(self.at):
                self._track()
            elif self.data[self.at : self.at + 4] != HEADER and self._chunk_begins(self.at):
                self._pass_by()
            else:
                self._look_for_track(announced)
        tracks = len(self.found.tracks)
        if announced and not tracks:
            raise self._fault("truncated", "the file ends before the first track that its header announces")
        if kind == 2 and tracks > 1:
            raise self._fault("bad-header", f"format 2: its {tracks} tracks are {tracks} pieces", 8)
        if announced not in (tracks, tracks + self.unknown):
            self.reader.repair("wrong number of tracks in the header")
        return self._scaled()

    def _scaled(self) -> Events:
        """What was found, in whole ticks to the quarter note; film frames know no tempo."""
        scale, found = self.scale, self.found
        if scale > 1:
            found.tempos.clear()
            found.tracks[:] = [replace(track, end=scale * track.end) for track in found.tracks]
            found.signatures[:] = [(scale * tick, over, under) for tick, over, under in found.signatures]
            found.markers[:] = [(scale * tick, text) for tick, text in found.markers]
            for place, tick in enumerate(found.ticks):
                found.ticks[place] = scale * tick
        return found

    def _header(self) -> tuple[int, int]:
        """The format and the number of tracks, once the header has been found sane."""
        data, at, size = self.data, self.at + 8, self._size(self.at)
        if at > len(data) or at + size > len(data):
            raise self._fault("truncated", "the file ends within its header")
        if size < 6:
            raise self._fault("bad-header", f"the header holds {size} bytes instead of 6")
        kind, tracks, division = (int.from_bytes(data[at + i : at + i + 2]) for i in (0, 2, 4))
        if kind > 2:
            raise self._fault("bad-header", f"there is no format {kind}", at)
        self._set_division(division, at + 4)
        self.at = at + size
        return kind, tracks

    def _set_division(self, division: int, at: int) -> None:
        """Take ticks as parts of a quarter note, or of a film frame."""
        speed, ticks = 256 - (division >> 8), division & 0xFF
        if 0 < division < 0x8000:
            self.found.division = division
        elif division and speed in FILM_SPEEDS and ticks:
            self.scale, per_tick = FILM_SPEEDS[speed]
            self.found.division = per_tick * ticks
            self.reader.repair("time in film frames, read at 120 quarter notes a minute")
        else:
            what = (
                f"a film frame has {ticks} ticks, {speed} a second"
                if division
                else "a quarter note has 0 ticks"
            )
            raise self._fault("bad-header", what, at)

    def _track(self) -> None:
        """Read a track, and go on behind its End of Track where the length in its header is wrong."""
        if len(self.found.tracks) == MOST_CHUNKS:
            raise self._fault("too-many", f"there are more than {MOST_CHUNKS} tracks")
        start = self.at + 8
        announced = start + self._size(self.at)
        sound = announced == len(self.data) or self._chunk_begins(announced)
        following = announced if sound else self.data.find(TRACK, start)
        end = following if following >= 0 else len(self.data)
        at = self.reader.read(start, end)
        if at > end or not (sound or self.reader.ended):
            raise self._fault("truncated", "the file ends, or another chunk begins, in the middle of a track")
        self._check(start, at, announced)
        self.at = announced if sound else at
        if at != announced:
            inside = self.data.find(TRACK, at, announced)
            self.at = inside if inside >= 0 else self.at
            slip = sound and inside < 0
            self.reader.repair("bytes after the end of a track" if slip else "wrong length of a track")

    def _check(self, start: int, at: int, announced: int) -> None:
        """Whether the track that has been read from `start` to `at` can be believed."""
        if at == start:
            self.reader.repair("empty track")
        elif not self.reader.ended:
            self.reader.repair("track without an End of Track")
        loud = self.reader.loud
        if loud is not None and at != announced:
            raise self._fault("bad-note", "a velocity is above 127, and bytes are missing further on", loud)

    def _pass_by(self) -> None:
        """Step over a chunk of a kind that the specification does not know."""
        self.at += 8 + self._size(self.at)
        self.unknown += 1
        self.reader.repair("unknown chunk")
        if self.unknown > MOST_CHUNKS:
            raise self._fault("too-many", f"there are more than {MOST_CHUNKS} unknown chunks")

    def _look_for_track(self, announced: int) -> None:
        """Step over bytes that are no chunk: to the next track where one is missing, else to the end."""
        missing = len(self.found.tracks) < announced
        at = self.data.find(TRACK, self.at + 1) if missing else -1
        if missing and at < 0 and TRACK.startswith(self.data[self.at : self.at + 4]):
            raise self._fault("truncated", "the file ends in the middle of a track's header")
        self.reader.repair("bytes after the last track" if at < 0 else "bytes between tracks")
        self.at = at if at >= 0 else len(self.data)

    def _track_begins(self, at: int) -> bool:
        return self.data[at : at + 4] == TRACK and at + 8 <= len(self.data)

    def _chunk_begins(self, at: int) -> bool:
        """Whether a chunk can begin here: a track, or a printable name with a size that fits."""
        name = self.data[at : at + 4]
        if self._track_begins(at):
            return True
        fits = at + 8 <= len(self.data) and at + 8 + self._size(at) <= len(self.data)
        return fits and name.isascii() and name.decode().isprintable()

    def _size(self, at: int) -> int:
        """How many bytes the chunk that begins here says it holds."""
        return int.from_bytes(self.data[at + 4 : at + 8])

    def _fault(self, code: str, what: str, offset: int | None = None) -> MidiError:
        return self.reader.fault(code, what, self.at if offset is None else offset)
