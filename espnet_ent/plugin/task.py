"""The ESPnet task: options, data and model of all systems of this package."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from espnet2.iterators.abs_iter_factory import AbsIterFactory
from espnet2.iterators.sequence_iter_factory import SequenceIterFactory
from espnet2.tasks.abs_task import IteratorOptions
from espnet2.train.class_choices import ClassChoices
from espnet2.utils.nested_dict_action import NestedDictAction
from espnet2.utils.types import str2bool, str_or_none

from espnet_ent.data.preprocessor import Preprocessor
from espnet_ent.data.tokens import TokenList, build_tokenizer
from espnet_ent.encoders.ssl import SSLEncoder
from espnet_ent.errors import ConfigError
from espnet_ent.labels import EmotionInventory
from espnet_ent.plugin.asr_encoder import with_architecture
from espnet_ent.plugin.base_task import PluginTask
from espnet_ent.plugin.builder import DEFAULTS, REGISTRY, build_model
from espnet_ent.plugin.feature_cache import NAME as STATES
from espnet_ent.plugin.feature_cache import is_from_cache, train_from_cache
from espnet_ent.plugin.inputs import check_inputs
from espnet_ent.plugin.lattice_batches import lattice_batches, share_of
from espnet_ent.plugin.loss_config import LossConfig
from espnet_ent.plugin.model import ESPnetENTModel

_NEEDED = ("frontend", "encoder")  # components that can't be left out


class ENTTask(PluginTask):
    """Joint speech recognition and emotion recognition."""

    required_options = ("token_list", "emotion_list")
    class_choices_list = [  # noqa: RUF012 (AbsTask reads it from the class)
        ClassChoices(component, classes=classes, default=DEFAULTS[component], optional=component not in _NEEDED)
        for component, classes in REGISTRY.items()
    ]

    @classmethod
    def add_task_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add our options to ESPnet's."""
        group = parser.add_argument_group("Task related")
        cls.add_shared_arguments(group)
        group.add_argument("--emotion_list", type=str_or_none, help="file with the emotion inventory")
        group.add_argument("--fs", type=int, default=16000, help="sample rate in Hz")
        group.add_argument("--model_conf", action=NestedDictAction, default={}, help="losses; see LossConfig")
        group.add_argument(
            "--lattice_bins",
            type=int,
            default=0,
            help="batches of at most so many nodes of the alignment lattice, frames x (labels + 1), in place of "
            "batch_type; 0: by batch_type",
        )
        group.add_argument(
            "--skip_too_large",
            type=str2bool,
            default=False,
            help="leave out utterances that have more nodes than lattice_bins",
        )
        for choices in cls.class_choices_list:
            choices.add_arguments(group)

    @classmethod
    def check_data(cls, args: argparse.Namespace) -> None:
        """Check the data that the options name, and how they are made into batches.

        Raises:
            EntError: In one line.
        """
        if args.lattice_bins < 0:
            raise ConfigError("negative", where="option lattice_bins", expected="0 or more", got=args.lattice_bins)
        if args.skip_too_large and not args.lattice_bins:
            raise ConfigError("option skip_too_large needs lattice_bins", got="lattice_bins 0")
        check_inputs(args, _required_data(args), cls.optional_data_names())

    @classmethod
    def build_preprocess_fn(cls, args: argparse.Namespace, train: bool) -> Callable | None:
        """Our preprocessor."""
        if not args.use_preprocessor:
            return None
        tokens = TokenList.from_config(args.token_list)
        return Preprocessor(
            tokens,
            build_tokenizer(args.token_type, args.bpemodel, tokens.symbols),
            EmotionInventory.from_config(args.emotion_list),
            args.fs,
        )

    @classmethod
    def build_sequence_iter_factory(
        cls, args: argparse.Namespace, iter_options: IteratorOptions, mode: str
    ) -> AbsIterFactory:
        """ESPnet's, or batches bounded by the lattice where ``lattice_bins`` says so.

        Several processes take whole batches in turn: the bound is that of one process, and of its memory.
        """
        if not args.lattice_bins or mode not in ("train", "valid") or args.collect_stats:
            return super().build_sequence_iter_factory(args, iter_options, mode)
        batches = lattice_batches(args, iter_options.shape_files, mode)[: iter_options.num_batches]
        if iter_options.distributed:
            ranks, rank = torch.distributed.get_world_size(), torch.distributed.get_rank()
            batches = share_of(batches, rank, ranks, may_repeat=mode == "train")
            if batches is None:  # fewer utterances to validate on than steps and processes: no bound is needed
                return super().build_sequence_iter_factory(args, iter_options, mode)
        return SequenceIterFactory(
            dataset=cls.build_dataset(args, iter_options, {utt_id for batch in batches for utt_id in batch}),
            batches=batches,
            seed=args.seed,
            num_iters_per_epoch=iter_options.num_iters_per_epoch,
            shuffle=iter_options.train,
            shuffle_within_batch=args.shuffle_within_batch,
            num_workers=args.num_workers,
            collate_fn=iter_options.collate_fn,
            pin_memory=args.ngpu > 0,
        )

    @classmethod
    def required_data_names(cls, train: bool = True, inference: bool = False) -> tuple[str, ...]:
        """Names of data that must be given; :meth:`check_data` knows what else a run needs."""
        return ("speech",) if inference else ("text",)

    @classmethod
    def optional_data_names(cls, train: bool = True, inference: bool = False) -> tuple[str, ...]:
        """Names of data that may be given; intervals supervise the emotion lattice, states stand for speech."""
        return () if inference else ("speech", STATES, "emotion", "emo_segments", "emo_words")

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> ESPnetENTModel:
        """Build the model; embeds what it needs of other files into ``args`` and so into ``config.yaml``.

        Raises:
            ConfigError: On an unknown name or key or a wrong value.
        """
        args.token_list = list(TokenList.from_config(args.token_list).tokens)
        args.emotion_list = EmotionInventory.from_config(args.emotion_list).to_lines()
        args.encoder_conf = with_architecture(vars(args))
        config = vars(args)
        if args.collect_stats:
            config = {**config, "normalize": None}
        model = build_model(config)
        if is_from_cache(args):
            train_from_cache(model.encoder, args)
        if isinstance(model.encoder, SSLEncoder):
            args.encoder_conf = {**args.encoder_conf, "stored": model.encoder.description.to_config()}
        return model


def _required_data(args: argparse.Namespace) -> tuple[str, ...]:
    """Names of the data that the encoder and the losses need."""
    speech = STATES if is_from_cache(args) else "speech"
    weights = [args.model_conf.get(name, getattr(LossConfig, name)) for name in ("lattice_weight", "utterance_weight")]
    learns_emotion = any(str(weight) not in ("0", "0.0") for weight in weights)
    return (speech, "text", "emotion") if learns_emotion else (speech, "text")
