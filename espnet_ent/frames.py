"""Samples <-> frames <-> seconds: the only place where these are converted.

Frame ``k`` of a grid covers the samples ``[k * samples_per_frame, (k + 1) * samples_per_frame)``.
Encoders with a receptive field that loses a frame at an end still start their frame 0 at sample 0; what
the last frame leaves uncovered belongs to it (see ``EmotionTimeline.from_frames``).
"""

from __future__ import annotations

from dataclasses import dataclass


def samples_to_seconds(num_samples: int, sample_rate: int) -> float:
    """Duration in seconds of ``num_samples`` samples."""
    return num_samples / sample_rate


def seconds_to_samples(seconds: float, sample_rate: int) -> int:
    """The number of samples nearest to ``seconds``; halves round up."""
    return int(seconds * sample_rate + 0.5)


@dataclass(frozen=True)
class FrameGrid:
    """A regular division of the time axis into frames.

    Attributes:
        sample_rate: Samples a second.
        samples_per_frame: Samples a frame, after all subsampling.
    """

    sample_rate: int
    samples_per_frame: int

    @property
    def seconds_per_frame(self) -> float:
        """Length of a frame in seconds."""
        return self.samples_per_frame / self.sample_rate

    def frame_start(self, frame: int) -> float:
        """Time in seconds at which ``frame`` starts."""
        return frame * self.samples_per_frame / self.sample_rate

    def frame_centre(self, frame: int) -> float:
        """Time in seconds of the middle of ``frame``."""
        return (frame + 0.5) * self.samples_per_frame / self.sample_rate

    def frame_at(self, seconds: float) -> int:
        """Index of the frame that holds the instant ``seconds``.

        The sum of a frame's start and a rounding error stays in that frame.
        """
        return int(seconds * self.sample_rate / self.samples_per_frame + 1e-6)
