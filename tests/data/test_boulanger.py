"""The four published sets are read as they are, and other .mat files are refused."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.data import open_corpus
from zoo.errors import DataError

scipy_io = pytest.importorskip("scipy.io")


def pieces(*lengths, keys=88):
    cells = np.empty((1, len(lengths)), object)
    rng = np.random.default_rng(0)
    for i, frames in enumerate(lengths):
        cells[0, i] = (rng.random((frames, keys)) < 0.1).astype(np.uint8)
    return cells


def test_splits_are_kept_as_published(tmp_path):
    sets = {"traindata": pieces(5, 9, 2), "validdata": pieces(7), "testdata": pieces(3, 300)}
    scipy_io.savemat(tmp_path / "Set.mat", sets)
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
        ({"traindata": pieces(3, keys=87)}, "88 columns"),
        ({"traindata": np.eye(3)}, "88 columns"),
        (b"no matrix", "version 5"),
    ],
)
def test_other_files_are_refused(tmp_path, content, reason, cache):
    path = tmp_path / "other.mat"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        scipy_io.savemat(path, content)
    with pytest.raises(DataError, match=reason) as caught:
        open_corpus(path)
    assert caught.value.problems[0].cure
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "train", "test_frames", "rate"),
    [
        ("JSB_Chorales", 229, 4725, 11.061),
        ("MuseData", 524, 64339, 11.510),
        ("Nottingham", 694, 44463, 10.252),
        ("Piano_midi", 87, 19036, 11.046),
    ],
)
def test_the_published_files_give_the_published_one_gram(shared, name, train, test_frames, rate):
    corpus = open_corpus(shared / "data" / "boulanger-lewandowski" / f"{name}.mat")
    training, test = corpus.split("train"), corpus.split("test")
    assert (len(training.pieces), test.frames) == (train, test_frames)
    on = sum(training.roll(i).sounding.sum(0) for i in range(len(training.pieces)))
    p = (on + 1) / (training.frames + 2)
    played = sum(test.roll(i).sounding.sum(0) for i in range(len(test.pieces)))
    nats = -(played * np.log(p) + (test.frames - played) * np.log1p(-p)).sum() / test.frames
    assert round(float(nats), 3) == rate
