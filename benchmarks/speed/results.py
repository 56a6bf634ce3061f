"""Result files of the speed benchmarks, with what a reader needs to judge them."""

from __future__ import annotations

import json
import os
import platform
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
