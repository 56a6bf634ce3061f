"""What was to be reached in speed, and what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from speed_results import Measured, Row, slope


def goals(measured: Measured) -> str:
    """What was to be reached, and what was measured."""
    heads = ("goal", "reached", "met")
    rule = "| --- | --- | --- |"
    rows = [(text, reached, "yes" if met else "no") for text, reached, met in _goals(measured)]
    cells = [" | ".join(row) for row in rows]
    return "\n".join(["| " + " | ".join(heads) + " |", rule, *(f"| {row} |" for row in cells)])


def _goals(measured: Measured) -> Iterator[tuple[str, str, bool]]:
    """Each goal, what was reached, and whether that is enough."""
    yield from _training_goals(measured)
    yield from _generation_goals(measured)
    exact, bound = measured.group("the score of four pieces")[:2]
    ratio = bound["ms"] / exact["ms"]
    text = "scoring the baseline takes at most 16 times as long as an exact model (before: 46 to 50)"
    yield text, f"{ratio:.0f} times", ratio <= 16
    yield from _corpus_goals(measured)


def _training_goals(measured: Measured) -> Iterator[tuple[str, str, bool]]:
    ratio = measured.demo_ratio("now", "before", "seconds")
    nats = [measured.demo_nats(name) for name in ("before", "now")]
    text = "`make demo` trains on 3 times as many frames in the same minutes, and its nats are lower"
    reached = f"{ratio:.1f} times, {nats[0]:.2f} before and {nats[1]:.2f} nats now"
    yield text, reached, ratio >= 3 and nats[1] < nats[0]
    ratio = measured.demo_ratio("now", "before", "processor_seconds")
    yield "twice as many frames in the same processor time", f"{ratio:.1f} times", ratio >= 2
    share = min(measured.kept, 1) * 2 / 3  # two cores, three processes
    text = "beside two busy processes on two cores, training keeps at least 40 % of its rate"
    yield text, f"{100 * share:.0f} %, by processor time", share >= 0.4
    alone = "the gradient of an attention alone"
    lstm, parallel = (
        measured.row(alone, "attention=stacked"),
        measured.row(alone, "attention=mingru attention.layers=2"),
    )
    ratio = lstm["ms"] / parallel["ms"]
    text = "the gradient of `attention=mingru` takes a third of that of LSTMs of its width and depth"
    yield text, f"1 / {ratio:.1f}", ratio >= 3


def _generation_goals(measured: Measured) -> Iterator[tuple[str, str, bool]]:
    for name, most in (("baseline", 0.95), ("decoder=rbm attention=hierarchical", 4.0)):
        row = measured.row("64 frames of new music", name)
        each = row["ms"] / row["frames"]
        yield f"one piece of `{name}` in at most {most} ms a frame", f"{each:.2f} ms", each <= most
    streams = measured.row("generation, by streams", "120")
    speed = 1000 * streams["frames"] / streams["ms"]
    yield "120 pieces of the baseline at once at 40,000 frames a second", f"{speed:,.0f}", speed >= 40_000
    exponent = slope([(row["size"], row["ms"]) for row in measured.group("generation, by frames")])
    text = "the time of a frame does not grow with the music before it"
    yield text, f"time grows as length to the power of {exponent:.2f}", exponent <= 1.05


def _corpus_goals(measured: Measured) -> Iterator[tuple[str, str, bool]]:
    ratio = median(_gained(pair["one"], pair["all"]) for pair in measured.read("reading")["rows"])
    yield "reading a folder 5 times as fast on two cores", f"{ratio:.1f} times at best", ratio >= 5
    largest = measured.passages[max(measured.passages)]
    seconds = largest["opening"]["processor_seconds"]
    count = f"{largest['reading']['pieces']:,}"
    yield f"a cache of {count} pieces opens in less than a second", f"{seconds:.2f} s", seconds < 1
    sizes = [measured.passages[size] for size in sorted(measured.passages)]
    memory = [row["opening"]["opened_mb"] + row["opening"]["batches_mb"] for row in sizes]
    text = "memory of training does not grow with the corpus"
    counts = ", ".join(f"{row['reading']['pieces']:,}" for row in sizes)
    reached = f"{', '.join(f'{value:.0f}' for value in memory)} MB for {counts} pieces"
    yield text, reached, memory[-1] < 2 * memory[0]


def _gained(one: Row, several: Row) -> float:
    """How much faster two idle cores would read than one, if no process ever waited for another."""
    return float(2 * one["processor_seconds"] / several["processor_seconds"])
