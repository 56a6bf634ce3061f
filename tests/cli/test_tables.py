"""Tables on standard output: names from files of others cannot imitate output or add HTML."""

from __future__ import annotations

import pytest
from rich.table import Table

from zoo.cli.console import stdout
from zoo.cli.tables import TableFormat, print_tables
from zoo.measure.formatted import FormattedTable, Line, Note

NAME = "mine\x1b[31m\nerror: forged <script>alert(1)</script>"


@pytest.mark.parametrize("form", ["terminal", "md", "latex"])
def test_a_name_forges_no_line_and_no_element(
    form: TableFormat, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    line = Line((NAME, "< 0.001"))
    print_tables([FormattedTable(NAME, (NAME, "nats"), 1, (line,), (Note(NAME),))], form)
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert not any(row.lstrip().startswith("error:") for row in printed.splitlines())
    assert printed.count("error: forged") == 4
    if form == "md":
        assert "<script" not in printed
        assert "</script" not in printed
        assert "< 0.001" in printed


def test_no_cell_of_any_table_controls_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("a\x1b[32m", title="b\x1b[33m")
    table.add_row("c\x1b[31m\r\x9b2J")
    stdout.print(table)
    stdout.print("two\nlines\x1b[34m")
    printed = capsys.readouterr().out
    assert "two\nlines\\x1b[34m" in printed
    assert {char for char in printed if not char.isprintable()} == {"\n"}
    assert all(f"\\x1b[3{number}m" in printed for number in range(1, 5))
