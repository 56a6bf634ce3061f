"""Plugins created by `zoo plugin new` pass all contract checks of their slot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from zoo.parts import SLOTS
from zoo.scaffold.naming import PLACEHOLDER

from .conftest import Run


def put_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Metadata next to the written package, as pip would leave it after an editable installation."""
    monkeypatch.setenv("PYTHONPATH", str(folder.resolve()))
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = project["entry-points"]["zoo.plugins"]
    lines = "".join(f"{name} = {module}\n" for name, module in points.items())
    (info / "entry_points.txt").write_text(f"[zoo.plugins]\n{lines}")
    monkeypatch.syspath_prepend(str(folder.resolve()))


@pytest.mark.parametrize("slot", SLOTS)
def test_a_package_passes_its_checks_and_is_listed(
    slot: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"my-{slot}"
    result = run("plugin", "new", name, "--slot", slot, "--json")
    assert result.code == 0
    written = json.loads(result.out)
    for path in written["written"]:
        text = Path(path).read_text()
        assert PLACEHOLDER not in text.lower()
        if path.endswith(".py"):
            compile(text, path, "exec")
    put_on_path(Path(f"polyzoo-{name}"), monkeypatch)

    (row,) = [row for row in json.loads(run("list", slot, "--json").out) if row["name"] == name]
    assert (row["word"], row["distribution"], row["version"]) == (name, f"polyzoo-{name}", "0.1.0")
    checked = run("plugin", "check", f"{slot}.{name}", "--json")
    (report,) = json.loads(checked.out)
    assert [check for check in report["checks"] if check["verdict"] == "failed"] == []
    assert (checked.code, report["ok"]) == (0, True)
    assert run("build", f"{slot}={name}").code == 0


@pytest.mark.parametrize("slot", SLOTS)
def test_a_file_passes_its_checks_and_works_at_once(slot: str, run: Run) -> None:
    result = run("plugin", "new", f"my-{slot}", "--slot", slot, "--file", "--json")
    row = json.loads(result.out)
    file = f"my_{slot}.py"
    assert row["written"] == [file]
    assert PLACEHOLDER not in Path(file).read_text().lower()
    checked = run("plugin", "check", f"./{file}", "--json")
    (report,) = json.loads(checked.out)
    assert [check for check in report["checks"] if check["verdict"] == "failed"] == []
    assert (checked.code, report["part"]) == (0, f"{slot}.my-{slot}")
    assert run("build", f"{slot}=./{file}").code == 0

    Path("registry.toml").write_text(f"[plugins]\n{row['registry']}\n")
    assert run("build", f"{slot}=my-{slot}", "--local").code == 0


def test_what_is_printed(run: Run) -> None:
    result = run("plugin", "new", "mdn", "--slot", "decoder")
    assert result.out == (
        "wrote polyzoo-mdn/pyproject.toml\n"
        "wrote polyzoo-mdn/README.md\n"
        "wrote polyzoo-mdn/polyzoo_mdn/__init__.py\n"
        "wrote polyzoo-mdn/polyzoo_mdn/part.py\n"
        "wrote polyzoo-mdn/tests/test_contract.py\n"
        "\n"
        "next\n"
        "  pip install -e ./polyzoo-mdn  `zoo list` shows it from now on\n"
        "  zoo plugin check decoder.mdn  check the contract of its slot\n"
        "  zoo build decoder=mdn         beside the default parts"
    )
    assert 'parametrize("decoder.mdn")' in Path("polyzoo-mdn/tests/test_contract.py").read_text()
    readme = Path("polyzoo-mdn/README.md").read_text()
    assert "decoder=mdn" in readme
    assert "attention" not in readme
    result = run("plugin", "new", "mdn", "--slot", "decoder", "--file")
    assert result.out == (
        "wrote mdn.py\n"
        "\n"
        "next\n"
        "  zoo build decoder=./mdn.py  it works at once\n"
        "  zoo plugin check ./mdn.py   check the contract of its slot\n"
        "\n"
        "to write decoder=mdn in this folder, with --local: in ./registry.toml\n"
        "  [plugins]\n"
        '  mdn = "./mdn.py"'
    )


@pytest.mark.parametrize(
    ("name", "slot", "err"),
    [
        ("lstm", "decoder", "decoder.lstm: polyzoo 0.1.0 has a part with this name\n  choose another name"),
        ("rbm", "attention", "rbm: polyzoo 0.1.0 has a plugin with this name\n  choose another name"),
        (
            "class",
            "decoder",
            "class: this is a reserved word of Python and cannot be the name of a module\n  write my-class",
        ),
        (
            "My_Part",
            "decoder",
            "My_Part: invalid name: use lower-case letters, digits and single hyphens, "
            "starting with a letter\n"
            "  write my-part",
        ),
        (
            "../3",
            "decoder",
            "../3: invalid name: use lower-case letters, digits and single hyphens, "
            "starting with a letter\n"
            "  write something like my-part",
        ),
        ("mine", "decodr", "--slot takes a slot, but decodr is not a slot\n  did you mean decoder"),
    ],
)
@pytest.mark.parametrize("form", [(), ("--file",)])
def test_refused(
    name: str, slot: str, err: str, form: tuple[str, ...], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo.__version__", "0.1.0")
    result = run("plugin", "new", name, "--slot", slot, *form)
    assert (result.code, result.out, result.err) == (2, "", f"error: {err}\n")
    assert list(Path().iterdir()) == []


def test_existing_files_are_kept(run: Run) -> None:
    Path("polyzoo-mine").mkdir()
    Path("mine.py").write_text("x = 1\n")
    for form, path in (((), "polyzoo-mine"), (("--file",), "mine.py")):
        result = run("plugin", "new", "mine", "--slot", "decoder", *form)
        assert result.code == 2
        assert result.err == f"error: {path}: this already exists\n  move it, or choose another name\n"
    assert list(Path("polyzoo-mine").iterdir()) == []
    assert Path("mine.py").read_text() == "x = 1\n"
    Path("polyzoo-other").symlink_to("unmounted")
    assert run("plugin", "new", "other", "--slot", "decoder").code == 2
    assert Path("polyzoo-other").is_symlink()


def test_name_of_another_plugin_is_taken(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("plugin", "new", "mine", "--slot", "velocity")
    put_on_path(Path("polyzoo-mine"), monkeypatch)
    monkeypatch.chdir("polyzoo-mine")
    result = run("plugin", "new", "mine", "--slot", "velocity")
    assert "velocity.mine: polyzoo-mine 0.1.0 has a part with this name" in result.err
    result = run("plugin", "new", "mine", "--slot", "encoder")
    assert "mine: polyzoo-mine 0.1.0 has a plugin with this name" in result.err


@pytest.mark.slow
def test_its_own_tests_pass(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("plugin", "new", "mine", "--slot", "velocity")
    folder = Path("polyzoo-mine")
    put_on_path(folder, monkeypatch)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder.resolve())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " failed" not in done.stdout
    assert " passed" in done.stdout
