"""Pretrained models: bundles that are installed with the zoo and have names, such as `bach`."""

from __future__ import annotations

from pathlib import Path

import zoo
from zoo.model.sealed import MANIFEST

FOLDER = Path(zoo.__file__).parent / "pretrained"


def pretrained_names() -> list[str]:
    """The names of the pretrained models, in alphabetical order."""
    return sorted(manifest.parent.name for manifest in FOLDER.glob(f"*/{MANIFEST}"))


def bundle_folder(path: str | Path) -> Path:
    """The folder of a bundle, given that folder, the run that contains it, or the name of a pretrained model.

    A bundle or run of that name in the current folder takes precedence over a pretrained model. A path that
    is none of these is returned as it is.
    """
    folder = Path(path)
    for candidate in (folder, folder / "bundle"):
        if (candidate / MANIFEST).is_file():
            return candidate
    is_run = (folder / "recipe.json").is_file()
    return FOLDER / folder if not is_run and str(path) in pretrained_names() else folder


def is_bundle(path: str | Path) -> bool:
    """Whether a path or name leads to a bundle."""
    return (bundle_folder(path) / MANIFEST).is_file()
