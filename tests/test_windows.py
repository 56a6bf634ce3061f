"""What Windows does differently, simulated: the zoo writes, locks and reads there too.

The shim makes the functions of `os` refuse what Windows refuses: flushing a file that is open for reading
only, opening a folder, and renaming or removing a file that is open.
"""
# `pathlib` calls the functions that the shim replaces.
# ruff: noqa: PTH110, PTH112, PTH115, PTH208

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

import zoo
from zoo import files
from zoo.bench.local import CellFailed, _failure
from zoo.bench.study import read_study
from zoo.cli.main import run
from zoo.errors import UsageError, ZooError
from zoo.music.roll import Roll
from zoo.registry import open_registry
from zoo.registry.menu import read_menu
from zoo.registry.words import split
from zoo.train.lock import lock_folder

STUDY = '[[grid]]\nattention = ["none", "history"]\n'
TINY = "attention=none attention.local=2 attention.features=4 sampler.hidden=3 decoder.hidden=3"
SHORT = ["frames=16", "stride=8", "past=4", "batch=4", "steps=2", "validate_every=2", "device=cpu"]


def denied(path: Any, code: int = 5) -> PermissionError:
    error = PermissionError(errno.EACCES, "Permission denied", os.fspath(path))
    error.winerror = code  # type: ignore[attr-defined]
    return error


def is_open(path: Any) -> bool:
    """Whether this process has a file open, or a file in a folder."""
    real = os.path.realpath(path)
    targets = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            targets.add(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:
            continue
    return any(target == real or target.startswith(f"{real}/") for target in targets)


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("the shim looks up open files in /proc")
    really = {name: getattr(os, name) for name in ("open", "fsync", "rename", "replace", "unlink", "remove")}

    def open_file(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if os.path.isdir(path):
            raise denied(path)
        return really["open"](path, flags, *more, **named)

    def fsync(handle: Any) -> None:
        number = handle if isinstance(handle, int) else handle.fileno()
        if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        really["fsync"](handle)

    def closed(name: str) -> Callable[..., Any]:
        def wrapped(path: Any, *more: Any, **named: Any) -> Any:
            if "filelock" in os.fspath(path):  # filelock has its own implementation for Windows
                return really[name](path, *more, **named)
            if is_open(path) or (more and is_open(more[0])):
                raise denied(path, 32)
            if name == "rename" and more and os.path.exists(more[0]):
                raise FileExistsError(errno.EEXIST, "File exists", os.fspath(more[0]))
            if name == "replace" and more and os.path.isdir(more[0]):
                raise denied(path)
            return really[name](path, *more, **named)

        return wrapped

    monkeypatch.setattr(os, "open", open_file)
    monkeypatch.setattr(os, "fsync", fsync)
    for name in ("rename", "replace", "unlink", "remove"):
        monkeypatch.setattr(os, name, closed(name))
    monkeypatch.setattr("shutil._use_fd_functions", False)
    monkeypatch.setattr(files, "_exchange", lambda part, place: False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture
def songs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "songs"
    folder.mkdir()
    for number in range(10):
        onset = np.zeros((32 + number, 88), np.bool_)
        onset[::2, 30 + number] = onset[1::4, 40 + number] = True
        Roll(onset, onset).write(folder / f"{number}.mid")
    return folder


def test_the_shim_refuses_what_windows_refuses(windows: None, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    with pytest.raises(PermissionError):
        os.open(tmp_path, os.O_RDONLY)
    with (tmp_path / "a").open() as reading:
        with pytest.raises(OSError, match="Bad file"):
            os.fsync(reading.fileno())
        with pytest.raises(PermissionError):
            (tmp_path / "a").unlink()
        with pytest.raises(PermissionError):
            (tmp_path / "a").replace(tmp_path / "b")


def test_files_and_folders_are_written_and_replaced(windows: None, tmp_path: Path) -> None:
    for content in ("one", "two"):
        files.write_file(tmp_path / "file", content)
        with files.new_folder(tmp_path / "folder") as part:
            (part / "inside").write_text(content)
        assert (tmp_path / "file").read_text() == (tmp_path / "folder" / "inside").read_text() == content
    assert {child.name for child in tmp_path.iterdir()} == {"file", "folder"}


def test_a_file_that_is_read_meanwhile_is_waited_for(
    windows: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write_file(tmp_path / "file", "one")
    with (tmp_path / "file").open() as reading:
        with pytest.raises(ZooError, match="permission denied"):
            files.write_file(tmp_path / "file", "two")
        assert (tmp_path / "file").read_text() == "one"
        monkeypatch.setattr("time.sleep", lambda seconds: reading.close())
        files.write_file(tmp_path / "file", "two")
    assert (tmp_path / "file").read_text() == "two"
    assert [child.name for child in tmp_path.iterdir()] == ["file"]


def test_a_model_is_saved_replaced_and_loaded(windows: None, tmp_path: Path) -> None:
    for seed in (1, 2):
        zoo.build(TINY, seed=seed).save(tmp_path / "bundle", overwrite=True)
    assert str(zoo.load(tmp_path / "bundle").model.recipe) == str(zoo.build(TINY).model.recipe)


def test_a_training_is_done_resumed_and_writes_music(windows: None, songs: Path, tmp_path: Path) -> None:
    words = [*TINY.split(), f"data={songs}", *(f"train.{word}" for word in SHORT)]
    assert run(["train", *words, "-o", str(tmp_path / "run")]) == 0
    assert run(["train", "-o", str(tmp_path / "run"), "--resume", "train.steps=4"]) == 0
    assert run(["generate", str(tmp_path / "run"), "-o", str(tmp_path / "new.mid"), "--frames", "16"]) == 0


def test_an_unused_folder_is_removed_after_its_lock(windows: None, tmp_path: Path) -> None:
    with lock_folder(tmp_path / "run"):
        assert (tmp_path / "run" / "lock").exists()
    assert not (tmp_path / "run").exists()
    with FileLock(tmp_path / "lock"):
        pass


@pytest.mark.parametrize(
    ("code", "answer", "errors", "killed"),
    [
        (0xC0000005, "", "", True),
        (0xC000013A, "", "Traceback", True),
        (1, "", "", True),
        (-9, "", "", True),
        (1, "", "Traceback\nValueError: no", False),
        (5, '{"problems": [{"what": "is damaged", "where": "run", "hint": ""}]}', "", False),
    ],
)
def test_a_killed_cell_is_recognised_by_any_exit_code(
    code: int, answer: str, errors: str, killed: bool
) -> None:
    failure = _failure({"name": "core"}, code, answer, errors)
    assert isinstance(failure, CellFailed)
    assert failure.killed == killed
    assert ("was killed" in str(failure)) == killed


@pytest.mark.parametrize("words", [["list"], ["bench", "table"], ["show", "generate"], ["show", "bach"]])
@pytest.mark.parametrize("page", ["cp1252", "cp437", "ascii"])
def test_a_redirected_table_survives_a_code_page(page: str, words: list[str], tmp_path: Path) -> None:
    study = Path(__file__).parents[1] / "benchmarks" / "studies" / "attention.toml"
    given = [*words, str(study)] if "table" in words else words
    done = subprocess.run(
        [sys.executable, "-m", "zoo", *given],
        env=os.environ | {"PYTHONIOENCODING": page},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode(page)


@pytest.mark.parametrize("page", ["cp1252", "ascii"])
def test_json_keeps_every_character_in_a_code_page(page: str, songs: Path) -> None:
    (songs / "0.mid").rename(songs / "Étude ↓.mid")
    done = subprocess.run(
        [sys.executable, "-m", "zoo", "data", "show", str(songs), "--json"],
        env=os.environ | {"PYTHONIOENCODING": page, "PYTHONUTF8": "0"},
        capture_output=True,
        check=True,
    )
    assert "Étude ↓" in json.dumps(json.loads(done.stdout.decode(page)), ensure_ascii=False)


def test_a_backslash_in_a_recipe_is_kept() -> None:
    assert split(r"data=C:\music\bach attention=.\mine.py") == [r"data=C:\music\bach", r"attention=.\mine.py"]
    assert split(r'"data=C:\my music\new"') == [r"data=C:\my music\new"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_toml_with_a_byte_order_mark_is_read_or_named(encoding: str, tmp_path: Path) -> None:
    menu, study = tmp_path / "registry.toml", tmp_path / "study.toml"
    menu.write_bytes('[recipes]\nmine = "attention=none"\n'.encode(encoding))
    study.write_bytes(STUDY.encode(encoding))
    if encoding == "utf-8-sig":
        assert read_menu(menu).recipes == {"mine": "attention=none"}
        assert len(read_study(study, open_registry()).combinations) == 2
        return
    for read in (lambda: read_menu(menu), lambda: read_study(study, open_registry())):
        with pytest.raises(UsageError, match="the text is UTF-16, save it as UTF-8"):
            read()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_plugin_with_a_byte_order_mark_is_imported_or_named(
    encoding: str, ending: str, tmp_path: Path
) -> None:
    source = (Path(__file__).parent / "docs" / "my_attention.py").read_text("utf-8")
    (tmp_path / "mine.py").write_bytes(source.replace("\n", ending).encode(encoding))
    if encoding == "utf-8-sig":
        zoo.build(f"attention={tmp_path / 'mine.py'}")
        return
    with pytest.raises(ZooError, match="the text is UTF-16, save it as UTF-8"):
        zoo.build(f"attention={tmp_path / 'mine.py'}")


def test_files_are_opened_as_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without O_BINARY, `os.open` on Windows converts line endings and stops at byte 26."""
    from zoo import limits

    flags = []
    really = os.open
    monkeypatch.setattr(os, "O_BINARY", 1 << 30, raising=False)

    def open_file(path: Any, given: int, *more: Any) -> int:
        flags.append(given)
        return really(path, given & ~(1 << 30), *more)

    monkeypatch.setattr(os, "open", open_file)
    (tmp_path / "a").write_bytes(b"\x1a\r\n")
    assert limits.read_bytes(tmp_path / "a", "config") == b"\x1a\r\n"
    assert flags[0] & (1 << 30)


def test_no_module_needs_what_windows_lacks() -> None:
    """POSIX-only modules are imported only where they are used."""
    lacking = ("fcntl", "resource", "pwd", "grp", "termios")
    code = f"""
import builtins, importlib, pkgutil, sys
really = builtins.__import__
def guarded(name, *more, **named):
    caller = sys._getframe(1).f_globals.get("__name__", "")
    if name.partition(".")[0] in {lacking} and caller.startswith("zoo"):
        raise ImportError(name)
    return really(name, *more, **named)
builtins.__import__ = guarded
import zoo
for module in pkgutil.walk_packages(zoo.__path__, "zoo."):
    if ".scaffold" not in module.name and module.name != "zoo.__main__":
        importlib.import_module(module.name)
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"ZOO_PLUGINS": ""})
