"""Language models over the tokens of a transducer: built, loaded, and used in a search.

A directory that ESPnet's or our language-model training has written can be used, if its token list is the model's.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from espnet2.lm.espnet_model import ESPnetLanguageModel
from espnet2.lm.seq_rnn_lm import SequentialRNNLM
from espnet2.lm.transformer_lm import TransformerLM
from espnet2.torch_utils.device_funcs import force_gatherable
from espnet2.torch_utils.initialize import initialize
from espnet2.train.abs_espnet_model import AbsESPnetModel
from torch import Tensor, nn

from espnet_ent.data.tokens import SOS_EOS, TokenList
from espnet_ent.data.yaml_files import read_yaml
from espnet_ent.errors import CheckpointError, ConfigError
from espnet_ent.losses.language_model import language_model_loss
from espnet_ent.plugin.checkpoints import load_state
from espnet_ent.plugin.components import check_keys, parameters_of
from espnet_ent.transducer.factorized import FactorizedTransducer
from espnet_ent.transducer.prediction import PredictionNetwork

VOCABULARY_PREDICTOR = "vocabulary_predictor"
NETWORKS: dict[str, type] = {"seq_rnn": SequentialRNNLM, "transformer": TransformerLM}
"""ESPnet's language models by ESPnet's names."""


class VocabularyPredictorLM(AbsESPnetModel):
    """The vocabulary predictor of a factorized transducer as a language model, trained on text alone.

    Its parameters have the names that they have in the whole model, for ``--init_param``. It does not predict the end
    of a sentence.

    Args:
        vocab_size: Labels with blank.
        has_lm_output: Whether the whole model has an output layer for the language-model loss, too.
        embedding_size: As the transducer's.
        hidden_size: As the transducer's.
        prediction_size: As the transducer's.
        num_layers: As the transducer's.
        dropout: As the transducer's.
    """

    def __init__(
        self,
        vocab_size: int,
        has_lm_output: bool,
        embedding_size: int = 640,
        hidden_size: int = 640,
        prediction_size: int = 768,
        num_layers: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        predictor = PredictionNetwork(vocab_size, embedding_size, hidden_size, prediction_size, num_layers, dropout)
        output = nn.Linear(prediction_size, vocab_size - 1)
        self.transducer = nn.ModuleDict({"vocabulary_prediction": predictor})
        if has_lm_output:
            self.transducer["lm_output"] = output
        else:
            self.lm_output = output
        self._has_lm_output = has_lm_output

    def nll(self, text: Tensor, text_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Negative log probabilities (nats) of texts (B, U): their sum, and how many labels there are."""
        output = self.transducer["lm_output"] if self._has_lm_output else self.lm_output
        logits = output(self.transducer["vocabulary_prediction"](text))
        return language_model_loss(logits, text, text_lengths) * len(text), text_lengths.sum()

    def forward(self, text: Tensor, text_lengths: Tensor, **_unused: Any) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Loss a label, stats, and the number of labels as weight; ``text`` (B, U), ``text_lengths`` (B,)."""
        total, count = self.nll(text[:, : int(text_lengths.max())], text_lengths)
        loss = total / count.clamp(min=1)
        return force_gatherable((loss, {"loss": loss.detach()}, count), loss.device)

    def collect_feats(self, **_unused: Any) -> dict[str, Tensor]:
        """No features: statistics of text are its lengths."""
        return {}


def build_language_model(config: Mapping[str, Any]) -> AbsESPnetModel:
    """Build what a configuration describes: ``lm``, ``lm_conf``, ``token_list``.

    Args:
        config: For ``vocabulary_predictor``, ``lm_conf`` holds arguments of :class:`VocabularyPredictorLM`.

    Raises:
        ConfigError: On an unknown name or key, a wrong value, or a token list without ``<sos/eos>`` at its end.
    """
    if "token_list" not in config:
        raise ConfigError("not a configuration of a language model", expected="the key token_list")
    tokens = TokenList.from_config(config["token_list"]).tokens
    name, options = config.get("lm") or "seq_rnn", dict(config.get("lm_conf") or {})
    networks = {**NETWORKS, VOCABULARY_PREDICTOR: VocabularyPredictorLM}
    if name not in networks:
        raise ConfigError("unknown language model", where="lm", expected=" | ".join(networks), got=repr(name))
    check_keys("lm_conf", options, [key for key in parameters_of(networks[name]) if key != "vocab_size"])
    if name != VOCABULARY_PREDICTOR and tokens[-1] != SOS_EOS:
        raise ConfigError("the token list does not end a sentence", expected=f"{SOS_EOS} at its end", got=tokens[-1])
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "dropout option adds dropout")  # between layers: none where there is one
            network = networks[name](vocab_size=len(tokens), **options)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError("options are refused", where="lm_conf", got=error or type(error).__name__) from error
    model = network if name == VOCABULARY_PREDICTOR else ESPnetLanguageModel(network, len(tokens))
    if config.get("init"):
        initialize(model, config["init"])
    return model


def predictor_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """``lm_conf`` of ``vocabulary_predictor``, from the configuration of a whole model.

    Raises:
        ConfigError: If its transducer is not factorized.
    """
    if config.get("transducer") != "factorized_transducer":
        raise ConfigError(
            "only a factorized transducer has a vocabulary predictor",
            where="transducer",
            expected="factorized_transducer",
            got=config.get("transducer"),
            next_step="choose a configuration of FENT, or leave out --lm_init_predictor",
        )
    conf = dict(config.get("transducer_conf") or {})
    check_keys("transducer_conf", conf, parameters_of(FactorizedTransducer))
    known = parameters_of(VocabularyPredictorLM)
    has_lm_output = bool(conf.get("language_model") or float((config.get("model_conf") or {}).get("lm_weight", 0)) > 0)
    return {"has_lm_output": has_lm_output, **{key: value for key, value in conf.items() if key in known}}


def load_language_model(directory: str | Path, checkpoint: str) -> tuple[AbsESPnetModel, tuple[str, ...]]:
    """A trained language model in eval mode, and its tokens.

    Raises:
        ConfigError: If the configuration is missing or wrong.
        CheckpointError: If the checkpoint is missing, damaged or does not fit.
    """
    directory = Path(directory)
    if not (directory / "config.yaml").is_file():
        raise ConfigError("no trained language model", where=directory, expected="config.yaml", next_step="stage 7")
    if not (directory / checkpoint).is_file():
        raise CheckpointError("checkpoint is missing", where=directory / checkpoint, next_step="rerun stage 7")
    config = read_yaml(directory / "config.yaml")
    model = build_language_model(config)
    load_state(model, directory / checkpoint)
    return model.eval(), TokenList.from_config(config["token_list"]).tokens


class LanguageModelScorer:
    """An ESPnet language model for shallow fusion (a :class:`espnet_ent.search.beam.LabelScorer`).

    Args:
        model: A language model.
        device: Where it computes.

    Raises:
        ConfigError: If it is a vocabulary predictor, which is part of a transducer already.
    """

    def __init__(self, model: AbsESPnetModel, device: torch.device | str = "cpu") -> None:
        if not isinstance(model, ESPnetLanguageModel):
            raise ConfigError("not for shallow fusion", expected=" | ".join(NETWORKS), got=VOCABULARY_PREDICTOR)
        self.network, self.start, self.device = model.lm.to(device), model.sos, torch.device(device)

    @torch.no_grad()
    def score(self, prefixes: Sequence[tuple[int, ...]], states: Sequence[Any]) -> tuple[Tensor, list[Any]]:
        """Log probabilities (N, V) of what follows each prefix, and states; see ``LabelScorer``."""
        order = sorted(range(len(prefixes)), key=lambda number: len(prefixes[number]))
        rows: list[Tensor | None] = [None] * len(prefixes)
        after: list[Any] = [None] * len(prefixes)
        # The networks take prefixes of one length at a time.
        for _, group in groupby(order, key=lambda number: len(prefixes[number])):
            numbers = list(group)
            inputs = torch.tensor([(self.start, *prefixes[number]) for number in numbers], device=self.device)
            scores, new = self.network.batch_score(inputs, [states[number] for number in numbers], None)
            for number, row, state in zip(numbers, scores, new, strict=True):
                rows[number], after[number] = row, state
        return torch.stack(rows), after


def load_lm_scorer(
    directory: str | Path, checkpoint: str, tokens: Sequence[str], device: torch.device | str = "cpu"
) -> LanguageModelScorer:
    """A trained language model for shallow fusion.

    Args:
        directory: Output of its training.
        checkpoint: File name of its checkpoint.
        tokens: Those of the transducer.
        device: Where it computes.

    Raises:
        ConfigError: If its tokens are others; otherwise as :func:`load_language_model`.
    """
    network, own_tokens = load_language_model(directory, checkpoint)
    if tuple(own_tokens) != tuple(tokens):
        raise ConfigError(
            "the language model has another token list than the transducer",
            where=directory,
            next_step="train it again with the same --token_type and --nbpe (stages 6 and 7)",
        )
    return LanguageModelScorer(network, device)
