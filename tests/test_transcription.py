"""From arguments to files, with a model of a few milliseconds; the command is tested through its main function."""

from __future__ import annotations

import importlib
import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
import yaml

from espnet_ent.bin.ent_demo import main as demo_main
from espnet_ent.bin.ent_transcribe import main
from espnet_ent.corpora.audio_inputs import AudioInput
from espnet_ent.errors import AudioError, ConfigError
from espnet_ent.export.registry import FORMATS
from espnet_ent.inference import EmotionTranscriber, InferenceConfig
from espnet_ent.plugin.builder import build_model
from espnet_ent.plugin.language_model import build_language_model
from espnet_ent.transcription import REPORT_FORMATS, TranscriptionReport, transcribe_all
from tests.plugin.packed import PackedExperiment
from tests.plugin.tiny import TOKENS, tiny_config

ROOT = Path(__file__).parents[1]
RATE = 16000


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("exp")
    torch.manual_seed(1)
    torch.save(build_model(tiny_config()).state_dict(), directory / "valid.loss.ave.pth")
    (directory / "config.yaml").write_text(yaml.safe_dump(tiny_config()))
    return directory


@pytest.fixture(scope="module")
def transcriber(experiment: Path) -> EmotionTranscriber:
    return EmotionTranscriber.from_pretrained(experiment)


def noise(seconds: float, seed: int = 2) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(int(seconds * RATE)).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for number, name in enumerate(["b/take.wav", "a/take.flac", "my file.wav"]):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, noise(1 + 0.3 * number, number), RATE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(experiment: Path, *arguments: str) -> int:
    return main(["--model", str(experiment), *arguments])


def test_every_format_of_every_recording(experiment: Path, folder: Path, capsys: pytest.CaptureFixture) -> None:
    formats = {**FORMATS, **REPORT_FORMATS}
    assert run(experiment, "in", "--format", ",".join(formats), "--out", "out") == 0
    stems = ("a-take", "b-take", "my_file")
    expected = {f"{stem}{made.suffix}" for stem in stems for made in formats.values() if not made.is_joined}
    assert {"a-take.html", "a-take.TextGrid", "a-take.labels.txt"} <= expected
    assert {path.name for path in Path("out").iterdir()} == expected | {"transcripts.jsonl", "transcripts.csv"}
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("3 recordings, 3.9 s of audio, transcribed in ")


def test_what_is_written_is_what_the_library_says(
    experiment: Path, transcriber: EmotionTranscriber, folder: Path
) -> None:
    assert run(experiment, "in/my file.wav", "--format", "json", "--out", ".") == 0
    found = json.loads(Path("my_file.json").read_text())
    assert found["audio"] == "in/my file.wav"
    assert {**found, **transcriber("in/my file.wav").to_dict()} == found


def test_what_can_t_be_read_is_told_at_the_end_and_the_others_are_done(
    experiment: Path, folder: Path, capsys: pytest.CaptureFixture
) -> None:
    Path("in/broken.wav").write_bytes(Path("in/my file.wav").read_bytes()[:5000])
    Path("in/text.mp3").write_text("no audio")
    Path("in/empty.wav").write_bytes(b"")
    assert run(experiment, "in", "missing.wav", "*.aiff", "--out", "out", "--format", "txt,jsonl") == 2
    names = {path.name for path in Path("out").iterdir()}
    assert names == {"a-take.txt", "b-take.txt", "my_file.txt", "empty.txt", "transcripts.jsonl"}
    lines = [json.loads(line) for line in Path("out/transcripts.jsonl").read_text().splitlines()]
    assert [line["remark"] for line in lines] == [None, None, "empty", None]
    first, *errors = capsys.readouterr().err.splitlines()
    assert first.startswith("4 recordings, ")
    assert [line.split(";")[0] for line in errors] == [
        "ent-transcribe: error: *.aiff: the pattern matches no file",
        "ent-transcribe: error: in/broken.wav: wav file is truncated",
        "ent-transcribe: error: in/text.mp3: not an audio file",
        "ent-transcribe: error: missing.wav: audio file is missing",
    ]


def test_low_sampling_rates_are_one_warning_with_their_number(
    experiment: Path, folder: Path, capfd: pytest.CaptureFixture
) -> None:
    for number, rate in enumerate([8000, 8000, 11025]):
        soundfile.write(f"in/{number}.wav", noise(0.5), rate)
    assert run(experiment, "in", "--nj", "2", "--batch_size", "2", "--out", "out") == 0
    first, warning = capfd.readouterr().err.splitlines()
    assert first.startswith("6 recordings, ")
    assert warning.startswith("ent-transcribe: warning: 3 recordings have a lower sampling rate ")
    assert "(8000 Hz: 2, 11025 Hz: 1)" in warning


def test_a_language_model_goes_with_a_beam_search(
    experiment: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {
        "token_list": TOKENS,
        "token_type": "char",
        "lm": "seq_rnn",
        "lm_conf": {"unit": 8, "nlayers": 1, "dropout_rate": 0.1},
    }
    Path("lm").mkdir()
    Path("lm/config.yaml").write_text(yaml.safe_dump(config))
    torch.manual_seed(2)
    torch.save(build_language_model(config).state_dict(), "lm/valid.loss.ave.pth")
    Path("beam.yaml").write_text("beam_size: 3\nlm_weight: 5.0\n")
    texts = []
    for out, more in (("plain", []), ("lm", ["--lm_exp", "lm"])):
        assert run(experiment, "in/my file.wav", "--config", "beam.yaml", "--out", out, *more) == 0
        texts.append(Path(out, "my_file.txt").read_text())
    expected = EmotionTranscriber.from_pretrained(
        experiment, config=InferenceConfig.read("beam.yaml"), lm=("lm", "valid.loss.ave.pth")
    )("in/my file.wav")
    assert texts[1] == expected.text + "\n" != texts[0]
    with pytest.raises(ConfigError, match="a language model needs a beam search"):
        run(experiment, "in", "--lm_exp", "lm")
    with pytest.raises(ConfigError, match="nothing"):
        run(experiment, "in", "--config", "beam.yaml", "--lm_exp", "nothing")


def test_every_name_of_a_model_option_is_taken(experiment: Path, folder: Path) -> None:
    for command in ("transcribe", "demo", "report", "layers", "wer_curve"):
        parser = importlib.import_module(f"espnet_ent.bin.ent_{command}").get_parser()
        options = parser._option_string_actions
        assert options["--exp"] is options["--model"]
        if command in ("transcribe", "demo", "wer_curve"):
            assert options["--config"] is options["--inference_config"]
    assert main(["--exp", str(experiment), "in/my file.wav", "--config", str(ROOT / "conf/decode_greedy.yaml")]) == 0


def test_nothing_to_do_needs_no_model(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert run(Path("no_model"), "*.nothing") == 2
    assert "the pattern matches no file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["in", "--format", "docx"], "unknown format"),
        (["in", "--nj", "0"], "nj out of range"),
        (["in", "--batch_size", "0"], "batch_size out of range"),
        (["in", "--out", "-"], "3 recordings can't be told apart"),
        (["in", "--inference_config", "nothing.yaml"], "nothing.yaml"),
        (["in"], "no such model"),
    ],
)
def test_a_wrong_option_is_one_line_and_writes_nothing(folder: Path, options: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(Path("no_model"), *options)
    assert [path.name for path in folder.iterdir()] == ["in"]


class _Stream:
    """In place of a standard stream."""

    def __init__(self, content: bytes = b"") -> None:
        self.buffer = io.BytesIO(content)


def test_standard_input_goes_to_standard_output(
    experiment: Path, transcriber: EmotionTranscriber, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = Path("in/my file.wav").read_bytes()
    expected = transcriber(content)
    for options, check in (
        ([], lambda text: text == expected.text + "\n"),
        (["--format", "json"], lambda text: json.loads(text)["text"] == expected.text),
    ):
        out = _Stream()
        monkeypatch.setattr(sys, "stdin", _Stream(content))
        monkeypatch.setattr(sys, "stdout", out)
        assert run(experiment, "-", *options) == 0
        assert check(out.buffer.getvalue().decode())
    assert [path.name for path in folder.iterdir()] == ["in"]
    monkeypatch.setattr(sys, "stdin", _Stream(content))
    assert run(experiment, "-", "--out", "out") == 0
    assert Path("out/stdin.txt").read_text() == expected.text + "\n"


def test_the_result_does_not_depend_on_jobs_and_batches(transcriber: EmotionTranscriber, folder: Path) -> None:
    inputs = [AudioInput(str(path), str(path), where=str(path)) for path in sorted(Path("in").rglob("*.*a*"))]
    inputs.insert(1, AudioInput("x", "missing.wav", where="missing.wav"))
    found = [
        [
            (one.source.name, str(one.error) if one.transcript is None else one.transcript.text)
            for one in transcribe_all(transcriber, inputs, batch_size, nj)
        ]
        for batch_size, nj in ((8, 1), (1, 1), (2, 2))
    ]
    assert found[0] == found[1] == found[2]
    assert [name for name, _ in found[0]] == [one.name for one in inputs]
    assert found[0][1][1] == "missing.wav: audio file is missing"


def test_a_fault_in_the_midst_of_a_long_recording_spoils_no_other(
    experiment: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is longer than a window is read while others of its batch are decoded."""
    import espnet_ent.data.recording as module

    read = module.read_audio

    def failing(source, *args, start=None, **kwargs):
        if source == "long.wav" and start > 1:
            raise AudioError("audio can't be decoded", where=source)
        return read(source, *args, start=start, **kwargs)

    soundfile.write("long.wav", noise(4), RATE)
    monkeypatch.setattr(module, "read_audio", failing)
    Path("c.yaml").write_text("window_seconds: 2\ncontext_seconds: 0.5\n")
    assert run(experiment, "in", "long.wav", "--inference_config", "c.yaml", "--out", "out") == 2
    assert {path.stem for path in Path("out").iterdir()} == {"a-take", "b-take", "my_file"}


def test_segments_are_cut_out_and_ark_entries_are_read(
    experiment: Path, transcriber: EmotionTranscriber, folder: Path
) -> None:
    import kaldiio

    samples = soundfile.read("in/my file.wav", dtype="int16")[0]
    with kaldiio.WriteHelper("ark,scp:a.ark,a.scp", compression_method=0) as writer:
        writer("u1", (RATE, samples))
    Path("m.jsonl").write_text(json.dumps({"id": "u 2", "audio": "in/my file.wav", "start": 0.5, "end": 1.25}) + "\n")
    assert run(experiment, "a.scp", "m.jsonl", "--format", "json,elan,rttm", "--out", "out") == 0
    whole, cut = (json.loads(Path(f"out/{name}.json").read_text()) for name in ("u1", "u 2"))
    assert whole["audio"] is None
    assert whole["text"] == transcriber("in/my file.wav").text
    assert (cut["audio_start"], cut["duration"]) == (0.5, 0.75)
    assert cut["text"] == transcriber.transcribe(samples[8000:20000] / np.float32(32768)).text
    assert 'TIME_ORIGIN="500"' in Path("out/u 2.eaf").read_text()
    assert " u%202 " in Path("out/u 2.rttm").read_text()


def test_the_call_takes_all_forms_of_audio_and_lists(transcriber: EmotionTranscriber, folder: Path) -> None:
    samples = soundfile.read("in/b/take.wav", dtype="float32")[0]
    expected = transcriber.transcribe(samples)
    forms = ["in/b/take.wav", Path("in/b/take.wav").read_bytes(), samples, (samples, RATE), Path("in/b/take.wav")]
    found = transcriber(forms, batch_size=2)
    assert [one.text for one in found] == [expected.text] * 5
    for one in found:
        np.testing.assert_allclose(one.frame_posteriors, expected.frame_posteriors, atol=1e-6)
    assert transcriber([]) == []
    assert transcriber(np.repeat(samples, 3), 3 * RATE).duration == pytest.approx(expected.duration)
    assert expected.emotions == transcriber.emotions.names
    assert expected.grid == transcriber.grid


def test_what_the_readme_shows_runs(
    experiment: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    """Its commands and its Python, with a small model where the demo's would be."""
    import espnet_ent.demo.server as module

    text = (ROOT / "README.md").read_text()
    model = Path("egs2/mini_ent/ent1/exp/ent_train_ent_mini_raw_char")
    model.parent.mkdir(parents=True)
    model.symlink_to(experiment)
    Path("conf").symlink_to(ROOT / "conf")
    Path("in/my file.wav").rename("speech.wav")
    commands = re.findall(r"^(ent-transcribe|ent-demo) (.*)$", text, flags=re.MULTILINE)
    assert {name for name, _ in commands} == {"ent-transcribe", "ent-demo"}
    monkeypatch.setattr(module.DemoServer, "serve_forever", lambda self: None)
    for name, arguments in commands:
        argv = shlex.split(arguments)
        assert (main(argv) if name == "ent-transcribe" else demo_main([*argv, "--port", "0"])) == 0
    assert {path.name for path in folder.glob("speech.*")} == {
        f"speech.{x}" for x in ("wav", "TextGrid", "json", "html")
    }
    assert "recording,start,end,emotion,probability,text,utterance_emotion\n" in capfd.readouterr().out
    (python,) = [code for code in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL) if "to_dict" in code]
    exec(python, {})
    assert "'emotion': " in capfd.readouterr().out


def test_a_packed_model_is_decoded_as_it_says(
    packed: PackedExperiment, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[EmotionTranscriber] = []
    monkeypatch.setattr(
        "espnet_ent.transcription.transcribe_inputs",
        lambda arguments, load, *rest: found.append(load()) or TranscriptionReport(),
    )
    monkeypatch.setattr("espnet_ent.demo.server.DemoServer.serve_forever", lambda self: None)
    monkeypatch.setattr(
        "espnet_ent.demo.service.DemoService",
        lambda transcriber, limits: found.append(transcriber) or SimpleNamespace(transcribe=None),
    )
    Path("greedy.yaml").write_text("beam_size: 1\n")
    for options in ([], ["--inference_config", "greedy.yaml"]):
        assert run(packed.pack, "in", *options) == 0
        assert demo_main(["--model", str(packed.pack), "--port", "0", *options]) == 0
    assert [transcriber.config.beam_size for transcriber in found] == [2, 2, 1, 1]


def test_the_readme_and_the_help_name_every_format(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert {*FORMATS, *REPORT_FORMATS} <= set(re.findall(r"\w+", capsys.readouterr().out))
    section = (ROOT / "README.md").read_text().split("## Transcribe")[1].split("In Python:")[0]
    assert {*FORMATS, *REPORT_FORMATS} <= set(re.findall(r"`(\w+)`", section))


def test_to_load_a_model_needs_no_slow_library(experiment: Path) -> None:
    """What costs seconds at the start: ESPnet's tasks, nltk, transformers, scikit-learn."""
    script = (
        "import sys; from espnet_ent import EmotionTranscriber; import espnet_ent.transcription;"
        f"EmotionTranscriber.from_pretrained({str(experiment)!r});"
        "slow = {'nltk', 'transformers', 'sklearn', 'matplotlib', 'pandas', 'praatio', 'pympi'};"
        "print(*slow & {name.partition('.')[0] for name in sys.modules}, 'espnet2.tasks' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == "False"


def test_progress_is_passed_on_and_shown_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    from espnet_ent.report.progress import transcription_progress
    from espnet_ent.transcription import Result

    results = [Result(AudioInput("a", "a.wav"), error=AudioError("missing"))]
    assert list(transcription_progress(results, 1)) == results
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert list(transcription_progress(results, 1)) == results
    assert "1/1" in capsys.readouterr().err
