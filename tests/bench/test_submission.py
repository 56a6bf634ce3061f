"""Submissions: a bundle of a third-party plugin is scored again, and accepted only with its own score."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from zoo.bench.claim import Claim
from zoo.bench.submission import read_submission, verify, write_submission
from zoo.cli.main import run
from zoo.data import open_corpus
from zoo.errors import BundleError, ClaimError, UsageError
from zoo.model.bundle import open_bundle, save_bundle
from zoo.music.roll import Roll

REPOSITORY = Path(__file__).resolve().parents[2]
SMALL = [
    "sampler.hidden=4",
    "decoder.hidden=4",
    "train.steps=2",
    "train.batch=2",
    "train.frames=16",
    "train.stride=8",
    "train.past=4",
]

Edit = Callable[..., Path]


@pytest.fixture(scope="module")
def submitted(tmp_path_factory: pytest.TempPathFactory, songs: Path) -> Path:
    """A submission whose attention is a file that `zoo plugin new` wrote, and which was removed since."""
    folder = tmp_path_factory.mktemp("author")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("ZOO_LOCAL", "")
        words = ["attention=./mine.py", f"data={songs}", *SMALL, "-o", "run"]
        assert run(["plugin", "new", "mine", "--slot", "attention", "--file"]) == 0
        assert run(["train", *words]) == 0
        assert run(["bench", "submit", "run", f"data={songs}", "-o", "submissions/mine", "--local"]) == 0
        Path("mine.py").unlink()
    return folder / "submissions" / "mine"


@pytest.fixture
def edited(tmp_path: Path, submitted: Path, monkeypatch: pytest.MonkeyPatch) -> Edit:
    """Copy the submission elsewhere with another claim; code in files may be run."""
    monkeypatch.setenv("ZOO_LOCAL", "1")

    def copy(**changes: Any) -> Path:
        folder = Path(shutil.copytree(submitted, tmp_path / "submissions" / "mine"))
        claim = json.loads((folder / "claim.json").read_text())
        (folder / "claim.json").write_text(json.dumps({**claim, **changes}))
        return folder

    return copy


def test_a_third_party_submission_is_accepted(
    edited: Edit, songs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = edited()
    assert sorted(path.name for path in folder.iterdir()) == ["bundle", "claim.json", "mine.py"]
    assert run(["bench", "verify", str(folder.parent), "--data", f"{songs.name}={songs}", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    claim = json.loads((folder / "claim.json").read_text())
    assert row["accepted"]
    assert "mine.py" in row["recipe"]
    assert (row["kind"], row["nats"]) == (claim["kind"], pytest.approx(claim["nats"], abs=1e-4))


@pytest.mark.parametrize("command", ["verify", "site"])
def test_a_claim_opens_no_folder_of_the_machine(
    edited: Edit, songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """It would be read without being asked for, and a submission could bring the music it is good at."""
    folder = str(edited(data=str(songs)).parent)
    site = [
        str(REPOSITORY / "benchmarks/studies/objective.toml"),
        "-o",
        str(tmp_path),
        "--submissions",
        folder,
    ]
    words = site if command == "site" else [folder]
    assert run(["bench", command, *words]) == 3
    printed = capsys.readouterr().err
    assert f"error: {songs}: is not the name of a known corpus" in printed
    assert f"--data {songs}=PATH" in printed
    assert run(["bench", command, *words, "--data", f"{songs}={songs}"]) == 0


def test_an_edited_number_is_refused_with_both_numbers(
    edited: Edit, songs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = edited(nats=1.25)
    assert run(["bench", "verify", str(folder), "--data", f"{songs.name}={songs}"]) == 7
    printed = capsys.readouterr()
    assert "it claims ≤ 1.250 nats per frame; scored again, it has ≤" in " ".join(printed.err.split())
    assert "accepted" not in printed.out


@pytest.mark.parametrize("change", [{"nats": 1e308}, {"interval": [0.0, 1e308]}, {"error": -1e9}])
def test_a_number_that_no_score_reaches_is_no_claim(edited: Edit, change: dict[str, Any]) -> None:
    """It would be printed with hundreds of digits."""
    with pytest.raises(ClaimError, match="should be"):
        Claim.read(edited(**change) / "claim.json")


def test_a_claim_downloads_nothing(
    edited: Edit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    folder = edited(data="maestro")
    assert run(["bench", "verify", str(folder)]) == 3
    printed = " ".join(capsys.readouterr().err.split())
    assert "maestro: is not on this machine; it is a download of 58 MB" in printed
    assert "zoo data scan maestro" in printed


def test_other_music_is_refused(edited: Edit, songs: Path) -> None:
    folder = edited(digest="0" * 64)
    with pytest.raises(ClaimError, match="it claims a score on music 000000000000"):
        verify(read_submission(folder), open_corpus(str(songs)))


def test_all_contradictions_are_reported(edited: Edit, songs: Path) -> None:
    folder = edited(kind="exact", interval=[1.0, 2.0])
    with pytest.raises(ClaimError) as caught:
        verify(read_submission(folder), open_corpus(str(songs)))
    kind, interval = caught.value.problems
    assert kind.what == "the claimed kind is exact; scored again, the number is a bound"
    assert interval.what == "the claimed interval is 1.000 … 2.000; scored again, it is missing"


def test_pieces_seen_in_training_are_refused(edited: Edit, songs: Path) -> None:
    folder, corpus = edited(), open_corpus(str(songs))
    bundle = open_bundle(folder / "bundle")
    digests = [piece.digest[:12] for piece in corpus.split("test").pieces]
    music = {"name": "songs", "digest": corpus.digest, "piece_digests": digests}
    trained_on = {"trained_on": {"attention": [music]}, "data": music}
    save_bundle(bundle.model, folder / "bundle", **{**bundle.record, **trained_on})
    with pytest.raises(ClaimError, match=f"trained on {len(digests)} of the {len(digests)} test pieces"):
        verify(read_submission(folder), corpus)


def test_pieces_that_chose_the_weights_are_refused(edited: Edit, songs: Path) -> None:
    """The best of many looks at the test pieces is no score of new music."""
    folder, corpus = edited(), open_corpus(str(songs))
    bundle = open_bundle(folder / "bundle")
    digests = [piece.digest[:12] for piece in corpus.split("test").pieces]
    music = {"name": "mine", "digest": "0" * 64, "piece_digests": [], "validation_digests": digests}
    for record in (
        {"data": music, "trained_on": {"attention": [music]}},
        {"trained_on": {"decoder": [music]}},
    ):
        save_bundle(bundle.model, folder / "bundle", **{**bundle.record, **record})
        with pytest.raises(
            ClaimError, match=f"{len(digests)} of the {len(digests)} test pieces (is a|are) validation piece"
        ):
            verify(read_submission(folder), corpus)


def test_a_damaged_bundle_is_refused(edited: Edit, songs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = edited()
    weights = folder / "bundle" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert run(["bench", "verify", str(folder)]) == BundleError.exit_code
    assert "was changed or damaged" in capsys.readouterr().err


def test_changed_code_is_refused(edited: Edit, capsys: pytest.CaptureFixture[str]) -> None:
    folder = edited()
    with (folder / "mine.py").open("a") as file:
        file.write("\n")
    assert run(["bench", "verify", str(folder)]) == BundleError.exit_code
    assert "the file has changed" in capsys.readouterr().err


def test_code_runs_only_with_consent(
    edited: Edit, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = edited()
    monkeypatch.setenv("ZOO_LOCAL", "")
    (folder / "mine.py").write_text("raise SystemExit('this code ran')")
    assert run(["bench", "verify", str(folder)]) == BundleError.exit_code
    assert "--local" in capsys.readouterr().err


def test_a_part_that_hears_the_future_cannot_be_submitted(
    tmp_path: Path, songs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_LOCAL", "")
    assert run(["plugin", "new", "mine", "--slot", "attention", "--file"]) == 0
    code = Path("mine.py").read_text()
    Path("mine.py").write_text(code.replace("return features, state", "return features.roll(-1, 1), state"))
    assert run(["train", "attention=./mine.py", f"data={songs}", *SMALL, "-o", "run"]) == 0
    assert run(["bench", "submit", "run", f"data={songs}", "-o", "mine", "--local"]) == 4
    assert "violates the contract" in capsys.readouterr().err
    assert not Path("mine").exists()


def test_all_refusals_are_printed(edited: Edit, songs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = edited(nats=1.25)
    (folder.parent / "empty").mkdir()
    assert run(["bench", "verify", str(folder.parent), "--data", f"{songs.name}={songs}"]) == 7
    printed = " ".join(capsys.readouterr().err.split())
    assert "empty/claim.json: cannot be read" in printed
    assert "it claims ≤ 1.250" in printed


def test_the_command_that_submit_prints_verifies_the_submission(
    submitted: Path,
    songs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["bench", "submit", str(submitted / "bundle"), f"data={songs}", "-o", "again", "--local"]
    assert run(words) == 0
    following = capsys.readouterr().err.splitlines()[-1].removeprefix("Next:  zoo ")
    assert run(shlex.split(following)) == 0


def test_a_folder_called_like_a_corpus_is_not_taken_for_the_corpus(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(songs, "bach")
    assert run(["train", "data=./bach", *SMALL, "-o", "run"]) == 0
    study = str(REPOSITORY / "benchmarks/studies/objective.toml")
    site = ["bench", "site", study, "-o", "site", "--bundle", "run"]
    assert run(site) == 3
    assert "./bach: is not the name of a known corpus" in capsys.readouterr().err
    assert run([*site, "--data", "./bach=./bach"]) == 0
    capsys.readouterr()
    assert run(["bench", "submit", "run", "data=./bach", "-o", "mine"]) == 0
    assert json.loads(Path("mine/claim.json").read_text())["data"] == "./bach"
    following = capsys.readouterr().err.splitlines()[-1].removeprefix("Next:  zoo ")
    assert run(shlex.split(following)) == 0


def test_an_existing_submission_is_kept(submitted: Path, songs: Path) -> None:
    assert run(["bench", "submit", "bach", f"data={songs}", "-o", str(submitted)]) == UsageError.exit_code


def test_a_bundle_that_is_replaced_while_it_is_scored_is_not_submitted(
    submitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_LOCAL", "1")
    scored, claim = open_bundle(submitted / "bundle"), Claim.read(submitted / "claim.json")
    newer = open_bundle(submitted / "bundle").model
    write_submission(submitted / "bundle", scored, claim, tmp_path / "same")
    with torch.no_grad():
        next(newer.parameters()).add_(1.0)
    save_bundle(newer, tmp_path / "bundle")
    with pytest.raises(UsageError, match="replaced while it was scored"):
        write_submission(tmp_path / "bundle", scored, claim, tmp_path / "other")
    assert (tmp_path / "same" / "claim.json").exists()
    assert not (tmp_path / "other").exists()


def test_a_folder_that_appears_while_a_submission_is_written_is_kept(
    submitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_LOCAL", "1")
    scored, claim = open_bundle(submitted / "bundle"), Claim.read(submitted / "claim.json")
    thesis = tmp_path / "new" / "thesis.txt"

    def appear(*arguments: Any) -> None:
        thesis.parent.mkdir()
        thesis.write_text("mine")

    monkeypatch.setattr("zoo.bench.submission.check_unchanged", appear)
    with pytest.raises(UsageError, match="already exists"):
        write_submission(submitted / "bundle", scored, claim, tmp_path / "new")
    assert thesis.read_text() == "mine"
    (tmp_path / "link").symlink_to(tmp_path / "unmounted")
    with pytest.raises(UsageError, match="already exists"):
        write_submission(submitted / "bundle", scored, claim, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()


def test_a_submission_contains_no_file_that_a_bundle_links_to(
    submitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_LOCAL", "1")
    diary = tmp_path / "diary.txt"
    diary.write_text("private")
    sent = Path(shutil.copytree(submitted, tmp_path / "sent"))
    (sent / "bundle" / "README.md").unlink()
    (sent / "bundle" / "README.md").symlink_to(diary)
    scored, claim = open_bundle(sent / "bundle"), Claim.read(sent / "claim.json")
    with pytest.raises(BundleError, match="would be published"):
        write_submission(sent / "bundle", scored, claim, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_two_files_of_code_with_one_name_are_not_submitted(
    submitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder, slot in (("one", "attention"), ("two", "decoder")):
        Path(folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        assert run(["plugin", "new", "mine", "--slot", slot, "--file"]) == 0
        monkeypatch.chdir(tmp_path)
    assert run(["build", "attention=./one/mine.py", "decoder=./two/mine.py", "-o", "built"]) == 0
    bundle = open_bundle("built", local=True)
    with pytest.raises(UsageError, match=r"has the same name as .*one/mine\.py"):
        write_submission("built", bundle, Claim.read(submitted / "claim.json"), tmp_path / "new")
    assert not Path("new").exists()


def test_submissions_show_on_the_page(
    edited: Edit, songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = edited()
    study = str(REPOSITORY / "benchmarks/studies/objective.toml")
    words = ["bench", "site", study, "--submissions", str(folder.parent), "-o", str(tmp_path / "site")]
    assert run([*words, "--data", f"{songs.name}={songs}"]) == 0
    page = (tmp_path / "site" / "index.html").read_text()
    assert "submission mine" in page
    assert '<span class="outside">external</span> plugin: attention of' in page
    assert '<a href="#piece-1">listen</a>' in page
    assert 'id="piece-1"' in page


def test_another_reading_of_the_training_music_was_not_noted_by_verify_and_site(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "attention=none", f"data={songs}", *SMALL, "pedal=hold", "-o", "run"]) == 0
    assert run(["bench", "submit", "run", f"data={songs}", "-o", "submissions/held"]) == 0
    data, said = (
        ["--data", f"{songs.name}={songs}"],
        "was trained with pedal=hold, and this music is read with",
    )
    capsys.readouterr()
    assert run(["bench", "verify", "submissions", *data, "--json"]) == 0
    out, err = capsys.readouterr()
    assert f"note: held {said}" in err
    assert said in json.loads(out)[0]["notes"][0]
    study = str(REPOSITORY / "benchmarks/studies/objective.toml")
    words = ["bench", "site", study, "--submissions", "submissions", "--bundle", "run", "-o", "site", *data]
    assert run(words) == 0
    assert capsys.readouterr().err.count(said) == 2
    assert Path("site/index.html").read_text().count(said) == 2


def test_submissions_of_the_repository(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZOO_LOCAL", "1")
    folder = REPOSITORY / "benchmarks" / "submissions"
    names = [child.name for child in folder.iterdir() if child.is_dir()]
    code = run(["bench", "verify", str(folder)])
    printed = capsys.readouterr()
    assert code == (0 if names else 2), printed.err
    assert printed.out.count(": accepted, ") == len(names)


def test_a_folder_without_submissions_is_an_error(
    submitted: Path, songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    words = ["bench", "verify", str(submitted), str(tmp_path / "empty"), "--data", f"{songs.name}={songs}"]
    assert run([*words, "--json"]) == 2
    printed = capsys.readouterr()
    assert "empty: contains no submission" in printed.err
    assert "zoo bench submit" in printed.err
    assert printed.out == ""


def test_a_part_that_hears_the_future_in_long_pieces_only_is_not_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a block or a mask of a few hundred frames does; the contract checks have shorter music."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_LOCAL", "")
    Path("long").mkdir()
    for seed in range(12):
        rng = np.random.default_rng(seed)
        onset = rng.random((400, 88)) < 0.02
        Roll(onset, onset, np.where(onset, 64, 0).astype(np.uint8)).write(f"long/{seed}.mid")
    assert run(["plugin", "new", "mine", "--slot", "attention", "--file"]) == 0
    code = Path("mine.py").read_text()
    peeking = (
        "features = features + 10 * features.mean(1, keepdim=True) if features.shape[1] > 200 else features"
    )
    Path("mine.py").write_text(
        code.replace("return features, state", f"{peeking}\n        return features, state")
    )
    words = ["attention=./mine.py", "sampler=independent", "data=long", *SMALL[2:], "-o", "run"]
    assert run(["train", *words]) == 0
    assert run(["bench", "submit", "run", "data=long", "-o", "mine", "--local"]) == 7
    printed = " ".join(capsys.readouterr().err.split())
    assert "the codes of the first half of" in printed
    assert "depend on the second half" in printed
    assert not Path("mine").exists()
