"""A folder under seal: a manifest with the sha256 of each file, so that no change goes unnoticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zoo.errors import BundleError, Problem
from zoo.limits import Kind, read_bytes, sha256_of

FORMAT = 1
MANIFEST = "manifest.json"
CONFIG, WEIGHTS, CARD, SAMPLE = FILES = "config.json", "model.safetensors", "README.md", "sample.mid"
"""What a bundle is made of, beside its manifest."""
KINDS: dict[str, Kind] = {CONFIG: "config", CARD: "card", SAMPLE: "sample"}
CHANGED = "was changed or damaged since it was written"


def damaged(what: str, where: str) -> Problem:
    """A file that is not as it was written, with the only hint there is."""
    return Problem(what, where, "put back a good copy, or train again")


def canonical(content: Any) -> bytes:
    """JSON in the one form that is written here."""
    return (json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()


def manifest(contents: Mapping[str, bytes]) -> bytes:
    """The seal of a bundle with these files."""
    files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    return canonical({"format": FORMAT, "files": files})


def read_bundle(folder: Path) -> dict[str, bytes]:
    """The files of a bundle but its weights, each read once; files that its manifest does not name are left.

    The weights are checked without being held in memory: `zoo.model.weights.read_weights` reads them, once it
    is known how many there should be.

    Raises:
        BundleError: it is from a newer version, or files are missing, damaged or changed; all of them.
    """
    expected = _checksums(folder / MANIFEST)
    contents: dict[str, bytes] = {}
    problems: list[Problem] = []
    for name, checksum in expected.items():
        try:
            if name == WEIGHTS:
                found = _hashed(folder / name)
            else:
                contents[name] = _bytes(folder / name, KINDS[name])
                found = hashlib.sha256(contents[name]).hexdigest()
        except BundleError as error:
            problems.extend(error.problems)
        else:
            if found != checksum:
                problems.append(damaged(CHANGED, str(folder / name)))
    if CONFIG in contents:
        _refuse_newer(_format(contents[CONFIG]), folder)
    if problems:
        raise BundleError(*problems)
    return contents


def parsed(content: bytes, path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        BundleError: it is none.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BundleError(damaged("is damaged or cut short", str(path)))
    return found


def _checksums(path: Path) -> dict[str, str]:
    written = _bytes(path, "manifest")
    seal = parsed(written, path)
    files = seal.get("files")
    _refuse_newer(seal.get("format"), path.parent)
    if not isinstance(files, dict) or not all(isinstance(checksum, str) for checksum in files.values()):
        raise BundleError(damaged(CHANGED, str(path)))
    if not {CONFIG, WEIGHTS} <= set(files) <= set(FILES):
        raise BundleError(damaged(CHANGED, str(path)))
    if written != canonical({"format": FORMAT, "files": files}):
        raise BundleError(damaged(CHANGED, str(path)))
    return files


def _format(config: bytes) -> Any:
    """The format that a config names, whether or not its checksum is right; None where it names none."""
    try:
        return parsed(config, Path(CONFIG)).get("format")
    except BundleError:
        return None


def _refuse_newer(made: Any, folder: Path) -> None:
    if isinstance(made, int) and made > FORMAT:
        what = f"made by a newer polyzoo (format {made}), this one reads up to {FORMAT}"
        raise BundleError(Problem(what, str(folder), "pip install -U polyzoo"))


def _bytes(path: Path, kind: Kind) -> bytes:
    with _reading(path):
        return read_bytes(path, kind)


def _hashed(path: Path) -> str:
    """The sha256 of the weights."""
    with _reading(path):
        return sha256_of(path, "weights")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """What the system says when a file of a bundle cannot be read, as one problem."""
    try:
        yield
    except FileNotFoundError:
        raise BundleError(damaged("is missing", str(path))) from None
    except OSError as error:
        raise BundleError(damaged(f"cannot be read: {error.strerror}", str(path))) from error
