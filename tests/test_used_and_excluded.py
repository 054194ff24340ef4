"""From stage to stage no utterance is lost: what goes in is used, or told to be excluded."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from espnet_ent.bin import ent_decode
from espnet_ent.corpora.custom import read_custom
from espnet_ent.corpora.custom_options import make_config
from espnet_ent.data.datadir import read_data_dir, read_table
from espnet_ent.data.filtering import filter_data_dir
from espnet_ent.data.fix import fix_data_dir
from espnet_ent.data.formatting import format_data_dir
from espnet_ent.data.perturbing import perturb_data_dir
from espnet_ent.data.scanning import ValidationConfig
from espnet_ent.errors import ScoringError
from espnet_ent.labels import FOUR_EMOTIONS
from espnet_ent.metrics.scored_set import read_scored_set
from tests.amounts import amount
from tests.corpora.manifests import sound_rows, write_tsv
from tests.plugin.packed import PackedExperiment

PARTS = {"anna": "train", "bert": "train", "carl": "dev", "dora": "test"}
DAMAGES = [{"emotion": "bored"}, {"emotion": ""}, {"audio": "lost.wav"}, {"transcript": ""}, {"emotion": "hpy"}]
FACTORS = (0.9, 1.0, 1.1)


def _ids(directory: Path) -> set[str]:
    found = [utterance.utt_id for utterance in read_data_dir(directory)]
    assert len(found) == len(set(found))
    return set(found)


def _prepare(root: Path, draw: random.Random) -> int:
    """Rows of a random corpus, of which some can't be used; their number."""
    rows = [{**row, "split": PARTS[row["speaker"]]} for row in sound_rows(root, 16, draw.choice((0.3, 0.5)))]
    for row in draw.sample(rows[4:], draw.randint(0, 6)):  # one row of each speaker stays
        row.update(draw.choice(DAMAGES))
    options = {"drop_labels": "bored", "missing_emotion": "exclude", "on_defects": "exclude"}
    reading = read_custom(make_config(write_tsv(root / "m.tsv", rows), **options))
    reading.write(root / "data")
    parts = [root / "data" / name for name in ("train", "dev", "test")]
    used = sum(len(_ids(part)) for part in parts)
    excluded = sum(len((part / "excluded").read_text().splitlines()) for part in parts)
    assert used + excluded == len(rows)
    for part, summary in reading.summaries().items():
        assert f"used {len(_ids(root / 'data' / part))}" in summary
    return len(rows)


def _fix(data: Path, out: Path, draw: random.Random) -> set[str]:
    """A directory of which lines are damaged, made sound."""
    shutil.copytree(data, damaged := out.parent / "damaged")
    lines = (damaged / "utt2emo").read_text().splitlines()
    for index in draw.sample(range(len(lines) - 1), draw.randint(0, 2)):
        lines[index] = lines[index].split()[0] + " hpy"
    (damaged / "utt2emo").write_text("\n".join(lines) + "\n")
    report = fix_data_dir(damaged, out, ValidationConfig(FOUR_EMOTIONS))
    assert len(report.used) + report.num_dropped == report.num_found == len(lines)
    assert _ids(out) == set(report.used)
    assert set(read_table(out / "dropped")) == _ids(data) - _ids(out)
    return _ids(out)


def _filter(data: Path, out: Path, shortest: float) -> set[str]:
    report = filter_data_dir(data, out, shortest, 20.0, 16000)
    dropped = read_table(out / "dropped")
    assert sum(report.kept.values()) == len(_ids(out))
    assert sum(report.dropped.values()) == len(dropped)
    assert _ids(out) | set(dropped) == _ids(data)
    assert not _ids(out) & set(dropped)
    return _ids(out)


def test_used_and_excluded_are_what_was_found_in_every_stage(tmp_path: Path, packed: PackedExperiment, figures) -> None:
    draw, utterances = random.Random(0), 0
    for number in range(amount(50, 2)):
        root = tmp_path / str(number)
        utterances += _prepare(root, draw)
        ids = _fix(root / "data" / "train", root / "fixed", draw)
        perturb_data_dir(root / "fixed", root / "fast", FACTORS)
        expected = Counter({f"sp{factor:g}-{name}" if factor != 1 else name: 1 for factor in FACTORS for name in ids})
        assert Counter(_ids(root / "fast")) == expected
        format_data_dir(root / "fast", root / "dump", "flac.ark")
        assert _ids(root / "dump") == set(expected)
        _filter(root / "dump", root / "kept", draw.choice((0.0, 0.28, 0.32)))
    format_data_dir(root / "data" / "test", root / "test", "wav")
    ent_decode.main(["--exp", str(packed.experiment), "--data", str(root / "test"), "--out", str(root / "out")])
    assert set(read_table(root / "out" / "text")) == _ids(root / "test")
    _refuses_other_sets(root, draw)
    promise = "from stage to stage: used + excluded = found, in preparation, repair, speed perturbation, formatting, "
    figures("Data", f"{promise}filtering and decoding", corpora=amount(50, 2), rows=utterances)


def _refuses_other_sets(root: Path, draw: random.Random) -> None:
    """Scoring: one utterance too few, then one too many, in each of the tables."""
    FOUR_EMOTIONS.write(root / "emotion_list")
    read_scored_set(root / "test", root / "out", FOUR_EMOTIONS)
    for name in ("text", "utt2emo"):
        path = root / "out" / name
        whole = path.read_text()
        lines = whole.splitlines(keepends=True)
        lost = draw.randrange(len(lines))
        for changed in (lines[:lost] + lines[lost + 1 :], [*lines, "zzz neu\n"]):
            path.write_text("".join(changed))
            with pytest.raises(ScoringError, match=r"missing|extra"):
                read_scored_set(root / "test", root / "out", FOUR_EMOTIONS)
        path.write_text(whole)
