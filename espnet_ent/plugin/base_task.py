"""What the tasks of this package share: strict options, our trainer, and checks before anything is written."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from espnet2 import __version__ as espnet_version
from espnet2.iterators.abs_iter_factory import AbsIterFactory
from espnet2.tasks.abs_task import AbsTask, IteratorOptions, optim_classes, scheduler_classes
from espnet2.train.distributed_utils import get_rank, get_world_size
from espnet2.utils.types import str2bool, str_or_none

from espnet_ent.collate import collate
from espnet_ent.data.disk import full_disk_named
from espnet_ent.data.provenance import PROVENANCE
from espnet_ent.errors import ConfigError
from espnet_ent.plugin.checkpoints import RESUME, check_fit, read_checkpoint
from espnet_ent.plugin.components import check_keys, parameters_of
from espnet_ent.plugin.distributed import failures_named
from espnet_ent.plugin.freezing import check_freeze_param
from espnet_ent.plugin.init_param import init_param
from espnet_ent.plugin.launching import launch
from espnet_ent.plugin.locking import exclusive
from espnet_ent.plugin.options import StrictParser
from espnet_ent.plugin.parameter_groups import split_groups
from espnet_ent.plugin.ranking import parse_criteria
from espnet_ent.plugin.same_data import check_same_data
from espnet_ent.plugin.trainer import ENTTrainer

_UNSUPPORTED = {
    "use_adapter": False,
    "use_deepspeed": False,
    "sharded_ddp": False,
    "ddp_comm_hook": None,
    "grad_noise": False,
    "no_forward_run": False,
    "create_graph_in_tensorboard": False,
    "write_collected_feats": False,
    "multi_task_dataset": False,
}
"""Options of ESPnet that our trainer and data do not follow; all others it does."""


class PluginTask(AbsTask):
    """A task of ESPnet with our trainer."""

    num_optimizers = 1
    trainer = ENTTrainer
    required_options: ClassVar[tuple[str, ...]] = ("token_list",)

    @classmethod
    def get_parser(cls) -> StrictParser:
        """ESPnet's options and ours, read strictly."""
        parser = super().get_parser()
        return StrictParser.adopt(
            parser,
            required=[*parser.get_default("required"), *cls.required_options],
            # ESPnet's criteria name a statistic that no model of ours has, and its plots cost more than the epochs.
            best_model_criterion=[("valid", "loss", "min")],
            use_matplotlib=False,
            num_att_plot=0,
            resume=True,
        )

    @classmethod
    def add_shared_arguments(cls, group: argparse._ArgumentGroup) -> None:
        """Add the options that all our tasks have."""
        group.add_argument("--token_list", type=str_or_none, help="file with one token a line; <blank> first")
        group.add_argument("--token_type", default="char", choices=["char", "bpe"], help="kind of the tokens")
        group.add_argument("--bpemodel", type=str_or_none, help="sentencepiece model of token_type bpe")
        group.add_argument("--init", type=str_or_none, help="ESPnet's name of an initialisation")
        group.add_argument("--use_preprocessor", type=str2bool, default=True, help="text and labels to indices")
        group.add_argument(
            "--cpu_processes",
            type=int,
            default=1,
            help="without a GPU: processes of this machine that train together, over gloo",
        )
        group.add_argument(
            "--max_nonfinite_batches",
            type=int,
            default=10,
            help="batches of an epoch that may give a loss or gradient that is not finite",
        )
        group.add_argument(
            "--keep_all_epochs",
            type=str2bool,
            default=False,
            help="keep the parameters of every epoch, not only of the best; averages are of the best all the same",
        )

    @classmethod
    def check_required_command_args(cls, args: argparse.Namespace) -> None:
        """Check that options without a default are given.

        Raises:
            ConfigError: Naming those that are not.
        """
        missing = [name for name in args.required if getattr(args, name) is None]
        if missing:
            raise ConfigError("options are missing", expected=" ".join(f"--{name}" for name in missing))

    @classmethod
    def check_data(cls, args: argparse.Namespace) -> None:
        """Check the data that the options name.

        Raises:
            EntError: In one line.
        """
        raise NotImplementedError

    @classmethod
    def main(cls, args: argparse.Namespace | None = None, cmd: Sequence[str] | None = None) -> bool:
        """Train or collect statistics; what can be known to be wrong ends it before anything is written.

        Returns:
            Whether this process is the only one or the first of several: the one that may write.

        Raises:
            EntError: In one line.
        """
        if args is None:
            args = cls.get_parser().parse_args(cmd)
        if args.print_config:
            super().main(args=args)
        cls.check_required_command_args(args)
        _check_options(args)
        cls.check_data(args)
        number = _processes_to_start(args)
        if number > 1:
            args.version = espnet_version
            return launch(cls, args, number)
        super().main(args=args)
        return not args.distributed or get_rank(args.dist_rank, args.dist_launcher) in (0, None)

    @classmethod
    def main_worker(cls, args: argparse.Namespace) -> None:
        """One process of the run. The first holds the lock of the output directory.

        Raises:
            EntError: In one line.
        """
        if args.distributed and args.ngpu == 0:
            os.environ.pop("CUDA_VISIBLE_DEVICES", None)  # ESPnet would read a rank from it
        with failures_named():
            if args.distributed and get_rank(args.dist_rank, args.dist_launcher) not in (0, None):
                super().main_worker(args)
                return
            with full_disk_named(args.output_dir), exclusive(args.output_dir):
                if not args.collect_stats and args.resume:
                    check_same_data(args)
                super().main_worker(args)

    @classmethod
    def build_sequence_iter_factory(
        cls, args: argparse.Namespace, iter_options: IteratorOptions, mode: str
    ) -> AbsIterFactory:
        """ESPnet's: each process takes its share of every batch.

        Raises:
            ConfigError: If there are not enough utterances in a batch for all processes.
        """
        try:
            return super().build_sequence_iter_factory(args, iter_options, mode)
        except RuntimeError as error:
            if "world_size" not in str(error):
                raise
            raise ConfigError(
                "a batch has fewer utterances than there are processes",
                where=f"{mode} set",
                got=str(error).rpartition(": ")[2],
                next_step="raise batch_size or batch_bins, or train with fewer processes",
            ) from error

    @classmethod
    def build_collate_fn(cls, args: argparse.Namespace, train: bool) -> Callable:
        """Our collate function (ESPnet's takes seconds to import)."""
        return collate

    @classmethod
    def build_optimizers(cls, args: argparse.Namespace, model: torch.nn.Module) -> list[torch.optim.Optimizer]:
        """ESPnet's optimizers; wrong options of theirs, and parameters that do not fit, are refused in one line.

        This is the last that ESPnet asks us before it writes ``config.yaml``: what does not fit the model or what lies
        in the directory must be found by now.

        Raises:
            ConfigError: On a wrong key or value of ``optim_conf`` or ``scheduler_conf``, or a frozen parameter that
                is not there.
            CheckpointError: If an ``--init_param`` or the checkpoint to resume from does not fit.
        """
        optimizers = _build_optimizers(super().build_optimizers, args, model)
        check_freeze_param(model, args.freeze_param)
        if not args.collect_stats:
            for option in args.init_param:
                init_param(model, option, args.ignore_init_mismatch)
            _check_resume(args, model)
        Path(args.output_dir, PROVENANCE).unlink(missing_ok=True)  # the sign of a finished run
        return optimizers


def _check_options(args: argparse.Namespace) -> None:
    for name, default in _UNSUPPORTED.items():
        if getattr(args, name) != default:
            raise ConfigError("option is not supported", where=name, expected=default, got=getattr(args, name))
    if args.ngpu > torch.cuda.device_count():
        what = "there are not as many GPUs here" if torch.cuda.is_available() else "no GPU is usable here"
        raise ConfigError(what, where="option ngpu", expected=torch.cuda.device_count(), got=args.ngpu)
    _check_processes(args)
    parse_criteria(args.best_model_criterion, "best_model_criterion")
    parse_criteria([args.early_stopping_criterion], "early_stopping_criterion")
    for name in ("accum_grad", "cpu_processes", "max_epoch", "batch_size", "keep_nbest_models"):
        value = getattr(args, name)
        if min(value, default=0) < 1 if isinstance(value, list) else value < 1:
            raise ConfigError("not positive", where=f"option {name}", expected="1 or more", got=value)


def _check_processes(args: argparse.Namespace) -> None:
    """Check options about several processes; those that train on the CPU talk over gloo."""
    if args.ngpu > 0 and args.cpu_processes > 1:
        raise ConfigError("GPUs have a process each", where="option cpu_processes", expected=1, got=args.cpu_processes)
    if args.ngpu == 0 and args.dist_backend == "nccl":
        args.dist_backend = "gloo"
    started = not args.multiprocessing_distributed and get_world_size(args.dist_world_size, args.dist_launcher) > 1
    if args.collect_stats and started:
        raise ConfigError("statistics are collected by one process", where="option collect_stats", expected="false")


def _processes_to_start(args: argparse.Namespace) -> int:
    """Processes that train on this machine together; 1: this one alone, or another launcher has started them."""
    if args.collect_stats:
        args.multiprocessing_distributed = False
        return 1
    return args.ngpu if args.multiprocessing_distributed and args.ngpu > 1 else args.cpu_processes


def _check_resume(args: argparse.Namespace, model: torch.nn.Module) -> None:
    path = Path(args.output_dir) / RESUME
    if args.resume and path.exists():
        state = read_checkpoint(path)
        check_fit(model.state_dict(), state["model"] if isinstance(state, dict) and "model" in state else {}, path)


def _build_optimizers(build: Callable, args: argparse.Namespace, model: torch.nn.Module) -> list:
    """Build the optimizers, and a scheduler on trial (ESPnet builds its own outside of our reach)."""
    _check_keys("optim", args.optim, args.optim_conf, optim_classes, "params")
    _check_keys("scheduler", args.scheduler, args.scheduler_conf, scheduler_classes, "optimizer")
    where = "optim_conf"
    try:
        optimizers = build(args, model)
        split_groups(optimizers[0], model)
        if args.scheduler is not None:
            where = "scheduler_conf"
            trial = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
            scheduler_classes[args.scheduler](trial, **args.scheduler_conf)
    except (TypeError, ValueError, AssertionError) as error:
        raise ConfigError("options are refused", where=where, got=error or type(error).__name__) from error
    return optimizers


def _check_keys(name: str, choice: str | None, conf: dict, classes: dict, given: str) -> None:
    if choice is not None:
        check_keys(f"{name}_conf", conf, [key for key in parameters_of(classes[choice]) if key != given])
