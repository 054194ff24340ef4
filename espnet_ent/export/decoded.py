"""The directory of a decoded set, in Kaldi-style files.

``text`` · ``utt2emo`` · ``utt2emo_posteriors`` (probabilities in the order of ``emotion_list``) · ``emo_segments`` ·
``word_times`` (utterance, start, end, word) · ``word_emotions`` (utterance, start, end, word, confidence, emotion,
its probability) · ``utt2duration`` (seconds) · ``frame_posteriors.ark/.scp`` (float32 matrices, frames x emotions) ·
``frame_grid`` (``sample_rate`` and ``samples_per_frame`` of these frames) · ``emotion_list``. Probabilities are raw:
no temperature is applied. A model without an utterance head or an emotion lattice gives no such files, one that has
learned no words neither ``text`` nor files of words. Where several hypotheses were asked for, ``<n>best_recog/text``
and ``score`` hold the n-th, as in ESPnet: the score is a log probability (of all alignments, and of the weighted
language model), the order may be that of scores by length; a hypothesis that there is not is empty, with the score
-inf. ``remarks`` (utterance, ``empty | silent | short``) exists where there are such utterances.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import kaldiio

from espnet_ent.data.atomic import atomic_directory
from espnet_ent.data.provenance import write_provenance
from espnet_ent.data.transcript import EmotionTranscript, Word
from espnet_ent.export.posteriors import FRAME_GRID, frame_grid_text
from espnet_ent.frames import FrameGrid
from espnet_ent.labels import EmotionInventory

_OF_WORDS = ("text", "word_times")
ARK, SCP = "frame_posteriors.ark", "frame_posteriors.scp"


def write_decoded(
    directory: str | Path,
    transcripts: Iterable[tuple[str, EmotionTranscript]],
    emotions: EmotionInventory,
    made_from: Mapping[str, object],
    grid: FrameGrid | None = None,
    tells_words: bool = True,
) -> int:
    """Write the decoding of a set; the directory appears only when it is complete.

    Args:
        directory: Where to write; replaced if it exists.
        transcripts: (utterance, transcript), sorted by utterance.
        emotions: The emotions, in the order of all posteriors.
        made_from: What was decoded with what (see :mod:`espnet_ent.data.provenance`).
        grid: Time grid of the frames; None: not told.
        tells_words: The model has learned words.

    Returns:
        The number of utterances.
    """
    lines: dict[str, list[str]] = {name: [] for name in ("utt2duration", *(_OF_WORDS if tells_words else ()))}
    with atomic_directory(directory) as root:
        # The scp names the ark by its file name alone, so that the directory can be moved.
        with (root / ARK).open("wb") as ark:
            for utt_id, transcript in transcripts:
                for name, content in _lines(utt_id, transcript, tells_words):
                    lines.setdefault(name, []).extend(content)
                if transcript.frame_posteriors is not None:
                    offset = ark.tell() + len(f"{utt_id} ".encode())
                    lines.setdefault(SCP, []).append(f"{utt_id} {ARK}:{offset}")
                    kaldiio.save_ark(ark, {utt_id: transcript.frame_posteriors})
        if SCP not in lines:
            (root / ARK).unlink()
        for name, content in lines.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text("".join(line + "\n" for line in content), encoding="utf-8")
        if grid is not None:
            (root / FRAME_GRID).write_text(frame_grid_text(grid), encoding="utf-8")
        emotions.write(root / "emotion_list")
        write_provenance(root, made_from)
    return len(lines["utt2duration"])


def _lines(utt_id: str, transcript: EmotionTranscript, tells_words: bool) -> Iterable[tuple[str, list[str]]]:
    """Lines of an utterance by file; no file of what the model does not tell."""
    yield "utt2duration", [f"{utt_id} {transcript.duration:.6f}"]
    if tells_words:
        yield "text", [f"{utt_id} {transcript.text}".rstrip()]
        yield "word_times", [f"{utt_id} {word.start:.4f} {word.end:.4f} {word.word}" for word in transcript.words]
    if transcript.remark is not None:
        yield "remarks", [f"{utt_id} {transcript.remark}"]
    for number, alternative in enumerate(transcript.nbest, 1):
        yield f"{number}best_recog/text", [f"{utt_id} {alternative.text}".rstrip()]
        yield f"{number}best_recog/score", [f"{utt_id} {alternative.score:.6f}"]
    if transcript.emotion is not None and transcript.posteriors is not None:
        yield "utt2emo", [f"{utt_id} {transcript.emotion}"]
        yield "utt2emo_posteriors", [f"{utt_id} {' '.join(f'{p:.6f}' for p in transcript.posteriors)}"]
    if transcript.timeline is not None:
        if tells_words:
            yield "word_emotions", [f"{utt_id} {_of_word(word)}" for word in transcript.words]
        segments = transcript.timeline.segments
        yield "emo_segments", [f"{utt_id} {s.start:.4f} {s.end:.4f} {s.label}" for s in segments]


def _of_word(word: Word) -> str:
    given = f"{word.start:.4f} {word.end:.4f} {word.word} {word.confidence:.4f}"
    return f"{given} {word.emotion} {word.emotion_probability:.4f}"
