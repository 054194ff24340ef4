"""Kaldi-style data directories.

``wav.scp text utt2spk spk2utt utt2emo [segments] [emo_segments] [emo_words] [word_times] [utt2num_samples]
[untranscribed]``; all sorted by identifier in byte order, UTF-8. ``emo_segments`` holds one line an interval,
``<utt> <start> <end> <label>`` in seconds from the start of the utterance; where the file exists, one without a line
is neutral throughout.
``emo_words`` holds ``<utt> <first word> <last word> <label>``, and ``word_times`` one line for each word of the text,
``<utt> <start> <end> <word>``, in the form in which decoding writes it.
``untranscribed`` lists the utterances that have no transcript: their line in ``text`` is empty and means nothing, while
the empty line of any other says that no word was said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from espnet_ent.data.atomic import atomic_directory
from espnet_ent.data.recordings import recording_names
from espnet_ent.data.utterance import Utterance, WordSpan, WordTime
from espnet_ent.errors import DataError
from espnet_ent.timeline import EmotionSegment

T = TypeVar("T")
UNTRANSCRIBED = "untranscribed"


def read_lines(path: str | Path) -> list[str]:
    """The lines of a UTF-8 text file, without line ends.

    Raises:
        DataError: If the file is missing or is not UTF-8.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError("file is missing", where=path, next_step="rerun the stage that makes this directory")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError("not UTF-8", where=path, got=f"byte {error.start}") from None
    return text.removesuffix("\n").split("\n") if text else []


def read_table(path: str | Path) -> dict[str, str]:
    """A file of ``<id> <value>`` lines; the value may be empty.

    Raises:
        DataError: On an empty line or an identifier that occurs twice.
    """
    table: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), 1):
        key, _, value = line.partition(" ")
        if not key:
            raise DataError("line without an identifier", where=f"{path}:{number}", got=repr(line))
        if key in table:
            raise DataError("identifier occurs twice", where=f"{path}:{number}", got=key)
        table[key] = value.strip()
    return table


def read_emo_segments(path: str | Path) -> dict[str, tuple[EmotionSegment, ...]]:
    """``emo_segments`` by utterance.

    Raises:
        DataError: On a malformed line.
    """

    def parse(fields: Sequence[str]) -> EmotionSegment:
        return EmotionSegment(float(fields[0]), float(fields[1]), fields[2])

    return _read_groups(path, 3, parse, "<utt> <start s> <end s> <label>")


def read_emo_words(path: str | Path) -> dict[str, tuple[WordSpan, ...]]:
    """``emo_words`` by utterance.

    Raises:
        DataError: On a malformed line.
    """

    def parse(fields: Sequence[str]) -> WordSpan:
        return WordSpan(int(fields[0]), int(fields[1]), fields[2])

    return _read_groups(path, 3, parse, "<utt> <first word> <last word> <label>")


def read_word_times(path: str | Path) -> dict[str, tuple[WordTime, ...]]:
    """``word_times`` by utterance.

    Raises:
        DataError: On a malformed line.
    """

    def parse(fields: Sequence[str]) -> WordTime:
        return WordTime(float(fields[0]), float(fields[1]), fields[2])

    return _read_groups(path, 3, parse, "<utt> <start s> <end s> <word>")


def _read_groups(
    path: str | Path, width: int, parse: Callable[[Sequence[str]], T], expected: str
) -> dict[str, tuple[T, ...]]:
    groups: dict[str, list[T]] = defaultdict(list)
    for number, line in enumerate(read_lines(path), 1):
        fields = line.split()
        where = f"{path}:{number}"
        if len(fields) != width + 1:
            raise DataError("malformed line", where=where, expected=expected, got=repr(line))
        try:
            groups[fields[0]].append(parse(fields[1:]))
        except ValueError:
            raise DataError("not a number", where=where, expected=expected, got=repr(line)) from None
        except DataError as error:
            raise DataError(error.what, where=where, got=error.got) from None
    return {key: tuple(group) for key, group in groups.items()}


def read_data_dir(path: str | Path) -> list[Utterance]:
    """All utterances of a data directory, sorted by identifier.

    ``wav.scp`` and ``utt2spk`` are needed; other files are read where they exist. For a report of every defect at once
    use :func:`espnet_ent.data.validate.validate_data_dir`.

    Raises:
        DataError: If a file is missing or malformed, or lacks an utterance.
    """
    path = Path(path)
    if not path.is_dir():
        raise DataError("data directory is missing", where=path, next_step="rerun the stage that makes it")
    speakers = read_table(path / "utt2spk")
    audio = read_table(path / "wav.scp")
    segments = _read_optional(path / "segments", read_table)
    texts = _read_optional(path / "text", read_table)
    untranscribed = _read_optional(path / UNTRANSCRIBED, read_table) or {}
    emotions = _read_optional(path / "utt2emo", read_table)
    emo_segments = _read_optional(path / "emo_segments", read_emo_segments)
    emo_words = _read_optional(path / "emo_words", read_emo_words)
    word_times = _read_optional(path / "word_times", read_word_times)
    num_samples = _read_optional(path / "utt2num_samples", read_table)
    utterances = []
    for utt_id in sorted(speakers):
        recording, start, end = _source(path, utt_id, segments)
        utterances.append(
            Utterance(
                utt_id=utt_id,
                speaker=speakers[utt_id],
                audio=_entry(path / "wav.scp", audio, recording),
                text=None if texts is None or utt_id in untranscribed else _entry(path / "text", texts, utt_id),
                emotion=None if emotions is None else _entry(path / "utt2emo", emotions, utt_id),
                emo_segments=None if emo_segments is None else emo_segments.get(utt_id, ()),
                emo_words=None if emo_words is None else emo_words.get(utt_id, ()),
                word_times=None if word_times is None else word_times.get(utt_id, ()),
                start=start,
                end=end,
                num_samples=None if num_samples is None else _count(path / "utt2num_samples", num_samples, utt_id),
            )
        )
    return utterances


def _read_optional(path: Path, read: Callable[[Path], dict[str, T]]) -> dict[str, T] | None:
    return read(path) if path.is_file() else None


def _entry(path: Path, table: dict[str, str], key: str) -> str:
    if key not in table:
        raise DataError("identifier is missing", where=path, got=key, next_step="run ent_validate for a full list")
    return table[key]


def _count(path: Path, table: dict[str, str], key: str) -> int:
    value = _entry(path, table, key)
    if not value.isdecimal():
        raise DataError("not a number of samples", where=f"{path}: {key}", got=repr(value))
    return int(value)


def _source(path: Path, utt_id: str, segments: dict[str, str] | None) -> tuple[str, float | None, float | None]:
    """Recording, start and end of an utterance."""
    if segments is None:
        return utt_id, None, None
    return _segment(path / "segments", utt_id, _entry(path / "segments", segments, utt_id))


def _segment(path: Path, utt_id: str, text: str) -> tuple[str, float, float]:
    fields = text.split()
    try:
        recording, start, end = fields[0], float(fields[1]), float(fields[2])
        is_right = 0 <= start < end < float("inf")
    except (IndexError, ValueError):
        is_right = False
    if not is_right:
        raise DataError(
            "malformed line of utterance " + utt_id,
            where=path,
            expected="<utt> <recording> <start s> <end s>",
            got=" ".join(fields),
        )
    return recording, start, end


def read_segments(path: str | Path) -> dict[str, tuple[str, float, float]]:
    """``segments`` by utterance: recording, start and end in seconds.

    Raises:
        DataError: On a malformed line.
    """
    return {utt_id: _segment(Path(path), utt_id, text) for utt_id, text in read_table(path).items()}


def write_data_dir(path: str | Path, utterances: Iterable[Utterance]) -> None:
    """Write a data directory; it appears only when it is complete.

    Raises:
        DataError: If an identifier occurs twice, or some utterances lack a field that others have.
    """
    with atomic_directory(path) as root:
        write_tables(root, utterances)


def write_tables(directory: Path, utterances: Iterable[Utterance]) -> None:
    """Write the files of a data directory into an existing directory; raises as :func:`write_data_dir`."""
    utterances = sorted(utterances, key=lambda utterance: utterance.utt_id.encode())
    for utterance in utterances:
        for name in (utterance.utt_id, utterance.speaker):
            if len(name.split()) != 1 or name.strip() != name:
                raise DataError("a name is empty or holds white space", where=directory, got=repr(name))
    for previous, utterance in pairwise(utterances):
        if previous.utt_id == utterance.utt_id:
            raise DataError("utterance occurs twice", where=directory, got=utterance.utt_id)
    spk2utt: dict[str, list[str]] = defaultdict(list)
    for utterance in utterances:
        spk2utt[utterance.speaker].append(utterance.utt_id)
    _write(directory / "wav.scp", _audio_lines(directory, utterances))
    _write(directory / "utt2spk", [f"{u.utt_id} {u.speaker}" for u in utterances])
    _write(directory / "spk2utt", [f"{s} {' '.join(spk2utt[s])}" for s in sorted(spk2utt, key=str.encode)])
    _write(directory / "text", [f"{u.utt_id} {u.text or ''}".rstrip() for u in utterances])
    untranscribed = [u.utt_id for u in utterances if u.text is None]
    if untranscribed:
        _write(directory / UNTRANSCRIBED, untranscribed)
    if _all_have(directory, utterances, "emotion"):
        _write(directory / "utt2emo", [f"{u.utt_id} {u.emotion}" for u in utterances])
    if _all_have(directory, utterances, "num_samples"):
        _write(directory / "utt2num_samples", [f"{u.utt_id} {u.num_samples}" for u in utterances])
    if _all_have(directory, utterances, "emo_segments"):
        segments = [f"{u.utt_id} {_segment_text(s)}" for u in utterances for s in u.emo_segments or ()]
        _write(directory / "emo_segments", segments)
    if _all_have(directory, utterances, "emo_words"):
        spans = [f"{u.utt_id} {_span_text(s)}" for u in utterances for s in u.emo_words or ()]
        _write(directory / "emo_words", spans)
    if _all_have(directory, utterances, "word_times"):
        words = [(u.utt_id, word) for u in utterances for word in u.word_times or ()]
        lines = [f"{utt_id} {seconds_text(w.start)} {seconds_text(w.end)} {w.word}" for utt_id, w in words]
        _write(directory / "word_times", lines)


def _audio_lines(directory: Path, utterances: Sequence[Utterance]) -> list[str]:
    """Lines of wav.scp; utterances cut from recordings also give ``segments``."""
    if not _all_have(directory, utterances, "start"):
        return [f"{u.utt_id} {u.audio}" for u in utterances]
    names = recording_names(u.audio for u in utterances)
    _write(
        directory / "segments",
        [f"{u.utt_id} {names[u.audio]} {seconds_text(u.start)} {seconds_text(u.end)}" for u in utterances],
    )
    recordings = {name: audio for audio, name in names.items()}
    return [f"{recording} {recordings[recording]}" for recording in sorted(recordings, key=str.encode)]


def _all_have(directory: Path, utterances: Sequence[Utterance], name: str) -> bool:
    """Whether all utterances have a field; some with and some without is an error."""
    lacking = [u.utt_id for u in utterances if getattr(u, name) is None]
    if lacking and len(lacking) < len(utterances):
        raise DataError(f"some utterances have {name}, others not", where=directory, got=" ".join(lacking[:5]))
    return bool(utterances) and not lacking


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def write_one_line_forms(directory: Path, utterances: Sequence[Utterance]) -> None:
    """Write ``utt2emo_segments`` and ``utt2emo_words``, which ESPnet's loader reads as text, where these are known.

    One line an utterance: ``<utt> s e label s e label ...``, or ``<utt> none``.
    """
    if _all_have(directory, utterances, "emo_segments"):
        lines = [(u.utt_id, [_segment_text(s) for s in u.emo_segments or ()]) for u in utterances]
        _write(directory / "utt2emo_segments", [f"{i} {' '.join(spans) or 'none'}" for i, spans in lines])
    if _all_have(directory, utterances, "emo_words"):
        lines = [(u.utt_id, [_span_text(s) for s in u.emo_words or ()]) for u in utterances]
        _write(directory / "utt2emo_words", [f"{i} {' '.join(spans) or 'none'}" for i, spans in lines])


def _segment_text(segment: EmotionSegment) -> str:
    return f"{seconds_text(segment.start)} {seconds_text(segment.end)} {segment.label}"


def seconds_text(value: float) -> str:
    """Four decimals, or up to six where these are needed to tell the sample.

    >>> seconds_text(0.25), seconds_text(1 / 3)
    ('0.2500', '0.333333')
    """
    text = f"{value:.6f}"
    return text[:-2] + text[-2:].rstrip("0")


def _span_text(span: WordSpan) -> str:
    return f"{span.first} {span.last} {span.label}"
