"""Find bundles: in a folder, in a run, on the Hub, or by the name of a pretrained model, such as `bach`."""

from __future__ import annotations

from pathlib import Path

import zoo
from zoo.errors import Problem, UsageError
from zoo.files import real_path
from zoo.model.hub import download, is_on_hub
from zoo.model.sealed import MANIFEST

FOLDER = Path(zoo.__file__).parent / "pretrained"
RECIPE, SEARCH, BUNDLE = "recipe.json", "search.json", "bundle"
"""The files that mark the folders of a run and of a search, and the folder of the bundle in both."""


def pretrained_names() -> list[str]:
    """The names of the pretrained models, in alphabetical order."""
    return sorted(manifest.parent.name for manifest in FOLDER.glob(f"*/{MANIFEST}"))


def bundle_folder(path: str | Path) -> Path:
    """The folder of a bundle, given that folder, the run that contains it, or the name of a pretrained model.

    A bundle or run with that name in the current folder takes precedence over a pretrained model. A bundle on
    the Hub, `hf:USER/NAME`, is downloaded. Any other path is returned unchanged.

    Raises:
        BundleError: the bundle cannot be downloaded.
        ZooError: huggingface_hub, which downloads it, is not installed.
    """
    if is_on_hub(path):
        return download(str(path))
    folder = Path(path)
    for candidate in (folder, folder / BUNDLE):
        if (candidate / MANIFEST).is_file():
            return candidate
    if (folder / RECIPE).is_file() or str(path) not in pretrained_names():
        return folder
    return FOLDER / folder


def is_bundle(path: str | Path) -> bool:
    """Whether a path or name leads to a bundle."""
    return (bundle_folder(path) / MANIFEST).is_file()


def check_not_of_run(path: str | Path) -> None:
    """Refuse to write to the bundle of a run or a search, which is that of its training when it is resumed.

    Raises:
        UsageError: the path is such a folder.
    """
    place = real_path(Path(path))
    for marker, owner, command in ((RECIPE, "run", "zoo train"), (SEARCH, "search", "zoo tune")):
        if place.name == BUNDLE and (place.parent / marker).is_file():
            what = f"this is the bundle of the {owner} {place.parent.name}, which only `{command}` writes"
            raise UsageError(Problem(what, str(path), "choose another folder"))
