"""Titles of tracks: decode bytes of unknown encoding, and compare titles regardless of case and spacing."""

from __future__ import annotations

import codecs
import re
import unicodedata

HALFWIDTH = "\uff61-\uff9f"
JAPANESE = f"\u3000-\u33ff\u4e00-\u9fff\uff01-\uff60{HALFWIDTH}"
NOT_JAPANESE = re.compile(
    rf"[^\t\r\n\x20-\x7e\u2010-\u266f{JAPANESE}]"
    rf"|[A-Za-z](?:[{JAPANESE}](?![{JAPANESE}])|[{HALFWIDTH}])"
    rf"|(?<![{JAPANESE}])[{JAPANESE}][A-Za-z]|[{HALFWIDTH}][A-Za-z]"
    rf"|(?<![{JAPANESE}])[{HALFWIDTH}](?![{JAPANESE}])"
)
"""Matches a Western title decoded as Shift-JIS: a single Japanese character next to a Latin letter."""


def decode_title(data: bytes) -> str:
    """Decode and tidy the text of a meta event; Standard MIDI Files do not state the encoding.

    UTF-8 is tried first, then Shift-JIS, which most files from Japan use, then Windows-1252.
    """
    text = data.strip(b"\0")
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return tidy_title(data.decode("utf-16", errors="replace"))
    try:
        return tidy_title(text.decode())
    except UnicodeDecodeError:
        return tidy_title(_from_shift_jis(text) or text.decode("cp1252", errors="replace"))


def tidy_title(title: str) -> str:
    """Normalise a title: composed form (NFC), a single line, no byte order mark or surrounding spaces."""
    composed = unicodedata.normalize("NFC", title.replace("\ufeff", ""))
    return " ".join("".join(" " if unicodedata.category(char) == "Cc" else char for char in composed).split())


def fold_title(title: str) -> str:
    """Normalise a title for comparison, ignoring case."""
    return unicodedata.normalize("NFC", tidy_title(title).casefold())


def _from_shift_jis(data: bytes) -> str:
    """The text decoded as Shift-JIS; empty if it makes no sense."""
    try:
        text = data.decode("cp932")
    except UnicodeDecodeError:
        return ""
    return "" if NOT_JAPANESE.search(text) else text
