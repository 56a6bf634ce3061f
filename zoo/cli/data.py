"""`zoo data`: what music there is, and what is in it."""

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
    shown = table(("data=", "pieces", "here", "what it is"), map(_known_cells, corpora), lines=True)
    shown.show_lines = True
    shown.columns[0].max_width = 18
    show.print(shown)
    if read:
        found = [
            (corpus.name, f"{corpus.pieces:,}", f"{corpus.frames:,}", f"{corpus.bytes / 2**20:.1f}")
            for corpus in read
        ]
        show.print(table(("read before", "pieces", "frames", "MiB in the cache"), found))


command.add_command(scan_command)
command.add_command(show_command)


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
