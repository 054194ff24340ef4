"""An index of any size over a few audio files: start-up, checks and scoring do not depend on what is said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from espnet_ent.data.audio import write_pcm16
from espnet_ent.data.state_store import StateStore, UtteranceStates
from espnet_ent.labels import FOUR_EMOTIONS

RATE = 16000
_NUM_FILES = 50
_OF_ONE_SPEAKER = 100
_OF_ONE_ARK = 500
_WORDS = ["GO", "HOME", "NOW", "AND", "CALL", "ME", "WHEN", "YOU", "ARE", "THERE"]


@dataclass(frozen=True)
class GeneratedSet:
    """Folders of one generated set.

    Attributes:
        data: Data directory, as stages 1 to 4 leave it.
        shapes: Shape files of speech and text, as stage 10 leaves them.
        decoded: Decoding directory; every fifth label and word is wrong.
        cached: Folder of ``states.scp``; its states are two frames of four numbers.
    """

    data: Path
    shapes: tuple[Path, Path]
    decoded: Path
    cached: Path


def make_set(root: Path, number: int) -> GeneratedSet:
    """Write the tables of ``number`` utterances of about 0.3 s each."""
    ids = [f"speaker{index // _OF_ONE_SPEAKER:05d}_u{index:07d}" for index in range(number)]
    files, samples = _write_audio(root / "audio")
    lengths = [samples[index % _NUM_FILES] for index in range(number)]
    texts = [" ".join(_WORDS[index % 4 : index % 4 + 2 + index % 5]) for index in range(number)]
    labels = [FOUR_EMOTIONS.names[index % 4] for index in range(number)]
    speakers = [utt_id.split("_")[0] for utt_id in ids]
    seconds = [length / RATE for length in lengths]
    data, decoded = root / "data", root / "decoded" / "test"
    _write(data / "wav.scp", ids, [files[index % _NUM_FILES] for index in range(number)])
    _write(data / "text", ids, texts)
    _write(data / "utt2emo", ids, labels)
    _write(data / "utt2spk", ids, speakers)
    _write(data / "utt2num_samples", ids, lengths)
    _write(data / "emo_segments", ids, [f"0.05 0.20 {label}" for label in labels])
    by_speaker: dict[str, list[str]] = {}
    for speaker, utt_id in zip(speakers, ids, strict=True):
        by_speaker.setdefault(speaker, []).append(utt_id)
    _write(data / "spk2utt", list(by_speaker), [" ".join(of_one) for of_one in by_speaker.values()])
    FOUR_EMOTIONS.write(root / "emotion_list")
    wrong = [labels[index - 1] if index % 5 == 0 else label for index, label in enumerate(labels)]
    _write(decoded / "text", ids, [text + " NO" if index % 5 == 0 else text for index, text in enumerate(texts)])
    _write(decoded / "utt2emo", ids, wrong)
    _write(decoded / "utt2duration", ids, [f"{value:.4f}" for value in seconds])
    _write(decoded / "emo_segments", ids, [f"0.05 0.25 {label}" for label in wrong])
    shapes = root / "speech_shape", root / "text_shape"
    _write(shapes[0], ids, lengths)
    _write(shapes[1], ids, [f"{len(text)},30" for text in texts])
    return GeneratedSet(data, shapes, decoded, _cache(root, ids))


def _write_audio(folder: Path) -> tuple[list[Path], list[int]]:
    generator = np.random.default_rng(0)
    files = [folder / f"{index}.wav" for index in range(_NUM_FILES)]
    samples = [4000 + 40 * index for index in range(_NUM_FILES)]
    folder.mkdir(parents=True)
    for path, length in zip(files, samples, strict=True):
        write_pcm16(path, 0.1 * generator.standard_normal(length).astype(np.float32), RATE, "wav")
    return files, samples


def _write(path: Path, ids: list[str], values: list) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{utt_id} {value}\n" for utt_id, value in zip(ids, values, strict=True)))


def _cache(root: Path, ids: list[str]) -> Path:
    store = StateStore(root / "store", {"encoder": "generated"})
    store.describe()
    states = UtteranceStates(np.zeros((2, 1, 4), np.float16), np.zeros((2, 2), np.float16), 640)
    places: dict[str, str] = {}
    for start in range(0, len(ids), _OF_ONE_ARK):
        part = ids[start : start + _OF_ONE_ARK]
        ark = store.write([(utt_id, f"{start + index:064x}", states) for index, utt_id in enumerate(part)])
        lines = ark.with_suffix(".index").read_text().splitlines()[:-1]
        places.update((utt_id, f"{ark}:{line.split()[2]}") for utt_id, line in zip(part, lines, strict=True))
    _write(root / "cached" / "states.scp", ids, list(places.values()))
    return root / "cached"
