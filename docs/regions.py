"""Marked regions of the documents: `<!-- KIND: ARGUMENT -->`, the text, and `<!-- /KIND -->`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_REGION = re.compile(
    r"^<!-- (?P<kind>\w+)(: (?P<argument>.+?))? -->$\n(?P<body>.*?)^<!-- /(?P=kind) -->$", re.M | re.S
)


class RegionError(Exception):
    """A region cannot be filled as it is marked."""


@dataclass(frozen=True)
class Region:
    """A marked region of a document.

    Attributes:
        kind: what fills it, such as `run`.
        argument: what follows the kind, such as `zoo list`; may have several lines, and may be empty.
        body: the text that it holds now.
    """

    kind: str
    argument: str
    body: str

    def with_body(self, body: str) -> str:
        """The region with another text, as it stands in the document."""
        head = f"{self.kind}: {self.argument}" if self.argument else self.kind
        return f"<!-- {head} -->\n{body}\n<!-- /{self.kind} -->"


def regions(text: str) -> Iterator[Region]:
    """All regions of a document, in order."""
    return map(_region, _REGION.finditer(text))


def fill(text: str, body_of: Callable[[Region], str]) -> str:
    """The document with a new body in each region."""
    return _REGION.sub(lambda match: (region := _region(match)).with_body(body_of(region)), text)


def _region(match: re.Match[str]) -> Region:
    return Region(match["kind"], match["argument"] or "", match["body"].rstrip("\n"))
