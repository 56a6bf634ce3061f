"""Tables of evaluations: rows next to their floors, paired differences, and resemblance to held-out music."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from zoo.counts import count
from zoo.measure.evaluation import BOUNDS, SCORE, compare
from zoo.measure.figure import Figure
from zoo.measure.formatted import FormattedTable, Line, Note
from zoo.measure.music import QUARTERS
from zoo.measure.resemblance import FEWEST, LONGEST_COPY, Likeness, Resemblance
from zoo.measure.row import Row, pairs, velocity_rows
from zoo.parts.kinds import FigureKind, marked

MEANINGS = {
    "bound": "≤ a bound: the true number is not higher",
    "estimate": "~ an estimate",
    "estimated bound": "≲ a bound that is itself estimated",
}
LENGTHS = {"frames": "in frames", QUARTERS: "in quarter notes"}
"""Units of length -> their descriptions in notes."""
FEW = 10
"""Passages below which a table of resemblance warns."""
DISTANCE = "distance ↓ (95 %)"
"""The heading of distances and their intervals."""
RESEMBLING = (
    Note("distance: between generated and real, held-out passages, with its 95 % interval", DISTANCE),
    Note("(Wasserstein-1; pitch classes relative to the tonic: Jensen-Shannon in nats)", DISTANCE),
    Note("floor: the distance between two halves of the held-out pieces", "floor"),
    Note("different: the distance would be this large in less than 5 % of random", "verdict"),
    Note("shuffles of the passages (with Holm's correction over the measures)", "verdict"),
)
COPY = Note("longest copy: the longest passage that is also in a training piece, in any key")
RESIDUAL = Note(
    "residual: what the keys leave out, how long a note is held or whether it is struck again", "residual"
)
ESCAPE = Note("escape: frames with more pitch classes than there are voices", "escape")
UNCLEAR = (
    "not clear: the interval contains 0 or cannot be computed, or a higher bound leaves the order of the "
    "true values open"
)
NO_INTERVAL = "– no interval: it needs pieces of at least two families"
OF_BOUNDS = "(bounds): the bounds differ; how far below them the true values are is unknown"


def tables(
    rows: Sequence[Row], velocity_floors: Sequence[Row] = (), title: str = "Score"
) -> Iterator[FormattedTable]:
    """The table of scores and that of their paired differences; then the same of velocities."""
    yield _scores(rows, title)
    if list(pairs(rows)):
        yield _differences("Differences", rows, "nats/frame")
    velocities = velocity_rows(rows, velocity_floors)
    if velocities:
        yield _velocities(velocities)
    if list(pairs(velocities)):
        yield _differences("Differences in velocity", velocities, "nats/note", "velocity")


def number(figure: Figure) -> str:
    """The value with the mark of its kind."""
    return marked(figure.value, figure.kind)


def half_width(figure: Figure) -> str:
    """Half of its interval."""
    return "–" if figure.half_width is None else f"{figure.half_width:.3f}"


def kind_notes(figures: Sequence[Figure], others: Sequence[FigureKind] = ()) -> Iterator[Note]:
    """The meaning of the marks of some figures, and of additional kinds."""
    kinds = {figure.kind for figure in figures} | set(others)
    for kind, meaning in MEANINGS.items():
        errors = [figure.error for figure in figures if figure.kind == kind and figure.error is not None]
        if kind in kinds:
            yield Note(meaning + (f", standard error up to {max(errors):.1g}" if errors else ""))


def _scores(rows: Sequence[Row], title: str) -> FormattedTable:
    terms = [name for name in SCORE if any(name in row.evaluation.terms for row in rows)]
    has_escape = any("escaped" in row.evaluation.remarks for row in rows)
    headings = ("row", "nats/frame ↓", "±", *terms, *(["escape"] if has_escape else []))
    lines = []
    for row in rows:
        evaluation = row.evaluation
        score, share = evaluation.score(), evaluation.share("escaped")
        cells = [row.name, number(score), half_width(score)]
        cells += [number(evaluation.figure(name)) if name in evaluation.terms else "–" for name in terms]
        cells += [f"{share.value:.1%}" if share else "–"] if has_escape else []
        lines.append(Line(tuple(cells), is_floor=row.is_floor))
    return FormattedTable(title, headings, 1, tuple(lines), tuple(_notes(rows)))


def seen_note(name: str, seen: int, pieces: int) -> str:
    """The note on a model that was trained on some of the scored pieces."""
    return f"{name} was trained on {seen:,} of the {count(pieces, 'scored piece')}"


def chosen_note(name: str, chosen: int, pieces: int) -> str:
    """The note on a model some of whose validation pieces are scored.

    Its weights were chosen on them, or on those of them that `train.validate_frames` left to score.
    """
    are = "is a validation piece" if chosen == 1 else "are validation pieces"
    return f"{chosen:,} of the {count(pieces, 'scored piece')} {are} of the training of {name}"


def _notes(rows: Sequence[Row]) -> Iterator[Note]:
    scores = [row.evaluation.score() for row in rows]
    if all(row.evaluation.is_full for row in rows):
        yield Note("the full score: which keys are struck and which are held")
    else:
        yield Note("the keys alone: this music contains no onsets")
    yield RESIDUAL
    yield ESCAPE
    families = scores[0].of_families
    yield Note(f"± half of the 95 % interval over {'families' if families else 'pieces'}", "±")
    if families:
        yield Note(
            f"{scores[0].pieces} pieces{families}: pieces that share music count as one in intervals", "±"
        )
    if any(score.interval is None for score in scores):
        yield Note(NO_INTERVAL, "±")
    yield from kind_notes(scores)
    seen = {row.label: row.trained_on for row in rows if row.trained_on}
    for label, number_seen in seen.items():
        yield Note(seen_note(label, number_seen, scores[0].pieces))
    for label, chosen in {row.label: row.chosen_on for row in rows if row.chosen_on}.items():
        yield Note(chosen_note(label, chosen, scores[0].pieces))


def _velocities(rows: Sequence[Row]) -> FormattedTable:
    figures = [row.evaluation.figure("velocity") for row in rows]
    lines = tuple(
        Line((row.label, number(figure), half_width(figure)), is_floor=row.is_floor)
        for row, figure in zip(rows, figures, strict=True)
    )
    notes = [Note(NO_INTERVAL, "±")] if any(figure.interval is None for figure in figures) else []
    return FormattedTable("Velocity of each struck note", ("row", "nats/note ↓", "±"), 1, lines, tuple(notes))


def _differences(title: str, rows: Sequence[Row], unit: str, *terms: str) -> FormattedTable:
    """The paired differences, and the meaning of the vaguer verdicts among them."""
    lines, verdicts = [], set()
    for first, second in pairs(rows):
        difference = compare(first.evaluation, second.evaluation, *terms)
        interval = difference.interval
        ends = "–" if interval is None else "{:+.3f} … {:+.3f}".format(*interval)
        value = f"{difference.mark} {difference.value:+.3f}".strip()
        verdicts.add(difference.verdict)
        lines.append(Line((f"{first.name} - {second.name}", value, ends, difference.verdict)))
    notes = [Note(NO_INTERVAL, "95 % interval")] if any(line.cells[2] == "–" for line in lines) else []
    notes += [Note(UNCLEAR, "verdict")] if "not clear" in verdicts else []
    notes += [Note(OF_BOUNDS, "verdict")] if any(verdict.endswith(BOUNDS) for verdict in verdicts) else []
    return FormattedTable(
        title, ("difference", unit, "95 % interval", "verdict"), 1, tuple(lines), tuple(notes)
    )


def resemblances(generated: Iterable[tuple[str, Resemblance | None]]) -> Iterator[FormattedTable]:
    """Generated next to held-out music, a table for each model; models with equal results share one."""
    shown: dict[Resemblance, list[str]] = {}
    for name, resemblance in generated:
        if resemblance is not None:
            shown.setdefault(resemblance, []).append(name)
    for number, (resemblance, names) in enumerate(shown.items(), 1):
        yield _resemblance(" and ".join(names), resemblance, is_last=number == len(shown))


def _resemblance(names: str, resemblance: Resemblance, *, is_last: bool) -> FormattedTable:
    """The table of one model, or of several with equal results; the notes stand below the last one."""
    title = f"{names}: {resemblance.compared}"
    headings = ("measure", "generated", "real", DISTANCE, "floor", "verdict")
    lines = tuple(Line(tuple(_cells(likeness))) for likeness in resemblance.likenesses)
    fewest = min(min(likeness.passages) for likeness in resemblance.likenesses or [resemblance])
    notes = [*_few(fewest)]
    if is_last:
        has_copies = any(likeness.measure == LONGEST_COPY for likeness in resemblance.likenesses)
        copies = [COPY] if has_copies else []
        notes = [*RESEMBLING, *copies, *_lengths(resemblance.likenesses), *notes]
    return FormattedTable(title, headings, 1, lines, tuple(notes))


def _few(passages: int) -> Iterator[Note]:
    """A warning if the smallest group has only so many passages."""
    if passages < FEWEST:
        yield Note(f"too few: a verdict needs {FEWEST} generated passages and {FEWEST} in each held-out half")
    if passages < FEW:
        yield Note("distances and floors of few passages are high by chance alone")


def _lengths(likenesses: Sequence[Likeness]) -> Iterator[Note]:
    """The measures that are lengths, by unit."""
    for unit, meaning in LENGTHS.items():
        names = [likeness.measure for likeness in likenesses if likeness.unit == unit]
        if names:
            yield Note(f"{' and '.join(names)}: {meaning}")


def _cells(likeness: Likeness) -> Iterator[str]:
    digits = 3 if likeness.unit in (None, "share") else 2

    def number(value: float | None) -> str:
        return "–" if value is None else f"{value:.{digits}f}"

    yield likeness.measure
    yield number(likeness.generated)
    yield number(likeness.held_out)
    interval = "–" if likeness.interval is None else " … ".join(map(number, likeness.interval))
    yield f"{number(likeness.distance)} ({interval})"
    yield number(likeness.floor)
    yield likeness.verdict
