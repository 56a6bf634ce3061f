"""Pages of known music, and the browser that opens them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.music.roll import LOWEST_KEY, Notes, Roll
from zoo.report import Piece, Report, write_report

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def scale() -> Callable[..., Roll]:
    """MIDI pitches, one after another, each `frames` long: `scale(60, 62, frames=4)`."""
    return _scale


def _scale(*pitches: int, frames: int = 4, loud: int = 80, **about: Any) -> Roll:
    start = np.arange(len(pitches), dtype=np.int64) * frames
    key = np.array(pitches, np.int64) - LOWEST_KEY
    notes = Notes(start, start + frames, key, np.full(len(pitches), loud, np.uint8))
    return Roll.from_notes(notes, **about)


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., str]:
    """The address of a page with these pieces."""

    def make(*pieces: Piece, **about: Any) -> str:
        write_report(Report("A report", pieces, **about), tmp_path / "report.html")
        return (tmp_path / "report.html").as_uri()

    return make


@pytest.fixture
def pair() -> tuple[Piece, Piece]:
    """Two models that write a scale upwards, loud, and downwards, soft; 8 seconds each."""
    up = (60, 62, 64, 65, 67, 69, 71, 72)
    group = "From silence, seed 0"
    return (
        Piece("models/one", _scale(*up, frames=8, loud=100), group=group, primer=16, model="abc"),
        Piece("models/two", _scale(*up[::-1], frames=8, loud=30), group=group, model="def"),
    )


@pytest.fixture
def music() -> Callable[[str], Any]:
    """What a page plays, from its text."""

    def read(text: str) -> Any:
        found = re.search(r'<script type="application/json" id="pieces">(.*?)</script>', text, re.S)
        assert found
        return json.loads(found[1])

    return read


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium; a test that asks for it skips without one."""
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on this machine")
    with driver.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class Opened:
    """A page in the browser, without a network, and what it asked for and complained of."""

    def __init__(self, tab: Any) -> None:
        self.tab, self.requests, self.complaints = tab, [], []
        tab.on("request", lambda request: self.requests.append(request.url))
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        tab.on("console", lambda message: self.complaints.append(message.text))


@pytest.fixture
def opened(chromium: Any) -> Iterator[Callable[..., Opened]]:
    """Open a page: `opened(address, width=390, dark=True)`."""
    contexts = []

    def open_page(address: str, *, width: int = 1120, dark: bool = False) -> Opened:
        scheme = "dark" if dark else "light"
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        context.set_offline(True)
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = Opened(context.new_page())
        page.tab.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
