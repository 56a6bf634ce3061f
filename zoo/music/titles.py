"""Titles of tracks: decoded from bytes that do not say their alphabet, and compared as people mean them."""

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
"""What a Western title holds when it is read as Shift-JIS: a lone character that touches a Latin letter."""


def decode_title(data: bytes) -> str:
    """The text of a meta event, tidied; the Standard MIDI File does not say how it is encoded.

    UTF-8 is tried first, then Shift-JIS, which most files from Japan are in, then Windows-1252.
    """
    text = data.strip(b"\0")
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return tidy_title(data.decode("utf-16", errors="replace"))
    try:
        return tidy_title(text.decode())
    except UnicodeDecodeError:
        return tidy_title(_from_shift_jis(text) or text.decode("cp1252", errors="replace"))


def tidy_title(title: str) -> str:
    """A title in composed form (NFC), in one line, without byte order mark or space at either end."""
    composed = unicodedata.normalize("NFC", title.replace("\ufeff", ""))
    return " ".join("".join(" " if unicodedata.category(sign) == "Cc" else sign for sign in composed).split())


def fold_title(title: str) -> str:
    """What two titles have in common that people take for the same, in capitals or not."""
    return unicodedata.normalize("NFC", tidy_title(title).casefold())


def _from_shift_jis(data: bytes) -> str:
    """The text if it makes sense in Shift-JIS, else nothing."""
    try:
        text = data.decode("cp932")
    except UnicodeDecodeError:
        return ""
    return "" if NOT_JAPANESE.search(text) else text
