"""Bundles: loaded exactly as written, or rejected with a BundleError and a hint."""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from zoo import files
from zoo.errors import BundleError, NonFiniteError, UsageError, ZooError
from zoo.model.build import build
from zoo.model.bundle import load_bundle, save_bundle
from zoo.model.generate import generate
from zoo.model.model import Model
from zoo.model.sealed import canonical, manifest, read_card
from zoo.model.weights import Weights, digest, pack, restore, unpack
from zoo.music.roll import Roll
from zoo.registry import open_registry, parse_recipe

MUTANTS = int(os.environ.get("ZOO_STRESS_MUTANTS", "200"))
FILES = ["README.md", "config.json", "manifest.json", "model.safetensors", "sample.mid"]
SEALED = [name for name in FILES if name != "README.md"]
TINY = "attention=none attention.local=3 attention.features=4 sampler.hidden=3 decoder.hidden=3"


def tiny(seed: int = 0) -> Model:
    return build(parse_recipe(TINY, open_registry()), seed)


def write(path: Path, seed: int = 0) -> Path:
    keys = np.zeros((16, 88), np.bool_)
    keys[::4, 40] = True
    scores = {"valid": {"codes": 3.25, "keys": 1.5}}
    data = {"name": "bach", "digest": "ab" * 32}
    save_bundle(tiny(seed), path, scores=scores, data=data, sample=Roll(keys, keys), training={"steps": 5})
    return path


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("bundles") / "good")


@pytest.fixture
def bundle(written: Path, tmp_path: Path) -> Path:
    """A copy of the bundle for the test to damage."""
    shutil.copytree(written, tmp_path / "bundle")
    return tmp_path / "bundle"


def seal(folder: Path) -> None:
    """Update the manifest to match the files, as an attacker would."""
    contents = {name: (folder / name).read_bytes() for name in FILES if name != "manifest.json"}
    (folder / "manifest.json").write_bytes(manifest(contents))


def change_config(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))
    seal(folder)


def test_model_survives_saving_and_loading(written: Path) -> None:
    model = load_bundle(written)
    assert digest(model.state_dict()) == digest(tiny().state_dict())
    assert str(model.recipe) == str(tiny().recipe)
    assert not model.training
    before, after = (generate(each, frames=8, seed=3)[0].sounding for each in (tiny(), model))
    assert (before == after).all()


def test_the_same_model_gives_the_same_bytes(written: Path, tmp_path: Path) -> None:
    again = write(tmp_path / "again")
    assert sorted(file.name for file in again.iterdir()) == FILES
    for name in FILES:
        assert (again / name).read_bytes() == (written / name).read_bytes()


def test_config_describes_the_model(written: Path) -> None:
    config = json.loads((written / "config.json").read_text())
    assert config["format"] == 2
    assert config["sizes"] == {"codes": 12, "features": 4, "keys": 88}
    assert config["grid"]["frames_per_quarter"] == 4
    assert set(config["versions"]) == {"polyzoo", "torch", "python"}
    assert config["recipe"]["parts"]["attention"]["name"] == "polyzoo/none"
    assert config["recipe"]["parts"]["attention"]["settings"]["local"] == 3
    assert config["data"]["digest"] == "ab" * 32
    assert config["scores"]["valid"]["keys"] == 1.5


def test_card_describes_the_model(written: Path) -> None:
    card = (written / "README.md").read_text()
    for phrase in ("attention=none", "zoo generate", "bach", "valid.codes | 3.25", "pip install ./polyzoo"):
        assert phrase in card


@pytest.mark.parametrize("has_links", [True, False])
def test_replacing_a_bundle_keeps_other_files(
    has_links: bool, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On file systems without hard links, such as those of USB sticks, they are copied."""
    if not has_links:
        monkeypatch.setattr(os, "link", Mock(side_effect=PermissionError(1, "Operation not permitted")))
    (bundle / "notes.txt").write_text("mine")
    (bundle / "takes").mkdir()
    (bundle / "takes" / "one.mid").write_bytes(b"MThd")
    save_bundle(tiny(seed=1), bundle)
    assert digest(load_bundle(bundle).state_dict()) == digest(tiny(seed=1).state_dict())
    assert (bundle / "notes.txt").read_text() == "mine"
    assert (bundle / "takes" / "one.mid").read_bytes() == b"MThd"
    assert not (bundle / "sample.mid").exists()
    assert [child.name for child in bundle.parent.iterdir()] == ["bundle"]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
@pytest.mark.parametrize("half", [False, True])
def test_weights_that_could_not_be_loaded_again_do_not_replace_a_bundle(
    dtype: torch.dtype, half: bool, bundle: Path
) -> None:
    """A model is often converted before it generates on a GPU."""
    before = (bundle / "manifest.json").read_bytes()
    model = tiny(seed=1)
    model.decoder.to(dtype)
    with pytest.raises(UsageError, match=r"weights decoder\..* are .*, not .* \(float32\)"):
        save_bundle(model, bundle, half=half)
    assert (bundle / "manifest.json").read_bytes() == before
    save_bundle(model.float(), bundle, half=half)
    assert load_bundle(bundle)


def test_a_file_that_cannot_be_kept_is_named_and_the_old_bundle_stays(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bundle / "notes.txt").write_text("of somebody else")
    before = (bundle / "manifest.json").read_bytes()
    for module, name in ((os, "link"), (shutil, "copy2")):
        monkeypatch.setattr(module, name, Mock(side_effect=PermissionError(13, "Permission denied")))
    with pytest.raises(
        ZooError, match=r"notes\.txt: cannot be copied into the new bundle: permission denied"
    ):
        save_bundle(tiny(seed=1), bundle)
    assert (bundle / "manifest.json").read_bytes() == before


@pytest.mark.parametrize("exchanged", [True, False])
def test_files_that_are_saved_while_a_bundle_is_replaced_are_kept(
    bundle: Path, exchanged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large model is flushed to disk for seconds before it takes the place of the old one."""
    (bundle / "takes").mkdir()
    (bundle / "takes" / "one.mid").write_text("early")
    (bundle / "notes.txt").write_text("early")
    swap = files._swap

    def save_and_swap(part: Path, place: Path) -> None:
        (place / "late.txt").write_text("late")
        (place / "takes" / "two.mid").write_text("late")
        (place / "notes.new").write_text("late")
        (place / "notes.new").replace(place / "notes.txt")  # as editors do
        swap(part, place)

    monkeypatch.setattr(files, "_swap", save_and_swap)
    if not exchanged:
        monkeypatch.setattr(files, "_exchange", lambda one, other: False)
    save_bundle(tiny(seed=1), bundle)
    assert digest(load_bundle(bundle).state_dict()) == digest(tiny(seed=1).state_dict())
    for name in ("late.txt", "notes.txt", "takes/two.mid"):
        assert (bundle / name).read_text() == "late"
    assert (bundle / "takes" / "one.mid").read_text() == "early"
    assert not (bundle / "sample.mid").exists()
    assert [child.name for child in bundle.parent.iterdir()] == ["bundle"]


def test_an_edited_card_is_kept_beside_that_of_a_new_model(bundle: Path) -> None:
    for seed, name in ((1, "README.old.md"), (2, "README.old-2.md"), (3, "README.old-3.md")):
        (bundle / "README.md").write_text(f"by hand, before seed {seed}")
        record = {"data": {"name": "bach"}, "training": {"steps": 5 + seed}}
        assert save_bundle(tiny(seed), bundle, **record) == bundle / name
        assert (bundle / name).read_text() == f"by hand, before seed {seed}"
        assert (bundle / "README.md").read_text().startswith("---\nlibrary_name: polyzoo")
    assert save_bundle(tiny(), bundle) is None, "a card that was not edited is replaced"
    assert len(list(bundle.glob("README*"))) == 4


def test_an_edited_card_stays_if_the_same_model_is_saved_again(bundle: Path) -> None:
    (bundle / "README.md").write_text("by hand")
    write(bundle)
    assert (bundle / "README.md").read_text() == "by hand"
    assert sorted(child.name for child in bundle.iterdir()) == FILES


def test_a_card_with_line_endings_of_windows_was_not_edited(bundle: Path) -> None:
    card = (bundle / "README.md").read_bytes()
    (bundle / "README.md").write_bytes(card.replace(b"\n", b"\r\n"))
    assert save_bundle(tiny(seed=1), bundle) is None


@pytest.mark.parametrize("edit", ["folder", "link", "damaged bundle", "config of an older version"])
def test_a_card_that_may_have_been_edited_is_kept(edit: str, bundle: Path) -> None:
    card = bundle / "README.md"
    if edit == "folder":
        card.unlink()
        card.mkdir()
    elif edit == "link":
        card.unlink()
        card.symlink_to("elsewhere.md")
    elif edit == "damaged bundle":
        (bundle / "config.json").write_text("{}")
    else:
        change_config(bundle, lambda config: config.pop("words"))
    save_bundle(tiny(seed=1), bundle)
    kept = bundle / "README.old.md"
    assert (kept.is_dir(), kept.is_symlink()) == (edit == "folder", edit == "link")
    load_bundle(bundle)


def test_a_bundle_that_is_replaced_while_it_is_read_is_not_mixed_with_the_other(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise weights would be scored with the settings of another model of the same shapes."""
    monkeypatch.setattr("zoo.model.bundle.check_shapes", lambda *_: write(bundle, seed=1))
    with pytest.raises(BundleError, match="replaced while it was read"):
        load_bundle(bundle)


def test_only_bundles_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_text("cat")
    (tmp_path / "file").write_text("text")
    for name in ("photos", "file"):
        with pytest.raises(UsageError, match="is not a bundle"):
            save_bundle(tiny(), tmp_path / name)
    assert (tmp_path / "photos" / "cat.png").read_text() == "cat"


def test_weights_that_are_not_finite_are_not_saved(bundle: Path) -> None:
    model = tiny()
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] = float("nan")
    with pytest.raises(NonFiniteError, match="not all finite"):
        save_bundle(model, bundle)
    assert digest(load_bundle(bundle).state_dict()) == digest(tiny().state_dict())


def test_half_precision_halves_the_parameters_and_keeps_buffers(tmp_path: Path) -> None:
    model = tiny()
    for name in ("full", "half"):
        save_bundle(model, tmp_path / name, half=name == "half")
    stored = unpack((tmp_path / "half" / "model.safetensors").read_bytes(), "half").tensors
    parameters = dict(model.named_parameters())
    assert {name for name, tensor in stored.items() if tensor.dtype == torch.float16} == set(parameters)
    loaded = load_bundle(tmp_path / "half").state_dict()
    for name, tensor in model.state_dict().items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], parameters[name].half().float() if name in parameters else tensor)
    assert digest(tiny().state_dict()) == digest(model.state_dict()), "the model itself is not rounded"


def test_a_bundle_in_half_precision_records_the_weights_that_are_loaded(tmp_path: Path) -> None:
    save_bundle(tiny(), tmp_path / "half", half=True)
    config = json.loads((tmp_path / "half" / "config.json").read_text())
    model = load_bundle(tmp_path / "half")
    for slot, part in config["parts"].items():
        assert part["weights"] == digest(model.get_submodule(slot).state_dict())
    save_bundle(model, tmp_path / "again", half=True)
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (
        tmp_path / "half" / "model.safetensors"
    ).read_bytes()


def test_weights_beyond_half_precision_are_not_saved(bundle: Path) -> None:
    model = tiny()
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] = 70_000
    with pytest.raises(NonFiniteError, match="not all finite in half precision") as caught:
        save_bundle(model, bundle, half=True)
    assert caught.value.problems[0].hint == "save them without half"
    assert digest(load_bundle(bundle).state_dict()) == digest(tiny().state_dict())


def test_bundle_is_found_in_its_run(bundle: Path) -> None:
    before = digest(load_bundle(bundle).state_dict())
    run = bundle.parent / "run"
    run.mkdir()
    bundle.rename(run / "bundle")
    assert digest(load_bundle(run).state_dict()) == before


@pytest.mark.parametrize(
    ("path", "message"), [("missing", "no such bundle"), ("old.pt", "zoo import"), ("", "missing")]
)
def test_other_paths_are_rejected(tmp_path: Path, path: str, message: str) -> None:
    (tmp_path / "old.pt").write_bytes(b"")
    with pytest.raises(BundleError, match=message):
        load_bundle(tmp_path / path)


@pytest.mark.parametrize("name", ["manifest.json", "config.json"])
def test_a_bundle_from_a_newer_version_names_the_version_that_reads_it(name: str, bundle: Path) -> None:
    stored = json.loads((bundle / name).read_text())
    newer = {"format": 7, "signed": "0123abcd", "polyzoo": "1.4.0", "versions": {"polyzoo": "1.4.0"}}
    (bundle / name).write_text(json.dumps({**stored, **newer}))
    with pytest.raises(BundleError) as caught:
        load_bundle(bundle)
    what = "was written by polyzoo 1.4.0 (format 7); this version reads up to format 2"
    (problem,) = caught.value.problems
    assert (problem.what, problem.hint) == (what, "pip install -U 'polyzoo>=1.4.0'")


@pytest.mark.parametrize("writer", [None, 3, "1.0'; rm -rf ~ #", "1" * 99, ["1.0"], "evil\n"])
def test_a_hint_names_a_version_only_if_it_is_one(writer: object, bundle: Path) -> None:
    stored = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps({**stored, "format": 7, "polyzoo": writer}))
    with pytest.raises(BundleError, match="by a newer polyzoo") as caught:
        load_bundle(bundle)
    assert caught.value.problems[0].hint == "pip install -U polyzoo"


@pytest.mark.parametrize("number", ["x", -5, 0, True, 1.0, None, [], "9" * 10_000, 10**4000])
@pytest.mark.parametrize("name", ["manifest.json", "config.json"])
def test_a_format_is_a_positive_integer(number: object, name: str, bundle: Path) -> None:
    """The format of a bundle is checked even if its checksums are correct."""
    stored = {**json.loads((bundle / name).read_text()), "format": number}
    (bundle / name).write_bytes(canonical(stored))
    if name == "config.json":
        seal(bundle)
    with pytest.raises(BundleError) as caught:
        load_bundle(bundle)
    (problem,) = caught.value.problems
    assert len(str(problem)) < 400
    assert problem.where == str(bundle / name)
    assert "its format is" in problem.what or number == 10**4000


def test_all_damaged_files_are_reported_at_once(bundle: Path) -> None:
    (bundle / "sample.mid").unlink()
    (bundle / "config.json").write_text("other")
    with pytest.raises(BundleError) as caught:
        load_bundle(bundle)
    names = {Path(problem.where).name for problem in caught.value.problems}
    assert names == {"config.json", "sample.mid"}


def test_no_line_of_a_manifest_can_be_removed_or_added(bundle: Path) -> None:
    """Not even together with its file, which leaves no other trace."""
    seal = json.loads((bundle / "manifest.json").read_text())
    fewer = {name: checksum for name, checksum in seal["files"].items() if name != "sample.mid"}
    more = {**seal["files"], "README.md": "0" * 64}
    (bundle / "sample.mid").unlink()
    changed = [{**seal, "files": checksums} for checksums in (fewer, more, {}, [])]
    changed += [{**seal, "signed": "0123abcd"}, {**seal, "polyzoo": "0.1.9"}]
    changed += [{key: value for key, value in seal.items() if key != lost} for lost in seal]
    for content in changed:
        (bundle / "manifest.json").write_bytes(canonical(content))
        with pytest.raises(BundleError):
            load_bundle(bundle)


def test_a_sample_that_was_added_is_named(written: Path, tmp_path: Path) -> None:
    save_bundle(tiny(), tmp_path / "bundle")
    shutil.copyfile(written / "sample.mid", tmp_path / "bundle" / "sample.mid")
    with pytest.raises(BundleError, match=r"sample\.mid: manifest\.json does not list it"):
        load_bundle(tmp_path / "bundle")


def test_a_bundle_in_a_folder_whose_name_is_not_unicode_is_loaded(written: Path, tmp_path: Path) -> None:
    try:
        place = Path(shutil.copytree(written, tmp_path / "run\udcff"))
    except (OSError, UnicodeError):
        pytest.skip("the file system has Unicode names only")
    assert digest(load_bundle(place).state_dict()) == digest(tiny().state_dict())


def test_a_sample_that_a_manifest_of_format_1_does_not_list_is_rejected(bundle: Path) -> None:
    checksums = {
        name: sha256((bundle / name).read_bytes()).hexdigest() for name in FILES if "manif" not in name
    }
    (bundle / "manifest.json").write_bytes(canonical({"format": 1, "files": checksums}))
    load_bundle(bundle)
    del checksums["sample.mid"]
    (bundle / "manifest.json").write_bytes(canonical({"format": 1, "files": checksums}))
    with pytest.raises(BundleError, match=r"manifest\.json"):
        load_bundle(bundle)
    (bundle / "sample.mid").unlink()
    load_bundle(bundle)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("edit", ["change", "remove", "folder", "other encoding"])
def test_the_card_is_for_people_to_edit(number: int, edit: str, bundle: Path) -> None:
    card = bundle / "README.md"
    if number == 1:
        checksums = {
            name: sha256((bundle / name).read_bytes()).hexdigest() for name in FILES if "man" not in name
        }
        (bundle / "manifest.json").write_bytes(canonical({"format": 1, "files": checksums}))
    if edit == "change":
        card.write_text("# Our model\n")
    elif edit == "other encoding":
        card.write_bytes("# Für Élise\n".encode("utf-16"))
    else:
        card.unlink()
    if edit == "folder":
        card.mkdir()
    assert digest(load_bundle(bundle).state_dict()) == digest(tiny().state_dict())
    if edit == "change":
        assert read_card(bundle) == "# Our model\n"
    elif edit == "remove":
        assert read_card(bundle) == ""


@pytest.mark.parametrize("name", ["config.json", "manifest.json"])
def test_line_endings_that_git_converted_are_named(name: str, bundle: Path) -> None:
    content = (bundle / name).read_bytes()
    (bundle / name).write_bytes(content.replace(b"\n", b"\r\n"))
    with pytest.raises(BundleError) as caught:
        load_bundle(bundle)
    (problem,) = caught.value.problems
    assert "line endings were converted to CRLF" in problem.what
    assert ".gitattributes" in problem.hint
    (bundle / "README.md").write_bytes((bundle / "README.md").read_bytes().replace(b"\n", b"\r\n"))
    (bundle / name).write_bytes(content)
    load_bundle(bundle)


def test_all_missing_parts_are_reported(bundle: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        config["recipe"]["parts"]["attention"]["name"] = "polyzoo-weather/rain"
        config["recipe"]["parts"]["decoder"]["state_version"] = 9

    change_config(bundle, change)
    with pytest.raises(BundleError) as caught:
        load_bundle(bundle)
    assert "polyzoo-weather" in str(caught.value)
    assert "state version 9" in str(caught.value)
    assert all(str(bundle) in problem.where for problem in caught.value.problems)


@pytest.mark.parametrize("broken", [{}, {"recipe": None}, {"recipe": {"parts": []}}, []])
def test_empty_config_is_rejected(bundle: Path, broken: Any) -> None:
    (bundle / "config.json").write_text(json.dumps(broken))
    seal(bundle)
    with pytest.raises(BundleError):
        load_bundle(bundle)


def test_weights_of_another_model_are_rejected(bundle: Path) -> None:
    change_config(bundle, lambda config: config["recipe"]["parts"]["decoder"]["settings"].update(hidden=5))
    with pytest.raises(BundleError, match=r"decoder\.\S+ are \d+.* not \d+"):
        load_bundle(bundle)


def test_weights_must_be_complete_and_finite() -> None:
    module = torch.nn.Linear(2, 1)
    before = digest(module.state_dict())
    weight = torch.tensor([[1.0, float("inf")]])
    with pytest.raises(BundleError) as caught:
        restore(module, {"weight": weight, "extra": torch.zeros(1)}, "here")
    message = str(caught.value)
    for name in ("weights bias are missing", "unexpected weights extra", "weights weight are not all finite"):
        assert name in message
    assert digest(module.state_dict()) == before


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.complex64, torch.bool])
def test_a_dtype_that_torch_cannot_compute_with_is_refused(dtype: torch.dtype) -> None:
    module, tensors = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1).state_dict()
    with pytest.raises(BundleError, match="weights weight are 1 x 2"):
        restore(module, {**tensors, "weight": tensors["weight"].to(dtype)}, "here")


def test_weights_of_any_dtype_survive_packing(tmp_path: Path) -> None:
    tensors = {
        "whole": torch.tensor(3),
        "none": torch.zeros(0, 4),
        "half": torch.ones(3, dtype=torch.bfloat16),
        "flags": torch.tensor([True, False]),
        "turned": torch.arange(6.0).reshape(2, 3).T,
    }
    tensors["shared"] = tensors["turned"]
    stored = unpack(pack(Weights(tensors, {"step": 3})), "here")
    assert stored.about == {"step": 3}
    assert digest(stored.tensors) == digest(tensors)
    assert all(torch.equal(stored.tensors[name], tensor) for name, tensor in tensors.items())


class Evil:
    """Runs when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("writer", ["pickle", "torch"])
def test_pickle_is_never_loaded(bundle: Path, sealed: bool, writer: str) -> None:
    marker = bundle.parent / "run"
    for name in ("model.safetensors", "config.json", "manifest.json"):
        content = (bundle / name).read_bytes()
        if writer == "pickle":
            (bundle / name).write_bytes(pickle.dumps(Evil(marker)))
        else:
            torch.save({"weight": Evil(marker)}, bundle / name)
        if sealed and name != "manifest.json":
            seal(bundle)
        with pytest.raises(BundleError):
            load_bundle(bundle)
        (bundle / name).write_bytes(content)
        seal(bundle)
    assert not marker.exists()
    load_bundle(bundle)


def test_code_file_of_a_bundle_needs_consent(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bundle.parent)
    monkeypatch.delenv("ZOO_LOCAL", raising=False)
    Path("evil.py").write_text("import pathlib; pathlib.Path('run').touch()")
    change_config(
        bundle, lambda config: config["recipe"]["parts"]["attention"].update(name="./evil.py/attention")
    )
    with pytest.raises(BundleError):
        load_bundle(bundle)
    change_config(bundle, lambda config: config["recipe"]["parts"]["attention"].update(name="./evil.py"))
    with pytest.raises(BundleError, match="code from a file"):
        load_bundle(bundle)
    assert not Path("run").exists()


def test_named_pipe_does_not_block(bundle: Path) -> None:
    for name in FILES:
        (bundle / name).unlink()
        os.mkfifo(bundle / name)
    with pytest.raises(BundleError, match="not a regular file"):
        load_bundle(bundle)


def mutate(folder: Path, foreign: Path, chance: random.Random) -> str:
    """Change one thing about a bundle. Returns its name, or an empty string if nothing changed."""
    name = chance.choice(SEALED)
    path = folder / name
    content = path.read_bytes()
    place = chance.randrange(len(content))
    kind = chance.choice(["flip", "cut", "grow", "blank", "swap", "foreign", "lose", "empty", "folder"])
    changed = content
    if kind == "flip":
        changed = (
            content[:place] + bytes([content[place] ^ (1 << chance.randrange(8))]) + content[place + 1 :]
        )
    elif kind == "cut":
        changed = content[:place]
    elif kind == "grow":
        changed = content + chance.randbytes(1 + chance.randrange(9))
    elif kind == "blank":
        width = 1 + chance.randrange(64)
        changed = content[:place] + bytes(len(content[place : place + width])) + content[place + width :]
    elif kind == "swap":
        second = folder / chance.choice([file for file in SEALED if file != name])
        changed = second.read_bytes()
        second.write_bytes(content)
    elif kind == "foreign":
        changed = (foreign / name).read_bytes()
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind != "lose":
        path.write_bytes(b"" if kind == "empty" else changed)
    return "" if changed == content and kind in ("blank", "foreign") else f"{kind} of {name}"


def refused(folder: Path) -> bool:
    """Whether loading raises a `BundleError` with hints; any other error fails the test."""
    try:
        load_bundle(folder)
    except BundleError as error:
        return all(problem.hint for problem in error.problems)
    return False


def test_no_mutant_of_a_bundle_is_loaded(written: Path, tmp_path: Path) -> None:
    foreign = write(tmp_path / "other", seed=1)
    unnoticed = []
    for number in range(MUTANTS):
        folder = tmp_path / "mutant"
        shutil.copytree(written, folder)
        what = mutate(folder, foreign, random.Random(number))
        if not refused(folder) and what:
            unnoticed.append(f"{number}: {what}")
        shutil.rmtree(folder)
    assert unnoticed == []


def test_no_mutant_of_sealed_weights_or_config_is_anything_but_a_bundle_error(
    written: Path, tmp_path: Path
) -> None:
    """Anyone who can write a manifest can make a valid bundle; an invalid one must not crash a parser."""
    for number in range(max(MUTANTS // 8, 20)):
        folder = tmp_path / "mutant"
        shutil.copytree(written, folder)
        chance = random.Random(number)
        path = folder / chance.choice(["config.json", "model.safetensors"])
        content = bytearray(path.read_bytes())
        for _ in range(1 + chance.randrange(4)):
            content[chance.randrange(min(len(content), 4000))] = chance.randrange(256)
        path.write_bytes(content)
        seal(folder)
        refused(folder)
        shutil.rmtree(folder)
