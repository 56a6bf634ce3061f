"""Formatted tables in a notebook."""

from __future__ import annotations

from zoo.measure.formatted import FormattedTable, Line, Note


def test_a_table_in_a_notebook() -> None:
    lines = (Line(("a<b", "~ 1.25", "0.1"), is_clear=True), Line(("rates", "2.50", "0.2"), is_floor=True))
    table = FormattedTable("A & B", ("row", "nats ↓", "±"), 1, lines, (Note("± half", "±"), Note("<all>")))
    shown = table._repr_html_()
    assert "A &amp; B</caption>" in shown
    assert '<td style="text-align: left">a&lt;b</td><td style="text-align: right"><b>~ 1.25</b></td>' in shown
    assert shown.count("<b>") == 1
    assert '<tr style="opacity: 0.65"><td style="text-align: left">rates</td>' in shown
    assert shown.endswith("<small>± half<br>&lt;all&gt;</small>")
