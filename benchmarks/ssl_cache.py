"""A training step on a frozen wav2vec 2.0 base: states computed or read from a feature cache, losses dense or fast.

The model has the real size and random weights: what it computes is of no use, and takes as long. Layer mix, BiLSTM,
prediction network and joint networks are those of ``conf/tuning/train_ent_wav2vec2_base.yaml``. A cached step reads the
states of its utterances from disk, checksums, conversion and padding included.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kaldiio
import numpy as np
import torch
import yaml
from torch import Tensor

from benchmarks.demo_step import dense_step
from espnet_ent.collate import collate
from espnet_ent.data.audio import write_pcm16
from espnet_ent.data.cached_set import CachedSet
from espnet_ent.plugin.builder import build_model
from espnet_ent.plugin.feature_cache import StatesLoader
from espnet_ent.plugin.model import ESPnetENTModel
from espnet_ent.plugin.state_encoding import cache_data_dir
from espnet_ent.report.document import Table

_CONF = Path(__file__).parents[1] / "conf" / "tuning"
_RATE = 16000
_SECONDS = (4.0, 8.0)
_LABELS_A_SECOND = 14
TOKENS = ["<blank>", "<unk>", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ", "<space>", "<sos/eos>"]
EMOTIONS = ["hap emotion", "ang emotion", "sad emotion", "neu neutral"]
_MASSIVE, _TIMES = (7, 300), 100.0  # dimensions whose values outweigh the rest, as trained models have some


def save_model(directory: Path) -> Path:
    """A wav2vec 2.0 base of the real size with random weights."""
    from transformers import Wav2Vec2Config, Wav2Vec2Model
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.manual_seed(0)
    Wav2Vec2Model(Wav2Vec2Config()).save_pretrained(directory)
    settings = {"do_normalize": True, "return_attention_mask": False, "sampling_rate": _RATE}
    (directory / "preprocessor_config.json").write_text(json.dumps(settings))
    return directory


def _make_data(root: Path) -> Path:
    """A data directory with an utterance of each length."""
    root.mkdir()
    generator = np.random.default_rng(1)
    audio = {f"u{number}": root / f"u{number}.wav" for number in range(len(_SECONDS))}
    for seconds, path in zip(_SECONDS, audio.values(), strict=True):
        write_pcm16(path, 0.1 * generator.standard_normal(int(seconds * _RATE)), _RATE, "wav")
    (root / "wav.scp").write_text("".join(f"{utt_id} {path}\n" for utt_id, path in audio.items()))
    (root / "utt2spk").write_text("".join(f"{utt_id} {utt_id}\n" for utt_id in audio))
    return root


@dataclass(frozen=True, eq=False)
class _Bench:
    model: ESPnetENTModel
    speech: dict[str, Tensor]
    targets: dict[str, Tensor]
    loader: StatesLoader

    def audio(self) -> dict[str, Tensor]:
        """The batch as samples."""
        return {**self.speech, **self.targets}

    def cached(self) -> dict[str, Tensor]:
        """The batch read from the cache."""
        read = ((utt_id, self.loader[utt_id]) for utt_id in self.loader)
        _, batch = collate([(utt_id, {"states": states, "local": local}) for utt_id, (states, local, _) in read])
        return {**batch, **self.targets}


def _make(root: Path) -> _Bench:
    directory = save_model(root / "model")
    config: dict[str, Any] = yaml.safe_load((_CONF / "train_ent_wav2vec2_base.yaml").read_text())
    config["encoder_conf"] = {**config["encoder_conf"], "model": str(directory), "one_by_one": True}
    torch.manual_seed(0)
    model = build_model({**config, "token_list": TOKENS, "emotion_list": EMOTIONS})
    data = _make_data(root / "data")
    cache_data_dir(data, root / "cached", root / "store", model.encoder, tell=lambda _line: None)
    samples = [torch.from_numpy(kaldiio.load_mat(str(data / f"u{n}.wav"))[1] / 2.0**15) for n in range(len(_SECONDS))]
    lengths = torch.tensor([len(part) for part in samples])
    labels = torch.tensor([int(seconds * _LABELS_A_SECOND) for seconds in _SECONDS])
    generator = torch.Generator().manual_seed(1)
    targets = {
        "text": torch.randint(1, len(TOKENS), (len(labels), int(labels.max())), generator=generator),
        "text_lengths": labels,
        "emotion": torch.tensor([[0], [3]]),
    }
    speech = torch.nn.utils.rnn.pad_sequence(samples, batch_first=True).float()
    loader = StatesLoader(str(root / "cached" / "states.scp"))
    return _Bench(model.train(), {"speech": speech, "speech_lengths": lengths}, targets, loader)


_Step = Callable[[_Bench], Tensor]
_STEPS: dict[tuple[str, str], _Step] = {
    ("computed", "dense"): lambda bench: dense_step(bench.model, bench.audio()),
    ("computed", "fast"): lambda bench: bench.model(**bench.audio())[0],
    ("from the cache", "dense"): lambda bench: dense_step(bench.model, bench.cached()),
    ("from the cache", "fast"): lambda bench: bench.model(**bench.cached())[0],
}
_PLAIN = ("computed", "dense")


def cache_table(num_runs: int) -> Table:
    """Milliseconds of a step, forward, backward and update, in turns; ratios of paired runs; losses of the first."""
    with tempfile.TemporaryDirectory() as folder:
        bench = _make(Path(folder))
        optimizer = torch.optim.AdamW((p for p in bench.model.parameters() if p.requires_grad), lr=0.0)
        seconds: dict[tuple[str, str], list[float]] = {name: [] for name in _STEPS}
        losses = {}
        for _ in range(num_runs + 1):
            for name, step in _STEPS.items():
                start = time.perf_counter()
                optimizer.zero_grad()
                loss = step(bench)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(bench.model.parameters(), 5.0)
                optimizer.step()
                seconds[name].append(time.perf_counter() - start)
                losses[name] = float(loss.detach())
    rows = []
    for name, runs in seconds.items():
        runs = [1000 * run for run in runs[1:]]
        plain = [1000 * run for run in seconds[_PLAIN][1:]]
        ratio = statistics.median(a / b for a, b in zip(plain, runs, strict=True))
        told = f"{statistics.median(runs):.0f} ({min(runs):.0f}-{max(runs):.0f})"
        difference = abs(losses[name] - losses[_PLAIN]) / abs(losses[_PLAIN])
        rows.append((*name, told, f"{ratio:.1f}x", f"{difference:.1e}"))
    return Table(("states", "losses", "ms", "faster", "loss differs by"), tuple(rows))


_Write = Callable[[Any, str, np.ndarray], None]
_FORMATS: dict[str, _Write] = {
    "Kaldi matrices, float32": lambda ark, key, x: kaldiio.save_ark(ark, {key: x.reshape(len(x), -1)}),
    "Kaldi matrices, 16 bits compressed": lambda ark, key, x: kaldiio.save_ark(
        ark, {key: x.reshape(len(x), -1)}, compression_method=3
    ),
    "Kaldi matrices, 8 bits compressed": lambda ark, key, x: kaldiio.save_ark(
        ark, {key: x.reshape(len(x), -1)}, compression_method=2
    ),
    "kaldiio's numpy arrays, float16": lambda ark, key, x: kaldiio.save_ark(
        ark, {key: x.astype(np.float16)}, write_function="numpy"
    ),
    "bare float16": lambda ark, _key, x: ark.write(x.astype(np.float16).tobytes()),
}


def _read(name: str, ark: Path, start: int, shape: tuple[int, ...]) -> np.ndarray:
    if name.startswith("bare"):
        stored = np.fromfile(ark, np.float16, int(np.prod(shape)), offset=start)
    else:
        stored = kaldiio.load_mat(f"{ark}:{start}")
    return torch.from_numpy(stored.copy()).float().numpy().reshape(shape)


def format_table(num_runs: int) -> Table:
    """What the formats take of the disk and of time, and what they lose, for states with some massive dimensions."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        bench = _make(root)
        found = CachedSet(root / "cached" / "states.scp")
        computed = {utt_id: _compute(bench, n) for n, utt_id in enumerate(found)}
        rows = [(name, *_measure(root, name, computed, num_runs)) for name in _FORMATS]
        read = []
        for utt_id in [*bench.loader] * num_runs:
            begin = time.perf_counter()
            bench.loader[utt_id]
            read.append(time.perf_counter() - begin)
        spent = 1000 * statistics.median(read)
        size = sum(entry.end - entry.states for entry in found.entries.values())
        rows.append(("feature cache: these, with local features, checked", _rate(size), "-", f"{spent:.1f}", "-"))
    return Table(("format", "MB a second of audio", "write, ms", "read, ms", "error"), tuple(rows))


def _compute(bench: _Bench, number: int) -> np.ndarray:
    """States (T, L, D) of an utterance, with some massive dimensions."""
    length = bench.speech["speech_lengths"][number]
    found = bench.model.encoder.layer_states(bench.speech["speech"][number : number + 1, :length], length.reshape(1))
    states = found.stacked[0].transpose(0, 1).contiguous().numpy()
    states[:, :, _MASSIVE] *= _TIMES
    return states


def _rate(num_bytes: int) -> str:
    return f"{num_bytes / 1e6 / sum(_SECONDS):.2f}"


def _measure(root: Path, name: str, computed: dict[str, np.ndarray], num_runs: int) -> tuple[str, ...]:
    """Size, and times of an utterance; largest error of the other dimensions, in their standard deviations."""
    ark, write, read, starts = root / "trial.ark", [], [], {}
    for _ in range(num_runs):
        with ark.open("wb") as file:
            for key, states in computed.items():
                begin = time.perf_counter()
                starts[key] = file.tell() + (0 if name.startswith("bare") else len(key) + 1)
                _FORMATS[name](file, key, states)
                write.append(time.perf_counter() - begin)
        for key, states in computed.items():
            begin = time.perf_counter()
            got = _read(name, ark, starts[key], states.shape)
            read.append(time.perf_counter() - begin)
    rest = np.delete(states, _MASSIVE, axis=2)
    error = np.abs(np.delete(got, _MASSIVE, axis=2) - rest).max() / rest.std()
    times = (f"{1000 * statistics.median(values):.1f}" for values in (write, read))
    return (_rate(ark.stat().st_size), *times, f"{error:.1e}")
