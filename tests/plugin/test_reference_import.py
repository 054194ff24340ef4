"""Checkpoints of the public ENT code: the imported model computes what the public code computes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from torch import Tensor

from espnet_ent.errors import CheckpointError, ConfigError, EntError
from espnet_ent.inference import EmotionTranscriber
from espnet_ent.plugin.builder import build_model
from espnet_ent.plugin.checkpoint_files import load_state, read_checkpoint
from espnet_ent.plugin.model import ESPnetENTModel
from espnet_ent.plugin.reference_import import (
    REFERENCE_TOKENS,
    ReferenceOptions,
    import_reference,
    read_tokens,
)
from espnet_ent.search.greedy import greedy_search
from tests.plugin.reference_oracle import Reference
from tests.plugin.reference_standin import STRIDE, TinySsl, reference_state, stand_in

TOLERANCE = 1e-5
SYSTEMS = pytest.mark.parametrize("kind", ["ent", "fent"])
FORMS = pytest.mark.parametrize("form", ["frozen", "finetuned", "added", "concatenated"])
LABELS = ([3, 7, 7, 30, 1], [12, 2])
EMOTIONS = (1, 3)
FRAMES = (7, 4)


class Case:
    """A checkpoint of the public code on disk, and where it is to go."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        torch.manual_seed(0)
        self.ssl = TinySsl()
        self.path, self.out = root / "model.pth", root / "exp"
        self.given = stand_in(monkeypatch, self.ssl)

    def write(self, state: dict[str, Tensor]) -> None:
        torch.save(state, self.path)

    def run(self, kind: str, state: dict[str, Tensor], **options: str | Path) -> ESPnetENTModel:
        """Import, and load what has been written as everybody does."""
        self.write(state)
        self.imported = import_reference(self.path, self.out, ReferenceOptions(kind, **options))
        self.config = yaml.safe_load((self.out / "config.yaml").read_text(encoding="utf-8"))
        model = build_model(self.config, weights_follow=True)
        load_state(model, self.out / "valid.loss.ave.pth")
        return model.eval()

    def refusal(self, kind: str, state: dict[str, Tensor], **options: str | Path) -> str:
        self.write(state)
        with pytest.raises(EntError) as caught:
            import_reference(self.path, self.out, ReferenceOptions(kind, **options))
        assert not self.out.exists()
        assert "\n" not in str(caught.value)
        return str(caught.value)


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    return Case(tmp_path, monkeypatch)


def _state(case: Case, kind: str, form: str = "frozen") -> dict[str, Tensor]:
    joint = form if form in ("added", "concatenated") else "projected"
    return reference_state(kind, case.ssl, finetuned=form == "finetuned", joint=joint)


def _speech() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(frames * STRIDE, generator=generator) for frames in FRAMES]


def _batch() -> dict[str, Tensor]:
    """Both utterances, padded."""
    pad = torch.nn.utils.rnn.pad_sequence
    return {
        "speech": pad(_speech(), batch_first=True),
        "speech_lengths": torch.tensor([len(samples) for samples in _speech()]),
        "text": pad([torch.tensor(labels) for labels in LABELS], batch_first=True, padding_value=-1),
        "text_lengths": torch.tensor([len(labels) for labels in LABELS]),
        "emotion": torch.tensor(EMOTIONS).unsqueeze(1),
    }


def _layers(case: Case) -> list[list[Tensor]]:
    """Hidden states of each utterance, alone."""
    return [[layer[0] for layer in case.ssl.hidden_states(samples.unsqueeze(0))] for samples in _speech()]


def _close(got: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(got.double(), expected, rtol=TOLERANCE, atol=TOLERANCE)


@SYSTEMS
@FORMS
@torch.no_grad()
def test_lattice_logits_and_utterance_logits_are_the_reference_s(case: Case, kind: str, form: str) -> None:
    state = _state(case, kind, form)
    model, oracle, batch = case.run(kind, state), Reference(state, kind), _batch()
    enc = model.encoder(batch["speech"], batch["speech_lengths"])
    states = model.transducer.predict(batch["text"], batch["text_lengths"])
    logits = torch.cat([terms.logits() for terms in model.transducer.joint_terms(enc, states)], dim=-1)
    emotions = model.emotion_joint.terms(*model.transducer.emotion_inputs(enc, states)).logits()
    utterance = model.classify(enc, states.g_blank, batch["text"], states.lengths - 1)
    for row, (layers, labels) in enumerate(zip(_layers(case), LABELS, strict=True)):
        frames, columns = FRAMES[row], len(labels) + 1
        _close(logits[row, :frames, :columns], oracle.lattice(layers, labels))
        _close(emotions[row, :frames, :columns], oracle.emotion_lattice(layers, labels))
        _close(utterance[row], oracle.head(layers, labels))


@SYSTEMS
@FORMS
@torch.no_grad()
def test_losses_are_the_reference_s(case: Case, kind: str, form: str) -> None:
    state = _state(case, kind, form)
    model, oracle = case.run(kind, state), Reference(state, kind)
    loss, stats, _ = model(**_batch())
    spoken = list(zip(_layers(case), LABELS, strict=True))
    felt = [(*one, emotion) for one, emotion in zip(spoken, EMOTIONS, strict=True)]
    parts = {
        "transducer": sum(oracle.transducer_loss(*one) for one in spoken) / 2,
        "lattice": sum(oracle.lattice_loss(*one) for one in felt) / 2,
        "utterance": sum(oracle.utterance_loss(*one) for one in felt) / 2,
    }
    for name, expected in parts.items():
        _close(stats[f"loss_{name}"].squeeze(), expected)
    _close(loss.squeeze(), 0.5 * sum(parts.values()))


@SYSTEMS
@pytest.mark.parametrize("most", [1, 2, 32])
@torch.no_grad()
def test_greedy_output_is_the_reference_s(case: Case, kind: str, most: int) -> None:
    """A frame that is left by force: the reference reads its emotion before the last label, we after it."""
    state = _state(case, kind)
    blank = {"ent": ("joint.ffn_out.bias", 1.1), "fent": ("joint_blank.ffn_out.bias", 3.8)}[kind]
    state[blank[0]][0] += blank[1]  # so that there are labels and blanks
    model, oracle, batch = case.run(kind, state), Reference(state, kind), _batch()
    enc = model.encoder(batch["speech"], batch["speech_lengths"])
    found = greedy_search(model.transducer, enc, most)
    num_forced = num_labels = 0
    for row, (hypothesis, layers) in enumerate(zip(found, _layers(case), strict=True)):
        expected = oracle.greedy(layers, most)
        num_forced += len(expected.forced)
        num_labels += len(expected.labels)
        assert list(hypothesis.tokens) == expected.labels
        columns = [column + (frame in expected.forced) for frame, column in enumerate(expected.columns)]
        assert list(hypothesis.nodes) == columns
        labels, length = torch.tensor([hypothesis.tokens], dtype=torch.long), torch.tensor([len(hypothesis.tokens)])
        one = model.encoder(_speech()[row].unsqueeze(0), torch.tensor([len(_speech()[row])]))
        g = model.emotion_states(labels, length)
        emotions = model.node_emotions(one, g, torch.tensor([expected.columns]))[0].argmax(-1)
        assert emotions.tolist() == expected.emotions
    assert 2 <= num_labels < most * sum(FRAMES)
    assert (num_forced > 0) == (most < 32)


def test_emotions_and_characters_are_those_of_the_reference(case: Case) -> None:
    model = case.run("fent", _state(case, "fent"))
    assert model.emotions.names == ("hap", "ang", "sad", "neu")
    assert model.emotions.neutral_index == 3
    written = "<blank> <unk> ▁ E T A O N I H S R D L U M W C F G Y P B V K ' X J Q Z <sos/eos>"
    assert " ".join(model.tokens) == written.replace("▁", "<space>")
    assert case.config["token_type"] == "char"


def test_other_lists_by_option(case: Case, tmp_path: Path) -> None:
    emotions, tokens = tmp_path / "emotion_list", tmp_path / "units.txt"
    emotions.write_text("neu neutral\nhap emotion\n")
    tokens.write_text("<blank> 0\n<unk> 1\n▁THE 2\nS 3\n1 4\n<sos/eos> 5\n")
    state = reference_state("ent", case.ssl, num_tokens=6, num_emotions=2)
    model = case.run("ent", state, emotion_list=emotions, token_list=tokens)
    assert model.tokens == ("<blank>", "<unk>", "▁THE", "S", "1", "<sos/eos>")
    assert (model.emotions.names, model.emotions.neutral_index) == (("neu", "hap"), 0)
    assert case.config["token_type"] == "bpe"
    refused = case.refusal
    case.out = tmp_path / "other"
    assert refused("ent", state, emotion_list=emotions).endswith("--token_list FILE")
    assert "expected 31 (of the list); got 6" in refused("ent", state, emotion_list=emotions)
    assert refused("ent", state, token_list=tokens).endswith("--emotion_list FILE")


def test_a_token_list_may_be_ours_or_the_reference_s(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    plain = ["▁" if token == "<space>" else token for token in REFERENCE_TOKENS.tokens]
    path.write_text("".join(f"{token}\n" for token in plain))
    assert read_tokens(path) == REFERENCE_TOKENS
    path.write_text("".join(f"{token} {index}\n" for index, token in enumerate(plain)))
    assert read_tokens(path) == REFERENCE_TOKENS


@SYSTEMS
def test_every_tensor_is_accounted_for(case: Case, kind: str) -> None:
    state = _state(case, kind)
    state["head_lm.head.weight"], state["head_lm.head.bias"] = torch.zeros(31, 9), torch.zeros(31)
    state |= {f"joint_emotion.post_ffn.{name}": value for name, value in torch.nn.Linear(10, 10).state_dict().items()}
    case.run(kind, state)
    told = dict(line.split("\t") for line in (case.out / "imported_tensors.txt").read_text().splitlines())
    assert told == dict(case.imported.fates)
    assert told.keys() == state.keys()
    stored = read_checkpoint(case.out / "valid.loss.ave.pth")
    taken = {fate.partition("[")[0] for fate in told.values() if not fate.startswith("not needed: ")}
    assert taken == stored.keys() - {"encoder.held.frozen_source_sha256"}
    left_out = {name for name, fate in told.items() if fate.startswith("not needed: ")}
    of_ssl = {name for name in state if ".pretrain." in name}
    assert left_out == of_ssl | {name for name in state if "head_lm" in name or "post_ffn" in name}
    assert case.imported.num_left_out == len(left_out)


def test_a_finetuned_ssl_model_goes_into_the_checkpoint_under_its_present_names(case: Case) -> None:
    state = _state(case, "fent", "finetuned")
    case.ssl.load_state_dict({name: torch.zeros_like(value) for name, value in case.ssl.state_dict().items()})
    case.run("fent", state)
    conv = "encoder.speech_pretrain_model.pretrain.encoder.pos_conv_embed.conv."
    own = case.ssl.encoder["pos_conv_embed"]["conv"].parametrizations.weight
    assert torch.equal(own.original0, state[f"{conv}weight_g"])
    assert torch.equal(own.original1, state[f"{conv}weight_v"])
    assert (case.given[-1]["frozen"], case.given[-1]["layers"]) == (False, "last")
    assert torch.equal(case.ssl.masked_spec_embed, state["encoder.speech_pretrain_model.pretrain.masked_spec_embed"])
    assert case.imported.num_left_out == 0


def test_a_frozen_ssl_model_must_be_the_one_of_the_checkpoint(case: Case) -> None:
    state = _state(case, "ent")
    weight = next(name for name in state if name.endswith("layers.1.weight"))
    state[weight] = state[weight] + 1e-3
    refused = case.refusal("ent", state)
    assert "the SSL model of the checkpoint is another" in refused
    assert "1 of 10 tensors differ: encoder.layers.1.weight; next:" in refused
    assert refused.endswith("--ssl DIR_OR_ID")
    del state[weight]
    assert "encoder.layers.1.weight" in case.refusal("ent", state)


def test_the_vector_of_masked_frames_may_differ_in_a_frozen_ssl_model(case: Case) -> None:
    state = _state(case, "ent")
    mask = next(name for name in state if name.endswith("masked_spec_embed"))
    state[mask] = state[mask] + 1
    case.run("ent", state)
    assert case.imported.fates[mask] == "not needed: for masking in training alone"


@FORMS
def test_either_side_may_lack_the_vector_of_masked_frames(case: Case, form: str) -> None:
    state = _state(case, "ent", form)
    mask = next(name for name in state if name.endswith("masked_spec_embed"))
    case.run("ent", _without(state, mask))
    del case.ssl.masked_spec_embed
    case.run("ent", state)
    assert case.imported.fates[mask] == "not needed: for masking in training alone"


def test_the_ssl_model_is_named_in_full_or_guessed_from_its_names(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = _state(case, "ent")
    case.run("ent", state)
    assert case.given[-1]["model"] == "facebook/wav2vec2-base"
    (tmp_path / "wavlm").mkdir()
    monkeypatch.chdir(tmp_path)
    case.run("ent", state, ssl="wavlm")
    assert case.given[-1]["model"] == str(tmp_path / "wavlm")
    case.ssl.register_parameter("gru_rel_pos_const", torch.nn.Parameter(torch.ones(1)))
    case.run("ent", _state(case, "ent"))
    assert case.given[-1]["model"] == "microsoft/wavlm-base"


@pytest.mark.parametrize(
    ("kind", "lacking", "weights"),
    [
        ("ent", ("joint_emotion",), (0.0, 0.5)),
        ("fent", ("joint_emotion", "head_emotion", "weight_emotion"), (0.0, 0.0)),
    ],
)
def test_a_model_without_an_emotion_branch(
    case: Case, kind: str, lacking: tuple[str, ...], weights: tuple[float, float]
) -> None:
    state = {name: value for name, value in _state(case, kind).items() if not any(part in name for part in lacking)}
    model = case.run(kind, state)
    assert (model.losses.lattice_weight, model.losses.utterance_weight) == weights
    assert model.encoder.emotion_mix is None


def _without(state: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize(
    "name",
    [
        "predictor_vocab.embed.weight",
        "predictor_blank.rnn.bias_hh_l0",
        "joint_vocab.pred_ffn.bias",
        "joint_blank.ffn_out.weight",
        "head_emotion.norm.bias",
        "encoder.rnn.weight_hh_l0_reverse",
        "encoder.speech_pretrain_model.weight_emotion.gamma",
        "encoder.speech_pretrain_model.weight_emotion.scalar_parameters.2",
        "encoder.speech_pretrain_model.weight_audio.scalar_parameters.1",
    ],
)
def test_a_missing_tensor_is_named(case: Case, name: str) -> None:
    refused = case.refusal("fent", _without(_state(case, "fent"), name))
    assert "1 missing" in refused
    assert name.rpartition(".")[0] in refused


@pytest.mark.parametrize(
    "name", ["predictor.extra.weight", "ctc.weight", "encoder.speech_pretrain_model.weight_emotion.gamma"]
)
def test_an_unknown_tensor_is_named(case: Case, name: str) -> None:
    refused = case.refusal("ent", _state(case, "ent") | {name: torch.zeros(1)})
    assert f"1 unknown ({name})" in refused


@pytest.mark.parametrize(
    ("name", "shape", "told"),
    [
        ("joint.ffn_out.bias", (30,), "joint.ffn_out.bias 30 for 31"),
        ("joint.pred_ffn.weight", (10, 8), "joint.pred_ffn.weight 10 x 8 for 10 x 9"),
        ("predictor.rnn.weight_hh_l0", (27, 7), "predictor.rnn.weight_hh_l0 27 x 7 for 28 x 7"),
        ("head_emotion.norm.weight", (17, 1), "head_emotion.norm.weight 17 x 1 for 17"),
        ("encoder.rnn.bias_ih_l0_reverse", (15,), "encoder.rnn.bias_ih_l0_reverse 15 for 16"),
        ("encoder.speech_pretrain_model.weight_audio.gamma", (), "weight_audio.gamma scalar for 1"),
    ],
)
def test_a_tensor_of_another_shape_is_named_with_both_shapes(
    case: Case, name: str, shape: tuple[int, ...], told: str
) -> None:
    refused = case.refusal("ent", _state(case, "ent") | {name: torch.zeros(shape)})
    assert "1 of another shape" in refused
    assert told in refused


def test_many_faults_are_one_line_of_some_names(case: Case) -> None:
    state = {name: value for name, value in _state(case, "ent").items() if not name.startswith("head_emotion.")}
    state |= {f"other.{number}": torch.zeros(1) for number in range(9)} | {
        "joint.enc_ffn.bias": torch.full((10,), torch.inf)
    }
    refused = case.refusal("ent", _without(state, "joint.ffn_out.bias"))
    assert "1 missing (joint.ffn_out.bias)" in refused
    assert "9 unknown (other.0 other.1 other.2 other.3 other.4 ...)" in refused
    assert "1 not finite (joint.enc_ffn.bias)" in refused


def test_the_other_type_is_told(case: Case) -> None:
    assert case.refusal("ent", _state(case, "fent")).endswith("next: --type fent")
    assert case.refusal("fent", _state(case, "ent")).endswith("next: --type ent")
    assert "unknown type" in case.refusal("rnnt", _state(case, "ent"))


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None])
def test_what_is_no_checkpoint_is_refused(case: Case, content: bytes | None) -> None:
    if content is not None:
        case.path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.pth: checkpoint (is|holds more than plain data)"):
        import_reference(case.path, case.out, ReferenceOptions("ent"))


def test_a_checkpoint_with_code_is_not_run(case: Case, tmp_path: Path) -> None:
    torch.save({"predictor.embed.weight": _Writer(tmp_path / "ran")}, case.path)
    with pytest.raises(CheckpointError, match="holds more than plain data and tensors; got getattr"):
        import_reference(case.path, case.out, ReferenceOptions("ent"))
    assert not (tmp_path / "ran").exists()


class _Writer:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_a_directory_with_something_else_is_left_alone_and_an_import_is_replaced(case: Case) -> None:
    state = _state(case, "ent")
    case.run("ent", state)
    before = (case.out / "valid.loss.ave.pth").read_bytes()
    case.run("ent", state)
    assert (case.out / "valid.loss.ave.pth").read_bytes() == before
    (case.out / "train.log").write_text("mine")
    with pytest.raises(ConfigError, match=r"holds something else; got train\.log"):
        import_reference(case.path, case.out, ReferenceOptions("ent"))
    assert (case.out / "train.log").read_text() == "mine"


def test_the_directory_transcribes(case: Case) -> None:
    case.run("fent", _state(case, "fent"))
    transcriber = EmotionTranscriber.from_pretrained(case.out)
    transcript = transcriber.transcribe(_speech()[0].numpy() * 0.1)
    assert transcript.emotion in ("hap", "ang", "sad", "neu")
    assert transcript.frame_posteriors is not None
