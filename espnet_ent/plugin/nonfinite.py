"""Losses and gradients that are not finite: their batches are skipped, counted and named; too many stop the run."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from espnet_ent.errors import NonFiniteError
from espnet_ent.plugin.checkpoint_files import name_some
from espnet_ent.plugin.distributed import gather_names


class NonFiniteCounter:
    """Counts the skipped batches of one pass over the data.

    Args:
        phase: ``train`` or ``valid``, for messages.
        limit: How many may be skipped.
    """

    def __init__(self, phase: str, limit: int) -> None:
        self.phase = phase
        self.limit = limit
        self.count = 0

    def skip(self, what: str, utt_ids: Sequence[str]) -> None:
        """Count a batch and name its utterances; every process of a distributed run calls it for the same batch.

        Args:
            what: What is not finite.
            utt_ids: Utterances of the batch; empty on a process whose share is finite.

        Raises:
            NonFiniteError: If it is one too many.
        """
        self.count += 1
        utt_ids = gather_names(utt_ids)
        logging.warning(f"{self.phase}: {what} is not finite, batch skipped: {' '.join(utt_ids)}")
        if self.count > self.limit:
            raise NonFiniteError(
                f"{self.count} batches of this epoch are not finite",
                where=self.phase,
                expected=f"at most {self.limit} (--max_nonfinite_batches)",
                got=f"last: {what} of {name_some(list(utt_ids))}",
                next_step="lower the learning rate, or look at these utterances",
            )

    def check_any_finite(self, num_finite: int) -> None:
        """Check that something was left.

        Raises:
            NonFiniteError: If all batches were skipped, or there were none.
        """
        if num_finite == 0:
            raise NonFiniteError("no batch of this epoch was finite", where=self.phase, got=f"{self.count} skipped")
