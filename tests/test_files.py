"""Atomic writing: after a kill or a full disk, either the old or the new file is complete."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from zoo import files
from zoo.errors import ZooError
from zoo.train.events import Stepped
from zoo.train.lock import lock_folder
from zoo.train.run import Run

KILLS = int(os.environ.get("ZOO_STRESS_KILLS", "20"))

WRITE_FOR_EVER = """
import itertools, sys
from zoo.files import new_folder, write_file
print("ready", flush=True)
for version in itertools.count():
    content = bytes([version % 256]) * 300_000
    write_file(sys.argv[1] + "/file", content)
    with new_folder(sys.argv[1] + "/folder") as part:
        (part / "one").write_bytes(content)
        (part / "two").write_bytes(content)
"""

WRITE_PAST_THE_LIMIT = """
import resource, sys
from zoo.errors import ZooError
from zoo.files import new_folder, write_file
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for write in sys.argv[2:]:
    try:
        if write == "file":
            write_file(sys.argv[1] + "/file", b"x" * 5000)
        else:
            with new_folder(sys.argv[1] + "/folder") as part:
                (part / "one").write_bytes(b"x" * 5000)
    except ZooError as error:
        print(error.problems[0].what)
"""


def test_a_pipe_or_device_is_not_replaced(tmp_path: Path) -> None:
    """As root, `-o /dev/null` would replace the null device of the machine."""
    assert files.is_special(os.devnull)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for name in ("pipe", "link"):
        with pytest.raises(ZooError, match="is a pipe or a device, not a file"):
            files.write_file(tmp_path / name, "one")
        assert files.is_special(tmp_path / name)


def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    for name in ("n" * 255, "\N{MUSICAL SYMBOL G CLEF}" * 63):
        files.write_file(tmp_path / name, "one")
        assert (tmp_path / name).read_text() == "one"


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    files.write_file(tmp_path / "a", "one")
    files.write_file(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_text() == "two"
    assert [child.name for child in tmp_path.iterdir()] == ["a"]


def test_written_files_have_default_permissions(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        files.write_file(tmp_path / "a", "one")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


def test_what_is_replaced_keeps_its_permissions(tmp_path: Path) -> None:
    """A file that its owner has hidden on a shared machine must not become readable for all."""
    (tmp_path / "a").write_text("one")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "b").write_text("one")
    for name, mode in (("a", 0o600), ("folder", 0o500), ("folder/b", 0o400)):
        (tmp_path / name).chmod(mode)
    files.write_file(tmp_path / "a", "two")
    with files.new_folder(tmp_path / "folder") as part:
        (part / "b").write_text("two")
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "folder", "folder/b")}
    assert modes == {"a": 0o600, "folder": 0o700, "folder/b": 0o600}
    assert (tmp_path / "a").read_text() == (tmp_path / "folder" / "b").read_text() == "two"


@pytest.mark.parametrize("has_links", [True, False])
def test_nothing_is_replaced_if_a_free_name_is_asked_for(
    has_links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_links:
        monkeypatch.setattr(os, "link", Mock(side_effect=PermissionError(1, "Operation not permitted")))
    taken: dict[Path, Path] = {}
    for text in ("one", "two", "three"):
        files.write_files([(tmp_path / "a.txt", text.encode())], taken.__setitem__)
    assert taken == {tmp_path / "a.txt": tmp_path / "a-3.txt"}
    contents = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert contents == {"a.txt": "one", "a-2.txt": "two", "a-3.txt": "three"}


@pytest.mark.parametrize("target", ["mine", "missing", "link"])
def test_a_link_is_replaced_and_not_followed(target: str, tmp_path: Path) -> None:
    """In a folder from someone else, `listen.html` may be a link to ~/.vimrc, even if that does not exist."""
    (tmp_path / "mine").write_text("precious")
    (tmp_path / "link").symlink_to(target)
    files.write_file(tmp_path / "link", "two")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "link").read_text() == "two"
    assert (tmp_path / "mine").read_text() == "precious"
    assert not (tmp_path / "missing").exists()


def test_a_file_is_written_to_a_folder_that_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    files.write_file(tmp_path / "link" / "a", "one")
    assert (tmp_path / "folder" / "a").read_text() == "one"


def test_no_folder_is_created_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("missing")
    with (
        pytest.raises(ZooError, match="is a link to a folder that does not exist"),
        files.new_folder(tmp_path / "link", own=["a"]),
    ):
        pass
    assert (tmp_path / "link").is_symlink()
    with files.new_folder(tmp_path / "link") as part:
        (part / "a").write_text("one")
    assert not (tmp_path / "link").is_symlink()
    assert [path.name for path in tmp_path.iterdir()] == ["link"]


def test_an_error_leaves_only_the_old_file(tmp_path: Path) -> None:
    files.write_file(tmp_path / "a", "one")

    def fail() -> None:
        with files.new_file(tmp_path / "a") as part:
            part.write_text("half")
            raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        fail()
    assert (tmp_path / "a").read_text() == "one"
    assert [child.name for child in tmp_path.iterdir()] == ["a"]


def test_a_missing_folder_is_reported_once(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="no such file") as error:
        files.write_file(tmp_path / "missing" / "a", "one")
    assert error.value.exit_code == 1
    assert str(tmp_path / "missing" / "a") in str(error.value)


@pytest.mark.parametrize("exchanged", [True, False])
def test_a_folder_is_replaced_as_a_whole(
    tmp_path: Path, exchanged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchanged:
        monkeypatch.setattr(files, "_exchange", lambda one, other: False)
    for version in ("one", "two"):
        with files.new_folder(tmp_path / "f") as part:
            (part / version).write_text(version)
    assert [child.name for child in (tmp_path / "f").iterdir()] == ["two"]
    assert [child.name for child in tmp_path.iterdir()] == ["f"]


def test_sweep_removes_only_temporary_files(tmp_path: Path) -> None:
    (tmp_path / ".a.0123cdef.part").write_text("half")
    (tmp_path / ".f.0123cdef.part").mkdir()
    for name in (".hidden", ".song.mp3.part"):
        (tmp_path / name).write_text("mine")
    files.sweep(tmp_path)
    assert sorted(child.name for child in tmp_path.iterdir()) == [".hidden", ".song.mp3.part"]


def test_a_full_disk_is_reported_once_and_keeps_the_old_file(tmp_path: Path) -> None:
    files.write_file(tmp_path / "file", "old")
    with files.new_folder(tmp_path / "folder") as part:
        (part / "one").write_text("old")
    command = [sys.executable, "-c", WRITE_PAST_THE_LIMIT, str(tmp_path), "file", "folder"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["cannot be written: file too large"] * 2
    assert (tmp_path / "file").read_text() == (tmp_path / "folder" / "one").read_text() == "old"
    assert {child.name for child in tmp_path.iterdir()} == {"file", "folder"}


def test_a_killed_writer_leaves_complete_files(tmp_path: Path) -> None:
    for cycle in range(KILLS):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITE_FOR_EVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        with writer.stdout:
            writer.stdout.readline()
            time.sleep(0.02 + 0.003 * (cycle % 20))
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        if (tmp_path / "file").exists():
            written = (tmp_path / "file").read_bytes()
            assert written == written[:1] * 300_000
        if (tmp_path / "folder").exists():
            one, two = ((tmp_path / "folder" / name).read_bytes() for name in ("one", "two"))
            assert one == two == one[:1] * 300_000
    assert (tmp_path / "file").exists()
    files.sweep(tmp_path)
    assert {child.name for child in tmp_path.iterdir()} == {"file", "folder"}


def test_the_error_names_the_file_that_caused_it(tmp_path: Path) -> None:
    with pytest.raises(ZooError) as error, files.new_folder(tmp_path / "new") as folder:
        (folder / "copy").write_bytes((tmp_path / "missing").read_bytes())
    problem = error.value.problems[0]
    assert problem.what == f"cannot be written: no such file or directory: {tmp_path / 'missing'}"
    assert problem.where == str(tmp_path / "new")
    with pytest.raises(ZooError) as error, files.new_folder(tmp_path / "no" / "new"):
        pass
    assert error.value.problems[0].what == "cannot be written: no such file or directory"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that can be entered by an unprivileged user, as whom the test runs."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    mine = folder / "mine"
    mine.mkdir()
    root = os.geteuid() == 0
    if root:
        os.chown(mine, 65534, 65534)
        os.seteuid(65534)
    try:
        yield mine
    finally:
        if root:
            os.seteuid(0)
        shutil.rmtree(folder, ignore_errors=True)


def vanish(folder: Path) -> None:
    shutil.rmtree(folder)


def close(folder: Path) -> None:
    folder.chmod(0o000)


def freeze(folder: Path) -> None:
    folder.chmod(0o555)


@pytest.mark.parametrize("when", ["before", "meanwhile"])
@pytest.mark.parametrize("harm", [vanish, close, freeze])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_an_inaccessible_folder_is_reported_with_the_given_path(
    kind: str, harm: Callable[[Path], None], when: str, open_folder: Path
) -> None:
    place = open_folder / "song"
    try:
        if when == "before":
            harm(open_folder)
        writer = files.new_file(place) if kind == "file" else files.new_folder(place)
        with pytest.raises(ZooError) as error, writer as part:  # noqa: PT012
            (part if kind == "file" else part / "one").write_bytes(b"x")
            harm(open_folder)
        (problem,) = error.value.problems
        assert problem.where == str(place)
        assert ".part" not in str(problem)
    finally:
        if open_folder.exists():
            open_folder.chmod(0o755)


def test_a_read_only_file_system_is_reported_with_the_given_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a read-only file system, even removing a missing file fails."""

    def refuse(path: Path, *arguments: object, **options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    for name in ("unlink", "write_bytes", "mkdir"):
        monkeypatch.setattr(Path, name, refuse)
    with pytest.raises(ZooError) as error:
        files.write_file(tmp_path / "song", b"x")
    assert str(error.value).startswith(f"{tmp_path / 'song'}: cannot be written: read-only file system\n")
    (tmp_path / f".song.1{files.UNFINISHED}").touch()
    files.sweep(tmp_path)


def test_a_deleted_run_folder_is_reported_once(tmp_path: Path) -> None:
    message = r"run/metrics\.jsonl: cannot be written: no such file"
    with pytest.raises(ZooError, match=message), lock_folder(tmp_path / "run"):  # noqa: PT012
        shutil.rmtree(tmp_path / "run")
        Run(tmp_path / "run").note(Stepped(1, {}, 1, 0.0))


def test_a_copy_to_a_full_disk_does_not_blame_the_original(tmp_path: Path) -> None:
    with pytest.raises(ZooError) as caught, files.new_folder(tmp_path / "copy") as part:
        raise OSError(errno.ENOSPC, "No space left on device", "original", None, str(part / "a"))
    assert "original" not in str(caught.value)


def test_a_pipe_in_a_folder_does_not_keep_it_from_being_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with files.new_folder(tmp_path / "folder") as part:
        os.link(tmp_path / "pipe", part / "pipe")
        (part / "one").write_text("1")
    assert sorted(path.name for path in (tmp_path / "folder").iterdir()) == ["one", "pipe"]


def test_everything_in_a_new_folder_is_on_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    flush = files.flush

    def record(path: Path) -> None:
        flushed.append(path.name)
        flush(path)

    monkeypatch.setattr(files, "flush", record)
    with files.new_folder(tmp_path / "folder") as part:
        (part / "bundle").mkdir()
        (part / "bundle" / "weights").write_text("weights")
        (part / "bundle" / "link").symlink_to("weights")
        (part / "claim").write_text("claim")
    assert sorted(flushed[:3]) == ["bundle", "claim", "weights"]
    assert flushed.index("weights") < flushed.index("bundle")
