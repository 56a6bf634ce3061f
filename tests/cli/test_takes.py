"""`zoo show train` and `zoo show generate`: all settings and options of the two commands."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import click
import pytest

from zoo.cli.generate import command as generate
from zoo.train.keys import TrainKeys
from zoo.train.settings import TrainSettings

from .conftest import Run


def shown(run: Run, command: str) -> dict[str, dict[str, Any]]:
    """What `zoo show COMMAND --json` lists, by name."""
    result = run("show", command, "--json")
    assert result.code == 0
    data = json.loads(result.out)
    assert data["command"] == command
    return {setting["name"]: setting for setting in data["settings"]}


def test_all_settings_of_training_are_shown(run: Run) -> None:
    shown_settings = shown(run, "train")
    names = [*TrainKeys.model_fields, *(f"train.{name}" for name in TrainSettings.model_fields)]
    assert list(shown_settings) == names
    assert shown_settings["train.batch"] == {
        "name": "train.batch",
        "default": "8",
        "takes": "a whole number from 1 to 65536",
        "choices": [],
        "help": "fragments per batch",
        "live": False,
    }
    assert shown_settings["train.minutes"]["help"].startswith("training time in minutes")
    assert shown_settings["train.epochs"]["help"] == "number of passes over the training fragments"
    assert shown_settings["pedal"]["choices"] == ["keep", "hold"]


def test_all_options_of_generate_are_shown(run: Run) -> None:
    shown_settings = shown(run, "generate")
    options = [
        option for option in generate.params if isinstance(option, click.Option) and option.expose_value
    ]
    assert list(shown_settings) == [max(option.opts, key=len) for option in options]
    ranges = {name: (row["default"], row["takes"]) for name, row in shown_settings.items()}
    assert ranges == {
        "-o": ("required", "FILE"),
        "--frames": ("64 quarter notes", "a whole number of at least 1"),
        "--bars": ("none", "a whole number from 1 to 10000"),
        "--seconds": ("none", "a number from 0 to 36000"),
        "--count": ("1", "a whole number of at least 1"),
        "--primer": ("none", "FILE[:TRACK,...]"),
        "--primer-bars": ("none", "N[-M]"),
        "--without-primer": ("off", "no value"),
        "--tempo": ("that of the primer, or 120", "a number from 10 to 1000"),
        "--transpose": ("none", "a whole number from -48 to 48"),
        "--key": ("as written", "NAME"),
        "--instrument": ("a grand piano", "NAME|NUMBER"),
        "--meter": ("that of the primer or training", "BEATS/UNIT"),
        "--temperature": ("1.0", "a number from 1e-08 to 1e+08"),
        "--top-p": ("1.0", "a number from 0 to 1"),
        "--best-of": ("1", "a whole number from 1 to 1000"),
        "--seed": ("0", "a whole number"),
        "--keep-silence": ("off", "no value"),
        "--device": ("cpu", "NAME"),
        "--picture": ("none", "a path"),
        "--threads": ("one for small models", "a whole number from 1 to 1024"),
        "--force": ("off", "no value"),
        "--json": ("off", "no value"),
    }


@pytest.mark.parametrize("command", ["train", "generate"])
def test_every_setting_has_a_description_in_the_table(command: str, run: Run) -> None:
    shown_settings = shown(run, command)
    assert all(row["help"] for row in shown_settings.values())
    result = run("show", command)
    assert result.code == 0
    rows = {line.split()[0] for line in result.out.splitlines() if line.split()}
    assert set(shown_settings) <= rows


def test_displayed_ranges_are_enforced(run: Run) -> None:
    for option, value in (("--frames", "0"), ("--count", "0"), ("--temperature", "1e9")):
        result = run("generate", "model", "-o", "new.mid", option, value)
        assert result.code == 2
        assert f"Invalid value for '{option}'" in result.err


@pytest.mark.parametrize("command", ["train", "generate"])
def test_settings_are_shown_without_torch(command: str) -> None:
    script = (
        "import sys\nfrom zoo.cli.main import run\n"
        f"assert run(['show', {command!r}]) == 0\nassert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
