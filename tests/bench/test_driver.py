"""The driver: which cells it runs, which results it keeps, and how it handles failures."""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zoo.bench.cell import Cell, FloorsCell
from zoo.bench.components import components
from zoo.bench.driver import TRIES, Driver, LocalDataset, StudyProgress
from zoo.bench.local import CellFailed, LocalRunner, run_process
from zoo.bench.reading import READING
from zoo.bench.results import Results, prepare
from zoo.bench.study import Study
from zoo.bench.work import do
from zoo.errors import BundleError, Problem, UsageError, ZooError
from zoo.parts import SLOTS
from zoo.registry import Registry

Read = Callable[..., Study]
MUSIC = LocalDataset("/tunes", "digest", frozenset({"onset", "sounding"}), 3)
OTHER = LocalDataset("/songs", "other", MUSIC.planes, 3)
GRID = 'attention = ["none", "last"]\nsampler = "independent"\ndecoder = ["lstm", "uniform"]'


class Toy:
    """A runner that returns results, or the failures that a test sets, immediately."""

    def __init__(self, fail: Callable[[Mapping[str, Any]], CellFailed | None] = lambda order: None) -> None:
        self.orders: list[dict[str, Any]] = []
        self.closed = False
        self._fail = fail

    def submit(self, order: Mapping[str, Any]) -> Future[dict[str, Any]]:
        self.orders.append(dict(order))
        answer: Future[dict[str, Any]] = Future()
        failure = self._fail(order)
        if failure is None:
            answer.set_result(self.result(order))
        else:
            answer.set_exception(failure)
        return answer

    def result(self, order: Mapping[str, Any]) -> dict[str, Any]:
        data = {"digest": MUSIC.digest, "planes": sorted(MUSIC.planes), "reading": READING}
        content: dict[str, Any] = {"order": order, "data": data, "made": {}, "floors": {}}
        if order["term"] != "floors":
            learns = not (order["term"] == "decoder" and "decoder=uniform" in order["recipe"])
            # The best rate is 0.01 for cells with `attention=last`, and 0.1 for all others.
            best = 0.01 if "attention=last sampler=independent" in order["recipe"] else 0.1
            content |= {"learns": learns, "validation": abs(order["train"]["lr"] - best)}
            content |= {"evaluation": None, "parameters": 5 * learns, "parts": dict.fromkeys(SLOTS, "x 1")}
        return content

    def close(self) -> None:
        self.closed = True


def drive(
    study: Study,
    results: Path,
    toy: Toy,
    registry: Registry,
    music: LocalDataset = MUSIC,
    replace_outdated: bool = False,
) -> StudyProgress:
    names = dict.fromkeys(study.settings.data, music)
    return Driver(study, Results(results), toy, names, registry, replace_outdated=replace_outdated).run()


@pytest.fixture
def small(study: Read) -> Study:
    return study('data = "tunes"\nseeds = 3', GRID, "steps = 2\nlr = [0.01, 0.1]")


def test_each_part_is_trained_at_each_rate_and_from_each_seed_at_the_best(
    small: Study, tmp_path: Path, registry: Registry
) -> None:
    toy = Toy()
    progress = drive(small, tmp_path / "results", toy, registry)
    done = [(o["term"], o["recipe"].split()[1], o["train"]["lr"], o["seed"]) for o in toy.orders[1:]]
    cores = {(a, lr, seed) for term, a, lr, seed in done if term == "core"}
    assert cores == {
        ("attention=none", 0.01, 0), ("attention=none", 0.1, 0),
        ("attention=none", 0.01, 1), ("attention=none", 0.1, 1), ("attention=none", 0.1, 2),
        ("attention=last", 0.01, 0), ("attention=last", 0.1, 0),
        ("attention=last", 0.01, 1), ("attention=last", 0.1, 1), ("attention=last", 0.01, 2),
    }  # fmt: skip
    assert len(toy.orders) == len({order["name"] for order in toy.orders}) == 1 + 10 + 5 + 1
    assert (progress.needed, progress.done, progress.ran) == (17, 17, 17)
    assert toy.closed


def test_part_without_parameters_runs_once(small: Study, tmp_path: Path, registry: Registry) -> None:
    toy = Toy()
    drive(small, tmp_path / "results", toy, registry)
    assert sum(o["term"] == "decoder" and "decoder=uniform" in o["recipe"] for o in toy.orders) == 1


def test_rates_are_not_compared_without_validation_pieces(
    small: Study, study: Read, tmp_path: Path, registry: Registry
) -> None:
    toy, music = Toy(), replace(MUSIC, validation_pieces=0)
    with pytest.raises(UsageError) as caught:
        drive(small, tmp_path / "results", toy, registry, music)
    (problem,) = caught.value.problems
    assert problem.where == "tunes"
    assert "no validation pieces to choose a learning rate by" in problem.what
    assert "give a single rate" in problem.hint
    assert not toy.orders

    single = study('data = "tunes"\nseeds = 3', GRID, "steps = 2\nlr = 0.01")
    assert drive(single, tmp_path / "results", toy, registry, music).ran == len(toy.orders) > 0


def test_only_missing_cells_run(small: Study, tmp_path: Path, registry: Registry) -> None:
    drive(small, tmp_path / "results", Toy(), registry)
    again = Toy()
    progress = drive(small, tmp_path / "results", again, registry)
    assert (again.orders, progress.ran, progress.done) == ([], 0, 17)

    lost = sorted((tmp_path / "results" / "tunes").iterdir())[::4]
    for path in lost:
        path.unlink()
    drive(small, tmp_path / "results", again, registry)
    assert sorted(order["name"] for order in again.orders) == [path.stem for path in lost]


class Other(Toy):
    """Runs cells on the dataset `OTHER`."""

    def result(self, order: Mapping[str, Any]) -> dict[str, Any]:
        return super().result(order) | {"data": {"digest": OTHER.digest, "planes": [], "reading": READING}}


def stored(folder: Path) -> dict[str, str]:
    """The digest of the music of each result."""
    content = {path.name: json.loads(path.read_text()) for path in sorted(folder.glob("*/*.json"))}
    return {name: result["data"]["digest"] for name, result in content.items()}


def test_results_of_other_music_stop_the_run_and_are_kept(
    small: Study, tmp_path: Path, registry: Registry
) -> None:
    drive(small, tmp_path / "results", Toy(), registry)
    before, again = stored(tmp_path / "results"), Other()
    with pytest.raises(UsageError) as caught:
        drive(small, tmp_path / "results", again, registry, OTHER)
    (problem,) = caught.value.problems
    assert problem.what == "17 results here are of other music (digest) than /songs (other)"
    assert problem.where == str(tmp_path / "results" / "tunes")
    assert "--results" in problem.hint
    assert "--replace" in problem.hint
    assert again.orders == []
    assert again.closed
    assert stored(tmp_path / "results") == before


class Before(Toy):
    """Runs cells on an earlier reading of the same music."""

    def result(self, order: Mapping[str, Any]) -> dict[str, Any]:
        return super().result(order) | {"data": {"digest": MUSIC.digest, "planes": sorted(MUSIC.planes)}}


def of_an_earlier_reading(study: Study, folder: Path, registry: Registry) -> None:
    """Results under other names, as they were before the last counter was raised."""
    toy, results = Before(), Results(folder)
    for component in components(study, registry):
        for cell in component.every(study):
            path = results.path(cell).with_name(f"before-{cell.name}.json")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(toy.result(cell.order("/tunes"))) + "\n")


def test_results_of_an_earlier_reading_stop_the_run_and_are_kept(
    small: Study, tmp_path: Path, registry: Registry
) -> None:
    of_an_earlier_reading(small, tmp_path / "results", registry)
    before, again = stored(tmp_path / "results"), Toy()
    with pytest.raises(UsageError, match="of an earlier reading") as caught:
        drive(small, tmp_path / "results", again, registry)
    assert "--results ELSEWHERE to keep both, or --replace" in str(caught.value)
    assert again.orders == []
    assert stored(tmp_path / "results") == before


def test_results_of_an_earlier_reading_are_replaced_on_request(
    small: Study, tmp_path: Path, registry: Registry
) -> None:
    of_an_earlier_reading(small, tmp_path / "results", registry)
    progress = drive(small, tmp_path / "results", Toy(), registry, replace_outdated=True)
    assert (progress.ran, progress.done, progress.needed) == (17, 17, 17)
    new = [path for path in (tmp_path / "results").glob("*/*.json") if not path.name.startswith("before-")]
    assert len(new) == 17
    assert not any(path.with_name(f"before-{path.name}").exists() for path in new)
    again = drive(small, tmp_path / "results", Toy(), registry)
    assert (again.ran, again.done) == (0, 17)


def test_result_of_a_worker_with_an_earlier_reading_is_rejected(
    small: Study, tmp_path: Path, registry: Registry
) -> None:
    """The result of a worker with an older version."""
    progress = drive(small, tmp_path / "results", Before(), registry)
    assert progress.ran == 0
    whats = {problem.what for problems in progress.failed.values() for problem in problems}
    assert whats == {f"the worker reads music differently (reading 1, here {READING})"}


def test_a_single_result_of_other_music_is_kept(small: Study, tmp_path: Path, registry: Registry) -> None:
    """If the trials of a part are missing, the seeds that it needs are unknown."""
    drive(small, tmp_path / "results", Toy(), registry)
    for path in (tmp_path / "results" / "tunes").iterdir():
        if not path.name.startswith("core-onset-none-independent-s2"):
            path.unlink()
    with pytest.raises(UsageError, match="a result here is of other music"):
        drive(small, tmp_path / "results", Other(), registry, OTHER)


def test_results_of_other_music_are_replaced_on_request(
    small: Study, tmp_path: Path, registry: Registry
) -> None:
    drive(small, tmp_path / "results", Toy(), registry)
    again = Other()
    progress = drive(small, tmp_path / "results", again, registry, OTHER, replace_outdated=True)
    assert len(again.orders) == len(progress.outdated) == progress.ran == 17
    assert set(stored(tmp_path / "results").values()) == {OTHER.digest}
    assert drive(small, tmp_path / "results", again, registry, OTHER).ran == 0


def test_results_at_an_unused_rate_do_not_stop_the_run(
    small: Study, tmp_path: Path, registry: Registry
) -> None:
    """On other music another rate may be best; seeds at the first rate are then no longer needed."""

    class Slow(Other):
        def result(self, order: Mapping[str, Any]) -> dict[str, Any]:
            content = super().result(order)
            return content | {"validation": order["train"]["lr"]} if order["term"] == "core" else content

    drive(small, tmp_path / "results", Toy(), registry)
    assert drive(small, tmp_path / "results", Slow(), registry, OTHER, replace_outdated=True).failed == {}
    assert MUSIC.digest in stored(tmp_path / "results").values()
    assert drive(small, tmp_path / "results", Slow(), registry, OTHER).ran == 0


def test_failed_cell_does_not_stop_others_and_is_named_by_its_title(
    small: Study, tmp_path: Path, registry: Registry
) -> None:
    def fail(order: Mapping[str, Any]) -> CellFailed | None:
        bad = order["term"] == "core" and order["seed"] == 2 and "attention=last" in order["recipe"]
        return CellFailed(Problem("no music", f"file.mid in {order['name']}", "add some")) if bad else None

    toy = Toy(fail)
    progress = drive(small, tmp_path / "results", toy, registry)
    ((problem,),) = progress.failed.values()
    assert problem.where == "file.mid in core onset + last + independent on tunes, lr 0.01, seed 2"
    assert (problem.what, problem.hint) == ("no music", "add some")
    assert (progress.done, progress.needed, len(toy.orders)) == (16, 17, 17)


def test_path_that_contains_the_name_of_a_cell_is_unchanged(
    small: Study, tmp_path: Path, registry: Registry
) -> None:
    def fail(order: Mapping[str, Any]) -> CellFailed:
        name = order["name"]
        at = [f"runs/{name}/last.safetensors in {name}", f"runs/{name} in {name}", f"runs/{name}", name]
        return CellFailed(*(Problem("is damaged", where) for where in at))

    progress = drive(small, tmp_path / "results", Toy(fail), registry)
    name = next(name for name in progress.failed if name.startswith("floors"))
    assert [problem.where for problem in progress.failed[name]] == [
        f"runs/{name}/last.safetensors in floors of onset keys on tunes",
        f"runs/{name} in floors of onset keys on tunes",
        f"runs/{name}",
        "floors of onset keys on tunes",
    ]


def test_a_cell_that_is_killed_is_tried_again(small: Study, tmp_path: Path, registry: Registry) -> None:
    begun: dict[str, int] = {}

    def kill(order: Mapping[str, Any]) -> CellFailed | None:
        begun[order["name"]] = begun.get(order["name"], 0) + 1
        return CellFailed(Problem("was killed"), killed=True) if begun[order["name"]] == 1 else None

    progress = drive(small, tmp_path / "results", Toy(kill), registry)
    assert set(begun.values()) == {2}
    assert (progress.done, progress.failed) == (17, {})


def test_cell_that_keeps_being_killed_fails(small: Study, tmp_path: Path, registry: Registry) -> None:
    toy = Toy(lambda order: CellFailed(Problem("was killed"), killed=True))
    progress = drive(small, tmp_path / "results", toy, registry)
    assert len(progress.failed) == 5  # the floors and the first trial of each part
    assert len(toy.orders) == 5 * TRIES
    assert progress.done == 0


def test_a_damaged_result_is_named_with_its_hint(small: Study, tmp_path: Path, registry: Registry) -> None:
    drive(small, tmp_path / "results", Toy(), registry)
    path = next((tmp_path / "results" / "tunes").glob("core*"))
    path.write_text(path.read_text()[:50])
    with pytest.raises(ZooError, match="damaged") as caught:
        drive(small, tmp_path / "results", Toy(), registry)
    assert str(path) in str(caught.value)
    assert "remove the file" in str(caught.value)


@pytest.mark.parametrize("link", ["tunes", "tunes/core-s0.json", "tunes.jsonl"])
@pytest.mark.parametrize("target", ["thesis.tex", "nowhere", "tunes"])
def test_links_in_results_of_a_friend_write_no_files_elsewhere(
    link: str, target: str, tmp_path: Path
) -> None:
    """A link to ~/.bash_profile would become the user's shell script."""
    (tmp_path / "thesis.tex").write_text("precious")
    (tmp_path / "results" / "tunes").mkdir(parents=True)
    place = tmp_path / "results" / link
    if place.is_dir():
        place.rmdir()
    place.symlink_to(tmp_path / target)
    for write in (
        lambda: prepare(tmp_path / "results", "--results", ["tunes"]),
        lambda: Results(tmp_path / "results").pack("tunes"),
    ):
        with pytest.raises(UsageError, match=f"{link}: is a link"):
            write()
    assert (tmp_path / "thesis.tex").read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


def test_unwritable_results_stop_the_run(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("in the way")
    for folder in (tmp_path / "results", tmp_path / "results" / "below"):
        with pytest.raises(ZooError, match=r"cannot be written.*\n.*with --results"):
            prepare(folder, "--results")


def test_on_a_full_disk_the_runner_is_closed_and_the_results_before_stay(
    small: Study, tmp_path: Path, registry: Registry
) -> None:
    drive(small, tmp_path / "results", Toy(), registry)
    files_before = sorted((tmp_path / "results" / "tunes").iterdir())
    files_before[0].unlink()
    toy, limit = Toy(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limit[1]))
    try:
        with pytest.raises(ZooError, match="cannot be written"):
            drive(small, tmp_path / "results", toy, registry)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert toy.closed
    assert sorted((tmp_path / "results" / "tunes").iterdir()) == files_before[1:]


def test_process_without_a_result_reports_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(CellFailed, match="ended without a result: KeyError: 'place'") as caught:
        run_process({"name": "odd"}, tmp_path / "odd")
    assert not caught.value.killed


def test_cell_without_music_fails_with_a_hint(tmp_path: Path) -> None:
    order = {
        "name": "floors-x",
        "training": "floors-x",
        "term": "floors",
        "plane": "onset",
        "data": "x",
        "split": "test",
    }
    (tmp_path / "empty").mkdir()
    runner = LocalRunner(tmp_path / "runs", 1)
    future = runner.submit(order | {"place": str(tmp_path / "empty")})
    with pytest.raises(CellFailed) as caught:
        future.result(timeout=120)
    runner.close()
    (problem,) = caught.value.problems
    assert problem.where.endswith("in floors-x")
    assert problem.hint


def test_results_are_one_line_of_plain_json(small: Study, tmp_path: Path, registry: Registry) -> None:
    drive(small, tmp_path / "results", Toy(), registry)
    for path in (tmp_path / "results" / "tunes").iterdir():
        assert path.read_text().count("\n") == 1
        assert json.loads(path.read_text())["order"]["name"] == path.stem


@pytest.fixture
def core(study: Read, registry: Registry) -> Cell:
    """The result of a part that learns something."""
    return components(study('data = "tunes"', GRID, "steps = 2"), registry)[0].trials(study())[0]


def test_trainings_on_other_music_of_the_same_name_have_another_folder(
    small: Study, tmp_path: Path, registry: Registry
) -> None:
    """An interrupted training on the music before is hours of work, and may be wanted again."""
    first, second = Toy(), Toy()
    drive(small, tmp_path / "results", first, registry)
    drive(small, tmp_path / "others", second, registry, OTHER)
    folders = [{o["training"] for o in toy.orders if o["term"] != "floors"} for toy in (first, second)]
    assert folders[1]
    assert not folders[0] & folders[1]


def test_a_worker_with_other_music_trains_nothing(core: Cell, songs: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the worker's tunes is not the same music as here"):
        do(core.order(str(songs), "0" * 64), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_training_of_another_recipe_is_kept(core: Cell, songs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    do(core.order(str(songs)), folder)
    plan = json.loads((folder / "recipe.json").read_text())
    (folder / "recipe.json").write_text(json.dumps(plan | {"seed": 77}))
    before = (folder / "last.safetensors").read_bytes()
    with pytest.raises(UsageError) as caught:
        do(core.order(str(songs)), folder)
    assert "contains a run of another recipe" in caught.value.problems[0].what
    assert f"move or remove the folder {folder};" in caught.value.problems[0].hint
    assert (folder / "last.safetensors").read_bytes() == before


def test_a_training_that_was_extended_by_hand_is_not_the_result_of_a_cell(
    core: Cell, songs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    do(core.order(str(songs)), folder)
    plan = json.loads((folder / "recipe.json").read_text())
    extended = plan | {"train": plan["train"] | {"steps": 40}}
    (folder / "recipe.json").write_text(json.dumps(extended))
    before = (folder / "last.safetensors").read_bytes()
    with pytest.raises(BundleError, match="trained with another budget") as caught:
        do(core.order(str(songs)), folder)
    assert f"move or remove the folder {folder};" in caught.value.problems[0].hint
    assert json.loads((folder / "recipe.json").read_text()) == extended
    assert (folder / "last.safetensors").read_bytes() == before


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize(
    ("name", "harm"),
    [("last.safetensors", cut), ("recipe.json", cut), ("best.safetensors", Path.unlink)],
    ids=["checkpoint", "recipe", "no best weights"],
)
def test_damaged_training_gets_a_hint_to_remove_it(
    name: str, harm: Callable[[Path], None], core: Cell, songs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / core.name
    do(core.order(str(songs)), folder)
    harm(folder / name)
    with pytest.raises(BundleError) as caught:
        do(core.order(str(songs)), folder)
    (problem,) = caught.value.problems
    assert problem.where == str(folder / name)
    assert f"move or remove the folder {folder};" in problem.hint
    shutil.rmtree(folder)
    assert do(core.order(str(songs)), folder)["learns"]


def test_successful_exit_without_a_result_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part may call sys.exit(0)."""
    monkeypatch.setattr("sys.executable", shutil.which("true"))
    with pytest.raises(CellFailed, match="odd: ended without a result") as caught:
        run_process({"name": "odd"}, tmp_path / "odd")
    assert not caught.value.killed


def test_worker_does_not_import_from_the_current_folder(
    core: Cell, songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    for name in ("queue", "secrets", "filelock", "click"):
        Path(f"{name}.py").write_text("open('was-imported', 'w')\nraise SystemExit('imported')")
    assert run_process(core.order(str(songs)), tmp_path / core.name)["learns"]
    assert not Path("was-imported").exists()


@pytest.mark.parametrize("name", ["YARDSTICK", "TRAINING"])
def test_a_worker_of_another_version_computes_nothing(
    name: str, core: Cell, songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its result would be stored under the name of a result of this version."""
    order = core.order(str(songs))
    monkeypatch.setattr(f"zoo.bench.cell.{name}", 100)
    with pytest.raises(UsageError, match="the worker has another version of polyzoo or of a part"):
        do(order, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_worker_of_another_yardstick_scores_no_floors(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = FloorsCell("onset", "tunes", "test").order(str(songs))
    assert do(order, tmp_path)["floors"]
    monkeypatch.setattr("zoo.bench.cell.YARDSTICK", 100)
    with pytest.raises(UsageError, match="the worker has another version"):
        do(order, tmp_path)
