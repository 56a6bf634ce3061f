"""Reading one track of a MIDI file: the events that bear on its notes.

Written against the Standard MIDI Files 1.0 specification. A fault that cannot touch the notes is stepped
over and counted, any other ends the walk.
"""

from __future__ import annotations

from zoo.music.events import BANK, CHANGE, NOTE, PART, PEDAL, RESET, SILENCES, VOICE, Events, Track
from zoo.music.guard import Limits, MidiError
from zoo.music.titles import decode_title

NOTE_OFF, NOTE_ON, TOUCH, PROGRAM, BEND = 0x80, 0x90, 0xA0, 0xC0, 0xE0
SYSEX, ESCAPE, META = 0xF0, 0xF7, 0xFF
CABLE_ONLY = {0xF1: 1, 0xF2: 2, 0xF3: 1, 0xF6: 0, 0xF8: 0, 0xFA: 0, 0xFB: 0, 0xFC: 0, 0xFE: 0}
"""Messages that belong on a cable and not in a file, but are harmless there: how many bytes follow."""
TITLE, INSTRUMENT, MARKER, CUE, PORT = 0x03, 0x04, 0x06, 0x07, 0x21
TRACK_END, TEMPO, TIME_SIGNATURE, KEY_SIGNATURE = 0x2F, 0x51, 0x58, 0x59
META_SIZES = {0x00: 2, 0x20: 1, PORT: 1, TEMPO: 3, 0x54: 5, TIME_SIGNATURE: 4, KEY_SIGNATURE: 2}
KEPT_CONTROLS = SILENCES | {BANK, PEDAL, RESET}
GS_CHANNELS = (9, *range(9), *range(10, 16))
"""The channel of each of Roland's parts."""
FINEST_UNIT = 7
"""The lower number of a time signature is at most 2 to the power of this."""
LONGEST_NUMBER = 4
"""Bytes of a number; one more is read where the first is padding, which says nothing."""


class TrackReader:
    """Reads track after track of one file into `found`.

    Attributes:
        found: the events so far.
        ended: whether the last track that was read has an End of Track.
        loud: byte of the last track's first event whose velocity is above 127; None where there is none.
    """

    def __init__(self, data: bytes, path: str, limits: Limits) -> None:
        self.data, self.path, self.limits = data, path, limits
        self.found = Events()
        self.ended = False
        self.loud: int | None = None
        self._title = self._instrument = ""
        self._port = 0

    def read(self, start: int, end: int) -> int:
        """Read the track between two bytes; the byte behind its last event, beyond `end` if that is cut.

        Raises:
            MidiError: bad-number, bad-event, bad-note or too-many.
        """
        self.ended, self.loud, self._title, self._instrument, self._port = False, None, "", "", 0
        first = len(self.found.ticks)
        try:
            at, tick = self._events(start, end)
        except IndexError:
            return end + 1
        self.found.tracks.append(Track(self._title or self._instrument, first, tick))
        return at

    def repair(self, what: str) -> None:
        """Count a fault that is stepped over."""
        self.found.repairs[what] += 1

    def fault(self, code: str, what: str, offset: int) -> MidiError:
        """The error that ends the walk."""
        return MidiError(self.path, code, what, offset)

    def _events(self, at: int, end: int) -> tuple[int, int]:
        """The byte behind the last event, and its tick; IndexError where the file ends before."""
        data, ticks, codes = self.data, self.found.ticks, self.found.codes
        tick = running = 0
        left = self.limits.events - self.found.count
        while at < end and not self.ended:
            begin = at
            wait, at = data[at], at + 1
            if wait > 127:
                wait, at = self._number(begin)
            tick += wait
            left -= 1
            if left < 0:
                raise self.fault("too-many", f"there are more than {self.limits.events} events", begin)
            status = data[at]
            if status < NOTE_OFF:
                status = running
            else:
                at += 1
            if NOTE_OFF <= status < TOUCH:
                pitch, velocity = data[at], data[at + 1]
                if pitch > 127 or velocity > 127:
                    velocity = self._clipped(begin, status, pitch, velocity)
                ticks.append(tick)
                pressed = velocity if status >= NOTE_ON else 0
                codes.append(NOTE << 28 | self._port + (status & 0x0F) << 16 | pitch << 8 | pressed)
                running, at = status, at + 2
            elif TOUCH <= status < SYSEX:
                running, at = status, self._control(tick, at, status)
            else:
                at = self._other_event(tick, at, status)
        self.found.count = self.limits.events - left
        return at, tick

    def _clipped(self, begin: int, status: int, pitch: int, velocity: int) -> int:
        """The velocity of a note that has a value above 127, if that can be a slip of its writer."""
        if pitch > 127 or velocity == status >= NOTE_ON:
            raise self.fault("bad-note", f"pitch {pitch} at velocity {velocity}: above 127", begin)
        self.repair("velocity above 127")
        self.loud = begin if self.loud is None else self.loud
        return 127

    def _control(self, tick: int, at: int, status: int) -> int:
        """Keep a bank, program, pedal or silence; the byte behind the event."""
        kind = status >> 4
        size = 1 if PROGRAM <= status < BEND else 2
        first, second = self.data[at], self.data[at + size - 1]
        if first > 127 or second > 127:
            self.repair("control value above 127")
        elif kind == VOICE or (kind == CHANGE and first in KEPT_CONTROLS):
            self._keep(tick, kind, self._port + (status & 0x0F), first, second)
        return at + size

    def _keep(self, tick: int, kind: int, channel: int, first: int, second: int) -> None:
        self.found.ticks.append(tick)
        self.found.codes.append(kind << 28 | channel << 16 | first << 8 | second)

    def _other_event(self, tick: int, at: int, status: int) -> int:
        """The byte behind an event that belongs to no channel."""
        if status == META:
            return self._meta_event(tick, at)
        if status in (SYSEX, ESCAPE):
            size, at = self._number(at)
            self._exclusive(tick, self.data[at : at + min(size, 9)])
            return at + size
        if status in CABLE_ONLY:
            self.repair("message that belongs on a cable")
            return at + CABLE_ONLY[status]
        what = f"no event begins with byte {status}" if status else "an event has no status byte"
        raise self.fault("bad-event", what, at - 1 if status else at)

    def _exclusive(self, tick: int, message: bytes) -> None:
        """Keep what a message says about drums: "use for rhythm part" of Roland's GS, "part mode" of XG."""
        roland = message[:1] == b"\x41" and message[2:4] == b"\x42\x12"
        yamaha = message[:1] == b"\x43" and message[2:3] == b"\x4c"
        self.found.roland |= roland
        if roland and len(message) > 7 and message[4] == 0x40 and message[5] >> 4 == 1 and message[6] == 0x15:
            channel = GS_CHANNELS[message[5] & 0x0F]
            self._keep(tick, PART, self._port + channel, int(message[7] > 0), 0)
        elif yamaha and len(message) > 6 and message[3] == 8 and message[4] < 16 and message[5] == 7:
            self._keep(tick, PART, self._port + message[4], int(message[6] > 0), 0)

    def _meta_event(self, tick: int, at: int) -> int:
        """Keep what a meta event says about time, titles and ports; the byte behind it."""
        kind, at = self.data[at], at + 1
        if kind == TRACK_END and self.data[at : at + 1] in (b"", b"\0", b"M"):
            return self._track_end(at)
        size, at = self._number(at)
        data = self.data[at : at + size]
        if len(data) < META_SIZES.get(kind, 0):
            self.repair("short meta event")
        elif kind == TITLE:
            self._title = self._title or decode_title(data)
        elif kind == INSTRUMENT:
            self._instrument = self._instrument or decode_title(data)
        elif kind in (MARKER, CUE):
            self.found.markers.append((tick, decode_title(data)))
        elif kind == PORT:
            self._port = data[0] << 4
        else:
            self._time_event(tick, kind, data)
        self.ended = kind == TRACK_END
        return at + size

    def _track_end(self, at: int) -> int:
        """The byte behind an End of Track, from whose end a byte may be missing."""
        self.ended = True
        if self.data[at : at + 1] == b"\0":
            return at + 1
        self.repair("End of Track without its last byte")
        return at

    def _time_event(self, tick: int, kind: int, data: bytes) -> None:
        """Keep a tempo or a time signature that can be meant."""
        if kind == TEMPO:
            tempo = int.from_bytes(data[:3])
            if tempo:
                self.found.tempos.append((tick, tempo))
            else:
                self.repair("tempo of 0")
        elif kind == TIME_SIGNATURE:
            if data[0] and data[1] <= FINEST_UNIT:
                self.found.signatures.append((tick, data[0], 2 ** data[1]))
            else:
                self.repair("odd time signature")
        elif kind == KEY_SIGNATURE and not (data[1] < 2 and -7 <= (data[0] ^ 0x80) - 0x80 <= 7):
            self.repair("odd key signature")

    def _number(self, begin: int) -> tuple[int, int]:
        """A number with 7 bits in each byte, and the byte behind it."""
        value = 0
        for at in range(begin, begin + LONGEST_NUMBER + 1):
            byte = self.data[at]
            value = value << 7 | byte & 0x7F
            if byte < 0x80 and value < 1 << 7 * LONGEST_NUMBER:
                return value, at + 1
        raise self.fault("bad-number", f"a number is longer than {LONGEST_NUMBER} bytes", begin)
