"""Generation: valid keys, reproducible, and faithful to a primer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pretty_midi
import pytest
import torch

from zoo.data.fragments import Fragments
from zoo.errors import UsageError
from zoo.model.build import build
from zoo.model.generate import generate
from zoo.model.model import Model
from zoo.music.meter import Meter, TimeSignature
from zoo.music.midi import read_midi
from zoo.music.roll import Roll
from zoo.parts.clock import Clock
from zoo.registry import open_registry, parse_recipe

SMALL = "attention.local=8 attention.reader=8 attention.features=9 sampler.hidden=8 decoder.hidden=8"
RECIPES = pytest.mark.parametrize(
    "words", [SMALL, "encoder=sounding attention=none sampler=independent", "sampler=markov decoder=uniform"]
)


def model(words: str = SMALL) -> Model:
    return build(parse_recipe(words, open_registry()))


def planes(roll: Roll) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    assert roll.onset is not None
    assert roll.velocity is not None
    return roll.onset, roll.sounding, roll.velocity


def primer(frames: int = 20) -> Roll:
    """A scale, each note held for two frames, the last one still sounding."""
    onset = np.zeros((frames, 88), dtype=np.bool_)
    onset[np.arange(0, frames, 2), 30 + np.arange(0, frames, 2)] = True
    sounding = onset.copy()
    sounding[1:] |= onset[:-1]
    velocity = np.where(onset, 33, 0).astype(np.uint8)
    return Roll(onset=onset, sounding=sounding, velocity=velocity, tempo=90.0)


def test_progress_is_reported_for_every_frame() -> None:
    calls: list[tuple[int, int]] = []
    generate(model(), frames=3, primer=primer(), progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]


@RECIPES
def test_every_struck_key_sounds_and_has_loudness(words: str) -> None:
    for roll in generate(model(words), frames=40, count=3):
        onset, sounding, velocity = planes(roll)
        assert onset.shape == sounding.shape == velocity.shape == (40, 88)
        assert onset.any()
        assert (sounding | ~onset).all()
        assert ((velocity > 0) == onset).all()
        assert velocity.max() <= 127
        # Every sounding key was struck and has been held since.
        begins = sounding & ~np.vstack([np.zeros((1, 88), np.bool_), sounding[:-1]])
        assert (onset | ~begins).all()


@RECIPES
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(words: str, tmp_path: Path) -> None:
    built = model(words)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        generate(built, frames=40, seed=seed)[0].write(tmp_path / f"{name}.mid")
    a, b, c = ((tmp_path / f"{name}.mid").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_generated_file_opens_in_pretty_midi(tmp_path: Path) -> None:
    path = tmp_path / "new.mid"
    generate(model(), frames=64)[0].write(path)
    notes = [
        note for instrument in pretty_midi.PrettyMIDI(str(path)).instruments for note in instrument.notes
    ]
    assert notes
    assert all(21 <= note.pitch <= 108 for note in notes)


@RECIPES
def test_primer_is_unchanged_and_continued(words: str) -> None:
    opening = primer()
    for roll in generate(model(words), frames=30, count=2, primer=opening):
        assert roll.frames == 50
        assert roll.tempo == 90.0
        for plane, expected in zip(planes(roll), planes(opening), strict=True):
            assert (plane[:20] == expected).all()


def test_the_decoder_receives_the_loudness_of_the_music_it_continues() -> None:
    """Rounded, it is the velocity that the music is written with, that of the primer included."""
    received: list[torch.Tensor] = []
    built = model("decoder=rbm-loudness decoder.lstm=8 decoder.gibbs=2 velocity=lstm velocity.hidden=8")
    decoder = built.decoder
    follow, sample = decoder.follow, decoder.sample

    def recording_follow(codes: torch.Tensor, previous: torch.Tensor, state: object) -> object:
        received.append(previous)
        return follow(codes, previous, state)

    def recording_sample(codes: torch.Tensor, previous: torch.Tensor, *rest: Any, **choice: Any) -> Any:
        received.append(previous)
        return sample(codes, previous, *rest, **choice)

    decoder.follow, decoder.sample = recording_follow, recording_sample  # type: ignore[method-assign]
    rolls = generate(built, frames=20, count=2, primer=primer(), temperature=2.0)
    velocities = (torch.cat(received, 1) * 127).round()
    for row, roll in enumerate(rolls):
        *_, written = planes(roll)
        assert not velocities[row, 0].any()
        assert (velocities[row, 1:].numpy() == written[:-1]).all()
        assert (written[20:] > 0).any()


def test_new_music_depends_on_the_primer() -> None:
    """A Markov chain that has learned to stay continues with the last key of the primer."""
    built = model("encoder=keys encoder.plane=sounding attention=last sampler=markov decoder=uniform")
    held = torch.zeros(1, 501, 88, dtype=torch.bool)
    held[:, 1:, 10] = True
    clock = Clock.common_time(torch.arange(-1, 500).unsqueeze(0))
    built.count(Fragments(held, held, None, clock, torch.ones(1, 500, dtype=torch.bool)), first=True)
    after = generate(built, frames=1, seed=3, primer=Roll(held[0, 1:17].numpy(), held[0, 1:17].numpy()))[0]
    assert after.sounding[16, 10]


def test_primer_without_onsets_strikes_keys_that_start_to_sound() -> None:
    sounding = primer().sounding
    roll = generate(model(), frames=4, primer=Roll(onset=None, sounding=sounding))[0]
    onset, whole, _ = planes(roll)
    assert (whole[:20] == sounding).all()
    assert onset[:20].sum() == primer().onset.sum()  # type: ignore[union-attr]


def test_generated_music_survives_a_round_trip_to_midi(tmp_path: Path) -> None:
    roll = generate(model(), frames=64, seed=5)[0]
    roll.write(tmp_path / "a.mid")
    back = read_midi(tmp_path / "a.mid")
    for plane, expected in zip(planes(back), planes(roll), strict=True):
        assert (plane == expected[: back.frames]).all()
        assert not expected[back.frames :].any()


def test_high_temperature_is_random_and_low_one_repetitive() -> None:
    built = model("encoder=keys attention=none sampler=independent decoder.hidden=8")
    frozen = [planes(generate(built, 20, seed=seed, temperature=1e-8)[0])[0] for seed in (0, 1)]
    assert (frozen[0] == frozen[1]).all()
    wild = planes(generate(built, 50, temperature=1e4)[0])[0]
    assert 0.45 < wild.mean() < 0.55


def test_all_arguments_out_of_range_are_reported_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        generate(model(), frames=0, count=0, temperature=0)
    assert [problem.where for problem in caught.value.problems] == ["frames", "count", "temperature"]


@pytest.mark.parametrize("temperature", [1e-40, 5e-324, 1e300, float("inf"), float("nan"), -1.0])
def test_invalid_temperature_is_rejected(temperature: float) -> None:
    with pytest.raises(UsageError, match="temperature: must be from 1e-08 to 1e\\+08"):
        generate(model(), frames=1, temperature=temperature)


@pytest.mark.parametrize("temperature", [1e-8, 1e8])
def test_extreme_temperatures_are_valid(temperature: float) -> None:
    generate(model(), frames=4, temperature=temperature)


def test_new_music_has_the_last_tempo_of_the_primer() -> None:
    changes = ((0, 120.0), (4, 60.0), (8, 90.0))
    opening = replace(primer(12), tempo_changes=(*changes, (12, 30.0)), tempo=1.0)
    roll = generate(model(), frames=36, primer=opening)[0]
    assert roll.tempo_changes == changes
    minutes = 4 / 120 + 4 / 60 + 40 / 90
    assert roll.tempo == pytest.approx(48 / minutes, rel=1e-6)


def test_tempo_survives_a_round_trip_to_midi(tmp_path: Path) -> None:
    opening = replace(primer(12), tempo_changes=((0, 120.0), (4, 61.0), (8, 93.0)), tempo=1.0)
    generate(model(), frames=36, primer=opening)[0].write(tmp_path / "new.mid")
    roll = generate(model(), frames=36, primer=opening)[0].padded(60)
    roll.write(tmp_path / "new.mid")
    assert read_midi(tmp_path / "new.mid", rest=True).tempo == roll.tempo


@pytest.mark.parametrize("offset", [0, 4])
def test_new_meter_starts_at_the_end_of_the_primer(offset: int) -> None:
    """An upbeat of the other meter is a short bar."""
    opening = replace(primer(20), meter=Meter(4, (TimeSignature(), TimeSignature(24, 2, 4))))
    roll = generate(model(), frames=40, primer=opening, meter=Meter.of(3, 4, offset=offset))[0]
    first = 12 - offset
    lines = [0, 16, 20, *range(20 + first, 60, 12)]
    assert roll.meter.bar_lines(60).tolist() == lines
    assert generate(model(), frames=40, primer=opening)[0].meter == opening.meter


def test_new_music_depends_on_the_meter() -> None:
    clocks: list[Clock] = []

    class Listening(torch.nn.Module):
        def __init__(self, attention: torch.nn.Module) -> None:
            super().__init__()
            self.attention = attention
            self.start = attention.start

        def forward(self, codes: torch.Tensor, clock: Clock, state: object) -> object:
            clocks.append(clock)
            return self.attention(codes, clock, state)

    built = model()
    built.attention = Listening(built.attention)  # type: ignore[assignment]
    generate(built, frames=24, primer=primer(20), meter=Meter.of(3, 4))
    places = torch.cat([clock.place for clock in clocks], 1)[0, 1:].tolist()
    assert places[:20] == [*range(16), *range(4)]
    assert places[20:] == [*range(12), *range(12)]


def test_new_music_is_heard_as_in_training() -> None:
    """The primer and each new frame reach the attention with their octaves, after one frame of silence."""
    frames: list[torch.Tensor] = []

    class Listening(torch.nn.Module):
        def __init__(self, attention: torch.nn.Module) -> None:
            super().__init__()
            self.attention = attention
            self.start = attention.start

        def forward(self, heard: torch.Tensor, clock: Clock, state: object) -> object:
            frames.append(heard)
            return self.attention(heard, clock, state)

    built = model("encoder=register")
    built.attention = Listening(built.attention)  # type: ignore[assignment]
    opening = primer(20)
    (roll,) = generate(built, frames=24, primer=opening)
    keys = torch.from_numpy(np.concatenate([opening.sounding, roll.sounding[-24:]])).float()
    silence = torch.zeros(1, 1, 88)
    played = torch.cat([silence, keys.unsqueeze(0)], 1)
    expected = built.encoder.heard(played, built.encoder.fold(played))
    assert torch.equal(torch.cat(frames, 1), expected)
