"""Files of frames: pickles are read without executing code; all formats give the same music."""

from __future__ import annotations

import json
import os
import pickle
import pickletools
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.cli.main import run
from zoo.data import open_corpus, unpickle
from zoo.data.unpickle import UnsafePickle
from zoo.errors import DataError

EXAMPLES = int(os.environ.get("ZOO_STRESS_EXAMPLES", "300"))
MUSIC = {
    "train": [[(60, 64, 67), (60, 64), (), (21, 108)], [(72,), (72,)]],
    "valid": [[(65, 69)]],
    "test": [[(), (50,), (50, 53)]],
}
FRAMES = [list(map(list, piece)) for pieces in MUSIC.values() for piece in pieces]


def sounding_pitches(corpus):
    """The sounding pitches of every frame of every piece."""
    rolls = [corpus.roll(i) for i in range(len(corpus.pieces))]
    return [[(np.flatnonzero(frame) + 21).tolist() for frame in roll.sounding] for roll in rolls]


def converted(kind):
    return {
        split: [[tuple(map(kind, frame)) for frame in piece] for piece in MUSIC[split]] for split in MUSIC
    }


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("kind", [int, np.int64, np.int32, np.uint8, np.float64, np.dtype(">i4").type])
def test_pickles_of_every_protocol_are_read(tmp_path, protocol, kind):
    path = tmp_path / "Set.pickle"
    content = pickle.dumps(converted(kind), protocol=protocol)
    if protocol < 4:  # the name in older versions of numpy
        content = content.replace(b"numpy._core", b"numpy.core")
    path.write_bytes(content)
    corpus = open_corpus(path)
    assert sounding_pitches(corpus) == FRAMES
    assert [piece.split for piece in corpus.pieces] == ["train", "train", "valid", "test"]
    assert corpus.planes == {"sounding"}


def test_numpy_scalars_have_the_values_of_numpy():
    for value in (np.int64(-3), np.array(77, ">i2")[()], np.float32(1.5), np.uint8(200)):
        for protocol in range(5):
            assert unpickle.unpickle(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("suffix", [".pickle", ".pkl", ".json", ".mat"])
def test_the_same_music_has_the_same_digest_in_any_file(tmp_path, suffix):
    scipy_io = pytest.importorskip("scipy.io")
    reference = tmp_path / "reference.json"
    reference.write_text(json.dumps(MUSIC))
    path = tmp_path / f"Set{suffix}"
    if suffix == ".json":
        path.write_text(json.dumps(MUSIC, indent=1))
    elif suffix == ".mat":
        matrices = {}
        for split, pieces in MUSIC.items():
            cells = np.empty((1, len(pieces)), object)
            for i, piece in enumerate(pieces):
                cells[0, i] = np.array(
                    [[pitch in frame for pitch in range(21, 109)] for frame in piece], np.uint8
                )
            matrices[f"{split}data"] = cells
        scipy_io.savemat(path, matrices)
    else:
        path.write_bytes(pickle.dumps(MUSIC, protocol=0))
    assert open_corpus(path).digest == open_corpus(reference).digest


def test_a_published_dataset_is_the_same_from_a_pickle(tmp_path, shared):
    published = open_corpus(shared / "data" / "boulanger-lewandowski" / "JSB_Chorales.mat")
    sets = {split: [] for split in MUSIC}
    for piece, frames in zip(published.pieces, sounding_pitches(published), strict=True):
        sets[piece.split].append([tuple(frame) for frame in frames])
    (tmp_path / "JSB Chorales.pickle").write_bytes(pickle.dumps(sets, protocol=0))
    assert open_corpus(tmp_path / "JSB Chorales.pickle").digest == published.digest


@pytest.mark.parametrize("rest", ["-1", "NaN", "-1.0", "null", "0"])
def test_a_resting_voice_is_silent(tmp_path, rest):
    path = tmp_path / "satb.json"
    music = '{"train": [[[60, REST, 67.0, REST], REST, [60, 60, 60, 60]]], "valid": [], "test": []}'
    path.write_text(music.replace("REST", rest))
    (piece,) = open_corpus(path).pieces
    assert sounding_pitches(open_corpus(path)) == [[[60, 67], [], [60]]]
    assert piece.losses == {}, "a rest does not count as a left out pitch"


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_rest_in_a_pickle_is_silent(tmp_path, protocol):
    music = MUSIC | {"test": [[(60, None, -1), None, (0, float("nan"))]]}
    (tmp_path / "Set.pickle").write_bytes(pickle.dumps(music, protocol))
    assert sounding_pitches(open_corpus(tmp_path / "Set.pickle"))[-1] == [[60], [], []]


@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
def test_keys_may_be_bytes(tmp_path, protocol):
    content = {split.encode(): pieces for split, pieces in MUSIC.items()}
    (tmp_path / "Set.pickle").write_bytes(pickle.dumps(content, protocol))
    assert sounding_pitches(open_corpus(tmp_path / "Set.pickle")) == FRAMES


@pytest.mark.parametrize("name", ["validation", "val"])
def test_the_validation_split_has_several_names(tmp_path, name):
    music = {"train": MUSIC["train"], name: MUSIC["valid"], "test": MUSIC["test"]}
    (tmp_path / "Set.json").write_text(json.dumps(music))
    corpus = open_corpus(tmp_path / "Set.json")
    assert sounding_pitches(corpus) == FRAMES
    assert [piece.split for piece in corpus.pieces] == ["train", "train", "valid", "test"]


def test_the_validation_split_may_be_missing(tmp_path):
    (tmp_path / "Set.json").write_text(json.dumps({"train": MUSIC["train"], "test": MUSIC["test"]}))
    splits = [piece.split for piece in open_corpus(tmp_path / "Set.json").pieces]
    assert splits == ["train", "train", "test"]


@pytest.mark.parametrize("pitch", [20, 109, 127, 300, -5])
def test_pitches_outside_the_keyboard_are_left_out_and_counted(tmp_path, pitch):
    music = MUSIC | {"test": [[(pitch, 60), (pitch,), (62, pitch)], [(pitch,)]]}
    (tmp_path / "Set.json").write_text(json.dumps(music))
    corpus = open_corpus(tmp_path / "Set.json")
    assert sounding_pitches(corpus)[-1] == [[60], [], [62]]
    assert [dict(piece.losses) for piece in corpus.split("test").pieces] == [{"outside the 88 keys": 3}]
    assert [(skipped.title, skipped.reason) for skipped in corpus.skipped] == [
        ("test 1", "it has no notes (1 outside the 88 keys)")
    ]


def test_a_piece_without_frames_is_skipped_with_a_reason(tmp_path):
    (tmp_path / "x.json").write_text(json.dumps(MUSIC | {"valid": [[], [[60]]]}))
    corpus = open_corpus(tmp_path / "x.json")
    assert [(skipped.title, skipped.reason) for skipped in corpus.skipped] == [
        ("valid 0", "it has no frames")
    ]
    assert len(corpus.pieces) == 4


class Call:
    """An object whose pickle calls a function."""

    def __init__(self, function, *arguments):
        self.parts = function, arguments

    def __reduce__(self):
        return self.parts


def malicious(tmp_path):
    """Malicious objects: each would create a file if its pickle was executed."""
    mark = tmp_path / "executed"
    touch = f"open({str(mark)!r}, 'w').close()"
    yield "system", Call(os.system, f"touch {mark}")
    yield "eval", Call(eval, touch)
    yield "exec", Call(exec, touch)
    yield "popen", Call(subprocess.Popen, ["touch", str(mark)])
    yield "in a frame", MUSIC | {"test": [[(60, Call(os.system, f"touch {mark}"))]]}
    yield "as a key", {Call(os.system, f"touch {mark}"): 1}
    yield "getattr", Call(getattr, Call(__import__, "os"), "system")
    yield "a numpy array", MUSIC | {"test": [np.zeros((3, 88))]}
    yield "an array of objects", np.array([Call(os.system, f"touch {mark}")], object)


@pytest.mark.parametrize("protocol", range(5))
def test_nothing_in_a_pickle_is_run(tmp_path, protocol, capsys, cache):
    for name, content in malicious(tmp_path):
        path = tmp_path / "evil.pickle"
        path.write_bytes(pickle.dumps(content, protocol=protocol))
        assert run(["data", "scan", str(path)]) == 3, name
        error = capsys.readouterr().err
        assert "nothing in it was run" in error, name
        assert "as JSON" in error
        assert "Traceback" not in error
        assert not (tmp_path / "executed").exists(), name
        assert list(cache.iterdir()) == []


RAW = {
    "instance": b"(S'true'\nios\nsystem\n.",
    "object": b"(cos\nsystem\nS'true'\no.",
    "new object": b"\x80\x02cos\nsystem\nU\x04true\x85\x81.",
    "extension": b"\x80\x02\x82\x01.",
    "persistent": b"Pid\n.",
    "dtype of objects": b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR.",
    "dtype of a long string": b"cnumpy\ndtype\n(S'V999999999'\nI0\nI1\ntR.",
    "codec": b"c_codecs\nencode\n(S'x'\nS'zip'\ntR.",
    "called number": b"(I60\n(tR.",
    "built list": b"](K\x01K\x02tb.",
    "empty": b"",
    "no stop": b"(dp0\n",
    "stack empty": b"a.",
    "mark missing": b"t.",
    "open mark": b"((d.",
    "two values": b"]].",
    "unknown memo": b"g5\n.",
    "memo of nothing": b"p0\n.",
    "bad number": b"Ix\n.",
    "endless number": b"L" + b"9" * 5000 + b"L\n.",
    "cut string": b"\x80\x02U\xffabc",
    "huge string promised": b"\x80\x04\x8d" + b"\xff" * 7 + b"\x7f",
    "huge bytes promised": b"\x80\x02T\xff\xff\xff\x7f.",
    "key that is a list": b"(]I1\nd.",
    "odd table": b"(S'a'\nd.",
    "odd escape": b"S'\\d'\n.",
    "quotes missing": b"Sabc\n.",
    "a list of itself": b"]\x94h\x00a.",
}


@pytest.mark.parametrize("name", RAW)
def test_damaged_and_unsupported_pickles_are_a_single_error(tmp_path, name):
    path = tmp_path / "raw.pickle"
    path.write_bytes(RAW[name])
    with pytest.raises(DataError) as caught:
        open_corpus(path)
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].hint


BOMBS = {
    "a memo at the far end": b"\x80\x02]r\xff\xff\xff\x7f.",
    "marks in marks": b"(" * 2**20 + b".",
    "lists in lists": b"\x80\x04" + b"]\x94" * 2**22 + b".",
    "tuples in tuples": b"\x80\x02)" + b"\x85" * 2**22 + b".",
    "lists of lists twice": b"\x80\x02]" + b"2".join(b"](h\x00h\x00e" for _ in range(2**18)) + b".",
    "a billion laughs": pickle.dumps(
        {split: [piece] * 30_000 for split in MUSIC for piece in [[(60, 64, 67)] * 100_000]}, protocol=2
    ),
    "too many pieces": pickle.dumps({split: [[(60,)]] * 10**6 for split in MUSIC}, protocol=2),
    "too many pitches": pickle.dumps({split: [[(60,) * 10**6] * 100] for split in MUSIC}, protocol=2),
    "itself in itself": b"\x80\x02}q\x00(U\x05train]q\x01h\x01aU\x05valid]U\x04test]u.",
    "too many instructions": b"\x80\x02" + b"N" * 2**24 + b".",
    "one text encoded often": b"\x80\x02(c_codecs\nencode\nq\x01X\0\0\x80\0"
    + b"a" * 2**23
    + b"q\x00X\x06\0\0\0latin1q\x02"
    + b"h\x01h\x00h\x02\x86R" * 2000
    + b"l.",
    "one key in many tables": b"\x80\x03(B\0\0\x80\0" + b"a" * 2**23 + b"q\x00" + b"}h\x00Ns" * 2000 + b"l.",
}

MEASURE = """
import resource, sys, time
from zoo.data.boulanger import source
from zoo.errors import DataError
from pathlib import Path
import numpy
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    list(source(Path(sys.argv[1])).read())
    sys.exit("it was read")
except DataError as error:
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, error)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_needs_little_memory(tmp_path, name):
    path = tmp_path / "bomb.pickle"
    path.write_bytes(BOMBS[name])
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) < 400, "MiB"


SEEDS = [
    pickle.dumps(converted(kind), protocol=protocol) for kind in (int, np.int64) for protocol in (0, 2, 4)
]
INSTRUCTIONS = [opcode.code.encode("latin-1") for opcode in pickletools.opcodes]
edits = st.lists(
    st.tuples(
        st.integers(0, 2000),
        st.integers(0, 3),
        st.one_of(
            st.binary(max_size=4), st.sampled_from([*INSTRUCTIONS, b"cos\nsystem\n", b"cbuiltins\neval\n"])
        ),
    ),
    min_size=1,
    max_size=6,
)


@given(seed=st.sampled_from(SEEDS), edits=edits)
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_mutant_is_read_or_rejected(seed, edits):
    """If the pickle is read, the result is plain data."""
    content = bytearray(seed)
    for at, drop, insert in edits:
        at %= len(content) + 1
        content[at : at + drop] = insert
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            value = unpickle.unpickle(bytes(content))
        except UnsafePickle:
            return
    assert only_plain(value, depth=0)


def only_plain(value, depth):
    if depth > 40 or type(value) in (int, float, str, bytes, bool, type(None)):
        return True
    if type(value) in (unpickle.Name, unpickle.NumberType):
        return True  # only a name, which no frame accepts
    if isinstance(value, dict):
        return all(only_plain(item, depth + 1) for item in value.values())
    return type(value) in (list, tuple) and all(only_plain(item, depth + 1) for item in value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([], "no list of pieces called `train`"),
        (MUSIC | {"valid": 3}, "no list of pieces called `valid`"),
        ({"train": MUSIC["train"]}, "no list of pieces called `test`"),
        ({"valid": MUSIC["train"], "test": MUSIC["test"]}, "no list of pieces called `train`"),
        (MUSIC | {"test": None}, "no list of pieces called `test`"),
        (MUSIC | {"test": [5]}, "`test 0` is not a list of frames"),
        (MUSIC | {"test": [[5]]}, "`test 0` is not a list of frames"),
        (MUSIC | {"test": [[["60"]]]}, "non-numeric"),
        (MUSIC | {"test": [[[True]]]}, "non-numeric"),
        (MUSIC | {"test": [[[[60]]]]}, "non-numeric"),
        (MUSIC | {"test": [[[60.5]]]}, "not a pitch"),
        (MUSIC | {"test": [[[10**400]]]}, "not a pitch"),
        (MUSIC | {"test": [[[float("inf")]]]}, "not a pitch"),
    ],
)
@pytest.mark.parametrize("suffix", [".pickle", ".json"])
def test_other_formats_are_rejected(tmp_path, content, reason, suffix, cache):
    path = tmp_path / f"other{suffix}"
    path.write_bytes(json.dumps(content).encode() if suffix == ".json" else pickle.dumps(content, protocol=2))
    with pytest.raises(DataError, match=reason) as caught:
        open_corpus(path)
    assert '"valid"' in caught.value.problems[0].hint
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[" * 10**6, b"9" * 5000, b'{"train": [[[60]]]', b" " * (16 * 2**20 + 1)]
)
def test_invalid_json_is_rejected(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"JSON|larger"):
        open_corpus(path)
