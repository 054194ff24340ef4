"""Reading what is to be scored, and every way in which the two sides may not fit."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from espnet_ent.errors import DataError, LabelError, ScoringError
from espnet_ent.labels import FOUR_EMOTIONS, EmotionInventory
from espnet_ent.metrics.scored_set import ScoredSet, read_scored_set
from espnet_ent.metrics.scored_words import ScoredWords
from espnet_ent.metrics.scoring import score_set
from espnet_ent.metrics.set_counts import count_set
from espnet_ent.report.terminal import summarise
from tests.metrics.oracles import write_lines, write_scored_pair


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return write_scored_pair(tmp_path)


def _read(pair: tuple[Path, Path]) -> ScoredSet:
    return read_scored_set(*pair, EmotionInventory.read(pair[0].parents[1] / "emotion_list"))


def test_reads_both_sides(pair: tuple[Path, Path]) -> None:
    scored = _read(pair)
    assert (scored.name, scored.utterances) == ("test", ("a1", "a2", "b1", "b2"))
    assert scored.hypothesis.text["a2"] == ""
    assert scored.reference.emotion["b1"] == "hap"
    assert [segment.label for segment in scored.reference.timeline["b1"].segments] == ["hap"]
    assert scored.reference.timeline["a2"].segments == ()
    assert scored.no_timelines is None


def test_a_reference_without_segments_needs_no_durations(pair: tuple[Path, Path]) -> None:
    (pair[0] / "emo_segments").unlink()
    (pair[1] / "utt2duration").unlink()
    scored = _read(pair)
    assert scored.no_timelines == "the reference has no emo_segments"
    assert scored.durations is scored.reference.timeline is scored.hypothesis.timeline is None


@pytest.mark.parametrize("name", ["text", "utt2emo", "utt2duration"])
def test_missing_and_extra_ids_are_named(pair: tuple[Path, Path], name: str) -> None:
    value = {"text": "GO", "utt2emo": "neu", "utt2duration": "1.0"}[name]
    write_lines(pair[1] / name, f"a1 {value}", f"zz {value}")
    with pytest.raises(ScoringError, match=re.escape("3 missing (a2 b1 b2), 1 extra (zz)")) as caught:
        _read(pair)
    assert str(caught.value).startswith(str(pair[1] / name))
    assert "rerun stage 12" in str(caught.value)


@pytest.mark.parametrize("side", [0, 1])
def test_segments_of_an_unknown_utterance_are_refused(pair: tuple[Path, Path], side: int) -> None:
    write_lines(pair[side] / "emo_segments", "a1 0 1 ang", "zz 0 1 ang")
    with pytest.raises(ScoringError, match=re.escape("emo_segments: ") + ".*" + re.escape("1 extra (zz)")):
        _read(pair)


@pytest.mark.parametrize("name", ["utt2emo", "utt2spk"])
def test_the_reference_itself_must_be_complete(pair: tuple[Path, Path], name: str) -> None:
    write_lines(pair[0] / name, "a1 neu")
    with pytest.raises(ScoringError, match=re.escape("3 missing (a2 b1 b2)")):
        _read(pair)


def test_at_most_five_ids_are_named(pair: tuple[Path, Path]) -> None:
    write_lines(
        pair[1] / "text",
        *(f"{utt} GO" for utt in ["a1", "a2", "b1", "b2", "c1", "c2", "c3", "c4", "c5", "c6", "c7"]),
    )
    with pytest.raises(ScoringError, match=re.escape("7 extra (c1 c2 c3 c4 c5 ...)")):
        _read(pair)


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (
            lambda ref, hyp: write_lines(hyp / "utt2emo", "a1 joy", "a2 neu", "b1 neu", "b2 neu"),
            LabelError,
            "'joy'",
        ),
        (lambda ref, hyp: write_lines(ref / "emo_segments", "a1 0 1 joy"), LabelError, "'joy'"),
        (
            lambda ref, hyp: write_lines(ref / "emo_segments", "a1 0 1 ang", "a1 0.5 1 sad"),
            DataError,
            "overlap",
        ),
        (
            lambda ref, hyp: write_lines(hyp / "emo_segments", "a1 0 1 ang", "a1 0.5 1 sad"),
            DataError,
            "overlap",
        ),
        (lambda ref, hyp: write_lines(ref / "text"), ScoringError, "holds no utterance"),
        (lambda ref, hyp: (hyp / "text").rename(hyp / "word_times"), ScoringError, "file is missing"),
        (lambda ref, hyp: (hyp / "emo_segments").unlink(), ScoringError, "file is missing"),
        (lambda ref, hyp: hyp.rename(hyp.with_name("gone")), ScoringError, "directory is missing.*stage 12"),
        (
            lambda ref, hyp: ref.rename(ref.with_name("gone")),
            ScoringError,
            "directory is missing.*stages 1-4",
        ),
        (
            lambda ref, hyp: write_lines(hyp / "emotion_list", "ang emotion", "neu neutral"),
            ScoringError,
            "classes",
        ),
    ],
)
def test_faults_are_named(
    pair: tuple[Path, Path], spoil: Callable[[Path, Path], object], error: type, message: str
) -> None:
    spoil(*pair)
    with pytest.raises(error, match=message):
        _read(pair)


@pytest.mark.parametrize("value", ["long", "nan", "inf", "0", "-1", ""])
def test_durations_must_be_positive_numbers(pair: tuple[Path, Path], value: str) -> None:
    write_lines(pair[1] / "utt2duration", f"a1 {value}", "a2 2.0", "b1 2.0", "b2 1.0")
    with pytest.raises(ScoringError, match="utt2duration: a1: not a duration in seconds"):
        _read(pair)


def test_the_order_of_the_classes_in_decoding_does_not_matter(pair: tuple[Path, Path]) -> None:
    write_lines(pair[1] / "emotion_list", "neu neutral", "sad emotion", "ang emotion", "hap emotion")
    assert _read(pair).name == "test"


def test_speech_recognition_alone_is_scored_without_emotions(pair: tuple[Path, Path]) -> None:
    for name in ("utt2emo", "utt2emo_posteriors", "emo_segments", "frame_posteriors.scp"):
        (pair[1] / name).unlink()
    scored = _read(pair)
    assert scored.no_emotions == "the system gives no utt2emo"
    assert scored.no_timelines == "the system gives no emo_segments"
    assert scored.reference.emotion is scored.hypothesis.emotion is scored.hypothesis.timeline is None
    (pair[0] / "utt2emo").unlink()
    assert _read(pair).no_emotions == "the reference has no utt2emo"


def test_emotion_recognition_alone_is_scored_without_words(pair: tuple[Path, Path]) -> None:
    (pair[1] / "text").unlink()
    scored = _read(pair)
    assert scored.no_words == "the system gives no text"
    assert scored.hypothesis.text == {}
    results = score_set(scored, ScoredWords(left_out="none"), FOUR_EMOTIONS, None)
    assert results["recognition"]["wer"] is None
    assert results["recognition_left_out"] == scored.no_words
    assert results["emotion"] is not None
    assert count_set(scored, FOUR_EMOTIONS, None).kinds["words"] is False
    assert "WER left out: the system gives no text" in summarise({**results, "calibration": None})


@pytest.mark.parametrize("name", ["utt2emo", "emo_segments"])
def test_a_single_lost_file_of_the_system_is_a_fault(pair: tuple[Path, Path], name: str) -> None:
    (pair[1] / name).unlink()
    with pytest.raises(ScoringError, match=f"{name}: file is missing"):
        _read(pair)
