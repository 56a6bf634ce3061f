"""Convert the bytes of a MIDI file to a score."""

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
from zoo.music.notes import key_name
from zoo.music.pairing import NEVER, releases
from zoo.music.score import Score, Ticks
from zoo.music.tempo import seconds
from zoo.music.titles import fold_title, tidy_title
from zoo.parts.piano import LOWEST_KEY

MAX_TITLES, MAX_TITLE_LENGTH = 12, 30
"""Maximum number of titles in an error, and characters of each."""
MAX_REST = 64
"""Quarter notes, 16 bars of 4/4; a longer rest between the last note and the End of Track is ignored."""
STRAY_GAP = 1024
"""Quarter notes, eight minutes at a tempo of 120; a few notes after a longer silence are strays, and an End
of Track after a longer silence is an error of the writer."""
NOTES_PER_STRAY = 100
"""At most one note in this many can be a stray, and one in a piece with fewer notes."""
PEDAL_DOWN = 64
"""Minimum value of the sustain pedal at which it is down."""


def read_score(
    data: bytes, path: str | Path, limits: Limits = DEFAULT_LIMITS, tracks: Collection[str] = ()
) -> Score:
    """Convert the bytes of a MIDI file to a score: its notes as a player would sound them, and their timing.

    Drums, percussive programs and sound effects are left out and counted. So are a few stray notes after more
    than `STRAY_GAP` quarter notes of silence, so that an editing error does not make a piece unusable. A note
    that is never released lasts to the end of its track. `Score.last` is the latest End of Track, unless it
    comes more than `MAX_REST` quarter notes after the last note.

    Args:
        data: content of the file.
        path: its name, for errors.
        limits: maximum amount of music.
        tracks: titles of the tracks to read, in any case; all tracks by default. If there is a track whose
            title is all of them joined by commas, only that track is read.

    Raises:
        MidiError: gzip, zip, appledouble, macbinary, clip, not-midi, bad-header, truncated, bad-number,
            bad-event, bad-note, too-many, too-long or no-track. A file without notes is not an error.
    """
    events = walk(data, str(path), limits)
    selected = _selected(events, str(path), tracks)
    score = _without_strays(_score(events, Columns.of(events), selected))
    if len(score.start) > limits.notes:
        raise MidiError(path, "too-many", f"there are more than {limits.notes} notes")
    _check_length(score, path, limits)
    return replace(score, last=_last(events, selected, score))


def _selected(events: Events, path: str, tracks: Collection[str]) -> NDArray[np.bool_]:
    """Which tracks to read: those with one of the titles, or with the joined titles as a title."""
    titles = [track.title for track in events.tracks]
    folded, joined = [fold_title(title) for title in titles], fold_title(",".join(tracks))
    wanted = ({joined} if joined in folded else {fold_title(title) for title in tracks}) - {""}
    selected = np.array([not tracks or title in wanted for title in folded], np.bool_)
    if tracks and not selected.any():
        listed = [title[:MAX_TITLE_LENGTH] for title in titles if title][:MAX_TITLES]
        existing = f"its tracks are {', '.join(listed)}" if listed else "its tracks have no titles"
        raise MidiError(
            path, "no-track", f"no track is called {' or '.join(map(tidy_title, tracks))}; {existing}"
        )
    return selected


def _score(events: Events, columns: Columns, selected: NDArray[np.bool_]) -> Score:
    """The notes of the selected tracks, sorted by start, and the timing that all tracks share.

    Notes are paired and classified in all tracks first: releases, programs and banks in tracks that are not
    selected may affect the notes of those that are.
    """
    press = np.flatnonzero((columns.kind == NOTE) & (columns.second > 0))
    track, sound = columns.track[press], sounds(columns, events.roland)[press]
    released, from_other_tracks = releases(columns)
    end = np.where(released == NEVER, _track_ends(events, columns)[columns.track], released)
    chosen = press[selected[track] & (sound == PITCHED)]
    chosen = chosen[np.argsort(columns.tick[chosen], kind="stable")]
    repairs = {
        "note never released": int((released[chosen] == NEVER).sum()),
        "note without length": int((end[chosen] == columns.tick[chosen]).sum()),
        "note released by another track": from_other_tracks,
    }
    counts = np.bincount(track[sound == PITCHED], minlength=len(events.tracks)).tolist()
    unpitched = {reason: int((selected[track] & (sound == kind)).sum()) for kind, reason in REASONS.items()}
    return Score(
        division=events.division,
        start=columns.tick[chosen],
        end=end[chosen],
        pitch=columns.first[chosen],
        velocity=columns.second[chosen].astype(np.uint8),
        channel=columns.channel[chosen],
        tempos=sorted(dict(events.tempos).items()),
        signatures=sorted({signature[0]: signature for signature in events.signatures}.values()),
        markers=sorted(set(events.markers)),
        pedal=_pedal(columns),
        tracks=[(track.title, count) for track, count in zip(events.tracks, counts, strict=True)],
        repairs=events.repairs + Counter(repairs),
        left_out={reason: count for reason, count in unpitched.items() if count},
    )


def _track_ends(events: Events, columns: Columns) -> Ticks:
    """The tick at which each track ends: its End of Track, or the last note event if that is much earlier."""
    ends = np.array([track.end for track in events.tracks], np.int64)
    last = columns.tick[columns.kind == NOTE].max(initial=0)
    return np.where(ends - last <= STRAY_GAP * events.division, ends, last)


def _last(events: Events, selected: NDArray[np.bool_], score: Score) -> int:
    """The latest plausible End of Track of the selected tracks, or else the end of the last note."""
    last_note = int(score.end.max(initial=0))
    ends = [track.end for track, is_selected in zip(events.tracks, selected, strict=True) if is_selected]
    return max([last_note, *(end for end in ends if end - last_note <= MAX_REST * score.division)])


def _pedal(events: Columns) -> dict[int, list[tuple[int, bool]]]:
    """The changes of the sustain pedal on each channel, without events that change nothing.

    All Sound Off and Reset All Controllers release the pedal.
    """
    index = np.flatnonzero((events.kind == CHANGE) & np.isin(events.first, [PEDAL, ALL_SOUND_OFF, RESET]))
    index = index[np.argsort(events.moments()[index], kind="stable")]
    down = (events.first[index] == PEDAL) & (events.second[index] >= PEDAL_DOWN)
    by_channel: dict[int, list[tuple[int, bool]]] = {}
    rows = (events.channel[index].tolist(), events.tick[index].tolist(), down.tolist())
    for channel, tick, is_down in zip(*rows, strict=True):
        changes = by_channel.setdefault(channel, [])
        if is_down != (changes[-1][1] if changes else False):
            changes.append((tick, is_down))
    return {channel: changes for channel, changes in by_channel.items() if changes}


def _without_strays(score: Score) -> Score:
    """The score without stray notes, that is a few notes after a very long silence."""
    count = len(score.start)
    silence = score.start[1:] - np.maximum.accumulate(score.end)[:-1]
    are_few = np.arange(count - 1, 0, -1) <= max(count // NOTES_PER_STRAY, 1)
    cuts = np.flatnonzero((silence > STRAY_GAP * score.division) & are_few) + 1
    if len(cuts) == 0:
        return score
    before_gap = slice(0, int(cuts[0]))
    columns = {
        name: getattr(score, name)[before_gap] for name in ("start", "end", "pitch", "velocity", "channel")
    }
    reason = f"far behind the others, from {_described(score, before_gap.stop)} on"
    return replace(score, **columns, left_out={**score.left_out, reason: count - before_gap.stop})


def _described(score: Score, note: int) -> str:
    """The key and the start of a note, in words."""
    name = key_name(int(score.pitch[note]) - LOWEST_KEY)
    return f"{name} at quarter note {score.start[note] // score.division}"


def _check_length(score: Score, path: str | Path, limits: Limits) -> None:
    """Check the length of a piece; the error names the note that ends last."""
    last = int(score.end.max(initial=0))
    sixteenths, duration = 4 * last // score.division, float(seconds(score, np.array([last]))[0])
    if sixteenths > limits.frames:
        excess = f"has {sixteenths} sixteenths, more than {limits.frames}"
    elif duration > limits.seconds:
        excess = f"lasts {duration:.0f} s, more than {limits.seconds:.0f}"
    else:
        return
    note = int(score.end.argmax())
    what = f"the piece {excess}: {_described(score, note)} ends at quarter note {last // score.division}"
    raise MidiError(path, "too-long", what)
