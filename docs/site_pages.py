"""The pages of the site that are generated from code and stored results."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from command_pages import command_page
from gallery import write_gallery
from limits import table_of_limits
from messages import message_page
from site_sources import append, below_title, code_block, write
from zoo.cli.show import part_to_json
from zoo.cli.takes import command_to_json
from zoo.parts import SLOTS, Slot
from zoo.registry import open_registry

Setting = dict[str, Any]

SEEN_HERE = {
    "leaderboard.md": '<a href="leaderboard/index.html">Open the leaderboard</a> of all stored results.',
    "listen.md": '<a href="listen/index.html">Listen to the pretrained models</a>, a page as described here.',
}
"""Pages about something that the site contains, and the link to it."""


def write_generated(root: Path, sources: Path) -> None:
    """Add what is generated to the pages that have no document in the repository."""
    write_gallery(root, sources)
    append(sources / "commands.md", command_page())
    append(sources / "messages.md", message_page(root))
    append(sources / "settings.md", settings_page())
    append(sources / "limits.md", table_of_limits())
    append(sources / "engineer.md", code_block(root / "examples" / "engineer.py"))
    for name, line in SEEN_HERE.items():
        page = sources / name
        write(page, below_title(page.read_text("utf-8"), line))


def settings_page() -> str:
    """An entry for each setting, which search finds by its name; parts of a slot share names."""
    blocks = ["## Training"]
    blocks += [
        _confval(setting["name"], _description(setting, "resumable"))
        for setting in command_to_json("train")["settings"]
    ]
    registry = open_registry()
    for slot in SLOTS:
        owners: dict[str, dict[str, Setting]] = defaultdict(dict)
        for entry in registry.shipped_entries(slot):
            for setting in part_to_json(entry, registry)["settings"]:
                owners[setting["name"]][entry.name] = setting
        blocks.append(f"## {slot}")
        blocks += [_entry(slot, name, owners[name]) for name in sorted(owners)]
    return "\n\n".join(blocks)


def _entry(slot: Slot, name: str, owners: Mapping[str, Setting]) -> str:
    """A setting of parts of a slot: what it is for each of them."""
    parts = []
    for part, setting in owners.items():
        parts.append(f"[`{slot}={part}`](parts/{slot}-{part}.md): {_description(setting, 'live')}")
    return _confval(f"{slot}.{name}", "\n\n".join(parts))


def _description(setting: Setting, live: str) -> str:
    more = f" *({live})*" if setting["live"] else ""
    return f"{setting['help']}{more}. Default `{setting['default']}`; {setting['takes']}."


def _confval(name: str, body: str) -> str:
    return f":::{{confval}} {name}\n\n{body}\n:::"
