import itertools

import pytest
import torch

from espnet_ent.emotion.cta_rnn import CTARNNHead, CTARNNOptions
from espnet_ent.errors import ConfigError
from espnet_ent.transducer.states import EncoderUse

FORMS = [
    dict(zip(("fusion", "channel_reduction", "pooling", "rnn"), values, strict=True))
    for values in itertools.product(
        ("attention", "mix", "concatenate"),
        (0, 2),
        ("attention", "attention_statistics", "mean"),
        ("lstm", "gru", "none"),
    )
]


def _head(**changes) -> CTARNNHead:
    torch.manual_seed(0)
    options = CTARNNOptions(**{"hidden_size": 5, "attention_size": 3, "channel_reduction": 2, **changes})
    return CTARNNHead(options, (3, 4), 6).eval()


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(map(str, form.values())))
def test_utterances_of_a_batch_get_what_they_get_alone_in_every_form(form):
    """The law of padding, over random lengths and contents."""
    head, generator = _head(**form), torch.Generator().manual_seed(1)
    for _ in range(5):
        lengths = torch.randint(1, 9, (4,), generator=generator)
        layers = torch.randn(4, 3, int(lengths.max()) + 1, 4, generator=generator)
        logits = head(layers, lengths)
        assert logits.shape == (4, 6)
        for row, length in enumerate(lengths.tolist()):
            alone = head(layers[row : row + 1, :, :length], lengths[row : row + 1])
            torch.testing.assert_close(logits[row], alone[0], rtol=1e-4, atol=1e-5)


def test_it_is_the_chain_of_its_parts():
    head, layers = _head(), torch.randn(1, 3, 6, 4)
    lengths = torch.tensor([6])
    states = head.channels(head.fusion(layers, lengths), lengths)
    expected = head.output(head.pooling(head.rnn(states)[0], torch.zeros(1, 6, dtype=torch.bool)))
    torch.testing.assert_close(head(layers, lengths), expected)


def test_what_an_ablation_leaves_out_is_not_built():
    names = {name.split(".")[0] for name, _ in _head().named_parameters()}
    assert names == {"fusion", "channels", "rnn", "pooling", "output"}
    assert _head(channel_reduction=0).channels is None
    assert not list(_head(pooling="mean").pooling.parameters())
    assert len(list(_head(layers="last").fusion.parameters())) == 2
    assert _head(bidirectional=False).rnn.bidirectional is False


def test_nothing_but_means_over_layers_and_time_is_mean_pooling():
    head = _head(rnn="none", channel_reduction=0, pooling="mean", fusion="mix")
    layers, lengths = torch.randn(2, 3, 6, 4), torch.tensor([6, 4])
    mixed = head.fusion(layers, lengths)
    means = torch.stack([mixed[row, :length].mean(dim=0) for row, length in enumerate(lengths)])
    torch.testing.assert_close(head(layers, lengths), head.output(means))
    assert head.rnn is None
    assert head.channels is None


def test_every_parameter_is_trained():
    head = _head()
    head(torch.randn(2, 3, 6, 4), torch.tensor([6, 2])).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in head.parameters())


def test_it_asks_for_layers_alone():
    assert CTARNNOptions().use == EncoderUse(states=False, layers=True)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rnn", "rnn"),
        ("channel_reduction", -1),
        ("channel_reduction", 0.5),
        ("channel_reduction", True),
        ("hidden_size", 0),
        ("hidden_size", "a"),
        ("num_layers", 0),
        ("attention_size", 0),
        ("attention_size", 1.5),
        ("bidirectional", "no"),
        ("dropout", 1.0),
        ("dropout", "x"),
        ("dropout", float("nan")),
    ],
)
def test_wrong_options_are_refused(key, value):
    with pytest.raises(ConfigError, match=rf"utterance_head_conf\.{key}"):
        CTARNNOptions(**{key: value})
