"""Small corpora with a manifest, to be damaged; all sentences are invented."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.corpora.trees import write_tone

SPEAKERS = ("anna", "bert", "carl", "dora")
SENTENCES = ("The lamp is on.", "Who moved the ladder?", "It rains again!", "Żółte świece, große Äpfel.")
LABELS = ("angry", "neutral", "sad", "happy")


def sound_rows(root: Path, num_rows: int = 12, seconds: float = 0.5, **others: str) -> list[dict[str, str]]:
    """Rows of four speakers with all four emotions; their audio is written below ``root``."""
    rows = []
    for i in range(num_rows):
        speaker = SPEAKERS[i % 4]
        name = f"{speaker}/take {i:02d}.wav"
        write_tone(root / name, seconds, seed=i)
        row = {"id": f"{speaker}-{i:02d}", "audio": name, "speaker": speaker}
        rows.append(row | {"emotion": LABELS[i // 4 % 4], "transcript": SENTENCES[i // 4 % 4]} | others)
    return rows


def write_tsv(path: Path, rows: Sequence[Mapping[str, str]], header: Sequence[str] | None = None) -> Path:
    """Write rows as TSV with the columns of the first row, or the given ones."""
    header = list(rows[0]) if header is None else header
    lines = ["\t".join(header), *("\t".join(row[name] for name in header) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_jsonl(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
