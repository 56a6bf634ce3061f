"""Composing: new music as a musician asks for it, in bars or seconds, at a tempo, after a primer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict

from zoo.errors import Problem, UsageError
from zoo.model.generate import TEMPO, generate
from zoo.model.model import Model
from zoo.model.threads import Threads
from zoo.music.grid import QUARTERS
from zoo.music.meter import Meter
from zoo.music.roll import Roll
from zoo.music.tonality import Tonality, semitones_to
from zoo.train.best_of import closest, mean_nats, typical_nats
from zoo.train.record import meter_of

SLOWEST, FASTEST = 10.0, 1000.0
"""Quarter notes per minute of a tempo that may be asked for."""
SEMITONES = 48
"""The farthest that music is transposed."""
MOST_CANDIDATES = 1000
"""The most candidates that are drawn for one piece."""


class GenerateOptions(TypedDict, total=False):
    """The options of `zoo.api.ZooModel.generate` besides `frames` and `count`."""

    bars: int | None
    seconds: float | None
    seed: int
    temperature: float
    top_p: float
    best_of: int
    primer: Roll | str | Path | None
    primer_bars: tuple[int, int] | None
    without_primer: bool
    meter: Meter | None
    tempo: float | None
    transpose: int
    key: str | None
    keep_silence: bool


@dataclass(frozen=True)
class Wish:
    """The music that is asked for.

    Attributes:
        frames: length of the new music; 64 quarter notes where no length is given.
        bars: its length in bars, instead.
        seconds: its length in seconds, instead.
        count: how many pieces.
        seed: of all chance.
        temperature: below 1 more predictable, above 1 more surprising.
        top_p: below 1 each decision is drawn from its likeliest outcomes, which have this probability in sum.
        best_of: how many candidates are drawn for each piece, from consecutive seeds; see
            `zoo.train.best_of`.
        primer: music to go on from.
        without_primer: whether only the new music is wanted.
        meter: of the new music; that of the primer, or of the training pieces, if nothing is said.
        tempo: quarter notes per minute of the whole piece, 10 to 1000; that of the primer, or 120, if nothing
            is said.
        transpose: by how many semitones the whole piece is moved in the end, -48 to 48.
        key: name of the key to which the whole piece is transposed in the end, such as `Am`.
        keep_silence: whether silent bars before the first note are kept where no primer is returned.
    """

    frames: int | None = None
    bars: int | None = None
    seconds: float | None = None
    count: int = 1
    seed: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    best_of: int = 1
    primer: Roll | None = None
    without_primer: bool = False
    meter: Meter | None = None
    tempo: float | None = None
    transpose: int = 0
    key: str | None = None
    keep_silence: bool = False

    def check(self) -> None:
        """Refuse what contradicts itself or is out of range, before any work.

        Raises:
            UsageError: with all that is wrong.
        """
        lengths = [name for name in ("frames", "bars", "seconds") if getattr(self, name) is not None]
        problems = []
        if len(lengths) > 1:
            problems.append(Problem(f"{' and '.join(lengths)} are lengths, of which one is enough"))
        problems += [
            Problem(f"must be more than 0, not {getattr(self, name)}", name)
            for name in lengths[-1:]
            if name != "frames" and getattr(self, name) <= 0
        ]
        if self.tempo is not None and not SLOWEST <= self.tempo <= FASTEST:
            what = f"must be from {SLOWEST:g} to {FASTEST:g} quarter notes a minute, not {self.tempo:g}"
            problems.append(Problem(what, "tempo"))
        if abs(self.transpose) > SEMITONES:
            what = f"must be from -{SEMITONES} to {SEMITONES} semitones, not {self.transpose}"
            problems.append(Problem(what, "transpose"))
        if not 1 <= self.best_of <= MOST_CANDIDATES:
            problems.append(Problem(f"must be from 1 to {MOST_CANDIDATES}, not {self.best_of}", "best_of"))
        if self.key is not None and self.transpose:
            problems.append(Problem("transpose and key both say how far to transpose; one is enough"))
        if problems:
            raise UsageError(*problems)
        if self.key is not None:
            Tonality.parse(self.key)


def compose(
    model: Model,
    record: Mapping[str, Any],
    wish: Wish,
    progress: Callable[[int, int], None] = lambda done, total: None,
    threads: Threads = "auto",
) -> list[Roll]:
    """New music as it is asked for.

    Args:
        model: a trained model.
        record: what is known of its training, as `zoo.model.bundle.Bundle` keeps it.
        wish: the music.
        progress: called with the number of new frames generated so far, and the total.
        threads: number of threads to compute with; see `zoo.model.threads`.

    Raises:
        UsageError: a number is out of range, a part does not support `top_p`, or there is no validation score
            to choose the best by.
        DataError: the primer or the meter is on another grid than the model.
    """
    wish.check()
    meter = wish.meter or (None if wish.primer else meter_of(record, model.grid))
    frames = _frames(model, wish, meter)
    target = typical_nats(record) if wish.best_of > 1 else 0.0

    def draw(number: int) -> list[Roll]:
        return generate(
            model,
            frames,
            wish.count,
            wish.seed + number,
            wish.temperature,
            wish.primer,
            lambda done, total: progress(number * total + done, wish.best_of * total),
            top_p=wish.top_p,
            meter=meter,
            without_primer=wish.without_primer,
            skip_silence=not wish.keep_silence,
            threads=threads,
        )

    if wish.best_of == 1:
        return [_finished(roll, wish) for roll in draw(0)]
    given = wish.primer.frames if wish.primer and not wish.without_primer else 0
    chosen = closest(draw, lambda roll: mean_nats(model, roll, given, threads), target, wish.best_of)
    return [_finished(roll, wish) for roll in chosen]


def _frames(model: Model, wish: Wish, meter: Meter | None) -> int:
    """How many new frames; bars of a new meter begin with the new music, others go on where they were."""
    if wish.bars is not None:
        given = wish.primer.frames if wish.primer and wish.meter is None else 0
        bars = meter or (wish.primer.meter if wish.primer else Meter(model.grid))
        return bars.after(given, wish.bars) - given
    if wish.seconds is not None:
        primer = wish.primer
        last = TEMPO if primer is None else (primer.tempo_changes or ((0, primer.tempo),))[-1][1]
        return max(round(wish.seconds * (wish.tempo or last) / 60 * model.grid), 1)
    return QUARTERS * model.grid if wish.frames is None else wish.frames


def _finished(roll: Roll, wish: Wish) -> Roll:
    if wish.tempo is not None:
        roll = replace(roll, tempo=wish.tempo, tempo_changes=())
    return roll.transposed(_semitones(roll, wish))


def _semitones(roll: Roll, wish: Wish) -> int:
    """How far to transpose a piece; its key is that of the primer, if there is one."""
    if wish.key is None:
        return wish.transpose
    return semitones_to(Tonality.parse(wish.key), wish.primer or roll)
