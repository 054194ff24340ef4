"""The content of results.json, worked out by hand for four utterances."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from espnet_ent.data.provenance import write_provenance
from espnet_ent.errors import ScoringError
from espnet_ent.metrics.scoring import score_directories, to_json
from espnet_ent.report.terminal import summarise
from tests.metrics.oracles import write_lines, write_scored_pair


def _score(root: Path, **options: Any) -> dict[str, Any]:
    reference, hypothesis = root / "dump" / "test", root / "exp" / "ent" / "greedy" / "test"
    return score_directories(reference, hypothesis, root / "emotion_list", root / "train_utt2emo", **options)


@pytest.fixture
def results(tmp_path: Path) -> dict[str, Any]:
    write_scored_pair(tmp_path)
    return _score(tmp_path, checkpoint="exp/ent/valid.loss.ave.pth")


def test_recognition(results: dict[str, Any]) -> None:
    wer, cer = results["recognition"]["wer"], results["recognition"]["cer"]
    assert (wer["substitutions"], wer["deletions"], wer["insertions"]) == (1, 2, 1)
    assert wer["reference_length"] == 8
    assert wer["rate"] == 0.5
    # Speaker a: 3 errors of 5 words, speaker b: 1 of 3.
    assert wer["interval"] == pytest.approx([1 / 3, 3 / 5])
    assert cer["reference_length"] == 13 + 8 + 6 + 4
    assert cer["rate"] == pytest.approx((3 + 8 + 4) / 31)
    assert (
        results["recognition"]["num_empty_hypotheses"],
        results["recognition"]["num_empty_references"],
    ) == (
        1,
        0,
    )


def test_emotion(results: dict[str, Any]) -> None:
    emotion = results["emotion"]
    assert emotion["labels"] == ["hap", "ang", "sad", "neu"]
    assert emotion["confusion"] == [[0, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0], [0, 0, 0, 1]]
    assert emotion["num_reference"] == {"hap": 1, "ang": 2, "sad": 0, "neu": 1}
    assert emotion["num_hypothesis"] == {"hap": 0, "ang": 2, "sad": 0, "neu": 2}
    assert emotion["wa"] == 0.5
    assert emotion["ua"] == pytest.approx((0 + 0.5 + 1) / 3)
    assert emotion["macro_f1"] == pytest.approx((0 + 2 / 4 + 2 / 3) / 3)
    assert emotion["recall"]["ang"] == 0.5
    assert math.isnan(emotion["recall"]["sad"])
    # Speaker a: both right; speaker b: both wrong.
    assert emotion["ua_interval"] == [0.0, 1.0]
    majority = emotion["majority"]
    assert (majority["label"], majority["wa"], majority["ua"]) == ("neu", 0.25, pytest.approx(1 / 3))


def test_timelines_and_their_baselines(results: dict[str, Any]) -> None:
    # EDER by utterance a1, a2, b1, b2, and wrong seconds of the 6.22.
    expected = {
        "system": ([0.33 / 1.22, 0, 1, 0.5], 0.33 + 2 + 0.5),
        "all_neutral": ([0.71 / 1.22, 0, 0.5, 0.5], 0.71 + 1 + 0.5),
        "predicted_label": ([0.51 / 1.22, 0, 1, 0.5], 0.51 + 2 + 0.5),
        "gold_label_oracle": ([0.51 / 1.22, 0, 0.5, 0.5], 0.51 + 1 + 0.5),
    }
    assert results["eder"].keys() == expected.keys()
    for name, (rates, wrong) in expected.items():
        eder = results["eder"][name]
        assert eder["utterance_mean"]["eder"] == pytest.approx(sum(rates) / 4)
        assert eder["utterance_mean"]["interval"] == pytest.approx([sum(rates[:2]) / 2, sum(rates[2:]) / 2])
        assert eder["duration_weighted"]["eder"] == pytest.approx(wrong / 6.22)
        assert eder["duration_seconds"] == pytest.approx(6.22)
    system = results["eder"]["system"]["duration_weighted"]
    assert system["false_alarm"] == pytest.approx((0.12 + 1) / 6.22)
    assert system["missed_emotion"] == pytest.approx((0.21 + 0.5) / 6.22)
    assert system["confusion"] == pytest.approx(1 / 6.22)
    assert system["overlap"] == 0.0


def test_setting(results: dict[str, Any]) -> None:
    assert results["checkpoint"] == "valid.loss.ave.pth"
    assert (results["set"], results["num_utterances"], results["num_speakers"]) == ("test", 4, 2)
    assert results["bootstrap"] == {"unit": "speaker", "num_resamples": 1000, "level": 0.95, "seed": 0}


def test_without_segments_eder_is_left_out_with_the_reason(tmp_path: Path) -> None:
    reference, _ = write_scored_pair(tmp_path)
    (reference / "emo_segments").unlink()
    results = _score(tmp_path)
    assert results["eder"] is None
    assert results["eder_left_out"] == "the reference has no emo_segments"
    assert results["checkpoint"] is None


def test_a_text_that_the_utterance_head_was_given_is_told(tmp_path: Path) -> None:
    _, hypothesis = write_scored_pair(tmp_path)
    for made_from, told in (({"data": "a"}, None), ({"data": "a", "emotion_text": "b"}, True)):
        write_provenance(hypothesis, made_from)
        results = _score(tmp_path)
        assert results.get("emotion_text") is told
        assert ("ORACLE: the utterance head was given a text" in summarise(results)) is bool(told)


def test_perfect_hypothesis(tmp_path: Path) -> None:
    reference, hypothesis = write_scored_pair(tmp_path)
    for name in ("text", "utt2emo", "emo_segments"):
        (hypothesis / name).write_bytes((reference / name).read_bytes())
    results = _score(tmp_path)
    assert results["recognition"]["wer"]["rate"] == results["recognition"]["cer"]["rate"] == 0.0
    assert results["emotion"]["ua"] == results["emotion"]["macro_f1"] == 1.0
    assert results["eder"]["system"]["utterance_mean"]["eder"] == 0.0


def test_json_is_the_same_wherever_and_in_whatever_order_the_data_lies(tmp_path: Path) -> None:
    texts = []
    for root in (tmp_path / "here", tmp_path / "over there"):
        write_scored_pair(root)
        texts.append(to_json(_score(root)))
        assert str(tmp_path) not in texts[-1]
    for path in (tmp_path / "here" / "exp" / "ent" / "greedy" / "test").iterdir():
        write_lines(path, *reversed(path.read_text().splitlines()))
    texts.append(to_json(_score(tmp_path / "here")))
    assert texts[0] == texts[1] == texts[2]
    assert texts[0].endswith("}\n")


def test_json_rounds_and_has_no_nan() -> None:
    values = {"b": 1 / 3, "a": [math.nan, -1e-9, math.inf], "c": 3, "d": {"e": None}}
    assert json.loads(to_json(values)) == {"a": [None, 0.0, None], "b": 0.333333, "c": 3, "d": {"e": None}}
    assert list(json.loads(to_json(values))) == ["a", "b", "c", "d"]
    assert "-0.0" not in to_json(values)


def test_training_labels_must_be_there(tmp_path: Path) -> None:
    write_scored_pair(tmp_path)
    (tmp_path / "train_utt2emo").unlink()
    with pytest.raises(ScoringError, match="training labels are missing"):
        _score(tmp_path)


def test_what_nobody_has_transcribed_does_not_count_as_words(tmp_path: Path) -> None:
    reference, hypothesis = write_scored_pair(tmp_path)
    write_lines(reference / "text", "a1 OPEN THE DOOR", "a2 CLOSE IT", "b1", "b2")
    write_lines(reference / "untranscribed", "b1")
    lists = (tmp_path / "emotion_list", tmp_path / "train_utt2emo")
    results = score_directories(reference, hypothesis, *lists)
    wer = results["recognition"]["wer"]
    assert results["recognition"]["num_untranscribed"] == 1
    # a1: one substitution of three words, a2: two deletions of two, b2: one insertion where nothing was said.
    assert (wer["substitutions"], wer["deletions"], wer["insertions"], wer["reference_length"]) == (1, 2, 1, 5)
    assert results["num_utterances"] == 4
    assert sum(results["emotion"]["num_reference"].values()) == 4
    assert "WER leaves out 1 utterance without a transcript" in summarise(results)
    write_lines(reference / "untranscribed", "a1", "a2", "b1", "b2")
    results = score_directories(reference, hypothesis, *lists)
    assert results["recognition"]["wer"] is None
    assert "WER leaves out 4 utterances" in summarise(results)


def test_scores_of_speech_recognition_alone(tmp_path: Path) -> None:
    reference, hypothesis = write_scored_pair(tmp_path)
    for name in ("utt2emo", "utt2emo_posteriors", "emo_segments", "frame_posteriors.scp"):
        (hypothesis / name).unlink()
    results = score_directories(reference, hypothesis, tmp_path / "emotion_list", None)
    assert results["emotion"] is results["eder"] is None
    assert results["recognition"]["wer"]["reference_length"] == 8
    assert "emotion left out: the system gives no utt2emo" in summarise(results)
