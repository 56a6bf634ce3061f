"""The legend of `zoo data scan`: the words of its tables, explained where they are shown."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

PLANES = {
    "onset": "the frame in which a key is pressed",
    "sounding": "the frames in which it sounds",
    "velocity": "how hard it is pressed, which makes it loud",
}
"""What is known of each key."""

COLUMNS = {
    "notes": "how often a key is pressed",
    "polyphony": "mean number of keys that sound in a frame",
    "most": "largest number of keys that sound in a frame",
    "silence": "share of the frames in which nothing sounds",
    "keys": "lowest and highest key that sounds; C4 is middle C",
    "loudness": "mean velocity of the notes, 1 to 127",
}
"""The columns of the table of splits."""

READING = {
    "annotated": "read on the beats of a file of beats beside the MIDI file",
    "shifted": "all notes of a piece were shifted by the same part of a frame to bring them onto the grid",
    "unaligned": "no beat could be detected, so the piece is read in its own time",
    "heard": "bar lines were moved to where the accents or markers of the piece suggest",
    "assumed": "the file states no time signature, so it is read in 4/4",
    "moved": "notes that were moved by more than a quarter of a frame to the nearest frame",
    "merged": "notes that share a frame with a note that was written elsewhere, as in a fast trill",
    "struck again": "notes that were left out, because their key was already pressed in the same frame",
    "doubled": "notes that were left out, because another voice presses the same key at the same time",
    "lengthened": "notes that became longer by more than half a frame",
    "shortened": "notes that became shorter by more than half a frame",
    "grace notes": "put in the frame before the note that they lead to",
    "position in the bar": "where in the bar notes begin; the closer the two numbers, the more certain it is "
    "that bars begin in the right place",
    "families": "groups of pieces that share long passages; each is in one split, except in published splits",
    "copies": "pieces with the same notes, in any key",
}
"""The rows and words of the table of reading, in the order in which they are explained."""

LEAKS = {
    "shares music": "a leak: the published splits divide pieces with common passages, so a model is tested "
    "on music that it was trained on",
    "share": "the part of one of the two pieces that is common, the larger of both",
}
"""The columns of the table of leaks."""


def explained(words: Mapping[str, str], shown: Collection[str]) -> Iterator[str]:
    """A line for each word that is shown: `silence: share of the frames in which nothing sounds`."""
    yield from (f"{word}: {meaning}" for word, meaning in words.items() if word in shown)


def frame(grid: int) -> str:
    """The line that says how long a frame is."""
    names = {1: "a quarter note", 2: "an eighth note", 4: "a sixteenth note", 8: "a thirty-second note"}
    return f"frame: the unit of time, {names.get(grid, f'1/{grid} of a quarter note')}"
