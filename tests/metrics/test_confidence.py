"""Temperatures of a development set and scores of confidence, from directories."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from espnet_ent.errors import CheckpointError, DataError, ScoringError
from espnet_ent.labels import EmotionInventory
from espnet_ent.metrics.calibration import fit_temperature
from espnet_ent.metrics.confidence import NOT_ASKED, fit_directories
from espnet_ent.metrics.labelled_posteriors import read_frames, read_utterances
from espnet_ent.metrics.scored_set import read_scored_set
from espnet_ent.metrics.scoring import score_directories
from espnet_ent.report.terminal import summarise
from tests.metrics.confident_pair import CHECKPOINT, DECODED_ORDER, UTTERANCES, write_confident_pair


def _score(root: Path, calibration: Path | None = None) -> dict[str, Any]:
    lists = (root / "emotion_list", root / "train_utt2emo")
    return score_directories(root / "dump/test", root / "exp/ent/greedy/test", *lists, calibration=calibration)


@pytest.fixture
def fitted(tmp_path: Path) -> Path:
    """Temperatures of the set itself."""
    path = tmp_path / "calibration.json"
    fit_directories(*write_confident_pair(tmp_path)).write(path)
    return path


def test_samples_are_labelled_in_the_order_of_the_decoding(tmp_path: Path) -> None:
    reference, hypothesis = write_confident_pair(tmp_path)
    scored = read_scored_set(reference, hypothesis, EmotionInventory.read(tmp_path / "emotion_list"))
    utterances, frames = read_utterances(scored, hypothesis), read_frames(scored, hypothesis)
    assert [DECODED_ORDER[label] for label in utterances.labels] == ["ang", "neu", "hap", "ang"]
    np.testing.assert_array_equal(utterances.probabilities, list(UTTERANCES.values()))
    # Centres at 0.05, 0.15, ...: a1 is ang on [0.39, 1.1) and ends at 1.22, before the centre of its 13th frame; b1 is
    # hap on [0, 1), b2 is ang on [0.5, 1).
    runs = (("neu", 4), ("ang", 7), ("neu", 1 + 20), ("hap", 10), ("neu", 10 + 5), ("ang", 5))
    expected = [label for label, length in runs for _ in range(length)]
    assert [DECODED_ORDER[label] for label in frames.labels] == expected
    np.testing.assert_allclose(frames.probabilities[12:32], [UTTERANCES["a2"]] * 20, rtol=1e-6)


def test_temperatures_are_those_of_the_samples(tmp_path: Path) -> None:
    reference, hypothesis = write_confident_pair(tmp_path, "dev")
    fitted = fit_directories(reference, hypothesis)
    assert (fitted.fitted_on, fitted.num_utterances, fitted.num_frames) == ("dev", 4, 62)
    assert fitted.checkpoint == CHECKPOINT
    labels = np.array([2, 0, 1, 2])
    assert fitted.utterance_temperature == fit_temperature(np.array(list(UTTERANCES.values())), labels)
    assert fitted.frame_temperature != fitted.utterance_temperature


def test_without_segments_there_is_no_temperature_of_frames(tmp_path: Path) -> None:
    reference, hypothesis = write_confident_pair(tmp_path)
    whole = fit_directories(reference, hypothesis)
    (reference / "emo_segments").unlink()
    assert fit_directories(reference, hypothesis) == replace(whole, frame_temperature=None, num_frames=0)


def test_confidence_improves_where_it_was_fitted(tmp_path: Path, fitted: Path) -> None:
    results = _score(tmp_path, fitted)
    calibration = results["calibration"]
    assert results["calibration_left_out"] is None
    assert calibration["fitted_on"] == "test"
    for unit, number in (("utterances", 4), ("frames", 62)):
        samples = calibration[unit]
        assert (samples["num_samples"], calibration[f"{unit}_left_out"]) == (number, None)
        assert samples["after"]["nll"] < samples["before"]["nll"]
    # Tops 0.7 and 0.9 are right, 0.8 and 0.6 are wrong; each in a bin of its own.
    before = calibration["utterances"]["before"]
    assert before["ece"] == pytest.approx((0.3 + 0.1 + 0.8 + 0.6) / 4)
    assert sum(before["bins"]["count"]) == 4
    assert f"ECE of utterances 45.00 -> {100 * calibration['utterances']['after']['ece']:.2f}" in summarise(results)


def test_what_has_no_temperature_is_scored_raw(tmp_path: Path, fitted: Path) -> None:
    reference = tmp_path / "dump" / "test"
    segments = (reference / "emo_segments").read_bytes()
    (reference / "emo_segments").unlink()
    fit_directories(reference, tmp_path / "exp/ent/greedy/test").write(fitted)
    without = _score(tmp_path, fitted)["calibration"]
    assert (without["frames"], without["frames_left_out"]) == (None, "the reference has no emo_segments")
    (reference / "emo_segments").write_bytes(segments)
    results = _score(tmp_path, fitted)
    frames = results["calibration"]["frames"]
    assert frames["after"] is frames["temperature"] is None
    assert frames["before"]["ece"] > 0
    assert "(no temperature)" in summarise(results)


def test_reasons_why_confidence_is_not_scored(tmp_path: Path, fitted: Path) -> None:
    results = _score(tmp_path)
    assert (results["calibration"], results["calibration_left_out"]) == (None, NOT_ASKED)
    assert "confidence" not in summarise(results)
    hypothesis = tmp_path / "exp/ent/greedy/test"
    (hypothesis / "made_from.json").write_text('{"checkpoint": "another"}')
    results = _score(tmp_path, fitted)
    assert results["calibration"] is None
    assert "confidence left out: the temperatures are those of another checkpoint" in summarise(results)
    for name in ("utt2emo", "utt2emo_posteriors", "emo_segments", "frame_posteriors.scp"):
        (hypothesis / name).unlink()
    assert _score(tmp_path, fitted)["calibration_left_out"] == "the system gives no utt2emo"


def test_what_is_wrong_is_one_line(tmp_path: Path, fitted: Path) -> None:
    hypothesis = tmp_path / "exp/ent/greedy/test"
    with pytest.raises(CheckpointError, match="temperatures are missing"):
        _score(tmp_path, tmp_path / "nowhere")
    lines = (hypothesis / "utt2emo_posteriors").read_text().splitlines()
    (hypothesis / "utt2emo_posteriors").write_text("\n".join(lines[1:]) + "\n")
    with pytest.raises(ScoringError, match=r"utt2emo_posteriors: .* 1 missing \(a1\)"):
        _score(tmp_path, fitted)
    write_confident_pair(tmp_path)
    (hypothesis / "frame_grid").unlink()
    with pytest.raises(DataError, match=r"frame_grid: file is missing; next: rerun stage 12"):
        _score(tmp_path, fitted)
    (hypothesis / "made_from.json").write_text("{}")
    with pytest.raises(ScoringError, match=r"made_from.json: the checkpoint is not told; next: rerun stage 12"):
        _score(tmp_path, fitted)
