"""The command for UA against WER, with a model that reads its text."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
import torch
import yaml

from espnet_ent.bin.ent_wer_curve import main
from espnet_ent.data.datadir import read_table, write_data_dir
from espnet_ent.data.utterance import Utterance
from espnet_ent.errors import ConfigError
from espnet_ent.labels import FOUR_EMOTIONS
from espnet_ent.plugin.builder import build_model
from tests.plugin.tiny import tiny_config

HEAD = {"streams": ["text"], "fusion": "single", "size": 8, "num_heads": 2, "feedforward_size": 8}


@pytest.fixture
def options(tmp_path):
    """A set of eight utterances, and a model that tells emotions by the text alone."""
    utterances = []
    for number in range(8):
        path = tmp_path / f"u{number}.wav"
        soundfile.write(path, 0.1 * np.random.default_rng(number).standard_normal(4000), 16000, subtype="PCM_16")
        emotion = FOUR_EMOTIONS.names[number % 4]
        text = ("A A A", "B B B", "C C C", "AB AC B")[number % 4]
        utterances.append(Utterance(f"u{number}", f"s{number % 2}", str(path), text, emotion, num_samples=4000))
    write_data_dir(tmp_path / "test", utterances)
    (tmp_path / "words").write_text("x CC BB CA\n")
    config = tiny_config(
        utterance_head="coattention", utterance_head_conf=HEAD, model_conf={"lattice_weight": 0}, token_type="char"
    )
    torch.manual_seed(4)
    model = build_model(config)
    (tmp_path / "exp").mkdir()
    torch.save(model.state_dict(), tmp_path / "exp" / "valid.loss.ave.pth")
    (tmp_path / "exp" / "config.yaml").write_text(yaml.safe_dump(config))
    paths = ["--exp", str(tmp_path / "exp"), "--data", str(tmp_path / "test"), "--vocabulary", str(tmp_path / "words")]
    return [*paths, "--wer", "0", "50", "--seeds", "0", "1"]


def test_texts_are_made_and_decoded_with_once(options, tmp_path, capsys):
    main(options)
    assert "reference: WER 0.00 %, UA " in capsys.readouterr().out
    out = tmp_path / "exp" / "wer_curve" / "test"
    written = json.loads((out / "wer_curve.json").read_text())
    assert [point["name"] for point in written["points"]] == ["decoded", "reference", "wer50"]
    assert written["points"][2]["wer"] == 0.5
    assert read_table(out / "texts" / "reference") == read_table(tmp_path / "test" / "text")
    names = ("decoded", "reference", "wer50_seed0", "wer50_seed1")
    posteriors = [(out / name / "test" / "utt2emo_posteriors").read_text() for name in names]
    assert len(set(posteriors)) == 4  # the head sees the text that it is given
    texts = {(out / name / "test" / "text").read_text() for name in ("decoded", "reference", "wer50_seed0")}
    assert len(texts) == 1  # and recognition does not
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    main(options)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == before
    (out / "wer50_seed1" / "test" / "utt2emo").unlink()
    main(options)
    assert (out / "wer50_seed1" / "test" / "utt2emo_posteriors").read_text() == posteriors[3]
    assert (out / "wer50_seed1" / "test" / "utt2emo").is_file()


def test_a_head_that_reads_no_text_has_no_curve(options, tmp_path):
    """All points would be the same."""
    config = yaml.safe_load((tmp_path / "exp" / "config.yaml").read_text())
    config["utterance_head_conf"] = {**HEAD, "streams": ["acoustic"]}
    torch.save(build_model(config).state_dict(), tmp_path / "exp" / "valid.loss.ave.pth")
    (tmp_path / "exp" / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ConfigError, match="reads no text"):
        main(options)


def test_a_packed_model_has_a_curve_elsewhere(packed, tmp_path):
    options = ["--exp", str(packed.pack), "--data", str(packed.data), "--wer", "0"]
    with pytest.raises(ConfigError, match="expected --out DIR"):
        main(options)
    main([*options, "--out", str(tmp_path / "curve")])
    points = json.loads((tmp_path / "curve" / "wer_curve.json").read_text())["points"]
    assert [point["name"] for point in points] == ["decoded", "reference"]
    decoded = tmp_path / "curve" / "decoded" / packed.data.name / "utt2emo_posteriors"
    assert decoded.read_bytes() == (packed.decoded / "utt2emo_posteriors").read_bytes()  # with the pack's options


def test_a_rate_out_of_range_is_refused(options):
    with pytest.raises(ConfigError, match="option --wer"):
        main([*options, "--wer", "120"])
