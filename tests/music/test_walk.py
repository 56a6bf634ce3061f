import os
import struct
import unicodedata

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.music.guard import Limits, MidiError
from zoo.music.walk import MAX_REST, STRAY_GAP, read_score

EXAMPLES = int(os.environ.get("ZOO_STRESS_EXAMPLES", "200"))
"""Number of examples for each property; set `ZOO_STRESS_EXAMPLES=10000` for a stress test."""
PAIR = [(0, 4, 60), (4, 8, 62)]
"""C4 for a quarter note, then D4 for one, in sixteenths."""
GM2_DRUMS, GM2_MELODY, XG_DRUMS, XG_EFFECTS = 120, 121, 127, 64


def number(value):
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(value & 0x7F | 0x80)
    return bytes(reversed(digits))


def meta(kind, data, wait=0):
    return number(wait) + bytes([0xFF, kind]) + number(len(data)) + data


def pair(channel=0, low=60):
    """Two quarter notes, one after the other."""
    events = b""
    for pitch in (low, low + 2):
        events += bytes([0, 0x90 | channel, pitch, 80]) + number(480) + bytes([0x80 | channel, pitch, 0])
    return events


def track(*events, rest=0):
    content = b"".join(events) + number(rest) + b"\xff\x2f\0"
    return b"MTrk" + struct.pack(">I", len(content)) + content


def file_of(*tracks, division=480, kind=1):
    return b"MThd" + struct.pack(">IHHH", 6, kind, len(tracks), division) + b"".join(tracks)


def read(*tracks, chosen=(), **how):
    return read_score(file_of(*tracks, **how), "made.mid", tracks=chosen)


def rows(score):
    """(start, end, pitch) of each note, in sixteenths."""
    frame = score.division / 4
    columns = ((score.start / frame).tolist(), (score.end / frame).tolist(), score.pitch.tolist())
    return sorted(zip(*columns, strict=True))


def pitches(score):
    return sorted(score.pitch.tolist())


def bank(value, channel=0):
    return bytes([0, 0xB0 | channel, 0, value])


def program(value, channel=0):
    return bytes([0, 0xC0 | channel, value])


def exclusive(*data):
    return b"\0\xf0" + number(len(data) + 1) + bytes(data) + b"\xf7"


def rhythm(part, value):
    """Roland's "use for rhythm part"."""
    return exclusive(0x41, 0x10, 0x42, 0x12, 0x40, 0x10 | part, 0x15, value, 0)


CASES = {
    "overlap_same_pitch_fifo.mid": [(0, 8, 60), (4, 16, 60)],
    "art_of_fugue_ononoffoff.mid": [(0, 12, 69), (8, 12, 74), (8, 24, 69)],
    "unison_zero_plus_held.mid": [(0, 0, 60), *PAIR],
    "two_tracks_unison.mid": [(0, 16, 60), (8, 12, 60)],
    "zero_off_first.mid": [(0, 0, 60), (16, 20, 60)],
    "never_released_end.mid": [(0, 4, 60), (4, 16, 64)],
    "cc123.mid": [(0, 4, 60), (0, 4, 64), (4, 8, 67)],
    "ntrks_less.mid": [(0, 4, 60), (0, 4, 64), (4, 8, 62)],
    "len_too_long_first.mid": [(0, 4, 60), (0, 4, 64), (4, 8, 62)],
    "odd_pad_between.mid": [(0, 4, 60), (0, 4, 64)],
    "five_byte_vlq.mid": [(0, 4, 60)],
    "held_in_unison.mid": [(0, 64, 60), *((frame, frame + 0.5, 60) for frame in (16, 20, 24, 28))],
    **dict.fromkeys(
        (
            "on_off_across_tracks.mid",
            "ntrks_more.mid",
            "pan_ntrks_unknown_chunk_counted.mid",
            "len_too_long_last.mid",
            "len_ffffffff.mid",
            "missing_last_byte.mid",
            "riff.rmi",
            "format2_single.mid",
            "smpte25.mid",
            "velocity_bad.mid",
            "drums_gs11.mid",
            "ch10_melodic_gm2.mid",
            "sfx_programs.mid",
            "stray_far.mid",
        ),
        PAIR,
    ),
}
"""(start, end, pitch) of every note in sixteenths, before notes are merged onto a keyboard."""


@pytest.mark.parametrize("name", CASES)
def test_a_case_has_the_expected_notes(shared, name):
    content = (shared / "cases" / "reading" / name).read_bytes()
    assert rows(read_score(content, name)) == sorted(CASES[name])


@pytest.mark.parametrize("name", ["bom", "crlf", "tab", "by_instrument"])
def test_a_track_of_a_case_is_found_by_its_title(shared, name):
    content = (shared / "cases" / "reading" / f"name_{name}.mid").read_bytes()
    assert rows(read_score(content, name, tracks=["piano"])) == PAIR


@pytest.mark.parametrize(
    ("name", "code"), [("gz.mid.gz", "gzip"), ("clip2.mid", "clip"), ("leading_junk.mid", "macbinary")]
)
def test_a_case_is_rejected_with_its_code(shared, name, code):
    with pytest.raises(MidiError) as caught:
        read_score((shared / "cases" / "reading" / name).read_bytes(), name)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("before", "channel"),
    [
        ([], 9),
        ([bank(GM2_DRUMS)], 0),
        ([bank(XG_DRUMS), program(0)], 0),
        ([rhythm(1, 1)], 0),
        ([rhythm(10, 2)], 10),
        ([rhythm(0, 0), rhythm(0, 1)], 9),
        ([exclusive(0x43, 0x10, 0x4C, 8, 4, 7, 1)], 4),
    ],
)
def test_drums_are_left_out_on_any_channel(before, channel):
    score = read(track(*before, pair(channel)), track(pair((channel + 1) % 16, 70)))
    assert pitches(score) == [70, 72]
    assert score.left_out == {"drums": 2}
    assert [count for _, count in score.tracks] == [0, 2]


@pytest.mark.parametrize(
    "before",
    [
        [bank(GM2_MELODY, 9), program(0, 9)],
        [rhythm(0, 0)],
        [exclusive(0x43, 0x10, 0x4C, 8, 9, 7, 0)],
        [rhythm(0, 1), rhythm(0, 0)],
    ],
)
def test_a_melody_may_be_on_the_drum_channel(before):
    assert rows(read(track(*before, pair(9)))) == PAIR


def test_banks_of_other_manufacturers_are_not_drums():
    assert (
        rows(read(track(exclusive(0x41, 0x10, 0x42, 0x12, 0x40, 0, 0x7F, 0, 0x41), bank(127), pair())))
        == PAIR
    )
    assert rows(read(track(bank(8), pair()))) == PAIR


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (0, None),
        (111, None),
        (112, "percussive programs"),
        (119, "percussive programs"),
        (120, "sound effects"),
        (127, "sound effects"),
    ],
)
def test_programs_without_a_pitch_are_left_out(value, reason):
    score = read(track(program(value, 3), pair(3)), track(pair(4, 70)))
    assert pitches(score) == ([70, 72] if reason else [60, 62, 70, 72])
    assert score.left_out == ({reason: 2} if reason else {})


def test_the_kind_of_sound_changes_with_the_program():
    later = pair(0, 70)
    score = read(track(program(126), pair(), program(5), later, program(115), pair(0, 40)))
    assert pitches(score) == [70, 72]
    assert score.left_out == {"sound effects": 2, "percussive programs": 2}
    assert read(track(bank(XG_EFFECTS), pair())).left_out == {"sound effects": 2}


def test_a_program_may_be_set_by_another_track():
    assert read(track(program(126, 2)), track(pair(2))).left_out == {"sound effects": 2}
    assert read(track(pair(2)), track(program(126, 2))).left_out == {"sound effects": 2}
    own = read(track(program(126, 2), pair(2)), track(program(0, 2), pair(2, 70)))
    assert (pitches(own), own.left_out) == ([70, 72], {"sound effects": 2})


def test_drums_in_other_tracks_are_not_counted():
    tracks = track(meta(3, b"Drums"), pair(9)), track(meta(3, b"Piano"), pair())
    assert read(*tracks, chosen=["Piano"]).left_out == {}
    assert read(*tracks, chosen=["Drums"]).left_out == {"drums": 2}
    assert read(*tracks, chosen=["Piano"]).tracks == [("Drums", 0), ("Piano", 2)]


def test_a_second_port_has_its_own_channels():
    second = [meta(0x21, b"\1"), pair(0, 70), b"\0\xb0\x40\x7f", pair(9)]
    score = read(track(pair(), rest=480), track(*second, rest=480))
    assert sorted(zip(score.channel.tolist(), score.pitch.tolist(), strict=True)) == [
        (0, 60),
        (0, 62),
        (16, 70),
        (16, 72),
    ]
    assert score.left_out == {"drums": 2}
    assert list(score.pedal) == [16]


TITLES = [
    ("Piano", b"\xef\xbb\xbfPiano"),
    ("piano", b"PIANO\r\n"),
    ("Piano", b" Piano\t\0\0"),
    ("Fl\u00fbte", "Flu\u0302te".encode()),
    ("Flu\u0302te", "Fl\u00fbte".encode()),
    ("Fl\u00fbte", "Fl\u00fbte".encode("cp1252")),
    ("Nu\u00df", b"NUSS"),
    ("Piano\ufeff", b"Piano"),
    ("Piano, RH", b"Piano, RH"),
    ("Piano: RH", b"Piano:  RH"),
    ("\u30d4\u30a2\u30ce", "\u30d4\u30a2\u30ce".encode("cp932")),
    ("\u53f3\u624b 1", "\u53f3\u624b 1\r\n".encode("cp932")),
    ("Piano", "Piano".encode("utf-16")),
]


@pytest.mark.parametrize(("title", "encoded"), TITLES)
def test_a_track_is_found_by_its_title(title, encoded):
    tracks = track(meta(3, b"Other"), pair(0, 40)), track(meta(3, encoded), pair())
    score = read(*tracks, chosen=[title])
    assert rows(score) == PAIR
    decoded = score.tracks[1][0]
    assert decoded.isprintable()
    assert unicodedata.is_normalized("NFC", decoded)


@pytest.mark.parametrize(
    "title",
    [
        "S\u00e3o Jo\u00e3o",
        "D\u00e9j\u00e0 vu",
        "CORA\u00c7\u00c3O",
        "GR\u00d6\u00dfE",
        "Violino 1\u00b0",
        "Don\u2019t",
        "\u00a9 1999",
        "cr\u00e9\u00e9e",
    ],
)
def test_western_titles_are_not_decoded_as_japanese(title):
    assert read(track(meta(3, title.encode("cp1252")), pair())).tracks == [(title, 2)]


@pytest.mark.parametrize(
    "title",
    [
        "\u30e1\u30ed\u30c7\u30a3\u30fc",
        "A\u30e1\u30ed",
        "\u7434",
        "\uff8b\uff9f\uff71\uff89",
        "\u2460\u30d9\u30fc\u30b9",
    ],
)
def test_japanese_titles_are_decoded(title):
    assert read(track(meta(3, title.encode("cp932")), pair())).tracks == [(title, 2)]


@given(st.text(max_size=20))
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_track_is_found_by_any_title(title):
    score = read(track(meta(3, title.encode("utf-8", errors="replace")), pair()), track(pair(0, 70)))
    shown = score.tracks[0][0]
    assert "\n" not in shown
    if shown:
        assert pitches(
            read(track(meta(3, title.encode("utf-8", errors="replace")), pair()), chosen=[shown])
        ) == [60, 62]


def test_the_instrument_is_the_title_if_there_is_none():
    assert read(track(meta(4, b"Grand"), meta(3, b"Right hand"), pair())).tracks == [("Right hand", 2)]
    assert read(track(meta(3, b" "), meta(4, b"Grand"), pair())).tracks == [("Grand", 2)]


def test_a_missing_title_is_an_error_that_lists_the_titles():
    with pytest.raises(MidiError, match=r"no track is called Cello; its tracks are Piano, Other\n") as caught:
        read(track(meta(3, b"Piano\r\n"), pair()), track(meta(3, b"Other")), chosen=["Cello"])
    assert caught.value.code == "no-track"
    with pytest.raises(MidiError, match="its tracks have no titles"):
        read(track(pair()), chosen=[""])


def test_timing_is_read_from_all_tracks():
    tempo, waltz, odd = b"\x07\xa1\x20", b"\3\2\x18\x08", b"\0\2\x18\x08"
    first = track(meta(0x51, tempo), meta(0x58, odd), meta(0x58, b"\4\2\x18\x08"), meta(6, b"Verse"))
    second = track(
        meta(0x58, waltz, 480), meta(0x51, b"\x0f\x42\x40"), meta(7, b"Coda\r\n"), meta(3, b"Piano"), pair()
    )
    score = read(first, second, chosen=["Piano"])
    assert score.tempos == [(0, 500_000), (480, 1_000_000)]
    assert score.signatures == [(0, 4, 4), (480, 3, 4)]
    assert score.markers == [(0, "Verse"), (480, "Coda")]
    assert score.repairs == {"odd time signature": 1}


def test_the_last_of_two_events_at_a_tick_counts():
    score = read(
        track(meta(0x51, b"\0\0\1"), meta(0x58, b"\4\2\0\0")),
        track(meta(0x51, b"\0\0\2"), meta(0x58, b"\6\3\0\0"), pair()),
    )
    assert (score.tempos, score.signatures) == ([(0, 2)], [(0, 6, 8)])


@pytest.mark.parametrize(
    ("division", "ticks_per_second"),
    [(0xE728, 1000), (0xE850, 1920), (0xE250, 2400), (0xE364, 2997), (0xE701, 25)],
)
def test_smpte_time_is_read_at_120(division, ticks_per_second):
    beat = 0x90, 60, 80
    events = number(ticks_per_second) + bytes(beat) + number(ticks_per_second) + b"\x3c\0"
    score = read(track(meta(0x51, b"\x0f\x42\x40"), events), division=division)
    assert rows(score) == [(pytest.approx(8, rel=1e-4), pytest.approx(16, rel=1e-4), 60)]
    assert score.tempos == []
    assert list(score.repairs) == ["time in film frames, read at 120 quarter notes a minute"]


@pytest.mark.parametrize("rest", [0, 1, 3 * 480, MAX_REST * 480])
def test_a_rest_at_the_end_is_kept(rest):
    assert read(track(pair(), rest=rest)).last == 960 + rest
    assert read(track(pair()), track(rest=rest)).last == max(960, rest)


def test_an_end_hours_later_is_ignored():
    assert read(track(pair(), rest=480 * 7200)).last == 960
    assert read(track(pair(), rest=480), track(rest=480 * 7200)).last == 1440
    hanging = b"\0\x90\x43\x50"
    assert rows(read(track(hanging, pair(), rest=480 * 7200))) == sorted([*PAIR, (0, 8, 67)])
    assert rows(read(track(hanging, pair(), rest=480 * 100))) == sorted([*PAIR, (0, 408, 67)])


def test_the_end_is_that_of_the_selected_tracks():
    tracks = track(meta(3, b"Piano"), pair(), rest=480), track(meta(3, b"Bass"), pair(0, 40), rest=4800)
    assert read(*tracks, chosen=["piano"]).last == 1440
    assert read(*tracks, chosen=["piano", "BASS"]).last == 960 + 4800


def test_a_stray_note_is_left_out_and_reported():
    far = number(480 * (STRAY_GAP + 1)) + b"\x90\x40\x50" + number(480) + b"\x80\x40\0"
    score = read(track(pair(), far))
    assert rows(score) == PAIR
    assert score.left_out == {f"far behind the others, from E4 at quarter note {STRAY_GAP + 3} on": 1}
    assert score.last == 960
    near = number(480 * STRAY_GAP) + far[3:]
    assert len(read(track(pair(), near)).start) == 3
    assert len(read(track(pair(), far, pair())).start) == 5


def test_the_error_for_a_long_piece_names_the_last_note():
    with pytest.raises(
        MidiError, match="68004 sixteenths, more than 65536: E4 at quarter note 16000 ends"
    ) as caught:
        read(track(number(480 * 16_000) + b"\x90\x40\x50" + number(480 * 1001) + b"\x80\x40\0"))
    assert caught.value.code == "too-long"


def test_a_velocity_above_127_is_clipped():
    score = read(track(b"\0\x90\x3c\xc8" + number(480) + b"\x80\x3c\xff", pair()))
    assert score.velocity.tolist() == [127, 80, 80]
    assert score.repairs == {"velocity above 127": 2}


def test_a_file_without_notes_is_a_score_without_notes():
    score = read(track(), track(pair(9)))
    assert len(score.start) == len(score.end) == len(score.channel) == 0
    assert score.left_out == {"drums": 2}
    assert rows(read()) == []


def test_limits_apply_to_the_selected_tracks():
    tracks = track(meta(3, b"Piano"), pair()), track(meta(3, b"Bass"), pair(0, 40))
    read_score(file_of(*tracks), "made.mid", Limits(notes=2), ["Bass"])
    with pytest.raises(MidiError, match="more than 3 notes"):
        read_score(file_of(*tracks), "made.mid", Limits(notes=3))


def test_mido_reads_the_same_notes(shared):
    """Compare with another parser, on files in which no key is pressed twice before it is released."""
    files = sorted((shared / "data").glob("*/**/*.mid"))
    compared = 0
    for path in files[:: len(files) // 12]:
        score = read_score(path.read_bytes(), path)
        expected, open_notes, is_comparable = [], {}, True
        for number_of_track, messages in enumerate(mido.MidiFile(path).tracks):
            tick = 0
            for message in messages:
                tick += message.time
                if message.type not in ("note_on", "note_off") or message.channel == 9:
                    continue
                key = number_of_track, message.channel, message.note
                if message.type == "note_on" and message.velocity:
                    is_comparable &= key not in open_notes
                    open_notes[key] = tick, message.velocity
                elif key in open_notes:
                    start, velocity = open_notes.pop(key)
                    expected.append((start, tick, message.note, velocity))
        if is_comparable and not open_notes:
            compared += 1
            columns = (score.start, score.end, score.pitch, score.velocity)
            assert sorted(zip(*(column.tolist() for column in columns), strict=True)) == sorted(expected)
    assert compared >= 6


digits = st.integers(0, 255)
numbers = st.one_of(st.integers(0, 127).map(lambda n: bytes([n])), st.binary(max_size=5))
few = st.sampled_from([0, 60, 64, 120, 121, 123, 126, 127])
events = st.one_of(
    st.tuples(numbers, st.integers(0x80, 0x9F), digits, digits).map(lambda e: e[0] + bytes(e[1:])),
    st.tuples(numbers, st.sampled_from([0x80, 0x90, 0xB0]), few, few).map(lambda e: e[0] + bytes(e[1:])),
    st.tuples(numbers, digits, st.binary(max_size=4)).map(lambda e: e[0] + bytes([e[1]]) + e[2]),
    st.tuples(numbers, digits, digits, st.binary(max_size=6)).map(
        lambda e: e[0] + bytes([0xFF, e[1], e[2] % 8]) + e[3]
    ),
    st.sampled_from([b"\0\xff\x2f\0", b"\0\xff\x2f", rhythm(1, 1), bank(120), program(126)]),
)
bodies = st.lists(events, max_size=20).map(b"".join)
chunks = st.tuples(
    st.sampled_from([b"MTrk"] * 9 + [b"XFIH", b"MThd"]),
    bodies,
    st.sampled_from([0] * 5 + [-9, -1, 1, 4, 99, 2**31]),
)
junk = st.one_of(st.just(b""), st.binary(max_size=3))


@st.composite
def files(draw):
    """Almost valid MIDI: the chunks are mostly valid, their contents mostly are not."""
    head = [
        draw(st.sampled_from([1, 1, 1, 0, 2])),
        draw(st.integers(0, 5)),
        draw(st.sampled_from([480, 1, 96, 32767, 0, 0xE728, 0xE364])),
    ]
    words = draw(st.sampled_from([b""] * 9 + [b"RIFF\0\0\0\0RMIDdata\0\1\0\0", b"\0" * 128]))
    words += b"MThd\0\0\0\6" + b"".join(word.to_bytes(2) for word in head)
    for name, body, wrong in draw(st.lists(chunks, max_size=4)):
        words += name + (max(len(body) + wrong, 0) % 2**32).to_bytes(4) + body + draw(junk)
    return words


@given(
    st.one_of(
        files(), st.binary(max_size=200), st.binary(max_size=200).map(lambda end: b"MThd\0\0\0\6" + end)
    )
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_any_bytes_are_a_score_or_rejected(content):
    try:
        score = read_score(content, "fuzz.mid")
    except MidiError:
        return
    assert score.division > 0
    assert (score.start >= 0).all()
    assert (score.start <= score.end).all()
    assert (np.diff(score.start) >= 0).all()
    assert (score.velocity > 0).all()
    assert (score.velocity < 128).all()
    assert (score.pitch < 128).all()
    assert score.last >= score.end.max(initial=0)
    assert sum(count for _, count in score.tracks) >= len(score.start)
    assert all(tick >= 0 and tempo > 0 for tick, tempo in score.tempos)
    assert all(over > 0 and under in (1, 2, 4, 8, 16, 32, 64, 128) for _, over, under in score.signatures)


@given(st.data())
@settings(max_examples=EXAMPLES, deadline=None)
def test_trailing_bytes_and_wrong_lengths_change_nothing(data):
    """Whatever the headers of valid tracks state, the notes are those of their events."""
    bodies = [pair(0, 30 + 3 * number) for number in range(data.draw(st.integers(1, 4)))]
    expected = read(*(track(body) for body in bodies))
    wrong = b"MThd" + struct.pack(">IHHH", 6, 1, data.draw(st.integers(len(bodies), 9)), 480)
    for body in bodies:
        length = struct.pack(">I", data.draw(st.integers(0, 2**32 - 1) | st.integers(0, 60)))
        wrong += b"MTrk" + length + track(body)[8:] + b"\0" * data.draw(st.integers(0, 3))
    assert rows(read_score(wrong, "wrong.mid")) == rows(expected)
