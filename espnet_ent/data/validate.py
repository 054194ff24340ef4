"""Find every defect of a data directory in one run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from espnet_ent.data.audio_checks import AUDIO_CHECKS, check_audio
from espnet_ent.data.datadir import UNTRANSCRIBED
from espnet_ent.data.interval_checks import check_emo_segments, check_emo_words, check_word_times
from espnet_ent.data.scanning import (
    OPTIONAL,
    REQUIRED,
    SEVERAL_ROWS,
    ScannedDirectory,
    ValidationConfig,
    has_known_label,
    has_width,
)
from espnet_ent.data.tables import Defect, scan_table
from espnet_ent.errors import ConfigError, DataError
from espnet_ent.labels import EmotionInventory

Progress = Callable[[Iterable], Iterable]
_MADE_FROM_OTHERS = ("spk2utt", "utt2num_samples", "utt2emo_segments", "utt2emo_words")


def make_config(
    emotion_list: str | Path | None,
    sample_rate: int | None,
    audio: str,
    allow_empty_text: bool,
    with_emotion: bool = True,
) -> ValidationConfig:
    """A configuration from the options of the commands; without emotion, ``utt2emo`` need not be there.

    Raises:
        ConfigError: If ``audio`` is not one of the ways to check audio.
        LabelError: If the emotion list is missing or malformed.
    """
    if audio not in AUDIO_CHECKS:
        raise ConfigError("unknown audio check", where="--audio", expected=" | ".join(AUDIO_CHECKS), got=audio)
    emotions = None if emotion_list is None else EmotionInventory.read(emotion_list)
    required = REQUIRED if with_emotion else tuple(name for name in REQUIRED if name != "utt2emo")
    return ValidationConfig(emotions, sample_rate, required, audio=audio, empty_text_is_error=not allow_empty_text)


def validate_data_dir(
    path: str | Path, config: ValidationConfig | None = None, progress: Progress = iter
) -> list[Defect]:
    """Every defect of a data directory, by file and line; an empty list means that it is sound.

    Args:
        path: Data directory.
        config: What it must be like.
        progress: Wraps the iterable of checked recordings.

    Raises:
        DataError: If there is no such directory.
    """
    return scan_data_dir(path, config, progress).defects


def scan_data_dir(
    path: str | Path, config: ValidationConfig | None = None, progress: Progress = iter
) -> ScannedDirectory:
    """Read a data directory and check all of it; arguments and errors as :func:`validate_data_dir`."""
    config = config or ValidationConfig()
    path = Path(path)
    if not path.is_dir():
        raise DataError("data directory is missing", where=path, next_step="rerun the stage that makes it")
    tables = {
        name: scan_table(path / name, several_rows=name in SEVERAL_ROWS)
        for name in (*REQUIRED, *OPTIONAL)
        if (path / name).is_file()
    }
    scanned = ScannedDirectory(path, tables, {}, [])
    for name in config.required:
        if name not in tables:
            repairable = name in _MADE_FROM_OTHERS
            scanned.missing.append(Defect(path / name, None, "file is missing", repairable=repairable))
    if not scanned.utt_ids():
        scanned.missing.append(Defect(path, None, "no utterance in this directory"))
    _check_identifiers(scanned)
    _check_coverage(scanned)
    _check_speakers(scanned)
    _check_text(scanned, config)
    _check_labels(scanned, config)
    check_audio(scanned, config, progress)
    check_emo_segments(scanned, config)
    check_emo_words(scanned, config)
    check_word_times(scanned)
    return scanned


def _check_identifiers(scanned: ScannedDirectory) -> None:
    """Stage 3 names audio files after utterances."""
    for table in scanned.utterance_tables.values():
        for row in table.rows:
            if "/" in row.key:
                table.add(row, f"identifier {row.key!r} can't be a file name", row.key)


def _check_coverage(scanned: ScannedDirectory) -> None:
    """Every file with one line an utterance has the same utterances."""
    where = {
        row.key: f"{name}:{row.number}"
        for name, table in reversed(scanned.utterance_tables.items())
        for row in reversed(table.rows)
    }
    for name, table in scanned.utterance_tables.items():
        known = table.by_key()
        for utt_id in scanned.utt_ids():
            if utt_id not in known:
                message = f"no line of utterance {utt_id!r} ({where[utt_id]} names it)"
                table.add(None, message, utt_id, repairable=name in _MADE_FROM_OTHERS)


def _check_speakers(scanned: ScannedDirectory) -> None:
    """``utt2spk`` and ``spk2utt`` say the same."""
    utt2spk, spk2utt = scanned.tables.get("utt2spk"), scanned.tables.get("spk2utt")
    if utt2spk is None:
        return
    speakers = {row.key: row.value for row in utt2spk.rows if has_width(utt2spk, row, "<utt> <speaker>")}
    if spk2utt is None:
        return
    listed: set[str] = set()
    for row in spk2utt.rows:
        if not row.fields:
            spk2utt.add(row, f"speaker {row.key!r} has no utterance", repairable=True)
        for utt_id in row.fields:
            if utt_id in listed:
                spk2utt.add(row, f"utterance {utt_id!r} occurs twice", repairable=True)
            listed.add(utt_id)
            if speakers.get(utt_id) != row.key:
                said = f"speaker {speakers[utt_id]!r}" if utt_id in speakers else "no speaker"
                spk2utt.add(row, f"utterance {utt_id!r}: utt2spk says {said}", repairable=True)
    for utt_id in speakers:
        if utt_id not in listed:
            spk2utt.add(None, f"utterance {utt_id!r} is missing", repairable=True)


def _check_text(scanned: ScannedDirectory, config: ValidationConfig) -> None:
    """Empty texts, and the list of those that stand for no transcript."""
    table, listed = scanned.tables.get("text"), scanned.tables.get(UNTRANSCRIBED)
    untranscribed = listed.by_key() if listed else {}
    texts = table.by_key() if table else {}
    for row in table.rows if table else ():
        if not row.value and row.key not in untranscribed:
            table.add(row, "text is empty", row.key, warning=not config.empty_text_is_error)
    known = set(scanned.utt_ids())
    for row in listed.rows if listed else ():
        if row.key not in known:
            listed.add(row, f"unknown utterance {row.key!r}", repairable=True)
        elif row.value or (row.key in texts and texts[row.key].value):
            listed.add(row, f"utterance {row.key!r} has a text", row.key)


def _check_labels(scanned: ScannedDirectory, config: ValidationConfig) -> None:
    table = scanned.tables.get("utt2emo")
    for row in table.rows if table else ():
        if has_width(table, row, "<utt> <emotion>"):
            has_known_label(table, row, row.value, config)
