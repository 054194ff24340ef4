"""``encoder: ssl`` from its options: the pretrained model and what stands on it."""

from __future__ import annotations

from collections.abc import Callable

from espnet2.asr.encoder.conformer_encoder import ConformerEncoder
from torch import Tensor, nn

from espnet_ent.encoders.local_context import LocalContext
from espnet_ent.encoders.ssl import SSLEncoder, SSLOptions
from espnet_ent.encoders.ssl_checkpoint import (
    SSLDescription,
    build_untrained,
    describe,
    load_pretrained,
    settings_explained,
)
from espnet_ent.encoders.ssl_models import make_ssl_model, samples_per_frame
from espnet_ent.encoders.top import BiLSTMTop, LinearTop, NoTop
from espnet_ent.frames import FrameGrid
from espnet_ent.transducer.states import EncoderUse


class ConformerTop(nn.Module):
    """ESPnet's Conformer at the frame rate of the states below it.

    Dimensions: B batch, T frames, D input size, O output size.

    Args:
        input_size: D.
        output_size: O.
        num_blocks: Number of blocks.
        attention_heads: Attention heads.
        linear_units: Size inside the feed-forward layers.
        cnn_module_kernel: Width of the convolutions.
        dropout_rate: Of everything.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int = 256,
        num_blocks: int = 2,
        attention_heads: int = 4,
        linear_units: int = 1024,
        cnn_module_kernel: int = 15,
        dropout_rate: float = 0.1,
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.encoder = ConformerEncoder(
            input_size,
            output_size=output_size,
            num_blocks=num_blocks,
            attention_heads=attention_heads,
            linear_units=linear_units,
            cnn_module_kernel=cnn_module_kernel,
            dropout_rate=dropout_rate,
            positional_dropout_rate=dropout_rate,
            attention_dropout_rate=dropout_rate,
            input_layer="linear",
            macaron_style=True,
            rel_pos_type="latest",
            use_flash_attn=False,
        )

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, O) of states (B, T, D) with valid frames (B,)."""
        return self.encoder(states, lengths)[0]


TOPS: dict[str, type[nn.Module]] = {
    "bilstm": BiLSTMTop,
    "conformer": ConformerTop,
    "linear": LinearTop,
    "none": NoTop,
}
"""Name of a top in ``encoder_conf`` -> class."""


def build_ssl_encoder(
    options: SSLOptions,
    sample_rate: int,
    emotion_layer_mix: bool,
    make_top: Callable[[int], nn.Module],
    make_branch: Callable[[int, int, int], LocalContext | None],
    weights_follow: bool,
    use: EncoderUse,
) -> SSLEncoder:
    """Build it.

    Args:
        options: The encoder's options.
        sample_rate: Of the speech, Hz.
        emotion_layer_mix: Mix the layers a second time for the emotion side.
        make_top: Makes the network on top, given its input size.
        make_branch: As for :class:`SSLEncoder`.
        weights_follow: A checkpoint is loaded afterwards. Where it holds the model's own weights, they need not be
            there.
        use: What the model needs.

    Raises:
        ConfigError: If the model can't be read or does not fit.
        CheckpointError: If its weights are not those of the training.
    """
    description = ssl_description(options)
    if weights_follow and options.weights_in_checkpoints and options.stored:
        model = build_untrained(description)
    else:
        model, description = load_pretrained(description, options.local_files_only)
    with settings_explained():
        source = make_ssl_model(model, description, sample_rate)
    return SSLEncoder(
        source=source,
        description=description,
        options=options,
        make_top=lambda: make_top(source.hidden_size),
        grid=ssl_grid(description, sample_rate),
        emotion_layer_mix=emotion_layer_mix,
        make_branch=make_branch,
        use=use,
    )


def ssl_description(options: SSLOptions) -> SSLDescription:
    """What the model is, as training stored it or as it lies there; no weights are read.

    Raises:
        ConfigError: If it can't be read.
    """
    if options.stored:
        return SSLDescription.from_config(options.model, options.stored)
    return describe(options.model, options.local_files_only)


def ssl_grid(description: SSLDescription, sample_rate: int) -> FrameGrid:
    """Time grid of a pretrained model."""
    return FrameGrid(sample_rate, samples_per_frame(description))
