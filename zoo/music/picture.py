"""The piano roll as a picture: lines of 16 bars, to be read like the systems of a score."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import Problem, ZooError
from zoo.files import write_file
from zoo.music.roll import FRAMES_PER_BAR, FRAMES_PER_QUARTER, LOWEST_KEY, Notes, Roll

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Numbers = NDArray[np.integer | np.floating]

BARS_PER_LINE = 16
MOST_LINES = 24
BLACK_KEYS = (1, 3, 6, 8, 10)
INK, GREY, FAINT, TINT = "#1b2130", "#8a93a5", "#dde1e8", "#f4f5f8"
SHADES = ("#cfe6f5", "#8cc0ea", "#5b8fe0", "#7d5fd3", "#b8409f", "#d8285f")
"""From the softest to the loudest."""
HEAD = 0.3
"""How much of the first frame of a note is drawn dark."""
MARGIN = 0.06
"""How much of a key's row stays free on either side of its notes."""

# inches
WIDTH, LEFT, RIGHT, TOP, GAP, KEY = 16.0, 0.5, 0.25, 0.55, 0.38, 0.075


@dataclass(frozen=True)
class _Page:
    """How a piece is laid out: `lines` of `bars`, each showing the keys from `low` up to `high`."""

    lines: int
    bars: int
    low: int
    high: int

    @property
    def line_height(self) -> float:
        return (self.high - self.low) * KEY

    @property
    def height(self) -> float:
        return TOP + self.lines * (self.line_height + GAP)


def write_picture(roll: Roll, path: str | Path) -> None:
    """Draw a roll as a PNG.

    A bar of colour is a key that sounds, the warmer the louder it was struck; its dark edge is where
    it was pressed. Lines hold 16 bars of 4/4, more where a piece would take more than 24 of them.

    Raises:
        ZooError: matplotlib is not installed, or the file cannot be written.
    """
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ZooError(Problem("a picture needs matplotlib", cure="pip install 'polyzoo[plot]'")) from None
    notes = roll.notes()
    page = _lay_out(roll, notes)
    with matplotlib.rc_context({"font.family": "DejaVu Sans", "font.size": 8, "text.color": INK}):
        figure = Figure(figsize=(WIDTH, page.height), dpi=120)
        FigureCanvasAgg(figure)
        _draw_heading(figure, page, roll, notes)
        for line in range(page.lines):
            axes = _draw_paper(figure, page, line, roll.frames)
            _draw_notes(axes, notes, roll)
        content = io.BytesIO()
        figure.savefig(content, format="png", facecolor="white")
    write_file(path, content.getvalue())


def _lay_out(roll: Roll, notes: Notes) -> _Page:
    bars = max(-(-roll.frames // FRAMES_PER_BAR), 1)
    bars_per_line = min(max(BARS_PER_LINE, -(-bars // MOST_LINES)), bars)
    middle_c = 60 - LOWEST_KEY
    low, high = int(notes.key.min(initial=middle_c)), int(notes.key.max(initial=middle_c))
    room = max(24 - (high - low), 2) // 2  # two octaves at the least, and never a note at the edge
    return _Page(-(-bars // bars_per_line), bars_per_line, low - room, high + room + 1)


def _draw_heading(figure: Figure, page: _Page, roll: Roll, notes: Notes) -> None:
    """What the piece is in numbers, and what the shades mean."""
    from matplotlib.colors import LinearSegmentedColormap

    height = 1 - 0.28 / page.height
    bars = -(-roll.frames // FRAMES_PER_BAR)
    caption = f"{bars} bars    {len(notes)} notes    ♩ = {roll.tempo:.0f}"
    figure.text(LEFT / WIDTH, height, caption, fontsize=11, va="center")
    if roll.onset is not None:
        figure.text(0.5, height, "dark edge: pressed", va="center", ha="center", color=GREY)
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


def _draw_paper(figure: Figure, page: _Page, line: int, frames: int) -> Axes:
    """One empty line: rows of black keys, octaves, beats and numbered bars."""
    first = line * page.bars
    begin = first * FRAMES_PER_BAR
    last = min(begin + page.bars * FRAMES_PER_BAR, -(-max(frames, 1) // FRAMES_PER_BAR) * FRAMES_PER_BAR)
    bottom = page.height - TOP - (line + 1) * (page.line_height + GAP) + GAP * 0.6
    width = (last - begin) / (page.bars * FRAMES_PER_BAR) * (WIDTH - LEFT - RIGHT)
    box = (LEFT / WIDTH, bottom / page.height, width / WIDTH, page.line_height / page.height)
    axes = figure.add_axes(box, xlim=(begin, last), ylim=(page.low, page.high))
    _draw_keys(axes, page, begin, last)
    if page.bars <= 2 * BARS_PER_LINE:
        axes.vlines(
            range(begin, last, FRAMES_PER_QUARTER), page.low, page.high, color=FAINT, linewidth=0.4, zorder=1
        )
    step = -(-page.bars // BARS_PER_LINE)
    bars = range(begin, last + 1, FRAMES_PER_BAR * step)
    axes.vlines(bars, page.low, page.high, color=GREY, linewidth=0.7, zorder=1)
    numbered = [frame for frame in bars if frame < last]
    axes.set_xticks(numbered, [str(frame // FRAMES_PER_BAR + 1) for frame in numbered], ha="left")
    axes.tick_params(length=0, colors=GREY, pad=2, labeltop=True, labelbottom=False)
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


def _draw_notes(axes: Axes, notes: Notes, roll: Roll) -> None:
    """The notes that sound in this line, each with its head if it is pressed here."""
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
        heads = _boxes(here.start, here.start + HEAD, here.key)
        axes.add_collection(PolyCollection(heads, facecolors=INK, linewidths=0, zorder=3))


def _boxes(start: Numbers, end: Numbers, key: Numbers) -> Any:
    """(N, 4, 2) corners of the boxes that fill these stretches of their keys' rows."""
    low, high = key + MARGIN, key + 1 - MARGIN
    return np.stack([start, low, end, low, end, high, start, high], axis=1).reshape(-1, 4, 2)
