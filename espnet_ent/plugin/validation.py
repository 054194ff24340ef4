"""One pass over the validation data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from espnet2.train.reporter import SubReporter
from torch import nn

from espnet_ent.metrics.classification import unweighted_average_recall
from espnet_ent.plugin.distributed import is_distributed
from espnet_ent.plugin.forward import forward_batch
from espnet_ent.plugin.nonfinite import NonFiniteCounter
from espnet_ent.plugin.ranking import NONFINITE

UA_STATISTIC = "ua_teacher_forced"


@torch.no_grad()
def validate(model: nn.Module, counting: nn.Module, iterator: Iterable, reporter: SubReporter, options: Any) -> None:
    """Report the losses, and the unweighted average recall over the whole validation set.

    Args:
        model: The model, wrapped for distributed training where that is on.
        counting: The model itself; if it has ``emotion_counts``, they give the recall.
        iterator: Pairs of utterance ids and batch.
        reporter: Receives the statistics.
        options: ``ngpu``, ``use_amp``, ``max_nonfinite_batches``.

    Raises:
        NonFiniteError: If more batches than allowed are not finite, or all of them.
    """
    device = "cuda" if options.ngpu > 0 else "cpu"
    skipped = NonFiniteCounter("valid", options.max_nonfinite_batches)
    num_finite = 0
    model.eval()
    counts_emotions = hasattr(counting, "reset_emotion_counts")
    if counts_emotions:
        counting.reset_emotion_counts()
    for utt_ids, batch in iterator:
        result = forward_batch(model, utt_ids, batch, device, options.use_amp and device == "cuda")
        if not result.is_finite:
            skipped.skip(result.nonfinite or "loss", utt_ids if result.nonfinite else [])
            continue
        num_finite += 1
        reporter.register(result.stats, result.weight)
        reporter.next()
    skipped.check_any_finite(num_finite)
    recall = _recall(counting, device) if counts_emotions else {}
    reporter.register({**recall, NONFINITE: float(skipped.count)})
    reporter.next()


def _recall(model: nn.Module, device: str) -> dict[str, float]:
    counts = torch.from_numpy(model.emotion_counts.copy()).to(device)
    if is_distributed():
        torch.distributed.all_reduce(counts)
    if counts.sum() == 0:
        return {}
    return {UA_STATISTIC: unweighted_average_recall(counts.cpu().numpy())}
