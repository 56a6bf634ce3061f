"""Rolls in memory as the source of a corpus."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from zoo.data.piece import SourcePiece
from zoo.data.source import DataSource
from zoo.errors import DataError, Problem
from zoo.music.roll import Roll


def source(rolls: Sequence[Roll], name: str, titles: Sequence[str] = ()) -> DataSource:
    """Rolls as a source; the store depends on the music only, so the same rolls are stored once.

    Raises:
        DataError: there are no rolls, the name or a title is not a string, the number of titles differs from
            that of the rolls, or the rolls differ in grid or planes.
    """
    titles = titles or [str(number) for number in range(1, len(rolls) + 1)]
    if problems := _problems(rolls, name, titles):
        raise DataError(*problems)

    def read() -> Iterator[SourcePiece]:
        return (SourcePiece(title, roll) for title, roll in zip(titles, rolls, strict=True))

    return DataSource(
        name=name,
        planes=_planes(rolls[0]),
        size=len(rolls),
        read=read,
        place="rolls",
        state=[list(titles), [_digest(roll) for roll in rolls]],
        grid=rolls[0].meter.grid,
    )


def _problems(rolls: Sequence[Roll], name: str, titles: Sequence[str]) -> list[Problem]:
    if not rolls:
        return [Problem("there are no rolls", name, "give at least one")]
    problems = [
        Problem(f"the {what} must be a string, not {text!r}", str(name), "give a name without a path")
        for what, text in (("name", name), *(("title of a roll", title) for title in titles))
        if not isinstance(text, str)
    ]
    if len(titles) != len(rolls):
        problems.append(Problem(f"{len(titles)} titles for {len(rolls)} rolls", name, "give one title each"))
    if len({roll.meter.grid for roll in rolls}) > 1:
        problems.append(Problem("the rolls are on different grids", name, "read them with one grid"))
    if len({_planes(roll) for roll in rolls}) > 1:
        what = "only some of the rolls have onsets or velocities"
        problems.append(Problem(what, name, "set onset or velocity to None in all of them"))
    return problems


def _planes(roll: Roll) -> frozenset[str]:
    arrays = {"onset": roll.onset, "sounding": roll.sounding, "velocity": roll.velocity}
    return frozenset(plane for plane, array in arrays.items() if array is not None)


def _digest(roll: Roll) -> str:
    digest = hashlib.sha256(repr((asdict(roll.meter), roll.tempo)).encode())
    for plane in (roll.onset, roll.sounding, roll.velocity):
        digest.update(b"" if plane is None else plane.tobytes())
    return digest.hexdigest()
