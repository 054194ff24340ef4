"""The mini corpus in the layout of MSP-IMPROV, read by the reader of the real one."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import pytest
import soundfile

pytest.importorskip("espeakng_loader", reason="eSpeak NG comes with the extra 'mini'")

from espnet_ent.corpora.mini.corpus import make_mini_corpus
from espnet_ent.corpora.mini.msp_improv import plan_msp_improv
from espnet_ent.corpora.mini.plan import MiniSize, plan_corpus
from espnet_ent.corpora.msp_improv import read_msp_improv
from espnet_ent.errors import ConfigError
from espnet_ent.labels import FOUR_EMOTIONS

SIZE = MiniSize(per_class=4, unused_per_session=2, zed_per_speaker=1)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("mini") / "corpus"
    assert make_mini_corpus(out, seed=3, nj=2, size=SIZE, layout="msp_improv")
    return out


def _digests(root: Path) -> dict[str, str]:
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_reader_of_the_real_corpus_finds_every_utterance(corpus: Path) -> None:
    reading = read_msp_improv(corpus / "MSP-IMPROV_mini", FOUR_EMOTIONS)
    planned = plan_msp_improv(3, SIZE)
    assert reading.num_found == len(planned) == 6 * (4 * 4 + 2)
    assert Counter(entry.utterance.emotion for entry in reading.used) == dict.fromkeys(FOUR_EMOTIONS.names, 24)
    assert Counter(entry.session for entry in reading.used) == dict.fromkeys(range(1, 7), 16)
    texts = {f"MSP-IMPROV-{utterance.utt_id}": utterance.text.upper() for utterance in planned}
    for entry in reading.used:
        assert entry.utterance.speaker.startswith("MSP-")
        part = entry.utterance.utt_id.split("-")[-2]
        assert entry.utterance.text == (None if part == "P" else texts[entry.utterance.utt_id])


def test_audio_is_48_khz_mono(corpus: Path) -> None:
    for path in corpus.rglob("*.wav"):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (48000, 1, "PCM_16")
        assert 0.5 < info.duration < 15


def test_the_same_seed_gives_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    assert not make_mini_corpus(corpus, seed=3, nj=1, size=SIZE, layout="msp_improv")
    make_mini_corpus(tmp_path / "again", seed=3, nj=1, size=SIZE, layout="msp_improv")
    assert _digests(tmp_path / "again") == _digests(corpus)


def test_it_shares_no_speaker_and_no_sentence_with_the_other_mini_corpora() -> None:
    ours, theirs = plan_msp_improv(1, SIZE), plan_corpus(1, SIZE)
    assert not {one.speaker.name for one in ours} & {one.speaker.name for one in theirs}
    assert not {one.text for one in ours} & {one.text for one in theirs}


def test_words_tell_nothing_about_the_emotion() -> None:
    of_text: dict[str, list[str]] = {}
    for utterance in plan_msp_improv(1, SIZE):
        of_text.setdefault(utterance.text, []).append(utterance.label)
    assert {"".join(sorted(labels)) for labels in of_text.values()} == {"AHNS", "O", "X"}


def test_more_utterances_than_names_is_an_error() -> None:
    with pytest.raises(ConfigError, match="too many utterances for the names"):
        plan_msp_improv(1, MiniSize(per_class=1980))


def test_unknown_layout(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown layout; expected iemocap_zed \| msp_improv; got 'zed'"):
        make_mini_corpus(tmp_path / "c", layout="zed")
