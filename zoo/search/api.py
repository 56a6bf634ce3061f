"""Start or continue a search: shared by `zoo tune` and `zoo.tune`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo.data import Corpus
from zoo.errors import BundleError, Problem, UsageError
from zoo.model.bundle import check_place
from zoo.model.config import read_config
from zoo.model.pretrained import BUNDLE, SEARCH
from zoo.model.random import checked_seed
from zoo.model.sealed import damaged
from zoo.progress import STDERR
from zoo.registry import Registry, open_registry
from zoo.registry.words import split
from zoo.search.plan import Plan, check_same, located_text, read_plan
from zoo.search.space import Chosen, Space, parse_space
from zoo.search.store import JOURNAL, TrialStore
from zoo.search.tune import SearchResult, Tuner, Watcher, read_result
from zoo.search.watch import SearchWatch
from zoo.train.keys import TrainKeys
from zoo.train.lock import lock_folder

TRIALS = 20
"""Default number of trials."""


def tune(
    words: str | Sequence[str] = "",
    *,
    output: str | Path,
    trials: int | None = None,
    seed: int | None = None,
    resume: bool = False,
    progress: bool | None = None,
    local: bool = False,
    **slots: str | int | float,
) -> SearchResult:
    """Search over parts and settings; the model of the best trial is saved as a bundle.

    ::

        result = zoo.tune("decoder=lstm,rbm", data="bach", output="my_search", trials=20)
        model = zoo.load(result.bundle)

    Args:
        words: the recipe with ranges and lists, as for `zoo tune`: `train.lr=1e-4..1e-2:log train.minutes=2`.
        output: the folder of the search.
        trials: number of trials; by default 20, or as many as the search was started with.
        seed: seed of the choice of values; by default 0, or that of the search.
        resume: whether to continue the search in the folder, if there is one; the words may then be omitted.
        progress: whether to show progress on standard error; by default only on a terminal.
        local: whether code in files that a `registry.toml` or a stored search names may be run.
        slots: words as keyword arguments, such as `data="bach"`.

    Raises:
        UsageError: the recipe is invalid; holds all problems. Or the folder contains another search, or this
            one and `resume` is false.
        DataError: the music cannot be read, or has no validation pieces.
        ZooError: Optuna is not installed, or no trial completed.
    """
    from rich.console import Console

    named = [f"{key}={text}" for key, text in slots.items()]
    chosen = None if seed is None else checked_seed(seed)
    registry = open_registry(local=local)
    search = open_search([*split(words), *named], Path(output), trials, chosen, resume, registry)
    console = Console(file=STDERR, markup=False, highlight=False)
    console.quiet = not (console.is_terminal if progress is None else progress)
    with SearchWatch(console, search.plan.trials) as watcher:
        return search.run(_open, watcher)


def _open(keys: Any) -> Corpus:
    from zoo.data import open_corpus

    return open_corpus(keys.data, grid=keys.grid, pedal=keys.pedal, family=keys.family)


class Search:
    """A search that is ready to run.

    Attributes:
        plan: its plan.
        space: the search space.
        folder: its folder.
        registry: where to look up parts.
    """

    def __init__(self, plan: Plan, space: Space, folder: Path, registry: Registry) -> None:
        self.plan, self.space, self.folder = plan, space, folder
        self.registry = registry

    def run(self, open_music: Callable[[TrainKeys], Corpus], watcher: Watcher) -> SearchResult:
        """Run the missing trials; a search that has all its trials is only read.

        Args:
            open_music: opens the music that the recipe names.
            watcher: observes the search.

        Raises:
            UsageError: the search was started with other music, or something else is where its bundle goes.
            BundleError: the bundle is damaged, or is not the model of the best trial.
            DataError, ZooError, KeyboardInterrupt: as `Tuner.run`.
        """
        with lock_folder(self.folder, "is searching here", plan=SEARCH, what="search"):
            stored = read_plan(self.folder)
            store = None if stored is None else self._open_store(stored.seed)
            if store is not None:
                result = read_result(self.folder, store)
                self._check_bundle(result, store, watcher)
                if len(result.trials) >= self.plan.trials and result.best:
                    return result
            check_place(self.folder / BUNDLE, f"move it to another place; {self.again} writes the bundle")
            corpus = open_music(self._keys())
            plan = replace(self.plan, music=corpus.digest)
            if stored is not None:
                check_same(stored, plan, self.folder)
            plan.write(self.folder)
            store = store or self._open_store(plan.seed)
            tuner = Tuner(self.space, corpus, self.folder, store, self.registry, watcher, self.again)
            return tuner.run(plan.trials)

    def _check_bundle(self, result: SearchResult, store: TrialStore, watcher: Watcher) -> None:
        """Check that the bundle is the model of the best trial, or was moved away.

        If a trial was running when the search was killed, the bundle may be that of this trial.

        Raises:
            BundleError: it is not, or is damaged.
        """
        if result.best is None:
            return
        if not os.path.lexists(result.bundle):
            what = f"{result.bundle}, the model of trial {result.best.number}, is missing"
            again = f"{self.command(result.best.chosen)} -o best"
            watcher.note(f"{what}; it is only written again for a better trial; to train it again: {again}")
            return
        score = (read_config(result.bundle).get("scores") or {}).get("validation_score") or {}
        is_running = len(store.trials()) > len(result.trials)
        if score.get("nats") != result.best.nats and not is_running:
            hint = f"train it again: {self.command(result.best.chosen)} -o best"
            what = f"is not the model of trial {result.best.number}, which has the best score"
            raise BundleError(Problem(what, str(result.bundle), hint))

    def _open_store(self, seed: int) -> TrialStore:
        """The stored trials, whose values must be values of this search.

        Raises:
            BundleError: they are not, or the journal is damaged.
        """
        store = TrialStore(self.folder, seed)
        if other := [trial.number for trial in store.trials() if not self.space.contains(trial.chosen)]:
            what = f"the values of trial {other[0]} are not values of this search"
            raise BundleError(damaged(what, str(self.folder / JOURNAL)))
        return store

    @property
    def again(self) -> str:
        """The command that continues the search."""
        local = ["--local"] if self.plan.code or self.registry.local else []
        return shlex.join(["zoo", "tune", "-o", str(self.folder), "--resume", *local])

    def command(self, chosen: Chosen) -> str:
        """The command that trains the recipe with the chosen values again, without its folder.

        It has the words of named recipes and files, which may change, and paths as they lead from the current
        folder.
        """
        words = self.space.recipe_words(chosen)
        texts = [word if isinstance(word, str) else f"{word.key}={located_text(word)}" for word in words]
        local = ["--local"] if self.registry.local else []
        return shlex.join(["zoo", "train", *texts, *local])

    def _keys(self) -> Any:
        return self.space.parse(next(self.space.examples), self.registry).recipe.keys


def open_search(
    words: Sequence[str],
    folder: Path,
    trials: int | None,
    seed: int | None,
    resume: bool,
    registry: Registry,
) -> Search:
    """Read the words of a search, or of the search to continue, and validate all values.

    Raises:
        UsageError: words are invalid; or the folder contains another search, or this one and `resume` is
            false; or there is nothing to continue; or code or trained parts have changed.
        BundleError: the stored plan is damaged.
    """
    stored = read_plan(folder)
    if stored is None and resume and not words:
        hint = "give the folder of a search, or start one: zoo tune train.lr=1e-4..1e-2:log -o SEARCH"
        raise UsageError(Problem("there is no search here to continue", str(folder), hint))
    if stored is not None and not resume:
        hint = "use --resume to continue it, or choose a new folder"
        raise UsageError(Problem("already contains a search", str(folder), hint))
    if stored is not None:
        stored.check_downloads(words)
        stored.check_files(folder)
    recipe_words = stored.stored_words(folder) if stored is not None and not words else words
    space = parse_space(recipe_words, registry)
    if stored is None:
        return Search(
            Plan.of(words, space, TRIALS if trials is None else trials, seed or 0), space, folder, registry
        )
    given = replace(
        Plan.of(words or stored.typed, space, stored.trials if trials is None else trials, stored.seed),
        seed=stored.seed if seed is None else seed,
        folder=stored.folder,
        music=stored.music,
    )
    check_same(stored, given, folder)
    return Search(given, space, folder, registry)
