"""Read measurements that were saved as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import DataError, Problem
from zoo.limits import parse_json, read_bytes
from zoo.report.resemblance import resemblance_tables
from zoo.report.score import score_tables


def read_results(path: str | Path) -> list[Mapping[str, Any]]:
    """Read a file with the output of `zoo evaluate --json` or `zoo bench table --json`.

    Raises:
        DataError: the file cannot be read, or does not hold such results.
    """
    place = Path(path)
    try:
        content = parse_json(read_bytes(place, "result"))
        results = content if isinstance(content, list) else [content]
        # Making the tables is the check: a file that passes can be shown.
        for result in results:
            _ = [*score_tables(result), *resemblance_tables(result)]
    except OSError as error:
        raise DataError(Problem(f"cannot be read: {error.strerror}", str(place))) from error
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        hint = "pass a file with the output of `zoo evaluate --json` or `zoo bench table --json`"
        raise DataError(Problem("is not a file of results", str(place), hint)) from error
    return results
