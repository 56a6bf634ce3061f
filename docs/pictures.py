"""The pictures of the documents, drawn from stored numbers only.

    <!-- picture: curves-bach
    Alternative text. -->

A picture contains a digest of the numbers that it was drawn from, and is stale if these have changed. If
there are no numbers yet, the document says so.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from regions import RegionError
from zoo.bench.components import component_of
from zoo.bench.reading import MusicReading
from zoo.bench.results import Results
from zoo.bench.study import read_study
from zoo.registry import open_registry

FOLDER = Path("docs") / "pictures"
LOOKS = Path("benchmarks") / "studies" / "results" / "looks"
COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#7F7F7F")
"""Distinguishable with colour-blindness (Okabe and Ito, 2008)."""
DASHES = ("-", "--", ":", "-", "--", "-", "-.", "--")
MARK = re.compile(r"numbers:([0-9a-f]{64})")
Numbers = dict[str, Any]


def show_picture(text: str, root: Path, document: Path, *, draw: bool) -> str:
    """The body of a region: the picture, drawn again if it is stale and `draw` is true.

    Raises:
        RegionError: there is no such picture, or it is stale and must not be drawn.
    """
    name, _, words = text.strip().partition("\n")
    kind, _, data = name.partition("-")
    if kind not in DRAWN:
        raise RegionError(f"there is no picture {name}; there are {', '.join(DRAWN)}, each of some music")
    content = _curves(data, root) if kind == "curves" else _look(name, root)
    if content is None:
        return f"*The picture `{name}` waits for results.*"
    numbers, reading = content
    path = root / FOLDER / f"{name}.svg"
    digest = digest_of(numbers)
    if drawn_from(path) != digest:
        if not draw:
            raise RegionError(f"{path.relative_to(root)} is stale: `make docs` draws it again")
        save(DRAWN[kind](numbers), path, digest)
    link = Path(os.path.relpath(path, document.parent)).as_posix()
    shown = f"![{' '.join(words.split())}]({link})"
    return f"{shown}\n\n*Earlier reading of {data}.*" if reading.is_earlier else shown


def digest_of(numbers: Numbers) -> str:
    """A digest of the numbers that a picture is drawn from."""
    return hashlib.sha256(json.dumps(numbers, sort_keys=True).encode()).hexdigest()


def drawn_from(path: Path) -> str | None:
    """The digest in a picture; None if there is none."""
    match = MARK.search(path.read_text("utf-8")) if path.exists() else None
    return match[1] if match else None


def save(figure: Any, path: Path, digest: str) -> None:
    """Write a picture, with the digest of its numbers in it."""
    import matplotlib.pyplot as plt

    path.parent.mkdir(parents=True, exist_ok=True)
    with plt.rc_context({"svg.hashsalt": "polyzoo"}):
        figure.savefig(path, metadata={"Description": f"numbers:{digest}", "Date": None})
    plt.close(figure)


def _look(name: str, root: Path) -> tuple[Numbers, MusicReading] | None:
    """Numbers of benchmarks/studies/looks.py, if the trainings they come from are still stored."""
    path = root / LOOKS / f"{name}.json"
    if not path.exists():
        return None
    numbers: Numbers = json.loads(path.read_text("utf-8"))
    if lost := set(_cells(numbers)) - Results(root / LOOKS.parent).names():
        names = ", ".join(sorted(lost))
        raise RegionError(f"{name} was made from trainings whose results are no longer stored: {names}")
    return numbers, MusicReading.of({"data": numbers})


def _cells(numbers: Any) -> Iterator[str]:
    """The names of all trainings that the numbers come from."""
    if isinstance(numbers, dict):
        if numbers.get("cell"):
            yield numbers["cell"]
        for value in numbers.values():
            yield from _cells(value)


def _curves(data: str, root: Path) -> tuple[Numbers, MusicReading] | None:
    """The learning curves of each attention, all seeds, by encoder."""
    registry, file = open_registry(), root / "benchmarks" / "studies" / "attention.toml"
    study, results = read_study(file, registry), Results(file.parent / "results")
    curves_by_encoder: Numbers = {}
    reading = None
    for row in study.combinations:
        component = component_of(row.recipe, "core", data, registry)
        choice = component.selection(study, results) if component else None
        cells = choice.cells if choice else ()
        stored = [result for cell in cells if (result := results.read(cell)) and result["evaluation"]]
        if cells and len(stored) == len(cells):
            curves = [result["curve"] for result in stored]
            reading = MusicReading.of(stored[0])
            curves_by_encoder.setdefault(row.labels["encoder"], {})[row.labels["attention"]] = curves
    return ({"data": data, "encoders": curves_by_encoder}, reading) if reading else None


def draw_curves(numbers: Numbers) -> Any:
    """Validation nats after each hundred steps: the mean of the seeds, and from the lowest to the highest."""
    figure, axes = _panels(len(numbers["encoders"]), width=5.2, height=4.2)
    names = list(
        dict.fromkeys(name for by_attention in numbers["encoders"].values() for name in by_attention)
    )
    for axis, (encoder, by_attention) in zip(axes, numbers["encoders"].items(), strict=True):
        for name, curves in by_attention.items():
            style = names.index(name)
            steps = [step for step, _ in curves[0]]
            values = list(zip(*([nats for _, nats in curve] for curve in curves), strict=True))
            mean = [sum(column) / len(column) for column in values]
            colour, dash = COLOURS[style % len(COLOURS)], DASHES[style % len(DASHES)]
            low, high = [min(column) for column in values], [max(column) for column in values]
            axis.fill_between(steps, low, high, color=colour, alpha=0.12, linewidth=0)
            axis.plot(steps, mean, dash, color=colour, label=name)
        axis.set(title=f"{numbers['data']}, encoder={encoder}", xlabel="steps of training")
        axis.set_ylabel("codes of validation pieces, nats per frame")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return figure


def draw_reading(numbers: Numbers) -> Any:
    """The mean weight of each lag, by the sixteenth of the bar that is predicted."""
    figure, axes = _panels(len(numbers["encoders"]), width=5.2, height=3.6)
    for axis, (encoder, weights) in zip(axes, numbers["encoders"].items(), strict=True):
        grid = list(zip(*weights["by_sixteenth"], strict=True))
        shown = axis.pcolormesh(grid, cmap="cividis", vmin=0, rasterized=True)
        labels = [f"{lag:g}: {mean:.2f}" for lag, mean in zip(weights["lags"], weights["mean"], strict=True)]
        axis.set_yticks([n + 0.5 for n in range(len(labels))], labels)
        axis.set_xticks([0.5, 4.5, 8.5, 12.5], ["1", "5", "9", "13"])
        axis.set(
            title=f"{numbers['data']}, encoder={encoder}", xlabel="sixteenth of the bar that is predicted"
        )
        axis.set_ylabel("sixteenths back: mean weight")
        bar = figure.colorbar(shown, ax=axis, label="mean weight (equal would be 0.125)")
        bar.solids.set_rasterized(True)
    return figure


def draw_doublings(numbers: Numbers) -> Any:
    """Keys in frames of three pitch classes, and whether doublings go together."""
    figure, (left, right) = _panels(2, width=4.6, height=3.6)
    models, most = numbers["of"], 7
    width = 0.8 / len(models)
    for n, (name, facts) in enumerate(models.items()):
        counts = {int(keys): count for keys, count in facts["keys"].items()}
        shares = [counts.get(keys, 0) / facts["frames"] for keys in range(numbers["classes"], most)]
        shares.append(sum(count for keys, count in counts.items() if keys >= most) / facts["frames"])
        places = [keys + (n + 0.5) * width - 0.4 for keys in range(numbers["classes"], most + 1)]
        colour = (COLOURS[0], COLOURS[1], COLOURS[5], COLOURS[2])[n % 4]
        left.bar(places, shares, width * 0.9, color=colour, label=name)
        right.bar(n, facts["correlation"] or 0.0, 0.7, color=colour)
    labels = [*map(str, range(numbers["classes"], most)), f"{most} or more"]
    left.set_xticks(range(numbers["classes"], most + 1), labels)
    left.set(title=numbers["data"], xlabel=f"keys struck, frames of {numbers['classes']} pitch classes")
    left.set_ylabel("share of these frames")
    left.legend(frameon=False, fontsize=8)
    right.axhline(0, color="grey", linewidth=0.8)
    names = [name.replace(" ", "\n") for name in models]
    right.set_xticks(range(len(models)), names, fontsize=8)
    right.set(title="is one class doubled if another is?", ylabel="correlation of two doublings")
    return figure


def draw_loudness(numbers: Numbers) -> Any:
    """Played against expected velocity: where notes lie, their mean, and the spread that is fitted."""
    from matplotlib.colors import LogNorm

    figure, (axis,) = _panels(1, width=5.2, height=4.2)
    width, columns = numbers["bin"], numbers["counts"]
    edges = [width * n for n in range(len(columns) + 1)]
    most = max(map(max, columns))
    grid = [[column[n] or float("nan") for column in columns] for n in range(len(columns))]
    shown = axis.pcolormesh(edges, edges, grid, cmap="cividis_r", norm=LogNorm(1, most), rasterized=True)
    axis.plot([0, 127], [0, 127], color="grey", linewidth=0.8, label="as expected")
    scale = numbers["spread"] * 1.0986  # half of a logistic distribution lies within its scale times ln 3
    for sign in (-1, 1):
        label = "half of all notes, as fitted" if sign > 0 else None
        axis.plot([0, 127], [sign * scale, 127 + sign * scale], ":", color="black", label=label)
    centres = [width * (n + 0.5) for n in range(len(columns))]
    means = [
        (x, sum(y * c for y, c in zip(centres, column, strict=True)) / sum(column))
        for x, column in zip(centres, columns, strict=True)
        if sum(column) >= 20
    ]
    axis.plot(*zip(*means, strict=True), "o", color=COLOURS[6], markersize=4, label="mean played")
    axis.set(xlim=(0, 128), ylim=(0, 128), xlabel="expected velocity (MIDI, 1-127)")
    axis.set_ylabel("played velocity (MIDI, 1-127)")
    axis.set_title(f"{numbers['data']}: {numbers['notes']:,} notes, r = {numbers['correlation']:.2f}")
    axis.legend(frameon=False, fontsize=8, loc="upper left")
    figure.colorbar(shown, ax=axis, label="notes").solids.set_rasterized(True)
    return figure


def _panels(count: int, *, width: float, height: float) -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        1, count, figsize=(width * count, height), squeeze=False, layout="constrained"
    )
    for axis in axes[0]:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes[0]


DRAWN: dict[str, Callable[[Numbers], Any]] = {
    "curves": draw_curves,
    "reading": draw_reading,
    "doublings": draw_doublings,
    "loudness": draw_loudness,
}
