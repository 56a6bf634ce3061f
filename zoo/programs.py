"""Other programs of this machine: a player of sound, a synthesizer."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path


def find_program(name: str) -> str | None:
    """The absolute path of a program; None if it is not installed.

    Only absolute folders of `PATH` are searched. Windows would first run a program of this name in the
    current folder, which may come from someone else.

    Args:
        name: its name without `.exe`.
    """
    file = f"{name}.exe" if sys.platform == "win32" else name
    folders = filter(os.path.isabs, os.environ.get("PATH", os.defpath).split(os.pathsep))
    found = (shutil.which(str(Path(folder, file))) for folder in folders)
    return next(filter(None, found), None)
