"""Learning curves in plain text: a chart of characters that fits 80 columns and survives a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from zoo.report.scale import Scale

Curve = Sequence[tuple[float, float]]
COLUMNS, ROWS = 64, 14
"""Size of the drawing without its labels, in characters."""
MARGIN = 9
"""Columns left of the axis, for its numbers."""
SIGNS = "ox"
"""Characters for the points of the first and the second curve; `*` for both."""
SETTLED = 8
"""The first eighth of a curve does not stretch the chart: nats fall steeply at first."""


def chart(title: str, curves: Mapping[str, Curve]) -> Iterator[str]:
    """The lines of a chart, nats upwards and minutes to the right.

    Args:
        title: what is drawn.
        curves: name -> (seconds, nats) of one or two curves.
    """
    drawn = {name: curve for name, curve in curves.items() if curve}
    settled = [nats for curve in drawn.values() for _, nats in curve[len(curve) // SETTLED :]]
    minutes = [seconds / 60 for curve in drawn.values() for seconds, _ in curve]
    x = Scale.around([0.0, *minutes], 0, COLUMNS - 1)
    least = [
        min(nats for _, nats in curve) for curve in drawn.values()
    ]  # the first values if a model overfits
    y = Scale.around([*settled, *least], ROWS - 1, 0)
    grid = [[" "] * COLUMNS for _ in range(ROWS)]
    above = 0
    for sign, curve in zip(SIGNS, drawn.values(), strict=False):
        for seconds, nats in curve:
            if nats > y.high:
                above += 1
                continue
            row, column = round(y(nats)), round(x(seconds / 60))
            grid[row][column] = sign if grid[row][column] in (" ", sign) else "*"
    yield title
    labels = {round(place): text for place, text in y.ticks(4)}
    for number, drawn_row in enumerate(grid):
        label = labels.get(number, "")
        yield f"{label:>{MARGIN}} {'+' if label else '|'}{''.join(drawn_row)}".rstrip()
    yield from _axis(x)
    yield " " * MARGIN + "  " + ", ".join(_legend(drawn, above))


def _axis(x: Scale) -> Iterator[str]:
    """The line under a chart, and its numbers."""
    line, numbers = ["-"] * COLUMNS, [" "] * (COLUMNS + MARGIN)
    for place, text in x.ticks(6):
        column = round(place)
        line[column] = "+"
        numbers[column : column + len(text)] = text
    yield " " * MARGIN + " +" + "".join(line)
    yield " " * MARGIN + "  " + "".join(numbers[:COLUMNS]).rstrip() + " min"


def _legend(curves: Mapping[str, Curve], above: int) -> Iterator[str]:
    for sign, name in zip(SIGNS, curves, strict=False):
        yield f"{sign} {name}"
    if len(curves) > 1:
        yield "* both"
    if above:
        yield f"{above} higher {'value' if above == 1 else 'values'} not drawn"
