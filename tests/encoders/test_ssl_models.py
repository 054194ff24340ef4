import numpy as np
import pytest
import torch
from transformers import Wav2Vec2FeatureExtractor

from espnet_ent.encoders.ssl_checkpoint import describe, load_pretrained
from espnet_ent.encoders.ssl_models import (
    conv_lengths,
    depth_of,
    make_ssl_model,
    normalize,
    one_by_one,
    samples_per_frame,
)
from espnet_ent.errors import ConfigError, LossInputError
from tests.amounts import amount
from tests.encoders.tiny_ssl import EXACT, FAMILIES, save_tiny

WAVEFORM = [family for family in FAMILIES if family != "whisper"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    made = {}
    for family in FAMILIES:
        model, description = load_pretrained(describe(str(save_tiny(root / family, family))))
        made[family] = make_ssl_model(model, description, 16000)
        assert samples_per_frame(description) == 320
    return made


def noise(*lengths, seed=0):
    generator = torch.Generator().manual_seed(seed)
    speech = torch.zeros(len(lengths), max(lengths))
    for row, length in enumerate(lengths):
        speech[row, :length] = 0.1 + 0.3 * torch.randn(length, generator=generator)
    return speech, torch.tensor(lengths)


@torch.no_grad()
def largest_difference(model, encode, lengths=(9600, 6417, 4000)):
    """Between states of a padded batch and those of each utterance alone."""
    speech, num_samples = noise(*lengths)
    batch = encode(model, speech, num_samples)
    largest = 0.0
    for row, length in enumerate(lengths):
        alone = model(speech[row : row + 1, :length], num_samples[row : row + 1])
        frames = int(alone.lengths)
        assert int(batch.lengths[row]) == frames
        assert len(batch.layers) == len(alone.layers) == model.num_layers
        pairs = [*zip(batch.layers, alone.layers, strict=True)]
        largest = max(largest, *(float((b[row, :frames] - a[0]).abs().max()) for b, a in pairs))
        local = int(alone.local_lengths)
        assert local == frames * model.local_subsampling
        largest = max(largest, float((batch.local[row, :local] - alone.local[0]).abs().max()))
    return largest


@pytest.mark.parametrize("family", WAVEFORM)
@torch.no_grad()
def test_lengths_are_the_real_models_for_every_number_of_samples(models, family):
    model = models[family]
    samples = torch.arange(400, 2001)
    found = model.lengths(samples)
    speech = torch.randn(1, 2000)
    for length, frames in zip(samples.tolist(), found.tolist(), strict=True):
        assert model.model.feature_extractor(speech[:, :length]).size(-1) == frames, length
    assert torch.equal(found, model.model._get_feat_extract_output_lengths(samples))


def test_lengths_below_the_reach_of_the_convolutions_are_zero():
    kernels, strides = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)
    assert conv_lengths(torch.tensor([0, 1, 399, 400]), kernels, strides).tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("family", FAMILIES)
def test_an_utterance_without_a_frame_is_refused_in_one_line(models, family):
    too_short = 0 if family == "whisper" else 399
    with pytest.raises(LossInputError, match=f"too short.*got {too_short} samples"):
        models[family](torch.zeros(2, 8000), torch.tensor([8000, too_short]))


@pytest.mark.parametrize("family", EXACT)
def test_a_padded_batch_agrees_with_single_utterances(models, family):
    assert largest_difference(models[family], lambda model, *batch: model(*batch)) < 1e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_in_random_batches_an_utterance_gets_what_it_gets_alone(models, family, figures):
    """Families whose states depend on padding are encoded one by one."""
    generator = torch.Generator().manual_seed(0)
    exact = family in EXACT
    for _ in range(amount(200, 1)):
        lengths = torch.randint(400, 9000, (3,), generator=generator).tolist()
        encode = (lambda model, *batch: model(*batch)) if exact else one_by_one
        assert largest_difference(models[family], encode, lengths) < 1e-4
    promise = "pretrained encoders: padding and the rest of a batch change nothing (base models: with `one_by_one`)"
    figures("Numerics", promise, families=1, random_batches=amount(200, 1))


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - set(EXACT)))
def test_the_other_families_do_not_agree_which_the_documents_say(models, family):
    assert largest_difference(models[family], lambda model, *batch: model(*batch)) > 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_one_by_one_every_family_agrees(models, family):
    assert largest_difference(models[family], one_by_one) < 1e-4
    assert largest_difference(models[family], one_by_one, (4000, 6417, 4000)) < 1e-4


@pytest.mark.parametrize("lengths", [(9600, 6417, 400), (4000, 4000)])
def test_normalisation_is_that_of_the_feature_extractor(lengths):
    speech, num_samples = noise(*lengths)
    extractor = Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True)
    rows = [speech[row, :length].numpy() for row, length in enumerate(lengths)]
    expected = extractor(rows, sampling_rate=16000, padding=True, return_tensors="pt").input_values
    torch.testing.assert_close(normalize(speech, num_samples), expected, rtol=1e-5, atol=1e-5)


def test_silence_stays_silence():
    assert not normalize(torch.zeros(1, 800), torch.tensor([800])).any()


@pytest.mark.parametrize("family", WAVEFORM)
def test_input_and_mask_are_as_the_preprocessor_says(models, family, monkeypatch):
    model = models[family]
    flags = FAMILIES[family][2]
    seen = []
    monkeypatch.setattr(model.model, "forward", lambda speech, **others: seen.append((speech, others)) or 1 / 0)
    speech, lengths = noise(9600, 4000)
    with pytest.raises(ZeroDivisionError):
        model(speech, lengths)
    ((given, others),) = seen
    mask = others["attention_mask"]
    assert (mask is not None) == flags["return_attention_mask"]
    if mask is not None:
        assert mask.sum(1).tolist() == lengths.tolist()
    assert bool(given[0].mean().abs() < 1e-4) == flags["do_normalize"]
    assert not given[1, 4000:].any()


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_without_a_preprocessor_the_kind_of_convolutions_decides(tmp_path, norm):
    family = "hubert-large" if norm == "layer" else "hubert-base"
    description = describe(str(save_tiny(tmp_path, family, preprocessor=False)))
    model = make_ssl_model(load_pretrained(description)[0], description, 16000)
    assert model.has_mask == model.normalizes == (norm == "layer")


@pytest.mark.parametrize("family", FAMILIES)
def test_training_mode_gives_all_layers_in_spite_of_layer_drop(tmp_path, family):
    drop = "encoder_layerdrop" if family == "whisper" else "layerdrop"
    model, description = load_pretrained(describe(str(save_tiny(tmp_path, family, **{drop: 1.0}))))
    model = make_ssl_model(model, description, 16000)
    model.train()
    assert len(model(*noise(8000, 6000)).layers) == 3


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_the_last_layer_is_what_the_model_calls_its_last_state(models, family):
    model = models[family]
    speech, lengths = noise(8000)
    found = model(speech, lengths).layers
    if family == "whisper":
        mel = model.extractor(speech[0].numpy(), sampling_rate=16000, return_tensors="pt").input_features
        expected = model.encoder(mel).last_hidden_state[:, :25]
    else:
        expected = model.model(normalize(speech, lengths) if model.normalizes else speech).last_hidden_state
    torch.testing.assert_close(found[-1], expected, rtol=1e-4, atol=1e-5)
    if model.ends_in_norm:
        torch.testing.assert_close(found[-1].mean(-1), torch.zeros(found[-1].shape[:2]), atol=1e-5, rtol=0)


def test_masking_in_training_is_the_models_own_and_spares_what_is_shorter_than_a_mask(tmp_path):
    settings = {"mask_time_prob": 0.5, "mask_time_length": 5}
    model, description = load_pretrained(describe(str(save_tiny(tmp_path, "wav2vec2-large", **settings))))
    model = make_ssl_model(model, description, 16000)
    for dropout in (module for module in model.modules() if isinstance(module, torch.nn.Dropout)):
        dropout.p = 0.0
    model.model.masked_spec_embed.data.fill_(50.0)
    np.random.seed(0)
    changed = {}
    for num_samples in (8000, 1600):
        speech, lengths = noise(num_samples)
        model.eval()
        calm = model(speech, lengths).layers[0]
        model.train()
        changed[num_samples] = not torch.allclose(calm, model(speech, lengths).layers[0], atol=1e-3)
    assert changed == {8000: True, 1600: False}


@torch.no_grad()
def test_whisper_encodes_longer_speech_in_stretches_of_30_s(models):
    model = models["whisper"]
    speech, lengths = noise(480000 + 5000, 8001)
    states = model(speech, lengths)
    assert states.lengths.tolist() == [1500 + 16, 26]
    tail = model(speech[:1, 480000:], torch.tensor([5000]))
    torch.testing.assert_close(states.layers[-1][0, 1500:], tail.layers[-1][0], rtol=1e-4, atol=1e-5)


def test_another_sample_rate_is_refused(tmp_path):
    description = describe(str(save_tiny(tmp_path, "wavlm-base")))
    with pytest.raises(ConfigError, match=r"fs: .*expected 16000; got 8000"):
        make_ssl_model(load_pretrained(description)[0], description, 8000)


@pytest.mark.parametrize("family", FAMILIES)
def test_depths_of_parameters(models, family):
    model = models[family]
    found = {name: depth_of(name, model) for name, _ in model.named_parameters()}
    for name, depth in found.items():
        if ".layers.1." in name:
            assert depth == 0, name
        elif ".layers.0." in name:
            assert depth == 1, name
        elif "encoder.layer_norm" in name:
            assert depth == (0 if family in EXACT else 2), name
        else:
            assert depth == 2, name
    assert {0, 1, 2} == set(found.values())
