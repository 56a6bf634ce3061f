"""The gallery: a page for each part with its settings, results in the stored studies, sound and code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import comparisons
import zoo
from comparisons import Comparison, name_music
from part_tables import escape, sections_of_part
from site_sound import PIECES
from site_sources import append, write, write_code_page
from studies import study_tables
from zoo.bench.rows import StudyRow, StudyTable
from zoo.bench.study import is_study
from zoo.cli.list import is_default
from zoo.measure.table import half_width, number
from zoo.parts import SLOTS, Slot
from zoo.registry import Entry, Registry, open_registry

STUDIES = Path("benchmarks") / "studies"
HEADINGS = ("study", "music", "best recipe", "nats ↓", "±", "kind", "place", "best floor")


def write_gallery(root: Path, sources: Path) -> None:
    """The page of all parts, a page for each part, and one for each study that has results."""
    registry = open_registry()
    studies = Studies(root)
    studies.write_pages(sources)
    entries = list(registry.shipped_entries())
    append(sources / "gallery.md", gallery_page(entries, registry))
    models = pretrained_parts()
    for entry in entries:
        text = "\n\n".join(part_page(entry, registry, studies, models, root, sources))
        write(sources / "parts" / f"{page_name(entry)}.md", f"{text}\n")


def page_name(entry: Entry) -> str:
    """The name of a part's page."""
    return f"{entry.slot}-{entry.name}"


def gallery_page(entries: Sequence[Entry], registry: Registry) -> str:
    """All parts by slot, each linked to its page; the default of each slot is set in bold."""
    blocks: list[str] = []
    for slot in SLOTS:
        rows = ["| part | description |", "| --- | --- |"]
        chosen = [entry for entry in entries if entry.slot == slot]
        for entry in chosen:
            name = f"**{entry.name}**" if is_default(entry, registry) else entry.name
            rows.append(f"| [{name}](parts/{page_name(entry)}.md) | {escape(entry.description.summary)} |")
        pages = "\n".join(f"parts/{page_name(entry)}" for entry in chosen)
        toctree = f"```{{toctree}}\n:hidden:\n\n{pages}\n```"
        blocks += [f"## {slot}", SLOT_WORDS[slot], "\n".join(rows), toctree]
    return "\n\n".join([*blocks, "```{toctree}\n:hidden:\n\nstudies/index\n```"])


SLOT_WORDS: Mapping[Slot, str] = {
    "encoder": "Reduces the keys of a frame to codes, such as pitch classes.",
    "attention": "Summarizes the past as features, from which the sampler predicts the next frame.",
    "sampler": "Draws the codes of the next frame.",
    "decoder": "Draws the keys that have these codes.",
    "velocity": "Predicts how loud the keys are.",
}


def part_page(
    entry: Entry,
    registry: Registry,
    studies: Studies,
    models: Mapping[str, Mapping[Slot, str]],
    root: Path,
    sources: Path,
) -> Iterator[str]:
    """The blocks of a part's page."""
    title, *description = sections_of_part(entry, registry)
    yield title.replace("###", "#")
    yield from description
    yield f"## Use\n\n    zoo show {entry.slot}.{entry.name}\n    zoo build {entry.slot}={entry.name}"
    yield "## Results"
    yield from studies.results_of(entry)
    yield "## Sound"
    yield sound(entry, [name for name, parts in models.items() if parts[entry.slot] == entry.name])
    yield "## Code"
    yield code(entry, root, sources)


def sound(entry: Entry, models: Sequence[str]) -> str:
    """Players for the music of the pretrained models that contain a part."""
    if not models:
        return (
            "No pretrained model contains this part. Train one and listen to it:\n\n"
            f"    zoo train {entry.slot}={entry.name} data=bach train.minutes=2 -o my_run\n"
            "    zoo report my_run -o listen.html"
        )
    players = [
        f"Eight bars of the pretrained model [`{name}`](../listen.md#pretrained-models):\n\n"
        f'<audio controls preload="none" src="../sound/{name}.wav" aria-label="Music of {name}"></audio>'
        for name in models
    ]
    page = '<a href="../listen/index.html">All pretrained models on one page</a>'
    return "\n\n".join([*players, page])


def code(entry: Entry, root: Path, sources: Path) -> str:
    """Links to the module of a part and to the document of its plugin."""
    module = entry.load().__module__.removeprefix("zoo_plugins.").replace(".", "/")
    file = f"plugins/{module}.py"
    lines = [f"- [`{file}`](../{write_code_page(root, sources, file)})"]
    document = root / "plugins" / module.split("/")[0] / "README.md"
    if document.exists():
        lines.append(f"- [About the plugin](../plugins/{document.parent.name}.md)")
    return "\n".join(lines)


def pretrained_parts() -> dict[str, Mapping[Slot, str]]:
    """Pretrained model -> the part in each slot."""
    recipes = {name: zoo.load(name).recipe for name in PIECES}
    return {name: {slot: recipe.parts[slot].entry.name for slot in SLOTS} for name, recipe in recipes.items()}


@dataclass
class Studies:
    """The studies of the repository and their stored results."""

    root: Path

    @property
    def files(self) -> list[Path]:
        """The files of the studies."""
        return sorted(filter(is_study, (self.root / STUDIES).rglob("*.toml")))

    def write_pages(self, sources: Path) -> None:
        """A page with the tables of each study, and a list of them."""
        names = []
        for file in self.files:
            place = file.relative_to(self.root)
            tables = study_tables(Comparison((place.as_posix(),)), self.root)
            lines = f"# {self.title(file)}\n\n    zoo bench run {place}\n    zoo bench table {place}\n"
            write(sources / "studies" / f"{self.page_name(file)}.md", f"{lines}\n{tables}\n")
            names.append(self.page_name(file))
        toctree = "\n".join(["```{toctree}", *names, "```"])
        append(sources / "studies" / "index.md", toctree)

    def page_name(self, file: Path) -> str:
        """The name of a study's page."""
        return "-".join(file.relative_to(self.root / STUDIES).with_suffix("").parts)

    def title(self, file: Path) -> str:
        """The title of a study."""
        table = comparisons.read(file)[0]
        return table.study.settings.title or table.study.name

    def results_of(self, entry: Entry) -> Iterator[str]:
        """The best row with a part in each table that compares its slot, or in each table if none does."""
        ranked = [
            (file, table, _ranked(table, entry.slot))
            for file in self.files
            for table in comparisons.read(file)
        ]
        containing = [each for each in ranked if any(_has(row, entry) for row in each[2])]
        compared = [each for each in containing if len({row.labels[entry.slot] for row in each[2]}) > 1]
        if not containing:
            yield UNTRIED
            return
        lines = [self._line(entry, *each) for each in compared or containing]
        yield "\n".join(
            [f"| {' | '.join(HEADINGS)} |", "| --- | --- | --- | ---: | ---: | --- | --- | ---: |", *lines]
        )
        unit = "struck note" if entry.slot == "velocity" else "frame"
        yield RESULTS.format(unit=unit)

    def _line(self, entry: Entry, file: Path, table: StudyTable, rows: Sequence[StudyRow]) -> str:
        is_velocity = entry.slot == "velocity"
        terms = ("velocity",) if is_velocity else table.terms
        place, row = next((n, row) for n, row in enumerate(rows, 1) if _has(row, entry))
        figure = row.figure(*terms)
        floors = [each for each in (table.loudness if is_velocity else table.rows) if each.floor]
        slots = dict.fromkeys((*(table.study.loud_slots if is_velocity else table.study.slots), entry.slot))
        cells = [
            f"[{self.title(file)}](../studies/{self.page_name(file)}.md)",
            name_music(table),
            " ".join(f"`{slot}={label}`" for slot, label in row.labels.items() if slot in slots),
            number(figure),
            half_width(figure),
            figure.kind,
            f"{place} of {len(rows)}",
            number(floors[0].figure(*terms)) if floors else "–",
        ]
        return f"| {' | '.join(cells)} |"


UNTRIED = "No stored study contains this part. [Compare variants](../studies.md) shows how to run one."

RESULTS = """\
Nats per {unit}, lower is better, ± half of the 95 % interval. [Kinds](../scoring.md): exact, bound (≤) or
estimate (~). Each line is the best row with this part in a study that compares parts of its slot, with its
place among all combinations of that study. *Best floor*: the lowest score of a model that only counts. Rows
of different studies had different training budgets and are not comparable. *Earlier reading*: the music was
read by an [earlier version](../benchmarks.md#studies)."""


def _ranked(table: StudyTable, slot: Slot) -> list[StudyRow]:
    """The combinations of a table, the lowest nats first."""
    rows = table.loudness if slot == "velocity" else table.rows
    return [row for row in rows if not row.floor]


def _has(row: StudyRow, entry: Entry) -> bool:
    return row.labels[entry.slot].split()[0] == entry.name
