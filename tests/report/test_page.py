"""The HTML of a report and the data embedded in it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo.music.meter import Meter
from zoo.music.roll import Roll
from zoo.report import ListeningPiece, Report, write_report
from zoo.report.page import page

Scale = Callable[..., Roll]
PageData = Callable[[str], Any]


def test_the_page_contains_every_note_of_the_roll(scale: Scale, page_data: PageData) -> None:
    waltz = Meter.of(3, 4, offset=8)
    roll = scale(60, 64, 67, frames=6, velocity=90, tempo=90.0, meter=waltz)
    (data,) = page_data(page(Report("r", [ListeningPiece("waltz", roll, primer=4, copied=((0, 6),))])))[
        "pieces"
    ]
    assert data["notes"] == [[0, 6, 60, 90], [6, 12, 64, 90], [12, 18, 67, 90]]
    assert (data["frames"], data["grid"], data["tempos"], data["bars"]) == (18, 4, [[0, 90.0]], [4, 16])
    assert (data["primer"], data["copied"]) == (4, [[0, 6]])


def test_pieces_of_a_group_are_adjacent_on_the_page_and_in_its_data(
    scale: Scale, page_data: PageData
) -> None:
    pieces = [
        ListeningPiece(f"{name}{group}", scale(60), group=group) for name in "ab" for group in ("one", "two")
    ]
    text = page(Report("r", pieces))
    order = ["aone", "bone", "atwo", "btwo"]
    assert re.findall(r'<h4 class="name">(.*?)</h4>', text) == order
    assert [piece["name"] for piece in page_data(text)["pieces"]] == order


def test_a_single_piece_has_no_ratings_and_may_be_silent(scale: Scale) -> None:
    silence = Roll.from_notes(scale(60).notes().take(slice(0, 0)), 16)
    text = page(Report("r", [ListeningPiece("silence", silence)]))
    assert "data-rating=" not in text
    assert 'id="blind"' not in text
    assert "generated, 0 notes, 1 bar of 4/4, mean polyphony 0.0" in text
    assert "data-rating=" in page(Report("r", [ListeningPiece("a", silence), ListeningPiece("b", silence)]))


def test_the_page_is_deterministic_and_its_id_depends_only_on_its_music(
    scale: Scale, page_data: PageData
) -> None:
    pieces = [ListeningPiece("a", scale(60)), ListeningPiece("b", scale(62))]
    assert page(Report("r", pieces)) == page(Report("r", pieces))
    ids = {page_data(page(Report(title, pieces[:count])))["id"] for title in "rs" for count in (1, 2)}
    assert len(ids) == 2


def test_names_that_are_not_unicode_are_written_out(
    scale: Scale, page_data: PageData, tmp_path: Path
) -> None:
    pieces = [ListeningPiece(f"{name}\udcff.mid", scale(60), group="g\udcfe") for name in "ab"]
    write_report(Report("a\udcff", pieces, command="zoo report a\udcff.mid"), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text("utf-8")
    assert r"<h1>a\udcff</h1>" in text
    names = [(piece["name"], piece["group"]) for piece in page_data(text)["pieces"]]
    assert names == [(r"a\udcff.mid", r"g\udcfe"), (r"b\udcff.mid", r"g\udcfe")]


def test_the_page_loads_no_external_resources(scale: Scale) -> None:
    text = page(Report("r", [ListeningPiece("a", scale(60))], command="zoo report a"))
    assert re.findall(r'\b(?:src|href|action)="(?!data:audio/midi;base64,|#)[^"]*"', text) == []
    assert "default-src &#39;none&#39;" in text
