"""Generate music in musical terms: length in bars or seconds, tempo, meter, and a primer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import inf
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from zoo.errors import Problem, UsageError
from zoo.model.bundle import save_bundle
from zoo.model.generate import TEMPO, Draw, draw
from zoo.model.model import Model
from zoo.model.threads import Threads
from zoo.music.grid import QUARTERS
from zoo.music.meter import Meter
from zoo.music.roll import Roll
from zoo.music.tempo import played_at
from zoo.music.tonality import Tonality, semitones_to
from zoo.train.best_of import closest, mean_nats, typical_nats
from zoo.train.record import meter_of

SLOWEST, FASTEST = 10.0, 1000.0
"""Range of tempos in quarter notes per minute."""
SEMITONES = 48
"""Maximum transposition in either direction."""
TYPES: dict[str, tuple[type, tuple[str, ...]]] = {
    "an integer": (Integral, ("frames", "bars", "count", "seed", "best_of", "transpose")),
    "a number": (Real, ("seconds", "tempo", "temperature", "top_p")),
    "a string such as Am": (str, ("key",)),
    "a Roll or a path": (Roll, ("primer",)),
    "a Meter, such as Meter.of(3, 4)": (Meter, ("meter",)),
}
"""The types of the options of a request, which may all be None, and their names."""
MOST_CANDIDATES = 1000
"""Maximum number of candidates for a piece."""


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
class GenerationRequest:
    """The music to generate.

    At most one of `frames`, `bars` and `seconds` may be set, and at most one of `transpose` and `key`.

    Attributes:
        frames: length of the new music in frames; 64 quarter notes by default.
        bars: length of the new music in bars.
        seconds: length of the new music in seconds.
        count: number of pieces.
        seed: random seed.
        temperature: below 1 more predictable, above 1 more surprising.
        top_p: nucleus sampling, if below 1; see `zoo.parts.interfaces.Sampler.sample`.
        best_of: number of candidates for each piece, from consecutive seeds; see `zoo.train.best_of`.
        primer: music to continue.
        without_primer: whether to return only the new music.
        meter: meter of the new music; by default that of the primer, or of the training pieces.
        tempo: quarter notes per minute of the whole piece, 10 to 1000; by default that of the primer, or 120.
        transpose: semitones by which the whole piece is transposed after generation, -48 to 48.
        key: key to which the whole piece is transposed after generation, such as `Am`.
        keep_silence: whether to keep silent bars before the first note, if no primer is returned.
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
        """Check the request before any work.

        Raises:
            UsageError: request exclude each other or are out of range; lists all such problems.
        """
        lengths = [name for name in ("frames", "bars", "seconds") if getattr(self, name) is not None]
        problems = [
            Problem(f"must be {what}, not {getattr(self, name)!r}", name)
            for what, (kind, names) in TYPES.items()
            for name in names
            if not isinstance(getattr(self, name), kind | None)
        ]
        if problems:
            raise UsageError(*problems)
        if len(lengths) > 1:
            what = f"{' and '.join(lengths)} are mutually exclusive"
            problems.append(Problem(what, hint="give the length in only one unit"))
        problems += [
            Problem(f"must be a number greater than 0, not {getattr(self, name)}", name)
            for name in lengths[-1:]
            if name != "frames" and not 0 < getattr(self, name) < inf
        ]
        if self.tempo is not None and not SLOWEST <= self.tempo <= FASTEST:
            what = f"must be from {SLOWEST:g} to {FASTEST:g} quarter notes per minute, not {self.tempo:g}"
            problems.append(Problem(what, "tempo"))
        if abs(self.transpose) > SEMITONES:
            what = f"must be from -{SEMITONES} to {SEMITONES} semitones, not {self.transpose}"
            problems.append(Problem(what, "transpose"))
        if not 1 <= self.best_of <= MOST_CANDIDATES:
            problems.append(Problem(f"must be from 1 to {MOST_CANDIDATES}, not {self.best_of}", "best_of"))
        if self.key is not None and self.transpose:
            what = "transpose and key are mutually exclusive"
            problems.append(Problem(what, hint="use only one of them"))
        if problems:
            raise UsageError(*problems)
        if self.key is not None:
            Tonality.parse(self.key)


def compose(
    model: Model,
    record: Mapping[str, Any],
    request: GenerationRequest,
    progress: Callable[[int, int], None] = lambda done, total: None,
    threads: Threads = "auto",
) -> list[Roll]:
    """Generate music.

    Args:
        model: a trained model.
        record: the training record of the model, as in `zoo.model.bundle.Bundle`.
        request: the music to generate.
        progress: called with the number of new frames generated so far, and the total.
        threads: number of threads to compute with; see `zoo.model.threads`.

    Raises:
        UsageError: request exclude each other or are out of range, a part does not support `top_p`, or the
            record has no validation score, which `best_of` needs.
        DataError: the primer or the meter is on another grid than the model.
    """
    request.check()
    meter = _meter(model, record, request)
    frames = _frames(model, request, meter)
    target = typical_nats(record) if request.best_of > 1 else 0.0

    def candidates(number: int) -> list[Draw]:
        return draw(
            model,
            frames,
            request.count,
            request.seed + number,
            request.temperature,
            request.primer,
            lambda done, total: progress(number * total + done, request.best_of * total),
            top_p=request.top_p,
            meter=meter,
            without_primer=request.without_primer,
            skip_silence=not request.keep_silence,
            threads=threads,
        )

    if request.best_of == 1:
        return [_finish(drawn.piece, request) for drawn in candidates(0)]
    chosen = closest(
        candidates,
        lambda drawn: mean_nats(model, drawn.whole, drawn.new, threads),
        target,
        request.best_of,
    )
    return [_finish(drawn.piece, request) for drawn in chosen]


def seconds_of(model: Model, record: Mapping[str, Any], request: GenerationRequest) -> float:
    """How long the music will last, with the primer unless that is left out."""
    frames = _frames(model, request, _meter(model, record, request))
    seconds = 60 * frames / model.grid / _tempo(request)
    primer = None if request.without_primer else request.primer
    if primer is None:
        return seconds
    if request.tempo is not None:  # of all music
        return seconds + 60 * primer.frames / model.grid / request.tempo
    end = np.array([primer.frames])
    return seconds + float(played_at(end, model.grid, primer.tempo, primer.tempo_changes)[0])


def save_trained(model: Model, path: Path, record: Mapping[str, Any], seed: int) -> Path | None:
    """Save a trained model as a bundle, with a sample of its music; see `save_bundle`.

    Args:
        model: the trained model.
        path: folder of the bundle.
        record: its training record.
        seed: seed of the sample.
    """
    sample = compose(model, record, GenerationRequest(seed=seed))[0]
    return save_bundle(model, path, sample=sample, **record)


def _meter(model: Model, record: Mapping[str, Any], request: GenerationRequest) -> Meter | None:
    """The meter of the new music; None for that of the primer."""
    return request.meter or (None if request.primer else meter_of(record, model.grid))


def _tempo(request: GenerationRequest) -> float:
    """The tempo of the new music: by default the last one of the primer."""
    primer = request.primer
    last = TEMPO if primer is None else (primer.tempo_changes or ((0, primer.tempo),))[-1][1]
    return request.tempo or last


def _frames(model: Model, request: GenerationRequest, meter: Meter | None) -> int:
    """The number of new frames."""
    if request.bars is not None:
        # A new meter starts with the new music; otherwise the bars of the primer continue, whose last bar may
        # be incomplete.
        start = request.primer.frames if request.primer and request.meter is None else 0
        bars = meter or (request.primer.meter if request.primer else Meter(model.grid))
        return bars.after(start, request.bars) - start
    if request.seconds is not None:
        return max(round(request.seconds * _tempo(request) / 60 * model.grid), 1)
    return QUARTERS * model.grid if request.frames is None else request.frames


def _finish(roll: Roll, request: GenerationRequest) -> Roll:
    """Set the tempo and transpose."""
    if request.tempo is not None:
        roll = replace(roll, tempo=request.tempo, tempo_changes=())
    return roll.transposed(_semitones(roll, request))


def _semitones(roll: Roll, request: GenerationRequest) -> int:
    """The number of semitones to transpose a piece by; its key is that of the primer, if there is one."""
    if request.key is None:
        return request.transpose
    return semitones_to(Tonality.parse(request.key), request.primer or roll)
