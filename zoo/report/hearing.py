"""What a report lets one hear: models that go on from the same opening, beside how it truly goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from zoo.learn.record import meter_of, pedal_of
from zoo.model.bundle import Bundle
from zoo.model.generate import generate
from zoo.model.weights import digest
from zoo.music.grid import Pedal
from zoo.music.roll import Roll
from zoo.report.piece import Piece

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Opening:
    """What models go on from.

    Attributes:
        group: the heading of the pieces that begin with it.
        seed: of the models' chance.
        primer: the given bars, by frames to a quarter note and where notes end; None to begin from silence.
        whole: how the piece goes on, from the same bar on; None where that is not known.
        title: of the piece.
        kind: what is said of the piece, such as that no model has seen it.
    """

    group: str
    seed: int = 0
    primer: Callable[[int, Pedal], Roll] | None = None
    whole: Roll | None = None
    title: str = ""
    kind: str = "the piece itself"


def continued(
    name: str, bundle: Bundle, opening: Opening, bars: int, progress: Progress = lambda done, total: None
) -> Piece:
    """The piece that a model writes after an opening.

    Args:
        name: what the model is called.
        bundle: the model and what is known of it.
        opening: what it goes on from.
        bars: how many new bars.
        progress: told how many of the new frames are there.

    Raises:
        UsageError, DataError: as `zoo.model.generate.generate`.
    """
    model = bundle.model
    primer = opening.primer(model.grid, pedal_of(bundle.record)) if opening.primer else None
    given = primer.frames if primer else 0
    meter = primer.meter if primer else meter_of(bundle.record, model.grid)
    frames = meter.after(given, bars) - given
    roll = generate(
        model, frames, 1, opening.seed, primer=primer, progress=progress, meter=None if primer else meter
    )[0]
    identity = digest(model.state_dict())[:12]
    return Piece(name, roll, "written by the model", opening.group, primer=given, model=identity)


def truth(opening: Opening, bars: int) -> Piece | None:
    """The piece that the opening is from, as far as the models write; None where it is not known."""
    if opening.whole is None or opening.primer is None:
        return None
    whole = opening.whole
    given = opening.primer(whole.meter.grid, "keep").frames
    end = min(whole.meter.after(given, bars), whole.frames)
    return Piece(opening.title, whole.cut(0, end), opening.kind, opening.group, primer=given)


def silences(bundles: Mapping[str, Bundle], count: int, seed: int) -> list[Opening]:
    """Openings from silence, each with a seed of its own."""
    if not bundles:
        return []
    return [Opening(f"From silence, seed {number}", number) for number in range(seed, seed + count)]
