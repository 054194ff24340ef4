"""The running statistics of batch normalisation, kept out of reach of batches that are not finite."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase


class RunningStatistics:
    """Remembers the statistics before a batch: the forward pass alone changes them, and one NaN stays for ever.

    Args:
        model: The model; only modules that keep statistics are looked at.
    """

    def __init__(self, model: nn.Module) -> None:
        modules = [module for module in model.modules() if isinstance(module, _NormBase)]
        self._buffers = [buffer for module in modules for buffer in module.buffers(recurse=False)]
        self._kept: list[Tensor] = []

    def keep(self) -> None:
        """Remember the statistics as they are."""
        self._kept = [buffer.clone() for buffer in self._buffers]

    def restore(self) -> None:
        """Set the statistics to what was kept."""
        for buffer, kept in zip(self._buffers, self._kept, strict=True):
            buffer.copy_(kept)
