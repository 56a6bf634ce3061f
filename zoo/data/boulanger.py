"""The four datasets of Boulanger-Lewandowski, Bengio and Vincent (2012), and files in the same format.

A .mat file has the variables `traindata`, `validdata` and `testdata`. Each is a (1, N) cell array of (T, 88)
matrices that state which keys sound; column k is MIDI pitch 21 + k. Pieces of equal length may be stacked to
an array (N, T, 88). A .pickle, .pkl or .json file lists the pitches of every frame (`zoo.data.pitches`).

A frame is a quarter note in JSB Chorales and an eighth in the other three; in the JSB-Chorales-dataset, the
file name states it. Onsets and velocities are not known. The published split is kept; the validation split
may be missing.
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
from zoo.data.piece import Skipped, SourcePiece
from zoo.data.pitches import MAX_FRAMES, NO_FRAMES, PICKLES, SILENT, read_pitches
from zoo.data.source import DataSource
from zoo.data.split import SPELLINGS, SPLITS, Split
from zoo.errors import DataError, Problem
from zoo.music.grid import GRID
from zoo.music.meter import Meter
from zoo.music.roll import Roll, key_name
from zoo.parts.piano import KEYS

PLANES = frozenset({"sounding"})
SUFFIXES = (".mat", *PICKLES, ".json")
"""Suffixes of such files."""
MAX_PIECE_FRAMES = 2**16
GRIDS = (
    ("jsb.*quarter", 1),
    ("jsb.*8th", 2),
    ("jsb.*16th", 4),
    (r"jsbchorales\d*$", 1),
    (r"(musedata|nottingham|pianomidi(de)?)\d*$", 2),
)
"""Patterns for the names of published files, reduced to letters and digits, and their frames per quarter
note."""


def source(path: Path, options: Options = DEFAULTS) -> DataSource:
    """The pieces of one file as a source.

    Raises:
        DataError: the file does not exist, or its frames are on a different grid than `options.grid`. Reading
            the source raises DataError if the file has a different format.
    """
    grid = grid_of(path, options)
    if not path.is_file():
        raise DataError(Problem("this file does not exist", where=str(path), hint="check the path"))
    status = path.stat()
    return DataSource(
        name=str(path),
        planes=PLANES,
        grid=grid,
        size=0,
        read=lambda: _read(path, Meter.of(grid=grid)),
        place=str(path.resolve()),
        state=[status.st_size, status.st_mtime_ns, status.st_ctime_ns],
        options=options,
    )


def grid_of(path: Path, options: Options = DEFAULTS) -> int:
    """Frames per quarter note of such a file: from its name, else from the options, else 4.

    Raises:
        DataError: the file name and the options disagree.
    """
    name = re.sub("[^a-z0-9]", "", path.stem.lower())
    name_grid = next((grid for pattern, grid in GRIDS if re.match(pattern, name)), None)
    if name_grid is None or options.grid in (None, name_grid):
        return name_grid or options.grid or GRID
    notes = {1: "quarter notes", 2: "eighths", 4: "sixteenths"}[name_grid]
    what = f"the frames of this file are {notes} (grid={name_grid}), not grid={options.grid}"
    hint = f"omit grid=, use a model with grid={name_grid}, or rename the file if this is not its grid"
    raise DataError(Problem(what, str(path), hint))


def _read(path: Path, meter: Meter) -> Iterator[SourcePiece | Skipped]:
    return _read_matrices(path, meter) if path.suffix.lower() == ".mat" else read_pitches(path, meter)


def _read_matrices(path: Path, meter: Meter) -> Iterator[SourcePiece | Skipped]:
    frames = 0
    try:
        with path.open("rb") as file:
            for split, title, matrix in _matrices(MatFile(file), path):
                frames += len(matrix)
                if len(matrix) > MAX_PIECE_FRAMES or frames > MAX_FRAMES:
                    raise _wrong_format(path, f"it has too many frames: {frames} up to `{title}`")
                if not matrix.size:
                    yield Skipped(title, NO_FRAMES)
                    continue
                sounding = matrix >= 1
                invalid = _invalid_value(matrix, sounding)
                if invalid or not sounding.any():
                    yield Skipped(title, invalid or SILENT)
                else:
                    yield SourcePiece(title, Roll(None, sounding, meter=meter), split, meter_from="assumed")
    except Unreadable as error:
        raise _wrong_format(path, str(error)) from error
    except OSError as error:
        what = f"the file cannot be opened: {error.strerror or error}"
        raise DataError(Problem(what, str(path), "check the file's permissions")) from error


def _matrices(content: MatFile, path: Path) -> Iterator[tuple[Split, str, NDArray[Any]]]:
    """Split, title and matrix (T, 88) of each piece."""
    variables: dict[Split, str] = {}
    for split in SPLITS:
        names = [name for spelling in SPELLINGS[split] for name in (f"{spelling}data", spelling)]
        variable = next((name for name in names if name in content), None)
        if variable is not None:
            variables[split] = variable
        elif split != "valid":
            raise _wrong_format(path, f"it has no variable `{names[0]}`")
    for split, variable in variables.items():
        for number, matrix in enumerate(content.matrices(variable)):
            if matrix.size and not (matrix.ndim == 2 and matrix.shape[1] == KEYS):
                raise _wrong_format(
                    path, f"entry {number} of `{variable}` is not a matrix with {KEYS} columns"
                )
            yield split, f"{variable} {number}", matrix


def _invalid_value(matrix: NDArray[Any], sounding: NDArray[np.bool_]) -> str:
    """Describe the first value that means neither sounding nor silent; empty if there is none.

    Whole numbers from 1 on mean sounding, as some files store velocities; 0, -1 and NaN mean silent.
    """
    whole = sounding & (matrix == np.floor(matrix)) if matrix.dtype.kind == "f" else sounding
    valid = (matrix == 0) | (matrix == -1) | np.isnan(matrix) | (whole & (matrix < np.inf))
    if valid.all():
        return ""
    frame, key = np.unravel_index(int(valid.argmin()), valid.shape)
    value = f"{matrix[frame, key].item():g} for {key_name(int(key))}"
    return f"frame {frame} has {value}, which is neither 1 (sounding) nor 0 (silent)"


def _wrong_format(path: Path, what: str) -> DataError:
    return DataError(
        Problem(
            f"this file does not have the format of Boulanger-Lewandowski's datasets: {what}",
            where=str(path),
            hint="use a published file, or save (T, 88) matrices of 0 and 1 in cell arrays called "
            "traindata, validdata and testdata: scipy.io.savemat, or `save -v7` in MATLAB",
        )
    )
