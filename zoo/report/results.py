"""Results: measurements that were kept as JSON, to be shown in a report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import DataError, Problem
from zoo.limits import read_bytes
from zoo.report.likeness import likeness_tables
from zoo.report.score import score_tables


def read_results(path: str | Path) -> list[Mapping[str, Any]]:
    """What `zoo evaluate --json` or `zoo bench table --json` has printed into a file.

    Raises:
        DataError: the file cannot be read, or holds something else.
    """
    place = Path(path)
    try:
        found = json.loads(read_bytes(place, "result"))
        results = found if isinstance(found, list) else [found]
        for result in results:
            _ = [*score_tables(result), *likeness_tables(result)]
    except OSError as error:
        raise DataError(Problem(f"cannot be read: {error.strerror}", str(place))) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        hint = "name a file with what `zoo evaluate --json` or `zoo bench table --json` prints"
        raise DataError(Problem("holds no results that a report can show", str(place), hint)) from error
    return results
