"""Options of decoding, and how they are read."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from espnet_ent.data.yaml_files import read_yaml
from espnet_ent.errors import ConfigError
from espnet_ent.search.beam import BeamConfig
from espnet_ent.search.smoothing import Smoothing

EMOTION_PATHS = ("best", "lattice")
SHORTEST_CONTEXT = 0.5
"""Seconds: encoders lose a few frames at an end."""


@dataclass(frozen=True)
class InferenceConfig:
    """Options of decoding.

    Attributes:
        max_symbols_per_frame: Greedy search: most labels that one frame may emit.
        beam_size: 1: greedy search; more: beam search.
        nbest: Hypotheses to tell, at most ``beam_size``.
        length_normalisation: Beam search: complete hypotheses are ordered by score / (labels + 1).
        lm_weight: Beam search: weight of the language model, where there is one.
        max_labels_ratio: Beam search: most labels of a hypothesis, as a multiple of its frames.
        emotion_path: ``best``: a frame's emotion is read where the search left the frame; ``lattice``: expected over
            all alignments of the decoded text.
        smoothing: ``none | median | min_duration | viterbi``, of the emotion timeline.
        smoothing_frames: Width of the median filter, or the shortest segment.
        self_loop: Probability with which an emotion stays from one frame to the next (``viterbi``).
        longest_word_seconds: How long a word lasts at most where no other word follows.
        window_seconds: Longer recordings are encoded and searched window by window, in bounded memory.
        context_seconds: What is encoded on both sides of a window in addition.

    Raises:
        ConfigError: If a value is of the wrong type or out of its range.
    """

    max_symbols_per_frame: int = 32
    beam_size: int = 1
    nbest: int = 1
    length_normalisation: bool = True
    lm_weight: float = 0.3
    max_labels_ratio: float = 1.0
    emotion_path: str = "best"
    smoothing: str = "none"
    smoothing_frames: int = 11
    self_loop: float = 0.9
    longest_word_seconds: float = 0.6
    window_seconds: float = 40.0
    context_seconds: float = 4.0

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_type(field.name, getattr(self, field.name), type(field.default))
        _ = self.of_timeline, self.of_beam  # refuse what makes no sense
        if self.max_symbols_per_frame < 1:
            raise ConfigError("max_symbols_per_frame out of range", expected=">= 1", got=self.max_symbols_per_frame)
        if self.emotion_path not in EMOTION_PATHS:
            raise ConfigError("unknown emotion_path", expected=" | ".join(EMOTION_PATHS), got=repr(self.emotion_path))
        if self.longest_word_seconds < 0:
            raise ConfigError("longest_word_seconds out of range", expected="0 or more", got=self.longest_word_seconds)
        if self.window_seconds < 1:
            raise ConfigError("window_seconds out of range", expected="1 or more", got=self.window_seconds)
        if self.context_seconds < SHORTEST_CONTEXT:
            raise ConfigError(
                "context_seconds out of range", expected=f"{SHORTEST_CONTEXT} or more", got=self.context_seconds
            )

    @property
    def of_timeline(self) -> Smoothing:
        """How frames become segments."""
        return Smoothing(self.smoothing, self.smoothing_frames, self.self_loop)

    @property
    def of_beam(self) -> BeamConfig:
        """How a beam search goes."""
        return BeamConfig(self.beam_size, self.nbest, self.length_normalisation, self.lm_weight, self.max_labels_ratio)

    @classmethod
    def read(cls, path: str | Path) -> InferenceConfig:
        """Read a YAML file.

        Raises:
            ConfigError: If the file is missing, or holds an unknown key or a wrong value.
        """
        values = read_yaml(path)
        known = [field.name for field in fields(cls)]
        for key in values:
            if key not in known:
                raise ConfigError(f"unknown option {key!r}", where=path, expected=f"one of {' '.join(known)}")
        try:
            return cls(**values)
        except ConfigError as error:
            raise ConfigError(error.what, where=path, expected=error.expected, got=error.got) from None


_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a name"}


def _check_type(name: str, value: Any, expected: type) -> None:
    allowed = (int, float) if expected is float else (expected,)
    if not isinstance(value, allowed) or (isinstance(value, bool) and expected is not bool):
        raise ConfigError(f"{name} has the wrong type", expected=_KINDS[expected], got=repr(value))
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{name} is not finite", expected="a number", got=value)
