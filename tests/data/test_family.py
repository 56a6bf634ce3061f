"""Families: versions of a piece are related, pieces that share a cliché are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zoo.data import open_corpus
from zoo.data.corpus import Corpus
from zoo.data.family import Fingerprints
from zoo.data.split import SPLITS, connected, split_of
from zoo.music.roll import Notes, Roll


def tune(seed: int, beats: int = 96) -> Roll:
    """A melody of its own over chords of its own."""
    chance = np.random.default_rng(seed)
    start = np.arange(beats) * 4
    melody = 50 + np.cumsum(chance.choice([-4, -3, -2, -1, 1, 2, 3, 5], beats)) % 17
    bass = np.repeat(15 + chance.integers(0, 12, beats // 4), 4)
    keys = [(melody, 0), (bass, 0), (bass + 12 + chance.choice([3, 4], beats), 0), (bass + 19, 0)]
    notes = [(frame, key) for line, _ in keys for frame, key in zip(start, line, strict=True)]
    frames, key = np.array(notes).T
    return Roll.from_notes(Notes(frames, frames + 4, key, np.full(len(key), 64, np.uint8)))


def families(*rolls: Roll) -> list[int]:
    found = Fingerprints()
    for roll in rolls:
        found.add(roll)
    return connected(len(rolls), [(pair.first, pair.second) for pair in found.relations()])


def keys(roll: Roll, wanted: slice) -> Roll:
    notes = roll.notes()
    return Roll.from_notes(
        notes.take(np.flatnonzero((notes.key >= wanted.start) & (notes.key < wanted.stop)))
    )


def test_pieces_of_their_own_are_families_of_their_own() -> None:
    assert families(*(tune(seed) for seed in range(12))) == list(range(12))


def test_a_transposed_piece_and_the_melody_alone_are_related() -> None:
    whole = tune(1)
    notes = whole.notes()
    higher = Roll.from_notes(replace(notes, key=notes.key + 3))
    melody = keys(whole, slice(50, 88))
    assert families(tune(2), whole, higher, melody) == [0, 1, 1, 1]


def test_half_of_a_piece_is_related_to_it() -> None:
    whole = tune(3)
    half = Roll(whole.onset[:200], whole.sounding[:200])  # type: ignore[index]
    assert families(whole, tune(4), half) == [0, 1, 0]


def test_other_chords_under_one_tune_are_related() -> None:
    one, other = tune(5), tune(6)
    tune_notes, chords = keys(one, slice(50, 88)).notes(), keys(other, slice(0, 50)).notes()
    joined = Notes(
        *(np.concatenate(pair) for pair in zip(_columns(tune_notes), _columns(chords), strict=True))
    )
    assert families(one, Roll.from_notes(joined)) == [0, 0]


def _columns(notes: Notes) -> tuple[np.ndarray, ...]:
    return notes.start, notes.end, notes.key, notes.velocity


def test_one_pattern_for_ever_is_no_shared_music() -> None:
    start = np.arange(400)
    loop = Notes(start, start + 1, np.tile([20, 24, 27, 24], 100), np.full(400, 64, np.uint8))
    both = [Roll.from_notes(loop), Roll.from_notes(loop.take(np.arange(200)))]
    assert families(tune(7), both[0])[0] == 0
    assert families(tune(7), *both)[0] not in families(tune(7), *both)[1:]


def test_a_family_falls_into_one_split_and_large_ones_go_everywhere() -> None:
    chance = np.random.default_rng(0)
    patterns = [chance.bytes(32).hex() for _ in range(3000)]
    together = np.repeat(np.arange(600), 5).tolist()
    splits = split_of(patterns, together)
    for family in range(600):
        assert len(set(splits[5 * family : 5 * family + 5])) == 1
    shares = [splits.count(name) / 3000 for name in SPLITS]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.06)


def test_a_piece_that_joins_moves_no_other_family() -> None:
    chance = np.random.default_rng(1)
    patterns = [chance.bytes(32).hex() for _ in range(200)]
    before = split_of(patterns, list(range(200)))
    after = split_of([*patterns, chance.bytes(32).hex()], [*range(200), 7])
    assert [n for n in range(200) if before[n] != after[n]] in ([], [7])


@pytest.fixture(scope="module")
def chorales(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    pytest.importorskip("music21")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE", str(tmp_path_factory.mktemp("bach")))
        return open_corpus("bach")


@pytest.mark.slow
def test_harmonisations_of_the_passion_chorale_are_one_family(chorales: Corpus) -> None:
    numbers = ("153.5", "244.54", "244.44", "244.62", "248.5", "270", "271")
    passion = {piece.family for piece in chorales.pieces if piece.title.split("bwv")[1] in numbers}
    assert len(passion) == 1
    assert chorales.leaks() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("one", "two"), [("274", "62.6"), ("18.5-l", "18.5-w"), ("324", "10.7"), ("117.4", "177.4")]
)
def test_near_copies_are_in_one_split(chorales: Corpus, one: str, two: str) -> None:
    splits = {piece.title.split("bwv")[1]: piece.split for piece in chorales.pieces}
    assert splits[one] == splits[two]
