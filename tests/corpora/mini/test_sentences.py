from espnet_ent.corpora.mini.msp_improv import plan_msp_improv
from espnet_ent.corpora.mini.plan import MiniSize, plan_corpus
from espnet_ent.corpora.mini.sentences import new_sentences, write_new_sentences

SIZE = MiniSize(per_class=4, unused_per_session=1, zed_per_speaker=3)


def test_new_sentences_are_said_in_no_corpus():
    sentences = new_sentences(3, SIZE, 800)
    said = {utt.text.upper() for plan in (plan_corpus, plan_msp_improv) for utt in plan(3, SIZE)}
    assert len(set(sentences)) == 800
    assert not said & set(sentences)


def test_files_are_the_same_for_the_same_seed(tmp_path):
    assert write_new_sentences(tmp_path / "a", 1, SIZE, 50)
    assert not write_new_sentences(tmp_path / "a", 1, SIZE, 50)
    assert write_new_sentences(tmp_path / "b", 1, SIZE, 50)
    for name, number in (("text", 45), ("dev_text", 5)):
        assert len((tmp_path / "a" / name).read_text().splitlines()) == number
        assert (tmp_path / "a" / name).read_text() == (tmp_path / "b" / name).read_text()
    assert (tmp_path / "a" / "text").read_text().startswith("new000000 ")
