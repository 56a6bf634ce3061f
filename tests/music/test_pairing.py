import io
import os
from collections import Counter, defaultdict, deque

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.music.pairing import with_pedal
from zoo.music.score import Score
from zoo.music.walk import read_score

EXAMPLES = int(os.environ.get("ZOO_STRESS_EXAMPLES", "200"))
"""Number of examples for each property; set `ZOO_STRESS_EXAMPLES=10000` for a stress test."""


def on(tick, pitch=60, channel=0, velocity=80):
    return tick, mido.Message("note_on", note=pitch, velocity=velocity, channel=channel)


def off(tick, pitch=60, channel=0):
    return tick, mido.Message("note_off", note=pitch, channel=channel)


def control(tick, number, value=0, channel=0):
    return tick, mido.Message("control_change", control=number, value=value, channel=channel)


def read(*tracks, end=0):
    """The score of tracks of (tick, message)."""
    midi = mido.MidiFile(ticks_per_beat=4)
    for events in tracks:
        now, messages = 0, mido.MidiTrack()
        for tick, message in events:
            messages.append(message.copy(time=tick - now))
            now = tick
        messages.append(mido.MetaMessage("end_of_track", time=max(end - now, 0)))
        midi.tracks.append(messages)
    content = io.BytesIO()
    midi.save(file=content)
    return read_score(content.getvalue(), "made.mid")


def rows(score):
    return sorted(zip(score.start.tolist(), score.end.tolist(), score.pitch.tolist(), strict=True))


@pytest.mark.parametrize(
    ("events", "notes"),
    [
        ([on(0), on(4), off(8), off(16)], [(0, 8), (4, 16)]),
        ([on(0), on(4), off(8)], [(0, 8), (4, 8)]),
        ([on(0), on(4), off(8), on(12), off(16)], [(0, 8), (4, 8), (12, 16)]),
        ([on(0), on(4), off(8), on(12), off(16), off(20)], [(0, 8), (4, 16), (12, 20)]),
        ([on(0), on(8), off(8), off(16)], [(0, 8), (8, 16)]),
        ([on(0), off(8), on(8), off(16)], [(0, 8), (8, 16)]),
        ([on(0), on(0), off(0), off(4)], [(0, 0), (0, 4)]),
        ([on(0), off(0), on(0), off(4)], [(0, 0), (0, 4)]),
        ([off(0), on(0), on(16), off(20)], [(0, 0), (16, 20)]),
        ([off(0), on(0), off(4), on(4), off(8)], [(0, 4), (4, 8)]),
        ([on(0), off(4), off(6), off(8), on(12), off(16)], [(0, 4), (12, 16)]),
        ([on(0), off(4), on(8)], [(0, 4), (8, 20)]),
        ([on(0), on(8)], [(0, 20), (8, 20)]),
    ],
)
def test_releases_end_presses_in_order(events, notes):
    assert rows(read(events, end=20)) == [(start, end, 60) for start, end in notes]


def test_repaired_notes_are_counted():
    score = read([on(0), off(0), on(4), off(8, 61), on(8, 62), off(12, 62)], end=20)
    assert score.repairs == {"note without length": 1, "note never released": 1}
    assert read([on(0), on(4), off(8)]).repairs == {}


def test_notes_are_released_by_another_track_of_the_channel():
    score = read([on(0), on(4), on(8, channel=1)], [off(6), off(9), off(12, channel=2)], end=20)
    assert rows(score) == [(0, 6, 60), (4, 9, 60), (8, 20, 60)]
    assert score.repairs == {"note released by another track": 2, "note never released": 1}


def test_a_spare_release_in_another_track_counts_if_it_is_earlier():
    assert rows(read([on(0), on(8), off(12)], [off(4)])) == [(0, 4, 60), (8, 12, 60)]
    assert rows(read([on(0), on(8), off(12)], [off(16)])) == [(0, 12, 60), (8, 12, 60)]


def test_tracks_and_channels_are_separate():
    score = read([on(0), on(2, channel=1), off(4, channel=1), off(8)], [on(4), off(6)])
    assert rows(score) == [(0, 8, 60), (2, 4, 60), (4, 6, 60)]
    assert score.channel.tolist() == [0, 1, 0]


@pytest.mark.parametrize("number", [120, 123, 124, 125, 126, 127])
def test_a_silence_ends_all_notes_on_its_channel(number):
    events = [
        on(0),
        on(0, 64),
        on(0, 67, channel=1),
        control(4, number),
        on(4),
        off(6),
        off(8, 67, channel=1),
    ]
    assert rows(read(events, end=20)) == [(0, 4, 60), (0, 4, 64), (0, 8, 67), (4, 6, 60)]


def test_a_silence_after_a_release_is_harmless():
    events = [on(0), off(4), control(4, 123), on(8), control(12, 123), off(12), on(16), off(20)]
    score = read(events)
    assert rows(score) == [(0, 4, 60), (8, 12, 60), (16, 20, 60)]
    assert score.repairs == {}


def test_a_silence_in_a_track_with_notes_does_not_affect_other_tracks():
    melody = [on(0), off(16), on(20)]
    assert rows(read(melody, [on(0, 40), control(8, 123)], end=24)) == [(0, 8, 40), (0, 16, 60), (20, 24, 60)]
    assert rows(read(melody, [control(8, 123), control(22, 120)], end=24)) == [(0, 8, 60), (20, 22, 60)]
    assert rows(read([on(0)], [on(0, 40), control(8, 123)], end=24)) == [(0, 8, 40), (0, 8, 60)]


def reference(events, end):
    """A reference implementation of `releases` for one key of one track, event by event."""
    open_presses, spare = [], set()
    for index, (_, down) in enumerate(events):
        if down:
            open_presses.append(index)
        elif open_presses:
            open_presses.pop()
        else:
            spare.add(index)
    extra, waiting, pairs = set(open_presses), deque(), []
    for index, (tick, down) in enumerate(events):
        if down and index not in extra:
            waiting.append(tick)
        elif down:
            own = index - 1 in spare and events[index - 1][0] == tick
            later = [release for release, pressed in events[index:] if not pressed]
            pairs.append((tick, tick if own else later[0] if later else end))
        elif index not in spare:
            pairs.append((waiting.popleft(), tick))
    return sorted(pairs)


keyboard_actions = st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=30)


@given(keyboard_actions)
@settings(max_examples=EXAMPLES, deadline=None)
def test_one_key_agrees_with_the_reference(actions):
    ticks = np.cumsum([wait for wait, _ in actions]).tolist()
    events = [(tick, down) for tick, (_, down) in zip(ticks, actions, strict=True)]
    score = read([on(tick) if down else off(tick) for tick, down in events], end=100)
    end = 100 if events else 0
    assert [(start, stop) for start, stop, _ in rows(score)] == reference(events, end)


notes = st.tuples(
    st.integers(0, 2),  # track
    st.sampled_from([0, 1, 15]),
    st.sampled_from([0, 59, 60, 127]),
    st.integers(0, 40),
    st.integers(1, 20),
    st.integers(1, 127),
)


@given(st.lists(notes, max_size=60), st.booleans(), st.booleans())
@settings(max_examples=EXAMPLES, deadline=None)
def test_written_scores_are_restored(written, releases_first, as_presses):
    tracks, starts, ends = defaultdict(list), defaultdict(list), defaultdict(list)
    for track, channel, pitch, start, length, velocity in written:
        release = on(0, pitch, channel, 0) if as_presses else off(0, pitch, channel)
        tracks[track] += [on(start, pitch, channel, velocity), (start + length, release[1])]
        starts[track, channel, pitch].append(start)
        ends[track, channel, pitch].append(start + length)
    for events in tracks.values():
        events.sort(key=lambda e: (e[0], (e[1].type == "note_on" and e[1].velocity > 0) == releases_first))
    score = read(*(tracks[number] for number in range(3)))
    columns = (score.channel, score.pitch, score.start, score.end)
    pairs = Counter(zip(*(column.tolist() for column in columns), strict=True))
    assert pairs == Counter(
        (channel, pitch, start, end)
        for track, channel, pitch in starts
        for start, end in zip(
            sorted(starts[track, channel, pitch]), sorted(ends[track, channel, pitch]), strict=True
        )
    )
    velocities = zip(score.start.tolist(), score.pitch.tolist(), score.velocity.tolist(), strict=True)
    assert Counter(velocities) == Counter(
        (start, pitch, velocity) for _, _, pitch, start, _, velocity in written
    )
    assert score.repairs == {}
    assert [count for _, count in score.tracks] == [len(tracks[number]) // 2 for number in range(3)]


def test_the_pedal_holds_until_it_is_released():
    score = read(
        [
            on(0),
            control(1, 64, 127),
            off(2),
            on(3, 64),
            off(4, 64),
            control(8, 64, 63),
            on(9, 67),
            off(10, 67),
        ]
    )
    assert score.pedal == {0: [(1, True), (8, False)]}
    assert rows(with_pedal(score)) == [(0, 8, 60), (3, 8, 64), (9, 10, 67)]


def test_the_pedal_holds_until_the_key_is_pressed_again():
    score = read([control(0, 64, 127), on(0), off(2), on(4), off(5), on(5), off(6)], end=12)
    assert rows(with_pedal(score)) == [(0, 4, 60), (4, 5, 60), (5, 12, 60)]


def test_the_pedal_affects_only_its_channel_and_notes_that_it_sustains():
    pedalled = [control(4, 64, 64), on(0, channel=1), off(2, channel=1), on(2), off(4), on(3, 62), off(9, 62)]
    events = sorted([*pedalled, control(6, 64, 0)], key=lambda event: event[0])
    assert rows(with_pedal(read(events))) == [(0, 2, 60), (2, 6, 60), (3, 9, 62)]


@pytest.mark.parametrize("number", [120, 121])
def test_a_reset_releases_the_pedal(number):
    score = read([control(0, 64, 127), on(0), off(2), control(6, number), on(8), off(10)])
    assert rows(with_pedal(score)) == [(0, 6, 60), (8, 10, 60)]


def test_only_changes_of_the_pedal_are_stored():
    values = [0, 10, 64, 90, 127, 63, 0, 64]
    score = read(
        [control(tick, 64, value) for tick, value in enumerate(values)], [control(6, 64, 70, channel=3)]
    )
    assert score.pedal == {0: [(2, True), (5, False), (7, True)], 3: [(6, True)]}


@given(st.lists(notes, max_size=30), st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=9))
@settings(max_examples=EXAMPLES, deadline=None)
def test_the_pedal_only_lengthens_notes(written, changes):
    _, channel, pitch, start, length, velocity = np.array(written, np.int64).reshape(-1, 6).T
    order = np.argsort(start, kind="stable")
    columns = (start, start + length, pitch, velocity.astype(np.uint8), channel)
    pedal = {0: sorted(dict(changes).items())}
    score = Score(4, *(column[order] for column in columns), pedal=pedal, last=80)
    longer = with_pedal(score)
    assert (longer.end >= score.end).all()
    assert (longer.end <= max(80, score.end.max(initial=0))).all()
    assert (longer.end == score.end)[score.channel != 0].all()
    for number in np.flatnonzero(longer.end > score.end):
        same_key = (score.pitch == score.pitch[number]) & (score.channel == 0)
        inside = (score.start >= score.end[number]) & (score.start < longer.end[number])
        assert not (same_key & inside).any()
