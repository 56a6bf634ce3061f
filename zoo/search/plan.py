"""The plan of a search: its words, number of trials, seed and music, stored in `search.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import zoo
from zoo.errors import BundleError, Problem, UsageError
from zoo.files import write_file
from zoo.limits import read_bytes, sha256_of
from zoo.model.format import check_format
from zoo.model.hub import is_on_hub
from zoo.model.pretrained import SEARCH
from zoo.model.sealed import damaged, parsed, reading
from zoo.parts import SLOTS
from zoo.registry.consent import located
from zoo.registry.registry import file_of, names_file
from zoo.registry.sources import file_digest, is_digest, is_same
from zoo.registry.words import Word
from zoo.search.space import Space
from zoo.train.plan import from_folder
from zoo.train.swap import names_source
from zoo.train.trained import open_trained

FORMAT = 1
LIVE = ("train.device", "train.threads", "train.tracker")
"""Keys that may differ when a search is continued."""


@dataclass(frozen=True)
class Plan:
    """The plan of a search.

    Attributes:
        typed: its words, as typed.
        words: key -> text of the words, with named recipes and files expanded.
        others: words for trained parts.
        trials: number of trials.
        seed: seed of the choice of values.
        folder: folder in which it was started; relative paths of music are resolved there.
        music: digest of the music; empty until it is read.
        files: file of code, or word for trained parts -> digest of its content.
    """

    typed: tuple[str, ...]
    words: Mapping[str, str]
    others: tuple[str, ...]
    trials: int
    seed: int
    folder: str = field(default_factory=lambda: str(Path.cwd()))
    music: str = ""
    files: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, typed: Sequence[str], space: Space, trials: int, seed: int) -> Plan:
        """The plan of a new search."""
        words = {word.key: located_text(word) for word in space.words}
        files = {name: _digest(name) for name in space.files}
        return cls(tuple(typed), words, space.others, trials, seed, files=files)

    def write(self, folder: Path) -> None:
        """Write it to the folder of the search."""
        content = {"format": FORMAT, "polyzoo": zoo.__version__, **vars(self)}
        write_file(folder / SEARCH, json.dumps(content, indent=2) + "\n")

    def stored_words(self, folder: Path) -> list[str | Word]:
        """Its words, marked as read from a file: files of code that they name need consent."""
        origin = str(folder / SEARCH)
        words = [Word(key, text, origin) for key, text in self.words.items()]
        return [*self.others, *(from_folder(word, self.folder) for word in words)]

    def check_downloads(self, typed: Sequence[str]) -> None:
        """Check that nothing is downloaded that the user did not name: the search may have been sent.

        Raises:
            UsageError: trained parts are on the Hub, and are not among the typed words.
        """
        named = {_source(word) for word in typed}
        on_hub = (word for word in self.others if is_on_hub(_source(word)))
        unnamed = [word for word in on_hub if _source(word) not in named]
        if unnamed:
            hint = "repeat the words of the search, which consents to the download"
            raise UsageError(*(Problem("would be downloaded from the Hub", word, hint) for word in unnamed))

    @property
    def code(self) -> list[str]:
        """The files of code that the words name."""
        names = (name for slot in SLOTS for name in self.words.get(slot, "").split(","))
        return [name for name in names if names_file(name)]

    def check_files(self, folder: Path) -> None:
        """Check that code and trained parts are unchanged; no code is run.

        Raises:
            UsageError: some have changed since the search was started; holds all that have.
            BundleError: the search does not say what the files were; or trained parts are missing or damaged.
        """
        strange = [name for name in self.files if not (names_source(name) or names_file(name))]
        if strange:
            what = f"names files that are neither code nor trained parts: {', '.join(strange)}"
            raise BundleError(damaged(what, str(folder / SEARCH)))
        unknown = [name for name in (*self.code, *self.others) if not is_digest(self.files.get(name, ""))]
        if unknown:
            what = f"does not have the digests of {', '.join(unknown)}"
            raise BundleError(damaged(what, str(folder / SEARCH)))
        hint = "restore the original, or start a new search: trials of different models are not comparable"
        problems = [
            Problem(f"the file has changed: its digest is {current}, expected {digest}", name, hint)
            for name, digest in self.files.items()
            if (current := _digest(name)) and not is_same(current, digest)
        ]
        if problems:
            raise UsageError(*problems)


def located_text(word: Word) -> str:
    """The value of a word; files of code in that of a slot, as they lead from the current folder."""
    if word.key not in SLOTS:
        return word.text
    texts = [text.strip() for text in word.text.split(",")]
    return ",".join(located(replace(word, text=text)) if names_file(text) else text for text in texts)


def _source(word: str) -> Path:
    """The run or bundle that a word names, `@` included or not; `./hf:x` is the same path as `hf:x`."""
    return Path(word.rpartition("=")[2].removeprefix("@"))


def _digest(name: str) -> str:
    """The sha256 of a file of code, or of the weights of trained parts."""
    if not names_source(name):
        return file_digest(file_of(name))
    weights = open_trained(Path(name.partition("=@")[2])).file
    with reading(weights):
        return sha256_of(weights, "checkpoint")


def read_plan(folder: Path) -> Plan | None:
    """Read the plan of a search; None if the folder contains no search.

    Raises:
        BundleError: it is damaged, or from a newer version.
    """
    path = folder / SEARCH
    if not path.is_file():
        return None
    try:
        content = parsed(read_bytes(path, "plan"), path)
    except OSError as error:
        raise BundleError(damaged(f"cannot be read: {error.strerror}", str(path))) from error
    check_format(content.get("format"), FORMAT, str(path), content.get("polyzoo"))
    try:
        plan = Plan(**{name: content[name] for name in Plan.__dataclass_fields__})
        if not _is_valid(plan):
            raise TypeError
    except (KeyError, TypeError, AttributeError):
        raise BundleError(damaged("is not the plan of a search", str(path))) from None
    return replace(plan, typed=tuple(plan.typed), others=tuple(plan.others))


def _is_valid(plan: Plan) -> bool:
    texts: list[Any] = [*plan.typed, *plan.others, *plan.words.values(), plan.folder, plan.music]
    texts += plan.files.values()
    numbers = (plan.trials, plan.seed)
    return (
        all(isinstance(text, str) for text in texts)
        and all(type(number) is int for number in numbers)
        # All other words would count as typed, and code that they name would be run without consent.
        and all(names_source(word) or "=" not in word for word in plan.others)
        and all(names_file(name) or name in plan.others for name in plan.files)
    )


def check_same(stored: Plan, given: Plan, folder: Path) -> None:
    """Check that a search may be continued with other words.

    Raises:
        UsageError: the words describe another search; holds all differences.
    """
    before, after = _entries(stored), _entries(given)
    changed = [
        Problem(
            f"is now {after.get(key, 'not set')}, but the search was started with {before.get(key, 'none')}",
            key,
        )
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    ]
    if changed:
        what = "contains another search"
        raise UsageError(Problem(what, str(folder), "choose a new folder, or omit what differs"), *changed)


def _entries(plan: Plan) -> dict[str, str]:
    """What the results of a search depend on."""
    words = {key: text for key, text in plan.words.items() if key not in (*LIVE, "data", "family")}
    return {
        **words,
        **dict.fromkeys(plan.others, "named"),
        "--seed": str(plan.seed),
        "the music": plan.music[:12],
    }
