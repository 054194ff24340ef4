"""Drop utterances that training can't use (stage 4): too short, too long, without text."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from espnet_ent.data.atomic import atomic_directory
from espnet_ent.data.datadir import read_data_dir, write_one_line_forms, write_tables
from espnet_ent.data.provenance import digest_data_dir, is_made_from, write_provenance
from espnet_ent.data.utterance import Utterance
from espnet_ent.errors import ConfigError, DataError
from espnet_ent.frames import samples_to_seconds

DROPPED = "dropped"
_WITHOUT_TEXT = ("empty", "untranscribed")


@dataclass(frozen=True)
class FilterReport:
    """How many utterances of each class were kept and dropped.

    Attributes:
        kept: Class -> number.
        dropped: (class, reason) -> number.
    """

    kept: Counter[str]
    dropped: Counter[tuple[str, str]]

    def lines(self) -> list[str]:
        """The report, a line a class."""
        classes = sorted({*self.kept, *(label for label, _ in self.dropped)})
        report = []
        for label in classes:
            reasons = {reason: n for (of, reason), n in sorted(self.dropped.items()) if of == label}
            total = sum(reasons.values())
            detail = f" ({', '.join(f'{reason} {n}' for reason, n in reasons.items())})" if reasons else ""
            report.append(f"{label}: kept {self.kept[label]}, dropped {total}{detail}")
        return report


def filter_data_dir(
    data: str | Path,
    out: str | Path,
    min_seconds: float,
    max_seconds: float,
    sample_rate: int,
    *,
    keep_empty_text: bool = False,
) -> FilterReport:
    """Write the usable part of a dumped data directory; its audio stays where it is.

    ``dropped`` in ``out`` lists what was left out: ``<utt> <class> <reason>``. Where there are ``emo_segments`` or
    ``emo_words``, their one-line forms for ESPnet's loader are written too.

    Args:
        data: Dumped data directory, with ``utt2num_samples``.
        out: Directory to make.
        min_seconds: Shortest duration to keep.
        max_seconds: Longest duration to keep.
        sample_rate: Samples a second.
        keep_empty_text: Keep utterances without text, for a model that learns no words.

    Raises:
        ConfigError: If the shortest duration is not below the longest.
        DataError: If lengths are missing, or nothing is left.
    """
    if not 0 <= min_seconds < max_seconds:
        raise ConfigError(
            "no duration can pass", where="--min_wav_duration, --max_wav_duration", got=(min_seconds, max_seconds)
        )
    utterances = read_data_dir(data)
    kept: list[Utterance] = []
    dropped: list[tuple[Utterance, str]] = []
    for utterance in utterances:
        reason = _reason_to_drop(utterance, data, (min_seconds, max_seconds), sample_rate)
        if reason and not (keep_empty_text and reason in _WITHOUT_TEXT):
            dropped.append((utterance, reason))
        else:
            kept.append(utterance)
    if not kept:
        raise DataError(
            "no utterance is left",
            where=data,
            got=f"{len(dropped)} dropped",
            next_step="check --min_wav_duration and --max_wav_duration",
        )
    made_from = {
        "data": digest_data_dir(data),
        "min": min_seconds,
        "max": max_seconds,
        "fs": sample_rate,
        "keep_empty_text": keep_empty_text,
    }
    if not is_made_from(out, made_from):
        _write(Path(data), out, kept, dropped, made_from)
    return FilterReport(
        Counter(_class_of(utterance) for utterance in kept),
        Counter((_class_of(utterance), reason) for utterance, reason in dropped),
    )


def _write(
    data: Path,
    out: str | Path,
    kept: list[Utterance],
    dropped: list[tuple[Utterance, str]],
    made_from: dict[str, object],
) -> None:
    with atomic_directory(out) as root:
        write_tables(root, kept)
        write_one_line_forms(root, kept)
        for name in ("feats_type", "audio_format"):
            if (data / name).is_file():
                (root / name).write_bytes((data / name).read_bytes())
        lines = [f"{utterance.utt_id} {_class_of(utterance)} {reason}\n" for utterance, reason in dropped]
        (root / DROPPED).write_text("".join(lines), encoding="utf-8")
        write_provenance(root, made_from)


def _class_of(utterance: Utterance) -> str:
    return utterance.emotion or "unlabelled"


def _reason_to_drop(
    utterance: Utterance, data: str | Path, limits: tuple[float, float], sample_rate: int
) -> str | None:
    if utterance.num_samples is None:
        raise DataError("utt2num_samples is missing", where=data, next_step="rerun stage 3 (format)")
    duration = samples_to_seconds(utterance.num_samples, sample_rate)
    if duration < limits[0]:
        return "short"
    if duration > limits[1]:
        return "long"
    if utterance.text is None:
        return "untranscribed"
    return None if utterance.text else "empty"
