from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from zoo.errors import PluginError, UsageError
from zoo.parts import SLOTS
from zoo.registry import Plugin, open_registry, parse_recipe

from .conftest import Install, plugin_code

HEAD = "from zoo.parts import Description, Settings, hookimpl, setting\n"


def offering(description: str) -> str:
    return f"{HEAD}@hookimpl\ndef zoo_parts():\n    return [{description}]\n"


GOOD = 'Description(slot="attention", name="x", summary="A test", target="a:B")'

BAD = {
    "missing-import": ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
    "syntax": ("def :", "SyntaxError"),
    "exits": ("raise SystemExit(3)", "importing it failed: SystemExit: 3 (polyzoo_bad.py, line 1)"),
    "raises": ("\n1/0", "importing it failed: ZeroDivisionError: division by zero (polyzoo_bad.py, line 2)"),
    "no-hook": (
        "x = 1",
        "it offers no parts: it needs a function zoo_parts() decorated with @zoo.parts.hookimpl",
    ),
    "unmarked-hook": ("def zoo_parts(): return []", "it offers no parts"),
    "wrong-argument": (f"{HEAD}@hookimpl\ndef zoo_parts(registry): return []", "its hook is invalid"),
    "misspelt-hook": (f"{HEAD}@hookimpl\ndef zoo_part(): return []", "unknown hook 'zoo_part'"),
    "hook-raises": (
        f"{HEAD}@hookimpl\ndef zoo_parts():\n    raise KeyError('x')",
        "its hook zoo_parts failed: KeyError: 'x' (polyzoo_bad.py, line 4)",
    ),
    "hook-exits": (f"{HEAD}@hookimpl\ndef zoo_parts():\n    raise SystemExit", "its hook zoo_parts failed"),
    "breaks-halfway": (f"{HEAD}@hookimpl\ndef zoo_parts():\n    yield {GOOD}\n    1/0", "ZeroDivisionError"),
    "nothing": (f"{HEAD}@hookimpl\ndef zoo_parts(): pass", "it returns None, not a list of descriptions"),
    "one": (f"{HEAD}@hookimpl\ndef zoo_parts(): return {GOOD}", "return a list of them"),
    "junk": (offering("42"), "its part number 1 is 42, not a zoo.parts.Description"),
    "twice": (offering(f"{GOOD}, {GOOD}"), "it offers attention.x twice"),
    "slot": (offering(GOOD.replace("attention", "tuner")), "there is no slot 'tuner'"),
    "name": (offering(GOOD.replace('"x"', '"X y"')), "the name 'X y' must consist of lower-case"),
    "number-name": (offering(GOOD.replace('"x"', "7")), "the name 7 must consist of lower-case"),
    "summary": (offering(GOOD.replace("A test", " ")), "attention.x has no summary"),
    "target": (offering(GOOD.replace("a:B", "nowhere")), "the target 'nowhere' is neither a class nor"),
    "settings": (
        offering(GOOD.replace("summary", "settings=dict, summary")),
        "not a subclass of zoo.parts.Sett",
    ),
    "no-default": (
        f"{HEAD}class S(Settings):\n    width: int\n"
        + offering(GOOD.replace("summary", "settings=S, summary")),
        "attention.x: its settings have no defaults for width",
    ),
    "settings-name": (
        offering(GOOD.replace("summary", "settings='nowhere', summary")),
        "the settings 'nowhere' are neither a class nor 'module:Class'",
    ),
    "gives": (offering(GOOD.replace("summary", "gives=3, summary")), "gives and fit must be functions"),
    "training": (offering(GOOD.replace("summary", "training=3, summary")), "training must be a dict of"),
    "encoder-training": (
        offering(GOOD.replace("attention", "encoder").replace("summary", "training={'lr': 0.1}, summary")),
        "encoder.x: an encoder is not trained, so it cannot propose training settings",
    ),
}


def only(distribution: str) -> Plugin:
    matches = [plugin for plugin in open_registry().plugins() if plugin.source.distribution == distribution]
    assert len(matches) == 1
    return matches[0]


@pytest.mark.parametrize("case", BAD)
def test_broken_plugin_has_a_reason_and_affects_nothing_else(case: str, install: Install) -> None:
    code, reason = BAD[case]
    install("polyzoo-bad", code)
    install("polyzoo-good", plugin_code())
    plugin = only("polyzoo-bad")
    assert plugin.health == "failed"
    assert plugin.problem is not None
    assert reason in plugin.problem.what
    assert plugin.problem.where == "plugin bad (polyzoo-bad 1.2)"
    assert plugin.problem.hint == "fix it, or remove it with `pip uninstall polyzoo-bad`"
    assert "\n" not in plugin.problem.what
    assert open_registry().find("attention", "mine").distribution == "polyzoo-good"
    assert str(parse_recipe("attention=mine", open_registry()))


@pytest.mark.parametrize(
    ("training", "reason"),
    [
        ("{'lr': 2}", "it proposes train.lr=2: input should be less than or equal to 1"),
        ("{'lr': '0.1'}", "it proposes train.lr=0.1: input should be a valid number"),
        ("{'warmup': -1}", "it proposes train.warmup=-1"),
        ("{'optimizer': 'sgd'}", "it proposes train.optimizer=sgd: input should be 'adam' or 'adamw'"),
        ("{'steps': 10}", "it proposes train.steps; a part can only propose optimizer, lr, decay"),
        ("{'lr_core': 0.1}", "it proposes train.lr_core; a part can only"),
    ],
)
def test_a_part_with_invalid_training_settings_is_not_used(
    training: str, reason: str, install: Install
) -> None:
    install("polyzoo-bad", offering(GOOD.replace("summary", f"training={training}, summary")))
    with pytest.raises(PluginError, match=r"attention=x of polyzoo-bad 1\.2") as error:
        open_registry().find("attention", "x")
    assert reason in error.value.problems[0].what
    plugin = only("polyzoo-bad").with_settings_loaded()
    assert plugin.health == "failed"
    assert plugin.problem is not None
    assert reason in plugin.problem.what


@pytest.mark.parametrize(
    ("points", "metadata", "reason"),
    [
        ("[zoo.plugins]\nnonsense", None, "its entry_points.txt cannot be read"),
        (
            "[zoo.plugins]\nbad = no_such_module",
            None,
            "ModuleNotFoundError: No module named 'no_such_module'",
        ),
        ("[zoo.plugins]\nbad = polyzoo_bad:missing", None, "has no attribute 'missing'"),
        ("[zoo.plugins]\nbad =", None, "importing it failed"),
        (None, "", "its metadata cannot be read: the name or the version is missing"),
    ],
)
def test_invalid_metadata_affects_one_plugin_only(
    points: str | None, metadata: str | None, reason: str, install: Install
) -> None:
    install("polyzoo-bad", points=points, metadata=metadata)
    install("polyzoo-good", plugin_code())
    assert open_registry().find("attention", "mine")
    failed = [plugin for plugin in open_registry().plugins() if plugin.health == "failed"]
    assert len(failed) == 1
    assert failed[0].problem
    assert reason in failed[0].problem.what


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ("no_such_module:S", "importing its class no_such_module:S failed: ModuleNotFoundError"),
        ("pathlib:Path", "its settings are not a subclass of zoo.parts.Settings"),
    ],
)
def test_settings_are_imported_when_their_part_is_asked_for(
    settings: str, reason: str, install: Install
) -> None:
    install("polyzoo-bad", offering(GOOD.replace("summary", f"settings='{settings}', summary")))
    assert only("polyzoo-bad").health == "ok"
    with pytest.raises(PluginError, match=reason) as error:
        parse_recipe("attention=x", open_registry())
    assert error.value.problems[0].where == "attention=x of polyzoo-bad 1.2"
    with pytest.raises(UsageError, match=r"(?s)attention=x of .*did you mean decoder=lstm"):
        parse_recipe("attention=x decoder=lsmt", open_registry())
    with pytest.raises(UsageError, match=r"did you mean attention\.features"):
        parse_recipe("attention.featurs=3", open_registry())  # hints must also work with broken plugins


def test_other_api_version_has_its_own_status(install: Install) -> None:
    install("polyzoo-old", offering(GOOD.replace("summary", "api=0, summary")))
    plugin = only("polyzoo-old")
    assert plugin.health == "other api"
    assert plugin.problem
    assert plugin.problem.what == "attention.x was written for API version 0; this zoo has 1"


def test_a_plugin_that_prints_keeps_standard_output_clean(
    install: Install, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = "import os, sys\nprint('printed')\nos.write(1, b'written\\n')\nos.system('echo echoed')\n"
    install("polyzoo-loud", noise + plugin_code())
    assert only("polyzoo-loud").health == "ok"
    print("mine")
    out, err = capfd.readouterr()
    assert out == "mine\n"
    assert {"printed", "written", "echoed"} <= set(err.split())


def test_strict_raises_with_the_cause(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("polyzoo-bad", "1/0")
    monkeypatch.setenv("ZOO_STRICT", "1")
    with pytest.raises(PluginError, match="division by zero") as raised:
        open_registry().entries()
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("value", "is_local"),
    [("1", True), ("Yes", True), ("on", True), ("0", False), ("no", False), ("", False)],
)
def test_a_switch_that_lets_code_run_is_on_only_if_it_says_so(
    value: str, is_local: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_LOCAL", value)
    assert open_registry().local == is_local
    monkeypatch.setenv("ZOO_LOCAL", "never")
    with pytest.raises(UsageError, match="ZOO_LOCAL: 'never' is neither on nor off"):
        open_registry()


def test_shipped_parts_do_not_load_third_party_code(install: Install) -> None:
    install("polyzoo-good", plugin_code())
    parse_recipe("decoder=lstm attention.features=10", open_registry())
    for words in ("decoder.hiden=3", "decoder.hidden=0", "nonsense=1", "history", "attention history"):
        with pytest.raises(UsageError):
            parse_recipe(words, open_registry())
    assert "polyzoo_good" not in sys.modules
    parse_recipe("attention=mine", open_registry())
    assert "polyzoo_good" in sys.modules


def test_shipped_part_wins_and_qualified_name_finds_the_other(install: Install) -> None:
    install("polyzoo-other", plugin_code("decoder", "lstm"))
    registry = open_registry()
    assert registry.find("decoder", "lstm").distribution == "polyzoo"
    other = registry.find("decoder", "polyzoo-other/lstm")
    assert other.distribution == "polyzoo-other"
    assert registry.word(other) == "polyzoo-other/lstm"
    plugin = only("polyzoo-other")
    assert plugin.health == "shadowed"
    assert plugin.problem
    assert plugin.problem.what.startswith("decoder.lstm by polyzoo ")
    assert plugin.problem.hint == "write decoder=polyzoo-other/lstm"


def test_ambiguous_name_is_an_error_when_used(install: Install) -> None:
    install("polyzoo-one", plugin_code())
    install("polyzoo-two", plugin_code(), version="3.0")
    registry = open_registry()
    with pytest.raises(PluginError) as raised:
        parse_recipe("attention=mine", registry)
    assert str(raised.value) == (
        "attention=mine: polyzoo-one 1.2 (plugin one) and polyzoo-two 3.0 (plugin two) both offer it\n"
        "  write attention=polyzoo-one/mine or attention=polyzoo-two/mine"
    )
    recipe = parse_recipe("attention=polyzoo_two/mine", registry)
    assert recipe.parts["attention"].entry.version == "3.0"
    assert "attention=polyzoo-two/mine" in str(recipe)


@pytest.mark.parametrize(
    ("names", "matches"),
    [
        (None, {"one", "two"}),
        ("", set()),
        ("one", {"one"}),
        ("polyzoo_two, three", {"two"}),
        ("one,two", {"one", "two"}),
    ],
)
def test_zoo_plugins_selects_plugins(
    names: str | None, matches: set[str], install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("polyzoo-one", plugin_code(name="first"))
    install("polyzoo-two", plugin_code(name="second"))
    if names is not None:
        monkeypatch.setenv("ZOO_PLUGINS", names)
    plugins = [plugin for plugin in open_registry().plugins() if plugin.source.origin == "installed"]
    assert {plugin.source.name for plugin in plugins if plugin.health == "ok"} == matches
    assert {plugin.health for plugin in plugins} <= {"ok", "off"}
    for name in {"one", "two"} - matches:
        assert f"polyzoo_{name}" not in sys.modules


@pytest.mark.parametrize("spelling", ["", ".", "absolute"])
def test_metadata_in_the_current_folder_installs_nothing(
    spelling: str, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = install("polyzoo-evil", "open('was-run', 'w')")
    shutil.copytree(evil.parent, "gift")
    shutil.rmtree(evil.parent)
    monkeypatch.chdir("gift")
    monkeypatch.syspath_prepend(str(Path.cwd()) if spelling == "absolute" else spelling)
    assert "evil" not in [plugin.source.name for plugin in open_registry().plugins()]
    assert not Path("was-run").exists()


def test_current_folder_may_be_a_site_packages(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    site = install("polyzoo-mine", plugin_code()).parent
    monkeypatch.chdir(site)
    monkeypatch.setattr("zoo.registry.sources.getsitepackages", lambda: [str(site)])
    assert "mine" in [plugin.source.name for plugin in open_registry().plugins()]


def test_installed_plugin_is_not_shadowed_by_a_local_file(install: Install) -> None:
    Path("mine.py").write_text("open('was-run', 'w')")
    install("polyzoo-odd", points="[zoo.plugins]\nodd = mine.py\n")
    (plugin,) = [plugin for plugin in open_registry().plugins() if plugin.source.name == "odd"]
    assert plugin.health == "failed"
    assert not Path("was-run").exists()


def test_a_distribution_that_is_on_the_path_twice_is_one_plugin(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = install("polyzoo-one", plugin_code()).parent
    shutil.copytree(site, tmp_path / "editable")
    monkeypatch.syspath_prepend(str(tmp_path / "editable"))
    assert only("polyzoo-one").health == "ok"
    assert open_registry().find("attention", "mine").distribution == "polyzoo-one"


def test_a_missing_distribution_and_a_broken_one_are_plugin_errors(install: Install) -> None:
    with pytest.raises(PluginError, match="no plugin polyzoo-gone is installed"):
        parse_recipe("attention=polyzoo-gone/x", open_registry())
    install("polyzoo-bad", "1/0")
    with pytest.raises(PluginError, match="division by zero"):
        parse_recipe("attention=polyzoo-bad/x", open_registry())


def test_an_unknown_name_lists_plugins_that_were_not_loaded(install: Install) -> None:
    install("polyzoo-bad", "1/0")
    with pytest.raises(UsageError, match=r"not loaded: polyzoo-bad 1.2 \(failed\), see `zoo plugin list`"):
        parse_recipe("attention=x", open_registry())


class TestFiles:
    def test_a_part_is_named_by_its_file(self) -> None:
        Path("my_attention.py").write_text(plugin_code())
        recipe = parse_recipe("attention=./my_attention.py attention.width=9", open_registry())
        choice = recipe.parts["attention"]
        assert choice.entry.qualified == "./my_attention.py:mine"
        assert choice.settings.width == 9
        assert len(choice.entry.version) == 12
        assert str(parse_recipe(str(recipe), open_registry())) == str(recipe)

    def test_a_changed_file_is_another_recipe(self) -> None:
        Path("a.py").write_text(plugin_code())
        before = parse_recipe("attention=a.py", open_registry()).digest
        Path("a.py").write_text(plugin_code() + "\n# changed")
        assert parse_recipe("attention=a.py", open_registry()).digest != before

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ("attention=./gone.py", "attention=./gone.py: there is no such file"),
            (
                "attention=./d.py",
                "attention=./d.py: the file contains no such attention\n  it contains decoder=./d.py:mine",
            ),
            (
                "decoder=./d.py:other",
                "decoder=./d.py:other: the file contains no such decoder\n  it contains decoder=./d.py:mine",
            ),
            (
                "./d.py",
                "./d.py: neither key=value nor a recipe\n  name the slot, such as attention=./d.py",
            ),
        ],
    )
    def test_mistakes(self, words: str, message: str) -> None:
        Path("d.py").write_text(plugin_code("decoder"))
        with pytest.raises(UsageError) as raised:
            parse_recipe(words, open_registry())
        assert str(raised.value) == message

    def test_a_broken_file_is_a_plugin_error(self) -> None:
        Path("bad.py").write_text("1/0")
        with pytest.raises(PluginError, match=r"bad\.py, line 1") as raised:
            parse_recipe("attention=./bad.py", open_registry())
        assert raised.value.problems[0].hint == "fix ./bad.py"

    def test_a_torch_file_whose_class_is_beside_its_description(self) -> None:
        Path("heavy.py").write_text(
            "import torch\nfrom zoo.parts import Description, hookimpl\n"
            "class Mine(torch.nn.Module): pass\n"
            "@hookimpl\ndef zoo_parts():\n"
            "    return [Description('attention', 'mine', 'Made for a test', Mine),\n"
            "            Description('decoder', 'mine', 'Made for a test', f'{__name__}:Mine')]\n"
        )
        registry = open_registry()
        attention, decoder = (
            registry.find(slot, "./heavy.py") for slot in SLOTS if slot in ("attention", "decoder")
        )
        assert attention.load() is decoder.load()


def test_a_class_that_cannot_be_imported_names_the_distribution(install: Install) -> None:
    install("polyzoo-good", plugin_code())
    with pytest.raises(PluginError) as raised:
        open_registry().find("attention", "mine").load()
    assert str(raised.value) == (
        "attention=mine of polyzoo-good 1.2: importing its class no.such:Class failed: "
        "ModuleNotFoundError: No module named 'no'\n  fix it, or remove it with `pip uninstall polyzoo-good`"
    )
