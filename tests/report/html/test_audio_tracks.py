"""Sound and waveforms of a page."""

from __future__ import annotations

import base64
import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from espnet_ent.errors import ConfigError
from espnet_ent.report.html.audio_tracks import AudioOptions, AudioSource, AudioTracks, encoded, peaks_of
from espnet_ent.report.html.quantised import restored
from tests.report.html.sample import tone


def _sound(src: str) -> np.ndarray:
    head, _, body = src.partition(",")
    assert head == "data:audio/mpeg;base64"
    return soundfile.read(io.BytesIO(base64.b64decode(body)))[0]


def test_compressed_sound_keeps_time_with_the_waveform() -> None:
    """Encoders pad; a player that is told takes the padding off again."""
    samples = np.random.default_rng(0).standard_normal(24000).astype(np.float32) * 0.1
    samples = np.convolve(samples, np.ones(8) / 8, "same").astype(np.float32)  # MP3 drops the highest frequencies
    heard = _sound(encoded(samples))
    assert len(heard) == len(samples)
    shifts = np.correlate(heard[1000:23000], samples[2000:22000], "valid")
    assert int(shifts.argmax()) == 1000
    assert encoded(samples) == encoded(samples)


def test_peaks_are_the_largest_values_of_their_parts() -> None:
    samples = np.random.default_rng(1).standard_normal(4321).astype(np.float32)
    peaks = peaks_of(samples)
    edges = [i * len(samples) // len(peaks) for i in range(len(peaks) + 1)]
    assert len(peaks) == 27  # 100 a second
    assert list(peaks) == [np.abs(samples[a:b]).max() for a, b in pairwise(edges)]
    for short in (0, 1, 2):
        assert len(peaks_of(samples[:short])) == 1


def test_a_track_holds_peaks_and_sound(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1.0, sample_rate=44100), 44100)
    tracks = AudioTracks(AudioOptions())
    track = tracks.add(AudioSource(tmp_path / "a.wav"))
    assert len(_sound(track["src"])) == 16000
    assert track["loudest"] == pytest.approx(0.5, abs=0.01)
    peaks = restored(track["peaks"])
    assert peaks.max() == 1
    assert peaks[10] < peaks[50] < peaks[90]
    part = tracks.add(AudioSource(tmp_path / "a.wav", start=0.5, end=0.75))
    assert len(_sound(part["src"])) == 4000
    given = tracks.add(AudioSource(tone(0.5, sample_rate=8000), 8000))
    assert len(_sound(given["src"])) == 8000
    assert tracks.counts == {"embedded": 3}
    assert tracks.num_bytes == sum(len(one["src"]) for one in (track, part, given))


def test_the_budget_is_kept_and_what_has_no_place_still_has_a_waveform() -> None:
    tracks = AudioTracks(AudioOptions(megabytes=0.01))
    added = [tracks.add(AudioSource(tone(1.0))) for _ in range(4)]
    assert tracks.num_bytes <= 10_000
    assert [("src" in track) for track in added] == [True, True, False, False]
    assert all("peaks" in track for track in added)
    assert tracks.counts == {"embedded": 2, "over_budget": 2}


def test_links_lead_from_the_page_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "data: x").mkdir()
    path = tmp_path / "data: x" / "a#1.wav"
    soundfile.write(path, tone(0.5), 16000)
    tracks = AudioTracks(AudioOptions("link"), tmp_path / "exp")
    assert tracks.add(AudioSource(str(path)))["src"] == "../data%3A%20x/a%231.wav"
    assert "src" not in tracks.add(AudioSource(str(path), start=0.1, end=0.2))
    assert "src" not in tracks.add(AudioSource(tone(0.5)))
    assert tracks.counts == {"linked": 1, "not_a_file": 2}
    assert "src" not in AudioTracks(AudioOptions("none")).add(AudioSource(str(path)))


def test_what_cant_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    tracks = AudioTracks(AudioOptions())
    assert tracks.add(AudioSource(tmp_path / "none.wav")) == {"fault": "audio file is missing"}
    assert tracks.add(AudioSource(tmp_path / "text.wav")) == {"fault": "not an audio file"}
    assert tracks.counts == {"unreadable": 2}


def test_options_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"unknown kind of audio; expected embed \| link \| none; got 'mp3'"):
        AudioOptions("mp3")
    for megabytes in (-1.0, float("nan")):
        with pytest.raises(ConfigError, match="budget of audio out of range"):
            AudioOptions(megabytes=megabytes)
