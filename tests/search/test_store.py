"""Stored trials: they survive a kill, and values do not depend on interruptions."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.errors import BundleError, ZooError
from zoo.registry import Registry
from zoo.search.space import Space, parse_space
from zoo.search.store import JOURNAL, TrialResult, TrialStore, import_optuna


@pytest.fixture
def space(registry: Registry) -> Space:
    return parse_space(
        "decoder=lstm,rbm decoder.hidden=4..64 train.lr=1e-4..1e-1:log train.ema=0..0.9", registry
    )


def score(chosen: dict[str, str]) -> float:
    """A made-up score that depends on the values alone."""
    return float(chosen["train.lr"]) + int(chosen["decoder.hidden"]) / 100 + (chosen["decoder"] == "lstm")


def search(folder: Path, space: Space, trials: int, reopen: bool) -> list[TrialResult]:
    store = TrialStore(folder, seed=5)
    for _ in range(trials):
        if reopen:
            store = TrialStore(folder, seed=5)
        trial = store.next()
        chosen = store.choose(trial, space)
        store.finish(trial, "complete", score(chosen), kind="exact")
    return store.trials()


def test_values_do_not_depend_on_how_often_a_search_was_continued(space: Space, tmp_path: Path) -> None:
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    # More trials than the sampler draws at random, so that it learns from those before.
    whole = search(tmp_path / "whole", space, 14, reopen=False)
    assert search(tmp_path / "parts", space, 14, reopen=True) == whole
    assert len({str(trial.chosen) for trial in whole}) == 14
    assert [trial.number for trial in whole] == list(range(1, 15))


@pytest.mark.parametrize("trials", [0, 12])
@pytest.mark.parametrize("lines", range(1, 5))
def test_a_kill_while_values_are_drawn_changes_none_of_them(
    space: Space, tmp_path: Path, trials: int, lines: int
) -> None:
    search(tmp_path, space, trials, reopen=False)
    before = (tmp_path / JOURNAL).read_bytes()
    store = TrialStore(tmp_path, seed=5)
    chosen = store.choose(store.next(), space)
    written = (tmp_path / JOURNAL).read_bytes()[len(before) :].splitlines(keepends=True)
    assert len(written) > lines
    (tmp_path / JOURNAL).write_bytes(before + b"".join(written[:lines]) + written[lines][:20])
    again = TrialStore(tmp_path, seed=5)
    trial = again.next()
    assert trial.number == trials
    assert again.choose(trial, space) == chosen
    assert again.trials()[-1] == TrialResult(trials + 1, "running", chosen)


def test_another_seed_draws_other_values(space: Space, tmp_path: Path) -> None:
    chosen = []
    for seed in (1, 2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        store = TrialStore(folder, seed)
        chosen.append(store.choose(store.next(), space))
    assert chosen[0] != chosen[1]


def test_reports_decide_about_pruning_once(space: Space, tmp_path: Path) -> None:
    store = TrialStore(tmp_path, seed=0)
    for nats in (3.0, 3.1, 3.2, 3.3, 3.4):
        trial = store.next()
        store.choose(trial, space)
        assert not store.report(trial, 5, nats)
        store.finish(trial, "complete", nats, kind="exact")
    bad = store.next()
    store.choose(bad, space)
    assert not store.report(bad, 2, 9.0)  # too early
    assert store.report(bad, 5, 9.0)
    again = TrialStore(tmp_path, seed=0)
    assert again.report(again.next(), 5, 1.0)  # the value of the first report counts
    result = again.finish(again.next(), "pruned", steps=7)
    assert (result.state, result.nats, result.steps) == ("pruned", 9.0, 7)


def test_a_failed_trial_keeps_its_problem(space: Space, tmp_path: Path) -> None:
    store = TrialStore(tmp_path, seed=0)
    trial = store.next()
    store.choose(trial, space)
    assert store.finish(trial, "failed", problem="the loss is nan").problem == "the loss is nan"
    assert TrialStore(tmp_path, seed=0).trials()[0].state == "failed"


def test_a_damaged_journal_is_refused(space: Space, tmp_path: Path) -> None:
    search(tmp_path, space, 2, reopen=False)
    journal = tmp_path / JOURNAL
    journal.write_bytes(journal.read_bytes().replace(b'"op_code"', b'"op"', 1))
    with pytest.raises(BundleError, match="is not an Optuna journal"):
        TrialStore(tmp_path, seed=5)
    journal.write_bytes(b"no journal\n\n")
    with pytest.raises(BundleError, match="is not an Optuna journal"):
        TrialStore(tmp_path, seed=5)


@pytest.mark.parametrize("directions", [b"[2]", b"[1,1]", b"[]"])
def test_a_journal_that_does_not_minimize_nats_is_refused(
    directions: bytes, space: Space, tmp_path: Path
) -> None:
    search(tmp_path, space, 1, reopen=False)
    journal = tmp_path / JOURNAL
    edited = journal.read_bytes().replace(b'"directions":[1]', b'"directions":' + directions)
    assert edited != journal.read_bytes()
    journal.write_bytes(edited)
    with pytest.raises(BundleError, match="another kind of search"):
        TrialStore(tmp_path, seed=5)


def test_a_deeply_nested_line_of_a_journal_is_refused(space: Space, tmp_path: Path) -> None:
    search(tmp_path, space, 1, reopen=False)
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"op_code":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n")
    with pytest.raises(BundleError, match="is not an Optuna journal"):
        TrialStore(tmp_path, seed=5)


def test_reports_of_wrong_types_are_damage(space: Space, tmp_path: Path) -> None:
    store = TrialStore(tmp_path, seed=5)
    trial = store.next()
    store.choose(trial, space)
    store.report(trial, 5, 1.25)
    journal = tmp_path / JOURNAL
    journal.write_bytes(
        journal.read_bytes().replace(b'"intermediate_value":1.25', b'"intermediate_value":"1"')
    )
    with pytest.raises(BundleError, match="trial 1 is damaged"):
        TrialStore(tmp_path, seed=5)


@pytest.mark.parametrize(
    ("drawn", "stored"),
    [
        (b'"decoder.hidden","param_value_internal":25.0', b'"decoder.hidden","param_value_internal":9e9'),
        (rb"[\"lstm\", \"rbm\"]", rb"[\"rbm\", \"lstm\"]"),
    ],
)
def test_a_stopped_trial_has_values_of_the_search(
    drawn: bytes, stored: bytes, space: Space, tmp_path: Path
) -> None:
    store = TrialStore(tmp_path, seed=5)
    store.choose(store.next(), space)
    journal = tmp_path / JOURNAL
    edited = journal.read_bytes().replace(drawn, stored)
    assert edited != journal.read_bytes()
    journal.write_bytes(edited)
    again = TrialStore(tmp_path, seed=5)
    with pytest.raises(BundleError, match="trial 1 has other values"):
        again.choose(again.next(), space)


def test_importances_need_enough_trials(space: Space, tmp_path: Path) -> None:
    search(tmp_path, space, 3, reopen=False)
    assert TrialStore(tmp_path, seed=5).importances() == {}
    search(tmp_path, space, 22, reopen=False)
    shares = TrialStore(tmp_path, seed=5).importances()
    assert set(shares) == set(space.searched)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["train.ema"] < shares["decoder.hidden"]  # the score does not depend on it


def test_importances_need_a_difference(space: Space, tmp_path: Path) -> None:
    store = TrialStore(tmp_path, seed=5)
    for _ in range(22):
        trial = store.next()
        store.choose(trial, space)
        store.finish(trial, "complete", 4.0, kind="exact")
    assert store.importances() == {}


def test_without_optuna_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(ZooError, match=r"pip install 'polyzoo\[tune\]'"):
        import_optuna()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kind", "certain"),
        ("kind", 5),
        ("kind", ["exact"]),
        ("chosen", ["lstm"]),
        ("steps", "many"),
        ("problem", 1),
        ("steps", -1),
        ("seconds", -0.5),
        ("repeats", -3),
        ("repeats", 1),
        ("repeats", 0.5),
        ("repeats", True),
    ],
)
def test_a_trial_of_wrong_types_is_damaged(space: Space, tmp_path: Path, key: str, value: object) -> None:
    store = TrialStore(tmp_path, seed=5)
    trial = store.next()
    store.choose(trial, space)
    store.finish(trial, "complete", 1.0, **{"kind": "exact", key: value})
    with pytest.raises(BundleError, match="trial 1 is damaged"):
        TrialStore(tmp_path, seed=5)
