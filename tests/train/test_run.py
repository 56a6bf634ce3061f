"""Run folders: a run that was killed or interrupted anywhere and resumed equals an uninterrupted one."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock

from zoo.data import Corpus
from zoo.errors import BundleError, NonFiniteError, UsageError, ZooError
from zoo.model.model import Model
from zoo.model.weights import Weights, pack, unpack
from zoo.train.events import Event, Started, Stepped, Validated
from zoo.train.fit import fit
from zoo.train.learner import Learner
from zoo.train.lock import lock_folder
from zoo.train.plan import plan_words, read_plan
from zoo.train.run import Run
from zoo.train.score import Scores
from zoo.train.settings import LEGACY, TrainSettings
from zoo.train.summary import summarize
from zoo.train.validation import Validation

from .conftest import Stop

Make = Callable[..., Any]
KILLS = int(os.environ.get("ZOO_STRESS_KILLS", "6"))
PAIRS = int(os.environ.get("ZOO_STRESS_PAIRS", "2"))
STEPS = 10

fork = multiprocessing.get_context("fork")


@pytest.fixture(scope="session")
def train(corpus: Corpus, tiny: Make, fast: Make) -> Callable[..., Model]:
    """Train a tiny model in a run folder; by default an existing run is resumed."""

    def train_model(
        folder: Path, listen: Any = None, words: str = "", resume: bool = True, **options: Any
    ) -> Model:
        model, settings = tiny(words), fast(**{"steps": STEPS, **options})
        with lock_folder(folder) as place:
            fit(model, corpus, settings, Run(place), listen, resume=resume)
        return model

    return train_model


def checkpoint(folder: Path, name: str) -> Weights:
    return unpack((folder / f"{name}.safetensors").read_bytes(), name)


def lines(folder: Path) -> list[dict[str, Any]]:
    """The metrics without times."""
    events = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in event.items() if key != "seconds"} for event in events]


def assert_same(folder: Path, other: Path) -> None:
    """Assert that two runs are equal except for times."""
    for name in ("last", "best"):
        first, second = checkpoint(folder, name), checkpoint(other, name)
        assert first.about["weights"] == second.about["weights"], name
        assert {**first.about, "seconds": 0.0} == {**second.about, "seconds": 0.0}
    assert lines(folder) == lines(other)


@pytest.fixture(scope="session")
def finished(train: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "finished"
    train(folder)
    return folder


@pytest.fixture
def uninterrupted(finished: Path, tmp_path: Path) -> Path:
    """A copy of a run that was not interrupted."""
    shutil.copytree(finished, tmp_path / "uninterrupted")
    return tmp_path / "uninterrupted"


@pytest.mark.parametrize(
    ("kind", "step"),
    [(Stepped, 1), (Stepped, 3), (Validated, 3), (Stepped, 7), (Stepped, STEPS), (Validated, STEPS)],
)
def test_a_resumed_run_equals_an_uninterrupted_one(
    train: Make, uninterrupted: Path, run_folder: Path, kind: type[Event], step: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(run_folder, listen=Stop(kind, step))
    train(run_folder)
    assert_same(run_folder, uninterrupted)


def test_a_killed_run_equals_an_uninterrupted_one(train: Make, uninterrupted: Path, run_folder: Path) -> None:
    """The run is killed at random moments and resumed; if it finishes first, another one starts."""
    rng = random.Random(0)
    kills = 0
    while kills < KILLS:
        child = fork.Process(target=train, args=(run_folder, linger))
        child.start()
        wait_for(run_folder / "metrics.jsonl", child)
        time.sleep(0.05 + 0.2 * rng.random())
        child.kill()
        child.join()
        assert child.exitcode in (0, -signal.SIGKILL)
        kills += child.exitcode != 0
        if child.exitcode == 0:
            assert_same(run_folder, uninterrupted)
            shutil.rmtree(run_folder)
    train(run_folder)
    assert_same(run_folder, uninterrupted)


def test_a_run_killed_between_its_two_checkpoints_equals_an_uninterrupted_one(
    train: Make, uninterrupted: Path, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = Run.save

    def die(run: Run, learner: Learner) -> None:
        if learner.step == 6:
            raise KeyboardInterrupt
        save(run, learner)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "save", die)
        with pytest.raises(KeyboardInterrupt):
            train(run_folder)
    assert checkpoint(run_folder, "best").about["step"] == {"core": 6, "decoder": 6}
    assert checkpoint(run_folder, "last").about["step"] == 3
    train(run_folder)
    assert_same(run_folder, uninterrupted)


def linger(event: Event) -> None:
    time.sleep(0.02)


def wait_for(path: Path, child: Any) -> None:
    while not path.exists() and child.is_alive():
        time.sleep(0.01)


def test_extending_the_budget_equals_the_longer_budget_from_the_start(
    train: Make, uninterrupted: Path, run_folder: Path
) -> None:
    train(run_folder, steps=6)
    train(run_folder)
    assert_same(run_folder, uninterrupted)


def test_a_run_stops_early_at_the_same_step_when_resumed_and_may_go_on(
    train: Make, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing improves after the first validation, at step 3."""
    scores = Scores({"core": 1.0, "decoder": 1.0})
    monkeypatch.setattr("zoo.train.validation.validate", lambda *arguments: scores)
    with pytest.raises(KeyboardInterrupt):
        train(run_folder, listen=Stop(Stepped, 4), patience=1)
    train(run_folder, patience=1)
    assert checkpoint(run_folder, "last").about["step"] == 6
    assert summarize(run_folder).state == "finished"
    train(run_folder, patience=0)
    train(tmp_path / "whole", patience=0)
    assert_same(run_folder, tmp_path / "whole")


def test_a_finished_run_is_not_trained_again(train: Make, uninterrupted: Path) -> None:
    before = (uninterrupted / "last.safetensors").read_bytes()
    events: list[Event] = []
    train(uninterrupted, listen=events.append)
    assert [type(event) for event in events] == [Started]
    assert (uninterrupted / "last.safetensors").read_bytes() == before


def test_a_signal_during_the_last_validation_loses_no_step(
    train: Make, uninterrupted: Path, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    validate = Validation.__call__

    def press(validation: Validation, learner: Learner) -> Any:
        if learner.step == STEPS:
            signal.raise_signal(signal.SIGINT)
        return validate(validation, learner)

    monkeypatch.setattr(Validation, "__call__", press)
    with pytest.raises(KeyboardInterrupt):
        train(run_folder)
    monkeypatch.undo()
    assert checkpoint(run_folder, "last").about["step"] == STEPS
    assert_same(run_folder, uninterrupted)
    train(run_folder)
    assert_same(run_folder, uninterrupted)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_take_effect_between_steps(
    name: str, train: Make, uninterrupted: Path, run_folder: Path
) -> None:
    received: list[int] = []

    def press(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 4:
            signal.raise_signal(signal.Signals[name])
            assert not received

    def receive(number: int, frame: object) -> None:
        received.append(number)

    before = signal.signal(signal.Signals[name], receive)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(run_folder, listen=press)
        assert signal.getsignal(signal.Signals[name]) is receive
    finally:
        signal.signal(signal.Signals[name], before)
    assert received == [signal.Signals[name]]
    assert checkpoint(run_folder, "last").about["step"] == 4
    train(run_folder)
    assert_same(run_folder, uninterrupted)


def test_a_nan_loss_saves_the_step_before_and_a_report(
    train: Make, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tmp_path / "before", steps=4)
    losses = Model.forward

    def poison(model: Model, fragments: Any, generator: Any) -> Any:
        values = losses(model, fragments, generator)
        poisoned = (
            fragments.frames == 16 and (run_folder / "metrics.jsonl").exists() and len(lines(run_folder)) >= 5
        )
        return {**values, "core": values["core"] * float("nan")} if poisoned else values

    monkeypatch.setattr(Model, "forward", poison)
    with pytest.raises(NonFiniteError, match=r"nonfinite\.json"):
        train(run_folder)
    assert checkpoint(run_folder, "last").about["step"] == 4
    assert (
        checkpoint(run_folder, "last").about["weights"]
        == checkpoint(tmp_path / "before", "last").about["weights"]
    )
    report = json.loads((run_folder / "nonfinite.json").read_text())
    assert report["step"] == 5
    assert len(report["fragments"]) == len(report["semitones"]) == 4
    with pytest.raises(NonFiniteError, match="step 5"):
        train(run_folder)


@pytest.mark.parametrize("limit", [300, 20_000])
def test_a_full_disk_is_reported_once_and_leaves_the_run_valid(
    train: Make, run_folder: Path, uninterrupted: Path, limit: int
) -> None:
    """The limit on file sizes applies to the metrics, or only to the checkpoint."""
    train(run_folder, steps=3)
    child = fork.Process(target=fill, args=(train, run_folder, limit))
    child.start()
    child.join()
    assert child.exitcode == 1
    assert checkpoint(run_folder, "last").about["step"] == 3
    train(run_folder)
    assert_same(run_folder, uninterrupted)


def fill(train: Make, folder: Path, limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        train(folder)
    except ZooError as error:
        os._exit(error.exit_code if len(error.problems) == 1 else 99)


def hold(folder: Path) -> None:
    with lock_folder(folder):
        (folder.parent / "held").touch()
        time.sleep(60)


@pytest.mark.parametrize("pair", range(PAIRS))
def test_only_one_process_trains_in_a_folder(train: Make, run_folder: Path, pair: int) -> None:
    holder = fork.Process(target=hold, args=(run_folder,))
    holder.start()
    wait_for(run_folder.parent / "held", holder)
    try:
        with pytest.raises(UsageError, match=f"process {holder.pid} on .* since 20") as error:
            train(run_folder)
        assert error.value.exit_code == 2
    finally:
        holder.kill()
        holder.join()
    train(run_folder)


def test_a_folder_that_was_just_removed_is_created_again(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that starts no run removes the folder, possibly while another process is about to lock it."""
    acquire, to_remove = FileLock.acquire, [run_folder]

    def late(self: FileLock, **options: Any) -> object:
        if to_remove:
            to_remove.pop().rmdir()
            raise FileNotFoundError(2, "No such file or directory")
        return acquire(self, **options)

    monkeypatch.setattr(FileLock, "acquire", late)
    with lock_folder(run_folder) as place:
        assert place.is_dir()
    assert not to_remove
    assert not run_folder.exists()


def test_a_lock_that_was_removed_while_waiting_is_not_used(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that starts no run removes the lock, perhaps while another has it open."""
    flock, places = fcntl.flock, [run_folder / "lock"]

    def late(handle: int, operation: int) -> None:
        if places:
            places.pop().unlink()
        flock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with lock_folder(run_folder) as place:
        assert not places
        assert (place / "lock").exists()
        with pytest.raises(UsageError, match="is training here"), lock_folder(run_folder):
            pass


def content(folder: Path) -> dict[str, bytes]:
    return {child.name: child.read_bytes() for child in folder.iterdir()}


@pytest.mark.parametrize("kind", [Stepped, Validated])
@pytest.mark.parametrize("without", ["holder.json", "lock"])
def test_a_run_that_takes_the_name_of_another_is_not_overwritten(
    train: Make, uninterrupted: Path, run_folder: Path, tmp_path: Path, kind: type[Event], without: str
) -> None:
    """`mv A A.old && mv B A` while a process trains in A; the lock stays on the folder that was moved."""
    other = tmp_path / "other"
    train(other, steps=4, lr=0.001)
    (other / "holder.json").write_text("{}")  # as if another process trained there
    (other / without).unlink(missing_ok=True)
    before = content(other)

    def exchange(event: Event) -> None:
        if isinstance(event, kind) and event.step == 6 and other.exists():
            run_folder.rename(tmp_path / "moved")
            other.rename(run_folder)

    with pytest.raises(ZooError, match="another folder has taken its name; nothing is written") as error:
        train(run_folder, exchange)
    assert error.value.exit_code == 1
    assert content(run_folder) == before
    train(tmp_path / "moved")
    assert_same(tmp_path / "moved", uninterrupted)


@pytest.mark.parametrize("name", ["lock", "holder.json"])
def test_training_goes_on_if_a_file_of_its_lock_is_removed(
    train: Make, uninterrupted: Path, run_folder: Path, name: str
) -> None:
    """On some network drives the lock may even have another inode after a while."""
    train(run_folder, lambda event: (run_folder / name).unlink(missing_ok=True))
    assert_same(run_folder, uninterrupted)


def test_a_run_is_only_resumed_on_request(train: Make, uninterrupted: Path) -> None:
    with pytest.raises(UsageError, match="--resume"):
        train(uninterrupted, resume=False)


def test_another_recipe_is_an_error_that_lists_the_differences(train: Make, uninterrupted: Path) -> None:
    with pytest.raises(UsageError) as error:
        train(uninterrupted, lr=0.5, batch=5, words="sampler.voices=3")
    problems = {problem.where: problem.what for problem in error.value.problems}
    assert problems["train.lr"] == "is now 0.5, but the run was started with 0.02"
    assert problems["train.batch"] == "is now 5, but the run was started with 4"
    assert problems["sampler.voices"] == "is now 3, but the run was started with 5"


def test_only_the_name_of_a_replaced_part_is_listed(train: Make, uninterrupted: Path) -> None:
    with pytest.raises(UsageError) as error:
        train(uninterrupted, words="decoder=rbm")
    first, *rest = error.value.problems
    assert "another recipe" in first.what
    what = "is now polyzoo/rbm, but the run was started with polyzoo/lstm"
    assert [(problem.where, problem.what) for problem in rest] == [("decoder", what)]


def test_other_music_is_an_error(
    train: Make, uninterrupted: Path, tunes: Make, tiny: Make, fast: Make
) -> None:
    with pytest.raises(UsageError, match="the music") as error, lock_folder(uninterrupted) as place:
        fit(tiny(), tunes(train=5), fast(steps=STEPS), Run(place), resume=True)
    assert "a file may be new, such as generated music" in error.value.problems[-1].hint


def test_a_run_that_fails_to_start_leaves_no_folder(train: Make, run_folder: Path) -> None:
    with pytest.raises(UsageError, match="no device"):
        train(run_folder, device="abacus")
    assert not run_folder.exists()


def test_a_folder_with_other_files_is_not_changed(train: Make, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_text("cat")
    (tmp_path / "file").write_text("text")
    for name in ("photos", "file"):
        with pytest.raises(UsageError):
            train(tmp_path / name)
    assert [child.name for child in (tmp_path / "photos").iterdir()] == ["cat.png"]


@pytest.mark.parametrize("name", ["last.safetensors", "best.safetensors"])
def test_a_damaged_checkpoint_is_an_error(train: Make, uninterrupted: Path, name: str) -> None:
    good = (uninterrupted / name).read_bytes()
    rng = random.Random(0)
    for number in range(12):
        position = rng.randrange(len(good))
        flipped_byte = bytes([good[position] ^ (1 << rng.randrange(8))])
        flipped = good[:position] + flipped_byte + good[position + 1 :]
        (uninterrupted / name).write_bytes(good[:position] if number % 3 == 0 else flipped)
        with pytest.raises(BundleError, match="restore a good copy"):
            train(uninterrupted)


def test_missing_best_weights_are_an_error(train: Make, uninterrupted: Path) -> None:
    (uninterrupted / "best.safetensors").unlink()
    with pytest.raises(BundleError, match=r"best\.safetensors: is missing"):
        train(uninterrupted)


def test_a_run_without_its_latest_checkpoint_is_not_restarted(train: Make, uninterrupted: Path) -> None:
    (uninterrupted / "last.safetensors").unlink()
    before = (uninterrupted / "best.safetensors").read_bytes()
    with pytest.raises(BundleError, match=r"last\.safetensors: is missing, so the run cannot be resumed"):
        train(uninterrupted)
    assert (uninterrupted / "best.safetensors").read_bytes() == before


@pytest.mark.parametrize("with_bundle", [False, True])
def test_a_run_without_its_checkpoints_is_not_restarted(
    with_bundle: bool, train: Make, uninterrupted: Path
) -> None:
    """It would replace a trained model by one with a few steps, and drop its metrics."""
    for name in ("last", "best"):
        (uninterrupted / f"{name}.safetensors").unlink()
    metrics = (uninterrupted / "metrics.jsonl").read_bytes()
    if with_bundle:
        (uninterrupted / "bundle").mkdir(exist_ok=True)
    with pytest.raises(BundleError, match="the checkpoints are missing, so the run cannot be") as caught:
        train(uninterrupted)
    assert ("data=MUSIC -o NEW" in str(caught.value)) == with_bundle
    assert (uninterrupted / "metrics.jsonl").read_bytes() == metrics
    assert not list(uninterrupted.glob("*.safetensors"))


def test_a_run_killed_before_its_second_checkpoint_starts_over(
    train: Make, uninterrupted: Path, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best weights are written before the second checkpoint; the first is written at the start."""
    save = Run.save

    def die(run: Run, learner: Learner) -> None:
        if learner.step:
            raise KeyboardInterrupt
        save(run, learner)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "save", die)
        with pytest.raises(KeyboardInterrupt):
            train(run_folder)
    assert (run_folder / "best.safetensors").exists()
    train(run_folder)
    assert_same(run_folder, uninterrupted)


@pytest.mark.parametrize("content", ["", "{}", '{"parts": 3, "train": {}}', "[]"])
def test_a_damaged_plan_is_an_error(train: Make, uninterrupted: Path, content: str) -> None:
    (uninterrupted / "recipe.json").write_text(content)
    with pytest.raises(BundleError, match="restore a good copy"):
        train(uninterrupted)


def test_a_checkpoint_of_a_newer_version_names_the_version_that_reads_it(
    train: Make, uninterrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo.train.run.FORMAT", 0)
    with pytest.raises(BundleError, match=r"was written by polyzoo \d\S+ \(format 1\); .* up to format 0"):
        train(uninterrupted)


@pytest.mark.parametrize(
    ("number", "what"),
    [(2, r"polyzoo 1\.4\.0 \(format 2\)"), *((n, "its format is") for n in ("x", -5, True, None, {}))],
)
def test_the_format_of_a_run_is_checked(train: Make, uninterrupted: Path, number: object, what: str) -> None:
    path = uninterrupted / "recipe.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": number, "polyzoo": "1.4.0"}))
    with pytest.raises(BundleError, match=what):
        train(uninterrupted)


@pytest.mark.parametrize("name", ["last", "best"])
@pytest.mark.parametrize("lost", ["format", "step", "seconds", "nats"])
@pytest.mark.parametrize("value", [None, "x", [], True, float("inf"), {"core": "x"}, {"core": -1.5}, -2, 2.5])
def test_a_checkpoint_that_does_not_say_where_it_stands_is_refused(
    name: str, lost: str, value: object, uninterrupted: Path
) -> None:
    """Even if its checksum matches, since an attacker can compute it."""
    weights = checkpoint(uninterrupted, name)
    if lost not in weights.about or (lost, value) in [("nats", {"core": -1.5}), ("seconds", 2.5)]:
        return
    (uninterrupted / f"{name}.safetensors").write_bytes(
        pack(Weights(weights.tensors, {**weights.about, lost: value}))
    )
    with pytest.raises(BundleError, match=r"its format is|has no training progress"):
        Run(uninterrupted)._load(name)


@pytest.mark.parametrize("value", ["x", {}, None])
def test_a_run_whose_checkpoint_does_not_say_where_it_stands_is_shown_as_damaged(
    value: object, uninterrupted: Path
) -> None:
    weights = checkpoint(uninterrupted, "last")
    path = uninterrupted / "last.safetensors"
    path.write_bytes(pack(Weights(weights.tensors, {**weights.about, "validated": value})))
    assert summarize(uninterrupted).state == "damaged"


@pytest.mark.parametrize(
    ("name", "tensor", "value"),
    [
        ("best", "attention.", None),
        ("best", "attention.", torch.zeros(3, 2, 1)),
        ("last", "ema.", None),
        ("last", "ema.", torch.zeros(3, 2, 1)),
        ("last", ":exp_avg_sq", None),
        ("last", ":exp_avg", torch.zeros(3, 2, 1)),
        ("last", ":exp_avg", torch.tensor(float("nan"))),
        ("last", ":step", torch.zeros(3)),
    ],
)
def test_a_checkpoint_whose_tensors_do_not_fit_is_refused(
    name: str, tensor: str, value: torch.Tensor | None, train: Make, run_folder: Path
) -> None:
    """Not only the weights that training goes on with."""
    train(run_folder, steps=3, ema=0.9)
    weights = checkpoint(run_folder, name)
    chosen = next(each for each in weights.tensors if tensor in each)
    tensors = {each: content for each, content in weights.tensors.items() if each != chosen}
    if value is not None:
        tensors[chosen] = value if value.numel() > 1 else value.expand_as(weights.tensors[chosen])
    path = run_folder / f"{name}.safetensors"
    path.write_bytes(pack(Weights(tensors, weights.about)))
    with pytest.raises(BundleError, match=path.name):
        train(run_folder, ema=0.9)


def test_a_truncated_line_of_metrics_is_dropped(train: Make, run_folder: Path, uninterrupted: Path) -> None:
    train(run_folder, steps=6)
    with (run_folder / "metrics.jsonl").open("a") as metrics:
        metrics.write('{"event": "stepped", "step": 7, "lo')
    train(run_folder)
    assert_same(run_folder, uninterrupted)


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"step": "x"}',
        b'{"step": NaN}',
        b"[3]",
        b"3",
        b'{"step": 1, "nats": [2]}',
        b'{"step": 1, "losses": [2]}',
        b'{"step": 1, "losses": {"core": "low"}}',
        b'{"step": 1, "seconds": null, "losses": {"core": 2.0}}',
    ],
    ids=["no UTF-8", "nested", "string", "NaN", "list", "number", "no nats", "no losses", "text", "no time"],
)
def test_a_run_with_damaged_metrics_is_resumed(
    line: bytes, train: Make, run_folder: Path, uninterrupted: Path
) -> None:
    train(run_folder, steps=6)
    metrics = run_folder / "metrics.jsonl"
    first, rest = metrics.read_bytes().split(b"\n", 1)
    metrics.write_bytes(b"\n".join([first, line, rest]))
    train(run_folder)
    assert_same(run_folder, uninterrupted)
    metrics.write_bytes(metrics.read_bytes() + line)
    assert [step for step, _ in Run(run_folder).validations("core")] == [3, 6, 9, 10]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the files of descriptors are unknown")
def test_metrics_are_flushed_before_the_checkpoint(
    train: Make, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    sync = os.fsync
    monkeypatch.setattr(
        "os.fsync",
        lambda handle: (synced.append(Path(f"/proc/self/fd/{handle}").resolve().name), sync(handle)),
    )
    train(run_folder, steps=3)
    checkpoint = [name.strip(".").partition(".")[0] for name in synced if "metrics" in name or "last" in name]
    assert checkpoint[-2:] == ["metrics", "last"]


def test_temporary_files_of_killed_writers_are_removed(train: Make, uninterrupted: Path) -> None:
    (uninterrupted / ".last.safetensors.12345678.part").write_bytes(b"half")
    train(uninterrupted)
    assert {child.name for child in uninterrupted.iterdir()} == {
        "best.safetensors",
        "last.safetensors",
        "lock",
        "metrics.jsonl",
        "recipe.json",
    }


@pytest.mark.parametrize("name", ["metrics.jsonl", "last.safetensors", "bundle", "tracker.csv"])
def test_links_in_a_run_do_not_overwrite_files_elsewhere(
    name: str, train: Make, uninterrupted: Path, tmp_path: Path
) -> None:
    """A run received from someone else may contain links."""
    precious = tmp_path / "thesis.tex"
    precious.write_text("precious")
    (uninterrupted / name).unlink(missing_ok=True)
    (uninterrupted / name).symlink_to(precious)
    with pytest.raises(UsageError, match=f"{name}: is a link"):
        train(uninterrupted)
    assert precious.read_text() == "precious"


def test_the_plan_is_readable_json(uninterrupted: Path) -> None:
    plan = json.loads((uninterrupted / "recipe.json").read_text())
    assert plan["parts"]["attention"]["settings"]["local"] == 4
    assert plan["train"]["steps"] == STEPS
    assert plan["data"]["name"].startswith("tunes")
    assert TrainSettings(**plan["train"]).steps == STEPS


def change_training(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    plan = json.loads((folder / "recipe.json").read_text())
    change(plan["train"])
    (folder / "recipe.json").write_text(json.dumps(plan))


def test_a_run_that_was_started_before_a_setting_existed_is_resumed(
    train: Make, run_folder: Path, uninterrupted: Path
) -> None:
    train(run_folder, steps=6)
    change_training(run_folder, lambda settings: [settings.pop(name) for name in LEGACY])
    train(run_folder)
    assert_same(run_folder, uninterrupted)


def test_defaults_of_the_version_that_started_a_run_are_kept(uninterrupted: Path) -> None:
    change_training(uninterrupted, lambda settings: settings.update(schedule="cosine", lr=0.02, steps=None))
    plan = read_plan(uninterrupted)
    assert plan is not None
    assert plan["words"].startswith("encoder=onset")
    words = {word.key: word.text for word in plan_words(plan, uninterrupted)}
    assert (words["train.schedule"], words["train.lr"], words["train.batch"]) == ("cosine", "0.02", "4")
    assert words["train.clip"] == "1.0"
    assert not {"train.steps", "train.minutes", "train.epochs"} & set(words)
