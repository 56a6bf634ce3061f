"""Notation: the same music gives the same file."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.music.roll import Roll
from zoo.music.saving import musicxml_bytes


def test_the_same_music_gives_the_same_notation() -> None:
    """music21 draws identifiers at random, and writes the date."""
    pytest.importorskip("music21")
    onset = np.zeros((32, 88), np.bool_)
    onset[[0, 8, 16], [40, 44, 47]] = True
    roll = Roll(onset, onset, np.where(onset, np.uint8(64), np.uint8(0)))
    written = musicxml_bytes(roll)
    assert written == musicxml_bytes(roll)
    assert b"date" not in written
    assert written.count(b'id="P1"') == 2  # where it is declared, and where it is used
