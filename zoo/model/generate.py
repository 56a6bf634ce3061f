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
from zoo.model.model import Model
from zoo.model.random import generator
from zoo.model.threads import Threads, computing
from zoo.music.meter import Meter
from zoo.music.roll import KEYS, Roll
from zoo.music.tempo import steady_tempo
from zoo.parts import Slot
from zoo.parts.clock import Clock
from zoo.parts.interfaces import Decoder, Sampler

TEMPO = 120.0
"""Quarter notes per minute of a piece that nobody gave a tempo."""


@dataclass(frozen=True)
class _Primer:
    """The given opening of a piece, as planes (1, P, K); P may be 0."""

    onset: Tensor
    sounding: Tensor
    loudness: Tensor | None
    roll: Roll


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
    """New pieces, drawn from the distribution that the model is scored by.

    Args:
        model: a trained model.
        frames: how many new frames, after the primer's.
        count: how many pieces; they are drawn side by side.
        seed: the same seed and count give the same pieces.
        temperature: 1e-8 to 1e8; below 1 the likely becomes likelier, above 1 the unlikely.
        primer: a piece to continue; it stands unchanged at the start of each result. Where it does not
            say which keys are pressed, a key is pressed when it begins to sound.
        progress: told how many of the new frames have their keys.
        top_p: above 0, to 1; below 1 each decision of sampler and decoder is drawn from its likeliest
            outcomes, as few as have this probability in sum (nucleus sampling).
        meter: of the new music. Without one it is in 4/4, or in the meter of the primer, which is at its
            last tempo, too. Another meter than the primer's begins at its end, with a bar line.
        without_primer: return the new music without the primer.
        skip_silence: leave out silent bars before the first note, and write so many more; not after a primer
            that is returned, nor if there is only silence for as long as the music is to be.
        threads: see `zoo.model.threads`.

    Raises:
        UsageError: a number is out of its range, or a part does not support `top_p`.
        DataError: the primer, or the meter, is on another grid than the model.
    """
    _check(frames, count, temperature, top_p, primer.frames if primer else 0)
    _check_parts(model, top_p)
    model.eval()
    opening = _open(model, primer, meter)
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
        loudness = _play(model, keys, onset.float(), opening)
    velocity = (loudness * 127).round().clamp(1, 127).masked_fill(~onset, 0).to(torch.uint8)
    planes = (plane.cpu().numpy() for plane in (onset, sounding, velocity))
    changes = opening.roll.tempo_changes
    tempo = steady_tempo(changes, keys.shape[1]) if changes else opening.roll.tempo
    rolls = [
        replace(opening.roll, onset=struck, sounding=sounds, velocity=loud, tempo=tempo)
        for struck, sounds, loud in zip(*planes, strict=True)
    ]
    given = opening.roll.frames
    return [
        _between(roll, given + begin if alone else 0, given + begin + frames)
        for roll, begin in zip(rolls, begins, strict=True)
    ]


def _check(frames: int, count: int, temperature: float, top_p: float, primed: int) -> None:
    problems = [
        Problem(f"must be at least 1, not {value}", where=name)
        for name, value in (("frames", frames), ("count", count))
        if value < 1
    ]
    problems = problems or too_much_music(primed + frames, count)
    if not COLDEST <= temperature <= HOTTEST:
        what = f"must be from {COLDEST:g} to {HOTTEST:g}, not {temperature}"
        problems.append(Problem(what, "temperature", "near the ends nothing changes any more"))
    if not 0 < top_p <= 1:
        problems.append(Problem(f"must be above 0 and at most 1, not {top_p}", "top_p"))
    if problems:
        raise UsageError(*problems)


def _check_parts(model: Model, top_p: float) -> None:
    """Refuse nucleus sampling with parts that were written before there was any."""
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


def _open(model: Model, primer: Roll | None, meter: Meter | None) -> _Primer:
    if meter is not None:
        model.check_grid(meter.grid, "meter")
    if primer is None:
        nothing = np.zeros((0, KEYS), dtype=np.bool_)
        roll = Roll(nothing, nothing, tempo=TEMPO, meter=meter or Meter(model.grid))
    else:
        model.check_grid(primer.meter.grid, "primer")
        roll = _continued(primer, meter)

    def plane(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Tensor:
        return torch.from_numpy(array).to(model.device).unsqueeze(0)

    onset = Roll.from_notes(roll.notes(), roll.frames).onset if roll.onset is None else roll.onset
    assert onset is not None
    loudness = None if roll.velocity is None else plane(roll.velocity).float() / 127
    return _Primer(plane(onset), plane(roll.sounding), loudness, roll)


def _continued(primer: Roll, meter: Meter | None) -> Roll:
    """The primer with the tempo and the meter that hold after it."""
    changes = tuple(change for change in primer.tempo_changes if change[0] < max(primer.frames, 1))
    if meter is not None and primer.frames:
        meter = primer.meter.then(primer.frames, meter)
    return replace(primer, meter=meter or primer.meter, tempo_changes=changes)


def _clock(model: Model, opening: _Primer, first: int, last: int) -> Clock:
    """Where the frames from `first` up to, without, `last` lie in their bars, (1, last - first)."""
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
    """Keys (count, P + frames, K) of the primer and what follows it, and how many new frames to leave out.

    There are more frames if silence is skipped.
    """
    given = model.encoder.keys(opening.onset, opening.sounding).expand(count, -1, -1)
    silence = given.new_zeros(count, 1, given.shape[-1])
    heard = torch.cat([silence, given], 1)
    codes = model.encoder.fold(heard)
    most = 2 * frames if skip_silence else frames
    clock = _clock(model, opening, -1, given.shape[1] + most).map(lambda plane: plane.expand(count, -1))
    past = heard.shape[1]

    state = model.attention.start(codes[:, :0])
    features, state = model.attention(codes, clock[:, :past], state)
    voices = model.sampler.start(count)
    hands = model.decoder.start(count)
    if given.shape[1]:
        voices = model.sampler.follow(features[:, :-1], codes[:, 1:], voices, chance)
        hands = model.decoder.follow(codes[:, 1:], heard[:, :-1], hands)

    drawn, begins = [given], _Begins(opening.roll, count)
    previous, feature = heard[:, -1:], features[:, -1:]
    new, wanted = 0, frames
    while new < wanted:
        code, voices = model.sampler.sample(feature, voices, chance, **choice)
        previous, hands = model.decoder.sample(code, previous, hands, chance, **choice)
        drawn.append(previous)
        feature, state = model.attention(code, clock[:, past + new : past + new + 1], state)
        if skip_silence and new < frames:
            begins.hear(previous, new)
            wanted = frames + max(begins.frames)
        new += 1
        progress(new, wanted)
    return torch.cat(drawn, 1), begins.frames


class _Begins:
    """The bars in which new pieces begin to sound."""

    def __init__(self, primer: Roll, count: int) -> None:
        self.primer = primer
        self.silent = [True] * count
        self.frames = [0] * count
        """The new frame of each bar line; 0 while a piece is silent."""

    def hear(self, keys: Tensor, new: int) -> None:
        """Look for pieces that sound first in a new frame, with keys (count, 1, K)."""
        if not any(self.silent):
            return
        place = int(self.primer.meter.places(np.array([self.primer.frames + new])).place[0])
        for row, sounds in enumerate(keys.flatten(1).any(1).tolist()):
            if sounds and self.silent[row]:
                self.silent[row] = False
                self.frames[row] = max(new - place, 0)


def _between(roll: Roll, first: int, last: int) -> Roll:
    """Some frames of a roll, which is returned as it is if they are all."""
    return roll if (first, last) == (0, roll.frames) else roll.cut(first, last)


def _play(model: Model, keys: Tensor, struck: Tensor, opening: _Primer) -> Tensor:
    """Loudness (count, T, K) in 0..1 of the struck keys; the primer keeps its own."""
    codes = model.encoder.fold(keys)
    given = opening.loudness
    state = model.velocity.start(len(keys))
    previous = torch.zeros_like(struck[:, :1])
    played = []
    for frame in range(struck.shape[1]):
        now = slice(frame, frame + 1)
        previous, state = model.velocity.predict(codes[:, now], struck[:, now], previous, state)
        if given is not None and frame < given.shape[1]:
            previous = given[:, now].expand_as(previous)
        played.append(previous)
    return torch.cat(played, 1)
