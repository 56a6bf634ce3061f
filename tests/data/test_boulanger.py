"""Published matrices are read unchanged, in all common layouts, and in bounded memory."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data import open_corpus
from zoo.data.boulanger import grid_of, source
from zoo.data.matlab import MatFile, Unreadable
from zoo.data.options import Options
from zoo.errors import DataError, UsageError

scipy_io = pytest.importorskip("scipy.io")

EXAMPLES = int(os.environ.get("ZOO_STRESS_EXAMPLES", "300"))


def cells(*matrices):
    array = np.empty((1, len(matrices)), object)
    for i, matrix in enumerate(matrices):
        array[0, i] = matrix
    return array


def pieces(*lengths, keys=88):
    rng = np.random.default_rng(0)
    return cells(*((rng.random((frames, keys)) < 0.1).astype(np.uint8) for frames in lengths))


def dataset(train, valid=None, test=None):
    return {"traindata": train, "validdata": pieces(3) if valid is None else valid, "testdata": pieces(4)}


def sounding_notes(corpus, index=0):
    """(frame, pitch) of every sounding key of a piece."""
    frame, key = np.nonzero(corpus.roll(index).sounding)
    return list(zip(frame.tolist(), (key + 21).tolist(), strict=True))


def note(frames=4, pitch=60, value=1, dtype=np.float64):
    matrix = np.zeros((frames, 88), dtype)
    matrix[:, pitch - 21] = value
    return matrix


@pytest.mark.parametrize("compressed", [False, True])
def test_splits_are_kept_as_published(tmp_path, compressed):
    sets = {"testdata": pieces(3, 300), "traindata": pieces(5, 9, 2), "validdata": pieces(7), "x": "other"}
    scipy_io.savemat(tmp_path / "Set.mat", sets, do_compression=compressed)
    corpus = open_corpus(tmp_path / "Set.mat")
    assert corpus.planes == {"sounding"}
    assert [piece.title for piece in corpus.split("test").pieces] == ["testdata 0", "testdata 1"]
    assert [piece.frames for piece in corpus.pieces] == [5, 9, 2, 7, 3, 300]
    assert np.array_equal(corpus.roll(5).sounding, sets["testdata"][0, 1])
    assert corpus.roll(5).onset is None
    assert corpus.fragments([[5, 0]]).onset is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"x": 1}, "no variable `traindata`"),
        ({"traindata": pieces(3), "validdata": pieces(3)}, "no variable `testdata`"),
        (dataset(pieces(3, keys=87)), "entry 0 of `traindata` is not a matrix with 88 columns"),
        (dataset(np.eye(3)), "88 columns"),
        (dataset("word"), "`traindata` is not a matrix of real numbers"),
        (dataset(cells(note(), "word")), "entry 1 of `traindata` is not a matrix of real numbers"),
        (dataset({"a": 1}), "not a matrix of real numbers"),
        (dataset(note() * 1j), "not a matrix of real numbers"),
        (dataset(cells(cells(note()))), "not a matrix of real numbers"),
        (dataset(np.zeros((2**16 + 1, 88), np.uint8)), "too many frames: 65537"),
        (b"no matrix", "not a .mat file"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 200, r"version 7\.3"),
        (b"MATLAB 7.3 MAT-file" + b" " * 105 + b"\0\2IM" + b"\0" * 400, r"version 7\.3"),
        (b"", "not a .mat file"),
    ],
)
def test_other_files_are_rejected(tmp_path, content, reason, cache):
    path = tmp_path / "other.mat"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        scipy_io.savemat(path, content)
    with pytest.raises(DataError, match=reason) as caught:
        open_corpus(path)
    assert caught.value.problems[0].hint
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("dtype", [np.uint8, np.float64, np.int16])
def test_pieces_of_equal_length_may_be_stacked(tmp_path, dtype):
    rng = np.random.default_rng(1)
    stack = (rng.random((3, 5, 88)) < 0.2).astype(dtype)
    scipy_io.savemat(tmp_path / "Set.mat", dataset(stack))
    corpus = open_corpus(tmp_path / "Set.mat")
    assert [piece.title for piece in corpus.split("train").pieces] == [f"traindata {i}" for i in range(3)]
    assert np.array_equal([corpus.roll(i).sounding for i in range(3)], stack == 1)


def test_a_single_matrix_is_one_piece(tmp_path):
    scipy_io.savemat(tmp_path / "Set.mat", dataset(note(5, 64)))
    corpus = open_corpus(tmp_path / "Set.mat")
    assert [piece.title for piece in corpus.split("train").pieces] == ["traindata 0"]
    assert sounding_notes(corpus) == [(frame, 64) for frame in range(5)]


@pytest.mark.parametrize("name", ["validdata", "validationdata", "valid", "validation", "val"])
def test_the_validation_split_has_several_names(tmp_path, name):
    sets = {"train": pieces(3), name: pieces(7), "testdata": pieces(4)}
    scipy_io.savemat(tmp_path / "Set.mat", sets)
    corpus = open_corpus(tmp_path / "Set.mat")
    assert [(piece.split, piece.frames) for piece in corpus.pieces] == [
        ("train", 3),
        ("valid", 7),
        ("test", 4),
    ]


def test_the_validation_split_may_be_missing(tmp_path):
    scipy_io.savemat(tmp_path / "Set.mat", {"traindata": pieces(3, 4), "testdata": pieces(5)})
    assert [piece.split for piece in open_corpus(tmp_path / "Set.mat").pieces] == ["train", "train", "test"]


@pytest.mark.parametrize("rest", [np.nan, -1.0, 0.0])
def test_rests_are_silent(tmp_path, rest):
    matrix = np.full((4, 88), rest)
    matrix[1:3, 40] = [1, 127]
    scipy_io.savemat(tmp_path / "Set.mat", dataset(cells(matrix)))
    assert sounding_notes(open_corpus(tmp_path / "Set.mat")) == [(1, 61), (2, 61)]


@pytest.mark.parametrize("number", [0.3, 1.5, -2.0, np.inf])
def test_a_piece_with_an_invalid_value_is_skipped(tmp_path, number):
    scipy_io.savemat(tmp_path / "Set.mat", dataset(cells(note(), note(value=number))))
    corpus = open_corpus(tmp_path / "Set.mat")
    assert [piece.title for piece in corpus.split("train").pieces] == ["traindata 0"]
    (skipped,) = corpus.skipped
    assert skipped.title == "traindata 1"
    assert f"frame 0 has {number:g} for C4" in skipped.reason


def test_pieces_without_frames_or_notes_are_skipped_with_a_reason(tmp_path):
    silent = [np.zeros((0, 88)), np.zeros((0, 0)), np.zeros((6, 88), np.uint8), np.full((6, 88), np.nan)]
    scipy_io.savemat(tmp_path / "Set.mat", dataset(cells(note(), *silent)))
    corpus = open_corpus(tmp_path / "Set.mat")
    assert len(corpus.split("train").pieces) == 1
    assert [skipped.title for skipped in corpus.skipped] == [f"traindata {i}" for i in range(1, 5)]
    reasons = [skipped.reason for skipped in corpus.skipped]
    assert reasons == ["it has no frames"] * 2 + ["it has no notes"] * 2


@pytest.mark.parametrize("suffix", [".mat", ".json"])
def test_a_dataset_without_notes_is_rejected(tmp_path, suffix, cache):
    path = tmp_path / f"Set{suffix}"
    if suffix == ".mat":
        quiet = cells(np.zeros((6, 88)))
        scipy_io.savemat(path, {f"{split}data": quiet for split in ("train", "valid", "test")})
    else:
        path.write_text(json.dumps({split: [[[], []]] for split in ("train", "valid", "test")}))
    with pytest.raises(DataError, match="none of its 3 pieces") as caught:
        open_corpus(path)
    assert {problem.what for problem in caught.value.problems[1:]} == {"it has no notes"}
    assert list(cache.iterdir()) == []


def element(kind, data):
    return struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def array(kind, dimensions, body=b"", name=b""):
    head = element(6, struct.pack("<II", kind, 0)) + element(5, np.array(dimensions, "<i4").tobytes())
    content = head + element(1, name) + body
    return struct.pack("<II", 14, len(content)) + content


def mat(*variables, compressed=True):
    data = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    for variable in variables:
        content = zlib.compress(variable, 9)
        data += struct.pack("<II", 15, len(content)) + content if compressed else variable
    return data


ZEROS = b"\0" * (200 * 704 * 1000)
BOMBS = {
    "zeros that decompress to 140 MB": lambda: mat(
        array(1, (1, 1), array(6, (len(ZEROS) // 704, 88), element(9, ZEROS)), b"traindata"), *others()
    ),
    "a stack that decompresses to 140 MB": lambda: mat(
        array(6, (len(ZEROS) // 70400, 100, 88), element(9, ZEROS), b"traindata"), *others()
    ),
    "a cell array with two billion entries": lambda: mat(
        array(1, (1, 2**31 - 1), b"", b"traindata"), *others()
    ),
    "a matrix with more cells than bytes": lambda: mat(
        array(6, (2**31 - 1, 88), element(9, b"\0" * 8), b"traindata"), *others(), compressed=False
    ),
    "dimensions whose product is small in 64 bits": lambda: mat(
        array(6, (2**31 - 1, 2**31 - 1, 8, 88), element(9, b"\0" * 64), b"traindata"), *others()
    ),
    "two billion slices without numbers": lambda: mat(
        array(9, (2**31 - 1, 0, 88), element(2, b""), b"traindata"), *others()
    ),
    "dimensions that no array has": lambda: mat(
        array(9, (0, *[2**31 - 1] * 5), element(2, b""), b"traindata"), *others()
    ),
    "an array without a class": lambda: mat(array(0, (2**24, 2**26), b"", b"traindata"), *others()),
    "a variable of endless size": lambda: mat(element(1, ZEROS), *others()),
    "a name of endless size": lambda: mat(array(6, (1, 88), b"", ZEROS), *others()),
    "many pieces that decompress to 200 MB": lambda: mat(
        array(1, (1, 6_000), array(9, (400, 88), element(2, b"\1" * 35200)) * 6_000, b"traindata"),
        *others(),
    ),
    "too many variables": lambda: mat(*[array(6, (1, 1), element(9, b"\0" * 8))] * 2**11),
}


def others():
    return [array(9, (1, 88), element(2, b"\1" * 88), name) for name in (b"validdata", b"testdata")]


MEASURE = """
import resource, sys, time
from pathlib import Path
import numpy
from zoo.data.boulanger import source
from zoo.errors import DataError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    for _ in source(Path(sys.argv[1])).read():
        pass
    sys.exit("it was read")
except DataError as error:
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, error)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_needs_little_memory(tmp_path, name):
    path = tmp_path / "bomb.mat"
    path.write_bytes(BOMBS[name]())
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) < 120, "MiB"


def test_a_file_with_many_pieces_is_read(tmp_path):
    piece = array(9, (1000, 88), element(2, b"\1" + b"\0" * 87_999))
    path = tmp_path / "Set.mat"
    path.write_bytes(mat(array(1, (1, 500), piece * 500, b"traindata"), *others()))
    assert sum(len(reading.roll.sounding) for reading in source(path).read()) == 500_002


types = st.sampled_from(["u1", "i2", "<i4", "u8", "f4", "f8", "bool"])
matrices = st.builds(
    lambda frames, keys, dtype, seed: (np.random.default_rng(seed).random((frames, keys)) * 3).astype(dtype),
    *(st.integers(0, 5), st.integers(0, 90), types, st.integers(0, 2**32 - 1)),
)


@given(st.lists(matrices, max_size=4), matrices, st.booleans())
@settings(max_examples=EXAMPLES, deadline=None)
def test_matrices_equal_those_that_scipy_reads(entries, single, compressed):
    file = io.BytesIO()
    scipy_io.savemat(file, {"cells": cells(*entries), "single": single}, do_compression=compressed)
    file.seek(0)
    expected = scipy_io.loadmat(file)
    file.seek(0)
    content = MatFile(file)
    matrices = list(content.matrices("cells"))
    assert len(matrices) == len(entries)
    for matrix, expected_matrix in zip(
        [*matrices, *content.matrices("single")], [*expected["cells"].ravel(), single], strict=True
    ):
        assert matrix.dtype.newbyteorder("=") == (
            np.uint8 if expected_matrix.dtype == np.bool_ else expected_matrix.dtype
        )
        assert np.array_equal(matrix, expected_matrix)


def test_big_endian_files_are_read():
    body = struct.pack(">II", 9, 16) + struct.pack(">2d", 1.0, 2.0)
    head = (
        struct.pack(">IIII", 6, 8, 6, 0) + struct.pack(">IIii", 5, 8, 1, 2) + struct.pack(">HH4s", 1, 1, b"x")
    )
    head = head[:-8] + struct.pack(">I", 1 << 16 | 1) + b"x\0\0\0"
    content = head + body
    file = io.BytesIO(b"MATLAB".ljust(124) + b"\x01\x00MI" + struct.pack(">II", 14, len(content)) + content)
    assert [matrix.tolist() for matrix in MatFile(file).matrices("x")] == [[[1.0, 2.0]]]


def seeds():
    for compressed in (False, True):
        file = io.BytesIO()
        scipy_io.savemat(file, dataset(cells(note(2), note(1))), do_compression=compressed)
        yield file.getvalue()


SEEDS = list(seeds())
edits = st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(0, 9), st.binary(max_size=9)), min_size=1, max_size=5
)


@given(seed=st.sampled_from(SEEDS), edits=edits)
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_mutant_is_read_or_rejected(seed, edits):
    content = bytearray(seed)
    for at, drop, insert in edits:
        at %= len(content) + 1
        content[at : at + drop] = insert
    try:
        file = MatFile(io.BytesIO(bytes(content)))
        for name in ("traindata", "validdata"):
            if name in file:
                assert all(matrix.size < 2**26 for matrix in file.matrices(name))
    except Unreadable:
        pass


@pytest.mark.parametrize(
    ("name", "grid"),
    [
        ("JSB_Chorales.mat", 1),
        ("JSB Chorales.pickle", 1),
        ("jsb_chorales (1).mat", 1),
        ("MuseData.mat", 2),
        ("Nottingham.pickle", 2),
        ("Piano_midi.mat", 2),
        ("Piano-midi.de.pickle", 2),
        ("jsb-chorales-quarter.json", 1),
        ("jsb-chorales-8th.json", 2),
        ("jsb-chorales-16th.json", 4),
        ("Jsb16thSeparated.json", 4),
        ("my songs.json", 4),
        ("nottingham tunes.json", 4),
    ],
)
def test_the_grid_follows_from_the_file_name(tmp_path, name, grid):
    assert grid_of(tmp_path / name) == grid
    assert grid_of(tmp_path / name, Options(grid=grid)) == grid


def test_the_grid_of_other_files_is_an_option(tmp_path):
    path = tmp_path / "songs.mat"
    scipy_io.savemat(path, dataset(cells(note())))
    sixteenths, eighths = open_corpus(path), open_corpus(path, grid=2)
    assert (sixteenths.grid, eighths.grid) == (4, 2)
    assert {piece.meter.grid for piece in eighths.pieces} == {2}
    assert np.array_equal(eighths.roll(0).sounding, sixteenths.roll(0).sounding)
    assert eighths.digest != sixteenths.digest


def test_a_grid_that_contradicts_the_file_name_is_rejected(tmp_path):
    path = tmp_path / "Nottingham.mat"
    scipy_io.savemat(path, dataset(cells(note())))
    with pytest.raises(DataError, match=r"are eighths \(grid=2\), not grid=4") as caught:
        open_corpus(path, grid=4)
    assert "omit grid=" in caught.value.problems[0].hint


@pytest.mark.parametrize(("grid", "pedal"), [(0, "keep"), (49, "keep"), (4, "half")])
def test_invalid_options_are_rejected(grid, pedal):
    with pytest.raises(UsageError):
        Options(grid=grid, pedal=pedal)


@pytest.mark.parametrize(
    ("name", "train", "test_frames", "rate", "grid"),
    [
        ("JSB_Chorales", 229, 4725, 11.061, 1),
        ("MuseData", 524, 64339, 11.510, 2),
        ("Nottingham", 694, 44463, 10.252, 2),
        ("Piano_midi", 87, 19036, 11.046, 2),
    ],
)
def test_the_published_files_give_the_published_one_gram(shared, name, train, test_frames, rate, grid):
    corpus = open_corpus(shared / "data" / "boulanger-lewandowski" / f"{name}.mat")
    training, test = corpus.split("train"), corpus.split("test")
    assert (len(training.pieces), test.frames, corpus.grid) == (train, test_frames, grid)
    on = sum(training.roll(i).sounding.sum(0) for i in range(len(training.pieces)))
    p = (on + 1) / (training.frames + 2)
    played = sum(test.roll(i).sounding.sum(0) for i in range(len(test.pieces)))
    nats = -(played * np.log(p) + (test.frames - played) * np.log1p(-p)).sum() / test.frames
    assert round(float(nats), 3) == rate


@pytest.mark.parametrize("suffix", [".mat", ".json"])
def test_the_meter_of_files_of_frames_is_assumed(tmp_path, suffix):
    path = tmp_path / f"Set{suffix}"
    if suffix == ".mat":
        scipy_io.savemat(path, dataset(cells(note())))
    else:
        path.write_text('{"train": [[[60]]], "valid": [[[62], [60]]], "test": [[[64]]]}')
    pieces = open_corpus(path).pieces
    assert {(str(piece.meter), piece.meter_from) for piece in pieces} == {("4/4", "assumed")}
    assert len(pieces) == 3
