"""Pictures do not depend on settings of matplotlib, which old versions evaluate and which can start LaTeX."""

import subprocess
import sys

import numpy as np
import pytest

from zoo.music.picture import picture_bytes
from zoo.music.roll import Roll

pytest.importorskip("matplotlib")

DRAW = """
import os, sys
from zoo.music.picture import picture_bytes
from zoo.music.roll import Roll
import numpy as np

if sys.argv[1] == "removed":
    os.rmdir(os.getcwd())
before = os.listdir()
picture_bytes(Roll(None, np.ones((16, 88), dtype=bool)))
import matplotlib
print(os.listdir() == before, matplotlib.rcParams["lines.linewidth"])
"""


@pytest.mark.parametrize("folder", ["kept", "removed"])
def test_a_matplotlibrc_in_the_current_folder_is_not_read(folder, tmp_path):
    place = tmp_path / folder
    place.mkdir()
    if folder == "kept":
        (place / "matplotlibrc").write_text("lines.linewidth: 77\n")
    command = [sys.executable, "-c", DRAW, folder]
    process = subprocess.run(command, capture_output=True, text=True, cwd=place, check=False)
    assert (process.stdout, process.stderr) == ("True 1.5\n", "")


def test_settings_of_the_user_do_not_change_a_picture(monkeypatch):
    import matplotlib

    piece = Roll(None, np.eye(16, 88, dtype=bool))
    before = picture_bytes(piece)
    monkeypatch.setitem(matplotlib.rcParams, "text.usetex", True)  # would start LaTeX
    monkeypatch.setitem(matplotlib.rcParams, "lines.linewidth", 77)
    assert picture_bytes(piece) == before
    assert matplotlib.rcParams["text.usetex"]
