"""The format of the feature cache, held against kaldiio and against every kind of damage."""

import os

import kaldiio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_ent.data.state_store import StateStore, UtteranceStates, audio_digest, read_description, read_index
from espnet_ent.errors import ConfigError, DataError

DEPENDS_ON = {"encoder": "ssl", "weights_sha256": "ab", "layers": "mix"}


def utterance(seed, num_frames=3):
    generator = np.random.default_rng(seed)
    states = generator.standard_normal((num_frames, 2, 4)).astype(np.float32)
    return UtteranceStates(states, generator.standard_normal((2 * num_frames, 5)).astype(np.float32), 320 * num_frames)


def digest(number):
    return audio_digest(np.full(3, number, np.float32))


@pytest.fixture
def store(tmp_path):
    made = StateStore(tmp_path, DEPENDS_ON)
    made.describe()
    made.ark = made.write([(f"u{number}", digest(number), utterance(number, number + 1)) for number in range(3)])
    return made


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_what_is_written_is_read_within_the_rounding_of_its_type(tmp_path, dtype):
    store = StateStore(tmp_path, DEPENDS_ON, dtype)
    store.write([(f"u{number}", digest(number), utterance(number, number + 1)) for number in range(3)])
    entries, useless = store.entries()
    assert (set(entries), useless) == ({digest(number) for number in range(3)}, [])
    for number in range(3):
        read, written = entries[digest(number)].read("u"), utterance(number, number + 1)
        assert read.num_samples == written.num_samples
        for one, other in ((read.states, written.states), (read.local, written.local)):
            assert one.dtype == dtype
            tolerance = 2.0**-11 if dtype == "float16" else 0
            np.testing.assert_allclose(one.astype(np.float32), other, rtol=tolerance, atol=1e-7 if tolerance else 0)


def test_kaldiio_reads_the_same_from_the_same_place(store):
    for entry in store.entries()[0].values():
        read = entry.read("u")
        np.testing.assert_array_equal(kaldiio.load_mat(f"{entry.ark}:{entry.states}"), read.states)
        np.testing.assert_array_equal(kaldiio.load_mat(f"{entry.ark}:{entry.local}"), read.local)


def test_the_same_states_give_the_same_bytes(store, tmp_path):
    other = StateStore(tmp_path / "other", DEPENDS_ON)
    ark = other.write([(f"v{number}", digest(number), utterance(number, number + 1)) for number in range(3)])
    assert ark.name == store.ark.name
    assert ark.read_bytes() == store.ark.read_bytes()


@settings(max_examples=40, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_flipped_bit_goes_unseen(tmp_path_factory, place, bit):
    store = StateStore(tmp_path_factory.mktemp("store"), DEPENDS_ON)
    ark = store.write([("u0", digest(0), utterance(0))])
    (entry,) = store.entries()[0].values()
    data = bytearray(ark.read_bytes())
    offset = entry.states + int(place * (entry.end - entry.states))
    data[offset] ^= 1 << bit
    ark.write_bytes(data)
    message = rf"{ark}: spk-1: cached states are damaged; .*next: remove {ark} and rerun stage 9"
    with pytest.raises(DataError, match=message):
        entry.read("spk-1")


@pytest.mark.parametrize("suffix", [".ark", ".index"])
def test_a_part_of_an_ark_or_index_is_useless_and_removed(store, suffix):
    path = store.ark.with_suffix(suffix)
    os.truncate(path, path.stat().st_size - 2)  # the last character of the index is the end of a line
    with pytest.raises(DataError, match="cut off" if suffix == ".ark" else "no sound index"):
        read_index(store.ark.with_suffix(".index"))
    assert store.entries()[0] == {}
    assert store.remove_useless() == [store.ark.with_suffix(".index")]
    assert [file.name for file in store.path.iterdir()] == ["cache.json"]


def test_an_ark_without_an_index_does_not_count(store):
    store.ark.with_suffix(".index").unlink()
    (store.path / ".0123.ark.tmp.0.99999999").write_bytes(b"half")
    assert store.entries() == ({}, [])
    assert store.remove_useless() == []
    assert [file.name for file in store.path.iterdir()] == ["cache.json"]


def test_an_index_without_its_ark_does_not_count(store):
    store.ark.unlink()
    assert store.remove_useless() == [store.ark.with_suffix(".index")]


@pytest.mark.parametrize(
    ("value", "dtype", "next_step"), [(1e5, "float16", "--feature_cache_dtype float32"), (np.nan, "float32", None)]
)
def test_values_that_do_not_fit_are_refused_with_the_utterance(tmp_path, value, dtype, next_step):
    store, states = StateStore(tmp_path, DEPENDS_ON, dtype), utterance(0)
    states.states[1, 1, 1] = value
    with pytest.raises(DataError, match=f"spk-7: states that {dtype} can't hold") as caught:
        store.write([("spk-7", digest(0), states)])
    assert caught.value.next_step == next_step
    assert not list(store.path.glob("*"))


def test_another_encoder_or_type_has_another_store(tmp_path):
    changed = [DEPENDS_ON, {**DEPENDS_ON, "layers": "last"}, {**DEPENDS_ON, "weights_sha256": "cd"}]
    paths = {StateStore(tmp_path, depends_on, dtype).path for depends_on in changed for dtype in ("float16", "float32")}
    assert len(paths) == 6
    assert StateStore(tmp_path, dict(reversed(DEPENDS_ON.items()))).path in paths
    with pytest.raises(ConfigError, match="unknown dtype"):
        StateStore(tmp_path, DEPENDS_ON, "int8")


def test_a_store_tells_what_it_holds(store):
    assert read_description(store.path) == DEPENDS_ON
    (store.path / "cache.json").write_text('{"format": 2, "depends_on": {}}')
    with pytest.raises(DataError, match="not a feature cache of this version; got format 2; next: remove"):
        read_description(store.path)


def test_the_digest_of_audio_tells_every_sample():
    samples = np.zeros(5, np.float32)
    changed = samples.copy()
    changed[4] = 2.0**-15
    assert audio_digest(samples) == audio_digest(samples[::1].copy())
    assert len({audio_digest(samples), audio_digest(changed), audio_digest(samples[:4])}) == 3
