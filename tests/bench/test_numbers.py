"""The numbers of a table equal those computed by hand, for three pieces and two seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import atan, pi

import numpy as np
import pytest

from zoo.bench.formatted import format_tables, table_to_json
from zoo.bench.rows import StudyRow, StudyTable
from zoo.errors import ZooError
from zoo.measure.evaluation import Evaluation, Term

from . import conftest

Tabled = Callable[..., StudyTable]
FRAMES = (10, 30, 60)
TOTALS = (30, 60, 60), (34, 66, 70)
"""Nats of each piece, all terms together: 1.5 a frame from the first seed, 1.7 from the second."""
OTHERS = (42, 50, 38), (38, 58, 84)
"""Of what it is compared with: 1.3 and 1.8."""


def row(*seeds: dict[str, Term], frames: Sequence[float] = FRAMES) -> StudyRow:
    names = tuple(map(str, range(len(frames))))
    evaluations = (Evaluation(names, names, np.array(frames, float), terms) for terms in seeds)
    return StudyRow({}, "", tuple(evaluations), parameters={"core": 1000})


def term(*nats: float, kind: str = "exact", variance: Sequence[float] | None = None) -> Term:
    return Term(np.array(nats, float), kind, None if variance is None else np.array(variance, float))


def plain(*seeds: Sequence[float], kind: str = "exact", frames: Sequence[float] = FRAMES) -> StudyRow:
    return row(*({"codes": term(*nats, kind=kind)} for nats in seeds), frames=frames)


def left_out(nats: Sequence[float], frames: Sequence[float] = FRAMES) -> float:
    """Jackknife variance of the mean over pieces."""
    count, mean = len(frames), sum(nats) / sum(frames)
    without = [(sum(nats) - nats[i]) / (sum(frames) - frames[i]) for i in range(count)]
    return (count - 1) / count * sum((estimate - mean) ** 2 for estimate in without)


def between(*means: float) -> float:
    """Variance of the mean over seeds."""
    middle = sum(means) / len(means)
    return sum((mean - middle) ** 2 for mean in means) / (len(means) - 1) / len(means)


def freedom(of_pieces: float, of_seeds: float) -> float:
    """Satterthwaite's degrees of freedom, from two seeds and the effective number of pieces."""
    alike = 100**2 / (10**2 + 30**2 + 60**2)
    return (of_pieces + of_seeds) ** 2 / (of_pieces**2 / (alike - 1) + of_seeds**2)


def test_a_figure_sums_its_terms_over_frames_and_seeds() -> None:
    first = {
        "codes": term(20, 40, 30, kind="bound"),
        "keys": term(6, 14, 20, kind="estimate", variance=(4, 9, 12)),
        "residual": term(4, 6, 10, variance=(13, 13, 13)),
    }
    second = {
        "codes": term(24, 46, 40, kind="bound"),
        "keys": term(6, 14, 20, kind="estimate", variance=(5, 10, 15)),
        "residual": term(4, 6, 10, variance=(20, 10, 20)),
    }
    study_row = row(first, second)
    score = study_row.figure("codes", "keys", "residual")
    assert score.value == pytest.approx(1.6)
    assert score.kind == "estimated bound"
    assert (score.count, score.pieces) == (100, 3)
    # the root of 25 + 39 + 30 + 50, a mean of two seeds over a hundred frames
    assert score.error == pytest.approx(12 / 2 / 100)
    assert score.interval == pytest.approx(plain(*TOTALS).figure("codes").interval)
    assert study_row.by_seed("codes", "keys", "residual") == pytest.approx([1.5, 1.7])
    keys = study_row.figure("keys")
    assert (keys.value, keys.kind) == (pytest.approx(0.4), "estimate")
    assert keys.error == pytest.approx(55**0.5 / 2 / 100)
    codes = study_row.figure("codes")
    assert (codes.value, codes.kind, codes.error) == (pytest.approx(1.0), "bound", None)


def test_the_interval_of_a_figure_is_of_pieces_and_seeds() -> None:
    of_pieces, of_seeds = left_out((32, 63, 65)), between(1.5, 1.7)
    assert (of_pieces, of_seeds) == pytest.approx((0.452099, 0.01), abs=1e-6)
    assert freedom(of_pieces, of_seeds) == pytest.approx(1.2257, abs=1e-4)
    half = 8.3165 * (of_pieces + of_seeds) ** 0.5
    assert plain(*TOTALS).figure("codes").interval == pytest.approx((1.6 - half, 1.6 + half), rel=5e-4)


def test_a_difference_is_paired_by_piece_and_seed() -> None:
    difference = plain(*TOTALS, kind="bound").minus(plain(*OTHERS), "codes")
    # the differences of the pieces per frame are -0.8, 0.3 and 0.067, whose mean would be -0.144
    assert difference.value == pytest.approx(0.05)
    assert (difference.kinds, difference.pieces) == (("bound", "exact"), 3)
    of_pieces, of_seeds = left_out((-8, 9, 4)), between(0.2, -0.1)
    assert freedom(of_pieces, of_seeds) == pytest.approx(1.9796, abs=1e-4)
    half = 4.3455 * (of_pieces + of_seeds) ** 0.5
    assert difference.interval == pytest.approx((0.05 - half, 0.05 + half), rel=5e-4)
    back = plain(*OTHERS).minus(plain(*TOTALS, kind="bound"), "codes")
    assert (back.value, back.kinds) == (pytest.approx(-0.05), ("exact", "bound"))


def test_one_seed_has_an_interval_over_pieces_alone() -> None:
    # Pieces of 10, 40 and 90 frames are effectively two, so Student's t has one degree of freedom.
    figure = plain((20, 90, 170), frames=(10, 40, 90)).figure("codes")
    # Leaving out each of them in turn gives 2, 1.9 and 2.2 nats per frame.
    half = 12.7062 * (2 / 3 * (0 + 0.01 + 0.04)) ** 0.5
    assert figure.value == pytest.approx(2)
    assert figure.interval == pytest.approx((2 - half, 2 + half), rel=5e-4)


def test_p_value_is_two_sided() -> None:
    few = (10, 40, 90)
    first, second = (replace(plain(nats, frames=few), parameters={}) for nats in ((20, 90, 170), (0, 0, 0)))
    # With one degree of freedom, as above, Student's t is the Cauchy distribution.
    statistic = 2 / (2 / 3 * (0 + 0.01 + 0.04)) ** 0.5
    for difference in (first.minus(second, "codes"), second.minus(first, "codes")):
        assert difference.p_value == pytest.approx(1 - 2 / pi * atan(statistic), abs=2e-4)
        assert not difference.is_clear


GRID = 'attention = ["none", "last"]\nsampler = "independent"\ndecoder = "uniform"'
KEYS = {"uniform": {"nats": [(10, 30, 60)], "variance": [(4, 9, 12)], "kind": "estimate"}}
LOW, HIGH = {"nats": TOTALS}, {"nats": [(60, 90, 90), (70, 90, 90)]}


def test_parts_that_learn_nothing_are_repeated_for_each_seed(tabled: Tabled) -> None:
    table = tabled(GRID, core={"none": LOW, "last": HIGH}, decoder=KEYS)
    low, high = table.rows
    assert low.by_seed("codes") == pytest.approx([1.5, 1.7])
    assert low.by_seed("keys") == pytest.approx([1, 1])
    assert low.by_seed(*table.terms) == pytest.approx([2.5, 2.7])
    assert high.by_seed(*table.terms) == pytest.approx([3.4, 3.5])
    shown = table_to_json(table)["rows"][0]
    assert shown["by_seed"] == pytest.approx([2.5, 2.7])
    assert shown["score"]["value"] == pytest.approx(2.6)
    assert shown["score"]["kind"] == "estimate"
    assert shown["to_next"]["value"] == pytest.approx(2.6 - 3.45)


def test_results_of_different_music_share_no_table(tabled: Tabled) -> None:
    high = {**HIGH, "digest": "e" * 64}
    with pytest.raises(ZooError, match="of different music") as caught:
        tabled(GRID, core={"none": LOW, "last": high}, decoder=KEYS)
    assert "d" * 12 in str(caught.value)
    assert "e" * 12 in str(caught.value)


def test_floors_of_different_music_share_no_table(tabled: Tabled) -> None:
    floors = {"rates": {"codes": (90, 270, 540), "keys": (0, 0, 0)}}
    decoder = {"uniform": {**KEYS["uniform"], "digest": "e" * 64}}
    core = {name: {**nats, "digest": "e" * 64} for name, nats in (("none", LOW), ("last", HIGH))}
    with pytest.raises(ZooError, match="of different music"):
        tabled(GRID, floors, core=core, decoder=decoder)


def test_music_without_loudness_has_rows_of_parts_that_learn_it(tabled: Tabled) -> None:
    floors = {"rates": {"codes": (90, 270, 540), "keys": (0, 0, 0)}}
    table = tabled(f'{GRID}\nvelocity = "lstm"', floors, core={"none": LOW, "last": HIGH}, decoder=KEYS)
    assert [row.figure(*table.terms).value for row in table.rows] == pytest.approx([2.6, 3.45, 9])
    assert table.missing == ()
    assert len(list(format_tables(table))) == 1


LOUD = {
    "planes": ("sounding", "velocity"),
    "floors": {
        "rates": {"codes": (90, 270, 540), "keys": (0, 0, 0)},
        "velocity=mean": {"velocity": (20, 30, 50)},
    },
    "core": {"none": LOW, "last": HIGH},
    "decoder": KEYS,
}


def test_rows_wait_for_results_of_velocity(tabled: Tabled) -> None:
    table = tabled(f'{GRID}\nvelocity = "lstm"', **LOUD)
    assert len(table.missing) == 2
    assert [row.floor for row in table.rows] == ["rates"]


def test_rows_and_velocities_are_listed_without_duplicates(
    tabled: Tabled,
) -> None:
    velocity = {"lstm": {"nats": [(16, 24, 40), (17, 25, 42)]}, "key": {"nats": [(18, 27, 45)]}}
    table = tabled(f'{GRID}\nvelocity = ["lstm", "key"]', **LOUD, velocity=velocity)
    assert [row.labels["attention"] for row in table.rows if not row.floor] == ["none", "last"]
    _, loudness = format_tables(table)
    column = loudness.headings.index("nats ↓")
    assert [line.cells[column] for line in loudness.lines] == ["4.100", "4.500", "5.000"]
    assert [line.is_floor for line in loudness.lines] == [False, False, True]
    assert "n = 3 test pieces, 20 struck notes, 2 seeds; music dddddddddddd" in loudness.explanations()


def test_a_table_of_one_piece_counts_in_the_singular(tabled: Tabled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conftest, "FRAMES", (1,))
    alone = {"nats": [(3,), (2,)]}
    (sheet,) = format_tables(
        tabled(GRID, core={"none": alone, "last": alone}, decoder={"uniform": {"nats": [(0,)]}})
    )
    assert "n = 1 test piece, 1 frame, 2 seeds; music dddddddddddd" in sheet.explanations()


def test_caption_says_if_velocity_is_not_compared(tabled: Tabled) -> None:
    table = tabled(f'{GRID}\nvelocity = ["none", "lstm"]', core={"none": LOW, "last": HIGH}, decoder=KEYS)
    (sheet,) = format_tables(table)
    assert [line.cells[0] for line in sheet.lines] == ["none", "last"]
    assert "this music has no velocities, so they are not compared" in sheet.explanations()


def test_the_share_of_frames_that_escape_is_of_all_frames(tabled: Tabled) -> None:
    floors = {"rates": {"codes": (90, 270, 540), "keys": (0, 0, 0)}}
    core = {"none": {**LOW, "escaped": (2, 3, 7)}, "last": HIGH}
    table = tabled(GRID, floors, core=core, decoder=KEYS)
    (sheet,) = format_tables(table)
    column = sheet.headings.index("escape")
    assert [line.cells[column] for line in sheet.lines] == ["12.0%", "–", "–"]
    assert table_to_json(table)["rows"][0]["escaped"] == pytest.approx(0.12)
    assert table_to_json(table)["rows"][1]["escaped"] is None
