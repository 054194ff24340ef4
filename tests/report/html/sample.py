"""Runs and recordings for the tests of pages, and what a reader of HTML finds in a page."""

from __future__ import annotations

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from espnet_ent.data.transcript import EmotionTranscript, Word
from espnet_ent.frames import FrameGrid
from espnet_ent.labels import FOUR_EMOTIONS
from espnet_ent.metrics.calibration import Calibration
from espnet_ent.metrics.scoring import score_directories, to_json
from espnet_ent.timeline import EmotionSegment, EmotionTimeline
from tests.metrics.confident_pair import CHECKPOINT, write_confident_pair
from tests.metrics.oracles import write_lines, write_words

SECONDS = {"a1": 1.22, "a2": 2.0, "b1": 2.0, "b2": 1.0}
HOSTILE = "x</script><script>window.pwned=1</script>"
"""An utterance's name, a word, a speaker: without white space, and nothing that data directories refuse."""
GRID = FrameGrid(16000, 1600)


def tone(seconds: float, hertz: float = 220.0, sample_rate: int = 16000) -> np.ndarray:
    """float32 samples of a tone that swells."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    return (0.5 * time / seconds * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def write_run(root: Path, *, sets: tuple[str, ...] = ("test",), hostile: bool = False) -> tuple[Path, Path]:
    """A scored experiment with audio, words, probabilities and learning curves.

    Args:
        root: Where to write.
        sets: Names of its sets; all hold the same.
        hostile: Whether utterance ``a1`` has the name, a word and the speaker :data:`HOSTILE`.

    Returns:
        The experiment, and the directory of the data directories.
    """
    experiment, data = root / "exp" / "ent_tiny", root / "dump"
    for name in sets:
        reference, hypothesis = write_confident_pair(root, name)
        write_words(reference, hypothesis)
        lines = []
        for number, (utt, seconds) in enumerate(SECONDS.items()):
            path = root / "audio" / name / f"{utt}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, tone(seconds, 220 * (number + 1)), 16000)
            lines.append(f"{utt} {path}")
        write_lines(reference / "wav.scp", *lines)
        if hostile:
            for directory in (reference, hypothesis):
                _make_hostile(directory)
        Calibration(2.0, 1.5, 30, 300, "dev", CHECKPOINT).write(root / "calibration.json")
        lists = (root / "emotion_list", root / "train_utt2emo", "valid.loss.ave.pth", root / "calibration.json")
        results = to_json(score_directories(reference, hypothesis, *lists))
        decoded = experiment / "decode_greedy" / name
        shutil.copytree(hypothesis, decoded)
        write_lines(decoded / "score" / "results.json", results.rstrip("\n"))
    write_lines(experiment / "config.yaml", "config: conf/train_tiny.yaml", "seed: 7")
    stats = {
        epoch: {"train": {"loss": 3.0 / epoch, "total_count": 4}, "valid": {"loss": 4.0 / epoch, "acc_emotion": 0.5}}
        for epoch in (1, 2, 3)
    }
    torch.save({"model": {}, "reporter": {"epoch": 3, "stats": stats}}, experiment / "checkpoint.pth")
    return experiment, data


def _make_hostile(directory: Path) -> None:
    """Rename ``a1``, its speaker and its word ``DOOR``; arks are read by place, not by name."""
    for path in directory.iterdir():
        if path.suffix in (".ark", ".json") or path.is_dir():
            continue
        lines = path.read_text().splitlines()
        lines = [f"{HOSTILE}{line[2:]}".replace("DOOR", HOSTILE) if line.startswith("a1 ") else line for line in lines]
        if path.name == "utt2spk":
            lines = [line.replace(f"{HOSTILE} a", f"{HOSTILE} {HOSTILE}") for line in lines]
        write_lines(path, *lines)


def transcript(word: str = "HELLO", seconds: float = 1.0) -> EmotionTranscript:
    """What a model might say of a recording: two words, a change of emotion, ten frames a second."""
    frames = np.tile(np.array([[0.1, 0.6, 0.1, 0.2]], np.float32), (round(10 * seconds), 1))
    return EmotionTranscript(
        text=f"{word} THERE",
        emotion="ang",
        posteriors=np.array([0.2, 0.5, 0.2, 0.1], np.float32),
        words=(Word(0.1, 0.4, word, 0.9, "ang", 0.6), Word(0.4, 0.8, "THERE", 0.8, "neu", 0.5)),
        timeline=EmotionTimeline.from_segments([EmotionSegment(0.0, 0.4, "ang")], seconds, FOUR_EMOTIONS.neutral),
        frame_posteriors=frames,
        duration=seconds,
    )


class Page(HTMLParser):
    """What a parser of HTML finds: elements, JSON by identifier, and text outside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.data: dict[str, Any] = {}
        self.scripts: list[str] = []
        self.text = ""
        self._inside: tuple[str, dict[str, str | None]] | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside = self.elements[-1]

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside is None:
            self.text += data
        elif self._inside[1].get("type") == "application/json":
            self.data[self._inside[1]["id"]] = json.loads(data)
        elif self._inside[0] == "script":
            self.scripts.append(data)

    def attribute_values(self, *names: str) -> list[str]:
        """Values of these attributes anywhere."""
        return [value or "" for _, attributes in self.elements for key, value in attributes.items() if key in names]
