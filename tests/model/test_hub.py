"""Bundles on the Hub: published to and loaded from a stand-in of its HTTP interface on this machine."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlparse

import pytest

import zoo
from zoo.errors import BundleError, ZooError
from zoo.model import hub
from zoo.model.card import card as card_of
from zoo.model.front_matter import front_matter
from zoo.model.pretrained import FOLDER, bundle_folder
from zoo.model.sealed import files_to_share

REPO = "user/tiny-voices"
TINY = "attention=none attention.local=3 attention.features=4 sampler=independent decoder.hidden=3"


class Hub(ThreadingHTTPServer):
    """The part of the Hub that a push and a download need: one repository of small files."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.files: dict[str, bytes] | None = None
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.token = ""

    @property
    def sha(self) -> str:
        return hashlib.sha1(b"".join((self.files or {}).values())).hexdigest()


class _Answers(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *words: object) -> None:
        pass

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.token = self.headers.get("Authorization", "")
        if not self.server.token:
            return self._json({"error": "Invalid username or password."}, 401)
        match urlparse(self.path).path.split("/")[2:]:
            case ["validate-yaml"]:
                return self._json({"errors": [], "warnings": []})
            case ["repos", "create"]:
                self.server.files = self.server.files or {}
                return self._json({"url": f"{self.server.address}/{REPO}"})
            case ["models", *_, "preupload", "main"]:
                files = [
                    {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for file in json.loads(content)["files"]
                ]
                return self._json({"files": files})
            case ["models", *_, "commit", "main"]:
                assert self.server.files is not None
                for line in map(json.loads, content.splitlines()):
                    value = line["value"]
                    if line["key"] == "file":
                        self.server.files[value["path"]] = base64.b64decode(value["content"])
                    elif line["key"] == "deletedFile":
                        del self.server.files[value["path"]]
                url = f"{self.server.address}/{REPO}/commit/{self.server.sha}"
                return self._json({"commitUrl": url, "commitOid": self.server.sha})
        return self._json({"error": "not found"}, 404)

    def do_GET(self) -> None:
        files, path = self.server.files, unquote(urlparse(self.path).path)
        if files is None or REPO not in path:
            return self._json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        if path.startswith(f"/api/models/{REPO}/tree/"):
            listed = [
                {"type": "file", "path": name, "size": len(file), "oid": hashlib.sha1(file).hexdigest()}
                for name, file in files.items()
            ]
            return self._json(listed)
        if path.startswith("/api/"):
            siblings = [{"rfilename": name} for name in files]
            model = {
                "id": REPO,
                "modelId": REPO,
                "sha": self.server.sha,
                "siblings": siblings,
                "private": False,
            }
            return self._json({**model, "tags": [], "downloads": 0, "likes": 0})
        name = path.rpartition("/")[2]
        if name not in files:
            return self._json({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
        digest = hashlib.sha1(files[name]).hexdigest()
        return self._send(files[name], 200, {"ETag": f'"{digest}"', "X-Repo-Commit": self.server.sha})

    do_HEAD = do_GET

    def _json(self, content: Any, code: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(
            json.dumps(content).encode(), code, {"Content-Type": "application/json", **(headers or {})}
        )

    def _send(self, content: bytes, code: int, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@pytest.fixture
def server() -> Iterator[Hub]:
    with Hub() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    zoo.build(TINY).save(tmp_path / "bundle")
    return tmp_path / "bundle"


Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command(server: Hub, tmp_path: Path) -> Command:
    """Run a command with the stand-in as its Hub and a separate cache."""
    pytest.importorskip("huggingface_hub")

    def command(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        home = {
            "HF_HOME": str(tmp_path / "hf"),
            "HF_ENDPOINT": server.address,
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        words = (sys.executable, "-m", "zoo", *words)
        options: dict[str, Any] = {"capture_output": True, "text": True, "check": False, "cwd": tmp_path}
        return subprocess.run(words, env=inherited | home | environment, **options)

    return command


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
def test_a_bundle_goes_to_the_hub_and_comes_back(
    command: Command, server: Hub, bundle: Path, tmp_path: Path
) -> None:
    card = bundle / "README.md"
    card.write_text(card.read_text().replace("## Usage", "## How I use it"))
    pushed = command("push", "bundle", REPO, "--license", "cc-by-4.0", HF_TOKEN="hf_of_a_test")
    assert pushed.returncode == 0, pushed.stderr
    assert f"zoo generate hf:{REPO}" in pushed.stdout
    assert server.token == "Bearer hf_of_a_test"
    assert server.files is not None
    published = server.files.pop("README.md").decode()
    assert server.files == {name: content for name, content in files(bundle).items() if name != "README.md"}
    assert "license: cc-by-4.0" in published
    assert "## How I use it" in published
    assert "license" not in card.read_text()
    server.files |= {"README.md": published.encode(), "evil.py": b"raise SystemExit"}

    written = command("generate", f"hf:{REPO}", "-o", "new.mid", "--bars", "1")
    assert written.returncode == 0, written.stderr
    assert (tmp_path / "new.mid").read_bytes().startswith(b"MThd")
    (snapshot,) = (tmp_path / "hf/hub").glob("models--*/snapshots/*")
    assert sorted(path.name for path in snapshot.iterdir()) == sorted(
        ["README.md", "config.json", "manifest.json", "model.safetensors"]
    )
    server.shutdown()
    offline = command("show", f"hf:{REPO}@main", "--json", HF_HUB_OFFLINE="1")
    assert offline.returncode == 0, offline.stderr
    assert json.loads(offline.stdout)["config"] == json.loads((bundle / "config.json").read_text())


@pytest.mark.slow
def test_what_the_hub_refuses_is_a_message(command: Command, bundle: Path) -> None:
    unknown = command("generate", f"hf:{REPO}", "-o", "new.mid")
    assert unknown.returncode == 5
    assert f"hf:{REPO}: the Hub cannot do this" in unknown.stderr
    assert "check the name" in unknown.stderr
    assert "Traceback" not in unknown.stderr
    refused = command("push", "bundle", REPO)
    assert refused.returncode == 2
    assert "hf auth login" in refused.stderr
    (bundle / "config.json").write_text("{}")
    damaged = command("push", "bundle", REPO, HF_TOKEN="hf_of_a_test")
    assert damaged.returncode == 5
    assert command("push", "nothing", REPO).returncode == 5


@pytest.mark.slow
def test_a_push_replaces_the_bundle_that_was_there(command: Command, server: Hub, bundle: Path) -> None:
    server.files = {"sample.mid": b"of another model", "README.md": b"of another model", "notes.txt": b"mine"}
    (bundle / "README.md").unlink()
    pushed = command("push", "bundle", REPO, HF_TOKEN="hf_of_a_test")
    assert pushed.returncode == 0, pushed.stderr
    assert server.files == {**files(bundle), "notes.txt": b"mine"}


@pytest.mark.slow
def test_a_push_publishes_nothing_in_public_if_it_must_be_private_and_replaces_no_other_model(
    command: Command, server: Hub, bundle: Path
) -> None:
    server.files = {}
    public = command("push", "bundle", REPO, "--private", HF_TOKEN="hf_of_a_test")
    assert public.returncode == 2
    assert f"{REPO}: is a public repository, so nothing was published" in public.stderr
    server.files = other = {"model.safetensors": b"of a transformer", "config.json": b"{}"}
    foreign = command("push", "bundle", REPO, HF_TOKEN="hf_of_a_test")
    assert foreign.returncode == 2
    assert "contains a model that is not a bundle" in foreign.stderr
    assert server.files == other == {"model.safetensors": b"of a transformer", "config.json": b"{}"}


def test_only_the_files_of_a_bundle_are_published(bundle: Path, tmp_path: Path) -> None:
    (bundle / "diary.txt").write_text("private")
    names = ["README.md", "config.json", "manifest.json", "model.safetensors"]
    assert sorted(path.name for path in files_to_share(bundle)) == names
    (bundle / "sample.mid").symlink_to(bundle / "diary.txt")
    with pytest.raises(BundleError, match=r"sample\.mid"):
        files_to_share(bundle)


@pytest.mark.parametrize("place", ["diary.txt", "blobs/diary.txt", "linked/blobs/diary.txt"])
def test_a_card_that_links_to_a_file_elsewhere_is_not_published(
    place: str, bundle: Path, tmp_path: Path
) -> None:
    diary = tmp_path / "home" / place
    diary.parent.mkdir(parents=True)
    diary.write_text("private")
    snapshot = Path(shutil.copytree(bundle, tmp_path / "sent" / "snapshots" / "bundle"))
    (tmp_path / "sent" / "blobs").symlink_to(diary.parent)
    (snapshot / "README.md").unlink()
    (snapshot / "README.md").symlink_to(diary)
    with pytest.raises(BundleError, match="would be published"):
        files_to_share(snapshot)


@pytest.mark.parametrize(
    "linked",
    [
        "sent/bundle/manifest.json sent/bundle/config.json sent/bundle/model.safetensors",
        "sent/bundle",
        "sent",
    ],
)
def test_a_bundle_that_links_to_a_private_one_is_not_published(
    linked: str, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender does not need to know anything about the private model."""
    private = tmp_path / "private" / "bundle"
    private.parent.mkdir()
    bundle.rename(private)
    for link in linked.split():
        (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / link).symlink_to(tmp_path / link.replace("sent", "private"))
    monkeypatch.chdir(tmp_path)
    for name in (Path("sent/bundle"), tmp_path / "sent" / "bundle"):
        with pytest.raises(BundleError, match="would be published") as caught:
            files_to_share(name)
        assert len(caught.value.problems) == len(linked.split())
    assert files_to_share(Path("private/bundle"))
    assert files_to_share(Path("private/../private/bundle"))


def test_a_bundle_in_the_cache_of_the_hub_is_published_with_its_card(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "models/blobs").mkdir(parents=True)
    snapshot = Path(shutil.copytree(bundle, tmp_path / "models/snapshots/0123"))
    (snapshot / "README.md").rename(tmp_path / "models/blobs/4567")
    (snapshot / "README.md").symlink_to(Path("../../blobs/4567"))
    assert snapshot / "README.md" in files_to_share(snapshot)


def test_a_bundle_that_is_replaced_during_a_push_is_not_published(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise its configuration would be published with the weights of another model."""

    class Replacing:
        """Like huggingface_hub, with a training that ends when the first file is read."""

        HfApi = SimpleNamespace

        @staticmethod
        def CommitOperationAdd(name: str, content: str | bytes) -> None:
            if name == "config.json":
                zoo.build(TINY, seed=1).save(bundle, overwrite=True)

    monkeypatch.setattr(hub, "_hub", lambda where: Replacing)
    with pytest.raises(BundleError, match="replaced while it was read"):
        hub.upload(bundle, REPO)


class FakeHub:
    """A module with the functions of huggingface_hub that are used, without a network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[tuple[str, str | None]] = []

    def snapshot_download(self, repo: str, **options: Any) -> str:
        self.asked.append((repo, options["revision"]))
        return str(self.folder)


def test_a_revision_is_requested_and_its_model_is_loaded(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeHub(bundle)
    monkeypatch.setattr(hub, "_hub", lambda where: fake)
    hub.download.cache_clear()
    assert str(zoo.load(f"hf:{REPO}@v2").recipe) == str(zoo.load(bundle).recipe)
    assert str(zoo.build(f"core=@hf:{REPO}").recipe).startswith("encoder=onset attention=none")
    assert fake.asked == [(REPO, "v2"), (REPO, None)]
    hub.download.cache_clear()


def test_a_repository_that_is_no_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_hub", lambda where: FakeHub(tmp_path))
    hub.download.cache_clear()
    with pytest.raises(BundleError, match="is not a bundle"):
        bundle_folder(f"hf:{REPO}")


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    hub.download.cache_clear()
    with pytest.raises(ZooError) as caught:
        bundle_folder(f"hf:{REPO}")
    assert caught.value.problems[0].hint == "pip install 'polyzoo[hub]'"


def front(config: dict[str, Any]) -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    read: dict[str, Any] = yaml.safe_load(front_matter(config).removeprefix("---\n").removesuffix("\n---"))
    return read


def test_the_card_contains_music_tags_and_the_score_with_kind_and_interval() -> None:
    config = json.loads((FOLDER / "bach/config.json").read_text())
    assert front(config)["datasets"] == ["bach"]
    assert "model-index" not in front(config), "it records no interval"
    config["words"] += ' "quoted": [words]'
    config["scores"]["validation_score"] = {
        "nats": 2.19012,
        "kind": "bound",
        "interval": [2.1, 2.3],
        "pieces": 8,
    }
    card = front(config)
    assert card["library_name"] == "polyzoo"
    assert "midi" in card["tags"]
    (model,) = card["model-index"]
    assert model["name"] == config["words"]
    (result,) = model["results"]
    assert result["dataset"] == {"name": "bach", "type": "bach", "split": "validation"}
    (metric,) = result["metrics"]
    assert (metric["type"], metric["value"]) == ("nats-per-frame", 2.1901)
    assert metric["args"] == {"kind": "bound", "interval_95": [2.1, 2.3], "pieces": 8}


@pytest.mark.parametrize(
    "name", ["🎹 songs", "a\x7fb", "new\nline", 'é "\\ud83d\\ude00"', "\u2028\ufeff\x85", "[x]: {y}"]
)
def test_the_front_matter_has_the_music_by_its_name(name: str) -> None:
    config = json.loads((FOLDER / "bach/config.json").read_text())
    for part in config["parts"].values():
        part["trained_on"] = [{"name": name, "digest": "ab"}]
    assert front(config)["datasets"] == [name]


def test_names_of_music_stay_in_their_cells_of_the_card() -> None:
    config = json.loads((FOLDER / "bach/config.json").read_text())
    name = "a|b\n\n## Usage\n\n<img src=x onerror=alert(1)>"
    config["parts"]["decoder"]["trained_on"] = [{"name": name, "digest": "ab" * 32}]
    text = card_of(config).partition("\n---\n")[2]
    assert r"| decoder | a\|b ## Usage &lt;img src=x onerror=alert(1)> | abababababab |" in text
    assert text.count("\n## Usage\n") == 1


def test_the_card_of_a_model_that_was_never_validated_has_no_scores(bundle: Path) -> None:
    config = json.loads((bundle / "config.json").read_text())
    for scores in (None, {}, {"validation": {}, "validation_kinds": {}}):
        assert "## Scores" not in card_of({**config, "scores": scores})
    assert "## Scores" in card_of({**config, "scores": {"validation": {"core": 2.5}}})


def test_the_hub_reads_the_card(bundle: Path) -> None:
    cards = pytest.importorskip("huggingface_hub")
    config = json.loads((FOLDER / "bach/config.json").read_text())
    config["scores"]["validation_score"] = {"nats": 2.19, "kind": "exact", "interval": None, "pieces": 1}
    data = cards.ModelCard(f"{front_matter(config)}\n# bach\n").data
    (result,) = data.eval_results
    assert (result.metric_value, result.metric_args["kind"], result.dataset_split) == (
        2.19,
        "exact",
        "validation",
    )


def test_the_install_line_leaves_out_parts_that_are_files(tmp_path: Path, bundle: Path) -> None:
    card = (bundle / "README.md").read_text()
    assert "$ pip install ./polyzoo\n" in card
    assert "--local" not in card
    config = json.loads((bundle / "config.json").read_text())
    config["parts"]["attention"] |= {"name": "./mine.py:mine", "distribution": "mine"}
    config["parts"]["decoder"] |= {"name": "polyzoo-waltz/waltz", "distribution": "polyzoo-waltz"}
    text = card_of(config)
    assert "$ pip install ./polyzoo ./polyzoo-waltz\n" in text
    assert "-o music.mid --local" in text
    assert 'zoo.load(".", local=True)' in text
