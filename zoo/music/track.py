"""Parse a track of a MIDI file, and keep the events that affect its notes.

The reference is the Standard MIDI Files 1.0 specification. Faults that cannot affect the notes are repaired
and counted; any other fault is an error.
"""

from __future__ import annotations

from zoo.music.events import BANK, CHANGE, NOTE, PART, PEDAL, RESET, SILENCES, VOICE, Events, Track
from zoo.music.guard import Limits, MidiError
from zoo.music.titles import decode_title

NOTE_OFF, NOTE_ON, TOUCH, PROGRAM, BEND = 0x80, 0x90, 0xA0, 0xC0, 0xE0
SYSEX, ESCAPE, META = 0xF0, 0xF7, 0xFF
REAL_TIME = {0xF1: 1, 0xF2: 2, 0xF3: 1, 0xF6: 0, 0xF8: 0, 0xFA: 0, 0xFB: 0, 0xFC: 0, 0xFE: 0}
"""System messages that are only meant for transmission but harmless in a file, and how many bytes follow."""
TITLE, INSTRUMENT, MARKER, CUE, PORT = 0x03, 0x04, 0x06, 0x07, 0x21
TRACK_END, TEMPO, TIME_SIGNATURE, KEY_SIGNATURE = 0x2F, 0x51, 0x58, 0x59
META_SIZES = {0x00: 2, 0x20: 1, PORT: 1, TEMPO: 3, 0x54: 5, TIME_SIGNATURE: 4, KEY_SIGNATURE: 2}
STORED_CONTROLS = SILENCES | {BANK, PEDAL, RESET}
GS_CHANNELS = (9, *range(9), *range(10, 16))
"""The channel of each part in Roland's GS."""
MAX_UNIT_POWER = 7
"""The lower number of a time signature is at most 2 to the power of this."""
MAX_NUMBER_BYTES = 4
"""Maximum size of a variable-length number; one more byte is read, since the first may be zero padding."""


class TrackReader:
    """Reads the tracks of one file, one after another, into `events`.

    Attributes:
        events: the events so far.
        ended: whether the track that was read last has an End of Track.
        invalid_velocity: offset of the first event with a velocity above 127 in that track; None if there is
            none.
    """

    def __init__(self, data: bytes, path: str, limits: Limits) -> None:
        self.data, self.path, self.limits = data, path, limits
        self.events = Events()
        self.ended = False
        self.invalid_velocity: int | None = None
        self._title = self._instrument = ""
        self._port = 0

    def read(self, start: int, end: int) -> int:
        """Read the track between two offsets.

        Returns:
            The offset after its last event; greater than `end` if that event is truncated.

        Raises:
            MidiError: bad-number, bad-event, bad-note or too-many.
        """
        self.ended, self.invalid_velocity = False, None
        self._title, self._instrument, self._port = "", "", 0
        first = len(self.events.ticks)
        try:
            offset, tick = self._read_events(start, end)
        except IndexError:
            return end + 1
        self.events.tracks.append(Track(self._title or self._instrument, first, tick))
        return offset

    def repair(self, what: str) -> None:
        """Count a fault that is repaired."""
        self.events.repairs[what] += 1

    def error(self, code: str, what: str, offset: int) -> MidiError:
        """The error for a fault that cannot be repaired."""
        return MidiError(self.path, code, what, offset)

    # The methods below take the offset at which to read and return the offset after what they have read. They
    # do not check for the end of the file: indexing beyond it raises IndexError, which `read` handles.

    def _read_events(self, offset: int, end: int) -> tuple[int, int]:
        """Read the events of a track; the offset after the last one, and its tick.

        Notes are the bulk of any file, so they are decoded inline, without a call.
        """
        data, ticks, codes = self.data, self.events.ticks, self.events.codes
        tick = running_status = 0
        left = self.limits.events - self.events.count
        while offset < end and not self.ended:
            begin = offset
            delta, offset = data[offset], offset + 1
            if delta > 127:
                delta, offset = self._number(begin)
            tick += delta
            left -= 1
            if left < 0:
                raise self.error("too-many", f"there are more than {self.limits.events} events", begin)
            status = data[offset]
            if status < NOTE_OFF:  # a data byte: the event reuses the status of the previous one
                status = running_status
            else:
                offset += 1
            if NOTE_OFF <= status < TOUCH:
                pitch, velocity = data[offset], data[offset + 1]
                if pitch > 127 or velocity > 127:
                    velocity = self._clipped_velocity(begin, status, pitch, velocity)
                ticks.append(tick)
                velocity = velocity if status >= NOTE_ON else 0
                codes.append(NOTE << 28 | self._port + (status & 0x0F) << 16 | pitch << 8 | velocity)
                running_status, offset = status, offset + 2
            elif TOUCH <= status < SYSEX:
                running_status, offset = status, self._control(tick, offset, status)
            else:  # strictly, these cancel the running status, but some programs rely on the opposite
                offset = self._other_event(tick, offset, status)
        self.events.count = self.limits.events - left
        return offset, tick

    def _clipped_velocity(self, begin: int, status: int, pitch: int, velocity: int) -> int:
        """Clip a velocity above 127, unless the note looks like misread bytes.

        A pitch above 127, or a velocity that equals the status byte, means that a byte is missing before.
        """
        if pitch > 127 or velocity == status >= NOTE_ON:
            raise self.error("bad-note", f"pitch {pitch} at velocity {velocity}: above 127", begin)
        self.repair("velocity above 127")
        self.invalid_velocity = begin if self.invalid_velocity is None else self.invalid_velocity
        return 127

    def _control(self, tick: int, offset: int, status: int) -> int:
        """Read a channel event other than a note; store banks, programs, pedals and silences."""
        kind = status >> 4
        size = 1 if PROGRAM <= status < BEND else 2
        first, second = self.data[offset], self.data[offset + size - 1]
        if first > 127 or second > 127:
            self.repair("control value above 127")
        elif kind == VOICE or (kind == CHANGE and first in STORED_CONTROLS):
            self._store(tick, kind, self._port + (status & 0x0F), first, second)
        return offset + size

    def _store(self, tick: int, kind: int, channel: int, first: int, second: int) -> None:
        self.events.ticks.append(tick)
        self.events.codes.append(kind << 28 | channel << 16 | first << 8 | second)

    def _other_event(self, tick: int, offset: int, status: int) -> int:
        """Read an event that does not belong to a channel."""
        if status == META:
            return self._meta_event(tick, offset)
        if status in (SYSEX, ESCAPE):
            size, offset = self._number(offset)
            self._exclusive(tick, self.data[offset : offset + min(size, 9)])
            return offset + size
        if status in REAL_TIME:
            self.repair("message that belongs on a cable")
            return offset + REAL_TIME[status]
        what = f"no event begins with byte {status}" if status else "an event has no status byte"
        raise self.error("bad-event", what, offset - 1 if status else offset)

    def _exclusive(self, tick: int, message: bytes) -> None:
        """Store whether a part plays drums: "use for rhythm part" in Roland's GS, "part mode" in XG."""
        roland = message[:1] == b"\x41" and message[2:4] == b"\x42\x12"
        yamaha = message[:1] == b"\x43" and message[2:3] == b"\x4c"
        self.events.roland |= roland
        if roland and len(message) > 7 and message[4] == 0x40 and message[5] >> 4 == 1 and message[6] == 0x15:
            channel = GS_CHANNELS[message[5] & 0x0F]
            self._store(tick, PART, self._port + channel, int(message[7] > 0), 0)
        elif yamaha and len(message) > 6 and message[3] == 8 and message[4] < 16 and message[5] == 7:
            self._store(tick, PART, self._port + message[4], int(message[6] > 0), 0)

    def _meta_event(self, tick: int, offset: int) -> int:
        """Read a meta event; store tempos, time signatures, markers, titles and ports."""
        kind, offset = self.data[offset], offset + 1
        # The length byte of an End of Track may be missing; "M" is the beginning of the next MTrk.
        if kind == TRACK_END and self.data[offset : offset + 1] in (b"", b"\0", b"M"):
            return self._track_end(offset)
        size, offset = self._number(offset)
        data = self.data[offset : offset + size]
        if len(data) < META_SIZES.get(kind, 0):
            self.repair("short meta event")
        elif kind == TITLE:
            self._title = self._title or decode_title(data)
        elif kind == INSTRUMENT:
            self._instrument = self._instrument or decode_title(data)
        elif kind in (MARKER, CUE):
            self.events.markers.append((tick, decode_title(data)))
        elif kind == PORT:
            self._port = data[0] << 4
        else:
            self._time_event(tick, kind, data)
        self.ended = kind == TRACK_END
        return offset + size

    def _track_end(self, offset: int) -> int:
        """Read the length byte of an End of Track, which may be missing."""
        self.ended = True
        if self.data[offset : offset + 1] == b"\0":
            return offset + 1
        self.repair("End of Track without its last byte")
        return offset

    def _time_event(self, tick: int, kind: int, data: bytes) -> None:
        """Store a valid tempo or time signature; count invalid ones, and invalid key signatures."""
        if kind == TEMPO:
            tempo = int.from_bytes(data[:3])
            if tempo:
                self.events.tempos.append((tick, tempo))
            else:
                self.repair("tempo of 0")
        elif kind == TIME_SIGNATURE:
            if data[0] and data[1] <= MAX_UNIT_POWER:
                self.events.signatures.append((tick, data[0], 2 ** data[1]))
            else:
                self.repair("odd time signature")
        elif kind == KEY_SIGNATURE and not (data[1] < 2 and -7 <= (data[0] ^ 0x80) - 0x80 <= 7):
            self.repair("odd key signature")

    def _number(self, begin: int) -> tuple[int, int]:
        """Read a variable-length number, with 7 bits in each byte; the number and the offset after it."""
        value = 0
        for offset in range(begin, begin + MAX_NUMBER_BYTES + 1):
            byte = self.data[offset]
            value = value << 7 | byte & 0x7F
            if byte < 0x80 and value < 1 << 7 * MAX_NUMBER_BYTES:
                return value, offset + 1
        raise self.error("bad-number", f"a number is longer than {MAX_NUMBER_BYTES} bytes", begin)
