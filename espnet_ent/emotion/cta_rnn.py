"""CTA-RNN: a recurrent network with channel- and temporal-wise attention over the layers of a speech recogniser.

Dimensions: B batch, L layers, T frames, D size of a layer, E emotions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from espnet_ent.emotion.attention_pooling import AttentionPooling
from espnet_ent.emotion.channel_attention import ChannelAttention
from espnet_ent.emotion.layer_fusion import LayerFusion
from espnet_ent.emotion.option_checks import check_choice, check_count, check_share, check_switch
from espnet_ent.emotion.utterance import UtteranceInputs
from espnet_ent.encoders.padded_rnn import run_padded
from espnet_ent.transducer.masks import padding_mask
from espnet_ent.transducer.states import EncoderUse

_CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}


@dataclass(frozen=True)
class CTARNNOptions:
    """``utterance_head_conf`` of ``utterance_head: cta_rnn``.

    The published abstract names a recurrent network, channel-wise and temporal-wise attention and several layers of an
    encoder. Sizes and the order of these parts are our choice, and every part can be left out.

    Attributes:
        layers: Layers of the encoder: ``all``, ``last`` or numbers from 1.
        fusion: How several become one: ``attention | mix | concatenate``.
        channel_reduction: Factor of squeeze and excitation; 0: no channel attention.
        rnn: ``lstm | gru | none``; with ``none``, no channel attention and ``mean``, embeddings are pooled as they are.
        hidden_size: Of the recurrent layers, in each direction.
        num_layers: Recurrent layers.
        bidirectional: Read both ways.
        pooling: Over time: ``attention | attention_statistics | mean``; the last is without temporal attention.
        attention_size: Size inside the attentions over layers and over time.
        dropout: Of what the recurrent network reads and of what it gives.

    Raises:
        ConfigError: If a value is of the wrong type or out of its range.
    """

    layers: str | Sequence[int] = "all"
    fusion: str = "attention"
    channel_reduction: int = 8
    rnn: str = "lstm"
    hidden_size: int = 128
    num_layers: int = 1
    bidirectional: bool = True
    pooling: str = "attention"
    attention_size: int = 64
    dropout: float = 0.3

    @property
    def use(self) -> EncoderUse:
        """What is needed of the encoder."""
        return EncoderUse(states=False, layers=True)

    def __post_init__(self) -> None:
        check_choice("rnn", self.rnn, (*_CELLS, "none"))
        check_count("channel_reduction", self.channel_reduction, least=0)
        for name in ("hidden_size", "num_layers", "attention_size"):
            check_count(name, getattr(self, name))
        check_switch("bidirectional", self.bidirectional)
        check_share("dropout", self.dropout)


class CTARNNHead(nn.Module):
    """Layers -> fusion -> channel attention -> recurrent layers -> temporal attention -> linear.

    Source: Chen & Zhang, "CTA-RNN: channel and temporal-wise attention RNN leveraging pre-trained ASR embeddings for
    speech emotion recognition", 2022 (its abstract; see :class:`CTARNNOptions` for what is ours).

    Args:
        options: See there.
        layer_shape: L and D of the encoder.
        num_emotions: E.
    """

    reads_text = False

    def __init__(self, options: CTARNNOptions, layer_shape: tuple[int, int], num_emotions: int) -> None:
        super().__init__()
        num_layers, size = layer_shape
        self.fusion = LayerFusion(num_layers, size, options.layers, options.fusion, options.attention_size)
        width = self.fusion.output_size
        self.channels = ChannelAttention(width, options.channel_reduction) if options.channel_reduction else None
        self.rnn = None if options.rnn == "none" else _make_rnn(options, width)
        size = width if self.rnn is None else options.hidden_size * (2 if options.bidirectional else 1)
        self.pooling = AttentionPooling(size, options.attention_size, options.pooling)
        self.dropout = nn.Dropout(options.dropout)
        self.output = nn.Linear(self.pooling.output_size, num_emotions)

    def classify(self, inputs: UtteranceInputs) -> Tensor:
        """Logits (B, E) of a batch whose encoder gives its layers."""
        return self(inputs.enc.layers, inputs.enc.lengths)

    def forward(self, layers: Tensor, lengths: Tensor) -> Tensor:
        """Logits (B, E).

        Args:
            layers: (B, L, T, D).
            lengths: (B,) valid frames, 1 or more.
        """
        states = self.fusion(layers, lengths)
        if self.channels is not None:
            states = self.channels(states, lengths)
        if self.rnn is not None:
            states = run_padded(self.rnn, self.dropout(states), lengths)
        return self.output(self.dropout(self.pooling(states, padding_mask(lengths, states))))


def _make_rnn(options: CTARNNOptions, input_size: int) -> nn.RNNBase:
    return _CELLS[options.rnn](
        input_size,
        options.hidden_size,
        options.num_layers,
        batch_first=True,
        bidirectional=options.bidirectional,
        dropout=options.dropout if options.num_layers > 1 else 0.0,
    )
