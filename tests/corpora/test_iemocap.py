"""The reader of IEMOCAP on a tiny tree with every trap of the real one."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
import soundfile

from espnet_ent.corpora.iemocap import read_iemocap
from espnet_ent.data.datadir import read_data_dir
from espnet_ent.errors import AudioError, DataError, EntError, LabelError
from espnet_ent.labels import FOUR_EMOTIONS
from tests.corpora.trees import write_iemocap, write_tone

EVALUATION = "Session2/dialog/EmoEvaluation/Ses02F_impro01.txt"
TRANSCRIPTION = "Session2/dialog/transcriptions/Ses02F_impro01.txt"
WAV = "Session2/sentences/wav/Ses02F_impro01/Ses02F_impro01_M000.wav"


@pytest.fixture(scope="module")
def sound_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_iemocap(tmp_path_factory.mktemp("iemocap") / "IEMOCAP")


@pytest.fixture
def tree(sound_tree: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound_tree, tmp_path / "IEMOCAP"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_used_and_excluded_are_found(sound_tree: Path) -> None:
    reading = read_iemocap(sound_tree, FOUR_EMOTIONS)
    assert reading.num_found == len(list(sound_tree.glob("Session*/sentences/wav/*/[!.]*.wav"))) == 35
    assert Counter(entry.utterance.emotion for entry in reading.used) == {"neu": 5, "ang": 5, "hap": 10, "sad": 5}
    assert Counter(entry.reason for entry in reading.excluded) == {"label fru": 5, "label xxx": 5}
    assert reading.summary() == ("found 35, used 25 (ang 5 hap 10 neu 5 sad 5), excluded 10 (label fru 5, label xxx 5)")


def test_the_speaker_is_who_speaks_not_who_wears_the_markers(sound_tree: Path) -> None:
    speakers = {
        entry.utterance.utt_id: entry.utterance.speaker for entry in read_iemocap(sound_tree, FOUR_EMOTIONS).used
    }
    assert speakers["Ses03F_impro01_F000"] == "Ses03F"
    assert speakers["Ses03F_impro01_M000"] == "Ses03M"
    assert speakers["Ses03M_script01_1b_F000"] == "Ses03F"
    assert len(set(speakers.values())) == 10


def test_excitement_is_happiness_and_tags_are_stripped(sound_tree: Path) -> None:
    utterances = {entry.utterance.utt_id: entry.utterance for entry in read_iemocap(sound_tree, FOUR_EMOTIONS).used}
    excited = utterances["Ses01F_impro01_F001"]
    assert (excited.emotion, excited.text) == ("hap", "THERE IT IS RIGHT THERE")
    assert excited.num_samples == 11200
    kept = {e.utterance.utt_id: e.utterance.text for e in read_iemocap(sound_tree, FOUR_EMOTIONS, tags="keep").used}
    assert kept["Ses01F_impro01_F001"] == "<laughter> THERE IT IS RIGHT THERE"


def test_sessions_have_no_speaker_in_common(sound_tree: Path) -> None:
    reading = read_iemocap(sound_tree, FOUR_EMOTIONS)
    parts = [reading.of_sessions([session]) for session in range(1, 6)]
    speakers = [{entry.utterance.speaker for entry in part.used} for part in parts]
    assert all(len(part) == 2 for part in speakers)
    assert len(set.union(*speakers)) == 10
    assert sum(part.num_found for part in parts) == reading.num_found


def test_directory_listing_order_does_not_matter(sound_tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = read_iemocap(sound_tree, FOUR_EMOTIONS)
    glob = Path.glob
    monkeypatch.setattr(Path, "glob", lambda self, pattern: sorted(glob(self, pattern), reverse=True))
    assert read_iemocap(sound_tree, FOUR_EMOTIONS) == expected


def test_an_identifier_that_is_a_pattern_or_a_beginning_of_another_matches_only_itself(tree: Path) -> None:
    transcription = tree / TRANSCRIPTION
    lines = transcription.read_text().splitlines()
    lines.insert(0, "Ses02F_impro01_M0000 [000.1000-000.2000]: Not this one.")
    lines.append("Ses02F.impro01_M000 [000.1000-000.2000]: Nor this one.")
    transcription.write_text("\n".join(lines) + "\n")
    texts = {e.utterance.utt_id: e.utterance.text for e in read_iemocap(tree, FOUR_EMOTIONS).used}
    assert texts["Ses02F_impro01_M000"] == "WHERE EXACTLY I DON'T SEE IT"


def test_a_recording_without_a_label_is_counted(tree: Path) -> None:
    write_tone(tree / WAV.replace("M000", "M009"), 0.2)
    reading = read_iemocap(tree, FOUR_EMOTIONS)
    assert reading.num_found == 36
    assert [(e.utt_id, e.reason) for e in reading.excluded if e.reason == "no label"] == [
        ("Ses02F_impro01_M009", "no label")
    ]


def test_written_directory_lists_exclusions(sound_tree: Path, tmp_path: Path) -> None:
    part = read_iemocap(sound_tree, FOUR_EMOTIONS).of_sessions([4])
    part.write(tmp_path / "data")
    assert read_data_dir(tmp_path / "data") == sorted((e.utterance for e in part.used), key=lambda u: u.utt_id)
    assert (tmp_path / "data" / "excluded").read_text() == (
        "Ses04F_impro01_M001 label fru\nSes04M_script01_1b_M000 label xxx\n"
    )


def test_nothing_left_is_an_error(sound_tree: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no utterance is left"):
        read_iemocap(sound_tree, FOUR_EMOTIONS).of_sessions([6]).write(tmp_path / "data")
    assert not (tmp_path / "data").exists()


def replace_label(tree: Path) -> None:
    edit(tree / EVALUATION, "M000\tang", "M000\thpy")


def break_label_line(tree: Path) -> None:
    edit(tree / EVALUATION, "M000\tang\t", "M000 ang ")


def repeat_label_line(tree: Path) -> None:
    path = tree / EVALUATION
    path.write_text(path.read_text() + path.read_text().splitlines()[2] + "\n")


def label_another_session(tree: Path) -> None:
    edit(tree / EVALUATION, "Ses02F_impro01_M000", "Ses03F_impro01_M000")
    edit(tree / TRANSCRIPTION, "Ses02F_impro01_M000", "Ses03F_impro01_M000")


def remove_transcript_line(tree: Path) -> None:
    path = tree / TRANSCRIPTION
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "M000 " not in line))


def write_another_transcript(tree: Path) -> None:
    path = tree / TRANSCRIPTION
    path.write_text(path.read_text() + "Ses02F_impro01_M000 [001.0000-002.0000]: Something else.\n")


def cut_wav(tree: Path) -> None:
    path = tree / WAV
    path.write_bytes(path.read_bytes()[:-2000])


def write_8_khz(tree: Path) -> None:
    write_tone(tree / WAV, 0.6, sample_rate=8000)


def empty_wav(tree: Path) -> None:
    soundfile.write(tree / WAV, [], 16000, subtype="PCM_16")


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (
            shutil.rmtree,
            DataError,
            "IEMOCAP: not a copy of IEMOCAP; expected Session1/.* no such directory; next: set IEMOCAP",
        ),
        (lambda tree: (shutil.rmtree(tree), tree.mkdir()), DataError, "not a copy of IEMOCAP; .* no such file; next:"),
        (lambda tree: shutil.rmtree(tree / "Session4"), DataError, "expected Session4/dialog/EmoEvaluation"),
        (lambda tree: (tree / TRANSCRIPTION).unlink(), DataError, "Ses02F_impro01.txt: transcription file is missing"),
        (remove_transcript_line, DataError, "transcript is missing; expected a line of Ses02F_impro01_M000"),
        (
            write_another_transcript,
            DataError,
            r"Ses02F_impro01.txt: utterance has two transcripts; got Ses02F_impro01_M000",
        ),
        (replace_label, LabelError, r"Ses02F_impro01.txt:7: unknown emotion label; .*; got hpy$"),
        (break_label_line, DataError, "Ses02F_impro01.txt:7: malformed label line"),
        (repeat_label_line, DataError, r"txt:19: utterance is labelled twice; got .*txt:3$"),
        (label_another_session, DataError, "txt:7: not an utterance of session 2"),
        (lambda tree: (tree / WAV).unlink(), AudioError, "Ses02F_impro01_M000.wav: audio file is missing"),
        (cut_wav, AudioError, "Ses02F_impro01_M000.wav: wav file is truncated"),
        (write_8_khz, AudioError, "Ses02F_impro01_M000.wav: wrong sample rate; expected 16000 Hz; got 8000 Hz"),
        (empty_wav, AudioError, "Ses02F_impro01_M000.wav: audio is empty"),
    ],
)
def test_a_damaged_tree_gives_one_clear_line(tree: Path, damage, error: type[EntError], message: str) -> None:
    damage(tree)
    with pytest.raises(error, match=message):
        read_iemocap(tree, FOUR_EMOTIONS)


def test_missing_transcripts_can_be_excluded_and_are_counted(tree: Path) -> None:
    remove_transcript_line(tree)
    reading = read_iemocap(tree, FOUR_EMOTIONS, missing_transcripts="exclude")
    assert reading.num_found == 35
    assert [e.utt_id for e in reading.excluded if e.reason == "no transcript"] == ["Ses02F_impro01_M000"]
