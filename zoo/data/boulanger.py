"""The four sets of Boulanger-Lewandowski, Bengio and Vincent (2012), as published, and sets laid out alike.

A .mat file has three variables, `traindata`, `validdata` and `testdata`, (1, N) objects of (T, 88)
matrices that say which keys sound: column k is MIDI pitch 21 + k. A .pickle, .pkl or .json file lists the
pitches of every frame (`zoo.data.pitches`). The frames are quarter notes in JSB Chorales and eighths
elsewhere, in the JSB-Chorales-dataset what the file is called after. Which keys are pressed and how loud
is not known. The published split is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.options import Options
from zoo.data.piece import Reading, Skipped
from zoo.data.pitches import PICKLES, read_pitches
from zoo.data.source import Source
from zoo.data.split import SPLITS
from zoo.errors import DataError, Problem
from zoo.music.roll import KEYS, Roll

PLANES = frozenset({"sounding"})
SUFFIXES = (".mat", *PICKLES, ".json")
"""The ends of names that such files go by."""


def source(path: Path, options: Options) -> Source:
    """The pieces of one file.

    Raises:
        DataError: there is no such file. Reading it raises DataError where it holds something else, or
            where scipy is missing for a .mat file.
    """
    if not path.is_file():
        raise DataError(Problem("there is no file of this name", where=str(path), cure="check the path"))
    status = path.stat()
    return Source(
        name=str(path),
        planes=PLANES,
        grid=options.grid or 4,
        size=0,
        read=lambda: _read(path),
        place=str(path.resolve()),
        state=[status.st_size, status.st_mtime_ns],
    )


def _read(path: Path) -> Iterator[Reading | Skipped]:
    return _read_matrices(path) if path.suffix.lower() == ".mat" else read_pitches(path)


def _read_matrices(path: Path) -> Iterator[Reading]:
    content = _load(path)
    for split in SPLITS:
        variable = f"{split}data"
        if variable not in content:
            raise _foreign(path, f"it has no variable `{variable}`")
        for number, matrix in enumerate(content[variable].ravel()):
            if not (isinstance(matrix, np.ndarray) and matrix.ndim == 2 and matrix.shape[1] == KEYS):
                raise _foreign(path, f"entry {number} of `{variable}` is not a matrix with {KEYS} columns")
            yield Reading(f"{variable} {number}", Roll(None, matrix != 0), split=split)


def _load(path: Path) -> dict[str, Any]:
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise DataError(
            Problem("reading .mat files needs scipy", where=str(path), cure="pip install 'polyzoo[data]'")
        ) from error
    try:
        content: dict[str, Any] = loadmat(path)
    except Exception as error:  # scipy answers damaged files with many kinds of exception
        raise _foreign(path, "it cannot be read as a .mat file of version 5") from error
    return content


def _foreign(path: Path, what: str) -> DataError:
    return DataError(
        Problem(
            f"this is none of the Boulanger-Lewandowski files: {what}",
            where=str(path),
            cure="use JSB_Chorales.mat, MuseData.mat, Nottingham.mat or Piano_midi.mat as published",
        )
    )
