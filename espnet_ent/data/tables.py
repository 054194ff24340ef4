"""Reading the files of a data directory without stopping at the first defect."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

_BYTE_ORDER_MARK = "\ufeff"
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # Unicode's categories Cc, Zl and Zp


@dataclass(frozen=True)
class Defect:
    """Something wrong in a data directory.

    Attributes:
        path: File at fault.
        line: Line, from 1; None where the whole file is meant.
        message: What is wrong.
        utt_ids: Utterances that can't be used because of it.
        repairable: Writing the directory anew mends it, without dropping anything.
        warning: Worth knowing, but the directory can be used.
    """

    path: Path
    line: int | None
    message: str
    utt_ids: tuple[str, ...] = ()
    repairable: bool = False
    warning: bool = False

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else f"{self.path}"
        return f"{where}: {'warning: ' if self.warning else ''}{self.message}"


@dataclass(frozen=True)
class Row:
    """A line ``<key> <value>`` and its number from 1."""

    number: int
    key: str
    value: str

    @property
    def fields(self) -> list[str]:
        """Whitespace-separated fields of the value."""
        return self.value.split()


@dataclass
class Table:
    """The readable lines of a file and what is wrong with its form.

    Attributes:
        path: The file.
        rows: Lines that have a key, the repeated ones included.
        defects: Defects of form: encoding, blank lines, order, repeated keys.
    """

    path: Path
    rows: list[Row] = field(default_factory=list)
    defects: list[Defect] = field(default_factory=list)

    def by_key(self) -> dict[str, Row]:
        """The first row of each key."""
        first: dict[str, Row] = {}
        for row in self.rows:
            first.setdefault(row.key, row)
        return first

    def add(self, row: Row | None, message: str, *utt_ids: str, **marks: bool) -> None:
        """Record a defect of a row, or of the file."""
        line = None if row is None else row.number
        self.defects.append(Defect(self.path, line, message, utt_ids, **marks))


def scan_table(path: str | Path, *, several_rows: bool = False) -> Table:
    """Read a file of ``<key> <value>`` lines and find every defect of its form.

    A file must be UTF-8 without control characters, its lines unique and sorted by key in byte order
    (``LC_ALL=C``), and end in a newline.

    Args:
        path: An existing file.
        several_rows: A key may stand on several lines, as in ``emo_segments``.
    """
    table = Table(Path(path))
    data = table.path.read_bytes()
    lines = data.split(b"\n")
    if lines[-1]:
        last = Row(len(lines), "", "")
        table.add(last, "the last line has no end; the file may be cut off", repairable=True)
    else:
        lines.pop()
    for number, line in enumerate(lines, 1):
        _scan_line(table, number, line)
    _check_order(table, several_rows)
    return table


def _scan_line(table: Table, number: int, line: bytes) -> None:
    """Append a line's row to the table, with the defects of its characters."""
    try:
        text, undecodable = line.decode("utf-8"), None
    except UnicodeDecodeError as error:
        text, undecodable = line.decode("utf-8", errors="replace"), error
    marks = Row(number, "", "")
    if number == 1 and text.startswith(_BYTE_ORDER_MARK):
        text = text.removeprefix(_BYTE_ORDER_MARK)
        table.add(marks, "byte order mark", repairable=True)
    if text.endswith("\r"):
        text = text.removesuffix("\r")
        table.add(marks, "the line ends in a carriage return", repairable=True)
    key, _, value = text.partition(" ")
    row = Row(number, key, value.strip(" "))
    if not text.strip():
        table.add(row, "blank line", repairable=True)
        return
    if not key:
        table.add(row, "the line starts with a space", repairable=True)
        return
    if undecodable is not None:
        table.add(row, f"not UTF-8 (byte {undecodable.start + 1} of the line)", key)
    control = sorted(set(_CONTROL.findall(text)))
    if control:
        named = " ".join(f"U+{ord(character):04X}" for character in control)
        table.add(row, f"control character {named}", key)
    table.rows.append(row)


def _check_order(table: Table, several_rows: bool) -> None:
    first = table.by_key()
    previous: Row | None = None
    for row in table.rows:
        if previous is not None and row.key.encode() < previous.key.encode():
            table.add(row, f"not sorted (LC_ALL=C): {row.key!r} stands after {previous.key!r}", repairable=True)
        if not several_rows and first[row.key] is not row:
            same = first[row.key].value == row.value
            table.add(
                row,
                f"{row.key!r} occurs twice, first on line {first[row.key].number}"
                + (" (the same line)" if same else ""),
                row.key,
                repairable=same,
            )
        previous = row
