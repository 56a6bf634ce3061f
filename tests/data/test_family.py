"""Families: versions of a piece are related, pieces that share common figures are not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zoo.data import open_corpus
from zoo.data.corpus import Corpus
from zoo.data.family import Fingerprints, copy_relations
from zoo.data.split import SPLITS, connected_components, split_of
from zoo.music.meter import Meter
from zoo.music.roll import Notes, Roll

pytestmark = pytest.mark.xdist_group("chorales")  # what they share is built once

PLANES = ("onset", "sounding")


def tune(seed: int, beats: int = 96) -> Roll:
    """A random melody with random chords."""
    rng = np.random.default_rng(seed)
    start = np.arange(beats) * 4
    melody = 50 + np.cumsum(rng.choice([-4, -3, -2, -1, 1, 2, 3, 5], beats)) % 17
    bass = np.repeat(15 + rng.integers(0, 12, beats // 4), 4)
    keys = [(melody, 0), (bass, 0), (bass + 12 + rng.choice([3, 4], beats), 0), (bass + 19, 0)]
    notes = [(frame, key) for line, _ in keys for frame, key in zip(start, line, strict=True)]
    frames, key = np.array(notes).T
    return Roll.from_notes(Notes(frames, frames + 4, key, np.full(len(key), 64, np.uint8)))


def families(*rolls: Roll) -> list[int]:
    fingerprints = Fingerprints()
    for roll in rolls:
        fingerprints.add(roll)
    return connected_components(len(rolls), [(pair.first, pair.second) for pair in fingerprints.relations()])


def keys(roll: Roll, wanted: slice) -> Roll:
    notes = roll.notes()
    return Roll.from_notes(
        notes.take(np.flatnonzero((notes.key >= wanted.start) & (notes.key < wanted.stop)))
    )


def test_unrelated_pieces_are_separate_families() -> None:
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


def test_a_tune_with_other_chords_is_related() -> None:
    first, second = tune(5), tune(6)
    tune_notes, chords = keys(first, slice(50, 88)).notes(), keys(second, slice(0, 50)).notes()
    joined = Notes(
        *(np.concatenate(pair) for pair in zip(_columns(tune_notes), _columns(chords), strict=True))
    )
    assert families(first, Roll.from_notes(joined)) == [0, 0]


def _columns(notes: Notes) -> tuple[np.ndarray, ...]:
    return notes.start, notes.end, notes.key, notes.velocity


def test_a_tune_in_a_middle_voice_is_related_to_its_song_only() -> None:
    song = tune(8)
    notes = keys(song, slice(50, 88)).notes()
    above = replace(notes, key=np.random.default_rng(8).integers(70, 85, len(notes.key)))
    covered = Roll.from_notes(
        Notes(*map(np.concatenate, zip(_columns(song.notes()), _columns(above), strict=True)))
    )
    assert families(covered, tune(9), keys(song, slice(50, 70))) == [0, 1, 0]


def test_chords_are_related_to_their_song_and_a_few_shared_notes_are_not() -> None:
    song = tune(10)
    chords, few = keys(song, slice(0, 50)), keys(song, slice(60, 62))
    assert 0 < few.onset.sum() < 24
    assert families(song, chords, few) == [0, 0, 2]


def test_a_medley_is_related_to_each_of_its_tunes() -> None:
    first, second = tune(11), tune(12)
    medley = Roll(*(np.concatenate([getattr(roll, plane) for roll in (first, second)]) for plane in PLANES))
    assert families(first, second) == [0, 1]
    assert families(first, second, medley) == [0, 0, 0]


def test_a_tune_with_ornaments_in_another_meter_is_related() -> None:
    plain = keys(tune(13), slice(50, 88)).notes()
    halves = replace(plain, start=2 * plain.start, end=2 * plain.end)
    turns = replace(plain, start=halves.start + 2, end=halves.start + 3, key=plain.key + 1)
    slow = Roll.from_notes(Notes(*map(np.concatenate, zip(_columns(halves), _columns(turns), strict=True))))
    waltz = replace(slow, meter=Meter.of(3, 4))
    assert families(Roll.from_notes(plain), waltz, tune(14)) == [0, 0, 2]


def test_hundreds_of_copies_are_linked_without_listing_all_pairs() -> None:
    copies, fingerprints = 200, Fingerprints()
    for _ in range(copies):
        fingerprints.add(tune(15, beats=32))
    relations = fingerprints.relations()
    assert set(connected_components(copies, [(pair.first, pair.second) for pair in relations])) == {0}
    assert len(relations) < 40 * copies


def test_copies_are_linked_to_the_first_one_in_each_split() -> None:
    patterns = ["a", "b", "a", "a", "a", "c"]
    splits = ["test", "train", "train", "test", None, "train"]
    pairs = [(pair.first, pair.second) for pair in copy_relations(patterns, splits)]
    assert pairs == [(0, 2), (0, 3), (0, 4), (2, 3), (2, 4), (3, 4)]
    assert {(pair.view, pair.share) for pair in copy_relations(patterns, splits)} == {("copy", 1.0)}
    assert len(list(copy_relations(["a"] * 300, [None] * 300))) == 299
    assert list(copy_relations([], [])) == []


def test_exact_copies_in_prescribed_splits_are_leaks_even_if_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    motif, higher, other = [[60], [64], [67]], [[65], [69], [72]], [[60], [62], [67]]
    pieces = {"train": [other, motif], "valid": [[[60]]], "test": [higher, other, [[60], [61]]]}
    (tmp_path / "short.json").write_text(json.dumps(pieces))
    corpus = open_corpus(tmp_path / "short.json")
    leaks = [(first.title, second.title, pair.view, pair.share) for first, second, pair in corpus.leaks()]
    assert leaks == [("train 0", "test 1", "copy", 1.0), ("train 1", "test 0", "copy", 1.0)]
    assert [piece.family for piece in corpus.pieces] == [0, 1, 2, 1, 0, 5]


def test_the_larger_of_the_two_shares_is_reported() -> None:
    fingerprints, whole = Fingerprints(), tune(16)
    fingerprints.add(whole)
    fingerprints.add(Roll(whole.onset[:200], whole.sounding[:200]))
    shares = {pair.view: pair.share for pair in fingerprints.relations()}
    assert shares["notes"] == 1
    assert shares["melody"] == shares["texture"] == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("frames", [1, 5, 400])
def test_silence_and_single_notes_are_related_to_nothing(frames: int) -> None:
    silence = np.zeros((frames, 88), np.bool_)
    note = silence.copy()
    note[0, 40] = True
    fingerprints = Fingerprints()
    for roll in (Roll(silence, silence), Roll(note, note), Roll(None, note), Roll(silence, silence)):
        fingerprints.add(roll)
    assert fingerprints.relations() == []


def test_no_pieces_have_no_relations() -> None:
    assert Fingerprints().relations() == []


def test_a_repeated_figure_is_not_shared_music() -> None:
    start = np.arange(400)
    loop = Notes(start, start + 1, np.tile([20, 24, 27, 24], 100), np.full(400, 64, np.uint8))
    both = [Roll.from_notes(loop), Roll.from_notes(loop.take(np.arange(200)))]
    assert families(tune(7), both[0])[0] == 0
    assert families(tune(7), *both)[0] not in families(tune(7), *both)[1:]


def test_a_family_is_in_one_split_and_families_are_in_all_splits() -> None:
    rng = np.random.default_rng(0)
    patterns = [rng.bytes(32).hex() for _ in range(3000)]
    labels = np.repeat(np.arange(600), 5).tolist()
    splits = split_of(patterns, labels)
    for family in range(600):
        assert len(set(splits[5 * family : 5 * family + 5])) == 1
    shares = [splits.count(name) / 3000 for name in SPLITS]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.06)


def test_a_new_piece_moves_no_other_family() -> None:
    rng = np.random.default_rng(1)
    patterns = [rng.bytes(32).hex() for _ in range(200)]
    before = split_of(patterns, list(range(200)))
    after = split_of([*patterns, rng.bytes(32).hex()], [*range(200), 7])
    assert [n for n in range(200) if before[n] != after[n]] in ([], [7])


@pytest.mark.slow
@pytest.mark.parametrize(("tracks", "others"), [("MELODY", "PIANO"), ("BRIDGE", "MELODY")])
def test_the_tracks_of_a_pop_song_and_the_song_are_one_family(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracks: str, others: str
) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    folder = tmp_path / "songs"
    folder.mkdir()
    songs = sorted((shared / "data" / "pop909").glob("*.mid"))[:12]
    if not songs:
        pytest.skip("the songs are not available")
    for song in songs:
        (folder / song.name).symlink_to(song)
    opened = [open_corpus(f"{folder}:{which}") for which in ("MELODY,BRIDGE,PIANO", tracks, others)]
    rolls = [corpus.roll(n) for corpus in opened for n in range(len(songs))]
    # Neighbours in the list are different songs, so that only their notes can join the tracks of one.
    assert families(*rolls) == [*range(12), *range(12), *range(12)]


@pytest.mark.slow
def test_harmonisations_of_the_passion_chorale_are_one_family(chorales: Corpus) -> None:
    numbers = ("153.5", "244.54", "244.44", "244.62", "248.5", "270", "271")
    passion = {piece.family for piece in chorales.pieces if piece.title.split("bwv")[1] in numbers}
    assert len(passion) == 1
    assert chorales.leaks() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second"), [("274", "62.6"), ("18.5-l", "18.5-w"), ("324", "10.7"), ("117.4", "177.4")]
)
def test_near_copies_are_in_one_split(chorales: Corpus, first: str, second: str) -> None:
    splits = {piece.title.split("bwv")[1]: piece.split for piece in chorales.pieces}
    assert splits[first] == splits[second]
