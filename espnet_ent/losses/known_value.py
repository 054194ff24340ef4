"""The value that every transducer loss must give on one small published example."""

from __future__ import annotations

import torch

from espnet_ent.errors import EntError
from espnet_ent.losses.transducer import rnnt_loss

KNOWN_VALUE = 4.495666
_TOLERANCE = 1e-4
# T = 2, U = 2, V = 5: the example of warp-transducer's tests.
_LOGITS = (
    ((0.1, 0.6, 0.1, 0.1, 0.1), (0.1, 0.1, 0.6, 0.1, 0.1), (0.1, 0.1, 0.2, 0.8, 0.1)),
    ((0.1, 0.6, 0.1, 0.1, 0.1), (0.1, 0.1, 0.2, 0.1, 0.1), (0.7, 0.1, 0.2, 0.1, 0.1)),
)
_LABELS = (1, 2)


def check_known_value(device: str | torch.device = "cpu") -> float:
    """Loss of the known example on ``device``.

    Raises:
        EntError: If it is further than 1e-4 from 4.495666: the installed torchaudio is broken.
    """
    logits = torch.tensor([_LOGITS], device=device)
    labels = torch.tensor([_LABELS], device=device)
    lengths = torch.tensor([2], device=device)
    value = float(rnnt_loss(logits, labels, lengths, lengths, ["known-value"]))
    if not abs(value - KNOWN_VALUE) <= _TOLERANCE:
        raise EntError(
            "the transducer loss of the installed torchaudio is wrong",
            expected=KNOWN_VALUE,
            got=value,
            next_step="reinstall torch and torchaudio at the versions of the lock file",
        )
    return value
