import sys
from dataclasses import replace

import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.music.meter import Meter, TimeSignature
from zoo.music.picture import MAX_SYSTEMS, WIDTH, write_picture
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


class Drawn:
    """The contents of a picture: for each system, its lines as frames and the labels above and below it."""

    def __init__(self, figure):
        self.heading = figure.texts[0].get_text()
        self.systems = [axes for axes in figure.axes if axes.axison]

    def span(self, system):
        return self.systems[system].get_xlim()

    def width(self, system):
        """Inches."""
        return self.systems[system].get_position().width * WIDTH

    def lines(self, system, colour="#8a93a5"):
        from matplotlib.collections import LineCollection
        from matplotlib.colors import to_rgba

        return [
            int(line[0][0])
            for lines in self.systems[system].collections
            if isinstance(lines, LineCollection) and tuple(lines.get_edgecolor()[0]) == to_rgba(colour)
            for line in lines.get_segments()
            if line[0][0] == line[1][0]
        ]

    def beats(self, system):
        return self.lines(system, "#dde1e8")

    def numbers(self, system):
        axes = self.systems[system]
        labels = [label.get_text() for label in axes.get_xticklabels()]
        return dict(zip(map(int, axes.get_xticks()), labels, strict=True))

    def signatures(self, system):
        return {frame: words for frame, words, over in self._texts(system) if over}

    def primer(self, system):
        """The label at the dashed line, by frame; empty if there is no line."""
        ends = self.lines(system, "#1b2130")
        words = {frame: words for frame, words, over in self._texts(system) if not over}
        assert list(words) == ends
        return words

    def _texts(self, system):
        axes = self.systems[system]
        for text in axes.texts:
            frame, height = text.get_position()
            yield int(frame), text.get_text(), height > axes.get_ylim()[1]


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    figures = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (figures.append(self), save(self, *a, **k)))

    def draw(piece, **options):
        write_picture(piece, tmp_path / "roll.png", **options)
        return Drawn(figures[-1])

    return draw


def lasting(frames, meter=None, **attributes):
    return replace(roll((0, frames, 40, 64)), meter=meter or Meter(), **attributes)


@pytest.mark.parametrize(
    ("meter", "bar", "beat", "bars"),
    [
        (Meter.of(4, 4), 16, 4, 16),
        (Meter.of(3, 4), 12, 4, 16),
        (Meter.of(6, 8), 12, 6, 16),
        (Meter.of(5, 4), 20, 4, 16),
        (Meter.of(7, 8), 14, 2, 16),
        (Meter.of(2, 4), 8, 4, 32),
        (Meter.of(12, 8), 24, 6, 8),
        (Meter.of(4, 4, grid=12), 48, 12, 16),
        (Meter.of(6, 8, grid=24), 72, 36, 16),
    ],
    ids=str,
)
def test_systems_consist_of_whole_bars(drawn, meter, bar, beat, bars):
    picture = drawn(lasting(bar * (bars + 3) - 1, meter))
    assert [picture.span(n) for n in range(2)] == [(0, bars * bar), (bars * bar, (bars + 3) * bar)]
    assert picture.lines(0) == list(range(0, bars * bar + 1, bar))
    assert picture.lines(1) == list(range(bars * bar, (bars + 3) * bar + 1, bar))
    assert picture.beats(0) == list(range(0, bars * bar, beat))
    assert picture.numbers(1) == {(bars + n) * bar: str(bars + n + 1) for n in range(3)}
    assert picture.heading.startswith(f"{bars + 3} bars    1 note    {meter}    ♩ = 120")
    assert picture.signatures(0) == {0: str(meter)}
    assert picture.signatures(1) == {}


def test_bars_have_equal_width_in_all_systems_and_on_all_grids(drawn):
    for grid in (4, 12):
        picture = drawn(lasting(20 * 4 * grid, Meter.of(grid=grid)))
        assert picture.width(0) == pytest.approx(15.25)
        assert picture.width(1) == pytest.approx(15.25 / 4)


def test_an_upbeat_is_before_bar_1_and_not_counted(drawn):
    picture = drawn(lasting(4 + 12 * 17, Meter.of(3, 4, offset=8)))
    assert picture.span(0) == (0, 4 + 12 * 16)
    assert picture.lines(0) == list(range(4, 4 + 12 * 16 + 1, 12))
    assert list(picture.numbers(0).items())[:2] == [(4, "1"), (16, "2")]
    assert picture.numbers(1) == {4 + 12 * 16: "17"}
    assert picture.heading.startswith("17 bars")
    assert picture.beats(0)[:3] == [0, 4, 8]


def test_a_change_of_time_signature_is_shown_at_its_bar_line(drawn):
    changes = (TimeSignature(), TimeSignature(32, 3, 4), TimeSignature(56, 6, 8), TimeSignature(80, 6, 8))
    picture = drawn(lasting(100, Meter(4, changes)))
    assert picture.lines(0) == [0, 16, 32, 44, 56, 68, 80, 92, 104]
    assert picture.beats(0) == [
        0,
        4,
        8,
        12,
        16,
        20,
        24,
        28,
        32,
        36,
        40,
        44,
        48,
        52,
        56,
        62,
        68,
        74,
        80,
        86,
        92,
        98,
    ]
    assert picture.numbers(0)[92] == "8"
    assert picture.signatures(0) == {0: "4/4", 32: "3/4", 56: "6/8"}
    assert picture.heading == "8 bars    1 note    4/4, 3/4, 6/8    ♩ = 120"


def test_changes_after_the_end_are_not_in_the_heading(drawn):
    later = Meter(4, (TimeSignature(), TimeSignature(32, 3, 4)))
    picture = drawn(lasting(32, later, tempo=90.0, tempo_changes=((0, 90.0), (32, 10.0))))
    assert picture.heading == "2 bars    1 note    4/4    ♩ = 90"
    assert picture.signatures(0) == {0: "4/4"}


def test_a_song_with_an_upbeat_and_changes_of_meter(drawn):
    """An upbeat of a quarter note, then four bars of 4/4, two of 3/4, one of 6/8, and 4/4 to the end."""
    changes = ((-12, 4, 4), (68, 3, 4), (92, 6, 8), (104, 4, 4))
    picture = drawn(lasting(104 + 16 * 12, Meter(4, tuple(TimeSignature(*change) for change in changes))))
    assert picture.lines(0)[:10] == [4, 20, 36, 52, 68, 80, 92, 104, 120, 136]
    assert picture.beats(0)[17:28] == [68, 72, 76, 80, 84, 88, 92, 98, 104, 108, 112]
    assert list(picture.numbers(0).items())[:8] == [
        (line, str(number)) for number, line in enumerate(picture.lines(0)[:8], start=1)
    ]
    assert picture.signatures(0) == {0: "4/4", 68: "3/4", 92: "6/8", 104: "4/4"}
    assert picture.signatures(1) == {}


def test_time_signatures_do_not_overlap(drawn):
    changes = tuple(TimeSignature(4 * bar, 1 + bar % 2, 4 + 4 * (bar % 2)) for bar in range(64))
    picture = drawn(lasting(256, Meter(4, changes)))
    at = sorted(picture.signatures(0))
    assert at[0] == 0
    frame = picture.width(0) / picture.span(0)[1]
    assert min(np.diff(at)) * frame >= 0.24


def test_a_time_signature_after_a_short_bar_is_shown(drawn):
    changes = (
        TimeSignature(-12, 4, 4),
        TimeSignature(196, 2, 4),
        TimeSignature(204),
        TimeSignature(208, 3, 4),
    )
    picture = drawn(lasting(328, Meter(4, changes)))
    assert picture.signatures(0) == {0: "4/4", 196: "2/4", 204: "4/4", 208: "3/4"}


@pytest.mark.parametrize("end", [1, 40, 255, 256])
def test_a_line_marks_the_end_of_a_primer(drawn, end):
    picture = drawn(lasting(400), primer=end)
    assert picture.primer(0) == {end: "end of the primer"}
    assert picture.primer(1) == {}


def test_the_end_of_a_primer_is_marked_once_in_its_system(drawn):
    picture = drawn(lasting(400), primer=257)
    assert picture.primer(0) == {}
    assert picture.primer(1) == {257: "end of the primer"}
    assert drawn(lasting(400)).primer(0) == {}


def test_the_heading_states_the_range_of_the_tempo_and_the_grid(drawn):
    changes = ((0, 96.0), (8, 131.6), (20, 80.2))
    assert drawn(lasting(32, tempo=100.0, tempo_changes=changes)).heading.endswith("♩ = 80 – 132")
    assert drawn(lasting(32, Meter.of(grid=6))).heading.endswith("6 frames per quarter note")


def test_the_heading_counts_further_time_signatures(drawn):
    changes = tuple(TimeSignature(beats * 100, beats + 1, 4) for beats in range(7))
    assert "    1/4, 2/4, 3/4, 4/4 and 3 more    " in drawn(lasting(700, Meter(4, changes))).heading


def test_long_pieces_have_longer_systems(drawn):
    picture = drawn(lasting(16 * 401))
    assert len(picture.systems) == 21 <= MAX_SYSTEMS
    assert picture.span(0) == (0, 16 * 20)


def test_dense_lines_are_left_out(drawn):
    picture = drawn(lasting(256, Meter.of(1, 16)))
    assert 0 < len(picture.lines(0)) < 128
    assert picture.beats(0) == []
    assert list(picture.numbers(0).values())[:3] == ["1", "9", "17"]


def test_a_short_piece_does_not_fill_the_page(drawn):
    picture = drawn(lasting(3))
    assert picture.span(0) == (0, 16)
    assert picture.width(0) < 4
    assert picture.heading.startswith("1 bar    1 note    4/4")


def test_repeated_and_held_notes_look_different(pixels):
    held = pixels(roll((0, 8, 40, 64), (0, 8, 44, 64)))
    struck = pixels(roll((0, 4, 40, 64), (4, 8, 40, 64), (0, 8, 44, 64)))
    middle = slice(200, None)  # below the heading, which counts the notes
    assert not np.array_equal(held[middle], struck[middle])


def test_louder_notes_have_another_colour(pixels):
    assert not np.array_equal(pixels(roll((0, 8, 40, 20))), pixels(roll((0, 8, 40, 120))))


def test_pieces_are_broken_into_systems(pixels):
    single, four = (pixels(roll((0, 4, 40, 64), (frames - 4, frames, 50, 64))) for frames in (256, 1024))
    assert single.shape[1] == four.shape[1]
    assert 3 * single.shape[0] < four.shape[0] < 4 * single.shape[0]


@pytest.mark.parametrize("frames", [0, 1, 17])
def test_silence_has_a_picture(pixels, frames):
    assert pixels(roll(frames=frames)).std() > 0


def test_a_roll_without_onsets_has_a_picture(pixels):
    assert pixels(Roll(None, np.eye(88, dtype=np.bool_))).std() > 0


def test_without_matplotlib_a_hint_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ZooError, match=r"pip install 'polyzoo\[plot\]'"):
        write_picture(roll((0, 4, 40, 64)), tmp_path / "roll.png")
    assert not list(tmp_path.iterdir())
