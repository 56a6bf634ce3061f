"""What a report says of its pieces."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from zoo.music.meter import Meter
from zoo.music.roll import Roll
from zoo.report import Piece, Report
from zoo.report.page import page

Scale = Callable[..., Roll]
Music = Callable[[str], Any]


def test_the_page_holds_every_note_as_the_roll_does(scale: Scale, music: Music) -> None:
    waltz = Meter.of(3, 4, offset=8)
    roll = scale(60, 64, 67, frames=6, loud=90, tempo=90.0, meter=waltz)
    (told,) = music(page(Report("r", [Piece("waltz", roll, primer=4, copied=((0, 6),))])))["pieces"]
    assert told["notes"] == [[0, 6, 60, 90], [6, 12, 64, 90], [12, 18, 67, 90]]
    assert (told["frames"], told["grid"], told["tempos"], told["bars"]) == (18, 4, [[0, 90.0]], [4, 16])
    assert (told["primer"], told["copied"]) == (4, [[0, 6]])


def test_pieces_of_a_group_stand_together_in_page_and_data(scale: Scale, music: Music) -> None:
    pieces = [Piece(f"{name}{group}", scale(60), group=group) for name in "ab" for group in ("one", "two")]
    text = page(Report("r", pieces))
    order = ["aone", "bone", "atwo", "btwo"]
    assert re.findall(r'<h4 class="name">(.*?)</h4>', text) == order
    assert [piece["name"] for piece in music(text)["pieces"]] == order


def test_one_piece_has_nothing_to_vote_on_and_silence_can_be_shown(scale: Scale) -> None:
    silence = Roll.from_notes(scale(60).notes().take(slice(0, 0)), 16)
    text = page(Report("r", [Piece("nothing", silence)]))
    assert "data-rating=" not in text
    assert 'id="blind"' not in text
    assert "written by the model, 0 notes, 1 bar of 4/4, 0.0 keys at once" in text
    assert "data-rating=" in page(Report("r", [Piece("a", silence), Piece("b", silence)]))


def test_the_page_is_the_same_each_time_and_its_name_that_of_its_music(scale: Scale, music: Music) -> None:
    pieces = [Piece("a", scale(60)), Piece("b", scale(62))]
    assert page(Report("r", pieces)) == page(Report("r", pieces))
    ids = {music(page(Report(title, pieces[:count])))["id"] for title in "rs" for count in (1, 2)}
    assert len(ids) == 2


def test_nothing_in_it_is_fetched(scale: Scale) -> None:
    text = page(Report("r", [Piece("a", scale(60))], command="zoo report a"))
    assert re.findall(r'\b(?:src|href|action)="(?!data:audio/midi;base64,|#)[^"]*"', text) == []
    assert "default-src &#39;none&#39;" in text
