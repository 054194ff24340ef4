"""Both renderings of a document."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.report.document import Command, Heading, Paragraph, Table, render_markdown, render_terminal

CELLS = st.text("ab |_-", max_size=30)
TABLES = st.integers(1, 5).flatmap(
    lambda width: st.builds(
        lambda rows: Table(tuple(rows[0]), tuple(map(tuple, rows[1:]))),
        st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=5),
    )
)


def test_markdown() -> None:
    blocks = [
        Heading("Scores", level=1),
        Paragraph("Of *two* systems."),
        Command("./run.sh --stage 1"),
        Table(("system", "WER"), (("ent|a", "9.1"), ("fent", "10.25"))),
    ]
    assert render_markdown(blocks) == (
        "# Scores\n\nOf *two* systems.\n\n```sh\n./run.sh --stage 1\n```\n\n"
        "| system |   WER |\n| ------ | ----: |\n| ent\\|a |   9.1 |\n| fent   | 10.25 |\n"
    )


def test_terminal() -> None:
    blocks = [
        Heading("Scores", level=1),
        Paragraph("Of `two` systems."),
        Command("make"),
        Table(("system", "WER"), (("ent", "9.1"), ("fent", "10.25"))),
    ]
    assert render_terminal(blocks) == (
        "Scores\n======\n\nOf two systems.\n\n    make\n\nsystem    WER\n------  -----\nent       9.1\nfent    10.25\n"
    )


@given(TABLES)
def test_markdown_tables_keep_their_columns(table: Table) -> None:
    lines = render_markdown([table]).splitlines()
    assert len(lines) == 2 + len(table.rows)
    assert all(line.replace("\\|", "").count("|") == len(table.header) + 1 for line in lines)


@given(TABLES)
def test_wide_first_columns_are_wrapped_and_nothing_is_lost(table: Table) -> None:
    columns = 60
    figures = sum(max(map(len, column)) for column in list(zip(table.header, *table.rows, strict=True))[1:])
    room = columns - figures - 2 * (len(table.header) - 1)
    text = render_terminal([table], columns)
    if room >= 12:
        assert all(len(line) <= columns for line in text.splitlines())
    letters = sum(cell.count("a") for row in (table.header, *table.rows) for cell in row)
    assert text.count("a") == letters


def test_a_long_name_is_wrapped_above_its_figures() -> None:
    table = Table(("system", "WER"), (("one_long_name of words", "9.1"),))
    assert render_terminal([table], 20).splitlines()[2:] == ["one_long_name", "of words         9.1"]


def test_backticks_in_a_command_do_not_end_its_block() -> None:
    assert render_markdown([Command("echo ```")]) == "````sh\necho ```\n````\n"


def test_ragged_tables_are_refused() -> None:
    with pytest.raises(ValueError, match="row of 1 cells in a table of 2 columns"):
        Table(("a", "b"), (("x",),))
