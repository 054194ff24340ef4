"""Hierarchical co-attention of what speech recognition finds - hidden states and text - and of the sound itself.

Dimensions: B batch, D encoder size, P prediction size, V vocabulary, F acoustic features, S size of all streams,
E emotions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from espnet_ent.emotion.attention_pooling import AttentionPooling
from espnet_ent.emotion.coattention_block import CoattentionBlock, Stream
from espnet_ent.emotion.option_checks import check_choice, check_count, check_share, check_switch
from espnet_ent.emotion.streams import AcousticStream, StateStream, TokenStream
from espnet_ent.emotion.utterance import UtteranceInputs
from espnet_ent.errors import ConfigError
from espnet_ent.transducer.states import EncoderUse

STREAMS = ("acoustic", "hidden", "text")
FUSIONS = ("hierarchical", "single", "concatenation")
TEXTS = ("embedding", "prediction")


@dataclass(frozen=True)
class CoattentionOptions:
    """``utterance_head_conf`` of ``utterance_head: coattention``.

    The published abstract names hidden output, text output and their fusion by hierarchical co-attention. Sizes, blocks
    and the order of the fusion are our choice: hidden states and text first, the result then with the acoustic stream.

    Attributes:
        streams: Which of ``acoustic``, ``hidden`` and ``text`` there are.
        fusion: ``hierarchical``: the text with the hidden states, then both with the acoustic stream (three streams).
            ``single``: one co-attention; of three streams, between the acoustic one and the other two, one after the
            other. ``concatenation``: streams are pooled apart. One stream is just pooled.
        text: ``embedding``: of the tokens; ``prediction``: states of the prediction network.
        detach_hidden: The emotion loss does not train the encoder through the hidden states.
        detach_text: It does not train the prediction network through the text.
        size: S.
        num_heads: Attention heads.
        feedforward_size: Inside the blocks.
        num_halvings: The acoustic stream is thinned out by 2 to this power.
        token_dropout: Share of tokens that are unknown in training; for ``embedding``.
        pooling: Over time, of each stream in the end: ``attention | attention_statistics | mean``.
        dropout: Everywhere.

    Raises:
        ConfigError: If a value is of the wrong type, out of its range, or without effect.
    """

    streams: Sequence[str] = STREAMS
    fusion: str = "hierarchical"
    text: str = "embedding"
    detach_hidden: bool = False
    detach_text: bool = False
    size: int = 128
    num_heads: int = 4
    feedforward_size: int = 256
    num_halvings: int = 2
    token_dropout: float = 0.0
    pooling: str = "attention"
    dropout: float = 0.2

    def __post_init__(self) -> None:
        check_choice("fusion", self.fusion, FUSIONS)
        check_choice("text", self.text, TEXTS)
        is_list = isinstance(self.streams, (list, tuple)) and len(self.streams) > 0
        if not is_list or any(self.streams.count(name) > 1 or name not in STREAMS for name in self.streams):
            raise ConfigError("unknown streams", expected=f"some of {' '.join(STREAMS)}, each once", got=self.streams)
        if self.fusion == "hierarchical" and len(self.streams) == 2:
            raise ConfigError(
                "hierarchical fusion of two streams", expected="three streams, or fusion: single", got=self.streams
            )
        for name, least in (("size", 2), ("num_heads", 1), ("feedforward_size", 1), ("num_halvings", 0)):
            check_count(name, getattr(self, name), least)
        for name in ("dropout", "token_dropout"):
            check_share(name, getattr(self, name))
        for name in ("detach_hidden", "detach_text"):
            check_switch(name, getattr(self, name))
        if self.size % 2:
            raise ConfigError("size is out of range", expected="an even number", got=self.size)
        if self.detach_text and self.text == "embedding":
            raise ConfigError("detach_text is for prediction states", expected="text: prediction", got=self.text)
        if self.token_dropout and self.text != "embedding":
            raise ConfigError("token_dropout is for embeddings", expected="text: embedding", got=self.text)

    @property
    def use(self) -> EncoderUse:
        """What is needed of the encoder."""
        return EncoderUse(states="hidden" in self.streams, acoustic="acoustic" in self.streams)


@dataclass(frozen=True)
class StreamSizes:
    """What the streams come from.

    Attributes:
        encoder: D.
        acoustic: F.
        prediction: P; 0 without a transducer.
        vocabulary: V.
        unknown: Index of the unknown token.
    """

    encoder: int
    acoustic: int
    prediction: int
    vocabulary: int
    unknown: int


class CoattentionHead(nn.Module):
    """Streams -> co-attention -> attention pooling of each -> layer norm -> linear.

    Source: Li, Bell & Lai, "Fusing ASR outputs in joint training for speech emotion recognition", 2022 (its abstract;
    see :class:`CoattentionOptions` for what is ours).

    Args:
        options: See there.
        sizes: Of the inputs.
        num_emotions: E.

    Raises:
        ConfigError: If prediction states are asked for and there is no transducer.
    """

    def __init__(self, options: CoattentionOptions, sizes: StreamSizes, num_emotions: int) -> None:
        super().__init__()
        self.options = options
        size, dropout = options.size, options.dropout
        made: dict[str, nn.Module] = {}
        if "acoustic" in options.streams:
            made["acoustic"] = AcousticStream(sizes.acoustic, size, options.num_halvings, dropout)
        if "hidden" in options.streams:
            made["hidden"] = StateStream(sizes.encoder, size, dropout)
        if "text" in options.streams:
            made["text"] = _text_stream(options, sizes)
        self.streams = nn.ModuleDict(made)
        num_blocks = {"hierarchical": 2, "single": 1, "concatenation": 0}[options.fusion] if len(made) > 1 else 0
        self.blocks = nn.ModuleList(
            [CoattentionBlock(size, options.num_heads, options.feedforward_size, dropout) for _ in range(num_blocks)]
        )
        num_pooled = 2 if self.blocks else len(made)
        self.poolings = nn.ModuleList([AttentionPooling(size, size // 2, options.pooling) for _ in range(num_pooled)])
        pooled_size = sum(pooling.output_size for pooling in self.poolings)
        self.norm = nn.LayerNorm(pooled_size)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(pooled_size, num_emotions)

    @property
    def reads_text(self) -> bool:
        """Whether it depends on the text."""
        return "text" in self.streams

    def classify(self, inputs: UtteranceInputs) -> Tensor:
        """Logits (B, E) of a batch."""
        streams = {name: self._stream(name, inputs) for name in self.streams}
        pooled = [
            pooling(stream.states, stream.padding)
            for pooling, stream in zip(self.poolings, self._fused(streams), strict=True)
        ]
        return self.output(self.dropout(self.norm(torch.cat(pooled, dim=-1))))

    def _stream(self, name: str, inputs: UtteranceInputs) -> Stream:
        stream, options = self.streams[name], self.options
        if name == "acoustic":
            return stream(inputs.enc.acoustic.features, inputs.enc.acoustic.lengths)
        if name == "hidden":
            return stream(inputs.h.detach() if options.detach_hidden else inputs.h, inputs.enc.lengths)
        if options.text == "embedding":
            return stream(inputs.labels, inputs.label_lengths)
        return stream(inputs.g.detach() if options.detach_text else inputs.g, inputs.label_lengths + 1)

    def _fused(self, streams: dict[str, Stream]) -> list[Stream]:
        if not self.blocks:
            return list(streams.values())
        if len(streams) == 2:
            return list(self.blocks[0](*streams.values()))
        acoustic, hidden, text = (streams[name] for name in STREAMS)
        if self.options.fusion == "hierarchical":
            hidden, text = self.blocks[0](hidden, text)
        return list(self.blocks[-1](acoustic, hidden.followed_by(text)))


def _text_stream(options: CoattentionOptions, sizes: StreamSizes) -> nn.Module:
    if options.text == "embedding":
        return TokenStream(sizes.vocabulary, options.size, sizes.unknown, options.token_dropout, options.dropout)
    if not sizes.prediction:
        raise ConfigError(
            "prediction states need a transducer",
            where="utterance_head_conf.text",
            expected="embedding, or transducer: transducer",
            got=options.text,
        )
    return StateStream(sizes.prediction, options.size, options.dropout)
