"""What the site has to hear and to sort: music of the pretrained models, and the leaderboard."""

from __future__ import annotations

from pathlib import Path

from zoo.cli.main import run
from zoo.model.pretrained import pretrained_names

EXTRA = "extra"
"""The folder among the sources whose content Sphinx copies as it is."""
PIECES = pretrained_names()
"""The pretrained models, which write the music of the site."""


def write_extra(root: Path, folder: Path) -> None:
    """Sound files, the page to listen to, and the leaderboard, which Sphinx copies as they are.

    Raises:
        RuntimeError: a command fails.
    """
    (folder / "sound").mkdir(parents=True)
    (folder / "listen").mkdir()
    for name in PIECES:
        _zoo("generate", name, "--bars", "8", "--seed", "1", "-o", str(folder / "sound" / f"{name}.wav"))
    _zoo("report", *PIECES, "--count", "2", "-o", str(folder / "listen" / "index.html"))
    studies = [str(root / "benchmarks" / "studies" / name) for name in ("", "long")]
    scored = ["--bundle", "bach", "--bundle", "baseline"]
    scored += ["--submissions", str(root / "benchmarks" / "submissions"), "--local"]
    _zoo("bench", "site", *studies, *scored, "-o", str(folder / "leaderboard"))
    link_back(folder / "listen" / "index.html", "listen.html", "How to listen to models")
    link_back(folder / "leaderboard" / "index.html", "leaderboard.html", "About the leaderboard")


def link_back(page: Path, document: str, title: str) -> None:
    """Begin a page that stands alone, one folder down, with links to the site and to its document."""
    links = f'<p><a href="../index.html">polyzoo</a> · <a href="../{document}">{title}</a></p>'
    start, body, rest = page.read_text("utf-8").partition("<body>")
    page.write_text(f"{start}{body}\n{links}{rest}", "utf-8")


def _zoo(*words: str) -> None:
    if code := run(words):
        raise RuntimeError(f"zoo {' '.join(words)} ends with exit code {code}")
