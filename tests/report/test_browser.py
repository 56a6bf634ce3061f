"""A report page in a real browser: playback, mouse and keyboard, blind listening, and no requests."""

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
from zoo.report import ListeningPiece
from zoo.report.learning import Training

pytestmark = pytest.mark.xdist_group("browser")

MELODY = (60, 62, 64, 65, 67, 69, 71, 72)
PLAY = ".piece >> nth=0 >> button.play"
ROLL = ".piece >> nth=0 >> canvas.roll"
MakePage = Callable[..., str]
OpenPage = Callable[..., Any]
Scale = Callable[..., Roll]
Pair = tuple[ListeningPiece, ListeningPiece]


def loudness(page: Any) -> float:
    """Root mean square of the audio output in the last fifth of a second."""
    script = """() => { const samples = new Float32Array(sound.meter.fftSize);
        sound.meter.getFloatTimeDomainData(samples);
        return Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length); }"""
    return float(page.tab.evaluate(script))


def wait_for_sound(page: Any, expected: bool) -> None:
    for _ in range(100):
        if (loudness(page) > 0.003) == expected:
            return
        page.tab.wait_for_timeout(50)
    pytest.fail("no sound" if expected else "the sound did not stop")


def wait_until(page: Any, condition: str) -> None:
    """Wait until a script returns true; `wait_for_function` needs `eval`, which the page forbids."""
    for _ in range(200):
        if page.tab.evaluate(condition):
            return
        page.tab.wait_for_timeout(50)
    pytest.fail(f"timed out waiting for {condition}")


def render_note(page: Any, key: int, velocity: int = 80) -> np.ndarray[Any, Any]:
    """One second of a note on the page's piano at 44.1 kHz."""
    script = """async ([key, velocity]) => { const context = new OfflineAudioContext(1, 44100, 44100);
        Piano.note(context, Piano.board(context, context.destination), key, velocity, 0, 0.9);
        return Array.from((await context.startRendering()).getChannelData(0)); }"""
    return np.array(page.tab.evaluate(script, [key, velocity]))


def test_playback_starts_and_pauses_without_requests_or_errors(
    make_page: MakePage, open_page: OpenPage, pair: Pair
) -> None:
    url = make_page(*pair)
    page = open_page(url)
    page.tab.click(PLAY)
    wait_for_sound(page, True)
    assert page.tab.get_attribute(PLAY, "aria-label") == "Pause models/one"
    wait_until(page, "players[0].now() > 0.3")
    page.tab.click(PLAY)
    wait_for_sound(page, False)
    assert page.tab.get_attribute(PLAY, "aria-label") == "Play models/one"
    assert page.requests == [url]
    assert page.messages == []


def test_playing_a_piece_pauses_the_previous_one(
    make_page: MakePage, open_page: OpenPage, pair: Pair
) -> None:
    page = open_page(make_page(*pair))
    page.tab.click(PLAY)
    page.tab.click(".piece >> nth=1 >> button.play")
    assert page.tab.get_attribute(PLAY, "aria-label") == "Play models/one"
    assert page.tab.evaluate("state.playing === players[1]")


def test_sounding_keys_light_up(make_page: MakePage, open_page: OpenPage, scale: Scale) -> None:
    chord = Roll.from_notes(scale(60).notes())
    page = open_page(make_page(ListeningPiece("c", scale(*MELODY, frames=8)), ListeningPiece("chord", chord)))
    page.tab.evaluate("players[0].seek(players[0].line.seconds(8 * 4 + 2))")
    assert page.tab.get_attribute(".piece >> nth=0", "data-lit") == "67"
    pixel = """(() => { const { keys } = players[0], row = keys.height / (PAGE.high - PAGE.low + 1);
        const y = Math.round(row * (PAGE.high - 67 + 0.5));
        return [...keys.getContext("2d").getImageData(5, y, 1, 1).data]; })()"""
    red, green, blue, _ = page.tab.evaluate(pixel)
    assert red > 150 > max(green, blue)


def test_a_click_seeks(make_page: MakePage, open_page: OpenPage, pair: Pair) -> None:
    page = open_page(make_page(*pair))
    box = page.tab.locator(ROLL).bounding_box()
    page.tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + 20)
    assert page.tab.evaluate("players[0].now() / players[0].length") == pytest.approx(0.5, abs=0.01)
    assert page.tab.inner_text(".clock >> nth=0") == "0:04 / 0:08"


def test_the_keyboard_plays_and_seeks(make_page: MakePage, open_page: OpenPage, pair: Pair) -> None:
    page = open_page(make_page(*pair))
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


def test_double_speed_halves_the_time(make_page: MakePage, open_page: OpenPage, pair: Pair) -> None:
    page = open_page(make_page(*pair))
    page.tab.click(PLAY)
    page.tab.select_option("#speed", "2")
    measured_speed = """(async () => { const position = players[0].now(), time = sound.context.currentTime;
        await new Promise(done => setTimeout(done, 700));
        return (players[0].now() - position) / (sound.context.currentTime - time); })()"""
    wait_until(page, "sound.context.currentTime > players[0].startedAt")
    assert page.tab.evaluate(measured_speed) == pytest.approx(2, abs=0.05)


def test_playback_follows_tempo_changes(make_page: MakePage, open_page: OpenPage, scale: Scale) -> None:
    roll = scale(*MELODY, frames=4, tempo=80.0)
    slower = Roll(roll.onset, roll.sounding, roll.velocity, 80.0, roll.meter, ((0, 120.0), (16, 60.0)))
    page = open_page(make_page(ListeningPiece("slower", slower)))
    assert page.tab.evaluate("players[0].starts") == pytest.approx([0, 0.5, 1, 1.5, 2, 3, 4, 5])
    assert page.tab.evaluate("[1.5, 2, 4].map(s => players[0].line.frame(s))") == pytest.approx([12, 16, 24])


@pytest.mark.parametrize("key", [33, 45, 60, 69, 84, 96])
def test_each_key_has_its_frequency(make_page: MakePage, open_page: OpenPage, key: int, pair: Pair) -> None:
    samples = render_note(open_page(make_page(*pair)), key)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    frequency = 440 * 2 ** ((key - 69) / 12)
    near = slice(int(frequency * 0.9), int(frequency * 1.1) + 2)
    assert near.start + int(spectrum[near].argmax()) == pytest.approx(frequency, abs=1.5)
    below = spectrum[5 : near.start]
    assert below.max(initial=0) < 0.2 * spectrum[near].max(), "there is energy below the fundamental"


def test_volume_follows_velocity_and_a_fortissimo_chord_does_not_clip(
    make_page: MakePage, open_page: OpenPage, pair: Pair
) -> None:
    page = open_page(make_page(*pair))
    assert np.abs(render_note(page, 60, 110)).max() > 3 * np.abs(render_note(page, 60, 30)).max()
    script = """async () => { const context = new OfflineAudioContext(1, 44100, 44100);
        const board = Piano.board(context, context.destination);
        for (const key of [36, 48, 52, 55, 60, 64, 67, 72]) Piano.note(context, board, key, 127, 0.05, 0.8);
        return Math.max(...(await context.startRendering()).getChannelData(0).map(Math.abs)); }"""
    assert 0.2 < page.tab.evaluate(script) <= 1


def test_the_download_is_the_midi_file(
    make_page: MakePage, open_page: OpenPage, tmp_path: Path, pair: Pair
) -> None:
    first, second = pair
    page = open_page(make_page(first, ListeningPiece("songs/a song.mid", second.roll, midi=b"MThd original")))
    for number, name, content in (
        (0, "models-one.mid", midi_bytes(first.roll)),
        (1, "songs-a song.mid", b"MThd original"),
    ):
        with page.tab.expect_download() as download:
            page.tab.click(f".piece >> nth={number} >> a.mid")
        download.value.save_as(tmp_path / "download.mid")
        assert download.value.suggested_filename == name
        assert (tmp_path / "download.mid").read_bytes() == content


def test_blind_listening_hides_all_names(
    make_page: MakePage, open_page: OpenPage, tmp_path: Path, pair: Pair
) -> None:
    page = open_page(make_page(*pair))
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
    page.tab.uncheck("#blind")
    assert page.tab.inner_text("#count") == "no ratings yet"
    page.tab.click(".piece >> nth=0 >> [data-rating='1']")
    page.tab.check("#blind")
    assert page.tab.inner_text("#count") == "2 of 2 rated"
    with page.tab.expect_download() as download:
        page.tab.click("#save")
    assert re.fullmatch(r"votes-[0-9a-f]{12}-[0-9a-f]{8}\.json", download.value.suggested_filename)
    download.value.save_as(tmp_path / "votes.json")
    saved = json.loads((tmp_path / "votes.json").read_text())
    assert download.value.suggested_filename == f"votes-{saved['page']}-{saved['listener']}.json"
    votes = saved["votes"]
    assert {(vote["rating"], vote["blind"]) for vote in votes} == {(5, True), (3, True), (1, False)}
    models = {vote["name"]: vote["model"] for vote in votes}
    assert models == {"models/one": "abc", "models/two": "def"}


def test_each_listener_saves_a_file_of_their_own(
    make_page: MakePage, open_page: OpenPage, pair: Pair
) -> None:
    url = make_page(*pair)
    names = set()
    for _ in range(3):
        page = open_page(url)
        page.tab.click(".piece >> nth=0 >> [data-rating='5']")
        with page.tab.expect_download() as download:
            page.tab.click("#save")
        names.add(download.value.suggested_filename)
    assert len(names) == 3


def test_blind_pieces_are_shuffled_and_equally_loud(
    make_page: MakePage, open_page: OpenPage, scale: Scale
) -> None:
    pieces = [ListeningPiece(f"model {n}", scale(60 + n, velocity=20 + n), group="one") for n in range(8)]
    page = open_page(make_page(*pieces))
    page.tab.check("#blind")
    names = page.tab.locator(".name").evaluate_all("all => all.map(e => e.textContent)")
    assert sorted(names) == [piece.name for piece in pieces]
    assert names != [piece.name for piece in pieces]  # equal by chance once in 40320 runs
    page.tab.evaluate("window.velocities = []; Piano.note = (...note) => velocities.push(note[3]); 0")
    page.tab.click(PLAY)
    wait_until(page, "velocities.length > 0")
    assert page.tab.evaluate("velocities[0]") == 64
    page.tab.uncheck("#blind")
    assert page.tab.locator(".name").all_inner_texts() == [piece.name for piece in pieces]


@pytest.mark.parametrize("count", [1, 4, 40])
def test_the_page_fits_a_phone(make_page: MakePage, open_page: OpenPage, count: int, scale: Scale) -> None:
    tune = scale(*MELODY * 8, frames=8)
    name = "a/very/long/folder/of/models/that_has_no_place_to_break_a_line_at_whatever_happens/bundle"
    page = open_page(
        make_page(*(ListeningPiece(name, tune) for _ in range(count)), command=f"zoo report {name} {name}"),
        width=390,
    )
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.tab.locator(".piece").count() == count
    assert page.messages == []


def test_only_visible_rolls_are_drawn_when_a_page_opens(
    make_page: MakePage, open_page: OpenPage, scale: Scale
) -> None:
    tune = scale(*MELODY * 8, frames=8)
    page = open_page(make_page(*(ListeningPiece(f"tune {n}", tune) for n in range(40))))
    wait_until(page, "players[0].isVisible")
    drawn = "players.filter(player => player.isVisible).length"
    assert page.tab.evaluate(drawn) < 20
    page.tab.locator(".piece").last.scroll_into_view_if_needed()
    wait_until(page, "players.at(-1).isVisible")
    page.tab.click(".piece >> nth=-1 >> button.play")
    wait_for_sound(page, True)
    assert page.tab.evaluate("state.playing === players.at(-1)")


def test_a_long_roll_scrolls_with_the_music(make_page: MakePage, open_page: OpenPage, scale: Scale) -> None:
    page = open_page(make_page(ListeningPiece("long", scale(*MELODY * 25, frames=8))), width=390)
    assert page.tab.evaluate("players[0].roll.clientWidth") == 1600
    page.tab.evaluate("players[0].seek(players[0].length * 0.9)")
    page.tab.click(PLAY)
    wait_until(page, "players[0].scroll.scrollLeft > 1000")
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_page_follows_the_color_scheme_of_the_system(
    make_page: MakePage, open_page: OpenPage, pair: Pair
) -> None:
    url = make_page(*pair)
    colours = []
    for dark in (False, True):
        page = open_page(url, dark=dark)
        style = page.tab.evaluate("getComputedStyle(document.body).backgroundColor")
        colours.append([int(part) for part in re.findall(r"\d+", style)][:3])
    light, dark_colour = colours
    assert min(light) > 240
    assert max(dark_colour) < 60


def test_names_are_escaped(make_page: MakePage, open_page: OpenPage, scale: Scale) -> None:
    name = "</script><img src=x onerror=alert(1)>&\"'"
    url = make_page(ListeningPiece(name, scale(60)), ListeningPiece("other", scale(62)), command=name)
    page = open_page(url)
    assert page.tab.locator(".name").first.inner_text() == name
    assert page.tab.evaluate("PAGE.pieces[0].name") == name
    assert page.requests == [url]
    assert page.messages == []


def test_injected_scripts_do_not_run(
    make_page: MakePage, open_page: OpenPage, tmp_path: Path, pair: Pair
) -> None:
    make_page(*pair)
    file = tmp_path / "report.html"
    file.write_text(file.read_text().replace("</body>", "<script>window.injected = 1</script></body>"))
    page = open_page(file.as_uri())
    assert page.tab.evaluate("window.injected") is None
    assert page.tab.evaluate("players.length") == 2


def test_tables_and_charts_fit_a_phone(make_page: MakePage, open_page: OpenPage) -> None:
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
    url = make_page(
        results=[result], trainings=[Training("run", {}, curve, {"core": "exact", "decoder": "exact"})]
    )
    page = open_page(url, width=390)
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= 390
    table = page.tab.locator(".wide").first
    assert table.evaluate("e => e.scrollWidth > e.clientWidth")
    assert page.tab.locator("svg.forest .dot").count() == 2
    assert page.tab.locator("polyline").first.evaluate("e => getComputedStyle(e).stroke") != "none"
    assert page.messages == []
