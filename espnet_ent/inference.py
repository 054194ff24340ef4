"""Transcribe recordings with a trained model: text, emotion, and an emotion timeline."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from espnet_ent.data.audio_input import Audio, recording_of
from espnet_ent.data.emotion_lattice import EmotionLattice
from espnet_ent.data.recording import Recording, low_rate_note
from espnet_ent.data.transcript import Alternative, EmotionTranscript, Word
from espnet_ent.data.words import group_words, word_ends
from espnet_ent.errors import AudioError, ConfigError
from espnet_ent.frames import FrameGrid, samples_to_seconds, seconds_to_samples
from espnet_ent.inference_config import InferenceConfig
from espnet_ent.labels import EmotionInventory
from espnet_ent.metrics.calibration import RAW, Calibration, read_calibration_of
from espnet_ent.plugin.builder import build_model
from espnet_ent.plugin.checkpoints import load_state
from espnet_ent.plugin.language_model import load_lm_scorer
from espnet_ent.plugin.model import ESPnetENTModel
from espnet_ent.plugin.packs import DEFAULT_CHECKPOINT, open_pack
from espnet_ent.search.beam import LabelScorer, beam_search
from espnet_ent.search.ctc_greedy import ctc_greedy_search
from espnet_ent.search.greedy import greedy_search
from espnet_ent.search.hypothesis import Hypothesis, joined
from espnet_ent.search.steps import SearchSteps
from espnet_ent.timeline import EmotionTimeline
from espnet_ent.transducer.prediction import PredictionStart
from espnet_ent.transducer.states import EncoderStates
from espnet_ent.windows import Window, plan_windows

__all__ = ["DEFAULT_CHECKPOINT", "EmotionTranscriber", "InferenceConfig"]

_logger = logging.getLogger(__name__)
SHORTEST_SECONDS = 0.2
"""Shorter recordings are padded with silence to this length: encoders need a few frames."""
SILENCE = 1e-4
"""Recordings whose samples nowhere exceed this (-80 dB of full scale) are not searched."""


@dataclass(frozen=True, eq=False)
class _Part:
    """What a window gave: hypotheses best first, posteriors of the utterance (E,) and of its frames (T, E)."""

    hypotheses: list[Hypothesis]
    posteriors: np.ndarray | None
    frames: np.ndarray | None


class EmotionTranscriber:
    """A model, ready to transcribe. Calls are deterministic.

    Args:
        model: Built and loaded model.
        config: Options of decoding.
        device: Where to compute.
        lm: A language model for shallow fusion in a beam search.
        calibration: Temperatures of the probabilities that are told; labels and timelines are those without.

    A model that was trained without one of its losses does not tell what that loss teaches: no words (an empty text)
    without the transducer or the CTC loss, no timeline without the lattice loss, no emotion without the utterance loss.
    Where both are there, words come from the transducer.

    Attributes:
        seconds: Time spent so far on ``encoding``, ``search`` and ``emotions``.
        low_rates: How many recordings of a lower sampling rate calls were given so far, by rate in Hz.

    Raises:
        ConfigError: If there is no such device, or a language model without a beam search.
    """

    def __init__(
        self,
        model: ESPnetENTModel,
        config: InferenceConfig | None = None,
        device: str = "cpu",
        lm: LabelScorer | None = None,
        calibration: Calibration = RAW,
    ) -> None:
        _check_device(device)
        self.model = model.to(device).eval()
        self.config = config or InferenceConfig()
        if lm is not None and self.config.beam_size == 1:
            raise ConfigError(
                "a language model needs a beam search",
                expected="beam_size of more than 1",
                got="greedy search",
                next_step="--inference_config conf/decode_beam.yaml",
            )
        self.device = torch.device(device)
        self.lm = lm
        self.seconds: Counter[str] = Counter()
        self.low_rates: Counter[int] = Counter()
        self.calibration = calibration
        self._steps = None if self.model.transducer is None else SearchSteps(self.model.transducer)
        if self._steps is None and self.config.beam_size > 1:
            raise ConfigError("a beam search needs a transducer", expected="beam_size 1", got=self.config.beam_size)

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        checkpoint: str | None = None,
        config: InferenceConfig | None = None,
        device: str = "cpu",
        lm: LabelScorer | tuple[str, str] | None = None,
        calibration: bool = True,
    ) -> EmotionTranscriber:
        """Load a model.

        Args:
            source: A training run's output, a packed model (zip, tar or unpacked), or a hub id (``user/name``).
            checkpoint: File name of the checkpoint; None: ``valid.loss.ave.pth``, or that of the packed model.
            config: Options of decoding; None: those that a packed model tells, or the defaults.
            device: Where to compute.
            lm: A language model over the model's tokens, for shallow fusion in a beam search, or directory and
                checkpoint's name of its training; None: that of the packed model, if there is one.
            calibration: Apply the temperatures of ``calibration.json`` beside the checkpoint, if they are there and
                were fitted for it; otherwise probabilities are raw.

        Raises:
            ConfigError: If there is no such model, or its configuration is missing or wrong.
            CheckpointError: If the checkpoint or ``calibration.json`` is damaged, the checkpoint is missing or does not
                fit, or a packed model is not to be trusted.
        """
        with open_pack(source, checkpoint) as packed:
            model = build_model(packed.config, weights_follow=True)
            load_state(model, packed.checkpoint)
            temperatures = read_calibration_of(packed.directory, packed.checkpoint.name) if calibration else RAW
            if config is None and packed.inference is not None:
                config = InferenceConfig.read(packed.inference)
            if lm is None and config is not None and config.beam_size > 1:
                lm = packed.lm
            if isinstance(lm, tuple):
                lm = load_lm_scorer(*lm, model.tokens, device)
        return cls(model, config, device, lm, temperatures)

    @property
    def emotions(self) -> EmotionInventory:
        """The emotions that the model tells apart."""
        return self.model.emotions

    @property
    def grid(self) -> FrameGrid:
        """Time grid of the encoder's frames."""
        return self.model.encoder.grid

    @overload
    def __call__(self, audio: Audio, sample_rate: int | None = None, batch_size: int = 8) -> EmotionTranscript: ...

    @overload
    def __call__(
        self, audio: list[Audio], sample_rate: int | None = None, batch_size: int = 8
    ) -> list[EmotionTranscript]: ...

    def __call__(
        self, audio: Audio | list[Audio], sample_rate: int | None = None, batch_size: int = 8
    ) -> EmotionTranscript | list[EmotionTranscript]:
        """Transcribe a recording, or several of a list.

        Args:
            audio: A path, the content of a file or an open binary file, in any format that libsndfile reads; samples
                (N,) or (N, channels), floating-point or whole numbers of full scale; or a pair (samples, rate). Where
                needed they are averaged over channels and resampled; the first call with recordings of a rate below the
                model's warns of them, later ones count them in ``low_rates``. A path is read window by window.
            sample_rate: Rate of samples that come without one; None: the model's.
            batch_size: Recordings of a list that are searched together.

        Returns:
            A transcript, or a list of them for a list.

        Raises:
            AudioError: If audio can't be read.
        """
        if not isinstance(audio, list):
            recording = recording_of(audio, self.grid.sample_rate, sample_rate)
            (transcript,) = self.transcribe_recordings([recording])
            self._count_low_rates([recording.low_rate])
            return transcript
        found, rates = [], []
        for first in range(0, len(audio), batch_size):
            recordings = []
            for number, one in enumerate(audio[first : first + batch_size], first):
                try:
                    recordings.append(recording_of(one, self.grid.sample_rate, sample_rate))
                except AudioError as error:
                    if isinstance(one, (str, Path)):
                        raise
                    raise error.at(f"recording {number} of the list") from None
            found += self.transcribe_recordings(recordings)
            rates += [recording.low_rate for recording in recordings]
        self._count_low_rates(rates)
        return found

    def _count_low_rates(self, rates: Sequence[int | None]) -> None:
        """Count what lacks a part of speech; the first time, warn of it."""
        is_new = not self.low_rates
        self.low_rates.update(rate for rate in rates if rate is not None)
        if is_new and self.low_rates:
            _logger.warning(low_rate_note(self.low_rates, self.grid.sample_rate))

    def transcribe(self, samples: np.ndarray) -> EmotionTranscript:
        """Transcribe samples (N,) in [-1, 1] at the model's rate; none at all give an empty transcript.

        Raises:
            AudioError: If they are not a row of finite floating-point numbers.
        """
        return self.transcribe_batch([samples])[0]

    def transcribe_batch(self, recordings: Sequence[np.ndarray]) -> list[EmotionTranscript]:
        """Transcribe several recordings, searched together; arguments and errors as :meth:`transcribe`.

        Each is encoded by itself: ESPnet's convolutions let padding into the last frames of an utterance, and what is
        said in one recording must not depend on the length of another.
        """
        for samples in recordings:
            if samples.ndim != 1 or not np.issubdtype(samples.dtype, np.floating):
                raise AudioError(
                    "not mono floating-point samples", expected="float32 (N,)", got=f"{samples.dtype} {samples.shape}"
                )
        return self.transcribe_recordings([Recording.of_samples(samples) for samples in recordings])

    @torch.no_grad()
    def emotion_lattice(self, recording: Recording) -> EmotionLattice | None:
        """The whole emotion lattice of a recording, over the text that the search finds in it.

        Probabilities are raw. None for a model without an emotion lattice (frame-wise ones included), and for a
        recording that is longer than a window, of which there is no lattice as a whole.

        Raises:
            AudioError: If samples are not finite or can't be read.
        """
        windows = plan_windows(
            recording.num_samples, self.grid, self.config.window_seconds, self.config.context_seconds
        )
        joint = self.model.emotion_joint
        if joint is None or joint.is_frame_wise or len(windows) > 1:
            return None
        enc, loudest = self._encode(recording, windows[0])
        ((best, *_),) = self._search([enc], [loudest <= SILENCE])
        g = self.model.emotion_states(*self._labels(best.tokens))
        columns = [
            self.model.node_emotions(enc, g, torch.full((1, best.num_frames), column, device=self.device))[0]
            for column in range(g.size(1))
        ]
        return EmotionLattice(
            probabilities=torch.stack(columns, dim=1).exp().cpu().numpy(),
            tokens=tuple(self.model.tokens[index] for index in best.tokens),
            nodes=best.nodes,
            grid=self.grid,
        )

    @torch.no_grad()
    def transcribe_recordings(
        self, recordings: Sequence[Recording], emotion_texts: Sequence[Sequence[int]] | None = None
    ) -> list[EmotionTranscript]:
        """Transcribe recordings at the model's rate: those of one window together, longer ones window by window.

        Args:
            recordings: The recordings.
            emotion_texts: For each recording the labels that the utterance head sees in place of what is recognised.

        Raises:
            AudioError: If samples are not finite or can't be read.
            ConfigError: If such a text is given for a recording that is longer than a window.
        """
        config = self.config
        plans = [
            plan_windows(recording.num_samples, self.grid, config.window_seconds, config.context_seconds)
            for recording in recordings
        ]
        loudest = [0.0] * len(recordings)
        found: list[list[_Part]] = [[] for _ in recordings]
        short = [number for number, windows in enumerate(plans) if len(windows) == 1]
        if short:
            encoded = []
            for number in short:
                enc, loudest[number] = self._encode(recordings[number], plans[number][0])
                encoded.append(enc)
            hypotheses = self._search(encoded, [loudest[number] <= SILENCE for number in short])
            for number, enc, nbest in zip(short, encoded, hypotheses, strict=True):
                emotion_text = None if emotion_texts is None else emotion_texts[number]
                found[number].append(self._part(enc, nbest, emotion_text=emotion_text))
        for number in sorted(set(range(len(recordings))) - set(short)):
            if emotion_texts is not None:
                raise ConfigError(
                    "a text for the emotion head is for recordings of one window",
                    expected=f"at most {config.window_seconds:g} s",
                    got=f"{samples_to_seconds(recordings[number].num_samples, self.grid.sample_rate):.1f} s",
                    next_step="raise --window_seconds",
                )
            found[number], loudest[number] = self._window_by_window(recordings[number], plans[number])
        return [self._transcript(*parts) for parts in zip(recordings, found, loudest, strict=True)]

    def _window_by_window(self, recording: Recording, windows: Sequence[Window]) -> tuple[list[_Part], float]:
        """Parts of a long recording, and its loudest sample; the prediction networks go on from window to window."""
        start = None if self._steps is None else self._steps.start(1)
        parts, loudest = [], 0.0
        for window in windows:
            enc, peak = self._encode(recording, window)
            if not int(enc.lengths[0]):
                continue  # encoders lose frames at the end
            ((best, *_),) = self._search([enc], [peak <= SILENCE], start)
            parts.append(self._part(enc, [best], start))
            start = None if self._steps is None else self._steps.after(start, best.tokens)
            loudest = max(loudest, peak)
        return parts, loudest

    def _encode(self, recording: Recording, window: Window) -> tuple[EncoderStates, float]:
        """Encoder states of a window's own frames, and its loudest sample."""
        with self._timed("reading"):
            samples = recording.read(window.start, window.end)
        if not np.isfinite(samples).all():
            raise AudioError("samples are not finite")
        loudest = float(np.abs(samples).max(initial=0.0))
        shortest = seconds_to_samples(SHORTEST_SECONDS, self.grid.sample_rate)
        if len(samples) < shortest:
            samples = np.pad(samples, (0, shortest - len(samples)))
        with self._timed("encoding"):
            speech = torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32)).to(self.device)
            enc = self.model.encoder(speech.unsqueeze(0), torch.tensor([len(samples)], device=self.device))
        return enc.cut(window.first_frame, window.last_frame), loudest

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds[part] += time.perf_counter() - begin

    def _search(
        self, encoded: Sequence[EncoderStates], is_silent: Sequence[bool], start: PredictionStart | None = None
    ) -> list[list[Hypothesis]]:
        """Hypotheses of each recording, best first; nothing is said in silence, or by a model without words."""
        found = [[Hypothesis((), (), (0,) * int(enc.lengths[0]), 0.0)] for enc in encoded]
        heard = [number for number, silent in enumerate(is_silent) if not silent]
        if not self.model.tells_words or not heard:
            return found
        with self._timed("search"):
            padded = EncoderStates(
                h=pad_sequence([encoded[number].h[0] for number in heard], batch_first=True),
                h_emo=pad_sequence([encoded[number].h_emo[0] for number in heard], batch_first=True),
                lengths=torch.cat([encoded[number].lengths for number in heard]),
            )
            transducer, config = self.model.transducer, self.config
            if self.model.losses.transducer_weight <= 0:
                results = [[one] for one in ctc_greedy_search(self.model.ctc(padded.h), padded.lengths)]
            elif config.beam_size > 1:
                results = beam_search(transducer, padded, config.of_beam, self._steps, self.lm, start)
            else:
                greedy = greedy_search(transducer, padded, config.max_symbols_per_frame, self._steps, start)
                results = [[hypothesis] for hypothesis in greedy]
        for number, nbest in zip(heard, results, strict=True):
            found[number] = nbest
        return found

    def _part(
        self,
        enc: EncoderStates,
        nbest: list[Hypothesis],
        start: PredictionStart | None = None,
        emotion_text: Sequence[int] | None = None,
    ) -> _Part:
        with self._timed("emotions"):
            labels, num_labels = self._labels(nbest[0].tokens)
            if nbest[0].states is None:
                g = self.model.emotion_states(labels, num_labels, start)
            else:
                g = nbest[0].states.unsqueeze(0)
            posteriors = frames = None
            if self.model.utterance_head is not None:
                of_head = (g, labels, num_labels)
                if emotion_text is not None:
                    given = self._labels(emotion_text)
                    of_head = (self.model.emotion_states(*given), *given)
                posteriors = self.model.classify(enc, *of_head)[0].softmax(dim=-1).cpu().numpy()
            if self.model.emotion_joint is not None:
                if self.config.emotion_path == "lattice" and self.model.has_alignments:
                    frames = self.model.expected_emotions(enc, labels, start)[0]
                else:
                    nodes = torch.tensor([nbest[0].nodes], device=self.device)
                    frames = self.model.node_emotions(enc, g, nodes)[0].exp()
            # Without their states, whose number grows with the text.
            hypotheses = [replace(hypothesis, states=None) for hypothesis in nbest]
            return _Part(hypotheses, posteriors, None if frames is None else frames.cpu().numpy())

    def _labels(self, tokens: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Labels (1, U) and their number (1,)."""
        labels = torch.tensor([tuple(tokens)], dtype=torch.long, device=self.device)
        return labels, torch.tensor([labels.size(1)], device=self.device)

    def _transcript(self, recording: Recording, parts: Sequence[_Part], loudest: float) -> EmotionTranscript:
        """Parts put together; the emotion of a long recording is the mean over its frames of that of their windows.

        A recording without a sample has no emotion and no frame: the model would tell that of silence.
        """
        is_empty = recording.num_samples == 0
        duration = samples_to_seconds(recording.num_samples, self.grid.sample_rate)
        hypothesis = joined([part.hypotheses[0] for part in parts])
        posteriors = raw_frames = None
        if parts[0].posteriors is not None and not is_empty:
            weights = [max(1, part.hypotheses[0].num_frames) for part in parts]
            posteriors = np.average([part.posteriors for part in parts], axis=0, weights=weights).astype(np.float32)
        if parts[0].frames is not None:
            raw_frames = np.concatenate([part.frames for part in parts])[: 0 if is_empty else None]
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
            nbest=self._alternatives(parts),
            remark=_remark(recording, loudest, self.grid.sample_rate),
            emotions=self.emotions.names,
            grid=self.grid,
            neutral=self.emotions.neutral,
        )

    def _alternatives(self, parts: Sequence[_Part]) -> tuple[Alternative, ...]:
        """As many as asked for: what the search did not find is empty and impossible."""
        if self.config.nbest == 1:
            return ()
        hypotheses = [joined([part.hypotheses[0] for part in parts])] if len(parts) > 1 else parts[0].hypotheses
        found = [
            Alternative(self._text(one), one.score if one.total_score is None else one.total_score)
            for one in hypotheses
        ]
        return tuple(found + [Alternative("", -math.inf)] * (self.config.nbest - len(found)))

    def _text(self, hypothesis: Hypothesis) -> str:
        tokens = [self.model.tokens[index] for index in hypothesis.tokens]
        return " ".join(word.word for word in group_words(tokens, hypothesis.token_frames))

    def _timeline(self, frames: np.ndarray, duration: float) -> EmotionTimeline:
        if duration == 0:
            return EmotionTimeline(0.0, (), self.emotions.neutral)
        labels = [self.emotions.names[index] for index in self.config.of_timeline.labels(frames)]
        return EmotionTimeline.from_frames(labels, self.grid, duration, self.emotions.neutral)

    def _words(self, hypothesis: Hypothesis, frames: np.ndarray | None, duration: float) -> tuple[Word, ...]:
        tokens = [self.model.tokens[index] for index in hypothesis.tokens]
        words = []
        longest = self.grid.frame_at(self.config.longest_word_seconds)
        for word, end in word_ends(group_words(tokens, hypothesis.token_frames), hypothesis.num_frames, longest):
            scores = [hypothesis.token_scores[position] for position in word.tokens]
            emotions = None if frames is None else frames[word.first_frame : end].mean(axis=0)
            words.append(
                Word(
                    start=min(self.grid.frame_start(word.first_frame), duration),
                    end=min(self.grid.frame_start(end), duration),
                    word=word.word,
                    confidence=float(np.exp(np.mean(scores))),
                    emotion=None if emotions is None else self.emotions.names[int(emotions.argmax())],
                    emotion_probability=None if emotions is None else float(emotions.max()),
                )
            )
        return tuple(words)


def _check_device(device: str) -> None:
    try:
        found = torch.device(device)
    except RuntimeError:
        raise ConfigError("unknown device", where="device", expected="cpu, cuda or cuda:N", got=device) from None
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise ConfigError("no such GPU is usable here", where="device", got=device, next_step="--gpu_inference false")


def _remark(recording: Recording, loudest: float, sample_rate: int) -> str | None:
    if recording.num_samples == 0:
        return "empty"
    if loudest <= SILENCE:
        return "silent"
    return "short" if samples_to_seconds(recording.num_samples, sample_rate) < SHORTEST_SECONDS else None
