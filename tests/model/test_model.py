"""The model: the shift by one frame, independent terms, and samples that match the scores."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
import torch
from torch import Tensor

from zoo.data.fragments import Fragments
from zoo.errors import DataError, UsageError
from zoo.model.build import build
from zoo.model.generate import generate
from zoo.model.model import Model
from zoo.model.random import generator
from zoo.parts.clock import Clock
from zoo.parts.terms import TERMS
from zoo.registry import open_registry, parse_recipe

SMALL = (
    "attention.local=8 attention.reader=8 attention.features=9 attention.lags=0.5,1.25 "
    "sampler.hidden=8 sampler.paths=3 decoder.hidden=8"
)


def model(words: str = SMALL) -> Model:
    return build(parse_recipe(words, open_registry()))


def music(frames: int = 12, past: int = 3, batch: int = 2, seed: int = 0) -> Fragments:
    """Struck keys, each held for one frame more."""
    chance = generator(seed, "music")
    onset = torch.rand(batch, past + 1 + frames, 88, generator=chance) < 0.03
    sounding = onset.clone()
    sounding[:, 1:] |= onset[:, :-1]
    velocity = torch.randint(1, 128, onset.shape, generator=chance).masked_fill(~onset, 0).to(torch.uint8)
    mask = torch.ones(batch, frames, dtype=torch.bool)
    return Fragments(onset, sounding, velocity, clock([0, 40][:batch], frames), mask)


def clock(starts: list[int], frames: int) -> Clock:
    """The clock of fragments in 4/4 whose first targets are these frames, and of the frame before each."""
    return Clock.common_time(torch.tensor(starts).unsqueeze(1) + torch.arange(-1, frames))


def test_each_frame_is_predicted_from_the_one_before_it() -> None:
    fragments = music(frames=12, past=3)
    built = model()
    batch = built.batch(fragments)
    assert fragments.onset is not None
    keys = fragments.onset.float()
    assert torch.equal(batch.keys, keys[:, 4:])
    assert torch.equal(batch.previous, keys[:, 3:-1])
    assert torch.equal(batch.inputs[:, 1:], batch.codes[:, :-1])
    assert batch.past.shape == (2, 3, 12)
    assert torch.equal(batch.past_keys, keys[:, :3])
    assert torch.equal(batch.of_codes["past"], built.encoder.fold(keys[:, :4]))
    assert batch.target_clock.place[:, 0].tolist() == [0, 8]
    assert batch.clock.bar[:, 0].tolist() == [-1, 2]
    assert batch.clock.place[:, 0].tolist() == [15, 7]
    assert batch.clock.place[:, -1].tolist() == [10, 2]


def test_an_attention_hears_what_the_encoder_lets_it_hear() -> None:
    fragments = music(frames=12, past=3)
    built = model("encoder=register sampler=ordered")
    batch = built.batch(fragments)
    keys = fragments.sounding.float()
    heard = built.encoder.heard(keys, built.encoder.fold(keys))
    assert heard.shape[-1] == built.attention.sizes.inputs == 100
    assert torch.equal(torch.cat([batch.past, batch.inputs], 1), heard[:, :-1])
    assert torch.equal(batch.of_codes["past"], built.encoder.fold(keys[:, :4]))
    assert torch.equal(batch.codes, built.encoder.fold(keys[:, 4:]))


def test_a_decoder_receives_the_previous_loudness_if_it_uses_it() -> None:
    fragments = music(frames=12, past=3)
    built = model("decoder=rbm-loudness decoder.lstm=8")
    batch = built.batch(fragments)
    assert fragments.velocity is not None
    assert torch.equal(batch.previous, fragments.velocity[:, 3:-1] / 127)
    assert torch.equal(batch.keys, model().batch(fragments).keys)
    without = built.batch(replace(fragments, velocity=None))
    assert torch.equal(without.previous, (batch.previous > 0) * torch.tensor(64 / 127))


def test_a_decoder_that_uses_loudness_is_not_combined_with_held_keys() -> None:
    with pytest.raises(UsageError, match="decoder=rbm-loudness: it needs pressed keys") as caught:
        model("encoder=sounding decoder=rbm-loudness")
    assert caught.value.problems[0].hint == "use encoder=onset"


REMEMBERS = "decoder=ordered decoder.lstm=6 decoder.hidden=6 decoder.memory=lags"


def test_a_memory_of_the_decoder_receives_keys_and_their_positions() -> None:
    built, fragments = model(f"{SMALL.rsplit(' ', 1)[0]} {REMEMBERS}"), music(frames=12, past=3)
    batch, seen = built.batch(fragments), []
    memory = built.decoder.get_submodule("memory")
    memory.register_forward_hook(lambda module, arguments, output: seen.append(arguments))
    built(fragments, generator(0, "loss"))
    built.eval().log_probs(fragments, generator(0, "score"))
    for keys, positions, _ in seen:
        assert torch.equal(keys, batch.previous)
        assert torch.equal(positions.place, fragments.clock.place[:, 1:])
    assert len(seen) == 2

    (roll,) = generate(built, frames=20, seed=3)
    assert roll.onset is not None
    played = torch.from_numpy(roll.onset).float()
    heard = torch.cat([keys for keys, _, _ in seen[2:]], 1)[0]
    assert torch.equal(heard[1:], played[:-1])
    assert torch.cat([positions.place for _, positions, _ in seen[2:]], 1)[0].tolist() == [
        *range(16),
        *range(4),
    ]


def test_a_memory_of_the_decoder_knows_the_past_and_no_other_term_does() -> None:
    built, fragments = model(f"{SMALL.rsplit(' ', 1)[0]} {REMEMBERS}").eval(), music(frames=12, past=3)
    assert fragments.onset is not None
    doubled = fragments.onset.clone()
    doubled[:, 2, 12:] |= fragments.onset[:, 2, :-12]  # octaves: the codes of the past are the same
    before, after = (
        built.log_probs(each, generator(0, "score"))
        for each in (fragments, replace(fragments, onset=doubled))
    )
    assert not torch.equal(before["keys"].value, after["keys"].value)
    assert torch.equal(before["codes"].value, after["codes"].value)


def test_dropout_is_seeded_separately_for_each_term() -> None:
    words = "attention=stacked attention.hidden=6 sampler=ordered sampler.hidden=6"
    built = model(f"{words} decoder=ordered decoder.lstm=6 decoder.hidden=6")
    other_built = model(f"{words} {SMALL.split()[-1]}")
    fragments, before = music(), torch.default_generator.get_state()
    losses = [built(fragments, generator(0, "loss", step)) for step in (0, 0, 1)]
    assert torch.equal(losses[0]["core"], losses[1]["core"])
    assert torch.equal(losses[0]["decoder"], losses[1]["decoder"])
    assert not torch.equal(losses[0]["core"], losses[2]["core"])
    assert torch.equal(losses[0]["core"], other_built(fragments, generator(0, "loss", 0))["core"])
    assert torch.equal(torch.default_generator.get_state(), before)


def test_building_and_scoring_do_not_use_the_global_generator() -> None:
    before = torch.default_generator.get_state()
    part = model("attention=stacked attention.hidden=6 sampler=ordered sampler.hidden=6").eval()
    scores = [part.log_probs(music(), generator(step, "score"))["codes"].value for step in range(2)]
    assert torch.equal(*scores)
    assert torch.equal(torch.default_generator.get_state(), before)


def test_codes_fold_octaves_and_start_at_a() -> None:
    fragments = music()
    folded = model().batch(fragments).codes
    assert fragments.onset is not None
    for pitch_class in range(12):
        expected = fragments.onset[:, 4:, pitch_class::12].any(-1)
        assert torch.equal(folded[..., pitch_class] > 0, expected)


def test_every_parameter_belongs_to_exactly_one_term() -> None:
    built = model()
    names = {term: {name for name, _ in built.parameters_of(term)} for term in TERMS}
    for first, second in combinations(TERMS, 2):
        assert not names[first] & names[second]
    assert set().union(*names.values()) == {name for name, _ in built.named_parameters()}


def test_term_learns_the_same_with_any_other_parts() -> None:
    fragments, seed = music(), generator(0, "loss")
    both = model()(fragments, seed)
    other_built = model("sampler=independent attention=none decoder.hidden=8")(
        fragments, generator(0, "loss")
    )
    assert torch.equal(both["decoder"], other_built["decoder"])
    assert not torch.equal(both["core"], other_built["core"])


def test_losses_are_means_over_unmasked_frames() -> None:
    built, fragments = model("attention=none sampler=independent"), music(frames=12, past=0)
    cut = Fragments(
        fragments.onset,
        fragments.sounding,
        fragments.velocity,
        fragments.clock,
        fragments.mask & (torch.arange(12) < 7),
    )
    short = Fragments(
        *(None if plane is None else plane[:, :8] for plane in (cut.onset, cut.sounding, cut.velocity)),  # type: ignore[arg-type]
        cut.clock[:, :8],
        cut.mask[:, :7],
    )
    for term, loss in built(cut, generator(0)).items():
        torch.testing.assert_close(loss, built(short, generator(0))[term])


def test_counted_parts_have_no_loss() -> None:
    counted = model("encoder=keys attention=last sampler=markov decoder=uniform")
    assert counted(music(), generator(0)) == {}


def test_scores_have_terms_and_depend_on_the_past_only() -> None:
    built, fragments = model("attention=none sampler=independent"), music(past=0)
    log_probs_by_term = built.log_probs(fragments, generator(0))
    assert sorted(log_probs_by_term) == ["codes", "keys", "residual"]
    later = fragments.sounding.clone()
    assert fragments.onset is not None
    onset = fragments.onset.clone()
    onset[:, -2:], later[:, -2:] = False, False
    changed = built.log_probs(Fragments(onset, later, None, fragments.clock, fragments.mask), generator(0))
    for name in log_probs_by_term:
        torch.testing.assert_close(log_probs_by_term[name].value[:, :-2], changed[name].value[:, :-2])
        assert not torch.equal(log_probs_by_term[name].value, changed[name].value)


def test_music_without_onsets_has_no_residual() -> None:
    whole = music()
    sounding = Fragments(None, whole.sounding, None, whole.clock, whole.mask)
    log_probs_by_term = model("encoder=sounding attention=none sampler=independent").log_probs(
        sounding, generator(0)
    )
    assert sorted(log_probs_by_term) == ["codes", "keys"]
    with pytest.raises(DataError, match="encoder=sounding"):
        model().batch(sounding)


def test_deterministic_music_is_counted_and_generated() -> None:
    """The model counts that the keys always follow each other, with a probability near 1."""
    built = model("encoder=keys attention=last sampler=markov decoder=uniform")
    keys = torch.zeros(1, 400, 88, dtype=torch.bool)
    keys[:, 1:, 40] = True
    fragments = Fragments(keys, keys, None, clock([0], 399), torch.ones(1, 399, dtype=torch.bool))
    built.count(fragments, first=True)
    log_probs_by_term = built.log_probs(fragments, generator(0))
    nats: Tensor = -(log_probs_by_term["codes"].value + log_probs_by_term["keys"].value).mean()
    assert nats < 0.3
