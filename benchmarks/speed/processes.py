"""Reading a folder of MIDI files in one process, and in a process on each core.

    python benchmarks/speed/processes.py FOLDER [PAIRS]

Results are stored in results/reading.json.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from folders import READING, run
from results import write


def main(folder: str, pairs: str = "3") -> None:
    rows = []
    for _ in range(int(pairs)):
        rows.append({"one": read(folder, cores=1), "all": read(folder, cores=os.cpu_count() or 1)})
        print(rows[-1], flush=True)
    write("reading", {"folder": Path(folder).name, "rows": rows})


def read(folder: str, cores: int) -> Any:
    """Time and memory of reading a folder that is not cached, on some cores."""
    available = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["ZOO_CACHE"] = cache
        os.sched_setaffinity(0, sorted(available)[:cores])
        try:
            return run(READING, Path(folder))
        finally:
            os.sched_setaffinity(0, available)


if __name__ == "__main__":
    main(*sys.argv[1:])
