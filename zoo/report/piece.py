"""Pieces of a report: the music to play, and its description."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from zoo.files import encodable
from zoo.music.roll import Roll
from zoo.parts.piano import LOWEST_KEY

HUMAN = "human"
"""The `model` of all pieces that were not generated."""


@dataclass(frozen=True)
class ListeningPiece:
    """A piece that can be played on the page.

    Attributes:
        name: path of the bundle that generated it, or its title; hidden in blind listening.
        roll: the music.
        kind: short description, such as `generated` or `MIDI file`.
        group: heading shared by all pieces that are compared with it, such as their primer.
        primer: number of frames at the beginning that were given to the model.
        copied: stretches (first frame, frame after the last) that also occur in a training piece.
        model: digest of the model, to distinguish models of the same name; `human` for the work of a person,
            empty if unknown.
        midi: the file to download; by default the roll as MIDI.
    """

    name: str
    roll: Roll
    kind: str = "generated"
    group: str = ""
    primer: int = 0
    copied: tuple[tuple[int, int], ...] = ()
    model: str = ""
    midi: bytes | None = None

    @property
    def facts(self) -> str:
        """One line on its kind, length, meter and mean polyphony."""
        roll = self.roll
        count, bars = len(roll.notes()), roll.meter.bars(roll.frames).count
        polyphony = float(roll.sounding.sum(1).mean()) if roll.frames else 0.0
        length = [_with_plural(count, "note"), f"{_with_plural(bars, 'bar')} of {roll.meter}"]
        return ", ".join([self.kind, *length, f"mean polyphony {polyphony:.1f}"])

    @property
    def file_name(self) -> str:
        """File name of the download."""
        return self.name.replace("/", "-").replace("\\", "-").removesuffix(".mid").strip(". -") + ".mid"

    @property
    def link(self) -> str:
        """The MIDI file as a data URL."""
        from zoo.music.writing import midi_bytes

        content = midi_bytes(self.roll) if self.midi is None else self.midi
        return f"data:audio/midi;base64,{base64.b64encode(content).decode()}"

    def to_json(self) -> dict[str, Any]:
        """The data to draw and play it; notes are (start, end, MIDI key, velocity), in frames."""
        roll = self.roll
        notes = roll.notes()
        columns = (notes.start, notes.end, notes.key + LOWEST_KEY, notes.velocity)
        return {
            "name": encodable(self.name),
            "model": self.model,
            "group": encodable(self.group),
            "frames": max(roll.frames, 1),
            "grid": roll.meter.grid,
            "tempos": [list(change) for change in roll.tempo_changes or ((0, roll.tempo),)],
            "bars": roll.meter.bar_lines(roll.frames).tolist(),
            "primer": self.primer,
            "copied": [list(stretch) for stretch in self.copied],
            "notes": [list(note) for note in zip(*(column.tolist() for column in columns), strict=True)],
        }


def _with_plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
