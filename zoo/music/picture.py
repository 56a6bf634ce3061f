"""The piano roll as a picture: systems of whole bars, read like the systems of a score."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import Problem, ZooError
from zoo.files import write_file
from zoo.music.grid import GRID
from zoo.music.meter import Bars
from zoo.music.roll import LOWEST_KEY, Notes, Roll

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Numbers = NDArray[np.integer | np.floating]

SYSTEM = 64
"""About how many quarter notes a system holds: 16 bars of 4/4."""
SHORTEST_SYSTEM = 16
"""Quarter notes that fill the width at the least, so that a single bar is not drawn as wide as the page."""
MOST_SYSTEMS = 24
MOST_SIGNATURES = 4
"""Time signatures that the heading names; of more it names the first ones and counts the rest."""
BLACK_KEYS = (1, 3, 6, 8, 10)
INK, GREY, FAINT, TINT = "#1b2130", "#8a93a5", "#dde1e8", "#f4f5f8"
SHADES = ("#cfe6f5", "#8cc0ea", "#5b8fe0", "#7d5fd3", "#b8409f", "#d8285f")
"""From the softest to the loudest."""
HEAD = 0.075
"""How much of the first quarter note of a note is drawn dark."""
MARGIN = 0.06
"""How much of a key's row stays free on either side of its notes."""

# inches
WIDTH, LEFT, RIGHT, TOP, KEY = 16.0, 0.5, 0.25, 0.45, 0.075
ABOVE, BELOW = 0.32, 0.18
"""Room for time signatures and bar numbers over a system, and for the end of a primer under it."""
NUMBER_ROW, SIGNATURE_ROW = 0.03, 0.16
"""How far over a system bar numbers and time signatures stand."""
BEAT_ROOM, BAR_ROOM, NUMBER_ROOM = 0.07, 0.12, 0.42
"""Lines and bar numbers stand at least that far apart; where they would not, some are left out."""
DIGIT = 0.08
"""What a character of a time signature takes; one that would cover another is left out."""


@dataclass(frozen=True)
class _Page:
    """How a piece is laid out.

    Attributes:
        roll: the piece.
        bars: its bars.
        systems: the bars of each system.
        low: the lowest key that is shown.
        high: the key above the highest one.
        primer: how many frames at the beginning were given; 0 for none.
    """

    roll: Roll
    bars: Bars
    systems: tuple[Bars, ...]
    low: int
    high: int
    primer: int

    @property
    def system_height(self) -> float:
        return (self.high - self.low) * KEY

    @property
    def height(self) -> float:
        return TOP + len(self.systems) * (ABOVE + self.system_height + BELOW)

    @cached_property
    def frame(self) -> float:
        """The width of a frame in inches, the same in all systems."""
        longest = max(int(np.subtract(*_span(system)[::-1])) for system in self.systems)
        return (WIDTH - LEFT - RIGHT) / max(longest, SHORTEST_SYSTEM * self.roll.meter.grid)


def write_picture(roll: Roll, path: str | Path, *, primer: int = 0) -> None:
    """Draw a roll as a PNG, with the bars and beats of its meter.

    A bar of colour is a key that sounds, the warmer the louder it was struck; its dark edge is where
    it was pressed. Systems break at bar lines and hold about 64 quarter notes, 16 bars of 4/4 or of 3/4, and
    more where a piece would take more than 24 of them. Bars are numbered as in scores: an upbeat is not
    counted. The time signature stands over the beginning, and over each bar line at which it changes. A
    dashed line marks the end of a primer.

    Args:
        roll: the piece.
        path: the PNG file.
        primer: how many frames at its beginning are a primer that was continued.

    Raises:
        ZooError: matplotlib is not installed, or the file cannot be written.
    """
    write_file(path, picture_bytes(roll, primer=primer))


def picture_bytes(roll: Roll, *, primer: int = 0) -> bytes:
    """The picture that `write_picture` writes.

    Raises:
        ZooError: matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ZooError(Problem("a picture needs matplotlib", hint="pip install 'polyzoo[plot]'")) from None
    notes = roll.notes()
    page = _lay_out(roll, notes, primer)
    with matplotlib.rc_context({"font.family": "DejaVu Sans", "font.size": 8, "text.color": INK}):
        figure = Figure(figsize=(WIDTH, page.height), dpi=120)
        FigureCanvasAgg(figure)
        _draw_heading(figure, page, len(notes))
        for number in range(len(page.systems)):
            axes = _draw_paper(figure, page, number)
            _draw_notes(axes, notes, roll)
        content = io.BytesIO()
        figure.savefig(content, format="png", facecolor="white")
    return content.getvalue()


def _lay_out(roll: Roll, notes: Notes, primer: int) -> _Page:
    bars = roll.meter.bars(max(roll.frames, 1))
    upbeat = int(bars.number[0] < 0)
    count = _bars_per_system(bars, upbeat, roll.meter.grid)
    breaks = [0, *range(upbeat + count, len(bars), count), len(bars)]
    systems = tuple(bars.take(slice(*ends)) for ends in pairwise(breaks))
    middle_c = 60 - LOWEST_KEY
    low, high = int(notes.key.min(initial=middle_c)), int(notes.key.max(initial=middle_c))
    room = max(24 - (high - low), 2) // 2  # two octaves at the least, and never a note at the edge
    return _Page(roll, bars, systems, low - room, high + room + 1, primer)


def _bars_per_system(bars: Bars, upbeat: int, grid: int) -> int:
    """How many bars a system holds besides an upbeat; a power of two if possible, as phrases have."""
    usual = float(np.median(bars.end - bars.line)) / grid
    count = 2 ** max(round(math.log2(SYSTEM / usual)), 0)
    needed = -(-(len(bars) - upbeat) // MOST_SYSTEMS)
    return count if needed <= count else -(-needed // 4) * 4


def _span(bars: Bars) -> tuple[int, int]:
    """The frames at which a system begins and ends."""
    return max(int(bars.line[0]), 0), int(bars.end[-1])


def _draw_heading(figure: Figure, page: _Page, notes: int) -> None:
    """What the piece is in numbers, and what the shades mean."""
    from matplotlib.colors import LinearSegmentedColormap

    height, roll = 1 - 0.28 / page.height, page.roll
    figure.text(LEFT / WIDTH, height, "    ".join(_caption(page, notes)), fontsize=11, va="center")
    if roll.onset is not None:
        figure.text(0.62, height, "dark edge: pressed", va="center", ha="center", color=GREY)
    if roll.velocity is None:
        return
    size = 1.2 / WIDTH, 0.12 / page.height
    axes = figure.add_axes((1 - RIGHT / WIDTH - size[0] - 0.025, height - size[1] / 2, *size))
    axes.imshow(
        np.linspace(0, 1, 64)[None], aspect="auto", cmap=LinearSegmentedColormap.from_list("", SHADES)
    )
    axes.set_axis_off()
    axes.text(-0.04, 0.5, "soft", transform=axes.transAxes, ha="right", va="center", color=GREY)
    axes.text(1.04, 0.5, "loud", transform=axes.transAxes, ha="left", va="center", color=GREY)


def _caption(page: _Page, notes: int) -> Iterator[str]:
    roll = page.roll
    bars = page.bars.count if roll.frames else 0
    yield f"{bars} bar{'' if bars == 1 else 's'}"
    yield f"{notes} note{'' if notes == 1 else 's'}"
    signatures = list(dict.fromkeys(map(str, roll.meter.signatures(roll.frames))))
    more = len(signatures) - MOST_SIGNATURES
    yield ", ".join(signatures[:MOST_SIGNATURES]) + (f" and {more} more" if more > 0 else "")
    tempos = [tempo for frame, tempo in roll.tempo_changes if frame < roll.frames] or [roll.tempo]
    slowest, fastest = f"{min(tempos):.0f}", f"{max(tempos):.0f}"
    yield f"♩ = {slowest}" if slowest == fastest else f"♩ = {slowest} – {fastest}"
    if roll.meter.grid != GRID:
        yield f"{roll.meter.grid} frames to a quarter note"


def _draw_paper(figure: Figure, page: _Page, number: int) -> Axes:
    """One empty system: rows of black keys, octaves, beats and numbered bars."""
    begin, last = _span(page.systems[number])
    bottom = page.height - TOP - (number + 1) * (ABOVE + page.system_height + BELOW) + BELOW
    width = (last - begin) * page.frame
    box = (LEFT / WIDTH, bottom / page.height, width / WIDTH, page.system_height / page.height)
    axes = figure.add_axes(box, xlim=(begin, last), ylim=(page.low, page.high))
    _draw_keys(axes, page, begin, last)
    _draw_bars(axes, page, page.systems[number])
    _draw_signatures(axes, page, begin, last)
    _draw_end_of_primer(axes, page, begin, last)
    axes.tick_params(length=0, colors=GREY, pad=NUMBER_ROW * 72, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    return axes


def _draw_keys(axes: Axes, page: _Page, begin: int, last: int) -> None:
    """The rows of the black keys, and the name of each C."""
    pitches = range(page.low + LOWEST_KEY, page.high + LOWEST_KEY)
    for pitch in pitches:
        if pitch % 12 in BLACK_KEYS:
            axes.axhspan(pitch - LOWEST_KEY, pitch - LOWEST_KEY + 1, color=TINT, linewidth=0, zorder=0)
    octaves = [pitch - LOWEST_KEY for pitch in pitches if pitch % 12 == 0]
    axes.hlines(octaves, begin, last, color=FAINT, linewidth=0.8, zorder=1)
    axes.set_yticks([key + 0.5 for key in octaves], [f"C{(key + LOWEST_KEY) // 12 - 1}" for key in octaves])


def _draw_bars(axes: Axes, page: _Page, bars: Bars) -> None:
    """Lines of beats and bars, and the numbers of bars."""
    begin, last = _span(bars)
    places = page.roll.meter.places(np.arange(begin, last))
    beats = begin + np.flatnonzero(places.place % places.beat == 0)
    if places.beat.min() * page.frame >= BEAT_ROOM:
        axes.vlines(beats, page.low, page.high, color=FAINT, linewidth=0.4, zorder=1)
    room = float(np.median(bars.end - bars.line)) * page.frame
    lined = bars.number % _every(BAR_ROOM / room) == 0
    lines = [*bars.line[lined & (bars.line >= begin)], last]
    axes.vlines(lines, page.low, page.high, color=GREY, linewidth=0.7, zorder=1, clip_on=False)
    numbered = (bars.number % _every(NUMBER_ROOM / room) == 0) & (bars.number >= 0)
    labels = {int(bars.line[i]): str(bars.number[i] + 1) for i in np.flatnonzero(numbered)}
    axes.set_xticks(list(labels), list(labels.values()), ha="left")


def _draw_signatures(axes: Axes, page: _Page, begin: int, last: int) -> None:
    """The time signatures over the bar lines at which they begin, where they are others than before."""
    signatures = page.roll.meter.signatures(page.roll.frames)
    words = ["", *map(str, signatures)]
    taken = -math.inf  # by the last one, in frames
    for before, signature in zip(words, signatures, strict=False):
        line = max(signature.frame, 0)
        if str(signature) != before and begin <= line < last and line >= taken:
            height = page.high + SIGNATURE_ROW / KEY
            axes.text(line, height, str(signature), va="bottom", fontweight="bold")
            taken = line + len(str(signature)) * DIGIT / page.frame


def _draw_end_of_primer(axes: Axes, page: _Page, begin: int, last: int) -> None:
    """A line between what was given and what is new."""
    end = page.primer
    if not begin < end <= last:
        return
    axes.vlines([end], page.low, page.high, color=INK, linewidth=1.4, linestyles="dashed", clip_on=False)
    in_the_left_half = 2 * end < begin + last
    side = "left" if in_the_left_half else "right"
    axes.text(end, page.low - 0.03 / KEY, "end of the primer", va="top", ha=side)


def _every(bars: float) -> int:
    """The least power of two that is at least this."""
    return int(2 ** max(math.ceil(math.log2(bars)), 0))


def _draw_notes(axes: Axes, notes: Notes, roll: Roll) -> None:
    """The notes that sound in this system, each with its head if it is pressed here."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import LinearSegmentedColormap

    begin, last = axes.get_xlim()
    here = notes.take(np.flatnonzero((notes.end > begin) & (notes.start < last)))
    colours = LinearSegmentedColormap.from_list("", SHADES)(here.velocity / 127)
    bodies = _boxes(here.start, here.end, here.key)
    axes.add_collection(
        PolyCollection(bodies, facecolors=colours, edgecolors="white", linewidths=0.3, zorder=2)
    )
    if roll.onset is not None:
        ends = np.minimum(here.start + HEAD * roll.meter.grid, here.end)
        heads = _boxes(here.start, ends, here.key)
        axes.add_collection(PolyCollection(heads, facecolors=INK, linewidths=0, zorder=3))


def _boxes(start: Numbers, end: Numbers, key: Numbers) -> Any:
    """(N, 4, 2) corners of the boxes that fill these stretches of their keys' rows."""
    low, high = key + MARGIN, key + 1 - MARGIN
    return np.stack([start, low, end, low, end, high, start, high], axis=1).reshape(-1, 4, 2)
