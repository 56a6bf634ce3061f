"""The command line: `zoo` and its subcommands."""

from __future__ import annotations

import os
import site
import sys
from contextlib import suppress
from pathlib import Path


def _leave_out_current_folder() -> None:
    """Take the current folder from the path of imports, unless PYTHONPATH names it.

    `PYTHONPATH=$PYTHONPATH:/opt/lib` has an empty entry if the variable was not set, which stands for the
    current folder: modules in a folder that somebody sent would be imported. This runs before `zoo.cli.main`
    imports anything.
    """
    variable = os.environ.get("PYTHONPATH", "")
    named = [entry for entry in variable.split(os.pathsep) if entry]
    if (joined := os.pathsep.join(named)) == variable:
        return
    os.environ["PYTHONPATH"] = joined  # for child processes
    with suppress(FileNotFoundError):
        here = str(Path.cwd())
        wanted = {*site.getsitepackages(), *(str(Path(entry).absolute()) for entry in named)}
        sys.path[:] = [entry for entry in sys.path if entry != here or here in wanted]


_leave_out_current_folder()
