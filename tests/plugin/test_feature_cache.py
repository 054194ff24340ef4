"""Stage 9 and training from its result: the same losses without the pretrained model, and no stale cache."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml

from espnet_ent.bin import ent_train
from espnet_ent.collate import collate
from espnet_ent.data.audio import read_audio, write_pcm16
from espnet_ent.data.cached_set import CachedSet
from espnet_ent.data.state_store import read_index
from espnet_ent.encoders.frozen_source import FrozenSource
from espnet_ent.errors import ConfigError, DataError
from espnet_ent.inference import EmotionTranscriber
from espnet_ent.plugin import state_encoding
from espnet_ent.plugin.builder import build_encoder, build_model
from espnet_ent.plugin.checkpoints import read_checkpoint
from espnet_ent.plugin.feature_cache import StatesLoader
from espnet_ent.plugin.task import ENTTask
from tests.encoders.tiny_ssl import FAMILIES, save_tiny
from tests.plugin.asr_models import make_recogniser
from tests.plugin.cached import cache, from_cache, make_cacheable
from tests.plugin.experiment import make_data, statistics_options, training_options
from tests.plugin.sharing import train
from tests.plugin.tiny import tiny_config
from tests.plugin.training import resumable, same, statistics

SMALL = ("--dtype", "float32", "--nj", "1")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Data, statistics and a cache of an experiment on wav2vec 2.0 base, whose states depend on padding."""
    root = make_cacheable(tmp_path_factory.mktemp("cached"), "wav2vec2-base")
    ent_train.main(statistics_options(root, root / "stats"))
    cache(root)
    return root


@pytest.fixture
def copied(prepared, tmp_path):
    """A copy whose cache may be spoiled; its audio and model are those of ``prepared``."""
    shutil.copytree(prepared / "store", tmp_path / "store")
    shutil.copytree(prepared / "cached", tmp_path / "cached")
    for scp in tmp_path.glob("cached/*/states.scp"):
        scp.write_text(scp.read_text().replace(str(prepared / "store"), str(tmp_path / "store")))
    for name in ("train", "valid", "model", "config.yaml", "tokens.txt", "emotion_list"):
        (tmp_path / name).symlink_to(prepared / name)
    return tmp_path


def options(root, prepared, out, *others):
    return from_cache(root, training_options(root, prepared / "stats", out, *others))


def losses(out):
    return [statistics(out, epoch, phase)["loss"] for epoch in (1, 2) for phase in ("train", "valid")]


@pytest.fixture(scope="module")
def trained(prepared):
    """Trained from audio, and from the cache with the model's forward pass forbidden."""
    ent_train.main(training_options(prepared, prepared / "stats", prepared / "exp_audio"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FrozenSource, "forward", None)
        patch.setattr("espnet_ent.encoders.ssl.one_by_one", None)
        ent_train.main(options(prepared, prepared, prepared / "exp_cached"))
    return prepared / "exp_audio", prepared / "exp_cached"


def test_training_from_the_cache_gives_the_losses_of_training_from_audio(trained):
    audio, cached = map(losses, trained)
    assert cached != audio  # float16
    np.testing.assert_allclose(cached, audio, rtol=5e-5)


def test_the_checkpoint_knows_the_model_all_the_same_and_decodes_audio(trained):
    audio, cached = (read_checkpoint(out / "latest.pth") for out in trained)
    key = "encoder.held.frozen_source_sha256"
    assert audio.keys() == cached.keys()
    assert torch.equal(audio[key], cached[key])
    noise = 0.1 * np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    one, other = (EmotionTranscriber.from_pretrained(out).transcribe(noise) for out in trained)
    np.testing.assert_allclose(one.frame_posteriors, other.frame_posteriors, atol=1e-3)


def test_a_resumed_run_ends_with_the_same_parameters(trained, prepared, tmp_path):
    for epochs in ("1", "2"):
        ent_train.main(options(prepared, prepared, tmp_path, "--max_epoch", epochs))
    assert same(resumable(tmp_path), resumable(trained[1]))


@pytest.mark.filterwarnings("ignore:.*Grad strides do not match bucket view strides")
def test_two_processes_read_their_shares_of_the_cache(trained, prepared, tmp_path):
    assert train(options(prepared, prepared, tmp_path)) == [0, 0]
    np.testing.assert_allclose(losses(tmp_path), losses(trained[1]), rtol=1e-4)


@pytest.mark.parametrize("family", [*FAMILIES, "espnet_asr"])
def test_every_family_gives_the_same_states_from_disk(tmp_path, family):
    """To the bit in float32: the cache holds what the encoder gives of each utterance alone."""
    root = make_cacheable(tmp_path, family)
    cache(root, *SMALL)
    encoder = build_encoder(vars(ENTTask.get_parser().parse_args(["--config", str(root / "config.yaml")]))).eval()
    cached = CachedSet(root / "cached/valid/states.scp")
    assert len(cached) == 4
    for utt_id, found in cached.items():
        samples = torch.from_numpy(read_audio(root / f"valid/audio/{utt_id}.wav", 16000)).unsqueeze(0)
        expected = encoder.layer_states(samples, torch.tensor([samples.size(1)]))
        np.testing.assert_array_equal(found.states, expected.stacked[0].transpose(0, 1).numpy())
        np.testing.assert_array_equal(found.local, expected.local[0].numpy())
        assert found.num_samples == samples.size(1)


def test_the_last_layer_alone_is_cached_where_it_alone_is_used(tmp_path):
    root = make_cacheable(tmp_path, "wavlm-large", layers="last")
    cache(root, *SMALL)
    assert CachedSet(root / "cached/valid/states.scp")["u00"].states.shape[1:] == (1, 16)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_result_does_not_depend_on_nj(prepared, tmp_path):
    shutil.copytree(prepared, tmp_path / "copy", ignore=shutil.ignore_patterns("exp*"))
    config = tmp_path / "copy/config.yaml"
    cache(tmp_path / "copy", "--nj", "2", "--config", str(config), store="store2")
    one, two = (_files(next((tmp_path / "copy" / name).iterdir())) for name in ("store", "store2"))
    assert one.keys() == two.keys()
    assert {name for name in one if one[name] != two[name]} <= {".lock"}


def test_shares_fill_the_store_beside_each_other(prepared, tmp_path, capsys):
    """Other arks, the same states."""
    shutil.copytree(prepared, tmp_path / "copy", ignore=shutil.ignore_patterns("exp*", "store*", "cached*"))
    others = ("--config", str(tmp_path / "copy/config.yaml"))
    for number in (2, 1, 3):
        cache(tmp_path / "copy", "--share", f"{number}/3", *others)
    assert not (tmp_path / "copy/cached").exists()
    capsys.readouterr()
    cache(tmp_path / "copy", "--nj", "3", *others)
    assert capsys.readouterr().out.count(", 0 recordings encoded") == 2
    for phase in ("train", "valid"):
        one, several = (CachedSet(root / "cached" / phase / "states.scp") for root in (prepared, tmp_path / "copy"))
        assert list(one) == list(several)
        for utt_id in one:
            np.testing.assert_array_equal(one[utt_id].states, several[utt_id].states)
            np.testing.assert_array_equal(one[utt_id].local, several[utt_id].local)


def test_a_second_run_computes_nothing(prepared, capsys, monkeypatch):
    monkeypatch.setattr(FrozenSource, "forward", None)
    monkeypatch.setattr("espnet_ent.encoders.ssl.one_by_one", None)
    before = _files(prepared / "store")
    cache(prepared)
    assert capsys.readouterr().out.count("is there already") == 2
    cache(prepared, out="elsewhere")  # another set of the same audio
    assert capsys.readouterr().out.count(", 0 recordings encoded") == 2
    assert _files(prepared / "store") == before
    shutil.rmtree(prepared / "elsewhere")


def test_the_size_is_told_before_anything_is_computed(tmp_path, capsys):
    root = make_cacheable(tmp_path, "wavlm-large")
    cache(root)
    lines = capsys.readouterr().out.splitlines()
    assert "8 recordings of 2 s take about 0.0 MB, " in lines[0]
    assert lines[1].endswith("8 utterances, 8 recordings encoded into " + lines[0].partition(":")[0])


def test_a_disk_without_room_is_refused_before_anything_is_computed(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=100))
    with pytest.raises(ConfigError, match=r"not enough room for the feature cache; expected 0\.\d MB; got 0\.0 MB"):
        cache(prepared, store=str(tmp_path / "full"), out=str(tmp_path / "out"))
    assert not list((tmp_path / "full").glob("*/*.ark"))
    assert not (tmp_path / "out").exists()


def test_a_killed_run_is_taken_up_where_it_was(prepared, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(state_encoding, "_ARK_BYTES", 1)  # an ark for each utterance
    write, written = state_encoding.StateStore.write, []

    def write_three(store, utterances):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(write(store, utterances))

    places = {"store": str(tmp_path / "store"), "out": str(tmp_path / "out")}
    monkeypatch.setattr(state_encoding.StateStore, "write", write_three)
    with pytest.raises(KeyboardInterrupt):
        cache(prepared, **places)
    assert not (tmp_path / "out").exists()
    written[2].with_suffix(".index").unlink()  # killed between the two
    monkeypatch.setattr(state_encoding.StateStore, "write", write)
    capsys.readouterr()
    cache(prepared, **places)
    assert "train: 8 utterances, 6 recordings encoded" in capsys.readouterr().out
    one, other = (CachedSet(Path(of, "train/states.scp")) for of in (prepared / "cached", tmp_path / "out"))
    assert all(np.array_equal(one[utt_id].states, other[utt_id].states) for utt_id in one)


def test_a_damaged_entry_is_refused_by_name_and_made_again(copied, prepared, capsys):
    (ark, *_) = sorted(copied.glob("store/*/*.ark"))
    data = bytearray(ark.read_bytes())
    data[read_index(ark.with_suffix(".index"))[1].local - 100] ^= 1
    ark.write_bytes(data)
    with pytest.raises(DataError, match=rf"{ark}: u\d\d: cached states are damaged; .*next: remove {ark} and rerun"):
        ent_train.main(options(copied, prepared, copied / "exp"))
    ark.unlink()
    with pytest.raises(DataError, match=r"cached states have no sound index; got No such file.*next: rerun stage 9"):
        ent_train.main(options(copied, prepared, copied / "exp2"))
    cache(copied)
    assert "damaged or without its states, which are computed again" in capsys.readouterr().out
    assert len(CachedSet(copied / "cached/train/states.scp")) == 8


def test_a_cache_that_lacks_an_utterance_is_refused_before_training(copied, prepared):
    scp = copied / "cached/valid/states.scp"
    scp.write_text("".join(scp.read_text().splitlines(keepends=True)[1:]))
    message = r"cached/valid/states\.scp: cached utterances differ from .*/valid/text; got 1: u00; next: rerun stage 9"
    with pytest.raises(DataError, match=message):
        ent_train.main(options(copied, prepared, copied / "exp"))
    assert not (copied / "exp").exists()


def test_a_cache_of_another_model_is_refused_and_made_anew(copied, prepared, capsys):
    (copied / "model").unlink()
    save_tiny(copied / "model", "wav2vec2-base", seed=1)
    config = yaml.safe_load((prepared / "config.yaml").read_text())
    config["encoder_conf"]["model"] = str(copied / "model")
    (copied / "config.yaml").unlink()
    (copied / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(DataError, match="those of another encoder; got changed: weights"):
        ent_train.main(options(copied, prepared, copied / "exp"))
    cache(copied)
    assert "8 recordings encoded" in capsys.readouterr().out
    ent_train.main(options(copied, prepared, copied / "exp"))


def test_a_cache_of_other_layers_is_refused(copied, prepared):
    given = ("--encoder_conf", "layers=last", "--model_conf", "emotion_layer_mix=false")
    with pytest.raises(DataError, match="those of another encoder; got changed: layers; next: rerun stage 9"):
        ent_train.main(options(copied, prepared, copied / "exp", *given))


def test_a_cache_of_other_audio_is_refused_and_made_anew(copied, prepared, capsys):
    (copied / "train").unlink()
    shutil.copytree(prepared / "train", copied / "train")
    scp = copied / "train/wav.scp"
    scp.write_text(scp.read_text().replace("/u03.wav", "/u04.wav"))
    made = copied / "cached/train/made_from.json"
    made.write_text(made.read_text().replace(str(prepared / "train"), str(copied / "train")))
    with pytest.raises(DataError, match=r"cached states are of other data; got changed audio and tables of .*stage 9"):
        ent_train.main(options(copied, prepared, copied / "exp"))
    cache(copied)
    assert "train: 8 utterances, 0 recordings encoded" in capsys.readouterr().out  # u04 is known


UNFIT = [
    ("wavlm-large", {"frozen": False}, "fine-tuning changes the states"),
    ("espnet_asr", {"freeze": False}, "fine-tuning changes the states"),
    ("espnet_asr", {"specaug": True}, "SpecAugment changes the states"),
]


@pytest.mark.parametrize(("family", "changes", "message"), UNFIT)
def test_an_encoder_that_training_changes_is_refused(tmp_path, family, changes, message):
    root = make_cacheable(tmp_path, family, **changes)
    with pytest.raises(ConfigError, match=message):
        cache(root)
    assert not (root / "store").exists()


def test_an_encoder_that_is_trained_as_a_whole_is_refused(tmp_path):
    root = make_data(tmp_path)
    with pytest.raises(ConfigError, match=r"nothing to cache: .*next: leave out --feature_cache"):
        cache(root, "--normalize", "none")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda given: given[: given.index("--valid_data_path_and_name_and_type")], "one set only|missing"),
        (lambda given: [*given, "--collect_stats", "true"], "statistics are collected from audio"),
        (lambda given: [option.replace(",feature_cache", ",npy") for option in given], "not as cached states are"),
    ],
)
def test_states_that_are_given_wrongly_are_refused(prepared, tmp_path, change, message):
    with pytest.raises(ConfigError, match=message):
        ent_train.main(change(options(prepared, prepared, tmp_path / "exp")))


def test_too_short_an_utterance_is_named(copied, prepared):
    (copied / "train").unlink()
    shutil.copytree(prepared / "train", copied / "train")
    write_pcm16(copied / "train/short.wav", np.full(100, 0.1), 16000, "wav")
    scp = copied / "train/wav.scp"
    scp.write_text(
        "".join(
            f"{u} {copied}/train/short.wav\n" if u == "u02" else f"{u} {p}\n"
            for u, p in (line.split() for line in scp.read_text().splitlines())
        )
    )
    with pytest.raises(DataError, match=r"u02: utterances are too short for the encoder.*--min_wav_duration"):
        cache(copied)


def test_a_recogniser_without_its_weights_still_knows_its_sizes(tmp_path):
    make_recogniser(tmp_path / "asr")
    config = tiny_config(encoder="espnet_asr", encoder_conf={"source": str(tmp_path / "asr")}, frontend_conf=None)
    model = build_model(config).eval()
    speech, lengths = 0.1 * torch.randn(1, 16000), torch.tensor([16000])
    states = model.encoder.layer_states(speech, lengths)
    expected, size = model.encoder(speech, lengths).h, model.encoder.output_size
    digest = model.state_dict()["encoder.source.frozen_source_sha256"]
    model.encoder.release()
    model.to(torch.float32)
    assert all(parameter.is_meta for parameter in model.encoder.parts.parameters())
    assert (model.encoder.output_size, model.encoder.grid.samples_per_frame) == (size, 640)
    assert torch.equal(model.encoder.from_layers(states).h, expected)
    assert torch.equal(model.state_dict()["encoder.source.frozen_source_sha256"], digest)
    with pytest.raises(RuntimeError, match="let go of"):
        model.encoder(speech, lengths)


HEADS = {
    "cta_rnn": ({"channel_reduction": 2, "hidden_size": 4, "attention_size": 4}, {"layers": "last"}),
    "coattention": ({"size": 8, "num_heads": 2}, {}),
}


@pytest.mark.parametrize("family", ["wavlm-large", "espnet_asr"])
@pytest.mark.parametrize("head", HEADS)
def test_heads_that_look_below_the_states_find_it_in_the_cache(tmp_path, family, head):
    conf, of_encoder = HEADS[head]
    root = make_cacheable(tmp_path, family, **(of_encoder if family != "espnet_asr" else {}))
    config = yaml.safe_load((root / "config.yaml").read_text())
    config |= {"utterance_head": head, "utterance_head_conf": conf, "emotion_branch": None}
    config["model_conf"] = {"lattice_weight": 0.0}
    del config["emotion_branch_conf"]
    (root / "config.yaml").write_text(yaml.safe_dump(config))
    cache(root, *SMALL)
    model = build_model({**tiny_config(), "frontend_conf": {}, "normalize": None, **config}).eval()
    utt_id, (states, local, num_samples) = "u01", StatesLoader(str(root / "cached/valid/states.scp"))["u01"]
    samples = torch.from_numpy(read_audio(root / f"valid/audio/{utt_id}.wav", 16000)).unsqueeze(0)
    text = {"text": torch.tensor([[3, 4]]), "text_lengths": torch.tensor([2]), "emotion": torch.tensor([[1]])}
    expected, _, _ = model(speech=samples, speech_lengths=torch.tensor([num_samples]), **text)
    _, batch = collate([(utt_id, {"states": states, "local": local})])
    found, _, _ = model(**batch, **text)
    assert torch.equal(found, expected)
