"""Bundles on the Hugging Face Hub: `hf:USER/NAME` wherever a bundle is named, and how to publish one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import zoo
from zoo.errors import BundleError, Problem, UsageError, ZooError
from zoo.model.sealed import CARD, CONFIG, FILES, MANIFEST, WEIGHTS, files_to_share, one_bundle, read_bundle

PREFIX = "hf:"
"""Prefix of the names of bundles on the Hub; `@REVISION` may follow the repository."""


def is_on_hub(path: str | Path) -> bool:
    """Whether a path names a bundle on the Hub."""
    return str(path).startswith(PREFIX)


@cache
def download(name: str) -> Path:
    """The folder of a bundle on the Hub, downloaded to the cache of huggingface_hub if it is not there yet.

    Only the files of a bundle are downloaded, and nothing in them is executed.

    Args:
        name: `hf:USER/NAME` or `hf:USER/NAME@REVISION`, a branch, tag or commit.

    Raises:
        ZooError: huggingface_hub is not installed.
        BundleError: there is no such repository, it cannot be reached, or it is not a bundle.
    """
    hub = _hub(name)
    repo, _, revision = name.removeprefix(PREFIX).partition("@")
    with _hub_errors(name, BundleError):
        folder = Path(
            hub.snapshot_download(
                repo,
                revision=revision or None,
                allow_patterns=[*FILES, MANIFEST],
                library_name="polyzoo",
                library_version=zoo.__version__,
            )
        )
    if not (folder / MANIFEST).is_file():
        hint = "a bundle is published with `zoo push BUNDLE USER/NAME`"
        raise BundleError(Problem(f"the repository is not a bundle: it has no {MANIFEST}", name, hint))
    return folder


def upload(folder: Path, repo: str, *, private: bool = False, license: str = "") -> str:
    """Publish a bundle as a model repository on the Hub, which is created if there is none.

    The model card may have been edited; all other files must be as they were written. No other file is
    uploaded. If the repository has a bundle already, it is replaced; other files in it are kept.

    Args:
        folder: the bundle.
        repo: `USER/NAME`.
        private: whether a new repository is private.
        license: identifier of the license for the published card, such as `mit`; empty to leave it as it is.

    Returns:
        the address of the repository.

    Raises:
        ZooError: huggingface_hub is not installed.
        UsageError: the Hub refuses the upload or cannot be reached, or the repository is public though
            `private` is set, or contains another model.
        BundleError: the bundle is damaged, is replaced meanwhile, or its card is a link to another
            folder.
    """
    hub = _hub(repo)
    api = hub.HfApi(library_name="polyzoo", library_version=zoo.__version__)
    with _hub_errors(repo, UsageError):
        # Before the repository is created, which would stay empty after an error.
        with one_bundle(folder):
            read_bundle(folder)
            contents = dict(_contents(folder, license, hub))
            # Takes the checksum of the weights, with which the Hub compares what it receives.
            operations = [hub.CommitOperationAdd(name, content) for name, content in contents.items()]
        address = str(api.create_repo(repo, private=private, exist_ok=True))
        there = _files(api.model_info(repo), repo, private)
        # A sample or a card of another model, which was published here before, is not one of this model.
        others = {*FILES, MANIFEST}.intersection(there) - set(contents)
        operations += [hub.CommitOperationDelete(name) for name in sorted(others)]
        api.create_commit(repo, operations, commit_message=f"Upload a bundle of polyzoo {zoo.__version__}")
    return address


def _files(info: Any, repo: str, private: bool) -> set[str]:
    """The names of the files in a repository that was there or is new.

    Raises:
        UsageError: it is public and must not be, or contains a model that is not a bundle.
    """
    if private and not info.private:
        what = "is a public repository, so nothing was published"
        raise UsageError(Problem(what, repo, "make it private on the Hub, or choose another name"))
    names = {file.rfilename for file in info.siblings or ()}
    if MANIFEST not in names and names & {CONFIG, WEIGHTS}:
        what = "contains a model that is not a bundle of polyzoo, and would be replaced"
        raise UsageError(Problem(what, repo, "choose another name"))
    return names


def _contents(folder: Path, license: str, hub: Any) -> Iterator[tuple[str, Any]]:
    """The files to upload: the path of the weights, and the content of all others."""
    for path in files_to_share(folder):
        if path.name == CARD and license:
            card = hub.ModelCard(path.read_text("utf-8"), ignore_metadata_errors=True)
            card.data.license = license
            yield path.name, str(card).encode()
        else:
            yield path.name, str(path) if path.name == WEIGHTS else path.read_bytes()


def _hub(where: str) -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        hint = "pip install 'polyzoo[hub]'"
        raise ZooError(
            Problem("the Hub needs huggingface_hub, which is not installed", where, hint)
        ) from error
    return huggingface_hub


@contextmanager
def _hub_errors(where: str, kind: type[ZooError]) -> Iterator[None]:
    """Convert any exception of huggingface_hub to a ZooError of this kind."""
    try:
        yield
    except (KeyboardInterrupt, ZooError):
        raise
    except Exception as error:  # errors of several HTTP libraries, depending on the version
        line = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        raise kind(Problem(f"the Hub cannot do this: {line}", where, _hint(error))) from error


def _hint(error: Exception) -> str:
    hints = {
        "RepositoryNotFoundError": "check the name; a private repository needs `hf auth login`",
        "RevisionNotFoundError": "check the part after @",
        "LocalEntryNotFoundError": "check the network; what was downloaded before works offline",
        "OfflineModeIsEnabled": "unset HF_HUB_OFFLINE",
        "LocalTokenNotFoundError": "log in with `hf auth login`",
        "HFValidationError": "write USER/NAME",
    }
    refused = getattr(getattr(error, "response", None), "status_code", 0) in (401, 403)
    login = "log in with `hf auth login`, with a token that may write" if refused else ""
    return hints.get(type(error).__name__, login)
