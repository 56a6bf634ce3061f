"""`zoo show train` and `zoo show generate`: everything that the two commands take."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import click
import pytest

from zoo.cli.generate import command as generate
from zoo.cli.train import TrainKeys
from zoo.train.settings import TrainSettings

from .conftest import Run


def shown(run: Run, command: str) -> dict[str, dict[str, Any]]:
    """What `zoo show COMMAND --json` lists, by name."""
    said = run("show", command, "--json")
    assert said.code == 0
    data = json.loads(said.out)
    assert data["command"] == command
    return {setting["name"]: setting for setting in data["settings"]}


def test_all_settings_of_training_are_shown(run: Run) -> None:
    found = shown(run, "train")
    names = [*TrainKeys.model_fields, *(f"train.{name}" for name in TrainSettings.model_fields)]
    assert list(found) == names
    assert found["train.batch"] == {
        "name": "train.batch",
        "default": "8",
        "takes": "a whole number from 1 to 65536",
        "choices": [],
        "help": "fragments per batch",
        "live": False,
    }
    assert found["train.minutes"]["help"] == "training time in minutes"
    assert found["train.epochs"]["help"] == "number of passes over the training fragments"
    assert found["pedal"]["choices"] == ["keep", "hold"]


def test_all_options_of_generate_are_shown(run: Run) -> None:
    found = shown(run, "generate")
    options = [
        option for option in generate.params if isinstance(option, click.Option) and option.expose_value
    ]
    assert list(found) == [max(option.opts, key=len) for option in options]
    ranges = {name: (about["default"], about["takes"]) for name, about in found.items()}
    assert ranges == {
        "-o": ("required", "a path"),
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
def test_each_has_a_sentence_and_stands_in_the_table(command: str, run: Run) -> None:
    found = shown(run, command)
    assert all(about["help"] for about in found.values())
    said = run("show", command)
    assert said.code == 0
    rows = {line.split()[0] for line in said.out.splitlines() if line.split()}
    assert set(found) <= rows


def test_the_ranges_that_are_shown_are_kept(run: Run) -> None:
    for option, value in (("--frames", "0"), ("--count", "0"), ("--temperature", "1e9")):
        said = run("generate", "model", "-o", "new.mid", option, value)
        assert said.code == 2
        assert f"Invalid value for '{option}'" in said.err


@pytest.mark.parametrize("command", ["train", "generate"])
def test_no_torch_is_imported_for_it(command: str) -> None:
    script = (
        "import sys\nfrom zoo.cli.main import run\n"
        f"assert run(['show', {command!r}]) == 0\nassert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
