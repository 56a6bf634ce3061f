"""Render a roll as a WAV file, with fluidsynth if it is installed, else with a built-in piano.

The built-in piano is an additive synthesizer: up to 16 partials per note, stretched as those of stiff strings
(Fletcher, Normal vibration frequencies of a stiff piano string, 1964), with a faster decay of higher
partials, an attack of 4 ms and a damper. It needs no samples and gives the same bytes on every machine.
"""

from __future__ import annotations

import io
import os
import subprocess
import tempfile
import wave
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zoo.errors import Problem, UsageError, ZooError
from zoo.files import write_file, writing
from zoo.music.notes import Notes
from zoo.music.tempo import played_at
from zoo.parts.piano import LOWEST_KEY
from zoo.programs import find_program

if TYPE_CHECKING:
    from zoo.music.roll import Roll

RATE = 44100
"""Samples per second."""
MAX_SECONDS = 1800
"""Maximum length of a piece; rendering it takes half a gigabyte of memory."""
PARTIALS = 16
MAX_FREQUENCY = 15_000
"""Hz; partials above it are left out."""
STIFFNESS = 2e-4
ATTACK, RELEASE, TAIL = 0.004, 0.07, 0.5
"""Seconds until full amplitude, until a damped note has decayed to a third, and until it is cut off."""
LOUDNESS, PEAK = 0.25, 0.9
"""Amplitude of a note at full velocity, and maximum amplitude of a piece; full scale is 1."""
SOUNDFONTS = ("/usr/share/sounds/sf2", "/usr/share/sounds/sf3", "/usr/share/soundfonts")
"""System folders of soundfonts; if they contain none, the one that comes with pretty_midi is used."""

FLUIDSYNTH = "fluidsynth"
GAIN = "0.6"
"""Gain of fluidsynth; its default is meant for many instruments at once and too quiet for a piano alone."""

Samples = NDArray[np.float32]


def write_wav(roll: Roll, path: str | Path, *, instrument: int = 0) -> None:
    """Write a roll as a WAV file with 16 bits and 44.1 kHz; see `rendered`.

    Raises:
        UsageError: the music is too long.
        ZooError: the file cannot be written, or fluidsynth fails.
    """
    write_file(path, rendered(roll, instrument))


def rendered(roll: Roll, instrument: int = 0) -> bytes:
    """Render a roll as the content of a WAV file with 16 bits and 44.1 kHz.

    If fluidsynth and a soundfont are installed, they are used, in stereo. The environment variable
    `ZOO_SOUNDFONT` selects another soundfont; if it is empty, the built-in piano is used, which plays every
    instrument as a piano.

    Args:
        roll: the music, at most half an hour.
        instrument: General MIDI program, 0..127; only used by fluidsynth.

    Raises:
        UsageError: the music is too long.
        ZooError: fluidsynth fails, or its temporary files cannot be written.
    """
    check_length(_length(roll))
    font = soundfont()
    return wav_bytes(sound(roll)) if font is None else _fluidsynth(roll, font, instrument)


def sound(roll: Roll) -> Samples:
    """Render a roll with the built-in piano.

    A piece that would clip is scaled down as a whole.

    Returns:
        (N,) float32 samples in -1..1, with half a second after the end of the roll.

    Raises:
        UsageError: the roll is longer than half an hour.
    """
    check_length(_length(roll))
    notes = roll.notes()
    starts, ends = _seconds(roll, notes.start), _seconds(roll, notes.end)
    mixed = np.zeros(round((_length(roll) + TAIL) * RATE) + 1, np.float32)
    for key in np.unique(notes.key):
        _add_key(mixed, int(key), notes, starts, ends)
    peak = float(np.abs(mixed).max(initial=0))
    return mixed * np.float32(PEAK / peak) if peak > PEAK else mixed


def wav_bytes(samples: Samples) -> bytes:
    """Encode samples in -1..1 as a mono WAV file with 16 bits."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32767).round().astype("<i2").tobytes())
    return content.getvalue()


def soundfont() -> Path | None:
    """The soundfont for fluidsynth; None if either is missing, or `ZOO_SOUNDFONT` is empty."""
    if not find_program(FLUIDSYNTH):
        return None
    variable = os.environ.get("ZOO_SOUNDFONT")
    if variable is not None:
        return Path(variable) if variable else None
    package = find_spec("pretty_midi")
    folders = [*SOUNDFONTS, *((package and package.submodule_search_locations) or ())]
    soundfonts = (path for folder in folders for path in sorted(Path(folder).glob("*.sf[23]")))
    return next(soundfonts, None)


def check_length(seconds: float) -> None:
    """Check that music is short enough for sound.

    Raises:
        UsageError: it is longer than `MAX_SECONDS`.
    """
    if seconds > MAX_SECONDS:
        what = (
            f"the music lasts {seconds / 60:.0f} minutes; at most {MAX_SECONDS // 60} can be written as sound"
        )
        raise UsageError(Problem(what, hint="write a MIDI file, or less music"))


def _length(roll: Roll) -> float:
    return float(_seconds(roll, np.array([roll.frames]))[0])


def _seconds(roll: Roll, frames: NDArray[np.int64]) -> NDArray[np.float64]:
    return played_at(frames, roll.meter.grid, roll.tempo, roll.tempo_changes)


def _add_key(
    mixed: Samples, key: int, notes: Notes, starts: NDArray[np.float64], ends: NDArray[np.float64]
) -> None:
    """Add all notes of a key; the string is synthesized once, for the longest note."""
    own = np.flatnonzero(notes.key == key)
    longest = float((ends - starts)[own].max()) + TAIL
    mellow, bright = _string(key, longest)
    for note in own.tolist():
        loudness = float(notes.velocity[note]) / 127
        duration = ends[note] - starts[note]
        count = round((duration + TAIL) * RATE)
        amplitude = np.float32(LOUDNESS * loudness**1.6) * _envelope(count, duration)
        first = round(starts[note] * RATE)
        target = slice(first, min(first + count, len(mixed)))
        samples = (mellow[:count] + np.float32(loudness) * bright[:count]) * amplitude
        mixed[target] += samples[: target.stop - target.start]


def _string(key: int, seconds: float) -> tuple[Samples, Samples]:
    """An undamped string: its low partials, and the high partials, which louder notes have more of."""
    time = np.arange(round(seconds * RATE) + 1, dtype=np.float32) / np.float32(RATE)
    pitch = 440 * 2 ** ((key + LOWEST_KEY - 69) / 12)
    mellow, bright = np.zeros_like(time), np.zeros_like(time)
    decay_time = 3.0 * 2 ** (-(key + LOWEST_KEY - 48) / 24)  # shorter in the treble
    for partial in range(1, PARTIALS + 1):
        frequency = partial * pitch * (1 + STIFFNESS * (partial**2 - 1)) ** 0.5
        if frequency > MAX_FREQUENCY:
            break
        # The hammer strikes at an eighth of the string, where every eighth partial has a node.
        amplitude = partial**-1.5 * (0.25 if partial % 8 == 0 else 1)
        decay = np.exp(-time * np.float32(partial**0.6 / decay_time))
        sine = np.sin(np.float64(2 * np.pi * frequency) * time).astype(np.float32)
        (mellow if partial <= 3 else bright)[:] += np.float32(amplitude) * decay * sine
    return mellow, bright


def _envelope(count: int, duration: float) -> Samples:
    """The amplitude of a note: the attack of the hammer, and the release by the damper."""
    time = np.arange(count, dtype=np.float32) / np.float32(RATE)
    rise = np.minimum(time / np.float32(ATTACK), 1)
    fall = np.exp(-np.maximum(time - np.float32(duration), 0) / np.float32(RELEASE))
    envelope: Samples = (rise * fall).astype(np.float32)
    envelope[-64:] *= np.linspace(1, 0, min(64, count), dtype=np.float32)  # end at 0, without a click
    return envelope


def _fluidsynth(roll: Roll, font: Path, instrument: int) -> bytes:
    from zoo.music.writing import midi_bytes

    with writing("the temporary folder"), tempfile.TemporaryDirectory() as folder:
        midi, wav = Path(folder, "song.mid"), Path(folder, "song.wav")
        midi.write_bytes(midi_bytes(roll, instrument))
        command = [
            find_program(FLUIDSYNTH) or FLUIDSYNTH,
            "-ni",
            "-q",
            "-g",
            GAIN,
            "-r",
            str(RATE),
            "-F",
            str(wav),
            str(font.absolute()),
            str(midi),
        ]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode or not wav.is_file():
            output = (result.stderr.strip() or result.stdout.strip()).splitlines()
            what = f"fluidsynth failed: {output[-1] if output else 'no sound'}"
            hint = "set the environment variable ZOO_SOUNDFONT to an empty value to use the built-in piano"
            raise ZooError(Problem(what, str(font), hint))
        return wav.read_bytes()
