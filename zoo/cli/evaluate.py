"""`zoo evaluate`: nats per frame of trained models and of the floors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from zoo.cli.scoring import EvaluateKeys, ensemble_row, evaluate_keys, music_of, print_notes, scored
from zoo.cli.tables import TableFormat, print_tables, table_format, table_options
from zoo.cli.words import is_key_value
from zoo.counts import count
from zoo.errors import Problem, UsageError
from zoo.parts import SLOTS

if TYPE_CHECKING:
    from zoo.data import Corpus
    from zoo.measure.row import Row
    from zoo.model.bundle import Bundle
    from zoo.model.model import Model


@click.command("evaluate")
@click.argument("words", nargs=-1, metavar="[BUNDLE]... [data=NAME|PATH] [KEY=VALUE]...")
@click.option("--sweep", metavar="KEY=A,B,C", help="A row for each value of a live setting.")
@click.option(
    "--ensemble", is_flag=True, help="Also score the mean prediction of all bundles, frame by frame."
)
@click.option(
    "--device", default="cpu", show_default=True, metavar="NAME", help="cpu, cuda, cuda:1, mps or auto."
)
@table_options
def command(
    words: tuple[str, ...],
    sweep: str | None,
    ensemble: bool,
    device: str,
    as_md: bool,
    as_latex: bool,
    as_json: bool,
) -> None:
    """Score trained models on held-out pieces, next to the floors.

    The score is in nats per frame, lower is better, and comparable between all combinations of parts. Without
    a BUNDLE only the floors are scored. Further tables compare generated passages with the scored pieces:
    polyphony, scale, rhythm, repetition, and what is copied from training pieces. samples=100 generates more
    passages, samples=0 none, temperature=0.85 more predictable ones. KEY=VALUE is split=valid, seed=1, or a
    setting that can be changed on a trained model, such as sampler.paths=100. --sweep
    sampler.paths=1,5,20,100 shows how a bound depends on its paths.
    """
    form = table_format(as_md, as_latex, as_json)
    bundles = [word for word in words if not is_key_value(word)]
    live = [word for word in words if _names_part(word)]
    keys = evaluate_keys([word for word in words if is_key_value(word) and not _names_part(word)])
    steps = _steps(sweep) if sweep else []
    if not bundles and (live or steps):
        raise UsageError(Problem("the floors have no settings", [*live, *steps][0], "name a bundle"))
    if not bundles and keys.split == "all":
        what = "floors are trained on training pieces, and split=all leaves none"
        raise UsageError(Problem(what, "split=all", "name a bundle, or omit split=all"))
    variants = [[*live, step] for step in steps] if steps else [live]
    loaded = _load(bundles, variants, device)
    models = {name: bundle.model for name, bundle in loaded.items()}
    if ensemble:
        _check_ensemble(models, sweep)
    corpus = music_of(keys, models)
    print_notes(loaded, corpus, keys)
    rows, floors = scored(loaded, variants, corpus, keys)
    if ensemble:
        rows.append(ensemble_row(loaded, corpus, keys))
    _print(rows, floors, corpus, keys, form)


def _names_part(word: str) -> bool:
    return is_key_value(word) and word.partition("=")[0].partition(".")[0] in SLOTS


def _steps(sweep: str) -> list[str]:
    key, sign, values = sweep.partition("=")
    if not sign or not values:
        raise UsageError(
            Problem("a sweep needs a setting and its values", sweep, "such as sampler.paths=1,5,20,100")
        )
    return [f"{key}={value}" for value in values.split(",")]


def _check_ensemble(models: Mapping[str, Model], sweep: str | None) -> None:
    from zoo.measure.ensemble import check_ensemble

    if sweep:
        raise UsageError(Problem("--sweep and --ensemble are mutually exclusive; use only one of them"))
    check_ensemble(models)


def _load(
    bundles: Sequence[str], variants: Sequence[Sequence[str]], device: str = "cpu"
) -> dict[str, Bundle]:
    """Load all bundles, and try out all changes of live settings before any work."""
    if not bundles:
        return {}
    from zoo.cli.opened import open_named
    from zoo.model.device import device_of
    from zoo.model.live import set_live

    computing = device_of(device, "--device")
    loaded = {name: open_named(name) for name in dict.fromkeys(bundles)}
    for bundle in loaded.values():
        for words in variants:
            set_live(bundle.model, words)
        bundle.model.to(computing)
    return loaded


def _print(
    rows: Sequence[Row], floors: Sequence[Row], corpus: Corpus, keys: EvaluateKeys, form: TableFormat
) -> None:
    if form == "json":
        from zoo.cli.console import print_json
        from zoo.measure.to_json import evaluations_to_json

        print_json(evaluations_to_json(rows, corpus, keys.split, keys.seed, floors))
        return
    from zoo.measure.table import resemblances, tables

    pieces = corpus.split(keys.split)
    split = "" if keys.split == "all" else f"{keys.split} "
    size = f"{count(len(pieces.pieces), f'{split}piece')} of {corpus.name}, {count(pieces.frames, 'frame')}"
    printed = [*tables(rows, floors, f"{size}; music {corpus.digest[:12]}")]
    printed += resemblances((row.name, row.resemblance) for row in rows)
    print_tables(printed, form)
