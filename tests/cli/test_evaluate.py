import json

import numpy as np
import pytest

from zoo.cli.main import run
from zoo.music.roll import Roll


def music(seed):
    rng = np.random.default_rng(seed)
    onset = rng.random((24, 88)) < 0.05
    onset[-1, seed] = True
    return Roll(onset, onset.copy(), np.where(onset, 64, 0).astype(np.uint8))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "songs").mkdir()
    for seed in range(30):
        music(seed).write(tmp_path / "songs" / f"{seed}.mid")
    return tmp_path / "songs"


@pytest.fixture
def published(tmp_path):
    """A file in the form of the Boulanger-Lewandowski sets, which know only what sounds."""
    savemat = pytest.importorskip("scipy.io").savemat
    sets = {}
    for first, name in enumerate(("traindata", "validdata", "testdata")):
        pieces = np.empty((1, 3), object)
        for number in range(3):
            pieces[0, number] = music(3 * first + number).sounding.astype(np.uint8)
        sets[name] = pieces
    savemat(tmp_path / "set.mat", sets)
    return tmp_path / "set.mat"


def test_without_a_bundle_the_floors_stand_alone(folder, capsys):
    assert run(["evaluate", f"data={folder}"]) == 0
    out = capsys.readouterr().out
    assert "test pieces" in out
    assert "nats/frame ↓" in out
    for row in ("uniform, onset", "rates, onset", "markov, sounding"):
        assert row in out
    assert "full score" in out


def test_json_gives_every_piece_of_every_row(folder, capsys):
    assert run(["evaluate", f"data={folder}", "split=train", "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert err == ""
    assert found["data"]["split"] == "train"
    rates = next(row for row in found["rows"] if row["name"] == "rates, onset")
    assert rates["score"]["kind"] == "exact"
    assert rates["score"]["count"] == found["data"]["frames"] == sum(p["frames"] for p in rates["pieces"])
    nats = sum(sum(piece["nats"].values()) for piece in rates["pieces"])
    assert rates["score"]["value"] == pytest.approx(nats / found["data"]["frames"])
    low, high = rates["score"]["interval"]
    assert low < rates["score"]["value"] < high


def test_music_that_only_sounds_has_floors_of_sounding_keys(published, capsys):
    assert run(["evaluate", f"data={published}", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["name"] for row in rows] == ["uniform", "rates", "markov"]
    assert {row["plane"] for row in rows} == {"sounding"}
    assert not any(row["full_score"] for row in rows)
    assert rows[0]["score"]["value"] == pytest.approx(60.997, abs=1e-3)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["data=nowhere"], 3, "nowhere"),
        (["dta=bach"], 2, "did you mean data=bach"),
        (["split=tests"], 2, "split=test"),
        (["sampler.paths=3"], 2, "name a bundle"),
        (["--sweep", "sampler.paths=1,2"], 2, "name a bundle"),
    ],
)
def test_a_mistake_is_told_with_what_to_do(words, code, says, capsys):
    assert run(["evaluate", *words]) == code
    assert says in capsys.readouterr().err
