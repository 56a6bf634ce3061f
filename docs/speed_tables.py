"""The tables of docs/speed.md, from the results of benchmarks/speed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median

from regions import RegionError
from speed_goals import goals
from speed_results import Measured, slope

RESULTS = Path("benchmarks") / "speed" / "results"
MILLION = 1_000_000


def table_of_speed(name: str, root: Path) -> str:
    """The table with this name.

    Args:
        name: a name in `TABLES`.
        root: the folder of the repository.
    """
    if name not in TABLES:
        raise RegionError(f"there is no table of speed with this name; there are {', '.join(TABLES)}")
    return TABLES[name](Measured(root / RESULTS))


def table(heads: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> str:
    """A table whose columns after the first are aligned to the right."""
    rule = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, rule, *rows))


def machine(measured: Measured) -> str:
    """The machine of the benchmarks of parts."""
    facts = measured.read("parts")
    about = facts["machine"]
    threads = "one thread" if facts["threads"] == 1 else f"{facts['threads']} threads"
    rate = measured.rate / 1e6
    return (
        f"{about['processor']} with {about['cores']} cores, {threads}, torch {about['torch']}, "
        f"Python {about['python']}, {about['date']}; load average {about['load']}. A product of two matrices "
        f"of 1024 × 1024 float32 numbers ran at {rate:.0f} billion operations a second of processor time."
    )


def by_part(*groups: str) -> Callable[[Measured], str]:
    """A table of some groups; times are also relative to the first row of their group."""
    heads = ("", "relative", "ms", "frames a second", "of the matrix rate")

    def rows(measured: Measured) -> Iterator[Sequence[str]]:
        for group in groups:
            first = measured.group(group)[0]
            yield f"**{group}**", "", "", "", ""
            for row in measured.group(group):
                share = f"{100 * measured.share(row):.2g} %" if row["operations"] else "–"
                speed = f"{1000 * row['frames'] / row['ms']:,.0f}"
                yield _code(row["name"]), number(row["ms"] / first["ms"]), number(row["ms"]), speed, share

    return lambda measured: table(heads, rows(measured))


def number(value: float) -> str:
    """A number with about two digits, or all digits before the point."""
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.1f}" if value >= 0.95 else f"{value:.2g}"


def _code(name: str) -> str:
    """A recipe as code; what follows a comma is text."""
    words, comma, rest = name.partition(", ")
    return f"`{words}`{comma}{rest}" if "=" in words or words == "baseline" else name


WHOLE = "gradient of the baseline's core, {} fragments of 64 frames"


def frame_by_frame(measured: Measured) -> str:
    """Training on whole fragments beside loops over their frames."""
    few, many = (measured.group(WHOLE.format(count)) for count in (8, 140))
    relative = {row["name"]: number(row["ms"] / many[0]["ms"]) for row in many}
    rows = [(row["name"], number(row["ms"] / few[0]["ms"]), relative.get(row["name"], "")) for row in few]
    return table(("method", "8 fragments", "140 fragments"), rows)


GROWTH = (
    "a training step, by frames",
    "a training step, by batch",
    "a training step, by voices",
    "a training step, by lags",
    "generation, by streams",
    "generation, by frames",
)


def growth(measured: Measured) -> str:
    """Times at four sizes, and the slope of a line through them on logarithmic axes."""
    rows = []
    for group in GROWTH:
        sizes = measured.group(group)
        times = [f"{row['size']}: {row['ms']:.0f} ms" for row in sizes]
        rows.append((group, *times, f"{slope([(row['size'], row['ms']) for row in sizes]):.2f}"))
    return table(("", "", "", "", "", "slope"), rows)


def demo(measured: Measured) -> str:
    """The first training of `make demo`, before the work on speed and now."""
    facts = measured.read("demo")
    rows = []
    for name, commit in facts["commits"].items():
        runs = [row for row in facts["rows"] if row["name"] == name]
        rows.append(
            (
                f"{name} ({commit})",
                ", ".join(f"{row['frames'] / row['seconds']:,.0f}" for row in runs),
                ", ".join(f"{row['frames'] / row['processor_seconds']:,.0f}" for row in runs),
                ", ".join(f"{sum(row['nats'].values()):.2f}" for row in runs),
            )
        )
    return table(("", "frames a second", "frames a second of processor time", "validation nats ↓"), rows)


def busy(measured: Measured) -> str:
    """The rate of training alone and beside two busy processes."""
    rows = [
        (
            label,
            f"{median(row['frames_per_second'] for row in measured.beside(others)):,.0f}",
            f"{median(row['frames_per_processor_second'] for row in measured.beside(others)):,.0f}",
        )
        for label, others in (("alone", 0), ("beside two busy processes", 2))
    ]
    return table(("", "frames a second", "frames a second of processor time"), rows)


def precision(measured: Measured) -> str:
    """Training in float32 and bfloat16."""
    facts = measured.read("precision")
    rows = [
        (
            f"`train.precision={row['precision']}`",
            str(row["seed"]),
            f"{row['processor_seconds'] / facts['steps'] * 1000:.0f}",
            f"{sum(row['nats'].values()):.3f}",
        )
        for row in sorted(facts["rows"], key=lambda row: row["precision"], reverse=True)
    ]
    return table(("", "seed", "ms of processor time a step", "validation nats ↓"), rows)


def folders(measured: Measured) -> str:
    """Reading folders and opening their caches."""
    heads = (
        "folder",
        "pieces",
        "frames",
        "reading, ms of processor time a piece",
        "memory while reading, MB",
        "cache, MB",
        "opening, s",
        "memory when open, MB",
        "more after 200 batches, MB",
    )

    def rows() -> Iterator[Sequence[str]]:
        for row in measured.folders:
            reading, opening = row["reading"], row["opening"]
            yield (
                row["name"],
                f"{reading['pieces']:,}",
                f"{reading['frames']:,}",
                f"{1000 * reading['processor_seconds'] / reading['pieces']:.1f}",
                f"{reading['peak_mb']}",
                f"{row['cache_mb']:.1f}",
                f"{opening['processor_seconds']:.2f}",
                f"{opening['opened_mb']:.1f}",
                f"{opening['batches_mb']:.1f}",
            )

    return table(heads, rows())


def million(measured: Measured) -> str:
    """What a million pieces would cost, from the measured costs of a piece and of a frame."""
    whole = [row for row in measured.folders if row["name"] != "passages"]
    pieces, frames, used = (
        sum(row["reading"][key] for row in whole) for key in ("pieces", "frames", "processor_seconds")
    )
    few, many = (measured.passages[count] for count in sorted(measured.passages)[-2:])
    added = many["reading"]["pieces"] - few["reading"]["pieces"]

    def per_piece(kind: str, key: str) -> float:
        return float((many[kind][key] - few[kind][key]) / added)

    cache = sum(row["cache_mb"] for row in whole) / pieces
    training = measured.row("a training step, by all parts", "baseline")
    rate = 1000 * training["frames"] / training["ms"]
    days = 24 * 3600
    rows = [
        ("reading, hours of processor time", f"{MILLION * used / pieces / 3600:.1f}"),
        ("memory while reading, GB", f"{MILLION * per_piece('reading', 'peak_mb') / 1024:.0f}"),
        ("cache, GB", f"{MILLION * cache / 1024:.0f}"),
        ("opening the table of pieces, s", f"{MILLION * per_piece('opening', 'processor_seconds'):.0f}"),
        ("memory of an open corpus, GB", f"{MILLION * per_piece('opening', 'opened_mb') / 1024:.1f}"),
        (
            "training the baseline on every frame once, on one core, days",
            f"{MILLION * frames / pieces / rate / days:.1f}",
        ),
    ]
    return table((f"a million pieces of {frames / pieces:,.0f} frames", ""), rows)


STEPS = tuple(f"a training step, by {slot}" for slot in ("attention", "sampler", "decoder", "all parts"))
TABLES: dict[str, Callable[[Measured], str]] = {
    "goals": goals,
    "machine": machine,
    "steps": by_part(*STEPS),
    "attention": by_part("the gradient of an attention alone"),
    "frame by frame": frame_by_frame,
    "growth": growth,
    "generation": by_part("64 frames of new music"),
    "scoring": by_part("the score of four pieces"),
    "reading": by_part("a folder of MIDI files"),
    "demo": demo,
    "busy": busy,
    "precision": precision,
    "folders": folders,
    "million": million,
}
