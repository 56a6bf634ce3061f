"""Other programs are found in the folders of PATH, and never in the current folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from zoo.programs import find_program


@pytest.mark.parametrize(("platform", "file"), [("linux", "player"), ("win32", "player.exe")])
def test_a_program_in_the_current_folder_is_not_found(
    platform: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows, and empty entries of PATH, would run programs in a folder from someone else."""
    for folder in ("here", "bin"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).write_text("#!/bin/sh\n")
        (tmp_path / folder / file).chmod(0o755)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.chdir(tmp_path / "here")
    for path in (".", "", ":", "../here"):
        monkeypatch.setenv("PATH", path)
        assert find_program("player") is None
    monkeypatch.setenv("PATH", f".::{tmp_path / 'empty'}:{tmp_path / 'bin'}")
    assert find_program("player") == str(tmp_path / "bin" / file)
