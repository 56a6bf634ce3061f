"""Measures of passages of music: each gives a number or a histogram.

Passages to be compared must have the same length, since some measures depend on it. Bars are in the meter of
each passage, so that waltzes and marches are comparable. Music without onsets lacks the measures that need
them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.measure.interval import Floats
from zoo.music.meter import Bars
from zoo.music.roll import Roll
from zoo.music.tonality import estimate_tonality, pitch_class_frames
from zoo.parts.piano import KEYS, PITCH_CLASSES

LAGS = (1, 2, 4)
"""Distances in bars at which repetition is measured."""
QUARTERS = "quarters"
"""The unit of lengths in quarter notes, which do not depend on the grid."""

DIATONIC = np.isin(np.arange(PITCH_CLASSES), (0, 2, 4, 5, 7, 9, 11))
"""(12,) the pitch classes of C major and A minor."""


@dataclass(frozen=True)
class Scalar:
    """A measure with one number per passage.

    Attributes:
        compute: returns the number; None if it is not defined for the passage.
        unit: unit of the number.
        needs_onsets: whether it depends on onsets.
    """

    compute: Callable[[Roll], float | None]
    unit: str = "share"
    needs_onsets: bool = False


@dataclass(frozen=True)
class Histogram:
    """A measure with a histogram per passage; histograms of several passages are added up.

    Attributes:
        compute: returns the number of occurrences of each value, (S,).
        unit: unit of the values 0, 1, ... S-1 (with `QUARTERS`, the values are in frames); None if the
            values are categories without distances.
        needs_onsets: whether it depends on onsets.
    """

    compute: Callable[[Roll], Floats]
    unit: str | None
    needs_onsets: bool = False


def keys_at_once(roll: Roll) -> Floats:
    """(89,) number of frames with 0, 1, ... 88 sounding keys: the polyphony."""
    return np.bincount(roll.sounding.sum(1), minlength=KEYS + 1).astype(np.float64)


def chords(roll: Roll) -> float:
    """Fraction of frames with at least two sounding keys (called polyphony by Mogren, C-RNN-GAN, 2016)."""
    return float((roll.sounding.sum(1) >= 2).mean())


def silence(roll: Roll) -> float:
    """Fraction of frames without a sounding key."""
    return float((~_any_in_row(roll.sounding)).mean())


def degrees(roll: Roll) -> Floats:
    """(12,) duration of each pitch class relative to the tonic, which makes it independent of the key."""
    return np.roll(pitch_class_frames(roll), -estimate_tonality(roll).tonic)


def scale_consistency(roll: Roll) -> float | None:
    """Fraction of the sound that lies in the best-fitting major or natural minor scale.

    After Mogren (C-RNN-GAN, 2016) and MusPy. These count notes; here notes are weighted by duration, which
    also works for music without onsets.
    """
    durations = pitch_class_frames(roll)
    if not durations.any():
        return None
    scales = np.stack([np.roll(DIATONIC, tonic) for tonic in range(PITCH_CLASSES)])
    return float((scales @ durations).max() / durations.sum())


def groove_consistency(roll: Roll) -> float | None:
    """Similarity of the rhythms of neighbouring bars; 1 if all bars have onsets in the same frames.

    One minus the mean Hamming distance between the onset patterns of bars (Wu and Yang, The Jazz Transformer
    on the Front Line, 2020; MusPy). Pairs of bars without any onset are left out, and so are pairs of unequal
    length, where the meter changes.
    """
    assert roll.onset is not None
    bars = _whole_bars(roll)
    length = bars.end - bars.line
    second = np.flatnonzero(length[1:] == length[:-1]) + 1
    strikes, frames = _any_in_row(roll.onset), np.arange(roll.frames)
    previous = strikes[np.maximum(frames - roll.meter.places(frames).length, 0)]
    has_onsets = _count_in_bars(strikes | previous, bars)[second] > 0
    distances = (_count_in_bars(strikes != previous, bars) / length)[second][has_onsets]
    return 1 - float(distances.mean()) if len(distances) else None


def note_lengths(roll: Roll) -> Floats:
    """(T + 1,) number of notes that last 0, 1, ... T frames; notes are cut at the end of the passage."""
    notes = roll.notes()
    return np.bincount(notes.end - notes.start, minlength=roll.frames + 1).astype(np.float64)


def repetition(lag: int) -> Callable[[Roll], float | None]:
    """The measure of frames with exactly the same pitch classes as `lag` bars earlier.

    A frame is compared with the one at the same position `lag` bars earlier, if that bar has the same length.
    Pairs of silent frames are left out.
    """

    def repeated_fraction(roll: Roll) -> float | None:
        sounding = np.pad(roll.sounding, ((0, 0), (0, -KEYS % PITCH_CLASSES)))
        classes = _any_in_row(sounding.reshape(roll.frames, -1, PITCH_CLASSES))
        now, earlier = _lagged_frames(roll, lag)
        counted = _any_in_row(classes[now] | classes[earlier])
        differs = _any_in_row(classes[now] != classes[earlier])
        return 1 - float(differs[counted].mean()) if counted.any() else None

    return repeated_fraction


def empty_bars(roll: Roll) -> float | None:
    """Fraction of whole bars without a sounding key."""
    bars = _whole_bars(roll)
    return float((_count_in_bars(_any_in_row(roll.sounding), bars) == 0).mean()) if len(bars) else None


def key_range(roll: Roll) -> float | None:
    """Semitones from the lowest to the highest sounding key."""
    keys = np.flatnonzero(roll.sounding.any(0))
    return float(keys[-1] - keys[0]) if len(keys) else None


def _any_in_row(rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N, ...) whether any value along axis 1 of the array is true."""
    result: NDArray[np.bool_] = np.any(rows, axis=1)
    return result


def _whole_bars(roll: Roll) -> Bars:
    return roll.meter.bars(roll.frames).whole(roll.frames)


def _count_in_bars(frames: NDArray[np.bool_], bars: Bars) -> NDArray[np.int64]:
    """(N,) number of true frames (T,) in each bar."""
    before = np.concatenate([[0], np.cumsum(frames, dtype=np.int64)])
    count: NDArray[np.int64] = before[bars.end] - before[bars.line]
    return count


def _lagged_frames(roll: Roll, lag: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Frames (M,), and the frames at the same position `lag` bars earlier, for bars of the same length."""
    frames = np.arange(roll.frames)
    bars, places = roll.meter.bars(roll.frames), roll.meter.places(frames)
    bar = np.searchsorted(bars.line, frames, side="right") - 1
    earlier_bar = np.maximum(bar - lag, 0)
    earlier = bars.line[earlier_bar] + places.place
    same_length = (bars.end - bars.line)[earlier_bar] == places.length
    # An upbeat is a partial bar, so the earlier position may lie before the piece.
    now = np.flatnonzero((bar >= lag) & (earlier >= 0) & same_length)
    return now, earlier[now]


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
"""All measures, by their names in tables."""
