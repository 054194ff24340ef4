import pytest
import yaml

from espnet_ent.errors import ConfigError
from espnet_ent.plugin.options import with_numbers
from espnet_ent.plugin.task import ENTTask


def parse(tmp_path, *argv, **config):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    return ENTTask.get_parser().parse_args(["--config", str(tmp_path / "config.yaml"), *argv])


def test_numbers_that_yaml_reads_as_text_are_numbers(tmp_path):
    args = parse(tmp_path, "--scheduler_conf", "warmup_steps=3", optim_conf={"lr": "1e-3", "betas": ["9e-1", 0.98]})
    assert args.optim_conf == {"lr": 1e-3, "betas": [0.9, 0.98]}
    assert parse(tmp_path, grad_clip="5e0").grad_clip == 5.0
    assert with_numbers({"a": ["1e-3", "e3", "1e", "-2.5E+7"]}) == {"a": [1e-3, "e3", "1e", -2.5e7]}


def test_defaults_are_those_of_this_package(tmp_path):
    args = parse(tmp_path)
    assert [tuple(criterion) for criterion in args.best_model_criterion] == [("valid", "loss", "min")]
    assert args.resume
    assert not args.use_matplotlib


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"max_epoch": 3.5}, "option max_epoch: wrong type or value; expected a whole number; got 3.5"),
        ({"max_epoch": 40.0}, "option max_epoch"),
        ({"max_epoch": True}, "option max_epoch"),
        ({"max_epoch": None}, "option max_epoch"),
        ({"max_epoch": "ten"}, "--max_epoch: invalid int value: 'ten'"),
        ({"grad_clip": [5.0]}, "expected a number"),
        ({"use_amp": 1}, "expected true or false"),
        ({"patience": 1.5}, "expected a whole number or none"),
        ({"output_dir": 3}, "expected a text"),
        ({"init_param": "model.pth"}, "option init_param: wrong type or value; expected a list; got 'model.pth'"),
        ({"keep_nbest_models": [1, "two"]}, "option keep_nbest_models"),
        ({"best_model_criterion": [["valid", "loss"]]}, "expected three texts"),
        ({"encoder_conf": [1]}, "option encoder_conf"),
        ({"encoder": "conformr"}, "option encoder: .* expected one of conformer"),
        ({"optim": "adamm"}, "option optim"),
        ({"batch_typ": "sorted"}, "did you mean batch_type"),
    ],
)
def test_wrong_types_and_unknown_keys_are_refused_by_name(tmp_path, config, message):
    with pytest.raises(ConfigError, match=message):
        parse(tmp_path, **config)


def test_values_of_another_form_that_mean_the_same_are_taken(tmp_path):
    args = parse(tmp_path, keep_nbest_models=3, grad_clip=5, token_list=["<blank>", "<unk>"], specaug=None)
    assert args.keep_nbest_models == [3]
    assert args.grad_clip == 5.0
    assert args.token_list == ["<blank>", "<unk>"]


@pytest.mark.parametrize("text", ["a: [1", "- a", "", "\x00"])
def test_a_configuration_that_is_not_one_is_refused(tmp_path, text):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ConfigError):
        ENTTask.get_parser().parse_args(["--config", str(tmp_path / "bad.yaml")])
    with pytest.raises(ConfigError):
        ENTTask.get_parser().parse_args(["--config", str(tmp_path / "none.yaml")])
