"""Sound: correct frequencies, times and durations, without clipping."""

from __future__ import annotations

import io
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from zoo.errors import UsageError, ZooError
from zoo.music import sound as piano
from zoo.music.meter import Meter
from zoo.music.roll import Notes, Roll
from zoo.music.sound import RATE, TAIL, sound, soundfont, wav_bytes, write_wav


def roll(*notes: tuple[int, int, int, int], frames: int = 0, **attributes: Any) -> Roll:
    """The roll of (start, end, MIDI pitch, velocity)."""
    start, end, pitch, loud = (np.array(column) for column in zip(*notes, strict=True))
    return Roll.from_notes(Notes(start, end, pitch - 21, loud.astype(np.uint8)), frames, **attributes)


def level(samples: NDArray[np.float32], first: float, last: float) -> float:
    """Root mean square between two times in seconds."""
    part = samples[round(first * RATE) : round(last * RATE)]
    return float(np.sqrt((part**2).mean()))


def peaks(samples: NDArray[np.float32], pitches: list[int]) -> list[float]:
    """The frequency of the strongest tone within a semitone of each pitch."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    frequencies = []
    for pitch in pitches:
        frequency = 440 * 2 ** ((pitch - 69) / 12)
        near = np.flatnonzero(np.abs(np.log2(hertz.clip(1) / frequency)) < 1 / 24)
        frequencies.append(float(hertz[near[spectrum[near].argmax()]]))
        assert spectrum[near].max() > 10 * np.median(spectrum)
    return frequencies


@pytest.mark.parametrize("pitch", [21, 33, 45, 60, 69, 84, 108])
def test_each_key_has_its_frequency(pitch: int) -> None:
    samples = sound(roll((0, 16, pitch, 80)))
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    assert peaks(samples, [pitch]) == [pytest.approx(frequency, rel=0.004, abs=0.6)]


def test_a_chord_has_all_frequencies() -> None:
    chord = [48, 60, 64, 67]
    samples = sound(roll(*((0, 16, pitch, 80) for pitch in chord)))
    assert peaks(samples, chord) == pytest.approx(
        [440 * 2 ** ((pitch - 69) / 12) for pitch in chord], rel=0.004
    )


def test_sound_has_the_duration_of_the_music_and_a_tail() -> None:
    music = roll((0, 8, 60, 80), frames=32, tempo=90.0, meter=Meter(8))
    samples = sound(music)
    assert len(samples) / RATE == pytest.approx(32 / 8 * 60 / 90 + TAIL, abs=0.001)
    assert level(samples, 0.05, 0.6) > 0.01
    assert level(samples, 1.5, 2.5) < 1e-3


def test_notes_start_on_time_after_tempo_changes() -> None:
    music = roll((0, 1, 60, 80), (8, 9, 60, 80), (12, 13, 60, 80), frames=16)
    samples = sound(replace(music, tempo=80.0, tempo_changes=((0, 120.0), (8, 60.0))))
    starts = (0.0, 1.0, 2.0)
    for start in starts:
        assert level(samples, start, start + 0.1) > 5 * level(
            samples, max(start - 0.1, 0.9), start if start else 0.99
        )
    assert len(samples) / RATE == pytest.approx(3.0 + TAIL, abs=0.001)


def test_a_repeated_note_is_struck_again() -> None:
    held, again = sound(roll((0, 16, 60, 80))), sound(roll((0, 8, 60, 80), (8, 16, 60, 80)))
    assert level(again, 1.01, 1.2) > 1.2 * level(held, 1.01, 1.2)


def test_loud_notes_are_louder_and_brighter() -> None:
    soft, loud = (sound(roll((0, 8, 57, velocity))) for velocity in (30, 120))
    assert level(loud, 0, 1) > 4 * level(soft, 0, 1)

    def brightness(samples: NDArray[np.float32]) -> float:
        spectrum = np.abs(np.fft.rfft(samples))
        return float(spectrum[np.fft.rfftfreq(len(samples), 1 / RATE) > 800].sum() / spectrum.sum())

    assert brightness(loud) > 1.2 * brightness(soft)


def test_the_loudest_music_does_not_clip() -> None:
    samples = sound(roll(*((0, 16, pitch, 127) for pitch in range(21, 109))))
    assert np.abs(samples).max() == pytest.approx(0.9, abs=1e-4)
    quiet = sound(roll((0, 16, 60, 40)))
    assert np.abs(quiet).max() < 0.2


def test_silence_is_silent() -> None:
    samples = sound(Roll.from_notes(Notes.none(), frames=16))
    assert not samples.any()
    assert len(samples) / RATE == pytest.approx(2 + TAIL, abs=0.001)


def test_the_file_is_a_valid_wav_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_SOUNDFONT", "")
    music = roll((0, 8, 60, 80))
    write_wav(music, tmp_path / "x.wav")
    content = (tmp_path / "x.wav").read_bytes()
    assert content == wav_bytes(sound(music))
    with wave.open(io.BytesIO(content)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        read = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert read == pytest.approx(sound(music) * 32767, abs=0.51)


def test_more_than_half_an_hour_is_rejected(tmp_path: Path) -> None:
    long = roll((0, 1, 60, 80), frames=4 * 2 * 60 * 31)
    for render in (lambda: sound(long), lambda: write_wav(long, tmp_path / "x.wav")):
        with pytest.raises(UsageError, match="lasts 31 minutes; at most 30 can be written"):
            render()


@pytest.fixture
def synthesiser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake fluidsynth that copies its MIDI file to the output."""
    program = tmp_path / "bin" / "fluidsynth"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\ncp "${10}" "$8"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("ZOO_SOUNDFONT", str(tmp_path / "grand.sf2"))
    return program


def test_fluidsynth_is_used_if_installed(synthesiser: Path, tmp_path: Path) -> None:
    from zoo.music.writing import midi_bytes

    music = roll((0, 8, 60, 80))
    write_wav(music, tmp_path / "x.wav", instrument=40)
    assert (tmp_path / "x.wav").read_bytes() == midi_bytes(music, 40)


def test_errors_of_fluidsynth_are_reported(
    synthesiser: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthesiser.write_text("#!/bin/sh\necho no font >&2\nexit 1\n")
    with pytest.raises(
        ZooError, match=r"grand.sf2: fluidsynth failed: no font\n  set the environment variable ZOO_SOUNDFONT"
    ):
        write_wav(roll((0, 8, 60, 80)), tmp_path / "x.wav")
    assert not (tmp_path / "x.wav").exists()


def test_a_soundfont_is_found_or_selected(
    synthesiser: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert soundfont() == tmp_path / "grand.sf2"
    monkeypatch.setenv("ZOO_SOUNDFONT", "")
    assert soundfont() is None
    monkeypatch.delenv("ZOO_SOUNDFONT")
    (tmp_path / "fonts").mkdir()
    monkeypatch.setattr(piano, "SOUNDFONTS", (str(tmp_path / "none"), str(tmp_path / "fonts")))
    monkeypatch.setattr(piano, "find_spec", lambda name: None)
    assert soundfont() is None
    (tmp_path / "fonts" / "b.sf2").write_bytes(b"")
    assert soundfont() == tmp_path / "fonts" / "b.sf2"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert soundfont() is None
