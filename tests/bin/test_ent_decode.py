import hashlib
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch
import yaml

from espnet_ent.bin.ent_decode import main
from espnet_ent.data.datadir import write_data_dir
from espnet_ent.data.provenance import digest_files
from espnet_ent.data.utterance import Utterance
from espnet_ent.errors import AudioError, CheckpointError, ConfigError, DataError
from espnet_ent.export.posteriors import read_frame_posteriors, read_utterance_posteriors
from espnet_ent.inference import EmotionTranscriber
from espnet_ent.metrics.calibration import Calibration
from espnet_ent.plugin.builder import build_model
from espnet_ent.plugin.language_model import build_language_model
from tests.plugin.tiny import tiny_config

RATE = 16000
LENGTHS = {"utt1": 8000, "utt2": 12345, "utt3": 700}


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    directory = tmp_path_factory.mktemp("exp")
    torch.manual_seed(1)
    model = build_model(tiny_config())
    torch.save(model.state_dict(), directory / "valid.loss.ave.pth")
    (directory / "config.yaml").write_text(yaml.safe_dump(tiny_config()))
    return directory


@pytest.fixture
def data(tmp_path):
    utterances = []
    for number, (name, length) in enumerate(LENGTHS.items()):
        path = tmp_path / f"{name}.wav"
        samples = 0.1 * np.random.default_rng(number).standard_normal(length)
        soundfile.write(path, samples, RATE, subtype="PCM_16")
        utterances.append(Utterance(name, "spk", str(path), text="A B", emotion="neu", num_samples=length))
    write_data_dir(tmp_path / "data", utterances)
    return tmp_path / "data"


def decode(experiment, data, out, *more):
    main(["--exp", str(experiment), "--data", str(data), "--out", str(out), *more])


def digests(directory):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(directory.iterdir())}


def test_every_utterance_is_answered_even_one_shorter_than_a_frame(experiment, data, tmp_path):
    decode(experiment, data, tmp_path / "out")
    for name in ("text", "utt2emo", "utt2emo_posteriors", "utt2duration"):
        ids = [line.split()[0] for line in (tmp_path / "out" / name).read_text().splitlines()]
        assert ids == list(LENGTHS)


def test_the_result_does_not_depend_on_the_number_of_jobs(experiment, data, tmp_path):
    decode(experiment, data, tmp_path / "one")
    decode(experiment, data, tmp_path / "two", "--nj", "2")
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_the_result_does_not_depend_on_the_size_of_the_batches(experiment, data, tmp_path):
    """Words, times and labels; probabilities to the rounding."""
    for size in (1, 2, 8):
        decode(experiment, data, tmp_path / f"by{size}", "--batch_size", str(size))
    for name in ("text", "word_times", "emo_segments", "utt2emo"):
        assert len({(tmp_path / f"by{size}" / name).read_text() for size in (1, 2, 8)}) == 1
    with pytest.raises(ConfigError, match="batch_size out of range"):
        decode(experiment, data, tmp_path / "by0", "--batch_size", "0")


def test_a_finished_decoding_is_left_alone_and_another_checkpoint_is_not(experiment, data, tmp_path, capsys):
    decode(experiment, data, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    decode(experiment, data, tmp_path / "out")
    assert "already" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before
    torch.manual_seed(2)
    torch.save(build_model(tiny_config()).state_dict(), experiment / "other.pth")
    decode(experiment, data, tmp_path / "out", "--inference_ent_model", "other.pth")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} != before


def test_a_decoding_tells_its_frames_and_is_raw_whatever_the_temperature(experiment, data, tmp_path):
    decode(experiment, data, tmp_path / "raw")
    assert (tmp_path / "raw/frame_grid").read_text() == "sample_rate 16000\nsamples_per_frame 640\n"
    digest = digest_files([experiment / "valid.loss.ave.pth"])
    Calibration(5.0, 5.0, 1, 1, "dev", digest).write(experiment / "calibration.json")
    try:
        decode(experiment, data, tmp_path / "again")
    finally:
        (experiment / "calibration.json").unlink()
    assert digests(tmp_path / "again") == digests(tmp_path / "raw")


def test_a_decoding_of_an_earlier_version_is_made_again_for_its_grid(experiment, data, tmp_path, capsys):
    decode(experiment, data, tmp_path / "out")
    record = json.loads((tmp_path / "out/made_from.json").read_text())
    record["holds"].remove("frame_grid")
    (tmp_path / "out/made_from.json").write_text(json.dumps(record))
    (tmp_path / "out/frame_grid").unlink()
    decode(experiment, data, tmp_path / "out")
    assert "already" not in capsys.readouterr().out
    assert (tmp_path / "out/frame_grid").is_file()


def test_a_wrong_rate_is_refused_and_nothing_is_left(experiment, data, tmp_path):
    soundfile.write(tmp_path / "utt2.wav", np.zeros(8000), 8000)
    with pytest.raises(AudioError, match="expected 16000 Hz; got 8000 Hz"):
        decode(experiment, data, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_missing_inputs_name_the_stage_to_rerun(experiment, data, tmp_path):
    with pytest.raises(CheckpointError, match="stage 11"):
        decode(experiment, data, tmp_path / "out", "--inference_ent_model", "none.pth")
    with pytest.raises(DataError, match="data directory is missing"):
        decode(experiment, tmp_path / "nowhere", tmp_path / "out")


_SCRIPT = """
import runpy, sys
try:
    runpy.run_module("espnet_ent.bin.ent_decode", run_name="__main__", alter_sys=True)
except SystemExit as end:
    assert not end.code, end
print([name for name in sys.modules if name.startswith(("espnet2.tasks", "nltk", "transformers"))])
"""


def test_decoding_imports_no_task_and_prints_no_noise(experiment, data, tmp_path):
    options = ["--exp", experiment, "--data", data, "--out", tmp_path / "out"]
    command = [sys.executable, "-c", _SCRIPT, *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    report, modules = done.stdout.splitlines()
    assert re.search(r"3 utterances \(.*1 short\), 1 s of audio, decoded in .* RTF 0\.\d+ \(reading", report)
    assert modules == "[]"


def test_segments_are_cut_out_of_their_recordings(experiment, tmp_path):
    samples = 0.1 * np.random.default_rng(5).standard_normal(3 * RATE)
    soundfile.write(tmp_path / "long.wav", samples, RATE, subtype="PCM_16")
    whole, _ = soundfile.read(tmp_path / "long.wav", dtype="float32")
    soundfile.write(tmp_path / "cut.wav", whole[RATE : 2 * RATE], RATE, subtype="PCM_16")
    segment = Utterance("utt1", "spk", str(tmp_path / "long.wav"), text="A", emotion="neu", start=1.0, end=2.0)
    cut = Utterance("utt1", "spk", str(tmp_path / "cut.wav"), text="A", emotion="neu")
    for name, utterance in (("segment", segment), ("cut", cut)):
        write_data_dir(tmp_path / name, [utterance])
        decode(experiment, tmp_path / name, tmp_path / f"{name}_out")
    outputs = [digests(tmp_path / f"{name}_out") for name in ("segment", "cut")]
    for output in outputs:
        del output["made_from.json"]
    assert outputs[0] == outputs[1]


def test_an_option_overrides_the_configuration_file(experiment, data, tmp_path):
    (tmp_path / "c.yaml").write_text("max_symbols_per_frame: 32\n")
    decode(experiment, data, tmp_path / "a", "--config", str(tmp_path / "c.yaml"), "--max_symbols_per_frame", "1")
    decode(experiment, data, tmp_path / "b", "--config", str(tmp_path / "c.yaml"))
    longest = {
        name: max(len(line) for line in (tmp_path / name / "text").read_text().splitlines()) for name in ("a", "b")
    }
    assert longest["a"] <= longest["b"]
    assert (tmp_path / "a" / "made_from.json").read_text() != (tmp_path / "b" / "made_from.json").read_text()


def test_threads_that_read_ahead_change_nothing(experiment, data, tmp_path):
    decode(experiment, data, tmp_path / "none", "--num_workers", "0", "--batch_size", "1")
    decode(experiment, data, tmp_path / "three", "--num_workers", "3", "--batch_size", "1")
    assert digests(tmp_path / "none") == digests(tmp_path / "three")
    with pytest.raises(ConfigError, match="num_workers out of range"):
        decode(experiment, data, tmp_path / "out", "--num_workers", "-1")


def test_utterances_without_speech_are_counted_and_not_dropped(experiment, data, tmp_path, capsys):
    (tmp_path / "utt1.wav").write_bytes(b"")
    soundfile.write(tmp_path / "utt2.wav", np.zeros(8000), RATE, subtype="PCM_16")
    decode(experiment, data, tmp_path / "out")
    assert (tmp_path / "out" / "text").read_text().splitlines()[:2] == ["utt1", "utt2"]
    assert (tmp_path / "out" / "remarks").read_text() == "utt1 empty\nutt2 silent\nutt3 short\n"
    labels = (tmp_path / "out" / "utt2emo").read_text().splitlines()
    assert (len(labels), labels[0]) == (3, "utt1 neu")
    posteriors = read_frame_posteriors(tmp_path / "out", 4)
    assert (
        posteriors["utt1"].tolist() == [read_utterance_posteriors(tmp_path / "out", 4)["utt1"].tolist()] == [[0.25] * 4]
    )
    assert re.search(r"\(.*1 empty, 1 short, 1 silent\)", capsys.readouterr().out)


def test_beam_search_writes_the_best_hypotheses_and_needs_as_many(experiment, data, tmp_path):
    decode(experiment, data, tmp_path / "out", "--beam_size", "3", "--nbest", "2")
    best = (tmp_path / "out" / "1best_recog" / "text").read_text()
    assert best == (tmp_path / "out" / "text").read_text()
    scores = (tmp_path / "out" / "2best_recog" / "score").read_text().splitlines()
    assert [line.split()[0] for line in scores] == list(LENGTHS)
    with pytest.raises(ConfigError, match="nbest out of range; expected 1 to beam_size"):
        decode(experiment, data, tmp_path / "other", "--nbest", "2")


@pytest.mark.parametrize("same_tokens", [True, False])
def test_language_model_must_have_the_same_tokens(experiment, data, tmp_path, same_tokens):
    tokens = tiny_config()["token_list"] if same_tokens else ["<blank>", "<unk>", "X", "<sos/eos>"]
    config = {"token_list": tokens, "lm": "seq_rnn", "lm_conf": {"unit": 4, "nlayers": 1}}
    (tmp_path / "lm").mkdir()
    (tmp_path / "lm" / "config.yaml").write_text(yaml.safe_dump(config))
    torch.save(build_language_model(config).state_dict(), tmp_path / "lm" / "valid.loss.ave.pth")
    options = ("--beam_size", "3", "--lm_exp", str(tmp_path / "lm"), "--lm_weight", "3.0")
    if not same_tokens:
        with pytest.raises(ConfigError, match="the language model has another token list than the transducer"):
            decode(experiment, data, tmp_path / "out", *options)
        return
    decode(experiment, data, tmp_path / "out", *options)
    decode(experiment, data, tmp_path / "plain", "--beam_size", "3")
    texts = [(tmp_path / name / "text").read_text() for name in ("out", "plain")]
    assert texts[0] != texts[1]


def test_long_utterances_are_read_window_by_window_and_an_empty_set_is_refused(experiment, data, tmp_path, monkeypatch):
    import espnet_ent.data.recording as module

    lengths = []
    original = module.read_audio

    def read(*args, **kwargs):
        samples = original(*args, **kwargs)
        lengths.append(len(samples))
        return samples

    monkeypatch.setattr(module, "read_audio", read)
    samples = 0.1 * np.random.default_rng(1).standard_normal(9 * RATE)
    soundfile.write(tmp_path / "long.wav", samples, RATE, subtype="PCM_16")
    write_data_dir(tmp_path / "long", [Utterance("utt1", "spk", str(tmp_path / "long.wav"), text="A", emotion="neu")])
    decode(experiment, tmp_path / "long", tmp_path / "out", "--window_seconds", "2", "--context_seconds", "0.5")
    assert len(lengths) == 5
    assert max(lengths) <= 3 * RATE
    for name in ("wav.scp", "text", "utt2spk", "spk2utt", "utt2emo"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        (tmp_path / "empty" / name).write_text("")
    with pytest.raises(DataError):
        decode(experiment, tmp_path / "empty", tmp_path / "other")


def test_a_packed_model_decodes_with_the_options_it_was_packed_with(packed, tmp_path):
    decode(packed.pack, packed.data, tmp_path / "out")
    record = json.loads((tmp_path / "out/made_from.json").read_text())
    assert record["config"]["beam_size"] == 2
    found, expected = (
        digests(tmp_path / "out"),
        {path.name: path for path in packed.decoded.iterdir() if path.is_file()},
    )
    for name in found.keys() - {"made_from.json"}:
        assert (tmp_path / "out" / name).read_bytes() == expected[name].read_bytes(), name
    decode(packed.pack, packed.data, tmp_path / "greedy", "--beam_size", "1")
    assert json.loads((tmp_path / "greedy/made_from.json").read_text())["config"]["beam_size"] == 1


def test_temperatures_that_were_fitted_on_a_decoding_are_those_of_its_checkpoint(packed):
    """Decoding, calibration and loading must mean the same by a checkpoint."""
    fitted = Calibration.read(packed.experiment / "calibration.json")
    assert EmotionTranscriber.from_pretrained(packed.experiment).calibration == fitted
