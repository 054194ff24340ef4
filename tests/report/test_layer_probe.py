"""Probes of layers: with an encoder of two layers, one of which says nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from matplotlib.image import imread

from espnet_ent.bin.ent_layers import main
from espnet_ent.data.datadir import write_data_dir
from espnet_ent.data.utterance import Utterance
from espnet_ent.errors import DataError, ScoringError
from espnet_ent.frames import FrameGrid
from espnet_ent.labels import FOUR_EMOTIONS
from espnet_ent.plugin.builder import build_model
from espnet_ent.report.layer_probe import probe_layers
from espnet_ent.report.layer_report import _figure, layer_blocks, write_layers
from espnet_ent.timeline import EmotionSegment
from tests.plugin.tiny import tiny_config

RATE, GRID = 16000, FrameGrid(16000, 800)
NAMES = FOUR_EMOTIONS.names


class TwoLayers:
    """The loudness of frames tells their emotion in layer 7, and nothing in layer 4."""

    numbers = (4, 7)
    grid = GRID

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        frames = samples[: len(samples) // 800 * 800].reshape(-1, 800)
        steps = np.abs(frames).mean(axis=1, keepdims=True) / 0.1 - 1
        rng = np.random.default_rng(int(1e6 * np.abs(samples).sum()))
        told = np.abs(steps - np.arange(4)) + 0.1 * rng.standard_normal((len(frames), 4))
        return np.stack([rng.standard_normal(told.shape), told]).astype(np.float32)


class Weights:
    """Tells how much was heard."""

    num_heard = 0

    def hear(self, samples: np.ndarray) -> None:
        self.num_heard += 1

    def told(self) -> dict[str, dict[int, float]]:
        return {"encoder.mix": {4: 0.25, 7: 0.75}, "head (attention)": {7: self.num_heard / 24}}


def make_set(root: Path, name: str, speakers: str, timelines: bool = True, num: int = 24) -> Path:
    """Utterances of a second: neutral in the first half, unless neutral throughout."""
    (root / "audio").mkdir(parents=True, exist_ok=True)
    utterances = []
    for number in range(num):
        label = number % 4
        levels = np.full(RATE, 0.1 * (1 + label))
        levels[: RATE // 2] = 0.1 * (1 + FOUR_EMOTIONS.neutral_index)
        path = root / "audio" / f"{name}{number:02d}.wav"
        levels += 0.01 * np.random.default_rng([number, *name.encode()]).standard_normal(RATE)
        soundfile.write(path, levels, RATE, subtype="PCM_16")
        segments = () if NAMES[label] == "neu" else (EmotionSegment(0.5, 1.0, NAMES[label]),)
        speaker = speakers[number % len(speakers)]
        utterances.append(Utterance(f"{speaker}{name}{number:02d}", speaker, str(path), "A", NAMES[label], segments))
    if not timelines:
        utterances = [replace(utterance, emo_segments=None) for utterance in utterances]
    write_data_dir(root / name, utterances)
    return root / name


@pytest.fixture
def sets(tmp_path: Path) -> dict[str, Path]:
    return {name: make_set(tmp_path, name, of) for name, of in (("train", "ab"), ("dev", "c"), ("test", "de"))}


def test_a_layer_that_tells_is_found_and_one_that_does_not_is_at_chance(sets):
    heard = []
    report = probe_layers(TwoLayers(), sets, FOUR_EMOTIONS, progress=lambda u, name: heard.append(name) or u)
    silent, telling = report.scores
    assert (silent.number, telling.number) == (4, 7)
    for pooling in ("mean", "mean_sd"):
        assert telling.ua[pooling] == 1.0
        assert telling.ua_interval[pooling] == (1.0, 1.0)
        assert silent.ua[pooling] < 0.6
    assert telling.eder < 0.05 < report.all_neutral < silent.eder
    assert report.all_neutral == pytest.approx(0.375)  # half of three quarters
    assert heard == ["train", "dev", "test"]
    assert report.num_utterances == {"train": 24, "dev": 24, "test": 24}
    assert (report.num_test_speakers, report.shared_speakers, report.frame_labels) == (2, (), "emo_segments")


def test_frames_of_training_take_the_emotion_of_their_utterance_where_there_are_no_segments(sets, tmp_path):
    sets["train"] = make_set(tmp_path, "weak", "ab", timelines=False)
    report = probe_layers(TwoLayers(), sets, FOUR_EMOTIONS)
    assert report.frame_labels == "utterance"
    # Frames that are emotional in name alone sound neutral, and there are more of them that are.
    assert report.scores[1].eder < 0.05 < report.scores[0].eder
    assert "Frame probes learned the emotions of their utterance" in str(layer_blocks(report, "x"))


def test_without_timelines_in_the_test_set_there_is_no_eder(sets, tmp_path):
    sets["test"] = make_set(tmp_path, "plain", "de", timelines=False)
    report = probe_layers(TwoLayers(), sets, FOUR_EMOTIONS)
    assert (report.frame_labels, report.all_neutral) == (None, None)
    assert {score.eder for score in report.scores} == {None}
    assert set(report.scores[0].strengths) == {"mean", "mean_sd"}
    assert "EDER" not in str(layer_blocks(report, "x"))
    assert len(_figure(report, "x").axes) == 1


def test_short_utterances_are_lengthened_and_one_speaker_has_no_interval(sets, tmp_path):
    short = make_set(tmp_path, "short", "d", timelines=False, num=8)
    for path in (tmp_path / "audio").glob("short*.wav"):
        soundfile.write(path, np.full(800, 0.1), RATE, subtype="PCM_16")
    report = probe_layers(TwoLayers(), {**sets, "test": short}, FOUR_EMOTIONS)
    assert report.scores[0].ua_interval["mean"] is None


def test_shared_speakers_are_told(sets, tmp_path):
    sets["test"] = make_set(tmp_path, "near", "ax")
    report = probe_layers(TwoLayers(), sets, FOUR_EMOTIONS)
    assert report.shared_speakers == ("a",)
    assert "Not speaker-independent: 1 speaker of" in str(layer_blocks(report, "x"))


def test_sets_without_emotions_are_refused(sets):
    (sets["dev"] / "utt2emo").unlink()
    with pytest.raises(DataError, match="no utt2emo"):
        probe_layers(TwoLayers(), sets, FOUR_EMOTIONS)


def test_files_tell_the_scores_and_are_left_alone(sets, tmp_path):
    report = probe_layers(TwoLayers(), sets, FOUR_EMOTIONS, Weights())
    write_layers(tmp_path / "out", report, "ent_x", ["digest"])
    names = ("layers.json", "layers.md", "layers.png")
    before = {name: (tmp_path / "out" / name).stat().st_ino for name in names}
    write_layers(tmp_path / "out", report, "ent_x", ["digest"])
    assert {name: (tmp_path / "out" / name).stat().st_ino for name in names} == before
    written = json.loads((tmp_path / "out" / "layers.json").read_text())
    assert [score["ua"]["mean"] for score in written["scores"]] == [
        round(score.ua["mean"], 6) for score in report.scores
    ]
    assert written["mixes"] == {"encoder.mix": {"4": 0.25, "7": 0.75}, "head (attention)": {"7": 1.0}}
    text = (tmp_path / "out" / "layers.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    assert rows[0][0] == "layer"
    assert [row[0] for row in rows[2:]] == ["4", "7"]
    assert [row[-2:] for row in rows[2:]] == [["25.00", "-"], ["75.00", "100.00"]]
    assert rows[3][1].startswith("100.00 [100.0, 100.0]")
    assert "Weights of an attention are means" in text
    assert imread(tmp_path / "out" / "layers.png").shape[0] > 600
    upper, middle, lower = _figure(report, "x").axes
    np.testing.assert_allclose(upper.lines[0].get_xydata()[1], [7, 100.0])
    np.testing.assert_allclose(middle.lines[0].get_ydata(), [100 * score.eder for score in report.scores])
    assert [bar.get_height() for bar in lower.containers[0]] == pytest.approx([25.0, 75.0])


def test_the_command_probes_a_trained_model_once(sets, tmp_path, capsys):
    experiment = tmp_path / "exp"
    experiment.mkdir()
    torch.manual_seed(1)
    config = tiny_config(model_conf={"emotion_layer_mix": True}, transducer="factorized_transducer")
    torch.save(build_model(config).state_dict(), experiment / "valid.loss.ave.pth")
    (experiment / "config.yaml").write_text(yaml.safe_dump(config))
    options = ["--exp", str(experiment), *(word for name in sets for word in (f"--{name}", str(sets[name])))]
    main(options)
    assert "weight in encoder.emotion_mix" in capsys.readouterr().out
    out = experiment / "layers" / "test"
    written = json.loads((out / "layers.json").read_text())
    assert [score["number"] for score in written["scores"]] == [1, 2]
    assert written["mixes"] == {"encoder.emotion_mix": {"1": 0.5, "2": 0.5}}
    before = (out / "layers.json").stat().st_mtime_ns
    main(options)
    assert "is there already" in capsys.readouterr().out
    assert (out / "layers.json").stat().st_mtime_ns == before
    for damaged in (b"{", b"[1]", b"[" * 100_000, b"\xff"):
        (out / "layers.json").write_bytes(damaged)
        with pytest.raises(ScoringError, match=r"layers\.json: file is damaged; .*next: remove .*layers\.json$"):
            main(options)
