"""Emotion lattices for a page, computed by the model that decoded the set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from espnet_ent.data.emotion_lattice import EmotionLattice
from espnet_ent.data.provenance import PROVENANCE, digest_files
from espnet_ent.data.recording import Recording
from espnet_ent.errors import CheckpointError, ScoringError
from espnet_ent.report.html.quantised import quantised

if TYPE_CHECKING:
    from espnet_ent.inference import EmotionTranscriber
    from espnet_ent.report.html.set_view import SetView

MOST_NODES = 200_000
"""Larger lattices are left out: a byte a node and emotion."""


class LatticeSource:
    """Computes the lattices of one decoding.

    Args:
        experiment: Training output: ``config.yaml`` and checkpoints.
        view: The decoded set.
        device: Where to compute.

    Raises:
        CheckpointError: If the checkpoint is missing, or is not the one that was decoded.
        ScoringError: If the decoding does not tell how it was made.
    """

    def __init__(self, experiment: str | Path, view: SetView, device: str = "cpu") -> None:
        from espnet_ent.inference import EmotionTranscriber, InferenceConfig

        made_from = _made_from(view.directory / PROVENANCE)
        name = view.scored.results.get("checkpoint")
        path = Path(experiment, name or "")
        if name is None or made_from["checkpoint"] != digest_files([path]):
            raise CheckpointError(
                "not the checkpoint that was decoded", where=path, next_step="rerun stages 12 and 13, or --lattices 0"
            )
        # Without the language model of a beam search: a lattice belongs to its own text, which the page tells.
        self.transcriber: EmotionTranscriber = EmotionTranscriber.from_pretrained(
            experiment, name, InferenceConfig(**made_from["config"]), device, calibration=False
        )
        self.view = view

    def of(self, utt: str) -> dict[str, Any] | None:
        """The lattice of an utterance; None where the model has none, or it is too large.

        Raises:
            AudioError: If the audio can't be read.
        """
        utterance = self.view.utterances[utt]
        rate = self.transcriber.grid.sample_rate
        recording = Recording.of_file(utterance.audio, rate, start=utterance.start, end=utterance.end)
        lattice = self.transcriber.emotion_lattice(recording)
        return None if lattice is None or not lattice.nodes else lattice_of(lattice)


def lattice_of(lattice: EmotionLattice) -> dict[str, Any] | None:
    """A lattice as a page reads it: ``values`` are quantised, frame by frame; None where it is too large."""
    num_frames, num_columns, _ = lattice.probabilities.shape
    if num_frames * num_columns > MOST_NODES:
        return None
    return {
        "seconds": lattice.grid.seconds_per_frame,
        "tokens": list(lattice.tokens),
        "nodes": list(lattice.nodes),
        "values": quantised(lattice.probabilities),
    }


def _made_from(path: Path) -> Mapping[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return {"checkpoint": record["checkpoint"], "config": dict(record["config"])}
    except (OSError, ValueError, KeyError, TypeError):
        raise ScoringError(
            "the decoding does not tell how it was made", where=path, next_step="rerun stage 12 (decoding)"
        ) from None
