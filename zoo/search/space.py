"""The search space: a recipe in which parts and settings may have several values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pydantic.fields import FieldInfo

from zoo.errors import Problem, UsageError, ZooError
from zoo.parts import SLOTS, Settings
from zoo.registry import Registry
from zoo.registry.consent import default_word, located, named_part
from zoo.registry.fields import live
from zoo.registry.parse import TRAINING, raise_all
from zoo.registry.registry import names_file
from zoo.registry.words import Word, read_words, split
from zoo.search.values import FIXED, Values, fixed_problem, live_problem, values_of_part, values_of_setting
from zoo.train.keys import TrainKeys
from zoo.train.settings import SECTIONS
from zoo.train.swap import Swap, expand, names_source, parse_swap

if TYPE_CHECKING:
    from optuna.trial import Trial

Chosen = Mapping[str, str]
"""The chosen value of each searched part and setting, by key, as typed in a recipe."""


@dataclass(frozen=True)
class Space:
    """A search space; all its values are valid.

    Attributes:
        words: the words of the recipe; ranges and lists are as typed.
        others: words for trained parts (`core=@RUN`), and words that are not of the form key=value.
        searched: key -> values of the searched parts and settings, parts first.
        owners: setting of a searched slot -> the parts that have it; omitted with other parts.
    """

    words: tuple[Word, ...]
    others: tuple[str, ...]
    searched: Mapping[str, Values]
    owners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def suggest(self, key: str, trial: Trial, chosen: Chosen) -> str | None:
        """Draw the value of a key; None if it is a setting that the chosen part does not have.

        Args:
            key: one of `searched`.
            trial: the trial.
            chosen: the values of earlier keys of `searched`.
        """
        return self.searched[key].suggest(trial, key) if self.applies(key, chosen) else None

    def recipe_words(self, chosen: Chosen) -> list[str | Word]:
        """The words of the recipe with the chosen values."""
        words = [
            replace(word, text=chosen.get(word.key, word.text))
            for word in self.words
            if self.applies(word.key, chosen) and (word.key in chosen or word.key not in self.searched)
        ]
        return [*self.others, *words]

    def parse(self, chosen: Chosen, registry: Registry) -> Swap:
        """The recipe with the chosen values; raises the errors of `parse_swap`."""
        return parse_swap(self.recipe_words(chosen), registry, sections=SECTIONS, keys=TrainKeys)

    def contains(self, chosen: Chosen) -> bool:
        """Whether values that were stored are values of this space.

        Others must not be parsed: they would count as typed by the user, who thereby agrees to run code in
        the files that they name.
        """
        return all(key in self.searched and self.searched[key].contains(text) for key, text in chosen.items())

    @property
    def files(self) -> Iterator[str]:
        """The files of code that the words name, as named in `zoo.registry.consent`, and trained parts."""
        yield from filter(names_source, self.others)
        for word in self.words:
            values = self.searched[word.key].examples if word.key in self.searched else (word.text,)
            for text in values if word.key in SLOTS else ():
                if names_file(text):
                    yield located(replace(word, text=text))

    @property
    def examples(self) -> Iterator[Chosen]:
        """Choices such that each bound of each range and each listed value occurs in at least one."""
        first = {key: values.examples[0] for key, values in self.searched.items()}
        yield first
        for key, values in self.searched.items():
            slot = key.partition(".")[0]
            for part in self.owners.get(key, ("",)):
                base = {**first, slot: part} if part else first
                yield from ({**base, key: text} for text in values.examples)

    def applies(self, key: str, chosen: Chosen) -> bool:
        """Whether the chosen part of a slot has this setting."""
        return key not in self.owners or chosen.get(key.partition(".")[0]) in self.owners[key]


def parse_space(words: str | Iterable[str | Word], registry: Registry) -> Space:
    """Parse a recipe with ranges and lists of values, and validate every bound and every listed value.

    Raises:
        UsageError: words are invalid; holds all problems.
        BundleError, PluginError: as `zoo.train.swap.parse_swap`.
    """
    expanded = [expand(word) for word in split(words)]
    sources = [word for word in expanded if isinstance(word, str) and names_source(word)]
    read = read_words([word for word in expanded if word not in sources], registry.menu)
    errors: list[ZooError] = [UsageError(problem) for problem in read.problems]
    space = _read_space(tuple(read.given.values()), (*sources, *read.bare), registry, errors)
    if not space.searched and not errors:
        hint = "give a range or a list, such as train.lr=1e-4..1e-2:log or decoder=lstm,rbm"
        errors.append(UsageError(Problem("there is nothing to search", hint=hint)))
    errors += _invalid_examples(space, registry)
    raise_all(errors)
    return space


def _read_space(
    words: tuple[Word, ...], others: tuple[str, ...], registry: Registry, errors: list[ZooError]
) -> Space:
    """The searched values of all words; those that cannot be read are left out and added to the errors."""
    searched: dict[str, Values] = {}
    owners: dict[str, tuple[str, ...]] = {}
    given = {word.key: word for word in words}
    unreadable = set()
    for word in sorted(words, key=lambda word: word.key not in SLOTS):
        if word.key in SLOTS:
            values = values_of_part(word)
        else:
            fields = _fields(word, given, registry)
            values = values_of_setting(word, list(fields.values()))
            if values is not None and word.head in SLOTS and any(map(live, fields.values())):
                values = live_problem(word)
            if word.head in searched and fields:
                owners[word.key] = tuple(fields)
        problem = _problem(word, values)
        if problem:
            errors.append(UsageError(problem))
            unreadable.add(word)
        elif values is not None and not isinstance(values, Problem):
            searched[word.key] = values
    return Space(tuple(word for word in words if word not in unreadable), others, searched, owners)


def _problem(word: Word, values: Values | Problem | None) -> Problem | None:
    """The problem with the searched values of a word; None if they are valid."""
    if isinstance(values, Problem) or values is None:
        return values
    if word.head == TRAINING and word.name in FIXED:
        return fixed_problem(word)
    if word.head == "velocity" or word.key in ("velocity", "train.lr_velocity"):
        what = "loudness is not part of the score, so trials cannot be compared by it"
        hint = "choose one value, or compare several with a study, see `zoo bench run`"
        return Problem(what, str(word), hint)
    return None


def _fields(word: Word, given: Mapping[str, Word], registry: Registry) -> dict[str, FieldInfo]:
    """Part or section -> its field for the setting; those without it, and unavailable parts, are omitted."""
    if word.head in SECTIONS:
        models: dict[str, type[Settings]] = {word.head: SECTIONS[word.head]}
    else:
        models = dict(_models(word.head, given, registry))
    return {
        name: model.model_fields[word.name]
        for name, model in models.items()
        if word.name in model.model_fields
    }


def _models(head: str, given: Mapping[str, Word], registry: Registry) -> Iterator[tuple[str, type[Settings]]]:
    """The settings of each part that a slot may have."""
    for slot in (slot for slot in SLOTS if slot == head):
        word = given.get(slot) or default_word(slot, registry)
        values = values_of_part(word)
        for text in (word.text,) if values is None or isinstance(values, Problem) else values.examples:
            try:
                yield text, named_part(slot, replace(word, text=text), registry).load_settings()
            except ZooError:  # reported when the examples are parsed
                continue


def _invalid_examples(space: Space, registry: Registry) -> Iterator[ZooError]:
    """The errors of all examples, located at the words as they were typed."""
    for chosen in space.examples:
        searched = [word for word in space.words if word.key in chosen]
        typed = {str(replace(word, text=chosen[word.key])): str(word) for word in searched}
        try:
            space.parse(chosen, registry)
        except ZooError as error:
            yield type(error)(*(replace(p, where=typed.get(p.where, p.where)) for p in error.problems))
