"""Windows of a long recording, each of which is encoded by itself with some context on both sides."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from espnet_ent.frames import FrameGrid, seconds_to_samples


@dataclass(frozen=True)
class Window:
    """A stretch of a recording.

    Attributes:
        start: First sample to encode.
        end: Sample after the last one to encode.
        first_frame: First frame of the encoding that belongs to this window.
        last_frame: Frame after its last one; None: all that there are.
    """

    start: int
    end: int
    first_frame: int = 0
    last_frame: int | None = None


def plan_windows(num_samples: int, grid: FrameGrid, window_seconds: float, context_seconds: float) -> list[Window]:
    """Windows that cover a recording; their frames are those of the whole recording.

    Args:
        num_samples: Length of the recording.
        grid: Time grid of the frames.
        window_seconds: Longest window, without its context.
        context_seconds: What is encoded on both sides in addition.

    Returns:
        Windows whose lengths differ by at most one frame; one window without context for a recording that is not
        longer than a window.
    """
    longest = max(1, seconds_to_samples(window_seconds, grid.sample_rate) // grid.samples_per_frame)
    num_frames = math.ceil(num_samples / grid.samples_per_frame)
    if num_frames <= longest:
        return [Window(0, num_samples)]
    context = math.ceil(seconds_to_samples(context_seconds, grid.sample_rate) / grid.samples_per_frame)
    number = math.ceil(num_frames / longest)
    edges = [position * num_frames // number for position in range(number + 1)]
    windows = []
    for first, after in itertools.pairwise(edges):
        before = min(context, first)
        is_last = after == num_frames
        windows.append(
            Window(
                start=(first - before) * grid.samples_per_frame,
                end=num_samples if is_last else min(num_samples, (after + context) * grid.samples_per_frame),
                first_frame=before,
                last_frame=None if is_last else before + after - first,
            )
        )
    return windows
