from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pytest

from zoo import __version__
from zoo.cli import main
from zoo.errors import BundleError, ClaimError, DataError, NonFiniteError, PluginError, Problem, UsageError
from zoo.music.roll import Notes, Roll

from .conftest import Run

ROOT = Path(__file__).parents[2]


def failing(error: BaseException) -> click.Command:
    def fail() -> None:
        raise error

    return click.Command("fail", callback=fail)


@pytest.fixture
def fail_with(monkeypatch: pytest.MonkeyPatch) -> object:
    """Add a command `fail` to the zoo that raises the given error."""

    def fail_with(error: BaseException) -> None:
        module = type(sys)("zoo.cli.fail")
        module.command = failing(error)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "zoo.cli.fail", module)
        monkeypatch.setitem(main.COMMANDS, "fail", "Fail.")

    return fail_with


def test_version_and_help(run: Run) -> None:
    assert run("--version").out == f"polyzoo {__version__}"
    result = run("--help")
    assert result.code == 0
    assert all(f"  {name} " in result.out for name in main.COMMANDS)
    assert run().out == result.out


@pytest.mark.parametrize("name", list(main.COMMANDS))
def test_command_list_matches_the_help_of_each_command(name: str) -> None:
    command = main.zoo.get_command(click.Context(main.zoo), name)
    assert command
    assert command.get_short_help_str(limit=500).rstrip(".") == main.COMMANDS[name].rstrip(".")


@pytest.mark.parametrize(
    ("words", "err"),
    [
        ("lits", "error: zoo has no command lits\n  did you mean list\n"),
        ("zzz", "error: zoo has no command zzz\n  `zoo --help` lists them\n"),
        ("plugin lits", "error: zoo plugin has no command lits\n  did you mean list\n"),
        ("decoder=rbm", "error: decoder=rbm: a recipe needs a command\n  write zoo build decoder=rbm\n"),
        ("--vresion", "error: zoo has no option --vresion\n  did you mean --version\n"),
        ("list --jsn", "error: zoo list has no option --jsn\n  did you mean --json\n"),
        ("train --resume my_run", "error: zoo train: -o is missing\n  add -o RUN; see `zoo train --help`\n"),
        (
            "generate bach -o new.mid --tempo fast",
            "error: zoo generate: Invalid value for '--tempo': 'fast' is not a valid number\n"
            "  see `zoo generate --help`\n",
        ),
        (
            "show",
            "error: zoo show: Missing argument 'SLOT.NAME|BUNDLE|train|generate'\n  see `zoo show --help`\n",
        ),
        (
            "completion tcsh",
            "error: zoo completion: Invalid value for '{bash|zsh|fish}': 'tcsh' is not one of "
            "'bash', 'zsh', 'fish'\n  see `zoo completion --help`\n",
        ),
    ],
)
def test_typing_errors_get_hints(words: str, err: str, run: Run) -> None:
    result = run(*words.split())
    assert (result.code, result.out, result.err) == (2, "", err)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (DataError("x"), 3),
        (PluginError("x"), 4),
        (BundleError("x"), 5),
        (NonFiniteError("x"), 6),
        (ClaimError("x"), 7),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (ValueError("x"), 1),
        (RecursionError(), 1),
    ],
)
def test_exit_codes(error: BaseException, code: int, run: Run, fail_with: object) -> None:
    fail_with(error)  # type: ignore[operator]
    result = run("fail")
    assert result.code == code
    assert result.out == ""
    assert "Traceback" not in result.err


def test_all_problems_are_printed_without_markup(run: Run, fail_with: object) -> None:
    fail_with(  # type: ignore[operator]
        UsageError(
            Problem("this is [bold]not[/] bold", "a\x1b[31m/[/x].mid", "rename :smile: it"), "and more " * 20
        )
    )
    assert run("fail").err == (
        "error: a\\x1b[31m/[/x].mid: this is [bold]not[/] bold\n  rename :smile: it\n"
        f"error: {'and more ' * 20}\n"
    )


def test_full_disk_and_unexpected_errors_are_one_line(run: Run, fail_with: object) -> None:
    fail_with(OSError(28, "No space left on device", "/music/out.mid"))  # type: ignore[operator]
    result = run("fail")
    assert (result.code, result.err) == (1, "error: /music/out.mid: No space left on device\n")
    fail_with(ValueError("boo"))  # type: ignore[operator]
    assert run("fail").err == "error: ValueError: boo\n  this is a bug; --trace shows where it happened\n"


@pytest.mark.parametrize("words", [("--trace", "fail"), ("fail", "--trace")])
def test_trace_prints_a_traceback(words: tuple[str, ...], run: Run, fail_with: object) -> None:
    fail_with(UsageError("boo"))  # type: ignore[operator]
    result = run(*words)
    assert "Traceback (most recent call last)" in result.err
    assert result.err.endswith("error: boo\n")


def zoo(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zoo", *words]
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )


def test_tables_are_truncated_only_on_a_terminal(tmp_path: Path) -> None:
    piped = zoo("show", "train").stdout
    narrow = zoo("show", "train", COLUMNS="80").stdout
    assert max(map(len, narrow.splitlines())) <= 80
    assert len(piped.splitlines()) < len(narrow.splitlines())
    assert "…" not in piped + narrow


def without_a_reader(*command: str, errors_too: bool = False) -> subprocess.CompletedProcess[str]:
    """The command after the reader of its output has closed the pipe, as `head -1` does after one line."""
    reader, writer = os.pipe()
    os.close(reader)
    errors = writer if errors_too else subprocess.PIPE
    usual = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    try:
        return subprocess.run(
            [sys.executable, *command], stdout=writer, stderr=errors, text=True, env=usual, check=False
        )
    finally:
        os.close(writer)


READERLESS = (
    *("list", "list --json", "show attention.history", "show attention.history --json", "data list"),
    *("data list --json", "plugin list", "midi check x.mid", "build --json", "completion bash"),
    *("--version", "--help", "list --help"),
)


@pytest.mark.parametrize("words", READERLESS)
@pytest.mark.parametrize("errors_too", [False, True])
def test_closed_pipe_ends_the_command_silently(words: str, errors_too: bool) -> None:
    result = without_a_reader("-m", "zoo", *words.split(), errors_too=errors_too)
    assert (result.returncode, result.stderr) == (1, None if errors_too else "")


@pytest.mark.parametrize("errors_too", [False, True])
def test_error_is_printed_even_if_standard_output_is_closed(errors_too: bool) -> None:
    """The buffered output is discarded after the error and causes no second one at exit."""
    script = """if True:
        import sys
        from zoo.cli import main
        from zoo.errors import DataError

        def fail(words):
            sys.stdout.write("an answer")
            raise DataError("boo")

        main._run = fail
        sys.exit(main.run([]))
    """
    result = without_a_reader("-c", script, errors_too=errors_too)
    assert (result.returncode, result.stderr) == (3, None if errors_too else "error: boo\n")


LIGHT = """
import sys
heavy = ("torch", "numpy", "music21", "pretty_midi", "matplotlib", "scipy")
sys.modules.update(dict.fromkeys(heavy))  # importing one now raises
from zoo.cli.main import run
lines = ["--help", "list", "list --json", "show decoder.lstm", "plugin list", "completion bash"]
wrong = ["lits", "list decoders", "show lstm", "build decoder=lsmt", "build attention=lstm",
         "build decoder.hiden=3", "build decoder.hidden=0", "build seed=1 seed=2", "build attention history"]
print([run(line.split()) for line in lines], [run(line.split()) for line in wrong], file=sys.stderr)
"""


def test_heavy_imports_are_deferred() -> None:
    result = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    assert result.stderr.splitlines()[-1] == f"{[0] * 6} {[2] * 9}"


UNREAD = """
import sys
from zoo.cli.main import run
lines = ["--help", "lits", "list --json", "list decoders"]
done = [run(line.split()) for line in lines]
print(done, {"pydantic", "rich", "importlib.metadata"} & set(sys.modules), file=sys.stderr)
"""


def test_list_as_json_does_not_import_pydantic_or_rich() -> None:
    result = subprocess.run([sys.executable, "-c", UNREAD], capture_output=True, text=True, check=True)
    assert result.stderr.splitlines()[-1] == "[0, 2, 0, 2] set()"


def seconds(*words: str) -> float:
    """Seconds that a Python process takes."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *words], capture_output=True, check=False)
    return time.perf_counter() - start


@pytest.mark.slow
def test_startup_time() -> None:
    libraries = (
        "-c",
        "import pluggy, click, rich.console, rich.table; from pydantic import BaseModel, Field",
    )
    lines = [("--help",), ("list",), ("build", "decoder.hiden=3")]
    rivals = [libraries, *(("-m", "zoo", *line) for line in lines)]
    # Alternately, with the best of many runs for each: only a machine that is busy all the time distorts it.
    tries = [[seconds(*words) for words in rivals] for _ in range(10)]
    bare, *ours = map(min, zip(*tries, strict=True))
    assert [line for line, best in zip(lines, ours, strict=True) if best > 2 * bare] == []


@pytest.mark.parametrize("path", [":/opt/lib", "/opt/lib:", ":", "/opt/lib::/other"])
def test_an_empty_entry_of_pythonpath_is_not_the_current_folder(path: str, tmp_path: Path) -> None:
    """`export PYTHONPATH=$PYTHONPATH:/opt/lib` makes one if the variable was not set."""
    for name in ("click", "numpy", "rich"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the current folder')\n")
    (tmp_path / "mine.py").write_text("print('mine')\n")
    code = (
        "import zoo.cli.main, os; print(os.environ['PYTHONPATH']); zoo.cli.main.run(['list']); import numpy"
    )
    for extra in ("", str(tmp_path)):
        environment = os.environ | {"PYTHONPATH": f"{path}:{extra}" if extra else path}
        command = [sys.executable, "-P", "-c", code]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert ("imported from" in done.stderr) == bool(extra), done.stderr
        if not extra:
            assert done.stdout.splitlines()[0] == path.replace("::", ":").strip(":")


@pytest.mark.parametrize("path", ["", ".", "here"])
def test_no_program_in_the_current_folder_is_run(path: str, tmp_path: Path) -> None:
    """matplotlib runs fc-list when it looks for fonts."""
    (tmp_path / "here").mkdir()
    for folder in (tmp_path, tmp_path / "here"):
        (folder / "fc-list").write_text("#!/bin/sh\n/bin/touch was-run\n")
        (folder / "fc-list").chmod(0o755)
    code = "import zoo.cli.main, subprocess; subprocess.run(['fc-list'], check=False)"
    environment = os.environ | {"PATH": f"{path}:/usr/bin:{path}:/bin"}
    subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, check=False
    )
    assert not (tmp_path / "was-run").exists()


def test_marks_stay_marks_on_a_terminal_that_lacks_their_characters() -> None:
    """`? 3.7` would be a number of unknown kind, not a bound."""
    code = """if True:
        import sys, zoo.cli.main
        from zoo.cli.answer import take_standard_output
        take_standard_output()
        print("\u2264 3.7 \u00b1 0.1, \u2272 3.6, \u266b")
        print("\u2264 a bound", file=sys.stderr)"""
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("<= 3.7 +- 0.1, <~ 3.6, ?\n", "<= a bound\n")


def test_module_does_not_import_from_the_current_folder(tmp_path: Path) -> None:
    for name in ("click", "pluggy", "tomllib", "difflib"):
        (tmp_path / f"{name}.py").write_text("open('was-imported', 'w')\nraise SystemExit('imported')")
    command = [sys.executable, "-m", "zoo", "list", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "was-imported").exists()


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", ">/dev/full"])
def test_closed_standard_streams_are_supported(closed: str) -> None:
    script = f"{sys.executable} -m zoo list --json {closed}; echo $? >&3"
    done = subprocess.run(
        ["bash", "-c", f"exec 3>&1; out=$({script}); echo ${{#out}}"],
        capture_output=True,
        text=True,
        check=True,
    )
    code, length = done.stdout.split()
    assert (code == "0") == (closed != ">/dev/full")
    assert (int(length) > 1000) == (closed == "2>&-")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_file_names_cannot_imitate_output(run: Run, tmp_path: Path) -> None:
    name = "music\nerror: all your files are gone\r\x1b[2K"
    for words in (["evaluate", name], ["generate", name, "-o", "out.mid"], ["data", "scan", name]):
        result = run(*words)
        assert result.code != 0
        assert result.err.count("error: ") == 2
        assert "\nerror: all" not in result.err
        assert "\\nerror: all your files are gone\\r\\x1b" in result.err


def test_json_contains_no_characters_that_control_a_terminal(run: Run) -> None:
    name = "\x9b2J\u202eevil.mid"
    Path(name).write_bytes(b"no music")
    result = run("midi", "check", name, "--json")
    assert all(char.isprintable() or char == "\n" for char in result.out)
    assert json.loads(result.out)[0]["path"] == name


def test_file_name_that_is_not_utf_8_is_an_error(run: Run) -> None:
    name = os.fsdecode(b"m\xfcsic")
    for words in (
        ["train", f"data={name}", "-o", "run"],
        ["evaluate", f"data={name}"],
        ["data", "scan", name],
    ):
        result = run(*words)
        assert result.code == 2
        assert "not valid UTF-8\n  rename the file, or use a link to it: ln -s NAME music" in result.err
        assert "surrogate" not in result.err
        assert "m\\udcfcsic" in result.err


@pytest.mark.parametrize(
    "words", [("evaluate", "bach", "data=~nosuch/m"), ("generate", "bach", "--seconds", "nan", "-o", "n.mid")]
)
def test_odd_values_are_mistakes_and_not_bugs(words: tuple[str, ...], run: Run) -> None:
    result = run(*words)
    assert result.code in (2, 3)
    assert "bug" not in result.err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("train", "--tempo", "90"), "see `zoo train --help`"),
        (("generate", "bach", "--temp", "90"), "did you mean --tempo"),
        (("generate", "bach", "--hepl"), "did you mean --help"),
    ],
)
def test_only_options_that_resemble_it_are_guessed(run: Run, words: tuple[str, ...], hint: str) -> None:
    result = run(*words)
    assert result.code == 2
    assert hint in result.err


@pytest.mark.parametrize("words", [("list",), ("plugin", "list"), ("data", "list"), ("models", "list")])
def test_lists_fit_a_page_in_a_pipe(words: tuple[str, ...], tmp_path: Path) -> None:
    script = "import sys\nfrom zoo.cli.main import run\nsys.exit(run(sys.argv[1:]))"
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    environment["ZOO_CACHE"] = str(tmp_path)
    result = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, check=True, env=environment, text=True
    )
    lines = result.stdout.splitlines()
    assert len(lines) > 2
    assert [line for line in lines if len(line) > 80 or line != line.rstrip()] == []


@pytest.mark.parametrize(
    "words",
    [
        ("show", "train"),
        ("show", "generate"),
        ("show", "bach"),
        ("data", "scan", "songs"),
        ("runs", "."),
        ("evaluate", "bach", "data=songs", "split=all"),
        ("bench", "table", str(ROOT / "benchmarks" / "studies" / "combinations.toml")),
    ],
)
def test_lines_in_a_pipe_have_no_blanks_at_the_end(words: tuple[str, ...], tmp_path: Path) -> None:
    start = np.arange(8, dtype=np.int64) * 4
    notes = Notes(start, start + 4, 40 + start // 2, np.full(8, 64, np.uint8))
    (tmp_path / "songs").mkdir()
    Roll.from_notes(notes).write(tmp_path / "songs" / "up.mid")
    (tmp_path / "damaged_run").mkdir()
    for name in ("last.safetensors", "metrics.jsonl"):
        (tmp_path / "damaged_run" / name).touch()
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    environment["ZOO_CACHE"] = str(tmp_path / "cache")
    command = [sys.executable, "-m", "zoo", *words]
    result = subprocess.run(command, capture_output=True, cwd=tmp_path, env=environment, text=True)
    assert result.returncode == 0, result.stderr
    assert len(lines := result.stdout.splitlines()) > 1
    assert [line for line in (*lines, *result.stderr.splitlines()) if line != line.rstrip()] == []


LONG = "a model whose name is longer than a line of eighty columns can hold, and a hint that is as long"


@pytest.mark.parametrize("width", [80, 50])
def test_errors_and_notes_are_wrapped_at_words_on_a_terminal(
    run: Run, fail_with: object, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    hint = f"{LONG}: `zoo train data=FOLDER -o RUN` or any other command"
    fail_with(UsageError(Problem(LONG, "place", hint)))  # type: ignore[operator]
    assert run("fail").err == f"error: place: {LONG}\n  {hint}\n"
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    lines = click.unstyle(run("fail").err).splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) == sum(line.startswith(("error", "  ")) for line in lines) > 3
    assert " ".join(line.strip() for line in lines) == f"error: place: {LONG} {hint}"
    assert sum("`zoo train data=FOLDER -o RUN`" in line for line in lines) == 1


def test_a_note_is_wrapped_on_a_terminal_alone(capsys: pytest.CaptureFixture[str]) -> None:
    from zoo.cli import console

    for is_terminal, most in ((False, 1), (True, 3)):
        stream = io.StringIO()
        stream.isatty = lambda answer=is_terminal: answer  # type: ignore[method-assign, misc]
        console._Console(file=stream, width=80, markup=False, color_system=None).print_line(f"{LONG}; {LONG}")
        lines = stream.getvalue().splitlines()
        assert len(lines) == most
        assert " ".join(line.strip() for line in lines) == f"{LONG}; {LONG}"


def test_help_of_train_lists_all_settings(run: Run) -> None:
    from zoo.train.settings import TrainSettings

    out = run("train", "--help").out
    for name in ("data", "grid", "pedal", *(f"train.{name}" for name in TrainSettings.model_fields)):
        assert re.search(rf"^  {re.escape(name)}=\S+  ", out, re.MULTILINE), name
    assert max(map(len, out.splitlines())) <= 80


def test_report_without_a_name_suggests_one(run: Run) -> None:
    result = run("report", "bach", "-o", "")
    assert result.code == 2
    assert "write -o music.html" in result.err


def test_a_bundle_needs_a_folder_of_its_own(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("build", "-o", ".")
    assert result.code == 2
    assert "a bundle needs a folder of its own, not the current folder" in result.err
    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["train", "data=bach", "train.steps=1", "-o", "loop"],
        ["train", "-o", "loop", "--resume"],
        ["tune", "attention=last,none", "data=bach", "-o", "loop"],
        ["runs", "compare", "loop", "bach"],
        ["bench", "run", "study.toml", "--results", "loop"],
    ],
)
def test_a_link_to_itself_is_reported_as_a_path(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    Path("study.toml").write_text('title = "a"\ndata = ["bach"]\n[[grid]]\nattention = ["last"]\n')
    assert main.run(words) in (1, 2, 5)
    printed = capsys.readouterr().err
    assert "loop" in printed
    assert "this is a bug" not in printed


LEFT = """
import sys, threading, time

from zoo.cli.main import main

threading.Thread(target=time.sleep, args=(600,)).start()
sys.argv = ["zoo", "completion", "bash"]
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_thread_that_is_left_can_be_ended_by_a_signal(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", LEFT], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while "complete -F" not in process.stdout.readline():
            assert process.poll() is None
        end = time.monotonic() + 100
        while process.poll() is None and time.monotonic() < end:
            process.send_signal(number)
            time.sleep(0.3)
        process.kill()
    assert process.returncode == -number
