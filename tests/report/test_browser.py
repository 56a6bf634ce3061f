"""A report in a real browser: it plays what it shows, obeys mouse and keys, and asks for nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.music.roll import Roll
from zoo.music.writing import midi_bytes
from zoo.report import Piece
from zoo.report.learning import Training

pytestmark = pytest.mark.xdist_group("browser")

MELODY = (60, 62, 64, 65, 67, 69, 71, 72)
PLAY = ".piece >> nth=0 >> button.play"
ROLL = ".piece >> nth=0 >> canvas.roll"
Make = Callable[..., str]
Open = Callable[..., Any]
Scale = Callable[..., Roll]
Pair = tuple[Piece, Piece]


def loudness(page: Any) -> float:
    """Root mean square of what has sounded in the last fifth of a second."""
    script = """() => { const heard = new Float32Array(sound.meter.fftSize);
        sound.meter.getFloatTimeDomainData(heard);
        return Math.sqrt(heard.reduce((sum, x) => sum + x * x, 0) / heard.length); }"""
    return float(page.tab.evaluate(script))


def wait_for_sound(page: Any, loud: bool) -> None:
    for _ in range(100):
        if (loudness(page) > 0.003) == loud:
            return
        page.tab.wait_for_timeout(50)
    pytest.fail("silence" if loud else "it goes on sounding")


def until(page: Any, condition: str) -> None:
    """Wait for what a script says; Playwright's own way would need the page to allow `eval`."""
    for _ in range(200):
        if page.tab.evaluate(condition):
            return
        page.tab.wait_for_timeout(50)
    pytest.fail(f"it never came to {condition}")


def rendered(page: Any, key: int, velocity: int = 80) -> np.ndarray[Any, Any]:
    """A second of one key, as the page's piano plays it, at 44.1 kHz."""
    script = """async ([key, velocity]) => { const context = new OfflineAudioContext(1, 44100, 44100);
        Piano.note(context, Piano.board(context, context.destination), key, velocity, 0, 0.9);
        return Array.from((await context.startRendering()).getChannelData(0)); }"""
    return np.array(page.tab.evaluate(script, [key, velocity]))


def test_it_plays_and_pauses_without_a_request_or_a_complaint(made: Make, opened: Open, pair: Pair) -> None:
    address = made(*pair)
    page = opened(address)
    page.tab.click(PLAY)
    wait_for_sound(page, True)
    assert page.tab.get_attribute(PLAY, "aria-label") == "Pause models/one"
    until(page, "players[0].now() > 0.3")
    page.tab.click(PLAY)
    wait_for_sound(page, False)
    assert page.tab.get_attribute(PLAY, "aria-label") == "Play models/one"
    assert page.requests == [address]
    assert page.complaints == []


def test_a_second_piece_stops_the_first(made: Make, opened: Open, pair: Pair) -> None:
    page = opened(made(*pair))
    page.tab.click(PLAY)
    page.tab.click(".piece >> nth=1 >> button.play")
    assert page.tab.get_attribute(PLAY, "aria-label") == "Play models/one"
    assert page.tab.evaluate("state.playing === players[1]")


def test_the_keys_that_sound_are_lit(made: Make, opened: Open, scale: Scale) -> None:
    chord = Roll.from_notes(scale(60).notes())
    page = opened(made(Piece("c", scale(*MELODY, frames=8)), Piece("chord", chord)))
    page.tab.evaluate("players[0].seek(players[0].line.seconds(8 * 4 + 2))")
    assert page.tab.get_attribute(".piece >> nth=0", "data-lit") == "67"
    pixel = """(() => { const { keys } = players[0], row = keys.height / (PAGE.high - PAGE.low + 1);
        const y = Math.round(row * (PAGE.high - 67 + 0.5));
        return [...keys.getContext("2d").getImageData(5, y, 1, 1).data]; })()"""
    red, green, blue, _ = page.tab.evaluate(pixel)
    assert red > 150 > max(green, blue)


def test_the_mouse_seeks(made: Make, opened: Open, pair: Pair) -> None:
    page = opened(made(*pair))
    box = page.tab.locator(ROLL).bounding_box()
    page.tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + 20)
    assert page.tab.evaluate("players[0].now() / players[0].length") == pytest.approx(0.5, abs=0.01)
    assert page.tab.inner_text(".clock >> nth=0") == "0:04 / 0:08"


def test_keys_play_and_seek(made: Make, opened: Open, pair: Pair) -> None:
    page = opened(made(*pair))
    roll = page.tab.locator(ROLL)
    roll.focus()
    for key, second in (
        ("ArrowRight", 2),
        ("ArrowUp", 4),
        ("ArrowLeft", 2),
        ("PageUp", 8),
        ("Home", 0),
        ("End", 8),
    ):
        roll.press(key)
        assert float(roll.get_attribute("aria-valuenow")) == pytest.approx(second, abs=0.05), key
    assert roll.get_attribute("aria-valuetext") == "0:08 of 0:08"
    roll.press("Home")
    roll.press(" ")
    wait_for_sound(page, True)
    roll.press("Enter")
    wait_for_sound(page, False)


def test_speed_keeps_the_place_and_halves_the_time(made: Make, opened: Open, pair: Pair) -> None:
    page = opened(made(*pair))
    page.tab.click(PLAY)
    page.tab.select_option("#speed", "2")
    heard = """(async () => { const place = players[0].now(), time = sound.context.currentTime;
        await new Promise(done => setTimeout(done, 700));
        return (players[0].now() - place) / (sound.context.currentTime - time); })()"""
    until(page, "sound.context.currentTime > players[0].begun")
    assert page.tab.evaluate(heard) == pytest.approx(2, abs=0.05)


def test_tempo_changes_are_played(made: Make, opened: Open, scale: Scale) -> None:
    roll = scale(*MELODY, frames=4, tempo=80.0)
    slower = Roll(roll.onset, roll.sounding, roll.velocity, 80.0, roll.meter, ((0, 120.0), (16, 60.0)))
    page = opened(made(Piece("slower", slower)))
    assert page.tab.evaluate("players[0].starts") == pytest.approx([0, 0.5, 1, 1.5, 2, 3, 4, 5])
    assert page.tab.evaluate("[1.5, 2, 4].map(s => players[0].line.frame(s))") == pytest.approx([12, 16, 24])


@pytest.mark.parametrize("key", [33, 45, 60, 69, 84, 96])
def test_each_key_sounds_at_its_frequency(made: Make, opened: Open, key: int, pair: Pair) -> None:
    heard = rendered(opened(made(*pair)), key)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    wanted = 440 * 2 ** ((key - 69) / 12)
    near = slice(int(wanted * 0.9), int(wanted * 1.1) + 2)
    assert near.start + int(spectrum[near].argmax()) == pytest.approx(wanted, abs=1.5)
    below = spectrum[5 : near.start]
    assert below.max(initial=0) < 0.2 * spectrum[near].max(), "something sounds below the fundamental"


def test_loud_is_louder_than_soft_and_a_loud_chord_does_not_clip(
    made: Make, opened: Open, pair: Pair
) -> None:
    page = opened(made(*pair))
    assert np.abs(rendered(page, 60, 110)).max() > 3 * np.abs(rendered(page, 60, 30)).max()
    script = """async () => { const context = new OfflineAudioContext(1, 44100, 44100);
        const board = Piano.board(context, context.destination);
        for (const key of [36, 48, 52, 55, 60, 64, 67, 72]) Piano.note(context, board, key, 127, 0.05, 0.8);
        return Math.max(...(await context.startRendering()).getChannelData(0).map(Math.abs)); }"""
    assert 0.2 < page.tab.evaluate(script) <= 1


def test_the_download_is_the_midi_file(made: Make, opened: Open, tmp_path: Path, pair: Pair) -> None:
    first, second = pair
    page = opened(made(first, Piece("songs/a song.mid", second.roll, midi=b"MThd as it was")))
    for number, name, content in (
        (0, "models-one.mid", midi_bytes(first.roll)),
        (1, "songs-a song.mid", b"MThd as it was"),
    ):
        with page.tab.expect_download() as download:
            page.tab.click(f".piece >> nth={number} >> a.mid")
        download.value.save_as(tmp_path / "got.mid")
        assert download.value.suggested_filename == name
        assert (tmp_path / "got.mid").read_bytes() == content


def test_listening_blind_hides_who_wrote_what(made: Make, opened: Open, tmp_path: Path, pair: Pair) -> None:
    page = opened(made(*pair))
    page.tab.check("#blind")
    assert sorted(page.tab.locator(".alias").all_inner_texts()) == ["Piece A", "Piece B"]
    assert not page.tab.locator(".name, .facts, .mid").evaluate_all("all => all.some(e => e.offsetParent)")
    labels = page.tab.locator("[aria-label]").evaluate_all(
        "all => all.map(e => e.getAttribute('aria-label'))"
    )
    assert not [label for label in labels if "models/" in label]
    page.tab.click(".piece:has-text('Piece A') [data-rating='5']")
    page.tab.click(".piece:has-text('Piece B') [data-rating='2']")
    page.tab.click(".piece:has-text('Piece B') [data-rating='3']")
    assert page.tab.inner_text("#count") == "2 of 2 rated"
    with page.tab.expect_download() as download:
        page.tab.click("#save")
    assert re.fullmatch(r"votes-[0-9a-f]{12}\.json", download.value.suggested_filename)
    download.value.save_as(tmp_path / "votes.json")
    kept = json.loads((tmp_path / "votes.json").read_text())
    found = {vote["name"]: (vote["rating"], vote["model"], vote["blind"]) for vote in kept["votes"]}
    order = [(5, True), (3, True)]
    assert {(rating, blind) for rating, _, blind in found.values()} == set(order)
    assert {name: model for name, (_, model, _) in found.items()} == {
        "models/one": "abc",
        "models/two": "def",
    }


def test_blind_pieces_are_dealt_and_equally_loud(made: Make, opened: Open, scale: Scale) -> None:
    pieces = [Piece(f"model {n}", scale(60 + n, loud=20 + n), group="one") for n in range(8)]
    page = opened(made(*pieces))
    page.tab.check("#blind")
    dealt = page.tab.locator(".name").evaluate_all("all => all.map(e => e.textContent)")
    assert sorted(dealt) == [piece.name for piece in pieces]
    assert dealt != [piece.name for piece in pieces]  # the same once in 40320 times
    page.tab.evaluate("window.heard = []; Piano.note = (...note) => heard.push(note[3]); 0")
    page.tab.click(PLAY)
    until(page, "heard.length > 0")
    assert page.tab.evaluate("heard[0]") == 64
    page.tab.uncheck("#blind")
    assert page.tab.locator(".name").all_inner_texts() == [piece.name for piece in pieces]


@pytest.mark.parametrize("count", [1, 4, 40])
def test_nothing_is_wider_than_a_phone(made: Make, opened: Open, count: int, scale: Scale) -> None:
    tune = scale(*MELODY * 8, frames=8)
    name = "a/very/long/folder/of/models/that_has_no_place_to_break_a_line_at_whatever_happens/bundle"
    page = opened(
        made(*(Piece(name, tune) for _ in range(count)), command=f"zoo report {name} {name}"), width=390
    )
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.tab.locator(".piece").count() == count
    assert page.complaints == []


def test_long_rolls_scroll_in_their_card_and_follow_the_music(made: Make, opened: Open, scale: Scale) -> None:
    page = opened(made(Piece("long", scale(*MELODY * 25, frames=8))), width=390)
    assert page.tab.evaluate("players[0].roll.clientWidth") == 1600
    page.tab.evaluate("players[0].seek(players[0].length * 0.9)")
    page.tab.click(PLAY)
    until(page, "players[0].scroll.scrollLeft > 1000")
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_it_is_dark_where_the_system_is(made: Make, opened: Open, pair: Pair) -> None:
    address = made(*pair)
    colours = []
    for dark in (False, True):
        page = opened(address, dark=dark)
        style = page.tab.evaluate("getComputedStyle(document.body).backgroundColor")
        colours.append([int(part) for part in re.findall(r"\d+", style)][:3])
    light, dark_colour = colours
    assert min(light) > 240
    assert max(dark_colour) < 60


def test_names_are_text_whatever_is_in_them(made: Make, opened: Open, scale: Scale) -> None:
    name = "</script><img src=x onerror=alert(1)>&\"'"
    address = made(Piece(name, scale(60)), Piece("other", scale(62)), command=name)
    page = opened(address)
    assert page.tab.locator(".name").first.inner_text() == name
    assert page.tab.evaluate("PAGE.pieces[0].name") == name
    assert page.requests == [address]
    assert page.complaints == []


def test_a_script_that_is_not_the_pages_own_does_not_run(
    made: Make, opened: Open, tmp_path: Path, pair: Pair
) -> None:
    made(*pair)
    file = tmp_path / "report.html"
    file.write_text(file.read_text().replace("</body>", "<script>window.stranger = 1</script></body>"))
    page = opened(file.as_uri())
    assert page.tab.evaluate("window.stranger") is None
    assert page.tab.evaluate("players.length") == 2


def test_tables_and_charts_stay_within_a_phone(made: Make, opened: Open) -> None:
    figure = {
        "value": 4.0,
        "kind": "bound",
        "interval": [3.5, 4.5],
        "standard_error": None,
        "count": 9,
        "pieces": 3,
    }
    row = {"name": "models/with_a_long_name_of_its_own/bundle", "floor": False, "score": figure}
    row |= {"terms": dict.fromkeys(("codes", "keys", "residual"), figure)}
    data = {"name": "songs", "digest": "0" * 64, "split": "test"}
    result = {
        "data": data,
        "rows": [row, row],
        "differences": [],
        "velocity": {"rows": [], "differences": []},
    }
    curve = {"core": [(60.0 * n, 3.0 - 0.1 * n) for n in range(5)]}
    address = made(results=[result], trainings=[Training("run", {}, curve)])
    page = opened(address, width=390)
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= 390
    table = page.tab.locator(".wide").first
    assert table.evaluate("e => e.scrollWidth > e.clientWidth")
    assert page.tab.locator("svg.forest .dot").count() == 2
    assert page.tab.locator("polyline").first.evaluate("e => getComputedStyle(e).stroke") != "none"
    assert page.complaints == []
