"""The tracks of MIDI files by their titles, which `FILE:TITLE` reads alone, with how many notes each has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.counts import count
from zoo.errors import DataError

SHOWN = 16
"""Maximum number of tracks that are printed; `--json` has all of them."""
Tracks = Sequence[Mapping[str, Any]]
"""For each track its `title`, which may be empty, and the number of `notes`; in a folder also of `files`."""


def tracks_of(file: Path) -> Tracks:
    """The tracks of a MIDI file in order; none if it cannot be read."""
    from zoo.music.gridding import open_score

    try:
        score, _ = open_score(file)
    except DataError:
        return []
    return [{"title": title, "notes": notes} for title, notes in score.tracks]


def tracks_of_all(files: Iterable[Path]) -> Tracks:
    """The tracks with notes of several files together, by their titles, the most frequent ones first."""
    notes, containing = Counter[str](), Counter[str]()
    for file in files:
        tracks = [track for track in tracks_of(file) if track["notes"]]
        containing.update({track["title"] for track in tracks})
        for track in tracks:
            notes[track["title"]] += track["notes"]
    order = sorted(notes, key=lambda title: (-containing[title], -notes[title], title))
    return [{"title": title, "files": containing[title], "notes": notes[title]} for title in order]


def tracks_in_words(tracks: Tracks) -> str:
    """The tracks that have notes, by title or number: `Piano (1,204), no. 2 (33)`."""
    words = [
        f"{track['title'] or _without_title(track, number)} ({_size(track)})"
        for number, track in enumerate(tracks, start=1)
        if track["notes"]
    ]
    more = len(words) - SHOWN
    return ", ".join(words[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _without_title(track: Mapping[str, Any], number: int) -> str:
    return "no title" if "files" in track else f"no. {number}"


def _size(track: Mapping[str, Any]) -> str:
    if track.get("files", 1) == 1:
        return f"{track['notes']:,}"
    return f"{track['notes']:,} in {count(track['files'], 'file')}"
