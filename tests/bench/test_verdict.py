"""Verdicts: which rows a name matches, and the words for differences of each kind."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zoo.bench.reading import READING
from zoo.bench.rows import StudyTable
from zoo.bench.verdict import Verdict, verdict
from zoo.errors import UsageError
from zoo.measure.evaluation import Evaluation

Tabled = Callable[..., StudyTable]
ATTENTIONS = 'attention = ["none", "last"]\nsampler = "independent"\ndecoder = "uniform"'
PRODUCT = 'attention = ["none", "last"]\nsampler = "independent"\ndecoder = ["lstm", "rbm"]'
KEYS = {"uniform": {"nats": [(0, 0, 0)]}}


def level(nats: float, **more: Any) -> dict[str, Any]:
    """Results of two seeds with this mean of nats per frame, and small differences between pieces."""
    first = [10 * nats + 0.02, 30 * nats, 60 * nats - 0.02]
    return {"nats": [first, [10 * nats, 30 * nats + 0.02, 60 * nats - 0.02]], **more}


OPEN = "no clear difference, as a bound leaves the order open:"


def compared(tabled: Tabled, none: dict[str, Any], last: dict[str, Any]) -> Verdict:
    """The verdict of `none` against `last`."""
    return verdict(tabled(ATTENTIONS, core={"none": none, "last": last}, decoder=KEYS), "none", "last")


@pytest.mark.parametrize(
    ("kinds", "lower", "higher"),
    [
        (("exact", "exact"), "clearly lower by", "clearly higher by"),
        (("bound", "bound"), "clearly lower (of bounds) by", "clearly higher (of bounds) by"),
        (("bound", "exact"), "clearly lower by at least", OPEN),
        (("exact", "bound"), OPEN, "clearly higher by at least"),
        (("estimate", "exact"), "clearly lower (estimated) by", "clearly higher (estimated) by"),
        (("estimated bound", "exact"), "clearly lower (estimated) by at least", OPEN),
        (("estimate", "bound"), OPEN, "clearly higher (estimated) by at least"),
        (
            ("bound", "estimated bound"),
            "clearly lower (of bounds) (estimated) by",
            "clearly higher (of bounds) (estimated) by",
        ),
    ],
)
def test_words_depend_on_the_kinds_of_figures(
    tabled: Tabled, kinds: tuple[str, str], lower: str, higher: str
) -> None:
    first, second = kinds
    for nats, words, outcome in ((1.5, lower, "lower"), (2.5, higher, "higher")):
        comparison = compared(tabled, level(nats, kind=first), level(2.0, kind=second))
        is_clear = words.startswith("clearly")
        sign = "" if is_clear else "-" if nats < 2 else "+"
        assert comparison.words.startswith(f"{words} {sign}0.500 (")
        assert comparison.outcome == (outcome if is_clear else "level")


def test_interval_follows_the_difference_smaller_end_first(tabled: Tabled) -> None:
    for nats in (1.5, 2.5):
        last = {"nats": [(21, 60, 119), (20, 61, 119)]}
        comparison = compared(tabled, level(nats), last)
        near, far = map(float, re.search(r"by 0\.500 \((\S+) to (\d\.\d+)", comparison.words).groups())
        low, high = comparison.difference.interval
        assert 0 < near < 0.5 < far
        assert (near, far) == pytest.approx(sorted((abs(low), abs(high))), abs=6e-4)
    assert comparison.basis == "n = 3 pieces, 2 seeds"
    assert comparison.unit == "nats per frame"


def test_difference_that_varies_between_pieces_is_not_clear(tabled: Tabled) -> None:
    comparison = compared(tabled, {"nats": [(30, 50, 130), (20, 70, 110)]}, level(2.0))
    assert comparison.outcome == "level"
    assert re.match(r"no clear difference, \+0\.050 \(-\d\.\d{3} to \+\d\.\d{3}", comparison.words)


def test_missing_results_give_no_verdict(tabled: Tabled) -> None:
    table = tabled(ATTENTIONS, core={"none": level(1.5)}, decoder=KEYS)
    comparison = verdict(table, "none", "last")
    assert (comparison.outcome, comparison.words, comparison.basis) == (
        "waiting",
        "no result yet",
        "n = 0 pieces, 2 seeds",
    )
    assert comparison.first is not None
    assert comparison.second is None


def test_best_row_has_the_lowest_validation_nats(tabled: Tabled) -> None:
    """The choice among rows with the decoder does not depend on the scored pieces."""
    core = {"none": level(2.5, validation=(1.1, 1.3)), "last": level(1.5, validation=(1.4, 1.2))}
    keys = {"nats": [(0, 0, 0)], "validation": (0.5,)}
    table = tabled(PRODUCT, core=core, decoder={"rbm": keys, "lstm": keys})
    assert [row.labels["attention"] for row in table.rows] == ["last", "last", "none", "none"]
    comparison = verdict(table, "best rbm", "last rbm")
    assert comparison.names[0] == "none rbm"
    assert comparison.outcome == "higher"


def test_best_row_includes_validation_of_the_decoder(tabled: Tabled) -> None:
    low_validation, lucky = level(0.9, validation=(0.1, 0.2)), level(0.5, validation=(0.3, 0.4))
    core = {"none": level(1.0, validation=(2.0, 4.0)), "last": level(2.0, validation=(1.0, 1.0))}
    table = tabled(PRODUCT, core=core, decoder={"rbm": low_validation, "lstm": lucky})
    comparison = verdict(table, "best none", "none lstm")
    assert comparison.names[0] == "none rbm"
    validations = {row.label_for(table.study.slots): row.validation for row in table.rows}
    assert validations == pytest.approx(
        {"none rbm": 3.15, "none lstm": 3.35, "last rbm": 1.15, "last lstm": 1.35}
    )


def test_single_term_and_loudness_are_compared(tabled: Tabled) -> None:
    table = tabled(
        f'{ATTENTIONS}\nvelocity = ["lstm", "key"]',
        {"rates": {"codes": (90, 270, 540), "keys": (0, 0, 0)}, "velocity=mean": {"velocity": (20, 30, 50)}},
        ("sounding", "velocity"),
        core={"none": level(1.5), "last": level(2.0)},
        decoder={"uniform": {"nats": [(10, 30, 60)]}},
        velocity={"lstm": {"nats": [(16, 24, 40), (16, 24, 40)]}, "key": {"nats": [(18, 27, 45)]}},
    )
    codes = verdict(table, "none", "rates", "codes")
    assert codes.difference.value == pytest.approx(1.5 - 9)
    assert verdict(table, "none", "rates").difference.value == pytest.approx(2.5 - 9)
    assert codes.unit == "nats per frame"
    loud = verdict(table, table_name(table, 4.0), "velocity=mean", "velocity")
    assert (loud.difference.value, loud.unit) == (pytest.approx(4 - 5), "nats per struck note")


def table_name(table: StudyTable, nats: float) -> str:
    (row,) = (row for row in table.loudness if row.figure("velocity").value == pytest.approx(nats))
    return row.label_for(table.study.loud_slots)


def with_lucky_seeds(tabled: Tabled, judges: int, of_judges: float, of_rest: float) -> Verdict:
    """`none` against `last`, where the first seeds of `none` differ from the others."""
    table = tabled(ATTENTIONS, core={"none": level(1.5), "last": level(2.0)}, decoder=KEYS)
    last = table.rows[-1]
    seeds = [replace(last.evaluations[0]) for _ in range(5)]
    shifts = [of_judges if seed < judges else of_rest for seed in range(5)]
    wobble = [0.0, 0.01, -0.01, 0.02, -0.02]
    lower = [
        moved(evaluation, by + by_chance)
        for evaluation, by, by_chance in zip(seeds, shifts, wobble, strict=True)
    ]
    first, second = (
        replace(last, evaluations=tuple(lower), selection_seeds=judges),
        replace(last, evaluations=tuple(seeds)),
    )
    settings = table.study.settings.model_copy(update={"seeds": 5})
    table = replace(table, study=replace(table.study, settings=settings))
    return Verdict(table, table, first, second, table.terms, "nats per frame")


def moved(evaluation: Evaluation, by: float) -> Evaluation:
    codes = replace(evaluation.terms["codes"], nats=evaluation.terms["codes"].nats + by * evaluation.frames)
    return replace(evaluation, terms={**evaluation.terms, "codes": codes})


def test_verdict_may_depend_on_the_selection_seeds(tabled: Tabled) -> None:
    steady = with_lucky_seeds(tabled, 2, -0.5, -0.5)
    assert (steady.outcome, steady.depends_on_selection_seeds) == ("lower", False)
    assert steady.without_selection_seeds.value == pytest.approx(-0.5 - 0.01 / 3)
    lucky = with_lucky_seeds(tabled, 1, -0.05, -0.025)
    assert lucky.without_selection_seeds.value == pytest.approx(-0.025)
    assert (lucky.outcome, lucky.depends_on_selection_seeds) == ("lower", True)


def test_verdict_without_selection_does_not_depend_on_it(tabled: Tabled) -> None:
    comparison = with_lucky_seeds(tabled, 0, -0.5, -0.5)
    assert comparison.without_selection_seeds is None
    assert not comparison.depends_on_selection_seeds


def test_rows_of_two_studies_need_the_same_reading(tabled: Tabled) -> None:
    table = tabled(ATTENTIONS, core={"none": level(1.5), "last": level(2.0)}, decoder=KEYS)
    second = replace(table, study=replace(table.study, path=Path("other.toml")))
    comparison = verdict(table, "none", "last", second_table=second)
    assert comparison.outcome == "lower"
    assert comparison.key != verdict(table, "none", "last").key
    before = replace(second, reading=replace(second.reading, number=READING - 1))
    waiting = verdict(table, "none", "last", second_table=before)
    assert (waiting.outcome, waiting.p_value) == ("waiting", None)
    assert "different readings" in waiting.words


def test_rows_of_two_studies_need_the_same_seeds(tabled: Tabled) -> None:
    table = tabled(ATTENTIONS, core={"none": level(1.5), "last": level(2.0)}, decoder=KEYS)
    more = table.study.settings.model_copy(update={"seeds": 3})
    second = replace(table, study=replace(table.study, settings=more))
    with pytest.raises(UsageError, match="differ in seeds or split"):
        verdict(table, "none", "last", second_table=second)


def test_best_of_several_encoders_is_an_error(tabled: Tabled) -> None:
    """Validation scores codes and keys, but not the residual, which differs between encoders."""
    table = tabled(
        f'encoder = ["onset", "sounding"]\n{ATTENTIONS}',
        core={"none": level(1.5), "last": level(2.0)},
        decoder=KEYS,
    )
    with pytest.raises(UsageError, match="best last"):
        verdict(table, "best last", "onset none")


def test_name_may_omit_slots_if_it_stays_unique(tabled: Tabled) -> None:
    core = {"none": level(1.5), "last": level(2.0)}
    keys = {"nats": [(0, 0, 0)], "validation": (0.5,)}
    table = tabled(PRODUCT, core=core, decoder={"rbm": keys, "lstm": keys})
    with pytest.raises(UsageError, match="more than one row has this name"):
        verdict(table, "none", "last")
    assert verdict(table, "none rbm", "last rbm").outcome == "lower"


def test_unknown_row_is_reported_with_the_known_ones(tabled: Tabled) -> None:
    table = tabled(ATTENTIONS, core={"none": level(1.5), "last": level(2.0)}, decoder=KEYS)
    with pytest.raises(UsageError, match="unknown") as caught:
        verdict(table, "none", "unknown")
    assert "last, none" in str(caught.value)
    with pytest.raises(UsageError, match="best unknown"):
        verdict(table, "best unknown", "none")
