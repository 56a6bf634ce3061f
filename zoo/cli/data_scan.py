"""`zoo data scan`: statistics of a corpus, what reading it lost, and better settings for reading it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.corpora import (
    as_json_option,
    counted,
    families,
    families_row,
    header,
    key_range,
    not_held_out,
    opened,
    signatures_row,
    table,
)
from zoo.cli.scan_legend import COLUMNS, LEAKS, PLANES, READING, explained, frame
from zoo.cli.tracks import Tracks, tracks_in_words, tracks_of, tracks_of_all
from zoo.counts import count, percent
from zoo.errors import DataError, Problem

if TYPE_CHECKING:
    from zoo.data import Corpus
    from zoo.data.summary import Summary

MOST_LEAKS = 10
"""Number of pairs of related pieces in different splits that the table shows."""


@click.command("scan")
@click.argument("words", nargs=-1, required=True, metavar="NAME|PATH [KEY=VALUE]...")
@click.option("--strict", is_flag=True, help="Fail if any file had to be skipped.")
@as_json_option
def scan_command(words: tuple[str, ...], strict: bool, as_json: bool) -> None:
    """Show statistics of a corpus, how well it fits its grid, and which files were skipped and why.

    NAME is one of `zoo data list` (bach, pop909, maestro, jsb; all but bach are downloaded at first use),
    PATH a folder of MIDI files, one MIDI file, or a .mat, .pickle or .json file of frames.
    FOLDER:PIANO reads only the tracks titled PIANO, FOLDER:MELODY,PIANO those with either title.
    KEY=VALUE sets how files are read: grid=12, pedal=hold, family=RULE.
    """
    from zoo.cli.console import print_json
    from zoo.data.split import SPLITS
    from zoo.data.summary import summarise

    music = opened(words, "zoo data scan", scans=True)[0]
    summaries = {name: summarise(music.split(name)) for name in SPLITS} | {"all": summarise(music)}
    if as_json:
        print_json(_to_json(music, summaries))
    else:
        _print(music, summaries, words)
    if strict and music.skipped:
        raise DataError(*(Problem(piece.reason, where=piece.title) for piece in music.skipped))


def _to_json(corpus: Corpus, summaries: dict[str, Summary]) -> dict[str, Any]:
    """All results of a scan, ready for JSON."""
    from zoo.data.piece import copies

    return {
        **header(corpus),
        "summary": {name: asdict(summary) for name, summary in summaries.items()},
        "copies": copies(corpus.pieces),
        "families": families(corpus),
        "leaks": _leaks_to_json(corpus),
        "tracks": list(_tracks(corpus)),
        "skipped": [asdict(piece) for piece in corpus.skipped],
        "passed_over": dict(corpus.ignored),
    }


def _print(corpus: Corpus, summaries: dict[str, Summary], words: Sequence[str]) -> None:
    """Print all results of a scan, as tables and lines of advice."""
    from zoo.cli.console import stdout, visible

    planes = f"planes {', '.join(sorted(corpus.planes))}; {count(corpus.grid, 'frame')} per quarter note"
    stdout.print(visible(f"{corpus.name}: {planes}; digest {corpus.digest[:12]}"))
    headings = ("split", "pieces", "frames", "notes", "polyphony", "most", "silence", "keys", "loudness")
    stdout.print(table(headings, [(name, *_cells(summary)) for name, summary in summaries.items()]))
    _print_legend([frame(corpus.grid), *explained(PLANES, corpus.planes), *explained(COLUMNS, headings)])
    rows = _reading_rows(summaries["all"], corpus)
    stdout.print(table(("reading", ""), rows))
    origins = (*summaries["all"].alignments, *summaries["all"].meters_from)
    _print_legend(explained(READING, {name for name, _ in rows}.union(origins)))
    if leaks := _leak_rows(corpus):
        stdout.print(table(("shares music", "with", "share", "of the"), leaks[:MOST_LEAKS]))
        if len(leaks) > MOST_LEAKS:
            stdout.print(f"and {count(len(leaks) - MOST_LEAKS, 'more pair')}; --json lists all")
        _print_legend(explained(LEAKS, LEAKS))
    if corpus.skipped:
        stdout.print(table(("skipped", "why"), [(piece.title, piece.reason) for piece in corpus.skipped]))
    for line in (*not_held_out(corpus), *_advice(corpus, words)):
        stdout.print()
        stdout.print_line(line)


def _print_legend(lines: Iterable[str]) -> None:
    """Print explanations below a table."""
    from zoo.cli.console import stdout

    for line in lines:
        stdout.print_line(line, style="dim")


def _leaks_to_json(corpus: Corpus) -> list[dict[str, Any]]:
    """Pairs of pieces in different splits that share music, one entry per view in which they do."""
    return [
        {
            "pieces": [first.title, second.title],
            "splits": [first.split, second.split],
            "view": relation.view,
            "share": round(relation.share, 4),
        }
        for first, second, relation in corpus.leaks()
    ]


def _leak_rows(corpus: Corpus) -> list[tuple[str, ...]]:
    """The same for the table: each pair of pieces once, with the largest share."""
    rows: dict[tuple[str, ...], tuple[str, ...]] = {}
    for *pair, relation in corpus.leaks():
        titles = tuple(f"{piece.title} ({piece.split})" for piece in pair)
        rows.setdefault(titles, (*titles, f"{relation.share:.0%}", relation.view))
    return list(rows.values())


def _advice(corpus: Corpus, words: Sequence[str]) -> Iterator[str]:
    """Recommend a grid and a rule for families that fit the files better."""
    from zoo.data.family_rule import proposed_rule
    from zoo.data.folder import files_and_tracks
    from zoo.data.grids import grid_costs, recommended

    files, tracks = files_and_tracks(corpus.name)
    costs = {cost.grid: cost for cost in grid_costs(files, tracks, corpus.grid)} if files else {}
    better = recommended(costs, corpus.grid)
    if better is not None:
        here = costs[corpus.grid]
        yield (
            f"grid={better.grid} fits these files better: it merges {better.merged:,} and moves "
            f"{better.moved:,} of {count(better.notes, 'note')}, grid={here.grid} {here.merged:,} and "
            f"{here.moved:,}. A note counts as moved if it moves by more than a quarter of a frame, so a "
            "finer grid also counts smaller distances"
        )
    has_rule = any(word.startswith("family=") for word in words)
    proposed = None if has_rule else proposed_rule([piece.title for piece in corpus.pieces])
    if proposed is not None:
        rule, what = proposed
        yield f"if pieces belong together by {what}, keep them in one split with family={shlex.quote(rule)}"


def _reading_rows(summary: Summary, corpus: Corpus) -> list[tuple[str, str]]:
    """The fit of the music to its grid, the losses of reading, and what was not read."""
    from zoo.data.piece import copies

    rows = [("grid", counted(summary.alignments)), ("meter", counted(summary.meters))]
    rows.append(signatures_row(summary.meters_from))
    if summary.notes:
        far = f"by more than a quarter of a frame of grid={corpus.grid}"
        rows.append(("off the grid", f"{percent(summary.off_grid)} of the notes, {far}"))
    if summary.written:
        for what, number in summary.losses.items():
            rows.append((what, f"{number:,}, {number / summary.written:.2%} of the notes in the files"))
    if summary.spread is not None:
        inside = f"{summary.spread_inside:.3f} inside pieces"
        rows.append(
            ("position in the bar", f"{summary.spread:.3f} nats of entropy over all pieces, {inside}")
        )
    rows.append(families_row(corpus))
    if named := tracks_in_words(_tracks(corpus)):
        rows.append(("tracks", named))
    groups = copies(corpus.pieces)
    if groups:
        pieces = f"{sum(map(len, groups)):,} pieces are identical to another"
        rows.append(("copies", f"{pieces}, such as {' and '.join(groups[0][:2])}"))
    if corpus.ignored:
        rows.append(("ignored", counted(corpus.ignored)))
    return rows


def _tracks(corpus: Corpus) -> Tracks:
    """The tracks of the MIDI files that were read, whether or not they were chosen; none of other corpora."""
    from zoo.data.folder import files_and_tracks

    files, _ = files_and_tracks(corpus.name)
    return tracks_of_all(files) if len(files) > 1 else [track for file in files for track in tracks_of(file)]


def _cells(summary: Summary) -> tuple[str, ...]:
    return (
        f"{summary.pieces:,}",
        f"{summary.frames:,}",
        "-" if summary.notes is None else f"{summary.notes:,}",
        f"{summary.polyphony:.2f}",
        str(summary.most),
        f"{summary.silence:.1%}",
        key_range(summary.lowest, summary.highest),
        "-" if summary.loudness is None else f"{summary.loudness:.0f}",
    )
