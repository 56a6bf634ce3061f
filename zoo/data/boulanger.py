"""The four sets of Boulanger-Lewandowski, Bengio and Vincent (2012), as published, and sets laid out alike.

A .mat file has variables `traindata`, `validdata` and `testdata`, each (1, N) cells of (T, 88) matrices
that say which keys sound: column k is MIDI pitch 21 + k. Pieces of one length may be stacked to
(N, T, 88). A .pickle, .pkl or .json file lists the pitches of every frame (`zoo.data.pitches`). The frames
are quarter notes in JSB Chorales and eighths elsewhere, in the JSB-Chorales-dataset what the file is called
after. Which keys are pressed and how loud is not known. The published split is kept; a set without
validation pieces has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.data.matlab import MatFile, Unreadable
from zoo.data.options import DEFAULTS, Options
from zoo.data.piece import Reading, Skipped
from zoo.data.pitches import MOST_FRAMES, NO_FRAME, PICKLES, SILENT, read_pitches
from zoo.data.source import Source
from zoo.data.split import SPELLINGS, SPLITS, Split
from zoo.errors import DataError, Problem
from zoo.music.grid import GRID
from zoo.music.meter import Meter
from zoo.music.roll import KEYS, Roll, key_name

PLANES = frozenset({"sounding"})
SUFFIXES = (".mat", *PICKLES, ".json")
"""The ends of names that such files go by."""
LONGEST = 2**16
"""Frames of one piece."""
GRIDS = (
    ("jsb.*quarter", 1),
    ("jsb.*8th", 2),
    ("jsb.*16th", 4),
    (r"jsbchorales\d*$", 1),
    (r"(musedata|nottingham|pianomidi(de)?)\d*$", 2),
)
"""What published files are called, letters and digits alone, and frames to a quarter note in them."""


def source(path: Path, options: Options = DEFAULTS) -> Source:
    """The pieces of one file.

    Raises:
        DataError: there is no such file, or its frames are on another grid. Reading it raises DataError
            where it holds something else.
    """
    grid = grid_of(path, options)
    if not path.is_file():
        raise DataError(Problem("there is no file of this name", where=str(path), hint="check the path"))
    status = path.stat()
    return Source(
        name=str(path),
        planes=PLANES,
        grid=grid,
        size=0,
        read=lambda: _read(path, Meter.of(grid=grid)),
        place=str(path.resolve()),
        state=[status.st_size, status.st_mtime_ns],
        options=options,
    )


def grid_of(path: Path, options: Options = DEFAULTS) -> int:
    """Frames to a quarter note of a file of frames: by its name, else as the options say, else 4.

    Raises:
        DataError: its name says otherwise than the options.
    """
    name = re.sub("[^a-z0-9]", "", path.stem.lower())
    named = next((grid for pattern, grid in GRIDS if re.match(pattern, name)), None)
    if named is None or options.grid in (None, named):
        return named or options.grid or GRID
    notes = {1: "quarter notes", 2: "eighths", 4: "sixteenths"}[named]
    what = f"the frames of this file are {notes} (grid={named}), not grid={options.grid}"
    hint = f"leave grid= out, use a model of grid={named}, or rename the file if its frames are others"
    raise DataError(Problem(what, str(path), hint))


def _read(path: Path, meter: Meter) -> Iterator[Reading | Skipped]:
    return _read_matrices(path, meter) if path.suffix.lower() == ".mat" else read_pitches(path, meter)


def _read_matrices(path: Path, meter: Meter) -> Iterator[Reading | Skipped]:
    frames = 0
    try:
        with path.open("rb") as file:
            for split, title, matrix in _matrices(MatFile(file), path):
                frames += len(matrix)
                if len(matrix) > LONGEST or frames > MOST_FRAMES:
                    raise _foreign(path, f"up to `{title}` it has {frames} frames, too many")
                if not matrix.size:
                    yield Skipped(title, NO_FRAME)
                    continue
                sounding = matrix >= 1
                doubt = _doubt(matrix, sounding)
                if doubt or not sounding.any():
                    yield Skipped(title, doubt or SILENT)
                else:
                    yield Reading(title, Roll(None, sounding, meter=meter), split, meter_from="assumed")
    except Unreadable as error:
        raise _foreign(path, str(error)) from error
    except OSError as error:
        what = f"the file cannot be opened: {error.strerror or error}"
        raise DataError(Problem(what, str(path), "check its rights")) from error


def _matrices(content: MatFile, path: Path) -> Iterator[tuple[Split, str, NDArray[Any]]]:
    """Split, title and matrix (T, 88) of each piece."""
    found: dict[Split, str] = {}
    for split in SPLITS:
        names = [name for spelling in SPELLINGS[split] for name in (f"{spelling}data", spelling)]
        variable = next((name for name in names if name in content), None)
        if variable is not None:
            found[split] = variable
        elif split != "valid":
            raise _foreign(path, f"it has no variable `{names[0]}`")
    for split, variable in found.items():
        for number, matrix in enumerate(content.matrices(variable)):
            if matrix.size and not (matrix.ndim == 2 and matrix.shape[1] == KEYS):
                raise _foreign(path, f"entry {number} of `{variable}` is not a matrix with {KEYS} columns")
            yield split, f"{variable} {number}", matrix


def _doubt(matrix: NDArray[Any], sounding: NDArray[np.bool_]) -> str:
    """The first number that says neither that a key sounds nor that it is silent; empty if there is none.

    A key sounds from 1 on, as loud as it may be; 0, -1 and what is not a number are silence.
    """
    whole = sounding & (matrix == np.floor(matrix)) if matrix.dtype.kind == "f" else sounding
    known = (matrix == 0) | (matrix == -1) | np.isnan(matrix) | (whole & (matrix < np.inf))
    if known.all():
        return ""
    frame, key = np.unravel_index(int(known.argmin()), known.shape)
    number = f"{matrix[frame, key].item():g} for {key_name(int(key))}"
    return f"frame {frame} has {number}, which says neither that it sounds (1) nor that it is silent (0)"


def _foreign(path: Path, what: str) -> DataError:
    return DataError(
        Problem(
            f"this is not laid out as the Boulanger-Lewandowski files are: {what}",
            where=str(path),
            hint="use one of them as published, or save (T, 88) matrices of 0 and 1 in cells called "
            "traindata, validdata and testdata: scipy.io.savemat, or `save -v7` in MATLAB",
        )
    )
