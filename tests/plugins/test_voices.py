"""The voices, compared with values of the original, for extreme weights and for unusual music."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Generator
from torch.nn.functional import binary_cross_entropy
from zoo_plugins.baseline.outcomes import log_complement, note_logits, true_outcomes
from zoo_plugins.baseline.settings import VoicesSettings
from zoo_plugins.baseline.voices import Voices, survivors

from zoo.parts.interfaces import Sizes

CODES, FEATURES = 12, 7
OBJECTIVES = ("no-aposter", "bound")
MUSIC = {
    "silence": torch.zeros(2, 5, CODES),
    "every class": torch.ones(2, 5, CODES),
    "six classes": torch.tensor([0.0, 1.0]).repeat(2, 5, CODES // 2),
    "anything": (torch.rand(2, 5, CODES, generator=Generator().manual_seed(0)) < 0.3).float(),
    "one frame": torch.eye(CODES)[None, :1],
}


def seeded(seed=0):
    return Generator().manual_seed(seed)


def make(codes=CODES, features=FEATURES, **settings) -> Voices:
    torch.manual_seed(1)
    return Voices(
        VoicesSettings(**{"hidden": 8, **settings}), Sizes(codes, features, torch.eye(codes).bool())
    )


def features_for(codes, seed=4):
    return torch.randn(*codes.shape[:2], FEATURES, generator=seeded(seed))


@pytest.fixture(scope="module")
def golden(shared):
    with np.load(shared / "reference" / "golden_baseline.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


@pytest.fixture(scope="module")
def original(shared, golden):
    """Voices with the weights of the original, and their decisions given those of the original."""
    weights = torch.load(shared / "reference" / "original" / "rbm-model.pt", weights_only=True)
    sampler = make(features=130, hidden=100)
    result = sampler.load_state_dict(
        {name.removeprefix("sampler."): value for name, value in weights.items() if "sampler." in name},
        strict=False,
    )
    assert not result.unexpected_keys
    assert set(result.missing_keys) == {"counted_frames", "counted_codes"}
    decided = golden["decided"].long().permute(1, 2, 0)
    with torch.no_grad():
        log_probs = sampler.distributions(
            golden["features"].transpose(0, 1),
            golden["codes"][1:].float().transpose(0, 1),
            lambda voice, own: decided[voice],
        )
    return sampler, log_probs


def test_voices_have_the_decisions_of_the_original(golden, original):
    _, log_probs = original
    expected = golden["voice_distributions"].permute(1, 2, 0, 3)
    assert torch.allclose(log_probs.exp(), expected, rtol=0, atol=1e-5)
    assert ((expected == 0) == (log_probs.exp() == 0)).all()


def test_notes_have_the_probabilities_of_the_original(golden, original):
    _, log_probs = original
    expected = golden["note_probability"].transpose(0, 1)
    assert torch.allclose(note_logits(log_probs).sigmoid(), expected, rtol=0, atol=1e-5)


def test_no_aposter_is_the_cross_entropy_of_p_without_b():
    """Compared with the formula in linear probabilities, for the same drawn decisions."""
    sampler, codes = make().double(), MUSIC["anything"].double()
    features = features_for(codes).double()
    loss = sampler.loss(features, codes, seeded(3))
    generator = seeded(3)

    def draw(voice, own):
        return torch.multinomial(own.exp().reshape(-1, 2 * CODES), 1, generator=generator).reshape(
            own.shape[:-1]
        )

    affirmed, denied = torch.zeros_like(codes), torch.zeros_like(codes)
    for own in sampler.distributions(features, codes, draw).exp():
        affirmed = affirmed + (1 - affirmed) * own[..., :CODES]
        denied = denied + (1 - denied) * own[..., CODES:]
    expected = binary_cross_entropy(affirmed * (1 - denied), codes, reduction="none").sum(-1)
    assert torch.allclose(loss, expected)


def test_later_voices_receive_the_truth_about_a_wrong_decision():
    """For either outcome of a pitch class, later voices receive the true value."""
    sampler, codes = make(), MUSIC["anything"]
    features = features_for(codes)
    says = sampler.distributions(features, codes, lambda voice, own: torch.full((2, 5), voice))
    denies = sampler.distributions(features, codes, lambda voice, own: torch.full((2, 5), voice + CODES))
    assert torch.equal(says, denies)
    assert not torch.equal(
        says, sampler.distributions(features, 1 - codes, lambda voice, own: torch.full((2, 5), voice))
    )


def test_decided_pitch_classes_are_closed_to_later_voices():
    sampler, codes = make(), MUSIC["anything"]
    own = sampler.distributions(
        features_for(codes), codes, lambda voice, own: torch.full((2, 5), 2 * voice)
    ).exp()
    for voice in range(5):
        closed = [pitch for earlier in range(voice) for pitch in (2 * earlier, 2 * earlier + CODES)]
        assert (own[voice][..., closed] == 0).all()
    assert torch.allclose(own.sum(-1), torch.ones(5, 2, 5))


def test_true_outcomes_leave_enough_voices():
    codes, decided = torch.tensor([[[1.0, 1, 0, 0]]]), torch.zeros(1, 1, 8)
    assert true_outcomes(codes, decided, 3)[0, 0].tolist() == [
        True,
        True,
        False,
        False,
        False,
        False,
        True,
        True,
    ]
    assert true_outcomes(codes, decided, 2)[0, 0].tolist() == [True, True] + 6 * [False]
    decided[..., 1] = 1
    assert true_outcomes(codes, decided, 2)[0, 0].tolist() == [True] + 5 * [False] + [True, True]
    decided[..., 6] = 1
    assert true_outcomes(codes, decided, 2)[0, 0].tolist() == [True] + 6 * [False] + [True]


@pytest.mark.parametrize("scale", [1.0, 100.0, 1e4])
def test_the_log_complement_is_precise(scale):
    logits = torch.randn(50, 24, generator=seeded()) * scale
    truth = torch.log1p(-torch.special.softmax(logits.double(), -1))
    far = truth.isinf() | (truth < -30)
    result = log_complement(logits.log_softmax(-1))
    assert result.isfinite().all()
    assert torch.allclose(result.double()[~far], truth[~far], rtol=1e-4, atol=1e-6)


def extreme(sampler, size):
    """Scale all weights so that logits have a given size."""
    with torch.no_grad():
        sampler.linear.weight.mul_(size)
        sampler.linear.bias.copy_(torch.randn(2 * CODES, generator=seeded(8)) * size)
    return sampler


@pytest.mark.parametrize("music", MUSIC)
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("size", [1.0, 1e2, 1e4])
def test_numbers_and_gradients_stay_finite(music, objective, size):
    sampler, codes = extreme(make(objective=objective, paths=3), size), MUSIC[music]
    features = features_for(codes).requires_grad_()
    loss = sampler.loss(features, codes, seeded())
    assert loss.shape == codes.shape[:2]
    assert (loss >= 0).all()
    loss.mean().backward()
    with torch.no_grad():
        value = sampler.log_prob(features, codes, seeded()).value
    assert value.shape == codes.shape[:2]
    for tensor in (loss, features.grad, value, *(parameter.grad for parameter in sampler.parameters())):
        assert tensor.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_half_precision_stays_finite(dtype, objective):
    sampler, codes = extreme(make(objective=objective, paths=3), 1e4).to(dtype), MUSIC["anything"].to(dtype)
    features = features_for(codes).to(dtype)
    loss = sampler.loss(features, codes, seeded())
    loss.mean().backward()
    drawn, _ = sampler.sample(features[:, :1], sampler.start(2), seeded())
    assert drawn.dtype == dtype
    result = [loss, sampler.log_prob(features, codes, seeded()).value, drawn]
    assert all(tensor.isfinite().all() for tensor in result)
    assert all(parameter.grad.isfinite().all() for parameter in sampler.parameters())


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_weight_has_gradients(objective):
    sampler, codes = make(objective=objective), MUSIC["anything"]
    sampler.loss(features_for(codes), codes, seeded()).sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in sampler.parameters())


def test_a_chord_with_more_pitch_classes_than_voices_escapes():
    sampler, codes = make(), torch.stack((MUSIC["six classes"][0], MUSIC["anything"][0]))
    result = sampler.log_prob(features_for(codes), codes, seeded())
    assert result.notes["escaped"].tolist() == [[True] * 5, [False, False, True, False, False]]
    assert torch.allclose(result.value[0], torch.tensor(np.log(0.001) + CODES * np.log(0.5)).float())


def test_the_escape_distribution_follows_the_counts():
    sampler, codes = make(), MUSIC["every class"].clone()
    codes[..., 0] = 0
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    sampler.count(codes, mask=mask)
    sampler.count(codes, mask=mask)
    assert torch.allclose(sampler.rates, torch.tensor([1 / 16] + 11 * [15 / 16]))
    value = sampler.log_prob(features_for(codes), codes, seeded()).value
    assert torch.allclose(value, torch.full((2, 5), float(np.log(0.001) + 12 * np.log(15 / 16))))


@pytest.mark.parametrize("resample", [0, 1, 4, 16])
def test_scoring_is_causal_and_rows_are_independent(resample):
    sampler = make(resample=resample, paths=6)
    codes = (torch.rand(2, 24, CODES, generator=seeded(1)) < 0.25).float()
    features = features_for(codes)
    value = sampler.log_prob(features, codes, seeded()).value
    later_codes, later = codes.clone(), features.clone()
    later_codes[0, 10:], later[0, 10:] = 0, 9.0
    changed = sampler.log_prob(later, later_codes, seeded()).value
    assert torch.allclose(changed[0, :10], value[0, :10], atol=1e-5)
    assert not torch.allclose(changed[0, 10], value[0, 10], atol=1e-3)
    assert torch.allclose(changed[1], value[1], atol=1e-5)


def test_results_depend_on_the_seed_only():
    sampler, codes = make(), MUSIC["anything"]
    features, before = features_for(codes), torch.get_rng_state()

    def everything(seed):
        state = sampler.follow(features, codes, sampler.start(2), seeded(seed))
        drawn, state = sampler.sample(features[:, :1], state, seeded(seed))
        score = sampler.log_prob(features, codes, seeded(seed)).value
        return torch.cat(
            [
                tensor.flatten()
                for tensor in (*state, drawn, score, sampler.loss(features, codes, seeded(seed)))
            ]
        )

    assert torch.equal(everything(3), everything(3))
    assert not torch.equal(everything(3), everything(4))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_single_path_in_chunks_equals_the_whole():
    """With nearly certain decisions, all states agree."""
    sampler = extreme(make(paths=2, escape=1e-6), 1e3)
    codes = MUSIC["anything"]
    features = features_for(codes)
    whole = sampler.follow(features, codes, sampler.start(2), seeded())
    state = sampler.follow(features[:, :2], codes[:, :2], sampler.start(2), seeded(1))
    cut = sampler.follow(features[:, 2:], codes[:, 2:], state, seeded(2))
    for expected, actual in zip(whole, cut, strict=True):
        assert torch.allclose(expected, actual, atol=1e-5)


@pytest.mark.parametrize("codes", [1, 2, 4])
def test_never_more_voices_than_codes(codes):
    sampler = make(codes=codes, voices=5, paths=4)
    music = (torch.rand(3, 6, codes, generator=seeded()) < 0.5).float()
    features = torch.randn(3, 6, FEATURES, generator=seeded())
    assert sampler.voices == codes
    assert sampler.loss(features, music, seeded()).isfinite().all()
    result = sampler.log_prob(features, music, seeded())
    assert result.value.isfinite().all()
    assert not result.notes["escaped"].any()
    drawn, state = sampler.sample(features[:, :1], sampler.start(3), seeded())
    assert drawn.shape == (3, 1, codes)
    assert state[0].shape == (3, codes, 8)


def test_paths_are_resampled_by_their_weights():
    weights = torch.tensor([[0.5, 0.3, 0.2, 0.0], [0.0, 0.0, 0.0, 1.0]]).repeat(500, 1)
    rows = survivors(weights.log(), seeded()).reshape(500, 2, 4) % 4
    assert (rows[:, 1] == 3).all()
    shares = torch.stack([(rows[:, 0] == path).float().mean() for path in range(4)])
    assert torch.allclose(shares, weights[0], atol=0.02)
    assert ((rows[:, 0] == 0).sum(-1) == 2).all()


def test_the_state_dict_contains_the_counts():
    sampler, restored = make(), make()
    sampler.count(MUSIC["every class"], mask=torch.ones(2, 5, dtype=torch.bool))
    restored.load_state_dict(sampler.state_dict())
    assert torch.equal(restored.rates, sampler.rates)
    assert float(restored.rates[0]) == pytest.approx(11 / 12)
