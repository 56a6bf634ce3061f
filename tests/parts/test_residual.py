"""An encoder may name its own residual: it passes every check, trains, scores, generates and is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import zoo
import zoo.testing
from zoo.data import Corpus
from zoo.music.roll import Roll
from zoo.parts import Description

PLUGIN = '''
import torch

from zoo.parts import Description, Settings, hookimpl
from zoo.parts.interfaces import Encoder
from zoo.parts.residual import Residual


class OneRate(Residual):
    """Every sounding key is held on with the same probability."""

    def __init__(self):
        super().__init__("onset")
        self.register_buffer("outcomes", torch.ones(2))

    def count(self, onset, sounding, clock, *, mask):
        open, held = self._decisions(onset, sounding)
        open = open & mask.unsqueeze(-1)
        self.outcomes += torch.stack([(open & ~held).sum(), (open & held).sum()])

    def forget_counts(self):
        self.outcomes.fill_(1)

    def log_prob(self, onset, sounding, clock):
        open, held = self._decisions(onset, sounding)
        ends, goes_on = (self.outcomes / self.outcomes.sum()).log()
        return torch.where(held, goes_on, ends).masked_fill(~open, 0).sum(-1)

    def restore(self, keys, clock, generator, opening=None):
        onset, sounding = keys > 0, []
        known = 0 if opening is None else opening[1].shape[1]
        uniform = torch.rand(onset.shape, generator=generator, device=keys.device)
        coins = uniform < self.outcomes[1] / self.outcomes.sum()
        before = torch.zeros_like(onset[:, 0])
        for frame in range(onset.shape[1]):
            before = opening[1][:, frame] if frame < known else onset[:, frame] | (before & coins[:, frame])
            sounding.append(before)
        return onset, torch.stack(sounding, 1)

    @staticmethod
    def _decisions(onset, sounding):
        before = torch.cat([torch.zeros_like(sounding[:, :1]), sounding[:, :-1]], 1)
        return before & ~onset, sounding & ~onset


class Plain(Encoder):
    def __init__(self, settings):
        membership = torch.arange(88) % 12 == torch.arange(12).unsqueeze(-1)
        super().__init__(settings, membership, "onset", OneRate())


class PlainSettings(Settings):
    """None."""


@hookimpl
def zoo_parts():
    yield Description(
        slot="encoder",
        name="plain",
        summary="Pitch classes whose notes all last equally long",
        target=Plain,
        settings=PlainSettings,
        gives=lambda settings: {"codes": 12, "plane": "onset"},
    )
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    path = tmp_path / "plain.py"
    path.write_text(PLUGIN)
    return path


def test_a_residual_of_a_plugin_passes_the_checks(plugin: Path) -> None:
    space: dict[str, Any] = {"__name__": "plain"}
    exec(compile(PLUGIN, str(plugin), "exec"), space)  # as the loader does, without a registry
    description: Description = next(iter(space["zoo_parts"]()))
    report = zoo.testing.run(description)
    assert report.ok, report.having("failed")


def test_a_residual_of_a_plugin_trains_scores_and_generates(plugin: Path, tmp_path: Path) -> None:
    held = torch.zeros(64, 88, dtype=torch.bool)
    held[:, 40:44] = True
    onset = torch.zeros_like(held)
    onset[::8, 40:44] = True
    pieces = [Roll(onset=onset.numpy(), sounding=held.numpy()) for _ in range(3)]
    for number, piece in enumerate(pieces):
        pieces[number] = piece.transposed(number)
    corpus = Corpus.from_rolls(pieces, name="held")
    model = zoo.build(encoder=str(plugin), attention="none", sampler="rates", decoder="uniform")
    model.fit(corpus, steps=1, device="cpu")
    outcomes = model.model.encoder.residual.outcomes
    assert outcomes[1] > 100
    assert outcomes[0] == 1  # nothing in this music ends before its next onset
    model.save(tmp_path / "bundle")
    loaded = zoo.load(tmp_path / "bundle", local=True)
    assert torch.equal(loaded.model.encoder.residual.outcomes, outcomes)
    assert loaded.generate(frames=32).frames == 32
    loaded.fit(corpus, steps=1, device="cpu")
    assert torch.equal(loaded.model.encoder.residual.outcomes, outcomes)
