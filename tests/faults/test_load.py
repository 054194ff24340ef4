"""Many utterances, long recordings, large sets: seconds and memory."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from espnet_ent.bin import ent_train
from espnet_ent.data.audio import write_pcm16
from espnet_ent.decoding import DecodingOptions, decode_data_dir
from espnet_ent.inference import EmotionTranscriber, InferenceConfig
from espnet_ent.labels import FOUR_EMOTIONS
from tests.amounts import amount
from tests.plugin import forked
from tests.plugin.experiment import make_data, options
from tests.plugin.packed import CHECKPOINT, PackedExperiment

pytestmark = pytest.mark.fault
RATE = 16000
MIB = 2**20


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forked, "_LONGEST", 3600)


def _memory() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _in_a_child(function: Callable[[], dict[str, float]], directory: Path) -> dict[str, float]:
    """What a function measures in a process of its own; ``peak`` is what it needed more than at its start."""
    directory.mkdir(parents=True, exist_ok=True)
    out = directory / "measured.json"

    def measure() -> None:
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the parent
        before, begin = _memory(), time.process_time()
        found = function()
        peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
        found |= {"peak": int(peak.split()[1]) * 1024 - before, "cpu_seconds": time.process_time() - begin}
        out.write_text(json.dumps(found))

    assert forked.finish(forked.start(measure)) == forked.SUCCESS
    return json.loads(out.read_text())


def _many(root: Path, number: int, phase: str, num_files: int = 50) -> Path:
    """A set of ``number`` utterances that share a few files of about 0.3 s."""
    generator, directory = np.random.default_rng(0), root / phase
    directory.mkdir(parents=True, exist_ok=True)
    files = [directory / f"{index}.wav" for index in range(num_files)]
    lengths = [4000 + 40 * index for index in range(num_files)]
    for path, length in zip(files, lengths, strict=True):
        write_pcm16(path, 0.1 * generator.standard_normal(length), RATE, "wav")
    ids = [f"u{index:07d}" for index in range(number)]
    columns = {
        "wav.scp": [str(files[index % num_files]) for index in range(number)],
        "text": ["A B"] * number,
        "utt2emo": [FOUR_EMOTIONS.names[index % 4] for index in range(number)],
        "utt2spk": ids,
        "utt2num_samples": [str(lengths[index % num_files]) for index in range(number)],
    }
    for name, values in columns.items():
        (directory / name).write_text("".join(f"{key} {value}\n" for key, value in zip(ids, values, strict=True)))
    return directory


class _Watched:
    """Seconds of the processor and bytes of memory as utterances come."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.points: list[tuple[float, int]] = []

    def __call__(self, transcripts: Iterable, _number: int) -> Iterator:
        for index, transcript in enumerate(transcripts):
            if index % self.every == 0:
                self.points.append((time.process_time(), _memory()))
            yield transcript


def test_decoding_of_many_utterances_does_not_slow_down(packed: PackedExperiment, tmp_path: Path, figures) -> None:
    number = amount(10000, 300)
    data, watched = _many(tmp_path, number, "test"), _Watched(max(1, number // 10))

    def decode() -> dict[str, float]:
        decode_data_dir(
            data,
            packed.experiment,
            CHECKPOINT,
            tmp_path / "out",
            InferenceConfig(),
            DecodingOptions(batch_size=8),
            watched,
        )
        seconds, memory = zip(*watched.points, strict=True)
        steps = np.diff(seconds)
        growth = (memory[-1] - memory[2]) / (watched.every * (len(memory) - 3))
        return {"slowdown": steps[-3:].mean() / steps[1:4].mean(), "growth": growth}

    found = _in_a_child(decode, tmp_path)
    assert len((tmp_path / "out/text").read_text().splitlines()) == number
    assert found["slowdown"] < 1.5
    assert found["growth"] < 16 * 1024
    figures(
        "Load",
        "short utterances decoded in one go: as fast at the end as at the beginning (processor time of the last "
        "three tenths by that of the second to fourth), and memory for the results alone",
        utterances=number,
        slowdown=found["slowdown"],
        bytes_an_utterance=found["growth"],
        MiB_in_all=found["peak"] / MIB,
        cpu_milliseconds_an_utterance=1000 * found["cpu_seconds"] / number,
    )


def test_memory_of_a_long_recording(packed: PackedExperiment, tmp_path: Path, figures) -> None:
    seconds, path = amount(3600, 60), tmp_path / "long.wav"
    generator = np.random.default_rng(0)
    write_pcm16(path, 0.1 * generator.standard_normal(seconds * RATE).astype(np.float32), RATE, "wav")
    config = InferenceConfig(window_seconds=30.0, context_seconds=5.0, max_symbols_per_frame=1)
    transcriber = EmotionTranscriber.from_pretrained(packed.experiment, CHECKPOINT, config)

    def transcribe() -> dict[str, float]:
        return {"duration": transcriber(path).duration}

    found = _in_a_child(transcribe, tmp_path)
    assert found["duration"] == pytest.approx(seconds)
    by_samples = found["peak"] / (4 * seconds * RATE)
    assert found["peak"] < 6 * 4 * seconds * RATE + 200 * MIB
    figures(
        "Load",
        "one long recording, window by window: memory is that of its samples, some times over",
        seconds_of_audio=seconds,
        MiB=found["peak"] / MIB,
        times_its_samples_in_float32=by_samples,
        cpu_seconds=found["cpu_seconds"],
    )


def test_start_of_training_on_many_utterances(tmp_path: Path, figures, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the command to the first batch of the first epoch, with the tables and shapes of that many utterances."""
    from espnet_ent.plugin.trainer import ENTTrainer

    def first_batch(train_iter_factory: object, **_others: object) -> None:
        next(iter(train_iter_factory.build_iter(1)))

    monkeypatch.setattr(ENTTrainer, "run", staticmethod(first_batch))
    root = make_data(tmp_path / "small")
    config = yaml.safe_load((root / "config.yaml").read_text()) | {"batch_type": "numel", "batch_bins": 100000}
    del config["batch_size"]
    (root / "config.yaml").write_text(yaml.safe_dump(config))
    measured = {}
    for number in (500, amount(50000, 2000), amount(100000, 4000)):
        place = tmp_path / str(number)
        data = _many(place, number, "train")
        shapes = []
        for phase, source in (("train", data), ("valid", root / "valid")):
            ids = [line.split()[0] for line in (source / "text").read_text().splitlines()]
            for name, shape in (("speech", "5000"), ("text", "3,7")):
                file = place / f"{phase}_{name}_shape"
                file.write_text("".join(f"{key} {shape}\n" for key in ids))
                shapes += [f"--{phase}_shape_file", str(file)]
        argv = options(root, place / "exp", *shapes, "--normalize", "utterance_mvn", "--num_workers", "0")
        argv = [value.replace(f"{root}/train/", f"{data}/") for value in argv]

        def train(argv: list[str] = argv) -> dict[str, float]:
            ent_train.main(argv)
            return {}

        measured[number] = _in_a_child(train, place)
    small, middle, large = measured.values()
    numbers = list(measured)
    by_half = (large["peak"] - small["peak"]) / max(1, middle["peak"] - small["peak"])
    assert large["peak"] < 600 * MIB
    assert by_half < 4
    each = numbers[2] - numbers[0]
    figures(
        "Load",
        "training begins on a large set: seconds and memory from the command to the first batch, linear in its size",
        utterances=numbers[2],
        cpu_seconds=large["cpu_seconds"],
        cpu_seconds_of_500=small["cpu_seconds"],
        MiB=large["peak"] / MIB,
        bytes_an_utterance=(large["peak"] - small["peak"]) / each,
    )
