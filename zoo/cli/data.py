"""`zoo data`: what music there is, and what is in it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.errors import DataError, Problem, UsageError
from zoo.music.meter import Meter

if TYPE_CHECKING:
    from rich.table import Table

    from zoo.data import Corpus
    from zoo.data.family import Relation
    from zoo.data.known import Cached, Known
    from zoo.data.summary import Summary

NUMBERS = {
    *("number", "pieces", "frames", "notes", "polyphony", "most", "silence", "loudness"),
    "MiB in the cache",
}
"""Columns that stand to the right."""

SHOWN = 6
"""Time signatures, and other kinds, of which a table shows the count."""

MOST_LEAKS = 10
"""Related pieces of different splits that a table shows."""

corpus_words = click.argument("words", nargs=-1, required=True, metavar="NAME|PATH [PIECE] [KEY=VALUE]...")
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


@click.group("data")
def command() -> None:
    """Corpora of music: which there are, what is in them, and what could not be read."""


@command.command("list")
@as_json_option
def list_corpora(as_json: bool) -> None:
    """What can be opened, and what was read before."""
    from zoo.cli.console import print_json, show
    from zoo.data.known import cached, known

    read, corpora = cached(), known()
    if as_json:
        print_json(
            {"known": [_plain(corpus) for corpus in corpora], "cached": [_plain(corpus) for corpus in read]}
        )
        return
    table = _table(("data=", "pieces", "here", "what it is"), map(_known_cells, corpora), lines=True)
    table.show_lines = True
    table.columns[0].max_width = 18
    show.print(table)
    if read:
        found = [
            (corpus.name, f"{corpus.pieces:,}", f"{corpus.frames:,}", f"{corpus.bytes / 2**20:.1f}")
            for corpus in read
        ]
        show.print(_table(("read before", "pieces", "frames", "MiB in the cache"), found))


@command.command("scan")
@corpus_words
@click.option("--strict", is_flag=True, help="Fail if any file had to be skipped.")
@as_json_option
def scan(words: tuple[str, ...], strict: bool, as_json: bool) -> None:
    """What is in a corpus, how well it lies on its grid, and what was skipped and why.

    NAME is a corpus with a name (bach, pop909, maestro, jsb; all but bach are downloaded the first time),
    PATH a folder of MIDI files, one MIDI file, or a .mat, .pickle or .json file of frames.
    FOLDER:PIANO is only the tracks called PIANO, FOLDER:MELODY,PIANO those of both titles.
    KEY=VALUE is how files are read: grid=12, pedal=hold, family=RULE.
    """
    from zoo.cli.console import print_json, show, visible
    from zoo.data.piece import copies
    from zoo.data.split import SPLITS
    from zoo.data.summary import summarise

    music = _opened(words)[0]
    summaries = {name: summarise(music.split(name)) for name in SPLITS} | {"all": summarise(music)}
    if as_json:
        print_json(
            {
                **_header(music),
                "summary": {name: asdict(summary) for name, summary in summaries.items()},
                "copies": copies(music.pieces),
                "leaks": _leak_facts(music),
                "skipped": [asdict(piece) for piece in music.skipped],
                "passed_over": dict(music.passed_over),
            }
        )
    else:
        known = f"knows {', '.join(sorted(music.planes))}; {music.grid} frames to a quarter note"
        show.print(visible(f"{music.name}: {known}; digest {music.digest[:12]}"))
        show.print(_summary_table(summaries))
        show.print(_table(("of the reading", ""), _reading_rows(summaries["all"], music)))
        if leaks := _leak_rows(music):
            show.print(_table(("shares music", "with", "share", "of the"), leaks[:MOST_LEAKS]))
        if music.skipped:
            skipped = [(piece.title, piece.reason) for piece in music.skipped]
            show.print(_table(("skipped", "why"), skipped))
        for line in _advice(music, words[0], has_rule=any(word.startswith("family=") for word in words)):
            show.print(visible(line), soft_wrap=True)
    if strict and music.skipped:
        raise DataError(*(Problem(piece.reason, where=piece.title) for piece in music.skipped))


@command.command("show")
@corpus_words
@as_json_option
def show_pieces(words: tuple[str, ...], as_json: bool) -> None:
    """The pieces of a corpus, or one PIECE of it.

    PIECE is the number of a piece, or a part of its title. KEY=VALUE is how files are read: grid=12,
    pedal=hold, family=RULE.
    """
    from zoo.cli.console import print_json, show

    music, piece = _opened(words, takes_piece=True)
    if piece is not None:
        facts = _facts(music, _find(music, piece))
        if as_json:
            print_json(facts)
        else:
            show.print(_piece_table(facts))
    elif as_json:
        print_json({**_header(music), "pieces": [asdict(piece) for piece in music.pieces]})
    else:
        rows = [
            (str(number), piece.title, piece.split, f"{piece.frames:,}", str(piece.meter), piece.alignment)
            for number, piece in enumerate(music.pieces, start=1)
        ]
        show.print(_table(("number", "title", "split", "frames", "meter", "grid"), rows))


def _leak_facts(corpus: Corpus) -> list[dict[str, Any]]:
    """Pieces of different splits that share music, ready for JSON."""
    return [
        {"pieces": [one.title, two.title], "splits": [one.split, two.split], **_shared(relation)}
        for one, two, relation in corpus.leaks()
    ]


def _shared(relation: Relation) -> dict[str, Any]:
    return {"view": relation.view, "share": round(relation.share, 4)}


def _leak_rows(corpus: Corpus) -> list[tuple[str, ...]]:
    return [
        (*(f"{piece.title} ({piece.split})" for piece in pair), f"{relation.share:.0%}", relation.view)
        for *pair, relation in corpus.leaks()
    ]


def _advice(corpus: Corpus, name: str, *, has_rule: bool) -> Iterator[str]:
    """A grid and a rule for families that would suit the files better."""
    from zoo.data.family_rule import proposed_rule
    from zoo.data.folder import midi_of
    from zoo.data.grids import grid_costs, recommended

    files, tracks = midi_of(name)
    costs = {cost.grid: cost for cost in grid_costs(files, tracks, corpus.grid)} if files else {}
    better = recommended(costs, corpus.grid)
    if better is not None:
        here = costs[corpus.grid]
        yield (
            f"grid={better.grid} suits these files better: it merges {better.merged:,} and moves "
            f"{better.moved:,} of {better.notes:,} notes, grid={here.grid} {here.merged:,} and {here.moved:,}"
        )
    proposed = None if has_rule else proposed_rule([piece.title for piece in corpus.pieces])
    if proposed is not None:
        rule, what = proposed
        yield f"if pieces belong together by {what}, keep them in one split with family={shlex.quote(rule)}"


def _opened(words: Sequence[str], *, takes_piece: bool = False) -> tuple[Corpus, str | None]:
    """The corpus that the words name, read as they say, and the piece."""
    from zoo.cli.music import MusicKeys, open_music
    from zoo.registry import open_registry, parse_recipe

    settings = [word for word in words if word.partition("=")[0] in MusicKeys.model_fields and "=" in word]
    named = [word for word in words if word not in settings]
    if not 1 <= len(named) <= 1 + takes_piece:
        what = "name one corpus" + (", and at most one piece" if takes_piece else "")
        raise UsageError(Problem(what, " ".join(named), "such as zoo data scan FOLDER grid=12"))
    keys = parse_recipe([*settings, f"data={named[0]}"], open_registry(), keys=MusicKeys).keys
    return open_music(keys), named[1] if len(named) > 1 else None


def _reading_rows(summary: Summary, corpus: Corpus) -> list[tuple[str, str]]:
    """How the music lies on its grid, what reading it lost, and what was not read."""
    from zoo.data.piece import copies

    rows = [("grid", _counted(summary.alignments)), ("meter", _counted(summary.meters))]
    if summary.notes:
        rows.append(("off the grid", f"{summary.off_grid:.1%} of the notes, by more than a quarter frame"))
        rows += [(what, f"{count:,}, {count / summary.notes:.2%}") for what, count in summary.losses.items()]
    if summary.spread is not None:
        inside = f"{summary.spread_inside:.3f} inside pieces"
        rows.append(("place in the bar", f"{summary.spread:.3f} nats of entropy over all, {inside}"))
    same = copies(corpus.pieces)
    if same:
        first = " and ".join(same[0][:2])
        rows.append(("copies", f"{sum(map(len, same))} pieces are the same as another, such as {first}"))
    if corpus.passed_over:
        rows.append(("passed over", _counted(corpus.passed_over)))
    return rows


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in list(counts.items())[:SHOWN])


def _find(corpus: Corpus, piece: str) -> int:
    """The index of the piece with this number, this title, or alone with this in its title."""
    titles = [piece.title for piece in corpus.pieces]
    if piece in titles:
        return titles.index(piece)
    if piece.isdecimal() and 1 <= int(piece) <= len(titles):
        return int(piece) - 1
    found = [index for index, title in enumerate(titles) if piece.lower() in title.lower()]
    if len(found) == 1:
        return found[0]
    some = ", ".join(titles[index] for index in found[:3])
    what = f"{len(found)} pieces have this in their title" if found else "there is no such piece"
    cure = f"say more, as in {some}" if found else f"a number from 1 to {len(titles)}, or part of a title"
    raise UsageError(Problem(what, where=piece, cure=cure))


def _facts(corpus: Corpus, index: int) -> dict[str, Any]:
    """One piece in detail."""
    from zoo.data.summary import summarise

    piece = corpus.pieces[index]
    seconds = round(piece.frames / corpus.grid / piece.tempo * 60, 1)
    summary = asdict(summarise(corpus.take([index])))
    del summary["pieces"]
    copies = [other.title for other in corpus.pieces if other.digest == piece.digest and other is not piece]
    on_the_grid = "onset" in corpus.planes  # the published sets have frames of other lengths
    timing = {"seconds": seconds if on_the_grid else None}
    return {"number": index + 1, **asdict(piece), **timing, **summary, "copies": copies}


def _piece_table(facts: dict[str, Any]) -> Table:
    """One piece in words."""
    from zoo.cli.meters import in_order

    minutes, seconds = divmod(round(facts["seconds"] or 0), 60)
    time = f", {minutes}:{seconds:02} at {facts['tempo']:.0f} quarters a minute" if facts["seconds"] else ""
    rows = [
        ("split", facts["split"]),
        ("length", f"{facts['frames']:,} frames{time}"),
        ("meter", in_order(Meter.from_json(facts["meter"]), facts["frames"])),
        ("grid", _grid_words(facts)),
        ("notes", "unknown" if facts["notes"] is None else f"{facts['notes']:,}"),
        ("at once", f"{facts['polyphony']:.2f} keys on average, {facts['most']} at most"),
        ("silence", f"{facts['silence']:.1%} of the frames"),
        ("keys", _range(facts["lowest"], facts["highest"])),
        ("loudness", "unknown" if facts["loudness"] is None else f"{facts['loudness']:.0f} of 127"),
        ("copies", ", ".join(facts["copies"]) or "none"),
        ("digest", facts["digest"]),
    ]
    return _table((f"{facts['number']}", facts["title"]), rows)


def _grid_words(facts: dict[str, Any]) -> str:
    lost = "".join(f"; {count:,} {what}" for what, count in facts["losses"].items())
    return f"{facts['alignment']}, {facts['off_grid']:.1%} of the notes off it{lost}"


def _header(corpus: Corpus) -> dict[str, Any]:
    planes = sorted(corpus.planes)
    return {"name": corpus.name, "digest": corpus.digest, "grid": corpus.grid, "planes": planes}


def _known_cells(corpus: Known) -> tuple[str, ...]:
    """A corpus to be opened, as a row."""
    here = {True: "yes", False: "no", None: ""}[corpus.here]
    if corpus.download and not corpus.here:
        here = f"no, {corpus.download / 1e6:.0f} MB"
    checked = {"published": "its published checksum", "first download": "the checksum of the first download"}
    lines = [
        corpus.music,
        f"knows: {', '.join(sorted(corpus.planes))}",
        f"good for: {corpus.good_for}",
        f"licence: {corpus.licence}",
        *([f"downloaded at first use, held to {checked[corpus.checksum]}"] if corpus.download else []),
    ]
    return corpus.name, "" if corpus.pieces is None else f"{corpus.pieces:,}", here, "\n".join(lines)


def _plain(known: Known | Cached) -> dict[str, Any]:
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(known).items()}
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in plain.items()}


def _summary_table(summaries: dict[str, Summary]) -> Table:
    headings = ("split", "pieces", "frames", "notes", "polyphony", "most", "silence", "keys", "loudness")
    return _table(headings, [(name, *_cells(summary)) for name, summary in summaries.items()])


def _cells(summary: Summary) -> tuple[str, ...]:
    return (
        f"{summary.pieces:,}",
        f"{summary.frames:,}",
        "-" if summary.notes is None else f"{summary.notes:,}",
        f"{summary.polyphony:.2f}",
        str(summary.most),
        f"{summary.silence:.1%}",
        _range(summary.lowest, summary.highest),
        "-" if summary.loudness is None else f"{summary.loudness:.0f}",
    )


def _range(lowest: int | None, highest: int | None) -> str:
    """Keys as people call them: 60 is C4."""
    from zoo.music.roll import LOWEST_KEY, key_name

    if lowest is None or highest is None:
        return "-"
    return f"{key_name(lowest - LOWEST_KEY)} to {key_name(highest - LOWEST_KEY)}"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, lines: bool = False) -> Table:
    """A table whose columns of numbers stand to the right; cells of our own making may have several lines."""
    from rich import box
    from rich.table import Table

    from zoo.cli.console import visible

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for heading in headings:
        table.add_column(visible(heading), justify="right" if heading in NUMBERS else "left", overflow="fold")
    for row in rows:
        table.add_row(*(visible(cell, lines=lines) for cell in row))
    return table
