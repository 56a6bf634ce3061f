"""Draw a piano roll as a picture, in systems of whole bars like those of a score."""

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
from zoo.music.notes import Notes
from zoo.music.plotting import import_matplotlib
from zoo.parts.piano import LOWEST_KEY, PITCH_CLASSES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from zoo.music.roll import Roll

Numbers = NDArray[np.integer | np.floating]

SYSTEM = 64
"""Approximate length of a system in quarter notes: 16 bars of 4/4."""
MIN_WIDTH = 16
"""A system is drawn at least this many quarter notes wide, so that a single bar does not fill the page."""
MAX_SYSTEMS = 24
MAX_SIGNATURES = 4
"""Maximum number of time signatures in the heading; further ones are counted."""
BLACK_KEYS = (1, 3, 6, 8, 10)
INK, GREY, FAINT, TINT = "#1b2130", "#8a93a5", "#dde1e8", "#f4f5f8"
SHADES = ("#cfe6f5", "#8cc0ea", "#5b8fe0", "#7d5fd3", "#b8409f", "#d8285f")
"""Colours from soft to loud."""
HEAD = 0.075
"""Length of the dark edge of a note in quarter notes."""
MARGIN = 0.06
"""Margin between a note and the edges of its key's row, as a part of the row."""

# inches
WIDTH, LEFT, RIGHT, TOP, KEY = 16.0, 0.5, 0.25, 0.45, 0.075
ABOVE, BELOW = 0.32, 0.18
"""Space above a system for time signatures and bar numbers, and below it for the label of the primer."""
NUMBER_ROW, SIGNATURE_ROW = 0.03, 0.16
"""Distance of bar numbers and time signatures from the system."""
BEAT_SPACING, BAR_SPACING, NUMBER_SPACING = 0.07, 0.12, 0.42
"""Minimum distance between lines and between bar numbers; some are left out if they would be closer."""
CHARACTER = 0.08
"""Width of a character of a time signature; a time signature that would overlap another is left out."""


@dataclass(frozen=True)
class _Page:
    """The layout of a piece.

    Attributes:
        roll: the piece.
        bars: its bars.
        systems: the bars of each system.
        low: the lowest key shown.
        high: the key above the highest key shown.
        primer: length of the primer in frames; 0 if there is none.
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
        """The width of a frame in inches, which is the same in all systems."""
        longest = max(int(np.subtract(*_span(system)[::-1])) for system in self.systems)
        return (WIDTH - LEFT - RIGHT) / max(longest, MIN_WIDTH * self.roll.meter.grid)


def write_picture(roll: Roll, path: str | Path, *, primer: int = 0) -> None:
    """Draw a roll as a PNG file, with the bars and beats of its meter.

    A coloured rectangle is a sounding key, in a warmer colour the higher its velocity; the dark edge is its
    onset. Systems break at bar lines and have about 64 quarter notes, that is 16 bars of 4/4 or 3/4; they
    are longer if there would be more than 24 systems. Bars are numbered as in scores, without counting an
    upbeat. Time signatures are shown at the beginning and at each bar line where they change. A dashed line
    marks the end of the primer.

    Args:
        roll: the piece.
        path: the PNG file.
        primer: length in frames of the primer at the beginning; 0 if there is none.

    Raises:
        ZooError: matplotlib is not installed, or the file cannot be written.
    """
    write_file(path, picture_bytes(roll, primer=primer))


def picture_bytes(roll: Roll, *, primer: int = 0) -> bytes:
    """Draw a roll as `write_picture` does, and return the content of the PNG file.

    Raises:
        ZooError: matplotlib is not installed.
    """
    try:
        import_matplotlib()
        from matplotlib import style
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ZooError(Problem("a picture needs matplotlib", hint="pip install 'polyzoo[plot]'")) from None
    notes = roll.notes()
    page = _lay_out(roll, notes, primer)
    # Without the user's settings: with text.usetex, each label would start LaTeX.
    own = {"font.family": "DejaVu Sans", "font.size": 8, "text.color": INK}
    with style.context(["default", own], after_reset=True):
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
    padding = max(24 - (high - low), 2) // 2  # show at least two octaves, and no note at the edge
    return _Page(roll, bars, systems, low - padding, high + padding + 1, primer)


def _bars_per_system(bars: Bars, upbeat: int, grid: int) -> int:
    """The number of bars in a system, without an upbeat; a power of two if possible, like phrases."""
    bar = float(np.median(bars.end - bars.line)) / grid
    count = 2 ** max(round(math.log2(SYSTEM / bar)), 0)
    needed = -(-(len(bars) - upbeat) // MAX_SYSTEMS)
    return count if needed <= count else -(-needed // 4) * 4


def _span(bars: Bars) -> tuple[int, int]:
    """The first frame of a system and the frame after its last."""
    return max(int(bars.line[0]), 0), int(bars.end[-1])


def _draw_heading(figure: Figure, page: _Page, notes: int) -> None:
    """Draw the statistics of the piece, and the legend of the colours."""
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
    more = len(signatures) - MAX_SIGNATURES
    yield ", ".join(signatures[:MAX_SIGNATURES]) + (f" and {more} more" if more > 0 else "")
    tempos = [tempo for frame, tempo in roll.tempo_changes if frame < roll.frames] or [roll.tempo]
    slowest, fastest = f"{min(tempos):.0f}", f"{max(tempos):.0f}"
    yield f"♩ = {slowest}" if slowest == fastest else f"♩ = {slowest} – {fastest}"
    if roll.meter.grid != GRID:
        yield f"{roll.meter.grid} frames per quarter note"


def _draw_paper(figure: Figure, page: _Page, number: int) -> Axes:
    """Draw an empty system: rows of black keys, octaves, beats and numbered bars."""
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
    """Draw the rows of the black keys, and the names of the octaves."""
    pitches = range(page.low + LOWEST_KEY, page.high + LOWEST_KEY)
    for pitch in pitches:
        if pitch % PITCH_CLASSES in BLACK_KEYS:
            axes.axhspan(pitch - LOWEST_KEY, pitch - LOWEST_KEY + 1, color=TINT, linewidth=0, zorder=0)
    octaves = [pitch - LOWEST_KEY for pitch in pitches if pitch % PITCH_CLASSES == 0]
    axes.hlines(octaves, begin, last, color=FAINT, linewidth=0.8, zorder=1)
    axes.set_yticks(
        [key + 0.5 for key in octaves], [f"C{(key + LOWEST_KEY) // PITCH_CLASSES - 1}" for key in octaves]
    )


def _draw_bars(axes: Axes, page: _Page, bars: Bars) -> None:
    """Draw beat lines, bar lines and bar numbers."""
    begin, last = _span(bars)
    places = page.roll.meter.places(np.arange(begin, last))
    beats = begin + np.flatnonzero(places.place % places.beat == 0)
    if places.beat.min() * page.frame >= BEAT_SPACING:
        axes.vlines(beats, page.low, page.high, color=FAINT, linewidth=0.4, zorder=1)
    width = float(np.median(bars.end - bars.line)) * page.frame
    has_line = bars.number % _every(BAR_SPACING / width) == 0
    lines = [*bars.line[has_line & (bars.line >= begin)], last]
    axes.vlines(lines, page.low, page.high, color=GREY, linewidth=0.7, zorder=1, clip_on=False)
    has_number = (bars.number % _every(NUMBER_SPACING / width) == 0) & (bars.number >= 0)
    labels = {int(bars.line[i]): str(bars.number[i] + 1) for i in np.flatnonzero(has_number)}
    axes.set_xticks(list(labels), list(labels.values()), ha="left")


def _draw_signatures(axes: Axes, page: _Page, begin: int, last: int) -> None:
    """Draw time signatures above the bar lines at which they change."""
    signatures = page.roll.meter.signatures(page.roll.frames)
    previous = ["", *map(str, signatures)]
    free_from = -math.inf  # the frame where the last label ends
    for before, signature in zip(previous, signatures, strict=False):
        line = max(signature.frame, 0)
        if str(signature) != before and begin <= line < last and line >= free_from:
            height = page.high + SIGNATURE_ROW / KEY
            axes.text(line, height, str(signature), va="bottom", fontweight="bold")
            free_from = line + len(str(signature)) * CHARACTER / page.frame


def _draw_end_of_primer(axes: Axes, page: _Page, begin: int, last: int) -> None:
    """Draw the line between the primer and its continuation."""
    end = page.primer
    if not begin < end <= last:
        return
    axes.vlines([end], page.low, page.high, color=INK, linewidth=1.4, linestyles="dashed", clip_on=False)
    side = "left" if 2 * end < begin + last else "right"
    axes.text(end, page.low - 0.03 / KEY, "end of the primer", va="top", ha=side)


def _every(bars: float) -> int:
    """The smallest power of two that is at least `bars`."""
    return int(2 ** max(math.ceil(math.log2(bars)), 0))


def _draw_notes(axes: Axes, notes: Notes, roll: Roll) -> None:
    """Draw the notes of this system, with dark edges at their onsets."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import LinearSegmentedColormap

    begin, last = axes.get_xlim()
    visible = notes.take(np.flatnonzero((notes.end > begin) & (notes.start < last)))
    colours = LinearSegmentedColormap.from_list("", SHADES)(visible.velocity / 127)
    bodies = _boxes(visible.start, visible.end, visible.key)
    axes.add_collection(
        PolyCollection(bodies, facecolors=colours, edgecolors="white", linewidths=0.3, zorder=2)
    )
    if roll.onset is not None:
        ends = np.minimum(visible.start + HEAD * roll.meter.grid, visible.end)
        heads = _boxes(visible.start, ends, visible.key)
        axes.add_collection(PolyCollection(heads, facecolors=INK, linewidths=0, zorder=3))


def _boxes(start: Numbers, end: Numbers, key: Numbers) -> Any:
    """The corners (N, 4, 2) of rectangles from `start` to `end` in the rows of the keys."""
    low, high = key + MARGIN, key + 1 - MARGIN
    return np.stack([start, low, end, low, end, high, start, high], axis=1).reshape(-1, 4, 2)
