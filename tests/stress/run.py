"""Run the reliability tests at full size, or for some minutes, and write their results.

    python tests/stress/run.py            # hours
    python tests/stress/run.py 10         # ten minutes: counts are lowered in proportion
    python tests/stress/run.py 10 R5 R12  # some bars; the others keep their lines
    python tests/stress/run.py "" R5      # one bar at its full count

`make stress`, `make stress MINUTES=10` and `make stress BARS="R5 R12"` do the same. Each bar is a group of
tests whose counts depend on an environment variable; tests/stress/RESULTS.md has a line for each: the count
that was run, and the result. Short bars come first. A line is written when its bar ends, so that a run that
was stopped can go on with the other bars.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).parent / "RESULTS.md"


@dataclass(frozen=True)
class Bar:
    """A promise, and the tests of it.

    Attributes:
        name: its number.
        what: the promise.
        tests: arguments of pytest.
        variable: environment variable that sets the count; without one the tests have one size.
        full: the count of a full run.
        hours: what a full run takes on two cores.
    """

    name: str
    what: str
    tests: tuple[str, ...]
    variable: str = ""
    full: int = 1
    hours: float = 0.02


RUN, FILES = "tests/train/test_run.py", "tests/test_files.py"
BARS = (
    Bar("R1", "hostile MIDI files are read or refused", ("tests/music/test_hostile.py",)),
    Bar(
        "R2",
        "any bytes are music or one declared error",
        ("tests/music", "-k", "any_bytes or damaged_file"),
        "EXAMPLES",
        10_000,
        0.5,
    ),
    Bar(
        "R2b",
        "any input of a coverage-guided fuzzer (atheris) to each reader: MIDI, pickles, .mat",
        ("tests/stress/test_fuzz.py",),
        "RUNS",
        7_000_000,
        1.7,
    ),
    Bar(
        "R4",
        "notes, MIDI and notes again",
        ("tests/music/test_midi.py", "-k", "restored_from_a_file or equivalent_to_its_notes"),
        "EXAMPLES",
        100_000,
        1,
    ),
    Bar("R5", "kill -9 during training, resumed", (RUN, "-k", "killed"), "KILLS", 200, 0.5),
    Bar("R6", "kill -9 during a save", (FILES, "-k", "killed"), "KILLS", 500, 0.3),
    Bar(
        "R7",
        "exact resume of every combination of the parts of a term (encoder x attention x sampler, encoder x "
        "decoder, velocity), each stopped after one of 10 steps, drawn at random",
        ("tests/train/test_resume_all.py",),
        "RESUME",
        1,
        1.3,
    ),
    Bar("R8", "a full disk, a fault at every write", ("tests", "-k", "full_disk or write_fault")),
    Bar(
        "R8c",
        "a fault or kill at every write of every command",
        ("tests/faults/test_every_write.py",),
        "FAULTS",
        1,
        3,
    ),
    Bar("R9", "two trainings in one folder", (RUN, "-k", "only_one_process"), "PAIRS", 50, 0.1),
    Bar(
        "R10",
        "four writers and a reader of one cache, seconds",
        ("tests/data/test_store.py", "-k", "writers"),
        "SECONDS",
        60,
    ),
    Bar("R11", "ranks of which one is killed", ("tests/train/test_ranks.py",), hours=0.1),
    Bar("R12", "mutants of a bundle", ("tests/model/test_bundle.py", "-k", "mutant"), "MUTANTS", 10_000, 0.2),
    Bar(
        "R12b",
        "mutants of each other kind of file: runs, results, caches, studies, recipes, votes, archives",
        ("tests/faults/test_mutants.py",),
        "DAMAGED",
        500,
        0.5,
    ),
    Bar(
        "R13",
        "broken plugins are named with a reason; the time of `zoo list` is not measured",
        ("tests/registry/test_plugins.py", "tests/cli/test_list.py", "-k", "broken or invalid_metadata"),
    ),
    Bar(
        "R14",
        "outputs and gradients stay finite with logits to 1e4, also in half precision",
        ("tests/parts", "tests/plugins", "-k", "finite or log_complement"),
        hours=0.1,
    ),
    Bar(
        "R15",
        "a loss or gradient that is not finite stops training before the weights change",
        ("tests/train", "-k", "nan_loss or nan_gradient or infinite_gradient"),
    ),
    Bar(
        "R16a",
        "memory does not grow with steps",
        ("tests/train/test_fit.py", "-k", "memory"),
        "STEPS",
        2000,
    ),
    Bar(
        "R16b",
        "memory does not grow with files",
        ("tests/data/test_folder.py", "-k", "memory"),
        "FILES",
        10_000,
        0.05,
    ),
    Bar(
        "R19",
        "the same seed gives the same bytes in every process",
        ("tests/cli/test_generate.py", "-k", "every_process"),
        "PROCESSES",
        20,
        0.05,
    ),
)


WHOLE = ("RESUME", "FAULTS")
"""Variables of bars that run everything or a sample, not a count."""
LEAST = {
    "EXAMPLES": 200,
    "KILLS": 20,
    "PAIRS": 2,
    "SECONDS": 3,
    "MUTANTS": 200,
    "DAMAGED": 16,
    "STEPS": 120,
    "FILES": 500,
    "PROCESSES": 3,
    "RUNS": 20_000,
}
"""Fewer say nothing: a process that is killed before it has written a file proves nothing about files."""


REDUCED = (
    "Counts such as `120 of 2,000` are reduced; only a full run (`make stress`, hours) finds rare faults."
)


def count_of(bar: Bar, share: float) -> int:
    """How many examples, cycles or seconds are run."""
    return max(min(bar.full, LEAST.get(bar.variable, 1)), round(bar.full * min(1.0, share)))


def run(bar: Bar, share: float, seconds: float) -> tuple[str, str] | None:
    """Run the tests of a bar; the count and the result, or None if the tests were killed."""
    count = count_of(bar, share)
    settings = {f"ZOO_STRESS_{bar.variable}": str(count)} if bar.variable else {}
    if bar.variable in WHOLE:
        settings = {f"ZOO_STRESS_{bar.variable}": "full"} if share >= 1 else {}
    shown = f"{count:,} of {bar.full:,}"
    if bar.variable in ("", *WHOLE):
        shown = "all" if share >= 1 or not bar.variable else "sample"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=line", *bar.tests]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"} | settings,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return shown, f"NOT MET: not finished within {seconds / 60:.0f} min"
    if done.returncode < 0:
        return None
    lines = done.stdout.splitlines()
    summary = lines[-1].strip("= ").partition(" in ")[0] if lines else done.stderr.strip()[-200:]
    # If the only test was skipped or no test was selected (exit code 5 of pytest), the promise is not met.
    if done.returncode == 0 and " passed" in summary:
        return shown, f"met ({summary})"
    failed = [line.split()[1].rpartition("::")[2] for line in lines if line.startswith(("FAILED ", "ERROR "))]
    return shown, f"NOT MET ({summary}) {', '.join(failed)}".strip()


def main(words: list[str]) -> int:
    """Run all bars and write the results; 1 if one is not met."""
    minutes = float(words[0]) if words and words[0] else 0.0
    if unknown := set(words[1:]) - {bar.name for bar in BARS}:
        print(f"no such bars: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    chosen = [bar for bar in BARS if bar.name in words[1:] or not words[1:]]
    chosen.sort(key=lambda bar: bar.hours)
    share = minutes / (sum(bar.hours for bar in chosen) * 60) if minutes else 1.0
    rows = {bar.name: f"| {bar.name} | {bar.what} | 0 | not run | | |" for bar in BARS} | previous()
    for bar in chosen:
        limit = max(300.0, bar.hours * 3600 * min(1, share) * 3) if minutes else 12 * 3600.0
        began = time.monotonic()
        done = run(bar, share, limit)
        if done is None:
            print(f"{bar.name}: the tests were killed; the line keeps its last result", file=sys.stderr)
            continue
        count, result = done
        seconds, today = f"{time.monotonic() - began:.0f} s", date.today().isoformat()
        rows[bar.name] = f"| {bar.name} | {bar.what} | {count} | {result} | {seconds} | {today} |"
        print(rows[bar.name], flush=True)
        RESULTS.write_text(page(list(rows.values()), minutes), "utf-8")
    return int(any("NOT MET" in row for row in rows.values()))


def previous() -> dict[str, str]:
    """The lines of the last results for bars that still exist."""
    lines = RESULTS.read_text("utf-8").splitlines() if RESULTS.exists() else []
    rows = {line.split("|")[1].strip(): line for line in lines if line.startswith("| R")}
    return {bar.name: rows[bar.name] for bar in BARS if bar.name in rows}


def page(rows: list[str], minutes: float) -> str:
    """The results as Markdown."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("polyzoo", "torch", "numpy", "mido"))
    python = f"Python {platform.python_version()}"
    machine = f"{platform.system()}, {platform.machine()}, {os.cpu_count()} cores, {python}"
    asked = f"`make stress MINUTES={minutes:g}`" if minutes else "`make stress`"
    return "\n".join(
        [
            "# Results of the stress tests",
            "",
            f"Last run: {asked} with {versions}; {machine}.",
            REDUCED,
            "",
            "| bar | what | count | result | time | date |",
            "| --- | --- | ---: | --- | ---: | --- |",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
