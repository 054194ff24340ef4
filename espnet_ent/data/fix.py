"""Make a sound data directory of a faulty one, in a new place, and say what was dropped and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from espnet_ent.data.atomic import atomic_directory
from espnet_ent.data.datadir import UNTRANSCRIBED, write_one_line_forms, write_tables
from espnet_ent.data.scanning import SEVERAL_ROWS, ScannedDirectory, ValidationConfig
from espnet_ent.data.tables import Table
from espnet_ent.data.utterance import Utterance, WordSpan, WordTime
from espnet_ent.data.validate import scan_data_dir
from espnet_ent.errors import DataError
from espnet_ent.timeline import EmotionSegment

DROPPED = "dropped"
_COPIED = ("feats_type", "audio_format")
Progress = Callable[[Iterable], Iterable]


@dataclass(frozen=True)
class FixReport:
    """What became of a data directory: used + dropped = found.

    Attributes:
        used: Utterances of the new directory.
        dropped: Pairs (utterance, why), one for each defect that cost an utterance.
        repaired: Defects that were mended without dropping anything.
    """

    used: tuple[str, ...]
    dropped: tuple[tuple[str, str], ...]
    repaired: tuple[str, ...]

    @property
    def num_dropped(self) -> int:
        """Number of dropped utterances; one may have several defects."""
        return len({utt_id for utt_id, _ in self.dropped})

    @property
    def num_found(self) -> int:
        """Number of utterances that the faulty directory names."""
        return len(self.used) + self.num_dropped


def fix_data_dir(
    path: str | Path, out: str | Path, config: ValidationConfig | None = None, progress: Progress = iter
) -> FixReport:
    """Write the sound utterances of a data directory to a new one.

    Order, ``spk2utt``, counted lengths and repeated equal lines are mended; an utterance with any other defect
    is dropped. ``dropped`` in ``out`` lists these: ``<utt> <file:line: why>``.

    Args:
        path: Data directory; it is not touched.
        out: Directory to make.
        config: What the directory must be like.
        progress: Wraps the iterable of checked recordings.

    Raises:
        DataError: If ``out`` is ``path``, a file is missing that can't be made from others, or nothing is left.
    """
    path, out = Path(path), Path(out)
    if path.resolve() == out.resolve():
        raise DataError("a directory is never fixed in place", where=out, next_step="name a new directory")
    scanned = scan_data_dir(path, config, progress)
    dropped: list[tuple[str, str]] = []
    repaired: list[str] = []
    for defect in scanned.defects:
        if defect.warning:
            continue
        if defect.repairable:
            repaired.append(str(defect))
        elif defect.utt_ids:
            dropped.extend((utt_id, str(defect)) for utt_id in defect.utt_ids)
        else:
            raise DataError("can't be fixed: " + defect.message, where=defect.path)
    lost = {utt_id for utt_id, _ in dropped}
    used = [utt_id for utt_id in scanned.utt_ids() if utt_id not in lost]
    if not used:
        raise DataError("no utterance is left", where=path, got=f"{len(lost)} with defects")
    known = set(scanned.utt_ids())
    dropped = sorted({entry for entry in dropped if entry[0] in known})
    utterances = _Utterances(scanned).of(used)
    with atomic_directory(out) as root:
        write_tables(root, utterances)
        if {"utt2emo_segments", "utt2emo_words"} & scanned.tables.keys():
            write_one_line_forms(root, utterances)
        for name in _COPIED:
            if (path / name).is_file():
                (root / name).write_bytes((path / name).read_bytes())
        lines = [f"{utt_id} {reason}\n" for utt_id, reason in dropped]
        (root / DROPPED).write_text("".join(lines), encoding="utf-8")
    return FixReport(tuple(used), tuple(dropped), tuple(repaired))


class _Utterances:
    """Utterances from the rows of a scanned directory, where these are sound."""

    def __init__(self, scanned: ScannedDirectory) -> None:
        self._scanned = scanned
        self._rows = {name: table.by_key() for name, table in scanned.tables.items()}
        self._spans = {name: _group(scanned.tables[name]) for name in SEVERAL_ROWS if name in scanned.tables}

    def of(self, utt_ids: Iterable[str]) -> list[Utterance]:
        """The utterances with these identifiers; lengths only if all are known."""
        utterances = [self._one(utt_id) for utt_id in utt_ids]
        if all(utterance.num_samples is not None for utterance in utterances):
            return utterances
        return [replace(utterance, num_samples=None) for utterance in utterances]

    def _value(self, name: str, key: str) -> str | None:
        return self._rows[name][key].value if name in self._rows else None

    def _one(self, utt_id: str) -> Utterance:
        segment = (self._value("segments", utt_id) or "").split()
        utterance = Utterance(
            utt_id=utt_id,
            speaker=self._rows["utt2spk"][utt_id].value,
            audio=self._rows["wav.scp"][segment[0] if segment else utt_id].value,
            text=None if utt_id in self._rows.get(UNTRANSCRIBED, ()) else self._value("text", utt_id),
            emotion=self._value("utt2emo", utt_id),
            start=float(segment[1]) if segment else None,
            end=float(segment[2]) if segment else None,
            num_samples=self._num_samples(utt_id),
        )
        if "emo_segments" in self._spans:
            rows = self._spans["emo_segments"].get(utt_id, [])
            segments = sorted(EmotionSegment(float(start), float(end), label) for start, end, label in rows)
            utterance = replace(utterance, emo_segments=tuple(segments))
        if "emo_words" in self._spans:
            rows = self._spans["emo_words"].get(utt_id, [])
            spans = sorted((int(first), int(last), label) for first, last, label in rows)
            utterance = replace(utterance, emo_words=tuple(WordSpan(*span) for span in spans))
        if "word_times" in self._spans:
            rows = self._spans["word_times"].get(utt_id, [])
            words = sorted(WordTime(float(start), float(end), word) for start, end, word in rows)
            utterance = replace(utterance, word_times=tuple(words))
        return utterance

    def _num_samples(self, utt_id: str) -> int | None:
        """The counted length where the directory has counts, counted anew where audio was looked at."""
        if "utt2num_samples" not in self._rows:
            return None
        if utt_id in self._scanned.lengths:
            return self._scanned.lengths[utt_id][0]
        row = self._rows["utt2num_samples"].get(utt_id)
        return None if row is None else int(row.value)


def _group(table: Table) -> dict[str, list[list[str]]]:
    groups: dict[str, list[list[str]]] = {}
    for row in table.rows:
        groups.setdefault(row.key, []).append(row.fields)
    return groups
