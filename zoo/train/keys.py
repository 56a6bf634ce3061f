"""The keys of a training besides parts and training settings: the music and the seed."""

from __future__ import annotations

from typing import Literal

from zoo.parts import setting
from zoo.registry.recipe import GridKeys


class ReadingKeys(GridKeys):
    """How MIDI files are read."""

    pedal: Literal["keep", "hold"] = setting(
        "keep", "where notes end: keep, when the key is released; hold, when the sustain pedal rises"
    )


class MusicKeys(ReadingKeys):
    """Which music is read, and how; the keys of every command that takes music."""

    data: str = setting("bach", "bach or another name of `zoo data list`, a folder of MIDI files, or a file")
    family: str = setting(
        "",
        "pieces to keep in one split: a regular expression on titles, or a CSV file of titles and families",
    )


class TrainKeys(MusicKeys):
    """The keys of `zoo train` besides parts and training settings."""

    seed: int = setting(0, "seed of the initial weights and of all random choices", ge=0)
