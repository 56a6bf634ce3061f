"""`zoo bench submit`: score a bundle, and write it with this score as a submission to the leaderboard."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from zoo.cli.words import is_key_value
from zoo.counts import count
from zoo.errors import Problem, UsageError
from zoo.parts import Settings, setting


class SubmitKeys(Settings):
    """The keys of `zoo bench submit`."""

    data: str = setting("bach", "bach or another name of `zoo data list`, a folder of MIDI files, or a file")
    seed: int = setting(0, "seed of bounds and estimates", ge=0)


@click.command("submit")
@click.argument("words", nargs=-1, required=True, metavar="BUNDLE [data=NAME|PATH] [seed=N]")
@click.option(
    "-o", "output", type=click.Path(path_type=Path), required=True, help="Folder of the new submission."
)
@click.option("--json", "as_json", is_flag=True, help="Print the claim as JSON.")
def submit(words: tuple[str, ...], output: Path, as_json: bool) -> None:
    """Write a submission to the leaderboard: a bundle with its score on test pieces.

    The folder contains the bundle, claim.json with its score, and the code of parts that are files. A pull
    request adds it to benchmarks/submissions, and `zoo bench verify` scores it again there.
    """
    from zoo.bench.claim import Claim
    from zoo.bench.submission import refuse_existing, score_held_out, third_party, write_submission
    from zoo.cli.console import print_json, stderr, stdout, visible
    from zoo.cli.music import open_music
    from zoo.cli.opened import open_named
    from zoo.cli.progress import waiting
    from zoo.cli.submissions import check_plugins
    from zoo.data.opening import is_named, shared_name
    from zoo.registry import open_registry, parse_recipe
    from zoo.train.keys import MusicKeys
    from zoo.train.record import reading_notes

    path, keys = _bundle(words), [word for word in words if is_key_value(word)]
    chosen: SubmitKeys = parse_recipe(keys, open_registry(), keys=SubmitKeys).keys
    refuse_existing(output)
    bundle = open_named(path)
    check_plugins(bundle)
    corpus = open_music(MusicKeys(data=chosen.data), bundle.model.grid)
    for note in reading_notes(path, bundle, corpus):
        stderr.print_line(f"note: {note}")
    with waiting(path) as progress:
        evaluation = score_held_out(bundle, corpus, chosen.seed, path, progress)
    claim = Claim.of(evaluation, corpus, shared_name(chosen.data), chosen.seed)
    write_submission(path, bundle, claim, output)
    if as_json:
        print_json(claim.to_json())
        return
    figure = evaluation.score()
    stdout.print(
        visible(f"{output}: {figure} nats/frame ({figure.kind}) on {count(figure.pieces, 'test piece')}")
    )
    verify = ["zoo", "bench", "verify", str(output)]
    if not is_named(claim.data):
        verify += ["--data", f"{claim.data}={chosen.data}"]
    if third_party(bundle):
        verify.append("--local")
    stderr.print(visible(f"Next:  {shlex.join(verify)}"), soft_wrap=True)


def _bundle(words: tuple[str, ...]) -> str:
    """The only word that is not a key.

    Raises:
        UsageError: there is none, or there are several.
    """
    bundles = [word for word in words if not is_key_value(word)]
    if len(bundles) != 1:
        raise UsageError(Problem("a submission contains one bundle", " ".join(bundles), "name one bundle"))
    return bundles[0]
