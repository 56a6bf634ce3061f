"""Untrusted files: each is read correctly or rejected with a MidiError."""

import gzip
import json
import os
import random
import struct
import time

import numpy as np
import pytest

from zoo.cli.main import run
from zoo.errors import DataError
from zoo.music.guard import Limits, MidiError
from zoo.music.midi import examine_bytes, read_midi
from zoo.parts.piano import LOWEST_KEY


def header(tracks=1, division=480, kind=1, size=6):
    return b"MThd" + struct.pack(">IHHH", size, kind, tracks, division)


def track(*events, end=b"\0\xff\x2f\0", longer=0):
    content = b"".join(events) + end
    return b"MTrk" + struct.pack(">I", max(len(content) + longer, 0) % 2**32) + content


def number(value):
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(value & 0x7F | 0x80)
    return bytes(reversed(digits))


def note(pitch, ticks, velocity=64, channel=0, delta=0):
    return b"".join(
        [
            number(delta),
            bytes([0x90 | channel, pitch, velocity]),
            number(ticks),
            bytes([0x80 | channel, pitch, 0]),
        ]
    )


TUNE = note(60, 480) + note(64, 240) + note(67, 960)
"""Frames 0-4, 4-6 and 6-14."""
GOOD = header() + track(TUNE)


def is_tune(roll):
    notes = roll.notes()
    columns = (notes.start, notes.end, notes.key + LOWEST_KEY)
    return list(zip(*columns, strict=True)) == [(0, 4, 60), (4, 6, 64), (6, 14, 67)]


def with_event(event, delta=b"\0"):
    """The good file with an event before the second note."""
    return header() + track(note(60, 480), delta + event, note(64, 240), note(67, 960))


def repairable():
    """Files whose faults do not affect the notes: each must give the tune."""
    yield "good", GOOD
    yield "format 0", header(kind=0) + track(TUNE)
    yield "long header", header(size=9) + b"abc" + track(TUNE)
    yield "unknown chunk first", header() + b"XFIH\0\0\0\3abc" + track(TUNE)
    yield "junk at the end", GOOD + b"\0" * 50
    yield "part of a track's header at the end", GOOD + b"MTrk\0\0"
    yield "another file at the end", GOOD + header() + track(note(72, 480))
    yield "no end of track", header() + track(TUNE, end=b"")
    yield "bytes after the end of track", header() + track(TUNE, end=b"\0\xff\x2f\0junk")
    yield "meta event longer than its kind", with_event(b"\xff\x20\3abc")
    for where in range(4):
        tracks = [track(note(60, 480)), track(note(64, 240, delta=480)), track(note(67, 960, delta=720))]
        tracks.insert(where, b"MTrk\0\0\0\0")
        yield f"empty track at {where}", header(4) + b"".join(tracks)
    for kind in (0x00, 0x20, 0x21, 0x51, 0x54, 0x58, 0x59):
        for size in range(5):
            yield f"meta {kind:02x} of {size} bytes", with_event(bytes([0xFF, kind, size]) + b"\x03" * size)
    for kind in (0x01, 0x03, 0x05, 0x06, 0x0A, 0x30, 0x60, 0x7F):
        yield (
            f"meta {kind:02x} with odd bytes",
            with_event(bytes([0xFF, kind, 9]) + b"\xff\xfe[/]\0\x80\n\x1b"),
        )
    for sharps, minor in ((8, 0), (0x80, 0), (0xF8, 1), (0, 2), (0x7F, 0xFF)):
        yield f"key signature {sharps} {minor}", with_event(bytes([0xFF, 0x59, 2, sharps, minor]))
    for over, under in ((0, 2), (4, 255), (255, 8)):
        yield f"time signature {over} {under}", with_event(bytes([0xFF, 0x58, 4, over, under, 24, 8]))
    yield "tempo of 0", with_event(b"\xff\x51\3\0\0\0")
    yield "tempo of 1", with_event(b"\xff\x51\3\0\0\1")
    yield "slowest tempo", with_event(b"\xff\x51\3\xff\xff\xff")
    yield "meta event of 100 kB", with_event(b"\xff\x01" + number(100_000) + b"x" * 100_000)
    for body in (b"", b"\xf7", b"\x7e\x7f\x09\x01\xf7", b"\xff" * 20, b"\x41" * 100_000):
        for start in (b"\xf0", b"\xf7"):
            yield (
                f"system exclusive {start.hex()} of {len(body)}",
                with_event(start + number(len(body)) + body),
            )
    for status, size in ((0xA0, 2), (0xB0, 2), (0xC0, 1), (0xD0, 1), (0xE0, 2)):
        for value in (0x6F, 0x80, 0xFF):
            yield f"event {status:02x} with {value}", with_event(bytes([status]) + bytes([value]) * size)
    for status, size in ((0xF1, 1), (0xF2, 2), (0xF3, 1), (0xF6, 0), (0xF8, 0), (0xFA, 0), (0xFE, 0)):
        yield f"cable message {status:02x}", with_event(bytes([status]) + b"\1" * size)
    yield "release without press", with_event(b"\x80\x10\0")
    yield "press that is never released", with_event(b"\x90\x10\x40")
    yield "note without length", with_event(b"\x90\x10\x40\0\x80\x10\0")
    yield (
        "notes below and above the keys",
        with_event(b"\x90\x14\x40\0\x90\x6d\x40\x01\x80\x14\0\0\x80\x6d\0"),
    )
    yield "drums", header(2) + track(TUNE) + track(note(60, 9999, channel=9))
    yield (
        "running status",
        header() + track(b"\0\x90\x3c\x40\x83\x60\x3c\0\0\x40\x40\x81\x70\x40\0\0\x43\x40\x87\x40\x43\0"),
    )
    yield (
        "running status across a text",
        header()
        + track(b"\0\x90\x3c\x40\x83\x60\x3c\0\0\xff\x01\1a\0\x40\x40\x81\x70\x40\0\0\x43\x40\x87\x40\x43\0"),
    )
    yield "end years after the last note", header() + track(TUNE, end=b"\xff\xff\xff\x7f\xff\x2f\0")
    yield "format 2 with one track", header(kind=2) + track(TUNE)
    yield "End of Track without its last byte", GOOD[:-1]
    yield "End of Track without its last byte, as its length says", header() + track(TUNE, end=b"\0\xff\x2f")
    yield "wait padded to 5 bytes", header() + track(b"\x80\x80\x80\x80" + TUNE)
    for velocity in (0x80, 0x91, 0xC8, 0xFF):
        first = bytes([0, 0x90, 60, velocity]) + number(480) + b"\x80\x3c\0"
        yield f"velocity {velocity}", header() + track(first, note(64, 240), note(67, 960))
        yield f"release at velocity {velocity}", with_event(bytes([0x80, 16, velocity]))


def wrong_lengths():
    """Files with wrong lengths or numbers of tracks: each must give the tune."""
    first, second = note(60, 480) + note(64, 240), note(67, 960, delta=720)
    for longer in (-(2**31), -30, -17, -8, -4, -1, 1, 2, 3, 4, 8, 12, 100, 2**20, 2**31, 2**32 - 40):
        yield f"length {longer:+} of the only track", header() + track(TUNE, longer=longer)
        yield f"length {longer:+}, bytes follow", header() + track(TUNE, longer=longer) + b"\0" * 50
        yield (
            f"length {longer:+} of the first track",
            header(2) + track(first, longer=longer) + track(second),
        )
        yield (
            f"length {longer:+} of both tracks",
            header(2) + track(first, longer=longer) + track(second, longer=longer),
        )
    for announced in (0, 1, 3, 100, 0xFFFF):
        yield f"{announced} tracks announced, 2 there", header(announced) + track(first) + track(second)
    for size in (1, 2, 3, 7, 128):
        for pad in (b"\0", b"\x1a", b"\xff", b" "):
            yield (
                f"{size} bytes {pad.hex()} between tracks",
                header(2) + track(first) + pad * size + track(second),
            )
    yield "counted unknown chunk", header(3) + track(first) + b"XFIH\0\0\0\3abc" + track(second)
    yield "first End of Track cut", header(2) + track(first, end=b"\0\xff\x2f", longer=1) + track(second)


def wrapped():
    """RIFF files, as used by Windows: each must give the tune."""
    for size in (len(GOOD), len(GOOD) + 9, 0, 0xFFFFFFFF):
        data = b"data" + struct.pack("<I", size) + GOOD
        yield f"RIFF of {size} bytes", b"RIFF" + struct.pack("<I", 4 + len(data)) + b"RMID" + data
    data = b"DISP\3\0\0\0abc\0" + b"data" + struct.pack("<I", len(GOOD)) + GOOD + b"LIST\4\0\0\0INFO"
    yield "RIFF with other chunks", b"RIFF" + struct.pack("<I", 4 + len(data)) + b"RMID" + data


def rejected():
    """Files that must be rejected, with the code of the error."""
    for size in range(len(GOOD) - 1):
        yield f"cut after {size} bytes", GOOD[:size], "not-midi" if size < 4 else "truncated"
    for name, content in (
        ("text", b"hello\n"),
        ("riff", b"RIFF\0\0\1\0RMIDdata" + GOOD),
        ("sound", b"RIFF\0\0\1\0WAVEdata" + GOOD),
    ):
        yield name, content, "not-midi"
    for name, content, code in (
        ("gzip", gzip.compress(GOOD), "gzip"),
        ("clip", b"SMF2CLIP" + GOOD, "clip"),
        ("MacBinary", b"\0\4tune".ljust(128, b"\0") + GOOD, "macbinary"),
        ("zip archive", b"PK\3\4" + GOOD, "zip"),
        ("AppleDouble", b"\0\5\x16\7\0\2\0\0" + b"Mac OS X".ljust(200, b"\0"), "appledouble"),
        ("another file first", b"junk" + GOOD, "not-midi"),
    ):
        yield name, content, code
    yield "format 2 with two tracks", header(2, kind=2) + track(TUNE) + track(TUNE), "bad-header"
    for kind in (3, 0x7FFF, 0xFFFF):
        yield f"format {kind}", header(kind=kind) + track(TUNE), "bad-header"
    for division in (0, 0x8000, 0xE700, 0xE928, 0xFFFF):
        yield f"division {division:04x}", header(division=division) + track(TUNE), "bad-header"
    for size in range(6):
        yield f"header of {size} bytes", header(size=size) + track(TUNE), "bad-header"
    for size in (7, 100, 2**31, 2**32 - 1):
        yield f"header of {size} bytes", header(size=size) + track(TUNE), "truncated"
    for size in range(1, 8):
        yield f"{size} bytes of a second track", header(2) + track(TUNE) + track(TUNE)[:size], "truncated"
    yield "nothing but unknown chunks", header() + b"XFIH\0\0\0\0" * 4_000_000, "too-many"
    for size in (2**16, 2**31, 2**32 - 1):
        yield f"track of {size} bytes", header() + b"MTrk" + struct.pack(">I", size) + TUNE, "truncated"
    for size in (1, 5, 9, 11):
        yield f"track cut to {size} bytes", header() + b"MTrk" + struct.pack(">I", size) + TUNE, "truncated"
    yield (
        "a bad track beside a good one",
        header(2) + track(TUNE) + track(b"\0\x90\x3c", end=b""),
        "truncated",
    )
    for repeat in (5, 1000, 600_000):
        for digit in (b"\x80", b"\xff"):
            for place, before in (("wait", b""), ("text", b"\0\xff\1"), ("exclusive", b"\0\xf0")):
                content = header() + track(before, digit * repeat, TUNE)
                yield f"{place} of {repeat} digits {digit.hex()}", content, "bad-number"
    for velocity in (0x91, 0xFF):
        loud = bytes([0, 0x90, 60, velocity, 0, 0x80, 60, 0])
        yield f"velocity {velocity} and bytes missing", header() + track(loud, TUNE, longer=5), "bad-note"
    for start in (b"\xff\1", b"\xf0", b"\xf7", b"\xff\x51", b"\xff\x2f"):
        yield f"{start.hex()} beyond its track", with_event(start + number(2**28 - 1)), "truncated"
    for status in (0xF4, 0xF5, 0xF9, 0xFD):
        yield f"status {status:02x}", with_event(bytes([status])), "bad-event"
    for data in (0x00, 0x3C, 0x7F):
        yield f"data {data:02x} before any status", header() + track(bytes([0, data, 1, 2])), "bad-event"
    for event in ((0x90, 0x80, 64), (0x90, 0xFF, 64), (0x90, 60, 0x90), (0x80, 0x80, 0)):
        yield f"note {event}", with_event(bytes(event)), "bad-note"
    yield "note with a status inside", with_event(b"\x90\x3c\x90\x3c\x40"), "bad-note"
    for name, content in (
        ("no track", header(0)),
        ("percussion and effects only", header() + track(b"\0\xc0\x73", TUNE, b"\0\xc0\x7e", TUNE)),
        ("one empty track", header() + b"MTrk\0\0\0\0"),
        ("65535 empty tracks", header(0xFFFF) + b"MTrk\0\0\0\0" * 0xFFFF),
        ("no notes", header() + track()),
        ("drums only", header() + track(note(60, 480, channel=9))),
        ("outside the keys only", header() + track(note(20, 480), note(109, 480))),
        ("releases only", header() + track(b"\0\x80\x3c\x40" * 9)),
    ):
        yield name, content, "no-notes"
    day = note(60, 2**21)
    yield "a note of nine hours", header() + track(note(60, 31_104_000)), "too-long"
    yield "a note of years", header() + track(note(60, 1, delta=2**28 - 1)), "too-long"
    yield "years of waiting", header() + track(*[b"\xff\xff\xff\x7f\xff\1\0"] * 999, TUNE), "too-long"
    yield "one tick to the quarter note", header(division=1) + track(note(60, 2**20)), "too-long"
    yield (
        "a stray note before the rest",
        header() + track(note(60, 480), note(62, 480, delta=2**26), TUNE),
        "too-long",
    )
    yield "slower than a day", header() + track(b"\0\xff\x51\3\xff\xff\xff", day, day, day), "too-long"


def mutants(count):
    """The good file with a few bytes changed, deleted or duplicated."""
    rng = random.Random(0)
    for turn in range(count):
        content = bytearray(GOOD)
        for _ in range(rng.randint(1, 4)):
            at, to = sorted(rng.sample(range(len(content) + 1), 2))
            piece = bytes(rng.randrange(256) for _ in range(rng.randint(0, 3)))
            content[at : rng.choice((at, at + 1, to))] = rng.choice((piece, content[at:to] * 2, b"\xff"))
        yield f"mutant {turn}", bytes(content)


REPAIRABLE = {**dict(repairable()), **dict(wrong_lengths()), **dict(wrapped())}
REJECTED, MUTANTS = list(rejected()), dict(mutants(100))


def load(content):
    start = time.process_time()
    try:
        return examine_bytes(content, "untrusted.mid")
    finally:
        assert time.process_time() - start < 2


def test_there_are_many_cases():
    assert len(REPAIRABLE) + len(REJECTED) + len(MUTANTS) > 300


@pytest.mark.parametrize("name", REPAIRABLE)
def test_faults_that_do_not_affect_the_notes_are_repaired(name):
    reading = load(REPAIRABLE[name])
    assert is_tune(reading.roll)


@pytest.mark.parametrize(("name", "content", "code"), REJECTED, ids=[name for name, _, _ in REJECTED])
def test_other_faults_are_rejected(name, content, code):
    with pytest.raises(MidiError) as caught:
        load(content)
    error = caught.value
    assert isinstance(error, DataError)
    assert (error.code, error.path) == (code, "untrusted.mid")
    assert error.offset is None or 0 <= error.offset <= len(content)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_read_or_rejected(name):
    try:
        roll = load(MUTANTS[name]).roll
    except MidiError:
        return
    assert roll.frames <= Limits().frames
    assert roll.onset is not None
    assert not (roll.onset & ~roll.sounding).any()


def test_repairs_are_counted():
    reading = load(REPAIRABLE["key signature 8 0"])
    assert reading.repairs == {"odd key signature": 1}
    reading = load(REPAIRABLE["notes below and above the keys"])
    assert reading.left_out == {"outside the 88 keys": 2}
    assert load(REPAIRABLE["drums"]).left_out == {"drums": 1}
    assert load(GOOD).repairs == load(GOOD).left_out == {}
    for name in dict(wrong_lengths()):
        assert load(REPAIRABLE[name]).repairs, name


def test_the_command_continues_after_bad_files(tmp_path, capsys):
    contents = [*REPAIRABLE.values(), *(content for _, content, _ in REJECTED)]
    for number, content in enumerate(contents):
        (tmp_path / f"{number:03} [bold].mid").write_bytes(content)
    assert run(["midi", "check", str(tmp_path), "--json"]) == 3
    out, err = capsys.readouterr()
    readable = [row["readable"] for row in json.loads(out)]
    assert readable == [True] * len(REPAIRABLE) + [False] * len(REJECTED)
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(size=len(GOOD) - 1), "too-large"),
        (Limits(events=6), "too-many"),
        (Limits(notes=2), "too-many"),
        (Limits(frames=13), "too-long"),
        (Limits(seconds=1.7), "too-long"),
    ],
)
def test_limits_can_be_set(tmp_path, limits, code):
    path = tmp_path / "good.mid"
    path.write_bytes(GOOD)
    assert read_midi(path, Limits(size=len(GOOD), events=7, notes=3, frames=14, seconds=1.75)).frames == 14
    with pytest.raises(MidiError) as caught:
        read_midi(path, limits)
    assert caught.value.code == code


def test_a_pipe_is_rejected_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.mid")
    with pytest.raises(MidiError, match="not a regular file"):
        read_midi(tmp_path / "pipe.mid")


@pytest.mark.parametrize(
    "path", ["", ".", "missing.mid", "/dev/zero", "nul\0.mid", "x" * 5000, "a\udcff.mid"]
)
def test_paths_that_are_not_files_are_rejected(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MidiError) as caught:
        read_midi(path)
    assert caught.value.code in ("not-a-file", "unreadable")


def test_a_link_to_itself_is_rejected(tmp_path):
    (tmp_path / "loop.mid").symlink_to(tmp_path / "loop.mid")
    with pytest.raises(MidiError, match="cannot be opened"):
        read_midi(tmp_path / "loop.mid")


def test_a_file_larger_than_the_limit_is_not_read(tmp_path):
    with (tmp_path / "large.mid").open("wb") as file:
        file.write(GOOD)
        file.truncate(2**40)
    with pytest.raises(MidiError, match="larger than 32 MiB"):
        read_midi(tmp_path / "large.mid")


def test_any_file_name_is_accepted(tmp_path):
    path = tmp_path / "[" / "] [bold]\n\x1b[2J.mid"
    path.parent.mkdir()
    path.write_bytes(GOOD)
    assert is_tune(read_midi(path))


def test_very_late_ticks_are_read_exactly():
    late = 2**27 + 5000
    roll = load(header(division=0x7FFF) + track(note(60, 0x7FFF, delta=late))).roll
    start = round(4 * late / 0x7FFF)
    assert np.array_equal(np.flatnonzero(roll.sounding[:, 60 - LOWEST_KEY]), np.arange(start, start + 4))


@pytest.mark.slow
@pytest.mark.parametrize(
    "events",
    [b"\0\xb0" + b"\7\x40\0" * 5_000_000 + b"\7\x40", b"\0\x90" + b"\x3c\x40\0" * 500_000 + b"\x3c\x40"],
    ids=["events", "notes"],
)
def test_too_many_events_are_rejected(tmp_path, events):
    path = tmp_path / "large.mid"
    path.write_bytes(header() + track(events))
    with pytest.raises(MidiError, match="more than"):
        read_midi(path)


@pytest.mark.slow
def test_very_many_notes_are_read(tmp_path):
    path = tmp_path / "many.mid"
    path.write_bytes(header() + track(b"\0\x90\x3c\x40", b"\1\x3c\0\0\x3c\x40" * 300_000, b"\1\x3c\0"))
    assert read_midi(path).frames == 2501
