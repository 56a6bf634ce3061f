"""The byte walk: what a MIDI file says about keys and tempo, and nothing else of it.

Written against the Standard MIDI Files 1.0 specification. It looks at every byte once, in linear time,
and trusts none: a fault that cannot touch the notes is stepped over and counted, any other ends the walk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from zoo.music.guard import Limits, MidiError

NOTE_OFF, NOTE_ON, TOUCH, PROGRAM, BEND = 0x80, 0x90, 0xA0, 0xC0, 0xE0
SYSEX, ESCAPE, META = 0xF0, 0xF7, 0xFF
CABLE_ONLY = {0xF1: 1, 0xF2: 2, 0xF3: 1, 0xF6: 0, 0xF8: 0, 0xFA: 0, 0xFB: 0, 0xFC: 0, 0xFE: 0}
"""Messages that belong on a cable and not in a file, but are harmless there: how many bytes follow."""
TITLE, TRACK_END, TEMPO, TIME_SIGNATURE, KEY_SIGNATURE = 0x03, 0x2F, 0x51, 0x58, 0x59
META_SIZES = {0x00: 2, 0x20: 1, 0x21: 1, TEMPO: 3, 0x54: 5, TIME_SIGNATURE: 4, KEY_SIGNATURE: 2}
DRUMS = 9
"""The channel on which General MIDI has drums, counted from 0."""
LONGEST_NUMBER = 4
SHOWN_TITLES, SHOWN_LETTERS = 12, 30
"""How much of a file's titles an error repeats."""
MOST_CHUNKS = 2**16
"""Of an unknown kind; a file cannot have more tracks either."""


@dataclass(slots=True)
class Press:
    """A key going down, or up where the velocity is 0, named as mido names its messages.

    mido's own would do, but making and moving them takes a third of the time a file takes.

    Attributes:
        time: ticks since the press before it in the track.
        channel: 0..15.
        note: pitch, 0..127.
        velocity: 0..127.
    """

    time: int
    channel: int
    note: int
    velocity: int
    type: str = "note_on"


@dataclass
class Walk:
    """What the walk found.

    Attributes:
        division: ticks to the quarter note.
        tracks: the presses of each chosen track that has any, in the file's order, without drums.
        titles: what the tracks are called, chosen or not, in the file's order, where they have a title.
        tempos: (tick, microseconds to the quarter note), of all tracks.
        last: tick of the last press in a chosen track.
        repairs: how often each harmless fault was stepped over.
        events: how many events there are, of whatever kind.
        notes: how many keys go down in the chosen tracks.
        drums: how many drums are struck there.
    """

    division: int = 0
    tracks: list[list[Press]] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    tempos: list[tuple[int, int]] = field(default_factory=list)
    repairs: Counter[str] = field(default_factory=Counter)
    last: int = 0
    events: int = 0
    notes: int = 0
    drums: int = 0


def walk(data: bytes, path: str, limits: Limits, tracks: Collection[str] = ()) -> Walk:
    """Everything in the bytes of a MIDI file that bears on its notes.

    Args:
        data: the file.
        path: its name, for errors.
        limits: how much music it may hold.
        tracks: titles of the tracks that count, in capitals or not; all tracks where none is named.

    Raises:
        MidiError: not-midi, bad-header, truncated, bad-number, bad-event, bad-note, too-many or no-track.
    """
    walker = _Walker(data, path, limits, tracks)
    found = walker.walk()
    if tracks and not walker.chosen & {title.casefold() for title in found.titles}:
        listed = ", ".join(title[:SHOWN_LETTERS] for title in found.titles[:SHOWN_TITLES])
        there = f"its tracks are {listed}" if listed else "its tracks have no titles"
        raise MidiError(path, "no-track", f"no track is called {' or '.join(tracks)}; {there}")
    return found


class _Walker:
    """One walk through the bytes: `at` is where it stands, `end` where the present chunk ends."""

    def __init__(self, data: bytes, path: str, limits: Limits, tracks: Collection[str]) -> None:
        self.data, self.path, self.limits = data, path, limits
        self.chosen = {title.casefold() for title in tracks}
        self.title = ""
        self.at, self.end = 0, len(data)
        self.found = Walk()

    def walk(self) -> Walk:
        """The whole file: its header, its tracks, and what it has besides."""
        left, ended = self._header(), True
        while left:
            if self._chunk() == b"MTrk":
                left -= 1
                ended = self._track()
            else:
                self._repair("unknown chunk")
                if self.found.repairs["unknown chunk"] > MOST_CHUNKS:
                    raise self._fault("too-many", f"there are more than {MOST_CHUNKS} unknown chunks")
            self.at = self.end
        if self.at < len(self.data):
            if not ended:
                raise self._fault("truncated", "the last track is cut off: more follows it, but not its end")
            self._repair("bytes after the last track")
        return self.found

    def _header(self) -> int:
        """The number of tracks, once the header has been found sane."""
        if self.data[:4] != b"MThd":
            raise self._fault("not-midi", "this is not a MIDI file, which begins with MThd")
        self._chunk()
        if self.end - self.at < 6:
            raise self._fault("bad-header", f"the header holds {self.end - self.at} bytes instead of 6")
        header = self._take(6)
        kind, tracks, division = (int.from_bytes(header[i : i + 2]) for i in (0, 2, 4))
        if kind > 1:
            raise self._fault("bad-header", f"format {kind} is not one piece on one time line", 8)
        if division == 0:
            raise self._fault("bad-header", "a quarter note has 0 ticks", 12)
        if division & 0x8000:
            raise self._fault("bad-header", "time counts film frames, so there is no beat to read", 12)
        self.found.division = division
        self.at = self.end
        return tracks

    def _track(self) -> bool:
        """Walk a track to its end and keep its presses; whether it has the end that it should have."""
        found, presses = self.found, list[Press]()
        self.title, notes, drums = "", found.notes, found.drums
        tick = before = running = kind = 0
        if self.at == self.end:
            self._repair("empty track")
        while self.at < self.end and kind != TRACK_END:
            start = self.at
            tick += self._number()
            found.events += 1
            if found.events > self.limits.events:
                raise self._fault("too-many", f"there are more than {self.limits.events} events")
            status = self._take(1)[0]
            if status < NOTE_OFF:
                status, self.at = running, self.at - 1
            if NOTE_OFF <= status < TOUCH:
                running = status
                press = self._press(tick - before, status, start)
                if press is not None:
                    presses.append(press)
                    before = tick
            elif TOUCH <= status < SYSEX:
                running = status
                if max(self._take(1 if PROGRAM <= status < BEND else 2)) > 127:
                    self._repair("control value above 127")
            else:
                kind = self._other_event(tick, status, start)
        if self.at < self.end:
            self._repair("bytes after the end of a track")
        if self.title:
            found.titles.append(self.title)
        if self.chosen and self.title.casefold() not in self.chosen:
            found.notes, found.drums = notes, drums
        elif presses:
            found.tracks.append(presses)
            found.last = max(found.last, before)
        return kind == TRACK_END

    def _press(self, time: int, status: int, start: int) -> Press | None:
        """The press that begins here, or nothing where it is a drum's."""
        pitch, velocity = self._take(2)
        channel = status & 0x0F
        if status < NOTE_ON:
            velocity = 0
        if pitch > 127 or velocity > 127:
            raise self._fault("bad-note", f"pitch {pitch} at velocity {velocity}: above 127", start)
        if channel == DRUMS:
            self.found.drums += velocity > 0
            return None
        if velocity:
            self.found.notes += 1
            if self.found.notes > self.limits.notes:
                raise self._fault("too-many", f"there are more than {self.limits.notes} notes", start)
        return Press(time, channel, pitch, velocity)

    def _other_event(self, tick: int, status: int, start: int) -> int:
        """Pass by an event that belongs to no channel; the type of it, if it is a meta event."""
        if status == META:
            return self._meta_event(tick)
        if status in (SYSEX, ESCAPE):
            self._take(self._number())
        elif status in CABLE_ONLY:
            self._take(CABLE_ONLY[status])
            self._repair("message that belongs on a cable")
        else:
            what = f"no event begins with byte {status}" if status else "an event has no status byte"
            raise self._fault("bad-event", what, start)
        return -1

    def _meta_event(self, tick: int) -> int:
        """The type of the meta event that begins here; a tempo is kept, all else is passed by."""
        kind = self._take(1)[0]
        data = self._take(self._number())
        if len(data) < META_SIZES.get(kind, 0):
            self._repair("short meta event")
        elif kind == TITLE:
            self.title = self.title or _title(data)
        elif kind == TEMPO:
            tempo = int.from_bytes(data[:3])
            if tempo:
                self.found.tempos.append((tick, tempo))
            else:
                self._repair("tempo of 0")
        elif kind == KEY_SIGNATURE and not (data[1] < 2 and -7 <= (data[0] ^ 0x80) - 0x80 <= 7):
            self._repair("odd key signature")
        elif kind == TIME_SIGNATURE and (data[0] == 0 or data[1] > 7):
            self._repair("odd time signature")
        return kind

    def _chunk(self) -> bytes:
        """The name of the chunk that begins here; the walk then stands at the first byte it holds."""
        head = self.data[self.at : self.at + 8]
        size = int.from_bytes(head[4:])
        if len(head) < 8 or self.at + 8 + size > len(self.data):
            raise self._fault("truncated", "the file ends before all that its headers announce")
        self.at += 8
        self.end = self.at + size
        return head[:4]

    def _number(self) -> int:
        """A number of one to four bytes with 7 bits each."""
        if self.at < self.end and self.data[self.at] < 0x80:  # nearly all are short
            self.at += 1
            return self.data[self.at - 1]
        value = 0
        for at in range(self.at, min(self.at + LONGEST_NUMBER, self.end)):
            byte = self.data[at]
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                self.at = at + 1
                return value
        if self.at + LONGEST_NUMBER > self.end:
            raise self._fault("truncated", "the track ends in the middle of an event")
        raise self._fault("bad-number", f"a number is longer than {LONGEST_NUMBER} bytes")

    def _take(self, count: int) -> bytes:
        """The next bytes of the chunk."""
        start, self.at = self.at, self.at + count
        if self.at > self.end:
            raise self._fault("truncated", "the track ends in the middle of an event", start)
        return self.data[start : self.at]

    def _repair(self, what: str) -> None:
        self.found.repairs[what] += 1

    def _fault(self, code: str, what: str, offset: int | None = None) -> MidiError:
        return MidiError(self.path, code, what, self.at if offset is None else offset)


def _title(data: bytes) -> str:
    """What a track is called; most files write plain ASCII, and none says which alphabet it means."""
    try:
        return data.decode().strip(" \0")
    except UnicodeDecodeError:
        return data.decode("latin-1").strip(" \0")
