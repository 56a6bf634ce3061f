import sys

import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.music.picture import write_picture
from zoo.music.roll import Notes, Roll

pytest.importorskip("matplotlib")


def roll(*notes, frames=0):
    start, end, key, velocity = np.array(notes, dtype=np.int64).reshape(-1, 4).T
    return Roll.from_notes(Notes(start, end, key, velocity.astype(np.uint8)), frames=frames)


@pytest.fixture
def pixels(tmp_path):
    from matplotlib.image import imread

    def draw(piece):
        path = tmp_path / "roll.png"
        write_picture(piece, path)
        return imread(path)

    return draw


def test_a_struck_again_note_looks_unlike_a_held_one(pixels):
    held = pixels(roll((0, 8, 40, 64), (0, 8, 44, 64)))
    struck = pixels(roll((0, 4, 40, 64), (4, 8, 40, 64), (0, 8, 44, 64)))
    middle = slice(200, None)  # below the heading, which counts the notes
    assert not np.array_equal(held[middle], struck[middle])


def test_louder_is_another_shade(pixels):
    assert not np.array_equal(pixels(roll((0, 8, 40, 20))), pixels(roll((0, 8, 40, 120))))


def test_pieces_are_broken_into_lines(pixels):
    one, four = (pixels(roll((0, 4, 40, 64), (frames - 4, frames, 50, 64))) for frames in (256, 1024))
    assert one.shape[1] == four.shape[1]
    assert 3 * one.shape[0] < four.shape[0] < 4 * one.shape[0]


@pytest.mark.parametrize("frames", [0, 1, 17])
def test_silence_has_a_picture(pixels, frames):
    assert pixels(roll(frames=frames)).std() > 0


def test_a_roll_that_knows_only_what_sounds_has_a_picture(pixels):
    assert pixels(Roll(None, np.eye(88, dtype=np.bool_))).std() > 0


def test_without_matplotlib_the_cure_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ZooError, match=r"pip install 'polyzoo\[plot\]'"):
        write_picture(roll((0, 4, 40, 64)), tmp_path / "roll.png")
    assert not list(tmp_path.iterdir())
