"""What is wrong with a user's corpus: collected over all checks, reported in one go."""

from __future__ import annotations

from pathlib import Path

from espnet_ent.data.tables import Defect


class DefectLog:
    """Defects of a manifest, by line.

    Attributes:
        path: The manifest.
        reasons: First kind of defect of each row at fault, by the row's line; such rows can be excluded.
        num_fatal: Defects that belong to no row, so that no exclusion mends them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reasons: dict[int, str] = {}
        self.num_fatal = 0
        self._defects: list[Defect] = []

    def add(self, row: int, kind: str, detail: str = "", line: int | None = None) -> None:
        """Record a defect of a row.

        Args:
            row: The row's (first) line.
            kind: What is wrong, without particulars: exclusions are counted by it.
            detail: Particulars for the report.
            line: The line to report, where that is another than ``row``.
        """
        self.reasons.setdefault(row, kind)
        message = f"{kind}: {detail}" if detail else kind
        self._defects.append(Defect(self.path, line or row, message))

    def blame(self, row: int, kind: str) -> None:
        """Mark another row as at fault of a defect that is reported elsewhere."""
        self.reasons.setdefault(row, kind)

    def add_fatal(self, message: str, line: int | None = None, path: Path | None = None) -> None:
        """Record a defect of the whole manifest, its header, or another file."""
        self.num_fatal += 1
        self._defects.append(Defect(path or self.path, line, message))

    def warn(self, message: str, line: int | None = None) -> None:
        """Record what is worth knowing but stops nothing."""
        self._defects.append(Defect(self.path, line, message, warning=True))

    def is_sound(self, row: int) -> bool:
        """Whether nothing is wrong with a row so far."""
        return row not in self.reasons

    @property
    def defects(self) -> list[Defect]:
        """All defects and warnings, by file and line."""
        return sorted(self._defects, key=lambda defect: (str(defect.path), defect.line or 0))

    @property
    def num_errors(self) -> int:
        """Number of defects that are not warnings."""
        return sum(not defect.warning for defect in self._defects)
