"""Call every method of a part as the zoo calls it, and collect the outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Generator, Tensor

from zoo.model.random import seeded_layers
from zoo.parts import Slot
from zoo.parts.interfaces import Attention, Decoder, Encoder, LogProb, Part, Sampler, State, Velocity
from zoo.parts.optional import accepted
from zoo.testing.music import Music

Outputs = dict[str, Tensor]
"""The outputs of a part, by name; see `SHAPES`."""

SHAPES: dict[str, str] = {
    "features": "BTF",
    "features one by one": "BTF",
    "loss": "BT",
    "log_prob": "BT",
    "drawn codes": "BTC",
    "codes drawn after following": "BTC",
    "drawn keys": "BTK",
    "keys drawn after following": "BTK",
    "predicted loudness": "BTK",
    "keys": "BTK",
    "codes": "BTC",
    "heard": "BTH",
    "nats of the residual": "BT",
    "restored onset": "BTK",
    "restored sounding": "BTK",
}
"""The shape of every output: B batch, T frames, F features, C codes, K keys, H inputs."""

BOOLEAN_OUTPUTS = ("restored onset", "restored sounding")
"""Outputs of dtype bool; all others are float32."""


def chance(seed: int = 0) -> Generator:
    """A fresh generator."""
    return Generator("cpu").manual_seed(seed)


@contextmanager
def training_mode(part: Part, seed: int = 0) -> Iterator[None]:
    """Put the part in training mode in the block, with layers seeded as in a training step of the zoo."""
    part.train()
    try:
        with seeded_layers(chance(seed)):
            yield
    finally:
        part.eval()


def context(part: Part, method: str, music: Music) -> dict[str, Any]:
    """The arguments `past` and `clock` of a method, if it has parameters of these names."""
    past = music.past
    if isinstance(part, Decoder):
        past = music.past_loudness if part.uses_loudness else music.past_keys
    elif isinstance(part, Velocity):
        past = music.past_loudness
    return accepted(part, method, past=past, clock=music.clock)


def outputs(part: Part, slot: Slot, music: Music, seed: int = 0) -> Outputs:
    """All outputs of the part for the music."""
    run = cast(Callable[[Part, Music, int], Outputs], RUNNERS[slot])
    return run(part, music, seed)


def start(part: Part, slot: Slot, music: Music) -> State:
    """The state before the first frame."""
    if slot == "attention":
        return cast(Attention, part).start(music.past)
    following = cast(Sampler | Decoder | Velocity, part)
    return following.start(music.batch, **context(part, "start", music))


def step(
    part: Part, slot: Slot, music: Music, state: State, generator: Generator | None = None
) -> tuple[Tensor, State]:
    """The output for one chunk of music and the state after it; samplers and decoders draw one frame."""
    generator = generator or chance()
    if slot == "attention":
        return cast(Attention, part)(music.codes, music.clock, state)  # type: ignore[no-any-return]
    if slot == "sampler":
        sampler = cast(Sampler, part)
        return sampler.sample(music.features, state, generator, **context(part, "sample", music))
    if slot == "decoder":
        decoder = cast(Decoder, part)
        known = context(part, "sample", music)
        return decoder.sample(music.codes, music.before(decoder), state, generator, **known)
    return predict(cast(Velocity, part), music, state)


def predict(part: Velocity, music: Music, state: State) -> tuple[Tensor, State]:
    """The loudness that a velocity predicts for the music, and the state after it."""
    known = context(part, "predict", music)
    return part.predict(music.codes, music.keys, music.previous_loudness, state, **known)


def played(part: Decoder, keys: Tensor) -> Tensor:
    """Keys (..., K) as the decoder takes the previous ones: a loudness for each if it uses loudness."""
    if not part.uses_loudness:
        return keys
    return keys * torch.linspace(0.3, 0.9, keys.shape[-1], device=keys.device)


def leaves(state: State) -> Iterable[Any]:
    """The leaves of nested tuples, lists and dicts."""
    if isinstance(state, dict):
        state = list(state.values())
    if isinstance(state, (tuple, list)):
        for branch in state:
            yield from leaves(branch)
    else:
        yield state


def loss(part: Part, slot: Slot, music: Music, seed: int = 0) -> Tensor:
    """The mean training loss; for an attention, the sum of its features with random weights."""
    if slot == "attention":
        with training_mode(part, seed):
            features = features_of(part, music)
        return (features * torch.randn(features.shape, generator=chance(seed))).sum()
    return loss_of_frames(part, slot, music, seed).mean()


def features_of(part: Part, music: Music) -> Tensor:
    """The features (B, T, F) of an attention for the whole music."""
    attention = cast(Attention, part)
    features, _ = attention(music.codes, music.clock, attention.start(music.past))
    return cast(Tensor, features)


def loss_of_frames(part: Part, slot: Slot, music: Music, seed: int = 0) -> Tensor:
    """The loss (B, T) of a sampler, decoder or velocity in training mode."""
    generator, known = chance(seed), context(part, "loss", music)
    with training_mode(part, seed):
        if slot == "sampler":
            return cast(Sampler, part).loss(music.features, music.codes, generator, **known)
        if slot == "decoder":
            decoder = cast(Decoder, part)
            return decoder.loss(music.codes, music.keys, music.before(decoder), generator, **known)
        heard = (music.codes, music.keys, music.loudness, music.previous_loudness)
        return cast(Velocity, part).loss(*heard, generator, **known)


def log_prob(part: Part, slot: Slot, music: Music, seed: int = 0) -> LogProb:
    """The log-probability of the music under a sampler, decoder or velocity."""
    generator, known = chance(seed), context(part, "log_prob", music)
    if slot == "sampler":
        return cast(Sampler, part).log_prob(music.features, music.codes, generator, **known)
    if slot == "decoder":
        decoder = cast(Decoder, part)
        return decoder.log_prob(music.codes, music.keys, music.before(decoder), generator, **known)
    heard = (music.codes, music.keys, music.loudness, music.previous_loudness)
    return cast(Velocity, part).log_prob(*heard, **known)


def _attention(part: Attention, music: Music, seed: int) -> Outputs:
    whole = features_of(part, music)
    state, steps = part.start(music.past), []
    for frame in range(music.frames):
        now = music.span(frame, frame + 1)
        features, state = part(now.codes, now.clock, state)
        steps.append(features)
    return {"features": whole, "features one by one": torch.cat(steps, 1)}


def _sampler(part: Sampler, music: Music, seed: int) -> Outputs:
    generator = chance(seed)
    state, drawn = start(part, "sampler", music), []
    for frame in range(music.frames):
        codes, state = step(part, "sampler", music.span(frame, frame + 1), state, generator)
        drawn.append(codes)
    first, last = start(part, "sampler", music), music.span(music.frames - 1, music.frames)
    known = part.follow(music.features, music.codes, first, generator, **context(part, "follow", music))
    known_last = context(part, "sample", last)
    after, _ = part.sample(last.features, known, generator, temperature=0.5, **known_last)
    return {
        "loss": loss_of_frames(part, "sampler", music, seed),
        "log_prob": log_prob(part, "sampler", music, seed).value,
        "drawn codes": torch.cat(drawn, 1),
        "codes drawn after following": after.expand(-1, music.frames, -1),
    }


def _decoder(part: Decoder, music: Music, seed: int) -> Outputs:
    generator, before = chance(seed), music.before(part)
    state, previous, drawn = start(part, "decoder", music), before[:, :1], []
    for frame in range(music.frames):
        now = music.span(frame, frame + 1)
        keys, state = part.sample(now.codes, previous, state, generator, **context(part, "sample", now))
        drawn.append(keys)
        previous = played(part, keys)
    first, last = start(part, "decoder", music), music.span(music.frames - 1, music.frames)
    known = part.follow(music.codes, before, first, **context(part, "follow", music))
    then = {"temperature": 0.5, **context(part, "sample", last)}
    after, _ = part.sample(last.codes, played(part, last.keys), known, generator, **then)
    return {
        "loss": loss_of_frames(part, "decoder", music, seed),
        "log_prob": log_prob(part, "decoder", music, seed).value,
        "drawn keys": torch.cat(drawn, 1),
        "keys drawn after following": after.expand(-1, music.frames, -1),
    }


def _velocity(part: Velocity, music: Music, seed: int) -> Outputs:
    predicted, _ = predict(part, music, start(part, "velocity", music))
    return {
        "loss": loss_of_frames(part, "velocity", music, seed),
        "log_prob": log_prob(part, "velocity", music, seed).value,
        "predicted loudness": predicted,
    }


def _encoder(part: Encoder, music: Music, seed: int) -> Outputs:
    keys = part.keys(music.onset, music.sounding)
    onset, sounding = part.residual.restore(keys, music.clock, chance(seed))
    codes = part.fold(keys)
    return {
        "keys": keys,
        "codes": codes,
        "heard": part.heard(keys, codes),
        "nats of the residual": part.residual.log_prob(music.onset, music.sounding, music.clock),
        "restored onset": onset,
        "restored sounding": sounding,
    }


RUNNERS: dict[Slot, Callable[..., Outputs]] = {
    "encoder": _encoder,
    "attention": _attention,
    "sampler": _sampler,
    "decoder": _decoder,
    "velocity": _velocity,
}
