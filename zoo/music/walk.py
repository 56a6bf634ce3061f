"""From the bytes of a MIDI file to its score: what is played when, and in which tracks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.music.channels import PITCHED, REASONS, sounds
from zoo.music.chunks import walk
from zoo.music.events import ALL_SOUND_OFF, CHANGE, NOTE, PEDAL, RESET, Columns, Events
from zoo.music.guard import DEFAULT_LIMITS, Limits, MidiError
from zoo.music.pairing import NEVER, releases
from zoo.music.roll import LOWEST_KEY, key_name
from zoo.music.score import Score, Ticks
from zoo.music.tempo import seconds
from zoo.music.titles import fold_title, tidy_title

SHOWN_TITLES, SHOWN_LETTERS = 12, 30
"""How much of a file's titles an error repeats."""
LONGEST_REST = 64
"""Quarter notes from the last note to an End of Track that is meant, at most: 16 bars of common time."""
FAR = 1024
"""Quarter notes of silence, eight minutes at 120, after which a few notes or an End of Track are a slip."""
FEW = 100
"""One note in this many can be such a slip, and one in a piece that has fewer."""
PEDAL_DOWN = 64
"""The least value of the sustain pedal that means down."""


def read_score(
    data: bytes, path: str | Path, limits: Limits = DEFAULT_LIMITS, tracks: Collection[str] = ()
) -> Score:
    """The score in the bytes of a MIDI file: notes as a player would sound them, and their time.

    Drums, percussive programs and sound effects are left out and counted, and so are notes that follow more
    than `FAR` quarter notes of silence where they are few: one slip should not cost a piece. A note that is
    never released lasts to the end of its track. Score.last is the latest End of Track, unless that comes
    more than `LONGEST_REST` quarter notes after the last note.

    Args:
        data: the file.
        path: its name, for errors.
        limits: how much music it may hold.
        tracks: titles of the tracks that count, in capitals or not; all tracks where none is named. Where a
            track is called what they give together, with commas between them, it alone counts.

    Raises:
        MidiError: gzip, zip, appledouble, macbinary, clip, not-midi, bad-header, truncated, bad-number,
            bad-event, bad-note, too-many, too-long or no-track. A file without notes is a score without
            notes.
    """
    found = walk(data, str(path), limits)
    chosen = _chosen(found, str(path), tracks)
    score = _without_strays(_score(found, Columns.of(found), chosen))
    if len(score.start) > limits.notes:
        raise MidiError(path, "too-many", f"there are more than {limits.notes} notes")
    _check_length(score, path, limits)
    return replace(score, last=_last(found, chosen, score))


def _chosen(found: Events, path: str, tracks: Collection[str]) -> NDArray[np.bool_]:
    """Which tracks count: those with these titles, or with the one title that all of them make."""
    titles = [track.title for track in found.tracks]
    folded, whole = [fold_title(title) for title in titles], fold_title(",".join(tracks))
    wanted = ({whole} if whole in folded else {fold_title(title) for title in tracks}) - {""}
    chosen = np.array([not tracks or title in wanted for title in folded], np.bool_)
    if tracks and not chosen.any():
        named = [title[:SHOWN_LETTERS] for title in titles if title][:SHOWN_TITLES]
        there = f"its tracks are {', '.join(named)}" if named else "its tracks have no titles"
        raise MidiError(
            path, "no-track", f"no track is called {' or '.join(map(tidy_title, tracks))}; {there}"
        )
    return chosen


def _score(found: Events, events: Columns, chosen: NDArray[np.bool_]) -> Score:
    """All notes of the chosen tracks, by their start, and the time that all tracks share."""
    press = np.flatnonzero((events.kind == NOTE) & (events.second > 0))
    track, sound = events.track[press], sounds(events, found.roland)[press]
    released, elsewhere = releases(events)
    end = np.where(released == NEVER, _track_ends(found, events)[events.track], released)
    kept = press[chosen[track] & (sound == PITCHED)]
    kept = kept[np.argsort(events.tick[kept], kind="stable")]
    repairs = {
        "note never released": int((released[kept] == NEVER).sum()),
        "note without length": int((end[kept] == events.tick[kept]).sum()),
        "note released by another track": elsewhere,
    }
    counts = np.bincount(track[sound == PITCHED], minlength=len(found.tracks)).tolist()
    unpitched = {why: int((chosen[track] & (sound == kind)).sum()) for kind, why in REASONS.items()}
    return Score(
        division=found.division,
        start=events.tick[kept],
        end=end[kept],
        pitch=events.first[kept],
        velocity=events.second[kept].astype(np.uint8),
        channel=events.channel[kept],
        tempos=sorted(dict(found.tempos).items()),
        signatures=sorted({change[0]: change for change in found.signatures}.values()),
        markers=sorted(set(found.markers)),
        pedal=_pedal(events),
        tracks=[(track.title, count) for track, count in zip(found.tracks, counts, strict=True)],
        repairs=found.repairs + Counter(repairs),
        left_out={why: count for why, count in unpitched.items() if count},
    )


def _track_ends(found: Events, events: Columns) -> Ticks:
    """Where each track ends; one whose End of Track is a slip ends with the last press or release."""
    ends = np.array([track.end for track in found.tracks], np.int64)
    last = events.tick[events.kind == NOTE].max(initial=0)
    return np.where(ends - last <= FAR * found.division, ends, last)


def _last(found: Events, chosen: NDArray[np.bool_], score: Score) -> int:
    """The latest End of Track among the chosen tracks that can be meant, or the end of the last note."""
    music = int(score.end.max(initial=0))
    ends = [track.end for track, mine in zip(found.tracks, chosen, strict=True) if mine]
    return max([music, *(end for end in ends if end - music <= LONGEST_REST * score.division)])


def _pedal(events: Columns) -> dict[int, list[tuple[int, bool]]]:
    """When the sustain pedal of each channel goes down and up, without what changes nothing.

    All Sound Off and Reset All Controllers let it rise.
    """
    moves = np.flatnonzero((events.kind == CHANGE) & np.isin(events.first, [PEDAL, ALL_SOUND_OFF, RESET]))
    moves = moves[np.argsort(events.moments()[moves], kind="stable")]
    down = (events.first[moves] == PEDAL) & (events.second[moves] >= PEDAL_DOWN)
    found: dict[int, list[tuple[int, bool]]] = {}
    rows = (events.channel[moves].tolist(), events.tick[moves].tolist(), down.tolist())
    for channel, tick, pressed in zip(*rows, strict=True):
        before = found.setdefault(channel, [])
        if pressed != (before[-1][1] if before else False):
            before.append((tick, pressed))
    return {channel: changes for channel, changes in found.items() if changes}


def _without_strays(score: Score) -> Score:
    """The score up to a silence that is too long to be meant, if few notes follow it."""
    count = len(score.start)
    silence = score.start[1:] - np.maximum.accumulate(score.end)[:-1]
    few = np.arange(count - 1, 0, -1) <= max(count // FEW, 1)
    cuts = np.flatnonzero((silence > FAR * score.division) & few) + 1
    if len(cuts) == 0:
        return score
    kept = slice(0, int(cuts[0]))
    columns = {name: getattr(score, name)[kept] for name in ("start", "end", "pitch", "velocity", "channel")}
    reason = f"far behind the others, from {_place(score, kept.stop)} on"
    return replace(score, **columns, left_out={**score.left_out, reason: count - kept.stop})


def _place(score: Score, note: int) -> str:
    """The key of a note and where it is pressed."""
    name = key_name(int(score.pitch[note]) - LOWEST_KEY)
    return f"{name} at quarter note {score.start[note] // score.division}"


def _check_length(score: Score, path: str | Path, limits: Limits) -> None:
    """Refuse a piece that is too long, naming the note that makes it so."""
    last = int(score.end.max(initial=0))
    sixteenths, lasts = 4 * last // score.division, float(seconds(score, np.array([last]))[0])
    if sixteenths > limits.frames:
        long = f"has {sixteenths} sixteenths, more than {limits.frames}"
    elif lasts > limits.seconds:
        long = f"lasts {lasts:.0f} s, more than {limits.seconds:.0f}"
    else:
        return
    note = int(score.end.argmax())
    what = f"the piece {long}: {_place(score, note)} ends at quarter note {last // score.division}"
    raise MidiError(path, "too-long", what)
