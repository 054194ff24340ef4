"""Feature frontends beside ESPnet's own."""

from __future__ import annotations

import numpy as np
import torch
from espnet2.asr.frontend.abs_frontend import AbsFrontend
from espnet2.asr.frontend.default import DefaultFrontend
from torch import Tensor

from espnet_ent.data.pitch import continuous_log_f0, track_f0
from espnet_ent.errors import ConfigError
from espnet_ent.frames import samples_to_seconds
from espnet_ent.transducer.masks import padding_mask

_REFERENCE_F0 = 180.0  # Hz; log F0 is told relative to it, so that a mask's zero is a voice of the middle
_NUM_PROSODY = 5
_DOWNSAMPLING = 4  # of the search for F0: 4 ms of work for a second of speech


class FbankPitchFrontend(AbsFrontend):
    """Log mel filterbank and prosody: for emotion, F0 says more than a small model finds in the filterbank by itself.

    The filterbank is told relative to its mean over the utterance (one number, not one a bin), which takes away the
    recording level and leaves the spectral tilt. The last five columns are log F0 relative to 180 Hz, log F0 relative
    to its mean over the utterance, its slope a second, voicing (0 or 1), and the mean of the filterbank. Training on a
    GPU computes F0 on the CPU.

    Glossary: B batch, N samples, T frames.

    Args:
        fs: Samples a second.
        n_fft: Length of the Fourier transform, samples.
        win_length: Length of the window, samples.
        hop_length: Samples between frames.
        n_mels: Bins of the filterbank.
        f0_floor: Lowest F0 in Hz.
        f0_ceiling: Highest F0 in Hz.

    Raises:
        ConfigError: If the range of F0 is empty.
    """

    def __init__(
        self,
        fs: int = 16000,
        n_fft: int = 512,
        win_length: int = 400,
        hop_length: int = 160,
        n_mels: int = 80,
        f0_floor: float = 60.0,
        f0_ceiling: float = 600.0,
    ) -> None:
        super().__init__()
        if not 0 < f0_floor < f0_ceiling < fs / 2:
            raise ConfigError(
                "F0 range out of range", where="frontend_conf", expected="0 < f0_floor < f0_ceiling", got=f0_floor
            )
        self.fbank = DefaultFrontend(fs=fs, n_fft=n_fft, win_length=win_length, hop_length=hop_length, n_mels=n_mels)
        self.hop_length = hop_length
        self._sample_rate = fs
        self._f0_range = (f0_floor, f0_ceiling)

    def output_size(self) -> int:
        """Number of features of a frame."""
        return self.fbank.output_size() + _NUM_PROSODY

    def forward(self, speech: Tensor, speech_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features.

        Args:
            speech: (B, N) samples.
            speech_lengths: (B,) samples.

        Returns:
            (B, T, n_mels + 5) features, zero beyond the utterance, and (B,) frames.
        """
        fbank, lengths = self.fbank(speech, speech_lengths)
        padding = padding_mask(lengths, fbank).unsqueeze(-1)
        num_values = lengths.to(fbank) * fbank.size(-1)
        level = fbank.masked_fill(padding, 0.0).sum(dim=(1, 2)) / num_values
        fbank = fbank - level.view(-1, 1, 1)
        pitch = torch.zeros(*fbank.shape[:2], _NUM_PROSODY - 1)
        signals = speech.detach().cpu().numpy()
        for b, (num_samples, num_frames) in enumerate(zip(speech_lengths.tolist(), lengths.tolist(), strict=True)):
            pitch[b, :num_frames] = torch.from_numpy(self._pitch(signals[b, :num_samples], num_frames))
        features = torch.cat((fbank, pitch.to(fbank), fbank.mean(dim=-1, keepdim=True)), dim=-1)
        return features.masked_fill(padding, 0.0), lengths

    def _pitch(self, samples: np.ndarray, num_frames: int) -> np.ndarray:
        """(num_frames, 4) float32: log F0 relative to a reference and to the mean, its slope, voicing."""
        seconds = samples_to_seconds(self.hop_length, self._sample_rate)
        f0 = track_f0(samples, self._sample_rate, seconds, *self._f0_range, downsampling=_DOWNSAMPLING)[:num_frames]
        f0 = np.pad(f0, (0, num_frames - len(f0)), mode="edge")
        log_f0 = continuous_log_f0(f0)
        slope = np.gradient(log_f0) / seconds if num_frames > 1 else np.zeros(1)
        columns = (log_f0 - np.log(_REFERENCE_F0), log_f0 - log_f0.mean(), slope, f0 > 0)
        return np.stack(columns, axis=1).astype(np.float32)
