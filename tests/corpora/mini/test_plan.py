from collections import Counter

from espnet_ent.corpora.mini.plan import MiniSize, plan_corpus
from espnet_ent.labels import FOUR_EMOTIONS

PLANNED = plan_corpus(seed=1, size=MiniSize())
IEMOCAP = [u for u in PLANNED if u.group[0].startswith("Session")]
ZED = {part: [u for u in PLANNED if u.group == (f"ZED_mini_{part}",)] for part in ("dev", "test")}


def test_sizes():
    usable = [u for u in IEMOCAP if u.label in FOUR_EMOTIONS]
    assert len(usable) == 1200
    assert len(IEMOCAP) == 1220
    assert len(ZED["dev"]) == len(ZED["test"]) == 120


def test_each_session_has_two_speakers_of_its_own_and_balanced_classes():
    owners: dict[str, str] = {}
    for session in range(1, 6):
        part = [u for u in IEMOCAP if u.group[0] == f"Session{session}"]
        speakers = {u.speaker.name for u in part}
        assert len(speakers) == 2
        assert not speakers & owners.keys()
        owners.update(dict.fromkeys(speakers, f"Session{session}"))
        labels = Counter(u.label for u in part)
        assert labels["neu"] == labels["ang"] == labels["sad"] == 60
        assert labels["hap"] == labels["exc"] == 30


def test_speaker_is_the_letter_in_the_last_part_of_the_id():
    assert all(u.speaker.name == u.utt_id[:5] + u.utt_id.rsplit("_", 1)[1][0] for u in IEMOCAP)
    assert any(u.utt_id[5] != u.utt_id.rsplit("_", 1)[1][0] for u in IEMOCAP)  # dialog prefix differs


def test_sessions_and_zed_parts_share_no_sentence():
    parts: dict[str, set[str]] = {}
    for utterance in PLANNED:
        parts.setdefault(utterance.group[0], set()).add(utterance.text)
    sizes = [len(texts) for texts in parts.values()]
    assert len(set().union(*parts.values())) == sum(sizes)
    assert len({u.utt_id for u in PLANNED}) == len(PLANNED)


def test_every_sentence_is_spoken_once_in_each_class_of_its_session():
    classes: dict[str, list[str]] = {}
    for utterance in IEMOCAP:
        if utterance.label in FOUR_EMOTIONS:
            classes.setdefault(utterance.text, []).append(FOUR_EMOTIONS.canonical(utterance.label))
    assert len(classes) == 300
    assert all(sorted(labels) == sorted(FOUR_EMOTIONS.names) for labels in classes.values())


def test_zed_speakers_are_four_each_and_disjoint_from_each_other_and_from_training():
    dev, test = ({u.speaker.name for u in ZED[part]} for part in ("dev", "test"))
    assert len(dev) == len(test) == 4
    assert not dev & test
    assert not (dev | test) & {u.speaker.name for u in IEMOCAP}


def test_about_half_of_the_emotional_utterances_are_emotional_on_a_stretch_only():
    emotional = [u for u in IEMOCAP if u.label in FOUR_EMOTIONS and u.label != "neu"]
    partial = [u for u in emotional if any(phrase.emotion == "neu" for phrase in u.phrases)]
    assert 0.45 < len(partial) / len(emotional) < 0.55
    for utterance in partial:
        assert {phrase.emotion for phrase in utterance.phrases} == {"neu", utterance.label}


def test_neutral_utterances_are_neutral_throughout():
    assert all(p.emotion == "neu" for u in IEMOCAP if u.label == "neu" for p in u.phrases)


def test_every_zed_utterance_has_neutral_and_emotional_stretches():
    for utterance in ZED["dev"] + ZED["test"]:
        emotions = {phrase.emotion for phrase in utterance.phrases}
        assert len(emotions) == 2
        assert "neu" in emotions


def test_another_seed_gives_other_sentences():
    other = plan_corpus(seed=2, size=MiniSize())
    assert [u.text for u in other] != [u.text for u in PLANNED]
