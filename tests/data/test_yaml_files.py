"""YAML of users, and YAML of strangers."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from espnet_ent.data.yaml_files import parse_untrusted_yaml, read_yaml
from espnet_ent.errors import CheckpointError, ConfigError


def test_plain_data_is_read_as_by_the_safe_loader(tmp_path: Path) -> None:
    values = {"a": [1, 2.5, None, True, "x"], "b": {"c": "é", "d": {}}, "e": "1e-3"}
    text = yaml.safe_dump(values, allow_unicode=True)
    (tmp_path / "a.yaml").write_text(text)
    assert parse_untrusted_yaml(text.encode(), "a.yaml") == read_yaml(tmp_path / "a.yaml") == values


@pytest.mark.security
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: !!python/object/apply:os.getcwd []", "python/object/apply:os.getcwd"),
        ("a: !!python/name:os.system", "python/name:os.system"),
        ("a: &x [1]\nb: *x", "got an alias"),
        ("a: &x {b: 1}\nc:\n  <<: *x", "got an alias"),
        ("a: " + "[" * 60 + "]" * 60, "more than 50 levels"),
        ("a: " + "{a: " * 20_000, "more than 50 levels"),
        ("a: " + "9" * 10_000, "not YAML of plain data"),
        ("a: 2021-13-45", "month must be in 1..12"),
        ("\x00", "not YAML of plain data"),
        ("- 1", "not a mapping; got list"),
        ("", "not a mapping; got NoneType"),
    ],
)
def test_anything_but_plain_data_is_one_line(text: str, reason: str) -> None:
    with pytest.raises(CheckpointError) as raised:
        parse_untrusted_yaml(text.encode(), "strange.yaml")
    assert str(raised.value).startswith("strange.yaml: not ")
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400


def test_a_user_may_write_aliases(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: &x [1]\nb: *x")
    assert read_yaml(tmp_path / "a.yaml") == {"a": [1], "b": [1]}
    with pytest.raises(ConfigError, match="configuration is missing"):
        read_yaml(tmp_path / "b.yaml")
