"""Language models: trained by the real command on tiny texts, held against what their networks say as a whole."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import yaml

from espnet_ent.bin import ent_lm_perplexity, ent_lm_train
from espnet_ent.data.tokens import TokenList
from espnet_ent.errors import CheckpointError, ConfigError, DataError
from espnet_ent.plugin.builder import build_model
from espnet_ent.plugin.checkpoints import read_checkpoint
from espnet_ent.plugin.init_param import init_param
from espnet_ent.plugin.language_model import (
    LanguageModelScorer,
    build_language_model,
    load_language_model,
    predictor_options,
)
from tests.plugin.tiny import TOKENS, tiny_config

SENTENCES = ["A B", "AB AB", "A B A B", "AB"] * 5
SIZES = {
    "seq_rnn": {"unit": 8, "nlayers": 1},
    "transformer": {"embed_unit": 8, "att_unit": 8, "head": 2, "unit": 8, "layer": 2},
}


def make_texts(root: Path) -> Path:
    for phase, sentences in (("train", SENTENCES), ("valid", SENTENCES[:4])):
        (root / phase).mkdir()
        lines = [f"s{number:02d} {words}" for number, words in enumerate(sentences)]
        (root / phase / "text").write_text("\n".join(lines) + "\n")
    (root / "tokens.txt").write_text("\n".join(TOKENS) + "\n")
    config = tiny_config(transducer="factorized_transducer", model_conf={"lm_weight": 0.1})
    (root / "fent.yaml").write_text(yaml.safe_dump(config))
    return root


def argv(root: Path, output_dir: Path, *others: str) -> list[str]:
    options = ["--output_dir", output_dir, "--token_list", root / "tokens.txt", "--batch_type", "sorted"]
    options += ["--batch_size", "5", "--max_epoch", "8", "--optim", "adam", "--optim_conf", "lr=0.05"]
    options += ["--num_workers", "0", "--use_tensorboard", "false"]
    for phase in ("train", "valid"):
        options += [f"--{phase}_data_path_and_name_and_type", f"{root / phase / 'text'},text,text"]
    return [str(option) for option in [*options, *others]]


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    return make_texts(tmp_path_factory.mktemp("texts with space"))


@pytest.fixture(scope="module")
def stats(texts, tmp_path_factory):
    output_dir = tmp_path_factory.mktemp("stats")
    ent_lm_train.main(argv(texts, output_dir, "--collect_stats", "true"))
    return [f"--{phase}_shape_file={output_dir / phase / 'text_shape'}" for phase in ("train", "valid")]


def train(texts, stats, output_dir, *others):
    shapes = [part for option in stats for part in option.split("=", 1)]
    ent_lm_train.main(argv(texts, output_dir, *shapes, *others))
    return output_dir


@pytest.fixture(scope="module")
def rnn(texts, stats, tmp_path_factory):
    return train(texts, stats, tmp_path_factory.mktemp("rnn"), "--lm_conf", "unit=8", "--lm_conf", "nlayers=1")


@pytest.fixture(scope="module")
def predictor(texts, stats, tmp_path_factory):
    options = ("--lm", "vocabulary_predictor", "--ent_config", str(texts / "fent.yaml"))
    return train(texts, stats, tmp_path_factory.mktemp("predictor"), *options)


def test_training_learns_and_a_second_run_does_nothing(texts, stats, rnn, capsys):
    @torch.no_grad()
    def nll(model):
        text = torch.tensor([[3, 2, 4]])
        return float(model.nll(text, torch.tensor([3]))[0].sum())

    config = yaml.safe_load((rnn / "config.yaml").read_text())
    assert config["token_list"] == TOKENS
    torch.manual_seed(0)
    assert nll(load_language_model(rnn, "valid.loss.ave.pth")[0]) < 0.7 * nll(build_language_model(config))
    train(texts, stats, rnn, "--lm_conf", "unit=8", "--lm_conf", "nlayers=1")
    assert "is there already" in capsys.readouterr().out


def test_perplexity_is_that_of_the_probabilities_of_all_tokens(texts, rnn, tmp_path, capsys):
    out = tmp_path / "ppl"
    options = ["--lm_exp", str(rnn), "--text", str(texts / "valid" / "text"), "--batch_size", "3", "--out", str(out)]
    ent_lm_perplexity.main(options)
    model, tokens = load_language_model(rnn, "valid.loss.ave.pth")
    log_prob, count = 0.0, 0
    for sentence in SENTENCES[:4]:
        labels = TokenList(tokens).encode(["<space>" if c == " " else c for c in sentence]).tolist()
        with torch.no_grad():
            outputs, _ = model.lm(torch.tensor([[len(TOKENS) - 1, *labels]]), None)
        for position, label in enumerate([*labels, len(TOKENS) - 1]):
            log_prob += outputs[0, position].log_softmax(-1)[label].item()
            count += 1
    assert float((out / "ppl").read_text()) == pytest.approx(math.exp(-log_prob / count), rel=1e-4)
    assert (out / "utt2ntokens").read_text().splitlines() == ["s00 4", "s01 6", "s02 8", "s03 3"]
    assert f"{count} tokens" in capsys.readouterr().out
    ent_lm_perplexity.main(options)
    assert "is there already" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["seq_rnn", "transformer"])
def test_scores_label_by_label_are_those_of_whole_sentences(name):
    torch.manual_seed(3)
    model = build_language_model({"token_list": TOKENS, "lm": name, "lm_conf": SIZES[name]}).double().eval()
    scorer = LanguageModelScorer(model)
    sentences = [(3, 2, 4, 5), (4,), (5, 5, 3)]
    states: list[object] = [None] * 3
    for length in range(5):
        active = [number for number in range(3) if length <= len(sentences[number])]
        prefixes = [sentences[number][:length] for number in active]
        scores, after = scorer.score(prefixes, [states[number] for number in active])
        for number, prefix, row, state in zip(active, prefixes, scores, after, strict=True):
            whole, _ = model.lm(torch.tensor([[len(TOKENS) - 1, *prefix]]), None)
            torch.testing.assert_close(row, whole[0, -1].log_softmax(-1).detach())
            states[number] = state


def test_prefixes_of_several_lengths_are_scored_together():
    torch.manual_seed(3)
    config = {"token_list": TOKENS, "lm": "transformer", "lm_conf": SIZES["transformer"]}
    scorer = LanguageModelScorer(build_language_model(config).double().eval())
    prefixes = [(3,), (), (3, 4), ()]
    state_of_3 = scorer.score([()], [None])[1][0]
    state_of_34 = scorer.score([(3,)], [state_of_3])[1][0]
    together, _ = scorer.score(prefixes, [state_of_3, None, state_of_34, None])
    for row, prefix, state in zip(together, prefixes, [state_of_3, None, state_of_34, None], strict=True):
        torch.testing.assert_close(row, scorer.score([prefix], [state])[0][0])


def test_predictor_initialises_the_whole_model_completely(texts, predictor):
    checkpoint = predictor / "valid.loss.ave.pth"
    state = read_checkpoint(checkpoint)
    model = build_model(tiny_config(transducer="factorized_transducer", model_conf={"lm_weight": 0.1}))
    assert init_param(model, f"{checkpoint}:transducer:transducer") == len(state)
    for name in ("transducer.vocabulary_prediction.embedding.weight", "transducer.lm_output.weight"):
        assert torch.equal(model.state_dict()[name], state[name])


def test_predictor_without_an_output_layer_in_the_whole_model_leaves_its_own_out():
    options = predictor_options(tiny_config(transducer="factorized_transducer"))
    config = {"token_list": TOKENS, "lm": "vocabulary_predictor", "lm_conf": options}
    whole = build_model(tiny_config(transducer="factorized_transducer")).state_dict()
    names = [name for name in build_language_model(config).state_dict() if name.startswith("transducer.")]
    assert names
    assert set(names) < set(whole)


def test_predictor_learns_the_text(texts, predictor, tmp_path, capsys):
    options = ["--lm_exp", str(predictor), "--text", str(texts / "valid" / "text"), "--out", str(tmp_path / "ppl")]
    ent_lm_perplexity.main(options)
    assert float((tmp_path / "ppl" / "ppl").read_text()) < 0.6 * (len(TOKENS) - 1)
    assert (tmp_path / "ppl" / "utt2ntokens").read_text().splitlines()[0] == "s00 3"  # no end of the sentence


def test_mistakes_are_named(texts, stats, rnn, predictor, tmp_path):
    with pytest.raises(ConfigError, match="only a factorized transducer has a vocabulary predictor"):
        predictor_options(tiny_config())
    with pytest.raises(ConfigError, match="unknown language model"):
        build_language_model({"token_list": TOKENS, "lm": "ngram"})
    with pytest.raises(ConfigError, match="the token list does not end a sentence"):
        build_language_model({"token_list": TOKENS[:-1]})
    with pytest.raises(ConfigError, match=r"lm_conf.*units"):
        build_language_model({"token_list": TOKENS, "lm_conf": {"units": 3}})
    with pytest.raises(ConfigError, match="not for shallow fusion"):
        LanguageModelScorer(load_language_model(predictor, "valid.loss.ave.pth")[0])
    with pytest.raises(ConfigError, match="no trained language model"):
        load_language_model(tmp_path, "valid.loss.ave.pth")
    with pytest.raises(CheckpointError, match="checkpoint is missing"):
        load_language_model(rnn, "17epoch.pth")
    with pytest.raises(DataError, match="file is missing"):
        ent_lm_train.main([option.replace("train/text,", "nothing,") for option in argv(texts, tmp_path / "x")])
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("content", ["", "- 1", "a: [", "lm: seq_rnn"])
def test_foreign_configuration_is_one_line(tmp_path, content):
    (tmp_path / "config.yaml").write_text(content)
    (tmp_path / "a.pth").write_bytes(b"")
    with pytest.raises(ConfigError):
        load_language_model(tmp_path, "a.pth")
    with pytest.raises(ConfigError):
        ent_lm_train.main(
            argv(
                make_texts(tmp_path),
                tmp_path / "exp",
                "--lm",
                "vocabulary_predictor",
                "--ent_config",
                str(tmp_path / "config.yaml"),
            )
        )
