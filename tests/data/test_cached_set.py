"""The states of a set: found by utterance, and refused where anything is not as it was."""

import kaldiio
import numpy as np
import pytest

from espnet_ent.data.audio import write_pcm16
from espnet_ent.data.cached_set import CachedSet, describe_data, is_cached, write_cached_set
from espnet_ent.data.state_store import StateStore, UtteranceStates
from espnet_ent.errors import DataError

DEPENDS_ON = {"encoder": "ssl", "layers": "mix"}


@pytest.fixture
def cached(tmp_path):
    """A set of three utterances, two of which have the same audio, in a folder with a space."""
    root = tmp_path / "a folder"
    (root / "data").mkdir(parents=True)
    write_pcm16(root / "a.wav", np.full(100, 0.1), 16000, "wav")
    (root / "data/wav.scp").write_text("".join(f"u{number} {root}/a.wav\n" for number in range(3)))
    (root / "data/utt2spk").write_text("u0 s\nu1 s\nu2 s\n")
    store = StateStore(root / "store", DEPENDS_ON)
    store.describe()
    states = [UtteranceStates(np.full((2, 3, 4), n, np.float32), np.zeros((2, 5)), 100 + n) for n in range(2)]
    store.write([(f"u{n}", f"digest{n}", found) for n, found in enumerate(states)])
    entries, _ = store.entries()
    named = [("u0", entries["digest0"]), ("u1", entries["digest1"]), ("u2", entries["digest0"])]
    made_from = {**describe_data(root / "data"), "data_dir": str(root / "data")}
    write_cached_set(root / "set", named, made_from)
    return root, made_from


def test_utterances_of_the_same_audio_share_their_states(cached):
    found = CachedSet(cached[0] / "set/states.scp")
    assert list(found) == ["u0", "u1", "u2"]
    assert [float(found[utt_id].states.max()) for utt_id in found] == [0.0, 1.0, 0.0]
    assert [found[utt_id].num_samples for utt_id in found] == [100, 101, 100]


def test_kaldiio_reads_the_table(cached):
    scp = cached[0] / "set/states.scp"
    table, found = kaldiio.load_scp(str(scp)), CachedSet(scp)
    assert set(table) == set(found)
    for utt_id in found:
        np.testing.assert_array_equal(table[utt_id], found[utt_id].states)


def test_a_set_knows_what_it_was_made_from(cached):
    root, made_from = cached
    assert is_cached(root / "set", made_from)
    assert not is_cached(root / "set", {**made_from, "encoder": "other"})
    next(root.glob("store/*/*.ark")).unlink()
    assert not is_cached(root / "set", made_from)


def test_another_encoder_is_refused_and_the_difference_named(cached):
    found = CachedSet(cached[0] / "set/states.scp")
    found.check_encoder(DEPENDS_ON)
    with pytest.raises(DataError, match=r"another encoder; got changed: layers rate; next: rerun stage 9"):
        found.check_encoder({"encoder": "ssl", "layers": "last", "rate": 8000})


def test_changed_audio_and_tables_are_refused(cached):
    root, _ = cached
    found = CachedSet(root / "set/states.scp")
    found.check_audio()
    (root / "data/text").write_text("u0 A\nu1 A\nu2 A\n")  # no matter of the states
    found.check_audio()
    write_pcm16(root / "a.wav", np.full(100, 0.2), 16000, "wav")
    with pytest.raises(DataError, match=rf"of other data; got changed audio of {root}/data; next: rerun stage 9"):
        found.check_audio()
    (root / "set/made_from.json").unlink()
    with pytest.raises(DataError, match="nothing says what was encoded"):
        found.check_audio()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no cached states"),
        ("u0 data.wav\n", "u0: not a place in an ark; expected <ark>:<offset>; got 'data.wav'"),
        ("u0 ARK:7\n", "u0: cached states are not where they should be; next: rerun stage 9"),
    ],
)
def test_a_spoiled_table_is_one_line(cached, content, message):
    scp = cached[0] / "set/states.scp"
    scp.write_text(content.replace("ARK", str(next(cached[0].glob("store/*/*.ark")))))
    with pytest.raises(DataError, match=message):
        CachedSet(scp)


def test_a_missing_table_names_the_stage(tmp_path):
    with pytest.raises(DataError, match=r"cached states are missing; next: rerun stage 9 \(--stage 9\)"):
        CachedSet(tmp_path / "states.scp")
