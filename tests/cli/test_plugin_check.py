from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Run

BROKEN = """
    def predict(self, codes, struck, previous, state):
        return self.expect(codes, struck, previous, state)


"""


@pytest.fixture
def careless(run: Run) -> str:
    """A velocity part that returns a loudness for keys that are not struck."""
    run("plugin", "new", "careless", "--slot", "velocity", "--file")
    file = Path("careless.py")
    text = file.read_text()
    end = text.index("\n\n@hookimpl")
    file.write_text(text[:end] + BROKEN + text[end:].lstrip())
    return "./careless.py"


def test_a_shipped_part_passes(run: Run) -> None:
    result = run("plugin", "check", "velocity.none")
    assert result.code == 0
    first, *_, last = result.out.splitlines()
    assert first.startswith("velocity.none  polyzoo ")
    assert last.startswith("ran ")
    assert ", failed 0, skipped " in last
    assert "passed   description_is_complete" in result.out


def test_a_failure_gives_requirement_observation_and_hint(run: Run, careless: str) -> None:
    result = run("plugin", "check", careless)
    assert result.code == 4
    assert ", failed 1, skipped " in result.out.splitlines()[-1]
    assert (
        "failed   only_struck_keys_have_loudness: Predicted loudness is in (0, 1] for\n"
        "         struck keys and 0 for all others\n"
        "         observed: a key that is not struck has a loudness above 0\n"
        "         hint: apply a sigmoid or clamp, and multiply by the struck keys\n"
    ) in result.out
    assert "skipped  live_settings_take_effect: the part has no live setting" in result.out


def test_settings_are_those_that_are_checked(run: Run) -> None:
    for part, word in (("attention.none", "local=3"), ("attention=none", "attention.local=3")):
        result = run("plugin", "check", part, word)
        assert result.code == 0
        assert result.out.startswith("attention.none local=3  polyzoo ")


def test_invalid_settings_are_all_reported(run: Run, careless: str) -> None:
    result = run("plugin", "check", "attention.none", "local=0", "depth=2", "local")
    assert result.code == 2
    assert "local: settings are written SETTING=VALUE" in result.err
    assert "attention.depth=2: attention=none has no setting depth" in result.err
    assert "attention.local" in result.err


def test_json(run: Run, careless: str) -> None:
    result = run("plugin", "check", careless, "--json")
    (report,) = json.loads(result.out)
    assert (result.code, report["part"], report["ok"], report["failed"]) == (4, "velocity.careless", False, 1)
    assert report["ran"] == report["passed"] + report["failed"]
    (failed,) = [check for check in report["checks"] if check["verdict"] == "failed"]
    assert failed == {
        "check": "only_struck_keys_have_loudness",
        "promise": "Predicted loudness is in (0, 1] for struck keys and 0 for all others",
        "verdict": "failed",
        "reason": "a key that is not struck has a loudness above 0",
        "hint": "apply a sigmoid or clamp, and multiply by the struck keys",
    }
    assert all(check["reason"] for check in report["checks"] if check["verdict"] == "skipped")


@pytest.mark.parametrize(
    ("part", "err"),
    [
        ("lstm", "lstm: a part is named by its slot and its name\n  zoo plugin check decoder.lstm"),
        ("decoder.lsmt", "decoder=lsmt: there is no decoder with this name\n  did you mean decoder=lstm"),
        ("./gone.py", "./gone.py: there is no such file"),
        (
            "decoder../mine.py",
            "decoder=./mine.py: the file contains no such decoder\n  it contains velocity=./mine.py:mine",
        ),
        ("./mine.py:other", "./mine.py:other: the file offers no such part\n  let zoo_parts() return it"),
    ],
)
def test_no_such_part(part: str, err: str, run: Run) -> None:
    run("plugin", "new", "mine", "--slot", "velocity", "--file")
    result = run("plugin", "check", part)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: {err}")


def test_a_file_that_cannot_be_imported(run: Run) -> None:
    Path("broken.py").write_text("1/0")
    result = run("plugin", "check", "./broken.py")
    assert (result.code, result.out) == (4, "")
    assert "importing it failed: ZeroDivisionError: division by zero (broken.py, line 1)" in result.err
    assert result.err.endswith("\n  fix ./broken.py\n")


def test_a_class_that_cannot_be_imported_is_one_problem(run: Run) -> None:
    run("plugin", "new", "mine", "--slot", "velocity", "--file")
    file = Path("mine.py")
    file.write_text(file.read_text().replace('together", MineVelocity', 'together", "no_such:Class"'))
    result = run("plugin", "check", "./mine.py")
    assert (result.code, result.out) == (4, "")
    assert result.err.count("No module named 'no_such'") == 1
    assert result.err.endswith("\n  fix ./mine.py\n")
