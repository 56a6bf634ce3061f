"""The first training of `make demo` in two checkouts, in turn.

    python benchmarks/speed/demo.py BEFORE NOW [ROUNDS]

BEFORE and NOW are folders with a checkout and its .venv, which choose the number of threads. Results are
stored in results/demo.json.
"""

from __future__ import annotations

import json
import os
import resource
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from results import write

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def main(before: str, now: str, rounds: str = "3") -> None:
    rows = []
    for number in range(int(rounds)):
        for name, checkout in (("before", Path(before)), ("now", Path(now))):
            rows.append({"name": name, "round": number} | trained(checkout))
            print(rows[-1], flush=True)
            write("demo", {"commits": {"before": commit(before), "now": commit(now)}, "rows": rows})


def trained(checkout: Path) -> dict[str, Any]:
    """Frames, seconds and validation nats of the first training of the Makefile's demo."""
    printed = subprocess.run(["make", "-n", "demo"], cwd=checkout, capture_output=True, text=True, check=True)
    lines = printed.stdout.replace("\\\n", "").splitlines()
    words = shlex.split(next(line for line in lines if "zoo train baseline" in line))
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    # Caches of different versions would replace each other.
    environment["ZOO_CACHE"] = str(checkout.resolve() / "build" / "cache")
    before = processor_seconds()
    with tempfile.TemporaryDirectory() as folder:
        words[words.index("-o") + 1] = folder + "/run"
        subprocess.run(words, cwd=checkout, env=environment, capture_output=True, check=True)
        metrics = (Path(folder) / "run" / "metrics.jsonl").read_text("utf-8").splitlines()
    events = [json.loads(line) for line in metrics]
    steps = [event for event in events if "frames" in event]
    best: dict[str, float] = {}
    for event in events:
        for term, nats in event.get("nats", {}).items():
            best[term] = min(nats, best.get(term, nats))
    return {
        "steps": len(steps),
        "frames": sum(event["frames"] for event in steps),
        "seconds": round(steps[-1]["seconds"], 1),
        "processor_seconds": round(processor_seconds() - before, 1),
        "load": round(os.getloadavg()[0], 1),
        "nats": {term: round(value, 4) for term, value in best.items()},
    }


def processor_seconds() -> float:
    """Processor time of all commands so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def commit(checkout: str) -> str:
    """The commit of a checkout."""
    words = ["git", "-C", checkout, "rev-parse", "--short", "HEAD"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main(*sys.argv[1:])
