"""Sealed folders: a manifest with the sha256 of each file, so that any damage or change is detected."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zoo
from zoo.errors import BundleError, Problem
from zoo.files import real_path
from zoo.limits import InputKind, read_bytes, sha256_of
from zoo.model.format import check_format

FORMAT = 2
"""Format of the manifest. Format 2 has its own checksum and omits the model card, which may be edited."""
CONFIG_FORMAT = 2
"""Format of the configuration and of the weights. In format 2, parameters may be in half precision."""
MANIFEST = "manifest.json"
CONFIG, WEIGHTS, CARD, SAMPLE = FILES = "config.json", "model.safetensors", "README.md", "sample.mid"
"""The files of a bundle besides its manifest."""
KINDS: dict[str, InputKind] = {CONFIG: "config", SAMPLE: "sample"}
CHANGED = "was changed or damaged since it was written"


def is_bundle_place(folder: Path) -> bool:
    """Whether a folder is that of a bundle, if only by a link: the files may be on an unmounted disk."""
    return (folder / MANIFEST).is_file() or (folder / MANIFEST).is_symlink()


def damaged(what: str, where: str) -> Problem:
    """The problem with a file that is not as it was written."""
    return Problem(what, where, "restore a good copy, or train again")


def canonical(content: Any) -> bytes:
    """The canonical JSON of some content, as it is written here."""
    return (json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()


def manifest(contents: Mapping[str, bytes]) -> bytes:
    """The content of the manifest of a bundle with these files; the card may be edited, so it is omitted."""
    sealed = {name: content for name, content in contents.items() if name != CARD}
    files = {name: hashlib.sha256(content).hexdigest() for name, content in sealed.items()}
    seal = {"format": FORMAT, "polyzoo": zoo.__version__, "files": files}
    return canonical({**seal, "sha256": _own_checksum(seal)})


def read_bundle(folder: Path) -> dict[str, bytes]:
    """Read and verify the files that the manifest of a bundle names, except the weights.

    The weights are verified without holding them in memory; `zoo.model.weights.read_weights` reads them once
    the expected shapes are known.

    Raises:
        BundleError: the bundle is from a newer version, or files are missing, damaged or changed; holds all
            problems.
    """
    expected = _checksums(folder / MANIFEST)
    contents: dict[str, bytes] = {}
    problems: list[Problem] = []
    for name, checksum in expected.items():
        try:
            if name == WEIGHTS:
                actual = _weights_checksum(folder / name)
            else:
                # Hash the bytes that are returned: a second read could return different ones.
                contents[name] = _bytes(folder / name, KINDS[name])
                actual = hashlib.sha256(contents[name]).hexdigest()
        except BundleError as error:
            problems.extend(error.problems)
        else:
            if actual != checksum:
                problems.append(_changed(folder / name, contents.get(name, b""), checksum))
    if CONFIG in contents:
        problems += _refused_format(contents[CONFIG], folder / CONFIG)
    if problems:
        raise BundleError(*problems)
    return contents


@contextmanager
def one_bundle(folder: Path, before: bytes | None = None) -> Iterator[bytes]:
    """Check that what is read in the block is all of one bundle: a training may replace it meanwhile.

    Args:
        folder: the bundle.
        before: its manifest, as an earlier block yielded it, if what was read there belongs to this as well.

    Yields:
        Its manifest.

    Raises:
        BundleError: it was replaced, or there is none.
    """
    before = _bytes(folder / MANIFEST, "manifest") if before is None else before
    yield before
    if _bytes(folder / MANIFEST, "manifest") != before:
        what = "was replaced while it was read"
        raise BundleError(Problem(what, str(folder), "repeat the command when its training has ended"))


def files_to_share(folder: Path) -> list[Path]:
    """The files of a bundle to publish: all in its manifest, the manifest, and the card if there is one.

    A bundle that was sent may contain other files, or links to files of this machine, such as a private
    model, which would be published.

    Raises:
        BundleError: the manifest is missing, damaged or changed, or there are such links; holds all.
    """
    names = [*_checksums(folder / MANIFEST), MANIFEST]
    files = [folder / name for name in (*names, *([CARD] if (folder / CARD).is_file() else []))]
    inside = real_path(folder)
    # In the cache of the Hub, all files of a bundle are links to this folder.
    places = (inside, inside.parent.parent / "blobs")
    if links := [file for file in files if real_path(file).parent not in places]:
        what = "is a link to another folder, and the file there would be published"
        hint = "remove it, or replace it by a copy of the file"
        raise BundleError(*(Problem(what, str(file), hint) for file in links))
    if inside != Path(os.path.normpath(folder.absolute())):  # it, or a folder above it is a link
        what = "is reached through a link, and the bundle that it leads to would be published"
        raise BundleError(Problem(what, str(folder), f"if that is what you want, name {inside}"))
    return files


def read_card(folder: Path) -> str:
    """The model card of a bundle, which may be edited or removed; empty if there is none.

    Raises:
        BundleError: it cannot be read or is too large.
    """
    if not (folder / CARD).exists():
        return ""
    return _bytes(folder / CARD, "card").decode("utf-8", "replace")


def parsed(content: bytes, path: Path) -> dict[str, Any]:
    """Parse a JSON object.

    Raises:
        BundleError: the content is not a JSON object.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BundleError(damaged("is damaged or truncated", str(path)))
    return value


def _checksums(path: Path) -> dict[str, str]:
    """Name -> checksum of the files that the manifest names."""
    written = _bytes(path, "manifest")
    seal = parsed(written, path)
    number = check_format(seal.get("format"), FORMAT, str(path), seal.get("polyzoo"))
    if (text := written.replace(b"\r\n", b"\n")) != written and text == canonical(seal):
        raise BundleError(_with_crlf(path))
    files, known = seal.get("files"), set(FILES) if number == 1 else {CONFIG, WEIGHTS, SAMPLE}
    # A deviation from the canonical form counts as a change: what is not checked could be edited unnoticed.
    is_intact = (
        isinstance(files, dict)
        and all(isinstance(checksum, str) for checksum in files.values())
        and {CONFIG, WEIGHTS} <= set(files) <= known
        and written == canonical(seal)
        and (set(seal) == {"format", "files"} if number == 1 else _is_intact(seal))
    )
    if not is_intact:
        raise BundleError(damaged(CHANGED, str(path)))
    if SAMPLE not in seal["files"] and (sample := path.parent / SAMPLE).exists():
        what = f"{MANIFEST} does not list it, so it was added since the bundle was written"
        raise BundleError(Problem(what, str(sample), "remove it, or restore a good copy of the bundle"))
    return {name: checksum for name, checksum in seal["files"].items() if name != CARD}


def _is_intact(seal: Mapping[str, Any]) -> bool:
    """Whether a manifest of format 2 has exactly the keys that are written, and the right checksum."""
    rest = {name: value for name, value in seal.items() if name != "sha256"}
    return set(rest) == {"format", "polyzoo", "files"} and seal.get("sha256") == _own_checksum(rest)


def _own_checksum(seal: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(seal)).hexdigest()


def _refused_format(config: bytes, path: Path) -> list[Problem]:
    """The problems with the format of a config; a newer format is reported before wrong checksums.

    Raises:
        BundleError: the format is newer.
    """
    try:
        content = parsed(config, path)
    except BundleError as error:
        return list(error.problems)
    made = content.get("versions")
    writer = made.get("polyzoo") if isinstance(made, dict) else None
    number = content.get("format")
    try:
        check_format(number, CONFIG_FORMAT, str(path), writer)
    except BundleError as error:
        if type(number) is int and number > CONFIG_FORMAT:
            raise
        return list(error.problems)
    return []


def _changed(path: Path, content: bytes, checksum: str) -> Problem:
    """The problem with a file whose checksum differs, which may be due to converted line endings."""
    if hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest() == checksum:
        return _with_crlf(path)
    return damaged(CHANGED, str(path))


def _with_crlf(path: Path) -> Problem:
    what = "its line endings were converted to CRLF, as git does on Windows by default"
    return Problem(
        what, str(path), "copy the bundle as it is; in a repository, write `* -text` to .gitattributes"
    )


def _bytes(path: Path, kind: InputKind) -> bytes:
    with reading(path):
        return read_bytes(path, kind)


def _weights_checksum(path: Path) -> str:
    """The sha256 of the weights, read in blocks."""
    with reading(path):
        return sha256_of(path, "weights")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn an operating-system error in the block into a `BundleError`."""
    try:
        yield
    except FileNotFoundError:
        raise BundleError(damaged("is missing", str(path))) from None
    except OSError as error:
        raise BundleError(damaged(f"cannot be read: {error.strerror}", str(path))) from error
