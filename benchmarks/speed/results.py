"""Result files of the speed benchmarks, from which the tables of docs/speed.md are made.

    python benchmarks/speed/results.py speed.json

stores the measurements of `make speed SPEED=--benchmark-json=speed.json` as results/parts.json.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

FOLDER = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """What the figures depend on, besides the code."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[2], 1),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def processor() -> str:
    """The name of the processor, as Linux gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text("utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def write(name: str, facts: dict[str, Any]) -> None:
    """Write a result file, a line for each row."""
    rows = ",\n".join(f"    {json.dumps(row, ensure_ascii=False)}" for row in facts["rows"])
    head = json.dumps({"machine": machine()} | facts | {"rows": []}, indent=2, ensure_ascii=False)
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    path.write_text(head.replace('"rows": []', f'"rows": [\n{rows}\n  ]') + "\n", "utf-8")
    print(path)


def main(file: str) -> None:
    measured = json.loads(Path(file).read_text("utf-8"))["benchmarks"]
    first = measured[0]
    facts = {"threads": first["extra_info"]["threads"], "timer": first["options"]["timer"]}
    write("parts", facts | {"rows": [row_of(benchmark) for benchmark in measured]})


def row_of(benchmark: dict[str, Any]) -> dict[str, Any]:
    """The median time of a benchmark in milliseconds, its quartiles, and what it processed."""
    stats, extra = benchmark["stats"], benchmark["extra_info"]
    times = {"ms": "median", "q1_ms": "q1", "q3_ms": "q3"}
    return {
        "group": benchmark["group"],
        "name": benchmark["name"],
        **{name: float(f"{1000 * stats[key]:.4g}") for name, key in times.items()},
        "rounds": stats["rounds"],
        **{key: extra[key] for key in ("frames", "size", "operations")},
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
