"""The ESPnet task: options, data and model of all systems of this package."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import Any

import torch
from espnet2.tasks.abs_task import AbsTask, optim_classes, scheduler_classes
from espnet2.train.class_choices import ClassChoices
from espnet2.utils.nested_dict_action import NestedDictAction
from espnet2.utils.types import int_or_none, str2bool, str_or_none

from espnet_ent.collate import collate
from espnet_ent.data.preprocessor import Preprocessor
from espnet_ent.data.tokens import TokenList, build_tokenizer
from espnet_ent.errors import ConfigError
from espnet_ent.labels import EmotionInventory
from espnet_ent.plugin.builder import DEFAULTS, REGISTRY, build_model, check_keys, parameters_of
from espnet_ent.plugin.init_param import check_init_param
from espnet_ent.plugin.model import ESPnetENTModel
from espnet_ent.plugin.trainer import ENTTrainer

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+")  # YAML 1.1 reads 1e-3 as a string


class ENTTask(AbsTask):
    """Joint speech recognition and emotion recognition."""

    num_optimizers = 1
    trainer = ENTTrainer
    class_choices_list = [  # noqa: RUF012 (AbsTask reads it from the class)
        ClassChoices(component, classes=classes, default=DEFAULTS[component], optional=DEFAULTS[component] is None)
        for component, classes in REGISTRY.items()
    ]

    @classmethod
    def add_task_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add our options to ESPnet's."""
        group = parser.add_argument_group("Task related")
        parser.set_defaults(required=[*parser.get_default("required"), "token_list", "emotion_list"])
        group.add_argument("--token_list", type=str_or_none, help="file with one token a line; <blank> first")
        group.add_argument("--emotion_list", type=str_or_none, help="file with the emotion inventory")
        group.add_argument("--token_type", default="char", choices=["char", "bpe"])
        group.add_argument("--bpemodel", type=str_or_none, help="sentencepiece model of token_type bpe")
        group.add_argument("--fs", type=int, default=16000, help="sample rate in Hz")
        group.add_argument("--init", type=str_or_none, help="ESPnet's name of an initialisation")
        group.add_argument("--model_conf", action=NestedDictAction, default={}, help="losses; see LossConfig")
        group.add_argument("--use_preprocessor", type=str2bool, default=True)
        group.add_argument(
            "--max_nonfinite_batches",
            type=int_or_none,
            default=10,
            help="batches of an epoch that may give a loss or gradient that is not finite",
        )
        for choices in cls.class_choices_list:
            choices.add_arguments(group)

    @classmethod
    def build_collate_fn(cls, args: argparse.Namespace, train: bool) -> Callable:
        """Our collate function (ESPnet's takes seconds to import)."""
        return collate

    @classmethod
    def build_preprocess_fn(cls, args: argparse.Namespace, train: bool) -> Callable | None:
        """Our preprocessor."""
        if not args.use_preprocessor:
            return None
        return Preprocessor(
            TokenList.from_config(args.token_list),
            build_tokenizer(args.token_type, args.bpemodel),
            EmotionInventory.from_config(args.emotion_list),
        )

    @classmethod
    def required_data_names(cls, train: bool = True, inference: bool = False) -> tuple[str, ...]:
        """Names of data that must be given."""
        return ("speech",) if inference else ("speech", "text", "emotion")

    @classmethod
    def optional_data_names(cls, train: bool = True, inference: bool = False) -> tuple[str, ...]:
        """Names of data that may be given."""
        return ()

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> ESPnetENTModel:
        """Build the model; embeds the token and emotion lists into ``args`` and so into ``config.yaml``.

        Raises:
            ConfigError: On an unknown name or key or a wrong value.
            CheckpointError: If an ``--init_param`` does not fit.
        """
        args.token_list = list(TokenList.from_config(args.token_list).tokens)
        args.emotion_list = EmotionInventory.from_config(args.emotion_list).to_lines()
        for name, value in vars(args).items():
            if name.endswith("_conf"):
                setattr(args, name, _with_numbers(value))
        config = vars(args)
        if args.collect_stats:
            config = {**config, "normalize": None}
        model = build_model(config)
        for init_param in args.init_param:
            check_init_param(model, init_param, args.ignore_init_mismatch)
        return model

    @classmethod
    def build_optimizers(cls, args: argparse.Namespace, model: torch.nn.Module) -> list[torch.optim.Optimizer]:
        """ESPnet's optimizers, with wrong options refused in one line.

        Raises:
            ConfigError: On an unknown key of ``optim_conf`` or ``scheduler_conf``.
        """
        _check_choice("optim", args.optim, args.optim_conf, optim_classes, ("params",))
        _check_choice("scheduler", args.scheduler, args.scheduler_conf, scheduler_classes, ("optimizer",))
        try:
            return super().build_optimizers(args, model)
        except (TypeError, ValueError) as error:
            raise ConfigError("the optimizer refuses its options", where="optim_conf", got=error) from error


def _check_choice(name: str, choice: str | None, conf: dict, classes: dict, given: tuple[str, ...]) -> None:
    if choice is not None and choice in classes:
        known = [key for key in parameters_of(classes[choice]) if key not in given]
        check_keys(f"{name}_conf", conf, known)


def _with_numbers(value: Any) -> Any:
    """A configuration value in which numbers that YAML reads as strings (``1e-3``) are numbers."""
    if isinstance(value, dict):
        return {key: _with_numbers(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_with_numbers(entry) for entry in value]
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    return value
