import itertools

import pytest
import torch
from torch import Tensor

from espnet_ent.emotion.coattention import STREAMS, CoattentionHead, CoattentionOptions, StreamSizes
from espnet_ent.emotion.coattention_block import CoattentionBlock, Stream
from espnet_ent.emotion.utterance import UtteranceInputs
from espnet_ent.errors import ConfigError
from espnet_ent.transducer.states import AcousticStates, EncoderStates, EncoderUse

SIZES = StreamSizes(encoder=5, acoustic=3, prediction=7, vocabulary=9, unknown=1)
VARIANTS = {
    "acoustic": {"streams": ["acoustic"]},
    "hidden": {"streams": ["hidden"]},
    "text": {"streams": ["text"]},
    "concatenation": {"fusion": "concatenation"},
    "acoustic_hidden": {"streams": ["acoustic", "hidden"], "fusion": "single"},
    "acoustic_text": {"streams": ["acoustic", "text"], "fusion": "single"},
    "single": {"fusion": "single"},
    "hierarchical": {},
    "hierarchical_prediction": {"text": "prediction"},
}


def _head(**changes) -> CoattentionHead:
    torch.manual_seed(0)
    options = CoattentionOptions(**{"size": 8, "num_heads": 2, "feedforward_size": 6, **changes})
    return CoattentionHead(options, SIZES, 4).eval()


def _inputs(num_frames: list[int], num_labels: list[int], seed: int = 0, longer: int = 0) -> UtteranceInputs:
    """A batch with noise on its padding; what is valid depends on the utterance's sizes alone."""
    batch, rows = len(num_frames), [4 * frames + 3 for frames in num_frames]
    states = [
        torch.full((batch, max(sizes) + longer, size), float(seed + 50))
        for sizes, size in ((num_frames, 5), (rows, 3), ([n + 1 for n in num_labels], 7))
    ]
    labels = torch.full((batch, max(num_labels) + longer), -1)
    for row in range(batch):
        generator = torch.Generator().manual_seed(num_frames[row] * 100 + num_labels[row])
        for values, length in zip(states, (num_frames[row], rows[row], num_labels[row] + 1), strict=True):
            values[row, :length] = torch.randn(length, values.size(2), generator=generator)
        labels[row, : num_labels[row]] = torch.randint(1, 9, (num_labels[row],), generator=generator)
    lengths = torch.tensor(num_frames)
    acoustic = AcousticStates(states[1], torch.tensor(rows), 4)
    enc = EncoderStates(states[0], states[0], lengths, acoustic=acoustic)
    return UtteranceInputs(enc, states[0], states[2], labels, torch.tensor(num_labels))


@pytest.mark.parametrize("variant", VARIANTS)
def test_utterances_of_a_batch_get_what_they_get_alone_in_every_variant(variant):
    head = _head(**VARIANTS[variant])
    generator = torch.Generator().manual_seed(3)
    for longer in range(4):
        frames = torch.randint(1, 8, (3,), generator=generator).tolist()
        num_labels = torch.randint(0, 6, (3,), generator=generator).tolist()
        logits = head.classify(_inputs(frames, num_labels, longer=longer))
        assert logits.shape == (3, 4)
        for row in range(3):
            alone = head.classify(_inputs(frames[row : row + 1], num_labels[row : row + 1]))
            torch.testing.assert_close(logits[row], alone[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_is_trained_and_only_the_streams_that_are_named_matter(variant):
    head = _head(**VARIANTS[variant])
    inputs = _inputs([6, 4], [5, 2])
    inputs.h.requires_grad_()
    inputs.g.requires_grad_()
    inputs.enc.acoustic.features.requires_grad_()
    head.classify(inputs).square().sum().backward()
    assert [name for name, parameter in head.named_parameters() if parameter.grad is None] == []
    read = {"hidden": inputs.h, "acoustic": inputs.enc.acoustic.features}
    for name, values in read.items():
        assert (values.grad is not None) == (name in head.options.streams)
    assert (inputs.g.grad is not None) == (head.options.text == "prediction")


@pytest.mark.parametrize(("option", "stopped"), [("detach_hidden", "h"), ("detach_text", "g")])
def test_gradients_stop_where_they_are_told_to(option, stopped):
    head, inputs = _head(text="prediction", **{option: True}), _inputs([6], [5])
    inputs.h.requires_grad_()
    inputs.g.requires_grad_()
    head.classify(inputs).sum().backward()
    assert {name for name in "hg" if getattr(inputs, name).grad is None} == {stopped}


def test_the_text_matters_and_an_empty_one_is_read():
    head = _head()
    inputs = _inputs([6], [5])
    none = UtteranceInputs(inputs.enc, inputs.h, inputs.g, inputs.labels[:, :0], torch.tensor([0]))
    assert torch.isfinite(head.classify(none)).all()
    assert not torch.allclose(head.classify(none), head.classify(inputs))


def test_tokens_are_dropped_in_training_alone():
    head, inputs = _head(streams=["text"], token_dropout=0.9, dropout=0.0), _inputs([6], [5])
    kept = head.classify(inputs)
    assert torch.equal(kept, head.classify(inputs))
    torch.manual_seed(1)
    assert not torch.allclose(head.train().classify(inputs), kept)


def _attention(side, own: Tensor, other: Tensor) -> Tensor:
    """Multi-head attention of one utterance, head by head and row by row."""
    size, heads = own.size(1), side.attention.num_heads
    width = size // heads
    weight, bias = side.attention.in_proj_weight, side.attention.in_proj_bias
    query, key, value = (
        x @ weight[i * size : (i + 1) * size].T + bias[i * size : (i + 1) * size]
        for i, x in enumerate((own, other, other))
    )
    rows = []
    for q in query:
        parts = []
        for head in range(heads):
            part = slice(head * width, (head + 1) * width)
            scores = torch.stack([q[part] @ k[part] / width**0.5 for k in key])
            parts.append(sum(w * v[part] for w, v in zip(scores.softmax(dim=0), value, strict=True)))
        rows.append(torch.cat(parts))
    return side.attention.out_proj(torch.stack(rows))


def test_the_block_is_attention_both_ways_with_residuals_norms_and_feed_forward():
    torch.manual_seed(0)
    block = CoattentionBlock(8, 2, 6, 0.1).eval()
    a, b = torch.randn(1, 5, 8), torch.randn(1, 3, 8)
    got = block(Stream.of(a, torch.tensor([5])), Stream.of(b, torch.tensor([3])))
    for side, own, other, stream in zip(block.sides, (a, b), (b, a), got, strict=True):
        states = side.norms[0](own[0] + _attention(side, own[0], other[0]))
        torch.testing.assert_close(stream.states[0], side.norms[1](states + side.feedforward(states)))


def test_text_and_hidden_states_meet_before_the_sound_in_the_hierarchy():
    """The chain of the parts, as each fusion should call them."""
    for fusion, num_blocks in (("hierarchical", 2), ("single", 1), ("concatenation", 0)):
        head, inputs = _head(fusion=fusion), _inputs([6], [5])
        assert len(head.blocks) == num_blocks
        sound = head.streams["acoustic"](inputs.enc.acoustic.features, inputs.enc.acoustic.lengths)
        hidden = head.streams["hidden"](inputs.h, inputs.enc.lengths)
        text = head.streams["text"](inputs.labels, inputs.label_lengths)
        if fusion == "hierarchical":
            hidden, text = head.blocks[0](hidden, text)
        fused = [sound.states, hidden.states, text.states]
        if fusion != "concatenation":
            both = torch.cat([hidden.states, text.states], dim=1)
            streams = (Stream.of(states, torch.tensor([states.size(1)])) for states in (sound.states, both))
            fused = [stream.states for stream in head.blocks[-1](*streams)]
        nowhere = [torch.zeros(states.shape[:2], dtype=torch.bool) for states in fused]
        pooled = [pool(*pair) for pool, *pair in zip(head.poolings, fused, nowhere, strict=True)]
        expected = head.output(head.norm(torch.cat(pooled, dim=-1)))
        torch.testing.assert_close(head.classify(inputs), expected)


def test_it_asks_the_encoder_for_what_its_streams_are():
    for number in range(1, 4):
        for streams in itertools.combinations(STREAMS, number):
            use = CoattentionOptions(streams=streams, fusion="concatenation").use
            assert use == EncoderUse(states="hidden" in streams, acoustic="acoustic" in streams)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"streams": []}, "streams"),
        ({"streams": ["text", "text"]}, "streams"),
        ({"streams": ["sound"]}, "acoustic hidden text"),
        ({"streams": ["acoustic", "text"]}, "fusion: single"),
        ({"fusion": "late"}, "hierarchical"),
        ({"text": "words"}, "embedding"),
        ({"detach_text": True}, "prediction"),
        ({"text": "prediction", "token_dropout": 0.1}, "embedding"),
        ({"dropout": 1.0}, "dropout"),
        ({"detach_hidden": "yes"}, "detach_hidden"),
        ({"size": 7}, "even"),
        ({"size": 0}, "size"),
        ({"size": 8.0}, "size"),
        ({"streams": [["text"]]}, "streams"),
        ({"streams": "text"}, "streams"),
        ({"dropout": "x"}, "dropout"),
        ({"token_dropout": -0.1}, "token_dropout"),
        ({"feedforward_size": 0}, "feedforward_size"),
        ({"num_halvings": -1}, "num_halvings"),
        ({"num_halvings": 1.5}, "num_halvings"),
        ({"num_heads": "a"}, "num_heads"),
        ({"num_heads": 3}, "heads"),
    ],
)
def test_wrong_options_are_refused(changes, named):
    with pytest.raises(ConfigError, match=named):
        _head(**changes)


def test_prediction_states_need_a_transducer():
    with pytest.raises(ConfigError, match="transducer"):
        CoattentionHead(CoattentionOptions(text="prediction"), StreamSizes(5, 3, 0, 9, 1), 4)
