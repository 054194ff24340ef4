"""What an hour of audio costs in each stage: seconds of one processor, and bytes on disk.

Utterances are harmonics with noise under a slow envelope; weights are random. Each figure is of a process of its own,
see :func:`benchmarks.measuring.measure`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

from benchmarks.decode import SearchCase, fast_search, set_label_share
from benchmarks.measuring import Cost, measure
from benchmarks.ssl_cache import EMOTIONS, TOKENS, save_model
from espnet_ent.data.audio import write_pcm16
from espnet_ent.data.formatting import format_data_dir
from espnet_ent.data.perturbing import perturb_data_dir
from espnet_ent.data.validate import make_config, validate_data_dir
from espnet_ent.labels import FOUR_EMOTIONS
from espnet_ent.plugin.builder import build_model
from espnet_ent.plugin.model import ESPnetENTModel
from espnet_ent.plugin.state_encoding import cache_data_dir
from espnet_ent.report.document import Table
from espnet_ent.search.steps import SearchSteps

_CONF = Path(__file__).parents[1] / "conf"
_RATE = 16000
_SECONDS, _NUM_UTTERANCES, _NUM_CACHED = 6.0, 40, 3
_LABELS_A_SECOND = 14
_MB = 10**6
_STEP_SECONDS = (5, 10, 20)


def make_audio(root: Path, number: int) -> Path:
    """A sound data directory of ``number`` utterances."""
    generator, ids = np.random.default_rng(0), [f"u{index:03d}" for index in range(number)]
    (root / "audio").mkdir(parents=True)
    for utt_id in ids:
        write_pcm16(root / "audio" / f"{utt_id}.wav", _sound(generator), _RATE, "wav")
    columns: dict[str, list[Any]] = {
        "wav.scp": [root / "audio" / f"{utt_id}.wav" for utt_id in ids],
        "text": ["A B C"] * number,
        "utt2emo": [FOUR_EMOTIONS.names[index % 4] for index in range(number)],
        "utt2spk": ids,
        "spk2utt": ids,
    }
    for name, values in columns.items():
        lines = (f"{utt_id} {value}\n" for utt_id, value in zip(ids, values, strict=True))
        (root / name).write_text("".join(lines))
    return root


def _sound(generator: np.random.Generator) -> np.ndarray:
    time = np.arange(int(_SECONDS * _RATE)) / _RATE
    pitch = 120 + 40 * generator.random()
    tones = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 20))
    envelope = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * time)
    return (0.1 * envelope * tones + 0.003 * generator.standard_normal(len(time))).astype(np.float32)


def _bytes(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.rglob(pattern))


def preparation_table(folder: Path) -> Table:
    """Stages 1 to 3, and 9 with wav2vec 2.0 base."""
    data = make_audio(folder / "data", _NUM_UTTERANCES)
    few = make_audio(folder / "few", _NUM_CACHED)
    config = make_config(None, _RATE, "decode", allow_empty_text=False)
    rows = []

    def add(name: str, number: int, work: Callable[[], object], out: Path | None = None, pattern: str = "*") -> None:
        cost, hours = measure(work), number * _SECONDS / 3600
        disk = "-" if out is None else f"{_bytes(out, pattern) / hours / _MB:.0f}"
        rows.append((name, f"{cost.cpu / hours:.1f}", disk))

    add("1: validation, all audio decoded", _NUM_UTTERANCES, lambda: validate_data_dir(data, config))
    perturbed = folder / "perturbed"
    add("2: one further speed", _NUM_UTTERANCES, lambda: perturb_data_dir(data, perturbed, [1.1]), perturbed)
    for kind in ("wav", "flac", "flac.ark"):
        out = folder / kind
        add(f"3: {kind}", _NUM_UTTERANCES, lambda out=out, kind=kind: format_data_dir(data, out, kind), out)
    encoder = _wav2vec2(folder / "model").encoder
    store = folder / "store"
    add(
        "9: feature cache, wav2vec 2.0 base",
        _NUM_CACHED,
        lambda: cache_data_dir(few, folder / "cached", store, encoder, tell=lambda _line: None),
        store,
    )
    return Table(("stage", "s an hour of audio", "MB an hour of audio"), tuple(rows))


def _wav2vec2(directory: Path) -> ESPnetENTModel:
    config = yaml.safe_load((_CONF / "tuning" / "train_ent_wav2vec2_base.yaml").read_text())
    config["encoder_conf"] = {**config["encoder_conf"], "model": str(save_model(directory))}
    return build_model({**config, "token_list": TOKENS, "emotion_list": EMOTIONS})


def _model(name: str) -> ESPnetENTModel:
    torch.manual_seed(0)
    config = yaml.safe_load((_CONF / f"{name}.yaml").read_text())
    return build_model({**config, "token_list": TOKENS, "emotion_list": EMOTIONS, "normalize": "utterance_mvn"})


def _batch(seconds: int, number: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    labels = seconds * _LABELS_A_SECOND
    return {
        "speech": 0.1 * torch.randn(number, seconds * _RATE, generator=generator),
        "speech_lengths": torch.full((number,), seconds * _RATE),
        "text": torch.randint(1, len(TOKENS), (number, labels), generator=generator),
        "text_lengths": torch.full((number,), labels),
        "emotion": torch.randint(0, len(EMOTIONS), (number, 1), generator=generator),
    }


def training_table() -> Table:
    """A step (forward, backward, update) of 20 s of audio, by the length of its utterances."""
    rows = []
    for name in ("train_ent_mini", "train_ent", "train_fent"):
        model = _model(name)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
        for seconds in _STEP_SECONDS:
            number = max(_STEP_SECONDS) // seconds
            batch = _batch(seconds, number)
            cost = measure(lambda model=model, optimizer=optimizer, batch=batch: _step(model, optimizer, batch))
            frames = seconds * _RATE // model.encoder.grid.samples_per_frame
            nodes = number * frames * (seconds * _LABELS_A_SECOND + 1)
            audio = number * seconds / 3600
            rows.append((name, f"{number} x {seconds} s", str(nodes), f"{cost.cpu / audio:.0f}", _mib(cost)))
    return Table(("configuration", "batch", "nodes", "s an hour of audio", "MiB at the peak"), tuple(rows))


def _mib(cost: Cost) -> str:
    return f"{cost.peak / 2**20:.0f}"


def _step(model: ESPnetENTModel, optimizer: torch.optim.Optimizer, batch: dict[str, Tensor]) -> None:
    model.train()
    loss, _, _ = model(**batch)
    loss.backward()
    optimizer.step()


@torch.no_grad()
def decoding_table() -> Table:
    """Encoder and greedy search with the emotions of all frames, 4 utterances of 10 s at once."""
    rows = []
    for name in ("train_ent_mini", "train_ent", "train_fent"):
        model = _model(name).eval()
        batch = _batch(10, 4)
        enc = model.encoder(batch["speech"], batch["speech_lengths"])
        case = SearchCase(name, model.transducer, model.emotion_joint, enc, SearchSteps(model.transducer))
        set_label_share(case)
        encoding = measure(lambda model=model, batch=batch: _encode(model, batch))
        search = measure(lambda case=case: fast_search(case))
        hours = 40 / 3600
        rows.append((name, f"{encoding.cpu / hours:.0f}", f"{search.cpu / hours:.0f}"))
    return Table(("configuration", "encoder, s an hour of audio", "search, s an hour of audio"), tuple(rows))


@torch.no_grad()
def _encode(model: ESPnetENTModel, batch: dict[str, Tensor]) -> None:
    model.encoder(batch["speech"], batch["speech_lengths"])
