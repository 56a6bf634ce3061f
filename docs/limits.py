"""The limits on each kind of input, from the constants that set them."""

from __future__ import annotations

from zoo.data import matlab, pitches, unpickle
from zoo.limits import (
    COLDEST,
    DOTS,
    GENERATED,
    HEADER,
    HOTTEST,
    LIMITS,
    RATED_MODELS,
    RATED_PIECES,
    RATINGS,
    RECIPE,
    format_bytes,
)
from zoo.model import original
from zoo.music.beats import MAX_BEATS
from zoo.music.guard import DEFAULT_LIMITS

NAMES = {
    "manifest": "`manifest.json` of a bundle",
    "config": "`config.json` of a bundle",
    "card": "model card of a bundle",
    "sample": "`sample.mid` of a bundle",
    "weights": "`model.safetensors` of a bundle",
    "checkpoint": "checkpoint of a run, and no larger than its model can need",
    "plan": "`recipe.json` of a run",
    "metrics": "`metrics.jsonl` of a run",
    "result": "result of a cell, output of `zoo evaluate --json`",
    "pack": "packed results of a dataset",
    "menu": "`registry.toml`, recipes",
    "code": "plugin in a file",
    "study": "study",
    "claim": "`claim.json` of a submission",
    "journal": "trials of a search",
    "votes": "file of votes",
    "families": "CSV file of families",
    "table": "`pieces.json` of a cache",
    "checksums": "checksums in a cache, `holder.json` of a run",
    "download": "downloaded set",
}


def table_of_limits() -> str:
    """A row for each kind of input."""
    midi = DEFAULT_LIMITS
    counts = f"{midi.events:,} events, {midi.notes:,} notes, {midi.frames:,} sixteenths"
    rows = [
        ("MIDI file", f"{format_bytes(midi.size)}, {counts}, {midi.seconds / 3600:g} hours"),
        ("file of beats beside a MIDI file", f"{MAX_BEATS:,} beats"),
        (".mat file", f"{format_bytes(matlab.MAX_BYTES)} for each variable, decompressed"),
        (
            "pickle of a published set",
            f"{unpickle.MAX_INSTRUCTIONS:,} instructions, {unpickle.MAX_OBJECTS:,} objects",
        ),
        (
            "JSON file of pitches",
            f"{format_bytes(pitches.MAX_BYTES)}, {pitches.MAX_PIECES:,} pieces, "
            f"{pitches.MAX_FRAMES:,} frames",
        ),
        *((NAMES.get(kind, kind), format_bytes(size)) for kind, size in LIMITS.items()),
        ("line of `registry.toml`, a recipe or a study", f"{DOTS} dots"),
        ("recipe in one text", f"{RECIPE:,} characters"),
        (
            "weights of the original notebooks",
            f"{format_bytes(original.MAX_BYTES)}, {original.MAX_INSTRUCTIONS:,} instructions of a pickle",
        ),
        ("header of a weights file", format_bytes(HEADER)),
        (
            "votes counted at once",
            f"{RATINGS:,} ratings of {RATED_MODELS:,} models, {RATED_PIECES} pieces in a group",
        ),
        ("new music at once", f"{GENERATED:,} frames over all pieces"),
        ("temperature", f"{COLDEST:g} to {HOTTEST:g}"),
    ]
    return "\n".join(["| input | limit |", "| --- | --- |", *(f"| {name} | {most} |" for name, most in rows)])
