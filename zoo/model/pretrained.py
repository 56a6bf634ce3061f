"""Pretrained models: bundles that come with the package and are named like files, such as `bach`."""

from __future__ import annotations

from pathlib import Path

import zoo
from zoo.model.sealed import MANIFEST

FOLDER = Path(zoo.__file__).parent / "pretrained"


def pretrained_names() -> list[str]:
    """The models that come with the package, in alphabetical order."""
    return sorted(manifest.parent.name for manifest in FOLDER.glob(f"*/{MANIFEST}"))


def bundle_folder(path: str | Path) -> Path:
    """The folder of a bundle: that of a pretrained model by its name, else the path itself.

    A name goes before a path, as with music: `./bach` is the folder in the current one.
    """
    return FOLDER / path if str(path) in pretrained_names() else Path(path)
