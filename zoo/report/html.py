"""The templates of all pages, and a content security policy that blocks all requests."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def security_policy(style: str, script: str) -> str:
    """A content security policy that allows only this style and this script."""
    allowed = {"script-src": script, "style-src": style}
    sources = (f"{directive} 'sha256-{_sha256(text)}'" for directive, text in allowed.items())
    return "; ".join(["default-src 'none'", *sources, "base-uri 'none'", "form-action 'none'"])


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def read_file(name: str) -> str:
    """A style sheet or script of the pages."""
    return files("zoo.report").joinpath("page", name).read_text("utf-8")


def encoded(page: str) -> bytes:
    """A page as UTF-8; bytes of file names that are not are written out, as on a terminal."""
    return page.encode("utf-8", "backslashreplace")


@cache
def environment() -> Environment:
    """The templates of the pages; what they insert is escaped."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("zoo.report", "page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
