"""Keys: parsing names, estimation, and the interval between two keys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import UsageError
from zoo.music.roll import Notes, Roll
from zoo.music.tonality import Tonality, estimate_tonality, semitones_to

C_MAJOR = (48, 60, 64, 67, 60, 65, 69, 67, 71, 62, 60, 48)
A_MINOR = (57, 60, 64, 69, 62, 65, 69, 64, 68, 71, 57, 45)


def tune(pitches: tuple[int, ...], up: int = 0) -> Roll:
    start = np.arange(len(pitches), dtype=np.int64)
    keys = np.array(pitches) - 21 + up
    return Roll.from_notes(Notes(start, start + 1, keys, np.full(len(pitches), 64, np.uint8)))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("C", Tonality(0)),
        ("Am", Tonality(9, "minor")),
        ("F#m", Tonality(6, "minor")),
        ("Bbm", Tonality(10, "minor")),
        ("B♭", Tonality(10)),
        ("Cb", Tonality(11)),
        ("B#", Tonality(0)),
        ("Eb major", Tonality(3)),
        ("D minor", Tonality(2, "minor")),
        ("c minor", Tonality(0, "minor")),
        ("Cm", Tonality(0, "minor")),
        ("CM", Tonality(0)),
        ("c", Tonality(0)),
        ("f#", Tonality(6)),
        ("b", Tonality(11)),
        ("bb", Tonality(10)),
        ("Bb minor", Tonality(10, "minor")),
        (" bb  Minor ", Tonality(10, "minor")),
        ("F# m", Tonality(6, "minor")),
        ("f sharp minor", Tonality(6, "minor")),
        ("E flat", Tonality(3)),
    ],
)
def test_names_of_keys(name: str, key: Tonality) -> None:
    assert Tonality.parse(name) == key


@pytest.mark.parametrize("name", ["", " ", "H", "Cmm", "C##", "m", "A Moll", "Amix", "minor c"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is not a key"):
        Tonality.parse(name)


@given(up=st.integers(-12, 12))
def test_the_key_moves_with_the_music(up: int) -> None:
    assert estimate_tonality(tune(C_MAJOR, up)) == Tonality(up % 12)
    assert estimate_tonality(tune(A_MINOR, up)) == Tonality((9 + up) % 12, "minor")


@given(up=st.integers(-12, 12))
def test_it_is_moved_the_shorter_way(up: int) -> None:
    steps = semitones_to(Tonality.parse("C"), tune(C_MAJOR, up))
    assert -5 <= steps <= 6
    assert (up + steps) % 12 == 0


def test_relative_keys_share_a_signature() -> None:
    for major, minor in (("C", "Am"), ("G", "Em"), ("Eb", "Cm"), ("B", "G#m"), ("F#", "D#m")):
        assert Tonality.parse(major).relative == Tonality.parse(minor)
        assert Tonality.parse(minor).relative == Tonality.parse(major)
    assert [str(Tonality.parse(name)) for name in ("A#", "Dbm", "Gb")] == ["Bb", "C#m", "F#/Gb"]


def test_music_in_minor_arrives_in_the_relative_minor_of_a_major_key() -> None:
    for up in range(12):
        moved = tune(A_MINOR, up).transposed(semitones_to(Tonality.parse("C"), tune(A_MINOR, up)))
        assert estimate_tonality(moved) == Tonality(9, "minor")
