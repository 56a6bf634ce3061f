"""`zoo data`: list corpora and inspect them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.corpora import as_json_option, table
from zoo.cli.data_scan import scan_command
from zoo.cli.data_show import show_command

if TYPE_CHECKING:
    from zoo.data.known import Cached, Known


@click.group("data")
def command() -> None:
    """List corpora of music, show their contents, and check what could not be read."""


@command.command("list")
@as_json_option
def list_corpora(as_json: bool) -> None:
    """List the corpora that can be opened by name, and those in the cache."""
    from zoo.cli.console import print_json, print_list, stdout
    from zoo.data.known import cached, known

    in_cache, corpora = cached(), known()
    if as_json:
        print_json(
            {
                "known": [_plain(corpus) for corpus in corpora],
                "cached": [_plain(corpus) for corpus in in_cache],
            }
        )
        return
    known_table = table(("data=", "pieces", "here", "description"), map(_known_cells, corpora), lines=True)
    known_table.show_lines = True
    known_table.columns[0].max_width = 18
    print_list(known_table)
    if in_cache:
        rows = [
            (corpus.name, f"{corpus.pieces:,}", f"{corpus.frames:,}", f"{corpus.bytes / 2**20:.1f}")
            for corpus in in_cache
        ]
        stdout.print(table(("in the cache", "pieces", "frames", "MiB in the cache"), rows))


command.add_command(scan_command)
command.add_command(show_command)


def _known_cells(corpus: Known) -> tuple[str, ...]:
    """A corpus with a name, as a row."""
    here = {True: "yes", False: "no", None: ""}[corpus.here]
    if corpus.download and not corpus.here:
        here = f"no, {corpus.download / 1e6:.0f} MB"
    checked = {"published": "its published checksum", "first download": "the checksum of the first download"}
    lines = [
        corpus.music,
        f"planes: {', '.join(sorted(corpus.planes))}",
        f"good for: {corpus.good_for}",
        f"licence: {corpus.licence}",
        *([f"downloaded at first use, verified by {checked[corpus.checksum]}"] if corpus.download else []),
    ]
    return corpus.name, "" if corpus.pieces is None else f"{corpus.pieces:,}", here, "\n".join(lines)


def _plain(known: Known | Cached) -> dict[str, Any]:
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(known).items()}
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in plain.items()}
