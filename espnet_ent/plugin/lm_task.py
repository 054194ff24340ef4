"""Training of language models on text: for shallow fusion, or to initialise a vocabulary predictor."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from espnet2.train.abs_espnet_model import AbsESPnetModel
from espnet2.utils.nested_dict_action import NestedDictAction
from espnet2.utils.types import str_or_none
from torch import Tensor

from espnet_ent.collate import collate
from espnet_ent.data.tokens import Tokenizer, TokenList, build_tokenizer
from espnet_ent.data.yaml_files import read_yaml
from espnet_ent.errors import ConfigError
from espnet_ent.plugin.base_task import PluginTask
from espnet_ent.plugin.inputs import check_texts
from espnet_ent.plugin.language_model import (
    NETWORKS,
    VOCABULARY_PREDICTOR,
    build_language_model,
    predictor_options,
)


class LanguageModelTask(PluginTask):
    """A language model; ESPnet's networks and options, our trainer."""

    @classmethod
    def add_task_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add our options to ESPnet's."""
        group = parser.add_argument_group("Task related")
        cls.add_shared_arguments(group)
        group.add_argument("--lm", default="seq_rnn", choices=[*NETWORKS, VOCABULARY_PREDICTOR], help="network")
        group.add_argument("--lm_conf", action=NestedDictAction, default={}, help="options of the network")
        group.add_argument(
            "--ent_config", type=str_or_none, help="vocabulary_predictor: configuration of the model that it is part of"
        )

    @classmethod
    def check_data(cls, args: argparse.Namespace) -> None:
        """Check the texts that the options name.

        Raises:
            EntError: In one line.
        """
        check_texts(args)
        if args.lm == VOCABULARY_PREDICTOR:
            if not args.ent_config:
                raise ConfigError("no configuration of the model", where="--ent_config", expected="a file")
            args.lm_conf = predictor_options(read_yaml(args.ent_config))

    @classmethod
    def build_collate_fn(cls, args: argparse.Namespace, train: bool) -> Callable:
        """Our collate function; ESPnet's networks want blank as padding."""
        return _collate

    @classmethod
    def build_preprocess_fn(cls, args: argparse.Namespace, train: bool) -> Callable | None:
        """Text to labels."""
        if not args.use_preprocessor:
            return None
        tokens = TokenList.from_config(args.token_list)
        return TextPreprocessor(tokens, build_tokenizer(args.token_type, args.bpemodel, tokens.symbols))

    @classmethod
    def required_data_names(cls, train: bool = True, inference: bool = False) -> tuple[str, ...]:
        """Text alone."""
        return ("text",)

    @classmethod
    def optional_data_names(cls, train: bool = True, inference: bool = False) -> tuple[str, ...]:
        """Nothing else."""
        return ()

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> AbsESPnetModel:
        """Build the model; embeds the token list into ``args`` and so into ``config.yaml``."""
        args.token_list = list(TokenList.from_config(args.token_list).tokens)
        return build_language_model(vars(args))


class TextPreprocessor:
    """Turns text into labels.

    Args:
        token_list: The vocabulary.
        tokenizer: Splits text into tokens.
    """

    def __init__(self, token_list: TokenList, tokenizer: Tokenizer) -> None:
        self.token_list = token_list
        self.tokenizer = tokenizer

    def __call__(self, utt_id: str, data: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """``text`` as int64 (U,)."""
        return {"text": self.token_list.encode(self.tokenizer.text2tokens(str(data["text"])))}


def _collate(items: Sequence[tuple[str, dict[str, np.ndarray]]]) -> tuple[list[str], dict[str, Tensor]]:
    names, batch = collate(items)
    return names, {key: torch.clamp(values, min=0) for key, values in batch.items()}
