"""Checkpoints of the public ENT code over real SSL models: samples to logits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from espnet_ent.inference import EmotionTranscriber
from espnet_ent.plugin.reference_import import ReferenceOptions, import_reference
from tests.encoders.tiny_ssl import save_tiny
from tests.plugin import reference_standin
from tests.plugin.reference_oracle import Reference

_LABELS = [3, 7, 4]


@pytest.mark.parametrize("finetuned", [False, True])
@pytest.mark.parametrize("kind", ["ent", "fent"])
@pytest.mark.parametrize("family", ["wav2vec2-base", "hubert-base", "wavlm-base"])
@torch.no_grad()
def test_lattice_logits_of_samples_are_the_reference_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str, kind: str, finetuned: bool
) -> None:
    """The public code gives samples to the model as they are: here with a mean that normalising would take away."""
    from transformers import AutoModel

    directory = save_tiny(tmp_path / family, family)
    ssl = AutoModel.from_pretrained(directory).eval()
    monkeypatch.setattr(reference_standin, "SSL_SIZE", ssl.config.hidden_size)
    monkeypatch.setattr(reference_standin, "NUM_LAYERS", ssl.config.num_hidden_layers + 1)
    state = reference_standin.reference_state(kind, ssl, finetuned=finetuned)
    torch.save(state, tmp_path / "model.pth")
    import_reference(tmp_path / "model.pth", tmp_path / "exp", ReferenceOptions(kind, ssl=str(directory)))
    model = EmotionTranscriber.from_pretrained(tmp_path / "exp").model
    speech = 0.3 + torch.randn(1, 3000, generator=torch.Generator().manual_seed(0))
    layers = [layer[0] for layer in ssl(speech, output_hidden_states=True).hidden_states]
    enc = model.encoder(speech, torch.tensor([speech.size(1)]))
    states = model.transducer.predict(torch.tensor([_LABELS]), torch.tensor([len(_LABELS)]))
    logits = torch.cat([terms.logits() for terms in model.transducer.joint_terms(enc, states)], dim=-1)[0]
    expected = Reference(state, kind).lattice(layers, _LABELS)
    torch.testing.assert_close(logits.double(), expected, rtol=1e-5, atol=1e-5)
