"""Statistics of the training data (stage 10), collected by several processes: by ESPnet in shares, and added up."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from espnet2.bin.aggregate_stats_dirs import aggregate_stats_dirs

from espnet_ent.data.atomic import atomic_write_text
from espnet_ent.data.datadir import read_table
from espnet_ent.data.shares import Share, all_shares, remove_shares
from espnet_ent.data.worker_pool import worker_pool
from espnet_ent.errors import DataError
from espnet_ent.plugin.base_task import PluginTask

_PHASES = ("train", "valid")
_DONE = "done"


def collect_statistics(task: type[PluginTask], argv: Sequence[str], nj: int = 1) -> None:
    """Collect statistics; shapes do not depend on ``nj``, sums do by the rounding of float32.

    Args:
        task: What knows the data and the features.
        argv: Options of the task; ``--output_dir`` is where statistics go.
        nj: Parallel processes.
    """
    out = task.get_parser().parse_args(argv).output_dir
    shares = all_shares(nj)
    jobs = [[*argv, "--output_dir", str(share.folder(out))] for share in shares]
    if nj == 1:
        collect_share(task, jobs[0], shares[0])
    else:
        with worker_pool(nj) as pool:
            list(pool.map(partial(collect_share, task), jobs, shares))
    merge_statistics(task, argv, nj)


def collect_share(task: type[PluginTask], argv: Sequence[str], share: Share) -> None:
    """Collect the statistics of a share of the utterances.

    They go to ``--output_dir``, the share's folder (:meth:`Share.folder`) beside that of the whole. Padding reaches
    into the last frames of an utterance: shares are whole batches, the same whatever their number. Where one of the
    sets has fewer of them than there are shares, the last shares are empty.
    """
    args = task.get_parser().parse_args([*argv, "--collect_stats", "true"])
    shutil.rmtree(args.output_dir, ignore_errors=True)

    class OfShare(task):
        """The task, which ESPnet tells by ``*_shape_file`` which utterances it has."""

        @classmethod
        def check_data(cls, args: argparse.Namespace) -> None:
            super().check_data(args)
            blocks = {phase: _blocks(args, phase) for phase in _PHASES}
            total = min(share.total, *map(len, blocks.values()))
            for phase in _PHASES:
                path = Path(args.output_dir, f"{phase}_utterances")
                own = Share(share.number, total).in_a_row(blocks[phase]) if share.number <= total else ()
                atomic_write_text(path, "".join(f"{utt_id} 0\n" for block in own for utt_id in block))
                setattr(args, f"{phase}_shape_file", [str(path)])

        @classmethod
        def main_worker(cls, args: argparse.Namespace) -> None:
            if Path(args.train_shape_file[0]).read_text(encoding="utf-8"):
                super().main_worker(args)

    OfShare.main(args)
    atomic_write_text(Path(args.output_dir, _DONE), "")


def merge_statistics(task: type[PluginTask], argv: Sequence[str], num_shares: int) -> None:
    """Add up the statistics of all shares, which are removed.

    Raises:
        DataError: If a share is missing.
    """
    args = task.get_parser().parse_args(argv)
    folders = [share.folder(args.output_dir) for share in all_shares(num_shares)]
    for folder in folders:
        if not (folder / _DONE).is_file():
            raise DataError("a share of the statistics is missing", where=folder, next_step="rerun stage 10")
    filled = [folder for folder in folders if (folder / "train" / "batch_keys").is_file()]
    aggregate_stats_dirs(filled, args.output_dir, log_level="WARNING", skip_sum_stats=False)
    remove_shares(args.output_dir)


def _blocks(args: argparse.Namespace, phase: str) -> list[list[str]]:
    """Utterances in their order, as many as ESPnet's loader takes for a batch of each of its workers."""
    (path, _, _), *_ = getattr(args, f"{phase}_data_path_and_name_and_type")
    batch_size = args.valid_batch_size if phase == "valid" and args.valid_batch_size else args.batch_size
    utt_ids, size = list(read_table(path)), batch_size * max(args.num_workers, 1)
    return [utt_ids[first : first + size] for first in range(0, len(utt_ids), size)]
