import json

import numpy as np
import pytest

from zoo.cli.main import run
from zoo.music.roll import Notes, Roll


@pytest.fixture
def folder(tmp_path):
    notes = Notes(np.array([0, 4]), np.array([4, 8]), np.array([39, 87]), np.array([64, 64], dtype=np.uint8))
    (tmp_path / "[" / "deep").mkdir(parents=True)
    Roll.from_notes(notes, tempo=100).write(tmp_path / "[" / "deep" / "] good.MID")
    (tmp_path / "bad.mid").write_bytes(b"MThd")
    (tmp_path / "other.txt").write_text("not asked for")
    return tmp_path


def test_a_folder_goes_on_after_a_bad_file(folder, capsys):
    assert run(["midi", "check", str(folder)]) == 3
    out, err = capsys.readouterr()
    good, bad = sorted(
        (line for line in out.splitlines() if ".mid" in line.lower()), key=lambda line: "bad" in line
    )
    assert "[/deep/] good.MID" in good
    assert good.split()[-4:] == ["8", "2", "C4-C8", "100"]
    assert "refused: the file ends before all that its headers announce (truncated, byte 0)" in bad
    assert "1 of 2 files can be read" in err
    assert "other.txt" not in out


def test_json_is_all_that_is_on_standard_output(folder, capsys):
    assert run(["midi", "check", "--json", str(folder)]) == 3
    out, err = capsys.readouterr()
    good, bad = json.loads(out)
    assert err == ""
    assert (good["readable"], good["notes"], good["lowest"], good["tempo"]) == (True, 2, "C4", 100)
    assert (bad["readable"], bad["code"], bad["offset"]) == (False, "truncated", 0)


def test_good_files_alone_are_no_failure(folder, capsys):
    assert run(["midi", "check", str(folder / "[")]) == 0
    assert "1 of 1 files can be read" in capsys.readouterr().err


def test_what_is_not_there_is_refused(folder, capsys):
    assert run(["midi", "check", str(folder / "none.mid")]) == 3
    assert "No such file" in capsys.readouterr().out
    (folder / "empty").mkdir()
    assert run(["midi", "check", str(folder / "empty")]) == 3
    assert "holds no .mid or .midi file" in capsys.readouterr().err
