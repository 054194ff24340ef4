import numpy as np
import pytest
import soundfile
import torch
import yaml

from espnet_ent.data.audio import read_audio
from espnet_ent.data.provenance import digest_files
from espnet_ent.data.recording import Recording
from espnet_ent.errors import AudioError, CheckpointError, ConfigError
from espnet_ent.inference import EmotionTranscriber, InferenceConfig
from espnet_ent.metrics.calibration import Calibration, scale
from espnet_ent.plugin.builder import build_model
from espnet_ent.transducer.states import EncoderStates, PredictionStates
from tests.plugin.tiny import tiny_config


@pytest.fixture(scope="module", params=["transducer", "factorized_transducer"])
def experiment(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("exp")
    torch.manual_seed(1)
    config = tiny_config(transducer=request.param)
    model = build_model(config)
    torch.save(model.state_dict(), directory / "valid.loss.ave.pth")
    (directory / "config.yaml").write_text(yaml.safe_dump(config))
    return directory


@pytest.fixture(scope="module")
def transcriber(experiment):
    return EmotionTranscriber.from_pretrained(experiment)


def noise(num_samples, seed=0):
    return 0.1 * np.random.default_rng(seed).standard_normal(num_samples).astype(np.float32)


def test_frames_of_the_hypothesis_are_the_encoders_for_every_length(transcriber):
    for num_samples in (3200, 6400, 7777, 16000, 40001):
        transcript = transcriber.transcribe(noise(num_samples))
        states = transcriber.model.encoder(torch.zeros(1, num_samples), torch.tensor([num_samples]))
        assert len(transcript.frame_posteriors) == int(states.lengths[0])
        assert transcript.duration == pytest.approx(num_samples / 16000)


def test_posteriors_are_distributions_and_agree_with_the_labels(transcriber):
    transcript = transcriber.transcribe(noise(20000))
    names = transcriber.emotions.names
    np.testing.assert_allclose(transcript.posteriors.sum(), 1, rtol=1e-5)
    np.testing.assert_allclose(transcript.frame_posteriors.sum(axis=1), 1, rtol=1e-5)
    assert transcript.emotion == names[int(transcript.posteriors.argmax())]
    for frame, posteriors in enumerate(transcript.frame_posteriors):
        instant = transcriber.grid.frame_start(frame) + 1e-4
        assert transcript.timeline.label_at(instant) == names[int(posteriors.argmax())]


def test_emotions_of_the_lattice_are_distributions_near_those_of_the_path(transcriber, experiment):
    """The same text; frames differ where several alignments are likely."""
    soft = EmotionTranscriber.from_pretrained(experiment, config=InferenceConfig(emotion_path="lattice"))
    best, lattice = transcriber.transcribe(noise(30000, seed=2)), soft.transcribe(noise(30000, seed=2))
    assert best.text == lattice.text
    np.testing.assert_allclose(lattice.frame_posteriors.sum(axis=1), 1, rtol=1e-5)
    assert lattice.frame_posteriors.shape == best.frame_posteriors.shape
    difference = np.abs(lattice.frame_posteriors - best.frame_posteriors).max()
    assert 0 < difference < 0.2
    with pytest.raises(ConfigError, match=r"unknown emotion_path; expected best \| lattice; got 'soft'"):
        InferenceConfig(emotion_path="soft")


def test_words_make_up_the_text_and_their_times_are_in_order(transcriber):
    transcript = transcriber.transcribe(noise(30000, seed=2))
    assert transcript.text == " ".join(word.word for word in transcript.words)
    previous = 0.0
    for word in transcript.words:
        assert previous <= word.start <= word.end <= transcript.duration
        previous = word.start


def test_smoothing_acts_on_the_timeline_alone(transcriber, experiment):
    smooth = EmotionTranscriber.from_pretrained(experiment, config=InferenceConfig(smoothing="min_duration"))
    plain, found = transcriber.transcribe(noise(30000, seed=2)), smooth.transcribe(noise(30000, seed=2))
    np.testing.assert_array_equal(plain.frame_posteriors, found.frame_posteriors)
    assert plain.words == found.words
    assert len(found.timeline.segments) <= len(plain.timeline.segments)
    with pytest.raises(ConfigError, match="unknown smoothing"):
        InferenceConfig(smoothing="mean")


def test_words_have_a_confidence_and_the_emotion_of_their_frames(transcriber):
    transcript = transcriber.transcribe(noise(30000, seed=2))
    assert transcript.words
    for word in transcript.words:
        assert 0 < word.confidence <= 1
        first = round(word.start / transcriber.grid.frame_start(1))
        last = max(first + 1, round(word.end / transcriber.grid.frame_start(1)))
        mean = transcript.frame_posteriors[first:last].mean(axis=0)
        assert word.emotion == transcriber.emotions.names[int(mean.argmax())]
        assert word.emotion_probability == pytest.approx(float(mean.max()))


@pytest.mark.parametrize("num_samples", [1, 100, 1600])
def test_a_recording_of_next_to_nothing_gives_an_answer(transcriber, num_samples):
    transcript = transcriber.transcribe(noise(num_samples))
    assert transcript.timeline.duration == pytest.approx(num_samples / 16000)
    assert all(segment.end <= transcript.duration for segment in transcript.timeline.segments)


def test_the_same_recording_gives_the_same_answer(transcriber, experiment):
    again = EmotionTranscriber.from_pretrained(experiment)
    one, other = transcriber.transcribe(noise(16000)), again.transcribe(noise(16000))
    assert one.text == other.text
    np.testing.assert_array_equal(one.frame_posteriors, other.frame_posteriors)


def test_files_of_another_rate_are_resampled(transcriber, tmp_path):
    import soundfile

    soundfile.write(tmp_path / "a.wav", noise(44100), 44100)
    assert transcriber(tmp_path / "a.wav").duration == pytest.approx(1.0, abs=1e-3)


def test_telephone_speech_is_transcribed_with_a_warning(transcriber, tmp_path, caplog):
    import soundfile

    transcriber = EmotionTranscriber(transcriber.model)
    paths = [tmp_path / f"{rate}.wav" for rate in (8000, 11025, 16000)]
    for rate, path in zip((8000, 11025, 16000), paths, strict=True):
        soundfile.write(path, noise(rate), rate)
    for transcript in transcriber([*paths, (noise(8000), 8000)], batch_size=2):
        assert transcript.duration == pytest.approx(1.0, abs=1e-3)
    assert transcriber.low_rates == {8000: 2, 11025: 1}
    transcriber(paths[0])
    assert transcriber.low_rates == {8000: 3, 11025: 1}
    (warning,) = caplog.records
    assert warning.name == "espnet_ent.inference"
    assert warning.getMessage().startswith(
        "3 recordings have a lower sampling rate than the model's 16000 Hz (8000 Hz: 2, 11025 Hz: 1);"
    )


def test_the_recording_of_a_list_that_is_wrong_is_named(transcriber, tmp_path):
    with pytest.raises(AudioError, match=r"^recording 9 of the list: not a sample rate; expected a whole number of Hz"):
        transcriber([noise(4000)] * 9 + [(noise(4000), "16000")])
    with pytest.raises(AudioError, match=f"^{tmp_path}/none.wav: audio file is missing"):
        transcriber([noise(4000), tmp_path / "none.wav"])


@pytest.mark.parametrize(
    "samples",
    [np.zeros(8000, np.int16), np.zeros((8000, 2), np.float32), np.full(800, np.nan)],
)
def test_samples_of_another_kind_are_refused(transcriber, samples):
    with pytest.raises(AudioError):
        transcriber.transcribe(samples)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_device_that_is_not_there_is_one_line(experiment):
    with pytest.raises(ConfigError, match="no such GPU"):
        EmotionTranscriber.from_pretrained(experiment, device="cuda")


def test_a_missing_checkpoint_names_the_stage_to_rerun(experiment):
    with pytest.raises(CheckpointError, match="stage 11"):
        EmotionTranscriber.from_pretrained(experiment, "valid.wer.best.pth")


def test_what_a_model_was_not_taught_it_does_not_tell():
    speech = noise(20000)
    without_lattice = EmotionTranscriber(build_model(tiny_config(model_conf={"lattice_weight": 0}))).transcribe(speech)
    assert without_lattice.timeline is without_lattice.frame_posteriors is None
    assert without_lattice.emotion is not None
    without_head = EmotionTranscriber(build_model(tiny_config(model_conf={"utterance_weight": 0}))).transcribe(speech)
    assert without_head.emotion is without_head.posteriors is None
    assert without_head.timeline is not None
    silent = EmotionTranscriber(build_model(tiny_config(model_conf={"transducer_weight": 0}))).transcribe(speech)
    assert (silent.text, silent.words) == ("", ())
    assert len(silent.frame_posteriors) > 0


def test_temperatures_of_the_checkpoint_change_probabilities_and_no_label(transcriber, experiment, caplog):
    path, digest = experiment / "calibration.json", digest_files([experiment / "valid.loss.ave.pth"])
    speech = noise(30000, seed=2)
    raw = transcriber.transcribe(speech)
    try:
        Calibration(3.0, 0.5, 9, 9, "dev", digest).write(path)
        found = EmotionTranscriber.from_pretrained(experiment).transcribe(speech)
        unscaled = EmotionTranscriber.from_pretrained(experiment, calibration=False).transcribe(speech)
        assert not caplog.records
        Calibration(3.0, 0.5, 9, 9, "dev", "another").write(path)
        ignored = EmotionTranscriber.from_pretrained(experiment).transcribe(speech)
    finally:
        path.unlink()
    (warning,) = caplog.records
    assert "not the temperatures of valid.loss.ave.pth" in warning.getMessage()
    np.testing.assert_allclose(found.posteriors, scale(raw.posteriors, 3.0), rtol=1e-5)
    np.testing.assert_allclose(found.frame_posteriors, scale(raw.frame_posteriors, 0.5), rtol=1e-5)
    assert found.posteriors.max() < raw.posteriors.max()
    assert (found.text, found.emotion, found.timeline) == (raw.text, raw.emotion, raw.timeline)
    for other in (unscaled, ignored):
        np.testing.assert_array_equal(other.posteriors, raw.posteriors)
        np.testing.assert_array_equal(other.frame_posteriors, raw.frame_posteriors)


def test_a_damaged_file_of_temperatures_is_one_line(experiment):
    path = experiment / "calibration.json"
    path.write_text("{}")
    try:
        with pytest.raises(CheckpointError, match="file is damaged"):
            EmotionTranscriber.from_pretrained(experiment)
    finally:
        path.unlink()


def test_a_missing_configuration_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match="configuration is missing"):
        EmotionTranscriber.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("max_symbols: 3", "max_symbols_per_frame"),
        ("- 1", "mapping"),
        ("a: [", "YAML"),
        ("max_symbols_per_frame: many", "whole number"),
    ],
)
def test_a_wrong_inference_configuration_is_one_line(tmp_path, text, named):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match=named):
        InferenceConfig.read(tmp_path / "c.yaml")


def test_the_package_gives_the_transcriber_lazily():
    import espnet_ent

    assert espnet_ent.EmotionTranscriber is EmotionTranscriber
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = espnet_ent.nothing_such


def test_what_holds_no_speech_gives_an_explicit_empty_transcript(transcriber):
    silent = transcriber.transcribe(np.full(16000, 5e-5, np.float32))
    assert (silent.text, silent.words, silent.remark) == ("", (), "silent")
    assert silent.duration == silent.timeline.duration == 1.0
    assert silent.emotion in transcriber.emotions.names
    empty = transcriber.transcribe(np.zeros(0, np.float32))
    assert (empty.text, empty.words, empty.remark) == ("", (), "empty")
    assert empty.duration == empty.timeline.duration == 0
    assert empty.emotion is empty.posteriors is None
    assert empty.frame_posteriors.shape == (0, len(transcriber.emotions))
    assert empty.to_dict()["timeline"] == empty.to_dict()["frame_posteriors"]["values"] == []
    assert transcriber.transcribe(noise(1000)).remark == "short"
    assert transcriber.transcribe(noise(16000)).remark is None


def test_silence_in_a_batch_does_not_change_the_others(transcriber):
    speech = noise(30000, seed=2)
    alone = transcriber.transcribe(speech)
    _, together, _ = transcriber.transcribe_batch([np.zeros(4000, np.float32), speech, np.zeros(0, np.float32)])
    assert together.text == alone.text
    np.testing.assert_allclose(together.frame_posteriors, alone.frame_posteriors, atol=1e-6)


class LocalEncoder(torch.nn.Module):
    """In place of an encoder: a frame depends on its own samples alone."""

    def __init__(self, grid, size):
        super().__init__()
        self.grid = grid
        torch.manual_seed(0)
        self.weights = 20 * torch.randn(grid.samples_per_frame, size)

    def forward(self, speech, lengths):
        frames = speech[:, : speech.size(1) // self.grid.samples_per_frame * self.grid.samples_per_frame]
        h = torch.tanh(frames.unflatten(1, (-1, self.grid.samples_per_frame)) @ self.weights)
        return EncoderStates(h, h, torch.full_like(lengths, h.size(1)))


@pytest.mark.parametrize("emotion_path", ["best", "lattice"])
def test_windows_of_a_long_recording_give_what_the_whole_gives(experiment, monkeypatch, emotion_path):
    """With an encoder that has no context, for the text, its alignment and the emotions of the best path."""
    speech = noise(640 * 170, seed=4)
    found = []
    for window_seconds in (60.0, 1.0):
        config = InferenceConfig(window_seconds=window_seconds, emotion_path=emotion_path)
        transcriber = EmotionTranscriber.from_pretrained(experiment, config=config)
        monkeypatch.setattr(transcriber.model, "encoder", LocalEncoder(transcriber.grid, 16))
        found.append(transcriber.transcribe(speech))
    whole, windows = found
    assert len(whole.words) > 1
    assert windows.text == whole.text
    assert windows.words[-1].end == pytest.approx(whole.words[-1].end)
    assert windows.frame_posteriors.shape == whole.frame_posteriors.shape
    # The lattices of windows end at their edges.
    tolerance = 1e-5 if emotion_path == "best" else 0.2
    np.testing.assert_allclose(windows.frame_posteriors, whole.frame_posteriors, atol=tolerance)
    assert [w.confidence for w in windows.words] == pytest.approx([w.confidence for w in whole.words], abs=1e-5)


def test_long_file_is_read_window_by_window(experiment, tmp_path, monkeypatch):
    import espnet_ent.data.recording as module

    speech = noise(16000 * 7, seed=4)
    soundfile.write(tmp_path / "long.wav", speech, 16000, subtype="FLOAT")
    config = InferenceConfig(window_seconds=2.0, context_seconds=0.5)
    transcriber = EmotionTranscriber.from_pretrained(experiment, config=config)
    expected = transcriber.transcribe(speech)
    lengths = []

    def recording_read(*args, **kwargs):
        samples = read_audio(*args, **kwargs)
        lengths.append(len(samples))
        return samples

    monkeypatch.setattr(module, "read_audio", recording_read)
    transcript = transcriber(tmp_path / "long.wav")
    assert len(lengths) == 4
    assert max(lengths) <= 16000 * 3
    assert transcript.text == expected.text
    np.testing.assert_allclose(transcript.frame_posteriors, expected.frame_posteriors, atol=1e-6)
    assert transcript.duration == 7.0


def test_beam_search_tells_several_texts_and_the_emotions_of_the_best(experiment):
    config = InferenceConfig(beam_size=4, nbest=3)
    transcriber = EmotionTranscriber.from_pretrained(experiment, config=config)
    transcript = transcriber.transcribe(noise(16000, seed=2))
    assert len(transcript.nbest) == 3
    assert transcript.nbest[0].text == transcript.text
    assert transcript.frame_posteriors.shape[1] == 4
    greedy = EmotionTranscriber.from_pretrained(experiment).transcribe(noise(16000, seed=2))
    assert greedy.nbest == ()
    assert greedy.frame_posteriors.shape == transcript.frame_posteriors.shape


class Spelling:
    """A language model that wants A after everything."""

    def score(self, prefixes, states):
        scores = torch.full((len(prefixes), 7), -20.0)
        scores[:, 3] = -1e-6
        return scores, [None] * len(prefixes)


def test_language_model_takes_part_in_a_beam_search(experiment):
    config = InferenceConfig(beam_size=4, lm_weight=2.0)
    transcriber = EmotionTranscriber.from_pretrained(experiment, config=config, lm=Spelling())
    assert set(transcriber.transcribe(noise(16000, seed=2)).text) <= {"A"}
    with pytest.raises(ConfigError, match="a language model needs a beam search"):
        EmotionTranscriber.from_pretrained(experiment, lm=Spelling())


def test_time_is_told_by_part(experiment):
    transcriber = EmotionTranscriber.from_pretrained(experiment)
    transcriber.transcribe(noise(16000))
    assert set(transcriber.seconds) == {"reading", "encoding", "search", "emotions"}
    assert all(seconds >= 0 for seconds in transcriber.seconds.values())


@pytest.mark.parametrize("rest", [-635, -300, 5])
@pytest.mark.parametrize("beam_size", [1, 2])
def test_last_window_never_lacks_frames(experiment, rest, beam_size):
    config = InferenceConfig(window_seconds=1.0, context_seconds=0.5, beam_size=beam_size)
    transcriber = EmotionTranscriber.from_pretrained(experiment, config=config)
    samples = noise(101 * transcriber.grid.samples_per_frame + rest)
    states = transcriber.model.encoder(torch.from_numpy(samples).unsqueeze(0), torch.tensor([len(samples)]))
    assert len(transcriber.transcribe(samples).frame_posteriors) == int(states.lengths[0])


def test_long_recordings_and_silence_have_as_many_texts_as_asked_for(experiment):
    config = InferenceConfig(window_seconds=1.0, context_seconds=0.5, beam_size=3, nbest=3)
    transcriber = EmotionTranscriber.from_pretrained(experiment, config=config)
    for samples in (noise(40000), np.zeros(16000, np.float32)):
        transcript = transcriber.transcribe(samples)
        assert len(transcript.nbest) == 3
        assert transcript.nbest[0].text == transcript.text
        assert transcript.nbest[2].score == -np.inf


def test_device_that_is_not_there_is_one_line(experiment):
    with pytest.raises(ConfigError, match="unknown device"):
        EmotionTranscriber.from_pretrained(experiment, device="foo")
    with pytest.raises(ConfigError, match="no such GPU is usable here"):
        EmotionTranscriber.from_pretrained(experiment, device="cuda:99")


@pytest.mark.parametrize("rate", [44100, 48000])
def test_file_of_less_than_a_sample_is_empty(transcriber, tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", np.zeros(1, np.float32), rate)
    assert transcriber(tmp_path / "a.wav").remark == "empty"


def test_the_lattice_holds_the_path_s_emotions_and_every_node(transcriber):
    """The path's nodes are the frames of the transcript; every other node is computed by itself, without blocks."""
    samples = noise(30000, seed=2)
    lattice, transcript = transcriber.emotion_lattice(Recording.of_samples(samples)), transcriber.transcribe(samples)
    nodes = np.array(lattice.nodes)
    assert (lattice.grid, len(nodes)) == (transcriber.grid, len(transcript.frame_posteriors))
    path = lattice.probabilities[np.arange(len(nodes)), nodes]
    np.testing.assert_allclose(path, transcript.frame_posteriors, rtol=1e-4, atol=1e-6)
    model = transcriber.model
    with torch.no_grad():
        enc = model.encoder(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
        labels = torch.tensor([[model.tokens.index(token) for token in lattice.tokens]], dtype=torch.long)
        g = model.emotion_states(labels, torch.tensor([labels.size(1)]))
        h, g = model.transducer.emotion_inputs(enc, PredictionStates(g, g, torch.tensor([g.size(1)])))
        for frame, column in ((0, 0), (3, len(lattice.tokens)), (len(nodes) - 1, 0)):
            expected = model.emotion_joint.logits(h[0, [frame]], g[0, [column]])[0].softmax(-1)
            np.testing.assert_allclose(lattice.probabilities[frame, column], expected, rtol=1e-4, atol=1e-6)


def test_there_is_no_lattice_of_several_windows_or_without_the_branch(transcriber, experiment):
    short = EmotionTranscriber.from_pretrained(experiment, config=InferenceConfig(window_seconds=1.0))
    assert short.emotion_lattice(Recording.of_samples(noise(40000))) is None
    model = build_model(tiny_config(model_conf={"lattice_weight": 0.0}))
    assert EmotionTranscriber(model).emotion_lattice(Recording.of_samples(noise(8000))) is None
    frame_wise = build_model(tiny_config(emotion_joint_conf={"joint_size": 8, "frame_wise": True}))
    assert EmotionTranscriber(frame_wise).emotion_lattice(Recording.of_samples(noise(8000))) is None
