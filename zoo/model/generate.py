"""Writing new music: codes, then keys, then how long and how loud, frame after frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from inspect import signature

import numpy as np
import torch
from torch import Generator, Tensor

from zoo.errors import Problem, UsageError
from zoo.limits import COLDEST, HOTTEST, too_much_music
from zoo.model.first_bars import FirstBars
from zoo.model.model import Model
from zoo.model.random import generator
from zoo.model.threads import Threads, computing
from zoo.music.meter import Meter
from zoo.music.roll import Roll
from zoo.music.tempo import mean_tempo
from zoo.parts import Slot
from zoo.parts.clock import Clock
from zoo.parts.interfaces import Decoder, Sampler
from zoo.parts.optional import accepted
from zoo.parts.piano import KEYS

TEMPO = 120.0
"""Default tempo, in quarter notes per minute."""


@dataclass(frozen=True)
class _Primer:
    """The primer as planes (1, P, K); P is 0 without a primer."""

    onset: Tensor
    sounding: Tensor
    loudness: Tensor | None
    roll: Roll


@dataclass(frozen=True)
class Draw:
    """A generated piece and the music before it, by which its likelihood is judged.

    Attributes:
        whole: everything from the first frame of the primer on.
        new: first frame of the new music, after the primer and silence that was left out.
        first: first frame of the piece: `new`, or 0 if the primer is part of the piece.
    """

    whole: Roll
    new: int
    first: int

    @property
    def piece(self) -> Roll:
        """The piece."""
        return self.whole if self.first == 0 else self.whole.cut(self.first, self.whole.frames)


def generate(
    model: Model,
    frames: int = 256,
    count: int = 1,
    seed: int = 0,
    temperature: float = 1.0,
    primer: Roll | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    top_p: float = 1.0,
    meter: Meter | None = None,
    without_primer: bool = False,
    skip_silence: bool = False,
    threads: Threads = "auto",
) -> list[Roll]:
    """Generate pieces from the distribution by which the model is scored.

    Args:
        model: a trained model.
        frames: number of new frames, after those of the primer.
        count: number of pieces, which are generated as one batch.
        seed: the same seed and count give the same pieces.
        temperature: 1e-8 to 1e8; below 1 favours likely music, above 1 unlikely music.
        primer: a piece to continue, with which each result starts unchanged. If it has no onsets, a key
            counts as pressed in the frame in which it starts to sound.
        progress: called with the number of new frames that have keys, and `frames`.
        top_p: above 0, up to 1: nucleus sampling. Below 1, each decision of sampler and decoder is drawn from
            the smallest set of likeliest outcomes whose total probability reaches this value.
        meter: meter of the new music, which starts with a bar line at the end of the primer; by default the
            primer's, or 4/4. The new music has the primer's last tempo.
        without_primer: whether to return the new music without the primer.
        skip_silence: whether to leave out silent bars before the first note and generate as many more. It has
            no effect after a primer that is returned, or if the first `frames` frames are all silent.
        threads: see `zoo.model.threads`.

    Raises:
        UsageError: a number is out of range, or a part does not support `top_p`.
        DataError: the primer or the meter is on another grid than the model.
    """
    drawn = draw(
        model,
        frames,
        count,
        seed,
        temperature,
        primer,
        progress,
        top_p=top_p,
        meter=meter,
        without_primer=without_primer,
        skip_silence=skip_silence,
        threads=threads,
    )
    return [each.piece for each in drawn]


def draw(
    model: Model,
    frames: int,
    count: int,
    seed: int,
    temperature: float,
    primer: Roll | None,
    progress: Callable[[int, int], None],
    *,
    top_p: float,
    meter: Meter | None,
    without_primer: bool,
    skip_silence: bool,
    threads: Threads,
) -> list[Draw]:
    """Generate pieces as `generate` does, each with the music before it."""
    _check(frames, count, temperature, top_p, primer.frames if primer else 0)
    _check_parts(model, top_p)
    model.eval()
    opening = _prepare(model, primer, meter)
    alone = primer is None or without_primer
    choice = {"temperature": temperature} | ({"top_p": top_p} if top_p < 1 else {})
    chance = generator(seed, "generate", device=model.device)
    with torch.inference_mode(), computing(model, threads):
        keys, begins = _draw_keys(
            model, opening, frames, count, chance, choice, progress, skip_silence=skip_silence and alone
        )
        known = (opening.onset.expand(count, -1, -1), opening.sounding.expand(count, -1, -1))
        clock = _clock(model, opening, 0, keys.shape[1])
        onset, sounding = model.encoder.residual.restore(keys, clock, chance, known)
        loudness = _Loudness(model, opening, count).predict(model.encoder.fold(keys), onset.float())
    velocity = (loudness * 127).round().clamp(1, 127).masked_fill(~onset, 0).to(torch.uint8)
    planes = (plane.cpu().numpy() for plane in (onset, sounding, velocity))
    changes = opening.roll.tempo_changes
    tempo = mean_tempo(changes, keys.shape[1]) if changes else opening.roll.tempo
    rolls = [
        replace(opening.roll, onset=onset, sounding=sounding, velocity=velocity, tempo=tempo)
        for onset, sounding, velocity in zip(*planes, strict=True)
    ]
    given = opening.roll.frames
    return [
        Draw(_until(roll, given + begin + frames), given + begin, given + begin if alone else 0)
        for roll, begin in zip(rolls, begins, strict=True)
    ]


def _check(frames: int, count: int, temperature: float, top_p: float, primer_frames: int) -> None:
    problems = [
        Problem(f"must be at least 1, not {value}", where=name)
        for name, value in (("frames", frames), ("count", count))
        if value < 1
    ]
    problems = problems or too_much_music(primer_frames + frames, count)
    if not COLDEST <= temperature <= HOTTEST:
        what = f"must be from {COLDEST:g} to {HOTTEST:g}, not {temperature}"
        hint = "temperatures near either limit already have their full effect"
        problems.append(Problem(what, "temperature", hint))
    if not 0 < top_p <= 1:
        problems.append(Problem(f"must be above 0 and at most 1, not {top_p}", "top_p"))
    if problems:
        raise UsageError(*problems)


def _check_parts(model: Model, top_p: float) -> None:
    """Reject nucleus sampling for parts of plugins that do not support it."""
    parts: dict[Slot, Sampler | Decoder] = {"sampler": model.sampler, "decoder": model.decoder}
    problems = [
        Problem(
            f"{slot}={model.recipe.parts[slot].entry.name} does not support top_p",
            "top_p",
            "use a temperature below 1 instead",
        )
        for slot, part in parts.items()
        if top_p < 1 and "top_p" not in signature(part.sample).parameters
    ]
    if problems:
        raise UsageError(*problems)


def _prepare(model: Model, primer: Roll | None, meter: Meter | None) -> _Primer:
    """The primer as tensors; an empty one if there is none."""
    if meter is not None:
        model.check_grid(meter.grid, "meter")
    if primer is None:
        empty = np.zeros((0, KEYS), dtype=np.bool_)
        roll = Roll(empty, empty, tempo=TEMPO, meter=meter or Meter(model.grid))
    else:
        model.check_grid(primer.meter.grid, "primer")
        roll = _with_meter(primer, meter)

    def plane(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Tensor:
        return torch.from_numpy(array).to(model.device).unsqueeze(0)

    onset = Roll.from_notes(roll.notes(), roll.frames).onset if roll.onset is None else roll.onset
    assert onset is not None
    loudness = None if roll.velocity is None else plane(roll.velocity).float() / 127
    return _Primer(plane(onset), plane(roll.sounding), loudness, roll)


def _with_meter(primer: Roll, meter: Meter | None) -> Roll:
    """The primer with the meter of the music that follows it, and without tempo changes after its end."""
    changes = tuple(change for change in primer.tempo_changes if change[0] < max(primer.frames, 1))
    if meter is not None and primer.frames:
        meter = primer.meter.then(primer.frames, meter)
    return replace(primer, meter=meter or primer.meter, tempo_changes=changes)


def _clock(model: Model, opening: _Primer, first: int, last: int) -> Clock:
    """The positions of frames `first` to `last - 1` in their bars, (1, last - first)."""
    frames = np.arange(first, last, dtype=np.int64)[None]
    return Clock.in_meters([opening.roll.meter], frames, model.grid).to(model.device)


def _draw_keys(
    model: Model,
    opening: _Primer,
    frames: int,
    count: int,
    chance: Generator,
    choice: Mapping[str, float],
    progress: Callable[[int, int], None],
    *,
    skip_silence: bool,
) -> tuple[Tensor, list[int]]:
    """Draw the keys after the primer.

    Returns:
        Keys (count, P + T, K) of the primer and the T new frames, more than `frames` if silence is skipped;
        and for each piece the number of new frames to leave out.
    """
    primer_keys = model.encoder.keys(opening.onset, opening.sounding).expand(count, -1, -1)
    # As in training, the input of the first frame is a frame of silence.
    silence = primer_keys.new_zeros(count, 1, primer_keys.shape[-1])
    inputs = torch.cat([silence, primer_keys], 1)
    codes = model.encoder.fold(inputs)
    longest = 2 * frames if skip_silence else frames
    clock = _clock(model, opening, -1, primer_keys.shape[1] + longest)
    clock = clock.map(lambda plane: plane.expand(count, -1)).with_features()
    past = inputs.shape[1]

    heard = model.encoder.heard(inputs, codes)
    attention_state = model.attention.start(heard[:, :0])
    features, attention_state = model.attention(heard, clock[:, :past], attention_state)
    sampler, decoder = model.sampler, model.decoder
    sampler_state = sampler.start(count, **accepted(sampler, "start", past=codes[:, :1]))
    decoder_state = decoder.start(count, **accepted(decoder, "start", past=inputs[:, :0]))
    loudness = _Loudness(model, opening, count)
    played = torch.cat([silence, loudness.played(codes[:, 1:], primer_keys)], 1)
    if primer_keys.shape[1]:
        known = {"clock": clock[:, 1:past]}
        sampler_state = sampler.follow(
            features[:, :-1], codes[:, 1:], sampler_state, chance, **accepted(sampler, "follow", **known)
        )
        decoder_state = decoder.follow(
            codes[:, 1:], played[:, :-1], decoder_state, **accepted(decoder, "follow", **known)
        )

    drawn, begins = [primer_keys], FirstBars(opening.roll, count)
    previous, feature = played[:, -1:], features[:, -1:]
    frame, length = 0, frames
    while frame < length:
        now = {"clock": clock[:, past + frame : past + frame + 1]}
        code, sampler_state = sampler.sample(
            feature, sampler_state, chance, **choice, **accepted(sampler, "sample", **now)
        )
        keys, decoder_state = decoder.sample(
            code, previous, decoder_state, chance, **choice, **accepted(decoder, "sample", **now)
        )
        previous = loudness.played(code, keys)
        drawn.append(keys)
        heard = model.encoder.heard(keys, code)
        feature, attention_state = model.attention(heard, now["clock"], attention_state)
        if skip_silence and frame < frames:
            begins.update(keys, frame)
            length = frames + max(begins.frames)
        frame += 1
        progress(frame, length)
    return torch.cat(drawn, 1), begins.frames


def _until(roll: Roll, last: int) -> Roll:
    """The frames before `last` of a roll."""
    return roll if last == roll.frames else roll.cut(0, last)


class _Loudness:
    """Predicts the loudness of one frame after another; that of the primer is kept."""

    def __init__(self, model: Model, opening: _Primer, count: int) -> None:
        self.model, self.opening = model, opening
        self.given = () if opening.loudness is None else opening.loudness.unbind(1)
        self.frame = 0
        self.previous = torch.zeros(count, 1, opening.onset.shape[-1], device=model.device)
        self.state = model.velocity.start(
            count, **accepted(model.velocity, "start", past=self.previous[:, :0])
        )

    def predict(self, codes: Tensor, struck: Tensor) -> Tensor:
        """Loudness (count, T, K) in 0..1 of the struck keys of the next frames."""
        frames = [struck[:, :0]]
        for frame in range(struck.shape[1]):
            now = slice(frame, frame + 1)
            loudness, self.state = self.model.velocity.predict(
                codes[:, now], struck[:, now], self.previous, self.state, **self._position()
            )
            if self.frame < len(self.given):
                loudness = self.given[self.frame].unsqueeze(1).expand_as(loudness)
            frames.append(loudness)
            self.previous, self.frame = loudness, self.frame + 1
        return torch.cat(frames, 1)

    def _position(self) -> dict[str, Clock]:
        """The clock of the next frame, if the velocity takes it."""
        if not accepted(self.model.velocity, "predict", clock=None):
            return {}
        clock = _clock(self.model, self.opening, self.frame, self.frame + 1)
        return {"clock": clock.map(lambda plane: plane.expand(len(self.previous), -1))}

    def played(self, codes: Tensor, keys: Tensor) -> Tensor:
        """The keys of the next frames as the decoder takes them: their loudness if it uses it."""
        return self.predict(codes, keys) if self.model.decoder.uses_loudness else keys
