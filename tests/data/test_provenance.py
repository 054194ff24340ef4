"""A finished output is recognised by what it was made from."""

from __future__ import annotations

from pathlib import Path

import pytest

from espnet_ent.data.provenance import digest_audio, digest_data_dir, is_made_from, write_provenance
from espnet_ent.errors import AudioError


def test_only_the_same_inputs_are_the_same(tmp_path: Path) -> None:
    assert not is_made_from(tmp_path, {"data": "x"})
    write_provenance(tmp_path, {"data": "x", "fs": 16000})
    assert is_made_from(tmp_path, {"fs": 16000, "data": "x"})
    assert not is_made_from(tmp_path, {"data": "x", "fs": 8000})
    assert not is_made_from(tmp_path, {"data": "x"})


def test_what_has_lost_a_file_is_not_finished(tmp_path: Path) -> None:
    for name in ("text", "audio/a.flac"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
        write_provenance(tmp_path, {"data": "x"})
        assert is_made_from(tmp_path, {"data": "x"})
        (tmp_path / name).unlink()
        assert not is_made_from(tmp_path, {"data": "x"})


def test_only_the_files_that_are_named_must_stay(tmp_path: Path) -> None:
    for name in ("config.yaml", "1epoch.pth"):
        (tmp_path / name).write_text("")
    write_provenance(tmp_path, {"data": "x"}, [tmp_path / "config.yaml"])
    (tmp_path / "1epoch.pth").unlink()
    assert is_made_from(tmp_path, {"data": "x"})
    (tmp_path / "config.yaml").unlink()
    assert not is_made_from(tmp_path, {"data": "x"})


def test_names_and_contents_of_tables_count(tmp_path: Path) -> None:
    digests = {digest_data_dir(tmp_path)}
    for name, content in [("text", "a A\n"), ("text", "a B\n"), ("utt2spk", "a a\n")]:
        (tmp_path / name).write_text(content)
        digests.add(digest_data_dir(tmp_path))
    (tmp_path / "text").rename(tmp_path / "texts")
    digests.add(digest_data_dir(tmp_path))
    assert len(digests) == 5
    (tmp_path / "audio").mkdir()
    assert digest_data_dir(tmp_path) in digests
    assert digest_data_dir(tmp_path / "none") == ""


def test_contents_of_audio_count_and_an_ark_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a.ark").write_bytes(b"12")
    (tmp_path / "a:3").write_bytes(b"12")
    ark = digest_audio([f"{tmp_path}/a.ark:1", f"{tmp_path}/a.ark:2"])
    assert ark == digest_audio([f"{tmp_path}/a:3"])
    (tmp_path / "a.ark").write_bytes(b"13")
    assert digest_audio([f"{tmp_path}/a.ark:1"]) != ark
    with pytest.raises(AudioError, match="audio file is missing"):
        digest_audio([str(tmp_path / "none")])
