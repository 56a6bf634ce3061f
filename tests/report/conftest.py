"""Report pages with known music, and a browser to open them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zoo.music.roll import Roll
from zoo.report import ListeningPiece, Report, write_report

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def make_page(tmp_path: Path) -> Callable[..., str]:
    """Write a page with some pieces and return its URL."""

    def make(*pieces: ListeningPiece, **options: Any) -> str:
        write_report(Report("A report", pieces, **options), tmp_path / "report.html")
        return (tmp_path / "report.html").as_uri()

    return make


@pytest.fixture
def pair(scale: Callable[..., Roll]) -> tuple[ListeningPiece, ListeningPiece]:
    """A loud rising scale and a soft falling scale by two models, 8 seconds each."""
    up = (60, 62, 64, 65, 67, 69, 71, 72)
    group = "From silence, seed 0"
    return (
        ListeningPiece("models/one", scale(*up, frames=8, velocity=100), group=group, primer=16, model="abc"),
        ListeningPiece("models/two", scale(*up[::-1], frames=8, velocity=30), group=group, model="def"),
    )


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium; tests that need it are skipped if none is installed."""
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    with driver.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class OpenPage:
    """An open page in an offline browser, with its requests, errors and console messages."""

    def __init__(self, tab: Any) -> None:
        self.tab, self.requests, self.messages = tab, [], []
        tab.on("request", lambda request: self.requests.append(request.url))
        tab.on("pageerror", lambda error: self.messages.append(str(error)))
        tab.on("console", lambda message: self.messages.append(message.text))


@pytest.fixture
def open_page(chromium: Any) -> Iterator[Callable[..., OpenPage]]:
    """Open a page: `open_page(url, width=390, dark=True)`."""
    contexts = []

    def open_url(url: str, *, width: int = 1120, dark: bool = False) -> OpenPage:
        scheme = "dark" if dark else "light"
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        context.set_offline(True)
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = OpenPage(context.new_page())
        page.tab.goto(url)
        return page

    yield open_url
    for context in contexts:
        context.close()
