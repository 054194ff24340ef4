"""A user's own corpus, described by a manifest: checked as a whole, split, and brought into data directories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

from espnet_ent.corpora.audio_survey import Progress, survey_audio
from espnet_ent.corpora.custom_checks import Sized, check_audio_entries, check_leaks
from espnet_ent.corpora.custom_options import AudioOptions, CustomConfig, check_config, entry_options
from espnet_ent.corpora.defect_log import DefectLog
from espnet_ent.corpora.label_map import read_label_map
from espnet_ent.corpora.manifest import Manifest, read_manifest
from espnet_ent.corpora.manifest_columns import nearest
from espnet_ent.corpora.manifest_entries import Entry, read_entries
from espnet_ent.corpora.reading import UNKNOWN_SESSION, CorpusReading, CorpusUtterance, Exclusion
from espnet_ent.corpora.splitting import PARTS, SplitItem, disjoint_split
from espnet_ent.data.atomic import atomic_write_text
from espnet_ent.data.tables import Defect
from espnet_ent.data.utterance import Utterance
from espnet_ent.errors import DataError
from espnet_ent.labels import EmotionInventory
from espnet_ent.timeline import EmotionSegment, EmotionTimeline

CORPUS = "custom"


@dataclass(frozen=True)
class CustomReading:
    """What was found.

    Attributes:
        manifest: The manifest's path.
        num_rows: Rows found.
        defects: Defects and warnings, by file and line.
        num_blocking: Defects that stand in the way of the data directories.
        sets: Used and excluded utterances of each part; empty where defects stand in the way.
        seconds: Length of what is used of each part.
        emotions: The inventory; None where nothing was read.
        has_emotions: Whether utterances have emotions.
    """

    manifest: Path
    num_rows: int
    defects: tuple[Defect, ...]
    num_blocking: int
    sets: Mapping[str, CorpusReading] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    emotions: EmotionInventory | None = None
    has_emotions: bool = True

    def check(self) -> None:
        """Refuse a corpus with defects in the way.

        Raises:
            DataError: If there are any.
        """
        if self.num_blocking:
            raise DataError(
                f"{self.num_blocking} {'defect' if self.num_blocking == 1 else 'defects'}; nothing is written",
                where=self.manifest,
                next_step="mend them, or leave the rows at fault out with --on_defects exclude",
            )

    def write(self, out: str | Path) -> None:
        """Write a data directory for each part, and ``emotion_list``, which a model of speech alone has too.

        Raises:
            DataError: If defects stand in the way, or a part has no utterance left.
        """
        self.check()
        for part, reading in self.sets.items():
            if not reading.used:
                raise DataError(f"no utterance of {part} is left", where=self.manifest, got=reading.summary())
        for part, reading in self.sets.items():
            reading.write(Path(out, part))
        if self.emotions is not None:
            atomic_write_text(Path(out, "emotion_list"), "\n".join(self.emotions.to_lines()) + "\n")

    def summaries(self) -> dict[str, str]:
        """One line for each part: found, used by class, excluded by reason, speakers, hours."""
        lines = {}
        for part, reading in self.sets.items():
            number = len({entry.utterance.speaker for entry in reading.used})
            speakers = f"{number} speaker{'' if number == 1 else 's'}"
            lines[part] = f"{_summary(reading)}; {speakers}, {self.seconds[part] / 3600:.2f} h"
        return lines


def _summary(reading: CorpusReading) -> str:
    """The reading's own summary, without classes where there are none."""
    return reading.summary().replace(f" (None {len(reading.used)})", "", 1)


def read_custom(config: CustomConfig, progress: Progress = iter) -> CustomReading:
    """Read a manifest and its audio, and report everything that is wrong with them.

    Args:
        config: The corpus and how it is read.
        progress: Wraps the iterable of audio files.

    Raises:
        ConfigError: If an option is not sensible.
        DataError: If the manifest or a file of the options is missing, or no speaker-disjoint split is possible.
    """
    check_config(config)
    source = config.source
    manifest = read_manifest(source.path, source.columns, source.manifest_format)
    log = manifest.log
    reading = config.reading
    labels = read_label_map(reading.label_map, reading.emotions, reading.drop_labels, log)
    entries = read_entries(manifest, labels, entry_options(config))
    _check_columns(manifest, config, log)
    facts = survey_audio((e.audio for e in entries if e.audio is not None), config.audio.nj, progress)
    sized = check_audio_entries(entries, facts, log)
    if not config.audio.resample:
        for each in sized:
            if each.facts.sample_rate != config.audio.sample_rate:
                rates = f"expected {config.audio.sample_rate} Hz, got {each.facts.sample_rate} Hz"
                log.add(each.entry.line, "wrong sample rate", f"{each.entry.audio}; {rates}")
    candidates = sized if config.on_defects == "error" else [s for s in sized if log.is_sound(s.entry.line)]
    tied = [*check_leaks(candidates, log, config.splits.allow_speaker_overlap), *_same_place(candidates)]
    _warn_of_rates(facts, config.audio, log)
    excludable = config.on_defects == "exclude" and not log.num_fatal
    if log.num_errors and not excludable:
        return CustomReading(manifest.path, len(entries), tuple(log.defects), log.num_errors)
    used = [s for s in sized if log.is_sound(s.entry.line) and s.entry.excluded is None]
    has_times = any(each.entry.start is not None for each in used)
    utterances = {each.entry.line: _utterance(each, reading.emotions, has_times) for each in used}
    declared = {entry.split for entry in entries if entry.split is not None}
    corpus = _Corpus(manifest, entries, used, utterances, declared)
    return _assemble(corpus, _assign_parts(corpus, tied, config), reading.emotions)


@dataclass(frozen=True)
class _Corpus:
    """A manifest whose defects do not stand in the way.

    Attributes:
        used: Entries to use.
        utterances: What they become, by line.
        declared: Parts that the manifest names.
    """

    manifest: Manifest
    entries: Sequence[Entry]
    used: Sequence[Sized]
    utterances: Mapping[int, Utterance]
    declared: Set[str]


def _check_columns(manifest: Manifest, config: CustomConfig, log: DefectLog) -> None:
    """What only the manifest as a whole can tell."""
    if not manifest.rows:
        return
    if not any(map(manifest.has_values, ("transcript", "emotion", "emo_segments"))):
        log.add_fatal("neither a transcript nor an emotion in any row")
    if not manifest.has_values("speaker") and not config.reading.speaker_from_id:
        log.warn(
            "no speaker column: every utterance counts as a speaker, and the parts may share voices; "
            "give --columns speaker=NAME or --speaker_from_id REGEX"
        )
    names = {str(row.cells["split"]).strip() for row in manifest.rows if "split" in row.cells}
    for name in config.splits.split_map:
        if name not in names:
            log.add_fatal(f"no row has the split {name!r}, which --split_map names{nearest(name, names)}")


def _warn_of_rates(facts: Mapping, options: AudioOptions, log: DefectLog) -> None:
    sound = [found for found in facts.values() if found.error is None]
    below = sum(found.sample_rate < options.sample_rate for found in sound)
    if below and options.resample:
        log.warn(
            f"{below} of {len(sound)} audio files are below {options.sample_rate} Hz: "
            "they are going to be resampled, and hold nothing above half their own rate"
        )
    several = sum(found.channels > 1 for found in sound)
    if several:
        log.warn(f"{several} of {len(sound)} audio files have several channels: their average is used")


def _assign_parts(corpus: _Corpus, tied: Sequence[tuple[int, int]], config: CustomConfig) -> dict[int, str]:
    """Part of each used line: the manifest's, or taken from its training part (from all, if it names no splits)."""
    parts = {each.entry.line: each.entry.split or "train" for each in corpus.used}
    options = config.splits
    wanted = {"dev": options.dev_share, "test": options.test_share}
    shares = {part: share for part, share in wanted.items() if share and part not in corpus.declared}
    pool = [each for each in corpus.used if parts[each.entry.line] == "train"]
    if not pool:
        raise DataError(
            "no utterance to train on",
            where=corpus.manifest.path,
            next_step="check the split column, or map it with --split_map",
        )
    if not shares:
        return parts
    if corpus.declared:
        corpus.manifest.log.warn(f"no split {' or '.join(shares)}: taken from train, without a common speaker")
    positions = {each.entry.line: position for position, each in enumerate(pool)}
    together = [(positions[a], positions[b]) for a, b in tied if a in positions and b in positions]
    items = [
        SplitItem(s.entry.utt_id, s.entry.speaker, s.seconds, corpus.utterances[s.entry.line].emotion) for s in pool
    ]
    assigned = disjoint_split(items, together, shares, options.seed, where=corpus.manifest.path)
    return parts | {each.entry.line: part for each, part in zip(pool, assigned, strict=True)}


def _assemble(corpus: _Corpus, parts: Mapping[int, str], emotions: EmotionInventory) -> CustomReading:
    """The reading of each part; an excluded row is counted in its own part, or in that of its speaker."""
    manifest = corpus.manifest
    sessions = _session_numbers(corpus.entries)
    part_of_speaker = {each.entry.speaker: parts[each.entry.line] for each in corpus.used}
    names = [part for part in PARTS if part in corpus.declared or part in parts.values()]
    used: dict[str, list[CorpusUtterance]] = {part: [] for part in names}
    excluded: dict[str, list[Exclusion]] = {part: [] for part in names}
    for entry in corpus.entries:
        session = sessions.get(entry.session, UNKNOWN_SESSION)
        if entry.line in parts:
            dialog = entry.dialog or entry.utt_id
            used[parts[entry.line]].append(CorpusUtterance(corpus.utterances[entry.line], session, dialog))
            continue
        reason = manifest.log.reasons.get(entry.line) or entry.excluded
        own = entry.split or "train"
        of_speaker = part_of_speaker.get(entry.speaker, own)
        part = own if of_speaker in corpus.declared else of_speaker
        excluded[part].append(Exclusion(entry.utt_id or f"line-{entry.line}", session, reason))
    has_emotions = manifest.has_values("emotion") or manifest.has_values("emo_segments")
    if has_emotions:
        counts = Counter(each.utterance.emotion for each in used["train"])
        lacking = [name for name in emotions.names if not counts[name]]
        if lacking:
            manifest.log.warn(f"no utterance of train is {' or '.join(lacking)}")
    places = CORPUS if any(map(manifest.has_values, ("session", "dialog"))) else None
    seconds = dict.fromkeys(names, 0.0)
    for each in corpus.used:
        seconds[parts[each.entry.line]] += each.seconds
    return CustomReading(
        manifest.path,
        len(corpus.entries),
        tuple(manifest.log.defects),
        0,
        {part: CorpusReading(tuple(used[part]), tuple(excluded[part]), places) for part in names},
        seconds,
        emotions,
        has_emotions,
    )


def _same_place(candidates: Sequence[Sized]) -> Iterator[tuple[int, int]]:
    """Pairs of lines with the same session, and with the same dialog: parts must not share these."""
    last: dict[tuple[str, str], int] = {}
    for each in candidates:
        for kind in ("session", "dialog"):
            name = getattr(each.entry, kind)
            if name is not None:
                if (kind, name) in last:
                    yield last[kind, name], each.entry.line
                last[kind, name] = each.entry.line


def _session_numbers(entries: Sequence[Entry]) -> dict[str | None, int]:
    """Sessions as numbers: their own where all are whole numbers, or else from 1 in sorted order."""
    names = sorted({entry.session for entry in entries if entry.session is not None})
    if all(name.isdecimal() for name in names):
        return {name: int(name) for name in names}
    return {name: number for number, name in enumerate(names, 1)}


def _utterance(sized: Sized, emotions: EmotionInventory, has_times: bool) -> Utterance:
    entry = sized.entry
    utterance = Utterance(
        utt_id=entry.utt_id,
        speaker=entry.speaker,
        audio=entry.audio,
        text=entry.text,
        emotion=entry.emotion,
        start=sized.start if has_times else None,
        end=sized.end if has_times else None,
        num_samples=sized.num_samples,
    )
    if entry.intervals is None:
        return utterance
    segments = [EmotionSegment(interval.start, interval.end, interval.label) for interval in entry.intervals]
    timeline = EmotionTimeline.from_segments(segments, sized.seconds, emotions.neutral, where=entry.utt_id)
    return replace(utterance, emotion=entry.emotion or timeline.dominant(), emo_segments=timeline.segments)
