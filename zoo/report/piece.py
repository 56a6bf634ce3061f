"""Pieces of a report: what plays, and what is said of it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from zoo.music.roll import LOWEST_KEY, Roll

HUMAN = "human"
"""What all pieces stand for together that people wrote, beside models."""


@dataclass(frozen=True)
class Piece:
    """A piece that plays on the page.

    Attributes:
        name: who wrote it, such as the path of a bundle or the title of a song; hidden while listening blind.
        roll: the music.
        kind: what it is, in a few words: `written by the model`, `MIDI file`.
        group: what it shares with the pieces that it is compared with, such as their primer.
        primer: how many frames were given, from the first; the model wrote the others.
        copied: stretches (first frame, frame after the last) that a training piece has too.
        model: digest of the model that wrote it, which tells apart two of one name; `human` where a person
            did, empty where that is not known.
        midi: the file to download; the roll as MIDI if nothing is said.
    """

    name: str
    roll: Roll
    kind: str = "written by the model"
    group: str = ""
    primer: int = 0
    copied: tuple[tuple[int, int], ...] = ()
    model: str = ""
    midi: bytes | None = None

    @property
    def facts(self) -> str:
        """What can be said of it in a line."""
        roll = self.roll
        count, bars = len(roll.notes()), roll.meter.bars(roll.frames).count
        polyphony = float(roll.sounding.sum(1).mean()) if roll.frames else 0.0
        said = [self.kind, _many(count, "note"), f"{_many(bars, 'bar')} of {roll.meter}"]
        return ", ".join([*said, f"{polyphony:.1f} keys at once"])

    @property
    def file_name(self) -> str:
        """What its download is called."""
        return self.name.replace("/", "-").replace("\\", "-").removesuffix(".mid").strip(". -") + ".mid"

    @property
    def link(self) -> str:
        """The MIDI file as a link that holds all of it."""
        from zoo.music.writing import midi_bytes

        content = midi_bytes(self.roll) if self.midi is None else self.midi
        return f"data:audio/midi;base64,{base64.b64encode(content).decode()}"

    def to_json(self) -> dict[str, Any]:
        """What the page needs to draw and play it; notes are (start, end, MIDI key, velocity)."""
        roll = self.roll
        notes = roll.notes()
        columns = (notes.start, notes.end, notes.key + LOWEST_KEY, notes.velocity)
        return {
            "name": self.name,
            "model": self.model,
            "group": self.group,
            "frames": max(roll.frames, 1),
            "grid": roll.meter.grid,
            "tempos": [list(change) for change in roll.tempo_changes or ((0, roll.tempo),)],
            "bars": roll.meter.bar_lines(roll.frames).tolist(),
            "primer": self.primer,
            "copied": [list(stretch) for stretch in self.copied],
            "notes": [list(note) for note in zip(*(column.tolist() for column in columns), strict=True)],
        }


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
