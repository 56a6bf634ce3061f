import numpy as np
import pretty_midi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.music.midi import MidiError, examine_midi, read_midi
from zoo.music.roll import KEYS, Notes, Roll


@st.composite
def rolls(draw):
    frames = st.integers(0, 99)
    notes = draw(
        st.lists(
            st.tuples(frames, st.integers(1, 20), st.integers(0, KEYS - 1), st.integers(1, 127)),
            min_size=1,
            max_size=60,
        )
    )
    start, length, key, velocity = (np.array(column) for column in zip(*notes, strict=True))
    tempo = draw(st.floats(4, 1000))
    return Roll.from_notes(Notes(start, start + length, key, velocity.astype(np.uint8)), tempo=tempo)


def same(one: Roll, other: Roll) -> bool:
    return all(
        np.array_equal(getattr(one, plane), getattr(other, plane))
        for plane in ("onset", "sounding", "velocity")
    )


@given(rolls())
def test_notes_survive_a_file(tmp_path_factory, roll):
    path = tmp_path_factory.mktemp("midi") / "piece.mid"
    roll.write(path)
    again = read_midi(path)
    assert same(roll, again)
    assert again.tempo == pytest.approx(roll.tempo, rel=1e-4)
    first = path.read_bytes()
    again.write(path)
    assert path.read_bytes() == first
    assert len(pretty_midi.PrettyMIDI(str(path)).instruments[0].notes) == len(roll.notes())


def test_a_file_without_notes_is_no_music(tmp_path):
    path = tmp_path / "silence.mid"
    Roll.from_notes(Notes.none(), frames=16).write(path)
    with pytest.raises(MidiError, match="no note") as caught:
        examine_midi(path)
    assert caught.value.code == "no-notes"
