"""Run folders: killed or interrupted anywhere and resumed, a training ends as an unbroken one does."""

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
from filelock import FileLock

from zoo.data import Corpus
from zoo.errors import BundleError, NonFiniteError, UsageError, ZooError
from zoo.model.model import Model
from zoo.model.weights import Weights, pack, unpack
from zoo.train.events import Event, Started, Stepped, Validated
from zoo.train.fit import fit
from zoo.train.learner import Learner
from zoo.train.lock import claimed
from zoo.train.plan import begun_plan, begun_words
from zoo.train.run import Run
from zoo.train.settings import BEFORE, TrainSettings

from .conftest import Stop

Make = Callable[..., Any]
KILLS = int(os.environ.get("ZOO_STRESS_KILLS", "6"))
PAIRS = int(os.environ.get("ZOO_STRESS_PAIRS", "2"))
STEPS = 10

fork = multiprocessing.get_context("fork")


@pytest.fixture(scope="session")
def train(corpus: Corpus, tiny: Make, fast: Make) -> Callable[..., Model]:
    """Train a fresh tiny model in a run folder, from the start or from where it stands."""

    def go(folder: Path, listen: Any = None, words: str = "", resume: bool = True, **more: Any) -> Model:
        model, settings = tiny(words), fast(**{"steps": STEPS, **more})
        with claimed(folder) as place:
            fit(model, corpus, settings, Run(place), listen, resume=resume)
        return model

    return go


def kept(folder: Path, name: str) -> Weights:
    return unpack((folder / f"{name}.safetensors").read_bytes(), name)


def lines(folder: Path) -> list[dict[str, Any]]:
    """The metrics without what the clock says."""
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in found]


def assert_same(folder: Path, other: Path) -> None:
    """Two runs that came to the same, byte for byte."""
    for name in ("last", "best"):
        one, two = kept(folder, name), kept(other, name)
        assert one.about["weights"] == two.about["weights"], name
        clocks = {"seconds": 0.0}
        assert {**one.about, **clocks} == {**two.about, **clocks}
    assert lines(folder) == lines(other)


@pytest.fixture(scope="session")
def finished(train: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "finished"
    train(folder)
    return folder


@pytest.fixture
def unbroken(finished: Path, tmp_path: Path) -> Path:
    """A copy of a run that nothing disturbed."""
    shutil.copytree(finished, tmp_path / "unbroken")
    return tmp_path / "unbroken"


@pytest.mark.parametrize(
    ("kind", "step"),
    [(Stepped, 1), (Stepped, 3), (Validated, 3), (Stepped, 7), (Stepped, STEPS), (Validated, STEPS)],
)
def test_an_interrupted_run_ends_as_an_unbroken_one(
    train: Make, unbroken: Path, run_folder: Path, kind: type[Event], step: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(run_folder, listen=Stop(kind, step))
    train(run_folder)
    assert_same(run_folder, unbroken)


def test_a_killed_run_ends_as_an_unbroken_one(train: Make, unbroken: Path, run_folder: Path) -> None:
    """Killed again and again, after one to three steps each time, sooner or later it is through."""
    chance = random.Random(0)
    kills = 0
    for _ in range(KILLS):
        child = fork.Process(target=train, args=(run_folder, linger))
        child.start()
        wait_for(run_folder / "metrics.jsonl", child)
        time.sleep(0.05 + 0.2 * chance.random())
        child.kill()
        child.join()
        kills += child.exitcode != 0
    assert kills > 0
    train(run_folder)
    assert_same(run_folder, unbroken)


def test_a_run_killed_between_its_two_checkpoints_ends_so_too(
    train: Make, unbroken: Path, run_folder: Path, monkeypatch: pytest.MonkeyPatch
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
    assert kept(run_folder, "best").about["step"] == {"core": 6, "decoder": 6}
    assert kept(run_folder, "last").about["step"] == 3
    train(run_folder)
    assert_same(run_folder, unbroken)


def linger(event: Event) -> None:
    time.sleep(0.02)


def wait_for(path: Path, child: Any) -> None:
    while not path.exists() and child.is_alive():
        time.sleep(0.01)


def test_a_longer_budget_goes_on_as_if_it_had_been_asked_for_at_once(
    train: Make, unbroken: Path, run_folder: Path
) -> None:
    train(run_folder, steps=6)
    train(run_folder)
    assert_same(run_folder, unbroken)


def test_a_finished_run_is_not_trained_again(train: Make, unbroken: Path) -> None:
    before = (unbroken / "last.safetensors").read_bytes()
    events: list[Event] = []
    train(unbroken, listen=events.append)
    assert [type(event) for event in events] == [Started]
    assert (unbroken / "last.safetensors").read_bytes() == before


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_what_ends_a_training_is_heard_between_steps(
    name: str, train: Make, unbroken: Path, run_folder: Path
) -> None:
    heard: list[int] = []

    def press(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 4:
            signal.raise_signal(signal.Signals[name])
            assert not heard

    def hear(number: int, frame: object) -> None:
        heard.append(number)

    before = signal.signal(signal.Signals[name], hear)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(run_folder, listen=press)
        assert signal.getsignal(signal.Signals[name]) is hear
    finally:
        signal.signal(signal.Signals[name], before)
    assert heard == [signal.Signals[name]]
    assert kept(run_folder, "last").about["step"] == 4
    train(run_folder)
    assert_same(run_folder, unbroken)


def test_a_value_that_is_no_number_leaves_the_step_before_and_what_led_there(
    train: Make, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tmp_path / "before", steps=4)
    losses = Model.forward

    def poison(model: Model, fragments: Any, generator: Any) -> Any:
        found = losses(model, fragments, generator)
        poisoned = (
            fragments.frames == 16 and (run_folder / "metrics.jsonl").exists() and len(lines(run_folder)) >= 5
        )
        return {**found, "core": found["core"] * float("nan")} if poisoned else found

    monkeypatch.setattr(Model, "forward", poison)
    with pytest.raises(NonFiniteError, match=r"nonfinite\.json"):
        train(run_folder)
    assert kept(run_folder, "last").about["step"] == 4
    assert kept(run_folder, "last").about["weights"] == kept(tmp_path / "before", "last").about["weights"]
    report = json.loads((run_folder / "nonfinite.json").read_text())
    assert report["step"] == 5
    assert len(report["fragments"]) == len(report["semitones"]) == 4
    with pytest.raises(NonFiniteError, match="step 5"):
        train(run_folder)


@pytest.mark.parametrize("limit", [300, 20_000])
def test_a_full_disk_is_one_problem_and_the_run_stays_valid(
    train: Make, run_folder: Path, unbroken: Path, limit: int
) -> None:
    """The metrics, or else the checkpoint, are more than can be written."""
    train(run_folder, steps=3)
    child = fork.Process(target=fill, args=(train, run_folder, limit))
    child.start()
    child.join()
    assert child.exitcode == 1
    assert kept(run_folder, "last").about["step"] == 3
    train(run_folder)
    assert_same(run_folder, unbroken)


def fill(train: Make, folder: Path, limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        train(folder)
    except ZooError as error:
        os._exit(error.exit_code if len(error.problems) == 1 else 99)


def hold(folder: Path) -> None:
    with claimed(folder):
        (folder.parent / "held").touch()
        time.sleep(60)


@pytest.mark.parametrize("pair", range(PAIRS))
def test_only_one_trains_in_a_folder(train: Make, run_folder: Path, pair: int) -> None:
    holder = fork.Process(target=hold, args=(run_folder,))
    holder.start()
    wait_for(run_folder.parent / "held", holder)
    try:
        with pytest.raises(UsageError, match=f"process {holder.pid} on .* since 20") as caught:
            train(run_folder)
        assert caught.value.exit_code == 2
    finally:
        holder.kill()
        holder.join()
    train(run_folder)


def test_a_folder_that_was_just_given_up_is_made_again(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who begins nothing removes the folder, maybe while another is about to take it."""
    acquire, others = FileLock.acquire, [run_folder]

    def late(self: FileLock, **options: Any) -> object:
        if others:
            others.pop().rmdir()
            raise FileNotFoundError(2, "No such file or directory")
        return acquire(self, **options)

    monkeypatch.setattr(FileLock, "acquire", late)
    with claimed(run_folder) as place:
        assert place.is_dir()
    assert not others
    assert not run_folder.exists()


def test_a_lock_that_was_removed_while_it_was_waited_for_is_not_taken(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who begins nothing removes the lock, maybe while another has it open; that guards no name then."""
    flock, places = fcntl.flock, [run_folder / "lock"]

    def late(handle: int, operation: int) -> None:
        if places:
            places.pop().unlink()
        flock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with claimed(run_folder) as place:
        assert not places
        assert (place / "lock").exists()
        with pytest.raises(UsageError, match="trains here"), claimed(run_folder):
            pass


def test_a_run_is_only_resumed_when_asked(train: Make, unbroken: Path) -> None:
    with pytest.raises(UsageError, match="--resume"):
        train(unbroken, resume=False)


def test_another_recipe_is_refused_and_the_difference_shown(train: Make, unbroken: Path) -> None:
    with pytest.raises(UsageError) as caught:
        train(unbroken, lr=0.5, batch=5, words="sampler.voices=3")
    said = {problem.where: problem.what for problem in caught.value.problems}
    assert said["train.lr"] == "is 0.5 now, the run was begun with 0.02"
    assert said["train.batch"] == "is 5 now, the run was begun with 4"
    assert said["sampler.voices"] == "is 3 now, the run was begun with 5"


def test_of_another_part_only_the_name_is_told(train: Make, unbroken: Path) -> None:
    with pytest.raises(UsageError) as caught:
        train(unbroken, words="decoder=rbm")
    first, *rest = caught.value.problems
    assert "another recipe" in first.what
    told = "is polyzoo/rbm now, the run was begun with polyzoo/lstm"
    assert [(problem.where, problem.what) for problem in rest] == [("decoder", told)]


def test_other_music_is_refused(train: Make, unbroken: Path, tunes: Make, tiny: Make, fast: Make) -> None:
    with pytest.raises(UsageError, match="the music"), claimed(unbroken) as place:
        fit(tiny(), tunes(train=5), fast(steps=STEPS), Run(place), resume=True)


def test_where_nothing_was_begun_nothing_is_left(train: Make, run_folder: Path) -> None:
    with pytest.raises(UsageError, match="no device"):
        train(run_folder, device="abacus")
    assert not run_folder.exists()


def test_a_folder_of_other_things_is_left_alone(train: Make, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_text("cat")
    (tmp_path / "file").write_text("text")
    for name in ("photos", "file"):
        with pytest.raises(UsageError):
            train(tmp_path / name)
    assert [child.name for child in (tmp_path / "photos").iterdir()] == ["cat.png"]


@pytest.mark.parametrize("name", ["last.safetensors", "best.safetensors"])
def test_a_damaged_file_is_never_resumed_from(train: Make, unbroken: Path, name: str) -> None:
    good = (unbroken / name).read_bytes()
    chance = random.Random(0)
    for number in range(12):
        place = chance.randrange(len(good))
        flipped = good[:place] + bytes([good[place] ^ (1 << chance.randrange(8))]) + good[place + 1 :]
        (unbroken / name).write_bytes(good[:place] if number % 3 == 0 else flipped)
        with pytest.raises(BundleError, match="restore a good copy"):
            train(unbroken)


def test_a_run_that_lost_its_best_weights_says_so(train: Make, unbroken: Path) -> None:
    (unbroken / "best.safetensors").unlink()
    with pytest.raises(BundleError, match=r"best\.safetensors: is missing"):
        train(unbroken)


def test_a_run_that_lost_where_it_stood_is_not_begun_again(train: Make, unbroken: Path) -> None:
    (unbroken / "last.safetensors").unlink()
    before = (unbroken / "best.safetensors").read_bytes()
    with pytest.raises(BundleError, match=r"last\.safetensors: is missing, so the run cannot go on"):
        train(unbroken)
    assert (unbroken / "best.safetensors").read_bytes() == before


def test_a_run_killed_before_its_first_checkpoint_but_one_begins_again(
    train: Make, unbroken: Path, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best weights are kept before the second checkpoint is; the first was there from the start."""
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
    assert_same(run_folder, unbroken)


@pytest.mark.parametrize("content", ["", "{}", '{"parts": 3, "train": {}}', "[]"])
def test_a_damaged_plan_is_never_resumed_from(train: Make, unbroken: Path, content: str) -> None:
    (unbroken / "recipe.json").write_text(content)
    with pytest.raises(BundleError, match="restore a good copy"):
        train(unbroken)


def test_a_checkpoint_of_a_newer_version_names_the_version_that_reads_it(
    train: Make, unbroken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo.train.run.FORMAT", 0)
    with pytest.raises(BundleError, match=r"was written by polyzoo \d\S+ \(format 1\); .* up to format 0"):
        train(unbroken)


@pytest.mark.parametrize(
    ("number", "what"),
    [(2, r"polyzoo 1\.4\.0 \(format 2\)"), *((n, "its format is") for n in ("x", -5, True, None, {}))],
)
def test_the_format_of_a_run_is_checked(train: Make, unbroken: Path, number: object, what: str) -> None:
    path = unbroken / "recipe.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": number, "polyzoo": "1.4.0"}))
    with pytest.raises(BundleError, match=what):
        train(unbroken)


@pytest.mark.parametrize("name", ["last", "best"])
@pytest.mark.parametrize("lost", ["format", "step", "seconds", "nats"])
@pytest.mark.parametrize("value", [None, "x", [], True, float("inf")])
def test_a_checkpoint_that_does_not_say_where_it_stands_is_refused(
    name: str, lost: str, value: object, unbroken: Path
) -> None:
    """Also where its checksum fits, as somebody can make it fit."""
    weights = kept(unbroken, name)
    if lost not in weights.about:
        return
    (unbroken / f"{name}.safetensors").write_bytes(
        pack(Weights(weights.tensors, {**weights.about, lost: value}))
    )
    with pytest.raises(BundleError, match=r"its format is|does not say where"):
        Run(unbroken)._load(name)


def test_a_line_of_metrics_that_was_cut_is_dropped(train: Make, run_folder: Path, unbroken: Path) -> None:
    train(run_folder, steps=6)
    with (run_folder / "metrics.jsonl").open("a") as metrics:
        metrics.write('{"event": "stepped", "step": 7, "lo')
    train(run_folder)
    assert_same(run_folder, unbroken)


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
    ],
    ids=["no UTF-8", "deep", "a text", "no number", "a list", "a number", "no nats"],
)
def test_damaged_metrics_do_not_keep_a_run_from_going_on(
    line: bytes, train: Make, run_folder: Path, unbroken: Path
) -> None:
    train(run_folder, steps=6)
    metrics = run_folder / "metrics.jsonl"
    first, rest = metrics.read_bytes().split(b"\n", 1)
    metrics.write_bytes(b"\n".join([first, line, rest]))
    train(run_folder)
    assert_same(run_folder, unbroken)
    metrics.write_bytes(metrics.read_bytes() + line)
    assert [step for step, _ in Run(run_folder).validations("core")] == [3, 6, 9, 10]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="nothing says which file a descriptor is of")
def test_metrics_reach_the_disk_before_a_checkpoint_that_stands_for_them(
    train: Make, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    sync = os.fsync
    monkeypatch.setattr(
        "os.fsync",
        lambda handle: (synced.append(Path(f"/proc/self/fd/{handle}").resolve().name), sync(handle)),
    )
    train(run_folder, steps=3)
    kept = [name.strip(".").partition(".")[0] for name in synced if "metrics" in name or "last" in name]
    assert kept[-2:] == ["metrics", "last"]


def test_what_killed_writers_left_is_swept(train: Make, unbroken: Path) -> None:
    (unbroken / ".last.safetensors.12345678.part").write_bytes(b"half")
    train(unbroken)
    assert {child.name for child in unbroken.iterdir()} == {
        "best.safetensors",
        "last.safetensors",
        "lock",
        "metrics.jsonl",
        "recipe.json",
    }


def test_the_plan_can_be_read_by_a_person(unbroken: Path) -> None:
    begun = json.loads((unbroken / "recipe.json").read_text())
    assert begun["parts"]["attention"]["settings"]["local"] == 4
    assert begun["train"]["steps"] == STEPS
    assert begun["data"]["name"].startswith("tunes")
    assert TrainSettings(**begun["train"]).steps == STEPS


def change_training(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    plan = json.loads((folder / "recipe.json").read_text())
    change(plan["train"])
    (folder / "recipe.json").write_text(json.dumps(plan))


def test_a_run_goes_on_that_was_begun_before_there_was_a_setting(
    train: Make, run_folder: Path, unbroken: Path
) -> None:
    train(run_folder, steps=6)
    change_training(run_folder, lambda settings: [settings.pop(name) for name in BEFORE])
    train(run_folder)
    assert_same(run_folder, unbroken)


def test_what_was_the_default_when_a_run_was_begun_stays(unbroken: Path) -> None:
    change_training(unbroken, lambda settings: settings.update(schedule="cosine", lr=0.02, steps=None))
    begun = begun_plan(unbroken)
    assert begun is not None
    assert begun["words"].startswith("encoder=onset")
    words = {word.key: word.text for word in begun_words(begun, unbroken)}
    assert (words["train.schedule"], words["train.lr"], words["train.batch"]) == ("cosine", "0.02", "4")
    assert "train.clip" not in words
