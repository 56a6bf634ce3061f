"""The command line: `zoo` and its subcommands."""

from __future__ import annotations

import os
import site
import sys
from contextlib import suppress
from pathlib import Path


def _leave_out_current_folder() -> None:
    """Take the current folder from the paths of programs and, unless PYTHONPATH names it, of imports.

    An empty entry stands for the current folder, and `PYTHONPATH=$PYTHONPATH:/opt/lib` has one if the
    variable was not set. Modules in a folder from someone else would then be imported and, with such a PATH,
    libraries would run its programs (matplotlib runs fc-list). This runs before `zoo.cli.main` imports
    anything.
    """
    folders = os.pathsep.join(filter(os.path.isabs, _entries("PATH")))
    if folders:
        os.environ["PATH"] = folders
    else:  # an empty one would be the current folder
        os.environ.pop("PATH", None)
    variable, named = os.environ.get("PYTHONPATH", ""), list(filter(None, _entries("PYTHONPATH")))
    if (joined := os.pathsep.join(named)) == variable:
        return
    os.environ["PYTHONPATH"] = joined  # for child processes
    with suppress(FileNotFoundError):
        here = str(Path.cwd())
        wanted = {*site.getsitepackages(), *(str(Path(entry).absolute()) for entry in named)}
        sys.path[:] = [entry for entry in sys.path if entry != here or here in wanted]


def _entries(variable: str) -> list[str]:
    return os.environ.get(variable, "").split(os.pathsep)


_leave_out_current_folder()
