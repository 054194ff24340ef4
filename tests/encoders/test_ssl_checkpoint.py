import json
import os
import subprocess
import sys

import pytest
import torch

from espnet_ent.encoders.ssl_checkpoint import (
    SSLDescription,
    build_untrained,
    describe,
    load_pretrained,
    weights_sha256,
)
from espnet_ent.errors import CheckpointError, ConfigError
from tests.encoders.tiny_ssl import FAMILIES, save_tiny


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_directory_tells_what_its_model_is_and_gives_its_weights(tmp_path, family):
    from transformers import AutoModel

    directory = str(save_tiny(tmp_path, family))
    model, description = load_pretrained(describe(directory))
    assert description.family == FAMILIES[family][0]
    assert not model.training
    expected = AutoModel.from_pretrained(directory).state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in model.state_dict().items())
    again = SSLDescription.from_config(directory, json.loads(json.dumps(description.to_config())))
    assert again == description
    assert build_untrained(again).state_dict().keys() == model.state_dict().keys()


def test_the_digest_is_of_the_weights_alone(tmp_path):
    one, same, other = (
        save_tiny(tmp_path / name, "hubert-base", seed) for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    digests = [load_pretrained(describe(str(path)))[1].weights_sha256 for path in (one, same, other)]
    assert digests[0] == digests[1] != digests[2]


def test_other_weights_than_those_of_the_training_are_refused_in_one_line(tmp_path):
    name = str(save_tiny(tmp_path, "hubert-base"))
    _, description = load_pretrained(describe(name))
    save_tiny(tmp_path, "hubert-base", seed=1)
    with pytest.raises(CheckpointError, match="not those of the training; expected sha256") as raised:
        load_pretrained(description)
    assert "\n" not in str(raised.value)


def test_weights_are_computed_with_in_float32_whatever_the_file_holds(tmp_path):
    from transformers import AutoModel

    name = str(save_tiny(tmp_path, "wavlm-base"))
    AutoModel.from_pretrained(name, dtype=torch.float16).save_pretrained(name)
    model, _ = load_pretrained(describe(name))
    assert {value.dtype for value in model.state_dict().values() if value.is_floating_point()} == {torch.float32}


def test_weights_that_are_not_there_are_not_made_up(tmp_path):
    from transformers import AutoModel

    name = str(save_tiny(tmp_path, "wav2vec2-base"))
    model = AutoModel.from_pretrained(name)
    state = {key: value for key, value in model.state_dict().items() if "layers.1.final_layer_norm" not in key}
    model.save_pretrained(name, state_dict=state)
    with pytest.raises(ConfigError, match=r"would be random; got encoder\.layers\.1\.final_layer_norm"):
        load_pretrained(describe(name))


def test_a_checkpoint_without_the_vector_of_masking_loads(tmp_path):
    from transformers import AutoModel

    name = str(save_tiny(tmp_path, "wav2vec2-base"))
    digest = load_pretrained(describe(name))[1].weights_sha256
    model = AutoModel.from_pretrained(name)
    state = {key: value for key, value in model.state_dict().items() if key != "masked_spec_embed"}
    model.save_pretrained(name, state_dict=state)
    assert load_pretrained(describe(name))[1].weights_sha256 == digest


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: edit(path / "config.json", model_type="bert"), "not a speech model.*wav2vec2.*got bert"),
        (lambda path: edit(path / "config.json", add_adapter=True), "adapter layers"),
        (lambda path: (path / "config.json").write_text("{"), "can't be read"),
        (lambda path: (path / "config.json").unlink(), "not a model directory"),
        (lambda path: (path / "preprocessor_config.json").write_text("{"), "is not JSON"),
        (lambda path: (path / "model.safetensors").write_bytes(b"x" * 100), "can't be read"),
        (lambda path: (path / "model.safetensors").unlink(), "can't be read"),
    ],
)
def test_a_damaged_directory_is_one_line(tmp_path, damage, message):
    damage(save_tiny(tmp_path, "wav2vec2-base"))
    with pytest.raises(ConfigError, match=message) as raised:
        load_pretrained(describe(str(tmp_path)))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["./none", "/none", "models/wav2vec2/base", ""])
def test_a_directory_that_is_not_there_is_not_asked_of_the_hub(name):
    with pytest.raises(ConfigError, match=r"model directory is missing|no pretrained model is named"):
        describe(name)


def test_local_files_only_does_not_ask_the_hub():
    with pytest.raises(ConfigError, match=r"can't be had from the hub.*next: name a directory"):
        describe("nobody/has-this-model", local_files_only=True)


@pytest.mark.parametrize("environment", [{"HF_ENDPOINT": "http://127.0.0.1:9"}, {"HF_HUB_OFFLINE": "1"}])
def test_a_hub_that_cannot_be_reached_is_one_line(tmp_path, environment):
    """In a process of its own: the library reads these variables when it is imported."""
    script = (
        "from espnet_ent.encoders.ssl_checkpoint import describe\n"
        "from espnet_ent.errors import ConfigError\n"
        "try:\n    describe('nobody/has-this-model')\n"
        "except ConfigError as error:\n    print(error)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "HF_HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert ended.returncode == 0, ended.stderr
    (line,) = ended.stdout.splitlines()
    assert "encoder_conf.model: nobody/has-this-model: pretrained model can't be had from the hub" in line


def test_code_that_comes_with_a_checkpoint_is_not_run(tmp_path):
    marker = tmp_path / "ran"
    name = save_tiny(tmp_path / "model", "wav2vec2-base")
    (name / "mine.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    known = json.loads((name / "config.json").read_text())
    mapping = {"AutoConfig": "mine.Config", "AutoModel": "mine.Model"}
    edit(name / "config.json", auto_map=mapping)
    load_pretrained(describe(str(name)))
    (name / "config.json").write_text(json.dumps({**known, "auto_map": mapping, "model_type": "mine"}))
    with pytest.raises(ConfigError, match="can't be read"):
        describe(str(name))
    assert not marker.exists()


def test_the_digest_knows_names_and_values():
    one, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    other.load_state_dict(one.state_dict())
    assert weights_sha256(one) == weights_sha256(other)
    other.bias.data[0] += 1e-6
    assert weights_sha256(one) != weights_sha256(other)
    assert weights_sha256(one) != weights_sha256(torch.nn.Sequential(one))
