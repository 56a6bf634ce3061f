"""Beat files: three formats, and invalid files."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import DataError
from zoo.music.beats import find_beats, read_beats

POP909 = "".join(f"{0.5 * n} {float(n % 2 == 0)} {float(n % 4 == 0)}\n" for n in range(16)).encode()
ASAP = b"".join(
    f"{0.5 * n}\t{0.5 * n}\t{'db,3/4,0' if n == 0 else 'db' if n % 3 == 0 else 'b'}\n".encode()
    for n in range(9)
)


def test_the_column_with_longer_bars_is_used():
    beats = read_beats(POP909, "001_beat_midi.txt")
    assert beats.seconds.tolist() == [0.5 * n for n in range(16)]
    assert np.flatnonzero(beats.downbeat).tolist() == [0, 4, 8, 12]


def test_a_column_with_irregular_bars_is_not_used():
    marks = [0, 3, 4, 9, 10, 14]
    lines = (f"{n} {float(n % 2 == 0)} {float(n in marks)}" for n in range(16))
    assert np.flatnonzero(read_beats("\n".join(lines).encode(), "b").downbeat).tolist() == list(
        range(0, 16, 2)
    )


def test_annotations_state_downbeats_and_time_signatures():
    beats = read_beats(ASAP, "x_annotations.txt")
    assert np.flatnonzero(beats.downbeat).tolist() == [0, 3, 6]
    assert list(beats.signatures) == [(0, 3, 4)]


@pytest.mark.parametrize("mark", ["db,0/4,0", "db,3/5,0", "db,-3", "db,x", "b,3/4,0", "bR"])
def test_invalid_time_signatures_after_a_mark_are_ignored(mark):
    beats = read_beats(f"0\t0\t{mark}\n1\t1\tb\n".encode(), "x_annotations.txt")
    assert list(beats.signatures) == []
    assert beats.downbeat.tolist() == [mark.startswith("db"), False]


@pytest.mark.parametrize(
    "text",
    [
        "0,1\n0.5,0\n1.0,1\n",
        "time,downbeat\n0,1\n0.5,0\n1.0,1\n",
        "0\t1\n0.5\t0\n1.0\t1\n",
        "\ufeff0 1\n0.5 0\n1 1",
    ],
)
def test_a_table_may_have_a_header_and_any_separator(text):
    beats = read_beats(text.encode(), "song.beats.csv")
    assert beats.seconds.tolist() == [0, 0.5, 1]
    assert beats.downbeat.tolist() == [True, False, True]


def test_a_table_of_times_only_has_no_downbeats():
    assert not read_beats(b"0\n0.5\n1\n", "b").downbeat.any()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (b"", "fewer than two beats"),
        (b"0 1\n", "fewer than two beats"),
        (b"0 1\nx 0\n", "line 2: 'x' is not a time"),
        (b"0 1\n1 0\n0.5 0\n", "line 3: the times do not increase"),
        (b"0 1\n1 2\n", "line 2"),
        (b"0 1\n1 0\n1.0000000001 0\n", "line 3: the times do not increase"),
        (b"0 1\n-1 0\n", "line 2"),
        (b"0 1\nnan 0\n", "line 2"),
        (b"0 1\n1e9 0\n", "line 2"),
        (b"0 1 1 1 1\n1 0 0 0 0\n", "line 1"),
        (b"0 1\n" * 200_000, "more than 100,000 beats"),
        (b"1 " * 3_000_000, "larger than"),
    ],
)
def test_an_invalid_beat_file_is_rejected_with_the_line(text, what):
    with pytest.raises(DataError, match=what) as caught:
        read_beats(text, "song.beats.csv")
    assert caught.value.problems[0].where == "song.beats.csv"
    assert caught.value.problems[0].hint


@given(st.binary(max_size=300))
def test_random_bytes_are_read_or_rejected(data):
    try:
        beats = read_beats(data, "b")
    except DataError:
        return
    assert len(beats.seconds) == len(beats.downbeat) >= 2


def test_beat_files_are_found_next_to_the_midi_file(tmp_path):
    song = tmp_path / "001.mid"
    assert find_beats(song) is None
    for name in ("001_annotations.txt", "001_beat_midi.txt", "001.beats.txt", "001.beats.csv"):
        (tmp_path / name).write_bytes(POP909)
        assert find_beats(song) == tmp_path / name


def test_beat_files_are_looked_for_among_the_names_of_a_folder(tmp_path):
    song, beats = tmp_path / "001.mid", tmp_path / "001.beats.txt"
    beats.write_bytes(POP909)
    assert find_beats(song, {"001.mid", "001.beats.txt"}) == beats
    assert find_beats(song, {"001.mid"}) is None
    assert find_beats(song, {"001.mid", "001_annotations.txt"}) is None  # which was removed meanwhile


def test_beat_midi_txt_belongs_to_the_file_with_the_name_of_the_folder(tmp_path):
    folder = tmp_path / "001"
    folder.mkdir()
    (folder / "beat_midi.txt").write_bytes(POP909)
    assert find_beats(folder / "001.mid") == folder / "beat_midi.txt"
    assert find_beats(folder / "other.mid") is None


def test_a_missing_file_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="cannot be opened"):
        read_beats(tmp_path / "none.beats.csv")
