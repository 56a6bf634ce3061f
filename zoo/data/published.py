"""Published datasets that are downloaded at their first use: POP909, MAESTRO, and JSB chorales."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zoo.data import boulanger, folder
from zoo.data.archive import Members, is_archive, read_archive
from zoo.data.download import Remote, fetch
from zoo.data.options import DEFAULTS, Options
from zoo.data.source import DataSource
from zoo.errors import DataError, Problem
from zoo.music.grid import GRID
from zoo.progress import Progress


@dataclass(frozen=True)
class Published:
    """A published dataset.

    Attributes:
        remote: its file.
        pieces: number of pieces.
        archive: which members to read if the file is a zip archive; None if it lists pitches
            (`zoo.data.pitches`).
    """

    remote: Remote
    pieces: int
    archive: Members | None = None

    @property
    def planes(self) -> frozenset[str]:
        """Which of the planes "onset", "sounding" and "velocity" are known."""
        return folder.PLANES if self.archive else boulanger.PLANES


def _is_json(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except (OSError, ValueError, RecursionError):
        return False


POP909 = Published(
    Remote(
        name="pop909",
        # Pinned to a commit, so the songs stay the same. The archive is created on demand and its bytes may
        # change one day, so no checksum is stated here; it is compared with that of the first download.
        url="https://github.com/music-x-lab/POP909-Dataset/archive/efa0bce09b0b8dc241957412270aba6740bd0bf5.zip",
        file="pop909-efa0bce.zip",
        bytes=20_000_000,  # estimated from a quarter of the songs; the server does not state the size
        licence="MIT licence, Music X Lab 2020",
        sha256=None,
        is_complete=is_archive,
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
        is_complete=is_archive,
    ),
    pieces=1276,
    archive=Members(r"[^/]+/(?P<title>.+\.midi?)", splits="maestro-v3.0.0.csv"),
)
JSB = Published(
    Remote(
        name="jsb",
        # Pinned to a commit, so the file stays the same; no checksum is published.
        url="https://raw.githubusercontent.com/czhuang/JSB-Chorales-dataset/"
        "9a7f733ddb4ed91f48da64ac7f0f621c34aadd4d/jsb-chorales-16th.json",
        file="jsb-chorales-16th.json",
        bytes=1_741_172,
        licence="music in the public domain, encoding without a licence of its own",
        sha256=None,
        is_complete=_is_json,
    ),
    pieces=382,
)
PUBLISHED = {dataset.remote.name: dataset for dataset in (POP909, MAESTRO, JSB)}


def source(
    published: Published,
    tracks: Sequence[str] = (),
    options: Options = DEFAULTS,
    progress: Progress | None = None,
) -> DataSource:
    """A published dataset as a source; it is downloaded unless it exists locally.

    Args:
        published: the dataset.
        tracks: titles of the tracks to read; by default, those that `published` states.
        options: how its files are read.
        progress: called with the number of bytes downloaded so far and the total.

    Raises:
        DataError: the dataset cannot be downloaded, its checksum is wrong, it has no tracks to select from,
            or its frames are on another grid.
        ZooError: the file cannot be written.
    """
    remote, archive = published.remote, published.archive
    if archive is None and tracks:
        what, hint = "this dataset lists pitches and has no tracks", f"use data={remote.name}"
        raise DataError(Problem(what, f"{remote.name}:{','.join(tracks)}", hint))
    if archive is None:
        boulanger.grid_of(remote.path, options)  # check the grid before the download
    digest = fetch(remote, progress)
    if archive is None:
        file = boulanger.source(remote.path, options)
        return replace(file, name=remote.name, place=remote.name, size=published.pieces, state=digest)
    members = replace(archive, tracks=tuple(tracks) or archive.tracks)
    name = ":".join([remote.name, *([",".join(tracks)] if tracks else [])])
    return DataSource(
        name=name,
        planes=published.planes,
        grid=options.grid or GRID,
        size=published.pieces,
        read=lambda: read_archive(remote.path, members, options),
        place=name,
        state=[digest, *members.tracks],
        options=options,
    )
