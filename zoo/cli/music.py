"""Opening the music of a command with a progress bar, and the words that name it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.counts import count
from zoo.train.keys import MusicKeys

if TYPE_CHECKING:
    from zoo.data import Corpus
    from zoo.music.midi import Reading


def music_words(keys: MusicKeys) -> str:
    """The words that open the same music again, quoted for a shell; the grid is that of the bundle."""
    options = {name: getattr(keys, name) for name in ("data", "pedal", "family")}
    defaults = MusicKeys()
    words = [f"{name}={value}" for name, value in options.items() if value != getattr(defaults, name)]
    return " ".join(map(shlex.quote, words)) or f"data={defaults.data}"


def open_music(keys: MusicKeys, grid: int | None = None, *, scans: bool = False) -> Corpus:
    """Open a corpus with a progress bar, and print notes on skipped files and music that is off the grid.

    Args:
        keys: what the user asked for.
        grid: frames per quarter note unless the user sets it, such as that of a bundle.
        scans: whether the command itself lists what was skipped, and why.

    Raises:
        DataError, UsageError: as `zoo.data.open_corpus`.
    """
    from zoo.cli.console import stderr
    from zoo.cli.progress import waiting
    from zoo.data import open_corpus

    options: dict[str, Any] = {"pedal": keys.pedal, "family": keys.family}
    with waiting(f"reading {keys.data}", lines=True) as progress:
        corpus = open_corpus(keys.data, grid=keys.grid or grid, progress=progress, **options)
    for line in (*_ignored(keys.data), *_remarks(corpus, scans)):
        stderr.print_line(line)
    return corpus


def note_lost(path: Path, reading: Reading) -> None:
    """Note how many notes of a MIDI file are not heard as they are written in it."""
    from zoo.cli.console import stderr

    for what, counts in (("changed", reading.losses), ("left out", reading.left_out)):
        if counts:
            listed = ", ".join(f"{number:,} {kind}" for kind, number in counts.items())
            stderr.print_line(f"note: {path}: notes of the file that are {what}: {listed}")


def _ignored(data: str) -> Iterator[str]:
    """A remark if a folder of the user has the name of a corpus, which takes precedence over it."""
    from zoo.data.opening import is_named
    from zoo.model.pretrained import RECIPE
    from zoo.model.sealed import MANIFEST

    folder = Path(data)
    is_music = folder.is_dir() and not any((folder / name).exists() for name in (RECIPE, MANIFEST))
    if is_music and is_named(data):
        yield f"data={data} is a corpus of the zoo, not the folder {data}; for that, write data=./{data}"


def _remarks(corpus: Corpus, scans: bool) -> Iterator[str]:
    """Remarks on the reading that a user should know."""
    if corpus.reread:
        yield "the cache was damaged, incomplete or of another version, so the music was read again"
    if corpus.skipped:
        skipped, files = len(corpus.skipped), len(corpus.skipped) + len(corpus.pieces)
        why = "" if scans else f"; `zoo data scan {shlex.quote(corpus.name)}` shows why"
        yield f"{skipped:,} of {count(files, 'file')} {'was' if skipped == 1 else 'were'} skipped{why}"
    links = {what: number for what, number in corpus.ignored.items() if "links" in what}
    if links:
        ignored = ", ".join(f"{what}: {number}" for what, number in links.items())
        yield f"ignored {ignored}; give the target of a link instead"
    # The number of notes in each piece is not in the table of a corpus, so shares are averaged over pieces.
    off_grid = [piece.off_grid for piece in corpus.pieces if piece.alignment == "unaligned"]
    if off_grid:
        is_one = len(off_grid) == 1
        follow = f"{'follows' if is_one else 'follow'} no beat that could be detected"
        of_notes = "of its notes" if is_one else "of the notes of such a piece, on average,"
        yield (
            f"{len(off_grid):,} of {count(len(corpus.pieces), 'piece')} {follow}: "
            f"{sum(off_grid) / len(off_grid):.0%} {of_notes} were moved by more than a quarter of a frame; "
            "to align them, add a file of beats for each MIDI file"
        )
