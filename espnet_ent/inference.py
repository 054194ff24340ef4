"""Transcribe recordings with a trained model: text, emotion, and an emotion timeline."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from espnet_ent.data.audio import audio_info, read_audio
from espnet_ent.data.transcript import EmotionTranscript, Word
from espnet_ent.data.words import group_words
from espnet_ent.errors import AudioError, CheckpointError, ConfigError
from espnet_ent.frames import FrameGrid, samples_to_seconds, seconds_to_samples
from espnet_ent.labels import EmotionInventory
from espnet_ent.metrics.calibration import RAW, Calibration, read_calibration_of
from espnet_ent.plugin.builder import build_model
from espnet_ent.plugin.checkpoints import load_state
from espnet_ent.plugin.model import ESPnetENTModel
from espnet_ent.search.greedy import greedy_search
from espnet_ent.search.hypothesis import Hypothesis
from espnet_ent.search.smoothing import Smoothing
from espnet_ent.search.steps import SearchSteps
from espnet_ent.timeline import EmotionTimeline
from espnet_ent.transducer.states import EncoderStates

SHORTEST_SECONDS = 0.2
"""Shorter recordings are padded with silence to this length: encoders need a few frames."""
EMOTION_PATHS = ("best", "lattice")
DEFAULT_CHECKPOINT = "valid.loss.ave.pth"


@dataclass(frozen=True)
class InferenceConfig:
    """Options of decoding.

    Attributes:
        max_symbols_per_frame: Most labels that one frame may emit.
        emotion_path: ``best``: a frame's emotion is read where the search left the frame; ``lattice``: expected over
            all alignments of the decoded text.
        smoothing: ``none | median | min_duration | viterbi``, of the emotion timeline.
        smoothing_frames: Width of the median filter, or the shortest segment.
        self_loop: Probability with which an emotion stays from one frame to the next (``viterbi``).
    """

    max_symbols_per_frame: int = 32
    emotion_path: str = "best"
    smoothing: str = "none"
    smoothing_frames: int = 11
    self_loop: float = 0.9

    @property
    def of_timeline(self) -> Smoothing:
        """How frames become segments."""
        return Smoothing(self.smoothing, self.smoothing_frames, self.self_loop)

    def __post_init__(self) -> None:
        _ = self.of_timeline  # refuses what makes no sense
        if self.emotion_path not in EMOTION_PATHS:
            raise ConfigError("unknown emotion_path", expected=" | ".join(EMOTION_PATHS), got=repr(self.emotion_path))

    @classmethod
    def read(cls, path: str | Path) -> InferenceConfig:
        """Read a YAML file.

        Raises:
            ConfigError: If the file is missing or holds an unknown key.
        """
        values = read_yaml(path)
        known = [field.name for field in fields(cls)]
        for key in values:
            if key not in known:
                raise ConfigError(f"unknown option {key!r}", where=path, expected=f"one of {' '.join(known)}")
        limit = values.get("max_symbols_per_frame", 1)
        if type(limit) is not int or limit < 1:
            raise ConfigError(
                "not a whole number of at least 1", where=f"{path}: max_symbols_per_frame", got=repr(limit)
            )
        return cls(**values)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """A YAML mapping.

    Raises:
        ConfigError: If the file is missing or is not a mapping.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError("configuration is missing", where=path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise ConfigError("configuration is not YAML", where=path, got=error) from error
    if not isinstance(values, dict):
        raise ConfigError("configuration is not a mapping", where=path, got=type(values).__name__)
    return values


class EmotionTranscriber:
    """A model, ready to transcribe. Calls are deterministic.

    Args:
        model: Built and loaded model.
        config: Options of decoding.
        device: Where to compute.
        calibration: Temperatures of the probabilities that are told; labels and timelines are those without.

    A model that was trained without one of its losses does not tell what that loss teaches: no words (an empty text)
    without the transducer loss, no timeline without the lattice loss, no emotion without the utterance loss.

    Raises:
        ConfigError: If there is no such device.
    """

    def __init__(
        self,
        model: ESPnetENTModel,
        config: InferenceConfig | None = None,
        device: str = "cpu",
        calibration: Calibration = RAW,
    ) -> None:
        if torch.device(device).type == "cuda" and not torch.cuda.is_available():
            raise ConfigError("no GPU is usable here", where="device", got=device, next_step="--gpu_inference false")
        self.model = model.to(device).eval()
        self.config = config or InferenceConfig()
        self.device = torch.device(device)
        self.calibration = calibration
        self._steps = SearchSteps(self.model.transducer)

    @classmethod
    def from_pretrained(
        cls,
        directory: str | Path,
        checkpoint: str = DEFAULT_CHECKPOINT,
        config: InferenceConfig | None = None,
        device: str = "cpu",
        calibration: bool = True,
    ) -> EmotionTranscriber:
        """Load an experiment directory.

        Args:
            directory: A training run's output: ``config.yaml`` and checkpoints.
            checkpoint: File name of the checkpoint in ``directory``.
            config: Options of decoding.
            device: Where to compute.
            calibration: Apply the temperatures of ``calibration.json`` in ``directory``, if they are there and were
                fitted for this checkpoint; otherwise probabilities are raw.

        Raises:
            ConfigError: If the configuration is missing or wrong.
            CheckpointError: If the checkpoint or ``calibration.json`` is damaged, the checkpoint is missing or does not
                fit.
        """
        directory = Path(directory)
        training = read_yaml(directory / "config.yaml")
        if not (directory / checkpoint).is_file():
            raise CheckpointError(
                "checkpoint is missing",
                where=directory / checkpoint,
                next_step="rerun stage 11 (training), or choose one with --inference_ent_model",
            )
        model = build_model(training, weights_follow=True)
        load_state(model, directory / checkpoint)
        return cls(model, config, device, read_calibration_of(directory, checkpoint) if calibration else RAW)

    @property
    def emotions(self) -> EmotionInventory:
        """The emotions that the model tells apart."""
        return self.model.emotions

    @property
    def grid(self) -> FrameGrid:
        """Time grid of the encoder's frames."""
        return self.model.encoder.grid

    def __call__(self, audio: str | Path | np.ndarray) -> EmotionTranscript:
        """Transcribe one recording.

        Args:
            audio: A path, resampled where needed (with a warning where its rate is below the model's), or float32
                samples (N,) at the model's rate.

        Raises:
            AudioError: If the file can't be read.
        """
        if isinstance(audio, (str, Path)):
            self._warn_of_rate(audio)
            audio = read_audio(str(audio), self.grid.sample_rate, resample=True)
        return self.transcribe(audio)

    def _warn_of_rate(self, path: str | Path) -> None:
        rate, wanted = audio_info(path).sample_rate, self.grid.sample_rate
        if rate < wanted:
            logging.warning(
                f"{path}: {rate} Hz is below the model's {wanted} Hz; nothing above {rate // 2} Hz is in it, and the "
                "model has learned from speech where something is"
            )

    def transcribe(self, samples: np.ndarray) -> EmotionTranscript:
        """Transcribe samples (N,) in [-1, 1] at the model's rate.

        Raises:
            AudioError: If they are not a row of finite floating-point numbers.
        """
        return self.transcribe_batch([samples])[0]

    @torch.no_grad()
    def transcribe_batch(self, recordings: Sequence[np.ndarray]) -> list[EmotionTranscript]:
        """Transcribe several recordings, searched together; arguments and errors as :meth:`transcribe`.

        Each is encoded by itself: ESPnet's convolutions let padding into the last frames of an utterance, and what is
        said in one recording must not depend on the length of another.
        """
        encoded = [self._encode(samples) for samples in recordings]
        hypotheses = self._search(encoded)
        durations = [samples_to_seconds(len(samples), self.grid.sample_rate) for samples in recordings]
        return [self._transcript(*parts) for parts in zip(encoded, hypotheses, durations, strict=True)]

    def _encode(self, samples: np.ndarray) -> EncoderStates:
        """Encoder states of one recording."""
        if samples.ndim != 1 or samples.size == 0 or not np.issubdtype(samples.dtype, np.floating):
            raise AudioError(
                "not mono floating-point samples", expected="float32 (N,)", got=f"{samples.dtype} {samples.shape}"
            )
        if not np.isfinite(samples).all():
            raise AudioError("samples are not finite")
        shortest = seconds_to_samples(SHORTEST_SECONDS, self.grid.sample_rate)
        if len(samples) < shortest:
            samples = np.pad(samples, (0, shortest - len(samples)))
        speech = torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32)).to(self.device)
        return self.model.encoder(speech.unsqueeze(0), torch.tensor([len(samples)], device=self.device))

    def _search(self, encoded: Sequence[EncoderStates]) -> list[Hypothesis]:
        if self.model.losses.transducer_weight > 0:
            padded = EncoderStates(
                h=pad_sequence([enc.h[0] for enc in encoded], batch_first=True),
                h_emo=pad_sequence([enc.h_emo[0] for enc in encoded], batch_first=True),
                lengths=torch.cat([enc.lengths for enc in encoded]),
            )
            return greedy_search(self.model.transducer, padded, self.config.max_symbols_per_frame, self._steps)
        # An untrained transducer has nothing to say.
        return [Hypothesis((), (), (0,) * int(enc.lengths[0]), 0.0) for enc in encoded]

    def _transcript(self, enc: EncoderStates, hypothesis: Hypothesis, duration: float) -> EmotionTranscript:
        labels = torch.tensor([hypothesis.tokens], dtype=torch.long, device=self.device)
        posteriors = self._utterance_posteriors(enc, labels)
        raw_frames = self._frame_posteriors(enc, labels, hypothesis)
        frames = self.calibration.of_frames(raw_frames)
        words = self._words(hypothesis, frames, duration)
        return EmotionTranscript(
            text=" ".join(word.word for word in words),
            emotion=None if posteriors is None else self.emotions.names[int(posteriors.argmax())],
            posteriors=self.calibration.of_utterance(posteriors),
            words=words,
            timeline=None if raw_frames is None else self._timeline(raw_frames, duration),
            frame_posteriors=frames,
            duration=duration,
        )

    def _utterance_posteriors(self, enc: EncoderStates, labels: Tensor) -> np.ndarray | None:
        """(E,) probabilities; None without an utterance head."""
        if self.model.utterance_head is None:
            return None
        num_labels = torch.tensor([labels.size(1)], device=self.device)
        return self.model.classify(enc, labels, num_labels)[0].softmax(dim=-1).cpu().numpy()

    def _frame_posteriors(self, enc: EncoderStates, labels: Tensor, hypothesis: Hypothesis) -> np.ndarray | None:
        """(T, E) probabilities of each frame; None without an emotion lattice."""
        if self.model.emotion_joint is None:
            return None
        if self.config.emotion_path == "lattice" and self.model.losses.transducer_weight > 0:
            return self.model.expected_emotions(enc, labels)[0].cpu().numpy()
        nodes = torch.tensor([hypothesis.nodes], device=self.device)
        return self.model.node_emotions(enc, labels, nodes)[0].exp().cpu().numpy()

    def _timeline(self, frames: np.ndarray, duration: float) -> EmotionTimeline:
        labels = [self.emotions.names[index] for index in self.config.of_timeline.labels(frames)]
        return EmotionTimeline.from_frames(labels, self.grid, duration, self.emotions.neutral)

    def _words(self, hypothesis: Hypothesis, frames: np.ndarray | None, duration: float) -> tuple[Word, ...]:
        tokens = [self.model.tokens[index] for index in hypothesis.tokens]
        words = []
        for word in group_words(tokens, hypothesis.token_frames):
            scores = [hypothesis.token_scores[position] for position in word.tokens]
            emotions = None if frames is None else frames[word.first_frame : word.last_frame + 1].mean(axis=0)
            words.append(
                Word(
                    start=min(self.grid.frame_start(word.first_frame), duration),
                    end=min(self.grid.frame_start(word.last_frame + 1), duration),
                    word=word.word,
                    confidence=float(np.exp(np.mean(scores))),
                    emotion=None if emotions is None else self.emotions.names[int(emotions.argmax())],
                    emotion_probability=None if emotions is None else float(emotions.max()),
                )
            )
        return tuple(words)
