"""Mixing: what is joined with what, at which level, and where the emotions begin and end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.data.audio import read_audio, to_pcm16
from espnet_ent.data.datadir import read_data_dir, write_data_dir
from espnet_ent.data.mixing import MixingConfig, join_recordings, mix_data_dir, plan_mixtures
from espnet_ent.data.utterance import Utterance, WordSpan, WordTime
from espnet_ent.data.validate import validate_data_dir
from espnet_ent.errors import AudioError, ConfigError, DataError
from espnet_ent.labels import FOUR_EMOTIONS
from tests.data.dirs import read_tree

RATE = 16000


def utterance(number: int, emotion: str, speaker: str = "s1", text: str = "A B") -> Utterance:
    return Utterance(f"{speaker}-u{number:03d}", speaker, f"{number}.wav", text, emotion)


def speaker(name: str, num_emotional: int, num_neutral: int) -> list[Utterance]:
    labels = ["hap", "ang", "sad"]
    emotional = [utterance(i, labels[i % 3], name) for i in range(num_emotional)]
    return emotional + [utterance(100 + i, "neu", name) for i in range(num_neutral)]


@given(st.integers(1, 30), st.integers(1, 9), st.integers(1, 3), st.integers(0, 5))
def test_each_emotional_recording_once_a_copy_and_neutral_ones_in_turn(
    num_emotional: int, num_neutral: int, copies: int, seed: int
) -> None:
    utterances = speaker("s1", num_emotional, num_neutral)
    planned = plan_mixtures(utterances, FOUR_EMOTIONS, MixingConfig(seed=seed, copies=copies))
    emotional = Counter(part.utt_id for m in planned for part in m.parts if part.emotion != "neu")
    assert set(emotional.values()) == {copies}
    assert len(emotional) == num_emotional
    assert len({mixture.utt_id for mixture in planned}) == len(planned)
    patterns = Counter(mixture.pattern for mixture in planned)
    assert all(abs(patterns[name] - copies * num_emotional / 4) <= 3 * copies for name in ("neu_emo", "emo_neu", "emo"))
    for copy in range(1, copies + 1):
        used = Counter(p.utt_id for m in planned if m.utt_id.startswith(f"mix{copy}-") for p in m.parts)
        neutral = [used[u.utt_id] for u in utterances if u.emotion == "neu"]
        assert max(neutral) - min(neutral) <= 1
    for mixture in planned:
        of_parts = "_".join("neu" if part.emotion == "neu" else "emo" for part in mixture.parts)
        assert of_parts == mixture.pattern


def test_speakers_are_never_mixed_and_one_without_neutral_speech_is_left_alone() -> None:
    utterances = speaker("s1", 8, 2) + speaker("s2", 8, 3) + speaker("s3", 4, 0)
    planned = plan_mixtures(utterances, FOUR_EMOTIONS, MixingConfig())
    assert all(len({part.speaker for part in mixture.parts}) == 1 for mixture in planned)
    assert {m.pattern for m in planned if m.parts[0].speaker == "s3"} == {"emo"}
    assert {m.pattern for m in planned if m.parts[0].speaker == "s1"} == {"neu_emo", "emo_neu", "neu_emo_neu", "emo"}


def test_shares_hold_and_neutral_recordings_alone_come_on_top() -> None:
    config = MixingConfig(shares={"neu_emo": 3, "emo": 1, "neu": 0.25})
    patterns = Counter(m.pattern for m in plan_mixtures(speaker("s1", 40, 20), FOUR_EMOTIONS, config))
    assert patterns == {"neu_emo": 30, "emo": 10, "neu": 10}


def test_the_seed_decides_and_one_speaker_does_not_change_another() -> None:
    def plan(seed: int, *speakers: str) -> list[tuple[str, ...]]:
        utterances = [u for name in speakers for u in speaker(name, 8, 4)]
        planned = plan_mixtures(utterances, FOUR_EMOTIONS, MixingConfig(seed=seed))
        return [tuple(part.utt_id for part in m.parts) for m in planned if m.parts[0].speaker == "s1"]

    assert plan(1, "s1") == plan(1, "s1", "s2")
    assert plan(1, "s1") != plan(2, "s1")


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        (MixingConfig(shares={"neu_hap": 1}), "unknown mixing pattern"),
        (MixingConfig(shares={"emo": -1}), "out of range"),
        (MixingConfig(shares={"emo": float("nan")}), "out of range"),
        (MixingConfig(shares={"emo": 0, "neu": 1}), "no mixing pattern with an emotional part"),
        (MixingConfig(copies=0), "copies out of range"),
    ],
)
def test_wrong_options(config: MixingConfig, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        plan_mixtures(speaker("s1", 2, 2), FOUR_EMOTIONS, config)


def test_nothing_to_mix() -> None:
    with pytest.raises(DataError, match="no emotional recording"):
        plan_mixtures(speaker("s1", 0, 3), FOUR_EMOTIONS, MixingConfig())
    with pytest.raises(DataError, match="needs the emotion and the text"):
        plan_mixtures([Utterance("u1", "s1", "1.wav", None, "hap")], FOUR_EMOTIONS, MixingConfig())


def level(samples: np.ndarray) -> float:
    return 10 * float(np.log10(np.mean(np.square(samples, dtype=np.float64))))


def test_loudness_is_matched_at_the_mean_level_in_decibels() -> None:
    rng = np.random.default_rng(0)
    parts = [(gain * rng.standard_normal(4000)).astype(np.float32) for gain in (0.003, 0.03, 0.01)]
    joined = join_recordings(parts)
    assert joined.dtype == np.float32
    expected = np.mean([level(part) for part in parts])
    for start, part in zip((0, 4000, 8000), parts, strict=True):
        piece = joined[start : start + 4000]
        assert level(piece) == pytest.approx(expected, abs=1e-3)
        np.testing.assert_allclose(piece / np.abs(piece).max(), part / np.abs(part).max(), atol=1e-5)
    np.testing.assert_array_equal(join_recordings(parts, match_loudness=False), np.concatenate(parts))


def test_nothing_clips_silence_stays_and_one_recording_is_left_as_it_is() -> None:
    click = np.zeros(4000, np.float32)
    click[0] = 0.9
    loud = np.full(4000, 0.5, np.float32)
    joined = join_recordings([click, loud])
    assert np.abs(joined).max() == pytest.approx(0.99)
    silent = join_recordings([np.zeros(100, np.float32), loud])
    np.testing.assert_array_equal(silent, np.concatenate([np.zeros(100, np.float32), loud]))
    full_scale = np.ones(10, np.float32)
    assert join_recordings([full_scale]) is full_scale


def make_recordings(folder: Path, num_emotional: int = 6, num_neutral: int = 3, with_times: bool = False) -> Path:
    """A data directory of two speakers; recordings have lengths of their own and tell who they are."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    utterances = []
    for number, u in enumerate(speaker("s1", num_emotional, num_neutral) + speaker("s2", num_emotional, num_neutral)):
        samples = 0.05 * rng.standard_normal(1601 + 37 * number)
        path = folder / f"{u.utt_id}.wav"
        soundfile.write(path, to_pcm16(samples), RATE, subtype="PCM_16")
        words = ["WORD" + chr(65 + number)] * (1 + number % 3)
        times = tuple(WordTime(0.03 * i, 0.03 * i + 0.02, word) for i, word in enumerate(words))
        utterances.append(
            Utterance(
                u.utt_id,
                u.speaker,
                str(path),
                " ".join(words),
                u.emotion,
                word_times=times if with_times else None,
                num_samples=len(samples),
            )
        )
    write_data_dir(folder / "data", utterances)
    return folder / "data"


def test_boundaries_in_time_and_words_are_those_of_the_recordings(tmp_path: Path) -> None:
    data = make_recordings(tmp_path / "in")
    sources = {u.utt_id: u for u in read_data_dir(data)}
    made = mix_data_dir(data, tmp_path / "mix", FOUR_EMOTIONS, MixingConfig(match_loudness=False), nj=2)
    assert made is not None
    assert sum(made.values()) == 12
    listed = [line.split() for line in (tmp_path / "mix/mixtures").read_text().splitlines()]
    mixtures = {u.utt_id: u for u in read_data_dir(tmp_path / "mix")}
    assert {name for name, *_ in listed} == set(mixtures)
    for name, _, *names in listed:
        mixture, parts = mixtures[name], [sources[part] for part in names]
        recorded = [read_audio(part.audio, RATE) for part in parts]
        np.testing.assert_array_equal(read_audio(mixture.audio, RATE), np.concatenate(recorded))
        starts = np.cumsum([0, *(len(samples) for samples in recorded)])
        words = np.cumsum([0, *(len(part.text.split()) for part in parts)])
        (where,) = [i for i, part in enumerate(parts) if part.emotion != "neu"]
        (segment,) = mixture.emo_segments
        assert round(segment.start * RATE) == starts[where]
        assert round(segment.end * RATE) == starts[where + 1]
        assert segment.label == mixture.emotion == parts[where].emotion
        assert mixture.emo_words == (WordSpan(words[where], words[where + 1] - 1, segment.label),)
        assert mixture.text == " ".join(part.text for part in parts)
        assert mixture.num_samples == starts[-1]
    assert validate_data_dir(tmp_path / "mix") == []


def test_words_are_moved_by_what_comes_before_their_recording(tmp_path: Path) -> None:
    data = make_recordings(tmp_path / "in", with_times=True)
    sources = {u.utt_id: u for u in read_data_dir(data)}
    mix_data_dir(data, tmp_path / "mix", FOUR_EMOTIONS, MixingConfig(match_loudness=False))
    parts_of = {line.split()[0]: line.split()[2:] for line in (tmp_path / "mix/mixtures").read_text().splitlines()}
    for mixture in read_data_dir(tmp_path / "mix"):
        samples = read_audio(mixture.audio, RATE)
        words = [(name, word) for name in parts_of[mixture.utt_id] for word in sources[name].word_times]
        for moved, (name, word) in zip(mixture.word_times, words, strict=True):
            assert moved.word == word.word
            source = read_audio(sources[name].audio, RATE)
            said, expected = (
                heard[round(time.start * RATE) :][:300] for heard, time in ((samples, moved), (source, word))
            )
            np.testing.assert_array_equal(said, expected)
    assert validate_data_dir(tmp_path / "mix") == []


def test_a_rerun_changes_nothing_and_jobs_do_not_matter(tmp_path: Path) -> None:
    data = make_recordings(tmp_path / "in")
    for name, jobs in (("a", 1), ("b", 3)):
        (tmp_path / name).mkdir()
        assert mix_data_dir(data, tmp_path / name / "mix", FOUR_EMOTIONS, MixingConfig(), nj=jobs)
    a, b = (
        {path: content for path, content in read_tree(tmp_path / name).items() if not path.endswith("wav.scp")}
        for name in "ab"
    )
    assert a == b
    assert mix_data_dir(data, tmp_path / "a/mix", FOUR_EMOTIONS, MixingConfig()) is None
    assert mix_data_dir(data, tmp_path / "a/mix", FOUR_EMOTIONS, MixingConfig(seed=2)) is not None


def test_an_emotional_recording_without_words_has_no_span(tmp_path: Path) -> None:
    tmp_path.joinpath("in").mkdir()
    samples = to_pcm16(np.full(1600, 0.1))
    utterances = []
    for name, emotion, text in (("s1-a", "hap", ""), ("s1-b", "neu", "B")):
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE, subtype="PCM_16")
        utterances.append(Utterance(name, "s1", str(tmp_path / f"{name}.wav"), text, emotion, num_samples=1600))
    write_data_dir(tmp_path / "data", utterances)
    mix_data_dir(tmp_path / "data", tmp_path / "mix", FOUR_EMOTIONS, MixingConfig(shares={"neu_emo": 1}))
    (mixture,) = read_data_dir(tmp_path / "mix")
    assert (mixture.text, mixture.emo_words) == ("B", ())
    assert [(s.start, s.end, s.label) for s in mixture.emo_segments] == [(0.1, 0.2, "hap")]


def test_another_rate_is_an_error_or_converted_before_joining(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    utterances = []
    for name, emotion in (("a", "hap"), ("b", "neu")):
        soundfile.write(tmp_path / f"{name}.wav", 0.1 * rng.standard_normal(48000), 48000)
        utterances.append(Utterance(name, "s", str(tmp_path / f"{name}.wav"), "LA", emotion))
    write_data_dir(tmp_path / "data", utterances)
    config = MixingConfig(shares={"emo_neu": 1.0}, match_loudness=False)
    with pytest.raises(AudioError, match="wrong sample rate"):
        mix_data_dir(tmp_path / "data", tmp_path / "mix", FOUR_EMOTIONS, config)
    config = MixingConfig(shares={"emo_neu": 1.0}, match_loudness=False, resample=True)
    assert mix_data_dir(tmp_path / "data", tmp_path / "mix", FOUR_EMOTIONS, config)
    (mixture,) = read_data_dir(tmp_path / "mix")
    assert (mixture.num_samples, len(read_audio(mixture.audio, RATE))) == (2 * RATE, 2 * RATE)
    (segment,) = mixture.emo_segments
    assert (segment.start, segment.end) == (0.0, 1.0)
