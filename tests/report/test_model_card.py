"""The model card: what it says is what the pack holds, and its example runs."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard, constants

from espnet_ent.errors import ConfigError
from espnet_ent.report.corpus_terms import terms_of
from espnet_ent.report.model_card import TAGS, CardOptions, model_card, snippet
from tests.hub_cache import put_into_cache
from tests.plugin.packed import PackedExperiment

REPO = "user/ent_tiny"


@pytest.fixture
def files(packed: PackedExperiment, tmp_path: Path) -> Path:
    return packed.unpacked(tmp_path / "files")


def _card(files: Path, licence: str | None = None, **changes: object) -> str:
    config, meta = (yaml.safe_load((files / name).read_text()) for name in ("config.yaml", "meta.yaml"))
    return model_card(files, config, {**meta, **changes}, CardOptions(REPO, licence))


def test_the_front_matter_is_what_the_hub_reads(files: Path, packed: PackedExperiment) -> None:
    data = ModelCard(_card(files)).data
    assert set(TAGS) <= set(data.tags)
    assert {"espnet", "audio", "automatic-speech-recognition", "speech-emotion-recognition"} <= set(data.tags)
    assert (data.language, data.license, data.datasets) == ("en", "apache-2.0", ["mini"])
    scores = json.loads((packed.decoded / "score/results.json").read_text())
    told = {result.metric_name: result.metric_value for result in data.eval_results}
    assert told == {
        "WER": round(100 * scores["recognition"]["wer"]["rate"], 2),
        "CER": round(100 * scores["recognition"]["cer"]["rate"], 2),
        "WA": round(100 * scores["emotion"]["wa"], 2),
        "UA": round(100 * scores["emotion"]["ua"], 2),
        "F1": round(100 * scores["emotion"]["macro_f1"], 2),
    }


def test_data_labels_results_and_limits_are_told(files: Path) -> None:
    card = _card(files, corpora=["iemocap", "zed"])
    for title in ("How to use it", "Data", "Labels", "Results", "Intended use and limits", "Licence"):
        assert f"\n## {title}\n\n" in card
    assert terms_of("iemocap").terms in card
    assert "CC BY-NC 4.0" in card
    assert "| hap   |" in card
    assert "excited" in card
    assert "| valid |          8 |" in card
    assert "It knows hap, ang, sad, neu and nothing else" in card
    assert "Inferring emotions of people is sensitive" in card
    assert "calibrated on development data" in card


@pytest.mark.parametrize(
    ("corpora", "given", "expected"),
    [
        (["mini"], None, "apache-2.0"),
        (["iemocap"], None, "other"),
        (["mini", "zed"], None, "other"),
        ([], None, "other"),
        (["mine"], None, "other"),
        (["mine"], "cc-by-4.0", "cc-by-4.0"),
    ],
)
def test_the_licence_follows_from_the_corpora_unless_it_is_given(files, corpora, given, expected) -> None:
    data = ModelCard(_card(files, given, corpora=corpora)).data
    assert data.license == expected
    assert data.to_dict().get("license_name") == ("terms-of-the-training-data" if expected == "other" else None)


def test_a_pack_without_scores_has_a_card(files: Path) -> None:
    shutil.rmtree(files / "results")
    (files / "calibration.json").unlink()
    card = _card(files, corpora=[])
    assert "None are packed." in card
    assert "The corpora are not named." in card
    assert "not calibrated" in card
    assert not ModelCard(card).data.eval_results
    (files / "results").mkdir()
    (files / "results" / "a.json").write_text("[" * 100_000)
    with pytest.raises(ConfigError, match=r"a\.json: scores can't be read"):
        _card(files)


def test_scores_of_another_form_are_left_out(files: Path) -> None:
    """Who made the pack may have put anything there."""
    (files / "results" / "valid.json").write_text('{"recognition": [1], "emotion": {"wa": "high"}}')
    assert "| valid |          - |   - |" in _card(files)


def test_an_encoder_of_the_hub_is_named(files: Path) -> None:
    told = {"name": "user/wavlm", "revision": "0123", "sha256": "45", "where": "hub"}
    assert "user/wavlm@0123, fetched when it is loaded" in _card(files, encoder=told)


def test_the_example_runs(
    packed: PackedExperiment,
    files: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    card = _card(files)
    put_into_cache(tmp_path / "cache", REPO, files)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    (tmp_path / "here").mkdir()
    shutil.copy(sorted((packed.data / "audio").iterdir())[0], tmp_path / "here" / "speech.wav")
    monkeypatch.chdir(tmp_path / "here")
    (code,) = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
    capsys.readouterr()
    exec(code, {})
    told = capsys.readouterr().out.splitlines()
    assert told[0].split()[-1] in ("hap", "ang", "sad", "neu")
    assert all(re.fullmatch(r"[\d.]+ [\d.]+ (hap|ang|sad)", line) for line in told[1:])


def test_the_example_asks_for_no_timeline_that_there_is_not() -> None:
    assert "timeline" in snippet(REPO, {})
    assert "timeline" not in snippet(REPO, {"model_conf": {"lattice_weight": 0}})
