"""Tables on standard output: names from files of others cannot imitate output or add HTML."""

from __future__ import annotations

import pytest

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
