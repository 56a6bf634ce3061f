"""Sound: a roll as a WAV file, by a small piano of the zoo's own or by fluidsynth where that is installed.

The piano adds up to 16 partials of a string to each note (stretched as stiff strings are: Fletcher,
Normal vibration frequencies of a stiff piano string, 1964), the higher ones dying sooner, with an attack of
4 ms and a damper. It needs no samples and gives the same bytes everywhere.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tempfile
import wave
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.errors import Problem, UsageError, ZooError
from zoo.files import new_file, write_file
from zoo.music.roll import LOWEST_KEY, Notes, Roll
from zoo.music.tempo import played_at

RATE = 44100
"""Samples in a second."""
LONGEST = 1800
"""Seconds of the longest piece that becomes sound; it takes half a gigabyte of memory."""
PARTIALS = 16
TOP = 15_000
"""Hz above which a note has no partials."""
STIFFNESS = 2e-4
ATTACK, RELEASE, TAIL = 0.004, 0.07, 0.5
"""Seconds: to full loudness, until a damped note has a third of its loudness, and until it is cut off."""
LOUDNESS, PEAK = 0.25, 0.9
"""Of a note at full velocity, and the most that a piece may reach; 1 is the most a file can hold."""
SOUNDFONTS = ("/usr/share/sounds/sf2", "/usr/share/sounds/sf3", "/usr/share/soundfonts")
"""Where systems keep soundfonts; pretty_midi brings one, for where they keep none."""

GAIN = "0.6"
"""Of fluidsynth: its own default is meant for many instruments at once, and a piano alone would be faint."""

Samples = NDArray[np.float32]


def write_wav(roll: Roll, path: str | Path, *, instrument: int = 0) -> None:
    """Write a roll as a WAV file of 16 bits, 44.1 kHz.

    Where fluidsynth and a soundfont are installed, they play it (in stereo); `ZOO_SOUNDFONT` names another
    soundfont, or, empty, asks for the zoo's own piano. That one plays every instrument as a piano.

    Args:
        roll: the music, at most half an hour of it.
        path: the file.
        instrument: General MIDI program, 0..127, for fluidsynth.

    Raises:
        UsageError: it is too long.
        ZooError: the file cannot be written, or fluidsynth fails.
    """
    _check(roll)
    font = soundfont()
    if font is None:
        write_file(path, wav_bytes(sound(roll)))
    else:
        _fluidsynth(roll, Path(path), font, instrument)


def sound(roll: Roll) -> Samples:
    """The samples (N,) of a roll as the zoo's piano plays it, in -1..1; the end rings for half a second.

    A piece that would be too loud is turned down as a whole, so that nothing is distorted.

    Raises:
        UsageError: the roll is longer than half an hour.
    """
    _check(roll)
    notes = roll.notes()
    starts, ends = _seconds(roll, notes.start), _seconds(roll, notes.end)
    mixed = np.zeros(round((_length(roll) + TAIL) * RATE) + 1, np.float32)
    for key in np.unique(notes.key):
        _add_key(mixed, int(key), notes, starts, ends)
    peak = float(np.abs(mixed).max(initial=0))
    return mixed * np.float32(PEAK / peak) if peak > PEAK else mixed


def wav_bytes(samples: Samples) -> bytes:
    """Samples in -1..1 as a WAV file of one channel, 16 bits."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32767).round().astype("<i2").tobytes())
    return content.getvalue()


def soundfont() -> Path | None:
    """The soundfont that fluidsynth plays with; None where one of the two is missing or not wanted."""
    if not shutil.which("fluidsynth"):
        return None
    named = os.environ.get("ZOO_SOUNDFONT")
    if named is not None:
        return Path(named) if named else None
    brought = find_spec("pretty_midi")
    folders = [*SOUNDFONTS, *((brought and brought.submodule_search_locations) or ())]
    found = (path for folder in folders for path in sorted(Path(folder).glob("*.sf[23]")))
    return next(found, None)


def _check(roll: Roll) -> None:
    length = _length(roll)
    if length > LONGEST:
        what = (
            f"the music lasts {length / 60:.0f} minutes, and {LONGEST // 60} are the most that become sound"
        )
        raise UsageError(Problem(what, hint="write a MIDI file, or less music"))


def _length(roll: Roll) -> float:
    return float(_seconds(roll, np.array([roll.frames]))[0])


def _seconds(roll: Roll, frames: NDArray[np.int64]) -> NDArray[np.float64]:
    return played_at(frames, roll.meter.grid, roll.tempo, roll.tempo_changes)


def _add_key(
    mixed: Samples, key: int, notes: Notes, starts: NDArray[np.float64], ends: NDArray[np.float64]
) -> None:
    """Add all notes of a key, each cut from one string that rings as long as the longest of them."""
    mine = np.flatnonzero(notes.key == key)
    longest = float((ends - starts)[mine].max()) + TAIL
    mellow, bright = _string(key, longest)
    for note in mine.tolist():
        loud = float(notes.velocity[note]) / 127
        held = ends[note] - starts[note]
        count = round((held + TAIL) * RATE)
        level = np.float32(LOUDNESS * loud**1.6) * _damper(count, held)
        first = round(starts[note] * RATE)
        place = slice(first, min(first + count, len(mixed)))
        played = (mellow[:count] + np.float32(loud) * bright[:count]) * level
        mixed[place] += played[: place.stop - place.start]


def _string(key: int, seconds: float) -> tuple[Samples, Samples]:
    """A struck string that is not damped: its low partials, and those that a hard stroke adds."""
    time = np.arange(round(seconds * RATE) + 1, dtype=np.float32) / np.float32(RATE)
    pitch = 440 * 2 ** ((key + LOWEST_KEY - 69) / 12)
    mellow, bright = np.zeros_like(time), np.zeros_like(time)
    life = 3.0 * 2 ** (-(key + LOWEST_KEY - 48) / 24)  # the treble dies sooner
    for partial in range(1, PARTIALS + 1):
        frequency = partial * pitch * (1 + STIFFNESS * (partial**2 - 1)) ** 0.5
        if frequency > TOP:
            break
        loud = partial**-1.5 * (0.25 if partial % 8 == 0 else 1)  # the hammer strikes at an eighth
        ring = np.exp(-time * np.float32(partial**0.6 / life))
        wave_form = (
            np.float32(loud) * ring * np.sin(np.float64(2 * np.pi * frequency) * time).astype(np.float32)
        )
        (mellow if partial <= 3 else bright)[:] += wave_form
    return mellow, bright


def _damper(count: int, held: float) -> Samples:
    """How far a note sounds: it rises with the hammer and falls with the damper."""
    time = np.arange(count, dtype=np.float32) / np.float32(RATE)
    rise = np.minimum(time / np.float32(ATTACK), 1)
    fall = np.exp(-np.maximum(time - np.float32(held), 0) / np.float32(RELEASE))
    level: Samples = (rise * fall).astype(np.float32)
    level[-64:] *= np.linspace(1, 0, min(64, count), dtype=np.float32)
    return level


def _fluidsynth(roll: Roll, path: Path, font: Path, instrument: int) -> None:
    from zoo.music.writing import midi_bytes

    with new_file(path) as part, tempfile.TemporaryDirectory() as folder:
        song, played = Path(folder, "song.mid"), Path(folder, "song.wav")
        song.write_bytes(midi_bytes(roll, instrument))
        words = [
            "fluidsynth",
            "-ni",
            "-q",
            "-g",
            GAIN,
            "-r",
            str(RATE),
            "-F",
            str(played),
            str(font),
            str(song),
        ]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode or not played.is_file():
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            hint = "ZOO_SOUNDFONT= (empty) plays with the zoo's own piano"
            raise ZooError(Problem(f"fluidsynth failed: {said[-1] if said else 'no sound'}", str(font), hint))
        shutil.copyfile(played, part)
