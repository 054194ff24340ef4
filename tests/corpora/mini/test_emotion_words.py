"""The variant whose words tell a part of the emotion."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict

import pytest

from espnet_ent.corpora.mini.emotion_words import EMOTION_WORDS, REMARKS, EmotionCues, cues_of, with_emotion_words
from espnet_ent.corpora.mini.grammar import ADJECTIVES
from espnet_ent.corpora.mini.msp_improv import plan_msp_improv
from espnet_ent.corpora.mini.plan import MiniSize, plan_corpus
from espnet_ent.corpora.mini.sentences import new_sentences, write_new_sentences
from espnet_ent.errors import ConfigError
from espnet_ent.labels import FOUR_EMOTIONS

CUES = EmotionCues(words=0.65, voice=0.7)
PLAIN = plan_corpus(1, MiniSize())
TOLD = with_emotion_words(PLAIN, CUES, 1)
SESSIONS = [utterance for utterance in TOLD if not utterance.has_timeline and utterance.label in FOUR_EMOTIONS]
GOLDEN = "07aa04d2559b1e18da59462e25f6570f398ced1f6d11ba65fdfa6ef6f95a9837"
OF_WORD = {word: name for name, words in EMOTION_WORDS.items() for word in words}


def emotion_word(utterance):
    (word,) = [word for word in utterance.text.split() if word in OF_WORD]
    return word


def emotion(utterance):
    return FOUR_EMOTIONS.canonical(utterance.label)


def test_without_cues_the_plan_is_what_it_was():
    """Golden: sentences, labels, speakers and prosody of seed 1, as they were before there was a choice."""
    lines = [
        f"{u.utt_id} {u.label} {u.speaker.pitch:.6f} "
        + " / ".join(f"{p.text} {p.emotion} {p.prosody.rate:.6f} {p.prosody.breath_db:.6f}" for p in u.phrases)
        for u in plan_corpus(1, MiniSize(per_class=4, unused_per_session=2, zed_per_speaker=3))
    ]
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == GOLDEN


def test_every_utterance_has_one_emotion_word_in_a_remark():
    assert len(OF_WORD) == 20
    assert not OF_WORD.keys() & {word for utterance in PLAIN for word in utterance.text.split()}
    assert not OF_WORD.keys() & set(ADJECTIVES)
    for before, after in zip(PLAIN, TOLD, strict=True):
        word = emotion_word(after)
        remarks = {remark.format(word) for remark in REMARKS}
        (said,) = [phrase.text for phrase in after.phrases if phrase.text in remarks]
        assert [phrase.text for phrase in after.phrases if phrase.text != said] == [p.text for p in before.phrases]
        assert (after.utt_id, after.group, after.label, after.speaker) == (
            before.utt_id,
            before.group,
            before.label,
            before.speaker,
        )


def test_the_share_of_fitting_words_is_exact_in_each_class_of_a_session():
    told = defaultdict(Counter)
    for utterance in SESSIONS:
        told[utterance.group[0], utterance.label][OF_WORD[emotion_word(utterance)]] += 1
    for (_, label), counts in told.items():
        total = 30 if label in ("hap", "exc") else 60
        counts[FOUR_EMOTIONS.canonical(label)] -= round(0.65 * total)
        rest = total - round(0.65 * total)
        assert counts.total() == rest
        counts["neu"] -= rest - rest // 2  # every second one is neutral, the others are of all classes
        assert set(counts.values()) <= {rest // 8, rest // 8 + 1}


def test_words_of_an_emotion_are_about_as_frequent():
    counts = Counter(map(emotion_word, SESSIONS))
    assert set(counts) == set(OF_WORD)
    for words in EMOTION_WORDS.values():
        least, most = min(counts[word] for word in words), max(counts[word] for word in words)
        assert most - least < 0.25 * least


def test_nothing_but_the_emotion_word_differs_between_classes():
    frames = defaultdict(list)
    for utterance in SESSIONS:
        frame = utterance.text.replace(emotion_word(utterance), "...")
        frames[utterance.group[0], frame].append(emotion(utterance))
    assert len(frames) == 300
    assert all(sorted(emotions) == sorted(FOUR_EMOTIONS.names) for emotions in frames.values())


def test_remarks_stand_first_and_last_and_sound_like_their_neighbour():
    first = 0
    for utterance in SESSIONS:
        places = [n for n, phrase in enumerate(utterance.phrases) if emotion_word(utterance) in phrase.text.split()]
        assert places in ([0], [len(utterance.phrases) - 1])
        neighbour = utterance.phrases[1 if places == [0] else -2]
        assert utterance.phrases[places[0]].prosody == neighbour.prosody
        first += places == [0]
    assert 0.4 < first / len(SESSIONS) < 0.6


def test_the_share_of_emotional_voices_is_exact_and_the_others_are_neutral():
    emotional = [utterance for utterance in SESSIONS if emotion(utterance) != "neu"]
    flat = [utterance for utterance in emotional if {phrase.emotion for phrase in utterance.phrases} == {"neu"}]
    assert len(flat) == round(0.3 * len(emotional))
    assert all(len({phrase.prosody for phrase in utterance.phrases}) == 1 for utterance in flat)
    kept = {utterance.utt_id: utterance for utterance in PLAIN}
    for utterance in set(SESSIONS) - set(flat):
        before = kept[utterance.utt_id].phrases
        assert {(p.text, p.prosody) for p in before} <= {(p.text, p.prosody) for p in utterance.phrases}


def test_timelines_keep_their_voice_and_the_remark_is_in_the_emotional_stretch():
    for before, after in zip(PLAIN, TOLD, strict=True):
        if before.has_timeline:
            remark = next(phrase for phrase in after.phrases if emotion_word(after) in phrase.text.split())
            assert remark.emotion == FOUR_EMOTIONS.canonical(before.label)
            assert tuple(phrase for phrase in after.phrases if phrase is not remark) == before.phrases


def test_what_a_reader_of_words_reaches_is_in_between():
    """Bag of words on unseen speakers: the share of words that fit; at chance without remarks."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.pipeline import make_pipeline

    def ua(planned):
        parts = {True: ([], []), False: ([], [])}
        for utterance in planned:
            if not utterance.has_timeline and utterance.label in FOUR_EMOTIONS:
                texts, labels = parts[utterance.group[0] in ("Session1", "Session2")]
                texts.append(utterance.text)
                labels.append(emotion(utterance))
        reader = make_pipeline(CountVectorizer(), LogisticRegression(C=0.3, max_iter=1000)).fit(*parts[False])
        return balanced_accuracy_score(parts[True][1], reader.predict(parts[True][0]))

    assert ua(PLAIN) == pytest.approx(0.25, abs=1e-9)
    assert ua(TOLD) == pytest.approx((3 * (0.65 + 0.35 / 8) + 0.65 + 0.35 * 5 / 8) / 4, abs=0.025)


def test_all_and_nothing():
    for words, voice in ((1.0, 0.0), (0.0, 1.0)):
        told = with_emotion_words(plan_corpus(2, MiniSize(per_class=20)), EmotionCues(words, voice), 2)
        told = [utterance for utterance in told if not utterance.has_timeline and utterance.label in FOUR_EMOTIONS]
        if words:
            assert all(OF_WORD[emotion_word(u)] == emotion(u) for u in told)
            assert {phrase.emotion for u in told for phrase in u.phrases} == {"neu"}
        else:
            counts = Counter((emotion(u), OF_WORD[emotion_word(u)]) for u in told if emotion(u) != "hap")
            assert {number for (_, word), number in counts.items() if word == "neu"} <= set(range(60, 66))
            assert {number for (_, word), number in counts.items() if word != "neu"} <= set(range(10, 16))


def test_other_layouts_have_remarks_too():
    told = with_emotion_words(plan_msp_improv(1, MiniSize(per_class=4)), CUES, 1)
    of_class = {"A": "ang", "H": "hap", "S": "sad", "N": "neu"}
    right = [OF_WORD[emotion_word(u)] == of_class[u.label] for u in told if u.label in of_class]
    assert sum(right) / len(right) == pytest.approx(0.74, abs=0.1)


def test_the_same_seed_gives_the_same_plan_and_another_one_another():
    assert with_emotion_words(PLAIN, CUES, 1) == TOLD
    assert with_emotion_words(PLAIN, CUES, 2) != TOLD


def test_sentences_for_language_models_have_remarks(tmp_path):
    size = MiniSize(per_class=4, unused_per_session=1, zed_per_speaker=3)
    sentences = new_sentences(1, size, 200, with_remarks=True)
    words = [word for sentence in sentences for word in sentence.lower().split() if word in OF_WORD]
    assert len(words) == 200
    assert len(set(words)) == 20
    assert write_new_sentences(tmp_path / "a", 1, size, 20)
    assert write_new_sentences(tmp_path / "a", 1, size, 20, CUES)
    assert not write_new_sentences(tmp_path / "a", 1, size, 20, CUES)


def test_options_out_of_range_are_refused():
    assert cues_of(None) is None
    assert cues_of(0.7, 0.5) == EmotionCues(0.7, 0.5)
    with pytest.raises(ConfigError, match="--emotion_words: not a share"):
        cues_of(1.1)
    with pytest.raises(ConfigError, match="--emotion_voice: not a share"):
        cues_of(1.0, -0.1)
    with pytest.raises(ConfigError, match="nothing would tell the emotion"):
        cues_of(None, 0.5)
