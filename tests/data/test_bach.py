"""Bach's chorales: all pieces, their notes on the grid, and their bars."""

from __future__ import annotations

import importlib.metadata
from collections import Counter

import numpy as np
import pytest

from zoo.data import bach, chorale, open_corpus
from zoo.errors import DataError
from zoo.music.meter import Meter

music21 = pytest.importorskip("music21")
pytestmark = pytest.mark.xdist_group("chorales")  # what they share is built once


def score(text, upbeat=0.0):
    """A score from TinyNotation, `/` between parts."""
    parts = [music21.converter.parse(f"tinyNotation: {part}").flatten() for part in text.split(" / ")]
    bars = music21.stream.Score([part.makeMeasures() for part in parts])
    bars.parts[0].getElementsByClass("Measure").first().paddingLeft = upbeat
    return bars


def played(roll, pitch):
    """One key as a string: `*` for an onset, `-` for a held key, `.` for silence."""
    onset, sounding = roll.onset[:, pitch - 21], roll.sounding[:, pitch - 21]
    return "".join("*" if o else "-" if s else "." for o, s in zip(onset, sounding, strict=True))


def roll_of(text):
    return bach._roll(chorale.chorale(score(text), 4))


def test_notes_fall_on_the_grid():
    roll = roll_of("4/4 c4 r4 c8 c8 d16 c8.")
    assert played(roll, 60) == "*---....*-*-.*--"
    assert played(roll, 62) == "............*..."


def test_ties_are_held():
    assert played(roll_of("4/4 c2~ c4 c4"), 60) == "*-----------*---"


def test_voices_are_merged_onto_one_keyboard():
    roll = roll_of("4/4 c1 / 4/4 r4 c4 r2")
    assert played(roll, 60) == "*---*-----------"
    assert played(roll_of("4/4 c4 r2. / 4/4 r4 c4 r2"), 60) == "*---*---........"


def test_a_tie_without_a_first_note_starts_a_note():
    tied = score("4/4 r4 c4 r2")
    note = next(iter(tied.recurse().notes))
    note.tie = music21.tie.Tie("stop")
    assert played(bach._roll(chorale.chorale(tied, 4)), 60) == "....*---........"


def test_thirty_seconds_and_grace_notes():
    fine = score("4/4 c32 d32 e16 f8 c2.")
    roll = bach._roll(chorale.chorale(fine, 4))
    assert roll.onset[:, 60 - 21].nonzero()[0].tolist() == [0, 4]
    assert roll.onset[:, 62 - 21].nonzero()[0].tolist() == [1]
    grace = score("4/4 c4 d4 r2")
    next(iter(grace.recurse().notes)).getGrace(inPlace=True)
    assert not bach._roll(chorale.chorale(grace, 4)).onset[:, 60 - 21].any()


def test_an_upbeat_shifts_bar_lines_and_not_notes():
    assert chorale.chorale(score("4/4 c4 d4"), 4)["meter"] == [[0, 4, 4]]
    assert chorale.chorale(score("4/4 c4 d4", upbeat=3.0), 4)["meter"] == [[-12, 4, 4]]


def test_the_meter_is_that_of_the_score_on_every_grid():
    assert bach._roll(chorale.chorale(score("3/4 c4 d4 e4"), 4)).meter == Meter.of(3, 4)
    assert bach._roll(chorale.chorale(score("6/8 c4. d4."), 12)).meter == Meter.of(6, 8, grid=12)
    triplets = bach._roll(chorale.chorale(score("4/4 trip{c8 d8 e8} f2."), 12))
    assert [triplets.onset[:, key - 21].argmax() for key in (60, 62, 64, 65)] == [0, 4, 8, 12]


def test_bar_positions_restart_after_a_short_bar():
    cut = score("4/4 c1 d1 e1")
    for bar in cut.recurse().getElementsByClass("Measure")[1:2]:
        bar.notes[0].quarterLength = 3.0
    third = cut.recurse().getElementsByClass("Measure")[2]
    third.activeSite.setElementOffset(third, 7.0)
    assert chorale.chorale(cut, 4)["meter"] == [[0, 4, 4], [28, 4, 4]]


def test_without_music21_a_hint_says_how_to_install_it(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(bach, "version", missing)
    with pytest.raises(DataError) as caught:
        open_corpus("bach")
    assert "pip install 'polyzoo[data]'" in caught.value.problems[0].hint


def test_an_unreadable_score_is_a_single_error():
    with pytest.raises(DataError, match="music21 cannot read bach/none") as caught:
        list(bach._scores(["bach/none", "bach/nothing"], 4))
    assert "Traceback" not in str(caught.value)


def test_scores_are_in_the_order_of_their_titles():
    titles = ["bach/bwv269", "bach/bwv347", "bach/bwv153.1"]
    frames = [read[0]["frames"] for read in bach._scores(titles, 4)]
    assert frames == [chorale.chorale(music21.corpus.parse(title), 4)["frames"] for title in titles]


@pytest.mark.slow
def test_all_chorales_are_read(chorales):
    assert (len(chorales.pieces), chorales.frames) == (371, 80_670)
    assert chorales.planes == {"onset", "sounding"}
    assert chorales.skipped == ()
    assert {name: len(chorales.split(name).pieces) for name in ("train", "valid", "test")} == {
        "train": 266,
        "valid": 54,
        "test": 51,
    }


@pytest.mark.slow
def test_copies_are_in_the_same_split(chorales):
    splits = {}
    for piece in chorales.pieces:
        splits.setdefault(piece.digest, set()).add(piece.split)
    assert len(splits) <= 350
    assert all(len(split) == 1 for split in splits.values())


@pytest.mark.slow
def test_chorales_sound_like_chorales(chorales):
    everything = chorales.whole(range(len(chorales.pieces)))
    onset, sounding = everything.onset[:, 1:], everything.sounding[:, 1:]
    assert not (onset & ~sounding).any()
    begins = sounding & ~everything.sounding[:, :-1]
    assert not (begins & ~onset).any(), "every note begins with an onset"
    voices = sounding.sum(-1)[everything.mask].float()
    assert 3.5 < voices.mean() < 4.1
    assert (voices == 0).float().mean() < 0.01


@pytest.mark.slow
def test_bar_lines_agree_with_the_onsets(chorales):
    """Most onsets are on a beat, 252 chorales begin with an upbeat, and about 40 are in 3/4."""
    onsets = np.zeros(16)
    for i, piece in enumerate(chorales.pieces):
        places = piece.meter.places(np.arange(piece.frames))
        onsets += np.bincount(places.place % 16, chorales.roll(i).onset.sum(1), minlength=16)
    assert onsets[0::4].sum() > 0.6 * onsets.sum()
    assert sum(piece.meter.offset > 0 for piece in chorales.pieces) == 252
    meters = Counter(str(piece.meter) for piece in chorales.pieces)
    assert meters["4/4"] > 300
    assert meters["3/4"] > 35


def test_notices_of_copyright_in_the_files_are_those_that_the_documents_state():
    stated = Counter(notice(title) for title in music21.corpus.chorales.Iterator(returnType="filename"))
    assert stated == {"Margaret Greentree": 362, "derivative electronic formats": 3, "": 6}


def notice(title):
    """Which notice of copyright the file of a chorale contains; empty if none."""
    found = music21.corpus.getWork(title)
    path = found[0] if isinstance(found, list) else found  # as `corpus.parse` chooses
    text = (
        music21.converter.ArchiveManager(path).getData() if path.suffix == ".mxl" else path.read_text("utf-8")
    )
    notices = ("Margaret Greentree", "derivative electronic formats", "opyright", "©", "permission")
    return next((each for each in notices if each in text), "")
