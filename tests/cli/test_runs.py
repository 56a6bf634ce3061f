"""`zoo runs`: the runs in a folder, their states, and the differences between two of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import zoo
from zoo.cli.curves import chart
from zoo.cli.main import run
from zoo.model.weights import Weights, pack, unpack
from zoo.train.lock import lock_folder
from zoo.train.metrics import MetricsFile
from zoo.train.summary import find_runs, summarize

TINY = (
    "attention=none attention.local=4 attention.features=5 sampler.hidden=4 decoder.hidden=4 train.batch=4 "
    "train.frames=16 train.stride=8 train.past=4 train.validate_every=2 train.device=cpu"
)
Runs = Callable[..., Any]


@pytest.fixture(scope="module")
def trained(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished runs, one with another sampler objective, rate and budget."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("ZOO_CACHE", str(folder / "cache"))
        for name, words in {
            "a": "train.steps=4",
            "b": "train.steps=6 train.lr=0.003 sampler.objective=bound",
        }.items():
            words = f"{TINY} {words} data={songs}"
            assert run(["train", *words.split(), "-o", str(folder / "deep" / name)]) == 0
    return folder


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    """A copy of the runs that a test may damage."""
    shutil.copytree(trained / "deep", tmp_path / "deep")
    return tmp_path


@pytest.fixture
def zoo_command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command; returns its exit code, output and errors."""

    def execute(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(list(words))
        return code, *capsys.readouterr()

    return execute


Execute = Callable[..., tuple[int, str, str]]


def test_runs_are_listed_with_their_best_score_and_its_kind(trained: Path, zoo_command: Execute) -> None:
    code, out, err = zoo_command("runs", str(trained), "--json")
    assert code == 0, err
    first, second = json.loads(out)
    assert [first["run"], second["run"]] == [str(trained / "deep" / name) for name in "ab"]
    assert first["parts"] == {
        "encoder": "onset",
        "attention": "none",
        "sampler": "voices",
        "decoder": "lstm",
        "velocity": "none",
    }
    assert first["data"].startswith("songs")
    assert (first["steps"], first["state"]) == (4, "finished")
    config = json.loads((trained / "deep/a/bundle/config.json").read_text())
    assert first["best"] == config["scores"]["validation"]
    assert first["nats"] == pytest.approx(sum(first["best"].values()))
    assert second["kinds"] == {"core": "bound", "decoder": "exact"}
    assert second["kind"] == "bound"
    code, out, err = zoo_command("runs", str(trained))
    assert f"≤ {second['nats']:.3f}" in out
    assert "deep/b" in out


def test_a_run_itself_is_listed_by_its_name(trained: Path, zoo_command: Execute) -> None:
    _, out, _ = zoo_command("runs", str(trained / "deep" / "a"))
    assert out.splitlines()[3].split()[0] == "a"


def test_runs_of_older_versions_have_no_kind(copied: Path, zoo_command: Execute) -> None:
    metrics = copied / "deep/b/metrics.jsonl"
    events = [json.loads(line) for line in metrics.read_text().splitlines()]
    metrics.write_text("".join(json.dumps({k: e[k] for k in e if k != "kinds"}) + "\n" for e in events))
    summary = summarize(copied / "deep/b")
    assert (summary.state, summary.kind) == ("finished", None)
    assert f"? {summary.nats:.3f}" in zoo_command("runs", str(copied))[1]


def test_states(copied: Path) -> None:
    a, b = copied / "deep/a", copied / "deep/b"
    with lock_folder(a):
        assert summarize(a).state == "running"
    assert summarize(a).state == "finished"
    # A run that was continued beyond its bundle is not finished.
    with MetricsFile(a).path.open("a") as lines:
        lines.write(
            json.dumps({"event": "stepped", "step": 5, "losses": {}, "frames": 1, "seconds": 9.0}) + "\n"
        )
    assert summarize(a).state == "interrupted"
    (b / "bundle/manifest.json").unlink()
    assert summarize(b).state == "finished", "its budget is used up, as that of a cell of a study"
    lines = MetricsFile(b).path.read_text().splitlines(keepends=True)
    MetricsFile(b).path.write_text("".join(lines[:-3]))
    assert summarize(b).state == "interrupted"
    for file in b.glob("*.safetensors"):
        file.unlink()
    assert summarize(b).state == "without weights", "as a pruned trial, which --resume refuses"


def test_a_run_that_was_stopped_before_its_first_checkpoint_has_no_weights(copied: Path) -> None:
    run_folder = copied / "deep/b"
    (run_folder / "bundle/manifest.json").unlink()
    lines = MetricsFile(run_folder).path.read_text().splitlines(keepends=True)
    MetricsFile(run_folder).path.write_text("".join(line for line in lines if '"validated"' not in line)[:1])
    for file in run_folder.glob("*.safetensors"):
        file.unlink()
    assert summarize(run_folder).state == "without weights"


def test_a_cell_whose_part_only_counts_is_finished(copied: Path) -> None:
    run_folder = copied / "deep/a"
    shutil.rmtree(run_folder / "bundle")
    validated = {"event": "validated", "step": 0, "nats": {"decoder": 1.0}, "seconds": 0.1}
    MetricsFile(run_folder).path.write_text(json.dumps(validated) + "\n")
    assert summarize(run_folder).state == "finished"
    plan = json.loads((run_folder / "recipe.json").read_text())
    origin = {"source": "bach", "weights": "0" * 64, "trained_on": []}
    (run_folder / "recipe.json").write_text(json.dumps(plan | {"origins": {"decoder": origin}}))
    state = summarize(run_folder).state
    assert state != "finished", "trained weights are validated before the first step"


def test_versions_that_no_bundle_records_are_not_called_the_same(copied: Path, zoo_command: Execute) -> None:
    a, again = copied / "deep/a", copied / "deep/again"
    shutil.copytree(a, again)
    assert (
        "recipe, settings, data and versions are the same"
        in zoo_command("runs", "compare", str(a), str(again))[1]
    )
    shutil.rmtree(again / "bundle")
    out = zoo_command("runs", "compare", str(a), str(again))[1]
    assert "versions of packages are unknown without the bundles of both runs" in out
    assert "recipe, settings and data are the same" in out


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: (run / "last.safetensors").unlink(), "is missing"),
        (lambda run: (run / "best.safetensors").unlink(), "is missing"),
        (lambda run: (run / "best.safetensors").write_bytes(b"x" * 100), "is damaged"),
        (lambda run: (run / "recipe.json").write_text("{"), "is damaged"),
        (lambda run: (run / "recipe.json").unlink(), "is missing"),
        (lambda run: (run / "bundle/config.json").write_text("{}"), "was changed or damaged"),
    ],
)
def test_damage_is_reported(
    damage: Callable[[Path], object], message: str, copied: Path, zoo_command: Execute
) -> None:
    damage(copied / "deep/a")
    code, out, err = zoo_command("runs", str(copied), "--json")
    assert code == 0
    assert [row["state"] for row in json.loads(out)] == ["damaged", "finished"]
    assert f"damaged: {copied / 'deep/a'}" in err
    assert message in err
    assert "damaged" in zoo_command("runs", str(copied))[1]


@pytest.mark.parametrize("name", ["best.safetensors", "last.safetensors"])
def test_a_named_pipe_in_a_run_does_not_hang_the_list(name: str, copied: Path) -> None:
    """Opening it would wait for a writer for ever; safetensors ignores Ctrl-C and SIGTERM meanwhile."""
    (copied / "deep/a" / name).unlink()
    os.mkfifo(copied / "deep/a" / name)
    command = [sys.executable, "-m", "zoo", "runs", str(copied), "--json"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    damaged, _ = json.loads(process.stdout)
    assert damaged["state"] == "damaged"
    assert name in damaged["problems"][0]


def test_a_folder_without_runs(tmp_path: Path, zoo_command: Execute) -> None:
    (tmp_path / "kitchen").mkdir()
    (tmp_path / "kitchen/recipe.json").write_text('{"flour": 500}')
    assert zoo_command("runs", str(tmp_path), "--json")[1].strip() == "[]"
    assert "no runs" in zoo_command("runs", str(tmp_path))[2]
    assert zoo_command("runs", str(tmp_path / "nowhere"))[0] == 2


def test_two_runs_are_compared_in_80_columns(
    trained: Path, zoo_command: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    a, b = str(trained / "deep/a"), str(trained / "deep/b")
    code, out, err = zoo_command("runs", "compare", a, b)
    assert code == 0, err
    assert max(len(line) for line in out.splitlines() if "─" not in line) <= 80
    assert "o a, x b" in out
    _, out, _ = zoo_command("runs", "compare", a, b, "--json")
    facts = json.loads(out)
    assert {(row["group"], row["key"]): (row["first"], row["second"]) for row in facts["differences"]} == {
        ("settings", "sampler.objective"): ("no-aposter", "bound"),
        ("settings", "train.steps"): (4, 6),
        ("settings", "train.lr"): (0.01, 0.003),
    }
    assert facts["comparable"] == {"core": True, "decoder": True}
    assert [len(curves["core"]) for curves in facts["curves"]] == [2, 3]


def test_curves_of_other_music_do_not_share_a_chart(copied: Path, zoo_command: Execute) -> None:
    recipe = copied / "deep/b/recipe.json"
    plan = json.loads(recipe.read_text())
    plan["data"]["digest"] = "f" * 64
    plan["parts"]["decoder"]["name"] = "polyzoo/rbm"
    recipe.write_text(json.dumps(plan))
    _, out, _ = zoo_command("runs", "compare", str(copied / "deep/a"), str(copied / "deep/b"))
    assert "are not comparable" in out
    assert "o a, x b" not in out
    _, out, _ = zoo_command("runs", "compare", str(copied / "deep/a"), str(copied / "deep/b"), "--json")
    keys = {(row["group"], row["key"]) for row in json.loads(out)["differences"]}
    assert {("recipe", "decoder"), ("data", "digest")} <= keys
    assert not any(key.startswith("decoder.") for _, key in keys)


def test_compare_needs_two_runs(trained: Path, tmp_path: Path, zoo_command: Execute) -> None:
    a = str(trained / "deep/a")
    assert zoo_command("runs", "compare", a, a)[0] == 2
    code, _, err = zoo_command("runs", "compare", a, str(tmp_path))
    assert code == 5
    assert "there is no run in this folder" in err


def test_a_chart_shows_each_point_in_its_place() -> None:
    lines = list(
        chart("nats", {"a": [(0, 9.0), *((60 * n, 3.0 - n / 10) for n in range(1, 9))], "b": [(480, 2.2)]})
    )
    assert max(map(len, lines)) <= 80
    rows = [line[11:] for line in lines[1:15]]
    assert rows[0].index("o") < rows[-1].index("*")
    assert sum(row.count("o") + row.count("*") for row in rows) == 8
    assert lines[-1].strip() == "o a, x b, * both, 1 higher value not drawn"
    assert lines[-2].endswith("min")


def test_a_curve_that_only_rises_is_drawn_from_its_first_point() -> None:
    """A model that overfits from the start: no value after the first eighth is as low as the first."""
    lines = list(chart("nats", {"a": [(60 * n, 1.5 + 0.1 * n) for n in range(24)]}))
    rows = [line[11:] for line in lines[1:15]]
    assert sum(row.count("o") for row in rows) == 24
    assert rows[-1].index("o") == 0
    assert "not drawn" not in lines[-1]


def test_lists_need_no_torch(trained: Path) -> None:
    code = (
        "import sys; from zoo.cli.main import run; a, b = sys.argv[1:]; "
        "run(['runs', a]); run(['runs', 'compare', a, b]); sys.exit('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(trained / "deep/a"), str(trained / "deep/b")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_folders_in_a_run_are_not_searched(trained: Path) -> None:
    assert [path.name for path in find_runs(trained)] == ["a", "b"]


def test_a_bundle_that_is_older_than_the_checkpoints_of_its_run_is_noted(
    copied: Path, songs: Path, zoo_command: Execute
) -> None:
    """A run that was extended and interrupted has the bundle of its first budget."""
    folder = copied / "deep" / "a"
    assert zoo_command("show", str(folder))[2] == ""
    shutil.copytree(folder / "bundle", copied / "first")
    assert zoo_command("train", "-o", str(folder), "--resume", "train.steps=6")[0] == 0
    assert zoo_command("show", str(folder))[2] == ""
    shutil.rmtree(folder / "bundle")
    shutil.copytree(copied / "first", folder / "bundle")
    note = f"note: {folder}/bundle is the model of step 4, but its run has reached step 6; `zoo train -o"
    named = [str(folder), str(folder / "bundle")]
    for words in (["show"], ["generate", "-o", str(copied / "new.mid")], ["evaluate", f"data={songs}"]):
        for name in named:
            code, _, err = zoo_command(words[0], name, *words[1:], *(["--force"] * (words[0] == "generate")))
            assert code == 0
            assert note in err
    with pytest.warns(UserWarning, match="its run has reached step 6"):
        zoo.load(folder)
    last = unpack((folder / "last.safetensors").read_bytes(), "last")
    (folder / "last.safetensors").write_bytes(pack(Weights(last.tensors, {**last.about, "step": "six"})))
    assert zoo_command("show", str(folder))[::2] == (0, "")


def test_a_damaged_point_of_a_curve_is_not_drawn(copied: Path, zoo_command: Execute) -> None:
    a, b = copied / "deep" / "a", copied / "deep" / "b"
    for damage in ({"seconds": 1e308}, {"seconds": float("nan")}, {"nats": {"core": -1e308}}):
        with (a / "metrics.jsonl").open("a") as lines:
            lines.write(json.dumps({"event": "validated", "step": 4, "nats": {"core": 3.0}} | damage) + "\n")
        assert zoo_command("runs", "compare", str(a), str(b))[0] == 0
