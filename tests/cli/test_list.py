from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from .conftest import Run

LIST = """
     part        summary                                  plugin   status
 ──────────────────────────────────────────────────────────────────────────────
     encoder
 *     fold      Octaves folded                           toys     stable

     attention
 *     history   Looks back, [b]boldly[/b]                toys     stable

     sampler
 *     voices    One note at a time, given those before   toys     stable
                 it

     decoder
 *     lstm      Remembers                                toys     stable
       rbm       Balances                                 toys     experimental

     velocity
 *     none      Even                                     toys     stable
"""


@pytest.mark.usefixtures("toys")
class TestList:
    def test_the_table(self, run: Run) -> None:
        result = run("list")
        assert result.out.strip("\n") == LIST.strip("\n")
        assert result.err == "* default of its slot; `zoo show SLOT.NAME` shows the settings of a part\n"

    def test_one_slot(self, run: Run) -> None:
        out = run("list", "decoder").out
        assert "rbm" in out
        assert "voices" not in out

    def test_json(self, run: Run) -> None:
        result = run("list", "velocity", "--json")
        assert json.loads(result.out) == [
            {
                "slot": "velocity",
                "name": "none",
                "word": "none",
                "summary": "Even",
                "plugin": "toys",
                "distribution": "polyzoo",
                "version": "0.1.0",
                "status": "stable",
                "default": True,
                "file": "/zoo/toys.py",
                "reason": "",
            }
        ]

    @pytest.mark.parametrize(
        ("slot", "err"),
        [
            (
                "decoders",
                "error: zoo list takes a slot, but decoders is not a slot\n  did you mean decoder\n",
            ),
            (
                "lstm",
                "error: zoo list takes a slot, but lstm is not a slot\n"
                "  the slots are encoder, attention, sampler, decoder, velocity\n",
            ),
        ],
    )
    def test_no_slot(self, slot: str, err: str, run: Run) -> None:
        result = run("list", slot)
        assert (result.code, result.err) == (2, err)

    def test_a_users_menu_changes_the_default(self, run: Run) -> None:
        Path("registry.toml").write_text('[defaults]\ndecoder = "rbm"\n')
        rows = json.loads(run("list", "decoder", "--json").out)
        assert [row["default"] for row in rows] == [False, True]


SHOW = """
decoder.lstm
Remembers


 decoder.   default   description
 ──────────────────────────────────────────────────────────────────────────
 hidden     100       hidden units
                      a whole number from 1 to 4096
 kind       plain     kind of LSTM
                      one of plain, wide; can be changed on a trained model


use it  zoo build decoder=lstm
source  Hochreiter 1997
status  stable
plugin  toys (polyzoo 0.1.0)
file    /zoo/toys.py
"""


@pytest.mark.usefixtures("toys")
class TestShow:
    def test_a_part(self, run: Run) -> None:
        assert run("show", "decoder.lstm").out == SHOW.strip("\n")

    def test_json(self, run: Run) -> None:
        data = json.loads(run("show", "encoder.fold", "--json").out)
        assert data["gives"] == {"codes": 12}
        assert data["word"] == "encoder=fold"
        assert data["settings"] == []
        data = json.loads(run("show", "decoder.lstm", "--json").out)
        assert data["settings"][1] == {
            "name": "kind",
            "default": "plain",
            "takes": "one of plain, wide",
            "choices": ["plain", "wide"],
            "help": "kind of LSTM",
            "live": True,
        }

    @pytest.mark.parametrize(
        ("part", "err"),
        [
            ("lstm", "lstm: a part is named by its slot and its name\n  zoo show decoder.lstm"),
            (
                "decoder",
                "decoder: a part is named by its slot and its name\n"
                "  `zoo list decoder` shows those of this slot",
            ),
            ("x", "x: a part is named by its slot and its name\n  for example zoo show attention.history"),
            ("decoder.lsmt", "decoder=lsmt: there is no decoder with this name\n  did you mean decoder=lstm"),
            (
                "attention.lstm",
                "attention=lstm: there is no attention with this name\n  lstm is a decoder: decoder=lstm",
            ),
            ("decodr.lstm", "zoo show takes a slot, but decodr is not a slot\n  did you mean decoder"),
        ],
    )
    def test_no_part(self, part: str, err: str, run: Run) -> None:
        result = run("show", part)
        assert (result.code, result.out, result.err) == (2, "", f"error: {err}\n")


PART = """
from zoo.parts import Description, hookimpl
@hookimpl
def zoo_parts():
    return [Description("decoder", "NAME", "Made for a test", "a:B")]
"""

PLUGINS = """
 plugin   status   description
 ──────────────────────────────────────────────────────────────────────────────
 toys     ok       polyzoo 0.1.0
                   encoder.fold, attention.history, sampler.voices,
                   decoder.lstm, decoder.rbm, velocity.none
                   /zoo/toys.py
 mine     off      mine VERSION
                   mine.py
                   listed in ./registry.toml, whose code is loaded only with
                   --local or ZOO_LOCAL=1
"""


@pytest.mark.usefixtures("toys")
class TestLocalPlugins:
    @pytest.fixture(autouse=True)
    def _listed(self, run: Run) -> None:
        Path("registry.toml").write_text('[plugins]\nmine = "./mine.py"\n')
        Path("mine.py").write_text(PART.replace("NAME", "mine"))

    def test_local_plugins_need_consent(self, run: Run) -> None:
        version = sha256(Path("mine.py").read_bytes()).hexdigest()[:12]
        assert run("plugin", "list").out.strip("\n") == PLUGINS.replace("VERSION", version).strip("\n")
        assert "mine" not in run("list").out

    @pytest.mark.parametrize("words", [("--local", "list", "--json"), ("list", "--json", "--local")])
    def test_consent_by_switch(self, words: tuple[str, ...], run: Run) -> None:
        assert "mine" in [row["name"] for row in json.loads(run(*words).out)]

    def test_consent_by_environment(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ZOO_LOCAL", "1")
        rows = json.loads(run("plugin", "list", "--json").out)
        assert [(row["plugin"], row["status"], row["parts"]) for row in rows][1:] == [
            ("mine", "ok", ["decoder.mine"])
        ]

    def test_no_plugins_overrides_local(self, run: Run) -> None:
        rows = json.loads(run("plugin", "list", "--json", "--local", "--no-plugins").out)
        assert rows[1]["status"] == "off"
        assert rows[1]["reason"] == "excluded by ZOO_PLUGINS or --no-plugins"

    def test_off_and_shadowed(self, run: Run) -> None:
        Path("registry.toml").write_text('[plugins]\nmine = "./mine.py"\ntoys = false\n')
        rows = json.loads(run("plugin", "list", "--json").out)
        assert (rows[0]["status"], rows[0]["reason"]) == ("off", "disabled in registry.toml")
        Path("registry.toml").write_text('[plugins]\nmine = "./mine.py"\n')
        Path("mine.py").write_text(PART.replace("NAME", "lstm"))
        row = json.loads(run("plugin", "list", "--json", "--local").out)[1]
        assert row["status"] == "shadowed"
        assert row["reason"] == "decoder.lstm by polyzoo 0.1.0"
        assert row["remedy"] == "write decoder=mine/lstm"
        assert " mine/lstm " in run("list", "--local").out

    @pytest.mark.parametrize(
        ("settings", "why"),
        [
            ("no_such_module:Wide", "ModuleNotFoundError: No module named 'no_such_module'"),
            ("zoo.parts:Wide", "AttributeError: module 'zoo.parts' has no attribute 'Wide'"),
            ("pathlib:Path", "its settings are not a subclass of zoo.parts.Settings"),
        ],
    )
    def test_settings_that_cannot_be_loaded_are_reported(self, settings: str, why: str, run: Run) -> None:
        Path("mine.py").write_text(
            PART.replace("NAME", "mine").replace('"a:B"', f'"a:B", settings="{settings}"')
        )
        row = json.loads(run("plugin", "list", "--json", "--local").out)[1]
        assert (row["status"], row["parts"]) == ("failed", ["decoder.mine"])
        assert row["reason"].startswith("decoder.mine: ")
        assert row["reason"].endswith(why)
        assert "fix it" in row["remedy"]

    def test_broken_plugin_is_reported_in_table_and_json(self, run: Run) -> None:
        Path("mine.py").write_text("1/0")
        result = run("list", "--json", "--local")
        row = json.loads(result.out)[-1]
        assert (row["slot"], row["plugin"], row["status"]) == ("", "mine", "failed")
        assert row["reason"] == "importing it failed: ZeroDivisionError: division by zero (mine.py, line 1)"
        assert result.err == (
            f"plugin left out: plugin mine (mine {row['version']}): {row['reason']}\n"
            "  fix it, or write `mine = false` under [plugins] in ./registry.toml\n"
        )
        assert result.code == 0

    @pytest.mark.parametrize(
        ("content", "err"),
        [
            ("[plugins", "registry.toml: invalid TOML: Expected ']'"),
            (
                "[plugns]",
                "registry.toml: unknown table plugns\n  the tables are [plugins], [defaults] and [recipes]",
            ),
            ("[defaults]\ntuner = 'x'", "registry.toml: there is no slot tuner\n  the slots are encoder,"),
            ("[recipes]\nx = 3", 'registry.toml: recipes.x is not a string\n  write x = "..."'),
        ],
    )
    def test_mistakes_in_the_menu(self, content: str, err: str, run: Run) -> None:
        Path("registry.toml").write_text(content)
        result = run("list")
        assert result.code == 2
        assert result.err.startswith(f"error: {err}")


def test_thirteen_broken_plugins_are_reported_quickly(tmp_path: Path) -> None:
    head = "from zoo.parts import Description as D, hookimpl\n@hookimpl\ndef zoo_parts(): "
    bad = [
        "import no_such_package",
        "def :",
        "raise SystemExit(0)",
        "print('noise'); 1/0",
        "x = 1",
        head.replace("()", "(x)") + "return []",
        head + "raise KeyError",
        head + "return None",
        head + "return [42]",
        head + "return [D('tuner', 'x', 'x', 'a:B')]",
        head + "return [D('decoder', 'X Y', 'x', 'a:B')]",
        head + "return [D('decoder', 'x', 'x', 'a:B', api=99)]",
        head + "return [D('decoder', 'x', '', 'a:B')]",
    ]
    for number, code in enumerate(bad):
        (tmp_path / f"bad_{number}.py").write_text(code)
        info = tmp_path / f"bad_{number}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: polyzoo-bad-{number}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[zoo.plugins]\nbad{number} = bad_{number}\n")
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); "
        "from zoo.cli.main import run; sys.exit(run(['list', '--json']))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    rows = json.loads(result.stdout)
    failed = {row["distribution"]: row["reason"] for row in rows if row["status"] in ("failed", "other api")}
    assert set(failed) == {f"polyzoo-bad-{number}" for number in range(13)}
    assert all(failed.values())
    assert all(f"pip uninstall {name}" in result.stderr for name in failed)
