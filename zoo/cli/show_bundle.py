"""`zoo show BUNDLE`: the model card of a bundle, and the digest by which two copies can be compared."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from zoo.model.sealed import MANIFEST, read_card


def bundle_to_json(folder: Path) -> dict[str, Any]:
    """The configuration of a bundle, its card, and the SHA-256 of its manifest, which covers all other files.

    Raises:
        BundleError: a file is missing, damaged or changed, or fields have wrong types.
    """
    from zoo.model.config import read_config

    config = read_config(folder)
    return {
        "bundle": str(folder),
        "sha256": hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest(),
        "config": config,
        "card": read_card(folder),
    }


def print_bundle(facts: dict[str, Any]) -> None:
    """Print the card without its YAML header, then the digest."""
    from zoo.cli.console import stdout, visible

    card = facts["card"]
    if card.startswith("---\n"):
        card = card.partition("\n---\n")[2]
    for line in card.strip().splitlines():
        stdout.print(visible(line), soft_wrap=True)
    stdout.print()
    stdout.print(
        f"sha256 of {MANIFEST}, which has the checksums of all other files: {facts['sha256']}", soft_wrap=True
    )
