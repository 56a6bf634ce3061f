"""Writing new music: the formats by file name, what is printed, and a warning about almost silent pieces."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.counts import count
from zoo.errors import Problem, UsageError

if TYPE_CHECKING:
    from zoo.music.midi import Reading
    from zoo.music.roll import Roll

PAGES = (".html", ".htm")
"""Endings of the file names of pages with one piece; `zoo report` writes pages with several."""


def check_endings(output: Path, picture: Path | None) -> None:
    """Reject file names whose ending is not that of a supported format."""
    from zoo.music.saving import MIDI, NOTATION, SOUND

    problems = [
        Problem(
            f"the name of {what} must end in {_either(endings)}",
            str(path),
            f"write {option} {suggested(path, endings[0])}",
        )
        for what, option, path, endings in (
            ("a music file", "-o", output, (*MIDI, *SOUND, *NOTATION, *PAGES)),
            ("a picture", "--picture", picture, (".png",)),
        )
        if path and path.suffix.lower() not in endings
    ]
    if problems:
        raise UsageError(*problems)


def _either(endings: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(endings[:-1]), endings[-1]]))


def suggested(path: Path, ending: str) -> str:
    """A file name to use instead: the path with another ending, quoted for a shell."""
    if path.name == "-":
        path = path.with_name("music")
    named = path.with_suffix(ending) if path.name.strip(".") else path / f"music{ending}"
    return shlex.quote(str(named))


def piece_bytes(roll: Roll, path: Path, instrument: int, primer: int) -> bytes:
    """The content of a file with a piece, in the format that its name implies."""
    from zoo.music.saving import music_bytes
    from zoo.music.writing import midi_bytes

    if path.suffix.lower() not in PAGES:
        return music_bytes(roll, path, instrument)
    from zoo.report import ListeningPiece, Report, report_bytes

    piece = ListeningPiece(path.stem, roll, primer=primer, midi=midi_bytes(roll, instrument))
    return report_bytes(Report(path.stem, [piece]))


def note_piano(path: Path, instrument: int) -> None:
    """Note that a file does not sound like the chosen instrument or soundfont."""
    from zoo.cli.console import stderr
    from zoo.music.saving import SOUND
    from zoo.music.sound import soundfont

    if path.suffix.lower() in PAGES and instrument:
        stderr.print_line("note: the page plays everything on a piano; its MIDI file names the instrument")
    chosen = "--instrument" if instrument else "ZOO_SOUNDFONT" if os.environ.get("ZOO_SOUNDFONT") else ""
    if path.suffix.lower() in SOUND and chosen and soundfont() is None:
        stderr.print_line(f"note: the built-in piano plays; {chosen} needs fluidsynth and a soundfont")


def warn_of_dull(written: Mapping[Path, Roll], first: int) -> None:
    """Warn of pieces that are almost silent or otherwise degenerate."""
    from zoo.cli.console import stderr
    from zoo.music.remarks import dull

    for path, roll in written.items():
        if remark := dull(roll, first):
            hint = "another --seed, another --temperature or longer training may help"
            stderr.print_line(f"warning: {path}: {remark}; {hint}")


def note_outside(written: Mapping[Path, Roll]) -> None:
    """Note how many notes were transposed off the keyboard."""
    from zoo.cli.console import stderr

    for path, roll in written.items():
        if roll.outside:
            left_out = f"{count(roll.outside, 'note')} left out, outside the 88 keys after transposing"
            stderr.print_line(f"note: {path}: {left_out}")


def note_relative_keys(written: Mapping[Path, Roll], key: str, primer: Roll | None) -> None:
    """Note which pieces are in the relative key of the one requested, because they are in the other mode."""
    from zoo.cli.console import stderr
    from zoo.music.tonality import Tonality, estimate_tonality

    requested = Tonality.parse(key)
    for path, roll in written.items():
        mode = estimate_tonality(primer or roll).mode
        if mode != requested.mode:
            reached = f"{requested.relative}, the relative {mode} of {key}"
            stderr.print_line(f"note: {path} is in {reached}, because the music is {mode}")


def _to_json(roll: Roll) -> dict[str, Any]:
    """Statistics of a piece."""
    assert roll.onset is not None
    sounding = roll.sounding.sum(1)
    return {
        "frames": roll.frames,
        "bars": roll.meter.bars(roll.frames).count,
        "meter": list(dict.fromkeys(map(str, roll.meter.signatures(roll.frames)))),
        "notes": int(roll.onset.sum()),
        "notes_outside": roll.outside,
        "polyphony": round(float(sounding.mean()), 2) if roll.frames else 0.0,
        "silent_frames": int((sounding == 0).sum()),
    }


def _rest(primer: Roll) -> int:
    """The number of frames after the last note of a primer."""
    return primer.frames - int(primer.notes().end.max(initial=0))


def print_written(
    written: Mapping[Path, Roll],
    primer: Roll | None,
    picture: Path | None,
    as_json: bool,
    reading: Reading | None = None,
) -> None:
    """Print what was written, in a line for each piece or as JSON."""
    from zoo.cli.console import print_json, stdout, visible

    if as_json:
        pieces = [{"path": str(path), **_to_json(roll)} for path, roll in written.items()]
        details = {
            "primer_bars": primer.meter.bars(primer.frames).count if primer else 0,
            "primer_frames": primer.frames if primer else 0,
            "primer_rest": _rest(primer) if primer else 0,
            "primer_changed": dict(reading.losses) if reading else {},
            "primer_left_out": dict(reading.left_out) if reading else {},
            "picture": str(picture) if picture else None,
        }
        print_json({"pieces": pieces, **details})
        return
    for path, roll in written.items():
        stdout.print(visible(f"{path}: {_in_a_line(roll, primer)}"))
    if picture:
        stdout.print(visible(f"{picture}: piano roll"))


def _in_a_line(roll: Roll, primer: Roll | None) -> str:
    """Statistics of a piece in one line."""
    from zoo.cli.meters import in_order

    facts = _to_json(roll)
    bars = f"{count(facts['bars'], 'bar')} of {in_order(roll.meter, roll.frames)}"
    length = f"{bars} ({count(roll.frames, 'frame')}{_end_of(primer)})"
    return f"{facts['notes']:,} notes in {length}, {facts['polyphony']} keys sounding on average"


def _end_of(primer: Roll | None) -> str:
    """Where the primer ends: `; the primer ends with bar 4, frame 64`; empty without a primer."""
    if primer is None or not primer.frames:
        return ""
    bars = primer.meter.bars(primer.frames)
    where = f"{'with' if bars.end[-1] == primer.frames else 'in'} bar {bars.count:,}, frame {primer.frames:,}"
    rest = _rest(primer)
    return f"; the primer ends {where}" + (f", with a rest of {count(rest, 'frame')}" if rest else "")
