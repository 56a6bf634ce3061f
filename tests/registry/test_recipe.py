from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import field_validator

from zoo.errors import BundleError, PluginError, UsageError
from zoo.parts import SLOTS, Description, Settings, hookimpl, setting
from zoo.registry import Recipe, Registry, open_registry, parse_recipe
from zoo.registry.menu import Menu

from .conftest import Install, plugin_code


class Train(Settings):
    lr: float = setting(0.01, "learning rate", gt=0, le=1)
    batch: int = setting(16, "batch size", ge=1, multiple_of=4)
    parts: tuple[str, ...] = setting((), "which parts are trained", max_length=3)


class Keys(Settings):
    data: str = setting("bach", "the corpus")
    seed: int = setting(0, "random seed", ge=0)


class Voices(Settings):
    objective: str = setting("plain", "what is minimised", max_length=9)
    voices: int = setting(5, "number of voices", ge=1, le=12, live=True)


class Deep(Settings):
    hidden: int = setting(100, "hidden units", ge=1, le=4096)
    kind: bool = setting(True, "a flag")
    size: int | None = setting(None, "of something", ge=2)


class Odd(Settings):
    level: int = setting(3, "how loud")

    @field_validator("level")
    @classmethod
    def _level(cls, level: int) -> int:
        if level == 4:
            raise ValueError("4 is not odd")
        return level // (level - 5)


def needs_twelve(settings: Any, facts: Any) -> Any:
    from zoo.errors import Problem

    if facts["encoder.codes"] != 12:
        yield Problem(f"it needs 12 codes, not {facts['encoder.codes']}", hint="use encoder=fold")


class ToyPlugin:
    """Eight parts that suffice to make every mistake."""

    @staticmethod
    @hookimpl
    def zoo_parts() -> list[Description]:
        return [
            Description("encoder", "fold", "Octaves folded", "a:B", gives=lambda settings: {"codes": 12}),
            Description("encoder", "keys", "Every key", "a:B", gives=lambda settings: {"codes": 88}),
            Description("attention", "history", "Looks back", "a:B"),
            Description("sampler", "voices", "In turn", "a:B", settings=Voices),
            Description("decoder", "lstm", "Remembers", "a:B", settings=Deep),
            Description("decoder", "rbm", "Twelve only", "a:B", settings=Deep, fit=needs_twelve),
            Description("velocity", "none", "Even", "a:B"),
            Description("velocity", "odd", "Breaks", "a:B", settings=Odd),
        ]


DEFAULTS = {
    "encoder": "fold",
    "attention": "history",
    "sampler": "voices",
    "decoder": "lstm",
    "velocity": "none",
}
RECIPES = {
    "plain": "",
    "wide": "encoder=keys decoder.hidden=200",
    "big": "decoder.hidden=200",
    "deep": "decoder=rbm decoder.hidden=30",
    "typo": "decoder=lsmt",
    "trained": "decoder.hidden=30 train.lr=0.5",
}


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Registry:
    module = type(sys)("toy_plugin")
    monkeypatch.setattr(module, "plugin", ToyPlugin, raising=False)
    monkeypatch.setitem(sys.modules, "toy_plugin", module)
    monkeypatch.setenv("ZOO_PLUGINS", "")
    menu = Menu(tmp_path / "registry.toml", {"toys": "toy_plugin:plugin"}, DEFAULTS, RECIPES)
    return Registry(menu, Menu(tmp_path / "registry.toml"))


def parse(words: Any, registry: Registry) -> Recipe:
    return parse_recipe(words, registry, sections={"train": Train}, keys=Keys)


PLAIN = "encoder=fold attention=history sampler=voices decoder=lstm velocity=none"


@pytest.mark.parametrize(
    ("words", "canonical"),
    [
        ("", PLAIN),
        ("decoder.hidden=100 seed=0", PLAIN),
        ("decoder.hidden=20", f"{PLAIN} decoder.hidden=20"),
        ("decoder=polyzoo/lstm", PLAIN),
        ("train.lr=1e-3 train.batch=8", f"{PLAIN} train.lr=0.001 train.batch=8"),
        ("train.lr=.5", f"{PLAIN} train.lr=0.5"),
        ("train.lr=1", f"{PLAIN} train.lr=1.0"),
        ("train.parts=a,b", f"{PLAIN} train.parts=a,b"),
        ("'train.parts=[a, \"b c\"]'", f"{PLAIN} 'train.parts=a,\"b c\"'"),
        ("train.parts=7", f"{PLAIN} train.parts=7"),
        ("decoder.kind=false decoder.size=3", f"{PLAIN} decoder.kind=false decoder.size=3"),
        ("decoder.size=none", PLAIN),
        ("data=2024", f"{PLAIN} data=2024"),
        ("sampler.objective=true", f"{PLAIN} sampler.objective=true"),
        ("'data=my music'", f"{PLAIN} 'data=\"my music\"'"),
        ("plain", PLAIN),
        ("deep", PLAIN.replace("lstm", "rbm") + " decoder.hidden=30"),
        ("deep decoder.hidden=31", PLAIN.replace("lstm", "rbm") + " decoder.hidden=31"),
        ("decoder=lstm deep", PLAIN),
        ("wide decoder=lstm", PLAIN.replace("fold", "keys") + " decoder.hidden=200"),
    ],
)
def test_words_are_parsed(words: str, canonical: str, toys: Registry) -> None:
    import shlex

    recipe = parse(shlex.split(words), toys)
    assert str(recipe) == canonical
    assert str(parse(str(recipe), toys)) == canonical
    stored = json.loads(json.dumps(recipe.to_json()))
    restored = Recipe.from_json(stored, toys, sections={"train": Train}, keys=Keys)
    assert restored == recipe
    assert restored.digest == recipe.digest


def test_training_settings_of_a_recipe_apply_to_training_only(toys: Registry) -> None:
    assert str(parse("trained", toys)) == f"{PLAIN} decoder.hidden=30 train.lr=0.5"
    assert str(parse_recipe("trained", toys)) == f"{PLAIN} decoder.hidden=30"
    with pytest.raises(UsageError, match="unknown slot or section train"):
        parse_recipe("trained train.lr=0.5", toys)


def test_values_have_the_type_of_their_setting(toys: Registry) -> None:
    recipe = parse("seed=3 train.parts=a", toys)
    assert recipe.values == {"data": "bach", "seed": 3}
    assert recipe.sections["train"].parts == ("a",)
    assert recipe.facts == {"encoder.codes": 12}
    assert tuple(recipe.parts) == SLOTS


MISTAKES = {
    "decoder=rmb": "decoder=rmb: there is no decoder with this name\n  did you mean decoder=rbm",
    "decoder=zzz": "decoder=zzz: there is no decoder with this name\n  choose from lstm, rbm",
    "decoder=": "decoder=: the name of the part is missing\n  choose from lstm, rbm",
    "decoder=voices": "decoder=voices: there is no decoder with this name\n"
    "  voices is a sampler: sampler=voices",
    "attention history": "attention history: missing equals sign\n  write attention=history",
    "history": "history: neither key=value nor a recipe\n  history is an attention: attention=history",
    "encoder": "encoder: neither key=value nor a recipe\n  name a part, such as encoder=fold",
    "depe": "depe: neither key=value nor a recipe\n  did you mean deep",
    "lsmt": "lsmt: neither key=value nor a recipe\n  did you mean decoder=lstm",
    "some.toml": "some.toml: neither key=value nor a recipe\n"
    "  to read a recipe from a file, write @some.toml",
    "decoder.hiden=3": "decoder.hiden=3: decoder=lstm has no setting hiden\n  did you mean decoder.hidden=3",
    "decoder.voices=3": "decoder.voices=3: decoder=lstm has no setting voices\n"
    "  did you mean sampler.voices=3",
    "decoder.lr=3": "decoder.lr=3: decoder=lstm has no setting lr\n  did you mean train.lr=3",
    "decoder.zzz=3": "decoder.zzz=3: decoder=lstm has no setting zzz\n  its settings are hidden, kind, size",
    "velocity.loud=3": "velocity.loud=3: velocity=none has no settings\n  remove it",
    "velocity=odd velocity.level=4": "velocity.level=4: 4 is not odd\n  the default is velocity.level=3",
    "sampler.hidden=3": "sampler.hidden=3: sampler=voices has no setting hidden\n"
    "  did you mean decoder.hidden=3",
    "velocity.level=3": "velocity.level=3: velocity=none has no settings\n"
    "  level is a setting of velocity=odd",
    "typo": "decoder=lsmt (in recipe typo): there is no decoder with this name\n  did you mean decoder=lstm",
    "hidden=3": "hidden=3: unknown key hidden\n  did you mean decoder.hidden=3",
    "decodr=rbm": "decodr=rbm: unknown key decodr\n  did you mean decoder=rbm",
    "decodr.hidden=3": "decodr.hidden=3: unknown slot or section decodr\n  did you mean decoder.hidden=3",
    "history=attention": "history=attention: unknown key history\n  did you mean attention=history",
    "sead=1": "sead=1: unknown key sead\n  did you mean seed=1",
    "zzz=1": "zzz=1: unknown key zzz\n"
    "  valid keys start with encoder, attention, sampler, decoder, velocity, train, data, seed",
    "=1": "=1: missing key before the equals sign\n"
    "  valid keys start with encoder, attention, sampler, decoder, velocity, train, data, seed",
    "decoder.hidden=many": "decoder.hidden=many: it takes a whole number from 1 to 4096\n"
    "  the default is decoder.hidden=100",
    "decoder.hidden=1.5": "decoder.hidden=1.5: it takes a whole number from 1 to 4096\n"
    "  the nearest valid value is decoder.hidden=2",
    "decoder.hidden=true": "decoder.hidden=true: it takes a whole number from 1 to 4096\n"
    "  the default is decoder.hidden=100",
    "decoder.hidden=5000": "decoder.hidden=5000: it takes a whole number from 1 to 4096\n"
    "  the nearest valid value is decoder.hidden=4096",
    "decoder.size=1": "decoder.size=1: it takes a whole number of at least 2 or none\n"
    "  the nearest valid value is decoder.size=2",
    "decoder.kind=1": "decoder.kind=1: it takes true or false\n  the default is decoder.kind=true",
    "train.lr=0": "train.lr=0: it takes a number above 0, of at most 1\n  the default is train.lr=0.01",
    "train.lr=nan": "train.lr=nan: it takes a number above 0, of at most 1\n  the default is train.lr=0.01",
    "train.batch=6": "train.batch=6: it takes a whole number of at least 1, divisible by 4\n"
    "  the nearest valid value is train.batch=8",
    "train.batch=inf": "train.batch=inf: it takes a whole number of at least 1, divisible by 4\n"
    "  the default is train.batch=16",
    "train.parts=a,b,c,d": "train.parts=a,b,c,d: it takes a comma-separated list, each item a string, "
    "at most 3 long\n"
    "  the default is train.parts=",
    "decoder=rbm decoder=lstm": "decoder=rbm and decoder=lstm: decoder is given twice\n  remove one of them",
    "deep big": "decoder.hidden=30 (in recipe deep) and decoder.hidden=200 (in recipe big): "
    "decoder.hidden is given twice\n  remove one of them",
    "encoder=keys decoder=rbm": "decoder=rbm: it needs 12 codes, not 88\n  use encoder=fold",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_gets_a_hint(words: str, toys: Registry) -> None:
    with pytest.raises(UsageError) as raised:
        parse(words, toys)
    assert str(raised.value) == MISTAKES[words]


def test_all_mistakes_are_reported_at_once(toys: Registry) -> None:
    with pytest.raises(UsageError) as raised:
        parse("lstm encoder=keys decoder=rbm seed=-1 seed=2 train.zzz=1 sampler.voice=3", toys)
    wheres = [problem.where for problem in raised.value.problems]
    assert wheres == [
        "seed=-1 and seed=2",
        "lstm",
        "train.zzz=1",
        "sampler.voice=3",
        "seed=-1",
        "decoder=rbm",
    ]


def test_a_long_number_is_a_mistake_and_not_a_crash(toys: Registry) -> None:
    with pytest.raises(UsageError, match="whole number"):
        parse(f"decoder.hidden={'9' * 5000}", toys)
    with pytest.raises(UsageError, match="a number"):
        parse(f"train.lr={'[' * 5000}", toys)


class TestFiles:
    def test_a_file_is_expanded_to_words(self, toys: Registry) -> None:
        Path("deep.toml").write_text(
            'data = "1"\nencoder = "fold"\n'
            '[decoder]\npart = "rbm"\nhidden = 30\n[train]\nparts = ["a", "b"]\n'
        )
        recipe = parse("@deep.toml train.lr=0.5", toys)
        assert str(recipe) == PLAIN.replace("lstm", "rbm") + (
            " decoder.hidden=30 train.lr=0.5 train.parts=a,b data=1"
        )

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("decoder =", "invalid TOML"),
            ("[decoder.deep]\nx = 1", "at most one table deep"),
            ("day = 2020-01-01", "must be strings, numbers or lists"),
            ("[decoder]\nhiden = 3", r"decoder.hiden=3 \(in f.toml\): decoder=lstm has no setting hiden"),
            ('[decoder]\nhidden = "3 x"', r"decoder.hidden=\"3 x\" \(in f.toml\): it takes a whole number"),
        ],
    )
    def test_mistakes_in_it(self, content: str, message: str, toys: Registry) -> None:
        Path("f.toml").write_text(content)
        with pytest.raises(UsageError, match=message):
            parse("@f.toml", toys)

    def test_a_missing_file(self, toys: Registry) -> None:
        with pytest.raises(UsageError, match=r"@gone\.toml: cannot be read: No such file"):
            parse("@gone.toml", toys)

    def test_code_that_a_file_names_is_not_run(self, toys: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
        Path("sub").mkdir()
        Path("sub/mine.py").write_text(plugin_code())
        Path("sub/f.toml").write_text('attention = "./mine.py"')
        with pytest.raises(UsageError) as raised:
            parse("@sub/f.toml", toys)
        assert str(raised.value) == (
            "attention=./mine.py (in sub/f.toml): code in a file is run only if you name the file yourself\n"
            "  inspect the file; if you trust it, add attention=sub/mine.py or --local"
        )
        toys.local = True
        with pytest.raises(
            UsageError, match="code in a file is run only"
        ):  # ZOO_PLUGINS= excludes it nevertheless
            parse("@sub/f.toml", toys)
        monkeypatch.delenv("ZOO_PLUGINS")
        assert parse("@sub/f.toml", toys).parts["attention"].entry.name == "mine"


class TestDigest:
    def test_it_is_the_same_in_any_order(self, toys: Registry) -> None:
        recipe = parse("decoder.hidden=3 train.lr=0.1 seed=1", toys)
        assert recipe.digest == parse("seed=1 train.lr=0.1 decoder.hidden=3", toys).digest
        assert len(recipe.digest) == 64

    @pytest.mark.parametrize("words", ["seed=1", "train.lr=0.1", "decoder=rbm", "decoder.hidden=3"])
    def test_it_differs_between_recipes(self, words: str, toys: Registry) -> None:
        assert parse(words, toys).digest != parse("", toys).digest


class TestStored:
    def stored(self, toys: Registry, words: str = "") -> Any:
        return json.loads(json.dumps(parse(words, toys).to_json()))

    def test_what_is_stored(self, toys: Registry) -> None:
        from zoo import __version__

        assert self.stored(toys)["parts"]["decoder"] == {
            "name": "polyzoo/lstm",
            "version": __version__,
            "state_version": 1,
            "settings": {"hidden": 100, "kind": True, "size": None},
        }

    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            (lambda stored: stored.pop("parts"), "the recipe is damaged: parts"),
            (
                lambda stored: stored["parts"]["decoder"].update(name=3),
                "the recipe is damaged: parts.decoder.name",
            ),
            (lambda stored: stored["parts"].pop("decoder"), "its slots are not those of this zoo: decoder"),
            (
                lambda stored: stored["parts"].update(mood=stored["parts"]["decoder"]),
                "newer version of polyzoo",
            ),
            (
                lambda stored: stored["parts"]["decoder"].update(state_version=2),
                "its weights have state version 2",
            ),
            (
                lambda stored: stored["parts"]["decoder"]["settings"].update(hidden=0),
                "decoder.hidden=0: it takes a whole",
            ),
            (
                lambda stored: stored["parts"]["decoder"]["settings"].update(new=1),
                "decoder.new=1: there is no such",
            ),
            (lambda stored: stored["parts"]["decoder"].update(name="polyzoo/new"), "it needs polyzoo/new"),
            (lambda stored: stored["parts"]["decoder"].update(name="far/x"), "no plugin far is installed"),
            (lambda stored: stored["parts"]["decoder"].update(name="./x.py:x"), "it needs code from a file"),
        ],
    )
    def test_an_unreadable_recipe_is_an_error(self, damage: Any, message: str, toys: Registry) -> None:
        stored = self.stored(toys)
        damage(stored)
        with pytest.raises(BundleError, match=message):
            Recipe.from_json(stored, toys)

    @pytest.mark.parametrize("data", [None, 3, [], "x", {"parts": 3}, {"parts": {"decoder": None}}])
    def test_invalid_data(self, data: Any, toys: Registry) -> None:
        with pytest.raises(BundleError, match="the recipe is damaged"):
            Recipe.from_json(data, toys)

    def test_everything_missing_is_listed_with_its_version(self, install: Install) -> None:
        install("polyzoo-one", plugin_code())
        stored = parse_recipe("attention=mine", open_registry()).to_json()
        stored["parts"]["attention"].update(name="polyzoo-gone/mine", version="0.3")
        stored["parts"]["decoder"]["state_version"] = 7
        with pytest.raises(BundleError) as raised:
            Recipe.from_json(stored, open_registry())
        first, second = raised.value.problems
        assert first.what == "it needs polyzoo-gone/mine 0.3: no plugin polyzoo-gone is installed"
        assert "`pip install polyzoo-gone`" in first.hint
        assert second.where == "decoder=polyzoo/lstm"


def test_a_failing_validator_is_a_plugin_error(toys: Registry) -> None:
    with pytest.raises(PluginError, match="its settings failed: ZeroDivisionError"):
        parse("velocity=odd velocity.level=5", toys)


@pytest.mark.parametrize("name", ["gives", "fit"])
def test_a_failing_description_is_a_plugin_error(
    name: str, toys: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(settings: Any, facts: Any = None) -> Any:
        raise KeyError("codes")

    monkeypatch.setitem(vars(toys.find("attention", "history").description), name, breaks)
    with pytest.raises(PluginError, match=f"its {name} failed: KeyError: 'codes'"):
        parse("", toys)
