"""What a passage of music is like: one number, or one histogram, for each thing that can be counted in it.

All passages that are compared must be equally long, else their lengths are compared. Bars are those of each
passage's own meter, so that a waltz and a march are measured alike. Where music does not say which keys are
pressed, what hangs on that is not measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.measure.interval import Floats
from zoo.music.meter import Bars
from zoo.music.roll import KEYS, Roll
from zoo.music.tonality import PITCH_CLASSES, estimate_tonality, pitch_class_frames

LAGS = (1, 2, 4)
"""How many bars back repetition is looked for."""
QUARTERS = "quarters"
"""The unit of lengths in quarter notes, which are the same lengths on any grid."""

DIATONIC = np.isin(np.arange(PITCH_CLASSES), (0, 2, 4, 5, 7, 9, 11))
"""(12,) the scale of C major, and of A minor."""


@dataclass(frozen=True)
class Scalar:
    """A measure that gives each passage one number.

    Attributes:
        of: the number, or None where the passage has nothing to measure.
        unit: of the number.
        needs_onsets: whether it hangs on which keys are pressed.
    """

    of: Callable[[Roll], float | None]
    unit: str = "share"
    needs_onsets: bool = False


@dataclass(frozen=True)
class Histogram:
    """A measure that counts something in each passage; passages are pooled.

    Attributes:
        of: (S,) how often each value was found.
        unit: of the values, which are 0, 1, ... S-1, or that many frames where the unit is `QUARTERS`; None
            where they are names, neither near nor far.
        needs_onsets: whether it hangs on which keys are pressed.
    """

    of: Callable[[Roll], Floats]
    unit: str | None
    needs_onsets: bool = False


def keys_at_once(roll: Roll) -> Floats:
    """(89,) frames with 0, 1, ... 88 sounding keys: the polyphony."""
    return np.bincount(roll.sounding.sum(1), minlength=KEYS + 1).astype(np.float64)


def chords(roll: Roll) -> float:
    """Share of frames in which at least two keys sound (the polyphony of Mogren, C-RNN-GAN, 2016)."""
    return float((roll.sounding.sum(1) >= 2).mean())


def silence(roll: Roll) -> float:
    """Share of frames in which no key sounds."""
    return float((~_any(roll.sounding)).mean())


def degrees(roll: Roll) -> Floats:
    """(12,) how long each pitch class sounds, the tonic first, so that the key it is in plays no part."""
    return np.roll(pitch_class_frames(roll), -estimate_tonality(roll).tonic)


def scale_consistency(roll: Roll) -> float | None:
    """Share of what sounds that lies in the major or natural minor scale that suits it best.

    After Mogren (C-RNN-GAN, 2016) and MusPy, which count notes; here a key weighs by how long it sounds, so
    that music which does not say what is pressed has it too.
    """
    found = pitch_class_frames(roll)
    if not found.any():
        return None
    scales = np.stack([np.roll(DIATONIC, tonic) for tonic in range(PITCH_CLASSES)])
    return float((scales @ found).max() / found.sum())


def groove_consistency(roll: Roll) -> float | None:
    """How alike the rhythms of neighbouring bars are; 1 where all bars strike in the same frames.

    One less the mean Hamming distance between the bars' patterns of struck frames (Wu and Yang, The Jazz
    Transformer on the Front Line, 2020; MusPy). Pairs of bars that both strike nothing do not count, nor
    pairs of unequal length, where the meter changes.
    """
    assert roll.onset is not None
    bars = _whole_bars(roll)
    length = bars.end - bars.line
    second = np.flatnonzero(length[1:] == length[:-1]) + 1
    strikes, frames = _any(roll.onset), np.arange(roll.frames)
    before = strikes[np.maximum(frames - roll.meter.places(frames).length, 0)]
    heard = _count(strikes | before, bars)[second] > 0
    apart = (_count(strikes != before, bars) / length)[second][heard]
    return 1 - float(apart.mean()) if len(apart) else None


def note_lengths(roll: Roll) -> Floats:
    """(T + 1,) notes that last 0, 1, ... T frames; one that is cut off by the passage's end counts as cut."""
    notes = roll.notes()
    return np.bincount(notes.end - notes.start, minlength=roll.frames + 1).astype(np.float64)


def repetition(lag: int) -> Callable[[Roll], float | None]:
    """The measure of frames that sound the pitch classes which sounded `lag` bars earlier, and no others.

    A frame is set beside the one at the same place of the bar `lag` bars back, if that bar is as long. It
    counts where something sounds in either: silence repeats nothing.
    """

    def repeated(roll: Roll) -> float | None:
        sounding = np.pad(roll.sounding, ((0, 0), (0, -KEYS % PITCH_CLASSES)))
        classes = _any(sounding.reshape(roll.frames, -1, PITCH_CLASSES))
        now, then = _bars_apart(roll, lag)
        heard = _any(classes[now] | classes[then])
        return 1 - float(_any(classes[now] != classes[then])[heard].mean()) if heard.any() else None

    return repeated


def empty_bars(roll: Roll) -> float | None:
    """Share of whole bars in which no key sounds."""
    bars = _whole_bars(roll)
    return float((_count(_any(roll.sounding), bars) == 0).mean()) if len(bars) else None


def key_range(roll: Roll) -> float | None:
    """Semitones from the lowest key that sounds to the highest."""
    keys = np.flatnonzero(roll.sounding.any(0))
    return float(keys[-1] - keys[0]) if len(keys) else None


def _any(rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N,) whether there is anything in each row (N, ...)."""
    found: NDArray[np.bool_] = np.any(rows, axis=1)
    return found


def _whole_bars(roll: Roll) -> Bars:
    return roll.meter.bars(roll.frames).whole(roll.frames)


def _count(frames: NDArray[np.bool_], bars: Bars) -> NDArray[np.int64]:
    """(N,) in how many frames of each bar this (T,) is true."""
    before = np.concatenate([[0], np.cumsum(frames, dtype=np.int64)])
    count: NDArray[np.int64] = before[bars.end] - before[bars.line]
    return count


def _bars_apart(roll: Roll, lag: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Frames (M,), and those at the same place of the bar `lag` bars earlier, where that is equally long."""
    frames = np.arange(roll.frames)
    bars, places = roll.meter.bars(roll.frames), roll.meter.places(frames)
    bar = np.searchsorted(bars.line, frames, side="right") - 1
    earlier = np.maximum(bar - lag, 0)
    then = bars.line[earlier] + places.place
    alike = (bars.end - bars.line)[earlier] == places.length
    now = np.flatnonzero((bar >= lag) & (then >= 0) & alike)
    return now, then[now]


MEASURES: dict[str, Scalar | Histogram] = {
    "keys at once": Histogram(keys_at_once, "keys"),
    "two keys or more": Scalar(chords),
    "silent frames": Scalar(silence),
    "empty bars": Scalar(empty_bars),
    "pitch classes": Histogram(degrees, None),
    "scale consistency": Scalar(scale_consistency),
    "key range": Scalar(key_range, "semitones"),
    "groove consistency": Scalar(groove_consistency, needs_onsets=True),
    "note length": Histogram(note_lengths, QUARTERS, needs_onsets=True),
    **{f"repeats after {lag} bar{'s' * (lag > 1)}": Scalar(repetition(lag)) for lag in LAGS},
}
"""What is measured of every passage, by the name it has in tables."""
