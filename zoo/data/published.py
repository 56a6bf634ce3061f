"""Sets that others publish, fetched at their first use: POP909, MAESTRO, and JSB chorales in sixteenths."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zoo.data import boulanger, folder
from zoo.data.archive import Members, is_archive, read_archive
from zoo.data.download import Remote, fetched
from zoo.data.options import DEFAULTS, Options
from zoo.data.source import Source
from zoo.data.writing import Progress
from zoo.errors import DataError, Problem
from zoo.music.grid import GRID


@dataclass(frozen=True)
class Published:
    """A set by its file; without an archive it lists pitches (`zoo.data.pitches`)."""

    remote: Remote
    pieces: int
    archive: Members | None = None

    @property
    def planes(self) -> frozenset[str]:
        """Which of "onset", "sounding" and "velocity" it knows."""
        return folder.PLANES if self.archive else boulanger.PLANES


def _is_json(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except (OSError, ValueError, RecursionError):
        return False


POP909 = Published(
    Remote(
        name="pop909",
        # A commit, so the songs stay the same; the service packs the archive on demand and may do so
        # otherwise one day, and no checksum of it is published: it is held to the first download.
        url="https://github.com/music-x-lab/POP909-Dataset/archive/efa0bce09b0b8dc241957412270aba6740bd0bf5.zip",
        file="pop909-efa0bce.zip",
        bytes=20_000_000,  # an estimate, from a quarter of the songs; the server does not tell
        licence="MIT licence, Music X Lab 2020",
        sha256=None,
        is_whole=is_archive,
    ),
    pieces=909,
    archive=Members(r"[^/]+/POP909/(?P<title>(\d{3})/\2\.mid)", tracks=("PIANO",), beats="beat_midi.txt"),
)
MAESTRO = Published(
    Remote(
        name="maestro",
        url="https://storage.googleapis.com/magentadata/datasets/maestro/v3.0.0/maestro-v3.0.0-midi.zip",
        file="maestro-v3.0.0-midi.zip",
        bytes=58_416_533,
        licence="CC BY-NC-SA 4.0, Google: not for commercial use",
        # As published at https://magenta.tensorflow.org/datasets/maestro; size and sum also in MusPy.
        sha256="70470ee253295c8d2c71e6d9d4a815189e35c89624b76d22fce5a019d5dde12c",
        is_whole=is_archive,
    ),
    pieces=1276,
    archive=Members(r"[^/]+/(?P<title>.+\.midi?)", splits="maestro-v3.0.0.csv"),
)
JSB = Published(
    Remote(
        name="jsb",
        # A commit, so the file stays the same; no checksum of it is published.
        url="https://raw.githubusercontent.com/czhuang/JSB-Chorales-dataset/"
        "9a7f733ddb4ed91f48da64ac7f0f621c34aadd4d/jsb-chorales-16th.json",
        file="jsb-chorales-16th.json",
        bytes=1_741_172,
        licence="music in the public domain, the encoding without a licence of its own",
        sha256=None,
        is_whole=_is_json,
    ),
    pieces=382,
)
PUBLISHED = {each.remote.name: each for each in (POP909, MAESTRO, JSB)}


def source(
    published: Published,
    tracks: Sequence[str] = (),
    options: Options = DEFAULTS,
    progress: Progress | None = None,
) -> Source:
    """A published set, fetched if it is not on this machine.

    Args:
        published: the set.
        tracks: titles of the tracks to read instead of those that the set is known for.
        options: how its files are read.
        progress: told how many bytes have come, and of how many.

    Raises:
        DataError: it cannot be fetched, is not what was published, has no tracks, or its frames are on
            another grid.
        ZooError: it cannot be written.
    """
    remote, archive = published.remote, published.archive
    if archive is None and tracks:
        what, hint = "this set lists pitches and has no tracks", f"name it as data={remote.name}"
        raise DataError(Problem(what, f"{remote.name}:{','.join(tracks)}", hint))
    if archive is None:
        boulanger.grid_of(remote.place, options)  # before anything is fetched
    digest = fetched(remote, progress)
    if archive is None:
        frames = boulanger.source(remote.place, options)
        return replace(frames, name=remote.name, place=remote.name, size=published.pieces, state=digest)
    members = replace(archive, tracks=tuple(tracks) or archive.tracks)
    name = ":".join([remote.name, *([",".join(tracks)] if tracks else [])])
    return Source(
        name=name,
        planes=published.planes,
        grid=options.grid or GRID,
        size=published.pieces,
        read=lambda: read_archive(remote.place, members, options),
        place=name,
        state=[digest, *members.tracks],
        options=options,
    )
