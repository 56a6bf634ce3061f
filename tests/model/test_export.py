"""Parts as torch.export programs: the same numbers, the shapes in the file, and what cannot be exported."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from zoo_plugins.sounding.sounding import Sounding

import zoo
from zoo.cli.main import run
from zoo.music.roll import Notes, Roll
from zoo.parts.clock import Clock

WORDS = "attention=none attention.local=4 attention.features=5 sampler=independent decoder.hidden=4"
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "engineer.py"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a tiny model and four tunes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    zoo.build(WORDS).save("model")
    Path("tunes").mkdir()
    for number in range(4):
        keys = np.random.default_rng(number).integers(20, 60, 40)
        start = np.arange(40, dtype=np.int64)
        Roll.from_notes(Notes(start, start + 1, keys, np.full(40, 64, np.uint8))).write(f"tunes/{number}.mid")
    return tmp_path


def test_a_program_computes_what_the_attention_does(here: Path) -> None:
    assert run(["export", "model", "attention", "-o", "part.pt2"]) == 0
    extra = {"README.md": ""}
    program = torch.export.load("part.pt2", extra_files=extra)
    assert "- `codes`: (1, 1, 12) float32" in extra["README.md"]
    assert "- `features`: (1, 1, 5) float32" in extra["README.md"]
    codes, bar, place, length, beat, state = program.example_inputs[0]
    attention = zoo.load("model").model.attention.eval()
    step, clock = program.module(), Clock(bar, place, length, beat, 4)
    with torch.no_grad():
        mine, state_after = step(torch.ones_like(codes), bar, place, length, beat, state)
        theirs, after = attention(torch.ones_like(codes), clock, attention.start(codes[:, :0]))
        assert torch.allclose(mine, theirs, atol=1e-5)
        again, _ = step(codes, bar, place, length, beat, state_after)
        assert torch.allclose(again, attention(codes, clock, after)[0], atol=1e-5)


@pytest.mark.parametrize("encoder", ["register", "sounding"])
def test_a_program_hears_keys_if_the_attention_hears_something_else_than_codes(
    here: Path, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be as wide as the codes, such as the number of keys of each pitch class."""
    monkeypatch.setattr(Sounding, "heard", lambda self, keys, codes: keys @ self.membership.T.to(keys))
    zoo.build(f"encoder={encoder} {WORDS}").save("hearing")
    assert run(["export", "hearing", "attention", "-o", "part.pt2"]) == 0
    extra = {"README.md": ""}
    program = torch.export.load("part.pt2", extra_files=extra)
    assert "- `keys`: (1, 1, 88) float32" in extra["README.md"]
    keys, *place, state = program.example_inputs[0]
    model = zoo.load("hearing").model.eval()
    every = torch.ones_like(keys)
    heard = model.encoder.heard(every, model.encoder.fold(every))
    with torch.no_grad():
        mine, _ = program.module()(torch.ones_like(keys), *place, state)
        theirs, _ = model.attention(heard, Clock(*place, 4), model.attention.start(heard[:, :0]))
    assert torch.allclose(mine, theirs, atol=1e-5)


def test_invalid_exports_are_rejected(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", "model", "decoder", "-o", "part.pt2"]) == 2
    assert "a decoder draws at random, which an exported program cannot" in capsys.readouterr().err
    assert run(["export", "model", "attention", "-o", "part.bin"]) == 2
    assert "write -o part.pt2" in capsys.readouterr().err
    Path("part.pt2").write_text("mine")
    assert run(["export", "model", "encoder", "-o", "part.pt2"]) == 2
    assert run(["export", "model", "encoder", "-o", "part.pt2", "--force", "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert (written["slot"], written["error"]) == ("encoder", 0.0)


def test_the_example_of_an_engineer_works(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLE))["main"]("model", "tunes")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == ["another network on its attention", "streamed"]
    assert "fine-tuned for 2 steps" in lines
    assert Path("attention.pt2").is_file()
