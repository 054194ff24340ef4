"""Manifests: a table with a row for each utterance, as TSV, CSV or JSON lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from espnet_ent.corpora.defect_log import DefectLog
from espnet_ent.corpora.manifest_columns import check_mapping, resolve_columns
from espnet_ent.errors import ConfigError, DataError

FORMATS = ("tsv", "csv", "jsonl")
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class ManifestRow:
    """A row.

    Attributes:
        line: Its first line in the file, from 1.
        cells: Values by column (a key of ``COLUMNS``). Empty where the row can't be read. Values of TSV and CSV are
            text; those of JSON are what they are there, and null is the empty text.
    """

    line: int
    cells: Mapping[str, Any]


@dataclass(frozen=True)
class Manifest:
    """A manifest that has been read in full, sound or not.

    Attributes:
        path: The file.
        columns: Columns that it has (keys of ``COLUMNS``).
        rows: All rows, those that can't be read included.
        log: What is wrong with its form.
    """

    path: Path
    columns: frozenset[str]
    rows: tuple[ManifestRow, ...]
    log: DefectLog

    def has_values(self, column: str) -> bool:
        """Whether some row says something in a column."""
        return any(not is_empty(row.cells.get(column, "")) for row in self.rows)


def is_empty(value: Any) -> bool:
    """Whether a cell says nothing: no text, ``-`` alone, or an empty list."""
    return value == [] or (isinstance(value, str) and value.strip() in ("", "-"))


def read_manifest(
    path: str | Path, mapping: Mapping[str, str] | None = None, manifest_format: str | None = None
) -> Manifest:
    """Read a manifest; what is wrong with its form goes to its log.

    TSV has no quoting; CSV has that of Python's ``csv`` module; both begin with a header. JSON lines hold an object
    each. A byte order mark and carriage returns at line ends are accepted; blank lines are passed over with a warning.

    Args:
        path: The file.
        mapping: The user's names of columns, by column.
        manifest_format: One of ``FORMATS``; None: by the file's extension.

    Raises:
        DataError: If there is no such file.
        ConfigError: If the format or a mapped column is unknown.
    """
    path = Path(path)
    mapping = mapping or {}
    check_mapping(mapping)
    manifest_format = manifest_format or _format_of(path)
    if manifest_format not in FORMATS:
        raise ConfigError(
            "unknown manifest format",
            where="option --manifest_format",
            expected=" | ".join(FORMATS),
            got=manifest_format,
        )
    if not path.is_file():
        raise DataError("manifest is missing", where=path, next_step="give the path of a TSV, CSV or JSONL file")
    log = DefectLog(path)
    lines, undecodable = _lines(path.read_bytes(), log)
    header, records = ([], []) if log.num_fatal else _READERS[manifest_format](lines, log)
    starts = [record.line for record in records]
    for line in undecodable:
        row = max((start for start in starts if start <= line), default=None)
        if row is None:
            log.add_fatal("not UTF-8", line)
        else:
            log.add(row, "not UTF-8", line=line)
    columns, problems = resolve_columns(header, mapping) if header else ({}, [])
    for problem in problems:
        log.add_fatal(problem, 1)
    if not records and not log.num_fatal:
        log.add_fatal("no rows")
    rows = tuple(_row(record, columns, log) for record in records)
    return Manifest(path, frozenset(columns), rows, log)


@dataclass(frozen=True)
class _Record:
    """A row by the names of the header; None where it can't be read."""

    line: int
    values: Mapping[str, Any] | None


def _format_of(path: Path) -> str:
    extensions = {".tsv": "tsv", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
    if path.suffix.lower() not in extensions:
        raise ConfigError(
            "the extension does not tell the manifest's format",
            where=path,
            expected=" | ".join(extensions),
            next_step=f"--manifest_format {'|'.join(FORMATS)}",
        )
    return extensions[path.suffix.lower()]


def _lines(data: bytes, log: DefectLog) -> tuple[list[str], list[int]]:
    """Lines without their ends, and the numbers of those that are not UTF-8."""
    if data.startswith(_UTF16_MARKS):
        log.add_fatal("not UTF-8: the file is UTF-16; save it as UTF-8")
        return [], []
    data = data.removeprefix(b"\xef\xbb\xbf")
    lines, undecodable = [], []
    for number, line in enumerate(data.removesuffix(b"\n").split(b"\n") if data else (), 1):
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            text = line.decode("utf-8", errors="replace")
            undecodable.append(number)
        lines.append(text.removesuffix("\r"))
    return lines, undecodable


def _row(record: _Record, columns: Mapping[str, str], log: DefectLog) -> ManifestRow:
    if record.values is None or not log.is_sound(record.line):
        return ManifestRow(record.line, {})
    values = {column: record.values.get(name) for column, name in columns.items()}
    return ManifestRow(record.line, {column: "" if value is None else value for column, value in values.items()})


def _read_tsv(lines: Sequence[str], log: DefectLog) -> tuple[list[str], list[_Record]]:
    return _read_cells(
        ((number, line.split("\t") if line.strip() else []) for number, line in enumerate(lines, 1)), log
    )


def _read_csv(lines: Sequence[str], log: DefectLog) -> tuple[list[str], list[_Record]]:
    return _read_cells(_csv_rows(lines, log), log)


def _csv_rows(lines: Sequence[str], log: DefectLog) -> Iterator[tuple[int, list[str] | None]]:
    reader = csv.reader((line + "\n" for line in lines), strict=True)
    while True:
        first = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            log.add(first, "malformed CSV", f"{error} (lines {first} to {reader.line_num})")
            yield first, None
        else:
            yield first, cells


def _read_cells(rows: Iterator[tuple[int, list[str] | None]], log: DefectLog) -> tuple[list[str], list[_Record]]:
    """Header and records of rows of cells; None stands for a row that can't be read, no cells for a blank line."""
    _, first = next(rows, (1, None))
    header = [name.strip() for name in first or ()]
    if not header:
        log.add_fatal("no header", 1)
        return [], []
    for name in dict.fromkeys(header):
        if header.count(name) > 1:
            log.add_fatal(f"column {name!r} occurs twice in the header", 1)
    records = []
    for number, cells in rows:
        if cells is not None and len(cells) == 0:
            log.warn("blank line", number)
            continue
        if cells is not None and len(cells) != len(header):
            log.add(number, "wrong number of fields", f"expected {len(header)} as in the header, got {len(cells)}")
            cells = None
        values = None if cells is None else dict(zip(reversed(header), reversed(cells), strict=True))
        records.append(_Record(number, values))
    return header, records


def _read_jsonl(lines: Sequence[str], log: DefectLog) -> tuple[list[str], list[_Record]]:
    header: dict[str, None] = {}
    records = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            log.warn("blank line", number)
            continue
        values = None
        try:
            values = json.loads(line, object_pairs_hook=_unique_keys)
        except (ValueError, RecursionError) as error:
            log.add(number, "malformed JSON", str(error) or type(error).__name__)
        else:
            if isinstance(values, dict):
                header.update(dict.fromkeys(values))
            else:
                log.add(number, "JSON line is not an object", f"got {type(values).__name__}")
                values = None
        records.append(_Record(number, values))
    return list(header), records


def _unique_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise ValueError(f"key {twice!r} occurs twice")
    return dict(pairs)


_READERS: dict[str, Callable[[Sequence[str], DefectLog], tuple[list[str], list[_Record]]]] = {
    "tsv": _read_tsv,
    "csv": _read_csv,
    "jsonl": _read_jsonl,
}
