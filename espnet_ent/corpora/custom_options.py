"""Options of reading a user's own corpus."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from espnet_ent.corpora.manifest_columns import parse_pairs
from espnet_ent.corpora.manifest_entries import EntryOptions
from espnet_ent.corpora.splitting import check_split_map
from espnet_ent.errors import ConfigError, DataError
from espnet_ent.labels import FOUR_EMOTIONS, EmotionInventory


@dataclass(frozen=True)
class ManifestSource:
    """Where the corpus is.

    Attributes:
        path: The manifest.
        audio_root: Where relative paths of audio begin; None: the manifest's folder.
        columns: The manifest's names of columns, by column.
        manifest_format: ``tsv``, ``csv`` or ``jsonl``; None: by the extension.
    """

    path: Path
    audio_root: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    manifest_format: str | None = None


@dataclass(frozen=True)
class ReadingOptions:
    """How cells are understood; see :class:`espnet_ent.corpora.manifest_entries.EntryOptions`.

    Attributes:
        emotions: The inventory.
        label_map: File of ``<raw label> <class>`` lines, or None.
        drop_labels: Labels whose utterances are left out and counted.
    """

    emotions: EmotionInventory = FOUR_EMOTIONS
    label_map: Path | None = None
    drop_labels: tuple[str, ...] = ()
    missing_emotion: str = "error"
    tags: str = "strip"
    text_case: str = "upper"
    speaker_from_id: str | None = None


@dataclass(frozen=True)
class SplitOptions:
    """How parts are made.

    Attributes:
        split_map: Parts, or ``-`` for leaving out, by the manifest's own names of splits.
        allow_speaker_overlap: Whether a speaker may occur in two splits of the manifest.
        dev_share: Share of dev in the time of what it is taken from, where the manifest names no dev.
        test_share: The same for test.
        seed: Seed of the split.
    """

    split_map: Mapping[str, str] = field(default_factory=dict)
    allow_speaker_overlap: bool = False
    dev_share: float = 0.1
    test_share: float = 0.1
    seed: int = 1


@dataclass(frozen=True)
class AudioOptions:
    """What audio may be like.

    Attributes:
        sample_rate: Rate in Hz that stage 3 is going to write.
        resample: Whether audio may have another rate.
        nj: Parallel processes.
    """

    sample_rate: int = 16000
    resample: bool = True
    nj: int = 1


@dataclass(frozen=True)
class CustomConfig:
    """A corpus and how it is read.

    Attributes:
        source: Where it is.
        reading: How cells are understood.
        splits: How parts are made.
        audio: What audio may be like.
        on_defects: ``error``, or ``exclude`` for leaving out and counting the rows at fault.
    """

    source: ManifestSource
    reading: ReadingOptions = ReadingOptions()
    splits: SplitOptions = SplitOptions()
    audio: AudioOptions = AudioOptions()
    on_defects: str = "error"


def make_config(
    manifest: str | Path,
    *,
    audio_root: str | Path | None = None,
    columns: str = "",
    manifest_format: str | None = None,
    on_defects: str = "error",
    fs: int = 16000,
    resample: bool = True,
    nj: int = 1,
    **others: Any,
) -> CustomConfig:
    """A configuration from the options of the command ``ent_prepare_custom``, by their names.

    Raises:
        ConfigError: If an option is malformed.
        LabelError: If the emotion list is missing or malformed.
    """
    path = Path(manifest)
    root = None if audio_root is None else Path(audio_root)
    return CustomConfig(
        ManifestSource(path, root, parse_pairs(columns, "--columns"), manifest_format),
        _reading_options(**{name: value for name, value in others.items() if name not in _SPLIT_OPTIONS}),
        _split_options(**{name: value for name, value in others.items() if name in _SPLIT_OPTIONS}),
        AudioOptions(fs, resample, nj),
        on_defects,
    )


_SPLIT_OPTIONS = ("split_map", "allow_speaker_overlap", "dev_share", "test_share", "split_seed")


def _split_options(split_map: str = "", split_seed: int = 1, **others: Any) -> SplitOptions:
    return SplitOptions(split_map=parse_pairs(split_map, "--split_map"), seed=split_seed, **others)


def _reading_options(
    emotion_list: str | Path | None = None,
    label_map: str | Path | None = None,
    drop_labels: str = "",
    **others: Any,
) -> ReadingOptions:
    return ReadingOptions(
        emotions=FOUR_EMOTIONS if emotion_list is None else EmotionInventory.read(emotion_list),
        label_map=None if label_map is None else Path(label_map),
        drop_labels=tuple(label for label in drop_labels.split(",") if label),
        **others,
    )


def check_config(config: CustomConfig) -> None:
    """Refuse shares and maps that make no sense.

    Raises:
        ConfigError: On such an option.
    """
    splits = config.splits
    check_split_map(splits.split_map)
    if not (config.audio.nj >= 1 and config.audio.sample_rate >= 1):
        raise ConfigError("option --nj or --fs is not positive", got=(config.audio.nj, config.audio.sample_rate))
    for option in ("dev_share", "test_share"):
        if not 0 <= getattr(splits, option) < 1:
            raise ConfigError("not a share", where=f"option --{option}", expected="0 to 1", got=getattr(splits, option))
    if splits.dev_share + splits.test_share >= 1:
        raise ConfigError("--dev_share and --test_share leave nothing to train on")


def entry_options(config: CustomConfig) -> EntryOptions:
    """How cells are read.

    Raises:
        ConfigError: If the speakers' pattern is no regular expression.
        DataError: If there is no folder of audio.
    """
    reading = config.reading
    try:
        pattern = re.compile(reading.speaker_from_id) if reading.speaker_from_id else None
    except re.error as error:
        raise ConfigError(
            "not a regular expression", where="option --speaker_from_id", got=f"{reading.speaker_from_id!r} ({error})"
        ) from None
    root = config.source.audio_root or config.source.path.parent
    if not root.is_dir():
        raise DataError("no such directory", where=root, next_step="give the folder of the audio with --audio_root")
    return EntryOptions(
        root, reading.tags, reading.text_case, reading.missing_emotion, pattern, config.splits.split_map
    )
