"""Speed perturbation: names, lengths, pitch, and the times of emotions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from espnet_ent.data.audio import read_audio
from espnet_ent.data.datadir import read_data_dir, write_data_dir
from espnet_ent.data.perturbing import perturb_data_dir, perturb_speed
from espnet_ent.data.utterance import Utterance
from espnet_ent.data.validate import validate_data_dir
from espnet_ent.errors import AudioError, ConfigError
from tests.data.dirs import make_data_dir, read_tree


def peak_frequency(samples: np.ndarray, rate: int = 16000) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * rate / len(samples)


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.1, 2.0, 0.5])
def test_duration_and_pitch_change_by_the_factor(factor: float) -> None:
    samples = np.sin(2 * np.pi * 500 * np.arange(16000) / 16000).astype(np.float32)
    faster = perturb_speed(samples, factor, 16000)
    assert faster.dtype == np.float32
    assert abs(len(faster) - 16000 / factor) <= 1
    assert peak_frequency(faster) == pytest.approx(500 * factor, abs=2)


def test_against_sampling_a_known_signal_at_other_instants() -> None:
    def signal(seconds: np.ndarray) -> np.ndarray:
        return 0.5 * np.sin(2 * np.pi * 300 * seconds) + 0.3 * np.sin(2 * np.pi * 711 * seconds + 1)

    samples = signal(np.arange(16000) / 16000).astype(np.float32)
    slower = perturb_speed(samples, 0.9, 16000)
    expected = signal(np.arange(len(slower)) * 0.9 / 16000)
    np.testing.assert_allclose(slower[500:-500], expected[500:-500], atol=1e-3)


def test_names_speakers_and_times(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path)
    original = {u.utt_id: u for u in read_data_dir(data)}
    assert perturb_data_dir(data, tmp_path / "sp", [0.9, 1.0, 1.1], nj=2)
    perturbed = {u.utt_id: u for u in read_data_dir(tmp_path / "sp")}
    assert set(perturbed) == {f"{prefix}{i}" for i in original for prefix in ("sp0.9-", "", "sp1.1-")}
    for utt_id, utterance in original.items():
        assert perturbed[utt_id] == utterance
        for factor in (0.9, 1.1):
            copy = perturbed[f"sp{factor}-{utt_id}"]
            assert copy.speaker == f"sp{factor}-{utterance.speaker}"
            assert (copy.text, copy.emotion, copy.emo_words) == (utterance.text, utterance.emotion, utterance.emo_words)
            assert copy.num_samples == len(read_audio(copy.audio, 16000))
            assert abs(copy.num_samples - utterance.num_samples / factor) <= 1
            times = [(s.start, s.end, s.label) for s in copy.emo_segments]
            assert times == [
                (round(s.start / factor, 6), round(s.end / factor, 6), s.label) for s in utterance.emo_segments
            ]
    assert validate_data_dir(tmp_path / "sp") == [
        defect for defect in validate_data_dir(tmp_path / "sp") if defect.warning
    ]


def test_words_are_carried_along(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path, words=True)
    original = {u.utt_id: u for u in read_data_dir(data)}
    perturb_data_dir(data, tmp_path / "sp", [1.0, 1.1])
    for utterance in read_data_dir(tmp_path / "sp"):
        factor = 1.1 if utterance.utt_id.startswith("sp1.1-") else 1.0
        words = original[utterance.utt_id.removeprefix("sp1.1-")].word_times
        assert [(w.start, w.end, w.word) for w in utterance.word_times] == [
            (round(w.start / factor, 6), round(w.end / factor, 6), w.word) for w in words
        ]
    assert [str(d) for d in validate_data_dir(tmp_path / "sp") if not d.warning] == []


def test_an_emotion_to_the_end_stays_inside(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path)
    (data / "emo_segments").write_text("s0-u0 0.0000 0.5000 ang\n")
    perturb_data_dir(data, tmp_path / "sp", [0.9, 1.1])
    assert [str(d) for d in validate_data_dir(tmp_path / "sp") if not d.warning] == []


def test_the_number_of_jobs_changes_no_byte_and_a_finished_stage_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = make_data_dir(Path())
    trees = []
    for nj in (1, 3):
        perturb_data_dir(data, f"sp{nj}", [0.9], nj=nj)
        trees.append(read_tree(Path(f"sp{nj}")))
    assert trees[0].pop("wav.scp").replace(b"sp1/", b"sp3/") == trees[1].pop("wav.scp")
    assert trees[0] == trees[1]
    assert not perturb_data_dir(data, "sp1", [0.9])
    assert perturb_data_dir(data, "sp1", [1.1])


@pytest.mark.parametrize("factors", [[], [0.9, 0.9], [0.1], [3.0], [float("nan")]])
def test_impossible_factors(tmp_path: Path, factors: list[float]) -> None:
    with pytest.raises(ConfigError, match="speed factors"):
        perturb_data_dir(make_data_dir(tmp_path), tmp_path / "sp", factors)


def test_another_rate_is_an_error_or_converted(tmp_path: Path) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(44100) / 44100)
    soundfile.write(tmp_path / "a.wav", 0.3 * tone, 44100)
    write_data_dir(tmp_path / "data", [Utterance("a", "s", str(tmp_path / "a.wav"), "LA", "hap")])
    with pytest.raises(AudioError, match="wrong sample rate; expected 16000 Hz; got 44100 Hz"):
        perturb_data_dir(tmp_path / "data", tmp_path / "sp", [0.9])
    assert perturb_data_dir(tmp_path / "data", tmp_path / "sp", [0.9], resample=True)
    (copy,) = read_data_dir(tmp_path / "sp")
    samples = read_audio(copy.audio, 16000)
    assert len(samples) == pytest.approx(16000 / 0.9, abs=2)
    assert peak_frequency(samples) == pytest.approx(0.9 * 440, abs=2)
