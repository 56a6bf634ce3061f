"""A fault at each write operation, as in SQLite's tests: one error, and old files are unchanged."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import zoo
from zoo import files
from zoo.errors import ZooError
from zoo.model.weights import digest

TINY = "attention=none attention.local=2 attention.features=4 sampler.hidden=3 decoder.hidden=3"
FAULTS = (errno.ENOSPC, errno.EIO, errno.EROFS)
OPERATIONS = ("os.fsync", "os.rename", "os.replace", "os.link", "os.mkdir", "pathlib.Path.write_bytes")


class Shim:
    """Lets the n-th write operation fail, and counts them."""

    def __init__(self, patch: pytest.MonkeyPatch, fail_at: int, code: int) -> None:
        self.count = 0
        self._fail_at, self._code = fail_at, code
        for name in OPERATIONS:
            owner: Any = os if name.startswith("os.") else Path
            patch.setattr(name, self._wrap(getattr(owner, name.rpartition(".")[2])))
        patch.setattr(files, "_exchange", self._wrap(files._exchange))

    def _wrap(self, really: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **options: Any) -> Any:
            self.count += 1
            if self.count == self._fail_at:
                raise OSError(self._code, os.strerror(self._code))
            return really(*args, **options)

        return wrapped


def write_file(folder: Path, text: str) -> None:
    files.write_file(folder / "file", text)


def write_folder(folder: Path, text: str) -> None:
    with files.new_folder(folder / "folder") as part:
        (part / "one").write_bytes(text.encode())
        (part / "two").write_bytes(text.encode())


@cache
def model(seed: int) -> zoo.ZooModel:
    return zoo.build(TINY, seed=seed)


def write_bundle(folder: Path, text: str) -> None:
    model(len(text)).save(folder / "bundle", overwrite=True)


def content(folder: Path) -> dict[str, bytes]:
    """The content of the file or folder; a bundle must load."""
    if (folder / "bundle").exists():
        digest(zoo.load(folder / "bundle").model.state_dict())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and files.UNFINISHED not in str(path)
    }


def failure(action: Callable[[], None]) -> str:
    """The message of the documented error; any other error is raised."""
    try:
        action()
    except ZooError as error:
        return str(error)
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("code", FAULTS, ids=lambda code: errno.errorcode[code])
@pytest.mark.parametrize(("write", "least"), [(write_file, 3), (write_folder, 6), (write_bundle, 9)])
def test_a_write_fault_leaves_the_old_or_the_new_and_is_one_error(
    write: Callable[[Path, str], None], least: int, code: int, tmp_path: Path
) -> None:
    """With fewer than `least` operations, files are written by functions whose faults are not tested."""
    write(tmp_path, "old")
    old = content(tmp_path)
    (tmp_path / "new").mkdir()
    write(tmp_path / "new", "newer")
    new = content(tmp_path / "new")
    for fail_at in range(1, 100):
        folder = tmp_path / f"at {fail_at}"
        folder.mkdir()
        write(folder, "old")
        with pytest.MonkeyPatch.context() as patch:
            shim = Shim(patch, fail_at, code)
            message = failure(lambda: write(folder, "newer"))  # noqa: B023
        failed = bool(message)
        assert not failed or os.strerror(code).lower() in message.lower()
        assert content(folder) in (old, new)
        if shim.count < fail_at:
            assert not failed
            assert content(folder) == new
            assert shim.count >= least
            return
        assert failed or content(folder) == new
    raise AssertionError("there is no end of write operations")
