"""Every configuration in the repository is built, and trained for one step."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import yaml

from espnet_ent.encoders.ssl import SSLEncoder
from espnet_ent.labels import FOUR_EMOTIONS
from espnet_ent.plugin.builder import build_model
from espnet_ent.plugin.distributed import share_model
from espnet_ent.plugin.freezing import tell_update, train_unfrozen
from espnet_ent.plugin.parameter_groups import effective_rates, split_groups
from espnet_ent.plugin.task import ENTTask
from tests.encoders.tiny_ssl import save_tiny
from tests.plugin.asr_models import make_recogniser
from tests.plugin.tiny import TOKENS, tiny_batch

ROOT = Path(__file__).parents[2]
CONFIGURATIONS = sorted(path for path in (ROOT / "conf").rglob("train_*.yaml") if "_lm" not in path.name)
_FAMILY = {
    "facebook/wav2vec2-base": "wav2vec2-base",
    "facebook/hubert-base-ls960": "hubert-base",
    "microsoft/wavlm-base": "wavlm-base",
    "microsoft/wavlm-large": "wavlm-large",
    "facebook/wav2vec2-base-960h": "wav2vec2-base",
    "openai/whisper-small": "whisper",
}
"""Model that a configuration names -> tiny model that is put in its place."""
_SHARED = (
    "train_ent_mini",
    "train_fent_mini_paper",
    "train_cta_rnn_mini",
    "tuning/train_fent_mini_separating",
    "tuning/train_asr_fusion_wav2vec2_base",
    "tuning/train_cta_rnn_whisper",
    "tuning/train_ent_espnet_asr",
    "tuning/train_fent_wav2vec2_base",
    "tuning/train_ent_wav2vec2_base_finetune",
    "tuning/train_fent_wavlm_base_finetune",
)
"""One of each kind: what may get no gradient is the same in the others."""


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _read(path: Path) -> dict:
    """All options of a training run with this configuration."""
    given = ["--config", str(path), "--output_dir", "none", "--emotion_list", "none", "--token_list", "none"]
    args = vars(ENTTask.get_parser().parse_args(given))
    normalize = args["normalize"] if args["encoder"] == "ssl" else "utterance_mvn"  # there are no statistics here
    return {**args, "token_list": TOKENS, "emotion_list": FOUR_EMOTIONS.to_lines(), "normalize": normalize}


def _with_tiny_models(config: dict, folder: Path) -> dict:
    """The configuration with tiny models in place of pretrained ones."""
    if config["encoder"] == "ssl":
        directory = save_tiny(folder / "model", _FAMILY[config["encoder_conf"]["model"]])
        config["encoder_conf"] = {**config["encoder_conf"], "model": str(directory)}
    if config["encoder"] == "espnet_asr":
        make_recogniser(folder / "asr")
        config["encoder_conf"] = {**config["encoder_conf"], "source": str(folder / "asr")}
    return config


def test_the_two_other_systems_are_there():
    names = {path.stem for path in CONFIGURATIONS}
    assert {f"train_{system}_mini" for system in ("cta_rnn", "asr_fusion")} <= names
    assert {"train_cta_rnn_espnet_asr", "train_cta_rnn_wav2vec2_asr", "train_cta_rnn_whisper"} <= names
    assert {"train_asr_fusion", "train_asr_fusion_wav2vec2_base"} <= names


def test_the_pretrained_models_are_there_in_all_forms():
    names = {path.stem for path in CONFIGURATIONS}
    for system in ("ent", "fent"):
        for model in ("wav2vec2_base", "hubert_base", "wavlm_base", "wavlm_large"):
            assert {f"train_{system}_{model}", f"train_{system}_{model}_finetune"} <= names
        assert f"train_{system}_wavlm_base_bpe" in names


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=_name)
def test_a_configuration_builds_and_trains_for_a_step(path, tmp_path):
    config = _with_tiny_models(_read(path), tmp_path)
    torch.manual_seed(0)
    model = build_model(config)
    train_unfrozen(model)
    optimizer = torch.optim.AdamW(model.parameters(), **config["optim_conf"])
    split_groups(optimizer, model)
    loss, _, _ = model(**tiny_batch((12000, 9600)))
    loss.backward()
    assert torch.isfinite(loss)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config["grad_clip"], error_if_nonfinite=True)
    assert norm > 0
    part = model.utterance_head if model.transducer is None else model.transducer
    before = {name: parameter.detach().clone() for name, parameter in part.named_parameters()}
    optimizer.step()
    assert any(not torch.equal(p, before[name]) for name, p in part.named_parameters())
    if isinstance(model.encoder, SSLEncoder):
        frozen = model.encoder.options.frozen
        assert frozen == ("_finetune" not in path.stem)
        assert ("fent" in path.stem and frozen) == (model.encoder.emotion_mix is not None)
        assert (len(set(effective_rates(optimizer))) > 1) == (not frozen)


@pytest.fixture(scope="module")
def _one_process(tmp_path_factory):
    """A process group of one: torch waits for every gradient in it as it does in larger ones."""
    meeting = f"file://{tmp_path_factory.mktemp('group')}/meeting"
    torch.distributed.init_process_group("gloo", init_method=meeting, world_size=1, rank=0)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("_one_process")
@pytest.mark.filterwarnings("ignore:.*Grad strides do not match bucket view strides")
@pytest.mark.parametrize("name", _SHARED)
def test_a_configuration_trains_with_others_whatever_a_batch_holds(name, tmp_path):
    """No parameter is waited for in vain, and the statistics are the same: another process may have another batch."""
    config = _with_tiny_models(_read(ROOT / "conf" / f"{name}.yaml"), tmp_path)
    torch.manual_seed(0)
    model = build_model(config)
    train_unfrozen(model)
    shared = share_model(model, False, True, None)
    batches = [tiny_batch((12000, 9600)) for _ in range(4)]
    batches[1]["emotion"] = torch.full_like(batches[1]["emotion"], FOUR_EMOTIONS.neutral_index)
    batches[2]["text_lengths"] = torch.zeros_like(batches[2]["text_lengths"])
    found = []
    for batch in batches:
        loss, stats, _ = shared(**batch)
        loss.backward()
        tell_update(shared)
        found.append(set(stats))
    assert found == [found[0]] * len(batches)


@pytest.mark.parametrize("path", [path for path in CONFIGURATIONS if "/tuning/" in str(path)], ids=_name)
def test_a_comment_names_what_is_there(path):
    text = path.read_text()
    for file in re.findall(r"conf/[\w/]+\.yaml", text):
        assert (ROOT / file).is_file(), file
    assert yaml.safe_load(text)["token_type"] == ("bpe" if path.stem.endswith("_bpe") else "char")
