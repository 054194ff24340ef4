"""The checkpoint files of an experiment, and what is derived from them: links, n-best files, averages."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from espnet_ent.errors import CheckpointError, NonFiniteError
from espnet_ent.plugin.averaging import average_states
from espnet_ent.plugin.checkpoint_files import (
    check_fit,
    load_state,
    name_some,
    read_checkpoint,
    to_bytes,
    write_checkpoint,
)
from espnet_ent.plugin.ranking import Criterion

__all__ = ["CheckpointStore", "check_fit", "load_state", "read_checkpoint"]

RESUME = "checkpoint.pth"
LATEST = "latest.pth"
_EPOCH_FILE = re.compile(r"(?P<epoch>\d+)epoch\.pth")
_TEMPORARY = ".*.pth.tmp.*"


class CheckpointStore:
    """The checkpoint files of an experiment.

    ``<k>epoch.pth`` holds the parameters after epoch k, ``checkpoint.pth`` all that resuming needs. They are written in
    this order, so that a resumed run never lacks the parameters of an epoch that it knows. Links and averages are
    derived from them and from the reported statistics, and can be derived again after a kill at any moment.

    Args:
        directory: The experiment's output directory; the caller holds its lock.
        criteria: What best means.
        keep_nbest: How many of the best epochs to keep and average, for each criterion.
        keep_all: Keep all other epochs, too.
    """

    def __init__(
        self, directory: str | Path, criteria: Iterable[Criterion], keep_nbest: Sequence[int], keep_all: bool = False
    ) -> None:
        self.directory = Path(directory)
        self.keep_all = keep_all
        self.criteria = list(criteria)
        self.keep_nbest = sorted(set(keep_nbest))

    @property
    def resume_path(self) -> Path:
        """The file to resume from."""
        return self.directory / RESUME

    def epoch_path(self, epoch: int) -> Path:
        """The parameters after an epoch."""
        return self.directory / f"{epoch}epoch.pth"

    def save(self, epoch: int, model_state: Mapping[str, Tensor], resume_state: Mapping[str, Any]) -> None:
        """Write the files of a finished epoch.

        Raises:
            NonFiniteError: If a parameter is not finite; nothing is written then.
            CheckpointError: If the disk does not take them; the files of earlier epochs are untouched.
        """
        bad = [key for key, value in model_state.items() if value.is_floating_point() and not value.isfinite().all()]
        if bad:
            raise NonFiniteError("parameters are not finite", where=self.epoch_path(epoch), got=name_some(bad))
        write_checkpoint(self.epoch_path(epoch), dict(model_state))
        write_checkpoint(self.resume_path, dict(resume_state))

    def clean(self) -> None:
        """Remove the temporary files of killed runs."""
        for path in self.directory.glob(_TEMPORARY):
            path.unlink()

    def tidy(self, best: Mapping[Criterion, Sequence[int]], last_epoch: int) -> None:
        """Point the links at what they name, then delete epochs that no criterion ranks among its best, if told to.

        Args:
            best: For each criterion, epochs from best to worst.
            last_epoch: The newest epoch, which is always kept.
        """
        kept = {last_epoch}
        self._link(LATEST, self.epoch_path(last_epoch))
        for (phase, name, _), epochs in best.items():
            kept.update(epochs[: max(self.keep_nbest)])
            self._link(f"{phase}.{name}.best.pth", self.epoch_path(epochs[0]))
        for path in () if self.keep_all else self.directory.glob("*epoch.pth"):
            match = _EPOCH_FILE.fullmatch(path.name)
            if match and int(match["epoch"]) < last_epoch and int(match["epoch"]) not in kept:
                path.unlink()

    def average(self, best: Mapping[Criterion, Sequence[int]], suffix: str = "") -> None:
        """Write ``<phase>.<statistic>.ave_<n>best.pth`` for each n, and ``.ave.pth`` pointing at the largest.

        Where there are fewer than n epochs, the file carries the number that there are. A file that is as it should be
        is not written again.

        Args:
            best: For each criterion, epochs from best to worst.
            suffix: Put before ``.pth``, e.g. ``.till10epoch``.

        Raises:
            CheckpointError: If the parameters of a best epoch are missing or damaged.
        """
        for (phase, name, _), epochs in best.items():
            for num_best in sorted({min(number, len(epochs)) for number in self.keep_nbest}):
                path = self.directory / f"{phase}.{name}.ave_{num_best}best{suffix}.pth"
                self._write_average(path, [self.epoch_path(epoch) for epoch in epochs[:num_best]])
            self._link(f"{phase}.{name}.ave{suffix}.pth", path)

    def _write_average(self, path: Path, sources: Sequence[Path]) -> None:
        missing = [source.name for source in sources if not source.is_file()]
        if missing and path.is_file():
            logging.warning(f"{path} is left as it is: {name_some(missing)} is not there any more")
            return
        state = average_states(map(read_checkpoint, sources))
        if not path.is_file() or path.read_bytes() != to_bytes(state):
            write_checkpoint(path, state)

    def _link(self, name: str, target: Path) -> None:
        """Point a symbolic link at a file beside it, in one step."""
        link = self.directory / name
        if link.is_symlink() and os.readlink(link) == target.name:
            return
        temporary = link.with_name(f".{name}.tmp.{os.getpid()}")
        try:
            temporary.unlink(missing_ok=True)
            temporary.symlink_to(target.name)
            os.replace(temporary, link)
        except OSError as error:
            raise CheckpointError("can't write a link", where=link, got=error.strerror) from error
