"""Notation: the same music gives the same file."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from zoo.music.roll import Roll
from zoo.music.saving import musicxml_bytes


@pytest.fixture
def roll() -> Roll:
    onset = np.zeros((32, 88), np.bool_)
    onset[[0, 8, 16], [40, 44, 47]] = True
    return Roll(onset, onset, np.where(onset, np.uint8(64), np.uint8(0)))


def test_the_same_music_gives_the_same_notation(roll: Roll) -> None:
    """music21 draws identifiers at random, and writes the date."""
    pytest.importorskip("music21")
    written = musicxml_bytes(roll, "new")
    assert written == musicxml_bytes(roll, "new")
    assert b"date" not in written
    assert written.count(b'id="P1"') == 2  # where it is declared, and where it is used


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("Für Elise", "Für Elise"),
        ("a <b> & c", "a <b> & c"),
        ("a\x01b\udcff", "a\ufffdb\ufffd"),
        ("1.2", "1.2"),
    ],
)
def test_notation_is_titled_by_its_file_and_has_no_composer(
    name: str, title: str, roll: Roll, tmp_path: Path
) -> None:
    pytest.importorskip("music21")
    roll.write(tmp_path / f"{name}.musicxml")
    (path,) = tmp_path.iterdir()
    score = ElementTree.fromstring(path.read_bytes())
    assert score.findtext("movement-title") == title
    assert score.findall(".//creator") == []
