"""Exits and changes of global state by third-party parts are attributed to their plugins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import zoo as library
from zoo.errors import PluginError
from zoo.model.build import build
from zoo.model.generate import generate
from zoo.registry import open_registry, parse_recipe
from zoo.registry.guard import restoring_global_state

PLUGIN = """
import os, pathlib, signal, sys, warnings
import torch
from zoo.parts import Description, hookimpl
from zoo.parts.interfaces import Attention
from zoo.parts.layers import LSTM

BAD = pathlib.Path("bad.txt")

def misbehave():
    if BAD.exists():
        exec(BAD.read_text())

IMPORTED

class Backward(torch.autograd.Function):
    @staticmethod
    def forward(context, given):
        return given.clone()

    @staticmethod
    def backward(context, given):
        if pathlib.Path("backward.txt").exists():
            sys.exit(0)
        return given

class Mine(Attention):
    def __init__(self, settings, sizes):
        super().__init__(settings, sizes)
        self.features = 5
        self.lstm = LSTM(sizes.inputs, 5)

    def start(self, past):
        return self.lstm.start(past.shape[0])

    def forward(self, codes, clock, state):
        misbehave()
        features, state = self.lstm(codes, state)
        return Backward.apply(features), state

@hookimpl
def zoo_parts():
    return [Description("attention", "mine", "Made for a test", Mine)]
"""
WORDS = (
    "attention=./mine.py sampler.hidden=4 decoder.hidden=4 data=songs train.steps=2 train.batch=4 "
    "train.frames=16 train.stride=8 train.past=4 train.device=cpu"
)
HARM = {
    "torch's default dtype": "torch.set_default_dtype(torch.float64)",
    "torch's gradient mode": "torch.set_grad_enabled(not torch.is_grad_enabled())",
    "torch's number of threads": "torch.set_num_threads(torch.get_num_threads() + 1)",
    "torch's deterministic mode": "torch.use_deterministic_algorithms(True)",
    "the working directory": "os.chdir('/')",
    "the signal handlers": "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "the warning filters": "warnings.simplefilter('ignore')",
    "the standard streams": "sys.stdout = sys.stdin",
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(PLUGIN.replace("IMPORTED", ""))


def model() -> library.model.model.Model:
    return build(parse_recipe("attention=./mine.py sampler.hidden=4 decoder.hidden=4", open_registry()))


@pytest.mark.parametrize("what", HARM)
def test_global_state_changed_by_a_call_is_restored_and_reported(what: str) -> None:
    made = model()
    Path("bad.txt").write_text(HARM[what])
    with restoring_global_state() as left, pytest.raises(PluginError) as raised:
        generate(made, frames=2)
    assert not left
    (problem,) = raised.value.problems
    assert problem.what == f"its forward changes global state: {what}"
    assert problem.where.startswith("attention=mine of ./mine.py")


@pytest.mark.parametrize("what", HARM)
def test_global_state_changed_by_an_import_is_restored_and_reported(what: str) -> None:
    Path("mine.py").write_text(PLUGIN.replace("IMPORTED", HARM[what]))
    with (
        restoring_global_state() as left,
        pytest.raises(PluginError, match=r"mine\.py.*importing it changes global state: " + what),
    ):
        parse_recipe("attention=./mine.py", open_registry())
    assert not left


def test_change_during_the_first_import_of_torch_is_detected() -> None:
    Path("mine.py").write_text(PLUGIN.replace("IMPORTED", HARM["torch's default dtype"]))
    script = (
        "from zoo.registry import *\n"
        "try: parse_recipe('attention=./mine.py', open_registry())\n"
        "except Exception as error: print(error)\n"
        "import torch; print(torch.get_default_dtype())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "importing it changes global state: torch's default dtype" in done.stdout
    assert done.stdout.endswith("torch.float32\n")


def test_specific_warning_filter_is_allowed() -> None:
    made = model()
    Path("bad.txt").write_text("warnings.filterwarnings('ignore', message='mine only')")
    generate(made, frames=2)


@pytest.mark.parametrize(
    "error", ["SystemExit(0)", "GeneratorExit", "BaseException('odd')", "KeyError('odd')"]
)
def test_any_exception_of_a_part_is_a_plugin_error(error: str) -> None:
    made = model()
    Path("bad.txt").write_text(f"raise {error}")
    with pytest.raises(
        PluginError, match=r"attention=mine of \./mine\.py .*: its forward failed: \w+.*mine\.py, line"
    ):
        generate(made, frames=2)


def test_deep_copy_of_a_guarded_part_is_independent() -> None:
    """The probe works on a copy, whose guarded methods are those of the copy."""
    made = model()
    assert made.attention.forward.args[2].__self__ is made.attention  # type: ignore[attr-defined]
    import copy

    twin = copy.deepcopy(made)
    assert twin.attention.forward.args[2].__self__ is twin.attention  # type: ignore[attr-defined]


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    import numpy as np

    from zoo.music.roll import Roll

    (tmp_path / "songs").mkdir()
    for number in range(10):
        onset = np.zeros((24 + number, 88), np.bool_)
        onset[::2, 20 + number] = True
        Roll(onset, onset, np.where(onset, np.uint8(64), np.uint8(0))).write(
            tmp_path / "songs" / f"{number}.mid"
        )
    return tmp_path / "songs"


def zoo(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ZOO_CACHE": str(Path.cwd() / "cache")}
    command = [sys.executable, "-m", "zoo", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("place", ["forward", "backward"])
def test_exit_of_a_part_is_an_error(place: str, songs: Path) -> None:
    code = "import traceback\nif any('fit.py' in f.filename for f in traceback.extract_stack()): sys.exit(0)"
    if place == "forward":
        Path("bad.txt").write_text(code)
    else:
        Path("mine.py").write_text(
            PLUGIN.replace("IMPORTED", "").replace("sys.exit(0)", code.replace("\n", "\n            "))
        )
        Path("backward.txt").touch()
    done = zoo("train", *WORDS.split(), "-o", "run")
    assert done.returncode == 4, done.stderr
    assert "mine.py" in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path("run/bundle").exists()


PRINTS = "print('said'); os.write(1, b'native'); sys.stdout.write('more'); os.system('echo child')"


def test_output_of_a_part_does_not_mix_with_json(songs: Path) -> None:
    Path("bad.txt").write_text(PRINTS)
    done = zoo("train", *WORDS.split(), "-o", "run", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] == 2
    assert all(word in done.stderr for word in ("said", "native", "more", "child"))
    done = zoo("generate", "run/bundle", "-o", "out.mid", "--frames", "2", "--json", "--local")
    assert json.loads(done.stdout)["pieces"][0]["frames"] == 2


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_part_that_closes_a_stream_is_reported(stream: str, songs: Path) -> None:
    Path("bad.txt").write_text(f"sys.{stream}.close()")
    done = zoo("train", *WORDS.split(), "-o", "run", "--json")
    assert done.returncode == 4
    assert "its forward changes global state: the standard streams" in done.stderr
